//! Lives: what the timeline keeps of each object from its beginning to its end.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::model::{
    observation::{
        Kind, ObjectChange, RequestedChange, Seq, Step, StepName,
        object::{
            Metadata, PersistentVolumeClaim, Pod, PodSpec, Service, ServiceSpec, StatefulSet,
            StatefulSetSpec, StatefulSetStatus,
        },
        version::Version,
        when::When,
    },
    stamp,
    timeline::{
        ends::disruption_of,
        relevance::Changes,
        runs::{Circumstances, ContainerRuns},
        states::StateChange,
    },
};

/// An observation's content with its place in the recording.
#[derive(Clone, Debug)]
pub struct Recorded<T> {
    /// Its line.
    pub seq: Seq,
    /// Its time, in nanoseconds since the recording began.
    pub at: u64,
    /// What it says.
    pub what: T,
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
    /// When the parts of it that evidence depends on last changed.
    pub changes: Changes,
    /// The controller's name for the template as it stands; `None` until it has named that.
    pub revision: Option<String>,
    /// When the generation last rose without a recorded reason: something that is not recorded
    /// changed.
    pub(crate) unexplained: Option<When>,
    /// `spec.replicas` when it was first seen.
    pub first_replicas: i32,
    /// Every change of `spec.replicas`, the witnessed creation (from 0) among them.
    pub replicas_changes: Vec<ReplicasChange>,
    /// When its deletion was requested.
    pub deletion_requested: Option<When>,
    /// When it went away.
    pub deleted: Option<When>,
}

/// One change of `spec.replicas`, as the set's own watch showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicasChange {
    /// Before.
    pub from: i32,
    /// After.
    pub to: i32,
    /// When.
    pub when: When,
    /// The set's resourceVersion on the line that showed it.
    pub version: Version,
}

impl ReplicasChange {
    /// Whether it adds or removes one pod alone, which shows no order.
    pub(crate) const fn moves_one_pod(&self) -> bool {
        self.from.abs_diff(self.to) < 2
    }
}

/// One pod UID's life.
#[derive(Clone, Debug)]
pub struct PodLife {
    /// The newest object, its spec always there.
    pub pod: Pod,
    /// The number at the end of its name; -1 where there is none.
    pub ordinal: i32,
    /// When it was created.
    pub added: When,
    /// First seen without the owner that it has now.
    pub adopted: bool,
    /// When it was first Ready.
    pub ready: Option<When>,
    /// While it had not been seen Ready, it stood in a gap, from the line `after` on: it may have
    /// been Ready there.
    pub unwatched: Option<When>,
    /// When its deletion was first requested.
    pub deletion_requested: Option<When>,
    /// The same, in seconds since the epoch by the server's clock;
    /// `None` where no line has its `deletionTimestamp`.
    pub(crate) deletion_requested_epoch_seconds: Option<i64>,
    /// Whether something else than its set [removed](disruption_of) it before its deletion was
    /// requested: an eviction, as `kubectl drain` asks for, a preemption, the kubelet, or the end
    /// of its node.
    pub(crate) is_disrupted: bool,
    /// When it went away.
    pub deleted: Option<When>,
    /// The runs of the containers that are meant to stay up.
    pub(crate) runs: Vec<ContainerRuns>,
    /// What ended by its own doing in the pods of the same template that the ordinal had before,
    /// and was not up again when they had to go: the longest runs, in nanoseconds, by container.
    pub(crate) ended_before: BTreeMap<String, u64>,
    /// When it was last told of.
    pub last_seen: When,
    /// When its containers were first seen running, in nanoseconds since the recording began.
    pub running_at: Option<u64>,
    /// The addresses that it had.
    pub addresses: Vec<String>,
    /// The states that it was in.
    pub(crate) states: Vec<StateChange>,
    /// The newest word of a `postStart` hook that failed.
    pub(crate) failed_hook: Option<FailedHook>,
}

/// What the kubelet says of a `postStart` hook that failed.
#[derive(Clone, Debug)]
pub(crate) struct FailedHook {
    /// The line that tells of it.
    pub(crate) seq: Seq,
    /// The hook's container.
    pub(crate) container: String,
    /// How many times that had been started again.
    pub(crate) restarts: i32,
    /// The kubelet's words.
    pub(crate) message: String,
}

impl FailedHook {
    /// The hook that a pod's status tells of, if it does.
    fn of(pod: &Pod, seq: Seq) -> Option<Self> {
        pod.status.all_containers().find_map(|it| {
            let waiting = it.state.waiting.as_ref()?;
            (waiting.reason == "PostStartHookError").then(|| Self {
                seq,
                container: it.name.clone(),
                restarts: it.restart_count,
                message: waiting.message.clone(),
            })
        })
    }
}

