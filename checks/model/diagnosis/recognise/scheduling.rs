//! Why the scheduler finds no node for a pod.
//!
//! Its message names a reason for each node. Reasons that are known are the template's, or pass;
//! what is not known is quoted, and nothing is made of it.

use crate::model::diagnosis::recognise::{has_any, matched};
use crate::model::diagnosis::{Match, facts::OrdinalFacts};
use crate::model::timeline::lives::PodLife;

/// A rule of pods that a node has already.
const OTHERS_RULE: &str = "existing pods anti-affinity rules";
/// Reasons that stand in the template alone; [`OTHERS_RULE`] does not.
const CHOSEN: [&str; 5] = [
    "didn't match pod's node affinity/selector",
    "didn't match pod affinity rules",
    "didn't match pod anti-affinity rules",
    "topology spread",
    "didn't match node selector",
];
/// Of a node that nobody's pods are meant for.
const RESERVED: [&str; 2] =
    ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
/// Reasons of a node without room for the pod.
const NO_ROOM: [&str; 2] = ["insufficient ", "too many pods"];
/// Reasons that pass when there is room, or when a node is well again. The lab asks for no
/// toleration.
const PASSING: [&str; 6] = [
    NO_ROOM[0],
    NO_ROOM[1],
    OTHERS_RULE,
    "exceed max volume count",
    "were unschedulable",
    "untolerated taint",
];
/// The pod's volume is on another node, in the words of older and of newer versions of Kubernetes.
/// Alone this is quoted: what is the matter with that node is not said.
const VOLUME: [&str; 2] = ["volume node affinity conflict", "persistentvolume's node affinity"];
/// A node has each of its ports once.
const PORT: &str = "free ports for the requested pod ports";

/// Whether the scheduler found a node without room for a pod.
#[must_use]
pub fn lacks_room(pod: &PodLife) -> bool {
    let mut conditions = pod.pod.status.conditions.iter();
    conditions.any(|condition| {
        condition.r#type == "PodScheduled"
            && condition.status == "False"
            && has_any(&condition.message, &NO_ROOM)
    })
}

/// The reasons of all nodes, such as `1 node(s) had untolerated taint {…}`; none where the message
/// has another form.
fn reasons(message: &str) -> Vec<&str> {
    let Some((_, rest)) = message.split_once("available: ") else { return vec![] };
    rest.split(". ").next().unwrap_or_default().split(", ").collect()
}

/// The message without what it says of preempting other pods, which is the same for every reason.
fn without_preemption(message: &str) -> &str {
    [" no new claims to deallocate", " preemption: "]
        .iter()
        .fold(message, |said, tail| said.split_once(tail).map_or(said, |(head, _)| head))
}

/// Whether a request is larger than all that a node has.
///
/// The scheduler calls preemption unhelpful for resources only where that is so.
fn is_too_large(message: &str, reason: &str) -> bool {
    has_any(reason, &["insufficient "])
        && message.contains("Preemption is not helpful")
        && !message.contains("No preemption victims")
}

/// A reason that stands in the pod's own spec.
pub(super) enum Chosen<'m> {
    /// A node selector, a rule of affinity or of spreading.
    Rule,
    /// More of a resource than any node has: its name.
    Size(&'m str),
}

/// The reasons of a message that stand in the pod's own spec.
pub(super) fn chosen_reasons(message: &str) -> Vec<Chosen<'_>> {
    reasons(message).into_iter().filter_map(|it| chosen(message, it)).collect()
}

/// What in the pod's own spec a reason of a message is about, where it is.
fn chosen<'m>(message: &str, reason: &'m str) -> Option<Chosen<'m>> {
    if has_any(reason, &CHOSEN) {
        return Some(Chosen::Rule);
    }
    is_too_large(message, reason).then(|| Chosen::Size(reason.rsplit(' ').next().unwrap_or(reason)))
}

/// Whether the cause that a row is about explains these reasons: it is one of them, and each other
/// one may stand beside it, or says that a node is reserved.
fn explained_by(
    reasons: &[&str],
    may_stand_beside: impl Fn(&str) -> bool,
    is_the_cause: impl Fn(&str) -> bool,
) -> bool {
    let is_allowed = |it: &str| may_stand_beside(it) || is_the_cause(it) || has_any(it, &RESERVED);
    reasons.iter().all(|it| is_allowed(it)) && reasons.iter().any(|it| is_the_cause(it))
}

/// No node can take the pod, for reasons that stand in the template alone.
pub(crate) fn placement_impossible(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (pod, message) = (facts.pod?, facts.unschedulable()?);
    if !facts.is_the_submissions() {
        return None;
    }
    let is_chosen = |reason: &str| chosen(message, reason).is_some();
    explained_by(&reasons(message), |_| false, is_chosen)
        .then(|| matched(without_preemption(message), [pod.added.by]))
}

