//! The lanes of the picture: bars, gaps, arrows and the lines that findings cite.

use std::fmt::Display;

use crate::{
    console::{count::counted, sanitize::clip},
    report::{
        drawing::{Bar, BarState, Cite, Lane, LaneKind, time},
        summary::line_of,
        svg::{
            Picture,
            layout::{Scale, lanes_of},
        },
    },
};

/// The least width of a bar, in ten-thousandths of the picture's.
const BAR_PLACES: u64 = 25;

/// The least width of a gap's hatching: it must be seen.
const GAP_PLACES: u64 = 80;

/// The most characters of a volume's name: in front of its UID they tell it apart.
const MAX_VOLUME_CHARS: usize = 12;

/// Where a bar stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// Its top, in pixels from the picture's.
    pub(super) top: u32,
    /// Its height in pixels.
    pub(super) height: u32,
}

impl Picture<'_> {
    pub(super) fn bars(&mut self) {
        let drawing = self.drawing;
        for (place, lane) in drawing.lanes.iter().enumerate() {
            let (y, height) = self.layout.bars(place, lane.kind);
            if lane.kind == LaneKind::Pod {
                let (left, right) = (self.layout.left(), self.layout.x(drawing.length));
                let y = self.layout.lanes[place].saturating_sub(2);
                self.svg.empty(
                    "line",
                    &[("class", &"grid"), ("x1", &left), ("x2", &right), ("y1", &y), ("y2", &y)],
                );
            }
            for bar in &lane.bars {
                self.bar(bar, y, height, lane.kind);
            }
        }
    }

    /// The names of the rows, over all lines that cross them.
    pub(super) fn labels(&mut self) {
        let drawing = self.drawing;
        self.label("name small", self.layout.steps, "Steps");
        self.label("name small", self.layout.scales, "spec.replicas");
        for (place, lane) in drawing.lanes.iter().enumerate() {
            let class = if lane.kind == LaneKind::Pod { "lane name" } else { "lane quiet small" };
            self.label(class, self.layout.lanes[place], &lane_label(lane));
        }
        if drawing.lanes.is_empty() {
            let top = self.layout.bottom.saturating_sub(16);
            let told = if drawing.is_withheld {
                "The rubric does not let the history be shown."
            } else {
                "No pod of a StatefulSet was seen."
            };
            self.label("quiet", top, told);
        }
    }

    fn label(&mut self, class: &str, top: u32, text: &str) {
        let left = self.layout.left();
        self.svg.text("text", &[("class", &class), ("x", &left), ("y", &(top + 11))], text);
    }

    fn bar(&mut self, bar: &Bar, y: u32, height: u32, kind: LaneKind) {
        let told = in_words(bar);
        let is_link = matches!(self.layout.scale, Scale::Percent);
        if is_link {
            self.svg.open(
                "a",
                &[
                    ("class", &"life"),
                    ("id", &bar.id),
                    ("href", &format_args!("#row-{}", bar.id)),
                    ("aria-label", &told),
                ],
            );
        } else {
            self.svg.open(
                "g",
                &[
                    ("class", &"life"),
                    ("id", &bar.id),
                    ("role", &"img"),
                    ("tabindex", &0),
                    ("aria-label", &told),
                ],
            );
        }
        self.svg.text("title", &[], &with_facts(bar));
        let (from, until) = (self.layout.x_of(bar.from()), self.layout.x_of(bar.until()));
        for segment in &bar.segments {
            let inset = inset(segment.state, kind);
            let from = self.layout.x_of(segment.from);
            let width = self.layout.x_of(segment.until).saturating_sub(from).max(BAR_PLACES);
            self.svg.empty(
                "rect",
                &[
                    ("class", &segment.state.name().to_lowercase()),
                    ("x", &self.layout.at(from)),
                    ("y", &(y + inset)),
                    ("width", &self.layout.at(width)),
                    ("height", &(height - 2 * inset)),
                ],
            );
        }
        if !bar.from_before {
            let x = self.layout.at(from);
            self.svg.empty(
                "line",
                &[
                    ("class", &"birth"),
                    ("x1", &x),
                    ("x2", &x),
                    ("y1", &y.saturating_sub(2)),
                    ("y2", &(y + height + 2)),
                ],
            );
        }
        let width = until.saturating_sub(from).max(BAR_PLACES);
        self.svg.empty(
            "rect",
            &[
                ("class", &"hit"),
                ("x", &self.layout.at(from)),
                ("y", &y.saturating_sub(2)),
                ("width", &self.layout.at(width)),
                ("height", &(height + 4)),
            ],
        );
        self.svg.close(if is_link { "a" } else { "g" });
    }

    pub(super) fn gaps(&mut self) {
        let drawing = self.drawing;
        for gap in &drawing.gaps {
            let Some(kind) = lanes_of(gap.kind) else { continue };
            let from = self.layout.x_of(gap.from);
            let width = self.layout.x_of(gap.until).saturating_sub(from).max(GAP_PLACES);
            let told = format!("{}, {} to {}", gap.text, time(gap.from), time(gap.until));
            self.svg.open("g", &[]);
            self.svg.text("title", &[], &told);
            for (place, _) in drawing.lanes.iter().enumerate().filter(|(_, it)| it.kind == kind) {
                let (y, height) = self.layout.bars(place, kind);
                self.svg.empty(
                    "rect",
                    &[
                        ("class", &"gap"),
                        ("x", &self.layout.at(from)),
                        ("y", &y.saturating_sub(3)),
                        ("width", &self.layout.at(width)),
                        ("height", &(height + 6)),
                    ],
                );
            }
            self.svg.close("g");
        }
    }

    pub(super) fn arrows(&mut self) {
        let drawing = self.drawing;
        for arrow in &drawing.arrows {
            let (Some(from), Some(to)) =
                (self.spots.get(arrow.from.as_str()), self.spots.get(arrow.to.as_str()))
            else {
                continue;
            };
            let x = self.layout.x(arrow.at);
            let (y1, y2) = if from.top < to.top {
                (from.top + from.height, to.top)
            } else {
                (from.top, to.top + to.height)
            };
            self.svg.open("g", &[]);
            let tests = tests(&arrow.tests);
            self.svg.text("title", &[], &format!("{} ({tests})", arrow.text));
            self.svg.empty(
                "line",
                &[
                    ("class", &"arrow"),
                    ("x1", &x),
                    ("x2", &x),
                    ("y1", &y1),
                    ("y2", &y2),
                    ("marker-end", &"url(#head)"),
                ],
            );
            self.svg.close("g");
        }
    }

    pub(super) fn cites(&mut self) {
        let drawing = self.drawing;
        for cite in &drawing.cites {
            let spot = cite.bar.as_deref().and_then(|bar| self.spots.get(bar)).copied();
            let spot = spot.unwrap_or(Spot { top: self.layout.scales + 24, height: 12 });
            self.cite(cite, spot);
        }
    }

    fn cite(&mut self, cite: &Cite, spot: Spot) {
        let x = self.layout.x(cite.at);
        let (top, bottom) = (spot.top.saturating_sub(4), spot.top + spot.height + 4);
        let mut told = format!("{}: {}", time(cite.at), cite.text);
        if !cite.tests.is_empty() {
            told.push_str(&format!(" ({})", tests(&cite.tests)));
        }
        let tag = self.open_cite(cite, &told);
        self.svg.text("title", &[], &told);
        if let Scale::Percent = self.layout.scale {
            self.svg.empty(
                "line",
                &[("class", &"line"), ("x1", &x), ("x2", &x), ("y1", &top), ("y2", &bottom)],
            );
        }
        if !cite.tests.is_empty() {
            self.svg.open("svg", &[("x", &x), ("y", &top), ("overflow", &"visible")]);
            self.svg.ours("<path class=\"finding\" d=\"M-5 -5h10l-5 8z\"/>");
            self.svg.ours("<path class=\"hit\" d=\"M-12 -9h24v13h-24z\"/>");
            self.svg.close("svg");
        }
        if let Scale::Percent = self.layout.scale {
            let class = format!("told small {}", self.layout.long_anchor(cite.at));
            let y = top.saturating_sub(7);
            self.svg.text("text", &[("class", &class), ("x", &x), ("y", &y)], &told);
        }
        self.svg.close(tag);
    }

    /// Begins the mark of a cited line, and gives its tag: in a page that of a test which did not pass
    /// leads to the test.
    fn open_cite(&mut self, cite: &Cite, told: &str) -> &'static str {
        let id = format!("line-{}", line_of(cite.seq));
        if let (Scale::Percent, Some(test)) = (self.layout.scale, cite.tests.first()) {
            let href = format!("#test-{test}");
            self.svg.open(
                "a",
                &[("class", &"cite"), ("id", &id), ("href", &href), ("aria-label", &told)],
            );
            return "a";
        }
        if cite.tests.is_empty() {
            self.svg.open("g", &[("class", &"cite"), ("id", &id), ("tabindex", &-1)]);
            return "g";
        }
        let image: [(&str, &dyn Display); 5] = [
            ("class", &"cite"),
            ("id", &id),
            ("role", &"img"),
            ("tabindex", &0),
            ("aria-label", &told),
        ];
        self.svg.open("g", &image);
        "g"
    }
}

