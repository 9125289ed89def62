//! Pods for which there is no node, and what nodes do to pods.

use super::*;

#[test]
fn nodes_that_cannot_take_the_pod() {
    let selector = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. \
        no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not \
        helpful for scheduling.";
    stops(&unschedulable(particular(), selector), "placement_impossible", Submission);
    let spread = "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules. no new \
        claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found \
        for incoming pod.";
    stops(&unschedulable(particular(), spread), "placement_impossible", Submission);
    let too_large = "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, \
        preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    stops(&unschedulable(particular(), too_large), "placement_impossible", Submission);
    let reserved = "0/3 nodes are available: 1 node(s) had untolerated taint \
        {node-role.kubernetes.io/control-plane: }, 2 node(s) didn't match Pod's node \
        affinity/selector. preemption: 0/3 nodes are available: 3 Preemption is not helpful for \
        scheduling.";
    stops(&unschedulable(particular(), reserved), "placement_impossible", Submission);
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
        // The node that has the pod's volume is drained, or lost.
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match \
        PersistentVolume's node affinity. preemption: 0/3 nodes are available: 3 Preemption is \
        not helpful for scheduling.",
        "0/2 nodes are available: 1 node(s) had untolerated taint \
        {node.kubernetes.io/unreachable: }, 1 node(s) had volume node affinity conflict. \
        preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
    ] {
        waits(&unschedulable(first_pod(), message), "no_room", NotTheSubmission);
    }
}

/// Catches pods that ran and were evicted being told as a cluster that never had room, and another
/// pod's rule being told as the submission's.
#[test]
fn pods_that_made_room_for_a_pod_of_higher_priority() {
    let message = "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity \
        rules. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption \
        victims found for incoming pod.";
    let evicted = Condition {
        r#type: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: "PreemptionByScheduler".to_owned(),
        message: "default-scheduler: preempting to accommodate a higher priority pod".to_owned(),
    };
    let mut history = History::created();
    for ordinal in [1, 0] {
        let evicted = evicted.clone();
        history = history
            .pod(ordinal, ObjectChange::Modified, |pod| pod.status.conditions.push(evicted))
            .deletion_requested(ordinal)
            .deleted(ordinal);
    }
    let history = unschedulable(history.add(0), message);
    waits(&history, "preempted", NotTheSubmission);
    assert_eq!(
        words(&history),
        "web-0 and web-1 were evicted for a pod of higher priority, and no node takes web-0 since: \
        0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules. That \
        anti-affinity rule is another pod's: your template has none."
    );
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
        waits(&history, "not_scheduled", NotTheSubmission);
        assert!(
            message.starts_with(&words(&history)) && !words(&history).contains("preemption"),
            "{}",
            words(&history)
        );
    }
    for (id, fault, remedy) in rows() {
        let is_sure = matches!(id, "preempted" | "no_room" | "no_room_for_more");
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
    let mut history = History::new().service().set(ObjectChange::Added).subject();
    for placed in 0..ordinal {
        history = history.up(placed).pod(placed, ObjectChange::Modified, |pod| {
            pod.spec.get_or_insert_default().node_name = format!("node-{placed}")
        });
    }
    let condition = not_scheduled("Unschedulable", message);
    history
        .claim(ordinal)
        .add(ordinal)
        .pod(ordinal, ObjectChange::Modified, |pod| pod.status.conditions = vec![condition])
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
    waits(&no_node_for(0, one), "host_port_taken", NotTheSubmission);
    waits(&no_node_for(1, two), "host_port_taken", NotTheSubmission);
    // More nodes than can be counted are more than the set has pods on.
    let many = format!(
        "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, {} \
        node(s) didn't have free ports for the requested pod ports.",
        usize::MAX
    );
    waits(&no_node_for(2, &many), "host_port_taken", NotTheSubmission);
    let beyond = no_node_for(2, one)
        .pod(2, ObjectChange::Modified, |pod| pod.status.conditions.clear())
        .ready(2)
        .scale(5)
        .claim(3)
        .add(3);
    let condition = not_scheduled("Unschedulable", one);
    stops(
        &beyond.pod(3, ObjectChange::Modified, |pod| pod.status.conditions = vec![condition]),
        "no_room_for_more",
        NotTheSubmission,
    );
}

