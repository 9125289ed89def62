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
    /// It is neither UTF-8 nor UTF-16 that says so.
    #[error("line {0} is no UTF-8 text; save it as \"CSV UTF-8\"")]
    Encoding(usize),
    /// A column is missing.
    #[error("it has no column {0:?}; its first line names the columns")]
    NoColumn(&'static str),
    /// Two columns may be the same.
    #[error("its columns {0:?} and {1:?} may both be the {2}: rename the one that is not")]
    TwoColumns(String, String, &'static str),
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
        _ => return decoded_utf8(bytes),
    };
    Ok(String::from_utf16_lossy(&units))
}

/// Its text, which is UTF-8. NUL stands in no roster, but in UTF-16 that does not say so.
fn decoded_utf8(bytes: Vec<u8>) -> Result<String, RosterError> {
    let malformed =
        |bytes: &[u8]| RosterError::Encoding(bytes.iter().filter(|it| **it == b'\n').count() + 1);
    let text = String::from_utf8(bytes)
        .map_err(|error| malformed(&error.as_bytes()[..error.utf8_error().valid_up_to()]))?;
    match text.find('\0') {
        Some(at) => Err(malformed(&text.as_bytes()[..at])),
        None => Ok(text),
    }
}

/// What separates the columns.
fn separator(head: &str) -> u8 {
    [',', ';', '\t'].into_iter().find(|it| head.contains(*it)).map_or(b',', |it| it as u8)
}

/// The name of a column, in lowercase letters alone.
fn column_name(head: &str) -> String {
    head.chars().filter(|it| it.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The places of the columns.
struct Columns {
    id: usize,
    name: usize,
    email: Option<usize>,
    file: Option<usize>,
    namespace: Option<usize>,
    context: Option<usize>,
    due: Option<usize>,
}

impl Columns {
    fn of(head: &csv::StringRecord) -> Result<Self, RosterError> {
        let column = |what: &'static str, names: &[&str]| {
            let is_it = |it: &(usize, &str)| names.contains(&column_name(it.1).as_str());
            let found: Vec<(usize, &str)> = head.iter().enumerate().filter(is_it).collect();
            match found[..] {
                // Which of them is meant decides who gets the points.
                [(_, one), (_, other), ..] => {
                    Err(RosterError::TwoColumns(one.to_owned(), other.to_owned(), what))
                }
                [(at, _)] => Ok(Some(at)),
                [] => Ok(None),
            }
        };
        let id = column("id", &["id", "studentid", "idnumber"])?;
        let name = column("name", &["name", "fullname", "studentname"])?;
        Ok(Self {
            id: id.ok_or(RosterError::NoColumn("id"))?,
            name: name.ok_or(RosterError::NoColumn("name"))?,
            email: column("e-mail address", &["email", "emailaddress"])?,
            file: column("file", &["file", "filename"])?,
            namespace: column("namespace", &["namespace"])?,
            context: column("context", &["context"])?,
            due: column("due date", &["due", "duedate"])?,
        })
    }
}

/// Checks that each field of a line has a column, so that none stands in that of another.
fn check_width(record: &csv::StringRecord, columns: usize) -> Result<(), String> {
    if record.iter().skip(columns).all(str::is_empty) {
        return Ok(());
    }
    Err(format!(
        "it has {} fields, and the first line names {columns} columns: put a field that holds what \
        separates them between double quotes",
        record.len()
    ))
}

fn parse(text: &str) -> Result<Vec<Student>, RosterError> {
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator(head))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let head = reader.headers()?.clone();
    let columns = Columns::of(&head)?;
    let mut students = vec![];
    let mut ids = BTreeSet::new();
    for record in reader.records() {
        let record = record?;
        // A spreadsheet writes its empty lines, too.
        if record.iter().all(str::is_empty) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        check_width(&record, head.len()).map_err(|why| RosterError::Line { line, why })?;
        let field = |column: Option<usize>| {
            let text = column.and_then(|it| record.get(it)).unwrap_or_default();
            Some(text.to_owned()).filter(|it| !it.is_empty())
        };
        let Some(id) = field(Some(columns.id)) else {
            return Err(RosterError::Line { line, why: "the id is empty".to_owned() });
        };
        if !ids.insert(id.clone()) {
            return Err(RosterError::Line { line, why: format!("the id {id:?} is there twice") });
        }
        let due = match field(columns.due) {
            None => None,
            Some(text) => Some(moment(&text).map_err(|why| RosterError::Line { line, why })?),
        };
        students.push(Student {
            name: field(Some(columns.name)).unwrap_or_else(|| id.clone()),
            id,
            email: field(columns.email).unwrap_or_default(),
            file: field(columns.file),
            namespace: field(columns.namespace),
            context: field(columns.context),
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

    /// Catches a roster of another country, columns in another order, a due date without its
    /// offset, which would be another moment on another machine, a name that is cut at its comma,
    /// and an id that is not the one that is meant.
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
            (
                "id,name,file\n1,a,a.yaml,,\n2,Doe, Jane,jane.yaml",
                "line 3: it has 4 fields, and the first line names 3 columns: put a field that \
                holds what separates them between double quotes",
            ),
            (
                "ID,Student ID,Name\n1,s1,a",
                "its columns \"ID\" and \"Student ID\" may both be the id: rename the one that is \
                not",
            ),
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
        let unmarked = "id,name\n3,Doe\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, line) in [(b"id,name\n3,J\xfcrgen\n".to_vec(), 2), (unmarked, 1)] {
            let error = decoded(bytes).unwrap_err().to_string();
            assert_eq!(error, format!("line {line} is no UTF-8 text; save it as \"CSV UTF-8\""));
        }
    }
}
