//! The objects that stand in a namespace of its own before the submission comes: pure.

use serde_json::{Value, json};

use super::demand::Demand;

/// What a container that names no request gets for sure.
const LEAST_CPU: &str = "10m";
const LEAST_MEMORY: &str = "32Mi";
/// Pods that are being deleted count, and so do those of the grader's own.
const SPARE_PODS: u64 = 3;
/// ConfigMaps and Secrets that the cluster itself makes in a namespace.
const SPARE_OBJECTS: u64 = 3;
/// The name of each of them.
const NAME: &str = "stsgrade";

/// Each object, in its namespace.
pub(super) fn objects(namespace: &str, demand: &Demand) -> Vec<Value> {
    let mut objects = vec![quota(demand), network_policy()];
    // Limits of a whole pod do not go together with default limits of its containers.
    if !demand.has_pod_limits {
        objects.push(limit_range(demand));
    }
    for object in &mut objects {
        object["metadata"]["namespace"] = json!(namespace);
    }
    objects
}

/// As much as the submission asks for, the tour included: what bounds a hand-in must not cost it
/// points.
fn quota(demand: &Demand) -> Value {
    let spare = |count: u64, spare: u64| json!(count.saturating_add(spare).to_string());
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": NAME}, "spec": {"hard": {
        "pods": spare(demand.pods, SPARE_PODS),
        "persistentvolumeclaims": spare(demand.claims, 0),
        "requests.storage": demand.storage_bytes.to_string(),
        "services": spare(demand.services, 0),
        "services.nodeports": "0",
        "services.loadbalancers": "0",
        "configmaps": spare(demand.config_maps, SPARE_OBJECTS),
        "secrets": spare(demand.secrets, SPARE_OBJECTS),
    }}})
}

/// No container without a limit. The limit is the largest of the submission, because a request
/// above a default limit would be refused.
fn limit_range(demand: &Demand) -> Value {
    let most = json!({"cpu": format!("{}m", demand.cpu_millis), "memory": demand.memory_bytes.to_string()});
    json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": NAME}, "spec": {"limits": [
        {"type": "Container", "max": most, "default": most,
            "defaultRequest": {"cpu": LEAST_CPU, "memory": LEAST_MEMORY}},
    ]}})
}

/// Nothing but the namespace itself, and DNS.
fn network_policy() -> Value {
    let own = json!([{"podSelector": {}}]);
    let dns = json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]);
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": NAME},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": own}], "egress": [{"to": own}, {"ports": dns}]}})
}
