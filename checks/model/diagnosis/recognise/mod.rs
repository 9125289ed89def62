//! What each row of the table recognises: by the words that the API server, the scheduler, the
//! kubelet, registries and provisioners really use.

mod broken_disk;
mod changed_by_cluster;
mod claims;
mod containers;
mod hooks;
mod images;
mod missing;
mod nodes;
mod probes;
mod refusals;
mod scheduling;
mod unwritable;
mod words_of_claims;

pub(crate) use crate::model::diagnosis::recognise::broken_disk::disk_fails;
pub(crate) use crate::model::diagnosis::recognise::changed_by_cluster::{
    changed_by_cluster, container_added,
};
pub(crate) use crate::model::diagnosis::recognise::claims::{
    claim_differs, claim_impossible, claim_missing, claim_pending, class_missing, class_none,
    no_default_class, volume_lost, volume_missing, volume_not_mounted, wrong_access_mode,
};
pub(crate) use crate::model::diagnosis::recognise::containers::{
    config_error, container_ends, init_never_ends, node_out_of_memory, out_of_memory,
};
pub(crate) use crate::model::diagnosis::recognise::hooks::post_start_fails;
pub(crate) use crate::model::diagnosis::recognise::images::{
    image_missing, image_name_invalid, image_never_pulled, image_unreachable,
};
pub(crate) use crate::model::diagnosis::recognise::nodes::{
    container_not_started, evicted, node_not_ready, storage_limit,
};
pub(crate) use crate::model::diagnosis::recognise::probes::{
    liveness_fails, probe_fails, probe_unanswered,
};
pub use crate::model::diagnosis::recognise::refusals::is_of_a_policy;
pub(crate) use crate::model::diagnosis::recognise::refusals::{
    level_restricted, name_taken, name_taken_by_own_pod, pod_refused, pod_security, policy, quota,
    webhook_down,
};
pub use crate::model::diagnosis::recognise::scheduling::lacks_room;
pub(crate) use crate::model::diagnosis::recognise::scheduling::{
    host_port, host_port_taken, no_room, no_room_for_more, node_named, not_scheduled,
    placement_impossible, preempted,
};
pub(crate) use crate::model::diagnosis::recognise::unwritable::{
    fs_group_ignored, no_fs_group, speaks_of_denial,
};

use crate::model::{
    diagnosis::{Match, facts::OrdinalFacts, first_that_blames_the_submission},
    observation::Seq,
    obstacle::{Missing, StuckContainer},
};

/// Recognises a row's case.
pub(crate) type Recogniser = fn(&OrdinalFacts<'_>) -> Option<Match>;

/// A match with no container of its own.
fn matched(why: impl Into<String>, evidence: impl IntoIterator<Item = Seq>) -> Match {
    let evidence = evidence.into_iter().collect();
    Match { why: why.into(), container: None, missing: None, evidence }
}

impl Match {
    /// The same, explained by the last words of a container.
    fn in_container(self, name: &str) -> Self {
        Self { container: Some(StuckContainer::named(name)), ..self }
    }

    /// The same, with what is missing.
    fn with_missing(self, missing: Option<Missing>) -> Self {
        Self { missing, ..self }
    }
}

/// Whether a text holds any of these words, which are in lower case.
fn has_any(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// A broken pod of an earlier template says nothing of the submission as it stands, and the
/// controller waits for it (<https://github.com/kubernetes/kubernetes/issues/67250>).
pub(crate) fn outdated_pod(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let set = facts.timeline.set()?;
    let newest = &set.status.update_revision;
    let is_known = !set.awaits_controller() && !newest.is_empty();
    let is_old = pod.revision().is_some_and(|it| it != newest);
    if facts.may_be_replaced() || is_known && is_old {
        return first_that_blames_the_submission(facts);
    }
    None
}

/// Whether a container waits for the kubelet to make it: its image, or its volumes.
fn is_creating(facts: &OrdinalFacts<'_>) -> bool {
    let waiting = facts.statuses().filter_map(|status| status.state.waiting.as_ref());
    let mut reasons = waiting.map(|waiting| waiting.reason.as_str());
    reasons.any(|reason| matches!(reason, "ContainerCreating" | "PodInitializing"))
}

/// Time that the kubelet and the API server may take beside the pod's own.
const STOPPING_SECONDS: u64 = 10;

/// A pod that had less time than it may take.
pub(crate) fn still_stopping(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (so_far, allowed) = facts.stopping_for()?;
    if so_far >= allowed + STOPPING_SECONDS {
        return None;
    }
    Some(matched(
        format!(
            "it was asked to stop {so_far} s before the time was over, and may take {allowed} s"
        ),
        [facts.terminating?.deletion_requested?.by],
    ))
}

/// A pod that had all the time that it may take, and is still there.
pub(crate) fn still_terminating(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.terminating?;
    let statuses = &pod.pod.status.container_statuses;
    let has_ended = !statuses.is_empty() && statuses.iter().all(|it| it.state.terminated.is_some());
    let held = if has_ended {
        ", though its containers have ended: a finalizer or the node holds it"
    } else {
        ""
    };
    Some(matched(
        format!("it has been asked to stop and is still there{held}"),
        [pod.deletion_requested?.by],
    ))
}

/// The last row: whatever else keeps the pod from being Ready, with what the cluster says of it.
pub(crate) fn never_ready(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let Some(pod) = facts.pod else {
        let why = facts
            .failed_create()
            .map_or_else(|| "it was not created".to_owned(), |(message, _)| message.to_owned());
        return Some(matched(why, [facts.timeline.last()]));
    };
    let waiting = facts
        .statuses()
        .find_map(|it| it.state.waiting.as_ref())
        .map(|it| format!(", {} {}", it.reason, it.message))
        .unwrap_or_default();
    let said = facts
        .warning(|_, _| true)
        .map(|(_, reason, message)| format!(" ({reason}: {message})"))
        .unwrap_or_default();
    if let Some(why) = facts.timeline.why_not_up(pod).filter(|_| pod.is_ready()) {
        return Some(matched(why, [pod.added.by].into_iter().chain(pod.last_own_end())));
    }
    let not_ready = if pod.pod.status.phase == "Running" { ", but not Ready" } else { "" };
    // A container that is not ready is told by its own state.
    let gates = pod
        .pod
        .status
        .conditions
        .iter()
        .find(|it| it.r#type == "Ready" && it.reason == "ReadinessGatesNotReady");
    let gates = gates.map(|it| format!(": {}", it.message)).unwrap_or_default();
    Some(matched(
        format!("it is {}{not_ready}{gates}{}{said}", pod.pod.status.phase, waiting.trim_end()),
        [pod.added.by],
    ))
}
