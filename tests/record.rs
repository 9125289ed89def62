//! `stsgrade record`, and what is done with its recordings.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    cli::{NOTHING, kubeconfig, stsgrade},
    fake::{empty, serve, status},
};

/// Longer than a recording takes to end that ends by itself.
const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// A server whose namespaces hold these sets, each as `NAMESPACE/NAME`.
fn holding(sets: &'static [&'static str]) -> impl Fn(&str) -> (u16, String) + Send + Sync {
    move |what: &str| {
        let path = what.split('?').next().unwrap();
        if what.contains("watch=") {
            // It ends at once, and nothing has happened.
            return (200, String::new());
        }
        let Some(namespace) = path
            .strip_prefix("GET /apis/apps/v1/namespaces/")
            .and_then(|it| it.strip_suffix("/statefulsets"))
        else {
            return empty(what);
        };
        let set = |it: &&str| {
            let name = it.strip_prefix(namespace)?.strip_prefix('/')?;
            Some(json!({"metadata": {"name": name, "uid": name},
                "spec": {"replicas": 3, "serviceName": name, "selector": {}, "template": {}}}))
        };
        let items: Vec<_> = sets.iter().filter_map(set).collect();
        let list = json!({"kind": "StatefulSetList", "apiVersion": "apps/v1",
            "metadata": {"resourceVersion": "1"}, "items": items});
        (200, list.to_string())
    }
}

/// What a command did: the exit code, and both streams.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

#[track_caller]
fn ran(home: &TempDir, args: &[&str]) -> Ran {
    let output = stsgrade(home).args(args).timeout(ENDED_WITHIN).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    Ran { code: output.status.code(), out, err }
}

/// A home folder with the kubeconfig of a server in it, as `config`.
fn home_of(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> TempDir {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("config"), kubeconfig(&serve(answer))).unwrap();
    home
}

/// Records for a second.
#[track_caller]
fn record(home: &TempDir, args: &[&str]) -> Ran {
    let common = ["record", "--kubeconfig", "config", "--timeout", "1s"];
    ran(home, &[&common[..], args].concat())
}

/// Catches a good recording that is emptied by a run which is refused.
#[test]
fn a_run_that_cannot_begin_leaves_the_file_as_it_is() {
    let home = home_of(holding(&["lab/db", "lab/web"]));
    let file = home.path().join("good.jsonl");
    for command in ["record", "grade"] {
        fs::write(&file, NOTHING).unwrap();
        let args = [command, "-n", "lab", "--save", "good.jsonl", "--kubeconfig", "config"];
        let refused = ran(&home, &args);
        assert_eq!(refused.code, Some(4), "{}", refused.err);
        assert!(refused.err.contains("StatefulSets: db, web"), "{}", refused.err);
        assert_eq!(fs::read_to_string(&file).unwrap(), NOTHING, "{command}");
    }
}

/// Catches a student's manifest that a recording takes the place of, without a word.
#[test]
fn what_is_no_recording_is_not_written_over() {
    let home = home_of(holding(&["lab/web"]));
    let file = home.path().join("lab.yaml");
    for command in ["record", "grade"] {
        fs::write(&file, "kind: StatefulSet\n").unwrap();
        let args = [command, "-n", "lab", "--save", "lab.yaml", "--kubeconfig", "config"];
        let refused = ran(&home, &args);
        assert_eq!(refused.code, Some(4), "{}", refused.err);
        assert!(refused.err.contains("lab.yaml holds no recording"), "{}", refused.err);
        assert_eq!(fs::read_to_string(&file).unwrap(), "kind: StatefulSet\n", "{command}");
    }
}

