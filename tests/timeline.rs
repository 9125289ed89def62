//! The timeline as it is shown: as text, as a picture, and within the HTML page.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use checks::model::{Timeline, observation};
use serde_json::{Value, json};
use stsgrade::{
    console::terminal::TermStyle,
    recording::{self, Reader},
    report::{
        Format, Report, Source, StandingName,
        drawing::{Bar, BarState, Drawing, GapSpan, Lane, LaneKind, ScaleMark, Segment, StepSpan},
        text_lanes,
    },
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
    let results: Value = serde_json::from_str(&results).unwrap();
    let picture = STANDARD.encode(page(Format::Svg, &report, &timeline));
    let url = format!("data:image/svg+xml;base64,{picture}");
    assert_eq!(results["images"], json!([{"label": "timeline", "url": url}]));
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

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A drawing of nothing, a minute long.
fn minute() -> Drawing {
    Drawing { length: 60 * NANOS_PER_SECOND, ..Drawing::so_far(&Timeline::default()) }
}

fn scale(at: u64, to: i32) -> ScaleMark {
    ScaleMark { text: format!("0 → {to}"), at, seq: 1 }
}

fn lane(kind: LaneKind, name: &str, lives: &[(u64, u64)]) -> Lane {
    let bar = |&(from, until): &(u64, u64)| Bar {
        id: name.to_owned(),
        title: name.to_owned(),
        segments: vec![Segment {
            state: BarState::Ready,
            from: from * NANOS_PER_SECOND,
            until: until * NANOS_PER_SECOND,
        }],
        facts: vec![],
        from_before: false,
        to_the_end: false,
    };
    Lane { kind, name: name.to_owned(), bars: lives.iter().map(bar).collect() }
}

fn minute_with(lanes: Vec<Lane>) -> Drawing {
    Drawing { lanes, ..minute() }
}

fn plain(drawing: &Drawing) -> String {
    text_lanes::page(drawing, TermStyle::PLAIN)
}

/// Catches two changes of `spec.replicas` that read as one number, and one that the edge cuts off.
#[test]
fn changes_of_replicas_stay_apart() {
    let changes = [(1000, 3), (20_000, 5), (21_000, 3), (22_000, 5), (59_500, 10)];
    let scales = changes.map(|(at, to)| scale(at * NANOS_PER_SECOND / 1000, to)).to_vec();
    let told = plain(&Drawing { scales, ..minute() });
    let first = format!("spec.replicas   3{}5 5{}10\n", " ".repeat(19), " ".repeat(39));
    let rows = format!("{first}{}3\n", " ".repeat(37));
    assert!(told.contains(&rows), "{told}");
}

/// Catches steps, changes and ordinals that are missing in the lanes without a word.
#[test]
fn what_has_no_room_is_counted() {
    let step = |number| StepSpan {
        number,
        text: "scale up".to_owned(),
        trouble: None,
        from: NANOS_PER_SECOND * u64::try_from(number).unwrap(),
        until: NANOS_PER_SECOND * u64::try_from(number + 1).unwrap(),
    };
    let drawing = Drawing {
        steps: (1..=40).map(step).collect(),
        scales: (0..6).map(|to| scale(NANOS_PER_SECOND, to)).collect(),
        marks_left_out: 1,
        ordinals_left_out: 40,
        ..minute()
    };
    let told = plain(&drawing);
    // 5 steps of 40, 2 changes of 6, and the 1 that the drawing leaves out.
    assert!(told.ends_with("\n\nNot drawn: 40 ordinals, 8 steps and changes.\n"), "{told}");
    assert!(!plain(&minute()).contains("Not drawn"));
    let pods = (0..110).map(|it| lane(LaneKind::Pod, &format!("web-{it}"), &[(0, 60)])).collect();
    let lanes = Drawing { ordinals_left_out: 40, ..minute_with(pods) };
    let shown = text_lanes::growing(&lanes, TermStyle::PLAIN, 13);
    assert_eq!(shown[1], "(100 lower and 40 higher ordinals are not shown)");
    assert!(shown[2].starts_with("web-100 "), "{shown:#?}");
}

/// Catches lanes of a set with a long name that all have the same label.
#[test]
fn a_long_name_keeps_its_ordinal() {
    let mut lanes = vec![];
    for ordinal in 0..5 {
        let pod = format!("postgres-primary-database-{ordinal}");
        lanes.push(lane(LaneKind::Pod, &pod, &[(0, 60)]));
        lanes.push(lane(LaneKind::Claim, &format!("data-{pod}"), &[(0, 60)]));
    }
    let drawing = minute_with(lanes);
    let (page, live) = (plain(&drawing), text_lanes::growing(&drawing, TermStyle::PLAIN, 24));
    for ordinal in 0..5 {
        let pod = format!("postgr…ry-database-{ordinal} ");
        let claim = format!("  data-p…ry-database-{ordinal} ");
        for label in [&pod, &claim] {
            let count = page.lines().filter(|it| it.starts_with(label.as_str())).count();
            assert_eq!(count, 1, "{label}: {page}");
        }
        assert!(live.iter().any(|it| it.starts_with(&pod)), "{live:#?}");
    }
}

/// Catches a gap that hides that a pod was replaced in it, or before it.
#[test]
fn a_gap_does_not_hide_the_next_life() {
    for lives in [[(4, 20), (20, 60)], [(4, 5), (20, 60)]] {
        let gap = GapSpan {
            kind: observation::Kind::Pod,
            text: "the watch on pods has a gap".to_owned(),
            from: 5 * NANOS_PER_SECOND,
            until: 20 * NANOS_PER_SECOND + 1,
        };
        let pods = vec![lane(LaneKind::Pod, "web-1", &lives)];
        let told = plain(&Drawing { gaps: vec![gap], ..minute_with(pods) });
        let row = told.lines().find(|it| it.starts_with("web-1 ")).unwrap();
        assert!(row.contains("=????????????????|=") && told.contains("| a next life"), "{told}");
    }
    // Time without a pod shows by itself that the next pod is another.
    let told = plain(&minute_with(vec![lane(LaneKind::Pod, "web-1", &[(4, 5), (20, 60)])]));
    assert!(!told.contains('|'), "{told}");
}

/// A Ready or a running pod as a line of a recording has it.
fn pod(change: &str, ordinal: u8, uid: &str, ready: bool) -> Value {
    let owner = json!({"kind": "StatefulSet", "name": "web", "uid": "s", "controller": true});
    let metadata =
        json!({"name": format!("web-{ordinal}"), "uid": uid, "ownerReferences": [owner]});
    let ready = json!({"type": "Ready", "status": if ready { "True" } else { "False" }});
    let status = json!({
        "phase": "Running",
        "conditions": [ready],
        "containerStatuses": [{"name": "c", "ready": true, "state": {"running": {}}}],
    });
    let spec = json!({"containers": [{"name": "c"}]});
    let pod = json!({"metadata": metadata, "spec": spec, "status": status});
    json!({"change": change, "object": {"Pod": pod}})
}

/// The drawing of these lines, each by its second, behind those of a set.
fn drawn_of(lines: &[(u64, Value)]) -> Drawing {
    let set = json!({
        "metadata": {"name": "web", "uid": "s", "resourceVersion": "1", "generation": 1},
        "spec": {"replicas": 2, "serviceName": "web", "selector": {}, "template": {}},
        "status": {"observedGeneration": 1},
    });
    let subject = json!({"namespace": "lab", "statefulSet": {"name": "web", "uid": "s"}});
    let mut all = vec![
        (1, json!({"change": "added", "object": {"StatefulSet": set}})),
        (2, json!({"subject": subject})),
    ];
    all.extend_from_slice(lines);
    let mut text = json!({
        "format": "stsgrade-recording", "version": 1, "minor": 3, "tool": "0.1.0",
        "cluster": "v1.34.4", "namespace": "lab", "startedAt": "2026-11-23T08:02:46Z",
        "asked": {"command": "grade"},
    })
    .to_string();
    for (place, (second, mut line)) in all.into_iter().enumerate() {
        line["seq"] = json!(place + 1);
        line["at"] = json!(second * NANOS_PER_SECOND);
        text.push('\n');
        text.push_str(&line.to_string());
    }
    text.push('\n');
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("recording.jsonl"), text).unwrap();
    let (report, timeline) = drawn(home.path());
    Drawing::of(&timeline, &report)
}

