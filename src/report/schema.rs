//! The JSON Schema of the JSON report, made from the types that are written.
//!
//! The crate of the checks knows no schemas: its words are repeated here, and a test compares them.

use schemars::{JsonSchema, generate::SchemaSettings};

use crate::report::{Problem, Report, VERSION};

/// What a check comes to.
#[derive(JsonSchema)]
#[schemars(rename = "Outcome", rename_all = "camelCase")]
#[expect(dead_code, reason = "it stands for the type of another crate")]
pub(super) enum OutcomeName {
    Pass,
    Inconclusive,
    Fail,
}

/// Whose fault it is.
#[derive(JsonSchema)]
#[schemars(rename = "Fault", rename_all = "camelCase")]
#[expect(dead_code, reason = "it stands for the type of another crate")]
pub(super) enum FaultName {
    Submission,
    Cluster,
}

/// What stands in for a report where nothing was judged.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it stands for what is written with a borrowed problem")]
struct NotGraded {
    /// Always `stsgrade-report`.
    #[schemars(extend("const" = "stsgrade-report"))]
    format: String,
    /// The version of the format.
    #[schemars(extend("const" = VERSION))]
    version: u32,
    /// Why there is no report.
    error: Problem,
}

/// What `-o json` writes.
#[derive(JsonSchema)]
#[schemars(untagged, title = "stsgrade report")]
#[expect(dead_code, reason = "it only says that there are two forms")]
enum Document {
    Judged(Box<Report>),
    NotGraded(NotGraded),
}

/// The schema of what `-o json` writes: a report, or why there is none.
#[must_use]
pub fn of_report() -> serde_json::Value {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Document>()
        .into()
}
