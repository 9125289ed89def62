//! How what truly happens reaches a recorder: one stream per kind, each late by itself, one of them
//! perhaps with a gap.

use std::collections::{BTreeMap, VecDeque};

use crate::model::testing::property::{Case, Chance, Cluster};
use crate::model::{
    Fact, Observation, Seq,
    observation::{Gap, Kind, ObjectChange, object::Object},
};

/// The recording, and what became of each true line in it.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) lines: Vec<Observation>,
    /// The line at which each true line was told; `None` where it never was.
    pub(crate) seen_at: Vec<Option<Seq>>,
    pub(crate) gap: Option<TrueGap>,
}

/// The gap, in true lines and in recorded ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrueGap {
    pub(crate) kind: Kind,
    /// The first and the last true line that it swallowed.
    pub(crate) first: usize,
    pub(crate) last: usize,
    /// The last line of the kind before it, its own line, and the last line of the list after it.
    pub(crate) last_sure: Seq,
    pub(crate) line: Seq,
    pub(crate) listed: Seq,
}

enum Item {
    True(usize),
    /// The list after a gap that swallowed these.
    List(usize, usize),
}

/// Streams: the set, pods, claims, other objects, what is read, what is asked of DNS, and the
/// grader's own doings, which are never late.
const STREAMS: usize = 7;
const GRADER: usize = 6;

struct Sender<'c> {
    truth: &'c [Observation],
    chance: Chance,
    queues: [VecDeque<(usize, Item)>; STREAMS],
    out: Delivery,
    specs: BTreeMap<String, crate::model::observation::object::PodSpec>,
    terse: bool,
}

impl Delivery {
    pub(crate) fn of(case: &Case, cluster: &Cluster<'_>) -> Self {
        let truth = cluster.lines();
        let mut chance = Chance::new(case.seed ^ 0x5eed);
        let swallowed = swallowed(case, cluster, &mut chance);
        let terse = chance.one_in(2);
        let out = Self { seen_at: vec![None; truth.len()], ..Self::default() };
        let mut sender = Sender {
            truth,
            chance,
            queues: Default::default(),
            out,
            specs: BTreeMap::new(),
            terse,
        };
        if cluster.cut > 0 {
            sender.first_lists(cluster.cut);
        }
        let mut open: Option<(usize, usize)> = None;
        for (place, line) in truth.iter().enumerate().skip(cluster.cut) {
            let barrier = cluster.barriers.contains(&place) || matches!(line.what, Fact::End(_));
            // A gap does not outlast what somebody waited for: it is listed again by then.
            if let (Some((kind, ..)), Some((first, last))) =
                (swallowed, open.filter(|_| barrier || swallowed.is_some_and(|it| place >= it.2)))
            {
                sender.queues[stream_of_kind(kind)].push_back((place, Item::List(first, last)));
                open = None;
            }
            if barrier {
                sender.flush(usize::MAX);
            }
            let hidden = swallowed.is_some_and(|(kind, first, end)| {
                (first..end).contains(&place) && kind_of(line) == Some(kind)
            });
            if hidden && sender.out.gap.is_none() {
                open = Some((open.map_or(place, |it| it.0), place));
            } else {
                sender.queue(place, case.lag);
            }
            sender.flush(place);
        }
        sender.flush(usize::MAX);
        sender.out
    }
}

/// The kind and the range of true lines that a gap is to swallow.
fn swallowed(
    case: &Case,
    cluster: &Cluster<'_>,
    chance: &mut Chance,
) -> Option<(Kind, usize, usize)> {
    let kind = case.gap?;
    let truth = cluster.lines();
    let length = 1 + chance.below(10);
    let mut places: Vec<usize> =
        (cluster.cut..truth.len()).filter(|it| kind_of(&truth[*it]) == Some(kind)).collect();
    // Nobody begins before having seen the set that is graded: its replicas are the submission's.
    if kind == Kind::StatefulSet && cluster.cut == 0 {
        places.remove(0);
    }
    let near = cluster
        .struck
        .filter(|_| chance.one_in(2))
        .and_then(|struck| places.iter().position(|it| *it >= struck));
    let start = match near {
        Some(near) => near.saturating_sub(chance.below(length + 2)),
        None => chance.below(places.len()),
    };
    let end = (start + length).min(places.len());
    Some((kind, *places.get(start)?, places.get(end.checked_sub(1)?)? + 1))
}

fn kind_of(line: &Observation) -> Option<Kind> {
    match &line.what {
        Fact::Object(_, object) => Some(object.kind()),
        _ => None,
    }
}

const fn stream_of_kind(kind: Kind) -> usize {
    match kind {
        Kind::StatefulSet => 0,
        Kind::Pod => 1,
        Kind::PersistentVolumeClaim => 2,
        _ => 3,
    }
}

