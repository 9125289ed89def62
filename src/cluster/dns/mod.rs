//! Asking the cluster's DNS for the pods' names, beside the tour.
//!
//! Asking too early makes DNS servers remember that there is nothing, so a name is asked only once
//! the EndpointSlices of the governing Service carry the pod's address. A wrong answer is "not yet"
//! for as long as servers usually remember. Any later pod life's answer will do after a
//! replacement, so that nothing waits for this but the end.
//!
//! Which server is the cluster's, and what its domain is, is never taken from a pod's resolver
//! settings, which are its author's: the server's own answers tell (see [`server`]).

mod ask;
mod server;
pub(crate) mod tcp;
pub(crate) mod tool_output;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use checks::model::{PodLife, Seq, ServiceLife, Timeline, observation::Reference};
use tokio::sync::watch;

use crate::cluster::{
    Cluster, Journal,
    dns::tool_output::Answer,
    exec::{ephemeral::Probe, mounts::reference},
    inspect::Inspector,
};

/// How long after the EndpointSlice carries it a name may still be answered wrongly: a little more
/// than the longest time that kubeadm clusters remember.
const PATIENCE: Duration = Duration::from_secs(35);
/// Between two questions for one name; it grows up to the second.
const PAUSE: Duration = Duration::from_millis(1700);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Questions that are due within this time go together.
const TOGETHER: Duration = Duration::from_millis(500);
/// How long EndpointSlices may take, after which it is asked all the same.
const SLICES: Duration = Duration::from_secs(5);

/// The domain of a cluster of which nobody has said otherwise.
const USUAL_DOMAIN: &str = "cluster.local";

/// Asks names, beside the tour.
pub(crate) struct Names<'a> {
    cluster: &'a Cluster,
    journal: &'a Journal,
    inspector: &'a Inspector<'a>,
    probe: Option<&'a Probe<'a>>,
    /// Every life of every ordinal is asked for: nobody says which pod will be replaced.
    each_life: bool,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// When asking was allowed: the set has settled, or will not.
    open: Option<u64>,
    /// The ordinal whose pod is replaced and the UID that it had.
    replaced: Option<(i32, String)>,
    /// The line since which evidence counts: what was asked before the submission changed is asked
    /// again.
    since: Seq,
    /// Since when a pod (UID) is carried.
    carried: BTreeMap<String, u64>,
    /// By ordinal: the UIDs whose name gave the right answer.
    right: BTreeMap<i32, BTreeSet<String>>,
    /// By name and UID: how often it was asked, and not before when again.
    asked: BTreeMap<(String, String), (u32, u64)>,
    /// For how many pods the Service's own name was answered rightly.
    service_right: i32,
    nobody_can_ask: bool,
    /// Other pods (by UID) that turned out to have no tool.
    unable: BTreeSet<String>,
    /// The probe image has no tool either, or cannot be run.
    no_probe: bool,
    /// Why the last of those could not.
    trouble: Option<String>,
    /// What the cluster's DNS server told of itself.
    resolver: Option<Resolver>,
    /// By pod UID: the domain, as that pod's own resolver told, where nothing in it can ask another
    /// server.
    own_resolvers: BTreeMap<String, String>,
    /// The cluster's DNS server by its Service: asked once.
    kube_dns: Option<Option<String>>,
}

/// A DNS server that has shown to be the cluster's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolver {
    /// Its address; `None`: whatever the asking pod's own resolver asks.
    server: Option<String>,
    /// The cluster's domain.
    domain: String,
}

/// A name to ask.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    name: String,
    /// Its pod, absent for the Service's own name.
    of: Option<Reference>,
    /// Its pod's; for the Service's own name, how many pods it must give.
    ordinal: i32,
    /// For each pod, the addresses of which the answer must hold one.
    expected: Vec<Vec<String>>,
}

/// How a name stands.
enum NameState {
    /// Nothing is to be asked (any more).
    Settled,
    /// To be asked, no sooner than this moment.
    From(u64),
    /// Not carried yet.
    Uncarried,
}

