//! What a recording that lost its watches is judged as: a gap costs what it hides, and nothing
//! else.

use crate::lab::{Lab, ctl};

/// Each pod takes some seconds to be Ready.
const SLOW: &str = "fixtures/inconclusive/sequential_creation/gap_at_creation/submission.yaml";
/// A line that tells of a gap in the watch of pods.
const GAP: [&str; 2] = ["\"gap\":", "\"kind\":\"Pod\""];

#[tokio::test]
async fn a_gap_between_ready_and_the_next_pod_leaves_open_which_came_first() {
    Lab::run_alone("live-gap-hides", async |lab| {
        let disturb = async {
            lab.told(&["\"added\"", "\"Pod\":", "\"name\":\"web-0\""]).await;
            ctl(&["cut"]).await;
            // It is created when web-0 is Ready, and both are forgotten before anybody can look.
            ctl(&["await-pod", "live-gap-hides/web-1"]).await;
            ctl(&["forget"]).await;
            ctl(&["heal"]).await;
        };
        let (graded, ()) = futures::join!(lab.grade(&["-f", SLOW]), disturb);
        lab.told(&GAP).await;
        assert_eq!(
            (lab.letters().await.as_str(), graded.status),
            ("PIPPPPPPPP", 3),
            "{}",
            graded.told()
        );
    })
    .await;
}

#[tokio::test]
async fn a_gap_at_rest_costs_nothing() {
    Lab::run_alone("live-gap-at-rest", async |lab| {
        let recording = lab.record().await;
        lab.create_set("OrderedReady").await;
        lab.stands(3).await;
        ctl(&["forget"]).await;
        lab.told(&GAP).await;
        lab.looked_at(&["web-0", "web-1", "web-2"]).await;
        lab.scale(1).await;
        lab.scale(3).await;
        lab.looked_at(&["web-1", "web-2"]).await;
        lab.asked_for(&["web-0", "web-1", "web-2"]).await;
        lab.stop(recording).await;
        // Nobody replaced a pod.
        assert_eq!(lab.letters().await, "PPPPPIPPPP");
    })
    .await;
}

#[tokio::test]
async fn what_was_watched_stays_a_violation() {
    Lab::run_alone("live-gap-after", async |lab| {
        let recording = lab.record().await;
        lab.create_set("Parallel").await;
        lab.stands(3).await;
        ctl(&["forget"]).await;
        lab.told(&GAP).await;
        lab.stop(recording).await;
        let letters = lab.letters().await;
        assert_eq!(&letters[..3], "PFP", "{letters}");
    })
    .await;
}
