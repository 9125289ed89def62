//! Histories in a few words, for tests: what a cluster and a grader would have recorded.

use std::collections::BTreeMap;

use crate::{
    CHECKS, judge,
    model::{
        Fact, Observation, Outcome, Seq, Timeline, Verdict,
        observation::{
            CanaryFile, CanaryVisit, End, File, Gap, Kind, Lookup, ObjectChange, Phase, Read,
            Reference, Step, StepName, Subject,
            object::{
                ClaimSource, Condition, Container, ContainerState, ContainerStatus, Endpoint,
                EndpointSlice, EnvVar, EnvVarSource, Metadata, Object, ObjectFieldSelector,
                ObjectReference, OwnerReference, PersistentVolumeClaim, PersistentVolumeClaimSpec,
                PersistentVolumeClaimStatus, Pod, PodIp, PodSpec, PodStatus, Resources,
                RetentionPolicy, Running, Service, ServiceSpec, StatefulSet, StatefulSetSpec,
                Terminated, Volume, VolumeMount,
            },
        },
    },
};

/// What a pod's container writes to its claim: from the ordinal, what is there already, and how
/// often it was started.
pub(crate) type Writes = fn(i32, Option<&str>, u32) -> Option<String>;

/// A recording that is being made up, a second per line.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) lines: Vec<Observation>,
    /// What the set's spec says; change it before the line that is to show it.
    pub(crate) spec: StatefulSetSpec,
    /// What pods write when they start.
    pub(crate) writes: Writes,
    pods: BTreeMap<i32, Pod>,
    claims: BTreeMap<String, PersistentVolumeClaim>,
    files: BTreeMap<String, String>,
    canaries: BTreeMap<String, Vec<CanaryFile>>,
    starts: BTreeMap<i32, u32>,
    generation: i64,
    /// The newest generation that the controller has seen.
    observed: i64,
    /// The controller's name for the template that pods are made from; empty where none is told.
    pub(crate) revision: String,
    uids: u64,
}

const SET: &str = "web";

