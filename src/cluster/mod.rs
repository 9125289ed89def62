//! The cluster: everything that is async, and everything that knows kube.

pub mod connect;
pub mod error;
mod exec;
mod frames;
pub mod journal;
pub mod recorder;
mod requests;

pub use connect::{Cluster, Options};
pub use error::{Failure, Tried};
pub use journal::{Awaiting, Journal, Waited};
pub use recorder::Recorder;
pub use requests::{Call, Requests, Tries};
