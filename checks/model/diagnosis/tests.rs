//! Each row, by what a real cluster (1.34) said in its case.

use std::collections::BTreeMap;

use crate::model::{
    Outcome, WaitStatus,
    observation::{
        Change, Diagnosis, End, Phase, Reference, Step, StepName, What, Why,
        object::{
            Condition, Container, ContainerState, ContainerStatus, Event, Metadata, Object,
            ObjectReference, PersistentVolumeClaimSpec, Pod, Probe, Resources, Running, Terminated,
            Volume, Waiting,
        },
    },
    testing::history::History,
};
use crate::model::{
    diagnosis::rows,
    obstacle::{
        Fault,
        Fault::{Cluster, Submission},
    },
};

/// The first pod of a set of three, Pending, on a Bound claim; UIDs `set`, `claim-1`, `pod-2`.
fn first_pod() -> History {
    first_pod_of(|_| {})
}

fn first_pod_of(with: impl FnOnce(&mut Container)) -> History {
    let mut history = History::new();
    with(&mut history.spec.template.spec.containers[0]);
    history.service().set(Change::Added).subject().claim(0).add(0)
}

/// What is seen at once, while the wait goes on.
fn at_once(history: &History) -> Option<(&'static str, Fault)> {
    match history.timeline().settled_or_awaited() {
        WaitStatus::Stuck(obstacle) => Some((obstacle.id, obstacle.fault)),
        _ => None,
    }
}

/// What is seen when the time has run out.
fn in_the_end(history: &History) -> Option<(&'static str, Fault)> {
    let ended = history.clone().step(StepName::Observe).ended(StepName::Observe, Phase::TimedOut);
    ended.timeline().obstacle().map(|it| (it.id, it.fault))
}

#[track_caller]
fn stops(history: &History, id: &'static str, fault: Fault) {
    assert_eq!(at_once(history), Some((id, fault)));
}

#[track_caller]
fn waits(history: &History, id: &'static str, fault: Fault) {
    assert_eq!((at_once(history), in_the_end(history)), (None, Some((id, fault))));
}

fn event(
    history: History,
    kind: &str,
    uid: &str,
    r#type: &str,
    reason: &str,
    message: &str,
) -> History {
    let involved_object =
        ObjectReference { kind: kind.to_owned(), name: String::new(), uid: uid.to_owned() };
    let metadata = Metadata { uid: format!("{uid} {reason} {message}"), ..Default::default() };
    let event = Event {
        metadata,
        involved_object,
        reason: reason.to_owned(),
        message: message.to_owned(),
        r#type: r#type.to_owned(),
        ..Default::default()
    };
    history.push(What::Object(Change::Added, Object::Event(event)))
}

fn warned(history: History, reason: &str, message: &str) -> History {
    event(history, "Pod", "pod-2", "Warning", reason, message)
}

fn refused(message: &str) -> History {
    let history = History::new().service().set(Change::Added).subject().claim(0);
    event(history, "StatefulSet", "set", "Warning", "FailedCreate", message)
}

fn container(
    state: ContainerState,
    with: impl FnOnce(&mut ContainerStatus),
) -> impl FnOnce(&mut Pod) {
    let mut status = ContainerStatus { name: "app".to_owned(), state, ..Default::default() };
    with(&mut status);
    |pod| pod.status.container_statuses = vec![status]
}

fn waiting(history: History, reason: &str, message: &str) -> History {
    let state = ContainerState {
        waiting: Some(Waiting { reason: reason.to_owned(), message: message.to_owned() }),
        ..Default::default()
    };
    history.pod(0, Change::Modified, container(state, |_| {}))
}

fn ended(history: History, restarts: i32, how: Terminated) -> History {
    let state = ContainerState {
        waiting: Some(Waiting {
            reason: "CrashLoopBackOff".to_owned(),
            message: "back-off".to_owned(),
        }),
        ..Default::default()
    };
    history.pod(
        0,
        Change::Modified,
        container(state, |status| {
            status.restart_count = restarts;
            status.last_state.terminated = Some(how);
        }),
    )
}

fn exit(code: i32) -> Terminated {
    Terminated {
        exit_code: code,
        reason: if code == 0 { "Completed" } else { "Error" }.to_owned(),
        ..Default::default()
    }
}

fn running(history: History, with: impl FnOnce(&mut ContainerStatus)) -> History {
    let state = ContainerState { running: Some(Running::default()), ..Default::default() };
    let status = container(state, with);
    history.pod(0, Change::Modified, |pod| {
        pod.status.phase = "Running".to_owned();
        status(pod);
    })
}

fn log(history: History, lines: &[&str]) -> History {
    let pod = Reference { name: "web-0".to_owned(), uid: "pod-2".to_owned() };
    let lines = lines.iter().map(|it| (*it).to_owned()).collect();
    history.push(What::Diagnosis(Diagnosis::Logs {
        pod,
        container: "app".to_owned(),
        previous: false,
        lines,
    }))
}

fn unschedulable(history: History, message: &str) -> History {
    let condition = Condition {
        r#type: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        message: message.to_owned(),
        ..Default::default()
    };
    history.pod(0, Change::Modified, |pod| pod.status.conditions = vec![condition])
}

fn pending(class: Option<&str>, modes: &[&str], message: &str) -> History {
    pending_of(History::new(), class, modes, message)
}

fn pending_of(history: History, class: Option<&str>, modes: &[&str], message: &str) -> History {
    let history = history.service().set(Change::Added).subject().claim(0).claim_line(
        0,
        Change::Modified,
        |claim| {
            claim.status.phase = "Pending".to_owned();
            if let Some(spec) = &mut claim.spec {
                spec.storage_class_name = class.map(str::to_owned);
                spec.access_modes = modes.iter().map(|it| (*it).to_owned()).collect();
            }
        },
    );
    let history = event(
        history.add(0),
        "PersistentVolumeClaim",
        "claim-1",
        "Warning",
        "ProvisioningFailed",
        message,
    );
    let told = "Waiting for a volume to be created either by the external provisioner \
        'stsgrade.dev/volumes' or manually by the system administrator.";
    event(history, "PersistentVolumeClaim", "claim-1", "Normal", "ExternalProvisioning", told)
}

