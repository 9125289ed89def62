//! What a container says last of a path on one of its claims.

use crate::model::{
    diagnosis::{Match, facts::OrdinalFacts, recognise::containers::container_ends},
    observation::object::{Container, VolumeMount},
};

/// A container that ends, and what it says of a path on a claim.
pub(super) struct ClaimWords<'t> {
    /// The container, with its words.
    pub(super) found: Match,
    /// Where the claim is mounted in it.
    pub(super) mount: &'t VolumeMount,
    /// The claim's name.
    pub(super) claim: String,
    /// The line.
    pub(super) line: String,
}

/// A container that ends, and its newest line that is of such a kind and names a path of a claim.
pub(super) fn words_of_a_claim<'t>(
    facts: &OrdinalFacts<'t>,
    is_meant: fn(&str) -> bool,
) -> Option<ClaimWords<'t>> {
    let found = container_ends(facts)?;
    let name = &found.container.as_ref()?.name;
    let log = facts.log(name);
    let pod = facts.pod?;
    let container = pod.spec().all_containers().find(|it| it.name == *name)?;
    let claims = pod.claims();
    let claim_at = |line: &str| {
        let mut mounts = named_mounts(container, line).into_iter();
        mounts.find_map(|it| Some((it, claims.iter().find(|(volume, _)| *volume == it.name)?)))
    };
    let mut lines = log.iter().rev().filter(|line| is_meant(line));
    let (line, (mount, (_, claim))) = lines.find_map(|line| Some((line, claim_at(line)?)))?;
    let line = line.trim().to_owned();
    let why = format!("{}: {line}", found.why);
    Some(ClaimWords { found: Match { why, ..found }, mount, claim: claim.clone(), line })
}

/// The mounts of which a line names a path. One that lies in another hides what is below it.
fn named_mounts<'t>(container: &'t Container, line: &str) -> Vec<&'t VolumeMount> {
    let folder = |it: &'t VolumeMount| it.mount_path.trim_end_matches('/');
    let mut named: Vec<&VolumeMount> =
        container.volume_mounts.iter().filter(|it| names_path(line, folder(it))).collect();
    let folders: Vec<&str> = named.iter().map(|it| folder(it)).collect();
    let lies_in =
        |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|it| it.starts_with('/'));
    named.retain(|it| !folders.iter().any(|inner| lies_in(inner, folder(it))));
    named
}

/// Whether a line names a folder, or what is in it: `/data` in `/data/id`, not in `/data2` or
/// `/var/data`.
fn names_path(line: &str, folder: &str) -> bool {
    let is_of_a_name = |it: char| it.is_alphanumeric() || matches!(it, '-' | '_' | '.');
    !folder.is_empty()
        && line.match_indices(folder).any(|(at, _)| {
            !line[..at].ends_with(|it| it == '/' || is_of_a_name(it))
                && !line[at + folder.len()..].starts_with(is_of_a_name)
        })
}
