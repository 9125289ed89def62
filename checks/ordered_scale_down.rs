//! Pods are removed one at a time, highest ordinal first.

use crate::{
    Check,
    mistakes::Section,
    model::{ShownBy, Timeline, Verdict, Wanted},
};

pub(crate) const CHECK: Check = Check {
    id: "ordered_scale_down",
    test: 8,
    title: "Ordered Scaling Down",
    lab_words: "When you scale down, pods are deleted in reverse order (highest ordinal first).",
    why: "The pods that others may depend on were created first, so they go last, and never two at \
        once.",
    remedy: "Leave `podManagementPolicy` at its default, OrderedReady.",
    read: &[Section::OrderedScaling],
    points: 10,
    criteria: &["scaled_down", "gone_before_next"],
    shown_by: ShownBy::ScaleDown,
    judge,
};

/// Passes when, in every scale-down, the deletion of a pod is requested only after the pod above it
/// is gone, and one scale-down with such a pair of pods was seen from its beginning to its end. A
/// pod that an earlier change left may be one of the pair. When the lower pod itself is gone does
/// not matter.
///
/// `podManagementPolicy` is not judged by itself, unlike in tests 2 and 7: with `Parallel` the
/// controller requests all deletions at once, which every scale-down of two pods shows, and where
/// none was seen the test is undecided.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    let mut is_shown = false;
    for scale_down in timeline.scale_downs() {
        is_shown |= timeline.shows_order(&scale_down);
        for (upper, lower) in scale_down.deletion_pairs() {
            let (standing, evidence) = timeline.gone_before_next(&scale_down, upper, lower);
            verdict
                .push(
                    "gone_before_next",
                    format!("{} is gone before {} is Terminating", upper.name(), lower.name()),
                    standing,
                    evidence,
                )
                .because(timeline.policy_mistake());
        }
    }
    if !is_shown {
        verdict.push(
            "scaled_down",
            "at least two pods were seen to be removed",
            timeline.not_shown(Wanted::ScaleDown),
            [],
        );
    }
    verdict
}

#[cfg(test)]
mod tests {
    use crate::model::{
        Outcome::{Fail, Inconclusive, Pass},
        Standing,
        observation::ObjectChange,
        testing::history::History,
    };

    /// Why the first criterion that could not be seen could not.
    fn unseen(history: &History) -> String {
        let verdict = history.verdict("ordered_scale_down");
        let told = verdict.criteria.into_iter().find_map(|it| match it.standing {
            Standing::Unseen { why, .. } => Some(why),
            _ => None,
        });
        told.unwrap_or_default()
    }

    #[test]
    fn highest_first_passes() {
        History::created().scale(1).down(2).down(1).end().assert("ordered_scale_down", Pass, &[]);
    }

    #[test]
    fn both_at_once_fail() {
        History::created()
            .scale(1)
            .deletion_requested(2)
            .deletion_requested(1)
            .deleted(2)
            .deleted(1)
            .end()
            .assert("ordered_scale_down", Fail, &[]);
    }

    #[test]
    fn lowest_first_fails() {
        History::created().scale(1).down(1).down(2).end().assert("ordered_scale_down", Fail, &[]);
    }

    #[test]
    fn deleting_the_set_is_no_scaling() {
        History::created()
            .deletion_requested(0)
            .deletion_requested(1)
            .deleted(0)
            .deleted(1)
            .end()
            .assert("ordered_scale_down", Inconclusive, &[]);
    }

    #[test]
    fn a_scale_down_that_is_not_finished_shows_nothing() {
        History::created().scale(1).down(2).deletion_requested(1).end().assert(
            "ordered_scale_down",
            Inconclusive,
            &[],
        );
    }

    /// Catches a point that is lost by `kubectl drain`, and one that is given for what the set did
    /// before the eviction.
    #[test]
    fn an_eviction_is_not_the_sets_doing() {
        let begun = || History::created().scale(1).deletion_requested(2);
        let drained = begun().evicted(1).deletion_requested(1).deleted(2).deleted(1);
        drained.clone().end().assert("ordered_scale_down", Inconclusive, &[]);
        let again = drained.scale(3).claim(1).up(1).claim(2).up(2).scale(1).down(2).down(1);
        again.end().assert("ordered_scale_down", Pass, &[]);
        begun().deletion_requested(1).evicted(1).deleted(2).deleted(1).end().assert(
            "ordered_scale_down",
            Fail,
            &[],
        );
    }

    /// Catches a submission that is told to ask for an order that it asks for.
    #[test]
    fn a_pod_that_somebody_deletes_before_its_turn_is_told_so() {
        let told = |policy: &str| {
            let mut history = History::new();
            history.spec.pod_management_policy = policy.to_owned();
            let begun = history.create().scale(1).deletion_requested(2).deletion_requested(1);
            let verdict = begun.deleted(2).deleted(1).end().verdict("ordered_scale_down");
            let told = verdict.criteria.into_iter().find_map(|it| match it.standing {
                Standing::Broken { actual, .. } => Some(actual),
                _ => None,
            });
            told.unwrap_or_default()
        };
        assert_eq!(
            told("OrderedReady"),
            "web-1 was Terminating 1.0 s before web-2 was gone: not the set's controller, but \
            somebody else, deleted web-1"
        );
        assert_eq!(told("Parallel"), "web-1 was Terminating 1.0 s before web-2 was gone");
    }

    /// Catches a point that is lost by a node under pressure, whose kubelet sets no condition.
    #[test]
    fn an_eviction_by_the_kubelet_is_not_the_sets_doing() {
        for reason in ["Evicted", "NodeLost", "Terminated"] {
            let begun = History::created().scale(1).deletion_requested(2);
            let evicted = begun.pod(1, ObjectChange::Modified, |pod| {
                pod.status.phase = "Failed".to_owned();
                pod.status.reason = reason.to_owned();
            });
            let gone = evicted.deletion_requested(1).deleted(2).deleted(1);
            gone.end().assert("ordered_scale_down", Inconclusive, &[]);
        }
    }

    #[test]
    fn a_pod_asked_to_go_around_the_change_may_have_been_asked_by_somebody_else() {
        let around = History::created().pods_gap(|it| it.scale(1).deletion_requested(1));
        let around = around.deleted(1).down(2).end();
        around.assert("ordered_scale_down", Inconclusive, &[]);
        // The watch tells surely that web-2 went later.
        assert_eq!(
            unseen(&around),
            "whether the deletion of web-1 was requested before or after the replicas changed \
            cannot be seen"
        );
        let after = History::created()
            .scale(1)
            .pod(0, ObjectChange::Modified, |_| {})
            .pods_gap(|it| it.deletion_requested(1));
        after.deleted(1).down(2).end().assert("ordered_scale_down", Fail, &[]);
        let between = History::created()
            .scale(1)
            .deletion_requested(2)
            .pods_gap(|it| it.deleted(2).deletion_requested(1));
        let between = between.deleted(1).end();
        between.assert("ordered_scale_down", Inconclusive, &[]);
        assert_eq!(
            unseen(&between),
            "the watch on pods has a gap between web-2 going away and the request to delete web-1"
        );
    }
}
