//! When a script writes a file: surely once, as it starts, or perhaps again and again, as a
//! heartbeat is written.

use crate::shell::{
    ShellToken, ShellTokenKind,
    commands::{commands, inner_scripts, printed_words, program, quoted_text, unquoted},
    has_word, is_shell,
    repeated::repeated,
    runs_a_script, substitutions, tokens,
    variables::Variables,
};

/// Programs that write a file that is their argument.
const WRITERS: [&str; 5] = ["tee", "cp", "mv", "dd", "install"];
/// Folders of the programs that come with an image. What lies elsewhere may be a script.
const PROGRAMS: [&str; 3] = ["/bin/", "/sbin/", "/usr/"];
/// Files of an image that set variables, and do no more.
const PROFILES: [&str; 2] = ["/etc/profile", "/etc/os-release"];

/// When a script writes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writes {
    /// It does not, nor does anything that it runs, as far as its text tells.
    Never,
    /// When it comes to that command, which it does once at most.
    Once,
    /// Perhaps at any time, for all that its text tells: the file is named in a loop, in a function
    /// or in a text that may be run, or what the script runs, or writes by a variable, may be it.
    Perhaps,
}

/// When the command of a container, with its arguments, writes the file at the end of this path.
///
/// What is no script of a shell, as the command that `watch` repeats, may be run again and again.
#[must_use]
pub fn writes_of_words(words: &[&str], path: &str) -> Writes {
    let is_script = |place: usize| {
        let Some((flag, before)) = words[..place].split_last() else { return false };
        // The image's own command comes first where there is none here.
        let is_run = |it: &str| runs_a_script(it, flag);
        let is_of_the_image = words[0].starts_with('-') && runs_a_script("sh", flag);
        before.iter().any(|it| is_run(it)) || is_of_the_image
    };
    let of_word = |(place, word): (usize, &&str)| match writes(word, path) {
        Writes::Once if !is_script(place) => Writes::Perhaps,
        it => it,
    };
    words.iter().enumerate().map(of_word).max().unwrap_or(Writes::Never)
}

/// When a script writes the file at the end of this path.
#[must_use]
pub fn writes(script: &str, path: &str) -> Writes {
    let Some(tokens) = tokens(script) else { return Writes::Perhaps };
    let Some(repeated) = repeated(&tokens) else { return Writes::Perhaps };
    let file = WrittenFile {
        path,
        name: path.rsplit('/').next().unwrap_or(path),
        variables: Variables::of(&tokens),
    };
    if runs_another_script(&tokens) || file.may_be_named_apart(script, &tokens) {
        return Writes::Perhaps;
    }
    let is_repeated = |token: &ShellToken<'_>| repeated.iter().any(|it| it.contains(&token.at));
    for token in tokens.iter().filter(|it| it.is_word()) {
        let may_be_repeated = is_repeated(token) || token.text.contains('=');
        if may_be_repeated && has_word(token.text, file.name) {
            return Writes::Perhaps;
        }
    }
    let in_loops: Vec<_> = tokens.iter().filter(|it| is_repeated(it)).copied().collect();
    if file.may_be_written_by_a_variable(&in_loops) {
        return Writes::Perhaps;
    }
    if file.is_written(&tokens) { Writes::Once } else { Writes::Never }
}

/// A file, in a script that may write it.
struct WrittenFile<'p, 's> {
    path: &'p str,
    name: &'p str,
    variables: Variables<'s>,
}

impl WrittenFile<'_, '_> {
    /// Whether a whole path is its path.
    fn is_at(&self, target: &str) -> bool {
        target.strip_suffix(self.path).is_some_and(|it| it.is_empty() || it.ends_with('/'))
    }

