//! The credential that a plugin gave last, and when the plugin is run again.
//!
//! A plugin may ask a person or a service that locks accounts. So it is run ahead of time at most
//! once for each credential, and it is not run again at once where that did not help.

use std::time::Duration;

use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::cluster::Failure;

/// The most before its end that a credential is renewed.
const MAX_AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// A credential is renewed in the last one of so many parts of its lifetime.
const PARTS_OF_LIFETIME: i32 = 10;
/// The pause after the first run that did not help; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// A pause is not longer. It leaves several runs within the minute that a grade waits.
const MAX_PAUSE: Duration = Duration::from_secs(16);
/// After a time without a run that did not help, the pauses begin anew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(40);

/// The present, by two clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// Says what has expired. It may be set back or forward.
    pub(super) wall: Timestamp,
    /// Measures pauses. It never goes back.
    pub(super) steady: Instant,
}

impl Now {
    pub(super) fn read() -> Self {
        Self { wall: Timestamp::now(), steady: Instant::now() }
    }

    /// So much later.
    pub(super) fn after(self, passed: Duration) -> Self {
        Self {
            wall: self.wall.saturating_add(passed).unwrap_or(self.wall),
            steady: self.steady.checked_add(passed).unwrap_or(self.steady),
        }
    }
}

/// What a plugin gave.
#[derive(Debug)]
pub(super) struct Issued {
    /// As a header's value.
    pub(super) token: Option<HeaderValue>,
    /// As PEM.
    pub(super) certificate: Option<String>,
    /// `None`: it does not expire.
    pub(super) lifetime: Option<Lifetime>,
}

impl Issued {
    fn is_same_as(&self, other: &Self) -> bool {
        self.token == other.token && self.certificate == other.certificate
    }

    fn until(&self) -> Option<Timestamp> {
        self.lifetime.map(|it| it.until)
    }

    fn is_expired(&self, now: Now) -> bool {
        self.until().is_some_and(|it| it <= now.wall)
    }
}

/// When a credential was given, and when it expires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Lifetime {
    fn is_nearly_over(self, now: Now) -> bool {
        let ahead = (self.until.duration_since(self.from) / PARTS_OF_LIFETIME).min(MAX_AHEAD);
        self.until.duration_since(now.wall) <= ahead
    }
}

/// Why the plugin is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The credential expires soon.
    Ahead,
    /// It has expired.
    Expired,
    /// The API server does not accept it.
    Refused,
}

/// What is to be done before a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The credential is valid.
    Nothing,
    /// It is valid, but not for long: the plugin is to be run beside the requests.
    RenewAhead,
    /// It has expired.
    Renew,
}

/// The credential that is held.
#[derive(Debug)]
pub(super) struct Held {
    issued: Issued,
    number: u64,
    /// Whether it was tried to renew this one ahead of time.
    is_tried_ahead: bool,
    /// How many runs did not help, one after the other.
    in_vain: u32,
    /// When the last run ended.
    last_run: Instant,
    /// Why the last run failed, if it did.
    failure: Option<Failure>,
}

impl Held {
    /// The first one.
    pub(super) fn new(issued: Issued, now: Now) -> Self {
        Self {
            issued,
            number: 0,
            is_tried_ahead: false,
            in_vain: 0,
            last_run: now.steady,
            failure: None,
        }
    }

    /// Another number for each credential.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn token(&self) -> Option<HeaderValue> {
        self.issued.token.clone()
    }

    pub(super) fn certificate(&self) -> Option<String> {
        self.issued.certificate.clone()
    }

    /// Why the last run failed, if it did.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.clone()
    }

    pub(super) fn is_expired(&self, now: Now) -> bool {
        self.issued.is_expired(now)
    }

    /// What is to be done before a request. To renew ahead is said once for each credential.
    pub(super) fn need(&mut self, now: Now) -> Need {
        if self.is_expired(now) {
            return Need::Renew;
        }
        let is_nearly_over = self.issued.lifetime.is_some_and(|it| it.is_nearly_over(now));
        if !is_nearly_over || self.is_tried_ahead || !self.may_run(now) {
            return Need::Nothing;
        }
        self.is_tried_ahead = true;
        Need::RenewAhead
    }

    /// Whether the pause after the last run is over.
    pub(super) fn may_run(&self, now: Now) -> bool {
        let Some(doublings) = self.in_vain.checked_sub(1) else { return true };
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings.min(10)).min(MAX_PAUSE);
        now.steady.saturating_duration_since(self.last_run) >= pause
    }

    /// Takes what a run gave; whether that is another credential.
    pub(super) fn take(&mut self, issued: Issued, cause: Cause, now: Now) -> bool {
        let helps = match cause {
            Cause::Ahead => true,
            Cause::Expired => !issued.is_expired(now),
            // Whether it helps is not known before it was sent.
            Cause::Refused => false,
        };
        self.note_run(helps, now);
        self.failure = None;
        let is_same = issued.is_same_as(&self.issued);
        if is_same && issued.until() == self.issued.until() {
            return false;
        }
        self.number += u64::from(!is_same);
        self.is_tried_ahead = false;
        self.issued = issued;
        !is_same
    }

    /// Takes note that a run failed.
    pub(super) fn note_failure(&mut self, failure: Failure, now: Now) {
        self.note_run(false, now);
        self.failure = Some(failure);
    }

    fn note_run(&mut self, helps: bool, now: Now) {
        let since = now.steady.saturating_duration_since(self.last_run);
        let is_forgotten = since > FORGOTTEN_AFTER;
        self.in_vain = match helps {
            true => 0,
            false if is_forgotten => 1,
            false => self.in_vain.saturating_add(1),
        };
        self.last_run = now.steady;
    }
}
