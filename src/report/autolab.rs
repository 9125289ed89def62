//! The report as Autolab reads it from the end of the grader's output: the scores are the last line,
//! what is shown the one before it.
//!
//! Each test is one problem there, under its stable name. An undecided test gets no score, so that
//! it stays to be graded.

use checks::model::Outcome;
use serde::{Serialize, Serializer};

use crate::report::{CheckResult, Points, Problem, Report, RunResult, View, summary};

/// A JSON object whose keys keep their order.
struct Object<V>(Vec<(String, V)>);

impl<V: Serialize> Serialize for Object<V> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(rename = "_presentation")]
    presentation: &'static str,
    stages: Vec<String>,
    #[serde(flatten)]
    cases: Object<Object<Case>>,
}

#[derive(Serialize)]
struct Case {
    passed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Serialize)]
struct Scores {
    scores: Object<Points>,
}

/// The document: what is shown, then the scores.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    let (stages, scores) = match view.result {
        RunResult::Judged { report, .. } => (stages(report), scores(report)),
        RunResult::NotGraded(problem) => (vec![not_graded(problem)], vec![]),
    };
    let shown = Shown {
        presentation: "semantic",
        stages: stages.iter().map(|(stage, _)| stage.clone()).collect(),
        cases: Object(stages),
    };
    // Maps with string keys, strings and numbers: nothing of it can fail.
    let line = |json: serde_json::Result<String>| json.unwrap_or_default() + "\n";
    let scores = Scores { scores: Object(scores) };
    let lines = [line(serde_json::to_string(&shown)), line(serde_json::to_string(&scores))];
    lines.concat().into_bytes()
}

/// The tests that were decided, those that were not, and the score.
fn stages(report: &Report) -> Vec<(String, Object<Case>)> {
    let stage = |name: &str, is_decided: bool| {
        let those =
            report.checks.iter().filter(|row| (row.outcome != Outcome::Inconclusive) == is_decided);
        let cases = those.map(|row| (summary::title(row), case(report, row))).collect();
        (name.to_owned(), Object(cases))
    };
    let origin = summary::origin(report).map(|it| format!("; {it}")).unwrap_or_default();
    let told = format!("{}; {}{origin}", summary::score(report), summary::digests(report));
    let passed = report.score.earned >= report.score.possible;
    let score = Case { passed, hint: Some(told) };
    let score = ("Score".to_owned(), Object(vec![("Points".to_owned(), score)]));
    vec![stage("Tests", true), stage("Undecided", false), score]
}

fn case(report: &Report, row: &CheckResult) -> Case {
    let remedy = summary::remedy(report, row).unwrap_or_default();
    let hint = summary::reason(report, row).map(|it| format!("{it}. {remedy}").trim().to_owned());
    Case { passed: row.outcome == Outcome::Pass, hint }
}

fn not_graded(problem: &Problem) -> (String, Object<Case>) {
    let lines = problem.all_lines();
    let case = Case { passed: false, hint: Some(lines.join(" ")) };
    ("Not graded".to_owned(), Object(vec![("grade".to_owned(), case)]))
}

fn scores(report: &Report) -> Vec<(String, Points)> {
    let mut scores = vec![];
    for row in &report.checks {
        if row.undecided == Points::ZERO {
            scores.push((row.id.to_owned(), row.points));
        }
    }
    scores
}
