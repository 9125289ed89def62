//! The files that tell no pod, beside one that does and reads the same after every start.

use crate::{
    model::{
        evidence::{
            content::{
                PodFiles,
                comparison::Comparison,
                lateness::BEFORE_START_SECONDS,
                lexer::TokenKind,
                original::Fate,
                writer::{Contents, FileWords, LexedFiles},
            },
            rewriting::AT_ONCE_SECONDS,
        },
        timeline::lives::PodLife,
    },
    shell::{self, Writes},
};

impl<'t> Contents<'t> {
    /// A file that tells no pod, and that the new start wrote anew with other values, where nothing
    /// on the pod's claims was kept: the files that tell it, of which `fates` are told, read the
    /// same and were written again.
    ///
    /// `None` where something was kept or may have been, and where the file may be written at other
    /// times than at a start: a heartbeat is new all the time.
    #[must_use]
    pub fn written_anew_beside(
        &self,
        fates: &[Fate],
        old: &'t PodLife,
        new: &'t PodLife,
    ) -> Option<Fate> {
        let is_same = |it: &Fate| matches!(it, Fate::Same { rewritten: Some(true) });
        if fates.is_empty() || !fates.iter().all(is_same) {
            return None;
        }
        let (last, after) = self.last_lives(old, new)?;
        let has_hidden = |it: &PodFiles<'_>| !it.sealed.is_empty() || it.left_out > 0;
        if has_hidden(&last.pod_files) || has_hidden(&after.pod_files) {
            return None;
        }
        let comparison = Comparison::new(self, &last, &after);
        let way = self.telling(&last);
        let mut lost = None;
        for file in last.files.iter().filter(|it| !self.tells_so(&last, it, way)) {
            match comparison.fate(file) {
                Fate::Same { .. } => {}
                fate @ Fate::Gone { after: Some(_), .. }
                    if self.is_of_starts(&file.key)
                        && self.is_written_once(file.text.path)
                        && comparison.tells_a_time_or_a_word(file, &after) =>
                {
                    lost = lost.or(Some(fate));
                }
                _ => return None,
            }
        }
        lost
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

impl<'t> Comparison<'_, 't> {
    /// Whether what no fresh start would write again in a file is more than numbers: a load, or the
    /// size of a disk, is nobody's content.
    fn tells_a_time_or_a_word(&self, file: &FileWords<'t>, after: &LexedFiles<'t>) -> bool {
        let words = self.unrepeatable_words(file, after.at(&file.text));
        words.iter().any(|it| !matches!(it.kind, TokenKind::Number | TokenKind::Decimal))
    }
}
