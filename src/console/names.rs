//! Lists of names in words.

/// The first names of `count`, and how many more there are: `a, b and 3 more`.
pub(crate) fn and_more(first: &[impl AsRef<str>], count: usize) -> String {
    let names: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
    match count.saturating_sub(first.len()) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::and_more;

    /// Catches names that are left out without a word, and none that are told as more.
    #[test]
    fn what_is_left_out_is_counted() {
        assert_eq!(and_more(&["a", "b"], 2), "a, b");
        assert_eq!(and_more(&["a", "b"], 5), "a, b and 3 more");
    }
}