/// Catches a recorder that goes on for hours after it could write no more.
#[test]
fn a_recording_ends_as_soon_as_it_cannot_be_written() {
    let is_read = Arc::new(AtomicBool::new(false));
    let (asked, answer) = (Arc::clone(&is_read), holding(&["lab/web"]));
    let home = home_of(move |what| {
        while what.contains("/statefulsets") && !asked.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
        answer(what)
    });
    let mut recorder = std::process::Command::new(env!("CARGO_BIN_EXE_stsgrade"))
        .args(["record", "-n", "lab", "--save", "/dev/stdout", "--kubeconfig", "config"])
        .env_clear()
        .env("HOME", home.path())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(recorder.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("stsgrade-recording"), "{first}");
    is_read.store(true, Ordering::Relaxed);
    let began = Instant::now();
    while recorder.try_wait().unwrap().is_none() && began.elapsed() < ENDED_WITHIN {
        thread::sleep(Duration::from_millis(50));
    }
    let _ = recorder.kill();
    let mut told = String::new();
    recorder.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(recorder.wait().unwrap().code(), Some(4), "{told}");
    assert!(told.contains("the recording /dev/stdout is not complete: "), "{told}");
}

/// Catches a mistyped `--statefulset` that nobody is told of, and that costs the whole recording.
#[test]
fn a_mistyped_set_is_told_at_once_and_costs_nothing() {
    let home = home_of(holding(&["lab/web"]));
    let recorded = record(&home, &["-n", "lab", "--statefulset", "wbe", "--save", "r.jsonl"]);
    assert_eq!(recorded.code, Some(4), "{}", recorded.err);
    let note = "note: there is no StatefulSet wbe yet; there is web\n";
    assert_eq!(recorded.err.matches(note).count(), 1, "{}", recorded.err);
    let next = "There were: web. `stsgrade judge --statefulset NAME FILE` judges one of them.";
    assert!(recorded.err.contains(next), "{}", recorded.err);
    let judged = ran(&home, &["judge", "r.jsonl"]);
    assert_eq!(judged.code, Some(4), "{}", judged.err);
    for command in ["judge", "show"] {
        let args = [command, "r.jsonl", "--statefulset", "web", "-o", "json"];
        let judged = ran(&home, &args);
        assert!(judged.out.contains("\"statefulSet\": \"web\""), "{}{}", judged.out, judged.err);
        assert!(!judged.err.contains("cut off"), "it has an end: {}", judged.err);
    }
    let drawn = ran(&home, &["timeline", "r.jsonl", "--statefulset", "web"]);
    assert_eq!((drawn.code, drawn.err.as_str()), (Some(0), ""), "{}", drawn.out);
}

/// A recording by hand, of `old` first and then of `web`.
fn two_sets() -> String {
    let set = |seq: u32, change: &str, name: &str| {
        json!({"seq": seq, "at": seq, "change": change, "object": {"StatefulSet": {
            "metadata": {"name": name, "uid": name}, "spec": {"replicas": 3}}}})
    };
    let subject = |seq: u32, name: &str| {
        json!({"seq": seq, "at": seq, "subject": {"namespace": "statefulset-lab",
            "statefulSet": {"name": name, "uid": name}}})
    };
    let (header, _) = NOTHING.split_once('\n').unwrap();
    let asked = header.replace("\"startedAt\"", "\"asked\":{\"command\":\"record\"},\"startedAt\"");
    let lines = [
        set(1, "listed", "old"),
        subject(2, "old"),
        set(3, "added", "web"),
        subject(4, "web"),
        json!({"seq": 5, "at": 5, "end": {"why": "complete"}}),
    ];
    lines.iter().fold(asked, |text, line| format!("{text}\n{line}")) + "\n"
}

