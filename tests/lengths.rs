//! How long a report is: one that is long is not read.

use std::fs;

use checks::model::Timeline;
use stsgrade::{
    LAB_NAMESPACE,
    console::terminal::TermStyle,
    recording::{self, Folded, Reader},
    report::{Format, Report, RunResult, Source},
};

use crate::{
    fixtures::{Case, Kind, cases},
    followed::printed_of,
    printed::FILE,
    report::styled,
};

/// The most lines of a report with so many causes, at 80 columns, besides the line that says that a
/// file was judged.
const MAX_LINES: [usize; 2] = [33, 45];

/// The most lines on average.
const MAX_LINES_ON_AVERAGE: [usize; 2] = [27, 43];

/// Reports that may be longer: all lines that go or come must be shown.
const LONGER: [(&str, usize); 3] =
    [("ephemeral_claims_that_die_with_the_pod", 36), ("generic_ephemeral", 37), ("deployment", 39)];

/// The report on the lab's own mistake.
const LAB: &str = "identity_persistence/overwrite";
/// The most lines of that report.
const MOST_LINES_OF_LAB: usize = 30;

fn failing() -> Vec<Case> {
    let (cases, _) = cases();
    cases.into_iter().filter(|it| matches!(it.kind, Kind::Fail(_))).collect()
}

/// A recording, as if it was made where a student works: in the lab's namespace, of a file beside the
/// grader.
fn folded(case: &Case) -> Folded {
    let text = fs::read_to_string(case.folder.join("recording.jsonl")).unwrap();
    let name = case.folder.file_name().unwrap().to_str().unwrap();
    let namespace = format!("fixture-{}", name.replace('_', "-"));
    let text = text.replace(&namespace, LAB_NAMESPACE);
    let text = text.replace(&format!("fixtures/{}/submission.yaml", case.name), FILE);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    Reader::open(file.path()).and_then(recording::fold).unwrap()
}

/// The report as it is printed of a recording.
fn judged(case: &Case) -> String {
    let folded = folded(case);
    let source = Source::of(&folded.header, folded.digest);
    let report = Report::of(&source, &folded.timeline);
    let result = RunResult::Judged { report: &report, timeline: &Timeline::default() };
    styled(Format::Text, result, TermStyle::PLAIN)
}

/// The report as `grade -f` prints it.
fn graded(case: &Case) -> String {
    let text = fs::read_to_string(case.folder.join("submission.yaml")).unwrap();
    printed_of(folded(case), &text)
}

fn lines(page: &str) -> usize {
    page.lines().filter(|it| !it.starts_with("Judged from")).count()
}

fn causes(page: &str) -> usize {
    page.lines()
        .filter(|it| it.split_once(". ").is_some_and(|(it, _)| it.parse::<u8>().is_ok()))
        .count()
}

/// Catches a report of the lab's own section 1 that is too long to be read, with the file and without.
#[test]
fn the_labs_own_mistake_is_told_in_thirty_lines() {
    let case = failing().into_iter().find(|it| it.name.ends_with(LAB)).unwrap();
    for page in [judged(&case), graded(&case)] {
        assert!(page.starts_with("80 of 100") && page.contains("you did what the lab"), "{page}");
        assert!(lines(&page) <= MOST_LINES_OF_LAB, "{} lines:\n{page}", lines(&page));
    }
    let page = graded(&case);
    // The place, and no line that only tells where it is.
    assert!(page.contains("lab3.yaml:39, spec.template.spec.containers[0].command:"), "{page}");
    assert!(!page.contains("        template:"), "{page}");
}

/// Catches a kind of report that says something twice, or tells at length what a line can.
#[test]
fn a_cause_is_told_in_some_thirty_lines_and_two_in_some_forty() {
    let (mut wrong, mut told) = (String::new(), [0; MAX_LINES.len()]);
    let mut all_lines = [0; MAX_LINES.len()];
    let mut needed: Vec<(&str, usize)> = vec![];
    for case in failing() {
        for page in [judged(&case), graded(&case)] {
            let causes = causes(&page);
            assert!((1..=told.len()).contains(&causes), "{}: {causes} causes\n{page}", case.name);
            told[causes - 1] += 1;
            all_lines[causes - 1] += lines(&page);
            let longer = LONGER.iter().find(|(name, _)| case.name.ends_with(name));
            if longer.is_some() && lines(&page) > MAX_LINES[causes - 1] {
                needed.extend(longer);
            }
            if lines(&page) > longer.map_or(MAX_LINES[causes - 1], |(_, lines)| *lines) {
                wrong += &format!("== {}: {} lines\n{page}\n", case.name, lines(&page));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let needless: Vec<_> = LONGER.iter().filter(|it| !needed.contains(*it)).collect();
    assert!(needless.is_empty(), "no longer too long: {needless:?}");
    assert!(told[0] > 100 && told[1] > 3, "{told:?}");
    for ((told, lines), most) in told.iter().zip(all_lines).zip(MAX_LINES_ON_AVERAGE) {
        assert!(lines <= most * told, "{told} reports have {lines} lines");
    }
}
