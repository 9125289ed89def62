//! Rest: when the set is where it was asked to be. The driver's waits and the judge share these questions.

use super::{
    fold::ordinal_of,
    lives::Incarnation,
    observation::Seq,
    obstacle::{self, Fault, Obstacle},
    timeline::{MOST_REPLICAS, Timeline},
    verdict::Standing,
};

/// The answer to "is it there yet?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It is.
    Done,
    /// Not yet; what is awaited, in words.
    Going(String),
    /// It will not be: waiting on does not help.
    Stuck(Obstacle),
}

/// A span in which the set stood where `spec.replicas` asked it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Its first line.
    pub from: Seq,
    /// The first line at which it was over; `None` while it lasts.
    pub until: Option<Seq>,
    /// `spec.replicas` in it.
    pub replicas: i32,
    /// The UID of the set.
    pub set: String,
    /// The pods that the set owned at its beginning, by ordinal: name and UID.
    pub pods: Vec<(String, String)>,
}

impl Rest {
    pub(super) fn now(timeline: &Timeline, from: Seq) -> Self {
        Self {
            from,
            until: None,
            replicas: timeline.set().map_or(0, |set| set.spec.replicas.unwrap_or(1)),
            set: timeline.set().map_or_else(String::new, |set| set.uid.clone()),
            pods: timeline.owned().map(|it| (it.name().to_owned(), it.uid().to_owned())).collect(),
        }
    }
}

