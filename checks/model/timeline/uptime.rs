//! Uptime: whether the containers of a pod that are meant to stay up do.
//!
//! One principle: a container that has ended by its own doing is up again only when its present run
//! has outlasted every run that ended so. Ready is true for a moment at every start of a container
//! without a readiness probe, so it tells nothing of a container that ends. What ends is known by
//! the containers' own clock (`startedAt`, `finishedAt`), and by the time of the recording where
//! that is missing.
//!
//! By its own doing ends what exits, what its own liveness probe has killed, and what exceeds its
//! memory. Not so ends what was asked to go, was evicted, or was lost with its node.

use std::collections::BTreeMap;

use crate::model::{
    observation::{
        Seq,
        object::{ContainerStatus, Pod, Terminated},
    },
    obstacle::Obstacle,
    stamp,
    timeline::{CrashLoop, Timeline, lives::PodLife},
    verdict::Standing,
};

const SECOND: u64 = 1_000_000_000;
/// A run of that length was no failed start: after ten minutes the kubelet itself forgets how often
/// a container has ended
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>).
const RECOVERED: u64 = 600 * SECOND;
/// By how much a run must be longer than another: stamps are whole seconds, and the kubelet sees an
/// end up to a second late.
const MARGIN: u64 = 2 * SECOND;

/// What is known of the runs of one container that is meant to stay up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    container: String,
    /// How many of its runs are known to have ended.
    over: i32,
    /// The longest run that ended by its own doing, in nanoseconds; `None` where none did.
    longest: Option<u64>,
    /// The last line at which a run was told to have ended by its own doing.
    pub(crate) ended: Option<Seq>,
    /// The run that was last told of as running.
    run: Option<Run>,
    /// It runs.
    runs: bool,
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

/// How a pod's containers fare at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// In nanoseconds since the recording began.
    pub(crate) at: u64,
    /// The latest stamp of any container so far, in seconds since the epoch: the node's clock is
    /// not behind it.
    pub(crate) clock: i64,
}

/// Under what circumstances a line tells of a pod's containers.
pub(crate) struct Circumstances {
    pub(crate) seq: Seq,
    pub(crate) at: u64,
    /// The pod has been asked to go.
    pub(crate) is_leaving: bool,
    /// When that was by the server's clock, in seconds since the epoch, where it is known.
    pub(crate) asked: Option<i64>,
    /// The node, or the cluster, has ended the pod.
    pub(crate) is_removed: bool,
}

impl Runs {
    /// Takes in what a line tells of the container.
    fn take(&mut self, status: &ContainerStatus, now: &Circumstances) {
        for (number, ended) in ends(status) {
            if number < self.over {
                continue;
            }
            self.over = number + 1;
            let run = self.run.filter(|it| it.number == number);
            let lasted = length(ended)
                .unwrap_or_else(|| run.map_or(0, |it| now.at.saturating_sub(it.seen_at)));
            if is_own_doing(ended, now) {
                self.run = None;
                if lasted < RECOVERED {
                    self.longest = Some(self.longest.unwrap_or(0).max(lasted));
                    self.ended = Some(now.seq);
                }
            } else if let Some(run) = self.run.as_mut().filter(|it| it.number == number) {
                run.lasted = Some(lasted);
            }
        }
        // Once the pod has been asked to go, that it does not run says nothing more.
        if !now.is_leaving {
            self.runs = status.state.running.is_some();
        }
        let number = status.restart_count;
        if let Some(running) = &status.state.running
            && self.run.is_none_or(|run| run.number != number)
        {
            // How the one before ended was not told, or is forgotten.
            self.over = self.over.max(number);
            self.run = Some(Run {
                number,
                started: running.started_at.as_deref().and_then(stamp::epoch),
                seen_at: now.at,
                lasted: None,
            });
        }
    }

    /// For how long the present run has lasted, at least, in nanoseconds.
    fn lasted(&self, moment: Moment) -> u64 {
        let Some(run) = self.run else { return 0 };
        let by_clock = run.started.map_or(0, |started| seconds(moment.clock - started));
        run.lasted.unwrap_or(0).max(moment.at.saturating_sub(run.seen_at)).max(by_clock)
    }

