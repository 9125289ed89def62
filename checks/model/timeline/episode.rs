//! Episodes: one change of `spec.replicas` and the pods that it moved.
//!
//! Pods and the set come on different watches, so the lines between two changes do not tell which
//! pods a change moved: those are found per ordinal, by their place in the ordinal's lane. Lines
//! only bound what may be the doing of a change ([`Episode::first_line`],
//! [`Episode::next_change`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    observation::{RequestedChange, Seq, when::When},
    timeline::{
        MAX_REPLICAS, Timeline,
        lives::{PodLife, ReplicasChange},
        relevance::SubmissionPart,
    },
};

/// Changes to and from more replicas are not looked into: a tour asks for some more than the
/// submission.
const MAX_PODS: i32 = MAX_REPLICAS + 10;

/// One change of `spec.replicas` and the pods that it moved.
#[derive(Debug)]
pub struct Episode<'t> {
    /// The change.
    pub scale: ReplicasChange,
    /// Upwards, the pods that it added, by rising ordinal; downwards, those that it was to remove,
    /// by falling ordinal.
    pub pods: Vec<&'t PodLife>,
    /// Every pod that it was to move was moved, and seen to be, before the next change.
    pub is_complete: bool,
    /// The line since which what happens may be its doing.
    pub first_line: Seq,
    /// The line of the next change, which supersedes it.
    pub next_change: Seq,
}

