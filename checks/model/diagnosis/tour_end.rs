//! Why a tour ended, where no pod is to blame: somebody's change, a refusal, the time.

use crate::model::{
    diagnosis::set_deleted,
    observation::{End, EndReason, Seq, Step},
    obstacle::{Fault, Obstacle},
    timeline::Timeline,
};

/// What ends a tour without a pod to blame: id, whose fault it is, and what to do.
pub(super) const TOUR_OBSTACLES: [(&str, Fault, &str); 6] = [
    ("somebody_else", Fault::NotTheSubmission, SOMEBODY),
    ("request_refused", Fault::NotTheSubmission, REFUSED),
    ("request_unanswered", Fault::NotTheSubmission, UNANSWERED),
    ("interrupted", Fault::NotTheSubmission, INTERRUPTED),
    ("out_of_time", Fault::NotTheSubmission, TOO_SHORT),
    ("grade_ended", Fault::NotTheSubmission, ENDED),
];

const SOMEBODY: &str = "Let nobody change the set, or delete its pods or PVCs, while it is graded (a \
    person, an autoscaler, an operator, a script), and grade again.";
const REFUSED: &str = "The API server refused what the grade has to do; its words say why. A \
    missing right: `stsgrade rbac` prints the Role. A policy: ask whoever runs the cluster, or \
    grade in another namespace.";
const UNANSWERED: &str = "The API server gave no answer to what the grade asked for, so nobody knows \
    whether it was carried out. It was away or overloaded, or an admission webhook of the cluster \
    is slow: `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations` lists \
    them. Grade again once it answers.";
const INTERRUPTED: &str = "Grade again, and let the grade end by itself.";
const ENDED: &str = "Grade again, when nobody else grades this namespace, and leave the grade running \
    until its report is there.";
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

/// What ended a step: the API server refused what was asked or gave no answer, or somebody else
/// changed the set.
pub(crate) fn refused(timeline: &Timeline, seq: Seq, step: &Step) -> Obstacle {
    if let Some(deleted) = set_deleted(timeline) {
        return deleted;
    }
    let (id, remedy) = match step {
        Step { interfered: true, .. } => ("somebody_else", SOMEBODY),
        Step { unanswered: true, .. } => ("request_unanswered", UNANSWERED),
        _ => ("request_refused", REFUSED),
    };
    obstacle(timeline, id, step.answer.clone().unwrap_or_default(), remedy, vec![seq])
}

/// What ended the whole tour before it was through.
pub(crate) fn obstacle_of_end(timeline: &Timeline, seq: Seq, end: &End) -> Option<Obstacle> {
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
        // What no step and no pod has told: the grade itself could not go on.
        EndReason::Obstacle if timeline.obstacles().is_empty() => end
            .detail
            .as_ref()
            .map(|why| obstacle(timeline, "grade_ended", why.clone(), ENDED, vec![seq])),
        EndReason::Complete | EndReason::Obstacle => None,
    }
}
