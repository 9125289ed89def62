//! How late pods write. What comes long after the container's start is not there at an early look,
//! and nobody is accused by a look that came too early.

use std::collections::BTreeSet;

use crate::model::{
    evidence::content::writer::Contents,
    observation::{File, NANOS_PER_SECOND, Read},
    timeline::{
        Timeline,
        lives::{PodLife, Recorded},
    },
};

/// So long after a file was written, whatever it tells to the minute is over, in nanoseconds.
const MINUTE_NANOS: u64 = 60 * NANOS_PER_SECOND;
/// By how many seconds a file's time may lie before the start that wrote it. Both are of one node's
/// clock, so it is less than for times that a text tells.
pub(super) const BEFORE_START_SECONDS: i64 = 1;

impl Timeline {
    /// When the minute is over that the pods' files tell, in nanoseconds since the recording began:
    /// a start before that writes the same again, and nobody can tell whether the file was kept.
    /// `None` where no file that tells its pod tells times to the minute only.
    #[must_use]
    pub fn told_minute_ends(&self) -> Option<u64> {
        let contents = Contents::of(self);
        let mut read_at = None;
        for lexed in contents.first_lives.iter().filter(|it| it.pod_files.pod.is_alive()) {
            let way = contents.telling(lexed);
            let Some(file) = lexed
                .files
                .iter()
                .find(|it| it.tells_only_the_minute() && contents.tells_so(lexed, it, way))
            else {
                continue;
            };
            let mut reads = self.readings(lexed.pod_files.pod.uid());
            let first = reads.find(|it| it.what.files.iter().any(|it| it.path == file.text.path));
            read_at = read_at.max(first.map(|it| it.at));
        }
        read_at.map(|it| it.saturating_add(MINUTE_NANOS))
    }

    /// How long after its container's start a pod wrote what was not on its claim when that was
    /// first looked at, in nanoseconds: the longest of all pods. `None` where nothing came late.
    #[must_use]
    pub fn late_writing(&self) -> Option<u64> {
        self.lanes().filter_map(|(_, lane)| self.late_writing_of(lane)).max()
    }

    fn late_writing_of(&self, lane: &[PodLife]) -> Option<u64> {
        let mut blank = BTreeSet::new();
        for pod in lane {
            for read in self.readings(pod.uid()) {
                if is_blank(&read.what) {
                    blank.insert(read.what.claim.as_str());
                } else if blank.contains(read.what.claim.as_str()) {
                    return Some(written_after(lane, pod, read));
                }
            }
        }
        None
    }

    /// How long after its container's start a pod of this ordinal was looked at, in nanoseconds: the
    /// longest of all its lives.
    #[must_use]
    pub fn latest_look(&self, ordinal: i32) -> u64 {
        let mut longest = 0;
        for pod in self.lane(ordinal) {
            let looks = self.readings(pod.uid());
            let ages = looks.map(|it| it.what.began.saturating_sub(pod.running_at.unwrap_or(0)));
            longest = ages.max().unwrap_or(0).max(longest);
        }
        longest
    }
}

fn is_blank(read: &Read) -> bool {
    read.files.iter().all(|it| it.size == 0)
}

/// How long after the start of the life that wrote it the first file was written: by the node's
/// clock, which tells whole seconds; by when it was seen where that is not known.
fn written_after(lane: &[PodLife], pod: &PodLife, read: &Recorded<Read>) -> u64 {
    let has_text = |it: &&File| it.size > 0;
    let written = read.what.files.iter().filter(has_text).filter_map(|it| it.mtime).min();
    let after = written.and_then(|written| {
        let starts = lane.iter().filter_map(PodLife::earliest_start);
        let start = starts.filter(|it| *it <= written + BEFORE_START_SECONDS).max()?;
        u64::try_from((written - start).max(0) + 1).ok()
    });
    after.map_or_else(
        || read.at.saturating_sub(pod.running_at.unwrap_or(0)),
        |seconds| seconds.saturating_mul(NANOS_PER_SECOND),
    )
}

#[cfg(test)]
mod tests {
    use crate::model::{
        Outcome::{Fail, Inconclusive, Pass},
        testing::history::History,
    };

    /// Pods that write once they have run for a while: web-0 in its second life, web-1 and web-2
    /// not while anybody looks.
    fn late() -> History {
        let mut history = History::new();
        history.writes = |_, _, _| None;
        let mut history = history.create().inspect();
        history.writes = |ordinal, _, _| (ordinal == 0).then(|| "web-0".to_owned());
        history.down(0).up(0).read(0)
    }

    /// Catches a pod that is accused by looks that came before the others had written anything.
    #[test]
    fn a_claim_that_was_looked_at_too_early_is_unseen() {
        let mut history = late();
        let read = history.lines.last_mut().unwrap();
        read.at += 3_600_000_000_000;
        let seen = history.end();
        assert!(seen.timeline().late_writing() > Some(seen.timeline().latest_look(1)));
        seen.assert("storage_content", Inconclusive, &[]);
    }

    /// Catches a claim that is never accused because some other was once empty.
    #[test]
    fn a_claim_that_stays_empty_for_longer_fails() {
        let mut history = late();
        history = history.tick().read(1).read(2);
        for line in history.lines.iter_mut().rev().take(2) {
            line.at += 7_200_000_000_000;
            if let crate::model::Fact::Read(read) = &mut line.what {
                read.began = line.at;
            }
        }
        history.end().assert("storage_content", Fail, &["nothing_written"]);
    }

    #[test]
    fn what_is_there_at_the_first_look_is_not_late() {
        let history = History::toured();
        assert_eq!(history.timeline().late_writing(), None);
        history.assert("storage_content", Pass, &[]);
    }
}
