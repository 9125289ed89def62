//! What `-f` makes of a namespace in which something stands already, or of which the API server
//! refuses a part.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use k8s_openapi::api::core::v1::{PersistentVolume, Service};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::json;

use crate::{
    kubectl::LAST_APPLIED,
    lab::Lab,
    state::{STANDING, read},
};

/// Catches a container, a variable and a retention policy that `kubectl apply` brought, that the
/// manifest does not hold any more, and that stay all the same.
#[tokio::test]
async fn what_the_manifest_drops_goes() {
    for manager in ["kubectl-client-side-apply", "kubectl-create"] {
        Lab::run(&format!("live-drops-{manager}"), async |lab| {
            let more = "      - name: more\n        image: busybox:1.36\n        command: [sh, \
                -c, \"trap 'exit 0' TERM; sleep 1000000 & wait\"]\n  \
                persistentVolumeClaimRetentionPolicy:\n    whenScaled: Delete\n";
            let text = read(STANDING);
            let before = text.replace("  volumeClaimTemplates:\n", &format!("{more}  volumeClaimTemplates:\n"));
            let before = before.replace("        image: busybox:1.36\n        command:\n", "        image: busybox:1.36\n        env: [{name: OLD, value: x}]\n        command:\n");
            lab.create(&before, manager).await;
            lab.settled("web", 3).await;
            assert_eq!(lab.set().await.spec.template.spec.unwrap().containers.len(), 2, "{before}");
            let graded = lab.grade(&["-f", STANDING]).await;
            assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
            let spec = lab.set().await.spec;
            let containers = spec.template.spec.unwrap().containers;
            assert!(containers.len() == 1 && containers[0].env.is_none(), "{containers:?}");
            let policy = spec.persistent_volume_claim_retention_policy.unwrap();
            assert_eq!(policy.when_scaled.as_deref(), Some("Retain"));
        })
        .await;
    }
}

/// Catches the annotation by which `kubectl apply` knows what a later manifest drops going away with
/// a grade, after which the next `kubectl apply` would drop nothing.
#[tokio::test]
async fn what_kubectl_applied_last_stays_known() {
    Lab::run("live-last-applied", async |lab| {
        lab.kubectl_apply(Path::new(STANDING)).await.unwrap();
        lab.settled("web", 3).await;
        let annotation = async || lab.set().await.metadata.annotations?.remove(LAST_APPLIED);
        let before = annotation().await;
        assert!(before.is_some());
        let graded = lab.grade(&["-f", STANDING]).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
        assert_eq!(annotation().await, before, "{}", graded.told());
    })
    .await;
}

/// Catches fields of a set, of its pods' template and of a Service that stay for ever when the file
/// that held them was applied by a grade and the next one by kubectl, or the other way round.
#[tokio::test]
async fn what_a_file_drops_goes_whoever_applies_it() {
    Lab::run("live-drops-in-turn", async |lab| {
        let bad = lab.folder.path().join("bad.yaml");
        let text = read(STANDING)
            .replace("  selector:\n    app: web\n", "  selector: {app: web, tier: front}\n")
            .replace(
                "    spec:\n      containers:\n",
                "    spec:\n      automountServiceAccountToken: false\n      containers:\n",
            )
            .replace(
                "  volumeClaimTemplates:\n",
                "  persistentVolumeClaimRetentionPolicy:\n    \
                whenScaled: Delete\n  volumeClaimTemplates:\n",
            );
        std::fs::write(&bad, &text).unwrap();
        let graded = lab.grade(&["-f", bad.to_str().unwrap()]).await;
        assert_eq!(graded.status, 1, "{text}\n{}", graded.told());
        let left = async || {
            let services: Api<Service> = Api::namespaced(lab.client.clone(), &lab.namespace);
            let selector = services.get("web").await.unwrap().spec.unwrap().selector.unwrap();
            let spec = lab.set().await.spec;
            let policy = spec.persistent_volume_claim_retention_policy;
            (
                selector.contains_key("tier"),
                spec.template.spec.unwrap().automount_service_account_token.is_some(),
                policy.and_then(|it| it.when_scaled).is_some_and(|it| it == "Delete"),
            )
        };
        assert_eq!(left().await, (true, true, true), "{text}");
        lab.kubectl_apply(Path::new(STANDING)).await.unwrap();
        assert_eq!(left().await, (false, false, false));
        lab.settled("web", 3).await;
        let graded = lab.grade(&["-f", STANDING]).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
        lab.kubectl_apply(&bad).await.unwrap();
        assert_eq!(left().await, (true, true, true));
        lab.settled("web", 3).await;
        let graded = lab.grade(&["-f", STANDING]).await;
        assert_eq!((graded.status, left().await), (0, (false, false, false)), "{}", graded.told());
    })
    .await;
}

