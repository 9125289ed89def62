//! What a submission asks for, and whether a batch allows it: decided from its manifests alone.

use checks::model::quantity;
use serde_json::{Map, Value, json};

use crate::{
    console::sanitize::sanitize,
    plan::EXTRA_PODS,
    submission::{Applied, Manifest, Place, Submission},
};

/// The most pods that one hand-in gets.
const MOST_PODS: u64 = 60;
/// The most storage that the claims of one hand-in may ask for together, in bytes.
const MOST_STORAGE_BYTES: u128 = 256 << 30;
/// The most CPU that one container may ask for, in thousandths.
const MOST_CPU_MILLIS: u128 = 4_000;
/// The most memory that one container may ask for.
const MOST_MEMORY_BYTES: u128 = 8 << 30;
/// The CPU that a container without a limit may use, unless another container asks for more.
const USUAL_CPU_MILLIS: u128 = 1_000;
/// The memory that a container without a limit may use, unless another container asks for more.
const USUAL_MEMORY_BYTES: u128 = 1 << 30;

/// What a submission asks for, as far as quotas bound it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Demand {
    /// Pods at once, those of the tour included.
    pub(super) pods: u64,
    /// Claims, those of the tour included.
    pub(super) claims: u64,
    /// What all these claims ask for together.
    pub(super) storage_bytes: u128,
    /// The most CPU that a container asks for, in thousandths.
    pub(super) cpu_millis: u128,
    /// The most memory that a container asks for.
    pub(super) memory_bytes: u128,
    /// Objects of these kinds.
    pub(super) services: u64,
    pub(super) config_maps: u64,
    pub(super) secrets: u64,
    /// A pod has limits of its own, beside those of its containers.
    pub(super) has_pod_limits: bool,
}

/// Something that no hand-in of a batch gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAllowed {
    /// What it asks for; safe to show.
    pub what: String,
    /// Where.
    pub place: Place,
}

impl Demand {
    /// What it asks for.
    pub(super) fn of(submission: &Submission) -> Self {
        let mut demand = Self {
            cpu_millis: USUAL_CPU_MILLIS,
            memory_bytes: USUAL_MEMORY_BYTES,
            ..Self::default()
        };
        for manifest in &submission.objects {
            demand.add(manifest);
        }
        demand
    }

    fn add(&mut self, manifest: &Manifest) {
        let spec = &manifest.value["spec"];
        let replicas = spec["replicas"].as_u64().unwrap_or(1);
        let pods = match manifest.kind {
            Applied::StatefulSet => replicas.saturating_add(u64::from(EXTRA_PODS.unsigned_abs())),
            // A rollout has the old ones and the new ones.
            Applied::Deployment => replicas.saturating_mul(2).saturating_add(1),
            Applied::Pod => 1,
            _ => 0,
        };
        self.pods = self.pods.saturating_add(pods);
        for claim in list(&spec["volumeClaimTemplates"]) {
            self.add_claims(pods, &claim["spec"]);
        }
        match manifest.kind {
            Applied::PersistentVolumeClaim => self.add_claims(1, spec),
            Applied::Service => self.services += 1,
            Applied::ConfigMap => self.config_maps += 1,
            Applied::Secret => self.secrets += 1,
            _ => {}
        }
        if let Some(pod) = pod_spec(manifest) {
            self.add_pods(pods, pod);
        }
    }

    /// Adds so many pods of a spec.
    fn add_pods(&mut self, count: u64, pod: &Value) {
        self.has_pod_limits |= pod.get("resources").is_some();
        for volume in list(&pod["volumes"]) {
            if let Some(claim) = volume.pointer("/ephemeral/volumeClaimTemplate/spec") {
                self.add_claims(count, claim);
            }
        }
        for container in containers(pod) {
            for part in ["requests", "limits"] {
                let asked = &container["resources"][part];
                let cpu = quantity_of(&asked["cpu"], 1000);
                self.cpu_millis = self.cpu_millis.max(cpu);
                self.memory_bytes = self.memory_bytes.max(quantity_of(&asked["memory"], 1));
            }
        }
    }