fn stream_of(what: &Fact) -> usize {
    match what {
        Fact::Object(_, object) => stream_of_kind(object.kind()),
        Fact::Read(_) | Fact::Canary(_) => 4,
        Fact::Lookup(_) => 5,
        _ => GRADER,
    }
}

impl Sender<'_> {
    /// A true line is to be told, now or a few lines late.
    fn queue(&mut self, place: usize, lag: usize) {
        let stream = stream_of(&self.truth[place].what);
        let lag =
            if stream < GRADER && self.chance.one_in(3) { self.chance.below(lag + 1) } else { 0 };
        self.queues[stream].push_back((place + lag, Item::True(place)));
    }

    /// Sends what is due, the streams in any order, each in its own.
    fn flush(&mut self, now: usize) {
        loop {
            let due: Vec<usize> = (0..STREAMS)
                .filter(|it| self.queues[*it].front().is_some_and(|(due, _)| *due <= now))
                .collect();
            if due.is_empty() {
                return;
            }
            let stream = self.chance.of(&due);
            match self.queues[stream].pop_front() {
                Some((_, Item::True(place))) => {
                    let seq = self.send(self.truth[place].what.clone());
                    self.out.seen_at[place] = Some(seq);
                    self.keep_distance(place, seq);
                }
                Some((_, Item::List(first, last))) => self.gap(first, last),
                None => {}
            }
        }
    }

    fn send(&mut self, mut what: Fact) -> Seq {
        if let Fact::Object(_, Object::Pod(pod)) = &mut what {
            let known = self.specs.get(&pod.metadata.uid);
            if self.terse && known == pod.spec.as_ref() {
                pod.spec = None;
            } else if let Some(spec) = &pod.spec {
                self.specs.insert(pod.metadata.uid.clone(), spec.clone());
            }
        }
        let seq = self.out.lines.len() as Seq + 1;
        self.out.lines.push(Observation { seq, at: seq * 1_000_000_000, what });
        seq
    }

    /// A lookup began as long before its line as it truly did.
    fn keep_distance(&mut self, place: usize, seq: Seq) {
        let truly = self.truth[place].at;
        if let Some(Fact::Lookup(lookup)) = self.out.lines.last_mut().map(|it| &mut it.what) {
            lookup.began = (lookup.began + seq * 1_000_000_000).saturating_sub(truly);
        }
    }

    fn standing(&self, kind: Kind, until: usize) -> BTreeMap<String, Object> {
        let mut standing = BTreeMap::new();
        for line in &self.truth[..until] {
            match &line.what {
                Fact::Object(ObjectChange::Deleted, object) if object.kind() == kind => {
                    standing.remove(&object.metadata().name);
                }
                Fact::Object(_, object) if object.kind() == kind => {
                    standing.insert(object.metadata().name.clone(), object.clone());
                }
                _ => {}
            }
        }
        standing
    }

    fn first_lists(&mut self, cut: usize) {
        let mut kinds = vec![
            Kind::StatefulSet,
            Kind::Pod,
            Kind::PersistentVolumeClaim,
            Kind::Service,
            Kind::EndpointSlice,
        ];
        while !kinds.is_empty() {
            let kind = kinds.swap_remove(self.chance.below(kinds.len()));
            for object in self.standing(kind, cut).into_values() {
                self.send(Fact::Object(ObjectChange::Listed, object));
            }
        }
    }

    fn gap(&mut self, first: usize, last: usize) {
        let Some(kind) = kind_of(&self.truth[last]) else { return };
        let sent = self.out.lines.iter().filter(|it| kind_of(it) == Some(kind));
        let last_sure = sent.clone().map(|it| it.seq).next_back();
        let mut known: BTreeMap<String, ()> = BTreeMap::new();
        for line in sent {
            if let Fact::Object(change, object) = &line.what {
                let uid = object.metadata().uid.clone();
                if *change == ObjectChange::Deleted {
                    known.remove(&uid)
                } else {
                    known.insert(uid, ())
                };
            }
        }
        let standing = self.standing(kind, last + 1);
        let vanished = known
            .into_keys()
            .filter(|uid| standing.values().all(|it| it.metadata().uid != *uid))
            .collect();
        let line =
            self.send(Fact::Gap(Gap { kind, reason: "410 Gone".to_owned(), last_sure, vanished }));
        for object in standing.into_values() {
            self.send(Fact::Object(ObjectChange::Listed, object));
        }
        let listed = self.out.lines.len() as Seq;
        self.out.gap =
            Some(TrueGap { kind, first, last, last_sure: last_sure.unwrap_or(0), line, listed });
    }
}
