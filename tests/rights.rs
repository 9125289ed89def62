//! Accounts that may do all that a grade needs, and nothing more: no rights on the cluster as a
//! whole, and none in another namespace.

use crate::{
    cli::{grade, kubeconfig, run},
    fake::{empty, serve, status},
};

/// A kubeconfig whose context has the namespace lab.
fn in_lab(server: &str) -> Vec<u8> {
    let text = String::from_utf8(kubeconfig(server)).unwrap();
    text.replace("user: u}", "user: u, namespace: lab}").into_bytes()
}

/// What is answered to an account that has no rights but those of the Role, in namespace lab, where
/// the StatefulSet web stands.
fn only_in_lab(what: &str) -> (u16, String) {
    let set = serde_json::json!({"metadata": {"name": "web"}, "spec": {"serviceName": "web", "selector": {}, "template": {}}});
    let list = serde_json::json!({"kind": "StatefulSetList", "apiVersion": "apps/v1", "metadata": {}, "items": [set]});
    match what {
        _ if what.contains("selfsubjectrulesreviews") => {
            let nothing = r#"{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}"#;
            (201, empty(what).1.replace(nothing, ""))
        }
        _ if what.starts_with("GET /apis/apps/v1/namespaces/lab/statefulsets?") => {
            (200, list.to_string())
        }
        "GET /version" => empty(what),
        _ => status(403, "Forbidden", "User \"ann\" cannot do this", ""),
    }
}

/// Catches an account with all that a grade needs that cannot grade, because the cluster lacks
/// `system:public-info-viewer` or `system:basic-user`, which no Role can make up for.
#[test]
fn nothing_of_the_whole_cluster_is_needed() {
    let namespaced = |what: &str| match what {
        "GET /version" => {
            status(403, "Forbidden", "forbidden: User \"ann\" cannot get path \"/version\"", "")
        }
        _ if what.contains("selfsubjectrulesreviews") => {
            let message = "selfsubjectrulesreviews.authorization.k8s.io is forbidden: User \
                \"ann\" cannot create resource \"selfsubjectrulesreviews\" at the cluster scope";
            status(403, "Forbidden", message, "selfsubjectrulesreviews")
        }
        _ if what.starts_with("GET /api/v1/namespaces/lab") && !what.contains("/lab/") => {
            status(403, "Forbidden", "namespaces is forbidden", "namespaces")
        }
        _ => empty(what),
    };
    let told = grade(Some(&kubeconfig(&serve(namespaced))), &["-n", "lab"]);
    assert!(told.contains(" (version unknown)\nnamespace lab\n"), "{told}");
    // It is begun with: nobody has made a StatefulSet.
    assert!(told.starts_with("exit 1\n") && told.contains("0 of 100 points"), "{told}");
    let anonymous = |_: &str| {
        let message = "forbidden: User \"system:anonymous\" cannot get path \"/version\"";
        status(403, "Forbidden", message, "")
    };
    let told = grade(Some(&kubeconfig(&serve(anonymous))), &["-n", "lab"]);
    assert!(told.starts_with("exit 4\n") && told.contains("not permitted: get version"), "{told}");
}

/// Catches a student who forgets or misspells `-n` and is sent to whoever runs the cluster for a
/// Role in a namespace that is not theirs, or that does not exist.
#[test]
fn a_namespace_without_rights_is_answered_by_the_own_one() {
    let server = serve(only_in_lab);
    let config = in_lab(&server);
    let own = "next:  StatefulSet web is in namespace lab, the context's own: ";
    let told = |command: &str, args: &[&str]| {
        let args: Vec<&str> =
            [command, "--kubeconfig", "config"].iter().chain(args).copied().collect();
        run(&args, &[("config", &config)])
    };
    for (command, args) in [
        ("grade", vec!["--save", "r.jsonl"]),
        ("record", vec!["--save", "r.jsonl"]),
        ("restore", vec![]),
    ] {
        let forgotten = told(command, &args);
        assert!(forgotten.starts_with("exit 4\n"), "{forgotten}");
        let next = format!("{own}`stsgrade {command} -n lab`.\n");
        assert!(forgotten.contains(&next), "{forgotten}");
        assert!(!forgotten.contains("Role") && !forgotten.contains("missing:"), "{forgotten}");

        let misspelt = told(command, &[args.clone(), vec!["-n", "labb"]].concat());
        let next = "next:  Did you mean lab? `-n lab` names it.\n";
        assert!(misspelt.contains(next) && !misspelt.contains("Role"), "{misspelt}");

        // It may be meant: then the Role is missing.
        let other = told(command, &[args.clone(), vec!["-n", "nope"]].concat());
        let next = format!("{own}`stsgrade {command} -n lab`. Ask whoever runs the cluster");
        assert!(other.contains(&next) && other.contains("Role"), "{other}");
    }
    // What is missing in the context's own namespace is told.
    let told = told("grade", &["--save", "r.jsonl", "-n", "lab"]);
    assert!(told.contains("Ask whoever runs the cluster to add this Role:"), "{told}");
}
