//! Canaries: whether a claim holds one that another pod wrote on another claim.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    observation::{CanaryFile, File, Read, Seq},
    timeline::{Timeline, lives::Recorded},
};

impl Timeline {
    /// What a canary on the pod's claim tells that another pod wrote on another claim.
    pub(crate) fn foreign_canary(&self, pod: &str, claim: &str) -> Option<ForeignCanary<'_>> {
        let mut unclear = None;
        let mut compared = BTreeSet::new();
        for seen in self.canaries.of(claim) {
            for canary in seen.what.saw.iter().flatten() {
                let Some((writer, other)) =
                    self.writer_of(canary, pod, claim).filter(|(_, other)| compared.insert(*other))
                else {
                    continue;
                };
                let foreign = |is_surely_one_file| ForeignCanary {
                    seq: seen.seq,
                    pod: writer,
                    is_surely_one_file,
                };
                match self.is_one_file(canary, other, claim) {
                    Some(true) => return Some(foreign(true)),
                    Some(false) => {}
                    None => unclear = unclear.or(Some(foreign(false))),
                }
            }
        }
        unclear
    }

    fn writer_of(&self, canary: &CanaryFile, pod: &str, claim: &str) -> Option<(&str, &str)> {
        let wrote =
            self.writers.get(canary)?.iter().find(|(writer, on)| writer != pod && on != claim);
        wrote.map(|(writer, on)| (writer.as_str(), on.as_str()))
    }

    /// Whether a canary that is on two claims is one file; `None` where it may be a copy.
    ///
    /// A file has one inode and one time of change wherever it is looked at; a copy has its own.
    fn is_one_file(&self, canary: &CanaryFile, one: &str, other: &str) -> Option<bool> {
        let fingerprints = |claim: &str| -> Vec<&str> {
            self.canaries
                .of(claim)
                .filter_map(|it| it.what.inodes.get(&canary.file).map(String::as_str))
                .collect()
        };
        let (of_one, of_other) = (fingerprints(one), fingerprints(other));
        if of_one.iter().any(|it| of_other.contains(it)) {
            return Some(true);
        }
        let inode = |print: &&str| print.split(' ').next().map(str::to_owned);
        if !of_one.is_empty() && !of_other.is_empty() {
            let others: Vec<_> = of_other.iter().map(inode).collect();
            return if of_one.iter().any(|it| others.contains(&inode(it))) {
                None
            } else {
                Some(false)
            };
        }
        self.show_the_same_files(one, other).then_some(true)
    }

    /// Whether all that was read on one claim was on the other at a later reading, as it was or
    /// with more behind it.
    fn show_the_same_files(&self, one: &str, other: &str) -> bool {
        let is_of = |read: &Recorded<Read>, claim: &str| {
            read.what.claim == claim && read.what.error.is_none()
        };
        for earlier in self.reads.iter().filter(|it| is_of(it, one)) {
            let files = &earlier.what.files;
            let has_all = |later: &Read| {
                let there = by_path(later);
                let goes_on =
                    |it: &File| there.get(it.path.as_str()).is_some_and(|now| starts_so(now, it));
                files.iter().all(goes_on)
            };
            let mut later = self.reads.iter().filter(|it| is_of(it, other) && it.seq > earlier.seq);
            if files.iter().any(|it| it.size > 0) && later.any(|it| has_all(&it.what)) {
                return true;
            }
        }
        false
    }
}

/// A canary on a claim that is not its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForeignCanary<'t> {
    /// The line at which it was seen.
    pub(crate) seq: Seq,
    /// The pod that it was written for.
    pub(crate) pod: &'t str,
    /// It is surely one file: both claims lie on one storage. Else an app may have copied it.
    pub(crate) is_surely_one_file: bool,
}

fn by_path(read: &Read) -> BTreeMap<&str, &File> {
    read.files.iter().map(|it| (it.path.as_str(), it)).collect()
}

/// Whether a file is as it was before, or has more behind that.
fn starts_so(now: &File, before: &File) -> bool {
    match (&now.content, &before.content) {
        (Some(now), Some(before)) => now.starts_with(before.as_str()),
        _ => now.digest == before.digest,
    }
}
