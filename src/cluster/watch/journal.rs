//! The journal of a running grade: the one place where all its parts write down what they see.
//!
//! It numbers and times each observation, appends it to the recording, folds it into the timeline,
//! and wakes whoever waits. A wait asks the timeline again after each line, and never the cluster.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use checks::model::{Fact, Observation, Obstacle, Seq, Timeline, WaitStatus};
use tokio::sync::watch;

use crate::{
    cluster::{
        Failure,
        client::{
            error_chain::{chain, links},
            failure_id,
        },
    },
    console::sanitize::sanitize,
    recording::{Header, Writer, mask::mask_observation},
};

/// What is awaited: for a display of progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaiting {
    /// In words.
    pub what: String,
    /// When the waiting began.
    pub since: Instant,
    /// How long it lasts at most.
    pub at_most: Duration,
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitResult {
    /// What was awaited is there.
    Done,
    /// It will not come.
    Stuck(Obstacle),
    /// It did not come in time.
    TimedOut {
        /// What was still awaited.
        awaited: String,
    },
}

/// The journal. Clones are the same journal.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    started: Instant,
    state: Mutex<State>,
    pushed: watch::Sender<Seq>,
    awaiting: watch::Sender<Option<Awaiting>>,
    outage: watch::Sender<Option<WatchOutage>>,
}

/// What keeps the watches from going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOutage {
    /// Since when.
    pub since: Instant,
    /// What was said last.
    pub why: String,
    /// What is to blame.
    pub culprit: Culprit,
}

/// What is to blame for an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// The API server, or the way to it.
    Server,
    /// The kubeconfig's credential plugin.
    CredentialPlugin,
}

impl WatchOutage {
    /// What an error of a request means.
    pub(crate) fn of(error: &kube::Error, since: Instant) -> Self {
        let failure = links(error).find_map(|it| it.downcast_ref::<Failure>());
        match failure {
            Some(failure) if is_of_plugin(failure) => {
                let mut why = failure.what.clone();
                for line in &failure.detail {
                    why = format!("{why}: {line}");
                }
                Self { since, why: sanitize(&why), culprit: Culprit::CredentialPlugin }
            }
            _ => Self::of_server(sanitize(&chain(error)), since),
        }
    }

    /// The API server does not answer.
    pub(crate) const fn of_server(why: String, since: Instant) -> Self {
        Self { since, why, culprit: Culprit::Server }
    }
}

fn is_of_plugin(failure: &Failure) -> bool {
    [failure_id::CREDENTIAL_PLUGIN, failure_id::NO_CREDENTIAL_PLUGIN].contains(&failure.id)
}

struct State {
    writer: Writer,
    /// What is judged: it takes nothing more after the end.
    judged: Timeline,
    /// What waits ask: restoring waits too, after the end.
    live: Timeline,
    seq: Seq,
}

impl Journal {
    /// Begins now, writing to a recording whose header is written already.
    #[must_use]
    pub fn start(writer: Writer) -> Self {
        let state =
            State { writer, judged: Timeline::default(), live: Timeline::default(), seq: 0 };
        Self(Arc::new(Inner {
            started: Instant::now(),
            state: Mutex::new(state),
            pushed: watch::Sender::new(0),
            awaiting: watch::Sender::new(None),
            outage: watch::Sender::new(None),
        }))
    }

    /// Begins now and keeps no file.
    #[must_use]
    pub fn unkept(header: &Header) -> Self {
        Self::start(Writer::sink(header))
    }

    /// Nanoseconds since it began, by the monotonic clock.
    #[must_use]
    pub fn now(&self) -> u64 {
        nanoseconds(self.0.started.elapsed())
    }

    /// When it began.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// Writes down one observation, as of now, and gives its number.
    pub fn push(&self, mut what: Fact) -> Seq {
        mask_observation(&mut what);
        let seq = {
            let mut state = self.state();
            // Under the lock, so that times never go backwards from line to line.
            let observation = Observation { seq: state.seq + 1, at: self.now(), what };
            state.seq = observation.seq;
            state.writer.push(&observation);
            state.judged.push(&observation);
            let seq = observation.seq;
            if !matches!(observation.what, Fact::End(_)) {
                state.live.push_owned(observation);
            }
            seq
        };
        self.0.pushed.send_modify(|last| *last = seq.max(*last));
        seq
    }

    /// Lets everybody who waits ask again: something changed that no line tells.
    pub(crate) fn wake(&self) {
        self.0.pushed.send_modify(|_| ());
    }

    /// Asks the timeline as it is now. It goes on after the judged part's end.
    pub fn with<R>(&self, ask: impl FnOnce(&Timeline) -> R) -> R {
        let mut state = self.state();
        // How long a container has run is asked as of now, not as of the last line.
        let now = self.now();
        state.live.advance_to(now);
        ask(&state.live)
    }

    /// Asks the timeline that is judged: once the end is pushed, nothing is added to it.
    pub fn judged<R>(&self, ask: impl FnOnce(&Timeline) -> R) -> R {
        ask(&self.state().judged)
    }

