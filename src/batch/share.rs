//! What a worker of a batch gets, and what it sends back: as bytes, compressed.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::Path,
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};

use crate::{
    batch::{handin::HandIn, result_files, results::HandInResult},
    report::{Format, replace_private},
};

/// The file of a parcel that holds the result.
const RESULT: &str = "result.json";
/// A share or a parcel is not larger once it is decompressed, in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// The most workers that have something to do: each grades one hand-in at least, and one at once.
#[must_use]
pub fn most_workers(hand_ins: usize, jobs: usize) -> usize {
    hand_ins.min(jobs).max(1)
}

/// The hand-ins of one worker, and how to grade them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// What to grade.
    pub hand_ins: Vec<HandIn>,
    /// The most grades at once.
    pub jobs: usize,
    /// The longest that one grade may take, in seconds.
    pub budget_seconds: u64,
    /// Whether namespaces are at Pod Security level `restricted`.
    pub restricted: bool,
    /// `--probe-image`.
    pub probe_image: Option<String>,
    /// `--statefulset`.
    pub statefulset: Option<String>,
    /// The formats of each report.
    pub formats: Vec<Format>,
    /// The text of the rubric.
    pub rubric: Option<String>,
}

impl Share {
    /// As many shares as there are workers, or as [`most_workers`] if these are fewer. None is larger
    /// than another by more than one hand-in.
    #[must_use]
    pub fn split(self, workers: usize) -> Vec<Self> {
        let workers = workers.min(most_workers(self.hand_ins.len(), self.jobs));
        let jobs = (self.jobs / workers).max(1);
        let empty = Self { hand_ins: vec![], jobs, ..self.clone() };
        let mut shares = vec![empty; workers];
        for (place, hand_in) in self.hand_ins.into_iter().enumerate() {
            shares[place % workers].hand_ins.push(hand_in);
        }
        shares
    }

    /// As bytes.
    ///
    /// # Errors
    /// A hand-in of it is one that no worker grades: it cannot be read, or is held.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let mut bytes = GzEncoder::new(vec![], Compression::default());
        serde_json::to_writer(&mut bytes, self)?;
        bytes.finish()
    }

    /// From the bytes that [`Share::encode`] made.
    ///
    /// # Errors
    /// They are others, or of another version of this tool.
    pub fn decode(bytes: &[u8]) -> io::Result<Self> {
        Ok(serde_json::from_reader(GzDecoder::new(bytes).take(MAX_BYTES))?)
    }
}

/// A result with all files of its hand-in's folder, as bytes.
///
/// # Errors
/// A file cannot be read.
pub fn pack(folder: Option<&Path>, result: &HandInResult) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(vec![], Compression::default()));
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, name, bytes)
    };
    add(RESULT, &serde_json::to_vec(result)?)?;
    // A hand-in that was never graded has no folder.
    let files = match folder.map(fs::read_dir) {
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => None,
        files => files.transpose()?,
    };
    for file in files.into_iter().flatten() {
        let file = file?;
        if file.file_type()?.is_file() {
            add(&file.file_name().to_string_lossy(), &fs::read(file.path())?)?;
        }
    }
    archive.into_inner()?.finish()
}

/// Why a parcel cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no parcel of that hand-in, and will not become one.
    #[error("{0}")]
    Invalid(io::Error),
    /// Its files cannot be written: another time they can.
    #[error("{0}")]
    NotWritten(io::Error),
}

/// Writes the files of a parcel to a folder, and gives its result. What an earlier result of that
/// hand-in left there is deleted.
///
/// # Errors
/// It is no parcel of that hand-in, or the files cannot be written.
pub fn unpack(bytes: &[u8], id: &str, folder: &Path) -> Result<HandInResult, UnpackError> {
    let Opened { result, files } = opened(bytes, id).map_err(UnpackError::Invalid)?;
    for (name, bytes) in &files {
        fs::create_dir_all(folder)
            .and_then(|()| replace_private(&folder.join(name), bytes))
            .map_err(UnpackError::NotWritten)?;
    }
    let made = files.into_keys().collect();
    result_files::delete_earlier(folder, &made).map_err(UnpackError::NotWritten)?;
    Ok(result)
}

/// What is in a parcel.
struct Opened {
    result: HandInResult,
    files: BTreeMap<String, Vec<u8>>,
}

fn opened(bytes: &[u8], id: &str) -> io::Result<Opened> {
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(MAX_BYTES));
    let (mut result, mut files) = (None, BTreeMap::new());
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let mut bytes = vec![];
        entry.read_to_end(&mut bytes)?;
        if name == RESULT {
            result = Some(serde_json::from_slice::<HandInResult>(&bytes)?);
        } else if is_file_name(&name) {
            files.insert(name, bytes);
        } else {
            return Err(invalid("it holds a path that leads out of its folder"));
        }
    }
    let result = result.filter(|it| it.id == id);
    let result = result.ok_or_else(|| invalid("it holds no result of that hand-in"))?;
    Ok(Opened { result, files })
}

