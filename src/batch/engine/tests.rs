use std::{cell::RefCell, collections::BTreeMap, future::pending, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};

use super::{
    Attempt, Batch, BrokenOff, Gauge, Limits, MAX_TRIES, Queue, Site, SiteSignal, Status, Task,
    Work, run,
};

const SECOND: Duration = Duration::from_secs(1);
const LIMITS: Limits =
    Limits { jobs: 1000, budget: Duration::from_secs(600), give_up: Duration::from_secs(600) };

/// Sites that have room for so many at once, and what becomes of the work there.
struct Simulated {
    room: Vec<Semaphore>,
    /// A site that does not answer between these times.
    outage: Option<(usize, Instant, Instant)>,
    /// What the item meets at its n-th try.
    meets: fn(usize, u32) -> Meets,
    tries: RefCell<BTreeMap<usize, u32>>,
    kept: RefCell<Vec<(usize, &'static str)>>,
}

#[derive(PartialEq)]
enum Meets {
    Nothing,
    Trouble,
    LastingTrouble,
    Panic,
    Silence,
}

impl Simulated {
    fn new(room: &[usize]) -> Self {
        Self {
            room: room.iter().map(|it| Semaphore::new(*it)).collect(),
            outage: None,
            meets: |_, _| Meets::Nothing,
            tries: RefCell::default(),
            kept: RefCell::default(),
        }
    }

    /// How long an item takes that has room: 25 to 35 s.
    fn takes(item: usize) -> Duration {
        SECOND * u32::try_from(25 + item * 7 % 11).unwrap()
    }

    async fn grade(&self, site: usize, item: usize, gauge: &Gauge<'_>) {
        // As a grade does from the first moment on.
        gauge.signal(SiteSignal::Latency(Duration::from_millis(1)));
        let asked = Instant::now();
        let _room = match timeout(SECOND, self.room[site].acquire()).await {
            Ok(room) => room,
            Err(_) => {
                gauge.signal(SiteSignal::Unschedulable);
                self.room[site].acquire().await
            }
        };
        sleep(SECOND * 3).await;
        gauge.signal(SiteSignal::Ready(asked.elapsed()));
        sleep(Self::takes(item) - SECOND * 3).await;
    }

    /// When the outage of a site begins.
    async fn silence(&self, site: usize) {
        match self.outage {
            Some((which, from, until)) if which == site && Instant::now() < until => {
                tokio::time::sleep_until(from).await;
            }
            _ => pending().await,
        }
    }

    async fn until_the_end(&self, items: impl Iterator<Item = usize>) -> usize {
        let tasks = items.map(|item| Task { item, site: None }).collect();
        run(self, tasks, self.room.len(), &LIMITS, pending(), &|_| ()).await
    }

    /// The items in the order in which they were kept.
    fn kept_order(&self) -> Vec<usize> {
        self.kept.borrow().iter().map(|(item, _)| *item).collect()
    }

    /// Each item that was kept, once.
    fn kept_once(&self) -> Vec<usize> {
        let mut kept: Vec<usize> = self.kept.borrow().iter().map(|(item, _)| *item).collect();
        kept.sort_unstable();
        kept
    }
}

impl Work for Simulated {
    type Item = usize;
    type Output = &'static str;

    async fn run(&self, site: usize, item: &usize, gauge: &Gauge<'_>) -> Attempt<&'static str> {
        let tries = {
            let mut tries = self.tries.borrow_mut();
            let tries = tries.entry(*item).or_default();
            *tries += 1;
            *tries
        };
        let meets = (self.meets)(*item, tries);
        assert!(meets != Meets::Panic, "a mistake of our own");
        tokio::select! {
            () = self.grade(site, *item, gauge) => (),
            () = self.silence(site) => return Attempt::SiteDown("away"),
        }
        match meets {
            Meets::Trouble => Attempt::Retry("trouble"),
            Meets::LastingTrouble => Attempt::UndecidedForGood("lasting trouble"),
            Meets::Silence => pending().await,
            _ => Attempt::Done("graded"),
        }
    }

    async fn broken_off(&self, _: usize, _: &usize, why: BrokenOff) -> Attempt<&'static str> {
        match why {
            BrokenOff::Panic(words) if words == "a mistake of our own" => Attempt::Done("panic"),
            BrokenOff::Panic(_) => Attempt::Done("other panic"),
            BrokenOff::OutOfTime => Attempt::Retry("out of time"),
        }
    }

