//! Deleting just the object that is meant: by its name and UID.

use std::time::Duration;

use checks::model::{Timeline, WaitStatus, observation::Reference};
use futures::future::join_all;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{
    Api,
    api::{DeleteParams, PartialObjectMeta, Preconditions},
};

use crate::cluster::{Cluster, Journal, WaitResult};

/// A deletion that the API server refuses where another object has that name by now.
pub(crate) fn by_uid(uid: &str) -> DeleteParams {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }
}

/// Deletes these claims, and waits on the watch until they are gone; what is left of them, a line
/// each.
pub(crate) async fn remove_claims(
    cluster: &Cluster,
    journal: &Journal,
    claims: &[Reference],
    within: Duration,
) -> Vec<String> {
    let api: Api<PartialObjectMeta<PersistentVolumeClaim>> =
        Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let deletions =
        claims.iter().map(async |claim| match api.delete(&claim.name, &by_uid(&claim.uid)).await {
            Ok(_) => None,
            // Gone already, or another one of that name; the watch shows which.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => None,
            Err(error) => Some(
                cluster
                    .failure(&error, "delete", "persistentvolumeclaims", &claim.name)
                    .to_string(),
            ),
        });
    let mut left: Vec<String> = join_all(deletions).await.into_iter().flatten().collect();
    let deleted = |timeline: &Timeline| {
        let stays = claims.iter().find(|claim| {
            timeline
                .claim(&claim.name)
                .last()
                .is_some_and(|it| it.uid() == claim.uid && it.deleted.is_none())
        });
        stays.map_or(WaitStatus::Done, |claim| {
            WaitStatus::Going(format!("claim {} to be gone", claim.name))
        })
    };
    if left.is_empty()
        && let WaitResult::TimedOut { awaited } = journal.wait(within, deleted).await
    {
        left.push(format!("waited in vain for {awaited}"));
    }
    left
}
