//! Edits of start-up scripts: small changes to a student's own shell script.
//!
//! A script is cut into simple commands, as POSIX shells do it (Shell Command Language, 2.9): at
//! line ends, `;`, `&`, `&&`, `||` and `|`, outside of quotes and substitutions. Where that is not
//! certain (a here-document in the way, unbalanced quotes), no edit is made.

pub mod ends;
pub mod variables;

/// One word or operator of a script, by its place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ShellToken<'s> {
    kind: ShellTokenKind,
    text: &'s str,
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShellTokenKind {
    Word,
    /// `>` or `>|`, of standard output.
    Write,
    /// Any other redirection: `>>`, `2>`, `<`, `>&`.
    Redirect,
    /// What ends a simple command.
    End,
}

/// Words after which a command begins.
const BEFORE_COMMAND: [&str; 10] =
    ["then", "do", "else", "elif", "if", "while", "until", "!", "{", "("];
/// Words that end what began with another: a redirection behind them is of the whole.
const CLOSING: [(&str, &str); 5] =
    [("}", "{"), (")", "("), ("done", "do"), ("fi", "if"), ("esac", "case")];

/// Whether a word stands before a command and is no part of it. `)` does where it ends a pattern of
/// `case`, and before the body of a function.
fn is_before_command(token: &ShellToken<'_>) -> bool {
    token.text == ")" || BEFORE_COMMAND.contains(&token.text)
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

/// Whether a program by this name is a shell that small images lack. They have `sh`.
#[must_use]
pub fn is_other_shell(name: &str) -> bool {
    is_shell(name) && name != "sh"
}

/// A script after an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditedScript {
    /// All of it.
    pub text: String,
    /// What the edit brought in.
    pub notes: ScriptNotes,
}

/// What edits of scripts brought in that not everybody can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptNotes {
    /// `[ -f FILE ] ||` before what writes the file.
    pub has_file_test: bool,
    /// `tee -a`.
    pub has_tee_flag: bool,
    /// `cp -n`.
    pub has_cp_flag: bool,
    /// `:` in place of a command.
    pub has_no_op: bool,
}

impl ScriptNotes {
    /// Of an edit that brought in none of this.
    pub const NONE: Self =
        Self { has_file_test: false, has_tee_flag: false, has_cp_flag: false, has_no_op: false };
    /// Of an edit that put `:` in place of a command.
    pub const NO_OP: Self = Self { has_no_op: true, ..Self::NONE };

    /// What one of the two brought in.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            has_file_test: self.has_file_test || other.has_file_test,
            has_tee_flag: self.has_tee_flag || other.has_tee_flag,
            has_cp_flag: self.has_cp_flag || other.has_cp_flag,
            has_no_op: self.has_no_op || other.has_no_op,
        }
    }
}

/// Keeps what is in a file below one of `folders`: `[ -f FILE ] ||` before each command that writes
/// with `>`, `cp -n` for `cp`, and `tee -a`, which appends, for `tee`. `None` where nothing of this
/// is found.
#[must_use]
pub fn keep_what_is_there(script: &str, folders: &[&str]) -> Option<EditedScript> {
    keep(script, folders, |_| true)
}

/// The same, of those commands alone that may write something else at the next start.
#[must_use]
pub fn guard_changing_writes(script: &str, folders: &[&str]) -> Option<EditedScript> {
    keep(script, folders, |command| !is_the_same_each_time(command))
}

/// Whether a command writes the same whenever it runs in a pod: its name, and fixed words.
fn is_the_same_each_time(command: &str) -> bool {
    const FIXED: [&str; 6] =
        ["$(hostname)", "`hostname`", "${HOSTNAME}", "$HOSTNAME", "${POD_NAME}", "$POD_NAME"];
    let words = FIXED.iter().fold(command.to_owned(), |it, fixed| it.replace(fixed, ""));
    let program = words.split_whitespace().next().unwrap_or_default();
    matches!(program, "echo" | "printf" | "hostname")
        && !words.contains(['$', '`', '|', ';', '&', '\n'])
}

