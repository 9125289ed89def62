//! Putting everything back as it was found: replicas, canaries, and the claims that the grade
//! caused.
//!
//! It works from a restore point that may have been forged, and somebody may have worked here since
//! it was written. So it does only what a grade has surely made necessary. The set is scaled back
//! only while it has the replicas that the grade last asked for. A claim is deleted only if nobody
//! has changed the set's spec since the grade asked, and it is of an ordinal beyond the replicas as
//! found, from the set's templates, not listed, and newer than the Lease; where the grade is dead,
//! also only if nobody is seen to have written on it. All else is somebody else's: it is named and
//! left.

pub(crate) mod cleanup;
pub(crate) mod lease;
pub(crate) mod process_lock;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use checks::model::{
    Fault, MOST_REPLICAS, PodLife, Timeline, WaitStatus, What,
    observation::{Phase, Reference, Step, StepName},
};
use futures::future::join_all;

use crate::cluster::client::{lease_term, namespace};
use crate::cluster::{
    Cluster, Failure, Interrupt, Journal, Recorder, WaitResult,
    budget::StepBudget,
    exec::{
        NO_SHELL, Place,
        ephemeral::Probe,
        exec,
        mounts::{Mounted, as_guest, choose, reference},
        random_word, records, script,
    },
    restore::lease::{ExistingLease, LeaseGuard, RestorePoint},
    writes::{delete::remove_claims, scale, scale::Scaled},
};
use crate::{console::sanitize::sanitize, recording::Header};

/// How long an API server may be away that is to put the replicas back: nobody else will do it.
const BACK: Duration = Duration::from_secs(300);
/// How many ordinals beyond the replicas as found a grade uses.
const BEYOND: i32 = 2;
/// For a claim to go once nothing uses it.
const CLAIMS_GO: Duration = Duration::from_secs(60);
/// For the watch to show what was written.
const SHOWN: Duration = Duration::from_secs(5);
/// For one command that removes canaries, or lists what was written.
const WITHIN: Duration = Duration::from_secs(15);
/// How long removing one pod's canaries is tried again.
const REMOVING: Duration = Duration::from_secs(120);
/// Between two tries.
const AGAIN: Duration = Duration::from_secs(1);
/// What a container writes within so many seconds of its start may be the start's doing.
const AT_START: i64 = 2;
/// So many pods show what a start writes.
const SIBLINGS: usize = 5;

/// What restoring came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// What is left, a line each; empty when everything is as it was found.
    pub left: Vec<String>,
    /// What can only go once the submission is mended: files on the volumes of a pod that does not
    /// come up.
    pub stays: Vec<String>,
    /// What `--cleanup` could not remove.
    pub litter: Vec<String>,
}

