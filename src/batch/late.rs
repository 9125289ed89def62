//! What a late hand-in costs.

use std::time::Duration;

use crate::report::Points;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// The instructor's rule for late hand-ins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatePolicy {
    /// Until when to hand in, in seconds since the epoch; `None`: no hand-in is late.
    pub due: Option<i64>,
    /// How long after the due date a hand-in is not late yet.
    pub grace: Duration,
    /// What each day costs that has begun since the due date.
    pub per_day: Points,
    /// Lateness takes nothing below so many points.
    pub floor: Points,
}

impl LatePolicy {
    /// The days that have begun between the due date and when it was handed in; 0 where it was not
    /// late, or where that is not known. `own_due` is the student's own due date.
    #[must_use]
    pub fn days_late(&self, handed_in: Option<i64>, own_due: Option<i64>) -> u32 {
        let (Some(due), Some(handed_in)) = (own_due.or(self.due), handed_in) else { return 0 };
        let grace = i64::try_from(self.grace.as_secs()).unwrap_or(i64::MAX);
        if handed_in <= due.saturating_add(grace) {
            return 0;
        }
        let seconds = handed_in.saturating_sub(due);
        let days = seconds / SECONDS_PER_DAY + i64::from(seconds % SECONDS_PER_DAY > 0);
        u32::try_from(days).unwrap_or(u32::MAX)
    }

    /// What is left of points after that many days.
    #[must_use]
    pub fn after(&self, points: Points, days: u32) -> Points {
        let cost = self.per_day.in_hundredths().saturating_mul(days);
        (points - Points::hundredths(cost)).max(self.floor.min(points))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::LatePolicy;
    use crate::report::Points;

    /// Catches a second that costs a day within the grace, a grace that shifts the days, a floor
    /// that gives points, and a student's own due date that is not looked at.
    #[test]
    fn each_day_that_has_begun_costs_points() {
        let policy = LatePolicy {
            due: Some(1000),
            grace: Duration::from_secs(600),
            per_day: Points::hundredths(1250),
            floor: Points::whole(40),
        };
        for (handed_in, own_due, days) in [
            (Some(1600), None, 0),
            (Some(1601), None, 1),
            (Some(1000 + 86_400), None, 1),
            (Some(1001 + 86_400), None, 2),
            (Some(1601), Some(2000), 0),
            (None, None, 0),
        ] {
            assert_eq!(policy.days_late(handed_in, own_due), days, "{handed_in:?} {own_due:?}");
        }
        assert_eq!(LatePolicy::default().days_late(Some(9), None), 0);
        let after = |points, days| policy.after(Points::whole(points), days).to_string();
        assert_eq!(after(80, 0), "80");
        assert_eq!(after(80, 1), "67.5");
        assert_eq!(after(80, 9), "40");
        assert_eq!(after(30, 2), "30", "the floor gives nothing");
    }
}
