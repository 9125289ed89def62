//! Asking again while the API server is away: a change that is worth waiting for.

use std::time::{Duration, Instant};

use crate::cluster::Failure;

/// How long an API server may be away without ending a grade: a control plane's restart.
pub(crate) const AWAY: Duration = Duration::from_secs(60);
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Asks until the API server answers, or the time is over. `ask` hears whether it was asked before:
/// then the change may have been made already.
///
/// # Errors
/// What the last try fails with.
pub(crate) async fn retry_while_unavailable<T>(
    within: Duration,
    ask: impl AsyncFn(bool) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let began = Instant::now();
    let mut again = false;
    loop {
        match ask(again).await {
            Err(failure) if failure.may_pass() && began.elapsed() < within => {
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

    use super::{Failure, retry_while_unavailable};

    #[tokio::test(start_paused = true)]
    async fn only_what_may_pass_is_waited_for() {
        for (id, tries) in [("no_server", 3), ("forbidden", 1)] {
            let asked = Cell::new(0);
            let ask = async |again| {
                assert_eq!(again, asked.get() > 0);
                asked.set(asked.get() + 1);
                if asked.get() == 3 { Ok(()) } else { Err(Failure::new(id, "", "")) }
            };
            assert_eq!(
                retry_while_unavailable(Duration::from_secs(60), ask).await.is_ok(),
                tries == 3
            );
            assert_eq!(asked.get(), tries);
        }
    }
}
