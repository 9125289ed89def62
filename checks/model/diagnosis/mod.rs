//! Diagnosis: the one table that says whose fault it is when the set cannot get where it was asked
//! to go.
//!
//! [`mod@rows`] holds the table. A row looks at one pod (or at the set that cannot make it)
//! and either recognises its case or not; the first that does names the obstacle. Where no row is
//! sure, the cluster is to blame: a wrong Fail is worse than another run.

mod dns_denied;
mod facts;
mod recognise;
mod rows;
mod tour_end;
mod update_failed;

use crate::mistakes::{self, Mistake, Renewal};
pub use crate::model::diagnosis::dns_denied::DNS_DENIED;
pub(crate) use crate::model::diagnosis::dns_denied::dns_denied;
use crate::model::diagnosis::facts::OrdinalFacts;
pub(crate) use crate::model::diagnosis::recognise::speaks_of_denial;
pub use crate::model::diagnosis::recognise::{is_of_a_policy, lacks_room};
pub use crate::model::diagnosis::rows::{CONTAINER_ENDS, NAME_TAKEN_BY_OWN_POD, POST_START_FAILS};
pub(crate) use crate::model::diagnosis::tour_end::{obstacle_of_end, refused};
use crate::model::{
    observation::Seq,
    obstacle::{Effect, Fault, Missing, Obstacle, StuckContainer},
    timeline::{
        MAX_REPLICAS, Timeline,
        lives::{PodLife, SetLife},
    },
};

/// When a row may name the obstacle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decides {
    /// As soon as it is seen: waiting on cannot help.
    AtOnce,
    /// Only when the step's time is over: until then it may still pass.
    AfterStepTime,
}

/// One row of the table of obstacles.
struct ObstacleRow {
    id: &'static str,
    fault: Fault,
    decides: Decides,
    remedy: &'static str,
    recognise: recognise::Recogniser,
    effect: Effect,
    /// The mistake of the catalogue that it is.
    mistake: Option<&'static Mistake>,
    /// How a mended manifest gets into the cluster. Every row that blames the submission says it,
    /// here or by its mistake; any other one where its remedy names a change.
    renewal: Option<Renewal>,
    /// Another grade in a namespace that is made in the same way meets it again.
    comes_again: bool,
    /// The pod itself causes it, so it is the submission's fault even in a pod that only the grade
    /// asks for. What a container causes is that always.
    is_pods_own: bool,
}

/// The values of the fields that a row does not state.
const DEFAULT_ROW: ObstacleRow = ObstacleRow {
    id: "",
    fault: NotTheSubmission,
    decides: AfterStepTime,
    remedy: "",
    recognise: |_| None,
    effect: Effect::Blocks,
    mistake: None,
    renewal: None,
    comes_again: false,
    is_pods_own: false,
};

/// What a row recognised.
struct Match {
    /// Why, in words: the cluster's own where it said any.
    why: String,
    /// The container whose last words explain it.
    container: Option<StuckContainer>,
    /// What the pod does not have, where the node's words name it.
    missing: Option<Missing>,
    evidence: Vec<Seq>,
}

use Decides::{AfterStepTime, AtOnce};
use Effect::{CrashLoop, StopsTour};
use Fault::{NotTheSubmission, Submission};
use rows::ROWS;

/// The rows of the table, for documentation and tests: id, whose fault it is, and what to do.
pub fn rows() -> impl Iterator<Item = (&'static str, Fault, &'static str)> {
    ROWS.iter().map(|row| (row.id, row.fault, row.remedy))
}

/// All obstacles that a report may name, for documentation and tests: id, whose fault it is, and what
/// to do.
pub fn obstacles() -> impl Iterator<Item = (&'static str, Fault, &'static str)> {
    rows()
        .chain(SET_OBSTACLES)
        .chain(dns_denied::DNS_OBSTACLES)
        .chain([update_failed::UPDATE_FAILED])
        .chain(tour_end::TOUR_OBSTACLES)
}

/// The id of the obstacle that the namespace holds no StatefulSet, nor another workload.
pub const NO_STATEFUL_SET: &str = "no_stateful_set";
/// The id of the obstacle that the namespace holds other workloads, but no StatefulSet.
pub const NO_STATEFUL_SET_BUT_OTHERS: &str = "no_stateful_set_but_others";

/// The obstacles of the set itself, which no row finds because there is no pod to look at: id, whose
/// fault it is, and what to do.
const SET_OBSTACLES: [(&str, Fault, &str); 5] = [
    (NO_STATEFUL_SET, Submission, NO_SET_REMEDY),
    (NO_STATEFUL_SET_BUT_OTHERS, Submission, OTHER_KIND_REMEDY),
    ("zero_replicas", Submission, ZERO_REPLICAS_REMEDY),
    ("too_many_replicas", NotTheSubmission, TOO_MANY_REPLICAS_REMEDY),
    ("set_deleted", NotTheSubmission, SET_DELETED_REMEDY),
];

const NO_SET_REMEDY: &str =
    "Write a headless Service and a StatefulSet, and apply them to this namespace.";
