//! What keeps the set from making a pod, or its claim: quotas, policies, webhooks, and pods that
//! hold the name.
//!
//! A policy that forbids what the lab asks (a plain pod, a claim of 50Mi) is the cluster's; one
//! that forbids what the submission chose beside that is the submission's. Where the words do not
//! say which, it is the cluster's.

use crate::model::diagnosis::recognise::{has_any, matched};
use crate::model::{
    diagnosis::{Match, facts::OrdinalFacts},
    lab,
    observation::Seq,
    quantity,
    timeline::lives::PodLife,
};

/// A ResourceQuota of the namespace leaves no room for the pod or its claim.
pub(crate) fn quota(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (message, seq) = facts
        .failed_create()
        .filter(|(message, _)| has_any(message, &["exceeded quota", "failed quota"]))?;
    Some(matched(message, [seq]))
}

/// The level that the grader itself gave the namespace refuses the pods.
pub(crate) fn pod_security(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let refused = |message: &str| {
        facts.has_graders_level() && has_any(message, &["violates podsecurity \"baseline"])
    };
    let (message, seq) = facts.failed_create().filter(|(message, _)| refused(message))?;
    Some(matched(message, [seq]))
}

/// An admission webhook that does not answer.
pub(crate) fn webhook_down(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (message, seq) = facts.failed_create().filter(|(message, _)| {
        has_any(message, &["failed calling webhook", "failed to call webhook"])
    })?;
    Some(matched(message, [seq]))
}

/// A Pod that the submission itself holds has the name.
pub(crate) fn name_taken_by_own_pod(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let name = facts.name();
    if !facts.is_in_the_manifests(&format!("pod/{name}")) {
        return None;
    }
    let taken_over = facts.pod.filter(|it| it.adopted).map(|it| it.added.by);
    if let Some(seq) = facts.failed_update().or(taken_over) {
        let why = format!(
            "the manifest has a Pod {name} of its own, which the set took over and cannot make what \
            its template says"
        );
        return Some(matched(why, [seq]));
    }
    let taken = name_taken(facts)?;
    let is_nobodys = holder_of_the_name(facts)?.pod.metadata.owner_references.is_empty();
    let why = format!("the manifest has a Pod {name} of its own, which is not the set's");
    is_nobodys.then(|| matched(why, taken.evidence))
}

/// The pod that has the name of the set's pod, and is not the set's.
fn holder_of_the_name<'t>(facts: &OrdinalFacts<'t>) -> Option<&'t PodLife> {
    let name = facts.name();
    facts.timeline.unowned_pods().find(|pod| pod.name() == name)
}

/// Another pod has the name, so the set cannot make its own; no Event tells that.
pub(crate) fn name_taken(facts: &OrdinalFacts<'_>) -> Option<Match> {
    if facts.is_there() {
        return None;
    }
    let set = facts.timeline.set()?;
    let name = facts.name();
    let other = holder_of_the_name(facts)?;
    let labels = &other.pod.metadata.labels;
    let differs =
        set.spec.selector.match_labels.iter().find(|(key, value)| labels.get(*key) != Some(value));
    let owner = other.pod.metadata.owner_references.iter().find(|it| it.controller);
    let why = match (differs, owner) {
        (_, Some(owner)) => format!("{} {} owns it", owner.kind, owner.name),
        (Some((key, _)), None) if !labels.contains_key(key) => format!("its label {key} is gone"),
        (Some((key, value)), None) => {
            format!("its label {key} is {:?}, not {value:?}", labels[key])
        }
        // One whose labels match is adopted in a moment, and one that has been asked to go may go.
        (None, None) if facts.step_time.is_over() => "it has no owner".to_owned(),
        (None, None) => return None,
    };
    if other.deletion_requested.is_some() && !facts.step_time.is_over() {
        return None;
    }
    Some(matched(format!("a Pod {name} stands that is not the set's: {why}"), [other.last_seen.by]))
}

/// The API server refuses what the submission chose.
pub(crate) fn pod_refused(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (message, seq) = refusal(facts)?;
    is_chosen(facts, message).then(|| matched(message, [seq]))
}

/// The namespace's level `restricted` refuses a plain pod (the Pod Security Standards).
pub(crate) fn level_restricted(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (message, seq) = refusal(facts)?;
    has_any(message, &["violates podsecurity \"restricted"]).then(|| matched(message, [seq]))
}

