//! What the template asks for beside askama's own filters.

use std::fmt::Display;

use askama::{
    Values,
    filters::{Html, Safe, escape},
};

/// Prose in which words that are typed stand between backquotes: they become `<code>`. All of it is
/// escaped.
#[askama::filter_fn]
pub(super) fn prose(text: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
    let text = text.to_string();
    let parts: Vec<&str> = text.split('`').collect();
    let mut out = String::new();
    for (place, part) in parts.iter().enumerate() {
        let Ok(part) = escape(part, Html);
        let is_odd = place % 2 == 1;
        let is_last = place + 1 == parts.len();
        match (is_odd, is_last) {
            (true, false) => out.push_str(&format!("<code>{part}</code>")),
            // Without a second one, a backquote is a character as any other.
            (true, true) => out.push_str(&format!("`{part}")),
            (false, _) => out.push_str(&part.to_string()),
        }
    }
    Ok(Safe(out))
}

#[cfg(test)]
mod tests {
    use super::prose;

    fn rendered(text: &str) -> String {
        prose::default().execute(text, askama::NO_VALUES).unwrap().0
    }

    #[test]
    fn words_between_backquotes_are_code_and_all_is_escaped() {
        assert_eq!(rendered("type `a` or `b`."), "type <code>a</code> or <code>b</code>.");
        assert_eq!(rendered("`<b>` <i> `"), "<code>&#60;b&#62;</code> &#60;i&#62; `");
        assert_eq!(rendered("one ` alone"), "one ` alone");
        assert_eq!(rendered(""), "");
    }
}