#[test]
fn images_that_do_not_exist() {
    let deleted = "failed to pull and unpack image \"docker.io/library/busybocks:1.36\": failed \
        to resolve reference \"docker.io/library/busybocks:1.36\": \
        docker.io/library/busybocks:1.36: not found";
    stops(&waiting(first_pod(), "ErrImagePull", deleted), "image_missing", Submission);
    stops(
        &waiting(
            first_pod(),
            "ErrImageNeverPull",
            "Container image \"busybocks:1.36\" is not present with pull policy of Never",
        ),
        "image_never_pulled",
        Submission,
    );
    let invalid = "Failed to apply default image tag \"BusyBox:1.36\": couldn't parse image name \
        \"BusyBox:1.36\": invalid reference format: repository name (library/BusyBox) must be \
        lowercase";
    stops(&waiting(first_pod(), "InvalidImageName", invalid), "image_name_invalid", Submission);
    let backing_off = warned(
        waiting(first_pod(), "ImagePullBackOff", "Back-off pulling image"),
        "Failed",
        &format!("Failed to pull image: {deleted}"),
    );
    stops(&backing_off, "image_missing", Submission);
}

#[test]
fn an_image_s_own_name_is_no_trouble_of_the_registry() {
    let history = first_pod_of(|it| it.image = "lab/refused-timeout:429".to_owned());
    stops(
        &waiting(history, "ErrImagePull", "docker.io/lab/refused-timeout:429: not found"),
        "image_missing",
        Submission,
    );
}

#[test]
fn registries_that_do_not_answer() {
    for said in [
        "failed to resolve reference \"docker.io/limited/busybox:1.36\": pulling from host \
        127.0.0.1:5000 failed with status code [manifests 1.36]: 429 Too Many Requests",
        "failed to do request: Head \"http://127.0.0.1:1/v2/down/busybox/manifests/1.36\": dial \
        tcp 127.0.0.1:1: connect: connection refused",
        "failed to do request: Head \"https://registry.example/v2/\": dial tcp: lookup \
        registry.example: no such host",
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "unexpected status from HEAD request to https://registry.example/v2/app/manifests/1: 503 \
        Service Unavailable",
    ] {
        waits(&waiting(first_pod(), "ErrImagePull", said), "image_unreachable", Cluster);
    }
    let mounting = "MountVolume.SetUp failed for volume \"kube-api-access-k6nfx\" : failed to \
        sync configmap cache: timed out waiting for the condition";
    let silent = warned(waiting(first_pod(), "ContainerCreating", ""), "FailedMount", mounting);
    waits(&silent, "volume_not_mounted", Cluster);
    let silent =
        event(silent, "Pod", "pod-2", "Normal", "Pulling", "Pulling image \"silent/busybox:1.36\"");
    waits(&silent, "image_unreachable", Cluster);
}

#[test]
fn containers_that_cannot_be_made() {
    for said in [
        "configmap \"web-config\" not found",
        "couldn't find key password in Secret lab/web",
        "container has runAsNonRoot and image will run as root (pod: \"web-0_lab(536bc0e9)\", \
        container: app)",
    ] {
        stops(
            &waiting(first_pod(), "CreateContainerConfigError", said),
            "config_error",
            Submission,
        );
    }
    waits(
        &waiting(
            first_pod(),
            "CreateContainerConfigError",
            "failed to sync configmap cache: timed out waiting for the condition",
        ),
        "never_ready",
        Cluster,
    );
    // What stood before anybody watched may have come since, and what a submission brings comes
    // with it.
    let message = "configmap \"web-config\" not found";
    let before = waiting(first_pod(), "CreateContainerConfigError", message);
    stops(&before, "config_error", Submission);
    let listed = listed_last(before.clone());
    waits(&listed, "config_error", Submission);
    // Events come late: what is told once may have been before.
    let once = warned(listed, "Failed", &format!("Error: {message}"));
    waits(&once, "config_error", Submission);
    stops(&warned(once, "Failed", &format!("Error: {message}")), "config_error", Submission);
    let applied = before.step(StepName::Apply).done(StepName::Apply);
    waits(&applied, "config_error", Submission);
    let missing =
        "MountVolume.SetUp failed for volume \"config\" : configmap \"web-config\" not found";
    stops(&not_mounted(missing), "config_error", Submission);
    // The same of volumes that the cluster made: for a claim, and for every pod.
    for made in [
        "MountVolume.SetUp failed for volume \"pvc-91bcb3ea\" : hostPath type check failed: \
        /volumes/pvc-91bcb3ea is not a directory",
        "MountVolume.SetUp failed for volume \"pvc-91bcb3ea\" : secret \"storage\" not found",
        "MountVolume.SetUp failed for volume \"kube-api-access-k6nfx\" : configmap \
        \"kube-root-ca.crt\" not found",
    ] {
        waits(&not_mounted(made), "volume_not_mounted", Cluster);
    }
}

/// The same, but its last line comes from a list.
fn listed_last(mut history: History) -> History {
    if let Some(What::Object(change, _)) = history.lines.last_mut().map(|it| &mut it.what) {
        *change = Change::Listed;
    }
    history
}

/// The node cannot mount a volume of the first pod, whose template describes a volume `config`
/// beside that of its claim.
fn not_mounted(message: &str) -> History {
    let mut history = History::new();
    history
        .spec
        .template
        .spec
        .volumes
        .push(Volume { name: "config".to_owned(), ..Default::default() });
    warned(
        waiting(
            history.service().set(Change::Added).subject().claim(0).add(0),
            "ContainerCreating",
            "",
        ),
        "FailedMount",
        message,
    )
}

