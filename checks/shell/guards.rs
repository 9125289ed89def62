//! Which parts of a script run only where a file is missing, because the script tests for it:
//! `[ -f FILE ] || …`, or the `if` that says the same.

mod missing;

use std::{collections::BTreeMap, ops::Range, rc::Rc};

use crate::shell::{
    Paths, ShellToken, ShellTokenKind,
    commands::{is_assignment, program},
    guards::missing::{After, Missing, all, common, of_test},
};

/// How many commands may stand within one another.
const MAX_DEPTH: usize = 32;
/// Words that end a list of commands.
const ENDS_OF_LIST: [&str; 9] = ["then", "do", "else", "elif", "fi", "done", "esac", "}", ")"];
/// Commands that end the script, or the part of it that they stand in.
const LEAVING: [&str; 4] = ["exit", "return", "break", "continue"];
/// The parts of a script that run only in a start which found a file missing.
#[derive(Debug, Default)]
pub struct Guards(BTreeMap<Rc<str>, Vec<Range<usize>>>);

impl Guards {
    /// Those of a whole script; `None` where its parts cannot be told for certain.
    #[must_use]
    pub fn of(paths: &Paths<'_, '_>) -> Option<Self> {
        let mut parser = Parser { paths, place: 0, depth: 0, found: Self::default() };
        parser.list()?;
        (parser.place == paths.tokens.len()).then_some(parser.found)
    }

    /// Whether what stands at `at` runs only where the file with this whole path is missing.
    #[must_use]
    pub fn hold(&self, at: usize, path: &str) -> bool {
        self.0.get(path).is_some_and(|it| it.iter().any(|it| it.contains(&at)))
    }
}

/// Reads a script as the grammar of shells has it (Shell Command Language, 2.10). Each step is
/// `None` where the script is no such one.
struct Parser<'p, 't, 's> {
    paths: &'p Paths<'t, 's>,
    place: usize,
    depth: usize,
    found: Guards,
}

