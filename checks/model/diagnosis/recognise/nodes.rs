//! What a node, or what looks after nodes, does to a pod.

use crate::model::{
    diagnosis::{
        Match,
        facts::OrdinalFacts,
        recognise::{has_any, matched},
    },
    timeline::ends::{Disruption, disruption_of},
};

/// The pod was removed by something else than its set.
pub(crate) fn evicted(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let Disruption { reason, message } = disruption_of(&pod.pod)?;
    Some(matched(format!("{reason}: {message}"), [pod.added.by]))
}

/// The node could not start a container, and nothing of the template is the reason.
pub(crate) fn container_not_started(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let (status, ended) = facts
        .statuses()
        .filter(|it| it.state.running.is_none())
        .filter_map(|it| Some((it, it.last_end()?)))
        .find(|(_, ended)| ended.is_failed_start() && !ended.is_own_doing())?;
    let said = if ended.message.is_empty() { &ended.reason } else { &ended.message };
    let why = format!("the node could not start container {}: {said}", status.name);
    Some(matched(why, [pod.last_seen.by]))
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
