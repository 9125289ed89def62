//! The objects of a submission as their files have them, for the recording: a report can then show
//! a student's own lines.

use std::path::Path;

use serde_json::Value;

use crate::{
    console::{names::and_more, sanitize::sanitize},
    recording::{
        ManifestText,
        mask::{MASK, mask_lines},
    },
    remedy::manifest::{Document, Edit, Path as FieldPath, PathStep, keys},
    submission::{Manifest, Place, Submission, decode, is_document_end, stream},
};

/// A longer object is no lab's: its lines are not kept.
const MAX_OBJECT_BYTES: usize = 32 << 10;
/// More objects are not kept.
const MAX_OBJECTS: usize = 32;
/// How many objects are named in a line.
const SHOWN_OBJECTS: usize = 8;
/// The most values of one object that are masked.
const MAX_SECRETS: usize = 256;
/// So many lines are shown before one that is wrong.
pub(crate) const LINES_BEFORE: usize = 4;
/// Keys whose values, or those below them, nobody but the file's author should see.
const PRIVATE_KEYS: [&str; 6] = ["value", "env", "data", "stringData", "binaryData", "annotations"];
/// Fields of Kubernetes whose names tell of a secret, and whose values name one.
const HARMLESS_NAMES: [&str; 2] = ["secretName", "automountServiceAccountToken"];
/// The same of those whose values are objects.
const HARMLESS_OBJECTS: [&str; 4] = ["secret", "secretRef", "secretKeyRef", "imagePullSecrets"];
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
            let (line, text) = text(it)?;
            let (kind, name) = (it.kind.names().0.to_owned(), it.name.clone());
            Some(ManifestText { kind, name, file, line, text })
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
    if stream::begins_with_json(&all) || may_hold_private_values(&all) {
        return None;
    }
    let first = place.line.saturating_sub(LINES_BEFORE).max(1);
    let lines: Vec<&str> =
        all.lines().skip(first - 1).take((place.line + 1).saturating_sub(first)).collect();
    let is_there = place.line > 0 && first + lines.len() == place.line + 1;
    let text = mask(&lines.join("\n"));
    Some(ManifestText { file: file.filter(|_| is_there)?, line: first, text, ..Default::default() })
}

/// Whether a text that cannot be read may hold the value of a variable, of an annotation, of a
/// Secret or of a ConfigMap, which no name tells.
fn may_hold_private_values(text: &str) -> bool {
    let is_key = |(at, key): (usize, &str)| {
        let is_whole = !text[..at].ends_with(|it: char| it.is_ascii_alphanumeric());
        let rest = text[at + key.len()..].trim_start_matches(['"', '\'']);
        is_whole && rest.trim_start().starts_with(':')
    };
    text.contains("ConfigMap") || PRIVATE_KEYS.iter().any(|key| text.match_indices(key).any(is_key))
}

/// The first line of the object that a place belongs to, and its text without what may be secret.
fn whole_object(all: &str, place: &Place) -> Option<(usize, String)> {
    let (first, document) = document_around(all, place)?;
    if !["kind", "apiVersion"].iter().any(|it| document.has(&keys(it))) {
        return None;
    }
    Some((first, masked(document)?))
}

/// The first line of an object, and its text.
fn text(manifest: &Manifest) -> Option<(usize, String)> {
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
    let whole = Document::read(&text)?;
    let (line, document) = match manifest.within.as_slice() {
        [] => (1, whole),
        within => whole.part(within)?,
    };
    if document.scalar(&keys("metadata.name")) != Some(manifest.name.as_str())
        || document.scalar(&keys("kind")).is_some_and(|it| it != manifest.kind.names().0)
    {
        return None;
    }
    Some((before + line, masked(document)?))
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
    // Each costs a reading of the whole text.
    if paths.len() > MAX_SECRETS {
        return None;
    }
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
        let Some((key, value)) = line.trim_start_matches([' ', '-']).split_once(':') else {
            return false;
        };
        let is_object =
            value.trim().is_empty() || value.trim_start().starts_with(['{', '[', '#', '&']);
        HARMLESS_NAMES.contains(&key) || HARMLESS_OBJECTS.contains(&key) && is_object
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
        objects.extend(items(document, &[object.as_slice(), &keys("items")].concat()));
        add_secret_paths(document, &object, &mut paths);
    }
    let scalars = document.scalars().into_iter();
    paths.extend(scalars.map(|(path, _)| path).filter(|it| is_of_a_variable(it)));
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
        let volumes = below(&format!("{template}.spec.volumes"));
        for volume in items(document, &volumes) {
            let claim = keys("ephemeral.volumeClaimTemplate.metadata.annotations");
            all_of(&[volume, claim].concat(), &|_| false);
        }
    }
    for claim in items(document, &below("spec.volumeClaimTemplates")) {
        all_of(&[claim, keys("metadata.annotations")].concat(), &|_| false);
    }
}

/// The paths of the items of a list.
fn items(document: &Document, list: &[PathStep]) -> Vec<FieldPath> {
    let count = document.count(list);
    (0..count).map(|item| [list, &[PathStep::Item(item)]].concat()).collect()
}

/// Whether a path leads to what a variable of a container is set to, wherever that stands: the
/// object may be one that is refused.
fn is_of_a_variable(path: &[PathStep]) -> bool {
    /// What names a variable, or where its value is from.
    const NAMES: [&str; 8] = [
        "name",
        "key",
        "fieldPath",
        "apiVersion",
        "resource",
        "containerName",
        "divisor",
        "optional",
    ];
    let is_env = |it: &PathStep| matches!(it, PathStep::Key(key) if key == "env");
    match path.last() {
        Some(PathStep::Key(key)) if key == "value" => true,
        Some(PathStep::Key(key)) => {
            path[..path.len() - 1].iter().any(is_env) && !NAMES.contains(&key.as_str())
        }
        Some(PathStep::Item(_) | PathStep::Named(_)) => path.iter().any(is_env),
        None => false,
    }
}

#[cfg(test)]
mod tests;
