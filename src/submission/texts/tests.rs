//! What is kept of manifests, and what is not.

use super::lines_before;
use crate::submission::{Place, Submission};

const FILE: &str = "\
# the lab
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData:
  user: hunter2
  key: |
    hunter2
    hunter2
---
# my set
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: web   # the name
  annotations: {note: hunter2}
spec:
  template:
    metadata:
      annotations:
        note: \"hunter2\"
    spec:
      containers:
      - name: app
        env:
        - name: A
          value: hunter2
        - {name: B, value: 'hunter2'}
        - name: C
          valueFrom:
            secretKeyRef: {name: login, key: user}
        command: [sh, -c, \"PASSWORD=hunter2 app\"]
        args:
        - |
          secret=hunter2
          secret_password=hunter2
          secretToken: hunter2
      volumes:
      - name: scratch
        ephemeral:
          volumeClaimTemplate:
            metadata: {annotations: {note: hunter2}}
  volumeClaimTemplates:
  - metadata:
      name: data
      annotations:
        note: hunter2
";

/// Catches lines that are not those before the place, and a secret that is shown.
#[test]
fn the_lines_before_a_place_end_with_its_own() {
    let read = |text: &str, line| {
        let files = [("lab/a.yaml".to_owned(), text.as_bytes().to_vec())];
        let place = Place { file: "lab/a.yaml".to_owned(), document: 0, line };
        lines_before(&files, &place, |it| Some(it.file_name()?.display().to_string()))
    };
    let text = "a: 1\nb:\n  c: 1\n   d: 2\n";
    let found = read(text, 4).unwrap();
    assert_eq!((found.file.as_str(), found.line, found.text.as_str()), ("a.yaml", 1, text));
    assert_eq!((read(text, 0), read(text, 5)), (None, None));
    let found = read("1\n2\n3\n4\n5\n6\n7\n", 6).unwrap();
    assert_eq!((found.line, found.text.as_str()), (2, "2\n3\n4\n5\n6\n"));
    assert_eq!(read("kind: Secret\n  a: 1\n", 2), None);
    assert_eq!(lines_before(&[], &Place::default(), |_| None), None);
}

/// Catches a secret in a recording, and lines that lose their numbers.
#[test]
fn the_text_is_kept_without_what_may_be_secret() {
    let read = Submission::of_files(&[("lab3.yaml".to_owned(), FILE.into())], "lab").unwrap();
    let texts = read.texts(|file| Some(file.display().to_string()));
    let names: Vec<&str> = texts.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["login", "web"]);
    for it in &texts {
        assert!(!it.text.contains("hunter2"), "{}", it.text);
        let own: Vec<&str> = FILE.lines().skip(it.line - 1).collect();
        for (kept, line) in it.text.lines().zip(own) {
            assert!(kept == line || kept.contains("***"), "{kept} for {line}");
        }
    }
    assert!(texts[0].text.contains("  user: "), "{}", texts[0].text);
    let kept = "            secretKeyRef: {name: login, key: user}\n";
    assert!(texts[1].text.contains(kept), "{}", texts[1].text);
}