/// A policy refuses what the lab asks, or something that its words do not tell.
pub(crate) fn policy(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (message, seq) = refusal(facts)?;
    Some(matched(message, [seq]))
}

/// What the API server refused to make, where that is no passing trouble.
fn refusal<'t>(facts: &OrdinalFacts<'t>) -> Option<(&'t str, Seq)> {
    // The namespace's own account comes a moment after the namespace, the count of what is used a
    // moment after a quota.
    const OF_OTHER_ROWS: [&str; 6] = [
        "exceeded quota",
        "failed quota",
        "status unknown for quota",
        "being terminated",
        "failed calling webhook",
        "serviceaccount \"default\" not found",
    ];
    const REFUSED: [&str; 5] =
        ["violates podsecurity", "is invalid", "forbidden", "denied the request", "denied request"];
    let refused = |message: &str| has_any(message, &REFUSED) && !has_any(message, &OF_OTHER_ROWS);
    // What was not there may have been made since, and the controller tries again only after
    // minutes.
    let is_stale =
        |message: &str, seq: Seq| message.contains("not found") && facts.timeline.is_old_news(seq);
    facts.failed_create().filter(|(message, seq)| refused(message) && !is_stale(message, *seq))
}

/// Whether what is refused stands in the submission and is more than the lab asks.
fn is_chosen(facts: &OrdinalFacts<'_>, message: &str) -> bool {
    // Objects that the template names, and what no API server takes.
    const NAMED: [&str; 4] = ["is invalid", "serviceaccount \"", "priorityclass", "runtimeclass"];
    if let Some(violations) = violations_by_choice(message) {
        return !violations.is_empty();
    }
    if let Some(chosen) = exceeds_limit_range_by_choice(facts, message) {
        return chosen;
    }
    // A policy's own words may hold any other.
    !is_of_a_policy(message) && has_any(message, &NAMED)
}

/// Whether an admission policy of the cluster says so: a webhook, or a ValidatingAdmissionPolicy.
#[must_use]
pub fn is_of_a_policy(message: &str) -> bool {
    const WORDS: [&str; 4] =
        ["validatingadmissionpolicy", "admission webhook", "denied request", "denied the request"];
    has_any(message, &WORDS)
}

/// Of Pod Security's words: what it refuses beside what a plain pod leaves out; `None` where they
/// are not Pod Security's.
///
/// A plain pod "must set" what the level `restricted` asks; all other violations are of something
/// that stands in the pod's spec. Where no detail is told, that is one of these.
pub(super) fn violations_by_choice(message: &str) -> Option<Vec<&str>> {
    let (_, violations) = message.split_once("violates PodSecurity")?;
    let details = violations.split_once("\": ").map_or("", |(_, details)| details);
    let is_of_choice = |it: &&str| !it.contains("must set ") || it.contains("must not ");
    Some(details.split("), ").filter(is_of_choice).collect())
}

/// Of a LimitRange's words: whether the submission chose what is outside; `None` where they are not
/// a LimitRange's.
fn exceeds_limit_range_by_choice(facts: &OrdinalFacts<'_>, message: &str) -> Option<bool> {
    const BOUNDS: [&str; 2] = ["minimum ", "maximum "];
    if message.contains(" max limit to request ratio per ") {
        return Some(!message.contains(" is specified"));
    }
    let (before, after) = message.split_once(" usage per ")?;
    let bound = BOUNDS.into_iter().find(|it| before.to_ascii_lowercase().contains(it))?;
    let resource = before.rsplit(' ').next()?;
    if after.contains(" is specified") {
        return Some(false);
    }
    if resource == "storage" {
        let most = after
            .split_once(" is ")
            .and_then(|(_, rest)| rest.split(',').next())
            .and_then(quantity::bytes);
        return Some(
            bound == "maximum " && most.is_some_and(|most| most >= lab::LEAST_STORAGE_BYTES),
        );
    }
    let template = &facts.timeline.set()?.spec.template.spec;
    let mut resources = template.all_containers().map(|it| &it.resources);
    Some(resources.any(|it| it.limits.contains_key(resource) || it.requests.contains_key(resource)))
}
