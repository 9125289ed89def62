//! What the containers of a pod show: configuration, memory, and commands that end or do not.

use crate::model::diagnosis::recognise::{
    has_any, is_creating, matched, missing,
    probes::{may_be_ended_by_the_node, probe_doubt},
};
use crate::model::{
    diagnosis::{Match, facts::OrdinalFacts},
    observation::object::ContainerStatus,
    obstacle::StuckContainer,
    timeline::ends::cannot_start_as_described,
};

/// Messages of the kubelet whose own caches may be behind: that passes.
const KUBELET_IS_BEHIND: [&str; 5] =
    ["failed to sync", "timed out", "not yet been read", "not registered", "refused"];

/// A container that cannot be started as its pod template describes it.
pub(crate) fn config_error(facts: &OrdinalFacts<'_>) -> Option<Match> {
    missing_configuration(facts)
        .or_else(|| missing_program(facts))
        .or_else(|| missing_mount_source(facts))
}

/// A ConfigMap, a Secret or a key of one that an environment variable names is not there.
fn missing_configuration(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    if facts.may_have_come() {
        return None;
    }
    for status in facts.statuses() {
        let Some(waiting) = &status.state.waiting else { continue };
        if waiting.reason == "CreateContainerConfigError"
            && !has_any(&waiting.message, &KUBELET_IS_BEHIND)
        {
            let why = format!("{}: {}", waiting.reason, waiting.message);
            let found = matched(why, [pod.added.by]);
            return Some(found.with_missing(missing::object(&waiting.message)));
        }
    }
    None
}

/// The command of a container is not in its image, or its mounts do not fit that.
fn missing_program(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    for status in facts.statuses().filter(|it| it.state.running.is_none()) {
        let message = start_errors(status).find(|it| cannot_start_as_described(it));
        if let Some(message) = message {
            let found = matched(message, [pod.added.by]).in_container(&status.name);
            return Some(found.with_missing(missing::program(message)));
        }
    }
    None
}

/// What the kubelet says of starts of this container that failed.
fn start_errors(status: &ContainerStatus) -> impl Iterator<Item = &String> {
    let ended = [&status.state.terminated, &status.last_state.terminated].into_iter().flatten();
    let ended = ended.filter(|it| it.is_failed_start()).map(|it| &it.message);
    let waiting = status.state.waiting.iter().filter(|it| {
        let reason = it.reason.as_str();
        matches!(reason, "CreateContainerError" | "RunContainerError" | "CrashLoopBackOff")
    });
    ended.chain(waiting.map(|it| &it.message))
}

/// What a volume is made from (a ConfigMap, a Secret, a path of the node) is not there.
fn missing_mount_source(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    if !is_creating(facts) || facts.may_have_come() {
        return None;
    }
    let lacks_it = |message: &str| {
        missing::object(message).is_some()
            || has_any(message, &["references non-existent", "hostpath type check failed"])
    };
    let (seq, reason, message) = facts.warning(|reason, message| {
        reason == "FailedMount"
            && !has_any(message, &KUBELET_IS_BEHIND)
            && describes(facts, message)
            && lacks_it(message)
    })?;
    let found = matched(format!("{reason}: {message}"), [seq, pod.added.by]);
    Some(found.with_missing(missing::object(message)))
}

/// Whether the template itself describes the volume that a message is about: what is behind a claim
/// is the cluster's.
fn describes(facts: &OrdinalFacts<'_>, message: &str) -> bool {
    let volumes = facts.timeline.set().map(|set| &set.spec.template.spec.volumes);
    let own = volumes
        .into_iter()
        .flatten()
        .filter(|it| it.persistent_volume_claim.is_none() && it.ephemeral.is_none());
    own.map(|it| format!("volume \"{}\"", it.name)).any(|it| message.contains(&it))
}

/// Whether the template itself limits the container's memory.
fn is_limited(facts: &OrdinalFacts<'_>, container: &str) -> bool {
    let template = facts.timeline.set().map(|set| &set.spec.template.spec);
    template
        .into_iter()
        .flat_map(|it| it.all_containers())
        .any(|it| it.name == container && it.resources.limits.contains_key("memory"))
}

/// Whose memory was used up when a container was killed for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// What the template's own limit gives the container.
    OwnLimit,
    /// The node's, or what a limit of the namespace gives.
    Node,
}

/// Why the kernel killed a container for its memory: the kubelet's reason is `OOMKilled` in both
/// cases.
fn memory_of(facts: &OrdinalFacts<'_>, container: &str) -> Memory {
    if is_limited(facts, container) { Memory::OwnLimit } else { Memory::Node }
}

/// A container that was killed for its memory, and started again at least twice: once may be
/// chance.
fn killed_for_memory(facts: &OrdinalFacts<'_>, memory: Memory) -> Option<Match> {
    const LEAST_RESTARTS: i32 = 2;
    let (status, _) = facts.crashing().find(|(it, ended)| {
        it.restart_count >= LEAST_RESTARTS
            && ended.is_out_of_memory()
            && memory_of(facts, &it.name) == memory
    })?;
    let limit = match memory {
        Memory::OwnLimit => "at its own memory limit",
        Memory::Node => "though the template sets it no memory limit",
    };
    let why = format!(
        "container {} was OOMKilled {limit}, {} times",
        status.name,
        status.restart_count.saturating_add(i32::from(status.state.terminated.is_some()))
    );
    Some(matched(why, facts.pod?.last_own_end()).in_container(&status.name))
}

