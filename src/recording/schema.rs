//! The JSON Schema of a line of a recording, made from the types that are written.

use checks::model::{
    Seq,
    observation::{
        CanaryVisit, End, Gap, Inquiry, Lookup, ObjectChange, Read, Signature, Step, Subject,
        object::Object,
    },
};
use schemars::{JsonSchema, generate::SchemaSettings};

use crate::recording::Header;

/// A line of a recording: line 1 is the header.
#[derive(JsonSchema)]
#[schemars(untagged, title = "A line of a stsgrade recording")]
#[expect(dead_code, reason = "it only says that there are two forms")]
enum Line {
    Header(Box<Header>),
    Observation(Box<ObservationLine>),
}

/// One observation. A newer minor version may hold others.
#[derive(JsonSchema)]
#[schemars(rename = "Observation")]
#[expect(dead_code, reason = "it stands for a type that is written by hand")]
struct ObservationLine {
    /// Dense number of the line, from 1.
    seq: Seq,
    /// Monotonic nanoseconds since the recording began.
    at: u64,
    #[schemars(flatten)]
    what: Fact,
}

/// What a line holds.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "it stands for a type that is written by hand")]
enum Fact {
    Subject(Subject),
    Gap(Gap),
    Step(Step),
    Read(Read),
    Canary(CanaryVisit),
    Lookup(Lookup),
    #[schemars(rename = "diagnosis")]
    Inquiry(Inquiry),
    End(End),
    Signature(Signature),
    #[schemars(untagged)]
    Object {
        change: ObjectChange,
        object: Box<Object>,
    },
}

/// The schema of each line of a recording.
#[must_use]
pub fn of_line() -> serde_json::Value {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Line>()
        .into()
}
