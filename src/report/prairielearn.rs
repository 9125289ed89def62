//! The report as PrairieLearn reads it from `/grade/results/results.json`.
//!
//! Where nothing could be judged the submission is not gradable there, so that it does not cost an
//! attempt.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use checks::model::{Outcome, Timeline};
use serde::Serialize;

use crate::report::{
    CheckResult, Points, Problem, Report, RunResult, View, drawing::Drawing, json::indented,
    summary, svg, text,
};

/// The most bytes of a picture: PrairieLearn takes no document of more than 1 MB.
const MAX_PICTURE_BYTES: usize = 600_000;

#[derive(Serialize)]
struct Results {
    gradable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    message: String,
    output: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    format_errors: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Image>,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Image {
    label: &'static str,
    url: String,
}

#[derive(Serialize)]
struct Test {
    name: String,
    description: &'static str,
    points: Points,
    max_points: Points,
    message: String,
    output: String,
}

/// The document.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    indented(&match view.result {
        RunResult::Judged { report, timeline } => judged(report, timeline),
        RunResult::NotGraded(problem) => not_graded(problem),
    })
}

fn judged(report: &Report, timeline: &Timeline) -> Results {
    let score = report.score;
    let gradable = report.checks.iter().any(|row| row.outcome != Outcome::Inconclusive);
    let undecided: Vec<String> = report
        .checks
        .iter()
        .filter(|row| row.outcome == Outcome::Inconclusive)
        .filter_map(|row| {
            Some(format!("{}: {}", summary::title(row), summary::reason(report, row)?))
        })
        .collect();
    Results {
        gradable,
        score: gradable.then(|| score.earned.as_f64() / score.possible.as_f64().max(0.01)),
        message: summary::score(report),
        output: format!("{}\n\n{}", text::overview(report), summary::digests(report)),
        format_errors: if gradable { vec![] } else { undecided },
        images: image(&Drawing::of(timeline, report)).into_iter().collect(),
        tests: report.checks.iter().map(|row| test(report, row)).collect(),
    }
}

/// The timeline as a picture within the document, if there is anything to see and it is not too
/// large.
fn image(drawing: &Drawing) -> Option<Image> {
    if drawing.lanes.is_empty() {
        return None;
    }
    let picture = STANDARD.encode(svg::alone(drawing));
    let url = format!("data:image/svg+xml;base64,{picture}");
    (url.len() <= MAX_PICTURE_BYTES).then_some(Image { label: "timeline", url })
}

fn test(report: &Report, row: &CheckResult) -> Test {
    let word = text::word(row.outcome);
    Test {
        name: summary::title(row),
        description: text::word(row.outcome),
        points: row.points,
        max_points: row.possible,
        message: match summary::reason(report, row) {
            Some(reason) if reason != word => format!("{word}: {reason}"),
            _ => word.to_owned(),
        },
        output: text::details(report, row),
    }
}

fn not_graded(problem: &Problem) -> Results {
    let lines = problem.all_lines();
    Results {
        gradable: false,
        score: None,
        message: "not graded".to_owned(),
        output: lines.join("\n"),
        format_errors: lines.into_iter().map(str::to_owned).collect(),
        images: vec![],
        tests: vec![],
    }
}
