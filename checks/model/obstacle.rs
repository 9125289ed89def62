//! Obstacles: why the set cannot get where it was asked to go, and whose fault that is.
//!
//! [`ROWS`] is the one table of faults. A row looks at one pod (or at the set that cannot make it)
//! and either recognises its case or not; the first that does names the obstacle. Where no row is
//! sure, the cluster is to blame: a wrong Fail is worse than another run.

use serde::Serialize;

use super::{
    object::{ContainerStatus, PersistentVolumeClaim},
    observation::{Diagnosis, Seq},
    lives::Incarnation,
    timeline::Timeline,
    verdict::Outcome,
};

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// The submission's: points are lost.
    Submission,
    /// The cluster's, or nobody knows: points are undecided.
    Cluster,
}

impl Fault {
    /// What it makes of a check that it blocks.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Submission => Outcome::Fail,
            Self::Cluster => Outcome::Inconclusive,
        }
    }
}

/// What stands in the way. Found once, in the timeline; every check that cannot be reached names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The row of the table, or `no_stateful_set` and the like.
    pub id: &'static str,
    /// The object that is stuck.
    pub who: String,
    /// Whose fault.
    pub fault: Fault,
    /// The cluster's own words.
    pub why: String,
    /// The last lines of the container's log, where it has one.
    pub log: Vec<String>,
    /// What to do about it.
    pub remedy: &'static str,
    /// The lines of the recording that show it.
    pub evidence: Vec<Seq>,
}

/// When a row may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// As soon as it is seen: waiting on cannot help.
    AtOnce,
    /// Only when the time has run out: it may still pass.
    OutOfTime,
}

/// One row of the table of faults.
struct Row {
    id: &'static str,
    fault: Fault,
    speaks: Speaks,
    remedy: &'static str,
    sees: fn(&Facts<'_>) -> Option<Sight>,
}

/// What a row recognised.
struct Sight {
    why: String,
    evidence: Vec<Seq>,
}

/// What a row looks at.
struct Facts<'t> {
    timeline: &'t Timeline,
    /// The ordinal that is not where it should be.
    ordinal: i32,
    /// Its pod, where there is one.
    pod: Option<&'t Incarnation>,
    out_of_time: bool,
}

use Fault::{Cluster, Submission};
use Speaks::{AtOnce, OutOfTime};

