//! Judges every fixture again. Its folder and its first line state the expected result.
//!
//! A case is a folder `fixtures/pass/<case>/`, `fixtures/fail/<group>/<case>/` or
//! `fixtures/inconclusive/<group>/<case>/`. To find the group, take the first check that fails, or
//! where none fails the first that is undecided. If an obstacle blocks it, the group is the obstacle's id (`container_ends`). Otherwise it
//! is the check's id (`pod_naming`).
//!
//! A case holds a `submission.yaml`, whose first line a person wrote, and the `recording.jsonl`
//! that `tests/record-fixtures` made of it on a real cluster. A case that fails also holds a
//! `mended.yaml`: the submission with the remedy applied by hand. The live tests grade it.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use checks::{CHECKS, mistakes::MISTAKES, model::Outcome};
use stsgrade::{
    recording,
    recording::Reader,
    report::{Report, Source},
};

/// What a case may hold; the last two are for `tests/record-fixtures`.
const FILES: [&str; 5] =
    ["submission.yaml", "recording.jsonl", "before.yaml", "later.yaml", "recipe"];
/// What a failing case holds besides.
const MENDED: &str = "mended.yaml";

/// A fixture: where it is, and what its folder says of it.
pub(crate) struct Case {
    pub(crate) folder: PathBuf,
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Pass,
    Fail(String),
    Inconclusive(String),
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The names in a folder, sorted; anything that is not a folder is a stray.
fn folders(path: &Path, wrong: &mut Vec<String>) -> Vec<String> {
    let mut names = vec![];
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            names.push(name);
        } else {
            wrong.push(format!("stray file {}", entry.path().display()));
        }
    }
    names.sort();
    names
}

/// All cases, and what is wrong with the tree itself.
pub(crate) fn cases() -> (Vec<Case>, Vec<String>) {
    let (mut cases, mut wrong) = (vec![], vec![]);
    let mut add = |folder: PathBuf, kind: &Kind| {
        let name = folder.strip_prefix(root()).unwrap().display().to_string();
        cases.push(Case { folder, name, kind: kind.clone() });
    };
    for top in folders(&root(), &mut wrong) {
        let path = root().join(&top);
        match top.as_str() {
            "pass" => {
                folders(&path, &mut wrong).iter().for_each(|case| add(path.join(case), &Kind::Pass))
            }
            "fail" | "inconclusive" => {
                for group in folders(&path, &mut wrong) {
                    let kind = match top.as_str() {
                        "fail" => Kind::Fail(group.clone()),
                        _ => Kind::Inconclusive(group.clone()),
                    };
                    let inner = folders(&path.join(&group), &mut wrong);
                    if inner.is_empty() {
                        wrong.push(format!("no case in {top}/{group}"));
                    }
                    inner.iter().for_each(|case| add(path.join(&group).join(case), &kind));
                }
            }
            _ => wrong.push(format!("stray folder {top}")),
        }
    }
    (cases, wrong)
}

/// A recording, judged.
struct Judged {
    report: Report,
    /// The folder in which the case belongs.
    group: &'static str,
}

/// Judges a case's recording.
fn judged(case: &Case) -> Result<Judged, String> {
    let folded = Reader::open(&case.folder.join("recording.jsonl"))
        .and_then(recording::fold)
        .map_err(|error| error.to_string())?;
    let source = Source::of(&folded.header, folded.digest);
    let verdicts = checks::judge(&folded.timeline);
    let lost = |outcome| CHECKS.iter().zip(&verdicts).find(|(_, it)| it.outcome() == outcome);
    let first = lost(Outcome::Fail).or_else(|| lost(Outcome::Inconclusive));
    let group = match first {
        Some((check, verdict)) => verdict.blocked_by().map_or(check.id, |it| it.id),
        None => "",
    };
    Ok(Judged { report: Report::of(&source, &folded.timeline), group })
}

/// The ten letters of the first line.
fn expected(case: &Case) -> Result<String, String> {
    let text = fs::read_to_string(case.folder.join("submission.yaml"))
        .map_err(|error| format!("submission.yaml: {error}"))?;
    let letters = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# expect: "))
        .unwrap_or_default()
        .trim()
        .to_owned();
    if letters.len() == CHECKS.len() && letters.chars().all(|c| "PFI".contains(c)) {
        Ok(letters)
    } else {
        Err("line 1 is not `# expect: ` and ten of P, F and I".to_owned())
    }
}

/// Whether the folder says what the letters say.
fn belongs(kind: &Kind, letters: &str) -> bool {
    match kind {
        Kind::Pass => letters.chars().all(|it| it == 'P'),
        Kind::Fail(_) => letters.contains('F'),
        Kind::Inconclusive(_) => !letters.contains('F') && letters.contains('I'),
    }
}

fn problems(case: &Case) -> Vec<String> {
    let fails = matches!(case.kind, Kind::Fail(_));
    let mut wrong: Vec<String> = fs::read_dir(&case.folder)
        .unwrap()
        .flatten()
        .map(|it| it.file_name().into_string().unwrap())
        .filter(|name| !(FILES.contains(&name.as_str()) || fails && name == MENDED))
        .map(|name| format!("stray {name}"))
        .collect();
    if fails && !case.folder.join(MENDED).exists() {
        wrong.push(format!("no {MENDED}, which shows that the remedy brings all points"));
    }
    match (expected(case), judged(case)) {
        (Ok(expected), Ok(Judged { report, group: belonging })) => {
            if let Kind::Fail(group) | Kind::Inconclusive(group) = &case.kind
                && group != belonging
            {
                wrong.push(format!("belongs in the folder {belonging}"));
            }
            if expected != report.letters() {
                wrong.push(format!("expected {expected}, judged {}", report.letters()));
            }
            if !belongs(&case.kind, &expected) {
                wrong.push(format!("{expected} does not belong in this folder"));
            }
        }
        (expected, judged) => {
            wrong.extend(expected.err().into_iter().chain(judged.err()));
        }
    }
    wrong.iter().map(|it| format!("{}: {it}", case.name)).collect()
}

