//! Lanes: one for each ordinal's pods, and one below it for each of its claims.

use std::collections::{BTreeMap, BTreeSet};

use checks::model::{ClaimLife, PodLife, PodState, Seq, StateChange, Timeline, When};

use crate::{
    console::sanitize::{clip, clip_middle},
    report::{
        drawing::{MAX_NAME_CHARS, cited::CitedLines, time},
        summary::line_of,
    },
};

/// The most ordinals that are drawn, beside those that a finding cites.
const MAX_ORDINALS: usize = 110;

/// The most claims of one ordinal that are drawn.
const MAX_CLAIMS_PER_ORDINAL: usize = 4;

/// About how many bars are drawn, beside those that a finding cites; each lane gets its share.
const MAX_BARS: u64 = 1500;

/// The most and the fewest parts that a lane is divided into where its bars are merged.
const PARTS_PER_LANE: std::ops::RangeInclusive<u64> = 8..=150;

/// A row of the drawing.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Of what.
    pub kind: LaneKind,
    /// The pod's or the claim's name.
    pub name: String,
    /// One for each life, in order.
    pub bars: Vec<Bar>,
}

/// What a lane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneKind {
    /// The pods of one ordinal.
    Pod,
    /// The claims of one name.
    Claim,
}

/// A life, or several that are merged.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Its name within the document: `pod-1`, `claim-2`.
    pub id: String,
    /// Whose life, in a few words.
    pub title: String,
    /// Its states, in order: at least one.
    pub segments: Vec<Segment>,
    /// All that is known of it.
    pub facts: Vec<LabelledValue>,
    /// It was there before the recording began.
    pub from_before: bool,
    /// It was still there at the end.
    pub to_the_end: bool,
}

impl Bar {
    /// A fact by its label.
    #[must_use]
    pub fn fact(&self, label: &str) -> Option<&str> {
        self.facts.iter().find(|it| it.label == label).map(|it| it.value.as_str())
    }

    /// Its beginning, in nanoseconds since the recording began.
    #[must_use]
    pub fn from(&self) -> u64 {
        self.segments.first().map_or(0, |it| it.from)
    }

    /// Its end.
    #[must_use]
    pub fn until(&self) -> u64 {
        self.segments.last().map_or(0, |it| it.until)
    }
}

/// A part of a life in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Which.
    pub state: BarState,
    /// Its beginning, in nanoseconds since the recording began.
    pub from: u64,
    /// Its end.
    pub until: u64,
}

/// What a bar shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarState {
    /// A pod whose containers have not all started, or a claim without a volume.
    Pending,
    /// A pod that runs and is not Ready.
    Running,
    /// A pod of which a container has ended and does not run.
    Stopped,
    /// A pod that is Ready.
    Ready,
    /// A pod whose containers have ended for good.
    Ended,
    /// A pod or a claim whose deletion was requested.
    Terminating,
    /// A claim that has its volume.
    Bound,
    /// Several states, or lives, too short to be drawn apart.
    Several,
}

impl BarState {
    /// Its name, as Kubernetes has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Stopped => "Stopped",
            Self::Ready => "Ready",
            Self::Ended => "Ended",
            Self::Terminating => "Terminating",
            Self::Bound => "Bound",
            Self::Several => "Several",
        }
    }
}

impl From<PodState> for BarState {
    fn from(state: PodState) -> Self {
        match state {
            PodState::Pending => Self::Pending,
            PodState::Running => Self::Running,
            PodState::Stopped => Self::Stopped,
            PodState::Ready => Self::Ready,
            PodState::Ended => Self::Ended,
            PodState::Terminating => Self::Terminating,
        }
    }
}

/// A fact about a bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledValue {
    /// Which.
    pub label: &'static str,
    /// What.
    pub value: String,
}

