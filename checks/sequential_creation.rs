//! Pods are created one at a time, in order.

use crate::{
    Check,
    model::{Timeline, Verdict},
};

pub(crate) const CHECK: Check = Check {
    id: "sequential_creation",
    test: 2,
    title: "Sequential Creation",
    asked: "When you create the StatefulSet, pods are created one at a time in order (0, then 1, then 2).",
    why: "The first pod is often the one that the others join: it must be Ready before they start.",
    remedy: "Leave `podManagementPolicy` at its default, OrderedReady, and let each pod become Ready.",
    see: "kubectl scale statefulset SET -n NS --replicas=0, then --replicas=3, with kubectl get pods -n NS -w beside it",
    points: 10,
    judge,
};

/// Passes when, in every rise from nothing, each pod is Ready before the next is added, and at least one rise was seen whole.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    timeline.judge_policy(&mut verdict);
    let mut whole = false;
    for rise in timeline.rises().filter(|it| it.scale.from == 0 && it.pods.len() >= 2) {
        whole |= rise.whole;
        timeline.judge_rise(&mut verdict, &rise);
    }
    if !whole {
        verdict.push("rise_from_nothing", "the pods were seen to be created from nothing", timeline.missing("scale the set to 0 and back up while stsgrade watches"), []);
    }
    verdict
}
