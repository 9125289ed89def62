//! The age of a container: when a look at a later life counts, and how long content took to appear
//! on claims that had not been read yet.
//!
//! The watch shows a container as running up to a second late: the kubelet looks only so often, and
//! says what it saw. Better are the clocks in the container: how long its first process has run,
//! and how its files' times compare with a file that was written just now. Where they tell all that
//! is needed, a later life is looked at as soon as the kubelet is heard to have started it, long
//! enough ago. That is only a hint, as every Event is: the look counts if the container's own clock
//! confirms its age.

use std::time::Duration;

use checks::model::PodLife;

use crate::cluster::exec::{mounts::ClaimView, script_output::InspectOutput};
use crate::cluster::inspect::state::{CONTENT_TIME, PodToRead};
use crate::cluster::watch::journal::nanoseconds;

/// How far a file's time may lag behind the clock: file systems take it from the last tick.
const MAX_FILE_TIME_LAG_NANOS: i64 = 50_000_000;

/// What one look at a pod's claims told: anything, when its files were written, and how old the
/// container was.
#[derive(Debug, Default)]
pub(crate) struct ReadTiming {
    pub(crate) seen: bool,
    /// How much failed for reasons that pass.
    pub(crate) failures: u32,
    /// When files were written, in seconds since the epoch.
    pub(crate) written: Vec<i64>,
    /// The container's age when the look began; `None` where its first process is not all that the
    /// pod runs.
    pub(crate) age: Option<Duration>,
    /// How long after the container's start files were written, in nanoseconds.
    after: Vec<i64>,
    /// That is not known of all of them.
    is_rough: bool,
}

impl ReadTiming {
    /// Adds what a container told of these mounts; `started` gives when it was started, by the
    /// clock of a mount's files.
    pub(crate) fn add(
        &mut self,
        is_alone: bool,
        mounts: &[ClaimView],
        told: &InspectOutput,
        started: impl Fn(&ClaimView, Option<i64>) -> Option<i64>,
    ) {
        self.seen = true;
        self.age = told.age.filter(|_| is_alone);
        for (mount, found) in mounts.iter().zip(&told.mounts) {
            let start = started(mount, found.started).filter(|_| is_alone);
            for file in found.files.iter().filter(|it| it.size > 0) {
                self.written.extend(file.mtime);
                let time =
                    found.times.iter().find(|(path, _)| *path == file.path).map(|(_, time)| *time);
                match start.zip(time).and_then(|(start, time)| time.checked_sub(start)) {
                    Some(after) => self.after.push(after),
                    None => self.is_rough = true,
                }
            }
        }
    }

    /// How long after the container's start the last file was written that its start-up can have
    /// written; `None` where that is not known exactly.
    fn exactly(&self) -> Option<Duration> {
        let latest = self
            .after
            .iter()
            .filter(|it| **it >= -MAX_FILE_TIME_LAG_NANOS)
            .map(|it| Duration::from_nanos(u64::try_from(*it).unwrap_or(0)));
        latest.filter(|it| *it <= CONTENT_TIME).max().filter(|_| !self.is_rough)
    }
}

impl PodToRead {
    /// How long after the container's start the content was written, at most, and whether that is
    /// by its own clocks.
    ///
    /// Else by when we saw it, and by the node's clock, which tells start and writing in whole
    /// seconds.
    pub(crate) fn delay(&self, now: u64, timing: &ReadTiming) -> (Duration, bool) {
        const SECOND: Duration = Duration::from_secs(1);
        let after = |at: &i64| {
            u64::try_from(at - self.started?)
                .ok()
                .map(Duration::from_secs)
                .filter(|it| *it <= CONTENT_TIME)
        };
        let told = timing.written.iter().filter_map(after).max();
        // A first process that is older than the container is somebody else's: the pod's, or the
        // node's.
        if let Some(exactly) =
            timing.exactly().filter(|it| told.is_none_or(|told| *it <= told + SECOND))
        {
            return (exactly, true);
        }
        let took = Duration::from_nanos(now.saturating_sub(self.running_at)).min(CONTENT_TIME);
        let delay = match (self.witnessed, told) {
            (true, Some(told)) => took.min(told + SECOND),
            (true, None) => took,
            (false, told) => told.unwrap_or_default(),
        };
        (delay, false)
    }
}