    /// How much longer the present run must last, in nanoseconds, to outlast what ended by its own
    /// doing, and what others did.
    fn lacks(&self, moment: Moment, others: Option<u64>) -> u64 {
        let Some(longest) = self.longest.max(others) else { return 0 };
        (longest + MARGIN).saturating_sub(self.lasted(moment))
    }
}

impl Timeline {
    /// The moment at which a pod is asked how its containers fare: now, or when it was asked to go.
    fn moment(&self, pod: &PodLife) -> Moment {
        match pod.deletion_requested {
            Some(_) => Moment { at: pod.deletion_requested_at, clock: 0 },
            None => Moment { at: self.now, clock: self.clock },
        }
    }

    /// Whether a pod's containers run, and each has outlasted all its runs that ended by its own
    /// doing.
    ///
    /// Of a pod that was asked to go, whether that was so then.
    pub(crate) fn is_up(&self, pod: &PodLife) -> bool {
        pod.is_up(self.moment(pod))
    }

    /// What keeps a pod from being up although its containers run, in words.
    pub(crate) fn restless(&self, pod: &PodLife) -> Option<String> {
        pod.restless(self.moment(pod))
    }

    /// Whether a pod is in a crash loop, as far as is known.
    #[must_use]
    pub fn is_crashing(&self, pod: &PodLife) -> bool {
        self.crash_of(pod).is_some()
    }

    /// The crash loop in which a pod is, or was: its own, or, where a container of it has ended and
    /// is not up again, that of the same container in another pod, which is made from the same
    /// template.
    pub(crate) fn crash_of(&self, pod: &PodLife) -> Option<&Obstacle> {
        if let Some(own) = self.crash_loops.get(pod.uid()) {
            return Some(&own.obstacle);
        }
        if pod.ended().is_none() || self.is_up(pod) {
            return None;
        }
        let tells = |uid: &str| self.pod_life(uid).is_some_and(|ends| self.tells_of(ends, pod));
        let same = self
            .crash_loops
            .iter()
            .filter(|(uid, it)| pod.longest_run(&it.container).is_some() && tells(uid));
        same.min_by_key(|(_, it)| it.seq).map(|(_, it)| &it.obstacle)
    }

    /// What keeps all that was seen from counting: the pods that the submission asks for were never
    /// up at once, since a container of them ends again and again, or has ended and nothing shows
    /// yet whether it stays up.
    ///
    /// Without that, each test would find a moment at which all was Ready.
    #[must_use]
    pub fn never_up(&self) -> Option<Standing> {
        if self.settled().is_some() {
            return None;
        }
        let ordinals = self.ordinals();
        let asked_for =
            |uid: &str| self.pod_life(uid).is_some_and(|pod| ordinals.contains(&pod.ordinal));
        let loops = self.crash_loops.iter().filter(|(uid, _)| asked_for(uid));
        if let Some((_, first)) = loops.min_by_key(|(_, it)| it.seq) {
            return Some(Standing::Blocked(first.obstacle.clone()));
        }
        ordinals.filter_map(|ordinal| self.live(ordinal)).find_map(|pod| self.undecided(pod))
    }

    /// That nothing shows whether a pod stays up whose containers have ended, or are known to end
    /// in other pods; `None` where that is shown, and where the pod was asked to go before it could
    /// be.
    pub(crate) fn undecided(&self, pod: &PodLife) -> Option<Standing> {
        let moment = self.moment(pod);
        let is_known = pod.ended().is_none() || pod.is_up(moment);
        let other = || {
            self.crash_loops.iter().find(|(uid, it)| !self.outlasts(pod, uid, it)).map(|(_, it)| it)
        };
        let why = match (is_known, other()) {
            _ if pod.deletion_requested.is_some() => return None,
            (true, None) => return None,
            (true, Some(it)) => {
                format!(
                    "the recording ends before container {} has run for longer than it did where \
                    it ends: {}",
                    it.container, it.obstacle.why
                )
            }
            (false, _) => {
                let why = pod
                    .restless(moment)
                    .unwrap_or_else(|| "a container has ended and does not run".to_owned());
                format!("{why}: the recording ends before it shows whether that stays up")
            }
        };
        Some(Standing::unseen(format!("{}: {why}", pod.name())))
    }