const NO_NAMESPACE_REMEDY: &str = "Name the namespace that you work in with `-n`, or make this \
    one: `kubectl create namespace`.";
const OTHER_KIND_REMEDY: &str = "Use `kind: StatefulSet` (apiVersion apps/v1) with 3 `replicas`, \
    `serviceName` and `volumeClaimTemplates`: a Deployment's pods have random names and no storage of their own.";
const ZERO_REPLICAS_REMEDY: &str = "Set `spec.replicas` to 3 or more.";
const TOO_MANY_REPLICAS_REMEDY: &str =
    "Set `spec.replicas` to a number that the lab needs, 3 for example, and grade again.";
const SET_DELETED_REMEDY: &str = "Leave the namespace alone while it is graded, apply the \
    StatefulSet again, and grade again.";

/// Whether a step has time left for what may pass by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepTime {
    /// It has.
    Remains,
    /// It has none: what might have passed has not.
    Over,
}

impl StepTime {
    pub(crate) fn is_over(self) -> bool {
        self == Self::Over
    }
}

/// How a manifest gets into the cluster after the mistake or the obstacle of this id is mended.
#[must_use]
pub fn renewal(id: &str) -> Renewal {
    let by_row = || ROWS.iter().find(|it| it.id == id).and_then(ObstacleRow::renewal);
    mistakes::find(id).map(|it| it.renewal).or_else(by_row).unwrap_or(Renewal::Apply)
}

/// Whether a change of the manifest is one way to mend the obstacle of this id, though it is not the
/// submission's fault.
#[must_use]
pub fn may_be_changed(id: &str) -> bool {
    ROWS.iter().any(|it| it.id == id && it.fault == NotTheSubmission && it.renewal().is_some())
}

/// Whether the obstacle of this id is a container that ends again and again.
#[must_use]
pub fn is_crash_loop(id: &str) -> bool {
    ROWS.iter().any(|it| it.id == id && it.effect == CrashLoop)
}

/// Whether another grade in a namespace that is made in the same way meets the obstacle of this id
/// again, so that to grade again cannot help.
#[must_use]
pub fn comes_again(id: &str) -> bool {
    id == DNS_DENIED || ROWS.iter().any(|it| it.id == id && it.comes_again)
}

impl ObstacleRow {
    fn renewal(&self) -> Option<Renewal> {
        self.mistake.map(|it| it.renewal).or(self.renewal)
    }
}

/// The first obstacle, if the set is not where it was asked to be and a row knows why.
pub(crate) fn find(timeline: &Timeline, step_time: StepTime) -> Option<Obstacle> {
    let Some(set) = timeline.set() else { return nothing_there(timeline) };
    if let Some(deleted) = set_deleted(timeline) {
        return Some(deleted);
    }
    let wanted = set.spec.replicas_or_one();
    if wanted == 0 && timeline.replicas() == 0 {
        return Some(zero_replicas(set));
    }
    if wanted > MAX_REPLICAS {
        return Some(too_many_replicas(set, wanted));
    }
    if let Some(own) = own_pod(timeline, wanted, step_time) {
        return Some(own);
    }
    let stuck = stuck_ordinals(timeline, wanted);
    if stuck.is_empty() {
        return update_failed::obstacle(timeline, step_time);
    }
    let facts = || stuck.iter().map(|ordinal| OrdinalFacts::of(timeline, *ordinal, step_time));
    // A pod that is there and broken explains more than one that is not there yet.
    let of_pods = facts().filter(OrdinalFacts::is_there).find_map(|it| of_first_row(&it));
    of_pods.or_else(|| facts().filter(|it| !it.is_there()).find_map(|it| of_first_row(&it)))
}

/// The ordinals that keep the set from where it was asked to go: those without a pod that is Ready
/// and up, then those whose pods are to go.
fn stuck_ordinals(timeline: &Timeline, wanted: i32) -> Vec<i32> {
    let start = timeline.start();
    let end = start.saturating_add(wanted);
    let is_up = |pod: &PodLife| pod.is_ready() && timeline.is_up(pod);
    let missing = (start..end).filter(|ordinal| !timeline.live(*ordinal).is_some_and(is_up));
    let is_to_go = |ordinal: &i32| !(start..end).contains(ordinal);
    let leaving = timeline.owned().map(|pod| pod.ordinal).filter(is_to_go);
    missing.chain(leaving).collect()
}

/// A pod that the submission itself holds and that the set took over: the set makes none after it,
/// and cannot make it what its template says, though all pods may be Ready.
fn own_pod(timeline: &Timeline, wanted: i32, step_time: StepTime) -> Option<Obstacle> {
    let set = timeline.set()?;
    if !timeline.warnings(&set.uid).any(|(_, it)| it.reason == "FailedUpdate") {
        return None;
    }
    let start = timeline.start();
    let taken_over = (start..start.saturating_add(wanted)).filter(|ordinal| {
        let facts = OrdinalFacts::of(timeline, *ordinal, step_time);
        facts.failed_update().is_some() && recognise::name_taken_by_own_pod(&facts).is_some()
    });
    taken_over.take(1).find_map(|it| of_first_row(&OrdinalFacts::of(timeline, it, step_time)))
}

