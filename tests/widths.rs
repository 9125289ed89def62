//! The text report of every fixture at several widths: prose stays within the width, and what is
//! meant to be copied is never broken.

use std::collections::BTreeSet;

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

/// Whether it is a line of a manifest.
fn is_of(line: &str, code: &BTreeSet<String>) -> bool {
    code.iter().any(|it| !it.contains("kubectl ") && line.ends_with(it.as_str()))
}

/// The lines, with those that a shell takes for one as one.
fn as_a_shell_reads(page: &str) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    let mut goes_on = false;
    for line in page.lines() {
        let part = line.strip_suffix(" \\");
        match lines.last_mut() {
            Some(last) if goes_on => *last += &format!(" {}", part.unwrap_or(line).trim_start()),
            _ => lines.push(part.unwrap_or(line).to_owned()),
        }
        goes_on = part.is_some();
    }
    lines
}

/// Whether it is a line of a command that is too long for one line: of one word.
fn is_one_word(line: &str) -> bool {
    let line = line.strip_suffix(" \\").unwrap_or(line);
    line.starts_with("               ") && !line.trim_start().contains(' ')
}

fn text(report: &Report, width: usize, verbose: bool) -> String {
    let timeline = Timeline::default();
    let result = RunResult::Judged { report, timeline: &timeline };
    let style = TermStyle { width, colour: false };
    let view = View { style, verbose, ..View::plain(result) };
    String::from_utf8(render(Format::Text, &view)).unwrap()
}

/// The lines of a cause that are meant to be copied.
fn code(cause: &Cause) -> BTreeSet<String> {
    let mut code: BTreeSet<String> = cause.commands.iter().chain(&cause.see).cloned().collect();
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
                let is_manifest = line.starts_with("      ") && is_of(line, &code);
                let is_whole = WHOLE.iter().any(|it| line.starts_with(it));
                let columns = line.chars().count();
                let fits = columns <= width || is_manifest || is_whole || is_one_word(line);
                assert!(fits, "{} at {width}: {columns} columns: {line}", case.name);
                wrapped += usize::from(columns + 12 > width);
            }
            let lines = as_a_shell_reads(&page);
            for line in &code {
                let is_there = lines.iter().any(|it| it.ends_with(line.as_str()));
                assert!(is_there, "{} at {width}: {line:?} is broken in\n{page}", case.name);
            }
            pasted += code.len();
        }
    }
    assert!(wrapped > 1000 && pasted > 1000, "{wrapped} long lines, {pasted} lines of code");
}
