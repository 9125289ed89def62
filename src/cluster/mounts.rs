//! Through which container a claim is read: a running one that mounts it, writable before read-only.

use std::collections::BTreeSet;

use checks::model::{
    Incarnation,
    object::{Container, ContainerStatus},
    observation::Reference,
};

/// A claim where one of a pod's running containers mounts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mounted {
    /// The claim's name.
    pub(super) claim: String,
    /// The containers that mount it and where, best first.
    ways: Vec<(String, String)>,
    /// Where the chosen container mounts it.
    pub(super) path: String,
}

impl Mounted {
    /// The claims of a pod that a running container mounts.
    pub(super) fn of(pod: &Incarnation) -> Vec<Self> {
        let spec = pod.spec();
        let sidecars = spec.init_containers.iter().filter(|it| it.restart_policy == "Always");
        let running: Vec<&Container> = spec.containers.iter().chain(sidecars).filter(|it| runs(pod, &it.name)).collect();
        let claims = pod.claims();
        let ways = |volume: &str| {
            let mut ways: Vec<(bool, String, String)> = vec![];
            for container in &running {
                for mount in container.volume_mounts.iter().filter(|it| it.name == volume) {
                    let is_worse = mount.read_only || !mount.sub_path.is_empty() || !mount.sub_path_expr.is_empty();
                    ways.push((is_worse, container.name.clone(), mount.mount_path.clone()));
                }
            }
            ways.sort_by_key(|(is_worse, ..)| *is_worse);
            ways.into_iter().map(|(_, container, path)| (container, path)).collect::<Vec<_>>()
        };
        claims.into_iter().map(|(volume, claim)| Self { claim, ways: ways(&volume), path: String::new() }).filter(|it| !it.ways.is_empty()).collect()
    }

    /// Whether a container other than this one, and with a shell as far as is known, mounts it too.
    pub(super) fn has_other(&self, without_shell: &BTreeSet<String>, container: &str) -> bool {
        self.ways.iter().any(|(name, _)| name != container && !without_shell.contains(name))
    }
}

/// The next container to ask, and the claims that are best read through it.
pub(super) fn choose(left: &[Mounted], without_shell: &BTreeSet<String>) -> Option<(String, Vec<Mounted>)> {
    let best = |it: &Mounted| it.ways.iter().find(|(name, _)| !without_shell.contains(name)).or_else(|| it.ways.first()).cloned();
    let (container, _) = best(left.first()?)?;
    let together = left
        .iter()
        .filter_map(|it| {
            let (name, path) = best(it)?;
            (name == container).then(|| Mounted { path, ..it.clone() })
        })
        .collect();
    Some((container, together))
}

/// A pod by name and UID.
pub(super) fn reference(pod: &Incarnation) -> Reference {
    Reference { name: pod.name().to_owned(), uid: pod.uid().to_owned() }
}

/// Whether one of a pod's containers runs now.
pub(super) fn runs(pod: &Incarnation, container: &str) -> bool {
    let status = &pod.pod.status;
    let is_up = |it: &ContainerStatus| it.name == container && it.state.running.is_some();
    status.container_statuses.iter().chain(&status.init_container_statuses).any(is_up)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use checks::model::{
        Observation, Timeline, What,
        object::Object,
        observation::Change,
    };

    use super::{Mounted, choose};

    fn mounted(pod: &str) -> Vec<Mounted> {
        let pod = serde_json::from_str(pod).unwrap();
        let timeline = Timeline::of(&[Observation { seq: 1, at: 1, what: What::Object(Change::Listed, Object::Pod(pod)) }]);
        timeline.strays().flat_map(Mounted::of).collect()
    }

    const POD: &str = r#"{"metadata": {"name": "web-0", "uid": "1"},
        "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}, {"name": "logs", "persistentVolumeClaim": {"claimName": "logs-web-0"}}, {"name": "tmp", "emptyDir": {}}],
            "initContainers": [{"name": "setup", "volumeMounts": [{"name": "data", "mountPath": "/d"}]},
                {"name": "shipper", "restartPolicy": "Always", "volumeMounts": [{"name": "logs", "mountPath": "/l"}]}],
            "containers": [{"name": "reader", "volumeMounts": [{"name": "data", "mountPath": "/r", "readOnly": true}]},
                {"name": "web", "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}]}]},
        "status": {"containerStatuses": [{"name": "reader", "state": {"running": {}}}, {"name": "web", "state": {"running": {"startedAt": "x"}}}],
            "initContainerStatuses": [{"name": "setup", "state": {"terminated": {"exitCode": 0}}}, {"name": "shipper", "state": {"running": {"startedAt": "x"}}}]}}"#;

    #[test]
    fn writable_before_read_only_and_sidecars_too() {
        let left = mounted(POD);
        let none = BTreeSet::new();
        let (container, together) = choose(&left, &none).unwrap();
        assert_eq!((container.as_str(), together.len(), together[0].path.as_str()), ("web", 1, "/data"));
        let (container, together) = choose(&left[1..], &none).unwrap();
        assert_eq!((container.as_str(), together[0].claim.as_str()), ("shipper", "logs-web-0"));
    }

    #[test]
    fn without_a_shell_another_container_is_asked() {
        let left = mounted(POD);
        assert!(left[0].has_other(&BTreeSet::new(), "web"));
        let (container, _) = choose(&left, &BTreeSet::from(["web".to_owned()])).unwrap();
        assert_eq!(container, "reader");
        assert!(!left[1].has_other(&BTreeSet::new(), "shipper"));
    }
}
