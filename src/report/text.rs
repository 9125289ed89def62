//! The report for a person: the score, why points are missing, every check, and how to win the
//! rest.

use std::io::{self, Write};

use checks::{
    CHECKS, Check,
    model::{Fault, Outcome},
};

use crate::console::{
    sanitize,
    terminal::{TermStyle, Tone},
};
use crate::report::{
    Cause, CheckResult, CriterionResult, Points, Problem, Report, RunResult, View, causes::sentence,
};

/// The parts of one check that are spelt out; the rest are counted.
const PARTS: usize = 3;

/// The width of the labels before the details of a check.
const LABEL: usize = 12;

/// The report, or why there is none.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    let mut page = vec![];
    // Writing to a vector cannot fail.
    let _ = match view.result {
        RunResult::Judged { report, .. } => write(report, view.style, &mut page),
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

fn write(report: &Report, look: TermStyle, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page { look, out };
    page.score(report)?;
    page.causes(report)?;
    page.table(report)?;
    page.shown(report)?;
    for (row, check) in
        report.checks.iter().zip(&CHECKS).filter(|(row, _)| row.outcome != Outcome::Pass)
    {
        page.detail(report, row, check)?;
    }
    page.footer(report)
}

struct Page<'o> {
    look: TermStyle,
    out: &'o mut dyn Write,
}