/// The container used more memory than the template's own limit.
pub(crate) fn out_of_memory(facts: &OrdinalFacts<'_>) -> Option<Match> {
    killed_for_memory(facts, Memory::OwnLimit)
}

/// The container was killed for its memory, and the template limits none: the node, or a LimitRange
/// of the namespace, did.
pub(crate) fn node_out_of_memory(facts: &OrdinalFacts<'_>) -> Option<Match> {
    killed_for_memory(facts, Memory::Node)
}

/// A container ends again and again by its own doing, and one more start will not help (see
/// [`will_not_recover`]).
///
/// How it ended is what the kubelet tells in `state.terminated` or `lastState.terminated`. Not
/// meant: a container that was killed because the node had no memory left, and an init container
/// that has done its work. The rows above this one in the table have taken those that a probe
/// ended, and those that were killed at their own memory limit and restarted at least twice.
pub(crate) fn container_ends(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let (status, ended) = facts.crashing().find(|(it, ended)| {
        let is_killed_by_node =
            ended.is_out_of_memory() && memory_of(facts, &it.name) == Memory::Node;
        let is_done = !facts.is_long_running(&it.name) && ended.exit_code == 0;
        !is_killed_by_node && !is_done && will_not_recover(facts, it)
    })?;
    if may_be_ended_by_the_node(facts, &status.name) {
        return None;
    }
    let evidence = pod
        .last_own_end()
        .into_iter()
        .chain(facts.logs(&status.name).next_back().map(|(seq, _)| seq))
        .collect();
    let signal =
        if ended.signal > 0 { format!(", signal {}", ended.signal) } else { String::new() };
    let doubt = probe_doubt(facts, &status.name, ended.exit_code);
    let container = StuckContainer {
        exit_code: Some(ended.exit_code),
        wrote_nothing: facts.logs(&status.name).next_back().is_some_and(|(_, it)| it.is_empty()),
        may_fail_a_probe: doubt.is_some(),
        ..StuckContainer::named(&status.name)
    };
    let doubt = doubt.unwrap_or_default();
    let why = format!(
        "container {} ends (exit status {}{signal}), started {} times{doubt}",
        status.name,
        ended.exit_code,
        status.restart_count.saturating_add(1)
    );
    Some(Match { why, container: Some(container), missing: None, evidence })
}

/// Whether one more start of a container that ends will not help: the time is over, or it was
/// started five times, or it was started three times and ended with the same last words as before,
/// which do not speak of the network. One that runs has had its tries after two restarts.
fn will_not_recover(facts: &OrdinalFacts<'_>, status: &ContainerStatus) -> bool {
    /// Restarts after which nothing more is asked.
    const CERTAIN_RESTARTS: i32 = 4;
    /// Restarts after which the last words are compared.
    const LEAST_RESTARTS: i32 = 2;
    if status.state.running.is_some() {
        // It may still stay, unless it had its tries.
        return status.restart_count >= LEAST_RESTARTS;
    }
    if facts.step_time.is_over() || status.restart_count >= CERTAIN_RESTARTS {
        return true;
    }
    let mut logs = facts.logs(&status.name);
    let (Some((_, last)), Some((_, before))) = (logs.next_back(), logs.next_back()) else {
        return false;
    };
    let succeeds = [&status.state.terminated, &status.last_state.terminated]
        .into_iter()
        .flatten()
        .all(|it| it.exit_code == 0);
    let telling = succeeds || !last.is_empty();
    status.restart_count >= LEAST_RESTARTS
        && telling
        && are_alike(before, last)
        && !last.iter().any(|line| speaks_of_network(line))
}

/// Whether two starts had the same last words. What goes to standard output and to standard error
/// comes in any order.
fn are_alike(one: &[String], other: &[String]) -> bool {
    let sorted = |lines: &[String]| {
        let mut lines: Vec<String> = lines.iter().map(|it| without_digits(it)).collect();
        lines.sort();
        lines
    };
    sorted(one) == sorted(other)
}

/// A line as it would be at another time: dates, ports and process numbers differ at every start.
fn without_digits(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// A container that ends because something else is not there yet may still come up.
pub(super) fn speaks_of_network(line: &str) -> bool {
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

/// An init container that has run for a minute and does not end; a sidecar is none. One whose last
/// lines speak of the network may wait for the cluster, and is left out.
pub(crate) fn init_never_ends(facts: &OrdinalFacts<'_>) -> Option<Match> {
    const LEAST_SECONDS: u64 = 60;
    let pod = facts.pod?;
    let is_sidecar = |name: &str| {
        pod.spec().init_containers.iter().any(|it| it.name == name && it.restart_policy == "Always")
    };
    let status = pod
        .pod
        .status
        .init_container_statuses
        .iter()
        .find(|it| it.state.running.is_some() && !is_sidecar(&it.name))?;
    let waits = facts.log(&status.name).iter().any(|line| speaks_of_network(line));
    if facts.seconds_since_start(pod, status) < LEAST_SECONDS || waits {
        return None;
    }
    let why = format!("init container {} does not end", status.name);
    Some(matched(why, [pod.added.by]).in_container(&status.name))
}