/// Finishes what a grade that died left behind. `Ok(None)`: there is nothing to finish.
///
/// `say` hears what takes long.
///
/// # Errors
/// No connection or permission, or the grader is still at work and `force` is not given.
pub async fn finish(
    cluster: &Cluster,
    force: bool,
    probe_image: Option<&str>,
    interrupt: &Interrupt,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Option<Restored>, Failure> {
    let Some(found) = lease::find_left(cluster, force, interrupt, say).await? else {
        namespace::exists(cluster).await?;
        return Ok(None);
    };
    finish_found(cluster, &found, probe_image, interrupt).await.map(Some)
}

/// As [`finish`], for a Lease that was found: it is taken before anything is put back.
pub(crate) async fn finish_found(
    cluster: &Cluster,
    found: &ExistingLease,
    probe_image: Option<&str>,
    interrupt: &Interrupt,
) -> Result<Restored, Failure> {
    let Some(held) = found.take_over(cluster).await? else { return Ok(Restored::default()) };
    let finished = tokio::select! {
        finished = put_back(cluster, &held, probe_image, interrupt) => finished,
        loss = held.keep() => Err(lease_term::failure(&loss)),
    };
    let mut restored = match finished {
        Ok(restored) => restored,
        Err(failure) => {
            // It ends by itself if this fails.
            let _ = held.leave().await;
            return Err(failure);
        }
    };
    restored.stays.extend(litter(cluster, found));
    close(&held, &mut restored).await;
    if restored.left.is_empty() {
        found.forget();
    }
    Ok(restored)
}

async fn put_back(
    cluster: &Cluster,
    held: &LeaseGuard,
    probe_image: Option<&str>,
    interrupt: &Interrupt,
) -> Result<Restored, Failure> {
    // Nothing had been changed.
    let Some(point) = &held.point() else { return Ok(Restored::default()) };
    if !(0..=MOST_REPLICAS).contains(&point.replicas) {
        let stays = format!(
            "the lock says that {} had {} replicas, with which no grade begins: nothing was \
            changed",
            point.set, point.replicas
        );
        return Ok(Restored { stays: vec![stays], ..Restored::default() });
    }
    let journal = Journal::unkept(&Header::now(
        &cluster.version,
        &cluster.namespace,
        crate::recording::AskedOptions::default(),
    ));
    let recorder = Recorder::start(cluster, &journal).await?;
    let exists = journal.with(|timeline| timeline.sets().any(|set| set.uid == point.uid));
    let restored = if exists {
        let subject = checks::model::observation::Subject {
            namespace: cluster.namespace.clone(),
            stateful_set: Some(Reference { name: point.set.clone(), uid: point.uid.clone() }),
            others: vec![],
        };
        journal.push(What::Subject(subject));
        // The image is the caller's: the one of a Lease might be anybody's.
        let probe = probe_image.map(|image| Probe::new(cluster, image));
        Restorer {
            cluster,
            journal: &journal,
            held,
            marked: None,
            probe: probe.as_ref(),
            is_successor: true,
        }
        .run(point, interrupt)
        .await
    } else {
        // Another set of that name is none of the grade's business.
        Restored { stays: vec![deleted(&point.set)], ..Restored::default() }
    };
    recorder.stop().await;
    Ok(restored)
}

/// Takes the Lease away, or leaves it to whoever finishes the job.
pub(crate) async fn close(held: &LeaseGuard, restored: &mut Restored) {
    if !restored.left.is_empty() {
        // It ends by itself if this fails.
        let _ = held.leave().await;
    } else if let Err(failure) = held.release().await {
        restored.left.push(format!("Lease {}: {failure}", lease_term::LEASE));
    }
}

/// Whether a pod of those that stay ends again and again: the controller does not go below one that
/// is not Ready, but to 0.
fn is_held_up(timeline: &Timeline, replicas: i32) -> bool {
    let start = timeline.start();
    let mut stay =
        (start..start.saturating_add(replicas)).filter_map(|ordinal| timeline.live(ordinal));
    !timeline.deletes_when_scaled() && stay.any(|pod| timeline.is_crashing(pod))
}

/// What is left where the set itself is not there any more.
fn deleted(set: &str) -> String {
    format!(
        "perhaps files named .stsgrade-… on the claims of {set}, which somebody else deleted; the \
        next grade of a set with these claims removes them"
    )
}

/// What the clean-up would have removed that the grade died before. A Lease may be forged, so it is
/// only told.
fn litter(cluster: &Cluster, found: &ExistingLease) -> Vec<String> {
    if found.litter.is_empty() {
        return vec![];
    }
    let namespace = sanitize(&cluster.namespace);
    let command = format!("kubectl delete -n {namespace} {}", found.litter.join(" "));
    let has_set = found.litter.iter().any(|it| it.starts_with("statefulset/"));
    let claims = if has_set {
        format!(", and the set's claims (`kubectl get pvc -n {namespace}` shows them)")
    } else {
        String::new()
    };
    vec![format!(
        "an interrupted `grade -f --cleanup` left what it had applied: remove it with \
        `{command}`{claims}"
    )]
}

#[derive(Default)]
struct RestoreOutcome {
    left: BTreeSet<String>,
    stays: Vec<String>,
}

/// Restores one set.
pub(crate) struct Restorer<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) journal: &'a Journal,
    pub(crate) held: &'a LeaseGuard,
    /// The pods that canaries were written for; `None` when nobody knows.
    pub(crate) marked: Option<BTreeSet<String>>,
    /// Where no container of a pod has a shell.
    pub(crate) probe: Option<&'a Probe<'a>>,
    /// The grade was another process, and somebody may have worked here since it died.
    pub(crate) is_successor: bool,
}

