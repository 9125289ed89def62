//! Files whose text is not known: what they are, and whether each is the original.

use std::collections::BTreeSet;

use crate::model::{
    evidence::content::{
        comparison::Comparison,
        original::{Fate, is_another, was_rewritten},
        writer::Contents,
    },
    observation::{BLOCK_DIGITS, File, LEFT_OUT, sub_path::Folder},
    verdict::Unreadable,
};

/// A file whose text is not known: it holds none, or it was not read.
#[derive(Clone, Copy, Debug)]
pub struct UnreadFile<'t> {
    /// On which claim.
    pub claim: &'t str,
    /// What is known of it.
    pub file: &'t File,
    /// The folder of the volume that it lies in.
    pub folder: Folder,
}

impl UnreadFile<'_> {
    /// Whether it was not read for want of room: [`left_out`](super::PodFiles::left_out)
    /// counts it, too.
    pub(super) fn is_left_out(&self) -> bool {
        self.file.without.as_deref() == Some(LEFT_OUT)
    }

    /// Why its text is not known.
    pub(super) fn reason(&self) -> Unreadable {
        if self.is_left_out() { Unreadable::LeftOut } else { Unreadable::NoText }
    }
}

impl<'t> Comparison<'_, 't> {
    /// A binary file: by its digest, and by the digests of its parts.
    pub(super) fn fate_of_unread(&self, unread: &UnreadFile<'t>) -> Fate {
        let (before, after) = (self.before, self.after);
        if is_another(unread.folder, before.pod_files.pod, after.pod_files.pod) {
            let path = unread.file.path.clone();
            return Fate::InAnotherFolder { path, before: in_words(unread) };
        }
        let Some(now) = self.unread_at(unread) else {
            let is_text = after.by_path.contains_key(&(unread.claim, unread.file.path.as_str()));
            if is_text {
                return Fate::Unclear;
            }
            if self.newly_left_out() > 0 {
                return Fate::unseen(format!(
                    "{} is not among the files that were looked at",
                    unread.file.path
                ));
            }
            return Fate::Gone {
                path: unread.file.path.clone(),
                before: in_words(unread),
                after: None,
            };
        };
        if unread.file.digest.is_none() || now.file.digest.is_none() {
            return Fate::Unclear;
        }
        if unread.file.digest == now.file.digest && unread.file.size == now.file.size {
            let rewritten = was_rewritten(unread.file.mtime, now.file.mtime, after.pod_files.pod);
            return if rewritten == Some(false) { Fate::Kept } else { Fate::Same { rewritten } };
        }
        let others = self.blocks_of_others();
        let own = self.own_blocks(unread);
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
            path: unread.file.path.clone(),
            before: in_words(unread),
            after: Some(in_words(now)),
        }
    }

    /// Whether each known part of a binary file is in some other pod's file, too.
    pub(super) fn has_no_block_of_its_own(&self, unread: &UnreadFile<'t>) -> bool {
        !unread.file.blocks.is_empty() && self.own_blocks(unread).is_empty()
    }

    /// The digests of the parts of a binary file that no other pod's file has.
    fn own_blocks<'f>(&self, unread: &UnreadFile<'f>) -> Vec<&'f str> {
        let others = self.blocks_of_others();
        blocks(&unread.file.blocks).filter(|it| !others.contains(it)).collect()
    }
}

impl Contents<'_> {
    pub(super) fn blocks_of_others(&self, ordinal: i32) -> impl Iterator<Item = &str> {
        let others = self.first_lives.iter().filter(move |it| it.pod_files.pod.ordinal != ordinal);
        others.flat_map(|it| &it.pod_files.unread).flat_map(|it| blocks(&it.file.blocks))
    }
}

fn blocks(digests: &str) -> impl Iterator<Item = &str> {
    (0..digests.len() / BLOCK_DIGITS)
        .filter_map(|place| digests.get(place * BLOCK_DIGITS..(place + 1) * BLOCK_DIGITS))
}

fn in_words(unread: &UnreadFile<'_>) -> String {
    /// Enough for a reader to compare two digests.
    const SHOWN: usize = "sha256:".len() + 12;
    let digest = unread.file.digest.as_deref().unwrap_or("");
    let shown = digest.get(..SHOWN).unwrap_or(digest);
    format!("{} bytes that are no text, {shown}", unread.file.size)
}
