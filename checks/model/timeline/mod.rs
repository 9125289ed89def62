//! The timeline: a fold over observations that keeps what happened to each object, and when.
//!
//! The judge, the tour's waits and every live view ask this one type. It is never stored.

pub(crate) mod cache;
pub(crate) mod endpoints;
pub(crate) mod ends;
pub(crate) mod episode;
pub(crate) mod in_the_way;
pub(crate) mod keyed;
pub(crate) mod kills;
mod known_ends;
pub(crate) mod lines;
pub(crate) mod lives;
pub(crate) mod relevance;
pub(crate) mod runs;
pub(crate) mod settled;
pub(crate) mod states;
pub(crate) mod subject;
pub(crate) mod times;
pub(crate) mod uptime;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    observation::{
        CanaryFile, CanaryVisit, End, Inquiry, Kind, Lookup, Read, Refusal, RequestedChange, Seq,
        StorageClass, Subject,
        object::{EndpointSlice, Event},
    },
    obstacle::Obstacle,
    timeline::{
        cache::Cache,
        endpoints::Endpoints,
        in_the_way::InTheWay,
        keyed::{Events, Keyed},
        lives::{ClaimLife, PodLife, Recorded, ServiceLife, SetLife, StepLife, WatchGap},
        settled::SettledPeriod,
    },
};

/// The most replicas of a set that is graded: the lab asks for 3, and each one costs time and room.
pub const MAX_REPLICAS: i32 = 100;

/// What happened, as far as the recording has been pushed into it.
#[derive(Debug, Default)]
pub struct Timeline {
    pub(crate) subject: Option<(Seq, Subject)>,
    pub(crate) earlier_subjects: Vec<String>,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) sets: BTreeMap<String, Vec<SetLife>>,
    pub(crate) lanes: BTreeMap<String, BTreeMap<i32, Vec<PodLife>>>,
    pub(crate) unowned_pods: BTreeMap<String, PodLife>,
    pub(crate) pod_index: BTreeMap<String, PodPosition>,
    /// The pods that exist, by the owning set's UID: ordinal, first line and UID.
    pub(crate) alive: BTreeMap<String, BTreeSet<(i32, Seq, String)>>,
    /// The names of the sets that exist.
    pub(crate) alive_sets: BTreeSet<String>,
    pub(crate) claims: BTreeMap<String, Vec<ClaimLife>>,
    pub(crate) services: BTreeMap<String, Vec<ServiceLife>>,
    pub(crate) slices: BTreeMap<String, EndpointSlice>,
    pub(crate) endpoints: Endpoints,
    /// The names of claims, sets and Services, by UID.
    pub(crate) names: BTreeMap<String, String>,
    pub(crate) events: Events,
    /// Pods (by UID) of which the kubelet said that it started a container.
    pub(crate) said_to_run: BTreeSet<String>,
    /// By the pod's UID.
    pub(crate) reads: Keyed<Read>,
    /// By the claim's name.
    pub(crate) canaries: Keyed<CanaryVisit>,
    /// Who wrote a canary: some pods' names, each with the claim.
    pub(crate) writers: BTreeMap<CanaryFile, BTreeSet<(String, String)>>,
    /// By the pod's UID, or by [`Timeline::service_key`].
    pub(crate) lookups: Keyed<Lookup>,
    /// By the pod's UID; others by the empty name.
    pub(crate) inquiries: Keyed<Inquiry>,
    pub(crate) storage_classes: Option<Vec<StorageClass>>,
    pub(crate) steps: Vec<StepLife>,
    /// What the grader asked for, in order.
    pub(crate) requested: Vec<(Seq, RequestedChange)>,
    /// How many steps ended without getting there.
    pub(crate) ended_early: usize,
    pub(crate) settled_periods: Vec<SettledPeriod>,
    /// What stands in the way of the subject.
    pub(crate) in_the_way: InTheWay,
    /// What is known to stand in the way of other sets, by name.
    pub(crate) in_the_way_of_others: BTreeMap<String, InTheWay>,
    /// The latest stamp of any container, in seconds since the epoch: the nodes' clocks are not
    /// behind it.
    pub(crate) clock: i64,
    /// By kind: the last line that is sure before its last gap; 0 where there was none.
    pub(crate) last_sure_lines: BTreeMap<Kind, Seq>,
    pub(crate) watch_gaps: Vec<WatchGap>,
    pub(crate) end: Option<Recorded<End>>,
    pub(crate) last: Seq,
    /// When each line was written, by place, in nanoseconds since the recording began.
    pub(crate) times: Vec<(Seq, u64)>,
    /// When the last line was written, or until when no line came, in nanoseconds since the
    /// recording began.
    pub(crate) now: u64,
    pub(crate) cache: Cache,
}

/// Where a pod's life is kept: the owning set's UID (empty for none) and the ordinal.
#[derive(Debug)]
pub(crate) struct PodPosition {
    pub(crate) set: String,
    pub(crate) ordinal: i32,
    /// Its place in the lane, which only the newest life leaves.
    pub(crate) index: usize,
}