impl PodLife {
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
        self.is_alive() && self.deletion_requested.is_none() && condition_true(&self.pod, "Ready")
    }

    /// Whether it still exists.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        self.deleted.is_none()
    }

    /// When the first of its containers started, in seconds since the epoch by the node's clock;
    /// `None` where one was started again since.
    #[must_use]
    pub fn first_start(&self) -> Option<i64> {
        let was_restarted = self.pod.status.all_containers().any(|it| it.restart_count > 0);
        if was_restarted { None } else { self.earliest_start() }
    }

    /// When the first run of its containers that is still known of started, in seconds since the
    /// epoch by the node's clock.
    pub(crate) fn earliest_start(&self) -> Option<i64> {
        let statuses = self.pod.status.all_containers();
        let mut starts = vec![];
        for state in statuses.flat_map(|it| [&it.state, &it.last_state]) {
            let running = state.running.as_ref().and_then(|it| it.started_at.as_deref());
            let ended = state.terminated.as_ref().and_then(|it| it.started_at.as_deref());
            starts.extend(running.into_iter().chain(ended).filter_map(stamp::epoch));
        }
        starts.into_iter().min()
    }

    /// The claims that its containers mount, or have as raw devices, by volume: `(volume, claim)`,
    /// in the volumes' order.
    ///
    /// Generic ephemeral volumes are claims too, named `<pod>-<volume>`.
    #[must_use]
    pub fn claims(&self) -> Vec<(String, String)> {
        let spec = self.spec();
        spec.volumes
            .iter()
            .filter(|volume| spec.uses(&volume.name))
            .filter_map(|volume| match (&volume.persistent_volume_claim, &volume.ephemeral) {
                (Some(source), _) => Some((volume.name.clone(), source.claim_name.clone())),
                (None, Some(_)) => {
                    Some((volume.name.clone(), format!("{}-{}", self.name(), volume.name)))
                }
                (None, None) => None,
            })
            .collect()
    }
}

impl PodLife {
    /// Whether a claim is that of one of its generic ephemeral volumes, which is made and deleted
    /// with the pod.
    #[must_use]
    pub fn is_ephemeral_claim(&self, claim: &str) -> bool {
        let mut volumes = self.spec().volumes.iter().filter(|it| it.ephemeral.is_some());
        volumes.any(|it| {
            claim.strip_prefix(self.name()).and_then(|rest| rest.strip_prefix('-'))
                == Some(it.name.as_str())
        })
    }

    /// Whether a container has a volume as a raw device: it holds no files.
    #[must_use]
    pub fn has_as_device(&self, volume: &str) -> bool {
        self.spec()
            .all_containers()
            .any(|it| it.volume_devices.iter().any(|device| device.name == volume))
    }
}

/// One life (UID) of a claim.
#[derive(Clone, Debug)]
pub struct ClaimLife {
    /// The newest object, its spec always there.
    pub claim: PersistentVolumeClaim,
    /// When it was created.
    pub added: When,
    /// It was created with the name of the volume that it is to have, which is another's, or
    /// somebody's own.
    pub names_its_volume: bool,
    /// When it was first seen to be bound to its volume.
    pub bound: Option<When>,
    /// When it was first seen with a pod as owner, so that it is deleted with
    /// that.
    pub owned_by_pod: Option<When>,
    /// When its deletion was first requested.
    pub deletion_requested: Option<When>,
    /// When it went away.
    pub deleted: Option<When>,
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

    /// The storage that it requests, as it is written.
    pub(crate) fn requested_storage(&self) -> Option<&str> {
        self.claim.spec.as_ref()?.resources.requests.get("storage").map(String::as_str)
    }

    /// When somebody deleted it, or asked for that, as opposed to going with a pod that owned it.
    ///
    /// Nothing of a submission deletes a claim that no pod owns, so this shows nothing about it.
    #[must_use]
    pub fn deleted_by_somebody(&self) -> Option<When> {
        if self.owned_by_pod.is_some() { None } else { self.deletion_requested.or(self.deleted) }
    }

    /// That it goes with the pod that owns it, in words.
    pub(crate) const fn deleted_with_pod(&self) -> &'static str {
        if self.deleted.is_some() {
            "it was deleted with its pod"
        } else {
            "it is being deleted with its pod"
        }
    }

    /// It is gone; where nobody was seen to ask for that, it was asked for then.
    pub(crate) fn go(&mut self, when: When) {
        self.deletion_requested.get_or_insert(when);
        self.deleted.get_or_insert(when);
    }

    /// `spec.volumeName`: its volume once it is Bound; before that only what it was created with.
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
    pub deleted: Option<When>,
}

