//! Uptime: whether the containers of a pod that are meant to stay up do.
//!
//! One principle: a container that has ended by its own doing is up again only when its present run
//! has outlasted every run that ended so. Ready is true for a moment at every start of a container
//! without a readiness probe, so it tells nothing of a container that ends. What ends is known by
//! the containers' own clock (`startedAt`, `finishedAt`), and by the time of the recording where
//! that is missing.
//!
//! A pod that is deleted or scaled away before that is known leaves it to the next one of its
//! ordinal and template, which is up only when it has outlasted those runs, too.
//!
//! By its own doing ends what exits, what its own liveness probe has killed, and what exceeds its
//! memory. Not so ends what was asked to go, was evicted, or was lost with its node.

use std::{collections::BTreeMap, ops::Range, sync::OnceLock};

use crate::model::{
    obstacle::Obstacle,
    timeline::{CrashLoop, Timeline, lives::PodLife, settled::SettledPeriod},
    verdict::Standing,
};

/// A moment at which it is asked how a pod's containers fare.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// In nanoseconds since the recording began.
    pub(crate) at: u64,
    /// The latest stamp of any container so far, in seconds since the epoch: the node's clock is
    /// not behind it. `None` for a moment in the past.
    pub(crate) clock: Option<i64>,
}

impl Timeline {
    /// The moment at which a pod is asked how its containers fare: now, or when it was asked to go.
    fn moment(&self, pod: &PodLife) -> Moment {
        match pod.deletion_requested {
            Some(requested) => Moment { at: self.known_at(requested), clock: None },
            None => Moment { at: self.now, clock: Some(self.clock) },
        }
    }

    /// Whether a pod's containers run, and each has outlasted all its runs that ended by its own
    /// doing.
    ///
    /// Of a pod that was asked to go, whether that was so then.
    pub(crate) fn is_up(&self, pod: &PodLife) -> bool {
        pod.is_up(self.moment(pod))
    }

    /// What a pod that is gone leaves to the next one of its ordinal: the longest runs that ended by
    /// their own doing and that no run has outlasted, in nanoseconds, by container.
    pub(crate) fn left_by(&self, gone: &PodLife, next: &PodLife) -> BTreeMap<String, u64> {
        if gone.revision() != next.revision() {
            return BTreeMap::new();
        }
        // What ends when the pod is asked to go may end by that, where two clocks differ.
        let requested = gone.deletion_requested.map_or(u64::MAX, |it| it.by);
        let has_ended = gone.first_own_end().is_some_and(|it| it < requested);
        let mut left = gone.not_outlasted(self.moment(gone));
        if !has_ended {
            left.retain(|name, longest| {
                let before = gone.ended_before.get(name);
                *longest = before.copied().unwrap_or_default();
                before.is_some()
            });
        }
        left.retain(|name, _| next.spec().all_containers().any(|it| it.name == *name));
        left
    }

    /// What keeps a pod from being up although its containers run, in words.
    pub(crate) fn why_not_up(&self, pod: &PodLife) -> Option<String> {
        pod.why_not_up(self.moment(pod))
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
        self.crash_where(pod, || self.ordinals())
    }

    /// The same, where these ordinals are asked for.
    fn crash_where(&self, pod: &PodLife, asked: impl Fn() -> Range<i32>) -> Option<&Obstacle> {
        if let Some(own) = self.crash_loops.get(pod.uid()) {
            return Some(&own.obstacle);
        }
        if pod.last_own_end().is_none() || self.is_up(pod) {
            return None;
        }
        let mut first: Option<&CrashLoop> = None;
        for (uid, known) in &self.crash_loops {
            let is_same = pod.longest_run(&known.container).is_some()
                && self.pod_life(uid).is_some_and(|ends| self.tells_of(ends, pod, &asked()));
            if is_same && first.is_none_or(|it| known.seq < it.seq) {
                first = Some(known);
            }
        }
        first.map(|it| &it.obstacle)
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
        if pod.deletion_requested.is_some() {
            return None;
        }
        let has_ended = pod.last_own_end().is_some() || !pod.ended_before.is_empty();
        let why = if has_ended && !pod.is_up(moment) {
            let where_it_ended =
                if pod.last_own_end().is_some() { "" } else { " in the pod of that name before" };
            let why = pod.why_not_up(moment).unwrap_or_else(|| {
                format!("a container has ended{where_it_ended}, and does not run")
            });
            format!("{why}: the recording ends before it shows whether that stays up")
        } else {
            let mut loops = self.crash_loops.iter();
            let asked = self.ordinals();
            let (_, it) = loops.find(|(uid, it)| !self.outlasts(pod, uid, it, &asked))?;
            format!(
                "the recording ends before container {} has run for longer than it did where it \
                ends: {}",
                it.container, it.obstacle.why
            )
        };
        Some(Standing::unseen(format!("{}: {why}", pod.name())))
    }

