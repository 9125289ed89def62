//! What the probes of a pod show: containers that the kubelet ends, and pods that are never Ready.
//!
//! A probe that gets no answer in its time may be at fault itself, or the node: a busy one starts
//! the probe's command late. The node is measured by the grader's own commands in the set's pods.

use crate::model::diagnosis::recognise::{has_any, matched};
use crate::model::{
    diagnosis::{Match, facts::OrdinalFacts},
    observation::{
        NANOS_PER_SECOND, NOT_DONE, Read, Seq,
        object::{Container, ContainerStatus, Probe},
    },
    obstacle::ProbeKind,
    timeline::{kills::ended_for_a_probe, lives::PodLife},
};

/// Exit statuses of a container that SIGKILL or SIGTERM ended.
const ENDED_BY_SIGNAL: [i32; 2] = [137, 143];

/// Restarts after which a probe that fails is no chance any more.
const LEAST_RESTARTS: i32 = 2;

/// A container that the kubelet ended for its probe.
struct Ended<'t> {
    status: &'t ContainerStatus,
    probe: ProbeKind,
    /// The kubelet's words.
    said: &'t str,
    evidence: Vec<Seq>,
}

/// The kubelet ends the container, not its own command.
pub(crate) fn liveness_fails(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let found = ended_by_a_probe(facts)?;
    (!found.may_be_the_nodes(facts)).then(|| found.matched())
}

/// A probe gets no answer in time, and the node may be the cause: the kubelet ends the container
/// for it, or may have ended it, or the pod is never Ready.
pub(crate) fn probe_unanswered(facts: &OrdinalFacts<'_>) -> Option<Match> {
    /// Restarts after which a node that is busy is not waited for any more: between two more lie
    /// minutes.
    const MAX_RESTARTS: i32 = 4;
    let has_had_its_tries = facts.statuses().any(|it| it.restart_count >= MAX_RESTARTS);
    if !facts.step_time.is_over() && !has_had_its_tries {
        return None;
    }
    if let Some(found) = ended_by_the_node(facts) {
        return Some(found);
    }
    let found = unready(facts).filter(|_| facts.step_time.is_over())?;
    found.may_be_the_nodes(facts).then(|| found.matched())
}

/// Whether it is this container that the kubelet ends, or may have ended, because the node is busy.
pub(super) fn may_be_ended_by_the_node(facts: &OrdinalFacts<'_>, container: &str) -> bool {
    ended_by_the_node(facts).is_some_and(|it| it.container.is_some_and(|it| it.name == container))
}

fn ended_by_the_node(facts: &OrdinalFacts<'_>) -> Option<Match> {
    match ended_by_a_probe(facts) {
        Some(found) => found.may_be_the_nodes(facts).then(|| found.matched()),
        None => may_have_been_ended_late(facts),
    }
}

/// A probe that had its fair time: what the readiness and the startup probe ask for themselves, and
/// some more.
pub(crate) fn probe_fails(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let found = unready(facts)?;
    (!found.may_be_the_nodes(facts)).then(|| found.matched())
}

/// That the kubelet may have ended this container of the pod, which ended with this status, for its
/// probe, in words. A busy node loses its Events, and with them the kubelet's word of it.
pub(super) fn probe_doubt(facts: &OrdinalFacts<'_>, name: &str, exit_code: i32) -> Option<String> {
    let pod = facts.pod?;
    may_be_ended_by_a_probe(pod, name, exit_code).then(|| {
        format!(
            "; or its liveness or startup probe fails, and the kubelet ends it: `kubectl describe \
            pod {} -n {}` tells",
            pod.name(),
            facts.timeline.namespace()
        )
    })
}

/// Whether a container that ended with this status may have been ended for its probe.
fn may_be_ended_by_a_probe(pod: &PodLife, name: &str, exit_code: i32) -> bool {
    // By the signal, or with 0, where it handles SIGTERM.
    let may_follow_a_stop = exit_code == 0 || ENDED_BY_SIGNAL.contains(&exit_code);
    may_follow_a_stop && probes_that_end(pod, name).next().is_some()
}

fn container<'t>(pod: &'t PodLife, name: &str) -> Option<&'t Container> {
    pod.spec().containers.iter().find(|it| it.name == name)
}

/// The probes on whose failure the kubelet ends a container.
fn probes_that_end<'t>(pod: &'t PodLife, name: &str) -> impl Iterator<Item = &'t Probe> {
    let container = container(pod, name).into_iter();
    container.flat_map(|it| it.liveness_probe.iter().chain(&it.startup_probe))
}

