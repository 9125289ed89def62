//! Order: what checks 2, 7 and 8 ask of the pods that an episode moved.

use crate::mistakes::{self, Mistake};
use crate::model::{
    observation::{
        Seq,
        when::{Truth, When},
    },
    timeline::{
        Timeline,
        episode::{Episode, added_before, added_since},
        lives::{PodLife, ReplicasChange},
    },
    verdict::{Standing, Verdict},
};

/// A pod that came, or was asked to go, before its turn.
#[derive(Clone, Copy, Debug)]
pub struct OutOfOrder<'t> {
    /// The pod that had to be Ready, or gone, first.
    pub waited_for: &'t PodLife,
    /// The pod that did not wait for that.
    pub too_early: &'t PodLife,
    /// When: it was added, or its deletion was requested.
    pub when: When,
}

impl Timeline {
    /// The broken order of pods, as checks 2, 7 and 8 judge it: what was added too early, then
    /// what was asked to go too early.
    #[must_use]
    pub fn out_of_order(&self) -> Vec<OutOfOrder<'_>> {
        let is_broken = |standing: &Standing| matches!(standing, Standing::Broken { .. });
        let mut found = vec![];
        for scale_up in self.scale_ups().filter(|it| !it.scale.moves_one_pod()) {
            for upper in &scale_up.pods {
                let Some(lower) = self.below(&scale_up, upper) else { continue };
                if is_broken(&self.ready_before_next(&scale_up, lower, upper).0) {
                    let when = upper.added;
                    found.push(OutOfOrder { waited_for: lower, too_early: upper, when });
                }
            }
        }
        for scale_down in self.scale_downs() {
            for (upper, lower) in scale_down.deletion_pairs() {
                let Some(when) = lower.deletion_requested else { continue };
                if is_broken(&self.gone_before_next(&scale_down, upper, lower).0) {
                    found.push(OutOfOrder { waited_for: upper, too_early: lower, when });
                }
            }
        }
        found
    }

    /// Adds the criteria of one scale-up: the pod below the first one, and each pod after it, is
    /// Ready before the next is added.
    pub(crate) fn judge_scale_up(&self, verdict: &mut Verdict, scale_up: &Episode<'_>) {
        for upper in &scale_up.pods {
            let Some(lower) = self.below(scale_up, upper) else { continue };
            let (standing, evidence) = self.ready_before_next(scale_up, lower, upper);
            let text = self.asked_of_pair(scale_up, lower, upper);
            verdict
                .push("ready_before_next", text, standing, evidence)
                .because(self.policy_mistake());
        }
    }

    /// Whether a change of replicas shows in which order pods come or go: it was seen from its
    /// beginning to its end, and nothing speaks against it.
    pub(crate) fn shows_order(&self, episode: &Episode<'_>) -> bool {
        episode.is_complete && self.why_no_order(episode).is_none()
    }

    /// Why a complete change of replicas shows no order all the same; `None` where it shows one.
    pub(crate) fn why_no_order(&self, complete: &Episode<'_>) -> Option<String> {
        let scale = &complete.scale;
        if scale.to > scale.from {
            if scale.moves_one_pod() {
                return Some(one_pod_alone(scale));
            }
            let crashing = self.crashing_below(complete)?;
            return Some(format!(
                "{} was in a crash loop when the pods above it were added",
                crashing.name()
            ));
        }
        // A pod that an earlier change left may make a pair with the one that this change moves.
        if !complete.deletion_pairs().is_empty() {
            return None;
        }
        if scale.moves_one_pod() {
            return Some(one_pod_alone(scale));
        }
        let disrupted = complete.pods.iter().filter(|pod| pod.is_disrupted);
        let disrupted: Vec<&str> = disrupted.map(|pod| pod.name()).collect();
        if disrupted.is_empty() {
            return Some(format!(
                "no two pods were seen to be deleted by the change of `replicas` from {} to {}",
                scale.from, scale.to
            ));
        }
        Some(format!("pods that the cluster removed show no order: {}", disrupted.join(", ")))
    }

    /// Of the pods that stood when a scale-up began, one in a crash loop whose every run ends at
    /// once. Such a pod is Ready until the kubelet has heard of the end, and by that moment the
    /// controller goes on or not: that is a matter of chance, and shows no order.
    fn crashing_below<'t>(&'t self, scale_up: &Episode<'t>) -> Option<&'t PodLife> {
        let first = scale_up.pods.first()?;
        let last_ready = scale_up.pods.iter().filter_map(|it| it.ready).map(|it| it.by).max();
        let crashed = |pod: &PodLife| {
            let is_before_it = |end: Seq| last_ready.is_none_or(|it| end <= it);
            let is_in_it = pod.first_own_end().is_some_and(is_before_it);
            is_in_it && pod.ends_at_once() && self.crash_of(pod).is_some()
        };
        let mut stood = (self.start()..first.ordinal)
            .filter_map(|ordinal| added_before(self.lane(ordinal), first.added.by).last());
        stood.find(|pod| crashed(pod))
    }

    /// The pod that had to be Ready before `upper`, by the first of these that there is: the pod
    /// below it that the same scale-up added before, the pod below it that stood when it was added,
    /// or the pod below it that the same scale-up added after it.
    fn below<'t>(&'t self, scale_up: &Episode<'t>, upper: &PodLife) -> Option<&'t PodLife> {
        let added = scale_up.pods.iter().find(|it| it.ordinal == upper.ordinal - 1).copied();
        // Use the pod watch, not the set watch: the set's update can arrive after the pod's, and
        // the scale-up then holds a later pod than the one it added.
        let stood = || {
            added_before(self.lane(upper.ordinal - 1), upper.added.by)
                .last()
                .filter(|it| it.deleted.is_none_or(|deleted| deleted.by > upper.added.by))
        };
        added.filter(|it| it.added.by < upper.added.by).or_else(stood).or(added)
    }

    /// Adds the criterion of checks 2 and 7 that the set asks for the order at all: by it, a set
    /// with `Parallel` fails them even where no scale-up was seen.
    pub(crate) fn judge_policy(&self, verdict: &mut Verdict) {
        let Some(set) = self.set() else { return };
        let policy = &set.spec.pod_management_policy;
        let standing = if self.asks_for_order() {
            Standing::Met
        } else {
            Standing::broken(
                "podManagementPolicy: OrderedReady (the default)",
                format!("podManagementPolicy: {policy}"),
            )
        };
        verdict
            .push("ordered_ready", "the set asks for ordered pods", standing, [set.changed.by])
            .because(&mistakes::PARALLEL);
    }

    /// Whether the set asks for ordered pods: its controller then deletes no pod before the one above
    /// it is gone, and what does is somebody else.
    #[must_use]
    pub fn asks_for_order(&self) -> bool {
        let policy = self.set().map(|set| set.spec.pod_management_policy.as_str());
        policy.is_some_and(|it| matches!(it, "" | "OrderedReady"))
    }

    /// The mistake that explains a broken order: only `Parallel` is one. A policy that no
    /// Kubernetes knows fails [`Timeline::judge_policy`], and explains no order.
    pub(crate) fn policy_mistake(&self) -> Option<&'static Mistake> {
        if self.set().is_some_and(|set| set.spec.pod_management_policy == "Parallel") {
            Some(&mistakes::PARALLEL)
        } else {
            None
        }
    }

    /// Whether an ordinal was Ready, in any pod life since its first addition `lower`, before
    /// `upper` was added; with the line that shows it.
    pub(crate) fn was_ready_before(&self, lower: &PodLife, upper: &PodLife) -> (Truth, Seq) {
        let (mut unknown, mut not) = (None, None);
        for life in added_since(self.lane(lower.ordinal), lower.added.by) {
            let in_a_gap = life.unwatched.map(|gap| When { by: Seq::MAX, ..gap });
            if let Some(ready) = life.ready.or(in_a_gap) {
                let seen = ready.by.min(upper.added.by);
                match ready.precedes(upper.added) {
                    Truth::Yes => return (Truth::Yes, seen),
                    Truth::Unknown => _ = unknown.get_or_insert(seen),
                    Truth::No => _ = not.get_or_insert(seen),
                }
            }
            // Those after the first one that came later than `upper` were Ready later, too.
            if life.added.by > upper.added.by {
                break;
            }
        }
        match unknown {
            Some(seen) => (Truth::Unknown, seen),
            None => (Self::unless_hidden(lower, upper), not.unwrap_or(lower.added.by)),
        }
    }

    /// What is known where no pod of the ordinal was seen Ready before `upper`: that none was, or,
    /// where `upper` was found by the list after a gap, nothing, because an earlier pod below it
    /// may have come and gone in that.
    fn unless_hidden(lower: &PodLife, upper: &PodLife) -> Truth {
        let watched =
            upper.added.after.is_some_and(|after| after.saturating_add(1) == upper.added.by);
        if !watched && lower.added.by > upper.added.by { Truth::Unknown } else { Truth::No }
    }

    /// What a scale-up asks of two pods. A tour holds several: of those that begin with pods it
    /// says which one it is.
    fn asked_of_pair(&self, scale_up: &Episode<'_>, lower: &PodLife, upper: &PodLife) -> String {
        let scale = &scale_up.scale;
        let is_alike = |it: &ReplicasChange| (it.from, it.to) == (scale.from, scale.to);
        let all = self.set().map_or(&[][..], |set| &set.replicas_changes);
        let is_again = all.iter().any(|it| is_alike(it) && it.when.by < scale.when.by);
        let which = match (scale.from, is_again) {
            (0, _) => String::new(),
            (_, false) => format!(" (scaled from {} to {})", scale.from, scale.to),
            (_, true) => format!(" (scaled from {} to {} again)", scale.from, scale.to),
        };
        format!("{} is Ready before {} is added{which}", lower.name(), upper.name())
    }

    /// How two neighbours of a scale-up stand: the lower one is Ready before the upper one is
    /// added.
    fn ready_before_next(
        &self,
        scale_up: &Episode<'_>,
        lower: &PodLife,
        upper: &PodLife,
    ) -> (Standing, [Seq; 2]) {
        let (truth, seen) = self.was_ready_before(lower, upper);
        let (first, second) = (lower.name(), upper.name());
        let standing = match truth {
            Truth::Yes => Standing::Met,
            Truth::Unknown => Standing::unseen(format!(
                "the watch on pods has a gap between {first} becoming Ready and {second} being \
                added"
            )),
            Truth::No => Standing::broken(
                self.asked_of_pair(scale_up, lower, upper),
                match lower.ready {
                    Some(ready) => format!(
                        "{second} was added {} before {first} was Ready",
                        self.time_between(ready, upper.added)
                    ),
                    None => format!("{second} was added, and {first} was not Ready"),
                },
            ),
        };
        (standing, [seen, upper.added.by])
    }

    /// How two pods of a scale-down stand: the deletion of the lower one is requested only when the
    /// upper one is gone.
    pub(crate) fn gone_before_next(
        &self,
        scale_down: &Episode<'_>,
        upper: &PodLife,
        lower: &PodLife,
    ) -> (Standing, Vec<Seq>) {
        let (first, second) = (upper.name(), lower.name());
        let Some(requested) = lower.deletion_requested else {
            return (Standing::unseen(format!("{second} was not seen Terminating")), vec![]);
        };
        let was_gone = upper.deleted.map_or(Truth::No, |deleted| deleted.precedes(requested));
        let standing = match was_gone {
            Truth::Yes => Standing::Met,
            Truth::Unknown => Standing::unseen(format!(
                "the watch on pods has a gap between {first} going away and the request to delete \
                {second}"
            )),
            // It may be somebody else's request: a wrong order then proves nothing.
            Truth::No if !scale_down.surely_spans(requested) => Standing::unseen(format!(
                "whether the deletion of {second} was requested before or after the replicas \
                changed cannot be seen"
            )),
            Truth::No => Standing::broken(
                format!("{first} is gone before {second} is Terminating"),
                self.gone_too_early(upper, lower, requested),
            ),
        };
        let gone_at = upper.deleted.map(|deleted| deleted.by);
        (standing, gone_at.into_iter().chain([requested.by]).collect())
    }

    /// That a pod was asked to go before its turn, in words.
    fn gone_too_early(&self, upper: &PodLife, lower: &PodLife, requested: When) -> String {
        let (first, second) = (upper.name(), lower.name());
        let seen = match upper.deleted {
            Some(deleted) => format!(
                "{second} was Terminating {} before {first} was gone",
                self.time_between(deleted, requested)
            ),
            None => format!("{second} was Terminating while {first} was still there"),
        };
        if self.asks_for_order() {
            format!("{seen}: not the set's controller, but somebody else, deleted {second}")
        } else {
            seen
        }
    }

    /// The time between two facts, whichever is earlier, as a report writes it.
    fn time_between(&self, one: When, other: When) -> String {
        span(self.known_at(one).abs_diff(self.known_at(other)))
    }
}

