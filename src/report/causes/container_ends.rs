//! What to do about a container that ends, as far as its exit status, its last words and its own
//! command tell.

use checks::model::{
    Obstacle,
    diagnosis::CONTAINER_ENDS,
    observation::object::{Container, StatefulSetSpec},
};

use crate::{
    console::sanitize::sanitize,
    remedy::{edit, script::ScriptNotes},
};

/// What a command may have done by its first start, which then lets all others fail.
const WORKS_AGAIN: &str = "It must also work on a volume that is not empty any more: `mkdir -p`, `[ \
    -f file ] ||`.";
/// What a command says that minds what an earlier start left.
const GUARDS: [&str; 8] =
    ["[ -", "[[ -", "test -", "[ ! -", "[[ ! -", "test ! -", "mkdir -p", "||"];
/// Of a container that is to stay up.
const KEEPS_RUNNING: &str = "let it end in a program that keeps running";
/// Of an init container.
const ENDS: &str = "let it end with exit status 0, as an init container must";
/// Of a command whose last test may have been false.
const TEST_IS_FALSE: &str = "The command wrote nothing, and its last line tests a file. Where the \
    test is false, as `[ ! -f file ]` is when an earlier start has left the file, its exit status 1 \
    is that of the whole command. With `||` in place of `&&`, and the opposite test, the status is 0.";
/// Of words that no shell reads.
const NO_SHELL: &str = "Only a shell knows signs such as `>` and `&&`, and variables such as \
    `$HOSTNAME`: without one, the program is given each of these words as it stands. Let a shell run \
    the line (`sh -c`), and let it end in a program that keeps running.";

/// What to do; `None` where the obstacle is another, or its own words tell more. `env`:
/// the names of the container's variables, where they are known. `brought_in`: by the change that is
/// told beside it.
pub(super) fn remedy(
    obstacle: &Obstacle,
    set: Option<&StatefulSetSpec>,
    env: Option<&[String]>,
    brought_in: ScriptNotes,
) -> Option<String> {
    if obstacle.id != CONTAINER_ENDS || obstacle.folder_that_exists().is_some() {
        return None;
    }
    let stuck = obstacle.container.as_ref()?;
    let pod = set.map(|it| &it.template.spec);
    let mut own = pod.into_iter().flat_map(|it| it.all_containers());
    let own = own.find(|it| it.name == stuck.name);
    if let Some(of_words) = by_its_last_words(obstacle) {
        return Some(of_words);
    }
    if brought_in.ends_with_success {
        return Some(TEST_IS_FALSE.to_owned());
    }
    if own.is_some_and(|it| edit::lacks_a_shell(it, env)) {
        return Some(NO_SHELL.to_owned());
    }
    let must_end = pod.is_some_and(|it| edit::must_end(&stuck.name, it));
    let end = if must_end { ENDS } else { KEEPS_RUNNING };
    let is_failed = stuck.exit_code != Some(0);
    let mut remedy = match (is_failed, obstacle.log.is_empty()) {
        (false, _) => {
            "Nothing failed: the command is over. Let it end in a program that keeps running."
                .to_owned()
        }
        (true, false) => format!("Mend the command by what it wrote last, and {end}."),
        (true, true) if stuck.wrote_nothing => {
            format!("The command wrote nothing. Look for what fails in it, and {end}.")
        }
        (true, true) => {
            format!(
                "What it wrote could not be read. Look for what fails in the command, and {end}."
            )
        }
    };
    if is_failed && own.zip(set).is_some_and(|(own, set)| may_find_files(own, set)) {
        remedy = format!("{remedy} {WORKS_AGAIN}");
    }
    Some(remedy)
}

/// What to do where the last words of a container tell what failed.
fn by_its_last_words(obstacle: &Obstacle) -> Option<String> {
    if let Some(file) = obstacle.not_executed().map(sanitize) {
        return Some(format!(
            "Either {file} is not there, or the program that its first line names (such as \
            `#!/bin/bash`) is not in this image. Small images have `sh` as their only shell: let the \
            first line be `#!/bin/sh`, or let `sh` read the file (`command: [sh, {file}]`)."
        ));
    }
    let link = obstacle.link_that_exists().map(sanitize)?;
    Some(format!(
        "{link} is there already, and `ln` replaces nothing. Run it only where the link is not \
        there: `[ -L {link} ] ||` before `ln -s`, or `[ -e {link} ] ||` before an `ln` without `-s`. \
        If {link} is a file or a folder of its own, give the link another name."
    ))
}

/// Whether a container has a PVC, and a command that does not mind what is on it.
fn may_find_files(container: &Container, set: &StatefulSetSpec) -> bool {
    let templates = &set.volume_claim_templates;
    let is_own = |volume: &str| templates.iter().any(|it| it.metadata.name == volume);
    let mut words = container.command.iter().chain(&container.args);
    let minds = words.any(|word| GUARDS.iter().any(|guard| word.contains(guard)));
    !minds && container.volume_mounts.iter().any(|mount| is_own(&mount.name))
}

#[cfg(test)]
mod tests {
    use super::remedy;
    use crate::remedy::{script::ScriptNotes, testing::ended};

    /// What is told of a container, or of an init container, that ended so with these last words.
    fn told(words: &[&str], is_init: bool, exit_code: i32, log: &[&str]) -> String {
        of_log(words, is_init, exit_code, Some(log))
    }

    /// The same; `None` where its log could not be read.
    fn of_log(words: &[&str], is_init: bool, exit_code: i32, log: Option<&[&str]>) -> String {
        let (set, obstacle) = ended(words, is_init, exit_code, log);
        remedy(&obstacle, Some(&set), None, ScriptNotes::NONE).unwrap_or_default()
    }

    /// Catches an init container that is to keep running, so that the pod never starts.
    #[test]
    fn an_init_container_is_to_end() {
        for log in [&[][..], &["no config"]] {
            let init = told(&["false"], true, 1, log);
            assert!(init.contains("exit status 0") && !init.contains("keeps running"), "{init}");
            let other = told(&["false"], false, 1, log);
            assert!(other.contains("keeps running"), "{other}");
        }
    }

    /// Catches "wrote nothing" of a command whose log could not be read.
    #[test]
    fn a_log_that_could_not_be_read_is_told_so() {
        let read = of_log(&["false"], false, 1, Some(&[]));
        assert!(read.starts_with("The command wrote nothing."), "{read}");
        let unread = of_log(&["false"], false, 1, None);
        assert!(unread.starts_with("What it wrote could not be read."), "{unread}");
    }

    /// Catches last words that name what failed, and a remedy that says nothing of it.
    #[test]
    fn what_the_last_words_name_is_told() {
        let script = ["exec /start.sh: no such file or directory"];
        let first_line = told(&["/start.sh"], false, 1, &script);
        assert!(first_line.contains("`#!/bin/sh`") && first_line.contains("[sh, /start.sh]"));
        let link = told(&["sh", "-c", "ln -s a /b"], false, 1, &["ln: /b: File exists"]);
        assert!(link.starts_with("/b is there already, and `ln` replaces nothing."), "{link}");
        assert!(link.contains("`[ -L /b ] ||` before `ln -s`"), "{link}");
        let no_shell = told(&["echo", "$HOSTNAME", ">", "/data/id"], false, 0, &[]);
        assert!(no_shell.starts_with("Only a shell knows"), "{no_shell}");
    }
}
