//! A program that is not in its image.

use checks::model::{Missing, observation::object::StatefulSetSpec};

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
    let Some(first) = container.command.iter_mut().chain(&mut container.args).next() else {
        return;
    };
    if first != missing {
        return;
    }
    let (folder, name) = missing.rsplit_once('/').unwrap_or(("", missing));
    if is_other_shell(name) {
        *first = if folder.is_empty() { "sh".to_owned() } else { "/bin/sh".to_owned() };
    } else if words == 1 && missing.contains(' ') {
        // A whole line in place of a program's name.
        become_script(container, missing.clone());
    } else if let Some(near) = nearest(name, &KNOWN, MAX_DISTANCE) {
        near.clone_into(first);
    } else {
        container.command.clear();
        container.args.clear();
    }
}
