//! Through which container a claim is read: a running one that mounts it, writable before
//! read-only.

use std::collections::BTreeSet;

use checks::model::{
    PodLife,
    observation::{
        Reference,
        object::{ContainerStatus, VolumeMount},
    },
};

use crate::cluster::exec::error::ExecError;

/// A view of a claim: the whole of it, or one folder where nothing mounts the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mounted {
    /// The claim's name.
    pub(crate) claim: String,
    /// Its volume in the pod.
    pub(crate) volume: String,
    /// The containers that mount it and where, best first.
    ways: Vec<Way>,
    /// Where the chosen container mounts it.
    pub(crate) path: String,
    /// The claim's first view: the one that canaries are written and looked for by.
    pub(crate) is_first: bool,
    /// Some container mounts more of the claim than its views show together.
    pub(crate) is_partial: bool,
}

/// One mount in one running container.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Way {
    container: String,
    path: String,
    /// The folder of the volume; empty: all of it.
    folder: String,
    read_only: bool,
}

impl Mounted {
    /// What a pod's running containers mount of its claims.
    pub(crate) fn of(pod: &PodLife) -> Vec<Self> {
        pod.claims()
            .into_iter()
            .flat_map(|(volume, claim)| Self::of_claim(pod, &volume, &claim))
            .collect()
    }

    fn of_claim(pod: &PodLife, volume: &str, claim: &str) -> Vec<Self> {
        let spec = pod.spec();
        let all = || spec.containers.iter().chain(&spec.init_containers);
        let (mut ways, mut folders): (Vec<Way>, BTreeSet<String>) = Default::default();
        for container in all() {
            for mount in container.volume_mounts.iter().filter(|it| it.name == volume) {
                let folder = folder(mount);
                folders.insert(folder.clone());
                if runs(pod, &container.name) {
                    ways.push(Way {
                        container: container.name.clone(),
                        path: mount.mount_path.clone(),
                        folder,
                        read_only: mount.read_only,
                    });
                }
            }
        }
        // One view of everything, if there is one; its folders are but a substitute where its
        // container has no shell.
        ways.sort_by_key(|way| (!way.folder.is_empty(), way.read_only));
        let whole = ways.first().is_some_and(|way| way.folder.is_empty());
        let seen: BTreeSet<String> = ways.iter().map(|way| way.folder.clone()).collect();
        let is_partial = !whole && folders != seen;
        let views: Vec<Vec<Way>> = if whole {
            vec![ways]
        } else {
            seen.iter()
                .map(|folder| ways.iter().filter(|way| way.folder == *folder).cloned().collect())
                .collect()
        };
        let view = |(place, ways): (usize, Vec<Way>)| Self {
            claim: claim.to_owned(),
            volume: volume.to_owned(),
            ways,
            path: String::new(),
            is_first: place == 0,
            is_partial,
        };
        views.into_iter().filter(|it| !it.is_empty()).enumerate().map(view).collect()
    }

    /// Whether two are views of the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.claim == other.claim && self.ways == other.ways
    }

    /// Whether a container other than this one, and with a shell as far as is known, mounts it too.
    pub(crate) fn has_other(&self, without_shell: &BTreeSet<String>, container: &str) -> bool {
        self.ways
            .iter()
            .any(|way| way.container != container && !without_shell.contains(&way.container))
    }
}

impl Mounted {
    /// The same view through each other container that mounts it, and has a shell as far as is
    /// known.
    pub(crate) fn elsewhere(
        &self,
        without_shell: &BTreeSet<String>,
        container: &str,
    ) -> Vec<(String, Self)> {
        let folder = self
            .ways
            .iter()
            .find(|way| way.container == container && way.path == self.path)
            .map(|way| &way.folder);
        let others = self.ways.iter().filter(|way| {
            way.container != container
                && Some(&way.folder) == folder
                && !without_shell.contains(&way.container)
        });
        others
            .map(|way| (way.container.clone(), Self { path: way.path.clone(), ..self.clone() }))
            .collect()
    }
}

/// Goes through all views of a pod's claims, one container at a time.
///
/// Where a container has no shell, another container that mounts the same is asked instead; where
/// there is none, an ephemeral container can be, if the caller has the image for one.
#[derive(Debug)]
pub(crate) struct MountWalk {
    left: Vec<Mounted>,
    without_shell: BTreeSet<String>,
    closed: Vec<Mounted>,
    has_probe: bool,
}

impl MountWalk {
    pub(crate) fn new(mounted: Vec<Mounted>, has_probe: bool) -> Self {
        Self { left: mounted, without_shell: BTreeSet::new(), closed: vec![], has_probe }
    }

    /// The next container to ask, and the views that are best read through it.
    pub(crate) fn next(&self) -> Option<(String, Vec<Mounted>)> {
        choose(&self.left, &self.without_shell)
    }

    /// Notes how asking a container ended. False where the container has no shell and something
    /// else is asked in its place: then this end says nothing.
    pub(crate) fn finish(
        &mut self,
        container: &str,
        mounts: &[Mounted],
        error: Option<&ExecError>,
    ) -> bool {
        let has_no_shell = error == Some(&ExecError::NoShell);
        if has_no_shell && self.left.iter().any(|it| it.has_other(&self.without_shell, container)) {
            self.without_shell.insert(container.to_owned());
            return false;
        }
        self.left.retain(|it| !mounts.iter().any(|mount| mount.is_same(it)));
        if has_no_shell && self.has_probe {
            self.closed.extend(mounts.iter().cloned());
            return false;
        }
        true
    }

