//! The timeline as it is shown: as text, as a picture, and within the HTML page.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use checks::model::Timeline;
use stsgrade::{
    console::terminal::TermStyle,
    recording::{self, Reader},
    report::{Format, Report, Source, StandingName, drawing::Drawing, text_lanes},
};
use tempfile::TempDir;

use crate::{cli::stsgrade, fixtures::cases, report::page};

/// The report and the history of a fixture's recording.
fn drawn(folder: &Path) -> (Report, Timeline) {
    let file = folder.join("recording.jsonl");
    let folded = Reader::open(&file).and_then(recording::fold).unwrap();
    let source = Source::of(&folded.header, folded.digest.clone());
    (Report::of(&source, &folded.timeline), folded.timeline)
}

fn fixture(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(case)
}

fn text(case: &str, style: TermStyle) -> String {
    let (report, timeline) = drawn(&fixture(case));
    text_lanes::page(&Drawing::of(&timeline, &report), style)
}

#[test]
fn lanes_as_text() {
    for case in
        ["fail/sequential_creation/parallel", "inconclusive/sequential_creation/gap_at_creation"]
    {
        insta::assert_snapshot!(case.replace('/', "-"), text(case, TermStyle::PLAIN));
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let case = "fail/sequential_creation/parallel";
    let coloured = text(case, TermStyle { colour: true, ..TermStyle::PLAIN });
    let bare = ["0", "1", "31", "32", "33"]
        .iter()
        .fold(coloured.clone(), |text, code| text.replace(&format!("\x1b[{code}m"), ""));
    assert_eq!(bare, text(case, TermStyle::PLAIN));
    assert!(coloured.contains("\x1b[32m="));
}

#[test]
fn a_picture_and_a_page() {
    let (report, timeline) = drawn(&fixture("fail/sequential_creation/parallel"));
    insta::assert_snapshot!("parallel_svg", page(Format::Svg, &report, &timeline));
    insta::assert_snapshot!("parallel_html", page(Format::Html, &report, &timeline));
}

/// Catches a platform that shows no picture, or another one.
#[test]
fn prairielearn_gets_the_picture() {
    let (report, timeline) = drawn(&fixture("pass/append"));
    let results = page(Format::Prairielearn, &report, &timeline);
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    let picture = STANDARD.encode(page(Format::Svg, &report, &timeline));
    let url = format!("data:image/svg+xml;base64,{picture}");
    assert_eq!(results["images"], serde_json::json!([{"label": "timeline", "url": url}]));
}

#[test]
fn the_command_prints_the_lanes() {
    let (home, recording) = (TempDir::new().unwrap(), fixture("pass/append/recording.jsonl"));
    let ran = stsgrade(&home).arg("timeline").arg(recording).assert().success();
    let told = String::from_utf8(ran.get_output().stdout.clone()).unwrap();
    assert_eq!(told, text("pass/append", TermStyle::PLAIN));
    assert!(!told.contains('\x1b') && told.lines().any(|line| line.starts_with("web-4 ")));
}

/// The history of a fixture up to each of its lines.
fn growing(case: &str, style: TermStyle, rows: usize) -> Vec<String> {
    let mut reader = Reader::open(&fixture(case).join("recording.jsonl")).unwrap();
    let (mut timeline, mut shown) = (Timeline::default(), vec![]);
    while let Some(line) = reader.next().unwrap() {
        timeline.push(&line);
        shown.push(text_lanes::growing(&Drawing::so_far(&timeline), style, rows).join("\n"));
    }
    shown
}

/// Catches lanes that jump: a lane only grows, but where its scale changes.
#[test]
fn lanes_grow_while_a_grade_runs() {
    let shown = growing("pass/append", TermStyle::PLAIN, 24);
    let some = [40, 90, 150, shown.len() - 1].map(|it| &*shown[it]);
    insta::assert_snapshot!("growing", some.join("\n\n"));
    let times = |page: &str| page.lines().next().map(str::to_owned);
    let lane = |page: &str| page.lines().find(|it| it.starts_with("web-0 ")).map(str::to_owned);
    let mut compared = 0;
    for (before, after) in shown.iter().zip(&shown[1..]) {
        if let (Some(old), Some(new)) = (lane(before), lane(after))
            && times(before) == times(after)
        {
            // Only the newest column may still change.
            let sure = old.chars().count() - 1;
            assert!(new.starts_with(&old[..sure]), "{before}\n{after}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

/// Catches lines that scroll the screen away.
#[test]
fn lanes_that_grow_fit_the_terminal() {
    for case in ["pass/append", "fail/sequential_creation/parallel"] {
        for (width, rows) in [(30, 4), (59, 6), (79, 24), (119, 50)] {
            let style = TermStyle { width, colour: false };
            for page in growing(case, style, rows) {
                let widest = page.lines().map(|it| it.chars().count()).max().unwrap_or(0);
                let count = page.lines().count();
                assert!(widest <= width && count <= rows, "{width}, {rows}: {page}");
            }
        }
    }
}

/// The values of an attribute, in order.
fn values<'p>(page: &'p str, attribute: &str) -> Vec<&'p str> {
    let begin = format!(" {attribute}=\"");
    page.split(begin.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Catches a finding that leads nowhere, two places of one name, and a line that is too wide, in
/// every fixture.
#[test]
fn every_finding_has_its_place() {
    let (mut arrows, mut gaps) = (0, 0);
    for case in cases().0 {
        let (report, timeline) = drawn(&case.folder);
        let html = page(Format::Html, &report, &timeline);
        let ids = values(&html, "id");
        let known: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), known.len(), "{}: an id stands twice", case.name);
        for link in values(&html, "href") {
            let is_known = link.strip_prefix('#').is_some_and(|it| known.contains(it));
            assert!(is_known, "{}: {link} leads nowhere", case.name);
        }
        let evidence = report.checks.iter().flat_map(|it| &it.criteria);
        for seq in evidence.flat_map(|it| &it.evidence) {
            assert!(known.contains(format!("line-{}", seq + 1).as_str()), "{}: {seq}", case.name);
        }
        let drawing = Drawing::of(&timeline, &report);
        let broken = report.checks.iter().flat_map(|it| &it.criteria).filter(|it| {
            it.standing == StandingName::Broken
                && ["ready_before_next", "gone_before_next"].contains(&it.id)
        });
        assert_eq!(drawing.arrows.len(), broken.count(), "{}: too early", case.name);
        (arrows, gaps) = (arrows + drawing.arrows.len(), gaps + drawing.gaps.len());
        let text = text_lanes::page(&drawing, TermStyle::PLAIN);
        let wide = text.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{}", case.name);
    }
    assert!(arrows > 5 && gaps > 3, "{arrows} arrows, {gaps} gaps: nothing was drawn");
}
