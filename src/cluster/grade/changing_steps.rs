//! The steps of the tour that change the set, from the moment on at which it had settled.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use checks::model::{
    PodLife, Timeline, Version, WaitStatus,
    observation::{EndReason, Kind, Reference, RequestedChange, StepName},
};

use crate::cluster::{
    Failure,
    budget::StepBudget,
    client::{
        failure_id,
        retry::{MAX_UNAVAILABILITY, retry_while_unavailable},
    },
    exec::mounts::{ClaimView, reference},
    grade::{
        set_before::{SetBefore, change_by_another_in, claims_gone},
        step_end::{StepEnd, TourEnd},
        tour::Tour,
    },
    restore::{canaries::remove_canaries, restore_point::seen_claims},
    writes::{
        delete::delete_pod_once, scale, scale::TakenReplicas, terminating::no_claim_goes_with,
    },
};
use crate::console::sanitize::sanitize;
use crate::plan::StepResult;

/// The longest that the tour waits for the first round of questions to the DNS server.
const FIRST_ANSWERS_TIMEOUT: Duration = Duration::from_secs(4);
/// For claims to go, once their pods are gone.
const CLAIMS_GONE_TIMEOUT: Duration = Duration::from_secs(20);

/// The steps of a tour that change the set.
pub(super) struct ChangingSteps<'t> {
    pub(super) tour: &'t Tour<'t>,
    pub(super) set_before: SetBefore,
    /// The replicas that were asked for, in order.
    pub(super) scalings: Mutex<Vec<TakenReplicas>>,
}

