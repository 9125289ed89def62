//! The timeline: a fold over observations that keeps what happened to each object, and when.
//!
//! The judge, the driver's waits and every live view ask this one type. It is never stored: it is
//! folded again from the recording.

use std::{collections::BTreeMap, sync::LazyLock};

use super::{
    object::{EndpointSlice, Event, Object, OwnerReference, PersistentVolumeClaim, Pod, PodSpec, Service, ServiceSpec, StatefulSet, StatefulSetSpec, StatefulSetStatus},
    observation::{Asked, Canary, Change, Diagnosis, End, Gap, Kind, Lookup, Observation, Phase, Read, Seq, StepName, StorageClass, Subject, What, Why},
    obstacle::{self, Obstacle},
    rest::Rest,
    when::When,
};

/// What happened, as far as the recording has been pushed into it.
#[derive(Debug, Default)]
pub struct Timeline {
    pub(crate) subject: Option<(Seq, Subject)>,
    sets: BTreeMap<String, Vec<SetLife>>,
    lanes: BTreeMap<String, BTreeMap<i32, Vec<Incarnation>>>,
    strays: BTreeMap<String, Incarnation>,
    homes: BTreeMap<String, Home>,
    claims: BTreeMap<String, Vec<ClaimLife>>,
    services: BTreeMap<String, Vec<ServiceLife>>,
    slices: BTreeMap<String, EndpointSlice>,
    events: Vec<(Seq, Event)>,
    pub(crate) reads: Vec<Noted<Read>>,
    pub(crate) canaries: Vec<Noted<Canary>>,
    pub(crate) lookups: Vec<Noted<Lookup>>,
    pub(crate) diagnoses: Vec<Noted<Diagnosis>>,
    steps: Vec<StepLife>,
    rests: Vec<Rest>,
    obstacles: Vec<Obstacle>,
    gaps: BTreeMap<Kind, Option<Seq>>,
    end: Option<Noted<End>>,
    last: Seq,
    now: u64,
}

/// An observation's content with its place in the recording.
#[derive(Clone, Debug)]
pub struct Noted<T> {
    /// Its line.
    pub seq: Seq,
    /// Its time, in nanoseconds since the recording began.
    pub at: u64,
    /// What it says.
    pub what: T,
}

/// Where a pod's incarnation is kept: the owning set's UID (empty for none) and the ordinal.
#[derive(Debug)]
struct Home {
    set: String,
    ordinal: i32,
}

/// One life (UID) of a StatefulSet.
#[derive(Clone, Debug)]
pub struct SetLife {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// The newest spec.
    pub spec: StatefulSetSpec,
    /// The newest status.
    pub status: StatefulSetStatus,
    /// The newest generation of the spec.
    pub generation: i64,
    /// When it was created.
    pub added: When,
    /// When anything but `spec.replicas` last changed; its creation where nothing has.
    pub changed: When,
    /// `spec.replicas` at that moment.
    pub submitted: i32,
    /// Every change of `spec.replicas`, the witnessed creation (from 0) among them.
    pub scales: Vec<Scale>,
    /// When its deletion was requested.
    pub asked_to_go: Option<When>,
    /// When it went away.
    pub gone: Option<When>,
}

/// One change of `spec.replicas`, as the set's own watch showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Before.
    pub from: i32,
    /// After.
    pub to: i32,
    /// When.
    pub when: When,
}

/// One pod UID's life.
#[derive(Clone, Debug)]
pub struct Incarnation {
    /// The newest object, its spec always there.
    pub pod: Pod,
    /// The number at the end of its name; -1 where there is none.
    pub ordinal: i32,
    /// When it was created.
    pub added: When,
    /// When that was, in nanoseconds since the recording began, as far as it was watched.
    pub added_at: u64,
    /// First seen without the owner that it has now.
    pub adopted: bool,
    /// When it was first Ready.
    pub ready: Option<When>,
    /// That moment, in nanoseconds since the recording began.
    pub ready_at: u64,
    /// When its deletion was first requested.
    pub asked_to_go: Option<When>,
    /// That moment, in nanoseconds since the recording began.
    pub asked_to_go_at: u64,
    /// When it went away.
    pub gone: Option<When>,
    /// That moment, in nanoseconds since the recording began.
    pub gone_at: u64,
    /// The last line at which a container of it was seen to have ended while nobody had asked the pod to go.
    pub ended: Option<Seq>,
    /// When its containers were first seen running, in nanoseconds since the recording began.
    pub running_at: Option<u64>,
    /// The addresses that it had.
    pub addresses: Vec<String>,
}

