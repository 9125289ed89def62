//! The text report of every fixture at several widths: prose stays within the width, and what is
//! meant to be copied is never broken.

use std::{collections::BTreeSet, path::Path};

use checks::model::Timeline;
use stsgrade::{
    console::terminal::TermStyle,
    recording::{self, Reader},
    report::{Cause, Format, Report, RunResult, Source, View, render},
};

use crate::fixtures::cases;

/// The narrowest, the usual, and the widest that text is laid out for.
const WIDTHS: [usize; 3] = [60, 80, 120];

/// Lines that are no prose, whatever the report: a digest is copied whole, too.
const WHOLE: [&str; 2] = ["digest ", "stsgrade "];

fn text(report: &Report, width: usize, verbose: bool) -> String {
    let timeline = Timeline::default();
    let result = RunResult::Judged { report, timeline: &timeline };
    let style = TermStyle { width, colour: false };
    let view = View { style, verbose, ..View::plain(result) };
    String::from_utf8(render(Format::Text, &view)).unwrap()
}

/// The lines of a cause that are meant to be copied.
fn code(cause: &Cause) -> BTreeSet<String> {
    let mut code: BTreeSet<String> =
        cause.commands.iter().chain(&cause.see).map(|it| it.trim().to_owned()).collect();
    for change in &cause.changes {
        code.extend(change.lines.iter().map(|it| it.text.trim().to_owned()));
    }
    if let Some(example) = &cause.example {
        let lines = example.before.lines().chain(example.after.lines());
        code.extend(lines.map(|it| it.trim().to_owned()));
    }
    code.retain(|it| !it.is_empty());
    code
}

/// Catches a report of the lab's own section 1 that is too long to be read: the lab's mistake is told in
/// 30 lines, besides the one that says that a file was judged.
#[test]
fn the_labs_own_mistake_is_told_in_thirty_lines() {
    let file = Path::new("fixtures/fail/identity_persistence/overwrite/recording.jsonl");
    let folded = Reader::open(file).and_then(recording::fold).unwrap();
    let report = Report::of(&Source::of(&folded.header, folded.digest.clone()), &folded.timeline);
    let page = text(&report, 80, false);
    let lines = page.lines().filter(|it| !it.starts_with("Judged from")).count();
    assert!(page.starts_with("80 of 100") && page.contains("you did what the lab"), "{page}");
    assert!(lines <= 30, "{lines} lines:\n{page}");
}

#[test]
fn every_report_fits_its_width() {
    let (mut wrapped, mut pasted) = (0, 0);
    for case in cases().0 {
        let folded =
            Reader::open(&case.folder.join("recording.jsonl")).and_then(recording::fold).unwrap();
        let source = Source::of(&folded.header, folded.digest.clone());
        let report = Report::of(&source, &folded.timeline);
        let code: BTreeSet<String> = report.causes.iter().flat_map(code).collect();
        for (width, verbose) in WIDTHS.iter().flat_map(|it| [(*it, false), (*it, true)]) {
            let page = text(&report, width, verbose);
            for line in page.lines() {
                let is_code = code.iter().any(|it| line.ends_with(it.as_str()));
                let is_whole = WHOLE.iter().any(|it| line.starts_with(it));
                let columns = line.chars().count();
                let fits = columns <= width || is_code || is_whole;
                assert!(fits, "{} at {width}: {columns} columns: {line}", case.name);
                wrapped += usize::from(columns + 12 > width);
            }
            for line in &code {
                let is_there = page.lines().any(|it| it.ends_with(line.as_str()));
                assert!(is_there, "{} at {width}: {line:?} is broken in\n{page}", case.name);
            }
            pasted += code.len();
        }
    }
    assert!(wrapped > 1000 && pasted > 1000, "{wrapped} long lines, {pasted} lines of code");
}
