//! What is known of the set when it has settled, and whether somebody else changes it afterwards.

use checks::model::{Timeline, Wait, observation::Reference};

use crate::plan::Facts;

/// The set as it was when the tour began to change it.
#[derive(Clone, Debug)]
pub(super) struct Baseline {
    pub(super) set: Reference,
    /// The line of its last change other than of replicas.
    changed: u64,
    /// What the controller calls the template: it changes with all of it, also with what is not recorded.
    revision: String,
    /// `whenScaled: Delete`.
    pub(super) deletes_claims: bool,
}

impl Baseline {
    pub(super) fn of(timeline: &Timeline) -> Option<Self> {
        let set = timeline.set()?;
        Some(Self {
            set: Reference { name: set.name.clone(), uid: set.uid.clone() },
            changed: set.changed.by,
            revision: set.status.update_revision.clone(),
            deletes_claims: deletes_claims(timeline),
        })
    }
}

/// What the plan needs to know.
pub(super) fn facts(timeline: &Timeline) -> Option<Facts> {
    let set = timeline.set()?;
    let replicas = timeline.replicas();
    let start = timeline.start();
    let witnessed = set.changed == set.added && set.scales.first().is_some_and(|it| it.from == 0 && it.when == set.added);
    let adopted = timeline.lanes().flat_map(|(_, lane)| lane.first()).any(|pod| pod.adopted || pod.added.after.is_none());
    let beyond = (0..2).map(|more| start.saturating_add(replicas).saturating_add(more));
    let claims_beyond = beyond.flat_map(|ordinal| claim_names(timeline, ordinal)).any(|name| timeline.claim(&name).last().is_some_and(|it| it.gone.is_none()));
    Some(Facts { replicas, start, creation_witnessed: witnessed && !adopted, deletes_claims: deletes_claims(timeline), claims_beyond })
}

/// The claims that the set's templates make for an ordinal.
pub(super) fn claim_names(timeline: &Timeline, ordinal: i32) -> Vec<String> {
    let Some(set) = timeline.set() else { return vec![] };
    set.spec.volume_claim_templates.iter().map(|it| format!("{}-{}-{ordinal}", it.metadata.name, set.name)).collect()
}

/// Where claims go with the pods: whether they are gone from there on.
pub(super) fn claims_gone(timeline: &Timeline, replicas: i32) -> Wait {
    if !deletes_claims(timeline) {
        return Wait::Done;
    }
    let first = timeline.start().saturating_add(replicas);
    let left = timeline.lanes().filter(|(ordinal, _)| *ordinal >= first).flat_map(|(ordinal, _)| claim_names(timeline, ordinal));
    let left = left.into_iter().find(|name| timeline.claim(name).last().is_some_and(|it| it.gone.is_none()));
    left.map_or(Wait::Done, |name| Wait::Going(format!("claim {name} to be gone")))
}

/// What somebody else did to the set since, in words; `scaled` tells what the grader itself asked for
/// and how many changes of replicas had been seen before.
pub(super) fn someone_else(timeline: &Timeline, before: &Baseline, scaled: Option<(usize, i32)>) -> Option<String> {
    let Some(set) = timeline.set().filter(|set| set.uid == before.set.uid && set.gone.is_none()) else {
        return Some(format!("somebody else deleted {} while it was graded", before.set.name));
    };
    if set.asked_to_go.is_some() {
        return Some(format!("somebody else is deleting {}", set.name));
    }
    if set.changed.by != before.changed || set.status.update_revision != before.revision && !before.revision.is_empty() {
        return Some(format!("somebody else changed {} while it was graded", set.name));
    }
    let (seen, asked) = scaled?;
    let since = set.scales.get(seen..).unwrap_or_default();
    let foreign = since.iter().map(|it| it.to).find(|to| *to != asked).or_else(|| since.get(1).map(|it| it.to));
    foreign.map(|to| format!("somebody else scaled {} to {to} while it was asked to have {asked} (an autoscaler?)", set.name))
}

fn deletes_claims(timeline: &Timeline) -> bool {
    let policy = timeline.set().and_then(|set| set.spec.persistent_volume_claim_retention_policy.as_ref());
    policy.is_some_and(|it| it.when_scaled == "Delete")
}
