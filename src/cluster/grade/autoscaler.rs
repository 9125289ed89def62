//! Whether an autoscaler drives the set: a grade would fight it.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::{Api, ResourceExt as _, api::ListParams};

use crate::cluster::{Cluster, Failure, grade::permissions::Allowed};
use crate::console::sanitize::sanitize;

/// What is scaled by an autoscaler of the namespace: a kind and a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Autoscaled {
    autoscaler: String,
    kind: String,
    name: String,
}

/// All that autoscalers drive, where they may be listed.
pub(crate) async fn autoscaled(cluster: &Cluster, allowed: &Allowed) -> Vec<Autoscaled> {
    if !allowed.may_list("autoscaling", "horizontalpodautoscalers") {
        return vec![];
    }
    let api: Api<HorizontalPodAutoscaler> =
        Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let Ok(list) = api.list(&ListParams::default()).await else { return vec![] };
    list.into_iter()
        .map(|it| Autoscaled {
            autoscaler: it.name_any(),
            kind: it.spec.scale_target_ref.kind,
            name: it.spec.scale_target_ref.name,
        })
        .collect()
}

/// Refuses a set that an autoscaler drives.
///
/// # Errors
/// There is one.
pub(crate) fn no_autoscaler(
    cluster: &Cluster,
    autoscaled: &[Autoscaled],
    set: &str,
) -> Result<(), Failure> {
    let Some(found) = autoscaled.iter().find(|it| it.kind == "StatefulSet" && it.name == set)
    else {
        return Ok(());
    };
    let (name, set, namespace) =
        (sanitize(&found.autoscaler), sanitize(set), sanitize(&cluster.namespace));
    Err(Failure::new(
        "autoscaler",
        format!("HorizontalPodAutoscaler {name} scales StatefulSet {set}: a grade would fight it"),
        format!("Delete it while you are graded: `kubectl delete hpa {name} -n {namespace}`."),
    ))
}
