//! The files that `-f` names: each file itself, the manifests of a directory, the standard input.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{console::sanitize::sanitize, submission::SubmissionError};

/// What errors call the standard input.
pub(super) const STDIN: &str = "standard input";
/// No manifest that is taken is larger, in bytes.
pub(super) const MAX_FILE_BYTES: u64 = 1 << 20;
/// No directory of manifests holds more.
pub(super) const MAX_FILES: usize = 200;

/// One source of manifests that `-f` names.
pub(super) enum ManifestSource {
    /// `-`.
    Stdin,
    /// A file, wherever it was found.
    File(PathBuf),
}

impl ManifestSource {
    /// Its name, safe to show, and its bytes; of a file that is too large, one more than is taken.
    pub(super) fn read(self) -> Result<(String, Vec<u8>), SubmissionError> {
        let (file, input): (String, io::Result<Box<dyn Read>>) = match self {
            Self::Stdin => (STDIN.to_owned(), Ok(Box::new(io::stdin()))),
            Self::File(path) => (
                sanitize(&path.display().to_string()),
                File::open(&path).map(|it| Box::new(it) as Box<dyn Read>),
            ),
        };
        let mut bytes = vec![];
        let read = input.and_then(|it| it.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
        match read {
            Err(source) => Err(SubmissionError::Unreadable { file, source }),
            Ok(_) => Ok((file, bytes)),
        }
    }
}

/// The files that the names stand for, each directory's by name.
pub(super) fn files(names: &[PathBuf]) -> Result<Vec<ManifestSource>, SubmissionError> {
    let mut files = vec![];
    for name in names {
        let words = name.to_string_lossy();
        if words.starts_with("http://") || words.starts_with("https://") {
            return Err(SubmissionError::Url { url: sanitize(&words) });
        }
        if name == Path::new("-") {
            files.push(ManifestSource::Stdin);
        } else if name.is_dir() {
            files.extend(manifests_in(name)?.into_iter().map(ManifestSource::File));
        } else {
            files.push(ManifestSource::File(name.clone()));
        }
    }
    Ok(files)
}

/// A directory's own manifests, by name, as kubectl takes them.
fn manifests_in(directory: &Path) -> Result<Vec<PathBuf>, SubmissionError> {
    let shown = || sanitize(&directory.display().to_string());
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries =
        entries.map_err(|source| SubmissionError::Unreadable { file: shown(), source })?;
    let is_manifest = |path: &PathBuf| {
        path.is_file()
            && path.extension().is_some_and(|it| it == "yaml" || it == "yml" || it == "json")
    };
    let mut found: Vec<PathBuf> =
        entries.into_iter().map(|it| it.path()).filter(is_manifest).collect();
    found.sort();
    if found.is_empty() || found.len() > MAX_FILES {
        return Err(SubmissionError::Directory { directory: shown(), found: found.len() });
    }
    Ok(found)
}
