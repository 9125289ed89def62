//! The timeline as a picture: SVG, alone or as a part of the HTML report.

mod lanes;
mod layout;
mod markup;

use std::{collections::BTreeMap, fmt::Display};

use crate::report::{
    Problem, RunResult, View,
    drawing::{Drawing, time},
    svg::{
        lanes::Spot,
        layout::{COLUMNS, Layout, ROW, Rows, Scale, legend, ticks},
        markup::Markup,
    },
};

pub(super) use crate::report::svg::lanes::{states, tests};

/// What every picture looks like, light and dark. The HTML report has it in its own style sheet.
pub(super) const STYLE: &str = include_str!("timeline.css");

/// Patterns and the head of arrows.
const DEFINITIONS: &str = r##"<defs>
<pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="ground" width="6" height="6"/><path class="stripe" d="M0 3h6"/></pattern>
<pattern id="hatching" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><path class="hatch" d="M0 3.5h7"/></pattern>
<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="4" markerHeight="4" orient="auto-start-reverse"><path class="head" d="M0 0L8 4L0 8z"/></marker>
</defs>
"##;

/// The picture's width, where it stands alone, in pixels.
const WIDTH: u32 = 960;

/// The picture as a document.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    match view.result {
        RunResult::Judged { report, timeline } => alone(&Drawing::of(timeline, report)),
        RunResult::NotGraded(problem) => why_no_picture(problem),
    }
    .into_bytes()
}

/// The picture as a document of its own, of a width of its own.
pub(super) fn alone(drawing: &Drawing) -> String {
    let layout = Layout::of(drawing, Scale::Pixels(WIDTH));
    let mut svg = Markup::default();
    svg.open(
        "svg",
        &[
            ("xmlns", &"http://www.w3.org/2000/svg"),
            ("class", &"timeline"),
            ("viewBox", &format_args!("0 0 {WIDTH} {}", layout.height)),
            ("width", &WIDTH),
            ("height", &layout.height),
            ("role", &"group"),
            ("aria-labelledby", &"picture-title"),
        ],
    );
    let origin = drawing.origin.as_ref().map(|it| format!(". {it}")).unwrap_or_default();
    let title = format!("{}{origin}", drawing.title);
    svg.text("title", &[("id", &"picture-title")], &title);
    svg.open("style", &[]);
    svg.ours(STYLE);
    svg.close("style");
    svg.empty("rect", &[("class", &"ground"), ("width", &"100%"), ("height", &"100%")]);
    Picture::new(drawing, layout, &mut svg).draw();
    svg.close("svg");
    svg.finish()
}

/// The picture as a part of a page that has [`STYLE`]: as wide as it is given room, with each bar a
/// link to `#row-` and the bar's id.
pub(super) fn within(drawing: &Drawing) -> String {
    let layout = Layout::of(drawing, Scale::Percent);
    let mut svg = Markup::default();
    svg.open(
        "svg",
        &[
            ("class", &"timeline"),
            ("width", &"100%"),
            ("height", &layout.height),
            ("role", &"group"),
            ("aria-label", &format_args!("Timeline of {}", drawing.title)),
        ],
    );
    Picture::new(drawing, layout, &mut svg).draw();
    svg.close("svg");
    svg.finish()
}

/// What the colours and marks of [`within`] mean, as a list; nothing where nothing is drawn.
pub(super) fn legend_within(drawing: &Drawing) -> String {
    let entries = legend(drawing);
    if entries.is_empty() {
        return String::new();
    }
    let mut list = Markup::default();
    list.open("ul", &[("class", &"timeline legend"), ("aria-label", &"What the marks mean")]);
    for (class, label) in entries {
        list.open("li", &[]);
        list.open("svg", &[("width", &14), ("height", &14), ("aria-hidden", &"true")]);
        swatch(&mut list, class);
        list.close("svg");
        list.text("span", &[], label);
        list.close("li");
    }
    list.close("ul");
    list.finish()
}

/// A mark as it is in the picture, for the legend.
fn swatch(svg: &mut Markup, class: &str) {
    match class {
        "finding" => svg.ours("<path class=\"finding\" d=\"M1 3h10l-5 8z\"/>"),
        "arrow" => svg
            .ours("<path class=\"arrow\" d=\"M0 7h11\" marker-end=\"url(#head)\" fill=\"none\"/>"),
        _ => svg.empty("rect", &[("class", &class), ("y", &2), ("width", &12), ("height", &11)]),
    }
}

/// Why there is no picture.
fn why_no_picture(problem: &Problem) -> String {
    let mut lines = vec!["Nothing was graded".to_owned()];
    for line in problem.all_lines() {
        lines.extend(textwrap::wrap(line, 110).iter().map(|it| it.to_string()));
    }
    let height = 30 + 20 * lines.len();
    let mut svg = Markup::default();
    svg.open(
        "svg",
        &[
            ("xmlns", &"http://www.w3.org/2000/svg"),
            ("class", &"timeline"),
            ("viewBox", &format_args!("0 0 {WIDTH} {height}")),
            ("width", &WIDTH),
            ("height", &height),
        ],
    );
    svg.open("style", &[]);
    svg.ours(STYLE);
    svg.close("style");
    svg.empty("rect", &[("class", &"ground"), ("width", &"100%"), ("height", &"100%")]);
    for (place, line) in lines.iter().enumerate() {
        let class = if place == 0 { "name" } else { "" };
        svg.text("text", &[("x", &20), ("y", &(30 + 20 * place)), ("class", &class)], line);
    }
    svg.close("svg");
    svg.finish()
}

/// A picture that is being drawn.
struct Picture<'d> {
    drawing: &'d Drawing,
    layout: Layout,
    /// Where each bar is, by its id.
    spots: BTreeMap<&'d str, Spot>,
    svg: &'d mut Markup,
}

