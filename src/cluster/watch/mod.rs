//! The recorder: lists each kind, then watches from exactly that list's position, and writes down
//! every event in the order in which the API server tells it.
//!
//! A watch that ends is resumed from the last position, so nothing is missed. Where the server has
//! forgotten that position (410), there is a gap: the kind is listed again, and the gap is written
//! before the list. kube's own watcher would hide both, which is why it is not used here.

mod dedup;
mod feed;
mod health_check;
pub mod journal;
mod list_watch;
pub(crate) mod position;

use std::time::{Duration, Instant};

use checks::model::{
    Fact,
    observation::{Inquiry, Kind},
};
use futures::future::join_all;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use crate::cluster::watch::{feed::Feed, position::Positions};
use crate::cluster::{Cluster, Failure, Journal, client::failure_id};

pub(crate) use crate::cluster::watch::dedup::PROVISIONER_ANNOTATIONS;
pub(crate) use crate::cluster::watch::health_check::answers;

/// Records what happens in one namespace until it is stopped. Dropped, it stops at once.
pub struct Recorder {
    stop: watch::Sender<bool>,
    health_check: AbortHandle,
    tasks: JoinSet<()>,
    positions: Positions,
}

impl Recorder {
    /// Lists all kinds, writes the lists down, opens the watches, and returns: whatever happens
    /// from now on is witnessed.
    ///
    /// EndpointSlices and Events may be forbidden: then they are written down as unavailable.
    ///
    /// # Errors
    /// The server cannot be reached, or one of the other kinds may not be listed or watched.
    pub async fn start(cluster: &Cluster, journal: &Journal) -> Result<Self, Failure> {
        let lists = join_all(Kind::ALL.map(|kind| list_watch::list(cluster, kind))).await;
        let must_reopen = watch::Sender::new(());
        let positions = Positions::default();
        let mut feeds = vec![];
        for (kind, list) in Kind::ALL.into_iter().zip(lists) {
            match list {
                Ok(list) => {
                    feeds.push(Feed::begin(cluster, journal, kind, list, &must_reopen, &positions))
                }
                Err(error) => go_without(cluster, journal, kind, &error, "list")?,
            }
        }
        let streams =
            join_all(feeds.iter().map(|it| list_watch::watch(cluster, it.kind, &it.position)))
                .await;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for (feed, stream) in feeds.into_iter().zip(streams) {
            let stream = match stream {
                Ok(stream) => Some(stream),
                Err(kube::Error::Api(status)) if status.is_forbidden() => {
                    go_without(cluster, journal, feed.kind, &kube::Error::Api(status), "watch")?;
                    continue;
                }
                // The feed tries again by itself.
                Err(_) => None,
            };
            tasks.spawn(feed.run(stream, stopped.clone()));
        }
        let health_check =
            tasks.spawn(health_check::check_health(cluster.clone(), journal.clone(), must_reopen));
        Ok(Self { stop, health_check, tasks, positions })
    }

    /// How far the watches have come.
    pub(crate) const fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Waits until the watches have told all that the cluster shows now; false when they have not
    /// in time, or the API server cannot be asked.
    pub(crate) async fn catch_up(&self, cluster: &Cluster, within: Duration) -> bool {
        let began = Instant::now();
        let of_kind = async |kind| {
            let Ok(Ok(list)) = tokio::time::timeout(within, list_watch::list(cluster, kind)).await
            else {
                return false;
            };
            self.positions
                .covers(kind, &list.objects, &list.position, within.saturating_sub(began.elapsed()))
                .await
        };
        // What Events and EndpointSlices tell is no proof, and they may not be readable.
        let kinds = [Kind::StatefulSet, Kind::Pod, Kind::PersistentVolumeClaim, Kind::Service];
        join_all(kinds.map(of_kind)).await.into_iter().all(|caught_up| caught_up)
    }

    /// Writes down what has already arrived, and ends.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.health_check.abort();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Notes that Events or EndpointSlices may not be read: a grade needs neither.
///
/// # Errors
/// It is another kind, or another error.
fn go_without(
    cluster: &Cluster,
    journal: &Journal,
    kind: Kind,
    error: &kube::Error,
    verb: &str,
) -> Result<(), Failure> {
    let failure = cluster.failure(error, verb, list_watch::resource(kind), "");
    if failure.id != failure_id::FORBIDDEN || !matches!(kind, Kind::EndpointSlice | Kind::Event) {
        return Err(failure);
    }
    let why = failure.detail.first().cloned().unwrap_or(failure.what);
    journal.push(Fact::Inquiry(Inquiry::Unavailable {
        what: list_watch::resource(kind).to_owned(),
        why,
    }));
    Ok(())
}

#[cfg(test)]
mod tests;