#[test]
fn commands_that_are_not_there() {
    let said = |what: &str| {
        format!(
            "failed to create containerd task: failed to create shim task: OCI runtime create \
            failed: runc create failed: unable to start container process: {what}: unknown"
        )
    };
    let start_error = |message: &str| Terminated {
        exit_code: 128,
        reason: "StartError".to_owned(),
        message: message.to_owned(),
        ..Default::default()
    };
    stops(
        &ended(
            first_pod(),
            1,
            start_error(&said("exec: \"bash\": executable file not found in $PATH")),
        ),
        "config_error",
        Submission,
    );
    stops(
        &ended(
            first_pod(),
            1,
            start_error(&said(
                "exec: \"/usr/local/bin/serve\": stat /usr/local/bin/serve: no such file or \
                directory",
            )),
        ),
        "config_error",
        Submission,
    );
    assert_eq!(
        at_once(&ended(
            first_pod(),
            1,
            start_error(&said("unable to apply cgroup configuration: no such file or directory"))
        )),
        None
    );
}

#[test]
fn containers_that_end() {
    let twice = |before: &[&str], last: &[&str], code| {
        let history = log(ended(first_pod(), 1, exit(code)), before);
        log(ended(history, 2, exit(code)), last)
    };
    stops(
        &twice(&["at 10:00: no config"], &["at 10:01: no config"], 1),
        "container_ends",
        Submission,
    );
    stops(&twice(&[], &[], 0), "container_ends", Submission);
    // Standard output and standard error are put together in the order in which they were heard.
    stops(
        &twice(&["starting", "no config"], &["no config", "starting"], 1),
        "container_ends",
        Submission,
    );
    for unclear in [
        twice(&["step 1"], &["step 2 fails"], 1),
        twice(&[], &[], 1),
        twice(&["connection refused"], &["connection refused"], 1),
    ] {
        waits(&unclear, "container_ends", Submission);
        stops(&ended(unclear, 4, exit(1)), "container_ends", Submission);
    }
}

#[test]
fn only_the_ended_container_s_words_are_told() {
    let history = log(ended(first_pod(), 4, exit(1)), &["cannot read /etc/app.conf"]);
    let other = Reference { name: "web-0".to_owned(), uid: "pod-2".to_owned() };
    let history = history.push(What::Diagnosis(Diagnosis::Logs {
        pod: other,
        container: "helper".to_owned(),
        previous: false,
        lines: vec!["all is well".to_owned()],
    }));
    let WaitStatus::Stuck(obstacle) = history.timeline().settled_or_awaited() else {
        panic!("not stuck")
    };
    assert_eq!(
        (obstacle.log, obstacle.why.as_str()),
        (
            vec!["cannot read /etc/app.conf".to_owned()],
            "container app ends (exit status 1), started 5 times"
        )
    );
}

#[test]
fn what_ended_before_the_submission_was_applied_may_go_on_with_what_it_brought() {
    let applied = ended(first_pod(), 7, exit(1)).step(StepName::Apply).done(StepName::Apply);
    waits(&applied, "container_ends", Submission);
    // That the next start is waited for is no news.
    waits(
        &warned(applied.clone(), "BackOff", "Back-off restarting failed container app"),
        "container_ends",
        Submission,
    );
    stops(&ended(applied, 8, exit(1)), "container_ends", Submission);
    let denied = "pull access denied, repository does not exist or may require authorization";
    let pulled = waiting(first_pod(), "ImagePullBackOff", denied)
        .step(StepName::Apply)
        .done(StepName::Apply);
    waits(&pulled, "image_missing", Submission);
    stops(&waiting(pulled, "ErrImagePull", denied), "image_missing", Submission);
}

#[test]
fn restarts_of_long_ago_say_nothing() {
    let history = running(first_pod(), |status| {
        status.restart_count = 7;
        status.last_state.terminated = Some(exit(137));
    });
    waits(&history, "never_ready", Cluster);
}

#[test]
fn memory() {
    let killed =
        || Terminated { exit_code: 137, reason: "OOMKilled".to_owned(), ..Default::default() };
    let limited = first_pod_of(|it| {
        it.resources.limits.insert("memory".to_owned(), "16Mi".to_owned());
    });
    stops(&ended(limited, 2, killed()), "out_of_memory", Submission);
    waits(&ended(first_pod(), 4, killed()), "node_out_of_memory", Cluster);
}

#[test]
fn probes() {
    let probe = || Some(Probe { period_seconds: 2, failure_threshold: 3, ..Default::default() });
    let words = "Readiness probe failed: dial tcp 10.88.0.24:8080: connect: connection refused";
    let unready = warned(
        running(first_pod_of(|it| it.readiness_probe = probe()), |_| {}),
        "Unhealthy",
        words,
    );
    waits(&unready, "never_ready", Cluster);
    let for_long = (0..30).fold(unready, |history, _| warned(history, "Unhealthy", words));
    waits(&for_long, "probe_fails", Submission);
    // A busy node loses its events.
    let told_nothing = running(first_pod_of(|it| it.readiness_probe = probe()), |_| {});
    let told_nothing =
        (0..30).fold(told_nothing, |history, _| history.pod(0, Change::Modified, |_| {}));
    waits(&told_nothing, "probe_fails", Submission);
    waits(&warned(told_nothing, "NodeNotReady", "Node is not ready"), "node_not_ready", Cluster);
    let killed = ended(first_pod_of(|it| it.liveness_probe = probe()), 2, exit(137));
    stops(
        &warned(
            killed,
            "Unhealthy",
            "Liveness probe failed: dial tcp 10.88.0.24:8080: connect: connection refused",
        ),
        "liveness_fails",
        Submission,
    );
}

