//! The report as Gradescope reads it from `/autograder/results/results.json`.
//!
//! A test there is passed or failed. An undecided one has neither a status nor a score and says so
//! in its name; where nothing was graded there is no score at all, which Gradescope shows as a
//! failure of the autograder, not as lost points.

use checks::model::Outcome;
use serde::Serialize;

use crate::report::{
    CheckResult, Points, Problem, Report, RubricResult, RunResult, View, json::indented, text,
};

#[derive(Serialize)]
struct Results {
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<Points>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_time: Option<u64>,
    output: String,
    output_format: &'static str,
    test_output_format: &'static str,
    test_name_format: &'static str,
    visibility: &'static str,
    stdout_visibility: &'static str,
    extra_data: Extra,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Extra {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    undecided: Option<Points>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rubric: Option<RubricResult>,
}

#[derive(Serialize)]
struct Test {
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<Points>,
    max_score: Points,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    name: String,
    number: String,
    output: String,
    tags: [&'static str; 1],
    extra_data: TestExtra,
}

#[derive(Serialize)]
struct TestExtra {
    id: &'static str,
    outcome: Outcome,
}

/// The document.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    indented(&match view.result {
        RunResult::Judged { report, .. } => judged(report),
        RunResult::NotGraded(problem) => not_graded(problem),
    })
}

fn judged(report: &Report) -> Results {
    let undecided = Some(report.score.undecided).filter(|it| *it > Points::ZERO);
    let extra = Extra {
        status: "graded",
        undecided,
        recording: Some(report.recording.digest.clone()),
        rubric: report.rubric.clone(),
    };
    Results {
        score: Some(report.score.earned),
        execution_time: report.cost.map(|it| it.wall_ms.div_ceil(1000)),
        tests: report.checks.iter().map(|row| test(report, row)).collect(),
        ..results(text::overview(report), extra)
    }
}

fn not_graded(problem: &Problem) -> Results {
    let lines = problem.all_lines();
    let output = format!("Not graded: {}", lines.join("\n"));
    results(output, Extra { status: problem.id, undecided: None, recording: None, rubric: None })
}

const fn results(output: String, extra_data: Extra) -> Results {
    Results {
        score: None,
        execution_time: None,
        output,
        output_format: "text",
        test_output_format: "text",
        test_name_format: "text",
        visibility: "visible",
        stdout_visibility: "hidden",
        extra_data,
        tests: vec![],
    }
}

fn test(report: &Report, row: &CheckResult) -> Test {
    let is_decided = row.outcome != Outcome::Inconclusive;
    let suffix = if is_decided { "" } else { " (undecided)" };
    Test {
        score: Some(row.points).filter(|_| row.undecided == Points::ZERO),
        max_score: row.possible,
        status: match row.outcome {
            Outcome::Pass => Some("passed"),
            Outcome::Fail => Some("failed"),
            Outcome::Inconclusive => None,
        },
        name: format!("{}{suffix}", row.title),
        number: row.test.to_string(),
        output: text::details(report, row),
        tags: [row.id],
        extra_data: TestExtra { id: row.id, outcome: row.outcome },
    }
}
