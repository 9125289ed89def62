//! Pods that come back after scaling are on their old claims, with the old content.

use std::collections::BTreeMap;

use crate::mistakes;
use crate::{
    Check,
    mistakes::Section,
    model::{
        Seq, ShownBy, Standing, SubmissionPart, Timeline, Verdict, Wanted,
        evidence::content::Contents, verdict::PodEpisode,
    },
};

pub(crate) const CHECK: Check = Check {
    id: "pvc_reuse",
    test: 10,
    title: "PVC Reuse",
    lab_words: "When you scale back up, pods reattach to their original PVCs (original content is \
        still there).",
    why: "The PVC keeps a member's data while the member is away.",
    remedy: "Keep the data on a PVC from `volumeClaimTemplates`, and write the identity only \
        where it is not there yet.",
    read: &[Section::ExistingPvcs],
    points: 10,
    criteria: &["came_back", "claim_there", "same_claim", "original_content", "canary"],
    shown_by: ShownBy::Return,
    judge,
};

/// Passes when every pod that came back in a scale-up is on the claims that its ordinal had, with
/// the original content.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    let mut pod_episodes = vec![];
    let contents = Contents::of(timeline);
    let scaled_up = scaled_up(timeline);
    for (old, new) in timeline.returns() {
        let text = format!("{} came back", new.name());
        let next = "wait until the pod is Ready";
        let pod_episode = timeline.judge_successor(&contents, (old, new), text, next);
        pod_episodes
            .push(PodEpisode { episode_line: scaled_up.get(new.uid()).copied(), ..pod_episode });
    }
    verdict.push_pod_episodes(pod_episodes);
    if verdict.criteria.is_empty() {
        judge_lost(timeline, &mut verdict);
    }
    if verdict.criteria.is_empty() {
        verdict.push(
            "came_back",
            "pods that were removed came back",
            timeline.not_shown(Wanted::Return),
            [],
        );
    }
    verdict
}

/// The pods, by UID, that scale-ups which were done whole added, with the line of the change.
fn scaled_up(timeline: &Timeline) -> BTreeMap<&str, Seq> {
    let whole = timeline.scale_ups().filter(|it| it.is_complete);
    whole.flat_map(|it| it.pods.into_iter().map(move |pod| (pod.uid(), it.scale.when.by))).collect()
}

