//! What stands first on the page: what is undecided and why, and where the recording comes from.

use checks::model::Fault;

use crate::{
    console::count::counted,
    report::{Points, Report, summary},
};

/// The first lines of the page, below the score.
pub(super) struct Head<'r> {
    /// What is neither won nor lost, and what would decide it.
    pub(super) undecided: Vec<String>,
    /// The command that grades again, where that decides it.
    pub(super) again: Option<&'r str>,
    /// All points are earned.
    pub(super) is_whole: bool,
    /// When it was recorded, of which file, and whether the recording can be trusted.
    pub(super) origin: Vec<String>,
}

impl<'r> Head<'r> {
    pub(super) fn of(report: &'r Report) -> Self {
        let not_shown = report.not_shown;
        let hidden = report.score.undecided - not_shown;
        let mut undecided = vec![];
        if hidden > Points::ZERO {
            let told = counted(hidden, "point is", "points are");
            undecided.push(format!("{told} undecided, and not lost."));
            undecided.extend(summary::to_decide(report, Some(Fault::NotTheSubmission)));
        }
        if not_shown > Points::ZERO {
            let told = counted(not_shown, "point is", "points are");
            undecided.push(format!("{told} not shown yet, and not lost."));
            undecided.extend(summary::to_decide(report, None));
        }
        let again = report.grade_again.as_deref().filter(|_| hidden > Points::ZERO);
        let is_whole = report.score.earned == report.score.possible;
        Self { undecided, again, is_whole, origin: origin(report) }
    }
}

fn origin(report: &Report) -> Vec<String> {
    let recording = &report.recording;
    let mut told = vec![];
    if !recording.started_at.is_empty() {
        let when = match recording.started_at.split_once('T') {
            Some((day, time)) if time.ends_with('Z') => {
                format!("{day} {} UTC", time.trim_end_matches('Z'))
            }
            _ => recording.started_at.clone(),
        };
        let files = match &recording.files[..] {
            [] => String::new(),
            files => format!(", from {}", files.join(", ")),
        };
        told.push(format!("Recorded {when}{files}."));
    }
    told.extend(summary::origin(report).map(|it| format!("{it}.")));
    told
}

/// The heading over the causes.
pub(super) fn causes_heading(report: &Report) -> &'static str {
    let has = |fault| report.causes.iter().any(|it| it.fault == fault);
    match (has(Some(Fault::Submission)), has(Some(Fault::NotTheSubmission)), has(None)) {
        (true, false, false) => "What costs points",
        (true, ..) => "What costs points, and what is not decided",
        (false, false, true) => "What is not shown yet",
        (false, ..) => "What is undecided",
    }
}
