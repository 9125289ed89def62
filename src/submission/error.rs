//! Why a submission cannot be taken, and what to do about it.

use std::io;

use checks::model::MAX_REPLICAS;

use crate::{
    remedy::shell_word_or,
    submission::{
        Place,
        files::{MAX_FILE_BYTES, MAX_FILES},
    },
};

/// Why a document is no Kubernetes object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoObject {
    /// It is a list, a text or a number.
    #[error("it has no fields, such as apiVersion, kind and metadata")]
    NoFields,
    /// A field is missing.
    #[error("it has no `{0}`")]
    Lacks(&'static str),
    /// A field is a number, or `true` or `false`.
    #[error("its `{0}` is no text")]
    NotText(&'static str),
    /// Its name cannot be one.
    #[error("its name has other characters than lowercase letters, digits, - and .")]
    BadName,
}

impl NoObject {
    /// The field that is wrong.
    pub(super) const fn field(self) -> Option<&'static str> {
        match self {
            Self::NoFields => None,
            Self::Lacks(field) | Self::NotText(field) => Some(field),
            Self::BadName => Some("metadata.name"),
        }
    }
}

/// Manifests that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// A file or directory cannot be read.
    #[error("cannot read {file}: {source}")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A file is larger than any manifest.
    #[error("{file} is larger than {} MiB, which no manifest is", MAX_FILE_BYTES >> 20)]
    TooLarge {
        /// Which.
        file: String,
    },
    /// A directory holds no manifests, or too many.
    #[error(
        "{directory} holds {found} files named *.yaml, *.yml or *.json; between 1 and \
        {MAX_FILES} are taken"
    )]
    Directory {
        /// Which.
        directory: String,
        /// How many.
        found: usize,
    },
    /// It is not text.
    #[error("{file} is not text")]
    NotText {
        /// Which.
        file: String,
    },
    /// It is neither YAML nor JSON.
    #[error("{place}: {why}")]
    Syntax {
        /// Where.
        place: Box<Place>,
        /// Why.
        why: String,
        /// What to do, where that is known.
        next: Option<String>,
    },
    /// It belongs to another tool.
    #[error("{place}: this is {what}, not an object of a submission")]
    Foreign {
        /// Where.
        place: Box<Place>,
        /// What it is.
        what: String,
        /// What to do.
        next: String,
    },
    /// It is not a file.
    #[error("{url} is a URL, and no file")]
    Url {
        /// Which.
        url: String,
    },
    /// It is not a Kubernetes object.
    #[error("{place}: not a Kubernetes object: {why}")]
    NotAnObject {
        /// Where.
        place: Box<Place>,
        /// Why.
        why: NoObject,
    },
    /// Its kind is not applied.
    #[error("{place}: {kind} {name} is not applied: {why}")]
    Kind {
        /// Where.
        place: Box<Place>,
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// Which field says so.
        field: &'static str,
        /// Why.
        why: String,
        /// What to do.
        next: String,
        /// Whether a kind that is applied is meant.
        is_misspelt: bool,
    },
    /// It belongs somewhere else.
    #[error("{place}: {kind} {name} belongs to namespace {namespace}, and {target} is graded")]
    Namespace {
        /// Where.
        place: Box<Place>,
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
        /// The namespace that is graded.
        target: String,
    },
    /// A set asks for more pods than are graded.
    #[error(
        "{place}: StatefulSet {name} asks for {replicas} replicas, and no more than \
        {MAX_REPLICAS} are graded"
    )]
    TooManyReplicas {
        /// Where.
        place: Box<Place>,
        /// Its name.
        name: String,
        /// What it asks for.
        replicas: i64,
    },
    /// There is no object in any of the files.
    #[error("there is no object in {files}")]
    Nothing {
        /// The files.
        files: String,
    },
}

