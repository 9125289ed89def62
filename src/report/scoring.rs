//! A report by the rules of a course: its points, and how much of it is shown.

use checks::model::{Fault, Outcome};
use serde::Serialize;

use crate::{
    report::{CheckResult, Report, Score, causes},
    rubric::{CriterionOutcome, Detail, Points, Rubric, UndecidedWorth},
};

/// By which rubric a report was scored.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RubricResult {
    /// `sha256:…` of its file.
    pub digest: String,
    /// From how many points on the submission passes.
    pub pass_mark: Points,
    /// The checks that must pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<&'static str>,
    /// What an undecided test is worth.
    pub undecided: UndecidedWorth,
    /// Whether every submission's points are whole numbers by it.
    #[serde(skip)]
    pub is_whole: bool,
    /// Whether the submission passes; absent where undecided tests decide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
}

impl Report {
    /// The same report with a rubric's points, and no more in it than the rubric shows.
    #[must_use]
    pub fn scored(mut self, rubric: &Rubric) -> Self {
        let known = self.checks;
        self.checks = vec![];
        for mut row in known {
            let Some(rule) = rubric.rule(row.id).filter(|rule| !rule.is_omitted) else { continue };
            let criteria: Vec<CriterionOutcome<'_>> =
                row.criteria.iter().map(|it| (it.id, it.outcome)).collect();
            let earned = rubric.earned(rule, row.outcome, &criteria);
            (row.points, row.undecided) = (earned.points, earned.undecided);
            row.possible = rule.points;
            self.checks.push(row);
        }
        let sum = |points: fn(&CheckResult) -> Points| self.checks.iter().map(points).sum();
        self.score = Score {
            earned: sum(|row| row.points),
            possible: sum(|row| row.possible),
            undecided: sum(|row| row.undecided),
        };
        let told: Vec<&str> = self.causes.iter().map(|it| it.id).collect();
        for cause in &mut self.causes {
            cause.tests.retain(|test| self.checks.iter().any(|row| row.test == *test));
            let rows = self.checks.iter().filter(|row| cause.tests.contains(&row.test));
            let lost = |row: &CheckResult| match cause.fault {
                // What is undecided of a test that failed is not lost yet.
                Some(Fault::Submission) => row.possible - row.points - row.undecided,
                _ => row.possible - row.points,
            };
            cause.points = rows.map(lost).sum();
        }
        self.causes.retain(|cause| !cause.tests.is_empty());
        self.not_shown = causes::not_shown(&self.causes).min(self.score.undecided);
        self.show = rubric.show;
        self.hide();
        causes::arrange(&mut self.causes, &mut self.checks);
        if self.show == Detail::Remedy && !self.causes.iter().map(|it| it.id).eq(told) {
            causes::plan_one_grade_again(&mut self.causes, &self.facts);
        }
        self.rubric = rubric.digest.as_ref().map(|digest| RubricResult {
            digest: digest.clone(),
            pass_mark: rubric.pass_mark.unwrap_or(self.score.possible),
            required: rubric.rules().filter(|it| it.1.is_required).map(|it| it.0.id).collect(),
            undecided: rubric.undecided,
            is_whole: rubric.is_whole(),
            passed: self.passes(rubric, None),
        });
        self
    }

    /// Whether the submission passes; `None` where undecided tests decide it. A mark of the caller
    /// counts before the rubric's own.
    #[must_use]
    pub fn passes(&self, rubric: &Rubric, mark: Option<Points>) -> Option<bool> {
        let outcomes = self.checks.iter().map(|row| (row.id, row.outcome));
        rubric.passes(self.score.earned, self.score.undecided, mark, outcomes)
    }

    /// Takes out what is not to be shown, so that no format can show it.
    fn hide(&mut self) {
        if self.show == Detail::Remedy {
            return;
        }
        // It says what to write instead.
        self.slow = None;
        for cause in &mut self.causes {
            cause.changes.clear();
            cause.example = None;
            cause.commands.clear();
            cause.see.clear();
            cause.right = None;
            cause.lab = None;
            // What helps against the cluster's troubles gives nothing away.
            if self
                .checks
                .iter()
                .any(|row| row.outcome == Outcome::Fail && cause.tests.contains(&row.test))
            {
                cause.remedy.clear();
            }
        }
        if self.show == Detail::Reason {
            return;
        }
        self.hidden = self.causes.drain(..).map(|it| (it.id, it.fault)).collect();
        for row in &mut self.checks {
            row.criteria.clear();
            row.blocked_by = None;
            row.shown = None;
        }
    }
}
