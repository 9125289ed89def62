//! Writing a recording, line by line, while a grade runs.

use std::{
    env, fs,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use checks::model::{Fact, Observation, observation::Inquiry};
use sha2::{Digest, Sha256};

use crate::recording::{
    Header, MAX_RECORDING_BYTES, digest_text,
    file::{CreateError, RecordingFile, may_replace},
};

/// Appends observations to a recording.
///
/// A write that fails (a full disk) must not end a grade that is changing a cluster: it is
/// remembered, nothing more is written, and [`Writer::trouble`] tells.
pub struct Writer {
    out: Box<dyn Write + Send>,
    /// What stands in for `out` while the file keeps an earlier recording.
    held: Option<Held>,
    path: Option<PathBuf>,
    line: Vec<u8>,
    /// How many bytes more it may have.
    pub(super) room: u64,
    hash: Sha256,
    ended: bool,
    trouble: Option<io::Error>,
}

/// The lines of a run that may still prove to be impossible, and the file that they are for.
struct Held {
    file: RecordingFile,
    lines: Vec<u8>,
}

impl Writer {
    /// Creates (or empties) the file, readable by its owner only, and writes the header.
    ///
    /// # Errors
    /// The file, or the directory that it is to be in, cannot be created or written, or another
    /// stsgrade writes it.
    pub fn create(path: &Path, header: &Header) -> Result<Self, CreateError> {
        let file = RecordingFile::open(path)?;
        Self::created(Self::unwritten(Box::new(io::sink())).holding(file), path, header, true)
    }

    /// As [`Writer::create`]; but an earlier recording in the file stays as it is until the run
    /// that is recorded has begun: see [`Writer::replace_earlier`].
    ///
    /// # Errors
    /// As [`Writer::create`], and where the file holds something else than a recording.
    pub fn create_over_earlier(path: &Path, header: &Header) -> Result<Self, CreateError> {
        may_replace(path)?;
        let file = RecordingFile::open(path)?;
        let at_once = !file.holds_something();
        Self::created(Self::unwritten(Box::new(io::sink())).holding(file), path, header, at_once)
    }

    fn holding(mut self, file: RecordingFile) -> Self {
        self.held = Some(Held { file, lines: vec![] });
        self
    }

    /// Writes the header, to the file itself if `at_once`.
    fn created(mut self, path: &Path, header: &Header, at_once: bool) -> Result<Self, CreateError> {
        self.path = Some(path.to_owned());
        self.line_of(header);
        if at_once {
            self.replace_earlier();
        }
        match self.trouble.take() {
            None => Ok(self),
            Some(source) => Err(CreateError::Io { path: path.to_owned(), source }),
        }
    }

    /// Empties the file and writes what was held back: the run has begun. The first step, the
    /// subject, a refusal and the end do so, too.
    pub fn replace_earlier(&mut self) {
        let Some(Held { file, lines }) = self.held.take() else { return };
        let begun = file.emptied().and_then(|mut file: File| {
            file.write_all(&lines)?;
            self.out = Box::new(BufWriter::with_capacity(64 * 1024, file));
            Ok(())
        });
        self.keep_first_error(begun);
    }

    /// Keeps nothing but the digest: for tests, and where no file is wanted.
    #[must_use]
    pub fn sink(header: &Header) -> Self {
        Self::to(Box::new(io::sink()), header)
    }

    /// Writes to anything.
    #[must_use]
    pub fn to(out: Box<dyn Write + Send>, header: &Header) -> Self {
        let mut writer = Self::unwritten(out);
        writer.line_of(header);
        writer
    }

    fn unwritten(out: Box<dyn Write + Send>) -> Self {
        Self {
            out,
            held: None,
            path: None,
            line: Vec::with_capacity(4096),
            room: MAX_RECORDING_BYTES,
            hash: Sha256::new(),
            ended: false,
            trouble: None,
        }
    }

    /// Appends one observation, which is handed to the file when this returns: whoever kills the
    /// grader loses no evidence, and whoever reads along sees it.
    pub fn push(&mut self, observation: &Observation) {
        if is_of_a_run(&observation.what) {
            self.replace_earlier();
        }
        self.line_of(observation);
        self.ended |= matches!(observation.what, Fact::End(_));
    }

    /// Hands what is buffered to the file.
    pub fn flush(&mut self) {
        if self.trouble.is_none() {
            let flushed = self.out.flush();
            self.keep_first_error(flushed);
        }
    }

    /// `sha256:…` of the lines that are judged, up to the first that could not be written.
    #[must_use]
    pub fn digest(&self) -> String {
        digest_text(&self.hash.clone().finalize())
    }

    /// Where the recording is kept.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Why the recording is not complete, if a write failed.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let path = self
            .path
            .as_deref()
            .map_or_else(|| "the recording".to_owned(), |path| path.display().to_string());
        self.trouble.as_ref().map(|error| format!("{path} is not complete: {error}"))
    }

    fn line_of(&mut self, value: &impl serde::Serialize) {
        self.line.clear();
        let made = serde_json::to_writer(&mut self.line, value).map_err(io::Error::from);
        if made.is_err() {
            self.keep_first_error(made);
            return;
        }
        self.line.push(b'\n');
        if self.trouble.is_none() {
            let written = match self.room.checked_sub(self.line.len() as u64) {
                Some(room) => {
                    self.room = room;
                    match &mut self.held {
                        Some(held) => held.lines.write_all(&self.line),
                        None => self.out.write_all(&self.line).and_then(|()| self.out.flush()),
                    }
                }
                None => Err(io::Error::other(format!(
                    "it has reached {} MiB",
                    MAX_RECORDING_BYTES >> 20
                ))),
            };
            if written.is_ok() && !self.ended {
                self.hash.update(&self.line);
            }
            self.keep_first_error(written);
        }
    }

    fn keep_first_error(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.trouble.get_or_insert(error);
        }
    }
}

