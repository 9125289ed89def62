//! Edits of start-up scripts: small changes to a student's own shell script.
//!
//! Where a script cannot be cut into commands for certain ([`checks::shell::tokens`]), no edit is
//! made.

pub mod again;
mod bounds;
pub mod ends;
mod guard;
pub mod variables;

use checks::shell::{
    self, Paths, ShellToken, ShellTokenKind, commands, has_flag, inner_scripts, is_before_command,
    is_shell, is_within, tokens, unquoted,
};

use crate::remedy::script::{
    bounds::{command_start, end_of_command},
    guard::{is_the_same_each_time, makes, must_run},
};

/// Whether a program by this name is a shell that small images lack. They have `sh`.
#[must_use]
pub fn is_other_shell(name: &str) -> bool {
    is_shell(name) && name != "sh"
}

/// A script after an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditedScript {
    /// All of it.
    pub text: String,
    /// What the edit brought in.
    pub notes: ScriptNotes,
}

/// What edits of scripts brought in that not everybody can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptNotes {
    /// `[ -f FILE ] ||` before what writes the file.
    pub has_file_test: bool,
    /// `tee -a`.
    pub has_tee_flag: bool,
    /// `cp -n`.
    pub has_cp_flag: bool,
    /// `>>` in place of `>`.
    pub has_append: bool,
    /// `:` in place of a command.
    pub has_no_op: bool,
    /// `||` behind a test in place of `&&`: the script does not fail any more where a file is there.
    pub ends_with_success: bool,
}

impl ScriptNotes {
    /// Of an edit that brought in none of this.
    pub const NONE: Self = Self {
        has_file_test: false,
        has_tee_flag: false,
        has_cp_flag: false,
        has_append: false,
        has_no_op: false,
        ends_with_success: false,
    };
    /// Of an edit that put `:` in place of a command.
    pub const NO_OP: Self = Self { has_no_op: true, ..Self::NONE };

    /// What one of the two brought in.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            has_file_test: self.has_file_test || other.has_file_test,
            has_tee_flag: self.has_tee_flag || other.has_tee_flag,
            has_cp_flag: self.has_cp_flag || other.has_cp_flag,
            has_append: self.has_append || other.has_append,
            has_no_op: self.has_no_op || other.has_no_op,
            ends_with_success: self.ends_with_success || other.ends_with_success,
        }
    }
}

/// Keeps what is in a file below one of `folders`: `[ -f FILE ] ||` before each command that writes
/// with `>`, `cp -n` for `cp`, and `tee -a`, which appends, for `tee`. What must run at each start,
/// or writes to a file that the script has made before, appends by `>>`. `None` where nothing of
/// this is found.
#[must_use]
pub fn keep_what_is_there(script: &str, folders: &[&str]) -> Option<EditedScript> {
    keep(script, folders, |_| true)
}

/// The same, of those commands alone that may write something else at the next start.
#[must_use]
pub fn guard_changing_writes(script: &str, folders: &[&str]) -> Option<EditedScript> {
    keep(script, folders, |command| !is_the_same_each_time(command))
}