/// The container that the kubelet ended for its probe: it says so, or a signal ended it while the
/// probe failed.
///
/// A container that ends by itself fails its probe, too, for the moment.
fn ended_by_a_probe<'t>(facts: &OrdinalFacts<'t>) -> Option<Ended<'t>> {
    let pod = facts.pod?;
    let (status, ended) = facts.crashing().find(|(it, _)| {
        it.restart_count >= LEAST_RESTARTS && probes_that_end(pod, &it.name).next().is_some()
    })?;
    let killed = facts
        .timeline
        .events_about(pod.uid())
        .filter(|(_, it)| ended_for_a_probe(it) == Some(&status.name))
        .last();
    let is_of_it = |reason: &str, message: &str| {
        reason == "Unhealthy" && has_any(message, &["liveness", "startup"])
    };
    // A container that a busy node ended once may end by itself from then on.
    let unanswered =
        facts.warning(|reason, message| is_of_it(reason, message) && has_no_answer(message));
    let failed = unanswered.or_else(|| facts.warning(is_of_it));
    // What it ends the container for is in that word; a probe may fail beside the one that does.
    let words = killed.as_ref().map(|(_, it)| it.message.as_str());
    let said = match (&killed, &failed) {
        (None, Some((_, _, message))) if ENDED_BY_SIGNAL.contains(&ended.exit_code) => message,
        (Some(_), Some((_, _, message))) => message,
        (Some((_, event)), None) => event.message.as_str(),
        (None, _) => return None,
    };
    let probe = kind_of(words.unwrap_or(said)).unwrap_or(ProbeKind::Liveness);
    // A command that failed without a word leaves nothing after the colon.
    let said = said.trim_end().trim_end_matches(':');
    let evidence = killed.iter().map(|(seq, _)| *seq).chain(failed.iter().map(|(seq, ..)| *seq));
    Some(Ended { status, probe, said, evidence: evidence.collect() })
}

impl Ended<'_> {
    fn may_be_the_nodes(&self, facts: &OrdinalFacts<'_>) -> bool {
        let container = facts.pod.and_then(|pod| container(pod, &self.status.name));
        let Some(container) = container else { return false };
        let probe = match self.probe {
            ProbeKind::Startup => &container.startup_probe,
            _ => &container.liveness_probe,
        };
        probe.as_ref().is_some_and(|it| may_be_the_nodes(facts, it, self.said))
    }

    fn matched(self) -> Match {
        let Self { status, probe, said, evidence } = self;
        let (name, times) = (&status.name, status.restart_count);
        let why = format!("container {name} was ended {times} times by the kubelet: {said}");
        matched(why, evidence).in_container(name).of_a_probe(probe)
    }
}

/// A container that the kubelet may have ended for its probe, without a word of it, on a node that
/// was late with the grader's own commands, too.
fn may_have_been_ended_late(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let (status, ended) = facts.crashing().find(|(it, ended)| {
        it.restart_count >= LEAST_RESTARTS
            && may_be_ended_by_a_probe(pod, &it.name, ended.exit_code)
            && probes_that_end(pod, &it.name).any(|it| NodeSpeed::of(facts, it).is_slow())
    })?;
    let why = format!(
        "container {} was started {} times (it ended with exit status {}), and the kubelet may \
        have ended it for its probe: the node was busy, and commands of the grader in the set's \
        pods, too, took longer than the probe may",
        status.name,
        status.restart_count.saturating_add(1),
        ended.exit_code
    );
    Some(matched(why, pod.last_own_end()).in_container(&status.name))
}

/// A container that runs and is not Ready, though its probe had its time.
struct Unready<'t> {
    status: &'t ContainerStatus,
    /// The one that the kubelet says has failed; without a word of it its readiness probe, or the
    /// startup probe where it has no other.
    probe: (ProbeKind, &'t Probe),
    /// The kubelet's last words of that.
    said: Option<&'t str>,
    evidence: Vec<Seq>,
}

fn unready<'t>(facts: &OrdinalFacts<'t>) -> Option<Unready<'t>> {
    const EXTRA_SECONDS: u64 = 20;
    let pod = facts.pod?;
    let time = |probe: &Probe| u64::try_from(probe.seconds_to_fail()).unwrap_or(0);
    let with_probes = |status: &'t ContainerStatus| {
        let container = container(pod, &status.name)?;
        let readiness = container.readiness_probe.iter().map(|it| (ProbeKind::Readiness, it));
        let startup = container.startup_probe.iter().map(|it| (ProbeKind::Startup, it));
        let probes = readiness.chain(startup);
        Some((status, probes.clone().next()?, probes.map(|(_, it)| time(it)).sum::<u64>()))
    };
    let statuses = pod.pod.status.container_statuses.iter();
    let mut unready = statuses.filter(|it| it.state.running.is_some() && !it.ready);
    let (status, probe, seconds_to_fail) = unready.find_map(with_probes)?;
    if facts.running_for() < seconds_to_fail + EXTRA_SECONDS {
        return None;
    }
    // The kubelet's events may be lost where the node is busy: they tell why, not that.
    let said = facts.warning(|reason, _| reason == "Unhealthy");
    let named = said.and_then(|(_, _, message)| kind_of(message)).and_then(|kind| {
        let probe = match kind {
            ProbeKind::Readiness => &container(pod, &status.name)?.readiness_probe,
            ProbeKind::Startup => &container(pod, &status.name)?.startup_probe,
            ProbeKind::Liveness => return None,
        };
        Some((kind, probe.as_ref()?))
    });
    let probe = named.unwrap_or(probe);
    let evidence = said.iter().map(|(seq, ..)| *seq).chain([pod.added.by]).collect();
    Some(Unready { status, probe, said: said.map(|(_, _, message)| message), evidence })
}

