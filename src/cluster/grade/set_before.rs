//! What is known of the set when it has settled, and whether somebody else changes it afterwards.

use checks::model::{ClaimLife, SubmissionPart, Timeline, WaitStatus, observation::Reference};

use crate::cluster::{
    watch::PROVISIONER_ANNOTATIONS,
    writes::{scale::TakenReplicas, terminating::SetNames},
};
use crate::plan::{EXTRA_PODS, PlanInput};

/// The set as it was when the tour began to change it.
#[derive(Clone, Debug)]
pub(crate) struct SetBefore {
    pub(crate) set: Reference,
    /// The line of its last change other than of replicas.
    changed: u64,
    /// How many changes of replicas it had seen.
    replicas_changes: usize,
    /// What the controller calls the template: it changes with all of it, also with what is not
    /// recorded.
    revision: String,
    /// `whenScaled: Delete`.
    pub(crate) deletes_claims: bool,
    /// The claims of the pods that only the tour asks for, which are there already.
    pub(crate) claims_beyond: Vec<String>,
}

impl SetBefore {
    pub(crate) fn of(timeline: &Timeline) -> Option<Self> {
        let set = timeline.set()?;
        Some(Self {
            set: Reference { name: set.name.clone(), uid: set.uid.clone() },
            changed: set.changed.by,
            replicas_changes: set.replicas_changes.len(),
            revision: set.status.update_revision.clone(),
            deletes_claims: timeline.deletes_when_scaled(),
            claims_beyond: claims_beyond(timeline),
        })
    }
}

/// The claims that are there of pods beyond those that the submission asks for.
fn claims_beyond(timeline: &Timeline) -> Vec<String> {
    let first = timeline.start().saturating_add(timeline.replicas());
    let ordinals = first..first.saturating_add(EXTRA_PODS);
    let mut claims: Vec<String> =
        ordinals.flat_map(|ordinal| timeline.claim_names(ordinal)).collect();
    claims.retain(|name| timeline.claim(name).last().is_some_and(|it| it.deleted.is_none()));
    claims
}

/// What the plan needs to know.
pub(crate) fn plan_input(timeline: &Timeline) -> Option<PlanInput> {
    let set = timeline.set()?;
    let replicas = timeline.replicas();
    let start = timeline.start();
    let witnessed = timeline.last_change_of(SubmissionPart::Order) == 0
        && set.replicas_changes.first().is_some_and(|it| it.from == 0 && it.when == set.added);
    let adopted = timeline
        .lanes()
        .flat_map(|(_, lane)| lane.first())
        .any(|pod| pod.adopted || pod.added.after.is_none());
    Some(PlanInput {
        replicas,
        start,
        creation_witnessed: witnessed && !adopted,
        deletes_claims: timeline.deletes_when_scaled(),
        claims_beyond: !claims_beyond(timeline).is_empty(),
        volumes_by_hand: has_volume_by_hand(timeline),
    })
}

/// Whether a claim of the set is on a volume that no provisioner made. Claims of more pods would
/// take such volumes from somebody, and a volume whose claim is deleted is not bound again unless
/// somebody frees it.
fn has_volume_by_hand(timeline: &Timeline) -> bool {
    let names = set_names(timeline);
    let mounted: Vec<String> =
        timeline.owned().flat_map(|pod| pod.claims()).map(|(_, claim)| claim).collect();
    let is_of_the_set = |name: &str| names.owns_claim(name) && mounted.iter().any(|it| it == name);
    let by_hand = |claim: &ClaimLife| {
        !PROVISIONER_ANNOTATIONS.iter().any(|it| claim.claim.metadata.annotations.contains_key(*it))
    };
    timeline
        .claims()
        .any(|claim| is_of_the_set(claim.name()) && !claim.volume().is_empty() && by_hand(claim))
}

/// The graded set, as it names its claims.
pub(crate) fn set_names(timeline: &Timeline) -> SetNames {
    let Some(set) = timeline.set() else { return SetNames::default() };
    SetNames {
        name: set.name.clone(),
        templates: set
            .spec
            .volume_claim_templates
            .iter()
            .map(|it| it.metadata.name.clone())
            .collect(),
    }
}

/// Where claims go with the pods: whether they are gone from there on.
pub(crate) fn claims_gone(timeline: &Timeline, replicas: i32) -> WaitStatus {
    if !timeline.deletes_when_scaled() {
        return WaitStatus::Done;
    }
    let first = timeline.start().saturating_add(replicas);
    let left = timeline
        .lanes()
        .filter(|(ordinal, _)| *ordinal >= first)
        .flat_map(|(ordinal, _)| timeline.claim_names(ordinal));
    let left = left
        .into_iter()
        .find(|name| timeline.claim(name).last().is_some_and(|it| it.deleted.is_none()));
    left.map_or(WaitStatus::Done, |name| WaitStatus::Awaited(format!("PVC {name} to be gone")))
}

