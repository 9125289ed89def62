//! Making the namespace that a submission is applied to.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, Failure, Tried,
    client::retry::{MAX_UNAVAILABILITY, retry_while_unavailable},
    exec::random_word,
    writes::{
        field_owners::MANAGER,
        send::{send, uid},
    },
};

/// How long a new namespace may take to get its default service account.
const SERVICE_ACCOUNT_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two looks at what the cluster makes by itself.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// What is known of the namespace when it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// Its UID, if it was made for this grade.
    pub made: Option<String>,
    /// It has the Pod Security level that a grader gave it.
    pub has_our_level: bool,
}

/// The label with a namespace's Pod Security level.
pub(crate) const LEVEL_LABEL: &str = "pod-security.kubernetes.io/enforce";
/// The Pod Security level that a namespace of ours gets.
pub(crate) const OUR_LEVEL: &str = "baseline";
/// The label by which a namespace of ours is known.
pub(crate) const OURS: (&str, &str) = ("app.kubernetes.io/managed-by", "stsgrade");
/// The annotation by which a grade knows the namespace that it made itself.
const MAKER: &str = "stsgrade/made-by";

/// Makes the namespace when it is missing: what is known of it, and whether it can be worked in.
///
/// Its Pod Security level is `baseline`, unless what comes into it is trusted.
///
/// Whoever may not look at namespaces is taken to have been given one.
///
/// It may be made and not be ready: whoever asked has to remove it then.
pub(crate) async fn ensure_namespace(
    cluster: &Cluster,
    trust: bool,
) -> (Namespace, Result<(), Failure>) {
    match look(cluster).await {
        Ok(Found::Standing(namespace)) => return (namespace, Ok(())),
        Ok(Found::Missing) => {}
        Err(failure) => return (Namespace::default(), Err(failure)),
    }
    match make(cluster, trust).await {
        Ok(namespace) if namespace.made.is_some() => {
            (namespace, await_service_account(cluster).await)
        }
        Ok(namespace) => (namespace, Ok(())),
        Err(failure) => (Namespace::default(), Err(failure)),
    }
}

/// Whether the namespace stands.
enum Found {
    Standing(Namespace),
    Missing,
}

/// Looks whether the namespace stands.
///
/// # Errors
/// It is being deleted. The API server refuses, or cannot be reached.
async fn look(cluster: &Cluster) -> Result<Found, Failure> {
    match send(cluster, Method::GET, &path(cluster), "", None).await {
        Ok((_, it)) if it.pointer("/metadata/deletionTimestamp").is_some() => {
            Err(Failure::terminating_namespace(&cluster.namespace))
        }
        Ok((_, it)) => Ok(Found::Standing(standing(&it))),
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            Ok(Found::Standing(Namespace::default()))
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Found::Missing),
        Err(error) => Err(failure(cluster, &error, "get")),
    }
}

/// What is known of a namespace that somebody else has made.
fn standing(object: &Value) -> Namespace {
    let has = |(label, value): (&str, &str)| object["metadata"]["labels"][label] == value;
    Namespace { made: None, has_our_level: has(OURS) && has((LEVEL_LABEL, OUR_LEVEL)) }
}

/// Makes the namespace. One that somebody else makes at the same time is not ours; one that a try
/// made whose answer was lost is.
async fn make(cluster: &Cluster, trust: bool) -> Result<Namespace, Failure> {
    let maker =
        random_word().map_err(|why| Failure::new("system", why.to_string(), "Run it again."))?;
    let mut labels = json!({OURS.0: OURS.1});
    if !trust {
        labels[LEVEL_LABEL] = json!(OUR_LEVEL);
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": cluster.namespace, "labels": labels, "annotations": {MAKER: maker}}});
    let ours = |it: &Value| Namespace { made: Some(uid(it)), has_our_level: !trust };
    let make = async |_| {
        let collection = format!("/api/v1/namespaces?fieldManager={MANAGER}");
        match send(cluster, Method::POST, &collection, "application/json", Some(&namespace)).await {
            Ok((_, made)) => Ok(ours(&made)),
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                match send(cluster, Method::GET, &path(cluster), "", None).await {
                    Ok((_, it)) if it["metadata"]["annotations"][MAKER] == maker => Ok(ours(&it)),
                    Ok((_, it)) => Ok(standing(&it)),
                    Err(error) => Err(failure(cluster, &error, "get")),
                }
            }
            Err(error) => Err(failure(cluster, &error, "create")),
        }
    };
    retry_while_unavailable(MAX_UNAVAILABILITY, make).await
}

