//! The whole verdict on whole histories; what each check makes of its own cases stands in its own
//! file.

use crate::model::{
    Outcome::{Fail, Inconclusive, Pass},
    observation::{Fact, ObjectChange, Phase, StepName, Subject},
    testing::history::{History, deleting_when_scaled},
};

#[test]
fn the_tour_of_a_good_submission_passes() {
    assert_eq!(History::toured().letters(), "PPPPPPPPPP");
}

#[test]
fn a_set_that_stood_before_passes_by_a_restart_from_nothing() {
    let standing = History::new()
        .service()
        .set(ObjectChange::Listed)
        .subject()
        .listed(0)
        .listed(1)
        .listed(2)
        .inspect();
    let toured = standing
        .step(StepName::Replace)
        .down(1)
        .up(1)
        .inspect_one(1)
        .done(StepName::Replace)
        .scale(5)
        .up(3)
        .up(4)
        .inspect_one(3)
        .inspect_one(4);
    let toured = toured
        .scale(0)
        .down(4)
        .down(3)
        .down(2)
        .down(1)
        .down(0)
        .scale(3)
        .up(0)
        .up(1)
        .up(2)
        .inspect()
        .end();
    assert_eq!(toured.letters(), "PPPPPPPPPP");
}

#[test]
fn nothing_done_fails_everything() {
    let nothing = |others: &[&str]| {
        let subject = Subject {
            namespace: "lab".to_owned(),
            others: others.iter().map(|it| (*it).to_owned()).collect(),
            ..Subject::default()
        };
        History::new().push(Fact::Subject(subject)).end()
    };
    assert_eq!(nothing(&[]).letters(), "FFFFFFFFFF");
    assert_eq!(nothing(&["Deployment web"]).letters(), "FFFFFFFFFF");
}

#[test]
fn a_set_that_nobody_exercised_is_undecided() {
    let standing = History::new()
        .service()
        .set(ObjectChange::Listed)
        .subject()
        .listed(0)
        .listed(1)
        .listed(2)
        .inspect()
        .end();
    assert_eq!(standing.letters(), "PIPPPIIIII");
}

#[test]
fn a_second_start_that_crashes_blocks_what_needs_it() {
    let crashed = History::created()
        .step(StepName::Replace)
        .down(1)
        .add(1)
        .crashed(1, 1)
        .crashed(1, 2)
        .crashed(1, 3)
        .crashed(1, 4)
        .step_ended(StepName::Replace, Phase::Stuck);
    let deleted = crashed.scale(0).down(2).down(1).down(0).end();
    assert_eq!(deleted.letters(), "PPPPPFFPPF");
    let verdict = deleted.verdict("identity_persistence");
    assert_eq!(
        verdict.blocked_by().map(|it| (it.id, it.who.as_str())),
        Some(("container_ends", "web-1"))
    );
}

#[test]
fn ready_for_a_moment_at_each_start_is_not_coming_back() {
    let moment = History::created()
        .step(StepName::Replace)
        .down(1)
        .add(1)
        .crashed(1, 1)
        .restarted(1)
        .done(StepName::Replace);
    let stuck = moment
        .scale(5)
        .step(StepName::ScaleUp)
        .crashed(1, 4)
        .step_ended(StepName::ScaleUp, Phase::Stuck);
    let deleted = stuck
        .scale(0)
        .down(2)
        .down(1)
        .down(0)
        .scale(3)
        .up(0)
        .add(1)
        .restarted(1)
        .crashed(1, 1)
        .end();
    assert_eq!(deleted.letters(), "PPPPPFFPPF");
}

/// A container that runs for `seconds` and ends, again and again, as the watch shows it: a start,
/// and an end, `starts` times.
fn ends_after(
    history: History,
    ordinal: i32,
    seconds: u32,
    starts: std::ops::Range<i32>,
) -> History {
    starts.fold(history, |history, start| {
        let running = if start == 0 { history } else { history.runs(ordinal, start, 100 * start) };
        (1..seconds).fold(running, |history, _| history.tick()).ends(
            ordinal,
            start,
            100 * start,
            seconds,
        )
    })
}

#[test]
fn what_ends_again_and_again_has_never_come_up() {
    // The whole tour is done within the first runs: each pod was Ready when it was asked for.
    let mut toured = History::toured();
    toured.lines.pop();
    let letters = |history: History| history.end().letters();
    assert_eq!(letters(ends_after(toured.clone(), 0, 5, 0..5)), "FFFFFFFFFF");
    assert_eq!(
        letters(ends_after(toured.clone(), 2, 25, 0..5)),
        "FFFFFFFFFF",
        "one of three pods is enough"
    );
    // Ready again for a moment, and asked for nothing more.
    assert_eq!(letters(ends_after(toured.clone(), 0, 5, 0..5).runs(0, 5, 500)), "FFFFFFFFFF");
    // A pod that only a scaling asked for may end for its ordinal.
    assert_eq!(letters(ends_after(toured.clone(), 4, 5, 0..5)), "PPPPPPPPPF");
}