#[test]
fn probes_that_end_their_container() {
    let first = || {
        first_pod_of(|it| {
            it.liveness_probe =
                Some(Probe { period_seconds: 1, failure_threshold: 2, ..Default::default() })
        })
    };
    let killing =
        |history, message: &str| event(history, "Pod", "pod-2", "Normal", "Killing", message);
    let failed = |history| {
        warned(
            history,
            "Unhealthy",
            "Liveness probe failed: dial tcp 10.88.0.24:8080: connect: connection refused",
        )
    };
    // A trap may end the container with any status: the kubelet says why it did so.
    for told in [
        killing(
            ended(first(), 2, exit(0)),
            "Container app failed liveness probe, will be restarted",
        ),
        failed(ended(first(), 2, exit(143))),
    ] {
        stops(&told, "liveness_fails", Submission);
    }
    let startup = killing(
        failed(ended(first(), 2, exit(0))),
        "Container app failed startup probe, will be restarted",
    );
    stops(&startup, "liveness_fails", Submission);
    // What ends by itself fails its probe, too; and a helper's probe, or a rollout, is not the
    // app's.
    for other in [
        failed(ended(first(), 4, exit(1))),
        killing(ended(first(), 4, exit(137)), "Stopping container app"),
        killing(
            ended(first(), 4, exit(1)),
            "Container helper failed liveness probe, will be restarted",
        ),
        failed(ended(first_pod(), 4, exit(137))),
    ] {
        stops(&other, "container_ends", Submission);
    }
    assert_eq!(at_once(&failed(ended(first(), 1, exit(137)))), None);
}

/// Catches a mended template that is charged with the claim that the failed one left.
#[test]
fn a_claim_of_an_earlier_template_is_to_be_deleted() {
    let once = &["ReadWriteOnce"];
    let with_template =
        |template: Option<&str>, class: Option<&str>, modes: &[&str], message: &str| {
            let access_modes = once.map(str::to_owned).to_vec();
            let resources = Resources {
                requests: BTreeMap::from([("storage".to_owned(), "100Mi".to_owned())]),
                ..Default::default()
            };
            let spec = PersistentVolumeClaimSpec {
                access_modes,
                storage_class_name: template.map(str::to_owned),
                resources,
                ..Default::default()
            };
            let mut history = History::new();
            history.spec.volume_claim_templates[0].spec = Some(spec);
            pending_of(history, class, modes, message)
        };
    let missing = "storageclass.storage.k8s.io \"fast\" not found";
    let none = "no persistent volumes available for this claim and no storage class is set";
    stops(&with_template(None, Some("fast"), once, missing), "claim_differs", Cluster);
    stops(&with_template(Some("standard"), Some("fast"), once, missing), "claim_differs", Cluster);
    stops(&with_template(None, Some(""), once, none), "claim_differs", Cluster);
    stops(&with_template(None, None, &["ReadWriteMany"], none), "claim_differs", Cluster);
    // What the template itself asks for is the template's.
    stops(&with_template(Some("fast"), Some("fast"), once, missing), "class_missing", Submission);
    stops(&with_template(Some(""), Some(""), once, none), "class_none", Submission);
    // The default class, which the API server wrote.
    let full = "failed to provision volume: rpc error: code = ResourceExhausted desc = not enough \
        free space";
    waits(&with_template(None, Some("standard"), once, full), "claim_pending", Cluster);
}

#[test]
fn claims_that_stay_pending() {
    let once = &["ReadWriteOnce"];
    stops(
        &pending(Some("fast"), once, "storageclass.storage.k8s.io \"fast\" not found"),
        "class_missing",
        Submission,
    );
    let none = "no persistent volumes available for this claim and no storage class is set";
    stops(&pending(Some(""), once, none), "class_none", Submission);
    stops(&pending(None, once, none), "no_default_class", Cluster);
    let refused = "failed to provision volume with StorageClass \"once\": NodePath only supports \
        ReadWriteOnce and ReadWriteOncePod (1.22+) access modes";
    stops(&pending(Some("once"), &["ReadWriteMany"], refused), "wrong_access_mode", Submission);
    waits(
        &pending(
            Some("standard"),
            once,
            "failed to provision volume: rpc error: code = ResourceExhausted desc = not enough \
            free space",
        ),
        "claim_pending",
        Cluster,
    );
}

#[test]
fn a_claim_that_nobody_makes() {
    let message =
        "0/1 nodes are available: persistentvolumeclaim \"web-data\" not found. not found";
    let mut history = History::new();
    history.spec.volume_claim_templates.clear();
    let claim = crate::model::observation::object::ClaimSource {
        claim_name: "web-data".to_owned(),
        read_only: false,
    };
    history.spec.template.spec.volumes = vec![crate::model::observation::object::Volume {
        name: "data".to_owned(),
        persistent_volume_claim: Some(claim),
        ..Default::default()
    }];
    let history = history.service().set(Change::Added).subject().add(0);
    stops(&unschedulable(history, message), "claim_missing", Submission);
    // The scheduler may know of the set's own claim a moment later than the pod.
    waits(
        &unschedulable(
            first_pod(),
            "0/1 nodes are available: persistentvolumeclaim \"data-web-0\" not found. not found",
        ),
        "not_scheduled",
        Cluster,
    );
}

#[test]
fn nodes_that_cannot_take_the_pod() {
    let selector = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. \
        no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not \
        helpful for scheduling.";
    stops(&unschedulable(first_pod(), selector), "placement_impossible", Submission);
    let spread = "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules. no new \
        claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found \
        for incoming pod.";
    stops(&unschedulable(first_pod(), spread), "placement_impossible", Submission);
    let too_large = "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, \
        preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    stops(&unschedulable(first_pod(), too_large), "placement_impossible", Submission);
    let reserved = "0/3 nodes are available: 1 node(s) had untolerated taint \
        {node-role.kubernetes.io/control-plane: }, 2 node(s) didn't match Pod's node \
        affinity/selector. preemption: 0/3 nodes are available: 3 Preemption is not helpful for \
        scheduling.";
    stops(&unschedulable(first_pod(), reserved), "placement_impossible", Submission);
}

