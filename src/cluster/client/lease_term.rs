//! How long our Lease is surely ours.
//!
//! Another grader may take a Lease that was not renewed for its whole duration. So nothing is
//! written unless the last renewal is younger than that by far, and nothing at all once the Lease
//! is lost. The clock goes on while the process or the machine is stopped: whoever opens a laptop
//! again must not go on with what it did when it was closed.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

#[cfg(unix)]
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

use crate::cluster::{
    Failure, OBJECT_NAME,
    client::{answer::CHANGE_SILENT_FOR, failure_id},
};

/// Name of the Lease. It keeps a second grader away, and holds the restore point.
pub(crate) const LEASE_NAME: &str = OBJECT_NAME;
/// A Lease that was not renewed for so long may be another grader's.
pub(crate) const LEASE_SECONDS: u64 = 60;
/// Nothing is written when the last renewal is older: what is left of the duration is enough for a
/// write that was begun to be carried out, by way of an admission webhook that is slow.
const SURE: Duration = Duration::from_secs(LEASE_SECONDS - CHANGE_SILENT_FOR.as_secs());

/// Time since some moment in the past. It counts the time during which the machine sleeps.
#[cfg(unix)]
pub(crate) fn now() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let time = clock_gettime(ClockId::Boottime);
    // Elsewhere, on macOS above all, this clock goes on in sleep.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// The same where the standard clock goes on in sleep: on Windows it is the performance counter.
#[cfg(not(unix))]
pub(crate) fn now() -> Duration {
    static BEGIN: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    BEGIN.elapsed()
}

/// Why the Lease is not ours any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LostLease {
    /// In words.
    pub(crate) why: String,
    /// Nobody is known to have taken it: it was only not renewed in time.
    pub(crate) by_time: bool,
}

/// The time for which a Lease is ours.
#[derive(Debug)]
pub(crate) struct Term {
    /// When the last renewal that the API server took was sent.
    renewed: Mutex<Duration>,
    loss: watch::Sender<Option<LostLease>>,
}

impl Term {
    /// Begins with a request that was sent at `renewed`.
    pub(crate) fn new(renewed: Duration) -> Self {
        Self { renewed: Mutex::new(renewed), loss: watch::Sender::new(None) }
    }

    /// The API server took a renewal that was sent at that time.
    pub(crate) fn renew(&self, sent: Duration) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = sent;
    }

    /// Taken anew after it was lost by time.
    pub(crate) fn begin_again(&self, sent: Duration) {
        self.renew(sent);
        self.loss.send_replace(None);
    }

    /// It is not ours any more; the first reason stands.
    pub(crate) fn lose(&self, loss: LostLease) {
        self.loss.send_if_modified(|known| {
            let is_new = known.is_none();
            known.get_or_insert(loss);
            is_new
        });
    }

    /// Why it is lost, if it is.
    pub(crate) fn loss(&self) -> Option<LostLease> {
        if self.loss.borrow().is_none() && self.age() >= Duration::from_secs(LEASE_SECONDS) {
            let why = format!(
                "it was not renewed for {} s (was this machine or the process stopped, or the network \
                away?)",
                self.age().as_secs()
            );
            self.lose(LostLease { why, by_time: true });
        }
        self.loss.borrow().clone()
    }

    /// Waits until it is lost.
    pub(crate) async fn lost(&self) -> LostLease {
        let mut loss = self.loss.subscribe();
        // `self` owns the sender, so `wait_for` never fails.
        match loss.wait_for(Option::is_some).await.ok().and_then(|it| it.clone()) {
            Some(loss) => loss,
            None => std::future::pending().await,
        }
    }

    /// Whether something may be written now.
    ///
    /// # Errors
    /// The Lease is lost, or may be before the write arrives.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if let Some(loss) = self.loss() {
            return Err(failure(&loss));
        }
        if self.age() >= SURE {
            let what = format!(
                "the Lease of this grade was not renewed for {} s, so nothing may be changed",
                self.age().as_secs()
            );
            return Err(Failure::new(
                failure_id::LEASE_UNSURE,
                what,
                "Check that the API server can be reached, and try again.",
            ));
        }
        Ok(())
    }

    /// How long ago the last renewal that the API server took was sent.
    pub(crate) fn age(&self) -> Duration {
        now().saturating_sub(*self.renewed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// That the Lease is lost, as a failure.
pub(crate) fn failure(loss: &LostLease) -> Failure {
    Failure::new(
        "lease_lost",
        format!("this grade lost its Lease on the namespace: {}", loss.why),
        "Grade again when nobody else is grading.",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LEASE_SECONDS, LostLease, Term, now};

    /// Catches a grader that wakes up after a minute and writes before it looks.
    #[test]
    fn what_was_not_renewed_in_time_is_lost() {
        let ago = |seconds| now().checked_sub(Duration::from_secs(seconds)).unwrap_or_default();
        let id = |term: &Term| term.check().err().map(|it| it.id);
        let term = Term::new(now());
        assert_eq!(id(&term), None);
        term.renew(ago(20));
        assert_eq!(id(&term), None, "one renewal may fail");
        // A webhook may hold a write for 30 s.
        term.renew(ago(LEASE_SECONDS - 30));
        assert_eq!(id(&term), Some("lease_unsure"));
        term.renew(now());
        assert_eq!(id(&term), None, "a renewal that was late makes it sure again");
        term.renew(ago(LEASE_SECONDS));
        assert_eq!(id(&term), Some("lease_lost"));
        term.renew(now());
        assert_eq!(id(&term), Some("lease_lost"), "what was lost once is lost");
        term.begin_again(now());
        assert_eq!(id(&term), None);
        term.lose(LostLease { why: "taken".to_owned(), by_time: false });
        term.lose(LostLease { why: "later".to_owned(), by_time: true });
        assert_eq!(term.loss().map(|it| it.why), Some("taken".to_owned()));
    }
}
