//! What a person sees on standard error while a grade works: on a terminal the lanes of the pods as
//! they grow and what is awaited, plain lines elsewhere.

use std::{
    io::{self, IsTerminal},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use checks::model::{Timeline, observation::Phase};

use crate::{
    cluster::{Awaiting, Culprit, Journal, WatchOutage},
    console::{
        live_lines::LiveLines,
        sanitize,
        sanitize::{MAX_SHOWN_CHARS, clip, sanitize},
        stderr,
        terminal::{Colour, TermStyle, WIDTH},
        words,
    },
    report::{drawing::Drawing, text_lanes},
};

/// Between two looks at what there is to show.
const TICK: Duration = Duration::from_millis(200);
/// A wait that lasts longer gets a line of its own where there are no live lines.
const LONG_WAIT: Duration = Duration::from_secs(10);
/// The line is repeated each time that the wait has lasted so much longer.
const REPEAT_AFTER: Duration = Duration::from_secs(30);

/// Progress of one piece of work.
#[derive(Debug)]
pub struct Progress {
    /// The lines that are kept up to date, where there is a terminal for them.
    live: Option<Mutex<LiveLines>>,
    /// Only errors are printed.
    quiet: bool,
    colour: Colour,
    told: Mutex<Shown>,
}

impl Progress {
    /// To standard error; `quiet` leaves only errors.
    #[must_use]
    pub fn to_stderr(quiet: bool, colour: Colour) -> Self {
        let is_terminal =
            io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|it| it != "dumb");
        let live = (!quiet && is_terminal).then(Mutex::default);
        Self { live, quiet, colour, told: Mutex::default() }
    }

    /// Prints a line that stays, unless only errors are wanted.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.error(line);
        }
    }

    /// Prints a line that stays, of an error or what to do about it.
    pub fn error(&self, line: &str) {
        let line = line.lines().map(sanitize::line).collect::<Vec<_>>().join("\n");
        if !self.write_live(|live| live.print_above(&line)) {
            stderr::write(&format!("{line}\n"));
        }
    }

    /// Follows a journal's steps and waits, until it is dropped.
    pub async fn follow(&self, journal: &Journal) {
        let (mut lines, mut awaiting, mut outage) =
            (journal.lines(), journal.awaiting(), journal.outage());
        let mut tick = tokio::time::interval(TICK);
        loop {
            let now = outage.borrow_and_update().clone();
            self.news(journal, now).iter().for_each(|line| self.say(line));
            let awaited = awaiting.borrow_and_update().clone();
            if let (None, Some(awaited)) = (&self.live, &awaited)
                && self.is_due(awaited)
            {
                self.say(&format!("{INDENT}{}", waiting(awaited, usize::MAX)));
            }
            let woken = tokio::select! {
                it = lines.changed() => it,
                it = awaiting.changed() => it,
                it = outage.changed() => it,
                _ = tick.tick() => {
                    self.show_lanes(journal, awaited.as_ref());
                    Ok(())
                }
            };
            if woken.is_err() {
                return;
            }
        }
    }

    /// Shows a line that is kept up to date; whether there is a terminal for it.
    pub fn status(&self, line: &str) -> bool {
        self.live.is_some() && (stderr::is_behind() || self.show(&clip(line, size().0)))
    }

    /// Takes the live lines away.
    pub fn clear(&self) {
        self.write_live(LiveLines::clear);
    }

    /// Shows the pods' lanes and what is awaited.
    fn show_lanes(&self, journal: &Journal, awaited: Option<&Awaiting>) {
        if self.live.is_none() || stderr::is_behind() {
            return;
        }
        let (width, rows) = size();
        let style = TermStyle::of_stderr(self.colour, width);
        let drawing = journal.with(Drawing::so_far);
        // A row for what is awaited, and one for a line above.
        let mut lines = text_lanes::growing(&drawing, style, rows.saturating_sub(2));
        lines.extend(awaited.map(|it| waiting(it, width)));
        self.show(&lines.join("\n"));
    }

    /// Shows lines that are kept up to date; false where there is no terminal for them.
    fn show(&self, lines: &str) -> bool {
        self.write_live(|live| live.show(lines))
    }

    /// Writes what changes the live lines; false where there are none.
    fn write_live(&self, change: impl FnOnce(&mut LiveLines) -> String) -> bool {
        let Some(live) = &self.live else { return false };
        let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
        stderr::write(&change(&mut live));
        true
    }

    /// Whether a line is due about a wait.
    fn is_due(&self, it: &Awaiting) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.is_due(it.since, Instant::now())
    }

    /// What was not told yet.
    fn news(&self, journal: &Journal, outage: Option<WatchOutage>) -> Vec<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = journal.with(|timeline| told.steps(timeline));
        lines.extend(told.outage(outage));
        lines
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The columns that a line may have, and the rows of the terminal.
fn size() -> (usize, usize) {
    let (columns, rows) = terminal_size::terminal_size_of(io::stderr())
        .map_or((WIDTH, ROWS), |(columns, rows)| (usize::from(columns.0), usize::from(rows.0)));
    // Some terminals break a line that ends in the last column.
    (columns.saturating_sub(1), rows)
}

/// The rows of a terminal that does not tell its size.
const ROWS: usize = 24;

/// Stands before lines that have no time.
const INDENT: &str = "         ";

