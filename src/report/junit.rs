//! The report as JUnit XML: a failure is the submission's, an error means that nobody knows.

use checks::model::Outcome;
use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use crate::report::{CheckResult, Problem, Report, RunResult, View, summary, text};

/// The document.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    let mut suite = TestSuite::new("StatefulSets Deep Dive");
    match view.result {
        RunResult::Judged { report, .. } => judged(&mut suite, report),
        RunResult::NotGraded(problem) => not_graded(&mut suite, problem),
    }
    let mut page = quick_junit::Report::new("stsgrade");
    page.add_test_suite(suite);
    // Only names that XML does not allow can fail, and these are ours.
    page.to_string().unwrap_or_default().into_bytes()
}

fn judged(suite: &mut TestSuite, report: &Report) {
    for (name, value) in [
        ("points", report.score.earned.to_string()),
        ("possible", report.score.possible.to_string()),
        ("undecided", report.score.undecided.to_string()),
        ("namespace", report.namespace.clone()),
        ("recording", report.recording.digest.clone()),
    ] {
        suite.add_property(Property::new(name, value));
    }
    if let Some(rubric) = &report.rubric {
        suite.add_property(Property::new("rubric", rubric.digest.as_str()));
    }
    if let Some(origin) = summary::origin(report) {
        suite.add_property(Property::new("origin", origin));
    }
    if let Some(note) = &report.slow {
        suite.add_property(Property::new("slow", note.as_str()));
    }
    for row in &report.checks {
        suite.add_test_case(case(report, row));
    }
    if let Some(cost) = report.cost {
        suite.set_time(std::time::Duration::from_millis(cost.wall_ms));
    }
}

fn case(report: &Report, row: &CheckResult) -> TestCase {
    let kind = match row.outcome {
        Outcome::Pass => None,
        Outcome::Fail => Some(NonSuccessKind::Failure),
        Outcome::Inconclusive => Some(NonSuccessKind::Error),
    };
    let mut status = kind.map_or_else(TestCaseStatus::success, TestCaseStatus::non_success);
    if let Some(reason) = summary::reason(report, row) {
        status
            .set_message(reason)
            .set_type(summary::cause(report, row).map_or(row.id, |it| it.id))
            .set_description(text::details(report, row));
    }
    let mut case = TestCase::new(summary::title(row), status);
    case.set_classname(format!("stsgrade.{}", row.id));
    case.add_property(Property::new("points", row.points.to_string()));
    case.add_property(Property::new("possible", row.possible.to_string()));
    case
}

fn not_graded(suite: &mut TestSuite, problem: &Problem) {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    let lines = problem.all_lines();
    status
        .set_message(problem.what.as_str())
        .set_type(problem.id)
        .set_description(lines.join("\n"));
    let mut case = TestCase::new("grade", status);
    case.set_classname("stsgrade");
    suite.add_test_case(case);
}
