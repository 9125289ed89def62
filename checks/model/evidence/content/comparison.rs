//! What a pod's claims held before and after, compared: what is asked about all files together is
//! computed once.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use crate::model::evidence::{
    content::{
        PodFiles, UnreadFile,
        lexer::TextToken,
        original::{Fate, was_rewritten},
        writer::{Contents, FileWords, LexedFiles},
    },
    unreadable::Hidden,
};

/// What a pod's claims held before and after.
pub(super) struct Comparison<'c, 't> {
    pub(super) contents: &'c Contents<'t>,
    pub(super) before: &'c LexedFiles<'t>,
    pub(super) after: &'c LexedFiles<'t>,
    fresh: OnceCell<Vec<&'c LexedFiles<'t>>>,
    first: OnceCell<Option<LexedFiles<'t>>>,
    multiplied: OnceCell<BTreeSet<&'t str>>,
    untouched: OnceCell<BTreeSet<&'t str>>,
    new_files: OnceCell<NewFiles<'t>>,
    hidden: OnceCell<Option<Fate>>,
    newly_left_out: OnceCell<u64>,
    counts_of_entries: OnceCell<BTreeMap<&'t str, BTreeSet<i64>>>,
    unread: OnceCell<BTreeMap<(&'t str, &'t str), &'c UnreadFile<'t>>>,
    blocks_of_others: OnceCell<BTreeSet<&'c str>>,
}

/// The texts that were not there before and that no fresh start makes.
#[derive(Debug, Default)]
struct NewFiles<'t> {
    texts: Vec<&'t str>,
    /// By word: the places in `texts` of those that have it. Words are separated by white space.
    by_word: BTreeMap<&'t str, Vec<usize>>,
}

impl<'c, 't> Comparison<'c, 't> {
    pub(super) fn new(
        contents: &'c Contents<'t>,
        before: &'c LexedFiles<'t>,
        after: &'c LexedFiles<'t>,
    ) -> Self {
        Self {
            contents,
            before,
            after,
            fresh: OnceCell::new(),
            first: OnceCell::new(),
            multiplied: OnceCell::new(),
            untouched: OnceCell::new(),
            new_files: OnceCell::new(),
            hidden: OnceCell::new(),
            newly_left_out: OnceCell::new(),
            counts_of_entries: OnceCell::new(),
            unread: OnceCell::new(),
            blocks_of_others: OnceCell::new(),
        }
    }

    pub(super) fn ordinal(&self) -> i32 {
        self.before.pod_files.pod.ordinal
    }

    /// The first lives that show what a fresh start writes.
    pub(super) fn fresh(&self) -> &[&'c LexedFiles<'t>] {
        self.fresh.get_or_init(|| self.contents.fresh(self.ordinal()))
    }