    /// Waits until `status` says done or stuck, or the budget is used up. The progress display shows
    /// it.
    pub async fn wait(
        &self,
        budget: Duration,
        status: impl Fn(&Timeline) -> WaitStatus,
    ) -> WaitResult {
        let shown = Shown(&self.0.awaiting);
        let since = Instant::now();
        let waited = self
            .wait_telling(budget, status, |what| {
                let awaiting = Awaiting { what: what.to_owned(), since, at_most: budget };
                self.0.awaiting.send_if_modified(|shown| {
                    let is_new = shown.as_ref() != Some(&awaiting);
                    *shown = Some(awaiting);
                    is_new
                });
            })
            .await;
        drop(shown);
        waited
    }

    /// Shows that something is awaited, until what it returns is dropped.
    pub(crate) fn awaits(&self, what: &str, at_most: Duration) -> impl Drop + '_ {
        self.0.awaiting.send_replace(Some(Awaiting {
            what: what.to_owned(),
            since: Instant::now(),
            at_most,
        }));
        Shown(&self.0.awaiting)
    }

    /// Waits as [`Journal::wait`] does, beside something else that is shown.
    pub async fn wait_quietly(
        &self,
        budget: Duration,
        status: impl Fn(&Timeline) -> WaitStatus,
    ) -> WaitResult {
        self.wait_telling(budget, status, |_| ()).await
    }

    async fn wait_telling(
        &self,
        budget: Duration,
        status: impl Fn(&Timeline) -> WaitStatus,
        tell: impl Fn(&str),
    ) -> WaitResult {
        // Subscribed before the first question: a line that comes between a question and the
        // waiting for the next line is marked as not yet seen, so no wake-up is lost.
        let mut pushed = self.0.pushed.subscribe();
        let deadline = tokio::time::sleep(budget);
        tokio::pin!(deadline);
        loop {
            pushed.mark_unchanged();
            let awaited = match self.with(&status) {
                WaitStatus::Done => return WaitResult::Done,
                WaitStatus::Stuck(obstacle) => return WaitResult::Stuck(obstacle),
                WaitStatus::Awaited(what) => what,
            };
            tell(&awaited);
            let next = self
                .with(Timeline::next_up)
                .map(|at| Duration::from_nanos(at.saturating_sub(self.now())));
            tokio::select! {
                changed = pushed.changed() => if changed.is_err() { return self.timed_out(awaited) },
                // Nothing is written down when a container has run for long enough.
                () = tokio::time::sleep(next.unwrap_or_default()), if next.is_some() => (),
                () = &mut deadline => return self.timed_out(awaited),
            }
        }
    }

    fn timed_out(&self, mut awaited: String) -> WaitResult {
        if let Some(outage) = &*self.0.outage.borrow() {
            let seconds = outage.since.elapsed().as_secs();
            let why = &outage.why;
            awaited = match outage.culprit {
                Culprit::Server => {
                    format!("{awaited} (the API server has not answered for {seconds} s: {why})")
                }
                Culprit::CredentialPlugin => {
                    format!("{awaited} (there has been no valid credential for {seconds} s: {why})")
                }
            };
        }
        WaitResult::TimedOut { awaited }
    }

    /// The number of the last line, for whoever wants to be woken by each.
    #[must_use]
    pub fn lines(&self) -> watch::Receiver<Seq> {
        self.0.pushed.subscribe()
    }

    /// What is awaited now, for a display of progress.
    #[must_use]
    pub fn awaiting(&self) -> watch::Receiver<Option<Awaiting>> {
        self.0.awaiting.subscribe()
    }

    /// What keeps the watches from going on, and since when; `None` while they go on.
    #[must_use]
    pub fn outage(&self) -> watch::Receiver<Option<WatchOutage>> {
        self.0.outage.subscribe()
    }

    /// The watches cannot go on; noted again, the first time stands.
    pub(crate) fn begin_outage(&self, outage: WatchOutage) {
        self.0.outage.send_if_modified(|known| {
            let is_new = known.is_none();
            let since = known.as_ref().map_or(outage.since, |it| it.since);
            *known = Some(WatchOutage { since, ..outage });
            is_new
        });
    }

    /// The watches go on again.
    pub(crate) fn end_outage(&self) {
        self.0.outage.send_if_modified(|known| known.take().is_some());
    }

    /// `sha256:…` of what is judged; final once the end is pushed.
    #[must_use]
    pub fn digest(&self) -> String {
        self.state().writer.digest()
    }

    /// Why the recording is not complete, if a write failed.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.state().writer.trouble()
    }

    /// Waits until a write fails, and says why.
    pub async fn failed(&self) -> String {
        let mut lines = self.lines();
        loop {
            lines.mark_unchanged();
            if let Some(trouble) = self.trouble() {
                return trouble;
            }
            if lines.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// What is recorded has begun: an earlier recording in the file is no longer kept.
    pub fn replace_earlier(&self) {
        self.state().writer.replace_earlier();
        self.wake();
    }

    /// Puts everything that was pushed into the file.
    pub fn flush(&self) {
        self.state().writer.flush();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not keep what was seen from being restored and reported.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A duration in the unit of [`Journal::now`].
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Takes the display's line away when the wait ends, also when it is dropped half-way.
struct Shown<'a>(&'a watch::Sender<Option<Awaiting>>);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.send_replace(None);
    }
}

#[cfg(test)]
mod tests;
