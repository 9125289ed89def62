//! What a person sees of a batch while it runs.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use crate::{
    batch::engine::Status,
    console::{count::counted, progress::Progress},
};

/// Between two looks at the clock.
const TICK: Duration = Duration::from_secs(1);
/// Between two lines where the terminal cannot rewrite one.
const LINE_PAUSE: Duration = Duration::from_secs(30);
/// How many characters the bar has.
const BAR_CHARS: usize = 20;

/// The state of the run, shown on a line.
pub(super) struct ProgressLine<'a> {
    progress: &'a Progress,
    began: Instant,
    /// Counted before this run began.
    before: usize,
    status: RefCell<Status>,
    /// When a line was printed last.
    printed_at: Cell<Instant>,
}

impl<'a> ProgressLine<'a> {
    pub(super) fn new(progress: &'a Progress, before: usize) -> Self {
        let now = Instant::now();
        Self {
            progress,
            began: now,
            before,
            status: RefCell::default(),
            printed_at: Cell::new(now),
        }
    }

    /// Takes the state over.
    pub(super) fn update(&self, status: &Status) {
        self.status.replace(status.clone());
        self.progress.status(&self.line());
    }

    /// Keeps the line up to date until it is dropped.
    pub(super) async fn tick(&self) -> std::convert::Infallible {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tick.tick().await;
            if !self.progress.status(&self.line()) && self.printed_at.get().elapsed() >= LINE_PAUSE
            {
                self.printed_at.set(Instant::now());
                self.progress.say(&self.line());
            }
        }
    }

    fn line(&self) -> String {
        let status = self.status.borrow();
        let longest = status.oldest.map(|it| it.elapsed()).unwrap_or_default();
        line(&status, self.before, self.began.elapsed(), longest)
    }
}

/// `[#####---------------] 15/60  12 running (12 may run at once), 33 waiting  4.1/min,
/// about 11 min left`. `longest`: how long the one is at work that began first.
fn line(status: &Status, before: usize, elapsed: Duration, longest: Duration) -> String {
    let done = before + status.done;
    let all = done + status.running + status.waiting;
    let filled = (BAR_CHARS * done).checked_div(all).unwrap_or(BAR_CHARS);
    let bar = "#".repeat(filled) + &"-".repeat(BAR_CHARS - filled);
    let mut line = format!("[{bar}] {done}/{all}  {} running", status.running);
    if status.waiting > 0 {
        let (limit, waiting) = (status.limit, status.waiting);
        line.push_str(&format!(" ({limit} may run at once), {waiting} waiting"));
    }
    for (count, one, several) in [
        (status.again, "to be tried again", "to be tried again"),
        (status.undecided, "undecided", "undecided"),
        (status.down, "cluster does not answer", "clusters do not answer"),
    ] {
        if count > 0 {
            line.push_str(&format!(", {}", counted(count, one, several)));
        }
    }
    let minutes = elapsed.as_secs_f64() / 60.0;
    if status.waiting == 0 && status.running > 0 {
        // The rate of many tells nothing of the last ones, which may be the slow ones.
        line.push_str(&format!("  the last ones, the longest for {}", in_words(longest)));
    } else if status.done > 0 && minutes > 0.0 {
        let rate = status.done as f64 / minutes;
        let left = ((status.running + status.waiting) as f64 / rate).ceil();
        line.push_str(&format!("  {rate:.1}/min, about {left} min left"));
    }
    line
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::line;
    use crate::batch::engine::Status;

    /// Catches a rate that counts what was done before, and a division by nothing.
    #[test]
    fn the_line_says_how_far_it_is() {
        let status = Status {
            done: 6,
            undecided: 1,
            running: 4,
            waiting: 20,
            limit: 5,
            ..Status::default()
        };
        assert_eq!(
            line(&status, 10, Duration::from_secs(120), Duration::from_secs(9)),
            "[########------------] 16/40  4 running (5 may run at once), 20 waiting, \
             1 undecided  \
             3.0/min, about 8 min left"
        );
        let empty = line(&Status::default(), 0, Duration::ZERO, Duration::ZERO);
        assert!(empty.contains("] 0/0  0 running"));
    }

    /// Catches `1 clusters do not answer`.
    #[test]
    fn one_cluster_is_singular() {
        let told = [1, 2].map(|down| {
            let status = Status { running: 1, down, ..Status::default() };
            line(&status, 0, Duration::ZERO, Duration::ZERO)
        });
        assert!(told[0].contains("1 running, 1 cluster does not answer"), "{told:?}");
        assert!(told[1].contains("1 running, 2 clusters do not answer"), "{told:?}");
    }

    /// Catches a time left that stands still while the last long one is graded.
    #[test]
    fn the_last_ones_are_told_by_how_long_they_run() {
        let status = Status { done: 39, running: 1, limit: 9, ..Status::default() };
        let line = line(&status, 0, Duration::from_secs(600), Duration::from_secs(185));
        assert!(line.ends_with("the last ones, the longest for 3 min"), "{line}");
    }
}