/// `is_meant` is asked of each command whose output is written.
fn keep(script: &str, folders: &[&str], is_meant: impl Fn(&str) -> bool) -> Option<EditedScript> {
    let tokens = tokens(script)?;
    let mut notes = ScriptNotes::NONE;
    let mut edits: Vec<(usize, String)> = vec![];
    for (place, token) in tokens.iter().enumerate() {
        let Some(target) = tokens.get(place + 1).filter(|it| it.kind == ShellTokenKind::Word)
        else {
            continue;
        };
        if token.kind != ShellTokenKind::Write || !is_below(target, folders, &tokens) {
            continue;
        }
        if is_tested(&deciding_tokens(&tokens[..place]), target.text) {
            continue;
        }
        let start = command_start(&tokens, place)?;
        if !is_meant(&script[start..token.at]) {
            continue;
        }
        notes.has_file_test = true;
        let guard = format!("[ -f {} ] || ", target.text);
        let above = tokens[..place].iter().rfind(|it| it.at < start && !it.text.trim().is_empty());
        if above.is_some_and(|it| matches!(it.text, "&&" | "!")) {
            // What stands behind `||` would be run, too, where what stands before `&&` fails, and
            // `!` would be of the test alone.
            edits.push((start, format!("{{ {guard}")));
            edits.push((end_of_command(&tokens, place), "; }".to_owned()));
        } else {
            edits.push((start, guard));
        }
    }
    for command in commands(&tokens) {
        let Some((name, arguments)) = command.split_first() else { continue };
        let (flag, target) = match name.text {
            "tee" => (" -a", arguments.first()),
            "cp" => (" -n", arguments.last()),
            _ => continue,
        };
        let is_kept =
            arguments.iter().any(|it| it.text.starts_with('-') && it.text.contains(&flag[2..]));
        let target = target.filter(|it| !is_kept && is_below(it, folders, &tokens));
        let Some(target) = target else { continue };
        let place = tokens.iter().position(|it| it == name)?;
        // `tee` writes what comes through its pipe; what `cp` copies may be another file each time.
        let start = command_start(&tokens, place)?;
        let source = script[start..name.at].trim_end().trim_end_matches('|');
        if is_meant(source) && !is_tested(&deciding_tokens(&tokens[..place]), target.text) {
            edits.push((name.at + name.text.len(), flag.to_owned()));
            notes.has_tee_flag |= name.text == "tee";
            notes.has_cp_flag |= name.text == "cp";
        }
    }
    Some(EditedScript { text: insert(script, edits)?, notes })
}

/// What decides whether the command behind these tokens is run: without each `if` that ends before
/// it and lets the script go on.
fn deciding_tokens<'s>(tokens: &[ShellToken<'s>]) -> Vec<ShellToken<'s>> {
    let mut kept: Vec<ShellToken<'s>> = vec![];
    let mut open: Vec<usize> = vec![];
    for token in tokens {
        let is_first =
            kept.last().is_none_or(|it| it.kind == ShellTokenKind::End || is_before_command(it));
        match token.text {
            "if" if is_first => open.push(kept.len()),
            "fi" if is_first => {
                let start = open.pop().unwrap_or(0);
                let ends = |it: &ShellToken<'_>| matches!(it.text, "exit" | "exec");
                if !kept[start..].iter().any(ends) {
                    kept.truncate(start);
                    continue;
                }
            }
            _ => {}
        }
        kept.push(*token);
    }
    kept
}

/// The first folder that the script writes a file to by its whole path, outside of `mounted`: one
/// that an image does without while a volume is mounted there.
#[must_use]
pub fn written_folder(script: &str, mounted: &[&str]) -> Option<String> {
    /// Programs need what an image has in these.
    const OF_THE_IMAGE: [&str; 12] = [
        "", "/bin", "/dev", "/etc", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/usr",
        "/var",
    ];
    let tokens = tokens(script)?;
    let mut folders = vec![];
    for pair in tokens.windows(2) {
        let is_write = pair[0].kind == ShellTokenKind::Write || pair[0].text == ">>";
        if !is_write || pair[1].kind != ShellTokenKind::Word {
            continue;
        }
        let path = unquoted(pair[1].text);
        let is_plain = path.starts_with('/') && !path.contains(['$', '`', '*']);
        if let Some((folder, _)) = path.rsplit_once('/').filter(|_| is_plain)
            && !is_path_below(path, mounted)
        {
            folders.push(folder);
        }
    }
    let is_free = |it: &&str| !OF_THE_IMAGE.contains(it) && !is_path_below(it, &["/dev", "/proc"]);
    folders.into_iter().find(is_free).map(str::to_owned)
}

