//! Why points are missing: losses that have one cause are named once.

mod container_ends;
mod content;
mod look_for;
mod mending;
mod missing;
mod obstacles;
mod one_grade;
mod words;

pub use obstacles::title as obstacle_title;
pub(super) use one_grade::plan_one_grade_again;
pub(super) use words::sentence;

use checks::{
    CHECKS,
    mistakes::WHEN_SCALED_DELETE,
    model::{Fault, Obstacle, Outcome, Seq, Standing, Timeline, Verdict},
};
use serde::Serialize;

use crate::console::sanitize::sanitize;
use crate::remedy::{
    change::Change,
    commands::{CommandFacts, Mending, SeeIt},
    edit,
    edit::{Edited, Loss},
};
use crate::report::{
    CheckResult, Points, Source, StandingName,
    causes::{mending::LossWriter, one_grade::plan_one_grade, words::cause},
    schema::FaultName,
};

/// Something that cost points, or left them undecided.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Cause {
    /// A mistake's id, an obstacle's, or the id of the check itself.
    pub id: &'static str,
    /// The submission's: the points are lost. The cluster's, or nobody knows: they are undecided.
    /// Nobody's: what would decide them has not been done yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FaultName>")]
    pub fault: Option<Fault>,
    /// What happened.
    pub explanation: String,
    /// What to do.
    pub remedy: String,
    /// The tests that it fails or leaves undecided.
    pub tests: Vec<u8>,
    /// Their points.
    pub points: Points,
    /// In a few words.
    pub title: String,
    /// What was expected and what was seen instead, at most [`MAX_SEEN`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// The stuck container's last lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// What the lab's own text gets wrong about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lab: Option<&'static str>,
    /// The lines of the submission to change, in its own names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The same where no other cause is told: changes of the manifest as it was handed in.
    #[serde(skip)]
    pub changes_alone: Vec<Change>,
    /// What to do as far as no other cause decides it.
    #[serde(skip)]
    pub remedy_alone: String,
    /// Services that stand and that its changes make headless.
    #[serde(skip)]
    pub services: Vec<String>,
    /// Only the next grade can show it: the one after the changes of the other causes.
    #[serde(skip)]
    pub is_of_next_grade: bool,
    /// The pod that waits for an object which is not there, where nothing else must change.
    #[serde(skip)]
    pub waiting: Option<String>,
    /// Lines such as those to look for, and as they should be, where the own ones cannot be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Example>,
    /// What to type once all lines are changed, in order: the same for all causes of the
    /// submission's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// What to type to see it with one's own eyes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub see: Vec<String>,
    /// What that prints where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<&'static str>,
}

impl Cause {
    /// Whether the explanation says more than the title and the findings that are told before it.
    #[must_use]
    pub fn explains_more(&self) -> bool {
        let is_it = |told: &str| told == self.explanation || sentence(told) == self.explanation;
        !is_it(&self.title) && !self.seen.iter().any(|it| is_it(&it.actual))
    }

    /// What of it decides what to type.
    pub(super) fn mending(&self) -> Mending<'_> {
        Mending { id: self.id, waiting: self.waiting.as_deref(), services: &self.services }
    }

    pub(super) fn show(&mut self, see_it: SeeIt) {
        self.see = see_it.commands;
        self.right = see_it.right;
    }
}

/// What one test found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Seen {
    /// Which test.
    pub test: u8,
    /// What must be so.
    pub asked: String,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was seen.
    pub actual: String,
    /// The observations that show it, by their `seq` in the recording.
    #[serde(skip)]
    pub evidence: Vec<Seq>,
}

/// Lines of somebody else's manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Example {
    /// As they are in the mistake.
    pub before: String,
    /// As they should be. Empty where the lines are only taken out.
    pub after: String,
    /// What stands above the lines: whose they are.
    pub told: String,
}

/// What a remedy ends in, where the set did not get far enough to show all mistakes.
pub(super) const MORE_MAY_SHOW: &str = "More may show after that.";

/// What to do about what a grade could not show beside what is to be mended.
const NEXT_GRADE: &str = "Nothing here: the grade after the changes above can show it.";
/// The same where that was a set that a grade does not scale to 0.
const NEXT_GRADE_FROM_NONE: &str = "Nothing here: the grade did not scale the set to 0, which \
    would delete its PVCs. After the changes above it can.";

/// The same for somebody who works by hand: done before, it may lose the set's PVCs.
const MEND_FIRST: &str = "First make the changes above. ";

/// The check that asks for a set which comes up from no pod.
const CREATION: &str = "sequential_creation";

/// How many findings of a cause are told in full.
const MAX_SEEN: usize = 2;

