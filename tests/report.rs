//! One sample report through every format, in the words that a student reads.

use crate::cli::{NOTHING, run};
use checks::mistakes;
use checks::model::{Effect, Fault, Obstacle, Standing, Timeline, Verdict};
use clap::ValueEnum as _;
use stsgrade::{
    console::terminal::TermStyle,
    remedy::flags::Flags,
    report::{Format, Kept, Origin, Points, Problem, Report, RunResult, Source, View, render},
};

use crate::formats::assert_well_formed;

/// Every format there is: a new one is in every test below.
pub(crate) fn formats() -> impl Iterator<Item = (String, Format)> {
    Format::value_variants()
        .iter()
        .filter_map(|format| Some((format.to_possible_value()?.get_name().to_owned(), *format)))
}

/// The document of a report in a format.
pub(crate) fn page(format: Format, report: &Report, timeline: &Timeline) -> String {
    styled(format, RunResult::Judged { report, timeline }, TermStyle::PLAIN)
}

pub(crate) fn styled(format: Format, result: RunResult<'_>, style: TermStyle) -> String {
    String::from_utf8(render(format, &View { style, ..View::plain(result) })).unwrap()
}

fn source() -> Source {
    Source {
        keeps_programs: true,
        is_by_hand: false,
        is_isolated: false,
        cleanup: false,
        digest: "sha256:0000".to_owned(),
        cluster: "v1.36.0".to_owned(),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        namespace: "statefulset-lab".to_owned(),
        files: vec!["lab3.yaml".to_owned()],
        objects: vec![],
        flags: Flags::default(),
        origin: Origin::Grade,
        kept: Kept::Newest,
    }
}

/// Every standing once, hostile words among them.
pub(crate) fn sample() -> Report {
    let pass = |text: &str| {
        let mut verdict = Verdict::default();
        verdict.push("sample", text, Standing::Met, [1]);
        verdict
    };
    let overwritten = |text: &str| {
        let mut verdict = pass("web-1 has the PVC that it had");
        let actual =
            "the file index.html of web-1 says \"Pod: web-1 04:12:09\" 31.2 s after the start";
        verdict
            .push(
                "content",
                text,
                Standing::broken("\"Pod: web-1 04:11:38\", as before", actual),
                [31, 47],
            )
            .because(&mistakes::OVERWRITTEN_AT_START);
        verdict
    };
    let broken = |count: u64| {
        let mut verdict = Verdict::default();
        for pod in 1..=count {
            let actual = format!("web-{pod} was added 2.1 s before web-{} was Ready", pod - 1);
            verdict.push(
                "order",
                format!("web-{pod} is added after web-{} is Ready", pod - 1),
                Standing::broken("one at a time, in order", actual),
                [pod, pod + 1, 90, 91, 92],
            );
        }
        verdict
    };
    let blocked = |fault| {
        let obstacle = Obstacle {
            id: "container_ends",
            who: "web-1".to_owned(),
            ordinal: Some(1),
            fault,
            why: "container app ended with exit status 1 for the fifth time\u{1b}[2J".to_owned(),
            effect: Effect::CrashLoop,
            mistake: None,
            container: None,
            missing: None,
            log: vec![
                "mkdir: can't create directory '/data/id': File exists".to_owned(),
                "\u{202e}::set-env name=X::y".to_owned(),
            ],
            remedy: "The container's command ends, so the pod never stays Ready. A start-up \
                command must also work on a volume that is not empty any more.",
            evidence: vec![61],
        };
        let mut verdict = Verdict::default();
        verdict.push("reached", "pods were seen to be added", Standing::Blocked(obstacle), []);
        verdict
    };
    let mut unseen = pass("web-0 is Ready");
    unseen.push(
        "dns",
        "web-0.web resolves",
        Standing::unseen("no container of the set has a shell to ask from"),
        [],
    );
    let mut not_shown = Verdict::default();
    not_shown.push(
        "scale_down",
        "pods were seen to be removed",
        Standing::NotShown {
            why: "nobody scaled the set down".to_owned(),
            next: "scale the set down while it is recorded".to_owned(),
        },
        [],
    );
    let verdicts = [
        pass("web-0, web-1 and web-2 are there"),
        broken(5),
        pass("each pod has its own PVC"),
        pass("each pod's content names it"),
        unseen,
        overwritten("web-1's original content is there"),
        blocked(Fault::Submission),
        not_shown,
        pass("every PVC stayed"),
        overwritten("web-2's original content is there"),
    ];
    Report::new(&source(), &Timeline::default(), &verdicts)
}

