//! States: what a pod was at each moment, for whoever shows its life. No check asks for them.

use crate::model::{
    observation::{
        Seq,
        object::{ContainerStatus, Pod},
    },
    timeline::{
        lives::{PodLife, condition_true},
        runs::long_running,
    },
};

/// What a pod is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodState {
    /// Not all its containers have started, or its phase is not known.
    Pending,
    /// Its phase is Running, and it is not Ready.
    Running,
    /// A container of it has ended and does not run: `kubectl get pods` tells of Error, Completed or
    /// CrashLoopBackOff. Its phase may be Running all the time.
    Stopped,
    /// Its condition Ready is true.
    Ready,
    /// Its phase is Succeeded or Failed: no container runs again.
    Ended,
    /// Its deletion was requested.
    Terminating,
}

impl PodState {
    /// What the object says of itself.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        if pod.metadata.deletion_timestamp.is_some() {
            return Self::Terminating;
        }
        if condition_true(pod, "Ready") {
            return Self::Ready;
        }
        match pod.status.phase.as_str() {
            "Succeeded" | "Failed" => Self::Ended,
            _ if has_stopped(pod) => Self::Stopped,
            "Running" => Self::Running,
            _ => Self::Pending,
        }
    }
}

/// Whether a container has ended that is meant to stay up, or waits to be started again. An init
/// container that has ended well is done.
fn has_stopped(pod: &Pod) -> bool {
    let waits_again =
        |it: &ContainerStatus| it.state.waiting.is_some() && it.last_state.terminated.is_some();
    let failed =
        |it: &ContainerStatus| it.state.terminated.as_ref().is_some_and(|end| end.exit_code != 0);
    long_running(pod).any(|it| it.state.terminated.is_some())
        || pod.status.all_containers().any(|it| waits_again(it) || failed(it))
}

/// A pod is in another state from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The line that first shows it.
    pub seq: Seq,
    /// That moment, in nanoseconds since the recording began.
    pub at: u64,
    /// What the pod is from then on.
    pub state: PodState,
}

impl PodLife {
    /// The states that it was in, in order; the last one lasts until it is deleted.
    #[must_use]
    pub fn states(&self) -> &[StateChange] {
        &self.states
    }

    /// How often its containers were started again, as `kubectl get pods` counts.
    #[must_use]
    pub fn restarts(&self) -> i32 {
        let statuses = &self.pod.status.container_statuses;
        statuses.iter().fold(0, |sum, it| sum.saturating_add(it.restart_count))
    }

    /// Takes in the state that the newest object tells of.
    pub(crate) fn take_state(&mut self, seq: Seq, at: u64) {
        let state = PodState::of(&self.pod);
        if self.states.last().is_none_or(|last| last.state != state) {
            self.states.push(StateChange { seq, at, state });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        PodState,
        PodState::{Pending, Ready, Running, Stopped, Terminating},
    };
    use crate::model::{
        observation::{
            ObjectChange,
            object::{ContainerState, ContainerStatus, Pod, Terminated, Waiting},
        },
        testing::history::History,
    };

    /// Catches a state that is told twice, or one that a later line takes away.
    #[test]
    fn a_life_goes_from_pending_to_terminating() {
        let history = History::created()
            .add(3)
            .pod(3, ObjectChange::Modified, |pod| pod.status.phase = "Running".to_owned())
            .ready(3)
            .pod(3, ObjectChange::Modified, |pod| pod.status.pod_ip = "10.0.0.9".to_owned())
            .down(3);
        let timeline = history.timeline();
        let states: Vec<_> = timeline.lane(3)[0].states().iter().map(|it| it.state).collect();
        assert_eq!(states, [Pending, Running, Ready, Terminating]);
        assert!(timeline.lane(3)[0].states().is_sorted_by_key(|it| (it.seq, it.at)));
    }

    #[test]
    fn a_pod_that_is_not_ready_any_more_runs() {
        let history = History::created()
            .pod(0, ObjectChange::Modified, |pod| pod.status.phase = "Running".to_owned())
            .unready(0);
        let timeline = history.timeline();
        assert_eq!(timeline.lane(0)[0].states().last().map(|it| it.state), Some(Running));
    }

    fn terminated(exit_code: i32) -> ContainerState {
        let end = Terminated { exit_code, ..Terminated::default() };
        ContainerState { terminated: Some(end), ..ContainerState::default() }
    }

    /// Catches a crash loop that is shown as one long Running.
    #[test]
    fn a_container_that_ended_has_stopped_its_pod() {
        let of = |state, last_state, is_init: bool| {
            let mut pod = Pod::default();
            pod.status.phase = if is_init { "Pending" } else { "Running" }.to_owned();
            let status = ContainerStatus { state, last_state, ..ContainerStatus::default() };
            if is_init {
                pod.status.init_container_statuses.push(status);
            } else {
                pod.status.container_statuses.push(status);
            }
            PodState::of(&pod)
        };
        let none = ContainerState::default;
        let waits = || ContainerState { waiting: Some(Waiting::default()), ..none() };
        assert_eq!(of(terminated(0), none(), false), Stopped);
        assert_eq!(of(terminated(1), none(), false), Stopped);
        assert_eq!(of(waits(), terminated(0), false), Stopped);
        assert_eq!(of(waits(), none(), false), Running);
        assert_eq!(of(none(), terminated(1), false), Running);
        assert_eq!(of(terminated(0), none(), true), Pending);
        assert_eq!(of(terminated(1), none(), true), Stopped);
        assert_eq!(of(waits(), terminated(1), true), Stopped);
    }
}
