//! Keeps what an earlier start has written: each write is made only where its file is missing.

use checks::shell::{
    self, FileWrite, Guards, Paths, ShellToken, ShellTokenKind, commands, file_writes, is_within,
    program, tokens, unquoted,
};

use crate::remedy::{
    is_plain_word,
    script::{
        EditedScript, ScriptNotes, appending,
        bounds::{command_start, end_of_command},
        guard::{is_the_same_each_time, makes, must_run},
        insert, is_within_one, without,
    },
};

/// Keeps what is in a file below one of `folders`: `[ -f FILE ] ||` before each command that writes
/// with `>`, or moves a file there, `cp -n` for `cp`, and `tee -a`, which appends, for `tee`. What
/// must run at each start, or writes to a file that the script has made before, appends by `>>`. A
/// command that removes such a file is taken out. `None` where nothing of this is found.
#[must_use]
pub fn keep_what_is_there(script: &str, folders: &[&str]) -> Option<EditedScript> {
    let (edited, kept) = keep(script, folders, |_| true)?;
    let Some(staying) = remove_none_of(script, &kept)? else { return Some(edited) };
    let (edited, _) = keep(&staying, folders, |_| true)?;
    Some(EditedScript { notes: edited.notes.and(ScriptNotes::NO_OP), ..edited })
}

/// Guards writes in the same way, of those commands alone that may write something else at the next
/// start.
#[must_use]
pub fn guard_changing_writes(script: &str, folders: &[&str]) -> Option<EditedScript> {
    keep(script, folders, |command| !is_the_same_each_time(command)).map(|it| it.0)
}

/// A script without the commands that remove nothing but these files; the inner `None` where it
/// removes none of them, the outer one where a command removes others, too, or nobody knows.
fn remove_none_of(script: &str, files: &[String]) -> Option<Option<String>> {
    let mut found = shell::removals(script)?;
    let is_one = |path: &String| files.iter().any(|it| removes(path, it));
    found.retain(|it| !it.is_narrowed && it.paths.iter().any(is_one));
    let are_all = found.iter().all(|it| it.paths.iter().all(is_one));
    are_all.then(|| without(script, found))
}

/// Whether what removes this path removes the file for certain: the path is the file's, that of a
/// folder that it is in, or all that is in the folder.
fn removes(path: &str, file: &str) -> bool {
    let path = path.strip_suffix("/*").or_else(|| path.strip_suffix("/.")).unwrap_or(path);
    path.starts_with('/') && is_within(file, path)
}

/// The edited script, and the whole paths of the files that it keeps. `is_meant` is asked of each
/// command whose output is written.
fn keep(
    script: &str,
    folders: &[&str],
    is_meant: impl Fn(&str) -> bool,
) -> Option<(EditedScript, Vec<String>)> {
    let tokens = tokens(script)?;
    let paths = Paths::of(&tokens, None);
    let mut keeper = Keeper {
        script,
        folders,
        is_meant: &is_meant,
        guards: Guards::of(&paths)?,
        writes: file_writes(&tokens).into_iter().map(|it| (it, paths.whole(&it.file))).collect(),
        taken_away: taken_away(&paths),
        paths: &paths,
        edits: vec![],
        kept: vec![],
        notes: ScriptNotes::NONE,
    };
    for (write, path) in keeper.writes.clone() {
        if write.overwrites {
            keeper.keep_file(&write, path)?;
        }
    }
    let text = insert(script, keeper.edits)?;
    Some((EditedScript { text, notes: keeper.notes }, keeper.kept))
}

/// The edits of a script that keep what is there.
struct Keeper<'p, 't, 's> {
    script: &'p str,
    folders: &'p [&'p str],
    is_meant: &'p dyn Fn(&str) -> bool,
    paths: &'p Paths<'t, 's>,
    guards: Guards,
    /// What the script writes, and the whole path of each, where that is known.
    writes: Vec<(FileWrite<'s>, Option<String>)>,
    taken_away: Vec<TakenAway>,
    /// What is inserted, and where.
    edits: Vec<(usize, String)>,
    /// The whole paths of the files that are kept.
    kept: Vec<String>,
    notes: ScriptNotes,
}

