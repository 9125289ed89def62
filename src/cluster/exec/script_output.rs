//! What the inspection script says, as observations of files and canaries.

use std::{collections::BTreeMap, time::Duration};

use checks::model::observation::{File, Token};
use sha2::{Digest as _, Sha256};

use crate::cluster::exec::records;

/// The script that reads claims and writes canaries.
pub(crate) const INSPECT: &str =
    concat!(include_str!("../inspect/below.sh"), include_str!("../inspect/inspect.sh"));
/// The script that searches claims for what names pods.
pub(crate) const SEARCH: &str =
    concat!(include_str!("../inspect/below.sh"), include_str!("../inspect/search.sh"));

/// The most bytes of one file that are kept.
pub(crate) const KEPT: usize = 16 << 10;

/// Why a file's content is not known that may not be read.
const UNREADABLE: &str = "unreadable";
/// How many bytes of a binary file are told apart from others.
const BLOCK: usize = 64;

/// What a digest begins with.
const DIGEST: &str = "sha256:";

/// The canaries' names begin with it, 32 hexadecimal digits follow.
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
    /// When that process was started, since the node was.
    first: Option<Duration>,
    /// The script came to its end.
    pub(crate) whole: bool,
}

/// What was found below one mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MountFiles {
    pub(crate) files: Vec<File>,
    /// Files that are not in `files`, or whose content was not read for want of room.
    pub(crate) left_out: u64,
    pub(crate) error: Option<String>,
    /// Folders that may not be looked into; they count as left out.
    barred: u64,
    /// Folders that hold nothing.
    pub(crate) folders: Vec<String>,
    /// All files were searched for what names pods.
    pub(crate) searched: bool,
    /// The canaries that were there.
    pub(crate) canaries: Vec<Token>,
    /// By canary's file name: its inode and when that was last changed.
    pub(crate) marks: BTreeMap<String, String>,
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
    for (key, value) in records(output, word) {
        let text = || String::from_utf8_lossy(value).into_owned();
        match key {
            "mount" => told.mounts.push(MountFiles::default()),
            "resolv" => told.resolver = text(),
            "tools" => told.tools = text().split_whitespace().map(str::to_owned).collect(),
            "end" => told.whole = true,
            "uptime" if told.mounts.is_empty() => told.age = uptime(&text()),
            "first" => told.first = started(&text()),
            _ => {
                if let Some(mount) = told.mounts.last_mut() {
                    mount.take(key, value);
                }
            }
        }
    }
    let first = told.first;
    told.age = told.age.zip(first).and_then(|(now, first)| now.checked_sub(first));
    for mount in &mut told.mounts {
        mount.finish(first);
    }
    told
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

