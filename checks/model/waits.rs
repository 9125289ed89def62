//! Waits: what the tour waits for, and what a criterion says where nothing has shown it.
//!
//! Both are asked after each line, of the timeline alone, and both name what stands in the way.

use crate::model::{
    diagnosis::{self, StepTime},
    obstacle::{Fault, Obstacle},
    timeline::{MAX_REPLICAS, Timeline, lives::PodLife},
    verdict::Standing,
};

/// The answer to "is it there yet?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitStatus {
    /// It is.
    Done,
    /// Not yet; what is awaited, in words.
    Awaited(String),
    /// It will not be: waiting on does not help.
    Stuck(Obstacle),
}

impl Timeline {
    /// Settled: all pods that `spec.replicas` asks for are Ready at once, no other pod of the set
    /// is left, and no rollout is under way.
    #[must_use]
    pub fn settled_or_awaited(&self) -> WaitStatus {
        self.unless_stuck(self.awaited())
    }

    /// How a criterion stands that nothing has shown: because something is in the way, or because
    /// nobody tried. `next` is the next thing to try.
    #[must_use]
    pub fn blocked_or_not_shown(&self, next: &str) -> Standing {
        self.blocked_or_not_shown_because("that was not so before the recording ended", next)
    }

    /// As [`Timeline::blocked_or_not_shown`], where it is known why nothing has shown it.
    pub(crate) fn blocked_or_not_shown_because(&self, why: &str, next: &str) -> Standing {
        match self.blocking() {
            Some(obstacle) => Standing::Blocked(obstacle),
            None => Standing::NotShown { why: why.to_owned(), next: next.to_owned() },
        }
    }

    /// The obstacle of what nothing has shown: the one to blame, or that there is no set that can be
    /// graded.
    pub(crate) fn blocking(&self) -> Option<Obstacle> {
        if let Some(blamed) = self.obstacle_to_report() {
            return Some(blamed.clone());
        }
        let set = self.set();
        let is_ungraded =
            set.is_none_or(|set| set.spec.replicas.is_some_and(|it| it > MAX_REPLICAS));
        if is_ungraded { diagnosis::find(self, StepTime::Remains) } else { None }
    }

    /// The obstacle to report: one that is the submission's fault, else one of the pods that the
    /// submission asks for, else the first one.
    fn obstacle_to_report(&self) -> Option<&Obstacle> {
        let is_beyond =
            |it: &Obstacle| it.ordinal.is_some_and(|ordinal| !self.ordinals().contains(&ordinal));
        let own = self.obstacles().iter().find(|it| it.fault == Fault::Submission);
        own.or_else(|| self.obstacles().iter().find(|it| !is_beyond(it)))
            .or_else(|| self.first_obstacle())
    }

    /// How it stands that a pod came back; `None` where it had to go before it was up and no
    /// obstacle kept it from that: then it shows nothing. `next` is the next thing to try.
    pub(crate) fn coming_back(&self, new: &PodLife, next: &str) -> Option<Standing> {
        if let Some(crash) = self.crash_of(new) {
            return Some(Standing::Blocked(crash.clone()));
        }
        let had_to_go = new.deletion_requested.is_some();
        if new.ready.is_some() {
            if self.is_back(new) {
                return Some(Standing::Met);
            }
            return if had_to_go { None } else { self.undecided_standing(new) };
        }
        match self.blocked_or_not_shown(next) {
            blocked @ Standing::Blocked(_) => Some(blocked),
            _ if had_to_go => None,
            not_shown => Some(not_shown),
        }
    }

    /// The pod that took over from the pod life `old` (a UID) is Ready.
    #[must_use]
    pub fn awaits_successor(&self, old: &str) -> WaitStatus {
        let Some(before) = self.pod_life(old) else {
            return WaitStatus::Awaited("the pod that is to be replaced".to_owned());
        };
        let what = match self.live(before.ordinal) {
            _ if before.is_alive() => Some(format!("{} to be gone", before.name())),
            None => Some(format!("a new {}", before.name())),
            Some(new) if !new.is_ready() => Some(format!("the new {} to be Ready", new.name())),
            Some(new) if !self.is_up(new) => Some(format!("the new {} to stay up", new.name())),
            Some(_) => None,
        };
        self.unless_stuck(what)
    }

    /// All pods of the ordinals below `start + replicas` are Ready, as `spec.replicas` asks.
    #[must_use]
    pub fn awaits_scale_up(&self, replicas: i32) -> WaitStatus {
        let start = self.start();
        let what =
            (start..start.saturating_add(replicas)).find_map(|ordinal| self.awaited_of(ordinal));
        self.unless_stuck(what)
    }

    /// All pods that stand are up, and have outlasted whatever is known to end.
    #[must_use]
    pub fn awaits_staying_up(&self) -> WaitStatus {
        let is_not_up = |pod: &&PodLife| {
            pod.deletion_requested.is_none()
                && (pod.is_ready() || pod.last_own_end().is_some())
                && !(self.is_up(pod) && self.outlasts_all(pod))
        };
        let what = self.owned().find(is_not_up).map(|pod| format!("{} to stay up", pod.name()));
        self.unless_stuck(what)
    }

    /// No pod of the ordinals from `start + replicas` on is left.
    #[must_use]
    pub fn awaits_scale_down(&self, replicas: i32) -> WaitStatus {
        let end = self.start().saturating_add(replicas);
        match self.owned().filter(|it| it.ordinal >= end).last() {
            None => WaitStatus::Done,
            Some(left) => WaitStatus::Awaited(format!("{} to be gone", left.name())),
        }
    }

    /// The crash loop of a pod of the set that is not up.
    fn crash_loop_of_a_pod(&self) -> Option<Obstacle> {
        self.owned()
            .filter(|pod| pod.deletion_requested.is_none() && !self.is_up(pod))
            .find_map(|pod| self.crash_of(pod))
            .cloned()
    }

    fn unless_stuck(&self, what: Option<String>) -> WaitStatus {
        match what {
            None => WaitStatus::Done,
            Some(what) => diagnosis::find(self, StepTime::Remains)
                .or_else(|| self.crash_loop_of_a_pod())
                .map_or(WaitStatus::Awaited(what), WaitStatus::Stuck),
        }
    }
}
