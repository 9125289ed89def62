//! Is it the original: what became of the files that told who wrote them.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::model::evidence::content::{
    Text,
    clock::{WriteMoments, written_time},
    comparison::Comparison,
    known::{Entry, Meaning},
    lexer::{TextToken, TokenKind},
    proof::Proof,
    writer::{Contents, FileWords, HeldBy, LexedFiles, Telling, is_chance},
};
use crate::model::{
    observation::{
        Given, Inquiry,
        sub_path::{Folder, NamesPod, NextFolder},
    },
    timeline::{Timeline, lives::PodLife},
    verdict::Unreadable,
};

/// At most so many pairs of pods are compared to tell what all pods do.
pub(crate) const MAX_PAIRS: usize = 32;

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
    pub(super) const fn unseen(why: String) -> Self {
        Self::Unseen { why, unreadable: None }
    }
}

impl<'t> Contents<'t> {
    /// What became of each file of a pod that told who wrote it, in what was read of its successor.
    ///
    /// Empty where no file told it. Both are read by their newest readings; what the first reading
    /// of the old one told counts as well. Of each pair it is found once, because it is asked several
    /// times.
    #[must_use]
    pub fn fates(&self, old: &'t PodLife, new: &'t PodLife) -> Rc<[Fate]> {
        let pair = (old.uid(), new.uid());
        if let Some(known) = self.fates.borrow().get(&pair) {
            return Rc::clone(known);
        }
        let found: Rc<[Fate]> = self.find_fates(old, new).into();
        self.fates.borrow_mut().insert(pair, Rc::clone(&found));
        found
    }

    fn find_fates(&self, old: &'t PodLife, new: &'t PodLife) -> Vec<Fate> {
        let Some((last, after)) = self.last_lives(old, new) else { return vec![] };
        let comparison = Comparison::new(self, &last, &after);
        let mut fates = vec![];
        let way = self.telling(&last);
        comparison.of_telling_files(|comparison, file| fates.push(comparison.fate(file)));
        for unread in &last.pod_files.unread {
            let tells = match way {
                Telling::ByItself => {
                    self.search_tells(old.ordinal, &unread.file.holds) == Some(true)
                }
                Telling::ByFolder => unread.folder.names_pod == NamesPod::Yes,
            };
            if tells {
                fates.push(comparison.fate_of_unread(unread));
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

    /// The words that are still in files which were written anew, and that the pod's surroundings
    /// may have given again.
    fn words_in_doubt(&self, old: &'t PodLife, new: &'t PodLife) -> BTreeSet<String> {
        let mut words = BTreeSet::new();
        if let Some((last, after)) = self.last_lives(old, new) {
            Comparison::new(self, &last, &after)
                .of_telling_files(|comparison, file| words.extend(comparison.in_doubt(file)));
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
            for (old, new) in pairs.take(MAX_PAIRS) {
                let Some((last, after)) = self.last_lives(old, new) else { continue };
                Comparison::new(self, &last, &after).of_telling_files(|comparison, file| {
                    let fate = comparison.fate_by_itself(file);
                    if matches!(fate, Some(Fate::Gone { after: Some(_), .. })) {
                        keys.insert(file.key.clone());
                    }
                });
            }
            keys
        })
    }

    /// The first lives of the other pods, which show what a fresh start writes: those that were
    /// surely the first on their claims; where there is none of these, all.
    pub(super) fn fresh(&self, ordinal: i32) -> Vec<&LexedFiles<'t>> {
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
        words.retain(|word| self.given_by_surroundings(uid, word).is_none());
        words
    }

    /// Whether the surroundings of a pod give a word, so that each start can write it again: its
    /// environment, files that are on no claim, the numbers of its file system. `None` where that
    /// was not asked.
    pub(super) fn given_by_surroundings(&self, uid: &str, word: &str) -> Option<Given> {
        self.inquiries.of(uid).rev().find_map(|it| match &it.what {
            Inquiry::Surroundings { words, .. } => words.get(word).copied(),
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

impl<'t> Comparison<'_, 't> {
    /// Compares each file that told the pod, as it was last, and as it was at first where that
    /// differs.
    fn of_telling_files(&self, mut compare: impl FnMut(&Comparison<'_, 't>, &FileWords<'t>)) {
        let way = self.contents.telling(self.before);
        let first = self.first();
        let earlier = first.map(|it| Comparison::new(self.contents, it, self.after));
        let is_telling = |it: &&FileWords<'t>| self.contents.tells_so(self.before, it, way);
        for file in self.before.files.iter().filter(is_telling) {
            compare(self, file);
            let Some(earlier) = &earlier else { continue };
            let before = earlier.before.at(&file.text);
            if let Some(before) = before.filter(|it| it.text.content != file.text.content) {
                compare(earlier, before);
            }
        }
    }

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
        let kept = self.kept_words(&unrepeatable, now);
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
        if let Some(now) = now.filter(|it| it.text.cut) {
            return Fate::unseen(format!("{} is too large to be read whole", now.text.path));
        }
        if let Some(unseen) = self.hidden_fate() {
            return unseen;
        }
        let Some(now) = now else {
            return Fate::Gone { path, before: file.text.content.to_owned(), after: None };
        };
        if self.may_be_bounded_log(file, now) {
            return Fate::Unseen {
                why: format!(
                    "{path} holds newer lines of the pod before, and none of those that were read"
                ),
                unreadable: Some(Unreadable::BoundedLog),
            };
        }
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
        for lexed in self.fresh() {
            let words = lexed.file(&file.key).into_iter().flat_map(FileWords::tokens);
            let mut words: BTreeSet<&'t str> = words.map(|it| it.text).collect();
            if let Some(earlier) = common {
                words.retain(|it| earlier.contains(it));
            }
            common = Some(words);
        }
        common.unwrap_or_default()
    }

    /// The lines of what fresh starts wrote to a file, by their shape.
    pub(super) fn fresh_lines(&self, key: &str) -> BTreeMap<Vec<String>, Vec<&[TextToken<'t>]>> {
        let mut lines: BTreeMap<Vec<String>, Vec<&[TextToken<'t>]>> = BTreeMap::new();
        for lexed in self.fresh() {
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

    /// All lines of a file by their shape.
    pub(super) fn all_lines_by_shape<'f>(
        &self,
        file: &'f FileWords<'t>,
    ) -> BTreeMap<Vec<String>, Vec<&'f [TextToken<'t>]>> {
        let mut lines: BTreeMap<Vec<String>, Vec<&'f [TextToken<'t>]>> = BTreeMap::new();
        for line in &file.lines {
            let shape = self.contents.known.masked_line_without_own_name(line, self.ordinal());
            lines.entry(shape).or_default().push(line);
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
        for lexed in self.fresh() {
            lengths.extend(
                lexed.file(&file.key).map(|it| self.flat(it, lexed.pod_files.pod.ordinal).len()),
            );
        }
        // Where a fresh start's file has no certain length, that it is longer tells nothing.
        let is_steady = || {
            let first = self.first().and_then(|it| it.file(&file.key));
            first.is_none_or(|it| self.flat(it, self.ordinal()).len() == before.len())
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
pub(super) fn is_another(folder: Folder, old: &PodLife, new: &PodLife) -> bool {
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
