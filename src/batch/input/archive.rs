//! Archives of hand-ins.
//!
//! An archive is untrusted: it is never unpacked, nothing of it is a path on this machine, and its
//! size is bounded by what is read of it, not by what it says of itself.

use std::{
    cell::Cell,
    io::{self, Read, Seek, SeekFrom},
    rc::Rc,
};

use flate2::read::MultiGzDecoder;
use zip::{ZipArchive, read::ZipFile};

use super::{
    common::Common,
    files::{Collected, invalid, is_ignored},
    group::{FileKind, Group, MAX_DEPTH},
};

/// No path is longer, in bytes.
const MAX_PATH_BYTES: usize = 4096;
/// What tells the name and the size of one file in a tar archive, in bytes.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// The list of all files in a zip archive that a student handed in, in bytes.
const MAX_LIST_BYTES: u64 = 8 << 20;
/// The list of all files in a zip archive of a class, in bytes.
const MAX_CLASS_LIST_BYTES: u64 = 256 << 20;
/// All that is decompressed of a tar archive of a class, in bytes.
const MAX_CLASS_TAR_BYTES: u64 = 64 << 30;
/// The size of a block of a tar archive, in bytes.
const TAR_BLOCK: u64 = 512;

/// Who takes the files of an archive.
pub(super) trait Taker {
    /// The hand-in to which the file at this path belongs, and its path in the class; `None` where
    /// it is of nobody.
    fn place(&mut self, path: Vec<String>) -> Option<(&mut Group, Vec<String>)>;

    /// The hand-in that is itself this archive; `None` for the archive of a class.
    fn hand_in(&mut self) -> Option<&mut Group>;

    /// Whether there is room for more.
    ///
    /// # Errors
    /// There is not.
    fn check(&self) -> io::Result<()>;
}

impl Taker for Collected {
    fn place(&mut self, path: Vec<String>) -> Option<(&mut Group, Vec<String>)> {
        Self::place(self, path)
    }

    fn hand_in(&mut self) -> Option<&mut Group> {
        None
    }

    fn check(&self) -> io::Result<()> {
        self.check_size()
    }
}

/// An archive that one student handed in.
pub(super) struct Nested<'g> {
    pub(super) group: &'g mut Group,
    /// The path of the archive.
    pub(super) path: &'g [String],
}

impl Taker for Nested<'_> {
    fn place(&mut self, path: Vec<String>) -> Option<(&mut Group, Vec<String>)> {
        Some((self.group, [self.path, &path].concat()))
    }

    fn hand_in(&mut self) -> Option<&mut Group> {
        Some(self.group)
    }

    fn check(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts what is read, and ends it at a bound.
struct Metered<R> {
    input: R,
    meter: Rc<Meter>,
}

/// What was read, and how much may be.
struct Meter {
    read: Cell<u64>,
    most: Cell<u64>,
}

impl Meter {
    fn new(most: u64) -> Rc<Self> {
        Rc::new(Self { read: Cell::new(0), most: Cell::new(most) })
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(to)?;
        let read = self.meter.read.get().saturating_add(count as u64);
        self.meter.read.set(read);
        if read > self.meter.most.get() {
            return Err(invalid("it holds more, or longer names, than anybody hands in"));
        }
        Ok(count)
    }
}

impl<R: Seek> Seek for Metered<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.input.seek(to)
    }
}

/// What is told of a file before it is read.
struct Listed<'n> {
    name: &'n str,
    is_folder: bool,
    is_link: bool,
}

