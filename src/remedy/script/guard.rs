//! Which commands take a guard before them, `[ -f FILE ] ||`, so that they are run at the first start
//! alone.

use std::ops::Range;

use checks::shell::{self, CLOSING, Paths, ShellToken, ShellTokenKind, commands};

/// Programs that come to their end, and words that begin what does.
const SHORT: &str = "for do read echo printf hostname date cat uname id env ls head wc sed awk grep cut \
    tr sort seq uptime md5sum sha256sum true";

/// Commands that keep no container running.
const PASSING: &str = "wait exit return trap [ [[ test set kill chmod chown mkdir touch rm : false";

/// Whether a command writes the same whenever it runs in a pod: its name, and fixed words.
pub(super) fn is_the_same_each_time(command: &str) -> bool {
    const FIXED: [&str; 6] =
        ["$(hostname)", "`hostname`", "${HOSTNAME}", "$HOSTNAME", "${POD_NAME}", "$POD_NAME"];
    let words = FIXED.iter().fold(command.to_owned(), |it, fixed| it.replace(fixed, ""));
    let mut program = words.split_whitespace();
    match (program.next(), program.next()) {
        // With a flag it may tell the address, which each pod has anew.
        (Some("hostname"), arguments) => arguments.is_none(),
        (Some("echo" | "printf"), _) => {
            !words.contains(['$', '`', '|', ';', '&', '\n', '*', '?', '['])
        }
        _ => false,
    }
}

/// Whether a command must run at each start, because the container may end without it: it has a
/// loop, takes the shell's place or waits, or nothing that lasts stands behind it, and it may be a
/// server.
pub(super) fn must_run(tokens: &[ShellToken<'_>], command: Range<usize>) -> bool {
    const LASTING: [&str; 6] = ["while", "until", "exec", "sleep", "wait", "tail"];
    let own = &tokens[command.clone()];
    for (place, token) in own.iter().enumerate() {
        // That loop ends with what it reads.
        let is_reading = own.get(place + 1).is_some_and(|it| it.text == "read");
        if LASTING.contains(&token.text) && !is_reading {
            return true;
        }
    }
    let behind = tokens[command.end..].iter().position(|it| it.kind == ShellTokenKind::End);
    let rest = behind.map_or(&[][..], |it| &tokens[command.end + it..]);
    let is_passing = |it: &[ShellToken<'_>]| {
        let (name, _) = shell::program(it).unwrap_or_default();
        ends_by_itself(name) || PASSING.split(' ').any(|it| it == name) || is_function(tokens, name)
    };
    let is_last = commands(rest).filter(|it| !it.is_empty()).all(|it| is_passing(&it));
    let mut programs = commands(own).filter(|it| !it.is_empty());
    is_last && !programs.all(|it| ends_by_itself(shell::program(&it).unwrap_or_default().0))
}

/// Whether a program by this name comes to its end, or the word closes what another began.
fn ends_by_itself(name: &str) -> bool {
    SHORT.split(' ').any(|it| it == name) || CLOSING.iter().any(|(close, _)| *close == name)
}

/// Whether the script has a function of that name: `start() { … }`.
fn is_function(tokens: &[ShellToken<'_>], name: &str) -> bool {
    tokens.windows(2).any(|it| it[0].text == name && it[1].text == "(" && it[0].end() == it[1].at)
}

/// Whether the commands of a script before this place make a file at each start: by writing to it,
/// or by `touch`. What stands in a branch, a loop or a function may not be run before it.
pub(super) fn makes(paths: &Paths<'_, '_>, place: usize, file: &ShellToken<'_>) -> bool {
    let (tokens, path) = (paths.tokens, paths.of_word(file));
    let mut depth = 0_usize;
    let mut is_made = false;
    let mut is_first = true;
    let mut program = "";
    for (at, token) in tokens[..place].iter().enumerate() {
        match token.text {
            "if" | "case" | "do" | "{" | "(" if is_first => depth += 1,
            "fi" | "esac" | "done" | "}" | ")" if is_first => depth = depth.saturating_sub(1),
            _ => {}
        }
        if is_first && token.is_word() {
            program = token.text;
        }
        let is_target = at > 0 && tokens[at - 1].is_write_or_append();
        let may_be_made = depth == 0 && token.is_word() && (is_target || program == "touch");
        is_made |= may_be_made && paths.of_word(token) == path;
        is_first = token.kind == ShellTokenKind::End || shell::is_before_command(token);
    }
    is_made && depth == 0
}
