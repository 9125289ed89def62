//! Is it the original: what became of the files that told who wrote them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::evidence::content::{
    Sealed, Text,
    clock::{WriteMoments, written_time},
    known::{Entry, Meaning},
    lexer::{TextToken, TokenKind},
    proof::Proof,
    writer::{Contents, FileWords, HeldBy, LexedFiles, Telling, is_chance},
};
use crate::model::{
    evidence::unreadable::unreadable,
    observation::{
        BLOCK_DIGITS, Diagnosis, Given,
        sub_path::{Folder, NamesPod, NextFolder},
    },
    timeline::{Timeline, lives::PodLife},
    verdict::Unreadable,
};

/// At most so many pairs of pods are compared to tell what all pods do.
pub(crate) const MOST_PAIRS: usize = 32;

/// What became of an original file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there, with a value that no fresh start would write again, or untouched, or state went
    /// on from it.
    Kept,
    /// It reads as before, and a fresh start would write the same; whether it was written since,
    /// where that is known.
    Same {
        /// It was written since.
        rewritten: Option<bool>,
    },
    /// It was written anew, or is not there any more.
    Gone {
        /// Where it was.
        path: String,
        /// What it said.
        before: String,
        /// What it says now; `None` where it is not there.
        after: Option<String>,
    },
    /// It lies in a folder of the volume that only the pod before it mounted.
    InAnotherFolder {
        /// Where it was.
        path: String,
        /// What it said.
        before: String,
    },
    /// It could not be seen.
    Unseen {
        /// Why.
        why: String,
        /// The reason, where it is one of those that a report knows more about.
        unreadable: Option<Unreadable>,
    },
    /// It changed, and what it holds does not tell how.
    Unclear,
}

impl Fate {
    /// It could not be seen, and why.
    const fn unseen(why: String) -> Self {
        Self::Unseen { why, unreadable: None }
    }
}

impl<'t> Contents<'t> {
    /// What became of each file of a pod that told who wrote it, in what was read of its successor.
    ///
    /// Empty where no file told it. Both are read by their newest readings; what the first reading
    /// of the old one told counts as well.
    #[must_use]
    pub fn fates(&self, old: &'t PodLife, new: &'t PodLife) -> Vec<Fate> {
        let Some((last, after)) = self.last_lives(old, new) else { return vec![] };
        let mut fates = vec![];
        let way = self.telling(&last);
        self.compare_files(&last, &after, |comparison, file| fates.push(comparison.fate(file)));
        for sealed in &last.pod_files.sealed {
            let tells = match way {
                Telling::ByItself => {
                    self.search_tells(old.ordinal, &sealed.file.holds) == Some(true)
                }
                Telling::ByFolder => sealed.folder.names_pod == NamesPod::Yes,
            };
            if tells {
                fates.push(self.fate_of_sealed(&last, sealed, &after));
            }
        }
        fates
    }

    pub(super) fn last_lives(
        &self,
        old: &'t PodLife,
        new: &'t PodLife,
    ) -> Option<(LexedFiles<'t>, LexedFiles<'t>)> {
        let (last, after) = (self.timeline.pod_files(old)?, self.timeline.pod_files(new)?);
        Some((self.lexed(last), self.lexed(after)))
    }