impl Incarnation {
    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.pod.metadata.name
    }

    /// `metadata.uid`.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.pod.metadata.uid
    }

    /// Its spec.
    #[must_use]
    pub fn spec(&self) -> &PodSpec {
        static NONE: LazyLock<PodSpec> = LazyLock::new(PodSpec::default);
        self.pod.spec.as_ref().unwrap_or(&NONE)
    }

    /// Whether it is Ready at the moment, and not on its way out.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_alive() && self.asked_to_go.is_none() && condition_true(&self.pod, "Ready")
    }

    /// Whether it still exists.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        self.gone.is_none()
    }

    /// The claims that its containers mount, by volume: `(volume, claim)`, in the volumes' order.
    ///
    /// Generic ephemeral volumes are claims too, named `<pod>-<volume>`.
    #[must_use]
    pub fn claims(&self) -> Vec<(String, String)> {
        let spec = self.spec();
        let mounted = |volume: &str| spec.containers.iter().chain(&spec.init_containers).any(|it| it.volume_mounts.iter().any(|mount| mount.name == volume));
        spec.volumes
            .iter()
            .filter(|volume| mounted(&volume.name))
            .filter_map(|volume| match (&volume.persistent_volume_claim, &volume.ephemeral) {
                (Some(source), _) => Some((volume.name.clone(), source.claim_name.clone())),
                (None, Some(_)) => Some((volume.name.clone(), format!("{}-{}", self.name(), volume.name))),
                (None, None) => None,
            })
            .collect()
    }
}

/// One life (UID) of a claim.
#[derive(Clone, Debug)]
pub struct ClaimLife {
    /// The newest object, its spec always there.
    pub claim: PersistentVolumeClaim,
    /// When it was created.
    pub added: When,
    /// When it was first seen with a pod as owner, which dooms it.
    pub doomed: Option<When>,
    /// When its deletion was first requested.
    pub asked_to_go: Option<When>,
    /// When it went away.
    pub gone: Option<When>,
}

impl ClaimLife {
    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.claim.metadata.name
    }

    /// `metadata.uid`.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.claim.metadata.uid
    }

    /// Name of the volume that it is bound to; empty while it is not.
    #[must_use]
    pub fn volume(&self) -> &str {
        self.claim.spec.as_ref().map_or("", |spec| &spec.volume_name)
    }
}

/// One life (UID) of a Service.
#[derive(Clone, Debug)]
pub struct ServiceLife {
    /// The newest object, its spec always there.
    pub service: Service,
    /// When it was created.
    pub added: When,
    /// When its spec last changed after its creation.
    pub changed: Option<When>,
    /// When it went away.
    pub gone: Option<When>,
}

impl ServiceLife {
    /// Its spec.
    #[must_use]
    pub fn spec(&self) -> &ServiceSpec {
        static NONE: LazyLock<ServiceSpec> = LazyLock::new(ServiceSpec::default);
        self.service.spec.as_ref().unwrap_or(&NONE)
    }

    /// Whether it has no cluster IP by its own will.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.spec().cluster_ip == "None"
    }
}

/// A step of the tour.
#[derive(Clone, Debug)]
pub struct StepLife {
    /// Which.
    pub name: StepName,
    /// Its first line.
    pub begin: Seq,
    /// What the grader asked for in it.
    pub asked: Vec<(Seq, Asked)>,
    /// How it ended, and what was said then.
    pub end: Option<(Seq, Phase, Option<String>)>,
}

impl Timeline {
    /// Folds a whole recording.
    #[must_use]
    pub fn of(observations: &[Observation]) -> Self {
        let mut timeline = Self::default();
        for observation in observations {
            timeline.push(observation);
        }
        timeline
    }