impl Timeline {
    /// Every change of `spec.replicas` since what decides the order of pods last changed, in order.
    #[must_use]
    pub fn episodes(&self) -> Vec<Episode<'_>> {
        let Some(set) = self.set() else { return vec![] };
        let changes = self.changes_by_ordinal();
        let all = set.replicas_changes.iter().enumerate();
        all.filter(|(_, scale)| self.is_since(scale.when.by, SubmissionPart::Order))
            .map(|(index, scale)| {
                if scale.to > scale.from {
                    self.scale_up(&changes, index, scale.clone())
                } else {
                    self.scale_down(&changes, index, scale.clone())
                }
            })
            .collect()
    }

    /// The episodes that add pods.
    pub fn scale_ups(&self) -> impl Iterator<Item = Episode<'_>> {
        self.episodes().into_iter().filter(|it| it.scale.to > it.scale.from)
    }

    /// The episodes that remove pods.
    pub fn scale_downs(&self) -> impl Iterator<Item = Episode<'_>> {
        self.episodes().into_iter().filter(|it| it.scale.to < it.scale.from)
    }

    /// Pods that went and came back while `spec.replicas` wanted them all along: old and new.
    #[must_use]
    pub fn replacements(&self) -> Vec<(&PodLife, &PodLife)> {
        let all = self.successions().into_iter();
        all.filter(|it| !it.is_scaled_up && !it.new.adopted).map(|it| (it.old, it.new)).collect()
    }

    /// Pods that came back in a scale-up: the pod life that their ordinal had before, and the new
    /// one.
    #[must_use]
    pub fn returns(&self) -> Vec<(&PodLife, &PodLife)> {
        let all = self.successions().into_iter();
        all.filter(|it| it.is_scaled_up).map(|it| (it.old, it.new)).collect()
    }

    /// Pairs of pods of one ordinal, old and new: each pod that was Ready, with the next one that
    /// was Ready or the last one of all. Where the old pod was deleted before anybody read its
    /// files, the new one is also paired with the last pod that was not: what that one wrote must
    /// still be there.
    ///
    /// A pod that was never Ready and was made again is in no pair: nothing could be seen of it.
    fn successions(&self) -> Vec<Succession<'_>> {
        let scaled_up: BTreeSet<&str> =
            self.scale_ups().flat_map(|it| it.pods).map(PodLife::uid).collect();
        let mut found = vec![];
        for (_, lane) in self.lanes() {
            let (mut before, mut seen): (Option<usize>, Option<usize>) = (None, None);
            for (index, new) in lane.iter().enumerate() {
                let has_lived = new.ready.is_some() || self.was_read(new);
                let is_last = index + 1 == lane.len();
                let ends_a_lane = is_last && before.is_some();
                if !has_lived && !ends_a_lane {
                    continue;
                }
                let is_unread = self.had_to_go_unread(new);
                let earlier = seen.filter(|it| !is_unread && before != Some(*it));
                for old in before.into_iter().chain(earlier) {
                    if !self.are_comparable(&lane[old..=index]) {
                        continue;
                    }
                    let mut since = lane[old + 1..=index].iter();
                    let is_scaled_up = since.any(|it| scaled_up.contains(it.uid()));
                    found.push(Succession { old: &lane[old], new, is_scaled_up });
                }
                before = Some(index);
                if !is_unread {
                    seen = before;
                }
            }
        }
        found
    }

    /// For each ordinal, the changes that add or remove its pod.
    fn changes_by_ordinal(&self) -> ChangesByOrdinal {
        let mut changes = ChangesByOrdinal::new();
        for (index, scale) in
            self.set().into_iter().flat_map(|set| &set.replicas_changes).enumerate()
        {
            let change = ChangeAt { index, line: scale.when.by };
            for nth in scale.from.min(scale.to).max(0)..scale.from.max(scale.to).min(MAX_PODS) {
                changes.entry(self.nth_ordinal(nth)).or_default().push(change);
            }
        }
        changes
    }

    fn next_change(&self, index: usize) -> Option<Seq> {
        Some(self.set()?.replicas_changes.get(index + 1)?.when.by)
    }

    /// An ordinal's part in a scale-up is its first addition: one re-made after a failure is not a
    /// new one.
    ///
    /// An adopted pod is none, nor one that takes the place of a pod that stood when the change
    /// came.
    fn scale_up(
        &self,
        changes: &ChangesByOrdinal,
        index: usize,
        scale: ReplicasChange,
    ) -> Episode<'_> {
        let ordinals = self.nth_ordinal(scale.from)..self.nth_ordinal(scale.to);
        let now = scale.when.by;
        let mut pods: Vec<&PodLife> = vec![];
        for ordinal in ordinals.clone() {
            pods.extend(self.added_in(changes, index, ordinal, now));
        }
        let next = self.next_change(index).unwrap_or(Seq::MAX);
        let is_complete = scale.to <= MAX_PODS
            && pods.len() == ordinals.len()
            && pods.iter().all(|first| self.was_ready_by(first, next));
        Episode { scale, pods, is_complete, first_line: self.asked_at(index), next_change: next }
    }

    /// The pod that the scale-up at `index` adds for an ordinal.
    fn added_in(
        &self,
        changes: &ChangesByOrdinal,
        index: usize,
        ordinal: i32,
        now: Seq,
    ) -> Option<&PodLife> {
        let since = change_before(changes, index, ordinal);
        let until = change_after(changes, index, ordinal);
        for pod in left_after(self.lane(ordinal), now) {
            if pod.added.by >= until {
                return None;
            }
            let is_earlier = pod.adopted || pod.added.after.is_none() || pod.added.by <= since;
            if !is_earlier {
                return Some(pod);
            }
            // What follows a pod that was not asked to go only takes its place.
            let stays = pod
                .deletion_requested
                .is_none_or(|requested| requested.after.is_some_and(|after| after >= now));
            if stays {
                return None;
            }
        }
        None
    }

    /// Whether `first`, or a pod that replaced it, was Ready before the line `next`.
    fn was_ready_by(&self, first: &PodLife, next: Seq) -> bool {
        for pod in added_since(self.lane(first.ordinal), first.added.by) {
            if pod.added.by >= next {
                return false;
            }
            if pod.ready.is_some_and(|ready| ready.by < next) {
                return true;
            }
        }
        false
    }

    /// An ordinal's part in a scale-down is the pod life that stood when the change came; where the
    /// set's line or the pods' were late, one that had just gone, or had yet to be seen.
    fn scale_down(
        &self,
        changes: &ChangesByOrdinal,
        index: usize,
        scale: ReplicasChange,
    ) -> Episode<'_> {
        let first_line = self.asked_at(index);
        let next = self.next_change(index).unwrap_or(Seq::MAX);
        let mut pods: Vec<&PodLife> = vec![];
        for ordinal in self.ordinals_from(scale.to) {
            let after = change_before(changes, index, ordinal);
            pods.extend(self.pod_to_remove(&scale, ordinal, after));
        }
        let is_complete = !pods.is_empty()
            && pods.iter().all(|it| it.deleted.is_some_and(|deleted| deleted.by < next));
        for ordinal in self.ordinals_from(scale.to) {
            // Pods first seen after the change: seen late, or added by a change not told yet.
            let unwanted = added_since(self.lane(ordinal), scale.when.by).iter();
            pods.extend(unwanted.take_while(|it| it.added.by < next));
        }
        pods.sort_by_key(|it| std::cmp::Reverse(it.ordinal));
        Episode { scale, pods, is_complete, first_line, next_change: next }
    }

    /// The pod of an ordinal that a scale-down is to remove: the one that stood when the change
    /// came, or one that had gone since the ordinal's change before (the line `after`), where the
    /// set's line was late.
    fn pod_to_remove(&self, scale: &ReplicasChange, ordinal: i32, after: Seq) -> Option<&PodLife> {
        let now = scale.when.by;
        let last = added_before(self.lane(ordinal), now).last()?;
        let stood = last.deleted.is_none_or(|deleted| deleted.by >= now);
        let was_wanted = ordinal < self.start().saturating_add(scale.from);
        let went = was_wanted && last.deleted.is_some_and(|deleted| deleted.by > after);
        (stood || went).then_some(last)
    }

    /// The line since which what happens may be the doing of a change: the grader's own request,
    /// where the set's line was later.
    fn asked_at(&self, index: usize) -> Seq {
        let Some(set) = self.set() else { return 0 };
        let scale = &set.replicas_changes[index];
        let before = index
            .checked_sub(1)
            .and_then(|it| set.replicas_changes.get(it))
            .map_or(0, |it| it.when.by);
        let earlier =
            &self.requested[..self.requested.partition_point(|(seq, _)| *seq < scale.when.by)];
        let request = earlier
            .iter()
            .rev()
            .take_while(|(seq, _)| *seq >= before)
            .find(|(_, requested)| *requested == RequestedChange::Replicas(scale.to));
        request.map_or(scale.when.by, |(seq, _)| *seq)
    }

    /// The ordinals above the first `replicas` ones, as far as they are looked into.
    fn ordinals_from(&self, replicas: i32) -> std::ops::Range<i32> {
        self.nth_ordinal(replicas)..self.nth_ordinal(MAX_PODS)
    }

    /// The ordinal that comes after `nth` others, as far as they are looked into.
    fn nth_ordinal(&self, nth: i32) -> i32 {
        self.start().saturating_add(nth.clamp(0, MAX_PODS))
    }
}

