//! The recorded history as plain drawing data: lanes with bars, marks, arrows, and the lines that
//! findings cite. The SVG, the HTML report and the text timeline all show this.
//!
//! All text in it is safe for a terminal; each format escapes it for its own markup. All of it is
//! bounded: long stretches are merged. Of what a shown finding cites only this is left out: what is
//! of a claim beyond the first few of its ordinal, and the lines after [`MAX_CITES_PER_CRITERION`].

mod cited;
mod lanes;

use std::time::Duration;

use checks::model::{
    Outcome, Seq, Timeline,
    observation::{Kind, Phase},
};

use crate::{
    console::{
        count::counted,
        sanitize::{clip, sanitize},
        words,
    },
    report::{Report, summary},
    rubric::Detail,
};

pub use crate::report::drawing::{
    cited::{Arrow, Cite, MAX_CITES_PER_CRITERION, shown_criteria},
    lanes::{Bar, BarState, LabelledValue, Lane, LaneKind, Segment},
};

/// The most steps and changes of `spec.replicas` that are drawn, of each.
const MAX_MARKS: usize = 60;

/// The most characters of one name.
const MAX_NAME_CHARS: usize = 63;

/// A recorded history, ready to be drawn.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// What is drawn, in a line.
    pub title: String,
    /// Whether the judged recording can be trusted, where it came from a file.
    pub origin: Option<String>,
    /// The score.
    pub score: String,
    /// The digests of what was judged, and by what.
    pub digests: String,
    /// The rubric does not let the history be shown: there is nothing in the drawing.
    pub is_withheld: bool,
    /// A test failed.
    pub has_failed: bool,
    /// How long the judged part of the recording is, in nanoseconds; at least 1.
    pub length: u64,
    /// An ordinal's pods and then its claims, by rising ordinal.
    pub lanes: Vec<Lane>,
    /// How many ordinals are not drawn.
    pub ordinals_left_out: usize,
    /// The steps of the tour.
    pub steps: Vec<StepSpan>,
    /// The changes of `spec.replicas`.
    pub scales: Vec<ScaleMark>,
    /// The spans in which changes may have been missed.
    pub gaps: Vec<GapSpan>,
    /// How many steps and changes of `spec.replicas` are not drawn.
    pub marks_left_out: usize,
    /// The pods that came, or went, before their turn.
    pub arrows: Vec<Arrow>,
    /// The lines that the shown findings cite, in order.
    pub cites: Vec<Cite>,
}

/// A step of the tour.
#[derive(Clone, Debug)]
pub struct StepSpan {
    /// Its number, from 1.
    pub number: usize,
    /// What it does, and what was asked for in it.
    pub text: String,
    /// How it ended, where that is not as it should be.
    pub trouble: Option<String>,
    /// Its beginning, in nanoseconds since the recording began.
    pub from: u64,
    /// Its end.
    pub until: u64,
}

/// A change of `spec.replicas`.
#[derive(Clone, Debug)]
pub struct ScaleMark {
    /// `3 → 5`.
    pub text: String,
    /// When, in nanoseconds since the recording began.
    pub at: u64,
    /// The line that shows it.
    pub seq: Seq,
}

/// A span in which changes of one kind may have been missed.
#[derive(Clone, Debug)]
pub struct GapSpan {
    /// Whose.
    pub kind: Kind,
    /// Whose, and why.
    pub text: String,
    /// Its beginning, in nanoseconds since the recording began.
    pub from: u64,
    /// Its end.
    pub until: u64,
}

/// What is left out of a drawing, in words; `None` where all is drawn.
pub(super) fn not_drawn(ordinals: usize, marks: usize) -> Option<String> {
    let ordinals_told = counted(ordinals, "ordinal", "ordinals");
    let marks_told = counted(marks, "step or change", "steps and changes");
    (ordinals + marks > 0).then(|| format!("Not drawn: {ordinals_told}, {marks_told}."))
}

impl Drawing {
    /// What this one leaves out, in words.
    pub(super) fn not_drawn(&self) -> Option<String> {
        not_drawn(self.ordinals_left_out, self.marks_left_out)
    }

