//! Names that somebody may have meant.

use crate::console::sanitize::sanitize;

/// How many names are listed.
const MAX_NAMES: usize = 12;

/// The known name that a misspelt one most likely means.
#[must_use]
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let small = name.to_ascii_lowercase();
    let distance = |it: &str| strsim::damerau_levenshtein(&it.to_ascii_lowercase(), &small);
    let (far, near) = known.into_iter().map(|it| (distance(it), it)).min()?;
    // A word of another kind is not near: a third of its letters differ.
    (far * 3 <= name.len()).then_some(near)
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
