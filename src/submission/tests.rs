use std::{fs, path::PathBuf};

use crate::submission::{Submission, SubmissionError};

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
    let text = [
        "apps/v1 StatefulSet web",
        "v1 Pod p",
        "v1 Service svc",
        "v1 ConfigMap c",
        "policy/v1 PodDisruptionBudget b",
    ]
    .map(|it| it.split(' ').collect::<Vec<_>>())
    .map(|it| object(it[0], it[1], it[2], ""))
    .join("");
    let names: Vec<_> =
        read(&[("a.yaml", &text)]).unwrap().objects.into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["c", "svc", "b", "web", "p"]);
}

/// Catches a million pods that a cluster must carry before the grader says that it does not grade
/// them.
#[test]
fn more_replicas_than_are_graded_are_not_applied() {
    let set = |replicas| {
        object("apps/v1", "StatefulSet", "web", &format!("spec:\n  replicas: {replicas}\n"))
    };
    assert!(read(&[("a.yaml", &set(100))]).is_ok());
    assert_eq!(
        error(&set(1_000_000)),
        "a.yaml, document 1, line 6: StatefulSet web asks for 1000000 replicas, and no more than \
        100 are graded"
    );
}

/// Catches a stranger's object that lands in somebody else's namespace.
#[test]
fn only_the_target_and_the_lab_s_own_namespace_are_taken() {
    for namespace in ["statefulset-lab", "target"] {
        let text = object("v1", "Service", "s", &format!("  namespace: {namespace}\n"))
            + &object("v1", "Namespace", namespace, "");
        let read = read(&[("a.yaml", &text)]).unwrap();
        assert_eq!(read.objects.len(), 1);
        assert_eq!(read.objects[0].value["metadata"]["namespace"], "target");
        // Catches an object that is silently moved.
        let left = Some(namespace).filter(|it| *it != "target");
        assert_eq!(read.left_namespace(), left);
    }
    let elsewhere = object("v1", "Service", "s", "  namespace: kube-system\n");
    assert_eq!(
        error(&elsewhere),
        "a.yaml, document 1, line 5: Service s belongs to namespace kube-system, and target is \
        graded"
    );
    assert_eq!(
        error(&object("v1", "Namespace", "other", "")),
        "a.yaml, document 1, line 3: Namespace other belongs to namespace other, and target is \
        graded"
    );
}

/// Catches cluster-wide and privileged kinds being applied for a stranger.
#[test]
fn other_kinds_are_refused_by_name() {
    let text = object("v1", "Service", "s", "")
        + &object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "evil\\e", "");
    assert_eq!(
        error(&text),
        "a.yaml, document 2, line 7: ClusterRoleBinding evil\\e is not applied: this grader \
        applies no objects of this kind"
    );
    assert_eq!(
        error(&object("apps/v1beta1", "StatefulSet", "web", "")),
        "a.yaml, document 1, line 1: StatefulSet web is not applied: its apiVersion is apps/v1, \
        not apps/v1beta1"
    );
    // A kind of our names in somebody's own group.
    assert!(
        error(&object("evil.io/v1", "Service", "s", ""))
            .ends_with("this grader applies no objects of this kind")
    );
}

#[test]
fn lists_and_directories_are_opened() {
    let list = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}},
	{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Service","metadata":{"name":"b"}}]}]}"#;
    let more = object("v1", "Service", "c", "");
    let found = read(&[
        ("2.json", list),
        ("1.yml", &more),
        ("notes.txt", "not: [yaml"),
        ("3.yaml", "# nothing\n"),
    ])
    .unwrap();
    assert_eq!(
        found.objects.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(),
        ["c", "a", "b"]
    );
}

