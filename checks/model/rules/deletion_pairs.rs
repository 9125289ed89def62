//! The pairs of pods that test 8 compares.

use crate::model::{
    observation::when::{Truth, When},
    timeline::{episode::Episode, lives::PodLife},
};

impl<'t> Episode<'t> {
    /// In a scale-down, the pairs `(upper, lower)` of pods by which its order is judged: the upper
    /// pod had to be gone when the deletion of the lower one was requested.
    ///
    /// The lower one is each pod whose deletion may be this change's doing, except one that
    /// the cluster removed: that tells nothing of the order in which its set deletes pods. The
    /// upper one is not always the next ordinal: it is the nearest pod above that was still there
    /// at the request; where none is known to have been there, the nearest that may have been, or
    /// else the nearest of all. Where one pod alone went, there is no pair.
    #[must_use]
    pub fn deletion_pairs(&self) -> Vec<(&'t PodLife, &'t PodLife)> {
        let mut found = vec![];
        for (place, lower) in self.pods.iter().enumerate() {
            let Some(requested) = lower.deletion_requested else { continue };
            if lower.is_disrupted
                || requested.by <= self.first_line
                || requested.after.is_some_and(|after| after >= self.next_change)
            {
                continue;
            }
            let upper = nearest_above(&self.pods[..place], requested);
            found.extend(upper.map(|upper| (upper, *lower)));
        }
        found
    }
}

/// The nearest pod above that was still there when a deletion was requested; else the nearest that
/// may have been; else the nearest of all. `above` is sorted by falling ordinal.
fn nearest_above<'t>(above: &[&'t PodLife], requested: When) -> Option<&'t PodLife> {
    let (mut unknown, mut gone) = (None, None);
    for upper in above.iter().rev() {
        if upper.added.by >= requested.by {
            continue;
        }
        match upper.deleted.map_or(Truth::No, |deleted| deleted.precedes(requested)) {
            Truth::No => return Some(upper),
            Truth::Unknown => _ = unknown.get_or_insert(*upper),
            Truth::Yes => _ = gone.get_or_insert(*upper),
        }
    }
    unknown.or(gone)
}
