//! Through which container a claim is read: a running one that mounts it, writable before
//! read-only.

use std::collections::BTreeSet;

use checks::model::{
    PodLife,
    observation::{
        Reference,
        object::{ContainerStatus, VolumeMount},
        sub_path::NextFolder,
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
    /// The chosen container shows a folder that the next pod may not mount. What is written there
    /// could not be removed when the pod is gone.
    pub(crate) may_be_left: bool,
}

/// One mount in one running container.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ContainerMount {
    container: String,
    path: String,
    /// The folder of the volume; empty: all of it.
    folder: String,
    next: NextFolder,
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
                        next: spec.folder(&container.name, &mount.mount_path).next,
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
        // The canary is written where the first one is: best in a folder that the next pod gets, too.
        views.sort_by_key(|mounts| (mounts[0].read_only, mounts[0].next != NextFolder::Same));
        let view = |(place, mounts): (usize, Vec<ContainerMount>)| Self {
            claim: claim.to_owned(),
            volume: volume.to_owned(),
            path: String::new(),
            is_first: place == 0,
            is_partial,
            may_be_left: false,
            mounts,
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
        others.map(|mount| (mount.container.clone(), self.through(mount))).collect()
    }

    /// The same view through one of its mounts.
    fn through(&self, mount: &ContainerMount) -> Self {
        Self {
            path: mount.path.clone(),
            may_be_left: mount.next != NextFolder::Same,
            ..self.clone()
        }
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
            (mount.container == container).then(|| ClaimView { is_partial, ..it.through(&mount) })
        })
        .collect();
    Some((container, together))
}

/// The claims behind these views, each mounted once and whole: the API server takes no `subPath` in
/// an ephemeral container. Source: pkg/apis/core/validation/validation.go,
/// validateEphemeralContainers.
fn mounted_whole(closed: &[ClaimView]) -> Vec<ClaimView> {
    let mut known = BTreeSet::new();
    let claims = closed.iter().filter(|it| known.insert(it.claim.clone())).enumerate();
    claims
        .map(|(place, it)| ClaimView {
            path: format!("/stsgrade/{place}"),
            is_first: true,
            is_partial: false,
            may_be_left: false,
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
mod tests;