/// Whether a line tells that the run has begun, as opposed to what the watches list before.
const fn is_of_a_run(what: &Fact) -> bool {
    matches!(
        what,
        Fact::Subject(_)
            | Fact::Step(_)
            | Fact::Inquiry(Inquiry::ManifestRefused(_))
            | Fact::End(_)
    )
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Where this tool keeps what outlives a run: `${XDG_STATE_HOME:-~/.local/state}/stsgrade`.
///
/// # Errors
/// There is no home directory.
pub(crate) fn state_folder() -> io::Result<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".local/state")))
        .ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "neither XDG_STATE_HOME nor HOME is set")
        })?;
    Ok(state.join("stsgrade"))
}

/// A new file in the state directory, for a grade that was not told where to keep its recording.
///
/// `${XDG_STATE_HOME:-~/.local/state}/stsgrade/<time>-<namespace>-<random>.jsonl`
///
/// # Errors
/// There is no home directory, or no random number.
pub fn state_file(header: &Header) -> io::Result<PathBuf> {
    let state = state_folder()?;
    let mut random = [0; 3];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let keep = |text: &str| {
        text.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '-').collect::<String>()
    };
    let time = keep(&header.started_at).replace('-', "");
    let [a, b, c] = random;
    Ok(state.join(format!("{time}-{}-{a:02x}{b:02x}{c:02x}.jsonl", keep(&header.namespace))))
}

/// The recordings in the state folder, the newest first.
///
/// # Errors
/// There is no home directory, the folder cannot be read, or there is no recording in it.
pub fn recordings() -> io::Result<Vec<PathBuf>> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "none was made yet");
    let entries = match fs::read_dir(state_folder()?) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(none()),
        entries => entries?,
    };
    let mut found: Vec<(SystemTime, PathBuf)> = vec![];
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|it| it == "jsonl") {
            found.push((entry.metadata()?.modified()?, path));
        }
    }
    if found.is_empty() {
        return Err(none());
    }
    found.sort();
    Ok(found.into_iter().rev().map(|(_, path)| path).collect())
}