/// Whether one of these commands tests a file: `[ -f FILE ]`.
fn is_tested(tokens: &[ShellToken<'_>], file: &str) -> bool {
    commands(tokens).any(|command| {
        let (name, arguments) = command.split_first().map_or(("", &[][..]), |it| (it.0.text, it.1));
        matches!(name, "[" | "[[" | "test") && arguments.iter().any(|it| it.text == file)
    })
}

/// Appends where the script writes: `>>` for each `>` to a file below one of `folders`.
#[must_use]
pub fn append(script: &str, folders: &[&str]) -> Option<String> {
    let tokens = tokens(script)?;
    let mut edits = vec![];
    // What a trap does stands in quotes: its own tokens are looked at.
    for (at, inner) in quotes(&tokens) {
        edits.extend(writes(inner, folders).into_iter().map(|(place, it)| (at + place, it)));
    }
    edits.extend(writes(script, folders));
    insert(script, edits)
}

/// Where a second `>` makes each write below one of `folders` an append.
fn writes(script: &str, folders: &[&str]) -> Vec<(usize, String)> {
    let Some(tokens) = tokens(script) else { return vec![] };
    let mut edits = vec![];
    for pair in tokens.windows(2) {
        if pair[0].kind == ShellTokenKind::Write && is_below(&pair[1], folders, &tokens) {
            edits.push((pair[0].at, ">".to_owned()));
        }
    }
    edits
}

/// Takes out the commands that remove what lies below one of `folders`.
#[must_use]
pub fn remove_nothing(script: &str, folders: &[&str]) -> Option<String> {
    let tokens = tokens(script)?;
    let mut kept = script.to_owned();
    let mut found = removals(&tokens, folders);
    // What a trap does stands in quotes: its own tokens are looked at.
    for (at, inner) in quotes(&tokens) {
        let inner = self::tokens(inner).unwrap_or_default();
        let within = removals(&inner, folders);
        found.extend(within.into_iter().map(|(from, to)| (at + from, at + to)));
    }
    found.sort_unstable();
    // A command within another goes with it.
    let mut end = 0;
    found.retain(|(from, to)| {
        let is_apart = *from >= end;
        end = end.max(*to);
        is_apart
    });
    for (from, to) in found.iter().rev() {
        // `:` does nothing, successfully.
        kept.replace_range(from..to, ":");
    }
    (!found.is_empty()).then_some(kept)
}

/// Where commands that remove what lies below one of `folders` begin and end.
fn removals(tokens: &[ShellToken<'_>], folders: &[&str]) -> Vec<(usize, usize)> {
    let mut found = vec![];
    let all: Vec<_> = commands(tokens).collect();
    for (place, command) in all.iter().enumerate() {
        let (Some(first), Some(last)) = (command.first(), command.last()) else { continue };
        let is_below_them = |it: &ShellToken<'_>| is_below(it, folders, tokens);
        let next = all.get(place + 1).filter(|it| it.first().is_some_and(is_xargs));
        let xargs = next.filter(|it| it.iter().any(deletes)).and_then(|it| it.last());
        let last = match first.text {
            "rm" | "rmdir" => Some(last),
            // Alone it only lists what it finds.
            "find" => xargs.or(Some(last).filter(|_| command.iter().any(deletes))),
            _ => None,
        };
        // Without a path it searches the folder that it runs in.
        let is_without_path =
            first.text == "find" && command.get(1).is_none_or(|it| it.text.starts_with('-'));
        let is_here = is_without_path && is_below_them(first);
        if let Some(last) = last
            && (is_here || command[1..].iter().any(is_below_them))
        {
            found.push((first.at, last.at + last.text.len()));
        }
    }
    found
}

fn is_xargs(it: &ShellToken<'_>) -> bool {
    it.text == "xargs"
}

/// Whether a word of `find` or of `xargs` makes it delete what is found.
fn deletes(it: &ShellToken<'_>) -> bool {
    let program = it.text.rsplit('/').next();
    it.text == "-delete" || matches!(program, Some("rm" | "rmdir" | "unlink"))
}

/// The words that stand whole in quotes, without them, and where each begins.
fn quotes<'s>(tokens: &[ShellToken<'s>]) -> Vec<(usize, &'s str)> {
    let within = |it: &ShellToken<'s>, quote| it.text.strip_prefix(quote)?.strip_suffix(quote);
    let mut found = vec![];
    for token in tokens.iter().filter(|it| it.kind == ShellTokenKind::Word) {
        let inner = within(token, '\'').or_else(|| within(token, '"'));
        found.extend(inner.map(|it| (token.at + 1, it)));
    }
    found
}