impl History {
    /// Nothing yet, but a namespace and the spec of a good submission.
    pub(crate) fn new() -> Self {
        let labels = BTreeMap::from([("app".to_owned(), SET.to_owned())]);
        let mut spec = StatefulSetSpec {
            replicas: Some(3),
            service_name: SET.to_owned(),
            pod_management_policy: "OrderedReady".to_owned(),
            ..Default::default()
        };
        spec.template.metadata.labels.clone_from(&labels);
        spec.template.spec.containers = vec![Container {
            name: "app".to_owned(),
            volume_mounts: vec![VolumeMount {
                name: "data".to_owned(),
                mount_path: "/data".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        }];
        spec.volume_claim_templates = vec![PersistentVolumeClaim {
            metadata: Metadata { name: "data".to_owned(), ..Default::default() },
            ..Default::default()
        }];
        Self {
            lines: vec![],
            spec,
            writes: |ordinal, there, start| {
                Some(format!("{}web-{ordinal} start {start}\n", there.unwrap_or_default()))
            },
            pods: BTreeMap::new(),
            claims: BTreeMap::new(),
            files: BTreeMap::new(),
            canaries: BTreeMap::new(),
            starts: BTreeMap::new(),
            generation: 1,
            observed: 1,
            revision: String::new(),
            uids: 0,
        }
    }

    /// The claim is mounted by a folder that is named after a field of the pod; with an empty field,
    /// after a variable of which nothing is known.
    pub(crate) fn in_a_folder_of(mut self, field: &str) -> Self {
        let field_ref = Some(ObjectFieldSelector { field_path: field.to_owned() });
        let container = &mut self.spec.template.spec.containers[0];
        let value_from = (!field.is_empty()).then_some(EnvVarSource { field_ref });
        container.env = vec![EnvVar { name: "POD".to_owned(), value_from }];
        "all/$(POD)".clone_into(&mut container.volume_mounts[0].sub_path_expr);
        self
    }

    /// A good submission of three, applied while the watches were open, read and asked for.
    pub(crate) fn created() -> Self {
        Self::new().create().inspect()
    }

    /// The Service and the set are applied while the watches are open, and three pods come in order.
    pub(crate) fn create(self) -> Self {
        self.service().set(ObjectChange::Added).subject().up(0).up(1).up(2)
    }

    /// The whole tour of a good submission whose creation was witnessed.
    pub(crate) fn toured() -> Self {
        Self::created().tour()
    }

    /// The tour, from where everything is at rest: replace 1, up to 5, down to 3, back to 5.
    pub(crate) fn tour(self) -> Self {
        let history =
            self.step(StepName::Replace).down(1).up(1).inspect_one(1).done(StepName::Replace);
        let history = history.scale(5).up(3).up(4).inspect_one(3).inspect_one(4);
        history.scale(3).down(4).down(3).scale(5).up(3).up(4).inspect_one(3).inspect_one(4).end()
    }

    pub(crate) fn push(mut self, what: Fact) -> Self {
        let seq = self.lines.len() as Seq + 1;
        self.lines.push(Observation { seq, at: seq * 1_000_000_000, what });
        self
    }

    pub(crate) fn subject(self) -> Self {
        let stateful_set = Some(Reference { name: SET.to_owned(), uid: "set".to_owned() });
        self.push(Fact::Subject(Subject {
            namespace: "lab".to_owned(),
            stateful_set,
            ..Subject::default()
        }))
    }

    pub(crate) fn service(self) -> Self {
        self.service_with(|_| {})
    }

    pub(crate) fn service_with(self, change: impl FnOnce(&mut Service)) -> Self {
        let spec = ServiceSpec {
            cluster_ip: "None".to_owned(),
            selector: self.spec.template.metadata.labels.clone(),
            ..Default::default()
        };
        let mut service = Service {
            metadata: Metadata {
                name: SET.to_owned(),
                uid: "service".to_owned(),
                ..Default::default()
            },
            spec: Some(spec),
        };
        change(&mut service);
        self.push(Fact::Object(ObjectChange::Added, Object::Service(service)))
    }

    /// The set's line, with a status that is about this very generation.
    pub(crate) fn set(mut self, change: ObjectChange) -> Self {
        self.generation += i64::from(change == ObjectChange::Modified);
        self.observed = self.generation;
        self.set_line(change)
    }

    /// The set's line when its spec has just changed: the controller has not seen that yet.
    pub(crate) fn set_unobserved(mut self) -> Self {
        self.generation += 1;
        self.set_line(ObjectChange::Modified)
    }

    /// The controller has seen the newest spec, and names its template so.
    pub(crate) fn observed_as(mut self, revision: &str) -> Self {
        self.observed = self.generation;
        revision.clone_into(&mut self.revision);
        self.set_line(ObjectChange::Modified)
    }

    fn set_line(self, change: ObjectChange) -> Self {
        let metadata = Metadata {
            name: SET.to_owned(),
            uid: "set".to_owned(),
            generation: self.generation,
            ..Default::default()
        };
        let mut set = StatefulSet { metadata, spec: Some(self.spec.clone()), ..Default::default() };
        set.status.observed_generation = self.observed;
        set.status.update_revision.clone_from(&self.revision);
        self.push(Fact::Object(change, Object::StatefulSet(set)))
    }

    /// A rolling update: each pod is replaced, highest ordinal first.
    pub(crate) fn rolled(self, replicas: i32) -> Self {
        (0..replicas).rev().fold(self, |history, ordinal| history.down(ordinal).up(ordinal))
    }

    pub(crate) fn set_gone(self) -> Self {
        self.set(ObjectChange::Deleted)
    }

    /// The Service is changed in place: it is a good one, but for what `change` does.
    pub(crate) fn service_changed(mut self, change: impl FnOnce(&mut Service)) -> Self {
        self = self.service_with(change);
        if let Some(Fact::Object(change, _)) = self.lines.last_mut().map(|it| &mut it.what) {
            *change = ObjectChange::Modified;
        }
        self
    }

    /// The Service goes as it was last seen.
    pub(crate) fn service_gone(self) -> Self {
        let service = self.lines.iter().rev().find_map(|it| match &it.what {
            Fact::Object(_, Object::Service(service)) => Some(service.clone()),
            _ => None,
        });
        let Some(service) = service else { panic!("no Service") };
        self.push(Fact::Object(ObjectChange::Deleted, Object::Service(service)))
    }

    pub(crate) fn scale(mut self, replicas: i32) -> Self {
        self.spec.replicas = Some(replicas);
        self.set(ObjectChange::Modified)
    }

    pub(crate) fn step(self, name: StepName) -> Self {
        self.push(Fact::Step(Step::new(name, Phase::Begin)))
    }

    pub(crate) fn done(self, name: StepName) -> Self {
        self.step_ended(name, Phase::Done)
    }

    pub(crate) fn step_ended(self, name: StepName, phase: Phase) -> Self {
        self.push(Fact::Step(Step::new(name, phase)))
    }

    /// The claim, the pod's addition and its becoming Ready.
    pub(crate) fn up(self, ordinal: i32) -> Self {
        self.claim(ordinal).add(ordinal).ready(ordinal)
    }

    /// The pod's claim, where there is none yet.
    pub(crate) fn claim(mut self, ordinal: i32) -> Self {
        let name = format!("data-{SET}-{ordinal}");
        if self.spec.volume_claim_templates.is_empty() || self.claims.contains_key(&name) {
            return self;
        }
        self.uids += 1;
        let requests = BTreeMap::from([("storage".to_owned(), "100Mi".to_owned())]);
        let claim = PersistentVolumeClaim {
            metadata: Metadata {
                name: name.clone(),
                uid: format!("claim-{}", self.uids),
                ..Default::default()
            },
            spec: Some(PersistentVolumeClaimSpec {
                volume_name: format!("pv-{}", self.uids),
                resources: Resources { requests, ..Default::default() },
                ..Default::default()
            }),
            status: PersistentVolumeClaimStatus { phase: "Bound".to_owned(), ..Default::default() },
        };
        self.claims.insert(name, claim.clone());
        self.push(Fact::Object(ObjectChange::Added, Object::PersistentVolumeClaim(claim)))
    }

    /// A claim changes, or goes.
    pub(crate) fn claim_line(
        mut self,
        ordinal: i32,
        change: ObjectChange,
        with: impl FnOnce(&mut PersistentVolumeClaim),
    ) -> Self {
        let name = format!("data-{SET}-{ordinal}");
        let Some(claim) = self.claims.get_mut(&name) else { panic!("no claim {name}") };
        with(claim);
        let claim = claim.clone();
        if change == ObjectChange::Deleted {
            self.claims.remove(&name);
            self.files.remove(&name);
            self.canaries.remove(&name);
        }
        self.push(Fact::Object(change, Object::PersistentVolumeClaim(claim)))
    }

    pub(crate) fn add(self, ordinal: i32) -> Self {
        self.add_as(ordinal, ObjectChange::Added, |_| {})
    }

    pub(crate) fn add_as(
        mut self,
        ordinal: i32,
        change: ObjectChange,
        with: impl FnOnce(&mut Pod),
    ) -> Self {
        self.uids += 1;
        let owner = OwnerReference {
            kind: "StatefulSet".to_owned(),
            name: SET.to_owned(),
            uid: "set".to_owned(),
            controller: true,
        };
        let mut spec: PodSpec = self.spec.template.spec.clone();
        for template in &self.spec.volume_claim_templates {
            let source = ClaimSource {
                claim_name: format!("{}-{SET}-{ordinal}", template.metadata.name),
                read_only: false,
            };
            spec.volumes.push(Volume {
                name: template.metadata.name.clone(),
                persistent_volume_claim: Some(source),
                ..Default::default()
            });
        }
        let metadata = Metadata {
            name: format!("{SET}-{ordinal}"),
            uid: format!("pod-{}", self.uids),
            owner_references: vec![owner],
            labels: self.labels(),
            ..Default::default()
        };
        let mut pod = Pod {
            metadata,
            spec: Some(spec),
            status: PodStatus { phase: "Pending".to_owned(), ..Default::default() },
        };
        with(&mut pod);
        self.pods.insert(ordinal, pod.clone());
        self.push(Fact::Object(change, Object::Pod(pod)))
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.spec.template.metadata.labels.clone();
        if !self.revision.is_empty() {
            labels.insert("controller-revision-hash".to_owned(), self.revision.clone());
        }
        labels
    }

    /// The pod changes as `with` says.
    pub(crate) fn pod(
        mut self,
        ordinal: i32,
        change: ObjectChange,
        with: impl FnOnce(&mut Pod),
    ) -> Self {
        let Some(pod) = self.pods.get_mut(&ordinal) else { panic!("no pod {ordinal}") };
        with(pod);
        let pod = pod.clone();
        if change == ObjectChange::Deleted {
            self.pods.remove(&ordinal);
        }
        self.push(Fact::Object(change, Object::Pod(pod)))
    }

    /// Its container starts, writes what it writes, and the pod is Ready.
    pub(crate) fn ready(mut self, ordinal: i32) -> Self {
        let start = self.start(ordinal);
        let address = format!("10.88.{start}.{}", ordinal + 10);
        self.pod(ordinal, ObjectChange::Modified, |pod| make_ready(pod, &address))
    }

    /// Its container starts once more in the same pod, which is Ready again at the same address.
    pub(crate) fn restarted(mut self, ordinal: i32) -> Self {
        self.start(ordinal);
        let address = self.pods[&ordinal].status.pod_ip.clone();
        self.pod(ordinal, ObjectChange::Modified, |pod| make_ready(pod, &address))
    }

    fn start(&mut self, ordinal: i32) -> u32 {
        let start = self.starts.entry(ordinal).or_default();
        *start += 1;
        let claim = format!("data-{SET}-{ordinal}");
        if let Some(text) =
            (self.writes)(ordinal, self.files.get(&claim).map(String::as_str), *start)
        {
            self.files.insert(claim, text);
        }
        *start
    }

    /// A pod that was there, Ready, when the recording began.
    pub(crate) fn listed(mut self, ordinal: i32) -> Self {
        self.starts.insert(ordinal, 1);
        let claim = format!("data-{SET}-{ordinal}");
        if let Some(text) = (self.writes)(ordinal, None, 1) {
            self.files.insert(claim, text);
        }
        let mut history = self.claim(ordinal);
        if let Some(Fact::Object(change, Object::PersistentVolumeClaim(_))) =
            history.lines.last_mut().map(|it| &mut it.what)
        {
            *change = ObjectChange::Listed;
        }
        history = history.add_as(ordinal, ObjectChange::Listed, |pod| {
            make_ready(pod, &format!("10.88.1.{}", ordinal + 10))
        });
        history
    }

    pub(crate) fn unready(self, ordinal: i32) -> Self {
        self.pod(ordinal, ObjectChange::Modified, |pod| pod.status.conditions.clear())
    }

    /// What the API server notes on a pod before it evicts it.
    pub(crate) fn evicted(self, ordinal: i32) -> Self {
        self.pod(ordinal, ObjectChange::Modified, |pod| {
            pod.status.conditions.push(Condition {
                r#type: "DisruptionTarget".to_owned(),
                status: "True".to_owned(),
                reason: "EvictionByEvictionAPI".to_owned(),
                message: "Eviction API: evicting".to_owned(),
            });
        })
    }

    pub(crate) fn deletion_requested(self, ordinal: i32) -> Self {
        self.pod(ordinal, ObjectChange::Modified, |pod| {
            pod.metadata.deletion_timestamp = Some("2026-11-23T00:00:30Z".to_owned())
        })
    }

    pub(crate) fn deleted(self, ordinal: i32) -> Self {
        self.pod(ordinal, ObjectChange::Deleted, |_| {})
    }

    pub(crate) fn down(self, ordinal: i32) -> Self {
        self.deletion_requested(ordinal).deleted(ordinal)
    }

    /// The container has ended by itself, was restarted `restarts` times, and waits to be started
    /// again.
    pub(crate) fn crashed(self, ordinal: i32, restarts: i32) -> Self {
        self.pod(ordinal, ObjectChange::Modified, |pod| {
            pod.status.conditions.clear();
            let ended =
                Terminated { exit_code: 1, reason: "Error".to_owned(), ..Default::default() };
            let waiting = crate::model::observation::object::Waiting {
                reason: "CrashLoopBackOff".to_owned(),
                message: "back-off".to_owned(),
            };
            pod.status.container_statuses = vec![ContainerStatus {
                name: "app".to_owned(),
                restart_count: restarts,
                state: ContainerState { waiting: Some(waiting), ..Default::default() },
                last_state: ContainerState { terminated: Some(ended), ..Default::default() },
                ..Default::default()
            }];
        })
    }

    /// Its container runs since a second of the node's clock, as the start of that number, and the
    /// pod is Ready.
    pub(crate) fn runs(self, ordinal: i32, start: i32, since: i32) -> Self {
        let address = self.pods[&ordinal].status.pod_ip.clone();
        self.pod(ordinal, ObjectChange::Modified, |pod| {
            let ended = pod.status.container_statuses[0].state.terminated.take();
            make_ready(pod, &address);
            let status = &mut pod.status.container_statuses[0];
            status.restart_count = start;
            status.last_state.terminated = ended;
            status.state.running = Some(Running { started_at: Some(stamp(since)) });
        })
    }

    /// Its container ends by itself, after so many seconds of the node's clock.
    pub(crate) fn ends(self, ordinal: i32, start: i32, since: i32, seconds: u32) -> Self {
        self.pod(ordinal, ObjectChange::Modified, |pod| {
            pod.status.conditions.clear();
            let status = &mut pod.status.container_statuses[0];
            let (started_at, finished_at) =
                (Some(stamp(since)), Some(stamp(since + i32::try_from(seconds).unwrap_or(0))));
            status.restart_count = start;
            status.state = ContainerState {
                terminated: Some(Terminated { started_at, finished_at, ..Default::default() }),
                ..Default::default()
            };
        })
    }

    /// A second passes.
    pub(crate) fn tick(self) -> Self {
        self.push(Fact::Unknown)
    }

    /// The stream of pods breaks: what happens in `hidden` is not seen, but for the list after it.
    pub(crate) fn pods_gap(mut self, hidden: impl FnOnce(Self) -> Self) -> Self {
        let last_sure = self
            .lines
            .iter()
            .rfind(|it| matches!(&it.what, Fact::Object(_, Object::Pod(_))))
            .map(|it| it.seq);
        let known: Vec<String> = self.pods.values().map(|it| it.metadata.uid.clone()).collect();
        let before = self.lines.clone();
        self = hidden(self);
        // Lines of other kinds are seen all the same.
        let others: Vec<Fact> = self.lines[before.len()..]
            .iter()
            .filter(|it| !matches!(&it.what, Fact::Object(_, Object::Pod(_))))
            .map(|it| it.what.clone())
            .collect();
        self.lines = before;
        let vanished = known
            .into_iter()
            .filter(|uid| self.pods.values().all(|it| it.metadata.uid != *uid))
            .collect();
        let listed: Vec<Pod> = self.pods.values().cloned().collect();
        let mut history = others.into_iter().fold(self, Self::push);
        history = history.push(Fact::Gap(Gap {
            kind: Kind::Pod,
            reason: "410 Gone".to_owned(),
            last_sure,
            vanished,
        }));
        listed.into_iter().fold(history, |history, pod| {
            history.push(Fact::Object(ObjectChange::Listed, Object::Pod(pod)))
        })
    }

    /// All pods are read and asked for, and canaries written.
    pub(crate) fn inspect(self) -> Self {
        let ordinals: Vec<i32> = self.pods.keys().copied().collect();
        let history = ordinals.into_iter().fold(self, Self::inspect_one).slice();
        let addresses = history.pods.values().map(|it| it.status.pod_ip.clone()).collect();
        history.push(Fact::Lookup(Lookup {
            name: "web.lab.svc.cluster.local.".to_owned(),
            service: SET.to_owned(),
            addresses,
            ..Default::default()
        }))
    }

    pub(crate) fn inspect_one(self, ordinal: i32) -> Self {
        self.read(ordinal).canary(ordinal).lookup(ordinal)
    }

    fn reference(&self, ordinal: i32) -> Reference {
        let pod = &self.pods[&ordinal];
        Reference { name: pod.metadata.name.clone(), uid: pod.metadata.uid.clone() }
    }

    pub(crate) fn read(self, ordinal: i32) -> Self {
        let claim = format!("data-{SET}-{ordinal}");
        if self.spec.volume_claim_templates.is_empty() {
            return self;
        }
        let files = self
            .files
            .get(&claim)
            .map(|text| File {
                path: "id".to_owned(),
                size: text.len() as u64,
                content: Some(text.clone()),
                ..Default::default()
            })
            .into_iter()
            .collect();
        let pod = self.reference(ordinal);
        let (container, mount_path) = ("app".to_owned(), "/data".to_owned());
        self.push(Fact::Read(Read {
            pod,
            container,
            claim,
            mount_path,
            files,
            ..Default::default()
        }))
    }

    /// A reading that found nothing, and why.
    pub(crate) fn read_failed(self, ordinal: i32, error: &str) -> Self {
        let mut history = self.read(ordinal);
        if let Some(Fact::Read(read)) = history.lines.last_mut().map(|line| &mut line.what) {
            read.files.clear();
            read.error = Some(error.to_owned());
        }
        history
    }

    pub(crate) fn canary(mut self, ordinal: i32) -> Self {
        let claim = format!("data-{SET}-{ordinal}");
        if self.spec.volume_claim_templates.is_empty() {
            return self;
        }
        let pod = self.reference(ordinal);
        let saw = self.canaries.get(&claim).cloned().unwrap_or_default();
        let canary = CanaryFile {
            file: format!(".stsgrade-{}", pod.uid),
            content: format!("{} {}", pod.name, pod.uid),
        };
        self.canaries.entry(claim.clone()).or_default().push(canary.clone());
        let history = self.push(Fact::Canary(CanaryVisit {
            pod: pod.clone(),
            claim: claim.clone(),
            saw: Some(saw),
            ..Default::default()
        }));
        history.push(Fact::Canary(CanaryVisit {
            pod,
            claim,
            wrote: Some(canary),
            ..Default::default()
        }))
    }

    pub(crate) fn lookup(self, ordinal: i32) -> Self {
        let address = self.pods[&ordinal].status.pod_ip.clone();
        self.lookup_with(ordinal, |it| it.addresses = vec![address])
    }

    /// The Service's EndpointSlice as it is now: the pods that are Ready and stay, where that is
    /// not what was told last.
    pub(crate) fn slice(self) -> Self {
        let is_ready = |pod: &&Pod| {
            pod.metadata.deletion_timestamp.is_none()
                && pod.status.conditions.iter().any(|condition| condition.r#type == "Ready")
        };
        let endpoints = self.pods.values().filter(is_ready).map(|it| Endpoint {
            addresses: vec![it.status.pod_ip.clone()],
            hostname: Some(it.metadata.name.clone()),
            target_ref: Some(ObjectReference {
                kind: "Pod".to_owned(),
                name: it.metadata.name.clone(),
                uid: it.metadata.uid.clone(),
            }),
            ..Default::default()
        });
        let endpoints = endpoints.collect();
        self.slice_of(endpoints)
    }

    /// The Service's EndpointSlice with these endpoints.
    pub(crate) fn slice_of(self, endpoints: Vec<Endpoint>) -> Self {
        let labels = BTreeMap::from([("kubernetes.io/service-name".to_owned(), SET.to_owned())]);
        let metadata = Metadata {
            name: SET.to_owned(),
            uid: "slice".to_owned(),
            labels,
            ..Default::default()
        };
        let now = Fact::Object(
            ObjectChange::Modified,
            Object::EndpointSlice(EndpointSlice { metadata, endpoints, ..Default::default() }),
        );
        let last = self
            .lines
            .iter()
            .rfind(|it| matches!(&it.what, Fact::Object(_, Object::EndpointSlice(_))));
        if last.is_some_and(|it| it.what == now) { self } else { self.push(now) }
    }

    pub(crate) fn lookup_with(self, ordinal: i32, with: impl FnOnce(&mut Lookup)) -> Self {
        self.slice().lookup_without_slice(ordinal, with)
    }

    /// As [`History::lookup`], whatever the EndpointSlice says.
    pub(crate) fn lookup_as_it_is(self, ordinal: i32) -> Self {
        let address = self.pods[&ordinal].status.pod_ip.clone();
        self.lookup_without_slice(ordinal, |it| it.addresses = vec![address])
    }

    fn lookup_without_slice(self, ordinal: i32, with: impl FnOnce(&mut Lookup)) -> Self {
        let of = self.reference(ordinal);
        let mut lookup = Lookup {
            name: format!("{}.web.lab.svc.cluster.local.", of.name),
            of: Some(of),
            service: SET.to_owned(),
            by: "nslookup".to_owned(),
            ..Default::default()
        };
        lookup.began = (self.lines.len() as u64 + 1) * 1_000_000_000;
        with(&mut lookup);
        self.push(Fact::Lookup(lookup))
    }

    pub(crate) fn end(self) -> Self {
        self.push(Fact::End(End::default()))
    }

    pub(crate) fn timeline(&self) -> Timeline {
        Timeline::of(&self.lines)
    }

    /// The ten letters.
    pub(crate) fn letters(&self) -> String {
        judge(&self.timeline()).iter().map(|it| it.outcome().letter()).collect()
    }

    /// One check's verdict, by id.
    pub(crate) fn verdict(&self, id: &str) -> Verdict {
        let Some(place) = CHECKS.iter().position(|it| it.id == id) else { panic!("no check {id}") };
        let mut verdicts = Vec::from(judge(&self.timeline()));
        verdicts.swap_remove(place)
    }

    /// One check's outcome and the mistakes that it names, once each.
    #[track_caller]
    pub(crate) fn assert(&self, id: &str, outcome: Outcome, mistakes: &[&str]) {
        let verdict = self.verdict(id);
        let mut named: Vec<&str> =
            verdict.criteria.iter().filter_map(|it| it.mistake).map(|it| it.id).collect();
        named.dedup();
        assert_eq!((verdict.outcome(), named.as_slice()), (outcome, mistakes), "{verdict:#?}");
    }
}

/// A second of the node's clock.
fn stamp(second: i32) -> String {
    format!("2026-11-23T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

fn make_ready(pod: &mut Pod, address: &str) {
    pod.status.phase = "Running".to_owned();
    address.clone_into(&mut pod.status.pod_ip);
    pod.status.pod_ips = vec![PodIp { ip: address.to_owned() }];
    pod.status.conditions = vec![Condition {
        r#type: "Ready".to_owned(),
        status: "True".to_owned(),
        ..Default::default()
    }];
    pod.status.container_statuses = vec![ContainerStatus {
        name: "app".to_owned(),
        ready: true,
        state: ContainerState { running: Some(Running::default()), ..Default::default() },
        ..Default::default()
    }];
}

/// Deletes its claims when it is scaled down.
pub(crate) fn deleting_when_scaled() -> History {
    let mut history = History::new();
    history.spec.persistent_volume_claim_retention_policy = Some(RetentionPolicy {
        when_deleted: "Retain".to_owned(),
        when_scaled: "Delete".to_owned(),
    });
    history
}
