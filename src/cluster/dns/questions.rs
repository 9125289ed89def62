//! Which names are to be asked, when, and which answer is right: what is known of them, as data.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use checks::model::{
    PodLife, Seq, ServiceLife, Timeline, evidence::dns_evidence::DNS_FOLLOWS_WITHIN_SECONDS,
    observation::Reference,
};

use crate::cluster::{dns::Answer, exec::mounts::reference, watch::journal::nanoseconds};

/// How long after its pod is in an EndpointSlice a name may still be answered wrongly.
const MAX_STALE_ANSWER_TIME: Duration = Duration::from_secs(DNS_FOLLOWS_WITHIN_SECONDS);
/// How long EndpointSlices may take, after which a name is asked all the same.
const ENDPOINT_SLICE_TIMEOUT: Duration = Duration::from_secs(5);

/// The domain of a cluster of which nobody has said otherwise.
pub(super) const USUAL_DOMAIN: &str = "cluster.local";

#[derive(Default)]
pub(super) struct DnsState {
    /// When asking was allowed: the set has settled, or will not.
    pub(super) open: Option<u64>,
    /// The ordinal whose pod is replaced and the UID that it had.
    pub(super) replaced: Option<(i32, String)>,
    /// The line since which evidence counts: what was asked before the submission changed is asked
    /// again.
    pub(super) since: Seq,
    /// Since when a pod (UID) is in an EndpointSlice.
    pub(super) in_slice_since: BTreeMap<String, u64>,
    /// By ordinal: the UIDs whose name gave the right answer.
    pub(super) right: BTreeMap<i32, BTreeSet<String>>,
    /// By name and UID.
    pub(super) tries: BTreeMap<(String, String), Attempts>,
    /// For how many pods the Service's own name was answered rightly.
    pub(super) service_right: i32,
    pub(super) nobody_can_ask: bool,
    /// Other pods (by UID) that turned out to have no tool.
    pub(super) unable: BTreeSet<String>,
    /// The pods (UIDs) that no server answered when they asked last.
    pub(super) silent: BTreeSet<String>,
    /// By pod (UID): the NetworkPolicies that keep it from every DNS server.
    pub(super) denied: BTreeMap<String, Vec<String>>,
    /// The probe image has no tool either, or cannot be run.
    pub(super) no_probe: bool,
    /// Why the last of those could not.
    pub(super) trouble: Option<String>,
    /// What the cluster's DNS server told of itself.
    pub(super) resolver: Option<Resolver>,
    /// By pod UID: the domain, as that pod's own resolver told, where nothing in it can ask another
    /// server.
    pub(super) own_resolvers: BTreeMap<String, String>,
    /// The cluster's DNS server by its Service: asked once.
    pub(super) kube_dns: Option<Option<String>>,
}

/// How often a name was asked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    pub(super) count: u32,
    /// When it may be asked again, in nanoseconds of the journal's clock.
    pub(super) next_at: u64,
}

/// A DNS server that has shown to be the cluster's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolver {
    /// Its address; `None`: whatever the asking pod's own resolver asks.
    pub(super) server: Option<String>,
    /// The cluster's domain.
    pub(super) domain: String,
}

/// A name to ask.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(super) name: String,
    pub(super) of: NameOf,
    /// For each pod, the addresses of which the answer must hold one.
    pub(super) expected: Vec<Vec<String>>,
}

/// Whose name is asked.
#[derive(Clone, Debug)]
pub(super) enum NameOf {
    /// A pod's.
    Pod { pod: Reference, ordinal: i32 },
    /// The Service's own, which must give so many pods.
    Service { pods: i32 },
}

/// How a name stands.
pub(super) enum NameState {
    /// Nothing is to be asked (any more).
    Settled,
    /// To be asked, no sooner than this moment.
    From(u64),
    /// Not in an EndpointSlice yet.
    NotInEndpointSlice,
}

impl Question {
    fn of_pod(pod: &PodLife, suffix: &str) -> Self {
        Self {
            name: format!("{}.{suffix}", pod.name()),
            of: NameOf::Pod { pod: reference(pod), ordinal: pod.ordinal },
            expected: vec![addresses(pod)],
        }
    }

    /// The pod whose name it is; `None` for the Service's own name.
    pub(super) const fn pod(&self) -> Option<&Reference> {
        match &self.of {
            NameOf::Pod { pod, .. } => Some(pod),
            NameOf::Service { .. } => None,
        }
    }

    /// Whether an answer is right.
    pub(super) fn is_answered_by(&self, answer: &Answer) -> bool {
        let Answer::Addresses(given) = answer else { return false };
        if self.pod().is_none() {
            return self.expected.iter().all(|own| own.iter().any(|it| given.contains(it)));
        }
        // A Service may publish one of two IP families.
        let own: Vec<&String> = self.expected.iter().flatten().collect();
        !given.is_empty() && given.iter().all(|it| own.contains(&it))
    }

    pub(super) fn key(&self) -> (String, String) {
        (self.name.clone(), self.pod().map(|it| it.uid.clone()).unwrap_or_default())
    }
}

impl DnsState {
    /// Forgets what was asked before line `since`, from which evidence counts: that is asked again.
    pub(super) fn renew(&mut self, since: Seq) {
        if since <= self.since {
            return;
        }
        *self = Self {
            open: self.open,
            since,
            replaced: self.replaced.take(),
            resolver: self.resolver.take(),
            own_resolvers: mem::take(&mut self.own_resolvers),
            kube_dns: self.kube_dns.take(),
            ..Self::default()
        };
    }

