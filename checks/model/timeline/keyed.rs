//! What the recording says of many objects, found by object without looking through all of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    observation::{Seq, object::Event},
    timeline::lives::Recorded,
};

/// Entries in the order of the recording, each also found by what it is about.
#[derive(Debug)]
pub(crate) struct Keyed<T> {
    all: Vec<Recorded<T>>,
    places: BTreeMap<String, Vec<usize>>,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self { all: vec![], places: BTreeMap::new() }
    }
}

impl<T> Keyed<T> {
    pub(crate) fn push(&mut self, key: &str, entry: Recorded<T>) {
        match self.places.get_mut(key) {
            Some(places) => places.push(self.all.len()),
            None => drop(self.places.insert(key.to_owned(), vec![self.all.len()])),
        }
        self.all.push(entry);
    }

    /// All entries, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Recorded<T>> {
        self.all.iter()
    }

    /// The entries of one key, oldest first.
    pub(crate) fn of<'t>(
        &'t self,
        key: &str,
    ) -> impl DoubleEndedIterator<Item = &'t Recorded<T>> + use<'t, T> {
        self.places.get(key).into_iter().flatten().map(|place| &self.all[*place])
    }
}

/// An Event, as it was last told.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) seq: Seq,
    pub(crate) event: Event,
    /// By a list: it happened before.
    pub(crate) listed: bool,
    /// The line by which the watch had told it once before.
    pub(crate) before: Option<Seq>,
}

/// The newest Events of each object, in the order in which they were last told.
#[derive(Debug, Default)]
pub(crate) struct Events {
    heard: BTreeMap<Seq, Heard>,
    /// By the Event's own UID.
    lines: BTreeMap<String, Seq>,
    /// By the UID of the object that it is about.
    about: BTreeMap<String, BTreeSet<Seq>>,
}

impl Events {
    /// Events kept of one object at most. A client merges more than ten Events within ten minutes
    /// that differ only in their message (`defaultAggregateMaxEvents` in client-go's
    /// `tools/record/events_cache.go`).
    const MAX_EVENTS: usize = 200;

    pub(crate) fn push(&mut self, seq: Seq, event: Event, listed: bool) {
        let known = self.lines.get(&event.metadata.uid).copied().and_then(|line| self.forget(line));
        let before = known.filter(|known| !known.listed).map(|known| known.seq);
        let about = self.about.entry(event.involved_object.uid.clone()).or_default();
        about.insert(seq);
        let oldest = about.first().copied().filter(|_| about.len() > Self::MAX_EVENTS);
        self.lines.insert(event.metadata.uid.clone(), seq);
        self.heard.insert(seq, Heard { seq, event, listed, before });
        oldest.map(|line| self.forget(line));
    }

    /// The Event that this line told; `None` where a later line has told it again.
    pub(crate) fn at(&self, line: Seq) -> Option<&Heard> {
        self.heard.get(&line)
    }

    /// Those about one object, by its UID, oldest first.
    pub(crate) fn about<'t>(
        &'t self,
        uid: &str,
    ) -> impl DoubleEndedIterator<Item = &'t Heard> + use<'t> {
        self.about.get(uid).into_iter().flatten().filter_map(|line| self.heard.get(line))
    }

    fn forget(&mut self, line: Seq) -> Option<Heard> {
        let known = self.heard.remove(&line)?;
        self.lines.remove(&known.event.metadata.uid);
        if let Some(about) = self.about.get_mut(&known.event.involved_object.uid) {
            about.remove(&line);
        }
        Some(known)
    }
}

#[cfg(test)]
mod tests {
    use super::Events;
    use crate::model::observation::object::{Event, Metadata, ObjectReference};

    fn event(uid: &str, about: &str) -> Event {
        let metadata = Metadata { uid: uid.to_owned(), ..Metadata::default() };
        Event {
            metadata,
            involved_object: ObjectReference {
                uid: about.to_owned(),
                ..ObjectReference::default()
            },
            ..Event::default()
        }
    }

    #[test]
    fn an_event_that_is_told_again_moves_to_the_end() {
        let mut events = Events::default();
        events.push(1, event("a", "pod"), false);
        events.push(2, event("b", "pod"), false);
        events.push(3, event("a", "pod"), false);
        let told: Vec<_> = events
            .about("pod")
            .map(|it| (it.seq, it.event.metadata.uid.as_str(), it.before))
            .collect();
        assert_eq!(told, [(2, "b", None), (3, "a", Some(1))]);
        assert!(events.at(1).is_none() && events.about("other").next().is_none());
    }

    /// Catches Events of one object that are all kept, and gone through for each question.
    #[test]
    fn only_the_newest_of_one_object_are_kept() {
        let mut events = Events::default();
        for seq in 1..=1000 {
            events.push(seq, event(&seq.to_string(), "pod"), false);
        }
        assert_eq!(events.about("pod").count(), Events::MAX_EVENTS);
        assert_eq!(events.about("pod").next_back().map(|it| it.seq), Some(1000));
    }
}
