//! Whether what was handed in is a class or the work of one student, and where in an archive a class
//! begins.

use super::{
    files::is_ignored,
    group::FileKind,
    names::{self, Owner},
};
use crate::batch::platform::Platform;

/// What lies in one folder.
#[derive(Debug, Default)]
struct Level {
    /// Manifests that are named after what is in them, not after students.
    has_lab_files: bool,
    /// Other manifests, archives or folders.
    has_hand_ins: bool,
}

impl Level {
    fn add(&mut self, name: &str, is_folder: bool) {
        let kind = FileKind::of(name);
        if !is_folder && kind == FileKind::Manifest && names::is_of_the_lab(name) {
            self.has_lab_files = true;
        } else if is_folder || kind != FileKind::Other {
            self.has_hand_ins = true;
        }
    }

    const fn is_of_one_student(&self) -> bool {
        self.has_lab_files && !self.has_hand_ins
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
        if let Some(second) = path.get(1) {
            self.second.add(second, is_folder || path.len() > 2);
        }
    }

    /// Whether nothing more can be found: there are several hand-ins.
    pub(super) const fn is_over(&self) -> bool {
        self.has_others && self.top.has_hand_ins
    }

    /// Whether all is the work of one student, of whom nothing tells the name.
    pub(super) const fn is_of_one_student(&self) -> bool {
        self.top.is_of_one_student()
    }

    /// The one folder in which all lies, where it is not itself the hand-in of one student.
    pub(super) fn folder(self) -> Option<String> {
        let is_hand_in = self.second.is_of_one_student();
        let folder = self.first.filter(|_| !self.has_others && !is_hand_in)?;
        (Owner::of(&folder).platform == Platform::Other).then_some(folder)
    }
}