/// What makes two losses one.
#[derive(PartialEq, Eq)]
enum Key {
    Mistake(&'static str),
    /// Its id, and what has it: a container or a missing object of whichever pod, or one object.
    Obstacle(&'static str, String),
    NoShell,
    NoExec,
    Unseen(String),
    /// Why the files of a pod were not read that somebody removed too soon, by hand.
    DoneTooFast(String),
    NotShown(String),
    NotDone,
    Check(&'static str),
}

impl Key {
    /// All pods of a set are of one template: what one has, each has.
    fn of_obstacle(obstacle: &Obstacle, is_pod: bool) -> Self {
        let has_it = match (&obstacle.container, &obstacle.missing) {
            _ if !is_pod => obstacle.who.clone(),
            (Some(container), missing) => format!("{} {missing:?}", container.name),
            (None, missing) => format!("{missing:?}"),
        };
        Self::Obstacle(obstacle.id, has_it)
    }
}

/// The causes of all that did not pass: lost points before undecided ones, and of these the most
/// points first. Each row gets the place of its own cause.
pub(super) fn find(
    timeline: &Timeline,
    verdicts: &[Verdict; checks::COUNT],
    rows: &mut [CheckResult],
    facts: &CommandFacts,
    source: &Source,
) -> Vec<Cause> {
    let objects = source.objects.as_slice();
    let knows_programs = source.keeps_programs || edit::has_programs(objects, timeline);
    let mut losses = grouped(timeline, verdicts, rows);
    let is_mended_first = losses.iter().any(|it| it.cause.fault == Some(Fault::Submission));
    for open in &mut losses {
        if open.key == Key::NotDone
            && let Some(why) = only_reason(&open.whys)
        {
            open.cause.explanation = sentence(&sanitize(why));
        }
        if matches!(open.key, Key::NotDone | Key::DoneTooFast(_)) {
            open.cause.remedy = to_do_by_hand(timeline, &open.cause.tests, is_mended_first);
        }
    }
    // Each is changed after those that are told before it.
    losses.sort_by_key(|it| order(&it.cause));
    let mut edited = Edited::nothing(objects, timeline);
    let mut causes: Vec<Cause> = vec![];
    for Grouped { key, mut cause, obstacle, .. } in losses {
        let who = obstacle.map(|it| it.who.as_str()).filter(|it| timeline.is_pod(it));
        let loss = Loss { id: cause.id, obstacle, objects, knows_programs };
        LossWriter { timeline, who, facts, loss }.complete(&mut cause, &mut edited);
        if cause.fault == Some(Fault::NotTheSubmission) && !timeline.is_by_hand() {
            // Lost points are told before those that are undecided.
            let is_graded_again = causes.iter().any(|it| it.fault == Some(Fault::Submission));
            if is_graded_again && matches!(key, Key::NotShown(_)) {
                let loses_claims = causes.iter().any(|it| it.id == WHEN_SCALED_DELETE.id);
                let next = if loses_claims && cause.id == CREATION {
                    NEXT_GRADE_FROM_NONE
                } else {
                    NEXT_GRADE
                };
                cause.remedy = next.to_owned();
                cause.is_of_next_grade = true;
            } else {
                obstacles::add_commands_for_undecided(&mut cause, &key, obstacle, timeline, facts);
            }
        }
        causes.push(cause);
    }
    arrange(&mut causes, rows);
    plan_one_grade(&mut causes, facts);
    causes
}

/// What somebody who works by hand does to show these tests.
fn to_do_by_hand(timeline: &Timeline, tests: &[u8], is_mended_first: bool) -> String {
    let open = CHECKS.iter().filter(|check| tests.contains(&check.test));
    let shown_by: Vec<_> = open.map(|check| check.shown_by).collect();
    let (first, way) = if is_mended_first {
        (MEND_FIRST, timeline.way_to_show_anew(&shown_by))
    } else {
        ("", timeline.way_to_show(&shown_by))
    };
    let way = sanitize(&way.join("; "));
    format!("{first}While `stsgrade record` runs: {way}. Leave each pod some seconds to be read.")
}

/// The losses that are one, and what they cost together.
struct Grouped<'v> {
    key: Key,
    cause: Cause,
    obstacle: Option<&'v Obstacle>,
    /// Of whom the explanation tells the same, besides the obstacle's own.
    others: Vec<&'v str>,
    /// Why each of its tests is not shown.
    whys: Vec<&'v str>,
}

/// The reason that all have, where it is one.
fn only_reason<'v>(whys: &[&'v str]) -> Option<&'v str> {
    let (first, rest) = whys.split_first()?;
    rest.iter().all(|why| why == first).then_some(*first)
}