/// The table "whose fault", first match wins.
const ROWS: &[Row] = &[
    Row { id: "image_unreachable", fault: Cluster, speaks: OutOfTime, sees: image_unreachable,
        remedy: "The registry did not hand out the image. Nothing is wrong with your manifest: grade again when the registry answers." },
    Row { id: "image_missing", fault: Submission, speaks: AtOnce, sees: image_missing,
        remedy: "Correct `image:` in the pod template: the registry says that this image does not exist or may not be pulled." },
    Row { id: "config_error", fault: Submission, speaks: AtOnce, sees: config_error,
        remedy: "The container cannot be made from its own spec. Correct what the message names (a command that is not in the image, a ConfigMap or Secret that is missing)." },
    Row { id: "out_of_memory", fault: Submission, speaks: AtOnce, sees: out_of_memory,
        remedy: "The container needs more memory than its own limit. Raise `resources.limits.memory` or use less." },
    Row { id: "container_ends", fault: Submission, speaks: AtOnce, sees: container_ends,
        remedy: "The container's command ends, so the pod never stays Ready. Read its last lines above, mend the command, and let it end in a program that keeps running. A start-up command must also work on a volume that is not empty any more: `mkdir -p`, `[ -f file ] ||`." },
    Row { id: "evicted", fault: Cluster, speaks: OutOfTime, sees: evicted,
        remedy: "The node removed the pod for its own reasons. Nothing is wrong with your manifest: grade again." },
    Row { id: "probe_fails", fault: Submission, speaks: OutOfTime, sees: probe_fails,
        remedy: "The container runs, but its readiness probe kept failing. Make the probe ask what the container really answers (path, port, command)." },
    Row { id: "class_missing", fault: Submission, speaks: AtOnce, sees: class_missing,
        remedy: "The volumeClaimTemplate names a StorageClass that does not exist. Leave `storageClassName` out to get the default one, or name one that `kubectl get storageclass` lists." },
    Row { id: "class_none", fault: Submission, speaks: AtOnce, sees: class_none,
        remedy: "`storageClassName: \"\"` asks for a volume made by hand, and there is none. Leave the field out to get the default class." },
    Row { id: "no_default_class", fault: Cluster, speaks: AtOnce, sees: no_default_class,
        remedy: "The cluster has no default StorageClass. Ask for one, or name an existing class in `storageClassName`." },
    Row { id: "claim_missing", fault: Submission, speaks: OutOfTime, sees: claim_missing,
        remedy: "The pod names a claim that does not exist. Let `volumeClaimTemplates` make one for each pod." },
    Row { id: "claim_pending", fault: Cluster, speaks: OutOfTime, sees: claim_pending,
        remedy: "The cluster did not provide the volume. Nothing is wrong with your manifest: grade again when it does." },
    Row { id: "placement_impossible", fault: Submission, speaks: AtOnce, sees: placement_impossible,
        remedy: "No node can ever take the pod as it asks. Remove the nodeSelector or affinity, or ask for less CPU and memory." },
    Row { id: "no_room", fault: Cluster, speaks: OutOfTime, sees: no_room,
        remedy: "The cluster has no room for the pod now. Nothing is wrong with your manifest: grade again when there is room." },
    Row { id: "volume_not_mounted", fault: Cluster, speaks: OutOfTime, sees: volume_not_mounted,
        remedy: "The node could not mount the volume in time. Nothing is wrong with your manifest: grade again." },
    Row { id: "quota", fault: Cluster, speaks: AtOnce, sees: quota,
        remedy: "The namespace's quota leaves no room. Remove what is not needed in the namespace, or ask for more." },
    Row { id: "pod_refused", fault: Submission, speaks: AtOnce, sees: pod_refused,
        remedy: "The API server refuses the pods that the template describes. Correct what the message names." },
    Row { id: "still_terminating", fault: Cluster, speaks: OutOfTime, sees: still_terminating,
        remedy: "The pod did not go within its grace period. Grade again; if it stays, ask whoever runs the cluster." },
    Row { id: "never_ready", fault: Cluster, speaks: OutOfTime, sees: never_ready,
        remedy: "It was not Ready in the time allowed. Grade again with a longer `--timeout`." },
];

/// The ids of the table, for documentation and tests.
pub fn rows() -> impl Iterator<Item = (&'static str, Fault, &'static str)> {
    ROWS.iter().map(|row| (row.id, row.fault, row.remedy))
}

/// The first obstacle, if the set is not where it was asked to be and a row knows why.
///
/// `out_of_time` says that waiting is over, so that what might have passed has not.
pub(super) fn find(timeline: &Timeline, out_of_time: bool) -> Option<Obstacle> {
    let Some(set) = timeline.set() else { return nothing_there(timeline) };
    if set.gone.is_some() || set.asked_to_go.is_some() {
        return Some(Obstacle {
            id: "set_deleted",
            who: set.name.clone(),
            fault: Cluster,
            why: "somebody deleted the StatefulSet while it was graded".to_owned(),
            log: vec![],
            remedy: "Leave the namespace alone while it is graded, apply the StatefulSet again, and grade again.",
            evidence: set.gone.or(set.asked_to_go).map(|when| when.by).into_iter().collect(),
        });
    }
    let wanted = set.spec.replicas.unwrap_or(1);
    if wanted == 0 && timeline.replicas() == 0 {
        return Some(Obstacle {
            id: "zero_replicas",
            who: set.name.clone(),
            fault: Submission,
            why: "the StatefulSet asks for 0 replicas".to_owned(),
            log: vec![],
            remedy: "Set `spec.replicas` to 3 or more.",
            evidence: vec![set.changed.by],
        });
    }
    let start = timeline.start();
    let missing = (start..start.saturating_add(wanted)).filter(|ordinal| timeline.live(*ordinal).is_none_or(|pod| !pod.is_ready() || pod.ended == Some(timeline.last())));
    let leaving = timeline.owned().filter(|pod| pod.ordinal >= start.saturating_add(wanted)).map(|pod| pod.ordinal);
    let stuck: Vec<i32> = missing.chain(leaving).collect();
    // A pod that is there and broken explains more than one that is not there yet.
    let candidates = || stuck.iter().map(|ordinal| Facts { timeline, ordinal: *ordinal, pod: timeline.live(*ordinal), out_of_time });
    let found = candidates().filter(|facts| facts.pod.is_some()).find_map(|facts| facts.ask());
    found.or_else(|| candidates().filter(|facts| facts.pod.is_none()).find_map(|facts| facts.ask()))
}

