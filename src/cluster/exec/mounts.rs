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

/// What a pod's containers show of a claim: all of it, or one folder where nothing mounts all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimView {
    /// The claim's name.
    pub(crate) claim: String,
    /// Its volume in the pod.
    pub(crate) volume: String,
    /// The mounts that show it, best first.
    mounts: Vec<ContainerMount>,
    /// Where the chosen container mounts it.
    pub(crate) path: String,
    /// The claim's first view: the one that canaries are written and looked for by.
    pub(crate) is_first: bool,
    /// Some container mounts more of the claim than its views show together.
    pub(crate) is_partial: bool,
}

/// One mount in one running container.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ContainerMount {
    container: String,
    path: String,
    /// The folder of the volume; empty: all of it.
    folder: String,
    read_only: bool,
}

impl ClaimView {
    /// What a pod's running containers mount of its claims.
    pub(crate) fn of(pod: &PodLife) -> Vec<Self> {
        pod.claims()
            .into_iter()
            .flat_map(|(volume, claim)| Self::of_claim(pod, &volume, &claim))
            .collect()
    }

    fn of_claim(pod: &PodLife, volume: &str, claim: &str) -> Vec<Self> {
        let spec = pod.spec();
        // The containers first, the sidecars after them.
        let all = spec.containers.iter().chain(&spec.init_containers);
        let (mut mounts, mut folders): (Vec<ContainerMount>, BTreeSet<String>) = Default::default();
        for container in all {
            for mount in container.volume_mounts.iter().filter(|it| it.name == volume) {
                let folder = folder(mount);
                folders.insert(folder.clone());
                if runs(pod, &container.name) {
                    mounts.push(ContainerMount {
                        container: container.name.clone(),
                        path: mount.mount_path.clone(),
                        folder,
                        read_only: mount.read_only,
                    });
                }
            }
        }
        // Where a mount shows everything, there is one view. Mounts of folders come last in it, for
        // a container without a shell.
        mounts.sort_by_key(|mount| (!mount.folder.is_empty(), mount.read_only));
        let whole = mounts.first().is_some_and(|it| it.folder.is_empty());
        let seen: BTreeSet<String> = mounts.iter().map(|mount| mount.folder.clone()).collect();
        let is_partial = !whole && folders != seen;
        let views: Vec<Vec<ContainerMount>> = if whole {
            vec![mounts]
        } else {
            seen.iter()
                .map(|folder| {
                    mounts.iter().filter(|mount| mount.folder == *folder).cloned().collect()
                })
                .collect()
        };
        let mut views: Vec<Vec<ContainerMount>> =
            views.into_iter().filter(|it| !it.is_empty()).collect();
        // The canary is written where the first one is.
        views.sort_by_key(|mounts| mounts[0].read_only);
        let view = |(place, mounts): (usize, Vec<ContainerMount>)| Self {
            claim: claim.to_owned(),
            volume: volume.to_owned(),
            mounts,
            path: String::new(),
            is_first: place == 0,
            is_partial,
        };
        views.into_iter().enumerate().map(view).collect()
    }

    /// Whether two are views of the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.claim == other.claim && self.mounts == other.mounts
    }

    /// Whether a container other than this one, and with a shell as far as is known, mounts it too.
    pub(crate) fn has_other(&self, without_shell: &BTreeSet<String>, container: &str) -> bool {
        self.mounts
            .iter()
            .any(|mount| mount.container != container && !without_shell.contains(&mount.container))
    }

    /// The same view through each other container that mounts it, and has a shell as far as is
    /// known.
    pub(crate) fn through_other_containers(
        &self,
        without_shell: &BTreeSet<String>,
        container: &str,
    ) -> Vec<(String, Self)> {
        let folder = self
            .mounts
            .iter()
            .find(|mount| mount.container == container && mount.path == self.path)
            .map(|mount| &mount.folder);
        let others = self.mounts.iter().filter(|mount| {
            mount.container != container
                && Some(&mount.folder) == folder
                && !without_shell.contains(&mount.container)
        });
        others
            .map(|mount| {
                (mount.container.clone(), Self { path: mount.path.clone(), ..self.clone() })
            })
            .collect()
    }
}

/// Goes through all views of a pod's claims, one container at a time.
///
/// Where a container has no shell, another container that mounts the same is asked instead; where
/// there is none, an ephemeral container can be, if the caller has the image for one.
#[derive(Debug)]
pub(crate) struct MountWalk {
    left: Vec<ClaimView>,
    without_shell: BTreeSet<String>,
    closed: Vec<ClaimView>,
    has_probe: bool,
}

impl MountWalk {
    pub(crate) fn new(mounted: Vec<ClaimView>, has_probe: bool) -> Self {
        Self { left: mounted, without_shell: BTreeSet::new(), closed: vec![], has_probe }
    }

    /// The next container to ask, and the views that are best read through it.
    pub(crate) fn next(&self) -> Option<(String, Vec<ClaimView>)> {
        choose(&self.left, &self.without_shell)
    }

