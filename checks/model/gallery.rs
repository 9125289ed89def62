//! Portraits side by side: who wrote what, and whether the original is still there.

use std::collections::BTreeSet;

use super::{
    content::{Portrait, Text},
    lives::Incarnation,
    timeline::Timeline,
    words::{find_word, mask_digits, mask_times, numbers_in},
};

/// Files larger than this are not searched for numbers: in enough data every number occurs.
const NUMBERS_UP_TO: usize = 4096;

/// Several pods' portraits side by side: what they share tells nothing, what is left tells who wrote it.
#[derive(Debug)]
pub struct Gallery<'t> {
    /// The portraits, one per ordinal.
    pub portraits: Vec<Portrait<'t>>,
    /// Names, UIDs and addresses of all pods, longest first.
    known: Vec<String>,
    /// Lines that every pod has, times and numbers aside.
    shared: BTreeSet<String>,
    /// Lines that every pod has, times aside.
    shared_numbers: BTreeSet<String>,
    /// Paths that every pod has.
    shared_paths: BTreeSet<&'t str>,
    /// What is added to the ordinal in the number that each pod writes.
    offset: Option<i64>,
}

/// How an original file fared, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// It is there, whole or with more behind it, or a line of it that is nobody else's.
    Yes,
    /// It could not be seen.
    Unseen,
    /// Nothing of it is left.
    No,
}

impl<'t> Gallery<'t> {
    /// Hangs the portraits side by side.
    #[must_use]
    pub fn of(timeline: &Timeline, portraits: Vec<Portrait<'t>>) -> Self {
        let mut known: Vec<String> = timeline.lanes().flat_map(|(_, lane)| lane).flat_map(tokens_of).collect();
        known.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        known.dedup();
        let mut gallery = Self { portraits, known, shared: BTreeSet::new(), shared_numbers: BTreeSet::new(), shared_paths: BTreeSet::new(), offset: None };
        gallery.shared = gallery.common(|it| it.lines().map(|line| gallery.masked(line)).collect());
        gallery.shared_numbers = gallery.common(|it| it.lines().map(mask_times).collect());
        gallery.shared_paths = gallery.common(|it| it.texts.iter().map(|text| text.path).collect());
        let asked = timeline.ordinals();
        gallery.offset = gallery.find_offset(|ordinal| asked.contains(&ordinal));
        gallery
    }

    /// What all portraits have in common; nothing, where there is only one.
    fn common<T: Ord>(&self, of: impl Fn(&Portrait<'t>) -> BTreeSet<T>) -> BTreeSet<T> {
        if self.portraits.len() < 2 {
            return BTreeSet::new();
        }
        let mut sets = self.portraits.iter().map(of);
        let first = sets.next().unwrap_or_default();
        sets.fold(first, |shared, set| shared.into_iter().filter(|it| set.contains(it)).collect())
    }

    /// A line with times and numbers taken out, except in the names and addresses of pods.
    fn masked(&self, line: &str) -> String {
        let mut masked = String::with_capacity(line.len());
        let mut rest = line;
        while !rest.is_empty() {
            let next = self.known.iter().filter_map(|token| Some((find_word(rest, token)?, token.len()))).min_by_key(|(at, len)| (*at, usize::MAX - len));
            let (at, len) = next.unwrap_or((rest.len(), 0));
            masked.push_str(&mask_digits(&rest[..at]));
            masked.push_str(&rest[at..at + len]);
            rest = &rest[at + len..];
        }
        masked
    }

    /// The files of one portrait that tell which pod wrote them.
    #[must_use]
    pub fn identity(&self, place: usize) -> Vec<Text<'t>> {
        let Some(portrait) = self.portraits.get(place) else { return vec![] };
        portrait.texts.iter().filter(|text| self.tells(portrait, text)).copied().collect()
    }

    fn tells(&self, portrait: &Portrait<'t>, text: &Text<'t>) -> bool {
        let own = tokens_of(portrait.pod);
        let named = |words: &str| own.iter().any(|token| find_word(words, token).is_some());
        let by_path = !self.shared_paths.contains(text.path) && named(text.path);
        let by_line = || text.content.lines().any(|line| named(line) && !self.shared.contains(&self.masked(line)));
        let by_number = || {
            let wanted = self.offset.map(|offset| i64::from(portrait.pod.ordinal) + offset);
            wanted.is_some_and(|wanted| self.numbers(text).contains(&wanted))
        };
        by_path || by_line() || by_number()
    }

