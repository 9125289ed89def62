//! Why what a pod writes does not tell who it is, as far as its template shows it.

use checks::{
    mistakes::{Mistake, NOTHING_WRITTEN, SAME_CONTENT, TELLS_NO_POD},
    model::observation::object::{Container, StatefulSetSpec, VolumeMount},
};

use crate::{
    console::sanitize::sanitize,
    recording::ManifestText,
    remedy::{
        manifest::{Document, Path, PathStep, keys},
        script,
    },
};

/// The variable that a container runtime sets to the pod's name.
const HOST_NAME: &str = "HOSTNAME";

/// What in the template explains one of the mistakes about content, in a sentence or two.
pub(super) fn reason(
    id: &str,
    spec: &StatefulSetSpec,
    manifest: Option<&ManifestText>,
) -> Option<String> {
    let is_of = |it: &&Mistake| it.id == id;
    [&NOTHING_WRITTEN, &SAME_CONTENT, &TELLS_NO_POD].into_iter().find(is_of)?;
    let reason = substituted(spec)
        .or_else(|| quoted(spec))
        .or_else(|| manifest.and_then(|it| own_variable(spec, it)))
        .or_else(|| mounted_over(spec))
        .or_else(|| mounted_elsewhere(spec))
        .or_else(|| written_beside(spec));
    reason.map(|it| sanitize(&it))
}

/// `$(HOSTNAME)`, which Kubernetes replaces only where the template sets the variable, and a shell
/// takes for a command.
fn substituted(spec: &StatefulSetSpec) -> Option<String> {
    let found = containers(spec).find(|it| program(it).contains("$(HOSTNAME)"))?;
    Some(format!(
        "Container {} says `$(HOSTNAME)`, which a shell takes for a command of that name: the \
        variable is `$HOSTNAME`, and the command is `$(hostname)`.",
        found.name
    ))
}

/// The name in single quotes, which a shell writes as it stands.
fn quoted(spec: &StatefulSetSpec) -> Option<String> {
    const NAMES: [&str; 3] = ["$HOSTNAME", "${HOSTNAME}", "$(hostname)"];
    for container in containers(spec) {
        let program = program(container);
        let parts: Vec<&str> = program.split('\'').collect();
        for pair in parts.chunks_exact(2) {
            let [before, inside] = pair else { continue };
            let is_written =
                ["echo", "printf", "-n", "-e"].iter().any(|it| before.trim_end().ends_with(it));
            let name = NAMES.iter().find(|it| inside.contains(**it));
            if let Some(name) = name.filter(|_| is_written) {
                return Some(format!(
                    "Container {} writes `{name}` in single quotes, in which a shell replaces \
                    nothing: double quotes are needed.",
                    container.name
                ));
            }
        }
    }
    None
}

/// `env` that sets the variable by which the script means the pod's name.
fn own_variable(spec: &StatefulSetSpec, manifest: &ManifestText) -> Option<String> {
    let document = Document::read(&manifest.text)?;
    let below = |path: &Path, key: &str| [path.as_slice(), &keys(key)].concat();
    let item = |list: &Path, place: usize| [list.as_slice(), &[PathStep::Item(place)]].concat();
    for list in ["initContainers", "containers"] {
        let list = below(&keys("spec.template.spec"), list);
        for container in (0..document.count(&list)).map(|it| item(&list, it)) {
            let env = below(&container, "env");
            let mut variables = (0..document.count(&env)).map(|it| item(&env, it));
            let is_set = variables.any(|it| {
                document.scalar(&below(&it, "name")) == Some(HOST_NAME)
                    && document.has(&below(&it, "value"))
            });
            let name = document.scalar(&below(&container, "name")).unwrap_or_default();
            let is_used =
                containers(spec).any(|it| it.name == name && program(it).contains("$HOSTNAME"));
            if is_set && is_used {
                return Some(format!(
                    "The `env` of container {name} sets HOSTNAME to one value for all pods, so \
                    `$HOSTNAME` is not the pod's name there: `$(hostname)` is."
                ));
            }
        }
    }
    None
}

/// What is written below a claim's folder, where another volume is mounted in it.
fn mounted_over(spec: &StatefulSetSpec) -> Option<String> {
    for container in containers(spec) {
        let program = program(container);
        for claim in container.volume_mounts.iter().filter(|it| is_own(spec, it)) {
            let inner = container.volume_mounts.iter().find(|it| {
                !is_own(spec, it)
                    && is_below(&it.mount_path, &claim.mount_path)
                    && program.contains(it.mount_path.trim_end_matches('/'))
            });
            if let Some(inner) = inner {
                return Some(format!(
                    "The volume {} is mounted at {}, within the PVC's {}: what container {} \
                    writes there is not on the PVC, and does not count.",
                    inner.name, inner.mount_path, claim.mount_path, container.name
                ));
            }
        }
    }
    None
}

/// A container that writes to the claim's folder, while only another one mounts the claim.
fn mounted_elsewhere(spec: &StatefulSetSpec) -> Option<String> {
    for owner in containers(spec) {
        for claim in owner.volume_mounts.iter().filter(|it| is_own(spec, it)) {
            let folder = claim.mount_path.trim_end_matches('/');
            let writes = |it: &&Container| {
                let has_it = |mount: &VolumeMount| {
                    mount.name == claim.name || mount.mount_path.trim_end_matches('/') == folder
                };
                !it.volume_mounts.iter().any(has_it) && writes_below(&program(it), folder)
            };
            if let Some(other) = containers(spec).find(writes) {
                return Some(format!(
                    "Container {} writes to {folder}, but only container {} mounts the PVC \
                    there: what the first one writes stays in its own file system.",
                    other.name, owner.name
                ));
            }
        }
    }
    None
}