/// Why a change of one pod shows no order.
pub(crate) fn one_pod_alone(scale: &ReplicasChange) -> String {
    format!("one pod alone shows no order: `replicas` went from {} to {}", scale.from, scale.to)
}

/// A span in nanoseconds, as a report writes it.
fn span(between: u64) -> String {
    let tenths = between / 100_000_000;
    if tenths == 0 {
        return format!("{} ms", between / 1_000_000);
    }
    format!("{}.{} s", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::span;
    use crate::model::testing::history::History;

    /// Catches a pair that is told the wrong way round, and an order that is kept.
    #[test]
    fn what_came_too_early_is_told_with_what_it_had_to_wait_for() {
        assert!(History::toured().timeline().out_of_order().is_empty());
        let history = History::created().scale(5).claim(3).claim(4).add(3).add(4).ready(3).ready(4);
        let timeline = history.timeline();
        let found = timeline.out_of_order();
        let names: Vec<_> =
            found.iter().map(|it| (it.waited_for.name(), it.too_early.name())).collect();
        assert_eq!(names, [("web-3", "web-4")]);
        assert_eq!(found[0].when, timeline.lane(4)[0].added);
    }

    #[test]
    fn short_times_are_milliseconds() {
        assert_eq!(
            (span(99_000_000), span(100_000_000), span(1_500_000_000)),
            ("99 ms".into(), "0.1 s".into(), "1.5 s".into())
        );
    }
}
