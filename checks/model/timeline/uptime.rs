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
//! memory. Not so ends what was asked to go, was evicted, was lost with its node, or could not be
//! started by it.
//!
//! The kubelet's Event that it ends a container for a probe may come seconds before the pod's status
//! tells of the end. From then on the container does not count as running.

use std::{collections::BTreeMap, ops::Range};

use crate::model::{
    obstacle::Obstacle,
    timeline::{
        Timeline, cache::Cache, in_the_way::CrashLoop, lives::PodLife, settled::SettledPeriod,
    },
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
    fn crash_where(
        &self,
        pod: &PodLife,
        wanted_ordinals: impl Fn() -> Range<i32>,
    ) -> Option<&Obstacle> {
        if let Some(own) = self.in_the_way.crash_loops.get(pod.uid()) {
            return Some(&own.obstacle);
        }
        if pod.last_own_end().is_none() || self.is_up(pod) {
            return None;
        }
        if self.in_the_way.crash_loops.is_empty() {
            return None;
        }
        let wanted_ordinals = wanted_ordinals();
        let told =
            pod.containers_that_ended().filter_map(|it| self.ends_told(pod, it, &wanted_ordinals));
        let first = told.map(|it| it.first).min_by_key(|it| it.seq)?;
        self.in_the_way.crash_loops.get(&first.uid).map(|it| &it.obstacle)
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
        let loops = self.in_the_way.crash_loops.iter().filter(|(uid, _)| asked_for(uid));
        if let Some((_, first)) = loops.min_by_key(|(_, it)| it.seq) {
            return Some(Standing::Blocked(first.obstacle.clone()));
        }
        ordinals
            .filter_map(|ordinal| self.live(ordinal))
            .find_map(|pod| self.undecided_standing(pod))
    }

    /// That nothing shows whether a pod stays up whose containers have ended, or are known to end
    /// in other pods; `None` where that is shown, and where the pod was asked to go before it could
    /// be.
    pub(crate) fn undecided_standing(&self, pod: &PodLife) -> Option<Standing> {
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
            let it = self.not_outlasted(pod, &self.ordinals())?;
            format!(
                "the recording ends before container {} has run for longer than it did where it \
                ends: {}",
                it.container, it.obstacle.why
            )
        };
        Some(Standing::unseen(format!("{}: {why}", pod.name())))
    }

    /// The crash loop that a pod has yet to outlast, where there is one that tells of it: of each
    /// container, the one in which it ran longest. `wanted_ordinals`: those that are asked
    /// for.
    fn not_outlasted(&self, pod: &PodLife, wanted_ordinals: &Range<i32>) -> Option<&CrashLoop> {
        let moment = self.moment(pod);
        let mut lacking = pod.containers_that_ran().filter_map(|container| {
            let longest = self.ends_told(pod, container, wanted_ordinals)?.longest;
            (!pod.outlasts(container, longest.run, moment)).then_some(longest)
        });
        self.in_the_way.crash_loops.get(&lacking.next()?.uid)
    }

    /// Whether a pod has outlasted whatever is known to end.
    pub(crate) fn outlasts_all(&self, pod: &PodLife) -> bool {
        self.in_the_way.crash_loops.is_empty()
            || self.not_outlasted(pod, &self.ordinals()).is_none()
    }

    /// Whether a settled period's pods stayed up: where a container of theirs ended by its own
    /// doing later, it came up again.
    ///
    /// [`Timeline::replicas`] may itself depend on which periods lasted, so it is not used here.
    /// The ordinals that count are those that the set asked for in the period.
    pub(crate) fn stayed_up(&self, period: &SettledPeriod) -> bool {
        let wanted_ordinals = self.start()..self.start().saturating_add(period.replicas);
        let stays = |pod: &PodLife| {
            let has_ended = pod.last_own_end().is_some_and(|ended| ended > period.from);
            let is_over = pod.deletion_requested.is_none() && pod.is_being_ended(self.moment(pod));
            !has_ended && !is_over || self.is_up(pod)
        };
        let stayed_up = |pod: &PodLife| {
            stays(pod)
                && self.crash_where(pod, || wanted_ordinals.clone()).is_none()
                && self.not_outlasted(pod, &wanted_ordinals).is_none()
        };
        period.pods.iter().all(|(_, uid)| self.pod_life(uid).is_some_and(stayed_up))
    }

    /// When the next container will have outlasted what ended before, in nanoseconds since the
    /// recording began, if it goes on running.
    #[must_use]
    pub fn next_up(&self) -> Option<u64> {
        let mut others: BTreeMap<&str, u64> = BTreeMap::new();
        for (uid, it) in &self.in_the_way.crash_loops {
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
        self.cache = Cache::default();
    }
}

#[cfg(test)]
mod tests;
