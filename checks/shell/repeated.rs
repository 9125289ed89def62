//! The parts of a script that may run more than once.

use std::ops::Range;

use crate::shell::{
    ShellToken, ShellTokenKind,
    commands::{commands, is_before_command},
    has_word,
};

/// What a script has begun and not ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opened<'s> {
    /// A loop, from where it begins.
    Loop(usize),
    /// A group in parentheses or in braces; where it is the body of a function, its head.
    Group(Option<Head<'s>>),
    Case,
}

/// The head of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head<'s> {
    name: &'s str,
    /// Where its parentheses begin.
    at: usize,
}

/// A part of a script that may run more than once.
struct Part<'s> {
    range: Range<usize>,
    /// Of which function it is the body; none of a loop.
    function: Option<&'s str>,
}

impl Part<'_> {
    /// Whether it is the body of a function that one command calls, which stands in none of these
    /// parts.
    fn is_called_once(&self, tokens: &[ShellToken<'_>], parts: &[Self]) -> bool {
        let Some(name) = self.function else { return false };
        // Its head names it, too.
        let count = tokens.iter().filter(|it| has_word(it.text, name)).count();
        let is_repeated = |at: usize| parts.iter().any(|it| it.range.contains(&at));
        let mut calls = commands(tokens).filter_map(|it| it.first().copied());
        let is_call = |it: &ShellToken<'_>| it.text == name && !is_head(tokens, it);
        count == 2 && calls.any(|it| is_call(&it) && !is_repeated(it.at))
    }
}

/// Whether a word is the name in the head of a function.
fn is_head(tokens: &[ShellToken<'_>], word: &ShellToken<'_>) -> bool {
    let place = tokens.iter().position(|it| it.at == word.at && it.is_word());
    place.and_then(|it| tokens.get(it + 1)).is_some_and(|it| it.text == "(")
}

/// The parts of a script that may run more than once: loops of any kind, with what their output goes
/// to, and the bodies of functions but of those that are called once. `None` where they cannot be
/// told for certain.
pub(super) fn repeated(tokens: &[ShellToken<'_>]) -> Option<Vec<Range<usize>>> {
    let mut found = loops_and_functions(tokens)?;
    while let Some(place) = found.iter().position(|it| it.is_called_once(tokens, &found)) {
        found.swap_remove(place);
    }
    Some(found.into_iter().map(|it| it.range).collect())
}

fn loops_and_functions<'s>(tokens: &[ShellToken<'s>]) -> Option<Vec<Part<'s>>> {
    let of_loop = |range| Part { range, function: None };
    let mut found = vec![];
    let mut open: Vec<Opened<'s>> = vec![];
    // Where the loop began whose `done` has come, and whose output may go somewhere.
    let mut done: Option<usize> = None;
    // A function's name and parentheses have come.
    let mut head: Option<Head<'s>> = None;
    let (mut is_first, mut end) = (true, 0);
    for (place, token) in tokens.iter().enumerate() {
        if token.kind == ShellTokenKind::End && token.text != "|" {
            found.extend(done.take().map(|begin| of_loop(begin..end)));
        }
        let is_parenthesis = matches!(token.text, "(" | ")");
        match token.text {
            "(" if is_function(tokens, place) => {
                head = Some(Head { name: tokens[place - 1].text, at: token.at });
            }
            ")" if head.is_some_and(|it| is_empty_between(tokens, place, it.at)) => {}
            "{" | "(" if is_first || is_parenthesis => open.push(Opened::Group(head.take())),
            "}" | ")" if is_first || is_parenthesis => match open.last() {
                Some(Opened::Group(function)) => {
                    found.extend(
                        function
                            .map(|it| Part { range: it.at..token.end(), function: Some(it.name) }),
                    );
                    open.pop();
                }
                // The end of a pattern.
                Some(Opened::Case) if is_parenthesis => {}
                _ => return None,
            },
            "while" | "until" | "for" | "select" if is_first => open.push(Opened::Loop(token.at)),
            "done" if is_first => match open.pop() {
                Some(Opened::Loop(begin)) => done = Some(begin),
                _ => return None,
            },
            "case" if is_first => open.push(Opened::Case),
            "esac" if is_first => drop(open.pop().filter(|it| *it == Opened::Case)?),
            // The body of a function may be any command that holds others.
            _ if head.is_some() && token.is_word() => return None,
            _ => {}
        }
        is_first = token.kind == ShellTokenKind::End || is_before_command(token);
        end = token.end();
    }
    found.extend(done.map(|begin| of_loop(begin..end)));
    open.is_empty().then_some(found)
}

/// Whether the parenthesis at this place stands behind the name of a function: `beat()`.
fn is_function(tokens: &[ShellToken<'_>], place: usize) -> bool {
    let is_name = |it: &ShellToken<'_>| it.is_word() && !is_before_command(it);
    let next = tokens[place + 1..].iter().find(|it| !it.text.is_empty());
    place.checked_sub(1).is_some_and(|it| is_name(&tokens[it]))
        && next.is_some_and(|it| it.text == ")")
}

/// Whether nothing stands between the parenthesis at `at` and the one at this place.
fn is_empty_between(tokens: &[ShellToken<'_>], place: usize, at: usize) -> bool {
    let before = tokens[..place].iter().rfind(|it| !it.text.is_empty());
    before.is_some_and(|it| it.at == at)
}
