//! What a class handed in: a folder or an archive with a file, a folder or an archive for each
//! student, as platforms export them or as an instructor collects them.

mod files;
mod names;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use serde_json::Value;

use crate::{
    LAB_NAMESPACE,
    batch::handin::{HandIn, HandInId, Subject, subject_of},
    console::sanitize::sanitize,
    report::Problem,
    submission::Submission,
};

use crate::batch::roster::Student;
use files::{FileKind, GRADESCOPE, HandedIn};
use names::Owner;

/// What a class handed in.
#[derive(Debug, Default)]
pub struct Class {
    /// The hand-ins, in the order of their names.
    pub hand_ins: Vec<HandIn>,
    /// The students of the roster of whom there is no hand-in.
    pub missing: Vec<Student>,
    /// What does not fit together: hand-ins of nobody in the roster, two of one student.
    pub notes: Vec<String>,
}

/// All files of one student.
struct Group {
    owner: Owner,
    /// The names at the top that belong to it.
    entries: Vec<String>,
    files: Vec<HandedIn>,
}

impl Class {
    /// Reads what was handed in. What cannot be read of one student is that hand-in's own problem.
    ///
    /// # Errors
    /// The folder or archive itself cannot be read.
    pub fn read(path: &Path, roster: Option<&[Student]>) -> io::Result<Self> {
        let (mut files, results) = files::below(path)?;
        if !path.is_dir() {
            without_common_folder(&mut files);
        }
        let mut taken = BTreeSet::new();
        let groups = groups(files);
        let left_out =
            |it: &String| format!("{} holds the results of a batch, and is left out", sanitize(it));
        let notes = results.iter().map(left_out).collect();
        let mut class = Self { notes, ..Self::default() };
        let mut entries = vec![];
        for group in groups {
            class.hand_ins.push(group.hand_in(&mut taken));
            if group.owner.is_late {
                let entries = group.entries.join(", ");
                class.notes.push(format!("{} is late, as its name says", sanitize(&entries)));
            }
            entries.push(group.entries);
        }
        if let Some(students) = roster {
            class.join(students, &entries, &mut taken);
        }
        Ok(class)
    }

    /// A class of whose students each works in a namespace, as the roster says.
    #[must_use]
    pub fn of_roster(students: &[Student]) -> Self {
        let mut class = Self::default();
        class.join(students, &[], &mut BTreeSet::new());
        class
    }

    /// Says whose each hand-in is; `entries` are the names of each one's files.
    fn join(
        &mut self,
        students: &[Student],
        entries: &[Vec<String>],
        taken: &mut BTreeSet<String>,
    ) {
        let mut owners: Vec<Option<&Student>> = vec![None; self.hand_ins.len()];
        let names: Vec<String> = self.hand_ins.iter().map(|it| letters(&it.name)).collect();
        for student in students {
            if let Some(namespace) = &student.namespace {
                let id = HandInId::unique(&student.id, taken);
                let subject = Subject::Namespace {
                    context: student.context.clone(),
                    namespace: namespace.clone(),
                };
                let mut hand_in = HandIn::new(id, &student.name, subject);
                hand_in.belongs_to(student);
                self.hand_ins.push(hand_in);
                owners.push(Some(student));
                continue;
            }
            let own_names = names_of(student);
            let is_own = |at: &usize| match &student.file {
                Some(file) => holds(&entries[*at], file),
                None => is_of(student, &self.hand_ins[*at]) || own_names.contains(&names[*at]),
            };
            let own: Vec<usize> = (0..entries.len()).filter(is_own).collect();
            if own.is_empty() {
                self.missing.push(student.clone());
            }
            if own.len() > 1 {
                self.notes.push(format!(
                    "{} handed in {} times: {}",
                    sanitize(&student.name),
                    own.len(),
                    own.iter().map(|at| entries[*at].join(", ")).collect::<Vec<_>>().join("; ")
                ));
            }
            for at in own {
                if let Some(other) = owners[at].replace(student) {
                    self.notes.push(format!(
                        "{} may be of {} or of {}",
                        sanitize(&entries[at].join(", ")),
                        sanitize(&other.name),
                        sanitize(&student.name)
                    ));
                }
                self.hand_ins[at].belongs_to(student);
            }
        }
        for (at, entry) in entries.iter().enumerate() {
            if owners[at].is_none() {
                self.notes.push(format!("{} is of nobody in the roster", entry.join(", ")));
            }
        }
    }
}

/// Whether one of these names at the top is that of a file.
fn holds(entries: &[String], file: &str) -> bool {
    entries.iter().any(|it| names::stem(it) == names::stem(file))
}

/// Whether a hand-in is a student's by the platform's key or the id.
fn is_of(student: &Student, hand_in: &HandIn) -> bool {
    [&hand_in.key, &hand_in.name].iter().any(|it| it.eq_ignore_ascii_case(&student.id))
}

/// How a student's name may stand in the name of a hand-in, letters and digits only: as it is
/// written, and with the family name first, as Canvas writes it. Empty where it has none.
fn names_of(student: &Student) -> Vec<String> {
    let mut words: Vec<&str> = student.name.split([' ', ',']).filter(|it| !it.is_empty()).collect();
    let as_written = letters(&words.concat());
    if as_written.is_empty() {
        return vec![];
    }
    words.rotate_right(1);
    vec![as_written, letters(&words.concat())]
}

