//! Pods are added one at a time, lowest ordinal first.

use crate::{
    Check,
    model::{Timeline, Verdict},
};

pub(crate) const CHECK: Check = Check {
    id: "ordered_scale_up",
    test: 7,
    title: "Ordered Scaling Up",
    asked: "When you scale up, new pods are created sequentially in order.",
    why: "A new member joins a system whose older members are all there.",
    remedy: "Leave `podManagementPolicy` at its default, OrderedReady, and let each pod become Ready.",
    see: "kubectl scale statefulset SET -n NS --replicas=5, with kubectl get pods -n NS -w beside it",
    points: 10,
    judge,
};

/// Passes when, in every rise of at least two pods from one or more, each pod is Ready before the next is added, and one rise was seen whole.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    timeline.judge_policy(&mut verdict);
    let mut whole = false;
    for rise in timeline.rises().filter(|it| it.scale.from >= 1 && it.scale.to - it.scale.from >= 2) {
        whole |= rise.whole;
        timeline.judge_rise(&mut verdict, &rise);
    }
    if !whole {
        verdict.push("scaled_up", "at least two pods were seen to be added", timeline.missing("scale the set up by two while stsgrade watches"), []);
    }
    verdict
}
