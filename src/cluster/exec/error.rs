//! Why a command in a container gave no output.

use checks::model::{
    evidence::unreadable::{NO_PERMISSION, NO_SHELL},
    observation::NOT_DONE,
};
use thiserror::Error;

/// Why a command could not be run, or what it said was not received. The text of each is what a
/// recording keeps and a report shows.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ExecError {
    /// The image has no shell.
    #[error("{NO_SHELL}")]
    NoShell,
    /// The command took longer than this many seconds.
    #[error("{NOT_DONE} {0} s")]
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
    /// No container of our own came up in the time that it has: why, in words. A pull that failed
    /// may succeed later, but each try takes long and leaves a container behind.
    #[error("{0}")]
    NoProbeYet(String),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

impl ExecError {
    /// Whether every further try fails in the same way, as far as a grade can wait. Other errors
    /// pass: a container that was started again, an API server that does not answer, a slow node.
    pub(crate) const fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::NoShell | Self::Forbidden | Self::Gone | Self::NoProbe(_) | Self::NoProbeYet(_)
        )
    }

    /// Whether the command may have done its work, or part of it.
    pub(crate) const fn may_have_run(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::CutOff)
    }
}

#[cfg(test)]
mod tests {
    use checks::model::Unreadable;

    use super::ExecError;

    /// Catches a report that does not say what to do, because a recording has other words than it
    /// looks for.
    #[test]
    fn a_report_knows_these_words() {
        let named = |error: ExecError| Unreadable::recorded(&error.to_string());
        assert_eq!(named(ExecError::NoShell), Some(Unreadable::NoShell));
        assert_eq!(named(ExecError::Forbidden), Some(Unreadable::NoPermission));
        assert_eq!(named(ExecError::Gone), None);
    }
}
