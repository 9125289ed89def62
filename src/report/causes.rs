//! Why points are missing: losses that have one cause are named once.

use checks::{
    CHECKS, Check, mistakes,
    model::{Criterion, Fault, Outcome, Standing, Timeline, Verdict, verdict::AGAIN},
};
use serde::Serialize;

use crate::console::sanitize::{clip, clip_middle, sanitize};
use crate::report::{CheckResult, Points};

/// Characters of one line of a container's log.
const LOG_LINE: usize = 300;

/// Something that cost points, or left them undecided.
#[derive(Clone, Debug, Serialize)]
pub struct Cause {
    /// A mistake's id, an obstacle's, or the id of the check itself.
    pub id: &'static str,
    /// The submission's: the points are lost. The cluster's, or nobody knows: they are undecided.
    /// Nobody's: what would decide them has not been done yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// What happened.
    pub explanation: String,
    /// What to do.
    pub remedy: String,
    /// Which tests it cost.
    pub tests: Vec<u8>,
    /// Their points.
    pub points: Points,
    /// In a few words.
    #[serde(skip)]
    pub title: String,
    /// The stuck container's last lines.
    #[serde(skip)]
    pub log: Vec<String>,
    /// The lines as they are and as they should be, where that is known.
    #[serde(skip)]
    pub change: Option<(String, String)>,
}

/// What makes two losses one.
#[derive(PartialEq, Eq)]
enum Key {
    Mistake(&'static str),
    Obstacle(&'static str, String),
    Unseen(String),
    NotShown(String),
    NotDone,
    Check(&'static str),
}

/// The causes of all that did not pass, what is lost before what is undecided, dearest first; tells
/// each row which is its own.
pub(super) fn find(
    timeline: &Timeline,
    verdicts: &[Verdict; 10],
    rows: &mut [CheckResult],
) -> Vec<Cause> {
    let mut found: Vec<(Key, Cause)> = vec![];
    for ((check, verdict), row) in CHECKS.iter().zip(verdicts).zip(rows.iter()) {
        if row.outcome == Outcome::Pass {
            continue;
        }
        let (key, cause) = cause(timeline, check, decisive(verdict), row.outcome);
        let place = found
            .iter()
            .position(|(known, it)| *known == key && it.fault == cause.fault)
            .unwrap_or_else(|| {
                found.push((key, cause));
                found.len() - 1
            });
        let cause = &mut found[place].1;
        cause.tests.push(check.test);
        cause.points += Points::whole(check.points);
    }
    if let Some((_, cause)) = found.iter_mut().find(|(key, _)| *key == Key::NotDone) {
        let way = timeline.way_to_show(&cause.tests).join("; ");
        cause.remedy = format!(
            "While `stsgrade record` runs: {}. Leave each pod some seconds to be read.",
            sanitize(&way)
        );
    }
    let mut causes: Vec<Cause> = found.into_iter().map(|(_, cause)| cause).collect();
    let gravity = |it: &Cause| match it.fault {
        Some(Fault::Submission) => 0,
        Some(Fault::Cluster) => 1,
        None => 2,
    };
    let order = |it: &Cause| (gravity(it), std::cmp::Reverse(it.points), it.tests.clone());
    causes.sort_by_key(order);
    for row in rows {
        row.cause = causes.iter().position(|cause| cause.tests.contains(&row.test));
    }
    causes
}

/// The first criterion that stands as gravely as the whole verdict.
fn decisive(verdict: &Verdict) -> Option<&Criterion> {
    let outcome = verdict.outcome();
    verdict.criteria.iter().find(|it| it.standing.outcome() == outcome)
}

fn cause(
    timeline: &Timeline,
    check: &Check,
    decisive: Option<&Criterion>,
    outcome: Outcome,
) -> (Key, Cause) {
    let bare = |id, title: String, explanation: String, remedy: String| Cause {
        id,
        fault: Some(if outcome == Outcome::Fail { Fault::Submission } else { Fault::Cluster }),
        explanation,
        remedy,
        tests: vec![],
        points: Points::ZERO,
        title,
        log: vec![],
        change: None,
    };
    let Some(criterion) = decisive else {
        let why = "the recording shows nothing of it";
        return (
            Key::Unseen(why.to_owned()),
            bare(check.id, why.to_owned(), sentence(why), AGAIN.to_owned()),
        );
    };
    match (&criterion.standing, criterion.mistake) {
        (Standing::Broken { .. }, Some(mistake)) => {
            let advice = criterion.advice.as_ref();
            let remedy =
                advice.map_or_else(|| mistake.remedy.to_owned(), |it| sanitize(&it.remedy));
            let change = advice
                .map_or((mistake.before.to_owned(), mistake.after.to_owned()), |it| {
                    (harmless(&it.before), harmless(&it.after))
                });
            let known =
                bare(mistake.id, mistake.title.to_owned(), mistake.explanation.to_owned(), remedy);
            (Key::Mistake(mistake.id), Cause { change: Some(change), ..known })
        }
        (Standing::Broken { actual, .. }, None) => (
            Key::Check(check.id),
            bare(
                check.id,
                clip_middle(actual, 120),
                sentence(&sanitize(actual)),
                check.remedy.to_owned(),
            ),
        ),
        (Standing::Blocked(obstacle), _) => {
            let told = format!("{}: {}", sanitize(&obstacle.who), sanitize(&obstacle.why));
            let known =
                bare(obstacle.id, clip_middle(&told, 100), told, obstacle.remedy.to_owned());
            let log = obstacle.log.iter().map(|line| clip(line, LOG_LINE)).collect();
            let change =
                mistakes::find(obstacle.id).map(|it| (it.before.to_owned(), it.after.to_owned()));
            (Key::Obstacle(obstacle.id, obstacle.who.clone()), Cause { log, change, ..known })
        }
        (Standing::Unseen { why, remedy }, _) => (
            Key::Unseen(why.clone()),
            bare(check.id, clip_middle(why, 120), sentence(&sanitize(why)), (*remedy).to_owned()),
        ),
        // Somebody who works by hand is told one way for all that is open.
        (Standing::NotShown { .. }, _) if timeline.is_by_hand() => {
            let explanation = "What would show it has not been done while it was recorded, or not \
                so that it counts.";
            let open = bare(
                "not_shown",
                "not shown yet".to_owned(),
                explanation.to_owned(),
                String::new(),
            );
            (Key::NotDone, Cause { fault: None, ..open })
        }
        (Standing::NotShown { why, next }, _) => (
            Key::NotShown(next.clone()),
            bare(
                check.id,
                clip_middle(why, 120),
                sentence(&sanitize(why)),
                sentence(&sanitize(next)),
            ),
        ),
        (Standing::Met, _) => (
            Key::Check(check.id),
            bare(check.id, check.title.to_owned(), String::new(), check.remedy.to_owned()),
        ),
    }
}

/// Lines in a submission's own names, which may hold anything.
fn harmless(lines: &str) -> String {
    lines.lines().map(|line| clip(line, LOG_LINE)).collect::<Vec<_>>().join("\n")
}

/// A fragment as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    // A name keeps its case: `web-1 was added …`.
    let is_name = text
        .split_whitespace()
        .next()
        .is_some_and(|word| word.contains(|c: char| !c.is_alphabetic()));
    let mut out = if is_name { first.to_string() } else { first.to_uppercase().collect() };
    out.push_str(chars.as_str());
    if !out.ends_with(['.', '!', '?', '…', ':']) {
        out.push('.');
    }
    out
}
