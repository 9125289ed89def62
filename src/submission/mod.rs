//! The submission: the manifests that a student hands in, as `-f` names them.
//!
//! What may be applied, and into which namespace, is decided here, before anything is applied.

mod error;
mod files;
pub(crate) mod foreign;
pub(crate) mod go_yaml;
mod object;
mod stream;
mod syntax;
pub mod texts;

use std::{borrow::Cow, fmt, path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    console::sanitize::sanitize, recording::digest_text, remedy::manifest::Path as FieldPath,
};

pub use crate::submission::error::SubmissionError;
pub(crate) use crate::submission::error::is_namespace_name;
use crate::submission::{
    files::{MAX_FILE_BYTES, ManifestSource},
    object::Context,
};

/// The kinds that are applied, in the order in which they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AppliedKind {
    /// `v1` ConfigMap.
    ConfigMap,
    /// `v1` Secret.
    Secret,
    /// `v1` ServiceAccount.
    ServiceAccount,
    /// `v1` PersistentVolumeClaim.
    PersistentVolumeClaim,
    /// `v1` Service: before the pods, so that no name is asked for too early.
    Service,
    /// `policy/v1` PodDisruptionBudget.
    PodDisruptionBudget,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` Deployment.
    Deployment,
    /// `v1` Pod.
    Pod,
}

impl AppliedKind {
    /// Every kind, in order.
    pub const ALL: [Self; 9] = [
        Self::ConfigMap,
        Self::Secret,
        Self::ServiceAccount,
        Self::PersistentVolumeClaim,
        Self::Service,
        Self::PodDisruptionBudget,
        Self::StatefulSet,
        Self::Deployment,
        Self::Pod,
    ];

    /// Kind, apiVersion and plural.
    #[must_use]
    pub const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::ConfigMap => ("ConfigMap", "v1", "configmaps"),
            Self::Secret => ("Secret", "v1", "secrets"),
            Self::ServiceAccount => ("ServiceAccount", "v1", "serviceaccounts"),
            Self::PersistentVolumeClaim => {
                ("PersistentVolumeClaim", "v1", "persistentvolumeclaims")
            }
            Self::Service => ("Service", "v1", "services"),
            Self::PodDisruptionBudget => {
                ("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets")
            }
            Self::StatefulSet => ("StatefulSet", "apps/v1", "statefulsets"),
            Self::Deployment => ("Deployment", "apps/v1", "deployments"),
            Self::Pod => ("Pod", "v1", "pods"),
        }
    }
}

/// One object to apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its kind.
    pub kind: AppliedKind,
    /// `metadata.name`.
    pub name: String,
    /// All of it, with the target namespace set.
    pub value: Value,
    /// Where its document stands.
    pub place: Place,
    /// Where in the document it stands: the path of a list's item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: FieldPath,
    /// The text of its file.
    pub text: Arc<str>,
    /// Its own namespace, where it is another than the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_namespace: Option<String>,
}

impl Manifest {
    /// Where a field that the API server tells stands (`spec.template.spec.containers[0].name`): the
    /// line of its key, or of the deepest field above it that has one. It is looked for in the text,
    /// because the server often leaves out which item of a list it means.
    #[must_use]
    pub fn place_of_told(&self, field: &str) -> Place {
        let (start, own) = self.own_lines();
        let mut found = None;
        for segment in field.split('.') {
            let (name, item) = segment.split_once('[').unwrap_or((segment, ""));
            let from = found.unwrap_or(0);
            let key = own.iter().skip(from).position(|line| has_key(line, name));
            let Some(at) = key.map(|it| from + it) else { break };
            let number = item.trim_end_matches(']').parse().ok();
            found = Some(number.and_then(|it| list_item(&own, at + 1, it)).unwrap_or(at));
        }
        let at = match found {
            Some(at) => at,
            // In a line that ends another item it would be taken for that one's.
            None if self.within.is_empty()
                || own.first().is_some_and(|it| it.trim_start().starts_with('}')) =>
            {
                return self.place.clone();
            }
            None => 0,
        };
        Place { line: start + at + 1, ..self.place.clone() }
    }

    /// Its lines in its file, and the place of the first one, from 0.
    fn own_lines(&self) -> (usize, Vec<&str>) {
        // Only an item of a list needs the whole document to be read.
        if !self.within.is_empty()
            && let Some((line, document)) = texts::document_around(&self.text, &self.place)
            && let Some((first, last)) = document.lines_of(&self.within)
        {
            let (start, count) = (line + first - 2, last + 1 - first);
            return (start, self.text.lines().skip(start).take(count).collect());
        }
        let start = self.place.line.saturating_sub(1);
        let mut own: Vec<&str> = self.text.lines().skip(start).collect();
        if let Some(end) = own.iter().skip(1).position(|it| is_document_end(it)) {
            own.truncate(end + 1);
        }
        (start, own)
    }
}

/// Whether a line ends a document of YAML, or begins the next one.
fn is_document_end(line: &str) -> bool {
    ["---", "..."].iter().any(|it| line.starts_with(it))
}

/// Whether a line of block style begins with this key.
fn has_key(line: &str, name: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ").trim_start();
    let key = line.split(':').next().unwrap_or_default();
    !name.is_empty() && line.contains(':') && key.trim_matches(['"', '\'', ' ']) == name
}

/// The line of an item of the list that begins at a line, from 0.
fn list_item(lines: &[&str], first: usize, number: usize) -> Option<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_item = |line: &str| line.trim_start().starts_with('-');
    let level = lines.get(first).filter(|it| is_item(it)).map(|it| indent(it))?;
    let items = lines.iter().enumerate().skip(first);
    let mut items = items.filter(|(_, line)| is_item(line) && indent(line) == level);
    items.nth(number).map(|(at, _)| at)
}

/// Where something stands in the files of a submission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, as it was named; safe to show.
    pub file: String,
    /// Which document of it, from 1; 0 for all of it.
    pub document: usize,
    /// Its line, from 1; 0 where that is not known.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.file)?;
        if self.document > 0 {
            write!(to, ", document {}", self.document)?;
        }
        if self.line > 0 {
            write!(to, ", line {}", self.line)?;
        }
        Ok(())
    }
}

/// What is graded, when it was handed in as files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// In the order in which they are applied.
    pub objects: Vec<Manifest>,
    /// `sha256:…` of the files' bytes.
    pub digest: String,
}

impl Submission {
    /// Reads what `-f` names: files, directories, `-` for the standard input.
    ///
    /// An object that names no namespace, the lab's or the target's is taken into the target.
    ///
    /// # Errors
    /// A file cannot be read or understood, or holds an object that is not taken.
    pub fn read(names: &[PathBuf], target: &str) -> Result<Self, SubmissionError> {
        Self::of_files(&Self::read_files(names)?, target)
    }

    /// The names of the files that `-f` names, safe to show, and what they hold.
    ///
    /// # Errors
    /// A file cannot be read, or there is none.
    pub fn read_files(names: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>, SubmissionError> {
        let sources = files::files(names)?;
        let files = sources.into_iter().map(ManifestSource::read).collect::<Result<Vec<_>, _>>()?;
        if files.is_empty() {
            return Err(Self::nothing(names.iter().map(|it| it.display().to_string())));
        }
        Ok(files)
    }

    /// As [`Submission::read`], of files that are read already: their names, and what they hold.
    ///
    /// # Errors
    /// A file cannot be understood, or holds an object that is not taken.
    pub fn of_files(files: &[(String, Vec<u8>)], target: &str) -> Result<Self, SubmissionError> {
        let mut objects = vec![];
        let mut hash = Sha256::new();
        for (file, bytes) in files {
            if bytes.len() as u64 > MAX_FILE_BYTES {
                return Err(SubmissionError::TooLarge { file: file.clone() });
            }
            hash.update(bytes);
            let documents = parse(file, bytes)?;
            let text: Arc<str> = decode(bytes).unwrap_or_default().into();
            for (place, value) in documents {
                let within = vec![];
                Context { place: &place, text: &text, target, within }
                    .add_to(value, &mut objects)?;
            }
        }
        if objects.is_empty() {
            return Err(Self::nothing(files.iter().map(|(name, _)| name.clone())));
        }
        objects.sort_by_key(|it: &Manifest| it.kind);
        Ok(Self { objects, digest: digest_text(&hash.finalize()) })
    }

    fn nothing(names: impl Iterator<Item = String>) -> SubmissionError {
        let files: Vec<String> = names.map(|it| sanitize(&it)).collect();
        SubmissionError::Nothing { files: files.join(", ") }
    }

    /// A namespace other than the target that an object of it names, and that it is taken out of.
    #[must_use]
    pub fn left_namespace(&self) -> Option<&str> {
        self.objects.iter().find_map(|it| it.left_namespace.as_deref())
    }

    /// The names of the StatefulSets in it.
    pub fn statefulsets(&self) -> impl Iterator<Item = &str> {
        self.objects
            .iter()
            .filter(|it| it.kind == AppliedKind::StatefulSet)
            .map(|it| it.name.as_str())
    }
}

/// A file's text, as kubectl takes it: UTF-16 where a byte order mark says so (PowerShell writes
/// it), else UTF-8, in which bytes that are none (of Latin-1, mostly in comments) become U+FFFD.
pub(crate) fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| -> Option<String> {
        let (pairs, rest) = bytes.as_chunks::<2>();
        rest.is_empty().then(|| {
            char::decode_utf16(pairs.iter().map(|it| unit(*it)))
                .map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        })
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes).map(Cow::Owned),
        [0xef, 0xbb, 0xbf, rest @ ..] => Some(String::from_utf8_lossy(rest)),
        _ => Some(String::from_utf8_lossy(bytes)),
    }
}

/// The documents of a file, each with its place.
fn parse(file: &str, bytes: &[u8]) -> Result<Vec<(Place, Value)>, SubmissionError> {
    let text = decode(bytes)
        .filter(|it| !it.contains('\0'))
        .ok_or_else(|| SubmissionError::NotText { file: file.to_owned() })?;
    let text = text.as_ref();
    let place = |document: usize, line: usize| Place { file: file.to_owned(), document, line };
    match stream::documents(text) {
        Ok(documents) => {
            Ok(documents.into_iter().map(|it| (place(it.number, it.line), it.value)).collect())
        }
        Err(fault) => Err(match foreign::template(file, text) {
            Some(known) => SubmissionError::Foreign {
                place: Box::new(place(fault.document, fault.line)),
                what: known.what,
                next: known.next,
            },
            None => SubmissionError::Syntax {
                place: Box::new(place(fault.document, fault.line)),
                why: sanitize(&fault.why),
                next: fault.next.map(|it| it.in_words(fault.line)),
            },
        }),
    }
}

#[cfg(test)]
mod tests;
