//! Every mistake, in the order in which a manifest is read.

use crate::mistakes::{Mistake, Renewal, Section};

/// Every mistake. A test fails if one is missing.
pub static MISTAKES: &[&Mistake] = &[
    &NO_SERVICE,
    &WRONG_SERVICE_NAME,
    &SERVICE_NOT_HEADLESS,
    &SELECTOR_MISMATCH,
    &NAME_OF_TWO_PODS,
    &TOO_FEW_REPLICAS,
    &PARALLEL,
    &EMPTY_DIR,
    &HOST_PATH,
    &EPHEMERAL_VOLUME,
    &NO_VOLUME,
    &NOT_MOUNTED,
    &SHARED_CLAIM,
    &SHARED_STORAGE,
    &TOO_SMALL,
    &WRONG_ACCESS_MODE,
    &WHEN_SCALED_DELETE,
    &NO_FS_GROUP,
    &FOLDER_OF_ONE_POD,
    &NOTHING_WRITTEN,
    &SAME_CONTENT,
    &TELLS_NO_POD,
    &EARLIER_CONTENT,
    &OVERWRITTEN_AT_START,
    &OVERWRITTEN_AT_STOP,
    &WIPED_AT_START,
];

/// No headless Service.
pub static NO_SERVICE: Mistake = Mistake {
    id: "no_service",
    read: &[Section::HeadlessService, Section::MistakeNoService],
    renewal: Renewal::ApplyBesidePods,
    title: "no headless Service",
    explanation: "The StatefulSet has no headless Service, so the cluster's DNS makes no \
            names for its pods.",
    lab: None,
    remedy: "Apply a headless Service and name it in the set's `serviceName`.",
    before: "kind: StatefulSet\nspec:\n  serviceName: web        # no Service of this name \
            exists",
    after: "kind: Service\nmetadata:\n  name: web\nspec:\n  clusterIP: None\n  selector:\n    \
            app: web\n  ports:\n  - port: 80",
};

/// `serviceName` names another Service than the headless one, or none.
pub static WRONG_SERVICE_NAME: Mistake = Mistake {
    id: "wrong_service_name",
    read: &[Section::StatefulSet, Section::MistakeServiceName],
    renewal: Renewal::Recreate,
    title: "serviceName does not name the headless Service",
    explanation: "There is a headless Service, but `spec.serviceName` does not name it. \
            Pods only get DNS names under the Service that `serviceName` names.",
    lab: None,
    remedy: "Write the Service's metadata.name into `spec.serviceName`. That cannot be changed in \
            place: the StatefulSet must be deleted first.",
    before: "spec:\n  serviceName: web-svc    # the Service is called web",
    after: "spec:\n  serviceName: web",
};

/// The Service has a cluster IP, or is an alias.
pub static SERVICE_NOT_HEADLESS: Mistake = Mistake {
    id: "service_not_headless",
    read: &[Section::HeadlessService],
    renewal: Renewal::RecreateService,
    title: "the Service is not headless",
    explanation: "A headless Service's own name gives the pods' addresses. The name of any \
            other Service gives one cluster IP, or an alias (`ExternalName`). The lab asks for a \
            headless Service.",
    lab: None,
    remedy: "Set `clusterIP: None`. The field cannot be changed in place: delete the Service \
            and apply it again.",
    before: "kind: Service\nspec:\n  selector:\n    app: web",
    after: "kind: Service\nspec:\n  clusterIP: None\n  selector:\n    app: web",
};

/// The Service's selector does not match the pods.
pub static SELECTOR_MISMATCH: Mistake = Mistake {
    id: "selector_mismatch",
    read: &[Section::HeadlessService, Section::MistakeLabels],
    renewal: Renewal::ApplyBesidePods,
    title: "the Service's selector does not match the pods",
    explanation: "The Service selects by labels that not all pods of the set have. A pod that it \
            does not select gets no DNS name.",
    lab: None,
    remedy: "Give the Service's `spec.selector` the labels of the set's \
            `spec.template.metadata.labels`.",
    before: "kind: Service\nspec:\n  selector:\n    app: nginx            # the pods say app: \
            web",
    after: "kind: Service\nspec:\n  selector:\n    app: web",
};

