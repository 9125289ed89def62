//! `spec.replicas`: asking for them only where they are what the asker thinks they are.

use std::time::Duration;

use checks::model::{Version, observation::Reference};
use http::Method;
use kube::core::Status;
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, Failure, Tried,
    client::{
        failure_id,
        retry::{MAX_UNAVAILABILITY, retry_while_unavailable},
    },
    writes::{
        field_owners::MANAGER,
        field_ownership_transfer::replace_owners,
        replicas_owners::{FieldManager, is_of_a_grade, others, replicas_given_back},
        send::{object_path, send, send_once, uid},
    },
};
use crate::{console::sanitize::sanitize, submission::AppliedKind};

const RESOURCE: &str = "statefulsets.apps/scale";

/// A set as the API server has it now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CurrentSet {
    pub(crate) uid: String,
    pub(crate) replicas: i32,
    /// It has a deletionTimestamp.
    pub(crate) is_terminating: bool,
    /// `metadata.generation`: it grows with each change of the spec, whoever makes it.
    pub(crate) generation: i64,
    /// `metadata.resourceVersion`.
    pub(crate) version: Version,
    /// The replicas are those that a grade asked for by [`request_replicas`]:
    /// `metadata.managedFields` says who changed a field last. Source: "Server-Side Apply" in the
    /// Kubernetes documentation, "Field management".
    pub(crate) is_ours: bool,
    /// Who else owns `spec.replicas`.
    pub(crate) owners: Vec<FieldManager>,
    /// Claims go with the pods that a scale-down removes
    /// (`persistentVolumeClaimRetentionPolicy.whenScaled: Delete`).
    pub(crate) deletes_claims: bool,
}

impl CurrentSet {
    /// Whether nobody else is known to have asked for its replicas. managedFields names no owner of
    /// 0 replicas, nor of what is set after that.
    fn may_be_as_we_asked(&self) -> bool {
        self.is_ours || self.owners.is_empty()
    }
}

/// Looks at a set; `None` when there is none of that name.
///
/// # Errors
/// The API server refuses, or cannot be reached.
pub(crate) async fn look(
    cluster: &Cluster,
    set: &str,
    max_unavailability: Duration,
) -> Result<Option<CurrentSet>, Failure> {
    Ok(find(cluster, set, max_unavailability).await?.map(|it| current_set(&it)))
}

async fn find(
    cluster: &Cluster,
    set: &str,
    max_unavailability: Duration,
) -> Result<Option<Value>, Failure> {
    // A list of one: the Role has no `get`.
    let path = format!(
        "/apis/apps/v1/namespaces/{}/statefulsets?fieldSelector=metadata.name%3D{set}",
        cluster.namespace
    );
    let list = async |_| {
        send(cluster, Method::GET, &path, "", None)
            .await
            .map_err(|error| cluster.failure(&error, "list", "statefulsets.apps", set))
    };
    let (_, list) = retry_while_unavailable(max_unavailability, list).await?;
    Ok(list.pointer("/items/0").cloned())
}

fn current_set(set: &Value) -> CurrentSet {
    let number = |pointer| set.pointer(pointer).and_then(Value::as_i64);
    CurrentSet {
        uid: uid(set),
        replicas: number("/spec/replicas").and_then(|it| i32::try_from(it).ok()).unwrap_or(1),
        is_terminating: set.pointer("/metadata/deletionTimestamp").is_some(),
        generation: number("/metadata/generation").unwrap_or_default(),
        version: version(set),
        is_ours: is_of_a_grade(set),
        owners: others(set),
        deletes_claims: set
            .pointer("/spec/persistentVolumeClaimRetentionPolicy/whenScaled")
            .is_some_and(|it| it == "Delete"),
    }
}

fn version(object: &Value) -> Version {
    Version::of(
        object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default(),
    )
}

/// Replicas that the API server took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TakenReplicas {
    pub(crate) to: i32,
    /// No version of the set before this one has them by this request.
    pub(crate) since: Version,
    /// The set has them in this version. Where the answer was lost, somebody may have written its
    /// status between the two.
    pub(crate) by: Version,
}

/// What became of a try of which no answer tells: the replicas, where the set has them by it; `None`
/// where it is as before. `now` is the set after that try.
fn lost_try(
    set: &Reference,
    found: &CurrentSet,
    to: i32,
    now: Option<CurrentSet>,
) -> Result<Option<TakenReplicas>, Failure> {
    let Some(now) = now.filter(|it| it.uid == set.uid) else { return Err(gone(set)) };
    if now.replicas == to && now.may_be_as_we_asked() {
        return Ok(Some(TakenReplicas { to, since: found.version.clone(), by: now.version }));
    }
    if now.replicas == found.replicas {
        return Ok(None);
    }
    Err(scaled_by_other(set, found.replicas, now.replicas))
}

