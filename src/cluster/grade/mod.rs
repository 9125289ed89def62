//! One grade, from the first question to the last write: permissions, recorder, tour, restoring.
//!
//! It has two phases, because the report is printed as soon as it can be judged: [`Grade::run`]
//! ends with the recording's `End` line, [`Grade::restore`] puts everything back after it.

pub mod announce;
mod autoscaler;
mod changing_steps;
pub mod in_cluster;
pub(crate) mod inquiries;
pub mod permissions;
pub mod rbac;
pub(crate) mod set_before;
mod stalled;
mod step_end;
mod subject;
pub mod suggest_namespace;
pub(crate) mod tour;

pub use crate::cluster::grade::announce::Announcement;
pub(crate) use crate::cluster::grade::subject::one_set_or_named;

use std::{collections::BTreeSet, ops::ControlFlow, panic::AssertUnwindSafe, time::Duration};

use checks::model::{
    Fact, Timeline,
    observation::{End, EndReason, Inquiry, Phase, Step, StepName, Subject},
};
use futures::FutureExt as _;
use tokio::sync::watch;

use crate::cluster::client::namespace;
use crate::cluster::{
    Cluster, Failure, Interrupt, Journal, Recorder,
    client::{lease_term, lease_term::LostLease},
    dns::NameQuestions,
    exec::ephemeral::ProbeContainers,
    grade::{
        announce::{announcement, reserve},
        autoscaler::{Autoscaled, autoscaled, no_autoscaler},
        inquiries::InquiryWriter,
        permissions::{Allowed, permissions},
        set_before::set_names,
        step_end::TourEnd,
        subject::{FirstLists, subject},
        tour::Tour,
    },
    inspect::Inspector,
    restore::{
        Restored, Restorer, cleanup,
        cleanup::AppliedObjects,
        close, existing_lease, finish_found, lease,
        lease::OwnLease,
        older_claims::remove_canaries_from_older_claims,
        restore_point::{RestorePoint, seen_claims},
    },
    writes::{
        apply::{ApplyResult, apply},
        delete::Left,
        existing::missing_objects,
        namespace::{OUR_LEVEL, ensure_namespace},
        terminating::nothing_terminating,
    },
};
use crate::{
    console::sanitize::sanitize,
    submission::{AppliedKind, Manifest, Submission},
};

/// How long the watches may take to show what was applied: connections may break meanwhile.
const APPLIED_SHOWN_WITHIN: Duration = Duration::from_secs(60);
/// How long the watches may take to catch up before the judged part ends.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(20);

/// What is asked of a grade.
#[derive(Clone, Debug, Default)]
pub struct GradeRequest {
    /// `--statefulset`: which set, where several stand.
    pub statefulset: Option<String>,
    /// `--timeout`: the tour ends in time for restoring, which is never cut off.
    pub timeout: Option<Duration>,
    /// `-f`: what is applied first.
    pub submission: Option<Submission>,
    /// `--cleanup`: what `-f` made is removed in the end.
    pub cleanup: bool,
    /// `--trust`: a namespace that has to be made gets no Pod Security level.
    pub trust: bool,
    /// `--probe-image`: reads where the image has no shell.
    pub probe_image: Option<String>,
    /// `--force`: takes over from a grader that still seems to be at work.
    pub force: bool,
}

/// One grade, from the start of the watches until everything is restored.
pub struct Grade<'a> {
    cluster: &'a Cluster,
    journal: &'a Journal,
    interrupt: &'a Interrupt,
    recorder: Recorder,
    autoscaled: Vec<Autoscaled>,
    /// The Lease, from the first change on.
    lease: Option<OwnLease>,
    /// The pods that canaries were written for; `None` when nobody knows.
    with_canaries: Option<BTreeSet<String>>,
    earlier_leftovers: Option<Vec<String>>,
    /// What `-f` made.
    applied: AppliedObjects,
    cleanup: bool,
    why: EndReason,
    probe_image: Option<String>,
}