/// A pod of something else has the same DNS name.
pub static NAME_OF_TWO_PODS: Mistake = Mistake {
    id: "name_of_two_pods",
    read: &[Section::DnsIdentity],
    renewal: Renewal::ApplyBesidePods,
    title: "a pod of something else has the same DNS name",
    explanation: "The Service selects a pod of another workload, too, whose `hostname` and \
            `subdomain` make the same name: who asks for the one pod may get the other.",
    lab: None,
    remedy: "Take `hostname` and `subdomain` out of the other workload's template, or give \
            its pods labels that the Service does not select.",
    before: "      hostname: web-1     # in the other workload's template\n      subdomain: web",
    after: "      # both lines are taken out",
};

/// Fewer than 3 replicas.
pub static TOO_FEW_REPLICAS: Mistake = Mistake {
    id: "too_few_replicas",
    read: &[Section::Constraints],
    renewal: Renewal::ApplyBesidePods,
    title: "fewer than 3 replicas",
    explanation: "The lab asks for at least 3 pods.",
    lab: None,
    remedy: "Set `spec.replicas` to 3 or more.",
    before: "spec:\n  replicas: 2",
    after: "spec:\n  replicas: 3",
};

/// PodManagementPolicy: Parallel.
pub static PARALLEL: Mistake = Mistake {
    id: "parallel",
    read: &[Section::OrderedCreation, Section::MistakeOrder],
    renewal: Renewal::Recreate,
    title: "podManagementPolicy: Parallel",
    explanation: "With Parallel, the controller creates and deletes all pods at once: nothing \
            waits for the pod before it.",
    lab: None,
    remedy: "Take the line out: OrderedReady is the default. It cannot be changed in place: the \
            StatefulSet must be deleted first.",
    before: "spec:\n  podManagementPolicy: Parallel",
    after: "spec:\n  podManagementPolicy: OrderedReady   # or no such line",
};

/// EmptyDir instead of a claim.
pub static EMPTY_DIR: Mistake = Mistake {
    id: "empty_dir",
    read: &[Section::PersistentStorage, Section::MistakeTemplates],
    renewal: Renewal::Recreate,
    title: "emptyDir instead of a PVC",
    explanation: "An emptyDir is deleted with its pod: nothing written to it stays.",
    lab: None,
    remedy: "Replace the volume by a volumeClaimTemplate of the same name. That cannot be \
            changed in place: the StatefulSet must be deleted first.",
    before: "    volumes:\n    - name: data\n      emptyDir: {}",
    after: "  volumeClaimTemplates:\n  - metadata:\n      name: data\n    spec:\n      \
            accessModes: [ReadWriteOnce]\n      resources:\n        requests:\n          storage: \
            100Mi",
};

/// HostPath instead of a claim.
pub static HOST_PATH: Mistake = Mistake {
    id: "host_path",
    read: &[Section::PersistentStorage, Section::MistakeTemplates],
    renewal: Renewal::Recreate,
    title: "hostPath instead of a PVC",
    explanation: "A hostPath is a folder of one node, and all pods there share it.",
    lab: None,
    remedy: "Replace the volume by a volumeClaimTemplate of the same name. That cannot be \
            changed in place: the StatefulSet must be deleted first.",
    before: "    volumes:\n    - name: data\n      hostPath:\n        path: /data",
    after: "  volumeClaimTemplates:\n  - metadata:\n      name: data\n    spec:\n      \
            accessModes: [ReadWriteOnce]\n      resources:\n        requests:\n          storage: \
            100Mi",
};

/// A generic ephemeral volume instead of a claim that stays.
pub static EPHEMERAL_VOLUME: Mistake = Mistake {
    id: "ephemeral_volume",
    read: &[Section::PersistentStorage, Section::MistakeTemplates],
    renewal: Renewal::Recreate,
    title: "an ephemeral volume instead of a PVC",
    explanation: "The PVC of a generic ephemeral volume belongs to the pod, and is deleted with it.",
    lab: None,
    remedy: "Delete the set, and move the PVC's spec to `volumeClaimTemplates`.",
    before: "    volumes:\n    - name: data\n      ephemeral:\n        volumeClaimTemplate: …",
    after: "  volumeClaimTemplates:\n  - metadata:\n      name: data\n    spec:\n      \
            accessModes: [ReadWriteOnce]\n      resources:\n        requests:\n          storage: \
            100Mi",
};