    /// Whether one of these commands writes it for certain.
    fn is_written(&self, tokens: &[ShellToken<'_>]) -> bool {
        let is_this = |word: &ShellToken<'_>| {
            let values = self.variables.values(word.text);
            values.is_some_and(|it| it.iter().any(|it| self.is_at(it)))
        };
        let by_a_program = |command: Vec<ShellToken<'_>>| match program(&command) {
            Some(("tee", files)) => files.iter().any(is_this),
            Some(("cp" | "mv" | "install", files)) => files.last().is_some_and(is_this),
            _ => false,
        };
        targets(tokens).any(is_this) || commands(tokens).any(by_a_program)
    }

    /// Whether these commands may write it as a file that only a variable names.
    fn may_be_written_by_a_variable(&self, tokens: &[ShellToken<'_>]) -> bool {
        let may_be_this = |word: &ShellToken<'_>| {
            let values = || self.variables.values(word.text);
            word.text.contains(['$', '`'])
                && values().is_none_or(|it| it.iter().any(|it| self.is_at(it)))
        };
        let by_a_program = |command: Vec<ShellToken<'_>>| {
            program(&command).is_some_and(|(name, arguments)| {
                WRITERS.contains(&name) && arguments.iter().any(may_be_this)
            })
        };
        let by_a_sign = |pair: &[ShellToken<'_>]| {
            let is_redirection =
                matches!(pair[0].kind, ShellTokenKind::Write | ShellTokenKind::Redirect);
            is_redirection && pair[0].text.contains('>') && may_be_this(&pair[1])
        };
        tokens.windows(2).any(by_a_sign) || commands(tokens).any(by_a_program)
    }

    /// Whether a script may name it, or any file by a variable, in what is no word of a command: in
    /// a here-document, or in a quoted text of several words, which something may run.
    fn may_be_named_apart(&self, script: &str, tokens: &[ShellToken<'_>]) -> bool {
        let printed = printed_words(tokens);
        let mut end = 0;
        for token in tokens {
            // Of one line is a comment.
            let between = &script[end..token.at];
            if between.contains('\n') && self.may_be_named_in(between) {
                return true;
            }
            if token.is_word() && token.text.contains(char::is_whitespace) {
                let is_printed = printed.iter().any(|it| it.at == token.at);
                let text = quoted_text(token.text).map_or(unquoted(token.text), |it| it.0);
                let is_named = if is_printed {
                    self.may_be_written_in_printed(&text)
                } else {
                    self.may_be_named_in(&text)
                };
                if is_named {
                    return true;
                }
            }
            end = token.end();
        }
        script[end..].contains('\n') && self.may_be_named_in(&script[end..])
    }

    /// Whether a text that something may run names it, or writes a file by a variable.
    fn may_be_named_in(&self, text: &str) -> bool {
        let by_a_variable = tokens(text).map_or_else(
            || text.contains('>') && text.contains(['$', '`']),
            |it| self.may_be_written_by_a_variable(&it),
        );
        has_word(text, self.name) || by_a_variable || self.may_be_substituted(text)
    }

    /// Whether a command substitution in a text may write it by a variable.
    fn may_be_substituted(&self, text: &str) -> bool {
        substitutions(text)
            .any(|it| tokens(it).is_none_or(|it| self.may_be_written_by_a_variable(&it)))
    }

    /// Whether a text that is only printed holds a command that writes it, as a line of a crontab
    /// does: `> /data/id`. `<p>id</p>` is none.
    fn may_be_written_in_printed(&self, text: &str) -> bool {
        let is_this = |rest: &str| {
            let rest = rest.trim_start();
            let is_end = |it: char| it.is_whitespace() || "<>;&|)\"'`".contains(it);
            let target = rest.split(is_end).next().unwrap_or(rest);
            target.contains('/') && has_word(target, self.name)
        };
        text.split('>').skip(1).any(is_this) || self.may_be_substituted(text)
    }
}

/// The words behind `>` and `>>`.
fn targets<'t, 's>(tokens: &'t [ShellToken<'s>]) -> impl Iterator<Item = &'t ShellToken<'s>> {
    let pairs = tokens.windows(2).filter(|it| it[0].is_write_or_append() && it[1].is_word());
    pairs.map(|it| &it[1])
}

