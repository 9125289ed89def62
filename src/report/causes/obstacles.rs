//! Obstacles in words that a student knows: what stands above a cause, and what to do where the
//! lines below it show one way.

use checks::{
    mistakes::{self, NO_FS_GROUP},
    model::{
        Obstacle, Timeline,
        diagnosis::{self, DNS_DENIED, POST_START_FAILS},
    },
};

use crate::{
    remedy::{
        commands::{self, CommandFacts, Mending},
        harmless,
    },
    report::causes::{Cause, Key},
};

/// The id of the obstacle that the controller cannot update a pod that stands.
const UPDATE_FAILED: &str = "update_failed";
/// A small image with a shell.
const PROBE_IMAGE: &str = "busybox:1.36";

/// What an obstacle is, in a few words.
pub fn title(id: &str) -> Option<&'static str> {
    let own = TITLES.iter().find(|(it, _)| *it == id).map(|(_, words)| *words);
    // Some obstacles are mistakes of the catalogue, too.
    own.or_else(|| mistakes::find(id).map(|it| it.title))
}

const TITLES: &[(&str, &str)] = &[
    ("outdated_pod", "the pod is from an earlier version of the template"),
    ("container_added", "a container that the cluster added to the pod does not stay up"),
    ("changed_by_cluster", "the cluster changed the pod"),
    ("image_unreachable", "the registry did not hand out the image"),
    ("image_name_invalid", "the name of the image is not valid"),
    ("image_never_pulled", "the image may not be pulled (`imagePullPolicy: Never`)"),
    ("image_missing", "there is no such image"),
    ("config_error", "the container cannot be made as the template says"),
    ("out_of_memory", "the container needs more memory than its limit"),
    ("node_out_of_memory", "the node had no memory left"),
    ("liveness_fails", "the liveness or startup probe fails"),
    ("fs_group_ignored", "the cluster's storage ignores the pod's `fsGroup`"),
    ("disk_fails", "the disk under the PVC is full or broken"),
    ("post_start_fails", "the container's postStart hook fails"),
    ("container_ends", "the container ends"),
    ("storage_limit", "the pod wrote more than its storage limit"),
    ("node_named", "`nodeName` names a node that does not take the pod"),
    ("evicted", "the cluster removed the pod"),
    ("node_not_ready", "the pod's node is not Ready"),
    ("container_not_started", "the node could not start a container"),
    ("probe_unanswered", "a probe gets no answer in its time"),
    ("probe_fails", "the readiness or startup probe fails"),
    ("init_never_ends", "the init container does not end"),
    ("claim_differs", "the PVC is not the one that the template asks for"),
    ("volume_missing", "the PVC names a volume that does not exist"),
    ("volume_lost", "the volume of the PVC is gone"),
    ("claim_impossible", "no volume can be as the PVC asks"),
    ("class_missing", "the PVC names a StorageClass that does not exist"),
    ("class_none", "the PVC asks for a volume made by hand, and there is none"),
    ("no_default_class", "the cluster has no default StorageClass"),
    ("claim_missing", "the pod's PVC does not exist"),
    ("placement_impossible", "no node has what the pod asks for"),
    ("host_port", "two pods ask for the same port of a node (`hostPort`)"),
    ("host_port_taken", "somebody else uses the port of the node (`hostPort`)"),
    ("claim_pending", "the PVC got no volume"),
    ("no_room_for_more", "the cluster has no room for more pods"),
    ("preempted", "a more important pod took the place of this one"),
    ("no_room", "the cluster has no room for the pod"),
    ("not_scheduled", "no node was found for the pod"),
    ("volume_not_mounted", "the node could not mount the volume"),
    ("quota", "the quota of the namespace is used up"),
    ("pod_security", "the Pod Security of the namespace forbids the pod"),
    ("webhook_down", "a webhook of the cluster does not answer"),
    ("pod_refused", "the API server refuses the pod"),
    ("level_restricted", "the namespace allows no pods without a `securityContext`"),
    ("policy", "a policy of the cluster forbids the pod"),
    ("name_taken_by_own_pod", "a Pod of the manifest has the name of a pod of the set"),
    ("name_taken", "a pod that is not the set's has this name"),
    ("still_stopping", "the pod takes long to stop"),
    ("still_terminating", "the pod was told to stop and is still there"),
    ("never_ready", "the pod did not get Ready"),
    ("no_stateful_set", "there is no StatefulSet"),
    ("no_stateful_set_but_others", "there are workloads, but no StatefulSet"),
    ("zero_replicas", "the StatefulSet asks for no pods (`replicas: 0`)"),
    ("too_many_replicas", "the StatefulSet asks for more pods than are graded"),
    ("set_deleted", "somebody deleted the StatefulSet"),
    ("dns_denied", "a NetworkPolicy keeps the pods from the cluster's DNS"),
    ("update_failed", "the controller cannot change a pod as the template says"),
    ("somebody_else", "somebody else changed the StatefulSet, or its pods or PVCs"),
    ("request_refused", "the API server refused what the grade asked for"),
    ("request_unanswered", "the API server gave no answer to what the grade asked for"),
    ("interrupted", "the grade was stopped"),
    ("out_of_time", "the time was over (`--timeout`)"),
    ("grade_ended", "the grade could not go on"),
];