/// Catches a set that cannot be judged because the work went on with another one, and one that is
/// said to be judged and is not.
#[test]
fn any_set_of_a_recording_by_hand_can_be_judged() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("r.jsonl"), two_sets()).unwrap();
    let judged =
        |args: &[&str]| ran(&home, &[&["judge", "r.jsonl", "-o", "json"][..], args].concat());
    for (args, set) in [(&[][..], "web"), (&["--statefulset", "old"], "old")] {
        let judged = judged(args);
        assert!(judged.out.contains(&format!("\"statefulSet\": \"{set}\"")), "{}", judged.out);
        assert_eq!(judged.err.contains("the work moved from"), set == "web", "{}", judged.err);
    }
    let none = judged(&["--statefulset", "myapp"]);
    assert_eq!(none.code, Some(4), "{}", none.err);
    assert!(none.err.contains("There were: old, web."), "{}", none.err);
    // What a grade did, it did to its own set.
    let graded = two_sets().replace("\"command\":\"record\"", "\"command\":\"grade\"");
    fs::write(home.path().join("r.jsonl"), graded).unwrap();
    let other = judged(&["--statefulset", "old"]);
    assert_eq!(other.code, Some(4), "{}", other.err);
    let told = "StatefulSet old was not graded: the recording is of a grade of web";
    assert!(other.err.contains(told), "{}", other.err);
    assert!(judged(&["--statefulset", "web"]).out.contains("\"statefulSet\": \"web\""));
}

/// Catches a recording of an empty namespace of which nobody is told before it is judged 0 of 100.
#[test]
fn the_wrong_namespace_is_told_at_once() {
    let there = holding(&["default/web"]);
    let missing = |what: &str| match what {
        "GET /api/v1/namespaces/statefulset-lab" => {
            status(404, "NotFound", "namespaces \"statefulset-lab\" not found", "namespaces")
        }
        _ => holding(&["default/web"])(what),
    };
    let note = "note: namespace default, the context's own, holds StatefulSet web: \
        `stsgrade record -n default` records it\n";
    let warning = "warning: no StatefulSet was there while it was recorded\n";
    for (home, why) in [
        (home_of(there), "the namespace holds no StatefulSet"),
        (home_of(missing), "the namespace does not exist"),
    ] {
        let recorded = record(&home, &["--save", "r.jsonl"]);
        assert_eq!(recorded.code, Some(0), "{}", recorded.err);
        for line in [note, warning] {
            assert_eq!(recorded.err.matches(line).count(), 1, "{}", recorded.err);
        }
        let judged = ran(&home, &["judge", "r.jsonl"]);
        assert!(judged.out.contains(why), "{}", judged.out);
    }
    let right = record(&home_of(holding(&["lab/web"])), &["-n", "lab", "--save", "r.jsonl"]);
    assert!(!right.err.contains("note: ") && !right.err.contains("warning: "), "{}", right.err);
    assert!(right.err.ends_with("; next: stsgrade judge r.jsonl\n"), "{}", right.err);
}