/// No claim at all.
pub static NO_VOLUME: Mistake = Mistake {
    id: "no_volume",
    read: &[Section::PersistentStorage, Section::MistakeTemplates],
    renewal: Renewal::Recreate,
    title: "no PVC at all",
    explanation: "Nothing keeps what the pods write: they mount no PVC.",
    lab: None,
    remedy: "Add a volumeClaimTemplate and mount it in the container. That cannot be changed in \
            place: the StatefulSet must be deleted first.",
    before: "    containers:\n    - name: app\n      image: busybox",
    after: "    containers:\n    - name: app\n      image: busybox\n      volumeMounts:\n      - name: data\n        mountPath: /data\n  volumeClaimTemplates:\n  - metadata:\n      name: data\n    spec:\n      accessModes: [ReadWriteOnce]\n      resources:\n        requests:\n          storage: 100Mi",
};

/// The claim is made, but no container mounts it.
pub static NOT_MOUNTED: Mistake = Mistake {
    id: "not_mounted",
    read: &[Section::StatefulSet, Section::PersistentStorage],
    renewal: Renewal::Apply,
    title: "the PVC is made, but no container mounts it",
    explanation: "volumeClaimTemplates makes a PVC for each pod, but no container mounts \
            the template's volume, so nothing is written to it.",
    lab: None,
    remedy: "Mount the volume by the template's name.",
    before: "    containers:\n    - name: app\n      image: busybox\n  \
            volumeClaimTemplates:\n  - metadata:\n      name: data",
    after: "    containers:\n    - name: app\n      image: busybox\n      volumeMounts:\n      - name: data         # the template's name\n        mountPath: /data",
};

/// One claim for all pods.
pub static SHARED_CLAIM: Mistake = Mistake {
    id: "shared_claim",
    read: &[Section::PersistentStorage, Section::MistakeTemplates],
    renewal: Renewal::Recreate,
    title: "one PVC for all pods",
    explanation: "A PVC named under `volumes` is one PVC for all pods.",
    lab: None,
    remedy: "Delete the set, and use `volumeClaimTemplates`: one PVC per pod. The old PVC may stay, \
            in your file too; its data is not copied.",
    before: "    volumes:\n    - name: data\n      persistentVolumeClaim:\n        claimName: \
            data",
    after: "  volumeClaimTemplates:\n  - metadata:\n      name: data\n    spec:\n      \
            accessModes: [ReadWriteOnce]\n      resources:\n        requests:\n          storage: \
            100Mi",
};

/// The claims lie on one and the same storage.
pub static SHARED_STORAGE: Mistake = Mistake {
    id: "shared_storage",
    read: &[Section::PersistentStorage],
    renewal: Renewal::RecreateWithClaims,
    title: "the PVCs lie on one and the same storage",
    explanation: "What one pod writes on its PVC is visible on another pod's PVC: the \
            volumes are one place under different names.",
    lab: None,
    remedy: "Use a StorageClass that gives each PVC a volume of its own.",
    before: "# two PersistentVolumes that name the same path",
    after: "# no storageClassName: the default class makes a volume for each PVC",
};

/// Less than 50Mi.
pub static TOO_SMALL: Mistake = Mistake {
    id: "too_small",
    read: &[Section::Constraints],
    renewal: Renewal::RecreateWithClaims,
    title: "less than 50Mi",
    explanation: "The lab asks for at least 50Mi. The size in a volumeClaimTemplate cannot be \
            changed in place.",
    lab: None,
    remedy: "Request 50Mi or more.",
    before: "      resources:\n        requests:\n          storage: 10Mi",
    after: "      resources:\n        requests:\n          storage: 100Mi",
};

/// An access mode that the StorageClass does not offer.
pub static WRONG_ACCESS_MODE: Mistake = Mistake {
    id: "wrong_access_mode",
    read: &[Section::StatefulSet, Section::MistakeAccessMode],
    renewal: Renewal::RecreateWithClaims,
    title: "an access mode that the StorageClass does not offer",
    explanation: "The PVCs ask for an access mode for many nodes at once (ReadWriteMany, \
            ReadOnlyMany), which this StorageClass cannot give. Each PVC has one pod only: \
            ReadWriteOnce is enough.",
    lab: None,
    remedy: "Ask for ReadWriteOnce. The field cannot be changed in place: delete the \
            StatefulSet and its PVCs, and apply it again.",
    before: "      accessModes: [ReadWriteMany]",
    after: "      accessModes: [ReadWriteOnce]",
};

