//! An API server that is away for a while.

use std::process::Stdio;

use crate::{
    lab::{Lab, ctl, started},
    state::{ended, send},
};

/// Catches a restart of the control plane that ends a grade, or leaves something behind.
#[tokio::test]
async fn an_api_server_that_was_away_costs_no_restoring() {
    Lab::run_alone("live-away", async |lab| {
        lab.stand().await;
        let before = lab.state().await;
        let (child, rest) = lab.begin("scale down", &[]).await;
        ctl(&["stop-api"]).await;
        ctl(&["start-api"]).await;
        let graded = ended(child, rest).await;
        assert!(matches!(graded.status, 0 | 3), "{}", graded.told());
        assert!(
            graded.says("the API server does not answer")
                && graded.says("the API server answers again"),
            "{}",
            graded.told()
        );
        lab.settled("web", 3).await;
        assert_eq!(lab.state().await, before);
    })
    .await;
}

/// Catches a recording that claims to have seen what happened behind a cut cable.
#[tokio::test]
async fn a_recording_that_is_stopped_behind_a_cut_cable_has_no_end() {
    Lab::run_alone("live-blind", async |lab| {
        lab.stand().await;
        let save = lab.recording();
        let mut command = lab.command("record", &["--save", save.to_str().unwrap()]);
        let (mut child, mut lines) = started(command.stdout(Stdio::piped()));
        let mut until = async |word: &str| {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains(word) {
                    return;
                }
            }
            panic!("it never said {word:?}");
        };
        until("recording to").await;
        ctl(&["cut"]).await;
        until("the API server does not answer").await;
        send(&child, "INT");
        until("the recording has no end").await;
        ctl(&["heal"]).await;
        child.wait().await.unwrap();
        let judged = lab.judge("text").await;
        assert!(judged.says("cut off before its end"), "{}", judged.told());
    })
    .await;
}
