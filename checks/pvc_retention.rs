//! Claims stay when their pods go.

use crate::mistakes;
use crate::{
    Check,
    mistakes::Section,
    model::{
        ClaimLife, Episode, PodLife, Seq, ShownBy, Standing, SubmissionPart, Timeline, Verdict,
        Wanted, When, verdict::PodEpisode,
    },
};

pub(crate) const CHECK: Check = Check {
    id: "pvc_retention",
    test: 9,
    title: "PVC Retention",
    lab_words: "When you scale down, PVCs are NOT automatically deleted.",
    why: "Scaling down must never lose data: whoever scales down by mistake wants it back.",
    remedy: "Leave `persistentVolumeClaimRetentionPolicy.whenScaled` at Retain, and keep the data \
        on PVCs.",
    read: &[Section::OrderedScaling],
    points: 10,
    criteria: &["retain", "scaled_down", "claim_stays", "to_the_end"],
    shown_by: ShownBy::ScaleDown,
    judge,
};

/// Passes when every claim of the removed pods stays until its ordinal comes again, the set is
/// deleted or the recording ends. The set must not ask for `whenScaled: Delete`, and one scale-down
/// must have been seen from its beginning to its end.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    if let Some(set) = timeline.set() {
        let standing = if timeline.deletes_when_scaled() {
            Standing::broken("whenScaled: Retain (the default)", "whenScaled: Delete")
        } else {
            Standing::Met
        };
        verdict
            .push(
                "retain",
                "the set keeps its PVCs when it is scaled down",
                standing,
                [set.changed.by],
            )
            .because(&mistakes::WHEN_SCALED_DELETE);
    }
    let mut is_shown = false;
    let mut pod_episodes = vec![];
    for scale_down in timeline
        .scale_downs()
        .filter(|it| timeline.is_since(it.scale.when.by, SubmissionPart::Retention))
    {
        for pod in
            scale_down.pods.iter().filter(|pod| pod.deleted.is_some() && timeline.is_current(pod))
        {
            is_shown |= scale_down.is_complete;
            let episode_line = scale_down.is_complete.then_some(scale_down.scale.when.by);
            let mut pod_episode =
                PodEpisode { ordinal: pod.ordinal, episode_line, ..PodEpisode::default() };
            judge_pod(timeline, &mut pod_episode, &scale_down, pod);
            pod_episodes.push(pod_episode);
        }
    }
    verdict.push_pod_episodes(pod_episodes);
    if !is_shown {
        verdict.push(
            "scaled_down",
            "pods were seen to be removed",
            timeline.not_shown(Wanted::Retention),
            [],
        );
    } else if timeline.end().is_none() {
        verdict.push(
            "to_the_end",
            "the PVCs stayed to the end",
            Standing::unseen("the recording stops before its end"),
            [timeline.last()],
        );
    }
    verdict
}

fn judge_pod(
    timeline: &Timeline,
    pod_episode: &mut PodEpisode,
    scale_down: &Episode<'_>,
    pod: &PodLife,
) {
    let verdict = &mut pod_episode.verdict;
    let claims = pod.claims();
    pod_episode.hidden_by_deleted_claims = !claims.is_empty();
    if claims.is_empty() {
        let standing = Standing::broken(
            "a PVC that stays",
            format!("{} mounts no PVC, its data went with it", pod.name()),
        );
        verdict
            .push("claim_stays", format!("{}'s PVC stays", pod.name()), standing, [pod.added.by])
            .because(timeline.unclaimed_mistake(pod));
    }
    let until = until(timeline, scale_down, pod);
    for (_, name) in claims {
        let requested = pod.deletion_requested.map_or(pod.added.by, |when| when.by);
        let text = format!("PVC {name} stays when {} goes", pod.name());
        let Some(life) = timeline.claim_of(pod, &name, requested) else {
            pod_episode.hidden_by_deleted_claims = false;
            verdict.push(
                "claim_stays",
                text,
                Standing::unseen(format!("PVC {name} was not seen")),
                [],
            );
            continue;
        };
        let mistake = if pod.is_ephemeral_claim(&name) {
            &mistakes::EPHEMERAL_VOLUME
        } else {
            &mistakes::WHEN_SCALED_DELETE
        };
        pod_episode.hidden_by_deleted_claims &=
            timeline.somebody_deleted(life).is_some_and(|it| it.by <= until);
        let (standing, evidence) = stays(life, &name, until);
        verdict.push("claim_stays", text, standing, evidence).because(mistake);
    }
}

/// The line up to which a removed pod's claims must stay: its ordinal's return.
fn until(timeline: &Timeline, scale_down: &Episode<'_>, pod: &PodLife) -> Seq {
    let scales = timeline.set().map(|set| set.replicas_changes.as_slice()).unwrap_or_default();
    let mut later =
        scales[scales.partition_point(|it| it.when.by <= scale_down.scale.when.by)..].iter();
    let wanted =
        later.find(|it| it.to > it.from && pod.ordinal.saturating_sub(timeline.start()) < it.to);
    // The pod that comes back finds the claim, or another one is made for it.
    let lane = timeline.lane(pod.ordinal);
    let next = lane.get(lane.partition_point(|it| it.added.by <= pod.added.by));
    let back = wanted.and(next).map(|it| it.added.by);
    let set_gone = timeline.set().and_then(|set| set.deletion_requested).map(|when| when.by);
    back.unwrap_or(Seq::MAX).min(set_gone.unwrap_or(Seq::MAX))
}

