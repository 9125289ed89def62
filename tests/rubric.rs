//! Rubrics, from the file to every format.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use checks::{
    CHECKS, STAYS_UP,
    model::{Fault, Outcome, Timeline},
};
use stsgrade::{
    recording::{Reader, fold},
    report::{Format, Points, Report, Source},
    rubric::Rubric,
};

use crate::{
    cli::{NOTHING, run},
    formats::assert_well_formed,
    hostile::recordings,
    report::{formats, page, sample},
};

/// Fractions, a check that is left out, one that is required, and partial credit.
const RUBRIC: &str = r#"
pass_mark = 60.5

[checks.pod_naming]
points = 5.25
required = true

[checks.storage_content]
omit = true

[checks.identity_persistence]
points = 10
partial = true
"#;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

fn scored(more: &str) -> Report {
    let slow = Some("web-1 took 30 s to stop, because it ignores SIGTERM".to_owned());
    Report { slow, ..sample() }.scored(&Rubric::parse(&format!("{more}\n{RUBRIC}")).unwrap())
}

/// Criteria that no recording of this repository shows, each with its reason.
const SHOWN_BY_NO_RECORDING: &[(&str, &str, &str)] = &[
    ("pvc_retention", "to_the_end", "each recording that shows a scale-down has its end"),
    (
        "pvc_reuse",
        "claim_there",
        "all pods whose PVCs went with them came back to new ones, which tells more",
    ),
];

/// Catches a criterion that no rubric can name, and a name that a rubric may have and that no check
/// ever adds.
#[test]
fn the_checks_name_all_their_criteria() {
    let mut seen = BTreeSet::new();
    for file in recordings() {
        let folded = Reader::open(&file).and_then(fold).unwrap();
        for (check, verdict) in CHECKS.iter().zip(checks::judge(&folded.timeline)) {
            for criterion in verdict.criteria {
                let is_known = criterion.id == STAYS_UP || check.criteria.contains(&criterion.id);
                assert!(is_known, "{}: {} of {}", file.display(), criterion.id, check.id);
                seen.insert((check.id, criterion.id));
            }
        }
    }
    let excused = SHOWN_BY_NO_RECORDING.iter().map(|(check, criterion, _)| (*check, *criterion));
    let excused: BTreeSet<_> = excused.collect();
    let declared = CHECKS.iter().flat_map(|it| it.criteria.iter().map(|id| (it.id, *id)));
    let not_seen: BTreeSet<_> = declared.filter(|it| !seen.contains(it)).collect();
    assert_eq!(not_seen, excused, "see SHOWN_BY_NO_RECORDING: what no recording shows");
}

/// Catches a format that shows other points, or forgets by which rubric.
#[test]
fn every_format_shows_the_rubrics_points() {
    let report = scored("");
    assert_eq!(report.score.earned, Points::hundredths(3025));
    assert_eq!(report.score.possible, Points::hundredths(8525));
    let digest = report.rubric.as_ref().unwrap().digest.clone();
    for (name, format) in formats() {
        let page = page(format, &report, &Timeline::default());
        assert_well_formed(format, &page, None);
        assert!(page.contains(&digest), "{name} forgets the rubric: {page}");
        let earned = if format == Format::Classroom50 { "3025" } else { "30.25" };
        // Of these, one tells a share of all points, and the other tells no sum.
        let is_share = matches!(format, Format::Prairielearn | Format::Check50);
        assert!(page.contains(earned) || is_share, "{name} shows other points: {page}");
        assert!(!page.contains("Storage Content"), "{name} shows what is left out: {page}");
    }
}

/// Catches a format that tells in an exam what is only for exercises.
#[test]
fn no_format_shows_more_than_the_rubric_allows() {
    let (reason, remedy) = ("web-1 was added 2.1 s before web-0", "podManagementPolicy");
    for (show, shown, hidden) in [
        ("outcome", &[][..], &[reason, remedy, "overwrote", "kubectl", "SIGTERM"][..]),
        ("reason", &[reason], &[remedy, "[ -f ", "kubectl", "SIGTERM"]),
        ("remedy", &[remedy], &[]),
    ] {
        let report = scored(&format!("show = '{show}'"));
        for (name, format) in formats().filter(|(_, format)| *format != Format::Csv) {
            let page = page(format, &report, &Timeline::default());
            assert_well_formed(format, &page, None);
            if format == Format::Text {
                assert!(page.contains("not shown yet"), "{name} with {show}: {page}");
            }
            for words in hidden {
                assert!(!page.contains(words), "{name} with {show} tells {words}: {page}");
            }
            if matches!(format, Format::Text | Format::Json | Format::Gradescope) {
                shown.iter().for_each(|words| assert!(page.contains(words), "{name}: {page}"));
            }
        }
    }
}