impl Restorer<'_> {
    /// Restores, verified on the watches; a second interrupt stops it.
    pub(crate) async fn run(&self, point: &RestorePoint, interrupt: &Interrupt) -> Restored {
        self.step(Phase::Begin, None);
        let mut restored = RestoreOutcome::default();
        let interrupted = tokio::select! {
            () = self.all(point, &mut restored) => false,
            () = interrupt.second() => true,
        };
        let RestoreOutcome { mut left, stays } = restored;
        if interrupted {
            left = self.journal.with(|timeline| self.outstanding(timeline, point));
        }
        let phase = if interrupted {
            Phase::Interrupted
        } else if left.is_empty() {
            Phase::Done
        } else {
            Phase::TimedOut
        };
        let left: Vec<String> = left.into_iter().collect();
        self.step(phase, (!left.is_empty()).then(|| left.join("; ")));
        Restored { left, stays, litter: vec![] }
    }

    fn step(&self, phase: Phase, answer: Option<String>) {
        self.journal.push(What::Step(Step { name: StepName::Restore, phase, asked: None, answer }));
    }

    async fn all(&self, point: &RestorePoint, outcome: &mut RestoreOutcome) {
        let set = Reference { name: point.set.clone(), uid: point.uid.clone() };
        // The set as it is now: the watch may not have shown the newest change yet.
        let found = match scale::look(self.cluster, &set.name, BACK).await {
            Ok(found) => found.filter(|it| it.uid == set.uid && !it.is_going),
            Err(failure) => {
                outcome.left.insert(format!("replicas of {}: {failure}", set.name));
                outcome
                    .left
                    .extend(self.journal.with(|timeline| self.outstanding(timeline, point)));
                return;
            }
        };
        let Some(mut found) = found else {
            outcome.stays.push(deleted(&set.name));
            return;
        };
        let (mut replicas, mut caused) = (point.replicas, vec![]);
        if point.is_as_asked(found.replicas) {
            // Before the pods go: what is on the claims can be seen only while they run.
            caused = self.own_claims(point, &found, &mut outcome.stays).await;
            if found.replicas > replicas
                && self.journal.with(|timeline| is_held_up(timeline, replicas))
            {
                self.empty(&set, &mut found).await;
            }
            // The decisive write first: all else can be done later, or by hand.
            if let Err(failure) = self.scale_back(&set, &found, replicas).await {
                outcome.left.insert(format!("replicas of {}: {failure}", set.name));
                outcome
                    .left
                    .extend(self.journal.with(|timeline| self.outstanding(timeline, point)));
                return;
            }
        } else {
            replicas = found.replicas;
            let asked = point.asked.unwrap_or(point.replicas);
            outcome.stays.push(format!(
                "{} keeps {replicas} replicas, as somebody else asked for: \
                the grade had last asked for {asked}",
                set.name
            ));
            let theirs = if point.asked.is_some() {
                self.journal.with(|timeline| self.unlisted(timeline, point))
            } else {
                vec![]
            };
            outcome.stays.extend(theirs.iter().map(|it| {
                format!("claim {} stays, because somebody else scaled the set since", it.name)
            }));
        }
        // A set that is still shown with 0 replicas looks as if no pod would ever come.
        let shown = |timeline: &Timeline| match timeline.set() {
            Some(set) if set.spec.replicas.unwrap_or(1) != replicas => {
                WaitStatus::Going("the replicas as found".to_owned())
            }
            _ => WaitStatus::Done,
        };
        let _ = self.journal.wait_quietly(SHOWN, shown).await;
        let (claims, canaries) = tokio::join!(
            self.claims(replicas, &caused),
            self.canaries(point, replicas, &mut outcome.stays)
        );
        outcome.left.extend(claims);
        outcome.left.extend(canaries);
    }

    /// Removes all pods, where those that stay would keep those beyond from going. If this fails,
    /// the next step says so.
    async fn empty(&self, set: &Reference, found: &mut Scaled) {
        let budget =
            self.journal.with(|timeline| timeline.set().map(|set| StepBudget::of(&set.spec)));
        let Some(budget) = budget else { return };
        if self.scale_back(set, found, 0).await.is_ok() {
            self.journal
                .wait(budget.scale_down(found.replicas), |timeline| timeline.scaled_down(0))
                .await;
        }
        if let Ok(Some(now)) = scale::look(self.cluster, &set.name, BACK).await {
            *found = now;
        }
    }

    /// Asks for the replicas as found, unless somebody has just asked for others.
    async fn scale_back(
        &self,
        set: &Reference,
        found: &Scaled,
        replicas: i32,
    ) -> Result<(), Failure> {
        if found.replicas == replicas {
            return Ok(());
        }
        self.held.asking(replicas, found, BACK).await?;
        scale::ask(self.cluster, set, found.replicas, replicas, BACK).await?;
        self.held.asked().await;
        Ok(())
    }

    /// What still differs, when there is no time to do anything about it.
    fn outstanding(&self, timeline: &Timeline, point: &RestorePoint) -> BTreeSet<String> {
        let mut left = BTreeSet::new();
        if let Some(set) =
            timeline.set().filter(|set| set.spec.replicas.unwrap_or(1) != point.replicas)
        {
            left.insert(format!(
                "{} has {} replicas, not {}",
                set.name,
                set.spec.replicas.unwrap_or(1),
                point.replicas
            ));
        }
        left.extend(
            self.unlisted(timeline, point).into_iter().map(|it| format!("claim {}", it.name)),
        );
        left.insert("perhaps files named .stsgrade-… on the pods' claims".to_owned());
        left
    }

    /// Waits until the pods beyond are gone, and deletes the claims that the grade caused; what is
    /// left of them.
    async fn claims(&self, replicas: i32, caused: &[Reference]) -> Vec<String> {
        let (budget, beyond) = self.journal.with(|timeline| {
            let first = timeline.start().saturating_add(replicas);
            (
                timeline.set().map(|set| StepBudget::of(&set.spec)),
                timeline.owned().filter(|pod| pod.ordinal >= first).count(),
            )
        });
        let Some(budget) = budget else { return vec![] };
        let budget = budget.scale_down(i32::try_from(beyond).unwrap_or(i32::MAX));
        if let WaitResult::TimedOut { awaited } =
            self.journal.wait(budget, |timeline| timeline.scaled_down(replicas)).await
        {
            return vec![format!("waited in vain for {awaited}")];
        }
        remove_claims(self.cluster, self.journal, caused, CLAIMS_GO).await
    }

    /// The claims that are surely the grade's own: the set has made them because the grade asked
    /// for more pods, and nobody has changed the set since, nor, as far as can be seen, written on
    /// them.
    async fn own_claims(
        &self,
        point: &RestorePoint,
        found: &Scaled,
        stays: &mut Vec<String>,
    ) -> Vec<Reference> {
        let mut own = vec![];
        if point.asked.is_none() {
            return own;
        }
        let known = if self.is_successor { self.known_files(point).await } else { BTreeSet::new() };
        for claim in self.journal.with(|timeline| self.unlisted(timeline, point)) {
            let created =
                self.journal.with(|timeline| created(timeline, &claim)).unwrap_or(i64::MAX);
            let why = if !point.has_caused(found, created) {
                Some("somebody else changed the set since".to_owned())
            } else if self.is_successor {
                self.used(&claim, &known).await
            } else {
                None
            };
            match why {
                None => own.push(claim),
                Some(why) => stays.push(format!(
                    "claim {} stays, because {why}; if nothing of yours is on it, \
                        delete it: `kubectl delete pvc {}`",
                    claim.name, claim.name
                )),
            }
        }
        own
    }

    /// The names of the files that pods of the set had on their claims while the grade lived,
    /// digits left out.
    async fn known_files(&self, point: &RestorePoint) -> BTreeSet<String> {
        let until = point.until.unwrap_or_default();
        let pods: Vec<(Reference, Vec<Mounted>)> = self.journal.with(|timeline| {
            let first = timeline.start().saturating_add(point.replicas);
            let pods =
                timeline.owned().filter(|pod| pod.ordinal < first && pod.is_ready()).take(SIBLINGS);
            pods.map(|pod| (reference(pod), Mounted::of(pod))).collect()
        });
        let mut known = BTreeSet::new();
        for (pod, mounted) in pods {
            // What cannot be listed tells of no file.
            let files = list_files(self.cluster, &pod, mounted).await.unwrap_or_default();
            known.extend(
                files.into_iter().filter(|(written, _)| *written <= until).map(|(_, name)| name),
            );
        }
        known
    }

    /// Why somebody may have used a claim since its pod was started, if so.
    async fn used(&self, claim: &Reference, known: &BTreeSet<String>) -> Option<String> {
        let users: Vec<(Reference, Vec<Mounted>, Option<i64>, bool)> =
            self.journal.with(|timeline| {
                let mounts =
                    |pod: &PodLife| pod.claims().iter().any(|(_, name)| *name == claim.name);
                let is_own = |pod: &PodLife| timeline.owned().any(|own| own.uid() == pod.uid());
                let pods = timeline.pods().filter(|pod| mounts(pod));
                pods.map(|pod| (reference(pod), Mounted::of(pod), last_start(pod), is_own(pod)))
                    .collect()
            });
        for (pod, mounted, started, is_own) in users {
            if !is_own {
                return Some(format!("pod {} uses it", pod.name));
            }
            let Some(started) = started else { continue };
            let mounted: Vec<Mounted> =
                mounted.into_iter().filter(|it| it.claim == claim.name).collect();
            let files = match list_files(self.cluster, &pod, mounted).await {
                Ok(files) => files,
                Err(why) if why.contains(NO_SHELL) => continue,
                Err(why) => return Some(format!("nobody knows what is on it ({why})")),
            };
            // What a start of the other pods writes, a start of this one may have written, too.
            if files
                .iter()
                .any(|(written, name)| *written > started + AT_START || !known.contains(name))
            {
                return Some(format!(
                    "it holds something that may not be from the start of {}",
                    pod.name
                ));
            }
        }
        None
    }

    /// The claims of the ordinals that a grade adds, which did not exist when it began, and are not
    /// newer than what it did.
    fn unlisted(&self, timeline: &Timeline, point: &RestorePoint) -> Vec<Reference> {
        let first = timeline.start().saturating_add(point.replicas);
        let mut found = vec![];
        for name in
            (first..first.saturating_add(BEYOND)).flat_map(|ordinal| timeline.claim_names(ordinal))
        {
            let Some(life) = timeline
                .claim(&name)
                .last()
                .filter(|it| it.deleted.is_none() && it.deletion_requested.is_none())
            else {
                continue;
            };
            let claim = Reference { uid: life.uid().to_owned(), name };
            let is_newer =
                created(timeline, &claim).is_some_and(|it| it >= self.held.since().as_second());
            if is_newer && !point.claims.contains(&claim.name) {
                found.push(claim);
            }
        }
        found
    }

    /// Removes our files from the claims of the pods as found; what is left of them.
    ///
    /// A pod that the submission itself keeps from coming up keeps its files: `stays` tells,
    /// because restoring again could do no more.
    async fn canaries(
        &self,
        point: &RestorePoint,
        replicas: i32,
        stays: &mut Vec<String>,
    ) -> Vec<String> {
        let Some(budget) =
            self.journal.with(|timeline| timeline.set().map(|set| StepBudget::of(&set.spec)))
        else {
            return vec![];
        };
        let start = self.journal.with(Timeline::start);
        // A set that this grade has seen fail will hardly come up now.
        let failed = self.journal.judged(|timeline| timeline.obstacle().map(|it| it.fault));
        let ours = |ordinal: &i32| {
            self.marked
                .as_ref()
                .is_none_or(|marked| marked.contains(&format!("{}-{ordinal}", point.set)))
        };
        // They come up one after the other.
        let budget = |count: i32| {
            if failed.is_some() {
                Duration::from_secs(5) * count.unsigned_abs()
            } else {
                budget.scale_up(count)
            }
        };
        let pods = (start..start.saturating_add(replicas)).filter(ours).map(async |ordinal| {
            (ordinal, self.canaries_of(point, ordinal, start, budget(ordinal - start + 1)).await)
        });
        let mut left = vec![];
        for (ordinal, outcome) in join_all(pods).await {
            let absent = format!(
                "perhaps files named .stsgrade-… on the claims of {}-{ordinal}, which does not \
                come up",
                point.set
            );
            match outcome {
                Ok(files) => left.extend(files),
                Err(fault) if fault.or(failed) == Some(Fault::Submission) => {
                    stays.push(format!("{absent}; the next grade removes them"))
                }
                Err(_) => left.push(absent),
            }
        }
        left
    }

    /// Removes our files from the claims of one pod, once it is Ready; what is left of them, or
    /// whose fault it is that the pod does not come up, if anybody knows.
    async fn canaries_of(
        &self,
        point: &RestorePoint,
        ordinal: i32,
        start: i32,
        budget: Duration,
    ) -> Result<Vec<String>, Option<Fault>> {
        let ready = |timeline: &Timeline| match timeline.live(ordinal).filter(|pod| pod.is_ready())
        {
            Some(_) => WaitStatus::Done,
            None => match timeline.scaled_up(ordinal - start + 1) {
                WaitStatus::Done => WaitStatus::Going("a pod".to_owned()),
                other => other,
            },
        };
        let began = Instant::now();
        loop {
            match self.journal.wait_quietly(budget, ready).await {
                WaitResult::Done => {}
                WaitResult::Stuck(obstacle) => return Err(Some(obstacle.fault)),
                WaitResult::TimedOut { .. } => return Err(None),
            }
            let Some((pod, mounted)) = self.journal.with(|timeline| {
                timeline.live(ordinal).map(|pod| (reference(pod), Mounted::of(pod)))
            }) else {
                continue;
            };
            let mut left = remove_canaries(self.cluster, self.probe, &pod, mounted).await;
            // Without a shell there was none to write with either, but for a container of our own.
            left.retain(|it| point.probed || !it.contains(NO_SHELL));
            // A connection that was reset, a pod that was replaced at that moment: nobody else will
            // do it.
            let is_final = left.iter().all(|it| it.contains(NO_SHELL));
            if is_final || began.elapsed() >= REMOVING || self.held.loss().is_some() {
                return Ok(left);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// When a claim was created, in seconds since the epoch by the API server's clock.
fn created(timeline: &Timeline, claim: &Reference) -> Option<i64> {
    let life = timeline.claim(&claim.name).last().filter(|it| it.uid() == claim.uid)?;
    life.claim
        .metadata
        .creation_timestamp
        .as_deref()?
        .parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_second)
}

/// When a pod's newest container started, in seconds since the epoch by its node's clock; `None`
/// where none runs.
fn last_start(pod: &PodLife) -> Option<i64> {
    let statuses = pod
        .pod
        .status
        .container_statuses
        .iter()
        .filter_map(|it| it.state.running.as_ref()?.started_at.as_deref());
    statuses.filter_map(|it| it.parse::<jiff::Timestamp>().ok()).map(|it| it.as_second()).max()
}

/// The files on these mounts, canaries left out: when each was last written, in seconds since the
/// epoch by its node's clock, and its path with each number in it as `#`.
async fn list_files(
    cluster: &Cluster,
    pod: &Reference,
    mounted: Vec<Mounted>,
) -> Result<Vec<(i64, String)>, String> {
    let Some((container, mounts)) = choose(&mounted, &BTreeSet::new()) else { return Ok(vec![]) };
    let word = random_word()?;
    let paths = mounts.iter().map(|it| it.path.clone());
    let command =
        script(include_str!("../inspect/written.sh"), [word.clone()].into_iter().chain(paths));
    let output =
        exec(cluster, Place { pod: &pod.name, container: &container }, &command, WITHIN).await?;
    let records = records(&output.stdout, &word);
    if !records.iter().any(|(key, value)| *key == "end" && *value == b"0") {
        return Err("its files could not be listed".to_owned());
    }
    let mut files = vec![];
    for (_, list) in records.iter().filter(|(key, _)| *key == "files") {
        for line in String::from_utf8_lossy(list).lines() {
            // A line that is none belongs to a name with a line break in it: nobody's start writes
            // such a file.
            let (written, name) = line
                .split_once(' ')
                .and_then(|(time, name)| Some((time.parse().ok()?, name)))
                .unwrap_or((i64::MAX, line));
            files.push((written, without_numbers(name)));
        }
    }
    Ok(files)
}

/// `web-3.log` and `web-10.log` are both `web-#.log`.
fn without_numbers(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            c if !c.is_ascii_digit() => plain.push(c),
            _ if plain.ends_with('#') => {}
            _ => plain.push('#'),
        }
    }
    plain
}

