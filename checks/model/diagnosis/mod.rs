//! Diagnosis: the one table that says whose fault it is when the set cannot get where it was asked
//! to go.
//!
//! [`mod@rows`] holds the table. A row looks at one pod (or at the set that cannot make it)
//! and either recognises its case or not; the first that does names the obstacle. Where no row is
//! sure, the cluster is to blame: a wrong Fail is worse than another run.

mod facts;
mod recognise;
mod rows;
mod tour_end;

use crate::mistakes::Mistake;
use crate::model::diagnosis::facts::OrdinalFacts;
pub(crate) use crate::model::diagnosis::tour_end::{obstacle_of, refused};
use crate::model::{
    observation::Seq,
    obstacle::{Effect, Fault, Obstacle, StuckContainer},
    timeline::{MOST_REPLICAS, Timeline, lives::PodLife},
};

/// When a row may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// As soon as it is seen: waiting on cannot help.
    AtOnce,
    /// Only when the time has run out: it may still pass.
    OutOfTime,
}

/// One row of the table of faults.
struct CauseRow {
    id: &'static str,
    fault: Fault,
    speaks: Speaks,
    remedy: &'static str,
    recognise: recognise::Recogniser,
    effect: Effect,
    /// The mistake of the catalogue that it is.
    mistake: Option<&'static Mistake>,
    /// The pod itself causes it, so it is the submission's fault even in a pod that only the grade
    /// asks for. What a container causes is that always.
    is_pods_own: bool,
}

/// What a row leaves out.
const ROW: CauseRow = CauseRow {
    id: "",
    fault: Cluster,
    speaks: OutOfTime,
    remedy: "",
    recognise: |_| None,
    effect: Effect::Blocks,
    mistake: None,
    is_pods_own: false,
};

/// What a row recognised.
struct Match {
    /// The cluster's own words.
    why: String,
    /// The container whose last words explain it.
    container: Option<String>,
    /// With what that container ended, where its end is the matter.
    exit_code: Option<i32>,
    evidence: Vec<Seq>,
}

use Effect::{CrashLoop, StopsTour};
use Fault::{Cluster, Submission};
use Speaks::{AtOnce, OutOfTime};
use rows::ROWS;

/// The ids of the table, for documentation and tests.
pub fn rows() -> impl Iterator<Item = (&'static str, Fault, &'static str)> {
    ROWS.iter().map(|row| (row.id, row.fault, row.remedy))
}

/// The first obstacle, if the set is not where it was asked to be and a row knows why.
///
/// `out_of_time` says that waiting is over, so that what might have passed has not.
pub(crate) fn find(timeline: &Timeline, out_of_time: bool) -> Option<Obstacle> {
    let Some(set) = timeline.set() else { return nothing_there(timeline) };
    if let Some(deleted) = set_deleted(timeline) {
        return Some(deleted);
    }
    let wanted = set.spec.replicas.unwrap_or(1);
    if wanted == 0 && timeline.replicas() == 0 {
        return Some(Obstacle {
            id: "zero_replicas",
            who: set.name.clone(),
            fault: Submission,
            why: "the StatefulSet asks for 0 replicas".to_owned(),
            effect: StopsTour,
            mistake: None,
            container: None,
            log: vec![],
            remedy: "Set `spec.replicas` to 3 or more.",
            evidence: vec![set.changed.by],
        });
    }
    if wanted > MOST_REPLICAS {
        return Some(Obstacle {
            id: "too_many_replicas",
            who: set.name.clone(),
            fault: Cluster,
            why: format!(
                "the StatefulSet asks for {wanted} replicas, and no more than {MOST_REPLICAS} are \
                graded"
            ),
            effect: Effect::Blocks,
            mistake: None,
            container: None,
            log: vec![],
            remedy: "Set `spec.replicas` to a number that the lab needs, 3 for example, and grade \
                again.",
            evidence: set
                .scales
                .last()
                .map(|scale| scale.when.by)
                .into_iter()
                .chain([set.changed.by])
                .collect(),
        });
    }
    let start = timeline.start();
    let missing = (start..start.saturating_add(wanted)).filter(|ordinal| {
        timeline.live(*ordinal).is_none_or(|pod| !pod.is_ready() || !timeline.is_up(pod))
    });
    let leaving = timeline
        .owned()
        .filter(|pod| pod.ordinal >= start.saturating_add(wanted))
        .map(|pod| pod.ordinal);
    let stuck: Vec<i32> = missing.chain(leaving).collect();
    // A pod that is there and broken explains more than one that is not there yet.
    let candidates =
        || stuck.iter().map(|ordinal| OrdinalFacts::of(timeline, *ordinal, out_of_time));
    let found = candidates().filter(|facts| facts.is_there()).find_map(|facts| ask(&facts));
    let found = found
        .or_else(|| candidates().filter(|facts| !facts.is_there()).find_map(|facts| ask(&facts)));
    found.or_else(|| {
        if stuck.is_empty() { tour_end::update_failed(timeline, out_of_time) } else { None }
    })
}

