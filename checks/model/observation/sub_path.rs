//! Which folder of a volume a mount's `subPathExpr` names: one for each pod, or one for all.

use crate::model::observation::object::{Container, EnvVar, PodSpec, VolumeMount};

/// Whose folder of a volume a mount shows, as far as its `subPathExpr` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderOwner {
    /// It is not named after a pod.
    #[default]
    Nobody,
    /// It is named after the pod, and every pod of that name gets the same one.
    Pod,
    /// It is named after what only one life of the pod has: the next pod of that name gets another.
    PodLife,
}

impl PodSpec {
    /// Whose folder of its volume is mounted at a path in a container.
    #[must_use]
    pub fn folder_owner(&self, container: &str, mount_path: &str) -> FolderOwner {
        let container = self.all_containers().find(|it| it.name == container);
        let owner = container.and_then(|container| {
            let mount = container.volume_mounts.iter().find(|it| it.mount_path == mount_path)?;
            Some(self.owner_of(container, mount))
        });
        owner.unwrap_or_default()
    }

    fn owner_of(&self, container: &Container, mount: &VolumeMount) -> FolderOwner {
        let variables = variables(&mount.sub_path_expr);
        let fields = variables.filter_map(|name| container.field_of(name));
        fields.map(|field| owner_by_field(field, self.host_network)).max().unwrap_or_default()
    }
}

fn owner_by_field(field: &str, is_host_network: bool) -> FolderOwner {
    match field {
        "metadata.name"
        | "metadata.labels['statefulset.kubernetes.io/pod-name']"
        | "metadata.labels['apps.kubernetes.io/pod-index']" => FolderOwner::Pod,
        "metadata.uid" => FolderOwner::PodLife,
        // On the node's network it is the node's address.
        "status.podIP" | "status.podIPs" if !is_host_network => FolderOwner::PodLife,
        _ => FolderOwner::Nobody,
    }
}

impl PodSpec {
    /// Names the folders of volumes that are named after what only one life of the pod has after the
    /// pod's name.
    pub fn name_folders_after_the_pod(&mut self) {
        let is_host_network = self.host_network;
        for container in self.all_containers_mut() {
            for variable in &mut container.env {
                let source = variable.value_from.as_mut().and_then(|it| it.field_ref.as_mut());
                let Some(field) = source.map(|it| &mut it.field_path) else { continue };
                if owner_by_field(field, is_host_network) == FolderOwner::PodLife {
                    "metadata.name".clone_into(field);
                }
            }
        }
    }
}

impl Container {
    /// The field of the pod that one of its variables is from.
    fn field_of(&self, variable: &str) -> Option<&str> {
        let variable = self.env.iter().rfind(|it| it.name == variable)?;
        Some(&variable.value_from.as_ref()?.field_ref.as_ref()?.field_path)
    }

    /// Removes all variables but those that its own `subPathExpr` uses and that name a field of the
    /// pod.
    pub fn keep_sub_path_variables(&mut self) {
        let mut kept: Vec<EnvVar> = vec![];
        // Of two variables of one name the last one counts.
        for variable in std::mem::take(&mut self.env).into_iter().rev() {
            if !kept.iter().any(|it| it.name == variable.name) {
                kept.push(variable);
            }
        }
        let is_used = |name: &str| {
            self.volume_mounts.iter().any(|it| variables(&it.sub_path_expr).any(|it| it == name))
        };
        kept.retain(|it| {
            it.value_from.as_ref().is_some_and(|it| it.field_ref.is_some()) && is_used(&it.name)
        });
        kept.reverse();
        self.env = kept;
    }
}

/// The variables that an expression names, as Kubernetes expands it: `$(NAME)`, but not `$$(NAME)`.
fn variables(expression: &str) -> impl Iterator<Item = &str> {
    let mut rest = expression;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('$')?;
            if let Some(after) = after.strip_prefix('$') {
                rest = after;
                continue;
            }
            rest = after;
            let named = after.strip_prefix('(').and_then(|it| it.split_once(')'));
            if let Some((name, after)) = named {
                rest = after;
                return Some(name);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{FolderOwner, variables};
    use crate::model::observation::object::{EnvVarSource, ObjectFieldSelector};

    use super::{Container, EnvVar, PodSpec, VolumeMount};

    fn from_field(name: &str, field: &str) -> EnvVar {
        let field_ref = Some(ObjectFieldSelector { field_path: field.to_owned() });
        EnvVar { name: name.to_owned(), value_from: Some(EnvVarSource { field_ref }) }
    }

    fn app(expression: &str, env: Vec<EnvVar>) -> PodSpec {
        let mount = VolumeMount {
            mount_path: "/data".to_owned(),
            sub_path_expr: expression.to_owned(),
            ..VolumeMount::default()
        };
        let container = Container {
            name: "app".to_owned(),
            volume_mounts: vec![mount],
            env,
            ..Container::default()
        };
        PodSpec { containers: vec![container], ..PodSpec::default() }
    }

    /// Catches an escaped name, or text without an end, that is taken for a variable.
    #[test]
    fn names_are_found_as_kubernetes_expands_them() {
        let named = |it| variables(it).collect::<Vec<_>>();
        assert_eq!(named("a/$(POD)/$(B)"), ["POD", "B"]);
        assert_eq!(named("$$(POD)$$$(C)$(open"), ["C"]);
        assert_eq!(named("plain $ $POD ("), [""; 0]);
    }

    /// Catches a folder of the node, or one with a fixed name, that passes for the pod's, and a
    /// folder of one life that passes for one that stays.
    #[test]
    fn a_folder_is_whose_name_it_has() {
        let owner = |expression: &str, field: &str| {
            app(expression, vec![from_field("V", field)]).folder_owner("app", "/data")
        };
        assert_eq!(owner("$(V)", "metadata.name"), FolderOwner::Pod);
        assert_eq!(
            owner("all/$(V)", "metadata.labels['apps.kubernetes.io/pod-index']"),
            FolderOwner::Pod
        );
        assert_eq!(owner("$(V)", "metadata.uid"), FolderOwner::PodLife);
        assert_eq!(owner("$(V)", "status.podIP"), FolderOwner::PodLife);
        for (expression, field) in [
            ("$(V)", "spec.nodeName"),
            ("$(V)", "metadata.labels['app']"),
            ("$(OTHER)", "metadata.name"),
            ("$$(V)", "metadata.name"),
            ("fixed", "metadata.name"),
        ] {
            assert_eq!(owner(expression, field), FolderOwner::Nobody, "{expression} {field}");
        }
        let mut on_the_node = app("$(V)", vec![from_field("V", "status.podIP")]);
        on_the_node.host_network = true;
        assert_eq!(on_the_node.folder_owner("app", "/data"), FolderOwner::Nobody);
        assert_eq!(on_the_node.folder_owner("app", "/"), FolderOwner::Nobody);
    }

    /// Catches a variable that is kept though nothing uses it, or though another one of its name
    /// hides it.
    #[test]
    fn only_variables_of_a_folder_are_kept() {
        let hidden = EnvVar { name: "HIDDEN".to_owned(), value_from: None };
        let env = vec![
            from_field("HIDDEN", "metadata.name"),
            from_field("POD", "metadata.name"),
            from_field("UNUSED", "metadata.uid"),
            hidden,
        ];
        let mut pod = app("$(POD)$(HIDDEN)", env);
        pod.containers[0].keep_sub_path_variables();
        assert_eq!(pod.containers[0].env, [from_field("POD", "metadata.name")]);
    }
}