    fn add_claims(&mut self, count: u64, spec: &Value) {
        self.claims = self.claims.saturating_add(count);
        let size = quantity_of(&spec["resources"]["requests"]["storage"], 1);
        self.storage_bytes =
            self.storage_bytes.saturating_add(size.saturating_mul(u128::from(count)));
    }

    /// The first of its demands that is more than a hand-in gets.
    fn excess(&self) -> Option<String> {
        for (what, asked, most) in [
            ("pods, those of the tour included", self.pods.into(), MOST_PODS.into()),
            ("bytes of storage", self.storage_bytes, MOST_STORAGE_BYTES),
            ("CPU of one container, in thousandths", self.cpu_millis, MOST_CPU_MILLIS),
            ("bytes of memory of one container", self.memory_bytes, MOST_MEMORY_BYTES),
        ] {
            if asked > most {
                return Some(format!("{what}: {asked}, and a batch gives at most {most}"));
            }
        }
        None
    }
}

/// What a submission asks for that could reach, slow or stop another one, or the cluster.
#[must_use]
pub fn not_allowed(submission: &Submission) -> Option<NotAllowed> {
    for manifest in &submission.objects {
        if let Some((what, field)) = forbidden(manifest) {
            let (kind, name) = (manifest.kind.names().0, sanitize(&manifest.name));
            let what = format!("{kind} {name} asks for {}", sanitize(&what));
            return Some(NotAllowed { what, place: manifest.place_of(field) });
        }
    }
    let excess = Demand::of(submission).excess()?;
    let place = submission.objects.first().map(|it| it.place.clone()).unwrap_or_default();
    Some(NotAllowed { what: format!("it asks for {excess}"), place })
}

/// What an object has that is not allowed, and the field of it.
fn forbidden(manifest: &Manifest) -> Option<(String, &'static str)> {
    let spec = &manifest.value["spec"];
    match manifest.kind {
        Applied::Service => {
            let kind = spec["type"].as_str().unwrap_or_default();
            if matches!(kind, "NodePort" | "LoadBalancer") {
                return Some((format!("type {kind}, which opens a port of the cluster"), "type"));
            }
            if !list(&spec["externalIPs"]).is_empty() {
                return Some(("externalIPs, which take others' traffic".to_owned(), "externalIPs"));
            }
        }
        Applied::Secret if manifest.value["type"] == "kubernetes.io/service-account-token" => {
            return Some(("a service account's token".to_owned(), "type"));
        }
        Applied::PersistentVolumeClaim => return named_volume(spec),
        _ => {}
    }
    for claim in list(&spec["volumeClaimTemplates"]) {
        if let Some(found) = named_volume(&claim["spec"]) {
            return Some(found);
        }
    }
    pod_spec(manifest).and_then(forbidden_in_pod)
}

/// The volume that a claim names: it may be somebody else's.
fn named_volume(claim: &Value) -> Option<(String, &'static str)> {
    let name = claim["volumeName"].as_str().filter(|it| !it.is_empty())?;
    Some((format!("the PersistentVolume {name}, which belongs to the cluster"), "volumeName"))
}

/// What a pod has that is not allowed, and the field of it.
fn forbidden_in_pod(pod: &Value) -> Option<(String, &'static str)> {
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod[field] == true {
            return Some((format!("{field}, which shows the node"), field));
        }
    }
    if pod["priorityClassName"].as_str().is_some_and(|it| !it.is_empty()) {
        let what = "a priority, by which its pods displace others'".to_owned();
        return Some((what, "priorityClassName"));
    }
    for volume in list(&pod["volumes"]) {
        if volume.get("hostPath").is_some() {
            return Some(("hostPath, a folder of the node".to_owned(), "hostPath"));
        }
        let sources = list(&volume["projected"]["sources"]);
        if sources.iter().any(|it| it.get("serviceAccountToken").is_some()) {
            return Some(("a service account's token".to_owned(), "serviceAccountToken"));
        }
        if let Some(claim) = volume.pointer("/ephemeral/volumeClaimTemplate/spec")
            && let Some(found) = named_volume(claim)
        {
            return Some(found);
        }
    }
    None
}

