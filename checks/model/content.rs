//! What files tell: who wrote them, and whether the original content is still there.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    lives::{Incarnation, Noted},
    observation::{File, Read, Seq},
    timeline::Timeline,
};

/// Files larger than this are not searched for numbers: in enough data every number occurs.
const NUMBERS_UP_TO: usize = 4096;

/// What one pod's claims held, by claim and path.
#[derive(Clone, Debug)]
pub struct Portrait<'t> {
    /// Whose.
    pub pod: &'t Incarnation,
    /// The files with text, newest reading of each.
    pub texts: Vec<Text<'t>>,
    /// Files whose text could not be seen: binary, unreadable, cut or left out.
    pub hidden: u64,
    /// The readings, all of them successful.
    pub reads: Vec<Seq>,
}

/// One file's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'t> {
    /// On which claim.
    pub claim: &'t str,
    /// Where below the mount.
    pub path: &'t str,
    /// What it says.
    pub content: &'t str,
    /// It goes on.
    pub cut: bool,
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

impl Timeline {
    /// The readings of one pod's claims that told something, oldest first.
    fn readings<'t>(&'t self, uid: &'t str) -> impl DoubleEndedIterator<Item = &'t Noted<Read>> {
        self.reads.iter().filter(move |it| it.what.pod.uid == uid && it.what.error.is_none())
    }

    /// Why a pod's files could not be read, when that was tried and none could.
    #[must_use]
    pub fn unread(&self, uid: &str) -> Option<(Seq, &str)> {
        if self.readings(uid).next().is_some() {
            return None;
        }
        self.reads.iter().rfind(|it| it.what.pod.uid == uid).and_then(|it| Some((it.seq, it.what.error.as_deref()?)))
    }

    /// What a pod's claims held by the newest reading of each mount of a claim; `None` when there was none.
    #[must_use]
    pub fn portrait<'t>(&'t self, pod: &'t Incarnation) -> Option<Portrait<'t>> {
        let mut newest: BTreeMap<Mount<'_>, &Noted<Read>> = BTreeMap::new();
        for read in self.readings(pod.uid()) {
            newest.insert(mount_of(&read.what), read);
        }
        Self::portrait_of(pod, newest.values().copied())
    }

    /// What a pod's claims held by the first reading of each mount of a claim that found anything.
    #[must_use]
    pub fn first_portrait<'t>(&'t self, pod: &'t Incarnation) -> Option<Portrait<'t>> {
        let mut first: BTreeMap<Mount<'_>, &Noted<Read>> = BTreeMap::new();
        for read in self.readings(pod.uid()) {
            let known = first.entry(mount_of(&read.what)).or_insert(read);
            if known.what.files.iter().all(|it| it.size == 0) {
                *known = read;
            }
        }
        Self::portrait_of(pod, first.values().copied())
    }

    fn portrait_of<'t>(pod: &'t Incarnation, reads: impl Iterator<Item = &'t Noted<Read>>) -> Option<Portrait<'t>> {
        let mut portrait = Portrait { pod, texts: vec![], hidden: 0, reads: vec![] };
        for read in reads {
            portrait.reads.push(read.seq);
            portrait.hidden += read.what.left_out;
            for file in &read.what.files {
                match text_of(&read.what.claim, file) {
                    Some(text) => {
                        portrait.hidden += u64::from(text.cut);
                        portrait.texts.push(text);
                    }
                    None => portrait.hidden += 1,
                }
            }
        }
        (!portrait.reads.is_empty()).then_some(portrait)
    }

    /// For each ordinal, what the first of its incarnations that could be read held: the originals.
    #[must_use]
    pub fn originals(&self) -> Vec<Portrait<'_>> {
        let since = self.since();
        let first = |lane: &'_ [Incarnation]| -> Option<usize> { (0..lane.len()).find(|place| self.readings(lane[*place].uid()).any(|it| it.seq >= since)) };
        self.lanes().filter_map(|(_, lane)| self.portrait(&lane[first(lane)?])).collect()
    }

    /// Whether a pod's files already tell who wrote them, as far as can be said beside what other pods have shown so far.
    #[must_use]
    pub fn has_identity(&self, uid: &str) -> bool {
        let Some(pod) = self.incarnation(uid) else { return false };
        let mut portraits: Vec<_> = self.originals().into_iter().filter(|it| it.pod.ordinal != pod.ordinal).collect();
        let Some(own) = self.portrait(pod) else { return false };
        portraits.push(own);
        let gallery = Gallery::of(self, portraits);
        let alone = gallery.portraits.len() == 1;
        gallery.portraits.iter().rposition(|it| it.pod.uid() == uid).is_some_and(|place| {
            let lone_text = alone && gallery.portraits[place].texts.iter().any(|it| !it.content.trim().is_empty());
            lone_text || !gallery.identity(place).is_empty()
        })
    }
}

/// A claim may be mounted by several of its folders: the claim, and where.
type Mount<'t> = (&'t str, &'t str);

fn mount_of(read: &Read) -> Mount<'_> {
    (&read.claim, &read.mount_path)
}

fn text_of<'t>(claim: &'t str, file: &'t File) -> Option<Text<'t>> {
    let content = match &file.content {
        Some(content) => content.as_str(),
        None if file.size == 0 && file.without.is_none() => "",
        None => return None,
    };
    Some(Text { claim, path: &file.path, content, cut: file.cut })
}

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

