//! Asking again while the API server is away: a change that is worth waiting for.

use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::{Failure, client::failure_id};

/// How long an API server may be unavailable without ending a grade: a control plane's restart.
pub(crate) const MAX_UNAVAILABILITY: Duration = Duration::from_secs(60);
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// For how long an API server must say that it does not know the user until that is believed: it says
/// so too while the webhook or the identity provider that it asks is away.
const UNKNOWN_USER_FOR: Duration = Duration::from_secs(30);

/// Asks until the API server answers, or the time is over: for what belongs to a grade that has begun
/// to change things. It has answered before, so whatever is no answer of its own may pass. `ask`
/// hears whether it was asked before: then the change may have been made already.
///
/// # Errors
/// What the last try fails with.
pub(crate) async fn retry_while_unavailable<T>(
    within: Duration,
    ask: impl AsyncFn(bool) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut unknown_since = None;
    let passes = |failure: &Failure| {
        if failure.id != failure_id::CREDENTIALS {
            unknown_since = None;
            return failure.is_no_answer();
        }
        let since = *unknown_since.get_or_insert_with(Instant::now);
        since.elapsed() < UNKNOWN_USER_FOR
    };
    retry(within, ask, passes).await
}

/// The same before anything is changed: what a person may have to mend is told at once.
///
/// # Errors
/// What the last try fails with.
pub(crate) async fn retry_before_changes<T>(
    within: Duration,
    ask: impl AsyncFn(bool) -> Result<T, Failure>,
) -> Result<T, Failure> {
    retry(within, ask, Failure::may_pass).await
}

async fn retry<T>(
    within: Duration,
    ask: impl AsyncFn(bool) -> Result<T, Failure>,
    mut passes: impl FnMut(&Failure) -> bool,
) -> Result<T, Failure> {
    let began = Instant::now();
    let mut again = false;
    loop {
        match ask(again).await {
            Err(failure) if began.elapsed() < within && passes(&failure) => {
                tokio::time::sleep(RETRY_PAUSE).await
            }
            answer => return answer,
        }
        again = true;
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use super::{Failure, retry_before_changes, retry_while_unavailable};

    const MINUTE: Duration = Duration::from_secs(60);

    /// Fails twice with each of these ids, and then no more: which of them were waited for, once
    /// changes have begun and before.
    async fn waited_for(id: &'static str) -> (bool, bool) {
        let asked = Cell::new(0);
        let ask = async |again| {
            assert_eq!(again, asked.get() > 0);
            asked.set(asked.get() + 1);
            if asked.get() == 3 { Ok(()) } else { Err(Failure::new(id, "", "")) }
        };
        let later = retry_while_unavailable(MINUTE, &ask).await.is_ok();
        asked.set(0);
        (later, retry_before_changes(MINUTE, &ask).await.is_ok())
    }

    /// Catches a set that stays scaled because a name could not be resolved, a plugin failed or
    /// was missing, or a proxy answered for a moment; and a person who waits a minute to hear of a
    /// misspelt name.
    #[tokio::test(start_paused = true)]
    async fn only_what_is_no_answer_is_waited_for() {
        for id in ["no_server", "no_answer", "connection_lost", "server_error", "lease_unsure"] {
            assert_eq!(waited_for(id).await, (true, true), "{id}");
        }
        for id in [
            "no_server_name",
            "credential_plugin",
            "no_credential_plugin",
            "credentials",
            "not_kubernetes",
            "proxy_refused",
            "tls",
        ] {
            assert_eq!(waited_for(id).await, (true, false), "{id}");
        }
        for id in ["forbidden", "not_found", "conflict", "invalid", "scaled", "lease_lost"] {
            assert_eq!(waited_for(id).await, (false, false), "{id}");
        }
    }

    /// Catches a grade that waits five minutes for credentials that are no longer valid, and one that
    /// takes two refusals long after each other for one that stands.
    #[tokio::test(start_paused = true)]
    async fn an_unknown_user_is_believed_after_a_while() {
        let began = tokio::time::Instant::now();
        let tries = Cell::new(0);
        let ask = async |_| {
            tries.set(tries.get() + 1);
            Err::<(), _>(Failure::new("credentials", "", ""))
        };
        assert!(retry_while_unavailable(5 * MINUTE, ask).await.is_err());
        assert_eq!((began.elapsed().as_secs(), tries.get()), (30, 31));

        tries.set(0);
        let ask = async |_| {
            tries.set(tries.get() + 1);
            match tries.get() {
                100 => Ok(()),
                it if it % 20 == 0 => Err(Failure::new("no_server", "", "")),
                _ => Err(Failure::new("credentials", "", "")),
            }
        };
        assert!(retry_while_unavailable(5 * MINUTE, ask).await.is_ok());
    }
}
