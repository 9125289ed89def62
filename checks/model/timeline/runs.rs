//! The runs of a pod's containers: how long each lasted, and which ended by its own doing.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    observation::{
        NANOS_PER_SECOND, Seq,
        object::{ContainerStatus, Pod, Terminated},
    },
    stamp,
    timeline::{kills::Kills, lives::PodLife, uptime::Moment},
};

/// A run of this length is not a failed start: after ten minutes the kubelet itself forgets how
/// often a container has ended
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>).
const RECOVERED_NANOS: u64 = 600 * NANOS_PER_SECOND;
/// By how much a run must be longer than another: stamps are whole seconds, and the kubelet sees an
/// end up to a second late.
const MARGIN_NANOS: u64 = 2 * NANOS_PER_SECOND;

/// What is known of the runs of one container that is meant to stay up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContainerRuns {
    container: String,
    /// How many of its runs are known to have ended.
    over: i32,
    /// The longest run that ended by its own doing, in nanoseconds; `None` where none did.
    longest: Option<u64>,
    /// The same, of the pods that the ordinal had before: see [`PodLife::ended_before`].
    before: Option<u64>,
    /// The first line that shows a run that ended by its own doing.
    first_own_end: Option<Seq>,
    /// The last such line.
    pub(crate) last_own_end: Option<Seq>,
    /// The run that was last told of as running.
    present: Option<Run>,
    is_running: bool,
    /// That the kubelet ends it for a probe.
    kills: Kills,
    /// Which start of it was told of last, the restart count, and when that was first told, in
    /// nanoseconds since the recording began.
    newest: Option<(i32, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Which start of the container: the restart count.
    number: i32,
    /// By the node's clock, in seconds since the epoch.
    started: Option<i64>,
    /// When it was first told to run, in nanoseconds since the recording began.
    seen_at: u64,
    /// How long it lasted, in nanoseconds, where it ended otherwise than by its own doing.
    lasted: Option<u64>,
}

/// Under what circumstances a line tells of a pod's containers.
pub(crate) struct Circumstances {
    pub(crate) seq: Seq,
    pub(crate) at: u64,
    /// The pod has been asked to go.
    pub(crate) is_terminating: bool,
    /// When that was by the server's clock, in seconds since the epoch, where it is known.
    pub(crate) deletion_requested_epoch_seconds: Option<i64>,
    /// Something else than its set [removes](super::ends::disruption_of) the pod.
    pub(crate) is_disrupted: bool,
}

impl ContainerRuns {
    /// Takes in what a line tells of the container.
    pub(super) fn update(&mut self, status: &ContainerStatus, now: &Circumstances) {
        if self.newest.is_none_or(|(number, _)| number != status.restart_count) {
            self.newest = Some((status.restart_count, now.at));
        }
        for (number, ended) in ends(status) {
            if number < self.over {
                continue;
            }
            self.over = number.saturating_add(1);
            let run = self.present.filter(|it| it.number == number);
            let lasted = length(ended)
                .unwrap_or_else(|| run.map_or(0, |it| now.at.saturating_sub(it.seen_at)));
            if is_own_doing(ended, now) {
                self.present = None;
                if lasted < RECOVERED_NANOS {
                    self.longest = Some(self.longest.unwrap_or(0).max(lasted));
                    self.first_own_end.get_or_insert(now.seq);
                    self.last_own_end = Some(now.seq);
                }
            } else if let Some(run) = self.present.as_mut().filter(|it| it.number == number) {
                run.lasted = Some(lasted);
            }
        }
        // Once the pod has been asked to go, that it does not run says nothing more.
        if !now.is_terminating {
            self.is_running = status.state.running.is_some();
        }
        let number = status.restart_count;
        if let Some(running) = &status.state.running
            && self.present.is_none_or(|run| run.number != number)
        {
            // How the one before ended was not told, or is forgotten.
            self.over = self.over.max(number);
            self.present = Some(Run {
                number,
                started: running.started_at.as_deref().and_then(stamp::epoch),
                seen_at: now.at,
                lasted: None,
            });
        }
    }

    /// For how long the present run has lasted, at least, in nanoseconds.
    pub(super) fn lasted(&self, moment: Moment) -> u64 {
        let Some(run) = self.present else { return 0 };
        let by_clock = moment.clock.zip(run.started);
        let by_clock = by_clock.map_or(0, |(now, started)| seconds(now - started));
        run.lasted.unwrap_or(0).max(moment.at.saturating_sub(run.seen_at)).max(by_clock)
    }

    /// For how long the present run may still be told as running although the kubelet ends it, in
    /// nanoseconds; 0 where it does not.
    fn time_to_be_ended(&self, moment: Moment) -> u64 {
        self.present.map_or(0, |run| self.kills.time_to_end(run.number, moment))
    }

    /// How much longer the present run must last, in nanoseconds, to outlast what ended by its own
    /// doing, and what others did. While the kubelet ends it, it does not last.
    fn lacks(&self, moment: Moment, others: Option<u64>) -> u64 {
        let ending = self.time_to_be_ended(moment);
        let Some(longest) = self.longest.max(self.before).max(others) else { return ending };
        (longest + MARGIN_NANOS).saturating_sub(self.lasted(moment)).max(ending)
    }

