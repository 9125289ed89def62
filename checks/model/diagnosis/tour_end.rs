//! Why a tour ended, where no pod is to blame: somebody's change, a refusal, the time.

use crate::model::{
    diagnosis::{facts::is_update_of, set_deleted},
    obstacle::{Fault, Obstacle},
};
use crate::model::{
    observation::{End, EndReason, Seq, Step},
    timeline::{Timeline, lives::PodLife},
};

/// What ends a tour without a pod to blame: id, whose fault it is, and what to do.
pub(super) const OF_THE_TOUR: [(&str, Fault, &str); 5] = [
    ("update_failed", Fault::Cluster, UPDATE_FAILED),
    ("somebody_else", Fault::Cluster, SOMEBODY),
    ("request_refused", Fault::Cluster, REFUSED),
    ("interrupted", Fault::Cluster, INTERRUPTED),
    ("out_of_time", Fault::Cluster, TOO_SHORT),
];

const UPDATE_FAILED: &str = "The controller cannot change a standing pod so (it cannot give it \
    another volume). Delete the set's pods one by one (`kubectl delete pod`), the highest first, \
    and wait for each to be Ready again; their PVCs stay. Then grade again.";
const SOMEBODY: &str = "Let nobody change the set, or delete its pods or PVCs, while it is graded (a \
    person, an autoscaler, an operator, a script), and grade again.";
const REFUSED: &str = "The API server refused what the grade has to do; its words say why. A \
    missing right: `stsgrade rbac` prints the Role. A policy: ask whoever runs the cluster, or \
    grade in another namespace.";
const INTERRUPTED: &str = "Grade again, and let the grade end by itself.";
const TOO_SHORT: &str = "Grade again without `--timeout`, or with a longer one.";

fn obstacle(
    timeline: &Timeline,
    id: &'static str,
    why: String,
    remedy: &'static str,
    evidence: Vec<Seq>,
) -> Obstacle {
    let who = timeline.set().map_or("", |set| &set.name);
    Obstacle::of_no_pod(id, who, why, remedy, evidence)
}

/// What ended a step: the API server refused what was asked, or somebody else changed the set.
pub(crate) fn refused(timeline: &Timeline, seq: Seq, step: &Step) -> Obstacle {
    if let Some(deleted) = set_deleted(timeline) {
        return deleted;
    }
    let (id, remedy) =
        if step.interfered { ("somebody_else", SOMEBODY) } else { ("request_refused", REFUSED) };
    obstacle(timeline, id, step.answer.clone().unwrap_or_default(), remedy, vec![seq])
}

/// What ended the whole tour before it was through.
pub(crate) fn obstacle_of(timeline: &Timeline, seq: Seq, end: &End) -> Option<Obstacle> {
    let awaited = end.detail.as_ref().map(|it| format!(", waiting for {it}")).unwrap_or_default();
    match end.why {
        EndReason::Interrupted => Some(obstacle(
            timeline,
            "interrupted",
            "the grade was interrupted".to_owned(),
            INTERRUPTED,
            vec![seq],
        )),
        EndReason::Timeout => Some(obstacle(
            timeline,
            "out_of_time",
            format!("the time that `--timeout` gives was over{awaited}"),
            TOO_SHORT,
            vec![seq],
        )),
        EndReason::Complete | EndReason::Obstacle => None,
    }
}

/// Whether a failed update of a pod fails again at each further try.
pub(super) fn is_final(message: &str) -> bool {
    const FINAL: [&str; 2] = ["may not change fields", "is invalid"];
    FINAL.iter().any(|it| message.contains(it))
}

/// The controller cannot make a pod as the template has it, though it stands and is Ready.
pub(crate) fn update_failed(timeline: &Timeline, step_time_is_over: bool) -> Option<Obstacle> {
    let set = timeline.set()?;
    // A pod that was made since is as the template has it.
    let is_of_an_earlier_pod = |seq: Seq, message: &str| {
        let later = |it: &PodLife| it.added.after.is_some_and(|after| after >= seq);
        timeline.owned().any(|it| later(it) && is_update_of(message, it.name()))
    };
    let told = timeline.warnings(&set.uid).rfind(|(seq, it)| {
        it.reason == "FailedUpdate"
            && *seq > set.changed.by
            && !is_of_an_earlier_pod(*seq, &it.message)
    })?;
    let (seq, event) = told;
    if !step_time_is_over && !is_final(&event.message) {
        return None;
    }
    Some(obstacle(timeline, "update_failed", event.message.clone(), UPDATE_FAILED, vec![seq]))
}
