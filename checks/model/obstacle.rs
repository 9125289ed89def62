//! Obstacles: why the set cannot get where it was asked to go, and whose fault that is.

use serde::Serialize;

use crate::model::observation::Seq;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// The submission's: points are lost.
    Submission,
    /// The cluster's, or nobody knows: points are undecided.
    Cluster,
}

/// What stands in the way. Found once, in the timeline; every check that cannot be reached names
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The row of the table, or `no_stateful_set` and the like.
    pub id: &'static str,
    /// The object that is stuck.
    pub who: String,
    /// Whose fault.
    pub fault: Fault,
    /// The cluster's own words.
    pub why: String,
    /// The last lines of the container's log, where it has one.
    pub log: Vec<String>,
    /// What to do about it.
    pub remedy: &'static str,
    /// The lines of the recording that show it.
    pub evidence: Vec<Seq>,
}

impl Obstacle {
    /// Whether a container ends again and again by what stands in the template.
    pub(crate) fn is_loop(&self) -> bool {
        matches!(self.id, "out_of_memory" | "liveness_fails" | "container_ends")
    }
}
