//! A container of our own beside those of a pod (`--probe-image`), where none of them has a shell.
//!
//! It is an ephemeral container: the pod, its UID and its readiness stay as they are. Such a
//! container can never be taken away again, and one that still runs would hold up its pod's
//! deletion, so it ends itself: when it is told to, at SIGTERM, or after a minute (after five, where
//! `sleep` takes whole seconds alone).

use std::time::Duration;

use checks::model::observation::Reference;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ContainerState, Pod, SecurityContext};
use kube::{
    Api,
    api::{ApiResource, ListParams, Object, Patch, PatchParams, WatchEvent, WatchParams},
};
use serde::Deserialize;
use serde_json::json;

use crate::cluster::{
    Cluster,
    client::error_chain::chain,
    exec::{ExecTarget, error::ExecError, exec, mounts::ClaimView, random_word},
};

/// How the names of such containers begin.
pub(crate) const PREFIX: &str = "stsgrade-";
/// How long it may take to pull the image and start the container.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the kubelet may take to see that the container has ended.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);
/// How it begins that a container does not come up.
const NOT_RUNNING: &str = "the probe image's container does not run";
/// Ends when a file appears in the pod's shared memory: the one place that is writable in every
/// container.
const WAIT: &str = r#"trap 'exit 0' TERM INT HUP
n=0
while [ ! -e "/dev/shm/$1" ] && [ $n -lt 300 ]; do sleep 0.2 2>/dev/null || sleep 1; n=$((n + 1)); done
rm -f "/dev/shm/$1""#;

/// Starts ephemeral containers in pods.
pub(crate) struct ProbeContainers<'a> {
    cluster: &'a Cluster,
    image: &'a str,
}

/// As much of a pod as is looked at here: the whole type would be a tenth of the program.
type PartialPod = Object<Spec, Status>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    volume_mounts: Option<Vec<VolumeMount>>,
    security_context: Option<SecurityContext>,
}

#[derive(Clone, Debug, Deserialize)]
struct VolumeMount {
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Deserialize)]
struct ContainerStatus {
    name: String,
    state: Option<ContainerState>,
}

/// An ephemeral container of ours that runs in a pod.
#[derive(Debug)]
pub(crate) struct EphemeralContainer {
    pod: Reference,
    container: String,
}

impl EphemeralContainer {
    pub(crate) fn container(&self) -> &str {
        &self.container
    }
}

impl<'a> ProbeContainers<'a> {
    pub(crate) const fn new(cluster: &'a Cluster, image: &'a str) -> Self {
        Self { cluster, image }
    }

    /// Adds a container that mounts these claims, and waits until it runs.
    ///
    /// # Errors
    /// It could not be added, or does not run.
    pub(crate) async fn start(
        &self,
        pod: &Reference,
        mounts: &[ClaimView],
    ) -> Result<EphemeralContainer, ExecError> {
        let container = format!("{PREFIX}{}", random_word()?.get(..12).unwrap_or_default());
        let api = self.pods();
        let found = api
            .list(&ListParams::default().fields(&format!("metadata.name={}", pod.name)))
            .await
            .map_err(|error| self.failed(&error))?;
        let stands = found
            .items
            .into_iter()
            .find(|it| it.metadata.uid.as_deref() == Some(&pod.uid))
            .ok_or(ExecError::Gone)?;
        let volumes: Vec<_> =
            mounts.iter().map(|it| json!({"name": it.volume, "mountPath": it.path})).collect();
        let ephemeral = json!({
            "name": container,
            "image": self.image,
            "command": ["sh", "-c", WAIT, "stsgrade", container],
            "volumeMounts": volumes,
            "securityContext": security_context_like(&stands, mounts),
        });
        let patch =
            json!({"metadata": {"uid": pod.uid}, "spec": {"ephemeralContainers": [ephemeral]}});
        let patched = api
            .patch_subresource(
                "ephemeralcontainers",
                &pod.name,
                &PatchParams::default(),
                &Patch::Strategic(patch),
            )
            .await
            .map_err(|error| self.failed(&error))?;
        let ephemeral = EphemeralContainer { pod: pod.clone(), container };
        let since = patched.metadata.resource_version.unwrap_or_default();
        // The kubelet pulls again by itself.
        let mut failed_pull = String::new();
        let says = |state: &ContainerState| {
            failed_pull = pull_failure(state).unwrap_or(std::mem::take(&mut failed_pull));
            runs(state)
        };
        let said = self.until(&ephemeral, &since, START_TIMEOUT, says).await;
        said.unwrap_or_else(|| {
            let seconds = START_TIMEOUT.as_secs();
            let why = format!("{NOT_RUNNING} after {seconds} s {failed_pull}");
            Err(ExecError::NoProbeYet(why.trim().to_owned()))
        })?;
        Ok(ephemeral)
    }

