//! The report as one HTML page that needs nothing else: no network, no other file.
//!
//! The page forbids itself all but its own style sheet and its own script, by their hashes, so that
//! nothing that slipped through could run. Every text is escaped by the template; the picture is
//! escaped where it is drawn.

#[expect(unreachable_pub, reason = "what askama makes of a filter is")]
mod filters;

use askama::Template;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use checks::{
    CHECKS,
    model::{Fault, Outcome, Seq},
};
use sha2::{Digest as _, Sha256};

use crate::remedy::change::{Change, Sign};
use crate::report::{
    Cause, CheckResult, CriterionResult, Problem, Report, RunResult, StandingName, View,
    causes::typed_later,
    drawing::{Bar, Drawing, MAX_CITES_PER_CRITERION, shown_criteria, time},
    svg,
};

/// The colours of every page, light and dark, as custom properties.
pub const COLORS: &str = include_str!("colors.css");
const PAGE_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    let (title, body) = match view.result {
        RunResult::Judged { report, timeline } => {
            let page = Judged::of(report, Drawing::of(timeline, report));
            (format!("stsgrade: {}", page.drawing.score), Body::Judged(page))
        }
        RunResult::NotGraded(problem) => {
            ("stsgrade: nothing was graded".to_owned(), Body::NotGraded(problem))
        }
    };
    let style = format!("{COLORS}{PAGE_STYLE}{}", svg::STYLE);
    let policy = content_policy(&style, SCRIPT);
    let page = Page { title, policy, style, script: SCRIPT, body };
    // Only a value whose own formatting fails could fail this, and there is none.
    page.render().unwrap_or_default().into_bytes()
}

/// A Content-Security-Policy that allows a page this style sheet and this script, and nothing else.
#[must_use]
pub fn content_policy(style: &str, script: &str) -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        source_hash(style),
        source_hash(script)
    )
}

/// A hash as Content-Security-Policy has it: <https://www.w3.org/TR/CSP3/#grammardef-hash-source>.
fn source_hash(source: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(source)))
}

#[derive(Template)]
#[template(path = "page.html", config = "src/report/html/askama.toml")]
struct Page<'r> {
    title: String,
    policy: String,
    style: String,
    script: &'static str,
    body: Body<'r>,
}

#[expect(clippy::large_enum_variant, reason = "there is one")]
enum Body<'r> {
    Judged(Judged<'r>),
    NotGraded(&'r Problem),
}

/// A judged recording, in the words of the page.
struct Judged<'r> {
    report: &'r Report,
    drawing: Drawing,
    picture: String,
    causes: Vec<CauseCard<'r>>,
    checks: Vec<CheckRow<'r>>,
}

struct CauseCard<'r> {
    cause: &'r Cause,
    class: &'static str,
    ink: &'static str,
    cost: String,
    changes: Vec<ChangeLines>,
    /// What is to be typed stands under this cause.
    typed_later: Option<usize>,
}

/// Lines of the submission to change.
struct ChangeLines {
    label: &'static str,
    object: String,
    /// The class and the text of each.
    lines: Vec<(&'static str, String)>,
}

struct CheckRow<'r> {
    row: &'r CheckResult,
    asked: &'static str,
    outcome: &'static str,
    class: &'static str,
    points: String,
    /// The number of its cause on the page.
    cause: Option<usize>,
    is_open: bool,
    findings: Vec<Finding<'r>>,
    left_out: usize,
}

struct Finding<'r> {
    criterion: &'r CriterionResult,
    standing: &'static str,
    class: &'static str,
    /// What the lab asks, where the criterion's own text does not say just that.
    expected: Option<&'r str>,
    /// What was seen, or why nothing was.
    actual: Option<&'r str>,
    /// What stands before that.
    label: &'static str,
    cites: Vec<Link>,
    cites_left_out: usize,
}

/// A link to a line in the picture.
struct Link {
    seq: Seq,
    text: String,
    place: String,
}

