//! Loops of a script, in which a heartbeat is written.

use std::ops::Range;

use crate::shell::{ShellToken, ShellTokenKind, commands::quoted_text, is_before_command, tokens};

/// The parts of a script that run again and again: each `while` and `until` loop that stands in no
/// other one, with what its output goes to behind its `done`. Those of texts within it follow, in
/// quotes and of here-documents: they may be run, too.
///
/// `None` where one of them cannot be cut for certain.
#[must_use]
pub fn loops(script: &str) -> Option<Vec<String>> {
    let tokens = tokens(script)?;
    let mut found = own_loops(script, &tokens);
    let mut end = 0;
    for token in &tokens {
        found.extend(loops_between(script, end..token.at)?);
        end = token.end();
        let is_more_than_a_word = token.text.contains(['\'', '"', '`', '(']);
        match quoted_text(token.text) {
            Some((text, _)) => found.extend(loops_of_text(&text)?),
            None if is_more_than_a_word && may_hold_a_loop(token.text) => return None,
            None => {}
        }
    }
    found.extend(loops_between(script, end..script.len())?);
    Some(found)
}

/// Between two tokens stand blanks, a comment, which is one line, or the lines of a here-document.
fn loops_between(script: &str, range: Range<usize>) -> Option<Vec<String>> {
    let is_all = range.len() == script.len();
    let text = &script[range];
    if is_all || !text.contains('\n') { Some(vec![]) } else { loops_of_text(text) }
}

fn loops_of_text(text: &str) -> Option<Vec<String>> {
    if may_hold_a_loop(text) { loops(text) } else { Some(vec![]) }
}

/// Whether a text has the words of a loop.
fn may_hold_a_loop(text: &str) -> bool {
    let has = |word: &str| text.split(|it: char| !it.is_alphanumeric()).any(|it| it == word);
    has("done") && (has("while") || has("until"))
}

fn own_loops(script: &str, tokens: &[ShellToken<'_>]) -> Vec<String> {
    let mut found = vec![];
    // Where each loop began that is open, and whether it is one that may never end.
    let mut open: Vec<(usize, bool)> = vec![];
    // Where the loop began whose `done` has come, and whose output may go somewhere.
    let mut done: Option<usize> = None;
    let (mut is_first, mut end) = (true, 0);
    for token in tokens {
        if token.kind == ShellTokenKind::End && token.text != "|" {
            found.extend(done.take().map(|begin| script[begin..end].to_owned()));
        }
        match token.text {
            "while" | "until" if is_first => open.push((token.at, true)),
            "for" | "select" if is_first => open.push((token.at, false)),
            "done" if is_first => {
                let ended = open.pop().filter(|(_, may_never_end)| *may_never_end);
                let is_within = open.iter().any(|(_, may_never_end)| *may_never_end);
                done = ended.filter(|_| !is_within).map(|(begin, _)| begin);
            }
            _ => {}
        }
        is_first = token.kind == ShellTokenKind::End || is_before_command(token);
        end = token.end();
    }
    found.extend(done.map(|begin| script[begin..end].to_owned()));
    found
}

#[cfg(test)]
mod tests {
    use super::loops;

    /// Catches what is written behind a loop, taken for what is written in it.
    #[test]
    fn a_loop_ends_at_its_done() {
        for (script, expected) in [
            ("until nslookup x; do sleep 1; done; date > id", "until nslookup x; do sleep 1; done"),
            ("a\nwhile :\ndo\n b\ndone\nc", "while :\ndo\n b\ndone"),
            (
                "while a; do for i in 1; do b; done; c; done; d",
                "while a; do for i in 1; do b; done; c; done",
            ),
            (
                "while a; do until b; do c; done; d; done; e",
                "while a; do until b; do c; done; d; done",
            ),
            ("while a; do b; done | tee log 2>&1; c", "while a; do b; done | tee log 2>&1"),
            ("(while a; do b; done) > log", "while a; do b; done"),
            ("while a; do echo \"done\"; b; done & c", "while a; do echo \"done\"; b; done"),
            ("sh -c 'while a; do b; done' & c", "while a; do b; done"),
            ("while a; do echo done; b; done || c", "while a; do echo done; b; done"),
            ("while a; do # not done\n b; done; c", "while a; do # not done\n b; done"),
            (
                "sh -c \"while a; do echo \\\"done\\\"; b; done\"",
                "while a; do echo \"done\"; b; done",
            ),
            ("if a; then while b; do c; done; fi", "while b; do c; done"),
            ("for i in 1; do while a; do b; done; c; done", "while a; do b; done"),
            ("cat <<E\nwhile a; do\nE\nwhile b; do c; done > f", "while b; do c; done > f"),
            // What is only written may be run later.
            ("cat > b <<'E'\nwhile a; do b; done\nE\nsh b", "while a; do b; done"),
            ("echo 'while a; do b; done' > b; sh b &", "while a; do b; done"),
            ("cat > b <<'E'\n#!/bin/sh\nwhile a; do b; done\nE\nsh b", "while a; do b; done"),
            ("sh -c '# a\nwhile a; do b; done' &", "while a; do b; done"),
            ("su app -c \"sh -c \\\"while a; do b; done\\\"\"", "while a; do b; done"),
        ] {
            assert_eq!(loops(script).unwrap(), [expected], "{script}");
        }
        let two = "while a; do b; done; c; until d; do e; done > f";
        assert_eq!(loops(two).unwrap(), ["while a; do b; done", "until d; do e; done > f"]);
        for script in [
            "",
            "done",
            "while",
            "for i in 1 2; do a; done",
            "echo while you wait; a; done",
            "echo \"while you wait\"; for i in 1; do a; done",
            "meanwhile a; do b; done",
            "sh -c \"echo \\\"it's up\\\"\"",
            "a # while b; do c; done\nd",
            "# while b; do c; done",
            "\\\n# while b; do c; done",
            "echo '# while b; do c; done'",
            "\\é while",
        ] {
            assert_eq!(loops(script), Some(vec![]), "{script}");
        }
        // Nobody knows what stands in a quote that does not end, also within another script.
        for script in ["'", "\"'", "sh -c 'while echo \"; do a; done'", "a$(while b; do c; done)"] {
            assert_eq!(loops(script), None, "{script}");
        }
    }
}
