//! The cluster: everything that is async, and everything that knows kube.

mod alive;
mod answers;
pub mod apply;
mod cleanup;
pub mod connect;
mod deletion;
mod diagnose;
mod dns;
pub mod elsewhere;
pub mod error;
mod exec;
mod frames;
pub mod grade;
mod inspect;
pub mod interrupt;
pub mod journal;
mod lease;
mod mounts;
pub mod pace;
mod patience;
mod plugin;
pub mod preflight;
mod probe;
pub mod recorder;
mod requests;
pub mod restore;
mod settled;
mod tour;
mod wire;
pub mod witness;

pub use connect::{Cluster, Options};
pub use error::{Failure, Tried};
pub use interrupt::{Interrupt, Signal};
pub use journal::{Awaiting, Journal, Waited};
pub use recorder::Recorder;
pub use requests::{Call, Requests, Tries};
