//! The objects of a submission as their files have them, for the recording: a report can then show
//! a student's own lines.

use std::path::Path;

use serde_json::Value;

use crate::{
    console::{
        names::and_more,
        sanitize::sanitize,
        secrets::{MASK, mask_lines},
    },
    recording::ManifestText,
    remedy::manifest::{Document, Edit, Path as FieldPath, PathStep, keys},
    submission::{Manifest, Place, Submission, decode, is_document_end, stream},
};

/// A longer object is no lab's: its lines are not kept.
const MAX_OBJECT_BYTES: usize = 32 << 10;
/// More objects are not kept.
const MAX_OBJECTS: usize = 32;
/// How many objects are named in a line.
const SHOWN_OBJECTS: usize = 8;
/// So many lines are shown before one that is wrong.
pub(crate) const LINES_BEFORE: usize = 4;
/// Keys whose names tell of a secret, and whose values do not.
const HARMLESS_KEYS: [&str; 3] = ["secret", "imagePullSecrets", "automountServiceAccountToken"];
/// Where objects have the template of their pods; a Pod is none.
const POD_TEMPLATES: [&str; 2] = ["spec.template", "spec.jobTemplate.spec.template"];
/// Annotations by which Kubernetes binds a claim.
const BINDING: &str = "pv.kubernetes.io/";

impl Submission {
    /// The objects by kind and name: `Service/web, StatefulSet/web`.
    #[must_use]
    pub fn contents(&self) -> String {
        let objects = self.objects.iter().take(SHOWN_OBJECTS);
        let names: Vec<String> =
            objects.map(|it| format!("{}/{}", it.kind.names().0, sanitize(&it.name))).collect();
        and_more(&names, self.objects.len())
    }

    /// The text of each object that has one of its own, without what may be secret. `named` tells
    /// how a file is named.
    #[must_use]
    pub fn texts(&self, named: impl Fn(&Path) -> Option<String>) -> Vec<ManifestText> {
        let of = |it: &Manifest| {
            let file = named(Path::new(&it.place.file))?;
            Some(ManifestText {
                kind: it.kind.names().0.to_owned(),
                name: it.name.clone(),
                file,
                line: it.place.line,
                text: text(it)?,
            })
        };
        self.objects.iter().take(MAX_OBJECTS).filter_map(of).collect()
    }
}

/// How a file is named without its folders, which are not the reader's.
#[must_use]
pub fn file_name(file: &Path) -> Option<String> {
    Some(file.file_name()?.to_string_lossy().into_owned())
}

/// The document that a place of a text belongs to, where it can be read, and the line that it begins
/// with, from 1.
pub(super) fn document_around(text: &str, place: &Place) -> Option<(usize, Document)> {
    let (begin, part) = stream::part_with(text, place.document);
    if let Some(json) = stream::first_json(part) {
        return Some((begin, Document::read(&with_spaces(json))?));
    }
    let lines: Vec<&str> = part.lines().collect();
    let at = place.line.checked_sub(begin).filter(|it| *it < lines.len())?;
    let first = lines[..at].iter().rposition(|it| is_document_end(it)).map_or(0, |it| it + 1);
    let own: Vec<&str> =
        lines[first..].iter().take_while(|it| !is_document_end(it)).copied().collect();
    Some((begin + first, Document::read(&(own.join("\n") + "\n"))?))
}

/// The lines of a file that lead to a place where something is wrong: those of its whole object,
/// where that can be read, or those that end with the place. `None` where the file is long, or may
/// hold a secret: of JSON a line may be all of another object. `kind` is empty. `named` tells how a file is named.
#[must_use]
pub fn lines_before(
    files: &[(String, Vec<u8>)],
    place: &Place,
    named: impl Fn(&Path) -> Option<String>,
) -> Option<ManifestText> {
    let (_, bytes) = files.iter().find(|(file, _)| *file == place.file)?;
    let all = decode(bytes)?;
    if all.len() > MAX_OBJECT_BYTES || all.contains("Secret") {
        return None;
    }
    let file = named(Path::new(&place.file));
    if let Some((line, text)) = whole_object(&all, place) {
        return Some(ManifestText { file: file?, line, text, ..ManifestText::default() });
    }
    if stream::begins_with_json(&all) {
        return None;
    }
    let first = place.line.saturating_sub(LINES_BEFORE).max(1);
    let lines: Vec<&str> =
        all.lines().skip(first - 1).take((place.line + 1).saturating_sub(first)).collect();
    let is_there = place.line > 0 && first + lines.len() == place.line + 1;
    let text = mask(&lines.join("\n"));
    Some(ManifestText { file: file.filter(|_| is_there)?, line: first, text, ..Default::default() })
}