    /// Takes in one more line. What follows the end of the judged part is ignored.
    pub fn push(&mut self, observation: &Observation) {
        if self.end.is_some() {
            return;
        }
        let (seq, at) = (observation.seq, observation.at);
        self.last = seq;
        self.now = at;
        let note = |what| Noted { seq, at, what };
        match &observation.what {
            What::Subject(subject) => self.subject = Some((seq, subject.clone())),
            What::Object(change, object) => {
                self.object(seq, at, *change, object);
                self.note_rest(seq);
            }
            What::Gap(gap) => self.gap(seq, at, gap),
            What::Step(step) => self.step(seq, step),
            What::Read(read) => self.reads.push(Noted { seq, at, what: read.clone() }),
            What::Canary(canary) => self.canaries.push(Noted { seq, at, what: canary.clone() }),
            What::Lookup(lookup) => self.lookups.push(Noted { seq, at, what: lookup.clone() }),
            What::Diagnosis(diagnosis) => self.diagnoses.push(Noted { seq, at, what: diagnosis.clone() }),
            What::End(end) => {
                self.end = Some(note(end.clone()));
                if self.obstacles.is_empty() && !self.is_at_rest() {
                    self.obstacles.extend(obstacle::find(self, end.why == Why::Timeout));
                }
            }
            What::Unknown => {}
        }
    }

    // ------------------------------------------------------------ questions

