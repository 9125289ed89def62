//! What tests of remedies are made of.

use checks::model::{
    Obstacle,
    observation::object::{Container, StatefulSetSpec},
    obstacle::StuckContainer,
};

/// A container that runs this command.
pub(crate) fn container_app(words: &[&str]) -> Container {
    let command = words.iter().map(|it| (*it).to_owned()).collect();
    Container { name: "app".to_owned(), command, ..Container::default() }
}

/// A set whose container, or init container, ends with these last words; `None` where its log could
/// not be read.
pub(crate) fn ended(
    words: &[&str],
    is_init: bool,
    exit_code: i32,
    log: Option<&[&str]>,
) -> (StatefulSetSpec, Obstacle) {
    let mut set = StatefulSetSpec::default();
    let pod = &mut set.template.spec;
    let own = if is_init { &mut pod.init_containers } else { &mut pod.containers };
    own.push(container_app(words));
    let stuck = StuckContainer {
        exit_code: Some(exit_code),
        wrote_nothing: log == Some(&[]),
        ..StuckContainer::named("app")
    };
    let obstacle = Obstacle {
        container: Some(stuck),
        log: log.unwrap_or_default().iter().map(|it| (*it).to_owned()).collect(),
        ..Obstacle::of_no_pod("container_ends", "web-0", "", "", vec![])
    };
    (set, obstacle)
}
