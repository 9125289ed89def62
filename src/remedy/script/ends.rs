//! Scripts that end, though a container is to keep running.

use std::time::Duration;

use checks::shell::{CLOSING, ShellToken, ShellTokenKind, commands, tokens};

use crate::remedy::script::{EditedScript, ScriptNotes};

/// For how long a container sleeps that has nothing else to do, in seconds.
pub const LONG_SLEEP: &str = "1000000";
/// A sleep of that many seconds is meant to last.
const LEAST_LASTING_SECONDS: f64 = 86_400.0;
/// Ends at once when the kubelet asks the container to stop: a shell that is the first process
/// ignores that otherwise.
const TRAP: &str = "trap 'exit 0' TERM";

/// A script that keeps running and does nothing else.
#[must_use]
pub fn idle() -> String {
    format!("{TRAP}; {}", long_wait())
}

/// Keeps a script running, and lets its trap be heard.
fn long_wait() -> String {
    format!("sleep {LONG_SLEEP} & wait")
}

/// Lets a script that ended with this status keep running; `None` where nothing in it tells why it
/// ends.
#[must_use]
pub fn keep_running(script: &str, exit_code: i32) -> Option<EditedScript> {
    let plain = |text| EditedScript { text, notes: ScriptNotes::NONE };
    if let Some(longer) = sleep_longer(script) {
        return Some(plain(longer));
    }
    if let Some((without, is_last)) = without_exit(script, exit_code) {
        let text = if is_last { followed(&without) } else { without };
        return Some(EditedScript { text, notes: ScriptNotes::NO_OP });
    }
    if exit_code != 0 || is_lasting(script) {
        return None;
    }
    if let Some(server) = in_the_foreground(script) {
        return Some(plain(server));
    }
    let tokens = tokens(script)?;
    let last = commands(&tokens).filter(|it| !it.is_empty()).last();
    // Nothing that stands behind `exec` is run.
    let is_replaced = last
        .is_some_and(|it| it[0].text == "exec" && it.len() > 1 && !is_in_background(&tokens, &it));
    (!is_replaced).then(|| plain(followed(script)))
}

/// The last command is `sleep` with a short time, perhaps with a `wait` for it.
fn sleep_longer(script: &str) -> Option<String> {
    let tokens = tokens(script)?;
    let [sleep, time] = last_short_sleep(&tokens)?;
    // As a command of its own, it may become one that hears when it is asked to stop.
    let last = tokens.iter().rfind(|it| it.kind != ShellTokenKind::End);
    let is_last = last == Some(&time) && !script.contains("trap ");
    let before = script[..sleep.at].trim_end_matches([' ', '\t']);
    if is_last && (before.is_empty() || before.ends_with([';', '\n'])) {
        return Some(followed(before));
    }
    let mut edited = script.to_owned();
    edited.replace_range(time.at..time.end(), LONG_SLEEP);
    Some(edited)
}

