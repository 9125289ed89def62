//! A log of which the app keeps the newest lines.

use super::{Start, date, letters, one, toured, usual};
use crate::model::{Standing, Unreadable, testing::history::History};

/// Each start goes on with a log whose newest lines were written at these seconds, before that start
/// and from it on; the first start finds none.
fn log(before: &'static [i64], after: &'static [i64]) -> History {
    let moments = move |it: Start| {
        let earlier = before.iter().filter(move |_| !it.is_first());
        earlier.chain(after).map(move |seconds| it.at + seconds)
    };
    let lines = move |it: Start| {
        let lines = moments(it).map(|at| format!("{} {}\n", date(at), it.name()));
        one("log", lines.collect::<String>())
    };
    toured(usual, lines, move |it, _| moments(it).max())
}

/// Catches a Fail for a log of which the app itself drops the oldest lines, and a Pass where only
/// the times in the lines tell that, which a start can write, too.
#[test]
fn a_log_that_went_on_leaves_it_undecided() {
    for (before, after) in [
        (&[-12, -11, -10][..], &[0, 1, 2][..]),
        // One line of the pod before is left. It was read early, or late.
        (&[-5], &[0, 1]),
        (&[-12, -10], &[0]),
    ] {
        let history = log(before, after);
        assert_eq!(letters(&history), "PII", "{before:?} {after:?}");
        let criteria = history.verdict("identity_persistence").criteria;
        let is_told = |it: &Standing| {
            matches!(it, Standing::Unseen { why, unreadable: Some(Unreadable::BoundedLog), .. }
                if why == "log holds newer lines of the pod before, and none of those that were read")
        };
        assert!(criteria.iter().any(|it| is_told(&it.standing)), "{criteria:?}");
    }
}

/// Catches that a start which writes several times, or a stop that writes over the file, passes for
/// a log.
#[test]
fn what_a_start_or_a_stop_writes_is_no_log() {
    assert_eq!(letters(&log(&[], &[0, 1, 2])), "PFF", "three lines at each start");
    assert_eq!(letters(&log(&[-5], &[0])), "PFF", "one line at each stop, one at each start");
    // A start writes a time from before, as that of a build: each has the same.
    let built = |it: Start| {
        let lines = [date(super::BASE - 700), date(super::BASE - 300), date(it.at)];
        one("log", lines.map(|at| format!("{at} {}\n", it.name())).concat())
    };
    assert_eq!(letters(&toured(usual, built, |it, _| Some(it.at))), "PFF");
}
