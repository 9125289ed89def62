//! Inspections: reading what lies on each pod's claims, and the canaries, beside the tour.
//!
//! The inspector watches the timeline and reads each life of each pod at the right time: on a first
//! life until identity content is there, on later lives no sooner than that took, plus a second
//! (see [`age`]). Nothing that fails here ends the grade: what could not be seen is written down as
//! such.

mod age;
mod reading;
mod resolv_conf;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use checks::model::{PodLife, Seq, Timeline, evidence::content::needles, observation::Reference};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::watch;

use crate::cluster::inspect::age::{ReadSchedule, is_alone};
use crate::cluster::{
    Cluster, Journal,
    exec::{
        ephemeral::Probe,
        mounts::{Mounted, reference, runs},
    },
};

/// How long a first life is looked at again for content that is not there yet.
const PATIENCE: Duration = Duration::from_secs(15);
/// The same once one first life showed nothing in all that time.
const PATIENCE_WHEN_BARREN: Duration = Duration::from_secs(2);
/// Between the first two looks at a first life; it grows by itself each time.
const PAUSE: Duration = Duration::from_millis(700);
/// What later lives get on top of the time that the content took to appear on the first.
const MARGIN: Duration = Duration::from_secs(1);
/// How often a look is taken again that failed for a reason that passes.
const MOST_FAILURES: u32 = 6;
/// After a look that failed; it grows by itself each time.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);
/// The longest that a last look is put off until content may be there that came late elsewhere.
const LATE: Duration = Duration::from_secs(45);
/// Between two looks at a claim on which nothing was found, beside somebody's own work: at first,
/// and in the long run.
const WATCHING: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));
/// How long after its start a container is looked at, at the end of a recording.
const SOON: Duration = Duration::from_secs(5);
/// For how long somebody's claim is looked at so often.
const FRESH: Duration = Duration::from_secs(90);
/// So many pods are enough to ask DNS from.
const ENOUGH_VANTAGES: usize = 3;

/// What an inspection told of a pod, for asking DNS from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct DnsVantage {
    pub(crate) container: String,
    pub(crate) tools: Vec<String>,
    /// The first name server of its `/etc/resolv.conf`.
    pub(crate) server: Option<String>,
    /// By its search list, what may be the cluster's domain.
    pub(crate) domain: Option<String>,
    /// Seen by a container of our own, which has ended since.
    pub(crate) is_guest: bool,
}

/// Reads and writes on claims, beside the tour.
pub(crate) struct Inspector<'a> {
    cluster: &'a Cluster,
    journal: &'a Journal,
    /// Where no container of a pod has a shell.
    probe: Option<&'a Probe<'a>>,
    /// Whether canaries are written; a recording of somebody's own work changes nothing.
    writes: bool,
    state: Mutex<State>,
    /// Counts what has changed in the state.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Nothing is touched before the restore point is written.
    open: bool,
    /// The line since which evidence counts: what was read before the submission changed is read
    /// again.
    since: Seq,
    lives: BTreeMap<String, Life>,
    /// By claim and mount: the files of its first reading.
    first_files: BTreeMap<(String, String), Vec<String>>,
    /// The claims whose first life was read to its end.
    known_claims: BTreeSet<String>,
    /// A first life showed no identity content in all its time: others will not either.
    barren: bool,
    /// Claims and pod names for which a canary was tried.
    asked: BTreeSet<(String, String)>,
    /// Pod names for which a canary was written, or may have been.
    marked: BTreeSet<String>,
    /// The longest that identity content took to appear after a container's start.
    delay: Duration,
    /// The same of content that only a last look found.
    late: Option<Duration>,
    /// That is not known by the containers' own clocks of all first lives.
    is_rough: bool,
    /// By pod UID and claim: when its container was started, by the clock that times the claim's
    /// files, in nanoseconds.
    starts: BTreeMap<(String, String), i64>,
    /// By pod UID: when the kubelet was heard to have started its container.
    said: BTreeMap<String, u64>,
    vantages: BTreeMap<String, DnsVantage>,
    /// Why the last inspection that failed did.
    trouble: Option<String>,
}

/// How far the inspection of one pod UID is.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    reading: bool,
    finished: bool,
    /// A look told something.
    seen: bool,
    /// When to look again, in nanoseconds of the journal's clock.
    again: u64,
    reads: u32,
    failures: u32,
    /// It is looked at once more because nothing was found on its claims.
    is_late: bool,
    /// When to look at last, whatever counts, because the recording ends.
    last_at: Option<u64>,
}