impl SubmissionError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::Unreadable { .. } => "Check the path and that you may read it.".to_owned(),
            Self::TooLarge { .. }
            | Self::NotText { .. }
            | Self::Directory { .. }
            | Self::Nothing { .. } => {
                "Name the YAML or JSON files with your Service and StatefulSet.".to_owned()
            }
            Self::NotAnObject { why, .. } if what_to_write(*why).is_some() => {
                what_to_write(*why).unwrap_or_default().to_owned()
            }
            Self::Syntax { next: Some(next), .. } => next.clone(),
            Self::Syntax { .. } | Self::NotAnObject { .. } => {
                "Correct the manifest; `kubectl apply --dry-run=client -f FILE` reads it the same \
                way."
                    .to_owned()
            }
            Self::TooManyReplicas { .. } => {
                "The lab asks for 3: correct `spec.replicas`. Nothing was applied.".to_owned()
            }
            Self::Foreign { next, .. } | Self::Kind { next, .. } => next.clone(),
            Self::Url { url } => {
                format!(
                    "Fetch it: `curl -fsSL {} | stsgrade grade -f -`.",
                    shell_word_or(url, "URL")
                )
            }
            // Such a namespace cannot be, or could not be typed.
            Self::Namespace { namespace, .. }
                if !is_namespace_name(namespace)
                    || namespace.starts_with('-')
                    || namespace.ends_with('-') =>
            {
                format!("Take `namespace: {namespace}` out of its metadata.")
            }
            Self::Namespace { namespace, .. } => format!(
                "Take `namespace: {namespace}` out of \
                its metadata, or grade there with `-n {namespace}`."
            ),
        }
    }
}

impl SubmissionError {
    /// Whether it is a mistake in the manifest itself, for which it is graded 0. Others are of how
    /// the grader was called, or ask for what it does not do.
    #[must_use]
    pub const fn is_in_the_manifest(&self) -> bool {
        match self {
            Self::NotText { .. }
            | Self::Syntax { .. }
            | Self::NotAnObject { .. }
            | Self::Nothing { .. } => true,
            Self::Kind { is_misspelt, .. } => *is_misspelt,
            Self::Unreadable { .. }
            | Self::TooLarge { .. }
            | Self::Directory { .. }
            | Self::Foreign { .. }
            | Self::Url { .. }
            | Self::TooManyReplicas { .. }
            | Self::Namespace { .. } => false,
        }
    }

    /// Where it is, as far as that is known.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let whole = |file: &String| Some(Place { file: file.clone(), ..Place::default() });
        match self {
            Self::Unreadable { file, .. } | Self::TooLarge { file } | Self::NotText { file } => {
                whole(file)
            }
            Self::Directory { directory, .. } => whole(directory),
            Self::Syntax { place, .. }
            | Self::Foreign { place, .. }
            | Self::NotAnObject { place, .. }
            | Self::Kind { place, .. }
            | Self::TooManyReplicas { place, .. }
            | Self::Namespace { place, .. } => Some(Place::clone(place)),
            Self::Url { .. } | Self::Nothing { .. } => None,
        }
    }

    /// The field that is wrong, where it is one.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Kind { field, .. } => Some(field),
            Self::NotAnObject { why, .. } => why.field(),
            Self::Namespace { .. } => Some("metadata.namespace"),
            Self::TooManyReplicas { .. } => Some("spec.replicas"),
            _ => None,
        }
    }
}

/// Whether a name has the letters and the length of a namespace's, which is a DNS label (RFC 1123).
pub(crate) fn is_namespace_name(name: &str) -> bool {
    let is_of_a_label = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    (1..64).contains(&name.len()) && name.bytes().all(is_of_a_label)
}

/// What to write in place of what is wrong with a document that is no object.
fn what_to_write(why: NoObject) -> Option<&'static str> {
    let field = match why {
        NoObject::NoFields => return None,
        NoObject::Lacks(field) => field,
        NoObject::NotText(_) => {
            return Some(
                "Write it in quotation marks. Without them YAML reads a number, or `true` or `false`.",
            );
        }
        NoObject::BadName => {
            return Some("Write the name with nothing but lowercase letters, digits, - and .");
        }
    };
    Some(match field {
        "kind" => {
            "Add a line with its kind below `apiVersion`: `kind: Service`, or `kind: StatefulSet`."
        }
        "apiVersion" => {
            "Add a line above `kind`: `apiVersion: v1` for a Service, `apiVersion: apps/v1` for a \
            StatefulSet."
        }
        "metadata" => {
            "Add the lines `metadata:` and, two spaces further in, `name:` with a name of your \
            own. The name of the Service is the one that `serviceName` of the StatefulSet says."
        }
        "metadata.name" => {
            "Add a line `name:` with a name of your own below `metadata:`, two spaces further in. \
            The name of the Service is the one that `serviceName` of the StatefulSet says."
        }
        _ => return None,
    })
}
