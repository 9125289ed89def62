//! One loss in words: what it is, why, and what to do.

use checks::{
    Check,
    mistakes::{Mistake, OVERWRITTEN_AT_START, OVERWRITTEN_AT_STOP, WIPED_AT_START},
    model::{Criterion, Fault, Obstacle, Outcome, Standing, Timeline, Unreadable, verdict::AGAIN},
};

use crate::{
    console::sanitize::{clip, clip_middle, sanitize},
    report::{
        Points,
        causes::{Cause, Example, Key, missing::lacking, obstacles},
    },
};

/// Characters of a title.
pub(super) const MAX_TITLE: usize = 120;
/// Characters of a name in a title.
pub(super) const MAX_NAME: usize = 80;
/// Characters of one line of a container's log.
const LOG_LINE: usize = 300;

const NO_SHELL_TITLE: &str =
    "the image has no shell, by which the grader reads files and asks names";
const NO_SHELL_REMEDY: &str = "Grade again with an image that has a shell: `--probe-image` lets a \
    container of it look into each pod. The pods stay as they are.";
const NO_EXEC_TITLE: &str = "the grader may not run commands in pods (pods/exec)";
const NO_EXEC_REMEDY: &str = "Whoever runs the cluster can permit it: the first command prints the \
    Role. They apply it with `kubectl apply -f -`, and bind it to you by a RoleBinding. Then grade \
    again.";
const NO_TEXT_REMEDY: &str = "The grader reads text only, and what it looks for may be in such a \
    file. Let the pod keep what it writes first in a text file of its own, and grade again.";
const LEFT_OUT_REMEDY: &str = "The grader does not look at every file of a PVC that has very many, \
    or very large ones, and what it looks for may be in another. Let the pod keep fewer or smaller \
    files there, and grade again.";
const BOUNDED_LOG_REMEDY: &str = "A log that keeps only its newest lines does not show what a start \
    leaves. Let the pod write its name and the date to another file, too, only where that is not \
    there yet (`[ -f FILE ] || … > FILE`), and grade again.";

/// What one loss is, beside others: what makes it the same, and its cause, without tests or points.
pub(super) fn cause(
    timeline: &Timeline,
    check: &Check,
    decisive: Option<&Criterion>,
    outcome: Outcome,
) -> (Key, Cause) {
    let fault = if outcome == Outcome::Fail { Fault::Submission } else { Fault::NotTheSubmission };
    let Some(criterion) = decisive else {
        let why = "the recording shows nothing of it";
        return (Key::Unseen(why.to_owned()), Cause::of_words(check.id, fault, why, AGAIN));
    };
    match (&criterion.standing, criterion.mistake) {
        (Standing::Broken { .. }, Some(mistake)) => {
            (Key::Mistake(mistake.id), Cause::of_mistake(mistake, criterion, fault))
        }
        (Standing::Broken { actual, .. }, None) => {
            let remedy = remedy_of_broken(timeline, check, criterion);
            (Key::Check(check.id), Cause::of_words(check.id, fault, actual, remedy))
        }
        (Standing::Blocked(obstacle), _) => {
            let is_pod = timeline.is_pod(&obstacle.who);
            (Key::of_obstacle(obstacle, is_pod), Cause::of_obstacle(obstacle, fault))
        }
        (Standing::Unseen { why, remedy, unreadable }, _) => {
            let (key, cause) = unseen(check.id, fault, why, remedy, *unreadable);
            let is_to_do_again = *unreadable == Some(Unreadable::HadToGo) && timeline.is_by_hand();
            (if is_to_do_again { Key::DoneTooFast(why.clone()) } else { key }, cause)
        }
        // Somebody who works by hand is told one way for all that is open.
        (Standing::NotShown { .. }, _) if timeline.is_by_hand() => {
            (Key::NotDone, Cause::of_what_is_open())
        }
        (Standing::NotShown { why, next }, _) => {
            let remedy = sentence(&sanitize(next));
            (Key::NotShown(next.clone()), Cause::of_words(check.id, fault, why, &remedy))
        }
        (Standing::Met, _) => {
            let title = check.title.to_owned();
            let remedy = check.remedy.to_owned();
            (Key::Check(check.id), Cause { title, remedy, ..Cause::of(check.id, Some(fault)) })
        }
    }
}

