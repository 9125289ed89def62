//! What a node, or what looks after nodes, does to a pod.

use crate::model::diagnosis::{
    Match,
    facts::OrdinalFacts,
    recognise::{has_any, matched},
};

/// The pod was removed by something else than its set: by the kubelet (`status.reason`), or by an
/// eviction, a preemption or the end of its node (the condition `DisruptionTarget`).
pub(crate) fn evicted(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let status = &pod.pod.status;
    let disrupted =
        status.conditions.iter().find(|it| it.r#type == "DisruptionTarget" && it.status == "True");
    if has_any(
        &status.reason,
        &[
            "evicted",
            "preempting",
            "nodelost",
            "nodeaffinity",
            "outof",
            "unexpectedadmissionerror",
            "shutdown",
        ],
    ) {
        return Some(matched(format!("{}: {}", status.reason, status.message), [pod.added.by]));
    }
    disrupted.map(|it| matched(format!("{}: {}", it.reason, it.message), [pod.added.by]))
}

/// The kubelet ended the pod for a limit that the template itself sets.
pub(crate) fn storage_limit(facts: &OrdinalFacts<'_>) -> Option<Match> {
    const LIMITS: [&str; 3] = [
        "exceeds the total limit of containers",
        "exceeded its local ephemeral storage limit",
        "usage of emptydir volume",
    ];
    let pod = facts.pod?;
    let status = &pod.pod.status;
    (status.reason == "Evicted" && has_any(&status.message, &LIMITS))
        .then(|| matched(format!("Evicted: {}", status.message), [pod.added.by]))
}

/// The node controller has given the node up: whatever its pods say is old.
pub(crate) fn node_not_ready(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (seq, reason, message) =
        facts.warning(|_, _| true).filter(|(_, reason, _)| *reason == "NodeNotReady")?;
    Some(matched(format!("{reason}: {message}"), [seq]))
}
