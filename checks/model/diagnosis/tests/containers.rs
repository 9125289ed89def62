//! Containers that cannot be made, or that end.

use super::*;

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
        NotTheSubmission,
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
    let before = not_mounted(missing);
    stops(&before, "config_error", Submission);
    // The kubelet may have looked before what is missing was applied, and tells of it after that.
    let mut told = before.step(StepName::Apply).done(StepName::Apply);
    for _ in 0..2 {
        told = warned(told, "FailedMount", missing);
    }
    waits(&told, "config_error", Submission);
    let seconds_later = (0..6).fold(told, |history, _| warned(history, "FailedMount", missing));
    stops(&seconds_later, "config_error", Submission);
    // A pod that the submission itself brings was not looked at before.
    let applied = History::new().step(StepName::Apply).service().set(ObjectChange::Added);
    let brought = applied.done(StepName::Apply).subject().claim(0).add(0);
    let message = "secret \"web\" not found";
    stops(&waiting(brought, "CreateContainerConfigError", message), "config_error", Submission);
    // The same of volumes that the cluster made: for a claim, and for every pod.
    for made in [
        "MountVolume.SetUp failed for volume \"pvc-91bcb3ea\" : hostPath type check failed: \
        /volumes/pvc-91bcb3ea is not a directory",
        "MountVolume.SetUp failed for volume \"pvc-91bcb3ea\" : secret \"storage\" not found",
        "MountVolume.SetUp failed for volume \"kube-api-access-k6nfx\" : configmap \
        \"kube-root-ca.crt\" not found",
    ] {
        waits(&not_mounted(made), "volume_not_mounted", NotTheSubmission);
    }
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
            history.service().set(ObjectChange::Added).subject().claim(0).add(0),
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
    let on_a_file = "error mounting \"/volumes/c\" to rootfs at \"/etc/app.conf\": not a \
        directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?";
    stops(&ended(first_pod(), 1, start_error(&said(on_a_file))), "config_error", Submission);
}

/// Catches a submission that is blamed for a container that the node could not start, or whose end
/// nobody knows.
#[test]
fn what_the_node_could_not_start_or_lost_is_no_end_of_the_container_s_own() {
    let failed = |reason: &str, message: &str| Terminated {
        exit_code: 128,
        reason: reason.to_owned(),
        message: message.to_owned(),
        ..Default::default()
    };
    for message in [
        "OCI runtime create failed: runc create failed: unable to start container process: unable \
        to apply cgroup configuration: mkdir /sys/fs/cgroup/kubepods: no space left on device",
        "failed to create shim task: failed to mount rootfs component: invalid argument",
        "failed to start shim: start failed: fork/exec /usr/bin/containerd-shim-runc-v2: resource \
        temporarily unavailable",
    ] {
        for reason in ["StartError", "ContainerCannotRun"] {
            let history = ended(first_pod(), 6, failed(reason, message));
            waits(&history, "container_not_started", NotTheSubmission);
            let told = format!("the node could not start container app: {message}");
            assert_eq!(words(&history), told);
        }
    }
    for (reason, code) in [("Unknown", 255), ("ContainerStatusUnknown", 137)] {
        let lost = Terminated { reason: reason.to_owned(), ..exit(code) };
        waits(&ended(first_pod(), 6, lost), "never_ready", NotTheSubmission);
    }
    // The same status, by its own doing.
    stops(&ended(first_pod(), 6, exit(255)), "container_ends", Submission);
}

/// Catches a limit that is too low for any program, taken for the node's trouble.
#[test]
fn too_little_memory_for_a_start_is_the_template_s_own_limit() {
    let killed = Terminated {
        exit_code: 128,
        reason: "StartError".to_owned(),
        message: "runc create failed: unable to start container process: container init was \
            OOM-killed (memory limit too low?): unknown"
            .to_owned(),
        ..Default::default()
    };
    let limited = first_pod_of(|it| {
        it.resources.limits.insert("memory".to_owned(), "1Mi".to_owned());
    });
    stops(&ended(limited, 2, killed.clone()), "out_of_memory", Submission);
    waits(&ended(first_pod(), 4, killed), "node_out_of_memory", NotTheSubmission);
}

/// Catches a pod that the kubelet removed, blamed for the end of its containers.
#[test]
fn containers_of_a_pod_that_is_removed_do_not_end_by_themselves() {
    let state = ContainerState { terminated: Some(exit(137)), ..Default::default() };
    let status = container(state, |it| it.restart_count = 6);
    let removed = first_pod().pod(0, ObjectChange::Modified, |pod| {
        (pod.status.phase, pod.status.reason) = ("Failed".to_owned(), "Terminated".to_owned());
        pod.status.message = "Pod was terminated in response to imminent node shutdown.".to_owned();
        status(pod);
    });
    waits(&removed, "evicted", NotTheSubmission);
}

