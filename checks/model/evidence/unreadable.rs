//! Files that hold no text that a grader can read: what is said of them.

use crate::model::evidence::reattachment::excerpt;

/// What is said of each such file.
pub const NO_TEXT: &str = "could not be read as text";

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
    use super::unreadable;

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
    }
}
