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
    submission::{AppliedKind, Manifest, Place, Submission, decode, is_document_end},
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
        self.objects.iter().filter_map(of).take(MAX_OBJECTS).collect()
    }
}

/// How a file is named without its folders, which are not the reader's.
#[must_use]
pub fn file_name(file: &Path) -> Option<String> {
    Some(file.file_name()?.to_string_lossy().into_owned())
}

/// The document that a line of a text belongs to, where it can be read, and the line that it begins
/// with, from 1.
pub(super) fn document_around(text: &str, line: usize) -> Option<(usize, Document)> {
    let lines: Vec<&str> = text.lines().collect();
    let at = line.checked_sub(1).filter(|it| *it < lines.len())?;
    let first = lines[..at].iter().rposition(|it| is_document_end(it)).map_or(0, |it| it + 1);
    let own: Vec<&str> =
        lines[first..].iter().take_while(|it| !is_document_end(it)).copied().collect();
    Some((first + 1, Document::read(&(own.join("\n") + "\n"))?))
}

/// The lines of a file that lead to a place where something is wrong: those of its whole object,
/// where that can be read, or those that end with the place. `None` where the file is long, or may
/// hold a secret. `kind` is empty. `named` tells how a file is named.
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
    if let Some((line, text)) = whole_object(&all, place.line) {
        return Some(ManifestText { file: file?, line, text, ..ManifestText::default() });
    }
    let first = place.line.saturating_sub(LINES_BEFORE).max(1);
    let lines: Vec<&str> =
        all.lines().skip(first - 1).take((place.line + 1).saturating_sub(first)).collect();
    let is_there = place.line > 0 && first + lines.len() == place.line + 1;
    let text = mask(&lines.join("\n"));
    Some(ManifestText { file: file.filter(|_| is_there)?, line: first, text, ..Default::default() })
}

/// The first line of the object that a line belongs to, and its text without what may be secret.
fn whole_object(all: &str, line: usize) -> Option<(usize, String)> {
    let (first, document) = document_around(all, line)?;
    if !["kind", "apiVersion"].iter().any(|it| document.has(&keys(it))) {
        return None;
    }
    let kinds = [AppliedKind::Pod, AppliedKind::StatefulSet];
    let paths = kinds.iter().flat_map(|it| secret_paths(*it, &document)).collect();
    Some((first, masked(document, paths)?))
}

fn text(manifest: &Manifest) -> Option<String> {
    let lines = manifest.text.lines().skip(manifest.place.line.checked_sub(1)?);
    let lines = lines.take_while(|it| !is_document_end(it));
    let is_json = manifest.text.trim_start().starts_with('{');
    let own: Vec<String> =
        lines.map(|it| if is_json { with_spaces(it) } else { it.to_owned() }).collect();
    let text = own.join("\n") + "\n";
    if text.len() > MAX_OBJECT_BYTES {
        return None;
    }
    let document = Document::read(&text)?;
    if document.scalar(&keys("metadata.name")) != Some(manifest.name.as_str()) {
        return None;
    }
    let paths = secret_paths(manifest.kind, &document);
    masked(document, paths)
}

/// A line of JSON with spaces in place of the tabs that indent it: a report shows it so.
fn with_spaces(line: &str) -> String {
    let inner = line.trim_start();
    let indentation = &line[..line.len() - inner.len()];
    indentation.replace('\t', "  ") + inner
}

/// The text of a document without what stands at these paths, and what else may be secret.
fn masked(mut document: Document, paths: Vec<FieldPath>) -> Option<String> {
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

/// The paths of the values that may be secret.
fn secret_paths(kind: AppliedKind, document: &Document) -> Vec<FieldPath> {
    let mut paths = vec![];
    let mut all_of = |map: &FieldPath, is_kept: &dyn Fn(&str) -> bool| {
        for key in document.keys_of(map).into_iter().filter(|it| !is_kept(it)) {
            paths.push([map.as_slice(), &[PathStep::Key(key.to_owned())]].concat());
        }
    };
    for map in ["data", "stringData", "binaryData"] {
        all_of(&keys(map), &|_| false);
    }
    let pod = pod_path(kind);
    let annotations = |path: &[PathStep]| [path, &keys("metadata.annotations")].concat();
    all_of(&annotations(&[]), &|key| key.starts_with(BINDING));
    all_of(&annotations(&keys("spec.template")), &|_| false);
    for list in ["initContainers", "containers"] {
        let list = [pod.as_slice(), &keys(list)].concat();
        for container in 0..document.count(&list) {
            let env = [list.as_slice(), &[PathStep::Item(container)], &keys("env")].concat();
            for variable in 0..document.count(&env) {
                let value = [env.as_slice(), &[PathStep::Item(variable)], &keys("value")].concat();
                if document.has(&value) {
                    paths.push(value);
                }
            }
        }
    }
    paths
}

/// Where an object of a kind has the spec of its pods.
fn pod_path(kind: AppliedKind) -> FieldPath {
    if kind == AppliedKind::Pod { keys("spec") } else { keys("spec.template.spec") }
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

    /// Catches a text that is kept in part, as if it were whole.
    #[test]
    fn what_is_too_long_is_not_kept() {
        let long = format!("{FILE}# {}\n", "x".repeat(40_000));
        let read = Submission::of_files(&[("lab3.yaml".to_owned(), long.into())], "lab").unwrap();
        assert_eq!(read.texts(|file| Some(file.display().to_string())).len(), 1);
    }
}
