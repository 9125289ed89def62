//! The report as commands of GitHub Actions: an annotation for each test that did not pass.
//!
//! GitHub shows ten annotations of a type for a step: there are ten tests, and one notice. A test
//! holds that.

use std::fmt::Write as _;

use checks::model::Outcome;

use crate::report::{Problem, Report, RunResult, View, summary, text};

/// Characters of one annotation's message: more is not read there, and the report has it.
const MAX_MESSAGE_CHARS: usize = 4_000;

// Writing to a String cannot fail, so the results below say nothing.

/// The document.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    let mut out = String::new();
    match view.result {
        RunResult::Judged { report, .. } => judged(report, &mut out),
        RunResult::NotGraded(problem) => not_graded(problem, &mut out),
    }
    out.into_bytes()
}

fn judged(report: &Report, out: &mut String) {
    for row in &report.checks {
        let level = match row.outcome {
            Outcome::Pass => continue,
            Outcome::Fail => "error",
            Outcome::Inconclusive => "warning",
        };
        let reason = summary::reason(report, row).unwrap_or_default();
        let word = text::word(row.outcome);
        let why = if reason == word { String::new() } else { format!(": {reason}") };
        let title = format!("{}, {word}{why}", summary::title(row));
        let details = text::details(report, row);
        let message = if details.is_empty() { reason } else { details };
        annotation(out, level, &property("title", &title), &message);
    }
    let mut score = format!("{}\n{}", summary::score(report), summary::digests(report));
    if let Some(origin) = summary::origin(report) {
        let _ = write!(score, "\n{origin}");
    }
    if let Some(note) = summary::slow(report) {
        let _ = write!(score, "\n{note}");
    }
    annotation(out, "notice", &property("title", "stsgrade"), &score);
}

fn not_graded(problem: &Problem, out: &mut String) {
    let lines = problem.all_lines();
    let mut properties = property("title", "stsgrade could not grade");
    if let Some(file) = &problem.file {
        let _ = write!(properties, ",{}", property("file", file));
    }
    if let Some(line) = problem.line {
        let _ = write!(properties, ",line={line}");
    }
    annotation(out, "error", &properties, &lines.join("\n"));
}

fn annotation(out: &mut String, level: &str, properties: &str, message: &str) {
    let clipped: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
    let _ = writeln!(out, "::{level} {properties}::{}", escape(clipped.trim_end()));
}

/// See `escapeData` and `escapeProperty` of GitHub's actions/toolkit.
fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(name: &str, value: &str) -> String {
    format!("{name}={}", escape(value).replace(':', "%3A").replace(',', "%2C"))
}
