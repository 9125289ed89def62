//! `stsgrade completions` and `stsgrade man`: what a package installs beside the binary, made from
//! the description of the command line.

use std::{ffi::OsString, path::Path};

use clap_complete::Shell;

use crate::{
    cli,
    cluster::Failure,
    commands::{fail, show},
    exit::Exit,
};

/// The name under which kubectl looks for what completes its plugin `stsgrade`.
const KUBECTL_NAME: &str = "kubectl_complete-stsgrade";

/// What kubectl understands as: these are all, do not complete files. See Cobra's shell completions.
const NO_FILES: &str = ":4";
/// What kubectl understands as: complete files, as the shell does.
const FILES: &str = ":0";

/// Prints a shell's script.
pub(super) fn run(shell: Shell) -> Exit {
    let mut page = vec![];
    clap_complete::generate(shell, &mut cli::command(), "stsgrade", &mut page);
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
    let mut command = cli::command();
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

/// Prints a man page.
pub(super) fn man(topic: Option<&str>) -> Exit {
    let mut command = cli::command();
    command.build();
    let (page, title) = match topic.map(|topic| (topic, command.find_subcommand(topic))) {
        None => (command, "stsgrade".to_owned()),
        Some((topic, Some(found))) => (found.clone(), format!("stsgrade-{topic}")),
        Some((topic, None)) => {
            let names: Vec<&str> = command.get_subcommands().map(|it| it.get_name()).collect();
            return fail(&Failure::new(
                "unknown_command",
                format!("there is no command {topic:?}"),
                format!("The commands are {}.", names.join(", ")),
            ));
        }
    };
    let mut out = vec![];
    // Writing to a vector cannot fail.
    let _ = clap_mangen::Man::new(page).title(title).render(&mut out);
    show(&out)
}
