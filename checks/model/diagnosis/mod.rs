//! Diagnosis: the one table that says whose fault it is when the set cannot get where it was asked
//! to go.
//!
//! [`ROWS`] is the one table of faults. A row looks at one pod (or at the set that cannot make it)
//! and either recognises its case or not; the first that does names the obstacle. Where no row is
//! sure, the cluster is to blame: a wrong Fail is worse than another run.

mod facts;
mod recognise;
mod tour_end;

use crate::mistakes::{self, Mistake};
use crate::model::diagnosis::facts::OrdinalFacts;
pub(crate) use crate::model::diagnosis::tour_end::{ended, refused};
use crate::model::{
    observation::Seq,
    obstacle::{Effect, Fault, Obstacle},
    timeline::{MOST_REPLICAS, Timeline, lives::PodLife},
};

/// When a row may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// As soon as it is seen: waiting on cannot help.
    AtOnce,
    /// Only when the time has run out: it may still pass.
    OutOfTime,
}

/// One row of the table of faults.
struct CauseRow {
    id: &'static str,
    fault: Fault,
    speaks: Speaks,
    remedy: &'static str,
    recognise: recognise::Recogniser,
    effect: Effect,
    /// The mistake of the catalogue that it is.
    mistake: Option<&'static Mistake>,
    /// The pod itself causes it, so it is the submission's fault even in a pod that only the grade
    /// asks for. What a container causes is that always.
    is_pods_own: bool,
}

/// What a row leaves out.
const ROW: CauseRow = CauseRow {
    id: "",
    fault: Cluster,
    speaks: OutOfTime,
    remedy: "",
    recognise: |_| None,
    effect: Effect::Blocks,
    mistake: None,
    is_pods_own: false,
};

/// What a row recognised.
struct Match {
    /// The cluster's own words.
    why: String,
    /// The container whose last words explain it.
    container: Option<String>,
    evidence: Vec<Seq>,
}

use Effect::{CrashLoop, StopsTour};
use Fault::{Cluster, Submission};
use Speaks::{AtOnce, OutOfTime};