fn facts<'d>(drawing: &'d Drawing, name: &str, life: usize) -> Vec<(&'static str, &'d str)> {
    let lane = drawing.lanes.iter().find(|it| it.name == name).unwrap();
    lane.bars[life].facts.iter().map(|it| (it.label, it.value.as_str())).collect()
}

/// Catches a time that is told as exact although a gap hides it, and a deletion that nobody saw
/// requested.
#[test]
fn what_a_gap_hides_has_no_exact_time() {
    let drawing = drawn_of(&[
        (3, pod("added", 0, "p0", true)),
        (4, pod("added", 1, "p1", true)),
        (20, json!({"gap": {"kind": "Pod", "reason": "old", "lastSure": 4, "vanished": ["p1"]}})),
        (20, pod("listed", 0, "p0", true)),
        (20, pod("listed", 1, "p1-next", false)),
        (30, pod("deleted", 1, "p1-next", false)),
        (60, json!({"end": {"why": "complete"}})),
    ]);
    let went = [
        ("Added", "4.0 s (line 5)"),
        ("Ready", "4.0 s (line 5)"),
        ("Gone", "not later than 20.0 s (line 6)"),
        ("Restarts", "0"),
        ("UID", "p1"),
    ];
    assert_eq!(facts(&drawing, "web-1", 0), went);
    let came = [
        ("Added", "not later than 20.0 s (line 8)"),
        ("Running", "not later than 20.0 s (line 8)"),
        ("Ready", "never"),
        ("Gone", "30.0 s (line 9)"),
        ("Restarts", "0"),
        ("UID", "p1-next"),
    ];
    assert_eq!(facts(&drawing, "web-1", 1), came);
}
