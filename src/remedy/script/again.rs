//! Scripts that work at the first start alone: what lets them work at later ones, when files are
//! there.

use checks::shell::{ShellToken, ShellTokenKind, commands, tokens, unquoted};

use crate::remedy::script::{EditedScript, ScriptNotes, has_flag, insert};

/// Lets a script end with exit status 0 whose last command is a test of a file, and what is to be
/// done if that is true: `[ ! -f FILE ] && …` becomes `[ -f FILE ] || …`.
#[must_use]
pub fn end_with_success(script: &str) -> Option<EditedScript> {
    let tokens = tokens(script)?;
    let list = last_list(&tokens);
    let and = list.iter().position(|it| it.kind == ShellTokenKind::End)?;
    let (test, rest) = (&list[..and], &list[and + 1..]);
    if list[and].text != "&&" || rest.iter().any(|it| it.text == "||") {
        return None;
    }
    let operator = operator_of_test(test)?;
    let (first, last) = (rest.iter().find(|it| it.text != "\n")?, rest.last()?);
    let mut edited = script.to_owned();
    // From the last one to the first one: each moves what stands behind it.
    if rest.iter().any(|it| it.text == "&&") {
        edited.insert_str(last.end(), "; }");
        edited.insert_str(first.at, "{ ");
    }
    edited.replace_range(list[and].at..list[and].end(), "||");
    match test[..operator].iter().find(|it| it.text == "!") {
        Some(not) => edited.replace_range(not.at..test[operator].at, ""),
        None => edited.insert_str(test[operator].at, "! "),
    }
    let notes = ScriptNotes { ends_with_success: true, ..ScriptNotes::NONE };
    Some(EditedScript { text: edited, notes })
}

/// The commands that decide the exit status of a script: those behind the last `;` or line that
/// ends one.
fn last_list<'t, 's>(tokens: &'t [ShellToken<'s>]) -> &'t [ShellToken<'s>] {
    let is_open = |at: usize| at > 0 && matches!(tokens[at - 1].text, "&&" | "||" | "|");
    let is_end = |at: usize| {
        let token = &tokens[at];
        token.kind == ShellTokenKind::End
            && matches!(token.text, "\n" | ";" | "&" | "")
            && !is_open(at)
    };
    let last = tokens.iter().rposition(|it| !matches!(it.text, "\n" | ";"));
    let end = last.map_or(0, |it| it + 1);
    let start = (0..end).rev().find(|at| is_end(*at)).map_or(0, |it| it + 1);
    &tokens[start..end]
}