/// How it stands that a claim stays up to a line, and the lines that show it.
fn stays(life: &ClaimLife, name: &str, until: Seq) -> (Standing, Vec<Seq>) {
    let within = |when: &When| when.by <= until;
    let owned_by_pod = life.owned_by_pod.filter(within);
    let deleted = [life.deleted, life.deletion_requested].into_iter().flatten().find(within);
    let standing = if life.deleted_by_somebody().filter(within).is_some() {
        Standing::claim_deleted(name)
    } else if owned_by_pod.is_none() {
        Standing::Met
    } else {
        let actual = if deleted.is_some() {
            life.deleted_with_pod()
        } else {
            "it was handed to its pod, to be deleted with it"
        };
        Standing::broken(format!("PVC {name} stays"), actual)
    };
    let shown = owned_by_pod.into_iter().chain(deleted).map(|when| when.by);
    (standing, shown.chain([life.added.by]).collect())
}

#[cfg(test)]
mod tests {
    use crate::model::{
        Outcome::{Fail, Inconclusive, Pass},
        observation::{Fact, Gap, Kind, ObjectChange, object::OwnerReference},
        testing::history::History,
    };

    #[test]
    fn claims_that_stay_pass() {
        History::created().scale(1).down(2).down(1).end().assert("pvc_retention", Pass, &[]);
    }

    #[test]
    fn a_claim_handed_to_its_pod_fails_before_it_is_gone() {
        let owned = |claim: &mut crate::model::observation::object::PersistentVolumeClaim| {
            claim.metadata.owner_references =
                vec![OwnerReference { kind: "Pod".to_owned(), ..Default::default() }]
        };
        let history = History::created()
            .scale(1)
            .claim_line(2, ObjectChange::Modified, owned)
            .down(2)
            .down(1)
            .end();
        history.assert("pvc_retention", Fail, &["when_scaled_delete"]);
    }

    #[test]
    fn a_claim_that_somebody_else_deletes_is_unseen() {
        History::created()
            .scale(1)
            .down(2)
            .down(1)
            .claim_line(2, ObjectChange::Deleted, |_| {})
            .end()
            .assert("pvc_retention", Inconclusive, &[]);
    }

    #[test]
    fn a_later_whole_round_heals_one_that_somebody_spoilt() {
        let spoilt = History::created()
            .scale(1)
            .down(2)
            .down(1)
            .claim_line(2, ObjectChange::Deleted, |_| {})
            .scale(3)
            .up(1)
            .up(2);
        spoilt.clone().end().assert("pvc_retention", Inconclusive, &[]);
        spoilt.clone().scale(2).down(2).end().assert("pvc_retention", Pass, &[]);
        // A claim that went with its pod is no accident, whatever comes later.
        let owned = |claim: &mut crate::model::observation::object::PersistentVolumeClaim| {
            claim.metadata.owner_references =
                vec![OwnerReference { kind: "Pod".to_owned(), ..Default::default() }]
        };
        let broken = spoilt
            .scale(2)
            .claim_line(2, ObjectChange::Modified, owned)
            .down(2)
            .claim_line(2, ObjectChange::Deleted, |_| {});
        broken.scale(3).up(2).scale(2).down(2).end().assert(
            "pvc_retention",
            Fail,
            &["when_scaled_delete"],
        );
    }

    /// A set of three whose pods 1 and 2 went in a scale-down and came back.
    fn shown() -> History {
        History::created().scale(1).down(2).down(1).scale(3).up(1).up(2)
    }

    /// Catches points that cleaning up takes: no later round shows again what an earlier one did.
    #[test]
    fn cleaning_up_takes_nothing_from_what_was_shown() {
        let gone =
            |history: History, ordinal| history.claim_line(ordinal, ObjectChange::Deleted, |_| {});
        shown().end().assert("pvc_retention", Pass, &[]);
        // To 0, all PVCs deleted: pod 0 was never scaled away before.
        let to_none = shown().scale(0).down(2).down(1).down(0);
        let cleaned = gone(gone(gone(to_none, 0), 1), 2);
        cleaned.clone().end().assert("pvc_retention", Pass, &[]);
        cleaned.scale(3).up(0).up(1).up(2).end().assert("pvc_retention", Pass, &[]);
        gone(shown().scale(2).down(2), 2).end().assert("pvc_retention", Pass, &[]);
        // Another pod of the very scale-down is no whole one.
        let part = gone(History::created().scale(1).down(2).down(1), 2);
        part.clone().end().assert("pvc_retention", Inconclusive, &[]);
        // Nor is one that was changed before it was done.
        let hasty = History::created().scale(1).down(2).scale(3).up(2).scale(2).down(2);
        gone(hasty, 2).end().assert("pvc_retention", Inconclusive, &[]);
    }

