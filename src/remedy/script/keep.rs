//! Keeps what an earlier start has written: each write is made only where its file is missing.

use checks::shell::{FileWrite, Guards, Paths, ShellTokenKind, file_writes, tokens};

use crate::remedy::script::{
    EditedScript, ScriptNotes, appending,
    bounds::{command_start, end_of_command},
    guard::{is_the_same_each_time, makes, must_run},
    insert,
};

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
    let guards = Guards::of(&paths)?;
    let mut keeper = Keeper { script, paths: &paths, edits: vec![], notes: ScriptNotes::NONE };
    for write in file_writes(&tokens).into_iter().filter(|it| it.overwrites) {
        let file = write.file;
        let path = paths.whole(&file);
        let is_guarded = path.is_some_and(|it| guards.hold(file.at, &it));
        if is_guarded || is_new_name(file.text) || !paths.is_below(&file, folders) {
            continue;
        }
        match write.by.text.rsplit('/').next() {
            _ if write.by.kind == ShellTokenKind::Write => keeper.keep_output(&write, &is_meant)?,
            Some("tee") => keeper.add_flag(&write, 'a', &is_meant)?,
            Some("cp") => keeper.add_flag(&write, 'n', &is_meant)?,
            _ => {}
        }
    }
    Some(EditedScript { text: insert(script, keeper.edits)?, notes: keeper.notes })
}

/// The edits of a script that keep what is there.
struct Keeper<'p, 't, 's> {
    script: &'p str,
    paths: &'p Paths<'t, 's>,
    /// What is inserted, and where.
    edits: Vec<(usize, String)>,
    notes: ScriptNotes,
}

impl Keeper<'_, '_, '_> {
    /// Keeps a file that a redirection writes. Like the others, `None` where nobody knows where the
    /// command begins.
    fn keep_output(
        &mut self,
        write: &FileWrite<'_>,
        is_meant: &impl Fn(&str) -> bool,
    ) -> Option<()> {
        let tokens = self.paths.tokens;
        let place = tokens.iter().position(|it| *it == write.by)?;
        let start = command_start(tokens, place)?;
        let is_edited = self.edits.iter().any(|(at, _)| *at == start);
        if is_edited || !is_meant(&self.script[start..write.by.at]) {
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
    fn add_flag(
        &mut self,
        write: &FileWrite<'_>,
        flag: char,
        is_meant: &impl Fn(&str) -> bool,
    ) -> Option<()> {
        let tokens = self.paths.tokens;
        let place = tokens.iter().position(|it| *it == write.by)?;
        // `tee` writes what comes through its pipe; what `cp` copies may be another file each time.
        let start = command_start(tokens, place)?;
        let source = self.script[start..write.by.at].trim_end().trim_end_matches('|');
        if is_meant(source) {
            self.edits.push((write.by.end(), format!(" -{flag}")));
            self.notes.has_tee_flag |= flag == 'a';
            self.notes.has_cp_flag |= flag == 'n';
        }
        Some(())
    }
}

/// Whether a file's name tells the time, so that each start writes a file of its own.
fn is_new_name(file: &str) -> bool {
    ["$(date", "`date"].iter().any(|it| file.contains(it))
}

#[cfg(test)]
mod tests {
    use super::{guard_changing_writes, keep_what_is_there};

    const DATA: &[&str] = &["/data"];

    #[track_caller]
    fn keeps(script: &str, expected: Option<&str>) {
        let edited = keep_what_is_there(script, DATA).map(|it| it.text);
        assert_eq!(edited.as_deref(), expected, "{script}");
    }

    /// Catches a change that leaves the write as it is, because a test of the file stands before it
    /// that decides nothing about it.
    #[test]
    fn a_test_that_guards_nothing_keeps_nothing() {
        for before in [
            "[ -f /data/id ] && cat /data/id\n",
            "[ -f /data/id ] && cat /data/id; ",
            "[ -e /data/id ] && OLD=$(cat /data/id); ",
            "[ -s /data/id ] && echo found >> /data/log; ",
            "[ -f /data/id ] || touch /data/x; ",
            "if [ -f /data/id ]; then cat /data/id; fi; ",
            "if [ -f /data/id ]; then sleep 5; :; fi\n",
            "[ -f /data/id ] && (cat /data/id; exit); ",
            "[ -f /data/id ] || :; ",
        ] {
            let guarded = format!("{before}[ -f /data/id ] || date > /data/id");
            keeps(&format!("{before}date > /data/id"), Some(&guarded));
        }
        keeps(
            "test -e /data/id && cp /data/id /data/id.old\ndate > /data/id",
            Some(
                "test -e /data/id && cp -n /data/id /data/id.old\n[ -f /data/id ] || date > \
                /data/id",
            ),
        );
        // What was a removal of all that is there.
        let edited = guard_changing_writes("[ -f /data/id ] || :; date > /data/id", DATA);
        let expected = "[ -f /data/id ] || :; [ -f /data/id ] || date > /data/id";
        assert_eq!(edited.unwrap().text, expected);
    }

    /// Catches a second guard before a write that has one, in any common style.
    #[test]
    fn what_is_guarded_needs_no_second_guard() {
        for script in [
            "if [ ! -f /data/id ]; then\n  date > /data/id\nfi",
            "if [ -f /data/id ]; then cat /data/id; else date > /data/id; fi",
            "[ -f /data/id ] || {\n  hostname\n  date\n} > /data/id",
            "F=/data/id; [ -f $F ] || date > $F",
            "[ -f /data/id ] || date | tee /data/id",
            "cd /data; [ -f id ] || date > id",
            "cd /data; [ -f id ] || date > /data/id",
            "[ -f /data/id ] && exit 0\ndate > /data/id",
            "start() { [ -f /data/id ] && return; date > /data/id; }; start",
            "[ -f /data/id ] || exec /bin/cp /etc/hostname /data/id",
        ] {
            keeps(script, None);
        }
    }
}
