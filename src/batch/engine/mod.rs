//! Works off many items on several sites at once, without knowing what an item is.
//!
//! A site is a cluster. All sites share one queue. How many items a site works on at once is found
//! from what it signals ([`pace`]). What is done is handed to [`Work::keep`], which has it on disk
//! when it returns. An item that met trouble of its site waits and is tried again after all others;
//! its last result stays once [`MAX_TRIES`] are used up. A site that does not answer is left out
//! and looked at again; what it was working on is tried after all others, too.

mod pace;
mod queue;
#[cfg(test)]
mod tests;

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::AssertUnwindSafe,
    pin::pin,
    time::Duration,
};

use futures::{FutureExt as _, StreamExt as _, future::Either, stream::FuturesUnordered};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

pub use crate::batch::engine::pace::SiteSignal;
use crate::batch::engine::{
    pace::Pace,
    queue::{Entry, Queue},
};

/// How often an item is tried that meets trouble of its site.
pub const MAX_TRIES: u32 = 3;
/// How often an item may be running when its site stops answering: it may be the reason.
const MAX_OUTAGES: u32 = 5;
/// How long trouble of a site gets to pass; longer after each try.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// The first and the longest pause between two looks at a site that does not answer.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// What working on one item is.
pub trait Work {
    /// What is worked on.
    type Item;
    /// What comes of it.
    type Output;

    /// Works on one item once.
    fn run(
        &self,
        site: usize,
        item: &Self::Item,
        gauge: &Gauge<'_>,
    ) -> impl Future<Output = Attempt<Self::Output>>;

    /// What comes of an attempt that ended in the middle of its work, once what it left is removed.
    fn broken_off(
        &self,
        site: usize,
        item: &Self::Item,
        why: BrokenOff,
    ) -> impl Future<Output = Attempt<Self::Output>>;

    /// Keeps a result. It counts from now on, so it is on disk when this returns.
    fn keep(&self, item: &Self::Item, output: Self::Output);

    /// Whether a site answers again.
    fn answers(&self, site: usize) -> impl Future<Output = bool>;
}

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt<R> {
    /// For good.
    Done(R),
    /// Trouble of the site kept it from being decided: it is tried again.
    Retry(R),
    /// It is not decided, and another attempt would not decide it.
    UndecidedForGood(R),
    /// The site does not answer any more.
    SiteDown(R),
    /// It was told to stop: there is no result, and it waits in the queue for the next run.
    Stopped,
}

/// Why an attempt ended in the middle of its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokenOff {
    /// It panicked, with these words.
    Panic(String),
    /// It used up its time.
    OutOfTime,
}

/// The limits of a run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most items at once, on all sites together.
    pub jobs: usize,
    /// The longest that one attempt may take.
    pub budget: Duration,
    /// How long no site may answer before the run ends with what it has.
    pub give_up: Duration,
}

/// One item to work on.
#[derive(Clone, Debug)]
pub struct Task<I> {
    /// The item.
    pub item: I,
    /// The only site that it can be worked on, where there is one.
    pub site: Option<usize>,
}

/// How far a run has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Counted.
    pub done: usize,
    /// Of these: undecided for good.
    pub undecided: usize,
    /// At work now.
    pub running: usize,
    /// Not begun, or to be tried again.
    pub waiting: usize,
    /// Of these: tried before, and to be tried again.
    pub again: usize,
    /// How many may run at once now, on all sites that answer.
    pub limit: usize,
    /// How many sites do not answer.
    pub down: usize,
    /// When the one began that is at work the longest.
    pub oldest: Option<Instant>,
}

/// Hears what one attempt sees of its site.
pub struct Gauge<'a> {
    site: &'a Site,
    news: &'a Notify,
    began: Instant,
    /// Each attempt moves the limit up once, and down once.
    has_grown: Cell<bool>,
    has_cut: Cell<bool>,
}

impl Gauge<'_> {
    /// Takes a signal into account. Only a pod that became Ready in good time says that there is
    /// room for more: that the API server answers fast, it does before anything runs.
    pub fn signal(&self, signal: SiteSignal) {
        let mut pace = self.site.pace.borrow_mut();
        let is_pressure = pace.record_signal(signal);
        if is_pressure && !self.has_cut.replace(true) {
            pace.cut(signal, self.began, Instant::now(), self.site.running());
        }
        let shows_room = !is_pressure && matches!(signal, SiteSignal::Ready(_));
        if shows_room && !self.has_grown.replace(true) {
            pace.grow(self.site.running());
            self.news.notify_one();
        }
    }
}

