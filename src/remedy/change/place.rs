//! Where a change belongs, in words.

use crate::{
    console::count::counted,
    remedy::change::{Change, Sign, context::BELOW},
};

/// Where a changed line comes, beside the line that is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    On,
    After,
    Before,
}

impl Side {
    const fn prefix(self) -> &'static str {
        match self {
            Self::On => "",
            Self::After => "after ",
            Self::Before => "before ",
        }
    }
}

impl Change {
    /// Where it belongs: its file and line as far as they are known, or else the object, and the
    /// fields.
    #[must_use]
    pub fn place(&self) -> String {
        let fields = self.told_fields();
        match (&self.file, self.line) {
            (Some(file), Some(line)) if fields.is_empty() => {
                format!("{}{file}:{line} ({})", self.side().prefix(), self.object)
            }
            (Some(file), Some(line)) => format!("{}{file}:{line}, {fields}", self.side().prefix()),
            (Some(file), None) => format!("{file}, at its end ({})", self.object),
            (None, _) if self.is_new_document() => {
                format!("{}, at the end of your file", self.object)
            }
            (None, _) if fields.is_empty() => self.object.clone(),
            (None, _) => format!("{}, {fields}", self.object),
        }
    }

    /// On which side of its line in the file the first changed line comes.
    fn side(&self) -> Side {
        let signs = || self.lines.iter().map(|it| it.sign);
        if signs().find(|it| matches!(it, Sign::Removed | Sign::Added)) != Some(Sign::Added) {
            return Side::On;
        }
        if signs().next() == Some(Sign::Added) { Side::Before } else { Side::After }
    }

    /// The fields that no line of the change names, as far as they can be read in a line or two.
    fn told_fields(&self) -> String {
        let named = self.lines.iter().filter_map(|it| Some(it.text.split_once(BELOW)?.1));
        let is_named = |field: &&String| named.clone().any(|it| it == *field);
        let untold: Vec<&String> = self.fields.iter().filter(|it| !is_named(it)).collect();
        match &untold[..] {
            [] => String::new(),
            [one] => String::clone(one),
            [one, two] => format!("{one} and {two}"),
            [one, two, three] => format!("{one}, {two} and {three}"),
            [one, more @ ..] => {
                format!("{one} and {}", counted(more.len(), "field more", "fields more"))
            }
        }
    }

    /// Moves it, where another change of the same file is made above it before.
    pub(in crate::remedy) fn move_below(&mut self, above: &Self) {
        if self.file != above.file {
            return;
        }
        let (Some(line), Some(first)) = (self.line.as_mut(), above.line) else { return };
        // What comes before its line moves that line, too.
        let first = if above.side() == Side::Before { first.saturating_sub(1) } else { first };
        let count = |sign| above.lines.iter().filter(|it| it.sign == sign).count();
        if *line > first {
            *line = (*line + count(Sign::Added)).saturating_sub(count(Sign::Removed));
        }
    }
}
