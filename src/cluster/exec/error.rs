//! Why a command in a container gave no output.

use thiserror::Error;

/// What a recording says of a container whose image has no shell. A report looks for these words.
pub(crate) const NO_SHELL: &str = "there is no shell in the image";
/// What a recording says of a user who may not run commands in pods. A report looks for these words.
pub(crate) const NO_PERMISSION: &str = "no permission to run commands in pods";

/// Why a command could not be run, or what it said was not received. The text of each is what a
/// recording keeps and a report shows.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ExecError {
    /// The image has no shell.
    #[error("{NO_SHELL}")]
    NoShell,
    /// The command took longer than this many seconds.
    #[error("not done within {0} s")]
    TimedOut(u64),
    /// The connection or the container ended before the command did, as far as is known.
    #[error("the container or the connection ended before the command did")]
    CutOff,
    /// The user may not run commands in pods.
    #[error("{NO_PERMISSION} (get on pods/exec, from Kubernetes 1.35 on also create)")]
    Forbidden,
    /// The pod no longer exists.
    #[error("the pod is gone")]
    Gone,
    /// No container of our own runs in the pod, and a further one would not either: why, in words.
    #[error("{0}")]
    NoProbe(String),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

impl ExecError {
    /// Whether every further try fails in the same way. Other errors pass: a container that was
    /// started again, an API server that does not answer, a slow node.
    pub(crate) const fn is_permanent(&self) -> bool {
        matches!(self, Self::NoShell | Self::Forbidden | Self::Gone | Self::NoProbe(_))
    }

    /// Whether the command may have done its work, or part of it.
    pub(crate) const fn may_have_run(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::CutOff)
    }
}
