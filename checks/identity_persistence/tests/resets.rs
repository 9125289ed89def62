//! Pods that somebody resets: deletes together with their PVCs.

use crate::model::{
    Outcome::{Fail, Inconclusive, Pass},
    observation::ObjectChange,
    testing::history::History,
};

/// Catches a pod that is reset, its PVC with it, after another one's replacement has shown all.
#[test]
fn a_reset_takes_nothing_from_what_was_shown() {
    let reset = |history: History, ordinal| {
        let gone = history.down(ordinal).claim_line(ordinal, ObjectChange::Deleted, |_| {});
        gone.up(ordinal).inspect_one(ordinal)
    };
    let whole = |history: History| history.down(1).up(1).inspect_one(1);
    reset(whole(History::created()), 2).end().assert("identity_persistence", Pass, &[]);
    whole(reset(History::created(), 2)).end().assert("identity_persistence", Pass, &[]);
    reset(whole(History::created()), 1).end().assert("identity_persistence", Pass, &[]);
    reset(History::created(), 2).end().assert("identity_persistence", Inconclusive, &[]);
    // One that nobody read before it was reset may have lost what it had.
    let unread = whole(History::created()).down(2).up(2);
    reset(unread, 2).end().assert("identity_persistence", Inconclusive, &[]);
    // So may one that came between, and never was Ready.
    let between = whole(History::created()).down(2).add(2);
    reset(between, 2).end().assert("identity_persistence", Inconclusive, &[]);
}

/// Catches a loss that was seen, and that resetting the pod and showing another one make up for.
#[test]
fn a_reset_hides_no_loss() {
    let mut history = History::new();
    history.writes = |ordinal, there, start| {
        Some(match there {
            Some(there) if (ordinal, start) != (2, 2) => there.to_owned(),
            _ => format!("web-{ordinal} {start:02}:04:05\n"),
        })
    };
    let lost = history.create().inspect().down(1).up(1).inspect_one(1).down(2).up(2).inspect_one(2);
    let gone = lost.down(2).claim_line(2, ObjectChange::Deleted, |_| {}).up(2).inspect_one(2);
    let shown = gone.down(1).up(1).inspect_one(1).down(2).up(2).inspect_one(2);
    shown.end().assert("identity_persistence", Fail, &["overwritten_at_start"]);
}
