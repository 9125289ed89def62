//! Inspections: reading what lies on each pod's claims, and the canaries, beside the tour.
//!
//! The inspector watches the timeline and reads each life of each pod at the right time: on claims
//! that have not been read yet until identity content is there, on others no sooner than that took,
//! plus a second (see [`age`]). Nothing that fails here ends the grade: what could not be seen is
//! written down as such.

mod age;
mod reading;
mod resolv_conf;
mod state;
mod surroundings;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use checks::model::{PodLife, Timeline};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::watch;

pub(crate) use crate::cluster::inspect::state::PodToRead;
use crate::cluster::inspect::state::{InspectionState, Look, MARGIN, NextLook};
use crate::cluster::{
    Cluster, Journal, exec::ephemeral::ProbeContainers, watch::journal::nanoseconds,
};

/// The longest that a last look is put off until content may be there that came late elsewhere.
const MAX_DELAY_OF_LAST_LOOK: Duration = Duration::from_secs(45);
/// How long after its start a container is looked at, at the end of a recording.
const SOON: Duration = Duration::from_secs(5);
/// How many pods are enough to ask DNS from.
const ENOUGH_ASKING_PODS: usize = 3;

/// What an inspection told of a pod, for asking DNS from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct DnsAccess {
    pub(crate) container: String,
    pub(crate) tools: Vec<String>,
    /// The first name server of its `/etc/resolv.conf`.
    pub(crate) server: Option<String>,
    /// By its search list, what may be the cluster's domain.
    pub(crate) domain: Option<String>,
    /// Seen by a container of our own, which has ended since.
    pub(crate) is_ephemeral: bool,
}

/// Reads and writes on claims, beside the tour.
pub(crate) struct Inspector<'a> {
    cluster: &'a Cluster,
    journal: &'a Journal,
    /// Where no container of a pod has a shell.
    probe: Option<&'a ProbeContainers<'a>>,
    /// Whether canaries are written; a recording of somebody's own work changes nothing.
    writes: bool,
    /// Where the journal is locked, too, this is locked after it.
    state: Mutex<InspectionState>,
    /// Counts what has changed in the state.
    changed: watch::Sender<u64>,
}

