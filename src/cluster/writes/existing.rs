//! The objects of a submission as the cluster has them before they are applied.

use http::Method;
use serde_json::Value;

use crate::cluster::{
    Cluster, Failure,
    writes::{
        send::{object_path, send},
        terminating,
        terminating::Terminating,
    },
};
use crate::submission::{Manifest, Submission};

/// Looks, before anything is applied, whether an object of the submission exists and is being
/// deleted.
///
/// # Errors
/// One is. The API server refuses to show one, or cannot be reached.
pub(crate) async fn none_is_terminating(
    cluster: &Cluster,
    submission: &Submission,
) -> Result<(), Failure> {
    let mut found = vec![];
    for manifest in &submission.objects {
        let existing = get_existing(cluster, manifest).await?;
        if existing.is_some_and(|it| it.pointer("/metadata/deletionTimestamp").is_some()) {
            found.push(Terminating {
                kind: manifest.kind.names().0.to_lowercase(),
                name: manifest.name.clone(),
                used_by: None,
            });
        }
    }
    if found.is_empty() { Ok(()) } else { Err(terminating::failure(cluster, &found)) }
}

/// The manifest's object as the cluster has it, if it does.
pub(super) async fn get_existing(
    cluster: &Cluster,
    manifest: &Manifest,
) -> Result<Option<Value>, Failure> {
    let path = object_path(cluster, manifest.kind, &manifest.name);
    match send(cluster, Method::GET, &path, "", None).await {
        Ok((_, object)) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(error) => Err(cluster
            .failure(&error, "get", manifest.kind.names().2, &manifest.name)
            .because(manifest.place.to_string())),
    }
}
