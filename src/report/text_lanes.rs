//! The timeline as text: the same lanes as the picture, a character for each stretch of time.

use checks::model::observation::Kind;

use crate::{
    console::{
        sanitize::{clip, clip_middle},
        terminal::{TermStyle, Tone},
    },
    report::{
        drawing::{self, BarState, Drawing, Lane, LaneKind, time},
        summary::line_of,
    },
};

/// The states of a pod, as they are explained below the lanes.
const STATES: [BarState; 4] =
    [BarState::Pending, BarState::Running, BarState::Ready, BarState::Terminating];

/// What a column stands for at least while a grade runs, in nanoseconds.
const MIN_COLUMN_NANOS: u64 = 500_000_000;

/// The widest names of lanes, in characters.
const MAX_LABEL: usize = 22;

/// The most rows of changes of `spec.replicas`; those that have no room in them are counted.
const MAX_SCALE_ROWS: usize = 4;

/// What a step's number is written as: one character each.
const NUMBERS: &[u8] = b"123456789abcdefghijklmnopqrstuvwxyz";

/// A character of a lane.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Cell {
    sign: char,
    tone: Option<Tone>,
}

const NOTHING: Cell = Cell { sign: ' ', tone: None };
const NEXT_LIFE: Cell = Cell { sign: '|', tone: Some(Tone::Strong) };
const GAP: Cell = Cell { sign: '?', tone: Some(Tone::Unsure) };
const TOO_EARLY: Cell = Cell { sign: '!', tone: Some(Tone::Bad) };

const fn cell(state: BarState) -> Cell {
    match state {
        BarState::Pending => Cell { sign: '.', tone: Some(Tone::Unsure) },
        BarState::Running => Cell { sign: '-', tone: None },
        BarState::Ready | BarState::Bound => Cell { sign: '=', tone: Some(Tone::Good) },
        BarState::Stopped => Cell { sign: '~', tone: Some(Tone::Bad) },
        BarState::Ended => Cell { sign: '_', tone: Some(Tone::Bad) },
        BarState::Terminating => Cell { sign: 'x', tone: Some(Tone::Strong) },
        BarState::Several => Cell { sign: '*', tone: None },
    }
}

/// What the signs of the usual states mean.
fn legend() -> Vec<String> {
    STATES.into_iter().map(entry).collect()
}

fn entry(state: BarState) -> String {
    format!("{} {}", cell(state).sign, state.name())
}

/// The lanes of a recorded history, and what they show in words.
#[must_use]
pub fn page(drawing: &Drawing, style: TermStyle) -> String {
    let names = drawing.lanes.iter().map(|it| label(it).chars().count());
    let label = names.max().unwrap_or(0).max("spec.replicas".len());
    let mut page = LanesPage::new(drawing, style, label);
    page.head();
    page.tour();
    page.lanes();
    page.write_notes();
    page.not_drawn();
    page.out
}

/// The pods' lanes while a grade runs, in no more lines than that. The lanes grow to the right; when
/// they reach the edge, a column stands for twice the time.
#[must_use]
pub fn growing(drawing: &Drawing, style: TermStyle, max_lines: usize) -> Vec<String> {
    let mut pods: Vec<&Lane> = drawing.lanes.iter().filter(|it| it.kind == LaneKind::Pod).collect();
    // Beside them: the times, how many are not shown, and what the signs mean.
    let max_lanes = max_lines.saturating_sub(3).max(1);
    // The highest ordinals are those that come and go.
    let hidden = pods.len().saturating_sub(max_lanes);
    pods.drain(..hidden);
    let Some(label) = pods.iter().map(|it| label(it).chars().count()).max() else {
        return vec![];
    };
    let mut page = LanesPage::new(drawing, style, label);
    page.span = u64::try_from(page.columns).unwrap_or(u64::MAX).saturating_mul(MIN_COLUMN_NANOS);
    while page.span < drawing.length {
        page.span = page.span.saturating_mul(2);
    }
    page.times();
    pods.into_iter().for_each(|it| page.lane(it));
    let mut lines: Vec<String> = page.out.lines().map(str::to_owned).collect();
    let fitting = |text: &str| clip(text, style.width.saturating_sub(1));
    let told = match (hidden, drawing.ordinals_left_out) {
        (0, 0) => None,
        (lower, 0) => Some(format!("({lower} lower ordinals are not shown)")),
        (0, higher) => Some(format!("({higher} higher ordinals are not shown)")),
        (lower, higher) => {
            Some(format!("({lower} lower and {higher} higher ordinals are not shown)"))
        }
    };
    if let Some(told) = told {
        lines.insert(1, fitting(&told));
    }
    let mut states = legend();
    if lines.iter().any(|it| it.contains(cell(BarState::Stopped).sign)) {
        states.push(entry(BarState::Stopped));
    }
    lines.push(fitting(&states.join("   ")));
    lines
}

