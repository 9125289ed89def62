//! The report: what was judged, as data, ready for any format.
//!
//! Everything that a cluster or a file said is escaped and bounded here, once, so that no format
//! can forget it. Nothing here reads a clock or the environment: the same recording gives the same
//! report.

mod autolab;
mod causes;
mod check50;
mod classroom50;
mod csv;
pub mod drawing;
mod files;
mod github;
mod gradescope;
mod html;
mod identity;
mod json;
mod junit;
mod markdown;
mod newest_lines;
mod prairielearn;
mod problem;
mod refused;
pub mod schema;
mod scoring;
mod slow;
mod summary;
mod svg;
mod tap;
pub mod text;
pub mod text_lanes;

use checks::{
    CHECKS,
    model::{Criterion, Fault, Obstacle, Outcome, Seq, Standing, Timeline, Verdict},
};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::{
    LAB_NAMESPACE,
    console::{sanitize::sanitize, terminal::TermStyle},
    recording::{Header, ManifestText, signature::Signed},
    remedy::{self, commands::CommandFacts, flags::Flags},
};

pub use crate::report::{
    causes::{Cause, obstacle_title},
    files::{ReportFiles, UNFINISHED, WriteError, replace, replace_private},
    html::{COLORS, content_policy},
    identity::Identity,
    problem::Problem,
    scoring::RubricResult,
};
pub use crate::rubric::{Detail, Points};

/// The checks that ask whether the content is the original one.
const KEPT_CONTENT: [&str; 2] = ["identity_persistence", "pvc_reuse"];

/// Formats of the report. A format is one variant here, one file in this folder, one line in
/// [`render`] and its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: JSON version 1.
    Json,
    /// For a page: GitHub Flavored Markdown.
    Markdown,
    /// For CI systems: JUnit XML.
    Junit,
    /// For CI systems: TAP 14.
    Tap,
    /// For a log of GitHub Actions: annotations.
    Github,
    /// For Gradescope: `results.json`.
    Gradescope,
    /// For Classroom 50: `result.json`.
    Classroom50,
    /// For PrairieLearn: `results.json`.
    Prairielearn,
    /// For Autolab: the last two lines of the output.
    Autolab,
    /// For check50: its JSON.
    Check50,
    /// For a spreadsheet: a header and one row.
    Csv,
    /// A page that shows all, the timeline among it.
    Html,
    /// The timeline as a picture.
    Svg,
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub enum RunResult<'a> {
    /// A recording was judged.
    Judged {
        /// What it came to.
        report: &'a Report,
        /// The recorded history.
        timeline: &'a Timeline,
    },
    /// Nothing was judged, or not yet ([`Problem::not_finished`]).
    NotGraded(&'a Problem),
}

/// All that a format may show.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What the run came to.
    pub result: RunResult<'a>,
    /// Width and colour, for formats that are read in a terminal.
    pub style: TermStyle,
    /// Whether such a format shows every criterion, too.
    pub verbose: bool,
    /// Whose submission it is, for platforms that ask for it back.
    pub identity: &'a Identity,
}

impl<'a> View<'a> {
    /// Without colour, 80 columns wide, of nobody's submission.
    #[must_use]
    pub const fn plain(result: RunResult<'a>) -> Self {
        Self { result, style: TermStyle::PLAIN, verbose: false, identity: Identity::NONE }
    }
}

impl Format {
    /// What a file of this format is named after its dot. No other format has the same: the reports
    /// of a hand-in stand in one folder.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json => "json",
            Self::Markdown => "md",
            Self::Junit => "xml",
            Self::Tap => "tap",
            Self::Github => "github.txt",
            Self::Gradescope => "gradescope.json",
            Self::Classroom50 => "classroom50.json",
            Self::Prairielearn => "prairielearn.json",
            Self::Autolab => "autolab.txt",
            Self::Check50 => "check50.json",
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Svg => "svg",
        }
    }
}

/// The document of a run in a format.
#[must_use]
pub fn render(format: Format, view: &View<'_>) -> Vec<u8> {
    match format {
        Format::Text => text::page(view),
        Format::Json => json::page(view),
        Format::Markdown => markdown::page(view),
        Format::Junit => junit::page(view),
        Format::Tap => tap::page(view),
        Format::Github => github::page(view),
        Format::Gradescope => gradescope::page(view),
        Format::Classroom50 => classroom50::page(view),
        Format::Prairielearn => prairielearn::page(view),
        Format::Autolab => autolab::page(view),
        Format::Check50 => check50::page(view),
        Format::Csv => csv::page(view),
        Format::Html => html::page(view),
        Format::Svg => svg::page(view),
    }
}