/// Catches points that are told as lost, and as undecided as well.
#[test]
fn what_is_undecided_of_a_failed_test_is_not_lost() {
    let mut report = sample();
    let row = report.checks.iter_mut().find(|it| it.id == "identity_persistence").unwrap();
    let mut undecided = row.criteria[0].clone();
    undecided.outcome = Outcome::Inconclusive;
    row.criteria.push(undecided);
    let test = row.test;
    // Of ten points a third is earned, a third is lost, and a third is undecided.
    let report = report.scored(&Rubric::parse(RUBRIC).unwrap());
    let row = report.checks.iter().find(|it| it.test == test).unwrap();
    let [third, last] = [333, 334].map(Points::hundredths);
    assert_eq!((row.points, row.undecided, row.possible), (third, last, Points::whole(10)));
    // The same mistake cost all ten points of another test.
    let cause = report.causes.iter().find(|it| it.tests == [test, 10]).unwrap();
    let lost = third + Points::whole(10);
    assert_eq!((cause.fault, cause.points), (Some(Fault::Submission), lost));
}

/// Catches words that say "undecided" of points that the rubric takes or gives.
#[test]
fn what_is_undecided_costs_what_the_rubric_says() {
    let recording = fixture("inconclusive/sequential_creation/gap_at_creation/recording.jsonl");
    let recording = std::fs::read(recording).unwrap();
    let files = |rubric: &'static [u8]| [("rubric.toml", rubric), ("r.jsonl", &recording[..])];
    for (rubric, score, costs) in [
        (&b""[..], "90 of 100 points, 10 undecided", "leaves 10 points undecided"),
        (b"undecided = 'zero'", "90 of 100 points\n", "costs 10 points, as the rubric gives none"),
        (b"undecided = 'full'", "100 of 100 points\n", "costs no points, as the rubric gives them"),
    ] {
        for format in ["text", "markdown", "html"] {
            let args = ["judge", "r.jsonl", "--rubric", "rubric.toml", "-q", "-o", format];
            let told = run(&args, &files(rubric)).replace("\n   ", " ");
            assert!(told.contains(costs), "{costs} in {format}: {told}");
            assert!(format != "text" || told.contains(score), "{score}: {told}");
        }
    }
}

/// Catches points of one student in hundredths and of another in whole points, by one rubric.
#[test]
fn whole_numbers_have_one_scale_for_all_students() {
    let partial = "[checks.identity_persistence]\npartial = true";
    let perfect = || {
        let file = fixture("pass/append/recording.jsonl");
        let folded = Reader::open(&file).and_then(fold).unwrap();
        Report::of(&Source::of(&folded.header, folded.digest), &folded.timeline)
    };
    for (rubric, possible) in [(partial, "10000"), ("", "100"), ("pass_mark = 60.5", "100")] {
        for report in [sample(), perfect()] {
            let report = report.scored(&Rubric::parse(rubric).unwrap());
            let page = page(Format::Classroom50, &report, &Timeline::default());
            assert!(page.contains(&format!("\"max-score\": {possible},")), "{rubric}: {page}");
        }
    }
}

/// Catches a rule of the rubric that only the text of the list tells.
#[test]
fn the_list_says_all_of_a_rubric_in_json() {
    let rubric = format!("undecided = 'full'\nshow = 'reason'\n{RUBRIC}");
    let args = ["list", "--rubric", "rubric.toml", "-o", "json"];
    let told = run(&args, &[("rubric.toml", rubric.as_bytes())]);
    let json = &told[told.find('{').unwrap()..=told.rfind('}').unwrap()];
    let listed: serde_json::Value = serde_json::from_str(json).unwrap();
    let mut rules = listed["rubric"].clone();
    assert!(rules.as_object_mut().unwrap().remove("digest").is_some());
    let expected = serde_json::json!({
        "omitted": ["storage_content"], "passMark": 60.5, "undecided": "full", "show": "reason",
    });
    assert_eq!(rules, expected);
}

#[test]
fn list_and_judge_by_a_rubric() {
    let files: [(&str, &[u8]); 2] =
        [("rubric.toml", RUBRIC.as_bytes()), ("recording.jsonl", NOTHING.as_bytes())];
    insta::assert_snapshot!(run(&["list", "--rubric", "rubric.toml"], &files));
    insta::assert_snapshot!(run(&["judge", "recording.jsonl", "--rubric", "rubric.toml"], &files));
    let marked = |mark: &str| {
        let files = [("rubric.toml", mark.as_bytes()), files[1]];
        run(&["judge", "recording.jsonl", "--rubric", "rubric.toml", "-q"], &files)
    };
    assert!(marked("pass_mark = 0").starts_with("exit 0\n"));
    assert!(marked("pass_mark = 1").starts_with("exit 1\n"));
}

#[test]
fn a_rubric_that_cannot_be_read() {
    let wrong: (&str, &[u8]) = ("rubric.toml", b"[checks.pod_nameing]\npoints = 3\n");
    let args = ["judge", "missing.jsonl", "--rubric", "rubric.toml"];
    insta::assert_snapshot!(run(&args, &[wrong]));
    insta::assert_snapshot!(run(&args, &[]));
    let told = run(&[&args[..], &["-o", "json"]].concat(), &[wrong]);
    assert!(told.contains("\"line\": 1"), "{told}");
    assert!(run(&args, &[("rubric.toml", b"\xff\xfe")]).starts_with("exit 4\n"));
}