#[test]
fn a_few_starts_and_then_staying_is_fair() {
    let mut toured = History::toured();
    toured.lines.pop();
    let tried = ends_after(toured, 0, 5, 0..2).runs(0, 2, 200);
    // It has not run for longer than before: nobody knows.
    let soon = (0..4).fold(tried.clone(), |history, _| history.tick());
    assert_eq!(soon.end().letters(), "IIIIIIIIII");
    let later = (0..8).fold(tried, |history, _| history.tick());
    assert_eq!(later.end().letters(), "PPPPPPPPPP");
}

/// Catches a letter that depends on when somebody looked: once a run of a minute has ended, nothing
/// counts until it shows whether the container stays up.
#[test]
fn a_loop_of_a_minute_is_told_by_no_moment_of_ready() {
    let mut toured = History::toured();
    toured.lines.pop();
    let standing = toured.lines.len();
    let looped = ends_after(toured, 0, 60, 0..5);
    let first_end = standing + 60;
    for length in (first_end..looped.lines.len()).step_by(13).chain([looped.lines.len()]) {
        let mut seen = looped.clone();
        seen.lines.truncate(length);
        let letters = seen.end().letters();
        let expected = if length == looped.lines.len() { "FFFFFFFFFF" } else { "IIIIIIIIII" };
        assert_eq!(letters, expected, "after {} s", length - standing);
    }
}

/// Catches a fair container that is not given as long as its runs that ended took.
#[test]
fn two_runs_of_three_quarters_of_a_minute_and_then_staying_is_fair() {
    let mut toured = History::toured();
    toured.lines.pop();
    let tried = ends_after(toured, 0, 45, 0..2).runs(0, 2, 200);
    for (seconds, letters) in [(40, "IIIIIIIIII"), (48, "PPPPPPPPPP")] {
        let later = (0..seconds).fold(tried.clone(), |history, _| history.tick());
        assert_eq!(later.end().letters(), letters, "after {seconds} s");
    }
}

#[test]
fn what_ends_only_when_it_comes_back_costs_what_needs_that() {
    let replaced = ends_after(
        History::created()
            .step(StepName::Replace)
            .down(1)
            .up(1)
            .inspect_one(1)
            .done(StepName::Replace),
        1,
        5,
        0..5,
    );
    let deleted = replaced
        .clone()
        .scale(5)
        .step(StepName::ScaleUp)
        .step_ended(StepName::ScaleUp, Phase::Stuck)
        .scale(0)
        .down(2)
        .down(1)
        .down(0);
    assert_eq!(deleted.clone().end().letters(), "PPPPPFFPPF");
    // Others that come back are up when they have run for longer.
    let back = deleted.scale(3).up(0).inspect_one(0);
    assert_eq!(back.clone().end().verdict("pvc_reuse").outcome(), Inconclusive);
    assert_eq!(
        (0..8).fold(back, |history, _| history.tick()).end().verdict("pvc_reuse").outcome(),
        Pass
    );
}

#[test]
fn a_pod_that_had_to_go_before_it_stayed_up_shows_nothing() {
    let again =
        ends_after(History::created().down(1).up(1).inspect_one(1), 1, 5, 0..1).runs(1, 1, 100);
    let deleted = again.down(1).up(1).inspect_one(1);
    // What it left open, its successor must show.
    assert_eq!(deleted.clone().end().letters(), "PPPPPIIIII");
    let later = (0..8).fold(deleted, |history, _| history.tick());
    assert_eq!(later.end().letters(), "PPPPPPIIII");
}

#[test]
fn evidence_of_a_crash_loop_from_before_the_last_change_counts_not() {
    let mut crashing = ends_after(History::created(), 0, 5, 0..5);
    crashing.spec.min_ready_seconds = 1;
    let mended = crashing.set(ObjectChange::Modified).down(0).up(0).inspect().end();
    assert_eq!(mended.letters(), "PIPPPPIIII");
}

#[test]
fn evidence_from_before_the_last_change_of_the_submission_counts_neither_way() {
    let mut history = History::created();
    history.spec.min_ready_seconds = 1;
    let changed = history.set(ObjectChange::Modified).end();
    assert_eq!(changed.verdict("sequential_creation").outcome(), Inconclusive);
}