/// What to do where the lines below take out what stands in the way.
pub(super) fn with_change(id: &str) -> Option<&'static str> {
    Some(match id {
        "probe_fails" => {
            "The container runs, but its readiness or startup probe kept failing. The lines below \
            take the probe out: the lab asks for none. One that asks what the container really answers \
            (path, port, command) does as well."
        }
        "liveness_fails" => {
            "Kubernetes ends the container because its liveness or startup probe fails. The lines \
            below take the probe out: the lab asks for none. One that asks what the container \
            really answers (path, port, command), with the time for that (`timeoutSeconds`), does \
            as well."
        }
        POST_START_FAILS => {
            "Kubernetes ends a container whose `postStart` hook fails, and starts it again. The \
            hook's last line tests a file. Where the test is false, as `[ ! -f file ]` is when the \
            file is there, its exit status 1 is that of the whole hook. With the lines below it is 0."
        }
        "init_never_ends" => {
            "An init container must end before the others start. The lines below take it out. If \
            the pod needs it, let its command end instead, or move it to `containers`."
        }
        id if id == NO_FS_GROUP.id => {
            "The container does not run as root, and its volume belongs to root. With the lines \
            below the volume belongs to a group that every container of the pod is in."
        }
        "placement_impossible" => {
            "No node has what the pod asks for. The lines below take out what it asks of a \
            node; a smaller amount of CPU or memory, or a label that a node has, does as well."
        }
        _ => return None,
    })
}

/// What to type about an obstacle that is not the submission's fault.
fn commands_about(
    obstacle: &Obstacle,
    pod: &str,
    timeline: &Timeline,
    facts: &CommandFacts,
) -> Vec<String> {
    let ns = &facts.namespace;
    let first = match obstacle.id {
        _ if facts.is_removed() => vec![],
        "outdated_pod" | "name_taken" => vec![format!("kubectl delete pod {pod} -n {ns}")],
        // It has no volume, and nothing is on it.
        "claim_differs" => made_anew("Pending", obstacle, timeline, facts),
        // What was on it is gone.
        "volume_lost" => made_anew("Lost", obstacle, timeline, facts),
        _ => vec![],
    };
    facts.flags.aimed(first.into_iter().chain([commands::grade_again(facts)]).collect())
}

/// Deletes the claims of the set that are in this phase, and the pods that have them: none of them
/// holds any data.
///
/// The pod of the obstacle may be one that the grade added. A claim goes with the last pod that uses
/// it, so nothing waits until it is gone.
fn made_anew(
    phase: &str,
    obstacle: &Obstacle,
    timeline: &Timeline,
    facts: &CommandFacts,
) -> Vec<String> {
    let is_in_phase = |name: &String| {
        let life = timeline.claim(name).last().filter(|it| it.deleted.is_none());
        life.is_some_and(|it| it.claim.status.phase == phase)
    };
    let added = obstacle.ordinal.filter(|it| !timeline.ordinals().contains(it));
    let claims_of_added = added.into_iter().flat_map(|it| timeline.claim_names(it));
    let claims: Vec<String> = facts
        .claims
        .iter()
        .cloned()
        .chain(claims_of_added.filter_map(|it| harmless(&it)))
        .filter(is_in_phase)
        .collect();
    let uses_one = |pod: &String| claims.iter().any(|it| it.ends_with(&format!("-{pod}")));
    let added_pod = added.and_then(|it| harmless(timeline.live(it)?.name()));
    let pods: Vec<String> = facts.pods.iter().cloned().chain(added_pod).filter(uses_one).collect();
    let ns = &facts.namespace;
    let delete = |what: &str, names: &[String]| {
        (!names.is_empty()).then(|| format!("kubectl delete {what} -n {ns} {}", names.join(" ")))
    };
    let claims = delete("pvc", &claims).map(|it| format!("{it} --wait=false"));
    claims.into_iter().chain(delete("pod", &pods)).collect()
}

