//! The report for a person: the score, and for each cause of a loss what was seen, why, the lines to
//! change and the commands to type.

use std::io::{self, Write};

use checks::{
    CHECKS,
    model::{Fault, Outcome},
};

use crate::console::{
    count::counted,
    sanitize,
    terminal::{TermStyle, Tone, unbroken},
};
use crate::remedy;
use crate::remedy::change::{Change, Sign};
use crate::report::{
    Cause, CheckResult, CriterionResult, Kept, Points, Problem, Report, RunResult, StandingName,
    View,
    causes::{seen_earlier, typed_later},
    newest_lines::newest,
    summary,
};

/// How to paste the lines of a change: each begins with a sign (`-`, `+` or a space) and a space.
const HOW_TO_PASTE: &str = "Delete the `-` lines, paste the `+` lines without the `+ `. ";
/// The width of the labels before the details of a cause, in columns.
const LABEL_COLUMNS: usize = 10;
/// How many criteria of a test are told where it stands alone.
const MAX_PARTS: usize = 3;
/// What stands before the labels.
const INDENT: &str = "   ";

/// The report, or why there is none.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    let mut page = vec![];
    // Writing to a vector cannot fail.
    let _ = match view.result {
        RunResult::Judged { report, .. } => write(report, view, &mut page),
        RunResult::NotGraded(problem) => not_graded(problem, &mut page),
    };
    page
}

fn not_graded(problem: &Problem, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "not graded: {}", problem.what)?;
    for line in &problem.detail {
        writeln!(out, "{}", sanitize::line(&format!("  {line}")))?;
    }
    writeln!(out, "next:  {}", problem.next)
}

fn write(report: &Report, view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut page = TextReport { style: view.style, out, is_verbose: view.verbose };
    page.score(report)?;
    page.marks(report)?;
    page.shown_by(report)?;
    for (place, cause) in report.causes.iter().enumerate() {
        let is_seen = seen_earlier(&report.causes, place);
        page.cause(report, place + 1, cause, typed_later(&report.causes, place), is_seen)?;
    }
    if let Some(note) = summary::slow(report) {
        writeln!(page.out)?;
        page.wrapped("", &note, "")?;
    }
    if view.verbose {
        page.table(report)?;
        for row in &report.checks {
            page.criteria(row)?;
        }
        page.source(report)
    } else {
        page.hint(report)
    }
}

struct TextReport<'o> {
    style: TermStyle,
    out: &'o mut dyn Write,
    /// All is told (`-v`).
    is_verbose: bool,
}

