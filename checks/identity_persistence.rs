//! A replaced pod is the same pod again: name, claim and content.

use crate::{
    Check,
    mistakes::Section,
    model::{PodLife, ShownBy, Timeline, Verdict, Wanted, evidence::content::Contents},
};

pub(crate) const CHECK: Check = Check {
    id: "identity_persistence",
    test: 6,
    title: "Identity Persistence",
    lab_words: "When you delete a pod, the replacement pod gets the same name, reattaches to the \
        same PVC, and the persistent volume contains the original content (not new content).",
    why: "A member of a distributed system that comes back must be the one that went.",
    remedy: "Keep the data on a PVC from `volumeClaimTemplates`, and write the identity only \
        where it is not there yet.",
    read: &[Section::IdentityPersistence],
    points: 10,
    criteria: &["came_back", "same_claim", "original_content", "canary"],
    shown_by: ShownBy::Replacement,
    judge,
};

/// Passes when a replaced pod came back under its name, on the same claims, with the original
/// content. Where the files of some replaced pods were read before they went, only these count.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    let mut pod_episodes = vec![];
    let contents = Contents::of(timeline);
    for (old, new) in readable_replacements(timeline) {
        let text = format!("{} came back under its name", old.name());
        let next = "wait until the new pod is Ready";
        pod_episodes.push(timeline.judge_successor(&contents, (old, new), text, next));
    }
    verdict.push_pod_episodes(pod_episodes);
    if verdict.criteria.is_empty() {
        verdict.push(
            "came_back",
            "a deleted pod comes back",
            timeline.not_shown(Wanted::Replacement),
            [],
        );
    }
    verdict
}

/// The replacements of pods whose files were read; all of them, where none were: one that happened
/// before anybody could look proves nothing.
fn readable_replacements(timeline: &Timeline) -> Vec<(&PodLife, &PodLife)> {
    let mut replacements = timeline.replacements();
    let was_read = |old: &PodLife| timeline.pod_files(old).is_some();
    if replacements.iter().any(|(old, _)| was_read(old)) {
        replacements.retain(|(old, _)| was_read(old));
    }
    replacements
}

#[cfg(test)]
mod tests;