impl<'a> Grade<'a> {
    /// Looks, tours and ends the judged part of the recording.
    ///
    /// # Errors
    /// It could not be graded: no permission, several sets, somebody else is grading, an
    /// autoscaler. Then nothing was changed, or everything was put back.
    pub async fn run(
        cluster: &'a Cluster,
        journal: &'a Journal,
        request: &GradeRequest,
        interrupt: &'a Interrupt,
        announce: &(dyn Fn(&Announcement) + Sync),
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, Failure> {
        let (mut applied, mut ready) = (AppliedObjects::default(), Ok(()));
        if let Some(submission) = &request.submission {
            let (namespace, outcome) = ensure_namespace(cluster, request.trust).await;
            (applied, ready) = (AppliedObjects::of(submission, namespace), outcome);
        }
        let begun = match ready {
            Ok(()) => Self::begin(cluster, journal, request, interrupt, applied.clone(), say).await,
            Err(failure) => Err(failure),
        };
        let failed = match begun {
            Err(failure) => FailedGrade { failure, applied, lease: None, recorder: None },
            Ok((mut grade, allowed)) => {
                match grade.apply_and_tour(&allowed, request, announce).await {
                    Ok(tour_end) => {
                        grade.catch_up(&tour_end).await;
                        grade.end(tour_end);
                        return Ok(grade);
                    }
                    Err(failure) => grade.give_up(failure),
                }
            }
        };
        Err(failed.clean_after_failure(cluster, journal, request, interrupt).await)
    }

    /// Ends a grade that could not be made.
    fn give_up(mut self, failure: Failure) -> FailedGrade {
        if failure.is_in_the_manifest() {
            self.refuse(&failure);
        }
        FailedGrade {
            failure,
            applied: self.applied,
            lease: self.lease,
            recorder: Some(self.recorder),
        }
    }

    /// All that comes before the first change.
    async fn begin(
        cluster: &'a Cluster,
        journal: &'a Journal,
        request: &GradeRequest,
        interrupt: &'a Interrupt,
        mut applied: AppliedObjects,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<(Self, Allowed), Failure> {
        let (exists, allowed) = tokio::join!(namespace::exists(cluster), permissions(cluster));
        exists?;
        let allowed = allowed?;
        // Before the first list: what a killed grade left is not what the submission asks for.
        let earlier_leftovers = finish_first(cluster, journal, request, interrupt, say).await?;
        let (recorder, autoscaled) =
            tokio::join!(Recorder::start(cluster, journal), autoscaled(cluster, &allowed));
        let recorder = recorder?;
        applied.claims_before = journal.with(seen_claims);
        let cleanup = request.cleanup;
        let grade = Self {
            cluster,
            journal,
            interrupt,
            recorder,
            autoscaled,
            lease: None,
            with_canaries: None,
            earlier_leftovers,
            applied,
            cleanup,
            why: EndReason::Complete,
            probe_image: request.probe_image.clone(),
        };
        Ok((grade, allowed))
    }

    /// Whether the namespace was made for this grade.
    #[must_use]
    pub const fn made_namespace(&self) -> bool {
        self.applied.namespace.is_some()
    }

    /// What `-f` applied.
    #[must_use]
    pub const fn applied(&self) -> &ApplyResult {
        &self.applied.result
    }

    /// Why the judged part ended.
    #[must_use]
    pub const fn why(&self) -> EndReason {
        self.why
    }

    /// Puts everything back, and ends the recording.
    pub async fn restore(self) -> Restored {
        let restored = match &self.lease {
            None => self.put_back(None).await,
            Some(lease) if self.deletes_namespace() && lease.take_again().await => {
                // With the namespace the Lease is deleted long before the last pod, so it is not
                // renewed meanwhile.
                let restored = self.put_back(Some(lease)).await;
                // The Lease is still there only where the namespace could not be deleted.
                let _ = lease.delete().await;
                restored
            }
            Some(lease) => self.put_back_with_lease(lease).await,
        };
        self.recorder.stop().await;
        self.journal.flush();
        restored
    }

    /// Whether the namespace was made for this grade and goes with all that is in it.
    const fn deletes_namespace(&self) -> bool {
        self.cleanup && self.applied.namespace.is_some()
    }

    /// Puts everything back for as long as the Lease is ours, and closes that.
    async fn put_back_with_lease(&self, lease: &OwnLease) -> Restored {
        let mut restored = Restored::default();
        // One that was only not renewed in time may still be nobody's.
        if lease.take_again().await {
            tokio::select! {
                done = self.put_back(Some(lease)) => restored = done,
                _ = lease.renew_until_lost() => (),
            }
        }
        match lease.loss() {
            None => close(lease, &mut restored).await,
            Some(loss) => restored
                .left
                .push(format!("{}; nothing was changed after that", lease_term::failure(&loss))),
        }
        restored
    }

    /// Restores the set, if the Lease has a restore point of it, and removes what `-f` made, if that
    /// is asked for.
    async fn put_back(&self, lease: Option<&OwnLease>) -> Restored {
        let mut restored = Restored::default();
        let point = lease.and_then(OwnLease::point).filter(|it| !it.uid.is_empty());
        let probe =
            self.probe_image.as_deref().map(|image| ProbeContainers::new(self.cluster, image));
        // What is about to be removed need not be restored.
        let is_removed = |it: &RestorePoint| self.cleanup && self.applied.has_made_set(&it.set);
        match (lease, point) {
            (Some(_), Some(point)) if is_removed(&point) => {
                restored.not_restorable = self.clear_older_claims(probe.as_ref()).await;
            }
            (Some(lease), Some(point)) => {
                let restorer = Restorer {
                    cluster: self.cluster,
                    journal: self.journal,
                    lease,
                    with_canaries: self.with_canaries.clone(),
                    probe: probe.as_ref(),
                    is_successor: point.was_left(),
                };
                restored = restorer.run(&point, self.interrupt).await;
            }
            _ => {}
        }
        if self.cleanup {
            let (cluster, journal) = (self.cluster, self.journal);
            restored.not_removed =
                cleanup::clean(cluster, journal, &self.applied, self.interrupt).await;
            // What is left to restore is left by itself: the Lease tells of no clean-up any more.
            if let Some(lease) = lease.filter(|_| restored.is_only_cleaned()) {
                let _ = lease.announce_removals(&[]).await;
            }
        }
        restored
    }

    /// Removes the canaries from the claims that stay when the sets go that were made over them;
    /// what may be left.
    async fn clear_older_claims(&self, probe: Option<&ProbeContainers<'_>>) -> Vec<String> {
        remove_canaries_from_older_claims(
            self.cluster,
            self.journal,
            &self.applied,
            self.with_canaries.as_ref(),
            probe,
            self.interrupt,
        )
        .await
    }

    /// Ends the recording and puts nothing back, because the namespace is about to be deleted.
    pub async fn end_without_restoring(self) {
        if let Some(lease) = &self.lease {
            // It goes with the namespace if this fails.
            let _ = lease.delete().await;
        }
        self.recorder.stop().await;
        self.journal.flush();
    }

    /// Takes the Lease, applies the submission, and performs the tour.
    async fn apply_and_tour(
        &mut self,
        allowed: &Allowed,
        request: &GradeRequest,
        announce: &(dyn Fn(&Announcement) + Sync),
    ) -> Result<TourEnd, Failure> {
        let (cluster, journal) = (self.cluster, self.journal);
        if let Some(submission) = &request.submission {
            nothing_terminating(cluster, journal, &self.applied.sets, self.interrupt).await?;
            let missing = missing_objects(cluster, submission).await?;
            self.take_lease(&missing).await?;
        }
        let lease = self.lease.clone();
        let prepared = tokio::select! {
            prepared = self.before_the_tour(allowed, request) => prepared?,
            loss = renew_if_taken(lease) => return Err(lease_term::failure(&loss)),
        };
        let subject = match prepared {
            ControlFlow::Continue(subject) => subject,
            ControlFlow::Break(tour_end) => return Ok(tour_end),
        };
        match AssertUnwindSafe(self.tour(&subject, request, announce)).catch_unwind().await {
            Ok(tour_end) => tour_end,
            // Restoring and reporting go on with what was seen.
            Err(_) => Ok(TourEnd {
                why: EndReason::Obstacle,
                detail: Some("stsgrade itself failed; please report this as a bug".to_owned()),
            }),
        }
    }

    /// Applies the submission, and learns which set is graded; `Break` where there is nothing to
    /// tour.
    async fn before_the_tour(
        &mut self,
        allowed: &Allowed,
        request: &GradeRequest,
    ) -> Result<ControlFlow<TourEnd, Subject>, Failure> {
        let (cluster, journal) = (self.cluster, self.journal);
        if let Some(submission) = &request.submission {
            self.apply(submission).await?;
            if let Some(tour_end) = self.await_shown(request).await {
                return Ok(ControlFlow::Break(tour_end));
            }
            if let Some(lease) = self.lease.as_ref().filter(|_| self.cleanup) {
                lease.announce_removals(&self.applied.removals(cluster)).await?;
            }
        }
        let named =
            request.statefulset.as_deref().or_else(|| only_set(request.submission.as_ref()));
        let mut first_lists = journal.with(FirstLists::of);
        let result = &self.applied.result;
        first_lists.add(
            result
                .created
                .iter()
                .chain(&result.configured)
                .filter(|(kind, _)| *kind == AppliedKind::StatefulSet)
                .map(|(_, it)| it),
        );
        let subject = subject(cluster, allowed, first_lists, named).await?;
        journal.push(Fact::Subject(subject.clone()));
        if subject.stateful_set.is_none() {
            return Ok(ControlFlow::Break(TourEnd {
                why: EndReason::Obstacle,
                detail: Some("the namespace holds no StatefulSet".to_owned()),
            }));
        }
        let set = journal.with(set_names);
        nothing_terminating(cluster, journal, &[set], self.interrupt).await?;
        Ok(ControlFlow::Continue(subject))
    }

    async fn apply(&mut self, submission: &Submission) -> Result<(), Failure> {
        self.journal.push(Fact::Step(Step::new(StepName::Apply, Phase::Begin)));
        let outcome = apply(self.cluster, submission, &mut self.applied.result).await;
        let end = match &outcome {
            Ok(()) => Step {
                answer: Some(self.applied.result.words()),
                // By this the judge knows whose level refuses a pod.
                pod_security: self.applied.has_our_level.then(|| OUR_LEVEL.to_owned()),
                // By this, which pods and claims are the submission's own.
                applied: self.applied.result.objects(),
                ..Step::new(StepName::Apply, Phase::Done)
            },
            Err(failure) => Step {
                answer: Some(failure.to_string()),
                ..Step::new(StepName::Apply, Phase::Refused)
            },
        };
        self.journal.push(Fact::Step(end));
        outcome
    }

    /// Waits until the watches show every applied object as the API server answered it: what they
    /// show before is not the submission. Why the tour ends before it begins, where that did not
    /// come.
    async fn await_shown(&self, request: &GradeRequest) -> Option<TourEnd> {
        let _shown =
            self.journal.awaits("the watches to show what was applied", APPLIED_SHOWN_WITHIN);
        let within = request
            .timeout
            .map_or(APPLIED_SHOWN_WITHIN, |timeout| APPLIED_SHOWN_WITHIN.min(timeout / 2));
        tokio::select! {
            reached = self.recorder.positions().wait_until_reached(&self.applied.result.answered, within) => {
                let why = format!("the watches did not show what was applied within {} s", within.as_secs());
                (!reached).then_some(TourEnd { why: EndReason::Obstacle, detail: Some(why) })
            }
            () = self.interrupt.first() => Some(TourEnd { why: EndReason::Interrupted, detail: None }),
        }
    }

    async fn tour(
        &mut self,
        subject: &Subject,
        request: &GradeRequest,
        announce: &(dyn Fn(&Announcement) + Sync),
    ) -> Result<TourEnd, Failure> {
        let (cluster, journal, interrupt) = (self.cluster, self.journal, self.interrupt);
        let name = subject.stateful_set.as_ref().map(|it| it.name.as_str()).unwrap_or_default();
        no_autoscaler(cluster, &self.autoscaled, name)?;
        let probe =
            request.probe_image.as_deref().map(|image| ProbeContainers::new(cluster, image));
        let inspector = Inspector::new(cluster, journal, probe.as_ref());
        let names = NameQuestions::new(cluster, journal, &inspector, probe.as_ref());
        let inquiry_writer = InquiryWriter::new(cluster, journal);
        let deadline = request.timeout.map(|timeout| {
            journal.started() + timeout.saturating_sub(journal.with(reserve).min(timeout / 2))
        });
        let positions = self.recorder.positions().clone();
        let (lease_sender, lease) = watch::channel(self.lease.clone());
        let tour = Tour {
            cluster,
            journal,
            positions,
            inspector: &inspector,
            names: &names,
            inquiry_writer: &inquiry_writer,
            interrupt,
            deadline,
            timeout: request.timeout,
            lease: lease.clone(),
        };
        let created = self.applied.result.has_created_set(name);
        let prepare = async || {
            self.write_restore_point().await?;
            lease_sender.send_replace(self.lease.clone());
            announce(&journal.with(|timeline| {
                announcement(timeline, request.timeout, self.earlier_leftovers.clone())
            }));
            inspector.open();
            Ok(())
        };
        let tour_end = tokio::select! {
            tour_end = tour.run(created, prepare) => tour_end,
            never = inspector.run_forever() => match never {},
            never = names.run_forever() => match never {},
            never = inquiry_writer.run_forever() => match never {},
            loss = renew_once_taken(lease) => Ok(TourEnd { why: EndReason::Obstacle, detail: Some(lease_term::failure(&loss).to_string()) }),
        };
        self.with_canaries = Some(inspector.with_canaries());
        tour_end
    }

    /// Takes the Lease, before anything is applied; `missing`: what did not stand before.
    async fn take_lease(&mut self, missing: &[&Manifest]) -> Result<(), Failure> {
        let removals =
            if self.cleanup { self.applied.removals_before(self.cluster, missing) } else { vec![] };
        let taken = lease::acquire(self.cluster, None, &removals).await?;
        self.lease = Some(taken.map_err(|found| found.failure(self.cluster))?);
        Ok(())
    }

    /// Writes the restore point to the Lease, which is taken now at the latest, before the set is
    /// changed.
    async fn write_restore_point(&mut self) -> Result<(), Failure> {
        let mut point = self.journal.with(restore_point);
        point.probed = self.probe_image.is_some();
        match &self.lease {
            Some(lease) => lease.write(&point).await?,
            None => {
                let taken = lease::acquire(self.cluster, Some(&point), &[]).await?;
                self.lease = Some(taken.map_err(|found| found.failure(self.cluster))?);
            }
        }
        Ok(())
    }

    /// Lets the watches tell what has happened until now: what they have not told by the end is not
    /// judged.
    async fn catch_up(&self, tour_end: &TourEnd) {
        if tour_end.why == EndReason::Interrupted {
            return;
        }
        let _shown = self.journal.awaits("the watches to catch up", CAUGHT_UP_WITHIN);
        tokio::select! {
            // What is not told by then stays unseen.
            _ = self.recorder.catch_up(self.cluster, CAUGHT_UP_WITHIN) => (),
            () = self.interrupt.first() => (),
        }
    }

    /// Ends the recording with what the API server refused, which is all that is judged.
    fn refuse(&mut self, failure: &Failure) {
        self.journal.push(Fact::Inquiry(Inquiry::ManifestRefused(failure.refusal())));
        self.end(TourEnd { why: EndReason::Obstacle, detail: Some(failure.what.clone()) });
    }

    fn end(&mut self, tour_end: TourEnd) {
        let (cluster, journal) = (self.cluster, self.journal);
        self.why = tour_end.why;
        journal.push(Fact::End(End {
            why: tour_end.why,
            detail: tour_end.detail,
            requests: cluster.own_requests(),
            watch_events: cluster.watch_events(),
            wall_ms: u64::try_from(journal.started().elapsed().as_millis()).unwrap_or(u64::MAX),
        }));
    }
}

/// A grade that could not be made, and what it leaves to be cleaned up.
struct FailedGrade {
    failure: Failure,
    applied: AppliedObjects,
    lease: Option<OwnLease>,
    /// It goes on meanwhile: by its watches it is seen what there is to be removed.
    recorder: Option<Recorder>,
}

impl FailedGrade {
    /// Removes what was applied, if that is asked for, and a namespace that was made for nothing, and
    /// closes the Lease. The failure, with what is left.
    async fn clean_after_failure(
        self,
        cluster: &Cluster,
        journal: &Journal,
        request: &GradeRequest,
        interrupt: &Interrupt,
    ) -> Failure {
        let Self { failure, applied, lease, recorder } = self;
        let mut cleans = request.cleanup || applied.result == ApplyResult::default();
        // Without the Lease, another grader may work there by now, or a student.
        let mut left_namespace = None;
        if lease.is_none() && applied.namespace.is_some() && cleanup::is_used(cluster).await {
            cleans = false;
            left_namespace = Some(format!(
                "namespace {}, which was made, and in which somebody may work by now",
                sanitize(&cluster.namespace)
            ));
        }
        let clean = async {
            if cleans {
                cleanup::clean(cluster, journal, &applied, interrupt).await
            } else {
                vec![]
            }
        };
        let left = match &lease {
            None => clean.await,
            // With the namespace the Lease is deleted long before the last pod, so it is not
            // renewed meanwhile.
            Some(lease) if cleans && applied.namespace.is_some() && lease.take_again().await => {
                let left = clean.await;
                let _ = lease.delete().await;
                left
            }
            Some(lease) => clean_with_lease(lease, clean).await,
        };
        if let Some(recorder) = recorder {
            recorder.stop().await;
        }
        let kept = request.submission.as_ref().filter(|_| !cleans);
        let kept = kept.and_then(|it| applied.result.applied_note(it));
        let failure = kept.into_iter().fold(failure, Failure::because);
        let left = left.into_iter().map(|it| it.what).chain(left_namespace);
        left.fold(failure, |failure, it| failure.leaving(&it))
    }
}

/// Finishes what a killed grade left, if there was one; what stays of it all the same. `--timeout`
/// bounds this too.
async fn finish_first(
    cluster: &Cluster,
    journal: &Journal,
    request: &GradeRequest,
    interrupt: &Interrupt,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Option<Vec<String>>, Failure> {
    let finish = async {
        let Some(found) = existing_lease::find_left(cluster, request.force, interrupt, say).await?
        else {
            return Ok(None);
        };
        finish_found(cluster, &found, request.probe_image.as_deref(), interrupt).await.map(Some)
    };
    let left = request.timeout.map(|timeout| timeout.saturating_sub(journal.started().elapsed()));
    let finished = match left {
        None => finish.await,
        Some(left) => tokio::time::timeout(left, finish).await.unwrap_or_else(|_| {
            let what = "an earlier grade was interrupted, and putting back what it left took \
                longer than `--timeout`";
            Err(Failure::new(
                "not_restored",
                what,
                format!(
                    "Run `stsgrade restore -n {}`, and \
                grade again.",
                    sanitize(&cluster.namespace)
                ),
            ))
        }),
    };
    let Some(restored) = finished? else { return Ok(None) };
    let Some(first) = restored.left.first() else {
        return Ok(Some([restored.not_restorable, restored.notes].concat()));
    };
    let what = format!("an earlier grade left something that could not be put back: {first}");
    Err(Failure::new(
        "not_restored",
        what,
        format!(
            "Put it back by hand, and delete the Lease: `kubectl delete lease stsgrade -n {}`.",
            sanitize(&cluster.namespace)
        ),
    ))
}

/// The set that a submission means, if it has just one.
fn only_set(submission: Option<&Submission>) -> Option<&str> {
    let mut names = submission?.statefulsets();
    let first = names.next()?;
    names.next().is_none().then_some(first)
}

fn restore_point(timeline: &Timeline) -> RestorePoint {
    timeline.set().map_or_else(RestorePoint::default, |set| RestorePoint {
        set: set.name.clone(),
        uid: set.uid.clone(),
        replicas: set.spec.replicas_or_one(),
        claims: seen_claims(timeline),
        ..RestorePoint::default()
    })
}

/// Cleans up for as long as the Lease is ours, and closes that; what is left.
async fn clean_with_lease(lease: &OwnLease, clean: impl Future<Output = Vec<Left>>) -> Vec<Left> {
    // One that was only not renewed in time may still be nobody's.
    lease.take_again().await;
    let mut left = tokio::select! {
        left = clean => left,
        loss = lease.renew_until_lost() => return vec![Left::not_held(lease_term::failure(&loss).to_string())],
    };
    let mut closed = Restored::default();
    close(lease, &mut closed).await;
    left.extend(closed.left.into_iter().map(Left::not_held));
    left
}

/// Renews the Lease once there is one, until it is lost.
async fn renew_once_taken(mut lease: watch::Receiver<Option<OwnLease>>) -> LostLease {
    renew_if_taken(lease.wait_for(Option::is_some).await.ok().and_then(|it| it.clone())).await
}

/// Renews the Lease, if there is one, until it is lost.
async fn renew_if_taken(lease: Option<OwnLease>) -> LostLease {
    match lease {
        Some(own) => tokio::select! {
            loss = own.renew_until_lost() => loss,
            loss = own.lost() => loss,
        },
        None => std::future::pending().await,
    }
}
