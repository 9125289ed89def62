//! What a submission asks for, as far as quotas bound it: decided from its manifests alone.

use checks::model::quantity;
use serde_json::Value;

use crate::{
    plan::EXTRA_PODS,
    submission::{AppliedKind, Manifest, Submission},
};

/// The most pods that one hand-in gets.
const MAX_PODS: u64 = 60;
/// The most claims.
const MAX_CLAIMS: u64 = 120;
/// The most Services: every node has rules for each of them.
const MAX_SERVICES: u64 = 20;
/// The most objects.
const MAX_OBJECTS: u64 = 100;
/// The most storage that the claims of one hand-in may ask for together, in bytes.
const MAX_STORAGE_BYTES: u128 = 256 << 30;
/// The most that one container may ask for.
const MAX_OF_A_CONTAINER: Amount = Amount { cpu_millis: 4_000, memory_bytes: 8 << 30 };
/// The most that is kept free on the nodes for all its pods together.
const MAX_REQUESTS: Amount = Amount { cpu_millis: 32_000, memory_bytes: 64 << 30 };
/// The most that all its pods together may use.
const MAX_LIMITS: Amount = Amount { cpu_millis: 64_000, memory_bytes: 128 << 30 };
/// The most space on the nodes' own disks that all its pods together may ask for, in bytes.
const MAX_DISK_BYTES: u128 = 64 << 30;
/// What a container without a limit may use, unless another one without a limit requests more.
const USUAL: Amount = Amount { cpu_millis: 1_000, memory_bytes: 1 << 30 };
/// What a container that names no request gets for sure.
pub(super) const LEAST: Amount = Amount { cpu_millis: 10, memory_bytes: 32 << 20 };
/// Pods that are being deleted count, and so do those of the grader's own.
const SPARE_PODS: u64 = 3;

/// CPU and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    /// In thousandths of a CPU.
    pub(super) cpu_millis: u128,
    pub(super) memory_bytes: u128,
}

impl Amount {
    fn plus(self, other: Self) -> Self {
        Self {
            cpu_millis: self.cpu_millis.saturating_add(other.cpu_millis),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
        }
    }

    fn times(self, count: u64) -> Self {
        let count = u128::from(count);
        Self {
            cpu_millis: self.cpu_millis.saturating_mul(count),
            memory_bytes: self.memory_bytes.saturating_mul(count),
        }
    }

    /// The larger of each.
    fn max(self, other: Self) -> Self {
        Self {
            cpu_millis: self.cpu_millis.max(other.cpu_millis),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
        }
    }
}

/// What pods ask for, or what they may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) requests: Amount,
    pub(super) limits: Amount,
    /// Space that they request on the nodes' own disks.
    pub(super) disk_bytes: u128,
}

impl Load {
    /// Of a container; `default` is the limit where it has none.
    fn of(container: &Value, default: Amount) -> Self {
        let asked = |part: &str, what: &str, parts: u128| {
            let quantity = &container["resources"][part][what];
            (!quantity.is_null()).then(|| quantity_of(quantity, parts))
        };
        let limit = |what, parts, default| asked("limits", what, parts).unwrap_or(default);
        // Without a request, the limit is one.
        let request = |what, parts, least| {
            asked("requests", what, parts).or_else(|| asked("limits", what, parts)).unwrap_or(least)
        };
        Self {
            requests: Amount {
                cpu_millis: request("cpu", 1000, LEAST.cpu_millis),
                memory_bytes: request("memory", 1, LEAST.memory_bytes),
            },
            limits: Amount {
                cpu_millis: limit("cpu", 1000, default.cpu_millis),
                memory_bytes: limit("memory", 1, default.memory_bytes),
            },
            disk_bytes: request("ephemeral-storage", 1, 0),
        }
    }

    /// Of a pod: its containers and those beside them for good, or one that runs before them; at
    /// least what the scheduler and a quota count. Source: k8s.io/component-helpers,
    /// resource/helpers.go, PodRequests.
    fn of_pod(pod: &Value, default: Amount) -> Self {
        let all = |containers: &mut dyn Iterator<Item = &Value>| {
            containers.fold(Self::default(), |sum, it| sum.plus(Self::of(it, default)))
        };
        let inits = list(&pod["initContainers"]);
        let stays = |it: &&Value| it["restartPolicy"] == "Always";
        let beside = all(&mut inits.iter().filter(stays));
        let before = inits.iter().filter(|it| !stays(it)).map(|it| Self::of(it, default));
        let before = before.fold(Self::default(), Self::max);
        all(&mut list(&pod["containers"]).iter()).max(before).plus(beside)
    }

    fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.plus(other.requests),
            limits: self.limits.plus(other.limits),
            disk_bytes: self.disk_bytes.saturating_add(other.disk_bytes),
        }
    }

    fn times(self, count: u64) -> Self {
        Self {
            requests: self.requests.times(count),
            limits: self.limits.times(count),
            disk_bytes: self.disk_bytes.saturating_mul(u128::from(count)),
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            requests: self.requests.max(other.requests),
            limits: self.limits.max(other.limits),
            disk_bytes: self.disk_bytes.max(other.disk_bytes),
        }
    }
}

/// What a submission asks for, as far as quotas bound it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Demand {
    /// Pods at once, those of the tour included.
    pub(super) pods: u64,
    /// Claims, those of the tour included.
    pub(super) claims: u64,
    /// What all these claims ask for together.
    pub(super) storage_bytes: u128,
    /// The most that a container asks for.
    pub(super) container: Amount,
    /// The limit of a container that has none.
    pub(super) default_limit: Amount,
    /// What all these pods ask for together.
    pub(super) load: Load,
    /// The pod that asks for the most.
    largest_pod: Load,
    /// Objects of these kinds.
    pub(super) services: u64,
    pub(super) config_maps: u64,
    pub(super) secrets: u64,
    /// Objects of all kinds.
    objects: u64,
}