impl ServiceLife {
    /// Its spec.
    #[must_use]
    pub fn spec(&self) -> &ServiceSpec {
        static NONE: LazyLock<ServiceSpec> = LazyLock::new(ServiceSpec::default);
        self.service.spec.as_ref().unwrap_or(&NONE)
    }

    /// Whether it asks for no cluster IP (`clusterIP: None`).
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.spec().cluster_ip == "None"
    }

    /// Whether its name is an alias of another one (`type: ExternalName`): it has no endpoints.
    #[must_use]
    pub fn is_alias(&self) -> bool {
        self.spec().r#type == "ExternalName"
    }
}

/// A span in which some changes of one kind may have been missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchGap {
    /// Whose stream broke.
    pub kind: Kind,
    /// From the last line that is sure to have been seen in order (0 where there was none) to the
    /// line that tells of the gap.
    pub when: When,
    /// What the API server said.
    pub reason: String,
}

/// A step of the tour.
#[derive(Clone, Debug)]
pub struct StepLife {
    /// Which.
    pub name: StepName,
    /// Its first line.
    pub begin: Seq,
    /// What the grader asked for in it.
    pub requested: Vec<(Seq, RequestedChange)>,
    /// Its last line: how it ended, and what was said then.
    pub end: Option<Recorded<Step>>,
}

impl PodLife {
    /// A pod that was not seen before, to be updated by the same line.
    pub(crate) fn begin(when: When, it: &Pod) -> Self {
        Self {
            pod: it.clone(),
            ordinal: ordinal_of(&it.metadata.name),
            added: when,
            adopted: false,
            ready: None,
            unwatched: None,
            deletion_requested: None,
            deletion_requested_epoch_seconds: None,
            is_disrupted: false,
            deleted: None,
            runs: vec![],
            ended_before: BTreeMap::new(),
            last_seen: when,
            running_at: None,
            addresses: vec![],
            states: vec![],
            failed_hook: None,
        }
    }

    pub(crate) fn update(&mut self, when: When, at: u64, change: ObjectChange, it: Pod) {
        /// A pod has one address of each family.
        const MAX_ADDRESSES: usize = 100;
        self.last_seen = when;
        let spec = it.spec.or_else(|| self.pod.spec.take());
        self.pod = Pod { spec, ..it };
        self.take_state(when.by, at);
        let it = &self.pod;
        self.failed_hook = FailedHook::of(it, when.by).or_else(|| self.failed_hook.take());
        for address in
            it.status.pod_ips.iter().map(|it| &it.ip).chain(std::iter::once(&it.status.pod_ip))
        {
            if self.addresses.len() == MAX_ADDRESSES {
                break;
            }
            if !address.is_empty() && !self.addresses.contains(address) {
                self.addresses.push(address.clone());
            }
        }
        if it.metadata.deletion_timestamp.is_some() {
            self.deletion_is_requested(when);
        }
        let it = &self.pod;
        let asked = it.metadata.deletion_timestamp.as_deref().and_then(stamp::epoch);
        self.deletion_requested_epoch_seconds =
            self.deletion_requested_epoch_seconds.or(asked.map(|it| {
                it.saturating_sub(self.pod.metadata.deletion_grace_period_seconds.unwrap_or(0))
            }));
        let statuses = &it.status.container_statuses;
        if self.running_at.is_none()
            && !statuses.is_empty()
            && statuses.iter().all(|it| it.state.running.is_some())
        {
            self.running_at = Some(at);
        }
        let is_disrupted = disruption_of(it).is_some();
        let is_terminating = self.deletion_requested.is_some() || change == ObjectChange::Deleted;
        self.take_runs(&Circumstances {
            seq: when.by,
            at,
            is_terminating,
            deletion_requested_epoch_seconds: self.deletion_requested_epoch_seconds,
            is_disrupted,
        });
        let it = &self.pod;
        if change == ObjectChange::Deleted {
            self.go(when);
        } else if self.ready.is_none() && condition_true(it, "Ready") {
            self.ready =
                Some(When { after: self.unwatched.map_or(when.after, |gap| gap.after), ..when });
        } else if change == ObjectChange::Listed {
            self.miss(when);
        }
    }

    /// It stood in a gap, and may have been Ready in it.
    pub(crate) fn miss(&mut self, gap: When) {
        if self.ready.is_none() {
            self.unwatched.get_or_insert(gap);
        }
    }

    /// What removes a pod is told before the deletion that it is about. What is told later is about
    /// a pod that was leaving already.
    fn deletion_is_requested(&mut self, when: When) {
        if self.deletion_requested.is_none() {
            self.deletion_requested = Some(when);
            self.is_disrupted = disruption_of(&self.pod).is_some();
        }
    }

    /// It is gone; where nobody was seen to ask for that, it was asked for then.
    pub(crate) fn go(&mut self, when: When) {
        self.deletion_is_requested(when);
        self.deleted.get_or_insert(when);
    }
}

