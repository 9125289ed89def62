//! Putting everything back as it was found: replicas and who owns them, canaries, and the claims
//! that the grade caused.
//!
//! It works from a restore point that may have been forged, and somebody may have worked here since
//! it was written. So it does only what a grade has surely made necessary. The set is scaled back
//! only while it has the replicas that the grade last asked for. A claim is deleted only if nobody
//! has changed the set's spec since the grade asked, and it is of an ordinal beyond the replicas as
//! found, from the set's templates, not listed, and newer than the Lease; where the grade is dead,
//! also only if nobody is seen to have written on it. All else is somebody else's: it is named and
//! left.

pub(crate) mod canaries;
mod claims;
pub(crate) mod cleanup;
pub(crate) mod existing_lease;
pub(crate) mod lease;
pub(crate) mod older_claims;
pub(crate) mod process_lock;
mod removal;
mod replicas;
pub(crate) mod restore_point;
mod stays;
mod written_files;

use std::{collections::BTreeSet, time::Duration};

use checks::model::{
    Fact, MAX_REPLICAS, Timeline, WaitStatus,
    observation::{Phase, Reference, Step, StepName},
};

use crate::cluster::client::{failure_id, lease_term, namespace};
pub use crate::cluster::writes::delete::Left;
use crate::cluster::{
    Cluster, Failure, Interrupt, Journal, Recorder,
    exec::ephemeral::ProbeContainers,
    restore::{
        existing_lease::ExistingLease, lease::OwnLease, replicas::PutBack,
        restore_point::RestorePoint,
    },
    writes::{scale, scale::CurrentSet},
};
use crate::{
    console::{count::counted, sanitize::sanitize},
    recording::Header,
};

/// How long an API server may be away that is to put the replicas back: nobody else will do it.
const PUT_BACK_TIMEOUT: Duration = Duration::from_secs(300);
/// How long is waited for the watch to show the replicas as restored.
const REPLICAS_SHOWN_WITHIN: Duration = Duration::from_secs(5);
/// How long one command may take that removes canaries, or lists what was written.
const EXEC_TIMEOUT: Duration = Duration::from_secs(15);

/// What restoring came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// What is left, a line each; empty when everything is as it was found.
    pub left: Vec<String>,
    /// What restoring again would not put back either, a line each: files on PVCs that cannot be
    /// reached now, replicas and PVCs that may be somebody else's, all of a Lease that cannot be
    /// right, what an interrupted clean-up left.
    pub not_restorable: Vec<String>,
    /// What is otherwise than it was found, and no more to be put back.
    pub notes: Vec<String>,
    /// What `--cleanup` could not remove.
    pub not_removed: Vec<Left>,
}