/// Catches a value of another object of JSON, or of the second of two equal keys, that is kept
/// with the lines of a refusal.
#[test]
fn of_json_only_the_own_object_is_kept_with_a_refusal() {
    let set = |name: &str, env: &str| {
        format!(
            r#"{{"apiVersion":"apps/v1","kind":"{name}","metadata":{{"name":"web"}},"spec":{{"template":{{"spec":{{"containers":[{{"name":"app","env":[{env}]}}]}}}}}}}}"#
        )
    };
    let secret = r#"{"name":"A","value":"hunter2"}"#;
    let twice = r#"{"name":"A","value":"","value":"hunter2"}"#;
    let job = r#"{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"a"},"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"env":[{"name":"A","value":"hunter2"}]}]}}}}}}"#;
    let foo =
        "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Foo\", \"metadata\": {\"name\": \"a\"}\n}";
    let list = |item: &str| {
        format!(r#"{{"apiVersion":"v1","kind":"List","items":[{item},{{"kind":"Foo"}}]}}"#)
    };
    for (text, kept) in [
        // Behind it, in its line, and before it.
        (format!("{}\n{foo}\n", set("StatefulSet", secret)), Some((2, "Foo"))),
        (format!("{} {foo}\n", set("StatefulSet", secret)), Some((1, "Foo"))),
        (format!("{foo}\n{}\n", set("StatefulSet", secret)), Some((1, "Foo"))),
        (set("Foo", secret), Some((1, "***"))),
        (list(&set("StatefulSet", secret)), Some((1, "***"))),
        (job.to_owned(), Some((1, "***"))),
        (set("Foo", twice), None),
        // YAML without a `---`, and what is neither.
        (
            format!("{}\napiVersion: v1\nkind: Foo\n", set("StatefulSet", secret)),
            Some((2, "kind: Foo\n")),
        ),
        (format!("{}\na: b: c\n", set("StatefulSet", secret)), None),
        (format!("{}\n{{}}\na: b\n", set("StatefulSet", secret)), None),
    ] {
        let files = [("lab3.json".to_owned(), text.clone().into_bytes())];
        let place = Submission::of_files(&files, "lab").unwrap_err().place().unwrap();
        let found = lines_before(&files, &place, |it| Some(it.display().to_string()));
        assert_eq!(found.as_ref().map(|it| it.line), kept.map(|it| it.0), "{text}");
        let Some(found) = found else { continue };
        assert!(!found.text.contains("hunter2"), "{}", found.text);
        assert!(kept.is_some_and(|it| found.text.contains(it.1)), "{}", found.text);
    }
}

/// Catches a value of a ConfigMap, of a Secret or of an annotation that is shown because its object
/// cannot be read, or has a key twice.
#[test]
fn the_values_of_an_object_that_cannot_be_read_are_not_kept() {
    for (text, is_kept) in [
        ("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: hunter2\nkind: Service\n", false),
        ("kind: configmap\ndata:\n  a: hunter2\n b: 1\n", false),
        ("kind: ConfigMap\nmetadata:\n  a: hunter2\n b: 1\n", false),
        ("kind: Sercet\n\"stringData\" :\n  a: hunter2\n b: 1\n", false),
        ("kind: Sercet\nbinaryData: {a: hunter2}\n b: 1\n", false),
        ("kind: Service\nmetadata:\n  annotations:\n    a: hunter2\n   b: 1\n", false),
        // `data` stands there in other words, too.
        ("kind: Service\nmetadata:\n  name: data\n   b: 1\n", true),
    ] {
        let files = [("lab3.yaml".to_owned(), text.as_bytes().to_vec())];
        let place = Submission::of_files(&files, "lab").unwrap_err().place().unwrap();
        let found = lines_before(&files, &place, |it| Some(it.display().to_string()));
        assert_eq!(found.is_some(), is_kept, "{text}");
    }
}

/// Catches the value of a variable that is kept because it stands where no variable may stand, or
/// in a file that cannot be read.
#[test]
fn the_value_of_a_variable_is_masked_wherever_it_stands() {
    let head = "apiVersion: v1\nkind: Foo\nmetadata: {name: a}\n";
    for (rest, is_kept) in [
        ("spec:\n  template:\n    spec:\n      env:\n      - {name: A, value: hunter2}\n", true),
        ("spec:\n  template:\n    containers:\n    - env: [{name: A, value: hunter2}]\n", true),
        ("spec:\n  env: {A: hunter2}\n", true),
        ("spec:\n  env: [A=hunter2]\n", true),
        ("spec:\n  env:\n  - name: A\n    value: hunter2\n   b: 1\n", false),
        ("spec:\n  - name: A\n    \"value\" : hunter2\n   b: 1\n", false),
    ] {
        let files = [("lab3.yaml".to_owned(), format!("{head}{rest}").into_bytes())];
        let place = Submission::of_files(&files, "lab").unwrap_err().place().unwrap();
        let found = lines_before(&files, &place, |it| Some(it.display().to_string()));
        assert_eq!(found.is_some(), is_kept, "{rest}");
        assert!(found.is_none_or(|it| !it.text.contains("hunter2")), "{rest}");
    }
}

/// Catches a secret behind the first of two equal keys, of which Kubernetes takes the last, and
/// an object that has the text of another one in its line.
#[test]
fn of_two_equal_keys_and_two_objects_in_a_line_no_text_is_kept() {
    let head = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"#;
    let kept = |text: &str| {
        let files = [("lab3.json".to_owned(), text.into())];
        Submission::of_files(&files, "lab").unwrap().texts(|it| Some(it.display().to_string()))
    };
    for twice in [
        format!(r#"{head}"data":{{"a":"eA=="}},"data":{{"a":"hunter2="}}}}"#),
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  a: eA==\n  a: hunter2=\n"
            .to_owned(),
    ] {
        assert!(kept(&twice).is_empty(), "{twice}");
    }
    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"a","env":[{"name":"A","value":"hunter2"}]}]}}"#;
    let both = kept(&format!(r#"{pod} {head}"data":{{"a":"hunter2="}}}}"#));
    assert!(both.iter().all(|it| !it.text.contains("hunter2")), "{both:?}");
    let names: Vec<&str> = both.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(names, ["Pod"]);
}

/// Catches a text of YAML that loses its tabs because the file begins with JSON.
#[test]
fn only_json_loses_its_tabs() {
    let text = "{\n\t\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"a\"}}\n\
        ---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: web}\nspec:\n  \
        template:\n    spec:\n      containers:\n      - name: app\n        args:\n        - |\n          \
        cat <<-E\n          \ta\n          E\n";
    let files = [("lab3.yaml".to_owned(), text.into())];
    let read = Submission::of_files(&files, "lab").unwrap();
    let texts = read.texts(|it| Some(it.display().to_string()));
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].text.starts_with("{\n  \"apiVersion\""), "{}", texts[0].text);
    assert!(texts[1].text.contains("\n          \ta\n"), "{}", texts[1].text);
}