#[test]
fn what_follows_the_end_is_not_judged() {
    let restored = History::toured().claim_line(4, ObjectChange::Deleted, |_| {}).claim_line(
        3,
        ObjectChange::Deleted,
        |_| {},
    );
    assert_eq!(restored.letters(), "PPPPPPPPPP");
}

#[test]
fn no_end_leaves_retention_undecided() {
    let mut torn = History::toured();
    torn.lines.pop();
    assert_eq!(torn.letters(), "PPPPPPPPIP");
}

#[test]
fn claims_deleted_when_scaled_fail_retention_and_reuse() {
    let mut history = deleting_when_scaled().create().inspect();
    history =
        history.down(1).up(1).inspect_one(1).scale(5).up(3).up(4).inspect_one(3).inspect_one(4);
    let owned_by_pod = |claim: &mut crate::model::observation::object::PersistentVolumeClaim| {
        claim.metadata.owner_references = vec![crate::model::observation::object::OwnerReference {
            kind: "Pod".to_owned(),
            ..Default::default()
        }];
    };
    history = history.scale(3).claim_line(3, ObjectChange::Modified, owned_by_pod).claim_line(
        4,
        ObjectChange::Modified,
        owned_by_pod,
    );
    history = history.down(4).down(3).claim_line(3, ObjectChange::Deleted, |_| {}).claim_line(
        4,
        ObjectChange::Deleted,
        |_| {},
    );
    history = history.scale(5).up(3).up(4).inspect_one(3).inspect_one(4).end();
    assert_eq!(history.letters(), "PPPPPPPPFF");
    history.assert("pvc_retention", Fail, &["when_scaled_delete"]);
    history.assert("pvc_reuse", Fail, &["when_scaled_delete"]);
}

#[test]
fn a_gap_costs_only_what_it_hides() {
    let hidden_order = History::new()
        .service()
        .set(ObjectChange::Added)
        .subject()
        .claim(0)
        .add(0)
        .pods_gap(|it| it.ready(0).up(1))
        .up(2)
        .inspect()
        .tour();
    assert_eq!(hidden_order.letters(), "PIPPPPPPPP");
    let seen_before = History::new()
        .service()
        .set(ObjectChange::Added)
        .subject()
        .up(0)
        .pods_gap(|it| it.up(1))
        .up(2)
        .inspect()
        .tour();
    assert_eq!(seen_before.letters(), "PPPPPPPPPP");
}

#[test]
fn a_watched_violation_stays_one_whatever_gap_follows() {
    let history = History::new()
        .service()
        .set(ObjectChange::Added)
        .subject()
        .claim(0)
        .claim(1)
        .add(0)
        .add(1)
        .ready(0)
        .pods_gap(|it| it.ready(1))
        .up(2)
        .inspect()
        .tour();
    assert_eq!(history.verdict("sequential_creation").outcome(), Fail);
    assert_eq!(history.verdict("ordered_scale_up").outcome(), Pass);
}

#[test]
fn a_line_of_the_set_may_come_after_its_first_pod() {
    // Pods and the set are two watches: the pod's line may stand before the line of the change that
    // caused it.
    let mut history = History::created().up(3);
    history.spec.replicas = Some(5);
    let history = history.set(ObjectChange::Modified).up(4).end();
    assert_eq!(history.verdict("ordered_scale_up").outcome(), Pass);
}

#[test]
fn a_change_that_is_superseded_shows_nothing_by_itself() {
    let history = History::created().scale(6).up(3).scale(4).end();
    assert_eq!(history.verdict("ordered_scale_up").outcome(), Inconclusive);
    assert_eq!(history.verdict("ordered_scale_down").outcome(), Inconclusive);
}

#[test]
fn who_cleans_up_at_the_end_loses_nothing() {
    let mut worked = History::toured();
    worked.lines.pop();
    let mut history = worked.service_gone().set_gone();
    for ordinal in 0..5 {
        history = history.down(ordinal);
    }
    for ordinal in 0..5 {
        history = history.claim_line(ordinal, ObjectChange::Deleted, |_| {});
    }
    assert_eq!(history.end().letters(), "PPPPPPPPPP");
    // What was never shown stays to be tried, and nobody is blamed for the clean-up.
    let not_shown = History::created().set_gone().down(0).down(1).down(2).end();
    assert_eq!(not_shown.letters(), "PPPPPIIIII");
    assert!(not_shown.verdict("ordered_scale_up").blocked_by().is_none());
}