/// Makes folders only where they are missing: `mkdir -p`.
#[must_use]
pub fn make_missing_folders(script: &str) -> Option<String> {
    let tokens = tokens(script)?;
    let mut edits = vec![];
    for command in commands(&tokens) {
        let Some(name) = command.first().filter(|it| it.text == "mkdir") else { continue };
        let has_flag = |it: &ShellToken<'_>| it.text.starts_with('-') && it.text.contains('p');
        if !command.iter().any(has_flag) {
            edits.push((name.at + name.text.len(), " -p".to_owned()));
        }
    }
    insert(script, edits)
}

fn insert(script: &str, mut edits: Vec<(usize, String)>) -> Option<String> {
    if edits.is_empty() {
        return None;
    }
    edits.sort();
    edits.dedup();
    let mut edited = script.to_owned();
    for (at, text) in edits.iter().rev() {
        edited.insert_str(*at, text);
    }
    Some(edited)
}

/// Whether a word of these tokens names something below one of the folders: by its whole path, or
/// from the folder that the script has changed to.
fn is_below(word: &ShellToken<'_>, folders: &[&str], tokens: &[ShellToken<'_>]) -> bool {
    let path = unquoted(word.text);
    if path.starts_with('/') {
        return is_path_below(path, folders);
    }
    let is_relative = !path.starts_with(['$', '&', '-', '(', ')']);
    is_relative && folder_at(word.at, tokens).is_some_and(|it| is_path_below(it, folders))
}

/// Whether a whole path is one of the folders, or lies in one.
fn is_path_below(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| {
        let rest = path.strip_prefix(folder.trim_end_matches('/'));
        rest.is_some_and(|it| it.is_empty() || it.starts_with('/'))
    })
}

/// The folder that a script has last changed to by its whole path before it comes to `at`, and in
/// which it still is, or below it. `None` where there is none, or nobody knows which.
fn folder_at<'s>(at: usize, tokens: &[ShellToken<'s>]) -> Option<&'s str> {
    let mut folder = None;
    // A group's end brings back the folder of its begin.
    let mut outside = vec![];
    for pair in tokens.windows(2).take_while(|it| it[0].at < at) {
        match pair[0].text {
            "(" => outside.push(folder),
            ")" => folder = outside.pop().unwrap_or(folder),
            "cd" => {
                let path = unquoted(pair[1].text);
                let is_unknown = path.starts_with(['$', '`', '-', '~']) || path.contains("..");
                if path.starts_with('/') {
                    folder = Some(path);
                } else if is_unknown || !is_word(&pair[1]) {
                    folder = None;
                }
            }
            _ => {}
        }
    }
    folder
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '\''])
}