/// What to do about a broken property that no mistake explains.
fn remedy_of_broken(timeline: &Timeline, check: &Check, criterion: &Criterion) -> &'static str {
    /// The set's controller keeps the order: there is nothing to change in the manifest.
    const SOMEBODY_DELETED: &str = "The set asks for OrderedReady, so its controller deletes one \
        pod at a time: somebody else deleted this one (`kubectl delete pod`). Let the set alone \
        while it is scaled down, and grade again.";
    if criterion.id == "gone_before_next" && timeline.asks_for_order() {
        SOMEBODY_DELETED
    } else {
        check.remedy
    }
}

/// What could not be seen, and what to do so that it can be.
fn unseen(
    check: &'static str,
    fault: Fault,
    why: &str,
    remedy: &str,
    unreadable: Option<Unreadable>,
) -> (Key, Cause) {
    let of_words =
        |remedy| (Key::Unseen(why.to_owned()), Cause::of_words(check, fault, why, remedy));
    match unreadable {
        Some(Unreadable::NoShell) => {
            (Key::NoShell, Cause::of_no_exec(check, fault, NO_SHELL_TITLE, NO_SHELL_REMEDY))
        }
        Some(Unreadable::NoPermission) => {
            (Key::NoExec, Cause::of_no_exec(check, fault, NO_EXEC_TITLE, NO_EXEC_REMEDY))
        }
        Some(Unreadable::NoText) => of_words(NO_TEXT_REMEDY),
        Some(Unreadable::LeftOut) => of_words(LEFT_OUT_REMEDY),
        Some(Unreadable::BoundedLog) => of_words(BOUNDED_LOG_REMEDY),
        Some(Unreadable::HadToGo) | None => of_words(remedy),
    }
}

impl Cause {
    /// One of which nothing is known yet.
    pub(super) const fn of(id: &'static str, fault: Option<Fault>) -> Self {
        Self {
            id,
            fault,
            explanation: String::new(),
            remedy: String::new(),
            tests: vec![],
            points: Points::ZERO,
            title: String::new(),
            seen: vec![],
            log: vec![],
            lab: None,
            changes: vec![],
            changes_alone: vec![],
            remedy_alone: String::new(),
            services: vec![],
            is_of_next_grade: false,
            waiting: None,
            example: None,
            commands: vec![],
            see: vec![],
            right: None,
        }
    }

    /// One that is told in the words of what was seen.
    fn of_words(id: &'static str, fault: Fault, words: &str, remedy: &str) -> Self {
        Self {
            title: clip_middle(words, MAX_TITLE),
            explanation: sentence(&sanitize(words)),
            remedy: remedy.to_owned(),
            ..Self::of(id, Some(fault))
        }
    }

    /// That the grader could not look into the pods: what of them it did not see is not told for each
    /// test.
    fn of_no_exec(id: &'static str, fault: Fault, title: &str, remedy: &str) -> Self {
        let explanation = sentence(&format!(
            "{title}: what the pods have on their PVCs, and what DNS answers them, was not seen"
        ));
        let (title, remedy) = (title.to_owned(), remedy.to_owned());
        Self { title, explanation, remedy, ..Self::of(id, Some(fault)) }
    }

    /// A mistake of the catalogue; the criterion may know better what to do than the catalogue.
    fn of_mistake(mistake: &'static Mistake, criterion: &Criterion, fault: Fault) -> Self {
        let known = Self::without_advice(mistake, fault);
        let Some(advice) = &criterion.advice else { return known };
        let example = Example {
            before: clip_lines(&advice.before),
            after: clip_lines(&advice.after),
            told: OF_OTHERS.to_owned(),
        };
        Self { remedy: sanitize(&advice.remedy), example: Some(example), ..known }
    }

    fn without_advice(mistake: &'static Mistake, fault: Fault) -> Self {
        Self {
            title: mistake.title.to_owned(),
            explanation: mistake.explanation.to_owned(),
            remedy: mistake.remedy.to_owned(),
            example: Example::of(mistake),
            ..Self::of(mistake.id, Some(fault))
        }
    }

    fn of_obstacle(obstacle: &Obstacle, fault: Fault) -> Self {
        let ended = obstacle.container.as_ref().and_then(|it| it.exit_code);
        let meaning = ended.map(|it| format!(". {}", sentence(meaning(it)))).unwrap_or_default();
        let why = sanitize(&obstacle.why);
        let (title, remedy) = obstacle
            .missing
            .as_deref()
            .map(lacking)
            .unwrap_or_else(|| (title(obstacle), obstacle.remedy.to_owned()));
        Self {
            title,
            explanation: format!("{}: {why}{meaning}", sanitize(&obstacle.who)),
            remedy: with_hint(remedy, obstacle),
            log: obstacle.log.iter().map(|line| clip(&without_controls(line), LOG_LINE)).collect(),
            example: obstacle.mistake.and_then(Example::of),
            ..Self::of(obstacle.id, Some(fault))
        }
    }

