//! Making the namespace that a submission is applied to.

use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::cluster::{
    Cluster, Failure, Tried,
    writes::{
        field_owners::MANAGER,
        send::{send, uid},
    },
};

/// How long a new namespace may take to get its default service account.
const SERVICE_ACCOUNT: Duration = Duration::from_secs(20);
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

/// Makes the namespace when it is missing.
///
/// Its Pod Security level is `baseline`, unless what comes into it is trusted.
///
/// Whoever may not look at namespaces is taken to have been given one.
///
/// # Errors
/// It is missing and cannot be made, or it is being deleted.
pub(crate) async fn ensure_namespace(cluster: &Cluster, trust: bool) -> Result<Namespace, Failure> {
    let path = format!("/api/v1/namespaces/{}", cluster.namespace);
    let failure = |error: &kube::Error, verb| {
        Failure::of(
            error,
            &Tried {
                verb,
                resource: "namespaces",
                name: &cluster.namespace,
                namespace: &cluster.namespace,
                server: &cluster.server,
            },
        )
    };
    match send(cluster, Method::GET, &path, "", None).await {
        Ok((_, it)) if it.pointer("/metadata/deletionTimestamp").is_some() => {
            return Err(Failure::terminating_namespace(&cluster.namespace));
        }
        Ok((_, it)) => {
            let has = |(label, value): (&str, &str)| it["metadata"]["labels"][label] == value;
            return Ok(Namespace {
                made: None,
                has_our_level: has(OURS) && has((LEVEL_LABEL, OUR_LEVEL)),
            });
        }
        Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(Namespace::default()),
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        Err(error) => return Err(failure(&error, "get")),
    }
    let mut labels = json!({OURS.0: OURS.1});
    if !trust {
        labels[LEVEL_LABEL] = json!(OUR_LEVEL);
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.namespace, "labels": labels}});
    let made = match send(
        cluster,
        Method::POST,
        &format!("/api/v1/namespaces?fieldManager={MANAGER}"),
        "application/json",
        Some(&namespace),
    )
    .await
    {
        Ok((_, made)) => uid(&made),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            return Ok(Namespace::default());
        }
        Err(error) => return Err(failure(&error, "create")),
    };
    await_service_account(cluster).await?;
    Ok(Namespace { made: Some(made), has_our_level: !trust })
}

/// Without it the API server refuses every pod, and the set's controller waits long before it tries
/// again. It is read again and again, because a Role that lets somebody read it need not allow a
/// watch.
async fn await_service_account(cluster: &Cluster) -> Result<(), Failure> {
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/default", cluster.namespace);
    let began = tokio::time::Instant::now();
    while began.elapsed() < SERVICE_ACCOUNT {
        match send(cluster, Method::GET, &path, "", None).await {
            Ok(_) => return Ok(()),
            // Whoever may make namespaces but not look into them has to hope.
            Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
            Err(error) => return Err(cluster.failure(&error, "get", "serviceaccounts", "default")),
        }
    }
    let what = format!("the default service account of namespace {}", cluster.namespace);
    Err(Failure::timed_out(&what, SERVICE_ACCOUNT.as_secs()))
}