/// The lower a bar, the less its pod is there for anybody: so states are told without colours.
const fn inset(state: BarState, kind: LaneKind) -> u32 {
    match (kind, state) {
        (LaneKind::Pod, BarState::Pending | BarState::Stopped | BarState::Ended) => 6,
        (LaneKind::Pod, BarState::Running) => 3,
        (LaneKind::Claim, BarState::Pending) => 2,
        _ => 0,
    }
}

/// A lane's name, and what is most worth knowing of its lives.
fn lane_label(lane: &Lane) -> String {
    let Some(newest) = lane.bars.last() else { return format!("{}: never there", lane.name) };
    match lane.kind {
        LaneKind::Pod => match newest.fact("Restarts") {
            Some(restarts) if restarts != "0" => format!("{} (restarts: {restarts})", lane.name),
            _ => lane.name.clone(),
        },
        LaneKind::Claim => format!("{}{}", lane.name, volumes(lane)),
    }
}

/// ` on pvc-4f81…, then on pvc-09ab…`: the volumes of a claim's lives, in order.
fn volumes(lane: &Lane) -> String {
    const MAX_VOLUMES: usize = 3;
    let mut volumes: Vec<&str> = lane.bars.iter().filter_map(|it| it.fact("Volume")).collect();
    volumes.dedup();
    let left_out = volumes.len().saturating_sub(MAX_VOLUMES);
    let mut told = String::new();
    for (place, volume) in volumes.iter().enumerate().skip(left_out) {
        let first = if left_out > 0 { " last on " } else { " on " };
        told.push_str(if place == left_out { first } else { ", then on " });
        told.push_str(&clip(volume, MAX_VOLUME_CHARS));
    }
    told
}

