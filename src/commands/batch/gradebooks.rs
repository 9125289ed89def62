//! What an instructor gets from a batch: gradebooks and the overview, in the folder of results.

use std::{collections::BTreeSet, path::Path};

use crate::{
    batch::{gradebook::Gradebook, overview, results::HandInResult, roster::Student},
    cluster::Failure,
    commands::batch::{not_kept, reports, settings::Settings},
};

/// Writes all of them.
///
/// # Errors
/// The kept rubric is none that this version reads. A file cannot be written.
pub(super) fn write(
    folder: &Path,
    settings: &Settings,
    results: &[HandInResult],
    missing: &[Student],
) -> Result<(), Failure> {
    let of_each: Vec<HandInResult> =
        results.iter().flat_map(HandInResult::of_each_student).collect();
    let gradebook = Gradebook {
        results: &of_each,
        missing,
        policy: settings.policy(),
        assignment: settings.assignment(),
        possible: settings.rubric()?.total(),
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

/// Leaves the students who have no result.
pub(super) fn retain_missing(students: &mut Vec<Student>, results: &[HandInResult]) {
    let of_each = results.iter().flat_map(HandInResult::of_each_student);
    let with: BTreeSet<String> = of_each.filter_map(|it| it.owner.student).collect();
    students.retain(|it| !with.contains(&it.id));
}
