//! What speaks for the original where a start has written the file anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    PodLife,
    evidence::content::{
        clock::{WriteMoments, written_time},
        comparison::Comparison,
        counting::{SameLineLater, lists_a_folder},
        lexer::{TextToken, TokenKind},
        writer::{FileWords, LexedFiles, is_chance},
    },
    observation::Given,
};

/// In a file with more lines that have gone on, it is not asked of each what it counts.
const MAX_LINES_EXAMINED: usize = 3;

/// What something that is still there proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    /// Nothing: each start can write it.
    None,
    /// It may have been kept, or be written by each start.
    Unsure,
    /// State was carried over.
    Sure,
}

impl<'t> Comparison<'_, 't> {
    /// Whether a value that no start writes twice has made way for a new one of its kind, and no
    /// time of the old start is left: then a start has written the file anew.
    pub(super) fn is_written_anew(
        &self,
        file: &FileWords<'t>,
        now: &FileWords<'t>,
        unrepeatable: &[&TextToken<'t>],
        kept: &[&TextToken<'t>],
    ) -> bool {
        if kept.iter().any(|it| self.is_time_of_old_start(file, it)) {
            return false;
        }
        let kept: BTreeSet<&str> = kept.iter().map(|it| it.text).collect();
        let mut lost: Vec<TokenKind> = vec![];
        for token in unrepeatable.iter().filter(|it| !kept.contains(it.text)) {
            if !lost.contains(&token.kind) {
                lost.push(token.kind);
            }
        }
        if lost.is_empty() {
            return false;
        }
        let earlier: BTreeSet<&str> = file.tokens().map(|it| it.text).collect();
        let start = WriteMoments::of(self.after.pod_files.pod, now.text.mtime);
        for token in now.tokens() {
            let is_new_value =
                is_chance(token) || token.kind == TokenKind::Time && may_be_of(token, start);
            if is_new_value && lost.contains(&token.kind) && !earlier.contains(token.text) {
                return true;
            }
        }
        false
    }

    fn is_time_of_old_start(&self, file: &FileWords<'t>, token: &TextToken<'_>) -> bool {
        let old = WriteMoments::of(self.before.pod_files.pod, file.text.mtime);
        token.kind == TokenKind::Time && written_time(token).is_written_by(old)
    }

    /// What it proves that words are there still; `None` where none is.
    pub(super) fn proof_by_words(
        &self,
        file: &FileWords<'t>,
        kept: &[&TextToken<'t>],
        is_anew: bool,
    ) -> Option<Proof> {
        if !is_anew || kept.is_empty() {
            return kept.first().map(|_| Proof::Sure);
        }
        let untouched = self.words_of_untouched_files();
        let mut best = Proof::None;
        for token in kept {
            best = best.max(self.proof(file, token, untouched));
            if best == Proof::Sure {
                break;
            }
        }
        Some(best)
    }

    /// What it proves that a word is there still, in a file that was written anew: a value that only
    /// this pod has may come from the pod's surroundings, as the inode of its volume or a line of a
    /// ConfigMap does.
    fn proof(
        &self,
        file: &FileWords<'t>,
        token: &TextToken<'t>,
        untouched: &BTreeSet<&str>,
    ) -> Proof {
        if matches!(token.kind, TokenKind::Known(_)) {
            return Proof::Sure;
        }
        if self.stands_in_the_template(token) {
            return Proof::None;
        }
        let given = self
            .contents
            .timeline
            .given_by_surroundings(self.after.pod_files.pod.uid(), token.text);
        match given {
            Some(Given::Yes) => return Proof::None,
            Some(Given::No) => return Proof::Sure,
            Some(Given::Nearly) | None => {}
        }
        if untouched.contains(token.text) {
            return Proof::Sure;
        }
        let is_number = matches!(token.kind, TokenKind::Number | TokenKind::Decimal);
        match given {
            Some(_) if self.is_near_others(file, token) => Proof::None,
            None if !is_number => Proof::Sure,
            // Few numbers are random.
            _ => Proof::Unsure,
        }
    }

    /// Whether the numbers of all fresh starts at its place are near it: random ones would not be.
    fn is_near_others(&self, file: &FileWords<'t>, token: &TextToken<'t>) -> bool {
        const HUNDREDTHS: u64 = 5;
        let Some(own) = token.number() else { return false };
        let fresh = self.fresh_lines(&file.key);
        let is_near = |it: &i64| {
            it.abs_diff(own).saturating_mul(100) <= own.unsigned_abs().saturating_mul(HUNDREDTHS)
        };
        for line in &file.lines {
            let Some(place) = line.iter().position(|it| it.text == token.text) else { continue };
            let others =
                fresh.get(&self.contents.known.masked_line_without_own_name(line, self.ordinal()));
            let others = others.map_or(&[][..], Vec::as_slice);
            let numbers: Vec<i64> =
                others.iter().filter_map(|line| line.get(place)?.number()).collect();
            if numbers.len() > 1 && numbers.iter().all(is_near) {
                return true;
            }
        }
        false
    }

    /// The words of which it has to be asked whether the pod's surroundings give them.
    pub(super) fn in_doubt(&self, file: &FileWords<'t>) -> Vec<String> {
        let now = self.after.at(&file.text);
        let unrepeatable = self.unrepeatable_words(file, now);
        let kept = self.kept_words(&unrepeatable, now);
        if !now.is_some_and(|now| self.is_written_anew(file, now, &unrepeatable, &kept)) {
            return vec![];
        }
        // A number that follows the ordinal in few pods may not do so in more.
        let is_own_number = |it: &&TextToken<'t>| {
            it.kind == TokenKind::Number && is_chance(it) && self.is_own_value(it)
        };
        let numbers: Vec<&TextToken<'t>> = file.tokens().filter(is_own_number).collect();
        let numbers = self.kept_words(&numbers, now);
        let is_in_doubt = |it: &&&TextToken<'t>| !matches!(it.kind, TokenKind::Known(_));
        kept.iter().chain(&numbers).filter(is_in_doubt).map(|it| it.text.to_owned()).collect()
    }

    fn stands_in_the_template(&self, token: &TextToken<'_>) -> bool {
        self.contents.timeline.scripts().any(|it| it.contains(token.text))
    }

    /// What it proves that a number which is the same at every fresh start has grown, and nothing
    /// else has changed but what changes anyway.
    pub(super) fn went_on(
        &self,
        file: &FileWords<'t>,
        now: &FileWords<'t>,
        is_anew: bool,
    ) -> Proof {
        let (before, after) = (self.lines_by_shape(file), self.lines_by_shape(now));
        let fresh = self.fresh_lines(&file.key);
        let moments = [
            WriteMoments::of(self.before.pod_files.pod, file.text.mtime),
            WriteMoments::of(self.after.pod_files.pod, now.text.mtime),
        ];
        let mut best = Proof::None;
        let mut examined = 0;
        for (shape, line) in &before {
            let pair = (*line).zip(after.get(shape).copied().flatten());
            let Some((before, after)) = pair else { continue };
            let fresh = fresh.get(shape).map_or(&[][..], Vec::as_slice);
            let line = SameLineLater { fresh, before, after, moments };
            let places = line.places_that_went_on();
            if places.is_empty() {
                continue;
            }
            if !is_anew {
                return Proof::Sure;
            }
            examined += 1;
            if examined > MAX_LINES_EXAMINED {
                return best.max(Proof::Unsure);
            }
            let lives = self.contents.all_lives();
            for place in places {
                best = best.max(self.count_gone_on(file, shape, &line, place, lives));
            }
        }
        best
    }

    /// What it proves that a number has gone on in a file that was written anew: it counts starts,
    /// or the files that lie there.
    fn count_gone_on(
        &self,
        file: &FileWords<'t>,
        shape: &[String],
        line: &SameLineLater<'_, 't>,
        place: usize,
        lives: &[LexedFiles<'t>],
    ) -> Proof {
        if self.stays_at_a_start(file, shape, place, lives) {
            return Proof::None;
        }
        let counts_starts = line.counts_from_the_start(place);
        let mut proof = if counts_starts { Proof::Sure } else { Proof::Unsure };
        let files = self.counts_of_entries(file.text.claim);
        let number = line.after[place].number();
        let may_count_files = files.zip(number).is_some_and(|(files, it)| files.contains(&it));
        if !may_count_files {
            return proof;
        }
        for script in self.contents.timeline.scripts() {
            match line.is_count_of_files(place, script) {
                Some(true) => return Proof::None,
                None if lists_a_folder(script) => proof = Proof::Unsure,
                None | Some(false) => {}
            }
        }
        proof
    }

    /// Whether a number is the same after some start of some pod: then it does not count starts.
    fn stays_at_a_start(
        &self,
        file: &FileWords<'t>,
        shape: &[String],
        place: usize,
        lives: &[LexedFiles<'t>],
    ) -> bool {
        // Of each ordinal, the file and its number as they were read last.
        let mut last: BTreeMap<i32, (&str, i64)> = BTreeMap::new();
        for lexed in lives {
            let Some(now) = lexed.file(&file.key) else { continue };
            let pod = lexed.pod_files.pod;
            let Some(number) = self.number_at(now, pod.ordinal, shape, place) else { continue };
            // A new claim counts from the start again.
            if self.has_a_new_claim(pod) {
                continue;
            }
            let content = now.text.content;
            // A file that a start left as it was, or has not written yet, tells of no count.
            if last.get(&pod.ordinal).is_some_and(|(before, _)| *before == content) {
                continue;
            }
            let earlier = last.insert(pod.ordinal, (content, number));
            if earlier.is_some_and(|(_, before)| number <= before) {
                return true;
            }
        }
        false
    }

    /// The number at a place of the first line of this shape, in a file of the pod of an ordinal.
    fn number_at(
        &self,
        file: &FileWords<'t>,
        ordinal: i32,
        shape: &[String],
        place: usize,
    ) -> Option<i64> {
        let is_of_shape = |line: &&Vec<TextToken<'t>>| {
            self.contents.known.masked_line_without_own_name(line, ordinal) == *shape
        };
        file.lines.iter().find(is_of_shape)?.get(place)?.number()
    }

    /// Whether a claim of this pod's was made more than once.
    fn has_a_new_claim(&self, pod: &PodLife) -> bool {
        pod.claims().iter().any(|(_, claim)| self.contents.timeline.claim(claim).len() > 1)
    }
}

/// Whether a start may have written a time: any that is exact, or one to the minute that fits it.
fn may_be_of(token: &TextToken<'_>, start: WriteMoments) -> bool {
    let time = written_time(token);
    time.is_exact() || time.is_to_the_minute() && time.is_written_by(start)
}
