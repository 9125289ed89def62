//! The report and the reason why there is none, as JSON version 1.

use serde::Serialize;

use crate::report::{Problem, RunResult, VERSION, View};

/// What stands in for a report where nothing was judged.
#[derive(Clone, Debug, Serialize)]
struct Failed<'a> {
    format: &'static str,
    version: u32,
    error: &'a Problem,
}

/// The document, indented, with a line feed at its end.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    match view.result {
        RunResult::Judged { report, .. } => indented(report),
        RunResult::NotGraded(error) => {
            indented(&Failed { format: "stsgrade-report", version: VERSION, error })
        }
    }
}

/// Any value as an indented JSON document, with a line feed at its end.
pub(super) fn indented(what: &impl Serialize) -> Vec<u8> {
    // Maps with string keys, lists, strings and numbers: nothing of it can fail.
    let mut page = serde_json::to_vec_pretty(what).unwrap_or_default();
    page.push(b'\n');
    page
}
