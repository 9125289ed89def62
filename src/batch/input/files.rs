//! The files that were handed in, wherever they lie: in a folder, or in an archive.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirEntry, File, FileType},
    io::{self, BufReader},
    path::Path,
};

use super::{
    MAX_TOLD, archive,
    common::{Common, Layout},
    group::{FileKind, Group, MAX_DEPTH, MAX_METADATA_BYTES},
    platform_names::{GRADESCOPE, Owner, stem},
};
use crate::{
    batch::{platform::Platform, results::holds_results, roster::Student},
    console::names::and_more,
};

/// All that is kept of a class, in bytes.
const MAX_CLASS_BYTES: u64 = 1 << 30;

/// All that was handed in.
#[derive(Default)]
pub(super) struct Collected {
    /// By what the files of one student have in common. A platform's number is no name, nor another
    /// platform's number.
    groups: BTreeMap<(Platform, String), Group>,
    /// The folder in which everything lies, where there is one.
    common: Option<String>,
    /// The name of the only hand-in, where all is the work of one student.
    single: Option<String>,
    /// By the names at the top, the part that tells whose it is, where only that does.
    parts: BTreeMap<String, String>,
    /// What is no hand-in, and why.
    pub(super) notes: Vec<String>,
}

impl Collected {
    /// Takes up what the paths tell of all that is in a folder or archive of this name.
    fn begin(&mut self, (common, layout): (Option<String>, Layout), name: &str) {
        let name = stem(name);
        let name = if name.is_empty() { "hand-in" } else { name };
        self.common = common;
        match layout {
            Layout::Class => {}
            Layout::OneStudent => {
                self.single = Some(name.to_owned());
                let why = "the files are named after what is in them";
                self.notes.push(format!("all is taken for one hand-in, {name}: {why}"));
            }
            Layout::Parts { students, why } => {
                let known: BTreeSet<String> = students.values().cloned().collect();
                let first: Vec<String> = known.iter().take(MAX_TOLD).cloned().collect();
                self.notes.push(format!("{why}: {}", and_more(&first, known.len())));
                self.parts = students;
            }
        }
    }

    /// Whose the file or folder of this name at the top is.
    fn owner_of(&self, top: &str) -> Owner {
        match self.parts.get(top) {
            Some(part) => Owner { key: part.clone(), name: part.clone(), ..Owner::default() },
            None => Owner::of(top),
        }
    }

    /// The hand-in to which the file at this path belongs, and its path in the class; `None` where
    /// it is of nobody.
    pub(super) fn place(&mut self, mut path: Vec<String>) -> Option<(&mut Group, Vec<String>)> {
        if path.first().is_some_and(|it| self.common.as_ref() == Some(it)) {
            path.remove(0);
        }
        if let Some(name) = self.single.as_ref().filter(|_| !path.is_empty()) {
            path.insert(0, name.clone());
        }
        let top = path.first()?.clone();
        if is_ignored(&top) || is_of_a_desktop(&top) {
            return None;
        }
        let owner = self.owner_of(&top);
        let is_alone = owner.platform == Platform::Other && !self.parts.contains_key(&top);
        let key = if is_alone { &top } else { &owner.key };
        let group = self.groups.entry((owner.platform, key.clone())).or_insert_with(|| {
            let mut group = Group::new(owner.clone());
            if top == GRADESCOPE {
                group.max_file_bytes = MAX_METADATA_BYTES;
            }
            group
        });
        group.owner.is_late |= owner.is_late;
        group.owner.is_text &= owner.is_text;
        group.entries.insert(top);
        group.is_file &= path.len() == 1;
        Some((group, path))
    }

    /// Whether more was handed in than fits in memory.
    ///
    /// # Errors
    /// It was; the error names the largest hand-in.
    pub(super) fn check_size(&self) -> io::Result<()> {
        let kept: u64 = self.groups.values().map(|it| it.kept).sum();
        let biggest = self.groups.values().max_by_key(|it| it.kept);
        let Some(biggest) = biggest.filter(|_| kept > MAX_CLASS_BYTES) else { return Ok(()) };
        Err(invalid(format!(
            "all manifests together are larger than {} MiB; most of it is in {}",
            MAX_CLASS_BYTES >> 20,
            biggest.printable_names()
        )))
    }

    /// What an export of Gradescope says of who handed in what.
    pub(super) fn take_metadata(&mut self) -> Option<Group> {
        self.groups.remove(&(Platform::Other, GRADESCOPE.to_owned()))
    }

    /// The hand-ins, in the order of their names.
    pub(super) fn into_groups(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.groups.into_values().collect();
        groups.sort_by(|one, other| one.entries.first().cmp(&other.entries.first()));
        groups
    }
}

