//! Pods are created one at a time, in order.

use crate::mistakes;
use crate::{
    Check,
    mistakes::Section,
    model::{ShownBy, Standing, Timeline, Verdict, Wanted},
};

pub(crate) const CHECK: Check = Check {
    id: "sequential_creation",
    test: 2,
    title: "Sequential Creation",
    lab_words: "When you create the StatefulSet, pods are created one at a time in order (0, then \
        1, then 2).",
    why: "The first pod is often the one that the others join: it must be Ready before they \
        start.",
    remedy: "Leave `podManagementPolicy` at its default, OrderedReady, and let each pod become \
        Ready.",
    read: &[Section::OrderedCreation],
    points: 10,
    criteria: &["rise_from_nothing", "ordered_ready", "ready_before_next"],
    shown_by: ShownBy::ScaleUpFromNone,
    judge,
};

/// Passes when, in every scale-up from nothing to at least two pods, each pod is Ready before the
/// next is added, and one scale-up was seen from its beginning to its end. The set's
/// `podManagementPolicy` must ask for that order.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    timeline.judge_policy(&mut verdict);
    let mut is_shown = false;
    for scale_up in
        timeline.scale_ups().filter(|it| it.scale.from == 0 && !it.scale.moves_one_pod())
    {
        is_shown |= timeline.shows_order(&scale_up);
        timeline.judge_scale_up(&mut verdict, &scale_up);
    }
    if !is_shown {
        let text = "the pods were seen to be created from nothing";
        let standing = match timeline.not_shown(Wanted::ScaleUpFromNone) {
            Standing::NotShown { .. } if timeline.ordinals().len() == 1 => {
                Standing::broken("pods that come one after the other", "replicas: 1")
            }
            other => other,
        };
        verdict.push("rise_from_nothing", text, standing, []).because(&mistakes::TOO_FEW_REPLICAS);
    }
    verdict
}

#[cfg(test)]
mod tests {
    use crate::model::{
        Outcome::{Fail, Inconclusive, Pass},
        observation::ObjectChange,
        testing::history::History,
    };

    #[test]
    fn one_after_the_other_passes() {
        History::created().end().assert("sequential_creation", Pass, &[]);
    }

    #[test]
    fn all_at_once_fails_by_parallel() {
        let mut history = History::new();
        history.spec.pod_management_policy = "Parallel".to_owned();
        let history = history
            .service()
            .set(ObjectChange::Added)
            .subject()
            .claim(0)
            .claim(1)
            .claim(2)
            .add(0)
            .add(1)
            .add(2)
            .ready(0)
            .ready(1)
            .ready(2)
            .end();
        history.assert("sequential_creation", Fail, &["parallel"]);
    }

    #[test]
    fn parallel_fails_even_where_nothing_was_seen() {
        let mut history = History::new();
        history.spec.pod_management_policy = "Parallel".to_owned();
        history
            .service()
            .set(ObjectChange::Listed)
            .subject()
            .listed(0)
            .listed(1)
            .listed(2)
            .end()
            .assert("sequential_creation", Fail, &["parallel"]);
    }

    /// Catches "nobody scaled it from 0" of somebody who did, to one pod.
    #[test]
    fn one_pod_from_none_is_told_as_such() {
        let stood = History::new().service().set(ObjectChange::Listed).subject();
        let stood = stood.listed(0).listed(1).listed(2);
        let none = stood.scale(0).down(2).down(1).down(0);
        let verdict = none.scale(1).up(0).scale(3).up(1).up(2).end().verdict("sequential_creation");
        let told = format!("{:?}", verdict.criteria);
        assert!(told.contains("`replicas` went from 0 to 1"), "{told}");
    }

    #[test]
    fn one_pod_alone_has_no_order() {
        let mut history = History::new();
        history.spec.replicas = Some(1);
        history.service().set(ObjectChange::Added).subject().up(0).end().assert(
            "sequential_creation",
            Fail,
            &["too_few_replicas"],
        );
    }

    #[test]
    fn a_pod_re_made_after_a_failure_is_not_a_new_one() {
        let history = History::new()
            .service()
            .set(ObjectChange::Added)
            .subject()
            .claim(0)
            .add(0)
            .down(0)
            .up(0)
            .up(1)
            .up(2)
            .end();
        history.assert("sequential_creation", Pass, &[]);
    }

    #[test]
    fn a_pod_that_was_ready_once_before_counts() {
        // kubernetes#41889: the controller acts on its cache, so the next pod may come just after
        // the one before went unready again.
        let history = History::new()
            .service()
            .set(ObjectChange::Added)
            .subject()
            .up(0)
            .unready(0)
            .claim(1)
            .add(1)
            .ready(0)
            .ready(1)
            .up(2)
            .end();
        history.assert("sequential_creation", Pass, &[]);
    }

    #[test]
    fn adopted_pods_show_nothing() {
        let orphan = |history: History, ordinal| {
            history
                .claim(ordinal)
                .add_as(ordinal, ObjectChange::Added, |pod| pod.metadata.owner_references.clear())
                .ready(ordinal)
        };
        let owner = |pod: &mut crate::model::observation::object::Pod| {
            pod.metadata.owner_references =
                vec![crate::model::observation::object::OwnerReference {
                    kind: "StatefulSet".to_owned(),
                    uid: "set".to_owned(),
                    controller: true,
                    ..Default::default()
                }];
        };
        let history = [0, 1, 2]
            .into_iter()
            .fold(History::new().service(), orphan)
            .set(ObjectChange::Added)
            .subject();
        let adopted = [0, 1, 2]
            .into_iter()
            .fold(history, |history, ordinal| history.pod(ordinal, ObjectChange::Modified, owner));
        adopted.end().assert("sequential_creation", Inconclusive, &[]);
    }

    #[test]
    fn one_pod_alone_shows_no_order() {
        let standing = History::new()
            .service()
            .set(ObjectChange::Listed)
            .subject()
            .listed(0)
            .listed(1)
            .listed(2);
        standing.scale(0).down(2).down(1).down(0).scale(1).up(0).end().assert(
            "sequential_creation",
            Inconclusive,
            &[],
        );
    }

    #[test]
    fn the_default_policy_need_not_be_named() {
        let mut history = History::new();
        history.spec.pod_management_policy.clear();
        history.create().end().assert("sequential_creation", Pass, &[]);
    }
}