/// Removes our files from one pod's claims, by a container of our own where there is no shell; what
/// is left of them.
pub(crate) async fn remove_canaries(
    cluster: &Cluster,
    probe: Option<&Probe<'_>>,
    pod: &Reference,
    mut mounted: Vec<Mounted>,
) -> Vec<String> {
    let (mut left, mut closed) = (vec![], vec![]);
    let mut without_shell: BTreeSet<String> = BTreeSet::new();
    let perhaps = |why: &str| format!("perhaps files named .stsgrade-… in pod {}: {why}", pod.name);
    while let Some((container, mounts)) = choose(&mounted, &without_shell) {
        match remove(cluster, pod, &container, &mounts).await {
            Ok(files) => left.extend(files),
            Err(why)
                if why.contains(NO_SHELL)
                    && mounted.iter().any(|it| it.has_other(&without_shell, &container)) =>
            {
                without_shell.insert(container);
                continue;
            }
            Err(why) if why.contains(NO_SHELL) && probe.is_some() => {
                closed.extend(mounts.iter().cloned())
            }
            Err(why) if why.contains("no permission") => {}
            Err(why) => left.push(perhaps(&why)),
        }
        mounted.retain(|it| !mounts.iter().any(|mount| mount.is_same(it)));
    }
    let Some(probe) = probe.filter(|_| !closed.is_empty()) else { return left };
    let mounts = as_guest(&closed);
    match probe.start(pod, &mounts).await {
        Ok(guest) => {
            left.extend(
                remove(cluster, pod, guest.container(), &mounts)
                    .await
                    .unwrap_or_else(|why| vec![perhaps(&why)]),
            );
            probe.stop(guest).await;
        }
        Err(why) => left.push(perhaps(&why)),
    }
    left
}

/// The canaries that would not go.
async fn remove(
    cluster: &Cluster,
    pod: &Reference,
    container: &str,
    mounts: &[Mounted],
) -> Result<Vec<String>, String> {
    let word = random_word()?;
    let paths = mounts.iter().map(|it| it.path.clone());
    let command = script(include_str!("restore.sh"), [word.clone()].into_iter().chain(paths));
    let output = exec(cluster, Place { pod: &pod.name, container }, &command, WITHIN).await?;
    let records = records(&output.stdout, &word);
    if !records.iter().any(|(key, _)| *key == "end") {
        return Err("the answer was cut off".to_owned());
    }
    let left = records.iter().filter(|(key, _)| *key == "left");
    Ok(left
        .map(|(_, file)| format!("{} in pod {}", String::from_utf8_lossy(file), pod.name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::without_numbers;

    #[test]
    fn names_that_follow_the_ordinal_are_alike() {
        assert_eq!(without_numbers("./web-3/a.10.log"), without_numbers("./web-12/a.7.log"));
        assert_ne!(without_numbers("./work"), without_numbers("./id"));
    }
}
