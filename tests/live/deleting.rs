//! What is being deleted, by somebody or by the grader itself: it is left alone, and told.

use crate::{
    lab::Lab,
    state::{CLAIMS, STANDING, ended, read},
};

/// Catches a grade that deletes the pod of a claim that is being deleted, and so the claim with all
/// that is on it.
#[tokio::test]
async fn a_claim_that_is_being_deleted_is_left_alone() {
    Lab::run("live-doomed", async |lab| {
        lab.stand().await;
        lab.sh("web-1", "echo work > /data/work").await;
        lab.delete_claim("data-web-1").await;
        let before = lab.state().await;
        for args in [&[][..], &["-f", STANDING]] {
            let refused = lab.refused(args).await;
            assert!(
                refused.says("PVC data-web-1 is being deleted") && refused.says("kubectl cp"),
                "{}",
                refused.told()
            );
            assert_eq!(lab.state().await, before, "{}", refused.told());
        }
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_somebody_deletes_meanwhile_keeps_its_pod() {
    for (place, (moment, args)) in
        [("read files", &[][..]), ("scale up", &[]), ("read files", &["-f", STANDING])]
            .into_iter()
            .enumerate()
    {
        Lab::run(&format!("live-doomed-{place}"), async |lab| {
            lab.stand().await;
            // Once web-1 is replaced, only web-2 stays what it is until the set goes down.
            let pod = if moment == "read files" { "web-1" } else { "web-2" };
            lab.sh(pod, "echo work > /data/work").await;
            let (child, rest) = lab.begin(moment, args).await;
            lab.delete_claim(&format!("data-{pod}")).await;
            let graded = ended(child, rest).await;
            assert_eq!(graded.status, 3, "{}", graded.told());
            assert!(
                graded.says(&format!("PVC data-{pod} is being deleted by somebody"))
                    && graded.says("somebody else changed the StatefulSet, or its pods or PVCs"),
                "{}",
                graded.told()
            );
            lab.settled("web", 3).await;
            assert_eq!(lab.sh(pod, "cat /data/work").await, "work\n", "{}", graded.told());
            assert_eq!(lab.replicas("web").await, 3);
        })
        .await;
    }
}

/// Catches "everything is as it was found" where a finalizer still holds the tour's own claims.
#[tokio::test]
async fn a_claim_of_the_tour_that_a_finalizer_holds_is_told() {
    Lab::run("live-held-claims", async |lab| {
        let text = read(STANDING);
        let held = text.replace(
            "      name: data\n    spec:",
            "      name: data\n      finalizers: [live.example/keep]\n    spec:",
        );
        assert_ne!(text, held);
        lab.create(&held, "live").await;
        lab.settled("web", 3).await;
        lab.kill_when("scale down", &[]).await;
        // As a first `restore` leaves them.
        for claim in ["data-web-3", "data-web-4"] {
            lab.delete_claim(claim).await;
        }
        let restored = lab.stsgrade("restore", &[]).await;
        assert!(
            restored.status == 5
                && restored.says("data-web-3")
                && restored.says("finalizers live.example/keep"),
            "{}",
            restored.told()
        );
        for claim in CLAIMS.into_iter().chain(["data-web-3", "data-web-4"]) {
            lab.release_claim(claim).await;
        }
        let restored = lab.stsgrade("restore", &[]).await;
        assert_eq!(restored.status, 0, "{}", restored.told());
        lab.left_nothing(&CLAIMS).await;
    })
    .await;
}

/// Catches a namespace that is on its way out and graded as if nothing had been done in it.
#[tokio::test]
async fn a_namespace_that_is_being_deleted_is_not_graded() {
    Lab::run("live-going", async |lab| {
        let kubeconfig = lab.as_guest().await;
        lab.hold_and_delete().await;
        for args in [&[][..], &["-f", STANDING], &["--kubeconfig", kubeconfig.to_str().unwrap()]] {
            let refused = lab.refused(args).await;
            assert!(
                refused.says("namespace live-going is being deleted"),
                "{args:?}: {}",
                refused.told()
            );
        }
        lab.let_go().await;
    })
    .await;
}
