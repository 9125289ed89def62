//! The objects that stand in a namespace of its own before the submission comes: pure.

use serde_json::{Value, json};

use super::{
    demand::{Amount, Demand, LEAST},
    dns::DnsRule,
};
use crate::cluster::OBJECT_NAME;

/// ConfigMaps and Secrets that the cluster itself makes in a namespace.
const SPARE_OBJECTS: u64 = 3;

/// Each object, in its namespace.
pub(super) fn objects(namespace: &str, demand: &Demand, dns: &DnsRule) -> Vec<Value> {
    let mut objects = vec![quota(demand), network_policy(dns), limit_range(demand)];
    for object in &mut objects {
        object["metadata"]["namespace"] = json!(namespace);
    }
    objects
}

/// As much as the submission asks for, the tour included: what bounds a hand-in must not cost it
/// points.
fn quota(demand: &Demand) -> Value {
    let spare = |count: u64, spare: u64| json!(count.saturating_add(spare).to_string());
    let load = demand.load_with_spare();
    let (requests, limits) = (quantities(load.requests), quantities(load.limits));
    let metadata = json!({"name": OBJECT_NAME});
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {
        "pods": demand.pods_with_spare().to_string(),
        "requests.cpu": requests["cpu"],
        "requests.memory": requests["memory"],
        "limits.cpu": limits["cpu"],
        "limits.memory": limits["memory"],
        "requests.ephemeral-storage": load.disk_bytes.to_string(),
        "persistentvolumeclaims": spare(demand.claims, 0),
        "requests.storage": demand.storage_bytes.to_string(),
        "services": spare(demand.services, 0),
        "services.nodeports": "0",
        "services.loadbalancers": "0",
        "configmaps": spare(demand.config_maps, SPARE_OBJECTS),
        "secrets": spare(demand.secrets, SPARE_OBJECTS),
    }}})
}

/// No container without a limit. The default is not below a request of the submission, because that
/// would be refused.
fn limit_range(demand: &Demand) -> Value {
    let metadata = json!({"name": OBJECT_NAME});
    json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": [
        {"type": "Container", "max": quantities(demand.container),
            "default": quantities(demand.default_limit), "defaultRequest": quantities(LEAST)},
    ]}})
}

fn quantities(amount: Amount) -> Value {
    json!({"cpu": format!("{}m", amount.cpu_millis), "memory": amount.memory_bytes.to_string()})
}

/// Nothing but the namespace itself, and DNS.
fn network_policy(dns: &DnsRule) -> Value {
    let own = json!([{"podSelector": {}}]);
    let metadata = json!({"name": OBJECT_NAME});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata,
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": own}], "egress": [{"to": own}, dns.0]}})
}