    /// Catches the points of pods whose PVCs stayed, lost because somebody deleted those of others
    /// that went with them (a grade in the same namespace deletes what it added).
    #[test]
    fn two_that_stay_are_enough_beside_those_that_somebody_deleted() {
        let gone =
            |history: History, ordinal| history.claim_line(ordinal, ObjectChange::Deleted, |_| {});
        let five = History::created().scale(5).up(3).up(4);
        let to_none = five.clone().scale(0).down(4).down(3).down(2).down(1).down(0);
        gone(gone(to_none, 3), 4).end().assert("pvc_retention", Pass, &[]);
        let to_two = gone(gone(five.scale(2).down(4).down(3).down(2), 3), 4);
        to_two.end().assert("pvc_retention", Inconclusive, &[]);
    }

    /// Catches a loss that is forgiven because somebody deleted a PVC, too, or because a scale-down
    /// before it or after it is whole.
    #[test]
    fn no_other_round_forgives_a_loss() {
        let owned = |claim: &mut crate::model::observation::object::PersistentVolumeClaim| {
            claim.metadata.owner_references =
                vec![OwnerReference { kind: "Pod".to_owned(), ..Default::default() }]
        };
        let lost = shown()
            .scale(1)
            .claim_line(2, ObjectChange::Modified, owned)
            .down(2)
            .claim_line(2, ObjectChange::Deleted, |_| {})
            .down(1)
            .claim_line(1, ObjectChange::Deleted, |_| {});
        lost.clone().end().assert("pvc_retention", Fail, &["when_scaled_delete"]);
        let whole = lost.scale(3).up(1).up(2).scale(1).down(2).down(1);
        whole.end().assert("pvc_retention", Fail, &["when_scaled_delete"]);
    }

    /// Catches a PVC that went in a gap, perhaps with its pod, and is taken for one that somebody
    /// deleted.
    #[test]
    fn what_a_gap_may_hide_is_not_made_up_for_by_an_earlier_round() {
        let removed = shown().scale(2).down(2);
        let last_sure = removed.lines.len() as u64 - 1;
        let vanished = removed.timeline().claim("data-web-2")[0].uid().to_owned();
        let gap = Gap {
            kind: Kind::PersistentVolumeClaim,
            last_sure: Some(last_sure),
            vanished: vec![vanished],
            reason: "Expired".to_owned(),
        };
        removed.push(Fact::Gap(gap)).end().assert("pvc_retention", Inconclusive, &[]);
    }

    #[test]
    fn a_claim_that_goes_after_its_pod_came_back_costs_nothing() {
        let history = History::created()
            .scale(1)
            .down(2)
            .down(1)
            .scale(3)
            .up(1)
            .up(2)
            .claim_line(2, ObjectChange::Deleted, |_| {})
            .end();
        history.assert("pvc_retention", Pass, &[]);
    }

    #[test]
    fn a_claim_that_somebody_deletes_before_its_pod_is_back_shows_nothing() {
        let history = History::created()
            .scale(1)
            .down(2)
            .down(1)
            .scale(3)
            .claim_line(2, ObjectChange::Deleted, |_| {})
            .up(1)
            .up(2);
        history.end().assert("pvc_retention", Inconclusive, &[]);
    }

    #[test]
    fn pods_without_claims_fail() {
        let mut history = History::new();
        history.spec.volume_claim_templates.clear();
        let history = history.create().scale(1).down(2).down(1).end();
        history.assert("pvc_retention", Fail, &["no_volume"]);
    }

    #[test]
    fn a_claim_that_was_never_seen_is_unseen() {
        History::created().scale(4).add(3).ready(3).scale(3).down(3).end().assert(
            "pvc_retention",
            Inconclusive,
            &[],
        );
    }

    #[test]
    fn only_the_return_of_its_own_ordinal_frees_a_claim() {
        let scaled_down = History::created().scale(1).down(2).down(1);
        let deleted = |history: History| history.claim_line(2, ObjectChange::Deleted, |_| {}).end();
        deleted(scaled_down.clone().scale(2).up(1)).assert("pvc_retention", Inconclusive, &[]);
        deleted(scaled_down.clone().scale(3).up(1).up(2)).assert("pvc_retention", Pass, &[]);
        // The first return counts, whatever comes later.
        let returned = scaled_down
            .scale(3)
            .up(1)
            .up(2)
            .claim_line(2, ObjectChange::Deleted, |_| {})
            .scale(4)
            .up(3)
            .end();
        returned.assert("pvc_retention", Pass, &[]);
    }

    #[test]
    fn ordinals_may_start_elsewhere() {
        let mut history = History::new();
        history.spec.ordinals = Some(crate::model::observation::object::Ordinals { start: 5 });
        let scaled_down = history
            .service()
            .set(ObjectChange::Added)
            .subject()
            .up(5)
            .up(6)
            .up(7)
            .scale(1)
            .down(7)
            .down(6);
        scaled_down.scale(3).up(6).up(7).claim_line(7, ObjectChange::Deleted, |_| {}).end().assert(
            "pvc_retention",
            Pass,
            &[],
        );
    }
}
