//! Edits of start-up scripts: small changes to a student's own shell script.
//!
//! Where a script cannot be cut into commands for certain ([`checks::shell::tokens`]), no edit is
//! made.

pub mod again;
mod bounds;
pub mod ends;
mod guard;
mod keep;
pub mod variables;

pub use keep::{guard_changing_writes, keep_what_is_there};

use checks::shell::{
    self, Guards, Paths, Removal, ShellToken, ShellTokenKind, commands, has_flag, inner_scripts,
    is_shell, is_within, tokens, unquoted,
};

use crate::remedy::script::bounds::{command_start, end_of_command};

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
    let guards = Guards::of(&paths).unwrap_or_default();
    // What is written only where it is missing overwrites nothing.
    let is_guarded =
        |file: &ShellToken<'_>| paths.whole(file).is_some_and(|it| guards.hold(file.at, &it));
    let mut edits = vec![];
    for pair in tokens.windows(2) {
        let is_write = pair[0].kind == ShellTokenKind::Write;
        if is_write && paths.is_below(&pair[1], folders) && !is_guarded(&pair[1]) {
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
    without(script, found)
}

/// Takes these commands out; `None` where there are none.
fn without(script: &str, mut removals: Vec<Removal>) -> Option<String> {
    removals.sort_unstable_by_key(|it| it.range.start);
    // A removal may run a script that removes, too: the outer one takes it along.
    let mut end = 0;
    removals.retain(|it| {
        let is_outer = it.range.start >= end;
        end = end.max(it.range.end);
        is_outer
    });
    let mut kept = script.to_owned();
    for it in removals.iter().rev() {
        // `:` does nothing, successfully.
        kept.replace_range(it.range.clone(), ":");
    }
    (!removals.is_empty()).then_some(kept)
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