/// Catches a text that is kept in part, as if it were whole.
#[test]
fn what_is_too_long_is_not_kept() {
    let long = format!("{FILE}# {}\n", "x".repeat(40_000));
    let read = Submission::of_files(&[("lab3.yaml".to_owned(), long.into())], "lab").unwrap();
    assert_eq!(read.texts(|file| Some(file.display().to_string())).len(), 1);
}

/// Catches an object of a list that has no lines, those of another item, or another's line numbers.
#[test]
fn an_item_of_a_list_has_its_own_lines() {
    const YAML: &str = "\
# mine
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: web}
  spec:
    clusterIP: None  # headless
# the set
- apiVersion: apps/v1
  kind: StatefulSet
  metadata:
    name: web
  spec:
    replicas: 3
    template:
      spec:
        containers:
        - name: app
          env:
          - name: A
            value: hunter2
- apiVersion: v1
  kind: Secret
  metadata: {name: login}
  stringData:
    user: hunter2
---
apiVersion: v1
kind: Service
metadata: {name: other}
";
    const JSON: &str = r#"{
  "apiVersion": "v1",
  "kind": "List",
  "items": [
    {
      "apiVersion": "v1",
      "kind": "Service",
      "metadata": {"name": "web"}
    },
    {
      "apiVersion": "apps/v1",
      "kind": "StatefulSet",
      "metadata": {"name": "web", "annotations": {"note": "hunter2"}},
      "spec": {"template": {"spec": {"containers": [
        {"name": "app", "env": [{"name": "A", "value": "hunter2"}]}
      ]}}}
    }, {
      "apiVersion": "v1", "kind": "Service", "metadata": {"name": "beside"}
    },
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "in-a-line"}},
    {"apiVersion": "v1", "kind": "Service",
      "metadata": {"name": "closed-beside-a-field"}}
  ]
}
"#;
    let read = |file: &str| {
        let files = [("lab3".to_owned(), file.into())];
        Submission::of_files(&files, "lab").unwrap()
    };
    for (file, kept) in [
        (
            YAML,
            vec![
                ("Secret login", 24),
                ("Service web", 5),
                ("Service other", 30),
                ("StatefulSet web", 11),
            ],
        ),
        (JSON, vec![("Service web", 5), ("StatefulSet web", 10)]),
    ] {
        let texts = read(file).texts(|it| Some(it.display().to_string()));
        let found: Vec<_> =
            texts.iter().map(|it| (format!("{} {}", it.kind, it.name), it.line)).collect();
        let found: Vec<_> = found.iter().map(|(name, line)| (name.as_str(), *line)).collect();
        assert_eq!(found, kept);
        for it in &texts {
            let own: Vec<&str> = file.lines().skip(it.line - 1).collect();
            for (kept, line) in it.text.lines().zip(own) {
                // The comma behind it is the list's.
                let is_before_next = kept == "    }" && line == "    }, {";
                let is_line = kept == line || format!("{kept},") == line || is_before_next;
                assert!(is_line || kept.contains("***"), "{kept} for {line}");
            }
            assert!(!it.text.contains("hunter2"), "{}", it.text);
        }
    }
    // The set comes last. Where no field is told, it is the item's first line.
    for (field, in_yaml, in_json) in [("metadata.name", 14, 13), ("", 11, 10)] {
        let line = |file: &str| read(file).objects.last().map(|it| it.place_of_told(field).line);
        assert_eq!((line(YAML), line(JSON)), (Some(in_yaml), Some(in_json)), "{field}");
    }
}
