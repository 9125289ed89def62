//! What somebody shows by hand, while `record` watches, is judged by the same rules as a tour.

use crate::lab::Lab;

#[tokio::test]
async fn what_was_shown_by_hand_passes_and_cleaning_up_costs_nothing() {
    Lab::run("live-by-hand", async |lab| {
        let recording = lab.record().await;
        lab.create_set("OrderedReady").await;
        lab.stands(3).await;
        lab.looked_at(&["web-0", "web-1", "web-2"]).await;
        lab.asked_for(&["web-0", "web-1", "web-2"]).await;
        lab.delete_pod("web-1").await;
        lab.looked_at(&["web-1"]).await;
        lab.asked_for(&["web-1"]).await;
        for _ in 0..2 {
            lab.scale(5).await;
            lab.looked_at(&["web-3", "web-4"]).await;
            lab.scale(3).await;
        }
        lab.clean_up().await;
        lab.stop(recording).await;
        assert_eq!(lab.letters().await, "PPPPPPPPPP");
    })
    .await;
}

#[tokio::test]
async fn what_was_not_shown_is_open_with_the_next_thing_to_try() {
    Lab::run("live-not-shown", async |lab| {
        let recording = lab.record().await;
        lab.create_set("OrderedReady").await;
        lab.stands(3).await;
        lab.looked_at(&["web-0", "web-1", "web-2"]).await;
        lab.asked_for(&["web-0", "web-1", "web-2"]).await;
        lab.stop(recording).await;
        assert_eq!(lab.letters().await, "PPPPPIIIII");
        // A text report may break the line.
        let report = lab.judge("json").await;
        assert!(
            report
                .out
                .contains("delete pod web-1, and wait until it is Ready again; scale web to "),
            "{}",
            report.told()
        );
    })
    .await;
}
