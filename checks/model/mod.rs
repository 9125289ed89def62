//! What the checks share: the recording's format (`observation`), the timeline that it folds into,
//! the rules by which orders (`rules`), files and DNS (`evidence`) and obstacles (`diagnosis`) are
//! judged, and verdicts.

pub mod diagnosis;
pub mod evidence;
mod fold;
pub mod lab;
pub mod observation;
pub mod obstacle;
pub mod quantity;
pub(crate) mod rules;
mod stamp;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;
pub mod verdict;
pub mod waits;

pub use crate::model::observation::version::Version;
pub use crate::model::observation::when::{Truth, When};
pub use crate::model::observation::{Fact, Observation, Seq, line_of};
pub use crate::model::obstacle::{Effect, Fault, Missing, MissingObject, Obstacle};
pub(crate) use crate::model::rules::not_shown::Wanted;
pub use crate::model::rules::order::OutOfOrder;
pub use crate::model::rules::way_to_show::ShownBy;
pub use crate::model::timeline::episode::Episode;
pub use crate::model::timeline::lines::{LineFact, LineOwner};
pub use crate::model::timeline::lives::{
    ClaimLife, PodLife, Recorded, ReplicasChange, ServiceLife, SetLife, StepLife, WatchGap,
};
pub use crate::model::timeline::relevance::SubmissionPart;
pub use crate::model::timeline::settled::SettledPeriod;
pub use crate::model::timeline::states::{PodState, StateChange};
pub use crate::model::timeline::{MAX_REPLICAS, Timeline};
pub use crate::model::verdict::{Criterion, Outcome, Standing, Unreadable, Verdict};
pub use crate::model::waits::WaitStatus;
