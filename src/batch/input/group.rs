//! What one student handed in, as it is read: its manifests, within bounds.
//!
//! All bounds are those of one hand-in. One that breaks a bound is a result with that reason, and
//! nothing more of it is read.

use std::{
    collections::BTreeSet,
    io::{self, Cursor, Read, Seek},
};

use super::{
    archive::{self, Nested},
    platform_names::Owner,
};
use crate::{
    console::{names::and_more, sanitize::sanitize},
    report::Problem,
};

/// A manifest of a hand-in is not read beyond this, in bytes; `submission` takes less.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// What tells who handed in what is not larger, in bytes.
pub(super) const MAX_METADATA_BYTES: u64 = 64 << 20;
/// All manifests of a hand-in, in bytes.
const MAX_HAND_IN_BYTES: u64 = 16 << 20;
/// A zip archive in an archive is held in memory: it is not larger, in bytes.
const MAX_ARCHIVE_BYTES: u64 = 128 << 20;
/// All that is read and decompressed of a hand-in, whatever becomes of it, in bytes.
const MAX_WORK_BYTES: u64 = 1 << 30;
/// What looking at an entry of a folder is worth, in bytes.
const ENTRY_BYTES: u64 = 1 << 10;
/// No hand-in has more manifests and archives.
const MAX_FILES: usize = 10_000;
/// No folder is nested deeper.
pub(super) const MAX_DEPTH: usize = 12;
/// So many names are told of what is left out.
const MAX_TOLD: usize = 3;

/// What a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A manifest.
    Manifest,
    /// A zip archive.
    Zip,
    /// A tar archive, compressed by gzip or not.
    Tar,
    /// Anything else: it is not read.
    Other,
}

impl FileKind {
    /// By the end of a name.
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|it| name.ends_with(it));
        if ends(&[".yaml", ".yml", ".json"]) {
            Self::Manifest
        } else if ends(&[".zip"]) {
            Self::Zip
        } else if ends(&[".tar", ".tar.gz", ".tgz"]) {
            Self::Tar
        } else {
            Self::Other
        }
    }
}

/// When something was written, as far as its files tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileTime {
    /// The latest, in seconds since the epoch.
    pub(super) latest: Option<i64>,
    /// There is a file that does not tell.
    pub(super) has_gaps: bool,
}

impl FileTime {
    /// Adds the time of another file.
    pub(super) fn add(&mut self, time: Option<i64>) {
        self.latest = self.latest.max(time);
        self.has_gaps |= time.is_none();
    }
}

/// Names of what is left out.
#[derive(Debug, Default)]
pub(super) struct Names {
    first: Vec<String>,
    count: usize,
}

impl Names {
    pub(super) fn add(&mut self, path: &[String]) {
        self.count += 1;
        if self.first.len() < MAX_TOLD {
            self.first.push(path.join("/"));
        }
    }

    fn in_words(&self) -> String {
        and_more(&self.first, self.count)
    }
}

/// All files of one student.
pub(super) struct Group {
    pub(super) owner: Owner,
    /// The names at the top that belong to it.
    pub(super) entries: BTreeSet<String>,
    /// Each with its path in the class.
    pub(super) manifests: Vec<(Vec<String>, Vec<u8>)>,
    /// Why it cannot be taken.
    pub(super) trouble: Option<String>,
    /// Links, which are not followed.
    pub(super) links: Names,
    /// Some files lie deeper than anything is read.
    pub(super) has_deep_files: bool,
    /// It is one file or archive.
    pub(super) is_file: bool,
    /// It is a clone of a Git repository.
    pub(super) is_clone: bool,
    /// When its manifests and archives were written.
    pub(super) time: FileTime,
    /// The bytes of its manifests.
    pub(super) kept: u64,
    pub(super) max_file_bytes: u64,
    has_archive_in_archive: bool,
    work: u64,
    files: usize,
}

impl Group {
    pub(super) fn new(owner: Owner) -> Self {
        Self {
            owner,
            entries: BTreeSet::new(),
            manifests: vec![],
            trouble: None,
            links: Names::default(),
            has_deep_files: false,
            is_file: true,
            is_clone: false,
            time: FileTime::default(),
            kept: 0,
            max_file_bytes: MAX_FILE_BYTES,
            has_archive_in_archive: false,
            work: 0,
            files: 0,
        }
    }

    /// Its names, as they may be shown.
    pub(super) fn printable_names(&self) -> String {
        let entries: Vec<&str> = self.entries.iter().map(String::as_str).collect();
        sanitize(&entries.join(", "))
    }

    /// It cannot be taken; the first reason counts. What was read of it is let go.
    pub(super) fn troubled(&mut self, why: String) {
        self.trouble.get_or_insert(why);
        self.manifests = vec![];
        self.kept = 0;
    }

    /// How much may still be read of it, in bytes.
    pub(super) const fn room(&self) -> u64 {
        MAX_WORK_BYTES.saturating_sub(self.work)
    }