impl<'a> Names<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        journal: &'a Journal,
        inspector: &'a Inspector<'a>,
        probe: Option<&'a Probe<'a>>,
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
    pub(crate) async fn asked(&self, within: Duration) {
        self.wait(within, |state, question, standing| {
            matches!(standing, NameState::Settled) || state.asked.contains_key(&question.key())
        })
        .await;
    }

    /// Waits until every name is answered rightly or has had its time.
    pub(crate) async fn finished(&self, within: Duration) {
        self.wait(within, |_, _, standing| matches!(standing, NameState::Settled)).await;
    }

    async fn wait(
        &self,
        within: Duration,
        is_enough: impl Fn(&State, &Question, &NameState) -> bool,
    ) {
        let mut changed = self.changed.subscribe();
        let mut lines = self.journal.lines();
        let wait = async {
            loop {
                changed.mark_unchanged();
                lines.mark_unchanged();
                let now = self.journal.now();
                let standings = self.journal.with(|timeline| self.standings(timeline, now));
                let enough = standings
                    .iter()
                    .all(|(question, standing)| is_enough(&self.state(), question, standing));
                if enough {
                    return;
                }
                tokio::select! { _ = changed.changed() => (), _ = lines.changed() => (), () = tokio::time::sleep(PAUSE) => () }
            }
        };
        let _ = tokio::time::timeout(within, wait).await;
    }

    /// Asks whatever becomes due. It never ends by itself.
    pub(crate) async fn attend(&self) -> Infallible {
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
        let standings = self.journal.with(|timeline| self.standings(timeline, now));
        let opened = self.state().open.unwrap_or(now);
        let waits = standings.iter().any(|(_, it)| matches!(it, NameState::Uncarried));
        // All in one exec, if what is missing is only a moment away.
        if waits && now < opened.saturating_add(nanoseconds(Duration::from_secs(2))) {
            return (vec![], Duration::from_millis(500));
        }
        // The pods that can ask are known once they are inspected.
        if !self.inspector.is_idle() && self.inspector.vantages().len() < 2 {
            return (vec![], Duration::from_millis(500));
        }
        let mut next = if waits { Duration::from_millis(500) } else { Duration::MAX };
        let mut questions = vec![];
        for (question, standing) in standings {
            match standing {
                NameState::From(at) if at <= now.saturating_add(nanoseconds(TOGETHER)) => {
                    questions.push((at, question))
                }
                NameState::From(at) => next = next.min(Duration::from_nanos(at - now)),
                _ => {}
            }
        }
        if let Some(soonest) = questions.iter().map(|(at, _)| *at).min().filter(|at| *at > now) {
            return (vec![], next.min(Duration::from_nanos(soonest - now)));
        }
        (questions.into_iter().map(|(_, question)| question).collect(), next)
    }

    /// Every name that matters, and how it stands.
    fn standings(&self, timeline: &Timeline, now: u64) -> Vec<(Question, NameState)> {
        let mut state = self.state();
        let (Some(opened), Some(set)) = (state.open, timeline.set()) else { return vec![] };
        if timeline.since() > state.since {
            let (open, resolver) = (state.open, state.resolver.take());
            let own_resolvers = std::mem::take(&mut state.own_resolvers);
            let (replaced, kube_dns) = (state.replaced.take(), state.kube_dns.take());
            *state = State {
                open,
                since: timeline.since(),
                replaced,
                resolver,
                own_resolvers,
                kube_dns,
                ..State::default()
            };
        }
        let service = set.spec.service_name.clone();
        if service.is_empty() {
            return vec![];
        }
        let carries = can_carry(timeline);
        let domain = state.domain();
        let suffix = format!("{service}.{}.svc.{domain}.", self.cluster.namespace);
        let slices = timeline.slices(&service).next().is_some();
        let mut standings = vec![];
        let (mut all, mut latest) = (vec![], opened);
        let mut complete = true;
        for ordinal in timeline.ordinals() {
            let Some(pod) = timeline.live(ordinal).filter(|pod| pod.is_ready()) else {
                complete = false;
                continue;
            };
            let question = Question {
                name: format!("{}.{suffix}", pod.name()),
                of: Some(reference(pod)),
                ordinal,
                expected: vec![addresses(pod)],
            };
            all.extend(question.expected.clone());
            let assumed = (carries && !slices)
                .then(|| pod.ready_at.max(opened).saturating_add(nanoseconds(SLICES)))
                .filter(|at| *at <= now);
            if is_carried(timeline, &service, pod) {
                state.carried.entry(pod.uid().to_owned()).or_insert(now);
            } else if let Some(at) = assumed {
                state.carried.entry(pod.uid().to_owned()).or_insert(at);
            }
            let since = state.carried.get(pod.uid()).copied();
            latest = latest.max(since.unwrap_or(0));
            complete &= since.is_some() || !carries;
            let standing = if state.is_answered(ordinal, pod.uid(), self.each_life) {
                NameState::Settled
            } else {
                state.standing(&question, since, carries, now)
            };
            standings.push((question, standing));
        }
        // Somebody may ask for more pods by hand: then it has to give those, too.
        let pods = i32::try_from(timeline.ordinals().len()).unwrap_or(i32::MAX);
        if state.service_right >= pods || standings.is_empty() {
            return standings;
        }
        // A Service with an address of its own answers with that one.
        let expected = if timeline.governing_service().is_none_or(ServiceLife::is_headless) {
            all
        } else {
            vec![]
        };
        let question = Question { name: suffix, of: None, ordinal: pods, expected };
        let standing = if complete {
            state.standing(&question, carries.then_some(latest), carries, now)
        } else {
            NameState::Settled
        };
        standings.push((question, standing));
        standings
    }

    fn note(&self, question: &Question, answer: &Answer) {
        let now = self.journal.now();
        let mut state = self.state();
        let asked = state.asked.entry(question.key()).or_default();
        let pause = (PAUSE + PAUSE / 4 * asked.0).min(LONGEST_PAUSE);
        *asked = (asked.0 + 1, now.saturating_add(nanoseconds(pause)));
        let Answer::Addresses(given) = answer else { return };
        match &question.of {
            // A Service may publish one of two IP families.
            Some(of)
                if !given.is_empty()
                    && given
                        .iter()
                        .all(|it| question.expected.iter().flatten().any(|own| own == it)) =>
            {
                state.right.entry(question.ordinal).or_default().insert(of.uid.clone());
            }
            None if question.expected.iter().all(|own| own.iter().any(|it| given.contains(it))) => {
                state.service_right = state.service_right.max(question.ordinal)
            }
            _ => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question {
    fn key(&self) -> (String, String) {
        (self.name.clone(), self.of.as_ref().map(|it| it.uid.clone()).unwrap_or_default())
    }
}

impl State {
    /// The cluster's domain, as far as is known.
    fn domain(&self) -> String {
        let own = || self.own_resolvers.values().next();
        self.resolver
            .as_ref()
            .map(|it| &it.domain)
            .or_else(own)
            .map_or_else(|| USUAL_DOMAIN.to_owned(), Clone::clone)
    }

    /// Whether an ordinal's name has shown all that it has to.
    fn is_answered(&self, ordinal: i32, now: &str, each_life: bool) -> bool {
        let Some(right) = self.right.get(&ordinal) else { return false };
        match &self.replaced {
            _ if each_life => right.contains(now),
            Some((replaced, old)) if *replaced == ordinal => right.iter().any(|uid| uid != old),
            _ => !right.is_empty(),
        }
    }

    fn standing(
        &self,
        question: &Question,
        carried: Option<u64>,
        can_carry: bool,
        now: u64,
    ) -> NameState {
        let (asked, again) = self.asked.get(&question.key()).copied().unwrap_or_default();
        match carried {
            _ if self.nobody_can_ask => NameState::Settled,
            Some(since) if asked > 0 && now > since.saturating_add(nanoseconds(PATIENCE)) => {
                NameState::Settled
            }
            Some(_) => NameState::From(again),
            // Nothing will ever carry it: asked once, so that the report can show the answer.
            None if !can_carry && asked == 0 => NameState::From(0),
            None if !can_carry => NameState::Settled,
            None => NameState::Uncarried,
        }
    }
}

/// Whether the governing Service exists and selects the set's pods.
fn can_carry(timeline: &Timeline) -> bool {
    let (Some(set), Some(service)) = (timeline.set(), timeline.governing_service()) else {
        return false;
    };
    service.spec().selects(&set.spec.template.metadata.labels)
}

fn is_carried(timeline: &Timeline, service: &str, pod: &PodLife) -> bool {
    let endpoints = || timeline.slices(service).flat_map(|it| &it.endpoints);
    endpoints().any(|it| {
        it.target_ref.as_ref().is_some_and(|to| to.uid == pod.uid())
            && it.conditions.ready != Some(false)
    })
}

/// Whether a pod's resolver settings are the cluster's, not its author's.
fn uses_cluster_dns(pod: &PodLife) -> bool {
    let spec = pod.spec();
    let policy = spec.dns_policy.as_str();
    spec.dns_config.is_none()
        && (policy == "ClusterFirstWithHostNet" || policy == "ClusterFirst" && !spec.host_network)
}

fn addresses(pod: &PodLife) -> Vec<String> {
    let status = &pod.pod.status;
    let mut list: Vec<String> = status
        .pod_ips
        .iter()
        .map(|it| it.ip.clone())
        .chain([status.pod_ip.clone()])
        .filter(|it| !it.is_empty())
        .collect();
    list.sort();
    list.dedup();
    list
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
