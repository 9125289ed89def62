//! The tour: performs the plan's steps against the API and waits for what they bring about.
//!
//! Waits ask the timeline and never the cluster. What somebody else changes meanwhile is named, and
//! never fought.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use checks::model::{
    Fact, Timeline, WaitStatus,
    evidence::dns_evidence::DNS_FOLLOWS_WITHIN_SECONDS,
    observation::{EndReason, Phase, RequestedChange, Step, StepName, object::Container},
};
use tokio::sync::watch;

use crate::cluster::{
    Cluster, Failure, Journal, WaitResult,
    budget::{StepBudget, asked_grace},
    dns::NameQuestions,
    grade::{
        changing_steps::ChangingSteps,
        inquiries::InquiryWriter,
        set_before::{SetBefore, plan_input},
        step_end::{StepEnd, TourEnd, result_of},
    },
    inspect::Inspector,
    interrupt::Interrupt,
    restore::lease::OwnLease,
    watch::{journal::nanoseconds, position::Positions},
};
use crate::{
    plan,
    plan::{Performed, PlannedStep, StepResult},
    remedy::edit::ends_after_sleep,
};

/// The longest that the tour waits for inspections before it removes what they read: those that
/// fail for a reason that passes are given up before.
const INSPECTION_TIMEOUT: Duration = Duration::from_secs(70);
/// The longest that the tour looks, at its end, for content that comes late.
const LAST_LOOK_TIME: Duration = Duration::from_secs(60);
/// The longest that the tour waits at its end for DNS servers to forget old answers.
const DNS_FORGET_TIMEOUT: Duration = Duration::from_secs(DNS_FOLLOWS_WITHIN_SECONDS + 1);
/// The longest that the tour waits for containers that have ended to stay up: at its end, and beyond
/// the budget of a step in which pods come. Three runs of the same length, and the back-off between
/// them, tell that a container ends again and again: enough for runs of a minute and a half. Where
/// no container has ended, nothing is waited for.
const STAY_UP_TIMEOUT: Duration = Duration::from_secs(300);
/// The longest `sleep` at a script's end that the tour waits for. It takes three such runs to tell
/// that the container ends again and again: see [`STAY_UP_TIMEOUT`].
const MAX_AWAITED_SLEEP: Duration = Duration::from_secs(90);
/// Until the kubelet has told that a container has ended, and the watch has shown it.
const END_IS_TOLD_TIME: Duration = Duration::from_secs(3);
/// For a set to settle that is not there yet, so that nothing is known of its pods.
const NO_SET_TIMEOUT: Duration = Duration::from_secs(60);
/// For the watch to show what was applied.
const APPEAR_TIMEOUT: Duration = Duration::from_secs(10);