#[test]
fn nodes_that_have_no_room_now() {
    for message in [
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: \
        0/1 nodes are available: 1 No preemption victims found for incoming pod.",
        "0/1 nodes are available: 1 Too many pods. no new claims to deallocate, preemption: 0/1 \
        nodes are available: 1 No preemption victims found for incoming pod.",
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) \
        had untolerated taint {node.kubernetes.io/not-ready: }. preemption: 0/2 nodes are \
        available: 2 Preemption is not helpful for scheduling.",
        "0/2 nodes are available: 1 Insufficient memory, 1 node(s) didn't match Pod's node \
        affinity/selector. preemption: 0/2 nodes are available: 1 No preemption victims found for \
        incoming pod, 1 Preemption is not helpful for scheduling.",
        "0/1 nodes are available: 1 node(s) had untolerated taint(s). no new claims to \
        deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for \
        scheduling.",
        "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules. no \
        new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims \
        found for incoming pod.",
    ] {
        waits(&unschedulable(first_pod(), message), "no_room", Cluster);
    }
}

/// Catches words that nobody understood being told as "no room" and "nothing is wrong with your
/// manifest".
#[test]
fn what_the_scheduler_says_beside_that_is_quoted() {
    for message in [
        "0/1 nodes are available: 1 node(s) had volume node affinity conflict. preemption: 0/1 \
        nodes are available: 1 Preemption is not helpful for scheduling.",
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: \
        0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
        "0/1 nodes are available: 1 the moon is in the wrong phase.",
        "no nodes available to schedule pods",
    ] {
        let history = unschedulable(first_pod(), message);
        waits(&history, "not_scheduled", Cluster);
        assert!(
            message.starts_with(&words(&history)) && !words(&history).contains("preemption"),
            "{}",
            words(&history)
        );
    }
    for (id, fault, remedy) in rows() {
        let is_sure = matches!(id, "no_room" | "no_room_for_more");
        assert!(
            fault == Submission
                || is_sure
                || !remedy.contains("Nothing is wrong with your manifest"),
            "{id} cannot know that"
        );
    }
}

/// The first pods of the set on a node each, the next one Pending by this message.
fn no_node_for(ordinal: i32, message: &str) -> History {
    let mut history = History::new().service().set(Change::Added).subject();
    for placed in 0..ordinal {
        history = history.up(placed).pod(placed, Change::Modified, |pod| {
            pod.spec.get_or_insert_default().node_name = format!("node-{placed}")
        });
    }
    let condition = Condition {
        r#type: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        message: message.to_owned(),
        ..Default::default()
    };
    history
        .claim(ordinal)
        .add(ordinal)
        .pod(ordinal, Change::Modified, |pod| pod.status.conditions = vec![condition])
}

#[test]
fn ports_of_the_node() {
    let one = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod \
        ports. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption \
        victims found for incoming pod.";
    let two = "0/3 nodes are available: 1 node(s) had untolerated taint \
        {node-role.kubernetes.io/control-plane: }, 2 node(s) didn't have free ports for the \
        requested pod ports. preemption: 0/3 nodes are available: 3 Preemption is not helpful for \
        scheduling.";
    stops(&no_node_for(1, one), "host_port", Submission);
    stops(&no_node_for(2, two), "host_port", Submission);
    // Somebody else's pod has the port of a node.
    waits(&no_node_for(0, one), "host_port_taken", Cluster);
    waits(&no_node_for(1, two), "host_port_taken", Cluster);
    let beyond = no_node_for(2, one)
        .pod(2, Change::Modified, |pod| pod.status.conditions.clear())
        .ready(2)
        .scale(5)
        .claim(3)
        .add(3);
    let condition = Condition {
        r#type: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        message: one.to_owned(),
        ..Default::default()
    };
    stops(
        &beyond.pod(3, Change::Modified, |pod| pod.status.conditions = vec![condition]),
        "no_room_for_more",
        Cluster,
    );
}

#[test]
fn nodes_that_the_template_names() {
    let mut history = History::new();
    history.spec.template.spec.node_name = "node-9".to_owned();
    let history = history.service().set(Change::Added).subject().claim(0).add(0);
    waits(&history, "node_named", Submission);
    let collected = Condition {
        r#type: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: "DeletionByPodGC".to_owned(),
        message: "PodGC: node no longer exists".to_owned(),
    };
    stops(
        &history
            .clone()
            .pod(0, Change::Modified, |pod| pod.status.conditions = vec![collected.clone()]),
        "node_named",
        Submission,
    );
    waits(
        &first_pod().pod(0, Change::Modified, |pod| pod.status.conditions = vec![collected]),
        "evicted",
        Cluster,
    );
    // A node that is there has the containers soon, ready or not.
    waits(&waiting(history, "ContainerCreating", ""), "never_ready", Cluster);
}

#[test]
fn claims_that_name_their_volume() {
    let named = |phase: &str, change: Change| {
        let mut history = History::new().service().set(Change::Added).subject().claim(0);
        if let Some(What::Object(told, Object::PersistentVolumeClaim(claim))) =
            history.lines.last_mut().map(|it| &mut it.what)
        {
            *told = change;
            claim.status.phase = "Pending".to_owned();
        }
        history
            .claim_line(0, Change::Modified, |claim| claim.status.phase = phase.to_owned())
            .add(0)
    };
    waits(&named("Pending", Change::Added), "volume_missing", Submission);
    stops(&named("Lost", Change::Added), "volume_missing", Submission);
    // A claim that lost the volume that it had.
    stops(&named("Lost", Change::Listed), "volume_lost", Cluster);
    stops(
        &pending(Some("standard"), &["ReadWriteOnce"], "claim Selector is not supported"),
        "claim_impossible",
        Submission,
    );
}