/// Its letters and digits, in lowercase and without accents.
fn letters(name: &str) -> String {
    let plain = deunicode::deunicode(name).to_lowercase();
    plain.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Takes away the one folder in which everything lies.
fn without_common_folder(files: &mut [HandedIn]) {
    let Some(top) = files.first().and_then(|it| it.path.first()).cloned() else { return };
    if files.iter().all(|it| it.path.len() > 1 && it.path[0] == top) {
        for file in files {
            file.path.remove(0);
        }
    }
}

/// The files of each student, in the order of their first file.
fn groups(files: Vec<HandedIn>) -> Vec<Group> {
    let known: BTreeMap<String, Owner> = files
        .iter()
        .filter(|it| it.path.len() == 1 && it.name() == GRADESCOPE)
        .flat_map(|it| gradescope(&it.bytes))
        .collect();
    let mut tops: Vec<String> = files.iter().filter_map(|it| it.path.first().cloned()).collect();
    tops.dedup();
    let prefix = if files.iter().all(|it| it.path.len() > 1) {
        names::classroom_prefix(&tops).unwrap_or_default()
    } else {
        String::new()
    };
    let mut groups: Vec<Group> = vec![];
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let Some(top) = file.path.first().cloned().filter(|it| it != GRADESCOPE) else { continue };
        let entry = top.strip_prefix(&prefix).unwrap_or(&top);
        let owner = known.get(&top).cloned().unwrap_or_else(|| Owner::of(entry));
        let place = *places.entry(owner.key.clone()).or_insert_with(|| {
            groups.push(Group { owner: owner.clone(), entries: vec![], files: vec![] });
            groups.len() - 1
        });
        let group = &mut groups[place];
        group.owner.is_late |= owner.is_late;
        // The files are in order, so those of one entry follow each other.
        if group.entries.last() != Some(&top) {
            group.entries.push(top);
        }
        group.files.push(file);
    }
    groups
}

/// Who handed in which folder, as an export of Gradescope says.
fn gradescope(bytes: &[u8]) -> Vec<(String, Owner)> {
    let text = String::from_utf8_lossy(bytes);
    let Ok(Value::Object(folders)) = serde_saphyr::from_str::<Value>(&text) else { return vec![] };
    let mut owners = vec![];
    for (folder, about) in folders {
        let submitters = about.get(":submitters").and_then(Value::as_array);
        let Some(first) = submitters.and_then(|it| it.first()) else { continue };
        let word = |field: &str| first.get(field).and_then(Value::as_str).unwrap_or_default();
        let key = [word(":sid"), word(":email"), &folder];
        let key = key.into_iter().find(|it| !it.is_empty()).unwrap_or_default().to_owned();
        owners.push((folder, Owner { key, name: word(":name").to_owned(), is_late: false }));
    }
    owners
}

impl Group {
    fn hand_in(&self, taken: &mut BTreeSet<String>) -> HandIn {
        let subject = match self.manifests() {
            Ok(manifests) => match Submission::of_files(&manifests, LAB_NAMESPACE) {
                Ok(_) => Subject::Manifests(manifests),
                Err(error) => subject_of(&error, &manifests),
            },
            Err(problem) => Subject::Unreadable { problem: *problem, lines: None },
        };
        let name = if self.owner.name.is_empty() { &self.owner.key } else { &self.owner.name };
        let mut hand_in = HandIn::new(HandInId::unique(name, taken), name, subject);
        hand_in.key.clone_from(&self.owner.key);
        hand_in.handed_in = self.files.iter().filter_map(|it| it.modified).max();
        hand_in
    }

    /// The manifests, each with the name by which the student knows it.
    fn manifests(&self) -> Result<Vec<(String, Vec<u8>)>, Box<Problem>> {
        let mut manifests = vec![];
        let mut holds_archive = false;
        for file in &self.files {
            let shown = |path: &[String]| sanitize(&path.join("/"));
            if let Some(trouble) = &file.trouble {
                return Err(problem(trouble));
            }
            match FileKind::of(file.name()) {
                FileKind::Manifest => manifests.push((shown(&file.path), file.bytes.clone())),
                FileKind::Other => {}
                FileKind::Zip | FileKind::Tar => {
                    let unpacked = files::unpacked(file).map_err(|error| {
                        problem(&format!("cannot read {}: {error}", shown(&file.path)))
                    })?;
                    for inner in unpacked {
                        if let Some(trouble) = &inner.trouble {
                            let archive = shown(&file.path);
                            return Err(problem(&format!("cannot read {archive}: {trouble}")));
                        }
                        match FileKind::of(inner.name()) {
                            FileKind::Manifest => {
                                let name = format!("{}/{}", shown(&file.path), shown(&inner.path));
                                manifests.push((name, inner.bytes));
                            }
                            FileKind::Zip | FileKind::Tar => holds_archive = true,
                            FileKind::Other => {}
                        }
                    }
                }
            }
        }
        if !manifests.is_empty() {
            return Ok(manifests);
        }
        let names = sanitize(&self.entries.join(", "));
        Err(problem(&if holds_archive {
            format!("{names} holds an archive in an archive, which is not read")
        } else {
            format!("there is no file named *.yaml, *.yml or *.json in {names}")
        }))
    }
}

fn problem(what: &str) -> Box<Problem> {
    Box::new(Problem::new(
        "hand_in_unreadable",
        sanitize(what),
        "Hand in the YAML files of your Service and StatefulSet, alone or in one zip or tar \
        archive.",
    ))
}

#[cfg(test)]
mod tests;
