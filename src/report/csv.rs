//! The report as one row of comma-separated values, below a header: the same columns always.

use checks::CHECKS;

use crate::console::sanitize::spreadsheet_field;
use crate::report::{Report, RunResult, TOOL, View, summary, text};

/// The columns before those of the tests.
const HEAD: [&str; 8] =
    ["tool", "status", "namespace", "statefulSet", "earned", "possible", "undecided", "recording"];

/// The columns after those of the tests.
const TAIL: [&str; 6] = ["startedAt", "causes", "rubric", "passed", "origin", "error"];

/// The document.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    let tests =
        CHECKS.iter().flat_map(|check| [check.id.to_owned(), format!("{}_points", check.id)]);
    let header: Vec<String> = HEAD
        .iter()
        .map(|it| (*it).to_owned())
        .chain(tests)
        .chain(TAIL.iter().map(|it| (*it).to_owned()))
        .collect();
    let row = match view.result {
        RunResult::Judged { report, .. } => judged(report),
        RunResult::NotGraded(problem) => {
            let mut row = vec![String::new(); header.len()];
            row[0] = TOOL.to_owned();
            row[1] = problem.id.to_owned();
            if let Some(last) = row.last_mut() {
                *last = problem.lines().collect::<Vec<_>>().join("; ");
            }
            row
        }
    };
    let mut writer = csv::Writer::from_writer(vec![]);
    // Writing to a vector cannot fail, and both rows have as many fields.
    let _ = writer.write_record(&header);
    let _ = writer.write_record(row.iter().map(|field| spreadsheet_field(field)));
    writer.into_inner().unwrap_or_default()
}

fn judged(report: &Report) -> Vec<String> {
    let score = report.score;
    let mut row = vec![
        report.tool.to_owned(),
        "graded".to_owned(),
        report.namespace.clone(),
        report.stateful_set.clone().unwrap_or_default(),
        score.earned.to_string(),
        score.possible.to_string(),
        score.undecided.to_string(),
        report.recording.digest.clone(),
    ];
    for check in &CHECKS {
        let result = report.checks.iter().find(|it| it.id == check.id);
        row.push(result.map(|it| text::word(it.outcome).to_owned()).unwrap_or_default());
        row.push(result.map(|it| it.points.to_string()).unwrap_or_default());
    }
    let causes: Vec<&str> = report.causes.iter().map(|it| it.id).collect();
    row.extend([report.recording.started_at.clone(), causes.join(" ")]);
    let rubric = report.rubric.as_ref();
    let passed = rubric.map(|it| match it.passed {
        Some(true) => "yes",
        Some(false) => "no",
        None => "undecided",
    });
    row.push(rubric.map(|it| it.digest.clone()).unwrap_or_default());
    let origin = summary::origin(report).unwrap_or_default();
    row.extend([passed.unwrap_or_default().to_owned(), origin, String::new()]);
    row
}
