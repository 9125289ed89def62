//! Names that somebody may have meant.

use crate::console::sanitize::sanitize;

/// How many names are listed.
const MAX_NAMES: usize = 12;

/// The known name that a misspelt one most likely means: no more than a third of its letters are
/// wrong. A word of another kind is not near.
#[must_use]
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    nearest_within(name, known, name.chars().count() / 3)
}

/// The known name with the fewest letters wrong, and the first of several; `None` where more than
/// `most` are. Capital and small letters are the same.
#[must_use]
pub fn nearest_within<'n>(
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
    most: usize,
) -> Option<&'n str> {
    let small = name.to_lowercase();
    let distance = |it: &str| strsim::damerau_levenshtein(&it.to_lowercase(), &small);
    let distances = known.into_iter().map(|it| (distance(it), it));
    let (far, near) = distances.min_by_key(|(far, _)| *far)?;
    (far <= most).then_some(near)
}

/// `Did you mean web? There are: db, web.`, or the list alone where none is near.
#[must_use]
pub fn there_are(name: &str, known: &[&str]) -> String {
    let more = known.len().saturating_sub(MAX_NAMES);
    let listed = sanitize(&known[..known.len() - more].join(", "));
    let list = match more {
        0 => format!("There are: {listed}."),
        more => format!("There are: {listed}, and {more} more."),
    };
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("Did you mean {}? {list}", sanitize(near)),
        None => list,
    }
}

#[cfg(test)]
mod tests {
    use super::{nearest, there_are};

    /// Catches a name that is far from what was typed, and a list that fills the screen.
    #[test]
    fn a_misspelt_name_has_its_nearest() {
        assert_eq!(nearest("wbe", ["db", "web"]), Some("web"));
        assert_eq!(nearest("lab3", ["kube-system", "default"]), None);
        assert_eq!(there_are("wbe", &["db", "web"]), "Did you mean web? There are: db, web.");
        let many: Vec<String> = (0..40).map(|it| format!("student-number-{it}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(there_are("x", &many).ends_with("student-number-11, and 28 more."));
    }
}
