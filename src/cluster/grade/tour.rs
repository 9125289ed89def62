//! The tour: performs the plan's steps against the API and waits for what they bring about.
//!
//! Waits ask the timeline and never the cluster. What somebody else changes meanwhile is named, and
//! never fought.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use checks::model::{
    Effect, Fault, Obstacle, Timeline, Version, WaitStatus, What,
    observation::{Asked, Kind, Phase, Reference, StepName, Why},
};
use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};
use kube::{
    Api,
    api::{PartialObjectMeta, Patch, PatchParams},
};
use serde_json::json;
use tokio::sync::watch;

use crate::cluster::{
    Cluster, Failure, Journal, WaitResult,
    budget::StepBudget,
    client::retry::{AWAY, retry_while_unavailable},
    dns::Names,
    exec::mounts::{Mounted, reference},
    grade::{
        baseline::{Baseline, Scaled, claims_gone, facts, someone_else},
        diagnose::Diagnostician,
    },
    inspect::Inspector,
    interrupt::Interrupt,
    restore::{canaries::remove_canaries, lease::LeaseGuard},
    watch::position::Positions,
    writes::{delete::by_uid, scale, terminating::doomed_claim},
};
use crate::{
    plan,
    plan::{Ended, Performed, Step},
};

/// The longest that the tour waits for inspections before it removes what they read: those that
/// fail for a reason that passes are given up before.
const INSPECTING: Duration = Duration::from_secs(70);
/// The longest that the tour looks, at its end, for content that comes late.
const LATE: Duration = Duration::from_secs(60);
/// The longest that the tour waits at its end for DNS servers to forget.
const FORGETTING: Duration = Duration::from_secs(36);
/// The longest that the tour waits at its end for containers that have ended to stay up. Three runs
/// of the same length, and the back-off between them, tell that a container ends again and again:
/// enough for runs of a minute and a half. Where no container has ended, nothing is waited for.
const STAYING: Duration = Duration::from_secs(300);
/// For the watch to show what was applied.
const APPEARING: Duration = Duration::from_secs(10);
/// The longest that the tour waits for the first round of questions to the DNS server.
const FIRST_ANSWERS: Duration = Duration::from_secs(4);
/// How long the controller may stand still before the set is touched, where claims go with the
/// pods.
const STALL: Duration = Duration::from_secs(5);

/// For claims to go, once their pods are gone.
const CLAIMS_GOING: Duration = Duration::from_secs(20);

/// All that one tour needs.
pub(crate) struct Tour<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) journal: &'a Journal,
    pub(crate) positions: Positions,
    pub(crate) inspector: &'a Inspector<'a>,
    pub(crate) names: &'a Names<'a>,
    pub(crate) diagnostician: &'a Diagnostician<'a>,
    pub(crate) interrupt: &'a Interrupt,
    /// When the tour must be over, restoring not included.
    pub(crate) deadline: Option<Instant>,
    /// The lock, once it is held.
    pub(crate) lock: watch::Receiver<Option<LeaseGuard>>,
}

/// Why a tour ended, for the recording's last line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TourEnd {
    pub(crate) why: Why,
    pub(crate) detail: Option<String>,
}

/// How a wait within the tour ended.
enum StepEnd {
    Done,
    Stuck(Obstacle),
    TimedOut(String),
    /// Somebody else changed the set, or the API server refused.
    Refused(String),
    Interrupted,
    /// The whole time is over.
    OutOfTime(String),
}

