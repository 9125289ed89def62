//! `stsgrade batch` as far as no cluster is needed.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::Path,
    sync::{Arc, Mutex},
};

use flate2::{Compression, write::GzEncoder};
use ruzstd::encoding::CompressionLevel;
use serde_json::Value;
use stsgrade::{
    batch::{
        handin::Member,
        results::{HandInResult, ResultState},
    },
    report::Points,
};
use tempfile::TempDir;

use crate::{
    cli::{NOTHING, kubeconfig, run, stsgrade},
    fake::serve,
};

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: TYPE}\n";
const ADMIN: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n\
    metadata: {name: admin}\n";

/// Catches a dry run that connects or leaves something, and a hand-in that it says nothing of.
#[test]
fn a_dry_run_says_what_would_become_of_each() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("in");
    fs::create_dir(&folder).unwrap();
    for (name, text) in [
        ("Ada.yaml", SERVICE.replace("TYPE", "ClusterIP")),
        ("bob.yml", SERVICE.replace("TYPE", "LoadBalancer")),
        ("cy.yaml", ADMIN.to_owned()),
        ("dee.yaml", "a: [b".to_owned()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let ran = stsgrade(&home).args(["batch", "in", "--dry-run"]).output().unwrap();
    let out = String::from_utf8(ran.stdout).unwrap();
    // A table may break a cell over several lines.
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(ran.status.code(), Some(0), "{out}");
    for row in [
        "ada Ada Service/web",
        "bob bob held for you to look at: ",
        "type LoadBalancer, which opens a port of the cluster",
        "cy cy held for you to look at: ",
        "this grader applies no objects of this kind",
        "dee dee no points: ",
        "unclosed bracket '['",
    ] {
        assert!(words.contains(row), "{row}: {out}");
    }
    assert!(!home.path().join("out").exists());
}

/// Catches a clean-up that takes any folder for its own, results that become hand-ins of the next
/// run, and a run without hand-ins.
#[test]
fn what_cannot_be_meant_is_refused_at_once() {
    let clean = run(&["batch", "--clean", "-o", "."], &[]);
    assert!(clean.starts_with("exit 4") && clean.contains("holds no run"), "{clean}");
    let among = run(&["batch", ".", "-o", "./"], &[]);
    assert!(among.starts_with("exit 2") && among.contains("among the hand-ins"), "{among}");
    for args in [&["batch", "-o", "out"][..], &["batch", "in", "-o", "out", "--jobs", "0"]] {
        assert!(run(args, &[]).starts_with("exit 2"), "{args:?}");
    }
}

/// Catches a worker that may do more than grade, an object that stays when the run's namespace is
/// deleted, and students' work on the screen.
#[test]
fn what_the_cluster_is_given_for_a_batch() {
    let args = ["batch", "--in-cluster", "--print", "--image", "lab.example/stsgrade:1"];
    let args = [&args[..], &["--workers", "2", "--queue", "lab", "in", "-o", "out"]].concat();
    let home = TempDir::new().unwrap();
    let folder = home.path().join("in");
    fs::create_dir(&folder).unwrap();
    for name in ["ada.yaml", "bob.yaml", "cy.yaml"] {
        fs::write(folder.join(name), SERVICE.replace("TYPE", "ClusterIP")).unwrap();
    }
    let ran = stsgrade(&home).args(&args).output().unwrap();
    assert_eq!(ran.status.code(), Some(0));
    assert!(!home.path().join("out").exists());
    // The run has another id each time.
    insta::with_settings!({filters => [
        (r"stsgrade-[a-z0-9]{6}-workers", "stsgrade-[RUN]-workers"),
        (r"--run=[a-z0-9]{6}", "--run=[RUN]"),
        // One of digits alone is quoted.
        (r#"run: "?[a-z0-9]{6}"?\n"#, "run: [RUN]\n"),
    ]}, {
        insta::assert_snapshot!(String::from_utf8(ran.stdout).unwrap());
    });
}

/// A folder of results: of Ada, whose recording says less than her result, and of Bob, of whom
/// there is none.
fn results(home: &TempDir, recording: &[u8]) {
    let result = |id: &str, state, letters: &str, points| HandInResult {
        id: id.to_owned(),
        owner: Member { name: id.to_uppercase(), ..Member::default() },
        state,
        letters: letters.to_owned(),
        points: Points::whole(points),
        possible: Points::whole(100),
        ..HandInResult::default()
    };
    let all = [
        result("ada", ResultState::Graded, "PPPPPPPPPP", 100),
        result("bob", ResultState::Held, "", 0),
    ];
    let out = home.path().join("out");
    fs::create_dir_all(out.join("ada")).unwrap();
    let run = r#"{"format": "stsgrade-batch", "version": 1, "run": "abc123"}"#;
    fs::write(out.join("run.json"), run).unwrap();
    let lines = all.map(|it| serde_json::to_string(&it).unwrap() + "\n");
    fs::write(out.join("results.jsonl"), lines.concat()).unwrap();
    fs::write(out.join("ada/recording.jsonl.gz"), recording).unwrap();
}

fn compressed(file: &str) -> Vec<u8> {
    by_gzip(&fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap())
}

fn by_gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(vec![], Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

const OVERWRITE: &str = "fixtures/fail/identity_persistence/overwrite/recording.jsonl";

/// Catches points that change without a word, a rubric that changes none, gradebooks that stay as
/// they were, and a result without a recording that is lost.
#[test]
fn the_kept_recordings_are_judged_again() {
    let home = TempDir::new().unwrap();
    results(&home, &compressed(OVERWRITE));
    let rubric = "[checks.identity_persistence]\npoints = 30\n";
    fs::write(home.path().join("rubric.toml"), rubric).unwrap();
    let judged = |args: &[&str]| {
        let ran = stsgrade(&home).args(["batch", "judge", "out"]).args(args).output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    let told = judged(&[]);
    assert!(told.contains("ADA: PPPPPPPPPP 100 of 100 -> PPPPPFPPPF 80 of 100"), "{told}");
    assert!(
        told.contains("test 6: passed before, failed now, test 10: passed before, failed now"),
        "{told}"
    );
    assert!(told.contains("1 hand-in judged again: the points of 1 changed"), "{told}");
    assert!(judged(&[]).contains("the points of 0 changed"));
    let told = judged(&["--rubric", "rubric.toml"]);
    assert!(told.contains("the rubric gives other points"), "{told}");
    let text = fs::read_to_string(home.path().join("out/results.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0]["letters"], "PPPPPFPPPF");
    assert_eq!(lines[1]["state"], "held");
    let gradebook = fs::read_to_string(home.path().join("out/gradebook.csv")).unwrap();
    assert!(gradebook.contains("ADA"), "{gradebook}");
}

/// Catches a recording that keeps its result because it is too large to be judged beside others.
#[test]
fn a_large_recording_is_judged() {
    const LINES: usize = 20_000;
    let mut text: Vec<String> = NOTHING.lines().take(2).map(str::to_owned).collect();
    for seq in 2..LINES {
        text.push(format!(r#"{{"seq":{seq},"at":{seq},"gap":{{"kind":"Pod","reason":""}}}}"#));
    }
    text.push(format!(r#"{{"seq":{LINES},"at":{LINES},"end":{{"why":"complete"}}}}"#));
    let home = TempDir::new().unwrap();
    results(&home, &by_gzip((text.join("\n") + "\n").as_bytes()));
    let told = run_in(&home, &["batch", "judge", "out"]);
    assert!(told.contains("ADA: PPPPPPPPPP 100 of 100 -> FFFFFFFFFF 0 of 100"), "{told}");
}

/// Catches a recording that is half there and costs a student points, and a panic.
#[test]
fn a_recording_that_is_cut_off_changes_nothing() {
    let home = TempDir::new().unwrap();
    let whole = compressed(OVERWRITE);
    results(&home, &whole[..whole.len() / 2]);
    let before = fs::read_to_string(home.path().join("out/results.jsonl")).unwrap();
    let ran = stsgrade(&home).args(["batch", "judge", "out"]).output().unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.code() == Some(0) && told.contains("warning: ada: "), "{told}");
    assert_eq!(fs::read_to_string(home.path().join("out/results.jsonl")).unwrap(), before);
}

/// Catches points that are lost with the file of a recording, and a hand-in that was refused and
/// has none, of which a rubric changes how many points there are.
#[test]
fn a_hand_in_without_a_recording_keeps_its_result() {
    let home = TempDir::new().unwrap();
    results(&home, b"");
    let out = home.path().join("out");
    fs::remove_dir_all(out.join("ada")).unwrap();
    let refused = r#"{"id":"cy","name":"cy","state":"graded","letters":"FFFFFFFFFF","points":0,"possible":100,"undecided":0,"causes":[{"id":"manifest_unreadable","title":"t","tests":[1]}]}"#;
    let lines = fs::read_to_string(out.join("results.jsonl")).unwrap();
    fs::write(out.join("results.jsonl"), lines.clone() + refused + "\n").unwrap();
    let rubric = "[checks.identity_persistence]\npoints = 30\n";
    fs::write(home.path().join("rubric.toml"), rubric).unwrap();
    let args = ["batch", "judge", "out", "--rubric", "rubric.toml"];
    let ran = stsgrade(&home).args(args).output().unwrap();
    let (told, warned) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr));
    let warned = warned.unwrap();
    assert!(warned.contains("warning: ada: not judged again, its result stays: "), "{warned}");
    assert!(told.contains("1 hand-in was not judged again"), "{told}");
    assert!(told.contains("cy: FFFFFFFFFF 0 of 100: t -> FFFFFFFFFF 0 of 120"), "{told}");
    let after = fs::read_to_string(out.join("results.jsonl")).unwrap();
    assert_eq!(after.lines().next(), lines.lines().next());
}

/// Catches a recording that is not found because zstd compressed it.
#[test]
fn a_recording_that_zstd_compressed_is_judged_again() {
    let home = TempDir::new().unwrap();
    results(&home, b"");
    let folder = home.path().join("out/ada");
    fs::remove_file(folder.join("recording.jsonl.gz")).unwrap();
    let plain = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(OVERWRITE)).unwrap();
    let by_zstd = ruzstd::encoding::compress_to_vec(&*plain, CompressionLevel::Fastest);
    fs::write(folder.join("recording.jsonl.zst"), by_zstd).unwrap();
    let told = run_in(&home, &["batch", "judge", "out"]);
    assert!(told.contains("ADA: PPPPPPPPPP 100 of 100 -> PPPPPFPPPF 80 of 100"), "{told}");
}

/// What one command prints, which exits with 0.
#[track_caller]
fn run_in(home: &TempDir, args: &[&str]) -> String {
    let ran = stsgrade(home).args(args).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// Catches a compressed recording that is judged otherwise than it was.
#[test]
fn a_compressed_recording_is_judged_as_the_plain_one() {
    let plain = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(OVERWRITE)).unwrap();
    let judge = |bytes: &[u8]| run(&["judge", "recording"], &[("recording", bytes)]);
    let told = judge(&compressed(OVERWRITE));
    assert!(told.contains("80 of 100 points"), "{told}");
    assert_eq!(told, judge(&plain));
}

/// Catches a class that one hand-in stops, and a name that moves the cursor of a terminal.
#[test]
fn what_one_hands_in_neither_stops_nor_fools_the_instructor() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("in");
    let bad = folder.join("x\u{1b}]0;PWNED\u{7}");
    fs::create_dir_all(&bad).unwrap();
    for number in 0..3 {
        fs::write(bad.join(format!("{number}.json")), vec![b' '; 8 << 20]).unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", bad.join("y\u{1b}[31m.yaml")).unwrap();
    fs::write(folder.join("ada.yaml"), SERVICE.replace("TYPE", "ClusterIP")).unwrap();
    fs::write(home.path().join("roster.csv"), "id;name\n1;Ada\n;\n").unwrap();
    let ran = stsgrade(&home)
        .args(["batch", "in", "--dry-run", "--roster", "roster.csv"])
        .output()
        .unwrap();
    let out = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{out}");
    assert!(out.contains("Service/web") && out.contains("its manifests are larger"), "{out}");
    assert!(out.contains("belongs to nobody in the roster") && !out.contains('\u{1b}'), "{out}");
}

/// Catches points for lateness that nobody can know of, without a word.
#[test]
fn with_a_due_date_it_is_told_where_lateness_is_not_known() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("in/Jane Doe_7_assignsubmission_file_");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("lab.yaml"), SERVICE.replace("TYPE", "ClusterIP")).unwrap();
    let listed = |args: &[&str]| {
        let ran = stsgrade(&home).args(["batch", "in", "--dry-run"]).args(args).output().unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    let note = "note: no late points, because an export of Moodle does not tell when";
    let told = listed(&["--due", "2026-11-30T23:59:00+01:00"]);
    assert!(told.contains(note), "{told}");
    assert!(!listed(&[]).contains(note));
}

/// A class that no cluster needs to see, with a server that knows no namespace.
struct Class {
    home: TempDir,
}

/// What no manifest is.
const BROKEN: &str = "a: [b";

impl Class {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let server = serve(|what| {
            match what {
            "GET /version" => (200, r#"{"major":"1","minor":"37","gitVersion":"v1.37.0"}"#.into()),
            what if what.starts_with("GET /api/v1/namespaces?") => (
                200,
                r#"{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{},"items":[]}"#.into(),
            ),
            _ => (404, r#"{"kind":"Status","apiVersion":"v1","code":404}"#.into()),
        }
        });
        fs::write(home.path().join("config"), kubeconfig(&server)).unwrap();
        Self { home }
    }

    fn hand_in(&self, name: &str, text: &str) {
        let file = self.home.path().join("in").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// What a run says on standard error.
    fn grade(&self, args: &[&str]) -> String {
        let all = [&["batch", "in", "-o", "out", "--kubeconfig", "config"], args].concat();
        let ran = stsgrade(&self.home).args(all).output().unwrap();
        String::from_utf8(ran.stderr).unwrap()
    }

    fn output(&self, file: &str) -> String {
        fs::read_to_string(self.home.path().join("out").join(file)).unwrap()
    }

    /// A field of each result, by the platform's key.
    fn results(&self, field: &str) -> BTreeMap<String, String> {
        let text = self.output("results.jsonl");
        let lines = text.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        lines.map(|it| (text(&it["key"]), text(&it[field]))).collect()
    }
}

/// Catches a student who gets another's result and is never graded because the names are alike, a
/// second version of a hand-in that is not graded, and an id that is asked for and is not.
#[test]
fn a_run_goes_on_with_each_one_s_own_result() {
    let class = Class::new();
    class.hand_in("Jane Doe_778_assignsubmission_file_/lab.yaml", BROKEN);
    let told = class.grade(&[]);
    let first = class.results("id");
    assert_eq!(first["778"], "jane-doe", "{told}");
    class.hand_in("Jane Doe_777_assignsubmission_file_/lab.yaml", "kind: [");
    let told = class.grade(&[]);
    let both = class.results("id");
    assert!(told.contains("1 of 2 have a result already"), "{told}");
    assert!(both["778"] == "jane-doe" && both["777"].starts_with("jane-doe-"), "{both:?}");
    assert_ne!(class.results("digest")["777"], class.results("digest")["778"]);
    let listed = run_in(&class.home, &["batch", "in", "-o", "out", "--dry-run"]);
    assert!(listed.contains(&both["777"]), "{listed}");
    class.hand_in("Jane Doe_778_assignsubmission_file_/lab.yaml", "kind: {");
    let told = class.grade(&[]);
    assert!(told.contains("note: Jane Doe was handed in anew since it was graded"), "{told}");
    assert!(told.contains("1 of 2 have a result already"), "{told}");
    assert!(class.grade(&[]).contains("2 of 2 have a result already"));
    let told = class.grade(&["--only", "jane-doe"]);
    assert!(told.contains("1 of 2") && told.contains("Jane Doe: FFFFFFFFFF"), "{told}");
    assert_eq!(class.results("id"), both);
}

/// Catches points of an earlier version of a hand-in, and its reports, that count for the one that
/// was handed in anew.
#[test]
fn an_earlier_recording_gives_no_points_to_what_is_handed_in_anew() {
    let class = Class::new();
    class.hand_in("ada.yaml", BROKEN);
    class.grade(&[]);
    let folder = class.home.path().join("out/ada");
    let names = || {
        let all = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name());
        let mut all: Vec<_> = all.map(|it| it.into_string().unwrap()).collect();
        all.sort();
        all
    };
    let of_earlier = || {
        fs::write(folder.join("recording.jsonl.gz"), compressed(OVERWRITE)).unwrap();
        fs::write(folder.join("report.html"), "of the earlier one").unwrap();
    };
    of_earlier();
    class.hand_in("ada.yaml", "kind: {");
    class.grade(&[]);
    assert_eq!(names(), ["report.json", "report.txt"]);
    let judged = run_in(&class.home, &["batch", "judge", "out"]);
    assert!(judged.contains("the points of 0 changed"), "{judged}");
    of_earlier();
    class.hand_in("ada.yaml", ADMIN);
    let told = class.grade(&[]);
    assert_eq!(class.results("state")["ada"], "held", "{told}");
    assert!(names().is_empty(), "{:?}", names());
    assert!(!class.output("index.html").contains("report.txt"));
}

/// Catches a student with two lines in a gradebook: the second is of a hand-in that is of another or
/// of nobody by the corrected roster, or that is gone.
#[test]
fn each_student_has_one_line() {
    let class = Class::new();
    let roster = |text: &str| fs::write(class.home.path().join("roster.csv"), text).unwrap();
    let lines = |id: &str| {
        let book = class.output("gradebook.csv");
        book.lines().filter(|it| it.starts_with(&format!("{id},"))).count()
    };
    let of = |key: &str| {
        let text = class.output("results.jsonl");
        let mut lines = text.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        lines.find(|it| it["key"] == key).unwrap()["student"].as_str().map(str::to_owned)
    };
    class.hand_in("Jane Doe.yaml", BROKEN);
    roster("id,name\n1,Jane Doe\n");
    class.grade(&["--roster", "roster.csv"]);
    assert_eq!(of("Jane Doe").as_deref(), Some("1"));
    roster("id,name,file\n1,Jane Doe,other.yaml\n");
    class.hand_in("other.yaml", BROKEN);
    class.grade(&["--roster", "roster.csv"]);
    assert_eq!((of("Jane Doe"), of("other").as_deref()), (None, Some("1")));
    assert_eq!(lines("1"), 1);
    roster("id,name\n1,Jane Doe\n2,Jane Doe\n");
    let told = class.grade(&["--roster", "roster.csv"]);
    assert!(told.contains("may belong to Jane Doe (id 1) or to Jane Doe (id 2)"), "{told}");
    assert_eq!((of("Jane Doe"), of("other")), (None, None));

    roster("id,name\n1,Jane Doe\n2,Bob\n");
    fs::remove_file(class.home.path().join("in/other.yaml")).unwrap();
    class.hand_in("bob.yaml", BROKEN);
    class.grade(&["--roster", "roster.csv"]);
    fs::rename(class.home.path().join("in/bob.yaml"), class.home.path().join("in/2.yaml")).unwrap();
    let told = class.grade(&[]);
    let note = "note: 2 results count for nobody, because their hand-ins are gone: bob, other";
    assert!(told.contains(note), "{told}");
    assert_eq!((lines("1"), lines("2")), (1, 1));
    run_in(&class.home, &["batch", "judge", "out"]);
    assert_eq!((lines("1"), lines("2")), (1, 1));
    assert!(class.home.path().join("out/bob/report.txt").is_file());
}

/// Catches a gradebook with points of two rubrics.
#[test]
fn a_second_rubric_is_refused_until_the_results_are_judged_by_it() {
    let class = Class::new();
    class.hand_in("ada.yaml", BROKEN);
    let rubric = |points: u32| {
        let text = format!("[checks.identity_persistence]\npoints = {points}\n");
        fs::write(class.home.path().join("rubric.toml"), text).unwrap();
    };
    rubric(30);
    class.grade(&["--rubric", "rubric.toml"]);
    rubric(50);
    class.hand_in("bob.yaml", BROKEN);
    let told = class.grade(&["--rubric", "rubric.toml"]);
    assert!(told.contains("the results in out have their points by another rubric"), "{told}");
    assert!(told.contains("`stsgrade batch judge out --rubric rubric.toml`"), "{told}");
    assert_eq!(class.results("id").len(), 1);
    run_in(&class.home, &["batch", "judge", "out", "--rubric", "rubric.toml"]);
    class.grade(&["--rubric", "rubric.toml"]);
    let book = class.output("gradebook.csv");
    assert_eq!(book.lines().filter(|it| it.contains(",140,0,")).count(), 2, "{book}");
}

/// Catches points that lateness cost and that come back, students who are not missing any more, and
/// an assignment that Canvas does not know, because a later command does not say all again.
#[test]
fn what_a_run_was_told_holds_for_its_results() {
    let class = Class::new();
    class.hand_in("Jane Doe/lab.yaml", BROKEN);
    fs::write(class.home.path().join("roster.csv"), "id,name\ns1,Jane Doe\ns2,Bob Roe\n").unwrap();
    let rubric = "[checks.identity_persistence]\npoints = 30\n";
    fs::write(class.home.path().join("rubric.toml"), rubric).unwrap();
    // The roster comes later than the result.
    class.grade(&["--rubric", "rubric.toml", "--assignment", "Lab (123)"]);
    let due = "2001-01-01T00:00:00Z";
    let told = class.grade(&["--roster", "roster.csv", "--due", due, "--late-per-day", "5"]);
    assert_eq!(class.results("student")["Jane Doe"], "s1", "{told}");
    let books = || ["gradebook.csv", "canvas.csv", "moodle.csv"].map(|it| class.output(it));
    let first = books();
    let row = first[0].lines().find(|it| it.starts_with("s1,Jane Doe,")).unwrap();
    assert!(!row.contains(",120,0,0,"), "late: {row}");
    assert!(row.contains(",120,0,") && first[0].contains("s2,Bob Roe,,,missing"), "{first:?}");
    assert!(first[1].contains("Lab (123)"), "{first:?}");
    run_in(&class.home, &["batch", "judge", "out"]);
    assert_eq!(books(), first);
    class.grade(&[]);
    assert_eq!(books(), first);
    // Judging again takes a roster, too.
    fs::write(class.home.path().join("other.csv"), "id,name\ns9,jane doe\n").unwrap();
    run_in(&class.home, &["batch", "judge", "out", "--roster", "other.csv"]);
    assert_eq!(class.results("student")["Jane Doe"], "s9");
    assert!(!class.output("gradebook.csv").contains("Bob"));
    class.hand_in("Eve Roe_9_assignsubmission_file_/lab.yaml", BROKEN);
    let listed = run_in(&class.home, &["batch", "in", "-o", "out", "--dry-run"]);
    assert!(listed.contains("no late points, because an export of Moodle"), "{listed}");
}

/// Catches results in the cluster that are deleted because the class is graded from here, too.
#[test]
fn a_job_of_the_run_is_not_ended_by_the_way() {
    let home = TempDir::new().unwrap();
    results(&home, b"");
    fs::create_dir(home.path().join("in")).unwrap();
    fs::write(home.path().join("in/eve.yaml"), BROKEN).unwrap();
    let asked = Arc::new(Mutex::new(vec![]));
    let told = Arc::clone(&asked);
    let server = serve(move |what| {
        told.lock().unwrap().push(what.to_owned());
        let namespace = r#"{"metadata":{"name":"stsgrade-abc123-workers","uid":"1","labels":{"app.kubernetes.io/managed-by":"stsgrade","stsgrade/run":"abc123"}},"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1"}"#;
        match what {
            "GET /version" => (200, r#"{"major":"1","minor":"37","gitVersion":"v1.37.0"}"#.into()),
            what if what.starts_with("GET /api/v1/namespaces?") => (
                200,
                format!(
                    r#"{{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{{}},"items":[{namespace}]}}"#
                ),
            ),
            "GET /api/v1/namespaces/stsgrade-abc123-workers" => (200, namespace.into()),
            "GET /apis/batch/v1/namespaces/stsgrade-abc123-workers/jobs/stsgrade" => (
                200,
                r#"{"kind":"Job","apiVersion":"batch/v1","metadata":{"name":"stsgrade"}}"#.into(),
            ),
            _ => (404, r#"{"kind":"Status","apiVersion":"v1","code":404}"#.into()),
        }
    });
    fs::write(home.path().join("config"), kubeconfig(&server)).unwrap();
    let args = ["batch", "in", "-o", "out", "--kubeconfig", "config"];
    let ran = stsgrade(&home).args(args).output().unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(4), "{told}");
    assert!(
        told.contains("a Job of this run stands in namespace stsgrade-abc123-workers"),
        "{told}"
    );
    assert!(told.contains("Add `--in-cluster`"), "{told}");
    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|it| it.starts_with("GET ")), "{asked:?}");
}