/// The words of a `sleep` with a short time that is the last command, but for a `wait` for it.
fn last_short_sleep<'s>(tokens: &[ShellToken<'s>]) -> Option<[ShellToken<'s>; 2]> {
    let all: Vec<Vec<ShellToken<'s>>> = commands(tokens).filter(|it| !it.is_empty()).collect();
    let last = all.iter().rev().find(|it| it[0].text != "wait")?;
    let words: &[ShellToken<'s>] = if last[0].text == "exec" { &last[1..] } else { last };
    let [name, time] = words else { return None };
    let is_last = !is_in_background(tokens, last) || is_waited_for(tokens);
    (is_last && name.text == "sleep" && is_short_time(time.text)).then_some([*name, *time])
}

/// Whether the script goes on, or ends, while a command of it runs.
fn is_in_background(tokens: &[ShellToken<'_>], command: &[ShellToken<'_>]) -> bool {
    let Some(last) = command.last() else { return false };
    let end = tokens.iter().find(|it| it.at >= last.end() && it.kind == ShellTokenKind::End);
    end.is_some_and(|it| it.text == "&")
}

/// Whether the last command waits for those in the background.
fn is_waited_for(tokens: &[ShellToken<'_>]) -> bool {
    commands(tokens).filter(|it| !it.is_empty()).last().is_some_and(|it| it[0].text == "wait")
}

/// For how long a script sleeps in all that ends with a short `sleep`: it ends by then, if it has no
/// loop. `None` for any other script.
#[must_use]
pub fn sleeps_and_ends(script: &str) -> Option<Duration> {
    let tokens = tokens(script)?;
    let [last, _] = last_short_sleep(&tokens)?;
    let above = tokens.iter().rfind(|it| it.at < last.at && it.kind == ShellTokenKind::End);
    if above.is_some_and(|it| it.text.starts_with('|')) {
        // It may never be run.
        return None;
    }
    let mut all = 0.0;
    for (place, pair) in tokens.windows(2).enumerate().filter(|(_, it)| it[0].text == "sleep") {
        let is_beside = tokens.get(place + 2).is_some_and(|it| it.text == "&");
        if pair[0] == last || !is_beside {
            all += seconds(pair[1].text).unwrap_or(0.0);
        }
    }
    Duration::try_from_secs_f64(all).ok()
}

/// Whether the last command is a `sleep` that lasts: something else ends the script.
fn is_lasting(script: &str) -> bool {
    let Some(tokens) = tokens(script) else { return false };
    let all: Vec<Vec<ShellToken<'_>>> = commands(&tokens).filter(|it| !it.is_empty()).collect();
    let last = all.iter().rev().find(|it| it[0].text != "wait");
    last.filter(|it| !is_in_background(&tokens, it) || is_waited_for(&tokens)).is_some_and(|it| {
        let sleep = it.iter().position(|word| word.text == "sleep");
        let time = sleep.and_then(|at| it.get(at + 1));
        time.is_some_and(|time| !is_short_time(time.text))
    })
}

/// Whether what is given to `sleep` is a time that a container is not meant to sleep for.
#[must_use]
pub fn is_short_time(time: &str) -> bool {
    seconds(time).is_some_and(|it| it < LEAST_LASTING_SECONDS)
}

/// The time that is given to `sleep`, in seconds: a number, perhaps with a fraction, of seconds
/// (`s`), minutes (`m`), hours (`h`) or days (`d`).
fn seconds(time: &str) -> Option<f64> {
    const UNITS: [(char, f64); 4] = [('s', 1.0), ('m', 60.0), ('h', 3600.0), ('d', 86_400.0)];
    let with_unit = |(unit, seconds): (char, f64)| Some((time.strip_suffix(unit)?, seconds));
    let (number, seconds) = UNITS.into_iter().find_map(with_unit).unwrap_or((time, 1.0));
    Some(number.parse::<f64>().ok()? * seconds)
}

/// Without each `exit` of that status, and whether the last command was one.
fn without_exit(script: &str, exit_code: i32) -> Option<(String, bool)> {
    let tokens = tokens(script)?;
    let code = exit_code.to_string();
    let all: Vec<Vec<ShellToken<'_>>> = commands(&tokens).filter(|it| !it.is_empty()).collect();
    let is_exit = |it: &[ShellToken<'_>]| match it {
        [exit, status] => exit.text == "exit" && status.text == code,
        _ => false,
    };
    let mut edited = script.to_owned();
    for found in all.iter().rev().filter(|it| is_exit(it)) {
        // `:` does nothing, successfully.
        edited.replace_range(found[0].at..found[1].end(), ":");
    }
    // What closes a group ends with it.
    let closes = |it: &[ShellToken<'_>]| CLOSING.iter().any(|(close, _)| it[0].text == *close);
    let is_last = all.iter().rev().find(|it| !closes(it)).is_some_and(|it| is_exit(it));
    (edited != script).then_some((edited, is_last))
}

/// Lets a script that must end do so without an error: without each `exit` of that status.
#[must_use]
pub fn succeed(script: &str, exit_code: i32) -> Option<EditedScript> {
    let (text, _) = without_exit(script, exit_code)?;
    Some(EditedScript { text, notes: ScriptNotes::NO_OP })
}

/// A server that goes into the background by itself, and leaves the script without a program.
fn in_the_foreground(script: &str) -> Option<String> {
    let tokens = tokens(script)?;
    let last = commands(&tokens).filter(|it| !it.is_empty()).last()?;
    let words: &[ShellToken<'_>] = if last[0].text == "exec" { last.get(1..)? } else { &last };
    let [name] = words else { return None };
    let is_server = name.text.rsplit('/').next() == Some("nginx");
    (is_server && !is_in_background(&tokens, &last)).then(|| {
        let mut edited = script.to_owned();
        edited
            .replace_range(last[0].at..name.end(), &format!("exec {} -g 'daemon off;'", name.text));
        edited
    })
}

/// The script, and then a program that keeps running.
fn followed(script: &str) -> String {
    // Behind a comment, a `;` would be of the comment.
    let separator = if script.contains(['\n', '#']) { "\n" } else { "; " };
    let script = script.trim_end_matches(['\n', ' ', ';']);
    if script.is_empty() {
        return idle();
    }
    let trap = if script.contains("trap ") { String::new() } else { format!("{TRAP}{separator}") };
    // A command in the background ends with what would end two.
    let separator = if script.ends_with('&') && separator == "; " { " " } else { separator };
    format!("{trap}{script}{separator}{}", long_wait())
}

#[cfg(test)]
mod tests {
    use super::{is_short_time, keep_running, sleeps_and_ends};
    use crate::remedy::script::ScriptNotes;

    #[track_caller]
    fn becomes(script: &str, exit_code: i32, expected: Option<&str>) {
        let edited = keep_running(script, exit_code).map(|it| it.text);
        assert_eq!(edited.as_deref(), expected, "{script}");
    }

    /// Catches a container that still ends, and an edit of what does not end it.
    #[test]
    fn a_script_is_kept_running() {
        becomes(
            "hostname > /data/id\n",
            0,
            Some("trap 'exit 0' TERM\nhostname > /data/id\nsleep 1000000 & wait"),
        );
        becomes(
            "hostname > /data/id",
            0,
            Some("trap 'exit 0' TERM; hostname > /data/id; sleep 1000000 & wait"),
        );
        becomes(
            "hostname > /data/id; sleep 60",
            0,
            Some("trap 'exit 0' TERM; hostname > /data/id; sleep 1000000 & wait"),
        );
        becomes(
            "hostname > /data/id\nsleep 60\n",
            0,
            Some("trap 'exit 0' TERM\nhostname > /data/id\nsleep 1000000 & wait"),
        );
        becomes(
            "hostname > /data/id # me",
            0,
            Some("trap 'exit 0' TERM\nhostname > /data/id # me\nsleep 1000000 & wait"),
        );
        becomes("sleep 60", 0, Some("trap 'exit 0' TERM; sleep 1000000 & wait"));
        becomes("trap 'exit 1' TERM; sleep 9", 0, Some("trap 'exit 1' TERM; sleep 1000000"));
        becomes("date && sleep 60", 0, Some("date && sleep 1000000"));
        becomes("date\nexec sleep 25s\n", 0, Some("date\nexec sleep 1000000\n"));
        becomes("sleep 5 & wait $!", 143, Some("sleep 1000000 & wait $!"));
        becomes("date; nginx", 0, Some("date; exec nginx -g 'daemon off;'"));
        becomes(
            "date; exec /usr/sbin/nginx",
            0,
            Some("date; exec /usr/sbin/nginx -g 'daemon off;'"),
        );
        becomes("nginx -g 'daemon off;'", 1, None);
        becomes("exec my-program", 0, None);
        becomes("trap 'exit 0' TERM; sleep 1000000 & wait", 0, None);
        becomes("sleep 1000000; my-program", 7, None);
        becomes(
            "cat <<EOF\na\nEOF\n",
            0,
            Some("trap 'exit 0' TERM\ncat <<EOF\na\nEOF\nsleep 1000000 & wait"),
        );
        becomes("cat <<EOF\na\n", 0, None);
        becomes("(date; sleep 60)", 0, Some("(date; sleep 1000000)"));
        becomes("date &", 0, Some("trap 'exit 0' TERM; date & sleep 1000000 & wait"));
    }

    /// Catches a program that is kept running in the background, while the script itself ends.
    #[test]
    fn what_is_in_the_background_keeps_no_container_running() {
        let kept = |script: &str| format!("trap 'exit 0' TERM; {script} sleep 1000000 & wait");
        for script in ["date; nginx &", "exec nginx &", "sleep 60 &", "date; sleep 1000000 &"] {
            becomes(script, 0, Some(&kept(script)));
        }
        becomes(
            "sleep 12 &\nnginx > /dev/null &\n",
            0,
            Some("trap 'exit 0' TERM\nsleep 12 &\nnginx > /dev/null &\nsleep 1000000 & wait"),
        );
        becomes("date & nginx", 0, Some("date & exec nginx -g 'daemon off;'"));
        becomes("sleep 1000000 & wait", 0, None);
    }

    /// Catches a time with a unit or a fraction that is taken for one that lasts.
    #[test]
    fn a_time_is_short_in_any_unit() {
        for short in ["60", "25s", "1m", "10m", "0.5", "1.5h", "23h", "0.9d", "0"] {
            assert!(is_short_time(short), "{short}");
        }
        for lasting in ["1000000", "86400", "24h", "1d", "365d", "infinity", "inf", "$TIME", "x"] {
            assert!(!is_short_time(lasting), "{lasting}");
        }
        becomes("date && sleep 1m", 0, Some("date && sleep 1000000"));
        becomes("date; sleep 30d", 0, None);
    }

    /// Catches a loop, which sleeps again and again, taken for a script that ends, and an end that
    /// is expected before the first of two sleeps is over.
    #[test]
    fn a_script_that_sleeps_and_ends_is_known() {
        for (script, expected) in [
            ("hostname > /data/id; sleep 1m", Some(60)),
            ("sleep 5; date; exec sleep 25s\n", Some(30)),
            ("trap 'exit 0' TERM; sleep 20 & wait", Some(20)),
            ("sleep 60 & sleep 50", Some(50)),
            ("nginx -g 'daemon off;' || sleep 30", None),
            ("while true; do date; sleep 5; done", None),
            ("sleep 5; exec nginx -g 'daemon off;'", None),
            ("sleep 1000000", None),
            ("sleep $TIME", None),
        ] {
            let known = sleeps_and_ends(script);
            assert_eq!(known.map(|it| it.as_secs()), expected, "{script}");
        }
    }

    /// Catches an `exit` of another status, or one in quotes, taken for the one that was seen.
    #[test]
    fn the_exit_that_was_seen_goes() {
        becomes(
            "if [ -f /data/id ]; then echo no; exit 3; fi\ntrap 'exit 3' TERM\nmy-program",
            3,
            Some("if [ -f /data/id ]; then echo no; :; fi\ntrap 'exit 3' TERM\nmy-program"),
        );
        becomes(
            "echo starting\nexit 1\n",
            1,
            Some("trap 'exit 0' TERM\necho starting\n:\nsleep 1000000 & wait"),
        );
        becomes("my-program || exit 2", 1, None);
        becomes(
            "my-program || { echo failed; exit 1; }",
            1,
            Some("trap 'exit 0' TERM; my-program || { echo failed; :; }; sleep 1000000 & wait"),
        );
        let notes = |script: &str| keep_running(script, 1).map(|it| it.notes);
        assert_eq!(notes("my-program || exit 1"), Some(ScriptNotes::NO_OP));
        assert_eq!(notes("sleep 5"), Some(ScriptNotes::NONE));
    }
}