/// All files below a path, or in the archive at that path.
///
/// # Errors
/// It cannot be read, or is larger than any class.
pub(super) fn below(path: &Path, students: &[Student]) -> io::Result<Collected> {
    let mut found = Collected::default();
    let name = archive::decoded(path.file_name().unwrap_or_default().as_encoded_bytes());
    if path.is_dir() {
        walk_class(path, &name, students, &mut found)?;
        found.notes.sort();
        return Ok(found);
    }
    let open = || Ok::<_, io::Error>(BufReader::new(File::open(path)?));
    let mut common = Common::default();
    match FileKind::of(&name) {
        FileKind::Zip => {
            archive::zip_paths(open()?, &mut common)?;
            found.begin(common.end(students), &name);
            archive::zip(open()?, &mut found)?;
        }
        FileKind::Tar => {
            archive::tar_paths(&name, open()?, &mut common)?;
            found.begin(common.end(students), &name);
            archive::tar(&name, &mut open()?, &mut found)?;
        }
        _ => return Err(invalid("it is neither a folder nor a zip or tar archive")),
    }
    Ok(found)
}

fn walk_class(
    folder: &Path,
    name: &str,
    students: &[Student],
    found: &mut Collected,
) -> io::Result<()> {
    let mut common = Common::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = archive::decoded(entry.file_name().as_encoded_bytes());
        common.add(&[name], entry.file_type()?.is_dir());
    }
    // A folder in it is a hand-in, where it is the only one, too.
    found.begin((None, common.end(students).1), name);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = archive::decoded(entry.file_name().as_encoded_bytes());
        // The type of the entry itself: a link could lead anywhere.
        let kind = entry.file_type()?;
        if kind.is_symlink() && !is_ignored(&name) {
            found.notes.push(format!("{name} is a link, and is left out"));
            continue;
        }
        if kind.is_dir() && holds_results(&entry.path()) {
            found.notes.push(format!("{name} holds the results of a batch, and is left out"));
            continue;
        }
        let Some((group, mut path)) = found.place(vec![name]) else { continue };
        if kind.is_dir() {
            group.is_file = false;
            walk(&entry.path(), &mut path, group);
        } else {
            take_file(&entry, kind, &path, group);
        }
        found.check_size()?;
    }
    Ok(())
}

/// All below a folder of one hand-in. What cannot be read is the trouble of that hand-in alone.
fn walk(folder: &Path, path: &mut Vec<String>, group: &mut Group) {
    if path.len() > MAX_DEPTH {
        group.has_deep_files = true;
        return;
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return group.troubled(format!("cannot read {}: {error}", path.join("/"))),
    };
    for entry in entries {
        let entry = entry.and_then(|it| Ok((it.file_type()?, it)));
        let (kind, entry) = match entry {
            Ok(found) => found,
            Err(error) => {
                return group.troubled(format!("cannot read {}: {error}", path.join("/")));
            }
        };
        if !group.count_entry() {
            return;
        }
        let name = archive::decoded(entry.file_name().as_encoded_bytes());
        if is_ignored(&name) {
            group.is_clone |= name == ".git";
            continue;
        }
        path.push(name);
        if kind.is_symlink() {
            group.links.add(path);
        } else if kind.is_dir() {
            walk(&entry.path(), path, group);
        } else {
            take_file(&entry, kind, path, group);
        }
        path.pop();
    }
}

fn take_file(entry: &DirEntry, kind: FileType, path: &[String], group: &mut Group) {
    // Nothing else is opened: a pipe would never end.
    if !kind.is_file() {
        return;
    }
    let name = path.last().map_or("", String::as_str);
    let kind = FileKind::of(name);
    if kind == FileKind::Other || !group.count_file() {
        return;
    }
    if let Ok(modified) = entry.metadata().and_then(|it| it.modified()) {
        let modified = jiff::Timestamp::try_from(modified).ok();
        group.time.add(modified.map(jiff::Timestamp::as_second));
    }
    match File::open(entry.path()) {
        // A zip archive is read where it lies.
        Ok(file) if kind == FileKind::Zip => group.take_zip(path, BufReader::new(file)),
        Ok(file) => group.take(path, &mut BufReader::new(file)),
        Err(error) => group.troubled(format!("cannot read {}: {error}", path.join("/"))),
    }
}

/// Files of the system that packed them, those that a shell does not list, and installed packages.
pub(super) fn is_ignored(name: &str) -> bool {
    name.starts_with('.') || name == "__MACOSX" || name == "node_modules"
}

/// Files that a desktop leaves in every folder.
fn is_of_a_desktop(name: &str) -> bool {
    ["thumbs.db", "desktop.ini", "icon\r"].contains(&name.to_lowercase().as_str())
}

pub(super) fn invalid(why: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}