impl<'v> Grouped<'v> {
    /// Tells whom else the same stands in the way of, unless it is told already.
    fn add_who(&mut self, who: &'v str) {
        let is_first = self.obstacle.is_some_and(|it| it.who == who);
        if is_first || self.others.contains(&who) {
            return;
        }
        self.others.push(who);
        if !self.cause.explanation.ends_with(['.', '!', '?']) {
            self.cause.explanation.push('.');
        }
        self.cause.explanation.push_str(&format!(" The same holds for {}.", sanitize(who)));
    }
}

fn grouped<'v>(
    timeline: &Timeline,
    verdicts: &'v [Verdict; checks::COUNT],
    rows: &[CheckResult],
) -> Vec<Grouped<'v>> {
    let mut found: Vec<Grouped<'v>> = vec![];
    for ((check, verdict), row) in CHECKS.iter().zip(verdicts).zip(rows) {
        if row.outcome == Outcome::Pass {
            continue;
        }
        let decisive = verdict.decisive();
        let obstacle = match decisive.map(|it| &it.standing) {
            Some(Standing::Blocked(obstacle)) => Some(obstacle),
            _ => None,
        };
        let (key, cause) = cause(timeline, check, decisive, row.outcome);
        let known = found.iter().position(|it| it.key == key && it.cause.fault == cause.fault);
        let place = known.unwrap_or_else(|| {
            found.push(Grouped { key, cause, obstacle, others: vec![], whys: vec![] });
            found.len() - 1
        });
        let grouped = &mut found[place];
        if let Some(obstacle) = obstacle {
            grouped.add_who(&obstacle.who);
        }
        if let Some(Standing::NotShown { why, .. }) = decisive.map(|it| &it.standing) {
            grouped.whys.push(why);
        }
        let cause = &mut grouped.cause;
        see_more(cause, row);
        cause.tests.push(check.test);
        cause.points += Points::whole(check.points);
    }
    found
}

/// Sorts causes: lost points before undecided ones, and of these the most points first. Each row gets
/// the place of its own cause.
pub(super) fn arrange(causes: &mut [Cause], rows: &mut [CheckResult]) {
    causes.sort_by_key(order);
    for row in rows {
        row.cause = causes.iter().position(|cause| cause.tests.contains(&row.test));
    }
}

fn order(cause: &Cause) -> (u8, std::cmp::Reverse<Points>, Vec<u8>) {
    let gravity = match cause.fault {
        Some(Fault::Submission) => 0,
        Some(Fault::NotTheSubmission) => 1,
        None => 2,
    };
    (gravity, std::cmp::Reverse(cause.points), cause.tests.clone())
}

/// The points of what nobody has done yet, where somebody worked by hand.
pub(super) fn not_shown(causes: &[Cause]) -> Points {
    causes.iter().filter(|it| it.fault.is_none()).map(|it| it.points).sum()
}

/// The number of a later cause under which the commands of the cause at `place` are printed: the
/// last one that has the same, so that whoever reads on to there makes all changes first.
#[must_use]
pub(super) fn typed_later(causes: &[Cause], place: usize) -> Option<usize> {
    let commands = &causes.get(place)?.commands;
    let last = causes.iter().rposition(|it| it.commands == *commands)?;
    (last > place && !commands.is_empty()).then_some(last + 1)
}

/// Whether an earlier cause than the one at `place` tells all commands by which that is seen.
#[must_use]
pub(super) fn seen_earlier(causes: &[Cause], place: usize) -> bool {
    let Some((cause, earlier)) = causes.get(..=place).and_then(<[Cause]>::split_last) else {
        return false;
    };
    let tells = |it: &Cause| {
        it.right == cause.right && cause.see.iter().all(|command| it.see.contains(command))
    };
    earlier.iter().any(tells)
}

/// Adds what a test found, where it is not told yet.
fn see_more(cause: &mut Cause, row: &CheckResult) {
    let decisive = row.criteria.iter().filter(|it| it.outcome == row.outcome);
    for criterion in decisive.filter(|it| it.standing == StandingName::Broken) {
        let Some(actual) = &criterion.actual else { continue };
        let is_told = cause.seen.iter().any(|it| it.actual == *actual);
        // One finding of each test says more than two of the first.
        let is_of_told_test = cause.seen.iter().any(|it| it.test == row.test);
        if cause.seen.len() == MAX_SEEN || is_of_told_test {
            return;
        }
        if is_told {
            continue;
        }
        cause.seen.push(Seen {
            test: row.test,
            asked: criterion.text.clone(),
            expected: criterion.expected.clone().filter(|it| *it != criterion.text),
            actual: actual.clone(),
            evidence: criterion.evidence.clone(),
        });
    }
}

#[cfg(test)]
mod tests;