/// What somebody else did to the set since, in words; `asked` are the replicas that the grader
/// itself asked for, in order.
///
/// The set's watch may be late, so a change is told from the grader's own by the set's version and
/// not by when it is told.
pub(crate) fn change_by_another_in(
    timeline: &Timeline,
    before: &SetBefore,
    asked: &[TakenReplicas],
) -> Option<String> {
    let Some(set) = timeline.set().filter(|set| set.uid == before.set.uid && set.deleted.is_none())
    else {
        return Some(format!("somebody else deleted {} while it was graded", before.set.name));
    };
    if set.deletion_requested.is_some() {
        return Some(format!("somebody else is deleting {}", set.name));
    }
    if set.changed.by != before.changed
        || set.status.update_revision != before.revision && !before.revision.is_empty()
    {
        return Some(format!("somebody else changed {} while it was graded", set.name));
    }
    let mut own = asked.iter();
    for scale in set.replicas_changes.get(before.replicas_changes..).unwrap_or_default() {
        if own.any(|it| it.to == scale.to && scale.version.reaches(&it.since)) {
            continue;
        }
        let instead = asked
            .last()
            .map_or_else(String::new, |it| format!(" while it was asked to have {}", it.to));
        return Some(format!(
            "somebody else scaled {} to {}{instead} (an autoscaler?)",
            set.name, scale.to
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use checks::model::{Observation, Timeline, Version};

    use super::{SetBefore, TakenReplicas, change_by_another_in};

    fn set(seq: u64, change: &str, version: u64, replicas: i32) -> String {
        format!(
            r#"{{"seq":{seq},"at":{seq},"change":"{change}","object":{{"StatefulSet":{{"metadata":{{"name":"web","uid":"u","resourceVersion":"{version}"}},"spec":{{"replicas":{replicas}}}}}}}}}"#
        )
    }

    fn timeline_of(lines: &[String]) -> Timeline {
        let lines: Vec<Observation> =
            lines.iter().map(|it| serde_json::from_str(it).unwrap()).collect();
        Timeline::of(&lines)
    }

    /// Catches the grader's own earlier request being taken for somebody else's, because the watch
    /// tells of it late.
    #[test]
    fn a_late_line_is_no_foreign_change() {
        let listed = set(1, "listed", 9, 3);
        let before = SetBefore::of(&timeline_of(std::slice::from_ref(&listed))).unwrap();
        let asked: Vec<TakenReplicas> = [(5, "98"), (0, "101"), (3, "120")]
            .map(|(to, version)| TakenReplicas {
                to,
                since: Version::of(version),
                by: Version::of(version),
            })
            .into();
        let someone = |lines: &[String]| {
            change_by_another_in(
                &timeline_of(&[std::slice::from_ref(&listed), lines].concat()),
                &before,
                &asked,
            )
        };
        let own = [set(2, "modified", 98, 5), set(3, "modified", 101, 0)];
        assert_eq!(someone(&own), None, "0 is told after 3 was asked for");
        assert_eq!(someone(&own.concat_with(set(4, "modified", 120, 3))), None);
        // A list after a gap shows only the last of them, with a later version.
        assert_eq!(someone(&[set(2, "listed", 130, 0)]), None);
        let foreign = someone(&own.concat_with(set(4, "modified", 110, 7))).unwrap();
        assert!(foreign.contains("scaled web to 7"), "{foreign}");
        let again = someone(
            &own.concat_with(set(4, "modified", 120, 3)).concat_with(set(5, "modified", 125, 0)),
        )
        .unwrap();
        assert!(again.contains("scaled web to 0"), "{again}");
        assert!(
            someone(&[set(2, "modified", 90, 5)]).is_some(),
            "to five before that was asked for"
        );
    }

    /// Catches the grader's own scaling that is taken for somebody else's where its answer was lost
    /// and the set's status was written before the grader looked.
    #[test]
    fn a_lost_answer_is_no_foreign_change() {
        let listed = set(1, "listed", 9, 3);
        let before = SetBefore::of(&timeline_of(std::slice::from_ref(&listed))).unwrap();
        let asked = [TakenReplicas { to: 5, since: Version::of("9"), by: Version::of("105") }];
        let someone = |more: String| {
            change_by_another_in(&timeline_of(&[listed.clone(), more]), &before, &asked)
        };
        assert_eq!(someone(set(2, "modified", 100, 5)), None);
        assert!(someone(set(2, "modified", 100, 4)).is_some());
    }

    trait ConcatWith {
        fn concat_with(&self, more: String) -> Vec<String>;
    }

    impl ConcatWith for [String] {
        fn concat_with(&self, more: String) -> Vec<String> {
            let mut all = self.to_vec();
            all.push(more);
            all
        }
    }
}
