//! Grading from within the cluster: the objects of a Job that does it.

use serde_json::{Value, json};

use crate::cluster::{client::lease_term::LEASE, grade::rbac::rbac_yaml};

/// Nobody's account: the number that images without users use by habit.
const ACCOUNT: u32 = 65_532;
/// Where the recording is written, which is gone with the pod.
const RECORDINGS: &str = "/recordings";
/// Longer than any grade takes that comes to its end; what it changed is put back even then.
const DEADLINE_SECONDS: u32 = 4 * 3600;
/// Longer than putting everything back takes after SIGTERM.
const GRACE_SECONDS: u32 = 600;

/// A ServiceAccount with the Role that a grade needs, and a Job that grades the namespace once: its
/// log is the report, its exit status that of `grade`.
///
/// It runs at Pod Security level `restricted`.
#[must_use]
pub fn job_yaml(namespace: &str, image: &str) -> String {
    let account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": LEASE, "namespace": namespace},
    });
    let pod = restricted_pod(image, &["grade", "-n", namespace]);
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": LEASE, "namespace": namespace},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "template": {"spec": pod},
        },
    });
    let yaml = |value: &Value| serde_saphyr::to_string(value).unwrap_or_default();
    format!("{}---\n{}---\n{}", yaml(&account), rbac_yaml(namespace, false, false), yaml(&job))
}

/// A pod of stsgrade that runs once, at Pod Security level `restricted`, as the account that has
/// its Role.
pub(crate) fn restricted_pod(image: &str, args: &[&str]) -> Value {
    let container = json!({
        "name": LEASE,
        "image": image,
        "args": args,
        "env": [{"name": "XDG_STATE_HOME", "value": RECORDINGS}],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            // A quota on limits refuses a pod without one.
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
        },
        "volumeMounts": [{"name": "recordings", "mountPath": RECORDINGS}],
    });
    json!({
        "serviceAccountName": LEASE,
        // What it changed is put back before it ends, and a second one would find nothing new.
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": ACCOUNT,
            "runAsGroup": ACCOUNT,
            "fsGroup": ACCOUNT,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "recordings", "emptyDir": {}}],
    })
}