fn nothing_there(timeline: &Timeline) -> Option<Obstacle> {
    let (seq, subject) = timeline.subject.as_ref()?;
    let instead = subject.others.join(", ");
    let (id, why, remedy) = if subject.others.is_empty() {
        ("no_stateful_set", "the namespace holds no StatefulSet".to_owned(), "Write a headless Service and a StatefulSet, and apply them to this namespace.")
    } else {
        ("no_stateful_set_but_others", format!("the namespace holds no StatefulSet, but {instead}"), "Use `kind: StatefulSet` (apiVersion apps/v1) with `serviceName` and `volumeClaimTemplates`: a Deployment's pods have random names and no storage of their own.")
    };
    Some(Obstacle { id, who: format!("namespace {}", subject.namespace), fault: Submission, why, log: vec![], remedy, evidence: vec![*seq] })
}

impl<'t> Facts<'t> {
    fn ask(&self) -> Option<Obstacle> {
        ROWS.iter().filter(|row| self.out_of_time || row.speaks == AtOnce).find_map(|row| {
            let sight = (row.sees)(self)?;
            Some(Obstacle {
                id: row.id,
                who: self.name(),
                fault: row.fault,
                why: sight.why,
                log: self.log(),
                remedy: row.remedy,
                evidence: sight.evidence,
            })
        })
    }

    fn name(&self) -> String {
        self.pod.map_or_else(|| format!("{}-{}", self.timeline.set().map_or("", |set| &set.name), self.ordinal), |pod| pod.name().to_owned())
    }

    /// Whether the submission itself asks for this ordinal, not only the tour.
    fn is_the_submissions(&self) -> bool {
        self.timeline.ordinals().contains(&self.ordinal)
    }

    fn statuses(&self) -> impl Iterator<Item = &'t ContainerStatus> {
        self.pod.into_iter().flat_map(|pod| pod.pod.status.init_container_statuses.iter().chain(&pod.pod.status.container_statuses))
    }

    /// The words with which containers wait, and what the events say of their pulls.
    fn pull_trouble(&self) -> Option<(String, Vec<Seq>)> {
        const PULL: [&str; 6] = ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable"];
        let waiting = self.statuses().filter_map(|it| it.state.waiting.as_ref()).find(|it| PULL.contains(&it.reason.as_str()))?;
        let pod = self.pod?;
        let event = self.timeline.warnings(pod.uid()).rfind(|(_, it)| it.reason == "Failed" && it.message.contains("pull"));
        let mut evidence: Vec<Seq> = event.iter().map(|(seq, _)| *seq).collect();
        evidence.push(pod.added.by);
        let said = event.map(|(_, it)| it.message.as_str()).unwrap_or_default();
        let words = if waiting.message.len() > said.len() { &waiting.message } else { said };
        Some((format!("{}: {words}", waiting.reason), evidence))
    }

    /// The claims of the pod that are not Bound, with what is said of them.
    fn pending_claims(&self) -> impl Iterator<Item = (&'t PersistentVolumeClaim, String, Vec<Seq>)> {
        let timeline = self.timeline;
        self.pod.into_iter().flat_map(Incarnation::claims).filter_map(move |(_, name)| {
            let life = timeline.claim(&name).last().filter(|it| it.gone.is_none() && it.claim.status.phase == "Pending")?;
            let words: Vec<_> = timeline.claim_words(life.uid()).collect();
            let said = words.last().map(|(_, message)| message.clone()).unwrap_or_default();
            Some((&life.claim, said, words.iter().map(|(seq, _)| *seq).collect()))
        })
    }

    /// What the scheduler said, when it found no node.
    fn unschedulable(&self) -> Option<&'t str> {
        let conditions = &self.pod?.pod.status.conditions;
        conditions.iter().find(|it| it.r#type == "PodScheduled" && it.status == "False").map(|it| it.message.as_str())
    }

    /// Why the set could not create its pod.
    fn failed_create(&self) -> Option<(&'t str, Seq)> {
        if self.pod.is_some() {
            return None;
        }
        let set = self.timeline.set()?;
        let name = self.name();
        self.timeline.warnings(&set.uid).rfind(|(_, it)| it.reason == "FailedCreate" && it.message.contains(&name)).map(|(seq, it)| (it.message.as_str(), seq))
    }

    /// The last lines of the container that ended, newest recording first.
    fn log(&self) -> Vec<String> {
        self.logs().next_back().map(|(_, lines)| lines.to_vec()).unwrap_or_default()
    }

    fn logs(&self) -> impl DoubleEndedIterator<Item = (Seq, &'t [String])> {
        let uid = self.pod.map_or("", Incarnation::uid);
        self.timeline.diagnoses.iter().filter_map(move |it| match &it.what {
            Diagnosis::Logs { pod, lines, .. } if pod.uid == uid => Some((it.seq, lines.as_slice())),
            _ => None,
        })
    }
}