/// Catches a claim that is not looked at because no container mounts it as a folder.
#[test]
fn claims_that_are_devices() {
    let mut history = History::new();
    let container = &mut history.spec.template.spec.containers[0];
    container.volume_mounts.clear();
    container.volume_devices =
        vec![crate::model::observation::object::VolumeDevice { name: "data".to_owned() }];
    let history = history.service().set(Change::Added).subject().claim(0).claim_line(
        0,
        Change::Modified,
        |claim| claim.status.phase = "Pending".to_owned(),
    );
    let told = "failed to provision volume: block volumes are not supported";
    let history = event(
        history.add(0),
        "PersistentVolumeClaim",
        "claim-1",
        "Warning",
        "ProvisioningFailed",
        told,
    );
    stops(&history, "claim_impossible", Submission);
}

#[test]
fn pods_that_exceed_a_limit_of_their_own() {
    let evicted = |message: &str| {
        first_pod().pod(0, Change::Modified, |pod| {
            (pod.status.phase, pod.status.reason, pod.status.message) =
                ("Failed".to_owned(), "Evicted".to_owned(), message.to_owned());
        })
    };
    stops(
        &evicted("Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "),
        "storage_limit",
        Submission,
    );
    waits(&evicted("The node was low on resource: ephemeral-storage."), "evicted", Cluster);
}

/// Catches a Fail that does not say that the grader's own namespace is why, and whose remedy is not
/// the one word that helps.
#[test]
fn a_level_that_the_grader_set_is_told_as_such() {
    let message = "create Pod web-0 in StatefulSet web failed error: pods \"web-0\" is forbidden: \
        violates PodSecurity \"baseline:latest\": hostPort (container \"app\" uses hostPort \
        18080)";
    let applied = |answer: &str| {
        let mut history = History::new().step(StepName::Apply).ended(StepName::Apply, Phase::Done);
        if let Some(What::Step(step)) = history.lines.last_mut().map(|it| &mut it.what) {
            step.answer = Some(answer.to_owned());
        }
        event(
            history.service().set(Change::Added).subject().claim(0),
            "StatefulSet",
            "set",
            "Warning",
            "FailedCreate",
            message,
        )
    };
    stops(
        &applied("namespace/lab with Pod Security level baseline, service/web created"),
        "pod_security",
        Submission,
    );
    stops(&applied("service/web created"), "pod_refused", Submission);
}

#[test]
fn pods_beyond_what_was_submitted_are_not_waited_for() {
    let message = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, \
        preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
    let condition = Condition {
        r#type: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        message: message.to_owned(),
        ..Default::default()
    };
    let history = History::created()
        .scale(5)
        .claim(3)
        .add(3)
        .pod(3, Change::Modified, |pod| pod.status.conditions = vec![condition]);
    stops(&history, "no_room_for_more", Cluster);
}

#[test]
fn pods_that_are_refused() {
    let create = |why: &str| {
        refused(&format!(
            "create Pod web-0 in StatefulSet web failed error: pods \"web-0\" is forbidden: {why}"
        ))
    };
    stops(
        &create("exceeded quota: three, requested: pods=1, used: pods=3, limited: pods=3"),
        "quota",
        Cluster,
    );
    stops(
        &create(
            "violates PodSecurity \"baseline:latest\": privileged (container \"app\" must not set \
            securityContext.privileged=true)",
        ),
        "pod_refused",
        Submission,
    );
    stops(
        &create("error looking up service account lab/worker: serviceaccount \"worker\" not found"),
        "pod_refused",
        Submission,
    );
    waits(&create("status unknown for quota: three, resources: pods"), "never_ready", Cluster);
    // What an account that was made since was refused for, before anybody watched.
    let before =
        create("error looking up service account lab/worker: serviceaccount \"worker\" not found");
    waits(&listed_last(before), "never_ready", Cluster);
    let applied = create("violates PodSecurity").step(StepName::Apply).done(StepName::Apply);
    assert_eq!(
        (at_once(&create("violates PodSecurity")), at_once(&applied)),
        (Some(("pod_refused", Submission)), None)
    );
    waits(
        &create(
            "error looking up service account lab/default: serviceaccount \"default\" not found",
        ),
        "never_ready",
        Cluster,
    );
    // What was refused before the last change may have been mended by it, and web-10 is not web-1.
    assert_eq!(at_once(&create("violates PodSecurity").scale(4)), None);
    // What a plain pod leaves out is no choice of the submission's; what stands in the template is.
    let restricted = "violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != \
        false (container \"app\" must set securityContext.allowPrivilegeEscalation=false), \
        unrestricted capabilities (container \"app\" must set \
        securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \
        \"app\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \
        \"app\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \
        \"Localhost\")";
    stops(&create(restricted), "policy", Cluster);
    stops(
        &create(&format!("{restricted}, hostPath volumes (volume \"data\")")),
        "pod_refused",
        Submission,
    );
    stops(
        &create(
            "ValidatingAdmissionPolicy 'team' with binding 'team' denied request: the label team \
            is required",
        ),
        "policy",
        Cluster,
    );
    stops(&create("failed quota: small: must specify limits.cpu for: app"), "quota", Cluster);
    let down = "Internal error occurred: failed calling webhook \"policy.lab.example\": failed to \
        call webhook: Post \"https://gone.lab.svc:443/?timeout=2s\": service \"gone\" not found";
    waits(
        &refused(&format!("create Pod web-0 in StatefulSet web failed error: {down}")),
        "webhook_down",
        Cluster,
    );
    assert_eq!(
        at_once(&refused(
            "create Pod web-01 in StatefulSet web failed error: pods \"web-01\" is forbidden: \
            violates PodSecurity"
        )),
        None
    );
}