impl Tour<'_> {
    /// Performs the plan; `prepare` is called once, before anything is changed.
    ///
    /// A set that was created just now is inspected from its first pod on. One that stood is not
    /// touched before it has settled.
    ///
    /// # Errors
    /// What `prepare` fails with.
    pub(crate) async fn run(
        &self,
        created: bool,
        prepare: impl AsyncFnOnce() -> Result<(), Failure>,
    ) -> Result<TourEnd, Failure> {
        let mut outcome = TourEnd::default();
        let mut prepare = Some(prepare);
        if created
            && self.appears().await
            && let Some(prepare) = prepare.take()
        {
            prepare().await?;
        }
        let mut performed = vec![self.observe(&mut outcome).await];
        if performed.iter().all(|it| it.ended == Ended::Done)
            && let Some(prepare) = prepare
        {
            prepare().await?;
        }
        let Some((facts, baseline)) =
            self.journal.with(|timeline| Some((facts(timeline)?, Baseline::of(timeline)?)))
        else {
            return Ok(outcome);
        };
        self.names.open();
        let visit = Visit { tour: self, baseline, asked: Mutex::default() };
        while let Some(step) = plan::next(&facts, &performed) {
            let ended = match step {
                Step::Observe => Ended::Over,
                Step::Inspect => visit.inspect(&mut outcome).await,
                Step::Replace { ordinal } => visit.replace(ordinal, &mut outcome).await,
                Step::Scale { name, to } => visit.scale(name, to, &mut outcome).await,
            };
            performed.push(Performed { step, ended });
        }
        if outcome.why != Why::Interrupted && outcome.why != Why::Timeout {
            self.last_looks(
                &mut outcome,
                performed.last().is_some_and(|it| it.ended == Ended::Done),
            )
            .await;
        }
        Ok(outcome)
    }

    /// Waits for the watch to show the set that was applied.
    async fn appears(&self) -> bool {
        let shown = |timeline: &Timeline| {
            if timeline.set().is_some() {
                WaitStatus::Done
            } else {
                WaitStatus::Going("the StatefulSet".to_owned())
            }
        };
        self.journal.wait_quietly(self.left(APPEARING), shown).await == WaitResult::Done
    }

    /// What is still to be read, asked or shown when the last step is over; `is_up` says that it
    /// brought what it was to bring.
    async fn last_looks(&self, outcome: &mut TourEnd, is_up: bool) {
        let looks = async {
            self.all_inspected().await;
            let asked = async {
                let _shown = self.journal.awaits("DNS to learn the new address", FORGETTING);
                self.names.finished(self.left(FORGETTING)).await;
            };
            tokio::join!(asked, self.inspector.look_again(self.left(LATE)));
        };
        let staying = async {
            if is_up { self.wait(STAYING, Timeline::stays_up).await } else { StepEnd::Done }
        };
        let waiting = tokio::select! {
            waiting = async {
                let (waiting, ()) = tokio::join!(staying, looks);
                // What was started again meanwhile is read now.
                self.all_inspected().await;
                waiting
            } => waiting,
            () = self.interrupt.first() => StepEnd::Interrupted,
        };
        let (why, detail) = match waiting {
            StepEnd::Done => return,
            StepEnd::Stuck(obstacle) => (Why::Obstacle, Some(obstacle.why)),
            StepEnd::TimedOut(awaited) => (Why::Obstacle, Some(awaited)),
            StepEnd::OutOfTime(awaited) => (Why::Timeout, Some(awaited)),
            StepEnd::Refused(why) => (Why::Obstacle, Some(why)),
            StepEnd::Interrupted => (Why::Interrupted, None),
        };
        if outcome.why == Why::Complete || why != Why::Obstacle {
            *outcome = TourEnd { why, detail };
        }
    }

    async fn observe(&self, outcome: &mut TourEnd) -> Performed {
        self.begin(StepName::Observe, None);
        let budget = self.journal.with(|timeline| {
            timeline.set().map_or(Duration::from_secs(60), |set| {
                StepBudget::of(&set.spec).settle(set.spec.replicas.unwrap_or(1))
            })
        });
        let waiting = self.wait(budget, Timeline::settled_or_awaited).await;
        Performed {
            step: Step::Observe,
            ended: self.end(StepName::Observe, waiting, outcome).await,
        }
    }

    async fn all_inspected(&self) {
        let pods: Vec<String> = self
            .journal
            .with(|timeline| timeline.owned().map(|pod| pod.uid().to_owned()).collect());
        self.inspector.finished(&pods, self.left(INSPECTING)).await;
    }

    fn begin(&self, name: StepName, asked: Option<Asked>) {
        self.push(name, Phase::Begin, asked, None);
    }

    fn push(&self, name: StepName, phase: Phase, asked: Option<Asked>, answer: Option<String>) {
        self.journal.push(What::Step(checks::model::observation::Step {
            name,
            phase,
            asked,
            answer,
        }));
    }

    /// A budget, but no more than is left of the whole time.
    fn left(&self, budget: Duration) -> Duration {
        self.deadline.map_or(budget, |deadline| {
            budget.min(deadline.saturating_duration_since(Instant::now()))
        })
    }

    async fn wait(&self, budget: Duration, ask: impl Fn(&Timeline) -> WaitStatus) -> StepEnd {
        let began = Instant::now();
        loop {
            let rest = budget.saturating_sub(began.elapsed());
            let left = self.left(rest);
            let waited = tokio::select! {
                waited = self.journal.wait(left, &ask) => waited,
                () = self.interrupt.first() => return StepEnd::Interrupted,
            };
            match waited {
                WaitResult::Done => return StepEnd::Done,
                WaitResult::Stuck(obstacle) => {
                    self.diagnostician.explain().await;
                    // The judge sees what was learnt meanwhile, too: by that it may still pass.
                    if self.journal.with(|timeline| matches!(ask(timeline), WaitStatus::Stuck(_))) {
                        return StepEnd::Stuck(obstacle);
                    }
                }
                WaitResult::TimedOut { awaited } if left < rest => {
                    return StepEnd::OutOfTime(awaited);
                }
                WaitResult::TimedOut { awaited } => return StepEnd::TimedOut(awaited),
            }
        }
    }

    /// Writes the step's end, and says what the plan makes of it.
    async fn end(&self, name: StepName, waiting: StepEnd, outcome: &mut TourEnd) -> Ended {
        let (phase, answer, why) = match waiting {
            StepEnd::Done => {
                self.push(name, Phase::Done, None, None);
                return Ended::Done;
            }
            StepEnd::Stuck(obstacle) => (Phase::Stuck, Some(obstacle.why), Why::Obstacle),
            StepEnd::TimedOut(awaited) => (Phase::TimedOut, Some(awaited), Why::Obstacle),
            StepEnd::OutOfTime(awaited) => (Phase::TimedOut, Some(awaited), Why::Timeout),
            StepEnd::Refused(why) => (Phase::Refused, Some(why), Why::Obstacle),
            StepEnd::Interrupted => (Phase::Interrupted, None, Why::Interrupted),
        };
        let was_awaited = matches!(phase, Phase::Stuck | Phase::TimedOut);
        if phase == Phase::TimedOut {
            // Before the step's end, because the end is where the obstacle is named.
            self.diagnostician.explain().await;
        }
        self.push(name, phase, None, answer.clone());
        if outcome.why == Why::Complete || why != Why::Obstacle {
            *outcome = TourEnd { why, detail: answer };
        }
        if !was_awaited || why == Why::Timeout || name == StepName::ScaleDown {
            return Ended::Over;
        }
        let obstacle = self
            .journal
            .with(|timeline| timeline.obstacles().last().map(|it| (it.effect, it.fault)));
        match obstacle {
            Some((Effect::StopsTour, _)) => Ended::Over,
            Some((_, Fault::Submission)) => Ended::Broken,
            // Whatever the cluster lacks, in whatever words.
            _ => Ended::NoRoom,
        }
    }
}

