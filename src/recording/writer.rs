//! Writing a recording, line by line, while a grade runs.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use checks::model::{Fact, Observation};
use sha2::{Digest, Sha256};

use crate::recording::{Header, MAX_RECORDING_BYTES, digest_text};

/// The file for the recording could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot create the recording {}: {source}", path.display())]
pub struct CreateError {
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Appends observations to a recording.
///
/// A write that fails (a full disk) must not end a grade that is changing a cluster: it is
/// remembered, nothing more is written, and [`Writer::trouble`] tells.
pub struct Writer {
    out: Box<dyn Write + Send>,
    path: Option<PathBuf>,
    line: Vec<u8>,
    /// How many bytes more it may have.
    pub(super) room: u64,
    hash: Sha256,
    ended: bool,
    trouble: Option<io::Error>,
}

impl Writer {
    /// Creates (or empties) the file, readable by its owner only, and writes the header.
    ///
    /// # Errors
    /// The file, or the directory that it is to be in, cannot be created or written.
    pub fn create(path: &Path, header: &Header) -> Result<Self, CreateError> {
        let fail = |source| CreateError { path: path.to_owned(), source };
        let file = private_file(path).map_err(fail)?;
        let mut writer = Self::to(Box::new(BufWriter::with_capacity(64 * 1024, file)), header);
        writer.path = Some(path.to_owned());
        writer.flush();
        match writer.trouble.take() {
            None => Ok(writer),
            Some(source) => Err(fail(source)),
        }
    }

    /// Keeps nothing but the digest: for tests, and where no file is wanted.
    #[must_use]
    pub fn sink(header: &Header) -> Self {
        Self::to(Box::new(io::sink()), header)
    }

    /// Writes to anything.
    #[must_use]
    pub fn to(out: Box<dyn Write + Send>, header: &Header) -> Self {
        let mut writer = Self {
            out,
            path: None,
            line: Vec::with_capacity(4096),
            room: MAX_RECORDING_BYTES,
            hash: Sha256::new(),
            ended: false,
            trouble: None,
        };
        writer.line_of(header);
        writer
    }

    /// Appends one observation, which is handed to the file when this returns: whoever kills the
    /// grader loses no evidence, and whoever reads along sees it.
    pub fn push(&mut self, observation: &Observation) {
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
                    self.out.write_all(&self.line).and_then(|()| self.out.flush())
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
/// There is no home directory, no such folder, or no recording in it.
pub fn recordings() -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<(SystemTime, PathBuf)> = vec![];
    for entry in fs::read_dir(state_folder()?)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|it| it == "jsonl") {
            found.push((entry.metadata()?.modified()?, path));
        }
    }
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "none was made yet"));
    }
    found.sort();
    Ok(found.into_iter().rev().map(|(_, path)| path).collect())
}

fn private_file(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        fs::create_dir_all(directory)?;
    }
    let mut options = OpenOptions::new();
    // It is emptied last: what cannot be made the owner's own stays as it is.
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    // A device or a pipe has neither a mode of ours nor a length.
    if file.metadata()?.is_file() {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        file.set_len(0)?;
    }
    Ok(file)
}