/// A container that mounts the claim, and writes elsewhere.
fn written_beside(spec: &StatefulSetSpec) -> Option<String> {
    for container in containers(spec) {
        let mounts = &container.volume_mounts;
        let Some(claim) = mounts.iter().find(|it| is_own(spec, it)) else { continue };
        let folders: Vec<&str> = mounts.iter().map(|it| it.mount_path.as_str()).collect();
        let program = program(container);
        if writes_below(&program, &claim.mount_path) {
            continue;
        }
        if let Some(folder) = script::written_folder(&program, &folders) {
            return Some(format!(
                "Container {} writes to {folder}, where no volume is mounted: its PVC is mounted at \
                {}.",
                container.name, claim.mount_path
            ));
        }
    }
    None
}

fn containers(spec: &StatefulSetSpec) -> impl Iterator<Item = &Container> {
    spec.template.spec.all_containers()
}

/// All that a container runs.
fn program(container: &Container) -> String {
    let words: Vec<&str> =
        container.command.iter().chain(&container.args).map(String::as_str).collect();
    words.join(" ")
}

fn is_own(spec: &StatefulSetSpec, mount: &VolumeMount) -> bool {
    spec.volume_claim_templates.iter().any(|it| it.metadata.name == mount.name)
}

fn is_below(path: &str, folder: &str) -> bool {
    let inside = path.strip_prefix(folder.trim_end_matches('/'));
    inside.is_some_and(|it| it.starts_with('/') && it.len() > 1)
}

/// `> /data/id`, with or without a blank.
fn writes_below(program: &str, folder: &str) -> bool {
    let mut writes = program.split('>').skip(1);
    writes.any(|it| is_below(it.trim_start().trim_start_matches('"'), folder))
}

#[cfg(test)]
mod tests {
    use checks::model::observation::object::StatefulSetSpec;

    use super::reason;
    use crate::recording::ManifestText;

    fn spec(pod: &serde_json::Value) -> StatefulSetSpec {
        let templates = serde_json::json!([{"metadata": {"name": "data"}}]);
        serde_json::from_value(serde_json::json!({
            "serviceName": "web",
            "template": {"spec": pod},
            "volumeClaimTemplates": templates,
        }))
        .unwrap()
    }

    fn of(containers: serde_json::Value) -> Option<String> {
        let pod = serde_json::json!({"containers": containers});
        reason("same_content", &spec(&pod), None)
    }

    fn writer(script: &str, mounts: &[(&str, &str)]) -> serde_json::Value {
        let mounts: Vec<_> = mounts
            .iter()
            .map(|(name, path)| serde_json::json!({"name": name, "mountPath": path}))
            .collect();
        serde_json::json!({"name": "app", "command": ["sh", "-c", script], "volumeMounts": mounts})
    }

    #[track_caller]
    fn tells(containers: serde_json::Value, words: &str) {
        let reason = of(containers);
        assert!(reason.as_ref().is_some_and(|it| it.contains(words)), "{reason:?}");
    }

    /// Catches a reason in plain sight that is not told, and one that is told of a template that
    /// does without it.
    #[test]
    fn the_template_tells_why_the_content_names_nobody() {
        let data = ("data", "/data");
        tells(serde_json::json!([writer("echo $(HOSTNAME) > /data/id", &[data])]), "`$(HOSTNAME)`");
        tells(
            serde_json::json!([writer("echo 'I am $HOSTNAME' > /data/id", &[data])]),
            "`$HOSTNAME`",
        );
        for fine in ["echo \"I am '$HOSTNAME'\" > /data/id", "trap 'echo $HOSTNAME' TERM"] {
            assert_eq!(of(serde_json::json!([writer(fine, &[data])])), None, "{fine}");
        }
        tells(
            serde_json::json!([writer("hostname > /usr/share/nginx/html/id", &[data])]),
            "writes to /usr/share/nginx/html, where no volume is mounted: its PVC is mounted at /data",
        );
        let inner = [data, ("tmp", "/data/in")];
        tells(
            serde_json::json!([writer("hostname > /data/in/id", &inner)]),
            "volume tmp is mounted at /data/in, within the PVC's /data",
        );
        assert_eq!(of(serde_json::json!([writer("date > /data/id", &inner)])), None);
        let side = serde_json::json!({
            "name": "side",
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        });
        tells(
            serde_json::json!([writer("hostname > /data/id", &[]), side]),
            "Container app writes to /data, but only container side mounts the PVC",
        );
        assert_eq!(of(serde_json::json!([writer("date > /data/id", &[data]), side])), None);
    }

    /// Catches an `env` that nobody is told of, and one that is blamed though the script names
    /// another variable.
    #[test]
    fn a_variable_of_the_template_is_not_the_pods_name() {
        let text = "kind: StatefulSet\nspec:\n  template:\n    spec:\n      containers:\n      \
            - name: app\n        env:\n        - name: HOSTNAME\n          value: web\n";
        let manifest = ManifestText { text: text.to_owned(), ..ManifestText::default() };
        let reason = |script: &str| {
            let pod = serde_json::json!({"containers": [writer(script, &[("data", "/data")])]});
            reason("same_content", &spec(&pod), Some(&manifest))
        };
        assert!(reason("echo $HOSTNAME > /data/id").is_some_and(|it| it.contains("`env`")));
        assert_eq!(reason("echo hello > /data/id"), None);
    }
}
