//! Claims whose disk is full or broken.

use crate::model::{
    diagnosis::{
        Match,
        facts::OrdinalFacts,
        recognise::{
            has_any,
            words_of_claims::{ClaimWords, words_of_a_claim},
        },
    },
    observation::Read,
    quantity,
};

/// Bytes on a claim above which the container's own files may be what fills its disk, whatever the
/// claim asks for: 10 MiB. What the lab asks for is a few lines.
const MAY_FILL_BYTES: u128 = 10 << 20;

/// A container ends because the disk under a claim is full, or fails.
///
/// A disk that its own files may fill is none of the cluster's troubles, nor is one that the pod
/// itself mounts read-only.
pub(crate) fn disk_fails(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let words = words_of_a_claim(facts, |line| {
        is_full(line) || is_read_only(line) || speaks_of_a_broken_disk(line)
    })?;
    let is_own = is_full(&words.line)
        && (may_be_filled_by_its_own(facts, &words.claim) || fills_disks(facts))
        || is_read_only(&words.line)
            && (is_meant_to_be_read_only(facts, &words) || !words.is_last_path);
    (!is_own).then_some(words.found)
}

fn is_full(line: &str) -> bool {
    has_any(line, &["no space left on device", "disk quota exceeded"])
}

fn is_read_only(line: &str) -> bool {
    has_any(line, &["read-only file system"])
}

/// EIO in the words of the C library, of Node.js and of others. `I/O error` alone is what many
/// programs call any other error.
fn speaks_of_a_broken_disk(line: &str) -> bool {
    let ends_so = line.trim_end().to_ascii_lowercase().ends_with(": i/o error");
    has_any(line, &["input/output error", "eio:"]) || ends_so
}

/// Whether what was seen on a claim is much, as much as half of what it asks for, or more files
/// than are looked at.
fn may_be_filled_by_its_own(facts: &OrdinalFacts<'_>, claim: &str) -> bool {
    let asked =
        facts.timeline.claim(claim).last().and_then(|it| {
            quantity::bytes(it.claim.spec.as_ref()?.resources.requests.get("storage")?)
        });
    let much = asked.map_or(MAY_FILL_BYTES, |it| MAY_FILL_BYTES.min(it / 2));
    let size = |read: &Read| read.files.iter().map(|it| u128::from(it.size)).sum::<u128>();
    let mut readings = facts.timeline.reads.iter().filter(|it| it.what.claim == claim);
    readings.any(|it| it.what.left_out > 0 || size(&it.what) > much)
}

/// Whether the template's own commands make large files: then nobody need have read them.
fn fills_disks(facts: &OrdinalFacts<'_>) -> bool {
    const WORDS: [&str; 6] = ["dd ", "/dev/zero", "/dev/urandom", "fallocate", "truncate", "yes "];
    facts.timeline.scripts().any(|script| has_any(script, &WORDS))
}

/// Whether the pod asks for a volume that it may not write to.
fn is_meant_to_be_read_only(facts: &OrdinalFacts<'_>, words: &ClaimWords<'_>) -> bool {
    let Some(pod) = facts.pod else { return false };
    let of_claim = facts.timeline.claim(&words.claim).last();
    let mut modes = of_claim.and_then(|it| it.claim.spec.as_ref()).into_iter();
    words.mount.read_only
        || pod
            .spec()
            .volumes
            .iter()
            .filter(|it| it.name == words.mount.name)
            .any(|it| it.persistent_volume_claim.as_ref().is_some_and(|it| it.read_only))
        || modes.any(|it| it.access_modes.iter().any(|mode| mode == "ReadOnlyMany"))
}
