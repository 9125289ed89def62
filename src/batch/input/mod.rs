//! What a class handed in: a folder or an archive with a file, a folder or an archive for each
//! student, as platforms export them or as an instructor collects them.

mod archive;
mod common;
mod files;
mod gradescope;
mod group;
mod hand_ins_by_roster;
pub(super) mod platform_names;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use crate::{
    LAB_NAMESPACE,
    batch::{
        handin::{self, Content, HandIn, HandInId, Member, content_of},
        platform::Platform,
        roster::Student,
    },
    console::{names::and_more, sanitize::escape},
    submission::Submission,
};

use gradescope::Submitted;
use group::Group;
use platform_names::Owner;

/// So many names stand in a note.
const MAX_TOLD: usize = 10;

/// What a class handed in.
#[derive(Debug, Default)]
pub struct Class {
    /// The hand-ins, in the order of their names.
    pub hand_ins: Vec<HandIn>,
    /// The students of the roster of whom there is no hand-in.
    pub missing: Vec<Student>,
    /// What does not fit together: hand-ins of nobody in the roster, two of one student.
    pub notes: Vec<String>,
    /// Hand-ins of which it is not known when they were handed in, by the reason for that.
    pub untimed: BTreeMap<&'static str, Vec<String>>,
}

impl Class {
    /// Reads what was handed in. What cannot be read of one student is that hand-in's own problem.
    ///
    /// # Errors
    /// The folder or archive itself cannot be read.
    pub fn read(path: &Path, roster: Option<&[Student]>) -> io::Result<Self> {
        let mut found = files::below(path, roster.unwrap_or_default())?;
        let mut class = Self::default();
        std::mem::take(&mut found.notes).iter().for_each(|it| class.note(it));
        let submitted = class.submitted(found.take_metadata());
        let mut groups = found.into_groups();
        class.leave_out_tables(&mut groups);
        name_clones(&mut groups, roster);
        class.note_same_names(&groups);
        class.tell_single_user(&groups);
        let mut taken = BTreeSet::new();
        let mut are_told_apart = vec![];
        for group in groups {
            are_told_apart.push(class.add(group, &submitted, &mut taken));
        }
        if let Some(students) = roster {
            hand_ins_by_roster::join(&mut class, students, &are_told_apart);
            class.add_namespaces(students, &mut taken);
        }
        Ok(class)
    }

    /// A class of whose students each works in a namespace, as the roster says.
    #[must_use]
    pub fn of_roster(students: &[Student]) -> Self {
        let mut class = Self::default();
        hand_ins_by_roster::join(&mut class, students, &[]);
        class.add_namespaces(students, &mut BTreeSet::new());
        class
    }

    /// A class whose namespaces were found in clusters; each with its context.
    #[must_use]
    pub fn of_namespaces(
        namespaces: Vec<(Option<String>, String)>,
        roster: Option<&[Student]>,
    ) -> Self {
        let mut class = Self { hand_ins: handin::namespaces(namespaces), ..Self::default() };
        if let Some(students) = roster {
            hand_ins_by_roster::join_namespaces(&mut class, students);
        }
        class
    }

    /// With a note for each reason for which lateness is not known.
    #[must_use]
    pub fn with_notes_on_lateness(mut self) -> Self {
        for (why, entries) in std::mem::take(&mut self.untimed) {
            let first = &entries[..entries.len().min(MAX_TOLD)];
            self.note(&format!("{why}: {}", and_more(first, entries.len())));
        }
        self
    }

    /// Adds a note; what it says of names is made harmless.
    fn note(&mut self, text: &str) {
        self.notes.push(escape(text));
    }

    /// Who handed in which folder, as an export of Gradescope says.
    fn submitted(&mut self, metadata: Option<Group>) -> BTreeMap<String, Submitted> {
        let Some(mut metadata) = metadata else { return BTreeMap::new() };
        let read = match metadata.named_manifests() {
            Ok(files) => gradescope::submitted(files.first().map_or(&[], |it| &it.1)),
            Err(problem) => Err(problem.what),
        };
        match read {
            Ok(all) => all.into_iter().map(|it| (it.folder.clone(), it)).collect(),
            Err(why) => {
                self.note(&format!(
                    "{} cannot be read, so nobody is known by name: {why}",
                    platform_names::GRADESCOPE
                ));
                BTreeMap::new()
            }
        }
    }

