//! The report as check50 writes it: an undecided test is `null`, as one that could not be checked.

use checks::model::Outcome;
use serde::Serialize;

use crate::report::{
    CheckResult, Points, Problem, Report, RubricResult, RunResult, TOOL, View, json::indented,
    summary, text,
};

/// What names this set of checks there.
const SLUG: &str = "stsgrade/statefulset-lab";

#[derive(Serialize)]
struct Results<'a> {
    slug: &'static str,
    results: Vec<Test>,
    version: &'static str,
    /// Whether the judged recording can be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rubric: Option<&'a RubricResult>,
}

#[derive(Serialize)]
struct Test {
    name: &'static str,
    description: &'static str,
    passed: Option<bool>,
    log: Vec<String>,
    cause: Option<Rationale>,
    data: Data,
    dependency: Option<&'static str>,
}

#[derive(Serialize)]
struct Rationale {
    rationale: String,
    help: Option<String>,
}

#[derive(Serialize)]
struct Data {
    outcome: Outcome,
    points: Points,
    possible: Points,
}

#[derive(Serialize)]
struct Failed<'a> {
    slug: &'static str,
    error: Error<'a>,
    version: &'static str,
}

#[derive(Serialize)]
struct Error<'a> {
    #[serde(rename = "type")]
    id: &'a str,
    value: &'a str,
    traceback: &'a [String],
    actions: Actions<'a>,
    data: &'a Problem,
}

#[derive(Serialize)]
struct Actions<'a> {
    show_traceback: bool,
    message: &'a str,
}

/// The document.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    match view.result {
        RunResult::Judged { report, .. } => indented(&Results {
            slug: SLUG,
            results: report.checks.iter().map(|row| test(report, row)).collect(),
            version: TOOL,
            origin: summary::origin(report),
            rubric: report.rubric.as_ref(),
        }),
        RunResult::NotGraded(problem) => indented(&Failed {
            slug: SLUG,
            error: Error {
                id: problem.id,
                value: &problem.what,
                traceback: &problem.detail,
                actions: Actions { show_traceback: false, message: &problem.next },
                data: problem,
            },
            version: TOOL,
        }),
    }
}

fn test(report: &Report, row: &CheckResult) -> Test {
    let details = text::details(report, row);
    Test {
        name: row.id,
        description: row.title,
        passed: match row.outcome {
            Outcome::Pass => Some(true),
            Outcome::Fail => Some(false),
            Outcome::Inconclusive => None,
        },
        log: details.lines().map(str::to_owned).collect(),
        cause: summary::reason(report, row).map(|rationale| Rationale {
            rationale,
            help: summary::remedy(report, row).map(str::to_owned),
        }),
        data: Data { outcome: row.outcome, points: row.points, possible: row.possible },
        dependency: None,
    }
}