impl Demand {
    /// What it asks for.
    pub(super) fn of(submission: &Submission) -> Self {
        let mut demand = Self { container: USUAL, default_limit: USUAL, ..Self::default() };
        let pods = submission.objects.iter().filter_map(pod_spec);
        pods.flat_map(containers).for_each(|it| demand.add_container(it));
        for manifest in &submission.objects {
            demand.add(manifest);
        }
        demand
    }

    fn add_container(&mut self, container: &Value) {
        let load = Load::of(container, Amount::default());
        self.container = self.container.max(load.requests).max(load.limits);
        let limits = &container["resources"]["limits"];
        // Its request must not be above its limit.
        if limits["cpu"].is_null() {
            self.default_limit.cpu_millis =
                self.default_limit.cpu_millis.max(load.requests.cpu_millis);
        }
        if limits["memory"].is_null() {
            self.default_limit.memory_bytes =
                self.default_limit.memory_bytes.max(load.requests.memory_bytes);
        }
    }

    fn add(&mut self, manifest: &Manifest) {
        let spec = &manifest.value["spec"];
        let replicas = spec["replicas"].as_u64().unwrap_or(1);
        let pods = match manifest.kind {
            AppliedKind::StatefulSet => {
                replicas.saturating_add(u64::from(EXTRA_PODS.unsigned_abs()))
            }
            // A rollout has the old ones and the new ones.
            AppliedKind::Deployment => replicas.saturating_mul(2).saturating_add(1),
            AppliedKind::Pod => 1,
            _ => 0,
        };
        self.objects += 1;
        self.pods = self.pods.saturating_add(pods);
        for claim in list(&spec["volumeClaimTemplates"]) {
            self.add_claims(pods, &claim["spec"]);
        }
        match manifest.kind {
            AppliedKind::PersistentVolumeClaim => self.add_claims(1, spec),
            AppliedKind::Service => self.services += 1,
            AppliedKind::ConfigMap => self.config_maps += 1,
            AppliedKind::Secret => self.secrets += 1,
            _ => {}
        }
        if let Some(pod) = pod_spec(manifest) {
            self.add_pods(pods, pod);
        }
    }

    /// Adds so many pods of a spec.
    fn add_pods(&mut self, count: u64, pod: &Value) {
        for volume in list(&pod["volumes"]) {
            if let Some(claim) = volume.pointer("/ephemeral/volumeClaimTemplate/spec") {
                self.add_claims(count, claim);
            }
        }
        let load = Load::of_pod(pod, self.default_limit);
        self.load = self.load.plus(load.times(count));
        self.largest_pod = self.largest_pod.max(load);
    }

    fn add_claims(&mut self, count: u64, spec: &Value) {
        self.claims = self.claims.saturating_add(count);
        let size = quantity_of(&spec["resources"]["requests"]["storage"], 1);
        self.storage_bytes =
            self.storage_bytes.saturating_add(size.saturating_mul(u128::from(count)));
    }

    /// The pods that there may be, those that are being deleted included.
    pub(super) const fn pods_with_spare(&self) -> u64 {
        self.pods.saturating_add(SPARE_PODS)
    }

    /// What these ask for.
    pub(super) fn load_with_spare(&self) -> Load {
        self.load.plus(self.largest_pod.times(SPARE_PODS))
    }

    /// The first of its demands that is more than a hand-in gets.
    pub(super) fn excess(&self) -> Option<String> {
        let Load { requests, limits, disk_bytes } = self.load;
        let (one, all, use_of) = (self.container, MAX_REQUESTS, MAX_LIMITS);
        let of_one = MAX_OF_A_CONTAINER;
        for (what, asked, most) in [
            ("pods, those of the tour included", self.pods.into(), MAX_PODS.into()),
            ("PVCs, those of the tour included", self.claims.into(), MAX_CLAIMS.into()),
            ("Services", self.services.into(), MAX_SERVICES.into()),
            ("objects", self.objects.into(), MAX_OBJECTS.into()),
            ("bytes of storage", self.storage_bytes, MAX_STORAGE_BYTES),
            ("CPU of one container, in thousandths", one.cpu_millis, of_one.cpu_millis),
            ("bytes of memory of one container", one.memory_bytes, of_one.memory_bytes),
            ("CPU requested by all pods, in thousandths", requests.cpu_millis, all.cpu_millis),
            ("bytes of memory requested by all pods", requests.memory_bytes, all.memory_bytes),
            ("CPU limits of all pods, in thousandths", limits.cpu_millis, use_of.cpu_millis),
            ("bytes of memory limits of all pods", limits.memory_bytes, use_of.memory_bytes),
            ("bytes of ephemeral storage requested by all pods", disk_bytes, MAX_DISK_BYTES),
        ] {
            if asked > most {
                return Some(format!("{what}: {asked}, and a batch gives at most {most}"));
            }
        }
        None
    }
}

pub(super) fn pod_spec(manifest: &Manifest) -> Option<&Value> {
    match manifest.kind {
        AppliedKind::Pod => manifest.value.get("spec"),
        AppliedKind::StatefulSet | AppliedKind::Deployment => {
            manifest.value.pointer("/spec/template/spec")
        }
        _ => None,
    }
}

pub(super) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["containers"]).iter().chain(list(&pod["initContainers"]))
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A quantity in parts of which `parts` are 1: 1000 for thousandths, rounded up; 0 where there is
/// none.
fn quantity_of(value: &Value, parts: u128) -> u128 {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return 0,
    };
    quantity::scaled(&text, parts).unwrap_or(0)
}