impl<'a> Inspector<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        journal: &'a Journal,
        probe: Option<&'a ProbeContainers<'a>>,
    ) -> Self {
        Self {
            cluster,
            journal,
            probe,
            writes: true,
            state: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// One that only reads.
    pub(crate) fn reading(cluster: &'a Cluster, journal: &'a Journal) -> Self {
        Self { writes: false, ..Self::new(cluster, journal, None) }
    }

    /// From now on pods may be read and written to.
    pub(crate) fn open(&self) {
        self.state().open = true;
        self.changed.send_modify(|it| *it += 1);
    }

    /// What is known of the pods that were inspected, by UID.
    pub(crate) fn dns_accesses(&self) -> BTreeMap<String, DnsAccess> {
        self.state().dns_accesses.clone()
    }

    /// The means to enter pods, where no container of theirs has a shell.
    pub(crate) const fn probe(&self) -> Option<&'a ProbeContainers<'a>> {
        self.probe
    }

    /// The names of the pods for which a canary was written, or may have been.
    pub(crate) fn with_canaries(&self) -> BTreeSet<String> {
        self.state().with_canaries.clone()
    }

    /// A pod's canaries have been removed.
    pub(crate) fn forget_canaries(&self, pod: &str) {
        self.state().with_canaries.remove(pod);
    }

    /// Tells of each change of what is known here.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Whether every pod was looked at that can be.
    pub(crate) fn is_idle(&self) -> bool {
        let is_seen = |uid: &str| self.state().lives.get(uid).is_some_and(|life| life.seen);
        self.journal.with(|timeline| {
            timeline.owned().all(|pod| is_seen(pod.uid()) || !self.is_due(timeline, pod.uid()))
        })
    }

    /// Why no pod could be inspected, if none could.
    pub(crate) fn trouble(&self) -> Option<String> {
        let state = self.state();
        if state.dns_accesses.is_empty() { state.trouble.clone() } else { None }
    }

    /// Waits until these pods (by UID) are inspected, as far as they are Ready.
    pub(crate) async fn wait_until_finished(&self, pods: &[String], within: Duration) {
        let mut changed = self.changed.subscribe();
        let mut lines = self.journal.lines();
        let wait = async {
            loop {
                changed.mark_unchanged();
                lines.mark_unchanged();
                if !self.journal.with(|timeline| pods.iter().any(|uid| self.is_due(timeline, uid)))
                {
                    return;
                }
                tokio::select! { _ = changed.changed() => (), _ = lines.changed() => () }
            }
        };
        // What is not read by then stays unseen; the tour goes on.
        let _ = tokio::time::timeout(within, wait).await;
    }

    fn is_due(&self, timeline: &Timeline, uid: &str) -> bool {
        let finished = self.state().lives.get(uid).is_some_and(|life| life.finished);
        // One whose container is started again will be Ready soon.
        let returns = |pod: &PodLife| {
            pod.is_alive()
                && pod.deletion_requested.is_none()
                && pod.ready.is_some()
                && !timeline.is_crashing(pod)
        };
        !finished && timeline.pod_life(uid).is_some_and(|pod| pod.is_ready() || returns(pod))
    }

    /// Reads each pod whose present life was not read: the recording is about to end, so no look comes
    /// any more that is as long after the container's start as the first content took to appear.
    /// What a start overwrites, it mostly overwrites within [`SOON`].
    pub(crate) async fn read_the_unread(&self, within: Duration) {
        let unread: Vec<(String, u64)> = self.journal.with(|timeline| {
            timeline
                .owned()
                .filter(|pod| pod.is_ready() && timeline.pod_files(pod).is_none())
                .map(|pod| (pod.uid().to_owned(), pod.running_at.unwrap_or_default()))
                .collect()
        });
        for (uid, running_at) in &unread {
            self.state().look_last_at(uid, running_at.saturating_add(nanoseconds(SOON)));
        }
        self.changed.send_modify(|it| *it += 1);
        let pods: Vec<String> = unread.into_iter().map(|(uid, _)| uid).collect();
        self.wait_until_finished(&pods, within).await;
    }

    /// Looks once more at the claims on which nothing was found that tells who wrote it.
    ///
    /// Where something has come late on one, the others are given as long since their container's
    /// start, within bounds. This look may find that content comes still later: then the next one
    /// waits for that.
    pub(crate) async fn look_again(&self, within: Duration) {
        let until = tokio::time::Instant::now() + within;
        let mut waited_for = None;
        loop {
            let now = self.journal.now();
            let blank = self.blank_pods(now);
            let delay = self.journal.with(Timeline::late_writing);
            if blank.is_empty() || waited_for == Some(delay) {
                return;
            }
            // The other half of the time is for reading.
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            let latest = now.saturating_add(nanoseconds(MAX_DELAY_OF_LAST_LOOK.min(left / 2)));
            for (uid, running_at) in &blank {
                let due_at = delay.map_or(now, |delay| {
                    running_at.saturating_add(delay).saturating_add(nanoseconds(MARGIN)).max(now)
                });
                self.state().look_again_at(uid, due_at.min(latest));
            }
            self.changed.send_modify(|it| *it += 1);
            let pods: Vec<String> = blank.into_iter().map(|(uid, _)| uid).collect();
            self.wait_until_finished(
                &pods,
                until.saturating_duration_since(tokio::time::Instant::now()),
            )
            .await;
            waited_for = Some(delay);
        }
    }

    /// The Ready pods that were read and on whose claims nothing tells who wrote it: the UID, and
    /// since when the pod runs.
    fn blank_pods(&self, now: u64) -> Vec<(String, u64)> {
        self.journal.with(|timeline| {
            let is_blank = |pod: &&PodLife| {
                pod.is_ready()
                    && timeline.pod_files(pod).is_some()
                    && !timeline.has_identity(pod.uid())
            };
            let blank = timeline.owned().filter(is_blank);
            blank.map(|pod| (pod.uid().to_owned(), pod.running_at.unwrap_or(now))).collect()
        })
    }

    /// Inspects whatever becomes due. It never ends by itself.
    pub(crate) async fn run_forever(&self) -> Infallible {
        let mut lines = self.journal.lines();
        let mut changed = self.changed.subscribe();
        let mut running = FuturesUnordered::new();
        loop {
            lines.mark_unchanged();
            changed.mark_unchanged();
            let (pods, next) = self.due();
            for pod in pods {
                running.push(self.inspect(pod));
            }
            tokio::select! {
                _ = lines.changed() => (),
                _ = changed.changed() => (),
                Some(()) = running.next(), if !running.is_empty() => (),
                () = tokio::time::sleep(next), if next < Duration::MAX => (),
            }
        }
    }

    /// What to read now, and how long until more may be due.
    fn due(&self) -> (Vec<PodToRead>, Duration) {
        let now = self.journal.now();
        self.journal.with(|timeline| {
            let mut state = self.state();
            if !state.open {
                return (vec![], Duration::MAX);
            }
            state.renew(timeline.last_change());
            state.note_reported_starts(timeline, now);
            let mut to_read = vec![];
            let mut next = Duration::MAX;
            for pod in timeline.owned().filter(|pod| pod.is_ready()) {
                match state.next_look(pod, now) {
                    NextLook::Now(schedule) => {
                        to_read.push(PodToRead::of(
                            timeline,
                            pod,
                            state.has_only_unread_claims(pod),
                            schedule,
                        ));
                    }
                    NextLook::At(at) => next = next.min(Duration::from_nanos(at - now)),
                    NextLook::NotNeeded => {}
                }
            }
            (to_read, next)
        })
    }

    async fn inspect(&self, to_read: PodToRead) {
        let began = self.journal.now();
        let timing = self.read(&to_read).await;
        let look = Look {
            began_at: began,
            ended_at: self.journal.now(),
            has_identity: self.journal.with(|timeline| timeline.has_identity(&to_read.pod.uid)),
            timing,
        };
        self.state().record_look(&to_read, &look, self.writes);
        self.changed.send_modify(|it| *it += 1);
    }

    fn state(&self) -> MutexGuard<'_, InspectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
