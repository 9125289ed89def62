//! The tour's words, as every page that tells of its steps says them.

use std::time::Duration;

use checks::model::observation::{Kind, Phase, RequestedChange, Step, StepName};

use crate::console::{count::counted, sanitize::sanitize};

/// What a step does.
#[must_use]
pub const fn step(name: StepName) -> &'static str {
    match name {
        StepName::Apply => "apply the manifests",
        StepName::WaitUntilSettled => "wait until the set is settled",
        StepName::Inspect => "read files, ask DNS",
        StepName::Replace => "replace a pod",
        StepName::ScaleUp => "scale up",
        StepName::ScaleDown => "scale down",
        StepName::ScaleBack => "bring the pods back",
        StepName::Restore => "put everything back",
    }
}

/// How a step ended; of one that has only begun, that it runs.
#[must_use]
pub const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Begin => "running",
        Phase::Done => "done",
        Phase::Stuck => "stuck",
        Phase::TimedOut => "out of time",
        Phase::Refused => "refused",
        Phase::Interrupted => "interrupted",
    }
}

/// How a step ended, with what was said then.
#[must_use]
pub fn step_end(end: &Step) -> String {
    let how = phase(end.phase);
    end.answer.as_deref().map_or_else(|| how.to_owned(), |it| format!("{how}: {}", sanitize(it)))
}

/// What the grader asks for in a step.
#[must_use]
pub fn requested(change: &RequestedChange) -> String {
    match change {
        RequestedChange::Replicas(replicas) => counted(replicas, "replica", "replicas"),
        RequestedChange::Delete(pod) => format!("delete {}", sanitize(&pod.name)),
    }
}

/// The objects of a kind, in the plural.
#[must_use]
pub const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::StatefulSet => "StatefulSets",
        Kind::Pod => "pods",
        Kind::PersistentVolumeClaim => "PVCs",
        Kind::Service => "Services",
        Kind::EndpointSlice => "EndpointSlices",
        Kind::Event => "Events",
    }
}

/// A time since the recording began: `2.1 s`, from a minute on `1:02.1`, from an hour on `1:02:03`.
#[must_use]
pub fn time(since: Duration) -> String {
    let tenths = since.as_millis() / 100;
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}.{tenth} s"),
        (0, _) => format!("{minutes}:{:02}.{tenth}", seconds % 60),
        _ => format!("{hours}:{:02}:{:02}", minutes % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use checks::model::observation::RequestedChange;

    use super::{requested, time};

    /// Catches `1 replicas`.
    #[test]
    fn one_replica_is_singular() {
        let told = [0, 1, 2].map(|it| requested(&RequestedChange::Replicas(it)));
        assert_eq!(told, ["0 replicas", "1 replica", "2 replicas"]);
    }

    #[test]
    fn long_times_are_minutes_and_hours() {
        let told = [2_190, 62_100, 3_723_900].map(|it| time(Duration::from_millis(it)));
        assert_eq!(told, ["2.1 s", "1:02.1", "1:02:03"]);
    }
}