    /// Compares each file that told the pod, as it was last, and as it was at first where that
    /// differs.
    fn compare_files(
        &self,
        last: &LexedFiles<'t>,
        after: &LexedFiles<'t>,
        mut compare: impl FnMut(Comparison<'_, 't>, &FileWords<'t>),
    ) {
        let first = self.timeline.first_pod_files(last.pod_files.pod).map(|it| self.lexed(it));
        let way = self.telling(last);
        for file in last.files.iter().filter(|it| self.tells_so(last, it, way)) {
            let comparison = Comparison { contents: self, before: last, after };
            compare(comparison, file);
            let earlier = first.as_ref().and_then(|lexed| Some((lexed, lexed.at(&file.text)?)));
            if let Some((lexed, earlier)) =
                earlier.filter(|(_, it)| it.text.content != file.text.content)
            {
                compare(Comparison { before: lexed, ..comparison }, earlier);
            }
        }
    }

    /// The words that are still in files which were written anew, and that the pod's surroundings
    /// may have given again.
    fn words_in_doubt(&self, old: &'t PodLife, new: &'t PodLife) -> BTreeSet<String> {
        let mut words = BTreeSet::new();
        if let Some((last, after)) = self.last_lives(old, new) {
            self.compare_files(&last, &after, |comparison, file| {
                words.extend(comparison.in_doubt(file));
            });
        }
        words
    }

    /// The files that some pod is seen to have lost because its successor wrote them anew, by
    /// [`FileWords::key`]: each pod of the template does so.
    fn written_anew(&self) -> &BTreeSet<String> {
        self.written_anew.get_or_init(|| {
            let mut keys = BTreeSet::new();
            let all = self.timeline.replacements().into_iter().chain(self.timeline.returns());
            let is_current = |it: &PodLife| self.timeline.is_current(it);
            let pairs = all.filter(|(old, new)| is_current(old) && is_current(new));
            for (old, new) in pairs.take(MOST_PAIRS) {
                let Some((last, after)) = self.last_lives(old, new) else { continue };
                self.compare_files(&last, &after, |comparison, file| {
                    let fate = comparison.fate_by_itself(file);
                    if matches!(fate, Some(Fate::Gone { after: Some(_), .. })) {
                        keys.insert(file.key.clone());
                    }
                });
            }
            keys
        })
    }

    /// A binary file: by its digest, and by the digests of its parts.
    fn fate_of_sealed(
        &self,
        before: &LexedFiles<'t>,
        sealed: &Sealed<'t>,
        after: &LexedFiles<'t>,
    ) -> Fate {
        if is_another(sealed.folder, before.pod_files.pod, after.pod_files.pod) {
            let path = sealed.file.path.clone();
            return Fate::InAnotherFolder { path, before: described(sealed) };
        }
        let is_it = |it: &&Sealed<'_>| it.claim == sealed.claim && it.file.path == sealed.file.path;
        let Some(now) = after.pod_files.sealed.iter().find(is_it) else {
            let is_text = after
                .pod_files
                .texts
                .iter()
                .any(|it| it.claim == sealed.claim && it.path == sealed.file.path);
            if is_text {
                return Fate::Unclear;
            }
            if after.pod_files.left_out > before.pod_files.left_out {
                return Fate::unseen(format!(
                    "{} is not among the files that were looked at",
                    sealed.file.path
                ));
            }
            return Fate::Gone {
                path: sealed.file.path.clone(),
                before: described(sealed),
                after: None,
            };
        };
        if sealed.file.digest.is_none() || now.file.digest.is_none() {
            return Fate::Unclear;
        }
        if sealed.file.digest == now.file.digest && sealed.file.size == now.file.size {
            let rewritten = was_rewritten(sealed.file.mtime, now.file.mtime, after.pod_files.pod);
            return if rewritten == Some(false) { Fate::Kept } else { Fate::Same { rewritten } };
        }
        let others: BTreeSet<&str> = self.blocks_of_others(before.pod_files.pod.ordinal).collect();
        let own: Vec<&str> =
            blocks(&sealed.file.blocks).filter(|it| !others.contains(it)).collect();
        let left: BTreeSet<&str> = blocks(&now.file.blocks).collect();
        if own.iter().any(|it| left.contains(it)) {
            return Fate::Kept;
        }
        // Of few parts, each may have changed.
        const ENOUGH_BLOCKS: usize = 4;
        if own.len() < ENOUGH_BLOCKS || left.is_empty() || others.is_empty() {
            return Fate::Unclear;
        }
        Fate::Gone {
            path: sealed.file.path.clone(),
            before: described(sealed),
            after: Some(described(now)),
        }
    }

    fn blocks_of_others(&self, ordinal: i32) -> impl Iterator<Item = &str> {
        let others = self.first_lives.iter().filter(move |it| it.pod_files.pod.ordinal != ordinal);
        others.flat_map(|it| &it.pod_files.sealed).flat_map(|it| blocks(&it.file.blocks))
    }

    /// The first lives of the other pods, which show what a fresh start writes: those that were
    /// surely the first on their claims; where there is none of these, all.
    fn fresh(&self, ordinal: i32) -> Vec<&LexedFiles<'t>> {
        let others: Vec<&LexedFiles<'t>> =
            self.first_lives.iter().filter(|it| it.pod_files.pod.ordinal != ordinal).collect();
        let surely: Vec<&LexedFiles<'t>> = others
            .iter()
            .copied()
            .filter(|it| self.is_first_on_its_claims(it.pod_files.pod.ordinal))
            .collect();
        if surely.is_empty() { others } else { surely }
    }

