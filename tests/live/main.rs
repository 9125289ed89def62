//! Grades real submissions on the real cluster of `KUBECONFIG`:
//! `tests/cluster/run cargo test --features live --test live`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alone;
mod applying;
mod batch;
mod by_hand;
mod chance;
mod changed_pods;
mod chaos;
mod deleting;
mod disturbed;
mod errors;
mod families;
mod followed;
mod guest;
mod healed;
mod in_cluster;
mod killed;
mod kubeconfigs;
mod kubectl;
mod lab;
mod meanwhile;
mod mended;
mod neighbours;
mod nodes;
mod owners;
mod policies;
#[path = "../printed.rs"]
mod printed;
mod proxy;
mod queued;
mod slow_webhook;
mod state;
mod unfinished;
mod unwritable;
mod versions;
mod whole_class;

use std::fs;

use lab::Lab;

/// The submissions of which a recording says what comes of them.
const APPEND: &str = "fixtures/pass/append/submission.yaml";
const OVERWRITE: &str = "fixtures/fail/identity_persistence/overwrite/submission.yaml";

#[tokio::test]
async fn a_grade_scores_100_and_again_and_leaves_nothing() {
    Lab::run("live-again", async |lab| {
        let first = lab.grade(&["-f", APPEND]).await;
        assert_eq!((first.status, first.score()), (0, 100), "{}", first.told());
        lab.left_nothing(&["data-web-0", "data-web-1", "data-web-2"]).await;
        let again = lab.grade(&[]).await;
        assert_eq!((again.status, again.score()), (0, 100), "{}", again.told());
        lab.left_nothing(&["data-web-0", "data-web-1", "data-web-2"]).await;
    })
    .await;
}

#[tokio::test]
async fn the_judge_prints_the_same_report_and_that_it_judged_a_file() {
    Lab::run("live-judge", async |lab| {
        let json = lab.folder.path().join("live.json");
        let to_file = format!("json={}", json.display());
        let live = lab.grade(&["-f", OVERWRITE, "-o", "text", "-o", &to_file]).await;
        assert_eq!(live.status, 1, "{}", live.told());
        for (format, out) in [("text", &live.out), ("json", &fs::read_to_string(json).unwrap())] {
            let judged = lab.judge(format).await;
            // But for what it was judged from, and where all of it is shown, which ends the text.
            let without_origin = |out: &str| -> Vec<String> {
                let out = out.split("More:").next().unwrap_or_default().trim_end();
                let is_origin = |line: &&str| {
                    ["Judged from", "\"from\":", "\"signature\":"]
                        .iter()
                        .any(|it| line.contains(it))
                };
                let lines = out.lines().filter(|line| !is_origin(line));
                lines.map(|it| it.trim_end_matches(',').to_owned()).collect()
            };
            assert_eq!(judged.status, live.status);
            assert_eq!(without_origin(&judged.out), without_origin(out));
            assert_ne!(judged.out, *out, "the judge says that it judged a file");
        }
    })
    .await;
}

#[tokio::test]
async fn six_side_by_side_score_as_each_does_alone() {
    let one = async |place: usize| {
        let (submission, score) =
            if place.is_multiple_of(2) { (APPEND, 100) } else { (OVERWRITE, 80) };
        Lab::run(&format!("live-beside-{place}"), async |lab| {
            let graded = lab.grade(&["-f", submission]).await;
            assert_eq!(graded.score(), score, "{}", graded.told());
        })
        .await;
    };
    futures::future::join_all((0..6).map(one)).await;
}

#[tokio::test]
async fn an_empty_namespace_scores_nothing() {
    Lab::run("live-empty", async |lab| {
        let graded = lab.grade(&[]).await;
        assert_eq!((graded.status, graded.score()), (1, 0), "{}", graded.told());
    })
    .await;
}

#[tokio::test]
async fn a_grade_that_is_stopped_puts_everything_back() {
    Lab::run("live-stopped", async |lab| {
        assert_eq!(lab.grade(&["-f", APPEND]).await.status, 0);
        let stopped = lab.stop_when("scale up", &[]).await;
        assert_eq!(stopped.status, 130, "{}", stopped.told());
        assert_eq!(lab.replicas("web").await, 3);
        lab.left_nothing(&["data-web-0", "data-web-1", "data-web-2"]).await;
    })
    .await;
}

#[tokio::test]
async fn what_a_killed_grade_left_is_put_back_by_restore() {
    Lab::run("live-killed", async |lab| {
        assert_eq!(lab.grade(&["-f", APPEND]).await.status, 0);
        lab.kill_when("scale down", &[]).await;
        let restored = lab.stsgrade("restore", &[]).await;
        assert_eq!(restored.status, 0, "{}", restored.told());
        assert_eq!(lab.replicas("web").await, 3);
        lab.left_nothing(&["data-web-0", "data-web-1", "data-web-2"]).await;
    })
    .await;
}
