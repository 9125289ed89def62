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

/// So many containers, and mounts of each, are looked at: each pair of them costs a reading.
const MAX_LOOKED_AT: usize = 20;
/// The variable that a container runtime sets to the pod's name.
const HOST_NAME: &str = "HOSTNAME";

/// What in the template explains one of the mistakes about content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    /// What stands there, a sentence.
    pub(super) seen: String,
    /// What to write instead, a sentence, where only the reason tells it: part of the remedy.
    pub(super) write: Option<String>,
}

impl Reason {
    fn of(seen: impl Into<String>, write: impl Into<String>) -> Self {
        Self { seen: seen.into(), write: Some(write.into()) }
    }

    fn only_seen(seen: impl Into<String>) -> Self {
        Self { seen: seen.into(), write: None }
    }

    fn sanitized(self) -> Self {
        Self { seen: sanitize(&self.seen), write: self.write.map(|it| sanitize(&it)) }
    }
}

/// Finds it, in the order in which it explains most.
pub(super) fn reason(
    id: &str,
    spec: &StatefulSetSpec,
    manifest: Option<&ManifestText>,
) -> Option<Reason> {
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
    reason.map(Reason::sanitized)
}

/// `$(HOSTNAME)`, which Kubernetes replaces only where the template sets the variable, and a shell
/// takes for a command.
fn substituted(spec: &StatefulSetSpec, manifest: Option<&Document>) -> Option<Reason> {
    let is_set = |it: &Container| {
        manifest
            .and_then(|document| Env::of(document, &it.name))
            .is_some_and(|it| it.has(HOST_NAME))
    };
    let is_command = |it: &&Container| program(it).contains("$(HOSTNAME)") && !is_set(it);
    let found = containers(spec).find(is_command)?;
    Some(Reason::of(
        format!(
            "Container {} says `$(HOSTNAME)`, which a shell takes for a command of that name.",
            found.name
        ),
        "The variable is `$HOSTNAME`, and the command is `$(hostname)`.",
    ))
}

/// The name in single quotes, which a shell writes as it stands.
fn quoted(spec: &StatefulSetSpec) -> Option<Reason> {
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
                return Some(Reason::of(
                    format!(
                        "Container {} writes `{name}` in single quotes, in which a shell replaces \
                        nothing.",
                        container.name
                    ),
                    "Double quotes are needed.",
                ));
            }
        }
    }
    None
}

/// `env` that sets the variable by which the script means the pod's name.
fn own_variable(spec: &StatefulSetSpec, manifest: &Document) -> Option<Reason> {
    for container in containers(spec) {
        let Some(env) = Env::of(manifest, &container.name) else { continue };
        let is_set = env.variables.iter().any(|it| it.name == HOST_NAME && it.has_value);
        let program = program(container);
        let mut uses = ["$HOSTNAME", "${HOSTNAME}", "$(HOSTNAME)"].into_iter();
        if is_set && let Some(used) = uses.find(|it| program.contains(it)) {
            return Some(Reason::of(
                format!(
                    "The `env` of container {} sets HOSTNAME to one value for all pods, so \
                    `{used}` is not the pod's name there.",
                    container.name
                ),
                "`$(hostname)` is the pod's name.",
            ));
        }
    }
    None
}

/// A variable that is meant for the pod's name, and that the manifest does not set.
fn unset_variable(spec: &StatefulSetSpec, manifest: &Document) -> Option<Reason> {
    for (container, variable) in unset_variables(spec) {
        let env = Env::of(manifest, &container.name);
        if env.is_some_and(|it| !it.has(&variable) && !it.has_more) {
            return Some(Reason::of(
                format!(
                    "Container {} uses `${variable}`, which neither its command nor its `env` \
                    sets: if its image does not set it, it is empty.",
                    container.name
                ),
                "Write `$HOSTNAME` or `$(hostname)` for the pod's name.",
            ));
        }
    }
    None
}

/// The same, where it is not known whether something sets it.
fn variable_to_look_at(spec: &StatefulSetSpec, manifest: Option<&Document>) -> Option<Reason> {
    for (container, variable) in unset_variables(spec) {
        let env = manifest.and_then(|it| Env::of(it, &container.name));
        if !env.is_some_and(|it| it.has(&variable)) {
            return Some(Reason::of(
                format!(
                    "Look at `${variable}` in the command of container {}: if neither `env` nor \
                    `envFrom` sets it, it is empty.",
                    container.name
                ),
                "The pod's name is `$HOSTNAME`, or `$(hostname)`.",
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
fn mounted_over(spec: &StatefulSetSpec) -> Option<Reason> {
    for container in containers(spec) {
        let program = program(container);
        for claim in
            container.volume_mounts.iter().take(MAX_LOOKED_AT).filter(|it| is_own(spec, it))
        {
            let mut mounts = container.volume_mounts.iter().take(MAX_LOOKED_AT);
            let inner = mounts.find(|it| {
                !is_own(spec, it)
                    && is_below(&it.mount_path, &claim.mount_path)
                    && program.contains(it.mount_path.trim_end_matches('/'))
            });
            if let Some(inner) = inner {
                return Some(Reason::only_seen(format!(
                    "The volume {} is mounted at {}, within the PVC's {}: what container {} \
                    writes there is not on the PVC, and does not count.",
                    inner.name, inner.mount_path, claim.mount_path, container.name
                )));
            }
        }
    }
    None
}

/// A container that writes to the claim's folder, while only another one mounts the claim.
fn mounted_elsewhere(spec: &StatefulSetSpec) -> Option<Reason> {
    for owner in containers(spec) {
        for claim in owner.volume_mounts.iter().take(MAX_LOOKED_AT).filter(|it| is_own(spec, it)) {
            let folder = claim.mount_path.trim_end_matches('/');
            let writes = |it: &&Container| {
                let has_it = |mount: &VolumeMount| {
                    mount.name == claim.name || mount.mount_path.trim_end_matches('/') == folder
                };
                !it.volume_mounts.iter().any(has_it) && writes_below(&program(it), folder)
            };
            if let Some(other) = containers(spec).find(writes) {
                return Some(Reason::only_seen(format!(
                    "Container {} writes to {folder}, but only container {} mounts the PVC \
                    there: what the first one writes stays in its own file system.",
                    other.name, owner.name
                )));
            }
        }
    }
    None
}

/// A container that mounts the claim, and writes elsewhere.
fn written_beside(spec: &StatefulSetSpec) -> Option<Reason> {
    for container in containers(spec) {
        let mounts = &container.volume_mounts;
        let Some(claim) = mounts.iter().find(|it| is_own(spec, it)) else { continue };
        let folders: Vec<&str> = mounts.iter().map(|it| it.mount_path.as_str()).collect();
        let program = program(container);
        if writes_below(&program, &claim.mount_path) {
            continue;
        }
        if let Some(folder) = script::written_folder(&program, &folders) {
            return Some(Reason::only_seen(format!(
                "Container {} writes to {folder}, where no volume is mounted: its PVC is mounted at \
                {}.",
                container.name, claim.mount_path
            )));
        }
    }
    None
}

fn containers(spec: &StatefulSetSpec) -> impl Iterator<Item = &Container> {
    spec.template.spec.all_containers().take(MAX_LOOKED_AT)
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

/// `> /data/id`, with or without a space.
fn writes_below(program: &str, folder: &str) -> bool {
    let mut writes = program.split('>').skip(1);
    writes.any(|it| is_below(it.trim_start().trim_start_matches('"'), folder))
}

#[cfg(test)]
mod tests;
