//! Single requests, whose status code and answer the caller sees.

use http::{Method, Request, StatusCode};
use kube::{client::Body, core::Status};
use serde_json::Value;

use crate::cluster::{Cluster, MaxTries};
use crate::{console::sanitize::sanitize, submission::AppliedKind};

/// The path of an object in the cluster's namespace.
pub(crate) fn object_path(cluster: &Cluster, kind: AppliedKind, name: &str) -> String {
    let (_, version, plural) = kind.names();
    let group = if version.contains('/') { "apis" } else { "api" };
    format!("/{group}/{version}/namespaces/{}/{plural}/{name}", cluster.namespace)
}

/// One request; the status code tells created from changed, which kube's own calls hide.
pub(crate) async fn send(
    cluster: &Cluster,
    method: Method,
    path: &str,
    content: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Value), kube::Error> {
    answer(cluster, request(method, path, content, body)?).await
}

/// The same, sent just once: of an answer that is lost, the caller learns. Whoever has to know what
/// its own request did asks again by itself.
pub(crate) async fn send_once(
    cluster: &Cluster,
    method: Method,
    path: &str,
    content: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Value), kube::Error> {
    let mut request = request(method, path, content, body)?;
    request.extensions_mut().insert(MaxTries(1));
    answer(cluster, request).await
}

fn request(
    method: Method,
    path: &str,
    content: &str,
    body: Option<&Value>,
) -> Result<Request<Body>, kube::Error> {
    let bytes = body
        .map(serde_json::to_vec)
        .transpose()
        .map_err(kube::Error::SerdeError)?
        .unwrap_or_default();
    let mut request = Request::builder().method(method).uri(path);
    if body.is_some() {
        request = request.header(http::header::CONTENT_TYPE, content);
    }
    request.body(Body::from(bytes)).map_err(kube::Error::HttpError)
}

async fn answer(
    cluster: &Cluster,
    request: Request<Body>,
) -> Result<(StatusCode, Value), kube::Error> {
    let response = cluster.client.send(request).await?;
    let code = response.status();
    let bytes = response.into_body().collect_bytes().await?;
    if code.is_success() {
        return serde_json::from_slice(&bytes)
            .map(|it| (code, it))
            .map_err(kube::Error::SerdeError);
    }
    let said = serde_json::from_slice::<Status>(&bytes).unwrap_or_else(|_| {
        Status::failure(&sanitize(&String::from_utf8_lossy(&bytes)), "").with_code(code.as_u16())
    });
    Err(kube::Error::Api(Box::new(said)))
}

/// The UID of an object.
pub(crate) fn uid(object: &Value) -> String {
    object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned()
}
