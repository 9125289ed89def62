//! What is not shown: why that is so, and the next thing to try.

use crate::model::{
    observation::{Seq, line_of},
    rules::order::one_pod_alone,
    timeline::{
        Timeline,
        lives::{PodLife, ReplicasChange, SetLife},
        relevance::SubmissionPart,
    },
    verdict::Standing,
};

/// What a check needs to have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A scale-up from none.
    ScaleUpFromNone,
    /// A scale-up of at least two pods from one or more.
    ScaleUp,
    /// A scale-down of at least two pods.
    ScaleDown,
    /// Pods that go, and claims that stay.
    Retention,
    /// A pod that is replaced.
    Replacement,
    /// A pod that comes back in a scale-up.
    Return,
}

/// How many pods a change of replicas must move at least, so that it shows what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Least {
    OnePod,
    TwoPods,
}

impl Least {
    fn is_moved_by(self, scale: &ReplicasChange) -> bool {
        self == Self::OnePod || !scale.moves_one_pod()
    }
}

impl Timeline {
    /// How a criterion stands that needs something to have happened, and it did not, or not so that
    /// it counts.
    pub(crate) fn not_shown(&self, wanted: Wanted) -> Standing {
        self.blocked_or_not_shown_because(&self.why_unshown(wanted), wanted.next())
    }

    fn why_unshown(&self, wanted: Wanted) -> String {
        match wanted {
            Wanted::ScaleUpFromNone => {
                let stood = self.set().is_some_and(|set| set.added.after.is_none());
                let nobody = if stood {
                    "the set stood before the recording began, and nobody scaled it from 0"
                } else {
                    "nobody scaled it from 0"
                };
                self.why_no_scaling(|scale| scale.from == 0 && scale.to > 0, Least::TwoPods, nobody)
            }
            Wanted::ScaleUp => self.why_no_scaling(
                |scale| scale.from >= 1 && scale.to > scale.from,
                Least::TwoPods,
                "nobody scaled the set up",
            ),
            Wanted::ScaleDown => self.why_no_scaling(
                |scale| scale.to < scale.from,
                Least::TwoPods,
                "nobody scaled the set down",
            ),
            Wanted::Retention => self
                .why_void(
                    self.scale_downs().flat_map(|scale_down| scale_down.pods),
                    self.last_scaling(|scale| scale.to < scale.from),
                )
                .unwrap_or_else(|| {
                    self.why_no_scaling(
                        |scale| scale.to < scale.from,
                        Least::OnePod,
                        "nobody scaled the set down",
                    )
                }),
            Wanted::Replacement => {
                self.why_no_pair(&self.replacements(), wanted, "no pod was deleted and came back")
            }
            Wanted::Return => {
                self.why_no_pair(&self.returns(), wanted, "no pod that was scaled away came back")
            }
        }
    }

    /// Why no change of replicas shows an order.
    fn why_no_scaling(
        &self,
        is_one: impl Fn(&ReplicasChange) -> bool,
        least: Least,
        nobody: &str,
    ) -> String {
        let Some(set) = self.set() else { return nobody.to_owned() };
        let last = set.replicas_changes.iter().rfind(|scale| is_one(scale));
        let Some(last) = last else {
            let is_enough = |scale: &ReplicasChange| is_one(scale) && least.is_moved_by(scale);
            return self
                .why_of_earlier_set(|set| set.replicas_changes.iter().any(is_enough))
                .or_else(|| {
                    let mut scales =
                        self.earlier_sets().iter().flat_map(|set| &set.replicas_changes);
                    scales.rfind(|scale| is_one(scale)).map(one_pod_alone)
                })
                .unwrap_or_else(|| nobody.to_owned());
        };
        if !self.is_since(last.when.by, SubmissionPart::Order) {
            return format!(
                "it was done, but what decides the order of the pods was changed after that \
                (line {})",
                line_of(self.last_change_of(SubmissionPart::Order))
            );
        }
        let mut episodes = self.episodes();
        episodes.retain(|episode| is_one(&episode.scale));
        if least == Least::TwoPods && episodes.iter().all(|it| it.scale.moves_one_pod()) {
            return one_pod_alone(last);
        }
        match episodes.iter().rfind(|episode| !episode.is_complete) {
            Some(episode) if episode.next_change < Seq::MAX => {
                let ReplicasChange { from, to, .. } = &episode.scale;
                format!(
                    "the replicas were changed again (line {}) before the change from {from} to \
                    {to} was done",
                    line_of(episode.next_change)
                )
            }
            Some(episode) => format!(
                "the recording ended before the change from {} to {} was done",
                episode.scale.from, episode.scale.to
            ),
            None if least == Least::OnePod => nobody.to_owned(),
            None => {
                let mut of_several =
                    episodes.iter().rev().filter(|episode| !episode.scale.moves_one_pod());
                of_several
                    .find_map(|episode| self.why_no_order(episode))
                    .unwrap_or_else(|| nobody.to_owned())
            }
        }
    }