impl<'s> Keeper<'_, '_, 's> {
    /// Keeps what a write would overwrite. `None` where nobody knows where the command begins, or
    /// the script moves the file away before it, so that no test finds it.
    fn keep_file(&mut self, write: &FileWrite<'s>, path: Option<String>) -> Option<()> {
        let is_move = write.by.text.rsplit('/').next() == Some("mv");
        let file = if is_move {
            self.moved_file(write)
        } else {
            path.map(|it| (it, write.file.text.to_owned()))
        };
        let Some((path, name)) = file else { return Some(()) };
        let is_guarded = self.guards.hold(write.file.at, &path);
        let is_below = self.paths.is_below(&write.file, self.folders);
        if is_guarded || !is_below || is_new_name(&name) {
            return Some(());
        }
        let mut taken_away = self.taken_away.iter().filter(|it| it.path == path);
        if taken_away.clone().any(|it| it.at > write.file.at) {
            // A file for the time between: what becomes of it is kept.
            return Some(());
        }
        if taken_away.any(|it| it.is_moved) {
            return None;
        }
        let edits = self.edits.len();
        match write.by.text.rsplit('/').next() {
            Some("tee") => self.add_flag(write, 'a')?,
            Some("cp") => self.add_flag(write, 'n')?,
            Some("mv" | "dd" | "install") => self.keep_made(write, &name)?,
            _ if write.by.kind == ShellTokenKind::Write => self.keep_output(write)?,
            _ => {}
        }
        if self.edits.len() > edits {
            self.kept.push(path);
        }
        Some(())
    }

    /// Keeps a file that a redirection writes.
    fn keep_output(&mut self, write: &FileWrite<'_>) -> Option<()> {
        let tokens = self.paths.tokens;
        let place = tokens.iter().position(|it| *it == write.by)?;
        let start = command_start(tokens, place)?;
        if self.is_edited(start) || !(self.is_meant)(&self.script[start..write.by.at]) {
            return Some(());
        }
        let first = tokens.iter().position(|it| it.at == start)?;
        if must_run(tokens, first..place) || makes(self.paths, first, &write.file) {
            let edit = appending(&write.by);
            self.notes.has_append |= edit.is_some();
            self.edits.extend(edit);
        } else {
            self.guard(start, place, write.file.text);
        }
        Some(())
    }

    /// Keeps a file that a program makes which has no flag for that.
    fn keep_made(&mut self, write: &FileWrite<'_>, name: &str) -> Option<()> {
        let tokens = self.paths.tokens;
        let place = tokens.iter().position(|it| *it == write.by)?;
        let start = command_start(tokens, place)?;
        let first = tokens.iter().position(|it| it.at == start)?;
        let is_made = makes(self.paths, first, &write.file);
        if !self.is_edited(start) && !is_made && (self.is_meant)(self.source(start, write)) {
            self.guard(start, place, name);
        }
        Some(())
    }

    fn is_edited(&self, start: usize) -> bool {
        self.edits.iter().any(|(at, _)| *at == start)
    }

    /// The whole path of the file that `mv` makes, and what names it; `None` where it may be one of
    /// the student's own that gets another name, or one that is the same each time.
    fn moved_file(&self, write: &FileWrite<'s>) -> Option<(String, String)> {
        let command = commands(self.paths.tokens).find(|it| it.contains(&write.by))?;
        let (_, arguments) = program(&command)?;
        let [source, file] = operands(arguments)[..] else { return None };
        let from = self.paths.whole(&source)?;
        let mut sources = self
            .writes
            .iter()
            .filter(|(it, path)| it.file.at < write.by.at && path.as_ref() == Some(&from));
        let is_meant = match sources.next() {
            Some((first, _)) => {
                self.is_writer_meant(first) || sources.any(|it| self.is_writer_meant(&it.0))
            }
            None => !is_within_one(&from, self.folders),
        };
        if !is_meant {
            return None;
        }
        let path = self.paths.whole(&file)?;
        let is_folder = |it: &&str| it.trim_end_matches('/') == path;
        if !unquoted(file.text).ends_with('/') && !self.folders.iter().any(is_folder) {
            return Some((path, file.text.to_owned()));
        }
        let path = format!("{path}/{}", from.rsplit('/').next()?);
        is_plain_word(&path).then(|| (path.clone(), path))
    }