/// The set's own pods have the host port on every node that could take this one.
pub(crate) fn host_port(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (pod, message) = (facts.pod?, facts.unschedulable()?);
    if !facts.is_the_submissions() {
        return None;
    }
    let reasons = reasons(message);
    let is_chosen = |reason: &str| chosen(message, reason).is_some();
    let is_port = |reason: &str| has_any(reason, &[PORT]);
    let nodes = reasons
        .iter()
        .filter(|it| is_port(it))
        .filter_map(|it| it.split(' ').next()?.parse::<usize>().ok())
        .fold(0, usize::saturating_add);
    (explained_by(&reasons, is_chosen, is_port) && facts.placed_siblings() >= nodes.max(1))
        .then(|| matched(without_preemption(message), [pod.added.by]))
}

/// Pods of others have the host port.
pub(crate) fn host_port_taken(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let message = facts.unschedulable()?;
    let is_other = |reason: &str| has_any(reason, &CHOSEN) || has_any(reason, &PASSING);
    explained_by(&reasons(message), is_other, |it| has_any(it, &[PORT]))
        .then(|| matched(without_preemption(message), [pod.added.by]))
}

/// What the tour alone asks for is not waited for: it has a way without, whatever the scheduler
/// says.
pub(crate) fn no_room_for_more(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let message = facts.unschedulable().filter(|_| !facts.is_the_submissions())?;
    // A claim that is about to be made, or bound, is the usual beginning. That of an ephemeral volume
    // may be the former pod's, which the garbage collector has not deleted yet (`VolumeIsForPod` in
    // k8s.io/component-helpers/storage/ephemeral).
    const PASSES: [&str; 3] =
        ["unbound immediate", "persistentvolumeclaim \"", "(pod is not owner)"];
    if message.is_empty() || has_any(message, &PASSES) {
        return None;
    }
    Some(matched(without_preemption(message), [facts.pod?.added.by]))
}

/// The scheduler evicted pods of the set for a pod of higher priority, and no node has room since.
pub(crate) fn preempted(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (pod, mut found) = (facts.pod?, no_room(facts)?);
    let evicted = facts.preempted();
    let names: Vec<&str> = evicted.iter().map(|it| it.name()).collect();
    let which = match names.as_slice() {
        [] => return None,
        [only] => format!("{only} was"),
        [others @ .., last] => format!("{} and {last} were", others.join(", ")),
    };
    let by = facts.preempted_by(&evicted).map(|it| format!(" ({it})")).unwrap_or_default();
    let is_without_rules = pod.spec().affinity.is_none();
    let rule = if is_without_rules && has_any(&found.why, &[OTHERS_RULE]) {
        ". That anti-affinity rule is another pod's: your template has none."
    } else {
        "."
    };
    found.why = format!(
        "{which} evicted for a pod of higher priority{by}, and no node takes {} since: {}{rule}",
        facts.name(),
        found.why.trim_end_matches('.')
    );
    found.evidence.extend(evicted.iter().map(|it| it.last_seen.by));
    Some(found)
}

/// No node has room, or is well, at the moment.
pub(crate) fn no_room(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let message = facts.unschedulable()?;
    let is_other = |reason: &str| has_any(reason, &CHOSEN) || has_any(reason, &VOLUME);
    explained_by(&reasons(message), is_other, |it| has_any(it, &PASSING))
        .then(|| matched(without_preemption(message), [pod.added.by]))
}

/// Whatever else the scheduler says.
pub(crate) fn not_scheduled(facts: &OrdinalFacts<'_>) -> Option<Match> {
    Some(matched(without_preemption(facts.unschedulable()?), [facts.pod?.added.by]))
}

/// The template names the node itself, so no scheduler looks for one: a node that is there has the
/// containers soon.
pub(crate) fn node_named(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let named = &facts.timeline.set()?.spec.template.spec.node_name;
    let pod = facts.pod.filter(|_| !named.is_empty())?;
    let status = &pod.pod.status;
    let is_collected = status
        .conditions
        .iter()
        .any(|it| it.r#type == "DisruptionTarget" && it.reason == "DeletionByPodGC");
    let is_refused = has_any(&status.reason, &["nodeaffinity", "outof"]);
    let is_untouched =
        facts.step_time.is_over() && status.phase == "Pending" && facts.statuses().next().is_none();
    if is_refused {
        return Some(matched(
            format!("node {named} refused it: {}: {}", status.reason, status.message),
            [pod.added.by],
        ));
    }
    (is_collected || is_untouched).then(|| {
        matched(
            format!("the template names node {named}, and no such node took the pod"),
            [pod.added.by],
        )
    })
}