#[test]
fn limit_ranges_forbid_what_the_lab_asks_or_what_was_chosen() {
    let claim = |why: &str| {
        refused(&format!(
            "create Claim data-web-0 for Pod web-0 in StatefulSet web failed error: \
            persistentvolumeclaims \"data-web-0\" is forbidden: {why}"
        ))
    };
    stops(
        &claim("maximum storage usage per PersistentVolumeClaim is 40Mi, but request is 50Mi"),
        "policy",
        Cluster,
    );
    stops(
        &claim("minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 50Mi"),
        "policy",
        Cluster,
    );
    stops(
        &claim("maximum storage usage per PersistentVolumeClaim is 500Mi, but request is 1Gi"),
        "pod_refused",
        Submission,
    );
    let pod = |history: History, why: &str| {
        let message = format!(
            "create Pod web-0 in StatefulSet web failed error: pods \"web-0\" is forbidden: {why}"
        );
        event(
            history.service().set(Change::Added).subject().claim(0),
            "StatefulSet",
            "set",
            "Warning",
            "FailedCreate",
            &message,
        )
    };
    stops(
        &pod(History::new(), "maximum memory usage per Container is 64Mi.  No limit is specified"),
        "policy",
        Cluster,
    );
    let too_much = "maximum memory usage per Container is 64Mi, but limit is 1Gi";
    stops(&pod(History::new(), too_much), "policy", Cluster);
    let mut chosen = History::new();
    chosen.spec.template.spec.containers[0]
        .resources
        .limits
        .insert("memory".to_owned(), "1Gi".to_owned());
    stops(&pod(chosen, too_much), "pod_refused", Submission);
}

#[test]
fn what_only_a_pod_beyond_the_submission_lacks_is_the_clusters() {
    let refused = |why: &str| {
        let message = format!(
            "create Pod web-3 in StatefulSet web failed error: pods \"web-3\" is forbidden: {why}"
        );
        event(
            History::created().scale(5).claim(3),
            "StatefulSet",
            "set",
            "Warning",
            "FailedCreate",
            &message,
        )
    };
    stops(
        &refused("violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)"),
        "pod_refused",
        Cluster,
    );
    stops(
        &refused(
            "ValidatingAdmissionPolicy 'three' with binding 'three' denied request: at most three \
            members here",
        ),
        "policy",
        Cluster,
    );
    let pending = History::created().scale(5).claim(3).claim_line(3, Change::Modified, |claim| {
        claim.status.phase = "Pending".to_owned();
        claim.spec.iter_mut().for_each(|it| it.storage_class_name = Some("manual".to_owned()));
    });
    let uid = |history: &History| {
        history
            .timeline()
            .claim("data-web-3")
            .last()
            .map(|it| it.uid().to_owned())
            .unwrap_or_default()
    };
    let label = event(
        pending.clone().add(3),
        "PersistentVolumeClaim",
        &uid(&pending),
        "Warning",
        "ProvisioningFailed",
        "storageclass.storage.k8s.io \"manual\" not found",
    );
    stops(&label, "class_missing", Cluster);
    // What its own container does is the submission's: the lab asks to scale up.
    let ends = (1..=4).fold(History::created().scale(5).claim(3).add(3), |history, start| {
        history.crashed(3, start)
    });
    stops(&ends, "container_ends", Submission);
}

#[test]
fn another_pod_has_the_name() {
    let strip = |pod: &mut Pod| {
        pod.metadata.labels.clear();
        pod.metadata.owner_references.clear();
    };
    let mut history = History::new();
    history.spec.selector.match_labels.insert("app".to_owned(), "web".to_owned());
    let up = history.service().set(Change::Added).subject().up(0).up(1).up(2);
    let lost = up.clone().pod(1, Change::Modified, strip);
    stops(&lost, "name_taken", Cluster);
    assert_eq!(lost.clone().timeline().settled_or_awaited(), lost.timeline().settled_or_awaited());
    // One that the set will adopt in a moment is not in its way.
    let orphan = up.pod(1, Change::Modified, |pod| pod.metadata.owner_references.clear());
    waits(&orphan, "name_taken", Cluster);
}

#[test]
fn a_template_that_the_controller_cannot_give_to_standing_pods() {
    let mut history = History::created();
    history.spec.min_ready_seconds = 1;
    let mut history = history.set(Change::Modified);
    if let Some(What::Object(_, Object::StatefulSet(set))) =
        history.lines.last_mut().map(|it| &mut it.what)
    {
        set.status.observed_generation -= 1;
    }
    let message = "update Pod web-0 in StatefulSet web failed error: Pod \"web-0\" is invalid: \
        spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`";
    let history = event(history, "StatefulSet", "set", "Warning", "FailedUpdate", message);
    stops(&history, "update_failed", Cluster);
}

#[test]
fn why_a_tour_ended_is_beside_what_it_left_undecided() {
    let told = |history: &History| {
        let verdict = history.verdict("ordered_scale_down");
        assert_eq!(verdict.outcome(), crate::model::Outcome::Inconclusive, "{verdict:?}");
        verdict.blocked_by().map(|it| (it.id, it.why.clone()))
    };
    let ended = |why: Why, detail: Option<&str>| {
        let end = End { why, detail: detail.map(str::to_owned), ..End::default() };
        History::created().step(StepName::Inspect).done(StepName::Inspect).push(What::End(end))
    };
    assert_eq!(told(&ended(Why::Complete, None)), None);
    assert_eq!(told(&ended(Why::Interrupted, None)).map(|it| it.0), Some("interrupted"));
    let (id, why) = told(&ended(Why::Timeout, Some("web-4 to be Ready"))).unwrap_or_default();
    assert!(
        id == "out_of_time" && why.contains("--timeout") && why.contains("web-4 to be Ready"),
        "{id}: {why}"
    );
    let scaled = "somebody else scaled web to 3 while it was asked to have 5 (an autoscaler?)";
    let step = Step {
        name: StepName::ScaleUp,
        phase: Phase::Refused,
        asked: None,
        answer: Some(scaled.to_owned()),
    };
    let foreign = History::created().scale(5).step(StepName::ScaleUp).push(What::Step(step)).end();
    assert_eq!(told(&foreign), Some(("somebody_else", scaled.to_owned())));
}

