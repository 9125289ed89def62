//! Lines: which object a line of the recording tells of, and what, for whoever shows where the
//! evidence of a finding lies.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    observation::{Seq, when::When},
    timeline::{
        Timeline,
        lives::{ClaimLife, PodLife},
    },
};

/// What a line tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineOwner {
    /// A pod of the graded set, by UID.
    Pod(String),
    /// A claim, by UID.
    Claim(String),
    /// The set itself, or the grader.
    Set,
}

/// What one line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFact {
    /// Of what.
    pub owner: LineOwner,
    /// The name of that, as the cluster has it.
    pub name: String,
    /// What, in a few words that follow the name.
    pub what: &'static str,
}

/// The lines that are asked for, and what was found for them.
struct FactSearch<'l> {
    lines: &'l BTreeSet<Seq>,
    found: BTreeMap<Seq, LineFact>,
}

impl FactSearch<'_> {
    /// The first fact that is found for a line stays.
    fn add(&mut self, seq: Seq, owner: LineOwner, name: &str, what: &'static str) {
        if self.lines.contains(&seq) {
            let fact = LineFact { owner, name: name.to_owned(), what };
            self.found.entry(seq).or_insert(fact);
        }
    }

    fn add_when(
        &mut self,
        when: Option<When>,
        owner: impl Fn() -> LineOwner,
        name: &str,
        what: &'static str,
    ) {
        if let Some(when) = when.filter(|when| self.lines.contains(&when.by)) {
            self.add(when.by, owner(), name, what);
        }
    }

    fn pod(&mut self, pod: &PodLife) {
        let owner = || LineOwner::Pod(pod.uid().to_owned());
        let added = if pod.added.after.is_none() { "was there" } else { "was added" };
        self.add_when(Some(pod.added), owner, pod.name(), added);
        self.add_when(pod.ready, owner, pod.name(), "became Ready");
        let requested = pod.deletion_requested;
        self.add_when(requested, owner, pod.name(), "became Terminating");
        self.add_when(pod.deleted, owner, pod.name(), "was gone");
    }

    fn claim(&mut self, claim: &ClaimLife) {
        let owner = || LineOwner::Claim(claim.uid().to_owned());
        let added = if claim.added.after.is_none() { "was there" } else { "was added" };
        self.add_when(Some(claim.added), owner, claim.name(), added);
        self.add_when(claim.bound, owner, claim.name(), "was bound");
        self.add_when(
            claim.owned_by_pod,
            owner,
            claim.name(),
            "was handed to its pod, to be deleted with it",
        );
        self.add_when(claim.deletion_requested, owner, claim.name(), "became Terminating");
        self.add_when(claim.deleted, owner, claim.name(), "was gone");
    }
}

impl Timeline {
    /// What each of these lines tells, as far as it is about the graded set.
    #[must_use]
    pub fn line_facts(&self, lines: &BTreeSet<Seq>) -> BTreeMap<Seq, LineFact> {
        let mut search = FactSearch { lines, found: BTreeMap::new() };
        for (_, lane) in self.lanes() {
            for pod in lane {
                search.pod(pod);
            }
        }
        for claim in self.claims.values().flatten() {
            search.claim(claim);
        }
        for read in self.reads.iter() {
            let owner = LineOwner::Pod(read.what.pod.uid.clone());
            search.add(read.seq, owner, &read.what.pod.name, "had its files read");
        }
        for canary in self.canaries.iter() {
            let wrote = canary.what.wrote.is_some();
            let what = if wrote {
                "got the grader's own file"
            } else {
                "was searched for the grader's own files"
            };
            let owner = LineOwner::Pod(canary.what.pod.uid.clone());
            search.add(canary.seq, owner, &canary.what.pod.name, what);
        }
        for lookup in self.lookups.iter() {
            let (owner, name) = match &lookup.what.of {
                Some(of) => (LineOwner::Pod(of.uid.clone()), of.name.as_str()),
                None => (LineOwner::Set, lookup.what.service.as_str()),
            };
            search.add(lookup.seq, owner, name, "was looked up in DNS");
        }
        for service in self.services.values().flatten() {
            let name = format!("Service {}", service.service.metadata.name);
            let added = if service.added.after.is_none() { "was there" } else { "was added" };
            search.add(service.added.by, LineOwner::Set, &name, added);
            search.add_when(service.changed, || LineOwner::Set, &name, "had its spec changed");
        }
        if let Some(set) = self.set() {
            let added = if set.added.after.is_none() { "was there" } else { "was added" };
            search.add(set.added.by, LineOwner::Set, &set.name, added);
            for scale in &set.replicas_changes {
                search.add(scale.when.by, LineOwner::Set, &set.name, "had its replicas changed");
            }
            search.add(set.changed.by, LineOwner::Set, &set.name, "had its spec changed");
        }
        search.found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::LineOwner;
    use crate::model::testing::history::History;

    /// Catches a finding whose evidence has no place in the picture.
    #[test]
    fn every_line_that_order_is_judged_by_is_known() {
        let history = History::toured();
        let cited = ["sequential_creation", "ordered_scale_up", "ordered_scale_down"]
            .iter()
            .flat_map(|check| history.verdict(check).criteria)
            .flat_map(|it| it.evidence)
            .collect::<BTreeSet<_>>();
        let facts = history.timeline().line_facts(&cited);
        assert!(cited.len() > 5 && cited.iter().all(|seq| facts.contains_key(seq)), "{facts:?}");
        let of_pods = facts.values().filter(|it| matches!(it.owner, LineOwner::Pod(_))).count();
        assert!(of_pods > 5, "{facts:?}");
    }
}
