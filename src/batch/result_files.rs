//! The files of one hand-in in the folder of results: its recording, and its reports.

use std::{collections::BTreeSet, fs, io, path::Path};

use clap::ValueEnum as _;

use crate::report::Format;

/// The recording of a hand-in, in its folder, until it is compressed.
pub const RECORDING: &str = "recording.jsonl";
/// What the name of a compressed recording ends with: the batch's own one before one that somebody
/// compressed anew.
pub const COMPRESSED: [&str; 2] = ["gz", "zst"];

/// The name of a recording that the batch itself compressed.
#[must_use]
pub fn compressed_recording() -> String {
    format!("{RECORDING}.{}", COMPRESSED[0])
}

/// The name of a report's file.
#[must_use]
pub fn report_name(format: Format) -> String {
    format!("report.{}", format.extension())
}

/// The names of all files that a batch makes for a hand-in.
fn own_names() -> Vec<String> {
    let mut names = vec![RECORDING.to_owned()];
    names.extend(COMPRESSED.map(|it| format!("{RECORDING}.{it}")));
    names.extend(Format::value_variants().iter().map(|it| report_name(*it)));
    names
}

/// Deletes what a batch made for an earlier result of a hand-in: all of its own files that are not
/// among the names in `made`. What others have put there stays.
///
/// # Errors
/// A file cannot be deleted.
pub fn delete_earlier(folder: &Path, made: &BTreeSet<String>) -> io::Result<()> {
    for name in own_names().iter().filter(|it| !made.contains(*it)) {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            deleted => deleted?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        fs,
    };

    use clap::ValueEnum as _;

    use super::{delete_earlier, report_name};
    use crate::report::Format;

    /// Catches a format whose report takes the place of another's in the folder of a hand-in.
    #[test]
    fn each_format_has_a_file_of_its_own() {
        let mut of_file = BTreeMap::new();
        for format in Format::value_variants() {
            let other = of_file.insert(report_name(*format), format);
            assert!(other.is_none(), "{format:?} and {other:?}: {}", report_name(*format));
        }
    }

    /// Catches a recording or a report of an earlier result that is taken for one of the result that
    /// counts, and a file of the instructor's that is deleted.
    #[test]
    fn only_what_an_earlier_result_left_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["recording.jsonl", "recording.jsonl.gz", "recording.jsonl.zst"];
        let names = [&names[..], &["report.txt", "report.html", "report.json", "notes.txt"]];
        for name in names.concat() {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let made = ["recording.jsonl.gz", "report.json"].map(str::to_owned);
        delete_earlier(folder.path(), &BTreeSet::from(made)).unwrap();
        let left = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name());
        let mut left: Vec<_> = left.map(|it| it.into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["notes.txt", "recording.jsonl.gz", "report.json"]);
        delete_earlier(&folder.path().join("missing"), &BTreeSet::new()).unwrap();
    }
}
