//! Putting everything back as it was found: replicas, canaries, and the claims that the grade caused.
//!
//! It works from a restore point that may have been forged, so it does only what a grade could have
//! made necessary: a claim is deleted only if it is of an ordinal beyond the replicas as found, from the
//! set's templates, not listed and newer than the Lease.

use std::{collections::BTreeSet, time::Duration};

use checks::model::{
    Fault, Timeline, Wait, What,
    observation::{Asked, Phase, Reference, Step, StepName},
};
use futures::future::join_all;

use super::{
    Cluster, Failure, Interrupt, Journal, Recorder, Waited,
    deletion::remove_claims,
    exec::{NO_SHELL, Place, exec, random_word, records, script},
    lease::{self, Found, Held, RestorePoint},
    mounts::{Mounted, as_guest, choose, reference},
    pace::Pace,
    preflight,
    probe::Probe,
    tour::ask_replicas,
};
use crate::{recording::Header, untrusted::show};

/// The most that anybody's set is scaled back to.
const MOST_REPLICAS: i32 = 1000;
/// How long an API server may be away that is to put the replicas back: nobody else will do it.
const BACK: Duration = Duration::from_secs(300);
/// How many ordinals beyond the replicas as found a grade uses.
const BEYOND: i32 = 2;
/// For a claim to go once nothing uses it.
const CLAIMS_GO: Duration = Duration::from_secs(60);
/// For the watch to show what was written.
const SHOWN: Duration = Duration::from_secs(5);
/// For the pods that hold canaries to come up again.
const WITHIN: Duration = Duration::from_secs(15);

/// What restoring came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// What is left, a line each; empty when everything is as it was found.
    pub left: Vec<String>,
    /// What can only go once the submission is mended: files on the volumes of a pod that does not come up.
    pub stays: Vec<String>,
    /// What `--cleanup` could not remove.
    pub litter: Vec<String>,
}

/// Finishes what a grade that died left behind. `Ok(None)`: there is nothing to finish.
///
/// # Errors
/// No connection or permission, or the grader is still at work and `force` is not given.
pub async fn finish(cluster: &Cluster, force: bool, probe_image: Option<&str>, interrupt: &Interrupt) -> Result<Option<Restored>, Failure> {
    let Some(found) = lease::find_left(cluster, force).await? else {
        preflight::exists(cluster).await?;
        return Ok(None);
    };
    finish_found(cluster, &found, probe_image, interrupt).await.map(Some)
}

/// As [`finish`], for a Lease that was found.
pub(super) async fn finish_found(cluster: &Cluster, found: &Found, probe_image: Option<&str>, interrupt: &Interrupt) -> Result<Restored, Failure> {
    let Some(point) = &found.point else {
        found.held.release(cluster).await?;
        found.forget();
        return Ok(Restored { stays: litter(cluster, found), ..Restored::default() });
    };
    let journal = Journal::unkept(&Header::now(&cluster.version, &cluster.namespace, crate::recording::Asked::default()));
    let recorder = Recorder::start(cluster, &journal).await?;
    let exists = journal.with(|timeline| timeline.sets().any(|set| set.uid == point.uid));
    let mut restored = if exists {
        let subject = checks::model::observation::Subject {
            namespace: cluster.namespace.clone(),
            stateful_set: Some(Reference { name: point.set.clone(), uid: point.uid.clone() }),
            others: vec![],
        };
        journal.push(What::Subject(subject));
        // The image is the caller's: the one of a Lease might be anybody's.
        let probe = probe_image.map(|image| Probe::new(cluster, image));
        Restorer { cluster, journal: &journal, point, held: &found.held, marked: None, probe: probe.as_ref() }.run(interrupt).await
    } else {
        // Another set of that name is none of the grade's business.
        Restored { stays: vec![gone(&point.set)], ..Restored::default() }
    };
    recorder.stop().await;
    restored.stays.extend(litter(cluster, found));
    close(cluster, &found.held, &mut restored).await;
    if restored.left.is_empty() {
        found.forget();
    }
    Ok(restored)
}