#[test]
fn what_is_no_manifest_says_so() {
    assert_eq!(error("a: [1\n").split(": ").next(), Some("a.yaml, document 1, line 1"));
    assert_eq!(
        error("just words\n"),
        "a.yaml, document 1, line 1: not a Kubernetes object: it has no fields, such as \
        apiVersion, kind and metadata"
    );
    assert_eq!(
        error("kind: Service\n"),
        "a.yaml, document 1, line 1: not a Kubernetes object: it has no `apiVersion`"
    );
    assert_eq!(
        error("apiVersion: v1\nkind: Service\nmetadata: {generateName: x}\n"),
        "a.yaml, document 1, line 3: not a Kubernetes object: it has no `metadata.name`"
    );
    assert!(
        error(&object("v1", "Service", "../../nodes", ""))
            .ends_with("its name has other characters than lowercase letters, digits, - and .")
    );
    let number = read(&[("a.yaml", &object("v1", "Service", "1", ""))]).unwrap_err();
    assert!(number.to_string().ends_with("its `metadata.name` is no text"), "{number}");
    assert!(number.next().contains("quotation marks"), "{}", number.next());
    assert!(
        read(&[("a.yaml", "# only words\n")])
            .unwrap_err()
            .to_string()
            .starts_with("there is no object in ")
    );
    assert!(read(&[("a.txt", "")]).unwrap_err().to_string().contains("holds 0 files"));
    assert!(
        error(&"#".repeat((1 << 20) + 1)).ends_with("is larger than 1 MiB, which no manifest is")
    );
    let missing = Submission::read(&[PathBuf::from("no such file")], "target").unwrap_err();
    assert!(missing.to_string().starts_with("cannot read no such file: "));
}

/// Catches a manifest that kubectl takes being refused for how its text is encoded.
#[test]
fn text_is_decoded_as_kubectl_does() {
    let text = format!(
        "# größer\r\n{}",
        object("v1", "Service", "s", "  labels: {a: 'ü😀'}\n").replace('\n', "\r\n")
    );
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(bytes).collect()
    };
    let bytes = |bytes: &[u8]| {
        let folder = folder(&[]);
        fs::write(folder.path().join("a.yaml"), bytes).unwrap();
        Submission::read(&[folder.path().to_owned()], "target")
    };
    for encoded in [
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        text.clone().into_bytes(),
    ] {
        assert_eq!(bytes(&encoded).unwrap().objects[0].value["metadata"]["labels"]["a"], "ü😀");
    }
    let latin1: Vec<u8> =
        text.replace("ü😀", "x").chars().map(|it| u8::try_from(u32::from(it)).unwrap()).collect();
    assert_eq!(bytes(&latin1).unwrap().objects[0].value["metadata"]["labels"]["a"], "x");
    // An image, and UTF-16 that does not say so.
    for other in [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), b"k\0i\0n\0d\0", b"\xff\xfea"] {
        assert!(bytes(other).unwrap_err().to_string().ends_with("/a.yaml is not text"));
    }
}

/// What is to be done about a file of this name and content.
fn next(name: &str, text: &str) -> String {
    let folder = folder(&[]);
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    let error = Submission::read(&[path], "target").unwrap_err();
    format!("{error} => {}", error.next())
        .replace(&format!("{}/", folder.path().display()), "")
        .replace(&folder.path().display().to_string(), ".")
}

