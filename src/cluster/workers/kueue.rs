//! Kueue, where it decides when the workers start.
//!
//! A Job that names a LocalQueue of its namespace is made suspended, and Kueue starts it. Source:
//! "Run A Kubernetes Job" in Kueue's documentation.

use serde_json::{Value, json};

use crate::cluster::{Cluster, Failure, OBJECT_NAME};

/// Kueue's API group.
const GROUP: &str = "kueue.x-k8s.io";
/// The version of its API where no cluster is asked: Kueue 0.15 to 0.20 serve it, and 0.20 no
/// earlier one.
pub(super) const USUAL_VERSION: &str = "v1beta2";
/// The label by which a Job names its LocalQueue.
pub(super) const QUEUE_LABEL: &str = "kueue.x-k8s.io/queue-name";

/// The LocalQueue by which the Job waits in a ClusterQueue.
pub(super) fn local_queue(namespace: &str, cluster_queue: &str, version: &str) -> Value {
    json!({"apiVersion": format!("{GROUP}/{version}"), "kind": "LocalQueue",
        "metadata": {"name": OBJECT_NAME, "namespace": namespace},
        "spec": {"clusterQueue": cluster_queue}})
}

/// The version of Kueue's API in which the cluster serves LocalQueues, the one that it prefers
/// first.
///
/// # Errors
/// Kueue is not installed there, or the API server refuses, or cannot be reached.
pub(super) async fn version(cluster: &Cluster) -> Result<String, Failure> {
    let failure = |error: &kube::Error| cluster.failure(error, "list", "API groups", GROUP);
    let groups = cluster.client.list_api_groups().await.map_err(|error| failure(&error))?;
    let kueue = groups.groups.into_iter().find(|it| it.name == GROUP);
    for version in kueue.into_iter().flat_map(|it| it.versions) {
        let served = cluster.client.list_api_group_resources(&version.group_version).await;
        let served = served.map_err(|error| failure(&error))?;
        if served.resources.iter().any(|it| it.name == "localqueues") {
            return Ok(version.version);
        }
    }
    Err(Failure::new(
        "no_kueue",
        format!("this cluster does not serve {GROUP}: Kueue is not installed there"),
        "Leave `--queue` out, so that the workers start at once, or install Kueue.",
    ))
}
