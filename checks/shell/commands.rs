//! The simple commands of a script, what they run, and in which folder.

use std::rc::Rc;

use crate::shell::{self, ShellToken, ShellTokenKind, is_shell};

/// Words after which a command begins.
const BEFORE_COMMAND: [&str; 10] =
    ["then", "do", "else", "elif", "if", "while", "until", "!", "{", "("];
/// Programs that run the one that they name.
const RUNNERS: [&str; 7] = ["exec", "command", "nohup", "sudo", "busybox", "env", "time"];
/// Words that end what began with another: a redirection behind them is of the whole.
pub const CLOSING: [(&str, &str); 5] =
    [("}", "{"), (")", "("), ("done", "do"), ("fi", "if"), ("esac", "case")];

/// Whether a word stands before a command and is no part of it. `)` does where it ends a pattern of
/// `case`, and before the body of a function.
#[must_use]
pub fn is_before_command(token: &ShellToken<'_>) -> bool {
    token.text == ")" || BEFORE_COMMAND.contains(&token.text)
}

/// The simple commands, without their redirections; empty where nothing stands between two ends.
pub fn commands<'t, 's>(
    tokens: &'t [ShellToken<'s>],
) -> impl Iterator<Item = Vec<ShellToken<'s>>> + 't {
    tokens.split(|it| it.kind == ShellTokenKind::End).map(|part| {
        let mut words = vec![];
        let mut is_target = false;
        for token in part {
            match token.kind {
                ShellTokenKind::Word if is_target => is_target = false,
                ShellTokenKind::Word if words.is_empty() && is_before_command(token) => {}
                ShellTokenKind::Word => words.push(*token),
                _ => is_target = true,
            }
        }
        words
    })
}

/// The program that a command runs, without its folder, and its arguments: `rm` of
/// `A=1 exec /bin/rm -f x`.
#[must_use]
pub fn program<'t, 's>(command: &'t [ShellToken<'s>]) -> Option<(&'s str, &'t [ShellToken<'s>])> {
    let mut rest = command;
    loop {
        let (first, arguments) = rest.split_first()?;
        let name = first.text.rsplit('/').next().unwrap_or(first.text);
        if !is_assignment(first.text) && (arguments.is_empty() || !RUNNERS.contains(&name)) {
            return Some((name, arguments));
        }
        rest = arguments;
    }
}

/// Whether a word before a program sets a variable: `A=1`.
pub(super) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
    })
}

/// The arguments of `echo` and `printf`, where no program may take what these print for a script.
pub(super) fn printed_words<'s>(tokens: &[ShellToken<'s>]) -> Vec<ShellToken<'s>> {
    let is_reader = |command: Vec<ShellToken<'_>>| {
        program(&command).is_some_and(|(name, arguments)| is_shell(name) && arguments.is_empty())
    };
    if commands(tokens).any(is_reader) {
        return vec![];
    }
    let mut found = vec![];
    for part in tokens.split_inclusive(|it| it.kind == ShellTokenKind::End) {
        let is_piped = part.last().is_some_and(|it| it.text == "|");
        for command in commands(part).filter(|_| !is_piped) {
            if let Some(("echo" | "printf", arguments)) = program(&command) {
                found.extend_from_slice(arguments);
            }
        }
    }
    found
}

/// A folder is not longer: `PATH_MAX` of Linux, in bytes.
const MAX_FOLDER_BYTES: usize = 4096;

/// The folders that a script changes to.
#[derive(Debug)]
pub(super) struct Folders {
    /// Behind which byte of the script each change holds, and the folder; `None` where nobody knows
    /// which.
    changes: Vec<(usize, Option<Rc<str>>)>,
    /// The folder in which it begins.
    from: Option<Rc<str>>,
}

