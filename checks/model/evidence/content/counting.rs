//! Counters: numbers that have gone on from what each fresh start writes.

use std::collections::BTreeSet;

use crate::{
    model::evidence::content::{
        clock::{Explained, WriteMoments, WrittenNumber, explains},
        lexer::{TextToken, TokenKind},
    },
    shell::MAX_SCRIPT_BYTES,
};

/// A line of a file, and the line of the same shape that is there after a new start.
pub(crate) struct SameLineLater<'l, 't> {
    /// Such lines of fresh starts.
    pub(crate) fresh: &'l [&'l [TextToken<'t>]],
    pub(crate) before: &'l [TextToken<'t>],
    pub(crate) after: &'l [TextToken<'t>],
    /// When each of the two may have been written.
    pub(crate) moments: [WriteMoments; 2],
}

impl SameLineLater<'_, '_> {
    /// The places of the number or two that have gone on, if no other figure has changed but what
    /// differs between fresh starts, too.
    ///
    /// Among figures that do, a load or random numbers, one that goes on may do so by chance:
    /// there it must count from 0 or 1, and have a name in front of it.
    pub(crate) fn places_that_went_on(&self) -> Vec<usize> {
        const MAX_NUMBERS: usize = 2;
        let (noise, rest): (Vec<usize>, Vec<usize>) =
            self.changed_figures().partition(|place| self.differs_when_fresh(*place));
        if rest.len() > MAX_NUMBERS {
            return vec![];
        }
        for place in &rest {
            if !self.is_further(*place) {
                return vec![];
            }
            if noise.is_empty() {
                continue;
            }
            if !self.has_name(*place) || !self.counts_from_the_start(*place) {
                return vec![];
            }
        }
        rest
    }

    fn changed_figures(&self) -> impl Iterator<Item = usize> + '_ {
        let differs = |place: &usize| self.before[*place].text != self.after[*place].text;
        let is_figure = |place: &usize| {
            matches!(self.before[*place].kind, TokenKind::Number | TokenKind::Decimal)
        };
        (0..self.before.len().min(self.after.len())).filter(differs).filter(is_figure)
    }

    fn differs_when_fresh(&self, place: usize) -> bool {
        let values: BTreeSet<&str> =
            self.fresh.iter().filter_map(|line| Some(line.get(place)?.text)).collect();
        values.len() > 1
    }

    fn fresh_numbers(&self, place: usize) -> BTreeSet<i64> {
        self.fresh.iter().filter_map(|line| line.get(place)?.number()).collect()
    }

    /// Whether a number has gone on from what each fresh start writes, and the time does not
    /// explain that.
    fn is_further(&self, place: usize) -> bool {
        let (before, after) = (self.before[place], self.after[place]);
        let Some((number, later)) = before.number().zip(after.number()).filter(|(a, b)| b > a)
        else {
            return false;
        };
        let written = [(before, self.moments[0]), (after, self.moments[1])]
            .map(|(token, moments)| WrittenNumber { digits: token.text, moments });
        let fresh = self.fresh_numbers(place);
        let goes_on = match fresh.len() {
            0 => later == number + 1,
            1 => !fresh.contains(&later) && fresh.iter().all(|it| *it <= number),
            _ => false,
        };
        goes_on && explains(&written) == Explained::No
    }

    /// Whether each fresh start writes 0 or 1 there.
    pub(crate) fn counts_from_the_start(&self, place: usize) -> bool {
        self.fresh_numbers(place).iter().all(|it| (0..=1).contains(it))
    }

    /// Whether a word stands in front of a number: `starts: 2`, not the `2` of `0.31 2/201`.
    fn has_name(&self, place: usize) -> bool {
        let name = place.checked_sub(1).map(|it| (self.before[it], self.after[it]));
        name.is_some_and(|(before, after)| {
            before.kind == TokenKind::Word && !before.is_random() && before.text == after.text
        })
    }

    /// Whether a script writes a count of files at this place: behind the word that stands in front
    /// of the number, or in front of the one behind it. `None` where it does not show that.
    pub(crate) fn is_count_of_files(&self, place: usize, script: &str) -> Option<bool> {
        if script.len() > MAX_SCRIPT_BYTES {
            return None;
        }
        let marked = with_counts_marked(script);
        // A count of files decides, wherever it is; `None` is the least.
        let mut is_count = None;
        if let Some(name) = place.checked_sub(1).and_then(|it| self.word(it)) {
            for (_, behind) in around_each(&marked, name) {
                is_count = is_count.max(begins_with_a_count(behind));
            }
        }
        if let Some(name) = self.word(place + 1) {
            for (before, _) in around_each(&marked, name) {
                is_count = is_count.max(ends_with_a_count(before));
            }
        }
        is_count
    }

    fn word(&self, place: usize) -> Option<&str> {
        let token = self.after.get(place)?;
        (token.kind == TokenKind::Word).then_some(token.text)
    }
}