/// `is_meant` is asked of each command whose output is written.
fn keep(script: &str, folders: &[&str], is_meant: impl Fn(&str) -> bool) -> Option<EditedScript> {
    let tokens = tokens(script)?;
    let paths = Paths::of(&tokens, None);
    let mut notes = ScriptNotes::NONE;
    let mut edits: Vec<(usize, String)> = vec![];
    for (place, token) in tokens.iter().enumerate() {
        let Some(target) = tokens.get(place + 1).filter(|it| it.kind == ShellTokenKind::Word)
        else {
            continue;
        };
        if token.kind != ShellTokenKind::Write || !paths.is_below(target, folders) {
            continue;
        }
        if is_tested(target, place, &paths) || is_new_name(target.text) {
            continue;
        }
        let start = command_start(&tokens, place)?;
        let is_guarded = edits.iter().any(|(at, _)| *at == start);
        if is_guarded || !is_meant(&script[start..token.at]) {
            continue;
        }
        let first = tokens.iter().position(|it| it.at == start)?;
        if must_run(&tokens, first..place) || makes(&paths, first, target) {
            let edit = appending(token);
            notes.has_append |= edit.is_some();
            edits.extend(edit);
            continue;
        }
        notes.has_file_test = true;
        let guard = format!("[ -f {} ] || ", target.text);
        let above = tokens[..place].iter().rfind(|it| it.at < start && !it.text.trim().is_empty());
        if above.is_some_and(|it| matches!(it.text, "&&" | "!")) {
            // What stands behind `||` would be run, too, where what stands before `&&` fails, and
            // `!` would be of the test alone.
            edits.push((start, format!("{{ {guard}")));
            edits.push((end_of_command(&tokens, place), "; }".to_owned()));
        } else {
            edits.push((start, guard));
        }
    }
    for command in commands(&tokens) {
        let Some((name, arguments)) = command.split_first() else { continue };
        let is_target = |it: &&ShellToken<'_>| paths.is_below(it, folders);
        let (flag, target) = match name.text {
            "tee" => ('a', arguments.iter().find(is_target)),
            "cp" => ('n', arguments.last().filter(is_target)),
            _ => continue,
        };
        let Some(target) = target.filter(|_| !has_flag(arguments, flag)) else { continue };
        let place = tokens.iter().position(|it| it == name)?;
        // `tee` writes what comes through its pipe; what `cp` copies may be another file each time.
        let start = command_start(&tokens, place)?;
        let source = script[start..name.at].trim_end().trim_end_matches('|');
        if is_meant(source) && !is_tested(target, place, &paths) {
            edits.push((name.end(), format!(" -{flag}")));
            notes.has_tee_flag |= name.text == "tee";
            notes.has_cp_flag |= name.text == "cp";
        }
    }
    Some(EditedScript { text: insert(script, edits)?, notes })
}

/// What decides whether the command behind these tokens is run: without each `if` that ends before
/// it and lets the script go on.
fn deciding_tokens<'s>(tokens: &[ShellToken<'s>]) -> Vec<ShellToken<'s>> {
    let mut kept: Vec<ShellToken<'s>> = vec![];
    let mut open: Vec<usize> = vec![];
    for token in tokens {
        let is_first =
            kept.last().is_none_or(|it| it.kind == ShellTokenKind::End || is_before_command(it));
        match token.text {
            "if" if is_first => open.push(kept.len()),
            "fi" if is_first => {
                let start = open.pop().unwrap_or(0);
                let ends = |it: &ShellToken<'_>| matches!(it.text, "exit" | "exec");
                if !kept[start..].iter().any(ends) {
                    kept.truncate(start);
                    continue;
                }
            }
            _ => {}
        }
        kept.push(*token);
    }
    kept
}

/// The first folder that the script writes a file to by its whole path, outside of `mounted`: one
/// over which a volume can be mounted, because no image needs what is in it.
#[must_use]
pub fn written_folder(script: &str, mounted: &[&str]) -> Option<String> {
    folder_of_a_write(script, mounted, |_| true)
}

/// The same, where a command writes that names the pod.
#[must_use]
pub fn folder_of_the_name(script: &str, mounted: &[&str]) -> Option<String> {
    let names_the_pod =
        |command: &str| ["hostname", "HOSTNAME"].iter().any(|it| command.contains(it));
    folder_of_a_write(script, mounted, names_the_pod)
}

/// `is_meant` is asked of each command that writes.
fn folder_of_a_write(
    script: &str,
    mounted: &[&str],
    is_meant: impl Fn(&str) -> bool,
) -> Option<String> {
    /// Programs need what an image has in these.
    const OF_THE_IMAGE: [&str; 12] = [
        "", "/bin", "/dev", "/etc", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/usr",
        "/var",
    ];
    let tokens = tokens(script)?;
    let mut folders = vec![];
    for (place, pair) in tokens.windows(2).enumerate() {
        if !pair[0].is_write_or_append() || !pair[1].is_word() {
            continue;
        }
        let Some(start) = command_start(&tokens, place) else { continue };
        if !is_meant(&script[start.min(pair[0].at)..pair[0].at]) {
            continue;
        }
        let path = unquoted(pair[1].text);
        let is_plain = path.starts_with('/') && !path.contains(['$', '`', '*']);
        if let Some((folder, _)) = path.rsplit_once('/').filter(|_| is_plain)
            && !is_within_one(&path, mounted)
        {
            folders.push(folder.to_owned());
        }
    }
    let is_free = |it: &String| {
        !OF_THE_IMAGE.contains(&it.as_str()) && !is_within_one(it, &["/dev", "/proc"])
    };
    folders.into_iter().find(is_free)
}

