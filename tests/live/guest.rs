//! A careful guest: whatever happens to a grade, the namespace is as it was.

use std::time::Duration;

use k8s_openapi::api::{
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{PersistentVolumeClaim, Pod},
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use serde_json::json;

use crate::{
    chance::{Chance, number, seed},
    lab::Lab,
    state::{CLAIMS, MOMENTS, STANDING, ended, read, send},
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
        lab.until("web-0 ends again and again", async || {
            let pod = lab.api::<Pod>().get("web-0").await.unwrap();
            let statuses = pod.status.and_then(|it| it.container_statuses).unwrap_or_default();
            statuses.iter().any(|it| it.restart_count > 2)
        })
        .await;
        let (restored, ()) = tokio::join!(lab.stsgrade("restore", &[]), async {
            lab.asked_for_replicas(|it| it == 0).await;
            lab.ask_replicas(5).await;
        });
        assert_eq!(lab.replicas("web").await, 5, "{}", restored.told());
        assert_eq!(claims().await, before, "{}", restored.told());
        assert!(restored.says("somebody else scaled web to 5"), "{}", restored.told());
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

/// Catches a grader that goes on after another has taken its place, as a closed laptop's does when
/// it is opened.
#[tokio::test]
async fn a_grader_that_lost_its_lease_writes_nothing_more() {
    Lab::run("live-stopped-long", async |lab| {
        lab.stand().await;
        let before = lab.state().await;
        let (first, rest) = lab.begin("scale up", &[]).await;
        send(&first, "STOP");
        // The first one's process lives, so that only its Lease tells that nothing comes of it any
        // more.
        let other = tempfile::tempdir().unwrap();
        let save = other.path().join("second.jsonl");
        let (second, second_rest) =
            lab.begin_at("scale down", &["--save", save.to_str().unwrap()]).await;
        send(&first, "CONT");
        let first = ended(first, rest).await;
        let second = ended(second, second_rest).await;
        assert_eq!(
            (second.status, second.score()),
            (0, 100),
            "the first one disturbed it: {}",
            second.told()
        );
        assert!(second.says("watching for up to 60 s"), "{}", second.told());
        assert!(
            first.status == 5
                && first.says("lost its Lease")
                && first.says("nothing was changed after that"),
            "{}",
            first.told()
        );
        lab.settled("web", 3).await;
        assert_eq!(lab.state().await, before, "{}\n{}", first.told(), second.told());
    })
    .await;
}

#[tokio::test]
async fn one_of_two_graders_says_who_the_other_is() {
    Lab::run("live-two", async |lab| {
        lab.stand().await;
        let first = lab.grade(&[]);
        let second = async {
            lab.locked().await;
            lab.stsgrade("grade", &[]).await
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first.status, first.score()), (0, 100), "{}", first.told());
        assert_eq!(second.status, 4, "{}", second.told());
        assert!(
            second.says("someone else is grading")
                && second.says("process ")
                && second.says("since 20"),
            "{}",
            second.told()
        );
    })
    .await;
}

#[tokio::test]
async fn signals_put_everything_back_at_once() {
    Lab::run("live-signals", async |lab| {
        lab.stand().await;
        // SIGHUP is what a closed terminal sends; at "scale down" it would leave a set with no
        // pods.
        for (signal, status, moment, asked) in [
            ("TERM", 143, "scale up", 5),
            ("HUP", 129, "scale down", 0),
            ("USR1", 138, "scale up", 5),
            ("INT", 130, "bring the pods back", 3),
        ] {
            let before = lab.state().await;
            let (ended, ready) = lab.signal_and_look(moment, signal, asked, 3).await;
            assert_eq!(ended.status, status, "{}", ended.told());
            assert_ne!(ready, asked, "it waited for the step to end: {}", ended.told());
            lab.settled("web", 3).await;
            assert_eq!(lab.state().await, before, "{}", ended.told());
        }
    })
    .await;
}

#[tokio::test]
async fn a_second_signal_stops_at_once_and_says_what_is_left() {
    Lab::run("live-second", async |lab| {
        lab.stand().await;
        let before = lab.state().await;
        let ended = lab.signal_twice("scale up").await;
        assert_eq!(ended.status, 5, "{}", ended.told());
        assert!(ended.says("next:  stsgrade restore -n live-second"), "{}", ended.told());
        let restored = lab.stsgrade("restore", &[]).await;
        assert_eq!(restored.status, 0, "{}", restored.told());
        lab.settled("web", 3).await;
        let mut after = lab.state().await;
        // A claim that was made after the lock was last renewed is perhaps not the grade's: it
        // stays, by name.
        after.retain(|object, _| {
            let is_told = object
                .strip_prefix("claim ")
                .is_some_and(|name| restored.says(&format!("PVC {name} stays, because")));
            before.contains_key(object) || !is_told
        });
        assert_eq!(after, before, "{}", restored.told());
    })
    .await;
}

/// Catches a grade that fights an autoscaler, because the account that it was given by `stsgrade
/// rbac` cannot see one.
#[tokio::test]
async fn an_autoscaled_set_is_not_touched() {
    Lab::run("live-autoscaled", async |lab| {
        lab.stand().await;
        let kubeconfig = lab.as_guest().await;
        let target = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web"});
        let scaler = json!({"metadata": {"name": "scaler"}, "spec": {
            "scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 5}});
        let scalers: Api<HorizontalPodAutoscaler> =
            Api::namespaced(lab.client.clone(), &lab.namespace);
        let scaler = serde_json::from_value(scaler).unwrap();
        scalers.create(&PostParams::default(), &scaler).await.unwrap();
        let before = lab.state().await;
        let told = lab.refused(&["--kubeconfig", kubeconfig.to_str().unwrap()]).await;
        assert!(
            told.says("HorizontalPodAutoscaler scaler scales StatefulSet web")
                && told.says("kubectl delete hpa scaler -n live-autoscaled"),
            "{}",
            told.told()
        );
        assert_eq!(lab.state().await, before, "{}", told.told());
    })
    .await;
}

/// Without these something stays unseen, and a grade goes on.
const UNSEEN_WITHOUT: [&str; 4] =
    ["events", "endpointslices", "horizontalpodautoscalers", "networkpolicies"];

#[tokio::test]
async fn the_minimal_role_is_enough_and_each_verb_of_it_is_needed() {
    Lab::run("live-role", async |lab| {
        lab.stand().await;
        let kubeconfig = lab.as_guest().await;
        let as_guest = ["--kubeconfig", kubeconfig.to_str().unwrap()];
        let whole = lab.role().await;
        for (rule, verb) in whole
            .iter()
            .enumerate()
            .flat_map(|(rule, it)| it.verbs.iter().map(move |verb| (rule, verb)))
        {
            let resources = whole[rule].resources.clone().unwrap_or_default();
            if resources
                .iter()
                .any(|it| it.starts_with("pods/") || UNSEEN_WITHOUT.contains(&it.as_str()))
            {
                continue;
            }
            let mut less = whole.clone();
            less[rule].verbs.retain(|it| it != verb);
            less.retain(|it| !it.verbs.is_empty());
            lab.set_role(less).await;
            let told = lab.refused(&as_guest).await;
            for resource in &resources {
                assert!(
                    told.says(&format!("missing: {verb} {resource}")),
                    "{verb} {resource}: {}",
                    told.told()
                );
            }
        }
        lab.set_role(whole).await;
        let graded = lab.grade(&as_guest).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
        lab.left_nothing(&CLAIMS).await;
    })
    .await;
}

/// All that a clean-up leaves is what stood before: also a claim that the submission's set took
/// over.
#[tokio::test]
async fn cleanup_removes_what_was_applied_and_only_that() {
    Lab::run("live-cleanup", async |lab| {
        lab.claim("data-web-1").await;
        let before = lab.state().await;
        let graded = lab.grade(&["-f", STANDING, "--cleanup"]).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
        assert_eq!(lab.state().await.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
        let refused = lab.grade(&["-f", "tests/live/refused.yaml", "--cleanup"]).await;
        assert_eq!((refused.status, refused.score()), (1, 0), "{}", refused.told());
        assert_eq!(lab.state().await.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    })
    .await;
}

/// Catches a grader that misses its lock, which goes with the namespace before the last pod does.
#[tokio::test]
async fn cleanup_of_a_namespace_whose_pods_take_their_time() {
    let lab = Lab::unmade("live-made").await;
    let graded = lab.grade(&["-f", "tests/live/deaf.yaml", "--cleanup"]).await;
    assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
    assert!(graded.says("all that -f made is removed"), "{}", graded.told());
    assert!(!lab.exists().await);
}
