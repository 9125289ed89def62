//! What a batch leaves in its folder so that another process can go on, or clean up.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    batch::results::{RUN, RUN_FORMAT},
    cluster::{Failure, isolation},
    console::{names::and_more, sanitize::sanitize},
    report::{UNFINISHED, replace_private},
};

/// The file that a process holds while it works in the folder.
const LOCK: &str = ".lock";

/// So many names are shown of what a folder holds.
const MAX_SHOWN: usize = 5;

/// Which run the folder belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunRecord {
    format: String,
    version: u32,
    /// The id that the run's namespaces carry.
    pub(super) run: String,
}

/// The folder of results. No other process works in it while this lives.
pub(super) struct RunFolder {
    pub(super) path: PathBuf,
    pub(super) record: RunRecord,
    _lock: File,
}

impl RunFolder {
    /// Makes the folder, or goes on in one that stands.
    ///
    /// # Errors
    /// It cannot be made or written, it holds something else, or another process works in it.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let shown = sanitize(&path.display().to_string());
        let unusable = |why: &dyn std::fmt::Display| {
            Failure::new(
                "batch_folder",
                format!("the folder {shown} cannot be used: {why}"),
                "Name another folder by `-o DIR`.",
            )
        };
        fs::create_dir_all(path).map_err(|it| unusable(&it))?;
        if !Self::holds_run(path) {
            let others = others_in(path).map_err(|it| unusable(&it))?;
            if !others.is_empty() {
                let first = &others[..others.len().min(MAX_SHOWN)];
                let others = sanitize(&and_more(first, others.len()));
                return Err(unusable(&format!("it holds {others}, and no run of stsgrade")));
            }
        }
        let lock = open_lock(path).map_err(|it| unusable(&format!("{LOCK}: {it}")))?;
        if lock.try_lock().is_err() {
            return Err(Failure::new(
                "batch_folder",
                format!("another stsgrade works in the folder {shown}"),
                "Wait until it has ended, or name another folder by `-o DIR`.",
            ));
        }
        let file = path.join(RUN);
        let record = match fs::read(&file) {
            Ok(bytes) => {
                read(&bytes).ok_or_else(|| unusable(&"its run.json is of another tool"))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let record = RunRecord {
                    format: RUN_FORMAT.to_owned(),
                    version: 1,
                    run: isolation::new_run()?,
                };
                write(path, &file, &record).map_err(|it| unusable(&it))?;
                record
            }
            Err(error) => return Err(unusable(&error)),
        };
        Ok(Self { path: path.to_owned(), record, _lock: lock })
    }

    /// Whether a folder holds a run.
    pub(super) fn holds_run(path: &Path) -> bool {
        path.join(RUN).is_file()
    }
}

/// Opens the file that a process holds, as it is. A link that somebody has put there is not followed.
fn open_lock(folder: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NOFOLLOW.bits().cast_signed(),
    );
    options.open(folder.join(LOCK))
}

/// The names of what a folder without a run holds, which a run might write over. What a process
/// leaves that is killed before it has written its record is not among them.
fn others_in(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = vec![];
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|it| it != LOCK && !it.starts_with(UNFINISHED));
    names.sort();
    Ok(names)
}

/// The record, unless its run could select others' namespaces.
fn read(bytes: &[u8]) -> Option<RunRecord> {
    let record: RunRecord = serde_json::from_slice(bytes).ok()?;
    let is_id = record.run.len() == 6 && record.run.bytes().all(|it| it.is_ascii_alphanumeric());
    (record.format == RUN_FORMAT && record.version == 1 && is_id).then_some(record)
}

/// Writes it whole: the id must be on disk before a namespace carries it.
fn write(folder: &Path, file: &Path, record: &RunRecord) -> std::io::Result<()> {
    replace_private(file, &serde_json::to_vec(record)?)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{RUN, RunFolder};

    /// Catches a second process in the folder, a run that gets another id when it is resumed, and
    /// an id that selects the namespaces of others.
    #[test]
    fn a_folder_has_one_run_and_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results");
        let first = RunFolder::open(&path).unwrap();
        assert!(RunFolder::open(&path).is_err_and(|it| it.what.contains("another stsgrade")));
        let run = first.record.run.clone();
        drop(first);
        assert_eq!(RunFolder::open(&path).unwrap().record.run, run);
        for run in ["", "a,b=c1", "abcdefg"] {
            let text = format!(r#"{{"format": "stsgrade-batch", "version": 1, "run": "{run}"}}"#);
            fs::write(path.join(RUN), text).unwrap();
            assert!(RunFolder::open(&path).is_err(), "{run}");
        }
    }

    /// Catches files of somebody's own that a run writes over, and a file that is emptied through a
    /// link.
    #[test]
    fn a_folder_of_something_else_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("course");
        fs::create_dir(&path).unwrap();
        for name in ["gradebook.csv", "index.html"] {
            fs::write(path.join(name), "mine").unwrap();
        }
        let Err(refused) = RunFolder::open(&path) else { panic!("it was taken") };
        let why = "it holds gradebook.csv, index.html, and no run of stsgrade";
        assert!(refused.what.contains(why), "{}", refused.what);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);

        let unfinished = folder.path().join("killed");
        fs::create_dir(&unfinished).unwrap();
        for name in [".lock", ".stsgrade-report-abc"] {
            fs::write(unfinished.join(name), "").unwrap();
        }
        assert!(RunFolder::open(&unfinished).is_ok());
        #[cfg(unix)]
        {
            let (linked, victim) = (folder.path().join("linked"), path.join("index.html"));
            fs::create_dir(&linked).unwrap();
            std::os::unix::fs::symlink(&victim, linked.join(".lock")).unwrap();
            assert!(RunFolder::open(&linked).is_err_and(|it| it.what.contains(".lock: ")));
            assert_eq!(fs::read_to_string(victim).unwrap(), "mine");
        }
    }
}
