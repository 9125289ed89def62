//! Settled periods: when the set is where it was asked to be.

use crate::model::{
    observation::Seq,
    timeline::{
        MAX_REPLICAS, Timeline,
        lives::{PodLife, SetLife},
    },
};

/// A span in which the set stood where `spec.replicas` asked it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledPeriod {
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

impl SettledPeriod {
    pub(crate) fn now(timeline: &Timeline, from: Seq) -> Self {
        Self {
            from,
            until: None,
            replicas: timeline.set().map_or(0, |set| set.spec.replicas_or_one()),
            set: timeline.set().map_or_else(String::new, |set| set.uid.clone()),
            pods: timeline.owned().map(|it| (it.name().to_owned(), it.uid().to_owned())).collect(),
        }
    }
}

impl Timeline {
    /// Whether the set is where it was asked to be: see [`Timeline::settled_or_awaited`].
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.awaited().is_none()
    }

    /// The first span in which the submission as it stands had all its replicas Ready, and those
    /// pods stayed up: where a container of theirs ended by its own doing later, it came up again.
    #[must_use]
    pub fn settled(&self) -> Option<&SettledPeriod> {
        let replicas = self.replicas();
        self.settled_periods().iter().find(|period| {
            period.replicas == replicas && self.is_of_now(period) && self.stayed_up(period)
        })
    }

    /// The pod life that the structural checks look at for an ordinal: the one that was there when
    /// the set had settled, or the newest one of the template as it stands.
    #[must_use]
    pub fn representative(&self, ordinal: i32) -> Option<&PodLife> {
        let settled = self.settled().and_then(|period| {
            period
                .pods
                .iter()
                .filter_map(|(_, uid)| self.pod_life(uid))
                .find(|pod| pod.ordinal == ordinal)
        });
        settled.or_else(|| self.lane(ordinal).iter().rfind(|pod| self.is_current(pod)))
    }

    /// Whether a pod was Ready, and is up. Ready alone is not enough: a container that ends is
    /// Ready for a moment at each start.
    pub(crate) fn is_back(&self, new: &PodLife) -> bool {
        new.ready.is_some()
            && self.is_up(new)
            && self.crash_of(new).is_none()
            && self.outlasts_all(new)
    }

    /// What an ordinal still lacks to be Ready, in words.
    pub(crate) fn awaited_of(&self, ordinal: i32) -> Option<String> {
        let name = self.pod_name(ordinal);
        match self.live(ordinal) {
            None => Some(format!("{name} to be created")),
            Some(pod) if pod.deletion_requested.is_some() => Some(format!("{name} to be gone")),
            Some(pod) if !pod.is_ready() => Some(format!("{name} to be Ready")),
            Some(pod) if !self.is_up(pod) => Some(format!("{name} to stay up")),
            Some(_) => None,
        }
    }

    /// What the set still lacks to be settled, in words; `None` if it is settled.
    pub(crate) fn awaited(&self) -> Option<String> {
        let Some(set) = self.set().filter(|set| set.deleted.is_none()) else {
            return Some("a StatefulSet".to_owned());
        };
        if set.deletion_requested.is_some() {
            return Some(format!("the deletion of {} to end", set.name));
        }
        let replicas = set.spec.replicas_or_one();
        if replicas == 0 {
            return Some(format!("{} to ask for a pod (it has 0 replicas)", set.name));
        }
        // It is not graded, and each line of the recording asks this.
        if replicas > MAX_REPLICAS {
            return Some(format!("{} to ask for at most {MAX_REPLICAS} pods", set.name));
        }
        let start = self.start();
        let end = start.saturating_add(replicas);
        if let Some(what) = (start..end).find_map(|ordinal| self.awaited_of(ordinal)) {
            return Some(what);
        }
        if let Some(extra) = self.owned().find(|it| !(start..end).contains(&it.ordinal)) {
            return Some(format!("{} to be gone", extra.name()));
        }
        self.rollout()
    }

    /// The pods that have to go before the set is settled, or may have to: until the controller has
    /// seen the set's newest spec, a rolling update may replace any pod that it does not leave
    /// alone.
    pub fn pods_to_go(&self) -> impl Iterator<Item = &PodLife> {
        let set = self.set();
        let (start, replicas) = (self.start(), set.map_or(0, |set| set.spec.replicas_or_one()));
        let is_extra =
            move |it: &PodLife| !(start..start.saturating_add(replicas)).contains(&it.ordinal);
        let may_be_replaced = move |it: &PodLife| {
            set.is_some_and(|set| {
                set.is_outdated(it) || set.awaits_controller() && !set.leaves_alone(it.ordinal)
            })
        };
        self.owned().filter(move |it| {
            it.deletion_requested.is_some() || is_extra(it) || may_be_replaced(it)
        })
    }

    /// The pod that a rolling update has yet to replace, in words.
    ///
    /// With OnDelete or a partition, revisions may stay mixed for ever: such a set is settled.
    fn rollout(&self) -> Option<String> {
        let set = self.set()?;
        if set.awaits_controller() {
            return Some(format!("the controller to see {}'s newest spec", set.name));
        }
        let next = self.owned().find(|it| set.is_outdated(it));
        next.map(|it| format!("{} to be updated", it.name()))
    }
}

impl SetLife {
    /// Whether the controller has not seen the newest spec yet.
    pub(crate) const fn awaits_controller(&self) -> bool {
        self.status.observed_generation < self.generation
    }

    /// Whether a rolling update has yet to replace a pod. An adopted one without a revision is
    /// replaced, too.
    fn is_outdated(&self, pod: &PodLife) -> bool {
        let newest = &self.status.update_revision;
        !newest.is_empty() && !self.leaves_alone(pod.ordinal) && pod.revision() != Some(newest)
    }
}
