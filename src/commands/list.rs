//! `stsgrade list`: the checks and their points.

use std::fmt::Write as _;

use checks::{CHECKS, Check, mistakes::MISTAKES};
use serde::Serialize;

use crate::commands::show;
use crate::{
    cli::{List, ListFormat},
    console::terminal::TermStyle,
    exit::Exit,
};

#[derive(Serialize)]
struct Page {
    format: &'static str,
    version: u32,
    checks: Vec<ListedCheck>,
    mistakes: Vec<Named>,
}

#[derive(Serialize)]
struct ListedCheck {
    id: &'static str,
    test: u8,
    title: &'static str,
    points: u32,
    asked: &'static str,
    why: &'static str,
}

#[derive(Serialize)]
struct Named {
    id: &'static str,
    title: &'static str,
}

pub(super) fn run(args: &List) -> Exit {
    let page = match args.output {
        ListFormat::Text => text(TermStyle::of_stdout(args.style.color)),
        ListFormat::Markdown => markdown(),
        ListFormat::Json => match serde_json::to_string_pretty(&page()) {
            Ok(page) => page + "\n",
            Err(_) => return Exit::CouldNot,
        },
    };
    show(page.as_bytes())
}

fn page() -> Page {
    let row = |it: &Check| ListedCheck {
        id: it.id,
        test: it.test,
        title: it.title,
        points: it.points,
        asked: it.asked,
        why: it.why,
    };
    Page {
        format: "stsgrade-checks",
        version: 1,
        checks: CHECKS.iter().map(row).collect(),
        mistakes: MISTAKES.iter().map(|it| Named { id: it.id, title: it.title }).collect(),
    }
}

// Writing to a String cannot fail, so the results below say nothing.

fn text(look: TermStyle) -> String {
    let mut out = String::new();
    let mut table = look.table(&["Test", "Title", "Points", "Name"]);
    let mut sum = 0;
    for it in &CHECKS {
        table.add_row([
            it.test.to_string(),
            it.title.to_owned(),
            it.points.to_string(),
            it.id.to_owned(),
        ]);
        sum += it.points;
    }
    table.add_row([String::new(), "all".to_owned(), sum.to_string(), String::new()]);
    let _ = writeln!(out, "{}", look.lines(&table));
    if !MISTAKES.is_empty() {
        let _ = writeln!(out, "\nMistakes that a report may name:");
        for it in MISTAKES {
            for line in look.wrap("  ", &format!("{}: {}", it.id, it.title), "      ") {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    let _ = writeln!(out, "\n`stsgrade explain NAME` tells more of each.");
    out
}

fn markdown() -> String {
    let mut out =
        String::from("| test | title | points | asks | rule |\n|---:|---|---:|---|---|\n");
    for it in &CHECKS {
        let asked = it.asked.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        let _ = writeln!(
            out,
            "| {} | {} | {} | {asked} | [`{id}`](checks/{id}.rs) |",
            it.test,
            it.title,
            it.points,
            id = it.id
        );
    }
    out
}