    /// Whether the command is meant that writes this.
    fn is_writer_meant(&self, write: &FileWrite<'_>) -> bool {
        let place = self.paths.tokens.iter().position(|it| *it == write.by);
        let start = place.and_then(|it| command_start(self.paths.tokens, it));
        start.is_some_and(|it| (self.is_meant)(self.source(it, write)))
    }

    /// What a command that begins at `start` is given to write.
    fn source(&self, start: usize, write: &FileWrite<'_>) -> &str {
        let source = self.script[start..write.by.at].trim_end();
        source.trim_end_matches('|')
    }

    /// Lets the command that begins at `start`, and to which the token at `place` belongs, run only
    /// where the file is missing.
    fn guard(&mut self, start: usize, place: usize, file: &str) {
        let tokens = self.paths.tokens;
        self.notes.has_file_test = true;
        let guard = format!("[ -f {file} ] || ");
        let above = tokens[..place].iter().rfind(|it| it.at < start && !it.text.trim().is_empty());
        if above.is_some_and(|it| matches!(it.text, "&&" | "!")) {
            // What stands behind `||` would be run, too, where what stands before `&&` fails, and
            // `!` would be of the test alone.
            self.edits.push((start, format!("{{ {guard}")));
            self.edits.push((end_of_command(tokens, place), "; }".to_owned()));
        } else {
            self.edits.push((start, guard));
        }
    }

    /// Gives a program the flag with which it keeps what is there.
    fn add_flag(&mut self, write: &FileWrite<'_>, flag: char) -> Option<()> {
        let tokens = self.paths.tokens;
        let place = tokens.iter().position(|it| *it == write.by)?;
        // `tee` writes what comes through its pipe; what `cp` copies may be another file each time.
        let start = command_start(tokens, place)?;
        if (self.is_meant)(self.source(start, write)) {
            self.edits.push((write.by.end(), format!(" -{flag}")));
            self.notes.has_tee_flag |= flag == 'a';
            self.notes.has_cp_flag |= flag == 'n';
        }
        Some(())
    }
}

/// A file that a command of a script moves or removes.
struct TakenAway {
    /// Where the command's program stands, in bytes.
    at: usize,
    /// The whole path.
    path: String,
    is_moved: bool,
}

/// The files that the commands of a script move or remove. Scripts within it, such as a trap's, are
/// not looked into.
fn taken_away(paths: &Paths<'_, '_>) -> Vec<TakenAway> {
    let mut found = vec![];
    for command in commands(paths.tokens) {
        let Some((name @ ("mv" | "rm"), arguments)) = program(&command) else { continue };
        let is_moved = name == "mv";
        let mut files = operands(arguments);
        if is_moved {
            files.pop();
        }
        let at = command[command.len() - arguments.len() - 1].at;
        for path in files.iter().filter_map(|it| paths.whole(it)) {
            found.push(TakenAway { at, path, is_moved });
        }
    }
    found
}

/// The arguments of a program that are no flags.
fn operands<'s>(arguments: &[ShellToken<'s>]) -> Vec<ShellToken<'s>> {
    arguments.iter().filter(|it| !it.text.starts_with('-')).copied().collect()
}

/// Whether a file's name tells the time, so that each start writes a file of its own.
fn is_new_name(file: &str) -> bool {
    ["$(date", "`date"].iter().any(|it| file.contains(it))
}

#[cfg(test)]
mod tests;
