//! Pods are named after the set, with their ordinals.

use crate::{
    Check,
    model::{Standing, Timeline, Verdict},
};

pub(crate) const CHECK: Check = Check {
    id: "pod_naming",
    test: 1,
    title: "Pod Naming",
    asked: "Pods have predictable names with ordinals (e.g., myapp-0, myapp-1, myapp-2). Replicas: at least 3 pods.",
    why: "A stable name is what other programs, and the pod's own storage, are tied to.",
    remedy: "Let a StatefulSet with `replicas: 3` or more make the pods.",
    see: "kubectl get pods -n NS",
    points: 10,
    judge,
};

/// Passes when, at rest, the pods that the set owns are exactly those its ordinals name, and at least three.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(set) = timeline.set() else {
        verdict.push("exact_names", "the set's pods are named by ordinal", timeline.missing("apply a StatefulSet"), []);
        return verdict;
    };
    let expected: Vec<String> = timeline.ordinals().map(|ordinal| format!("{}-{ordinal}", set.name)).collect();
    let (standing, cites) = match timeline.settled() {
        None => (timeline.missing("wait until all pods are Ready"), vec![set.changed.by]),
        Some(rest) => {
            let actual: Vec<&str> = rest.pods.iter().map(|(name, _)| name.as_str()).collect();
            let standing = if actual == expected { Standing::Met } else { Standing::broken(expected.join(", "), actual.join(", ")) };
            (standing, vec![rest.from])
        }
    };
    verdict.push("exact_names", format!("the pods are exactly {}", expected.join(", ")), standing, cites);
    let replicas = timeline.replicas();
    let standing = if replicas >= 3 { Standing::Met } else { Standing::broken("at least 3 replicas", format!("replicas: {replicas}")) };
    verdict.push("three_replicas", "there are at least 3 replicas", standing, [set.changed.by]).because("too_few_replicas");
    verdict
}
