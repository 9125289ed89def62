//! What a person sees on standard error while a grade works: one live line on a terminal, plain
//! lines elsewhere.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use checks::model::{Timeline, observation::Phase};

use crate::{
    cluster::{Awaiting, Journal},
    console::{
        sanitize,
        sanitize::{clip, sanitize},
        words,
    },
};

/// Between two looks at the clock.
const TICK: Duration = Duration::from_secs(1);
/// A wait that lasts longer gets a line of its own where there is no live line.
const LONG: Duration = Duration::from_secs(10);

/// Progress of one piece of work.
#[derive(Debug)]
pub struct Progress {
    live: bool,
    /// Only errors are printed.
    quiet: bool,
    /// Whether the live line stands on the screen now.
    shown: Mutex<bool>,
    told: Mutex<Shown>,
}

impl Progress {
    /// To standard error; `quiet` leaves only errors.
    #[must_use]
    pub fn to_stderr(quiet: bool) -> Self {
        Self {
            quiet,
            live: !quiet
                && io::stderr().is_terminal()
                && std::env::var_os("TERM").is_none_or(|it| it != "dumb"),
            shown: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Prints a line that stays, unless only errors are wanted.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.error(line);
        }
    }

    /// Prints a line that stays, of an error or what to do about it.
    pub fn error(&self, line: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let erase = if std::mem::take(&mut *shown) { "\r\x1b[2K" } else { "" };
        // Where standard error is gone, there is nobody to tell.
        let line = line.lines().map(sanitize::line).collect::<Vec<_>>().join("\n");
        let _ = writeln!(io::stderr().lock(), "{erase}{line}");
    }

    /// Follows a journal's steps and waits, until it is dropped.
    pub async fn follow(&self, journal: &Journal) {
        let (mut lines, mut awaiting, mut silence) =
            (journal.lines(), journal.awaiting(), journal.silence());
        let mut tick = tokio::time::interval(TICK);
        loop {
            let quiet = silence.borrow_and_update().as_ref().map(|it| it.why.clone());
            self.news(journal, quiet).iter().for_each(|line| self.say(line));
            let line = awaiting.borrow_and_update().as_ref().map(waiting);
            if self.live {
                self.show(line.as_deref());
            } else if let Some(line) = line.filter(|_| self.is_long(&awaiting.borrow())) {
                self.say(&line);
            }
            let woken = tokio::select! {
                it = lines.changed() => it,
                it = awaiting.changed() => it,
                it = silence.changed() => it,
                _ = tick.tick() => Ok(()),
            };
            if woken.is_err() {
                return;
            }
        }
    }

    /// Shows a line that is kept up to date; whether there is a terminal for it.
    pub fn status(&self, line: &str) -> bool {
        if self.live {
            self.show(Some(line));
        }
        self.live
    }

    /// Takes the live line away.
    pub fn clear(&self) {
        self.show(None);
    }

    /// Whether a wait has become a long one, which is told once.
    fn is_long(&self, it: &Option<Awaiting>) -> bool {
        let Some(it) = it.as_ref().filter(|it| it.since.elapsed() >= LONG) else { return false };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.long_wait.replace(it.since) != Some(it.since)
    }

    /// What was not told yet.
    fn news(&self, journal: &Journal, silence: Option<String>) -> Vec<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = journal.with(|timeline| told.steps(timeline));
        lines.extend(told.silence(silence));
        lines
    }

    fn show(&self, line: Option<&str>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if line.is_none() && !*shown {
            return;
        }
        *shown = line.is_some();
        let width = terminal_size::terminal_size_of(io::stderr())
            .map_or(80, |(width, _)| usize::from(width.0));
        let mut out = io::stderr().lock();
        let _ = write!(out, "\r\x1b[2K{}", clip(line.unwrap_or_default(), width.saturating_sub(2)));
        let _ = out.flush();
    }
}

