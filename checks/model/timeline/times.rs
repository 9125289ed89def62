//! Times, in nanoseconds since the recording began: what happened is as old as its line. And the
//! stamps of a node's clock.

use crate::model::{
    observation::{NANOS_PER_SECOND, Seq, object::Pod, when::When},
    stamp,
    timeline::Timeline,
};

impl Timeline {
    /// When a line was written.
    #[must_use]
    pub fn time_of(&self, seq: Seq) -> Option<u64> {
        let place = self.times.binary_search_by_key(&seq, |(seq, _)| *seq).ok()?;
        Some(self.times[place].1)
    }

    /// The first line that was written at a time or later.
    pub(crate) fn line_at(&self, time: u64) -> Option<Seq> {
        let place = self.times.partition_point(|(_, written)| *written < time);
        self.times.get(place).map(|(seq, _)| *seq)
    }

    /// When it was known that something had happened.
    #[must_use]
    pub fn known_at(&self, when: When) -> u64 {
        self.time_of(when.by).unwrap_or(0)
    }

    /// For how many seconds it has been known that something had happened.
    pub(crate) fn seconds_since(&self, when: When) -> u64 {
        self.now.saturating_sub(self.known_at(when)) / NANOS_PER_SECOND
    }

    /// The latest time that is known: that of a line, or one until which no line came.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.now
    }
}

/// The latest stamp of a pod's containers, in seconds since the epoch.
pub(crate) fn latest_stamp(pod: &Pod) -> Option<i64> {
    let stamps = pod.status.all_containers().flat_map(|status| {
        let running = status.state.running.as_ref();
        let ended = [&status.state.terminated, &status.last_state.terminated];
        let finished_at = ended.into_iter().flatten().filter_map(|it| it.finished_at.as_deref());
        finished_at.chain(running.and_then(|it| it.started_at.as_deref()))
    });
    stamps.filter_map(stamp::epoch).max()
}

#[cfg(test)]
mod tests {
    use crate::model::{
        observation::{Fact, Observation},
        timeline::Timeline,
    };

    /// Catches a recording that ends at its begin, and whose whole history lies behind its end.
    #[test]
    fn no_line_is_older_than_the_one_before_it() {
        let line = |(seq, at)| Observation { seq, at, what: Fact::Unknown };
        let lines: Vec<Observation> = [(1, 5), (2, 900), (3, 0)].into_iter().map(line).collect();
        let timeline = Timeline::of(&lines);
        assert_eq!((timeline.now(), timeline.time_of(3)), (900, Some(900)));
        assert_eq!((timeline.line_at(6), timeline.line_at(901)), (Some(2), None));
    }
}