/// The hand-in of a file that is to be read, and its path in the class.
fn place<'t>(to: &'t mut dyn Taker, listed: &Listed<'_>) -> Option<(&'t mut Group, Vec<String>)> {
    let inner = components(listed.name);
    let is_nested = to.hand_in().is_some();
    let is_wanted = !inner.iter().any(|it| is_ignored(it));
    // A hand-in in which nothing else lies is one, too.
    let (group, path) = to.place(inner).filter(|(_, path)| !path.is_empty())?;
    group.is_file &= is_nested || !listed.is_folder;
    group.is_clone |= path.iter().any(|it| it == ".git");
    // Nothing more is read of a hand-in that cannot be taken.
    if !is_wanted || listed.is_folder || group.trouble.is_some() {
        return None;
    }
    if let Some(why) = why_not_taken(listed.name) {
        group.troubled(why);
        return None;
    }
    if listed.is_link {
        group.links.add(&path);
        return None;
    }
    match FileKind::of(listed.name) {
        FileKind::Other => return None,
        FileKind::Zip | FileKind::Tar if is_nested => {
            group.note_nested_archive();
            return None;
        }
        _ => {}
    }
    if path.len() > MAX_DEPTH {
        group.has_deep_files = true;
        return None;
    }
    group.count_file().then_some((group, path))
}

/// Hands over all files of a zip archive.
pub(super) fn zip(input: impl Read + Seek, to: &mut dyn Taker) -> io::Result<()> {
    let room = to.hand_in().map(|it| it.room());
    let meter = Meter::new(room.map_or(MAX_CLASS_LIST_BYTES, |_| MAX_LIST_BYTES));
    let mut archive = opened(input, &meter)?;
    meter.most.set(room.map_or(u64::MAX, |room| meter.read.get() + room));
    for at in 0..archive.len() {
        let listed = archive.by_index_data(at).map_err(invalid)?;
        let name = listed.name().map_err(invalid)?.into_owned();
        let (is_folder, is_link) = (listed.is_dir(), listed.is_symlink());
        let is_encrypted = listed.encrypted();
        let listed = Listed { name: &name, is_folder, is_link };
        let Some((group, path)) = place(to, &listed) else { continue };
        let shown = path.join("/");
        if is_encrypted {
            group.troubled(format!("{shown} is encrypted"));
            continue;
        }
        match archive.by_index(at) {
            Ok(mut file) => {
                if room.is_none() {
                    group.time.add(written_at(&file));
                }
                group.take(&path, &mut file);
            }
            Err(error) => group.troubled(format!("cannot read {shown}: {error}")),
        }
        to.check()?;
    }
    if let Some(group) = to.hand_in() {
        group.count_work(meter.read.get());
    }
    Ok(())
}

fn opened<R: Read + Seek>(input: R, meter: &Rc<Meter>) -> io::Result<ZipArchive<Metered<R>>> {
    ZipArchive::new(Metered { input, meter: Rc::clone(meter) }).map_err(invalid)
}

/// When a file in a zip archive was written, where that is told in universal time.
fn written_at<R: Read>(file: &ZipFile<'_, R>) -> Option<i64> {
    file.extra_data_fields().find_map(|it| match it {
        zip::ExtraField::ExtendedTimestamp(time) => time.mod_time().map(i64::from),
        _ => None,
    })
}

/// The paths of all files in a zip archive of a class.
pub(super) fn zip_paths(input: impl Read + Seek, to: &mut Common) -> io::Result<()> {
    let archive = opened(input, &Meter::new(MAX_CLASS_LIST_BYTES))?;
    for at in 0..archive.len() {
        let listed = archive.by_index_data(at).map_err(invalid)?;
        to.add(&components(&listed.name().map_err(invalid)?), listed.is_dir());
    }
    Ok(())
}

fn decompressed<'i>(name: &str, input: &'i mut dyn Read) -> Box<dyn Read + 'i> {
    let is_plain = name.to_lowercase().ends_with(".tar");
    if is_plain { Box::new(input) } else { Box::new(MultiGzDecoder::new(input)) }
}