fn sight(why: impl Into<String>, evidence: impl IntoIterator<Item = Seq>) -> Option<Sight> {
    Some(Sight { why: why.into(), evidence: evidence.into_iter().collect() })
}

fn has_any(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

fn image_unreachable(facts: &Facts<'_>) -> Option<Sight> {
    let (words, evidence) = facts.pull_trouble()?;
    reachability(&words).then_some(Sight { why: words, evidence })
}

/// Words by which a registry, or the way to it, fails, as opposed to the image's name.
fn reachability(words: &str) -> bool {
    const TROUBLE: [&str; 16] = [
        "429", "toomanyrequests", "too many requests", "timeout", "timed out", "deadline exceeded", "refused", "no such host", "x509", "tls:", "500 ", "502", "503", "504",
        "connection reset", "server misbehaving",
    ];
    has_any(words, &TROUBLE) || has_any(words, &["unreachable", "eof", "internal server error", "network is"])
}

fn image_missing(facts: &Facts<'_>) -> Option<Sight> {
    let (words, evidence) = facts.pull_trouble()?;
    let missing = ["not found", "manifest unknown", "pull access denied", "invalid reference", "invalidimagename", "couldn't parse", "errimageneverpull", "repository does not exist", "insufficient_scope", "unauthorized"];
    (has_any(&words, &missing) && !reachability(&words)).then_some(Sight { why: words, evidence })
}

fn config_error(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod?;
    let waiting = facts.statuses().filter_map(|it| it.state.waiting.as_ref()).find(|it| it.reason == "CreateContainerConfigError");
    if let Some(waiting) = waiting {
        return sight(format!("{}: {}", waiting.reason, waiting.message), [pod.added.by]);
    }
    let cannot_start = |message: &str| has_any(message, &["executable file not found", "no such file or directory", "permission denied: unknown", "exec format error"]);
    let ended = facts.statuses().flat_map(|it| {
        let waiting = it.state.waiting.iter().filter(|it| matches!(it.reason.as_str(), "CreateContainerError" | "RunContainerError" | "CrashLoopBackOff")).map(|it| &it.message);
        let ended = [&it.state.terminated, &it.last_state.terminated].into_iter().flatten().filter(|it| matches!(it.reason.as_str(), "StartError" | "ContainerCannotRun")).map(|it| &it.message);
        ended.chain(waiting)
    });
    let message = ended.into_iter().find(|message| cannot_start(message))?;
    sight(message, [pod.added.by])
}

fn out_of_memory(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod?;
    let limited = |name: &str| pod.spec().containers.iter().any(|it| it.name == name && it.resources.limits.contains_key("memory"));
    let status = facts.statuses().find(|it| {
        it.restart_count >= 2 && limited(&it.name) && [&it.state.terminated, &it.last_state.terminated].into_iter().flatten().any(|it| it.reason == "OOMKilled")
    })?;
    sight(format!("container {} was OOMKilled at its own memory limit, {} times", status.name, status.restart_count), pod.ended)
}

fn container_ends(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod.filter(|pod| pod.asked_to_go.is_none())?;
    let status = facts.statuses().find(|it| {
        let is_init = !pod.spec().containers.iter().any(|container| container.name == it.name);
        let ended = it.state.terminated.as_ref().or(it.last_state.terminated.as_ref());
        ended.is_some_and(|ended| !(is_init && ended.exit_code == 0 && it.restart_count == 0)) && it.restart_count > 0
    })?;
    let ended = status.state.terminated.as_ref().or(status.last_state.terminated.as_ref())?;
    let logs: Vec<_> = facts.logs().collect();
    let same_twice = matches!(logs.as_slice(), [.., (_, before), (_, last)] if before == last && !last.is_empty() && !last.iter().any(|line| speaks_of_network(line)));
    let evidence = pod.ended.into_iter().chain(logs.last().map(|(seq, _)| *seq));
    let enough = status.restart_count >= 4 || status.restart_count >= 2 && same_twice || facts.out_of_time;
    enough.then(|| Sight {
        why: format!("container {} ends (exit status {}{}), started {} times", status.name, ended.exit_code, if ended.signal > 0 { format!(", signal {}", ended.signal) } else { String::new() }, status.restart_count + 1),
        evidence: evidence.collect(),
    })
}

/// A container that ends because something else is not there yet may still come up.
fn speaks_of_network(line: &str) -> bool {
    has_any(line, &["network", "connect", "resolve", "lookup", "timeout", "timed out", "unreachable", "dns", "no such host", "bad address", "refused"])
}

fn evicted(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod?;
    let status = &pod.pod.status;
    let disrupted = status.conditions.iter().find(|it| it.r#type == "DisruptionTarget" && it.status == "True");
    if has_any(&status.reason, &["evicted", "preempting", "nodelost", "nodeaffinity", "outof", "unexpectedadmissionerror", "shutdown"]) {
        return sight(format!("{}: {}", status.reason, status.message), [pod.added.by]);
    }
    disrupted.and_then(|it| sight(format!("{}: {}", it.reason, it.message), [pod.added.by]))
}

fn probe_fails(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod.filter(|pod| pod.asked_to_go.is_none())?;
    let spec = pod.spec();
    let probed = |name: &str| spec.containers.iter().any(|it| it.name == name && (it.readiness_probe.is_some() || it.startup_probe.is_some()));
    let status = pod.pod.status.container_statuses.iter().find(|it| it.state.running.is_some() && !it.ready && probed(&it.name))?;
    let event = facts.timeline.warnings(pod.uid()).rfind(|(_, it)| it.reason == "Unhealthy");
    let said = event.map_or_else(|| "no word of it in the events".to_owned(), |(_, it)| it.message.clone());
    sight(format!("container {} runs but is not Ready: {said}", status.name), event.map(|(seq, _)| seq).into_iter().chain([pod.added.by]))
}

fn class_missing(facts: &Facts<'_>) -> Option<Sight> {
    facts.pending_claims().find_map(|(claim, said, evidence)| {
        let class = claim.spec.as_ref()?.storage_class_name.as_deref().filter(|it| !it.is_empty())?;
        let known_missing = facts.timeline.storage_classes().is_some_and(|classes| classes.iter().all(|it| it.name != class));
        let told = said.contains("storageclass") && said.contains("not found");
        (told || known_missing).then(|| Sight { why: format!("claim {} names StorageClass {class:?}, which does not exist: {said}", claim.metadata.name), evidence })
    })
}

fn class_none(facts: &Facts<'_>) -> Option<Sight> {
    facts.pending_claims().find_map(|(claim, said, evidence)| {
        let none = claim.spec.as_ref()?.storage_class_name.as_deref() == Some("");
        (none && said.contains("no storage class is set")).then(|| Sight { why: format!("claim {}: {said}", claim.metadata.name), evidence })
    })
}

fn no_default_class(facts: &Facts<'_>) -> Option<Sight> {
    facts.pending_claims().find_map(|(claim, said, evidence)| {
        let unnamed = claim.spec.as_ref()?.storage_class_name.is_none();
        (unnamed && said.contains("no storage class is set")).then(|| Sight { why: format!("claim {} names no StorageClass and the cluster has no default one: {said}", claim.metadata.name), evidence })
    })
}

fn claim_missing(facts: &Facts<'_>) -> Option<Sight> {
    let message = facts.unschedulable().filter(|it| it.contains("persistentvolumeclaim") && it.contains("not found") && !it.contains("ephemeral volume controller"))?;
    sight(message, [facts.pod?.added.by])
}

fn claim_pending(facts: &Facts<'_>) -> Option<Sight> {
    facts.pending_claims().next().map(|(claim, said, evidence)| Sight { why: format!("claim {} is Pending: {said}", claim.metadata.name), evidence })
}

fn placement_impossible(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod.filter(|_| facts.is_the_submissions())?;
    let message = facts.unschedulable()?;
    let spec = pod.spec();
    let picky = !spec.node_selector.is_empty() || spec.affinity.is_some() || !spec.topology_spread_constraints.is_empty();
    let by_selector = picky && has_any(message, &["node affinity/selector", "affinity rules", "topology spread"]);
    // The scheduler calls preemption unhelpful for resources only where the request exceeds what the node has in all.
    let too_large = has_any(message, &["insufficient cpu", "insufficient memory"]) && message.contains("Preemption is not helpful") && !has_any(message, &["no preemption victims"]);
    (by_selector || too_large).then(|| Sight { why: message.to_owned(), evidence: vec![pod.added.by] })
}

fn no_room(facts: &Facts<'_>) -> Option<Sight> {
    sight(facts.unschedulable()?, [facts.pod?.added.by])
}

fn volume_not_mounted(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod?;
    let creating = facts.statuses().any(|it| it.state.waiting.as_ref().is_some_and(|it| matches!(it.reason.as_str(), "ContainerCreating" | "PodInitializing")));
    let event = facts.timeline.warnings(pod.uid()).rfind(|(_, it)| matches!(it.reason.as_str(), "FailedMount" | "FailedAttachVolume"));
    match event {
        Some((seq, event)) if creating => sight(format!("{}: {}", event.reason, event.message), [seq]),
        _ => None,
    }
}

fn quota(facts: &Facts<'_>) -> Option<Sight> {
    let (message, seq) = facts.failed_create().filter(|(message, _)| message.contains("exceeded quota"))?;
    sight(message, [seq])
}

fn pod_refused(facts: &Facts<'_>) -> Option<Sight> {
    let (message, seq) = facts.failed_create().filter(|(message, _)| has_any(message, &["violates podsecurity", "is invalid", "forbidden"]) && !message.contains("exceeded quota"))?;
    sight(message, [seq])
}

fn still_terminating(facts: &Facts<'_>) -> Option<Sight> {
    let pod = facts.pod?;
    let since = pod.asked_to_go?;
    sight(format!("{} has been asked to stop and is still there", pod.name()), [since.by])
}

fn never_ready(facts: &Facts<'_>) -> Option<Sight> {
    let Some(pod) = facts.pod else {
        let why = facts.failed_create().map_or_else(|| format!("{} was not created", facts.name()), |(message, _)| message.to_owned());
        return sight(why, [facts.timeline.last()]);
    };
    let phase = &pod.pod.status.phase;
    let waiting = facts.statuses().find_map(|it| it.state.waiting.as_ref()).map(|it| format!(", {} {}", it.reason, it.message)).unwrap_or_default();
    sight(format!("{} is {phase}{waiting}", pod.name()), [pod.added.by])
}
