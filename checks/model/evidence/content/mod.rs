//! What files tell: who wrote them, and whether they are still the original ones.
//!
//! Checks 4, 6 and 10 ask two questions of what lies on a pod's claims. Both are answered by
//! comparing what the grade has seen, and by no rule about how a submission has to write.
//!
//! # Who wrote it (check 4)
//!
//! - **A name.** Content tells its pod when it holds the pod's name, UID or an address of it, or a
//!   hash of the name, in a file or in a path. A folder of the volume that a mount's `subPathExpr`
//!   names after the pod is a part of the path. A line that another pod has as well, times and
//!   numbers aside, tells nobody: a list of all members names no writer. ([`writer`], [`known`])
//! - **A number that follows the ordinal.** A number tells its pod when all pods wrote one at the
//!   same place of otherwise equal text, as `a + b × ordinal`, the pods that only the tour asked
//!   for included. It must be the same at every reading, because a pod keeps its ordinal.
//!   ([`writer`])
//! - **What the time explains is no identity.** Pods start a second or two after each other, so
//!   times of writing follow the ordinal by accident. A number that renders the moment of writing,
//!   or grows exactly as the time does, tells when and not who; counters, loads and random numbers
//!   do not follow the ordinal in all pods. ([`clock`])
//! - **An earlier life.** The address or the UID of a pod that was replaced before anybody looked is
//!   known to nobody. Pods on new claims show whether a start writes its own there.
//!   ([`earlier_life`])
//! - **Where chance cannot be excluded, nothing is said.** With few pods or many unexplained
//!   numbers a coincidence is possible: the test is then undecided, not failed.
//!
//! # Is it the original (checks 6 and 10)
//!
//! The question is: *would a fresh start have written what is there now?* The first lives of the
//! other pods, and of the pods that only the tour asked for, show what a fresh start writes.
//!
//! The cases, in the order in which they are asked ([`original`]):
//!
//! - **Another folder.** A `subPathExpr` with the pod's UID, or with an address that it does not keep,
//!   shows the new pod another folder of the volume. It does not see what the pod before it has
//!   written: the original is gone.
//! - **Untouched.** A file whose modification time is older than the new start, and the same as
//!   before, was not written by it. It is the original, whatever is in it.
//! - **Kept.** What is there holds a value that no fresh start would write again: the old time, the
//!   old UID, a random word that only this pod had. The original is there, under whatever name and
//!   in whatever order. The name of the volume is no such value: each start on it can write that.
//! - **Went on.** What is there differs from every fresh start because state was carried over: a
//!   counter says 2 where each fresh start says 1, or there are two lines where a fresh start has
//!   one. The original is there. Among numbers that each start writes anew (a load, a random
//!   number), a counter is one only with a name in front of it. ([`counting`])
//! - **The same minute.** A time without seconds reads the same when a pod is replaced within that
//!   minute. Written again and the same, it proves nothing, and the test is undecided: the letter
//!   would come by the luck of the second. The tour waits until the minute is over. Where another
//!   pod is seen to have lost that file by a new start, this one lost it, too.
//! - **A bounded log.** An app that keeps the newest lines of its log drops those that were read
//!   while the pod runs. Where lines of that pod are left that nobody had read, only their times
//!   tell that no start wrote them, and a start can write any time: the test is undecided.
//!   ([`bounded_log`])
//! - **Nothing to tell by.** A file that holds only the name reads the same after every start,
//!   written anew or not. It is as it was, and claim and volume decide.
//! - **Written anew.** What is there is as a fresh start writes it, with new values where the first
//!   one's were. The original is gone.
//!
//! # A value beside a new date
//!
//! A start that writes a file anew replaces the date in it. What else is in it then, and was there
//! before, may be kept, or may be written by every start of this pod: the inode of its volume, the
//! size of its disk, a line of a ConfigMap for this pod, a count of files. So beside a new date, or
//! a new random word, less counts ([`proof`], [`original`]):
//!
//! - **A time of the old start, its UID or its address** is proof: no later start writes them.
//! - **Another value that only this pod has** is none where it stands in the template's commands.
//!   Else it is proof where the pod's surroundings do not give it: the grader looks for it outside of
//!   the claims, in the container's environment, in files of ConfigMaps and Secrets, in what `ls -i`
//!   and `df` say. Where nobody has looked, a value that a file which was not written since holds is
//!   proof, and so is a word; a number leaves it open.
//! - **A counter** is proof where it counts starts: from 0 or 1, and on at each start of each pod.
//!   As many as there are files is not, where the template's commands count them.
//!
//! Files that tell who wrote them are asked, because the lab asks for the original of those: by
//! themselves, and only where none does, by the folder that `subPathExpr` names after the pod. Where
//! they read the same after every start, and were written again, the files beside them are asked,
//! too: the name in one file and the date in another are one content ([`untold`]). A binary file
//! among them excuses nothing by being there: where it was kept, the original is there, and where a
//! part of it may have been, the test is undecided. Where no file tells, the grader's own file (the
//! canary) decides for the whole claim: one mistake costs one test.
//!
//! # The canary
//!
//! A canary of one pod on another pod's claim means one storage under two names, or an app that
//! copies files to its peers. A shared file has one inode and one time of change wherever it is
//! looked at, and a copy has its own: where that is not known, the files themselves must be the
//! same for the storage to be called shared.

