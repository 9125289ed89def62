//! The binary as its users meet it: what it prints where, and how it exits.

use std::{fs, io::Write, path::Path, process::Stdio};

use assert_cmd::Command;
use stsgrade::recording::signature::Key;
use tempfile::TempDir;

/// A namespace in which nothing was done: 0 of 100.
pub(crate) const NOTHING: &str = r#"{"format":"stsgrade-recording","version":1,"minor":0,"tool":"0.1.0","cluster":"v1.36.0","namespace":"statefulset-lab","startedAt":"2026-01-01T00:00:00Z"}
{"seq":1,"at":0,"subject":{"namespace":"statefulset-lab"}}
{"seq":2,"at":1000000,"end":{"why":"complete","requests":9,"watchEvents":0,"wallMs":1}}
"#;

/// The binary without anything of this machine's environment.
pub(crate) fn stsgrade(home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stsgrade"));
    command
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/bin:/bin")
        .current_dir(home.path());
    command
}

/// What one run did: exit status, then both streams.
#[track_caller]
pub(crate) fn run(args: &[&str], files: &[(&str, &[u8])]) -> String {
    let home = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(home.path().join(name), content).unwrap();
    }
    let output = stsgrade(&home).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).unwrap().replace(&home.path().display().to_string(), "[HOME]")
    };
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!out.contains('\x1b') && !err.contains('\x1b'), "colour in a pipe");
    format!("exit {}\n---- stdout\n{out}---- stderr\n{err}", output.status.code().unwrap())
}

#[track_caller]
fn judge(recording: &[u8]) -> String {
    run(&["judge", "recording.jsonl"], &[("recording.jsonl", recording)])
}

#[test]
fn help() {
    insta::assert_snapshot!(run(&["--help"], &[]));
}

#[test]
fn help_of_grade() {
    insta::assert_snapshot!(run(&["grade", "--help"], &[]));
}

#[test]
fn wrong_usage() {
    insta::assert_snapshot!(run(&["grade", "--fail-under", "101"], &[]));
    insta::assert_snapshot!(run(&["grad"], &[]));
    insta::assert_snapshot!(run(&[], &[]));
}

#[test]
fn list() {
    insta::assert_snapshot!(run(&["list"], &[]));
    insta::assert_snapshot!(run(&["list", "-o", "markdown"], &[]));
    let json = run(&["list", "-o", "json"], &[]);
    let page = json.split("---- stdout\n").nth(1).unwrap().split("---- stderr").next().unwrap();
    let page: serde_json::Value = serde_json::from_str(page).unwrap();
    assert_eq!(page["checks"].as_array().unwrap().len(), 10);
}

#[test]
fn explain() {
    insta::assert_snapshot!(run(&["explain", "6"], &[]));
    insta::assert_snapshot!(run(&["explain", "overwritten_at_start"], &[]));
    insta::assert_snapshot!(run(&["explain", "container_ends"], &[]));
    insta::assert_snapshot!(run(&["explain", "overwriten"], &[]));
    insta::assert_snapshot!(run(&["explain", "\u{1b}[31m"], &[]));
    assert_eq!(run(&["explain", "6"], &[]), run(&["explain", "identity-persistence"], &[]));
}

#[test]
fn every_check_and_mistake_is_explained() {
    let ids = checks::CHECKS
        .iter()
        .map(|it| it.id)
        .chain(checks::mistakes::MISTAKES.iter().map(|it| it.id));
    let obstacles = checks::model::diagnosis::obstacles();
    let of_the_manifest = ["manifest_refused", "manifest_unreadable"];
    for id in ids.chain(obstacles.map(|(id, ..)| id)).chain(of_the_manifest) {
        let told = run(&["explain", id], &[]);
        assert!(told.starts_with("exit 0"), "{told}");
        assert!(
            told.lines()
                .all(|line| line.chars().count() <= if line.starts_with("    ") { 99 } else { 80 }),
            "{told}"
        );
    }
}

