//! Whether the API server is still there while no watch says anything.
//!
//! Nothing tells a watch without events from one whose connection is dead, until a bookmark is
//! overdue. So a server that was silent for a while is asked for its version; without an answer,
//! all watches are opened again where they were.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::cluster::{
    Cluster, Journal, client::connect::version_request, watch::journal::WatchOutage,
};

/// A server from which nothing came for so long is asked.
const QUIET: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks whenever it is due; never returns. Sends to `must_reopen` when there was no answer.
pub(crate) async fn check_health(
    cluster: Cluster,
    journal: Journal,
    must_reopen: watch::Sender<()>,
) {
    loop {
        let heard = cluster.watch_events();
        tokio::time::sleep(QUIET).await;
        // While it is known to be away, the watches themselves ask for it.
        if cluster.watch_events() != heard || journal.outage().borrow().is_some() {
            continue;
        }
        if let Err(outage) = answers(&cluster, ANSWER_TIMEOUT).await {
            journal.begin_outage(outage);
            must_reopen.send_replace(());
        }
    }
}

/// Whether the server answers at all within this time, and why not.
///
/// # Errors
/// It does not.
pub(crate) async fn answers(cluster: &Cluster, within: Duration) -> Result<(), WatchOutage> {
    let began = Instant::now();
    match cluster.in_time(within, cluster.client.request_text(version_request())).await {
        // An error of the API server is an answer, too.
        Ok(_) | Err(kube::Error::Api(_)) => Ok(()),
        Err(error) => Err(WatchOutage::of(&error, began)),
    }
}
