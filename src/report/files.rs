//! The files of a run's reports: from before the run on, each holds a whole document of its format.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::report::{Format, Identity, Problem, RunResult, View, render};

/// What the name of a file begins with that is not in its place yet.
pub const UNFINISHED: &str = ".stsgrade-report-";

/// A file that a report cannot be written to.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the report to {}: {source}", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// The report files of one run.
///
/// Reserved, they say that the run is not finished. Dropped before anything else was written to
/// them, they say that the tool crashed: that is what an unwinding panic does.
#[derive(Debug, Default)]
pub struct ReportFiles {
    files: Vec<(Format, PathBuf)>,
    identity: Identity,
    is_written: bool,
}

impl ReportFiles {
    /// Writes to each file that the run is not finished, so that one that cannot be written to is
    /// known before the run.
    ///
    /// # Errors
    /// When a file cannot be written to. Those before it say why there is no report in them.
    pub fn reserve(files: Vec<(Format, PathBuf)>, identity: Identity) -> Result<Self, WriteError> {
        let mut reserved = Self { files: vec![], identity, is_written: false };
        let pages = reserved.rendered(&files, &RunResult::NotGraded(&Problem::not_finished()));
        for ((format, path), page) in files.into_iter().zip(pages) {
            if let Err(source) = replace(&path, &page) {
                let what = "another report file cannot be written to, so nothing was graded";
                let next = "See what standard error says, and run it again.";
                let problem = Problem::new("report_file", what, next);
                // The first error is the one to tell.
                let _ = reserved.write(&reserved.pages(&RunResult::NotGraded(&problem)));
                return Err(WriteError { path, source });
            }
            reserved.files.push((format, path));
        }
        Ok(reserved)
    }

    /// The content of each file for that result, for [`ReportFiles::write`].
    #[must_use]
    pub fn pages(&self, result: &RunResult<'_>) -> Vec<Vec<u8>> {
        self.rendered(&self.files, result)
    }

    fn rendered(&self, files: &[(Format, PathBuf)], result: &RunResult<'_>) -> Vec<Vec<u8>> {
        let view = View { identity: &self.identity, ..View::plain(*result) };
        files.iter().map(|(format, _)| render(*format, &view)).collect()
    }

    /// Replaces each file by its page. All are tried, whatever fails.
    ///
    /// # Errors
    /// The first file that cannot be written to.
    pub fn write(&mut self, pages: &[Vec<u8>]) -> Result<(), WriteError> {
        self.is_written = true;
        let mut result = Ok(());
        for ((_, path), page) in self.files.iter().zip(pages) {
            let written =
                replace(path, page).map_err(|source| WriteError { path: path.clone(), source });
            result = result.and(written);
        }
        result
    }
}

impl Drop for ReportFiles {
    fn drop(&mut self) {
        if !self.is_written {
            // A panic is under way: there is nobody to tell of a file that cannot be written to.
            let _ = self.write(&self.pages(&RunResult::NotGraded(&Problem::crashed())));
        }
    }
}

/// Writes the file beside its place and moves it there, so that nobody reads half of it. It is on
/// disk when this returns.
///
/// # Errors
/// It cannot be written; then what was there stays.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with_mode(path, content, 0o666)
}

/// As [`replace`], for a file that only its owner may read.
///
/// # Errors
/// As there.
pub fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with_mode(path, content, 0o600)
}

/// `mode` is what the file's permissions may be, the umask aside; only Unix knows it.
#[cfg_attr(not(unix), expect(unused_variables))]
fn replace_with_mode(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // A device or a pipe is written to, never replaced; a link is followed.
    let path = match path.metadata() {
        Ok(it) if !it.is_file() => return fs::write(path, content),
        Ok(_) => path.canonicalize()?,
        Err(_) => path.to_owned(),
    };
    let folder =
        path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    // Its error names the folder, not a file that nobody knows.
    folder.metadata()?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    let mut file = builder.prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, panic};

    use super::ReportFiles;
    use crate::report::{Format, Identity};

    /// Catches a crash that leaves a file which says for ever that the run is not finished.
    #[test]
    fn a_panic_is_told_in_the_file() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("report.json");
        let files =
            ReportFiles::reserve(vec![(Format::Json, path.clone())], Identity::default()).unwrap();
        let crashed = panic::catch_unwind(move || {
            let _files = files;
            panic!("for the test");
        });
        assert!(crashed.is_err());
        let told = fs::read_to_string(path).unwrap();
        assert!(told.contains("\"id\": \"crashed\""), "{told}");
    }
}
