//! A replaced pod is the same pod again: name, claim and content.

use crate::{
    Check,
    model::{Standing, Timeline, Verdict},
};

pub(crate) const CHECK: Check = Check {
    id: "identity_persistence",
    test: 6,
    title: "Identity Persistence",
    asked: "When you delete a pod, the replacement pod gets the same name, reattaches to the same PVC, and the persistent volume contains the original content (not new content).",
    why: "A member of a distributed system that comes back must be the one that went.",
    remedy: "Keep the data on a claim from `volumeClaimTemplates`, and write the identity only where it is not there yet.",
    see: "kubectl delete pod SET-1 -n NS, then kubectl exec SET-1 -n NS -- cat the file, and compare it with before",
    points: 10,
    judge,
};

/// Passes when a replaced pod came back under its name, on the same claims, with the original content.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    let mut replacements = timeline.replacements();
    // Where some replacements were looked into, those that happened before anybody could look prove nothing.
    if replacements.iter().any(|(old, _)| timeline.portrait(old).is_some()) {
        replacements.retain(|(old, _)| timeline.portrait(old).is_some());
    }
    let mut shown = false;
    for (old, new) in replacements {
        let text = format!("{} came back under its name", old.name());
        if new.ready.is_none() {
            verdict.push("came_back", text, timeline.missing("wait until the new pod is Ready"), [new.added.by]);
            continue;
        }
        shown = true;
        verdict.push("came_back", text, Standing::Met, [old.added.by, new.added.by]);
        timeline.judge_return(&mut verdict, old, new);
    }
    if !shown && verdict.criteria.is_empty() {
        verdict.push("came_back", "a deleted pod comes back", timeline.missing("delete one pod while stsgrade watches"), []);
    }
    verdict
}
