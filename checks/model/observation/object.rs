//! The allowlisted fields of the watched kinds, named and nested as Kubernetes does.
//!
//! Quantities, names and enumerations stay strings: what a newer cluster says must not be refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::observation::Kind;

/// An object of one of the watched kinds.
#[expect(clippy::large_enum_variant, reason = "one line is held at a time")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Object {
    /// `apps/v1` StatefulSet.
    StatefulSet(StatefulSet),
    /// `v1` Pod.
    Pod(Pod),
    /// `v1` PersistentVolumeClaim.
    PersistentVolumeClaim(PersistentVolumeClaim),
    /// `v1` Service.
    Service(Service),
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice(EndpointSlice),
    /// `v1` Event.
    Event(Event),
}

impl Object {
    /// Whose stream it belongs to.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::StatefulSet(_) => Kind::StatefulSet,
            Self::Pod(_) => Kind::Pod,
            Self::PersistentVolumeClaim(_) => Kind::PersistentVolumeClaim,
            Self::Service(_) => Kind::Service,
            Self::EndpointSlice(_) => Kind::EndpointSlice,
            Self::Event(_) => Kind::Event,
        }
    }

    /// Its `metadata`.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        match self {
            Self::StatefulSet(it) => &it.metadata,
            Self::Pod(it) => &it.metadata,
            Self::PersistentVolumeClaim(it) => &it.metadata,
            Self::Service(it) => &it.metadata,
            Self::EndpointSlice(it) => &it.metadata,
            Self::Event(it) => &it.metadata,
        }
    }
}

/// Declares structs whose fields are all optional on the wire and left out when they are empty.
macro_rules! objects {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            $(
                $(#[$field_doc])*
                #[serde(skip_serializing_if = "Empty::is_empty", deserialize_with = "null_is_default")]
                pub $field: $type,
            )*
        }
    )*};
}

