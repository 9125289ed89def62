//! What the states of objects take: a later state of an object replaces the one before it.

use std::collections::HashMap;

use checks::model::{Fact, observation::Kind};

/// What stays of a state when a later one has come: when it changed, and how.
const CHANGE_BYTES: usize = 256;

/// What the newest state of each object takes, in bytes.
#[derive(Debug, Default)]
pub(super) struct ObjectStates(HashMap<(Kind, String), usize>);

impl ObjectStates {
    /// Takes a line which takes so many bytes; how many go back, because of what it replaces.
    pub(super) fn replace(&mut self, what: &Fact, bytes: usize) -> usize {
        let Fact::Object(_, object) = what else { return 0 };
        // Each event is one more thing that happened.
        if object.kind() == Kind::Event {
            return 0;
        }
        let earlier = self.0.insert((object.kind(), object.metadata().uid.clone()), bytes);
        earlier.unwrap_or(0).saturating_sub(CHANGE_BYTES)
    }
}