    /// Why no pod that went and came back counts: it came back before the last change, or because
    /// of that change, or it had to go again too soon. `pairs` are those since the last change, old
    /// and new.
    fn why_no_pair(&self, pairs: &[(&PodLife, &PodLife)], wanted: Wanted, nobody: &str) -> String {
        let mut came_back: Vec<&PodLife> = vec![];
        let mut last = 0;
        for pair in self.lanes().flat_map(|(_, lane)| lane.windows(2)) {
            let [old, new] = pair else { continue };
            if let Some(deleted) =
                old.deleted.filter(|_| old.ready.is_some() && new.ready.is_some())
            {
                last = last.max(deleted.by);
                came_back.extend([old, new]);
            }
        }
        let why_not = || match pairs.last() {
            Some((_, new)) => {
                let name = new.name();
                format!("{name} came back, and had to go again before it was seen to stay up")
            }
            None => self
                .why_of_earlier_set(|set| self.had_successors(set, wanted))
                .unwrap_or_else(|| nobody.to_owned()),
        };
        self.why_void(came_back.into_iter(), last).unwrap_or_else(why_not)
    }

    /// The change after which these pods show nothing, if one is why. `last` is the line of what
    /// they showed.
    fn why_void<'t>(
        &self,
        mut pods: impl Iterator<Item = &'t PodLife>,
        last: Seq,
    ) -> Option<String> {
        if last > 0 && !self.is_since(last, SubmissionPart::Retention) {
            return Some(format!(
                "it was done, but the retention policy of the PVCs was changed after that \
                (line {})",
                line_of(self.last_change_of(SubmissionPart::Retention))
            ));
        }
        let template = self.last_change_of(SubmissionPart::Template);
        let outdated = pods.any(|pod| !self.is_current(pod));
        let line = match template {
            0 => String::new(),
            _ => format!(" (line {})", line_of(template)),
        };
        outdated.then(|| {
            format!(
                "it was done, but the template was changed after that{line}, and pods of an \
            earlier template show nothing of this one"
            )
        })
    }

    /// Why something that was done does not count: it was done to a set of the same name, which was
    /// deleted before this one was made.
    fn why_of_earlier_set(&self, was_done: impl Fn(&SetLife) -> bool) -> Option<String> {
        let set = self.set()?;
        self.earlier_sets().iter().any(was_done).then(|| {
            format!(
                "it was done, but the set was made anew after that (line {}), and what was done to \
                the one before it shows nothing of this one",
                line_of(set.added.by)
            )
        })
    }

    /// The sets of the graded set's name that were deleted before it was made.
    fn earlier_sets(&self) -> &[SetLife] {
        let lives = self.set().and_then(|set| self.sets.get(&set.name)?.split_last());
        lives.map_or(&[], |(_, earlier)| earlier)
    }

    /// Whether a pod of a set went and came back: by a scaling where a return is wanted, and else
    /// without one.
    fn had_successors(&self, set: &SetLife, wanted: Wanted) -> bool {
        let mut lanes = self.lanes.get(&set.uid).into_iter().flat_map(|lanes| lanes.values());
        lanes.any(|lane| {
            let ready: Vec<&PodLife> = lane.iter().filter(|pod| pod.ready.is_some()).collect();
            ready.windows(2).any(|pair| match pair {
                [old, new] => is_scaled_up_between(set, old, new) == (wanted == Wanted::Return),
                _ => false,
            })
        })
    }

    /// The line at which the graded set was made in place of one of its name that was recorded, too.
    #[must_use]
    pub fn made_anew(&self) -> Option<Seq> {
        (!self.earlier_sets().is_empty()).then_some(self.set()?.added.by)
    }

    fn last_scaling(&self, is_one: impl Fn(&ReplicasChange) -> bool) -> Seq {
        self.set()
            .into_iter()
            .flat_map(|set| &set.replicas_changes)
            .filter(|scale| is_one(scale))
            .map(|scale| scale.when.by)
            .max()
            .unwrap_or(0)
    }

    /// Whether nobody but people did something to the set: there is no tour.
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        self.steps().is_empty()
    }
}

impl Wanted {
    /// The next thing to try.
    const fn next(self) -> &'static str {
        match self {
            Self::ScaleUpFromNone => "scale the set to 0 and back up while stsgrade watches",
            Self::ScaleUp => "scale the set up by two while stsgrade watches",
            Self::ScaleDown => "scale the set down by two while stsgrade watches",
            Self::Retention => "scale the set down while stsgrade watches",
            Self::Replacement => "delete one pod while stsgrade watches",
            Self::Return => "scale the set down and up again while stsgrade watches",
        }
    }
}

/// Whether a scaling up between two pods of one ordinal made the newer one.
fn is_scaled_up_between(set: &SetLife, old: &PodLife, new: &PodLife) -> bool {
    let number = new.ordinal.saturating_sub(set.start());
    set.replicas_changes.iter().any(|scale| {
        (scale.from..scale.to).contains(&number)
            && (old.added.by..new.added.by).contains(&scale.when.by)
    })
}

#[cfg(test)]
mod tests;
