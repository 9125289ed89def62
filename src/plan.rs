//! Which step comes next: a pure function of what is known and of how the steps so far ended.
//!
//! The tour asks [`next`] after each step, so that every fallback is a case here and nowhere else.

use checks::model::observation::StepName;

/// How many pods the tour adds, and how many at least a scale-down must remove to show an order.
pub const EXTRA_PODS: i32 = 2;

/// What is known of the set before the tour changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanInput {
    /// N: the replicas that the submission asks for.
    pub replicas: i32,
    /// The first ordinal.
    pub start: i32,
    /// The recording saw the set's creation, so that a scale-up from 0 is already shown.
    pub creation_witnessed: bool,
    /// `whenScaled: Delete`: going down takes the claims with it.
    pub deletes_claims: bool,
    /// Ordinals from N on have claims already: they are somebody's data.
    pub claims_beyond: bool,
    /// The claims are on volumes that no provisioner made: claims of more pods would bind
    /// somebody's spare volumes for good.
    pub volumes_by_hand: bool,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedStep {
    /// Wait until the set is settled.
    WaitUntilSettled,
    /// Read files, ask DNS, write canaries.
    Inspect,
    /// Delete the pod of an ordinal and wait for its successor.
    Replace {
        /// Its ordinal.
        ordinal: i32,
    },
    /// Set `spec.replicas` and wait.
    Scale {
        /// What it is for: `ScaleUp`, `ScaleDown` or `ScaleBack`.
        name: StepName,
        /// The replicas to ask for.
        to: i32,
    },
}

impl PlannedStep {
    /// Its name in the recording.
    #[must_use]
    pub const fn name(self) -> StepName {
        match self {
            Self::WaitUntilSettled => StepName::WaitUntilSettled,
            Self::Inspect => StepName::Inspect,
            Self::Replace { .. } => StepName::Replace,
            Self::Scale { name, .. } => name,
        }
    }
}

/// How a step ended, as far as the plan cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// As hoped.
    Done,
    /// The cluster lacks something for the pods, whatever it is: a quota's room, a full node's, a
    /// volume, a policy's leave. Also where nobody knows what it is.
    ClusterLacksSomething,
    /// A pod does not come up, so that nothing can be added any more; removing still works.
    PodDoesNotComeUp,
    /// Nothing more can be shown: interrupted, refused, somebody else's change, a pod that does not
    /// go.
    Over,
}

/// A step that was tried, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Performed {
    /// The step.
    pub step: PlannedStep,
    /// How it ended.
    pub ended: StepResult,
}

/// The next step of the tour; `None` when all that can be shown was shown.
#[must_use]
pub fn next(input: &PlanInput, performed: &[Performed]) -> Option<PlannedStep> {
    let Some(last) = performed.last() else { return Some(PlannedStep::WaitUntilSettled) };
    if last.ended == StepResult::Over {
        return None;
    }
    match last.step {
        // A set that never settled is not touched.
        PlannedStep::WaitUntilSettled => {
            (last.ended == StepResult::Done).then_some(PlannedStep::Inspect)
        }
        PlannedStep::Inspect => {
            Some(PlannedStep::Replace { ordinal: input.start + i32::from(input.replicas > 1) })
        }
        PlannedStep::Replace { .. } => after_replace(input, last.ended),
        PlannedStep::Scale { name: StepName::ScaleUp, .. } => after_scale_up(input, last.ended),
        PlannedStep::Scale { name: StepName::ScaleDown, to } => {
            after_scale_down(input, performed, to)
        }
        PlannedStep::Scale { .. } => after_scale_back(input, performed),
    }
}

/// All steps of the tour, if each succeeds: for announcing the worst case.
#[must_use]
pub fn normal_path(input: &PlanInput) -> Vec<PlannedStep> {
    let mut performed: Vec<Performed> = vec![];
    while let Some(step) = next(input, &performed) {
        performed.push(Performed { step, ended: StepResult::Done });
    }
    performed.into_iter().map(|it| it.step).collect()
}

const fn up(to: i32) -> Option<PlannedStep> {
    Some(PlannedStep::Scale { name: StepName::ScaleUp, to })
}

const fn down(to: i32) -> Option<PlannedStep> {
    Some(PlannedStep::Scale { name: StepName::ScaleDown, to })
}

const fn back(to: i32) -> Option<PlannedStep> {
    Some(PlannedStep::Scale { name: StepName::ScaleBack, to })
}