mod address_index;
mod bounded_log;
mod clock;
mod comparison;
mod counting;
mod digest;
mod earlier_life;
mod known;
mod lateness;
mod lexer;
mod original;
mod proof;
#[cfg(test)]
mod tests;
mod unread;
mod untold;
mod writer;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use crate::model::evidence::content::original::MAX_PAIRS;
pub use crate::model::evidence::content::{
    earlier_life::EarlierLife,
    known::needles,
    original::Fate,
    unread::UnreadFile,
    untold::LostFile,
    writer::{Contents, Writer},
};
use crate::model::{
    evidence::unreadable::{Hidden, out_of_reach},
    observation::{File, Read, Seq, sub_path::Folder},
    timeline::{
        Timeline,
        lives::{PodLife, Recorded},
    },
    verdict::{Standing, Unreadable},
};

/// What one pod's claims held, by claim and path.
#[derive(Clone, Debug)]
pub struct PodFiles<'t> {
    /// Whose.
    pub pod: &'t PodLife,
    /// The files with text, newest reading of each; folders that hold nothing stand among them as
    /// empty texts.
    pub texts: Vec<Text<'t>>,
    /// The files whose text could not be seen: binary, unreadable or left out.
    pub unread: Vec<UnreadFile<'t>>,
    /// How many files were not looked at.
    pub left_out: u64,
    /// All files were searched for what names pods.
    pub searched: bool,
    /// The readings, all of them successful.
    pub reads: Vec<Seq>,
}

/// One file's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'t> {
    /// On which claim.
    pub claim: &'t str,
    /// Where below the mount; a folder's ends with a slash.
    pub path: &'t str,
    /// What it says.
    pub content: &'t str,
    /// It goes on.
    pub cut: bool,
    /// When it was last written, in seconds since the epoch by the node's clock, where the image
    /// can tell.
    pub mtime: Option<i64>,
    /// What names pods and was found in the whole of it.
    pub holds: &'t [String],
    /// The folder of the volume that it lies in.
    pub folder: Folder,
}

