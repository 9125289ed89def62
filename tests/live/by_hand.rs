//! What somebody shows by hand, while `record` watches, is judged by the same rules as a tour.

use crate::{
    lab::Lab,
    state::{STANDING, read},
};

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

/// Who writes late is read late: `record` that is stopped before that still reads the pod. Catches a
/// replacement that is undecided, though its claim could be read when the recording ended.
#[tokio::test]
async fn a_pod_that_is_not_read_yet_is_read_at_the_stop() {
    Lab::run("live-late-writer", async |lab| {
        let text = read(STANDING);
        let late = text.replace(
            r#"[ -f /data/id ] || echo"#,
            r#"[ -f /data/id ] || { sleep 12 & wait $!; }; [ -f /data/id ] || echo"#,
        );
        assert_ne!(text, late);
        let recording = lab.record().await;
        lab.create(&late, "live").await;
        lab.stands(3).await;
        for ordinal in 0..3 {
            lab.told(&[&format!("\"content\":\"web-{ordinal} ")]).await;
        }
        lab.delete_pod("web-1").await;
        lab.stands(3).await;
        lab.stop(recording).await;
        // Of the ten, it is test 6 that a reading of the new pod decides.
        let letters = lab.letters().await;
        assert_eq!(letters.chars().nth(5), Some('P'), "{letters}");
    })
    .await;
}