    /// Whether a pod has outlasted the runs of a container that ends again and again in the pod
    /// `uid`, where that tells of it, too.
    pub(crate) fn outlasts(&self, pod: &PodLife, uid: &str, it: &CrashLoop) -> bool {
        let Some(ends) = self.pod_life(uid).filter(|ends| self.tells_of(ends, pod)) else {
            return true;
        };
        pod.outlasts(&it.container, ends.longest_run(&it.container).unwrap_or(0), self.moment(pod))
    }

    /// Whether what ends in one pod ends in another, too.
    ///
    /// What ends when it starts anew does so in every pod; what ends when it comes back does so in
    /// those that come back. An ordinal beyond those that the submission asks for may end for being
    /// that.
    fn tells_of(&self, ends: &PodLife, pod: &PodLife) -> bool {
        let ordinals = self.ordinals();
        let place =
            |pod: &PodLife| self.lane(pod.ordinal).iter().position(|it| it.uid() == pod.uid());
        (ordinals.contains(&ends.ordinal) || !ordinals.contains(&pod.ordinal))
            && place(ends) <= place(pod)
    }

    /// Whether a pod has outlasted whatever is known to end.
    pub(crate) fn outlasts_all(&self, pod: &PodLife) -> bool {
        self.crash_loops.iter().all(|(uid, it)| self.outlasts(pod, uid, it))
    }

    /// When the next container will have outlasted what ended before, in nanoseconds since the
    /// recording began, if it goes on running.
    #[must_use]
    pub fn next_up(&self) -> Option<u64> {
        let mut others: BTreeMap<&str, u64> = BTreeMap::new();
        for (uid, it) in &self.crash_loops {
            let longest =
                self.pod_life(uid).and_then(|pod| pod.longest_run(&it.container)).unwrap_or(0);
            let known = others.entry(&it.container).or_default();
            *known = longest.max(*known);
        }
        let pods = self.owned().filter(|pod| pod.deletion_requested.is_none());
        let soonest = pods.flat_map(|pod| pod.lacking(self.moment(pod), &others)).min();
        soonest.map(|lacks| self.now.saturating_add(lacks))
    }

    /// Time has passed without a line.
    pub fn pass(&mut self, now: u64) {
        self.now = self.now.max(now);
    }
}

impl PodLife {
    /// Takes in what a line tells of the pod's containers.
    pub(crate) fn take_runs(&mut self, now: &Circumstances) {
        let Self { pod, runs, .. } = self;
        for status in lasting(pod) {
            let place =
                runs.iter().position(|it| it.container == status.name).unwrap_or_else(|| {
                    runs.push(Runs { container: status.name.clone(), ..Runs::default() });
                    runs.len() - 1
                });
            runs[place].take(status, now);
        }
    }

    /// The last line at which a container of it was told to have ended by its own doing.
    #[must_use]
    pub fn ended(&self) -> Option<Seq> {
        self.runs.iter().filter_map(|it| it.ended).max()
    }

    /// The longest run of a container that ended by its own doing, in nanoseconds.
    pub(crate) fn longest_run(&self, container: &str) -> Option<u64> {
        self.runs.iter().find(|it| it.container == container)?.longest
    }

    /// Whether its containers run, and each has outlasted all its runs that ended by its own doing.
    ///
    /// Of a pod that was asked to go, whether that was so then.
    pub(crate) fn is_up(&self, moment: Moment) -> bool {
        self.runs.iter().all(|it| it.runs && it.lacks(moment, None) == 0)
    }

    /// Whether a container of it, where it has one of that name, has outlasted a run of that
    /// length.
    pub(crate) fn outlasts(&self, container: &str, run: u64, moment: Moment) -> bool {
        self.runs
            .iter()
            .filter(|it| it.container == container)
            .all(|it| it.runs && it.lacks(moment, Some(run)) == 0)
    }

