//! What stands in the way of a set: the obstacles, and the containers that end again and again.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{observation::Seq, obstacle::Obstacle};

/// The most obstacles that are noted: of a set that can be graded, fewer pods are told of at once.
const MAX_OBSTACLES: usize = 1000;

/// What stands in the way of one set. It says nothing of another one.
#[derive(Debug, Default)]
pub(crate) struct InTheWay {
    /// In the order in which they were met.
    pub(crate) obstacles: Vec<Obstacle>,
    /// By the pod's UID.
    pub(crate) crash_loops: BTreeMap<String, CrashLoop>,
    /// The UIDs of pods that ended again and again while another set was the subject.
    pub(crate) to_judge: BTreeSet<String>,
}

/// A container that ends again and again: what has [`Effect::CrashLoop`](crate::model::Effect).
#[derive(Debug)]
pub(crate) struct CrashLoop {
    /// The line at which it was known.
    pub(crate) seq: Seq,
    pub(crate) container: String,
    pub(crate) obstacle: Obstacle,
}

impl InTheWay {
    /// Notes an obstacle, unless one of the kind is known of the same object.
    pub(crate) fn note(&mut self, found: Obstacle) {
        // Each is compared with all others, and a recording may tell of any number.
        if self.obstacles.len() < MAX_OBSTACLES
            && self.obstacles.iter().all(|known| (known.id, &known.who) != (found.id, &found.who))
        {
            self.obstacles.push(found);
        }
    }

    /// What ended again and again before the submission changed may have been mended by that.
    pub(crate) fn forget_crash_loops(&mut self) {
        let crash_loops = std::mem::take(&mut self.crash_loops);
        let mut forgotten: BTreeMap<&str, Vec<&Obstacle>> = BTreeMap::new();
        for known in crash_loops.values() {
            forgotten.entry(&known.obstacle.who).or_default().push(&known.obstacle);
        }
        let is_forgotten =
            |it: &Obstacle| forgotten.get(it.who.as_str()).is_some_and(|known| known.contains(&it));
        self.obstacles.retain(|it| !is_forgotten(it));
    }
}

#[cfg(test)]
mod tests;