/// Whether a script's text begins with a count of files; `None` where it begins with no variable.
fn begins_with_a_count(text: &str) -> Option<bool> {
    let first = text.split(char::is_alphanumeric).next().unwrap_or_default();
    if first.contains(COUNT_MARK) {
        return Some(true);
    }
    first.contains('$').then_some(false)
}

/// Whether a script's text ends with a count of files; `None` where it ends with no variable.
fn ends_with_a_count(text: &str) -> Option<bool> {
    let last = text.rsplit(char::is_alphanumeric).next().unwrap_or_default();
    if last.contains(COUNT_MARK) {
        return Some(true);
    }
    ends_with_a_variable(text).then_some(false)
}

/// What stands before and behind each place where a text has this word, and not within another one.
fn around_each<'s>(text: &'s str, word: &'s str) -> impl Iterator<Item = (&'s str, &'s str)> {
    let goes_on = |it: char| it.is_alphanumeric() || it == '_';
    let around = text.match_indices(word).map(|(at, _)| (&text[..at], &text[at + word.len()..]));
    around
        .filter(move |(before, behind)| !before.ends_with(goes_on) && !behind.starts_with(goes_on))
}

/// Whether the last word of a script's text is a variable: `$n`, `${n}`, `$((n))`.
fn ends_with_a_variable(text: &str) -> bool {
    let is_of_a_name = |it: char| it.is_alphanumeric() || it == '_';
    let text = text.trim_end_matches(|it: char| !is_of_a_name(it));
    let before = text.trim_end_matches(is_of_a_name);
    before.len() < text.len() && before.trim_end_matches(['{', '(']).ends_with('$')
}

/// Stands for a count of files.
const COUNT_MARK: char = '\u{1}';

/// Whether a command counts what lies in a folder: `ls | wc -l`.
pub(crate) fn lists_a_folder(script: &str) -> bool {
    let plain = script.replace(['\'', '"'], " ");
    // What stands around each parenthesis that is open.
    let mut around = vec![];
    let mut inner = String::new();
    for next in plain.chars() {
        match next {
            '(' => around.push(std::mem::take(&mut inner)),
            ')' | '`' | '\n' | ';' | '&' => {
                if is_count_of_a_folder(&inner) {
                    return true;
                }
                inner = if next == ')' { around.pop().unwrap_or_default() } else { String::new() };
            }
            _ => inner.push(next),
        }
    }
    around.push(inner);
    around.iter().any(|it| is_count_of_a_folder(it))
}

/// Whether a pipeline counts what lies in a folder.
fn is_count_of_a_folder(pipeline: &str) -> bool {
    let mut commands = pipeline.split('|').filter_map(|it| it.split_whitespace().next());
    commands.any(|it| ["ls", "find"].contains(&it)) && commands.any(|it| it == "wc")
}

/// A script with a mark in the place of each count of files: of `$(ls | wc -l)`, and of variables
/// that were set to such.
fn with_counts_marked(script: &str) -> String {
    let mut marked = with_substitutions_marked(script);
    for name in variables_with_a_count(&marked) {
        for written in [format!("${{{name}}}"), format!("${name}")] {
            marked = replaced_as_a_word(&marked, &written);
        }
    }
    marked
}

/// A script with a mark in the place of each `$(ls | wc -l)`.
fn with_substitutions_marked(script: &str) -> String {
    let mut marked = String::new();
    let mut rest = script;
    while let Some(Substitution { at, opening, closing }) = Substitution::first_of(rest) {
        let begin = at + opening.len();
        let inner = &rest[begin..];
        let end = end_of_substitution(inner, closing);
        if lists_a_folder(&inner[..end]) {
            marked.push_str(&rest[..at]);
            marked.push(COUNT_MARK);
        } else {
            marked.push_str(&rest[..begin + end]);
        }
        rest = inner.get(end + closing.len_utf8()..).unwrap_or("");
    }
    marked.push_str(rest);
    marked
}

