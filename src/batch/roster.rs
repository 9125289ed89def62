//! The roster: who is in the class, as a CSV file says.

use std::{collections::BTreeSet, fs, io, path::Path};

use crate::LAB_NAMESPACE;

/// No roster is larger, in bytes.
const MAX_ROSTER_BYTES: u64 = 16 << 20;

/// A student of the class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Student {
    /// The id by which the school knows them.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their e-mail address; empty where it is not told.
    pub email: String,
    /// The file or folder that they handed in, where the roster names one.
    pub file: Option<String>,
    /// Their namespace, where they work in one.
    pub namespace: Option<String>,
    /// The kubeconfig's context of its cluster.
    pub context: Option<String>,
    /// Until when they may hand in, in seconds since the epoch, where it is not when the others
    /// have to.
    pub due: Option<i64>,
}

impl Student {
    /// The namespace in which they work, which is the lab's where only a context is told.
    pub(super) fn works_in_namespace(&self) -> Option<&str> {
        let own = self.context.is_some() && self.file.is_none();
        self.namespace.as_deref().or_else(|| own.then_some(LAB_NAMESPACE))
    }
}

/// Why a roster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It is not CSV.
    #[error("{0}")]
    Malformed(#[from] csv::Error),
    /// It is neither UTF-8 nor UTF-16.
    #[error("line {0} is no UTF-8 text; save it as \"CSV UTF-8\"")]
    Encoding(usize),
    /// A column is missing.
    #[error("it has no column {0:?}; its first line names the columns")]
    NoColumn(&'static str),
    /// A line is wrong.
    #[error("line {line}: {why}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
}

/// The students that a roster lists.
///
/// The first line names the columns: `id`, `name`, and any of `email`, `file`, `namespace`,
/// `context` and `due`. They are separated by commas, or by semicolons or tabs as spreadsheets in
/// many countries write them.
///
/// # Errors
/// It cannot be read, lacks a column, or a line is wrong.
pub fn read(path: &Path) -> Result<Vec<Student>, RosterError> {
    if fs::metadata(path)?.len() > MAX_ROSTER_BYTES {
        return Err(io::Error::other("it is larger than any roster").into());
    }
    parse(&decoded(fs::read(path)?)?)
}

/// Its text, which is UTF-8, or UTF-16 where it says so.
fn decoded(bytes: Vec<u8>) -> Result<String, RosterError> {
    let pairs = bytes.chunks_exact(2).skip(1).map(|it| [it[0], it[1]]);
    let units: Vec<u16> = match bytes.get(..2) {
        Some([0xff, 0xfe]) => pairs.map(u16::from_le_bytes).collect(),
        Some([0xfe, 0xff]) => pairs.map(u16::from_be_bytes).collect(),
        _ => {
            return String::from_utf8(bytes).map_err(|error| {
                let end = error.utf8_error().valid_up_to();
                let before = &error.as_bytes()[..end];
                RosterError::Encoding(before.iter().filter(|it| **it == b'\n').count() + 1)
            });
        }
    };
    Ok(String::from_utf16_lossy(&units))
}

/// What separates the columns.
fn separator(head: &str) -> u8 {
    [',', ';', '\t'].into_iter().find(|it| head.contains(*it)).map_or(b',', |it| it as u8)
}

/// The name of a column, in lowercase letters alone.
fn column_name(head: &str) -> String {
    head.chars().filter(|it| it.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn parse(text: &str) -> Result<Vec<Student>, RosterError> {
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator(head))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let head: Vec<String> = reader.headers()?.iter().map(column_name).collect();
    let column = |names: &[&str]| head.iter().position(|it| names.contains(&it.as_str()));
    let id = column(&["id", "studentid", "idnumber"]).ok_or(RosterError::NoColumn("id"))?;
    let name = column(&["name", "fullname", "studentname"]).ok_or(RosterError::NoColumn("name"))?;
    let (email, file) = (column(&["email", "emailaddress"]), column(&["file", "filename"]));
    let (namespace, context) = (column(&["namespace"]), column(&["context"]));
    let due = column(&["due", "duedate"]);
    let mut students = vec![];
    let mut ids = BTreeSet::new();
    for record in reader.records() {
        let record = record?;
        // A spreadsheet writes its empty lines, too.
        if record.iter().all(str::is_empty) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let field = |column: Option<usize>| {
            let text = column.and_then(|it| record.get(it)).unwrap_or_default();
            Some(text.to_owned()).filter(|it| !it.is_empty())
        };
        let Some(id) = field(Some(id)) else {
            return Err(RosterError::Line { line, why: "the id is empty".to_owned() });
        };
        if !ids.insert(id.clone()) {
            return Err(RosterError::Line { line, why: format!("the id {id:?} is there twice") });
        }
        let due = match field(due) {
            None => None,
            Some(text) => Some(moment(&text).map_err(|why| RosterError::Line { line, why })?),
        };
        students.push(Student {
            name: field(Some(name)).unwrap_or_else(|| id.clone()),
            id,
            email: field(email).unwrap_or_default(),
            file: field(file),
            namespace: field(namespace),
            context: field(context),
            due,
        });
    }
    Ok(students)
}

/// A moment with its offset from UTC, as RFC 3339 writes it, in seconds since the epoch.
///
/// # Errors
/// It is none.
pub fn moment(text: &str) -> Result<i64, String> {
    text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second).map_err(|_| {
        format!("{text:?} is no moment such as 2026-11-30T23:59:00+01:00 (date, time, offset)")
    })
}

#[cfg(test)]
mod tests {
    use super::{RosterError, Student, decoded, parse};

    /// Catches a roster of another country, columns in another order, and a due date without its
    /// offset, which would be another moment on another machine.
    #[test]
    fn a_roster_tells_who_is_in_the_class() {
        let text = "\u{feff}Name;Student ID;Due date;E-mail address;File\n\
            Doe, Jane;1;2026-11-30T23:59:00+01:00;j@x;j.yaml\n;2;;;\n;;;;\n";
        let students = parse(text).unwrap();
        let jane = Student {
            id: "1".to_owned(),
            name: "Doe, Jane".to_owned(),
            email: "j@x".to_owned(),
            file: Some("j.yaml".to_owned()),
            due: Some(1_796_079_540),
            ..Student::default()
        };
        assert_eq!(students[0], jane);
        assert_eq!(students[1].name, "2");
        assert_eq!(students.len(), 2);
        for (text, why) in [
            ("name\nJane", "it has no column \"id\"; its first line names the columns"),
            ("id,name\n1,a\n1,b", "line 3: the id \"1\" is there twice"),
            ("id,name\n,a", "line 2: the id is empty"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), why);
        }
        let error = parse("id,name,due\n1,a,2026-11-30 23:59").unwrap_err();
        assert!(matches!(error, RosterError::Line { line: 2, .. }), "{error}");
    }

    /// Catches a name in which letters are replaced because its encoding is not known.
    #[test]
    fn a_roster_in_another_encoding_is_read_or_refused() {
        let units: Vec<u16> = "\u{feff}id\tname\n3\tJürgen\n".encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|it| it.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|it| it.to_be_bytes()).collect();
        for bytes in [little, big, "id,name\n3,Jürgen\n".into()] {
            assert_eq!(parse(&decoded(bytes).unwrap()).unwrap()[0].name, "Jürgen");
        }
        let error = decoded(b"id,name\n3,J\xfcrgen\n".to_vec()).unwrap_err();
        assert_eq!(error.to_string(), "line 2 is no UTF-8 text; save it as \"CSV UTF-8\"");
    }
}
