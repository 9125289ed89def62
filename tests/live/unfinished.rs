//! Report files of a grade that is stopped in the middle of its tour.

use std::fs;

use clap::ValueEnum as _;
use stsgrade::report::{Format, Problem, RunResult, View, render};

use crate::lab::Lab;

/// `-o` for a file of each format in the lab's folder.
fn outputs(lab: &Lab) -> Vec<String> {
    let file = |name: String| format!("{name}={}", lab.folder.path().join(&name).display());
    formats().flat_map(|(name, _)| ["-o".to_owned(), file(name)]).collect()
}

fn formats() -> impl Iterator<Item = (String, Format)> {
    let name = |it: &Format| it.to_possible_value().unwrap().get_name().to_owned();
    Format::value_variants().iter().map(move |it| (name(it), *it))
}

/// Fails where a file is not the whole document that says this; `tests/report.rs` shows that such
/// documents are well-formed.
fn assert_told(lab: &Lab, problem: &Problem) {
    for (name, format) in formats() {
        let told = fs::read(lab.folder.path().join(&name)).unwrap();
        let expected = render(format, &View::plain(RunResult::NotGraded(problem)));
        assert_eq!(String::from_utf8(told), String::from_utf8(expected), "{name}");
    }
}

/// Catches a file that is empty or half written, or that says "not finished" for ever of a grade
/// that could still tell why it ended.
#[tokio::test]
async fn a_grade_that_is_stopped_half_way_leaves_whole_reports() {
    Lab::run("live-unfinished", async |lab| {
        lab.stand().await;
        let outputs = outputs(lab);
        let args: Vec<&str> = outputs.iter().map(String::as_str).collect();
        let stopped = lab.stop_when("scale up", &args).await;
        assert_eq!(stopped.status, 130, "{}", stopped.told());
        assert_told(lab, &Problem::interrupted());
        lab.kill_when("replace", &args).await;
        assert_told(lab, &Problem::not_finished());
    })
    .await;
}
