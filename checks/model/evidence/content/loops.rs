//! Loops in a shell script, in which a heartbeat is written.

use std::ops::Range;

/// The parts of a script that run again and again: each outermost `while` and `until` loop, with
/// what its output goes to behind its `done`.
pub(crate) fn repeated_parts(script: &str) -> impl Iterator<Item = &str> {
    let mut found = vec![];
    Scan { script, found: &mut found }.all(0..script.len());
    found.into_iter().map(|it| &script[it])
}

/// Whether a text has a word, and not within another one.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let goes_on = |it: char| it.is_alphanumeric() || "_-.".contains(it);
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(goes_on) && !text[at + word.len()..].starts_with(goes_on)
    })
}

struct Scan<'s, 'f> {
    script: &'s str,
    /// The outermost loops so far, in their order.
    found: &'f mut Vec<Range<usize>>,
}

impl Scan<'_, '_> {
    /// Finds the loops in a part of the script. What stands in quotes is a script of its own, as
    /// in `sh -c '…'`, or a text that closes no loop around it.
    fn all(&mut self, part: Range<usize>) {
        let bytes = self.script.as_bytes();
        // Where each loop began that is open, and whether it is one that may never end.
        let mut open: Vec<(usize, bool)> = vec![];
        // Where the loop began whose `done` has come, and whose output may go somewhere.
        let mut done: Option<usize> = None;
        let mut is_command_next = true;
        let mut at = part.start;
        while at < part.end {
            let begin = at;
            at += 1;
            match bytes[begin] {
                b'\\' => at += 1,
                quote @ (b'\'' | b'"') => {
                    if let Some(length) = quoted_length(&bytes[at..part.end], quote) {
                        self.all(at..at + length);
                        at += length + 1;
                    }
                    is_command_next = false;
                }
                b' ' | b'\t' => {}
                b'#' if begin == part.start || is_between(bytes[begin - 1]) => {
                    let is_of_line = |it: &&u8| **it != b'\n';
                    at += bytes[at..part.end].iter().take_while(is_of_line).count();
                }
                b'&' if is_redirect(bytes, begin) => {}
                separator @ (b';' | b'\n' | b'&' | b'|' | b'(' | b')' | b'`') => {
                    let is_pipe = separator == b'|' && bytes.get(at) != Some(&b'|');
                    if !is_pipe && let Some(begin) = done.take() {
                        self.add(begin..at - 1);
                    }
                    is_command_next = true;
                }
                _ => {
                    let is_of_word = |it: &&u8| !is_between(**it) && !b"'\"\\".contains(*it);
                    at += bytes[at..part.end].iter().take_while(is_of_word).count();
                    if !is_command_next {
                        continue;
                    }
                    match &bytes[begin..at] {
                        b"while" | b"until" => open.push((begin, true)),
                        b"for" | b"select" => {
                            open.push((begin, false));
                            is_command_next = false;
                        }
                        b"done" => {
                            if let Some((begin, true)) = open.pop() {
                                done = Some(done.map_or(begin, |it| it.min(begin)));
                            }
                            is_command_next = false;
                        }
                        b"do" | b"then" | b"else" | b"elif" | b"if" | b"{" | b"!" => {}
                        _ => is_command_next = false,
                    }
                }
            }
        }
        if let Some(begin) = done {
            self.add(begin..part.end);
        }
    }

    fn add(&mut self, found: Range<usize>) {
        while self.found.last().is_some_and(|it| it.start >= found.start) {
            self.found.pop();
        }
        self.found.push(found);
    }
}

/// How long a quoted text is; `None` where no quote ends it.
fn quoted_length(text: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    while *text.get(at)? != quote {
        at += if quote == b'"' && text[at] == b'\\' { 2 } else { 1 };
    }
    Some(at)
}

/// Whether a byte stands between two words.
fn is_between(byte: u8) -> bool {
    b" \t\n;&|()`".contains(&byte)
}

/// Whether an `&` is a part of `>&` or `&>`, and ends no command.
fn is_redirect(bytes: &[u8], at: usize) -> bool {
    bytes.get(at + 1) == Some(&b'>') || at > 0 && bytes[at - 1] == b'>'
}

#[cfg(test)]
mod tests {
    use super::{has_word, repeated_parts};

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
            ("while a; do echo \"done\"; b; done & c", "while a; do echo \"done\"; b; done "),
            ("sh -c 'while a; do b; done' & c", "while a; do b; done"),
            ("while a; do echo done; b; done || c", "while a; do echo done; b; done "),
            ("while a; do # not done\n b; done; c", "while a; do # not done\n b; done"),
            (
                "sh -c \"while a; do echo \\\"done\\\"; b; done\"",
                "while a; do echo \\\"done\\\"; b; done",
            ),
            ("if a; then while b; do c; done; fi", "while b; do c; done"),
        ] {
            assert_eq!(repeated_parts(script).collect::<Vec<_>>(), [expected], "{script}");
        }
        let two = "while a; do b; done; c; until d; do e; done > f";
        let parts = ["while a; do b; done", "until d; do e; done > f"];
        assert_eq!(repeated_parts(two).collect::<Vec<_>>(), parts);
        for script in [
            "",
            "\\",
            "'",
            "\"'",
            "done",
            "while",
            "for i in 1 2; do a; done",
            "echo while you wait; a; done",
            "echo \"while you wait\"; for i in 1; do a; done",
            "meanwhile a; do b; done",
            "\\é while",
            "while a; do \\é",
        ] {
            assert_eq!(repeated_parts(script).count(), 0, "{script}");
        }
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