struct Site {
    pace: RefCell<Pace>,
    /// When each of those began that run there.
    began: RefCell<Vec<Instant>>,
    /// Since when it does not answer.
    down: Cell<Option<Instant>>,
}

impl Site {
    fn new(most: usize) -> Self {
        Self {
            pace: RefCell::new(Pace::new(most)),
            began: RefCell::default(),
            down: Cell::new(None),
        }
    }

    /// How many run there.
    fn running(&self) -> usize {
        self.began.borrow().len()
    }

    /// One that began then has ended.
    fn leave(&self, began: Instant) {
        let mut running = self.began.borrow_mut();
        if let Some(place) = running.iter().position(|it| *it == began) {
            running.swap_remove(place);
        }
    }
}

/// Works off all tasks; the number of those that got no result.
///
/// Once `stop` is ready nothing is begun any more, and what runs is finished. Dropping the future
/// stops at once.
pub async fn run<W: Work>(
    work: &W,
    tasks: Vec<Task<W::Item>>,
    sites: usize,
    limits: &Limits,
    stop: impl Future<Output = ()>,
    watch: &dyn Fn(&Status),
) -> usize {
    let sites: Vec<Site> = (0..sites).map(|_| Site::new(limits.jobs)).collect();
    let news = Notify::new();
    let mut batch =
        Batch { sites: &sites, queue: Queue::new(tasks, sites.len()), status: Status::default() };
    let mut stop = pin!(stop.fuse());
    let mut is_stopping = false;
    let (mut attempts, mut looks) = (FuturesUnordered::new(), FuturesUnordered::new());
    loop {
        let now = Instant::now();
        while let Some((site, entry)) = (!is_stopping).then(|| batch.next(limits, now)).flatten() {
            attempts.push(attempt(work, limits, &sites, site, entry, &news));
        }
        watch(batch.current_status());
        if attempts.is_empty() && (is_stopping || batch.is_over(limits, now)) {
            return batch.queue.len();
        }
        let wake = batch.wakes_at(limits, now);
        let wake = wake.map_or_else(
            || Either::Left(std::future::pending()),
            |at| Either::Right(sleep_until(at)),
        );
        tokio::select! {
            Some((site, entry, ended)) = attempts.next(), if !attempts.is_empty() => {
                if batch.record_end(work, site, entry, ended) {
                    looks.push(look(work, site, LOOK_AGAIN.0));
                }
            }
            Some((site, answers, pause)) = looks.next(), if !looks.is_empty() => {
                if answers {
                    batch.mark_up(site);
                } else {
                    looks.push(look(work, site, (pause * 2).min(LOOK_AGAIN.1)));
                }
            }
            () = news.notified() => (),
            () = &mut stop, if !is_stopping => is_stopping = true,
            () = wake => (),
        }
    }
}

/// Asks a site after a pause whether it answers.
async fn look<W: Work>(work: &W, site: usize, pause: Duration) -> (usize, bool, Duration) {
    tokio::time::sleep(pause).await;
    let answers = AssertUnwindSafe(work.answers(site)).catch_unwind().await;
    (site, answers.unwrap_or(false), pause)
}

type EndedAttempt<W> = (usize, Entry<<W as Work>::Item>, Attempt<<W as Work>::Output>);

/// One attempt: within its budget, and a panic is its own only.
async fn attempt<W: Work>(
    work: &W,
    limits: &Limits,
    sites: &[Site],
    site: usize,
    entry: Entry<W::Item>,
    news: &Notify,
) -> EndedAttempt<W> {
    let gauge = Gauge {
        site: &sites[site],
        news,
        began: Instant::now(),
        has_grown: Cell::new(false),
        has_cut: Cell::new(false),
    };
    let running = AssertUnwindSafe(work.run(site, &entry.item, &gauge)).catch_unwind();
    let broken_off = match timeout(limits.budget, running).await {
        Ok(Ok(ended)) => return (site, entry, ended),
        Ok(Err(panic)) => BrokenOff::Panic(words(panic.as_ref())),
        Err(_) => BrokenOff::OutOfTime,
    };
    let ended = work.broken_off(site, &entry.item, broken_off).await;
    (site, entry, ended)
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|it| (*it).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// What the loop knows.
struct Batch<'a, I> {
    sites: &'a [Site],
    queue: Queue<I>,
    status: Status,
}

