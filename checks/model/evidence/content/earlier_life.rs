//! A pod that wrote its address or its UID in a life that nobody saw. Pods on new claims show what
//! a start writes.

use std::collections::BTreeSet;

use crate::model::evidence::content::{
    known::Meaning,
    lexer::{TextToken, TokenKind, lex},
    writer::{Contents, FileWords, LexedFiles},
};

/// Larger files are not compared, in bytes.
const MOST_BYTES: usize = 4096;
/// Of more addresses and UIDs in a file, nobody knows which one is the writer's.
const MOST_WORDS: usize = 16;

impl<'t> Contents<'t> {
    /// Whether what an ordinal's first life held names an earlier life of its pod: it reads as the
    /// file of a pod on new claims does, with an address or UID that no pod has any more, and no
    /// other file holds, in the place of that pod's own.
    #[must_use]
    pub fn names_an_earlier_life(&self, ordinal: i32) -> bool {
        let Some(lexed) = self.first_lives.iter().find(|it| it.pod_files.pod.ordinal == ordinal)
        else {
            return false;
        };
        if self.timeline.is_first_on_its_claims(lexed.pod_files.pod) {
            return false;
        }
        let on_new_claims = |it: &&LexedFiles<'t>| {
            let pod = it.pod_files.pod;
            pod.ordinal != ordinal && self.timeline.is_first_on_its_claims(pod)
        };
        self.first_lives.iter().filter(on_new_claims).any(|fresh| self.is_alike(lexed, fresh))
    }

    fn is_alike(&self, lexed: &LexedFiles<'t>, fresh: &LexedFiles<'t>) -> bool {
        for theirs in &fresh.files {
            let Some(own) = lexed.file(&theirs.key) else { continue };
            if own.text.content.len() > MOST_BYTES || theirs.text.content.len() > MOST_BYTES {
                continue;
            }
            let unknown = self.words_of_nobody(lexed, own);
            for life in theirs.tokens().filter(|it| self.is_of_its_life(fresh, it)) {
                if unknown.iter().any(|word| self.would_be(own, word, theirs, life.text)) {
                    return true;
                }
            }
        }
        false
    }

    fn is_of_its_life(&self, lexed: &LexedFiles<'t>, token: &TextToken<'t>) -> bool {
        let TokenKind::Known(place) = token.kind else { return false };
        let entry = self.known.entry_at(place);
        entry.meaning == Meaning::Life && entry.ordinals.contains(&lexed.pod_files.pod.ordinal)
    }

    /// The addresses and UIDs in a file that are no known pod's, and that no other pod's file holds.
    fn words_of_nobody(&self, lexed: &LexedFiles<'t>, file: &FileWords<'t>) -> BTreeSet<&'t str> {
        let is_within = |it: char| it.is_ascii_alphanumeric() || ".:-".contains(it);
        let words = file.text.content.split(|it| !is_within(it));
        let words = words.map(|it| it.trim_matches(['.', ':', '-']));
        let mut unknown: BTreeSet<&'t str> =
            words.filter(|it| is_address_or_uid(it)).take(MOST_WORDS).collect();
        unknown.retain(|word| self.known.exact_word(word).is_none());
        for other in self.first_lives.iter().filter(|it| !std::ptr::eq(*it, lexed)) {
            unknown.retain(|word| other.files.iter().all(|it| !it.text.content.contains(word)));
        }
        unknown
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