objects! {
    /// `metadata`.
    Metadata {
        /// Name.
        name: String,
        /// Identity: a second object of the same name has another.
        uid: String,
        /// Position in its kind's history.
        resource_version: String,
        /// Counts changes of the spec.
        generation: i64,
        /// By the server's clock, whole seconds.
        creation_timestamp: Option<String>,
        /// Time of the request plus the grace period: it lies in the future.
        deletion_timestamp: Option<String>,
        /// The grace period of the deletion, in seconds.
        deletion_grace_period_seconds: Option<i64>,
        /// Labels.
        labels: BTreeMap<String, String>,
        /// Of a claim: the annotations that name its provisioner. No other is kept.
        annotations: BTreeMap<String, String>,
        /// Owners.
        owner_references: Vec<OwnerReference>,
    }

    /// `metadata.ownerReferences[]`.
    OwnerReference {
        /// Kind of the owner.
        kind: String,
        /// Name of the owner.
        name: String,
        /// UID of the owner.
        uid: String,
        /// Whether it is the one that manages the object.
        controller: bool,
    }

    /// StatefulSet.
    StatefulSet {
        /// Metadata.
        metadata: Metadata,
        /// Spec; left out when it is as in the line before of the same object.
        spec: Option<StatefulSetSpec>,
        /// Status.
        status: StatefulSetStatus,
    }

    /// `spec` of a StatefulSet.
    StatefulSetSpec {
        /// Wanted pods; 1 when absent, which the API server fills in.
        replicas: Option<i32>,
        /// Name of the governing Service.
        service_name: String,
        /// `OrderedReady` or `Parallel`.
        pod_management_policy: String,
        /// How pods follow a change of the template.
        update_strategy: UpdateStrategy,
        /// Seconds that a pod must be Ready to count as Available.
        min_ready_seconds: i32,
        /// First ordinal.
        ordinals: Option<Ordinals>,
        /// What becomes of claims.
        persistent_volume_claim_retention_policy: Option<RetentionPolicy>,
        /// Which pods belong to the set.
        selector: LabelSelector,
        /// The pods to make.
        template: PodTemplate,
        /// Differs where the template does, also in what is not recorded of it (values of `env`,
        /// what is cut off a command, and every field that is not listed here). It is comparable
        /// within one recording only: the recorder mixes in a secret of its own, so that nothing
        /// can be guessed from it.
        template_digest: String,
        /// The claims to make for each pod.
        volume_claim_templates: Vec<PersistentVolumeClaim>,
    }

    /// `updateStrategy`.
    UpdateStrategy {
        /// `RollingUpdate` or `OnDelete`.
        r#type: String,
        /// Parameters.
        rolling_update: Option<RollingUpdate>,
    }

    /// `updateStrategy.rollingUpdate`.
    RollingUpdate {
        /// So many of the lowest ordinals, counted from `ordinals.start`, stay at the old revision.
        partition: i32,
    }

    /// `ordinals`.
    Ordinals {
        /// The first ordinal.
        start: i32,
    }

    /// `persistentVolumeClaimRetentionPolicy`.
    RetentionPolicy {
        /// When the set is deleted: harmless for scaling.
        when_deleted: String,
        /// When the set is scaled down.
        when_scaled: String,
    }

    /// A label selector.
    LabelSelector {
        /// Labels that must be there.
        match_labels: BTreeMap<String, String>,
    }

    /// `template`.
    PodTemplate {
        /// Metadata of the pods to come (labels).
        metadata: Metadata,
        /// Spec of the pods to come.
        spec: PodSpec,
    }

    /// `status` of a StatefulSet.
    StatefulSetStatus {
        /// Which generation this status is about.
        observed_generation: i64,
        /// Pods that exist.
        replicas: i32,
        /// Pods that are Ready.
        ready_replicas: i32,
        /// Revision of the pods that are not yet updated.
        current_revision: String,
        /// Revision of the template.
        update_revision: String,
    }

    /// Pod.
    Pod {
        /// Metadata.
        metadata: Metadata,
        /// Spec; left out when it is as in the line before of the same object.
        spec: Option<PodSpec>,
        /// Status.
        status: PodStatus,
    }

    /// `spec` of a Pod.
    PodSpec {
        /// Where it runs.
        node_name: String,
        /// First label of its DNS name.
        hostname: String,
        /// The governing Service, for its DNS name.
        subdomain: String,
        /// Which resolver settings it gets.
        dns_policy: String,
        /// Resolver settings of its own.
        dns_config: Option<Present>,
        /// Seconds that it may take to stop.
        termination_grace_period_seconds: Option<i64>,
        /// Volumes.
        volumes: Vec<Volume>,
        /// Containers.
        containers: Vec<Container>,
        /// Containers that run before, or beside, the others.
        init_containers: Vec<Container>,
        /// Labels that its node must have.
        node_selector: BTreeMap<String, String>,
        /// Rules on where it may run.
        affinity: Option<Present>,
        /// Spreading rules.
        topology_spread_constraints: Vec<Present>,
        /// Uses the node's own network and address.
        host_network: bool,
        /// As whom its containers run.
        security_context: Option<PodSecurityContext>,
    }

    /// `securityContext` of a pod.
    PodSecurityContext {
        /// The group that its volumes are to belong to.
        fs_group: Option<i64>,
        /// The user that its containers run as, where they do not say it.
        run_as_user: Option<i64>,
    }

    /// `securityContext` of a container.
    ContainerSecurityContext {
        /// The user that it runs as.
        run_as_user: Option<i64>,
    }

    /// A volume of a pod.
    Volume {
        /// Name.
        name: String,
        /// A claim by name.
        persistent_volume_claim: Option<ClaimSource>,
        /// A claim that lives as long as the pod.
        ephemeral: Option<Present>,
        /// A folder that lives as long as the pod.
        empty_dir: Option<Present>,
        /// A folder of the node.
        host_path: Option<Present>,
    }

    /// `persistentVolumeClaim` of a volume.
    ClaimSource {
        /// The claim's name.
        claim_name: String,
        /// Mounted read-only.
        read_only: bool,
    }

    /// Something that is only known to be there.
    Present {}

    /// A container of a pod.
    Container {
        /// Name.
        name: String,
        /// Image.
        image: String,
        /// What it runs, in the template of a set only.
        command: Vec<String>,
        /// The arguments of what it runs, in the template of a set only.
        args: Vec<String>,
        /// The variables that `subPathExpr` of its own mounts uses, where they name a field of the
        /// pod. No other is kept, and no value of any.
        env: Vec<EnvVar>,
        /// `Always` makes an init container a sidecar.
        restart_policy: String,
        /// Mounts.
        volume_mounts: Vec<VolumeMount>,
        /// Volumes that it has as raw devices.
        volume_devices: Vec<VolumeDevice>,
        /// How it tells that it is Ready.
        readiness_probe: Option<Probe>,
        /// How it tells that it lives.
        liveness_probe: Option<Probe>,
        /// How it tells that it has started.
        startup_probe: Option<Probe>,
        /// CPU and memory.
        resources: Resources,
        /// As whom it runs.
        security_context: Option<ContainerSecurityContext>,
    }

    /// `env[]`. It has no field for a value: values are often secrets.
    EnvVar {
        /// Name.
        name: String,
        /// Where the value is from.
        value_from: Option<EnvVarSource>,
    }

    /// `env[].valueFrom`.
    EnvVarSource {
        /// A field of the pod.
        field_ref: Option<ObjectFieldSelector>,
    }

    /// `env[].valueFrom.fieldRef`.
    ObjectFieldSelector {
        /// Which field.
        field_path: String,
    }

    /// A probe's timing, in seconds and counts.
    Probe {
        /// Seconds before the first.
        initial_delay_seconds: i32,
        /// Seconds between two.
        period_seconds: i32,
        /// How many must fail.
        failure_threshold: i32,
        /// Seconds that one may take.
        timeout_seconds: i32,
    }

    /// `volumeDevices[]`.
    VolumeDevice {
        /// Name of the volume.
        name: String,
    }

    /// `volumeMounts[]`.
    VolumeMount {
        /// Name of the volume.
        name: String,
        /// Where.
        mount_path: String,
        /// Which folder of the volume.
        sub_path: String,
        /// Which folder of the volume, with variables expanded.
        sub_path_expr: String,
        /// Mounted read-only.
        read_only: bool,
    }

    /// `resources`.
    Resources {
        /// At least.
        requests: BTreeMap<String, String>,
        /// At most.
        limits: BTreeMap<String, String>,
    }

    /// `status` of a Pod.
    PodStatus {
        /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
        phase: String,
        /// Why, in a word (`Evicted`).
        reason: String,
        /// Why, in a sentence.
        message: String,
        /// Its first address.
        #[serde(rename = "podIP")]
        pod_ip: String,
        /// All its addresses.
        #[serde(rename = "podIPs")]
        pod_ips: Vec<PodIp>,
        /// Conditions.
        conditions: Vec<Condition>,
        /// Containers.
        container_statuses: Vec<ContainerStatus>,
        /// Init containers.
        init_container_statuses: Vec<ContainerStatus>,
    }

    /// `podIPs[]`.
    PodIp {
        /// The address.
        ip: String,
    }

    /// A condition.
    Condition {
        /// Which.
        r#type: String,
        /// `True`, `False` or `Unknown`.
        status: String,
        /// Why, in a word.
        reason: String,
        /// Why, in a sentence.
        message: String,
    }

    /// `containerStatuses[]`.
    ContainerStatus {
        /// Name.
        name: String,
        /// Ready.
        ready: bool,
        /// Started.
        started: Option<bool>,
        /// How often it was started again.
        restart_count: i32,
        /// Now.
        state: ContainerState,
        /// Before the last restart.
        last_state: ContainerState,
    }

    /// State of a container: one of the three.
    ContainerState {
        /// Not yet running.
        waiting: Option<Waiting>,
        /// Running.
        running: Option<Running>,
        /// Ended.
        terminated: Option<Terminated>,
    }

    /// `state.waiting`.
    Waiting {
        /// Why, in a word (`ImagePullBackOff`).
        reason: String,
        /// Why, in a sentence.
        message: String,
    }

    /// `state.running`.
    Running {
        /// Since when, whole seconds by the node's clock.
        started_at: Option<String>,
    }

    /// `state.terminated`.
    Terminated {
        /// Exit status.
        exit_code: i32,
        /// Signal, if one ended it.
        signal: i32,
        /// Why, in a word (`OOMKilled`).
        reason: String,
        /// Why, in a sentence.
        message: String,
        /// Begin.
        started_at: Option<String>,
        /// End.
        finished_at: Option<String>,
        /// Which start of the container this was.
        #[serde(rename = "containerID")]
        container_id: String,
    }

    /// PersistentVolumeClaim.
    PersistentVolumeClaim {
        /// Metadata.
        metadata: Metadata,
        /// Spec.
        spec: Option<PersistentVolumeClaimSpec>,
        /// Status.
        status: PersistentVolumeClaimStatus,
    }

    /// `spec` of a claim.
    PersistentVolumeClaimSpec {
        /// Access modes.
        access_modes: Vec<String>,
        /// Its volume once it is Bound; before that only what it was created with.
        volume_name: String,
        /// `None`: the default class; empty: none.
        storage_class_name: Option<String>,
        /// `Filesystem` or `Block`.
        volume_mode: String,
        /// What is asked for.
        resources: Resources,
    }

    /// `status` of a claim.
    PersistentVolumeClaimStatus {
        /// `Pending`, `Bound` or `Lost`.
        phase: String,
        /// What it got.
        capacity: BTreeMap<String, String>,
    }

    /// Service.
    Service {
        /// Metadata.
        metadata: Metadata,
        /// Spec.
        spec: Option<ServiceSpec>,
    }

    /// `spec` of a Service.
    ServiceSpec {
        /// `None` makes it headless.
        #[serde(rename = "clusterIP")]
        cluster_ip: String,
        /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
        r#type: String,
        /// Which pods are behind it.
        selector: BTreeMap<String, String>,
        /// Whether pods that are not Ready have addresses too.
        publish_not_ready_addresses: bool,
    }

    /// EndpointSlice.
    EndpointSlice {
        /// Metadata; the label `kubernetes.io/service-name` tells whose.
        metadata: Metadata,
        /// `IPv4`, `IPv6` or `FQDN`.
        address_type: String,
        /// Endpoints.
        endpoints: Vec<Endpoint>,
    }

    /// `endpoints[]`.
    Endpoint {
        /// Addresses.
        addresses: Vec<String>,
        /// Conditions.
        conditions: EndpointConditions,
        /// First label of its DNS name.
        hostname: Option<String>,
        /// The pod.
        target_ref: Option<ObjectReference>,
    }

    /// `conditions` of an endpoint.
    EndpointConditions {
        /// May get traffic; absent means yes.
        ready: Option<bool>,
        /// Is going.
        terminating: Option<bool>,
    }

    /// A reference to an object.
    ObjectReference {
        /// Kind.
        kind: String,
        /// Name.
        name: String,
        /// UID.
        uid: String,
    }

    /// Event: why something did not happen; never a proof that something did.
    Event {
        /// Metadata.
        metadata: Metadata,
        /// About which object.
        involved_object: ObjectReference,
        /// In a word.
        reason: String,
        /// In a sentence.
        message: String,
        /// `Normal` or `Warning`.
        r#type: String,
        /// How often.
        count: i32,
    }
}

