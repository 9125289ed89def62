//! What a student does in the moments in which a grade puts back or cleans up: their claims stay.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{PersistentVolumeClaim, Service},
};
use kube::api::{DeleteParams, ListParams};

use crate::{
    lab::Lab,
    state::{STANDING, ended, read},
};

impl Lab {
    /// The claims that stand and are not being deleted, as names with UIDs.
    async fn living_claims(&self) -> Vec<(String, String)> {
        let all = self.api::<PersistentVolumeClaim>().list(&ListParams::default()).await.unwrap();
        let living = all.items.into_iter().map(|it| it.metadata);
        let living = living.filter(|it| it.deletion_timestamp.is_none());
        living.map(|it| (it.name.unwrap(), it.uid.unwrap())).collect()
    }

    /// Creates a set, and kills a grade of it when it has five pods.
    async fn killed_with_five_pods(&self, text: &str) {
        self.create(text, "kubectl").await;
        self.settled("web", 3).await;
        let later = Duration::from_secs(2);
        assert!(self.kill_after("scale up", later).await, "the grade had ended");
        self.settled("web", 5).await;
    }
}

/// The set of [`STANDING`], with this in place of that; it must be there.
fn standing_with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(read(STANDING), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// Catches claims that are deleted under a set that asks for their pods again: it was scaled up
/// while the pods of the tour took their time to go.
#[tokio::test]
async fn what_somebody_asks_for_while_the_last_pods_go_keeps_its_claims() {
    Lab::run("live-last-pods", async |lab| {
        let text = standing_with(&[("trap 'exit 0' TERM", "trap 'sleep 8; exit 0' TERM")]);
        lab.killed_with_five_pods(&text).await;
        let before = lab.living_claims().await;
        assert_eq!(before.len(), 5, "{before:?}");
        let (restored, ()) = tokio::join!(lab.stsgrade("restore", &[]), async {
            lab.asked_for_replicas(|it| it == 3).await;
            lab.ask_replicas(5).await;
        });
        assert_eq!(restored.status, 0, "{}", restored.told());
        lab.settled("web", 5).await;
        assert_eq!(lab.living_claims().await, before, "{}", restored.told());
        assert!(restored.says("PVC data-web-3 stays, because"), "{}", restored.told());
    })
    .await;
}

/// Catches a claim that is deleted with what another container of its pod has written to a folder
/// of its own.
#[tokio::test]
async fn what_a_second_container_wrote_after_a_kill_stays() {
    const SIDE: &str = "      - name: log
        image: busybox:1.36
        command: [sh, -c, \"trap 'exit 0' TERM; sleep 1000000 & wait\"]
        volumeMounts:
        - {name: data, mountPath: /log, subPath: log}
      - name: app
";
    Lab::run("live-second-container", async |lab| {
        let text = standing_with(&[
            ("      - name: app\n", SIDE),
            (
                "          mountPath: /data\n",
                "          mountPath: /data\n          subPath: app\n",
            ),
        ]);
        lab.killed_with_five_pods(&text).await;
        // In the first container, later than a start would.
        lab.sh_in("web-3", "log", "sleep 4; echo work > /log/work").await;
        let before = lab.living_claims().await;
        let restored = lab.stsgrade("restore", &[]).await;
        assert_eq!((restored.status, lab.replicas("web").await), (0, 3), "{}", restored.told());
        let after = lab.living_claims().await;
        let work = before.iter().find(|(name, _)| name == "data-web-3").unwrap();
        assert!(after.contains(work), "{}", restored.told());
    })
    .await;
}

/// Catches a claim that nobody could look at and that counts as unused.
#[tokio::test]
async fn a_claim_that_nobody_can_look_at_after_a_kill_stays() {
    Lab::run("live-closed-claims", async |lab| {
        let text = read("fixtures/inconclusive/storage_content/no_shell/submission.yaml");
        lab.killed_with_five_pods(&text).await;
        let before = lab.living_claims().await;
        let restored = lab.stsgrade("restore", &[]).await;
        assert_eq!((restored.status, lab.replicas("web").await), (0, 3), "{}", restored.told());
        assert_eq!(lab.living_claims().await, before, "{}", restored.told());
        assert!(restored.says("PVC data-web-3 stays, because"), "{}", restored.told());
    })
    .await;
}

/// Catches claims with a student's data that go with the set of a clean-up, because its policy is to
/// take its claims along; and canaries that stay on them.
#[tokio::test]
async fn what_stood_before_outlives_the_set_of_a_clean_up() {
    Lab::run("live-older-claims", async |lab| {
        lab.stand().await;
        lab.ask_replicas(4).await;
        lab.settled("web", 4).await;
        lab.sh("web-1", "echo mine > /data/mine").await;
        lab.api::<StatefulSet>().delete("web", &DeleteParams::default()).await.unwrap();
        lab.api::<Service>().delete("web", &DeleteParams::default()).await.unwrap();
        lab.settled("web", 0).await;
        let before = lab.living_claims().await;
        assert_eq!(before.len(), 4, "{before:?}");
        let policy = "  persistentVolumeClaimRetentionPolicy:\n    whenDeleted: Delete\n";
        let templates = "  volumeClaimTemplates:\n";
        let text = standing_with(&[(templates, &format!("{policy}{templates}"))]);
        let file = lab.folder().join("taking.yaml");
        std::fs::write(&file, text).unwrap();
        let graded = lab.grade(&["-f", file.to_str().unwrap(), "--cleanup"]).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
        // The garbage collector works on for a while.
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(lab.living_claims().await, before, "{}", graded.told());
        lab.stand().await;
        assert_eq!(lab.sh("web-1", "cat /data/mine").await, "mine\n", "{}", graded.told());
        for pod in ["web-0", "web-1", "web-2"] {
            let files = lab.sh(pod, "ls -A /data").await;
            assert!(!files.contains(".stsgrade"), "{files}{}", graded.told());
        }
    })
    .await;
}

/// Catches a clean-up that deletes the claims of a set that a student has made meanwhile.
#[tokio::test]
async fn what_somebody_made_anew_is_not_cleaned_up() {
    Lab::run("live-made-anew", async |lab| {
        let (child, rest) = lab.begin("scale up", &["-f", STANDING, "--cleanup"]).await;
        let sets = lab.api::<StatefulSet>();
        sets.delete("web", &DeleteParams::default()).await.unwrap();
        lab.until("the set is gone", async || sets.get_opt("web").await.unwrap().is_none()).await;
        let text = read(STANDING);
        lab.create(text.split_once("---\n").unwrap().1, "kubectl").await;
        let graded = ended(child, rest).await;
        lab.settled("web", 3).await;
        let claims = lab.living_claims().await;
        let names: Vec<&str> = claims.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.starts_with(&["data-web-0", "data-web-1", "data-web-2"]), "{names:?}");
        assert!(graded.says("PVC data-web-0: somebody else deleted"), "{}", graded.told());
    })
    .await;
}

/// Catches a claim with what a student wrote on it that goes with its pod, because the set says
/// `whenScaled: Delete`.
#[tokio::test]
async fn what_a_scale_down_would_delete_stays_with_its_pods() {
    Lab::run("live-would-delete", async |lab| {
        let policy =
            "spec:\n  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete}\n  serviceName";
        let text = standing_with(&[("spec:\n  serviceName", policy)]);
        lab.killed_with_five_pods(&text).await;
        lab.sh("web-3", "sleep 4; echo work > /data/work").await;
        let before = lab.living_claims().await;
        let restored = lab.stsgrade("restore", &[]).await;
        assert_eq!((restored.status, lab.replicas("web").await), (0, 5), "{}", restored.told());
        assert_eq!(lab.living_claims().await, before, "{}", restored.told());
        assert!(restored.says("web keeps 5 replicas"), "{}", restored.told());
        assert_eq!(lab.sh("web-3", "cat /data/work").await.trim(), "work");
    })
    .await;
}

/// Catches claims that the grade made and that nobody is told of, because the set is gone.
#[tokio::test]
async fn what_stays_of_a_set_that_somebody_deleted_is_told() {
    Lab::run("live-set-deleted", async |lab| {
        lab.stand().await;
        let (child, rest) = lab.begin("scale up", &[]).await;
        lab.until("the fifth pod's claim is there", async || {
            lab.living_claims().await.iter().any(|(name, _)| name == "data-web-4")
        })
        .await;
        lab.api::<StatefulSet>().delete("web", &DeleteParams::default()).await.unwrap();
        let graded = ended(child, rest).await;
        assert_eq!(lab.living_claims().await.len(), 5, "{}", graded.told());
        for claim in ["data-web-3", "data-web-4"] {
            let told = format!("PVC {claim} stays, because somebody else deleted the set");
            assert!(graded.says(&told), "{}", graded.told());
        }
        assert!(!graded.says("PVC data-web-0 stays"), "{}", graded.told());
    })
    .await;
}

/// Catches the grade's files on claims whose pods somebody has scaled away, of which nobody is told.
#[tokio::test]
async fn files_on_claims_without_a_pod_are_told() {
    Lab::run("live-scaled-away", async |lab| {
        lab.stand().await;
        let (child, rest) = lab.begin("scale up", &[]).await;
        lab.ask_replicas(1).await;
        let graded = ended(child, rest).await;
        assert_eq!(lab.replicas("web").await, 1, "{}", graded.told());
        for claim in ["data-web-1", "data-web-2"] {
            let told = format!("files named .stsgrade-… on PVC {claim}");
            assert!(graded.says(&told), "{}", graded.told());
        }
        assert!(!graded.says("on PVC data-web-0"), "{}", graded.told());
    })
    .await;
}