    fn entry(&self, token: &TextToken<'_>) -> Option<&Entry> {
        if let TokenKind::Known(index) = token.kind {
            Some(self.known.entry_at(index))
        } else {
            None
        }
    }
}

impl Timeline {
    /// The words that a pod's files have kept from the life before, although the files were written
    /// anew, and of which nobody has asked yet whether the pod's surroundings give them.
    #[must_use]
    pub fn words_in_doubt(&self, uid: &str) -> BTreeSet<String> {
        let Some(new) = self.pod_life(uid) else { return BTreeSet::new() };
        let lane = self.lane(new.ordinal);
        let before = lane.iter().take_while(|it| it.uid() != uid);
        let Some(old) = before.filter(|it| self.is_current(it)).last() else {
            return BTreeSet::new();
        };
        let mut words = Contents::of(self).words_in_doubt(old, new);
        words.retain(|word| self.given(uid, word).is_none());
        words
    }

    /// Whether the surroundings of a pod give a word, so that each start can write it again: its
    /// environment, files that are on no claim, the numbers of its file system. `None` where that
    /// was not asked.
    pub(super) fn given(&self, uid: &str, word: &str) -> Option<Given> {
        self.diagnoses.of(uid).rev().find_map(|it| match &it.what {
            Diagnosis::Surroundings { words, .. } => words.get(word).copied(),
            _ => None,
        })
    }

    /// Whether a pod was the first one of its ordinal on each of its claims, all of which were seen
    /// to be made: what it wrote is what a fresh start writes.
    pub(super) fn is_first_on_its_claims(&self, pod: &PodLife) -> bool {
        let lane = self.lane(pod.ordinal);
        let before = || lane.iter().take_while(|it| it.uid() != pod.uid());
        pod.claims().iter().all(|(_, claim)| {
            let Some(own) = self.mounted_claim(pod, claim) else { return false };
            let was_on_it = |earlier: &PodLife| {
                let is_mounted = earlier.claims().iter().any(|(_, it)| it == claim);
                is_mounted
                    && self.mounted_claim(earlier, claim).is_none_or(|it| it.uid() == own.uid())
            };
            own.added.after.is_some() && !before().any(was_on_it)
        })
    }
}

impl<'t> LexedFiles<'t> {
    /// The file at the same place.
    pub(super) fn at(&self, text: &Text<'_>) -> Option<&FileWords<'t>> {
        self.by_path.get(&(text.claim, text.path)).map(|place| &self.files[*place])
    }
}

/// What a pod's claims held before and after.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'c, 't> {
    pub(super) contents: &'c Contents<'t>,
    pub(super) before: &'c LexedFiles<'t>,
    pub(super) after: &'c LexedFiles<'t>,
}

