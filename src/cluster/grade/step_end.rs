//! How a step of the tour ends, and why the tour does.

use checks::model::{
    Effect, Fault, Obstacle, Timeline, WaitStatus,
    observation::{EndReason, Phase},
};

use crate::{
    cluster::{Failure, client::failure_id},
    plan::StepResult,
};

/// Why a tour ended, for the recording's last line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TourEnd {
    pub(crate) why: EndReason,
    pub(crate) detail: Option<String>,
}

/// How a step of the tour ended.
pub(super) enum StepEnd {
    Done,
    Stuck(Obstacle),
    TimedOut(String),
    /// The API server refused what was asked.
    Refused(String),
    /// What was asked got no answer.
    Unanswered(String),
    /// Somebody else changed the set, or deletes a pod or a PVC of it.
    Interfered(String),
    Interrupted,
    /// The time of the whole grade is over (`--timeout`).
    GradeTimeIsOver(String),
}

impl StepEnd {
    /// What a write of the tour failed with.
    pub(super) fn of(failure: &Failure) -> Self {
        use failure_id::{CLAIM_DELETED, CONFLICT, SCALED, SET_GONE};
        let by_somebody = [SCALED, SET_GONE, CLAIM_DELETED, CONFLICT];
        if by_somebody.contains(&failure.id) {
            Self::Interfered(failure.to_string())
        } else if failure.is_unanswered() {
            Self::Unanswered(failure.to_string())
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
            Self::Refused(_) | Self::Unanswered(_) | Self::Interfered(_) => Phase::Refused,
            Self::Interrupted => Phase::Interrupted,
        }
    }

    /// Why a tour ends that this step ends; `None` where the step was done.
    pub(super) fn cause(self) -> Option<TourEnd> {
        let (why, detail) = match self {
            Self::Done => return None,
            Self::Stuck(obstacle) => (EndReason::Obstacle, Some(obstacle.why)),
            Self::TimedOut(awaited) => (EndReason::Obstacle, Some(awaited)),
            Self::Refused(why) | Self::Unanswered(why) | Self::Interfered(why) => {
                (EndReason::Obstacle, Some(why))
            }
            Self::GradeTimeIsOver(awaited) => (EndReason::Timeout, Some(awaited)),
            Self::Interrupted => (EndReason::Interrupted, None),
        };
        Some(TourEnd { why, detail })
    }
}

impl TourEnd {
    /// Notes what ended a step: the first obstacle counts, but the end of the whole grade more.
    pub(super) fn note(&mut self, cause: Self) {
        if self.why == EndReason::Complete || cause.why != EndReason::Obstacle {
            *self = cause;
        }
    }
}

/// What the plan makes of a step whose pods did not come, once its end is in the timeline.
/// `known_before`: how many obstacles were noted before the end was.
pub(super) fn result_of(timeline: &Timeline, known_before: usize) -> StepResult {
    match obstacle_of_step(timeline, known_before) {
        Some(Obstacle { effect: Effect::StopsTour, .. }) => StepResult::Over,
        Some(Obstacle { fault: Fault::Submission, .. }) => StepResult::PodDoesNotComeUp,
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
    use std::path::Path;

    use checks::model::{
        Fact, Timeline,
        observation::{Phase, Reference, StepName},
    };

    use super::{StepEnd, result_of};
    use crate::{
        cluster::{
            Failure, Tried,
            writes::{scale, terminating},
        },
        plan::StepResult,
        recording::Reader,
    };

    /// Catches an autoscaler at work, or somebody who deletes a PVC, told as a refusal of the API
    /// server, whose remedy is to ask for a permission.
    #[test]
    fn what_somebody_else_did_is_no_refusal() {
        let status = |code| kube::core::Status { code, ..Default::default() };
        let of_code = |code| Failure::of_status(&status(code), &Tried::default());
        let scaled = scale::scaled_by_other(&Reference::default(), 3, 4);
        let claim = terminating::claim_goes("data-web-1", "web-1");
        for failure in [scaled, claim, of_code(409)] {
            assert!(matches!(StepEnd::of(&failure), StepEnd::Interfered(_)), "{failure}");
        }
        assert!(matches!(StepEnd::of(&of_code(403)), StepEnd::Refused(_)));
    }

    /// Catches an API server that did not answer, or could not be asked, told as one that refused,
    /// whose remedy is to ask for a permission.
    #[test]
    fn what_got_no_answer_is_no_refusal() {
        let failure = |id| Failure::new(id, "", "");
        for id in [
            "no_answer",
            "no_server",
            "connection_lost",
            "timeout",
            "lease_unsure",
            "credential_plugin",
            "no_credential_plugin",
        ] {
            assert!(matches!(StepEnd::of(&failure(id)), StepEnd::Unanswered(_)), "{id}");
        }
        for id in ["busy", "server_error", "credentials", "policy", "forbidden"] {
            assert!(matches!(StepEnd::of(&failure(id)), StepEnd::Refused(_)), "{id}");
        }
    }

    /// How many obstacles a fixture's recording has noted where the step ends so for the first time,
    /// and what the plan makes of the step.
    fn result_at(fixture: &str, name: StepName, phase: Phase) -> (usize, StepResult) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
        let mut reader = Reader::open(&folder.join("recording.jsonl")).unwrap();
        let mut timeline = Timeline::default();
        while let Some(line) = reader.next().unwrap() {
            let known = timeline.obstacles().len();
            let is_end =
                matches!(&line.what, Fact::Step(it) if (it.name, it.phase) == (name, phase));
            timeline.push_owned(line);
            if is_end {
                return (timeline.obstacles().len(), result_of(&timeline, known));
            }
        }
        panic!("{fixture}: no {name:?} ends so")
    }

    /// Catches a step that is told by the obstacle of an earlier one, and one whose own obstacle
    /// was noted before its end.
    #[test]
    fn a_step_is_told_by_its_own_obstacle() {
        use StepResult::{ClusterLacksSomething, Over, PodDoesNotComeUp};
        let ends_later = "fail/container_ends/second_container_ends_after_ten_seconds";
        for (fixture, name, phase, expected) in [
            (
                "fail/container_ends/exits_at_start",
                StepName::WaitUntilSettled,
                Phase::Stuck,
                (1, PodDoesNotComeUp),
            ),
            ("pass/room_for_three", StepName::ScaleUp, Phase::Stuck, (1, ClusterLacksSomething)),
            (
                "inconclusive/still_terminating/finalizer_never_removed",
                StepName::Replace,
                Phase::TimedOut,
                (1, Over),
            ),
            // Three pods ended again and again; none of them keeps the set from having none.
            (ends_later, StepName::ScaleDown, Phase::Done, (3, ClusterLacksSomething)),
        ] {
            assert_eq!(result_at(fixture, name, phase), expected, "{fixture}");
        }
    }
}