fn after_replace(input: &PlanInput, ended: StepResult) -> Option<PlannedStep> {
    match ended {
        // Going down would take the submission's own claims.
        _ if input.deletes_claims
            && (ended != StepResult::Done || input.claims_beyond || input.volumes_by_hand) =>
        {
            None
        }
        StepResult::Done if input.volumes_by_hand => without_more_pods(input.replicas),
        StepResult::Done => up(input.replicas + EXTRA_PODS),
        _ => down(0),
    }
}

/// From 1, coming back adds at least two pods, so that one way down and one way up show all; fewer
/// pods go to 0.
const fn without_more_pods(replicas: i32) -> Option<PlannedStep> {
    down(if replicas > EXTRA_PODS { 1 } else { 0 })
}

fn after_scale_up(input: &PlanInput, ended: StepResult) -> Option<PlannedStep> {
    let n = input.replicas;
    match ended {
        _ if input.deletes_claims => down(n),
        StepResult::ClusterLacksSomething => without_more_pods(n),
        StepResult::Done if input.creation_witnessed => down(n),
        _ => down(0),
    }
}

fn after_scale_down(input: &PlanInput, performed: &[Performed], to: i32) -> Option<PlannedStep> {
    let n = input.replicas;
    let is_down = performed.last().is_some_and(|it| it.ended == StepResult::Done);
    let ended = |name| performed.iter().find(|it| it.step.name() == name).map(|it| it.ended);
    match ended(StepName::ScaleUp) {
        _ if !is_down => None,
        None if ended(StepName::Replace) == Some(StepResult::Done) => back(n),
        // The replacement is broken, so would be whatever starts now.
        None => None,
        Some(StepResult::Done) if to == n => back(n + EXTRA_PODS),
        // What did not come up beyond N would not now either.
        Some(_) if to == n => None,
        Some(_) => back(n),
    }
}

/// Without room for more pods, the way from 1 shows no scale-up from 0: one more round does.
fn after_scale_back(input: &PlanInput, performed: &[Performed]) -> Option<PlannedStep> {
    let done = performed.last().is_some_and(|it| it.ended == StepResult::Done);
    let was_at_one_only = performed
        .iter()
        .any(|it| it.step == PlannedStep::Scale { name: StepName::ScaleDown, to: 1 })
        && !performed
            .iter()
            .any(|it| it.step == PlannedStep::Scale { name: StepName::ScaleDown, to: 0 });
    (done && was_at_one_only && !input.creation_witnessed)
        .then_some(PlannedStep::Scale { name: StepName::ScaleDown, to: 0 })
}

#[cfg(test)]
mod tests {
    use super::{Performed, PlanInput, PlannedStep, StepResult, next, normal_path};

    const STOOD: PlanInput = PlanInput {
        replicas: 3,
        start: 0,
        creation_witnessed: false,
        deletes_claims: false,
        claims_beyond: false,
        volumes_by_hand: false,
    };
    const WITNESSED: PlanInput = PlanInput { creation_witnessed: true, ..STOOD };
    const DELETES: PlanInput = PlanInput { deletes_claims: true, ..STOOD };

    /// Runs the plan; the step whose words are `at` ends as given, all others as hoped.
    fn path(input: &PlanInput, at: &str, ended: StepResult) -> String {
        let mut performed: Vec<Performed> = vec![];
        while let Some(step) = next(input, &performed) {
            assert!(performed.len() < 12, "the plan does not end: {performed:?}");
            performed.push(Performed {
                step,
                ended: if words(step) == at { ended } else { StepResult::Done },
            });
        }
        performed.iter().map(|it| words(it.step)).collect::<Vec<_>>().join(" ")
    }

    fn words(step: PlannedStep) -> String {
        match step {
            PlannedStep::WaitUntilSettled => "observe".to_owned(),
            PlannedStep::Inspect => "inspect".to_owned(),
            PlannedStep::Replace { ordinal } => format!("replace:{ordinal}"),
            PlannedStep::Scale { name, to } => format!("{name:?}:{to}").to_lowercase(),
        }
    }

    #[track_caller]
    fn check(input: &PlanInput, at: &str, ended: StepResult, expected: &str) {
        assert_eq!(path(input, at, ended), expected);
    }

    #[test]
    fn a_set_that_stood_goes_to_zero_and_back() {
        check(
            &STOOD,
            "",
            StepResult::Done,
            "observe inspect replace:1 scaleup:5 scaledown:0 scaleback:3",
        );
        assert_eq!(normal_path(&STOOD).len(), 6);
    }

    #[test]
    fn a_witnessed_creation_needs_only_the_extra_pods() {
        check(
            &WITNESSED,
            "",
            StepResult::Done,
            "observe inspect replace:1 scaleup:5 scaledown:3 scaleback:5",
        );
    }