/// All that one tour needs.
pub(crate) struct Tour<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) journal: &'a Journal,
    pub(crate) positions: Positions,
    pub(crate) inspector: &'a Inspector<'a>,
    pub(crate) names: &'a NameQuestions<'a>,
    pub(crate) inquiry_writer: &'a InquiryWriter<'a>,
    pub(crate) interrupt: &'a Interrupt,
    /// When the tour must be over, restoring not included.
    pub(crate) deadline: Option<Instant>,
    /// `--timeout`.
    pub(crate) timeout: Option<Duration>,
    /// The Lease, once it is ours.
    pub(crate) lease: watch::Receiver<Option<OwnLease>>,
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
        let mut tour_end = TourEnd::default();
        let mut prepare = Some(prepare);
        if created
            && self.appears().await
            && let Some(prepare) = prepare.take()
        {
            prepare().await?;
        }
        let mut performed = vec![self.wait_until_settled(&mut tour_end).await];
        if performed.iter().all(|it| it.ended == StepResult::Done)
            && let Some(prepare) = prepare
        {
            prepare().await?;
        }
        let Some((input, set_before)) =
            self.journal.with(|timeline| Some((plan_input(timeline)?, SetBefore::of(timeline)?)))
        else {
            return Ok(tour_end);
        };
        self.names.open();
        let steps = ChangingSteps { tour: self, set_before, scalings: Mutex::default() };
        while let Some(step) = plan::next(&input, &performed) {
            let ended = match step {
                PlannedStep::WaitUntilSettled => StepResult::Over,
                PlannedStep::Inspect => steps.inspect(&mut tour_end).await,
                PlannedStep::Replace { ordinal } => steps.replace(ordinal, &mut tour_end).await,
                PlannedStep::Scale { name, to } => steps.scale(name, to, &mut tour_end).await,
            };
            performed.push(Performed { step, ended });
        }
        if tour_end.why != EndReason::Interrupted && tour_end.why != EndReason::Timeout {
            self.last_looks(
                &mut tour_end,
                performed.last().is_some_and(|it| it.ended == StepResult::Done),
            )
            .await;
        }
        Ok(tour_end)
    }

    /// Waits for the watch to show the set that was applied.
    async fn appears(&self) -> bool {
        let shown = |timeline: &Timeline| {
            if timeline.set().is_some() {
                WaitStatus::Done
            } else {
                WaitStatus::Awaited("the StatefulSet".to_owned())
            }
        };
        self.journal.wait_quietly(self.within_deadline(APPEAR_TIMEOUT), shown).await
            == WaitResult::Done
    }

    /// What is still to be read, asked or shown when the last step is over; `is_up` says that it
    /// brought what it was to bring.
    async fn last_looks(&self, tour_end: &mut TourEnd, is_up: bool) {
        let looks = async {
            self.wait_for_inspections().await;
            let asked = async {
                let _shown =
                    self.journal.awaits("DNS to learn the new address", DNS_FORGET_TIMEOUT);
                self.names.wait_until_finished(self.within_deadline(DNS_FORGET_TIMEOUT)).await;
            };
            tokio::join!(asked, self.inspector.look_again(self.within_deadline(LAST_LOOK_TIME)));
        };
        let staying = async {
            if !is_up {
                return StepEnd::Done;
            }
            self.wait_for_ends_after_sleep().await;
            self.wait(STAY_UP_TIMEOUT, Timeline::awaits_staying_up).await
        };
        let work = async {
            let (waiting, ()) = tokio::join!(staying, looks);
            // What was started again meanwhile is read now.
            self.wait_for_inspections().await;
            waiting
        };
        let waiting = self.unless_interrupted(work).await.unwrap_or(StepEnd::Interrupted);
        if let Some(cause) = waiting.cause() {
            tour_end.note(cause);
        }
    }

    async fn wait_until_settled(&self, tour_end: &mut TourEnd) -> Performed {
        self.begin(StepName::WaitUntilSettled, None);
        let budget = self.journal.with(|timeline| {
            timeline.set().map_or(NO_SET_TIMEOUT, |set| {
                let graces = timeline.pods_to_go().map(|it| asked_grace(it.spec()));
                let budget = StepBudget::within(&set.spec, self.timeout);
                budget.settle(set.spec.replicas_or_one(), graces)
            })
        });
        let waiting = self.wait_until_up(budget, Timeline::settled_or_awaited).await;
        Performed {
            step: PlannedStep::WaitUntilSettled,
            ended: self.end(StepName::WaitUntilSettled, waiting, tour_end).await,
        }
    }

    /// Runs `work` to its end; `None` if the grade is interrupted before.
    pub(super) async fn unless_interrupted<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.interrupt.first() => None,
        }
    }

    pub(super) async fn wait_for_inspections(&self) {
        let pods: Vec<String> = self
            .journal
            .with(|timeline| timeline.owned().map(|pod| pod.uid().to_owned()).collect());
        self.inspector.wait_until_finished(&pods, self.within_deadline(INSPECTION_TIMEOUT)).await;
    }

    /// Waits until the minute is over that a pod's file tells, for a minute at most.
    ///
    /// A pod that is replaced within it writes the same again, and whether its file was kept could
    /// not be told.
    pub(super) async fn wait_for_told_minute(&self) {
        let Some(ends) = self.journal.with(Timeline::told_minute_ends) else { return };
        let left =
            self.within_deadline(Duration::from_nanos(ends.saturating_sub(self.journal.now())));
        let _shown = self.journal.awaits("the minute to end that a file tells", left);
        tokio::time::sleep(left).await;
    }

    /// Waits until a container whose script ends after a short `sleep` has run for that long, so that
    /// the recording shows whether it ends. Where no script is such, nothing is waited for.
    async fn wait_for_ends_after_sleep(&self) {
        let left = self.journal.with(|timeline| {
            let pod = &timeline.set()?.spec.template.spec;
            let left = |container: &Container| {
                let length = ends_after_sleep(container)?;
                let length = Some(length).filter(|it| *it <= MAX_AWAITED_SLEEP)?;
                timeline.time_to_have_run(&container.name, nanoseconds(length + END_IS_TOLD_TIME))
            };
            pod.containers.iter().filter_map(left).max()
        });
        let Some(left) = left.filter(|it| *it > 0) else { return };
        let left = self.within_deadline(Duration::from_nanos(left));
        let _shown = self.journal.awaits("the `sleep` to end that a script ends with", left);
        tokio::time::sleep(left).await;
    }

    pub(super) fn begin(&self, name: StepName, requested: Option<RequestedChange>) {
        self.journal.push(Fact::Step(Step { requested, ..Step::new(name, Phase::Begin) }));
    }

    /// A budget, but no more than is left of the whole time.
    pub(super) fn within_deadline(&self, budget: Duration) -> Duration {
        self.deadline.map_or(budget, |deadline| {
            budget.min(deadline.saturating_duration_since(Instant::now()))
        })
    }

    pub(super) async fn wait(
        &self,
        budget: Duration,
        status: impl Fn(&Timeline) -> WaitStatus,
    ) -> StepEnd {
        let began = Instant::now();
        loop {
            let rest = budget.saturating_sub(began.elapsed());
            let left = self.within_deadline(rest);
            let waited = self.unless_interrupted(self.journal.wait(left, &status)).await;
            let Some(waited) = waited else { return StepEnd::Interrupted };
            match waited {
                WaitResult::Done => return StepEnd::Done,
                WaitResult::Stuck(obstacle) => {
                    let explained = self.unless_interrupted(self.inquiry_writer.explain()).await;
                    if explained.is_none() {
                        return StepEnd::Interrupted;
                    }
                    // The judge sees what was learnt meanwhile, too: by that it may still pass.
                    if self
                        .journal
                        .with(|timeline| matches!(status(timeline), WaitStatus::Stuck(_)))
                    {
                        return StepEnd::Stuck(obstacle);
                    }
                }
                WaitResult::TimedOut { awaited } if left < rest => {
                    return StepEnd::GradeTimeIsOver(awaited);
                }
                WaitResult::TimedOut { awaited } => return StepEnd::TimedOut(awaited),
            }
        }
    }

    /// As [`Tour::wait`], for pods to come. Where the budget is over and a container that has ended
    /// may still stay up, waits until it does, and then for the budget once more. The budget knows
    /// nothing of its runs.
    pub(super) async fn wait_until_up(
        &self,
        budget: Duration,
        status: impl Fn(&Timeline) -> WaitStatus,
    ) -> StepEnd {
        let not_up_yet =
            |timeline: &Timeline| matches!(timeline.awaits_staying_up(), WaitStatus::Awaited(_));
        let is_shown_or_stays_up = |timeline: &Timeline| {
            if not_up_yet(timeline) { status(timeline) } else { WaitStatus::Done }
        };
        match self.wait(budget, &status).await {
            StepEnd::TimedOut(_) if self.journal.with(not_up_yet) => {
                match self.wait(STAY_UP_TIMEOUT, is_shown_or_stays_up).await {
                    StepEnd::Done => self.wait(budget, status).await,
                    other => other,
                }
            }
            ended => ended,
        }
    }

    /// Writes the step's end, and says what the plan makes of it.
    pub(super) async fn end(
        &self,
        name: StepName,
        waiting: StepEnd,
        tour_end: &mut TourEnd,
    ) -> StepResult {
        let interfered = matches!(waiting, StepEnd::Interfered(_));
        let unanswered = matches!(waiting, StepEnd::Unanswered(_));
        let phase = waiting.phase();
        let Some(cause) = waiting.cause() else {
            self.journal.push(Fact::Step(Step::new(name, phase)));
            return StepResult::Done;
        };
        if phase == Phase::TimedOut {
            // Before the step's end, because the end is where the obstacle is named.
            let _ = self.unless_interrupted(self.inquiry_writer.explain()).await;
        }
        let known = self.journal.with(|timeline| timeline.obstacles().len());
        self.journal.push(Fact::Step(Step {
            answer: cause.detail.clone(),
            interfered,
            unanswered,
            ..Step::new(name, phase)
        }));
        let was_awaited = matches!(phase, Phase::Stuck | Phase::TimedOut);
        let is_over =
            !was_awaited || cause.why == EndReason::Timeout || name == StepName::ScaleDown;
        tour_end.note(cause);
        if is_over {
            return StepResult::Over;
        }
        self.journal.with(|timeline| result_of(timeline, known))
    }
}
