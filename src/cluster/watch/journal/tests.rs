use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use checks::model::{
    Fact, Timeline, WaitStatus,
    observation::{End, Phase, Step, StepName, Subject},
};

use crate::cluster::Failure;
use crate::cluster::watch::journal::{Awaiting, Culprit, Journal, WaitResult, WatchOutage};
use crate::recording::{AskedOptions, Header};

fn journal() -> Journal {
    Journal::unkept(&Header::now("v1", "lab", AskedOptions::default()))
}

fn subject(namespace: &str) -> Fact {
    Fact::Subject(Subject { namespace: namespace.to_owned(), ..Subject::default() })
}

fn is_named(namespace: &'static str) -> impl Fn(&Timeline) -> WaitStatus {
    move |timeline| {
        if timeline.namespace() == namespace {
            WaitStatus::Done
        } else {
            WaitStatus::Awaited(format!("{namespace}, not {}", timeline.namespace()))
        }
    }
}

const LONG: Duration = Duration::from_secs(60);

/// Catches a wake-up that is lost between asking and waiting: with threads, and many times.
#[tokio::test]
async fn no_line_is_missed_by_who_waits() {
    let journal = journal();
    for _ in 0..2000 {
        journal.push(subject("a"));
        let pusher = journal.clone();
        let pushing = thread::spawn(move || pusher.push(subject("b")));
        assert_eq!(journal.wait(LONG, is_named("b")).await, WaitResult::Done);
        pushing.join().unwrap();
    }
}

/// Catches a wait that asks on a timer (or the cluster) and not after each line.
#[tokio::test(start_paused = true)]
async fn it_asks_once_and_after_each_line() {
    let journal = journal();
    let asked = Arc::new(AtomicUsize::new(0));
    let ask = {
        let asked = Arc::clone(&asked);
        move |_: &Timeline| {
            asked.fetch_add(1, Ordering::Relaxed);
            WaitStatus::Awaited("it".to_owned())
        }
    };
    let counted = || asked.load(Ordering::Relaxed);
    let lines = async {
        for _ in 0..3 {
            let before = counted();
            journal.push(subject("a"));
            while counted() == before {
                tokio::task::yield_now().await;
            }
        }
    };
    let (waited, ()) = tokio::join!(journal.wait(LONG, ask), lines);
    assert_eq!(waited, WaitResult::TimedOut { awaited: "it".to_owned() });
    assert_eq!(counted(), 4, "once, and after each line");
}

/// Catches a display that keeps telling what is no longer awaited, also when the wait is cut short.
#[tokio::test(start_paused = true)]
async fn the_display_hears_what_is_awaited_and_that_it_is_over() {
    let journal = journal();
    let mut shown = journal.awaiting();
    let cut = tokio::time::timeout(Duration::from_secs(1), journal.wait(LONG, is_named("b")));
    let (cut, seen) =
        tokio::join!(cut, async { shown.wait_for(Option::is_some).await.unwrap().clone() });
    assert!(cut.is_err());
    assert!(matches!(seen, Some(Awaiting { what, at_most: LONG, .. }) if what == "b, not "));
    assert_eq!(*shown.borrow_and_update(), None);
    let _ = journal.wait_quietly(Duration::from_secs(1), is_named("b")).await;
    assert!(!shown.has_changed().unwrap());
}

/// Catches restoring that changes the report, and a restore that waits on a timeline that stands
/// still.
#[tokio::test]
async fn after_the_end_only_the_live_timeline_goes_on() {
    let journal = journal();
    journal.push(subject("a"));
    journal.push(Fact::End(End::default()));
    let digest = journal.digest();
    journal.push(subject("b"));
    assert_eq!(journal.wait(LONG, is_named("b")).await, WaitResult::Done);
    assert_eq!(journal.judged(|it| it.namespace().to_owned()), "a");
    assert_eq!(journal.digest(), digest);
}

/// Catches doubled and missing numbers when many parts write at once.
#[test]
fn numbers_are_dense_when_many_write_at_once() {
    let journal = journal();
    let step = || Fact::Step(Step::new(StepName::WaitUntilSettled, Phase::Begin));
    let mut seqs: Vec<u64> = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..500).map(|_| journal.push(step())).collect::<Vec<_>>()))
            .collect();
        writers.into_iter().flat_map(|it| it.join().unwrap()).collect()
    });
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=2000).collect::<Vec<_>>());
    assert_eq!(*journal.lines().borrow(), 2000);
}

/// Catches an API server that is blamed for a credential plugin that fails, and a reason that is
/// not told.
#[test]
fn a_plugin_that_fails_is_told_as_the_culprit() {
    let began = Instant::now();
    let failure =
        Failure::new("credential_plugin", "the credential plugin x failed", "").because("sso down");
    let outage = WatchOutage::of(&kube::Error::Service(Box::new(failure)), began);
    assert_eq!(
        (outage.why.as_str(), outage.culprit),
        ("the credential plugin x failed: sso down", Culprit::CredentialPlugin)
    );
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let outage = WatchOutage::of(&kube::Error::Service(Box::new(refused)), began);
    assert_eq!((outage.why.as_str(), outage.culprit), ("connection refused", Culprit::Server));
}