impl ChangingSteps<'_> {
    pub(super) async fn inspect(&self, tour_end: &mut TourEnd) -> StepResult {
        let tour = self.tour;
        tour.begin(StepName::Inspect, None);
        let work = async {
            tour.wait_for_inspections().await;
            tour.names.wait_for_first_answers(tour.within_deadline(FIRST_ANSWERS_TIMEOUT)).await;
            tour.wait_for_told_minute().await;
        };
        let waiting = match tour.unless_interrupted(work).await {
            Some(()) => StepEnd::Done,
            None => StepEnd::Interrupted,
        };
        tour.end(StepName::Inspect, waiting, tour_end).await
    }

    pub(super) async fn replace(&self, ordinal: i32, tour_end: &mut TourEnd) -> StepResult {
        let tour = self.tour;
        let name = StepName::Replace;
        let Some((old, budget)) = tour.journal.with(|timeline| {
            Some((
                reference(timeline.live(ordinal)?),
                StepBudget::within(&timeline.set()?.spec, tour.timeout).replace(),
            ))
        }) else {
            tour.begin(name, None);
            let why = "the pod is gone already: somebody else removed it".to_owned();
            return tour.end(name, StepEnd::Interfered(why), tour_end).await;
        };
        tour.names.replacing(ordinal, &old.uid);
        tour.begin(name, Some(RequestedChange::Delete(old.clone())));
        let ask = async {
            self.end_if_changed().await?;
            self.end_if_claim_is_being_deleted(ordinal..ordinal + 1).await?;
            self.delete(&old).await
        };
        let waiting = match tour.unless_interrupted(ask).await {
            None => StepEnd::Interrupted,
            Some(Err(end)) => end,
            Some(Ok(())) => {
                self.wait_until_up(budget, |timeline| timeline.awaits_successor(&old.uid)).await
            }
        };
        tour.end(name, waiting, tour_end).await
    }

    pub(super) async fn scale(
        &self,
        name: StepName,
        to: i32,
        tour_end: &mut TourEnd,
    ) -> StepResult {
        let tour = self.tour;
        let (now, budget) = tour.journal.with(|timeline| {
            let now = timeline.set().map_or(1, |set| set.spec.replicas_or_one());
            (now, timeline.set().map(|set| StepBudget::within(&set.spec, tour.timeout)))
        });
        let Some(budget) = budget else { return StepResult::Over };
        let before = async {
            if to < now {
                // What is about to go must have been read.
                tour.wait_for_inspections().await;
            }
            if to == 0 {
                self.remove_canaries_of_pods_that_stay_away().await;
            }
        };
        if tour.unless_interrupted(before).await.is_none() {
            *tour_end = TourEnd { why: EndReason::Interrupted, detail: None };
            return StepResult::Over;
        }
        tour.begin(name, Some(RequestedChange::Replicas(to)));
        let ask = async {
            self.end_if_changed().await?;
            if to < now {
                let start = tour.journal.with(Timeline::start);
                self.end_if_claim_is_being_deleted(start.saturating_add(to)..i32::MAX).await?;
            }
            self.ask_replicas(to).await
        };
        let (waiting, is_refused) = match tour.unless_interrupted(ask).await {
            None => (StepEnd::Interrupted, false),
            Some(Err(end)) => {
                let is_refused = matches!(end, StepEnd::Refused(_) | StepEnd::Unanswered(_));
                (end, is_refused)
            }
            Some(Ok(version)) if to < now => {
                (self.wait_down(&budget, now, to, &version).await, false)
            }
            Some(Ok(version)) => (self.wait_up(&budget, now, to, &version).await, false),
        };
        let ended = tour.end(name, waiting, tour_end).await;
        // A policy may refuse the number itself: the tour has a way without more pods.
        if is_refused && name == StepName::ScaleUp {
            StepResult::ClusterLacksSomething
        } else {
            ended
        }
    }

    async fn wait_down(
        &self,
        budget: &StepBudget,
        now: i32,
        to: i32,
        version: &Version,
    ) -> StepEnd {
        let gone = |timeline: &Timeline| self.until_shown(version, timeline.awaits_scale_down(to));
        match self.wait(budget.scale_down(now - to), gone).await {
            // Claims that are deleted with their pods go in a moment, unless a finalizer holds
            // them. Waiting for longer shows no more.
            StepEnd::Done => {
                self.wait(CLAIMS_GONE_TIMEOUT, |timeline| claims_gone(timeline, to)).await
            }
            other => other,
        }
    }

    async fn wait_up(&self, budget: &StepBudget, now: i32, to: i32, version: &Version) -> StepEnd {
        self.unstall(now, to).await;
        let up = |timeline: &Timeline| self.until_shown(version, timeline.awaits_scale_up(to));
        self.wait_until_up(budget.scale_up(to - now), up).await
    }

    /// Waits, unless somebody else changes the set.
    async fn wait(&self, budget: Duration, status: impl Fn(&Timeline) -> WaitStatus) -> StepEnd {
        self.unless_changed(status, async |status| self.tour.wait(budget, status).await).await
    }

    /// Waits for pods to come, unless somebody else changes the set.
    async fn wait_until_up(
        &self,
        budget: Duration,
        status: impl Fn(&Timeline) -> WaitStatus,
    ) -> StepEnd {
        self.unless_changed(status, async |status| self.tour.wait_until_up(budget, status).await)
            .await
    }

    async fn unless_changed(
        &self,
        status: impl Fn(&Timeline) -> WaitStatus,
        wait: impl AsyncFnOnce(&dyn Fn(&Timeline) -> WaitStatus) -> StepEnd,
    ) -> StepEnd {
        let change = |timeline: &Timeline| self.change_by_another(timeline);
        let done_or_changed = |timeline: &Timeline| {
            if change(timeline).is_some() { WaitStatus::Done } else { status(timeline) }
        };
        match wait(&done_or_changed).await {
            StepEnd::Done => {
                self.tour.journal.with(change).map_or(StepEnd::Done, StepEnd::Interfered)
            }
            other => other,
        }
    }

    /// What somebody else has changed in the set, in words: nothing of the plan is for that set.
    fn change_by_another(&self, timeline: &Timeline) -> Option<String> {
        let scalings = self.scalings.lock().unwrap_or_else(PoisonError::into_inner);
        change_by_another_in(timeline, &self.set_before, &scalings)
    }

    /// Removes the canaries before all pods go, where they can be removed only now: of pods that
    /// only the tour asked for, which it does not bring back, on claims that stood before; and of
    /// all pods of a set that is broken, which may not bring them back.
    async fn remove_canaries_of_pods_that_stay_away(&self) {
        let tour = self.tour;
        let with_canaries = tour.inspector.with_canaries();
        let claims = &self.set_before.claims_beyond;
        let pods: Vec<_> = tour.journal.with(|timeline| {
            let is_on_them = |pod: &PodLife| {
                !timeline.ordinals().contains(&pod.ordinal)
                    && pod.claims().iter().any(|(_, claim)| claims.contains(claim))
            };
            let stuck = timeline.obstacles().last().and_then(|it| it.ordinal);
            let broken = stuck.is_some_and(|ordinal| {
                timeline.ordinals().contains(&ordinal) && timeline.live(ordinal).is_some()
            });
            timeline
                .owned()
                .filter(|pod| {
                    let is_written = broken && with_canaries.contains(pod.name());
                    pod.is_ready() && (is_written || is_on_them(pod))
                })
                .map(|pod| (reference(pod), ClaimView::of(pod)))
                .collect()
        });
        for (pod, mounted) in pods {
            if remove_canaries(tour.cluster, tour.inspector.probe(), &pod, mounted).await.is_empty()
            {
                tour.inspector.forget_canaries(&pod.name);
            }
        }
    }

    /// Ends the step where somebody else has changed the set.
    async fn end_if_changed(&self) -> Result<(), StepEnd> {
        match self.tour.journal.with(|timeline| self.change_by_another(timeline)) {
            Some(why) => Err(StepEnd::Interfered(why)),
            None => Ok(()),
        }
    }

    /// Ends the step where a claim of these ordinals' pods is being deleted: it goes with its last
    /// pod.
    async fn end_if_claim_is_being_deleted(
        &self,
        ordinals: std::ops::Range<i32>,
    ) -> Result<(), StepEnd> {
        let tour = self.tour;
        let pods: Vec<(String, Vec<String>)> = tour.journal.with(|timeline| {
            let going = timeline.owned().filter(|pod| ordinals.contains(&pod.ordinal));
            going
                .map(|pod| {
                    (
                        pod.name().to_owned(),
                        pod.claims().into_iter().map(|(_, claim)| claim).collect(),
                    )
                })
                .collect()
        });
        let looked =
            no_claim_goes_with(tour.cluster, &pods, tour.within_deadline(MAX_UNAVAILABILITY)).await;
        looked.map_err(|failure| StepEnd::of(&failure))
    }

    async fn delete(&self, pod: &Reference) -> Result<(), StepEnd> {
        let cluster = self.tour.cluster;
        let ask = async |again| match delete_pod_once(cluster, pod).await {
            Ok(()) => Ok(()),
            // Deleted by the try whose answer was lost.
            Err(kube::Error::Api(status)) if again && matches!(status.code, 404 | 409) => Ok(()),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Err(Failure::new(
                failure_id::CONFLICT,
                format!("somebody else removed pod {}", sanitize(&pod.name)),
                "Grade again.",
            )),
            Err(error) => Err(cluster.failure(&error, "delete", "pods", &pod.name)),
        };
        retry_while_unavailable(self.tour.within_deadline(MAX_UNAVAILABILITY), ask)
            .await
            .map_err(|failure| StepEnd::of(&failure))
    }

    /// Asks for replicas, and gives a version of the set that has them. The Lease says what is asked
    /// for before the set does.
    async fn ask_replicas(&self, replicas: i32) -> Result<Version, StepEnd> {
        let (cluster, set, max_unavailability) = (
            self.tour.cluster,
            &self.set_before.set,
            self.tour.within_deadline(MAX_UNAVAILABILITY),
        );
        let lease = self.tour.lease.borrow().clone();
        let Some((lease, point)) = lease.and_then(|it| it.point().map(|point| (it, point))) else {
            let why = "the Lease that says what to restore is somebody else's by now";
            return Err(StepEnd::Interfered(why.to_owned()));
        };
        let ask = async {
            let found = scale::look(cluster, &set.name, max_unavailability).await?;
            let Some(found) = found.filter(|it| it.uid == set.uid) else {
                return Err(scale::gone(set));
            };
            if !point.is_as_asked(found.replicas) {
                let asked = point.asked.unwrap_or(point.replicas);
                return Err(scale::scaled_by_other(set, asked, found.replicas));
            }
            if found.deletes_claims != self.set_before.deletes_claims {
                return Err(changed_policy(set));
            }
            let claims = self.tour.journal.with(seen_claims);
            lease.asking(replicas, &found, claims, max_unavailability).await?;
            let taken =
                scale::request_replicas(cluster, set, &found, replicas, max_unavailability).await?;
            lease.replicas_accepted().await;
            Ok(taken)
        };
        let taken = ask.await.map_err(|failure: Failure| StepEnd::of(&failure))?;
        let shown_by = taken.by.clone();
        self.scalings.lock().unwrap_or_else(PoisonError::into_inner).push(taken);
        Ok(shown_by)
    }

    /// Done only when the set's watch has told of the change, too: the judge matches pods with it.
    fn until_shown(&self, version: &Version, wait: WaitStatus) -> WaitStatus {
        match wait {
            WaitStatus::Done if !self.tour.positions.has_reached(Kind::StatefulSet, version) => {
                WaitStatus::Awaited(format!(
                    "the watch to show the new replicas of {}",
                    self.set_before.set.name
                ))
            }
            other => other,
        }
    }
}

/// Somebody else has changed what becomes of the claims while the grade looked at other things.
fn changed_policy(set: &Reference) -> Failure {
    Failure::new(
        failure_id::CONFLICT,
        format!(
            "somebody else changed the persistentVolumeClaimRetentionPolicy of {}",
            sanitize(&set.name)
        ),
        "Grade again.",
    )
}