impl Unready<'_> {
    fn may_be_the_nodes(&self, facts: &OrdinalFacts<'_>) -> bool {
        let is_late = || NodeSpeed::of(facts, self.probe.1).late > 0;
        self.said.is_some_and(|it| has_no_answer(it) && is_late())
    }

    fn matched(self) -> Match {
        let Self { status, probe: (probe, _), said, evidence } = self;
        let said = said.unwrap_or("its probe has not succeeded in all its time");
        let why = format!("container {} runs but is not Ready: {said}", status.name);
        matched(why, evidence).in_container(&status.name).of_a_probe(probe)
    }
}

impl Match {
    /// The same, of a container whose probe fails.
    fn of_a_probe(mut self, probe: ProbeKind) -> Self {
        if let Some(container) = &mut self.container {
            container.failing_probe = Some(probe);
        }
        self
    }
}

/// Which probe these words of the kubelet are of (`prober.go` in `pkg/kubelet/prober`,
/// `kuberuntime_manager.go` in `pkg/kubelet/kuberuntime`).
fn kind_of(said: &str) -> Option<ProbeKind> {
    let kinds = [
        ("liveness probe", ProbeKind::Liveness),
        ("readiness probe", ProbeKind::Readiness),
        ("startup probe", ProbeKind::Startup),
    ];
    kinds.into_iter().find_map(|(words, kind)| has_any(said, &[words]).then_some(kind))
}

/// Whether a probe that failed with these words of the kubelet may have failed by the node: it got
/// no answer in its time, and the grader's own commands were late, too; or all of them were.
///
/// A container that a busy node ended once may end by itself from then on, and of Events some are
/// lost.
fn may_be_the_nodes(facts: &OrdinalFacts<'_>, probe: &Probe, said: &str) -> bool {
    let node = NodeSpeed::of(facts, probe);
    node.is_slow() || has_no_answer(said) && node.late > 0
}

/// Whether the kubelet says of a probe that it got no answer in its time: of a command
/// (`ErrCommandTimedOut` in `k8s.io/cri-client`), of HTTP, of TCP and of gRPC (`pkg/probe` in
/// Kubernetes). What a command itself printed is an answer.
fn has_no_answer(said: &str) -> bool {
    let Some((_, what)) = said.split_once(" probe failed: ") else { return false };
    let ends_late = |words: [&str; 2]| words.iter().any(|it| what.contains(it));
    what.starts_with("command timed out")
        || what.starts_with("command \"") && what.contains("\" timed out")
        || what.starts_with("Get \"") && ends_late(["deadline exceeded", "i/o timeout"])
        || what.starts_with("dial tcp ") && what.contains("i/o timeout")
        || what.starts_with("timeout: ")
}

/// How many of the grader's own commands in the set's containers were answered in the time that a
/// probe may take, and how many were not.
#[derive(Default)]
struct NodeSpeed {
    in_time: usize,
    late: usize,
}

impl NodeSpeed {
    fn of(facts: &OrdinalFacts<'_>, probe: &Probe) -> Self {
        /// A probe that may take so many seconds does not fail because a node is busy.
        const ENOUGH_SECONDS: i32 = 10;
        if probe.timeout_seconds >= ENOUGH_SECONDS {
            return Self { in_time: 1, late: 0 };
        }
        let allowed = u64::try_from(probe.timeout_seconds.max(1)).unwrap_or(1) * NANOS_PER_SECOND;
        let mut speed = Self::default();
        for pod in facts.timeline.lanes().flat_map(|(_, lane)| lane) {
            // To make a container of the grader's own takes longer than a command in one that runs.
            let is_one = |it: &Read| container(pod, &it.container).is_some() && is_short(it);
            for read in facts.timeline.reads_of(pod.uid()).filter(|it| is_one(&it.what)) {
                if read.at.saturating_sub(read.what.began) > allowed {
                    speed.late += 1;
                } else {
                    speed.in_time += 1;
                }
            }
        }
        speed
    }

    /// There were some, and none was answered in that time.
    const fn is_slow(&self) -> bool {
        self.in_time == 0 && self.late > 0
    }
}

/// Whether a reading is as much work as a probe may be: few files, or none because it was not done
/// in time.
fn is_short(read: &Read) -> bool {
    const MAX_FILES: usize = 20;
    match &read.error {
        Some(why) => why.starts_with(NOT_DONE),
        None => !read.searched && read.left_out == 0 && read.files.len() <= MAX_FILES,
    }
}
