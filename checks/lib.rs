//! The ten checks of stsgrade: pure functions from a recorded timeline to verdicts.
//!
//! Every `.rs` file beside this one is one check, and [`CHECKS`] is the registry, the order, the
//! points and the source of the generated documents at once. What the checks share is in [`model`]:
//! the recording's format, the timeline, and the rules by which orders, files, DNS and obstacles are
//! judged. The explanations that reports quote are in [`mistakes`]; [`shell`] reads the containers'
//! scripts.
//!
//! Architecture invariant: nothing here does I/O, reads a clock, waits or panics on purpose. A test
//! (`tests/tidy.rs`) holds it. The only crate that judging needs is `serde`; `schemars` comes with
//! the feature `schema`.

pub mod mistakes;
pub mod model;
pub mod shell;

mod dns_resolution;
mod identity_persistence;
mod ordered_scale_down;
mod ordered_scale_up;
mod persistent_storage;
mod pod_naming;
mod pvc_retention;
mod pvc_reuse;
mod sequential_creation;
mod storage_content;

use crate::{
    mistakes::Section,
    model::{ShownBy, Timeline, Verdict},
};

/// One of the lab's ten tests (its section 3.3), as a value.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Stable name.
    pub id: &'static str,
    /// Number in the lab, from 1.
    pub test: u8,
    /// Title in the lab.
    pub title: &'static str,
    /// The lab's own words for success.
    pub lab_words: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// How to win the points, when no mistake of the catalogue explains the loss.
    pub remedy: &'static str,
    /// The lab's sections to read again.
    pub read: &'static [Section],
    /// Points for passing.
    pub points: u32,
    /// The stable names of its criteria, beside [`STAYS_UP`], which every check has.
    pub criteria: &'static [&'static str],
    /// What shows it, for somebody who works by hand.
    pub shown_by: ShownBy,
    /// The rule: total, and a function of the timeline alone.
    pub judge: fn(&Timeline) -> Verdict,
}

/// The criterion that every check has where the set's containers do not stay up.
pub const STAYS_UP: &str = "stays_up";

/// How many checks there are, for all code. `.github/CONTRIBUTING.md` names the texts that say it.
pub const COUNT: usize = 10;

/// The checks in the lab's order.
pub const CHECKS: [Check; COUNT] = [
    pod_naming::CHECK,
    sequential_creation::CHECK,
    persistent_storage::CHECK,
    storage_content::CHECK,
    dns_resolution::CHECK,
    identity_persistence::CHECK,
    ordered_scale_up::CHECK,
    ordered_scale_down::CHECK,
    pvc_retention::CHECK,
    pvc_reuse::CHECK,
];

/// Judges a timeline by every check.
#[must_use]
pub fn judge(timeline: &Timeline) -> [Verdict; COUNT] {
    let never_up = timeline.never_up();
    CHECKS.map(|check| {
        let mut verdict = (check.judge)(timeline);
        // Whatever was Ready for a moment shows nothing then.
        if let Some(standing) = never_up.as_ref().filter(|it| verdict.outcome() < it.outcome()) {
            verdict.push(
                STAYS_UP,
                "the containers of the set's pods stay up",
                standing.clone(),
                [],
            );
        }
        verdict
    })
}