    /// The longest run that ended by its own doing, in this pod or before it, and that no run has
    /// outlasted, in nanoseconds.
    fn not_outlasted(&self, moment: Moment) -> Option<u64> {
        let is_up = self.is_running && self.lacks(moment, None) == 0;
        self.longest.max(self.before).filter(|_| !is_up)
    }
}

impl PodLife {
    /// Takes in what a line tells of the pod's containers.
    pub(crate) fn take_runs(&mut self, now: &Circumstances) {
        /// More containers are not looked at: each costs a search among the others. A pod keeps its
        /// containers, whatever lines say of it.
        const MAX_CONTAINERS: usize = 500;
        let Self { pod, runs, ended_before, .. } = self;
        for status in long_running(pod).take(MAX_CONTAINERS) {
            let known = runs.iter().position(|it| it.container == status.name);
            let place = match known {
                Some(place) => place,
                None if runs.len() == MAX_CONTAINERS => continue,
                None => {
                    runs.push(ContainerRuns {
                        container: status.name.clone(),
                        before: ended_before.get(&status.name).copied(),
                        ..ContainerRuns::default()
                    });
                    runs.len() - 1
                }
            };
            runs[place].update(status, now);
        }
    }

    /// Takes in that the kubelet has said, so often until now, that it ends a container because a
    /// probe fails.
    pub(crate) fn take_kills(&mut self, container: &str, count: i32, at: u64) {
        let grace_seconds = self.spec().grace_seconds();
        if let Some(runs) = self.runs.iter_mut().find(|it| it.container == container) {
            runs.kills = Kills::told(count, at, grace_seconds);
        }
    }

    /// Whether the kubelet ends one of its containers because a probe fails, which then still counts
    /// as running.
    pub(super) fn is_being_ended(&self, moment: Moment) -> bool {
        self.runs.iter().any(|it| it.is_running && it.time_to_be_ended(moment) > 0)
    }

    /// The longest runs that ended by their own doing and that no run has outlasted at this moment,
    /// in this pod or before it, in nanoseconds, by container.
    pub(super) fn not_outlasted(&self, moment: Moment) -> BTreeMap<String, u64> {
        let mut known = self.ended_before.clone();
        for it in &self.runs {
            match it.not_outlasted(moment) {
                Some(longest) => known.insert(it.container.clone(), longest),
                None => known.remove(&it.container),
            };
        }
        known
    }

    /// The last line that shows a container of the pod that ended by its own doing.
    #[must_use]
    pub fn last_own_end(&self) -> Option<Seq> {
        self.runs.iter().filter_map(|it| it.last_own_end).max()
    }

    /// The first line that shows a container of the pod that ended by its own doing.
    pub(crate) fn first_own_end(&self) -> Option<Seq> {
        self.runs.iter().filter_map(|it| it.first_own_end).min()
    }

    /// Whether all its runs that ended by their own doing did so at once, as far as stamps of whole
    /// seconds tell.
    pub(crate) fn ends_at_once(&self) -> bool {
        self.runs.iter().filter_map(|it| it.longest).all(|it| it <= MARGIN_NANOS)
    }

    /// The longest run of a container that ended by its own doing, in nanoseconds.
    pub(crate) fn longest_run(&self, container: &str) -> Option<u64> {
        self.runs.iter().find(|it| it.container == container)?.longest
    }

    /// The containers that are meant to stay up and that were told of.
    pub(super) fn containers_that_ran(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().map(|it| it.container.as_str())
    }

    /// Those of them of which a run ended by its own doing.
    pub(super) fn containers_that_ended(&self) -> impl Iterator<Item = &str> {
        let ended = self.runs.iter().filter(|it| it.longest.is_some());
        ended.map(|it| it.container.as_str())
    }

    /// When the newest start of a container was first told of, in nanoseconds since the recording
    /// began; `None` for one that is not meant to stay up.
    pub(crate) fn started_at(&self, container: &str) -> Option<u64> {
        let (_, at) = self.runs.iter().find(|it| it.container == container)?.newest?;
        Some(at)
    }

    /// Whether its containers run, and each has outlasted all its runs that ended by its own doing.
    ///
    /// Of a pod that was asked to go, whether that was so then.
    pub(crate) fn is_up(&self, moment: Moment) -> bool {
        self.runs.iter().all(|it| it.is_running && it.lacks(moment, None) == 0)
    }

    /// Whether a container of it, where it has one of that name, has outlasted a run of that
    /// length.
    pub(crate) fn outlasts(&self, container: &str, run: u64, moment: Moment) -> bool {
        self.runs
            .iter()
            .filter(|it| it.container == container)
            .all(|it| it.is_running && it.lacks(moment, Some(run)) == 0)
    }

    /// For each container that has yet to outlast a run that ended, its own or the longest in
    /// `others`, how much longer it must run, in nanoseconds.
    pub(super) fn times_to_be_up(
        &self,
        moment: Moment,
        others: &BTreeMap<&str, u64>,
    ) -> impl Iterator<Item = u64> {
        let lacks = self
            .runs
            .iter()
            .filter(|it| it.is_running)
            .map(move |it| it.lacks(moment, others.get(it.container.as_str()).copied()));
        lacks.filter(|it| *it > 0)
    }