/// Catches "not a Kubernetes object: metadata" and "correct the manifest" of files that are right,
/// but another tool's.
#[test]
fn files_of_other_tools_are_named_with_what_helps() {
    let kustomization =
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n";
    let expected = "this is a kustomization, not an object of a submission => Render it: `kubectl \
        kustomize lab | stsgrade grade -f -`.";
    assert_eq!(
        next("lab/k.yaml", kustomization),
        format!("lab/k.yaml, document 1, line 1: {expected}")
    );
    assert_eq!(
        next("lab/kustomization.yaml", "resources: [a.yaml]\n"),
        format!("lab/kustomization.yaml, document 1, line 1: {expected}")
    );
    let rendered = "not an object of a submission => Render the chart: `helm template web | \
        stsgrade grade -f -`.";
    assert_eq!(
        next("web/templates/svc.yaml", "kind: Service\nmetadata:\n  name: {{ .Release.Name }}\n"),
        format!(
            "web/templates/svc.yaml, document 1, line 3: this is a Helm template that is not \
            rendered, {rendered}"
        )
    );
    assert!(
        next("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n").ends_with(rendered)
    );
    assert!(
        next("web/values.yaml", "replicas: 3\n")
            .ends_with("`helm template web -f web/values.yaml | stsgrade grade -f -`.")
    );
    let quoted =
        object("apps/v1", "StatefulSet", "web", "spec:\n  replicas: \"{{ .Values.replicas }}\"\n");
    assert!(next("web/templates/set.yaml", &quoted).ends_with(rendered));
    assert!(next("a.yaml", "a: {{ x }}\n").contains("a template that is not rendered"));
    assert!(
        next("a.yaml", &object("v1", "Service", "${NAME}", ""))
            .ends_with("`envsubst < a.yaml | stsgrade grade -f -`.")
    );
    let kind =
        "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes: [{role: control-plane}]\n";
    assert!(next("kind.yaml", kind).contains(
        "the configuration of a kind cluster, not an object \
        of a submission => `kind create cluster --config kind.yaml`"
    ));
    // A name that a shell would take for two words.
    assert!(next("my kind.yaml", kind).contains("`kind create cluster --config 'my kind.yaml'`"));
    assert!(
        next("c.yaml", "apiVersion: v1\nkind: Config\nclusters: []\n").contains("a kubeconfig")
    );
    assert!(next("compose.yaml", "services: {web: {image: nginx}}\n").contains("a Compose file"));
    let url =
        Submission::read(&[PathBuf::from("https://example.com/lab.yaml")], "target").unwrap_err();
    assert_eq!(
        url.next(),
        "Fetch it: `curl -fsSL https://example.com/lab.yaml | stsgrade grade -f -`."
    );
}

/// Catches braces of a shell, a probe or a configuration being taken for a template's.
#[test]
fn braces_in_what_a_container_runs_are_its_own() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n  - name: c\n    command: [\"{{ .x }}\"]\n    args: [\"${HOME}\"]\n---\n\
                apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata: {page: \"{{ .Title }}\"}\n";
    assert_eq!(read(&[("a.yaml", text)]).unwrap().objects.len(), 2);
}

/// Catches "take it out of the submission" of the StatefulSet itself.
#[test]
fn objects_that_are_not_applied_say_what_helps() {
    let set = |version: &str, kind: &str, more: &str| {
        next("a.yaml", &object(version, kind, "web", more))
            .split(" => ")
            .last()
            .unwrap_or_default()
            .to_owned()
    };
    let selector = "spec: {selector: {matchLabels: {a: b}}}\n";
    assert_eq!(set("apps/v1beta1", "StatefulSet", selector), "Write `apiVersion: apps/v1`.");
    assert_eq!(
        set("v1", "StatefulSet", ""),
        "Write `apiVersion: apps/v1`, and give it a `spec.selector` with the labels of its \
        template."
    );
    assert_eq!(set("extensions/v1beta1", "Deployment", selector), "Write `apiVersion: apps/v1`.");
    assert_eq!(set("policy/v1beta1", "PodDisruptionBudget", ""), "Write `apiVersion: policy/v1`.");
    assert_eq!(
        set("apps/v1", "Statefulset", selector),
        "Write `apiVersion: apps/v1` and `kind: StatefulSet`."
    );
    assert!(
        set("v1", "PersistentVolume", "")
            .starts_with("PersistentVolume web belongs to the whole cluster. Apply it yourself")
    );
    assert!(set("storage.k8s.io/v1", "StorageClass", "").contains("grade without `-f`"));
    assert!(
        set("autoscaling/v2", "HorizontalPodAutoscaler", "")
            .contains("nothing else may scale the set")
    );
    assert!(
        set("serving.knative.dev/v1", "Service", "")
            .starts_with("Take it out of the submission, or")
    );
}