struct LanesPage<'d> {
    drawing: &'d Drawing,
    style: TermStyle,
    label: usize,
    columns: usize,
    /// The time that all columns stand for, in nanoseconds.
    span: u64,
    /// How many steps and changes of `spec.replicas` have no room.
    marks_left_out: usize,
    out: String,
}

impl<'d> LanesPage<'d> {
    fn new(drawing: &'d Drawing, style: TermStyle, label: usize) -> Self {
        let columns = style.width.saturating_sub(label + 2).max(10);
        let (span, marks_left_out) = (drawing.length, drawing.marks_left_out);
        Self { drawing, style, label, columns, span, marks_left_out, out: String::new() }
    }

    fn head(&mut self) {
        let told = format!("{}, {}", self.drawing.title, time(self.drawing.length));
        self.wrapped("", &told, "");
        self.out.push('\n');
        self.times();
    }

    /// A time at the first column of every quarter, where there is room.
    fn times(&mut self) {
        let mut row = vec![NOTHING; self.columns];
        for quarter in 0..4 {
            let column = self.columns * quarter / 4;
            let at = self.span / 4 * u64::try_from(quarter).unwrap_or(0);
            write_into(&mut row, column, &time(at));
        }
        self.row("", &row);
    }

    fn tour(&mut self) {
        let drawing = self.drawing;
        let mut rows: Vec<Vec<Cell>> = vec![];
        for (step, number) in drawing.steps.iter().zip(NUMBERS) {
            let span = self.column(step.from)..=self.column_before(step.until, step.from);
            let is_free = |row: &&mut Vec<Cell>| row[span.clone()].iter().all(|it| *it == NOTHING);
            let tone = step.trouble.as_ref().map(|_| Tone::Bad);
            let cell = Cell { sign: char::from(*number), tone };
            match rows.iter_mut().find(is_free) {
                Some(row) => row[span].fill(cell),
                None => {
                    let mut row = vec![NOTHING; self.columns];
                    row[span].fill(cell);
                    rows.push(row);
                }
            }
        }
        for (place, row) in rows.iter().enumerate() {
            self.row(if place == 0 { "tour steps" } else { "" }, row);
        }
        self.marks_left_out += drawing.steps.len().saturating_sub(NUMBERS.len());
        self.scales();
    }

    /// The changes of `spec.replicas`: those that do not fit into one row go into a further one.
    fn scales(&mut self) {
        let mut rows = vec![vec![NOTHING; self.columns]];
        for mark in &self.drawing.scales {
            let to = mark.text.rsplit(' ').next().unwrap_or_default();
            let column = self.column(mark.at);
            if rows.iter_mut().any(|row| write_into(row, column, to)) {
                continue;
            }
            let mut row = vec![NOTHING; self.columns];
            if rows.len() < MAX_SCALE_ROWS && write_into(&mut row, column, to) {
                rows.push(row);
            } else {
                self.marks_left_out += 1;
            }
        }
        for (place, row) in rows.iter().enumerate() {
            self.row(if place == 0 { "spec.replicas" } else { "" }, row);
        }
    }

    fn lanes(&mut self) {
        let drawing = self.drawing;
        drawing.lanes.iter().for_each(|it| self.lane(it));
        if drawing.lanes.is_empty() {
            self.out.push_str("no pod of a StatefulSet was seen\n");
        }
    }

    fn lane(&mut self, lane: &Lane) {
        let mut row = vec![NOTHING; self.columns];
        for segment in lane.bars.iter().flat_map(|bar| &bar.segments) {
            let until = self.column_before(segment.until, segment.from);
            row[self.column(segment.from)..=until].fill(cell(segment.state));
        }
        let hidden = match lane.kind {
            LaneKind::Pod => Kind::Pod,
            LaneKind::Claim => Kind::PersistentVolumeClaim,
        };
        for gap in self.drawing.gaps.iter().filter(|it| it.kind == hidden) {
            row[self.column(gap.from)..=self.column_before(gap.until, gap.from)].fill(GAP);
        }
        self.next_lives(lane, &mut row);
        for arrow in &self.drawing.arrows {
            if lane.bars.iter().any(|it| it.id == arrow.to) {
                row[self.column(arrow.at)] = TOO_EARLY;
            }
        }
        self.row(&label(lane), &row);
    }