/// Takes the Lease away, or leaves it to whoever finishes the job.
pub(super) async fn close(cluster: &Cluster, held: &Held, restored: &mut Restored) {
    if !restored.left.is_empty() {
        // It ends by itself if this fails.
        let _ = held.leave(cluster).await;
    } else if let Err(failure) = held.release(cluster).await {
        restored.left.push(format!("Lease {}: {failure}", preflight::LEASE));
    }
}

/// What is left where the set itself is not there any more.
fn gone(set: &str) -> String {
    format!("perhaps files named .stsgrade-… on the claims of {set}, which somebody else deleted; the next grade of a set with these claims removes them")
}

/// What the clean-up would have removed that the grade died before. A Lease may be forged, so it is only told.
fn litter(cluster: &Cluster, found: &Found) -> Vec<String> {
    if found.litter.is_empty() {
        return vec![];
    }
    let namespace = show(&cluster.namespace);
    let command = format!("kubectl delete -n {namespace} {}", found.litter.join(" "));
    let has_set = found.litter.iter().any(|it| it.starts_with("statefulset/"));
    let claims = if has_set { format!(", and the set's claims (`kubectl get pvc -n {namespace}` shows them)") } else { String::new() };
    vec![format!("an interrupted `grade -f --cleanup` left what it had applied: remove it with `{command}`{claims}")]
}

#[derive(Default)]
struct Outcome {
    left: BTreeSet<String>,
    stays: Vec<String>,
}

/// Restores one set.
pub(super) struct Restorer<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) journal: &'a Journal,
    pub(super) point: &'a RestorePoint,
    pub(super) held: &'a Held,
    /// The pods that canaries were written for; `None` when nobody knows.
    pub(super) marked: Option<BTreeSet<String>>,
    /// Where no container of a pod has a shell.
    pub(super) probe: Option<&'a Probe<'a>>,
}

