use std::{fs, path::PathBuf};

use super::{Submission, SubmissionError};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn read(files: &[(&str, &str)]) -> Result<Submission, SubmissionError> {
    Submission::read(&[folder(files).path().to_owned()], "target")
}

fn error(text: &str) -> String {
    let error = read(&[("a.yaml", text)]).unwrap_err().to_string();
    // Without the temporary folder's name.
    error.rsplit_once("/a.yaml").map_or(error.clone(), |(_, rest)| format!("a.yaml{rest}"))
}

fn object(version: &str, kind: &str, name: &str, more: &str) -> String {
    format!("apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n{more}---\n")
}

/// Catches a set whose pods come before the Service or the ConfigMap that they need.
#[test]
fn objects_come_in_the_order_in_which_they_are_needed() {
    let text = ["apps/v1 StatefulSet web", "v1 Pod p", "v1 Service svc", "v1 ConfigMap c", "policy/v1 PodDisruptionBudget b"]
        .map(|it| it.split(' ').collect::<Vec<_>>())
        .map(|it| object(it[0], it[1], it[2], ""))
        .join("");
    let names: Vec<_> = read(&[("a.yaml", &text)]).unwrap().objects.into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["c", "svc", "b", "web", "p"]);
}

/// Catches a stranger's object that lands in somebody else's namespace.
#[test]
fn only_the_target_and_the_lab_s_own_namespace_are_taken() {
    for namespace in ["statefulset-lab", "target"] {
        let text = object("v1", "Service", "s", &format!("  namespace: {namespace}\n")) + &object("v1", "Namespace", namespace, "");
        let read = read(&[("a.yaml", &text)]).unwrap();
        assert_eq!(read.objects.len(), 1);
        assert_eq!(read.objects[0].value["metadata"]["namespace"], "target");
    }
    let elsewhere = object("v1", "Service", "s", "  namespace: kube-system\n");
    assert_eq!(error(&elsewhere), "a.yaml, document 1, line 1: Service s belongs to namespace kube-system, and target is graded");
    assert_eq!(error(&object("v1", "Namespace", "other", "")), "a.yaml, document 1, line 1: Namespace other belongs to namespace other, and target is graded");
}

/// Catches cluster-wide and privileged kinds being applied for a stranger.
#[test]
fn other_kinds_are_refused_by_name() {
    let text = object("v1", "Service", "s", "") + &object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "evil\\e", "");
    assert_eq!(error(&text), "a.yaml, document 2, line 6: ClusterRoleBinding evil\\e is not applied: this grader applies no objects of this kind");
    assert_eq!(
        error(&object("apps/v1beta1", "StatefulSet", "web", "")),
        "a.yaml, document 1, line 1: StatefulSet web is not applied: its apiVersion is apps/v1, not apps/v1beta1"
    );
    // A kind of our names in somebody's own group.
    assert!(error(&object("evil.io/v1", "Service", "s", "")).ends_with("its apiVersion is v1, not evil.io/v1"));
}

#[test]
fn lists_and_directories_are_opened() {
    let list = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}},
	{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Service","metadata":{"name":"b"}}]}]}"#;
    let more = object("v1", "Service", "c", "");
    let found = read(&[("2.json", list), ("1.yml", &more), ("notes.txt", "not: [yaml"), ("3.yaml", "# nothing\n")]).unwrap();
    assert_eq!(found.objects.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["c", "a", "b"]);
}

#[test]
fn what_is_no_manifest_says_so() {
    assert_eq!(error("a: [1\n").split(": ").next(), Some("a.yaml, document 1, line 1"));
    assert_eq!(error("just words\n"), "a.yaml, document 1, line 1: not a Kubernetes object: a mapping with apiVersion, kind and metadata");
    assert_eq!(error("kind: Service\n"), "a.yaml, document 1, line 1: not a Kubernetes object: apiVersion");
    assert_eq!(error("apiVersion: v1\nkind: Service\nmetadata: {generateName: x}\n"), "a.yaml, document 1, line 1: not a Kubernetes object: metadata.name");
    assert!(error(&object("v1", "Service", "../../nodes", "")).ends_with("not a Kubernetes object: a metadata.name of lowercase letters, digits, - and ."));
    assert!(read(&[("a.yaml", "# only words\n")]).unwrap_err().to_string().starts_with("there is no object in "));
    assert!(read(&[("a.txt", "")]).unwrap_err().to_string().contains("holds 0 files"));
    assert!(error(&"#".repeat((1 << 20) + 1)).ends_with("is larger than 1 MiB, which no manifest is"));
    let missing = Submission::read(&[PathBuf::from("no such file")], "target").unwrap_err();
    assert!(missing.to_string().starts_with("cannot read no such file: "));
}

/// Catches a manifest that kubectl takes being refused for how its text is encoded.
#[test]
fn text_is_decoded_as_kubectl_does() {
    let text = format!("# größer\r\n{}", object("v1", "Service", "s", "  labels: {a: 'ü😀'}\n").replace('\n', "\r\n"));
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> { [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(bytes).collect() };
    let bytes = |bytes: &[u8]| {
        let folder = folder(&[]);
        fs::write(folder.path().join("a.yaml"), bytes).unwrap();
        Submission::read(&[folder.path().to_owned()], "target")
    };
    for encoded in [utf16(u16::to_le_bytes), utf16(u16::to_be_bytes), [b"\xef\xbb\xbf", text.as_bytes()].concat(), text.clone().into_bytes()] {
        assert_eq!(bytes(&encoded).unwrap().objects[0].value["metadata"]["labels"]["a"], "ü😀");
    }
    let latin1: Vec<u8> = text.replace("ü😀", "x").chars().map(|it| u8::try_from(u32::from(it)).unwrap()).collect();
    assert_eq!(bytes(&latin1).unwrap().objects[0].value["metadata"]["labels"]["a"], "x");
    // An image, and UTF-16 that does not say so.
    for other in [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), b"k\0i\0n\0d\0", b"\xff\xfea"] {
        assert!(bytes(other).unwrap_err().to_string().ends_with("/a.yaml is not text"));
    }
}

/// Catches a digest that depends on anything but the bytes.
#[test]
fn the_digest_is_of_the_bytes() {
    let text = object("v1", "Service", "s", "");
    let digest = read(&[("a.yaml", &text)]).unwrap().digest;
    assert_eq!(read(&[("b.yml", &text)]).unwrap().digest, digest);
    assert_ne!(read(&[("a.yaml", &format!("{text} "))]).unwrap().digest, digest);
}

/// Catches a manifest written by `kubectl get -o yaml` being refused for what the server itself added.
#[test]
fn what_the_server_fills_in_is_taken_out() {
    let text =
        object("v1", "Service", "s", "  uid: u\n  resourceVersion: '7'\n  managedFields: [{manager: x}]\n  labels: {a: b}\nstatus: {loadBalancer: {}}\n");
    let value = read(&[("a.yaml", &text)]).unwrap().objects.remove(0).value;
    assert_eq!(value, serde_json::json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "target", "labels": {"a": "b"}}}));
}