    /// Tables among the hand-ins are the instructor's own, such as the roster.
    fn leave_out_tables(&mut self, groups: &mut Vec<Group>) {
        let is_table = |it: &Group| {
            let name = it.owner.name.to_lowercase();
            it.owner.platform == Platform::Other && it.is_file && name.ends_with(".csv")
        };
        for group in groups.extract_if(.., |it| is_table(it)) {
            self.note(&format!("{} is no hand-in, and is left out", group.printable_names()));
        }
    }

    /// Files and folders that have the same name except for their endings.
    fn note_same_names(&mut self, groups: &[Group]) {
        let mut entries: BTreeMap<(Platform, &str), Vec<String>> = BTreeMap::new();
        for group in groups {
            let key = (group.owner.platform, group.owner.key.as_str());
            entries.entry(key).or_default().push(group.printable_names());
        }
        for ((_, key), entries) in entries.into_iter().filter(|(_, it)| it.len() > 1) {
            let times = if entries.len() == 2 {
                "twice".to_owned()
            } else {
                format!("{} times", entries.len())
            };
            self.note(&format!("{key} is there {times}: {}", entries.join(" and ")));
        }
    }

    /// Several files that are one hand-in because their names all tell one user of Canvas.
    fn tell_single_user(&mut self, groups: &[Group]) {
        let [one] = groups else { return };
        if one.owner.platform == Platform::Canvas && one.entries.len() > 1 {
            let count = one.entries.len();
            let (name, key) = (&one.owner.name, &one.owner.key);
            self.note(&format!(
                "all {count} files are taken for one hand-in, {name}: their names tell the user \
                {key} of Canvas"
            ));
        }
    }

    /// Adds a hand-in; whether a platform tells its owners apart.
    fn add(
        &mut self,
        mut group: Group,
        submitted: &BTreeMap<String, Submitted>,
        taken: &mut BTreeSet<String>,
    ) -> bool {
        let submitted = group.entries.first().and_then(|it| submitted.get(it));
        if let Some(first) = submitted.and_then(|it| it.submitters.first()) {
            let (key, name) = (first.key.clone(), first.name.clone());
            group.owner = Owner { key, name, platform: Platform::Gradescope, ..Owner::default() };
        }
        let shown = group.printable_names();
        if let Some(left_out) = group.left_out() {
            self.note(&format!("{shown}: {left_out}"));
        }
        if group.owner.is_late {
            self.note(&format!("{shown} is late, as its name says"));
        }
        let mut hand_in = hand_in(&mut group, taken);
        for other in submitted.iter().flat_map(|it| it.submitters.iter().skip(1)) {
            let (key, name) = (other.key.clone(), other.name.clone());
            hand_in.shared_with.push(Member { key, name, ..Member::default() });
        }
        match handed_in(&group, submitted) {
            Ok(at) => hand_in.handed_in = at,
            Err(why) => self.untimed.entry(why).or_default().push(shown),
        }
        let is_of_platform = group.owner.platform != Platform::Other;
        hand_in.entries = group.entries.into_iter().collect();
        self.hand_ins.push(hand_in);
        is_of_platform
    }

    fn has_hand_in_of(&self, student: &Student) -> bool {
        let is_own = |it: &Option<String>| it.as_ref() == Some(&student.id);
        let is_shared = |it: &HandIn| it.shared_with.iter().any(|it| is_own(&it.student));
        self.hand_ins.iter().any(|it| is_own(&it.owner.student) || is_shared(it))
    }