    /// How much longer its containers must run to outlast their own runs that ended, and those of
    /// such length, by container; without those of which nothing lacks.
    fn lacking(&self, moment: Moment, others: &BTreeMap<&str, u64>) -> impl Iterator<Item = u64> {
        let lacks = self
            .runs
            .iter()
            .filter(|it| it.runs)
            .map(move |it| it.lacks(moment, others.get(it.container.as_str()).copied()));
        lacks.filter(|it| *it > 0)
    }

    /// Whether a container is meant to stay up: native sidecars are, other init containers are to
    /// end.
    #[must_use]
    pub fn is_lasting(&self, container: &str) -> bool {
        lasting(&self.pod).any(|it| it.name == container)
    }

    /// Whether a container of it does not run now, and was started again before.
    pub(crate) fn may_be_in_a_crash_loop(&self) -> bool {
        let statuses = self
            .pod
            .status
            .init_container_statuses
            .iter()
            .chain(&self.pod.status.container_statuses);
        self.deletion_requested.is_none()
            && statuses.filter(|it| it.restart_count > 1).any(|it| it.state.running.is_none())
    }

    /// What keeps it from being up although it runs, in words.
    pub(crate) fn restless(&self, moment: Moment) -> Option<String> {
        let it = self.runs.iter().find(|it| it.runs && it.lacks(moment, None) > 0)?;
        let (longest, lasted) = (it.longest.unwrap_or(0) / SECOND, it.lasted(moment) / SECOND);
        Some(format!(
            "container {} ended after {longest} s, and has run for {lasted} s since it was \
            started again",
            it.container
        ))
    }
}

/// The statuses of the containers that are meant to stay up: native sidecars among them, other init
/// containers not.
fn lasting(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let sidecars = pod
        .spec
        .iter()
        .flat_map(|it| &it.init_containers)
        .filter(|it| it.restart_policy == "Always");
    let sidecars: Vec<&str> = sidecars.map(|it| it.name.as_str()).collect();
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
        status.restart_count - 1
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
    // The kubelet does not know what became of the container: its node, or the runtime, was started
    // again.
    const UNKNOWN: i32 = 255;
    if now.is_removed
        || ended.reason == "ContainerStatusUnknown"
        || ended.reason == "Unknown" && ended.exit_code == UNKNOWN
    {
        return false;
    }
    let finished = ended.finished_at.as_deref().and_then(stamp::epoch);
    !now.is_leaving || now.asked.zip(finished).is_some_and(|(asked, finished)| finished < asked)
}

/// The latest stamp of a pod's containers, in seconds since the epoch.
pub(crate) fn latest_stamp(pod: &Pod) -> Option<i64> {
    let statuses = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    let stamps = statuses.flat_map(|it| {
        let running = it.state.running.as_ref().and_then(|it| it.started_at.as_deref());
        let ended = [&it.state.terminated, &it.last_state.terminated]
            .into_iter()
            .flatten()
            .filter_map(|it| it.finished_at.as_deref());
        ended.chain(running)
    });
    stamps.filter_map(stamp::epoch).max()
}

fn seconds(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND)
}

#[cfg(test)]
mod tests {
    use crate::model::{
        PodLife, Timeline, WaitStatus,
        observation::{
            Change,
            object::{Container, ContainerState, ContainerStatus, Pod, Running, Terminated},
        },
        testing::history::History,
    };

    fn ended(started_at: &str, finished_at: &str) -> Terminated {
        Terminated {
            started_at: Some(started_at.to_owned()),
            finished_at: Some(finished_at.to_owned()),
            ..Terminated::default()
        }
    }

    fn again(ended: Terminated) -> ContainerStatus {
        ContainerStatus {
            name: "app".to_owned(),
            restart_count: 1,
            state: ContainerState {
                running: Some(Running::default()),
                ..ContainerState::default()
            },
            last_state: ContainerState { terminated: Some(ended), ..ContainerState::default() },
            ..ContainerStatus::default()
        }
    }

    /// Whether web-0 counts as one that has ended, when this is told of it.
    fn has_ended(tell: impl FnOnce(&mut Pod)) -> bool {
        let timeline = History::created().pod(0, Change::Modified, tell).timeline();
        timeline.live(0).and_then(PodLife::ended).is_some()
    }