    /// Whether a pod has outlasted the runs of a container that ends again and again in the pod
    /// `uid`, where that tells of it, too. `asked`: the ordinals that are asked for.
    fn outlasts(&self, pod: &PodLife, uid: &str, it: &CrashLoop, asked: &Range<i32>) -> bool {
        let Some(ends) = self.pod_life(uid).filter(|ends| self.tells_of(ends, pod, asked)) else {
            return true;
        };
        pod.outlasts(&it.container, ends.longest_run(&it.container).unwrap_or(0), self.moment(pod))
    }

    /// Whether what ends in one pod ends in another, too.
    ///
    /// What ends when it starts anew does so in every pod; what ends when it comes back does so in
    /// those that come back. An ordinal beyond those that the submission asks for may end because
    /// it is beyond them.
    fn tells_of(&self, ends: &PodLife, pod: &PodLife, asked: &Range<i32>) -> bool {
        let place =
            |pod: &PodLife| self.lane(pod.ordinal).iter().position(|it| it.uid() == pod.uid());
        (asked.contains(&ends.ordinal) || !asked.contains(&pod.ordinal))
            && place(ends) <= place(pod)
    }

    /// Whether a pod has outlasted whatever is known to end.
    pub(crate) fn outlasts_all(&self, pod: &PodLife) -> bool {
        self.outlasts_where(pod, &self.ordinals())
    }

    fn outlasts_where(&self, pod: &PodLife, asked: &Range<i32>) -> bool {
        self.crash_loops.iter().all(|(uid, it)| self.outlasts(pod, uid, it, asked))
    }

    /// Whether a settled period's pods stayed up: where a container of theirs ended by its own
    /// doing later, it came up again.
    ///
    /// What the submission asks for may be told by which periods lasted, so it is not asked here:
    /// those ordinals count that were asked for in the period.
    pub(crate) fn stayed_up(&self, period: &SettledPeriod) -> bool {
        let asked = self.start()..self.start().saturating_add(period.replicas);
        let stays = |pod: &PodLife| {
            pod.last_own_end().is_none_or(|ended| ended <= period.from) || self.is_up(pod)
        };
        let stayed_up = |pod: &PodLife| {
            stays(pod)
                && self.crash_where(pod, || asked.clone()).is_none()
                && self.outlasts_where(pod, &asked)
        };
        period.pods.iter().all(|(_, uid)| self.pod_life(uid).is_some_and(stayed_up))
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
        let soonest = pods.flat_map(|pod| pod.times_to_be_up(self.moment(pod), &others)).min();
        soonest.map(|time| self.now.saturating_add(time))
    }

    /// How much longer until a container has run for `length` in one of the set's pods, in
    /// nanoseconds: 0 where it has, or has ended by its own doing. `None` where it runs in none.
    #[must_use]
    pub fn time_to_have_run(&self, container: &str, length: u64) -> Option<u64> {
        let pods = self.owned().filter(|it| it.deletion_requested.is_none());
        pods.filter_map(|it| it.lacks_of_length(container, length, self.moment(it))).min()
    }