#[test]
fn containers_that_end() {
    let ended_twice = |before: &[&str], last: &[&str], code| {
        let history = log(ended(first_pod(), 1, exit(code)), before);
        log(ended(history, 2, exit(code)), last)
    };
    stops(
        &ended_twice(&["at 10:00: no config"], &["at 10:01: no config"], 1),
        "container_ends",
        Submission,
    );
    stops(&ended_twice(&[], &[], 0), "container_ends", Submission);
    // Standard output and standard error are put together in the order in which they were heard.
    stops(
        &ended_twice(&["starting", "no config"], &["no config", "starting"], 1),
        "container_ends",
        Submission,
    );
    for unclear in [
        ended_twice(&["step 1"], &["step 2 fails"], 1),
        ended_twice(&[], &[], 1),
        ended_twice(&["connection refused"], &["connection refused"], 1),
    ] {
        waits(&unclear, "container_ends", Submission);
        stops(&ended(unclear, 4, exit(1)), "container_ends", Submission);
    }
}

#[test]
fn only_the_ended_container_s_words_are_told() {
    let history = log(ended(first_pod(), 4, exit(1)), &["cannot read /etc/app.conf"]);
    let other = Reference { name: "web-0".to_owned(), uid: "pod-2".to_owned() };
    let history = history.push(Fact::Inquiry(Inquiry::Logs {
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

/// Catches a log that nobody read and that is told as one without a word.
#[test]
fn only_a_log_that_was_read_may_hold_nothing() {
    let wrote_nothing = |history: History| {
        let WaitStatus::Stuck(obstacle) = history.timeline().settled_or_awaited() else {
            panic!("not stuck")
        };
        obstacle.container.unwrap().wrote_nothing
    };
    assert!(!wrote_nothing(ended(first_pod(), 4, exit(1))));
    assert!(wrote_nothing(log(ended(first_pod(), 4, exit(1)), &[])));
    assert!(!wrote_nothing(log(ended(first_pod(), 4, exit(1)), &["no config"])));
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
    // This start may have been begun before, and is told of late.
    let late = ended(applied.clone(), 8, exit(1));
    waits(&late, "container_ends", Submission);
    let seconds_later = (0..6).fold(late, |history, _| history.tick());
    waits(&ended(seconds_later.clone(), 8, exit(1)), "container_ends", Submission);
    stops(&ended(seconds_later, 9, exit(1)), "container_ends", Submission);
    let seconds_later = (0..6).fold(applied, |history, _| history.tick());
    stops(&ended(seconds_later, 8, exit(1)), "container_ends", Submission);
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
    waits(&history, "never_ready", NotTheSubmission);
}

#[test]
fn pods_that_exceed_a_limit_of_their_own() {
    let evicted = |message: &str| {
        first_pod().pod(0, ObjectChange::Modified, |pod| {
            (pod.status.phase, pod.status.reason, pod.status.message) =
                ("Failed".to_owned(), "Evicted".to_owned(), message.to_owned());
        })
    };
    stops(
        &evicted("Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "),
        "storage_limit",
        Submission,
    );
    waits(
        &evicted("The node was low on resource: ephemeral-storage."),
        "evicted",
        NotTheSubmission,
    );
}

#[test]
fn init_containers_that_do_not_end() {
    let mut history = History::new();
    history.spec.template.spec.init_containers =
        vec![Container { name: "init".to_owned(), ..Default::default() }];
    let state = ContainerState { running: Some(Running::default()), ..Default::default() };
    let status = ContainerStatus { name: "init".to_owned(), state, ..Default::default() };
    let history = history.service().set(ObjectChange::Added).subject().claim(0).add(0).pod(
        0,
        ObjectChange::Modified,
        |pod| pod.status.init_container_statuses = vec![status],
    );
    let history =
        (0..70).fold(history, |history, _| event(history, "Pod", "other", "Normal", "Started", ""));
    waits(&history, "init_never_ends", Submission);
    // It has run for some seconds only: its image came late.
    let late = history.clone().pod(0, ObjectChange::Modified, |pod| {
        pod.metadata.creation_timestamp = Some("2026-11-29T10:00:00Z".to_owned());
        let started_at = Some("2026-11-29T10:01:05Z".to_owned());
        pod.status.init_container_statuses[0].state.running = Some(Running { started_at });
    });
    waits(&late, "never_ready", NotTheSubmission);
    let pod = Reference { name: "web-0".to_owned(), uid: "pod-2".to_owned() };
    let lines = vec!["nslookup: can't resolve 'db'".to_owned()];
    let waiting = history.push(Fact::Inquiry(Inquiry::Logs {
        pod,
        container: "init".to_owned(),
        previous: false,
        lines,
    }));
    waits(&waiting, "never_ready", NotTheSubmission);
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
        let history = history.service().set(ObjectChange::Added).subject().claim(0).add(0);
        history
            .pod(0, ObjectChange::Modified, |pod| pod.status.init_container_statuses = vec![status])
    };
    stops(&with_init("Always"), "container_ends", Submission);
    waits(&with_init(""), "never_ready", NotTheSubmission);
}
