//! One kind's stream: written down event by event, and opened again for as long as it is wanted.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use checks::model::{
    Fact, Seq,
    observation::{Gap, Kind, ObjectChange, object::Object},
};
use futures::{FutureExt as _, StreamExt as _};
use kube::core::WatchEvent;
use tokio::sync::watch;

use crate::cluster::watch::{
    dedup::LastSeen,
    journal::WatchOutage,
    list_watch,
    list_watch::{Listed, Stream, WatchResult},
    position::Positions,
};
use crate::cluster::{Cluster, Journal};
use crate::console::sanitize::sanitize;

/// The server sends a bookmark about once a minute: a watch that is silent for longer is dead.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Pauses between tries to reach a server that does not answer.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// After more refusals in a row than this, the kind is listed again: the server may refuse the
/// position itself.
const MAX_REFUSALS: u32 = 8;

/// One kind's stream.
pub(super) struct Feed {
    cluster: Cluster,
    journal: Journal,
    pub(super) kind: Kind,
    last_seen: LastSeen,
    pub(super) position: String,
    /// The last line of this kind.
    last: Option<Seq>,
    /// Changes when the connection is taken to be dead.
    must_reopen: watch::Receiver<()>,
    positions: Positions,
}

/// Why a watch came to its end.
enum WatchEnd {
    /// It ended as watches do, or was idle: it is opened again at the position.
    Over,
    /// The server does not know the position any more, or told something that cannot be read.
    Lost(String),
    /// The server cannot be reached, or refuses for now.
    Failed(kube::Error),
    /// The recorder was stopped.
    Stopped,
}

impl Feed {
    pub(super) fn begin(
        cluster: &Cluster,
        journal: &Journal,
        kind: Kind,
        list: Listed,
        must_reopen: &watch::Sender<()>,
        positions: &Positions,
    ) -> Self {
        let mut feed = Self {
            cluster: cluster.clone(),
            journal: journal.clone(),
            kind,
            last_seen: LastSeen::default(),
            position: String::new(),
            last: None,
            must_reopen: must_reopen.subscribe(),
            positions: positions.clone(),
        };
        feed.take_list(list);
        feed
    }

    pub(super) async fn run(
        mut self,
        mut open: Option<Stream>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut trouble = Trouble::default();
        loop {
            let began = Instant::now();
            let ended = match open.take() {
                Some(stream) => self.follow(stream, &mut stopped, &mut trouble).await,
                None => match self.reopen(&mut stopped).await {
                    Ok(stream) => {
                        open = Some(stream);
                        continue;
                    }
                    Err(ended) => ended,
                },
            };
            let go_on_at_once = match ended {
                WatchEnd::Stopped => return,
                // A server that ends watches at once must not be asked in a tight loop.
                WatchEnd::Over => began.elapsed() > FIRST_PAUSE,
                WatchEnd::Lost(reason) => {
                    self.list_again(&reason, &mut stopped, &mut trouble).await
                }
                WatchEnd::Failed(error) => {
                    trouble.refusals += u32::from(matches!(error, kube::Error::Api(_)));
                    let outage = WatchOutage::of(&error, Instant::now());
                    let why = outage.why.clone();
                    let lists_again = trouble.refusals > MAX_REFUSALS;
                    self.journal.begin_outage(outage);
                    lists_again && self.list_again(&why, &mut stopped, &mut trouble).await
                }
            };
            if !go_on_at_once
                && tokio::time::timeout(trouble.next_pause(), stopped.wait_for(|it| *it))
                    .await
                    .is_ok()
            {
                return;
            }
        }
    }

    /// Opens the watch again at the position.
    async fn reopen(&self, stopped: &mut watch::Receiver<bool>) -> Result<Stream, WatchEnd> {
        let stream = tokio::select! {
            _ = stopped.wait_for(|it| *it) => return Err(WatchEnd::Stopped),
            stream = list_watch::watch(&self.cluster, self.kind, &self.position) => stream,
        };
        stream.map_err(|error| match error {
            kube::Error::Api(status) if list_watch::is_expired(&status) => {
                WatchEnd::Lost(sanitize(&status.message))
            }
            error => WatchEnd::Failed(error),
        })
    }

    /// Writes down the events of a watch until it ends.
    async fn follow(
        &mut self,
        mut stream: Stream,
        stopped: &mut watch::Receiver<bool>,
        trouble: &mut Trouble,
    ) -> WatchEnd {
        // The server has begun the stream, so it answers.
        self.journal.end_outage();
        self.must_reopen.mark_unchanged();
        loop {
            let next = tokio::select! {
                biased;
                next = tokio::time::timeout(IDLE_TIMEOUT, stream.next()) => next,
                _ = stopped.wait_for(|it| *it) => {
                    // What has arrived already is still written.
                    while let Some(Some(event)) = stream.next().now_or_never() {
                        if self.apply_event(event).is_some() {
                            break;
                        }
                    }
                    return WatchEnd::Stopped;
                }
                Ok(()) = self.must_reopen.changed() => return WatchEnd::Over,
            };
            match next {
                // Idle for too long, or ended by the server.
                Err(_) | Ok(None) => return WatchEnd::Over,
                Ok(Some(event)) => {
                    if let Some(ended) = self.apply_event(event) {
                        return ended;
                    }
                    *trouble = Trouble::default();
                }
            }
        }
    }

    /// Writes down one event; why the watch cannot go on, if so.
    fn apply_event(&mut self, event: WatchResult) -> Option<WatchEnd> {
        let (change, object) = match event {
            Ok(WatchEvent::Added(it)) => (ObjectChange::Added, it),
            Ok(WatchEvent::Modified(it)) => (ObjectChange::Modified, it),
            Ok(WatchEvent::Deleted(it)) => (ObjectChange::Deleted, it),
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
        self.positions.note_seen(self.kind, &object, change == ObjectChange::Deleted);
        self.journal.wake();
        None
    }

    /// Lists again after the position was lost, and writes the gap. False where the list failed, so
    /// that a pause is due.
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
                self.journal.begin_outage(WatchOutage::of(&error, Instant::now()));
                return false;
            }
        };
        trouble.refusals = 0;
        let vanished = self.last_seen.vanished(&list.objects);
        self.journal.push(Fact::Gap(Gap {
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
            self.write(ObjectChange::Listed, object);
        }
        self.position = list.position;
        self.positions.note_listed(self.kind, uids, &self.position);
        self.journal.wake();
    }

    fn write(&mut self, change: ObjectChange, object: Object) {
        if let Some(object) = self.last_seen.what_is_new(change, object) {
            self.last = Some(self.journal.push(Fact::Object(change, object)));
        }
    }
}

fn unreadable() -> WatchEnd {
    WatchEnd::Lost("an event could not be read".to_owned())
}

/// What went wrong since the last event.
#[derive(Default)]
struct Trouble {
    /// How often there was a pause.
    pauses: u32,
    /// How often the server answered with an error.
    refusals: u32,
}

impl Trouble {
    /// How long to wait now: longer each time.
    fn next_pause(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(10)).min(MAX_PAUSE);
        self.pauses += 1;
        pause
    }
}