impl Portrait<'_> {
    fn lines(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().flat_map(|text| text.content.lines())
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

/// Where `word` stands in `text` with nothing beside it that would make it another name or number.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let joins = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = at.checked_sub(1).and_then(|it| bytes.get(it));
        let after = bytes.get(at + word.len());
        // `web-1` is not in `my-web-1`, nor in `web-10`, nor 10.0.0.1 in 10.0.0.12.
        !joins(before) && before != Some(&b'-') && !joins(after)
    })
}

/// Every run of digits becomes `#`.
fn mask_digits(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut in_digits = false;
    for c in text.chars() {
        let digit = c.is_ascii_digit();
        if !digit {
            masked.push(c);
        } else if !in_digits {
            masked.push('#');
        }
        in_digits = digit;
    }
    masked
}

/// The words of a line, with the separators between them: letters, digits and what joins them in times, dates and UUIDs.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_inclusive(|c: char| !(c.is_alphanumeric() || matches!(c, ':' | '-' | '.' | '+' | '_' | '/')))
}

/// Dates, times, UUIDs and hex words become `#`; other numbers stay.
fn mask_times(line: &str) -> String {
    let words: Vec<&str> = words(line).collect();
    let bare: Vec<&str> = words.iter().map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric())).collect();
    let months: Vec<usize> = (0..bare.len()).filter(|place| is_month(bare[*place])).collect();
    // The day stands beside the month, the year not far behind it: `Mon Nov 23 03:54:11 UTC 2026`.
    let in_date = |place: usize| {
        let digits = bare[place].bytes().all(|it| it.is_ascii_digit());
        let near = |reach: usize| months.iter().any(|month| place.abs_diff(*month) <= reach);
        digits && (bare[place].len() <= 2 && near(1) || bare[place].len() == 4 && near(5))
    };
    let mask = |(place, word): (usize, &&str)| {
        let masked = !bare[place].is_empty() && (is_volatile(bare[place]) || in_date(place));
        if masked { format!("#{}", &word[bare[place].len()..]) } else { (*word).to_owned() }
    };
    words.iter().enumerate().map(mask).collect()
}

/// The numbers of a line, those inside dates, times, UUIDs and hex words left out.
fn numbers_in(line: &str) -> impl Iterator<Item = i64> {
    let masked = mask_times(line);
    let numbers: Vec<i64> = masked.split(|c: char| !c.is_ascii_digit()).filter(|it| !it.is_empty() && it.len() <= 9).filter_map(|it| it.parse().ok()).collect();
    numbers.into_iter()
}

fn is_month(word: &str) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = word.get(..3).map(str::to_ascii_lowercase);
    word.len() <= 9 && start.is_some_and(|start| MONTHS.contains(&start.as_str())) && word.bytes().all(|it| it.is_ascii_alphabetic())
}

/// `12:30`, `12:30:59.1`.
fn is_clock(word: &str) -> bool {
    let mut parts = word.split(':');
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    word.contains(':') && parts.by_ref().all(digits)
}

/// Whether the digits in a word are a date's, a time's, a UUID's or a hash's, or an address's.
fn is_volatile(word: &str) -> bool {
    let hex = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_hexdigit());
    let uuid = word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && word.split('-').all(hex);
    let hash = word.len() >= 6 && hex(word) && word.bytes().any(|it| it.is_ascii_alphabetic()) && word.bytes().any(|it| it.is_ascii_digit());
    let date_parts = |separator| word.split(separator).filter(|it| (1..=4).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit())).count() >= 3;
    let stamped = word.len() >= 10 && word.bytes().take(4).all(|it| it.is_ascii_digit()) && word.as_bytes().get(4) == Some(&b'-');
    let long = word.len() > 9 && word.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    uuid || hash || is_clock(word) || date_parts('-') || date_parts('/') || date_parts('.') || stamped || long
}

#[cfg(test)]
mod tests {
    use super::{find_word, mask_times, numbers_in};

    #[test]
    fn a_name_is_not_found_inside_another() {
        assert_eq!(find_word("web-10 web-1", "web-1"), Some(7));
        assert_eq!(find_word("my-web-1", "web-1"), None);
        assert_eq!(find_word("host web-1.nginx", "web-1"), Some(5));
    }

    #[test]
    fn digits_of_times_and_hashes_are_no_numbers() {
        for line in [
            "Mon Nov 23 03:54:11 UTC 2026",
            "2026-11-23T03:54:11Z",
            "2026-11-23 03:54",
            "1732334051",
            "deadbeef01",
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "10.88.1.5",
            "11/23/2026",
        ] {
            assert_eq!(numbers_in(line).collect::<Vec<_>>(), Vec::<i64>::new(), "{line}");
        }
        assert_eq!(numbers_in("server-id=101 at 12:00:01").collect::<Vec<_>>(), [101]);
        assert_eq!(numbers_in("ordinal 2").collect::<Vec<_>>(), [2]);
        assert_eq!(numbers_in("id: 0").collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_mask_keeps_what_is_no_time() {
        assert_eq!(mask_times("id=3 at 12:30:59"), "id=3 at #");
    }
}
