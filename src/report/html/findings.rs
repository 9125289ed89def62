//! What each test found: what is told once on the page is not told again.

use std::collections::{BTreeMap, BTreeSet};

use checks::{
    CHECKS,
    model::{Outcome, Seq},
};

use crate::report::{
    CheckResult, CriterionResult, Points, Report, StandingName,
    drawing::{Drawing, MAX_CITES_PER_CRITERION, shown_criteria, time},
    summary::line_of,
    svg,
};

/// The most findings that are told of one bar.
const MAX_VERDICTS: usize = 4;

/// A test, in the words of the page.
pub(super) struct CheckRow<'r> {
    pub(super) row: &'r CheckResult,
    pub(super) lab_words: &'static str,
    pub(super) outcome: &'static str,
    pub(super) class: &'static str,
    pub(super) points: String,
    /// The number of its cause on the page, and the cause's title.
    pub(super) cause: Option<(usize, &'r str)>,
    /// It tells something that stands nowhere before it.
    pub(super) is_open: bool,
    pub(super) findings: Vec<Finding<'r>>,
    pub(super) left_out: usize,
}

/// A criterion, or several that are told by the same words.
pub(super) struct Finding<'r> {
    pub(super) criterion: &'r CriterionResult,
    pub(super) standing: &'static str,
    pub(super) class: &'static str,
    /// What the lab asks, where the criterion's own text does not say just that.
    pub(super) expected: Option<&'r str>,
    /// What was seen, or why nothing was.
    pub(super) actual: Option<&'r str>,
    /// What stands before that.
    pub(super) label: &'static str,
    pub(super) cites: Vec<Link>,
    pub(super) cites_left_out: usize,
}

/// A link to a line in the picture.
pub(super) struct Link {
    /// Of the recording.
    pub(super) line: u64,
    pub(super) text: String,
    pub(super) at: String,
}

/// The tests in their order.
pub(super) fn rows<'r>(report: &'r Report, drawing: &Drawing) -> Vec<CheckRow<'r>> {
    let mut told = BTreeSet::new();
    report.checks.iter().map(|row| check_row(report, row, drawing, &mut told)).collect()
}

/// `told`: what the tests before it have found already.
fn check_row<'r>(
    report: &'r Report,
    row: &'r CheckResult,
    drawing: &Drawing,
    told: &mut BTreeSet<&'r str>,
) -> CheckRow<'r> {
    let (outcome, class) = match row.outcome {
        Outcome::Pass => ("passed", "pass"),
        Outcome::Fail => ("failed", "fail"),
        Outcome::Inconclusive => ("undecided", "undecided"),
    };
    let (criteria, left_out) = shown_criteria(row);
    let findings = findings(&criteria, blocked_by_cause(row), drawing);
    let mut is_open = false;
    for finding in findings.iter().filter(|it| it.criterion.outcome != Outcome::Pass) {
        let is_new = finding.actual.is_some_and(|it| told.insert(it));
        is_open |= is_new;
    }
    let cause = row.cause.and_then(|it| Some((it + 1, report.causes.get(it)?.title.as_str())));
    CheckRow {
        row,
        lab_words: CHECKS.iter().find(|it| it.id == row.id).map_or("", |check| check.lab_words),
        outcome,
        class,
        points: points(row),
        cause,
        is_open,
        findings,
        left_out,
    }
}

/// `10 of 10`. What is undecided does not read as a zero.
fn points(row: &CheckResult) -> String {
    match (row.points, row.undecided) {
        (points, Points::ZERO) => format!("{points} of {}", row.possible),
        (Points::ZERO, _) => format!("– of {}", row.possible),
        (points, open) => format!("{points} of {}, {open} undecided", row.possible),
    }
}

/// What stands in the way of a test, where its cause is just that: then the cause tells it.
fn blocked_by_cause(row: &CheckResult) -> Option<&str> {
    row.cause?;
    let decisive = row.decisive()?;
    (decisive.standing == StandingName::Blocked).then_some(decisive.actual.as_deref()?)
}

fn findings<'r>(
    criteria: &[&'r CriterionResult],
    blocked_by_cause: Option<&str>,
    drawing: &Drawing,
) -> Vec<Finding<'r>> {
    let words = |it: &CriterionResult| (it.standing, it.text.clone(), it.actual.clone());
    let mut groups: Vec<(&'r CriterionResult, Vec<Seq>)> = vec![];
    for criterion in criteria {
        let known = groups.iter_mut().find(|(it, _)| words(it) == words(criterion));
        match known {
            Some((_, evidence)) => evidence.extend(&criterion.evidence),
            None => groups.push((criterion, criterion.evidence.clone())),
        }
    }
    let mut findings: Vec<Finding<'r>> = vec![];
    for (criterion, mut evidence) in groups {
        evidence.sort_unstable();
        evidence.dedup();
        let mut finding = finding(criterion, &evidence, drawing);
        // What stands in the way of all is told once.
        let is_told = criterion.actual.as_deref() == blocked_by_cause
            || findings.iter().any(|it| it.criterion.actual == criterion.actual);
        if is_told && criterion.standing == StandingName::Blocked {
            finding.actual = None;
        }
        findings.push(finding);
    }
    findings
}

fn finding<'r>(criterion: &'r CriterionResult, evidence: &[Seq], drawing: &Drawing) -> Finding<'r> {
    let (standing, label) = match criterion.standing {
        StandingName::Met => ("Met", ""),
        StandingName::Broken => ("Not met", "Seen"),
        StandingName::Blocked => ("Not reached", "In the way"),
        StandingName::NotShown => ("Not shown yet", "Why"),
        StandingName::Unseen => ("Not seen", "Why"),
    };
    let class = match criterion.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Inconclusive => "undecided",
    };
    let shown = evidence.iter().take(MAX_CITES_PER_CRITERION);
    let cites = shown.filter_map(|seq| drawing.cite(*seq));
    let link = |it: &crate::report::drawing::Cite| Link {
        line: line_of(it.seq),
        text: it.text.clone(),
        at: time(it.at),
    };
    Finding {
        criterion,
        standing,
        class,
        expected: criterion.expected.as_deref().filter(|it| *it != criterion.text),
        actual: criterion.actual.as_deref(),
        label,
        cites: cites.map(link).collect(),
        cites_left_out: evidence.len().saturating_sub(MAX_CITES_PER_CRITERION),
    }
}

/// What the tests hold against each bar of the picture, by the bar's id.
pub(super) fn verdicts(report: &Report, drawing: &Drawing) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<(&str, Vec<u8>)>> = BTreeMap::new();
    for row in &report.checks {
        let criteria = shown_criteria(row).0.into_iter();
        for criterion in criteria.filter(|it| it.standing == StandingName::Broken) {
            let text = criterion.actual.as_deref().unwrap_or(&criterion.text);
            let cites = criterion.evidence.iter().filter_map(|seq| drawing.cite(*seq));
            for bar in cites.filter_map(|it| it.bar.clone()) {
                let known = found.entry(bar).or_default();
                match known.iter_mut().find(|(it, _)| *it == text) {
                    Some((_, tests)) if tests.contains(&row.test) => {}
                    Some((_, tests)) => tests.push(row.test),
                    None => known.push((text, vec![row.test])),
                }
            }
        }
    }
    let told = |(text, tests): &(&str, Vec<u8>)| format!("Not met: {text} ({})", svg::tests(tests));
    let told = |all: Vec<(&str, Vec<u8>)>| all.iter().take(MAX_VERDICTS).map(told).collect();
    found.into_iter().map(|(bar, all)| (bar, told(all))).collect()
}
