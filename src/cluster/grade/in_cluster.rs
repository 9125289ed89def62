//! Grading from within the cluster: the objects of a Job that does it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{OBJECT_NAME, grade::rbac::rbac_yaml};

/// The UID and GID of the container: not root; the number that distroless images use by
/// convention.
const NON_ROOT_UID: u32 = 65_532;
/// Where the recording is written, which is gone with the pod.
const RECORDINGS: &str = "/recordings";
/// Longer than any grade takes that comes to its end; what it changed is put back even then.
const DEADLINE_SECONDS: u64 = 4 * 3600;
/// Longer than putting everything back takes after SIGTERM.
const GRACE_SECONDS: u64 = 600;

/// Where the rubric is mounted, and its name there.
const RUBRIC_FOLDER: &str = "/rubric";
const RUBRIC_FILE: &str = "rubric.toml";

/// What a Job grades, and how.
#[derive(Clone, Debug, Default)]
pub struct JobOptions {
    /// The namespace that is to be graded.
    pub namespace: String,
    /// The image of stsgrade, as the cluster's nodes pull it.
    pub image: String,
    /// Further flags of `grade`.
    pub flags: Vec<String>,
    /// The longest that a grade may take, if the flags say so.
    pub timeout: Option<Duration>,
    /// The text of a rubric.
    pub rubric: Option<String>,
    /// The flags ask for a container of an image with a shell.
    pub with_probe: bool,
}

/// A ServiceAccount with the Role that a grade needs, and a Job that grades the namespace once: its
/// log is the report, its exit status that of `grade`. A rubric is in a ConfigMap beside them.
///
/// It runs at Pod Security level `restricted`.
#[must_use]
pub fn job_yaml(options: &JobOptions) -> String {
    let metadata = json!({"name": OBJECT_NAME, "namespace": options.namespace});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    let mut args = vec!["grade", "-n", options.namespace.as_str()];
    args.extend(options.flags.iter().map(String::as_str));
    let rubric_path = format!("{RUBRIC_FOLDER}/{RUBRIC_FILE}");
    if options.rubric.is_some() {
        args.extend(["--rubric", rubric_path.as_str()]);
    }
    let mut pod = restricted_pod(&options.image, &args);
    if options.rubric.is_some() {
        add(&mut pod["volumes"], json!({"name": "rubric", "configMap": {"name": OBJECT_NAME}}));
        let mount = json!({"name": "rubric", "mountPath": RUBRIC_FOLDER, "readOnly": true});
        add(&mut pod["containers"][0]["volumeMounts"], mount);
    }
    let timeout = options.timeout.map_or(0, |it| it.as_secs());
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_SECONDS.max(timeout.saturating_add(GRACE_SECONDS)),
            "template": {"spec": pod},
        },
    });
    let yaml = |value: &Value| serde_saphyr::to_string(value).unwrap_or_default();
    let mut pages = vec![yaml(&account), rbac_yaml(&options.namespace, false, options.with_probe)];
    if let Some(rubric) = &options.rubric {
        let data = json!({(RUBRIC_FILE): rubric});
        pages.push(yaml(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
            "data": data})));
    }
    pages.push(yaml(&job));
    pages.join("---\n")
}

fn add(list: &mut Value, item: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}

/// A pod of stsgrade that runs once, at Pod Security level `restricted`, as the account that has
/// its Role.
pub(crate) fn restricted_pod(image: &str, args: &[&str]) -> Value {
    let container = json!({
        "name": OBJECT_NAME,
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
        "serviceAccountName": OBJECT_NAME,
        // What it changed is put back before it ends, and a second one would find nothing new.
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": NON_ROOT_UID,
            "runAsGroup": NON_ROOT_UID,
            "fsGroup": NON_ROOT_UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "recordings", "emptyDir": {}}],
    })
}
