//! Results that are kept until the next line.

use std::sync::OnceLock;

use crate::model::timeline::known_ends::KnownEnds;

/// What is asked for often, and only a line, or time that passes, can change: each of them empties
/// it.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// The least number of replicas that stood settled and is enough for the lab.
    pub(super) least_settled: OnceLock<Option<i32>>,
    /// What the crash loops tell of other pods.
    pub(super) known_ends: OnceLock<KnownEnds>,
}