impl Restored {
    /// All that was made is removed, and something else is left.
    pub(crate) const fn is_only_cleaned(&self) -> bool {
        self.not_removed.is_empty() && !self.left.is_empty()
    }
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
    let Some(found) = existing_lease::find_left(cluster, force, interrupt, say).await? else {
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
    let Some(lease) = found.take_over(cluster).await? else { return Ok(Restored::default()) };
    let finished = tokio::select! {
        finished = put_back(cluster, &lease, probe_image, interrupt) => finished,
        loss = lease.renew_until_lost() => Err(lease_term::failure(&loss)),
    };
    let mut restored = match finished {
        Ok(restored) => restored,
        Err(failure) => {
            // It ends by itself if this fails.
            let _ = lease.release().await;
            return Err(failure);
        }
    };
    restored.not_restorable.extend(found.unread(cluster));
    restored.not_restorable.extend(unfinished_cleanup(cluster, found));
    close(&lease, &mut restored).await;
    if restored.left.is_empty() {
        found.forget();
    }
    Ok(restored)
}

async fn put_back(
    cluster: &Cluster,
    lease: &OwnLease,
    probe_image: Option<&str>,
    interrupt: &Interrupt,
) -> Result<Restored, Failure> {
    // Nothing had been changed, or nobody knows what: see `ExistingLease::unread`.
    let Some(point) = &lease.point() else { return Ok(Restored::default()) };
    if !(0..=MAX_REPLICAS).contains(&point.replicas) {
        let why = format!(
            "the Lease says that {} had {}, with which no grade begins: nothing was changed",
            point.set,
            counted(point.replicas, "replica", "replicas")
        );
        return Ok(Restored { not_restorable: vec![why], ..Restored::default() });
    }
    let journal = Journal::unkept(&Header::now(
        cluster.version_text(),
        &cluster.namespace,
        crate::recording::AskedOptions::default(),
    ));
    let recorder = Recorder::start(cluster, &journal).await?;
    let exists = journal.with(|timeline| timeline.sets().any(|set| set.uid == point.uid));
    // The image is the caller's: the one of a Lease might be anybody's.
    let probe = probe_image.map(|image| ProbeContainers::new(cluster, image));
    let restorer = Restorer {
        cluster,
        journal: &journal,
        lease,
        with_canaries: None,
        probe: probe.as_ref(),
        is_successor: true,
    };
    let restored = if exists {
        let subject = checks::model::observation::Subject {
            namespace: cluster.namespace.clone(),
            stateful_set: Some(Reference { name: point.set.clone(), uid: point.uid.clone() }),
            ..Default::default()
        };
        journal.push(Fact::Subject(subject));
        restorer.run(point, interrupt).await
    } else {
        // Another set of that name is none of the grade's business.
        Restored { not_restorable: restorer.of_deleted_set(point), ..Restored::default() }
    };
    recorder.stop().await;
    Ok(restored)
}

/// Deletes the Lease, or releases it for whoever finishes the job.
pub(crate) async fn close(lease: &OwnLease, restored: &mut Restored) {
    if !restored.left.is_empty() {
        // It ends by itself if this fails.
        let _ = lease.release().await;
    } else if let Err(failure) = lease.delete().await {
        restored.left.push(format!("Lease {}: {failure}", lease_term::LEASE_NAME));
    }
}

/// What the clean-up would have removed that the grade died before. A Lease may be forged, so it is
/// only told.
fn unfinished_cleanup(cluster: &Cluster, found: &ExistingLease) -> Vec<String> {
    if found.to_remove.is_empty() {
        return vec![];
    }
    let namespace = sanitize(&cluster.namespace);
    let command = format!("kubectl delete -n {namespace} {}", found.to_remove.join(" "));
    let has_set = found.to_remove.iter().any(|it| it.starts_with("statefulset/"));
    let claims = if has_set {
        format!(", and the set's PVCs (`kubectl get pvc -n {namespace}` shows them)")
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
    not_restorable: Vec<String>,
    notes: Vec<String>,
}

/// A set after the attempt to put its replicas back, if there was one.
struct ScaledBack {
    now: CurrentSet,
    /// The claims that the grade caused.
    caused: Vec<Reference>,
    /// It has the replicas as found.
    is_as_found: bool,
}

/// Restores one set.
pub(crate) struct Restorer<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) journal: &'a Journal,
    pub(crate) lease: &'a OwnLease,
    /// The pods that canaries were written for; `None` when nobody knows.
    pub(crate) with_canaries: Option<BTreeSet<String>>,
    /// Where no container of a pod has a shell.
    pub(crate) probe: Option<&'a ProbeContainers<'a>>,
    /// The Lease was nobody's for a while, and somebody may have worked here then: the grade was
    /// another process that died, or lost its Lease and took it again.
    pub(crate) is_successor: bool,
}

