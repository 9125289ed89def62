//! What goes wrong between a user and a cluster, or a recording: what failed, why, and what to do
//! next.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tempfile::TempDir;

use crate::{
    cli::{NOTHING, grade, kubeconfig, run, stsgrade},
    fake::{empty, serve, status},
};

/// A grade against such a server, whose address is replaced.
#[track_caller]
fn against(
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
    args: &[&str],
) -> String {
    let server = serve(answer);
    grade(Some(&kubeconfig(&server)), args).replace(&server, "[SERVER]")
}

/// Catches a namespace that is not there being graded 0 of 100, by whoever mistyped its name.
#[test]
fn no_such_namespace() {
    let missing = |what: &str| match what {
        "GET /api/v1/namespaces/lab" => {
            status(404, "NotFound", "namespaces \"lab\" not found", "namespaces")
        }
        other => empty(other),
    };
    insta::assert_snapshot!(against(missing, &["-n", "lab"]));
    let server = serve(missing);
    let restored = run(
        &["restore", "-n", "lab", "--kubeconfig", "config"],
        &[("config", &kubeconfig(&server))],
    );
    assert!(
        restored.starts_with("exit 4\n") && restored.contains("namespace lab does not exist"),
        "{restored}"
    );
}

/// Catches a student who works in the context's own namespace being told to make another.
#[test]
fn no_such_namespace_but_a_set_in_the_contexts_own() {
    let told = against(
        |what: &str| match what {
            "GET /api/v1/namespaces/statefulset-lab" => {
                status(404, "NotFound", "namespaces \"statefulset-lab\" not found", "namespaces")
            }
            _ if what.starts_with("GET /apis/apps/v1/namespaces/default/statefulsets?") => {
                let set = serde_json::json!({"metadata": {"name": "web"}, "spec": {"serviceName": "web", "selector": {}, "template": {}}});
                (200, serde_json::json!({"kind": "StatefulSetList", "apiVersion": "apps/v1", "metadata": {}, "items": [set]}).to_string())
            }
            other => empty(other),
        },
        &[],
    );
    assert!(told.contains("`stsgrade grade -n default`"), "{told}");
}

/// Catches the leftovers of another section being graded, or the first that comes.
#[test]
fn several_statefulsets() {
    let two = |what: &str| {
        let set = |name: &str| serde_json::json!({"metadata": {"name": name, "uid": name}, "spec": {"replicas": 3}});
        let list = serde_json::json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": [set("db"), set("web")]});
        if what.starts_with("GET /apis/apps/v1/namespaces/lab/statefulsets?limit") {
            (200, list.to_string())
        } else {
            empty(what)
        }
    };
    insta::assert_snapshot!(against(two, &["-n", "lab"]));
    insta::assert_snapshot!(against(two, &["-n", "lab", "--statefulset", "cache"]));
    let server = serve(two);
    let recorded = run(
        &["record", "-n", "lab", "--save", "r.jsonl", "--kubeconfig", "config"],
        &[("config", &kubeconfig(&server))],
    );
    assert!(recorded.starts_with("exit 4\n") && recorded.contains("db, web"), "{recorded}");
}

/// Catches two sets in one file that are both applied before anybody asks which is meant: no cluster
/// is asked, of which there is none here.
#[test]
fn several_statefulsets_in_a_file() {
    let set = |name: &str| {
        format!("apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: {name}}}\nspec: {{}}\n")
    };
    let two = [set("web"), set("db")].join("---\n");
    let grade = ["grade", "-n", "lab", "-f", "two.yaml", "--kubeconfig", "none"];
    let told = run(&grade, &[("two.yaml", two.as_bytes())]);
    assert!(told.starts_with("exit 4\n") && told.contains("holds 2 StatefulSets"), "{told}");
    assert!(told.contains("web, db\n  nothing was applied\n"), "{told}");
    let named =
        run(&[&grade[..], &["--statefulset", "web"]].concat(), &[("two.yaml", two.as_bytes())]);
    assert!(!named.contains("StatefulSets"), "{named}");
}

