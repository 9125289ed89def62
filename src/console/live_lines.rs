//! Lines at the bottom of a terminal that are kept up to date; what is printed stays above them.
//!
//! Nothing is written here: each function gives what is to be written. The cursor always rests on
//! the first of the lines, so that a `^C` that the terminal echoes, or a new width, moves nothing.

/// Moves to the first column, and erases everything from there on.
const ERASE: &str = "\r\x1b[J";

/// The lines.
#[derive(Debug, Default)]
pub(super) struct LiveLines {
    /// What is on the screen now; empty where nothing is.
    shown: String,
}

impl LiveLines {
    /// Shows these lines instead of those that are shown.
    pub(super) fn show(&mut self, lines: &str) -> String {
        // What does not change can be selected.
        if self.shown == lines {
            return String::new();
        }
        let erase = if self.shown.is_empty() { "" } else { ERASE };
        lines.clone_into(&mut self.shown);
        format!("{erase}{}", self.drawn())
    }

    /// Prints text that stays.
    pub(super) fn print_above(&self, text: &str) -> String {
        let erase = if self.shown.is_empty() { "" } else { ERASE };
        format!("{erase}{text}\n{}", self.drawn())
    }

    /// Takes the lines away.
    pub(super) fn clear(&mut self) -> String {
        self.show("")
    }

    /// The lines, and back to the first of them.
    fn drawn(&self) -> String {
        match self.shown.matches('\n').count() {
            0 => format!("{}\r", self.shown),
            further => format!("{}\r\x1b[{further}A", self.shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::console::live_lines::LiveLines;

    /// A terminal, as it is read back by a parser that is not ours.
    struct Terminal(vt100::Parser);

    impl Terminal {
        fn new(rows: u16) -> Self {
            Self(vt100::Parser::new(rows, 40, 100))
        }

        fn write(&mut self, text: &str) {
            // As the terminal's driver does.
            self.0.process(text.replace('\n', "\r\n").as_bytes());
        }

        fn rows(&self) -> String {
            self.0.screen().contents()
        }
    }

    /// Catches old lines that stay on the screen, and lines that cover what was printed.
    #[test]
    fn the_lines_are_below_what_is_printed() {
        let (mut terminal, mut live) = (Terminal::new(10), LiveLines::default());
        terminal.write(&live.show("web-0 ==\nweb-1 ..\nwaiting"));
        terminal.write(&live.print_above("2.1 s  scale up"));
        assert_eq!(terminal.rows(), "2.1 s  scale up\nweb-0 ==\nweb-1 ..\nwaiting");
        terminal.write(&live.show("web-0 ==="));
        assert_eq!(terminal.rows(), "2.1 s  scale up\nweb-0 ===");
        terminal.write(&live.clear());
        terminal.write(&live.print_above("95 points"));
        assert_eq!(terminal.rows(), "2.1 s  scale up\n95 points");
        // Putting back is followed too.
        terminal.write(&live.show("web-0 x\nweb-1 x"));
        assert_eq!(terminal.rows(), "2.1 s  scale up\n95 points\nweb-0 x\nweb-1 x");
    }

    /// Catches lines that are left behind where the screen is full, or where somebody typed.
    #[test]
    fn nothing_stays_at_the_bottom_of_a_full_screen() {
        let (mut terminal, mut live) = (Terminal::new(6), LiveLines::default());
        (0..9).for_each(|it| terminal.write(&live.print_above(&format!("step {it}"))));
        for length in [1, 5, 3, 5] {
            terminal.write(&live.show(&vec!["web-0 ="; length].join("\n")));
            // What a terminal shows of Ctrl-C.
            terminal.write("^C");
        }
        terminal.write(&live.print_above("interrupted"));
        terminal.write(&live.clear());
        assert_eq!(terminal.rows(), "interrupted");
    }

    /// Catches a pipe that gets what only a terminal understands.
    #[test]
    fn nothing_is_erased_where_nothing_is_shown() {
        let mut live = LiveLines::default();
        assert_eq!(live.print_above("95 points"), "95 points\n\r");
        assert_eq!(live.clear(), "");
    }
}