/// `Pod web-1: Pending 2.1 s to 3.0 s, Ready 3.0 s to 9.4 s`.
pub(super) fn in_words(bar: &Bar) -> String {
    format!("{}: {}", bar.title, states(bar))
}

/// The states of a bar with their times; of very many, the first and the last ones.
pub(in crate::report) fn states(bar: &Bar) -> String {
    const MAX_STATES: usize = 6;
    let mut told = vec![];
    let count = bar.segments.len();
    for (place, segment) in bar.segments.iter().enumerate() {
        if count > MAX_STATES && place == MAX_STATES / 2 {
            told.push(counted(count - MAX_STATES, "more state", "more states"));
        }
        if count <= MAX_STATES || place < MAX_STATES / 2 || place >= count - MAX_STATES / 2 {
            let name = segment.state.name();
            told.push(format!("{name} {} to {}", time(segment.from), time(segment.until)));
        }
    }
    told.join(", ")
}

fn with_facts(bar: &Bar) -> String {
    let facts: Vec<String> =
        bar.facts.iter().map(|it| format!("{}: {}", it.label, it.value)).collect();
    format!("{}; {}", in_words(bar), facts.join("; "))
}

/// `test 2` or `tests 2, 7`.
pub(in crate::report) fn tests(numbers: &[u8]) -> String {
    let list: Vec<String> = numbers.iter().map(u8::to_string).collect();
    format!("{} {}", if list.len() == 1 { "test" } else { "tests" }, list.join(", "))
}
