//! The announcement that is printed before the first change.

use std::time::Duration;

use checks::model::Timeline;

use crate::cluster::{
    budget::{MAX_GRACE, StepBudget, asked_grace},
    grade::set_before::plan_input,
};
use crate::{plan, plan::PlannedStep};

/// For the pods that come: a few seconds each, as on a small cluster with the images at hand.
const STARTS: Duration = Duration::from_secs(30);
/// For restoring, besides the pods that stop.
const RESTORE_RESERVE: Duration = Duration::from_secs(15);

/// What the user is told before anything is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The set.
    pub set: String,
    /// What will be changed, in order, a line each.
    pub changes: Vec<String>,
    /// The longest that it takes where every pod is Ready in seconds but ignores SIGTERM.
    pub worst: Duration,
    /// Pods that may take longer to stop than a grade waits for.
    pub long_grace: Option<LongGrace>,
    /// Leftovers of a killed grade that were restored before this one: what could not be
    /// removed, a line each. `None` if there was no such grade.
    pub earlier_leftovers: Option<Vec<String>>,
}

/// A `terminationGracePeriodSeconds` of more than [`MAX_GRACE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongGrace {
    /// What one pod may take.
    pub grace: Duration,
    /// What the whole may take then.
    pub total: Duration,
}

/// What a grade of the set will change, and how long it takes at most.
pub(super) fn announcement(
    timeline: &Timeline,
    timeout: Option<Duration>,
    earlier_leftovers: Option<Vec<String>>,
) -> Announcement {
    let set = timeline.set().map(|set| (set.name.clone(), &set.spec));
    let (Some((set, spec)), Some(input)) = (set, plan_input(timeline)) else {
        return Announcement {
            set: String::new(),
            changes: vec![],
            worst: Duration::ZERO,
            long_grace: None,
            earlier_leftovers,
        };
    };
    let path = plan::normal_path(&input);
    let (mut now, mut removals) = (input.replicas, 0);
    let mut changes = vec![];
    for step in path {
        match step {
            PlannedStep::WaitUntilSettled | PlannedStep::Inspect => {}
            PlannedStep::Replace { ordinal } => {
                removals += 1;
                changes.push(format!("delete pod {set}-{ordinal}, which comes back"));
            }
            PlannedStep::Scale { to, .. } => {
                removals += (now - to).max(0);
                changes.push(format!("scale {set} from {now} to {to}"));
                now = to;
            }
        }
    }
    if now != input.replicas {
        removals += now - input.replicas;
        changes.push(format!("scale {set} back from {now} to {}", input.replicas));
    }
    changes.push("write a small file on each pod's volumes, and remove it at the end".to_owned());
    let grace = asked_grace(&spec.template.spec);
    let whole = grace * u32::try_from(removals.max(1)).unwrap_or(1) + STARTS;
    // A pod that takes longer than MAX_GRACE ends the tour, so one such wait is the most.
    let is_long = grace > MAX_GRACE && timeout.is_none_or(|it| it < whole);
    let budget = StepBudget::within(spec, timeout);
    let worst = budget.worst_removal(if is_long { 1 } else { removals }) + STARTS;
    let long_grace = is_long.then_some(LongGrace { grace, total: whole });
    Announcement { set, changes, worst, long_grace, earlier_leftovers }
}

/// How much of the whole time restoring may need; no more than half of it is kept for that.
pub(super) fn reserve(timeline: &Timeline) -> Duration {
    timeline
        .set()
        .map_or(Duration::ZERO, |set| StepBudget::of(&set.spec).worst_removal(2) + RESTORE_RESERVE)
}