    /// Marks the begin of each life that no empty column keeps apart from the one before it. A gap
    /// between them is no empty column.
    fn next_lives(&self, lane: &Lane, row: &mut [Cell]) {
        for (one, next) in lane.bars.iter().zip(lane.bars.iter().skip(1)) {
            let last = self.column_before(one.until(), one.from());
            let first = self.column(next.from());
            let between = row.get(last + 1..first).unwrap_or_default();
            if between.iter().all(|it| *it != NOTHING) {
                row[first] = NEXT_LIFE;
            }
        }
    }

    fn write_notes(&mut self) {
        let drawing = self.drawing;
        let mut told = legend();
        told[2].push_str(" (a PVC: Bound)");
        let marks = [
            (cell(BarState::Stopped).sign, BarState::Stopped.name()),
            (cell(BarState::Ended).sign, BarState::Ended.name()),
            (cell(BarState::Several).sign, BarState::Several.name()),
            (NEXT_LIFE.sign, "a next life"),
            (GAP.sign, "gap"),
            (TOO_EARLY.sign, "too early"),
        ];
        let used = |sign: char| {
            let body = self.out.lines().skip(2).filter_map(|line| line.get(self.label..));
            body.into_iter().any(|line| line.contains(sign))
        };
        for (sign, word) in marks {
            if used(sign) {
                told.push(format!("{sign} {word}"));
            }
        }
        self.out.push('\n');
        self.wrapped("", &told.join("   "), "");
        for (step, number) in drawing.steps.iter().zip(NUMBERS) {
            let trouble = step.trouble.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
            let first = format!("{} {:>8}  ", char::from(*number), time(step.from));
            self.wrapped(&first, &format!("{}{trouble}", step.text), &" ".repeat(12));
        }
        for arrow in &drawing.arrows {
            let first = format!("! {:>8}  ", time(arrow.at));
            let told = format!("{} [line {}]", arrow.text, line_of(arrow.seq));
            self.wrapped(&first, &told, &" ".repeat(12));
        }
        for gap in &drawing.gaps {
            let first = format!("? {:>8}  ", time(gap.from));
            self.wrapped(&first, &gap.text, &" ".repeat(12));
        }
    }

    fn not_drawn(&mut self) {
        let told = drawing::not_drawn(self.drawing.ordinals_left_out, self.marks_left_out);
        if let Some(told) = told {
            self.out.push('\n');
            self.wrapped("", &told, "");
        }
    }

    fn wrapped(&mut self, first: &str, text: &str, further: &str) {
        for line in self.style.wrap(first, text, further) {
            self.out.push_str(&line);
            self.out.push('\n');
        }
    }

    /// A row, with runs of one colour painted at once.
    fn row(&mut self, name: &str, cells: &[Cell]) {
        let used = cells.iter().rposition(|it| *it != NOTHING).map_or(0, |last| last + 1);
        let mut line = format!("{name:<width$}  ", width = self.label);
        for run in cells[..used].chunk_by(|one, next| one.tone == next.tone) {
            let text: String = run.iter().map(|it| it.sign).collect();
            match run[0].tone {
                Some(tone) => line.push_str(&self.style.paint(tone, &text)),
                None => line.push_str(&text),
            }
        }
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// The column of a time.
    fn column(&self, at: u64) -> usize {
        let columns = u128::try_from(self.columns).unwrap_or(u128::MAX);
        let column = u128::from(at) * columns / u128::from(self.span);
        usize::try_from(column).unwrap_or(usize::MAX).min(self.columns - 1)
    }

    /// The last column of a span that ends at a time; at least that of its beginning.
    fn column_before(&self, until: u64, from: u64) -> usize {
        self.column(until.saturating_sub(1)).max(self.column(from))
    }
}

/// A lane's name; of a long one the end stays, which has the ordinal.
fn label(lane: &Lane) -> String {
    let name = clip_middle(&lane.name, MAX_LABEL - 3);
    if lane.kind == LaneKind::Claim { format!("  {name}") } else { name }
}

/// Writes text from a column on, further left at the edge; `false` where it would run together with
/// what stands there.
fn write_into(row: &mut [Cell], column: usize, text: &str) -> bool {
    let count = text.chars().count();
    let Some(last) = row.len().checked_sub(count) else { return false };
    let first = column.min(last);
    if row[first.saturating_sub(1)..first + count].iter().any(|it| *it != NOTHING) {
        return false;
    }
    for (cell, sign) in row[first..].iter_mut().zip(text.chars()) {
        *cell = Cell { sign, tone: None };
    }
    true
}
