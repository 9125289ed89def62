//! What stands in for a report where nothing was judged, as data, ready for any format.

use checks::model::observation::Refusal;
use serde::Serialize;

use crate::{cluster::client::failure_id::REFUSED_MANIFEST, console::sanitize::sanitize};

/// Why there is no report. Every text in it is safe to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Problem {
    /// Stable name of the case.
    pub id: &'static str,
    /// What failed and why, in one line, without a full stop.
    pub what: String,
    /// What to do next, a sentence.
    pub next: String,
    /// More on why, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// The file of the submission in which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The document of that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<usize>,
    /// The line of that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The field of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Problem {
    /// What failed, why, and what to do next, a line each.
    #[must_use]
    pub fn all_lines(&self) -> Vec<&str> {
        self.lines().chain([self.next.as_str()]).collect()
    }

    /// A problem with its next step, in words that are safe to show.
    #[must_use]
    pub fn new(id: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::of(id, Refusal { what: what.into(), next: next.into(), ..Refusal::default() })
    }

    /// A problem with its place in a submission, in words that are safe to show.
    #[must_use]
    pub fn of(id: &'static str, refusal: Refusal) -> Self {
        let Refusal { what, next, detail, file, document, line, field } = refusal;
        Self { id, what, next, detail, file, document, line, field }
    }

    /// What a recording says of a manifest that the API server refused. A recording may come from
    /// anywhere: its words are made safe to show.
    #[must_use]
    pub fn refused_manifest(refusal: &Refusal) -> Self {
        let clean = |it: &Option<String>| it.as_deref().map(sanitize);
        let refusal = Refusal {
            what: sanitize(&refusal.what),
            next: sanitize(&refusal.next),
            detail: refusal.detail.iter().map(|it| sanitize(it)).collect(),
            file: clean(&refusal.file),
            field: clean(&refusal.field),
            ..*refusal
        };
        Self::of(REFUSED_MANIFEST, refusal)
    }

    /// The run goes on, or was killed: what a report file says from the start of the run on.
    #[must_use]
    pub fn not_finished() -> Self {
        Self::new(
            "not_finished",
            "the run is not finished: there is no report yet",
            "Wait for it; if stsgrade does not run any more, run it again.",
        )
    }

    /// The run ended by a panic.
    #[must_use]
    pub fn crashed() -> Self {
        Self::new(
            "crashed",
            "stsgrade stopped before the report, by a mistake of its own",
            "Report this as a bug, with what standard error says; `stsgrade restore` puts back \
             what a grade changed.",
        )
    }

    /// A signal stopped the run before the report.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::new("interrupted", "interrupted before the report", "Run it again.")
    }

    /// What failed, with the further lines on why, one line each.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.what.as_str()).chain(self.detail.iter().map(String::as_str))
    }
}
