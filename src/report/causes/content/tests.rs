use checks::model::observation::object::StatefulSetSpec;

use super::reason;
use crate::recording::ManifestText;

fn spec(pod: &serde_json::Value) -> StatefulSetSpec {
    let templates = serde_json::json!([{"metadata": {"name": "data"}}]);
    serde_json::from_value(serde_json::json!({
        "serviceName": "web",
        "template": {"spec": pod},
        "volumeClaimTemplates": templates,
    }))
    .unwrap()
}

fn of(containers: serde_json::Value) -> Option<String> {
    let pod = serde_json::json!({"containers": containers});
    let reason = reason("same_content", &spec(&pod), None)?;
    Some([Some(reason.seen), reason.write].into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn writer(script: &str, mounts: &[(&str, &str)]) -> serde_json::Value {
    let mounts: Vec<_> = mounts
        .iter()
        .map(|(name, path)| serde_json::json!({"name": name, "mountPath": path}))
        .collect();
    serde_json::json!({"name": "app", "command": ["sh", "-c", script], "volumeMounts": mounts})
}

#[track_caller]
fn tells(containers: serde_json::Value, words: &str) {
    let reason = of(containers);
    assert!(reason.as_ref().is_some_and(|it| it.contains(words)), "{reason:?}");
}

/// Catches a report that gives the solution away where a rubric shows reasons alone.
#[test]
fn what_to_write_is_no_part_of_what_is_seen() {
    let pod = serde_json::json!({"containers": [writer("echo $(HOSTNAME) > /data/id", &[])]});
    let reason = reason("same_content", &spec(&pod), None).unwrap();
    assert!(!reason.seen.contains("hostname"), "{}", reason.seen);
    assert!(reason.write.unwrap().contains("`$(hostname)`"));
}

/// Catches a reason in plain sight that is not told, and one that is told of a template that
/// does without it.
#[test]
fn the_template_tells_why_the_content_names_nobody() {
    let data = ("data", "/data");
    tells(serde_json::json!([writer("echo $(HOSTNAME) > /data/id", &[data])]), "`$(HOSTNAME)`");
    tells(serde_json::json!([writer("echo 'I am $HOSTNAME' > /data/id", &[data])]), "`$HOSTNAME`");
    for fine in ["echo \"I am '$HOSTNAME'\" > /data/id", "trap 'echo $HOSTNAME' TERM"] {
        assert_eq!(of(serde_json::json!([writer(fine, &[data])])), None, "{fine}");
    }
    tells(
        serde_json::json!([writer("hostname > /usr/share/nginx/html/id", &[data])]),
        "writes to /usr/share/nginx/html, where no volume is mounted: its PVC is mounted at /data",
    );
    let inner = [data, ("tmp", "/data/in")];
    tells(
        serde_json::json!([writer("hostname > /data/in/id", &inner)]),
        "volume tmp is mounted at /data/in, within the PVC's /data",
    );
    assert_eq!(of(serde_json::json!([writer("date > /data/id", &inner)])), None);
    let side = serde_json::json!({
        "name": "side",
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    });
    tells(
        serde_json::json!([writer("hostname > /data/id", &[]), side]),
        "Container app writes to /data, but only container side mounts the PVC",
    );
    assert_eq!(of(serde_json::json!([writer("date > /data/id", &[data]), side])), None);
}

/// Catches an `env` that nobody is told of, and one that is blamed though the script names
/// another variable.
#[test]
fn a_variable_of_the_template_is_not_the_pods_name() {
    let text = "kind: StatefulSet\nspec:\n  template:\n    spec:\n      containers:\n      \
        - name: app\n        env:\n        - name: HOSTNAME\n          value: web\n";
    let manifest = ManifestText { text: text.to_owned(), ..ManifestText::default() };
    let reason = |script: &str| {
        let pod = serde_json::json!({"containers": [writer(script, &[("data", "/data")])]});
        reason("same_content", &spec(&pod), Some(&manifest))
    };
    assert!(reason("echo $HOSTNAME > /data/id").is_some_and(|it| it.seen.contains("`env`")));
    assert_eq!(reason("echo hello > /data/id"), None);
}

/// Catches a misspelt variable that is not named, one that is called unset though the manifest
/// sets it or may do so, and certainty where the manifest is not known.
#[test]
fn a_variable_that_nothing_sets_is_named() {
    let text = |more: &str| {
        let lines = format!(
            "kind: StatefulSet\nspec:\n  template:\n    spec:\n      containers:\n      \
            - name: app\n        env:\n        - name: POD_NAME\n          valueFrom: \
            {{fieldRef: {{fieldPath: metadata.name}}}}\n{more}"
        );
        ManifestText { text: lines, ..ManifestText::default() }
    };
    let (known, more) = (text(""), text("        envFrom: [{configMapRef: {name: a}}]\n"));
    let reason = |script: &str, manifest| {
        let pod = serde_json::json!({"containers": [writer(script, &[("data", "/data")])]});
        reason("same_content", &spec(&pod), manifest).map(|it| it.seen).unwrap_or_default()
    };
    let misspelt = "echo \"I am $HOST_NAME\" > /data/id";
    let told = reason(misspelt, Some(&known));
    assert!(told.contains("uses `$HOST_NAME`, which neither"), "{told}");
    // Catches certainty about what an image sets.
    assert!(told.contains("if its image does not set it"), "{told}");
    for manifest in [Some(&more), None] {
        let told = reason(misspelt, manifest);
        assert!(told.starts_with("Look at `$HOST_NAME`"), "{told}");
    }
    assert_eq!(reason("echo $POD_NAME > /data/id", Some(&known)), "");
}