/// A time in nanoseconds: seconds, and the fraction's digits.
fn nanoseconds(seconds: i64, fraction: &str) -> Option<i64> {
    let digits = fraction.get(..fraction.len().min(9))?;
    let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    let nanos: i64 = is_number.then(|| format!("{digits:0<9}").parse().ok())??;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

impl MountFiles {
    fn take(&mut self, key: &str, value: &[u8]) {
        let text = String::from_utf8_lossy(value).into_owned();
        let file = self.files.last_mut();
        match (key, file) {
            ("file", _) => self.files.push(File { path: text, ..File::default() }),
            ("size", Some(file)) => file.size = text.parse().unwrap_or(0),
            ("mtime", Some(file)) => file.mtime = text.parse().ok(),
            ("nanos", Some(file)) => {
                let time = file.mtime.and_then(|it| nanoseconds(it, &text));
                self.times.extend(time.map(|it| (file.path.clone(), it)));
            }
            ("without", Some(file)) => file.without = Some(text),
            ("body", Some(file)) => body(file, value),
            ("canary", _) if is_canary(&text) => {
                self.canaries.push(Token { file: text, token: String::new() })
            }
            ("token", _) => {
                if let Some(canary) = self.canaries.last_mut().filter(|it| it.token.is_empty()) {
                    // The script ends the lines that it reads.
                    canary.token = text.trim_end_matches('\n').chars().take(300).collect();
                }
            }
            ("mark", _) => {
                if let Some(canary) = self.canaries.last().filter(|_| !text.is_empty()) {
                    self.marks.insert(canary.file.clone(), text.chars().take(100).collect());
                }
            }
            ("holds", Some(file)) => file.holds.push(text),
            ("folder", _) => self.folders.push(text),
            ("searched", _) => self.searched = true,
            ("error", _) => self.error = Some(text),
            ("closed", _) => {
                self.left_out += 1;
                self.barred += 1;
            }
            ("listed", _) => {
                self.left_out +=
                    text.parse::<u64>().unwrap_or(0).saturating_sub(self.files.len() as u64)
            }
            ("wrote", _) => self.written = Some(Ok(text)),
            ("uptime", _) => self.uptime = uptime(&text),
            ("now", _) => {
                self.now = text
                    .split_once('.')
                    .and_then(|(seconds, fraction)| nanoseconds(seconds.parse().ok()?, fraction))
            }
            ("unwritten", _) => self.written = Some(Err(plain(&text))),
            _ => {}
        }
    }

    /// Whether something on it may not be looked at from where this was told.
    pub(crate) fn is_barred(&self) -> bool {
        self.error.is_some()
            || self.barred > 0
            || self.files.iter().any(|it| it.without.as_deref() == Some(UNREADABLE))
    }

    /// Takes over what another container could look at that mounts the same.
    pub(crate) fn add(&mut self, other: Self) {
        if other.error.is_some() {
            return;
        }
        if self.error.take().is_some() {
            let (canaries, written) = (std::mem::take(&mut self.canaries), self.written.take());
            *self = Self { written: other.written.clone().or(written), ..other };
            self.canaries.extend(canaries);
        } else {
            let counted = |mount: &Self| mount.left_out - mount.barred.min(mount.left_out);
            self.left_out = counted(self).max(counted(&other)) + self.barred.min(other.barred);
            self.barred = self.barred.min(other.barred);
            if !matches!(self.written, Some(Ok(_))) {
                self.written = other.written.or(self.written.take());
            }
            self.canaries.extend(other.canaries);
            self.marks.extend(other.marks);
            self.folders.extend(
                other
                    .folders
                    .into_iter()
                    .filter(|it| !self.folders.contains(it))
                    .collect::<Vec<_>>(),
            );
            self.times.extend(
                other
                    .times
                    .into_iter()
                    .filter(|(path, _)| self.files.iter().all(|it| it.path != *path)),
            );
            for file in other.files {
                match self.files.iter_mut().find(|it| it.path == file.path) {
                    Some(known) if known.without.as_deref() == Some(UNREADABLE) => *known = file,
                    Some(_) => {}
                    None => self.files.push(file),
                }
            }
        }
        self.canaries.sort();
        self.canaries.dedup();
    }

    fn finish(&mut self, first: Option<Duration>) {
        let age = self.uptime.zip(first).and_then(|(now, first)| now.checked_sub(first));
        self.started = self
            .now
            .zip(age)
            .and_then(|(now, age)| now.checked_sub(i64::try_from(age.as_nanos()).ok()?));
        self.left_out +=
            self.files.iter().filter(|it| it.without.as_deref() == Some("left out")).count() as u64;
        self.canaries.sort();
    }
}

fn body(file: &mut File, bytes: &[u8]) {
    let kept = bytes.get(..KEPT).unwrap_or(bytes);
    file.cut = bytes.len() > KEPT;
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
                .chunks(BLOCK)
                .map(|it| digest(it)[DIGEST.len()..DIGEST.len() + 8].to_owned())
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
        let mut files = vec![];
        for mut file in found.files {
            // A match goes on for one character, which is no digit.
            let is_match = |it: &str, word: &str| {
                it.strip_prefix(word).is_some_and(|rest| rest.chars().count() <= 1)
            };
            file.holds = words
                .iter()
                .filter(|word| file.holds.iter().any(|it| is_match(it, word)))
                .cloned()
                .collect();
            if let Some(place) = self.files.iter().position(|it| it.path == file.path) {
                let known = self.files.remove(place);
                self.left_out -=
                    u64::from(known.without.as_deref() == Some("left out")).min(self.left_out);
            } else {
                self.left_out = self.left_out.saturating_sub(1);
            }
            files.push(file);
        }
        files.append(&mut self.files);
        self.files = files;
    }
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
    let plain = |it: char| it.is_ascii_alphanumeric() || "-_:/".contains(it);
    let escaped = |word: &String| {
        word.chars()
            .map(|it| if plain(it) { it.to_string() } else { format!("[{it}]") })
            .collect::<String>()
    };
    let words: Vec<String> = words.iter().map(escaped).collect();
    format!("({})([^0-9]|$)", words.join("|"))
}

