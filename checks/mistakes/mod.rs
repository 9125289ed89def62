//! The catalogue of mistakes: the words in which reports, `list` and `explain` say what went wrong.

mod catalogue;
mod section;

pub use crate::mistakes::{catalogue::*, section::Section};

/// A mistake: why points are lost, and the lines to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Stable name.
    pub id: &'static str,
    /// The lab's sections to read again.
    pub read: &'static [Section],
    /// How a mended manifest gets into the cluster.
    pub renewal: Renewal,
    /// In a few words.
    pub title: &'static str,
    /// What happens, and why it costs the points.
    pub explanation: &'static str,
    /// What the lab's own text gets wrong about it, for whoever made it by following the lab.
    pub lab: Option<&'static str>,
    /// What to do.
    pub remedy: &'static str,
    /// The lines as they are in the mistake.
    pub before: &'static str,
    /// The lines as they should be.
    pub after: &'static str,
}

impl Mistake {
    /// Whether there are lines of a manifest to change: where nothing in it is wrong, comments say
    /// what is.
    #[must_use]
    pub fn has_lines(&self) -> bool {
        self.before.lines().chain(self.after.lines()).any(|it| !it.trim_start().starts_with('#'))
    }
}

/// How a mended manifest gets into the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The changed fields can be changed in place, and pods are made anew with them.
    Apply,
    /// The changed fields can be changed in place, and are none of a pod: no pod has to be made anew.
    ApplyBesidePods,
    /// The changed fields of the StatefulSet cannot be changed; or pods of it are not Ready, which
    /// the controller does not replace (Kubernetes, "StatefulSets", "Forced rollback").
    Recreate,
    /// Fields of its claims change, too: delete the set and its claims.
    RecreateWithClaims,
    /// The changed fields of the Service cannot be changed.
    RecreateService,
}

/// A mistake by its id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Mistake> {
    MISTAKES.iter().copied().find(|it| it.id == id)
}

#[cfg(test)]
mod tests {
    use super::{MISTAKES, NO_FS_GROUP, Renewal};

    /// Catches a set that is deleted, and nothing says so. Of an obstacle the report says it.
    #[test]
    fn each_mistake_for_which_the_set_is_deleted_says_so() {
        let recreated = MISTAKES.iter().filter(|it| it.renewal == Renewal::Recreate);
        for mistake in recreated.filter(|it| it.id != NO_FS_GROUP.id) {
            let said = ["must be deleted first", "Delete the set, "];
            assert!(said.iter().any(|it| mistake.remedy.contains(it)), "{}", mistake.id);
            assert!(!mistake.remedy.contains("PVCs stay"), "{}", mistake.id);
        }
    }
}
