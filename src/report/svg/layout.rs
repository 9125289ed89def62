//! Where everything stands in the picture.
//!
//! Across, a *place* is a ten-thousandth of the width. It becomes a percentage where the picture is
//! as wide as it is given room, and pixels where it has a width of its own. All of it is integers,
//! so that every machine draws the same bytes.

use checks::model::observation::Kind;

use crate::report::drawing::{BarState, Drawing, LaneKind, ScaleMark};

/// The height of a row of text or of steps, in pixels.
pub(super) const ROW: u32 = 17;

/// The first and the last place of the time axis.
const LEFT: u64 = 150;
const RIGHT: u64 = 9850;

/// Steps, changes of `spec.replicas`: no more rows than this.
const MAX_ROWS: usize = 4;

/// How wide the picture is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scale {
    /// As wide as it is given room.
    Percent,
    /// So many pixels.
    Pixels(u32),
}

/// Where the rows stand, in pixels from the top.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) scale: Scale,
    length: u64,
    pub(super) legend: u32,
    /// The baseline of the times.
    pub(super) axis: u32,
    pub(super) steps: u32,
    pub(super) scales: u32,
    /// The top of each lane.
    pub(super) lanes: Vec<u32>,
    /// Below the last lane.
    pub(super) bottom: u32,
    pub(super) height: u32,
}

impl Layout {
    /// The least width of a step, in places: its number must be seen.
    pub(super) const STEP_PLACES: u64 = 300;

    /// The width of a character of `10 → 12`, in places, where the picture is narrow.
    const SCALE_PLACES_PER_CHAR: u64 = 200;

    /// The row of a change of `spec.replicas`, among those before it.
    pub(super) fn scale_row(&self, rows: &mut Rows, mark: &ScaleMark) -> u32 {
        let chars = u64::try_from(mark.text.chars().count()).unwrap_or(0);
        let place = self.x_of(mark.at);
        rows.reserve(place, place, chars * Self::SCALE_PLACES_PER_CHAR)
    }

    pub(super) fn of(drawing: &Drawing, scale: Scale) -> Self {
        let mut it = Self {
            scale,
            length: drawing.length,
            legend: if let Scale::Pixels(_) = scale { 28 } else { 4 },
            axis: 0,
            steps: 0,
            scales: 0,
            lanes: vec![],
            bottom: 0,
            height: 0,
        };
        let entries = match scale {
            // Then it stands beside the picture.
            Scale::Percent => 0,
            Scale::Pixels(_) => u32::try_from(legend(drawing).len()).unwrap_or(0),
        };
        it.axis = it.legend + entries.div_ceil(COLUMNS) * ROW + 20;
        it.steps = it.axis + 10;
        let mut rows = Rows::default();
        for step in &drawing.steps {
            rows.reserve(it.x_of(step.from), it.x_of(step.until), Self::STEP_PLACES);
        }
        it.scales = it.steps + 18 + ROW * rows.count();
        let mut rows = Rows::default();
        for mark in &drawing.scales {
            it.scale_row(&mut rows, mark);
        }
        let mut y = it.scales + 29 + ROW * rows.count();
        for lane in &drawing.lanes {
            if lane.kind == LaneKind::Pod {
                y += 6;
            }
            it.lanes.push(y);
            y += height_of(lane.kind);
        }
        it.bottom = y + 6;
        let is_whole = drawing.ordinals_left_out + drawing.marks_left_out == 0;
        it.height = it.bottom + if is_whole { 6 } else { 24 };
        if let Scale::Pixels(_) = scale {
            it.height += ROW;
        }
        it
    }

    /// The place of a time.
    pub(super) fn x_of(&self, at: u64) -> u64 {
        let share = u128::from(at.min(self.length)) * u128::from(RIGHT - LEFT);
        // At most RIGHT - LEFT.
        LEFT + u64::try_from(share / u128::from(self.length)).unwrap_or(0)
    }

    /// A place as a coordinate, or a width.
    pub(super) fn at(&self, place: u64) -> String {
        match self.scale {
            Scale::Percent => format!("{}.{:02}%", place / 100, place % 100),
            Scale::Pixels(width) => {
                let tenths = place * u64::from(width) / 1000;
                format!("{}.{}", tenths / 10, tenths % 10)
            }
        }
    }

    /// The coordinate of a time.
    pub(super) fn x(&self, at: u64) -> String {
        self.at(self.x_of(at))
    }

    /// Where rows begin.
    pub(super) fn left(&self) -> String {
        self.at(LEFT)
    }

    /// Where a column of the legend begins.
    pub(super) fn column(&self, number: u32) -> String {
        self.at(LEFT + u64::from(number) * (RIGHT - LEFT) / u64::from(COLUMNS))
    }