    /// Why a container could not be added.
    fn failed(&self, error: &kube::Error) -> ExecError {
        let why = match error {
            kube::Error::Api(status)
                if status.code == 403 && !status.message.contains("PodSecurity") =>
            {
                "no permission to add a container to a pod (pods/ephemeralcontainers)".to_owned()
            }
            other => format!("no container could be added to the pod: {}", chain(other)),
        };
        if self.cluster.failure(error, "patch", "pods/ephemeralcontainers", "").may_pass() {
            ExecError::Other(why)
        } else {
            ExecError::NoProbe(why)
        }
    }

    fn pods(&self) -> Api<PartialPod> {
        Api::namespaced_with(
            self.cluster.client.clone(),
            &self.cluster.namespace,
            &ApiResource::erase::<Pod>(&()),
        )
    }

    /// Ends it, and waits until the kubelet has seen that.
    pub(crate) async fn stop(&self, ephemeral: EphemeralContainer) {
        let end = format!(": >/dev/shm/{}", ephemeral.container);
        let place = ExecTarget { pod: &ephemeral.pod.name, container: &ephemeral.container };
        // If this fails it ends by itself.
        let _ =
            exec(self.cluster, place, &["sh".to_owned(), "-c".to_owned(), end], STOP_TIMEOUT).await;
        let _ = self
            .until(&ephemeral, "0", STOP_TIMEOUT, |state| state.terminated.as_ref().map(|_| Ok(())))
            .await;
    }

    /// Watches the pod until the container's state says something; `None` when it did not in time.
    async fn until(
        &self,
        ephemeral: &EphemeralContainer,
        since: &str,
        within: Duration,
        mut says: impl FnMut(&ContainerState) -> Option<Result<(), ExecError>>,
    ) -> Option<Result<(), ExecError>> {
        let api = self.pods();
        let which = WatchParams::default().fields(&format!("metadata.name={}", ephemeral.pod.name));
        let watching = async {
            let mut events = match api.watch(&which, since).await {
                Ok(events) => events.boxed(),
                Err(error) => return Some(Err(ExecError::Other(chain(&error)))),
            };
            while let Some(Ok(event)) = events.next().await {
                let pod = match event {
                    WatchEvent::Added(pod) | WatchEvent::Modified(pod) => pod,
                    WatchEvent::Deleted(_) => return Some(Err(ExecError::Gone)),
                    _ => continue,
                };
                let statuses =
                    pod.status.and_then(|it| it.ephemeral_container_statuses).unwrap_or_default();
                let said = statuses
                    .iter()
                    .find(|it| it.name == ephemeral.container)
                    .and_then(|it| says(it.state.as_ref()?));
                if said.is_some() {
                    return said;
                }
            }
            None
        };
        tokio::time::timeout(within, watching).await.ok().flatten()
    }
}