/// What was said already.
#[derive(Debug, Default)]
struct Shown {
    begun: usize,
    asked: usize,
    ended: usize,
    silent: bool,
    /// When the last long wait began that was told.
    long_wait: Option<Instant>,
}

impl Shown {
    /// The lines that the newest steps are worth.
    fn steps(&mut self, timeline: &Timeline) -> Vec<String> {
        let mut out = vec![];
        let at = seconds(Duration::from_nanos(timeline.now()));
        for (place, step) in timeline.steps().iter().enumerate() {
            if place + 1 > self.begun {
                (self.begun, self.asked) = (place + 1, 0);
                if step.asked.is_empty() {
                    out.push(format!("{at:>7}  {}", words::step(step.name)));
                }
            }
            if place + 1 == self.begun {
                out.extend(step.asked.iter().skip(self.asked).map(|(_, asked)| {
                    format!("{at:>7}  {}: {}", words::step(step.name), words::asked(asked))
                }));
                self.asked = step.asked.len();
            }
            if let Some((_, phase, answer)) = step.end.as_ref().filter(|_| place + 1 > self.ended) {
                self.ended = place + 1;
                if *phase != Phase::Done {
                    let answer = answer
                        .as_deref()
                        .map(|it| format!(": {}", sanitize(it)))
                        .unwrap_or_default();
                    out.push(format!(
                        "{at:>7}  {}: {}{answer}",
                        words::step(step.name),
                        words::phase(*phase)
                    ));
                }
            }
        }
        out
    }

    fn silence(&mut self, why: Option<String>) -> Option<String> {
        let was = std::mem::replace(&mut self.silent, why.is_some());
        match (was, why) {
            (false, Some(why)) => Some(format!(
                "         the API server does not answer ({}); waiting for it",
                sanitize(&why)
            )),
            (true, None) => Some("         the API server answers again".to_owned()),
            _ => None,
        }
    }
}

/// `waiting for web-1 to be Ready, 12 s of at most 150 s`.
fn waiting(it: &Awaiting) -> String {
    let since = Instant::now().saturating_duration_since(it.since);
    format!(
        "         waiting for {}, {} s of at most {} s",
        sanitize(&it.what),
        since.as_secs(),
        it.at_most.as_secs()
    )
}

/// `2.1 s`.
fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use checks::model::{
        Observation, Timeline, What,
        observation::{Asked, Phase, Step, StepName},
    };

    use super::Shown;

    fn push(
        timeline: &mut Timeline,
        seq: u64,
        phase: Phase,
        asked: Option<Asked>,
        answer: Option<&str>,
    ) {
        let step =
            Step { name: StepName::ScaleUp, phase, asked, answer: answer.map(str::to_owned) };
        timeline.push(&Observation { seq, at: seq * 1_100_000_000, what: What::Step(step) });
    }

    #[test]
    fn each_step_is_told_once() {
        let (mut timeline, mut told) = (Timeline::default(), Shown::default());
        push(&mut timeline, 1, Phase::Begin, Some(Asked::Replicas(5)), None);
        assert_eq!(told.steps(&timeline), ["  1.1 s  scale up: 5 replicas"]);
        assert!(told.steps(&timeline).is_empty());
        push(&mut timeline, 2, Phase::TimedOut, None, Some("web-3 to be \x1b[1mReady"));
        assert_eq!(
            told.steps(&timeline),
            ["  2.2 s  scale up: out of time: web-3 to be \\u{1b}[1mReady"]
        );
        assert!(told.steps(&timeline).is_empty());
    }

    #[test]
    fn silence_is_told_when_it_begins_and_ends() {
        let mut told = Shown::default();
        assert!(told.silence(None).is_none());
        assert!(told.silence(Some("refused".to_owned())).is_some_and(|it| it.contains("refused")));
        assert!(told.silence(Some("refused".to_owned())).is_none());
        assert!(told.silence(None).is_some());
    }
}
