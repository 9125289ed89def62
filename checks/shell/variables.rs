//! The variables of a script, and what they stand for, as far as its text tells.

use std::collections::BTreeMap;

use crate::shell::{
    ShellToken,
    commands::{commands, unquoted},
};

/// Commands that take assignments: `export D=/data`.
const ASSIGNERS: [&str; 5] = ["export", "readonly", "local", "declare", "typeset"];
/// Commands that set the variables which they name: `read D`.
const NAMERS: [&str; 4] = ["for", "select", "read", "getopts"];
/// Commands that may set any variable.
const SET_ANY: [&str; 3] = [".", "source", "eval"];
/// A word that may be more than these is not followed.
const MAX_VALUES: usize = 64;
/// Nor one that may be longer: `PATH_MAX` of Linux.
const MAX_VALUE_BYTES: usize = 4096;

/// Whether a command sets the variables that it names.
#[must_use]
pub fn sets_variables(command: &str) -> bool {
    ASSIGNERS.contains(&command) || NAMERS.contains(&command)
}

/// Whether a command may set any variable.
#[must_use]
pub fn may_set_any_variable(command: &str) -> bool {
    SET_ANY.contains(&command)
}

/// The name of a variable that a text begins with, empty where it begins with none, and what is
/// behind it.
#[must_use]
pub fn split_name(text: &str) -> (&str, &str) {
    let is_first = text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    let end = text.find(|it| !is_of_name(it)).unwrap_or(text.len());
    text.split_at(if is_first { end } else { 0 })
}

/// Whether a character may stand in the name of a variable.
#[must_use]
pub const fn is_of_name(it: char) -> bool {
    it.is_ascii_alphanumeric() || it == '_'
}

/// What the variables of a script stand for: those that it sets to literal values, in one place, by a
/// command of assignments alone (`D=/data`), or by `for D in a b`.
#[derive(Debug, Default)]
pub struct Variables<'s>(BTreeMap<&'s str, Assignment>);

/// Where a script sets a variable.
#[derive(Debug)]
struct Assignment {
    /// Where the command begins, in bytes.
    at: usize,
    /// What the variable may be from there on.
    values: Vec<String>,
}

impl<'s> Variables<'s> {
    /// Those of a whole script.
    #[must_use]
    pub fn of(tokens: &[ShellToken<'s>]) -> Self {
        let mut found: Vec<(&'s str, Assignment)> = vec![];
        // What was set before such a command may be something else behind it.
        let mut certain_from = 0;
        for command in commands(tokens) {
            let Some(first) = command.first() else { continue };
            if may_set_any_variable(first.text) {
                certain_from = first.end();
            }
            found.extend(assignments(&command));
        }
        let mut times_set: BTreeMap<&str, usize> = BTreeMap::new();
        for name in tokens.iter().filter(|it| it.is_word()).flat_map(|it| names_set(it.text)) {
            *times_set.entry(name).or_default() += 1;
        }
        found.retain(|(name, it)| {
            times_set.get(name) == Some(&1)
                && it.at >= certain_from
                && it.values.iter().all(|it| is_literal(it))
        });
        Self(found.into_iter().collect())
    }

    /// All that a word may be; `None` where the script's text does not tell.
    #[must_use]
    pub fn values(&self, word: &str) -> Option<Vec<String>> {
        self.expanded(word, |_| true).filter(|it| it.iter().all(|it| is_literal(it)))
    }

    /// What a word is; `None` where that is not certain, or a variable in it is set behind the word.
    #[must_use]
    pub fn value(&self, word: &ShellToken<'_>) -> Option<String> {
        if word.text.contains(['\\', '`']) {
            return None;
        }
        let mut values = self.expanded(word.text, |it| it.at < word.at)?;
        values.pop().filter(|_| values.is_empty())
    }

    /// `is_set` is asked of each assignment of a variable in the word.
    fn expanded(&self, word: &str, is_set: impl Fn(&Assignment) -> bool) -> Option<Vec<String>> {
        // No variable is one within single quotes.
        if word.contains('\'') && word.contains('$') {
            return None;
        }
        let plain = unquoted(word);
        let mut parts = plain.split('$');
        let mut found = vec![parts.next()?.to_owned()];
        for part in parts {
            let inner = part.strip_prefix('{');
            let (name, behind) = split_name(inner.unwrap_or(part));
            let rest = if inner.is_some() { behind.strip_prefix('}')? } else { behind };
            let values = &self.0.get(name).filter(|it| is_set(it))?.values;
            let joined = |front: &String| -> Vec<String> {
                values.iter().map(|it| format!("{front}{it}{rest}")).collect()
            };
            found = found.iter().flat_map(joined).take(MAX_VALUES + 1).collect();
            if found.iter().any(|it| it.len() > MAX_VALUE_BYTES) {
                return None;
            }
        }
        (found.len() <= MAX_VALUES).then_some(found)
    }
}

/// The variables that a command sets for the commands behind it. An assignment before a program is
/// for that program.
fn assignments<'s>(command: &[ShellToken<'s>]) -> Vec<(&'s str, Assignment)> {
    let Some(at) = command.first().map(|it| it.at) else { return vec![] };
    let texts: Vec<&'s str> = command.iter().map(|it| it.text).collect();
    if let ["for", name, "in", words @ ..] = &texts[..] {
        let values = words.iter().map(|it| unquoted(it)).collect();
        return vec![(name, Assignment { at, values })];
    }
    let takes_them = usize::from(ASSIGNERS.contains(&texts[0]));
    let pairs: Option<Vec<_>> = texts[takes_them..].iter().map(|it| it.split_once('=')).collect();
    let assigned = |(name, value)| (name, Assignment { at, values: vec![unquoted(value)] });
    pairs.into_iter().flatten().map(assigned).collect()
}

