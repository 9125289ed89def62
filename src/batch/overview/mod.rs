//! The overview of a class: one static page with a table that can be sorted and filtered.
//!
//! It needs nothing else, and forbids itself all but its own style sheet and script. Every text is
//! escaped by the template.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use checks::{CHECKS, mistakes};

use crate::{
    batch::{
        gradebook::{Gradebook, state},
        results::{HandInResult, ResultCause, ResultState},
    },
    console::{count::counted, names::and_more, sanitize::sanitize},
    report::{COLORS, Points, content_policy},
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// So many bars show how the points are distributed; one more shows who got all of them.
const BINS: usize = 10;
/// How many percent of the points one bar stands for.
const BIN_PERCENT: usize = 100 / BINS;
/// No more causes are shown of one test.
const MAX_CAUSES_PER_TEST: usize = 4;
/// No more names are shown of hand-ins that are alike.
const MAX_ALIKE: usize = 5;

#[derive(Template)]
#[template(path = "page.html", config = "src/batch/overview/askama.toml")]
struct OverviewPage<'a> {
    policy: String,
    style: String,
    script: &'static str,
    assignment: &'a str,
    summary: String,
    graded: usize,
    rows: Vec<Row>,
    bins: Vec<Count>,
    tests: Vec<TestCount>,
    causes: Vec<Count>,
    missing: Vec<String>,
}

