//! A number with the noun that fits it.

use std::fmt::Display;

/// A number and what it is of: `1 hand-in`, `2 hand-ins`, `0.5 points`.
#[must_use]
pub fn counted(count: impl Display, one: &str, several: &str) -> String {
    let count = count.to_string();
    let noun = if count == "1" { one } else { several };
    format!("{count} {noun}")
}

#[cfg(test)]
mod tests {
    use super::counted;
    use crate::rubric::Points;

    /// Catches `1 points`: points are no whole numbers.
    #[test]
    fn only_one_is_singular() {
        let told = [0, 50, 100, 150, 200].map(|it| {
            let points = Points::hundredths(it);
            counted(points, "point", "points")
        });
        assert_eq!(told, ["0 points", "0.5 points", "1 point", "1.5 points", "2 points"]);
        assert_eq!(counted(1_usize, "pod", "pods"), "1 pod");
    }
}