/// Whether a script runs another one that it does not hold: `. /etc/profile`, `sh /scripts/loop.sh`,
/// `exec "$@"`, also in a text that it runs: `eval "$BEAT"`.
fn runs_another_script(script: &[ShellToken<'_>]) -> bool {
    let in_a_text = || {
        let texts = inner_scripts(script);
        texts.iter().any(|it| tokens(&it.text).is_none_or(|it| runs_a_script_by_path(&it)))
    };
    runs_a_script_by_path(script) || in_a_text()
}

/// The same, of the commands that stand in no quotes.
fn runs_a_script_by_path(tokens: &[ShellToken<'_>]) -> bool {
    let is_variable = |it: Option<&ShellToken<'_>>| {
        it.is_some_and(|it| it.text.trim_start_matches('"').starts_with(['$', '`']))
    };
    commands(tokens).any(|command| {
        let Some((name, arguments)) = program(&command) else { return false };
        let first = unquoted(command[command.len() - arguments.len() - 1].text);
        let is_by_path = first.contains('/') && !PROGRAMS.iter().any(|it| first.starts_with(it));
        let runs_a_text = arguments.first().is_some_and(|it| runs_a_script(&first, it.text));
        let reads_a_file = is_shell(name) && !arguments.is_empty() && !runs_a_text;
        let runs_a_variable = match name {
            "eval" => is_variable(arguments.first()),
            _ => runs_a_text && is_variable(arguments.get(1)),
        };
        let is_profile =
            |it: &[ShellToken<'_>]| it.len() == 1 && PROFILES.contains(&&*unquoted(it[0].text));
        let has_ending = [".sh", ".bash"].iter().any(|it| first.ends_with(it));
        is_by_path
            || has_ending
            || reads_a_file
            || runs_a_variable
            || matches!(name, "." | "source") && !is_profile(arguments)
            || first.starts_with(['$', '`'])
    })
}

#[cfg(test)]
mod tests {
    use super::{
        Writes::{Never, Once, Perhaps},
        writes, writes_of_words,
    };
    use crate::shell::has_word;

    /// Catches a file that each start writes and that passes for a heartbeat.
    #[test]
    fn a_command_in_no_loop_writes_once() {
        for script in [
            "date > id",
            "date >> /data/id",
            "date > \"/data/id\"",
            "{ hostname; date; } > /data/id; exec nginx",
            "until nslookup x; do sleep 1; done; date > /data/id",
            "for i in 1; do while a; do b; done; done; date > /data/id; sleep infinity & wait",
            "[ -f /data/id ] || date > /data/id",
            "case $HOSTNAME in\n web-0) date > /data/id;;\n *) hostname > /data/id;;\nesac",
            "stop() { exit 0; }\ntrap stop TERM\ndate > /data/id\nwhile :; do sleep 1; done",
            "stop () (exit 0); (date > /data/id)",
            "trap 'exit 0' TERM; # id\ndate > /data/id",
            "date > /data/id; while :; do cat /data/my-id; done > /data/log",
            "if a; then date > /data/id; fi; sh -c 'sleep 1'",
            "date > /data/id; exec /usr/sbin/nginx -g 'daemon off;'",
        ] {
            assert_eq!(writes(script, "id"), Once, "{script}");
        }
        assert_eq!(writes("date > /data/a/id", "a/id"), Once);
    }

    /// Catches a plain script that is taken for one that may write at any time, because it prints a
    /// text with `>`, or names the file by a variable, in a function or to a program.
    #[test]
    fn a_plain_script_writes_once() {
        for script in [
            "echo \"<h1>Pod: $HOSTNAME</h1>\" > /data/pod; date > /data/id",
            "echo \"<h1>$HOSTNAME</h1>\" > /data/pod; date > /data/id",
            "echo \"<p>id $(date)</p>\" > /data/id",
            "echo \"<p>id</p> of $HOSTNAME\" > /data/id",
            "echo \"-> starting on $HOSTNAME\"; date > /data/id",
            "printf '%s -> %s: its id\\n' \"$HOSTNAME\" up; date > /data/id",
            "D=/data; date > $D/id",
            "export D=\"/data\" E=/log\ndate > \"${D}/id\"",
            "D=/data; date > $D/id; while a; do date > $D/beat; done",
            "date | tee /data/id",
            "date > /data/id.tmp; mv /data/id.tmp /data/id",
            "main() {\nhostname > /data/pod\ndate > /data/id\n}\nmain\nsleep 1 & wait",
            "one() { date > /data/id; }; main() { one; }; main \"$@\"",
            ". /etc/profile\ndate > /data/id",
            "for i in pod; do hostname > /data/$i; done; date > /data/id",
        ] {
            assert_eq!(writes(script, "id"), Once, "{script}");
        }
        assert_eq!(writes("echo \"At: $(date)\" > /data/date", "date"), Once);
    }

    /// Catches a text, a function or a variable that passes for a plain one.
    #[test]
    fn what_may_run_again_is_no_plain_script() {
        for script in [
            "echo \"while a; do date > id; done\" | sh; date > id",
            "{ echo \"while a; do date > id; done\"; } | sh; date > id",
            "echo \"* * * * * date > /data/id\" > /etc/crontabs/root; crond; date > /data/id",
            "date > id; echo \"$(while b; do date > $F; done)\"",
            "beat() { date > /data/id; }; beat; trap beat HUP",
            "beat() { date > /data/id; }; trap beat HUP",
            "beat() { date > /data/id; sleep 5; beat; }; beat",
            "one() { date > /data/id; }; two() { one; }; while a; do two; done",
            "D=/data; read D; date > /data/id; while a; do date > $D; done",
            "N=d; date > /data/id; while a; do date > /data/i$N; done",
            "for i in 1 2; do date > /data/id; done",
            "date > /data/id; eval \"$BEAT\"",
            "date > /data/id; eval $BEAT",
            "date > /data/id; sh -c \"$BEAT\"",
            "date > /data/id; sh -c $BEAT &",
            "date > /data/id; sh -c './beat &'",
        ] {
            assert_eq!(writes(script, "id"), Perhaps, "{script}");
        }
    }

    /// Catches a heartbeat of `watch` in a container's own command that passes for a script.
    #[test]
    fn only_a_shell_runs_a_word_once() {
        let script = "date > /data/id";
        for words in
            [&["sh", "-c", script][..], &["tini", "--", "/bin/sh", "-ec", script], &["-c", script]]
        {
            assert_eq!(writes_of_words(words, "id"), Once, "{words:?}");
        }
        assert_eq!(writes_of_words(&["watch", "-n", "5", script], "id"), Perhaps);
        assert_eq!(writes_of_words(&["/scripts/loop"], "id"), Perhaps);
        assert_eq!(writes_of_words(&["nginx", "-g", "daemon off;"], "id"), Never);
        assert_eq!(writes_of_words(&[], "id"), Never);
    }

    /// Catches a heartbeat that is taken for a file of a start, because its loop does not name it, or
    /// is none of `while`.
    #[test]
    fn what_may_be_written_again_is_not_written_once() {
        for script in [
            // In a loop of any kind, or behind it.
            "while a; do date > id; done",
            "date > id; until a; do date > id; done",
            "while a; do for i in 1; do b; done; date > id; done",
            "while a; do date; done | tee log > id",
            "cd /data; for i in $(seq 1 100000); do date > id; done",
            "select i in 1; do date > id; done",
            "if a; then while b; do date > id; done; fi",
            // In a function.
            "beat() { date > /data/id; }; while :; do beat; done",
            "beat () (date > /data/id); while :; do beat; done",
            "beat() while :; do date > /data/id; done; date > /data/id; beat",
            "function beat { date > /data/id; }; date > /data/id; beat",
            // By a variable.
            "F=/data/id; while sleep 10; do date > $F; done",
            "date > /data/id; while sleep 10; do date > \"$F\"; done",
            "date > /data/id; beat() { date > \"$1\"; }; while a; do beat $F; done",
            "date > /data/id; while a; do date | tee $F; done",
            "date > /data/id; while a; do date &> $F; done",
            // In a text that something runs.
            "watch -n 10 'date > /data/id'",
            "date > id; sh -c 'while a; do date > id; done' &",
            "date > id; sh -c 'while a; do date > $F; done' &",
            "cat > b <<'E'\nwhile a; do date > id; done\nE\nsh -c ./b; date > id",
            "date > id; a \"$(while b; do date > id; done)\"",
            // By a script from elsewhere.
            "date > /data/id; exec /scripts/loop.sh",
            "date > /data/id; sh /scripts/loop",
            "date > /data/id; bash -x loop",
            "date > /data/id; . /etc/beat",
            "date > /data/id; exec \"$@\"",
            "/scripts/loop",
            // Nobody knows where its parts end.
            "date > /data/id; echo it's up",
            "date > /data/id; done",
        ] {
            assert_eq!(writes(script, "id"), Perhaps, "{script}");
        }
    }

    #[test]
    fn a_script_that_names_another_file_never_writes_this_one() {
        for script in ["", "-c", "/bin/sh", "date > /data/ids", "cat /data/id", "date > $F/id"] {
            assert_eq!(writes(script, "id"), Never, "{script}");
        }
        assert_eq!(writes("date > /data/id", "a/id"), Never);
    }

    #[test]
    fn a_word_is_whole() {
        for text in ["id", "date > /data/id", "cat id;", "\"id\""] {
            assert!(has_word(text, "id"), "{text}");
        }
        for text in ["sleep inside", "web-id", "id.txt", "my_id", "ids"] {
            assert!(!has_word(text, "id"), "{text}");
        }
    }
}
