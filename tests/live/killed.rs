//! A grade that was killed: what the next one or `restore` puts back, and what of somebody else's
//! stays.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, PersistentVolumeClaim, Pod};
use kube::api::ListParams;

use crate::{
    chance::{Chance, number, seed},
    lab::Lab,
    state::{MOMENTS, STANDING, read},
};

/// This many at once: more would only wait for the processor.
const TOGETHER: usize = 5;

/// Ten grades are killed, or as many as `STSGRADE_KILLS` says; `STSGRADE_SEED` repeats a run.
#[tokio::test]
async fn a_killed_grade_is_put_back() {
    let seed = seed();
    let kills = usize::try_from(number("STSGRADE_KILLS").unwrap_or(10)).unwrap();
    println!("STSGRADE_SEED={seed}");
    assert!(kills > 0, "STSGRADE_KILLS is 0: nothing would be tried");
    let rows = (0..TOGETHER.min(kills)).map(|row| async move {
        Lab::run(&format!("live-kill-{row}"), async |lab| {
            let (mut at_work, mut named) = (0, 0);
            lab.stand().await;
            for kill in (row..kills).step_by(TOGETHER) {
                let (moment, longest) = MOMENTS[kill % MOMENTS.len()];
                let later =
                    Duration::from_millis(Chance::new(seed + kill as u64).between(0, longest - 1));
                let came_of_it = kill_and_compare(lab, moment, later, kill.is_multiple_of(2)).await;
                at_work += usize::from(came_of_it.was_at_work);
                named += came_of_it.named_claims;
            }
            (at_work, named)
        })
        .await
    });
    let rows = futures::future::join_all(rows).await;
    let at_work: usize = rows.iter().map(|(at_work, _)| at_work).sum();
    let named: usize = rows.iter().map(|(_, named)| named).sum();
    // A container that ends in just that moment tells nothing of its claim. That is rare.
    assert!(3 * named <= kills, "{named} claims were only named after {kills} kills");
    // A moment may come after the end of a fast grade; all of them may not.
    assert!(
        2 * at_work >= kills,
        "only {at_work} of {kills} grades were at work when they were killed"
    );
}

/// What came of a kill.
struct Killed {
    was_at_work: bool,
    /// Claims that the tool named instead of removing them.
    named_claims: usize,
}

async fn kill_and_compare(lab: &Lab, moment: &str, later: Duration, by_restore: bool) -> Killed {
    let before = lab.state().await;
    let killed = lab.kill_after(moment, later).await;
    let what = if by_restore { "restore" } else { "grade" };
    println!(
        "{}: killed {} ms after {moment:?} ({}), then {what}",
        lab.name(),
        later.as_millis(),
        if killed { "at work" } else { "it had ended" }
    );
    let put_back =
        if by_restore { lab.stsgrade("restore", &[]).await } else { lab.grade(&[]).await };
    assert_eq!(
        put_back.status,
        0,
        "{what} after a kill {later:?} after {moment:?}: {}",
        put_back.told()
    );
    lab.settled("web", 3).await;
    let named_claims = lab.remove_named_claims(&put_back).await;
    let after = lab.state().await;
    assert_eq!(
        after,
        before,
        "{what} after a kill {later:?} after {moment:?}: {}",
        put_back.told()
    );
    Killed { was_at_work: killed, named_claims }
}

/// What a student did after a grade was killed: scaled by hand and wrote on every pod's claim.
/// Catches a restoring that deletes it.
#[tokio::test]
async fn what_somebody_did_after_a_kill_stays() {
    let rows = [
        ("replace", 300, 5, 5),
        ("scale up", 2000, 5, 3),
        ("scale up", 500, 4, 4),
        ("scale down", 1000, 5, 5),
    ];
    let rows =
        rows.into_iter().enumerate().map(|(row, (moment, later, scaled, kept))| async move {
            Lab::run(&format!("live-after-kill-{row}"), async |lab| {
                lab.stand().await;
                assert!(
                    lab.kill_after(moment, Duration::from_millis(later)).await,
                    "the grade had ended"
                );
                lab.scale(scaled).await;
                for ordinal in 0..scaled {
                    lab.sh(&format!("web-{ordinal}"), "hostname > /data/work").await;
                }
                let restored = lab.stsgrade("restore", &[]).await;
                assert_eq!(
                    (restored.status, lab.replicas("web").await),
                    (0, kept),
                    "{}",
                    restored.told()
                );
                lab.scale(scaled).await;
                for ordinal in 0..scaled {
                    let name = format!("web-{ordinal}");
                    assert_eq!(
                        lab.sh(&name, "cat /data/work").await.trim(),
                        name,
                        "{}",
                        restored.told()
                    );
                }
            })
            .await;
        });
    futures::future::join_all(rows).await;
}

