//! Known ends: what the crash loops tell of other pods, found without looking through all of them.
//!
//! What ends when it starts anew does so in every pod; what ends when it comes back does so in those
//! that come back: a crash loop tells of the pods that are at its pod's place in their lane, or
//! behind it. An ordinal beyond those that the submission asks for may end because it is beyond
//! them, and tells only of such.

use std::{collections::BTreeMap, ops::Range};

use crate::model::{
    observation::Seq,
    timeline::{Timeline, lives::PodLife},
};

/// A pod's place in its lane; `None` for a pod that is not of the graded set.
type Place = Option<usize>;

/// What all crash loops tell of other pods, by container.
#[derive(Debug, Default)]
pub(crate) struct KnownEnds {
    by_container: BTreeMap<String, EndsOfContainer>,
}

/// The crash loops of one container.
#[derive(Debug, Default)]
struct EndsOfContainer {
    of_all: EndsByPlace,
    by_ordinal: BTreeMap<i32, EndsByPlace>,
}

/// Some crash loops of one container, by their pods' places: at each place, what they tell together
/// with all those before.
#[derive(Debug, Default)]
struct EndsByPlace(Vec<(Place, EndsTold)>);

/// What crash loops of one container tell of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndsTold {
    /// The one that was known first.
    pub(crate) first: KnownEnd,
    /// The one in whose pod the container ran longest; of several, the one that was known first.
    pub(crate) longest: KnownEnd,
}

/// A crash loop of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownEnd {
    /// The line at which it was known.
    pub(crate) seq: Seq,
    /// Of its pod.
    pub(crate) uid: String,
    /// The container's longest run in that pod that ended by its own doing, in nanoseconds.
    pub(crate) run: u64,
}

impl KnownEnds {
    /// What all crash loops of a timeline tell.
    pub(super) fn of(timeline: &Timeline) -> Self {
        let mut all = vec![];
        for (uid, it) in &timeline.in_the_way.crash_loops {
            let Some(pod) = timeline.pod_life(uid) else { continue };
            let run = pod.longest_run(&it.container).unwrap_or(0);
            let end = KnownEnd { seq: it.seq, uid: uid.clone(), run };
            all.push((timeline.place(pod), pod.ordinal, it.container.as_str(), end));
        }
        all.sort_by_key(|(place, _, _, end)| (*place, end.seq));
        let mut ends = Self::default();
        for (place, ordinal, container, end) in all {
            let of_container = ends.by_container.entry(container.to_owned()).or_default();
            of_container.of_all.push(place, &end);
            of_container.by_ordinal.entry(ordinal).or_default().push(place, &end);
        }
        ends
    }

    /// What the crash loops of a container tell of a pod; `None` where none tells of it.
    /// `wanted_ordinals`: those that are asked for.
    fn ends_of(
        &self,
        container: &str,
        (ordinal, place): (i32, Place),
        wanted_ordinals: &Range<i32>,
    ) -> Option<EndsTold> {
        let ends = self.by_container.get(container)?;
        if !wanted_ordinals.contains(&ordinal) {
            return ends.of_all.up_to(place).cloned();
        }
        let told =
            ends.by_ordinal.range(wanted_ordinals.clone()).filter_map(|(_, it)| it.up_to(place));
        told.cloned().reduce(|one, other| one.with(&other))
    }
}

impl EndsByPlace {
    /// Adds a crash loop at no earlier place than those before.
    fn push(&mut self, place: Place, end: &KnownEnd) {
        let own = EndsTold { first: end.clone(), longest: end.clone() };
        let told = self.0.last().map_or_else(|| own.clone(), |(_, before)| before.with(&own));
        self.0.push((place, told));
    }

    fn up_to(&self, place: Place) -> Option<&EndsTold> {
        let behind = self.0.partition_point(|(it, _)| *it <= place);
        self.0[..behind].last().map(|(_, told)| told)
    }
}

impl EndsTold {
    /// What two tell together.
    fn with(&self, other: &Self) -> Self {
        let is_first = other.first.seq < self.first.seq;
        let (own, others) = (&self.longest, &other.longest);
        let is_longest = others.run > own.run || others.run == own.run && others.seq < own.seq;
        Self {
            first: if is_first { &other.first } else { &self.first }.clone(),
            longest: if is_longest { others } else { own }.clone(),
        }
    }
}

impl Timeline {
    /// What the crash loops of a container tell of a pod; `None` where none tells of it.
    /// `wanted_ordinals`: those that are asked for.
    pub(super) fn ends_told(
        &self,
        pod: &PodLife,
        container: &str,
        wanted_ordinals: &Range<i32>,
    ) -> Option<EndsTold> {
        if self.in_the_way.crash_loops.is_empty() {
            return None;
        }
        let ends = self.cache.known_ends.get_or_init(|| KnownEnds::of(self));
        ends.ends_of(container, (pod.ordinal, self.place(pod)), wanted_ordinals)
    }
}

#[cfg(test)]
mod tests {
    use super::{EndsByPlace, EndsOfContainer, KnownEnd, KnownEnds};

    /// Crash loops of one container in three ordinals, the third beyond those that are asked for.
    fn known() -> KnownEnds {
        let mut of_container = EndsOfContainer::default();
        // By place: the line, the ordinal, and the length of the run.
        let all = [(None, 9, 0, 1), (Some(0), 8, 1, 5), (Some(1), 7, 5, 9), (Some(2), 2, 0, 3)];
        for (place, seq, ordinal, run) in all {
            let end = KnownEnd { seq, uid: format!("{seq}"), run };
            of_container.of_all.push(place, &end);
            of_container.by_ordinal.entry(ordinal).or_default().push(place, &end);
        }
        KnownEnds { by_container: [("app".to_owned(), of_container)].into() }
    }

    /// Catches a crash loop of a later life, or of an ordinal that only the tour asks for, that
    /// tells of a pod.
    #[test]
    fn what_tells_of_a_pod_is_found() {
        let told = |container: &str, ordinal: i32, place: Option<usize>| {
            let told = known().ends_of(container, (ordinal, place), &(0..3));
            told.map(|it| (it.first.seq, it.longest.seq))
        };
        // A pod that is not of the graded set.
        assert_eq!(told("app", 0, None), Some((9, 9)));
        assert_eq!(told("app", 0, Some(0)), Some((8, 8)));
        assert_eq!(told("app", 2, Some(1)), Some((8, 8)), "not of the sixth ordinal");
        assert_eq!(told("app", 2, Some(7)), Some((2, 8)));
        assert_eq!(told("app", 5, Some(1)), Some((7, 7)), "nobody asks for this one");
        assert_eq!(told("app", 5, Some(2)), Some((2, 7)));
        assert_eq!(told("other", 0, Some(7)), None);
        assert_eq!(EndsByPlace::default().up_to(None), None);
    }

    /// Catches a range of ordinals that nobody can ask for.
    #[test]
    fn no_ordinal_may_be_asked_for() {
        let (start, end) = (3, -5);
        let told = known().ends_of("app", (0, Some(0)), &(start..end));
        assert_eq!(told.map(|it| it.first.seq), Some(8));
    }
}
