//! The table of obstacles: a row for each reason that a pod is not where it should be.

use crate::mistakes::{self, Renewal};
use crate::model::{
    diagnosis::{
        DEFAULT_ROW,
        Decides::{AfterStepTime, AtOnce},
        ObstacleRow, recognise,
    },
    obstacle::{
        Effect::{CrashLoop, StopsTour},
        Fault::{NotTheSubmission, Submission},
    },
};

/// The id of the row of a Pod of the manifest that has the name of a pod of the set.
pub const NAME_TAKEN_BY_OWN_POD: &str = "name_taken_by_own_pod";
/// The id of the row of a container that ends again and again, where no other row knows why.
pub const CONTAINER_ENDS: &str = "container_ends";
/// The id of the row of a container that the kubelet ends because its `postStart` hook fails.
pub const POST_START_FAILS: &str = "post_start_fails";

/// The table, from the top: the first row that recognises its case names the obstacle.
pub(super) const ROWS: &[ObstacleRow] = &[
    ObstacleRow {
        id: NAME_TAKEN_BY_OWN_POD,
        fault: Submission,
        renewal: Some(Renewal::Apply),
        decides: AtOnce,
        recognise: recognise::name_taken_by_own_pod,
        remedy: "The manifest holds a Pod that has the name of a pod of the set, so the set cannot \
            make its own. Take this Pod out of the file, and delete it: the set makes all of its \
            pods itself.",
        is_pods_own: true,
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "outdated_pod",
        fault: NotTheSubmission,
        decides: AtOnce,
        recognise: recognise::outdated_pod,
        remedy: "The pod is from an earlier version of the template, and the controller does not \
            replace a pod that is not Ready. Delete the pod (`kubectl delete pod`) and grade \
            again.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "container_added",
        fault: NotTheSubmission,
        decides: AtOnce,
        recognise: recognise::container_added,
        effect: CrashLoop,
        comes_again: true,
        remedy: "Something in the cluster (an admission webhook, mostly) adds this container to \
            the pod: your template does not have it. Nothing in your manifest can help: show the \
            words to whoever runs the cluster, and grade again when it is mended.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "changed_by_cluster",
        fault: NotTheSubmission,
        decides: AtOnce,
        recognise: recognise::changed_by_cluster,
        comes_again: true,
        remedy: "Something in the cluster (an admission webhook, a LimitRange, a node selector of \
            the namespace) added that to the pod or changed it: your template does not ask for \
            it. Nothing in your manifest can help: show the words to whoever runs the cluster, \
            and grade again when it is mended.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "image_unreachable",
        fault: NotTheSubmission,
        decides: AfterStepTime,
        recognise: recognise::image_unreachable,
        remedy: "The registry did not hand out the image. If `image:` names the registry and the \
            image that you mean, grade again when it answers.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "image_name_invalid",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::image_name_invalid,
        remedy: "Correct `image:` in the pod template: this cannot be the name of an image. Names \
            are lowercase, with the tag behind a colon, such as `busybox:1.36`.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "image_never_pulled",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::image_never_pulled,
        remedy: "`imagePullPolicy: Never` takes only an image that the node already has, and it \
            does not have this one. Take the line out, so that the image is pulled.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "image_missing",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::image_missing,
        remedy: "Correct `image:` in the pod template: the registry says that this image does not \
            exist or may not be pulled.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "config_error",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::config_error,
        remedy: "The container cannot be made from its own spec. Correct what the message names \
            (a command that is not in the image, a ConfigMap or Secret that is missing).",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "out_of_memory",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::out_of_memory,
        remedy: "The container needs more memory than its own limit. Raise \
            `resources.limits.memory` or use less.",
        effect: CrashLoop,
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "node_out_of_memory",
        fault: NotTheSubmission,
        renewal: Some(Renewal::Recreate),
        decides: AfterStepTime,
        recognise: recognise::node_out_of_memory,
        remedy: "The node, or a limit that the namespace sets, leaves the container too little \
            memory. Grade again when there is more, or state `resources` for the container.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "liveness_fails",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::liveness_fails,
        remedy: "Kubernetes ends the container and starts it again because its liveness or startup \
            probe fails. Take the probe out, for the lab asks for none, or make it ask what the \
            container really answers (path, port, command) and give it the time for that \
            (`timeoutSeconds`).",
        effect: CrashLoop,
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "fs_group_ignored",
        fault: NotTheSubmission,
        renewal: Some(Renewal::RecreateWithClaims),
        decides: AtOnce,
        recognise: recognise::fs_group_ignored,
        effect: CrashLoop,
        comes_again: true,
        remedy: "The pod asks by `fsGroup` for volumes that it may write to, and the cluster's \
            storage gives it others. Name a StorageClass whose volumes follow `fsGroup` (which \
            cannot be changed in place), or show the words to whoever runs the cluster.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "no_fs_group",
        fault: Submission,
        decides: AtOnce,
        recognise: recognise::no_fs_group,
        effect: CrashLoop,
        remedy: "The container does not run as root, and its volume belongs to root. Write \
            `securityContext: {fsGroup: 1000}` under the pod template's `spec`: then the volume \
            belongs to that group, and every container of the pod is in it.",
        mistake: Some(&mistakes::NO_FS_GROUP),
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "disk_fails",
        fault: NotTheSubmission,
        decides: AtOnce,
        recognise: recognise::disk_fails,
        effect: CrashLoop,
        remedy: "The disk under the PVC is full, or does not work, and the little that was seen of \
            the container's own files does not fill it. If your command writes much more than a \
            line, let it write less. If not, nothing in your manifest can help: show the words to \
            whoever runs the cluster, and grade again when the disk is mended.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: POST_START_FAILS,
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::post_start_fails,
        remedy: "Kubernetes ends a container whose `postStart` hook fails, and starts it again. Let \
            the hook end with exit status 0, also when the volume is not empty any more: `[ ! -f \
            file ] && …` fails when the file is there, `[ -f file ] || …` does not.",
        effect: CrashLoop,
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: CONTAINER_ENDS,
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::container_ends,
        remedy: "Mend the command by what it wrote last, if it wrote anything, and let it end in a \
            program that keeps running. If it writes to a volume, it must also work when that is \
            not empty any more: `mkdir -p`, `[ -f file ] ||`.",
        effect: CrashLoop,
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "storage_limit",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::storage_limit,
        remedy: "The pod wrote more beside its PVCs than the template allows it. Write to the \
            PVC, or raise the limit that the message names.",
        is_pods_own: true,
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "node_named",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::node_named,
        remedy: "Take `nodeName` out of the pod template, so that the scheduler finds a node for \
            each pod.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "evicted",
        fault: NotTheSubmission,
        decides: AfterStepTime,
        recognise: recognise::evicted,
        remedy: "The cluster removed the pod; its words say why. Grade again when that is over.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "node_not_ready",
        fault: NotTheSubmission,
        decides: AfterStepTime,
        recognise: recognise::node_not_ready,
        remedy: "The cluster lost the node on which the pod runs. Grade again when `kubectl get \
            nodes` says Ready.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "container_not_started",
        fault: NotTheSubmission,
        decides: AfterStepTime,
        recognise: recognise::container_not_started,
        remedy: "The node could not start the container; its words say why. If they name something \
            of your manifest (a mount, a user), correct that. If not, show them to whoever runs the \
            cluster, and grade again when the node is mended.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "probe_unanswered",
        fault: NotTheSubmission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::probe_unanswered,
        remedy: "A probe got no answer in its time (`timeoutSeconds`, 1 s if it is not written). \
            Either the node is busy, or what the probe asks takes longer. Write `timeoutSeconds: \
            10` for the probe, or take it out, for the lab asks for none, and grade again.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "probe_fails",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AfterStepTime,
        recognise: recognise::probe_fails,
        remedy: "The container runs, but its readiness or startup probe, which decides whether the \
            pod is Ready, kept failing. Take the probe out, for the lab asks for none, or make it ask what \
            the container really answers (path, port, command).",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "init_never_ends",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AfterStepTime,
        recognise: recognise::init_never_ends,
        remedy: "An init container must end before the others start. Let its command end, or move \
            it to `containers`.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "claim_differs",
        fault: NotTheSubmission,
        decides: AtOnce,
        recognise: recognise::claim_differs,
        remedy: "Deleting a StatefulSet keeps its PVCs, and a PVC cannot be changed: this one \
            is still what an earlier template, or somebody by hand, asked for. It has no volume, \
            so nothing is lost with it. Delete it, and grade again.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "volume_missing",
        fault: Submission,
        renewal: Some(Renewal::RecreateWithClaims),
        decides: AtOnce,
        recognise: recognise::volume_missing,
        remedy: "Take `volumeName` out of the PVC: that line, as `kubectl get -o yaml` shows \
            it, names the volume of one PVC in one cluster. Delete the PVC, and let \
            `volumeClaimTemplates` make it.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "volume_lost",
        fault: NotTheSubmission,
        decides: AtOnce,
        recognise: recognise::volume_lost,
        remedy: "The volume behind the PVC is gone, and what was on it. Delete the PVC and \
            its pod, so that both are made anew, and grade again.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "claim_impossible",
        fault: Submission,
        renewal: Some(Renewal::RecreateWithClaims),
        decides: AtOnce,
        recognise: recognise::claim_impossible,
        remedy: "The volumeClaimTemplate asks for what the StorageClass does not give. Take out \
            what the message names (`selector`, `volumeMode: Block`): a plain PVC needs \
            neither.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "class_missing",
        fault: Submission,
        renewal: Some(Renewal::RecreateWithClaims),
        decides: AtOnce,
        recognise: recognise::class_missing,
        remedy: "The PVC names a StorageClass that does not exist. Leave \
            `storageClassName` out to get the default one, or name one that `kubectl get \
            storageclass` lists.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "class_none",
        fault: Submission,
        renewal: Some(Renewal::RecreateWithClaims),
        decides: AtOnce,
        recognise: recognise::class_none,
        remedy: "`storageClassName: \"\"` asks for a volume made by hand, and there is none. \
            Leave the field out to get the default class.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "no_default_class",
        fault: NotTheSubmission,
        renewal: Some(Renewal::RecreateWithClaims),
        decides: AtOnce,
        recognise: recognise::no_default_class,
        remedy: "The cluster has no default StorageClass. Ask for one, or name an existing class \
            in `storageClassName`, which cannot be changed in place.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "wrong_access_mode",
        fault: Submission,
        decides: AtOnce,
        recognise: recognise::wrong_access_mode,
        remedy: "The StorageClass does not offer the access mode that the PVC asks for. Ask for \
            `ReadWriteOnce`: each PVC has one pod only.",
        mistake: Some(&mistakes::WRONG_ACCESS_MODE),
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "claim_missing",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::claim_missing,
        remedy: "The pod names a PVC that does not exist. Let `volumeClaimTemplates` make one \
            for each pod.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "placement_impossible",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::placement_impossible,
        remedy: "No node can ever have what the pod asks for. Remove the nodeSelector or \
            affinity, or ask for less CPU and memory.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "host_port",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::host_port,
        remedy: "Take `hostPort` (or `hostNetwork`) out of the pod template: a node has each of \
            its ports only once, so only one of the pods fits on a node. Each pod has an address \
            of its own, and the headless Service needs no port of the node.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "host_port_taken",
        fault: NotTheSubmission,
        renewal: Some(Renewal::Recreate),
        decides: AfterStepTime,
        recognise: recognise::host_port_taken,
        remedy: "Another pod has the port of the node that the template asks for. Take `hostPort` \
            (or `hostNetwork`) out of the template, which needs none, or grade again when the \
            port is free.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "claim_pending",
        fault: NotTheSubmission,
        decides: AfterStepTime,
        recognise: recognise::claim_pending,
        remedy: "The cluster did not provide the volume. If its words name something that your \
            manifest asks for, such as an access mode, change that. If not, grade again when the \
            PVC is Bound.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "no_room_for_more",
        fault: NotTheSubmission,
        decides: AtOnce,
        recognise: recognise::no_room_for_more,
        remedy: "The cluster has no room for more pods than the submission asks for. Nothing is \
            wrong with your manifest.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "preempted",
        fault: NotTheSubmission,
        decides: AfterStepTime,
        recognise: recognise::preempted,
        remedy: "The pods ran, and the scheduler evicted them for a pod of higher priority \
            (`kubectl get pods -A` shows what runs beside them). Nothing is wrong with your \
            manifest: grade again when that pod is gone, or where there is room for both.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "no_room",
        fault: NotTheSubmission,
        decides: AfterStepTime,
        recognise: recognise::no_room,
        remedy: "The cluster has no room for the pod now. Nothing is wrong with your manifest: \
            grade again when there is room.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "not_scheduled",
        fault: NotTheSubmission,
        renewal: Some(Renewal::Recreate),
        decides: AfterStepTime,
        recognise: recognise::not_scheduled,
        remedy: "The scheduler finds no node, and why is not known to be the manifest's fault, \
            nor the cluster's. If its words name something of the manifest, change that; if not, \
            show them to whoever runs the cluster.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "volume_not_mounted",
        fault: NotTheSubmission,
        renewal: Some(Renewal::Recreate),
        decides: AfterStepTime,
        recognise: recognise::volume_not_mounted,
        remedy: "The node could not mount the volume in time. If its words name a volume that the \
            pod template itself describes, correct that; if not, grade again.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "quota",
        fault: NotTheSubmission,
        decides: AtOnce,
        recognise: recognise::quota,
        remedy: "The namespace's quota leaves no room. Remove what is not needed in the \
            namespace, or ask for more.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "pod_security",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::pod_security,
        remedy: "The Pod Security level `baseline` refuses what the message names: stsgrade gave \
            the namespace this level when it made it. Take that out of the pod template. Where it \
            is meant so, `--trust` makes the namespace without the level, and a namespace that \
            stands already keeps its own.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "webhook_down",
        fault: NotTheSubmission,
        decides: AfterStepTime,
        recognise: recognise::webhook_down,
        remedy: "An admission webhook of the cluster does not answer, so nothing can be made that \
            it has to look at. Nothing in your manifest can help: ask whoever runs the cluster to \
            mend or remove the webhook that the message names, and grade again.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "pod_refused",
        fault: Submission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::pod_refused,
        remedy: "The API server refuses what the template chose, which is more than the lab asks. \
            Correct what the message names, or take it out.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "level_restricted",
        fault: NotTheSubmission,
        renewal: Some(Renewal::Recreate),
        decides: AtOnce,
        recognise: recognise::level_restricted,
        comes_again: true,
        remedy: "The namespace has the Pod Security level `restricted`, which no plain pod \
            satisfies, and the lab asks for no more than a plain pod. Say in the pod template what \
            the level demands. Under its `spec`, in `securityContext`: `runAsNonRoot: true`, \
            `runAsUser: 1000`, `fsGroup: 1000` (so that this user may write to the volume) and \
            `seccompProfile: {type: RuntimeDefault}`. In each container, in `securityContext`: \
            `allowPrivilegeEscalation: false` and `capabilities: {drop: [ALL]}`. Or grade in a \
            namespace without this level.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "policy",
        fault: NotTheSubmission,
        decides: AtOnce,
        recognise: recognise::policy,
        remedy: "A policy of the cluster or of the namespace refuses the pod or its PVC, though \
            the lab asks for nothing special; its own words say why. If they name something that \
            your manifest can state, state it; else ask whoever runs the cluster, or grade in \
            another namespace.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "name_taken",
        fault: NotTheSubmission,
        decides: AtOnce,
        recognise: recognise::name_taken,
        remedy: "The set cannot make a pod of its own by that name. Delete the pod that holds it \
            (`kubectl delete pod`): the set then makes its own, on the same PVC. Then grade \
            again.",
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "still_stopping",
        fault: NotTheSubmission,
        decides: AfterStepTime,
        recognise: recognise::still_stopping,
        remedy: "The pod had less time to stop than it may take. Grade again with a longer \
            `--timeout`, or let the container end at SIGTERM: `exec` its program, or `trap 'exit \
            0' TERM`.",
        effect: StopsTour,
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "still_terminating",
        fault: NotTheSubmission,
        decides: AfterStepTime,
        recognise: recognise::still_terminating,
        remedy: "The pod did not go in time. `kubectl describe pod` says what it waits for, \
            `kubectl get pod -o yaml` which finalizers hold it. Grade again when it is gone.",
        effect: StopsTour,
        ..DEFAULT_ROW
    },
    ObstacleRow {
        id: "never_ready",
        fault: NotTheSubmission,
        decides: AfterStepTime,
        recognise: recognise::never_ready,
        remedy: "It was not Ready in the time allowed, and what keeps it is not known to be the \
            manifest's fault. `kubectl describe pod` says more; if it only needs longer, grade \
            again with a longer `--timeout`.",
        ..DEFAULT_ROW
    },
];

#[cfg(test)]
mod tests {
    use super::{ROWS, Submission};

    /// Catches a row whose remedy would be typed as `kubectl apply` alone, without anybody having
    /// thought of the fields that cannot be changed in place.
    #[test]
    fn every_row_that_blames_the_submission_says_how_it_is_renewed() {
        for row in ROWS.iter().filter(|it| it.fault == Submission) {
            assert!(row.renewal().is_some(), "{}", row.id);
        }
    }
}