/// Catches a clean-up that says it will remove, and has removed, a set that stood before and stays.
#[tokio::test]
async fn a_clean_up_tells_what_stays() {
    Lab::run("live-cleanup-standing", async |lab| {
        lab.kubectl_apply(Path::new(STANDING)).await.unwrap();
        lab.settled("web", 3).await;
        let graded = lab.grade(&["-f", STANDING, "--cleanup"]).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
        for told in [
            "and to remove in the end what did not stand before",
            "the replicas are as they were found",
            "what stood before stays, as -f applied it: service/web, statefulset/web",
        ] {
            assert!(graded.says(told), "{}", graded.told());
        }
        assert!(!graded.says("all that -f made is removed"), "{}", graded.told());
        assert_eq!(lab.set().await.spec.replicas, Some(3));
    })
    .await;
}

/// Catches a submission of which half is applied when the API server refuses the other half.
#[tokio::test]
async fn what_is_refused_leaves_nothing_applied() {
    Lab::run("live-refused", async |lab| {
        let before = lab.state().await;
        let refused = lab.grade(&["-f", "tests/live/refused.yaml"]).await;
        assert!(
            refused.says("the set selects other pods than its template makes"),
            "{}",
            refused.told()
        );
        assert_eq!(lab.state().await, before, "{}", refused.told());
    })
    .await;
}

/// Catches fields that are not kubectl's any more, though the manifest was refused: the next `kubectl
/// apply` would leave what it drops.
#[tokio::test]
async fn what_is_refused_leaves_the_fields_to_their_owners() {
    Lab::run("live-refused-standing", async |lab| {
        lab.create(&read(STANDING), "kubectl-client-side-apply").await;
        lab.settled("web", 3).await;
        let owners = async || {
            let entries = lab.set().await.metadata.managed_fields.unwrap_or_default();
            let mut owners: Vec<_> = entries
                .into_iter()
                .filter(|it| it.subresource.is_none())
                .map(|it| (it.manager, it.operation, it.fields_v1.map(|it| it.0)))
                .collect();
            owners.sort_by_key(|it| it.0.clone());
            owners
        };
        let before = owners().await;
        let labels = "      labels:\n        app: web\n";
        let another = read(STANDING).replace(labels, "      labels:\n        app: another\n");
        let file = lab.folder.path().join("another.yaml");
        std::fs::write(&file, another).unwrap();
        let refused = lab.grade(&["-f", file.to_str().unwrap()]).await;
        assert!(
            refused.says("the set selects other pods than its template makes"),
            "{}",
            refused.told()
        );
        assert_eq!(owners().await, before, "{}", refused.told());
    })
    .await;
}

/// Catches claims of the tour's own that take spare volumes, which nobody can bind again.
#[tokio::test]
async fn spare_volumes_made_by_hand_stay_available() {
    Lab::run("live-spare-volumes", async |lab| {
        let volumes: Api<PersistentVolume> = Api::all(lab.client.clone());
        let name = |number| format!("live-spare-volumes-{number}");
        // Of its own: the node keeps what an earlier run has written.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        for number in 0..5 {
            let volume = json!({"metadata": {"name": name(number)}, "spec": {"storageClassName": "live-spare-volumes", "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": format!("/var/lib/{}-{now}", name(number)), "type": "DirectoryOrCreate"}}});
            volumes.create(&PostParams::default(), &serde_json::from_value(volume).unwrap()).await.unwrap();
        }
        let text = read(STANDING).replace("      accessModes: [ReadWriteOnce]\n", "      \
            accessModes: [ReadWriteOnce]\n      storageClassName: live-spare-volumes\n");
        lab.create(&text, "live").await;
        lab.settled("web", 3).await;
        let graded = lab.grade(&[]).await;
        let mut free = 0;
        for volume in (0..5).map(name) {
            let phase = volumes.get(&volume).await.unwrap().status.and_then(|it| it.phase);
            free += usize::from(phase.as_deref() == Some("Available"));
        }
        for volume in (0..5).map(name) {
            volumes.delete(&volume, &DeleteParams::default()).await.unwrap();
        }
        assert_eq!((graded.status, graded.score(), free), (0, 100, 2), "{}", graded.told());
        assert!(!graded.says("from 3 to 5"), "{}", graded.told());
    })
    .await;
}