impl Timeline {
    /// Whether the set is where it was asked to be: see [`Timeline::at_rest`].
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.going().is_none()
    }

    /// Settled: all pods that `spec.replicas` asks for are Ready at once, no other pod of the set is
    /// left, and no rollout is under way.
    #[must_use]
    pub fn at_rest(&self) -> Wait {
        self.unless_stuck(self.going())
    }

    /// The first span in which the submission as it stands had all its replicas Ready, and those pods stayed
    /// up: where a container of theirs ended by its own doing later, it came up again.
    #[must_use]
    pub fn settled(&self) -> Option<&Rest> {
        let replicas = self.replicas();
        self.rests().iter().find(|rest| rest.replicas == replicas && self.is_of_now(rest) && self.lasts(rest))
    }

    /// Whether a settled period's pods stayed up: where a container of theirs ended by its own doing later, it came up again.
    pub(super) fn lasts(&self, rest: &Rest) -> bool {
        let stays = |pod: &Incarnation| pod.ended().is_none_or(|ended| ended <= rest.from) || self.is_up(pod);
        let lasts = |pod: &Incarnation| stays(pod) && self.crash_of(pod).is_none() && self.outlasts_all(pod);
        rest.pods.iter().all(|(_, uid)| self.incarnation(uid).is_some_and(lasts))
    }

    /// The incarnation that the structural checks look at for an ordinal: the one that was there when
    /// the set had settled, or the newest one of the template as it stands.
    #[must_use]
    pub fn representative(&self, ordinal: i32) -> Option<&Incarnation> {
        let settled = self.settled().and_then(|rest| rest.pods.iter().filter_map(|(_, uid)| self.incarnation(uid)).find(|pod| pod.ordinal == ordinal));
        settled.or_else(|| self.lane(ordinal).iter().rfind(|pod| self.is_current(pod)))
    }

    /// How a criterion stands that nothing has shown: because something is in the way, or because
    /// nobody tried. `next` is the next thing to try.
    #[must_use]
    pub fn missing(&self, next: &str) -> Standing {
        self.missing_because("that was not so before the recording ended", next)
    }

    /// As [`Timeline::missing`], where it is known why nothing has shown it.
    pub(super) fn missing_because(&self, why: &str, next: &str) -> Standing {
        let blamed = self.blamed().cloned();
        let is_ungraded = self.set().is_none_or(|set| set.spec.replicas.is_some_and(|it| it > MOST_REPLICAS));
        let nothing = || is_ungraded.then(|| obstacle::find(self, false)).flatten();
        blamed.or_else(nothing).map_or_else(|| Standing::NotShown { why: why.to_owned(), next: next.to_owned() }, Standing::Blocked)
    }

    /// What is told to have been in the way: the submission's fault, else what kept the pods that it asks for, else the rest.
    fn blamed(&self) -> Option<&Obstacle> {
        let is_beyond = |it: &Obstacle| {
            let ordinal = ordinal_of(&it.who);
            self.set().is_some_and(|set| it.who == format!("{}-{ordinal}", set.name)) && !self.ordinals().contains(&ordinal)
        };
        let own = self.obstacles().iter().find(|it| it.fault == Fault::Submission);
        own.or_else(|| self.obstacles().iter().find(|it| !is_beyond(it))).or_else(|| self.obstacle())
    }

    /// How the coming back of a pod stands; `None` where it had to go before it was up, which shows nothing, unless it
    /// could not get there. `next` is the next thing to try.
    pub(super) fn coming_back(&self, new: &Incarnation, next: &str) -> Option<Standing> {
        if let Some(crash) = self.crash_of(new) {
            return Some(Standing::Blocked(crash.clone()));
        }
        if new.ready.is_some() {
            let short = || if new.asked_to_go.is_none() { self.undecided(new) } else { None };
            return if self.is_back(new) { Some(Standing::Met) } else { short() };
        }
        let standing = self.missing(next);
        (new.asked_to_go.is_none() || matches!(standing, Standing::Blocked(_))).then_some(standing)
    }

    /// Whether a pod was Ready, and up: for more than the moment that each start of a container that ends is.
    pub(crate) fn is_back(&self, new: &Incarnation) -> bool {
        new.ready.is_some() && self.is_up(new) && self.crash_of(new).is_none() && self.outlasts_all(new)
    }

    /// The pod that took over from the incarnation `old` (a UID) is Ready.
    #[must_use]
    pub fn succeeded(&self, old: &str) -> Wait {
        let Some(before) = self.incarnation(old) else { return Wait::Going("the pod that is to be replaced".to_owned()) };
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
    pub fn risen(&self, replicas: i32) -> Wait {
        let start = self.start();
        let what = (start..start.saturating_add(replicas)).find_map(|ordinal| self.lacking(ordinal));
        self.unless_stuck(what)
    }

    /// All pods that stand are up, and have outlasted whatever is known to end.
    #[must_use]
    pub fn stays_up(&self) -> Wait {
        let restless =
            |pod: &&Incarnation| pod.asked_to_go.is_none() && (pod.is_ready() || pod.ended().is_some()) && !(self.is_up(pod) && self.outlasts_all(pod));
        let what = self.owned().find(restless).map(|pod| format!("{} to stay up", pod.name()));
        self.unless_stuck(what)
    }

    /// No pod of the ordinals from `start + replicas` on is left.
    #[must_use]
    pub fn fallen(&self, replicas: i32) -> Wait {
        let end = self.start().saturating_add(replicas);
        match self.owned().filter(|it| it.ordinal >= end).last() {
            None => Wait::Done,
            Some(left) => Wait::Going(format!("{} to be gone", left.name())),
        }
    }

    /// What an ordinal still lacks to be Ready, in words.
    fn lacking(&self, ordinal: i32) -> Option<String> {
        let name = format!("{}-{ordinal}", self.set().map_or("", |set| &set.name));
        match self.live(ordinal) {
            None => Some(format!("{name} to be created")),
            Some(pod) if pod.asked_to_go.is_some() => Some(format!("{name} to be gone")),
            Some(pod) if !pod.is_ready() => Some(format!("{name} to be Ready")),
            Some(pod) if !self.is_up(pod) => Some(format!("{name} to stay up")),
            Some(_) => None,
        }
    }

    /// What is missing for rest, in words; `None` at rest.
    fn going(&self) -> Option<String> {
        let Some(set) = self.set().filter(|set| set.gone.is_none()) else { return Some("a StatefulSet".to_owned()) };
        if set.asked_to_go.is_some() {
            return Some(format!("{} is being deleted", set.name));
        }
        let replicas = set.spec.replicas.unwrap_or(1);
        if replicas == 0 {
            return Some(format!("{} has 0 replicas", set.name));
        }
        let start = self.start();
        let end = start.saturating_add(replicas);
        if let Some(what) = (start..end).find_map(|ordinal| self.lacking(ordinal)) {
            return Some(what);
        }
        if let Some(extra) = self.owned().find(|it| !(start..end).contains(&it.ordinal)) {
            return Some(format!("{} to be gone", extra.name()));
        }
        self.rollout()
    }

    /// The pod that a rolling update has yet to replace, in words.
    ///
    /// OnDelete and partitions may stay mixed for ever, and are at rest.
    fn rollout(&self) -> Option<String> {
        let set = self.set()?;
        if set.status.observed_generation < set.generation {
            return Some(format!("the controller to see {}'s newest spec", set.name));
        }
        // An adopted pod without a revision is replaced, too.
        let outdated = |pod: &&Incarnation| !set.leaves_alone(pod.ordinal) && pod.revision() != Some(&set.status.update_revision);
        let next = self.owned().find(outdated).filter(|_| !set.status.update_revision.is_empty());
        next.map(|it| format!("{} to be updated", it.name()))
    }

    /// The crash loop of a pod that is not up.
    fn in_the_way(&self) -> Option<Obstacle> {
        self.owned().filter(|pod| pod.asked_to_go.is_none() && !self.is_up(pod)).find_map(|pod| self.crash_of(pod)).cloned()
    }

    fn unless_stuck(&self, what: Option<String>) -> Wait {
        match what {
            None => Wait::Done,
            Some(what) => obstacle::find(self, false).or_else(|| self.in_the_way()).map_or(Wait::Going(what), Wait::Stuck),
        }
    }
}