fn as_text(look: TermStyle) -> String {
    let (report, timeline) = (sample(), Timeline::default());
    styled(Format::Text, RunResult::Judged { report: &report, timeline: &timeline }, look)
}

#[test]
fn text_at_80_columns() {
    let text = as_text(TermStyle::PLAIN);
    // Lines of a manifest are never broken, and still stay below 100.
    let is_code = |line: &str| {
        line.contains("kubectl ") || ["      - ", "      + "].iter().any(|it| line.starts_with(it))
    };
    assert!(
        text.lines().all(|line| line.chars().count() <= if is_code(line) { 99 } else { 80 }),
        "{text}"
    );
}

#[test]
fn text_is_bounded_at_any_width() {
    for width in [60, 72, 120] {
        let text = as_text(TermStyle { width, colour: false });
        // The table, code, commands and digests are not prose.
        let is_prose = |line: &&str| {
            let code = ["      - ", "      + ", "        "];
            !line.contains("kubectl ") && !code.iter().any(|it| line.starts_with(it))
                || line.starts_with("             ") && !line.contains("kubectl ")
        };
        let longest = text.lines().filter(is_prose).map(|line| line.chars().count()).max();
        assert!(longest.is_some_and(|it| it <= width && it > width / 2), "{width}: {text}");
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let coloured = as_text(TermStyle { colour: true, ..TermStyle::PLAIN });
    assert!(coloured.contains('\x1b'));
    let bare = ["0", "1", "31", "32", "33"]
        .iter()
        .fold(coloured, |text, code| text.replace(&format!("\x1b[{code}m"), ""));
    assert_eq!(bare, as_text(TermStyle::PLAIN));
}

/// A report of ten tests that all stand so.
pub(crate) fn uniform(standing: &Standing) -> Report {
    let mut verdict = Verdict::default();
    verdict.push("sample", "web-0 is Ready", standing.clone(), [1]);
    Report::new(&source(), &Timeline::default(), &std::array::from_fn(|_| verdict.clone()))
}

pub(crate) fn failed() -> Problem {
    let mut problem = Problem::new(
        "no_server",
        "cannot reach the API server at https://127.0.0.1:6443",
        "Start the cluster, and grade again.",
    );
    problem.detail = vec!["connection refused, <b>100%</b>".to_owned()];
    problem
}

/// The sample, and why there is no report, in one snapshot for each format.
#[test]
fn every_format() {
    for (name, format) in formats() {
        insta::assert_snapshot!(
            format!("sample_{name}"),
            page(format, &sample(), &Timeline::default())
        );
        let problem = |it: &Problem| styled(format, RunResult::NotGraded(it), TermStyle::PLAIN);
        insta::assert_snapshot!(
            format!("not_graded_{name}"),
            format!("{}\n----\n{}", problem(&failed()), problem(&Problem::not_finished()))
        );
    }
}

/// Catches a format by which an edited recording passes for a grade's own.
#[test]
fn each_format_says_that_a_file_was_judged() {
    let own = sample();
    let mut judged = own.clone();
    judged.recording.origin = Origin::File(stsgrade::recording::signature::Signed::Absent);
    for (name, format) in formats() {
        let words = if name == "json" { "\"from\": \"file\"" } else { "Judged from a recording" };
        for (report, is_told) in [(&judged, true), (&own, false)] {
            let page = page(format, report, &Timeline::default());
            assert_eq!(page.contains(words), is_told, "{name}:\n{page}");
            assert_well_formed(format, &page, Some(report));
        }
    }
}

/// Catches a hint to `stsgrade show -v` where that would show another recording, or none.
#[test]
fn the_text_names_where_its_recording_is() {
    let cases = [
        (Kept::Newest, "More: `stsgrade show -v`, `stsgrade explain"),
        (
            Kept::File("a b.jsonl".to_owned()),
            "More: `stsgrade show -v 'a b.jsonl'`, `stsgrade explain",
        ),
        (Kept::Named, "More: the same with `-v`, `stsgrade explain"),
        (Kept::Nowhere, "More: `stsgrade explain"),
    ];
    for (kept, hint) in cases {
        let mut report = sample();
        report.recording.kept = kept;
        let text = page(Format::Text, &report, &Timeline::default());
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(hint), "{hint}: {text}");
    }
}