/// Catches a submission that is refused because the set's controller wrote its status between our
/// look at the set and our change of its field owners; and one that is tried for ever.
#[test]
fn a_set_that_changes_while_its_fields_are_taken_over() {
    let set = |version: usize| {
        serde_json::json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "ring", "uid": "ring", "resourceVersion": version.to_string(),
            "managedFields": [{"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "apps/v1",
                "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}]},
        "spec": {"serviceName": "web", "selector": {}, "template": {}}})
    };
    let lease = r#"{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "stsgrade", "uid": "lease", "resourceVersion": "1"}}"#;
    let submission = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/pass/several/submission.yaml");
    for (conflicts, said) in [
        (2, "the API server's last word"),
        (usize::MAX, "somebody else changed it at the same time"),
    ] {
        let patches = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&patches);
        let changing = move |what: &str| {
            let of_set = what
                .split_once("/namespaces/lab/statefulsets/ring")
                .map(|(verb, rest)| (verb.starts_with("GET"), rest));
            match of_set {
                Some((true, _)) => (200, set(counted.load(Ordering::Relaxed)).to_string()),
                Some((false, query)) if query.contains("dryRun") => {
                    status(403, "Forbidden", "the API server's last word", "statefulsets")
                }
                Some((false, _)) if counted.fetch_add(1, Ordering::Relaxed) < conflicts => {
                    status(409, "Conflict", "the object has been modified", "statefulsets")
                }
                Some((false, _)) => (200, set(0).to_string()),
                None if what.contains("/leases") && !what.starts_with("GET") => {
                    (201, lease.to_owned())
                }
                None => empty(what),
            }
        };
        let told = against(changing, &["-n", "lab", "-f", submission]);
        assert!(told.contains(said), "{told}");
        // What was taken over is given back, because nothing is applied.
        assert_eq!(patches.load(Ordering::Relaxed), conflicts.saturating_add(2).min(5), "{told}");
    }
}

#[test]
fn wrong_credentials() {
    insta::assert_snapshot!(against(|_| status(401, "Unauthorized", "Unauthorized", ""), &[]));
}

#[test]
fn nothing_is_permitted() {
    let no_rules = |what: &str| match what {
        _ if what.contains("selfsubjectrulesreviews") => (
            201,
            empty(what).1.replace(r#"{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}"#, ""),
        ),
        _ if what.starts_with("GET /api/v1/namespaces/") => {
            status(403, "Forbidden", "namespaces is forbidden", "namespaces")
        }
        other => empty(other),
    };
    insta::assert_snapshot!(against(no_rules, &["-n", "lab"]));
}

#[test]
fn a_list_is_forbidden() {
    let told = against(
        |what: &str| {
            if what.contains("/pods") {
                status(403, "Forbidden", "pods is forbidden: User \"x\"", "pods")
            } else {
                empty(what)
            }
        },
        &["-n", "lab"],
    );
    assert!(
        told.starts_with("exit 4\n")
            && told.contains(
                "not permitted: list pods in namespace lab\n  pods is forbidden: User \"x\"\n"
            ),
        "{told}"
    );
}

/// Catches a page of a proxy or of another web server that ends in a complaint about JSON.
#[test]
fn what_answers_is_not_kubernetes() {
    insta::assert_snapshot!(against(
        |_| (200, "<html>\u{1b}[2Jplease log in</html>".to_owned()),
        &[]
    ));
    let told = against(|_| (502, "<html>bad gateway</html>".to_owned()), &[]);
    assert!(told.starts_with("exit 4\n") && told.contains("the API server failed (502)"), "{told}");
}

#[test]
fn a_server_of_http_is_asked_by_https() {
    let server = serve(empty).replace("http:", "https:");
    let told = grade(Some(&kubeconfig(&server)), &[]);
    assert!(
        told.starts_with("exit 4\n") && told.contains(" is asked by https and speaks http\n"),
        "{told}"
    );
}

/// Catches a cluster behind a proxy that cannot be graded, and one that is told to be down where
/// the proxy is.
#[test]
fn through_a_proxy() {
    let through = |proxy: &str| {
        let config = String::from_utf8(kubeconfig("http://cluster.invalid")).unwrap();
        let config = config.replace(
            "server: http://cluster.invalid",
            &format!("{{server: 'http://cluster.invalid', proxy-url: '{proxy}'}}"),
        );
        grade(Some(config.replace("cluster:\n    {", "cluster: {").as_bytes()), &["-n", "lab"])
    };
    let told = through(&serve(|_| status(401, "Unauthorized", "Unauthorized", "")));
    assert!(
        told.starts_with("exit 4\n")
            && told.contains("does not accept the credentials of this context (401)"),
        "{told}"
    );
    let told = through("http://me:secret@127.0.0.1:1");
    assert!(told.contains("it was asked through the proxy 127.0.0.1:1, as"), "{told}");
    assert!(told.starts_with("exit 4\n") && !told.contains("secret"), "{told}");
}

/// A kubeconfig whose user is a plugin that does what the script says.
fn with_plugin(home: &TempDir, script: &str) {
    let plugin = home.path().join("log-me-in");
    fs::write(&plugin, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./log-me-in, interactiveMode: Never}}";
    let config = String::from_utf8(kubeconfig("https://127.0.0.1:1"))
        .unwrap()
        .replace("user: {token: none}", &format!("user: {exec}"));
    fs::write(home.path().join("config"), config).unwrap();
}

