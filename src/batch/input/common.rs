//! Whether what was handed in is a class or the work of one student, and where in an archive a class
//! begins.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    files::is_ignored,
    group::FileKind,
    hand_ins_by_roster,
    platform_names::{self, Owner},
};
use crate::batch::{platform::Platform, roster::Student};

/// What the names of all that was handed in say of whose it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Each is of the student after whom it is named, as far as it is alone.
    Class,
    /// All is the work of one student.
    OneStudent,
    /// These are of students of whom only a part of the name tells.
    Parts {
        /// By the names, the part that tells whose it is.
        students: BTreeMap<String, String>,
        /// Why that part is taken.
        why: &'static str,
    },
}

/// What lies in one folder.
#[derive(Debug, Default)]
struct Level {
    /// Manifests that are named after what is in them, not after students.
    lab_files: BTreeSet<String>,
    /// There are other manifests, archives or folders.
    has_hand_ins: bool,
    one_user: OneUser,
}

impl Level {
    fn add(&mut self, name: &str, is_folder: bool) {
        let kind = FileKind::of(name);
        if !is_folder && kind == FileKind::Manifest && platform_names::is_of_the_lab(name) {
            self.lab_files.insert(name.to_owned());
        } else if is_folder || kind != FileKind::Other {
            self.has_hand_ins = true;
            self.one_user.add(name);
        }
    }

    fn layout(&self, students: &[Student]) -> Layout {
        if !self.lab_files.is_empty() && !self.has_hand_ins {
            return self.numbered(students).unwrap_or(Layout::OneStudent);
        }
        let of_user = self.one_user.parts(students).filter(|_| self.lab_files.is_empty());
        of_user.unwrap_or(Layout::Class)
    }

    /// The files by the numbers before their names, where these are the students': the roster knows
    /// all of them, or they differ where the rest of the name is the same.
    fn numbered(&self, roster: &[Student]) -> Option<Layout> {
        let ids: BTreeSet<&str> = roster.iter().map(|it| it.id.as_str()).collect();
        let (mut students, mut first) = (BTreeMap::new(), BTreeMap::new());
        let (mut differ, mut are_known) = (false, true);
        for name in &self.lab_files {
            let (number, words) = platform_names::leading_number(name)?;
            differ |= *first.entry(words).or_insert_with(|| number.clone()) != number;
            are_known &= ids.contains(number.as_str());
            students.insert(name.clone(), number);
        }
        let why = "the numbers before the names of the files are taken for those of students";
        (differ || are_known).then_some(Layout::Parts { students, why })
    }
}

/// Names that Canvas would give to the files of one user.
#[derive(Debug, Default)]
struct OneUser {
    owner: Option<Owner>,
    names: BTreeSet<String>,
    has_others: bool,
}

impl OneUser {
    fn add(&mut self, name: &str) {
        if self.has_others {
            return;
        }
        let owner = Owner::of(name);
        let of_canvas = owner.platform == Platform::Canvas;
        let first = self.owner.get_or_insert_with(|| owner.clone());
        if of_canvas && first.key == owner.key {
            self.names.insert(name.to_owned());
        } else {
            self.has_others = true;
            self.names.clear();
        }
    }

    /// The files by the parts of their names that the roster knows, where the user is nobody in it.
    fn parts(&self, roster: &[Student]) -> Option<Layout> {
        let user = self.owner.as_ref().filter(|_| self.names.len() > 1)?;
        if hand_ins_by_roster::count_known(std::slice::from_ref(&user.name), roster) > 0 {
            return None;
        }
        let parts: Vec<Vec<String>> =
            self.names.iter().map(|it| platform_names::after_user(it)).collect();
        let known = hand_ins_by_roster::first_known(&parts, roster)?;
        let students: BTreeMap<String, String> = self.names.iter().cloned().zip(known).collect();
        let are_several = students.values().collect::<BTreeSet<_>>().len() > 1;
        let why = "the names look like those of Canvas, but all of one user whom the roster does \
            not know, so they are taken for the names of students";
        are_several.then_some(Layout::Parts { students, why })
    }
}

/// The paths of all that was handed in, as far as they tell that.
#[derive(Debug, Default)]
pub(super) struct Common {
    first: Option<String>,
    has_others: bool,
    top: Level,
    second: Level,
}

impl Common {
    pub(super) fn add(&mut self, path: &[String], is_folder: bool) {
        if path.iter().any(|it| is_ignored(it)) {
            return;
        }
        let Some(top) = path.first() else { return };
        let first = self.first.get_or_insert_with(|| top.clone());
        self.has_others |= first != top || (path.len() == 1 && !is_folder);
        self.top.add(top, is_folder || path.len() > 1);
        if let Some(second) = path.get(1).filter(|_| !self.has_others) {
            self.second.add(second, is_folder || path.len() > 2);
        }
    }

    /// Whether nothing more can be found: there are several hand-ins.
    pub(super) const fn is_over(&self) -> bool {
        self.has_others && self.top.has_hand_ins && self.top.one_user.has_others
    }

    /// The one folder in which all lies, unless it is itself the hand-in of one student, and what
    /// the names in it or at the top say.
    pub(super) fn end(self, students: &[Student]) -> (Option<String>, Layout) {
        let second = self.second.layout(students);
        let is_class = |it: &String| Owner::of(it).platform == Platform::Other;
        let is_alone = !self.has_others && second != Layout::OneStudent;
        match self.first.filter(|it| is_alone && is_class(it)) {
            Some(folder) => (Some(folder), second),
            None => (None, self.top.layout(students)),
        }
    }
}
