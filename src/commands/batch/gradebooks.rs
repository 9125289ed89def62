//! What an instructor gets from a batch: gradebooks and the overview, in the folder of results.

use std::path::Path;

use crate::{
    batch::{
        gradebook::Gradebook,
        late::LatePolicy,
        overview,
        results::HandInResult,
        roster::{self, Student},
    },
    cli,
    cluster::Failure,
    commands::batch::{not_kept, reports},
    console::sanitize::sanitize,
    report::Points,
};

/// Writes all of them.
///
/// # Errors
/// A file cannot be written.
pub(super) fn write(
    folder: &Path,
    book: &cli::Book,
    results: &[HandInResult],
    missing: &[Student],
) -> Result<(), Failure> {
    let of_each: Vec<HandInResult> =
        results.iter().flat_map(HandInResult::of_each_student).collect();
    let gradebook = Gradebook {
        results: &of_each,
        missing,
        policy: LatePolicy {
            due: book.due,
            grace: book.grace.unwrap_or_default(),
            per_day: Points::whole(book.late_per_day),
            floor: Points::whole(book.late_floor),
        },
        assignment: &book.assignment,
    };
    let index = overview::page(&gradebook, &|path| folder.join(path).is_file());
    for (name, bytes) in [
        ("gradebook.csv", gradebook.general()),
        ("canvas.csv", gradebook.canvas()),
        ("moodle.csv", gradebook.moodle()),
        ("index.html", index),
    ] {
        reports::write(&folder.join(name), &bytes).map_err(|error| not_kept(&error))?;
    }
    Ok(())
}

/// The students of the roster, where there is one.
///
/// # Errors
/// It cannot be read or understood.
pub(super) fn students(roster: Option<&Path>) -> Result<Option<Vec<Student>>, Failure> {
    let Some(path) = roster else { return Ok(None) };
    roster::read(path).map(Some).map_err(|error| {
        let shown = sanitize(&path.display().to_string());
        Failure::new(
            "roster",
            format!("cannot use the roster {shown}: {}", sanitize(&error.to_string())),
            "Correct it: a CSV file whose first line names the columns id, name and any of email, \
            file, namespace, context and due.",
        )
    })
}