impl Timeline {
    /// The namespace that is graded.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.subject.as_ref().map_or("", |(_, subject)| &subject.namespace)
    }

    /// What the API server refused about a manifest: then nothing else is judged.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// The newest life of the graded StatefulSet.
    ///
    /// By the subject's name; where no subject was named yet, the only set that stands.
    #[must_use]
    pub fn set(&self) -> Option<&SetLife> {
        match &self.subject {
            Some((_, Subject { stateful_set: Some(reference), .. })) => {
                self.sets.get(&reference.name)?.last()
            }
            Some(_) => None,
            None => {
                let mut sets = self.sets();
                let first = sets.next()?;
                sets.next().is_none().then_some(first)
            }
        }
    }

    /// What the containers of the template run: their commands and arguments.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = &str> {
        let template = self.set().map(|set| &set.spec.template.spec);
        let containers = template.into_iter().flat_map(|it| it.all_containers());
        containers.flat_map(|it| it.command.iter().chain(&it.args)).map(String::as_str)
    }

    /// The StatefulSets that stand in the namespace.
    pub fn sets(&self) -> impl Iterator<Item = &SetLife> {
        self.alive_sets.iter().filter_map(|name| self.sets.get(name)?.last())
    }

    /// The first ordinal.
    #[must_use]
    pub fn start(&self) -> i32 {
        self.set().map_or(0, SetLife::start)
    }

    /// The ordinals that the submission asks for; none where it asks for more than is graded.
    #[must_use]
    pub fn ordinals(&self) -> std::ops::Range<i32> {
        let start = self.start();
        let replicas = if self.replicas() > MAX_REPLICAS { 0 } else { self.replicas() };
        start..start.saturating_add(replicas)
    }

    /// An ordinal's pod lives in the graded set, in order.
    #[must_use]
    pub fn lane(&self, ordinal: i32) -> &[PodLife] {
        self.set()
            .and_then(|set| self.lanes.get(&set.uid)?.get(&ordinal))
            .map_or(&[], Vec::as_slice)
    }

    /// All lanes of the graded set, by ordinal.
    pub fn lanes(&self) -> impl Iterator<Item = (i32, &[PodLife])> {
        self.set()
            .and_then(|set| self.lanes.get(&set.uid))
            .into_iter()
            .flatten()
            .map(|(ordinal, lane)| (*ordinal, lane.as_slice()))
    }

    /// The pods that the graded set owns now, by ordinal.
    pub fn owned(&self) -> impl Iterator<Item = &PodLife> {
        let alive = self.set().and_then(|set| self.alive.get(&set.uid));
        alive.into_iter().flatten().filter_map(|(_, _, uid)| self.pod_life(uid))
    }

    /// The pod that stands for an ordinal now.
    #[must_use]
    pub fn live(&self, ordinal: i32) -> Option<&PodLife> {
        self.lane(ordinal).last().filter(|it| it.is_alive())
    }

    /// A pod life by its UID, whoever owns it.
    #[must_use]
    pub fn pod_life(&self, uid: &str) -> Option<&PodLife> {
        let position = self.pod_index.get(uid)?;
        if position.set.is_empty() {
            return self.unowned_pods.get(uid);
        }
        self.lanes.get(&position.set)?.get(&position.ordinal)?.get(position.index)
    }

    /// How many pods of its ordinal were before a pod of the graded set; `None` for another pod.
    pub(crate) fn place(&self, pod: &PodLife) -> Option<usize> {
        let position = self.pod_index.get(pod.uid())?;
        (position.set == self.set()?.uid).then_some(position.index)
    }

    /// Pods in the namespace that no StatefulSet owns, while they exist.
    pub fn unowned_pods(&self) -> impl Iterator<Item = &PodLife> {
        self.unowned_pods.values().filter(|it| it.is_alive())
    }

    /// All pods that exist in the namespace now, whoever owns them.
    pub fn pods(&self) -> impl Iterator<Item = &PodLife> {
        self.lanes
            .values()
            .flat_map(BTreeMap::values)
            .flatten()
            .chain(self.unowned_pods.values())
            .filter(|it| it.is_alive())
    }

    /// All lives of the claims of one name, in order.
    #[must_use]
    pub fn claim(&self, name: &str) -> &[ClaimLife] {
        self.claims.get(name).map_or(&[], Vec::as_slice)
    }

    /// The claims that exist now.
    pub fn claims(&self) -> impl Iterator<Item = &ClaimLife> {
        self.claims.values().filter_map(|lives| lives.last()).filter(|it| it.deleted.is_none())
    }

    /// The Service of that name, while it exists.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&ServiceLife> {
        self.services.get(name)?.last().filter(|it| it.deleted.is_none())
    }

    /// All Services that exist now.
    pub fn services(&self) -> impl Iterator<Item = &ServiceLife> {
        self.services.values().filter_map(|lives| lives.last()).filter(|it| it.deleted.is_none())
    }

    /// The Service that `spec.serviceName` names: while it exists, and, once the set itself is
    /// gone, as it was.
    ///
    /// Who cleans up at the end removes both, in any order.
    #[must_use]
    pub fn governing_service(&self) -> Option<&ServiceLife> {
        let set = self.set()?;
        let newest = self.services.get(&set.spec.service_name)?.last()?;
        (newest.deleted.is_none() || set.deletion_requested.is_some()).then_some(newest)
    }

    /// The EndpointSlices of a Service now.
    pub fn slices(&self, service: &str) -> impl Iterator<Item = &EndpointSlice> {
        self.slices.values().filter(move |it| {
            it.metadata.labels.get("kubernetes.io/service-name").is_some_and(|name| name == service)
        })
    }

    /// Warnings about an object, by UID, oldest first.
    pub fn warnings(&self, uid: &str) -> impl DoubleEndedIterator<Item = (Seq, &Event)> {
        self.events
            .about(uid)
            .filter(|it| it.event.r#type == "Warning")
            .map(|it| (it.seq, &it.event))
    }

    /// Whether what an Event's line tells was said before anybody watched: it may have been mended
    /// since.
    pub(crate) fn is_old_news(&self, seq: Seq) -> bool {
        self.events.at(seq).is_some_and(|it| it.listed)
    }

    /// Whether a pod (by UID) was warned about anew after a line. Events come late, so what is told
    /// for the first time may have been before.
    pub(crate) fn is_warned_anew(&self, uid: &str, line: Seq) -> bool {
        // That it waits for its next start, or pull, is no news.
        let mut warnings = self
            .events
            .about(uid)
            .filter(|it| it.event.r#type == "Warning" && it.event.reason != "BackOff");
        warnings.any(|it| it.before.is_some_and(|before| before > line))
    }

    /// Whether the kubelet says that it started a container of a pod (by UID): a hint when to look,
    /// and never evidence.
    #[must_use]
    pub fn is_said_to_run(&self, uid: &str) -> bool {
        self.said_to_run.contains(uid)
    }

    /// All Events that are kept about an object, by UID, oldest first.
    pub(crate) fn events_about(&self, uid: &str) -> impl Iterator<Item = (Seq, &Event)> {
        self.events.about(uid).map(|it| (it.seq, &it.event))
    }

    /// The StorageClasses of the cluster, where they could be read.
    #[must_use]
    pub fn storage_classes(&self) -> Option<&[StorageClass]> {
        self.storage_classes.as_deref()
    }

    /// The steps of the tour so far.
    #[must_use]
    pub fn steps(&self) -> &[StepLife] {
        &self.steps
    }

    /// The spans in which changes may have been missed, in order.
    #[must_use]
    pub fn watch_gaps(&self) -> &[WatchGap] {
        &self.watch_gaps
    }

    /// The spans in which all that was asked for was Ready, in order.
    #[must_use]
    pub fn settled_periods(&self) -> &[SettledPeriod] {
        &self.settled_periods
    }

    /// Whether a pod of that name exists now.
    #[must_use]
    pub fn is_pod(&self, name: &str) -> bool {
        self.pods().any(|it| it.name() == name)
    }

    /// What the namespace holds in place of a StatefulSet: `Deployment web`.
    #[must_use]
    pub fn other_workloads(&self) -> &[String] {
        self.subject.as_ref().map_or(&[], |(_, subject)| &subject.others)
    }

    /// The readings of a pod's claims, by the pod's UID, oldest first.
    pub fn reads_of(&self, uid: &str) -> impl DoubleEndedIterator<Item = &Recorded<Read>> {
        self.reads.of(uid)
    }

    /// Whether a DNS server has answered a pod (UID), whatever the answer was.
    #[must_use]
    pub fn was_answered(&self, uid: &str) -> bool {
        self.lookups.iter().any(|it| it.what.from.uid == uid && it.what.undecided.is_none())
    }

    /// The names that DNS was asked for, in order.
    pub fn asked_names(&self) -> impl Iterator<Item = &str> {
        self.lookups.iter().map(|it| it.what.name.as_str())
    }

    /// The names of the claims that the set's templates make for an ordinal.
    #[must_use]
    pub fn claim_names(&self, ordinal: i32) -> Vec<String> {
        let Some(set) = self.set() else { return vec![] };
        set.claim_names(&set.pod_name(ordinal)).collect()
    }

    /// The name of the set's pod of an ordinal, whether it stands or not.
    pub(crate) fn pod_name(&self, ordinal: i32) -> String {
        self.set().map_or_else(|| format!("-{ordinal}"), |set| set.pod_name(ordinal))
    }

    /// What stood in the way first, if anything did.
    #[must_use]
    pub fn first_obstacle(&self) -> Option<&Obstacle> {
        self.in_the_way.obstacles.first()
    }

    /// Everything that stood in the way, in the order in which it was met.
    #[must_use]
    pub fn obstacles(&self) -> &[Obstacle] {
        &self.in_the_way.obstacles
    }

    /// The end of the judged part, once it is reached.
    #[must_use]
    pub const fn end(&self) -> Option<&Recorded<End>> {
        self.end.as_ref()
    }

    /// The last line that was pushed.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.last
    }
}