impl TextReport<'_> {
    fn score(&mut self, report: &Report) -> io::Result<()> {
        let score = report.score;
        let tone = if score.earned == score.possible { Tone::Good } else { Tone::Strong };
        let of = summary::in_points(score.possible);
        let points = self.style.paint(tone, &format!("{} of {of}", score.earned));
        if score.undecided == Points::ZERO {
            writeln!(self.out, "{points}")?;
        } else {
            let not_shown = report.not_shown;
            let hidden = score.undecided - not_shown;
            let mut parts = vec![];
            if hidden > Points::ZERO {
                parts.push(format!("{hidden} undecided, and not lost"));
            }
            if not_shown > Points::ZERO {
                parts.push(format!("{not_shown} not shown yet"));
            }
            let mut lines = parts.iter().map(|part| self.style.paint(Tone::Unsure, part));
            writeln!(self.out, "{points}, {}", lines.next().unwrap_or_default())?;
            for line in lines {
                writeln!(self.out, "{line}")?;
            }
            for fault in [Some(Fault::NotTheSubmission), None] {
                if let Some(told) = summary::to_decide(report, fault) {
                    self.wrapped("", &told, "")?;
                }
            }
        }
        self.verdict(report)?;
        let set = report
            .stateful_set
            .as_ref()
            .map_or_else(|| summary::NO_SET.to_owned(), |name| format!("StatefulSet {name}"));
        self.wrapped("", &format!("{set} in namespace {}", report.namespace), "")?;
        match summary::origin(report) {
            Some(origin) => self.wrapped("", &origin, ""),
            None => Ok(()),
        }
    }

    /// Whether the submission passes, by a rubric.
    fn verdict(&mut self, report: &Report) -> io::Result<()> {
        let Some(rubric) = &report.rubric else { return Ok(()) };
        let (tone, word) = match rubric.passed {
            Some(true) => (Tone::Good, "passed"),
            Some(false) => (Tone::Bad, "not passed"),
            None => (Tone::Unsure, "not decided yet"),
        };
        let required = match &rubric.required[..] {
            [] => String::new(),
            ids => format!(" and {}", ids.join(", ")),
        };
        let pass_mark = summary::in_points(rubric.pass_mark);
        let needs = format!(", which needs {pass_mark}{required}");
        self.wrapped("", &format!("{}{needs}", self.style.paint(tone, word)), "")?;
        writeln!(self.out, "rubric {}", rubric.digest)
    }

    /// One mark for each test, and what the marks mean: in one line where there is room.
    fn marks(&mut self, report: &Report) -> io::Result<()> {
        let texts = report.checks.iter().map(|row| format!("{}{}", row.test, mark(row.outcome)));
        let texts: Vec<String> = texts.collect();
        let painted = report.checks.iter().zip(&texts);
        let painted: Vec<String> =
            painted.map(|(row, text)| self.style.paint(tone(row.outcome), text)).collect();
        let mut meaning = vec!["+ passed"];
        let has = |outcome| report.checks.iter().any(|row| row.outcome == outcome);
        if has(Outcome::Fail) {
            meaning.push("x failed");
        }
        if has(Outcome::Inconclusive) {
            meaning.push("? undecided");
        }
        let meaning = meaning.join(", ");
        let columns = format!("Tests  {}   {meaning}", texts.join(" ")).len();
        let separator = if columns <= self.style.width { "   " } else { "\n       " };
        writeln!(self.out, "Tests  {}{separator}{meaning}", painted.join(" "))
    }

    /// By what each test was shown that passed, where somebody worked by hand: which of many tries
    /// it was.
    fn shown_by(&mut self, report: &Report) -> io::Result<()> {
        let shown: Vec<(u8, &String)> =
            report.checks.iter().filter_map(|row| Some((row.test, row.shown.as_ref()?))).collect();
        if !shown.is_empty() {
            writeln!(self.out, "\n{}", self.style.paint(Tone::Strong, "Shown by"))?;
        }
        for (test, what) in shown {
            self.wrapped(&format!("  {test:>2}  "), what, "      ")?;
        }
        Ok(())
    }

    /// What a cause is, and what it costs.
    fn heading(&mut self, report: &Report, number: usize, cause: &Cause) -> io::Result<()> {
        let noun = if cause.tests.len() == 1 { "test" } else { "tests" };
        let costs = summary::costs(report, cause);
        let tests = format!("({noun} {})", numbers(&cause.tests));
        let room = self.style.width.saturating_sub(INDENT.len());
        let heading = format!("{}: {costs} {}", cause.title, unbroken(&tests, room));
        for line in self.style.wrap(&format!("{number}. "), &heading, INDENT) {
            writeln!(self.out, "{}", self.style.paint(Tone::Strong, &line))?;
        }
        Ok(())
    }

    /// One cause. `typed_later`: what is to be typed stands at the end of that one. `is_seen`: one
    /// above it tells how to see it.
    fn cause(
        &mut self,
        report: &Report,
        number: usize,
        cause: &Cause,
        typed_later: Option<usize>,
        is_seen: bool,
    ) -> io::Result<()> {
        writeln!(self.out)?;
        self.heading(report, number, cause)?;
        // Tests that share a cause are not told again; `-v` has a criterion of each.
        if let Some(seen) = cause.seen.first() {
            self.labelled("Checked", &format!("{} (test {})", seen.asked, seen.test))?;
            if let Some(expected) = &seen.expected {
                self.labelled("Expected", expected)?;
            }
            self.labelled("Seen", &seen.actual)?;
        }
        if cause.explains_more() {
            self.labelled("Why", &cause.explanation)?;
        }
        self.log(&cause.log)?;
        if let Some(note) = cause.lab {
            self.labelled("The lab", note)?;
        }
        if !cause.remedy.is_empty() {
            self.labelled("To do", &cause.remedy)?;
        }
        for lines in &cause.changes {
            self.change(lines)?;
        }
        if let Some(example) = &cause.example {
            self.labelled("Change", &example.told)?;
            for line in change(&example.before, &example.after, self.style) {
                writeln!(self.out, "{INDENT}{INDENT}{}", line.trim_start())?;
            }
        }
        match typed_later {
            Some(number) => {
                let text = format!("what stands under {number}, once all is changed");
                self.labelled("Type", &text)?;
            }
            None => self.commands("Type", &cause.commands)?,
        }
        if is_seen {
            return Ok(());
        }
        self.commands("See it", &cause.see)?;
        match cause.right {
            Some(right) => self.labelled("Right is", right),
            None => Ok(()),
        }
    }

    /// A container's last lines: all of them with `-v`, else the newest.
    fn log(&mut self, log: &[String]) -> io::Result<()> {
        let room = self.style.width.saturating_sub(LABEL_COLUMNS + INDENT.len() + "| ".len());
        let (lines, more) = if self.is_verbose {
            (log.iter().map(String::as_str).collect(), 0)
        } else {
            newest(log, room)
        };
        for (place, line) in lines.iter().enumerate() {
            let label = if place == 0 { "Its words" } else { "" };
            self.labelled(label, &format!("| {line}"))?;
        }
        match more {
            0 => Ok(()),
            _ => {
                let more = counted(more, "more line", "more lines");
                self.labelled("", &format!("(`-v` shows {more})"))
            }
        }
    }

    fn change(&mut self, change: &Change) -> io::Result<()> {
        self.labelled(change.label(), &format!("{}:", change.place()))?;
        for (sign, line) in change.signed() {
            let line = match sign {
                Sign::Same | Sign::LeftOut => line,
                Sign::Removed => self.style.paint(Tone::Bad, &line),
                Sign::Added => self.style.paint(Tone::Good, &line),
            };
            writeln!(self.out, "{INDENT}{INDENT}{line}")?;
        }
        Ok(())
    }

    fn table(&mut self, report: &Report) -> io::Result<()> {
        let mut table = self.style.table(&["#", "Check", "Outcome", "Points", "Cause"]);
        for row in &report.checks {
            let cause = row.cause.map(|place| (place + 1).to_string()).unwrap_or_default();
            table.add_row([
                row.test.to_string(),
                row.title.to_owned(),
                word(row.outcome).to_owned(),
                format!("{}/{}", row.points, row.possible),
                cause,
            ]);
        }
        writeln!(self.out, "\n{}", self.style.lines(&table))
    }

    /// Every criterion of a check, with the lines of the recording that show it.
    fn criteria(&mut self, row: &CheckResult) -> io::Result<()> {
        let heading = format!("Test {}: {}", row.test, row.title);
        let outcome = self.style.paint(tone(row.outcome), word(row.outcome));
        writeln!(self.out, "\n{}, {outcome}", self.style.paint(Tone::Strong, &heading))?;
        if let Some(check) = CHECKS.iter().find(|it| it.id == row.id) {
            self.labelled("Asked", check.lab_words)?;
        }
        row.criteria.iter().try_for_each(|it| self.criterion(it))
    }

    fn criterion(&mut self, criterion: &CriterionResult) -> io::Result<()> {
        let standing = match criterion.standing {
            StandingName::Met => "Met",
            StandingName::Broken => "Broken",
            StandingName::Blocked => "Blocked",
            StandingName::Unseen => "Unseen",
            StandingName::NotShown => "Not shown",
        };
        self.labelled(standing, &format!("{}{}", criterion.text, lines(&criterion.evidence)))?;
        if let Some(expected) = criterion.expected.as_ref().filter(|it| **it != criterion.text) {
            self.labelled("", &format!("expected: {expected}"))?;
        }
        match &criterion.actual {
            Some(actual) => self.labelled("", &format!("seen: {actual}")),
            None => Ok(()),
        }
    }

    fn source(&mut self, report: &Report) -> io::Result<()> {
        let recording = &report.recording;
        writeln!(
            self.out,
            "\nstsgrade {}, cluster {}, recorded {}",
            report.tool, recording.cluster, recording.started_at
        )?;
        writeln!(self.out, "digest {}", recording.digest)
    }

    fn hint(&mut self, report: &Report) -> io::Result<()> {
        let Some(test) = report.causes.first().and_then(|it| it.tests.first()) else {
            return Ok(());
        };
        let file = match summary::file_of_commands(report) {
            Some(told) => format!("{told}. "),
            None => String::new(),
        };
        writeln!(self.out)?;
        let all = match &report.recording.kept {
            Kept::Newest => "`stsgrade show -v`, ".to_owned(),
            Kept::File(file) => {
                format!("`stsgrade show -v {}`, ", remedy::shell_word_or(file, "FILE"))
            }
            Kept::Named => "the same with `-v`, ".to_owned(),
            Kept::Nowhere => String::new(),
        };
        let has_signs = |it: &Cause| {
            it.example.is_some() || it.changes.iter().any(|change| !change.is_to_look_at())
        };
        let signs = if report.causes.iter().any(has_signs) { HOW_TO_PASTE } else { "" };
        let more = format!("{file}{signs}More: {all}`stsgrade explain {test}`.");
        self.wrapped("", &more, "")
    }

    fn labelled(&mut self, label: &str, text: &str) -> io::Result<()> {
        let first = format!("{INDENT}{label:<LABEL_COLUMNS$}");
        self.wrapped(&first, text, &" ".repeat(LABEL_COLUMNS + INDENT.len()))
    }

    /// Commands to paste.
    fn commands(&mut self, label: &str, commands: &[String]) -> io::Result<()> {
        let further = " ".repeat(LABEL_COLUMNS + INDENT.len());
        for (place, command) in commands.iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            let first = format!("{INDENT}{label:<LABEL_COLUMNS$}");
            for line in self.style.command(&first, command, &further) {
                writeln!(self.out, "{line}")?;
            }
        }
        Ok(())
    }

    fn wrapped(&mut self, first: &str, text: &str, further: &str) -> io::Result<()> {
        for line in self.style.wrap(first, text, further) {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }
}

