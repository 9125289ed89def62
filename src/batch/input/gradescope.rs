//! Who handed in what, as an export of Gradescope says.

use serde_json::Value;

/// A folder of an export, as its metadata describe it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Submitted {
    /// The folder.
    pub(super) folder: String,
    /// All who handed it in together.
    pub(super) submitters: Vec<Submitter>,
    /// When, in seconds since the epoch.
    pub(super) at: Option<i64>,
}

/// One of those who handed something in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Submitter {
    /// The id, or the e-mail address where there is none.
    pub(super) key: String,
    pub(super) name: String,
}

/// What the metadata say.
///
/// # Errors
/// They are no YAML.
pub(super) fn submitted(bytes: &[u8]) -> Result<Vec<Submitted>, String> {
    let text = String::from_utf8_lossy(bytes);
    let read: Value =
        serde_saphyr::from_str(&needed_lines(&text)).map_err(|error| error.to_string())?;
    let Value::Object(folders) = read else { return Err("it lists no folders".to_owned()) };
    let folders = folders.into_iter();
    Ok(folders.filter_map(|(folder, about)| of_folder(folder, &about)).collect())
}

fn of_folder(folder: String, about: &Value) -> Option<Submitted> {
    let submitters = about.get(":submitters").and_then(Value::as_array)?;
    let submitters: Vec<Submitter> = submitters.iter().map(|it| submitter(it, &folder)).collect();
    let at = about.get(":created_at").and_then(Value::as_str).and_then(moment);
    (!submitters.is_empty()).then_some(Submitted { folder, submitters, at })
}

fn submitter(about: &Value, folder: &str) -> Submitter {
    let word = |field: &str| match about.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let key = [word(":sid"), word(":email"), folder.to_owned()];
    let key = key.into_iter().find(|it| !it.is_empty()).unwrap_or_default();
    Submitter { key, name: word(":name") }
}

/// `2026-11-01 10:00:00.000000000 Z`.
fn moment(text: &str) -> Option<i64> {
    let mut words = text.split_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let text = format!("{date}T{time}{zone}");
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// The lines that tell who handed in what and when. Most of the file is results of tests, which
/// would take long to read.
fn needed_lines(text: &str) -> String {
    let mut is_needed = true;
    let mut lines = String::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        match indent {
            0 => is_needed = true,
            // The items of a list may be as deep as its key.
            2 if !line.starts_with("  -") => {
                is_needed =
                    [":submitters", ":created_at"].iter().any(|it| line[2..].starts_with(it));
            }
            _ => {}
        }
        if is_needed {
            lines.push_str(line);
            lines.push('\n');
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Submitted, Submitter, submitted};

    /// Catches a group of which only one gets the points, the time of an export taken for that of
    /// handing in, and the results of tests that keep the metadata from being read.
    #[test]
    fn the_metadata_tell_who_handed_in_and_when() {
        let text = "---\nsubmission_7:\n  :submitters:\n  - :name: Eve Roe\n    :sid: '55'\n  \
            - :name: Fay Poe\n    :email: fay@x.example\n  \
            :created_at: 2026-11-01 10:00:00.000000000 Z\n  :results:\n    a: [not read\n  \
            :score: 0.0\nsubmission_8:\n  :submitters:\n  - :name: Gus\n";
        let submitter =
            |key: &str, name: &str| Submitter { key: key.to_owned(), name: name.to_owned() };
        let submitted = submitted(text.as_bytes()).unwrap();
        let group = vec![submitter("55", "Eve Roe"), submitter("fay@x.example", "Fay Poe")];
        let folder = "submission_7".to_owned();
        let at = Some(1_793_527_200);
        assert_eq!(submitted[0], Submitted { folder, submitters: group, at });
        assert_eq!(submitted[1].submitters, [submitter("submission_8", "Gus")]);
        assert_eq!(submitted[1].at, None);
    }
}
