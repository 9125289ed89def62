//! What the terminal at the other end can show.

use std::io::IsTerminal;

use crate::console::sanitize;

/// The narrowest width that text is laid out for.
const NARROWEST: usize = 60;

/// The widest: longer lines are hard to read.
const WIDEST: usize = 99;

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
    pub fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::PLAIN;
        }
        let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0));
        Self { width: width.clamp(NARROWEST, WIDEST), colour: colour_wanted() }
    }

    /// The text in lines of the width, the first and the further ones behind what stands before
    /// them.
    ///
    /// Words are broken only where they are longer than a line: `--replicas=3` stays whole.
    #[must_use]
    pub fn wrap(self, first: &str, text: &str, further: &str) -> Vec<String> {
        let options = textwrap::Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(further)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::wrap(text, options).iter().map(|line| sanitize::line(line.trim_end())).collect()
    }

    /// The text in that colour, if colour is wanted.
    #[must_use]
    pub fn paint(self, ink: Tone, text: &str) -> String {
        let code = match ink {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Unsure => "33",
            Tone::Strong => "1",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// See <https://no-color.org>.
fn colour_wanted() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|it| !it.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|it| it != "dumb")
}
