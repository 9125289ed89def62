//! Volumes that a container may not write to.
//!
//! A new volume mostly belongs to root. For a container that does not run as root, the pod asks by
//! `securityContext.fsGroup` that its volumes belong to a group of its own (Kubernetes, "Configure a
//! Security Context for a Pod or Container"). Not every storage does that: `hostPath` and many NFS
//! provisioners do not.

use crate::model::{
    diagnosis::{Match, facts::OrdinalFacts, recognise::containers::container_ends},
    observation::object::VolumeMount,
};

/// The pod asks for volumes of its own group, and a container ends because it may not write to one.
///
/// Where a canary could be written by the pods of this ordinal, the storage lets them write: then
/// it is about a file of their own.
pub(crate) fn fs_group_ignored(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let group = pod.spec().fs_group()?;
    let wrote = facts.timeline.canaries.iter().any(|it| {
        it.what.wrote.is_some() && pod.claims().iter().any(|(_, claim)| *claim == it.what.claim)
    });
    if wrote {
        return None;
    }
    let found = denied(facts)?;
    let why = format!(
        "{}; its volumes were to belong to group {group} (fsGroup), and they do not",
        found.why
    );
    Some(Match { why, ..found })
}

/// A container that does not run as root ends because it may not write to a claim, and the pod does
/// not ask for volumes of its own group.
pub(crate) fn no_fs_group(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod.filter(|it| it.spec().fs_group().is_none())?;
    let found = denied(facts)?;
    let is_root = pod.spec().user_of(found.container.as_deref()?) == Some(0);
    (!is_root).then_some(found)
}

/// A container that ends with words of a path of a claim that it may not use.
fn denied(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let found = container_ends(facts)?;
    let name = found.container.as_deref()?;
    let log = facts.log(name);
    let pod = facts.pod?;
    let container = pod.spec().all_containers().find(|it| it.name == name)?;
    let is_of_claim = |mount: &&VolumeMount| pod.claims().iter().any(|it| it.0 == mount.name);
    let paths: Vec<&str> = container
        .volume_mounts
        .iter()
        .filter(is_of_claim)
        .map(|it| it.mount_path.trim_end_matches('/'))
        .collect();
    let line = log
        .iter()
        .rfind(|line| speaks_of_denial(line) && paths.iter().any(|path| names_path(line, path)))?;
    let why = format!("{}: {}", found.why, line.trim());
    Some(Match { why, ..found })
}

fn speaks_of_denial(line: &str) -> bool {
    let line = line.to_lowercase();
    ["permission denied", "accessdenied", "access denied", "eacces"]
        .iter()
        .any(|it| line.contains(it))
}

/// Whether a line names a folder, or what is in it.
fn names_path(line: &str, folder: &str) -> bool {
    let goes_on = |rest: &str| {
        rest.starts_with(|it: char| it.is_alphanumeric() || matches!(it, '-' | '_' | '.'))
    };
    !folder.is_empty()
        && line.match_indices(folder).any(|(at, _)| !goes_on(&line[at + folder.len()..]))
}