impl<'s> Parser<'_, '_, 's> {
    fn token(&self) -> Option<ShellToken<'s>> {
        self.paths.tokens.get(self.place).copied()
    }

    /// Where the next token begins.
    fn at(&self) -> usize {
        self.token().map_or(usize::MAX, |it| it.at)
    }

    /// Whether this word is next.
    fn is_word(&self, text: &str) -> bool {
        self.token().is_some_and(|it| it.is_word() && it.text == text)
    }

    /// Whether this operator is next.
    fn is_operator(&self, text: &str) -> bool {
        self.token().is_some_and(|it| it.kind == ShellTokenKind::End && it.text == text)
    }

    fn take(&mut self, word: &str) -> Option<()> {
        self.is_word(word).then(|| self.place += 1)
    }

    /// Whether a branch of `case` ends here.
    fn is_end_of_branch(&self) -> bool {
        let next = self.paths.tokens.get(self.place + 1);
        self.is_operator(";") && next.is_some_and(|it| it.text == ";" && it.at == self.at() + 1)
    }

    fn is_end_of_list(&self) -> bool {
        self.token().is_none_or(|it| it.is_word() && ENDS_OF_LIST.contains(&it.text))
            || self.is_end_of_branch()
    }

    fn skip_operators(&mut self, is_meant: impl Fn(&Self) -> bool) {
        while self.token().is_some_and(|it| it.kind == ShellTokenKind::End) && is_meant(self) {
            self.place += 1;
        }
    }

    fn skip_lines(&mut self) {
        self.skip_operators(|it| it.is_operator("\n"));
    }

    /// What stands from `begin` to here runs only where these files are missing.
    fn guard(&mut self, missing: Option<&Missing>, begin: usize) {
        let range = begin..self.at();
        for file in missing.into_iter().flatten() {
            self.found.0.entry(file.clone()).or_default().push(range.clone());
        }
    }

    /// Commands up to the end of the part that they stand in.
    fn list(&mut self) -> Option<After> {
        // What was found missing by the lists before, and from where on.
        let mut gained: Vec<(Missing, usize)> = vec![];
        let mut missing = Some(Missing::new());
        let mut last = After::any();
        loop {
            self.skip_operators(|it| !it.is_end_of_branch());
            if self.is_end_of_list() {
                break;
            }
            last = self.and_or()?;
            if self.is_operator("&") {
                last = After::any();
            }
            let either = last.clone().either();
            if let Some(found) = either.clone().filter(|it| !it.is_empty()) {
                gained.push((found, self.at()));
            }
            last = After {
                success: all(missing.as_ref(), last.success),
                failure: all(missing.as_ref(), last.failure),
            };
            missing = all(missing.as_ref(), either);
        }
        for (missing, begin) in gained {
            self.guard(Some(&missing), begin);
        }
        Some(last)
    }

    /// Pipelines with `&&` and `||` between them.
    fn and_or(&mut self) -> Option<After> {
        let mut before = self.pipeline()?;
        loop {
            let is_and = self.is_operator("&&");
            if !is_and && !self.is_operator("||") {
                return Some(before);
            }
            self.place += 1;
            self.skip_lines();
            let begin = self.at();
            let next = self.pipeline()?;
            let (given, other) = if is_and {
                (before.success, before.failure)
            } else {
                (before.failure, before.success)
            };
            self.guard(given.as_ref(), begin);
            let success = all(given.as_ref(), next.success);
            let failure = all(given.as_ref(), next.failure);
            before = if is_and {
                After { success, failure: common(other, failure) }
            } else {
                After { success: common(other, success), failure }
            };
        }
    }

    /// Commands with `|` between them. What a pipe runs neither ends the script nor tests anything
    /// for it.
    fn pipeline(&mut self) -> Option<After> {
        let mut is_negated = false;
        while self.is_word("!") {
            is_negated = !is_negated;
            self.place += 1;
        }
        let mut after = self.command()?;
        while self.is_operator("|") {
            self.place += 1;
            self.skip_lines();
            self.command()?;
            after = After::any();
        }
        Some(if is_negated { after.negated() } else { after })
    }

    fn command(&mut self) -> Option<After> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let after = self.command_of_any_kind()?;
        self.depth -= 1;
        Some(after)
    }

    fn command_of_any_kind(&mut self) -> Option<After> {
        let token = self.token().filter(ShellToken::is_word);
        let after = match token.map_or("", |it| it.text) {
            "if" => self.conditional()?,
            "while" | "until" => self.conditional_loop()?,
            "for" | "select" => self.loop_of_words()?,
            "case" => self.case()?,
            "{" => self.group("}")?,
            "(" => self.subshell()?,
            _ => return self.simple_command(),
        };
        self.redirections()?;
        Some(after)
    }

    /// From `{` or `(` to the word that closes it.
    fn group(&mut self, close: &str) -> Option<After> {
        self.place += 1;
        let after = self.list()?;
        self.take(close)?;
        Some(after)
    }

    /// What ends it does not end the script, so that what it tests decides about nothing behind it.
    fn subshell(&mut self) -> Option<After> {
        self.group(")")?;
        Some(After::any())
    }

    /// From `if` or `elif` to `fi`.
    fn conditional(&mut self) -> Option<After> {
        self.place += 1;
        let condition = self.list()?;
        self.take("then")?;
        let then = self.branch(condition.success)?;
        let otherwise = if self.is_word("elif") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return None;
            }
            let begin = self.at();
            let after = self.conditional()?.either();
            self.guard(condition.failure.as_ref(), begin);
            self.depth -= 1;
            all(condition.failure.as_ref(), after)
        } else {
            let otherwise = if self.is_word("else") {
                self.place += 1;
                self.branch(condition.failure)?
            } else {
                condition.failure
            };
            self.take("fi")?;
            otherwise
        };
        Some(After::both(common(then, otherwise)))
    }

    /// A list that is run only where these files are missing.
    fn branch(&mut self, missing: Option<Missing>) -> Option<Option<Missing>> {
        let begin = self.at();
        let after = self.list()?.either();
        self.guard(missing.as_ref(), begin);
        Some(all(missing.as_ref(), after))
    }

    fn conditional_loop(&mut self) -> Option<After> {
        let is_while = self.is_word("while");
        self.place += 1;
        let condition = self.list()?;
        self.take("do")?;
        self.branch(if is_while { condition.success } else { condition.failure })?;
        self.take("done")?;
        Some(After::any())
    }

    fn loop_of_words(&mut self) -> Option<After> {
        self.words()?;
        self.skip_operators(|_| true);
        self.take("do")?;
        self.list()?;
        self.take("done")?;
        Some(After::any())
    }

    fn case(&mut self) -> Option<After> {
        self.place += 2;
        self.skip_lines();
        self.take("in")?;
        loop {
            self.skip_operators(|_| true);
            if self.is_word("esac") {
                self.place += 1;
                return Some(After::any());
            }
            // The pattern.
            while !self.is_word(")") {
                self.token()?;
                self.place += 1;
            }
            self.place += 1;
            self.list()?;
        }
    }

    fn simple_command(&mut self) -> Option<After> {
        if self.is_head_of_function() {
            self.place += 1;
            while !self.is_word(")") {
                self.place += 1;
            }
            self.place += 1;
            self.skip_lines();
            self.command()?;
            return Some(After::any());
        }
        let words = self.words()?;
        let Some((name, arguments)) = program(&words) else { return Some(After::any()) };
        let first = words.iter().find(|it| !is_assignment(it.text));
        let is_replaced = first.is_some_and(|it| it.text == "exec") && name != "exec";
        Some(match name {
            _ if is_replaced => After::both(None),
            name if LEAVING.contains(&name) => After::both(None),
            // Its `&&` and `||` end no command, and it goes on behind them.
            "[[" if arguments.iter().all(|it| it.text != "]]") => After::any(),
            "[" | "[[" | "test" => of_test(arguments, self.paths),
            _ => After::any(),
        })
    }

    /// Whether a function begins here: `start()`.
    fn is_head_of_function(&self) -> bool {
        let mut rest = self.paths.tokens[self.place..].iter().filter(|it| !it.text.is_empty());
        rest.next().is_some_and(ShellToken::is_word)
            && rest.next().is_some_and(|it| it.text == "(")
            && rest.next().is_some_and(|it| it.text == ")")
    }

    /// The words up to the end of a simple command, without its redirections.
    fn words(&mut self) -> Option<Vec<ShellToken<'s>>> {
        let mut words = vec![];
        let mut is_target = false;
        while let Some(token) = self.token().filter(|it| it.kind != ShellTokenKind::End) {
            // A list of commands whose output is a file: `> >(tee log)`.
            if token.text == "(" {
                self.group(")")?;
                continue;
            }
            if token.is_word() && !is_target {
                words.push(token);
            }
            is_target = !token.is_word();
            self.place += 1;
        }
        Some(words)
    }

    /// What stands behind a command that holds others.
    fn redirections(&mut self) -> Option<()> {
        let mut is_target = false;
        while let Some(token) = self.token().filter(|it| it.kind != ShellTokenKind::End) {
            match (token.is_word(), is_target) {
                (true, false) => break,
                (true, true) if token.text == "(" => drop(self.group(")")?),
                _ => self.place += 1,
            }
            is_target = !token.is_word();
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
