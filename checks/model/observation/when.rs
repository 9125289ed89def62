//! When something happened, as far as the recording can tell.

use crate::model::observation::Seq;

/// It happened after line `after` of its kind's stream, and not later than line `by`.
///
/// Watched: nothing of the kind stands between the two. Found by the list after a gap: the gap's
/// two ends. Found by the first list: `after` is `None`, it happened at any time before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// The last line at which it had surely not happened.
    pub after: Option<Seq>,
    /// The first line at which it had surely happened.
    pub by: Seq,
}

/// What can be said of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// A gap hides it.
    Unknown,
}

impl When {
    /// Whether `self` happened before `other`. Both must come from one kind's stream.
    ///
    /// Lines of one stream are totally ordered, so two facts that were watched on two lines always
    /// answer Yes or No. What one line tells at once (a list, or a gap and all that vanished in it)
    /// has no order.
    #[must_use]
    pub fn precedes(self, other: Self) -> Truth {
        let surely =
            |first: Self, second: Self| second.after.is_some_and(|after| first.by <= after);
        if surely(self, other) {
            Truth::Yes
        } else if surely(other, self) {
            Truth::No
        } else {
            Truth::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Truth, When};

    const fn when(after: Option<u64>, by: u64) -> When {
        When { after, by }
    }

    #[test]
    fn watched_facts_are_ordered() {
        assert_eq!(when(Some(3), 5).precedes(when(Some(5), 6)), Truth::Yes);
        assert_eq!(when(Some(5), 6).precedes(when(Some(3), 5)), Truth::No);
    }

    #[test]
    fn listed_first_precedes_what_was_watched_later() {
        assert_eq!(when(None, 2).precedes(when(Some(7), 8)), Truth::Yes);
        assert_eq!(when(None, 2).precedes(when(None, 3)), Truth::Unknown);
    }

    #[test]
    fn a_gap_hides_only_what_lies_in_it() {
        assert_eq!(when(Some(2), 9).precedes(when(Some(2), 10)), Truth::Unknown);
        // Both vanished in it, and nothing else was told meanwhile.
        assert_eq!(when(Some(2), 3).precedes(when(Some(2), 3)), Truth::Unknown);
        assert_eq!(when(Some(1), 2).precedes(when(Some(2), 10)), Truth::Yes);
    }
}
