//! Scripts that work at the first start alone: what lets them work at later ones, when files are
//! there.

use checks::shell::{ShellToken, ShellTokenKind, commands, has_flag, tokens, unquoted};

use crate::remedy::{
    is_plain_word,
    script::{EditedScript, ScriptNotes, end_of_command, insert},
};

/// The operators of `test` that ask for a file. Others ask for text: `[ -z "$NAME" ]`.
const OF_FILES: [&str; 15] =
    ["-b", "-c", "-d", "-e", "-f", "-g", "-h", "-k", "-L", "-p", "-r", "-s", "-S", "-w", "-x"];

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
    let is_operator = |it: &str| OF_FILES.contains(&it);
    match inner {
        ["!", operator, _] if is_operator(operator) => Some(2),
        [operator, _] if is_operator(operator) => Some(1),
        _ => None,
    }
}

/// Lets the `ln` that makes this link run only where the link is not there: what stands in its place
/// may be the student's own file, and is left alone. Where no `ln` names the link, the only one is
/// meant.
#[must_use]
pub fn keep_link(script: &str, link: &str) -> Option<EditedScript> {
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
    let edits = all.iter().filter_map(|it| tested(it, link, &tokens)).flatten().collect();
    Some(EditedScript { text: insert(script, edits)?, notes: ScriptNotes::NONE })
}

/// What is inserted before a command of `ln` and behind it, and where.
fn tested(
    command: &[ShellToken<'_>],
    link: &str,
    tokens: &[ShellToken<'_>],
) -> Option<Vec<(usize, String)>> {
    let (name, arguments) = command.split_first()?;
    let (target, sources) = arguments.split_last()?;
    // In a folder the link has the name of its source.
    let folder = format!("{}/", unquoted(target.text).trim_end_matches('/'));
    let is_in_it = link.starts_with(&folder) && is_plain_word(link);
    let made = if is_in_it { link } else { target.text };
    // A link of the other kind is a file like any.
    let operator = if has_flag(sources, 's') { "-L" } else { "-e" };
    let test = format!("[ {operator} {made} ] || ");
    let place = tokens.iter().position(|it| it.at == name.at)?;
    // A list goes on in the next line where an operator ends the line.
    let above = tokens[..place].iter().rfind(|it| it.text != "\n");
    match above.map(|it| it.text) {
        Some("!" | "|") => None,
        // It would be another list.
        Some("&&" | "||") => Some(vec![
            (name.at, format!("{{ {test}")),
            (end_of_command(tokens, place), "; }".to_owned()),
        ]),
        _ => Some(vec![(name.at, test)]),
    }
}

#[cfg(test)]
mod tests {
    use super::{end_with_success, keep_link};

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
            ("[ -z \"$NAME\" ] && date > /a", None),
            ("[ ! -n \"$NAME\" ] && date > /a", None),
            ("false && date > /a", None),
            ("", None),
        ] {
            let edited = end_with_success(script).map(|it| it.text);
            assert_eq!(edited.as_deref(), expected, "{script}");
        }
    }

    /// Catches a link that stops every start but the first, a file of the student's that is replaced,
    /// and another `ln` that is changed.
    #[test]
    fn a_link_that_is_there_is_kept() {
        for (script, expected) in [
            (
                "ln -s /data/a /data/now; sleep 9",
                Some("[ -L /data/now ] || ln -s /data/a /data/now; sleep 9"),
            ),
            ("ln -sn a \"/data/now\"", Some("[ -L \"/data/now\" ] || ln -sn a \"/data/now\"")),
            ("ln /data/a /data/now", Some("[ -e /data/now ] || ln /data/a /data/now")),
            (
                "ln -s a /x\nln -s b /data/now",
                Some("ln -s a /x\n[ -L /data/now ] || ln -s b /data/now"),
            ),
            ("cd /data; ln -s a now", Some("cd /data; [ -L now ] || ln -s a now")),
            ("ln -s /x/now /data", Some("[ -L /data/now ] || ln -s /x/now /data")),
            (
                "if ln -s a $D/now; then date; fi",
                Some("if [ -L $D/now ] || ln -s a $D/now; then date; fi"),
            ),
            (
                "date && ln -s a /data/now 2>/tmp/x && exec nginx",
                Some("date && { [ -L /data/now ] || ln -s a /data/now 2>/tmp/x; } && exec nginx"),
            ),
            (
                "date && ln -s a /data/now",
                Some("date && { [ -L /data/now ] || ln -s a /data/now; }"),
            ),
            // The list goes on in the next line.
            (
                "[ -d /data/a ] &&\n  ln -s a /data/now\nexec nginx",
                Some("[ -d /data/a ] &&\n  { [ -L /data/now ] || ln -s a /data/now; }\nexec nginx"),
            ),
            ("date |\nln -s a /data/now", None),
            ("! ln -s a /data/now", None),
            ("ln -s a /x; ln -s b /y", None),
            ("ln -sf a /data/now", None),
        ] {
            let edited = keep_link(script, "/data/now").map(|it| it.text);
            assert_eq!(edited.as_deref(), expected, "{script}");
        }
    }
}