impl Timeline {
    /// The readings of one pod's claims that told something, oldest first.
    fn readings<'t>(
        &'t self,
        uid: &str,
    ) -> impl DoubleEndedIterator<Item = &'t Recorded<Read>> + use<'t> {
        self.reads.of(uid).filter(|it| it.what.error.is_none())
    }

    /// Whether something was read of a pod's claims.
    pub(crate) fn was_read(&self, pod: &PodLife) -> bool {
        self.readings(pod.uid()).next().is_some()
    }

    /// Whether a pod had to go before anybody could read its files: of these it shows nothing. A
    /// reading that was under way when the deletion was requested, and failed by that, is none. One
    /// that fails in the same way in a pod that stays is one that was tried.
    pub(crate) fn had_to_go_unread(&self, pod: &PodLife) -> bool {
        let Some(requested) = pod.deletion_requested else { return false };
        let mut reads = self.reads.of(pod.uid());
        let failed_for_now = |read: &Recorded<Read>| {
            let error = read.what.error.as_deref();
            error.is_some_and(|it| Unreadable::recorded(it).is_none())
        };
        let Some(last) = reads.next_back() else { return true };
        last.seq > requested.by && failed_for_now(last) && reads.all(failed_for_now)
    }

    /// Why a pod's files could not be read, when that was tried and none could.
    #[must_use]
    pub fn unread(&self, uid: &str) -> Option<(Seq, &str)> {
        if self.readings(uid).next().is_some() {
            return None;
        }
        self.reads.of(uid).next_back().and_then(|it| Some((it.seq, it.what.error.as_deref()?)))
    }

    /// How a criterion stands about the files of a pod of which nothing is known, and the line that
    /// shows it: why its own, or those of every pod that was tried, could not be read. `when`:
    /// which files, where the pod is looked at twice, such as ` before`.
    pub(crate) fn standing_of_unread(&self, pod: &PodLife, when: &str) -> (Standing, Option<Seq>) {
        let told = |why: &str| format!("{}'s files could not be read{when}: {why}", pod.name());
        let recorded = |error: &str| Standing::unread(told(error), Unreadable::recorded(error));
        let had_to_go = self.had_to_go_unread(pod).then_some(Unreadable::HadToGo);
        if let Some((seq, error)) = self.unread(pod.uid()) {
            let reason = had_to_go.or_else(|| Unreadable::recorded(error));
            return (Standing::unread(told(error), reason), Some(seq));
        }
        let device = pod
            .spec()
            .volumes
            .iter()
            .find(|it| it.persistent_volume_claim.is_some() && pod.has_as_device(&it.name));
        if let Some(volume) = device {
            let why = format!(
                "volume {} is a raw device (volumeDevices), which holds no files",
                volume.name
            );
            return (Standing::unseen(told(&why)), None);
        }
        if let Some(out_of_reach) = out_of_reach(pod) {
            return (out_of_reach, None);
        }
        let others = || self.reads.iter().all(|it| it.what.error.is_some());
        match self.reads.iter().next_back().filter(|_| others()) {
            Some(last) => {
                (recorded(last.what.error.as_deref().unwrap_or_default()), Some(last.seq))
            }
            None => {
                let why = "it was not there for long enough, or stsgrade was not there in time";
                (Standing::unread(told(why), had_to_go), None)
            }
        }
    }

    /// What a pod's claims held by the newest reading of each mount of a claim; `None` when there
    /// was none.
    #[must_use]
    pub fn pod_files<'t>(&'t self, pod: &'t PodLife) -> Option<PodFiles<'t>> {
        let mut newest: BTreeMap<ClaimMount<'_>, &Recorded<Read>> = BTreeMap::new();
        for read in self.readings(pod.uid()) {
            newest.insert(mount_of(&read.what), read);
        }
        PodFiles::of(pod, newest.values().copied())
    }

    /// What a pod's claims held by the first reading of each mount of a claim that found anything.
    #[must_use]
    pub fn first_pod_files<'t>(&'t self, pod: &'t PodLife) -> Option<PodFiles<'t>> {
        let mut first: BTreeMap<ClaimMount<'_>, &Recorded<Read>> = BTreeMap::new();
        for read in self.readings(pod.uid()) {
            let known = first.entry(mount_of(&read.what)).or_insert(read);
            if known.what.files.iter().all(|it| it.size == 0) {
                *known = read;
            }
        }
        PodFiles::of(pod, first.values().copied())
    }

    /// For each ordinal, what the first of its pod lives of the present template held on whose
    /// claims something was found; where nothing ever was, what the first held that could be read:
    /// the originals.
    #[must_use]
    pub fn originals(&self) -> Vec<PodFiles<'_>> {
        // A pod may have had to go before it wrote anything.
        let is_read =
            |pod: &&PodLife| self.is_current(pod) && self.readings(pod.uid()).next().is_some();
        let has_written = |pod: &&PodLife| {
            let mut files = self.readings(pod.uid()).flat_map(|reading| &reading.what.files);
            is_read(pod) && files.any(|file| file.size > 0)
        };
        let first = |lane: &'_ [PodLife]| {
            lane.iter()
                .position(|pod| has_written(&pod))
                .or_else(|| lane.iter().position(|pod| is_read(&pod)))
        };
        self.lanes().filter_map(|(_, lane)| self.pod_files(&lane[first(lane)?])).collect()
    }

    /// Whether a pod's files already tell who wrote them, as far as can be said beside what other
    /// pods have shown so far. Where none has shown anything, any text of its own counts: what it
    /// tells is known only beside theirs.
    #[must_use]
    pub fn has_identity(&self, uid: &str) -> bool {
        let Some(pod) = self.pod_life(uid) else { return false };
        let Some(own) = self.pod_files(pod) else { return false };
        let is_blank = own.texts.iter().all(|it| it.content.trim().is_empty());
        let contents = Contents::with_files_of(self, own);
        contents.first_lives.len() == 1 && !is_blank || contents.writer(pod.ordinal).is_known()
    }
}