/// The table "whose fault", first match wins.
const ROWS: &[CauseRow] = &[
    CauseRow {
        id: "outdated_pod",
        fault: Cluster,
        speaks: AtOnce,
        recognise: recognise::outdated_pod,
        remedy: "The pod is from an earlier version of the template, and the controller does not \
            replace a pod that is not Ready. Delete the pod (`kubectl delete pod`) and grade \
            again.",
        ..ROW
    },
    CauseRow {
        id: "image_unreachable",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::image_unreachable,
        remedy: "The registry did not hand out the image. If `image:` names the registry and the \
            image that you mean, grade again when it answers.",
        ..ROW
    },
    CauseRow {
        id: "image_name_invalid",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::image_name_invalid,
        remedy: "Correct `image:` in the pod template: this cannot be the name of an image. Names \
            are lowercase, with the tag behind a colon, such as `busybox:1.36`.",
        ..ROW
    },
    CauseRow {
        id: "image_never_pulled",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::image_never_pulled,
        remedy: "`imagePullPolicy: Never` takes only an image that the node already has, and it \
            does not have this one. Take the line out, so that the image is pulled.",
        ..ROW
    },
    CauseRow {
        id: "image_missing",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::image_missing,
        remedy: "Correct `image:` in the pod template: the registry says that this image does not \
            exist or may not be pulled.",
        ..ROW
    },
    CauseRow {
        id: "config_error",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::config_error,
        remedy: "The container cannot be made from its own spec. Correct what the message names \
            (a command that is not in the image, a ConfigMap or Secret that is missing).",
        ..ROW
    },
    CauseRow {
        id: "out_of_memory",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::out_of_memory,
        remedy: "The container needs more memory than its own limit. Raise \
            `resources.limits.memory` or use less.",
        effect: CrashLoop,
        ..ROW
    },
    CauseRow {
        id: "node_out_of_memory",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::node_out_of_memory,
        remedy: "The node, or a limit that the namespace sets, leaves the container too little \
            memory. Grade again when there is more, or state `resources` for the container.",
        ..ROW
    },
    CauseRow {
        id: "liveness_fails",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::liveness_fails,
        remedy: "The kubelet ends the container because its liveness or startup probe fails. Make \
            the probe ask what the container really answers (path, port, command), or remove it.",
        effect: CrashLoop,
        ..ROW
    },
    CauseRow {
        id: "container_ends",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::container_ends,
        remedy: "The container's command ends, so the pod never stays Ready. Read its last lines \
            above, mend the command, and let it end in a program that keeps running. A start-up \
            command must also work on a volume that is not empty any more: `mkdir -p`, `[ -f file \
            ] ||`.",
        effect: CrashLoop,
        ..ROW
    },
    CauseRow {
        id: "storage_limit",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::storage_limit,
        remedy: "The pod wrote more beside its claims than the template allows it. Write to the \
            claim, or raise the limit that the message names.",
        is_pods_own: true,
        ..ROW
    },
    CauseRow {
        id: "node_named",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::node_named,
        remedy: "Take `nodeName` out of the pod template, so that the scheduler finds a node for \
            each pod.",
        ..ROW
    },
    CauseRow {
        id: "evicted",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::evicted,
        remedy: "The cluster removed the pod; its words say why. Grade again when that is over.",
        ..ROW
    },
    CauseRow {
        id: "node_not_ready",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::node_not_ready,
        remedy: "The cluster lost the node on which the pod runs. Grade again when `kubectl get \
            nodes` says Ready.",
        ..ROW
    },
    CauseRow {
        id: "probe_fails",
        fault: Submission,
        speaks: OutOfTime,
        recognise: recognise::probe_fails,
        remedy: "The container runs, but its readiness probe kept failing. Make the probe ask \
            what the container really answers (path, port, command).",
        ..ROW
    },
    CauseRow {
        id: "init_never_ends",
        fault: Submission,
        speaks: OutOfTime,
        recognise: recognise::init_never_ends,
        remedy: "An init container must end before the others start. Let its command end, or move \
            it to `containers`.",
        ..ROW
    },
    CauseRow {
        id: "claim_differs",
        fault: Cluster,
        speaks: AtOnce,
        recognise: recognise::claim_differs,
        remedy: "Deleting a StatefulSet keeps its claims, and a claim cannot be changed: this one \
            is still what an earlier template, or somebody by hand, asked for. It has no volume, \
            so nothing is lost with it. Delete it, and grade again.",
        ..ROW
    },
    CauseRow {
        id: "volume_missing",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::volume_missing,
        remedy: "Take `volumeName` out of the claim: that line, as `kubectl get -o yaml` shows \
            it, names the volume of one claim in one cluster. Delete the claim, and let \
            `volumeClaimTemplates` make it.",
        ..ROW
    },
    CauseRow {
        id: "volume_lost",
        fault: Cluster,
        speaks: AtOnce,
        recognise: recognise::volume_lost,
        remedy: "The volume behind the claim is gone, and what was on it. Delete the claim and \
            its pod, so that both are made anew, and grade again.",
        ..ROW
    },
    CauseRow {
        id: "claim_impossible",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::claim_impossible,
        remedy: "The volumeClaimTemplate asks for what the StorageClass does not give. Take out \
            what the message names (`selector`, `volumeMode: Block`): a plain claim needs \
            neither.",
        ..ROW
    },
    CauseRow {
        id: "class_missing",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::class_missing,
        remedy: "The volumeClaimTemplate names a StorageClass that does not exist. Leave \
            `storageClassName` out to get the default one, or name one that `kubectl get \
            storageclass` lists.",
        ..ROW
    },
    CauseRow {
        id: "class_none",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::class_none,
        remedy: "`storageClassName: \"\"` asks for a volume made by hand, and there is none. \
            Leave the field out to get the default class.",
        ..ROW
    },
    CauseRow {
        id: "no_default_class",
        fault: Cluster,
        speaks: AtOnce,
        recognise: recognise::no_default_class,
        remedy: "The cluster has no default StorageClass. Ask for one, or name an existing class \
            in `storageClassName`.",
        ..ROW
    },
    CauseRow {
        id: "wrong_access_mode",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::wrong_access_mode,
        remedy: "The StorageClass does not offer the access mode that the claim asks for. Ask for \
            `ReadWriteOnce`: each claim has one pod only.",
        mistake: Some(&mistakes::WRONG_ACCESS_MODE),
        ..ROW
    },
    CauseRow {
        id: "claim_missing",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::claim_missing,
        remedy: "The pod names a claim that does not exist. Let `volumeClaimTemplates` make one \
            for each pod.",
        ..ROW
    },
    CauseRow {
        id: "placement_impossible",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::placement_impossible,
        remedy: "No node can ever take the pod as it asks. Remove the nodeSelector or affinity, \
            or ask for less CPU and memory.",
        ..ROW
    },
    CauseRow {
        id: "host_port",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::host_port,
        remedy: "Take `hostPort` (or `hostNetwork`) out of the pod template: a node has each of \
            its ports only once, so only one of the pods fits on a node. Each pod has an address \
            of its own, and the headless Service needs no port of the node.",
        ..ROW
    },
    CauseRow {
        id: "host_port_taken",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::host_port_taken,
        remedy: "Another pod has the port of the node that the template asks for. Take `hostPort` \
            (or `hostNetwork`) out of the template, which needs none, or grade again when the \
            port is free.",
        ..ROW
    },
    CauseRow {
        id: "claim_pending",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::claim_pending,
        remedy: "The cluster did not provide the volume. If its words name nothing that the \
            manifest asks for, grade again when it does.",
        ..ROW
    },
    CauseRow {
        id: "no_room_for_more",
        fault: Cluster,
        speaks: AtOnce,
        recognise: recognise::no_room_for_more,
        remedy: "The cluster has no room for more pods than the submission asks for. Nothing is \
            wrong with your manifest.",
        ..ROW
    },
    CauseRow {
        id: "no_room",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::no_room,
        remedy: "The cluster has no room for the pod now. Nothing is wrong with your manifest: \
            grade again when there is room.",
        ..ROW
    },
    CauseRow {
        id: "not_scheduled",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::not_scheduled,
        remedy: "The scheduler finds no node, and why is not known to be the manifest's fault, \
            nor the cluster's. If its words name something of the manifest, change that; if not, \
            show them to whoever runs the cluster.",
        ..ROW
    },
    CauseRow {
        id: "volume_not_mounted",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::volume_not_mounted,
        remedy: "The node could not mount the volume in time. If its words name a volume that the \
            pod template itself describes, correct that; if not, grade again.",
        ..ROW
    },
    CauseRow {
        id: "quota",
        fault: Cluster,
        speaks: AtOnce,
        recognise: recognise::quota,
        remedy: "The namespace's quota leaves no room. Remove what is not needed in the \
            namespace, or ask for more.",
        ..ROW
    },
    CauseRow {
        id: "pod_security",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::pod_security,
        remedy: "The Pod Security level `baseline` refuses what the message names: stsgrade gave \
            the namespace this level when it made it. Take that out of the pod template. Where it \
            is meant so, `--trust` makes the namespace without the level, and a namespace that \
            stands already keeps its own.",
        ..ROW
    },
    CauseRow {
        id: "webhook_down",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::webhook_down,
        remedy: "An admission webhook of the cluster does not answer, so nothing can be made that \
            it has to look at. Nothing in your manifest can help: ask whoever runs the cluster to \
            mend or remove the webhook that the message names, and grade again.",
        ..ROW
    },
    CauseRow {
        id: "pod_refused",
        fault: Submission,
        speaks: AtOnce,
        recognise: recognise::pod_refused,
        remedy: "The API server refuses what the template chose, which is more than the lab asks. \
            Correct what the message names, or take it out.",
        ..ROW
    },
    CauseRow {
        id: "policy",
        fault: Cluster,
        speaks: AtOnce,
        recognise: recognise::policy,
        remedy: "A policy of the cluster or of the namespace refuses the pod or its claim, though \
            the lab asks for nothing special; its own words say why. If they name something that \
            your manifest can state, state it; else ask whoever runs the cluster, or grade in \
            another namespace.",
        ..ROW
    },
    CauseRow {
        id: "name_taken",
        fault: Cluster,
        speaks: AtOnce,
        recognise: recognise::name_taken,
        remedy: "The set cannot make a pod of its own by that name. Delete the pod that holds it \
            (`kubectl delete pod`): the set then makes its own, on the same claim. Then grade \
            again.",
        ..ROW
    },
    CauseRow {
        id: "still_stopping",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::still_stopping,
        remedy: "The pod had less time to stop than it may take. Grade again with a longer \
            `--timeout`, or let the container end at SIGTERM: `exec` its program, or `trap 'exit \
            0' TERM`.",
        effect: StopsTour,
        ..ROW
    },
    CauseRow {
        id: "still_terminating",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::still_terminating,
        remedy: "The pod did not go in time. `kubectl describe pod` says what it waits for, \
            `kubectl get pod -o yaml` which finalizers hold it. Grade again when it is gone.",
        effect: StopsTour,
        ..ROW
    },
    CauseRow {
        id: "never_ready",
        fault: Cluster,
        speaks: OutOfTime,
        recognise: recognise::never_ready,
        remedy: "It was not Ready in the time allowed, and what keeps it is not known to be the \
            manifest's fault. `kubectl describe pod` says more; if it only needs longer, grade \
            again with a longer `--timeout`.",
        ..ROW
    },
];

