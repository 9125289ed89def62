//! What is handed in: one entry of a folder for each student.

use std::{collections::BTreeSet, fmt, io, path::Path};

use crate::{
    cluster::client::{connect::LAB_NAMESPACE, failure_id::UNREADABLE_MANIFEST},
    console::sanitize::sanitize,
    report::Problem,
    submission::{Submission, SubmissionError},
};

/// The most characters of an id: it becomes a part of a namespace's name.
const MAX_ID_CHARS: usize = 40;

/// The safe, unique name of a hand-in: lowercase letters, digits and hyphens, at most 40.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HandInId(String);

impl HandInId {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id for a name, other than all that are taken.
    fn unique(name: &str, taken: &mut BTreeSet<String>) -> Self {
        let mut base = String::new();
        for c in name.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                base.push(c);
            } else if !base.is_empty() && !base.ends_with('-') {
                base.push('-');
            }
        }
        base.truncate(MAX_ID_CHARS);
        let base = base.trim_end_matches('-');
        let base = if base.is_empty() { "hand-in" } else { base };
        let mut id = base.to_owned();
        let mut number = 2;
        while !taken.insert(id.clone()) {
            let suffix = format!("-{number}");
            let room = MAX_ID_CHARS - suffix.len();
            id = format!("{}{suffix}", &base[..base.len().min(room)]);
            number += 1;
        }
        Self(id)
    }
}

impl fmt::Display for HandInId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

/// What one student handed in.
#[derive(Clone, Debug, PartialEq)]
pub struct HandIn {
    /// Its id.
    pub id: HandInId,
    /// Whose it is, as the folder or the roster says.
    pub name: String,
    /// What is graded.
    pub subject: Subject,
}

/// What is graded of a hand-in, or why nothing is.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// Manifests, which get a namespace of their own.
    Manifests(Submission),
    /// A namespace, which is graded where it stands.
    Namespace {
        /// The kubeconfig's context, where it is not any of the batch's.
        context: Option<String>,
        /// Its name.
        namespace: String,
    },
    /// It cannot be read: it gets no points.
    Unreadable(Problem),
    /// It asks for what is not allowed: a person has to look at it.
    Held(Problem),
}

/// All hand-ins of a folder, by name.
///
/// # Errors
/// The folder cannot be read.
pub fn read(folder: &Path) -> io::Result<Vec<HandIn>> {
    let mut paths = vec![];
    for entry in folder.read_dir()? {
        paths.push(entry?.path());
    }
    paths.sort();
    // A student's report does not show the instructor's folders.
    let own = format!("{}/", sanitize(&folder.display().to_string()).trim_end_matches('/'));
    let mut taken = BTreeSet::new();
    let mut hand_ins = vec![];
    for path in paths {
        let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
        let name = stem.unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let subject = match Submission::read(&[path], LAB_NAMESPACE) {
            Ok(mut submission) => {
                for manifest in &mut submission.objects {
                    manifest.place.file = manifest.place.file.replace(&own, "");
                }
                Subject::Manifests(submission)
            }
            Err(error) => subject(&error, &own),
        };
        hand_ins.push(HandIn { id: HandInId::unique(&name, &mut taken), name, subject });
    }
    Ok(hand_ins)
}

/// Namespaces as hand-ins, each to be graded where it stands.
#[must_use]
pub fn namespaces(names: Vec<(Option<String>, String)>) -> Vec<HandIn> {
    let mut taken = BTreeSet::new();
    let hand_in = |(context, namespace): (Option<String>, String)| HandIn {
        id: HandInId::unique(&namespace, &mut taken),
        name: namespace.clone(),
        subject: Subject::Namespace { context, namespace },
    };
    names.into_iter().map(hand_in).collect()
}

fn subject(error: &SubmissionError, own: &str) -> Subject {
    let (what, next) = (error.to_string().replace(own, ""), error.next().replace(own, ""));
    let problem = Problem::new(UNREADABLE_MANIFEST, what, next);
    match error {
        SubmissionError::Kind { is_misspelt: false, .. } | SubmissionError::Namespace { .. } => {
            Subject::Held(problem)
        }
        _ => Subject::Unreadable(problem),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::{HandInId, Subject, read};

    /// Catches two students in one namespace, and a name that no namespace can have.
    #[test]
    fn ids_are_safe_and_unique() {
        let mut taken = BTreeSet::new();
        let long = "x".repeat(60);
        for (name, id) in [
            ("Jörg Müller", "j-rg-m-ller"),
            ("j rg m ller", "j-rg-m-ller-2"),
            ("..", "hand-in"),
            (&*long, &long[..40]),
            (&*long, &format!("{}-2", &long[..38])),
        ] {
            assert_eq!(HandInId::unique(name, &mut taken).as_str(), id);
        }
    }

    /// Catches a hand-in that stops the batch.
    #[test]
    fn what_cannot_be_graded_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n\
            metadata: {name: a}\n";
        for (name, text) in [("a.yaml", "a: [b"), ("b.yaml", role), (".DS_Store", "")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        fs::create_dir(folder.path().join("c")).unwrap();
        let found = read(folder.path()).unwrap();
        let kinds: Vec<&str> = found
            .iter()
            .map(|it| match it.subject {
                Subject::Held(_) => "held",
                Subject::Unreadable(_) => "unreadable",
                _ => "other",
            })
            .collect();
        assert_eq!(kinds, ["unreadable", "held", "unreadable"]);
        for hand_in in &found {
            let (Subject::Held(problem) | Subject::Unreadable(problem)) = &hand_in.subject else {
                panic!("{hand_in:?}");
            };
            let path = folder.path().display().to_string() + "/";
            assert!(!problem.what.contains(&path), "{}", problem.what);
        }
    }
}