/// A claim may be mounted by several of its folders: the claim, and where.
type ClaimMount<'t> = (&'t str, &'t str);

fn mount_of(read: &Read) -> ClaimMount<'_> {
    (&read.claim, &read.mount_path)
}

impl<'t> PodFiles<'t> {
    fn of(pod: &'t PodLife, reads: impl Iterator<Item = &'t Recorded<Read>>) -> Option<Self> {
        let mut pod_files = PodFiles {
            pod,
            texts: vec![],
            unread: vec![],
            left_out: 0,
            searched: true,
            reads: vec![],
        };
        for read in reads {
            pod_files.reads.push(read.seq);
            pod_files.left_out = pod_files.left_out.saturating_add(read.what.left_out);
            pod_files.searched &= read.what.searched;
            let claim = read.what.claim.as_str();
            let folder = pod.spec().folder(&read.what.container, &read.what.mount_path);
            for file in &read.what.files {
                match text_of(claim, file) {
                    Some(text) => pod_files.texts.push(Text { folder, ..text }),
                    None => pod_files.unread.push(UnreadFile { claim, file, folder }),
                }
            }
            let empty = |path: &'t String| Text {
                claim,
                path,
                content: "",
                cut: false,
                mtime: None,
                holds: &[],
                folder,
            };
            pod_files.texts.extend(read.what.folders.iter().map(empty));
        }
        (!pod_files.reads.is_empty()).then_some(pod_files)
    }

    /// How many files a command may count on a claim: with those in folders or without, with
    /// hidden ones, the canary among them, or without, and with those that it makes itself.
    fn counts_of_entries(&self, claim: &str) -> BTreeSet<i64> {
        /// `.`, `..`, the canary, and what is made before it counts.
        const MORE_WITH_HIDDEN: i64 = 4;
        const MORE: i64 = 2;
        let texts = self.texts.iter().filter(|it| it.claim == claim).map(|it| it.path);
        let unread = self.unread.iter().filter(|it| it.claim == claim);
        let paths: Vec<&str> = texts.chain(unread.map(|it| it.file.path.as_str())).collect();
        let top = |path: &&'t str| path.split('/').next().unwrap_or_default();
        let at_top: BTreeSet<&str> = paths.iter().map(top).collect();
        let visible = at_top.iter().filter(|it| !it.starts_with('.')).count();
        let mut counts = BTreeSet::new();
        for (count, more) in
            [(visible, MORE), (at_top.len(), MORE_WITH_HIDDEN), (paths.len(), MORE)]
        {
            let count = i64::try_from(count).unwrap_or(i64::MAX / 2);
            counts.extend(count..=count + more);
        }
        counts
    }

    /// The files of which not all could be seen.
    pub(crate) fn hidden(&self) -> Hidden<'t> {
        let unread = self.unread.iter().filter(|it| !it.is_left_out());
        let without_text = unread.map(|it| it.file.path.as_str()).collect();
        // What was searched and held nothing would tell nobody, however much of it there is.
        if self.searched {
            return Hidden { without_text, ..Hidden::default() };
        }
        let cut = self.texts.iter().filter(|it| it.cut).count() as u64;
        Hidden { without_text, cut, left_out: self.left_out }
    }
}

fn text_of<'t>(claim: &'t str, file: &'t File) -> Option<Text<'t>> {
    let content = match &file.content {
        Some(content) => content.as_str(),
        None if file.size == 0 && file.without.is_none() => "",
        None => return None,
    };
    Some(Text {
        claim,
        path: &file.path,
        content,
        cut: file.cut,
        mtime: file.mtime,
        holds: &file.holds,
        folder: Folder::default(),
    })
}