/// Asks for `to` replicas where the set is as `found`; an API server may be away for a while. A try
/// whose answer is lost may have been carried out, so the set is looked at before the next one.
///
/// # Errors
/// The set has another number by now, or is another one. The API server refuses, or cannot be
/// reached.
pub(crate) async fn request_replicas(
    cluster: &Cluster,
    set: &Reference,
    found: &CurrentSet,
    to: i32,
    max_unavailability: Duration,
) -> Result<TakenReplicas, Failure> {
    let from = found.replicas;
    // Kubernetes leaves a 0 out of this object.
    let spec =
        |replicas: i32| if replicas == 0 { json!({}) } else { json!({"replicas": replicas}) };
    let patch = json!([
        {"op": "test", "path": "/metadata/uid", "value": set.uid},
        {"op": "test", "path": "/spec", "value": spec(from)},
        {"op": "replace", "path": "/spec", "value": spec(to)},
    ]);
    let path = format!(
        "/apis/apps/v1/namespaces/{}/statefulsets/{}/scale?fieldManager={MANAGER}",
        cluster.namespace, set.name
    );
    let ask = async |again| {
        if again
            && let Some(taken) =
                lost_try(set, found, to, look(cluster, &set.name, Duration::ZERO).await?)?
        {
            return Ok(taken);
        }
        let content = "application/json-patch+json";
        match send_once(cluster, Method::PATCH, &path, content, Some(&patch)).await {
            Ok((_, scale)) => {
                let version = version(&scale);
                Ok(TakenReplicas { to, since: version.clone(), by: version })
            }
            // Also where a try whose answer was lost is carried out just now.
            Err(kube::Error::Api(status)) if status.code == 422 => {
                let now = look(cluster, &set.name, max_unavailability).await?;
                lost_try(set, found, to, now)?.ok_or_else(|| refused(&status, set))
            }
            Err(error) => Err(cluster.failure(&error, "patch", RESOURCE, &set.name)),
        }
    };
    retry_while_unavailable(max_unavailability, ask).await
}

/// The API server refuses the replicas themselves.
fn refused(status: &Status, set: &Reference) -> Failure {
    let tried = Tried { verb: "patch", resource: RESOURCE, name: &set.name, ..Tried::default() };
    Failure::of_status(status, &tried)
}

/// Gives `spec.replicas` back to those who owned it before a grade asked for any, `owners`, so that
/// every later `kubectl apply` is answered as it would have been without the grade. A set that
/// somebody else has scaled since is not written to.
///
/// This needs `patch` on the set itself, which the Role of a grade without `-f` does not hold: it
/// would let a grader change what the pods run. The `scale` subresource takes no `managedFields`.
///
/// # Errors
/// The API server refuses, or cannot be reached.
pub(crate) async fn restore_replicas_ownership(
    cluster: &Cluster,
    set: &Reference,
    owners: &[FieldManager],
) -> Result<(), Failure> {
    let path = object_path(cluster, AppliedKind::StatefulSet, &set.name);
    let same = async || {
        let found = find(cluster, &set.name, Duration::ZERO).await?;
        Ok(found.filter(|it| uid(it) == set.uid))
    };
    let given = |it: &Value| replicas_given_back(it, owners);
    let failure =
        |error: &kube::Error| cluster.failure(error, "patch", "statefulsets.apps", &set.name);
    let replace = async |_| replace_owners(cluster, &path, same, given, failure).await;
    retry_while_unavailable(MAX_UNAVAILABILITY, replace).await.map(drop)
}

/// Somebody else has deleted the set, and may have made another of its name.
pub(crate) fn gone(set: &Reference) -> Failure {
    Failure::new(
        failure_id::SET_GONE,
        format!("somebody else deleted {}", sanitize(&set.name)),
        "Grade again.",
    )
}

