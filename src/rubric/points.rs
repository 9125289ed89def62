//! Points, as every format shows them.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign, Sub},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Points: not negative, in hundredths. Sums of them are exact, so the parts of a score add up to
/// it in every format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Points(u32);

impl Points {
    /// None.
    pub const ZERO: Self = Self(0);

    /// Whole points.
    #[must_use]
    pub const fn whole(points: u32) -> Self {
        Self(points.saturating_mul(100))
    }

    /// Hundredths of a point.
    #[must_use]
    pub const fn hundredths(hundredths: u32) -> Self {
        Self(hundredths)
    }

    /// In hundredths of a point.
    #[must_use]
    pub const fn in_hundredths(self) -> u32 {
        self.0
    }

    /// The number, where it is whole.
    #[must_use]
    pub const fn as_whole(self) -> Option<u32> {
        if self.0.is_multiple_of(100) { Some(self.0 / 100) } else { None }
    }

    /// As a floating-point number: the nearest to the two decimals.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl fmt::Display for Points {
    /// With as many decimals as it takes: `10`, `7.5`, `3.33`.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.0 / 100, self.0 % 100) {
            (whole, 0) => whole.to_string(),
            (whole, rest) if rest.is_multiple_of(10) => format!("{whole}.{}", rest / 10),
            (whole, rest) => format!("{whole}.{rest:02}"),
        };
        to.pad(&text)
    }
}

impl schemars::JsonSchema for Points {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Points".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "number", "minimum": 0, "multipleOf": 0.01})
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.as_whole() {
            Some(whole) => to.serialize_u32(whole),
            None => to.serialize_f64(self.as_f64()),
        }
    }
}

impl<'de> Deserialize<'de> for Points {
    /// A number that is not negative, with at most two decimals that count.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let hundredths = (f64::deserialize(from)? * 100.0).round();
        if !(0.0..=f64::from(u32::MAX)).contains(&hundredths) {
            return Err(de::Error::custom("not a number of points"));
        }
        // It is whole, and in range.
        Ok(Self(hundredths as u32))
    }
}

impl Add for Points {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl AddAssign for Points {
    fn add_assign(&mut self, more: Self) {
        *self = *self + more;
    }
}

impl Sub for Points {
    type Output = Self;

    /// Not less than nothing.
    fn sub(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0))
    }
}

impl Sum for Points {
    fn sum<I: Iterator<Item = Self>>(points: I) -> Self {
        points.fold(Self::ZERO, Self::add)
    }
}

#[cfg(test)]
mod tests {
    use super::Points;

    /// Catches the same points being written differently by two formats.
    #[test]
    fn points_have_at_most_two_decimals() {
        for (hundredths, text) in [(0, "0"), (1000, "10"), (750, "7.5"), (333, "3.33"), (5, "0.05")]
        {
            let points = Points::hundredths(hundredths);
            assert_eq!(points.to_string(), text);
            assert_eq!(serde_json::to_string(&points).unwrap(), text);
            assert_eq!(serde_json::from_str::<Points>(text).unwrap(), points);
        }
        assert_eq!(format!("{:>6}", Points::whole(10)), "    10");
        for text in ["-1", "1e99", "\"1\""] {
            assert!(serde_json::from_str::<Points>(text).is_err(), "{text}");
        }
    }
}
