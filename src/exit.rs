//! Every exit code, and the one rule that chooses among the graded ones.

/// What a run of stsgrade tells its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Graded and every check passed, or `--fail-under` or the rubric's pass mark was reached, or
    /// `--exit-zero` was given.
    Good,
    /// Graded, and points were lost.
    Lost,
    /// Wrong usage; clap's own.
    Usage,
    /// Graded, and undecided points decide whether it passes: all points, `--fail-under` or the
    /// rubric's pass mark could still be reached.
    Undecided,
    /// Could not grade: no cluster, no permission, somebody else is grading, a recording that
    /// cannot be read.
    CouldNot,
    /// Graded, but the namespace is not as it was found.
    NotRestored,
    /// Stopped by the signal of that number before there was a report.
    Stopped(u8),
}

impl Exit {
    /// The exit code of a graded submission, by whether it passes: undecided points may decide it.
    #[must_use]
    pub const fn of(passes: Option<bool>, exit_zero: bool) -> Self {
        match passes {
            _ if exit_zero => Self::Good,
            Some(true) => Self::Good,
            None => Self::Undecided,
            Some(false) => Self::Lost,
        }
    }

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Lost => 1,
            Self::Usage => 2,
            Self::Undecided => 3,
            Self::CouldNot => 4,
            Self::NotRestored => 5,
            // As a shell tells it.
            Self::Stopped(signal) => 128_u8.saturating_add(signal),
        }
    }
}

/// The table for `--help`.
pub const HELP: &str = "\
Exit codes:
  0    every check passed (or --fail-under or the rubric's mark is reached, or --exit-zero)
  1    points were lost
  2    wrong usage
  3    undecided points decide it: grade again
  4    could not grade; the message names the next step
  5    graded, but not restored; the message says how to finish
  128 + the signal's number: stopped before the report, and put back
       (129 by a closed terminal, 130 by Ctrl-C, 143 by SIGTERM)";

#[cfg(test)]
mod tests {
    use super::Exit;
    use crate::rubric::{Points, Rubric};

    #[track_caller]
    fn check(earned: u32, undecided: u32, fail_under: Option<u32>, expected: Exit) {
        let [earned, undecided] = [earned, undecided].map(Points::whole);
        let passes = Rubric::default().passes(earned, undecided, fail_under.map(Points::whole), []);
        assert_eq!(Exit::of(passes, false), expected);
        assert_eq!(Exit::of(passes, true), Exit::Good);
    }

    #[test]
    fn all_points_are_wanted_by_default() {
        check(100, 0, None, Exit::Good);
        check(90, 0, None, Exit::Lost);
        check(90, 10, None, Exit::Undecided);
        check(80, 10, None, Exit::Lost);
        check(0, 100, None, Exit::Undecided);
    }

    #[test]
    fn a_threshold_that_undecided_points_could_reach_is_undecided() {
        check(60, 0, Some(60), Exit::Good);
        check(50, 10, Some(60), Exit::Undecided);
        check(40, 10, Some(60), Exit::Lost);
        check(0, 0, Some(0), Exit::Good);
    }
}
