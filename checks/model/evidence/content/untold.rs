//! The files that tell no pod, beside one that does and reads the same after every start.

use crate::{
    model::{
        evidence::{
            content::{
                UnreadFile,
                comparison::Comparison,
                lateness::BEFORE_START_SECONDS,
                lexer::TokenKind,
                original::{Fate, was_rewritten},
                writer::{Contents, FileWords, LexedFiles},
            },
            rewriting::AT_ONCE_SECONDS,
        },
        timeline::lives::PodLife,
        verdict::Unreadable,
    },
    shell::{self, Writes},
};

/// A file of which nothing was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostFile {
    /// Where it was.
    pub path: String,
    /// Whether a file is there now.
    pub is_there: bool,
}

impl<'t> Contents<'t> {
    /// The files of which nothing was kept when `new` came in the place of `old`: those that told
    /// their pod, or the one that stands beside them.
    #[must_use]
    pub fn lost_files(&self, old: &'t PodLife, new: &'t PodLife) -> Vec<LostFile> {
        let fates = self.fates(old, new);
        let beside = self.written_anew_beside(old, new);
        let mut lost = vec![];
        for fate in fates.iter().chain(&beside) {
            if let Fate::Gone { path, after, .. } = fate {
                lost.push(LostFile { path: path.clone(), is_there: after.is_some() });
            }
        }
        lost
    }

    /// A file that tells no pod and that the new start wrote anew, where every file that tells the
    /// pod was written again and reads the same. `Fate::Unseen` where a file that could not be read
    /// may have been kept.
    ///
    /// `None` where something was kept, and where the file may be written at other times than at a
    /// start: a heartbeat is new all the time.
    ///
    /// Of each pair it is found once, as [`Contents::fates`] are.
    #[must_use]
    pub fn written_anew_beside(&self, old: &'t PodLife, new: &'t PodLife) -> Option<Fate> {
        let pair = (old.uid(), new.uid());
        if let Some(known) = self.fates_beside.borrow().get(&pair) {
            return known.clone();
        }
        let found = self.find_written_anew_beside(old, new);
        self.fates_beside.borrow_mut().insert(pair, found.clone());
        found
    }

    fn find_written_anew_beside(&self, old: &'t PodLife, new: &'t PodLife) -> Option<Fate> {
        let fates = self.fates(old, new);
        let is_same = |it: &Fate| matches!(it, Fate::Same { rewritten: Some(true) });
        if fates.is_empty() || !fates.iter().all(is_same) {
            return None;
        }
        let (last, after) = self.last_lives(old, new)?;
        let comparison = Comparison::new(self, &last, &after);
        let way = self.telling(&last);
        let (mut lost, mut unseen) = (None, None);
        for file in last.files.iter().filter(|it| !self.tells_so(&last, it, way)) {
            match comparison.fate(file) {
                Fate::Same { .. } => {}
                fate @ Fate::Unseen { .. } => unseen = unseen.or(Some(fate)),
                fate @ Fate::Gone { after: Some(_), .. }
                    if self.is_of_starts(&file.key)
                        && self.is_written_once(file.text.path)
                        && comparison.tells_a_time_or_a_word(file, &after) =>
                {
                    lost = lost.or(Some((file.text.path, fate)));
                }
                _ => return None,
            }
        }
        let (path, lost) = lost?;
        match comparison.kept_without_text() {
            WithoutText::Kept => None,
            WithoutText::Perhaps(other, reason) => Some(Fate::Unseen {
                why: format!(
                    "{path} was written anew, and whether something of {other} was kept is not known"
                ),
                unreadable: Some(reason),
            }),
            WithoutText::LeftOut => Some(Fate::Unseen {
                why: format!(
                    "{path} was written anew, and there are files that were not looked at"
                ),
                unreadable: Some(Unreadable::LeftOut),
            }),
            WithoutText::Nothing => Some(unseen.unwrap_or(lost)),
        }
    }

