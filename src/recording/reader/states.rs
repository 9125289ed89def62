//! What the states of pods take: a later state of a pod replaces the one before it.

use std::collections::HashMap;

use checks::model::{Fact, observation::object::Object};

/// What stays of a state when a later one has come, in bytes: when it changed, and how.
const CHANGE_BYTES: usize = 256;
/// A UID is no longer (RFC 9562, section 4).
const UID_BYTES: usize = 36;

/// What the newest line of each pod takes, by its UID, in bytes.
///
/// Most lines of a long recording are about the status of a pod. Such a line leaves out the spec, which
/// is as it was: what is kept of that one stays. Of other objects more may be kept than the newest
/// state, so that nothing of them goes back.
#[derive(Debug, Default)]
pub(super) struct PodStates(HashMap<String, usize>);

impl PodStates {
    /// Takes a line which takes so many bytes; how many go back, because of what it replaces.
    pub(super) fn replace(&mut self, what: &Fact, bytes: usize) -> usize {
        let Fact::Object(_, Object::Pod(pod)) = what else { return 0 };
        let uid = &pod.metadata.uid;
        if pod.spec.is_some() || uid.is_empty() || uid.len() > UID_BYTES {
            return 0;
        }
        let earlier = self.0.insert(uid.clone(), bytes);
        earlier.unwrap_or(0).saturating_sub(CHANGE_BYTES)
    }
}