    /// Time has gone on to `now`, in nanoseconds since the recording began, without a line.
    pub fn advance_to(&mut self, now: u64) {
        self.now = self.now.max(now);
        // What lasts long enough may have settled.
        self.least_settled = OnceLock::new();
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{
        PodLife, Timeline, WaitStatus,
        observation::{
            ObjectChange, SECOND,
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

    /// Catches a recording by hand that waits for itself for ever: whether the pods that stood have
    /// lasted depends on what the submission asks for, and that on which have lasted.
    #[test]
    fn a_crash_loop_beside_pods_that_stand_is_judged() {
        let beside = (1..=4)
            .fold(History::created().scale(4).up(3).scale(5).claim(4).add(4), |it, start| {
                it.crashed(4, start)
            });
        let timeline = beside.timeline();
        assert_eq!((timeline.replicas(), timeline.settled().map(|it| it.replicas)), (3, Some(3)));
    }

    /// Whether web-0 counts as one that has ended, when this is told of it.
    fn has_ended(tell: impl FnOnce(&mut Pod)) -> bool {
        let timeline = History::created().pod(0, ObjectChange::Modified, tell).timeline();
        timeline.live(0).and_then(PodLife::last_own_end).is_some()
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
        let up = history.create();
        up.pod(0, ObjectChange::Modified, |pod| pod.status.init_container_statuses = vec![status])
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
        timeline.advance_to(next - 1);
        assert!(!timeline.is_settled());
        timeline.advance_to(next);
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
        let history = History::created().pod(0, ObjectChange::Modified, restarted);
        assert!(!history.timeline().is_settled());
        assert!(history.pod(1, ObjectChange::Modified, later).timeline().is_settled());
    }

    /// Catches a wait for what is over, and one for a container that does not run.
    #[test]
    fn how_long_until_a_container_has_run_for_a_while() {
        let history = History::created();
        let timeline = history.timeline();
        let left = timeline.time_to_have_run("app", 3600 * SECOND).unwrap_or_default();
        assert!((3000 * SECOND..3600 * SECOND).contains(&left), "{left}");
        assert_eq!(timeline.time_to_have_run("app", 0), Some(0));
        assert_eq!(timeline.time_to_have_run("other", SECOND), None);
        let ended = History::created().ends(0, 0, 0, 25).runs(0, 1, 26).timeline();
        assert_eq!(ended.time_to_have_run("app", 3600 * SECOND), Some(0));
    }

    /// Catches an ending that is forgotten with its pod: by chance, all pods of a container that ends
    /// again and again are scaled away before it ends a second time, and stand anew for a moment.
    #[test]
    fn what_ended_before_its_pod_was_scaled_away_is_not_forgotten() {
        let round = |history: History| {
            history.scale(0).down(2).down(1).down(0).scale(3).up(0).up(1).up(2).inspect()
        };
        let of = |history: History| history.end().letters();
        let ended = History::created().ends(0, 0, 0, 25).runs(0, 1, 26);
        let soon = round(ended.clone());
        assert_eq!(of(soon.clone()), "IIIIIIIIII");
        assert_eq!(of(round(soon.clone())), "IIIIIIIIII", "nor with the second pod");
        let timeline = soon.clone().timeline();
        assert_eq!(
            timeline.settled_or_awaited(),
            WaitStatus::Going("web-0 to stay up".to_owned()),
            "the tour waits for it"
        );
        assert_eq!(
            timeline.live(0).and_then(|pod| timeline.why_not_up(pod)).unwrap_or_default(),
            "container app ended after 25 s in the pod of that name before, and has run for 18 s in \
             this one"
        );
        // It stays: nothing is held against it, nor against the pods that come after.
        let later = (0..30).fold(soon, |history, _| history.tick());
        assert_eq!(of(later.clone()), of(round(History::created())));
        assert_eq!(of(round(later)), of(round(round(History::created()))));
        // The next template has nothing to do with it.
        let mut mended = ended.scale(0).down(2).down(1).down(0);
        mended.revision = "web-2".to_owned();
        let mended = mended.scale(3).up(0).timeline();
        assert!(mended.live(0).is_some_and(|pod| pod.ended_before.is_empty()));
    }
}
