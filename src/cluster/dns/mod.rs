//! Asking the cluster's DNS for the pods' names, beside the tour.
//!
//! Asking too early makes DNS servers remember that there is nothing, so a name is asked only once
//! the pod's address is in the EndpointSlices of the governing Service. A wrong answer is "not yet"
//! for as long as servers usually remember. After a pod was replaced, an answer about any later pod
//! of that ordinal counts. So no step waits for it; only the end of the tour does.
//!
//! Which server is the cluster's, and what its domain is, is never taken from a pod's resolver
//! settings, which are its author's: the server's own answers tell (see [`server`]).

mod ask;
mod askers;
mod denied;
mod questions;
mod server;
pub(crate) mod tcp;
pub(crate) mod tool_output;

use std::{
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use checks::model::{PodLife, Timeline};
use tokio::sync::watch;

use crate::cluster::{
    Cluster, Journal,
    dns::questions::{DnsState, NameOf, NameState, Question},
    exec::ephemeral::ProbeContainers,
    inspect::Inspector,
    watch::journal::nanoseconds,
};

/// Between the first two questions for one name; it grows by itself each time.
const QUESTION_PAUSE: Duration = Duration::from_millis(1700);
/// The most that the pause between two questions for one name grows to.
const MAX_PAUSE: Duration = Duration::from_secs(3);
/// While pods are inspected, questions wait until so many have shown that they can ask.
const MIN_ASKING_PODS: usize = 2;
/// How long the first questions wait for names that are in no slice yet, so that one exec asks all.
const WAIT_FOR_ALL: Duration = Duration::from_secs(2);
/// Between two looks at what is not known yet.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// Questions that are due within this time go together.
const TOGETHER: Duration = Duration::from_millis(500);

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It resolves to these, sorted.
    Addresses(Vec<String>),
    /// The address belongs to this name.
    Name(String),
    /// The server says that there is nothing (`NXDOMAIN`).
    Nothing(String),
    /// The server did not really answer: this says nothing about the name.
    Unanswered(String),
}

/// Asks DNS for names, beside the tour.
pub(crate) struct NameQuestions<'a> {
    cluster: &'a Cluster,
    journal: &'a Journal,
    inspector: &'a Inspector<'a>,
    probe: Option<&'a ProbeContainers<'a>>,
    /// Every life of every ordinal is asked for: nobody says which pod will be replaced.
    each_life: bool,
    state: Mutex<DnsState>,
    changed: watch::Sender<u64>,
}

