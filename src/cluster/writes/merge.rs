//! Applying a manifest that server-side apply refuses and `kubectl apply` takes.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::cluster::{
    Cluster,
    writes::{
        apply::Mode,
        last_applied::{merged_with_last_applied, with_last_applied},
        send::send,
    },
};
use crate::submission::Manifest;

/// Server-side apply refuses what `kubectl apply` takes (a variable that is set twice), and words
/// unknown fields worse.
pub(super) fn is_too_strict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.message.contains("typed patch object"))
}

/// Creates the manifest's object, or merges the manifest into the one that stands at that path.
pub(super) async fn create_or_merge(
    cluster: &Cluster,
    manifest: &Manifest,
    path: &str,
    mode: Mode,
) -> Result<(StatusCode, Value), kube::Error> {
    let collection = path.rsplit_once('/').map_or(path, |(collection, _)| collection);
    let create = format!("{collection}?{}", mode.query());
    let object = with_last_applied(&manifest.value);
    let created =
        mode.send(cluster, Method::POST, &create, "application/json", Some(&object)).await;
    match created {
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        other => return other,
    }
    let (_, standing) = send(cluster, Method::GET, path, "", None).await?;
    let object = merged_with_last_applied(&manifest.value, &standing);
    let patch = format!("{path}?{}", mode.query());
    mode.send(cluster, Method::PATCH, &patch, "application/merge-patch+json", Some(&object)).await
}

#[cfg(test)]
mod tests {
    use std::{
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

    const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

    /// The annotations of what is sent to apply a Service that stands already, each with its
    /// method; `is_strict`: server-side apply refuses it.
    async fn sent(is_strict: bool) -> Vec<(Method, String)> {
        let sent: Arc<Mutex<Vec<(Method, String)>>> = Arc::default();
        let all = Arc::clone(&sent);
        let service = service_fn(move |request: Request<Body>| {
            let all = Arc::clone(&all);
            async move {
                let (head, body) = request.into_parts();
                let body: Value = serde_json::from_slice(&body.collect_bytes().await.unwrap())
                    .unwrap_or_default();
                let content = head.headers.get("content-type").map(|it| it.to_str().unwrap());
                let is_server_side = content == Some("application/apply-patch+yaml");
                if head.method != Method::GET {
                    let annotation = body["metadata"]["annotations"][ANNOTATION].as_str();
                    let annotation = annotation.unwrap_or_default().to_owned();
                    all.lock().unwrap().push((head.method.clone(), annotation));
                }
                let refused = |code: u16, reason: &str, message: &str| {
                    (
                        code,
                        json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                        "code": code, "status": "Failure", "message": message, "reason": reason}),
                    )
                };
                let (code, answer) = if is_server_side && is_strict {
                    refused(500, "InternalError", "failed to create typed patch object")
                } else if head.method == Method::POST {
                    refused(409, "AlreadyExists", "")
                } else {
                    let before = json!({"spec": {"old": 1}}).to_string();
                    (200, json!({"metadata": {"uid": "u", "annotations": {ANNOTATION: before}}}))
                };
                let body = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
            }
        });
        let cluster = Cluster::with(Client::new(service, "lab"), "lab");
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {new: 2}\n";
        let files = [("web.yaml".to_owned(), text.as_bytes().to_vec())];
        let submission = Submission::of_files(&files, "lab").unwrap();
        apply(&cluster, &submission, &mut ApplyResult::default()).await.unwrap();
        sent.lock().unwrap().clone()
    }

    /// Catches an object of which the next `kubectl apply` does not know what it may take out: one
    /// that is applied without the annotation, be it by the server or by a merge.
    #[tokio::test]
    async fn what_is_applied_is_told_to_kubectl() {
        let of = |spec: &str| {
            "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"annotations\":{},\
                \"name\":\"web\",\"namespace\":\"lab\"},\"spec\":"
                .to_owned()
                + spec
                + "}\n"
        };
        let new = of("{\"new\":2}");
        let (patch, post) = (Method::PATCH, Method::POST);
        let applied = sent(false).await;
        assert_eq!(applied, [(patch.clone(), new.clone()), (patch.clone(), new.clone())]);
        // A merge leaves in the object what was there before.
        let once =
            [(patch.clone(), new.clone()), (post, new), (patch, of("{\"new\":2,\"old\":1}"))];
        assert_eq!(sent(true).await, [once.clone(), once].concat());
    }
}