impl<'t> Comparison<'_, 't> {
    /// What became of one file: the first case that holds, in the order of the module
    /// [`content`](crate::model::evidence::content).
    pub(super) fn fate(&self, file: &FileWords<'t>) -> Fate {
        if let Some(fate) = self.fate_by_itself(file) {
            return fate;
        }
        let path = file.text.path;
        if self.contents.written_anew().contains(&file.key) {
            let content = file.text.content.to_owned();
            let (path, before) = (path.to_owned(), content.clone());
            return Fate::Gone { path, before, after: Some(content) };
        }
        Fate::unseen(format!("{path} was written again within the minute that it tells"))
    }

    /// The same, without what other pods show; `None` where the file was written again within the
    /// minute that it tells.
    fn fate_by_itself(&self, file: &FileWords<'t>) -> Option<Fate> {
        if is_another(file.text.folder, self.before.pod_files.pod, self.after.pod_files.pod) {
            let (path, before) = (file.text.path.to_owned(), file.text.content.to_owned());
            return Some(Fate::InAnotherFolder { path, before });
        }
        let now = self.after.at(&file.text);
        let rewritten = now
            .and_then(|it| was_rewritten(file.text.mtime, it.text.mtime, self.after.pod_files.pod));
        let is_same = now.is_some_and(|it| is_same_text(&file.text, &it.text));
        // Untouched.
        if is_same && rewritten == Some(false) {
            return Some(Fate::Kept);
        }
        // Kept, or went on.
        let unrepeatable = self.unrepeatable_words(file, now);
        let kept = self.kept(&unrepeatable, now);
        let is_anew = now.is_some_and(|now| self.is_written_anew(file, now, &unrepeatable, &kept));
        let by_words = self.proof_by_words(file, &kept, is_anew);
        let by_counter = now.map(|now| self.went_on(file, now, is_anew));
        let proof = by_words.max(by_counter).unwrap_or(Proof::None);
        if proof == Proof::Sure || self.was_moved(file) {
            return Some(Fate::Kept);
        }
        if let Some(now) = now
            && unrepeatable.is_empty()
            && self.grew(file, now)
        {
            return Some(Fate::Kept);
        }
        if proof == Proof::Unsure {
            return Some(Fate::unseen(format!(
                "{} was written anew at the start, and the value that is still in it may be one that \
                every start writes",
                file.text.path
            )));
        }
        // The same minute.
        if is_same && rewritten == Some(true) && file.tells_only_the_minute() {
            return None;
        }
        // Nothing to tell by.
        if is_same
            || unrepeatable.is_empty()
                && now.is_some_and(|it| holds_all_lines(&file.text, &it.text))
        {
            return Some(Fate::Same { rewritten });
        }
        Some(self.gone_unless_hidden(file, now, &unrepeatable))
    }

    /// Written anew, or not there any more, unless something may hide the original.
    fn gone_unless_hidden(
        &self,
        file: &FileWords<'t>,
        now: Option<&FileWords<'t>>,
        unrepeatable: &[&TextToken<'t>],
    ) -> Fate {
        let path = file.text.path.to_owned();
        if let Some(unseen) = self.hides_something(now) {
            return unseen;
        }
        let Some(now) = now else {
            return Fate::Gone { path, before: file.text.content.to_owned(), after: None };
        };
        // With nothing to compare with, only what each start writes anew tells that it did.
        let is_certain = unrepeatable
            .iter()
            .any(|it| it.kind == TokenKind::Time || matches!(it.kind, TokenKind::Known(_)));
        let is_alone =
            !self.contents.first_lives.iter().any(|it| {
                it.pod_files.pod.ordinal != self.ordinal() && it.file(&file.key).is_some()
            });
        if is_alone && !is_certain && self.contents.tells(self.after, now) {
            return Fate::unseen(format!(
                "{path} changed, and no other pod wrote such a file to compare it with"
            ));
        }
        Fate::Gone {
            path,
            before: file.text.content.to_owned(),
            after: Some(now.text.content.to_owned()),
        }
    }

    /// That the original may be where nobody could see it, where it may.
    fn hides_something(&self, now: Option<&FileWords<'t>>) -> Option<Fate> {
        if let Some(now) = now.filter(|it| it.text.cut) {
            return Some(Fate::unseen(format!("{} is too large to be read whole", now.text.path)));
        }
        let (old, new) = (&self.before.pod_files, &self.after.pod_files);
        let was_there = |it: &Sealed<'_>| {
            old.sealed
                .iter()
                .any(|other| other.claim == it.claim && other.file.path == it.file.path)
        };
        let unread: Vec<_> = new.sealed.iter().filter(|it| !was_there(it)).collect();
        let count = unread.len() as u64 + new.left_out.saturating_sub(old.left_out);
        let paths = unread.iter().map(|it| it.file.path.as_str());
        (count > 0).then(|| Fate::Unseen {
            why: unreadable(count, paths, Some(new.pod.name())),
            unreadable: Some(Unreadable::NoText),
        })
    }

    pub(super) fn ordinal(&self) -> i32 {
        self.before.pod_files.pod.ordinal
    }

    /// The words of a file that no fresh start would write again: exact times, what names one life,
    /// and what chance made.
    pub(super) fn unrepeatable_words<'f>(
        &self,
        file: &'f FileWords<'t>,
        now: Option<&FileWords<'t>>,
    ) -> Vec<&'f TextToken<'t>> {
        // A time from before the new start is that of an earlier writer.
        let start = self.after.pod_files.pod.earliest_start();
        let mtime =
            now.and_then(|it| it.text.mtime).filter(|it| start.is_none_or(|start| *it >= start));
        let moments = WriteMoments { start, mtime };
        let old = WriteMoments::of(self.before.pod_files.pod, file.text.mtime);
        let everywhere = self.words_of_every_start(file);
        let lasts = |token: &&TextToken<'t>| match token.kind {
            TokenKind::Time => {
                let time = written_time(token);
                let is_one = !is_hour_and_minute(token) && !everywhere.contains(token.text)
                    || time.is_written_by(old);
                is_one && !time.is_written_by(moments)
            }
            TokenKind::Known(_) => self.names_old_life(token),
            _ => self.is_only_here(file, token),
        };
        file.tokens().filter(lasts).collect()
    }

    fn names_old_life(&self, token: &TextToken<'_>) -> bool {
        let Some(entry) = self.contents.entry(token) else { return false };
        let new = self.after.pod_files.pod;
        let is_new = |word: &str| {
            word.eq_ignore_ascii_case(token.text)
                || word.replace('-', "").eq_ignore_ascii_case(token.text)
        };
        let names_new = is_new(new.uid()) || new.addresses.iter().any(|it| is_new(it));
        entry.meaning == Meaning::Life && entry.ordinals.contains(&self.ordinal()) && !names_new
    }

    fn is_only_here(&self, file: &FileWords<'t>, token: &TextToken<'t>) -> bool {
        let follows =
            || token.number().is_some_and(|it| self.contents.follows(file, self.ordinal(), it));
        is_chance(token) && self.is_own_value(token) && !follows()
    }

    /// Whether no other pod wrote this word.
    pub(super) fn is_own_value(&self, token: &TextToken<'t>) -> bool {
        let seen = self.contents.values.get(token.text);
        seen.is_none_or(|it| *it == HeldBy::One(self.ordinal()))
    }

    /// The words that every fresh start writes to the file, such as a time at which something was
    /// built.
    fn words_of_every_start(&self, file: &FileWords<'t>) -> BTreeSet<&'t str> {
        let mut common: Option<BTreeSet<&'t str>> = None;
        for lexed in self.contents.fresh(self.ordinal()) {
            let words = lexed.file(&file.key).into_iter().flat_map(FileWords::tokens);
            let mut words: BTreeSet<&'t str> = words.map(|it| it.text).collect();
            if let Some(earlier) = common {
                words.retain(|it| earlier.contains(it));
            }
            common = Some(words);
        }
        common.unwrap_or_default()
    }

    /// Those of these words that are in the file now, or in another file that did not have them
    /// before.
    pub(super) fn kept<'f>(
        &self,
        words: &[&'f TextToken<'t>],
        now: Option<&FileWords<'t>>,
    ) -> Vec<&'f TextToken<'t>> {
        if words.is_empty() {
            return vec![];
        }
        let wanted: BTreeSet<&str> = words.iter().map(|it| it.text).collect();
        let mut there: BTreeSet<&str> = BTreeSet::new();
        for file in &self.after.files {
            let found = counts(file, &wanted);
            if now.is_some_and(|now| std::ptr::eq(file, now)) {
                there.extend(found.keys());
                continue;
            }
            if found.is_empty() {
                continue;
            }
            let earlier =
                self.before.at(&file.text).map(|it| counts(it, &wanted)).unwrap_or_default();
            let is_more = |(word, count): &(&&str, &usize)| {
                **count > earlier.get(**word).copied().unwrap_or(0)
            };
            there.extend(found.iter().filter(is_more).map(|(word, _)| *word));
        }
        words.iter().copied().filter(|it| there.contains(it.text)).collect()
    }

    /// Whether its content stands in a file that is new, and that no fresh start makes.
    fn was_moved(&self, file: &FileWords<'t>) -> bool {
        let content = file.text.content;
        let is_made_fresh =
            |key: &str| self.contents.first_lives.iter().any(|it| it.file(key).is_some());
        let is_new =
            |it: &&FileWords<'t>| self.before.at(&it.text).is_none() && !is_made_fresh(&it.key);
        !content.trim().is_empty()
            && self.after.files.iter().filter(is_new).any(|it| it.text.content.contains(content))
    }

    /// The lines of what fresh starts wrote to a file, by their shape.
    pub(super) fn fresh_lines(&self, key: &str) -> BTreeMap<Vec<String>, Vec<&[TextToken<'t>]>> {
        let mut lines: BTreeMap<Vec<String>, Vec<&[TextToken<'t>]>> = BTreeMap::new();
        for lexed in self.contents.fresh(self.ordinal()) {
            for line in lexed.file(key).into_iter().flat_map(|it| &it.lines) {
                lines
                    .entry(
                        self.contents
                            .known
                            .masked_line_without_own_name(line, lexed.pod_files.pod.ordinal),
                    )
                    .or_default()
                    .push(line);
            }
        }
        lines
    }

    /// The lines of a file by their shape; `None` where several have one shape.
    pub(super) fn lines_by_shape<'f>(
        &self,
        file: &'f FileWords<'t>,
    ) -> BTreeMap<Vec<String>, Option<&'f [TextToken<'t>]>> {
        let mut lines: BTreeMap<Vec<String>, Option<&'f [TextToken<'t>]>> = BTreeMap::new();
        for line in &file.lines {
            let shape = self.contents.known.masked_line_without_own_name(line, self.ordinal());
            lines.entry(shape).and_modify(|it| *it = None).or_insert(Some(line));
        }
        lines
    }

    /// Whether there is more than any fresh start writes, with all that was there among it.
    fn grew(&self, file: &FileWords<'t>, now: &FileWords<'t>) -> bool {
        let (before, after) = (self.flat(file, self.ordinal()), self.flat(now, self.ordinal()));
        let mut rest = after.iter();
        let is_within =
            after.len() > before.len() && before.iter().all(|word| rest.any(|it| it == word));
        if !is_within {
            return false;
        }
        let mut lengths = BTreeSet::new();
        for lexed in self.contents.fresh(self.ordinal()) {
            lengths.extend(
                lexed.file(&file.key).map(|it| self.flat(it, lexed.pod_files.pod.ordinal).len()),
            );
        }
        // Where a fresh start's file has no certain length, that it is longer tells nothing.
        let is_steady = || {
            self.contents.timeline.first_pod_files(self.before.pod_files.pod).is_none_or(|first| {
                let first = self.contents.lexed(first);
                first
                    .file(&file.key)
                    .is_none_or(|it| self.flat(it, self.ordinal()).len() == before.len())
            })
        };
        lengths.len() <= 1 && lengths.iter().all(|it| after.len() > *it) && is_steady()
    }

    fn flat(&self, file: &FileWords<'t>, ordinal: i32) -> Vec<String> {
        file.lines
            .iter()
            .flat_map(|line| self.contents.known.masked_line_without_own_name(line, ordinal))
            .collect()
    }
}

