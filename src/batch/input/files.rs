//! The files that were handed in, wherever they lie: in a folder, or in an archive.
//!
//! An archive is untrusted: it is read in memory and never unpacked, nothing of it is a path on
//! this machine, and its size is bounded by what is read of it, not by what it says of itself.

use std::{
    fs::{self, File},
    io::{self, BufReader, Cursor, Read, Seek},
    path::Path,
};

use flate2::read::GzDecoder;

use crate::batch::results::holds_results;

/// No single file is larger, in bytes.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// All that is read of a class, in bytes.
const MAX_CLASS_BYTES: u64 = 256 << 20;
/// All that is read of the archive of one student, in bytes.
const MAX_ARCHIVE_BYTES: u64 = 16 << 20;
/// No folder or archive holds more files.
const MAX_FILES: usize = 50_000;
/// No folder is nested deeper.
const MAX_DEPTH: usize = 12;
/// What tells who handed in what, in an export of Gradescope.
pub(super) const GRADESCOPE: &str = "submission_metadata.yml";

/// A file that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HandedIn {
    /// Its path from the top, a component each.
    pub(super) path: Vec<String>,
    /// What it holds.
    pub(super) bytes: Vec<u8>,
    /// When it was written, in seconds since the epoch, where that is known.
    pub(super) modified: Option<i64>,
    /// Why it cannot be taken: that is the trouble of its own hand-in, and of no other.
    pub(super) trouble: Option<String>,
}

impl HandedIn {
    /// Its own name.
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
}

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

/// What is read of one folder or archive.
struct Collected {
    files: Vec<HandedIn>,
    /// Folders that hold the results of a batch.
    results: Vec<String>,
    bytes: u64,
    max_bytes: u64,
}

impl Collected {
    const fn new(max_bytes: u64) -> Self {
        Self { files: vec![], results: vec![], bytes: 0, max_bytes }
    }

    /// Adds a file; what is neither a manifest nor an archive is not read.
    fn add(
        &mut self,
        path: Vec<String>,
        input: impl Read,
        modified: Option<i64>,
    ) -> io::Result<()> {
        let name = path.last().map_or("", String::as_str);
        let (mut bytes, mut trouble) = (vec![], None);
        if FileKind::of(name) != FileKind::Other {
            let read = input.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
            if let Err(error) = read {
                trouble = Some(format!("cannot read {name:?}: {error}"));
            } else if bytes.len() as u64 > MAX_FILE_BYTES {
                trouble = Some(format!("{name:?} is larger than {} MiB", MAX_FILE_BYTES >> 20));
            }
        }
        if trouble.is_some() {
            bytes.clear();
        }
        self.bytes += bytes.len() as u64;
        if self.bytes > self.max_bytes || self.files.len() >= MAX_FILES {
            return Err(invalid("it holds more than anybody hands in"));
        }
        self.files.push(HandedIn { path, bytes, modified, trouble });
        Ok(())
    }

    /// Adds a file that cannot be taken.
    fn troubled(&mut self, path: Vec<String>, why: String) {
        self.files.push(HandedIn { path, bytes: vec![], modified: None, trouble: Some(why) });
    }

    fn sorted(mut self) -> Vec<HandedIn> {
        self.files.sort_by(|one, other| one.path.cmp(&other.path));
        self.files
    }
}

/// All files below a path, or in the archive at that path; and the folders that are left out, because
/// they hold the results of a batch.
///
/// # Errors
/// It cannot be read, or is larger than any class.
pub(super) fn below(path: &Path) -> io::Result<(Vec<HandedIn>, Vec<String>)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = Collected::new(MAX_CLASS_BYTES);
    if path.is_dir() {
        walk(path, &mut vec![], &mut found)?;
        let results = std::mem::take(&mut found.results);
        return Ok((found.sorted(), results));
    }
    let file = BufReader::new(File::open(path)?);
    match FileKind::of(&name) {
        FileKind::Zip => zip(file, &mut found)?,
        FileKind::Tar => tar(&name, file, &mut found)?,
        _ => return Err(invalid("it is neither a folder nor a zip or tar archive")),
    }
    Ok((found.sorted(), vec![]))
}

