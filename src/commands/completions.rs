//! `stsgrade completions` and `stsgrade man`: what a package installs beside the binary, made from
//! the description of the command line.

use std::{ffi::OsString, path::Path};

use checks::{CHECKS, mistakes::MISTAKES};
use clap::{
    Arg, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser},
};
use clap_complete::Shell;

use crate::{
    cli,
    cluster::Failure,
    commands::{explain, fail, show},
    exit::Exit,
    report::{Format, obstacle_title},
};

/// The name under which kubectl looks for what completes its plugin `stsgrade`.
const KUBECTL_NAME: &str = "kubectl_complete-stsgrade";

/// What kubectl understands as: these are all, do not complete files. See Cobra's shell completions.
const NO_FILES: &str = ":4";
/// What kubectl understands as: complete files, as the shell does.
const FILES: &str = ":0";

/// The command line with the values that may be completed.
fn command() -> clap::Command {
    cli::command().mut_subcommands(|command| command.mut_args(with_values))
}

/// An argument with its values, where its own description has none: a report's format may be
/// followed by a file, and what may be explained is in several lists.
fn with_values(arg: Arg) -> Arg {
    let is_named = |name: &str| arg.get_value_names().is_some_and(|it| it == [name]);
    if is_named(cli::FORMAT_AND_FILE) {
        let formats = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        return arg.value_parser(PossibleValuesParser::new(formats));
    }
    if is_named(cli::TOPIC) {
        return arg.value_parser(PossibleValuesParser::new(topics()));
    }
    arg
}

/// All that can be explained, by its name.
fn topics() -> Vec<PossibleValue> {
    let checks = CHECKS.iter().map(|it| (it.id, it.title));
    let mistakes = MISTAKES.iter().map(|it| (it.id, it.title));
    let obstacles =
        explain::obstacles().map(|(id, ..)| (id, obstacle_title(id).unwrap_or_default()));
    let mut topics: Vec<PossibleValue> = vec![];
    for (id, title) in checks.chain(mistakes).chain(obstacles) {
        if !topics.iter().any(|it| it.get_name() == id) {
            topics.push(PossibleValue::new(id).help(title));
        }
    }
    topics
}

/// Prints a shell's script.
pub(super) fn run(shell: Shell) -> Exit {
    let mut page = vec![];
    clap_complete::generate(shell, &mut command(), "stsgrade", &mut page);
    show(&page)
}

/// Whether kubectl asks what may come next: it calls a program of that name for its plugin.
pub(super) fn is_asked_by_kubectl(program: Option<&OsString>) -> bool {
    program.is_some_and(|it| Path::new(it).file_stem().is_some_and(|name| name == KUBECTL_NAME))
}

/// Prints what may come next, a line each, and what to do beside; the last word is the one that is
/// being written.
pub(super) fn for_kubectl(mut args: Vec<OsString>) -> Exit {
    if args.len() < 2 {
        args.push(OsString::new());
    }
    let last = args.len() - 1;
    let mut command = command();
    let found = clap_complete::engine::complete(&mut command, args, last, None);
    let mut page = String::new();
    for candidate in found.unwrap_or_default() {
        let value = candidate.get_value().to_string_lossy();
        match candidate.get_help() {
            Some(help) => page.push_str(&format!("{value}\t{}\n", help.to_string().trim())),
            None => page.push_str(&format!("{value}\n")),
        }
    }
    page.push_str(if page.is_empty() { FILES } else { NO_FILES });
    page.push('\n');
    show(page.as_bytes())
}

/// Prints a man page: of all, or of the command that these words name (`batch judge`, or
/// `batch-judge`, as other pages write it).
pub(super) fn man(words: &[String]) -> Exit {
    let mut page = cli::command();
    page.build();
    let mut title = "stsgrade".to_owned();
    for word in words.iter().flat_map(|it| it.split('-')) {
        let Some(found) = page.find_subcommand(word) else {
            let names: Vec<&str> = page
                .get_subcommands()
                .filter(|it| !it.is_hide_set())
                .map(clap::Command::get_name)
                .collect();
            let next = match &names[..] {
                [] => format!("{title} has no commands of its own."),
                names => format!("The commands are {}.", names.join(", ")),
            };
            let what = format!("there is no command {word:?}");
            return fail(&Failure::new("unknown_command", what, next));
        };
        page = found.clone();
        title = format!("{title}-{word}");
    }
    let mut out = vec![];
    // Writing to a vector cannot fail.
    let _ = clap_mangen::Man::new(page).title(title).render(&mut out);
    show(&out)
}