    fn keep(&self, item: &usize, output: &'static str) {
        self.kept.borrow_mut().push((*item, output));
    }

    async fn answers(&self, site: usize) -> bool {
        !self.outage.is_some_and(|(which, from, until)| {
            which == site && (from..until).contains(&Instant::now())
        })
    }
}

/// Catches a pace that leaves sites idle or is cut to nothing, a tail that one site works off
/// alone, and an item that an outage loses or doubles.
#[tokio::test(start_paused = true)]
async fn ten_thousand_are_done_as_fast_as_five_sites_allow() {
    const ITEMS: usize = 10_000;
    let room = [10, 20, 40, 80, 160];
    let work: f64 = (0..ITEMS).map(|it| Simulated::takes(it).as_secs_f64()).sum();
    let total: usize = room.iter().sum();
    // The fourth site breaks down when half of the work would be done, and never comes back.
    let half = work / 2.0 / total as f64;
    let lost = work / 2.0 / (total - room[3]) as f64;
    let began = Instant::now();
    let mut simulated = Simulated::new(&room);
    let breaks = began + Duration::from_secs_f64(half);
    simulated.outage = Some((3, breaks, breaks + SECOND * 1_000_000));
    assert_eq!(simulated.until_the_end(0..ITEMS).await, 0);
    assert_eq!(simulated.kept_once(), (0..ITEMS).collect::<Vec<_>>());
    let (took, bound) = (began.elapsed().as_secs_f64(), half + lost);
    println!("{took:.0} s, and {bound:.0} s are possible");
    assert!(took < bound * 1.1, "{took:.0} s, and {bound:.0} s are possible");
}

/// Catches a site that is left out for good.
#[tokio::test(start_paused = true)]
async fn a_site_that_answers_again_works_again() {
    let mut simulated = Simulated::new(&[20, 20]);
    let now = Instant::now();
    simulated.outage = Some((1, now + SECOND * 40, now + SECOND * 100));
    assert_eq!(simulated.until_the_end(0..800).await, 0);
    assert_eq!(simulated.kept_once(), (0..800).collect::<Vec<_>>());
    // One site alone would need 1200 s.
    assert!(now.elapsed() < SECOND * 800, "{:?}", now.elapsed());
}

/// Catches a run that waits forever, or counts what was never done.
#[tokio::test(start_paused = true)]
async fn a_run_without_any_site_ends_and_the_next_goes_on() {
    let mut simulated = Simulated::new(&[5]);
    let now = Instant::now();
    simulated.outage = Some((0, now + SECOND * 100, now + SECOND * 10_000));
    let left = simulated.until_the_end(0..100).await;
    let done = simulated.kept_once();
    assert_eq!((left, done.is_empty()), (100 - done.len(), false));
    assert!(now.elapsed() < SECOND * 800, "{:?}", now.elapsed());
    simulated.outage = None;
    assert_eq!(simulated.until_the_end((0..100).filter(|it| !done.contains(it))).await, 0);
    assert_eq!(simulated.kept_once(), (0..100).collect::<Vec<_>>());
}

/// Catches one item that stops or loses another, trouble that is tried for ever or only once, and
/// trouble that stays and is tried again.
#[tokio::test(start_paused = true)]
async fn one_that_fails_is_its_own_only() {
    let mut simulated = Simulated::new(&[10]);
    simulated.meets = |item, tries| match item {
        3 => Meets::Panic,
        5 => Meets::Silence,
        7 => Meets::Trouble,
        9 if tries == 1 => Meets::Trouble,
        13 => Meets::LastingTrouble,
        _ => Meets::Nothing,
    };
    assert_eq!(simulated.until_the_end(0..20).await, 0);
    assert_eq!(simulated.kept_once(), (0..20).collect::<Vec<_>>());
    let kept: BTreeMap<usize, &str> = simulated.kept.borrow().iter().copied().collect();
    let tries = simulated.tries.borrow();
    assert_eq!(
        [kept[&3], kept[&5], kept[&7], kept[&9], kept[&11], kept[&13]],
        ["panic", "out of time", "trouble", "graded", "graded", "lasting trouble"]
    );
    assert_eq!(
        [tries[&3], tries[&5], tries[&7], tries[&9], tries[&13]],
        [1, MAX_TRIES, MAX_TRIES, 2, 1]
    );
    // Those that met trouble came after all others.
    let order = simulated.kept_order();
    assert!(order[17..].contains(&5) && order[17..].contains(&7) && order[17..].contains(&9));
}

/// Catches a stop that breaks off what runs, or begins more.
#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_runs_and_begins_nothing() {
    let simulated = Simulated::new(&[100]);
    let tasks = (0..100).map(|item| Task { item, site: None }).collect();
    let left = run(&simulated, tasks, 1, &LIMITS, sleep(SECOND * 2), &|_| ()).await;
    assert_eq!((left, simulated.kept_once()), (92, (0..8).collect::<Vec<_>>()));
}

