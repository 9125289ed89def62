//! Containers that the kubelet ends because a probe of theirs fails: its Events tell that before the
//! pod's status tells of the end.

use crate::model::{
    observation::{NANOS_PER_SECOND, object::Event},
    timeline::uptime::Moment,
};

/// How much later than its grace period a container's end is told at most.
const MAX_LAG_NANOS: u64 = 10 * NANOS_PER_SECOND;

/// How often the kubelet has said so of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kills {
    count: i32,
    /// When it did last, in nanoseconds since the recording began.
    at: u64,
    /// Until when the container may still be told as running, by its grace period.
    until: u64,
}

impl Kills {
    /// `count` times until now.
    pub(super) fn told(count: i32, at: u64, grace_seconds: i64) -> Self {
        let grace = u64::try_from(grace_seconds).unwrap_or(0).saturating_mul(NANOS_PER_SECOND);
        Self { count, at, until: at.saturating_add(grace).saturating_add(MAX_LAG_NANOS) }
    }

    /// For how long a run of the container may still be told as running although the kubelet ends
    /// it, in nanoseconds; 0 where it does not. `number`: the restart count. Each end that the
    /// kubelet has told of begins another run.
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
