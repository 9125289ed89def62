//! A container whose program ends: what lets it keep running.

use std::time::Duration;

use checks::{
    model::observation::object::{CUT, Container, PodSpec, StatefulSetSpec},
    shell::is_shell,
};

use crate::{
    recording::mask::MASK,
    remedy::{
        edit::{
            Loss,
            executable::run_by_a_shell,
            spec::{kept_if_it_changes, own_script},
        },
        is_plain_word, quoted, script,
        script::{EditedScript, ScriptNotes, again, ends},
    },
};

/// How long after its start a container ends whose program is over after a short `sleep`, as far as
/// its text tells; `None` for any other.
#[must_use]
pub fn ends_after_sleep(container: &Container) -> Option<Duration> {
    let mut container = container.clone();
    if let Some(script) = own_script(&mut container) {
        return ends::sleeps_and_ends(script);
    }
    let words: Vec<&str> =
        container.command.iter().chain(&container.args).map(String::as_str).collect();
    match words[..] {
        [name, time] if name.rsplit('/').next() == Some("sleep") => {
            ends::sleeps_and_ends(&format!("sleep {time}"))
        }
        _ => None,
    }
}

/// Edits the container that ends, where something in it tells why. What an earlier start has left
/// must then last, too.
pub(super) fn edit(loss: &Loss<'_>, spec: &mut StatefulSetSpec) -> ScriptNotes {
    // Where the command is not recorded, a second `command:` would be written.
    if !loss.knows_programs {
        return ScriptNotes::NONE;
    }
    let before = spec.clone();
    let notes = keep_running(loss, spec);
    if *spec == before { notes } else { notes.and(kept_if_it_changes(spec)) }
}

fn keep_running(loss: &Loss<'_>, spec: &mut StatefulSetSpec) -> ScriptNotes {
    let Some(stuck) = loss.container() else { return ScriptNotes::NONE };
    let pod = &mut spec.template.spec;
    let must_end = must_end(&stuck.name, pod);
    let mut all = pod.all_containers_mut();
    let Some(container) = all.find(|it| it.name == stuck.name) else { return ScriptNotes::NONE };
    let exit_code = stuck.exit_code.unwrap_or(1);
    let Some(script) = own_script(container) else {
        run_by_a_shell(loss, container);
        if !must_end {
            program(container, loss.env_of_stuck().as_deref(), exit_code);
        }
        return ScriptNotes::NONE;
    };
    let edited = works_again(loss, script, exit_code).or_else(|| {
        if must_end {
            ends::succeed(script, exit_code)
        } else {
            ends::keep_running(script, exit_code)
        }
    });
    let Some(mut edited) = edited else { return ScriptNotes::NONE };
    // What ended with an error would end without one.
    if edited.notes.ends_with_success
        && !must_end
        && let Some(lasting) = ends::keep_running(&edited.text, 0)
    {
        edited.text = lasting.text;
    }
    *script = edited.text;
    edited.notes
}

/// Whether a pod waits for the end of a container before it starts others: an init container that is
/// no sidecar.
#[must_use]
pub fn must_end(name: &str, pod: &PodSpec) -> bool {
    pod.init_containers.iter().any(|it| it.name == name && it.restart_policy != "Always")
}

/// Lets a script work, too, where an earlier start has left files, by what it wrote last, or where it
/// wrote nothing and its exit status is that of a test that is false.
fn works_again(loss: &Loss<'_>, script: &str, exit_code: i32) -> Option<EditedScript> {
    let obstacle = loss.obstacle?;
    if obstacle.folder_that_exists().is_some() {
        let text = script::make_missing_folders(script)?;
        return Some(EditedScript { text, notes: ScriptNotes::NONE });
    }
    match obstacle.link_that_exists() {
        Some(link) => again::keep_link(script, link),
        None if exit_code == 1 && loss.container()?.wrote_nothing => {
            again::end_with_success(script)
        }
        None => None,
    }
}

/// A container whose program is no script. `env`: the names of its variables, where they are known.
fn program(container: &mut Container, env: Option<&[String]>, exit_code: i32) {
    let words: Vec<String> = container.command.iter().chain(&container.args).cloned().collect();
    if words.iter().any(|it| it.ends_with(CUT) || it.contains(MASK)) {
        return;
    }
    let name = words.first().and_then(|it| it.rsplit('/').next()).unwrap_or_default();
    if lacks_a_shell(container, env) {
        let line: Vec<String> = words.iter().map(|it| as_in_a_script(it)).collect();
        if let Some(kept) = ends::keep_running(&line.join(" "), 0) {
            become_script(container, kept.text);
        }
        return;
    }
    match &words[1.min(words.len())..] {
        [time] if name == "sleep" && ends::is_short_time(time) => {
            become_script(container, ends::idle());
        }
        [] if exit_code == 0 && (name.is_empty() || is_shell(name)) => {
            become_script(container, ends::idle());
        }
        _ if exit_code == 0 && !is_shell(name) => {
            let line: Vec<String> = words.iter().map(|it| one_word(it)).collect();
            if let Some(kept) = ends::keep_running(&line.join(" "), exit_code) {
                become_script(container, kept.text);
            }
        }
        _ => {}
    }
}