/// The ids of the table, for documentation and tests.
pub fn rows() -> impl Iterator<Item = (&'static str, Fault, &'static str)> {
    ROWS.iter().map(|row| (row.id, row.fault, row.remedy))
}

/// The first obstacle, if the set is not where it was asked to be and a row knows why.
///
/// `out_of_time` says that waiting is over, so that what might have passed has not.
pub(crate) fn find(timeline: &Timeline, out_of_time: bool) -> Option<Obstacle> {
    let Some(set) = timeline.set() else { return nothing_there(timeline) };
    if let Some(deleted) = set_deleted(timeline) {
        return Some(deleted);
    }
    let wanted = set.spec.replicas.unwrap_or(1);
    if wanted == 0 && timeline.replicas() == 0 {
        return Some(Obstacle {
            id: "zero_replicas",
            who: set.name.clone(),
            fault: Submission,
            why: "the StatefulSet asks for 0 replicas".to_owned(),
            effect: StopsTour,
            mistake: None,
            log: vec![],
            remedy: "Set `spec.replicas` to 3 or more.",
            evidence: vec![set.changed.by],
        });
    }
    if wanted > MOST_REPLICAS {
        return Some(Obstacle {
            id: "too_many_replicas",
            who: set.name.clone(),
            fault: Cluster,
            why: format!(
                "the StatefulSet asks for {wanted} replicas, and no more than {MOST_REPLICAS} are \
                graded"
            ),
            effect: Effect::Blocks,
            mistake: None,
            log: vec![],
            remedy: "Set `spec.replicas` to a number that the lab needs, 3 for example, and grade \
                again.",
            evidence: set
                .scales
                .last()
                .map(|scale| scale.when.by)
                .into_iter()
                .chain([set.changed.by])
                .collect(),
        });
    }
    let start = timeline.start();
    let missing = (start..start.saturating_add(wanted)).filter(|ordinal| {
        timeline.live(*ordinal).is_none_or(|pod| !pod.is_ready() || !timeline.is_up(pod))
    });
    let leaving = timeline
        .owned()
        .filter(|pod| pod.ordinal >= start.saturating_add(wanted))
        .map(|pod| pod.ordinal);
    let stuck: Vec<i32> = missing.chain(leaving).collect();
    // A pod that is there and broken explains more than one that is not there yet.
    let candidates =
        || stuck.iter().map(|ordinal| OrdinalFacts::of(timeline, *ordinal, out_of_time));
    let found = candidates().filter(|facts| facts.is_there()).find_map(|facts| ask(&facts));
    let found = found
        .or_else(|| candidates().filter(|facts| !facts.is_there()).find_map(|facts| ask(&facts)));
    found.or_else(|| {
        if stuck.is_empty() { tour_end::update_failed(timeline, out_of_time) } else { None }
    })
}

