//! resourceVersions: positions in the history of one kind.

use std::cmp::Ordering;

/// A resourceVersion, comparable with those of other objects of the same kind.
///
/// It is an unsigned integer of any length; what is not one compares with nothing but itself
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// As the API server writes it.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn is_number(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|it| it.is_ascii_digit())
    }

    /// Whether it is this one or a later one.
    #[must_use]
    pub fn reaches(&self, other: &Self) -> bool {
        matches!(self.partial_cmp(other), Some(Ordering::Equal | Ordering::Greater))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other {
            return Some(Ordering::Equal);
        }
        if !self.is_number() || !other.is_number() {
            return None;
        }
        let digits = |it: &Self| it.0.trim_start_matches('0').to_owned();
        let (first, second) = (digits(self), digits(other));
        Some(first.len().cmp(&second.len()).then_with(|| first.cmp(&second)))
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_compare_as_numbers_of_any_length() {
        let reaches = |one: &str, other: &str| Version::of(one).reaches(&Version::of(other));
        assert!(reaches("1000", "999") && reaches("999", "999") && !reaches("999", "1000"));
        assert!(reaches("36893488147419103232", "18446744073709551616"));
        assert!(
            !reaches("", "1") && !reaches("1", "") && !reaches("new", "1") && reaches("new", "new")
        );
    }
}
