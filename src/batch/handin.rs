//! What is handed in: one entry of a folder for each student.

use std::{collections::BTreeSet, fmt};

use checks::model::observation::Refusal;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    LAB_NAMESPACE,
    batch::{platform::Platform, roster::Student},
    cluster::client::failure_id::UNREADABLE_MANIFEST,
    recording::{ManifestText, hexadecimal},
    report::Problem,
    submission::{
        Submission, SubmissionError,
        texts::{file_name, lines_before},
    },
};

/// So many names are left out of a digest: a manifest of many objects must not take long.
const MAX_NAMES: usize = 32;
/// The most characters of an id: it becomes a part of a namespace's name.
const MAX_ID_CHARS: usize = 40;
/// So many bytes of a digest tell two hand-ins of one student apart.
const DIGEST_BYTES: usize = 16;
/// So many tell two names apart that give the same id: a suffix is to be short.
const SUFFIX_BYTES: usize = 3;
/// So many tell one manifest from another within a class.
const LIKENESS_BYTES: usize = 8;

/// The safe, unique name of a hand-in: lowercase letters, digits and hyphens, at most 40.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HandInId(String);

impl HandInId {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One that a result has already.
    pub(super) const fn known(id: String) -> Self {
        Self(id)
    }

    /// The id for a name, other than all that are taken. One that is taken gets a digest of the
    /// name, so that it is the same in the next run.
    pub(super) fn unique(name: &str, taken: &mut BTreeSet<String>) -> Self {
        let mut base = String::new();
        for c in deunicode::deunicode(name).chars().flat_map(char::to_lowercase) {
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
        let mut number = 0_u32;
        while !taken.insert(id.clone()) {
            let digest = Sha256::digest(format!("{name}\n{number}"));
            let suffix = format!("-{}", hexadecimal(&digest[..SUFFIX_BYTES]));
            let room = MAX_ID_CHARS - suffix.len();
            id = format!("{}{suffix}", base[..base.len().min(room)].trim_end_matches('-'));
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandIn {
    /// Its id.
    pub id: HandInId,
    /// Whose it is.
    #[serde(flatten)]
    pub owner: Member,
    /// Which platform exported it.
    #[serde(default)]
    pub platform: Platform,
    /// The names at the top of its files, by which a roster may name it; none of a namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<String>,
    /// When it was handed in, in seconds since the epoch, as its files tell.
    pub handed_in: Option<i64>,
    /// The platform says that it came after the due date.
    pub is_late: bool,
    /// The others who handed it in together with this student.
    pub shared_with: Vec<Member>,
    /// What is graded.
    pub content: Content,
}

/// A student who handed something in, alone or together with others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The name, as the folder, the platform or the roster says.
    pub name: String,
    /// What the platform that exported it knows the student by.
    #[serde(default)]
    pub key: String,
    /// The student's id in the roster.
    #[serde(default)]
    pub student: Option<String>,
    /// The student's e-mail address, as far as the roster tells.
    #[serde(default)]
    pub email: String,
    /// Until when the student may hand in, where it is not when the others have to.
    #[serde(default)]
    pub due: Option<i64>,
}

impl Member {
    /// A student who gets the result of a hand-in, too. The key stays empty: no platform tells the
    /// student's number, and the school's is somebody else's there.
    pub(super) fn of_roster(student: &Student) -> Self {
        let mut member = Self::default();
        member.take_roster_entry(student);
        member
    }

    /// Takes over what the roster says of its student.
    pub(super) fn take_roster_entry(&mut self, student: &Student) {
        self.name.clone_from(&student.name);
        self.student = Some(student.id.clone());
        self.email.clone_from(&student.email);
        self.due = student.due;
    }

    /// Is of nobody in the roster any more.
    pub(super) fn leave_roster(&mut self) {
        self.student = None;
        self.email.clear();
        self.due = None;
    }
}

impl HandIn {
    /// Of a student of whom nothing else is known.
    pub(super) fn new(id: HandInId, name: &str, content: Content) -> Self {
        Self {
            id,
            owner: Member { name: name.to_owned(), key: name.to_owned(), ..Member::default() },
            platform: Platform::Other,
            entries: vec![],
            handed_in: None,
            is_late: false,
            shared_with: vec![],
            content,
        }
    }
}

impl HandIn {
    /// Its manifests, read anew; `None` where it has none.
    #[must_use]
    pub fn submission(&self) -> Option<Submission> {
        match &self.content {
            Content::Manifests(files) => Submission::of_files(files, LAB_NAMESPACE).ok(),
            _ => None,
        }
    }

    /// Which of the hand-ins it is: what the platform that exported it, or the cluster, knows it by.
    /// No two of a class have the same, and it is the same in the next run.
    #[must_use]
    pub fn known_as(&self) -> String {
        match &self.content {
            Content::Namespace { context, namespace } => {
                format!("{}/{namespace}", context.as_deref().unwrap_or_default())
            }
            _ => self.platform.known_as(&self.owner.key),
        }
    }

    /// A digest of what is graded: another one, and it was handed in anew. Empty for a namespace,
    /// which is graded as it stands.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        match &self.content {
            Content::Manifests(files) => files.iter().for_each(|(_, bytes)| {
                hash.update(Sha256::digest(bytes));
            }),
            Content::Unreadable { problem, .. } | Content::Held(problem) => {
                hash.update(&problem.what);
            }
            Content::Namespace { .. } => return String::new(),
        }
        hexadecimal(&hash.finalize()[..DIGEST_BYTES])
    }

    /// A digest of its manifests without what students name themselves: of near-identical hand-ins
    /// it is the same. Empty where there is no manifest.
    #[must_use]
    pub fn likeness(&self) -> String {
        let Some(submission) = self.submission() else { return String::new() };
        let mut names: Vec<&str> = submission.objects.iter().map(|it| it.name.as_str()).collect();
        names.truncate(MAX_NAMES);
        names.sort_unstable_by_key(|it| std::cmp::Reverse(it.len()));
        let mut hash = Sha256::new();
        for object in &submission.objects {
            let mut text = object.value.to_string();
            for name in &names {
                text = text.replace(name, "#");
            }
            hash.update(text);
        }
        hexadecimal(&hash.finalize()[..LIKENESS_BYTES])
    }
}

/// What is graded of a hand-in, or why nothing is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// Manifests, which get a namespace of their own: the names of the files, and what they hold.
    /// They are kept as files, which take a seventh of the memory of what is read of them.
    Manifests(Vec<(String, Vec<u8>)>),
    /// A namespace, which is graded where it stands.
    Namespace {
        /// The kubeconfig's context, where it is not any of the batch's.
        context: Option<String>,
        /// Its name.
        namespace: String,
    },
    /// It cannot be read: it gets no points.
    #[serde(skip)]
    Unreadable {
        /// Why.
        problem: Problem,
        /// The lines where it cannot be read, as far as they may be shown.
        lines: Option<ManifestText>,
    },
    /// It asks for what is not allowed: a person has to look at it.
    #[serde(skip)]
    Held(Problem),
}