/// Somebody else has scaled the set.
pub(crate) fn scaled_by_other(set: &Reference, from: i32, found: i32) -> Failure {
    let set = sanitize(&set.name);
    let what = format!(
        "somebody else scaled {set} to {found} while it was asked to have {from} (an autoscaler?)"
    );
    Failure::new(failure_id::SCALED, what, "Make sure that nobody else scales it, and grade again.")
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use checks::model::{Version, observation::Reference};
    use http::{Method, Request, Response};
    use kube::{Client, client::Body};
    use serde_json::json;
    use tower::service_fn;

    use super::{CurrentSet, TakenReplicas, current_set, request_replicas};
    use crate::cluster::Cluster;

    /// Catches a scaling whose answer was lost, and whose version is that of the look after it: the
    /// set's status may have been written meanwhile, so that the watch tells of it under an earlier
    /// one.
    #[tokio::test]
    async fn a_lost_answer_bounds_the_version_from_both_sides() {
        let service = service_fn(|request: Request<Body>| async move {
            let (code, answer) = if request.method() == Method::PATCH {
                let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                    "status": "Failure", "message": "the test failed", "reason": "Invalid",
                    "code": 422});
                (422, status)
            } else {
                let set = json!({"metadata": {"uid": "u", "resourceVersion": "105"},
                    "spec": {"replicas": 5}});
                (200, json!({"items": [set]}))
            };
            let body = Body::from(answer.to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
        });
        let cluster = Cluster::with(Client::new(service, "lab"), "lab");
        let set = Reference { name: "web".to_owned(), uid: "u".to_owned() };
        let version = Version::of("98");
        let found = CurrentSet { replicas: 3, version: version.clone(), ..CurrentSet::default() };
        let taken = request_replicas(&cluster, &set, &found, 5, Duration::ZERO).await.unwrap();
        assert_eq!(taken, TakenReplicas { to: 5, since: version, by: Version::of("105") });
    }

    /// Catches a change that is sent again and again while an admission webhook holds the first one,
    /// or after it was carried out.
    #[tokio::test(start_paused = true)]
    async fn a_set_is_looked_at_before_it_is_asked_again() {
        let sent: Arc<Mutex<Vec<Method>>> = Arc::default();
        let log = Arc::clone(&sent);
        let service = service_fn(move |request: Request<Body>| {
            let mut log = log.lock().unwrap();
            log.push(request.method().clone());
            // The first is lost, and not carried out; the second is lost, and carried out.
            let replicas = if log.len() < 4 { 3 } else { 5 };
            let (code, answer) = if request.method() == Method::PATCH {
                let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                    "status": "Failure", "message": "", "reason": "Timeout", "code": 504});
                (504, status)
            } else {
                let set = json!({"metadata": {"uid": "u", "resourceVersion": "105"},
                    "spec": {"replicas": replicas}});
                (200, json!({"items": [set]}))
            };
            let body = Body::from(answer.to_string().into_bytes());
            async move { Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap()) }
        });
        let cluster = Cluster::with(Client::new(service, "lab"), "lab");
        let set = Reference { name: "web".to_owned(), uid: "u".to_owned() };
        let found = CurrentSet { replicas: 3, ..CurrentSet::default() };
        let taken =
            request_replicas(&cluster, &set, &found, 5, Duration::from_secs(60)).await.unwrap();
        assert_eq!(taken.by, Version::of("105"));
        let sent: Vec<String> = sent.lock().unwrap().iter().map(Method::to_string).collect();
        assert_eq!(sent, ["PATCH", "GET", "PATCH", "GET"]);
    }

    /// Catches a student's own `kubectl scale` that is taken for a grade's, and the other way round.
    #[test]
    fn who_scaled_last_is_told() {
        let set = |manager: &str, subresource: &str, field: &str| {
            json!({"metadata": {"managedFields": [
                {"manager": "stsgrade", "operation": "Apply",
                 "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": manager, "operation": "Update", "subresource": subresource,
                 "fieldsV1": {"f:spec": {field: {}}}},
            ]}})
        };
        assert!(current_set(&set("stsgrade", "scale", "f:replicas")).is_ours);
        assert!(!current_set(&set("kubectl", "scale", "f:replicas")).is_ours);
        assert!(!current_set(&set("stsgrade", "status", "f:replicas")).is_ours);
        assert!(!current_set(&set("stsgrade", "scale", "f:template")).is_ours);
        assert!(!current_set(&json!({})).is_ours);
        // Catches a lost answer to the scaling to 0 that is taken for somebody else's scaling.
        assert!(current_set(&json!({})).may_be_as_we_asked());
        assert!(current_set(&set("stsgrade", "scale", "f:replicas")).may_be_as_we_asked());
        assert!(!current_set(&set("kubectl", "scale", "f:replicas")).may_be_as_we_asked());
    }
}
