//! Which namespace may be meant, where the named one is not the one with the work in it.

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Namespace};
use kube::{Api, ResourceExt, api::ListParams};

use crate::cluster::Cluster;

/// So many namespaces are looked at.
const MAX_NAMESPACES: u32 = 500;

/// The names of the cluster's namespaces, without the system's own; empty where they may not be
/// listed.
pub async fn all(cluster: &Cluster) -> Vec<String> {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    let listed = api.list_metadata(&ListParams::default().limit(MAX_NAMESPACES)).await;
    let names = listed.map(|it| it.items.iter().map(ResourceExt::name_any).collect());
    let mut names: Vec<String> = names.unwrap_or_default();
    names.retain(|it| !it.starts_with("kube-"));
    names
}

/// Whether this account may list the StatefulSets of the cluster's namespace, as every grade does;
/// true where nobody knows.
pub async fn may_be_looked_into(cluster: &Cluster) -> bool {
    let api: Api<StatefulSet> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let listed = api.list_metadata(&ListParams::default().limit(1)).await;
    !matches!(listed, Err(kube::Error::Api(status)) if status.is_forbidden())
}

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
