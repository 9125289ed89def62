//! Whose doing it is that a container ends, or that a pod does.

use crate::model::observation::object::{ContainerStatus, Pod, Terminated};

/// Words of the container runtimes about a program that the container cannot run.
const NO_PROGRAM: [&str; 7] = [
    "exec: \"",
    "executable file",
    "exec /",
    "open executable",
    "exec format error",
    "chdir to cwd",
    // The user of `runAsUser`, or of the image.
    "no matching entries in passwd",
];
/// Words of the container runtimes about a program of their own, or about what the node lacks for
/// any program.
const NODES_PROGRAM: [&str; 6] = [
    "failed to start shim",
    "unable to retrieve oci runtime error",
    "fork/exec",
    "resource temporarily unavailable",
    "cannot allocate memory",
    "too many open files",
];
/// A mount of the template whose two ends do not fit: such as a `subPath` that is not there, and so
/// becomes a folder, on a file of the image.
const FOLDER_ON_FILE: &str = "are you trying to mount a directory onto a file";
/// The kernel ended the container's first process for its memory before that ran its program.
const TOO_LITTLE_MEMORY: &str = "memory limit too low";

/// Whether a message of the kubelet is about the container's own program or mounts: the runtime
/// cannot start it as its template describes it.
pub(crate) fn cannot_start_as_described(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let has_any = |phrases: &[&str]| phrases.iter().any(|it| has_at_word(&message, it));
    let lacks_program = has_any(&NO_PROGRAM) && !has_any(&NODES_PROGRAM);
    lacks_program || message.contains(FOLDER_ON_FILE)
}

/// Whether a text has a phrase that does not begin within a word or a path.
fn has_at_word(text: &str, phrase: &str) -> bool {
    let goes_on = |it: char| it.is_alphanumeric() || it == '/';
    text.match_indices(phrase).any(|(at, _)| !text[..at].ends_with(goes_on))
}

impl Terminated {
    /// Whether no process of the container ran: the runtime could not start it.
    pub(crate) fn is_failed_start(&self) -> bool {
        matches!(self.reason.as_str(), "StartError" | "ContainerCannotRun")
    }

    /// Whether the kernel ended it for its memory.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        let at_its_start = || self.message.to_ascii_lowercase().contains(TOO_LITTLE_MEMORY);
        self.reason == "OOMKilled" || self.is_failed_start() && at_its_start()
    }

    /// Whether the container itself ended, or its template did not let it start: as opposed to what
    /// was lost with its node or with the runtime, and to what the node could not start.
    ///
    /// In a pod that something [removes](disruption_of), or whose deletion was requested, this says
    /// nothing.
    pub(crate) fn is_own_doing(&self) -> bool {
        // The kubelet does not know what became of the container: its node, or the runtime, was
        // started again.
        const UNKNOWN: i32 = 255;
        let is_lost = self.reason == "ContainerStatusUnknown"
            || self.reason == "Unknown" && self.exit_code == UNKNOWN;
        let is_of_the_node = self.is_failed_start()
            && !self.is_out_of_memory()
            && !cannot_start_as_described(&self.message);
        !is_lost && !is_of_the_node
    }
}

impl ContainerStatus {
    /// How its last run ended.
    pub(crate) fn last_end(&self) -> Option<&Terminated> {
        self.state.terminated.as_ref().or(self.last_state.terminated.as_ref())
    }
}

/// What removes a pod other than its set, in the cluster's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disruption<'p> {
    /// Such as `Evicted`, or `EvictionByEvictionAPI`.
    pub(crate) reason: &'p str,
    pub(crate) message: &'p str,
}

/// What removes a pod other than its set: the kubelet (`status.reason`), or an eviction, a
/// preemption or the end of its node (the condition `DisruptionTarget`).
///
/// The kubelet of Kubernetes before 1.26 sets no condition.
pub(crate) fn disruption_of(pod: &Pod) -> Option<Disruption<'_>> {
    let status = &pod.status;
    if !status.reason.is_empty() {
        return Some(Disruption { reason: &status.reason, message: &status.message });
    }
    let mut conditions = status.conditions.iter();
    conditions
        .find(|it| it.r#type == "DisruptionTarget" && it.status == "True")
        .map(|it| Disruption { reason: &it.reason, message: &it.message })
}

#[cfg(test)]
mod tests {
    use super::cannot_start_as_described;

    /// Catches a program of the node that is taken for the container's, and a container whose
    /// program or mount is at fault and that is not recognised.
    #[test]
    fn the_container_s_own_program_is_not_the_node_s() {
        for message in [
            "OCI runtime create failed: runc create failed: unable to start container process: \
            exec: \"bash\": executable file not found in $PATH: unknown",
            "exec /usr/local/bin/run.sh: exec format error",
            "crun: open executable: Permission denied: OCI permission denied",
            "unable to start container process: error during container init: error mounting \
            \"/volumes/c\" to rootfs at \"/etc/app.conf\": not a directory: unknown: Are you \
            trying to mount a directory onto a file (or vice-versa)?",
        ] {
            assert!(cannot_start_as_described(message), "{message}");
        }
        for message in [
            "failed to create task for container: failed to start shim: start failed: fork/exec \
            /usr/bin/containerd-shim-runc-v2: resource temporarily unavailable",
            "fork/exec /usr/bin/runc: no such file or directory",
            "OCI runtime create failed: unable to retrieve OCI runtime error (open log.json: no \
            such file or directory): exec: \"runc\": executable file not found in $PATH",
            "unable to start container process: exec: \"sh\": cannot allocate memory",
            "unable to apply cgroup configuration: mkdir /sys/fs/cgroup/kubepods: no space left \
            on device",
            "failed to mount rootfs component: invalid argument",
        ] {
            assert!(!cannot_start_as_described(message), "{message}");
        }
    }
}
