//! Episodes: one change of `spec.replicas` and the pods that it moved.
//!
//! Pods and the set come on different watches, so an episode is never a window of line numbers: its
//! pods are matched per ordinal, by their place in the ordinal's lane.

use super::{
    observation::Seq,
    lives::{Incarnation, Scale},
    timeline::Timeline,
};

/// One change of `spec.replicas` and the pods that it moved.
#[derive(Debug)]
pub struct Episode<'t> {
    /// The change.
    pub scale: Scale,
    /// The pods that it moved: upwards by rising ordinal, downwards by falling ordinal.
    pub pods: Vec<&'t Incarnation>,
    /// Every pod that it was to move was moved, and seen to be, before the next change.
    pub whole: bool,
}

impl Timeline {
    /// Every change of `spec.replicas` of the submission as it stands, in order.
    #[must_use]
    pub fn episodes(&self) -> Vec<Episode<'_>> {
        let Some(set) = self.set() else { return vec![] };
        let since = self.since();
        let all = set.scales.iter().enumerate();
        all.filter(|(_, scale)| scale.when.by >= since).map(|(place, scale)| if scale.to > scale.from { self.rise(place, *scale) } else { self.fall(place, *scale) }).collect()
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
        let risen: Vec<&str> = self.rises().flat_map(|it| it.pods).map(Incarnation::uid).collect();
        let since = self.since();
        let pairs = self.lanes().flat_map(|(_, lane)| lane.windows(2)).filter_map(|pair| match pair {
            [old, new] => Some((old, new)),
            _ => None,
        });
        pairs.filter(|(_, new)| new.added.by >= since && !new.adopted && !risen.contains(&new.uid())).collect()
    }

    /// Pods that came back in a rise: the incarnation that their ordinal had before, and the new one.
    #[must_use]
    pub fn returns(&self) -> Vec<(&Incarnation, &Incarnation)> {
        let risen = self.rises().flat_map(|it| it.pods);
        risen
            .filter_map(|new| {
                let lane = self.lane(new.ordinal);
                let place = lane.iter().position(|it| it.uid() == new.uid())?;
                Some((lane[..place].last()?, new))
            })
            .collect()
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

    /// An ordinal's part in a rise is its first addition: one re-made after a failure is not a new one, an adopted one none at all.
    fn rise(&self, place: usize, scale: Scale) -> Episode<'_> {
        let ordinals = (self.start() + scale.from)..(self.start() + scale.to);
        let pods: Vec<&Incarnation> = ordinals
            .clone()
            .filter_map(|ordinal| {
                let after = self.neighbour(place, ordinal, false).unwrap_or(0);
                let before = self.neighbour(place, ordinal, true).unwrap_or(Seq::MAX);
                let additions = self.lane(ordinal).iter().filter(|it| !it.adopted && it.added.after.is_some());
                additions.into_iter().find(|it| it.added.by > after && it.added.by < before)
            })
            .collect();
        let next = self.next_change(place).unwrap_or(Seq::MAX);
        let whole = pods.len() == ordinals.len() && ordinals.clone().all(|ordinal| self.lane(ordinal).iter().any(|it| it.added.by >= first_of(&pods, ordinal) && it.ready.is_some_and(|ready| ready.by < next)));
        Episode { scale, pods, whole }
    }

    /// An ordinal's part in a fall is the incarnation that stood when the change came.
    fn fall(&self, place: usize, scale: Scale) -> Episode<'_> {
        let bottom = self.start() + scale.to;
        let next = self.next_change(place).unwrap_or(Seq::MAX);
        let standing: Vec<&Incarnation> = {
            let lanes = self.lanes().filter(|(ordinal, _)| *ordinal >= bottom);
            let stood = lanes.filter_map(|(_, lane)| lane.iter().rfind(|it| it.added.by < scale.when.by && it.gone.is_none_or(|gone| gone.by >= scale.when.by)));
            stood.collect()
        };
        let mut pods: Vec<&Incarnation> = standing.iter().filter(|it| it.asked_to_go.is_some_and(|asked| asked.by < next)).copied().collect();
        pods.sort_by_key(|it| std::cmp::Reverse(it.ordinal));
        let whole = !standing.is_empty() && standing.iter().all(|it| it.gone.is_some_and(|gone| gone.by < next));
        Episode { scale, pods, whole }
    }
}

fn first_of(pods: &[&Incarnation], ordinal: i32) -> Seq {
    pods.iter().find(|it| it.ordinal == ordinal).map_or(Seq::MAX, |it| it.added.by)
}
