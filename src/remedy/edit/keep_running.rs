//! A container whose program ends: what lets it keep running.

use std::time::Duration;

use checks::{
    model::observation::object::{CUT, Container, StatefulSetSpec},
    shell::is_shell,
};

use crate::{
    console::secrets::MASK,
    remedy::{
        edit::{
            Loss,
            spec::{kept_if_it_changes, own_script},
        },
        is_plain_word, quoted, script,
        script::{ScriptNotes, ends},
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
    let mut all = spec.template.spec.all_containers_mut();
    let Some(container) = all.find(|it| it.name == stuck.name) else { return ScriptNotes::NONE };
    let exit_code = stuck.exit_code.unwrap_or(1);
    let Some(script) = own_script(container) else {
        program(container, exit_code);
        return ScriptNotes::NONE;
    };
    let has_made_a_folder = loss.obstacle.is_some_and(|it| it.made_folder().is_some());
    if has_made_a_folder && let Some(new) = script::make_missing_folders(script) {
        *script = new;
    } else if let Some(new) = ends::keep_running(script, exit_code) {
        *script = new.text;
        return new.notes;
    }
    ScriptNotes::NONE
}

/// A container whose program is no script.
fn program(container: &mut Container, exit_code: i32) {
    let words: Vec<String> = container.command.iter().chain(&container.args).cloned().collect();
    if words.iter().any(|it| it.ends_with(CUT) || it.contains(MASK)) {
        return;
    }
    let name = words.first().and_then(|it| it.rsplit('/').next()).unwrap_or_default();
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
    use checks::model::{
        Obstacle,
        observation::object::{Container, StatefulSetSpec, VolumeMount},
        obstacle::StuckContainer,
    };

    use super::{edit, ends_after_sleep, own_script, program};
    use crate::remedy::{
        edit::Loss,
        script::{ScriptNotes, ends},
    };

    /// Catches a `:` beside a command and a flag of `tee`, which nobody explains.
    #[test]
    fn what_an_edit_brings_in_besides_is_known() {
        let name = "app".to_owned();
        let words = ["sh", "-c", "ls /data || exit 1; date | tee /data/id"];
        let mount = VolumeMount { mount_path: "/data".to_owned(), ..VolumeMount::default() };
        let mut spec = StatefulSetSpec::default();
        spec.template.spec.containers = vec![Container {
            name: name.clone(),
            command: words.map(str::to_owned).into(),
            volume_mounts: vec![mount],
            ..Container::default()
        }];
        let obstacle = Obstacle {
            container: Some(StuckContainer { exit_code: Some(1), ..StuckContainer::named(&name) }),
            ..Obstacle::of_no_pod("container_ends", "web-0", "", "", vec![])
        };
        let loss =
            Loss { id: obstacle.id, obstacle: Some(&obstacle), objects: &[], knows_programs: true };
        let notes = edit(&loss, &mut spec);
        assert_eq!(notes, ScriptNotes { has_tee_flag: true, ..ScriptNotes::NO_OP });
        let script = &spec.template.spec.containers[0].command[2];
        assert_eq!(script, "ls /data || :; date | tee -a /data/id");
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
            program(&mut alone, 0);
            assert_eq!(alone.command[2], ends::idle(), "{shell}");
        }
    }
}
