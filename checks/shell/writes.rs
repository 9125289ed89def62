//! When a script writes a file: surely once, as it starts, or perhaps again and again, as a
//! heartbeat is written.

use std::ops::Range;

use crate::shell::{
    ShellToken, ShellTokenKind,
    commands::{commands, is_before_command, program, unquoted},
    is_shell, runs_a_script, tokens,
};

/// Programs that write a file that is their argument.
const WRITERS: [&str; 5] = ["tee", "cp", "mv", "dd", "install"];
/// Folders of the programs that come with an image. What lies elsewhere may be a script.
const PROGRAMS: [&str; 3] = ["/bin/", "/sbin/", "/usr/"];

/// When a script writes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// It does not, nor does anything that it runs, as far as its text tells.
    Never,
    /// When it comes to that command, which it does once at most.
    Once,
    /// Perhaps at any time, for all that its text tells: the file is named in a loop, in a function
    /// or in a text that may be run, or what the script runs, or writes by a variable, may be it.
    Perhaps,
}

/// When a script writes the file at the end of this path.
#[must_use]
pub fn writes(script: &str, path: &str) -> Writes {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some(tokens) = tokens(script) else { return Writes::Perhaps };
    let Some(repeated) = repeated(&tokens) else { return Writes::Perhaps };
    if runs_another_script(&tokens) || may_be_named_apart(script, &tokens, name) {
        return Writes::Perhaps;
    }
    let is_repeated = |token: &ShellToken<'_>| repeated.iter().any(|it| it.contains(&token.at));
    for token in tokens.iter().filter(|it| it.is_word()) {
        let may_be_repeated = is_repeated(token) || token.text.contains('=');
        if may_be_repeated && has_word(token.text, name) {
            return Writes::Perhaps;
        }
    }
    let in_loops: Vec<_> = tokens.iter().filter(|it| is_repeated(it)).copied().collect();
    if writes_by_a_variable(&in_loops) {
        return Writes::Perhaps;
    }
    let is_path = |target: &str| {
        target.strip_suffix(path).is_some_and(|front| front.is_empty() || front.ends_with('/'))
    };
    let is_literal = |target: &str| !target.contains(['$', '`', '*', '?', '~']);
    let mut targets = targets(&tokens).map(|it| unquoted(it.text));
    if targets.any(|it| is_literal(&it) && is_path(&it)) { Writes::Once } else { Writes::Never }
}

/// The words behind `>` and `>>`.
fn targets<'t, 's>(tokens: &'t [ShellToken<'s>]) -> impl Iterator<Item = &'t ShellToken<'s>> {
    let pairs = tokens.windows(2).filter(|it| it[0].is_write_or_append() && it[1].is_word());
    pairs.map(|it| &it[1])
}

/// Whether these commands write to files that only a variable names.
fn writes_by_a_variable(tokens: &[ShellToken<'_>]) -> bool {
    let is_variable = |it: &ShellToken<'_>| it.text.contains(['$', '`']);
    let by_a_program = |command: Vec<ShellToken<'_>>| {
        program(&command).is_some_and(|(name, arguments)| {
            WRITERS.contains(&name) && arguments.iter().any(is_variable)
        })
    };
    let by_a_sign = |pair: &[ShellToken<'_>]| {
        let is_redirection =
            matches!(pair[0].kind, ShellTokenKind::Write | ShellTokenKind::Redirect);
        is_redirection && pair[0].text.contains('>') && is_variable(&pair[1])
    };
    tokens.windows(2).any(by_a_sign) || commands(tokens).any(by_a_program)
}

/// Whether a script may name a file, or any by a variable, in what is no word of a command: in a
/// here-document, or in a quoted text of several words, which something may run.
fn may_be_named_apart(script: &str, tokens: &[ShellToken<'_>], name: &str) -> bool {
    let may_name = |text: &str| {
        let writes_by_a_variable = text.contains('>') && text.contains(['$', '`']);
        has_word(text, name) || writes_by_a_variable
    };
    let mut end = 0;
    for token in tokens {
        // Of one line is a comment.
        let between = &script[end..token.at];
        if between.contains('\n') && may_name(between) {
            return true;
        }
        if token.text.contains(char::is_whitespace) && token.is_word() && may_name(token.text) {
            return true;
        }
        end = token.end();
    }
    script[end..].contains('\n') && may_name(&script[end..])
}

