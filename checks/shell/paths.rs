//! What the words of a script name.

use crate::shell::{
    ShellToken,
    commands::{Folders, joined, unquoted},
    is_within,
    variables::Variables,
};

/// The paths that the words of a script name.
#[derive(Debug)]
pub struct Paths<'t, 's> {
    /// The whole script.
    pub tokens: &'t [ShellToken<'s>],
    variables: Variables<'s>,
    folders: Folders,
}

impl<'t, 's> Paths<'t, 's> {
    /// Those of a whole script. `from`: the folder in which it begins, where that is known.
    #[must_use]
    pub fn of(tokens: &'t [ShellToken<'s>], from: Option<&str>) -> Self {
        let (variables, folders) = (Variables::of(tokens), Folders::of(tokens, from));
        Self { tokens, variables, folders }
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
        is_relative && self.folder_at(word.at).is_some_and(is_within_one)
    }

    /// The folder in which the script is where it comes to `at`; `None` where nobody knows.
    #[must_use]
    pub fn folder_at(&self, at: usize) -> Option<&str> {
        self.folders.at(at)
    }

    /// The whole path that a word names. What is not certain in it stands as in the script: two words
    /// that are alike name the same file. `None` where nobody knows the folder.
    #[must_use]
    pub fn whole(&self, word: &ShellToken<'_>) -> Option<String> {
        self.rooted(self.of_word(word), word.at)
    }

    /// The whole paths that a word may name, as of [`Self::whole`]: one for each value of its
    /// variables.
    #[must_use]
    pub fn possible(&self, word: &ShellToken<'_>) -> Vec<String> {
        let values = self.variables.values(word.text);
        let values = values.unwrap_or_else(|| vec![self.of_word(word)]);
        values.into_iter().filter_map(|it| self.rooted(it, word.at)).collect()
    }

    /// The whole path of one that stands at `at`.
    fn rooted(&self, path: String, at: usize) -> Option<String> {
        let path = if path.starts_with(['/', '$', '`', '~']) {
            path
        } else {
            joined(self.folder_at(at)?, &path)
        };
        // `/data/./id` and `/data//id` are `/data/id`.
        let parts = path.split('/').enumerate();
        let kept = parts.filter(|(place, it)| *place == 0 || !matches!(*it, "" | "."));
        Some(kept.map(|it| it.1).collect::<Vec<_>>().join("/"))
    }
}