/// That somebody deleted the graded set.
pub(crate) fn set_deleted(timeline: &Timeline) -> Option<Obstacle> {
    let set = timeline.set()?;
    let when = set.deleted.or(set.deletion_requested)?;
    Some(Obstacle {
        id: "set_deleted",
        who: set.name.clone(),
        fault: Cluster,
        why: "somebody deleted the StatefulSet while it was graded".to_owned(),
        effect: StopsTour,
        mistake: None,
        container: None,
        log: vec![],
        remedy: "Leave the namespace alone while it is graded, apply the StatefulSet again, and \
            grade again.",
        evidence: vec![when.by],
    })
}

fn nothing_there(timeline: &Timeline) -> Option<Obstacle> {
    let (seq, subject) = timeline.subject.as_ref()?;
    let instead = subject.others.join(", ");
    let (id, why, remedy) = if subject.others.is_empty() {
        (
            "no_stateful_set",
            "the namespace holds no StatefulSet".to_owned(),
            "Write a headless Service and a StatefulSet, and apply them to this namespace.",
        )
    } else {
        (
            "no_stateful_set_but_others",
            format!("the namespace holds no StatefulSet, but {instead}"),
            "Use `kind: StatefulSet` (apiVersion apps/v1) with `serviceName` and \
            `volumeClaimTemplates`: a Deployment's pods have random names and no storage of their \
            own.",
        )
    };
    Some(Obstacle {
        id,
        who: format!("namespace {}", subject.namespace),
        fault: Submission,
        why,
        effect: Effect::Blocks,
        mistake: None,
        container: None,
        log: vec![],
        remedy,
        evidence: vec![*seq],
    })
}

/// The crash loop that a pod of the graded set is in, and the container that ends again and again.
pub(crate) fn crash_loop(timeline: &Timeline, pod: &PodLife) -> Option<(Obstacle, String)> {
    let facts = OrdinalFacts::of(timeline, pod.ordinal, false);
    facts.pod.filter(|it| it.uid() == pod.uid())?;
    let (obstacle, container) = recognise(&facts)?;
    Some((obstacle, container?)).filter(|(obstacle, _)| obstacle.effect == CrashLoop)
}

fn ask(facts: &OrdinalFacts<'_>) -> Option<Obstacle> {
    recognise(facts).map(|(obstacle, _)| obstacle)
}

/// What the first row that recognises its case makes of it, and the container that it is about.
fn recognise(facts: &OrdinalFacts<'_>) -> Option<(Obstacle, Option<String>)> {
    ROWS.iter().filter(|row| facts.out_of_time || row.speaks == AtOnce).find_map(|row| {
        let matched = (row.recognise)(facts)?;
        let log = matched.container.as_deref().map(|it| facts.log(it)).unwrap_or_default();
        let is_own_doing = matched.container.is_some() || row.is_pods_own;
        let (fault, remedy) = if is_own_doing || row.fault == Cluster || facts.is_the_submissions()
        {
            (row.fault, row.remedy)
        } else {
            (Cluster, BEYOND)
        };
        let stuck = container(&matched);
        let found = Obstacle {
            id: row.id,
            who: facts.name(),
            fault,
            why: matched.why,
            effect: row.effect,
            mistake: row.mistake,
            container: stuck,
            log,
            remedy,
            evidence: matched.evidence,
        };
        Some((found, matched.container))
    })
}

fn container(matched: &Match) -> Option<StuckContainer> {
    let name = matched.container.clone()?;
    Some(StuckContainer { name, exit_code: matched.exit_code })
}

/// The remedy for a pod that only the grade asks for. If the cluster cannot hold it, that is
/// nobody's mistake. What the pod's own containers do is the submission's, because the lab asks to
/// scale up.
const BEYOND: &str = "Only the grade asks for this pod, to see the set scaled up. Nothing is \
    wrong with your manifest: grade again where there is room for two pods more.";

/// Whether any row that may speak now blames the submission.
fn blames_the_submission(facts: &OrdinalFacts<'_>) -> Option<Match> {
    ROWS.iter()
        .filter(|row| row.fault == Submission && (facts.out_of_time || row.speaks == AtOnce))
        .find_map(|row| (row.recognise)(facts))
}

#[cfg(test)]
mod tests;
