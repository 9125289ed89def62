//! The words about a report that several formats share, on one line or as lines of text.

use checks::model::Outcome;

use crate::report::{Cause, CheckResult, CriterionResult, Points, Report, text};

/// `80 of 100 points, 10 undecided`.
pub(super) fn score(report: &Report) -> String {
    let score = report.score;
    let points = format!("{} of {} points", score.earned, score.possible);
    if score.undecided == Points::ZERO {
        return points;
    }
    format!("{points}, {} undecided", score.undecided)
}

/// `Test 6: Identity Persistence`.
pub(super) fn title(row: &CheckResult) -> String {
    format!("Test {}: {}", row.test, row.title)
}

/// What cost a test its points.
pub(super) fn cause<'a>(report: &'a Report, row: &CheckResult) -> Option<&'a Cause> {
    row.cause.and_then(|place| report.causes.get(place))
}

/// Why a test did not pass, on one line; nothing for one that passed.
pub(super) fn reason(report: &Report, row: &CheckResult) -> Option<String> {
    if row.outcome == Outcome::Pass {
        return None;
    }
    let known = cause(report, row).map(|it| it.title.clone()).filter(|it| !it.is_empty());
    let decisive = |it: &&CriterionResult| it.outcome == row.outcome;
    let seen = || row.criteria.iter().find(decisive).and_then(|it| it.actual.clone());
    Some(known.or_else(seen).unwrap_or_else(|| text::word(row.outcome).to_owned()))
}

/// What to do about it, where something is known.
pub(super) fn remedy<'a>(report: &'a Report, row: &CheckResult) -> Option<&'a str> {
    cause(report, row).map(|it| it.remedy.as_str()).filter(|it| !it.is_empty())
}
