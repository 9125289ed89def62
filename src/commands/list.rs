//! `stsgrade list`: the checks and their points.

use std::fmt::Write as _;

use checks::{CHECKS, Check, mistakes::MISTAKES, model::Fault};
use serde::Serialize;

use crate::commands::{explain, fail, rubric::read, show};
use crate::{
    cli::{List, ListFormat},
    console::{count::counted, terminal::TermStyle},
    exit::Exit,
    rubric::{CheckRule, Detail, Points, Rubric, UndecidedWorth},
};

#[derive(Serialize)]
struct JsonList {
    format: &'static str,
    version: u32,
    checks: Vec<ListedCheck>,
    mistakes: Vec<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rubric: Option<Rules>,
}

/// The rules of a rubric that are no check's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rules {
    digest: String,
    /// The checks that it leaves out.
    omitted: Vec<&'static str>,
    /// From how many points on a submission passes.
    pass_mark: Points,
    /// What an undecided test is worth.
    undecided: UndecidedWorth,
    /// How much a report shows.
    show: Detail,
}

impl Rules {
    /// Those of a rubric's file; none of the lab's own points.
    fn of(rubric: &Rubric) -> Option<Self> {
        let digest = rubric.digest.clone()?;
        let is_omitted = |id: &str| rubric.rule(id).is_some_and(|rule| rule.is_omitted);
        Some(Self {
            digest,
            omitted: CHECKS.iter().map(|it| it.id).filter(|id| is_omitted(id)).collect(),
            pass_mark: rubric.pass_mark.unwrap_or_else(|| rubric.total()),
            undecided: rubric.undecided,
            show: rubric.show,
        })
    }

    // Writing to a String cannot fail, so the results say nothing.
    fn write(&self, out: &mut String) {
        if !self.omitted.is_empty() {
            let _ = writeln!(out, "\nLeft out: {}.", self.omitted.join(", "));
        }
        let undecided = match self.undecided {
            UndecidedWorth::Held => "held back",
            UndecidedWorth::Zero => "lost",
            UndecidedWorth::Full => "given",
        };
        let shown = match self.show {
            Detail::Outcome => "outcomes",
            Detail::Reason => "outcomes and reasons",
            Detail::Remedy => "outcomes, reasons and remedies",
        };
        let pass_mark = counted(self.pass_mark, "point", "points");
        let _ = writeln!(out, "\nA submission passes from {pass_mark} on.");
        let _ = writeln!(out, "The points of an undecided test are {undecided}.");
        let _ = writeln!(out, "A report shows {shown}.\nrubric {}", self.digest);
    }
}

#[derive(Serialize)]
struct ListedCheck {
    id: &'static str,
    test: u8,
    title: &'static str,
    points: Points,
    /// Whether the submission passes only when this check does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    required: bool,
    asked: &'static str,
    why: &'static str,
    criteria: &'static [&'static str],
}

#[derive(Serialize)]
struct Named {
    id: &'static str,
    title: &'static str,
}

pub(super) fn run(args: &List) -> Exit {
    let rubric = match args.rubric.as_deref().map(read) {
        Some(Ok(rubric)) => rubric,
        Some(Err(failure)) => return fail(&failure),
        None => Rubric::default(),
    };
    let page = match args.output {
        ListFormat::Text => text(&rubric, TermStyle::of_stdout(args.style.color)),
        ListFormat::Markdown => markdown(&rubric),
        ListFormat::Json => match serde_json::to_string_pretty(&page(&rubric)) {
            Ok(page) => page + "\n",
            Err(_) => return Exit::CouldNot,
        },
    };
    show(page.as_bytes())
}

fn page(rubric: &Rubric) -> JsonList {
    let row = |(it, rule): (&'static Check, &CheckRule)| ListedCheck {
        id: it.id,
        test: it.test,
        title: it.title,
        points: rule.points,
        required: rule.is_required,
        asked: it.lab_words,
        why: it.why,
        criteria: it.criteria,
    };
    JsonList {
        format: "stsgrade-checks",
        version: 1,
        checks: rubric.rules().map(row).collect(),
        mistakes: MISTAKES.iter().map(|it| Named { id: it.id, title: it.title }).collect(),
        rubric: Rules::of(rubric),
    }
}

// Writing to a String cannot fail, so the results below say nothing.

fn text(rubric: &Rubric, style: TermStyle) -> String {
    let mut out = String::new();
    let mut table = style.table(&["Test", "Title", "Points", "Name"]);
    for (it, rule) in rubric.rules() {
        let required = if rule.is_required { ", required" } else { "" };
        table.add_row([
            it.test.to_string(),
            it.title.to_owned(),
            rule.points.to_string(),
            format!("{}{required}", it.id),
        ]);
        for part in &rule.parts {
            let what = match (part.criterion, part.is_partial) {
                (None, _) => "a share for each criterion".to_owned(),
                (Some(criterion), false) => criterion.to_owned(),
                (Some(criterion), true) => format!("{criterion}, a share for each pod"),
            };
            let empty = String::new;
            table.add_row([empty(), empty(), empty(), format!("  {} {what}", part.points)]);
        }
    }
    table.add_row([String::new(), "all".to_owned(), rubric.total().to_string(), String::new()]);
    let _ = writeln!(out, "{}", style.lines(&table));
    if let Some(rules) = Rules::of(rubric) {
        rules.write(&mut out);
        return out;
    }
    if !MISTAKES.is_empty() {
        let _ = writeln!(out, "\nMistakes that a report may name:");
        for it in MISTAKES {
            for line in style.wrap("  ", &format!("{}: {}", it.id, it.title), "      ") {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    let headings = [
        (Fault::Submission, "What keeps a set from coming up, and costs points:"),
        (Fault::NotTheSubmission, "What leaves points undecided:"),
    ];
    for (fault, heading) in headings {
        let _ = writeln!(out, "\n{heading}");
        let all = explain::obstacles();
        let mut ids: Vec<&str> = all.filter(|it| it.1 == fault).map(|(id, ..)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        for line in style.wrap("  ", &ids.join(", "), "  ") {
            let _ = writeln!(out, "{line}");
        }
    }
    let _ = writeln!(out, "\n`stsgrade explain NAME` tells more of each.");
    out
}

fn markdown(rubric: &Rubric) -> String {
    let mut out =
        String::from("| test | title | points | asks | rule |\n|---:|---|---:|---|---|\n");
    for (it, rule) in rubric.rules() {
        let asked = it.lab_words.split_whitespace().collect::<Vec<_>>().join(" ");
        let asked = asked.replace('|', "\\|");
        let _ = writeln!(
            out,
            "| {} | {} | {} | {asked} | [`{id}`](checks/{id}.rs) |",
            it.test,
            it.title,
            rule.points,
            id = it.id
        );
    }
    out
}
