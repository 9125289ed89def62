//! The report as TAP 14. An undecided test is skipped: it is neither ok nor not ok.

use std::fmt::Write as _;

use checks::model::Outcome;

use crate::report::{CheckResult, Problem, Report, RunResult, View, summary, text};

// Writing to a String cannot fail, so the results below say nothing.

/// The document.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    let mut out = String::from("TAP version 14\n");
    match view.result {
        RunResult::Judged { report, .. } => judged(report, &mut out),
        RunResult::NotGraded(problem) => not_graded(problem, &mut out),
    }
    out.into_bytes()
}

fn judged(report: &Report, out: &mut String) {
    let _ = writeln!(out, "1..{}", report.checks.len());
    let _ = writeln!(out, "# {}\n# {}", summary::score(report), summary::digests(report));
    if let Some(origin) = summary::origin(report) {
        let _ = writeln!(out, "# {origin}");
    }
    if let Some(note) = summary::slow(report) {
        let _ = writeln!(out, "# {note}");
    }
    for (place, row) in report.checks.iter().enumerate() {
        let ok = if row.outcome == Outcome::Fail { "not ok" } else { "ok" };
        let _ = write!(out, "{ok} {} - {}", place + 1, escape(row.title));
        let reason = summary::reason(report, row).unwrap_or_default();
        if row.outcome == Outcome::Inconclusive {
            let _ = write!(out, " # SKIP undecided: {}", escape(&reason));
        }
        out.push('\n');
        diagnostics(report, row, out);
    }
}

fn diagnostics(report: &Report, row: &CheckResult, out: &mut String) {
    let _ = writeln!(out, "  ---\n  id: {}\n  outcome: {}", row.id, text::word(row.outcome));
    let _ = writeln!(out, "  points: {}\n  possible: {}", row.points, row.possible);
    if let Some(reason) = summary::reason(report, row) {
        let _ = writeln!(out, "  message: {}", quoted(&reason));
    }
    if let Some(remedy) = summary::remedy(report, row) {
        let _ = writeln!(out, "  remedy: {}", quoted(remedy));
    }
    out.push_str("  ...\n");
}

fn not_graded(problem: &Problem, out: &mut String) {
    for line in &problem.all_lines()[1..] {
        let _ = writeln!(out, "# {line}");
    }
    let _ = writeln!(out, "Bail out! {}", escape(&problem.what));
}

/// Text in which no directive begins.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#")
}

/// A YAML scalar: any JSON string is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