    /// What the first reading of the old pod told.
    pub(super) fn first(&self) -> Option<&LexedFiles<'t>> {
        let find = || {
            let first = self.contents.timeline.first_pod_files(self.before.pod_files.pod)?;
            Some(self.contents.lexed(first))
        };
        self.first.get_or_init(find).as_ref()
    }

    /// The words that some file has more often than it had before.
    pub(super) fn multiplied_words(&self) -> &BTreeSet<&'t str> {
        self.multiplied.get_or_init(|| {
            let mut words = BTreeSet::new();
            for file in &self.after.files {
                let earlier = self.before.at(&file.text).map(counts).unwrap_or_default();
                let is_more = |(word, count): &(&str, usize)| {
                    *count > earlier.get(word).copied().unwrap_or(0)
                };
                words.extend(counts(file).into_iter().filter(is_more).map(|(word, _)| word));
            }
            words
        })
    }

    /// What stands in files that nobody wrote since.
    pub(super) fn words_of_untouched_files(&self) -> &BTreeSet<&'t str> {
        self.untouched.get_or_init(|| {
            let new = self.after.pod_files.pod;
            let is_untouched = |file: &&FileWords<'t>| {
                let before = self.before.at(&file.text).and_then(|it| it.text.mtime);
                was_rewritten(before, file.text.mtime, new) == Some(false)
            };
            let untouched = self.after.files.iter().filter(is_untouched);
            untouched.flat_map(FileWords::tokens).map(|it| it.text).collect()
        })
    }

    /// Whether the content of a file stands in one that is new, and that no fresh start makes.
    pub(super) fn was_moved(&self, file: &FileWords<'t>) -> bool {
        let content = file.text.content;
        !content.trim().is_empty() && self.new_files().hold(content)
    }

    fn new_files(&self) -> &NewFiles<'t> {
        self.new_files.get_or_init(|| {
            let is_made_fresh =
                |key: &str| self.contents.first_lives.iter().any(|it| it.file(key).is_some());
            let mut new = NewFiles::default();
            for file in &self.after.files {
                if self.before.at(&file.text).is_none() && !is_made_fresh(&file.key) {
                    new.push(file.text.content);
                }
            }
            new
        })
    }

    /// That the original may be where nobody could see it, where it may.
    pub(super) fn hidden_fate(&self) -> Option<Fate> {
        let (before, after) = (&self.before.pod_files, &self.after.pod_files);
        self.hidden.get_or_init(|| find_hidden(before, after, self.newly_left_out())).clone()
    }

    /// How many files were left out that were not among those before.
    pub(super) fn newly_left_out(&self) -> u64 {
        let count = || newly_left_out(&self.before.pod_files, &self.after.pod_files);
        *self.newly_left_out.get_or_init(count)
    }

    /// How many files a command may have counted on a claim before.
    pub(super) fn counts_of_entries(&self, claim: &str) -> Option<&BTreeSet<i64>> {
        let find = || {
            let files = &self.before.pod_files;
            let claims: BTreeSet<&'t str> = files.texts.iter().map(|it| it.claim).collect();
            claims.into_iter().map(|claim| (claim, files.counts_of_entries(claim))).collect()
        };
        self.counts_of_entries.get_or_init(find).get(claim)
    }

    /// The unread file now at the claim and path of one from before.
    pub(super) fn unread_at(&self, unread: &UnreadFile<'t>) -> Option<&'c UnreadFile<'t>> {
        let find = || by_path(&self.after.pod_files);
        self.unread.get_or_init(find).get(&(unread.claim, unread.file.path.as_str())).copied()
    }

    /// The digests of the parts of the other pods' files.
    pub(super) fn blocks_of_others(&self) -> &BTreeSet<&'c str> {
        self.blocks_of_others
            .get_or_init(|| self.contents.blocks_of_others(self.ordinal()).collect())
    }

    /// Those of these words that are in the file now, or in another file that did not have them
    /// before.
    pub(super) fn kept_words<'f>(
        &self,
        words: &[&'f TextToken<'t>],
        now: Option<&FileWords<'t>>,
    ) -> Vec<&'f TextToken<'t>> {
        if words.is_empty() {
            return vec![];
        }
        let there: BTreeSet<&str> =
            now.into_iter().flat_map(FileWords::tokens).map(|it| it.text).collect();
        let is_there = |word: &str| there.contains(word) || self.multiplied_words().contains(word);
        words.iter().copied().filter(|it| is_there(it.text)).collect()
    }
}

impl<'t> NewFiles<'t> {
    fn push(&mut self, text: &'t str) {
        let words: BTreeSet<&'t str> = text.split_whitespace().collect();
        for word in words {
            self.by_word.entry(word).or_default().push(self.texts.len());
        }
        self.texts.push(text);
    }

    /// Whether one of them holds this content.
    fn hold(&self, content: &str) -> bool {
        match self.with_a_word_of(content) {
            Some(places) => places.iter().any(|place| self.texts[*place].contains(content)),
            None => self.texts.iter().any(|it| it.contains(content)),
        }
    }

    /// The few that may hold a content, by that of its words which the fewest have; `None` where it
    /// has no word with a space on both sides: such a one may be a part of another.
    fn with_a_word_of<'s>(&'s self, content: &str) -> Option<&'s [usize]> {
        let is_first_whole = content.starts_with(char::is_whitespace);
        let is_last_whole = content.ends_with(char::is_whitespace);
        let mut words: Vec<&str> = content.split_whitespace().collect();
        if !is_last_whole {
            words.pop();
        }
        let whole = words.get(usize::from(!is_first_whole)..)?;
        let places = whole.iter().map(|it| self.by_word.get(*it).map_or(&[][..], Vec::as_slice));
        places.min_by_key(|it| it.len())
    }
}

/// How often each word is in a file.
fn counts<'t>(file: &FileWords<'t>) -> BTreeMap<&'t str, usize> {
    let mut counts = BTreeMap::new();
    for token in file.tokens() {
        *counts.entry(token.text).or_default() += 1;
    }
    counts
}

/// The unread files, by claim and path: the first of each.
fn by_path<'c, 't>(files: &'c PodFiles<'t>) -> BTreeMap<(&'t str, &'t str), &'c UnreadFile<'t>> {
    let mut found = BTreeMap::new();
    for it in &files.unread {
        found.entry((it.claim, it.file.path.as_str())).or_insert(it);
    }
    found
}

