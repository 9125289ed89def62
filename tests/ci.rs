//! `.ci/run`: each step fails when what it looks at is wrong, and when there is nothing to look at.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, path::Path};

use assert_cmd::Command;
use tempfile::TempDir;

/// The project in a few words: all that the quick steps look at, and programs in the place of
/// Rust's and Go's. `cargo tree` prints the file `tree`, `cargo run` the file `printed`, and `cargo
/// test` leaves a file `tested`.
const PROJECT: [(&str, &str); 11] = [
    (
        "README.md",
        "# It\n\n```bash\ncargo test --locked\n```\n\n<!-- checks -->\n| test |\n<!-- end -->\n",
    ),
    ("printed", "| test |\n"),
    ("tree", "stsgrade-checks v0.1.0 (/checks)\nserde v1.0.0\nserde_core v1.0.0\n"),
    ("checks/lib.rs", "use serde::Serialize;\n"),
    ("src/main.rs", "fn main() -> std::process::ExitCode {}\n"),
    ("src/cluster/mod.rs", "use kube::Client;\n"),
    ("tests/cluster/cmd/main.go", "package main\n"),
    (
        "bin/cargo",
        "#!/bin/sh\ncase $1 in tree) cat tree ;; run) cat printed ;; test) touch tested ;; esac\n",
    ),
    ("bin/gofmt", "#!/bin/sh\nshift\ngrep -l '^  ' \"$@\"\nexit 0\n"),
    ("bin/go", "#!/bin/sh\n"),
    ("bin/rustup", "#!/bin/sh\n"),
];

/// Runs one step on the project after these files were changed, or removed (`None`): whether it
/// succeeds, and what it says.
#[track_caller]
fn step(name: &str, changes: &[(&str, Option<&str>)]) -> (bool, String) {
    let written = TempDir::new().unwrap();
    for (path, content) in
        PROJECT.iter().map(|(path, content)| (*path, Some(*content))).chain(changes.iter().copied())
    {
        let path = written.path().join(path);
        let Some(content) = content else {
            fs::remove_file(&path).unwrap();
            continue;
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let ci = written.path().join(".ci");
    fs::create_dir(&ci).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run"), ci.join("run")).unwrap();
    // A program that is open for writing cannot be run, and a process that another test starts in
    // that moment keeps it open. So another process writes what is run.
    let home = TempDir::new().unwrap();
    Command::new("cp").arg("-a").arg(written.path().join(".")).arg(home.path()).assert().success();
    let path = format!("{}:/usr/bin:/bin", home.path().join("bin").display());
    let output = Command::new(home.path().join(".ci/run"))
        .arg(name)
        .env_clear()
        .env("PATH", path)
        .output()
        .unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(
        !output.status.success() || name != "test" || home.path().join("tested").exists(),
        "nothing was tested: {told}"
    );
    (output.status.success(), told)
}

#[track_caller]
fn fails(name: &str, changes: &[(&str, Option<&str>)], because: &str) {
    let (passed, told) = step(name, changes);
    assert!(!passed && told.contains(because), "{name} with {changes:?}: {told}");
}

/// Without this, the steps below could fail for another reason.
#[test]
fn each_quick_step_passes_a_good_project() {
    for name in ["format", "targets", "walls", "docs", "test"] {
        let (passed, told) = step(name, &[]);
        assert!(passed && told.contains("all is well"), "{name}: {told}");
    }
}

/// Catches an empty command, which `bash -c` runs with success.
#[test]
fn the_test_step_needs_a_command_in_the_readme() {
    fails("test", &[("README.md", Some("# It\n"))], "no line begins with");
    fails("test", &[("bin/cargo", Some("#!/bin/sh\nexit 101\n"))], "== test");
}

#[test]
fn the_walls_fail_where_they_are_broken() {
    fails(
        "walls",
        &[("tree", Some("stsgrade-checks v0.1.0\ntokio v1.0.0\n"))],
        "the checks depend on: tokio",
    );
    fails(
        "walls",
        &[("src/exit.rs", Some("std::process::exit(1);\n"))],
        "only main.rs ends the program",
    );
    fails(
        "walls",
        &[("checks/a.rs", Some("use std::process;\nprocess::exit(1);\n"))],
        "only main.rs ends the program",
    );
    fails("walls", &[("src/report.rs", Some("use kube::Api;\n"))], "only src/cluster knows kube");
}

/// Catches a search that finds nothing wrong because it looks nowhere.
#[test]
fn the_walls_fail_where_there_is_nothing_to_look_at() {
    fails("walls", &[("tree", Some(""))], "cargo tree does not know");
    fails("walls", &[("bin/cargo", Some("#!/bin/sh\nexit 101\n"))], "== walls");
    fails("walls", &[("checks/lib.rs", None)], "there is no Rust in checks");
    fails(
        "walls",
        &[("src/cluster/mod.rs", Some("// Moved.\n"))],
        "does not find it in src/cluster",
    );
}

#[test]
fn the_docs_step_compares_what_is_there() {
    fails("docs", &[("printed", Some("| other |\n"))], "put there what");
    fails("docs", &[("README.md", Some("| test |\n"))], "put there what");
    fails("docs", &[("README.md", Some("# It\n")), ("printed", Some(""))], "prints nothing");
    fails(
        "docs",
        &[("bin/cargo", Some("#!/bin/sh\ncase $1 in run) cat printed; exit 1 ;; esac\n"))],
        "== docs",
    );
}

#[test]
fn the_format_step_looks_at_go() {
    fails("format", &[("tests/cluster/cmd/main.go", Some("package main\n  x\n"))], "gofmt: ");
    fails("format", &[("tests/cluster/cmd/main.go", None)], "there is no Go");
}

/// Catches a live step that passes although a live test fails, on any of the three clusters,
/// or another target does, which is checked beside them.
#[test]
fn the_live_step_fails_with_each_of_its_parts() {
    let passes = ("tests/cluster/run", Some("#!/bin/sh\n"));
    let (passed, told) = step("live", &[passes]);
    assert!(passed && told.contains("== targets"), "{told}");
    fails("live", &[passes, ("bin/cargo", Some("#!/bin/sh\nexit 101\n"))], "== targets");
    for test in [
        "[ -n \"$STSGRADE_CLUSTER_IPS\" ]",
        "[ -z \"$STSGRADE_CLUSTER_DOMAIN\" ]",
        "[ \"$STSGRADE_CLUSTER_IPS\" != six ]",
    ] {
        fails("live", &[("tests/cluster/run", Some(&format!("#!/bin/sh\n{test}\n")))], "== live");
    }
}

/// Catches a target of which a mistake goes by, and a system that is released and never checked.
#[test]
fn the_targets_step_checks_each_system_of_a_release() {
    fails("targets", &[("bin/cargo", Some("#!/bin/sh\nexit 101\n"))], "== targets");
    let says = "#!/bin/sh\n[ -n \"$CC_x86_64_pc_windows_gnu\" ] || exit 1\necho \"$@\"\n";
    let (_, told) = step("targets", &[("bin/cargo", Some(says))]);
    let system = |target: &str| target.split('-').nth(2).unwrap_or_default().to_owned();
    let checked = told.split("--target ").skip(1).map(|it| it.split_whitespace().next().unwrap());
    let checked: BTreeSet<String> = checked.map(system).collect();
    let release = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows/release.yml");
    let release = fs::read_to_string(release).unwrap();
    let built = release.split("{target: ").skip(1).map(|it| it.split(',').next().unwrap());
    let built: BTreeSet<String> = built.map(system).collect();
    assert_eq!((&built, built.len()), (&checked, 3), "{told}");
}