#[test]
fn every_case_is_judged_as_its_first_line_says() {
    let (cases, mut wrong) = cases();
    let has = |kind: fn(&Kind) -> bool| cases.iter().any(|case| kind(&case.kind));
    assert!(
        has(|it| *it == Kind::Pass)
            && has(|it| matches!(it, Kind::Fail(_)))
            && has(|it| matches!(it, Kind::Inconclusive(_))),
        "no fixtures"
    );
    wrong.extend(cases.iter().flat_map(problems));
    assert!(
        wrong.is_empty(),
        "{} problems (record with tests/cluster/run tests/record-fixtures):\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_check_has_a_case_that_fails_it() {
    let (cases, _) = cases();
    let failed: BTreeSet<&str> = cases
        .iter()
        .filter_map(|case| judged(case).ok())
        .flat_map(|it| failing(&it.report))
        .collect();
    let missing: Vec<&str> =
        CHECKS.iter().map(|it| it.id).filter(|id| !failed.contains(id)).collect();
    assert!(missing.is_empty(), "no fixture fails {}", missing.join(", "));
}

fn failing(report: &Report) -> Vec<&'static str> {
    report.checks.iter().filter(|row| row.outcome == Outcome::Fail).map(|row| row.id).collect()
}

#[test]
fn every_mistake_has_a_case_that_makes_it() {
    let (cases, _) = cases();
    let made: BTreeSet<&str> = cases
        .iter()
        .filter_map(|case| judged(case).ok())
        .flat_map(|it| it.report.checks)
        .flat_map(|row| row.criteria)
        .filter_map(|part| part.mistake)
        .collect();
    let missing: Vec<&str> =
        MISTAKES.iter().map(|it| it.id).filter(|id| !made.contains(id)).collect();
    assert!(missing.is_empty(), "no fixture makes {}", missing.join(", "));
}

/// What a new recording of the same case changes, and what stands for it in the snapshots.
const CHANGES_WITH_EACH_RECORDING: &[(&str, &str)] = &[
    ("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[uid]"),
    ("sha256:[0-9a-f]+", "sha256:[digest]"),
    (r"\d+\.\d+\.\d+\.\d+", "[address]"),
    (r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d UTC( \d{4})?", "[date]"),
    (r"\d\d:\d\d:\d\d", "[time]"),
    (r"\d+\.\d s\b", "[seconds] s"),
    (r"-[0-9a-f]{8,10}-[a-z0-9]{5}\b", "-[hash]"),
    (r"( *\b\d+\b){8,}", " [numbers]"),
    (r"\d+\.\d+ \d+\.\d+ \d+\.\d+ \d+/\d+ \d+", "[load]"),
    (r"\b\d{4,}\b", "[number]"),
];

/// Catches a snapshot of a case that is gone, too: nothing would hold it to anything.
#[test]
fn every_verdict_is_as_it_was() {
    let (cases, _) = cases();
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/fixtures");
    let kept: BTreeSet<String> = fs::read_dir(snapshots)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    let known = cases.iter().map(|case| format!("{}.snap", case.name.replace('/', "-"))).collect();
    let stray: Vec<&String> = kept.difference(&known).filter(|it| it.ends_with(".snap")).collect();
    assert!(stray.is_empty(), "snapshots without a case: {stray:?}");
    for case in cases {
        let Ok(Judged { report, .. }) = judged(&case) else { continue };
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("snapshots/fixtures");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        for (pattern, instead) in CHANGES_WITH_EACH_RECORDING {
            settings.add_filter(pattern, *instead);
        }
        settings.bind(|| insta::assert_snapshot!(case.name.replace('/', "-"), verdicts(&report)));
    }
}

/// All criteria, a line each.
fn verdicts(report: &Report) -> String {
    let mut out = format!("{}\n", report.letters());
    for row in &report.checks {
        writeln!(out, "\n{} {:?}", row.id, row.outcome).unwrap();
        for part in &row.criteria {
            let mistake = part.mistake.map(|it| format!(" [{it}]")).unwrap_or_default();
            let standing = serde_json::to_value(part.standing).unwrap();
            let standing = standing.as_str().unwrap();
            writeln!(out, "  {standing} {}{mistake}: {}", part.id, part.text).unwrap();
            for (what, words) in [("expected", &part.expected), ("actual", &part.actual)] {
                if let Some(words) = words {
                    writeln!(out, "    {what}: {words}").unwrap();
                }
            }
        }
    }
    for cause in &report.causes {
        let fault = cause.fault.map_or_else(|| "Nobody".to_owned(), |fault| format!("{fault:?}"));
        writeln!(
            out,
            "\ncause {} {fault}: tests {:?}, {} points",
            cause.id, cause.tests, cause.points
        )
        .unwrap();
    }
    out
}
