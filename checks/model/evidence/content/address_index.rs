//! Which pods' files hold an address or a UID: all files are searched for all such words in one pass.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::evidence::content::writer::{HeldBy, note_holder};

/// Who holds each of some addresses and UIDs, alone or within a longer word.
#[derive(Debug)]
pub(super) struct AddressIndex<'t> {
    holders: BTreeMap<&'t str, HeldBy>,
    /// The words that are looked for, and how long they are, in bytes.
    words: BTreeSet<&'t str>,
    lengths: BTreeSet<usize>,
}

impl<'t> AddressIndex<'t> {
    /// Of these words, which nobody holds yet.
    pub(super) fn of(words: impl Iterator<Item = &'t str>) -> Self {
        let words: BTreeSet<&str> = words.collect();
        let lengths = words.iter().map(|it| it.len()).collect();
        Self { holders: BTreeMap::new(), words, lengths }
    }

    /// Takes note of all words that a text of this ordinal's pod holds.
    pub(super) fn search(&mut self, text: &'t str, ordinal: i32) {
        let Some(&shortest) = self.lengths.first() else { return };
        for part in text.split(|it: char| !is_of_address(it)) {
            for begin in 0..(part.len() + 1).saturating_sub(shortest) {
                let rest = &part[begin..];
                for length in self.lengths.range(..=rest.len()) {
                    if let Some(word) = self.words.get(&rest[..*length]) {
                        note_holder(&mut self.holders, *word, ordinal);
                    }
                }
            }
        }
    }

    /// Whether no other ordinal's pod holds a word.
    pub(super) fn is_only_in(&self, word: &str, ordinal: i32) -> bool {
        self.holders.get(word).is_none_or(|it| *it == HeldBy::One(ordinal))
    }
}

/// Whether an address or a UID may have this character.
fn is_of_address(it: char) -> bool {
    it.is_ascii_hexdigit() || ".:-".contains(it)
}

#[cfg(test)]
mod tests {
    use super::AddressIndex;

    /// Catches a word that is not found within a longer one, or beside other characters.
    #[test]
    fn a_word_is_found_wherever_it_stands() {
        let [v4, v6] = ["10.1.0.7", "fd00::7"];
        let mut index = AddressIndex::of([v4, v6].into_iter());
        assert!(index.is_only_in(v4, 1));
        index.search("ip=10.1.0.7, from fd00::7", 1);
        assert!(index.is_only_in(v4, 1) && index.is_only_in(v6, 1));
        assert!(!index.is_only_in(v4, 2));
        index.search("a\n10.1.0.70\n\u{e9}x", 2);
        assert!(!index.is_only_in(v4, 1) && index.is_only_in(v6, 1));
        index.search("afd00::7", 3);
        assert!(!index.is_only_in(v6, 1));
    }
}