fn path(cluster: &Cluster) -> String {
    format!("/api/v1/namespaces/{}", cluster.namespace)
}

fn failure(cluster: &Cluster, error: &kube::Error, verb: &str) -> Failure {
    let (name, server) = (&cluster.namespace, &cluster.server);
    Failure::of(error, &Tried { verb, resource: "namespaces", name, namespace: name, server })
}

/// Waits for the namespace's default service account.
///
/// Without it the API server refuses every pod, and the set's controller waits long before it tries
/// again. It is read again and again, because a Role that lets somebody read it need not allow a
/// watch.
async fn await_service_account(cluster: &Cluster) -> Result<(), Failure> {
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/default", cluster.namespace);
    let began = tokio::time::Instant::now();
    let what = format!("the default service account of namespace {}", cluster.namespace);
    let mut last = Failure::timed_out(&what, SERVICE_ACCOUNT_TIMEOUT.as_secs());
    while began.elapsed() < SERVICE_ACCOUNT_TIMEOUT {
        match send(cluster, Method::GET, &path, "", None).await {
            Ok(_) => return Ok(()),
            // Whoever may make namespaces but not look into them has to hope.
            Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(error) => {
                let failure = cluster.failure(&error, "get", "serviceaccounts", "default");
                if !failure.may_pass() {
                    return Err(failure);
                }
                last = failure;
            }
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    Err(last)
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

    use super::{Namespace, ensure_namespace};
    use crate::cluster::Cluster;

    /// A cluster whose first creation of a namespace is answered with a failure; `made`: whether it
    /// is made all the same. The service account is never there where `fails`.
    fn cluster(made_by: &'static str, fails: bool) -> Cluster {
        let stands: Arc<Mutex<Option<Value>>> = Arc::default();
        let service = service_fn(move |request: Request<Body>| {
            let stands = Arc::clone(&stands);
            async move {
                let status = |code: u16, reason: &str| {
                    (
                        code,
                        json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                        "status": "Failure", "message": "", "reason": reason, "code": code}),
                    )
                };
                let path = request.uri().path().to_owned();
                let is_new = request.method() == Method::POST;
                let sent = request.into_body().collect_bytes().await.unwrap();
                let mut stands = stands.lock().unwrap();
                let (code, answer) = if path.ends_with("/serviceaccounts/default") {
                    if fails { status(422, "Invalid") } else { (200, json!({})) }
                } else if is_new && stands.is_none() {
                    let mut namespace: Value = serde_json::from_slice(&sent).unwrap();
                    namespace["metadata"]["uid"] = json!("u");
                    if made_by == "another" {
                        namespace["metadata"]["annotations"] = json!({});
                    }
                    *stands = Some(namespace);
                    status(504, "Timeout")
                } else if is_new {
                    status(409, "AlreadyExists")
                } else {
                    stands.clone().map_or_else(|| status(404, "NotFound"), |it| (200, it))
                };
                let body = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
            }
        });
        Cluster::with(Client::new(service, "lab"), "lab")
    }

    /// Catches a namespace that nobody removes, because the answer to its creation was lost; and one
    /// of somebody else's that counts as ours.
    #[tokio::test(start_paused = true)]
    async fn what_a_lost_try_made_is_ours() {
        let ours = Namespace { made: Some("u".to_owned()), has_our_level: true };
        let theirs = Namespace { made: None, has_our_level: true };
        for (by, expected) in [("us", ours), ("another", theirs)] {
            let (namespace, ready) = ensure_namespace(&cluster(by, false), false).await;
            assert_eq!((namespace, ready), (expected, Ok(())), "{by}");
        }
    }

    /// Catches a namespace that was made and that nobody hears of, because it was not ready.
    #[tokio::test(start_paused = true)]
    async fn what_was_made_is_told_though_it_is_not_ready() {
        let (namespace, ready) = ensure_namespace(&cluster("us", true), false).await;
        assert_eq!((namespace.made.as_deref(), ready.is_err()), (Some("u"), true));
    }
}