/// The restoring removes all pods where one of those that stay ends again and again; the student
/// scales the set meanwhile. Catches a restoring that scales back what somebody else asked for, and
/// then deletes their claims.
#[tokio::test]
async fn what_somebody_asks_for_while_the_pods_are_removed_stays() {
    const CONTAINER: &str = "if [ -e /data/end ]; then exit 1; fi
          trap 'sleep 5; exit 0' TERM
          while [ ! -e /data/end ]; do sleep 1 & wait $!; done
          exit 1";
    Lab::run("live-emptied", async |lab| {
        let standing = read(STANDING);
        let text = standing
            .replace("trap 'exit 0' TERM\n", "true\n")
            .replace("sleep 1000000 & wait", CONTAINER);
        assert_ne!(text, standing);
        lab.create(&text, "kubectl").await;
        lab.settled("web", 3).await;
        assert!(lab.kill_after("scale up", Duration::from_secs(2)).await, "the grade had ended");
        let claims = async || -> Vec<Option<String>> {
            let claims = lab.api::<PersistentVolumeClaim>();
            let all = claims.list(&ListParams::default()).await.unwrap();
            all.items.into_iter().map(|it| it.metadata.uid).collect()
        };
        let before = claims().await;
        lab.sh("web-0", "touch /data/end").await;
        // Each takes its time, and more on a busy node.
        for restarts in 1..=3 {
            lab.until(&format!("web-0 ended {restarts} times"), async || {
                let pod = lab.api::<Pod>().get("web-0").await.unwrap();
                let statuses = pod.status.and_then(|it| it.container_statuses).unwrap_or_default();
                let waits = |it: &ContainerStatus| {
                    it.restart_count >= restarts
                        && it.state.as_ref().is_some_and(|it| it.waiting.is_some())
                };
                statuses.iter().any(waits)
            })
            .await;
        }
        let (restored, ()) = tokio::join!(lab.stsgrade("restore", &[]), async {
            lab.asked_for_replicas(|it| it == 0).await;
            lab.ask_replicas(5).await;
        });
        let after = claims().await;
        assert_eq!((restored.status, lab.replicas("web").await), (0, 5), "{}", restored.told());
        assert!(before.iter().all(|it| after.contains(it)), "{}", restored.told());
        assert!(restored.says("web keeps 5 replicas"), "{}", restored.told());
    })
    .await;
}

/// A student writes on a claim of the tour and deletes its pod; the next pod writes nothing, so
/// that no time tells the student's words from what a start writes. Catches a restoring that judges
/// the claim by its present pod alone.
#[tokio::test]
async fn what_an_earlier_pod_wrote_stays() {
    Lab::run("live-earlier-pod", async |lab| {
        lab.stand().await;
        let later = Duration::from_secs(1);
        assert!(lab.kill_after("scale up", later).await, "the grade had ended");
        lab.settled("web", 5).await;
        // Working takes longer than a controller needs to make a pod for its claim.
        lab.sh("web-3", "sleep 7; echo work >> /data/id").await;
        lab.delete_pod("web-3").await;
        lab.settled("web", 5).await;
        let restored = lab.stsgrade("restore", &[]).await;
        assert_eq!((restored.status, lab.replicas("web").await), (0, 3), "{}", restored.told());
        assert!(restored.says("PVC data-web-3 stays"), "{}", restored.told());
        lab.scale(5).await;
        lab.settled("web", 5).await;
        assert!(lab.sh("web-3", "cat /data/id").await.contains("work"));
    })
    .await;
}