impl Restorer<'_> {
    /// Restores, verified on the watches; a second interrupt stops it.
    pub(super) async fn run(&self, interrupt: &Interrupt) -> Restored {
        self.step(Phase::Begin, None);
        let mut restored = Outcome::default();
        let interrupted = tokio::select! {
            () = self.all(&mut restored) => false,
            () = interrupt.second() => true,
        };
        let Outcome { mut left, stays } = restored;
        if interrupted {
            left = self.journal.with(|timeline| self.outstanding(timeline));
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

    async fn all(&self, outcome: &mut Outcome) {
        let mut replicas = self.point.replicas.clamp(0, MOST_REPLICAS);
        let stands =
            self.journal.with(|timeline| timeline.set().is_some_and(|set| set.uid == self.point.uid && set.gone.is_none() && set.asked_to_go.is_none()));
        if !stands {
            outcome.stays.push(gone(&self.point.set));
            outcome.left.extend(self.claims(replicas).await);
            return;
        }
        if let Some(theirs) = self.journal.with(|timeline| self.foreign(timeline)) {
            outcome.stays.push(format!("{} keeps {theirs} replicas, as somebody else asked for while it was graded", self.point.set));
            replicas = theirs;
        // The decisive write first: all else can be done later, or by hand. It is sent again even
        // where it looks needless, because the newest change may not have been seen yet.
        } else if let Err(failure) = ask_replicas(self.cluster, &self.point.set, replicas, BACK).await {
            outcome.left.insert(format!("replicas of {}: {failure}", self.point.set));
            outcome.left.extend(self.journal.with(|timeline| self.outstanding(timeline)));
            return;
        }
        // A set that is still shown with 0 replicas looks as if no pod would ever come.
        let shown = |timeline: &Timeline| match timeline.set() {
            Some(set) if set.spec.replicas.unwrap_or(1) != replicas => Wait::Going("the replicas as found".to_owned()),
            _ => Wait::Done,
        };
        let _ = self.journal.wait_quietly(SHOWN, shown).await;
        let (claims, canaries) = tokio::join!(self.claims(replicas), self.canaries(replicas, &mut outcome.stays));
        outcome.left.extend(claims);
        outcome.left.extend(canaries);
    }

    /// The replicas that somebody else asked for last, during the tour: they are not fought.
    fn foreign(&self, timeline: &Timeline) -> Option<i32> {
        let last = timeline.set()?.scales.last()?.to;
        let mut asked = timeline.steps().iter().flat_map(|step| &step.asked).peekable();
        let is_theirs = asked.peek().is_some() && asked.all(|(_, it)| *it != Asked::Replicas(last)) && last != self.point.replicas;
        is_theirs.then_some(last)
    }

    /// What still differs, when there is no time to do anything about it.
    fn outstanding(&self, timeline: &Timeline) -> BTreeSet<String> {
        let mut left = BTreeSet::new();
        if let Some(set) = timeline.set().filter(|set| set.spec.replicas.unwrap_or(1) != self.point.replicas) {
            left.insert(format!("{} has {} replicas, not {}", set.name, set.spec.replicas.unwrap_or(1), self.point.replicas));
        }
        left.extend(self.caused(timeline, self.point.replicas).into_iter().map(|it| format!("claim {}", it.name)));
        left.insert("perhaps files named .stsgrade-… on the pods' claims".to_owned());
        left
    }

    /// Deletes the claims that the grade caused, once their pods are gone; what is left of them.
    async fn claims(&self, replicas: i32) -> Vec<String> {
        let (pace, beyond) = self.journal.with(|timeline| {
            let first = timeline.start().saturating_add(replicas);
            (timeline.set().map(|set| Pace::of(&set.spec)), timeline.owned().filter(|pod| pod.ordinal >= first).count())
        });
        let Some(pace) = pace else { return vec![] };
        let budget = pace.fall(i32::try_from(beyond).unwrap_or(i32::MAX));
        if let Waited::TimedOut { awaited } = self.journal.wait(budget, |timeline| timeline.fallen(replicas)).await {
            return vec![format!("waited in vain for {awaited}")];
        }
        let caused = self.journal.with(|timeline| self.caused(timeline, replicas));
        remove_claims(self.cluster, self.journal, &caused, CLAIMS_GO).await
    }

    /// The claims that only the grade can have caused, and that are still there.
    fn caused(&self, timeline: &Timeline, replicas: i32) -> Vec<Reference> {
        let first = timeline.start().saturating_add(replicas);
        let names = (first..first.saturating_add(BEYOND)).flat_map(|ordinal| super::settled::claim_names(timeline, ordinal));
        names
            .filter(|name| !self.point.claims.contains(name))
            .filter_map(|name| {
                let life = timeline.claim(&name).last().filter(|it| it.gone.is_none() && self.is_newer(it.claim.metadata.creation_timestamp.as_deref()))?;
                Some(Reference { uid: life.uid().to_owned(), name })
            })
            .collect()
    }

    /// Whether something was created since the Lease was, by the server's clock.
    fn is_newer(&self, created: Option<&str>) -> bool {
        created.and_then(|it| it.parse::<jiff::Timestamp>().ok()).is_some_and(|it| it.as_second() >= self.held.since.as_second())
    }

    /// Removes our files from the claims of the pods as found; what is left of them.
    ///
    /// A pod that the submission itself keeps from coming up keeps its files: `stays` tells, because
    /// restoring again could do no more.
    async fn canaries(&self, replicas: i32, stays: &mut Vec<String>) -> Vec<String> {
        let Some(pace) = self.journal.with(|timeline| timeline.set().map(|set| Pace::of(&set.spec))) else { return vec![] };
        let start = self.journal.with(Timeline::start);
        // A set that this grade has seen fail will hardly come up now.
        let failed = self.journal.judged(|timeline| timeline.obstacle().map(|it| it.fault));
        let ours = |ordinal: &i32| self.marked.as_ref().is_none_or(|marked| marked.contains(&format!("{}-{ordinal}", self.point.set)));
        // They come up one after the other.
        let budget = |count: i32| if failed.is_some() { Duration::from_secs(5) * count.unsigned_abs() } else { pace.rise(count) };
        let pods = (start..start.saturating_add(replicas))
            .filter(ours)
            .map(async |ordinal| (ordinal, self.canaries_of(ordinal, start, budget(ordinal - start + 1)).await));
        let mut left = vec![];
        for (ordinal, outcome) in join_all(pods).await {
            let absent = format!("perhaps files named .stsgrade-… on the claims of {}-{ordinal}, which does not come up", self.point.set);
            match outcome {
                Ok(files) => left.extend(files),
                Err(fault) if fault.or(failed) == Some(Fault::Submission) => stays.push(format!("{absent}; the next grade removes them")),
                Err(_) => left.push(absent),
            }
        }
        left
    }

    /// Removes our files from the claims of one pod, once it is Ready; what is left of them, or whose fault
    /// it is that the pod does not come up, if anybody knows.
    async fn canaries_of(&self, ordinal: i32, start: i32, budget: Duration) -> Result<Vec<String>, Option<Fault>> {
        let ready = |timeline: &Timeline| match timeline.live(ordinal).filter(|pod| pod.is_ready()) {
            Some(_) => Wait::Done,
            None => match timeline.risen(ordinal - start + 1) {
                Wait::Done => Wait::Going("a pod".to_owned()),
                other => other,
            },
        };
        match self.journal.wait_quietly(budget, ready).await {
            Waited::Done => {}
            Waited::Stuck(obstacle) => return Err(Some(obstacle.fault)),
            Waited::TimedOut { .. } => return Err(None),
        }
        let Some((pod, mounted)) = self.journal.with(|timeline| timeline.live(ordinal).map(|pod| (reference(pod), Mounted::of(pod)))) else {
            return Ok(vec![]);
        };
        let stays = remove_canaries(self.cluster, self.probe, &pod, mounted).await;
        // Without a shell there was none to write with either, but for a container of our own.
        Ok(stays.into_iter().filter(|it| self.point.probed || !it.contains(NO_SHELL)).collect())
    }
}

/// Removes our files from one pod's claims, by a container of our own where there is no shell; what is left of them.
pub(super) async fn remove_canaries(cluster: &Cluster, probe: Option<&Probe<'_>>, pod: &Reference, mut mounted: Vec<Mounted>) -> Vec<String> {
    let (mut left, mut closed) = (vec![], vec![]);
    let mut without_shell: BTreeSet<String> = BTreeSet::new();
    let perhaps = |why: &str| format!("perhaps files named .stsgrade-… in pod {}: {why}", pod.name);
    while let Some((container, mounts)) = choose(&mounted, &without_shell) {
        match remove(cluster, pod, &container, &mounts).await {
            Ok(files) => left.extend(files),
            Err(why) if why.contains(NO_SHELL) && mounted.iter().any(|it| it.has_other(&without_shell, &container)) => {
                without_shell.insert(container);
                continue;
            }
            Err(why) if why.contains(NO_SHELL) && probe.is_some() => closed.extend(mounts.iter().cloned()),
            Err(why) if why.contains("no permission") => {}
            Err(why) => left.push(perhaps(&why)),
        }
        mounted.retain(|it| !mounts.iter().any(|mount| mount.is_same(it)));
    }
    let Some(probe) = probe.filter(|_| !closed.is_empty()) else { return left };
    let mounts = as_guest(&closed);
    match probe.enter(pod, &mounts).await {
        Ok(guest) => {
            left.extend(remove(cluster, pod, guest.container(), &mounts).await.unwrap_or_else(|why| vec![perhaps(&why)]));
            probe.leave(guest).await;
        }
        Err(why) => left.push(perhaps(&why)),
    }
    left
}

/// The canaries that would not go.
async fn remove(cluster: &Cluster, pod: &Reference, container: &str, mounts: &[Mounted]) -> Result<Vec<String>, String> {
    let word = random_word()?;
    let paths = mounts.iter().map(|it| it.path.clone());
    let command = script(include_str!("restore.sh"), [word.clone()].into_iter().chain(paths));
    let output = exec(cluster, Place { pod: &pod.name, container }, &command, WITHIN).await?;
    let records = records(&output.stdout, &word);
    if !records.iter().any(|(key, _)| *key == "end") {
        return Err("the answer was cut off".to_owned());
    }
    let left = records.iter().filter(|(key, _)| *key == "left");
    Ok(left.map(|(_, file)| format!("{} in pod {}", String::from_utf8_lossy(file), pod.name)).collect())
}