impl Folders {
    /// Those of a whole script. `from`: the folder in which it begins.
    pub(super) fn of(tokens: &[ShellToken<'_>], from: Option<&str>) -> Self {
        let from: Option<Rc<str>> = from.map(Rc::from);
        let mut folder = from.clone();
        let mut changes = vec![];
        let mut open: Vec<Opened> = vec![];
        let mut is_first = true;
        for (place, token) in tokens.iter().enumerate() {
            match token.text {
                "(" => open.push(Opened::Group(folder.clone())),
                "case" if is_first => open.push(Opened::Case),
                "esac" if is_first && matches!(open.last(), Some(Opened::Case)) => drop(open.pop()),
                // A group's end brings back the folder of its begin; a pattern's end is none.
                ")" if !matches!(open.last(), Some(Opened::Case)) => {
                    if let Some(Opened::Group(outside)) = open.pop() {
                        folder = outside;
                        changes.push((token.at, folder.clone()));
                    }
                }
                "cd" if is_first => {
                    let path = tokens.get(place + 1).filter(|it| it.is_word());
                    let path = path.map(|it| unquoted(it.text));
                    folder = path.and_then(|it| folder_after_cd(folder.as_deref(), &it));
                    changes.push((token.at, folder.clone()));
                }
                _ => {}
            }
            is_first = token.kind == ShellTokenKind::End || is_before_command(token);
        }
        Self { changes, from }
    }

    /// The one that the script has last changed to before it comes to `at`, and in which it still
    /// is; `None` where there is none, or nobody knows which.
    pub(super) fn at(&self, at: usize) -> Option<&str> {
        let before = self.changes.partition_point(|(behind, _)| *behind < at);
        let folder = match before.checked_sub(1) {
            Some(last) => &self.changes[last].1,
            None => &self.from,
        };
        folder.as_deref()
    }
}

/// What a script has begun and not ended.
enum Opened {
    /// A group in parentheses, and the folder before it.
    Group(Option<Rc<str>>),
    /// `case`, whose patterns end in a parenthesis.
    Case,
}

/// The folder in which one is after `cd path`.
fn folder_after_cd(folder: Option<&str>, path: &str) -> Option<Rc<str>> {
    let folder = if path.starts_with(['$', '`', '-', '~']) || path.contains("..") {
        return None;
    } else if path.starts_with('/') {
        path.to_owned()
    } else {
        joined(folder?, path)
    };
    (folder.len() <= MAX_FOLDER_BYTES).then(|| folder.into())
}

/// A path within a folder.
pub(super) fn joined(folder: &str, path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    format!("{}/{path}", folder.trim_end_matches('/'))
}

/// A script that stands in quotes within another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InnerScript {
    /// As the shell reads it that runs it: without the quotes around it, nor what escapes others.
    pub text: String,
    /// The folder in which it begins, where that is known.
    pub folder: Option<String>,
    /// Where each byte of the text stands in the outermost script, and where the text ends there.
    places: Vec<usize>,
}

impl InnerScript {
    /// Where a byte of its text, or its end, stands in the outermost script. An escaped character
    /// stands where its `\` does.
    #[must_use]
    pub fn place(&self, at: usize) -> usize {
        self.places[at]
    }
}

/// The scripts that stand in quotes and are run, and those within them: of `trap`, `eval` and
/// `sh -c`, whatever stands before that.
#[must_use]
pub fn inner_scripts(tokens: &[ShellToken<'_>]) -> Vec<InnerScript> {
    inner_scripts_from(tokens, None)
}

/// `from`: the folder in which the outer script begins.
fn inner_scripts_from(tokens: &[ShellToken<'_>], from: Option<&str>) -> Vec<InnerScript> {
    let folders = Folders::of(tokens, from);
    let mut found = vec![];
    for command in commands(tokens) {
        let Some((name, arguments)) = program(&command) else { continue };
        let script = if matches!(name, "trap" | "eval") {
            arguments.iter().find(|it| it.text != "--")
        } else {
            let is_shell = |it: &ShellToken<'_>| {
                is_shell(it.text.rsplit('/').next().unwrap_or_default()) || it.text == "su"
            };
            let words = command.iter().skip_while(|it| !is_shell(it));
            let runs = |it: &&ShellToken<'_>| it.text.starts_with('-') && it.text.ends_with('c');
            words.skip_while(|it| !runs(it)).nth(1)
        };
        let Some(script) = script else { continue };
        let Some((text, mut places)) = quoted_text(script.text) else { continue };
        places.iter_mut().for_each(|it| *it += script.at);
        let folder = folders.at(script.at).map(str::to_owned);
        let own = shell::tokens(&text).unwrap_or_default();
        let mut within_it = inner_scripts_from(&own, folder.as_deref());
        for it in within_it.iter_mut().flat_map(|it| &mut it.places) {
            *it = places[*it];
        }
        found.push(InnerScript { text, folder, places });
        found.extend(within_it);
    }
    found
}

/// The text of a word that is quoted as a whole, and where each of its bytes stands in the word, and
/// its end. Within double quotes `\` escapes some characters (Shell Command Language, 2.2.3).
pub(super) fn quoted_text(word: &str) -> Option<(String, Vec<usize>)> {
    let within = |quote| word.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(text) = within('\'') {
        return Some((text.to_owned(), (1..=text.len() + 1).collect()));
    }
    let text = within('"')?;
    let (mut plain, mut places) = (String::with_capacity(text.len()), vec![]);
    let mut chars = text.char_indices().peekable();
    while let Some((at, mut next)) = chars.next() {
        let escaped = chars.next_if(|(_, it)| next == '\\' && "$`\"\\\n".contains(*it));
        if let Some((_, it)) = escaped {
            if it == '\n' {
                continue;
            }
            next = it;
        }
        plain.push(next);
        places.resize(plain.len(), at + 1);
    }
    places.push(text.len() + 1);
    Some((plain, places))
}

/// A word without its quotes.
#[must_use]
pub fn unquoted(word: &str) -> String {
    word.replace(['"', '\''], "")
}