/// Hands over all files of a tar archive.
pub(super) fn tar(name: &str, input: &mut dyn Read, to: &mut dyn Taker) -> io::Result<()> {
    let is_class = to.hand_in().is_none();
    // What is skipped is decompressed, too.
    let room = to.hand_in().map_or(MAX_CLASS_TAR_BYTES, |it| it.room());
    let read = each_in_tar(name, input, room, &mut |name, entry| {
        let kind = entry.header().entry_type();
        let is_link = kind.is_symlink() || kind.is_hard_link();
        let is_folder = !is_link && !kind.is_file() && !kind.is_contiguous();
        let listed = Listed { name, is_folder, is_link };
        let Some((group, path)) = place(to, &listed) else { return Ok(true) };
        if is_class {
            let time = entry.header().mtime().ok().and_then(|it| i64::try_from(it).ok());
            group.time.add(time);
        }
        group.take(&path, entry);
        to.check()?;
        Ok(to.hand_in().is_none_or(|it| it.trouble.is_none()))
    })?;
    if let Some(group) = to.hand_in() {
        group.count_work(read);
    }
    Ok(())
}

/// The paths of all files in a tar archive of a class.
pub(super) fn tar_paths(name: &str, mut input: impl Read, to: &mut Common) -> io::Result<()> {
    each_in_tar(name, &mut input, MAX_CLASS_TAR_BYTES, &mut |name, entry| {
        to.add(&components(name), entry.header().entry_type().is_dir());
        Ok(!to.is_over())
    })
    .map(|_| ())
}

/// What is done with a file in a tar archive; `false` ends it.
type EachInTar<'e> = dyn FnMut(&str, &mut dyn TarEntry) -> io::Result<bool> + 'e;

/// A file in a tar archive.
trait TarEntry: Read {
    fn header(&self) -> &tar::Header;
}

impl<R: Read> TarEntry for tar::Entry<'_, R> {
    fn header(&self) -> &tar::Header {
        self.header()
    }
}

/// Goes through a tar archive; how many bytes were decompressed.
fn each_in_tar(
    name: &str,
    input: &mut dyn Read,
    room: u64,
    each: &mut EachInTar<'_>,
) -> io::Result<u64> {
    let meter = Meter::new(room);
    let input = Metered { input: decompressed(name, input), meter: Rc::clone(&meter) };
    let mut archive = tar::Archive::new(input);
    let mut entries = archive.entries()?;
    let mut end = 0_u64;
    loop {
        // The names that stand before a file are held in memory.
        meter.most.set(room.min(end.saturating_add(MAX_HEADER_BYTES)));
        let Some(entry) = entries.next() else { break };
        let mut entry = entry?;
        meter.most.set(room);
        let is_sparse = entry.header().entry_type().is_gnu_sparse();
        let size = if is_sparse { entry.header().entry_size()? } else { entry.size() };
        let blocks = size.div_ceil(TAR_BLOCK).saturating_mul(TAR_BLOCK);
        end = entry.raw_file_position().saturating_add(blocks);
        if is_metadata(entry.header().entry_type()) {
            continue;
        }
        let path = decoded(&entry.path_bytes());
        if !each(&path, &mut entry)? {
            break;
        }
    }
    Ok(meter.read.get())
}

/// Whether an entry of a tar archive is no file: headers for those that follow, as `git archive`
/// writes one, and the label of a volume.
fn is_metadata(kind: tar::EntryType) -> bool {
    matches!(kind.as_byte(), b'g' | b'x' | b'X' | b'K' | b'L' | b'V')
}

/// The components of a path in an archive, no more than can be read.
fn components(name: &str) -> Vec<String> {
    let start = name.floor_char_boundary(MAX_PATH_BYTES);
    let components = name[..start].split(['/', '\\']);
    let components = components.filter(|it| !matches!(*it, "" | "." | ".."));
    components.take(MAX_DEPTH + 2).map(str::to_owned).collect()
}

/// Why a path in an archive is not taken, if so.
fn why_not_taken(name: &str) -> Option<String> {
    if name.len() > MAX_PATH_BYTES {
        return Some(format!("it holds a path of more than {MAX_PATH_BYTES} bytes"));
    }
    let leaves = name.starts_with(['/', '\\']) || name.split(['/', '\\']).any(|it| it == "..");
    leaves.then(|| format!("the path {name:?} leads out of its archive"))
}

/// A name as text: what is no UTF-8 stays distinct.
pub(super) fn decoded(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
