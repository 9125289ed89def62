//! What a container says last of a path on one of its claims.

use crate::{
    model::{
        diagnosis::{Match, facts::OrdinalFacts, recognise::containers::container_ends},
        observation::object::{Container, VolumeMount},
    },
    shell::is_within,
};

/// A container that ends, and what it says of a path on a claim.
pub(super) struct ClaimWords<'t> {
    /// The container, with its words.
    pub(super) found: Match,
    /// Where the claim is mounted in it.
    pub(super) mount: &'t VolumeMount,
    /// The claim's name.
    pub(super) claim: String,
    /// No other path stands behind it in the line.
    pub(super) is_last_path: bool,
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
    // Of several paths on claims the last one: it is the one that is written.
    let claim_at = |line: &str| {
        let mut places = places(container, line).into_iter().enumerate().rev();
        places.find_map(|(place, mount)| {
            let mount = mount?;
            let (_, claim) = claims.iter().find(|(volume, _)| *volume == mount.name)?;
            Some((place, mount, claim))
        })
    };
    let mut lines = log.iter().rev().filter(|line| is_meant(line));
    let (line, (place, mount, claim)) = lines.find_map(|line| Some((line, claim_at(line)?)))?;
    let is_last_path = place + 1 == places(container, line).len();
    let line = line.trim().to_owned();
    let why = format!("{}: {line}", found.why);
    let found = Match { why, ..found };
    Some(ClaimWords { found, mount, claim: claim.clone(), is_last_path, line })
}

/// For each whole path that a line names, the innermost mount that it lies in, if any.
fn places<'t>(container: &'t Container, line: &str) -> Vec<Option<&'t VolumeMount>> {
    let is_of_a_path = |it: char| it.is_alphanumeric() || "/-_.".contains(it);
    let words = line.split(|it: char| !is_of_a_path(it)).filter(|it| it.starts_with('/'));
    let innermost = |path: &str| {
        let mounts = container.volume_mounts.iter();
        let around = mounts.filter(|it| is_within(path, it.mount_path.trim_end_matches('/')));
        around.max_by_key(|it| it.mount_path.trim_end_matches('/').len())
    };
    words.map(innermost).collect()
}