/// That somebody deleted the graded set.
pub(crate) fn set_deleted(timeline: &Timeline) -> Option<Obstacle> {
    let set = timeline.set()?;
    let when = set.deleted.or(set.deletion_requested)?;
    Some(Obstacle {
        id: "set_deleted",
        who: set.name.clone(),
        fault: Cluster,
        why: "somebody deleted the StatefulSet while it was graded".to_owned(),
        effect: StopsTour,
        mistake: None,
        log: vec![],
        remedy: "Leave the namespace alone while it is graded, apply the StatefulSet again, and \
            grade again.",
        evidence: vec![when.by],
    })
}

fn nothing_there(timeline: &Timeline) -> Option<Obstacle> {
    let (seq, subject) = timeline.subject.as_ref()?;
    let instead = subject.others.join(", ");
    let (id, why, remedy) = if subject.others.is_empty() {
        (
            "no_stateful_set",
            "the namespace holds no StatefulSet".to_owned(),
            "Write a headless Service and a StatefulSet, and apply them to this namespace.",
        )
    } else {
        (
            "no_stateful_set_but_others",
            format!("the namespace holds no StatefulSet, but {instead}"),
            "Use `kind: StatefulSet` (apiVersion apps/v1) with `serviceName` and \
            `volumeClaimTemplates`: a Deployment's pods have random names and no storage of their \
            own.",
        )
    };
    Some(Obstacle {
        id,
        who: format!("namespace {}", subject.namespace),
        fault: Submission,
        why,
        effect: Effect::Blocks,
        mistake: None,
        log: vec![],
        remedy,
        evidence: vec![*seq],
    })
}

