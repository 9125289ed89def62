//! Whether the set that is meant stands in the context's own namespace instead.

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::{Api, ResourceExt, api::ListParams};

use crate::cluster::Cluster;

/// The name of a StatefulSet in the context's own namespace, where that is another one and may be
/// looked into.
pub async fn in_own_namespace(cluster: &Cluster) -> Option<String> {
    if cluster.own_namespace == cluster.namespace {
        return None;
    }
    let api: Api<StatefulSet> = Api::namespaced(cluster.client.clone(), &cluster.own_namespace);
    api.list_metadata(&ListParams::default().limit(1))
        .await
        .ok()?
        .items
        .first()
        .map(ResourceExt::name_any)
}
