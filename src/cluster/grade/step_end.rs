//! How a step of the tour ends, and why the tour does.

use checks::model::{
    Effect, Fault, Obstacle, Timeline, WaitStatus,
    observation::{Phase, Why},
};

use crate::{
    cluster::{Failure, client::failure_id},
    plan::StepResult,
};

/// Why a tour ended, for the recording's last line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TourEnd {
    pub(crate) why: Why,
    pub(crate) detail: Option<String>,
}

/// How a step of the tour ended.
pub(super) enum StepEnd {
    Done,
    Stuck(Obstacle),
    TimedOut(String),
    /// The API server refused what was asked.
    Refused(String),
    /// Somebody else changed the set.
    Interfered(String),
    Interrupted,
    /// The time of the whole grade is over (`--timeout`).
    GradeTimeIsOver(String),
}

impl StepEnd {
    /// What a write of the tour failed with.
    pub(super) fn of(failure: &Failure) -> Self {
        let by_somebody = [failure_id::SCALED, failure_id::SET_GONE, failure_id::CONFLICT];
        if by_somebody.contains(&failure.id) {
            Self::Interfered(failure.to_string())
        } else {
            Self::Refused(failure.to_string())
        }
    }

    /// How the recording says that the step ended.
    pub(super) const fn phase(&self) -> Phase {
        match self {
            Self::Done => Phase::Done,
            Self::Stuck(_) => Phase::Stuck,
            Self::TimedOut(_) | Self::GradeTimeIsOver(_) => Phase::TimedOut,
            Self::Refused(_) | Self::Interfered(_) => Phase::Refused,
            Self::Interrupted => Phase::Interrupted,
        }
    }

    /// Why a tour ends that this step ends; `None` where the step was done.
    pub(super) fn cause(self) -> Option<TourEnd> {
        let (why, detail) = match self {
            Self::Done => return None,
            Self::Stuck(obstacle) => (Why::Obstacle, Some(obstacle.why)),
            Self::TimedOut(awaited) => (Why::Obstacle, Some(awaited)),
            Self::Refused(why) | Self::Interfered(why) => (Why::Obstacle, Some(why)),
            Self::GradeTimeIsOver(awaited) => (Why::Timeout, Some(awaited)),
            Self::Interrupted => (Why::Interrupted, None),
        };
        Some(TourEnd { why, detail })
    }
}

impl TourEnd {
    /// Notes what ended a step: the first obstacle counts, but the end of the whole grade more.
    pub(super) fn note(&mut self, cause: Self) {
        if self.why == Why::Complete || cause.why != Why::Obstacle {
            *self = cause;
        }
    }
}

/// What the plan makes of a step whose pods did not come, once its end is in the timeline.
/// `known_before`: how many obstacles were noted before the end was.
pub(super) fn result_of(timeline: &Timeline, known_before: usize) -> StepResult {
    match obstacle_of_step(timeline, known_before) {
        Some(Obstacle { effect: Effect::StopsTour, .. }) => StepResult::Over,
        Some(Obstacle { fault: Fault::Submission, .. }) => StepResult::Broken,
        // Whatever the cluster lacks, in whatever words.
        _ => StepResult::ClusterLacksSomething,
    }
}

/// The obstacle that the end of a step tells; where it was noted before, what keeps the set now from
/// where it was asked to go. The last one of all may be of an earlier step, or of a pod that has come
/// up since.
fn obstacle_of_step(timeline: &Timeline, known_before: usize) -> Option<Obstacle> {
    if let Some(found) = timeline.obstacles().get(known_before..).and_then(<[_]>::last) {
        return Some(found.clone());
    }
    match timeline.settled_or_awaited() {
        WaitStatus::Stuck(obstacle) => Some(obstacle),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use checks::model::observation::Reference;

    use super::StepEnd;
    use crate::cluster::{Failure, Tried, writes::scale};

    /// Catches an autoscaler at work that is told as a refusal of the API server, whose remedy is
    /// to ask for a permission.
    #[test]
    fn what_somebody_else_did_is_no_refusal() {
        let status = |code| kube::core::Status { code, ..Default::default() };
        let of_code = |code| Failure::of_status(&status(code), &Tried::default());
        let scaled = scale::changed(&Reference::default(), 3, 4);
        for failure in [scaled, of_code(409)] {
            assert!(matches!(StepEnd::of(&failure), StepEnd::Interfered(_)), "{failure}");
        }
        assert!(matches!(StepEnd::of(&of_code(403)), StepEnd::Refused(_)));
    }
}