/// The grace period where the template says none: the API server's default for
/// `terminationGracePeriodSeconds`.
pub const DEFAULT_GRACE_SECONDS: i64 = 30;

impl StatefulSetSpec {
    /// How many pods are asked for. The API server fills in 1 where it is not said.
    #[must_use]
    pub fn replicas_or_one(&self) -> i32 {
        self.replicas.unwrap_or(1)
    }
}

impl PodSpec {
    /// The init containers, then the others.
    pub fn all_containers(&self) -> impl Iterator<Item = &Container> {
        self.init_containers.iter().chain(&self.containers)
    }

    /// The same, to be changed.
    pub fn all_containers_mut(&mut self) -> impl Iterator<Item = &mut Container> {
        self.init_containers.iter_mut().chain(&mut self.containers)
    }

    /// Whether one of its containers, an init container among them, mounts a volume or has it as a
    /// raw device.
    #[must_use]
    pub fn uses(&self, volume: &str) -> bool {
        self.all_containers().any(|it| {
            it.volume_mounts.iter().any(|mount| mount.name == volume)
                || it.volume_devices.iter().any(|device| device.name == volume)
        })
    }

    /// The group that its volumes are to belong to.
    #[must_use]
    pub fn fs_group(&self) -> Option<i64> {
        self.security_context.as_ref()?.fs_group
    }

