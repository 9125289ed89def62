//! Verdicts: criteria with their standing; outcomes and points are derived from them, never stored.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::mistakes::Mistake;
use crate::model::{
    observation::Seq,
    obstacle::{Fault, Obstacle},
};

/// What a check comes to. The order is the gravity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Every criterion is met.
    Pass,
    /// Something was not shown or could not be seen, or the cluster stood in the way.
    Inconclusive,
    /// The submission does not do it.
    Fail,
}

impl From<Fault> for Outcome {
    /// What a fault makes of a check that it blocks.
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Submission => Self::Fail,
            Fault::NotTheSubmission => Self::Inconclusive,
        }
    }
}

impl Outcome {
    /// `P`, `I` or `F`, as in a fixture's first line.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Pass => 'P',
            Self::Inconclusive => 'I',
            Self::Fail => 'F',
        }
    }
}

/// What to do about something that happened out of sight.
pub const AGAIN: &str = "Grade again. If it stays so, ask whoever runs the cluster.";

/// How one criterion stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Shown to be so.
    Met,
    /// Shown not to be so.
    Broken {
        /// What the lab asks.
        expected: String,
        /// What was seen.
        actual: String,
    },
    /// An obstacle kept it from being reached.
    Blocked(Obstacle),
    /// Nobody has done what would show it, or not so that it counts.
    NotShown {
        /// Why it is not shown.
        why: String,
        /// The next thing to try.
        next: String,
    },
    /// It happened, or not, out of sight.
    Unseen {
        /// Why it could not be seen.
        why: String,
        /// What to do so that it can be.
        remedy: &'static str,
        /// The reason, where it is one of those that a report knows more about.
        unreadable: Option<Unreadable>,
    },
}

/// Why files or names were not read, or tell nothing, where somebody can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The image has no shell to read them by.
    NoShell,
    /// The user may not run commands in pods.
    NoPermission,
    /// The files hold no text.
    NoText,
    /// Files were not looked at, or not to their end.
    LeftOut,
    /// The lines that were read are gone, and newer ones of the same pod are there.
    BoundedLog,
    /// The pod had to go before its files were read.
    HadToGo,
}

impl Standing {
    /// Broken, with both sides.
    pub fn broken(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self::Broken { expected: expected.into(), actual: actual.into() }
    }

    /// Unseen, and why, where only another grade can help.
    pub fn unseen(why: impl Into<String>) -> Self {
        Self::unseen_with(why, AGAIN)
    }

    /// Unseen, why, and what to do so that it can be seen.
    pub fn unseen_with(why: impl Into<String>, remedy: &'static str) -> Self {
        Self::Unseen { why: why.into(), remedy, unreadable: None }
    }

    /// Unseen, and why, because something could not be read, for this reason where it is known.
    pub(crate) fn unread(why: impl Into<String>, unreadable: Option<Unreadable>) -> Self {
        Self::Unseen { why: why.into(), remedy: AGAIN, unreadable }
    }

    /// How a criterion about a claim stands that somebody deleted.
    pub(crate) fn claim_deleted(name: &str) -> Self {
        const REMEDY: &str = "Let nobody delete PVCs in the namespace (a person, a script, a \
            controller), and grade again.";
        Self::unseen_with(
            format!("somebody else deleted PVC {name}: what the set does with it cannot be seen"),
            REMEDY,
        )
    }

    /// What this standing alone makes of a check.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Met => Outcome::Pass,
            Self::Broken { .. } => Outcome::Fail,
            Self::Blocked(obstacle) => Outcome::from(obstacle.fault),
            Self::NotShown { .. } | Self::Unseen { .. } => Outcome::Inconclusive,
        }
    }
}

/// What to do about a criterion that is broken, in the submission's own names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// In a sentence or two.
    pub remedy: String,
    /// The lines as they are.
    pub before: String,
    /// The lines as they should be.
    pub after: String,
}

/// One part of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// Stable name of the rule within the check.
    pub id: &'static str,
    /// What must be so, about which object.
    pub text: String,
    /// How it stands.
    pub standing: Standing,
    /// The mistake that explains it, where one is known.
    pub mistake: Option<&'static Mistake>,
    /// What to do, in the submission's own names, where that says more than the mistake's own
    /// words.
    pub advice: Option<Advice>,
    /// The lines of the recording that show it.
    pub evidence: Vec<Seq>,
}

/// What one pod's return, or its removal, showed of its claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodEpisode {
    /// The UID of the pod that came back; `None` where it is about one that went.
    pub(crate) came_back: Option<String>,
    /// The pod's ordinal.
    pub(crate) ordinal: i32,
    /// What it is a part of, by its line: a change of replicas that was done whole, or the
    /// replacement of the pod; `None` where it can show nothing for others.
    pub(crate) episode_line: Option<Seq>,
    pub(crate) verdict: Verdict,
    /// It came back, to the same claims, and it, or the one before it, had to go before anybody read
    /// its files.
    pub(crate) is_unread: bool,
    /// All that keeps it from being decided is that somebody was seen to delete the pod's PVCs: it
    /// shows nothing of the set, and hides no loss that came before.
    pub(crate) hidden_by_deleted_claims: bool,
}

/// What a check says: its criteria, in the order in which a student reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The parts.
    pub criteria: Vec<Criterion>,
}