    /// How a text at a time is aligned so that it stays in the picture.
    pub(super) fn anchor(&self, at: u64) -> &'static str {
        match self.x_of(at) {
            ..600 => "start",
            9400.. => "end",
            _ => "middle",
        }
    }

    /// How a long text at a time is aligned so that it stays in the picture.
    pub(super) fn long_anchor(&self, at: u64) -> &'static str {
        match self.x_of(at) {
            ..3500 => "start",
            6500.. => "end",
            _ => "middle",
        }
    }

    /// The top and the height of a lane's bars. Between them and the lane's name there is room for
    /// the heads of arrows and for marks.
    pub(super) fn bars(&self, lane: usize, kind: LaneKind) -> (u32, u32) {
        let top = self.lanes.get(lane).copied().unwrap_or(self.scales);
        match kind {
            LaneKind::Pod => (top + 24, 18),
            LaneKind::Claim => (top + 22, 8),
        }
    }
}

const fn height_of(kind: LaneKind) -> u32 {
    match kind {
        LaneKind::Pod => 46,
        LaneKind::Claim => 34,
    }
}

/// The columns of the legend.
pub(super) const COLUMNS: u32 = 4;

/// The classes and names of what stands in the legend: of all that is drawn.
pub(super) fn legend(drawing: &Drawing) -> Vec<(&'static str, &'static str)> {
    let bars = || drawing.lanes.iter().flat_map(|lane| &lane.bars);
    let has = |state| bars().any(|bar| bar.segments.iter().any(|it| it.state == state));
    let failed = "Evidence for a failed test";
    let undecided = "Evidence for an undecided test";
    let cited = drawing.cites.iter().any(|it| !it.tests.is_empty());
    let all = [
        ("pending", "Pending", has(BarState::Pending)),
        ("running", "Running, not Ready", has(BarState::Running)),
        ("ready", "Ready", has(BarState::Ready)),
        ("stopped", "Container stopped", has(BarState::Stopped)),
        ("ended", "Ended", has(BarState::Ended)),
        ("terminating", "Terminating", has(BarState::Terminating)),
        ("bound", "PVC bound", has(BarState::Bound)),
        ("several", "Several", has(BarState::Several)),
        ("tour trouble", "Step not done", drawing.steps.iter().any(|it| it.trouble.is_some())),
        ("gap", "Not watched", drawing.gaps.iter().any(|it| lanes_of(it.kind).is_some())),
        ("finding", failed, cited && drawing.has_failed),
        ("finding", undecided, cited && !drawing.has_failed),
        ("arrow", "Too early", !drawing.arrows.is_empty()),
    ];
    all.into_iter().filter(|it| it.2).map(|(class, label, _)| (class, label)).collect()
}

/// The kind of lanes whose changes a gap may hide.
pub(super) const fn lanes_of(kind: Kind) -> Option<LaneKind> {
    match kind {
        Kind::Pod => Some(LaneKind::Pod),
        Kind::PersistentVolumeClaim => Some(LaneKind::Claim),
        _ => None,
    }
}

/// Rows for what would overlap in one.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The place at which each row is free again.
    free: Vec<u64>,
}

impl Rows {
    /// The first row in which there is room, or the last one.
    pub(super) fn reserve(&mut self, from: u64, until: u64, least: u64) -> u32 {
        let end = until.max(from + least);
        let row = self.free.iter().position(|free| *free <= from);
        let row = row.unwrap_or(self.free.len()).min(MAX_ROWS - 1);
        match self.free.get_mut(row) {
            Some(free) => *free = end.max(*free),
            None => self.free.push(end),
        }
        u32::try_from(row).unwrap_or(0)
    }

    /// How many rows are in use.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.free.len()).unwrap_or(0)
    }
}

/// Round times for the axis, at most seven.
pub(super) fn ticks(length: u64) -> Vec<u64> {
    const SECOND: u64 = 1_000_000_000;
    const STEPS: [u64; 17] =
        [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
    let fits = |step: &&u64| length / (**step * SECOND) <= 6;
    let step = STEPS.iter().find(fits).map_or(length / 6, |step| step * SECOND).max(1);
    let at = |number: u64| number.checked_mul(step).filter(|at| *at <= length);
    (0..8).map_while(at).collect()
}

#[cfg(test)]
mod tests {
    use super::{Rows, ticks};

    #[test]
    fn ticks_are_few_and_round() {
        for (seconds, last) in [(4, 4), (25, 25), (61, 60), (3599, 3000), (1_000_000, 999_999)] {
            let ticks = ticks(seconds * 1_000_000_000);
            assert!((2..=8).contains(&ticks.len()), "{seconds}: {ticks:?}");
            let shown = ticks.last().map(|it| it / 1_000_000_000);
            assert!(shown.is_some_and(|it| it * 10 >= last * 9), "{seconds}: {ticks:?}");
        }
        assert_eq!(ticks(1), [0]);
    }

    #[test]
    fn what_overlaps_stands_in_another_row() {
        let mut rows = Rows::default();
        let taken = [(0, 50), (10, 20), (30, 40), (50, 60)].map(|(a, b)| rows.reserve(a, b, 1));
        assert_eq!((taken, rows.count()), ([0, 1, 1, 0], 2));
    }
}