/// A pod to be read.
#[derive(Default)]
pub(crate) struct Job {
    pod: Reference,
    mounted: Vec<Mounted>,
    running_at: u64,
    ready_at: u64,
    first_life: bool,
    /// When a look counts, if it is a later one.
    ripe: ReadSchedule,
    /// It runs but one container.
    is_alone: bool,
    /// Its start was watched, so that `running_at` is true.
    witnessed: bool,
    /// When the node's clock says that its containers started, in seconds since the epoch.
    started: Option<i64>,
    /// A running container, where no claim tells which.
    any_container: Option<String>,
    /// What names the pod, to search files for that cannot be read as text.
    needles: Vec<String>,
    /// The names of the set's other pods.
    others: Vec<String>,
}

impl<'a> Inspector<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        journal: &'a Journal,
        probe: Option<&'a Probe<'a>>,
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
    pub(crate) fn vantages(&self) -> BTreeMap<String, DnsVantage> {
        self.state().vantages.clone()
    }

    /// The means to enter pods, where no container of theirs has a shell.
    pub(crate) const fn probe(&self) -> Option<&'a Probe<'a>> {
        self.probe
    }

    /// The names of the pods for which a canary was written, or may have been.
    pub(crate) fn marked(&self) -> BTreeSet<String> {
        self.state().marked.clone()
    }

    /// A pod's canaries have been removed.
    pub(crate) fn unmark(&self, pod: &str) {
        self.state().marked.remove(pod);
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
        if state.vantages.is_empty() { state.trouble.clone() } else { None }
    }

    /// Waits until these pods (by UID) are inspected, as far as they are Ready.
    pub(crate) async fn finished(&self, pods: &[String], within: Duration) {
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
            let mut state = self.state();
            let life = state.lives.entry(uid.clone()).or_default();
            life.last_at = Some(running_at.saturating_add(nanoseconds(SOON)));
        }
        self.changed.send_modify(|it| *it += 1);
        let pods: Vec<String> = unread.into_iter().map(|(uid, _)| uid).collect();
        self.finished(&pods, within).await;
    }

    /// Looks once more at the claims on which nothing was found that tells who wrote it.
    ///
    /// Where something has come late on one, the others are given as long since their container's
    /// start, within bounds.
    pub(crate) async fn look_again(&self, within: Duration) {
        let until = tokio::time::Instant::now() + within;
        let mut known = None;
        loop {
            let now = self.journal.now();
            let blank = self.journal.with(|timeline| {
                let is_blank = |pod: &&PodLife| {
                    pod.is_ready()
                        && timeline.pod_files(pod).is_some()
                        && !timeline.has_identity(pod.uid())
                };
                timeline
                    .owned()
                    .filter(is_blank)
                    .map(|pod| (pod.uid().to_owned(), pod.running_at.unwrap_or(now)))
                    .collect::<Vec<_>>()
            });
            let delay = self.state().late;
            if blank.is_empty() || known == Some(delay) {
                return;
            }
            for (uid, running_at) in &blank {
                let ripe = delay.map_or(now, |delay| {
                    running_at.saturating_add(nanoseconds(delay + MARGIN)).max(now)
                });
                let mut state = self.state();
                let life = state.lives.entry(uid.clone()).or_default();
                life.again = ripe.min(now.saturating_add(nanoseconds(LATE)));
                life.is_late = true;
                life.finished = false;
            }
            self.changed.send_modify(|it| *it += 1);
            let pods: Vec<String> = blank.into_iter().map(|(uid, _)| uid).collect();
            self.finished(&pods, until.saturating_duration_since(tokio::time::Instant::now()))
                .await;
            known = Some(delay);
        }
    }

    /// Inspects whatever becomes due. It never ends by itself.
    pub(crate) async fn attend(&self) -> Infallible {
        let mut lines = self.journal.lines();
        let mut changed = self.changed.subscribe();
        let mut running = FuturesUnordered::new();
        loop {
            lines.mark_unchanged();
            changed.mark_unchanged();
            let (jobs, next) = self.due();
            for job in jobs {
                running.push(self.inspect(job));
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
    fn due(&self) -> (Vec<Job>, Duration) {
        let now = self.journal.now();
        let mut next = Duration::MAX;
        let mut state = self.state();
        if !state.open {
            return (vec![], next);
        }
        let jobs = self.journal.with(|timeline| {
            if timeline.since() > state.since {
                state.since = timeline.since();
                state.lives.retain(|_, life| life.reading);
            }
            state.hear(timeline, now);
            let ready = timeline.owned().filter(|pod| pod.is_ready());
            let mut jobs = vec![];
            for pod in ready {
                let first_life =
                    pod.claims().iter().all(|(_, claim)| !state.known_claims.contains(claim));
                let ripe = state.ripe(pod, now);
                let life = state.lives.entry(pod.uid().to_owned()).or_default();
                let soonest = if first_life { 0 } else { ripe.soonest() }.max(life.again);
                let soonest = life.last_at.map_or(soonest, |it| it.min(soonest));
                if life.finished || life.reading {
                    continue;
                }
                if soonest > now {
                    next = next.min(Duration::from_nanos(soonest - now));
                    continue;
                }
                life.reading = true;
                jobs.push(job(timeline, pod, first_life, ripe));
            }
            jobs
        });
        (jobs, next)
    }

    async fn inspect(&self, job: Job) {
        let began = self.journal.now();
        let sight = self.read(&job).await;
        let now = self.journal.now();
        let has_identity = self.journal.with(|timeline| timeline.has_identity(&job.pod.uid));
        let mut state = self.state();
        let patience = if state.barren { PATIENCE_WHEN_BARREN } else { PATIENCE };
        let patient = job.first_life
            && !has_identity
            && now < job.ready_at.saturating_add(nanoseconds(patience));
        let life = state.lives.entry(job.pod.uid.clone()).or_default();
        life.reading = false;
        life.reads += 1;
        life.seen |= sight.seen;
        let later = now.saturating_add(nanoseconds(PAUSE * life.reads));
        let again = if job.first_life {
            patient.then_some(later)
        } else {
            job.ripe.again(began, now, sight.age)
        };
        life.failures += sight.failures;
        let again = if sight.failures > 0 && life.failures <= MOST_FAILURES {
            Some(now.saturating_add(nanoseconds(PAUSE_AFTER_FAILURE * life.failures)))
        } else if !sight.seen {
            None
        } else if !self.writes && !has_identity {
            // Nothing is held up by looking on: what comes late counts until the pod has to go.
            let pause = if now < job.running_at.saturating_add(nanoseconds(FRESH)) {
                WATCHING.0
            } else {
                WATCHING.1
            };
            again.or(Some(now.saturating_add(nanoseconds(pause))))
        } else {
            again
        };
        let again = again.filter(|_| life.last_at.is_none());
        life.finished = again.is_none();
        life.again = again.unwrap_or(later);
        let is_late = std::mem::take(&mut life.is_late);
        let is_finished = life.finished;
        if is_late && has_identity {
            state.late = state.late.max(Some(job.late_delay(now, &sight)));
        }
        if is_finished && job.first_life {
            state.known_claims.extend(job.mounted.iter().map(|it| it.claim.clone()));
            if has_identity {
                let (delay, exact) = job.delay(now, &sight);
                state.delay = state.delay.max(delay);
                state.is_rough |= !exact;
            } else {
                state.barren |= sight.seen;
                state.is_rough = true;
            }
        }
        drop(state);
        self.changed.send_modify(|it| *it += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes which containers the kubelet says that it started: now, or a little before.
    fn hear(&mut self, timeline: &Timeline, now: u64) {
        for pod in timeline.owned().filter(|pod| is_alone(pod)) {
            if !self.said.contains_key(pod.uid()) && timeline.is_said_to_run(pod.uid()) {
                self.said.insert(pod.uid().to_owned(), now);
            }
        }
    }

    /// When a look at a later life of this pod counts.
    fn ripe(&self, pod: &PodLife, now: u64) -> ReadSchedule {
        let said_at = self.said.get(pod.uid()).copied().filter(|_| !self.is_rough);
        ReadSchedule {
            running_at: pod.running_at.unwrap_or(now),
            said_at,
            age: self.delay + MARGIN,
        }
    }
}

fn job(timeline: &Timeline, pod: &PodLife, first_life: bool, ripe: ReadSchedule) -> Job {
    let any_container =
        pod.spec().containers.iter().find(|it| runs(pod, &it.name)).map(|it| it.name.clone());
    let starts = pod.pod.status.container_statuses.iter().filter_map(|it| {
        it.state.running.as_ref()?.started_at.as_deref()?.parse::<jiff::Timestamp>().ok()
    });
    let started = starts.map(|it| it.as_second()).max();
    Job {
        pod: reference(pod),
        mounted: Mounted::of(pod),
        running_at: pod.running_at.unwrap_or(0),
        ready_at: pod.ready_at,
        first_life,
        ripe,
        is_alone: is_alone(pod),
        witnessed: pod.added.after.is_some(),
        started,
        any_container,
        needles: needles(pod),
        others: timeline
            .owned()
            .filter(|it| it.uid() != pod.uid())
            .map(|it| it.name().to_owned())
            .collect(),
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
