//! What no hand-in of a batch gets: decided from its manifests alone.

use serde_json::Value;

use super::demand::{Demand, containers, list, pod_spec};
use crate::{
    console::sanitize::sanitize,
    submission::{AppliedKind, Manifest, Place, Submission},
};

/// Volumes that the node itself mounts or fetches: it reaches what pods must not, and some can be
/// made to hang (`VolumeSource` in Kubernetes' `pkg/apis/core/types.go`).
const MOUNTED_BY_THE_NODE: [&str; 22] = [
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "image",
    "iscsi",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];

/// Something that no hand-in of a batch gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAllowed {
    /// What it asks for; safe to show.
    pub what: String,
    /// Where.
    pub place: Place,
}

/// What a submission asks for that could reach, slow or stop another one, or the cluster.
#[must_use]
pub fn not_allowed(submission: &Submission) -> Option<NotAllowed> {
    for manifest in &submission.objects {
        if let Some((what, field)) = forbidden(manifest) {
            let (kind, name) = (manifest.kind.names().0, sanitize(&manifest.name));
            let what = format!("{kind} {name} asks for {}", sanitize(&what));
            return Some(NotAllowed { what, place: manifest.place_of_told(field) });
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
        AppliedKind::Service => {
            let kind = spec["type"].as_str().unwrap_or_default();
            if matches!(kind, "NodePort" | "LoadBalancer") {
                return Some((format!("type {kind}, which opens a port of the cluster"), "type"));
            }
            if !list(&spec["externalIPs"]).is_empty() {
                return Some(("externalIPs, which take others' traffic".to_owned(), "externalIPs"));
            }
        }
        AppliedKind::Secret if manifest.value["type"] == "kubernetes.io/service-account-token" => {
            return Some(("a service account's token".to_owned(), "type"));
        }
        AppliedKind::PersistentVolumeClaim => return named_volume(spec),
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
    for (field, what) in [
        ("priorityClassName", "a priority, by which its pods displace others'"),
        ("nodeName", "a node, past the scheduler, which gives each pod its room"),
    ] {
        if pod[field].as_str().is_some_and(|it| !it.is_empty()) {
            return Some((what.to_owned(), field));
        }
    }
    if pod["resources"].as_object().is_some_and(|it| !it.is_empty()) {
        // Default limits of its containers could be above them, and such a pod is refused.
        let what = "resources of a whole pod, where a batch bounds each container".to_owned();
        return Some((what, "resources"));
    }
    if !list(&pod["resourceClaims"]).is_empty() {
        return Some(("devices of a node".to_owned(), "resourceClaims"));
    }
    let in_volume = list(&pod["volumes"]).iter().find_map(forbidden_volume);
    in_volume.or_else(|| containers(pod).find_map(forbidden_in_container))
}

/// What a volume is that is not allowed, and the field of it.
fn forbidden_volume(volume: &Value) -> Option<(String, &'static str)> {
    if volume.get("hostPath").is_some() {
        return Some(("hostPath, a folder of the node".to_owned(), "hostPath"));
    }
    for kind in MOUNTED_BY_THE_NODE {
        if volume.get(kind).is_some() {
            return Some((format!("a volume {kind}, which the node itself mounts"), kind));
        }
    }
    let sources = list(&volume["projected"]["sources"]);
    for (kind, what) in [
        ("serviceAccountToken", "a service account's token"),
        ("podCertificate", "a certificate of the cluster's"),
    ] {
        if sources.iter().any(|it| it.get(kind).is_some()) {
            return Some((what.to_owned(), kind));
        }
    }
    volume.pointer("/ephemeral/volumeClaimTemplate/spec").and_then(named_volume)
}

/// What a container has that is not allowed, and the field of it.
fn forbidden_in_container(container: &Value) -> Option<(String, &'static str)> {
    // What another name stands for, the API server does not know.
    let is_device = |it: &&String| it.contains('/') || it.starts_with("hugepages-");
    for part in ["requests", "limits"] {
        let asked = container["resources"][part].as_object();
        if let Some(name) = asked.and_then(|it| it.keys().find(is_device)) {
            return Some((format!("{name}, of which a batch gives nothing"), "resources"));
        }
    }
    // The node asks, and no NetworkPolicy stops it.
    let probes = ["livenessProbe", "readinessProbe", "startupProbe"].map(|it| &container[it]);
    let hooks = ["postStart", "preStop"].map(|it| &container["lifecycle"][it]);
    let hosts = probes.into_iter().chain(hooks).flat_map(|it| {
        ["httpGet", "tcpSocket"].into_iter().filter_map(move |how| it[how]["host"].as_str())
    });
    let host = hosts.filter(|it| !it.is_empty()).map(str::to_owned).next()?;
    Some((format!("host {host} in a probe or hook, which the node itself asks"), "host"))
}