/// `whenScaled: Delete`.
pub static WHEN_SCALED_DELETE: Mistake = Mistake {
    id: "when_scaled_delete",
    read: &[Section::OrderedScaling, Section::MistakePvcDeletion],
    renewal: Renewal::ApplyBesidePods,
    title: "whenScaled: Delete",
    explanation: "The set asks for its PVCs to be deleted when it is scaled down. The data \
            is lost, and a pod that comes back starts on a new, empty PVC.",
    lab: Some(
        "The lab says that PVCs are never deleted automatically. Kubernetes can do that: \
             `persistentVolumeClaimRetentionPolicy` asks for it.",
    ),
    remedy: "Remove `persistentVolumeClaimRetentionPolicy`, or set `whenScaled: Retain`.",
    before: "spec:\n  persistentVolumeClaimRetentionPolicy:\n    whenScaled: Delete",
    after: "spec:\n  persistentVolumeClaimRetentionPolicy:\n    whenScaled: Retain    # the \
            default",
};

/// The claim's volume belongs to root, and the container does not run as root.
pub static NO_FS_GROUP: Mistake = Mistake {
    id: "no_fs_group",
    read: &[Section::PersistentStorage],
    renewal: Renewal::Recreate,
    title: "the container may not write to its volume",
    explanation: "The container does not run as root, and the volume of its PVC belongs to root, \
            as new volumes mostly do. So nothing can be written to it.",
    lab: None,
    remedy: "Name a group in the pod's `securityContext.fsGroup`: the volume then belongs to \
            that group, and every container of the pod is in it.",
    before: "    spec:\n      securityContext:\n        runAsUser: 1000",
    after: "    spec:\n      securityContext:\n        runAsUser: 1000\n        fsGroup: 1000",
};

/// A `subPathExpr` that names another folder for each new pod.
pub static FOLDER_OF_ONE_POD: Mistake = Mistake {
    id: "folder_of_one_pod",
    read: &[Section::IdentityPersistence, Section::ExistingPvcs],
    renewal: Renewal::Apply,
    title: "each new pod gets another folder of its PVC",
    explanation: "`subPathExpr` names a folder of the volume after the pod's UID or address. A new \
            pod of the same name has another one, so it mounts another folder, and does not see \
            what the pod before it has written.",
    lab: None,
    remedy: "Take the variable in `subPathExpr` from `metadata.name`, which a new pod keeps, or take \
            `subPathExpr` out.",
    before: "        env:\n        - name: POD\n          valueFrom:\n            fieldRef:\n              \
            fieldPath: metadata.uid",
    after: "        env:\n        - name: POD\n          valueFrom:\n            fieldRef:\n              \
            fieldPath: metadata.name",
};

/// Nothing is written to the claim.
pub static NOTHING_WRITTEN: Mistake = Mistake {
    id: "nothing_written",
    read: &[Section::PersistentStorage],
    renewal: Renewal::Apply,
    title: "nothing is written to the PVC",
    explanation: "The PVCs are there, but the pods write no file to them, so nothing proves \
            which pod a volume belongs to.",
    lab: None,
    remedy: "Let the container write its host name when it first starts.",
    before: "      command: [\"sh\", \"-c\", \"exec nginx -g 'daemon off;'\"]",
    after: "      command: [\"sh\", \"-c\", \"[ -f /data/id ] || hostname > /data/id; exec \
            nginx -g 'daemon off;'\"]",
};

/// All pods write the same.
pub static SAME_CONTENT: Mistake = Mistake {
    id: "same_content",
    read: &[Section::PersistentStorage],
    renewal: Renewal::Apply,
    title: "all pods write the same",
    explanation: "All pods' files say the same, so nothing tells one pod from another.",
    lab: None,
    remedy: "Write the host name: it is the pod's name.",
    before: "      command: [\"sh\", \"-c\", \"echo hello > /data/id; …\"]",
    after: "      command: [\"sh\", \"-c\", \"[ -f /data/id ] || hostname > /data/id; …\"]",
};

