//! Which commands take a guard before them, `[ -f FILE ] ||`, so that they are run at the first start
//! alone.

use std::ops::Range;

use checks::shell::{self, CLOSING, ShellToken, ShellTokenKind, commands, unquoted};

/// Programs that come to their end, and words that begin what does.
const SHORT: &str = "for do read echo printf hostname date cat uname id env ls head wc sed awk grep cut \
    tr sort seq uptime md5sum sha256sum true";

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
/// loop, takes the shell's place or waits, or it is the last one and may be a server.
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
    let is_short = |it: &Vec<ShellToken<'_>>| {
        let (name, _) = shell::program(it).unwrap_or_default();
        SHORT.split(' ').any(|it| it == name) || CLOSING.iter().any(|(close, _)| *close == name)
    };
    // Behind the redirection and its file.
    let rest = tokens.get(command.end + 2..).unwrap_or_default();
    let is_last = !commands(rest).any(|it| !it.is_empty() && !is_short(&it));
    is_last && !commands(own).filter(|it| !it.is_empty()).all(|it| is_short(&it))
}

/// Whether one of these commands makes a file: by writing to it, or by `touch`.
pub(super) fn makes(tokens: &[ShellToken<'_>], file: &str) -> bool {
    let is_it = |it: &ShellToken<'_>| unquoted(it.text) == unquoted(file);
    let is_written = tokens.windows(2).any(|pair| {
        (pair[0].kind == ShellTokenKind::Write || pair[0].text == ">>") && is_it(&pair[1])
    });
    is_written
        || commands(tokens).any(|it| {
            let program = shell::program(&it);
            program.is_some_and(|(name, arguments)| name == "touch" && arguments.iter().any(is_it))
        })
}