/// Whether a file's name tells the time, so that each start writes a file of its own.
fn is_new_name(file: &str) -> bool {
    ["$(date", "`date"].iter().any(|it| file.contains(it))
}

/// Whether a command before this place tests a file, and decides what is run there: `[ -f FILE ]`.
fn is_tested(file: &ShellToken<'_>, place: usize, paths: &Paths<'_, '_>) -> bool {
    let path = paths.of_word(file);
    commands(&deciding_tokens(&paths.tokens[..place])).any(|command| {
        let (name, arguments) = command.split_first().map_or(("", &[][..]), |it| (it.0.text, it.1));
        matches!(name, "[" | "[[" | "test") && arguments.iter().any(|it| paths.of_word(it) == path)
    })
}

/// Appends where the script writes: `>>` for each `>` to a file below one of `folders`.
#[must_use]
pub fn append(script: &str, folders: &[&str]) -> Option<String> {
    let tokens = tokens(script)?;
    let mut edits = vec![];
    for it in inner_scripts(&tokens) {
        let own = writes(&it.text, folders, it.folder.as_deref())?;
        edits.extend(own.into_iter().map(|(at, text)| (it.place(at), text)));
    }
    edits.extend(writes(script, folders, None)?);
    insert(script, edits)
}

/// Where a second `>` makes each write below one of `folders` an append. `from`: the folder in which
/// the script begins. `None` where it cannot be cut for certain.
fn writes(script: &str, folders: &[&str], from: Option<&str>) -> Option<Vec<(usize, String)>> {
    let tokens = tokens(script)?;
    let paths = Paths::of(&tokens, from);
    let mut edits = vec![];
    for pair in tokens.windows(2) {
        let is_write = pair[0].kind == ShellTokenKind::Write;
        if is_write && paths.is_below(&pair[1], folders) {
            edits.extend(appending(&pair[0]));
        }
    }
    Some(edits)
}

/// Makes a redirection append: `>>` of `>`. What `>|` is for would be lost.
fn appending(redirection: &ShellToken<'_>) -> Option<(usize, String)> {
    redirection.text.ends_with('>').then(|| (redirection.end(), ">".to_owned()))
}

/// Takes out the commands that remove what lies below one of `folders`.
#[must_use]
pub fn remove_nothing(script: &str, folders: &[&str]) -> Option<String> {
    let mut found = shell::removals(script)?;
    found.retain(|it| it.paths.iter().any(|path| is_within_one(path, folders)));
    found.sort_unstable_by_key(|it| it.range.start);
    // A removal may run a script that removes, too: the outer one takes it along.
    let mut end = 0;
    found.retain(|it| {
        let is_outer = it.range.start >= end;
        end = end.max(it.range.end);
        is_outer
    });
    let mut kept = script.to_owned();
    for it in found.iter().rev() {
        // `:` does nothing, successfully.
        kept.replace_range(it.range.clone(), ":");
    }
    (!found.is_empty()).then_some(kept)
}

/// Makes folders only where they are missing: `mkdir -p`.
#[must_use]
pub fn make_missing_folders(script: &str) -> Option<String> {
    let tokens = tokens(script)?;
    let mut edits = vec![];
    for command in commands(&tokens) {
        let Some(name) = command.first().filter(|it| it.text == "mkdir") else { continue };
        if !has_flag(&command, 'p') {
            edits.push((name.end(), " -p".to_owned()));
        }
    }
    insert(script, edits)
}

fn insert(script: &str, mut edits: Vec<(usize, String)>) -> Option<String> {
    if edits.is_empty() {
        return None;
    }
    edits.sort();
    edits.dedup();
    let mut edited = script.to_owned();
    for (at, text) in edits.iter().rev() {
        edited.insert_str(*at, text);
    }
    Some(edited)
}

/// Whether a whole path is one of the folders, or lies in one.
fn is_within_one(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|it| is_within(path, it))
}

#[cfg(test)]
mod tests;