impl<'d> Picture<'d> {
    fn new(drawing: &'d Drawing, layout: Layout, svg: &'d mut Markup) -> Self {
        let mut spots = BTreeMap::new();
        for (place, lane) in drawing.lanes.iter().enumerate() {
            let (top, height) = layout.bars(place, lane.kind);
            for bar in &lane.bars {
                spots.insert(bar.id.as_str(), Spot { top, height });
            }
        }
        Self { drawing, layout, spots, svg }
    }

    fn draw(mut self) {
        self.svg.ours(DEFINITIONS);
        if let Scale::Pixels(_) = self.layout.scale {
            let left = self.layout.left();
            self.svg.text(
                "text",
                &[("x", &left), ("y", &18), ("class", &"name")],
                &format!("{}: {}", self.drawing.title, self.drawing.score),
            );
            self.svg.text(
                "text",
                &[("x", &left), ("y", &(self.layout.height - 6)), ("class", &"quiet small")],
                &self.drawing.digests,
            );
        }
        if let Scale::Pixels(_) = self.layout.scale {
            self.legend();
        }
        self.axis();
        self.steps();
        self.bars();
        self.scales();
        self.gaps();
        self.arrows();
        self.labels();
        self.cites();
        self.left_out();
    }

    /// What the colours and marks mean.
    fn legend(&mut self) {
        let entries = legend(self.drawing);
        for (place, (class, label)) in (0_u32..).zip(entries) {
            let y = self.layout.legend + ROW * (place / COLUMNS);
            let x = self.layout.column(place % COLUMNS);
            self.svg.open("svg", &[("x", &x), ("y", &y), ("overflow", &"visible")]);
            swatch(self.svg, class);
            self.svg.text("text", &[("class", &"small"), ("x", &17), ("y", &12)], label);
            self.svg.close("svg");
        }
    }

    fn axis(&mut self) {
        let (top, bottom) = (self.layout.axis + 5, self.layout.bottom);
        for at in ticks(self.drawing.length) {
            let x = self.layout.x(at);
            let class = format!("quiet small {}", self.layout.anchor(at));
            self.svg.empty(
                "line",
                &[("class", &"grid"), ("x1", &x), ("x2", &x), ("y1", &top), ("y2", &bottom)],
            );
            self.svg.text(
                "text",
                &[("class", &class), ("x", &x), ("y", &self.layout.axis)],
                &time(at),
            );
        }
    }

    fn steps(&mut self) {
        let y = self.layout.steps;
        let mut rows = Rows::default();
        for step in &self.drawing.steps {
            let (from, until) = (self.layout.x_of(step.from), self.layout.x_of(step.until));
            let row = rows.reserve(from, until, Layout::STEP_PLACES);
            let y = y + 16 + ROW * row;
            let told = match &step.trouble {
                Some(trouble) => format!("{}. {}: {trouble}", step.number, step.text),
                None => format!("{}. {}", step.number, step.text),
            };
            let told = format!("{told}, {} to {}", time(step.from), time(step.until));
            let class = if step.trouble.is_some() { "tour trouble" } else { "tour" };
            let width = until.saturating_sub(from).max(Layout::STEP_PLACES);
            let middle = self.layout.at(from + width / 2);
            let tag = self.open_mark("step", &format!("#step-{}", step.number), &told);
            self.svg.text("title", &[], &told);
            self.svg.empty(
                "rect",
                &[
                    ("class", &class),
                    ("x", &self.layout.at(from)),
                    ("y", &y),
                    ("width", &self.layout.at(width)),
                    ("height", &14),
                    ("rx", &2),
                ],
            );
            self.svg.text(
                "text",
                &[("class", &"number small middle"), ("x", &middle), ("y", &(y + 11))],
                &step.number.to_string(),
            );
            self.svg.close(tag);
        }
    }

    /// Begins what can be pointed at: in a page a link, alone a picture of its own. Gives its tag.
    fn open_mark(&mut self, class: &str, href: &str, told: &str) -> &'static str {
        if let Scale::Percent = self.layout.scale {
            self.svg.open("a", &[("class", &class), ("href", &href), ("aria-label", &told)]);
            return "a";
        }
        let image: [(&str, &dyn Display); 4] =
            [("class", &class), ("role", &"img"), ("tabindex", &0), ("aria-label", &told)];
        self.svg.open("g", &image);
        "g"
    }

    /// How `spec.replicas` was changed.
    fn scales(&mut self) {
        let y = self.layout.scales;
        let mut rows = Rows::default();
        for mark in &self.drawing.scales {
            let x = self.layout.x(mark.at);
            let y = y + 36 + ROW * self.layout.scale_row(&mut rows, mark);
            let class = format!("replicas small {}", self.layout.anchor(mark.at));
            self.svg.open("g", &[]);
            self.svg.text(
                "title",
                &[],
                &format!("spec.replicas {} at {}", mark.text, time(mark.at)),
            );
            self.svg.empty(
                "line",
                &[
                    ("class", &"scale"),
                    ("x1", &x),
                    ("x2", &x),
                    ("y1", &(y + 3)),
                    ("y2", &self.layout.bottom),
                ],
            );
            self.svg.text("text", &[("class", &class), ("x", &x), ("y", &y)], &mark.text);
            self.svg.close("g");
        }
    }

    fn left_out(&mut self) {
        let Some(told) = self.drawing.not_drawn() else { return };
        let left = self.layout.left();
        self.svg.text(
            "text",
            &[("class", &"quiet small"), ("x", &left), ("y", &(self.layout.bottom + 14))],
            &told,
        );
    }
}