/// What was said already.
#[derive(Debug, Default)]
struct Shown {
    begun: usize,
    requested: usize,
    ended: usize,
    is_out: bool,
    /// When the last long wait began that was told, and when it was told last.
    long_wait: Option<(Instant, Instant)>,
}

impl Shown {
    /// The lines that the newest steps are worth.
    fn steps(&mut self, timeline: &Timeline) -> Vec<String> {
        let mut out = vec![];
        let at = seconds(Duration::from_nanos(timeline.now()));
        for (place, step) in timeline.steps().iter().enumerate() {
            if place + 1 > self.begun {
                (self.begun, self.requested) = (place + 1, 0);
                if step.requested.is_empty() {
                    out.push(format!("{at:>7}  {}", words::step(step.name)));
                }
            }
            if place + 1 == self.begun {
                out.extend(step.requested.iter().skip(self.requested).map(|(_, change)| {
                    format!("{at:>7}  {}: {}", words::step(step.name), words::requested(change))
                }));
                self.requested = step.requested.len();
            }
            if let Some(end) = step.end.as_ref().filter(|_| place + 1 > self.ended) {
                self.ended = place + 1;
                if end.what.phase != Phase::Done {
                    let (name, how) = (words::step(step.name), words::step_end(&end.what));
                    out.push(format!("{at:>7}  {name}: {how}"));
                }
            }
        }
        out
    }

    /// Whether a line is due about a wait that began then.
    fn is_due(&mut self, began: Instant, now: Instant) -> bool {
        let due_at = match self.long_wait {
            Some((known, told)) if known == began => told + REPEAT_AFTER,
            _ => began + LONG_WAIT,
        };
        let is_due = now >= due_at;
        if is_due {
            self.long_wait = Some((began, now));
        }
        is_due
    }

    fn outage(&mut self, now: Option<WatchOutage>) -> Option<String> {
        let was = std::mem::replace(&mut self.is_out, now.is_some());
        match (was, now) {
            (false, Some(outage)) => {
                let why = sanitize(&outage.why);
                Some(match outage.culprit {
                    Culprit::Server => {
                        format!("{INDENT}the API server does not answer ({why}); waiting for it")
                    }
                    Culprit::CredentialPlugin => {
                        format!("{INDENT}there is no valid credential ({why}); trying again")
                    }
                })
            }
            (true, None) => Some(format!("{INDENT}the API server answers again")),
            _ => None,
        }
    }
}

/// `waiting for web-1 to be Ready, 12 s of at most 150 s`, with the times whole in each width.
fn waiting(it: &Awaiting, width: usize) -> String {
    let since = Instant::now().saturating_duration_since(it.since).as_secs();
    let (begin, end) =
        ("waiting for ", format!(", {since} s of at most {} s", it.at_most.as_secs()));
    // One column for the ellipsis.
    let room = width.saturating_sub(begin.len() + end.len() + 1).min(MAX_SHOWN_CHARS);
    format!("{begin}{}{end}", clip(&it.what, room))
}

/// `2.1 s`.
fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use checks::model::{
        Fact, Observation, Timeline,
        observation::{Phase, RequestedChange, Step, StepName},
    };

    use std::time::{Duration, Instant};

    use super::{Culprit, Shown, WatchOutage};

    fn push(
        timeline: &mut Timeline,
        seq: u64,
        phase: Phase,
        requested: Option<RequestedChange>,
        answer: Option<&str>,
    ) {
        let answer = answer.map(str::to_owned);
        let step = Step { requested, answer, ..Step::new(StepName::ScaleUp, phase) };
        timeline.push(&Observation { seq, at: seq * 1_100_000_000, what: Fact::Step(step) });
    }

    /// Catches minutes of silence, and a line for each look.
    #[test]
    fn a_long_wait_is_told_from_time_to_time() {
        let mut told = Shown::default();
        let began = Instant::now();
        let mut at = |seconds| told.is_due(began, began + Duration::from_secs(seconds));
        let due: Vec<u64> = (0..100).filter(|it| at(*it)).collect();
        assert_eq!(due, [10, 40, 70]);
        let next = began + Duration::from_secs(100);
        assert!(!told.is_due(next, next + Duration::from_secs(9)));
        assert!(told.is_due(next, next + Duration::from_secs(10)));
    }

    #[test]
    fn each_step_is_told_once() {
        let (mut timeline, mut told) = (Timeline::default(), Shown::default());
        push(&mut timeline, 1, Phase::Begin, Some(RequestedChange::Replicas(5)), None);
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
    fn an_outage_is_told_when_it_begins_and_ends() {
        let outage = |culprit| {
            let why = "refused".to_owned();
            Some(WatchOutage { since: Instant::now(), why, culprit })
        };
        let mut told = Shown::default();
        assert!(told.outage(None).is_none());
        assert_eq!(
            told.outage(outage(Culprit::Server)).unwrap().trim(),
            "the API server does not answer (refused); waiting for it"
        );
        assert!(told.outage(outage(Culprit::Server)).is_none());
        assert!(told.outage(None).is_some());
        // Catches an API server that is blamed for what gives the credentials.
        assert_eq!(
            told.outage(outage(Culprit::CredentialPlugin)).unwrap().trim(),
            "there is no valid credential (refused); trying again"
        );
    }
}
