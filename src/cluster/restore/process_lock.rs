//! Whether a grader of this machine still runs, so that nobody waits for one that was killed.
//!
//! Each grader holds a lock on a file of its own in the state folder, named by a random id that its
//! Lease carries too. The system lets the lock go when the process dies, however it dies. A forged
//! Lease gains nothing by it: it could as well say that it was last renewed long ago.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::cluster::exec::random_word;
use crate::recording::state_folder;

/// As long as this lives, the grader of that id is seen to live on this machine.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    id: String,
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl ProcessLock {
    /// Begins; `None` where no file can be locked, and only the Lease's time tells.
    pub(crate) fn begin() -> Option<Self> {
        Self::begin_in(&folder()?)
    }

    fn begin_in(folder: &Path) -> Option<Self> {
        let host = host()?;
        let id = random_word().ok()?;
        fs::create_dir_all(folder).ok()?;
        let path = folder.join(&id);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).ok()?;
        let locked = file.try_lock().is_ok() && file.write_all(host.as_bytes()).is_ok();
        let alive = Self { id, path, _file: file };
        locked.then_some(alive)
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for ProcessLock {
    fn drop(&mut self) {
        // A file that stays is small, and its lock is gone.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the grader of that id ran on this machine and surely does not any more.
pub(crate) fn is_dead(id: &str) -> bool {
    folder().is_some_and(|folder| is_dead_in(&folder, id))
}

fn is_dead_in(folder: &Path, id: &str) -> bool {
    // It comes from the cluster and becomes part of a path.
    if id.len() != 32 || !id.bytes().all(|it| it.is_ascii_hexdigit()) {
        return false;
    }
    let path = folder.join(id);
    // A home folder may be shared by machines that know nothing of each other's locks.
    let is_ours = fs::read_to_string(&path).is_ok_and(|it| Some(it) == host());
    is_ours && OpenOptions::new().write(true).open(&path).is_ok_and(|file| file.try_lock().is_ok())
}

/// Removes the file of a killed grade, once what it left is put back: nobody will ask for it again.
pub(crate) fn forget(id: &str) {
    if let Some(folder) = folder()
        && is_dead_in(&folder, id)
    {
        let _ = fs::remove_file(folder.join(id));
    }
}

/// The name of this machine; `None` where the system does not tell it.
#[cfg(unix)]
pub(crate) fn host() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Some(name).filter(|it| !it.is_empty())
}

/// The name of this machine; `None` where the system does not tell it.
#[cfg(not(unix))]
pub(crate) fn host() -> Option<String> {
    std::env::var("COMPUTERNAME").ok().filter(|it| !it.is_empty())
}

fn folder() -> Option<PathBuf> {
    state_folder().ok().map(|it| it.join("graders"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{ProcessLock, is_dead_in};

    /// Catches a grader that is taken for dead while it works, and one that never is.
    #[test]
    fn a_grader_lives_as_long_as_it_holds_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let alive = ProcessLock::begin_in(folder.path()).unwrap();
        let id = alive.id().to_owned();
        assert!(!is_dead_in(folder.path(), &id));
        drop(alive);
        assert!(!is_dead_in(folder.path(), &id), "it ended by itself");
        // What a process leaves that was killed: its file, unlocked.
        fs::write(folder.path().join(&id), super::host().unwrap()).unwrap();
        assert!(is_dead_in(folder.path(), &id));
        fs::write(folder.path().join(&id), "another machine").unwrap();
        assert!(!is_dead_in(folder.path(), &id));
    }

    #[test]
    fn an_id_is_no_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x"), super::host().unwrap()).unwrap();
        for id in ["x", "", "..", "../../../../etc/passwd/aaaaaaaaaaa"] {
            assert!(!is_dead_in(folder.path(), id), "{id}");
        }
    }
}
