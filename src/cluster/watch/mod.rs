//! The recorder: lists each kind, then watches from exactly that list's position, and writes down
//! every event in the order in which the API server tells it.
//!
//! A watch that ends is resumed from the last position, so nothing is missed. Where the server has
//! forgotten that position (410), there is a gap: the kind is listed again, and the gap is written
//! before the list. kube's own watcher would hide both, which is why it is not used here.

mod dedup;
mod health_check;
pub mod journal;
mod list_watch;
pub(crate) mod position;

use crate::cluster::client::failure_id;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use checks::model::{
    Seq, What,
    observation::{Change, Diagnosis, Gap, Kind, object::Object},
};
use futures::{FutureExt as _, StreamExt as _, future::join_all};
use kube::core::WatchEvent;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use crate::cluster::watch::{
    dedup::LastSeen,
    list_watch::{Listed, Stream, WatchResult},
    position::Positions,
};
use crate::cluster::{
    Cluster, Failure, Journal, client::error_chain::chain, watch::journal::Silence,
};
use crate::console::sanitize::sanitize;

pub(crate) use crate::cluster::watch::dedup::PROVISIONER;
pub(crate) use crate::cluster::watch::health_check::answers;

/// The server sends a bookmark about once a minute: a watch that is silent for longer is dead.
const IDLE: Duration = Duration::from_secs(90);
/// Pauses between tries to reach a server that does not answer.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// After so many refusals in a row the position itself is taken to be the trouble.
const REFUSALS: u32 = 8;

/// Records what happens in one namespace until it is stopped. Dropped, it stops at once.
pub struct Recorder {
    stop: watch::Sender<bool>,
    pulse: AbortHandle,
    tasks: JoinSet<()>,
    positions: Positions,
}