/// The simple commands, without their redirections.
fn commands<'t, 's>(
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

/// Where the command ends that the redirection at `place` belongs to.
fn end_of_command(tokens: &[ShellToken<'_>], place: usize) -> usize {
    let is_within = |it: &&ShellToken<'_>| it.kind != ShellTokenKind::End;
    let rest = tokens[place..].iter().take_while(is_within);
    rest.last().map_or(0, |it| it.at + it.text.len())
}

/// Where the command begins that the redirection at `place` belongs to. A pipe is one command for
/// this purpose: what is written is all of it.
fn command_start(tokens: &[ShellToken<'_>], mut place: usize) -> Option<usize> {
    loop {
        let first = first_word(tokens, place)?;
        match first.checked_sub(1).filter(|it| tokens[*it].text == "|") {
            Some(pipe) => place = pipe,
            None => return Some(tokens[first].at),
        }
    }
}

/// The place of the first word of the command that the token at `place` belongs to or ends; where
/// that closes a group, of the word that opens it.
fn first_word(tokens: &[ShellToken<'_>], place: usize) -> Option<usize> {
    let is_end = |it: &ShellToken<'_>| it.kind == ShellTokenKind::End;
    let mut first = tokens[..place].iter().rposition(is_end).map_or(0, |it| it + 1);
    // A redirection behind `)` is of all that it closes.
    let closes = |at: usize| tokens[at].text == ")" && !tokens.get(at + 1).is_some_and(is_word);
    while is_before_command(tokens.get(first)?) && !closes(first) {
        first += 1;
    }
    match CLOSING.iter().find(|(close, _)| tokens[first].text == *close) {
        Some((close, open)) => opening(tokens, first, close, open),
        None => Some(first),
    }
}

fn is_word(token: &ShellToken<'_>) -> bool {
    token.kind == ShellTokenKind::Word
}

/// The place of the word that opens what is closed at `place`; of a loop, that of its first word.
fn opening(tokens: &[ShellToken<'_>], place: usize, close: &str, open: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens[..=place].iter().enumerate().rev() {
        if token.text == close {
            depth += 1;
        } else if token.text == open {
            depth -= 1;
            if depth == 0 {
                let mut above = tokens[..at].iter();
                let first = above.rposition(|it| matches!(it.text, "for" | "while" | "until"));
                return if open == "do" { first } else { Some(at) };
            }
        }
    }
    None
}

/// The words and operators of a script; `None` where it cannot be cut for certain.
fn tokens(script: &str) -> Option<Vec<ShellToken<'_>>> {
    let bytes = script.as_bytes();
    let mut tokens: Vec<ShellToken<'_>> = vec![];
    let mut at = 0;
    while at < bytes.len() {
        let (kind, length) = match bytes[at] {
            b' ' | b'\t' => {
                at += 1;
                continue;
            }
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => {
                at += 2;
                continue;
            }
            b'#' => {
                at += script[at..].find('\n').unwrap_or(script.len() - at);
                continue;
            }
            b'\n' | b';' => (ShellTokenKind::End, 1),
            b'&' if script[at..].starts_with("&>>") => (ShellTokenKind::Redirect, 3),
            b'&' if bytes.get(at + 1) == Some(&b'>') => (ShellTokenKind::Redirect, 2),
            b'&' | b'|' => {
                let is_double = bytes.get(at + 1) == Some(&bytes[at]);
                (ShellTokenKind::End, if is_double { 2 } else { 1 })
            }
            // What follows is not a command: here-documents end at a line of their own.
            b'<' if script[at..].starts_with("<<") => return None,
            b'<' => (ShellTokenKind::Redirect, 1),
            b'>' if script[at..].starts_with(">>") || script[at..].starts_with(">&") => {
                (ShellTokenKind::Redirect, 2)
            }
            b'>' if bytes.get(at + 1) == Some(&b'|') => (ShellTokenKind::Write, 2),
            b'>' => (ShellTokenKind::Write, 1),
            b'(' | b')' => (ShellTokenKind::Word, 1),
            _ => (ShellTokenKind::Word, word(&script[at..])?),
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
    }
    Some(tokens)
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
            b'"' => at += 1 + quoted(&text[at + 1..])?,
            b'`' => at += 2 + text[at + 1..].find('`')?,
            b'$' if bytes.get(at + 1) == Some(&b'(') => at += 2 + substitution(&text[at + 2..])?,
            _ => at += 1,
        }
    }
    Some(at.min(text.len())).filter(|it| text.is_char_boundary(*it))
}

/// How far a text in double quotes goes, its end included.
fn quoted(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            b'$' if bytes.get(at + 1) == Some(&b'(') => at += 2 + substitution(&text[at + 2..])?,
            _ => at += 1,
        }
    }
    None
}

/// How far a command substitution goes, its closing parenthesis included.
fn substitution(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 1);
    while at < bytes.len() {
        match bytes[at] {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'\'' => at += 1 + text.get(at + 1..)?.find('\'')?,
            b'"' => at += quoted(text.get(at + 1..)?)?,
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

#[cfg(test)]
mod tests;
