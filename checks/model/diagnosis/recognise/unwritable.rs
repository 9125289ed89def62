//! Volumes that a container may not write to.
//!
//! A new volume mostly belongs to root. For a container that does not run as root, the pod asks by
//! `securityContext.fsGroup` that its volumes belong to a group of its own (Kubernetes, "Configure a
//! Security Context for a Pod or Container"). Not every storage does that: `hostPath` and many NFS
//! provisioners do not.

use crate::model::diagnosis::{
    Match,
    facts::OrdinalFacts,
    recognise::{
        has_any,
        words_of_claims::{ClaimWords, words_of_a_claim},
    },
};

/// The pod asks for volumes of its own group, and a container ends because it may not write to one.
///
/// Where a canary could be written on that claim, the storage lets the pods write: then it is about a
/// file of their own.
pub(crate) fn fs_group_ignored(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let group = pod.spec().fs_group()?;
    let (found, claim) = write_denied(facts)?;
    let canaries = || facts.timeline.canaries.iter();
    if canaries().any(|it| it.what.wrote.is_some() && it.what.claim == claim) {
        return None;
    }
    let why = format!(
        "{}; its volumes were to belong to group {group} (fsGroup), and they do not",
        found.why
    );
    Some(Match { why, ..found })
}

/// A container that the pod runs as another user than root ends because it may not write to a claim,
/// and the pod does not ask for volumes of its own group.
pub(crate) fn no_fs_group(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod.filter(|it| it.spec().fs_group().is_none())?;
    let (found, _) = write_denied(facts)?;
    // Where the image says which user it is, nobody knows.
    let user = pod.spec().user_of(&found.container.as_ref()?.name)?;
    (user != 0).then_some(found)
}

/// A container that ends with words of a path of a claim that it may not use, and that claim.
fn write_denied(facts: &OrdinalFacts<'_>) -> Option<(Match, String)> {
    let ClaimWords { found, claim, .. } = words_of_a_claim(facts, speaks_of_denial)?;
    Some((found, claim))
}

/// Whether a program says that it may not use a file.
pub(crate) fn speaks_of_denial(line: &str) -> bool {
    has_any(line, &["permission denied", "accessdenied", "access denied", "eacces"])
}
