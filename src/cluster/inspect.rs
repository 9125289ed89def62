//! Inspections: reading what lies on each pod's claims, and the canaries, beside the tour.
//!
//! The inspector watches the timeline and reads each life of each pod at the right time: on a first
//! life until identity content is there, on later lives no sooner than that took, plus a second.
//! Nothing that fails here ends the grade: what could not be seen is written down as such.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use checks::model::{
    Incarnation, Timeline, What,
    observation::{Canary, Read, Reference, Token},
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::watch;

use super::{
    Cluster, Journal,
    answers::resolver,
    exec::{BROKE, NOT_IN_TIME, Place, exec, random_word, script},
    frames::{self, CANARY, Told},
    mounts::{Mounted, choose, reference, runs},
};

/// How long a first life is looked at again for content that is not there yet.
const PATIENCE: Duration = Duration::from_secs(15);
/// The same once one first life showed nothing in all that time.
const PATIENCE_WHEN_BARREN: Duration = Duration::from_secs(2);
/// Between the first two looks at a first life; it grows by itself each time.
const PAUSE: Duration = Duration::from_millis(700);
/// What later lives get on top of the time that the content took to appear on the first.
const MARGIN: Duration = Duration::from_secs(1);
/// One exec's whole time.
const WITHIN: Duration = Duration::from_secs(10);
/// How deep folders are looked into.
const DEPTH: &str = "6";
/// So many pods are enough to ask DNS from.
const ENOUGH_DESKS: usize = 3;
/// How many files of the first reading are asked for by name at the next.
const NAMED: usize = 20;

/// What an inspection told of a pod, for asking DNS from it.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    pub(super) container: String,
    pub(super) tools: Vec<String>,
    /// The first name server of its `/etc/resolv.conf`.
    pub(super) server: Option<String>,
    /// The cluster's domain by its search list.
    pub(super) domain: Option<String>,
}

/// Reads and writes on claims, beside the tour.
pub(super) struct Inspector<'a> {
    cluster: &'a Cluster,
    journal: &'a Journal,
    state: Mutex<State>,
    /// Counts what has changed in the state.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Nothing is touched before the restore point is written.
    open: bool,
    lives: BTreeMap<String, Life>,
    /// By claim: the files of its first reading.
    first_files: BTreeMap<String, Vec<String>>,
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
    desks: BTreeMap<String, Desk>,
    /// Why the last inspection that failed did.
    trouble: Option<String>,
}

/// How far the inspection of one pod UID is.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    reading: bool,
    finished: bool,
    /// When to look again, in nanoseconds of the journal's clock.
    again: u64,
    reads: u32,
}

/// A pod to be read.
struct Job {
    pod: Reference,
    mounted: Vec<Mounted>,
    running_at: u64,
    ready_at: u64,
    first_life: bool,
    /// Its start was watched, so that `running_at` is true.
    witnessed: bool,
    /// When the node's clock says that its containers started, in seconds since the epoch.
    started: Option<i64>,
    /// A running container, where no claim tells which.
    any_container: Option<String>,
}

