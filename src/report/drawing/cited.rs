//! What findings cite: the lines, where they lie, and the order that was broken.

use std::collections::{BTreeMap, BTreeSet};

use checks::model::{LineFact, LineOwner, Seq, Timeline};

use crate::{
    console::sanitize::clip_middle,
    report::{
        CheckResult, CriterionResult, Report, StandingName,
        drawing::{Lane, MAX_NAME_CHARS},
    },
};

/// The most criteria of one check that are shown; the rest are counted.
const MAX_CRITERIA: usize = 40;

/// The most lines of one criterion that are shown.
pub const MAX_CITES_PER_CRITERION: usize = 20;

/// The most arrows.
const MAX_ARROWS: usize = 200;

/// The criteria about the order of pods: what breaks them is drawn as an arrow.
const ORDER: [&str; 2] = ["ready_before_next", "gone_before_next"];

/// A line that a shown finding cites.
#[derive(Clone, Debug)]
pub struct Cite {
    /// The line.
    pub seq: Seq,
    /// Its time, in nanoseconds since the recording began.
    pub at: u64,
    /// What it tells.
    pub text: String,
    /// The bar that it belongs to; `None` for what is about no pod and no claim.
    pub bar: Option<String>,
    /// The tests that cite it and did not pass.
    pub tests: Vec<u8>,
}

/// A pod that came, or was asked to go, before its turn.
#[derive(Clone, Debug)]
pub struct Arrow {
    /// The bar of the pod that it had to wait for.
    pub from: String,
    /// Its own bar.
    pub to: String,
    /// When, in nanoseconds since the recording began.
    pub at: u64,
    /// The line that shows it.
    pub seq: Seq,
    /// What was seen.
    pub text: String,
    /// The tests that it cost.
    pub tests: Vec<u8>,
}

/// The criteria of a check that are shown, what is not met first, and how many are not shown.
#[must_use]
pub fn shown_criteria(check: &CheckResult) -> (Vec<&CriterionResult>, usize) {
    let mut all: Vec<&CriterionResult> = check.criteria.iter().collect();
    all.sort_by_key(|it| std::cmp::Reverse(it.outcome));
    let hidden = all.len().saturating_sub(MAX_CRITERIA);
    all.truncate(MAX_CRITERIA);
    (all, hidden)
}

/// The lines that shown findings cite, as far as it is known which bars they belong to.
#[derive(Default)]
pub(super) struct CitedLines {
    pub(super) cites: Vec<Cite>,
    facts: BTreeMap<Seq, LineFact>,
    cited: BTreeSet<String>,
    bars: BTreeMap<String, String>,
}

impl CitedLines {
    pub(super) fn of(timeline: &Timeline, report: &Report) -> Self {
        let mut tests: BTreeMap<Seq, Vec<u8>> = BTreeMap::new();
        for check in &report.checks {
            for criterion in shown_criteria(check).0 {
                for seq in criterion.evidence.iter().take(MAX_CITES_PER_CRITERION) {
                    let tests = tests.entry(*seq).or_default();
                    if criterion.standing != StandingName::Met && !tests.contains(&check.test) {
                        tests.push(check.test);
                    }
                }
            }
        }
        let facts = timeline.line_facts(&tests.keys().copied().collect());
        let mut cites = vec![];
        for (seq, tests) in tests {
            let Some(at) = timeline.time_of(seq) else { continue };
            let text = facts.get(&seq).map_or_else(
                || "a line about the cluster".to_owned(),
                |fact| format!("{} {}", clip_middle(&fact.name, MAX_NAME_CHARS), fact.what),
            );
            cites.push(Cite { seq, at, text, bar: None, tests });
        }
        let cited = facts.values().filter_map(|fact| uid_of(&fact.owner).cloned()).collect();
        Self { cites, facts, cited, bars: BTreeMap::new() }
    }

    /// Whether a shown finding cites a line about the object of this UID.
    pub(super) fn cites(&self, uid: &str) -> bool {
        self.cited.contains(uid)
    }

    /// The bar shows the object of this UID.
    pub(super) fn add_bar(&mut self, uid: &str, bar: &str) {
        self.bars.insert(uid.to_owned(), bar.to_owned());
    }

    /// The order that was broken, as far as shown findings cite it; fills in the bars of the cites.
    pub(super) fn arrows(
        &mut self,
        timeline: &Timeline,
        report: &Report,
        lanes: &[Lane],
    ) -> Vec<Arrow> {
        for cite in &mut self.cites {
            let uid = self.facts.get(&cite.seq).and_then(|fact| uid_of(&fact.owner));
            cite.bar = uid.and_then(|uid| self.bars.get(uid)).cloned();
        }
        let mut found: BTreeMap<Seq, (String, Vec<u8>)> = BTreeMap::new();
        for check in &report.checks {
            for criterion in shown_criteria(check).0 {
                if criterion.standing != StandingName::Broken || !ORDER.contains(&criterion.id) {
                    continue;
                }
                for seq in &criterion.evidence {
                    let text = criterion.actual.clone().unwrap_or_default();
                    found.entry(*seq).or_insert((text, vec![])).1.push(check.test);
                }
            }
        }
        if found.is_empty() || lanes.is_empty() {
            return vec![];
        }
        let mut arrows = vec![];
        for it in timeline.out_of_order() {
            let seq = it.when.by;
            let ends = (self.bars.get(it.waited_for.uid()), self.bars.get(it.too_early.uid()));
            let ((Some(from), Some(to)), Some((text, tests))) = (ends, found.get(&seq)) else {
                continue;
            };
            let (from, to, at) = (from.clone(), to.clone(), timeline.known_at(it.when));
            arrows.push(Arrow { from, to, at, seq, text: text.clone(), tests: tests.clone() });
            if arrows.len() == MAX_ARROWS {
                break;
            }
        }
        arrows
    }
}

fn uid_of(owner: &LineOwner) -> Option<&String> {
    match owner {
        LineOwner::Pod(uid) | LineOwner::Claim(uid) => Some(uid),
        LineOwner::Set => None,
    }
}