/// The lanes of the graded set, and how many ordinals are left out.
pub(super) fn of(
    timeline: &Timeline,
    evidence: &mut CitedLines,
    length: u64,
) -> (Vec<Lane>, usize) {
    let mut ordinals: BTreeSet<i32> = timeline.ordinals().collect();
    ordinals.extend(timeline.lanes().map(|(ordinal, _)| ordinal));
    let all = ordinals.len();
    let mut place = 0;
    ordinals.retain(|ordinal| {
        place += 1;
        place <= MAX_ORDINALS || timeline.lane(*ordinal).iter().any(|it| evidence.cites(it.uid()))
    });
    let left_out = all - ordinals.len();
    let claims = claims(timeline, &ordinals);
    let lanes = ordinals.len() + claims.values().map(Vec::len).sum::<usize>();
    let parts = MAX_BARS / u64::try_from(lanes.max(1)).unwrap_or(u64::MAX);
    let mut builder = Builder {
        timeline,
        evidence,
        length,
        part: length / parts.clamp(*PARTS_PER_LANE.start(), *PARTS_PER_LANE.end()) + 1,
        parts: usize::try_from(parts.clamp(*PARTS_PER_LANE.start(), *PARTS_PER_LANE.end()))
            .unwrap_or(usize::MAX),
        pods: 0,
        claims: 0,
    };
    let mut lanes = vec![];
    for ordinal in ordinals {
        lanes.push(builder.pod_lane(ordinal));
        for name in claims.get(&ordinal).into_iter().flatten() {
            lanes.push(builder.claim_lane(name));
        }
    }
    (lanes, left_out)
}

/// The names of each ordinal's claims; one that several pods share stands below the first of them.
fn claims(timeline: &Timeline, ordinals: &BTreeSet<i32>) -> BTreeMap<i32, Vec<String>> {
    let mut known = BTreeSet::new();
    let mut claims = BTreeMap::new();
    for ordinal in ordinals {
        let mut names = timeline.claim_names(*ordinal);
        if let Some(pod) = timeline.lane(*ordinal).last() {
            names.extend(pod.claims().into_iter().map(|(_, claim)| claim));
        }
        names.retain(|name| !timeline.claim(name).is_empty() && known.insert(name.clone()));
        names.truncate(MAX_CLAIMS_PER_ORDINAL);
        claims.insert(*ordinal, names);
    }
    claims
}

struct Builder<'t> {
    timeline: &'t Timeline,
    evidence: &'t mut CitedLines,
    length: u64,
    /// Where a lane has more than `parts` bars or a bar more than `parts` states, those within one
    /// stretch of this length are merged, in nanoseconds.
    part: u64,
    parts: usize,
    pods: usize,
    claims: usize,
}

