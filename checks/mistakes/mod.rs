//! The catalogue of mistakes: the words in which reports, `explain` and lint say what went wrong.

mod catalogue;

pub use crate::mistakes::catalogue::*;

/// A mistake: why points are lost, and the lines to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Stable name.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What happens, and why it costs the points.
    pub explanation: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// The lines as they are in the mistake.
    pub before: &'static str,
    /// The lines as they should be.
    pub after: &'static str,
}

/// A mistake by its id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Mistake> {
    MISTAKES.iter().copied().find(|it| it.id == id)
}

/// What the lab's own text gets wrong about a mistake, for whoever made it by following the lab.
#[must_use]
pub fn lab_note(id: &str) -> Option<&'static str> {
    match id {
        "overwritten_at_start" => Some(
            "The lab's own manifests (its sections 1 and 2) write the file with `>` at every \
             start, although their text promises that the original date is still there. If you \
             copied them, you did what the lab shows: the test asks for what it promises.",
        ),
        "when_scaled_delete" => Some(
            "The lab says that claims are never deleted automatically. Kubernetes can do that: \
             `persistentVolumeClaimRetentionPolicy` asks for it.",
        ),
        _ => None,
    }
}