impl Page<'_> {
    fn score(&mut self, report: &Report) -> io::Result<()> {
        let score = report.score;
        let ink = if score.earned == score.possible { Tone::Good } else { Tone::Strong };
        let points =
            self.look.paint(ink, &format!("{} of {} points", score.earned, score.possible));
        if score.undecided == Points::ZERO {
            writeln!(self.out, "{points}")?;
        } else {
            let not_done: Points =
                report.causes.iter().filter(|it| it.fault.is_none()).map(|it| it.points).sum();
            let hidden = score.undecided - not_done;
            let mut parts = vec![];
            if hidden > Points::ZERO {
                parts.push(format!("{hidden} undecided, through no fault of yours"));
            }
            if not_done > Points::ZERO {
                parts.push(format!("{not_done} not shown yet"));
            }
            let mut lines = parts.iter().map(|part| self.look.paint(Tone::Unsure, part));
            writeln!(self.out, "{points}, {}", lines.next().unwrap_or_default())?;
            for line in lines {
                writeln!(self.out, "{line}")?;
            }
            if let Some(cause) = report.causes.iter().find(|it| it.fault == Some(Fault::Cluster)) {
                self.wrapped("", &format!("To decide them: {}", cause.remedy), "")?;
            }
            if let Some(cause) = report.causes.iter().find(|it| it.fault.is_none()) {
                self.wrapped("", &format!("To show the rest: {}", cause.remedy), "")?;
            }
        }
        let set = report
            .stateful_set
            .as_ref()
            .map_or_else(|| "no StatefulSet".to_owned(), |name| format!("StatefulSet {name}"));
        self.wrapped("", &format!("{set} in namespace {}", report.namespace), "")
    }

    fn causes(&mut self, report: &Report) -> io::Result<()> {
        for (fault, verb) in [
            (Some(Fault::Submission), ["costs", "cost"]),
            (Some(Fault::Cluster), ["leaves", "leave"]),
            (None, ["leaves", "leave"]),
        ] {
            let those: Vec<(usize, &Cause)> =
                report.causes.iter().enumerate().filter(|(_, it)| it.fault == fault).collect();
            if those.is_empty() {
                continue;
            }
            let points: Points = those.iter().map(|(_, it)| it.points).sum();
            let (noun, verb) =
                if those.len() == 1 { ("cause", verb[0]) } else { ("causes", verb[1]) };
            let undecided = match fault {
                Some(Fault::Submission) => "",
                Some(Fault::Cluster) => " undecided",
                None => " to be shown",
            };
            writeln!(self.out, "\n{} {noun} {verb} {points} points{undecided}:", those.len())?;
            for (place, cause) in those {
                let noun = if cause.tests.len() == 1 { "test" } else { "tests" };
                let number = format!("{:>3}. ", place + 1);
                self.wrapped(
                    &number,
                    &format!(
                        "{}: {noun} {} ({})",
                        cause.title,
                        numbers(&cause.tests),
                        cause.points
                    ),
                    "     ",
                )?;
            }
        }
        Ok(())
    }

    fn table(&mut self, report: &Report) -> io::Result<()> {
        let title = report.checks.iter().map(|row| row.title.len()).max().unwrap_or(0);
        writeln!(
            self.out,
            "\n  {:>2}  {:<title$}  {:<12}  {:>6}",
            "#", "Check", "Outcome", "Points"
        )?;
        for row in &report.checks {
            let outcome = self.look.paint(ink(row.outcome), &format!("{:<12}", word(row.outcome)));
            let points = format!("{}/{}", row.points, row.possible);
            let cause = row.cause.map(|place| format!("  cause {}", place + 1)).unwrap_or_default();
            writeln!(
                self.out,
                "  {:>2}  {:<title$}  {outcome}  {points:>6}{cause}",
                row.test, row.title
            )?;
        }
        Ok(())
    }

    /// By what each test was shown that passed, where somebody worked by hand: which of many tries
    /// it was.
    fn shown(&mut self, report: &Report) -> io::Result<()> {
        let shown: Vec<(u8, &String)> =
            report.checks.iter().filter_map(|row| Some((row.test, row.shown.as_ref()?))).collect();
        if !shown.is_empty() {
            writeln!(self.out, "\n{}", self.look.paint(Tone::Strong, "Shown by"))?;
        }
        for (test, what) in shown {
            self.wrapped(&format!("  {test:>2}  "), what, "      ")?;
        }
        Ok(())
    }

    fn detail(&mut self, report: &Report, row: &CheckResult, check: &Check) -> io::Result<()> {
        let heading = format!("Test {}: {}", row.test, row.title);
        writeln!(
            self.out,
            "\n{}, {}",
            self.look.paint(Tone::Strong, &heading),
            self.look.paint(ink(row.outcome), word(row.outcome))
        )?;
        self.labelled("Asked", check.asked)?;
        let cause = row.cause.and_then(|place| Some((place, report.causes.get(place)?)));
        let told = cause
            .and_then(|(_, cause)| cause.tests.first())
            .copied()
            .filter(|first| *first != row.test);
        self.parts(row, told.is_some())?;
        match (cause, told) {
            (Some((place, _)), Some(first)) => {
                self.labelled("Why", &format!("Cause {}, as in test {first}.", place + 1))?
            }
            (Some((_, cause)), None) => self.explain(row, cause)?,
            (None, _) => {}
        }
        self.commands(&fill(check.see, report))
    }

    /// What was checked and what was seen: of what decides the check, the first few.
    ///
    /// An obstacle that another test has `told` of is not told again.
    fn parts(&mut self, row: &CheckResult, told: bool) -> io::Result<()> {
        let decisive: Vec<&CriterionResult> =
            row.criteria.iter().filter(|it| it.outcome == row.outcome).collect();
        for part in decisive.iter().take(PARTS) {
            self.labelled("Checked", &part.text)?;
            let seen = match part.standing {
                "blocked" => "Blocked by",
                "unseen" => "Unseen",
                "notShown" => "Not shown",
                _ => "Seen",
            };
            if let Some(expected) = part.expected.as_ref().filter(|it| **it != part.text) {
                self.labelled("Expected", expected)?;
            }
            if let Some(actual) =
                part.actual.as_ref().filter(|_| !(told && part.standing == "blocked"))
            {
                self.labelled(seen, &format!("{actual}{}", lines(&part.evidence)))?;
            }
        }
        match decisive.len().saturating_sub(PARTS) {
            0 => Ok(()),
            more => self.labelled("", &format!("… and {more} more like this.")),
        }
    }

    /// The cause in full, where it is met first.
    fn explain(&mut self, row: &CheckResult, cause: &Cause) -> io::Result<()> {
        let told = row.criteria.iter().any(|part| {
            part.outcome == row.outcome
                && part.actual.as_ref().is_some_and(|actual| {
                    sentence(actual) == cause.explanation || *actual == cause.explanation
                })
        });
        if !told {
            self.labelled("Why", &cause.explanation)?;
        }
        for (place, line) in cause.log.iter().enumerate() {
            let label = if place == 0 { "Its log" } else { "" };
            self.labelled(label, &format!("| {line}"))?;
        }
        if !cause.remedy.is_empty() {
            self.labelled("To do", &cause.remedy)?;
        }
        let Some((before, after)) = &cause.change else { return Ok(()) };
        writeln!(self.out, "  Change")?;
        for line in change(before, after, self.look) {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    fn footer(&mut self, report: &Report) -> io::Result<()> {
        let recording = &report.recording;
        writeln!(
            self.out,
            "\nstsgrade {}, cluster {}, recorded {}",
            report.tool, recording.cluster, recording.started_at
        )?;
        writeln!(self.out, "digest {}", recording.digest)
    }

    fn labelled(&mut self, label: &str, text: &str) -> io::Result<()> {
        self.wrapped(&format!("  {label:<LABEL$}"), text, &" ".repeat(LABEL + 2))
    }

    /// Commands to paste: never broken; those that still lack a name are left out.
    fn commands(&mut self, text: &str) -> io::Result<()> {
        let whole = text.lines().filter(|line| {
            !line
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| matches!(word, "NS" | "SET" | "SERVICE"))
        });
        for (place, line) in whole.enumerate() {
            let label = if place == 0 { "See it" } else { "" };
            writeln!(self.out, "  {label:<LABEL$}{line}")?;
        }
        Ok(())
    }

    fn wrapped(&mut self, first: &str, text: &str, further: &str) -> io::Result<()> {
        for line in self.look.wrap(first, text, further) {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }
}

/// The lines to change, as a difference. They are a manifest's: never broken, only moved to the
/// left together.
#[must_use]
pub fn change(before: &str, after: &str, look: TermStyle) -> Vec<String> {
    fn signed(ink: Tone, sign: char, text: &str) -> impl Iterator<Item = (Tone, char, &str)> {
        text.lines().map(move |line| (ink, sign, line))
    }
    let lines: Vec<_> =
        signed(Tone::Bad, '-', before).chain(signed(Tone::Good, '+', after)).collect();
    let indent =
        lines.iter().map(|(.., line)| line.len() - line.trim_start().len()).min().unwrap_or(0);
    lines
        .iter()
        .map(|(ink, sign, line)| {
            format!("    {}", look.paint(*ink, &format!("{sign} {}", &line[indent..])))
        })
        .collect()
}

/// The report's part on one test: what was asked and seen, why, and what to do. Without colour.
pub(super) fn details(report: &Report, row: &CheckResult) -> String {
    if row.outcome == Outcome::Pass {
        return String::new();
    }
    let Some(check) = CHECKS.iter().find(|check| check.id == row.id) else {
        return String::new();
    };
    let text = plain(|page| page.detail(report, row, check));
    // The heading stands elsewhere there.
    let body: Vec<&str> = text.lines().skip(1).collect();
    textwrap::dedent(&body.join("\n"))
}

/// The report's beginning: the score and the causes. Without colour.
pub(super) fn overview(report: &Report) -> String {
    plain(|page| page.score(report).and_then(|()| page.causes(report)))
}

fn plain(write: impl Fn(&mut Page<'_>) -> io::Result<()>) -> String {
    let mut out = vec![];
    // Writing to a vector cannot fail.
    let _ = write(&mut Page { look: TermStyle::PLAIN, out: &mut out });
    String::from_utf8(out).unwrap_or_default().trim().to_owned()
}

/// Where in the recording it stands.
fn lines(evidence: &[u64]) -> String {
    const SHOWN: usize = 4;
    if evidence.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = evidence.iter().take(SHOWN).map(u64::to_string).collect();
    let more = if evidence.len() > SHOWN { " …" } else { "" };
    format!(" [seq {}{more}]", shown.join(" "))
}

fn numbers(tests: &[u8]) -> String {
    tests.iter().map(u8::to_string).collect::<Vec<_>>().join(" ")
}

/// The outcome in a word.
pub(super) const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Inconclusive => "undecided",
    }
}

const fn ink(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Pass => Tone::Good,
        Outcome::Fail => Tone::Bad,
        Outcome::Inconclusive => Tone::Unsure,
    }
}

/// The command with the names of this namespace in it, where these are harmless in a shell.
fn fill(command: &str, report: &Report) -> String {
    let name = |name: Option<&str>| {
        name.filter(|it| {
            !it.is_empty()
                && it.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
        })
        .map(str::to_owned)
    };
    let names = [
        ("NS", name(Some(&report.namespace))),
        ("SET", name(report.stateful_set.as_deref())),
        ("SERVICE", name(report.service.as_deref())),
    ];
    let mut out = String::with_capacity(command.len());
    let mut word = String::new();
    for c in command.chars().map(Some).chain([None]) {
        if let Some(c) = c.filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            word.push(c);
            continue;
        }
        let known = names
            .iter()
            .find(|(placeholder, _)| *placeholder == word)
            .and_then(|(_, name)| name.as_deref());
        out.push_str(known.unwrap_or(&word));
        word.clear();
        out.extend(c);
    }
    out
}
