//! Pods are named after the set, with their ordinals.

use crate::mistakes;
use crate::{
    Check,
    mistakes::Section,
    model::{ShownBy, Standing, Timeline, Verdict, lab::LEAST_REPLICAS},
};

pub(crate) const CHECK: Check = Check {
    id: "pod_naming",
    test: 1,
    title: "Pod Naming",
    lab_words: "Pods have predictable names with ordinals (e.g., myapp-0, myapp-1, myapp-2). \
        Replicas: at least 3 pods.",
    why: "A stable name is what other programs, and the pod's own storage, are tied to.",
    remedy: "Let a StatefulSet with `replicas: 3` or more make the pods.",
    read: &[Section::StatefulSet, Section::OrderedCreation],
    points: 10,
    criteria: &["exact_names", "three_replicas"],
    shown_by: ShownBy::ReadyPods,
    judge,
};

/// Passes when, while the set is settled, the pods that it owns are exactly those its ordinals name,
/// and at least three.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(set) = timeline.set().filter(|_| !timeline.ordinals().is_empty()) else {
        verdict.push(
            "exact_names",
            "the set's pods are named by ordinal",
            timeline.blocked_or_not_shown("apply a StatefulSet"),
            [],
        );
        return verdict;
    };
    let expected: Vec<String> = timeline.ordinals().map(|ordinal| set.pod_name(ordinal)).collect();
    let (standing, evidence) = match timeline.settled() {
        None => {
            (timeline.blocked_or_not_shown("wait until all pods are Ready"), vec![set.changed.by])
        }
        Some(period) => {
            let actual: Vec<&str> = period.pods.iter().map(|(name, _)| name.as_str()).collect();
            let standing = if actual == expected {
                Standing::Met
            } else {
                Standing::broken(expected.join(", "), actual.join(", "))
            };
            (standing, vec![period.from])
        }
    };
    verdict.push(
        "exact_names",
        format!("the pods are exactly {}", expected.join(", ")),
        standing,
        evidence,
    );
    let replicas = timeline.replicas();
    let enough = format!("at least {LEAST_REPLICAS} replicas");
    let standing = if replicas >= LEAST_REPLICAS {
        Standing::Met
    } else {
        Standing::broken(&enough, format!("replicas: {replicas}"))
    };
    verdict
        .push("three_replicas", format!("there are {enough}"), standing, [set.changed.by])
        .because(&mistakes::TOO_FEW_REPLICAS);
    verdict
}

#[cfg(test)]
mod tests {
    use crate::model::{
        Outcome::{Fail, Inconclusive, Pass},
        observation::ObjectChange,
        testing::history::History,
    };

    #[test]
    fn three_named_pods_pass() {
        History::created().end().assert("pod_naming", Pass, &[]);
    }

    #[test]
    fn two_replicas_fail() {
        let mut history = History::new();
        history.spec.replicas = Some(2);
        history.service().set(ObjectChange::Added).subject().up(0).up(1).end().assert(
            "pod_naming",
            Fail,
            &["too_few_replicas"],
        );
    }

    #[test]
    fn ordinals_may_start_elsewhere_and_have_two_digits() {
        let mut history = History::new();
        history.spec.ordinals = Some(crate::model::observation::object::Ordinals { start: 9 });
        history.service().set(ObjectChange::Added).subject().up(9).up(10).up(11).end().assert(
            "pod_naming",
            Pass,
            &[],
        );
    }

    #[test]
    fn a_pod_that_is_not_there_yet_is_undecided() {
        History::new().service().set(ObjectChange::Added).subject().up(0).up(1).end().assert(
            "pod_naming",
            Inconclusive,
            &[],
        );
    }

    #[test]
    fn a_pod_that_another_set_owns_is_not_ours() {
        let history = History::new()
            .service()
            .set(ObjectChange::Added)
            .subject()
            .up(0)
            .up(1)
            .claim(2)
            .add_as(2, ObjectChange::Added, |pod| {
                pod.metadata.owner_references[0].uid = "other".to_owned()
            })
            .ready(2);
        history.end().assert("pod_naming", Inconclusive, &[]);
    }
}