/// How many files were not looked at that were not among those before: as many as are named, or as
/// there are more of them. Which ones are left out may change while their number stays.
fn newly_left_out(old: &PodFiles<'_>, new: &PodFiles<'_>) -> u64 {
    let before = by_path(old);
    let is_new = |it: &&UnreadFile<'_>| {
        it.is_left_out() && !before.contains_key(&(it.claim, it.file.path.as_str()))
    };
    let named = new.unread.iter().filter(is_new).count() as u64;
    named.max(new.left_out.saturating_sub(old.left_out))
}

/// That the original may be among what could be read before, and cannot be now.
fn find_hidden(old: &PodFiles<'_>, new: &PodFiles<'_>, left_out: u64) -> Option<Fate> {
    let before = by_path(old);
    let was_there = |it: &UnreadFile<'_>| before.contains_key(&(it.claim, it.file.path.as_str()));
    let hidden = new.unread.iter().filter(|it| !it.is_left_out() && !was_there(it));
    let hidden =
        Hidden { without_text: hidden.map(|it| it.file.path.as_str()).collect(), cut: 0, left_out };
    (hidden.count() > 0).then(|| Fate::Unseen {
        why: hidden.in_words(Some(new.pod.name())),
        unreadable: Some(hidden.reason()),
    })
}

#[cfg(test)]
mod tests {
    use super::{NewFiles, find_hidden, newly_left_out};
    use crate::model::{
        evidence::content::{Fate, PodFiles},
        observation::{File, LEFT_OUT, Read},
        testing::history::History,
        timeline::lives::Recorded,
    };

    /// Catches files that were not looked at told as files without text, and counted twice.
    #[test]
    fn what_was_not_looked_at_is_no_file_without_text() {
        let file = |path: &str, without: &str| File {
            path: path.to_owned(),
            size: 1,
            without: Some(without.to_owned()),
            ..File::default()
        };
        let reading = |files: Vec<File>, left_out| {
            [Recorded { seq: 1, at: 0, what: Read { files, left_out, ..Read::default() } }]
        };
        let timeline = History::created().timeline();
        let pod = &timeline.lane(0)[0];
        let (binary, late) = (file("a.gz", "binary"), file("late", LEFT_OUT));
        let early = || (vec![file("early", LEFT_OUT)], 1);
        let nothing = || (vec![], 0);
        for ((old, old_left_out), files, left_out, words, reason) in [
            (
                nothing(),
                vec![binary.clone()],
                0,
                "1 file of web-0 could not be read as text: a.gz",
                "NoText",
            ),
            (nothing(), vec![late.clone()], 3, "3 files of web-0 were not looked at", "LeftOut"),
            // As many as before, but not the same.
            (early(), vec![late.clone()], 1, "1 file of web-0 was not looked at", "LeftOut"),
            (
                nothing(),
                vec![late, binary],
                1,
                "1 file of web-0 could not be read as text: a.gz, and 1 file of web-0 was not \
                 looked at",
                "NoText",
            ),
        ] {
            let (before, after) = (reading(old, old_left_out), reading(files, left_out));
            let [old, new] = [&before, &after].map(|it| PodFiles::of(pod, it.iter()).unwrap());
            let Some(Fate::Unseen { why, unreadable: Some(unreadable) }) =
                find_hidden(&old, &new, newly_left_out(&old, &new))
            else {
                panic!("nothing is hidden: {words}");
            };
            assert_eq!((why.as_str(), format!("{unreadable:?}").as_str()), (words, reason));
        }
    }

    /// Catches a word at the edge of a content that is looked for as a whole word, and content that
    /// was moved into a longer line.
    #[test]
    fn moved_content_is_found_wherever_it_stands() {
        let mut new = NewFiles::default();
        for text in ["id: web-1 at noon\nend", "web-1\n", "other words\n"] {
            new.push(text);
        }
        for content in [
            "web-1 at noon\n",
            "eb-1 at no",
            "web-1\n",
            "b-1",
            " words\n",
            "r words",
            "end",
            "\nend",
        ] {
            assert!(new.hold(content), "{content:?}");
        }
        for content in ["web-1 at night", "at noon end", "web-2\n", " word ", "x at noon\n"] {
            assert!(!new.hold(content), "{content:?}");
        }
        assert!(!NewFiles::default().hold("web-1"));
    }
}
