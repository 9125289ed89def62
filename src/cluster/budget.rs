//! How long each step may take: generous, from what the set itself says of its pods.

use std::time::Duration;

use checks::model::observation::object::{Container, PodSpec, Probe, StatefulSetSpec};

/// What a pod of the set may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepBudget {
    /// For one pod to stop: its grace period.
    grace: Duration,
    /// The longest grace period that is waited for.
    max_grace: Duration,
    /// For one pod to become available: its start, its probes, `minReadySeconds`.
    start: Duration,
}

/// For what no pod explains: a busy API server, a slow node.
const BASE: Duration = Duration::from_secs(60);
/// For one pod to be scheduled, its volume mounted, its container started.
const START: Duration = Duration::from_secs(30);
/// For the kubelet to tidy up after a pod.
const TIDY: Duration = Duration::from_secs(15);
/// For images that are not on the node yet.
const PULL: Duration = Duration::from_secs(60);
/// Nothing that a manifest asks for makes one pod wait longer than this.
const MAX_SECONDS_PER_POD: i64 = 600;
/// The same, of a pod that is to go, unless `--timeout` allows more.
pub const MAX_GRACE: Duration = Duration::from_secs(600);
/// The longest `--timeout`.
const MAX_TIMEOUT_SECONDS: i64 = 7 * 24 * 3600;

impl StepBudget {
    /// Of a set.
    #[must_use]
    pub fn of(spec: &StatefulSetSpec) -> Self {
        Self::within(spec, None)
    }

    /// Of a set, by somebody who allows the whole that time.
    #[must_use]
    pub fn within(spec: &StatefulSetSpec, timeout: Option<Duration>) -> Self {
        let pod = &spec.template.spec;
        let max_grace = timeout.map_or(MAX_GRACE, |it| it.max(MAX_GRACE));
        let grace = asked_grace(pod).min(max_grace);
        let probes: i64 = pod.all_containers().map(probing).max().unwrap_or(0);
        // Twice: where the controller looks at the pod just before it is available, the next look
        // may come minReadySeconds later. Source: Kubernetes 1.34,
        // pkg/controller/statefulset/stateful_set.go, syncStatefulSet.
        let ready = 2 * i64::from(spec.min_ready_seconds);
        Self { grace, max_grace, start: START + seconds(probes.saturating_add(ready)) }
    }

    /// For so many pods to come, one after the other.
    #[must_use]
    pub fn scale_up(self, pods: i32) -> Duration {
        BASE + self.start * count(pods)
    }

    /// For the first settling: images may have to be pulled, and pods may have to go first, one after
    /// the other, as in a rolling update. Each of these may take the time in `graces` to stop.
    #[must_use]
    pub fn settle(self, pods: i32, graces: impl IntoIterator<Item = Duration>) -> Duration {
        let going = graces.into_iter().map(|it| it.min(self.max_grace) + TIDY);
        PULL + self.scale_up(pods) + going.sum::<Duration>()
    }

    /// For so many pods to go, one after the other.
    #[must_use]
    pub fn scale_down(self, pods: i32) -> Duration {
        BASE + (self.grace + TIDY) * count(pods)
    }

    /// For one pod to go and its successor to come.
    #[must_use]
    pub fn replace(self) -> Duration {
        self.scale_down(1) + self.start
    }

    /// How long so many removals take where no app obeys SIGTERM.
    #[must_use]
    pub fn worst_removal(self, pods: i32) -> Duration {
        self.grace * count(pods)
    }
}

/// What a pod asks for to stop.
#[must_use]
pub fn asked_grace(pod: &PodSpec) -> Duration {
    let seconds = pod.grace_seconds().clamp(0, MAX_TIMEOUT_SECONDS);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn probing(container: &Container) -> i64 {
    container.startup_probe.as_ref().map_or(0, Probe::seconds_to_fail)
        + container.readiness_probe.as_ref().map_or(0, Probe::seconds_to_fail)
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds.clamp(0, MAX_SECONDS_PER_POD)).unwrap_or(0))
}

fn count(pods: i32) -> u32 {
    u32::try_from(pods.max(1)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use checks::model::observation::object::{
        Container, PodSpec, PodTemplate, Probe, StatefulSetSpec,
    };

    use super::StepBudget;

    fn set(
        grace: Option<i64>,
        min_ready_seconds: i32,
        readiness_probe: Option<Probe>,
    ) -> StepBudget {
        StepBudget::of(&spec(grace, min_ready_seconds, readiness_probe))
    }

    fn spec(
        grace: Option<i64>,
        min_ready_seconds: i32,
        readiness_probe: Option<Probe>,
    ) -> StatefulSetSpec {
        let container = Container { readiness_probe, ..Container::default() };
        let pod = PodSpec {
            termination_grace_period_seconds: grace,
            containers: vec![container],
            ..PodSpec::default()
        };
        StatefulSetSpec {
            min_ready_seconds,
            template: PodTemplate { spec: pod, ..PodTemplate::default() },
            ..StatefulSetSpec::default()
        }
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn budgets_grow_with_what_the_set_asks_for() {
        let plain = set(None, 0, None);
        assert_eq!(
            (plain.scale_up(3), plain.scale_down(5), plain.replace(), plain.settle(3, [])),
            (s(150), s(285), s(135), s(210))
        );
        assert_eq!(set(None, 10, None).scale_up(2), s(160));
        let probe = Probe {
            initial_delay_seconds: 20,
            period_seconds: 10,
            failure_threshold: 3,
            timeout_seconds: 1,
        };
        assert_eq!(set(None, 0, Some(probe)).scale_up(1), s(140));
        assert_eq!(set(Some(0), 0, None).scale_down(2), s(90));
        assert_eq!(set(None, 0, None).worst_removal(6), s(180));
    }

    /// Catches a first wait that is too short for a rolling update, in which each pod goes first.
    #[test]
    fn pods_that_have_to_go_first_get_their_grace_periods() {
        let plain = set(None, 0, None);
        assert_eq!(plain.settle(3, [s(120), s(120), s(120)]), s(210 + 3 * 135));
        assert_eq!(plain.settle(3, [s(30)]), s(255));
        assert_eq!(plain.settle(3, [s(3600)]), s(210 + 615));
        let allowed = StepBudget::within(&spec(None, 0, None), Some(s(3000)));
        assert_eq!(allowed.settle(3, [s(3600)]), s(210 + 3015));
    }

    #[test]
    fn no_manifest_makes_it_endless() {
        assert_eq!(set(Some(i64::MAX), 0, None).scale_down(1), s(675));
        assert_eq!(set(Some(-5), i32::MAX, None).scale_up(1), s(690));
    }

    /// Catches a `--timeout` that does not give a pod the time that it asks for, and a short one that
    /// takes some away.
    #[test]
    fn a_long_grace_period_is_waited_for_where_it_is_allowed() {
        let hour = spec(Some(3600), 0, None);
        let removal = |timeout| StepBudget::within(&hour, timeout).worst_removal(1);
        assert_eq!(removal(None), s(600));
        assert_eq!(removal(Some(s(60))), s(600));
        assert_eq!(removal(Some(s(3000))), s(3000));
        assert_eq!(removal(Some(s(9000))), s(3600));
    }
}
