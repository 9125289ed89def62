//! The words that checks share: observations, the timeline that they fold into, and verdicts.

pub mod object;
pub mod observation;
pub mod obstacle;
pub mod verdict;
pub mod when;
pub mod content;
mod episode;
#[cfg(test)]
pub(crate) mod history;
mod fold;
mod line;
mod lives;
mod names;
mod order;
#[cfg(test)]
mod property;
pub mod quantity;
mod storage;
#[cfg(test)]
mod tests;
mod timeline;
mod rest;

pub use lives::{ClaimLife, Incarnation, Noted, Scale, ServiceLife, SetLife, StepLife};
pub use observation::{Observation, Seq, What};
pub use obstacle::{Fault, Obstacle};
pub use timeline::Timeline;
pub use episode::Episode;
pub use rest::{Rest, Wait};
pub use verdict::{Criterion, Outcome, Standing, Verdict};
pub use when::{Truth, When};