/// The content tells no pod.
pub static TELLS_NO_POD: Mistake = Mistake {
    id: "tells_no_pod",
    read: &[Section::PersistentStorage],
    renewal: Renewal::Apply,
    title: "the content does not tell which pod wrote it",
    explanation: "A time, a random number or a list of all pods names no writer.",
    lab: None,
    remedy: "Write the host name: it is the pod's name.",
    before: "      command: [\"sh\", \"-c\", \"date > /data/id; …\"]",
    after: "      command: [\"sh\", \"-c\", \"[ -f /data/id ] || hostname > /data/id; …\"]",
};

/// The claims hold what an earlier version of the template wrote.
pub static EARLIER_CONTENT: Mistake = Mistake {
    id: "earlier_content",
    read: &[Section::PersistentStorage],
    renewal: Renewal::RecreateWithClaims,
    title: "the PVCs hold what an earlier version wrote",
    explanation: "What the template writes now tells which pod wrote it, as a new PVC shows. \
            These PVCs were filled before, and the command leaves alone what it finds.",
    lab: None,
    remedy: "The manifest needs no change. Copy away what you want to keep, delete the \
            StatefulSet and its PVCs, and apply it again.",
    before: "# /data/id on a PVC of before: what the earlier command wrote",
    after: "# /data/id on a new PVC: web-0",
};

/// The file is overwritten at every start.
pub static OVERWRITTEN_AT_START: Mistake = Mistake {
    id: "overwritten_at_start",
    read: &[Section::IdentityPersistence, Section::ExistingPvcs],
    renewal: Renewal::Apply,
    title: "the file is overwritten at every start",
    explanation: "The volume came back, but the file holds new values: `>`, `tee` or `cp` \
            writes a file anew each time its line is run.",
    lab: Some(
        "Its sections 1 and 2 use `>` at every start, though they promise the original date: if \
             you copied them, you did what the lab shows, not what it says.",
    ),
    remedy: "Write only if no file exists (`[ -f file ] ||`), or append (`>>`).",
    before: "      hostname > /data/id; date >> /data/id",
    after: "      [ -f /data/id ] || { hostname > /data/id; date >> /data/id; }",
};

/// The file is overwritten when the container stops.
pub static OVERWRITTEN_AT_STOP: Mistake = Mistake {
    id: "overwritten_at_stop",
    read: &[Section::IdentityPersistence, Section::ExistingPvcs],
    renewal: Renewal::Apply,
    title: "the file is overwritten when the container stops",
    explanation: "The volume came back, but the file was written anew with `>` before the new \
            container had started: by the old one, when it was told to stop (a `trap`, a preStop \
            hook).",
    lab: None,
    remedy: "Append what is written when the container stops (`>>`), or write it to a file of \
            its own.",
    before: "      trap 'echo \"$(hostname) stopped\" > /data/id; exit 0' TERM",
    after: "      trap 'echo \"$(hostname) stopped\" >> /data/id; exit 0' TERM",
};

/// A command of the pod removed what was on the volume.
pub static WIPED_AT_START: Mistake = Mistake {
    id: "wiped_at_start",
    read: &[Section::IdentityPersistence, Section::ExistingPvcs],
    renewal: Renewal::Apply,
    title: "a command of the pod removed the files",
    explanation: "The volume came back, but what was on it is gone: the pod removes it at its \
            start, or when it stops (`preStop`).",
    lab: None,
    remedy: "Don't remove what an earlier start left: the PVC is to keep it.",
    before: "      rm -rf /data/* /data/.[!.]*",
    after: "      mkdir -p /data",
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::MISTAKES;

    /// Catches a mistake that a check names, but that `explain` and `list` do not know, and one that
    /// stands elsewhere in the file than in the list.
    #[test]
    fn every_mistake_is_in_the_list_once_and_in_its_place() {
        let source = include_str!("catalogue.rs");
        let id = |line: &'static str| line.strip_prefix("    id: \"")?.strip_suffix("\",");
        let defined: Vec<&str> = source.lines().filter_map(id).collect();
        let listed: Vec<&str> = MISTAKES.iter().map(|it| it.id).collect();
        assert_eq!(defined, listed);
        assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len(), "{listed:?}");
    }
}
