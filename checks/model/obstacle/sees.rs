//! What each row of the table recognises: by the words that the API server, the scheduler, the
//! kubelet, registries and provisioners really use.

use super::{
    Sight, blames_the_submission,
    facts::{Facts, Pending},
};
use crate::model::{
    lives::Incarnation,
    object::{ContainerStatus, Probe},
    observation::Seq,
};

/// Recognises a row's case.
pub(super) type Sees = fn(&Facts<'_>) -> Option<Sight>;

fn sight(why: impl Into<String>, evidence: impl IntoIterator<Item = Seq>) -> Option<Sight> {
    Some(Sight { why: why.into(), container: None, evidence: evidence.into_iter().collect() })
}

fn has_any(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// A broken pod of an earlier template says nothing of the submission as it stands, and the
/// controller waits for it (<https://github.com/kubernetes/kubernetes/issues/67250>).
pub(super) fn outdated_pod(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod?;
    let set = facts.timeline.set()?;
    let newest = &set.status.update_revision;
    let is_known = set.status.observed_generation >= set.generation && !newest.is_empty();
    let is_old = pod.pod.metadata.labels.get("controller-revision-hash").is_some_and(|it| it != newest);
    if !is_known || !is_old {
        return None;
    }
    blames_the_submission(facts)
}

/// The words with which a container waits for its image, and what the events say of the pull.
fn pull_trouble(facts: &Facts<'_>) -> Option<(String, Vec<Seq>)> {
    const PULL: [&str; 6] = ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable"];
    let pod = facts.pod?;
    let waiting = facts.statuses().filter_map(|it| it.state.waiting.as_ref()).find(|it| PULL.contains(&it.reason.as_str()))?;
    let event = facts.warning(|reason, message| reason == "Failed" && message.contains("pull"));
    let said = event.map_or("", |(_, _, message)| message);
    let words = if waiting.message.len() > said.len() { &waiting.message } else { said };
    Some((format!("{}: {words}", waiting.reason), event.map(|(seq, ..)| seq).into_iter().chain([pod.added.by]).collect()))
}

/// Without the images' own names, which may hold any word.
fn nameless(words: &str, pod: &Incarnation) -> String {
    let images = pod.spec().containers.iter().chain(&pod.spec().init_containers).map(|it| it.image.as_str()).filter(|it| !it.is_empty());
    images.fold(words.to_owned(), |words, image| words.replace(image, "…"))
}

/// Words by which a registry, or the way to it, fails, as opposed to the image's name.
fn is_unreachable(words: &str) -> bool {
    const TROUBLE: [&str; 20] = [
        "429",
        "toomanyrequests",
        "too many requests",
        "timeout",
        "timed out",
        "deadline exceeded",
        "refused",
        "no such host",
        "x509",
        "tls:",
        ": 500 ",
        ": 502",
        ": 503",
        ": 504",
        "connection reset",
        "server misbehaving",
        "unreachable",
        "eof",
        "internal server error",
        "network is",
    ];
    has_any(words, &TROUBLE)
}

pub(super) fn image_unreachable(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod?;
    if let Some((seq, message)) = facts.pulling().filter(|_| is_creating(facts)) {
        return sight(format!("{message}: the registry has not answered yet"), [seq, pod.added.by]);
    }
    let (words, evidence) = pull_trouble(facts)?;
    is_unreachable(&nameless(&words, pod)).then_some(Sight { why: words, container: None, evidence })
}

pub(super) fn image_missing(facts: &Facts<'_>) -> Option<Sight> {
    const MISSING: [&str; 14] = [
        "not found",
        "manifest unknown",
        "denied",
        "invalid reference",
        "invalidimagename",
        "couldn't parse",
        "errimageneverpull",
        "repository does not exist",
        "insufficient_scope",
        "unauthorized",
        "no match for platform",
        "no matching manifest",
        "name unknown",
        "failed to apply default image tag",
    ];
    let (words, evidence) = pull_trouble(facts)?;
    let said = nameless(&words, facts.pod?);
    (has_any(&said, &MISSING) && !is_unreachable(&said)).then_some(Sight { why: words, container: None, evidence })
}

pub(super) fn config_error(facts: &Facts<'_>) -> Option<Sight> {
    // The kubelet's own caches may be behind: that passes.
    const PASSES: [&str; 5] = ["failed to sync", "timed out", "not yet been read", "not registered", "refused"];
    // A command that is not there; by other such words (of cgroups, of mounts) the node fails.
    const NO_PROGRAM: [&str; 6] = ["exec: \"", "executable file", "exec /", "open executable", "exec format error", "chdir to cwd"];
    let pod = facts.pod?;
    let waiting = || facts.statuses().filter_map(|it| it.state.waiting.as_ref());
    if let Some(it) = waiting().find(|it| it.reason == "CreateContainerConfigError" && !has_any(&it.message, &PASSES)) {
        return sight(format!("{}: {}", it.reason, it.message), [pod.added.by]);
    }
    let started = facts.statuses().filter(|it| it.state.running.is_none()).flat_map(|it| {
        let ended = [&it.state.terminated, &it.last_state.terminated].into_iter().flatten();
        ended.filter(|it| matches!(it.reason.as_str(), "StartError" | "ContainerCannotRun")).map(|it| &it.message)
    });
    let waits = waiting().filter(|it| matches!(it.reason.as_str(), "CreateContainerError" | "RunContainerError" | "CrashLoopBackOff")).map(|it| &it.message);
    if let Some(message) = started.chain(waits).find(|message| has_any(message, &NO_PROGRAM)) {
        return sight(message, [pod.added.by]);
    }
    let mounts_nothing = |reason: &str, message: &str| {
        let names_it = has_any(message, &["configmap \"", "secret \""]) && has_any(message, &["\" not found"]);
        reason == "FailedMount" && !has_any(message, &PASSES) && (names_it || has_any(message, &["references non-existent", "hostpath type check failed"]))
    };
    let (seq, reason, message) = facts.warning(mounts_nothing).filter(|_| is_creating(facts))?;
    sight(format!("{reason}: {message}"), [seq, pod.added.by])
}

fn is_creating(facts: &Facts<'_>) -> bool {
    facts.statuses().any(|it| it.state.waiting.as_ref().is_some_and(|it| matches!(it.reason.as_str(), "ContainerCreating" | "PodInitializing")))
}

/// Whether the template itself limits the container's memory.
fn is_limited(facts: &Facts<'_>, container: &str) -> bool {
    let template = facts.timeline.set().map(|set| &set.spec.template.spec);
    template
        .into_iter()
        .flat_map(|it| it.containers.iter().chain(&it.init_containers))
        .any(|it| it.name == container && it.resources.limits.contains_key("memory"))
}

fn killed_for_memory(facts: &Facts<'_>, by_its_own_limit: bool) -> Option<Sight> {
    const ENOUGH: i32 = 2;
    let (status, _) =
        facts.crashing().find(|(it, ended)| it.restart_count >= ENOUGH && ended.reason == "OOMKilled" && is_limited(facts, &it.name) == by_its_own_limit)?;
    let limit = if by_its_own_limit { "at its own memory limit" } else { "though the template sets it no memory limit" };
    let why = format!("container {} was OOMKilled {limit}, {} times", status.name, status.restart_count + i32::from(status.state.terminated.is_some()));
    sight(why, facts.pod?.ended).map(|it| Sight { container: Some(status.name.clone()), ..it })
}

pub(super) fn out_of_memory(facts: &Facts<'_>) -> Option<Sight> {
    killed_for_memory(facts, true)
}

pub(super) fn node_out_of_memory(facts: &Facts<'_>) -> Option<Sight> {
    killed_for_memory(facts, false)
}

/// The kubelet ends the container, not its own command: it says so, or a signal ended it while the probe failed.
///
/// A container that ends by itself fails its probe, too, for the moment.
pub(super) fn liveness_fails(facts: &Facts<'_>) -> Option<Sight> {
    const ENOUGH: i32 = 2;
    const BY_SIGNAL: [i32; 2] = [137, 143];
    let pod = facts.pod?;
    let probed = |name: &str| pod.spec().containers.iter().any(|it| it.name == name && (it.liveness_probe.is_some() || it.startup_probe.is_some()));
    let (status, ended) = facts.crashing().find(|(it, _)| it.restart_count >= ENOUGH && probed(&it.name))?;
    let for_it = |message: &str| message.starts_with(&format!("Container {} failed ", status.name)) && has_any(message, &["liveness probe", "startup probe"]);
    let killed = facts.timeline.words(pod.uid()).filter(|(_, it)| it.reason == "Killing" && for_it(&it.message)).last();
    let failed = facts.warning(|reason, message| reason == "Unhealthy" && has_any(message, &["liveness", "startup"]));
    let said = match (&killed, &failed) {
        (None, Some((_, _, message))) if BY_SIGNAL.contains(&ended.exit_code) => message,
        (Some(_), Some((_, _, message))) => message,
        (Some((_, event)), None) => event.message.as_str(),
        (None, _) => return None,
    };
    let why = format!("container {} was ended {} times by the kubelet: {said}", status.name, status.restart_count);
    let evidence = killed.iter().map(|(seq, _)| *seq).chain(failed.iter().map(|(seq, ..)| *seq));
    sight(why, evidence).map(|it| Sight { container: Some(status.name.clone()), ..it })
}

pub(super) fn container_ends(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod?;
    let found = facts.crashing().find(|(it, ended)| {
        let by_memory = ended.reason == "OOMKilled" && !is_limited(facts, &it.name);
        let done = facts.is_init(&it.name) && ended.exit_code == 0;
        !by_memory && !done && is_enough(facts, it)
    });
    let (status, ended) = found?;
    let evidence = pod.ended.into_iter().chain(facts.logs(&status.name).next_back().map(|(seq, _)| seq)).collect();
    let signal = if ended.signal > 0 { format!(", signal {}", ended.signal) } else { String::new() };
    let why = format!("container {} ends (exit status {}{signal}), started {} times", status.name, ended.exit_code, status.restart_count + 1);
    Some(Sight { why, container: Some(status.name.clone()), evidence })
}

/// Whether one more start of a container that ends will not help.
fn is_enough(facts: &Facts<'_>, status: &ContainerStatus) -> bool {
    const FIFTH: i32 = 4;
    const THIRD: i32 = 2;
    if facts.out_of_time || status.restart_count >= FIFTH {
        return true;
    }
    let logs: Vec<_> = facts.logs(&status.name).collect();
    let [.., (_, before), (_, last)] = logs.as_slice() else { return false };
    let succeeds = [&status.state.terminated, &status.last_state.terminated].into_iter().flatten().all(|it| it.exit_code == 0);
    let telling = succeeds || !last.is_empty();
    status.restart_count >= THIRD
        && telling
        && before.iter().map(|it| without_digits(it)).eq(last.iter().map(|it| without_digits(it)))
        && !last.iter().any(|line| speaks_of_network(line))
}

/// A line as it would be at another time: dates, ports and process numbers differ at every start.
fn without_digits(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// A container that ends because something else is not there yet may still come up.
fn speaks_of_network(line: &str) -> bool {
    const WORDS: [&str; 15] = [
        "network",
        "connect",
        "resolve",
        "resolution",
        "lookup",
        "timeout",
        "timed out",
        "unreachable",
        "dns",
        "no such host",
        "host not found",
        "bad address",
        "refused",
        "name or service not known",
        "no route",
    ];
    has_any(line, &WORDS)
}

pub(super) fn evicted(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod?;
    let status = &pod.pod.status;
    let disrupted = status.conditions.iter().find(|it| it.r#type == "DisruptionTarget" && it.status == "True");
    if has_any(&status.reason, &["evicted", "preempting", "nodelost", "nodeaffinity", "outof", "unexpectedadmissionerror", "shutdown"]) {
        return sight(format!("{}: {}", status.reason, status.message), [pod.added.by]);
    }
    disrupted.and_then(|it| sight(format!("{}: {}", it.reason, it.message), [pod.added.by]))
}

/// The node controller has given the node up: whatever its pods say is old.
pub(super) fn node_not_ready(facts: &Facts<'_>) -> Option<Sight> {
    let (seq, reason, message) = facts.warning(|_, _| true).filter(|(_, reason, _)| *reason == "NodeNotReady")?;
    sight(format!("{reason}: {message}"), [seq])
}

/// A probe that had its fair time: what it asks for itself, twice, and some more.
pub(super) fn probe_fails(facts: &Facts<'_>) -> Option<Sight> {
    const FAIR: u64 = 20;
    let pod = facts.pod?;
    let time = |probe: &Probe| {
        let seconds = i64::from(probe.initial_delay_seconds) + i64::from(probe.period_seconds.max(1)) * i64::from(probe.failure_threshold.max(1));
        u64::try_from(seconds).unwrap_or(0)
    };
    let asked = |status: &ContainerStatus| {
        let container = pod.spec().containers.iter().find(|it| it.name == status.name)?;
        container.readiness_probe.as_ref().or(container.startup_probe.as_ref())?;
        Some(container.readiness_probe.iter().chain(&container.startup_probe).map(time).sum::<u64>())
    };
    let unready = pod.pod.status.container_statuses.iter().filter(|it| it.state.running.is_some() && !it.ready);
    let (status, asked) = unready.filter_map(|it| Some((it, asked(it)?))).next()?;
    if facts.running_for() < asked + FAIR {
        return None;
    }
    // The kubelet's events may be lost where the node is busy: they tell why, not that.
    let event = facts.warning(|reason, _| reason == "Unhealthy");
    let message = event.as_ref().map_or("its probe has not succeeded in all its time", |(_, _, message)| message);
    let why = format!("container {} runs but is not Ready: {message}", status.name);
    sight(why, event.iter().map(|(seq, _, _)| *seq).chain([pod.added.by])).map(|it| Sight { container: Some(status.name.clone()), ..it })
}

/// One that waits for something in the network may wait for the cluster.
pub(super) fn init_never_ends(facts: &Facts<'_>) -> Option<Sight> {
    const FAIR: u64 = 60;
    let pod = facts.pod?;
    let is_sidecar = |name: &str| pod.spec().init_containers.iter().any(|it| it.name == name && it.restart_policy == "Always");
    let status = pod.pod.status.init_container_statuses.iter().find(|it| it.state.running.is_some() && !is_sidecar(&it.name))?;
    let age = facts.timeline.now().saturating_sub(pod.added_at) / 1_000_000_000;
    let waits = facts.log(&status.name).iter().any(|line| speaks_of_network(line));
    if age < FAIR || waits {
        return None;
    }
    let why = format!("init container {} does not end", status.name);
    sight(why, [pod.added.by]).map(|it| Sight { container: Some(status.name.clone()), ..it })
}

/// The first pending claim of which `see` says something.
fn pending(facts: &Facts<'_>, see: impl Fn(&Pending<'_>) -> Option<String>) -> Option<Sight> {
    facts.pending_claims().find_map(|it| {
        let why = see(&it)?;
        sight(why, it.evidence)
    })
}

pub(super) fn class_missing(facts: &Facts<'_>) -> Option<Sight> {
    pending(facts, |it| {
        let class = it.claim.spec.as_ref()?.storage_class_name.as_deref().filter(|it| !it.is_empty())?;
        let known_missing = facts.timeline.storage_classes().is_some_and(|classes| classes.iter().all(|it| it.name != class));
        let told = it.said.contains("storageclass") && it.said.contains("not found");
        (told || known_missing).then(|| format!("claim {} names StorageClass {class:?}, which does not exist: {}", it.claim.metadata.name, it.said))
    })
}

pub(super) fn class_none(facts: &Facts<'_>) -> Option<Sight> {
    pending(facts, |it| {
        let none = it.claim.spec.as_ref()?.storage_class_name.as_deref() == Some("");
        (none && it.said.contains("no storage class is set")).then(|| format!("claim {}: {}", it.claim.metadata.name, it.said))
    })
}

pub(super) fn no_default_class(facts: &Facts<'_>) -> Option<Sight> {
    pending(facts, |it| {
        let unnamed = it.claim.spec.as_ref()?.storage_class_name.is_none();
        (unnamed && it.said.contains("no storage class is set"))
            .then(|| format!("claim {} names no StorageClass and the cluster has no default one: {}", it.claim.metadata.name, it.said))
    })
}

pub(super) fn wrong_access_mode(facts: &Facts<'_>) -> Option<Sight> {
    const WORDS: [&str; 5] = ["access mode", "accessmode", "multi_node", "readwritemany", "readonlymany"];
    pending(facts, |it| {
        let modes = &it.claim.spec.as_ref()?.access_modes;
        let many = modes.iter().any(|it| it.ends_with("Many"));
        (many && has_any(&it.said, &WORDS)).then(|| format!("claim {} asks for {}: {}", it.claim.metadata.name, modes.join(", "), it.said))
    })
}

/// A claim that neither the set nor an ephemeral volume makes, and that nobody has made.
pub(super) fn claim_missing(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod?;
    let message = facts.unschedulable().filter(|it| it.contains("persistentvolumeclaim") && it.contains("not found"))?;
    let named = pod.spec().volumes.iter().filter_map(|it| it.persistent_volume_claim.as_ref()).map(|it| it.claim_name.as_str());
    let made = |claim: &str| {
        facts.timeline.set().is_some_and(|set| set.spec.volume_claim_templates.iter().any(|it| claim == format!("{}-{}", it.metadata.name, pod.name())))
    };
    named.filter(|it| !made(it)).find(|it| message.contains(&format!("\"{it}\"")) && facts.timeline.claim(it).is_empty())?;
    sight(message, [pod.added.by])
}

pub(super) fn claim_pending(facts: &Facts<'_>) -> Option<Sight> {
    // A claim that waits for its pod to be scheduled is not what the pod waits for.
    const NORMAL: [&str; 2] = ["waiting for first consumer", "to be scheduled"];
    pending(facts, |it| (!has_any(&it.said, &NORMAL)).then(|| format!("claim {} is Pending: {}", it.claim.metadata.name, it.said)))
}

/// No node can take the pod, for reasons that stand in the template alone.
pub(super) fn placement_impossible(facts: &Facts<'_>) -> Option<Sight> {
    // Of a node that nobody's pods are meant for.
    const RESERVED: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
    // "existing pods anti-affinity rules" are those of others.
    const PICKY: [&str; 5] = [
        "didn't match pod's node affinity/selector",
        "didn't match pod affinity rules",
        "didn't match pod anti-affinity rules",
        "topology spread",
        "didn't match node selector",
    ];
    let pod = facts.pod.filter(|_| facts.is_the_submissions())?;
    let message = facts.unschedulable()?;
    // The scheduler calls preemption unhelpful for resources only where the request exceeds what the node has in all.
    let too_large =
        |reason: &str| has_any(reason, &["insufficient "]) && message.contains("Preemption is not helpful") && !message.contains("No preemption victims");
    let (_, rest) = message.split_once("available: ")?;
    let reasons: Vec<&str> = rest.split(". ").next()?.split(", ").collect();
    let template = |reason: &str| has_any(reason, &PICKY) || too_large(reason);
    let all = reasons.iter().all(|it| template(it) || has_any(it, &RESERVED));
    (all && reasons.iter().any(|it| template(it))).then(|| Sight { why: message.to_owned(), container: None, evidence: vec![pod.added.by] })
}

/// What the tour alone asks for is not waited for: it has a way without.
pub(super) fn no_room_for_more(facts: &Facts<'_>) -> Option<Sight> {
    let message = facts.unschedulable().filter(|_| !facts.is_the_submissions())?;
    has_any(message, &["insufficient ", "too many pods", "affinity", "topology spread"]).then(|| sight(message, [facts.pod?.added.by])).flatten()
}

pub(super) fn no_room(facts: &Facts<'_>) -> Option<Sight> {
    sight(facts.unschedulable()?, [facts.pod?.added.by])
}

pub(super) fn volume_not_mounted(facts: &Facts<'_>) -> Option<Sight> {
    let (seq, reason, message) = facts.warning(|reason, _| matches!(reason, "FailedMount" | "FailedAttachVolume")).filter(|_| is_creating(facts))?;
    sight(format!("{reason}: {message}"), [seq])
}

pub(super) fn quota(facts: &Facts<'_>) -> Option<Sight> {
    let (message, seq) = facts.failed_create().filter(|(message, _)| message.contains("exceeded quota"))?;
    sight(message, [seq])
}

pub(super) fn pod_refused(facts: &Facts<'_>) -> Option<Sight> {
    // The namespace's own account comes a moment after the namespace.
    const NOT_OURS: [&str; 4] = ["exceeded quota", "being terminated", "failed calling webhook", "serviceaccount \"default\" not found"];
    let refused = |message: &str| has_any(message, &["violates podsecurity", "is invalid", "forbidden", "denied the request"]) && !has_any(message, &NOT_OURS);
    let (message, seq) = facts.failed_create().filter(|(message, _)| refused(message))?;
    sight(message, [seq])
}

pub(super) fn still_terminating(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.leaving?;
    sight(format!("{} has been asked to stop and is still there", pod.name()), [pod.asked_to_go?.by])
}

pub(super) fn never_ready(facts: &Facts<'_>) -> Option<Sight> {
    let Some(pod) = facts.pod else {
        let why = facts.failed_create().map_or_else(|| format!("{} was not created", facts.name()), |(message, _)| message.to_owned());
        return sight(why, [facts.timeline.last()]);
    };
    let waiting = facts.statuses().find_map(|it| it.state.waiting.as_ref()).map(|it| format!(", {} {}", it.reason, it.message)).unwrap_or_default();
    let said = facts.warning(|_, _| true).map(|(_, reason, message)| format!(" ({reason}: {message})")).unwrap_or_default();
    let not_ready = if pod.pod.status.phase == "Running" { ", but not Ready" } else { "" };
    sight(format!("{} is {}{not_ready}{}{said}", pod.name(), pod.pod.status.phase, waiting.trim_end()), [pod.added.by])
}