/// Catches a digest that depends on anything but the bytes.
#[test]
fn the_digest_is_of_the_bytes() {
    let text = object("v1", "Service", "s", "");
    let digest = read(&[("a.yaml", &text)]).unwrap().digest;
    assert_eq!(read(&[("b.yml", &text)]).unwrap().digest, digest);
    assert_ne!(read(&[("a.yaml", &format!("{text} "))]).unwrap().digest, digest);
}

/// Catches a manifest written by `kubectl get -o yaml` being refused for what the server itself
/// added.
#[test]
fn what_the_server_fills_in_is_taken_out() {
    let text = object(
        "v1",
        "Service",
        "s",
        "  uid: u\n  resourceVersion: '7'\n  managedFields: [{manager: x}]\n  labels: \
        {a: b}\nstatus: {loadBalancer: {}}\n",
    );
    let value = read(&[("a.yaml", &text)]).unwrap().objects.remove(0).value;
    assert_eq!(
        value,
        serde_json::json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "target", "labels": {"a": "b"}}})
    );
}

/// Catches a document of two objects of which only the last one is graded, and a remedy that does
/// not say what to write, and where.
#[test]
fn a_forgotten_separator_is_told() {
    let text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\napiVersion: apps/v1\nkind: \
                StatefulSet\n";
    let error = super::parse("lab.yaml", text.as_bytes()).unwrap_err();
    assert!(error.is_in_the_manifest());
    let told = error.to_string();
    assert!(told.contains("stands twice") && told.contains("line 5"), "{told}");
    let written = "Write a line `---` above line 5, with which another object begins.";
    assert_eq!(error.next(), written);
    // The second object begins with the key that the first one lacks.
    let text = "{\"a\": 1}\n---\nkind: Service\nspec: {}\napiVersion: v1\nkind: Pod\n";
    let error = super::parse("lab.yaml", text.as_bytes()).unwrap_err();
    assert_eq!(error.next(), written);
    // Both stand below what is the object's own.
    for below in ["kind: Pod\napiVersion: v1", "apiVersion: v1\nkind: Pod"] {
        let text = format!("metadata: {{}}\nspec: {{}}\napiVersion: v1\nkind: Service\n{below}\n");
        let error = super::parse("lab.yaml", text.as_bytes()).unwrap_err();
        assert_eq!(error.next(), written, "{text}");
    }
}

/// Catches a separator that is advised where no other object begins: what stands below it would be
/// none.
#[test]
fn a_key_that_is_written_twice_in_one_object_is_told() {
    for (text, key, line) in [
        ("apiVersion: v1\nkind: Service\nkind: Pod\n", "kind", 3),
        ("kind: Service\nkind: Service\napiVersion: v1\nspec: {}\n", "kind", 2),
        ("apiVersion: v1\nkind: Service\nmetadata: {}\nkind: Service\nspec: {}\n", "kind", 4),
        ("kind: Service\nspec: {}\napiVersion: v1\nkind: Service\nmetadata: {}\n", "kind", 4),
        ("kind: A\nmetadata: {}\napiVersion: v1\nspec: {}\napiVersion: v1\n", "apiVersion", 5),
        ("apiVersion: v1\nkind: Service\napiVersion: v2\nspec: {}\n", "apiVersion", 3),
        ("{kind: Service, spec: {},\nkind: Pod}\n", "kind", 2),
    ] {
        let error = super::parse("lab.yaml", text.as_bytes()).unwrap_err();
        let told = error.to_string();
        assert!(told.contains(&format!("`{key}` stands twice in one object")), "{told}");
        assert!(told.contains(&format!("line {line}")), "{told}");
        assert_eq!(error.next(), "Take one of the two lines out.");
    }
}

