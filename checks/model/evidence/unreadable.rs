//! Files that a grader cannot read, or that hold no text: what is said of them.

use crate::model::evidence::reattachment::excerpt;

/// What a recording says of a container whose image has no shell.
pub const NO_SHELL: &str = "there is no shell in the image";
/// What a recording says of a user who may not run commands in pods.
pub const NO_PERMISSION: &str = "no permission to run commands in pods";
/// What is said of each file that holds no text.
const NO_TEXT: &str = "could not be read as text";

/// Why what files hold was not seen, where somebody can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The image has no shell to read them by.
    NoShell,
    /// The user may not run commands in pods.
    NoPermission,
    /// They hold no text.
    NoText,
}

impl Unreadable {
    /// The reason that these words give: a recording keeps no more than words.
    #[must_use]
    pub fn named_in(why: &str) -> Option<Self> {
        let known = [
            (NO_SHELL, Self::NoShell),
            (NO_PERMISSION, Self::NoPermission),
            (NO_TEXT, Self::NoText),
        ];
        known.into_iter().find(|(words, _)| why.contains(words)).map(|(_, it)| it)
    }
}

/// `1 file of web-1 could not be read as text: log.gz`. `paths`: where those are that have one, below
/// the mount. `pod`: whose they are, where that is not said already.
pub(crate) fn unreadable<'p>(
    count: u64,
    mut paths: impl Iterator<Item = &'p str>,
    pod: Option<&str>,
) -> String {
    let noun = if count == 1 { "file" } else { "files" };
    let whose = pod.map(|it| format!(" of {it}")).unwrap_or_default();
    let which = match paths.next() {
        Some(path) if count == 1 => format!(": {}", excerpt(path)),
        Some(path) => format!(", such as {}", excerpt(path)),
        None => String::new(),
    };
    format!("{count} {noun}{whose} {NO_TEXT}{which}")
}

#[cfg(test)]
mod tests {
    use super::{Unreadable, unreadable};

    /// Catches "1 files", and a file that nobody can find because it is not named.
    #[test]
    fn what_is_no_text_is_counted_and_named() {
        let two = ["a.gz", "b.gz"];
        assert_eq!(
            unreadable(1, two.into_iter(), Some("web-1")),
            "1 file of web-1 could not be read as text: a.gz"
        );
        assert_eq!(
            unreadable(2, two.into_iter(), None),
            "2 files could not be read as text, such as a.gz"
        );
        assert_eq!(unreadable(3, [].into_iter(), None), "3 files could not be read as text");
        assert_eq!(
            Unreadable::named_in(&unreadable(3, [].into_iter(), None)),
            Some(Unreadable::NoText)
        );
    }
}
