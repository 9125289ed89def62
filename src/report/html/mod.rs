//! The report as one HTML page that needs nothing else: no network, no other file.
//!
//! The page forbids itself all but its own style sheet and its own script, by their hashes, so that
//! nothing that slipped through could run. Every text is escaped by the template; the picture is
//! escaped where it is drawn.

#[expect(unreachable_pub, reason = "what askama makes of a filter is")]
mod filters;
mod findings;
mod head;

use std::collections::BTreeMap;

use askama::Template;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use checks::model::{Fault, Seq};
use sha2::{Digest as _, Sha256};

use crate::remedy::change::{Change, Sign};
use crate::report::{
    Cause, Problem, Report, RunResult, View,
    causes::{seen_earlier, typed_later},
    drawing::{Bar, Drawing, time},
    html::{findings::CheckRow, head::Head},
    summary, svg, text,
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
    let page = ReportPage { title, policy, style, script: SCRIPT, body };
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
struct ReportPage<'r> {
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
    head: Head<'r>,
    drawing: Drawing,
    legend: String,
    picture: String,
    causes_heading: &'static str,
    causes: Vec<CauseCard<'r>>,
    checks: Vec<CheckRow<'r>>,
    /// What the tests hold against each bar, by its id.
    verdicts: BTreeMap<String, Vec<String>>,
}

struct CauseCard<'r> {
    cause: &'r Cause,
    class: &'static str,
    ink: &'static str,
    cost: String,
    /// The tests whose own findings are not told under the cause, where others are.
    also: Vec<u8>,
    changes: Vec<ChangeLines>,
    /// What is to be typed stands under this cause.
    typed_later: Option<usize>,
    /// An earlier cause tells how to see it.
    seen_earlier: bool,
}

/// Lines of the submission to change.
struct ChangeLines {
    label: &'static str,
    object: String,
    /// The class and the text of each.
    lines: Vec<(&'static str, String)>,
}

impl<'r> Judged<'r> {
    fn of(report: &'r Report, drawing: Drawing) -> Self {
        Self {
            head: Head::of(report),
            legend: svg::legend_within(&drawing),
            picture: svg::within(&drawing),
            causes_heading: head::causes_heading(report),
            causes: (0..report.causes.len()).map(|it| cause_card(report, it)).collect(),
            checks: findings::rows(report, &drawing),
            verdicts: findings::verdicts(report, &drawing),
            report,
            drawing,
        }
    }

    fn time(&self, at: &u64) -> String {
        time(*at)
    }

    fn line(&self, seq: &Seq) -> u64 {
        summary::line_of(*seq)
    }

    fn slow(&self) -> Option<String> {
        summary::slow(self.report)
    }

    fn pasted(&self, commands: &[String]) -> Vec<String> {
        text::pasted(commands)
    }

    fn tests(&self, tests: &[u8]) -> String {
        svg::tests(tests)
    }

    fn states(&self, bar: &Bar) -> String {
        svg::states(bar)
    }

    fn verdicts(&self, bar: &Bar) -> &[String] {
        self.verdicts.get(&bar.id).map_or(&[], Vec::as_slice)
    }

    fn title_of(&self, test: &u8) -> &str {
        let found = self.report.checks.iter().find(|it| it.test == *test);
        found.map_or("", |it| it.title)
    }

    fn file_of_commands(&self) -> Option<&'static str> {
        summary::file_of_commands(self.report)
    }

    /// The first test that a cause cost, or the first of all.
    fn test_to_explain(&self) -> u8 {
        let first = self.report.causes.first().and_then(|it| it.tests.first());
        first.copied().unwrap_or(1)
    }
}

fn cause_card(report: &Report, place: usize) -> CauseCard<'_> {
    let causes = &report.causes;
    let cause = &causes[place];
    let (class, ink) = match cause.fault {
        Some(Fault::Submission) => ("lost", "fail"),
        Some(Fault::NotTheSubmission) | None => ("open", "undecided"),
    };
    let cost = format!("It {}", summary::costs(report, cause));
    let is_told = |test: &u8| cause.seen.is_empty() || cause.seen.iter().any(|it| it.test == *test);
    let also = cause.tests.iter().copied().filter(|it| !is_told(it)).collect();
    let changes = cause.changes.iter().map(change_lines).collect();
    let typed_later = typed_later(causes, place);
    let seen_earlier = seen_earlier(causes, place);
    CauseCard { cause, class, ink, cost, also, changes, typed_later, seen_earlier }
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
