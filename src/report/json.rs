//! The report and the reason why there is none, as JSON version 1.

use std::io::{self, Write};

use serde::Serialize;

use crate::report::{Report, VERSION};

/// Writes the report, indented, with a line feed at its end.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    put(report, out)
}

/// Why nothing could be graded.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Problem<'a> {
    /// Stable name.
    pub id: &'a str,
    /// What failed, and why.
    pub what: &'a str,
    /// What to do next.
    pub next: &'a str,
    /// More on why, a line each.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub detail: &'a [String],
    /// The file of the submission in which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'a str>,
    /// The document of that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<usize>,
    /// The line of that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The field of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'a str>,
}

/// Writes what stands in for a report where nothing could be graded.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write_error(problem: &Problem<'_>, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Failed<'a> {
        format: &'static str,
        version: u32,
        error: &'a Problem<'a>,
    }
    put(&Failed { format: "stsgrade-report", version: VERSION, error: problem }, out)
}

fn put(what: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, what)?;
    writeln!(out)
}