/// The version of stsgrade that judges.
pub const TOOL: &str = env!("CARGO_PKG_VERSION");

/// Version of the JSON report.
pub const VERSION: u32 = 1;

/// What the report says about the recording beside what is in the timeline.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// `sha256:…` of the recording's judged part.
    pub digest: String,
    /// The cluster's version.
    pub cluster: String,
    /// When the recording began, as the header has it.
    pub started_at: String,
    /// The namespace of the header, for a recording that ends before it names its subject.
    pub namespace: String,
    /// The manifests' files, as the student named them.
    pub files: Vec<String>,
    /// The manifest's objects, as their files have them.
    pub objects: Vec<ManifestText>,
    /// The recording holds what the containers run, which earlier versions left out.
    pub keeps_programs: bool,
    /// What is recorded was done by hand.
    pub is_by_hand: bool,
    /// The namespace is deleted by now: commands to type name the lab's own.
    pub is_isolated: bool,
    /// What the grade had applied is removed by now (`--cleanup`).
    pub cleanup: bool,
    /// The flags of the grade, as far as they are known.
    pub flags: Flags,
    /// What was judged.
    pub origin: Origin,
    /// Where its reader finds the recording.
    pub kept: Kept,
}

/// Where the reader of a report finds its recording, to see all that it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// It is the newest one that the grader keeps: `stsgrade show` finds it.
    #[default]
    Newest,
    /// In this file, which `stsgrade show` has to be told.
    File(String),
    /// The command that printed the report named it.
    Named,
    /// There is none.
    Nowhere,
}

/// Where the judged recording comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", tag = "from", content = "signature")]
pub enum Origin {
    /// The grade that recorded it.
    #[default]
    Grade,
    /// A file, which may have been edited since.
    File(Signed),
}

impl Source {
    /// Of a recording with that header, whose judged part has that digest.
    #[must_use]
    pub fn of(header: &Header, digest: String) -> Self {
        Self {
            digest,
            cluster: header.cluster.clone(),
            started_at: header.started_at.clone(),
            namespace: header.namespace.clone(),
            files: header.asked.files.clone(),
            objects: header.asked.objects.clone(),
            keeps_programs: header.minor > 0,
            is_by_hand: header.asked.is_by_hand(),
            is_isolated: header.asked.is_isolated(),
            cleanup: header.asked.cleanup,
            flags: Flags::recorded(&header.asked),
            origin: Origin::Grade,
            kept: Kept::default(),
        }
    }
}

/// A judged recording.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Always `stsgrade-report`.
    #[schemars(extend("const" = "stsgrade-report"))]
    pub format: &'static str,
    /// Always [`VERSION`].
    #[schemars(extend("const" = VERSION))]
    pub version: u32,
    /// [`TOOL`].
    pub tool: &'static str,
    /// The namespace that was graded.
    pub namespace: String,
    /// The StatefulSet that was graded, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stateful_set: Option<String>,
    /// The sum.
    pub score: Score,
    /// Of the undecided points those of what nobody has done yet, where somebody worked by hand.
    #[serde(skip)]
    pub not_shown: Points,
    /// The ten checks in the lab's order.
    pub checks: Vec<CheckResult>,
    /// Why points are missing: lost ones before undecided ones, the most points first.
    pub causes: Vec<Cause>,
    /// By which rubric it was scored, where it was not by the lab's own points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rubric: Option<RubricResult>,
    /// How much of it a format may show: what is less is not in it any more. The history is a
    /// reason.
    #[serde(skip)]
    pub show: Detail,
    /// What was judged.
    pub recording: Recording,
    /// What it cost the cluster; absent where the recording ends before it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What costs no points, but time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow: Option<String>,
    /// What commands are made of: where a rubric leaves causes out, other ones are typed.
    #[serde(skip)]
    pub facts: CommandFacts,
    /// The command that grades the submission again; absent where somebody worked by hand.
    #[serde(skip)]
    pub grade_again: Option<String>,
    /// The causes that the rubric does not show: their ids, and whose fault each is.
    #[serde(skip)]
    pub hidden: Vec<(&'static str, Option<Fault>)>,
}

/// Points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Score {
    /// For checks that passed.
    pub earned: Points,
    /// For all checks.
    pub possible: Points,
    /// For checks that could not be decided: neither won nor lost.
    pub undecided: Points,
}