/// The variables that a word may set: it is the name of one, or has an assignment in it, also in a
/// text or with a default (`D+=base`, `${D:=/data}`).
fn names_set(word: &str) -> Vec<&str> {
    let (name, behind) = split_name(word);
    if behind.is_empty() {
        return vec![name];
    }
    let mut names = vec![];
    for (at, _) in word.match_indices('=') {
        let before = &word[..at];
        let before = before.strip_suffix(['+', ':']).unwrap_or(before);
        names.push(&before[before.trim_end_matches(is_of_name).len()..]);
    }
    names
}

/// Whether a shell takes an unquoted text as it stands.
fn is_literal(text: &str) -> bool {
    !text.contains(['$', '`', '*', '?', '~', '\\', '{', '['])
}

#[cfg(test)]
mod tests {
    use super::Variables;
    use crate::shell::tokens;

    /// Catches a value that is taken for certain though the script changes it, adds to it or sets it
    /// later, and one that is lost.
    #[test]
    fn a_variable_has_one_value_where_the_script_sets_it_once_before() {
        for (script, expected) in [
            ("F=/data/id; use $F", Some("/data/id")),
            ("export D=\"/data\"; use \"${D}/id\"", Some("/data/id")),
            ("typeset D=/data; use $D", Some("/data")),
            (". /etc/profile; D=/data; use $D", Some("/data")),
            ("for D in /data; do use $D/id; done", Some("/data/id")),
            ("use /data/id", Some("/data/id")),
            ("use '/data/my id'", Some("/data/my id")),
            ("D=/data; use \"$D\"/*", Some("/data/*")),
            ("D=/data; D+=base; use $D/id", None),
            ("D=/data; : ${D:=/x}; use $D", None),
            ("D=/data; . /etc/profile; use $D", None),
            ("D=/data; eval \"$X\"; use $D", None),
            ("for D in /a /b; do use $D/id; done", None),
            ("D=/data; read D; use $D", None),
            ("D=/data; D=/x; use $D", None),
            ("D=/data true; use $D", None),
            ("use $D; D=/data", None),
            ("D=/data; use '$D'", None),
            ("D=/data; use ${D%a}", None),
            ("D=/data/$1; use $D", None),
            ("D=/data/*; use $D", None),
            ("use \"$(date)\"", None),
        ] {
            let tokens = tokens(script).unwrap();
            let place = tokens.iter().position(|it| it.text == "use").unwrap();
            let value = Variables::of(&tokens).value(&tokens[place + 1]);
            assert_eq!(value.as_deref(), expected, "{script}");
        }
    }

    /// Catches a value of a loop that is lost, and a word that may be anything.
    #[test]
    fn a_word_may_be_several() {
        let of = |script: &str, word: &str| Variables::of(&tokens(script).unwrap()).values(word);
        let both = Some(vec!["/a/id".to_owned(), "/b/id".to_owned()]);
        assert_eq!(of("for D in /a \"/b\"; do x; done", "$D/id"), both);
        assert_eq!(of("use $D; D=/data", "$D"), Some(vec!["/data".to_owned()]));
        assert_eq!(of("D=/data; D+=base", "$D"), None);
        assert_eq!(of("for D in $ALL; do x; done", "$D"), None);
        assert_eq!(of("for D in a b c d e; do x; done", "$D$D$D"), None);
    }
}
