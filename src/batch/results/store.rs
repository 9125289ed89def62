//! The results of a batch, as they are on disk.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::{batch::results::HandInResult, report::replace_private};

/// The file in the folder of results.
const RESULTS: &str = "results.jsonl";
/// The file beside it with the lines of it that cannot be read.
const DAMAGED: &str = "results.damaged.jsonl";

/// The results of a batch, as they are on disk.
#[derive(Debug)]
pub struct ResultStore {
    file: File,
    path: PathBuf,
    results: BTreeMap<String, HandInResult>,
    damaged: usize,
}

/// What the file holds.
#[derive(Default)]
struct Lines {
    results: BTreeMap<String, HandInResult>,
    /// Whole lines that cannot be read.
    damaged: Vec<Vec<u8>>,
}

impl Lines {
    /// Of a hand-in with several lines, the last counts. What follows the last line break is half a
    /// line, of a process that was killed or found no room, unless it can be read.
    fn read(folder: &Path) -> io::Result<Self> {
        let bytes = match fs::read(folder.join(RESULTS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            bytes => bytes?,
        };
        let mut lines = Self::default();
        for line in bytes.split_inclusive(|it| *it == b'\n') {
            match serde_json::from_slice::<HandInResult>(line) {
                Ok(result) => {
                    lines.results.insert(result.id.clone(), result);
                }
                Err(_) if line.ends_with(b"\n") && !line.trim_ascii().is_empty() => {
                    lines.damaged.push(line.to_vec());
                }
                Err(_) => {}
            }
        }
        Ok(lines)
    }
}

impl ResultStore {
    /// Reads what a folder holds; of a hand-in with several lines, the last. Lines that cannot be
    /// read are moved to a file beside it.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let Lines { results, damaged } = Lines::read(folder)?;
        if !damaged.is_empty() {
            let beside = OpenOptions::new().append(true).create(true).open(folder.join(DAMAGED));
            let mut beside = beside?;
            beside.write_all(&damaged.concat())?;
            beside.sync_all()?;
        }
        let path = folder.join(RESULTS);
        let file = write_whole(&path, &results)?;
        Ok(Self { file, path, results, damaged: damaged.len() })
    }

    /// The results in a folder, which stays as it is.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn peek(folder: &Path) -> io::Result<Vec<HandInResult>> {
        Ok(Lines::read(folder)?.results.into_values().collect())
    }

    /// How many lines could not be read, and the file in which they are now, where there were any.
    #[must_use]
    pub fn damaged_lines(&self) -> Option<(usize, PathBuf)> {
        (self.damaged > 0).then(|| (self.damaged, self.path.with_file_name(DAMAGED)))
    }

    /// All results, those of hand-ins that are gone, too.
    pub fn results(&self) -> impl Iterator<Item = &HandInResult> {
        self.results.values()
    }

    /// The results that count: of hand-ins that are there.
    #[must_use]
    pub fn counting(&self) -> Vec<HandInResult> {
        self.results.values().filter(|it| !it.is_gone).cloned().collect()
    }

    /// What a hand-in came to, if it counts.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&HandInResult> {
        self.results.get(id)
    }

    /// Counts a result: it is on disk when this returns.
    ///
    /// # Errors
    /// It cannot be written; then the file is as before, as far as that can be had.
    pub fn add(&mut self, result: &HandInResult) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        let line = line(result)?;
        if let Err(error) = self.file.write_all(&line).and_then(|()| self.file.sync_data()) {
            // The next result must not become a part of half a line.
            let _ = self.file.set_len(before);
            return Err(error);
        }
        self.results.insert(result.id.clone(), result.clone());
        Ok(())
    }

    /// Puts these in the place of those with their ids, all at once.
    ///
    /// # Errors
    /// They cannot be written; then the file is as before.
    pub fn replace(&mut self, results: Vec<HandInResult>) -> io::Result<()> {
        if results.is_empty() {
            return Ok(());
        }
        self.results.extend(results.into_iter().map(|it| (it.id.clone(), it)));
        self.compact()
    }

    /// Rewrites the file with one line for each hand-in: the newest result.
    ///
    /// # Errors
    /// It cannot be written; then it is as before.
    pub fn compact(&mut self) -> io::Result<()> {
        self.file = write_whole(&self.path, &self.results)?;
        Ok(())
    }
}

fn line(result: &HandInResult) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(result)?;
    line.push(b'\n');
    Ok(line)
}

/// Replaces the file by one with these results; it is open for more.
fn write_whole(path: &Path, results: &BTreeMap<String, HandInResult>) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut lines = vec![];
    for result in results.values() {
        lines.extend(line(result)?);
    }
    replace_private(path, &lines)?;
    File::open(folder)?.sync_all()?;
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::{DAMAGED, HandInResult, RESULTS, ResultStore};
    use crate::{batch::results::ResultState, report::Points};

    fn result(id: &str, points: u32) -> HandInResult {
        HandInResult {
            id: id.to_owned(),
            state: ResultState::Graded,
            letters: "PPPPPPPPPF".to_owned(),
            points: Points::whole(points),
            ..HandInResult::default()
        }
    }

    /// Catches a result that half a line costs, that of the hand-in after it, or an old one that
    /// comes back.
    #[test]
    fn what_counts_is_there_after_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = ResultStore::open(folder.path()).unwrap();
        store.add(&result("a", 90)).unwrap();
        store.add(&result("b", 80)).unwrap();
        store.add(&result("a", 100)).unwrap();
        drop(store);
        let path = folder.path().join(RESULTS);
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"id\": \"c\", \"na").unwrap();
        let mut store = ResultStore::open(folder.path()).unwrap();
        store.add(&result("d", 70)).unwrap();
        let store = ResultStore::open(folder.path()).unwrap();
        let points: Vec<(&str, Points)> =
            store.results().map(|it| (it.id.as_str(), it.points)).collect();
        let expected = [("a", 100), ("b", 80), ("d", 70)];
        assert_eq!(points, expected.map(|(id, points)| (id, Points::whole(points))));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }

    /// Catches a folder that cannot be used any more because a line was cut within a character, and
    /// a line that is deleted because this version cannot read it.
    #[test]
    fn what_cannot_be_read_costs_no_other_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(RESULTS);
        let [first, last] = ["a", "b"].map(|id| serde_json::to_string(&result(id, 90)).unwrap());
        let mut bytes = format!("{first}\n{{\"id\": 7}}\n{last}\n").into_bytes();
        bytes.extend(b"{\"id\": \"c\", \"name\": \"J\xc3");
        fs::write(&path, bytes).unwrap();
        let store = ResultStore::open(folder.path()).unwrap();
        assert_eq!(store.results().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(store.damaged_lines(), Some((1, folder.path().join(DAMAGED))));
        let beside = fs::read_to_string(folder.path().join(DAMAGED)).unwrap();
        assert_eq!(beside, "{\"id\": 7}\n");
        assert_eq!(ResultStore::open(folder.path()).unwrap().damaged_lines(), None);
        assert_eq!(fs::read_to_string(folder.path().join(DAMAGED)).unwrap(), beside);
    }
}