impl<'a> NameQuestions<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        journal: &'a Journal,
        inspector: &'a Inspector<'a>,
        probe: Option<&'a ProbeContainers<'a>>,
    ) -> Self {
        Self {
            cluster,
            journal,
            inspector,
            probe,
            each_life: false,
            state: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// One that asks for each life of each pod.
    pub(crate) fn of_each_life(
        cluster: &'a Cluster,
        journal: &'a Journal,
        inspector: &'a Inspector<'a>,
    ) -> Self {
        Self { each_life: true, ..Self::new(cluster, journal, inspector, None) }
    }

    /// From now on names may be asked.
    pub(crate) fn open(&self) {
        self.state().open.get_or_insert(self.journal.now());
        self.changed.send_modify(|it| *it += 1);
    }

    /// The pod `old` of this ordinal is about to be replaced: its successor's name is asked, too.
    pub(crate) fn replacing(&self, ordinal: i32, old: &str) {
        self.state().replaced = Some((ordinal, old.to_owned()));
    }

    /// Waits until every name was asked once, as far as it may be: a name that is asked while its
    /// pod goes is remembered as missing.
    pub(crate) async fn wait_for_first_answers(&self, within: Duration) {
        self.wait(within, |dns, question, state| {
            matches!(state, NameState::Settled) || dns.tries.contains_key(&question.key())
        })
        .await;
    }

    /// Waits until every name is answered rightly or has had its time.
    pub(crate) async fn wait_until_finished(&self, within: Duration) {
        self.wait(within, |_, _, state| matches!(state, NameState::Settled)).await;
    }

    async fn wait(
        &self,
        within: Duration,
        is_enough: impl Fn(&DnsState, &Question, &NameState) -> bool,
    ) {
        let mut changed = self.changed.subscribe();
        let mut lines = self.journal.lines();
        let wait = async {
            loop {
                changed.mark_unchanged();
                lines.mark_unchanged();
                let now = self.journal.now();
                let names = self.journal.with(|timeline| self.refreshed_names(timeline, now));
                let enough =
                    names.iter().all(|(name, state)| is_enough(&self.state(), name, state));
                if enough {
                    return;
                }
                tokio::select! { _ = changed.changed() => (), _ = lines.changed() => (), () = tokio::time::sleep(QUESTION_PAUSE) => () }
            }
        };
        let _ = tokio::time::timeout(within, wait).await;
    }

    /// Asks whatever becomes due. It never ends by itself.
    pub(crate) async fn run_forever(&self) -> Infallible {
        let mut lines = self.journal.lines();
        let mut changed = self.changed.subscribe();
        let mut inspected = self.inspector.changes();
        loop {
            lines.mark_unchanged();
            changed.mark_unchanged();
            inspected.mark_unchanged();
            let (questions, next) = self.due();
            if !questions.is_empty() && self.round(questions).await {
                self.changed.send_modify(|it| *it += 1);
                continue;
            }
            tokio::select! {
                _ = lines.changed() => (),
                _ = changed.changed() => (),
                _ = inspected.changed() => (),
                () = tokio::time::sleep(next), if next < Duration::MAX => (),
            }
        }
    }

    /// What to ask now, and how long until more may be due.
    fn due(&self) -> (Vec<Question>, Duration) {
        let now = self.journal.now();
        let names = self.journal.with(|timeline| self.refreshed_names(timeline, now));
        if self.is_too_early(&names, now) {
            return (vec![], LOOK_PAUSE);
        }
        let is_incomplete = some_are_not_in_a_slice(&names);
        let (questions, next) = due_together(names, now);
        (questions, if is_incomplete { next.min(LOOK_PAUSE) } else { next })
    }

    /// Whether more may be asked, or by more pods, in a moment: then all goes in one exec.
    fn is_too_early(&self, names: &[(Question, NameState)], now: u64) -> bool {
        let opened = self.state().open.unwrap_or(now);
        if some_are_not_in_a_slice(names) && now < opened.saturating_add(nanoseconds(WAIT_FOR_ALL))
        {
            return true;
        }
        // The pods that can ask are known once they are inspected.
        !self.inspector.is_idle() && self.inspector.dns_accesses().len() < MIN_ASKING_PODS
    }

    /// Takes in what the timeline has told since, and gives every name that matters, with how it
    /// stands.
    fn refreshed_names(&self, timeline: &Timeline, now: u64) -> Vec<(Question, NameState)> {
        let mut state = self.state();
        state.renew(timeline.last_change());
        state.note_endpoint_slices(timeline, now);
        state.questions(timeline, &self.cluster.namespace, self.each_life, now)
    }

    /// Notes that a name was asked, when it may be asked again, and whether the answer is right.
    fn record_answer(&self, question: &Question, answer: &Answer) {
        let now = self.journal.now();
        let mut state = self.state();
        let tries = state.tries.entry(question.key()).or_default();
        let pause = (QUESTION_PAUSE + QUESTION_PAUSE / 4 * tries.count).min(MAX_PAUSE);
        tries.count += 1;
        tries.next_at = now.saturating_add(nanoseconds(pause));
        if !question.is_answered_by(answer) {
            return;
        }
        match &question.of {
            NameOf::Pod { pod, ordinal } => {
                state.right.entry(*ordinal).or_default().insert(pod.uid.clone());
            }
            NameOf::Service { pods } => state.service_right = state.service_right.max(*pods),
        }
    }

    fn state(&self) -> MutexGuard<'_, DnsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn some_are_not_in_a_slice(names: &[(Question, NameState)]) -> bool {
    names.iter().any(|(_, state)| matches!(state, NameState::NotInEndpointSlice))
}

/// The names that are to be asked now, those with them that are due within [`TOGETHER`], and how
/// long until more are due.
fn due_together(names: Vec<(Question, NameState)>, now: u64) -> (Vec<Question>, Duration) {
    let mut next = Duration::MAX;
    let mut soonest = u64::MAX;
    let mut questions = vec![];
    for (question, state) in names {
        let NameState::From(at) = state else { continue };
        if at > now.saturating_add(nanoseconds(TOGETHER)) {
            next = next.min(Duration::from_nanos(at - now));
            continue;
        }
        soonest = soonest.min(at);
        questions.push(question);
    }
    if soonest > now && !questions.is_empty() {
        return (vec![], Duration::from_nanos(soonest - now));
    }
    (questions, next)
}

/// Whether a pod's resolver settings are the cluster's, not its author's.
fn uses_cluster_dns(pod: &PodLife) -> bool {
    let spec = pod.spec();
    let policy = spec.dns_policy.as_str();
    spec.dns_config.is_none()
        && (policy == "ClusterFirstWithHostNet" || policy == "ClusterFirst" && !spec.host_network)
}