/// A tour from the moment on at which the set had settled.
struct Visit<'t> {
    tour: &'t Tour<'t>,
    baseline: Baseline,
    /// The replicas that were asked for, in order.
    asked: Mutex<Vec<Scaled>>,
}

impl Visit<'_> {
    async fn inspect(&self, outcome: &mut TourEnd) -> Ended {
        let tour = self.tour;
        tour.begin(StepName::Inspect, None);
        let waiting = tokio::select! {
            () = async { tour.all_inspected().await; tour.names.asked(tour.left(FIRST_ANSWERS)).await } => StepEnd::Done,
            () = tour.interrupt.first() => StepEnd::Interrupted,
        };
        tour.end(StepName::Inspect, waiting, outcome).await
    }

    async fn replace(&self, ordinal: i32, outcome: &mut TourEnd) -> Ended {
        let tour = self.tour;
        let name = StepName::Replace;
        let Some((old, budget)) = tour.journal.with(|timeline| {
            Some((
                reference(timeline.live(ordinal)?),
                StepBudget::of(&timeline.set()?.spec).replace(),
            ))
        }) else {
            tour.begin(name, None);
            return tour
                .end(
                    name,
                    StepEnd::Refused(
                        "the pod is gone already: somebody else removed it".to_owned(),
                    ),
                    outcome,
                )
                .await;
        };
        tour.names.replacing(ordinal, &old.uid);
        tour.begin(name, Some(Asked::Delete(old.clone())));
        let ask = async {
            self.spares_claims(ordinal..ordinal + 1).await?;
            self.delete(&old).await
        };
        let asked = tokio::select! {
            asked = ask => asked,
            () = tour.interrupt.first() => return tour.end(name, StepEnd::Interrupted, outcome).await,
        };
        let waiting = match asked {
            Err(why) => StepEnd::Refused(why),
            Ok(()) => self.wait(budget, |timeline| timeline.succeeded(&old.uid)).await,
        };
        tour.end(name, waiting, outcome).await
    }

    async fn scale(&self, name: StepName, to: i32, outcome: &mut TourEnd) -> Ended {
        let tour = self.tour;
        let (now, budget) = tour.journal.with(|timeline| {
            let now = timeline.set().and_then(|set| set.spec.replicas).unwrap_or(1);
            (now, timeline.set().map(|set| StepBudget::of(&set.spec)))
        });
        let Some(budget) = budget else { return Ended::Over };
        let before = async {
            if to < now {
                // What is about to go must have been read.
                tour.all_inspected().await;
            }
            if to == 0 && tour.journal.with(|timeline| timeline.obstacle().is_some()) {
                self.clean().await;
            }
        };
        tokio::select! {
            () = before => (),
            () = tour.interrupt.first() => {
                *outcome = TourEnd { why: Why::Interrupted, detail: None };
                return Ended::Over;
            }
        }
        tour.begin(name, Some(Asked::Replicas(to)));
        let ask = async {
            if to < now {
                let start = tour.journal.with(Timeline::start);
                self.spares_claims(start.saturating_add(to)..i32::MAX).await?;
            }
            self.ask_replicas(to).await
        };
        let asked = tokio::select! {
            asked = ask => asked,
            () = tour.interrupt.first() => return tour.end(name, StepEnd::Interrupted, outcome).await,
        };
        let is_refused = asked.is_err();
        let waiting = match asked {
            Err(why) => StepEnd::Refused(why),
            Ok(version) if to < now => match self
                .wait(budget.scale_down(now - to), |timeline| {
                    self.shown(&version, timeline.scaled_down(to))
                })
                .await
            {
                // Claims that go with their pods go in a moment, unless something holds them: that
                // shows no more by being waited for.
                StepEnd::Done => {
                    self.wait(CLAIMS_GOING, |timeline| claims_gone(timeline, to)).await
                }
                other => other,
            },
            Ok(version) => {
                self.unstall(now, to).await;
                self.wait(budget.scale_up(to - now), |timeline| {
                    self.shown(&version, timeline.scaled_up(to))
                })
                .await
            }
        };
        let ended = tour.end(name, waiting, outcome).await;
        // A policy may refuse the number itself: the tour has a way without more pods.
        if is_refused && name == StepName::ScaleUp { Ended::NoRoom } else { ended }
    }

    /// Waits, unless somebody else changes the set.
    async fn wait(&self, budget: Duration, ask: impl Fn(&Timeline) -> WaitStatus) -> StepEnd {
        let ask = |timeline: &Timeline| match someone_else(
            timeline,
            &self.baseline,
            &self.asked.lock().unwrap_or_else(PoisonError::into_inner),
        ) {
            Some(why) => WaitStatus::Stuck(Obstacle {
                id: "somebody_else",
                who: self.baseline.set.name.clone(),
                fault: Fault::Cluster,
                why,
                effect: Effect::Interference,
                mistake: None,
                log: vec![],
                remedy: "",
                evidence: vec![],
            }),
            None => ask(timeline),
        };
        match self.tour.wait(budget, ask).await {
            StepEnd::Stuck(obstacle) if obstacle.effect == Effect::Interference => {
                StepEnd::Refused(obstacle.why)
            }
            other => other,
        }
    }

    /// Removes the canaries while their pods still run: a set that is broken may not bring them
    /// back.
    async fn clean(&self) {
        let tour = self.tour;
        let marked = tour.inspector.marked();
        let pods: Vec<_> = tour.journal.with(|timeline| {
            let broken = timeline.obstacles().last().is_some_and(|it| {
                timeline
                    .ordinals()
                    .any(|ordinal| timeline.live(ordinal).is_some_and(|pod| pod.name() == it.who))
            });
            timeline
                .owned()
                .filter(|pod| broken && pod.is_ready() && marked.contains(pod.name()))
                .map(|pod| (reference(pod), Mounted::of(pod)))
                .collect()
        });
        for (pod, mounted) in pods {
            if remove_canaries(tour.cluster, tour.inspector.probe(), &pod, mounted).await.is_empty()
            {
                tour.inspector.unmark(&pod.name);
            }
        }
    }

    /// Whether the claims of these ordinals' pods outlive the pods: a claim that is being deleted
    /// goes with its last pod.
    async fn spares_claims(&self, ordinals: std::ops::Range<i32>) -> Result<(), String> {
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
        match doomed_claim(tour.cluster, &pods, tour.left(AWAY)).await {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(why),
            Err(failure) => Err(failure.to_string()),
        }
    }

    async fn delete(&self, pod: &Reference) -> Result<(), String> {
        let cluster = self.tour.cluster;
        let api: Api<PartialObjectMeta<Pod>> =
            Api::namespaced(cluster.client.clone(), &cluster.namespace);
        // Its own grace period: a shorter one loses what an app writes at SIGTERM.
        let how = by_uid(&pod.uid);
        let ask = async |again| match api.delete(&pod.name, &how).await {
            Ok(_) => Ok(()),
            // Deleted by the try whose answer was lost.
            Err(kube::Error::Api(status)) if again && matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(cluster.failure(&error, "delete", "pods", &pod.name)),
        };
        retry_while_unavailable(self.tour.left(AWAY), ask)
            .await
            .map_err(|failure| failure.to_string())
    }

    /// Asks for replicas, and gives the set's version from then on. The Lease says what is asked
    /// for before the set does.
    async fn ask_replicas(&self, replicas: i32) -> Result<Version, String> {
        let (cluster, set, away) = (self.tour.cluster, &self.baseline.set, self.tour.left(AWAY));
        let held = self.tour.lock.borrow().clone();
        let Some((held, point)) = held.and_then(|held| held.point().map(|point| (held, point)))
        else {
            return Err("there is no restore point".to_owned());
        };
        let ask = async {
            let found = scale::look(cluster, &set.name, away).await?.unwrap_or_default();
            if found.uid != set.uid || !point.is_as_asked(found.replicas) {
                let asked = point.asked.unwrap_or(point.replicas);
                return Err(scale::changed(set, asked, found.replicas));
            }
            held.asking(replicas, &found, away).await?;
            let version = scale::ask(cluster, set, found.replicas, replicas, away).await?;
            held.asked().await;
            Ok(version)
        };
        let version = ask.await.map_err(|failure: Failure| failure.to_string())?;
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Scaled { to: replicas, version: version.clone() });
        Ok(version)
    }

    /// Done only when the set's watch has told of the change, too: the judge matches pods with it.
    fn shown(&self, version: &Version, wait: WaitStatus) -> WaitStatus {
        match wait {
            WaitStatus::Done if !self.tour.positions.has_reached(Kind::StatefulSet, version) => {
                WaitStatus::Going(format!(
                    "the watch to show the new replicas of {}",
                    self.baseline.set.name
                ))
            }
            other => other,
        }
    }

    /// Touches the set if it stands still after its claims went: the controller was seen to miss
    /// that.
    async fn unstall(&self, from: i32, to: i32) {
        let tour = self.tour;
        if to <= from || !self.baseline.deletes_claims {
            return;
        }
        let first = tour.journal.with(Timeline::start).saturating_add(from);
        let started = |timeline: &Timeline| {
            if timeline.live(first).is_some() {
                WaitStatus::Done
            } else {
                WaitStatus::Going("the first new pod".to_owned())
            }
        };
        let waited = tokio::select! {
            waited = tour.journal.wait_quietly(tour.left(STALL), started) => waited,
            () = tour.interrupt.first() => return,
        };
        if waited != WaitResult::Done {
            let api: Api<StatefulSet> =
                Api::namespaced(tour.cluster.client.clone(), &tour.cluster.namespace);
            for value in [json!("touched"), json!(null)] {
                let touch = json!({"metadata": {"annotations": {"stsgrade/touch": value}}});
                // If this fails, the wait that follows names what is missing.
                let _ = api
                    .patch_metadata(
                        &self.baseline.set.name,
                        &PatchParams::default(),
                        &Patch::Merge(touch),
                    )
                    .await;
            }
        }
    }
}
