use serde_json::{Value, json};

use super::{Document, Edit, PathStep, keys};

const SET: &str = "\
kind: StatefulSet
metadata: {name: web, labels: {app: web}}
spec:
  serviceName: \"web\"   # the Service
  # how many
  replicas: 2
  template:
    spec:
      containers:
      - name: app
        image: busybox
        command:
        - sh
        - -c
        - |
          hostname > /data/id

          sleep 5

        ports: [{containerPort: 80, hostPort: 80}]
      -   image: nginx
          name: side
          args: [\"-c\", 'it''s', sleep 5]
          volumeMounts:
            - mountPath: /data
              name: data
      nodeSelector:
        disk: ssd
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ \"ReadWriteMany\" ]
";

/// The lines that an edit takes out and puts in.
#[track_caller]
fn edits(edit: &Edit, expected: &str) {
    let document = Document::read(SET).unwrap();
    let edited = document.edited(edit).unwrap_or_else(|| panic!("{edit:?}"));
    let difference = similar::TextDiff::from_lines(SET, edited.text());
    let signed: String = difference
        .iter_all_changes()
        .filter(|it| it.tag() != similar::ChangeTag::Equal)
        .map(|it| format!("{}{it}", it.tag()))
        .collect();
    assert_eq!(signed, expected, "{edit:?}");
}

fn set(path: &[PathStep], value: Value) -> Edit {
    Edit::Set(path.to_vec(), value)
}

fn at(path: &str, more: &[PathStep]) -> Vec<PathStep> {
    [keys(path), more.to_vec()].concat()
}

fn named(name: &str) -> PathStep {
    PathStep::Named(name.to_owned())
}

fn key(name: &str) -> PathStep {
    PathStep::Key(name.to_owned())
}

const CONTAINERS: &str = "spec.template.spec.containers";

/// Catches an edit that loses a comment, quotes, or a list's own style.
#[test]
fn a_value_takes_the_place_of_another() {
    edits(
        &set(&keys("spec.serviceName"), json!("app")),
        "-  serviceName: \"web\"   # the Service\n+  serviceName: \"app\"   # the Service\n",
    );
    edits(&set(&keys("spec.replicas"), json!(3)), "-  replicas: 2\n+  replicas: 3\n");
    let modes = at("spec.volumeClaimTemplates", &[named("data"), key("spec"), key("accessModes")]);
    edits(
        &set(&[modes, vec![PathStep::Item(0)]].concat(), json!("ReadWriteOnce")),
        "-      accessModes: [ \"ReadWriteMany\" ]\n+      accessModes: [ \"ReadWriteOnce\" ]\n",
    );
    let args = at(CONTAINERS, &[named("side"), key("args")]);
    edits(
        &set(&[args.clone(), vec![PathStep::Item(1)]].concat(), json!("it's 5")),
        "-          args: [\"-c\", 'it''s', sleep 5]\n+          args: [\"-c\", 'it''s 5', sleep 5]\n",
    );
    edits(
        &set(&[args, vec![PathStep::Item(2)]].concat(), json!("[ -f a ] || sleep 5")),
        "-          args: [\"-c\", 'it''s', sleep 5]\n\
         +          args: [\"-c\", 'it''s', \"[ -f a ] || sleep 5\"]\n",
    );
}

/// Catches a block that is moved and written anew: its quotes, its comments and its own order.
#[test]
fn a_block_is_moved_with_its_own_lines() {
    let text = "spec:\n  replicas: 3\n  template:\n    spec:\n      containers: []\n      claims: # mine\n      \
        - name: \"a\"\n\n        # a list\n        modes: [ \"x\" ]\n";
    let moved = |text: &str, from: &str, parent: &str| {
        let edit = Edit::Move(keys(from), keys(parent));
        Document::read(text).unwrap().edited(&edit).map(|it| it.text().to_owned())
    };
    assert_eq!(
        moved(text, "spec.template.spec.claims", "spec").unwrap(),
        "spec:\n  replicas: 3\n  template:\n    spec:\n      containers: []\n  claims: # mine\n  \
        - name: \"a\"\n\n    # a list\n    modes: [ \"x\" ]\n"
    );
    // In one line with others there are no own lines.
    assert_eq!(
        moved("spec: {a: {b: 1, c: 2}, d: 3}\n", "spec.a.b", "spec").unwrap(),
        "spec: {a: {c: 2}, d: 3, b: 1}\n"
    );
}

/// Catches a script whose other lines change, too.
#[test]
fn lines_of_a_script_change_alone() {
    let script = at(CONTAINERS, &[named("app"), key("command"), PathStep::Item(2)]);
    edits(
        &set(&script, json!("hostname > /data/id\n\nsleep 50\n")),
        "-          sleep 5\n+          sleep 50\n",
    );
}

/// Catches a key left without its value, a list left empty, and an item that loses its `-`.
#[test]
fn a_field_goes() {
    edits(&Edit::Remove(keys("spec.replicas")), "-  replicas: 2\n");
    edits(
        &Edit::Remove(keys("spec.template.spec.nodeSelector.disk")),
        "-      nodeSelector:\n-        disk: ssd\n",
    );
    edits(
        &Edit::Remove(at(CONTAINERS, &[named("side"), key("image")])),
        "-      -   image: nginx\n-          name: side\n+      -   name: side\n",
    );
    edits(
        &Edit::Remove(at(
            CONTAINERS,
            &[named("app"), key("ports"), PathStep::Item(0), key("hostPort")],
        )),
        "-        ports: [{containerPort: 80, hostPort: 80}]\n+        ports: [{containerPort: 80}]\n",
    );
    edits(
        &Edit::Remove(at(CONTAINERS, &[named("app"), key("ports")])),
        "-        ports: [{containerPort: 80, hostPort: 80}]\n",
    );
    edits(
        &Edit::Remove(at(CONTAINERS, &[named("side"), key("volumeMounts"), named("data")])),
        "-          volumeMounts:\n-            - mountPath: /data\n-              name: data\n",
    );
}

/// Catches lines that come at the wrong depth.
#[test]
fn a_field_comes() {
    edits(
        &set(&keys("spec.selector.matchLabels"), json!({"app": "web"})),
        "+  selector:\n+    matchLabels:\n+      app: web\n",
    );
    edits(
        &Edit::Push(
            at(CONTAINERS, &[named("side"), key("volumeMounts")]),
            json!({"name": "b", "mountPath": "/b"}),
        ),
        "+            - name: b\n+              mountPath: /b\n",
    );
    edits(
        &Edit::Push(at(CONTAINERS, &[named("app"), key("volumeMounts")]), json!({"name": "b"})),
        "+        volumeMounts:\n+        - name: b\n",
    );
    edits(
        &set(&keys("metadata.labels.tier"), json!("db")),
        "-metadata: {name: web, labels: {app: web}}\n\
         +metadata: {name: web, labels: {app: web, tier: db}}\n",
    );
}

/// Catches an edit of what is not one document, or that cannot be written into its text.
#[test]
fn what_cannot_be_edited_is_left_alone() {
    for text in ["a: 1\n---\nb: 2\n", "a: [", ""] {
        assert!(Document::read(text).is_none(), "{text}");
    }
    let document = Document::read("spec:\nfolded: >\n  a\n  b\nalias: &a 1\nother: *a\n").unwrap();
    for path in ["spec.replicas", "folded", "other.b"] {
        assert!(document.edited(&set(&keys(path), json!(3))).is_none(), "{path}");
    }
}

/// Catches a folded text whose own lines are lost, and a script whose tabs are taken for those
/// that indent it.
#[test]
fn a_folded_text_becomes_one_of_lines() {
    let first = [keys("args"), vec![PathStep::Item(0)]].concat();
    let mended = |text: &str, new: &str| {
        let document = Document::read(text).unwrap();
        document.edited(&Edit::Set(first.clone(), new.into())).map(|it| it.text().to_owned())
    };
    for sign in [">", ">-", "> # why"] {
        let text = |it: &str| format!("args:\n- {it}\n  a;\n  b\nmore: 1\n");
        let literal = sign.replace('>', "|");
        let expected = text(&literal).replace("  a;\n  b\n", "  c\n  d\n");
        assert_eq!(mended(&text(sign), "c\nd\n"), Some(expected), "{sign}");
    }
    assert_eq!(mended("args:\n- >2\n    a\n", "b"), None);
    let tabbed = "args:\n- |\n  \ta\n  b\nmore: 1\n";
    let expected = tabbed.replace("b\n", "c\n");
    assert_eq!(mended(tabbed, "\ta\nc\n"), Some(expected));
}
