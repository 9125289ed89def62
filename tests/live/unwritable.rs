//! Volumes that belong to root alone, as those of most cloud disks do: on a storage that follows
//! `fsGroup`, and on one that does not.

use k8s_openapi::api::core::v1::{PersistentVolume, Pod};
use kube::{Api, api::ListParams};
use serde_json::json;

use crate::{
    lab::Lab,
    state::{STANDING, read},
};

/// So many volumes there are for a set: as many as it has pods.
const VOLUMES: usize = 3;
/// How the start-up command writes, and how it writes where it goes on when it may not.
const WRITE: &str = "[ -f /data/id ] || echo \"$(hostname) $(date +%s)\" > /data/id\n";
const TRY: &str = "{ [ -f /data/id ] || hostname > /data/id; } 2>/dev/null\n";

/// A storage, a pod, and what comes of them.
struct Case {
    name: &'static str,
    /// The kind of the volumes: `local`, which follows `fsGroup`, or `hostPath`, which does not.
    volumes: &'static str,
    security_context: &'static str,
    ends: bool,
    letters: &'static str,
    told: &'static str,
}

const CASES: [Case; 6] = [
    Case {
        name: "root",
        volumes: "local",
        security_context: "{}",
        ends: true,
        letters: "PPPPPPPPPP",
        told: "100 of 100 points",
    },
    Case {
        name: "group",
        volumes: "local",
        security_context: "{runAsUser: 1000, fsGroup: 2000}",
        ends: true,
        letters: "PPPPPPPPPP",
        told: "100 of 100 points",
    },
    Case {
        name: "no-group",
        volumes: "local",
        security_context: "{runAsUser: 1000}",
        ends: true,
        letters: "FFFFFFFFFF",
        told: "+       securityContext: {runAsUser: 1000, fsGroup: 1000}",
    },
    Case {
        name: "silent",
        volumes: "local",
        security_context: "{runAsUser: 1000}",
        ends: false,
        letters: "PPPFPIPPPI",
        told: "+       securityContext: {runAsUser: 1000, fsGroup: 1000}",
    },
    Case {
        name: "ignored",
        volumes: "hostPath",
        security_context: "{runAsUser: 1000, fsGroup: 2000}",
        ends: true,
        letters: "IIIIIIIIII",
        told: "the cluster's storage ignores the pod's `fsGroup`",
    },
    Case {
        name: "silent-ignored",
        volumes: "hostPath",
        security_context: "{runAsUser: 1000, fsGroup: 2000}",
        ends: false,
        letters: "PPPIPIPPPI",
        told: "the cluster's storage does not do that",
    },
];

impl Case {
    fn manifest(&self, class: &str) -> String {
        let text = read(STANDING);
        let class = format!("accessModes: [ReadWriteOnce]\n      storageClassName: {class}");
        let context = format!("securityContext: {}\n      containers:", self.security_context);
        let changed = text
            .replace("accessModes: [ReadWriteOnce]", &class)
            .replace("containers:", &context)
            .replace("          trap", "          set -e; trap");
        assert!(changed.contains(WRITE));
        if self.ends { changed } else { changed.replace("set -e; ", "").replace(WRITE, TRY) }
    }
}

impl Lab {
    /// Volumes made by hand, of a class that has the namespace's name.
    async fn volumes_of_root(&self, kind: &str) {
        let folder = format!("/var/lib/stsgrade/by-hand/{}", self.namespace);
        let script = format!(
            "rm -rf /made/*; for i in $(seq 0 {}); do mkdir -m 0700 /made/$i; done",
            VOLUMES - 1
        );
        let maker = json!({"metadata": {"name": "maker"}, "spec": {"restartPolicy": "Never",
            "containers": [{"name": "maker", "image": "busybox:1.36", "command": ["sh", "-ec", script],
                "volumeMounts": [{"name": "made", "mountPath": "/made"}]}],
            "volumes": [{"name": "made", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}}]}});
        self.until_pods_can_be_made().await;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        pods.create(&Default::default(), &serde_json::from_value(maker).unwrap()).await.unwrap();
        let phase = async || pods.get("maker").await.unwrap().status?.phase;
        self.until("the folders are there", async || phase().await.as_deref() == Some("Succeeded"))
            .await;
        let node = pods.get("maker").await.unwrap().spec.unwrap().node_name.unwrap();
        pods.delete("maker", &Default::default()).await.unwrap();
        let here = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]}});
        // A run that ended early has left some.
        self.remove_volumes().await;
        let all: Api<PersistentVolume> = Api::all(self.client.clone());
        for place in 0..VOLUMES {
            let volume = json!({"metadata": {"name": format!("{}-{place}", self.namespace),
                    "labels": {"live": self.namespace}},
                "spec": {"storageClassName": self.namespace, "accessModes": ["ReadWriteOnce"],
                    "capacity": {"storage": "100Mi"}, "persistentVolumeReclaimPolicy": "Retain",
                    "nodeAffinity": here, (kind): {"path": format!("{folder}/{place}")}}});
            all.create(&Default::default(), &serde_json::from_value(volume).unwrap())
                .await
                .unwrap();
        }
    }

    async fn remove_volumes(&self) {
        let all: Api<PersistentVolume> = Api::all(self.client.clone());
        let ours = ListParams::default().labels(&format!("live={}", self.namespace));
        all.delete_collection(&Default::default(), &ours).await.unwrap();
    }
}

/// Catches a right submission that loses points to a storage that ignores `fsGroup`; a missing
/// `fsGroup` that is not told as what it is; and a volume of root that costs root anything.
#[tokio::test]
async fn whether_a_pod_may_write_is_told() {
    let rounds = CASES.iter().map(|case| {
        Lab::round(format!("live-unwritable-{}", case.name), async move |lab| {
            lab.volumes_of_root(case.volumes).await;
            let file = lab.folder().join("lab.yaml");
            std::fs::write(&file, case.manifest(lab.name())).unwrap();
            let graded = lab.grade(&["-f", file.to_str().unwrap()]).await;
            lab.remove_volumes().await;
            let given = lab.letters().await;
            if given == case.letters && graded.says(case.told) {
                Ok(())
            } else {
                Err(format!("{given}, and not {}: {}", case.letters, graded.told()))
            }
        })
    });
    let wrong: Vec<String> =
        futures::future::join_all(rounds).await.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