/// The files in an archive that was itself handed in.
pub(super) fn unpacked(archive: &HandedIn) -> io::Result<Vec<HandedIn>> {
    let bytes = Cursor::new(archive.bytes.as_slice());
    let mut found = Collected::new(MAX_ARCHIVE_BYTES);
    match FileKind::of(archive.name()) {
        FileKind::Zip => zip(bytes, &mut found)?,
        _ => tar(archive.name(), bytes, &mut found)?,
    }
    Ok(found.sorted())
}

fn walk(folder: &Path, path: &mut Vec<String>, found: &mut Collected) -> io::Result<()> {
    // What lies deeper is nobody's manifest.
    if path.len() > MAX_DEPTH {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // The type of the entry itself: a link could lead anywhere.
        let kind = entry.file_type()?;
        if is_hidden(&name) || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() && path.is_empty() && holds_results(&entry.path()) {
            found.results.push(name);
            continue;
        }
        path.push(name.clone());
        if kind.is_dir() {
            let before = found.files.len();
            walk(&entry.path(), path, found)?;
            // A folder in which nothing lies is a hand-in, too.
            if path.len() == 1 && found.files.len() == before {
                found.add(vec![name, ".".to_owned()], io::empty(), None)?;
            }
        } else if kind.is_file() {
            let modified = entry.metadata()?.modified().ok();
            let modified = modified.and_then(|it| jiff::Timestamp::try_from(it).ok());
            let modified = modified.map(jiff::Timestamp::as_second);
            match File::open(entry.path()) {
                Ok(file) => found.add(path.clone(), file, modified)?,
                Err(error) => {
                    found.troubled(path.clone(), format!("cannot read {name:?}: {error}"))
                }
            }
        }
        path.pop();
    }
    Ok(())
}

fn zip(input: impl Read + Seek, found: &mut Collected) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(input).map_err(invalid)?;
    for place in 0..archive.len() {
        let entry = archive.by_index(place).map_err(invalid)?;
        if !entry.is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let Some(path) = components(&name) else { continue };
        if let Some(why) = leads_out(&name) {
            found.troubled(path, why);
            continue;
        }
        let modified = entry.last_modified().and_then(|it| {
            let text = format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                it.year(),
                it.month(),
                it.day(),
                it.hour(),
                it.minute(),
                it.second()
            );
            text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
        });
        found.add(path, entry, modified)?;
    }
    Ok(())
}

fn tar<'i>(name: &str, input: impl Read + 'i, found: &mut Collected) -> io::Result<()> {
    let is_plain = name.to_lowercase().ends_with(".tar");
    let input: Box<dyn Read + 'i> =
        if is_plain { Box::new(input) } else { Box::new(GzDecoder::new(input)) };
    // What is skipped is decompressed, too.
    let mut archive = tar::Archive::new(input.take(MAX_CLASS_BYTES));
    for (place, entry) in archive.entries()?.enumerate() {
        let entry = entry?;
        if place >= MAX_FILES {
            return Err(invalid("it holds too many files"));
        }
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path()?.to_string_lossy().into_owned();
        let Some(path) = components(&name) else { continue };
        if let Some(why) = leads_out(&name) {
            found.troubled(path, why);
            continue;
        }
        let modified = entry.header().mtime().ok().and_then(|it| i64::try_from(it).ok());
        found.add(path, entry, modified)?;
    }
    Ok(())
}

/// The components of a path in an archive; `None` for what nobody handed in.
fn components(name: &str) -> Option<Vec<String>> {
    let path: Vec<String> = name
        .split(['/', '\\'])
        .filter(|it| !matches!(*it, "" | "." | ".."))
        .map(str::to_owned)
        .collect();
    let is_somebodys = !path.is_empty() && path.len() <= MAX_DEPTH;
    (is_somebodys && !path.iter().any(|it| is_hidden(it))).then_some(path)
}

/// Why a path in an archive is not taken, if so.
fn leads_out(name: &str) -> Option<String> {
    let leaves = name.starts_with(['/', '\\']) || name.split(['/', '\\']).any(|it| it == "..");
    leaves.then(|| format!("it holds the path {name:?}, which leads out of it"))
}

/// Files of the system that packed them, and those that a shell does not list.
fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || name == "__MACOSX"
}

fn invalid(why: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}