impl<'r> Judged<'r> {
    fn of(report: &'r Report, drawing: Drawing) -> Self {
        Self {
            picture: svg::within(&drawing),
            causes: (0..report.causes.len()).map(|it| cause_card(&report.causes, it)).collect(),
            checks: report.checks.iter().map(|row| check_row(row, &drawing)).collect(),
            report,
            drawing,
        }
    }

    fn time(&self, at: &u64) -> String {
        time(*at)
    }

    fn tests(&self, tests: &[u8]) -> String {
        svg::tests(tests)
    }

    fn states(&self, bar: &Bar) -> String {
        svg::states(bar)
    }
}

fn cause_card(causes: &[Cause], place: usize) -> CauseCard<'_> {
    let cause = &causes[place];
    let tests = svg::tests(&cause.tests);
    let points = cause.points;
    let (class, ink, cost) = match cause.fault {
        Some(Fault::Submission) => ("lost", "fail", format!("Costs {points} points: {tests}")),
        Some(Fault::Cluster) => {
            ("open", "undecided", format!("Leaves {points} points undecided: {tests}"))
        }
        None => ("open", "undecided", format!("Leaves {points} points to be shown: {tests}")),
    };
    let changes = cause.changes.iter().map(change_lines).collect();
    CauseCard { cause, class, ink, cost, changes, typed_later: typed_later(causes, place) }
}

fn change_lines(change: &Change) -> ChangeLines {
    let mut lines = vec![];
    for (sign, line) in change.signed() {
        let class = match sign {
            Sign::Same | Sign::LeftOut => "same",
            Sign::Removed => "removed",
            Sign::Added => "added",
        };
        lines.push((class, line));
    }
    ChangeLines { label: change.label(), object: change.place(), lines }
}

fn check_row<'r>(row: &'r CheckResult, drawing: &Drawing) -> CheckRow<'r> {
    let (outcome, class) = match row.outcome {
        Outcome::Pass => ("passed", "pass"),
        Outcome::Fail => ("failed", "fail"),
        Outcome::Inconclusive => ("undecided", "undecided"),
    };
    let (criteria, left_out) = shown_criteria(row);
    CheckRow {
        row,
        asked: CHECKS.iter().find(|it| it.id == row.id).map_or("", |check| check.asked),
        outcome,
        class,
        points: format!("{} of {}", row.points, row.possible),
        cause: row.cause.map(|place| place + 1),
        is_open: row.outcome != Outcome::Pass,
        findings: findings(&criteria, drawing),
        left_out,
    }
}

fn findings<'r>(criteria: &[&'r CriterionResult], drawing: &Drawing) -> Vec<Finding<'r>> {
    let mut findings: Vec<Finding<'r>> = vec![];
    for criterion in criteria {
        let mut finding = finding(criterion, drawing);
        // What stands in the way of all is told once.
        let told = findings.iter().any(|it| it.criterion.actual == criterion.actual);
        if told && criterion.standing == StandingName::Blocked {
            finding.actual = None;
        }
        findings.push(finding);
    }
    findings
}

fn finding<'r>(criterion: &'r CriterionResult, drawing: &Drawing) -> Finding<'r> {
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
    let mut cites = vec![];
    for seq in criterion.evidence.iter().take(MAX_CITES_PER_CRITERION) {
        let Some(cite) = drawing.cite(*seq) else { continue };
        let place = format!("{}, seq {seq}", time(cite.at));
        cites.push(Link { seq: *seq, text: cite.text.clone(), place });
    }
    let cites_left_out = criterion.evidence.len().saturating_sub(MAX_CITES_PER_CRITERION);
    let expected = criterion.expected.as_deref().filter(|it| *it != criterion.text);
    let actual = criterion.actual.as_deref();
    Finding { criterion, standing, class, expected, actual, label, cites, cites_left_out }
}