/// Where the command ends whose output the shell puts in its place; those within it end before.
fn end_of_substitution(inner: &str, closing: char) -> usize {
    let mut open = 0_usize;
    for (at, next) in inner.char_indices() {
        match next {
            _ if next == closing && open == 0 => return at,
            // A backquote ends it, whatever stands within.
            _ if closing == '`' => {}
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
    }
    inner.len()
}

/// Where a command stands whose output the shell puts in its place.
struct Substitution {
    at: usize,
    opening: &'static str,
    closing: char,
}

impl Substitution {
    fn first_of(text: &str) -> Option<Self> {
        let dollar = text.find("$(").map(|at| Self { at, opening: "$(", closing: ')' });
        let quote = text.find('`').map(|at| Self { at, opening: "`", closing: '`' });
        dollar.into_iter().chain(quote).min_by_key(|it| it.at)
    }
}

fn variables_with_a_count(marked: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in marked.match_indices(COUNT_MARK) {
        let Some(before) = marked[..at].trim_end_matches('"').strip_suffix('=') else { continue };
        let start = before
            .rfind(|it: char| !it.is_ascii_alphanumeric() && it != '_')
            .map_or(0, |place| place + 1);
        let name = before.get(start..).unwrap_or("");
        if !name.is_empty() {
            names.insert(name.to_owned());
        }
    }
    names
}

/// Puts a mark in the place of a variable, and leaves alone what only begins like it.
fn replaced_as_a_word(text: &str, variable: &str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(variable) {
        let (before, found) = rest.split_at(at);
        let behind = &found[variable.len()..];
        let goes_on = !variable.ends_with('}')
            && behind.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '_');
        replaced.push_str(before);
        if goes_on {
            replaced.push_str(variable);
        } else {
            replaced.push(COUNT_MARK);
        }
        rest = behind;
    }
    replaced.push_str(rest);
    replaced
}

#[cfg(test)]
mod tests {
    use super::{SameLineLater, lists_a_folder};
    use crate::model::evidence::content::{clock::WriteMoments, known::PodWords, lexer::lex};

    #[test]
    fn a_count_of_files_is_recognised() {
        for script in [
            "n=$(ls /data | wc -l)",
            "echo \"found `find . -type f | grep -v tmp | wc -l` files\"",
            "cd /data\nls -A|wc -l > count",
            "n=$(ls \"$(pwd)\" | wc -l)",
            "find $(dirname \"$(realpath $f)\"; echo /data) | wc -l",
        ] {
            assert!(lists_a_folder(script), "{script}");
        }
        for script in [
            "wc -l < log",
            "ls; wc -l log",
            "cat log | wc -l",
            "n=$((n + 1))",
            "ls | tr",
            "ls $(wc x)",
        ] {
            assert!(!lists_a_folder(script), "{script}");
        }
    }

    /// Catches a counter that is taken for a count of files because the script counts some, too.
    #[test]
    fn a_count_of_files_is_written_where_the_number_stands() {
        let words = PodWords::default();
        let is_count = |line: &str, script: &str| {
            let after = lex(line, &words);
            let place = after.iter().position(|it| it.number().is_some()).unwrap();
            let moments = [WriteMoments::default(); 2];
            let line = SameLineLater { fresh: &[], before: &after, after: &after, moments };
            line.is_count_of_files(place, script)
        };
        for script in [
            "echo \"found $(ls | wc -l) files\"",
            "n=$(ls | wc -l); echo \"found $n files\"",
            "n=\"`find . | wc -l`\"\necho \"found: ${n}\" > id",
            "x=$(date); n=$(ls | wc -l); echo there are now $n files",
            "n=$(ls \"$(pwd)\" | wc -l); echo \"found $n files\"",
            "echo \"found $(expr $(ls | wc -l) + 1) files\"",
            "x=`echo \")(\"`; echo \"found $(ls | wc -l) files\"",
        ] {
            assert_eq!(is_count("found 2 files", script), Some(true), "{script}");
        }
        for script in [
            "n=$((n + 1)); echo \"starts $n\"; echo \"files $(ls | wc -l)\"",
            "f=$(ls | wc -l); starts=$(cat n); echo \"starts $starts files $f\"",
            "n=$(ls | wc -l); echo starts $nr $n",
            "restarts=$(ls | wc -l); echo \"starts $n files $restarts\"",
            "startsnow=$(ls | wc -l); echo \"starts: ${n} files: $startsnow\"",
        ] {
            assert_eq!(is_count("starts 2", script), Some(false), "{script}");
        }
        let behind = "echo \"$(hostname): $n starts, $(ls | wc -l) files\"";
        assert_eq!(is_count("2 starts", behind), Some(false));
        for script in ["echo $(ls | wc -l", "`", "", "printf '%s' $(ls | wc -l)"] {
            assert_eq!(is_count("starts 2", script), None, "{script}");
        }
    }
}