struct Row {
    name: String,
    state: &'static str,
    points: String,
    /// The points in hundredths, by which rows are sorted: a browser compares whole numbers only.
    points_key: String,
    days_late: u32,
    last: String,
    last_key: String,
    letters: String,
    causes: String,
    /// Others whose hand-in is the same but for its names: a hint to look, and no verdict.
    like: String,
    /// Address and text of each report.
    links: Vec<(String, &'static str)>,
}

struct Count {
    name: String,
    count: usize,
}

struct TestCount {
    name: String,
    failed: usize,
    undecided: usize,
    /// What failed it how often, the most frequent first.
    causes: String,
}

/// The page. `has_file` says whether a file lies in the folder of results.
#[must_use]
pub fn page(book: &Gradebook<'_>, has_file: &dyn Fn(&str) -> bool) -> Vec<u8> {
    let graded: Vec<&HandInResult> =
        book.results.iter().filter(|it| it.state == ResultState::Graded).collect();
    let mut alike: BTreeMap<&str, Vec<&HandInResult>> = BTreeMap::new();
    for result in book.results.iter().filter(|it| !it.likeness.is_empty()) {
        alike.entry(&result.likeness).or_default().push(result);
    }
    let none = vec![];
    let mut rows: Vec<Row> = vec![];
    for result in book.results {
        let others = alike.get(result.likeness.as_str()).unwrap_or(&none);
        rows.push(row(book, result, others, has_file));
    }
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    let style = format!("{COLORS}{STYLE}");
    let page = OverviewPage {
        policy: content_policy(&style, SCRIPT),
        style,
        script: SCRIPT,
        assignment: book.assignment,
        summary: summary(book.results, book.missing.len()),
        graded: graded.len(),
        rows,
        bins: bins(&graded),
        tests: tests(&graded),
        causes: causes(&graded, |_| true),
        missing: book.missing.iter().map(|it| sanitize(&it.name)).collect(),
    };
    // Only a value whose own formatting fails could fail this, and there is none.
    page.render().unwrap_or_default().into_bytes()
}

/// How many hand-ins came to what, in a sentence.
#[must_use]
pub fn summary(results: &[HandInResult], missing: usize) -> String {
    let graded = results.iter().filter(|it| it.state == ResultState::Graded);
    let undecidable = graded.clone().filter(|it| it.is_undecidable()).count();
    let open = graded.clone().filter(|it| !it.is_decided()).count() - undecidable;
    let graded = graded.count();
    let held = results.len() - graded;
    let mut text = counted(graded, "hand-in is graded", "hand-ins are graded");
    let full = results.iter().filter(|it| it.is_decided() && it.points == it.possible).count();
    if full > 0 {
        text += ", ";
        text += &counted(full, "with all points", "with all points");
    }
    for (count, one, several) in [
        (open, "of them is undecided: grade it again", "of them are undecided: grade them again"),
        (
            undecidable,
            "of them is undecided, and would be again: its report says why",
            "of them are undecided, and would be again: their reports say why",
        ),
        (held, "is held for you to look at", "are held for you to look at"),
        (missing, "student handed in nothing", "students handed in nothing"),
    ] {
        if count > 0 {
            text += "; ";
            text += &counted(count, one, several);
        }
    }
    text + "."
}

fn row(
    book: &Gradebook<'_>,
    result: &HandInResult,
    alike: &[&HandInResult],
    has_file: &dyn Fn(&str) -> bool,
) -> Row {
    let is_graded = result.state == ResultState::Graded;
    let mut links = vec![];
    for (file, text) in [("report.html", "page"), ("report.txt", "text"), ("report.json", "JSON")] {
        let path = format!("{}/{file}", result.id);
        if has_file(&path) {
            links.push((path, text));
        }
    }
    let key = |points: Points| points.in_hundredths().to_string();
    let last = book.final_points(result);
    let shown =
        if is_graded { format!("{} of {}", result.points, result.possible) } else { String::new() };
    let others = alike.iter().filter(|it| it.id != result.id);
    let alike: Vec<&str> = others.map(|it| it.owner.name.as_str()).collect();
    let first = &alike[..alike.len().min(MAX_ALIKE)];
    Row {
        name: sanitize(&result.owner.name),
        state: state(result),
        points: shown,
        points_key: if is_graded { key(result.points) } else { String::new() },
        days_late: book.days_late(result),
        last: last.map(|it| it.to_string()).unwrap_or_default(),
        last_key: last.map(key).unwrap_or_default(),
        letters: result.letters.chars().filter(|it| "PFI-".contains(*it)).collect(),
        causes: sanitize(&result.why()),
        like: sanitize(&and_more(first, alike.len())),
        links,
    }
}

/// How many hand-ins got how many percent of the points.
fn bins(graded: &[&HandInResult]) -> Vec<Count> {
    let mut counts = [0; BINS + 1];
    for result in graded.iter().filter(|it| it.is_decided()) {
        let all = u64::from(result.possible.in_hundredths().max(1));
        let percent = u64::from(result.points.in_hundredths()) * 100 / all;
        let bin = usize::try_from(percent).unwrap_or(100) / BIN_PERCENT;
        counts[bin.min(BINS)] += 1;
    }
    let name = |at: usize| {
        let from = at * BIN_PERCENT;
        if at == BINS {
            "all".to_owned()
        } else {
            format!("{from} to {} %", from + BIN_PERCENT - 1)
        }
    };
    let bins = counts.iter().enumerate();
    bins.map(|(at, count)| Count { name: name(at), count: *count }).rev().collect()
}

fn tests(graded: &[&HandInResult]) -> Vec<TestCount> {
    let count = |at: usize, letter: char| {
        graded.iter().filter(|it| it.letters.chars().nth(at) == Some(letter)).count()
    };
    let tests = CHECKS.iter().enumerate();
    tests
        .map(|(at, check)| TestCount {
            name: format!("{} {}", check.test, check.title),
            failed: count(at, 'F'),
            undecided: count(at, 'I'),
            causes: in_words(&causes(graded, |it| it.tests.contains(&check.test))),
        })
        .collect()
}

/// `emptyDir instead of a PVC (3), container ends (1)`.
fn in_words(causes: &[Count]) -> String {
    let shown = causes.iter().take(MAX_CAUSES_PER_TEST);
    let mut words: Vec<String> = shown.map(|it| format!("{} ({})", it.name, it.count)).collect();
    if causes.len() > MAX_CAUSES_PER_TEST {
        words.push(counted(causes.len() - MAX_CAUSES_PER_TEST, "other", "others"));
    }
    words.join(", ")
}

/// The kinds of these causes and how many hand-ins have them, the most frequent first.
fn causes(graded: &[&HandInResult], is_meant: impl Fn(&ResultCause) -> bool) -> Vec<Count> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for result in graded {
        let kinds = result.causes.iter().filter(|it| is_meant(it)).map(|it| kind(&it.id));
        for kind in kinds.collect::<BTreeSet<String>>() {
            *counts.entry(kind).or_default() += 1;
        }
    }
    let mut causes: Vec<Count> =
        counts.into_iter().map(|(name, count)| Count { name, count }).collect();
    causes.sort_by_key(|it| std::cmp::Reverse(it.count));
    causes
}

/// The kind of a cause in a few words, whatever its object is called: of a mistake or a check its
/// title, of an obstacle its id.
fn kind(id: &str) -> String {
    if let Some(mistake) = mistakes::find(id) {
        return mistake.title.to_owned();
    }
    let check = CHECKS.iter().find(|it| it.id == id);
    check.map_or_else(|| sanitize(&id.replace('_', " ")), |it| it.title.to_owned())
}

#[cfg(test)]
mod page_tests;