#[test]
fn a_credential_plugin_fails() {
    let told = |script: Option<&str>| {
        let home = TempDir::new().unwrap();
        with_plugin(&home, script.unwrap_or_default());
        if script.is_none() {
            fs::remove_file(home.path().join("log-me-in")).unwrap();
        }
        let output = stsgrade(&home).args(["grade", "--kubeconfig", "config"]).output().unwrap();
        assert_eq!(output.status.code(), Some(4));
        String::from_utf8(output.stderr)
            .unwrap()
            .replace(&home.path().display().to_string(), "[HOME]")
    };
    insta::assert_snapshot!(told(Some("echo 'session \u{1b}[2Jexpired' >&2; exit 1")));
    insta::assert_snapshot!(told(Some("echo no")));
    insta::assert_snapshot!(told(None));
    // Catches a reason that is hidden: the plugin itself does not say that it failed.
    let told = told(Some("echo 'session expired: log in again' >&2"));
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "error: the credential plugin [HOME]/log-me-in printed no credential");
    assert_eq!(lines[1], "  session expired: log in again");
}

/// Catches a plugin that hangs and takes Ctrl-C with it, and somebody who waits and does not know
/// for what or does not learn where to log in.
#[test]
fn a_credential_plugin_that_hangs_is_left_by_ctrl_c() {
    let home = TempDir::new().unwrap();
    with_plugin(&home, "echo 'To sign in, open https://x and enter ABCD' >&2; exec sleep 1000000");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_stsgrade"));
    command.current_dir(home.path()).env("HOME", home.path()).args([
        "grade",
        "--kubeconfig",
        "config",
    ]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert_eq!(
        lines.next().unwrap().unwrap(),
        "credential plugin: To sign in, open https://x and enter ABCD"
    );
    assert!(
        lines
            .next()
            .unwrap()
            .unwrap()
            .contains("the kubeconfig's credential plugin, has not answered yet")
    );
    assert!(
        std::process::Command::new("kill")
            .args(["-s", "INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(lines.next().unwrap().unwrap(), "interrupted");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// Judges a file of 10 GiB, which takes no disk, with 1 GiB of address space.
fn judge_10_gib(head: &str) -> String {
    let home = TempDir::new().unwrap();
    let mut file = fs::File::create(home.path().join("recording.jsonl")).unwrap();
    file.write_all(head.as_bytes()).unwrap();
    file.set_len(10 << 30).unwrap();
    let script =
        format!("ulimit -v 1048576; exec {} judge recording.jsonl", env!("CARGO_BIN_EXE_stsgrade"));
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(home.path())
        .output()
        .unwrap();
    format!("{:?} {}", output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Catches a file that fills the memory, whatever its first line is.
#[test]
fn a_file_of_10_gib_is_refused() {
    let told = judge_10_gib("");
    assert!(told.starts_with("Some(4) error: recording.jsonl is a binary file"), "{told}");
    let header = NOTHING.lines().next().unwrap();
    let told = judge_10_gib(&format!("{header}\n"));
    assert!(
        told.starts_with(
            "Some(4) error: recording.jsonl is broken at line 2: the line is too long"
        ),
        "{told}"
    );
}

/// Catches a refusal that is graded 0 live, and "undecided" when its recording is judged again.
#[test]
fn a_recorded_refusal_is_judged_as_it_was_graded() {
    let lines = [
        r#"{"format":"stsgrade-recording","version":1,"minor":1,"tool":"0.1.0","cluster":"v1.37.2","namespace":"lab","startedAt":"2026-11-28T16:25:18Z","asked":{"command":"grade"}}"#,
        r#"{"seq":1,"at":1,"step":{"name":"apply","phase":"begin"}}"#,
        r#"{"seq":2,"at":2,"step":{"name":"apply","phase":"refused","answer":"refused"}}"#,
        r#"{"seq":3,"at":3,"diagnosis":{"manifestRefused":{"what":"the API server refuses StatefulSet www","next":"Correct the manifest.","detail":["a.yaml, document 2, line 34","volumeMounts[0].name: Not found: \u001b[31m"],"file":"a.yaml","document":2,"line":34}}}"#,
        r#"{"seq":4,"at":4,"end":{"why":"obstacle"}}"#,
    ];
    let told = run(&["judge", "r.jsonl"], &[("r.jsonl", (lines.join("\n") + "\n").as_bytes())]);
    assert!(told.starts_with("exit 1"), "{told}");
    assert!(told.contains("0 of 100 points\n"), "{told}");
    assert!(told.contains("1. the manifest cannot be applied (a.yaml:34): costs 100"), "{told}");
    assert!(
        told.contains("volumeMounts[0].name: Not found: ") && !told.contains('\u{1b}'),
        "{told}"
    );
    assert!(!told.contains("cut off"), "{told}");
}
