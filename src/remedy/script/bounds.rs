//! Where the commands of a script begin and end.

use checks::shell::{CLOSING, ShellToken, ShellTokenKind, is_before_command};

/// Where the command ends that the token at `place` belongs to.
pub(super) fn end_of_command(tokens: &[ShellToken<'_>], place: usize) -> usize {
    let is_within = |it: &&ShellToken<'_>| it.kind != ShellTokenKind::End;
    let rest = tokens[place..].iter().take_while(is_within);
    rest.last().map_or(0, ShellToken::end)
}

/// Where the command begins that the redirection at `place` belongs to. A pipe is one command for
/// this purpose: what is written is all of it.
pub(super) fn command_start(tokens: &[ShellToken<'_>], mut place: usize) -> Option<usize> {
    loop {
        let first = first_word(tokens, place)?;
        // A pipe goes on in the next line.
        let above = tokens[..first].iter().rposition(|it| it.text != "\n");
        match above.filter(|it| tokens[*it].text == "|") {
            Some(pipe) => place = pipe,
            None => return Some(tokens[first].at),
        }
    }
}

/// The place of the first word of the command that the token at `place` belongs to or ends; where
/// that closes a group, of the word that opens it.
fn first_word(tokens: &[ShellToken<'_>], place: usize) -> Option<usize> {
    let is_end = |it: &ShellToken<'_>| it.kind == ShellTokenKind::End;
    let mut first = tokens[..place].iter().rposition(is_end).map_or(0, |it| it + 1);
    // A redirection behind `)` is of all that it closes.
    let closes =
        |at: usize| tokens[at].text == ")" && !tokens.get(at + 1).is_some_and(ShellToken::is_word);
    while is_before_command(tokens.get(first)?) && !closes(first) {
        first += 1;
    }
    match CLOSING.iter().find(|(close, _)| tokens[first].text == *close) {
        Some((close, open)) => opening(tokens, first, close, open),
        None => Some(first),
    }
}

/// The place of the word that opens what is closed at `place`; of a loop, that of its first word.
fn opening(tokens: &[ShellToken<'_>], place: usize, close: &str, open: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens[..=place].iter().enumerate().rev() {
        if token.text == close {
            depth += 1;
        } else if token.text == open {
            depth -= 1;
            if depth == 0 {
                let mut above = tokens[..at].iter();
                let first = above.rposition(|it| matches!(it.text, "for" | "while" | "until"));
                return if open == "do" { first } else { Some(at) };
            }
        }
    }
    None
}