impl Episode<'_> {
    /// Whether something surely happened after this change and before the next.
    pub(crate) fn surely_spans(&self, what: When) -> bool {
        what.after.is_some_and(|after| after >= self.first_line) && what.by < self.next_change
    }
}

/// A pod of an ordinal, and the next one of it that counts.
struct Succession<'t> {
    old: &'t PodLife,
    new: &'t PodLife,
    /// A scale-up added it, or one between the two.
    is_scaled_up: bool,
}

/// One of the changes of `spec.replicas`.
#[derive(Clone, Copy)]
struct ChangeAt {
    /// Its place in `SetLife::replicas_changes`.
    index: usize,
    line: Seq,
}

/// For each ordinal, the changes that add or remove its pod, in order.
type ChangesByOrdinal = BTreeMap<i32, Vec<ChangeAt>>;

/// The line of the last change of an ordinal before the one at `index`; 0 where there is none.
fn change_before(changes: &ChangesByOrdinal, index: usize, ordinal: i32) -> Seq {
    let Some(changes) = changes.get(&ordinal) else { return 0 };
    changes[..changes.partition_point(|it| it.index < index)].last().map_or(0, |it| it.line)
}

/// The line of the first change of an ordinal after the one at `index`.
fn change_after(changes: &ChangesByOrdinal, index: usize, ordinal: i32) -> Seq {
    let Some(changes) = changes.get(&ordinal) else { return Seq::MAX };
    changes.get(changes.partition_point(|it| it.index <= index)).map_or(Seq::MAX, |it| it.line)
}

/// The pods of a lane that were added before a line. One follows the other, so a lane is sorted by
/// that.
pub(crate) fn added_before(lane: &[PodLife], line: Seq) -> &[PodLife] {
    &lane[..lane.partition_point(|it| it.added.by < line)]
}

/// The pods of a lane that were added at a line or later.
pub(crate) fn added_since(lane: &[PodLife], line: Seq) -> &[PodLife] {
    &lane[lane.partition_point(|it| it.added.by < line)..]
}

/// The pods of a lane that were not yet gone at a line.
fn left_after(lane: &[PodLife], line: Seq) -> &[PodLife] {
    &lane[lane.partition_point(|it| it.deleted.is_some_and(|deleted| deleted.by <= line))..]
}
