//! The variables of a script whose values its text tells.

use crate::shell::{
    ShellToken,
    commands::{commands, unquoted},
};

/// The variables that a script sets to literal values, in one place: by `D=/data`, or by
/// `for D in a b`.
pub(super) struct Variables<'s>(Vec<(&'s str, Vec<String>)>);

impl<'s> Variables<'s> {
    /// Those of a whole script.
    pub(super) fn new(tokens: &[ShellToken<'s>]) -> Self {
        let mut found = vec![];
        for command in commands(tokens) {
            let texts: Vec<&'s str> = command.iter().map(|it| it.text).collect();
            if let ["for", name, "in", words @ ..] = &texts[..] {
                found.push((*name, words.iter().map(|it| unquoted(it)).collect()));
                continue;
            }
            let is_export = matches!(texts.first(), Some(&("export" | "readonly")));
            let pairs: Option<Vec<_>> =
                texts.iter().skip(usize::from(is_export)).map(|it| it.split_once('=')).collect();
            let pairs = pairs.into_iter().flatten();
            found.extend(pairs.map(|(name, value)| (name, vec![unquoted(value)])));
        }
        found.retain(|(name, values): &(&str, Vec<String>)| {
            let is_set = |it: &&ShellToken<'_>| {
                it.text == *name || it.text.contains(&format!("{name}=")) || it.text.contains(":=")
            };
            tokens.iter().filter(is_set).count() == 1 && values.iter().all(|it| is_literal(it))
        });
        Self(found)
    }

    /// What a word may be; `None` where the script's text does not tell.
    pub(super) fn values(&self, word: &str) -> Option<Vec<String>> {
        // No variable is one within single quotes.
        if word.contains('\'') && word.contains('$') {
            return None;
        }
        let plain = unquoted(word);
        let mut parts = plain.split('$');
        let mut found = vec![parts.next()?.to_owned()];
        for part in parts {
            let (name, rest) = if let Some(braced) = part.strip_prefix('{') {
                braced.split_once('}')?
            } else {
                let goes_on = |it: char| it.is_ascii_alphanumeric() || it == '_';
                part.split_at(part.find(|it| !goes_on(it)).unwrap_or(part.len()))
            };
            let (_, values) = self.0.iter().find(|it| it.0 == name)?;
            let joined = |front: &String| -> Vec<String> {
                values.iter().map(|it| format!("{front}{it}{rest}")).collect()
            };
            found = found.iter().flat_map(joined).take(MAX_VALUES + 1).collect();
        }
        (found.len() <= MAX_VALUES && found.iter().all(|it| is_literal(it))).then_some(found)
    }
}

/// A word that may be more than these is not followed.
const MAX_VALUES: usize = 64;

/// Whether a shell takes an unquoted text as it stands.
fn is_literal(text: &str) -> bool {
    !text.contains(['$', '`', '*', '?', '~', '\\', '{', '['])
}