/// One check and what became of it.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckResult {
    /// The check's stable name.
    pub id: &'static str,
    /// Its number in the lab.
    pub test: u8,
    /// Its title in the lab.
    pub title: &'static str,
    /// What it came to.
    #[schemars(with = "schema::OutcomeName")]
    pub outcome: Outcome,
    /// Points won.
    pub points: Points,
    /// Points for passing.
    pub possible: Points,
    /// Points that are neither won nor lost.
    #[serde(skip)]
    pub undecided: Points,
    /// What kept it from being reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<BlockedBy>,
    /// Its parts.
    pub criteria: Vec<CriterionResult>,
    /// The place of the part that decided it.
    #[serde(skip)]
    pub decisive_place: Option<usize>,
    /// Of a test that passed by somebody's own work: by what, and when, that was shown.
    #[serde(skip)]
    pub shown: Option<String>,
    /// The place in [`Report::causes`] of what cost its points.
    #[serde(skip)]
    pub cause: Option<usize>,
}

impl CheckResult {
    /// The part that decided what the whole came to: [`Verdict::decisive`].
    #[must_use]
    pub fn decisive(&self) -> Option<&CriterionResult> {
        self.criteria.get(self.decisive_place?)
    }
}

/// An obstacle.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct BlockedBy {
    /// The object that is stuck.
    pub who: String,
    /// Whose fault.
    #[schemars(with = "schema::FaultName")]
    pub fault: Fault,
    /// Why, in words: the cluster's own where it said any.
    pub why: String,
    /// The observations that show it, by their `seq` in the recording. Each stands one line further
    /// down than that: the header is the first line.
    pub evidence: Vec<Seq>,
}

/// How a criterion stands: [`Standing`] without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Standing")]
#[serde(rename_all = "camelCase")]
pub enum StandingName {
    /// Shown to be so.
    Met,
    /// Shown not to be so.
    Broken,
    /// An obstacle kept it from being reached.
    Blocked,
    /// Nobody has done what would show it.
    NotShown,
    /// It happened, or not, out of sight.
    Unseen,
}

/// A criterion.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct CriterionResult {
    /// Stable name within the check.
    pub id: &'static str,
    /// What must be so.
    pub text: String,
    /// How it stands.
    pub standing: StandingName,
    /// What the lab asks, where it is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was seen instead, what stands in the way, why nothing could be seen, or why it is not
    /// shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// The mistake that explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mistake: Option<&'static str>,
    /// The observations that show it, by their `seq` in the recording. Each stands one line further
    /// down than that: the header is the first line.
    pub evidence: Vec<Seq>,
    /// What this criterion alone makes of the check.
    #[serde(skip)]
    pub outcome: Outcome,
}

/// Which recording was judged.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    /// `sha256:…`.
    pub digest: String,
    /// The cluster's version.
    pub cluster: String,
    /// When it began, by the clock of the machine that recorded.
    pub started_at: String,
    /// The manifests' files, as the student named them.
    #[serde(skip)]
    pub files: Vec<String>,
    /// Where its reader finds it.
    #[serde(skip)]
    pub kept: Kept,
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// What a grade cost.
#[derive(Clone, Copy, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// API requests, watches included.
    pub requests: u64,
    /// Watch events received.
    pub watch_events: u64,
    /// Milliseconds from the start of the recording to the end of its judged part.
    pub wall_ms: u64,
}

impl Report {
    /// Judges the timeline and says so. Of a manifest that the API server refused nothing else is
    /// judged.
    #[must_use]
    pub fn of(source: &Source, timeline: &Timeline) -> Self {
        if let Some(refusal) = timeline.refusal() {
            return Self::refused(&Problem::refused_manifest(refusal), source);
        }
        Self::new(source, timeline, &checks::judge(timeline))
    }

