//! The queue that all sites share: in order, and everybody's first try before anybody's second.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::batch::engine::Task;

/// An item that waits, or is worked on.
pub(super) struct Entry<I> {
    pub(super) item: I,
    site: Option<usize>,
    place: usize,
    /// How often it met trouble of its site.
    pub(super) tries: u32,
    /// How often its site stopped answering meanwhile.
    pub(super) outages: u32,
    /// Not before this.
    pub(super) not_before: Instant,
    /// When the last attempt at it began.
    pub(super) began: Instant,
}

/// What waits.
pub(super) struct Queue<I> {
    shared: VecDeque<Entry<I>>,
    /// By site: what only this one can do.
    pinned: Vec<VecDeque<Entry<I>>>,
    /// What is tried again.
    later: Vec<Entry<I>>,
}

impl<I> Queue<I> {
    pub(super) fn new(tasks: Vec<Task<I>>, sites: usize) -> Self {
        let mut queue = Self {
            shared: VecDeque::new(),
            pinned: (0..sites).map(|_| VecDeque::new()).collect(),
            later: vec![],
        };
        let now = Instant::now();
        for (place, Task { item, site }) in tasks.into_iter().enumerate() {
            let entry =
                Entry { item, site, place, tries: 0, outages: 0, not_before: now, began: now };
            queue.fresh_of(entry.site).push_back(entry);
        }
        queue
    }

    /// The next one for a site.
    pub(super) fn next_for(&mut self, site: usize, now: Instant) -> Option<Entry<I>> {
        let first =
            |queue: &VecDeque<Entry<I>>| queue.front().map_or(usize::MAX, |entry| entry.place);
        let is_shared = first(&self.shared) < first(&self.pinned[site]);
        let fresh = if is_shared { &mut self.shared } else { &mut self.pinned[site] };
        if let Some(entry) = fresh.pop_front() {
            return Some(entry);
        }
        let may = |it: &Entry<I>| it.not_before <= now && it.site.is_none_or(|only| only == site);
        let places = (0..self.later.len()).filter(|place| may(&self.later[*place]));
        let next = places.min_by_key(|place| {
            let it = &self.later[*place];
            (it.tries, it.place)
        })?;
        Some(self.later.swap_remove(next))
    }

    /// It is tried again once it is due, after all others.
    pub(super) fn later(&mut self, entry: Entry<I>) {
        self.later.push(entry);
    }

    fn fresh_of(&mut self, site: Option<usize>) -> &mut VecDeque<Entry<I>> {
        match site {
            Some(site) => &mut self.pinned[site],
            None => &mut self.shared,
        }
    }

    /// Whether a site could do anything of what waits.
    pub(super) fn has(&self, site: usize) -> bool {
        !self.shared.is_empty()
            || !self.pinned[site].is_empty()
            || self.later.iter().any(|it| it.site.is_none_or(|only| only == site))
    }

    /// All that waits.
    pub(super) fn len(&self) -> usize {
        self.shared.len() + self.pinned.iter().map(VecDeque::len).sum::<usize>() + self.later.len()
    }

    /// How much of it was tried before: what was told to stop was not.
    pub(super) fn tried_count(&self) -> usize {
        self.later.iter().filter(|it| it.tries + it.outages > 0).count()
    }

    /// When each of those to be tried again may be.
    pub(super) fn due_times(&self) -> impl Iterator<Item = Instant> {
        self.later.iter().map(|it| it.not_before)
    }
}
