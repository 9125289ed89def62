//! A pod that wrote its address or its UID in a life that nobody saw. Pods on new claims show what
//! a start writes.

use std::collections::BTreeSet;

use crate::model::evidence::content::{
    address_index::AddressIndex,
    known::Meaning,
    lexer::{TextToken, TokenKind, lex},
    writer::{Contents, FileWords, LexedFiles},
};

/// Larger files are not compared, in bytes.
const MAX_BYTES: usize = 4096;
/// Of more addresses and UIDs in a file, nobody knows which one is the writer's.
const MAX_WORDS: usize = 16;
/// So many pods on new claims show what a start writes.
const MAX_PODS: usize = 8;

/// What a pod's files tell of an earlier life of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlierLife {
    /// They name one: they read as the files of a pod on new claims do, with an address or UID that
    /// no pod has any more, and no other pod's file holds, in the place of that pod's own.
    Named,
    /// They hold such an address or UID, and no pod on new claims shows what a start writes.
    Perhaps,
    /// They name none.
    None,
}

impl<'t> Contents<'t> {
    /// What the first life of an ordinal that was seen tells of those before it.
    #[must_use]
    pub fn earlier_life(&self, ordinal: i32) -> EarlierLife {
        let Some(own) = self.first_life(ordinal) else { return EarlierLife::None };
        if self.is_first_on_its_claims(ordinal) {
            return EarlierLife::None;
        }
        let mut unknown: Vec<(&FileWords<'t>, BTreeSet<&'t str>)> = vec![];
        for file in own.files.iter().filter(|it| it.text.content.len() <= MAX_BYTES) {
            let words = self.words_of_nobody(ordinal, file);
            if !words.is_empty() {
                unknown.push((file, words));
            }
        }
        if unknown.is_empty() {
            return EarlierLife::None;
        }
        let on_new_claims = |it: &&LexedFiles<'t>| {
            let other = it.pod_files.pod.ordinal;
            other != ordinal && self.is_first_on_its_claims(other)
        };
        let mut fresh = self.first_lives.iter().filter(on_new_claims).take(MAX_PODS).peekable();
        if fresh.peek().is_none() {
            return EarlierLife::Perhaps;
        }
        if fresh.any(|it| self.is_alike(&unknown, it)) {
            EarlierLife::Named
        } else {
            EarlierLife::None
        }
    }

    fn is_alike(
        &self,
        unknown: &[(&FileWords<'t>, BTreeSet<&'t str>)],
        fresh: &LexedFiles<'t>,
    ) -> bool {
        for (own, words) in unknown {
            let Some(theirs) = fresh.file(&own.key) else { continue };
            if theirs.text.content.len() > MAX_BYTES {
                continue;
            }
            let lives = theirs.tokens().filter(|it| self.is_of_its_life(fresh, it));
            let lives: BTreeSet<&str> = lives.map(|it| it.text).take(MAX_WORDS).collect();
            for life in lives {
                if words.iter().any(|word| self.would_be(own, word, theirs, life)) {
                    return true;
                }
            }
        }
        false
    }

    fn is_of_its_life(&self, lexed: &LexedFiles<'t>, token: &TextToken<'t>) -> bool {
        let TokenKind::Known(index) = token.kind else { return false };
        let entry = self.known.entry_at(index);
        entry.meaning == Meaning::Life && entry.ordinals.contains(&lexed.pod_files.pod.ordinal)
    }

    /// The addresses and UIDs in a file that are no known pod's, and that no other pod's file holds.
    fn words_of_nobody(&self, ordinal: i32, file: &FileWords<'t>) -> BTreeSet<&'t str> {
        let index = self.addresses.get_or_init(|| self.index_addresses());
        let unknown = self.unknown_addresses(file);
        unknown.filter(|word| index.is_only_in(word, ordinal)).collect()
    }

    fn index_addresses(&self) -> AddressIndex<'t> {
        let files = || self.first_lives.iter().flat_map(|it| it.files.iter().map(move |f| (it, f)));
        let small = files().filter(|(_, file)| file.text.content.len() <= MAX_BYTES);
        let mut index = AddressIndex::of(small.flat_map(|(_, file)| self.unknown_addresses(file)));
        for (lexed, file) in files() {
            index.search(file.text.content, lexed.pod_files.pod.ordinal);
        }
        index
    }

    /// The addresses and UIDs in a file that are no known pod's.
    fn unknown_addresses(&self, file: &FileWords<'t>) -> impl Iterator<Item = &'t str> {
        let is_within = |it: char| it.is_ascii_alphanumeric() || ".:-".contains(it);
        let words = file.text.content.split(move |it| !is_within(it));
        let words = words.map(|it| it.trim_matches(['.', ':', '-']));
        let all: BTreeSet<&'t str> =
            words.filter(|it| is_address_or_uid(it)).take(MAX_WORDS).collect();
        all.into_iter().filter(|word| self.known.exact_word(word).is_none())
    }

    /// Whether a file would read as another one does, times and numbers aside, with the other's
    /// word in the place of its own.
    fn would_be(&self, own: &FileWords<'_>, word: &str, other: &FileWords<'_>, life: &str) -> bool {
        let text = own.text.content.replace(word, life);
        let lines = text.split('\n').map(|line| lex(line, &self.known));
        let lines: Vec<String> =
            lines.filter(|it| !it.is_empty()).map(|it| self.known.masked_line(&it)).collect();
        let others: Vec<String> = other.lines.iter().map(|it| self.known.masked_line(it)).collect();
        lines == others
    }
}

/// Whether a word is written as an IP address or as a UID is.
fn is_address_or_uid(word: &str) -> bool {
    let is_uid = || {
        let parts: Vec<usize> = word.split('-').map(str::len).collect();
        parts == [8, 4, 4, 4, 12] && word.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-')
    };
    word.parse::<core::net::IpAddr>().is_ok() || is_uid()
}
