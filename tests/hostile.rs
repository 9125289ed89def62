//! Text that wants to take over a terminal or a log: wherever it comes from, none of it is printed
//! raw.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Cursor,
    path::Path,
};

use serde_json::Value;
use stsgrade::{
    recording::{Reader, fold},
    report::{Format, Report, Source},
};
use tempfile::TempDir;

use crate::{
    cli::{NOTHING, kubeconfig, stsgrade},
    fake::{empty, serve, status},
    formats::assert_well_formed,
    report::{formats, page},
};

/// Moves the cursor, sets a title, rings, overprints, reorders, hides, breaks the line, and gives
/// commands to CI systems.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;t\u{7}\r\u{8}\u{9b}\u{202e}\u{2066}\u{200b}\u{feff}\u{2028}\n::set-env \
    name=A::b ##[group]x ##vso[task.complete] \
    <script>alert(1)</script>]]>&amp;`|*x* [a](javascript:b) ![c](d) @root # SKIP\\ =cmd|' /C calc'!A0";
/// More characters than are shown of any string.
const LONG: usize = 5_000;
/// Lines of a recording that is judged in a moment.
const SHORT: usize = 50;
/// In how many recordings each field is hostile alone.
const OFTEN: usize = 4;
/// What of the hostile words stays when they are made harmless: a page that has it told of them.
const SHOWN: &str = "[2J";
/// More than any report has, without the hostile words.
const MAX_BYTES: usize = 150_000;
/// Words by which a line is understood: changed, it is no recording any more.
const MARKS: [&str; 8] =
    ["format", "version", "change", "kind", "phase", "why", "command", "step/name"];

/// Fails where anything in it could be taken for more than text.
#[track_caller]
fn assert_harmless(what: &str, printed: &str) {
    let raw = printed
        .chars()
        .find(|c| *c != '\n' && (c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')));
    assert_eq!(raw, None, "{what}: {printed}");
    let command = printed.lines().find(|line| {
        line.trim_start().starts_with("::") || line.contains("##[") || line.contains("##vso[")
    });
    assert_eq!(command, None, "{what}: {printed}");
    assert!(printed.len() < MAX_BYTES, "{what}: {} bytes", printed.len());
}

/// Every string of a line, with its place: indices and the names of labels left out.
fn strings(value: &mut Value, place: &str, change: &mut dyn FnMut(&str, &mut String)) {
    match value {
        Value::String(it) => change(place, it),
        Value::Array(list) => list.iter_mut().for_each(|it| strings(it, place, change)),
        Value::Object(map) => {
            for (name, it) in map {
                let deeper =
                    if place.is_empty() { name.clone() } else { format!("{place}/{name}") };
                strings(it, &deeper, change);
            }
        }
        _ => {}
    }
}

fn long() -> String {
    format!("{HOSTILE}{}", "x".repeat(LONG))
}

fn is_mark(place: &str) -> bool {
    MARKS.iter().any(|mark| {
        place == *mark || place.rsplit('/').next() == Some(mark) && !place.contains("object/Event")
    })
}

fn lines(file: &Path) -> Vec<Value> {
    fs::read_to_string(file)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The recording with hostile words behind each string that `such` picks.
fn hostile(lines: &[Value], words: &str, such: impl Fn(&str) -> bool) -> String {
    let mut out = String::new();
    for line in lines {
        let mut line = line.clone();
        strings(&mut line, "", &mut |place, it| {
            if such(place) && !is_mark(place) {
                it.push_str(words);
            }
        });
        out.push_str(&format!("{line}\n"));
    }
    out
}

/// Judges it, or says why not: all that would be printed, in these formats, each well-formed.
fn printed(recording: String, formats: &[Format]) -> Vec<String> {
    let folded = match Reader::from(Box::new(Cursor::new(recording)), "it").and_then(fold) {
        Ok(folded) => folded,
        Err(error) => return vec![error.to_string()],
    };
    let header = &folded.header;
    let source = Source::of(header, folded.digest.clone());
    let report = Report::of(&source, &folded.timeline);
    let mut pages = vec![];
    for format in formats {
        let page = page(*format, &report, &folded.timeline);
        assert_well_formed(*format, &page, Some(&report));
        // Its lines are commands, each of which was looked at.
        let is_command = |line: &str| *format == Format::Github && line.starts_with("::");
        let lines = page.lines().map(|it| if is_command(it) { &it[2..] } else { it });
        pages.push(lines.collect::<Vec<_>>().join("\n"));
    }
    pages
}

/// The formats whose every word is looked at field by field: the others show less.
const SOME: [Format; 2] = [Format::Text, Format::Json];

/// Those of which most is told.
pub(crate) fn recordings() -> Vec<std::path::PathBuf> {
    fn find(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                find(&path, found);
            } else if path.ends_with("recording.jsonl") {
                found.push(path);
            }
        }
    }
    let mut found = vec![];
    for folder in ["fixtures/fail", "fixtures/inconclusive", "fixtures/pass/append"] {
        find(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    found.sort();
    found
}

/// What people and programs write; with all names and references whole, more is told of it.
const FREE: [&str; 13] = [
    "message",
    "content",
    "lines",
    "error",
    "answer",
    "detail",
    "why",
    "reason",
    "log",
    "path",
    "image",
    "addresses",
    "unasked",
];

/// Catches a string that is shown as it came, whatever it is that is wrong with the submission.
#[test]
fn recordings_whose_every_word_is_hostile() {
    let every: Vec<Format> = formats().map(|(_, format)| format).collect();
    let (recordings, mut told) = (recordings(), 0);
    for file in &recordings {
        let lines = lines(file);
        let some = hostile(&lines, &long(), |place| FREE.iter().any(|it| place.ends_with(it)));
        let all =
            if lines.len() < SHORT { hostile(&lines, HOSTILE, |_| true) } else { String::new() };
        let pages = [some, all].map(|it| printed(it, &every)).concat();
        told += usize::from(pages.iter().any(|page| page.contains(SHOWN)));
        for page in pages {
            assert_harmless(&file.display().to_string(), &page);
        }
    }
    // Reports that never tell of the words would prove nothing.
    assert!(
        told > recordings.len() / 2,
        "the words are told of only {told} of {} recordings",
        recordings.len()
    );
}

/// Catches a single field that only shows when all others are as they should be.
#[test]
fn recordings_with_one_hostile_field_each() {
    let (mut known, mut told) = (BTreeMap::new(), BTreeSet::new());
    for file in recordings() {
        let lines = lines(&file);
        if lines.len() > SHORT {
            continue;
        }
        let mut places = BTreeSet::new();
        for line in &lines {
            strings(&mut line.clone(), "", &mut |place, _| {
                places.insert(place.to_owned());
            });
        }
        for field in places {
            // What is wrong differs from case to case, and with it what is told.
            let times = known.entry(field.clone()).or_insert(0);
            *times += 1;
            if *times > OFTEN {
                continue;
            }
            for page in printed(hostile(&lines, &long(), |place| place == field), &SOME) {
                if page.contains(SHOWN) {
                    told.insert(field.clone());
                }
                assert_harmless(&format!("{}: {field}", file.display()), &page);
            }
        }
    }
    assert!(told.len() > 10, "only these fields were told: {told:?}");
}

/// The words by which lines are understood, and what is no JSON at all.
#[test]
fn recordings_that_are_broken_by_hostile_words() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/fail/no_stateful_set_but_others/deployment/recording.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let quoted = serde_json::to_string(HOSTILE).unwrap();
    let inner = &quoted[1..quoted.len() - 1];
    let mut pages = vec![];
    for mark in [
        "stsgrade-recording",
        "\"added\"",
        "\"begin\"",
        "\"observe\"",
        "\"Service\"",
        "\"step\"",
        "\"seq\"",
    ] {
        let evil = if mark.starts_with('"') { format!("\"{inner}\"") } else { inner.to_owned() };
        pages.push(text.replacen(mark, &evil, 1));
        pages.push(text.replacen(mark, HOSTILE, 1));
    }
    let home = TempDir::new().unwrap();
    let name = "recording \u{1b}[2J\u{202e}.jsonl";
    for page in pages {
        fs::write(home.path().join(name), page).unwrap();
        for format in ["text", "json"] {
            let output = stsgrade(&home).args(["judge", name, "-o", format]).output().unwrap();
            assert_harmless(format, &String::from_utf8(output.stdout).unwrap());
            assert_harmless(format, &String::from_utf8(output.stderr).unwrap());
        }
    }
    for args in [
        &["judge", "no \u{1b}[2J such"][..],
        &["grade", "-n", "\u{1b}[2J"],
        &["grade", "--context", HOSTILE],
        &["explain", HOSTILE],
    ] {
        let output = stsgrade(&home).args(args).output().unwrap();
        assert_harmless("arguments", &String::from_utf8(output.stderr).unwrap());
    }
}

/// Catches manifests whose mistakes are told in their own words.
#[test]
fn hostile_manifests() {
    let evil = serde_json::to_string(&long()).unwrap();
    let set =
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: web}\nspec: {replicas: 3}\n";
    let home = TempDir::new().unwrap();
    let manifests = [
        format!("apiVersion: v1\nkind: {evil}\nmetadata: {{name: a}}\n"),
        format!("apiVersion: {evil}\nkind: Service\nmetadata: {{name: a}}\n"),
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {evil}}}\n"),
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: {evil}}}\n"),
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: \
            {{name: a, labels: {{{evil}: {evil}}}}}\n{evil}: 1\n{evil}: 2\n"
        ),
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: *{}\n",
            HOSTILE.replace([' ', '\n', '\r'], "")
        ),
        format!("{set}---\n{set}\n"),
        format!("kind: [{HOSTILE}\n"),
        HOSTILE.to_owned(),
    ];
    for manifest in manifests {
        let name = "lab \u{1b}[2J\u{202e}.yaml";
        fs::write(home.path().join(name), &manifest).unwrap();
        for format in ["text", "json"] {
            let output =
                stsgrade(&home).args(["grade", "-f", name, "-o", format]).output().unwrap();
            // Graded 0, or not graded where it asks for what is not done.
            assert!(matches!(output.status.code(), Some(1 | 4)), "{manifest}");
            assert_harmless(format, &String::from_utf8(output.stdout).unwrap());
            assert_harmless(format, &String::from_utf8(output.stderr).unwrap());
        }
    }
}

/// A kubeconfig and a server that say nothing without a hostile word; what is asked is refused at
/// one step after the other. (429 and 503 are asked again and again, with pauses, and told as the
/// others are.)
#[test]
fn hostile_servers() {
    let evil = long();
    for refused in [
        "/version",
        "selfsubjectrulesreviews",
        "/leases",
        "/api/v1/namespaces/lab",
        "/pods",
        "/statefulsets",
    ] {
        let mut told = false;
        for code in [400, 401, 403, 404, 409, 410, 422, 500] {
            let evil = evil.clone();
            let server = serve(move |what: &str| match what {
                "GET /version" if refused != "/version" => {
                    (200, serde_json::json!({"gitVersion": evil}).to_string())
                }
                _ if what.contains(refused) => status(code, &evil, &evil, &evil),
                other => empty(other),
            });
            let home = TempDir::new().unwrap();
            // YAML holds no control characters but escaped ones.
            let name = serde_json::to_string(HOSTILE).unwrap();
            let escaped = |it: char| match it.is_ascii() {
                true => it.to_string(),
                false => format!("\\u{:04x}", u32::from(it)),
            };
            let name: String = name.chars().map(escaped).collect();
            let config = String::from_utf8(kubeconfig(&server))
                .unwrap()
                .replace("name: lab", &format!("name: {name}"))
                .replace("context: lab", &format!("context: {name}"));
            fs::write(home.path().join("config"), config).unwrap();
            let output = stsgrade(&home)
                .args([
                    "grade",
                    "--kubeconfig",
                    "config",
                    "-n",
                    "lab",
                    "--save",
                    "r.jsonl",
                    "-o",
                    "json",
                ])
                .output()
                .unwrap();
            for page in [output.stdout, output.stderr] {
                let page = String::from_utf8(page).unwrap();
                told |= page.contains(SHOWN);
                assert_harmless(refused, &page);
            }
        }
        assert!(told, "what the server says of {refused} is never told");
    }
}

/// Catches a spreadsheet that runs what a submission is called.
#[test]
fn a_name_that_is_a_formula() {
    for formula in ["=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1)"] {
        let recording = NOTHING.replace("statefulset-lab", formula);
        let pages = printed(recording, &[Format::Csv]);
        assert!(pages[0].contains(&format!("'{formula}")), "{pages:?}");
    }
}
