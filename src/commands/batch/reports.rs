//! The reports of one hand-in, a file in its folder for each format.

use std::path::Path;

use crate::{
    console::sanitize::sanitize,
    report::{Format, RunResult, View, render, replace},
};

/// Writes the report in these formats; a line for each that could not be written.
pub(super) fn write_all(folder: &Path, formats: &[Format], result: &RunResult<'_>) -> Vec<String> {
    let mut troubles = vec![];
    for format in formats {
        let place = folder.join(file_name(*format));
        if let Err(error) = write(&place, &render(*format, &View::plain(*result))) {
            let place = sanitize(&place.display().to_string());
            troubles.push(format!("{place} is not written: {error}"));
        }
    }
    troubles
}

/// The name of a report's file.
pub(super) fn file_name(format: Format) -> String {
    format!("report.{}", format.extension())
}

/// Replaces a file in the folder of results, or makes it.
pub(super) fn write(place: &Path, page: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    replace(place, page)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::ValueEnum as _;

    use super::file_name;
    use crate::report::Format;

    /// Catches a format whose report takes the place of another's in the folder of a hand-in.
    #[test]
    fn each_format_has_a_file_of_its_own() {
        let mut of_file = BTreeMap::new();
        for format in Format::value_variants() {
            let other = of_file.insert(file_name(*format), format);
            assert!(other.is_none(), "{format:?} and {other:?}: {}", file_name(*format));
        }
    }
}