/// The lines to change, as a difference. They are a manifest's: never broken, only moved to the
/// left together.
#[must_use]
pub fn change(before: &str, after: &str, style: TermStyle) -> Vec<String> {
    fn signed(tone: Tone, sign: char, text: &str) -> impl Iterator<Item = (Tone, char, &str)> {
        text.lines().map(move |line| (tone, sign, line))
    }
    let lines: Vec<_> =
        signed(Tone::Bad, '-', before).chain(signed(Tone::Good, '+', after)).collect();
    let indent =
        lines.iter().map(|(.., line)| line.len() - line.trim_start().len()).min().unwrap_or(0);
    lines
        .iter()
        .map(|(tone, sign, line)| {
            format!("    {}", style.paint(*tone, &format!("{sign} {}", &line[indent..])))
        })
        .collect()
}

/// Commands to paste, in lines of the usual width.
pub(super) fn pasted(commands: &[String]) -> Vec<String> {
    commands.iter().flat_map(|it| TermStyle::PLAIN.command("", it, "")).collect()
}

/// The report's part on one test: its criteria that are not met, and the cause where the test is the
/// first that it cost. Without colour.
pub(super) fn details(report: &Report, row: &CheckResult) -> String {
    if row.outcome == Outcome::Pass {
        return String::new();
    }
    let cause = row.cause.and_then(|place| Some((place + 1, report.causes.get(place)?)));
    let text = plain(|page| {
        for criterion in row.criteria.iter().filter(|it| it.outcome == row.outcome).take(MAX_PARTS)
        {
            page.criterion(criterion)?;
        }
        match cause {
            Some((number, cause)) if cause.tests.first() == Some(&row.test) => {
                page.cause(report, number, cause, None, false)
            }
            Some((number, cause)) => {
                let first = cause.tests.first().copied().unwrap_or_default();
                page.labelled("Why", &format!("Cause {number}, as in test {first}."))
            }
            None => Ok(()),
        }
    });
    textwrap::dedent(&text)
}