impl Restorer<'_> {
    /// Restores, verified on the watches; a second interrupt stops it.
    pub(crate) async fn run(&self, point: &RestorePoint, interrupt: &Interrupt) -> Restored {
        self.step(Phase::Begin, None);
        let mut restored = RestoreOutcome::default();
        let interrupted = tokio::select! {
            () = self.restore_all(point, &mut restored) => false,
            () = interrupt.second() => true,
        };
        let RestoreOutcome { mut left, not_restorable, notes } = restored;
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
        Restored { left, not_restorable, notes, not_removed: vec![] }
    }

    fn step(&self, phase: Phase, answer: Option<String>) {
        self.journal.push(Fact::Step(Step { answer, ..Step::new(StepName::Restore, phase) }));
    }

    /// Puts the replicas back, and then removes claims and canaries.
    async fn restore_all(&self, point: &RestorePoint, outcome: &mut RestoreOutcome) {
        let set = Reference { name: point.set.clone(), uid: point.uid.clone() };
        // The set as it is now: the watch may not have shown the newest change yet.
        let found = match scale::look(self.cluster, &set.name, PUT_BACK_TIMEOUT).await {
            Ok(found) => found.filter(|it| it.uid == set.uid && !it.is_terminating),
            Err(failure) => return self.give_up(point, &failure, outcome),
        };
        let Some(found) = found else {
            outcome.not_restorable.extend(self.of_deleted_set(point));
            return;
        };
        let mut looked_at = BTreeSet::new();
        let scaled = if point.is_as_asked(found.replicas) {
            self.scale_back_and_collect_claims(&set, &found, point, &mut looked_at, outcome).await
        } else {
            Some(ScaledBack { now: found.clone(), caused: vec![], is_as_found: false })
        };
        let Some(ScaledBack { now, caused, is_as_found }) = scaled else { return };
        // Claims of replicas that stay are not the grade's to delete.
        let caused = if is_as_found { caused } else { vec![] };
        if !is_as_found {
            self.leave_replicas(point, now.replicas, outcome);
        }
        self.await_shown(now.replicas).await;
        let mut not_restorable = vec![];
        let last = || {
            if is_as_found && point.asked.is_some() {
                self.last_claims(point, &found, &mut looked_at, &mut not_restorable)
            } else {
                vec![]
            }
        };
        let (claims, canaries) = tokio::join!(
            self.delete_caused_claims(&set, &now, &caused, last),
            self.remove_all_canaries(point, now.replicas, &mut outcome.not_restorable)
        );
        outcome.not_restorable.extend(not_restorable);
        outcome.not_restorable.extend(claims.kept);
        outcome.left.extend(claims.left);
        outcome.left.extend(canaries);
        // Last: until then the set tells a successor who asked for its replicas.
        if is_as_found && outcome.left.is_empty() {
            outcome.notes.extend(self.restore_replicas_ownership(&set, point).await);
        }
    }

    /// Collects the claims that the grade caused, removes canaries that can be removed only now, and
    /// puts the replicas back. `None`: nothing more can be done.
    async fn scale_back_and_collect_claims(
        &self,
        set: &Reference,
        found: &CurrentSet,
        point: &RestorePoint,
        looked_at: &mut BTreeSet<String>,
        outcome: &mut RestoreOutcome,
    ) -> Option<ScaledBack> {
        // Before the pods go: what is on the claims can be seen only while they run.
        let mut caused =
            self.own_claims(point, found, looked_at, &mut outcome.not_restorable).await;
        let files = self.remove_canaries_before_they_go(point, &caused).await;
        let told = "the next grade that gives that PVC a pod removes them";
        outcome.not_restorable.extend(files.into_iter().map(|it| format!("{it}: {told}")));
        // That took a while, in which the set goes on making claims.
        let more = self.own_claims(point, found, looked_at, &mut outcome.not_restorable).await;
        caused.extend(more);
        // The decisive write first: all else can be done later, or by hand.
        match self.restore_replicas(set, found, point, &caused).await {
            Ok(PutBack::AsFound) => match self.look(set).await {
                Ok(now) => {
                    // Somebody may have scaled it directly after that.
                    let is_as_found = now.replicas == point.replicas;
                    return Some(ScaledBack { now, caused, is_as_found });
                }
                Err(failure) if failure.id == failure_id::SET_GONE => {
                    outcome.not_restorable.extend(self.of_deleted_set(point));
                }
                Err(failure) => self.give_up(point, &failure, outcome),
            },
            Ok(PutBack::SomebodyScaled { to }) => {
                let now = CurrentSet { replicas: to, ..found.clone() };
                return Some(ScaledBack { now, caused, is_as_found: false });
            }
            Ok(PutBack::WouldDelete { claims }) => {
                outcome.not_restorable.push(self.would_delete(point, found, &claims));
                self.remove_canaries_only(point, found, outcome).await;
            }
            Err(failure) => self.give_up(point, &failure, outcome),
        }
        None
    }

    /// Removes the grade's files where its replicas stay.
    async fn remove_canaries_only(
        &self,
        point: &RestorePoint,
        found: &CurrentSet,
        outcome: &mut RestoreOutcome,
    ) {
        let left =
            self.remove_all_canaries(point, found.replicas, &mut outcome.not_restorable).await;
        outcome.left.extend(left);
    }

    /// Nothing more can be done, because the replicas could not be looked at or put back.
    fn give_up(&self, point: &RestorePoint, failure: &Failure, outcome: &mut RestoreOutcome) {
        outcome.left.insert(format!("replicas of {}: {failure}", point.set));
        outcome.left.extend(self.journal.with(|timeline| self.outstanding(timeline, point)));
    }

    /// Waits until the watch shows these replicas: a set that is still shown with 0 looks as if no
    /// pod would ever come.
    async fn await_shown(&self, replicas: i32) {
        let shown = |timeline: &Timeline| match timeline.set() {
            Some(set) if set.spec.replicas_or_one() != replicas => {
                WaitStatus::Awaited("the replicas as found".to_owned())
            }
            _ => WaitStatus::Done,
        };
        let _ = self.journal.wait_quietly(REPLICAS_SHOWN_WITHIN, shown).await;
    }
}
