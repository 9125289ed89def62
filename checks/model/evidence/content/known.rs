//! What names a pod: its name, UID and addresses, as they are and as they are usually written.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::evidence::content::digest;
use crate::model::timeline::{Timeline, lives::PodLife};

/// The fewest digits of a digest that are taken for it.
const LEAST_DIGITS: usize = 6;
/// The length of a UID with its hyphens.
const UID_CHARS: usize = 36;

/// The most bytes of a known word: those of the longest DNS name. A pod's name in a StatefulSet is a
/// label of 63 bytes at most, so that no rendering of it is longer, nor is a UID or an address.
const MAX_BYTES: usize = 253;

/// What a known word is to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meaning {
    /// Its name, or a digest of it: every life of the ordinal has it.
    Name,
    /// A UID or an address of one life.
    Life,
    /// The UID of one of its claims, which the volume is named after. Every start on that claim can
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
        for word in uid_words(uid) {
            self.add(&word, ordinal, meaning);
        }
    }

    fn add_name(&mut self, ordinal: i32, name: &str) {
        let NameWords { plain, digests, encoded } = NameWords::of(name);
        for word in plain {
            self.add(&word, ordinal, Meaning::Name);
        }
        for digits in digests {
            let entry = self.entry(self.digests.get(&digits).copied(), ordinal, Meaning::Name);
            self.digests.insert(digits, entry);
        }
        for encoded in encoded.into_iter().filter(|it| it.len() <= MAX_BYTES) {
            let entry = self.entry(self.exact.get(&encoded).copied(), ordinal, Meaning::Name);
            self.note_length(&encoded);
            self.exact.insert(encoded, entry);
        }
    }

    fn add(&mut self, word: &str, ordinal: i32, meaning: Meaning) {
        if word.is_empty() || word.len() > MAX_BYTES {
            return;
        }
        let word = word.to_ascii_lowercase();
        let entry = self.entry(self.words.get(&word).copied(), ordinal, meaning);
        self.note_length(&word);
        self.words.insert(word, entry);
    }

    fn entry(&mut self, there: Option<usize>, ordinal: i32, meaning: Meaning) -> usize {
        let index = there.unwrap_or_else(|| {
            self.entries.push(Entry { meaning, ordinals: BTreeSet::new() });
            self.entries.len() - 1
        });
        self.entries[index].ordinals.insert(ordinal);
        index
    }

    fn note_length(&mut self, word: &str) {
        let Some(first) = word.bytes().next() else { return };
        *self.lengths.entry(first.to_ascii_lowercase()).or_default() |= 1 << word.len().min(127);
        self.longest = self.longest.max(word.len());
    }

    /// A known word.
    pub(crate) fn entry_at(&self, index: usize) -> &Entry {
        &self.entries[index]
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
                found = self.find(&text[..length]).map(|index| (length, index)).or(found);
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

/// A pod's name in its usual renderings.
struct NameWords {
    /// As it is or in digits, in letters of either case.
    plain: Vec<String>,
    /// In hexadecimal digits, of which the first ones are enough.
    digests: Vec<String>,
    /// Letter for letter.
    encoded: Vec<String>,
}

impl NameWords {
    fn of(name: &str) -> Self {
        let mut words = Self {
            plain: vec![name.to_owned(), name.replace('-', "_")],
            digests: vec![],
            encoded: vec![],
        };
        // What `hostname | md5sum` reads ends with a line feed.
        for text in [name.to_owned(), format!("{name}\n")] {
            words.plain.push(digest::cksum(&text).to_string());
            words.plain.push(digest::digits(&text));
            words.digests.extend(digest::all(&text));
            words.encoded.push(digest::base64(&text));
        }
        words
    }
}

/// A UID as it is, and without its hyphens.
fn uid_words(uid: &str) -> Vec<String> {
    let mut words = vec![uid.to_owned()];
    if uid.len() == UID_CHARS {
        words.push(uid.replace('-', ""));
    }
    words
}

/// What to search files for that are not recorded as text: all that names one pod, in the same
/// renderings as in text. They are some twenty and its addresses.
#[must_use]
pub fn needles(pod: &PodLife) -> Vec<String> {
    let NameWords { plain, digests, encoded } = NameWords::of(pod.name());
    let mut needles = [plain, uid_words(pod.uid()), digests, encoded].concat();
    needles.extend(pod.addresses.iter().cloned());
    needles.retain(|it| !it.is_empty());
    needles
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, Meaning, PodWords, needles};
    use crate::model::testing::history::History;

    /// Catches an address of a hundred kilobytes, which is looked for at each of its own letters.
    #[test]
    fn what_is_longer_than_a_dns_name_is_no_known_word() {
        let mut known = PodWords::default();
        known.add(&"a.".repeat(50_000), 0, Meaning::Life);
        known.add_name(0, &"b-".repeat(50_000));
        let longest = "c".repeat(MAX_BYTES);
        known.add(&longest, 1, Meaning::Life);
        assert_eq!(known.longest, MAX_BYTES);
        assert_eq!(known.at_start(&"a.".repeat(50_000)), None);
        let (length, index) = known.at_start(&longest).unwrap();
        assert_eq!((length, known.entry_at(index).ordinals.contains(&1)), (MAX_BYTES, true));
    }

    /// Catches a rendering that names a pod in a text, and is not searched for where there is none.
    #[test]
    fn all_that_names_a_pod_in_text_is_searched_for() {
        let timeline = History::created().timeline();
        let known = PodWords::of(&timeline);
        let pod = &timeline.lane(1)[0];
        let needles = needles(pod);
        let words = known.words.keys().chain(known.exact.keys()).chain(known.digests.keys());
        let own = words.filter(|word| {
            known.exact_word(word).is_some_and(|index| known.entry_at(index).ordinals.contains(&1))
        });
        let mut found = 0;
        for word in own {
            let is_claim = timeline.claim("data-web-1").iter().any(|claim| claim.uid() == word);
            assert!(is_claim || needles.contains(word), "{word}");
            found += 1;
        }
        assert!(found > 10 && needles.len() < 30, "{found} {needles:?}");
        let mut pod = pod.clone();
        pod.pod.metadata.uid = "6c2d6d1a-619e-4033-9fd5-8ccb11f80e1c".to_owned();
        let needles = super::needles(&pod);
        assert!(needles.contains(&"6c2d6d1a619e40339fd58ccb11f80e1c".to_owned()), "{needles:?}");
    }
}
