//! The reports of one hand-in, a file in its folder for each format.

use std::path::Path;

use crate::{
    batch::result_files::report_name,
    cli,
    console::sanitize::sanitize,
    report::{Format, RunResult, View, render, replace},
};

/// The formats of each report: JSON and text, and what was asked for.
pub(super) fn formats(args: &cli::Batch) -> Vec<Format> {
    let mut formats = vec![Format::Json, Format::Text];
    for format in &args.reports {
        if !formats.contains(format) {
            formats.push(*format);
        }
    }
    formats
}

/// Writes the report in these formats; a line for each that could not be written.
pub(super) fn write_all(folder: &Path, formats: &[Format], result: &RunResult<'_>) -> Vec<String> {
    let mut troubles = vec![];
    for format in formats {
        let place = folder.join(report_name(*format));
        if let Err(error) = write(&place, &render(*format, &View::plain(*result))) {
            let place = sanitize(&place.display().to_string());
            troubles.push(format!("{place} is not written: {error}"));
        }
    }
    troubles
}

/// Replaces a file in the folder of results, or makes it.
pub(super) fn write(place: &Path, page: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    replace(place, page)
}
