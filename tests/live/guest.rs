//! A careful guest: whatever happens to a grade, the namespace is as it was.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::{Api, api::PostParams};
use serde_json::json;

use crate::{
    lab::Lab,
    state::{CLAIMS, STANDING, ended, send},
};

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
async fn the_minimal_role_is_enough_and_a_grade_names_each_verb_that_it_cannot_begin_without() {
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

/// Catches files of the grade that stay on PVCs which an earlier scale-up left behind: the tour
/// mounts them, and their pods are gone when it ends.
#[tokio::test]
async fn no_file_stays_on_claims_that_have_no_pod_any_more() {
    Lab::run("live-spare-claims", async |lab| {
        lab.stand().await;
        lab.scale(5).await;
        lab.settled("web", 5).await;
        lab.scale(3).await;
        let graded = lab.grade(&[]).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
        assert!(!graded.says("files named .stsgrade-…"), "{}", graded.told());
        lab.scale(5).await;
        lab.settled("web", 5).await;
        for pod in ["web-3", "web-4"] {
            assert_eq!(lab.sh(pod, "ls -A /data").await, "id\n", "{}", graded.told());
        }
        // The set that has them from the beginning on.
        let graded = lab.grade(&[]).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
        lab.settled("web", 5).await;
        for pod in ["web-3", "web-4"] {
            assert_eq!(lab.sh(pod, "ls -A /data").await, "id\n", "{}", graded.told());
        }
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
