//! Which files a script has found missing where a command has ended.

use std::{collections::BTreeSet, rc::Rc};

use crate::shell::{Paths, ShellToken};

/// More files than these are not followed at one place.
const MAX_FILES: usize = 64;
/// The operators of `test` that are true of a file with something in it, and of no missing one.
const OF_A_FILE: [&str; 5] = ["-f", "-e", "-s", "-r", "-w"];

/// The files that were found missing.
pub(super) type Missing = BTreeSet<Rc<str>>;

/// Which files were found missing where a command has ended; `None` where nothing is run then.
#[derive(Clone, Debug)]
pub(super) struct After {
    pub(super) success: Option<Missing>,
    pub(super) failure: Option<Missing>,
}

impl After {
    /// Of a command that tests nothing.
    pub(super) fn any() -> Self {
        Self::both(Some(Missing::new()))
    }

    pub(super) fn both(missing: Option<Missing>) -> Self {
        Self { success: missing.clone(), failure: missing }
    }

    /// Whether it succeeded or failed.
    pub(super) fn either(self) -> Option<Missing> {
        common(self.success, self.failure)
    }

    pub(super) fn negated(self) -> Self {
        Self { success: self.failure, failure: self.success }
    }
}

/// What is missing whichever of the two was run.
pub(super) fn common(one: Option<Missing>, other: Option<Missing>) -> Option<Missing> {
    match (one, other) {
        (Some(one), Some(other)) => Some(&one & &other),
        (one, other) => one.or(other),
    }
}

/// What is missing where the one was run and then the other.
pub(super) fn all(one: Option<&Missing>, other: Option<Missing>) -> Option<Missing> {
    let (one, mut other) = (one?, other?);
    let more = MAX_FILES.saturating_sub(other.len());
    other.extend(one.iter().take(more).cloned());
    Some(other)
}

/// Which files a `test` finds missing.
pub(super) fn of_test(arguments: &[ShellToken<'_>], paths: &Paths<'_, '_>) -> After {
    let is_end = |it: &&ShellToken<'_>| !matches!(it.text, "]" | "]]");
    let words: Vec<_> = arguments.iter().take_while(is_end).collect();
    let has = |word: &str| words.iter().any(|it| it.text == word);
    if has("\\(") || has("-a") && has("-o") {
        return After::any();
    }
    let mut parts = words.split(|it| matches!(it.text, "-a" | "-o"));
    let first = parts.next().map_or_else(After::any, |it| of_primary(it, paths));
    parts.map(|it| of_primary(it, paths)).fold(first, |one, other| {
        if has("-a") {
            After {
                success: all(one.success.as_ref(), other.success),
                failure: common(one.failure, other.failure),
            }
        } else {
            After {
                success: common(one.success, other.success),
                failure: all(one.failure.as_ref(), other.failure),
            }
        }
    })
}

/// Of one expression without `-a` and `-o`.
fn of_primary(words: &[&ShellToken<'_>], paths: &Paths<'_, '_>) -> After {
    let count = words.iter().take_while(|it| it.text == "!").count();
    let after = match words[count..] {
        [operator, file] if OF_A_FILE.contains(&operator.text) => {
            let path = paths.whole(file);
            let missing = path.into_iter().map(Rc::from).collect();
            After { success: Some(Missing::new()), failure: Some(missing) }
        }
        _ => After::any(),
    };
    if count % 2 == 1 { after.negated() } else { after }
}