    /// Puts verdicts, in the order of [`CHECKS`], into words.
    #[must_use]
    pub fn new(source: &Source, timeline: &Timeline, verdicts: &[Verdict; checks::COUNT]) -> Self {
        let mut rows: Vec<CheckResult> = CHECKS
            .iter()
            .zip(verdicts)
            .map(|(check, verdict)| row(timeline, check, verdict))
            .collect();
        let namespace =
            if timeline.namespace().is_empty() { &source.namespace } else { timeline.namespace() };
        let own = if source.is_isolated { LAB_NAMESPACE } else { namespace };
        let mut facts = remedy::command_facts(timeline, own, source);
        // Where both tests passed no file was lost, and to look for one would take time.
        if rows.iter().any(|row| row.outcome == Outcome::Fail && KEPT_CONTENT.contains(&row.id)) {
            facts.lost = remedy::lost_file(timeline);
        }
        let causes = causes::find(timeline, verdicts, &mut rows, &facts, source);
        let sum = |outcome: Option<Outcome>| {
            rows.iter()
                .filter(|row| outcome.is_none_or(|it| it == row.outcome))
                .map(|row| row.possible)
                .sum()
        };
        Self {
            format: "stsgrade-report",
            version: VERSION,
            tool: TOOL,
            namespace: sanitize(namespace),
            stateful_set: timeline.set().map(|set| sanitize(&set.name)),
            score: Score {
                earned: sum(Some(Outcome::Pass)),
                possible: sum(None),
                undecided: sum(Some(Outcome::Inconclusive)),
            },
            not_shown: causes::not_shown(&causes),
            checks: rows,
            causes,
            rubric: None,
            show: Detail::default(),
            recording: Recording {
                digest: sanitize(&source.digest),
                cluster: sanitize(&source.cluster),
                started_at: sanitize(&source.started_at),
                files: source.files.iter().map(|it| sanitize(it)).collect(),
                kept: source.kept.clone(),
                origin: source.origin,
            },
            cost: timeline.end().map(|end| Cost {
                requests: end.what.requests,
                watch_events: end.what.watch_events,
                wall_ms: end.what.wall_ms,
            }),
            slow: slow::slow_stop_note(timeline),
            grade_again: (!timeline.is_by_hand()).then(|| remedy::commands::grade_again(&facts)),
            hidden: vec![],
            facts,
        }
    }

    /// The causes by their ids, and whose fault each is: those, too, that the rubric does not show.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, Option<Fault>)> {
        let shown = self.causes.iter().map(|it| (it.id, it.fault));
        shown.chain(self.hidden.iter().copied())
    }

    /// The ten letters, as in a fixture's first line.
    #[must_use]
    pub fn letters(&self) -> String {
        self.checks.iter().map(|row| row.outcome.letter()).collect()
    }
}

fn row(timeline: &Timeline, check: &checks::Check, verdict: &Verdict) -> CheckResult {
    let (outcome, possible) = (verdict.outcome(), Points::whole(check.points));
    CheckResult {
        id: check.id,
        test: check.test,
        title: check.title,
        outcome,
        points: if outcome == Outcome::Pass { possible } else { Points::ZERO },
        possible,
        undecided: if outcome == Outcome::Inconclusive { possible } else { Points::ZERO },
        blocked_by: verdict.blocked_by().map(blocked_by),
        criteria: verdict.criteria.iter().map(criterion_result).collect(),
        decisive_place: verdict.decisive_place(),
        shown: shown_by(timeline, verdict),
        cause: None,
    }
}

/// By what a test that passed was shown at last, and when.
fn shown_by(timeline: &Timeline, verdict: &Verdict) -> Option<String> {
    if !timeline.is_by_hand() || verdict.outcome() != Outcome::Pass {
        return None;
    }
    // What stands in the set's spec is not what was done.
    let spec = timeline.set().map_or(0, |set| set.changed.by);
    let done = verdict.criteria.iter().filter(|it| it.evidence != [spec]);
    let (seq, last) =
        done.filter_map(|it| Some((*it.evidence.last()?, it))).max_by_key(|(seq, _)| *seq)?;
    let seconds = timeline.time_of(seq)? / 1_000_000_000;
    Some(format!(
        "{} ({}:{:02} after the beginning, line {})",
        sanitize(&last.text),
        seconds / 60,
        seconds % 60,
        summary::line_of(seq)
    ))
}

fn blocked_by(obstacle: &Obstacle) -> BlockedBy {
    BlockedBy {
        who: sanitize(&obstacle.who),
        fault: obstacle.fault,
        why: sanitize(&obstacle.why),
        evidence: obstacle.evidence.clone(),
    }
}

fn criterion_result(criterion: &Criterion) -> CriterionResult {
    let (standing, expected, actual) = match &criterion.standing {
        Standing::Met => (StandingName::Met, None, None),
        Standing::Broken { expected, actual } => {
            (StandingName::Broken, Some(sanitize(expected)), Some(sanitize(actual)))
        }
        Standing::Blocked(obstacle) => (
            StandingName::Blocked,
            None,
            Some(format!("{}: {}", sanitize(&obstacle.who), sanitize(&obstacle.why))),
        ),
        Standing::NotShown { why, .. } => (StandingName::NotShown, None, Some(sanitize(why))),
        Standing::Unseen { why, .. } => (StandingName::Unseen, None, Some(sanitize(why))),
    };
    CriterionResult {
        id: criterion.id,
        text: sanitize(&criterion.text),
        standing,
        expected,
        actual,
        mistake: criterion.mistake.map(|it| it.id),
        evidence: criterion.evidence.clone(),
        outcome: criterion.standing.outcome(),
    }
}
