//! The files that a run reads and writes: none that it reads is written over.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{cluster::Failure, console::sanitize::sanitize};

/// The files of one run, as they were named.
#[derive(Default)]
pub(super) struct RunFiles {
    /// What it reads: files, and folders of manifests.
    pub(super) read: Vec<PathBuf>,
    /// What it writes.
    pub(super) written: Vec<PathBuf>,
}

impl RunFiles {
    /// # Errors
    /// A file to write is one that is read, or is to be written twice, by whatever names.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let mut seen: Vec<(PathBuf, &Path)> = vec![];
        for path in self.written.iter().filter(|it| !is_device(it)) {
            let written = resolved(path);
            if let Some(read) = self.read.iter().find(|it| would_read(it, &written)) {
                let what = format!("{} would be written over, which is read", printable(path));
                let next = format!("Name another file to write than {}.", printable(read));
                return Err(Failure::new("report_file", what, next));
            }
            if let Some((_, other)) = seen.iter().find(|(it, _)| *it == written) {
                let what = format!("{} and {} are one file", printable(other), printable(path));
                return Err(Failure::new("report_file", what, "Name a file of its own for each."));
            }
            seen.push((written, path));
        }
        Ok(())
    }
}

/// Whether two paths lead to one place.
pub(super) fn is_one_place(one: &Path, other: &Path) -> bool {
    resolved(one) == resolved(other)
}

/// Whether a file is one that was named to be read, or would be taken for a manifest of such a
/// folder.
fn would_read(named: &Path, written: &Path) -> bool {
    let read = resolved(named);
    let is_manifest = || {
        let extension = written.extension().and_then(|it| it.to_str()).unwrap_or_default();
        ["yaml", "yml", "json"].contains(&extension)
    };
    read == written || read.is_dir() && written.starts_with(&read) && is_manifest()
}

/// Where a path leads, links followed; the file itself need not be there.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (fs::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// What stands for a stream of this process, even where that goes to a file.
const STREAMS: [&str; 5] = ["/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"];

/// Whether what is written to a path cannot be read again by that name: a device, a pipe, and what
/// stands for standard output.
pub(super) fn is_stream(path: &Path) -> bool {
    is_device(path) || STREAMS.iter().any(|it| path.starts_with(it))
}

/// Whether a path is there and no file of a disk: a terminal, a pipe, `/dev/null`.
fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| !it.is_file() && !it.is_dir())
}

fn printable(path: &Path) -> String {
    sanitize(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::{RunFiles, is_stream};

    /// Catches a submission, a recording or a rubric that a report takes the place of, by whatever
    /// name, and two reports in one file.
    #[test]
    fn nothing_that_is_read_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("lab")).unwrap();
        for name in ["lab/set.yaml", "recording.jsonl"] {
            fs::write(at(name), "x").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("recording.jsonl"), at("link")).unwrap();
        let is_taken = |read: &[&str], written: &[&str]| {
            let all = |names: &[&str]| names.iter().map(|it| at(it)).collect::<Vec<PathBuf>>();
            RunFiles { read: all(read), written: all(written) }.check().is_ok()
        };
        assert!(is_taken(&["recording.jsonl"], &["report.json", "lab/report.txt"]));
        assert!(is_taken(&["lab"], &["report.json", "lab/report.txt"]));
        assert!(!is_taken(&["recording.jsonl"], &["recording.jsonl"]));
        assert!(!is_taken(&["recording.jsonl"], &["lab/../recording.jsonl"]));
        #[cfg(unix)]
        assert!(!is_taken(&["recording.jsonl"], &["link"]));
        assert!(!is_taken(&["lab"], &["lab/set.yaml"]));
        assert!(!is_taken(&["lab"], &["lab/report.json"]), "it would be read as a manifest");
        assert!(!is_taken(&[], &["report.json", "lab/../report.json"]));
        let null = || PathBuf::from("/dev/null");
        let nowhere = RunFiles { read: vec![null()], written: vec![null(), null()] };
        assert!(nowhere.check().is_ok());
    }

    /// Catches a next command that names what cannot be read again.
    #[cfg(unix)]
    #[test]
    fn standard_output_is_no_file_to_judge() {
        for stream in ["/dev/stdout", "/dev/null", "/proc/self/fd/1"] {
            assert!(is_stream(Path::new(stream)), "{stream}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.jsonl");
        assert!(!is_stream(&file), "it is not there yet");
        fs::write(&file, "x").unwrap();
        assert!(!is_stream(&file));
    }
}