impl Recorder {
    /// Lists all kinds, writes the lists down, opens the watches, and returns: whatever happens
    /// from now on is witnessed.
    ///
    /// EndpointSlices and Events that may not be read are gone without, and written down as
    /// unavailable.
    ///
    /// # Errors
    /// The server cannot be reached, or one of the other kinds may not be listed or watched.
    pub async fn start(cluster: &Cluster, journal: &Journal) -> Result<Self, Failure> {
        let lists = join_all(Kind::ALL.map(|kind| list_watch::list(cluster, kind))).await;
        let reopen = watch::Sender::new(());
        let positions = Positions::default();
        let mut feeds = vec![];
        for (kind, list) in Kind::ALL.into_iter().zip(lists) {
            match list {
                Ok(list) => {
                    feeds.push(Feed::begin(cluster, journal, kind, list, &reopen, &positions))
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
        let pulse = tasks.spawn(health_check::pulse(cluster.clone(), journal.clone(), reopen));
        Ok(Self { stop, pulse, tasks, positions })
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
        self.pulse.abort();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// A kind that is only colour may be forbidden; any other must not.
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
    journal.push(What::Diagnosis(Diagnosis::Unavailable {
        what: list_watch::resource(kind).to_owned(),
        why,
    }));
    Ok(())
}

/// One kind's stream.
struct Feed {
    cluster: Cluster,
    journal: Journal,
    kind: Kind,
    known: LastSeen,
    position: String,
    /// The last line of this kind.
    last: Option<Seq>,
    /// Told when the connection is taken to be dead.
    reopen: watch::Receiver<()>,
    positions: Positions,
}

/// Why a watch came to its end.
enum WatchEnd {
    /// As watches do: go on from the position.
    Over,
    /// The server does not know the position any more, or told something that cannot be read.
    Lost(String),
    /// The server cannot be reached, or refuses for now.
    Failed(kube::Error),
    /// Nobody wants to know more.
    Stopped,
}

impl Feed {
    fn begin(
        cluster: &Cluster,
        journal: &Journal,
        kind: Kind,
        list: Listed,
        reopen: &watch::Sender<()>,
        positions: &Positions,
    ) -> Self {
        let (cluster, journal, reopen, positions) =
            (cluster.clone(), journal.clone(), reopen.subscribe(), positions.clone());
        let mut feed = Self {
            cluster,
            journal,
            kind,
            known: LastSeen::default(),
            position: String::new(),
            last: None,
            reopen,
            positions,
        };
        feed.take_list(list);
        feed
    }

    async fn run(mut self, mut open: Option<Stream>, mut stopped: watch::Receiver<bool>) {
        let mut trouble = Trouble::default();
        loop {
            let began = Instant::now();
            let ended = match open.take() {
                Some(stream) => self.follow(stream, &mut stopped, &mut trouble).await,
                None => self.resume(&mut open, &mut stopped).await,
            };
            let go_on_at_once = match ended {
                WatchEnd::Stopped => return,
                // A server that ends watches at once must not be asked in a tight loop.
                WatchEnd::Over => open.is_some() || began.elapsed() > FIRST_PAUSE,
                WatchEnd::Lost(reason) => {
                    self.list_again(&reason, &mut stopped, &mut trouble).await
                }
                WatchEnd::Failed(error) => {
                    trouble.refusals += u32::from(matches!(error, kube::Error::Api(_)));
                    let why = sanitize(&chain(&error));
                    let is_enough = trouble.refusals > REFUSALS;
                    self.journal.note_silence(Silence { since: Instant::now(), why: why.clone() });
                    is_enough && self.list_again(&why, &mut stopped, &mut trouble).await
                }
            };
            if !go_on_at_once
                && tokio::time::timeout(trouble.pause(), stopped.wait_for(|it| *it)).await.is_ok()
            {
                return;
            }
        }
    }

    /// Opens the watch again at the position.
    async fn resume(
        &self,
        open: &mut Option<Stream>,
        stopped: &mut watch::Receiver<bool>,
    ) -> WatchEnd {
        let stream = tokio::select! {
            _ = stopped.wait_for(|it| *it) => return WatchEnd::Stopped,
            stream = list_watch::watch(&self.cluster, self.kind, &self.position) => stream,
        };
        match stream {
            Ok(stream) => {
                *open = Some(stream);
                WatchEnd::Over
            }
            Err(kube::Error::Api(status)) if list_watch::is_expired(&status) => {
                WatchEnd::Lost(sanitize(&status.message))
            }
            Err(error) => WatchEnd::Failed(error),
        }
    }

    /// Writes down what a watch tells until it ends.
    async fn follow(
        &mut self,
        mut stream: Stream,
        stopped: &mut watch::Receiver<bool>,
        trouble: &mut Trouble,
    ) -> WatchEnd {
        // The server answers: it has begun the stream.
        self.journal.end_silence();
        self.reopen.mark_unchanged();
        loop {
            let told = tokio::select! {
                biased;
                told = tokio::time::timeout(IDLE, stream.next()) => told,
                _ = stopped.wait_for(|it| *it) => {
                    while let Some(Some(told)) = stream.next().now_or_never() {
                        if self.apply_event(told).is_some() {
                            break;
                        }
                    }
                    return WatchEnd::Stopped;
                }
                Ok(()) = self.reopen.changed() => return WatchEnd::Over,
            };
            match told {
                // Ended by the server, or idle: the position is known.
                Err(_) | Ok(None) => return WatchEnd::Over,
                Ok(Some(told)) => {
                    if let Some(ended) = self.apply_event(told) {
                        return ended;
                    }
                    *trouble = Trouble::default();
                }
            }
        }
    }

    fn apply_event(&mut self, told: WatchResult) -> Option<WatchEnd> {
        let (change, object) = match told {
            Ok(WatchEvent::Added(it)) => (Change::Added, it),
            Ok(WatchEvent::Modified(it)) => (Change::Modified, it),
            Ok(WatchEvent::Deleted(it)) => (Change::Deleted, it),
            Ok(WatchEvent::Bookmark(it)) => {
                self.position = it.metadata.resource_version;
                self.positions.bookmark(self.kind, &self.position);
                return None;
            }
            // kube reads an event that it does not understand as a status that says nothing.
            Err(kube::Error::Api(status)) if status.code == 0 && status.message.is_empty() => {
                return Some(unreadable());
            }
            Err(kube::Error::SerdeError(_)) => return Some(unreadable()),
            Ok(WatchEvent::Error(status)) | Err(kube::Error::Api(status)) => {
                return Some(if list_watch::is_expired(&status) {
                    WatchEnd::Lost(sanitize(&status.message))
                } else {
                    WatchEnd::Failed(kube::Error::Api(status))
                });
            }
            Err(error) => return Some(WatchEnd::Failed(error)),
        };
        self.cluster.watch_events.fetch_add(1, Ordering::Relaxed);
        self.position.clone_from(&object.metadata().resource_version);
        self.write(change, object.clone());
        self.positions.seen(self.kind, &object, change == Change::Deleted);
        self.journal.wake();
        None
    }

    /// Lists again after the position was lost, and says what may have been missed; false when that
    /// did not work either.
    async fn list_again(
        &mut self,
        reason: &str,
        stopped: &mut watch::Receiver<bool>,
        trouble: &mut Trouble,
    ) -> bool {
        let list = tokio::select! {
            _ = stopped.wait_for(|it| *it) => return true,
            list = list_watch::list(&self.cluster, self.kind) => list,
        };
        let list = match list {
            Ok(list) => list,
            Err(error) => {
                self.journal
                    .note_silence(Silence { since: Instant::now(), why: sanitize(&chain(&error)) });
                return false;
            }
        };
        trouble.refusals = 0;
        let vanished = self.known.vanished(&list.objects);
        self.journal.push(What::Gap(Gap {
            kind: self.kind,
            reason: reason.to_owned(),
            last_sure: self.last,
            vanished,
        }));
        self.take_list(list);
        true
    }

    fn take_list(&mut self, list: Listed) {
        let uids = list.objects.iter().map(|it| it.metadata().uid.clone()).collect();
        for object in list.objects {
            self.write(Change::Listed, object);
        }
        self.position = list.position;
        self.positions.listed(self.kind, uids, &self.position);
        self.journal.wake();
    }

    fn write(&mut self, change: Change, object: Object) {
        if let Some(object) = self.known.line(change, object) {
            self.last = Some(self.journal.push(What::Object(change, object)));
        }
    }
}

fn unreadable() -> WatchEnd {
    WatchEnd::Lost("an event could not be read".to_owned())
}

/// How often it went wrong since the last event.
#[derive(Default)]
struct Trouble {
    tries: u32,
    refusals: u32,
}

impl Trouble {
    fn pause(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.tries.min(10)).min(LONGEST_PAUSE);
        self.tries += 1;
        pause
    }
}

#[cfg(test)]
mod tests;
