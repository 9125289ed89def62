//! Writing other owners of an object's fields: taking over kubectl's before a manifest is applied,
//! and giving them back where it is not.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, Failure,
    writes::{
        existing::get_existing,
        field_owners::{self, MANAGER},
        send::{object_path, send},
    },
};
use crate::submission::Manifest;

/// How often an object that changes meanwhile is looked at to write other field owners: as often as
/// client-go tries again after a conflict (`retry.DefaultRetry`).
const REPLACE_TRIES: usize = 5;
/// Before an object that has changed meanwhile is looked at again.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// An object whose fields were moved to our manager.
pub(super) struct TakenOver<'s> {
    manifest: &'s Manifest,
    /// Its `managedFields` before.
    before: Vec<Value>,
}

/// Moves the fields that kubectl's own ways of applying a manifest own to our manager. What the new
/// manifest drops is then removed, as `kubectl apply` would remove it; `kubectl apply
/// --server-side` does the same.
pub(super) async fn take_over_fields<'s>(
    cluster: &Cluster,
    manifest: &'s Manifest,
) -> Result<Option<TakenOver<'s>>, Failure> {
    let replaced = replace_fields(cluster, manifest, field_owners::moved_to_our_manager).await?;
    let before = replaced.and_then(|it| it.pointer("/metadata/managedFields")?.as_array().cloned());
    Ok(before.map(|before| TakenOver { manifest, before }))
}

/// Gives the fields back, because nothing is applied; `failure` says why, and which could not be
/// given back.
pub(super) async fn give_back_all(
    cluster: &Cluster,
    taken_over: &[TakenOver<'_>],
    failure: Failure,
) -> Failure {
    let mut failure = failure;
    for it in taken_over {
        let owners = |object: &Value| field_owners::given_back(object, &it.before);
        if let Err(why) = replace_fields(cluster, it.manifest, owners).await {
            let (kind, name) = (it.manifest.kind.names().0.to_lowercase(), &it.manifest.name);
            failure = failure.because(format!(
                "{kind}/{name} is as it was, but its fields are not kubectl's any more: {why}"
            ));
        }
    }
    failure
}

/// Writes other `managedFields` of what the manifest names, if `owners` gives some: the object as it
/// was.
async fn replace_fields(
    cluster: &Cluster,
    manifest: &Manifest,
    owners: impl Fn(&Value) -> Option<Vec<Value>>,
) -> Result<Option<Value>, Failure> {
    let path = object_path(cluster, manifest.kind, &manifest.name);
    let failure = |error: &kube::Error| {
        cluster
            .failure(error, "patch", manifest.kind.names().2, &manifest.name)
            .because(manifest.place.to_string())
    };
    replace_owners(cluster, &path, async || get_existing(cluster, manifest).await, owners, failure)
        .await
}

/// Writes other `managedFields`, if `owners` gives some of what `look` finds: the object as it was.
///
/// The object may change between the look and the change: the set's controller writes its status at
/// any time. Then it is looked at again.
///
/// # Errors
/// What `look` fails with, and what `failure` makes of what the API server answers.
pub(crate) async fn replace_owners(
    cluster: &Cluster,
    path: &str,
    look: impl AsyncFn() -> Result<Option<Value>, Failure>,
    owners: impl Fn(&Value) -> Option<Vec<Value>>,
    failure: impl Fn(&kube::Error) -> Failure,
) -> Result<Option<Value>, Failure> {
    let mut tries_left = REPLACE_TRIES;
    loop {
        let Some(object) = look().await? else { return Ok(None) };
        let version = object.pointer("/metadata/resourceVersion");
        let (Some(fields), Some(version)) = (owners(&object), version) else { return Ok(None) };
        let patch = json!({"metadata": {"managedFields": fields, "resourceVersion": version}});
        tries_left -= 1;
        match send(
            cluster,
            Method::PATCH,
            &format!("{path}?fieldManager={MANAGER}"),
            "application/merge-patch+json",
            Some(&patch),
        )
        .await
        {
            Ok(_) => return Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.is_conflict() && tries_left > 0 => {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
            Err(error) => return Err(failure(&error)),
        }
    }
}
