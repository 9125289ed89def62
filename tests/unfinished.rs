//! Report files of a run that ends without a report: each is a whole document, and says so.

#![cfg(unix)]

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use stsgrade::{
    console::terminal::TermStyle,
    report::{Format, Problem, RunResult},
};
use tempfile::TempDir;

use crate::{
    cli::kubeconfig,
    formats::assert_well_formed,
    report::{formats, styled},
};

/// `-o` for a file of each format, named after it.
fn outputs() -> Vec<String> {
    formats().flat_map(|(name, _)| ["-o".to_owned(), format!("{name}=report.{name}")]).collect()
}

/// What a file of that format holds before there is a report.
fn not_finished(format: Format) -> String {
    styled(format, RunResult::NotGraded(&Problem::not_finished()), TermStyle::PLAIN)
}

fn file(home: &TempDir, name: &str) -> String {
    fs::read_to_string(home.path().join(format!("report.{name}"))).unwrap()
}

/// Catches a file that is empty, or half of one, when nothing can be written any more.
#[test]
fn a_grade_that_is_killed_says_that_it_is_not_finished() {
    let home = TempDir::new().unwrap();
    // It accepts, and never answers.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", server.local_addr().unwrap());
    fs::write(home.path().join("config"), kubeconfig(&address)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_stsgrade"))
        .current_dir(home.path())
        .args(["grade", "--kubeconfig", "config", "--save", "r.jsonl"])
        .args(outputs())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let connection = server.accept().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(connection);
    for (name, format) in formats() {
        let told = file(&home, &name);
        assert_well_formed(format, &told, None);
        assert_eq!(told, not_finished(format), "{name}");
    }
}

/// Catches a report that takes the place of the one before it and is only half there.
#[test]
fn a_report_that_does_not_fit_on_the_disk_is_not_there_by_half() {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/fail/sequential_creation/parallel/recording.jsonl");
    let home = TempDir::new().unwrap();
    // Files of at most 12 KiB, as on a disk with so much room; writing on is an error, no signal.
    let limited = "trap '' XFSZ; ulimit -f 12; exec \"$@\"";
    let output = Command::new("bash")
        .current_dir(home.path())
        .args(["-c", limited, "bash", env!("CARGO_BIN_EXE_stsgrade"), "judge"])
        .arg(recording)
        .args(outputs())
        .args(["-o", "csv"])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("failed to write the report to report."), "{told}");
    let (mut kept, mut replaced) = (vec![], vec![]);
    for (name, format) in formats() {
        let told = file(&home, &name);
        assert_well_formed(format, &told, None);
        if told == not_finished(format) { kept.push(name) } else { replaced.push(name) }
    }
    assert!(kept.contains(&"html".to_owned()), "the page is not larger than the limit: {kept:?}");
    assert!(replaced.contains(&"csv".to_owned()), "one that fits is not written: {replaced:?}");
    let left = fs::read_dir(home.path()).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(left.count(), formats().count(), "something else is left behind");
}