/// Whether a condition is `True`.
pub(crate) fn condition_true(pod: &Pod, which: &str) -> bool {
    pod.status.conditions.iter().any(|it| it.r#type == which && it.status == "True")
}

impl SetLife {
    /// The name of its pod of an ordinal.
    #[must_use]
    pub fn pod_name(&self, ordinal: i32) -> String {
        format!("{}-{ordinal}", self.name)
    }

    /// The names of the claims that its templates make for a pod.
    pub(crate) fn claim_names(&self, pod: &str) -> impl Iterator<Item = String> {
        self.spec.volume_claim_templates.iter().map(move |it| claim_name(it, pod))
    }

    pub(crate) fn begin(when: When, change: ObjectChange, it: &StatefulSet) -> Self {
        let spec = it.spec.clone().unwrap_or_default();
        let replicas = spec.replicas_or_one();
        let version = Version::of(&it.metadata.resource_version);
        let replicas_changes = if change == ObjectChange::Added {
            vec![ReplicasChange { from: 0, to: replicas, when, version }]
        } else {
            vec![]
        };
        Self {
            name: it.metadata.name.clone(),
            uid: it.metadata.uid.clone(),
            spec,
            status: it.status.clone(),
            generation: it.metadata.generation,
            added: when,
            changed: when,
            changes: Changes::default(),
            revision: None,
            unexplained: None,
            first_replicas: replicas,
            replicas_changes,
            deletion_requested: None,
            deleted: None,
        }
    }

    /// It is gone; where nobody was seen to ask for that, it was asked for then.
    pub(crate) fn go(&mut self, when: When) {
        self.deletion_requested.get_or_insert(when);
        self.deleted.get_or_insert(when);
    }

    /// Takes in what a line tells of it; a spec that is left out is as before.
    pub(crate) fn update(
        &mut self,
        when: When,
        spec: Option<StatefulSetSpec>,
        status: StatefulSetStatus,
        metadata: &Metadata,
    ) {
        let is_explained =
            spec.is_some_and(|spec| self.take_spec(when, spec, &metadata.resource_version));
        if metadata.generation > self.generation && !is_explained {
            self.unexplained = Some(when);
        }
        self.generation = metadata.generation;
        self.status = status;
        self.take_revision(when);
    }

    /// Takes in a spec; whether anything in it differs from before.
    fn take_spec(&mut self, when: When, spec: StatefulSetSpec, version: &str) -> bool {
        let (from, to) = (self.spec.replicas_or_one(), spec.replicas_or_one());
        self.spec.replicas = spec.replicas;
        if from != to {
            self.replicas_changes.push(ReplicasChange {
                from,
                to,
                when,
                version: Version::of(version),
            });
        }
        let before = std::mem::replace(&mut self.spec, spec);
        let now = &self.spec;
        if before == *now {
            return from != to;
        }
        self.changed = when;
        let same_order = before.pod_management_policy == now.pod_management_policy
            && before.ordinals == now.ordinals
            && before.min_ready_seconds == now.min_ready_seconds;
        if !same_order {
            self.changes.order = Some(when);
        }
        if before.persistent_volume_claim_retention_policy
            != now.persistent_volume_claim_retention_policy
        {
            self.changes.retention = Some(when);
        }
        let same_pods = before.template == now.template
            && before.template_digest == now.template_digest
            && before.volume_claim_templates == now.volume_claim_templates
            && before.service_name == now.service_name
            && before.selector == now.selector;
        if !same_pods {
            self.changes.template = Some(when);
            // The controller will name it anew, or give back the name of an earlier one that was
            // the same.
            self.revision = None;
        }
        true
    }

    /// The controller's name for the template tells of changes that are not recorded.
    fn take_revision(&mut self, when: When) {
        let newest = &self.status.update_revision;
        if newest.is_empty() || self.awaits_controller() {
            return;
        }
        if self.revision.as_ref().is_some_and(|it| it != newest) {
            let when = self.unexplained.unwrap_or(when);
            self.changes.template = Some(when);
            self.changed = if when.by > self.changed.by { when } else { self.changed };
        }
        self.revision = Some(newest.clone());
        self.unexplained = None;
    }
}

/// The name of the claim that a template makes for a pod.
pub(crate) fn claim_name(template: &PersistentVolumeClaim, pod: &str) -> String {
    format!("{}-{pod}", template.metadata.name)
}

/// The number behind the last hyphen of a pod's name; -1 where there is none.
pub(crate) fn ordinal_of(name: &str) -> i32 {
    name.rsplit_once('-')
        .filter(|(_, digits)| digits.bytes().all(|it| it.is_ascii_digit()))
        .and_then(|(_, digits)| digits.parse().ok())
        .unwrap_or(-1)
}