    /// Whether the template's own commands write a file once at a start, and nothing that they run may
    /// write it later, as a heartbeat is written: only that tells what a start does to it.
    ///
    /// The path is below the mount.
    fn is_written_once(&self, path: &str) -> bool {
        let template = self.timeline.set().map(|set| &set.spec.template.spec);
        let containers = template.into_iter().flat_map(|it| it.all_containers());
        let all = containers.map(|it| {
            let words: Vec<&str> = it.command.iter().chain(&it.args).map(String::as_str).collect();
            shell::writes_of_words(&words, path)
        });
        all.max() == Some(Writes::Once)
    }

    /// Whether a file was written at a start in each life that has it.
    fn is_of_starts(&self, key: &str) -> bool {
        let mut all = self.all_lives().iter().filter_map(|lexed| Some((lexed, lexed.file(key)?)));
        all.all(|(lexed, file)| {
            let (Some(mtime), Some(start)) =
                (file.text.mtime, lexed.pod_files.pod.earliest_start())
            else {
                return false;
            };
            (start - BEFORE_START_SECONDS..=start + AT_ONCE_SECONDS).contains(&mtime)
        })
    }
}

/// What was kept of the files whose text is not known.
enum WithoutText {
    /// One of them, or a part of it.
    Kept,
    /// Something of the file at this path may have been; why its text is not known.
    Perhaps(String, Unreadable),
    /// Something may have been, of the files that were not looked at.
    LeftOut,
    /// Nothing of which it could be told.
    Nothing,
}

impl<'t> Comparison<'_, 't> {
    /// What was kept of the files whose text is not known.
    fn kept_without_text(&self) -> WithoutText {
        let (before, after) = (&self.before.pod_files, &self.after.pod_files);
        let mut undecided = None;
        for unread in &before.unread {
            match self.kept_of_unread(unread) {
                WithoutText::Kept => return WithoutText::Kept,
                perhaps @ WithoutText::Perhaps(..) => undecided = undecided.or(Some(perhaps)),
                WithoutText::Nothing | WithoutText::LeftOut => {}
            }
        }
        match undecided {
            Some(perhaps) => perhaps,
            None if before.left_out > 0 || after.left_out > 0 => WithoutText::LeftOut,
            None => WithoutText::Nothing,
        }
    }

    fn kept_of_unread(&self, unread: &UnreadFile<'t>) -> WithoutText {
        let perhaps = || WithoutText::Perhaps(unread.file.path.clone(), unread.reason());
        let now = self.unread_at(unread);
        let new = self.after.pod_files.pod;
        let is_untouched = now.is_some_and(|it| {
            it.file.size == unread.file.size
                && was_rewritten(unread.file.mtime, it.file.mtime, new) == Some(false)
        });
        if is_untouched {
            return WithoutText::Kept;
        }
        // What the old pod wrote last may stand there as it left it.
        let written_at = now.and_then(|it| it.file.mtime).zip(new.earliest_start());
        let is_written_since = written_at.is_some_and(|(written, start)| written >= start);
        match self.fate_of_unread(unread) {
            Fate::Kept => WithoutText::Kept,
            Fate::Gone { after: None, .. } => WithoutText::Nothing,
            Fate::Gone { .. } if is_written_since => WithoutText::Nothing,
            // The same bytes in every pod are nobody's.
            Fate::Same { .. } if self.has_no_block_of_its_own(unread) => WithoutText::Nothing,
            _ => perhaps(),
        }
    }

    /// Whether what no fresh start would write again in a file is more than numbers: a load, or the
    /// size of a disk, is nobody's content.
    fn tells_a_time_or_a_word(&self, file: &FileWords<'t>, after: &LexedFiles<'t>) -> bool {
        let words = self.unrepeatable_words(file, after.at(&file.text));
        words.iter().any(|it| !matches!(it.kind, TokenKind::Number | TokenKind::Decimal))
    }
}