/// The first line of the object that a place belongs to, and its text without what may be secret.
fn whole_object(all: &str, place: &Place) -> Option<(usize, String)> {
    let (first, document) = document_around(all, place)?;
    if !["kind", "apiVersion"].iter().any(|it| document.has(&keys(it))) {
        return None;
    }
    Some((first, masked(document)?))
}

fn text(manifest: &Manifest) -> Option<String> {
    let before = manifest.place.line.checked_sub(1)?;
    let lines_before = manifest.text.split_inclusive('\n').take(before);
    let rest = manifest.text.get(lines_before.map(str::len).sum()..)?;
    let text = match stream::first_json(rest) {
        Some(json) => with_spaces(json),
        None => {
            let own: Vec<&str> = rest.lines().take_while(|it| !is_document_end(it)).collect();
            own.join("\n") + "\n"
        }
    };
    if text.len() > MAX_OBJECT_BYTES {
        return None;
    }
    let document = Document::read(&text)?;
    if document.scalar(&keys("metadata.name")) != Some(manifest.name.as_str())
        || document.scalar(&keys("kind")).is_some_and(|it| it != manifest.kind.names().0)
    {
        return None;
    }
    masked(document)
}

/// JSON with spaces in place of the tabs that indent its lines: a report shows it so. No text of it
/// goes over the end of a line.
fn with_spaces(json: &str) -> String {
    let line = |line: &str| {
        let inner = line.trim_start();
        line[..line.len() - inner.len()].replace('\t', "  ") + inner + "\n"
    };
    json.lines().map(line).collect()
}

/// The text of a document without what may be secret; `None` where that cannot be told.
fn masked(mut document: Document) -> Option<String> {
    if document.has_a_key_twice() {
        return None;
    }
    let paths = secret_paths(&document);
    let count = document.text().lines().count();
    for path in paths {
        let lines = document.scalar(&path).map_or(1, |it| it.trim_end().lines().count().max(1));
        let masked = vec![MASK; lines].join("\n");
        document = document.edited(&Edit::Set(path, Value::from(masked)))?;
    }
    let masked = mask(document.text());
    // Each line keeps its number.
    (masked.lines().count() == count).then_some(masked)
}

fn mask(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let is_harmless = |line: &str| {
        let key = line.trim_start_matches([' ', '-']);
        HARMLESS_KEYS.iter().any(|it| key.starts_with(it))
    };
    let masked = mask_lines(&lines).into_iter().zip(&lines);
    let kept: Vec<String> = masked
        .map(|(masked, line)| if is_harmless(line) { line.clone() } else { masked })
        .collect();
    kept.join("\n") + "\n"
}

/// The paths of the values that may be secret: of the object, or of each one in a list.
fn secret_paths(document: &Document) -> Vec<FieldPath> {
    let mut paths = vec![];
    let mut objects: Vec<FieldPath> = vec![vec![]];
    while let Some(object) = objects.pop() {
        let items = [object.as_slice(), &keys("items")].concat();
        for item in 0..document.count(&items) {
            objects.push([items.as_slice(), &[PathStep::Item(item)]].concat());
        }
        add_secret_paths(document, &object, &mut paths);
    }
    paths
}

fn add_secret_paths(document: &Document, object: &[PathStep], paths: &mut Vec<FieldPath>) {
    let below = |path: &str| [object, &keys(path)].concat();
    let mut all_of = |map: &FieldPath, is_kept: &dyn Fn(&str) -> bool| {
        for key in document.keys_of(map).into_iter().filter(|it| !is_kept(it)) {
            paths.push([map.as_slice(), &[PathStep::Key(key.to_owned())]].concat());
        }
    };
    for map in ["data", "stringData", "binaryData"] {
        all_of(&below(map), &|_| false);
    }
    all_of(&below("metadata.annotations"), &|key| key.starts_with(BINDING));
    for template in POD_TEMPLATES {
        all_of(&below(&format!("{template}.metadata.annotations")), &|_| false);
    }
    let specs = POD_TEMPLATES.map(|it| below(&format!("{it}.spec")));
    for spec in [below("spec")].into_iter().chain(specs) {
        for list in ["initContainers", "containers"] {
            let list = [spec.as_slice(), &keys(list)].concat();
            for container in 0..document.count(&list) {
                let env = [list.as_slice(), &[PathStep::Item(container)], &keys("env")].concat();
                for variable in 0..document.count(&env) {
                    let item = [env.as_slice(), &[PathStep::Item(variable)]].concat();
                    let value = [item, keys("value")].concat();
                    if document.has(&value) {
                        paths.push(value);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
}
