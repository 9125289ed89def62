//! Shell scripts, as far as their text tells what they do: what is judged by it, and what remedies
//! change in it.
//!
//! A script is cut into words and operators as POSIX shells do it (Shell Command Language, 2.3 and
//! 2.9). Where that is not certain (unbalanced quotes, a here-document that does not end), there are
//! none. Quotes are kept in the words.

mod commands;
mod file_writes;
mod guards;
mod paths;
mod removals;
mod repeated;
mod variables;
mod writes;

pub use commands::{
    CLOSING, InnerScript, commands, inner_scripts, is_before_command, program, unquoted,
};
pub use file_writes::{FileWrite, WrittenPath, file_writes, has_flag, written_paths};
pub use guards::Guards;
pub use paths::Paths;
pub use removals::{Removal, removals};
pub use variables::{Variables, is_of_name, may_set_any_variable, sets_variables, split_name};
pub use writes::{Writes, writes, writes_of_words};

/// A longer script is not cut, nor looked at otherwise: that of a container is a page long.
pub const MAX_SCRIPT_BYTES: usize = 16 << 10;
/// How many command substitutions may stand within one another.
const MAX_DEPTH: usize = 32;

/// One word or operator of a script, by its place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShellToken<'s> {
    /// What it is.
    pub kind: ShellTokenKind,
    /// As it stands in the script.
    pub text: &'s str,
    /// Where it begins, in bytes.
    pub at: usize,
}

impl ShellToken<'_> {
    /// Whether it is a word.
    #[must_use]
    pub fn is_word(&self) -> bool {
        self.kind == ShellTokenKind::Word
    }

    /// Whether it redirects standard output to a file, also to the end of one.
    #[must_use]
    pub fn is_write_or_append(&self) -> bool {
        self.kind == ShellTokenKind::Write || matches!(self.text, ">>" | "1>>")
    }

    /// Where it ends, in bytes.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.at + self.text.len()
    }
}

/// What a [`ShellToken`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShellTokenKind {
    /// A word of a command, a reserved word, or a parenthesis.
    Word,
    /// `>` or `>|`, of standard output.
    Write,
    /// Any other redirection: `>>`, `2>`, `<`, `<<`, `>&`.
    Redirect,
    /// What ends a simple command.
    End,
}

/// Whether a program by this name, without its folder, is a shell.
#[must_use]
pub fn is_shell(name: &str) -> bool {
    matches!(name, "sh" | "bash" | "zsh" | "ksh" | "dash" | "ash")
}

/// Whether a program with this first argument is a shell that runs the word behind it: `/bin/sh -ec`.
#[must_use]
pub fn runs_a_script(program: &str, flag: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or(program);
    is_shell(name) && flag.starts_with('-') && flag.ends_with('c')
}

/// Whether a whole path is a folder, or lies in it.
#[must_use]
pub fn is_within(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|it| it.is_empty() || it.starts_with('/'))
}

/// Whether a text has a word, and not within another one.
fn has_word(text: &str, word: &str) -> bool {
    let goes_on = |it: char| it.is_alphanumeric() || "_-.".contains(it);
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(goes_on) && !text[at + word.len()..].starts_with(goes_on)
    })
}

/// The words and operators of a script; `None` where it cannot be cut for certain.
#[must_use]
pub fn tokens(script: &str) -> Option<Vec<ShellToken<'_>>> {
    if script.len() > MAX_SCRIPT_BYTES {
        return None;
    }
    let bytes = script.as_bytes();
    let mut tokens: Vec<ShellToken<'_>> = vec![];
    let mut documents: Vec<HereDocument<'_>> = vec![];
    let mut at = 0;
    while at < bytes.len() {
        if let Some(length) = between_tokens(&script[at..]) {
            at += length;
            continue;
        }
        let (kind, length) = match sign(&script[at..]) {
            Some(sign) => sign,
            None => (ShellTokenKind::Word, word(&script[at..])?),
        };
        let text = &script[at..at + length];
        // A function of this form has no parentheses that tell where its body begins.
        if text == "function" {
            return None;
        }
        // `2>` redirects another stream than the output.
        let is_stream = text.len() == 1 && text.bytes().all(|it| it.is_ascii_digit());
        if is_stream && bytes.get(at + 1).is_some_and(|it| matches!(it, b'>' | b'<')) {
            let rest = &script[at + 1..];
            let sign = rest.bytes().take_while(|it| matches!(it, b'>' | b'<' | b'&')).count();
            let kind = if text == "1" && rest[..sign] == *">" {
                ShellTokenKind::Write
            } else {
                ShellTokenKind::Redirect
            };
            tokens.push(ShellToken { kind, text: &script[at..at + 1 + sign], at });
            at += 1 + sign;
            continue;
        }
        if kind == ShellTokenKind::Word
            && let Some(before) = tokens.last()
            && let "<<" | "<<-" = before.text
        {
            documents.push(HereDocument { end: text, may_be_indented: before.text == "<<-" });
        }
        // A group's begin and end end commands, too: `( a; b )`.
        let end = |at| ShellToken { kind: ShellTokenKind::End, text: "", at };
        if text == ")" {
            tokens.push(end(at));
        }
        tokens.push(ShellToken { kind, text, at });
        at += length;
        if text == "(" {
            tokens.push(end(at));
        }
        if text == "\n" {
            for document in documents.drain(..) {
                at += document.length(&script[at..])?;
            }
        }
    }
    documents.is_empty().then_some(tokens)
}