/// Whether a container's command was meant for a shell, and none runs it: words of it are a
/// redirection, what ends a command, or a variable. `env`: the names of the container's variables,
/// where they are known.
#[must_use]
pub fn lacks_a_shell(container: &Container, env: Option<&[String]>) -> bool {
    let mut words = container.command.iter().chain(&container.args);
    let Some(program) = words.next().and_then(|it| it.rsplit('/').next()) else { return false };
    // That takes a `;` for itself.
    let is_find = words.clone().any(|it| it == "-exec");
    !is_shell(program) && !is_find && words.any(|it| is_sign(it) || is_variable(it, env))
}

/// Whether a word is a redirection to a file, or ends a command, where a shell reads it.
fn is_sign(word: &str) -> bool {
    let is_target = |it: &str| it.is_empty() || is_plain_word(it);
    matches!(word, "|" | "||" | "&&" | ";" | "<" | "2>&1")
        || word.strip_prefix('>').is_some_and(|it| is_target(it.trim_start_matches('>')))
}

/// Whether a word is what a shell alone replaces: `$NAME`, `${NAME}`, or `$(date)`. Kubernetes
/// itself replaces `$(NAME)` by a variable of the container, whose name may be in lower case.
fn is_variable(word: &str, env: Option<&[String]>) -> bool {
    let Some(rest) = word.strip_prefix('$') else { return false };
    if let Some(inner) = rest.strip_prefix('(') {
        let Some(inner) = inner.strip_suffix(')') else { return false };
        let is_unknown = env.is_some_and(|all| all.iter().all(|it| it != inner));
        return inner.starts_with(|it: char| it.is_ascii_lowercase())
            && (inner.contains(' ') || is_unknown);
    }
    let name = rest.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(rest);
    let begins = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    begins && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
}

/// A word of a command that was meant for a shell, as that is to read it: a variable is replaced.
fn as_in_a_script(word: &str) -> String {
    if is_sign(word) {
        word.to_owned()
    } else if word.contains('$') && !word.contains(['"', '`', '\\']) {
        format!("\"{word}\"")
    } else {
        one_word(word)
    }
}

/// Lets a shell run a script in the container.
pub(super) fn become_script(container: &mut Container, script: String) {
    container.command = vec!["sh".to_owned(), "-c".to_owned(), script];
    container.args.clear();
}

/// A word of a command as a shell takes it for one.
fn one_word(word: &str) -> String {
    if is_plain_word(word) { word.to_owned() } else { quoted(word) }
}

#[cfg(test)]
mod tests {
    use checks::model::observation::object::{Container, VolumeMount};

    use super::{edit, ends_after_sleep, lacks_a_shell, own_script, program};
    use crate::remedy::{
        edit::Loss,
        script::{ScriptNotes, ends},
        testing::{container_app, ended},
    };

    /// Catches a `:` beside a command and a flag of `tee`, which nobody explains.
    #[test]
    fn what_an_edit_brings_in_besides_is_known() {
        let words = ["sh", "-c", "ls /data || exit 1; date | tee /data/id"];
        let mount = VolumeMount { mount_path: "/data".to_owned(), ..VolumeMount::default() };
        let (mut spec, obstacle) = ended(&words, false, 1, None);
        spec.template.spec.containers[0].volume_mounts.push(mount);
        let loss =
            Loss { id: obstacle.id, obstacle: Some(&obstacle), objects: &[], knows_programs: true };
        let notes = edit(&loss, &mut spec);
        assert_eq!(notes, ScriptNotes { has_tee_flag: true, ..ScriptNotes::NO_OP });
        let script = &spec.template.spec.containers[0].command[2];
        assert_eq!(script, "ls /data || :; date | tee -a /data/id");
    }

    /// What becomes of a container, or of an init container, that ended so with these last words.
    fn becomes(words: &[&str], is_init: bool, exit_code: i32, log: &[&str]) -> String {
        of_log(words, is_init, exit_code, Some(log))
    }

    /// The same; `None` where its log could not be read.
    fn of_log(words: &[&str], is_init: bool, exit_code: i32, log: Option<&[&str]>) -> String {
        let (mut spec, obstacle) = ended(words, is_init, exit_code, log);
        let loss =
            Loss { id: obstacle.id, obstacle: Some(&obstacle), objects: &[], knows_programs: true };
        edit(&loss, &mut spec);
        let container = spec.template.spec.all_containers().next().unwrap();
        container.command.join(" ")
    }

    /// Catches a test that is blamed for what a log would name that nobody could read.
    #[test]
    fn what_was_not_read_blames_no_test() {
        let test = &["sh", "-c", "[ ! -f /a ] && jq . > /a"];
        assert!(of_log(test, true, 1, Some(&[])).contains("[ -f /a ] || jq"));
        assert!(!of_log(test, true, 1, None).contains("[ -f /a ] || jq"));
    }