    /// Notes how asking a container ended. False where the container has no shell and something
    /// else is asked in its place: then this end says nothing.
    pub(crate) fn finish(
        &mut self,
        container: &str,
        mounts: &[ClaimView],
        error: Option<&ExecError>,
    ) -> bool {
        let has_no_shell = error == Some(&ExecError::NoShell);
        if has_no_shell && mounts.iter().any(|it| it.has_other(&self.without_shell, container)) {
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
    pub(crate) fn for_ephemeral(&self) -> Vec<ClaimView> {
        mounted_whole(&self.closed)
    }
}

/// The next container to ask, and the views that are best read through it.
pub(crate) fn choose(
    left: &[ClaimView],
    without_shell: &BTreeSet<String>,
) -> Option<(String, Vec<ClaimView>)> {
    let best = |it: &ClaimView| {
        it.mounts
            .iter()
            .find(|mount| !without_shell.contains(&mount.container))
            .or_else(|| it.mounts.first())
            .cloned()
    };
    let ContainerMount { container, .. } = best(left.first()?)?;
    let together = left
        .iter()
        .filter_map(|it| {
            let mount = best(it)?;
            let is_partial = it.is_partial
                || it
                    .mounts
                    .first()
                    .is_some_and(|best| best.folder.is_empty() && !mount.folder.is_empty());
            (mount.container == container).then(|| ClaimView {
                path: mount.path,
                is_partial,
                ..it.clone()
            })
        })
        .collect();
    Some((container, together))
}

/// The claims behind these views, each mounted once and whole: the API server takes no `subPath` in
/// an ephemeral container.
fn mounted_whole(closed: &[ClaimView]) -> Vec<ClaimView> {
    let mut known = BTreeSet::new();
    let claims = closed.iter().filter(|it| known.insert(it.claim.clone())).enumerate();
    claims
        .map(|(place, it)| ClaimView {
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

/// When the newest of a pod's running containers started, in seconds since the epoch by its node's
/// clock; `None` where none runs.
pub(crate) fn last_start(pod: &PodLife) -> Option<i64> {
    let mut last = None;
    for status in &pod.pod.status.container_statuses {
        let started = status.state.running.as_ref().and_then(|it| it.started_at.as_deref());
        let started = started.and_then(|it| it.parse::<jiff::Timestamp>().ok());
        last = last.max(started.map(jiff::Timestamp::as_second));
    }
    last
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
        Fact, Observation, Timeline,
        observation::{ObjectChange, object::Object},
    };

    use super::{ClaimView, MountWalk, choose};
    use crate::cluster::exec::ExecError;

    fn mounted(pod: &str) -> Vec<ClaimView> {
        let pod = serde_json::from_str(pod).unwrap();
        let timeline = Timeline::of(&[Observation {
            seq: 1,
            at: 1,
            what: Fact::Object(ObjectChange::Listed, Object::Pod(pod)),
        }]);
        timeline.unowned_pods().flat_map(ClaimView::of).collect()
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

    /// Catches a container that is asked again and again, because another claim of its can be read
    /// elsewhere.
    #[test]
    fn a_walk_ends_where_a_claim_has_no_container_with_a_shell() {
        let pod = r#"{"metadata": {"name": "web-0", "uid": "1"},
            "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}, {"name": "logs", "persistentVolumeClaim": {"claimName": "logs-web-0"}}],
                "containers": [{"name": "app", "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "logs", "mountPath": "/logs"}]},
                    {"name": "shipper", "volumeMounts": [{"name": "logs", "mountPath": "/l"}]}]},
            "status": {"containerStatuses": [{"name": "app", "state": {"running": {}}}, {"name": "shipper", "state": {"running": {}}}]}}"#;
        let mut walk = MountWalk::new(mounted(pod), false);
        let mut unread = vec![];
        let mut read = vec![];
        for _ in 0..6 {
            let Some((container, mounts)) = walk.next() else { break };
            let error = (container == "app").then_some(ExecError::NoShell);
            if walk.finish(&container, &mounts, error.as_ref()) {
                let claims = mounts.into_iter().map(|it| it.claim);
                if error.is_some() { unread.extend(claims) } else { read.extend(claims) }
            }
        }
        assert!(walk.next().is_none(), "{walk:?}");
        assert_eq!((unread, read), (vec!["data-web-0".to_owned()], vec!["logs-web-0".to_owned()]));
    }

    #[test]
    fn the_same_view_through_other_containers() {
        let left = mounted(POD);
        let (container, together) = choose(&left, &BTreeSet::new()).unwrap();
        let others = together[0].through_other_containers(&BTreeSet::new(), &container);
        assert_eq!(
            others
                .iter()
                .map(|(name, view)| (name.as_str(), view.path.as_str()))
                .collect::<Vec<_>>(),
            [("reader", "/r")]
        );
        assert!(
            together[0]
                .through_other_containers(&BTreeSet::from(["reader".to_owned()]), &container)
                .is_empty()
        );
    }

    fn of_mounts(main: &str, other: &str) -> Vec<ClaimView> {
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
        let read_only = r#"{"name": "data", "mountPath": "/conf", "subPath": "conf", "readOnly": true}, {"name": "data", "mountPath": "/html", "subPath": "html"}"#;
        let (_, together) = choose(&of_mounts(read_only, ""), &BTreeSet::new()).unwrap();
        let first = together.iter().find(|it| it.is_first).map(|it| it.path.as_str());
        assert_eq!(first, Some("/html"), "the canary goes where it can be written");
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