/// The crash loop that a pod of the graded set is in, and the container that ends again and again.
pub(crate) fn crash_loop(timeline: &Timeline, pod: &PodLife) -> Option<(Obstacle, String)> {
    let facts = OrdinalFacts::of(timeline, pod.ordinal, false);
    facts.pod.filter(|it| it.uid() == pod.uid())?;
    let (obstacle, container) = recognise(&facts)?;
    Some((obstacle, container?)).filter(|(obstacle, _)| obstacle.effect == CrashLoop)
}

fn ask(facts: &OrdinalFacts<'_>) -> Option<Obstacle> {
    recognise(facts).map(|(obstacle, _)| obstacle)
}

/// What the first row that recognises its case makes of it, and the container that it is about.
fn recognise(facts: &OrdinalFacts<'_>) -> Option<(Obstacle, Option<String>)> {
    ROWS.iter().filter(|row| facts.out_of_time || row.speaks == AtOnce).find_map(|row| {
        let sight = (row.recognise)(facts)?;
        let log = sight.container.as_deref().map(|it| facts.log(it)).unwrap_or_default();
        let is_own_doing = sight.container.is_some() || row.is_pods_own;
        let (fault, remedy) = if is_own_doing || row.fault == Cluster || facts.is_the_submissions()
        {
            (row.fault, row.remedy)
        } else {
            (Cluster, BEYOND)
        };
        let found = Obstacle {
            id: row.id,
            who: facts.name(),
            fault,
            why: sight.why,
            effect: row.effect,
            mistake: row.mistake,
            log,
            remedy,
            evidence: sight.evidence,
        };
        Some((found, sight.container))
    })
}

/// What the cluster lacks for a pod that only the grade asks for is nobody's mistake, in whatever
/// words it is told; what the pod's own containers do there is the submission's, because the lab
/// asks to scale up.
const BEYOND: &str = "Only the grade asks for this pod, to see the set scaled up. Nothing is \
    wrong with your manifest: grade again where there is room for two pods more.";

/// Whether any row that may speak now blames the submission.
fn blames_the_submission(facts: &OrdinalFacts<'_>) -> Option<Match> {
    ROWS.iter()
        .filter(|row| row.fault == Submission && (facts.out_of_time || row.speaks == AtOnce))
        .find_map(|row| (row.recognise)(facts))
}

#[cfg(test)]
mod tests;
