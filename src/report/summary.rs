//! The words about a report that several formats share, on one line or as lines of text.

pub(super) use checks::model::line_of;
use checks::model::{Fault, Outcome};

use crate::{
    console::count::counted,
    recording::signature::Signed,
    remedy::commands::UNKNOWN_FILE,
    report::{Cause, CheckResult, Origin, Points, Report, text},
    rubric::UndecidedWorth,
};

/// What stands in place of a set's name where none was graded: there is none, or the manifest was
/// refused before that was asked.
pub(super) const NO_SET: &str = "no StatefulSet was graded";

/// `80 of 100 points, 10 undecided`.
pub(super) fn score(report: &Report) -> String {
    let score = report.score;
    let mut text = format!("{} of {}", score.earned, in_points(score.possible));
    if score.undecided > Points::ZERO {
        text.push_str(&format!(", {} undecided", score.undecided));
    }
    match report.rubric.as_ref().map(|it| it.passed) {
        Some(Some(true)) => text.push_str(", passed"),
        Some(Some(false)) => text.push_str(", not passed"),
        Some(None) => text.push_str(", not decided yet whether passed"),
        None => {}
    }
    text
}

/// `10 points`, `1 point`.
pub(super) fn in_points(points: Points) -> String {
    counted(points, "point", "points")
}

/// `Test 6: Identity Persistence`.
pub(super) fn title(row: &CheckResult) -> String {
    format!("Test {}: {}", row.test, row.title)
}

/// Which file the commands to type mean, where it is not named, and who applies it, where lines of
/// it change.
pub(super) fn file_of_commands(report: &Report) -> Option<&'static str> {
    let names_none = |it: &Cause| {
        let mut typed = it.commands.iter().chain(&it.see).chain([&it.remedy]);
        typed.any(|line| line.contains(UNKNOWN_FILE))
    };
    if report.causes.iter().any(names_none) {
        return Some("YOUR-FILE.yaml is your manifest");
    }
    let has_lines = |it: &&Cause| !it.changes.is_empty() || it.example.is_some();
    let mut changed = report.causes.iter().filter(has_lines);
    let commands = &changed.next()?.commands;
    let is_grade = |it: &String| it.starts_with("stsgrade grade ") && it.contains(" -f ");
    commands.iter().any(is_grade).then_some("`grade -f` applies the file")
}

/// What cost a test its points.
pub(super) fn cause<'a>(report: &'a Report, row: &CheckResult) -> Option<&'a Cause> {
    row.cause.and_then(|place| report.causes.get(place))
}

/// Why a test did not pass, on one line; nothing for one that passed.
pub(super) fn reason(report: &Report, row: &CheckResult) -> Option<String> {
    if row.outcome == Outcome::Pass {
        return None;
    }
    let known = cause(report, row).map(|it| it.title.clone()).filter(|it| !it.is_empty());
    let seen = || row.decisive().and_then(|it| it.actual.clone());
    Some(known.or_else(seen).unwrap_or_else(|| text::word(row.outcome).to_owned()))
}

/// What to do about it, where something is known.
pub(super) fn remedy<'a>(report: &'a Report, row: &CheckResult) -> Option<&'a str> {
    cause(report, row).map(|it| it.remedy.as_str()).filter(|it| !it.is_empty())
}

/// What decides the points that are open by this fault: the numbers of the causes that tell it.
pub(super) fn to_decide(report: &Report, fault: Option<Fault>) -> Option<String> {
    let aim = if fault.is_some() { "To decide them" } else { "To show the rest" };
    let is_open = |it: &Cause| it.fault == fault && !it.remedy.is_empty();
    // Then it is the changes of those that cost points that decide it.
    let takes_changes = report.causes.iter().any(|it| is_open(it) && it.is_of_next_grade);
    let is_meant = |it: &Cause| {
        let is_changed = takes_changes && it.fault == Some(Fault::Submission);
        is_changed || is_open(it) && !it.is_of_next_grade
    };
    let numbered = report.causes.iter().zip(1..);
    let numbers: Vec<u8> =
        numbered.filter(|(cause, _)| is_meant(cause)).map(|(_, number)| number).collect();
    let under = text::numbers(&numbers);
    (!under.is_empty()).then(|| format!("{aim}, do what stands under {under}."))
}

/// `costs 10 points`: what a cause comes to. By a rubric, what is undecided may be lost or won.
pub(super) fn costs(report: &Report, cause: &Cause) -> String {
    let points = in_points(cause.points);
    let worth = report.rubric.as_ref().map_or(UndecidedWorth::Held, |it| it.undecided);
    match (cause.fault, worth) {
        (Some(Fault::Submission), _) => format!("costs {points}"),
        (Some(Fault::NotTheSubmission), UndecidedWorth::Held) => {
            format!("leaves {points} undecided")
        }
        (None, UndecidedWorth::Held) => format!("leaves {points} to be shown"),
        (_, UndecidedWorth::Zero) => {
            format!("costs {points}, as the rubric gives none for what is undecided")
        }
        (_, UndecidedWorth::Full) => {
            "costs no points, as the rubric gives them for what is undecided".to_owned()
        }
    }
}

/// `digest sha256:…`, and the rubric's where there is one.
pub(super) fn digests(report: &Report) -> String {
    let digest = format!("digest {}", report.recording.digest);
    match &report.rubric {
        Some(rubric) => format!("{digest}, rubric {}", rubric.digest),
        None => digest,
    }
}

/// What costs no points, but time.
pub(super) fn slow(report: &Report) -> Option<String> {
    report.slow.as_ref().map(|note| format!("Slow: {note}"))
}

/// Whether the judged recording can be trusted; nothing of one's own grade.
pub(super) fn origin(report: &Report) -> Option<String> {
    let Origin::File(signed) = report.recording.origin else { return None };
    let signed = match signed {
        Signed::Valid => "its signature is valid",
        Signed::Invalid => "its signature is NOT valid: it may have been edited",
        Signed::Absent => "it is not signed, and anybody can edit it",
        Signed::Unchecked => "its signature was not checked: STSGRADE_KEY is not set",
    };
    Some(format!("Judged from a recording's file: {signed}"))
}

#[cfg(test)]
mod tests {
    use checks::model::Fault;

    use crate::report::{Problem, Report, Source, summary::to_decide};

    /// Catches a student who is sent to a cause that sends back, and one who reads it twice.
    #[test]
    fn what_the_next_grade_decides_is_done_under_what_costs_points() {
        let problem = Problem::new("unreadable_manifest", "no YAML", "Correct it.");
        let mut report = Report::refused(&problem, &Source::default());
        let mut open = report.causes[0].clone();
        open.fault = Some(Fault::NotTheSubmission);
        open.title = "nobody scaled it from 0".to_owned();
        open.explanation = "Nobody scaled it from 0.".to_owned();
        open.is_of_next_grade = true;
        assert!(!open.explains_more());
        report.causes.push(open.clone());
        let told = to_decide(&report, Some(Fault::NotTheSubmission));
        assert_eq!(told.as_deref(), Some("To decide them, do what stands under 1."));
        open.is_of_next_grade = false;
        open.explanation = "The set stood before.".to_owned();
        assert!(open.explains_more());
        report.causes.push(open);
        let told = to_decide(&report, Some(Fault::NotTheSubmission));
        assert_eq!(told.as_deref(), Some("To decide them, do what stands under 1 and 3."));
    }
}
