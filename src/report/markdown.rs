//! The report as GitHub Flavored Markdown: for a job's summary, an issue, a page of a wiki.

use std::fmt::Write as _;

use checks::model::Outcome;

use crate::console::sanitize;
use crate::report::{
    Problem, Report, RunResult, View,
    causes::{seen_earlier, typed_later},
    summary, text,
};

// Writing to a String cannot fail, so the results below say nothing.

/// The document.
pub(super) fn page(view: &View<'_>) -> Vec<u8> {
    match view.result {
        RunResult::Judged { report, .. } => judged(report),
        RunResult::NotGraded(problem) => not_graded(problem),
    }
    .into_bytes()
}

fn judged(report: &Report) -> String {
    let mut out = format!("## stsgrade: {}\n\n", summary::score(report));
    let set = report.stateful_set.as_deref().map_or_else(
        || "No StatefulSet".to_owned(),
        |name| format!("StatefulSet {}", escape(name)),
    );
    let _ = writeln!(out, "{set} in namespace {}\n", escape(&report.namespace));
    if let Some(origin) = summary::origin(report) {
        let _ = writeln!(out, "{}\n", escape(&origin));
    }
    out.push_str("| # | Test | Outcome | Points | Why |\n|---:|---|---|---:|---|\n");
    for row in &report.checks {
        let why = summary::reason(report, row).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {} | {} {} | {}/{} | {} |",
            row.test,
            row.title,
            sign(row.outcome),
            text::word(row.outcome),
            row.points,
            row.possible,
            escape(&why)
        );
    }
    for place in 0..report.causes.len() {
        cause(&mut out, report, place);
    }
    if let Some(note) = summary::slow(report) {
        let _ = writeln!(out, "\n{}", escape(&note));
    }
    if let Some(applied) = summary::file_of_commands(report) {
        let _ = writeln!(out, "\n{applied}.");
    }
    let recording = &report.recording;
    let _ = writeln!(
        out,
        "\nstsgrade {}, cluster {}, recorded {}, {}",
        report.tool,
        escape(&recording.cluster),
        escape(&recording.started_at),
        escape(&summary::digests(report))
    );
    out
}

fn cause(out: &mut String, report: &Report, place: usize) {
    let it = &report.causes[place];
    let number = place + 1;
    let tests = it.tests.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let noun = if it.tests.len() == 1 { "test" } else { "tests" };
    let _ = writeln!(
        out,
        "\n### Cause {number}: {}\n\nIt {} ({noun} {tests}).",
        escape(&it.title),
        summary::costs(report, it),
    );
    for seen in &it.seen {
        let _ = writeln!(out, "\n- Checked: {} (test {})", escape(&seen.asked), seen.test);
        if let Some(expected) = &seen.expected {
            let _ = writeln!(out, "- Expected: {}", escape(expected));
        }
        let _ = writeln!(out, "- Seen: {}", escape(&seen.actual));
    }
    let why = Some(&it.explanation).filter(|_| it.explains_more());
    for paragraph in [why, Some(&it.remedy)].into_iter().flatten() {
        if !paragraph.is_empty() {
            let _ = writeln!(out, "\n{}", escape(paragraph));
        }
    }
    if !it.log.is_empty() {
        fenced(out, "text", &it.log.join("\n"));
    }
    if let Some(note) = it.lab {
        let _ = writeln!(out, "\n{}", escape(note));
    }
    for change in &it.changes {
        let _ = writeln!(out, "\n{} {}:", change.label(), escape(&change.place()));
        let lines: Vec<String> = change.signed().into_iter().map(|(_, line)| line).collect();
        fenced(out, "diff", &lines.join("\n"));
    }
    if let Some(example) = &it.example {
        let signed = |sign: char, text: &str| -> Vec<String> {
            text.lines().map(|line| format!("{sign} {line}")).collect()
        };
        let lines = [signed('-', &example.before), signed('+', &example.after)].concat();
        let _ = writeln!(out, "\n{}", escape(&example.told));
        fenced(out, "diff", &lines.join("\n"));
    }
    match typed_later(&report.causes, place) {
        Some(number) => {
            let _ = writeln!(out, "\nType what stands under cause {number}, once all is changed.");
        }
        None if it.commands.is_empty() => {}
        None => fenced(out, "bash", &text::pasted(&it.commands).join("\n")),
    }
    if !it.see.is_empty() && !seen_earlier(&report.causes, place) {
        let _ = writeln!(out, "\nSee it:");
        fenced(out, "bash", &text::pasted(&it.see).join("\n"));
        if let Some(right) = it.right {
            let _ = writeln!(out, "\nRight is: {}.", escape(right));
        }
    }
}

fn not_graded(problem: &Problem) -> String {
    let mut out = String::from("## stsgrade: not graded\n");
    for line in problem.lines() {
        let _ = writeln!(out, "\n{}", escape(line));
    }
    let _ = writeln!(out, "\nNext: {}", escape(&problem.next));
    out
}

const fn sign(outcome: Outcome) -> char {
    match outcome {
        Outcome::Pass => '✅',
        Outcome::Fail => '❌',
        Outcome::Inconclusive => '❔',
    }
}

/// Text as text: nothing in it is markup, a link, or the end of a table's cell.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // By an entity, so that GitHub neither notifies somebody nor makes a link of it.
            '@' => out.push_str("&#64;"),
            ':' if rest.as_str().starts_with(['/', ':']) => out.push_str("&#58;"),
            '.' if out.ends_with("www") => out.push_str("&#46;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|'
            | '~' | '$' | '=' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    // A list, a rule or a heading would begin so.
    if out.starts_with('-') { format!("\\{out}") } else { out }
}

/// A block of code whose fence is longer than any in it, and in which no line is a command to CI.
fn fenced(out: &mut String, language: &str, text: &str) {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let text: Vec<String> = text.lines().map(sanitize::line).collect();
    let _ = writeln!(out, "\n{fence}{language}\n{}\n{fence}", text.join("\n"));
}
