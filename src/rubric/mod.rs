//! What a course makes of the ten checks: points, partial credit, and how much a report shows.
//!
//! Pure: the rubric comes as text, and what a test is worth depends on its criteria alone. Points
//! are counted as exact fractions and rounded once for each test, half up, to hundredths. Every
//! sum is of the rounded points, so that all formats show the same numbers.

mod file;
mod points;
#[cfg(test)]
mod tests;

use checks::{CHECKS, Check, model::Outcome};
use num_rational::BigRational;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::rubric::{
    file::{RubricError, RubricFile},
    points::Points,
};

/// What an undecided test is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Undecided")]
pub enum UndecidedWorth {
    /// Its points are held back: neither won nor lost.
    #[default]
    Held,
    /// Nothing.
    Zero,
    /// All of its points.
    Full,
}

/// How much a report shows. The order is how much.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// The outcome of each test, and its points.
    Outcome,
    /// Why it came to that, too.
    Reason,
    /// What to do about it, too.
    #[default]
    Remedy,
}

/// The rules by which points are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rubric {
    /// `sha256:…` of the file; none for the lab's own points.
    pub digest: Option<String>,
    /// From how many points on the submission passes; all of them where it is not said.
    pub pass_mark: Option<Points>,
    /// What an undecided test is worth.
    pub undecided: UndecidedWorth,
    /// How much a report shows.
    pub show: Detail,
    /// In the order of [`CHECKS`].
    checks: [CheckRule; checks::COUNT],
}

/// What one check is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRule {
    /// Points for passing.
    pub points: Points,
    /// It is left out of the report.
    pub is_omitted: bool,
    /// The submission passes only when this check does.
    pub is_required: bool,
    /// What its points are for. Empty: for passing as a whole.
    pub parts: Vec<RulePart>,
}

/// Points for some of a check's criteria.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulePart {
    /// The criterion; all criteria of the check where it is none.
    pub criterion: Option<&'static str>,
    /// Points for meeting it for all pods.
    pub points: Points,
    /// Each pod for which it is met earns its share; otherwise it is met for all or for none.
    pub is_partial: bool,
}

/// What became of a test's points; the rest is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    /// Won.
    pub points: Points,
    /// Neither won nor lost.
    pub undecided: Points,
}

/// A criterion of a verdict: its stable name, and what it alone comes to.
pub type CriterionOutcome<'a> = (&'a str, Outcome);

/// The JSON Schema of a rubric's file, which TOML values follow as JSON values do.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RubricFile).into()
}

impl Default for Rubric {
    /// The lab's own points: all of a test's, or none.
    fn default() -> Self {
        Self {
            digest: None,
            pass_mark: None,
            undecided: UndecidedWorth::default(),
            show: Detail::default(),
            checks: CHECKS.map(|check| CheckRule::of(&check)),
        }
    }
}

impl Rubric {
    /// The rule for a check, by its stable name.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&CheckRule> {
        CHECKS.iter().position(|check| check.id == id).map(|place| &self.checks[place])
    }

    /// The checks that are not left out, in the lab's order, each with its rule.
    pub fn rules(&self) -> impl Iterator<Item = (&'static Check, &CheckRule)> {
        CHECKS.iter().zip(&self.checks).filter(|(_, rule)| !rule.is_omitted)
    }

    /// The points of all checks.
    #[must_use]
    pub fn total(&self) -> Points {
        self.rules().map(|(_, rule)| rule.points).sum()
    }

    /// Whether the points of every submission are whole numbers: none of a check's are fractions,
    /// and none are shared among pods or criteria.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_whole = |points: Points| points.as_whole().is_some();
        self.rules().all(|(_, rule)| {
            is_whole(rule.points)
                && rule.parts.iter().all(|part| !part.is_partial && is_whole(part.points))
        })
    }

    /// What a check's verdict is worth.
    #[must_use]
    pub fn earned(
        &self,
        rule: &CheckRule,
        outcome: Outcome,
        criteria: &[CriterionOutcome<'_>],
    ) -> Earned {
        let (won, undecided) = rule.shares(outcome, criteria);
        let with_undecided = rounded(&(&won + undecided));
        match self.undecided {
            UndecidedWorth::Held => {
                let points = rounded(&won);
                Earned { points, undecided: with_undecided - points }
            }
            UndecidedWorth::Zero => Earned { points: rounded(&won), undecided: Points::ZERO },
            UndecidedWorth::Full => Earned { points: with_undecided, undecided: Points::ZERO },
        }
    }

    /// Whether the submission passes; `None` where undecided tests decide it. The mark of the
    /// caller counts before the rubric's own.
    pub fn passes<'a>(
        &self,
        earned: Points,
        undecided: Points,
        mark: Option<Points>,
        outcomes: impl IntoIterator<Item = (&'a str, Outcome)>,
    ) -> Option<bool> {
        let mark = mark.or(self.pass_mark).unwrap_or_else(|| self.total());
        let mut worst = match (earned >= mark, earned + undecided >= mark) {
            (true, _) => Outcome::Pass,
            (false, true) => Outcome::Inconclusive,
            (false, false) => Outcome::Fail,
        };
        for (id, outcome) in outcomes {
            if self.rule(id).is_some_and(|rule| rule.is_required) {
                worst = worst.max(self.counts_as(outcome));
            }
        }
        match worst {
            Outcome::Pass => Some(true),
            Outcome::Inconclusive => None,
            Outcome::Fail => Some(false),
        }
    }

    /// What an outcome counts as for a required check.
    const fn counts_as(&self, outcome: Outcome) -> Outcome {
        match (outcome, self.undecided) {
            (Outcome::Inconclusive, UndecidedWorth::Zero) => Outcome::Fail,
            (Outcome::Inconclusive, UndecidedWorth::Full) => Outcome::Pass,
            (outcome, _) => outcome,
        }
    }
}