    /// Adds the students who work in a namespace. One in which several work is one hand-in.
    fn add_namespaces(&mut self, students: &[Student], taken: &mut BTreeSet<String>) {
        for student in students {
            let Some(namespace) = student.works_in_namespace() else { continue };
            if student.namespace.is_none() && self.has_hand_in_of(student) {
                continue;
            }
            let is_there =
                |it: &&mut HandIn| it.content.is_namespace(student.context.as_deref(), namespace);
            if let Some(hand_in) = self.hand_ins.iter_mut().find(is_there) {
                hand_in.shared_with.push(Member::of_roster(student));
                continue;
            }
            let id = HandInId::unique(&student.id, taken);
            let (context, namespace) = (student.context.clone(), namespace.to_owned());
            let content = Content::Namespace { context, namespace };
            let mut hand_in = HandIn::new(id, &student.name, content);
            hand_in.owner.take_roster_entry(student);
            self.hand_ins.push(hand_in);
        }
    }
}

/// Names clones of GitHub Classroom by their students. Other folders, whose names may begin alike,
/// are named so only where that is what the roster knows.
fn name_clones(groups: &mut [Group], roster: Option<&[Student]>) {
    if groups.iter().any(|it| it.is_file || it.owner.platform != Platform::Other) {
        return;
    }
    let names: Vec<String> = groups.iter().map(|it| it.owner.name.clone()).collect();
    let count =
        |names: &[String]| hand_ins_by_roster::count_known(names, roster.unwrap_or_default());
    let rests = |prefix: &String| -> Vec<String> {
        names.iter().map(|it| it[prefix.len()..].to_owned()).collect()
    };
    let all = platform_names::classroom_prefixes(&names);
    // Of those by which the roster knows as many, the longest.
    let counted = all.iter().map(rests).map(|it| (count(&it), it));
    let Some((known, rests)) = counted.max_by_key(|(known, _)| *known) else { return };
    if count(&names) > 0 || !(groups.iter().any(|it| it.is_clone) || known > 0) {
        return;
    }
    for (group, name) in groups.iter_mut().zip(rests) {
        group.owner = Owner { key: name.clone(), name, ..Owner::default() };
        group.is_clone = true;
    }
}

/// The hand-in of a student.
fn hand_in(group: &mut Group, taken: &mut BTreeSet<String>) -> HandIn {
    let content = match group.named_manifests() {
        Ok(manifests) => match Submission::of_files(&manifests, LAB_NAMESPACE) {
            Ok(_) => Content::Manifests(manifests),
            Err(error) => content_of(&error, &manifests),
        },
        Err(problem) => Content::Unreadable { problem: *problem, lines: None },
    };
    let owner = &group.owner;
    let name = if owner.name.is_empty() { &owner.key } else { &owner.name };
    let mut hand_in = HandIn::new(HandInId::unique(name, taken), name, content);
    hand_in.owner.key.clone_from(&owner.key);
    hand_in.platform = owner.key_platform();
    hand_in.is_late = owner.is_late;
    hand_in
}

/// When something was handed in.
///
/// # Errors
/// That is not known; the error says why.
fn handed_in(group: &Group, submitted: Option<&Submitted>) -> Result<Option<i64>, &'static str> {
    match group.owner.platform {
        Platform::Gradescope => submitted.and_then(|it| it.at).map(Some).ok_or(
            "no late points, because Gradescope's metadata do not tell when it was handed in",
        ),
        // Canvas marks each hand-in that is late.
        Platform::Canvas if !group.owner.is_late => Ok(None),
        Platform::Canvas => Err(
            "Canvas tells that it is late but not how late: it counts as one day, or not where the \
            roster has a due date for the student",
        ),
        Platform::Moodle => {
            Err("no late points, because an export of Moodle does not tell when it was handed in")
        }
        Platform::Other if group.is_clone => {
            Err("no late points, because a clone does not tell when it was handed in")
        }
        Platform::Other if group.time.has_gaps => {
            Err("no late points, because the zip archive tells no time with its offset")
        }
        Platform::Other => Ok(group.time.latest),
    }
}

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod platform_tests;
#[cfg(test)]
mod raw_zip;
#[cfg(test)]
mod roster_tests;
#[cfg(test)]
mod tests;