/// Whether a script runs another one that it does not hold: `. /etc/profile`, `sh /scripts/loop.sh`,
/// `exec "$@"`.
fn runs_another_script(tokens: &[ShellToken<'_>]) -> bool {
    commands(tokens).any(|command| {
        let Some((name, arguments)) = program(&command) else { return false };
        let first = unquoted(command[command.len() - arguments.len() - 1].text);
        let is_by_path = first.contains('/') && !PROGRAMS.iter().any(|it| first.starts_with(it));
        let runs_a_text = arguments.first().is_some_and(|it| runs_a_script(&first, it.text));
        let reads_a_file = is_shell(name) && !arguments.is_empty() && !runs_a_text;
        let has_ending = [".sh", ".bash"].iter().any(|it| first.ends_with(it));
        is_by_path
            || has_ending
            || reads_a_file
            || matches!(name, "." | "source")
            || first.starts_with(['$', '`'])
    })
}

/// What a script has begun and not ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// A loop, from where it begins.
    Loop(usize),
    /// A group in parentheses or in braces; where it is the body of a function, from where that
    /// begins.
    Group(Option<usize>),
    Case,
}

/// The parts of a script that may run more than once: loops of any kind, with what their output goes
/// to, and the bodies of functions. `None` where they cannot be told for certain.
fn repeated(tokens: &[ShellToken<'_>]) -> Option<Vec<Range<usize>>> {
    let mut found = vec![];
    let mut open: Vec<Opened> = vec![];
    // Where the loop began whose `done` has come, and whose output may go somewhere.
    let mut done: Option<usize> = None;
    // A function's name and parentheses have come.
    let mut is_named: Option<usize> = None;
    let (mut is_first, mut end) = (true, 0);
    for (place, token) in tokens.iter().enumerate() {
        if token.kind == ShellTokenKind::End && token.text != "|" {
            found.extend(done.take().map(|begin| begin..end));
        }
        let is_parenthesis = matches!(token.text, "(" | ")");
        match token.text {
            "(" if is_function(tokens, place) => is_named = Some(token.at),
            ")" if is_named.is_some_and(|at| is_empty_between(tokens, place, at)) => {}
            "{" | "(" if is_first || is_parenthesis => open.push(Opened::Group(is_named.take())),
            "}" | ")" if is_first || is_parenthesis => match open.last() {
                Some(Opened::Group(body)) => {
                    found.extend(body.map(|begin| begin..token.end()));
                    open.pop();
                }
                // The end of a pattern.
                Some(Opened::Case) if is_parenthesis => {}
                _ => return None,
            },
            "while" | "until" | "for" | "select" if is_first => open.push(Opened::Loop(token.at)),
            "done" if is_first => match open.pop() {
                Some(Opened::Loop(begin)) => done = Some(begin),
                _ => return None,
            },
            "case" if is_first => open.push(Opened::Case),
            "esac" if is_first => drop(open.pop().filter(|it| *it == Opened::Case)?),
            // The body of a function may be any command that holds others.
            _ if is_named.is_some() && token.is_word() => return None,
            _ => {}
        }
        is_first = token.kind == ShellTokenKind::End || is_before_command(token);
        end = token.end();
    }
    found.extend(done.map(|begin| begin..end));
    open.is_empty().then_some(found)
}

/// Whether the parenthesis at this place stands behind the name of a function: `beat()`.
fn is_function(tokens: &[ShellToken<'_>], place: usize) -> bool {
    let is_name = |it: &ShellToken<'_>| it.is_word() && !is_before_command(it);
    let next = tokens[place + 1..].iter().find(|it| !it.text.is_empty());
    place.checked_sub(1).is_some_and(|it| is_name(&tokens[it]))
        && next.is_some_and(|it| it.text == ")")
}

/// Whether nothing stands between the parenthesis at `at` and the one at this place.
fn is_empty_between(tokens: &[ShellToken<'_>], place: usize, at: usize) -> bool {
    let before = tokens[..place].iter().rfind(|it| !it.text.is_empty());
    before.is_some_and(|it| it.at == at)
}

/// Whether a text has a word, and not within another one.
fn has_word(text: &str, word: &str) -> bool {
    let goes_on = |it: char| it.is_alphanumeric() || "_-.".contains(it);
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(goes_on) && !text[at + word.len()..].starts_with(goes_on)
    })
}

#[cfg(test)]
mod tests {
    use super::{
        Writes::{Never, Once, Perhaps},
        has_word, writes,
    };

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