    /// Draws what was recorded, with the lines that the report cites.
    #[must_use]
    pub fn of(timeline: &Timeline, report: &Report) -> Self {
        let set = set_title(report.stateful_set.as_deref());
        // The history is a reason.
        let is_withheld = report.show < Detail::Reason;
        let nothing = Timeline::default();
        let timeline = if is_withheld { &nothing } else { timeline };
        let length = timeline.now().max(1);
        let mut evidence = cited::CitedLines::of(timeline, report);
        let (lanes, ordinals_left_out) = lanes::of(timeline, &mut evidence, length);
        let (steps, scales, gaps) =
            (steps(timeline, length), scales(timeline), gaps(timeline, length));
        let left_out = |all: usize, shown: usize| all.saturating_sub(shown);
        let marks_left_out = left_out(timeline.steps().len(), steps.len())
            + left_out(timeline.set().map_or(0, |set| set.replicas_changes.len()), scales.len());
        let arrows = evidence.arrows(timeline, report, &lanes);
        Self {
            origin: summary::origin(report),
            title: format!("{set} in namespace {}", clip(&report.namespace, MAX_NAME_CHARS)),
            score: summary::score(report),
            digests: summary::digests(report),
            is_withheld,
            has_failed: report.checks.iter().any(|it| it.outcome == Outcome::Fail),
            length,
            lanes,
            ordinals_left_out,
            steps,
            scales,
            gaps,
            marks_left_out,
            arrows,
            cites: evidence.cites,
        }
    }

    /// Draws what was recorded so far, before it is judged: nothing is cited, nothing scored.
    #[must_use]
    pub fn so_far(timeline: &Timeline) -> Self {
        let length = timeline.now().max(1);
        let (lanes, ordinals_left_out) =
            lanes::of(timeline, &mut cited::CitedLines::default(), length);
        Self {
            origin: None,
            title: set_title(timeline.set().map(|set| set.name.as_str())),
            score: String::new(),
            digests: String::new(),
            is_withheld: false,
            has_failed: false,
            length,
            lanes,
            ordinals_left_out,
            steps: steps(timeline, length),
            scales: scales(timeline),
            gaps: gaps(timeline, length),
            marks_left_out: 0,
            arrows: vec![],
            cites: vec![],
        }
    }

    /// The line that a finding cites, if it is drawn.
    #[must_use]
    pub fn cite(&self, seq: Seq) -> Option<&Cite> {
        let place = self.cites.binary_search_by_key(&seq, |it| it.seq).ok()?;
        Some(&self.cites[place])
    }
}

/// A time in nanoseconds since the recording began, in words.
#[must_use]
pub fn time(at: u64) -> String {
    words::time(Duration::from_nanos(at))
}

fn set_title(name: Option<&str>) -> String {
    name.map_or_else(
        || summary::NO_SET.to_owned(),
        |name| format!("StatefulSet {}", clip(name, MAX_NAME_CHARS)),
    )
}

fn steps(timeline: &Timeline, length: u64) -> Vec<StepSpan> {
    let mut spans = vec![];
    for (place, step) in timeline.steps().iter().take(MAX_MARKS).enumerate() {
        let mut text = words::step(step.name).to_owned();
        for (place, (_, change)) in step.requested.iter().take(MAX_MARKS).enumerate() {
            text.push_str(if place == 0 { ": " } else { ", " });
            text.push_str(&words::requested(change));
        }
        let trouble = match &step.end {
            None => Some("not ended".to_owned()),
            Some(end) if end.what.phase == Phase::Done => None,
            Some(end) => Some(words::step_end(&end.what)),
        };
        spans.push(StepSpan {
            number: place + 1,
            text,
            trouble,
            from: timeline.time_of(step.begin).unwrap_or(0),
            until: step.end.as_ref().map_or(length, |end| end.at),
        });
    }
    spans
}

fn scales(timeline: &Timeline) -> Vec<ScaleMark> {
    let mut marks = vec![];
    for scale in timeline.set().into_iter().flat_map(|set| &set.replicas_changes).take(MAX_MARKS) {
        let seq = scale.when.by;
        let at = timeline.time_of(seq).unwrap_or(0);
        marks.push(ScaleMark { text: format!("{} → {}", scale.from, scale.to), at, seq });
    }
    marks
}

/// Gaps of one kind that follow each other closely are drawn as one.
fn gaps(timeline: &Timeline, length: u64) -> Vec<GapSpan> {
    let near = length / 100;
    let mut spans: Vec<GapSpan> = vec![];
    for gap in timeline.watch_gaps() {
        let from = gap.when.after.and_then(|after| timeline.time_of(after)).unwrap_or(0);
        let until = timeline.time_of(gap.when.by).unwrap_or(0);
        let last = spans.iter_mut().rev().find(|it| it.kind == gap.kind);
        if let Some(last) = last.filter(|last| from <= last.until.saturating_add(near)) {
            last.until = last.until.max(until);
            continue;
        }
        let kind = words::kind(gap.kind);
        let text = format!("the watch on {kind} has a gap: {}", sanitize(&gap.reason));
        spans.push(GapSpan { kind: gap.kind, text, from, until });
    }
    spans
}
