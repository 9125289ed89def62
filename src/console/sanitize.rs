//! Text that comes from a cluster or a file, made harmless for terminals and logs.

use std::fmt::Write as _;

/// The most characters that one piece of untrusted text may take where it is shown.
pub const MAX_SHOWN_CHARS: usize = 600;

/// Escapes what could move a cursor, hide or reorder text: control characters, bidirectional
/// overrides and isolates, zero-width and other invisible characters, line and paragraph
/// separators. `##`, by which commands to some CI systems begin (`##[…]`, `##vso[…]`), is broken
/// up.
///
/// The result is one line. Nothing is cut: see [`sanitize`].
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_harmful(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            '#' if out.ends_with('#') && is_command(&text[at + 1..]) => out.push_str("\\#"),
            c => out.push(c),
        }
    }
    out
}

/// Whether what follows `##` makes it a command: a word, perhaps, and a bracket.
fn is_command(rest: &str) -> bool {
    rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).starts_with('[')
}

/// A line of output, which no CI system takes for a command: one that begins with `::` does so
/// behind a backslash.
#[must_use]
pub fn line(text: &str) -> String {
    let rest = text.trim_start();
    let (indent, slash) =
        (&text[..text.len() - rest.len()], if rest.starts_with("::") { "\\" } else { "" });
    format!("{indent}{slash}{rest}")
}

/// Escapes as [`escape`] does and cuts at `most` characters, with an ellipsis for the rest.
#[must_use]
pub fn clip(text: &str, most: usize) -> String {
    let mut rest = text.chars();
    let head: String = rest.by_ref().take(most).collect();
    let mut out = escape(&head);
    if rest.next().is_some() {
        out.push('…');
    }
    out
}

/// Escapes as [`escape`] does and takes what is more than `most` characters out of the middle, with
/// an ellipsis for it.
///
/// What an API server says begins with the object and ends with the reason, and may quote whole
/// structs between them.
#[must_use]
pub fn clip_middle(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return escape(text);
    }
    let head = most / 3;
    let first: String = text.chars().take(head).collect();
    let last: String = text.chars().skip(count - (most - head)).collect();
    format!("{}…{}", escape(&first), escape(&last))
}

/// Escapes as [`escape`] does and leaves [`MAX_SHOWN_CHARS`] characters, as [`clip_middle`] does.
#[must_use]
pub fn sanitize(text: &str) -> String {
    clip_middle(text, MAX_SHOWN_CHARS)
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What a formula begins with, in the full width of East Asian text, too.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
/// Where some spreadsheet or other begins a new cell.
const SEPARATORS: [char; 5] = [';', ',', '\t', '\r', '\n'];

/// A field of which no spreadsheet takes anything for a formula, wherever it splits it. A hyphen
/// alone is none.
#[must_use]
pub fn spreadsheet_field(field: &str) -> String {
    if field == "-" {
        return field.to_owned();
    }
    let mut out = String::with_capacity(field.len() + 1);
    if field.starts_with(['\t', '\r', '\'']) {
        out.push('\'');
    }
    let mut begins_cell = true;
    for c in field.chars() {
        if begins_cell && FORMULA.contains(&c) {
            out.push('\'');
        }
        // A quote or a blank may be taken away before the cell is looked at.
        begins_cell = SEPARATORS.contains(&c) || begins_cell && (c == '"' || c.is_whitespace());
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{clip, clip_middle, escape, line, sanitize, spreadsheet_field};

    #[test]
    fn ordinary_text_of_any_script_stays() {
        for text in ["web-1 was added 2.1 s before", "größer", "日本語", "👍🏽", ""] {
            assert_eq!(escape(text), text);
        }
    }

    #[test]
    fn control_characters_are_spelt() {
        assert_eq!(escape("a\x1b[31mb\x07\0\u{9b}c"), "a\\u{1b}[31mb\\u{7}\\u{0}\\u{9b}c");
        assert_eq!(escape("one\ntwo\r\n\tthree"), "one\\ntwo\\r\\n\\tthree");
    }

    #[test]
    fn bidirectional_and_invisible_characters_are_spelt() {
        assert_eq!(
            escape("\u{202e}evil\u{2069}\u{200b}\u{feff}\u{2028}\u{2029}"),
            "\\u{202e}evil\\u{2069}\\u{200b}\\u{feff}\\u{2028}\\u{2029}"
        );
    }

    /// Catches a log line that sets a variable of the job that prints it.
    #[test]
    fn no_line_is_a_command_to_ci() {
        assert_eq!(line("  ::set-env name=A::b"), "  \\::set-env name=A::b");
        assert_eq!(line("fe80::1 answers"), "fe80::1 answers");
        assert_eq!(
            escape("##[error] ##vso[task.complete] ###"),
            "#\\#[error] #\\#vso[task.complete] ###"
        );
        // A shell's own words stay as they can be pasted.
        assert_eq!(escape("${HOSTNAME##*-}"), "${HOSTNAME##*-}");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(clip("äöü", 2), "äö…");
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(sanitize(&"x".repeat(10_000)).chars().count(), super::MAX_SHOWN_CHARS + 1);
    }

    /// Catches a message that is cut before its reason.
    #[test]
    fn long_text_keeps_its_beginning_and_its_end() {
        assert_eq!(clip_middle("äöüabcdef", 6), "äö…cdef");
        assert_eq!(clip_middle("äöüabc", 6), "äöüabc");
        let said = format!(
            "Service \"web\" is invalid: spec: Invalid value: {}: field is immutable",
            "x".repeat(10_000)
        );
        assert!(
            sanitize(&said).starts_with("Service \"web\" is invalid")
                && sanitize(&said).ends_with(": field is immutable")
        );
    }

    /// Catches a formula that runs because a spreadsheet splits a field at another sign than a
    /// comma, and ordinary text that changes.
    #[test]
    fn no_part_of_a_field_is_a_formula() {
        for (field, safe) in [
            ("=1+1", "'=1+1"),
            ("X;=HYPERLINK(\"a\")", "X;'=HYPERLINK(\"a\")"),
            ("X,@SUM(A1)", "X,'@SUM(A1)"),
            ("X\t+1", "X\t'+1"),
            ("X\r\n-1", "X\r\n'-1"),
            ("X; \"=1\"", "X; \"'=1\""),
            ("＝1", "'＝1"),
            ("\t=1", "'\t'=1"),
            ("'=1", "''=1"),
            ("-", "-"),
            ("a-b = c; d+e, f@g", "a-b = c; d+e, f@g"),
        ] {
            assert_eq!(spreadsheet_field(field), safe, "{field}");
        }
    }
}