impl<'a> Inspector<'a> {
    pub(super) fn new(cluster: &'a Cluster, journal: &'a Journal) -> Self {
        Self { cluster, journal, state: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// From now on pods may be read and written to.
    pub(super) fn open(&self) {
        self.state().open = true;
        self.changed.send_modify(|it| *it += 1);
    }

    /// What is known of the pods that were inspected, by UID.
    pub(super) fn desks(&self) -> BTreeMap<String, Desk> {
        self.state().desks.clone()
    }

    /// The names of the pods for which a canary was written, or may have been.
    pub(super) fn marked(&self) -> BTreeSet<String> {
        self.state().marked.clone()
    }

    /// A pod's canaries have been removed.
    pub(super) fn unmark(&self, pod: &str) {
        self.state().marked.remove(pod);
    }

    /// Tells of each change of what is known here.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Whether no pod is being read, or about to be.
    pub(super) fn is_idle(&self) -> bool {
        self.journal.with(|timeline| timeline.owned().all(|pod| !self.is_due(timeline, pod.uid())))
    }

    /// Why no pod could be inspected, if none could.
    pub(super) fn trouble(&self) -> Option<String> {
        let state = self.state();
        if state.desks.is_empty() { state.trouble.clone() } else { None }
    }

    /// Waits until these pods (by UID) are inspected, as far as they are Ready.
    pub(super) async fn finished(&self, pods: &[String], within: Duration) {
        let mut changed = self.changed.subscribe();
        let mut lines = self.journal.lines();
        let wait = async {
            loop {
                changed.mark_unchanged();
                lines.mark_unchanged();
                if !self.journal.with(|timeline| pods.iter().any(|uid| self.is_due(timeline, uid))) {
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
        !finished && timeline.incarnation(uid).is_some_and(Incarnation::is_ready)
    }

    /// Inspects whatever becomes due. It never ends by itself.
    pub(super) async fn attend(&self) -> Infallible {
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
            let ready = timeline.owned().filter(|pod| pod.is_ready());
            let mut jobs = vec![];
            for pod in ready {
                let first_life = pod.claims().iter().all(|(_, claim)| !state.known_claims.contains(claim));
                let delay = nanoseconds(state.delay + MARGIN);
                let life = state.lives.entry(pod.uid().to_owned()).or_default();
                let soonest = if first_life { 0 } else { pod.running_at.unwrap_or(now) + delay }.max(life.again);
                if life.finished || life.reading {
                    continue;
                }
                if soonest > now {
                    next = next.min(Duration::from_nanos(soonest - now));
                    continue;
                }
                life.reading = true;
                jobs.push(job(pod, first_life));
            }
            jobs
        });
        (jobs, next)
    }

    async fn inspect(&self, job: Job) {
        let (seen, written) = self.read(&job).await;
        let now = self.journal.now();
        let has_identity = self.journal.with(|timeline| timeline.has_identity(&job.pod.uid));
        let mut state = self.state();
        let patience = if state.barren { PATIENCE_WHEN_BARREN } else { PATIENCE };
        let patient = job.first_life && now < job.ready_at.saturating_add(nanoseconds(patience));
        let life = state.lives.entry(job.pod.uid.clone()).or_default();
        life.reading = false;
        life.reads += 1;
        life.finished = !seen || has_identity || !patient;
        life.again = now.saturating_add(nanoseconds(PAUSE * life.reads));
        if life.finished && job.first_life {
            state.known_claims.extend(job.mounted.iter().map(|it| it.claim.clone()));
            if has_identity {
                state.delay = state.delay.max(job.delay(now, &written));
            } else {
                state.barren |= seen;
            }
        }
        drop(state);
        self.changed.send_modify(|it| *it += 1);
    }

    /// Reads all of a pod's claims; whether that worked, and when the files there were written.
    async fn read(&self, job: &Job) -> (bool, Vec<i64>) {
        let mut left = job.mounted.clone();
        let mut without_shell: BTreeSet<String> = BTreeSet::new();
        let (mut seen, mut written) = (false, vec![]);
        if left.is_empty() {
            self.look_around(job).await;
        }
        while let Some((container, mounts)) = choose(&left, &without_shell) {
            let began = self.journal.now();
            let asked: Vec<_> = mounts.iter().map(|mount| self.ask(&job.pod, mount)).collect();
            let told = self.run(&job.pod.name, &container, &mounts, &asked).await;
            match told {
                Err(why) if why.contains("no shell") && left.iter().any(|it| it.has_other(&without_shell, &container)) => {
                    without_shell.insert(container);
                    continue;
                }
                Err(why) => self.note_failure(job, &container, &mounts, &why, began),
                Ok(told) => {
                    seen = true;
                    written.extend(told.mounts.iter().flat_map(|it| &it.files).filter(|it| it.size > 0).filter_map(|it| it.mtime));
                    self.note(job, &container, &mounts, told, began);
                }
            }
            left.retain(|it| mounts.iter().all(|mount| mount.claim != it.claim));
        }
        (seen, written)
    }

    /// A pod without claims can still ask DNS.
    async fn look_around(&self, job: &Job) {
        let Some(container) = &job.any_container else { return };
        if self.state().desks.len() >= ENOUGH_DESKS {
            return;
        }
        let began = self.journal.now();
        match self.run(&job.pod.name, container, &[], &[]).await {
            Ok(told) => self.note(job, container, &[], told, began),
            Err(why) => self.note_failure(job, container, &[], &why, began),
        }
    }

    /// The canary to write on a claim: one for each claim and pod name, ever.
    fn ask(&self, pod: &Reference, mount: &Mounted) -> Option<Token> {
        if !self.state().asked.insert((mount.claim.clone(), pod.name.clone())) {
            return None;
        }
        let (file, token) = (random_word().ok()?, random_word().ok()?);
        Some(Token { file: format!("{CANARY}{file}"), token: format!("{} {token}", pod.name) })
    }

    async fn run(&self, pod: &str, container: &str, mounts: &[Mounted], asked: &[Option<Token>]) -> Result<Told, String> {
        let word = random_word()?;
        let mut arguments = vec![word.clone()];
        for (mount, canary) in mounts.iter().zip(asked) {
            let first = self.state().first_files.get(&mount.claim).cloned().unwrap_or_default();
            let canary = canary.clone().unwrap_or_default();
            let named = first.len().to_string();
            arguments.extend([mount.path.clone(), DEPTH.to_owned(), canary.file, canary.token, named]);
            arguments.extend(first);
        }
        let command = script(include_str!("inspect.sh"), arguments);
        let output = exec(self.cluster, Place { pod, container }, &command, WITHIN).await?;
        let told = frames::parse(&output.stdout, &word);
        if told.mounts.is_empty() && !told.whole {
            let said = output.stderr.trim().chars().take(200).collect::<String>();
            return Err(format!("the shell in the image told nothing (exit status {:?}) {said}", output.exit).trim().to_owned());
        }
        Ok(told)
    }

    fn note(&self, job: &Job, container: &str, mounts: &[Mounted], told: Told, began: u64) {
        let (server, domain) = resolver(&told.resolver);
        let desk = Desk { container: container.to_owned(), tools: told.tools, server, domain };
        let mut notes = vec![];
        {
            let mut state = self.state();
            let known = state.desks.entry(job.pod.uid.clone()).or_default();
            if known.tools.len() <= desk.tools.len() {
                *known = desk;
            }
            for (mount, found) in mounts.iter().zip(told.mounts) {
                let first: Vec<String> = found.files.iter().filter(|it| it.size > 0 && it.path.len() <= 200).map(|it| it.path.clone()).take(NAMED).collect();
                if !first.is_empty() {
                    state.first_files.entry(mount.claim.clone()).or_insert(first);
                }
                let (wrote, error) = match found.written {
                    Some(Ok(file)) => {
                        state.marked.insert(job.pod.name.clone());
                        (Some(file), None)
                    }
                    Some(Err(why)) => (None, Some(why)),
                    None => (None, None),
                };
                let wrote = wrote.and_then(|file| found.canaries.iter().find(|it| it.file == file).cloned());
                notes.push(What::Canary(Canary { pod: job.pod.clone(), claim: mount.claim.clone(), wrote, saw: Some(found.canaries), error }));
                notes.push(What::Read(Read {
                    pod: job.pod.clone(),
                    container: container.to_owned(),
                    claim: mount.claim.clone(),
                    mount_path: mount.path.clone(),
                    began,
                    files: found.files,
                    left_out: found.left_out,
                    error: found.error.or_else(|| (!told.whole).then(|| "the answer was cut off".to_owned())),
                }));
            }
        }
        for note in notes {
            self.journal.push(note);
        }
    }

    fn note_failure(&self, job: &Job, container: &str, mounts: &[Mounted], why: &str, began: u64) {
        {
            let mut state = self.state();
            state.trouble = Some(why.to_owned());
            if why.contains(NOT_IN_TIME) || why.contains(BROKE) {
                // Nobody knows how far the script came.
                state.marked.insert(job.pod.name.clone());
            } else {
                state.asked.retain(|(_, pod)| *pod != job.pod.name);
            }
        }
        for mount in mounts {
            let error = Some(why.to_owned());
            self.journal.push(What::Canary(Canary { pod: job.pod.clone(), claim: mount.claim.clone(), error: error.clone(), ..Canary::default() }));
            self.journal.push(What::Read(Read {
                pod: job.pod.clone(),
                container: container.to_owned(),
                claim: mount.claim.clone(),
                mount_path: mount.path.clone(),
                began,
                error,
                ..Read::default()
            }));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// How long after the container's start the content was written, at most.
    ///
    /// By when we saw it, and by the node's clock, which tells start and writing in whole seconds.
    fn delay(&self, now: u64, written: &[i64]) -> Duration {
        let took = Duration::from_nanos(now.saturating_sub(self.running_at)).min(PATIENCE);
        let after = |at: &i64| u64::try_from(at - self.started?).ok().map(Duration::from_secs).filter(|it| *it <= PATIENCE);
        let told = written.iter().filter_map(after).max();
        match (self.witnessed, told) {
            (true, Some(told)) => took.min(told + Duration::from_secs(1)),
            (true, None) => took,
            (false, told) => told.unwrap_or_default(),
        }
    }
}

fn job(pod: &Incarnation, first_life: bool) -> Job {
    let any_container = pod.spec().containers.iter().find(|it| runs(pod, &it.name)).map(|it| it.name.clone());
    let starts = pod.pod.status.container_statuses.iter().filter_map(|it| it.state.running.as_ref()?.started_at.as_deref()?.parse::<jiff::Timestamp>().ok());
    let started = starts.map(|it| it.as_second()).max();
    Job { pod: reference(pod), mounted: Mounted::of(pod), running_at: pod.running_at.unwrap_or(0), ready_at: pod.ready_at, first_life, witnessed: pod.added.after.is_some(), started, any_container }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