/// The report's beginning: the score, the marks and the causes, a line each. Without colour.
pub(super) fn overview(report: &Report) -> String {
    plain(|page| {
        page.score(report)?;
        page.marks(report)?;
        for (place, cause) in report.causes.iter().enumerate() {
            page.heading(report, place + 1, cause)?;
        }
        match summary::slow(report) {
            Some(note) => writeln!(page.out, "\n{note}"),
            None => Ok(()),
        }
    })
}

fn plain(write: impl Fn(&mut TextReport<'_>) -> io::Result<()>) -> String {
    let mut out = vec![];
    // Writing to a vector cannot fail.
    // What it becomes a part of has no `-v`.
    let _ = write(&mut TextReport { style: TermStyle::PLAIN, out: &mut out, is_verbose: true });
    // The first line keeps its indentation: those below it have the same.
    String::from_utf8(out).unwrap_or_default().trim_start_matches('\n').trim_end().to_owned()
}

/// Where in the recording's file it stands.
fn lines(evidence: &[u64]) -> String {
    const SHOWN_LINES: usize = 4;
    if evidence.is_empty() {
        return String::new();
    }
    let first = evidence.iter().take(SHOWN_LINES);
    let shown: Vec<String> = first.map(|seq| summary::line_of(*seq).to_string()).collect();
    let more = if evidence.len() > SHOWN_LINES { " …" } else { "" };
    let noun = if evidence.len() == 1 { "line" } else { "lines" };
    format!(" [{noun} {}{more}]", shown.join(" "))
}

/// `1`, `1 and 2`, `1 to 3 and 5`.
pub(super) fn numbers(tests: &[u8]) -> String {
    let mut runs: Vec<(u8, u8)> = vec![];
    for test in tests {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *test => *last = *test,
            _ => runs.push((*test, *test)),
        }
    }
    let mut words: Vec<String> = vec![];
    for (first, last) in runs {
        match last - first {
            0 => words.push(first.to_string()),
            1 => words.extend([first.to_string(), last.to_string()]),
            _ => words.push(format!("{first} to {last}")),
        }
    }
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => String::new(),
    }
}

const fn mark(outcome: Outcome) -> char {
    match outcome {
        Outcome::Pass => '+',
        Outcome::Fail => 'x',
        Outcome::Inconclusive => '?',
    }
}

/// The outcome in a word.
pub(super) const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Inconclusive => "undecided",
    }
}

const fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Pass => Tone::Good,
        Outcome::Fail => Tone::Bad,
        Outcome::Inconclusive => Tone::Unsure,
    }
}