/// Catches a recorder that may not look into a pod, of which nobody is told before the work is done.
#[test]
fn what_the_account_may_not_see_is_told_at_once() {
    let answer = holding(&["lab/web"]);
    let home = home_of(move |what| {
        let (code, body) = answer(what);
        let but_exec = r#"{"apiGroups":["*"],"resources":["*"],"verbs":["list","watch"]}"#;
        (code, body.replace(r#"{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}"#, but_exec))
    });
    let recorded = record(&home, &["-n", "lab", "--save", "r.jsonl"]);
    let note = "note: this account may not get pods/exec; get pods/log: what only that \
        shows stays undecided. `stsgrade rbac -n lab --record` prints the Role that a recording \
        needs\n";
    assert!(recorded.err.contains(note), "{}", recorded.err);
    let role = ran(&home, &["rbac", "-n", "lab", "--record"]);
    assert!(role.out.contains("verbs: [get, create]"), "{}", role.out);
    assert!(!role.out.contains("delete") && !role.out.contains("patch"), "{}", role.out);
}

/// Catches a file that is named `-`, and a next command that reads what is no file.
#[test]
fn a_recording_is_kept_in_a_file() {
    let home = home_of(holding(&["lab/web"]));
    for command in ["record", "grade"] {
        let refused = ran(&home, &[command, "--save", "-"]);
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        assert!(refused.err.contains("/dev/stdout is standard output"), "{}", refused.err);
        assert!(!home.path().join("-").exists());
    }
    let recorded = record(&home, &["-n", "lab", "--save", "/dev/stdout"]);
    assert_eq!(recorded.code, Some(0), "{}", recorded.err);
    assert!(recorded.out.starts_with("{\"format\":\"stsgrade-recording\""), "{}", recorded.out);
    assert!(!recorded.err.contains("next: "), "{}", recorded.err);
}

/// Catches a recording by hand that is shown as the last grade, and a system's error in the place
/// of the words that there is none.
#[test]
fn show_prefers_a_grade() {
    let home = TempDir::new().unwrap();
    let none = ran(&home, &["show"]);
    assert_eq!(none.code, Some(4));
    let told = "there is no recording of an earlier grade: none was made yet\n";
    assert!(none.err.contains(told), "{}", none.err);
    let state = home.path().join(".local/state/stsgrade");
    fs::create_dir_all(&state).unwrap();
    let keep = |name: &str, seconds, text: &str| {
        fs::write(state.join(name), text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::open(state.join(name)).unwrap().set_modified(time).unwrap();
    };
    keep("new.jsonl", 9, &two_sets());
    let by_hand = ran(&home, &["show"]);
    assert!(by_hand.out.contains("web"), "{}", by_hand.out);
    let note = "note: no grade is kept; recorded by hand from 2026-01-01T00:00:00Z on in namespace \
        statefulset-lab\n";
    assert!(by_hand.err.starts_with(note), "{}", by_hand.err);
    keep("old.jsonl", 1, &NOTHING.replace("statefulset-lab", "graded"));
    let grade = ran(&home, &["show"]);
    assert!(grade.out.contains("in namespace graded"), "{}", grade.out);
    assert!(grade.err.ends_with("on in namespace graded\n"), "{}", grade.err);
}

/// Catches "Grade again. If it stays so, ask whoever runs the cluster.", said to somebody who works
/// by hand and was too fast.
#[test]
fn whoever_was_too_fast_is_told_what_to_do_while_it_is_recorded() {
    let fixture = fs::read_to_string("fixtures/pass/append/recording.jsonl").unwrap();
    let (header, rest) = fixture.split_once('\n').unwrap();
    let asked = header.replace("\"command\":\"grade\"", "\"command\":\"record\"");
    let lines = || rest.lines().map(|it| serde_json::from_str::<serde_json::Value>(it).unwrap());
    let gone: Vec<serde_json::Value> = lines()
        .filter(|it| it["change"] == "deleted")
        .filter_map(|it| it.pointer("/object/Pod/metadata/uid").cloned())
        .collect();
    let is_left_out = |line: &serde_json::Value| {
        line.get("step").is_some() || gone.contains(&line["read"]["pod"]["uid"])
    };
    let by_hand =
        lines().filter(|it| !is_left_out(it)).zip(1..).fold(asked, |text, (line, seq)| {
            let mut line = line;
            line["seq"] = json!(seq);
            format!("{text}\n{line}")
        });
    let told = |recording: &str| {
        let home = TempDir::new().unwrap();
        fs::write(home.path().join("r.jsonl"), format!("{recording}\n")).unwrap();
        let judged = ran(&home, &["judge", "r.jsonl"]);
        format!("{}{}", judged.out.split_whitespace().collect::<Vec<_>>().join(" "), judged.err)
    };
    let kept = told(&by_hand);
    for words in [
        "To do While `stsgrade record` runs: delete pod web-1, and wait until it is Ready again. \
        Leave each pod some seconds to be read.",
        "To do While `stsgrade record` runs: scale web to 1, and wait until the others are gone; \
        scale web to 3, and wait until all pods are Ready. Leave each pod some seconds to be read.",
    ] {
        assert!(kept.contains(words), "{kept}");
    }
    assert!(!kept.contains("Grade again."), "{kept}");
    // Scaling down would lose the PVCs.
    let lost = told(&by_hand.replace("\"whenScaled\":\"Retain\"", "\"whenScaled\":\"Delete\""));
    let first = "To do First make the changes above. While `stsgrade record` runs: scale web to 1,";
    assert!(lost.contains(first), "{lost}");
}
