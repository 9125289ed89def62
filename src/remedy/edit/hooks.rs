//! Edits of what a container's hooks run, which is not recorded.

use checks::model::obstacle::HookEnd;

use crate::remedy::{
    edit::{
        Loss,
        text::{SetText, items, with},
    },
    manifest::{Document, Edit, Path, PathStep},
    script::{self, ScriptNotes, again},
};

/// Where the program of the hook stands that runs when a container starts.
pub(super) const POST_START: &str = "lifecycle.postStart";

/// Lets the hook of the container that is stuck succeed where a test of a file is false. A hook that
/// wrote something, or that ended with another exit status than such a test, failed otherwise.
pub(super) fn succeeds_again(loss: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    let end = loss.container().and_then(|it| it.failing_hook);
    if !end.is_some_and(HookEnd::may_be_of_a_test) {
        return vec![];
    }
    let Some(container) = set.stuck(loss) else { return vec![] };
    let command = with(container, &format!("{POST_START}.exec.command"));
    let words = set.document.texts(&command);
    let edited = words.iter().enumerate().find_map(|(place, word)| {
        let new = again::end_with_success(word)?.text;
        Some(Edit::Set([command.clone(), vec![PathStep::Item(place)]].concat(), new.into()))
    });
    edited.into_iter().collect()
}

/// Takes out what removes files from the volumes, and with it a hook that does nothing else.
pub(super) fn nothing_removed(set: &SetText<'_>) -> (Vec<Edit>, ScriptNotes) {
    let mut edits = vec![];
    for container in &set.containers {
        let folders = mounted(set.document, container);
        for hook in ["preStop", "postStart"] {
            let hook = with(container, &format!("lifecycle.{hook}"));
            edits.extend(edit(set.document, &hook, &folders));
        }
    }
    // Of a script that a hook keeps, commands were taken out.
    let is_kept = edits.iter().any(|it| matches!(it, Edit::Set(..)));
    (edits, if is_kept { ScriptNotes::NO_OP } else { ScriptNotes::NONE })
}

/// Appends what hooks write to the volumes when a container stops.
pub(super) fn appended_at_stop(set: &SetText<'_>) -> (Vec<Edit>, ScriptNotes) {
    let mut edits = vec![];
    for container in &set.containers {
        let folders = mounted(set.document, container);
        let command = with(container, "lifecycle.preStop.exec.command");
        for (place, word) in set.document.texts(&command).iter().enumerate() {
            let item = [command.clone(), vec![PathStep::Item(place)]].concat();
            edits.extend(script::append(word, &folders).map(|new| Edit::Set(item, new.into())));
        }
    }
    (edits, ScriptNotes::NONE)
}

fn mounted<'d>(document: &'d Document, container: &Path) -> Vec<&'d str> {
    let paths = items(document, &with(container, "volumeMounts")).into_iter();
    paths.filter_map(|it| document.scalar(&with(&it, "mountPath"))).collect()
}

fn edit(document: &Document, hook: &Path, folders: &[&str]) -> Option<Edit> {
    let command = with(hook, "exec.command");
    let words = document.texts(&command);
    // A program with its arguments, or a shell with a script.
    if script::remove_nothing(&words.join(" "), folders).is_some_and(|it| it == ":") {
        return Some(Edit::Remove(hook.clone()));
    }
    let (place, new) = words
        .iter()
        .enumerate()
        .find_map(|(place, word)| Some((place, script::remove_nothing(word, folders)?)))?;
    if new == ":" {
        return Some(Edit::Remove(hook.clone()));
    }
    Some(Edit::Set([command, vec![PathStep::Item(place)]].concat(), new.into()))
}
