//! Why what a pod writes does not tell who it is, as far as its template shows it.

use checks::{
    mistakes::{Mistake, NOTHING_WRITTEN, SAME_CONTENT, TELLS_NO_POD},
    model::observation::object::{Container, StatefulSetSpec, VolumeMount},
    shell::is_within,
};

use crate::{
    console::sanitize::sanitize,
    recording::ManifestText,
    remedy::{
        edit::script_of,
        manifest::{Document, Path, PathStep, keys},
        script,
        script::variables,
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
    let manifest = manifest.and_then(|it| Document::read(&it.text));
    let reason = manifest
        .as_ref()
        .and_then(|it| own_variable(spec, it))
        .or_else(|| substituted(spec, manifest.as_ref()))
        .or_else(|| quoted(spec))
        .or_else(|| manifest.as_ref().and_then(|it| unset_variable(spec, it)))
        .or_else(|| mounted_over(spec))
        .or_else(|| mounted_elsewhere(spec))
        .or_else(|| written_beside(spec))
        .or_else(|| variable_to_look_at(spec, manifest.as_ref()));
    reason.map(|it| sanitize(&it))
}

/// `$(HOSTNAME)`, which Kubernetes replaces only where the template sets the variable, and a shell
/// takes for a command.
fn substituted(spec: &StatefulSetSpec, manifest: Option<&Document>) -> Option<String> {
    let is_set = |it: &Container| {
        manifest
            .and_then(|document| Env::of(document, &it.name))
            .is_some_and(|it| it.has(HOST_NAME))
    };
    let is_command = |it: &&Container| program(it).contains("$(HOSTNAME)") && !is_set(it);
    let found = containers(spec).find(is_command)?;
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
fn own_variable(spec: &StatefulSetSpec, manifest: &Document) -> Option<String> {
    for container in containers(spec) {
        let Some(env) = Env::of(manifest, &container.name) else { continue };
        let is_set = env.variables.iter().any(|it| it.name == HOST_NAME && it.has_value);
        let program = program(container);
        let mut uses = ["$HOSTNAME", "${HOSTNAME}", "$(HOSTNAME)"].into_iter();
        if is_set && let Some(used) = uses.find(|it| program.contains(it)) {
            return Some(format!(
                "The `env` of container {} sets HOSTNAME to one value for all pods, so `{used}` is \
                not the pod's name there: `$(hostname)` is.",
                container.name
            ));
        }
    }
    None
}

/// A variable that is meant for the pod's name, and that the manifest does not set.
fn unset_variable(spec: &StatefulSetSpec, manifest: &Document) -> Option<String> {
    for (container, variable) in unset_variables(spec) {
        let env = Env::of(manifest, &container.name);
        if env.is_some_and(|it| !it.has(&variable) && !it.has_more) {
            return Some(format!(
                "Container {} uses `${variable}`, which neither its command nor its `env` sets: if \
                its image does not set it, it is empty. Write `$HOSTNAME` or `$(hostname)` for the \
                pod's name.",
                container.name
            ));
        }
    }
    None
}

/// The same, where it is not known whether something sets it.
fn variable_to_look_at(spec: &StatefulSetSpec, manifest: Option<&Document>) -> Option<String> {
    for (container, variable) in unset_variables(spec) {
        let env = manifest.and_then(|it| Env::of(it, &container.name));
        if !env.is_some_and(|it| it.has(&variable)) {
            return Some(format!(
                "Look at `${variable}` in the command of container {}: if neither `env` nor \
                `envFrom` sets it, it is empty. The pod's name is `$HOSTNAME`, or `$(hostname)`.",
                container.name
            ));
        }
    }
    None
}

/// The containers whose script uses a variable that it does not set, for the pod's name.
fn unset_variables(spec: &StatefulSetSpec) -> impl Iterator<Item = (&Container, String)> {
    containers(spec).filter_map(|it| {
        let script = script_of(it)?;
        Some((it, variables::unset_name(&script)?.to_owned()))
    })
}

/// What a container's environment has, as a manifest sets it.
struct Env<'d> {
    variables: Vec<Variable<'d>>,
    /// What a ConfigMap or a Secret holds comes to it.
    has_more: bool,
}

struct Variable<'d> {
    name: &'d str,
    /// It has one value for all pods.
    has_value: bool,
}

impl<'d> Env<'d> {
    /// Of the container of that name.
    fn of(document: &'d Document, container: &str) -> Option<Self> {
        let below = |path: &Path, key: &str| [path.as_slice(), &keys(key)].concat();
        let items = |list: Path| {
            let count = document.count(&list);
            (0..count).map(move |it| [list.as_slice(), &[PathStep::Item(it)]].concat())
        };
        let mut all = ["initContainers", "containers"]
            .into_iter()
            .flat_map(|list| items(below(&keys("spec.template.spec"), list)));
        let own = all.find(|it| document.scalar(&below(it, "name")) == Some(container))?;
        let variables = items(below(&own, "env")).filter_map(|it| {
            let has_value = document.has(&below(&it, "value"));
            Some(Variable { name: document.scalar(&below(&it, "name"))?, has_value })
        });
        let variables = variables.collect();
        Some(Self { variables, has_more: document.has(&below(&own, "envFrom")) })
    }

    /// Whether a variable is set by its name.
    fn has(&self, variable: &str) -> bool {
        self.variables.iter().any(|it| it.name == variable)
    }
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

/// Whether a path lies in a folder, and is not the folder itself.
fn is_below(path: &str, folder: &str) -> bool {
    is_within(path, folder) && path.trim_end_matches('/') != folder.trim_end_matches('/')
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

    /// Catches a misspelt variable that is not named, one that is called unset though the manifest
    /// sets it or may do so, and certainty where the manifest is not known.
    #[test]
    fn a_variable_that_nothing_sets_is_named() {
        let text = |more: &str| {
            let lines = format!(
                "kind: StatefulSet\nspec:\n  template:\n    spec:\n      containers:\n      \
                - name: app\n        env:\n        - name: POD_NAME\n          valueFrom: \
                {{fieldRef: {{fieldPath: metadata.name}}}}\n{more}"
            );
            ManifestText { text: lines, ..ManifestText::default() }
        };
        let (known, more) = (text(""), text("        envFrom: [{configMapRef: {name: a}}]\n"));
        let reason = |script: &str, manifest| {
            let pod = serde_json::json!({"containers": [writer(script, &[("data", "/data")])]});
            reason("same_content", &spec(&pod), manifest).unwrap_or_default()
        };
        let misspelt = "echo \"I am $HOST_NAME\" > /data/id";
        let told = reason(misspelt, Some(&known));
        assert!(told.contains("uses `$HOST_NAME`, which neither"), "{told}");
        // Catches certainty about what an image sets.
        assert!(told.contains("if its image does not set it"), "{told}");
        for manifest in [Some(&more), None] {
            let told = reason(misspelt, manifest);
            assert!(told.starts_with("Look at `$HOST_NAME`"), "{told}");
        }
        assert_eq!(reason("echo $POD_NAME > /data/id", Some(&known)), "");
    }
}
