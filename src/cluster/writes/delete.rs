//! Deleting just the object that is meant: by its name and UID.

use std::time::Duration;

use checks::model::{Timeline, WaitStatus, observation::Reference};
use futures::future::join_all;
use http::Method;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{
    Api,
    api::{DeleteParams, PartialObjectMeta, Preconditions},
};
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, Failure, Journal, WaitResult,
    client::retry::{MAX_UNAVAILABILITY, retry_while_unavailable},
    writes::send::{object_path, send_once},
};
use crate::submission::AppliedKind;

/// A deletion that the API server refuses where another object has that name by now.
pub(crate) fn by_uid(uid: &str) -> DeleteParams {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }
}

/// Deletes a pod in one try, with its own grace period: a shorter one loses what an app writes at
/// SIGTERM. An answer that is lost is an error, so that whoever asks again knows that it did.
pub(crate) async fn delete_pod_once(cluster: &Cluster, pod: &Reference) -> Result<(), kube::Error> {
    let path = object_path(cluster, AppliedKind::Pod, &pod.name);
    let how =
        json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": pod.uid}});
    send_once(cluster, Method::DELETE, &path, "application/json", Some(&how)).await.map(drop)
}

/// Something that could not be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What it is, and why it is left; not made harmless yet.
    pub what: String,
    /// It is asked to go, and finalizers hold it.
    pub is_held: bool,
    /// Its deletion would take PVCs along that stood before it.
    pub takes_older_claims: bool,
}

impl Left {
    /// Something that nothing is known to hold.
    pub(crate) const fn not_held(what: String) -> Self {
        Self { what, is_held: false, takes_older_claims: false }
    }

    /// Something that could not be removed for that reason.
    pub(crate) fn of_failure(why: &Failure) -> Self {
        let detail = why.detail.join("; ");
        let detail = if detail.is_empty() { detail } else { format!(" ({detail})") };
        Self::not_held(format!("{}{detail}", why.what))
    }

    /// The same, said of an object.
    pub(crate) fn with_object(self, object: &str) -> Self {
        Self { what: format!("{object}: {}", self.what), ..self }
    }

    /// An object that is asked to go and still there, as the API server has it now.
    pub(crate) fn going(what: &str, object: &Value) -> Self {
        let holders = holders(object);
        let is_held = holders.is_some();
        let holders = holders.map(|it| format!(": {it}")).unwrap_or_default();
        Self { is_held, ..Self::not_held(format!("{what}, and still there{holders}")) }
    }
}

/// Deletes these claims, and waits on the watch until they are gone; what is left of them.
pub(crate) async fn remove_claims(
    cluster: &Cluster,
    journal: &Journal,
    claims: &[Reference],
    within: Duration,
) -> Vec<Left> {
    let api: Api<PartialObjectMeta<PersistentVolumeClaim>> =
        Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let deletions = claims.iter().map(async |claim| {
        let delete = async |_| match api.delete(&claim.name, &by_uid(&claim.uid)).await {
            Ok(_) => Ok(()),
            // Gone already, or another one of that name; the watch shows which.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => {
                let resource = "persistentvolumeclaims";
                Err(cluster.failure(&error, "delete", resource, &claim.name))
            }
        };
        let failure = retry_while_unavailable(MAX_UNAVAILABILITY, delete).await.err()?;
        Some(Left::of_failure(&failure))
    });
    let mut left: Vec<Left> = join_all(deletions).await.into_iter().flatten().collect();
    if !left.is_empty() {
        return left;
    }
    let deleted = |timeline: &Timeline| match staying(timeline, claims).first() {
        None => WaitStatus::Done,
        Some(claim) => WaitStatus::Awaited(format!("PVC {} to be gone", claim.name)),
    };
    if let WaitResult::TimedOut { .. } = journal.wait(within, deleted).await {
        for claim in journal.with(|timeline| staying(timeline, claims)) {
            let object = api.get_metadata(&claim.name).await.ok();
            let object = object.and_then(|it| serde_json::to_value(it).ok()).unwrap_or_default();
            left.push(Left::going(&format!("PVC {} is being deleted", claim.name), &object));
        }
    }
    left
}

/// Those of these claims that are not seen to be gone.
fn staying(timeline: &Timeline, claims: &[Reference]) -> Vec<Reference> {
    let is_still_there = |claim: &&Reference| {
        let last = timeline.claim(&claim.name).last();
        last.is_some_and(|it| it.uid() == claim.uid && it.deleted.is_none())
    };
    claims.iter().filter(is_still_there).cloned().collect()
}

/// What holds an object that is asked to go: its own finalizers, or, of a namespace, those of what
/// is in it.
fn holders(object: &Value) -> Option<String> {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let conditions =
        object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let remaining = conditions
        .filter(|it| it["type"] == "NamespaceFinalizersRemaining" && it["status"] == "True")
        .map(|it| text(&it["message"]));
    let own: Vec<String> = object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    let own = (!own.is_empty()).then(|| format!("finalizers {}", own.join(", ")));
    remaining.chain(own).next()
}

#[cfg(test)]
mod tests {
    use super::{holders, json};

    /// Catches "still there" without a word on what to do about it.
    #[test]
    fn what_holds_an_object_is_named() {
        let message = "Some content in the namespace has finalizers remaining: lab.example/keep \
            in 2 resource instances";
        let condition = |status: &str| json!({"status": {"conditions": [{"type": "NamespaceFinalizersRemaining", "status": status, "message": message}]}});
        assert_eq!(holders(&condition("True")).as_deref(), Some(message));
        assert_eq!(holders(&condition("False")), None);
        assert_eq!(
            holders(&json!({"metadata": {"finalizers": ["lab.example/keep"]}})).as_deref(),
            Some("finalizers lab.example/keep")
        );
    }
}