/// Catches a refusal that names the object's first line only.
#[test]
fn a_field_is_found_in_its_own_document() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports: []\n---\n\
                apiVersion: v1\nkind: Service\nmetadata:\n  name: db\nspec:\n  - ports: 1\n";
    let mut objects = vec![];
    for (place, value) in super::parse("lab.yaml", text.as_bytes()).unwrap() {
        let context =
            super::Context { place: &place, text: &text.into(), target: "lab", within: vec![] };
        context.add_to(value, &mut objects).unwrap();
    }
    let lines: Vec<usize> = objects.iter().map(|it| it.place_of_told("spec.ports").line).collect();
    assert_eq!(lines, [5, 12]);
    let spec = objects[0].place_of_told("spec").line;
    assert_eq!(
        objects[0].place_of_told("spec.nothing").line,
        spec,
        "of what is not there its parent"
    );
    assert_eq!(objects[0].place_of_told("nothing").line, objects[0].place.line);
    let ended = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n...\n\
                 apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {}\n";
    let objects = read(&[("lab.yaml", ended)]).unwrap().objects;
    assert_eq!(objects[0].place_of_told("spec").line, objects[0].place.line);
}

/// Catches a field that is looked for by its last name alone: `name` stands in every object.
#[test]
fn a_field_is_found_by_its_path() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n\
        apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: web\nspec:\n  template:\n    \
        spec:\n      containers:\n      - name: one\n        image: a\n      - image: b\n        \
        name: two\n        volumeMounts:\n        - mountPath: /a\n          name: data\n";
    let objects = read(&[("lab.yaml", text)]).unwrap().objects;
    let line = |field: &str| objects[1].place_of_told(field).line;
    assert_eq!(line("spec.template.spec.containers[0].name"), 13);
    assert_eq!(line("spec.template.spec.containers[1].image"), 15);
    assert_eq!(line("spec.template.spec.containers[1].volumeMounts[0].name"), 19);
    assert_eq!(line("metadata.name"), 8);
}

/// Catches a misspelt kind that is taken for one of somebody else's, which costs the run instead of
/// the points; and another kind that is taken for a misspelling.
#[test]
fn a_misspelt_kind_is_told_at_its_line() {
    for (version, kind, right) in [
        ("apps/v1", "StatfulSet", "StatefulSet"),
        ("apps/v1", "StatefulSets", "StatefulSet"),
        ("appss/v1", "StatefulSet", "StatefulSet"),
        ("v1", "Serivce", "Service"),
        ("v1", "service", "Service"),
        ("v1", "Namespce", "Namespace"),
    ] {
        let text = object("v1", "ConfigMap", "c", "") + &object(version, kind, "web", "");
        let error = read(&[("a.yaml", &text)]).unwrap_err();
        assert!(error.is_in_the_manifest(), "{kind}: {error}");
        let told = format!("{error} {}", error.next());
        assert!(told.contains(right), "{kind}: {told}");
        let line = if kind == right { 6 } else { 7 };
        assert_eq!(error.place().map(|it| it.line), Some(line), "{kind}");
    }
    for (version, kind) in [
        ("monitoring.coreos.com/v1", "ServiceMonitor"),
        ("apps.kruise.io/v1", "StatefulSet"),
        ("v1", "PersistentVolume"),
        ("v1", "Node"),
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "DaemonSet"),
    ] {
        let error = read(&[("a.yaml", &object(version, kind, "web", ""))]).unwrap_err();
        assert!(!error.is_in_the_manifest(), "{kind}: {error}");
    }
    let list = object("apps/v1", "StatefulSetList", "web", "");
    assert!(error(&list).ends_with("not a Kubernetes object: it has no `items`"));
}

/// Catches a missing field that is told at a field of the same name elsewhere, and one of a list's
/// item that is told at the list.
#[test]
fn what_is_missing_is_told_at_the_line_above_it() {
    let ports = "apiVersion: v1\nkind: Service\nspec:\n  ports:\n  - name: web\nmetadata:\n  \
                 labels: {a: b}\n";
    assert_eq!(error(ports).split(": ").next(), Some("a.yaml, document 1, line 6"));
    let list = "kind: List\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  \
                metadata: {name: a}\n- apiVersion: v1\n  kind: Sevice\n  metadata: {name: b}\n";
    assert_eq!(error(list).split(": ").next(), Some("a.yaml, document 1, line 8"));
}