/// The place of `-f` in `[ -f FILE ]`, `[ ! -f FILE ]`, or the same as `[[` or `test`.
fn operator_of_test(test: &[ShellToken<'_>]) -> Option<usize> {
    let words: Vec<&str> = test.iter().map(|it| it.text).collect();
    let inner = match words[..] {
        ["[", ref inner @ .., "]"] | ["[[", ref inner @ .., "]]"] | ["test", ref inner @ ..] => {
            inner
        }
        _ => return None,
    };
    let is_operator = |it: &str| it.starts_with('-') && it.len() == 2;
    match inner {
        ["!", operator, _] if is_operator(operator) => Some(2),
        [operator, _] if is_operator(operator) => Some(1),
        _ => None,
    }
}

/// Lets the `ln` that makes this link replace one that is there; where its sources may be many, it
/// makes none then. Where no `ln` names the link, the only one is meant.
#[must_use]
pub fn replace_link(script: &str, link: &str) -> Option<EditedScript> {
    let tokens = tokens(script)?;
    let mut all: Vec<Vec<ShellToken<'_>>> = commands(&tokens)
        .filter(|it| it.first().is_some_and(|name| name.text == "ln") && !has_flag(it, 'f'))
        .collect();
    let makes_it = |it: &Vec<ShellToken<'_>>| it.last().is_some_and(|it| unquoted(it.text) == link);
    if all.iter().any(makes_it) {
        all.retain(makes_it);
    } else if all.len() > 1 {
        return None;
    }
    let edits = all.iter().filter_map(|it| forced(it, &tokens)).collect();
    Some(EditedScript { text: insert(script, edits)?, notes: ScriptNotes::NONE })
}

/// What is inserted into a command of `ln`, and where.
fn forced(command: &[ShellToken<'_>], tokens: &[ShellToken<'_>]) -> Option<(usize, String)> {
    let (name, arguments) = command.split_first()?;
    let (link, sources) = arguments.split_last()?;
    if sources.iter().any(|it| it.text.contains(['*', '?'])) {
        let above = tokens.iter().rfind(|it| it.at < name.at);
        // Of `&&`, `||` and `!` it would be another list.
        let begins_a_list = above.is_none_or(|it| matches!(it.text, "\n" | ";" | "then" | "do"));
        return begins_a_list.then(|| (name.at, format!("[ -L {} ] || ", link.text)));
    }
    let is_symbolic = |it: &&ShellToken<'_>| has_flag(std::slice::from_ref(*it), 's');
    Some(match arguments.iter().find(is_symbolic) {
        Some(flag) if flag.text.contains('n') => (flag.end(), "f".to_owned()),
        Some(flag) => (flag.end(), "fn".to_owned()),
        None => (name.end(), " -f".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::{end_with_success, replace_link};

    /// Catches a script that fails because a file is there, and a list whose meaning would change.
    #[test]
    fn a_test_that_is_false_is_no_failure() {
        for (script, expected) in [
            ("[ ! -f /a ] && date > /a", Some("[ -f /a ] || date > /a")),
            ("set -e\n[ ! -f /a ] && date > /a\n", Some("set -e\n[ -f /a ] || date > /a\n")),
            ("test ! -e /a && date > /a;", Some("test -e /a || date > /a;")),
            ("[[ -f /a ]] && rm /a", Some("[[ ! -f /a ]] || rm /a")),
            ("[ ! -f /a ] &&\n  date > /a", Some("[ -f /a ] ||\n  date > /a")),
            ("[ ! -f /a ] && date | tee /a", Some("[ -f /a ] || date | tee /a")),
            ("[ ! -f /a ] && cd /b && date > a", Some("[ -f /a ] || { cd /b && date > a; }")),
            ("[ ! -f /a ] && date > /a || true", None),
            ("[ ! -f /a ] && date > /a; sleep 9", None),
            ("[ ! -f /a ] && date > /a &", None),
            ("[ ! -f /a -a ! -f /b ] && date > /a", None),
            ("if [ ! -f /a ] && [ ! -f /b ]; then date > /a; fi", None),
            ("false && date > /a", None),
            ("", None),
        ] {
            let edited = end_with_success(script).map(|it| it.text);
            assert_eq!(edited.as_deref(), expected, "{script}");
        }
    }

    /// Catches a link that stops every start but the first, and another `ln` that is changed.
    #[test]
    fn a_link_that_is_there_is_replaced() {
        for (script, expected) in [
            ("ln -s /data/a /data/now; sleep 9", Some("ln -sfn /data/a /data/now; sleep 9")),
            ("ln -sn a \"/data/now\"", Some("ln -snf a \"/data/now\"")),
            ("ln /data/a /data/now", Some("ln -f /data/a /data/now")),
            ("ln -s a /x\nln -s b /data/now", Some("ln -s a /x\nln -sfn b /data/now")),
            ("cd /data; ln -s a now", Some("cd /data; ln -sfn a now")),
            (
                "date\nln -s /data/id-* /data/now",
                Some("date\n[ -L /data/now ] || ln -s /data/id-* /data/now"),
            ),
            ("date && ln -s /data/id-* /data/now", None),
            ("ln -s a /x; ln -s b /y", None),
            ("ln -sf a /data/now", None),
        ] {
            let edited = replace_link(script, "/data/now").map(|it| it.text);
            assert_eq!(edited.as_deref(), expected, "{script}");
        }
    }
}
