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

/// The manifests of the submission whose object does not exist, before anything is applied.
///
/// # Errors
/// An object exists and is being deleted. The API server refuses to show one, or cannot be reached.
pub(crate) async fn missing_objects<'s>(
    cluster: &Cluster,
    submission: &'s Submission,
) -> Result<Vec<&'s Manifest>, Failure> {
    let (mut found, mut missing) = (vec![], vec![]);
    for manifest in &submission.objects {
        let Some(existing) = get_existing(cluster, manifest).await? else {
            missing.push(manifest);
            continue;
        };
        if existing.pointer("/metadata/deletionTimestamp").is_some() {
            found.push(Terminating {
                kind: manifest.kind.names().0.to_lowercase(),
                name: manifest.name.clone(),
                used_by: None,
            });
        }
    }
    if found.is_empty() { Ok(missing) } else { Err(terminating::failure(cluster, &found)) }
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use kube::{Client, client::Body};
    use serde_json::json;
    use tower::service_fn;

    use super::missing_objects;
    use crate::{
        cluster::{Cluster, restore::cleanup::AppliedObjects},
        submission::Submission,
    };

    /// Catches a Lease that tells whoever finds it to delete a student's own set, because a grade
    /// that was to clean up died before it had applied anything.
    #[tokio::test]
    async fn a_clean_up_is_announced_only_of_what_did_not_stand() {
        let service = service_fn(|request: Request<Body>| async move {
            let stands = request.uri().path().ends_with("/statefulsets/web");
            let answer = if stands {
                json!({"metadata": {"uid": "theirs"}})
            } else {
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": "", "reason": "NotFound", "code": 404})
            };
            let body = Body::from(answer.to_string().into_bytes());
            let code = if stands { 200 } else { 404 };
            Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
        });
        let cluster = Cluster::with(Client::new(service, "lab"), "lab");
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {}\n---\n\
            apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: web}\nspec: {}\n";
        let files = [("web.yaml".to_owned(), text.as_bytes().to_vec())];
        let submission = Submission::of_files(&files, "lab").unwrap();
        let missing = missing_objects(&cluster, &submission).await.unwrap();
        let applied = AppliedObjects::default();
        assert_eq!(applied.removals_before(&cluster, &missing), ["service/web"]);
        assert_eq!(applied.removals(&cluster), Vec::<String>::new());
    }
}