/// Whether it names a file of a folder, and nothing else.
fn is_file_name(name: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_');
    !name.starts_with('.') && !name.is_empty() && name.chars().all(is_plain)
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use flate2::{Compression, write::GzEncoder};

    use super::{Share, UnpackError, pack, unpack};
    use crate::{
        batch::{handin, handin::HandIn, results::HandInResult},
        report::Format,
    };

    fn share(count: usize) -> Share {
        let names = (0..count).map(|it| (None, format!("lab-{it}"))).collect();
        Share {
            hand_ins: handin::namespaces(names),
            jobs: 10,
            budget_seconds: 60,
            restricted: true,
            probe_image: None,
            statefulset: Some("web".to_owned()),
            formats: vec![Format::Json, Format::Html],
            rubric: Some("pass = 60\n".to_owned()),
        }
    }

    /// Catches a hand-in that no worker gets or two get, one worker with all of them, and more
    /// grades at once than were asked for.
    #[test]
    fn the_workers_share_the_hand_ins() {
        for (count, workers, sizes) in
            [(7, 3, &[3, 2, 2][..]), (2, 5, &[1, 1]), (0, 4, &[0]), (4, 1, &[4])]
        {
            let all = share(count);
            let shares = all.clone().split(workers);
            assert_eq!(shares.iter().map(|it| it.hand_ins.len()).collect::<Vec<_>>(), sizes);
            let mut given: Vec<&HandIn> = shares.iter().flat_map(|it| &it.hand_ins).collect();
            given.sort_by_key(|it| &it.id);
            assert_eq!(given, all.hand_ins.iter().collect::<Vec<_>>());
            assert!(shares.iter().map(|it| it.jobs).sum::<usize>() <= all.jobs, "{workers}");
        }
    }

    /// Catches one grade at once for each worker where fewer were asked for.
    #[test]
    fn there_are_no_more_workers_than_grades_at_once() {
        let few = Share { jobs: 2, ..share(5) };
        let shares = few.split(4);
        assert_eq!(shares.iter().map(|it| it.jobs).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(shares.iter().map(|it| it.hand_ins.len()).sum::<usize>(), 5);
    }

    /// Catches an option or a part of a hand-in that a worker does not get.
    #[test]
    fn a_share_arrives_as_it_was_sent() {
        let sent = share(3);
        assert_eq!(Share::decode(&sent.encode().unwrap()).unwrap(), sent);
        assert!(Share::decode(b"no share").is_err());
    }

    /// Catches a report or recording that is lost on the way, one of an earlier result that stays, and
    /// a result of somebody else.
    #[test]
    fn a_parcel_brings_the_result_and_its_files() {
        let folders = tempfile::tempdir().unwrap();
        let (from, to) = (folders.path().join("from"), folders.path().join("to"));
        let result = HandInResult { id: "ada".to_owned(), ..HandInResult::default() };
        fs::create_dir(&from).unwrap();
        fs::write(from.join("recording.jsonl"), [0, 255]).unwrap();
        fs::write(from.join("report.github.txt"), "90").unwrap();
        let parcel = pack(Some(&from), &result).unwrap();
        assert_eq!(unpack(&parcel, "ada", &to).unwrap(), result);
        assert_eq!(fs::read(to.join("recording.jsonl")).unwrap(), [0, 255]);
        assert_eq!(fs::read(to.join("report.github.txt")).unwrap(), b"90");
        assert_eq!(fs::read_dir(&to).unwrap().count(), 2);
        fs::write(to.join("report.txt"), "of an earlier result").unwrap();
        unpack(&parcel, "ada", &to).unwrap();
        assert_eq!(fs::read_dir(&to).unwrap().count(), 2);
        let of_another = unpack(&parcel, "bob", &to);
        assert!(matches!(of_another, Err(UnpackError::Invalid(_))), "{of_another:?}");
        // The only copy is the parcel as long as its files are nowhere.
        fs::write(folders.path().join("full"), "no folder").unwrap();
        let unwritten = unpack(&parcel, "ada", &folders.path().join("full"));
        assert!(matches!(unwritten, Err(UnpackError::NotWritten(_))), "{unwritten:?}");
        let nothing = pack(Some(&folders.path().join("missing")), &result).unwrap();
        assert_eq!(unpack(&nothing, "ada", &to).unwrap(), result);
        let alone = pack(None, &result).unwrap();
        assert_eq!(unpack(&alone, "ada", &folders.path().join("alone")).unwrap(), result);
        assert!(!folders.path().join("alone").exists());
    }

    /// Catches a parcel that writes where it must not.
    #[test]
    fn a_parcel_stays_in_its_folder() {
        let folders = tempfile::tempdir().unwrap();
        for name in ["../out", "/out", "a/b", ".lock", ""] {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(1);
            header.set_cksum();
            let mut bytes = GzEncoder::new(vec![], Compression::default());
            let mut archive = tar::Builder::new(&mut bytes);
            archive.append(&header, &b"x"[..]).unwrap();
            archive.finish().unwrap();
            drop(archive);
            bytes.flush().unwrap();
            let parcel = bytes.finish().unwrap();
            assert!(unpack(&parcel, "ada", &folders.path().join("to")).is_err(), "{name}");
        }
        assert_eq!(fs::read_dir(folders.path()).unwrap().count(), 0);
    }
}