/// Catches an item that is done where it is not, and more at once than `--jobs`.
#[tokio::test(start_paused = true)]
async fn a_site_of_its_own_and_the_most_jobs_are_kept() {
    let simulated = Simulated::new(&[100, 100]);
    let tasks = (0..60).map(|item| Task { item, site: Some(1) }).collect();
    let limits = Limits { jobs: 6, ..LIMITS };
    let most = RefCell::new(0);
    let watch = |status: &Status| {
        let mut most = most.borrow_mut();
        *most = status.running.max(*most);
    };
    let began = Instant::now();
    assert_eq!(run(&simulated, tasks, 2, &limits, pending(), &watch).await, 0);
    assert_eq!((*most.borrow(), simulated.room[0].available_permits()), (6, 100));
    assert!(began.elapsed() > SECOND * 250, "{:?}", began.elapsed());
}

/// Catches a site that is asked for ever more though nothing there has become Ready: the API server
/// answers fast before anything runs.
#[tokio::test(start_paused = true)]
async fn only_what_becomes_ready_makes_room_for_more() {
    let mut simulated = Simulated::new(&[200]);
    simulated.meets = |_, _| Meets::Silence;
    let most = RefCell::new(0);
    let watch = |status: &Status| {
        let mut most = most.borrow_mut();
        *most = status.running.max(*most);
    };
    let tasks = (0..200).map(|item| Task { item, site: None }).collect();
    // Pods become Ready after 3 s.
    let begun = run(&simulated, tasks, 1, &LIMITS, pending(), &watch);
    assert!(timeout(SECOND * 2, begun).await.is_err());
    assert_eq!(*most.borrow(), 8);
}

/// Catches a run that never wakes, because what was to be tried again became due between the look for
/// work and the question when to wake.
#[tokio::test(start_paused = true)]
async fn what_becomes_due_meanwhile_wakes_the_run() {
    let sites = [Site::new(1)];
    let mut queue = Queue::new(vec![Task { item: 0, site: None }], 1);
    let mut entry = queue.next_for(0, Instant::now()).unwrap();
    let looked = Instant::now();
    entry.not_before = looked + SECOND;
    queue.later(entry);
    let mut batch = Batch { sites: &sites, queue, status: Status::default() };
    assert!(batch.next(&LIMITS, looked).is_none());
    tokio::time::advance(SECOND * 2).await;
    assert_eq!(batch.wakes_at(&LIMITS, looked), Some(looked + SECOND));
    assert!(batch.next(&LIMITS, Instant::now()).is_some());
}

/// Catches an item that takes one site after the other down before anybody else has had a try, and a
/// status that does not tell of it.
#[tokio::test(start_paused = true)]
async fn an_item_whose_site_went_down_comes_after_all_others() {
    let mut simulated = Simulated::new(&[1]);
    let now = Instant::now();
    simulated.outage = Some((0, now + SECOND * 10, now + SECOND * 20));
    let tasks = (0..3).map(|item| Task { item, site: None }).collect();
    let again = RefCell::new(vec![]);
    let watch = |status: &Status| again.borrow_mut().push(status.again);
    let limits = Limits { jobs: 1, ..LIMITS };
    assert_eq!(run(&simulated, tasks, 1, &limits, pending(), &watch).await, 0);
    assert_eq!(simulated.kept_order(), [1, 2, 0]);
    assert_eq!(again.borrow().iter().max(), Some(&1));
}

/// Catches a status that says of an item which was told to stop that it is tried again.
#[tokio::test(start_paused = true)]
async fn what_was_told_to_stop_was_not_tried() {
    let simulated = Simulated::new(&[1]);
    let sites = [Site::new(1)];
    let queue = Queue::new(vec![Task { item: 0, site: None }], 1);
    let mut batch = Batch { sites: &sites, queue, status: Status::default() };
    let (site, entry) = batch.next(&LIMITS, Instant::now()).unwrap();
    assert!(!batch.record_end(&simulated, site, entry, Attempt::Stopped));
    let status = batch.current_status();
    assert_eq!((status.waiting, status.again), (1, 0));
}