fn zero_replicas(set: &SetLife) -> Obstacle {
    Obstacle {
        fault: Submission,
        effect: StopsTour,
        ..Obstacle::of_no_pod(
            "zero_replicas",
            &set.name,
            "the StatefulSet asks for 0 replicas",
            ZERO_REPLICAS_REMEDY,
            vec![set.changed.by],
        )
    }
}

fn too_many_replicas(set: &SetLife, wanted: i32) -> Obstacle {
    let scaled = set.replicas_changes.last().map(|scale| scale.when.by);
    Obstacle::of_no_pod(
        "too_many_replicas",
        &set.name,
        format!(
            "the StatefulSet asks for {wanted} replicas, and no more than {MAX_REPLICAS} are \
            graded"
        ),
        TOO_MANY_REPLICAS_REMEDY,
        scaled.into_iter().chain([set.changed.by]).collect(),
    )
}

/// That somebody deleted the graded set.
pub(crate) fn set_deleted(timeline: &Timeline) -> Option<Obstacle> {
    let set = timeline.set()?;
    let when = set.deleted.or(set.deletion_requested)?;
    Some(Obstacle {
        effect: StopsTour,
        ..Obstacle::of_no_pod(
            "set_deleted",
            &set.name,
            "somebody deleted the StatefulSet while it was graded",
            SET_DELETED_REMEDY,
            vec![when.by],
        )
    })
}

fn nothing_there(timeline: &Timeline) -> Option<Obstacle> {
    let (seq, subject) = timeline.subject.as_ref()?;
    let instead = subject.others.join(", ");
    let (id, why, remedy) = if subject.no_namespace {
        (NO_STATEFUL_SET, "the namespace does not exist".to_owned(), NO_NAMESPACE_REMEDY)
    } else if subject.others.is_empty() {
        (NO_STATEFUL_SET, "the namespace holds no StatefulSet".to_owned(), NO_SET_REMEDY)
    } else {
        (
            NO_STATEFUL_SET_BUT_OTHERS,
            format!("the namespace holds no StatefulSet, but {instead}"),
            OTHER_KIND_REMEDY,
        )
    };
    let who = format!("namespace {}", subject.namespace);
    Some(Obstacle { fault: Submission, ..Obstacle::of_no_pod(id, who, why, remedy, vec![*seq]) })
}

/// The crash loop that a pod of the graded set is in, and the container that ends again and again.
pub(crate) fn crash_loop(timeline: &Timeline, pod: &PodLife) -> Option<(Obstacle, String)> {
    let facts = OrdinalFacts::of(timeline, pod.ordinal, StepTime::Remains);
    facts.pod.filter(|it| it.uid() == pod.uid())?;
    let obstacle = of_first_row(&facts).filter(|it| it.effect == CrashLoop)?;
    let container = obstacle.container.as_ref()?.name.clone();
    Some((obstacle, container))
}

/// What the first row that recognises its case makes of it.
fn of_first_row(facts: &OrdinalFacts<'_>) -> Option<Obstacle> {
    if !facts.step_time.is_over() && facts.may_be_replaced() {
        return None;
    }
    ROWS.iter().filter(|row| facts.step_time.is_over() || row.decides == AtOnce).find_map(|row| {
        let matched = (row.recognise)(facts)?;
        // What a hook writes is not in the log of its container.
        let ending = matched.container.as_ref().filter(|it| it.failing_hook.is_none());
        let log = ending.map(|it| facts.log(&it.name)).unwrap_or_default();
        let is_own_doing = matched.container.is_some() || row.is_pods_own;
        let (fault, remedy) =
            if is_own_doing || row.fault == NotTheSubmission || facts.is_the_submissions() {
                (row.fault, row.remedy)
            } else {
                (NotTheSubmission, ONLY_THE_GRADE_ASKS)
            };
        Some(Obstacle {
            id: row.id,
            who: facts.name(),
            ordinal: Some(facts.ordinal),
            fault,
            why: matched.why,
            effect: row.effect,
            mistake: row.mistake,
            container: matched.container,
            missing: matched.missing.map(Box::new),
            log,
            remedy,
            evidence: matched.evidence,
        })
    })
}

/// The remedy for a pod that only the grade asks for. If the cluster cannot hold it, that is
/// nobody's mistake. What the pod's own containers do is the submission's, because the lab asks to
/// scale up.
const ONLY_THE_GRADE_ASKS: &str = "Only the grade asks for this pod, to see the set scaled up. \
    Nothing is wrong with your manifest: grade again where there is room for two pods more.";

/// What the first row finds that blames the submission and may decide now.
fn first_that_blames_the_submission(facts: &OrdinalFacts<'_>) -> Option<Match> {
    ROWS.iter()
        .filter(|row| {
            row.fault == Submission && (facts.step_time.is_over() || row.decides == AtOnce)
        })
        .find_map(|row| (row.recognise)(facts))
}

#[cfg(test)]
mod tests;