/// Whether the new pod mounts another folder of the volume than the old one.
fn is_another(folder: Folder, old: &PodLife, new: &PodLife) -> bool {
    match folder.next {
        NextFolder::Same | NextFolder::Unknown => false,
        NextFolder::OfAddress => !old.addresses.iter().any(|it| new.addresses.contains(it)),
        NextFolder::Another => true,
    }
}

/// Whether a word may be hours and minutes, or any other two numbers: a device's `0:42`.
fn is_hour_and_minute(token: &TextToken<'_>) -> bool {
    token.text.len() <= "23:59".len()
}

/// How often each of these words is in a file.
fn counts<'t>(file: &FileWords<'t>, wanted: &BTreeSet<&str>) -> BTreeMap<&'t str, usize> {
    let mut counts = BTreeMap::new();
    for token in file.tokens().filter(|it| wanted.contains(it.text)) {
        *counts.entry(token.text).or_default() += 1;
    }
    counts
}

/// Whether a file that reads as before was written since: by its times, where they and the new
/// start are known.
pub(super) fn was_rewritten(
    before: Option<i64>,
    after: Option<i64>,
    new: &PodLife,
) -> Option<bool> {
    let (before, after) = (before?, after?);
    if before != after {
        return Some(true);
    }
    new.earliest_start().map(|start| after >= start)
}

fn is_same_text(before: &Text<'_>, after: &Text<'_>) -> bool {
    if !before.cut && !after.cut {
        return before.content == after.content;
    }
    let length = before.content.len().min(after.content.len());
    before.content.as_bytes()[..length] == after.content.as_bytes()[..length]
}

fn holds_all_lines(before: &Text<'_>, after: &Text<'_>) -> bool {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for line in after.content.lines() {
        *left.entry(line).or_default() += 1;
    }
    before.content.lines().all(|line| {
        let there = left.get_mut(line).filter(|it| **it > 0);
        there.map(|it| *it -= 1).is_some()
    })
}

fn blocks(digests: &str) -> impl Iterator<Item = &str> {
    (0..digests.len() / BLOCK_DIGITS)
        .filter_map(|place| digests.get(place * BLOCK_DIGITS..(place + 1) * BLOCK_DIGITS))
}

fn described(sealed: &Sealed<'_>) -> String {
    /// Enough for a reader to compare two digests.
    const SHOWN: usize = "sha256:".len() + 12;
    let digest = sealed.file.digest.as_deref().unwrap_or("");
    let shown = digest.get(..SHOWN).unwrap_or(digest);
    format!("{} bytes that are no text, {shown}", sealed.file.size)
}