    /// The namespace that is graded.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.subject.as_ref().map_or("", |(_, subject)| &subject.namespace)
    }

    /// The newest life of the graded StatefulSet.
    ///
    /// By the subject's name; where no subject was named yet, the only set that stands.
    #[must_use]
    pub fn set(&self) -> Option<&SetLife> {
        match &self.subject {
            Some((_, Subject { stateful_set: Some(reference), .. })) => self.sets.get(&reference.name)?.last(),
            Some(_) => None,
            None => {
                let mut standing = self.sets.values().filter_map(|lives| lives.last()).filter(|life| life.gone.is_none());
                let first = standing.next()?;
                standing.next().is_none().then_some(first)
            }
        }
    }

    /// The StatefulSets that stand in the namespace.
    pub fn sets(&self) -> impl Iterator<Item = &SetLife> {
        self.sets.values().filter_map(|lives| lives.last()).filter(|life| life.gone.is_none())
    }

    /// N: the replicas of the submission, as it asked for them when it last changed.
    #[must_use]
    pub fn replicas(&self) -> i32 {
        self.set().map_or(0, |set| set.submitted)
    }

    /// The first ordinal.
    #[must_use]
    pub fn start(&self) -> i32 {
        self.set().and_then(|set| set.spec.ordinals.as_ref()).map_or(0, |it| it.start)
    }

    /// The ordinals that the submission asks for.
    #[must_use]
    pub fn ordinals(&self) -> std::ops::Range<i32> {
        let start = self.start();
        start..start.saturating_add(self.replicas())
    }

    /// The line since which evidence counts: the last change of the submission.
    #[must_use]
    pub fn since(&self) -> Seq {
        let Some(set) = self.set() else { return 0 };
        let service = self.governing_service().and_then(|service| service.changed).map_or(0, |when| when.by);
        set.changed.by.max(service)
    }

    /// An ordinal's incarnations in the graded set, in order.
    #[must_use]
    pub fn lane(&self, ordinal: i32) -> &[Incarnation] {
        self.set().and_then(|set| self.lanes.get(&set.uid)?.get(&ordinal)).map_or(&[], Vec::as_slice)
    }

    /// All lanes of the graded set, by ordinal.
    pub fn lanes(&self) -> impl Iterator<Item = (i32, &[Incarnation])> {
        self.set().and_then(|set| self.lanes.get(&set.uid)).into_iter().flatten().map(|(ordinal, lane)| (*ordinal, lane.as_slice()))
    }

    /// The pods that the graded set owns now, by ordinal.
    pub fn owned(&self) -> impl Iterator<Item = &Incarnation> {
        self.lanes().flat_map(|(_, lane)| lane).filter(|it| it.is_alive())
    }

    /// The pod that stands for an ordinal now.
    #[must_use]
    pub fn live(&self, ordinal: i32) -> Option<&Incarnation> {
        self.lane(ordinal).last().filter(|it| it.is_alive())
    }

    /// An incarnation by its UID, whoever owns it.
    #[must_use]
    pub fn incarnation(&self, uid: &str) -> Option<&Incarnation> {
        let home = self.homes.get(uid)?;
        if home.set.is_empty() {
            return self.strays.get(uid);
        }
        self.lanes.get(&home.set)?.get(&home.ordinal)?.iter().find(|it| it.uid() == uid)
    }

    /// Pods in the namespace that no StatefulSet owns, while they exist.
    pub fn strays(&self) -> impl Iterator<Item = &Incarnation> {
        self.strays.values().filter(|it| it.is_alive())
    }

    /// All pods that exist in the namespace now, whoever owns them.
    pub fn pods(&self) -> impl Iterator<Item = &Incarnation> {
        self.lanes.values().flat_map(BTreeMap::values).flatten().chain(self.strays.values()).filter(|it| it.is_alive())
    }

    /// All lives of the claims of one name, in order.
    #[must_use]
    pub fn claim(&self, name: &str) -> &[ClaimLife] {
        self.claims.get(name).map_or(&[], Vec::as_slice)
    }

    /// The claims that exist now.
    pub fn claims(&self) -> impl Iterator<Item = &ClaimLife> {
        self.claims.values().filter_map(|lives| lives.last()).filter(|it| it.gone.is_none())
    }

    /// The Service of that name, while it exists.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&ServiceLife> {
        self.services.get(name)?.last().filter(|it| it.gone.is_none())
    }

    /// All Services that exist now.
    pub fn services(&self) -> impl Iterator<Item = &ServiceLife> {
        self.services.values().filter_map(|lives| lives.last()).filter(|it| it.gone.is_none())
    }

    /// The Service that `spec.serviceName` names, while it exists.
    #[must_use]
    pub fn governing_service(&self) -> Option<&ServiceLife> {
        self.service(&self.set()?.spec.service_name)
    }

    /// The EndpointSlices of a Service now.
    pub fn slices(&self, service: &str) -> impl Iterator<Item = &EndpointSlice> {
        self.slices.values().filter(move |it| it.metadata.labels.get("kubernetes.io/service-name").is_some_and(|name| name == service))
    }

    /// Warnings about an object, by UID, oldest first.
    pub fn warnings(&self, uid: &str) -> impl DoubleEndedIterator<Item = (Seq, &Event)> {
        self.events.iter().filter(move |(_, it)| it.involved_object.uid == uid && it.r#type == "Warning").map(|(seq, it)| (*seq, it))
    }

    /// What the events say of a claim, warnings or not, oldest first.
    pub(crate) fn claim_words(&self, uid: &str) -> impl Iterator<Item = (Seq, String)> {
        self.events.iter().filter(move |(_, it)| it.involved_object.uid == uid).map(|(seq, it)| (*seq, it.message.clone()))
    }

    /// The StorageClasses of the cluster, where they could be read.
    #[must_use]
    pub fn storage_classes(&self) -> Option<&[StorageClass]> {
        self.diagnoses.iter().rev().find_map(|it| match &it.what {
            Diagnosis::StorageClasses { classes } => Some(classes.as_slice()),
            _ => None,
        })
    }

    /// The steps of the tour so far.
    #[must_use]
    pub fn steps(&self) -> &[StepLife] {
        &self.steps
    }

    /// The moments at which all that was asked for was Ready, in order.
    #[must_use]
    pub fn rests(&self) -> &[Rest] {
        &self.rests
    }

    /// What stood in the way first, if anything did.
    #[must_use]
    pub fn obstacle(&self) -> Option<&Obstacle> {
        self.obstacles.first()
    }

    /// Everything that stood in the way, in the order in which it was met.
    #[must_use]
    pub fn obstacles(&self) -> &[Obstacle] {
        &self.obstacles
    }

    /// The end of the judged part, once it is reached.
    #[must_use]
    pub const fn end(&self) -> Option<&Noted<End>> {
        self.end.as_ref()
    }

    /// The last line that was pushed.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.last
    }

    /// The time of the last line, in nanoseconds since the recording began.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.now
    }

    // ------------------------------------------------------------ the fold

    /// When a line of this kind tells of something new.
    fn when(&self, kind: Kind, seq: Seq, change: Change) -> When {
        let after = match change {
            Change::Listed => self.gaps.get(&kind).copied().flatten(),
            _ => Some(seq - 1),
        };
        When { after, by: seq }
    }

    fn object(&mut self, seq: Seq, at: u64, change: Change, object: &Object) {
        let when = self.when(object.kind(), seq, change);
        match object {
            Object::StatefulSet(it) => self.stateful_set(when, change, it),
            Object::Pod(it) => self.pod(when, at, change, it),
            Object::PersistentVolumeClaim(it) => self.persistent_volume_claim(when, change, it),
            Object::Service(it) => self.service_line(when, change, it),
            Object::EndpointSlice(it) => {
                if change == Change::Deleted {
                    self.slices.remove(&it.metadata.uid);
                } else {
                    self.slices.insert(it.metadata.uid.clone(), it.clone());
                }
            }
            Object::Event(it) => {
                if change != Change::Deleted && (it.r#type == "Warning" || it.involved_object.kind == "PersistentVolumeClaim") {
                    self.events.retain(|(_, known)| known.metadata.uid != it.metadata.uid);
                    self.events.push((seq, it.clone()));
                }
            }
        }
    }

    fn stateful_set(&mut self, when: When, change: Change, it: &StatefulSet) {
        let lives = self.sets.entry(it.metadata.name.clone()).or_default();
        if lives.last().is_none_or(|life| life.uid != it.metadata.uid) {
            if let Some(life) = lives.last_mut() {
                life.gone.get_or_insert(when);
            }
            let spec = it.spec.clone().unwrap_or_default();
            let replicas = spec.replicas.unwrap_or(1);
            let scales = if change == Change::Added { vec![Scale { from: 0, to: replicas, when }] } else { vec![] };
            lives.push(SetLife {
                name: it.metadata.name.clone(),
                uid: it.metadata.uid.clone(),
                spec,
                status: it.status.clone(),
                generation: it.metadata.generation,
                added: when,
                changed: when,
                submitted: replicas,
                scales,
                asked_to_go: None,
                gone: None,
            });
        }
        let Some(life) = lives.last_mut() else { return };
        if let Some(spec) = &it.spec {
            let (from, to) = (life.spec.replicas.unwrap_or(1), spec.replicas.unwrap_or(1));
            let same_but_replicas = StatefulSetSpec { replicas: life.spec.replicas, ..spec.clone() } == life.spec;
            if from != to {
                life.scales.push(Scale { from, to, when });
            }
            if !same_but_replicas {
                life.changed = when;
                life.submitted = to;
            }
            life.spec = spec.clone();
        }
        life.status = it.status.clone();
        life.generation = it.metadata.generation;
        if it.metadata.deletion_timestamp.is_some() || change == Change::Deleted {
            life.asked_to_go.get_or_insert(when);
        }
        if change == Change::Deleted {
            life.gone.get_or_insert(when);
        }
    }

    fn pod(&mut self, when: When, at: u64, change: Change, it: &Pod) {
        let uid = &it.metadata.uid;
        let owner = controller(&it.metadata.owner_references).filter(|owner| owner.kind == "StatefulSet").map_or("", |owner| &owner.uid);
        let ordinal = ordinal_of(&it.metadata.name);
        let known = self.homes.get(uid).map(|home| home.set == owner);
        match known {
            Some(true) => {}
            Some(false) => self.rehome(uid, owner),
            None => {
                let fresh = Incarnation {
                    pod: it.clone(),
                    ordinal,
                    added: when,
                    added_at: at,
                    adopted: false,
                    ready: None,
                    ready_at: 0,
                    asked_to_go: None,
                    asked_to_go_at: 0,
                    gone: None,
                    gone_at: 0,
                    ended: None,
                    running_at: None,
                    addresses: vec![],
                };
                self.homes.insert(uid.clone(), Home { set: owner.to_owned(), ordinal });
                if owner.is_empty() {
                    self.strays.insert(uid.clone(), fresh);
                } else {
                    let lane = self.lanes.entry(owner.to_owned()).or_default().entry(ordinal).or_default();
                    // Two pods of one name never stand at once: the earlier one went unseen.
                    if let Some(before) = lane.last_mut() {
                        before.go(when, at);
                    }
                    lane.push(fresh);
                }
            }
        }
        if let Some(life) = self.incarnation_mut(uid) {
            life.take(when, at, change, it);
        }
    }

    fn rehome(&mut self, uid: &str, owner: &str) {
        let Some(home) = self.homes.get_mut(uid) else { return };
        let taken = if home.set.is_empty() {
            self.strays.remove(uid)
        } else {
            self.lanes.get_mut(&home.set).and_then(|lanes| lanes.get_mut(&home.ordinal)).and_then(|lane| {
                let place = lane.iter().position(|it| it.uid() == uid)?;
                Some(lane.remove(place))
            })
        };
        let Some(mut life) = taken else { return };
        owner.clone_into(&mut home.set);
        life.adopted = true;
        if owner.is_empty() {
            self.strays.insert(uid.to_owned(), life);
        } else {
            self.lanes.entry(owner.to_owned()).or_default().entry(life.ordinal).or_default().push(life);
        }
    }

    fn incarnation_mut(&mut self, uid: &str) -> Option<&mut Incarnation> {
        let home = self.homes.get(uid)?;
        if home.set.is_empty() {
            return self.strays.get_mut(uid);
        }
        self.lanes.get_mut(&home.set)?.get_mut(&home.ordinal)?.iter_mut().find(|it| it.uid() == uid)
    }

    fn persistent_volume_claim(&mut self, when: When, change: Change, it: &PersistentVolumeClaim) {
        let lives = self.claims.entry(it.metadata.name.clone()).or_default();
        if lives.last().is_none_or(|life| life.uid() != it.metadata.uid) {
            if let Some(life) = lives.last_mut() {
                life.gone.get_or_insert(when);
            }
            lives.push(ClaimLife { claim: it.clone(), added: when, doomed: None, asked_to_go: None, gone: None });
        }
        let Some(life) = lives.last_mut() else { return };
        let spec = it.spec.clone().or_else(|| life.claim.spec.take());
        life.claim = PersistentVolumeClaim { spec, ..it.clone() };
        if it.metadata.owner_references.iter().any(|owner| owner.kind == "Pod") {
            life.doomed.get_or_insert(when);
        }
        if it.metadata.deletion_timestamp.is_some() || change == Change::Deleted {
            life.asked_to_go.get_or_insert(when);
        }
        if change == Change::Deleted {
            life.gone.get_or_insert(when);
        }
    }

    fn service_line(&mut self, when: When, change: Change, it: &Service) {
        let lives = self.services.entry(it.metadata.name.clone()).or_default();
        if lives.last().is_none_or(|life| life.service.metadata.uid != it.metadata.uid) {
            if let Some(life) = lives.last_mut() {
                life.gone.get_or_insert(when);
            }
            lives.push(ServiceLife { service: it.clone(), added: when, changed: None, gone: None });
        }
        let Some(life) = lives.last_mut() else { return };
        if it.spec.is_some() && it.spec != life.service.spec {
            life.changed = Some(when);
        }
        let spec = it.spec.clone().or_else(|| life.service.spec.take());
        life.service = Service { spec, ..it.clone() };
        if change == Change::Deleted {
            life.gone.get_or_insert(when);
        }
    }

    fn gap(&mut self, seq: Seq, at: u64, gap: &Gap) {
        self.gaps.insert(gap.kind, gap.last_sure);
        let when = When { after: gap.last_sure, by: seq };
        for uid in &gap.vanished {
            match gap.kind {
                Kind::Pod => {
                    if let Some(life) = self.incarnation_mut(uid) {
                        life.go(when, at);
                    }
                }
                Kind::PersistentVolumeClaim => {
                    for life in self.claims.values_mut().flatten().filter(|life| life.uid() == uid) {
                        life.asked_to_go.get_or_insert(when);
                        life.gone.get_or_insert(when);
                    }
                }
                Kind::StatefulSet => {
                    for life in self.sets.values_mut().flatten().filter(|life| life.uid == *uid) {
                        life.asked_to_go.get_or_insert(when);
                        life.gone.get_or_insert(when);
                    }
                }
                Kind::Service => {
                    for life in self.services.values_mut().flatten().filter(|life| life.service.metadata.uid == *uid) {
                        life.gone.get_or_insert(when);
                    }
                }
                Kind::EndpointSlice => {
                    self.slices.remove(uid);
                }
                Kind::Event => {}
            }
        }
    }

    fn step(&mut self, seq: Seq, step: &super::observation::Step) {
        if step.phase == Phase::Begin {
            match self.steps.last_mut().filter(|last| last.name == step.name && last.end.is_none()) {
                Some(open) => open.asked.extend(step.asked.clone().map(|asked| (seq, asked))),
                None => self.steps.push(StepLife {
                    name: step.name,
                    begin: seq,
                    asked: step.asked.clone().map(|asked| (seq, asked)).into_iter().collect(),
                    end: None,
                }),
            }
            return;
        }
        if let Some(open) = self.steps.iter_mut().rev().find(|it| it.name == step.name && it.end.is_none()) {
            open.end = Some((seq, step.phase, step.answer.clone()));
        }
        if matches!(step.phase, Phase::Stuck | Phase::TimedOut) {
            let found = obstacle::find(self, step.phase == Phase::TimedOut);
            if let Some(found) = found.filter(|found| self.obstacles.iter().all(|known| (known.id, &known.who) != (found.id, &found.who))) {
                self.obstacles.push(found);
            }
        }
    }

    fn note_rest(&mut self, seq: Seq) {
        match self.rests.last() {
            Some(rest) if rest.until.is_none() => {
                if !self.is_at_rest() {
                    if let Some(rest) = self.rests.last_mut() {
                        rest.until = Some(seq);
                    }
                }
            }
            _ => {
                if self.is_at_rest() {
                    let rest = Rest::now(self, seq);
                    self.rests.push(rest);
                }
            }
        }
    }
}

