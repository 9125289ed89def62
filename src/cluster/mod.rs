//! The cluster: everything that knows kube, and most of what is async.

pub mod budget;
pub mod client;
mod dns;
pub(crate) mod exec;
pub mod grade;
mod inspect;
pub mod interrupt;
pub mod isolation;
pub mod passive;
pub mod restore;
pub mod server_version;
pub mod watch;
pub mod workers;
pub mod writes;

pub use crate::cluster::client::connect::{Cluster, Options};
pub use crate::cluster::client::error::{Failure, Tried};
pub use crate::cluster::client::request_layer::{Call, MaxTries, Requests};
pub use crate::cluster::interrupt::{Interrupt, Signal};
pub use crate::cluster::watch::Recorder;
pub use crate::cluster::watch::journal::{Awaiting, Culprit, Journal, WaitResult, WatchOutage};

/// The name of the objects that the grader makes for itself.
pub(crate) const OBJECT_NAME: &str = "stsgrade";