#[test]
fn nodes_that_the_template_names() {
    let mut history = History::new();
    history.spec.template.spec.node_name = "node-9".to_owned();
    let history = history.service().set(ObjectChange::Added).subject().claim(0).add(0);
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
            .pod(0, ObjectChange::Modified, |pod| pod.status.conditions = vec![collected.clone()]),
        "node_named",
        Submission,
    );
    waits(
        &first_pod().pod(0, ObjectChange::Modified, |pod| pod.status.conditions = vec![collected]),
        "evicted",
        NotTheSubmission,
    );
    // A node that is there has the containers soon, ready or not.
    waits(&waiting(history, "ContainerCreating", ""), "never_ready", NotTheSubmission);
}

/// The first pod beyond those of the submission, Pending for this reason.
fn no_node_for_the_fourth(reason: &str, message: &str) -> History {
    let condition = not_scheduled(reason, message);
    let scaled = History::created().scale(5).claim(3).add(3);
    scaled.pod(3, ObjectChange::Modified, |pod| pod.status.conditions = vec![condition])
}

#[test]
fn pods_beyond_what_was_submitted_are_not_waited_for() {
    let message = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, \
        preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
    stops(&no_node_for_the_fourth("Unschedulable", message), "no_room_for_more", NotTheSubmission);
}

/// Catches a conflict of the scheduler's own that ends the scaling up, although it is over soon.
#[test]
fn an_error_of_the_scheduler_is_waited_for() {
    let message = "running PreBind plugin \"VolumeBinding\": Operation cannot be fulfilled on \
        persistentvolumeclaims \"data-web-3\": the object has been modified";
    waits(&no_node_for_the_fourth("SchedulerError", message), "not_scheduled", NotTheSubmission);
}

/// Catches a scaling up that ends because the ephemeral volume of the former pod is still there: the
/// garbage collector deletes its claim a moment later.
#[test]
fn the_claim_of_the_former_pod_is_waited_for() {
    let message = "0/1 nodes are available: PVC lab/web-3-data was not created for pod lab/web-3 \
        (pod is not owner). not found";
    waits(&no_node_for_the_fourth("Unschedulable", message), "not_scheduled", NotTheSubmission);
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
        NotTheSubmission,
    );
    stops(
        &refused(
            "ValidatingAdmissionPolicy 'three' with binding 'three' denied request: at most three \
            members here",
        ),
        "policy",
        NotTheSubmission,
    );
    let pending =
        History::created().scale(5).claim(3).claim_line(3, ObjectChange::Modified, |claim| {
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
    stops(&label, "class_missing", NotTheSubmission);
    // What its own container does is the submission's: the lab asks to scale up.
    let ends = (1..=4).fold(History::created().scale(5).claim(3).add(3), |history, start| {
        history.crashed(3, start)
    });
    stops(&ends, "container_ends", Submission);
}

#[test]
fn what_the_node_does() {
    let evicted = first_pod().pod(0, ObjectChange::Modified, |pod| {
        pod.status.phase = "Failed".to_owned();
        pod.status.reason = "Evicted".to_owned();
        pod.status.message = "The node was low on resource: memory.".to_owned();
    });
    waits(&evicted, "evicted", NotTheSubmission);
    let stays = waiting(first_pod(), "ErrImagePull", "docker.io/library/busybocks:1.36: not found")
        .deletion_requested(0);
    // It may take its whole grace period.
    waits(&stays, "still_stopping", NotTheSubmission);
    let overdue =
        (0..50).fold(stays, |history, _| event(history, "Pod", "other", "Normal", "Started", ""));
    waits(&overdue, "still_terminating", NotTheSubmission);
    assert!(!words(&overdue).contains("finalizer"));
    let ended = ended(first_pod(), 0, exit(0)).pod(0, ObjectChange::Modified, |pod| {
        pod.status.container_statuses[0].state =
            ContainerState { terminated: Some(exit(0)), ..Default::default() };
    });
    let overdue = (0..50).fold(ended.deletion_requested(0), |history, _| {
        event(history, "Pod", "other", "Normal", "Started", "")
    });
    assert!(words(&overdue).contains("a finalizer or the node holds it"));
    waits(&waiting(first_pod(), "ContainerCreating", ""), "never_ready", NotTheSubmission);
}

/// Catches a pod below the first ordinal that does not go, keeps the set from being settled, and is
/// named by nobody.
#[test]
fn a_pod_below_the_first_ordinal_is_to_go_too() {
    let mut raised = History::created();
    raised.spec.ordinals = Some(crate::model::observation::object::Ordinals { start: 1 });
    let raised = raised.set(ObjectChange::Modified).up(3).deletion_requested(0);
    let overdue =
        (0..50).fold(raised, |history, _| event(history, "Pod", "other", "Normal", "Started", ""));
    waits(&overdue, "still_terminating", NotTheSubmission);
}