/// Deletes all pods of the set, and waits for those that are made in their place.
fn all_pods_anew(facts: &CommandFacts) -> Vec<String> {
    if facts.is_removed() || facts.pods.is_empty() {
        return vec![];
    }
    let (ns, pods) = (&facts.namespace, facts.pods.join(" "));
    vec![format!("kubectl delete pod -n {ns} {pods}"), commands::ready(facts, facts.replicas)]
}

/// Adds how to see what keeps a pod.
fn show_pod(cause: &mut Cause, pod: &str, facts: &CommandFacts) {
    let stuck = commands::Stuck { pod, ends: None };
    cause.show(commands::see(1, Some(&stuck), facts));
}

/// Adds what to type where the points are undecided.
pub(super) fn add_commands_for_undecided(
    cause: &mut Cause,
    key: &Key,
    obstacle: Option<&Obstacle>,
    timeline: &Timeline,
    facts: &CommandFacts,
) {
    let who = obstacle.map(|it| it.who.as_str()).filter(|it| timeline.is_pod(it));
    let again = commands::grade_again(facts);
    let ns = &facts.namespace;
    match (key, who.and_then(harmless)) {
        (Key::Obstacle(DNS_DENIED, _), _) => {
            cause.commands = vec![again];
            let see = format!("kubectl describe networkpolicies -n {ns}");
            cause.see = facts.flags.aimed(vec![see]);
            cause.right =
                Some("no policy that selects the pods and keeps them from the DNS server");
        }
        (Key::NoShell, _) if facts.flags.probe_image.is_none() => {
            cause.commands = vec![format!("{again} --probe-image {PROBE_IMAGE}")];
        }
        (Key::NoExec, _) if facts.is_by_hand => {
            cause.commands = vec![format!("stsgrade rbac -n {ns} --record")];
        }
        (Key::NoExec, _) => {
            cause.commands = {
                // It takes one file.
                let file = match &facts.files[..] {
                    [file] => format!(" -f {file}"),
                    _ => String::new(),
                };
                vec![format!("stsgrade rbac -n {ns}{file}"), again]
            }
        }
        (Key::Obstacle(UPDATE_FAILED, _), _) => {
            let commands = all_pods_anew(facts).into_iter().chain([again]).collect();
            cause.commands = facts.flags.aimed(commands);
        }
        (Key::Obstacle(id, _), pod) if diagnosis::may_be_changed(id) => {
            let mending = Mending::of(id);
            cause.commands = commands::commands_after_changes(&[mending], facts);
            if let Some(words) = mending.for_a_change(facts) {
                cause.remedy = format!("{} {words}", cause.remedy);
            }
            if let Some(pod) = pod {
                show_pod(cause, &pod, facts);
            }
        }
        (Key::Obstacle(..), Some(pod)) => {
            let about = |it| commands_about(it, &pod, timeline, facts);
            cause.commands = obstacle.map(about).unwrap_or_default();
            show_pod(cause, &pod, facts);
        }
        _ => cause.commands = vec![again],
    }
}

#[cfg(test)]
mod tests {
    use checks::model::diagnosis;

    use super::title;

    /// Catches an obstacle whose heading would be its internal name.
    #[test]
    fn each_obstacle_has_words_of_its_own() {
        for (id, ..) in diagnosis::obstacles() {
            assert!(title(id).is_some(), "{id}");
        }
    }
}
