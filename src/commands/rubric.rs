//! The rubric's file, as `--rubric` names it.

use std::{fs, io::Read as _, path::Path};

use crate::{
    cluster::Failure,
    console::sanitize::{clip, sanitize},
    rubric::Rubric,
    submission::Place,
};

/// A rubric is not longer, in bytes.
const MAX_RUBRIC_BYTES: u64 = 1 << 20;

const NEXT: &str = "`stsgrade list` names the checks; `stsgrade schema rubric` says what may stand \
    in the file.";

/// Its text, which is a rubric.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    read_with_text(path).map(|(text, _)| text)
}

/// Reads it.
pub(super) fn read(path: &Path) -> Result<Rubric, Failure> {
    read_with_text(path).map(|(_, rubric)| rubric)
}

fn read_with_text(path: &Path) -> Result<(String, Rubric), Failure> {
    let name = sanitize(&path.display().to_string());
    let unreadable =
        |why: String| Failure::new("rubric", format!("cannot read {name}: {why}"), NEXT);
    let mut text = String::new();
    // A pipe tells no length before it is read.
    let read = fs::File::open(path)
        .and_then(|file| file.take(MAX_RUBRIC_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > MAX_RUBRIC_BYTES {
        return Err(unreadable("it is longer than 1 MiB".to_owned()));
    }
    let rubric = Rubric::parse(&text).map_err(|error| {
        let what = sanitize(&error.what);
        let what = format!("{name}, line {}, column {}: {what}", error.line, error.column);
        let place = Place { file: clip(&name, 200), document: 0, line: error.line };
        Failure::new("rubric", what, NEXT).at(place, "")
    })?;
    Ok((text, rubric))
}
