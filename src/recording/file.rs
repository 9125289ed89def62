//! The file that a recording is written to: its owner's own, written by one stsgrade at a time.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use crate::recording::{ReadError, Reader};

/// The file for the recording could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The system does not let us.
    #[error("cannot create the recording {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else records to it.
    #[error("{} is being written by another stsgrade", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// It holds something that is no recording.
    #[error("{} holds no recording, and is not written over", path.display())]
    NoRecording {
        /// Which file.
        path: PathBuf,
    },
}

impl CreateError {
    /// What to do about it.
    #[must_use]
    pub const fn next(&self) -> &'static str {
        match self {
            Self::Io { .. } => "Name a file that can be written with `--save FILE`.",
            Self::InUse { .. } => {
                "Wait until that run has ended, or name another file with `--save FILE`."
            }
            Self::NoRecording { .. } => "Name a new file with `--save FILE`.",
        }
    }
}

/// Whether a recording may take the place of what is at a path: nothing, an empty file, another
/// recording, or no file at all (a device, a pipe).
///
/// # Errors
/// It is a file that holds something else.
pub fn may_replace(path: &Path) -> Result<(), CreateError> {
    if !fs::metadata(path).is_ok_and(|it| holds_something(&it)) {
        return Ok(());
    }
    match Reader::open(path) {
        Ok(_)
        | Err(ReadError::Newer { .. } | ReadError::Broken { .. } | ReadError::Empty { .. }) => {
            Ok(())
        }
        Err(ReadError::Open { source, .. } | ReadError::Read { source, .. }) => {
            Err(CreateError::Io { path: path.to_owned(), source })
        }
        Err(_) => Err(CreateError::NoRecording { path: path.to_owned() }),
    }
}

/// A file, open for writing; what it holds is still there.
pub(super) struct RecordingFile(File);

impl RecordingFile {
    /// Opens the file, readable by its owner only, and makes it where it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, CreateError> {
        let fail = |source| CreateError::Io { path: path.to_owned(), source };
        let file = private_file(path).map_err(fail)?;
        if !lock_unless_another_has(&file) {
            return Err(CreateError::InUse { path: path.to_owned() });
        }
        #[cfg(unix)]
        if is_plain(&file) {
            use std::os::unix::fs::PermissionsExt as _;
            file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(fail)?;
        }
        Ok(Self(file))
    }

    /// Whether there is something in it that would be lost.
    pub(super) fn holds_something(&self) -> bool {
        self.0.metadata().is_ok_and(|it| holds_something(&it))
    }

    /// The file, with nothing in it.
    pub(super) fn emptied(self) -> io::Result<File> {
        if is_plain(&self.0) {
            self.0.set_len(0)?;
        }
        Ok(self.0)
    }
}

/// Whether it is a file with something in it.
fn holds_something(metadata: &fs::Metadata) -> bool {
    metadata.is_file() && metadata.len() > 0
}

/// Whether it is a file. A device or a pipe has neither a mode of ours nor a length.
fn is_plain(file: &File) -> bool {
    file.metadata().is_ok_and(|it| it.is_file())
}

/// Locks the file for as long as it is open; false where another process has done so before. Where
/// files cannot be locked, nobody knows of the other one.
///
/// Only where a lock keeps nobody from reading along, which it does on Windows.
#[cfg(unix)]
fn lock_unless_another_has(file: &File) -> bool {
    !is_plain(file) || !matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock))
}

#[cfg(not(unix))]
const fn lock_unless_another_has(_: &File) -> bool {
    true
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
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use checks::model::{Fact, Observation, observation::Subject};

    use crate::recording::{AskedOptions, CreateError, Header, Writer};

    fn header(namespace: &str) -> Header {
        Header::now("v1.34.4", namespace, AskedOptions::default())
    }

    fn writer(path: &Path, namespace: &str) -> Result<Writer, CreateError> {
        Writer::create_over_earlier(path, &header(namespace))
    }

    fn observation(seq: u64, what: Fact) -> Observation {
        Observation { seq, at: seq, what }
    }

    /// Catches a recording that is lost to a run which never began.
    #[test]
    fn an_earlier_recording_stays_until_the_run_begins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("good.jsonl");
        drop(writer(&path, "earlier").unwrap());
        let earlier = fs::read_to_string(&path).unwrap();
        assert!(earlier.contains("\"namespace\":\"earlier\""), "{earlier}");
        let mut failed = writer(&path, "failed").unwrap();
        failed.push(&observation(1, Fact::Unknown));
        failed.flush();
        drop(failed);
        assert_eq!(fs::read_to_string(&path).unwrap(), earlier);
        let mut begun = writer(&path, "begun").unwrap();
        begun.push(&observation(1, Fact::Unknown));
        begun.push(&observation(2, Fact::Subject(Subject::default())));
        let now = fs::read_to_string(&path).unwrap();
        assert!(now.contains("\"namespace\":\"begun\"") && !now.contains("earlier"), "{now}");
        assert_eq!(now.lines().count(), 3, "what came before the subject is kept: {now}");
        drop(begun);
        writer(&path, "told").unwrap().replace_earlier();
        assert!(fs::read_to_string(&path).unwrap().contains("told"));
    }

    /// Catches a manifest, or anything else of the student's, that a recording takes the place of.
    #[test]
    fn only_a_recording_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.yaml");
        for other in ["kind: StatefulSet\n", "{\"format\":\"other\",\"version\":1}\n", "\0"] {
            fs::write(&path, other).unwrap();
            let error = writer(&path, "lab").err().unwrap();
            assert!(matches!(error, CreateError::NoRecording { .. }), "{error}");
            assert!(
                error.to_string().ends_with("lab.yaml holds no recording, and is not written over")
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), other);
        }
        fs::write(&path, "").unwrap();
        assert!(writer(&path, "lab").is_ok());
        fs::write(&path, "{\"format\":\"stsgrade-recording\",\"version\":99}\n").unwrap();
        assert!(writer(&path, "lab").is_ok(), "a newer version's recording");
    }

    /// Catches a running recording that a second one destroys.
    #[cfg(unix)]
    #[test]
    fn one_at_a_time_writes_a_recording() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared.jsonl");
        let first = writer(&path, "first").unwrap();
        let written = fs::read(&path).unwrap();
        for second in [writer(&path, "second"), Writer::create(&path, &header("second"))] {
            let error = second.err().unwrap();
            assert!(
                error.to_string().ends_with("shared.jsonl is being written by another stsgrade")
            );
        }
        assert_eq!(fs::read(&path).unwrap(), written);
        drop(first);
        assert!(writer(&path, "second").is_ok());
    }
}
