//! What to do about a container that ends, as far as its exit status, its last words and its own
//! command tell.

use checks::model::{
    Obstacle, Timeline, diagnosis::CONTAINER_ENDS, observation::object::Container,
};

/// What a command may have done by its first start, which then lets all others fail.
const WORKS_AGAIN: &str = "It must also work on a volume that is not empty any more: `mkdir -p`, `[ \
    -f file ] ||`.";
/// What a command says that minds what an earlier start left.
const GUARDS: [&str; 5] = ["[ -", "[[ -", "test -", "mkdir -p", "||"];

/// What to do; `None` where the obstacle is another, or its own words tell more.
pub(super) fn remedy(obstacle: &Obstacle, timeline: &Timeline) -> Option<String> {
    if obstacle.id != CONTAINER_ENDS || obstacle.made_folder().is_some() {
        return None;
    }
    let stuck = obstacle.container.as_ref()?;
    let is_failed = stuck.exit_code != Some(0);
    let mut remedy = match (is_failed, obstacle.log.is_empty()) {
        (false, _) => "Nothing failed: the command is over. Let it end in a program that keeps running.",
        (true, false) => {
            "Mend the command by what it wrote last, and let it end in a program that keeps running."
        }
        (true, true) => {
            "The command wrote nothing. Look for what fails in it, and let it end in a program that \
            keeps running."
        }
    }
    .to_owned();
    if is_failed && may_find_files(&stuck.name, timeline) {
        remedy = format!("{remedy} {WORKS_AGAIN}");
    }
    Some(remedy)
}

/// Whether a container of this name has a PVC, and a command that does not mind what is on it.
fn may_find_files(name: &str, timeline: &Timeline) -> bool {
    let Some(set) = timeline.set() else { return false };
    let templates = &set.spec.volume_claim_templates;
    let is_own = |volume: &str| templates.iter().any(|it| it.metadata.name == volume);
    let has_claim = |it: &Container| it.volume_mounts.iter().any(|mount| is_own(&mount.name));
    let minds = |it: &Container| {
        let mut words = it.command.iter().chain(&it.args);
        words.any(|word| GUARDS.iter().any(|guard| word.contains(guard)))
    };
    let mut all = set.spec.template.spec.all_containers();
    all.any(|it| it.name == name && has_claim(it) && !minds(it))
}