    /// Catches an init container that never ends any more, and a script that still fails where an
    /// earlier start has left files.
    #[test]
    fn what_fails_at_a_later_start_works_again() {
        let test = &["sh", "-c", "[ ! -f /a ] && date > /a"];
        assert_eq!(becomes(test, true, 1, &[]), "sh -c [ -f /a ] || date > /a");
        let lasting = "sh -c trap 'exit 0' TERM; [ -f /a ] || date > /a; sleep 1000000 & wait";
        assert_eq!(becomes(test, false, 1, &[]), lasting);
        assert_eq!(becomes(test, true, 2, &[]), test.join(" "));
        assert_eq!(becomes(test, true, 1, &["date: not found"]), test.join(" "));
        let exit = &["sh", "-c", "ls /a; exit 3"];
        assert_eq!(becomes(exit, true, 3, &[]), "sh -c ls /a; :");
        let sleep = &["sh", "-c", "sleep 5; false"];
        assert_eq!(becomes(sleep, true, 1, &[]), sleep.join(" "));
        let link = &["sh", "-c", "ln -s a /b; exec nginx"];
        let said = ["ln: /b: File exists"];
        assert_eq!(becomes(link, false, 1, &said), "sh -c [ -L /b ] || ln -s a /b; exec nginx");
    }

    /// Catches signs that are quoted, so that they stay without a meaning, where no shell was named.
    #[test]
    fn a_command_that_was_meant_for_a_shell_gets_one() {
        let kept =
            |script: &str| format!("sh -c trap 'exit 0' TERM; {script}; sleep 1000000 & wait");
        for (words, script) in [
            (&["echo", "$HOSTNAME", ">", "/data/id"][..], "echo \"$HOSTNAME\" > /data/id"),
            (&["echo", "I am $HOSTNAME", ">>", "/data/id"], "echo \"I am $HOSTNAME\" >> /data/id"),
            (&["hostname", ">/data/id", "&&", "date"], "hostname >/data/id && date"),
            (&["echo", "${HOSTNAME}"], "echo \"${HOSTNAME}\""),
            (&["cat", "a b", "|", "tee", "x"], "cat 'a b' | tee x"),
            (&["echo", "$(date +%s)"], "echo \"$(date +%s)\""),
            // These are its own words.
            (&["find", "/data", "-exec", "ls", "{}", ";"], "find /data -exec ls '{}' ';'"),
            (&["awk", "{print $1 > \"x\"}"], "awk '{print $1 > \"x\"}'"),
            (&["grep", "a|b", "$1"], "grep 'a|b' '$1'"),
        ] {
            assert_eq!(becomes(words, false, 0, &[]), kept(script), "{words:?}");
        }
        let failed = &["hostname", ">", "/data/id"];
        assert_eq!(becomes(failed, false, 1, &[]), kept("hostname > /data/id"));
    }

    /// Catches a variable of the container, which Kubernetes replaces, taken for a shell's command.
    #[test]
    fn a_variable_that_kubernetes_replaces_needs_no_shell() {
        let lacks = |word: &str, env: Option<&[&str]>| {
            let env: Option<Vec<String>> = env.map(|it| it.iter().map(|it| (*it).into()).collect());
            lacks_a_shell(&container_app(&["echo", word]), env.as_deref())
        };
        assert!(!lacks("$(pod_name)", Some(&["pod_name"])));
        assert!(!lacks("$(pod_name)", None), "what is not known is not told");
        assert!(lacks("$(date)", Some(&["pod_name"])));
        assert!(lacks("$(date +%s)", None));
        assert!(lacks("$HOSTNAME", None) && !lacks("$(HOSTNAME)", Some(&[])));
    }

    /// Catches a program that ends after a while, and that nobody waits for.
    #[test]
    fn a_container_that_ends_after_a_sleep_is_known() {
        let ends = |words: &[&str]| {
            let (command, args) = words.split_at(1);
            let own = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect();
            let (command, args) = (own(command), own(args));
            let container = Container { command, args, ..Container::default() };
            ends_after_sleep(&container).map(|it| it.as_secs())
        };
        assert_eq!(ends(&["sh", "-c", "date; sleep 1m"]), Some(60));
        assert_eq!(ends(&["/bin/sleep", "45"]), Some(45));
        assert_eq!(ends(&["sleep", "1d"]), None);
        assert_eq!(ends(&["nginx"]), None);
    }

    /// Catches a shell that is one in one place and none in another.
    #[test]
    fn every_shell_is_one_everywhere() {
        for shell in ["sh", "bash", "zsh", "ksh", "dash", "ash"] {
            let running = |words: &[&str]| Container {
                command: words.iter().map(|it| (*it).to_owned()).collect(),
                ..Container::default()
            };
            let mut scripted = running(&[&format!("/bin/{shell}"), "-c", "date"]);
            assert_eq!(own_script(&mut scripted).map(|it| it.as_str()), Some("date"), "{shell}");
            let mut alone = running(&[shell]);
            program(&mut alone, None, 0);
            assert_eq!(alone.command[2], ends::idle(), "{shell}");
        }
    }
}
