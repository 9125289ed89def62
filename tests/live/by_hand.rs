//! What somebody shows by hand, while `record` watches, is judged by the same rules as a tour.

use crate::{
    lab::Lab,
    state::{STANDING, read},
};

const PODS: [&str; 3] = ["web-0", "web-1", "web-2"];

#[tokio::test]
async fn what_was_shown_by_hand_passes_and_cleaning_up_costs_nothing() {
    Lab::run("live-by-hand", async |lab| {
        let recording = lab.record().await;
        lab.create_set("OrderedReady").await;
        lab.stands(3).await;
        lab.looked_at(&PODS).await;
        lab.asked_for(&PODS).await;
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
        lab.looked_at(&PODS).await;
        lab.asked_for(&PODS).await;
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

/// Programs that write long after their start. Catches a recorder that looks at an empty claim only
/// for a while, and one that does not look again when it is stopped.
#[tokio::test]
async fn what_is_written_late_is_read() {
    let much_later = Lab::run("live-written-late", async |lab| {
        let recording = lab.record().await;
        lab.create(&that_writes_after("sleep 25 & wait $!"), "student").await;
        lab.settled("web", 3).await;
        lab.asked_for(&PODS).await;
        for name in PODS {
            lab.told(&["\"read\":", &format!("\"content\":\"{name} ")]).await;
        }
        lab.stop(recording).await;
        assert_eq!(lab.letters().await, "PPPPPIIIII");
    });
    let just_before_the_stop = Lab::run("live-written-last", async |lab| {
        let recording = lab.record().await;
        let told = "until [ -e /tmp/go ]; do sleep 1 & wait $!; done";
        lab.create(&that_writes_after(told), "student").await;
        lab.settled("web", 3).await;
        lab.asked_for(&PODS).await;
        lab.looked_at(&PODS).await;
        for name in PODS {
            lab.sh(name, "touch /tmp/go; until [ -s /data/id ]; do sleep 1; done").await;
        }
        lab.stop(recording).await;
        assert_eq!(lab.letters().await, "PPPPPIIIII");
    });
    tokio::join!(much_later, just_before_the_stop);
}

/// The set of [`STANDING`], whose program runs this before it writes.
fn that_writes_after(command: &str) -> String {
    let text = read(STANDING);
    let late = text.replace("[ -f /data/id ] ||", &format!("{command}; [ -f /data/id ] ||"));
    assert_ne!(late, text);
    late
}