impl<I> Batch<'_, I> {
    /// The next item, for the site that has the most room for its size.
    fn next(&mut self, limits: &Limits, now: Instant) -> Option<(usize, Entry<I>)> {
        let running: usize = self.sites.iter().map(|it| it.running()).sum();
        if running >= limits.jobs {
            return None;
        }
        let load = |site: &Site| site.running() as f64 / site.pace.borrow().limit() as f64;
        let mut open: Vec<usize> = (0..self.sites.len()).collect();
        open.retain(|it| self.sites[*it].down.get().is_none() && load(&self.sites[*it]) < 1.0);
        open.sort_by(|one, other| load(&self.sites[*one]).total_cmp(&load(&self.sites[*other])));
        for site in open {
            if let Some(mut entry) = self.queue.next_for(site, now) {
                entry.began = now;
                self.sites[site].began.borrow_mut().push(entry.began);
                return Some((site, entry));
            }
        }
        None
    }

    /// Takes note of how an attempt ended; whether its site has just stopped answering.
    fn record_end<W: Work<Item = I>>(
        &mut self,
        work: &W,
        site: usize,
        mut entry: Entry<I>,
        ended: Attempt<W::Output>,
    ) -> bool {
        let now = Instant::now();
        self.sites[site].leave(entry.began);
        match ended {
            Attempt::Done(result) => {
                self.status.done += 1;
                work.keep(&entry.item, result);
            }
            Attempt::Retry(result) => {
                entry.tries += 1;
                if entry.tries < MAX_TRIES {
                    entry.not_before = now + RETRY_AFTER * entry.tries;
                    self.queue.later(entry);
                } else {
                    self.keep_undecided(work, &entry, result);
                }
            }
            Attempt::UndecidedForGood(result) => self.keep_undecided(work, &entry, result),
            Attempt::Stopped => self.queue.later(entry),
            Attempt::SiteDown(result) => {
                entry.outages += 1;
                if entry.outages < MAX_OUTAGES {
                    // At once, but after all others: it may be the reason.
                    self.queue.later(entry);
                } else {
                    self.keep_undecided(work, &entry, result);
                }
                let was_up = self.sites[site].down.get().is_none();
                if was_up {
                    self.sites[site].down.set(Some(now));
                }
                return was_up;
            }
        }
        false
    }

    fn keep_undecided<W: Work<Item = I>>(&mut self, work: &W, entry: &Entry<I>, result: W::Output) {
        self.status.done += 1;
        self.status.undecided += 1;
        work.keep(&entry.item, result);
    }

    /// A site answers again. What it can take is found anew.
    fn mark_up(&self, site: usize) {
        self.sites[site].down.set(None);
        self.sites[site].pace.borrow_mut().restart();
    }

    /// Whether nothing is left that could still be worked on.
    fn is_over(&self, limits: &Limits, now: Instant) -> bool {
        let mut usable = (0..self.sites.len()).filter(|site| self.queue.has(*site));
        !usable.any(|site| match self.sites[site].down.get() {
            Some(since) => now.duration_since(since) < limits.give_up,
            None => true,
        })
    }

    /// When there is something to do though nothing ends before. `now` is when [`Self::next`] was
    /// asked: what was not due then, and is meanwhile, would be waited for in vain otherwise.
    fn wakes_at(&self, limits: &Limits, now: Instant) -> Option<Instant> {
        let down = self.sites.iter().filter_map(|it| it.down.get()).map(|it| it + limits.give_up);
        down.chain(self.queue.due_times()).filter(|at| *at > now).min()
    }

    fn current_status(&mut self) -> &Status {
        let up = || self.sites.iter().filter(|it| it.down.get().is_none());
        self.status.running = self.sites.iter().map(|it| it.running()).sum();
        self.status.waiting = self.queue.len();
        self.status.again = self.queue.tried_count();
        self.status.limit = up().map(|it| it.pace.borrow().limit()).sum();
        self.status.down = self.sites.len() - up().count();
        let oldest = self.sites.iter().filter_map(|it| it.began.borrow().iter().min().copied());
        self.status.oldest = oldest.min();
        &self.status
    }
}
