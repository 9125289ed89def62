//! Writing other owners of an object's fields: moving kubectl's to our manager before a manifest
//! is applied, and giving them back where it is not.

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
pub(super) struct TransferredFields<'s> {
    pub(super) manifest: &'s Manifest,
    /// Its `managedFields` before.
    before: Vec<Value>,
}

/// Moves the fields that kubectl's own ways of applying a manifest own to our manager. What the new
/// manifest drops is then removed, as `kubectl apply` would remove it; `kubectl apply
/// --server-side` does the same.
pub(super) async fn transfer_fields<'s>(
    cluster: &Cluster,
    manifest: &'s Manifest,
) -> Result<Option<TransferredFields<'s>>, Failure> {
    let replaced = replace_fields(cluster, manifest, field_owners::moved_to_our_manager).await?;
    let before = replaced.and_then(|it| it.pointer("/metadata/managedFields")?.as_array().cloned());
    Ok(before.map(|before| TransferredFields { manifest, before }))
}

/// Gives the fields back of objects that are not applied; `failure` says why, and which could not be
/// given back.
pub(super) async fn give_back_all(
    cluster: &Cluster,
    transferred: &[TransferredFields<'_>],
    failure: Failure,
) -> Failure {
    let mut failure = failure;
    for it in transferred {
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

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        convert::Infallible,
        sync::{Arc, Mutex},
    };

    use http::{Method, Request, Response};
    use kube::{Client, client::Body};
    use serde_json::{Value, json};
    use tower::service_fn;

    use crate::{
        cluster::{
            Cluster,
            writes::apply::{ApplyResult, apply},
        },
        submission::Submission,
    };

    const DENIED: &str = "admission webhook \"registry.example\" denied the request: use ours";

    /// Catches fields that are not kubectl's any more though their object was not applied, because
    /// the API server refused it after the dry run; and a policy of the cluster's that is told as
    /// the manifest's own mistake.
    #[tokio::test(start_paused = true)]
    async fn what_is_refused_after_the_dry_run_is_given_back() {
        let theirs = json!([{"manager": "kubectl-client-side-apply", "operation": "Update",
            "fieldsV1": {"f:spec": {"f:a": {}}}}]);
        let owners: Arc<Mutex<BTreeMap<String, Value>>> = Arc::default();
        let (now, before) = (Arc::clone(&owners), theirs.clone());
        let service = service_fn(move |request: Request<Body>| {
            let (now, before) = (Arc::clone(&now), before.clone());
            async move {
                let (head, body) = request.into_parts();
                let sent: Value = serde_json::from_slice(&body.collect_bytes().await.unwrap())
                    .unwrap_or_default();
                let name = head.uri.path().rsplit('/').next().unwrap().to_owned();
                let is_dry = head.uri.query().is_some_and(|it| it.contains("dryRun"));
                let is_applied = head
                    .headers
                    .get("content-type")
                    .is_some_and(|it| it == "application/apply-patch+yaml");
                let (code, answer) = if is_applied && !is_dry && name == "second" {
                    (
                        400,
                        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 400,
                        "status": "Failure", "message": DENIED, "reason": ""}),
                    )
                } else {
                    let mut owners = now.lock().unwrap();
                    let owners = owners.entry(name).or_insert(before);
                    if head.method == Method::PATCH && !is_applied {
                        *owners = sent["metadata"]["managedFields"].clone();
                    }
                    (
                        200,
                        json!({"apiVersion": "v1", "metadata": {"uid": "u", "resourceVersion": "1",
                        "managedFields": owners}}),
                    )
                };
                let body = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
            }
        });
        let cluster = Cluster::with(Client::new(service, "lab"), "lab");
        let text = ["first", "second"].map(|name| {
            format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{}}\n")
        });
        let files = [("web.yaml".to_owned(), text.join("---\n").into_bytes())];
        let submission = Submission::of_files(&files, "lab").unwrap();
        let failure = apply(&cluster, &submission, &mut ApplyResult::default()).await.unwrap_err();
        assert_eq!((failure.id, failure.is_in_the_manifest()), ("policy", false), "{failure:?}");
        assert!(failure.detail.iter().any(|it| it == DENIED), "{failure:?}");
        let owners = owners.lock().unwrap().clone();
        assert_eq!(owners["second"], theirs);
        assert_eq!(owners["first"][0]["manager"], "stsgrade");
    }
}