    /// As which user a container runs; `None` where its image says that.
    #[must_use]
    pub fn user_of(&self, container: &str) -> Option<i64> {
        let its_own = self.all_containers().find(|it| it.name == container);
        let its_own = its_own.and_then(|it| it.security_context.as_ref()?.run_as_user);
        its_own.or_else(|| self.security_context.as_ref()?.run_as_user)
    }

    /// How long a pod may take to stop, in seconds.
    #[must_use]
    pub fn grace_seconds(&self) -> i64 {
        self.termination_grace_period_seconds.unwrap_or(DEFAULT_GRACE_SECONDS)
    }
}

impl Probe {
    /// How long it takes to fail from the start of its container on, in seconds: each of its tries
    /// takes the period, or its own time where that is longer.
    #[must_use]
    pub fn seconds_to_fail(&self) -> i64 {
        let each = self.period_seconds.max(self.timeout_seconds).max(1);
        i64::from(self.initial_delay_seconds)
            + i64::from(each) * i64::from(self.failure_threshold.max(1))
    }
}

impl Endpoint {
    /// Whether it takes traffic: an unknown readiness counts as ready, as `EndpointConditions` of
    /// the API says.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.conditions.ready != Some(false)
    }
}

impl PodStatus {
    /// What is told of the init containers, then of the others.
    pub fn all_containers(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.init_container_statuses.iter().chain(&self.container_statuses)
    }
}

impl ServiceSpec {
    /// Whether it selects pods with these labels; a Service without a selector selects none.
    #[must_use]
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        !self.selector.is_empty()
            && self.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

/// Stands at the end of a command of which only the beginning is kept.
pub const CUT: &str = "…";

trait Empty {
    fn is_empty(&self) -> bool;
}

impl<T: Default + PartialEq> Empty for T {
    fn is_empty(&self) -> bool {
        *self == T::default()
    }
}

/// Kubernetes writes `null` where Go has an empty list.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
