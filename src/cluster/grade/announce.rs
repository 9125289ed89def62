//! The announcement that is printed before the first change.

use std::time::Duration;

use checks::model::Timeline;

use crate::cluster::{budget::StepBudget, grade::baseline::facts};
use crate::{plan, plan::Step};

/// What the user is told before anything is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The set.
    pub set: String,
    /// What will be changed, in order, a line each.
    pub changes: Vec<String>,
    /// The longest that it takes where every pod is Ready in seconds but ignores SIGTERM.
    pub worst: Duration,
    /// Leftovers of an interrupted grade that were restored before this one: what could not be
    /// removed, a line each. `None` if there was no such grade.
    pub finished_first: Option<Vec<String>>,
}

/// What a grade of the set will change, and how long it takes at most.
pub(super) fn announcement(
    timeline: &Timeline,
    finished_first: Option<Vec<String>>,
) -> Announcement {
    let set = timeline.set().map(|set| (set.name.clone(), StepBudget::of(&set.spec)));
    let (Some((set, budget)), Some(facts)) = (set, facts(timeline)) else {
        return Announcement {
            set: String::new(),
            changes: vec![],
            worst: Duration::ZERO,
            finished_first,
        };
    };
    let path = plan::normal_path(&facts);
    let (mut now, mut removals) = (facts.replicas, 0);
    let mut changes = vec![];
    for step in path {
        match step {
            Step::Observe | Step::Inspect => {}
            Step::Replace { ordinal } => {
                removals += 1;
                changes.push(format!("delete pod {set}-{ordinal}, which comes back"));
            }
            Step::Scale { to, .. } => {
                removals += (now - to).max(0);
                changes.push(format!("scale {set} from {now} to {to}"));
                now = to;
            }
        }
    }
    if now != facts.replicas {
        removals += now - facts.replicas;
        changes.push(format!("scale {set} back from {now} to {}", facts.replicas));
    }
    changes.push("write a small file on each pod's volumes, and remove it at the end".to_owned());
    // A few seconds for each pod that comes, as on a small cluster with the images at hand.
    let worst = budget.worst_removal(removals) + Duration::from_secs(30);
    Announcement { set, changes, worst, finished_first }
}

/// How much of the whole time restoring may need; no more than half of it is kept for that.
pub(super) fn reserve(timeline: &Timeline) -> Duration {
    timeline.set().map_or(Duration::ZERO, |set| {
        StepBudget::of(&set.spec).worst_removal(2) + Duration::from_secs(15)
    })
}