/// Catches a mistake or a check whose reader is not told where the lab tells of it.
#[test]
fn explain_names_the_labs_sections_to_read_again() {
    let checks = checks::CHECKS.iter().map(|it| (it.id, it.read));
    let mistakes = checks::mistakes::MISTAKES.iter().map(|it| (it.id, it.read));
    for (id, sections) in checks.chain(mistakes) {
        let told = run(&["explain", id], &[]);
        let (_, read) = told.split_once("\n  In the lab ").unwrap_or_else(|| panic!("{told}"));
        assert!(!sections.is_empty(), "{id}");
        for section in sections {
            assert!(read.contains(section.title()), "{told}");
        }
    }
}

#[test]
fn judge_of_nothing_done() {
    insta::assert_snapshot!(judge(NOTHING.as_bytes()));
}

#[test]
fn judge_reads_standard_input() {
    let home = TempDir::new().unwrap();
    let piped = stsgrade(&home).args(["judge", "-"]).write_stdin(NOTHING).output().unwrap();
    fs::write(home.path().join("recording.jsonl"), NOTHING).unwrap();
    let named = stsgrade(&home).args(["judge", "recording.jsonl"]).output().unwrap();
    assert_eq!(piped, named);
}

#[test]
fn judge_is_the_same_in_any_surroundings() {
    let home = TempDir::new().unwrap();
    let plain = stsgrade(&home).args(["judge", "-"]).write_stdin(NOTHING).output().unwrap();
    let elsewhere = stsgrade(&home)
        .args(["judge", "-"])
        .envs([
            ("LC_ALL", "tr_TR.UTF-8"),
            ("TZ", "Pacific/Kiritimati"),
            ("COLUMNS", "33"),
            ("CLICOLOR_FORCE", "1"),
            ("NO_COLOR", "1"),
        ])
        .write_stdin(NOTHING)
        .output()
        .unwrap();
    assert_eq!(plain, elsewhere);
}

#[test]
fn judge_of_a_torn_recording() {
    let torn = &NOTHING.as_bytes()[..NOTHING.len() - 40];
    let told = judge(torn);
    assert!(told.contains("cut off before its end"), "{told}");
}

/// Catches ten Fails for a mistyped `--statefulset`, and another set being judged instead.
#[test]
fn judge_of_a_set_that_never_appeared() {
    let named = NOTHING.replacen(
        "\"namespace\":\"statefulset-lab\",",
        "\"namespace\":\"statefulset-lab\",\"asked\":{\"command\":\"record\",\"statefulset\":\"myapp\"},",
        1,
    );
    insta::assert_snapshot!(judge(named.as_bytes()));
    let set = r#"{"seq":1,"at":1,"change":"listed","object":{"StatefulSet":{"metadata":{"name":"web","uid":"u"},"spec":{"replicas":3}}}}"#;
    let (header, _) = named.split_once('\n').unwrap();
    let other = judge(format!("{header}\n{set}\n").as_bytes());
    assert!(other.starts_with("exit 4\n") && other.contains("There were: web."), "{other}");
}

/// Catches a submission that is told to ask for the order that it asks for, where somebody else
/// deleted a pod.
#[test]
fn what_somebody_deletes_while_an_ordered_set_is_scaled_down_is_told_so() {
    let parallel = "fixtures/fail/sequential_creation/parallel/recording.jsonl";
    let recording =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(parallel)).unwrap();
    let ordered = recording.replace("\"Parallel\"", "\"OrderedReady\"");
    let told = judge(ordered.as_bytes());
    let (_, of_scale_down) = told.split_once("was Terminating").unwrap();
    assert!(of_scale_down.contains("somebody else deleted this one"), "{told}");
    assert!(!of_scale_down.contains("Leave `podManagementPolicy`"), "{told}");
}

#[test]
fn judge_of_what_is_no_recording() {
    insta::assert_snapshot!(judge(b""));
    insta::assert_snapshot!(judge(b"\x7fELF\0\0\xff\xfe\n"));
    insta::assert_snapshot!(judge(b"apiVersion: v1\nkind: Service\n"));
    insta::assert_snapshot!(judge(NOTHING.replace("\"version\":1", "\"version\":2").as_bytes()));
    insta::assert_snapshot!(judge(NOTHING.replace("\"subject\"", "\"subject").as_bytes()));
    insta::assert_snapshot!(judge(NOTHING.replace("\"seq\":2", "\"seq\":7").as_bytes()));
    insta::assert_snapshot!(run(&["judge", "missing.jsonl"], &[]));
    insta::assert_snapshot!(run(&["judge", "."], &[]));
    insta::assert_snapshot!(run(&["judge", "missing.jsonl", "-o", "json"], &[]));
}