/// `sha256:…`.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(DIGEST.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Whether a file name is one of ours.
pub(crate) fn is_canary(name: &str) -> bool {
    name.strip_prefix(CANARY)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|it| it.is_ascii_hexdigit()))
}

/// A shell's complaint without its own name and line number.
fn plain(complaint: &str) -> String {
    let words = complaint.trim();
    let known = [
        "Read-only file system",
        "Permission denied",
        "No space left on device",
        "Disk quota exceeded",
        "Input/output error",
    ];
    known
        .iter()
        .find(|it| words.to_ascii_lowercase().contains(&it.to_ascii_lowercase()))
        .map_or_else(|| words.chars().take(200).collect(), |it| it.to_lowercase())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix, path::Path, process::Command, time::Duration};

    use checks::model::observation::File;

    use super::{
        INSPECT, InspectOutput, KEPT, SEARCH, nanoseconds, parse, pattern, plain, started,
    };
    use crate::cluster::exec::script;

    const WORD: &str = "0123456789abcdef0123456789abcdef";
    const NAME: &str = ".stsgrade-0123456789abcdef0123456789abcde0";
    const SHELLS: [&[&str]; 3] = [&["sh"], &["busybox", "sh"], &["bash", "--posix"]];

    fn run(
        shell: &[&str],
        path: Option<&str>,
        folder: &Path,
        canary: &str,
        first: &[&str],
    ) -> InspectOutput {
        let mut arguments = vec![WORD, "400", folder.to_str().unwrap(), "6", canary, "web-1/token"];
        let count = first.len().to_string();
        arguments.push(&count);
        arguments.extend(first);
        let line = script(INSPECT, arguments.into_iter().map(str::to_owned));
        let mut command = Command::new(which(shell[0]));
        command.args(&shell[1..]).args(&line[1..]);
        if let Some(path) = path {
            command.env("PATH", path);
        }
        let output = command.output().unwrap();
        parse(&output.stdout, WORD)
    }

    fn which(name: &str) -> String {
        ["/bin", "/usr/bin"]
            .iter()
            .map(|folder| format!("{folder}/{name}"))
            .find(|it| Path::new(it).exists())
            .unwrap_or_else(|| name.to_owned())
    }

    fn hostile() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("sub/lost+found")).unwrap();
        fs::create_dir_all(at("lost+found/x")).unwrap();
        fs::write(at("lost+found/x/y"), "not theirs").unwrap();
        fs::write(at("id"), "web-1\n").unwrap();
        fs::write(at("no newline"), "grün\\n \t*").unwrap();
        fs::write(at("two\nlines : $(id) `id` *"), "\n\na\n\n").unwrap();
        fs::write(at(".hidden"), "h").unwrap();
        fs::write(at("-n"), "-n").unwrap();
        fs::write(at("empty"), "").unwrap();
        fs::write(at("binary"), b"\0\xff\xfe").unwrap();
        fs::write(at("large"), "x".repeat(20_000)).unwrap();
        fs::write(at("sub/lost+found/deep"), "deep").unwrap();
        unix::fs::symlink("/etc/passwd", at("link")).unwrap();
        unix::fs::symlink("..", at("sub/up")).unwrap();
        assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        folder
    }

    fn found<'a>(told: &'a InspectOutput, path: &str) -> &'a File {
        told.mounts[0]
            .files
            .iter()
            .find(|it| it.path == path)
            .unwrap_or_else(|| panic!("{path} is not in {told:?}"))
    }

    #[test]
    fn every_shell_tells_the_same() {
        for shell in SHELLS {
            let folder = hostile();
            let told = run(shell, None, folder.path(), "", &["sub/lost+found/deep", "gone"]);
            assert!(told.whole, "{shell:?}");
            assert_eq!(told.mounts[0].files[0].path, "sub/lost+found/deep", "{shell:?}");
            let mut names: Vec<&str> =
                told.mounts[0].files.iter().map(|it| it.path.as_str()).collect();
            names.sort_unstable();
            let expected = [
                "-n",
                ".hidden",
                "binary",
                "empty",
                "id",
                "large",
                "no newline",
                "sub/lost+found/deep",
                "two\nlines : $(id) `id` *",
            ];
            assert_eq!(names, expected, "{shell:?}");
            assert_eq!(found(&told, "id").content.as_deref(), Some("web-1\n"));
            assert_eq!(found(&told, "no newline").content.as_deref(), Some("grün\\n \t*"));
            assert_eq!(
                found(&told, "two\nlines : $(id) `id` *").content.as_deref(),
                Some("\n\na\n\n")
            );
            assert_eq!(found(&told, "empty").content.as_deref(), Some(""));
            assert_eq!(found(&told, "binary").without.as_deref(), Some("binary"));
            assert!(found(&told, "id").mtime.is_some());
            let large = found(&told, "large");
            assert_eq!(
                (large.size, large.cut, large.content.as_ref().map(String::len)),
                (20_000, true, Some(KEPT))
            );
            assert_eq!(told.mounts[0].left_out, 0);
        }
    }

    #[test]
    fn a_shell_alone_is_enough() {
        let nothing = tempfile::tempdir().unwrap();
        for shell in [&["dash"][..], &["bash", "--posix"]] {
            let folder = hostile();
            let told = run(shell, nothing.path().to_str(), folder.path(), NAME, &["id"]);
            assert!(told.whole, "{shell:?}");
            assert_eq!(found(&told, "no newline").content.as_deref(), Some("grün\\n \t*"));
            assert_eq!(
                found(&told, "two\nlines : $(id) `id` *").content.as_deref(),
                Some("\n\na\n\n")
            );
            assert_eq!(
                found(&told, "large").content.as_ref().map(String::len),
                Some(KEPT),
                "{shell:?}"
            );
            assert_eq!(told.mounts[0].files.len(), 9);
            assert_eq!(told.mounts[0].written, Some(Ok(NAME.to_owned())));
        }
    }

    #[test]
    fn canaries_are_written_and_found() {
        for shell in SHELLS {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(".stsgrade-notes"), "a student's").unwrap();
            assert_eq!(
                run(shell, None, folder.path(), NAME, &[]).mounts[0].written,
                Some(Ok(NAME.to_owned()))
            );
            let again = run(shell, None, folder.path(), "", &[]);
            let seen: Vec<_> = again.mounts[0]
                .canaries
                .iter()
                .map(|it| (it.file.as_str(), it.token.as_str()))
                .collect();
            assert_eq!(seen, [(NAME, "web-1/token")], "{shell:?}");
            assert_eq!(
                again.mounts[0].files.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(),
                [".stsgrade-notes"]
            );
        }
    }

    #[test]
    fn the_containers_clocks_are_told() {
        for shell in SHELLS {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("id"), "web-1\n").unwrap();
            let told = run(shell, None, folder.path(), NAME, &[]);
            let (mount, age) =
                (&told.mounts[0], i64::try_from(told.age.unwrap().as_nanos()).unwrap());
            let (path, written) = mount.times.first().unwrap();
            // The first process here is this machine's.
            let after = written - mount.started.unwrap();
            assert!(
                path == "id" && (age - after).abs() < 10_000_000_000,
                "{shell:?}: {after} of {age}"
            );
            assert_eq!(
                run(shell, None, folder.path(), "", &[]).mounts[0].started,
                None,
                "without a canary nobody knows the claim's clock"
            );
        }
    }

    #[test]
    fn times_are_read_exactly() {
        assert_eq!(nanoseconds(1_700_000_000, "943810896"), Some(1_700_000_000_943_810_896));
        assert_eq!(nanoseconds(1, "5"), Some(1_500_000_000));
        for bad in ["", "x", "-1", "1 2"] {
            assert_eq!(nanoseconds(1, bad), None, "{bad:?}");
        }
        let hostile =
            "7 (a) S (b c) R 1 7 7 0 -1 4194560 803 66 0 0 0 0 0 0 20 0 1 0 1408444 2322432 384";
        assert_eq!(started(hostile), Some(Duration::from_millis(14_084_440)));
        assert_eq!(started("7 (a) S 1"), None);
    }

    #[test]
    fn many_files_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        for i in 0..550 {
            fs::write(folder.path().join(format!("{i:03}")), "x").unwrap();
        }
        let told = run(&["sh"], None, folder.path(), "", &["549"]);
        assert_eq!(told.mounts[0].files.len(), 500);
        assert_eq!(told.mounts[0].files.iter().filter(|it| it.content.is_some()).count(), 400);
        assert_eq!(told.mounts[0].files[0].content.as_deref(), Some("x"));
        assert_eq!(told.mounts[0].left_out, 50 + 100);
    }

    fn search(shell: &[&str], folder: &Path, words: &[&str]) -> InspectOutput {
        let words: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
        let arguments = [WORD.to_owned(), pattern(&words), folder.to_str().unwrap().to_owned()];
        let line = script(SEARCH, arguments);
        let mut command = Command::new(which(shell[0]));
        let output = command.args(&shell[1..]).args(&line[1..]).output().unwrap();
        parse(&output.stdout, WORD)
    }

    #[test]
    fn a_search_finds_what_no_bound_lets_be_read() {
        let folder = tempfile::tempdir().unwrap();
        for i in 0..550 {
            fs::write(folder.path().join(format!("{i:03}")), format!("web-1{i} or my web-2"))
                .unwrap();
        }
        fs::write(folder.path().join("zz newest"), "written by web-1\n").unwrap();
        let noise: Vec<u8> =
            (0..600_u32).map(|it| u8::try_from(it * 7919 % 256).unwrap()).collect();
        let bytes = [&noise[..300], b"\0web-1\n", &noise[300..]].concat();
        fs::write(folder.path().join("zz binary"), &bytes).unwrap();
        unix::fs::symlink("zz binary", folder.path().join("zz link")).unwrap();
        fs::write(folder.path().join(NAME), "web-1 token").unwrap();
        for shell in SHELLS {
            let mut told = run(shell, None, folder.path(), "", &[]);
            assert!(
                told.mounts[0].hides_something() && !told.mounts[0].names(&["web-1 ".to_owned()])
            );
            let mut found = search(shell, folder.path(), &["web-1"]);
            assert!(found.whole && found.mounts[0].searched, "{shell:?}");
            told.mounts[0].add_found(found.mounts.remove(0), &["web-1".to_owned()]);
            let files: Vec<_> =
                told.mounts[0].files.iter().filter(|it| !it.holds.is_empty()).collect();
            let held: Vec<_> = files.iter().map(|it| (it.path.as_str(), it.size)).collect();
            assert_eq!(held, [("zz binary", 607), ("zz newest", 17)], "{shell:?}");
            assert_eq!(
                (files[0].blocks.len(), files[0].without.as_deref()),
                (10 * 8, Some("binary"))
            );
            assert_eq!(files[1].content.as_deref(), Some("written by web-1\n"));
            assert_eq!(
                told.mounts[0].files[0].path, "zz binary",
                "what was found is read first at the next look"
            );
        }
    }

    #[test]
    fn a_search_leaves_alone_what_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Command::new("mkfifo").arg(folder.path().join("fifo")).status().unwrap().success());
        for shell in SHELLS {
            let found = search(shell, folder.path(), &["web-1", "d2ViLTE+/=", "10.0.0.1"]);
            assert!(
                found.whole && found.mounts[0].searched && found.mounts[0].files.is_empty(),
                "{shell:?}"
            );
        }
    }

    #[test]
    fn folders_that_hold_nothing_are_told() {
        for shell in SHELLS {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join("web-1")).unwrap();
            fs::create_dir_all(folder.path().join("a/b c")).unwrap();
            fs::create_dir_all(folder.path().join("full")).unwrap();
            fs::write(folder.path().join("full/x"), "x").unwrap();
            let told = run(shell, None, folder.path(), NAME, &[]);
            assert_eq!(told.mounts[0].folders, ["a/b c", "web-1"], "{shell:?}");
        }
    }

    #[test]
    fn a_copy_of_a_canary_has_another_mark() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for shell in SHELLS {
            let own = run(shell, None, one.path(), NAME, &[]).mounts[0].marks[NAME].clone();
            assert_eq!(
                run(shell, None, one.path(), "", &[]).mounts[0].marks[NAME],
                own,
                "{shell:?}"
            );
            fs::copy(one.path().join(NAME), other.path().join(NAME)).unwrap();
            assert_ne!(
                run(shell, None, other.path(), "", &[]).mounts[0].marks[NAME],
                own,
                "{shell:?}"
            );
        }
    }

    #[test]
    fn the_oldest_and_the_smallest_files_are_read_first() {
        for shell in SHELLS {
            let folder = tempfile::tempdir().unwrap();
            let write = |name: &str, size: usize, age: u64| {
                let file = fs::File::create(folder.path().join(name)).unwrap();
                file.set_len(0).unwrap();
                fs::write(folder.path().join(name), "x".repeat(size)).unwrap();
                file.set_modified(std::time::SystemTime::now() - Duration::from_secs(age)).unwrap();
            };
            for i in 1..10 {
                write(&format!("access-{i}.log"), 65_536, 100);
            }
            write("zy oldest", 65_536, 200);
            write("zz smallest and newest", 7, 0);
            let told = run(shell, None, folder.path(), "", &[]);
            for name in ["zy oldest", "zz smallest and newest"] {
                assert!(found(&told, name).content.is_some(), "{shell:?} {name}");
            }
            assert_eq!((told.mounts[0].files.len(), told.mounts[0].left_out), (11, 2), "{shell:?}");
        }
        // Without any tool, the shell itself tells which is older.
        let nothing = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("zz"), "web-1").unwrap();
        let past = std::time::SystemTime::now() - Duration::from_secs(100);
        fs::File::options()
            .append(true)
            .open(folder.path().join("zz"))
            .unwrap()
            .set_modified(past)
            .unwrap();
        for i in 1..10 {
            fs::write(folder.path().join(format!("access-{i}.log")), "x".repeat(65_536)).unwrap();
        }
        for shell in [&["dash"][..], &["bash", "--posix"]] {
            let told = run(shell, nothing.path().to_str(), folder.path(), "", &[]);
            assert_eq!(
                told.mounts[0].files.first().map(|it| it.path.as_str()),
                Some("zz"),
                "{shell:?}"
            );
            assert_eq!(found(&told, "zz").content.as_deref(), Some("web-1"), "{shell:?}");
        }
    }

    #[test]
    fn what_one_container_may_not_look_at_another_may() {
        let mount = |records: &str| {
            let output = records.replace('@', WORD).into_bytes();
            parse(&output, WORD).mounts.remove(0)
        };
        let mut told = mount(
            "@:mount:0@:file:log@:size:2@:body:hi@:closed:private@:unwritten:Permission \
            denied@:listed:1",
        );
        assert!(told.is_barred() && told.left_out == 1);
        told.add(mount(&format!(
            "@:mount:0@:wrote:{NAME}@:file:log@:without:unreadable@:file:private/id@:size:5@:body:web-1@:canary:{NAME}@:token:t@:listed:2"
        )));
        let files: Vec<_> =
            told.files.iter().map(|it| (it.path.as_str(), it.content.as_deref())).collect();
        assert_eq!(files, [("log", Some("hi")), ("private/id", Some("web-1"))]);
        assert!(!told.is_barred() && told.left_out == 0);
        assert_eq!((told.written, told.canaries.len()), (Some(Ok(NAME.to_owned())), 1));
        // Nothing at all from the first, and nothing more from the second.
        let mut closed = mount("@:mount:0@:error:the folder may not be read");
        closed.add(mount("@:mount:0@:error:the folder may not be read"));
        assert!(closed.is_barred());
        closed.add(mount("@:mount:0@:file:id@:size:5@:body:web-1@:listed:1"));
        assert_eq!((closed.is_barred(), closed.files.len()), (false, 1));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let told = run(&["sh"], None, Path::new("/nowhere"), NAME, &[]);
        assert_eq!(told.mounts[0].error.as_deref(), Some("the mount is not a folder"));
        assert!(matches!(&told.mounts[0].written, Some(Err(_))));
        assert_eq!(
            plain("sh: 3: cannot create /data/x: Read-only file system"),
            "read-only file system"
        );
    }

    #[test]
    fn an_output_that_was_cut_is_not_whole() {
        assert!(!parse(b"0123456789abcdef0123456789abcdef:mount:0", WORD).whole);
    }
}