    /// The containers that are known to have no shell.
    pub(crate) const fn without_shell(&self) -> &BTreeSet<String> {
        &self.without_shell
    }

    /// What only an ephemeral container can read, as that container mounts it. Empty if nothing is
    /// left to read, or if there is no image for one.
    pub(crate) fn for_ephemeral(&self) -> Vec<Mounted> {
        mounted_whole(&self.closed)
    }
}

/// The next container to ask, and the views that are best read through it.
pub(crate) fn choose(
    left: &[Mounted],
    without_shell: &BTreeSet<String>,
) -> Option<(String, Vec<Mounted>)> {
    let best = |it: &Mounted| {
        it.ways
            .iter()
            .find(|way| !without_shell.contains(&way.container))
            .or_else(|| it.ways.first())
            .cloned()
    };
    let Way { container, .. } = best(left.first()?)?;
    let together = left
        .iter()
        .filter_map(|it| {
            let way = best(it)?;
            let is_partial = it.is_partial
                || it
                    .ways
                    .first()
                    .is_some_and(|best| best.folder.is_empty() && !way.folder.is_empty());
            (way.container == container).then(|| Mounted {
                path: way.path,
                is_partial,
                ..it.clone()
            })
        })
        .collect();
    Some((container, together))
}

/// The claims behind these views, each mounted once and whole: the API server takes no `subPath` in
/// an ephemeral container.
fn mounted_whole(closed: &[Mounted]) -> Vec<Mounted> {
    let mut known = BTreeSet::new();
    let claims = closed.iter().filter(|it| known.insert(it.claim.clone())).enumerate();
    claims
        .map(|(place, it)| Mounted {
            path: format!("/stsgrade/{place}"),
            is_first: true,
            is_partial: false,
            ..it.clone()
        })
        .collect()
}

/// The folder of its volume that a mount shows; empty: all of it.
fn folder(mount: &VolumeMount) -> String {
    if mount.sub_path.is_empty() { mount.sub_path_expr.clone() } else { mount.sub_path.clone() }
}

/// A pod by name and UID.
pub(crate) fn reference(pod: &PodLife) -> Reference {
    Reference { name: pod.name().to_owned(), uid: pod.uid().to_owned() }
}

/// Whether one of a pod's containers runs now.
pub(crate) fn runs(pod: &PodLife, container: &str) -> bool {
    let is_up = |it: &ContainerStatus| it.name == container && it.state.running.is_some();
    pod.pod.status.all_containers().any(is_up)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use checks::model::{
        Observation, Timeline, What,
        observation::{Change, object::Object},
    };

    use super::{Mounted, choose};

    fn mounted(pod: &str) -> Vec<Mounted> {
        let pod = serde_json::from_str(pod).unwrap();
        let timeline = Timeline::of(&[Observation {
            seq: 1,
            at: 1,
            what: What::Object(Change::Listed, Object::Pod(pod)),
        }]);
        timeline.unowned_pods().flat_map(Mounted::of).collect()
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
        assert_eq!(
            (container.as_str(), together.len(), together[0].path.as_str()),
            ("web", 1, "/data")
        );
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

    #[test]
    fn the_same_view_through_other_containers() {
        let left = mounted(POD);
        let (container, together) = choose(&left, &BTreeSet::new()).unwrap();
        let others = together[0].elsewhere(&BTreeSet::new(), &container);
        assert_eq!(
            others
                .iter()
                .map(|(name, view)| (name.as_str(), view.path.as_str()))
                .collect::<Vec<_>>(),
            [("reader", "/r")]
        );
        assert!(
            together[0].elsewhere(&BTreeSet::from(["reader".to_owned()]), &container).is_empty()
        );
    }

    fn of_mounts(main: &str, other: &str) -> Vec<Mounted> {
        mounted(&format!(
            r#"{{"metadata": {{"name": "web-0", "uid": "1"}},
            "spec": {{"volumes": [{{"name": "data", "persistentVolumeClaim": {{"claimName": "data-web-0"}}}}],
                "initContainers": [{{"name": "setup", "volumeMounts": [{other}]}}],
                "containers": [{{"name": "web", "volumeMounts": [{main}]}}]}},
            "status": {{"containerStatuses": [{{"name": "web", "state": {{"running": {{"startedAt": "x"}}}}}}]}}}}"#
        ))
    }

    #[test]
    fn each_folder_of_a_claim_is_a_view() {
        let two = r#"{"name": "data", "mountPath": "/html", "subPath": "html"}, {"name": "data", "mountPath": "/log", "subPathExpr": "$(POD)/log"}"#;
        let left = of_mounts(two, "");
        let (_, together) = choose(&left, &BTreeSet::new()).unwrap();
        let seen: Vec<_> =
            together.iter().map(|it| (it.path.as_str(), it.is_first, it.is_partial)).collect();
        assert_eq!(seen, [("/log", true, false), ("/html", false, false)]);
        assert!(!left[0].is_same(&left[1]));
        let whole = format!(r#"{two}, {{"name": "data", "mountPath": "/all", "readOnly": true}}"#);
        let (_, together) = choose(&of_mounts(&whole, ""), &BTreeSet::new()).unwrap();
        assert_eq!(together.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(), ["/all"]);
    }

    #[test]
    fn what_only_an_ended_container_mounted_is_not_seen() {
        let left = of_mounts(
            r#"{"name": "data", "mountPath": "/html", "subPath": "html"}"#,
            r#"{"name": "data", "mountPath": "/data"}"#,
        );
        assert!(left[0].is_partial);
    }
}