#[test]
fn init_containers_that_do_not_end() {
    let mut history = History::new();
    history.spec.template.spec.init_containers =
        vec![Container { name: "init".to_owned(), ..Default::default() }];
    let state = ContainerState { running: Some(Running::default()), ..Default::default() };
    let status = ContainerStatus { name: "init".to_owned(), state, ..Default::default() };
    let history = history.service().set(Change::Added).subject().claim(0).add(0).pod(
        0,
        Change::Modified,
        |pod| pod.status.init_container_statuses = vec![status],
    );
    let history =
        (0..70).fold(history, |history, _| event(history, "Pod", "other", "Normal", "Started", ""));
    waits(&history, "init_never_ends", Submission);
    let pod = Reference { name: "web-0".to_owned(), uid: "pod-2".to_owned() };
    let lines = vec!["nslookup: can't resolve 'db'".to_owned()];
    let waiting = history.push(What::Diagnosis(Diagnosis::Logs {
        pod,
        container: "init".to_owned(),
        previous: false,
        lines,
    }));
    waits(&waiting, "never_ready", Cluster);
}

#[test]
fn a_native_sidecar_must_not_end_as_other_init_containers_do() {
    let with_init = |restart_policy: &str| {
        let mut history = History::new();
        let init = Container {
            name: "init".to_owned(),
            restart_policy: restart_policy.to_owned(),
            ..Default::default()
        };
        history.spec.template.spec.init_containers = vec![init];
        let state = ContainerState { terminated: Some(exit(0)), ..Default::default() };
        let status = ContainerStatus {
            name: "init".to_owned(),
            state,
            restart_count: 4,
            ..Default::default()
        };
        let history = history.service().set(Change::Added).subject().claim(0).add(0);
        history.pod(0, Change::Modified, |pod| pod.status.init_container_statuses = vec![status])
    };
    stops(&with_init("Always"), "container_ends", Submission);
    waits(&with_init(""), "never_ready", Cluster);
}

#[test]
fn a_broken_pod_of_an_earlier_template() {
    let mut history =
        log(ended(first_pod(), 4, exit(1)), &["no config"]).pod(0, Change::Modified, |pod| {
            pod.metadata.labels.insert("controller-revision-hash".to_owned(), "web-1".to_owned());
        });
    history.spec.min_ready_seconds = 1;
    let mut history = history.set(Change::Modified);
    if let Some(What::Object(_, Object::StatefulSet(set))) =
        history.lines.last_mut().map(|it| &mut it.what)
    {
        set.status.update_revision = "web-2".to_owned();
    }
    stops(&history, "outdated_pod", Cluster);
}

#[test]
fn what_the_node_does() {
    let evicted = first_pod().pod(0, Change::Modified, |pod| {
        pod.status.phase = "Failed".to_owned();
        pod.status.reason = "Evicted".to_owned();
        pod.status.message = "The node was low on resource: memory.".to_owned();
    });
    waits(&evicted, "evicted", Cluster);
    let stays = waiting(first_pod(), "ErrImagePull", "docker.io/library/busybocks:1.36: not found")
        .deletion_requested(0);
    // It may take its whole grace period.
    waits(&stays, "still_stopping", Cluster);
    let overdue =
        (0..50).fold(stays, |history, _| event(history, "Pod", "other", "Normal", "Started", ""));
    waits(&overdue, "still_terminating", Cluster);
    assert!(!words(&overdue).contains("finalizer"));
    let ended = ended(first_pod(), 0, exit(0)).pod(0, Change::Modified, |pod| {
        pod.status.container_statuses[0].state =
            ContainerState { terminated: Some(exit(0)), ..Default::default() };
    });
    let overdue = (0..50).fold(ended.deletion_requested(0), |history, _| {
        event(history, "Pod", "other", "Normal", "Started", "")
    });
    assert!(words(&overdue).contains("a finalizer or the node holds it"));
    waits(&waiting(first_pod(), "ContainerCreating", ""), "never_ready", Cluster);
}

/// What is told of a set when the time has run out.
fn words(history: &History) -> String {
    let ended = history.clone().step(StepName::Observe).ended(StepName::Observe, Phase::TimedOut);
    ended.timeline().obstacle().map_or_else(String::new, |it| it.why.clone())
}

#[test]
fn what_some_other_program_has_to_call_ready() {
    let message =
        "corresponding condition of pod readiness gate \"example.com/checked\" does not exist.";
    let gated = running(first_pod(), |_| {}).pod(0, Change::Modified, |pod| {
        let (r#type, status, reason) =
            ("Ready".to_owned(), "False".to_owned(), "ReadinessGatesNotReady".to_owned());
        pod.status.conditions =
            vec![Condition { r#type, status, reason, message: message.to_owned() }];
    });
    waits(&gated, "never_ready", Cluster);
    assert!(words(&gated).contains(message));
}

#[test]
fn a_set_that_asks_for_no_pods_blocks_every_test() {
    let mut history = History::new();
    history.spec.replicas = Some(0);
    let asked = history.service().set(Change::Added).subject().end();
    assert_eq!(
        (asked.letters().as_str(), asked.timeline().obstacle().map(|it| it.id)),
        ("FFFFFFFFFF", Some("zero_replicas"))
    );
}

/// Catches a set whose pods nobody can wait for, and a judge that goes through a million ordinals.
#[test]
fn more_replicas_than_are_graded_leave_every_test_undecided() {
    let mut history = History::new();
    history.spec.replicas = Some(1_000_000);
    let history = history.service().set(Change::Added).subject().up(0).up(1);
    assert_eq!(at_once(&history), Some(("too_many_replicas", Cluster)));
    for history in [history.clone(), history.end()] {
        let outcomes = crate::judge(&history.timeline()).map(|it| it.outcome());
        assert!(
            !outcomes.contains(&Outcome::Pass) && !outcomes.contains(&Outcome::Fail),
            "{outcomes:?}"
        );
    }
}
