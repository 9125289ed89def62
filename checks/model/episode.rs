//! Episodes: one change of `spec.replicas` and the pods that it moved.
//!
//! Pods and the set come on different watches, so an episode is never a window of line numbers: its
//! pods are matched per ordinal, by their place in the ordinal's lane.

use super::{
    lives::{Incarnation, Scale},
    observation::{Asked, Seq},
    timeline::Timeline,
    when::Truth,
};

/// One change of `spec.replicas` and the pods that it moved.
#[derive(Debug)]
pub struct Episode<'t> {
    /// The change.
    pub scale: Scale,
    /// Upwards, the pods that it added, by rising ordinal; downwards, those that it was to remove, by falling ordinal.
    pub pods: Vec<&'t Incarnation>,
    /// Every pod that it was to move was moved, and seen to be, before the next change.
    pub whole: bool,
    /// The line since which what happens may be its doing.
    pub from: Seq,
    /// The line of the next change, which supersedes it.
    pub until: Seq,
}

impl Timeline {
    /// Every change of `spec.replicas` of the submission as it stands, in order.
    #[must_use]
    pub fn episodes(&self) -> Vec<Episode<'_>> {
        let Some(set) = self.set() else { return vec![] };
        let since = self.since();
        let all = set.scales.iter().enumerate();
        all.filter(|(_, scale)| scale.when.by >= since)
            .map(|(place, scale)| if scale.to > scale.from { self.rise(place, *scale) } else { self.fall(place, *scale) })
            .collect()
    }

    /// The episodes that add pods.
    pub fn rises(&self) -> impl Iterator<Item = Episode<'_>> {
        self.episodes().into_iter().filter(|it| it.scale.to > it.scale.from)
    }

    /// The episodes that remove pods.
    pub fn falls(&self) -> impl Iterator<Item = Episode<'_>> {
        self.episodes().into_iter().filter(|it| it.scale.to < it.scale.from)
    }

    /// Pods that went and came back while `spec.replicas` wanted them all along: old and new.
    #[must_use]
    pub fn replacements(&self) -> Vec<(&Incarnation, &Incarnation)> {
        let since = self.since();
        self.comings().filter(|(_, new, risen)| !risen && new.added.by >= since && !new.adopted).map(|(old, new, _)| (old, new)).collect()
    }

    /// Pods that came back in a rise: the incarnation that their ordinal had before, and the new one.
    #[must_use]
    pub fn returns(&self) -> Vec<(&Incarnation, &Incarnation)> {
        self.comings().filter(|(.., risen)| *risen).map(|(old, new, _)| (old, new)).collect()
    }

    /// Per ordinal, each pod that was Ready with the next one that was, or with the last, and whether a rise brought that.
    ///
    /// One that was never Ready, and made again, is neither: nothing could be seen of it.
    fn comings(&self) -> impl Iterator<Item = (&Incarnation, &Incarnation, bool)> {
        let risen: Vec<&str> = self.rises().flat_map(|it| it.pods).map(Incarnation::uid).collect();
        self.lanes().flat_map(move |(_, lane)| {
            let lived = |place: &usize| lane[*place].ready.is_some() || self.portrait(&lane[*place]).is_some();
            let mut places: Vec<usize> = (0..lane.len()).filter(lived).collect();
            if !places.is_empty() && places.last() != Some(&(lane.len() - 1)) {
                places.push(lane.len() - 1);
            }
            let back = |old: usize, new: usize| lane[old + 1..=new].iter().any(|it| risen.contains(&it.uid()));
            places.windows(2).filter_map(|pair| if let [old, new] = *pair { Some((&lane[old], &lane[new], back(old, new))) } else { None }).collect::<Vec<_>>()
        })
    }

    /// The line of the nearest other change that covers an ordinal, before or after the one at `place`.
    fn neighbour(&self, place: usize, ordinal: i32, later: bool) -> Option<Seq> {
        let scales = &self.set()?.scales;
        let covers = |scale: &&Scale| (scale.from.min(scale.to)..scale.from.max(scale.to)).contains(&(ordinal - self.start()));
        if later { scales[place + 1..].iter().find(covers) } else { scales[..place].iter().rfind(covers) }.map(|scale| scale.when.by)
    }

    fn next_change(&self, place: usize) -> Option<Seq> {
        Some(self.set()?.scales.get(place + 1)?.when.by)
    }

    /// An ordinal's part in a rise is its first addition: one re-made after a failure is not a new one.
    ///
    /// An adopted pod is none, nor one that takes the place of a pod that stood when the change came.
    fn rise(&self, place: usize, scale: Scale) -> Episode<'_> {
        let ordinals = (self.start() + scale.from)..(self.start() + scale.to);
        let now = scale.when.by;
        let pods: Vec<&Incarnation> = ordinals
            .clone()
            .filter_map(|ordinal| {
                let after = self.neighbour(place, ordinal, false).unwrap_or(0);
                let before = self.neighbour(place, ordinal, true).unwrap_or(Seq::MAX);
                let earlier = |it: &Incarnation| it.adopted || it.added.after.is_none() || it.added.by <= after;
                let stays = |it: &Incarnation| it.asked_to_go.is_none_or(|asked| asked.after.is_some_and(|after| after >= now));
                let mut there = self.lane(ordinal).iter().filter(|it| it.added.by < before && it.gone.is_none_or(|gone| gone.by > now));
                there.find(|it| !earlier(it) || stays(it)).filter(|it| !earlier(it))
            })
            .collect();
        let next = self.next_change(place).unwrap_or(Seq::MAX);
        let whole = pods.len() == ordinals.len()
            && ordinals
                .clone()
                .all(|ordinal| self.lane(ordinal).iter().any(|it| it.added.by >= first_of(&pods, ordinal) && it.ready.is_some_and(|ready| ready.by < next)));
        Episode { scale, pods, whole, from: self.asked_at(place), until: next }
    }

    /// An ordinal's part in a fall is the incarnation that stood when the change came; where the set's
    /// line or the pods' were late, one that had just gone, or had yet to be seen.
    fn fall(&self, place: usize, scale: Scale) -> Episode<'_> {
        let bottom = self.start() + scale.to;
        let from = self.asked_at(place);
        let next = self.next_change(place).unwrap_or(Seq::MAX);
        let now = scale.when.by;
        let mut pods: Vec<&Incarnation> = vec![];
        for (ordinal, lane) in self.lanes().filter(|(ordinal, _)| *ordinal >= bottom) {
            let after = self.neighbour(place, ordinal, false).unwrap_or(0);
            let stood = lane.iter().rfind(|it| it.added.by < now && it.gone.is_none_or(|gone| gone.by >= now));
            let went = || lane.iter().rfind(|it| ordinal < self.start() + scale.from && it.added.by < now && it.gone.is_some_and(|gone| gone.by > after));
            pods.extend(stood.or_else(went));
        }
        let whole = !pods.is_empty() && pods.iter().all(|it| it.gone.is_some_and(|gone| gone.by < next));
        // Added while it was not wanted: it was there before, or the next change is told of late.
        pods.extend(self.lanes().filter(|(ordinal, _)| *ordinal >= bottom).flat_map(|(_, lane)| lane).filter(|it| (now..next).contains(&it.added.by)));
        pods.sort_by_key(|it| std::cmp::Reverse(it.ordinal));
        Episode { scale, pods, whole, from, until: next }
    }

    /// The line since which what happens may be the doing of a change: the grader's own request, where the set's line was later.
    fn asked_at(&self, place: usize) -> Seq {
        let Some(set) = self.set() else { return 0 };
        let scale = set.scales[place];
        let before = place.checked_sub(1).and_then(|it| set.scales.get(it)).map_or(0, |it| it.when.by);
        let asked =
            self.steps().iter().flat_map(|it| &it.asked).rfind(|(seq, asked)| (before..scale.when.by).contains(seq) && *asked == Asked::Replicas(scale.to));
        asked.map_or(scale.when.by, |(seq, _)| *seq)
    }
}

impl<'t> Episode<'t> {
    /// In a fall, each pod that the change may be why it was asked to go, with the nearest one above it
    /// that was still there then; where none was, with the nearest one that may have been.
    pub fn neighbours(&self) -> impl Iterator<Item = (&'t Incarnation, &'t Incarnation)> {
        self.pods.iter().enumerate().filter_map(|(place, lower)| {
            let asked = lower.asked_to_go.filter(|asked| asked.by > self.from && asked.after.is_none_or(|after| after < self.until))?;
            let above = || self.pods[..place].iter().rev().filter(|upper| upper.added.by < asked.by);
            let gone = |truth: Truth| above().find(move |upper| upper.gone.map_or(Truth::No, |gone| gone.precedes(asked)) == truth);
            Some((*gone(Truth::No).or_else(|| gone(Truth::Unknown)).or_else(|| gone(Truth::Yes))?, *lower))
        })
    }
}

fn first_of(pods: &[&Incarnation], ordinal: i32) -> Seq {
    pods.iter().find(|it| it.ordinal == ordinal).map_or(Seq::MAX, |it| it.added.by)
}
