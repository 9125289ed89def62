//! Pods are added one at a time, lowest ordinal first.

use crate::{
    Check,
    mistakes::Section,
    model::{ShownBy, Timeline, Verdict, Wanted},
};

pub(crate) const CHECK: Check = Check {
    id: "ordered_scale_up",
    test: 7,
    title: "Ordered Scaling Up",
    lab_words: "When you scale up, new pods are created sequentially in order.",
    why: "A new member joins a system whose older members are all there.",
    remedy: "Leave `podManagementPolicy` at its default, OrderedReady, and let each pod become \
        Ready.",
    read: &[Section::OrderedScaling],
    points: 10,
    criteria: &["scaled_up", "ordered_ready", "ready_before_next"],
    shown_by: ShownBy::ScaleUp,
    judge,
};

/// Passes when, in every scale-up of at least two pods from one or more, each pod is Ready before
/// the next is added, and one scale-up of pods that were up was seen from its beginning to its end.
/// The set's `podManagementPolicy` must ask for that order.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    timeline.judge_policy(&mut verdict);
    let mut is_shown = false;
    for scale_up in
        timeline.scale_ups().filter(|it| it.scale.from >= 1 && !it.scale.moves_one_pod())
    {
        is_shown |= timeline.shows_order(&scale_up);
        timeline.judge_scale_up(&mut verdict, &scale_up);
    }
    if !is_shown {
        verdict.push(
            "scaled_up",
            "at least two pods were seen to be added",
            timeline.not_shown(Wanted::ScaleUp),
            [],
        );
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
        History::created().scale(5).up(3).up(4).end().assert("ordered_scale_up", Pass, &[]);
    }

    /// Catches a letter by chance: a pod that came back and ends at once is Ready until the kubelet
    /// has heard of that, and the controller may go on or not.
    #[test]
    fn a_scale_up_by_a_moment_of_ready_shows_nothing() {
        let ends = |seconds: u32| {
            let came_back = History::created().down(1).up(1).runs(1, 0, 10).scale(5);
            let first = came_back.up(3).ends(1, 0, 10, seconds).up(4);
            (1..4).fold(first, |history, start| {
                let since = 10 + start * 40;
                history.runs(1, start, since).ends(1, start, since, seconds)
            })
        };
        ends(0).crashed(1, 4).end().assert("ordered_scale_up", Fail, &[]);
        ends(20).crashed(1, 4).end().assert("ordered_scale_up", Pass, &[]);
    }

    #[test]
    fn a_scale_up_of_one_pod_shows_no_order() {
        History::created().scale(4).up(3).end().assert("ordered_scale_up", Inconclusive, &[]);
    }

    #[test]
    fn two_at_once_fail() {
        History::created().scale(5).claim(3).claim(4).add(3).add(4).ready(3).ready(4).end().assert(
            "ordered_scale_up",
            Fail,
            &[],
        );
    }

    #[test]
    fn before_the_pod_below_is_ready_fails() {
        let history = History::created()
            .down(2)
            .add(2)
            .scale(5)
            .claim(3)
            .add(3)
            .ready(2)
            .ready(3)
            .up(4)
            .end();
        // web-2 was Ready once in its first life, but the one that stands was not.
        history.assert("ordered_scale_up", Fail, &[]);
    }

    #[test]
    fn a_scale_up_whose_last_pod_is_not_ready_shows_nothing() {
        History::created().scale(5).up(3).claim(4).add(4).end().assert(
            "ordered_scale_up",
            Inconclusive,
            &[],
        );
        // Nor where that pod was Ready before it was removed.
        let mut standing = (0..5).fold(History::new().service(), History::listed);
        standing.spec.replicas = Some(5);
        let again = standing
            .set(ObjectChange::Listed)
            .subject()
            .scale(3)
            .down(4)
            .down(3)
            .scale(5)
            .up(3)
            .add(4);
        again.clone().end().assert("ordered_scale_up", Inconclusive, &[]);
        again.ready(4).end().assert("ordered_scale_up", Pass, &[]);
    }
}