/// How long it is if a text begins with what is between tokens: a blank, a broken line, a comment.
fn between_tokens(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [b' ' | b'\t', ..] => Some(1),
        [b'\\', b'\n', ..] => Some(2),
        [b'#', ..] => Some(text.find('\n').unwrap_or(text.len())),
        _ => None,
    }
}

/// The operator with which a text begins, and how long it is; `None` where it begins with a word.
fn sign(text: &str) -> Option<(ShellTokenKind, usize)> {
    use ShellTokenKind::{End, Redirect, Word, Write};
    /// An operator stands before those that it begins with.
    const SIGNS: [(&str, ShellTokenKind); 20] = [
        ("&>>", Redirect),
        ("&>", Redirect),
        ("&&", End),
        ("&", End),
        ("||", End),
        ("|", End),
        ("<<<", Redirect),
        ("<<-", Redirect),
        ("<<", Redirect),
        ("<&", Redirect),
        ("<>", Redirect),
        ("<", Redirect),
        (">>", Redirect),
        (">&", Redirect),
        (">|", Write),
        (">", Write),
        ("\n", End),
        (";", End),
        ("(", Word),
        (")", Word),
    ];
    let found = SIGNS.iter().find(|(it, _)| text.starts_with(it));
    found.map(|(it, kind)| (*kind, it.len()))
}

/// A here-document whose text begins at the next line.
struct HereDocument<'s> {
    /// The word that its last line consists of, perhaps in quotes.
    end: &'s str,
    /// That line may begin with tabs.
    may_be_indented: bool,
}

impl HereDocument<'_> {
    /// How long its text is, its last line included, but not what ends that; `None` where no line
    /// ends it.
    fn length(&self, text: &str) -> Option<usize> {
        let end = self.end.replace(['\'', '"', '\\'], "");
        let mut at = 0;
        for line in text.split('\n') {
            let own = if self.may_be_indented { line.trim_start_matches('\t') } else { line };
            if own == end {
                return Some(at + line.len());
            }
            at += line.len() + 1;
        }
        None
    }
}

/// How long the word is at the beginning of the text, quotes and substitutions included.
fn word(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => break,
            b'\\' => at += 2,
            b'\'' => at += 2 + text[at + 1..].find('\'')?,
            b'"' => at += 1 + quoted(&text[at + 1..], 0)?,
            b'`' => at += 2 + text[at + 1..].find('`')?,
            b'$' if bytes.get(at + 1) == Some(&b'(') => {
                at += 2 + substitution(&text[at + 2..], 0)?;
            }
            _ => at += 1,
        }
    }
    Some(at.min(text.len())).filter(|it| text.is_char_boundary(*it))
}

/// How far a text in double quotes goes, its end included. `depth`: how many substitutions it stands
/// in.
fn quoted(text: &str, depth: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            b'$' if bytes.get(at + 1) == Some(&b'(') => {
                at += 2 + substitution(text.get(at + 2..)?, depth + 1)?;
            }
            _ => at += 1,
        }
    }
    None
}

/// How far a command substitution goes, its closing parenthesis included.
fn substitution(text: &str, within: usize) -> Option<usize> {
    if within > MAX_DEPTH {
        return None;
    }
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 1);
    while at < bytes.len() {
        match bytes[at] {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'\'' => at += 1 + text.get(at + 1..)?.find('\'')?,
            b'"' => at += quoted(text.get(at + 1..)?, within)?,
            b'\\' => at += 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The scripts of the command substitutions in a text.
fn substitutions(text: &str) -> impl Iterator<Item = &str> {
    let in_parentheses = text.match_indices("$(").filter_map(|(at, sign)| {
        let script = &text[at + sign.len()..];
        script.get(..substitution(script, 0)?)?.strip_suffix(')')
    });
    in_parentheses.chain(text.split('`').skip(1).step_by(2))
}

#[cfg(test)]
mod tests;