impl Builder<'_> {
    fn pod_lane(&mut self, ordinal: i32) -> Lane {
        let timeline = self.timeline;
        let lives = timeline.lane(ordinal);
        let set = timeline.set().map_or("", |set| &set.name);
        let name = format!("{}-{ordinal}", clip(set, MAX_NAME_CHARS));
        let mut bars = vec![];
        for group in self.groups(lives, PodLife::uid, |pod| self.begin(pod.added)) {
            self.pods += 1;
            let mut bar = match group {
                [pod] => self.pod_bar(pod),
                _ => self.merged(group, "pod lives", |it, pod| {
                    (it.begin(pod.added), it.end(pod.deleted))
                }),
            };
            bar.id = format!("pod-{}", self.pods);
            for pod in group {
                self.evidence.add_bar(pod.uid(), &bar.id);
            }
            bars.push(bar);
        }
        Lane { kind: LaneKind::Pod, name, bars }
    }

    fn claim_lane(&mut self, name: &str) -> Lane {
        let lives = self.timeline.claim(name);
        let mut bars = vec![];
        for group in self.groups(lives, ClaimLife::uid, |claim| self.begin(claim.added)) {
            self.claims += 1;
            let mut bar = match group {
                [claim] => self.claim_bar(claim),
                _ => self.merged(group, "PVC lives", |it, claim| {
                    (it.begin(claim.added), it.end(claim.deleted))
                }),
            };
            bar.id = format!("claim-{}", self.claims);
            for claim in group {
                self.evidence.add_bar(claim.uid(), &bar.id);
            }
            bars.push(bar);
        }
        Lane { kind: LaneKind::Claim, name: clip_middle(name, MAX_NAME_CHARS), bars }
    }

    /// The lives, each for itself, or, where there are too many, those that begin within one
    /// stretch together. What a finding cites is never merged.
    fn groups<'l, T>(
        &self,
        lives: &'l [T],
        uid: fn(&T) -> &str,
        begin: impl Fn(&T) -> u64,
    ) -> Vec<&'l [T]> {
        if lives.len() <= self.parts {
            return lives.chunks(1).collect();
        }
        lives
            .chunk_by(|one, next| {
                begin(one) / self.part == begin(next) / self.part
                    && !self.evidence.cites(uid(one))
                    && !self.evidence.cites(uid(next))
            })
            .collect()
    }

    fn merged<T>(&self, lives: &[T], what: &str, span: impl Fn(&Self, &T) -> (u64, u64)) -> Bar {
        let mut from = self.length;
        let mut until = 0;
        for life in lives {
            let (begin, end) = span(self, life);
            (from, until) = (from.min(begin), until.max(end));
        }
        let segment = Segment { state: BarState::Several, from, until: until.max(from) };
        let between = format!("{} to {}", time(from), time(until));
        Bar {
            id: String::new(),
            title: format!("{} {what}, drawn as one", lives.len()),
            segments: vec![segment],
            facts: vec![
                LabelledValue { label: "Lives", value: lives.len().to_string() },
                LabelledValue { label: "Between", value: between },
            ],
            from_before: false,
            to_the_end: false,
        }
    }

    fn pod_bar(&self, pod: &PodLife) -> Bar {
        let mut segments = vec![];
        let end = self.end(pod.deleted);
        let begin = self.begin(pod.added);
        let states = pod.states();
        for (place, change) in states.iter().enumerate() {
            let from = if place == 0 { begin } else { change.at };
            let until = states.get(place + 1).map_or(end, |next| next.at);
            segments.push(Segment { state: change.state.into(), from, until: until.max(from) });
        }
        if segments.is_empty() {
            segments.push(Segment { state: BarState::Pending, from: begin, until: end });
        }
        let fact = |label, value: String| LabelledValue { label, value };
        let mut facts = vec![fact("Added", self.moment(Some(pod.added)))];
        let running = pod.states().iter().find(|it| it.state == PodState::Running);
        let running = running.map(|it| self.moment(Some(state_when(pod, it))));
        facts.extend(running.map(|it| fact("Running", it)));
        let ready = if pod.ready.is_some() { self.moment(pod.ready) } else { "never".to_owned() };
        facts.push(fact("Ready", ready));
        let requested = seen_request(pod.deletion_requested, pod.deleted);
        facts.extend(requested.map(|it| fact("Deletion requested", self.moment(Some(it)))));
        facts.extend(pod.deleted.map(|it| fact("Gone", self.moment(Some(it)))));
        facts.push(fact("Restarts", pod.restarts().to_string()));
        facts.push(fact("UID", clip(pod.uid(), MAX_NAME_CHARS)));
        Bar {
            id: String::new(),
            title: format!("Pod {}", clip_middle(pod.name(), MAX_NAME_CHARS)),
            segments: self.thin(segments),
            facts,
            from_before: pod.added.after.is_none(),
            to_the_end: pod.deleted.is_none(),
        }
    }

    fn claim_bar(&self, claim: &ClaimLife) -> Bar {
        let (begin, end) = (self.begin(claim.added), self.end(claim.deleted));
        let mut segments = vec![Segment { state: BarState::Pending, from: begin, until: end }];
        let changes =
            [(claim.bound, BarState::Bound), (claim.deletion_requested, BarState::Terminating)];
        for (when, state) in changes {
            let Some(when) = when else { continue };
            let from = self.begin(when).max(begin).min(end);
            if let Some(last) = segments.last_mut() {
                last.until = from;
            }
            segments.push(Segment { state, from, until: end });
        }
        // Nothing of a span of no length is drawn, but the last state stays.
        let last = segments.len() - 1;
        let mut place = 0;
        segments.retain(|it| {
            place += 1;
            it.from < it.until || place == last + 1
        });
        let fact = |label, value: String| LabelledValue { label, value };
        let mut facts = vec![fact("Added", self.moment(Some(claim.added)))];
        let bound = claim.bound.map_or_else(|| "never".to_owned(), |it| self.moment(Some(it)));
        facts.push(fact("Bound", bound));
        if !claim.volume().is_empty() {
            facts.push(fact("Volume", clip(claim.volume(), MAX_NAME_CHARS)));
        }
        let owned = claim.owned_by_pod;
        facts.extend(owned.map(|it| fact("Owned by a pod", self.moment(Some(it)))));
        let requested = seen_request(claim.deletion_requested, claim.deleted);
        facts.extend(requested.map(|it| fact("Deletion requested", self.moment(Some(it)))));
        facts.extend(claim.deleted.map(|it| fact("Gone", self.moment(Some(it)))));
        facts.push(fact("UID", clip(claim.uid(), MAX_NAME_CHARS)));
        Bar {
            id: String::new(),
            title: format!("PVC {}", clip_middle(claim.name(), MAX_NAME_CHARS)),
            segments,
            facts,
            from_before: claim.added.after.is_none(),
            to_the_end: claim.deleted.is_none(),
        }
    }

    /// States that follow each other within one stretch are merged where there are too many.
    fn thin(&self, segments: Vec<Segment>) -> Vec<Segment> {
        if segments.len() <= self.parts {
            return segments;
        }
        let mut thin: Vec<Segment> = vec![];
        for segment in segments {
            match thin.last_mut().filter(|last| last.from / self.part == segment.from / self.part) {
                Some(last) => (last.state, last.until) = (BarState::Several, segment.until),
                None => thin.push(segment),
            }
        }
        thin
    }

    fn begin(&self, when: When) -> u64 {
        if when.after.is_none() { 0 } else { self.timeline.known_at(when) }
    }

    fn end(&self, when: Option<When>) -> u64 {
        when.map_or(self.length, |when| self.timeline.known_at(when))
    }

    /// `2.1 s (line 12)`; what the first list or a gap hides is told to be before that.
    fn moment(&self, when: Option<When>) -> String {
        let Some(when) = when else { return String::new() };
        let told = at_line(self.timeline.time_of(when.by).unwrap_or(0), when.by);
        match when.after {
            None => "before the recording began".to_owned(),
            Some(after) if after.saturating_add(1) < when.by || self.is_gap(when.by) => {
                format!("not later than {told}")
            }
            Some(_) => told,
        }
    }

    /// Whether a line tells of a gap. What it tells happened at some time before it, even where it
    /// follows right after the last line that is sure.
    fn is_gap(&self, seq: Seq) -> bool {
        self.timeline.watch_gaps().binary_search_by_key(&seq, |gap| gap.when.by).is_ok()
    }
}

/// When a pod came into a state. A list shows states that it came into before.
fn state_when(pod: &PodLife, change: &StateChange) -> When {
    let hidden = [Some(pod.added), pod.unwatched];
    hidden
        .into_iter()
        .flatten()
        .find(|when| when.by == change.seq)
        .unwrap_or(When { after: Some(change.seq.saturating_sub(1)), by: change.seq })
}

/// When the deletion was requested, where that was seen before the object was gone.
fn seen_request(requested: Option<When>, deleted: Option<When>) -> Option<When> {
    requested.filter(|_| requested != deleted)
}

fn at_line(at: u64, seq: Seq) -> String {
    format!("{} (line {})", time(at), line_of(seq))
}