impl Content {
    /// Whether it is this namespace.
    pub(super) fn is_namespace(&self, of: Option<&str>, name: &str) -> bool {
        matches!(self, Self::Namespace { context, namespace }
            if context.as_deref() == of && namespace.eq_ignore_ascii_case(name))
    }
}

/// Namespaces as hand-ins, each to be graded where it stands.
#[must_use]
pub fn namespaces(names: Vec<(Option<String>, String)>) -> Vec<HandIn> {
    let mut taken = BTreeSet::new();
    let hand_in = |(context, namespace): (Option<String>, String)| {
        let id = HandInId::unique(&namespace, &mut taken);
        HandIn::new(id, &namespace.clone(), Content::Namespace { context, namespace })
    };
    names.into_iter().map(hand_in).collect()
}

/// What becomes of a hand-in whose manifests, which are in these files, are not taken: the same as
/// when it is graded alone.
pub(super) fn content_of(error: &SubmissionError, files: &[(String, Vec<u8>)]) -> Content {
    let place = error.place();
    let refusal = Refusal {
        what: error.to_string(),
        next: error.next(),
        file: place.as_ref().map(|it| it.file.clone()),
        document: place.as_ref().map(|it| it.document).filter(|it| *it > 0),
        line: place.as_ref().map(|it| it.line).filter(|it| *it > 0),
        field: error.field().map(str::to_owned),
        ..Refusal::default()
    };
    let problem = Problem::of(UNREADABLE_MANIFEST, refusal);
    // What no single grade gives points for, either way, is for a person to decide.
    if !error.is_in_the_manifest() {
        return Content::Held(problem);
    }
    let lines = place.and_then(|it| lines_before(files, &it, file_name));
    Content::Unreadable { problem, lines }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Content, HandInId, content_of};
    use crate::submission::Submission;

    /// Catches a report that does not say in which file and line a hand-in cannot be read, or does
    /// not show it.
    #[test]
    fn what_cannot_be_read_has_its_place() {
        let text = b"kind: Service\nmetadata:\n name: web\n  spec: x\n".to_vec();
        let files = [("web/lab3.yaml".to_owned(), text)];
        let error = Submission::of_files(&files, "lab").unwrap_err();
        let Content::Unreadable { problem, lines } = content_of(&error, &files) else {
            panic!("{error}")
        };
        assert_eq!((problem.file.as_deref(), problem.line), (Some("web/lab3.yaml"), Some(4)));
        let lines = lines.unwrap();
        assert_eq!(lines.file, "lab3.yaml");
        assert_eq!(lines.text, "kind: Service\nmetadata:\n name: web\n  spec: x\n");
    }

    /// Catches a hand-in that gets 0 points here and none, for a person to decide, when it is graded
    /// alone.
    #[test]
    fn what_a_single_grade_leaves_undone_is_held() {
        let set = |replicas: u32| {
            format!(
                "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: web}}\nspec: {{replicas: {replicas}}}\n"
            )
        };
        let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
        for (name, text, is_held) in [
            ("kustomization.yaml", kustomization.to_owned(), true),
            ("docker-compose.yml", "services: {web: {image: x}}\n".to_owned(), true),
            ("big.json", format!("[{}1]", "1,".repeat(600_000)), true),
            ("more.yaml", set(101), true),
            ("broken.yaml", "a: [b".to_owned(), false),
            ("empty.yaml", String::new(), false),
        ] {
            let mut files = vec![(name.to_owned(), text.into_bytes())];
            if is_held {
                files.push(("lab.yaml".to_owned(), set(3).into_bytes()));
            }
            let error = Submission::of_files(&files, "lab").unwrap_err();
            let content = content_of(&error, &files);
            assert_eq!(matches!(content, Content::Held(_)), is_held, "{name}: {error}");
        }
    }

    /// Catches two students in one namespace, and a name that no namespace can have.
    #[test]
    fn ids_are_safe_and_unique() {
        let mut taken = BTreeSet::new();
        let long = "x".repeat(60);
        for (name, id) in [("Jörg Müller", "jorg-muller"), ("..", "hand-in"), (&*long, &long[..40])]
        {
            assert_eq!(HandInId::unique(name, &mut taken).as_str(), id);
        }
        for name in ["jorg muller", "Jorg-Muller", &*long, "X".repeat(50).as_str()] {
            let id = HandInId::unique(name, &mut taken.clone());
            assert!(id.as_str().len() <= 40 && !taken.contains(id.as_str()), "{id}");
            assert_eq!(HandInId::unique(name, &mut taken), id, "the same in the next run");
        }
        assert_eq!(taken.len(), 7);
    }
}