    #[test]
    fn ordinals_need_not_start_at_zero() {
        check(
            &PlanInput { start: 5, ..WITNESSED },
            "",
            StepResult::Done,
            "observe inspect replace:6 scaleup:5 scaledown:3 scaleback:5",
        );
        check(
            &PlanInput { replicas: 1, ..WITNESSED },
            "",
            StepResult::Done,
            "observe inspect replace:0 scaleup:3 scaledown:1 scaleback:3",
        );
    }

    #[test]
    fn the_cluster_has_nothing_for_pods_beyond_n() {
        let ended = StepResult::ClusterLacksSomething;
        check(
            &WITNESSED,
            "scaleup:5",
            ended,
            "observe inspect replace:1 scaleup:5 scaledown:1 scaleback:3",
        );
        check(
            &STOOD,
            "scaleup:5",
            ended,
            "observe inspect replace:1 scaleup:5 scaledown:1 scaleback:3 scaledown:0 scaleback:3",
        );
        check(
            &PlanInput { replicas: 2, ..WITNESSED },
            "scaleup:4",
            ended,
            "observe inspect replace:1 scaleup:4 scaledown:0 scaleback:2",
        );
    }

    /// Catches claims of the tour's own that bind somebody's spare volumes.
    #[test]
    fn volumes_by_hand_get_no_more_pods() {
        let by_hand = |input: &PlanInput| PlanInput { volumes_by_hand: true, ..*input };
        let done = StepResult::Done;
        check(&by_hand(&WITNESSED), "", done, "observe inspect replace:1 scaledown:1 scaleback:3");
        check(
            &by_hand(&STOOD),
            "",
            done,
            "observe inspect replace:1 scaledown:1 scaleback:3 scaledown:0 scaleback:3",
        );
        check(
            &PlanInput { replicas: 2, ..by_hand(&STOOD) },
            "",
            done,
            "observe inspect replace:1 scaledown:0 scaleback:2",
        );
        check(&by_hand(&DELETES), "", done, "observe inspect replace:1");
        check(
            &by_hand(&STOOD),
            "replace:1",
            StepResult::PodDoesNotComeUp,
            "observe inspect replace:1 scaledown:0",
        );
    }

    #[test]
    fn a_set_that_never_settles_is_not_touched() {
        check(&STOOD, "observe", StepResult::PodDoesNotComeUp, "observe");
        check(&WITNESSED, "observe", StepResult::ClusterLacksSomething, "observe");
    }

    #[test]
    fn a_broken_replacement_leaves_only_the_way_down() {
        check(
            &WITNESSED,
            "replace:1",
            StepResult::PodDoesNotComeUp,
            "observe inspect replace:1 scaledown:0",
        );
        check(
            &STOOD,
            "replace:1",
            StepResult::ClusterLacksSomething,
            "observe inspect replace:1 scaledown:0",
        );
    }

    #[test]
    fn a_broken_pod_beyond_n_goes_to_zero() {
        check(
            &WITNESSED,
            "scaleup:5",
            StepResult::PodDoesNotComeUp,
            "observe inspect replace:1 scaleup:5 scaledown:0 scaleback:3",
        );
    }

    #[test]
    fn claims_that_go_with_the_pods() {
        check(
            &DELETES,
            "",
            StepResult::Done,
            "observe inspect replace:1 scaleup:5 scaledown:3 scaleback:5",
        );
        check(
            &PlanInput { claims_beyond: true, ..DELETES },
            "",
            StepResult::Done,
            "observe inspect replace:1",
        );
        check(&DELETES, "replace:1", StepResult::PodDoesNotComeUp, "observe inspect replace:1");
        check(
            &DELETES,
            "scaleup:5",
            StepResult::ClusterLacksSomething,
            "observe inspect replace:1 scaleup:5 scaledown:3",
        );
        check(
            &DELETES,
            "scaleup:5",
            StepResult::PodDoesNotComeUp,
            "observe inspect replace:1 scaleup:5 scaledown:3",
        );
    }

    #[test]
    fn what_cannot_go_on_ends() {
        for at in ["observe", "inspect", "replace:1", "scaleup:5", "scaledown:0", "scaleback:3"] {
            assert!(path(&STOOD, at, StepResult::Over).ends_with(at), "{at}");
        }
        check(
            &STOOD,
            "scaledown:0",
            StepResult::PodDoesNotComeUp,
            "observe inspect replace:1 scaleup:5 scaledown:0",
        );
        check(
            &STOOD,
            "scaleback:3",
            StepResult::PodDoesNotComeUp,
            "observe inspect replace:1 scaleup:5 scaledown:0 scaleback:3",
        );
    }
}