    /// How much longer a container of that name must run to have run for `length`, in nanoseconds: 0
    /// where it has, or has ended by its own doing. `None` where it does not run.
    pub(super) fn lacks_of_length(
        &self,
        container: &str,
        length: u64,
        moment: Moment,
    ) -> Option<u64> {
        let run = self.runs.iter().find(|it| it.container == container)?;
        if run.first_own_end.is_some() {
            return Some(0);
        }
        let left = length.saturating_sub(run.lasted(moment));
        Some(left).filter(|it| *it == 0 || run.is_running)
    }

    /// Whether a container is meant to stay up: native sidecars are, other init containers are to
    /// end.
    #[must_use]
    pub fn is_long_running(&self, container: &str) -> bool {
        long_running(&self.pod).any(|it| it.name == container)
    }

    /// Whether a container of it does not run now, and was started again at least twice.
    pub(crate) fn may_be_in_a_crash_loop(&self) -> bool {
        let statuses = self.pod.status.all_containers();
        self.deletion_requested.is_none()
            && statuses.filter(|it| it.restart_count > 1).any(|it| it.state.running.is_none())
    }

    /// What keeps it from being up although it runs, in words.
    pub(crate) fn why_not_up(&self, moment: Moment) -> Option<String> {
        let it = self.runs.iter().find(|it| it.is_running && it.lacks(moment, None) > 0)?;
        if it.time_to_be_ended(moment) > 0 {
            return Some(format!("the kubelet ends container {}: a probe fails", it.container));
        }
        let lasted = it.lasted(moment) / NANOS_PER_SECOND;
        let ended = |longest: u64| {
            format!("container {} ended after {} s", it.container, longest / NANOS_PER_SECOND)
        };
        Some(match it.before.filter(|before| it.longest.is_none_or(|own| own < *before)) {
            Some(before) => format!(
                "{} in the pod of that name before, and has run for {lasted} s in this one",
                ended(before)
            ),
            None => format!(
                "{}, and has run for {lasted} s since it was started again",
                ended(it.longest.unwrap_or(0))
            ),
        })
    }
}

/// The statuses of the containers that are meant to stay up: native sidecars among them, other init
/// containers not.
pub(super) fn long_running(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let sidecars = pod
        .spec
        .iter()
        .flat_map(|it| &it.init_containers)
        .filter(|it| it.restart_policy == "Always");
    let sidecars: BTreeSet<&str> = sidecars.map(|it| it.name.as_str()).collect();
    let status = &pod.status;
    status
        .init_container_statuses
        .iter()
        .filter(move |it| sidecars.contains(&it.name.as_str()))
        .chain(&status.container_statuses)
}

/// The runs that a status tells the end of, by their number, oldest first.
///
/// While a container waits to be started again, the last one has ended and the restart count is
/// still its own.
fn ends(status: &ContainerStatus) -> impl Iterator<Item = (i32, &Terminated)> {
    let last = if status.state.waiting.is_some() {
        status.restart_count
    } else {
        status.restart_count.saturating_sub(1)
    };
    let before = status.last_state.terminated.as_ref().map(|it| (last, it));
    let now = status.state.terminated.as_ref().map(|it| (status.restart_count, it));
    before.into_iter().chain(now)
}

/// How long a run was by the node's clock, in nanoseconds. One that could not be started began in
/// 1970.
fn length(ended: &Terminated) -> Option<u64> {
    let started = stamp::epoch(ended.started_at.as_deref()?)?;
    let finished = stamp::epoch(ended.finished_at.as_deref()?)?;
    Some(if started <= 0 { 0 } else { seconds(finished - started) })
}

fn is_own_doing(ended: &Terminated, now: &Circumstances) -> bool {
    if now.is_disrupted || !ended.is_own_doing() {
        return false;
    }
    let finished = ended.finished_at.as_deref().and_then(stamp::epoch);
    !now.is_terminating
        || now
            .deletion_requested_epoch_seconds
            .zip(finished)
            .is_some_and(|(asked, finished)| finished < asked)
}

/// Seconds as nanoseconds; 0 where they are less.
fn seconds(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(NANOS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use crate::model::{
        observation::{ObjectChange, object::ContainerStatus},
        testing::history::History,
    };

    /// Catches a pod that has other containers in each line: all of them together would be searched
    /// for each one.
    #[test]
    fn a_pod_has_no_more_containers_than_are_looked_at() {
        let named = |name: String| ContainerStatus { name, ..ContainerStatus::default() };
        let mut history = History::created().add(3);
        for line in 0..4 {
            history = history.pod(3, ObjectChange::Modified, |pod| {
                let names = (0..200).map(|it| format!("app-{line}-{it}"));
                pod.status.container_statuses = names.map(named).collect();
            });
        }
        assert_eq!(history.timeline().lane(3)[0].containers_that_ran().count(), 500);
    }
}
