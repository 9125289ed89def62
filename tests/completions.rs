//! Completions and man pages, as shells, kubectl and man read them.

use std::os::unix::fs::symlink;

use tempfile::TempDir;

use crate::cli::{run, stsgrade};

#[test]
fn every_shell_is_offered_every_command_and_format() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let told = run(&["completions", shell], &[]);
        assert!(told.starts_with("exit 0\n"), "{told}");
        for word in ["grade", "judge", "schema", "--rubric".trim_start_matches('-')] {
            assert!(told.contains(word), "{shell} is not offered {word}");
        }
    }
    assert!(run(&["completions", "tcsh"], &[]).starts_with("exit 2\n"));
}

/// Catches a script that the shell itself refuses.
#[test]
fn bash_reads_its_script() {
    let home = TempDir::new().unwrap();
    let script = stsgrade(&home).args(["completions", "bash"]).output().unwrap().stdout;
    let script = String::from_utf8(script).unwrap();
    let ask = "COMP_WORDS=(stsgrade gr); COMP_CWORD=1; _stsgrade stsgrade gr stsgrade; \
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = std::process::Command::new("bash")
        .args(["--norc", "-euc", &format!("{script}\n{ask}")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "grade\n");
}

/// What kubectl is told for `kubectl stsgrade WORDS…<tab>`.
fn kubectl(words: &[&str]) -> String {
    let home = TempDir::new().unwrap();
    let program = home.path().join("kubectl_complete-stsgrade");
    symlink(env!("CARGO_BIN_EXE_stsgrade"), &program).unwrap();
    let output = std::process::Command::new(program).args(words).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn kubectl_completes_its_plugin() {
    let told = kubectl(&["gr"]);
    assert!(told.starts_with("grade\tRun the ten tests"), "{told}");
    assert_eq!(told.lines().last(), Some(":4"));
    let told = kubectl(&["schema", ""]);
    assert!(told.contains("report\t") && told.contains("rubric\t"), "{told}");
    assert!(kubectl(&["judge", "--rub"]).starts_with("--rubric\t"));
    assert!(kubectl(&[]).contains("\njudge\t"));
}

/// Catches values that only the reading of the command line knows: what may follow `-o`, and the
/// names of what can be explained.
#[test]
fn values_are_completed() {
    assert!(kubectl(&["judge", "-o", "ju"]).starts_with("junit"));
    assert!(kubectl(&["explain", "over"]).starts_with("overwritten_at_start\t"));
    assert!(kubectl(&["explain", "quo"]).starts_with("quota\t"));
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell], &[]);
        assert!(script.contains("prairielearn"), "{shell}: {script}");
        // Its script for fish completes no arguments without a flag.
        assert!(shell == "fish" || script.contains("overwritten_at_start"), "{shell}: {script}");
    }
}

/// Catches a recording or a folder that kubectl does not complete after our own words.
#[test]
fn files_are_completed() {
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("recording.jsonl"), "").unwrap();
    let path = home.path().join("rec").display().to_string();
    for words in [&["judge"][..], &["timeline"], &["show"], &["batch"], &["grade", "-f"]] {
        let told = kubectl(&[words, &[&path]].concat());
        assert!(told.contains("recording.jsonl"), "{words:?}: {told}");
    }
}

#[test]
fn man_pages_are_of_the_command_and_of_each_of_its_own() {
    let told = run(&["man"], &[]);
    assert!(told.contains(".TH stsgrade 1") && told.contains(".SH SYNOPSIS"), "{told}");
    let told = run(&["man", "grade"], &[]);
    assert!(told.contains(".TH stsgrade-grade 1"), "{told}");
    assert!(told.contains("\\-\\-cleanup"), "{told}");
    for words in [&["man", "batch", "judge"][..], &["man", "batch-judge"]] {
        let told = run(words, &[]);
        assert!(told.contains(".TH stsgrade-batch-judge 1"), "{told}");
    }
    let told = run(&["man", "batch", "jugde"], &[]);
    assert!(told.starts_with("exit 4\n") && told.contains("The commands are judge"), "{told}");
    let told = run(&["man", "graed"], &[]);
    assert!(told.starts_with("exit 4\n") && told.contains("The commands are grade"), "{told}");
}