    /// Notes since when each Ready pod is in an EndpointSlice of the governing Service. Where there
    /// are none at all, a pod counts as in one after [`ENDPOINT_SLICE_TIMEOUT`].
    pub(super) fn note_endpoint_slices(&mut self, timeline: &Timeline, now: u64) {
        let (Some(opened), Some(set)) = (self.open, timeline.set()) else { return };
        let service = &set.spec.service_name;
        let lacks_slices = will_be_in_slice(timeline) && timeline.slices(service).next().is_none();
        for pod in timeline.ordinals().filter_map(|ordinal| timeline.live(ordinal)) {
            let Some(ready) = pod.ready.filter(|_| pod.is_ready()) else { continue };
            let assumed = timeline
                .known_at(ready)
                .max(opened)
                .saturating_add(nanoseconds(ENDPOINT_SLICE_TIMEOUT));
            let since = if is_in_slice(timeline, service, pod) {
                now
            } else if lacks_slices && assumed <= now {
                assumed
            } else {
                continue;
            };
            self.in_slice_since.entry(pod.uid().to_owned()).or_insert(since);
        }
    }

    /// Every name that matters, and how it stands.
    pub(super) fn questions(
        &self,
        timeline: &Timeline,
        namespace: &str,
        each_life: bool,
        now: u64,
    ) -> Vec<(Question, NameState)> {
        let (Some(opened), Some(set)) = (self.open, timeline.set()) else { return vec![] };
        let service = &set.spec.service_name;
        if service.is_empty() {
            return vec![];
        }
        let is_awaited = will_be_in_slice(timeline);
        let suffix = format!("{service}.{namespace}.svc.{}.", self.domain());
        let mut names = vec![];
        let (mut all, mut latest, mut complete) = (vec![], opened, true);
        for ordinal in timeline.ordinals() {
            let Some(pod) = timeline.live(ordinal).filter(|pod| pod.is_ready()) else {
                complete = false;
                continue;
            };
            let question = Question::of_pod(pod, &suffix);
            all.extend(question.expected.clone());
            let since = self.in_slice_since.get(pod.uid()).copied();
            latest = latest.max(since.unwrap_or(0));
            complete &= since.is_some() || !is_awaited;
            let state = if self.is_answered(ordinal, pod.uid(), each_life) {
                NameState::Settled
            } else {
                self.state_of(&question, since, is_awaited, now)
            };
            names.push((question, state));
        }
        // Somebody may ask for more pods by hand: then it has to give those, too.
        let pods = i32::try_from(timeline.ordinals().len()).unwrap_or(i32::MAX);
        if self.service_right >= pods || names.is_empty() {
            return names;
        }
        // A Service with an address of its own answers with that one.
        let is_headless = timeline.governing_service().is_none_or(ServiceLife::is_headless);
        let expected = if is_headless { all } else { vec![] };
        let question = Question { name: suffix, of: NameOf::Service { pods }, expected };
        let state = if complete {
            self.state_of(&question, is_awaited.then_some(latest), is_awaited, now)
        } else {
            NameState::Settled
        };
        names.push((question, state));
        names
    }

    /// The cluster's domain, as far as is known.
    pub(super) fn domain(&self) -> String {
        let own = || self.own_resolvers.values().next();
        self.resolver
            .as_ref()
            .map(|it| &it.domain)
            .or_else(own)
            .map_or_else(|| USUAL_DOMAIN.to_owned(), Clone::clone)
    }

    /// Whether an ordinal's name has shown all that it has to; `uid` is that of its pod now.
    fn is_answered(&self, ordinal: i32, uid: &str, each_life: bool) -> bool {
        let Some(right) = self.right.get(&ordinal) else { return false };
        match &self.replaced {
            _ if each_life => right.contains(uid),
            Some((replaced, old)) if *replaced == ordinal => right.iter().any(|it| it != old),
            _ => !right.is_empty(),
        }
    }

    fn state_of(
        &self,
        question: &Question,
        in_slice_since: Option<u64>,
        is_awaited: bool,
        now: u64,
    ) -> NameState {
        if self.nobody_can_ask {
            return NameState::Settled;
        }
        let tries = self.tries.get(&question.key()).copied().unwrap_or_default();
        match in_slice_since {
            Some(since) => {
                let had_its_time = now > since.saturating_add(nanoseconds(MAX_STALE_ANSWER_TIME));
                let is_over = tries.count > 0 && had_its_time;
                if is_over { NameState::Settled } else { NameState::From(tries.next_at) }
            }
            None if is_awaited => NameState::NotInEndpointSlice,
            // It will never be in a slice: asked once, so that the report can show the answer.
            None if tries.count == 0 => NameState::From(0),
            None => NameState::Settled,
        }
    }
}

/// Whether the governing Service exists and selects the set's pods, so that they will be in its
/// EndpointSlices.
fn will_be_in_slice(timeline: &Timeline) -> bool {
    let (Some(set), Some(service)) = (timeline.set(), timeline.governing_service()) else {
        return false;
    };
    service.spec().selects(&set.spec.template.metadata.labels)
}

/// Whether an EndpointSlice of a Service has a pod as an endpoint that is not unready.
fn is_in_slice(timeline: &Timeline, service: &str, pod: &PodLife) -> bool {
    let endpoints = || timeline.slices(service).flat_map(|it| &it.endpoints);
    endpoints()
        .any(|it| it.is_ready() && it.target_ref.as_ref().is_some_and(|to| to.uid == pod.uid()))
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
