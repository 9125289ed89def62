//! What names a pod: its name, UID and addresses, as they are and as they are usually written.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::evidence::content::digest;
use crate::model::timeline::{Timeline, lives::PodLife};

/// The fewest digits of a digest that are taken for it.
const LEAST_DIGITS: usize = 6;

/// What a known word is to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meaning {
    /// Its name, or a digest of it: every life of the ordinal has it.
    Name,
    /// A UID or an address of one life.
    Life,
    /// The UID of a claim of its, which the volume is named after. Every start on that claim can
    /// write it again, and it names no pod.
    Claim,
}

/// A known word: what it is, and the ordinals that it names.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) meaning: Meaning,
    pub(crate) ordinals: BTreeSet<i32>,
}

/// The words that name pods of the set.
#[derive(Debug, Default)]
pub(crate) struct PodWords {
    entries: Vec<Entry>,
    /// In small letters.
    words: BTreeMap<String, usize>,
    /// Letter for letter.
    exact: BTreeMap<String, usize>,
    digests: BTreeMap<String, usize>,
    /// By first byte: the lengths of the words, a bit each.
    lengths: BTreeMap<u8, u128>,
    longest: usize,
}

impl PodWords {
    /// The words of all pods that the graded set has owned.
    pub(crate) fn of(timeline: &Timeline) -> Self {
        let mut known = Self::default();
        for (ordinal, lane) in timeline.lanes() {
            let mut name = "";
            for pod in lane {
                known.add_life(ordinal, pod);
                for (_, claim) in pod.claims() {
                    for life in timeline.claim(&claim) {
                        known.add_uid(life.uid(), ordinal, Meaning::Claim);
                    }
                }
                if name != pod.name() {
                    name = pod.name();
                    known.add_name(ordinal, name);
                }
            }
        }
        known
    }

    fn add_life(&mut self, ordinal: i32, pod: &PodLife) {
        self.add_uid(pod.uid(), ordinal, Meaning::Life);
        for address in &pod.addresses {
            self.add(address, ordinal, Meaning::Life);
        }
    }

    fn add_uid(&mut self, uid: &str, ordinal: i32, meaning: Meaning) {
        self.add(uid, ordinal, meaning);
        if uid.len() == 36 {
            self.add(&uid.replace('-', ""), ordinal, meaning);
        }
    }

    fn add_name(&mut self, ordinal: i32, name: &str) {
        self.add(name, ordinal, Meaning::Name);
        self.add(&name.replace('-', "_"), ordinal, Meaning::Name);
        // What `hostname | md5sum` reads ends with a line feed.
        for text in [name.to_owned(), format!("{name}\n")] {
            for digits in digest::all(&text) {
                let entry = self.entry(self.digests.get(&digits).copied(), ordinal, Meaning::Name);
                self.digests.insert(digits, entry);
            }
            self.add(&digest::cksum(&text).to_string(), ordinal, Meaning::Name);
            self.add(&digest::digits(&text), ordinal, Meaning::Name);
            let encoded = digest::base64(&text);
            let entry = self.entry(self.exact.get(&encoded).copied(), ordinal, Meaning::Name);
            self.note_length(&encoded);
            self.exact.insert(encoded, entry);
        }
    }

    fn add(&mut self, word: &str, ordinal: i32, meaning: Meaning) {
        if word.is_empty() {
            return;
        }
        let word = word.to_ascii_lowercase();
        let entry = self.entry(self.words.get(&word).copied(), ordinal, meaning);
        self.note_length(&word);
        self.words.insert(word, entry);
    }

    fn entry(&mut self, there: Option<usize>, ordinal: i32, meaning: Meaning) -> usize {
        let place = there.unwrap_or_else(|| {
            self.entries.push(Entry { meaning, ordinals: BTreeSet::new() });
            self.entries.len() - 1
        });
        self.entries[place].ordinals.insert(ordinal);
        place
    }

    fn note_length(&mut self, word: &str) {
        let Some(first) = word.bytes().next() else { return };
        *self.lengths.entry(first.to_ascii_lowercase()).or_default() |= 1 << word.len().min(127);
        self.longest = self.longest.max(word.len());
    }

    /// A known word.
    pub(crate) fn entry_at(&self, place: usize) -> &Entry {
        &self.entries[place]
    }

    /// The longest known word at the beginning of a text, with nothing behind it that would make it
    /// another name or number.
    pub(crate) fn at_start(&self, text: &str) -> Option<(usize, usize)> {
        let bytes = text.as_bytes();
        let lengths = *self.lengths.get(&bytes.first()?.to_ascii_lowercase())?;
        let mut found = None;
        for length in 1..=self.longest.min(bytes.len()) {
            let byte = bytes[length - 1];
            if !byte.is_ascii_alphanumeric() && !b"-._:+/".contains(&byte) {
                break;
            }
            // `web-1` is not in `web-10`, nor 10.0.0.1 in 10.0.0.12.
            let ends = bytes.get(length).is_none_or(|next| !next.is_ascii_alphanumeric());
            if lengths >> length.min(127) & 1 == 1 && ends {
                found = self.find(&text[..length]).map(|place| (length, place)).or(found);
            }
        }
        found
    }

    fn find(&self, word: &str) -> Option<usize> {
        self.exact.get(word).or_else(|| self.words.get(&word.to_ascii_lowercase())).copied()
    }

    /// The name whose digest a word is, or the beginning of it.
    pub(crate) fn digest(&self, word: &str) -> Option<usize> {
        if word.len() < LEAST_DIGITS || !word.bytes().all(|it| it.is_ascii_hexdigit()) {
            return None;
        }
        let word = word.to_ascii_lowercase();
        let (digits, entry) = self.digests.range(word.clone()..).next()?;
        digits.starts_with(&word).then_some(*entry)
    }
}

/// What to search files for that are not recorded as text: all that names one pod, in the usual
/// renderings.
#[must_use]
pub fn needles(pod: &PodLife) -> Vec<String> {
    let name = pod.name();
    let mut needles = vec![name.to_owned(), pod.uid().to_owned()];
    needles.extend(pod.addresses.iter().cloned());
    for text in [name.to_owned(), format!("{name}\n")] {
        needles.extend(digest::all(&text));
        needles.push(digest::cksum(&text).to_string());
        needles.push(digest::base64(&text));
    }
    needles.retain(|it| !it.is_empty());
    needles
}