impl Verdict {
    /// The gravest standing; without any criterion nothing was shown.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.criteria.iter().map(|it| it.standing.outcome()).max().unwrap_or(Outcome::Inconclusive)
    }

    /// The first criterion that stands as gravely as the whole verdict. Where that is an obstacle,
    /// one that a mistake breaks comes before it: without the obstacle it would be broken all the
    /// same.
    #[must_use]
    pub fn decisive(&self) -> Option<&Criterion> {
        self.criteria.get(self.decisive_place()?)
    }

    /// The place of [`Verdict::decisive`] among the criteria.
    #[must_use]
    pub fn decisive_place(&self) -> Option<usize> {
        let outcome = self.outcome();
        let grave = |it: &Criterion| it.standing.outcome() == outcome;
        let is_broken =
            |it: &Criterion| matches!(it.standing, Standing::Broken { .. }) && it.mistake.is_some();
        let first = self.criteria.iter().position(grave)?;
        let is_blocked = matches!(self.criteria[first].standing, Standing::Blocked(_));
        let broken = self.criteria.iter().position(is_broken).filter(|_| is_blocked);
        Some(broken.unwrap_or(first))
    }

    /// The obstacle that keeps this check from being decided, if one does.
    #[must_use]
    pub fn blocked_by(&self) -> Option<&Obstacle> {
        let outcome = self.outcome();
        self.criteria.iter().find_map(|it| match &it.standing {
            Standing::Blocked(obstacle) if Outcome::from(obstacle.fault) == outcome => {
                Some(obstacle)
            }
            _ => None,
        })
    }

    /// Adds a criterion.
    pub fn push(
        &mut self,
        id: &'static str,
        text: impl Into<String>,
        standing: Standing,
        evidence: impl IntoIterator<Item = Seq>,
    ) -> &mut Criterion {
        let mut evidence: Vec<Seq> = evidence.into_iter().collect();
        evidence.sort_unstable();
        evidence.dedup();
        let mistake = match &standing {
            Standing::Blocked(obstacle) => obstacle.mistake,
            _ => None,
        };
        self.criteria.push(Criterion {
            id,
            text: text.into(),
            standing,
            mistake,
            advice: None,
            evidence,
        });
        let last = self.criteria.len() - 1;
        &mut self.criteria[last]
    }

    /// Adds what several pod episodes showed, oldest first.
    ///
    /// One that shows nothing, for whatever reason, takes nothing from a later one of the same
    /// ordinal that shows all; one of a pod that had to go too soon takes nothing from any other;
    /// and one that is hidden by deleted claims takes nothing from an episode, earlier or later,
    /// all of whose other pod episodes show all. A violation in any of them stays one.
    pub(crate) fn push_pod_episodes(&mut self, mut pod_episodes: Vec<PodEpisode>) {
        if has_whole_episode(&pod_episodes) {
            pod_episodes.retain(|it| !it.hidden_by_deleted_claims);
        }
        if pod_episodes.iter().any(PodEpisode::tells) {
            pod_episodes.retain(PodEpisode::tells);
        }
        // A pod that came back may have been compared with two before it.
        pod_episodes.dedup_by(|next, before| next.says_the_same(before));
        let mut shown: BTreeSet<i32> = BTreeSet::new();
        let mut counting = vec![];
        for PodEpisode { ordinal, verdict, .. } in pod_episodes.into_iter().rev() {
            let outcome = verdict.outcome();
            if outcome != Outcome::Inconclusive || !shown.contains(&ordinal) {
                counting.push(verdict);
            }
            if outcome == Outcome::Pass {
                shown.insert(ordinal);
            }
        }
        self.criteria.extend(counting.into_iter().rev().flat_map(|verdict| verdict.criteria));
    }
}

/// Whether all pods of some episode show all. Beside some that are hidden by deleted claims, which
/// show nothing of the set, that takes [`SHOWING_BESIDE_HIDDEN`] others.
fn has_whole_episode(pod_episodes: &[PodEpisode]) -> bool {
    let mut episodes: BTreeMap<Seq, Vec<&PodEpisode>> = BTreeMap::new();
    for pod_episode in pod_episodes {
        let Some(episode) = pod_episode.episode_line else { continue };
        episodes.entry(episode).or_default().push(pod_episode);
    }
    episodes.into_values().any(|all| {
        let (hidden, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|it| it.hidden_by_deleted_claims);
        let least = if hidden.is_empty() { 1 } else { SHOWING_BESIDE_HIDDEN };
        let shows_all = |it: &&PodEpisode| it.verdict.outcome() == Outcome::Pass;
        others.len() >= least && others.iter().all(shows_all)
    })
}

/// How many pods must show all in an episode of which others are hidden by deleted claims.
const SHOWING_BESIDE_HIDDEN: usize = 2;

impl PodEpisode {
    /// Whether it tells something.
    fn tells(&self) -> bool {
        !self.verdict.criteria.is_empty() && !self.is_unread
    }

    /// Whether another one says the same of the same pod that came back.
    fn says_the_same(&self, other: &Self) -> bool {
        let told = |it: &Criterion| (it.text.clone(), it.standing.clone());
        let all = |it: &Self| it.verdict.criteria.iter().map(told).collect::<Vec<_>>();
        self.came_back.is_some() && self.came_back == other.came_back && all(self) == all(other)
    }
}

impl Criterion {
    /// Names the mistake that explains this criterion if it is broken; `None` where none is known.
    pub fn because(&mut self, mistake: impl Into<Option<&'static Mistake>>) -> &mut Self {
        if let (Standing::Broken { .. }, Some(mistake)) = (&self.standing, mistake.into()) {
            self.mistake = Some(mistake);
        }
        self
    }

    /// Says what to do in the submission's own names.
    pub fn advise(&mut self, advice: Option<Advice>) -> &mut Self {
        self.advice = advice;
        self
    }
}