    /// Counts what was read or decompressed, whatever becomes of it.
    pub(super) fn count_work(&mut self, bytes: u64) {
        self.work = self.work.saturating_add(bytes);
        if self.work > MAX_WORK_BYTES {
            self.troubled(format!("it holds more than {} MiB", MAX_WORK_BYTES >> 20));
        }
    }

    /// Counts an entry of a folder; `false` where nothing more is read of this hand-in.
    pub(super) fn count_entry(&mut self) -> bool {
        self.count_work(ENTRY_BYTES);
        self.trouble.is_none()
    }

    /// Counts a manifest or archive; `false` where nothing more is read of this hand-in.
    pub(super) fn count_file(&mut self) -> bool {
        self.files += 1;
        if self.files > MAX_FILES {
            self.troubled(format!("it holds more than {MAX_FILES} manifests and archives"));
        }
        self.trouble.is_none()
    }

    /// Reads a manifest, or an archive that was itself handed in.
    pub(super) fn take(&mut self, path: &[String], input: &mut dyn Read) {
        let name = path.last().map_or("", String::as_str);
        match FileKind::of(name) {
            FileKind::Manifest => self.take_manifest(path, input),
            FileKind::Other => {}
            FileKind::Zip => {
                if let Some(bytes) = self.read(path, input, MAX_ARCHIVE_BYTES) {
                    self.take_zip(path, Cursor::new(bytes));
                }
            }
            FileKind::Tar => {
                let mut nested = Nested { group: self, path };
                let read = archive::tar(name, input, &mut nested);
                self.end_of_archive(path, read);
            }
        }
    }

    /// Reads a zip archive that was itself handed in.
    pub(super) fn take_zip(&mut self, path: &[String], input: impl Read + Seek) {
        let read = archive::zip(input, &mut Nested { group: self, path });
        self.end_of_archive(path, read);
    }

    /// There is an archive in an archive, which is not read.
    pub(super) const fn note_nested_archive(&mut self) {
        self.has_archive_in_archive = true;
    }

    fn end_of_archive(&mut self, path: &[String], read: io::Result<()>) {
        let shown = path.join("/");
        if let Err(error) = read {
            self.troubled(format!("cannot read {shown}: {error}"));
        }
    }

    fn take_manifest(&mut self, path: &[String], input: &mut dyn Read) {
        let Some(mut bytes) = self.read(path, input, self.max_file_bytes) else { return };
        bytes.shrink_to_fit();
        self.kept += bytes.len() as u64;
        if self.kept > MAX_HAND_IN_BYTES.max(self.max_file_bytes) {
            let most = MAX_HAND_IN_BYTES >> 20;
            return self.troubled(format!("its manifests are larger than {most} MiB"));
        }
        self.manifests.push((path.to_vec(), bytes));
    }

    /// All that a file holds, if that is not more than `most` bytes.
    fn read(&mut self, path: &[String], input: &mut dyn Read, most: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![];
        let read = input.take(most + 1).read_to_end(&mut bytes);
        self.count_work(bytes.len() as u64);
        let shown = path.join("/");
        if let Err(error) = read {
            self.troubled(format!("cannot read {shown}: {error}"));
        } else if bytes.len() as u64 > most {
            self.troubled(format!("{shown} is larger than {} MiB", most >> 20));
        }
        self.trouble.is_none().then_some(bytes)
    }

    /// What was left out, for a note; `None` where all was read.
    pub(super) fn left_out(&self) -> Option<String> {
        let mut left_out = vec![];
        if self.links.count > 0 {
            left_out.push(format!("links are left out: {}", self.links.in_words()));
        }
        if self.has_deep_files {
            left_out.push(format!("what lies deeper than {MAX_DEPTH} folders is left out"));
        }
        (!left_out.is_empty()).then(|| left_out.join("; "))
    }

    /// The manifests, each with the name by which the student knows it.
    pub(super) fn named_manifests(&mut self) -> Result<Vec<(String, Vec<u8>)>, Box<Problem>> {
        if let Some(trouble) = &self.trouble {
            return Err(unreadable(trouble));
        }
        if self.manifests.is_empty() {
            return Err(unreadable(&self.why_empty()));
        }
        let mut manifests = std::mem::take(&mut self.manifests);
        manifests.sort();
        let named = |(path, bytes): (Vec<String>, _)| (sanitize(&path.join("/")), bytes);
        Ok(manifests.into_iter().map(named).collect())
    }

    fn why_empty(&self) -> String {
        let names = self.printable_names();
        if self.owner.is_text {
            return format!("{names} is what was typed into Canvas, and no file");
        }
        if self.has_archive_in_archive {
            return format!("{names} holds an archive in an archive, which is not read");
        }
        let left_out = self.left_out().map(|it| format!(" ({it})")).unwrap_or_default();
        format!("there is no file named *.yaml, *.yml or *.json in {names}{left_out}")
    }
}

fn unreadable(what: &str) -> Box<Problem> {
    Box::new(Problem::new(
        "hand_in_unreadable",
        sanitize(what),
        "Hand in the YAML files of your Service and StatefulSet, alone or in one zip or tar \
        archive.",
    ))
}
