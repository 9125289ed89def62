//! Which folder of a volume a mount's `subPathExpr` names: one for each pod, or one for all, and
//! whether the next pod gets the same.

use crate::model::observation::object::{Container, EnvVar, PodSpec, VolumeMount};

/// What a mount's `subPathExpr` tells of the folder of the volume that the mount shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// Whether it is named after the pod.
    pub names_pod: NamesPod,
    /// Which folder the next pod of that name gets.
    pub next: NextFolder,
}

/// Whether a folder is named after the pod: after its name, its UID or an address of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamesPod {
    /// It is not.
    #[default]
    No,
    /// It has a variable of which no more is known than that it is no field of the pod.
    Unknown,
    /// It is.
    Yes,
}

/// Which folder of the volume the next pod of the same name gets by the same mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum NextFolder {
    /// The same.
    #[default]
    Same,
    /// Nobody knows: it has a variable of which no more is known than that it is no field of the
    /// pod.
    Unknown,
    /// Another one, unless the pod keeps its address.
    OfAddress,
    /// Another one.
    Another,
}

impl Folder {
    /// Of a variable, or text, and another one beside it.
    fn and(self, other: Self) -> Self {
        Self { names_pod: self.names_pod.max(other.names_pod), next: self.next.max(other.next) }
    }

    /// Of a variable whose value is that of a field of the pod.
    fn of_field(field: &str, is_host_network: bool) -> Self {
        let of_pod = |next| Self { names_pod: NamesPod::Yes, next };
        match field {
            "metadata.name"
            | "metadata.labels['statefulset.kubernetes.io/pod-name']"
            | "metadata.labels['apps.kubernetes.io/pod-index']" => of_pod(NextFolder::Same),
            "metadata.uid" => of_pod(NextFolder::Another),
            // On the node's network it is the node's address.
            "status.podIP" | "status.podIPs" if !is_host_network => of_pod(NextFolder::OfAddress),
            _ => Self::default(),
        }
    }

    /// Of a variable that is no field of the pod: it may be made of another one.
    const UNKNOWN: Self = Self { names_pod: NamesPod::Unknown, next: NextFolder::Unknown };
}

impl PodSpec {
    /// The folder of its volume that is mounted at a path in a container.
    #[must_use]
    pub fn folder(&self, container: &str, mount_path: &str) -> Folder {
        let container = self.all_containers().find(|it| it.name == container);
        let folder = container.and_then(|container| {
            let mount = container.volume_mounts.iter().find(|it| it.mount_path == mount_path)?;
            Some(self.folder_of(container, mount))
        });
        folder.unwrap_or_default()
    }

    fn folder_of(&self, container: &Container, mount: &VolumeMount) -> Folder {
        let of_variable = |name| {
            let field = container.field_of(name);
            field.map_or(Folder::UNKNOWN, |it| Folder::of_field(it, self.host_network))
        };
        variables(&mount.sub_path_expr).map(of_variable).fold(Folder::default(), Folder::and)
    }

    /// Whether it mounts folders of a volume, and the next pod of the same name may mount none of
    /// these.
    #[must_use]
    pub fn may_leave_all_folders(&self, volume: &str) -> bool {
        let mounts = self.all_containers().flat_map(|container| {
            let mounts = container.volume_mounts.iter().filter(|it| it.name == volume);
            mounts.map(|it| self.folder_of(container, it).next)
        });
        mounts.min().is_some_and(|it| it != NextFolder::Same)
    }

    /// Names the folders of volumes that are named after what only one life of the pod has after the
    /// pod's name.
    pub fn name_folders_after_the_pod(&mut self) {
        let is_host_network = self.host_network;
        for container in self.all_containers_mut() {
            for variable in &mut container.env {
                let source = variable.value_from.as_mut().and_then(|it| it.field_ref.as_mut());
                let Some(field) = source.map(|it| &mut it.field_path) else { continue };
                if Folder::of_field(field, is_host_network).next != NextFolder::Same {
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
    use super::{Container, EnvVar, NamesPod, NextFolder, PodSpec, VolumeMount, variables};
    use crate::model::observation::object::{EnvVarSource, ObjectFieldSelector};

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

    /// Catches a folder of the node, or one with a fixed name, that passes for the pod's; a folder of
    /// one life that passes for one that stays; and a variable made of others that passes for text.
    #[test]
    fn a_folder_is_whose_name_it_has() {
        let of = |expression: &str, field: &str| {
            let pod =
                app(expression, vec![from_field("V", field), from_field("UID", "metadata.uid")]);
            let folder = pod.folder("app", "/data");
            (folder.names_pod, folder.next)
        };
        let of_the_pod = |next| (NamesPod::Yes, next);
        let label = "metadata.labels['apps.kubernetes.io/pod-index']";
        assert_eq!(of("$(V)", "metadata.name"), of_the_pod(NextFolder::Same));
        assert_eq!(of("all/$(V)", label), of_the_pod(NextFolder::Same));
        assert_eq!(of("$(V)", "metadata.uid"), of_the_pod(NextFolder::Another));
        assert_eq!(of("$(V)/$(UID)", "metadata.name"), of_the_pod(NextFolder::Another));
        assert_eq!(of("$(V)", "status.podIP"), of_the_pod(NextFolder::OfAddress));
        assert_eq!(of("$(DIR)", "metadata.name"), (NamesPod::Unknown, NextFolder::Unknown));
        assert_eq!(of("$(V)/$(DIR)", "metadata.name"), of_the_pod(NextFolder::Unknown));
        for (expression, field) in [
            ("$(V)", "spec.nodeName"),
            ("$(V)", "metadata.labels['app']"),
            ("$$(V)", "metadata.name"),
            ("fixed", "metadata.name"),
        ] {
            assert_eq!(of(expression, field), (NamesPod::No, NextFolder::Same), "{expression}");
        }
        let mut on_the_node = app("$(V)", vec![from_field("V", "status.podIP")]);
        on_the_node.host_network = true;
        assert_eq!(on_the_node.folder("app", "/data"), Default::default());
        assert_eq!(on_the_node.folder("app", "/"), Default::default());
    }

    /// Catches a volume that one container mounts whole, and that passes for one of which the next
    /// pod sees nothing because another container mounts a folder of it.
    #[test]
    fn a_volume_is_left_where_no_mount_of_it_stays() {
        let mut pod = app("$(V)", vec![from_field("V", "metadata.uid")]);
        pod.containers[0].volume_mounts[0].name = "data".to_owned();
        assert!(pod.may_leave_all_folders("data"));
        assert!(!pod.may_leave_all_folders("other"));
        let whole = VolumeMount { name: "data".to_owned(), ..VolumeMount::default() };
        let volume_mounts = vec![whole];
        pod.containers.push(Container { volume_mounts, ..Container::default() });
        assert!(!pod.may_leave_all_folders("data"));
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
