//! What the terminal at the other end can show.

use std::io::IsTerminal;

use crate::console::sanitize;

/// The narrowest width that text is laid out for, in columns.
const MIN_COLUMNS: usize = 60;

/// The widest, because longer lines are hard to read.
const MAX_COLUMNS: usize = 120;

/// The width where nobody says otherwise.
pub const WIDTH: usize = 80;

/// Width and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermStyle {
    /// Columns.
    pub width: usize,
    /// Colour is wanted.
    pub colour: bool,
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Passed.
    Good,
    /// Lost.
    Bad,
    /// Undecided.
    Unsure,
    /// A heading.
    Strong,
}

impl TermStyle {
    /// For a file or a pipe: 80 columns without colour.
    pub const PLAIN: Self = Self { width: WIDTH, colour: false };

    /// For standard output as it is.
    #[must_use]
    pub fn of_stdout(colour: Colour) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0));
        Self {
            width: if is_terminal { width.clamp(MIN_COLUMNS, MAX_COLUMNS) } else { WIDTH },
            colour: colour.is_wanted(is_terminal),
        }
    }

    /// For standard error, a terminal of that width.
    #[must_use]
    pub fn of_stderr(colour: Colour, width: usize) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { width: width.min(MAX_COLUMNS), colour: colour.is_wanted(is_terminal) }
    }

    /// The text in lines of the width, the first and the further ones behind what stands before
    /// them.
    ///
    /// Words are broken only where they are longer than a line, and then a path
    /// behind one of its parts: `--replicas=3` stays whole, and the name of a field or a folder.
    #[must_use]
    pub fn wrap(self, first: &str, text: &str, further: &str) -> Vec<String> {
        let options = textwrap::Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(further)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let room = self.width.saturating_sub(first.len().max(further.len()));
        let whole = with_breaks_in_paths(&with_whole_code(text, room), room);
        let lines = textwrap::wrap(&whole, options);
        let shown = |line: &str| line.replace(BROKEN, "").replace(KEPT, " ");
        lines
            .iter()
            .map(|it| sanitize::line(shown(it).trim_end_matches(NO_BLANK).trim_end()))
            .collect()
    }

    /// A command in lines of the width, each but the last with a `\` at its end, by which a shell
    /// takes all of them for one: behind what stands before the first, and before the further ones.
    ///
    /// Only a word that is longer than a line is longer.
    #[must_use]
    pub fn command(self, first: &str, command: &str, further: &str) -> Vec<String> {
        const DEEPER: &str = "  ";
        let room = self.width.saturating_sub(first.len().max(further.len()));
        // The shells of Windows take no `\` for that.
        if cfg!(windows) || command.chars().count() <= room {
            return vec![format!("{first}{command}")];
        }
        let room = room.saturating_sub(" \\".len());
        let mut lines: Vec<String> = vec![];
        let mut line = String::new();
        for part in parts(command, room.saturating_sub(DEEPER.len())) {
            let is_full = line.chars().count() + 1 + part.chars().count() > room;
            if line.trim().is_empty() {
                line.push_str(&part);
            } else if is_full {
                lines.push(std::mem::replace(&mut line, format!("{DEEPER}{part}")));
            } else {
                line.push_str(&format!(" {part}"));
            }
        }
        let mut told: Vec<String> = lines.iter().map(|it| format!("{further}{it} \\")).collect();
        told.push(format!("{further}{line}"));
        told[0].replace_range(..further.len(), first);
        told
    }

    /// A table with that header, as wide as its content and no wider than the terminal.
    #[must_use]
    pub fn table(self, header: &[&str]) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
        table.set_width(u16::try_from(self.width).unwrap_or(u16::MAX));
        table.set_header(header.iter().copied());
        table
    }

    /// The lines of a table, without blanks at their ends.
    #[must_use]
    pub fn lines(self, table: &comfy_table::Table) -> String {
        table.lines().map(|it| it.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    /// The text in that colour, if colour is wanted.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Unsure => "33",
            Tone::Strong => "1",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A blank at which no line is broken.
const KEPT: char = '\u{a0}';
/// Has no width. With a blank behind it, a line may be broken there, and else nothing is there.
const NO_BLANK: char = '\u{2060}';
const BROKEN: &str = "\u{2060} ";

/// A part of a text at whose blanks [`TermStyle::wrap`] breaks no line, where a line has room for it.
#[must_use]
pub fn unbroken(part: &str, room: usize) -> String {
    if part.chars().count() > room {
        return part.to_owned();
    }
    part.replace(' ', &KEPT.to_string())
}

/// The text with each word that is longer than a line as pieces that are not, as far as it is a path.
fn with_breaks_in_paths(text: &str, room: usize) -> String {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for word in words.iter_mut().filter(|it| it.chars().count() > room) {
        let (mut pieces, mut piece) = (String::new(), 0);
        // A file's path has its folders. A label's name may have a `/`, too.
        let separator = if word.contains('/') && !word.contains('[') { '/' } else { '.' };
        for part in word.split_inclusive(separator) {
            let chars = part.chars().count();
            if piece > 0 && piece + chars > room {
                pieces.push_str(BROKEN);
                piece = 0;
            }
            pieces.push_str(part);
            piece += chars;
        }
        *word = pieces;
    }
    words.join(" ")
}

/// The text with each piece of code between backticks that fits a line as one word.
fn with_whole_code(text: &str, room: usize) -> String {
    let mut parts: Vec<String> = text.split('`').map(str::to_owned).collect();
    // What stands behind the last backtick is closed by none.
    let closed = (parts.len() - 1) / 2 * 2;
    for code in parts[..closed].iter_mut().skip(1).step_by(2) {
        if code.chars().count() + 2 <= room {
            *code = code.replace(' ', &KEPT.to_string());
        }
    }
    parts.join("`")
}

/// The words of a command, as a shell separates them: a flag with its value, and what stands behind
/// `--` with it, where they fit.
fn parts(command: &str, room: usize) -> Vec<String> {
    let mut parts: Vec<String> = vec![];
    let mut is_open = false;
    for word in words(command) {
        let is_flag = word.starts_with('-') && word.len() > 1;
        let fits = |it: &String| it.chars().count() + 1 + word.chars().count() <= room;
        let is_inner = parts.last().is_some_and(|it| it.starts_with("-- ") || it == "--");
        match parts.last_mut() {
            Some(part) if (is_inner || is_open && !is_flag) && fits(part) => {
                part.push_str(&format!(" {word}"));
            }
            _ => parts.push(word.to_owned()),
        }
        is_open = is_flag && !word.contains('=');
    }
    parts
}

/// The words of a command. Within single quotes a blank is part of one.
fn words(command: &str) -> Vec<&str> {
    let mut words = vec![];
    let (mut start, mut is_quoted, mut is_escaped) = (0, false, false);
    for (at, c) in command.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if !is_quoted => is_escaped = true,
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => {
                words.push(&command[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    words.push(&command[start..]);
    words.retain(|it| !it.is_empty());
    words
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// In a terminal, unless the environment says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether there is colour, by <https://no-color.org> and <https://bixense.com/clicolors>.
    fn is_wanted(self, is_terminal: bool) -> bool {
        self.is_wanted_by(is_terminal, |name| std::env::var_os(name))
    }

    /// The same, of an environment.
    fn is_wanted_by(
        self,
        is_terminal: bool,
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> bool {
        let set = |name| variable(name).filter(|it| !it.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            // Whatever its value is.
            Self::Auto if set("NO_COLOR").is_some() => false,
            Self::Auto if set("CLICOLOR_FORCE").is_some_and(|it| it != "0") => true,
            Self::Auto => is_terminal && variable("TERM").is_none_or(|it| it != "dumb"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Colour, TermStyle};

    /// Catches code that cannot be copied from one line, and a line that code makes too long.
    #[test]
    fn code_is_broken_only_where_it_fits_no_line() {
        let style = TermStyle { width: 30, colour: false };
        assert_eq!(
            style.wrap("", "Print it by `kubectl get pods -o yaml` here.", ""),
            ["Print it by", "`kubectl get pods -o yaml`", "here."]
        );
        let long = style.wrap("", "a `b c d e f g h i j k l m n o p q r s` t", "");
        assert!(long.len() == 2 && long.iter().all(|it| it.len() <= 30), "{long:?}");
        assert_eq!(style.wrap("", "one ` alone", ""), ["one ` alone"]);
    }

    /// Catches a path that is broken within the name of a field or a folder, and one with a blank in it.
    #[test]
    fn a_long_path_is_broken_between_its_parts() {
        let style = TermStyle { width: 30, colour: false };
        let path = "spec.containers[0].env[0].valueFrom.secretKeyRef.key";
        assert_eq!(
            style.wrap("   At ", &format!("lab3.yaml:52, {path}:"), "      "),
            [
                "   At lab3.yaml:52,",
                "      spec.containers[0].",
                "      env[0].valueFrom.",
                "      secretKeyRef.key:",
            ]
        );
        let file = "fixtures/fail/pod_naming/two/submission.yaml:37,";
        assert_eq!(
            style.wrap("", file, ""),
            ["fixtures/fail/pod_naming/two/", "submission.yaml:37,"]
        );
        let wide = TermStyle { width: 80, colour: false };
        assert_eq!(wide.wrap("", path, &" ".repeat(40)).concat().replace(' ', ""), path);
        let word = "a".repeat(40);
        assert_eq!(style.wrap("", &word, "").concat(), word);
    }

    /// Catches a command that is longer than a line, one that a shell takes for two, and a flag
    /// without its value.
    #[test]
    fn a_long_command_goes_on_in_the_next_line() {
        let style = TermStyle { width: 40, colour: false };
        let told = |command| style.command("  Type ", command, "       ");
        assert_eq!(told("kubectl get pods -n lab"), ["  Type kubectl get pods -n lab"]);
        assert_eq!(
            told("stsgrade grade -n a-long-namespace -f 'my lab 3.yaml' --cleanup"),
            [
                "  Type stsgrade grade \\",
                "         -n a-long-namespace \\",
                "         -f 'my lab 3.yaml' --cleanup",
            ]
        );
        // As a shell quotes a quote.
        assert_eq!(
            told("stsgrade grade -n lab -f 'it'\\''s my lab/lab  3.yaml' --cleanup"),
            [
                "  Type stsgrade grade -n lab -f \\",
                "         'it'\\''s my lab/lab  3.yaml' \\",
                "         --cleanup",
            ]
        );
        let long = "a".repeat(50);
        assert_eq!(
            told(&format!("kubectl get pod -n {long} -o yaml")),
            [
                "  Type kubectl get pod -n \\".to_owned(),
                format!("         {long} \\"),
                "         -o yaml".to_owned(),
            ]
        );
    }

    /// Catches `NO_COLOR=0` that leaves colour on: any value takes it away.
    #[test]
    fn no_color_is_obeyed_whatever_its_value() {
        let wanted = |name: &'static str, value: &'static str| {
            Colour::Auto.is_wanted_by(true, |it| (it == name).then(|| value.into()))
        };
        assert!(!wanted("NO_COLOR", "0") && !wanted("NO_COLOR", "1") && wanted("NO_COLOR", ""));
        assert!(wanted("CLICOLOR_FORCE", "0") && !wanted("TERM", "dumb"));
    }
}