/// Whether it runs, or will not.
fn runs(state: &ContainerState) -> Option<Result<(), ExecError>> {
    const FINAL: [&str; 4] = [
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
    ];
    if state.running.is_some() {
        return Some(Ok(()));
    }
    if let Some(ended) = &state.terminated {
        let why = format!(
            "{NOT_RUNNING}: {}",
            waiting_message(ended.reason.as_deref(), ended.message.as_deref())
        );
        // Another try would leave another container in the pod.
        return Some(Err(ExecError::NoProbe(why)));
    }
    let waiting = state.waiting.as_ref()?;
    let is_final = waiting.reason.as_deref().is_some_and(|it| FINAL.contains(&it))
        || waiting.message.as_deref().is_some_and(is_missing);
    let why = || {
        format!(
            "{NOT_RUNNING}: {}",
            waiting_message(waiting.reason.as_deref(), waiting.message.as_deref())
        )
    };
    is_final.then(|| Err(ExecError::NoProbe(why())))
}

/// Whether the registry says that there is no such image.
fn is_missing(message: &str) -> bool {
    const WORDS: [&str; 3] = ["not found", "manifest unknown", "pull access denied"];
    WORDS.iter().any(|it| message.contains(it))
}

/// Why its image was not pulled so far.
fn pull_failure(state: &ContainerState) -> Option<String> {
    const PULLS: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];
    let waiting = state.waiting.as_ref()?;
    let is_one = waiting.reason.as_deref().is_some_and(|it| PULLS.contains(&it));
    is_one.then(|| waiting_message(waiting.reason.as_deref(), waiting.message.as_deref()))
}

/// What the kubelet says of a container.
fn waiting_message(reason: Option<&str>, message: Option<&str>) -> String {
    const MAX_CHARACTERS: usize = 300;
    let words = message.unwrap_or_default().chars().take(MAX_CHARACTERS);
    let words: String = words.collect();
    format!("{} {words}", reason.unwrap_or_default()).trim().to_owned()
}

/// The security context of the container that mounts the claims: what it may read and write, and no
/// more.
fn security_context_like(pod: &PartialPod, mounts: &[ClaimView]) -> Option<SecurityContext> {
    let containers = &pod.spec.containers;
    let is_theirs = |volume: &str| mounts.iter().any(|it| it.volume == volume);
    let theirs = containers
        .iter()
        .find(|it| it.volume_mounts.iter().flatten().any(|mount| is_theirs(&mount.name)));
    let context = theirs.or(containers.first())?.security_context.clone()?;
    Some(SecurityContext { privileged: None, ..context })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ContainerState;

    use super::{pull_failure, runs};
    use crate::cluster::exec::error::ExecError;

    /// Catches a pull that failed once and counts as the last one.
    #[test]
    fn a_container_that_will_not_run_is_told_from_one_that_does_not_yet() {
        let state =
            |json: serde_json::Value| serde_json::from_value::<ContainerState>(json).unwrap();
        assert_eq!(runs(&state(serde_json::json!({"running": {}}))), Some(Ok(())));
        assert_eq!(
            runs(&state(serde_json::json!({"waiting": {"reason": "ContainerCreating"}}))),
            None
        );
        let pull =
            state(serde_json::json!({"waiting": {"reason": "ErrImagePull", "message": "429"}}));
        assert_eq!(runs(&pull), None);
        assert_eq!(pull_failure(&pull).as_deref(), Some("ErrImagePull 429"));
        let name = state(serde_json::json!({"waiting": {"reason": "InvalidImageName"}}));
        let Some(Err(ExecError::NoProbe(why))) = runs(&name) else { panic!() };
        assert!(why.ends_with(": InvalidImageName"), "{why}");
        let ended = |reason: &str| {
            runs(&state(serde_json::json!({"terminated": {"exitCode": 128, "reason": reason}})))
        };
        assert!(matches!(ended("StartError"), Some(Err(ExecError::NoProbe(_)))));
        assert!(matches!(ended("OOMKilled"), Some(Err(ExecError::NoProbe(_)))));
        let missing = state(serde_json::json!({
            "waiting": {"reason": "ErrImagePull", "message": "busybx:1.36: not found"}
        }));
        assert!(matches!(runs(&missing), Some(Err(ExecError::NoProbe(_)))));
    }
}
