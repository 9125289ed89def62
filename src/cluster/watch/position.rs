//! How far the watches have come: the resourceVersion up to which each has told everything.
//!
//! Watches are streams of their own, and any of them may be late. Who has written something knows
//! by the answer's resourceVersion what the watch of that kind is still to tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use checks::model::{
    Version,
    observation::{Kind, object::Object},
};
use tokio::sync::watch;

/// The positions of all watches. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Positions(watch::Sender<BTreeMap<Kind, Position>>);

#[derive(Clone, Debug, Default)]
struct Position {
    /// The watch has shown everything up to this version.
    version: Version,
    /// The objects that exist as of then, by UID.
    there: BTreeSet<String>,
}

impl Positions {
    /// A watch has told of one object.
    pub(crate) fn note_seen(&self, kind: Kind, object: &Object, is_gone: bool) {
        let metadata = object.metadata();
        self.0.send_modify(|all| {
            let position = all.entry(kind).or_default();
            position.version = Version::of(&metadata.resource_version);
            if is_gone {
                position.there.remove(&metadata.uid);
            } else {
                position.there.insert(metadata.uid.clone());
            }
        });
    }

    /// A bookmark arrived: the watch has shown everything up to it.
    pub(crate) fn bookmark(&self, kind: Kind, version: &str) {
        self.0.send_modify(|all| all.entry(kind).or_default().version = Version::of(version));
    }

    /// A whole list arrived.
    pub(crate) fn note_listed(&self, kind: Kind, uids: BTreeSet<String>, version: &str) {
        let position = Position { version: Version::of(version), there: uids };
        self.0.send_modify(|all| drop(all.insert(kind, position)));
    }

    /// Whether the watch has shown everything of a kind up to a version. True for a kind that is not
    /// watched.
    pub(crate) fn has_reached(&self, kind: Kind, version: &Version) -> bool {
        self.0.borrow().get(&kind).is_none_or(|it| it.version.reaches(version))
    }

    /// Waits until all these versions are reached; false when they were not in time.
    pub(crate) async fn wait_until_reached(
        &self,
        wanted: &[(Kind, Version)],
        within: Duration,
    ) -> bool {
        let mut changes = self.0.subscribe();
        let all = changes.wait_for(|all| {
            wanted
                .iter()
                .all(|(kind, version)| all.get(kind).is_none_or(|it| it.version.reaches(version)))
        });
        tokio::time::timeout(within, all).await.is_ok_and(|it| it.is_ok())
    }

    /// Waits until a watch has told everything that a list of its kind shows: each object's
    /// version, and that no other is there.
    pub(crate) async fn covers(
        &self,
        kind: Kind,
        listed: &[Object],
        version: &str,
        within: Duration,
    ) -> bool {
        let uids: BTreeSet<&str> = listed.iter().map(|it| it.metadata().uid.as_str()).collect();
        let versions: Vec<Version> =
            listed.iter().map(|it| Version::of(&it.metadata().resource_version)).collect();
        let all_of_it = Version::of(version);
        let mut changes = self.0.subscribe();
        let covers = changes.wait_for(|all| {
            let Some(position) = all.get(&kind) else { return true };
            let knows_all = versions.iter().all(|version| position.version.reaches(version));
            let knows_no_more = position.there.iter().all(|uid| uids.contains(uid.as_str()));
            position.version.reaches(&all_of_it) || knows_all && knows_no_more
        });
        tokio::time::timeout(within, covers).await.is_ok_and(|it| it.is_ok())
    }
}
