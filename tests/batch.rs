//! `stsgrade batch` as far as no cluster is needed.

use std::fs;

use tempfile::TempDir;

use crate::cli::{run, stsgrade};

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
    let ran = stsgrade(&home).args(["batch", "in", "-o", "out", "--dry-run"]).output().unwrap();
    let out = String::from_utf8(ran.stdout).unwrap();
    // A table may break a cell over several lines.
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(ran.status.code(), Some(0), "{out}");
    for row in [
        "ada Ada 1 objects",
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

/// Catches a clean-up that takes any folder for its own, and a run without hand-ins.
#[test]
fn what_cannot_be_meant_is_refused_at_once() {
    let clean = run(&["batch", "--clean", "-o", "."], &[]);
    assert!(clean.starts_with("exit 4") && clean.contains("holds no run"), "{clean}");
    for args in [&["batch", "-o", "out"][..], &["batch", "in", "-o", "out", "--jobs", "0"]] {
        assert!(run(args, &[]).starts_with("exit 2"), "{args:?}");
    }
}