/// Claims that were handed to the pods that went, to be deleted with them: nobody can come back to
/// these, whether they are gone already or a finalizer keeps them for a while.
fn judge_lost(timeline: &Timeline, verdict: &mut Verdict) {
    for scale_down in timeline.scale_downs().filter(|scale_down| scale_down.is_complete) {
        for pod in &scale_down.pods {
            for (_, name) in pod.claims() {
                let seq = pod.deleted.map_or(pod.added.by, |deleted| deleted.by);
                let Some(life) = timeline.claim_of(pod, &name, seq) else { continue };
                let (Some(owned_by_pod), Some(asked)) =
                    (life.owned_by_pod, life.deletion_requested)
                else {
                    continue;
                };
                // What became of claims under an earlier retention policy says nothing of this one.
                if !timeline.is_since(asked.by, SubmissionPart::Retention) {
                    continue;
                }
                verdict
                    .push(
                        "claim_there",
                        format!("PVC {name} is there for the next {}", pod.name()),
                        Standing::broken(format!("PVC {name} stays"), life.deleted_with_pod()),
                        [owned_by_pod.by, asked.by],
                    )
                    .because(&mistakes::WHEN_SCALED_DELETE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{
        Outcome::{Fail, Inconclusive, Pass},
        observation::{
            ObjectChange,
            object::{OwnerReference, Volume},
        },
        testing::history::History,
    };

    #[test]
    fn the_old_claims_with_the_old_content_pass() {
        History::toured().assert("pvc_reuse", Pass, &[]);
    }

    #[test]
    fn new_content_fails() {
        let mut history = History::new();
        history.writes =
            |ordinal, _, start| Some(format!("web-{ordinal} at 04:{ordinal:02}:{start:02}\n"));
        history.create().inspect().tour().assert("pvc_reuse", Fail, &["overwritten_at_start"]);
    }

    /// Catches a claim that never quite goes, because of a finalizer, leaving the test undecided
    /// for ever.
    #[test]
    fn claims_that_are_to_go_with_their_pods_are_lost() {
        let condemned = |history: History, deleted: bool| {
            let owned = |claim: &mut crate::model::observation::object::PersistentVolumeClaim| {
                claim.metadata.owner_references =
                    vec![crate::model::observation::object::OwnerReference {
                        kind: "Pod".to_owned(),
                        ..Default::default()
                    }];
            };
            let asked = |claim: &mut crate::model::observation::object::PersistentVolumeClaim| {
                claim.metadata.deletion_timestamp = Some("2026-11-23T05:00:00Z".to_owned())
            };
            let history = history.claim_line(2, ObjectChange::Modified, owned).down(2).claim_line(
                2,
                ObjectChange::Modified,
                asked,
            );
            if deleted { history.claim_line(2, ObjectChange::Deleted, |_| {}) } else { history }
        };
        condemned(History::created().scale(2), false).end().assert(
            "pvc_reuse",
            Fail,
            &["when_scaled_delete"],
        );
        condemned(History::created().scale(2), true).end().assert(
            "pvc_reuse",
            Fail,
            &["when_scaled_delete"],
        );
        // Somebody's own deletion is not the set's doing.
        let asked = |claim: &mut crate::model::observation::object::PersistentVolumeClaim| {
            claim.metadata.deletion_timestamp = Some("2026-11-23T05:00:00Z".to_owned())
        };
        History::created()
            .scale(2)
            .down(2)
            .claim_line(2, ObjectChange::Modified, asked)
            .end()
            .assert("pvc_reuse", Inconclusive, &[]);
    }

    #[test]
    fn pods_that_are_new_are_no_return() {
        History::created().scale(5).up(3).up(4).end().assert("pvc_reuse", Inconclusive, &[]);
    }

    #[test]
    fn every_pod_that_stays_must_be_ready() {
        let one = History::created().scale(1).down(2).down(1).scale(3).up(1).inspect_one(1).add(2);
        one.clone().end().assert("pvc_reuse", Inconclusive, &[]);
        // One that had to go before it was Ready shows nothing.
        one.scale(2).down(2).end().assert("pvc_reuse", Pass, &[]);
    }

    #[test]
    fn a_claim_that_somebody_deleted_shows_nothing() {
        let deleted =
            History::created().scale(2).down(2).claim_line(2, ObjectChange::Deleted, |_| {});
        // Its content is lost with it, by the same somebody.
        deleted.scale(3).up(2).inspect_one(2).end().assert("pvc_reuse", Inconclusive, &[]);
    }

    /// Catches points that a reset takes: all PVCs deleted after what was to be shown was shown.
    #[test]
    fn a_reset_takes_nothing_from_what_was_shown() {
        let back = |history: History| history.scale(3).up(1).up(2).inspect_one(1).inspect_one(2);
        let gone = |history: History| {
            let removed = history.scale(0).down(2).down(1).down(0);
            let all = [0, 1, 2].into_iter();
            all.fold(removed, |it, ordinal| it.claim_line(ordinal, ObjectChange::Deleted, |_| {}))
        };
        let anew = |history: History| history.scale(3).up(0).up(1).up(2).inspect().end();
        let shown = back(History::created().scale(1).down(2).down(1));
        anew(gone(shown)).assert("pvc_reuse", Pass, &[]);
        anew(gone(History::created())).assert("pvc_reuse", Inconclusive, &[]);
        // A pod that came back and that nobody read may have lost what it had: to delete its PVC
        // after that hides it.
        let unread = back(History::created().scale(1).down(2).down(1)).scale(2).down(2).scale(3);
        anew(gone(unread.up(2))).assert("pvc_reuse", Inconclusive, &[]);
        // What was seen to be lost stays lost.
        let mut history = History::new();
        history.writes = |ordinal, there, start| {
            Some(match there {
                Some(there) if start != 3 => there.to_owned(),
                _ => format!("web-{ordinal} {start:02}:04:05\n"),
            })
        };
        let twice = back(history.create().inspect().scale(1).down(2).down(1)).scale(2).down(2);
        let once = twice.scale(3).up(2).inspect_one(2);
        let told = format!("{:?}", once.verdict("pvc_reuse"));
        assert!(told.contains("Broken"), "{told}");
        anew(gone(once)).assert("pvc_reuse", Fail, &["overwritten_at_start"]);
    }

    /// Catches a volume for scratch files that makes every claim of its pod one that goes with it.
    #[test]
    fn a_scratch_volume_takes_no_other_claim_away() {
        let mut history = History::new();
        history.spec.template.spec.volumes = vec![Volume {
            name: "scratch".to_owned(),
            ephemeral: Some(Default::default()),
            ..Default::default()
        }];
        let deleted = history.create().inspect().scale(2).down(2);
        let deleted = deleted.claim_line(2, ObjectChange::Deleted, |_| {});
        deleted.scale(3).up(2).inspect_one(2).end().assert("pvc_reuse", Inconclusive, &[]);
    }

    #[test]
    fn a_claim_that_goes_with_its_pod_fails() {
        let owned = |claim: &mut crate::model::observation::object::PersistentVolumeClaim| {
            claim.metadata.owner_references =
                vec![OwnerReference { kind: "Pod".to_owned(), ..Default::default() }];
        };
        let owned_by_pod =
            History::created().scale(2).claim_line(2, ObjectChange::Modified, owned).down(2);
        let anew =
            owned_by_pod.claim_line(2, ObjectChange::Deleted, |_| {}).scale(3).up(2).inspect_one(2);
        anew.end().assert("pvc_reuse", Fail, &[]);
    }

    #[test]
    fn a_later_whole_round_heals_one_that_nobody_saw() {
        let unread = History::created().scale(2).down(2).scale(3).up(2);
        unread.clone().end().assert("pvc_reuse", Inconclusive, &[]);
        let read = unread.inspect_one(2).scale(2).down(2).scale(3).up(2).inspect_one(2);
        read.end().assert("pvc_reuse", Pass, &[]);
        // Another pod's round does not tell of this one, which stays.
        let both = History::created().scale(1).down(2).down(1).scale(3).up(1).up(2).inspect_one(1);
        both.clone().end().assert("pvc_reuse", Inconclusive, &[]);
        // One that had to go before anybody read it tells nothing.
        let other = both.scale(1).down(2).down(1).scale(2).up(1).inspect_one(1);
        other.end().assert("pvc_reuse", Pass, &[]);
    }

    /// Catches two pods that came back, of which the first had to go before anybody read its files:
    /// neither is compared with the one that was read, so a loss is not seen.
    #[test]
    fn a_pod_that_nobody_read_is_passed_over() {
        let twice = |history: History| {
            let unread = history.create().inspect().scale(2).down(2).scale(3).up(2);
            unread.scale(2).down(2).scale(3).up(2).inspect_one(2).end()
        };
        twice(History::new()).assert("pvc_reuse", Pass, &[]);
        let mut history = History::new();
        history.writes = |ordinal, _, start| Some(format!("web-{ordinal} {start:02}:04:05\n"));
        twice(history).assert("pvc_reuse", Fail, &["overwritten_at_start"]);
    }

    #[test]
    fn a_pod_that_does_not_mount_its_claim_any_more_fails() {
        let back =
            History::created().scale(2).down(2).scale(3).add_as(2, ObjectChange::Added, |pod| {
                pod.spec.iter_mut().for_each(|it| it.volumes.clear())
            });
        back.ready(2).inspect_one(2).end().assert("pvc_reuse", Fail, &[]);
    }

    /// Catches a reading that the pod's own going cut off, which costs the points that no reading at
    /// all would not.
    #[test]
    fn a_reading_that_was_cut_off_by_the_deletion_is_none() {
        let cut_off = "the container or the connection ended before the command did";
        let returned = |error: &str, is_late: bool| {
            let both = History::created().scale(1).down(2).down(1).scale(3).up(1).up(2);
            let both = both.inspect_one(1).scale(1);
            let removed = if is_late {
                both.deletion_requested(2).read_failed(2, error).deleted(2)
            } else {
                both.read_failed(2, error).down(2)
            };
            removed.down(1).scale(2).up(1).inspect_one(1)
        };
        returned(cut_off, true).end().assert("pvc_reuse", Pass, &[]);
        // These tell why none can be read, whenever they come; the other failed in a pod that stayed.
        for (error, is_late) in [
            (cut_off, false),
            ("there is no shell in the image", true),
            ("no permission to run commands in pods (get on pods/exec)", true),
        ] {
            returned(error, is_late).end().assert("pvc_reuse", Inconclusive, &[]);
        }
        // Where no pod that came back was read, nothing is shown.
        let alone = History::created().scale(2).down(2).scale(3).up(2).scale(2);
        let alone = alone.deletion_requested(2).read_failed(2, cut_off).deleted(2);
        alone.end().assert("pvc_reuse", Inconclusive, &[]);
    }

    /// Catches two pods that showed all, and get no points because somebody deleted the PVC of a
    /// third one that came back with them.
    #[test]
    fn two_that_show_all_are_enough_beside_one_whose_claim_somebody_deleted() {
        let removed = History::created().scale(0).down(2).down(1).down(0);
        let deleted = removed.claim_line(2, ObjectChange::Deleted, |_| {});
        let back = deleted.scale(3).up(0).up(1).up(2);
        let read = |history: History| history.inspect_one(0).inspect_one(1).inspect_one(2).end();
        read(back.clone()).assert("pvc_reuse", Pass, &[]);
        // Of two, one is hidden: one other is not enough.
        let two = History::created().scale(1).down(2).down(1);
        let two = two.claim_line(2, ObjectChange::Deleted, |_| {}).scale(3).up(1).up(2);
        two.inspect_one(1).inspect_one(2).end().assert("pvc_reuse", Inconclusive, &[]);
    }
}