/// The submission as it is applied to a namespace of its own: its objects are in that namespace, no
/// pod gets a token of a service account, and nothing keeps an object from being deleted.
pub(super) fn sealed(submission: &Submission, namespace: &str) -> Submission {
    let mut sealed = submission.clone();
    for manifest in &mut sealed.objects {
        // Anything may stand where a mapping belongs: the API server refuses that then.
        if let Some(metadata) = fields_at(&mut manifest.value, "/metadata") {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        for metadata in ["/metadata", "/spec/template/metadata"] {
            make_deletable(fields_at(&mut manifest.value, metadata));
        }
        let templates = manifest.value.pointer_mut("/spec/volumeClaimTemplates");
        for claim in templates.and_then(Value::as_array_mut).into_iter().flatten() {
            make_deletable(fields_at(claim, "/metadata"));
        }
        let mounts_token = match manifest.kind {
            Applied::ServiceAccount => manifest.value.as_object_mut(),
            Applied::Pod => fields_at(&mut manifest.value, "/spec"),
            Applied::StatefulSet | Applied::Deployment => {
                fields_at(&mut manifest.value, "/spec/template/spec")
            }
            _ => None,
        };
        if let Some(fields) = mounts_token {
            fields.insert("automountServiceAccountToken".to_owned(), json!(false));
        }
    }
    sealed
}

/// The fields of the mapping at a place, where one is there.
fn fields_at<'a>(value: &'a mut Value, place: &str) -> Option<&'a mut Map<String, Value>> {
    value.pointer_mut(place).and_then(Value::as_object_mut)
}

/// Takes out of an object's metadata what keeps it from being deleted.
fn make_deletable(metadata: Option<&mut Map<String, Value>>) {
    if let Some(metadata) = metadata {
        metadata.remove("finalizers");
        metadata.remove("ownerReferences");
    }
}

/// A namespace other than `own` that the pods of a submission name in a DNS name, such as `lab` in
/// `web-0.web.lab.svc`: they expect to be in it. The cluster's own namespaces are left out.
#[must_use]
pub fn named_namespace(submission: &Submission, own: &str) -> Option<String> {
    let specs = submission.objects.iter().filter_map(pod_spec);
    let names = specs.flat_map(strings).flat_map(namespaces_of_names);
    let is_other = |name: &&str| *name != own && *name != "default" && !name.starts_with("kube-");
    names.filter(is_other).map(str::to_owned).next()
}

/// Every text of a value.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => vec![],
    }
}

/// The namespaces of all DNS names of Services or pods in a text (Kubernetes, "DNS for Services and
/// Pods").
fn namespaces_of_names(text: &str) -> impl Iterator<Item = &str> {
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let names = text.match_indices(".svc").filter_map(move |(at, svc)| {
        let (before, behind) = (&text[..at], &text[at + svc.len()..]);
        let namespace = &before[before.trim_end_matches(is_in_name).len()..];
        // Before it stands the name of the Service; a shell's variable is no name.
        let has_service = before[..before.len() - namespace.len()].ends_with('.');
        (has_service && !behind.starts_with(is_in_name)).then_some(namespace)
    });
    names.filter(|namespace| !namespace.is_empty())
}

fn pod_spec(manifest: &Manifest) -> Option<&Value> {
    match manifest.kind {
        Applied::Pod => manifest.value.get("spec"),
        Applied::StatefulSet | Applied::Deployment => manifest.value.pointer("/spec/template/spec"),
        _ => None,
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["containers"]).iter().chain(list(&pod["initContainers"]))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A quantity in parts of which `parts` are 1: 1000 for thousandths. What is no whole number is
/// rounded up, unless it ends with `m`; 0 where there is none.
fn quantity_of(value: &Value, parts: u128) -> u128 {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return 0,
    };
    match text.strip_suffix('m') {
        // It is thousandths already.
        Some(millis) if parts == 1000 => quantity::bytes(millis).unwrap_or(0),
        _ => quantity::bytes(&text).unwrap_or(0).saturating_mul(parts),
    }
}

#[cfg(test)]
mod tests;
