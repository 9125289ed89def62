//! What the words of a script name.

use crate::shell::{
    ShellToken,
    commands::{folder_at, unquoted},
    is_within,
    variables::Variables,
};

/// The paths that the words of a script name.
#[derive(Debug)]
pub struct Paths<'t, 's> {
    /// The whole script.
    pub tokens: &'t [ShellToken<'s>],
    variables: Variables<'s>,
    /// The folder in which the script begins.
    from: Option<&'t str>,
}

impl<'t, 's> Paths<'t, 's> {
    /// Those of a whole script. `from`: the folder in which it begins, where that is known.
    #[must_use]
    pub fn of(tokens: &'t [ShellToken<'s>], from: Option<&'t str>) -> Self {
        Self { tokens, variables: Variables::of(tokens), from }
    }

    /// What a word names: without quotes, and with the values of variables, where they are certain.
    #[must_use]
    pub fn of_word(&self, word: &ShellToken<'_>) -> String {
        self.variables.value(word).unwrap_or_else(|| unquoted(word.text))
    }

    /// Whether a word names something below one of the folders: by its whole path, or from the
    /// folder that the script has changed to.
    #[must_use]
    pub fn is_below(&self, word: &ShellToken<'_>, folders: &[&str]) -> bool {
        let is_within_one = |path: &str| folders.iter().any(|it| is_within(path, it));
        let path = self.of_word(word);
        if path.starts_with('/') {
            return is_within_one(&path);
        }
        let is_relative = !path.starts_with(['$', '&', '-', '(', ')']);
        let folder = || folder_at(word.at, self.tokens, self.from);
        is_relative && folder().is_some_and(|it| is_within_one(&it))
    }
}
