//! Commands of a script that remove files.

use std::ops::Range;

use crate::shell::{
    Paths, ShellToken,
    commands::{commands, inner_scripts, joined, program},
    tokens,
};

/// A command that removes files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Where it stands in the script, in bytes, with the `xargs` that removes what it finds.
    pub range: Range<usize>,
    /// What it removes, or where it looks for it: by its whole path, as far as that is known.
    pub paths: Vec<String>,
    /// It removes only some of what it finds.
    pub is_narrowed: bool,
}

/// The commands of a script that remove files, those of scripts within it included; `None` where one
/// of them cannot be cut for certain.
#[must_use]
pub fn removals(script: &str) -> Option<Vec<Removal>> {
    let tokens = tokens(script)?;
    let mut found = of_commands(&tokens, None);
    for inner in inner_scripts(&tokens) {
        let tokens = self::tokens(&inner.text)?;
        for it in of_commands(&tokens, inner.folder.as_deref()) {
            let range = inner.place(it.range.start)..inner.place(it.range.end);
            found.push(Removal { range, ..it });
        }
    }
    Some(found)
}

/// `from`: the folder in which the script begins.
fn of_commands(tokens: &[ShellToken<'_>], from: Option<&str>) -> Vec<Removal> {
    let paths = Paths::of(tokens, from);
    let all: Vec<_> = commands(tokens).filter(|it| !it.is_empty()).collect();
    let mut found = vec![];
    for (place, command) in all.iter().enumerate() {
        let next = all.get(place + 1).map_or(&[][..], Vec::as_slice);
        let Some((end, words, is_narrowed)) = removed_by(command, next, &paths) else { continue };
        let folder = paths.folder_at(command[0].at);
        let whole = |word: String| match folder {
            Some(folder) if !word.starts_with(['/', '$']) => joined(folder, &word),
            _ => word,
        };
        found.push(Removal {
            range: command[0].at..end,
            paths: words.into_iter().map(whole).collect(),
            is_narrowed,
        });
    }
    found
}

/// Where a command ends that removes files, or the `xargs` behind it that does; what it removes, and
/// whether that is only some of what it finds.
fn removed_by(
    command: &[ShellToken<'_>],
    next: &[ShellToken<'_>],
    paths: &Paths<'_, '_>,
) -> Option<(usize, Vec<String>, bool)> {
    /// What `find` may be told without passing over a file.
    const OF_ALL: [&str; 8] =
        ["-type", "-mindepth", "-depth", "-xdev", "-print", "-print0", "-delete", "-exec"];
    let is_path = |it: &&ShellToken<'_>| !it.text.starts_with('-');
    let (name, arguments) = program(command)?;
    let end = command.last()?.end();
    if name == "rm" {
        let removed = arguments.iter().filter(is_path).map(|it| paths.of_word(it)).collect();
        return Some((end, removed, false));
    }
    if name != "find" {
        return None;
    }
    let own = arguments.iter().position(deletes);
    let xargs = program(next).filter(|(name, it)| *name == "xargs" && it.iter().any(deletes));
    let end = match (own, xargs) {
        (Some(_), _) => end,
        (None, Some(_)) => next.last()?.end(),
        // Alone it only lists what it finds.
        (None, None) => return None,
    };
    let mut searched: Vec<String> =
        arguments.iter().take_while(is_path).map(|it| paths.of_word(it)).collect();
    // Without a path it searches the folder that it runs in.
    if searched.is_empty() {
        searched.push(".".to_owned());
    }
    let narrows = |it: &ShellToken<'_>| {
        it.text == "!" || it.text.starts_with('-') && !OF_ALL.contains(&it.text)
    };
    let is_narrowed = arguments[..own.unwrap_or(arguments.len())].iter().any(narrows);
    Some((end, searched, is_narrowed))
}

/// Whether a word of `find` or of `xargs` makes it delete what is found.
fn deletes(it: &ShellToken<'_>) -> bool {
    it.text == "-delete" || matches!(it.text.rsplit('/').next(), Some("rm" | "unlink"))
}
