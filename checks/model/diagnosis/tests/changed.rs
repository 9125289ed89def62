//! What the cluster made of a pod that the template does not ask for.

use super::*;

const NO_SUCH: &str = "docker.io/library/busybocks:1.36: not found";

fn with_pod(history: History, change: impl FnOnce(&mut Pod)) -> History {
    history.pod(0, ObjectChange::Modified, change)
}

/// Catches an image that a webhook has rewritten being blamed on the submission.
#[test]
fn an_image_that_the_template_does_not_name() {
    let named = |image: &str| {
        let asked = first_pod_of(|it| it.image = "busybox:1.36".to_owned());
        let given = with_pod(asked, |pod| {
            pod.spec.iter_mut().for_each(|spec| spec.containers[0].image = image.to_owned());
        });
        waiting(given, "ErrImagePull", NO_SUCH)
    };
    stops(&named("mirror.lab.example/busybox:1.36"), "changed_by_cluster", NotTheSubmission);
    stops(&named("busybox:1.36"), "image_missing", Submission);
}

/// Catches a default request of a LimitRange, and a node selector of the namespace, being blamed on
/// the submission.
#[test]
fn a_node_that_the_template_does_not_ask_for() {
    let too_large = "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are \
        available: 1 Preemption is not helpful for scheduling.";
    let selector = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    for message in [too_large, selector] {
        stops(&unschedulable(first_pod(), message), "changed_by_cluster", NotTheSubmission);
        stops(&unschedulable(particular(), message), "placement_impossible", Submission);
    }
}

/// Catches a container that a webhook added being blamed on the submission when it ends.
#[test]
fn a_container_that_the_template_does_not_have() {
    let ends = |name: &str| {
        with_pod(ended(first_pod(), 4, exit(1)), |pod| {
            pod.status.container_statuses[0].name = name.to_owned();
        })
    };
    stops(&ends("istio-proxy"), "container_added", NotTheSubmission);
    stops(&ends("app"), "container_ends", Submission);
}

/// Catches an init container that a webhook adds, and that Pod Security refuses, being blamed on the
/// submission.
#[test]
fn a_refused_container_that_the_template_does_not_have() {
    let refusal = |containers: &str| {
        refused(&format!(
            "create Pod web-0 in StatefulSet web failed error: pods \"web-0\" is forbidden: violates \
            PodSecurity \"baseline:latest\": non-default capabilities ({containers} must not \
            include \"NET_ADMIN\" in securityContext.capabilities.add)"
        ))
    };
    stops(&refusal("container \"istio-init\""), "changed_by_cluster", NotTheSubmission);
    stops(&refusal("container \"app\""), "pod_refused", Submission);
    stops(&refusal("containers \"app\", \"istio-init\""), "pod_refused", Submission);
}
