//! The objects by which a cluster runs a batch itself: pure.
//!
//! All are in a namespace of the run's own, or owned by it, so that the cluster deletes them with
//! it.

use serde_json::{Value, json};

use crate::{
    cluster::{
        OBJECT_NAME,
        grade::{in_cluster::restricted_pod, rbac::batch_rules},
        isolation::{PodSecurity, prefix, run_labels},
        workers::kueue::{self, QUEUE_LABEL},
        writes::namespace::LEVEL_LABEL,
    },
    recording::signature::KEY_VARIABLE,
};

/// The Secret that holds the key by which recordings are signed, and its field.
pub(super) const KEY_SECRET: &str = "recording-key";
/// How often a worker is started again after it failed.
const MAX_RESTARTS: u32 = 3;

/// What the Job consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    /// The image of stsgrade, as the cluster's nodes pull it.
    pub image: String,
    /// How many workers there are.
    pub workers: usize,
    /// The ClusterQueue of Kueue that decides when they start.
    pub queue: Option<String>,
}

/// The name of a run's own namespace.
pub(super) fn namespace_name(run: &str) -> String {
    format!("{}workers", prefix(run))
}

/// The run's own namespace.
pub(super) fn namespace(run: &str) -> Value {
    let mut labels = run_labels(run);
    labels.push((LEVEL_LABEL, PodSecurity::Restricted.name()));
    let labels: serde_json::Map<String, Value> =
        labels.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace_name(run), "labels": labels}})
}

/// The workers' account and its permissions. `uid` is that of the run's own namespace, which owns
/// the objects that are in no namespace.
pub(super) fn access(run: &str, uid: Option<&str>) -> Vec<Value> {
    let namespace = namespace_name(run);
    let mut cluster_scoped = json!({"name": namespace});
    if let Some(uid) = uid {
        cluster_scoped["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": "Namespace", "name": namespace, "uid": uid}]);
    }
    let here = json!({"name": OBJECT_NAME, "namespace": namespace});
    let subjects = json!([{"kind": "ServiceAccount", "name": OBJECT_NAME, "namespace": namespace}]);
    let rbac = "rbac.authorization.k8s.io";
    let version = format!("{rbac}/v1");
    let own_rules = json!([
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "create"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
    ]);
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": here}),
        json!({"apiVersion": version, "kind": "ClusterRole", "metadata": cluster_scoped,
            "rules": batch_rules()}),
        json!({"apiVersion": version, "kind": "ClusterRoleBinding", "metadata": cluster_scoped,
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": namespace},
            "subjects": subjects}),
        json!({"apiVersion": version, "kind": "Role", "metadata": here, "rules": own_rules}),
        json!({"apiVersion": version, "kind": "RoleBinding", "metadata": here,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": OBJECT_NAME}, "subjects": subjects}),
    ]
}

/// The Job: each of its indexes grades one share.
pub(super) fn job(run: &str, options: &WorkerOptions) -> Value {
    let run_arg = format!("--run={run}");
    let share = "--share=$(JOB_COMPLETION_INDEX)";
    let args = ["batch", "work", &run_arg, share, "--pod=$(POD)", "--pod-uid=$(POD_UID)"];
    let mut pod = restricted_pod(&options.image, &args);
    let key = json!({"name": KEY_SECRET, "key": "key", "optional": true});
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    for (name, source) in [
        (KEY_VARIABLE, json!({"secretKeyRef": key})),
        ("POD", field("metadata.name")),
        ("POD_UID", field("metadata.uid")),
    ] {
        let variable = json!({"name": name, "valueFrom": source});
        if let Some(env) = pod["containers"][0]["env"].as_array_mut() {
            env.push(variable);
        }
    }
    let mut metadata = json!({"name": OBJECT_NAME, "namespace": namespace_name(run)});
    if options.queue.is_some() {
        metadata["labels"] = json!({QUEUE_LABEL: OBJECT_NAME});
    }
    // A worker that was evicted or preempted did not fail.
    let policy = json!({"rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]});
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": metadata,
        "spec": {
            "completionMode": "Indexed",
            "completions": options.workers,
            "parallelism": options.workers,
            "backoffLimitPerIndex": MAX_RESTARTS,
            "podFailurePolicy": policy,
            // Kueue starts it.
            "suspend": options.queue.is_some(),
            "template": {"spec": pod}}})
}

/// All objects but the shares, ready for `kubectl apply -f -`.
#[must_use]
pub fn yaml(run: &str, options: &WorkerOptions) -> String {
    let mut all = vec![namespace(run)];
    all.extend(access(run, None));
    let namespace = namespace_name(run);
    let queue = options.queue.iter();
    all.extend(queue.map(|it| kueue::local_queue(&namespace, it, kueue::USUAL_VERSION)));
    all.push(job(run, options));
    let pages: Vec<String> =
        all.iter().map(|it| serde_saphyr::to_string(it).unwrap_or_default()).collect();
    pages.join("---\n")
}