    #[test]
    fn what_ends_by_its_own_doing() {
        let soon = || ended("2026-11-23T00:00:00Z", "2026-11-23T00:00:05Z");
        assert!(has_ended(|pod| pod.status.container_statuses = vec![again(soon())]));
        let memory = Terminated { reason: "OOMKilled".to_owned(), exit_code: 137, ..soon() };
        assert!(has_ended(|pod| pod.status.container_statuses = vec![again(memory)]));
        let not_started = Terminated {
            reason: "StartError".to_owned(),
            ..ended("1970-01-01T00:00:00Z", "2026-11-23T00:00:05Z")
        };
        assert!(has_ended(|pod| pod.status.container_statuses = vec![again(not_started)]));
        // After the pod was asked to go, at 00:00:04; a moment before, it was its own doing.
        let asked = |pod: &mut Pod, finished: &str| {
            pod.metadata.deletion_timestamp = Some("2026-11-23T00:00:34Z".to_owned());
            pod.metadata.deletion_grace_period_seconds = Some(30);
            pod.status.container_statuses[0].state = ContainerState {
                terminated: Some(ended("2026-11-23T00:00:00Z", finished)),
                ..ContainerState::default()
            };
        };
        assert!(!has_ended(|pod| asked(pod, "2026-11-23T00:00:05Z")));
        assert!(has_ended(|pod| asked(pod, "2026-11-23T00:00:03Z")));
        // The node, or the cluster.
        let unknown = Terminated { reason: "Unknown".to_owned(), exit_code: 255, ..soon() };
        assert!(!has_ended(|pod| pod.status.container_statuses = vec![again(unknown)]));
        assert!(!has_ended(|pod| {
            pod.status.reason = "Evicted".to_owned();
            pod.status.container_statuses = vec![again(soon())];
        }));
        // It had come up, by what the kubelet itself forgets.
        assert!(!has_ended(|pod| pod.status.container_statuses =
            vec![again(ended("2026-11-23T00:00:00Z", "2026-11-23T00:10:00Z"))]));
    }

    fn with_init(restart_policy: &str) -> Timeline {
        let mut history = History::new();
        let init = Container {
            name: "init".to_owned(),
            restart_policy: restart_policy.to_owned(),
            ..Container::default()
        };
        history.spec.template.spec.init_containers = vec![init];
        let status = ContainerStatus {
            name: "init".to_owned(),
            ..again(ended("2026-11-23T00:00:00Z", "2026-11-23T00:00:20Z"))
        };
        let up = history.service().set(Change::Added).subject().up(0).up(1).up(2);
        up.pod(0, Change::Modified, |pod| pod.status.init_container_statuses = vec![status])
            .timeline()
    }

    #[test]
    fn native_sidecars_are_meant_to_stay_up_and_other_init_containers_to_end() {
        assert_eq!(with_init("").settled_or_awaited(), WaitStatus::Done);
        assert_eq!(
            with_init("Always").settled_or_awaited(),
            WaitStatus::Going("web-0 to stay up".to_owned())
        );
    }

    #[test]
    fn what_outlasts_is_up_without_a_further_line() {
        let mut timeline = with_init("Always");
        let next = timeline.next_up().unwrap_or_default();
        timeline.pass(next - 1);
        assert!(!timeline.is_settled());
        timeline.pass(next);
        assert!(timeline.is_settled());
        assert_eq!(timeline.next_up(), None);
        // By the nodes' clock, where another container started later.
        let later = |pod: &mut Pod| {
            pod.status.container_statuses[0].state.running =
                Some(Running { started_at: Some("2026-11-23T00:01:00Z".to_owned()) })
        };
        let since = Some("2026-11-23T00:00:21Z".to_owned());
        let restarted = |pod: &mut Pod| {
            let mut status = again(ended("2026-11-23T00:00:00Z", "2026-11-23T00:00:20Z"));
            status.state.running = Some(Running { started_at: since });
            pod.status.container_statuses = vec![status];
        };
        let history = History::created().pod(0, Change::Modified, restarted);
        assert!(!history.timeline().is_settled());
        assert!(history.pod(1, Change::Modified, later).timeline().is_settled());
    }
}
