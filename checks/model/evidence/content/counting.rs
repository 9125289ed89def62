//! Counters: numbers that have gone on from what each fresh start writes.

use std::collections::BTreeSet;

use crate::model::evidence::content::{
    clock::{Explained, Moments, Written, explains},
    lexer::{Kind, Token},
};

/// A line of a file, and the line of the same shape that is there after a new start.
pub(crate) struct SameLineLater<'l, 't> {
    /// Such lines of fresh starts.
    pub(crate) fresh: &'l [&'l [Token<'t>]],
    pub(crate) before: &'l [Token<'t>],
    pub(crate) after: &'l [Token<'t>],
    /// When each of the two may have been written.
    pub(crate) moments: [Moments; 2],
}

impl SameLineLater<'_, '_> {
    /// Whether a number or two have gone on, and no other figure has changed but what differs
    /// between fresh starts, too.
    ///
    /// Among figures that do, a load or random numbers, one that goes on may do so by chance:
    /// there it must count from 0 or 1, and have a name in front of it.
    pub(crate) fn counted_on(&self) -> bool {
        const MOST: usize = 2;
        let (noise, rest): (Vec<usize>, Vec<usize>) =
            self.changed_figures().partition(|place| self.differs_when_fresh(*place));
        let counts = |place: &usize| {
            self.is_further(*place)
                && (noise.is_empty() || self.has_name(*place) && self.counts_from_the_start(*place))
        };
        (1..=MOST).contains(&rest.len()) && rest.iter().all(counts)
    }

    fn changed_figures(&self) -> impl Iterator<Item = usize> + '_ {
        let differs = |place: &usize| self.before[*place].text != self.after[*place].text;
        let is_figure =
            |place: &usize| matches!(self.before[*place].kind, Kind::Number | Kind::Decimal);
        (0..self.before.len().min(self.after.len())).filter(differs).filter(is_figure)
    }

    fn differs_when_fresh(&self, place: usize) -> bool {
        let values: BTreeSet<&str> =
            self.fresh.iter().filter_map(|line| Some(line.get(place)?.text)).collect();
        values.len() > 1
    }

    fn fresh_numbers(&self, place: usize) -> BTreeSet<i64> {
        self.fresh.iter().filter_map(|line| line.get(place)?.number()).collect()
    }

    /// Whether a number has gone on from what each fresh start writes, and the time does not
    /// explain that.
    fn is_further(&self, place: usize) -> bool {
        let (before, after) = (self.before[place], self.after[place]);
        let Some((number, later)) = before.number().zip(after.number()).filter(|(a, b)| b > a)
        else {
            return false;
        };
        let written = [(before, self.moments[0]), (after, self.moments[1])]
            .map(|(token, moments)| Written { digits: token.text, moments });
        let fresh = self.fresh_numbers(place);
        let is_count = match fresh.len() {
            0 => later == number + 1,
            1 => !fresh.contains(&later) && fresh.iter().all(|it| *it <= number),
            _ => false,
        };
        is_count && explains(&written) == Explained::No
    }

    fn counts_from_the_start(&self, place: usize) -> bool {
        self.fresh_numbers(place).iter().all(|it| (0..=1).contains(it))
    }

    /// Whether a word stands in front of a number: `starts: 2`, not the `2` of `0.31 2/201`.
    fn has_name(&self, place: usize) -> bool {
        let name = place.checked_sub(1).map(|it| (self.before[it], self.after[it]));
        name.is_some_and(|(before, after)| {
            before.kind == Kind::Word && !before.is_random() && before.text == after.text
        })
    }
}