    /// All that somebody who works by hand has not done yet.
    fn of_what_is_open() -> Self {
        let explanation = "What would show it has not been done while it was recorded, or not so \
            that it counts.";
        Self {
            title: "not shown yet".to_owned(),
            explanation: explanation.to_owned(),
            ..Self::of("not_shown", None)
        }
    }
}

/// A line that a program wrote, as a terminal would show it but for its colours: a tab and any other
/// control character is a blank.
fn without_controls(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' && rest.next_if_eq(&'[').is_some() {
            // A control sequence (ECMA-48, 5.4) goes to its final character.
            rest.find(|it| ('@'..='~').contains(it));
        } else {
            shown.push(if c.is_control() { ' ' } else { c });
        }
    }
    shown.trim_end().to_owned()
}

/// What the exit status of a container tells (POSIX, Shell Command Language, 2.8.2).
const fn meaning(exit_code: i32) -> &'static str {
    match exit_code {
        0 => "its command came to its end, without an error",
        126 => "a command was found, but it is no program",
        127 => "a command was not found: it is not in the image, or misspelt",
        137 => "it was ended by SIGKILL",
        143 => "it was ended by SIGTERM",
        _ => "its command failed, or said `exit` itself",
    }
}

/// What to do, and the line to look for where the container's last words name it.
fn with_hint(remedy: String, obstacle: &Obstacle) -> String {
    let Some(container) = &obstacle.container else { return remedy };
    match obstacle.folder_that_exists().map(sanitize) {
        Some(folder) => format!(
            "In the command of container {}, write `mkdir -p {folder}` in place of `mkdir {folder}`: \
            the first start has made the folder already.",
            sanitize(&container.name)
        ),
        None => remedy,
    }
}

/// The obstacle in a few words: its object, and what is wrong with it. What is wrong with a set or a
/// namespace says so itself.
fn title(obstacle: &Obstacle) -> String {
    let words = obstacles::title(obstacle.id).map(str::to_owned);
    let words = words.unwrap_or_else(|| obstacle.id.replace('_', " "));
    if obstacle.ordinal.is_some() {
        format!("{}: {words}", clip_middle(&obstacle.who, MAX_NAME))
    } else {
        words
    }
}

/// Above lines of the catalogue, which may have other names than the student's.
const OF_OTHERS: &str = "Lines such as these (the names are examples):";

impl Example {
    /// A line about the student's own file, where the line itself is not known.
    pub(super) fn of_own_file(mistake: &Mistake, file: &str) -> Option<Self> {
        match mistake.id {
            // A guard of each line alone would leave out all lines but the first.
            id if id == OVERWRITTEN_AT_START.id => Some(Self {
                before: format!("… > {file}"),
                after: format!("[ -f {file} ] || {{ …; …; }} > {file}"),
                told: "The lines that write this file, as one (… are what yours write):".to_owned(),
            }),
            id if id == OVERWRITTEN_AT_STOP.id => Some(Self {
                before: format!("… > {file}"),
                after: format!("… >> {file}"),
                told: "Each line that writes this file (… stands for what yours writes):"
                    .to_owned(),
            }),
            id if id == WIPED_AT_START.id => Some(Self {
                before: format!("rm … {}/…", file.rsplit_once('/')?.0),
                after: String::new(),
                told:
                    "The line that removes what is there (… stands for the rest). A hook that does \
                       nothing else goes with its `lifecycle:`:"
                        .to_owned(),
            }),
            _ => None,
        }
    }

    /// The catalogue's lines; `None` where nothing in a manifest is to change.
    fn of(mistake: &Mistake) -> Option<Self> {
        mistake.has_lines().then(|| Self {
            before: mistake.before.to_owned(),
            after: mistake.after.to_owned(),
            told: OF_OTHERS.to_owned(),
        })
    }
}

/// Lines in a submission's own names, which may hold anything.
fn clip_lines(lines: &str) -> String {
    lines.lines().map(|line| clip(line, LOG_LINE)).collect::<Vec<_>>().join("\n")
}

/// A fragment as a sentence.
pub(in crate::report) fn sentence(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::without_controls;

    /// Catches a tab that is shown as `\\t`, and the codes of a colour that a program writes.
    #[test]
    fn a_line_of_a_log_is_plain() {
        assert_eq!(without_controls("a\tb\u{1b}[1;31mred\u{1b}[0m\r"), "a bred");
        assert_eq!(without_controls("\u{1b}]8;;x\u{7}cut \u{1b}["), " ]8;;x cut");
    }
}