impl Incarnation {
    fn take(&mut self, when: When, at: u64, change: Change, it: &Pod) {
        let spec = it.spec.clone().or_else(|| self.pod.spec.take());
        self.pod = Pod { spec, ..it.clone() };
        for address in it.status.pod_ips.iter().map(|it| &it.ip).chain(std::iter::once(&it.status.pod_ip)) {
            if !address.is_empty() && !self.addresses.contains(address) {
                self.addresses.push(address.clone());
            }
        }
        if it.metadata.deletion_timestamp.is_some() && self.asked_to_go.is_none() {
            self.asked_to_go = Some(when);
            self.asked_to_go_at = at;
        }
        let statuses = &it.status.container_statuses;
        if self.running_at.is_none() && !statuses.is_empty() && statuses.iter().all(|it| it.state.running.is_some()) {
            self.running_at = Some(at);
        }
        if self.asked_to_go.is_none() && statuses.iter().any(|it| it.state.terminated.is_some() || it.state.waiting.is_some() && it.restart_count > 0) {
            self.ended = Some(when.by);
        }
        if change == Change::Deleted {
            self.go(when, at);
        } else if self.ready.is_none() && condition_true(it, "Ready") {
            self.ready = Some(when);
            self.ready_at = at;
        }
    }

    fn go(&mut self, when: When, at: u64) {
        if self.asked_to_go.is_none() {
            self.asked_to_go = Some(when);
            self.asked_to_go_at = at;
        }
        if self.gone.is_none() {
            self.gone = Some(when);
            self.gone_at = at;
        }
    }
}

/// The owner that manages the object.
pub(crate) fn controller(owners: &[OwnerReference]) -> Option<&OwnerReference> {
    owners.iter().find(|owner| owner.controller)
}

/// Whether a condition is `True`.
pub(crate) fn condition_true(pod: &Pod, which: &str) -> bool {
    pod.status.conditions.iter().any(|it| it.r#type == which && it.status == "True")
}

/// The number behind the last hyphen of a pod's name; -1 where there is none.
fn ordinal_of(name: &str) -> i32 {
    name.rsplit_once('-')
        .filter(|(_, digits)| digits.bytes().all(|it| it.is_ascii_digit()))
        .and_then(|(_, digits)| digits.parse().ok())
        .unwrap_or(-1)
}
