//! What the inspection script says, as observations of files and canaries.

use std::{collections::BTreeMap, time::Duration};

use checks::model::observation::{BLOCK_DIGITS, CanaryFile, File, LEFT_OUT};
use sha2::{Digest as _, Sha256};

use crate::{cluster::exec::records, recording::digest_text};

/// The script that reads claims and writes canaries.
pub(crate) const INSPECT: &str =
    concat!(include_str!("../inspect/below.sh"), include_str!("../inspect/inspect.sh"));
/// The script that searches claims for what names pods.
pub(crate) const SEARCH: &str =
    concat!(include_str!("../inspect/below.sh"), include_str!("../inspect/search.sh"));

/// The most bytes of one file that are kept.
pub(crate) const MAX_FILE_BYTES: usize = 16 << 10;

/// Why there is no content of a file that may not be read.
const UNREADABLE: &str = "unreadable";
/// A binary file is compared in blocks of this size.
const BLOCK_BYTES: usize = 64;

/// The most characters of a shell's complaint that are kept.
const MAX_COMPLAINT_CHARS: usize = 200;

/// What a digest begins with.
const DIGEST: &str = "sha256:";

/// How the names of canaries begin; 32 hexadecimal digits follow.
pub(crate) const CANARY: &str = ".stsgrade-";

/// What one run of the script told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InspectOutput {
    /// One for each mount that was asked for, in order.
    pub(crate) mounts: Vec<MountFiles>,
    /// The pod's `/etc/resolv.conf`.
    pub(crate) resolver: String,
    /// The tools that the image has, of those that can ask DNS.
    pub(crate) tools: Vec<String>,
    /// How long the first process of the script's process namespace had run when the script began.
    pub(crate) age: Option<Duration>,
    /// The script came to its end.
    pub(crate) is_complete: bool,
    /// A search for what names pods did not come to its end: the reader's own word, no script's.
    pub(crate) is_search_lost: bool,
}

/// What was found below one mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MountFiles {
    pub(crate) files: Vec<File>,
    /// Files that are not in `files`, or whose content was not read for want of room.
    pub(crate) left_out: u64,
    pub(crate) error: Option<String>,
    /// Folders that may not be opened; they count as left out.
    closed_folders: u64,
    /// Folders that hold nothing.
    pub(crate) folders: Vec<String>,
    /// All files were searched for what names pods.
    pub(crate) searched: bool,
    /// The canaries that were there.
    pub(crate) canaries: Vec<CanaryFile>,
    /// By canary's file name: its inode and when that was last changed.
    pub(crate) inodes: BTreeMap<String, String>,
    /// Whether our own canary was written; the error says why not.
    pub(crate) written: Option<Result<String, String>>,
    /// By path: when a file was last written, in nanoseconds since the epoch, where the image can
    /// tell.
    pub(crate) times: Vec<(String, i64)>,
    /// When the first process was started, by the clock that times this mount's files, in
    /// nanoseconds.
    pub(crate) started: Option<i64>,
    /// How long the node had run when the canary had just been written.
    uptime: Option<Duration>,
    /// When that was by the canary's own time, in nanoseconds.
    now: Option<i64>,
}

/// Reads the script's output.
pub(crate) fn parse(output: &[u8], word: &str) -> InspectOutput {
    let mut told = InspectOutput::default();
    let mut uptime_at_start = None;
    // How long after the node's boot the first process was started.
    let mut first_process_started = None;
    for (key, value) in records(output, word) {
        let text = || String::from_utf8_lossy(value).into_owned();
        match key {
            "mount" => told.mounts.push(MountFiles::default()),
            "resolv" => told.resolver = text(),
            "tools" => told.tools = text().split_whitespace().map(str::to_owned).collect(),
            "end" => told.is_complete = true,
            "uptime" if told.mounts.is_empty() => uptime_at_start = uptime(&text()),
            "first" => first_process_started = started(&text()),
            _ => {
                if let Some(mount) = told.mounts.last_mut() {
                    mount.set(key, value);
                }
            }
        }
    }
    told.age = age(uptime_at_start, first_process_started);
    for mount in &mut told.mounts {
        mount.finish(first_process_started);
    }
    told
}

/// How long a process has run: by how long the node has run, and had when the process was started.
fn age(uptime: Option<Duration>, started: Option<Duration>) -> Option<Duration> {
    uptime?.checked_sub(started?)
}

