//! The words that checks share: observations, the timeline that they fold into, and verdicts.

pub mod content;
mod endpoints;
mod episode;
pub mod evidence;
mod fold;
#[cfg(test)]
pub(crate) mod history;
mod keyed;
mod line;
mod lives;
pub(crate) mod names;
pub mod object;
pub mod observation;
pub mod obstacle;
mod order;
#[cfg(test)]
mod property;
pub mod quantity;
mod rest;
mod stamp;
pub(crate) mod storage;
mod subject;
#[cfg(test)]
mod tests;
mod timeline;
mod unshown;
mod uptime;
pub mod verdict;
mod version;
pub mod when;

pub use episode::Episode;
pub use evidence::Part;
pub use lives::{ClaimLife, Incarnation, Noted, Scale, ServiceLife, SetLife, StepLife};
pub use observation::{Observation, Seq, What};
pub use obstacle::{Fault, Obstacle};
pub use rest::{Rest, Wait};
pub use timeline::{MOST_REPLICAS, Timeline};
pub(crate) use unshown::Wanted;
pub use verdict::{Criterion, Outcome, Standing, Verdict};
pub use version::Version;
pub use when::{Truth, When};
