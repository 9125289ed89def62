//! Creating one object.

use http::Method;
use serde_json::Value;

use crate::cluster::{
    Cluster, Failure,
    writes::{field_owners::MANAGER, send::send},
};

/// Creates an object, where its `apiVersion`, `kind` and namespace say; what stands then.
///
/// # Errors
/// The API server refuses, or cannot be reached.
pub(crate) async fn create_object(cluster: &Cluster, object: &Value) -> Result<Value, Failure> {
    let text = |place: &str| object.pointer(place).and_then(Value::as_str).unwrap_or_default();
    let plural = plural(text("/kind"));
    let (root, resource) = match text("/apiVersion").split_once('/') {
        Some((group, version)) => (format!("/apis/{group}/{version}"), format!("{plural}.{group}")),
        None => (format!("/api/{}", text("/apiVersion")), plural.clone()),
    };
    let place = match text("/metadata/namespace") {
        "" => String::new(),
        namespace => format!("/namespaces/{namespace}"),
    };
    let path = format!("{root}{place}/{plural}?fieldManager={MANAGER}");
    let sent = send(cluster, Method::POST, &path, "application/json", Some(object)).await;
    sent.map(|(_, made)| made)
        .map_err(|error| cluster.failure(&error, "create", &resource, text("/metadata/name")))
}

/// `networkpolicies` of `NetworkPolicy`: how resources are called in paths.
fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{kind}s"),
    }
}