/// The first number of `/proc/uptime`.
fn uptime(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

/// When a process was started, since the machine was, by its `/proc/PID/stat`: see proc(5).
fn started(stat: &str) -> Option<Duration> {
    // Its name may hold anything, and ends with the last parenthesis. A tick is 10 ms for every
    // user space.
    let (_, fields) = stat.rsplit_once(')')?;
    fields
        .split_whitespace()
        .nth(19)?
        .parse::<u64>()
        .ok()
        .and_then(|ticks| ticks.checked_mul(10))
        .map(Duration::from_millis)
}

/// A time in nanoseconds since the epoch, from its seconds and the digits of their fraction.
fn epoch_nanoseconds(seconds: i64, fraction: &str) -> Option<i64> {
    let digits = fraction.get(..fraction.len().min(9))?;
    let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    let nanos: i64 = is_number.then(|| format!("{digits:0<9}").parse().ok())??;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

impl MountFiles {
    fn set(&mut self, key: &str, value: &[u8]) {
        let text = String::from_utf8_lossy(value).into_owned();
        let file = self.files.last_mut();
        match (key, file) {
            ("file", _) => self.files.push(File { path: text, ..File::default() }),
            ("size", Some(file)) => file.size = text.parse().unwrap_or(0),
            ("mtime", Some(file)) => file.mtime = text.parse().ok(),
            ("nanos", Some(file)) => {
                let time = file.mtime.and_then(|it| epoch_nanoseconds(it, &text));
                self.times.extend(time.map(|it| (file.path.clone(), it)));
            }
            ("without", Some(file)) => file.without = Some(text),
            ("body", Some(file)) => body(file, value),
            ("canary", _) if is_canary(&text) => {
                self.canaries.push(CanaryFile { file: text, content: String::new() })
            }
            ("token", _) => {
                if let Some(canary) = self.canaries.last_mut().filter(|it| it.content.is_empty()) {
                    // The script ends the lines that it reads.
                    canary.content = text.trim_end_matches('\n').chars().take(300).collect();
                }
            }
            ("mark", _) => {
                if let Some(canary) = self.canaries.last().filter(|_| !text.is_empty()) {
                    self.inodes.insert(canary.file.clone(), text.chars().take(100).collect());
                }
            }
            ("holds", Some(file)) => file.holds.push(text),
            ("folder", _) => self.folders.push(text),
            ("searched", _) => self.searched = true,
            ("error", _) => self.error = Some(text),
            ("closed", _) => {
                self.left_out = self.left_out.saturating_add(1);
                self.closed_folders += 1;
            }
            ("listed", _) => {
                let listed = text.parse::<u64>().unwrap_or(0);
                let left_out = listed.saturating_sub(self.files.len() as u64);
                self.left_out = self.left_out.saturating_add(left_out);
            }
            ("wrote", _) => self.written = Some(Ok(text)),
            ("uptime", _) => self.uptime = uptime(&text),
            ("now", _) => {
                self.now = text.split_once('.').and_then(|(seconds, fraction)| {
                    epoch_nanoseconds(seconds.parse().ok()?, fraction)
                })
            }
            ("unwritten", _) => self.written = Some(Err(reason(&text))),
            _ => {}
        }
    }

    /// Whether the container that was asked may not open something of it.
    pub(crate) fn has_closed_parts(&self) -> bool {
        self.error.is_some()
            || self.closed_folders > 0
            || self.files.iter().any(|it| it.without.as_deref() == Some(UNREADABLE))
    }

    /// Adds what another container found that mounts the same.
    pub(crate) fn add(&mut self, other: Self) {
        if other.error.is_some() {
            return;
        }
        if self.error.is_some() {
            self.replace_by(other);
        } else {
            self.merge(other);
        }
        self.canaries.sort();
        self.canaries.dedup();
    }

    /// Takes the other in place of what could not be read, but for the canaries of both.
    fn replace_by(&mut self, other: Self) {
        let (canaries, written) = (std::mem::take(&mut self.canaries), self.written.take());
        *self = Self { written: other.written.clone().or(written), ..other };
        self.canaries.extend(canaries);
    }

    /// Adds what the other could open and this one could not.
    fn merge(&mut self, other: Self) {
        let beside_closed = |it: &Self| it.left_out - it.closed_folders.min(it.left_out);
        let closed_folders = self.closed_folders.min(other.closed_folders);
        self.left_out = beside_closed(self).max(beside_closed(&other)) + closed_folders;
        self.closed_folders = closed_folders;
        if !matches!(self.written, Some(Ok(_))) {
            self.written = other.written.or(self.written.take());
        }
        self.canaries.extend(other.canaries);
        self.inodes.extend(other.inodes);
        for folder in other.folders {
            if !self.folders.contains(&folder) {
                self.folders.push(folder);
            }
        }
        let is_new = |path: &String| self.files.iter().all(|it| it.path != *path);
        self.times.extend(other.times.into_iter().filter(|(path, _)| is_new(path)));
        for file in other.files {
            match self.files.iter_mut().find(|it| it.path == file.path) {
                Some(known) if known.without.as_deref() == Some(UNREADABLE) => *known = file,
                Some(_) => {}
                None => self.files.push(file),
            }
        }
    }

    fn finish(&mut self, first_process_started: Option<Duration>) {
        let age = age(self.uptime, first_process_started);
        self.started = self
            .now
            .zip(age)
            .and_then(|(now, age)| now.checked_sub(i64::try_from(age.as_nanos()).ok()?));
        let is_left_out = |file: &&File| file.without.as_deref() == Some(LEFT_OUT);
        self.left_out += self.files.iter().filter(is_left_out).count() as u64;
        self.canaries.sort();
    }
}

fn body(file: &mut File, bytes: &[u8]) {
    let kept = bytes.get(..MAX_FILE_BYTES).unwrap_or(bytes);
    file.cut = bytes.len() > MAX_FILE_BYTES;
    file.size = file.size.max(bytes.len() as u64);
    if kept.is_empty() && file.size > 0 {
        file.without = Some(UNREADABLE.to_owned());
        return;
    }
    file.digest = Some(digest(kept));
    match text(kept, file.cut) {
        Some(text) => file.content = Some(text),
        None => {
            file.without = Some("binary".to_owned());
            file.blocks = kept
                .chunks(BLOCK_BYTES)
                .map(|it| digest(it)[DIGEST.len()..DIGEST.len() + BLOCK_DIGITS].to_owned())
                .collect();
        }
    }
}

impl MountFiles {
    /// Whether there are files of which not all was seen.
    pub(crate) fn hides_something(&self) -> bool {
        self.left_out > 0 || self.files.iter().any(|it| it.cut || it.without.is_some())
    }

    /// Whether a path or a text holds one of these words.
    pub(crate) fn names(&self, words: &[String]) -> bool {
        let names = |text: &str| words.iter().any(|word| text.contains(word.as_str()));
        self.folders.iter().any(|it| names(it))
            || self
                .files
                .iter()
                .any(|it| names(&it.path) || it.content.as_deref().is_some_and(names))
    }

    /// Takes over what a search found; those files come first, so that they are read first at the
    /// next look.
    pub(crate) fn add_found(&mut self, found: Self, words: &[String]) {
        self.searched = found.searched && found.error.is_none();
        let mut files = found.files;
        for file in &mut files {
            file.holds = words_in_matches(words, &file.holds);
            self.remove_known(&file.path);
        }
        files.append(&mut self.files);
        self.files = files;
    }

    /// Removes what is known of a file that was found now: it is listed, or counts as left out.
    fn remove_known(&mut self, path: &str) {
        let place = self.files.iter().position(|file| file.path == path);
        let known = place.map(|place| self.files.remove(place));
        if known.is_none_or(|file| file.without.as_deref() == Some(LEFT_OUT)) {
            self.left_out = self.left_out.saturating_sub(1);
        }
    }
}

/// The words that a search by [`pattern`] has found. A match goes on for one character, which is no
/// digit.
fn words_in_matches(words: &[String], matches: &[String]) -> Vec<String> {
    let is_match_of = |text: &str, word: &str| {
        text.strip_prefix(word).is_some_and(|rest| rest.chars().count() <= 1)
    };
    let is_found = |word: &&String| matches.iter().any(|text| is_match_of(text, word));
    words.iter().filter(is_found).cloned().collect()
}

/// The bytes as text, unless they are none. A cut may go through a character.
fn text(bytes: &[u8], cut: bool) -> Option<String> {
    if bytes.contains(&0) {
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.to_owned()),
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok().map(str::to_owned)
        }
        Err(_) => None,
    }
}

