//! Containers that the kubelet ends because a probe of theirs fails: its Events tell that before the
//! pod's status tells of the end.

use crate::model::{
    observation::{NANOS_PER_SECOND, object::Event},
    timeline::uptime::Moment,
};

/// How long after the grace period the status may still show the container as running, in
/// nanoseconds.
const MAX_LAG_NANOS: u64 = 10 * NANOS_PER_SECOND;

/// How often the kubelet has ended one container because a probe failed, by its Events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kills {
    count: i32,
    /// When the last such Event came, in nanoseconds since the recording began.
    at: u64,
    /// Until when the status may still show the container as running, by its grace period.
    until: u64,
}

impl Kills {
    /// The kubelet has told of `count` such ends; the last Event came at `at`.
    pub(super) fn told(count: i32, at: u64, grace_seconds: i64) -> Self {
        let grace = u64::try_from(grace_seconds).unwrap_or(0).saturating_mul(NANOS_PER_SECOND);
        Self { count, at, until: at.saturating_add(grace).saturating_add(MAX_LAG_NANOS) }
    }

    /// For how long the status may still show a run as running although the kubelet ends it, in
    /// nanoseconds; 0 where the kubelet does not end it.
    ///
    /// `number` is the restart count of the run. Each end leads to one more restart, so the kubelet
    /// is ending this run when it has told of more ends than there were restarts.
    pub(super) fn time_to_end(&self, number: i32, moment: Moment) -> u64 {
        let is_being_ended = self.count > number && self.at <= moment.at;
        if is_being_ended { self.until.saturating_sub(moment.at) } else { 0 }
    }
}

/// The container that the kubelet ends because its liveness or startup probe fails, in its own words
/// (`computePodActions` in `pkg/kubelet/kuberuntime/kuberuntime_manager.go`).
pub(crate) fn ended_for_a_probe(event: &Event) -> Option<&str> {
    let rest = event.message.strip_prefix("Container ").filter(|_| event.reason == "Killing")?;
    let (container, why) = rest.split_once(" failed ")?;
    let probes = ["liveness probe", "startup probe"];
    probes.iter().any(|it| why.starts_with(it)).then_some(container)
}
