//! The lines of a change as they are shown: those that come are copied into a manifest.

use crate::{
    console::sanitize::{clip, sanitize},
    remedy::change::{Change, Sign},
};

/// Characters of one line.
const MAX_LINE_CHARS: usize = 500;
/// What is shown in place of a tab before a line: a terminal copies none.
const SHOWN_TAB: &str = "  ";
/// Begins a text in a script whose lines lose the tabs before them, and no other blanks.
const TABBED_TEXT: &str = "<<-";

impl Change {
    /// With texts that are safe to show.
    #[must_use]
    pub fn sanitized(mut self) -> Self {
        self.object = sanitize(&self.object);
        self.file = self.file.map(|it| sanitize(&it));
        self.fields = self.fields.iter().map(|it| sanitize(it)).collect();
        for line in &mut self.lines {
            line.text = clip(&line.text, MAX_LINE_CHARS);
        }
        self
    }

    /// Whether each line that comes is shown as it must be written. One that is long, or has a
    /// character that cannot be shown, is not.
    #[must_use]
    pub fn can_be_pasted(&self) -> bool {
        let mut added = self.lines.iter().filter(|it| it.sign == Sign::Added);
        added.all(|it| clip(&it.text, MAX_LINE_CHARS) == it.text)
    }
}

/// A line with blanks in place of the tabs before its text, where these mean nothing to the shell
/// that reads `all`.
pub(super) fn with_shown_tabs(line: &str, all: &str) -> String {
    if all.contains(TABBED_TEXT) {
        return line.to_owned();
    }
    let inner = line.trim_start();
    line[..line.len() - inner.len()].replace('\t', SHOWN_TAB) + inner
}

#[cfg(test)]
mod tests {
    use crate::{
        recording::ManifestText,
        remedy::{
            change::{Change, of_text},
            manifest::Document,
        },
    };

    fn change(script: &str, edited: &str) -> Change {
        let read = |script: &str| Document::read(&format!("args:\n- |\n{script}")).unwrap();
        of_text(&ManifestText::default(), &read(script), &read(edited)).unwrap()
    }

    /// Catches a line that is printed with `\t`, and a line of a text whose tabs count.
    #[test]
    fn tabs_before_a_line_are_shown_as_blanks() {
        let change_of =
            |end: &str| change(&format!("  if a\n  \tb{end}\n"), &format!("  if a\n  \tc{end}\n"));
        let shown = change_of("");
        assert!(shown.can_be_pasted());
        let lines: Vec<String> = shown.sanitized().lines.into_iter().map(|it| it.text).collect();
        assert_eq!(lines, ["  if a", "    b", "    c"]);
        assert!(!change_of(" <<-EOF").can_be_pasted());
        assert!(!change_of("\tx").can_be_pasted());
    }

    /// Catches a line that is printed otherwise than it must be written.
    #[test]
    fn a_line_that_cannot_be_shown_is_not_pasted() {
        let long = format!("echo {}", "x".repeat(600));
        for (line, can_be) in [
            ("echo ${HOSTNAME##*-} \"größer\"", true),
            ("echo ${X##[a]}", false),
            ("echo \u{1f468}\u{200d}\u{1f469}", false),
            (long.as_str(), false),
        ] {
            let of = |front: &str| format!("  {front}{line}\n");
            assert_eq!(change(&of(""), &of("b || ")).can_be_pasted(), can_be, "{line}");
            // What goes is only looked for.
            assert!(change(&of(""), "  b\n").can_be_pasted(), "{line}");
        }
    }
}
