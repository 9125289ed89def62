//! How many items one site works on at once: additive increase, multiplicative decrease.
//!
//! A site begins with a few. While all is well each attempt makes room for one more, so that the
//! number doubles each time that pods become Ready. From the first pressure on it grows by a
//! fraction of that, and each pressure takes a part away.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// What an attempt sees of its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteSignal {
    /// A pod became Ready, so long after it was made.
    Ready(Duration),
    /// A pod found no node with room for it.
    Unschedulable,
    /// The API server had too much to do (429).
    TooManyRequests,
    /// The API server answered after this time.
    Latency(Duration),
}

impl SiteSignal {
    /// What is left of the number after a pressure. A pod without a node only waits; what slows the
    /// API server slows everybody.
    const fn share_left(self) -> f64 {
        match self {
            Self::Unschedulable => 0.95,
            Self::Ready(_) => 0.85,
            Self::TooManyRequests | Self::Latency(_) => 0.7,
        }
    }
}

/// With how many a site begins.
const INITIAL_LIMIT: f64 = 8.0;
/// What is left after the pressure that ends the first growth, which may have doubled the number.
const AFTER_GROWTH: f64 = 0.85;
/// By how much the number grows in the time in which all that runs becomes Ready once.
const GROWTH_PER_ROUND: f64 = 4.0;
/// A site is slow when the usual time to Ready is this many times its best.
const SLOW_FACTOR: u32 = 3;
/// A difference that may be chance on a site that is fast.
const JITTER: Duration = Duration::from_secs(2);
/// An API server that takes longer for one answer has too much to do.
const SLOW_ANSWER: Duration = Duration::from_secs(1);
/// The usual time is the median of so many.
const MEDIAN_SAMPLES: usize = 9;

/// How many may run on one site.
#[derive(Debug)]
pub(super) struct Pace {
    limit: f64,
    most: f64,
    is_first_growth: bool,
    last_cut: Option<Instant>,
    ready: VecDeque<Duration>,
    /// The shortest usual time.
    best: Option<Duration>,
}

impl Pace {
    pub(super) fn new(most: usize) -> Self {
        let most = (most as f64).max(1.0);
        Self {
            limit: INITIAL_LIMIT.min(most),
            most,
            is_first_growth: true,
            last_cut: None,
            ready: VecDeque::new(),
            best: None,
        }
    }

    /// Begins anew, and keeps only the best time.
    pub(super) fn restart(&mut self) {
        let best = self.best;
        *self = Self { best, ..Self::new(self.most as usize) };
    }

    /// How many may run.
    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Takes note of a signal; whether the site has as much to do as it can, or more.
    pub(super) fn record_signal(&mut self, signal: SiteSignal) -> bool {
        match signal {
            SiteSignal::Ready(time) => self.record_ready_time(time),
            SiteSignal::Unschedulable | SiteSignal::TooManyRequests => true,
            SiteSignal::Latency(time) => time > SLOW_ANSWER,
        }
    }

    /// Takes note of how long a pod took to get Ready; whether the site is slow.
    fn record_ready_time(&mut self, time: Duration) -> bool {
        self.ready.push_back(time);
        if self.ready.len() > MEDIAN_SAMPLES {
            self.ready.pop_front();
        }
        // A single slow submission says nothing of the site.
        let mut sorted: Vec<Duration> = self.ready.iter().copied().collect();
        sorted.sort();
        let usual = sorted[sorted.len() / 2];
        let best = self.best.map_or(usual, |best| best.min(usual));
        if self.ready.len() >= MEDIAN_SAMPLES.div_ceil(2) {
            self.best = Some(best);
        }
        usual > best * SLOW_FACTOR && usual > best + JITTER
    }

    /// More may run, if all that may do.
    pub(super) fn grow(&mut self, running: usize) {
        // A limit that is not used says nothing.
        if (running as f64) < self.limit / 2.0 {
            return;
        }
        let step = if self.is_first_growth { 1.0 } else { GROWTH_PER_ROUND / self.limit };
        self.limit = (self.limit + step).min(self.most);
    }

    /// Fewer may run. An attempt that began before the last cut says nothing new.
    pub(super) fn cut(&mut self, signal: SiteSignal, began: Instant, now: Instant, running: usize) {
        if self.last_cut.is_some_and(|last| began < last) {
            return;
        }
        let kept = if self.is_first_growth { AFTER_GROWTH } else { signal.share_left() };
        self.limit = (self.limit.min(running as f64) * kept).max(1.0);
        self.is_first_growth = false;
        self.last_cut = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Pace, SiteSignal};

    fn ready(pace: &mut Pace, seconds: u64) -> bool {
        pace.record_signal(SiteSignal::Ready(Duration::from_secs(seconds)))
    }

    /// Catches one slow submission that slows the whole class, and a slow site that nobody notices.
    #[test]
    fn a_site_is_slow_when_most_are() {
        let mut pace = Pace::new(100);
        for seconds in [2, 2, 60, 2, 3, 2, 50, 2, 2] {
            assert!(!ready(&mut pace, seconds));
        }
        let slow = (0..9).filter(|_| ready(&mut pace, 12)).count();
        assert!((3..=6).contains(&slow), "{slow}");
    }

    /// Catches a site that is never asked for more, and one that is cut by each of many at once.
    #[test]
    fn it_grows_fast_until_the_first_pressure_and_is_cut_once_for_one_round() {
        let mut pace = Pace::new(1000);
        for _ in 0..56 {
            pace.grow(pace.limit());
        }
        assert_eq!(pace.limit(), 64);
        let (began, cut) = (Instant::now(), Instant::now() + Duration::from_secs(9));
        for _ in 0..64 {
            pace.cut(SiteSignal::Unschedulable, began, cut, 64);
        }
        assert_eq!(pace.limit(), 54);
        pace.cut(SiteSignal::Ready(Duration::ZERO), cut, cut, 44);
        assert_eq!(pace.limit(), 37);
        for _ in 0..37 {
            pace.grow(37);
        }
        assert_eq!(pace.limit(), 41);
        pace.grow(1);
        assert_eq!(pace.limit(), 41);
    }
}