#[test]
fn a_newer_minor_version_is_read() {
    let newer = NOTHING
        .replace("\"minor\":0", "\"minor\":9")
        .replace("{\"seq\":2,", "{\"seq\":2,\"at\":5,\"oracle\":{}}\n{\"seq\":3,");
    let told = judge(newer.as_bytes());
    assert!(told.contains("1 observations of a newer version were skipped"), "{told}");
    assert!(told.starts_with("exit 1"), "{told}");
}

#[test]
fn json_has_the_shape_of_version_1() {
    let home = TempDir::new().unwrap();
    let output =
        stsgrade(&home).args(["judge", "-", "-o", "json"]).write_stdin(NOTHING).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["format"], "stsgrade-report");
    assert_eq!(report["version"], 1);
    assert_eq!(report["score"], serde_json::json!({"earned": 0, "possible": 100, "undecided": 0}));
    assert!(report.get("statefulSet").is_none(), "absent where there is none");
    assert_eq!(report["cost"], serde_json::json!({"requests": 9, "watchEvents": 0, "wallMs": 1}));
    assert!(report["recording"]["digest"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn exit_codes_follow_the_score() {
    for (args, code) in [
        (&[][..], 1),
        (&["--exit-zero"], 0),
        (&["--fail-under", "0"], 0),
        (&["--fail-under", "10"], 1),
    ] {
        let home = TempDir::new().unwrap();
        stsgrade(&home).args(["judge", "-"]).args(args).write_stdin(NOTHING).assert().code(code);
    }
}

#[test]
fn the_report_file_is_replaced_as_a_whole() {
    let home = TempDir::new().unwrap();
    let report = home.path().join("report.txt");
    fs::write(&report, "old").unwrap();
    let text = ["-o", "text=report.txt"];
    stsgrade(&home).args(["judge", "missing.jsonl"]).args(text).assert().code(4);
    let told = fs::read_to_string(&report).unwrap();
    assert!(told.starts_with("not graded: cannot open missing.jsonl"), "{told}");
    let judge = || {
        let mut command = stsgrade(&home);
        command.args(["judge", "-"]).write_stdin(NOTHING);
        command
    };
    let output = judge().args(text).output().unwrap();
    assert_eq!(fs::read(&report).unwrap(), output.stdout);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing else is left");
    judge().args(["-o", "text=no/such/folder"]).assert().code(4);
}

/// Catches outputs that mix, and a format that is lost beside another.
#[test]
fn several_formats_at_once() {
    let home = TempDir::new().unwrap();
    let output = stsgrade(&home)
        .args(["judge", "-", "-o", "text=a.txt", "-o", "json", "-o", "json=b=1.json", "--quiet"])
        .write_stdin(NOTHING)
        .output()
        .unwrap();
    let read = |name: &str| fs::read(home.path().join(name)).unwrap();
    assert_eq!(read("b=1.json"), output.stdout);
    assert!(read("a.txt").starts_with(b"0 of 100 points"));
    assert!(output.stderr.is_empty());
}

/// Catches one file that says for ever that the run is not finished, because another one failed.
#[test]
fn a_report_file_that_cannot_be_written_is_told_before_the_run() {
    let home = TempDir::new().unwrap();
    let output = stsgrade(&home)
        .args(["judge", "-", "-o", "json=a.json", "-o", "text=no/such/folder"])
        .write_stdin(NOTHING)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(output.stdout.is_empty());
    let told = fs::read_to_string(home.path().join("a.json")).unwrap();
    assert!(told.contains("\"id\": \"report_file\""), "{told}");
}

/// Catches a report file that says for ever that the run is not finished.
#[test]
#[cfg(unix)]
fn a_signal_before_the_report_is_told_in_the_report_file() {
    let home = TempDir::new().unwrap();
    // It accepts, and never answers.
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", server.local_addr().unwrap());
    fs::write(home.path().join("config"), kubeconfig(&address)).unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_stsgrade"))
        .current_dir(home.path())
        .args(["grade", "--kubeconfig", "config", "--save", "r.jsonl", "-o", "json=a.json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let connection = server.accept().unwrap();
    let told = || fs::read_to_string(home.path().join("a.json")).unwrap();
    assert!(told().contains("\"id\": \"not_finished\""), "{}", told());
    let pid = child.id().to_string();
    std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(told().contains("\"id\": \"interrupted\""), "{}", told());
    drop(connection);
}

#[test]
fn wrong_outputs() {
    let mut all = String::new();
    for outputs in [&["jsn"][..], &["pdf"], &["json="], &["json", "text=-"], &["text=a", "json=a"]]
    {
        let mut args = vec!["judge", "missing.jsonl"];
        outputs.iter().for_each(|it| args.extend(["-o", it]));
        let told = run(&args, &[]);
        assert!(told.starts_with("exit 2\n"), "{told}");
        all.push_str(&told);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("recording.jsonl"), NOTHING).unwrap();
    for args in [&["judge", "recording.jsonl"][..], &["list"], &["--help"], &["explain", "6"]] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_stsgrade"));
        let mut child = command
            .current_dir(home.path())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        // No code: killed by a signal, which a shell tells.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{args:?}: {}", output.status);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("recording.jsonl"), NOTHING).unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_stsgrade"))
        .current_dir(home.path())
        .args(["judge", "recording.jsonl"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("failed to write"));
}

/// A kubeconfig for that server.
pub(crate) fn kubeconfig(server: &str) -> Vec<u8> {
    let mut text = vec![];
    writeln!(
        text,
        "apiVersion: v1\nkind: Config\ncurrent-context: lab\nclusters:\n- name: c\n  \
        cluster:\n    server: {server}"
    )
    .unwrap();
    writeln!(
        text,
        "contexts:\n- name: lab\n  context: {{cluster: c, user: u}}\nusers:\n- name: \
        u\n  user: {{token: none}}"
    )
    .unwrap();
    text
}

/// A grade that cannot reach anything: how it ends, with the HOME of the machine out of sight.
#[track_caller]
pub(crate) fn grade(kubeconfig: Option<&[u8]>, args: &[&str]) -> String {
    let args: Vec<&str> =
        ["grade", "--save", "recording.jsonl"].iter().chain(args).copied().collect();
    let files: Vec<(&str, &[u8])> = kubeconfig.iter().map(|content| ("config", *content)).collect();
    let args: Vec<&str> = if kubeconfig.is_some() {
        args.into_iter().chain(["--kubeconfig", "config"]).collect()
    } else {
        args
    };
    run(&args, &files)
}

#[test]
fn no_cluster() {
    insta::assert_snapshot!(grade(None, &[]));
    insta::assert_snapshot!(grade(Some(b"not: [a kubeconfig"), &[]));
    insta::assert_snapshot!(grade(Some(&kubeconfig("https://127.0.0.1:1")), &[]));
    insta::assert_snapshot!(grade(
        Some(&kubeconfig("https://127.0.0.1:1")),
        &["--context", "elsewhere"]
    ));
    insta::assert_snapshot!(grade(Some(&kubeconfig("http://127.0.0.1:1")), &["-o", "json"]));
}

#[test]
fn every_command_says_that_there_is_no_cluster() {
    for args in [&["grade"][..], &["record"], &["restore"]] {
        let told = run(args, &[]);
        assert!(told.starts_with("exit 4\n"), "{args:?}: {told}");
        assert!(told.contains("\nnext:  "), "{args:?}: {told}");
    }
}

#[test]
fn a_submission_is_refused_before_any_cluster_is_asked() {
    let refuse = |content: &[u8]| run(&["grade", "-f", "lab.yaml"], &[("lab.yaml", content)]);
    insta::assert_snapshot!(refuse(b"kind: [Service\n"));
    insta::assert_snapshot!(refuse(b"apiVersion: v1\nkind: Node\nmetadata:\n  name: node-1\n"));
    insta::assert_snapshot!(run(&["grade", "-f", "missing.yaml"], &[]));
    // Programs are told where, and in which field.
    let old = b"# mine\napiVersion: apps/v1beta1\nkind: StatefulSet\nmetadata:\n  name: web\n";
    insta::assert_snapshot!(run(&["grade", "-o", "json", "-f", "lab.yaml"], &[("lab.yaml", old)]));
}

#[test]
fn rbac() {
    insta::assert_snapshot!(run(&["rbac"], &[]));
    insta::assert_snapshot!(run(&["rbac", "-n", "my-lab", "-f", "--probe-image"], &[]));
}

/// Catches a report of an edited recording that looks like a grader's own.
#[test]
fn a_signature_tells_what_a_grader_recorded() {
    let digest = |recording: &str| {
        let told = run(&["judge", "r", "-o", "json"], &[("r", recording.as_bytes())]);
        told.split_once("\"digest\": \"").unwrap().1.split('"').next().unwrap().to_owned()
    };
    let made = Key::new("class of 2026").sign(&digest(NOTHING)).hmac_sha256;
    let signed = format!(
        "{NOTHING}{{\"seq\":3,\"at\":2000000,\"signature\":{{\"hmacSha256\":\"{made}\"}}}}\n"
    );
    // What a watch tells while a refused submission is cleaned up stands between, and what only a
    // newer version knows.
    let told = "{\"seq\":3,\"at\":2000000,\"log\":{\"pod\":{\"name\":\"web-0\",\"uid\":\"u\"}}}\n\
        {\"seq\":4,\"at\":2000000,\"newThing\":{}}\n{\"seq\":5,";
    let later = signed.replace("{\"seq\":3,", told);
    assert_eq!(digest(&signed), digest(NOTHING), "the signature is not a part of what it signs");
    let judged = |recording: &str, key: &str| {
        let home = TempDir::new().unwrap();
        let mut command = stsgrade(&home);
        let judged = command.args(["judge", "-"]).env("STSGRADE_KEY", key).write_stdin(recording);
        String::from_utf8(judged.output().unwrap().stdout).unwrap()
    };
    for (recording, key, said) in [
        (signed.as_str(), "class of 2026", "its signature is valid"),
        (later.as_str(), "class of 2026", "its signature is valid"),
        (signed.as_str(), "another", "is NOT valid"),
        (&signed.replace("\"requests\":9", "\"requests\":8"), "class of 2026", "is NOT valid"),
        (signed.as_str(), "", "was not checked"),
        (NOTHING, "class of 2026", "it is not signed"),
    ] {
        let told = judged(recording, key);
        assert!(told.contains(said), "{key}: {told}");
    }
}

/// Catches a key of any bytes that counts as none.
#[cfg(unix)]
#[test]
fn a_key_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let key = [0xff, 0xfe];
    let told = run(&["judge", "r", "-o", "json"], &[("r", NOTHING.as_bytes())]);
    let digest = told.split_once("\"digest\": \"").unwrap().1.split('"').next().unwrap();
    let made = Key::new(key).sign(digest).hmac_sha256;
    let signed =
        format!("{NOTHING}{{\"seq\":3,\"at\":2,\"signature\":{{\"hmacSha256\":\"{made}\"}}}}\n");
    let home = TempDir::new().unwrap();
    let mut command = stsgrade(&home);
    command.args(["judge", "-"]).env("STSGRADE_KEY", std::ffi::OsStr::from_bytes(&key));
    let judged = command.write_stdin(signed).output().unwrap();
    let told = String::from_utf8(judged.stdout).unwrap();
    assert!(told.contains("its signature is valid"), "{told}");
}

/// Catches a rubric that is read without a bound, because a device or a pipe tells no length.
#[cfg(unix)]
#[test]
fn a_rubric_without_an_end_is_refused() {
    let home = TempDir::new().unwrap();
    let mut command = stsgrade(&home);
    let judged = command.args(["judge", "-", "--rubric", "/dev/zero"]).write_stdin(NOTHING);
    let judged = judged.output().unwrap();
    let told = String::from_utf8(judged.stderr).unwrap();
    assert_eq!(judged.status.code(), Some(4), "{told}");
    assert!(told.contains("it is longer than 1 MiB"), "{told}");
}

/// Catches a `show` that prints an older grade's report, or none, or that of a grade that came to
/// no report.
#[test]
fn show_prints_the_last_report() {
    let home = TempDir::new().unwrap();
    let none = stsgrade(&home).arg("show").output().unwrap();
    assert_eq!(none.status.code(), Some(4));
    let state = home.path().join(".local/state/stsgrade");
    fs::create_dir_all(&state).unwrap();
    for (place, name) in ["b.jsonl", "a.jsonl"].into_iter().enumerate() {
        let recording = NOTHING.replace("statefulset-lab", &format!("lab-{place}"));
        fs::write(state.join(name), recording).unwrap();
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(place as u64);
        fs::File::open(state.join(name)).unwrap().set_modified(time).unwrap();
    }
    for args in [&["show"][..], &["show", "--last", "-v"]] {
        let shown = stsgrade(&home).args(args).output().unwrap();
        assert_eq!(shown.status.code(), Some(1));
        assert!(String::from_utf8(shown.stdout).unwrap().contains("in namespace lab-1"));
    }
    // A grade that found no cluster leaves no more than its first line.
    let header = NOTHING.lines().next().unwrap().replace("statefulset-lab", "lab-2");
    fs::write(state.join("c.jsonl"), header + "\n").unwrap();
    let shown = stsgrade(&home).arg("show").output().unwrap();
    assert!(String::from_utf8(shown.stdout).unwrap().contains("in namespace lab-1"));
    let told = String::from_utf8(shown.stderr).unwrap();
    assert!(
        told.contains("in namespace lab-1; what was begun after it came to no report"),
        "{told}"
    );
    // Where several are graded, each has a last report.
    let shown = |namespace: &str| {
        let shown = stsgrade(&home).args(["show", "-n", namespace]).output().unwrap();
        let [out, err] = [shown.stdout, shown.stderr].map(|it| String::from_utf8(it).unwrap());
        (shown.status.code(), out, err)
    };
    let (status, out, err) = shown("lab-0");
    assert_eq!(status, Some(1));
    assert!(out.contains("in namespace lab-0"), "{out}");
    assert!(err.contains("note: recorded from ") && err.contains("in namespace lab-0"), "{err}");
    // What never came to its end is said, too.
    let (_, _, err) = shown("lab-2");
    assert!(err.starts_with("note: recorded from ") && err.contains("namespace lab-2"), "{err}");
    let (status, out, err) = shown("elsewhere");
    assert_eq!((status, out.as_str()), (Some(4), ""));
    let listed = "There are: lab-2, lab-1, lab-0.";
    assert!(err.contains("of namespace elsewhere is kept") && err.contains(listed), "{err}");
    assert!(shown("lab-11").2.contains("Did you mean lab-1?"));
}

/// Catches a `show` that prints the grade before one whose manifest was refused before any cluster
/// was asked.
#[test]
fn show_knows_a_manifest_that_was_refused() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("lab.yaml");
    fs::write(&file, "kind: [Service\n").unwrap();
    let out = |args: &[&str]| {
        let ran = stsgrade(&home).current_dir(home.path()).args(args).output().unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    let refused = out(&["grade", "-n", "mine", "-f", "lab.yaml"]);
    let shown = out(&["show"]);
    for part in ["the manifest cannot be applied (lab.yaml:", "kind: [Service"] {
        assert!(refused.contains(part) && shown.contains(part), "{refused}\n---\n{shown}");
    }
}

/// Catches a remedy that says to delete the PVCs and does not type it, and lines to change that stand
/// in no file.
#[test]
fn what_is_explained_can_be_typed() {
    for id in [
        "class_none",
        "class_missing",
        "too_small",
        "wrong_access_mode",
        "volume_missing",
        "shared_storage",
        "earlier_content",
    ] {
        let told = run(&["explain", id], &[]);
        assert!(told.contains("kubectl delete pvc -n NS PVCS"), "{told}");
        let has_lines = !matches!(id, "shared_storage" | "earlier_content");
        let is_mistake = told.contains("  Why ");
        assert_eq!(told.contains("  Change"), has_lines && is_mistake, "{told}");
    }
}

/// Catches a README whose report is not what the tool prints.
#[test]
fn the_readme_shows_a_real_report() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let command = "cargo run --quiet -- judge ";
    let recording = readme.lines().find_map(|line| line.strip_prefix(command)).unwrap();
    let bytes = fs::read(root.join(recording)).unwrap();
    let told = judge(&bytes);
    let printed = told.split_once("---- stdout\n").unwrap().1;
    let printed = printed.split_once("---- stderr\n").unwrap().0;
    let block = format!("<!-- report -->\n```text\n{printed}```\n<!-- end -->\n");
    assert!(readme.contains(&block), "put this into README.md:\n{block}");
}

/// Catches `--client` that asks a cluster, and a cluster that is not there without a word.
#[test]
fn the_version_of_the_tool_needs_no_cluster() {
    let told = run(&["version", "--client"], &[]);
    assert!(told.starts_with("exit 0\n") && told.contains(env!("CARGO_PKG_VERSION")), "{told}");
    let told = run(&["version", "--kubeconfig", "nowhere"], &[]);
    assert!(told.starts_with("exit 4\n") && told.contains("nowhere"), "{told}");
    let page = concat!("stsgrade ", env!("CARGO_PKG_VERSION"));
    assert!(told.contains(page), "{told}");
}

/// Catches a manifest that is read twice: of what comes by a pipe the second reading finds nothing,
/// and of a named pipe it never ends.
#[test]
fn a_manifest_is_read_once() {
    let home = TempDir::new().unwrap();
    let output =
        stsgrade(&home).args(["grade", "-f", "-"]).write_stdin("a: 1\n b: 2\n").output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("Look at   standard input:2 ("), "{told}");
    assert!(told.contains("\n        a: 1\n         b: 2\n"), "{told}");
}

/// Catches a Job that may do more, or less, than a grade needs.
#[test]
fn job() {
    insta::assert_snapshot!(run(
        &["job", "-n", "my-lab", "--image", "lab.example/stsgrade:1"],
        &[]
    ));
}

/// Catches a rubric that does not get into the cluster, a Role without what the flags need, and a
/// grade that is ended before its own time is over.
#[test]
fn job_with_a_rubric() {
    let flags = ["--rubric", "rubric.toml", "--probe-image", "busybox:1.36", "--timeout", "5h"];
    let told = run(
        &[&["job", "--image", "i", "-o", "json", "--statefulset", "web"][..], &flags].concat(),
        &[("rubric.toml", b"pass_mark = 60\n")],
    );
    let shown = told.find("apiVersion: v1\ndata:").unwrap();
    insta::assert_snapshot!(&told[shown..]);
    assert!(told.contains("resources: [pods/ephemeralcontainers]"), "{told}");
}

/// Catches a Job that cannot grade, or whose report nobody can read.
#[test]
fn job_refused() {
    let told = run(&["job", "--image", "i", "-o", "json=report.json"], &[]);
    assert!(told.starts_with("exit 2\n") && told.contains("a Job's files go with its pod"));
    let told = run(&["job", "--image", "i", "--rubric", "r"], &[("r", b"pass_mark = 101\n")]);
    assert!(told.starts_with("exit 4\n") && told.contains("error: r, line 1, "), "{told}");
}

/// Catches a report on a misspelt or missing field that shows the object's first line, and one
/// without the change that its words name.
#[test]
fn a_misspelt_manifest_shows_its_own_line() {
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n---\n";
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: db\nspec:\n  \
               serviceName: web\n  selector: {matchLabels: {a: b}}\n";
    for (wrong, right, lines) in [
        (
            "kind: StatefulSet\n",
            "kind: StatfulSet\n",
            "lab.yaml:7, kind:\n        apiVersion: apps/v1\n      \
             - kind: StatfulSet\n      + kind: StatefulSet\n",
        ),
        (
            "kind: StatefulSet\n",
            "",
            "after lab.yaml:6, kind:\n        apiVersion: apps/v1\n      \
             + kind: StatefulSet\n",
        ),
        (
            "apiVersion: apps/v1\n",
            "",
            "before lab.yaml:6, apiVersion:\n      + apiVersion: apps/v1\n        kind: StatefulSet\n",
        ),
        (
            "apiVersion: v1\n",
            "",
            "before lab.yaml:1, apiVersion:\n      + apiVersion: v1\n        kind: Service\n",
        ),
        ("  name: db\n", "  labels: {a: b}\n", "lab.yaml:8 (the last of these lines):"),
    ] {
        let text = (service.to_owned() + set).replacen(wrong, right, 1);
        let told = run(&["grade", "-f", "lab.yaml"], &[("lab.yaml", text.as_bytes())]);
        assert!(told.starts_with("exit 1\n") && told.contains(lines), "{told}");
    }
}
