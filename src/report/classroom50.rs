//! The report as Classroom 50 reads it from `result.json`.
//!
//! Its points are whole numbers: where a rubric can lead to fractions, all points are given in
//! hundredths, for every submission alike.
//! A test there is passed or not; that one is undecided stands in a field of its own, which is
//! kept. Where nothing was graded, the exit code is what makes the submission an error.

use checks::model::Outcome;
use serde::Serialize;

use crate::report::{
    CheckResult, Identity, Points, Problem, Report, RubricResult, RunResult, View, json::indented,
    summary,
};

#[derive(Serialize)]
struct ResultFile<'a> {
    schema: &'static str,
    #[serde(flatten)]
    identity: &'a Identity,
    datetime: String,
    score: u32,
    #[serde(rename = "max-score")]
    max_score: u32,
    undecided: u32,
    tests: Vec<Test>,
    /// Whether the judged recording can be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rubric: Option<&'a RubricResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Problem>,
}

#[derive(Serialize)]
struct Test {
    #[serde(rename = "test-name")]
    name: String,
    passed: bool,
    score: u32,
    #[serde(rename = "max-score")]
    max_score: u32,
    outcome: Outcome,
}

/// What stands for a time that is not known.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// A time as the platform reads it; a recording that somebody edited may hold anything.
fn time(started_at: &str) -> String {
    started_at
        .parse::<jiff::Timestamp>()
        .map_or_else(|_| NO_TIME.to_owned(), |it| it.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The document.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    let identity = view.identity;
    indented(&match view.result {
        RunResult::Judged { report, .. } => judged(report, identity),
        RunResult::NotGraded(problem) => ResultFile {
            schema: SCHEMA,
            identity,
            // The runner writes its own time.
            datetime: NO_TIME.to_owned(),
            score: 0,
            max_score: 0,
            undecided: 0,
            tests: vec![],
            origin: None,
            rubric: None,
            error: Some(problem),
        },
    })
}

const SCHEMA: &str = "classroom50/result/v1";

fn judged<'a>(report: &'a Report, identity: &'a Identity) -> ResultFile<'a> {
    let scale = Scale::of(report);
    ResultFile {
        schema: SCHEMA,
        identity,
        datetime: time(&report.recording.started_at),
        score: scale.as_integer(report.score.earned),
        max_score: scale.as_integer(report.score.possible),
        undecided: scale.as_integer(report.score.undecided),
        tests: report.checks.iter().map(|row| test(row, scale)).collect(),
        origin: summary::origin(report),
        rubric: report.rubric.as_ref(),
        error: None,
    }
}

fn test(row: &CheckResult, scale: Scale) -> Test {
    Test {
        name: format!("{}. {}", row.test, row.title),
        passed: row.outcome == Outcome::Pass,
        score: scale.as_integer(row.points),
        max_score: scale.as_integer(row.possible),
        outcome: row.outcome,
    }
}

/// How points become whole numbers.
#[derive(Clone, Copy)]
enum Scale {
    Points,
    Hundredths,
}

impl Scale {
    fn of(report: &Report) -> Self {
        let is_whole = report.rubric.as_ref().is_none_or(|rubric| rubric.is_whole);
        if is_whole { Self::Points } else { Self::Hundredths }
    }

    fn as_integer(self, points: Points) -> u32 {
        match self {
            Self::Points => points.as_whole().unwrap_or_default(),
            Self::Hundredths => points.in_hundredths(),
        }
    }
}