    /// The numbers that a file tells, in lines and a path that not all pods share; those inside times, dates, UUIDs, hex words and pods' names left out.
    fn numbers(&self, text: &Text<'t>) -> BTreeSet<i64> {
        let mut found = BTreeSet::new();
        if text.content.len() <= NUMBERS_UP_TO {
            for line in text.content.lines().filter(|line| !self.shared_numbers.contains(&mask_times(line))) {
                found.extend(numbers_in(&self.without_known(line)));
            }
        }
        if !self.shared_paths.contains(text.path) {
            found.extend(numbers_in(&self.without_known(text.path)));
        }
        found
    }

    fn without_known(&self, line: &str) -> String {
        self.known.iter().fold(line.to_owned(), |line, token| if find_word(&line, token).is_some() { line.replace(token.as_str(), "·") } else { line })
    }

    /// The constant that every asked-for ordinal's number exceeds the ordinal by.
    fn find_offset(&self, asked: impl Fn(i32) -> bool) -> Option<i64> {
        let mut each = self.portraits.iter().filter(|it| asked(it.pod.ordinal)).map(|it| {
            let numbers: BTreeSet<i64> = it.texts.iter().flat_map(|text| self.numbers(text)).collect();
            numbers.into_iter().map(|number| number - i64::from(it.pod.ordinal)).filter(|offset| *offset >= 0).collect::<BTreeSet<_>>()
        });
        let first = each.next()?;
        let mut several = false;
        let left = each.fold(first, |left, offsets| {
            several = true;
            left.intersection(&offsets).copied().collect()
        });
        left.first().copied().filter(|_| several)
    }

    /// How an original file of the pod at `place` fared in what was read later.
    #[must_use]
    pub fn kept(&self, place: usize, original: &Text<'_>, now: &Portrait<'_>) -> Kept {
        let same = |it: &&Text<'_>| it.path == original.path && it.claim == original.claim;
        let fates = now.texts.iter().filter(same).map(|after| self.kept_in(place, original, after));
        // Two folders of a claim may hold files of one name.
        fates.min().unwrap_or(if now.hidden > 0 { Kept::Unseen } else { Kept::No })
    }

    fn kept_in(&self, place: usize, original: &Text<'_>, after: &Text<'_>) -> Kept {
        let length = if original.cut || after.cut { original.content.len().min(after.content.len()) } else { original.content.len() };
        let same_start = original.content.as_bytes().get(..length).is_some_and(|start| after.content.as_bytes().starts_with(start));
        if same_start || self.keeps_a_line(place, original, after) {
            return Kept::Yes;
        }
        if after.cut { Kept::Unseen } else { Kept::No }
    }

    /// Whether a line of the original that no other pod has, beyond names, ordinals, UIDs and addresses, is still there.
    fn keeps_a_line(&self, place: usize, original: &Text<'_>, after: &Text<'_>) -> bool {
        let Some(own) = self.portraits.get(place) else { return false };
        let others: BTreeSet<String> = self
            .portraits
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place)
            .flat_map(|(_, it)| it.lines().map(|line| anonymous(line, it.pod)).collect::<Vec<_>>())
            .collect();
        let left: BTreeSet<&str> = after.content.lines().collect();
        let distinct = |line: &&str| !line.trim().is_empty() && !others.contains(&anonymous(line, own.pod)) && anonymous(line, own.pod) != "·";
        let alone = self.portraits.len() < 2;
        !alone && original.content.lines().filter(distinct).any(|line| left.contains(line))
    }
}

/// What names a pod: its name, its UID and the addresses that it had.
fn tokens_of(pod: &Incarnation) -> Vec<String> {
    [pod.name(), pod.uid()].into_iter().filter(|it| !it.is_empty()).map(str::to_owned).chain(pod.addresses.iter().cloned()).collect()
}

/// A line with what names the pod taken out: its name, UID, addresses and its ordinal as a number.
fn anonymous(line: &str, pod: &Incarnation) -> String {
    let mut bare = tokens_of(pod).iter().fold(line.to_owned(), |line, token| line.replace(token.as_str(), "·"));
    let ordinal = pod.ordinal.to_string();
    while let Some(at) = find_word(&bare, &ordinal) {
        bare.replace_range(at..at + ordinal.len(), "·");
    }
    bare
}