/// Catches a format that shows a lost test and an undecided one alike, or hides an error.
#[test]
fn every_format_tells_the_results_apart() {
    let (pass, fail, undecided) = (
        uniform(&Standing::Met),
        uniform(&Standing::broken("yes", "no")),
        uniform(&Standing::unseen("nobody looked")),
    );
    for (name, format) in formats() {
        let judged = [&pass, &fail, &undecided].map(|it| page(format, it, &Timeline::default()));
        let problems = [failed(), Problem::not_finished()];
        let problem = |it| styled(format, RunResult::NotGraded(it), TermStyle::PLAIN);
        for (page, report) in judged.iter().zip([&pass, &fail, &undecided]) {
            assert_well_formed(format, page, Some(report));
        }
        problems.iter().for_each(|it| assert_well_formed(format, &problem(it), None));
        let pages: Vec<String> = judged.into_iter().chain(problems.iter().map(problem)).collect();
        for (place, page) in pages.iter().enumerate() {
            assert!(!page.is_empty(), "{name}: the page {place} is empty");
            assert!(!pages[place + 1..].contains(page), "{name}: two results look alike: {page}");
        }
    }
}

#[test]
fn nothing_hostile_gets_through() {
    for (name, format) in formats() {
        let text = page(format, &sample(), &Timeline::default());
        assert!(!text.contains(['\x1b', '\u{202e}']), "{name}: {text}");
        assert_well_formed(format, &text, Some(&sample()));
    }
    for format in [Format::Text, Format::Json] {
        let text = page(format, &sample(), &Timeline::default());
        assert!(text.contains("[2J"), "the hostile words are shown, made harmless: {text}");
    }
}

#[test]
fn each_loss_has_one_cause_and_the_points_add_up() {
    let report = sample();
    let lost: Points = report.causes.iter().map(|it| it.points).sum();
    assert_eq!(lost, report.score.possible - report.score.earned);
    let mut tests: Vec<u8> = report.causes.iter().flat_map(|it| it.tests.clone()).collect();
    tests.sort_unstable();
    assert_eq!(tests, [2, 5, 6, 7, 8, 10]);
    assert_eq!(report.causes[0].id, "overwritten_at_start");
    assert_eq!(report.causes[0].tests, [6, 10]);
    assert_eq!(report.letters(), "PFPPIFFIPF");
}

/// Catches a slow submission whose author is not told why, and a fast one that is.
#[test]
fn a_pod_that_takes_its_whole_grace_period_is_told_why() {
    let after = |seconds: u64| {
        let owner = r#""ownerReferences":[{"kind":"StatefulSet","name":"web","uid":"s","controller":true}]"#;
        let pod = |more: &str| {
            format!(
                r#""object":{{"Pod":{{"metadata":{{"name":"web-0","uid":"p",{owner}{more}}}}}}}"#
            )
        };
        let gone = r#","deletionTimestamp":"2026-01-01T00:00:40Z","deletionGracePeriodSeconds":30"#;
        let set = r#""object":{"StatefulSet":{"metadata":{"name":"web","uid":"s","generation":1},"spec":{"replicas":1}}}"#;
        let header = NOTHING.lines().next().unwrap();
        let recording = format!(
            "{header}\n\
             {{\"seq\":1,\"at\":0,\"subject\":{{\"namespace\":\"lab\",\"statefulSet\":{{\"name\":\"web\",\"uid\":\"s\"}}}}}}\n\
             {{\"seq\":2,\"at\":0,\"change\":\"listed\",{set}}}\n\
             {{\"seq\":3,\"at\":0,\"change\":\"listed\",{}}}\n\
             {{\"seq\":4,\"at\":1000000000,\"change\":\"modified\",{}}}\n\
             {{\"seq\":5,\"at\":{}000000000,\"change\":\"deleted\",{}}}\n",
            pod(""),
            pod(gone),
            1 + seconds,
            pod(gone)
        );
        run(&["judge", "r"], &[("r", recording.as_bytes())])
    };
    assert!(after(30).contains("Slow: web-0 took its whole grace period of 30 s"), "{}", after(30));
    assert!(!after(2).contains("Slow:"), "{}", after(2));
}