/// An extended regular expression for any of these words, with no digit behind it: `web-1` is not
/// in `web-10`.
pub(crate) fn pattern(words: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_:/".contains(c);
    let escaped = |word: &String| {
        word.chars()
            .map(|c| if is_plain(c) { c.to_string() } else { format!("[{c}]") })
            .collect::<String>()
    };
    let words: Vec<String> = words.iter().map(escaped).collect();
    format!("({})([^0-9]|$)", words.join("|"))
}

/// `sha256:…`.
fn digest(bytes: &[u8]) -> String {
    digest_text(&Sha256::digest(bytes))
}

/// Whether a file name is one of ours.
pub(crate) fn is_canary(name: &str) -> bool {
    name.strip_prefix(CANARY)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|it| it.is_ascii_hexdigit()))
}

/// The reason in a shell's complaint, or where it gives another one, the complaint's beginning.
fn reason(complaint: &str) -> String {
    let words = complaint.trim();
    let known = [
        "Read-only file system",
        "Permission denied",
        "No space left on device",
        "Disk quota exceeded",
        "Input/output error",
    ];
    let lower = words.to_ascii_lowercase();
    match known.iter().map(|it| it.to_lowercase()).find(|it| lower.contains(it)) {
        Some(reason) => reason,
        None => words.chars().take(MAX_COMPLAINT_CHARS).collect(),
    }
}

#[cfg(test)]
mod tests;