impl CheckRule {
    /// The lab's own.
    fn of(check: &Check) -> Self {
        Self {
            points: Points::whole(check.points),
            is_omitted: false,
            is_required: false,
            parts: vec![],
        }
    }

    /// The exact points that are won, and those that are undecided.
    fn shares(
        &self,
        outcome: Outcome,
        criteria: &[CriterionOutcome<'_>],
    ) -> (BigRational, BigRational) {
        let whole = [RulePart { criterion: None, points: self.points, is_partial: false }];
        let parts = if self.parts.is_empty() { &whole[..] } else { &self.parts };
        let (mut won, mut undecided) = (exact(Points::ZERO), exact(Points::ZERO));
        for part in parts {
            let share = part.share(outcome, criteria);
            won += exact(part.points) * share.met;
            undecided += exact(part.points) * share.undecided;
        }
        // A criterion without points of its own is a condition for all the others.
        let is_condition = |id: &str| {
            !parts.iter().any(|part| part.criterion.is_none_or(|criterion| criterion == id))
        };
        let conditions = criteria.iter().filter(|(id, _)| is_condition(id));
        match conditions.map(|(_, outcome)| *outcome).max() {
            Some(Outcome::Fail) => (exact(Points::ZERO), exact(Points::ZERO)),
            Some(Outcome::Inconclusive) => (exact(Points::ZERO), won + undecided),
            Some(Outcome::Pass) | None => (won, undecided),
        }
    }
}

/// Fractions of a part's points.
struct Share {
    met: BigRational,
    undecided: BigRational,
}

impl RulePart {
    fn share(&self, check: Outcome, criteria: &[CriterionOutcome<'_>]) -> Share {
        let mine: Vec<Outcome> = criteria
            .iter()
            .filter(|(id, _)| self.criterion.is_none_or(|criterion| criterion == *id))
            .map(|(_, outcome)| *outcome)
            .collect();
        if !self.is_partial || mine.is_empty() {
            // What the verdict does not speak of is as the check as a whole is.
            let outcome = match self.criterion {
                None => check,
                Some(_) => mine.iter().max().copied().unwrap_or(check),
            };
            return Share {
                met: fraction(usize::from(outcome == Outcome::Pass), 1),
                undecided: fraction(usize::from(outcome == Outcome::Inconclusive), 1),
            };
        }
        let count = |outcome| mine.iter().filter(|it| **it == outcome).count();
        Share {
            met: fraction(count(Outcome::Pass), mine.len()),
            undecided: fraction(count(Outcome::Inconclusive), mine.len()),
        }
    }
}

fn fraction(part: usize, whole: usize) -> BigRational {
    BigRational::new(part.into(), whole.into())
}

/// In hundredths.
fn exact(points: Points) -> BigRational {
    BigRational::from_integer(points.in_hundredths().into())
}

/// To the nearest hundredth, half up.
fn rounded(hundredths: &BigRational) -> Points {
    // Not more than the rubric's points, which fit.
    Points::hundredths(u32::try_from(hundredths.round().to_integer()).unwrap_or(u32::MAX))
}