/// When a later life's look counts. Moments are nanoseconds of the journal's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReadSchedule {
    /// When the container was seen to run: surely after it was started.
    pub(crate) running_at: u64,
    /// When the kubelet was heard to have started it, where that may be taken for a hint.
    pub(crate) reported_at: Option<u64>,
    /// How old it must be.
    pub(crate) age: Duration,
}

impl ReadSchedule {
    /// When to look.
    pub(crate) fn soonest(self) -> u64 {
        self.reported_at
            .map_or(self.running_at, |it| it.min(self.running_at))
            .saturating_add(nanoseconds(self.age))
    }

    /// When to look again, after a look that came too early to count; `None` when it counts.
    pub(crate) fn again(self, began: u64, now: u64, age: Option<Duration>) -> Option<u64> {
        let surely = self.running_at.saturating_add(nanoseconds(self.age));
        if began >= surely || age.is_some_and(|age| age >= self.age) {
            return None;
        }
        Some(age.map_or(surely, |age| now.saturating_add(nanoseconds(self.age - age)).min(surely)))
    }
}

/// Whether a pod runs but one container, so that its first process' age is the pod's.
pub(crate) fn is_alone(pod: &PodLife) -> bool {
    pod.spec().containers.len() == 1 && pod.spec().init_containers.is_empty()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{PodToRead, ReadSchedule, ReadTiming};

    const S: u64 = 1_000_000_000;
    const MS: i64 = 1_000_000;

    #[test]
    fn a_look_counts_by_the_watch_or_by_the_containers_own_clock() {
        let schedule = ReadSchedule {
            running_at: 10 * S,
            reported_at: Some(9 * S),
            age: Duration::from_secs(2),
        };
        assert_eq!(schedule.soonest(), 11 * S);
        assert_eq!(ReadSchedule { reported_at: None, ..schedule }.soonest(), 12 * S);
        assert_eq!(
            ReadSchedule { reported_at: Some(11 * S), ..schedule }.soonest(),
            12 * S,
            "an Event that came late"
        );
        let counts = |began, age: Option<u64>| {
            schedule.again(began, began + 1, age.map(Duration::from_secs))
        };
        assert_eq!(counts(11 * S, Some(2)), None);
        assert_eq!(counts(12 * S, None), None, "nobody tells the age");
        assert_eq!(counts(11 * S, None), Some(12 * S), "a hint is not enough");
        assert_eq!(counts(10 * S, Some(1)), Some(11 * S + 1), "it was started later than was said");
        assert_eq!(counts(11 * S, Some(0)), Some(12 * S), "never later than by the watch");
    }

    #[test]
    fn the_containers_clock_must_agree_with_the_nodes() {
        let to_read = PodToRead {
            witnessed: true,
            running_at: 10 * S,
            started: Some(100),
            ..PodToRead::default()
        };
        let delay = |after, written| {
            to_read.delay(
                14 * S,
                &ReadTiming { after: vec![after], written: vec![written], ..ReadTiming::default() },
            )
        };
        assert_eq!(delay(30 * MS, 100), (Duration::from_millis(30), true));
        assert_eq!(delay(2_900 * MS, 102), (Duration::from_millis(2_900), true));
        assert_eq!(
            delay(30 * MS, 99),
            (Duration::from_millis(30), true),
            "its start was told a moment late"
        );
        assert_eq!(
            delay(9_000 * MS, 100),
            (Duration::from_secs(1), false),
            "the first process is the pod's, which pulled an image first"
        );
    }

    #[test]
    fn a_delay_is_exact_only_if_every_file_tells_its_time() {
        let timing = |after: &[i64], is_rough| {
            ReadTiming { after: after.to_vec(), is_rough, ..ReadTiming::default() }.exactly()
        };
        assert_eq!(
            timing(&[20 * MS, 700 * MS, -3_600_000 * MS], false),
            Some(Duration::from_millis(700))
        );
        assert_eq!(timing(&[20 * MS], true), None);
        assert_eq!(timing(&[-5 * MS], false), Some(Duration::ZERO), "by the last tick");
        assert_eq!(timing(&[-3_600_000 * MS], false), None, "an earlier life wrote it");
        assert_eq!(timing(&[20_000 * MS], false), None, "no start-up takes that long");
        assert_eq!(timing(&[], false), None);
    }
}
