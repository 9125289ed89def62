//! A program that is not in its image.

use checks::{
    model::{Missing, observation::object::StatefulSetSpec},
    shell::runs_a_script,
};

use crate::remedy::{
    edit::{Loss, keep_running::become_script, nearest},
    script::is_other_shell,
};

/// What a misspelt name may mean.
const KNOWN: [&str; 10] =
    ["sh", "sleep", "nginx", "hostname", "tail", "cat", "echo", "date", "httpd", "python3"];
/// So many letters may be wrong.
const MAX_DISTANCE: usize = 2;

/// Names a program that is there, or lets the image run its own.
pub(super) fn edit(loss: &Loss<'_>, spec: &mut StatefulSetSpec) {
    let Some(Missing::Program(missing)) = loss.obstacle.and_then(|it| it.missing.as_deref()) else {
        return;
    };
    let Some(stuck) = loss.container() else { return };
    let mut all = spec.template.spec.all_containers_mut();
    let Some(container) = all.find(|it| it.name == stuck.name) else { return };
    let words = container.command.len() + container.args.len();
    let list =
        if container.command.is_empty() { &mut container.args } else { &mut container.command };
    let Some(first) = list.first_mut().filter(|it| *it == missing) else { return };
    if let Some(split) = shell_with_script(missing, words > 1) {
        list.splice(..1, split);
        return;
    }
    let (folder, name) = missing.rsplit_once('/').unwrap_or(("", missing));
    if is_other_shell(name) {
        *first = if folder.is_empty() { "sh".to_owned() } else { "/bin/sh".to_owned() };
    } else if words == 1 && missing.contains(' ') {
        // A whole line in place of a program's name.
        become_script(container, missing.clone());
    } else if let Some(near) = nearest(name, KNOWN, MAX_DISTANCE) {
        near.clone_into(first);
    } else {
        container.command.clear();
        container.args.clear();
    }
}

/// The words of a line that is a shell, its `-c`, and a script, unless that `follows`.
fn shell_with_script(line: &str, follows: bool) -> Option<Vec<String>> {
    let (shell, rest) = line.trim().split_once(char::is_whitespace)?;
    let (flag, script) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    if !runs_a_script(shell, flag) {
        return None;
    }
    let mut words = vec![shell.to_owned(), flag.to_owned()];
    match script.trim() {
        "" if !follows => return None,
        "" => {}
        script => words.push(without_quotes(script)?),
    }
    Some(words)
}

/// A script as a shell hands it on that finds it in quotes; `None` where these are not of all of it.
fn without_quotes(script: &str) -> Option<String> {
    if let Some(inner) = script.strip_prefix('\'') {
        return Some(inner.strip_suffix('\'')?.to_owned()).filter(|it| !it.contains('\''));
    }
    let Some(inner) = script.strip_prefix('"') else { return Some(script.to_owned()) };
    let mut whole = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return chars.as_str().is_empty().then_some(whole),
            '\\' => match chars.next()? {
                it @ ('"' | '\\' | '$' | '`') => whole.push(it),
                it => whole.extend(['\\', it]),
            },
            _ => whole.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use checks::model::{
        Missing, Obstacle,
        observation::object::{Container, StatefulSetSpec},
        obstacle::StuckContainer,
    };

    use super::{edit, shell_with_script};
    use crate::remedy::edit::Loss;

    /// Catches `sh -c` that runs `sh -c`, and a script that is lost.
    #[test]
    fn a_whole_command_becomes_words() {
        const SCRIPT: &str = "hostname > /data/id";
        let words = |all: &[&str]| -> Vec<String> { all.iter().map(|it| (*it).into()).collect() };
        let whole = format!("sh -c '{SCRIPT}'");
        for (command, args, mended, left) in [
            (&[whole.as_str()][..], &[][..], &["sh", "-c", SCRIPT][..], &[][..]),
            (&[], &[whole.as_str()], &[], &["sh", "-c", SCRIPT]),
            (&["sh -c"], &[SCRIPT], &["sh", "-c"], &[SCRIPT]),
            (&["sh -c", SCRIPT], &[], &["sh", "-c", SCRIPT], &[]),
            (&["sleep 9"], &[], &["sh", "-c", "sleep 9"], &[]),
        ] {
            let (command, args) = (words(command), words(args));
            let missing = command.iter().chain(&args).next().unwrap().clone();
            let name = "app".to_owned();
            let obstacle = Obstacle {
                container: Some(StuckContainer::named(&name)),
                missing: Some(Box::new(Missing::Program(missing))),
                ..Obstacle::of_no_pod("config_error", "web-0", "", "", vec![])
            };
            let loss = Loss {
                id: obstacle.id,
                obstacle: Some(&obstacle),
                objects: &[],
                knows_programs: true,
            };
            let mut spec = StatefulSetSpec::default();
            spec.template.spec.containers =
                vec![Container { name: "app".to_owned(), command, args, ..Container::default() }];
            edit(&loss, &mut spec);
            let container = &spec.template.spec.containers[0];
            let expected = (words(mended), words(left));
            assert_eq!((container.command.clone(), container.args.clone()), expected);
        }
    }

    /// Catches a shell that runs a second one, and quotes that stay around a script, or that are
    /// taken from a part of it.
    #[test]
    fn a_shell_and_its_script_are_words_of_their_own() {
        let split = |line: &str, follows| shell_with_script(line, follows).unwrap_or_default();
        for (line, words) in [
            (
                "sh -c 'echo $HOSTNAME > /data/id; sleep 9'",
                "sh|-c|echo $HOSTNAME > /data/id; sleep 9",
            ),
            ("/bin/sh  -ec  \"echo \\\"a\\\" \\$HOME \\n\"", "/bin/sh|-ec|echo \"a\" $HOME \\n"),
            ("bash -c hostname", "bash|-c|hostname"),
            ("sh -c echo 'a b' > /data/id", "sh|-c|echo 'a b' > /data/id"),
            ("sh -c 'echo it'\\''s'", ""),
            ("sh -c \"a\" \"b\"", ""),
            ("sh -c 'a", ""),
            ("sh -c", ""),
            ("sh /run.sh", ""),
            ("sleep 1000000", ""),
        ] {
            assert_eq!(split(line, false).join("|"), words, "{line}");
        }
        assert_eq!(split("sh -c", true), ["sh", "-c"]);
    }
}
