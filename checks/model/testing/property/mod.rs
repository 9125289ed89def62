//! Property: what a legal cluster does passes, each mutation costs exactly its own test, and a gap
//! exactly what it hides.
//!
//! A small model of the StatefulSet controller (`cluster`) does what people ask of it; what happens
//! reaches a recorder late, in streams of their own, and perhaps with a gap (`delivery`); what the
//! checks may then say is known without asking them (`oracle`).
//!
//! Every case follows from its number. `STSGRADE_CASES=1000000 cargo test -p stsgrade-checks
//! property --release` tries more of them, `STSGRADE_SEED=…` just one.

use std::fmt::Write as _;

use crate::{
    CHECKS, judge,
    model::{
        Fact, Observation, Outcome, Standing, Timeline,
        observation::{Kind, ObjectChange, object::Object},
    },
};

mod chance;
mod cluster;
mod delivery;
mod found;
mod oracle;

use crate::model::testing::property::chance::Chance;
use crate::model::testing::property::cluster::Cluster;
use crate::model::testing::property::delivery::Delivery;

/// What is done to the cluster before the tour.
#[derive(Clone, Copy, Debug)]
enum Command {
    Scale(i32),
    Delete(i32),
    Evict(i32),
    /// A container ends, and is started again.
    Crash(i32),
    /// A container ends again and again, until it is mended.
    Break(i32),
    /// A container ends, and the controller has not seen it yet.
    Late(i32),
    /// A pod's files are read, and its name is asked for.
    Peek(i32),
    Inspect,
    /// The template changes, and the controller rolls over the pods.
    Template,
    /// The Service changes in something that is none of its pods' business.
    Service,
    WaitTicks(usize),
    Settle,
}

/// What stands when the set is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Nothing,
    /// Nothing, and the first command waits until all pods are Ready.
    Settled,
    /// Pods without an owner, which the set adopts.
    Orphans(i32),
    /// The same, of an earlier template.
    OldOrphans(i32),
}

/// Where the tour goes: to nothing, two pods up and down, or down to one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tour {
    Nothing,
    Two,
    One,
}

/// What goes wrong, once or (from `NotTelling` on) from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    /// From nothing, a pod is added before the one below is Ready: costs test 2.
    EarlyFromNothing,
    /// Of two pods or more that are added later, one comes before the one below is Ready: test 7.
    Early,
    /// A pod's deletion is requested together with that of the one above: test 8.
    Overlap,
    /// A pod's deletion is requested in the place of that of the one above: test 8.
    Inverted,
    /// A claim is owned by its pod while that is scaled down, and goes with it: test 9.
    ClaimOwnedByPod,
    /// Somebody deletes the claim of a pod that is away: no test, but test 10 is undecided.
    NewClaim,
    /// What a pod wrote is written anew when the pod is replaced: test 6.
    LostAtReplacement,
    /// What a pod wrote is written anew when the pod comes back after a scale-down: test 10.
    LostAtReturn,
    /// What pods write tells none of them: test 4.
    NotTelling,
    /// The claim of web-1 is bound to the volume of another: test 3.
    SharedVolume,
    /// A canary of web-0 is found in web-1, too: test 3.
    SharedCanary,
    /// The name of web-0 gives an address that no pod has: test 5.
    WrongAnswer,
    /// The name of web-1 gives the address of its pod before: test 5.
    StaleAnswer,
    /// The Service's own name lacks an address: test 5.
    ServiceNameShort,
    /// The set asks for fewer pods than the lab does: test 1.
    TooFew,
}

const MUTATIONS: [Mutation; 15] = [
    Mutation::EarlyFromNothing,
    Mutation::Early,
    Mutation::Overlap,
    Mutation::Inverted,
    Mutation::ClaimOwnedByPod,
    Mutation::NewClaim,
    Mutation::LostAtReplacement,
    Mutation::LostAtReturn,
    Mutation::NotTelling,
    Mutation::SharedVolume,
    Mutation::SharedCanary,
    Mutation::WrongAnswer,
    Mutation::StaleAnswer,
    Mutation::ServiceNameShort,
    Mutation::TooFew,
];

/// One case.
#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    replicas: i32,
    /// What the set asks for when it is made.
    first_replicas: i32,
    /// Nobody tells what was asked for: the tour is somebody's own work.
    by_hand: bool,
    start: Start,
    commands: Vec<Command>,
    /// The command before which the recording begins.
    recorded_from: usize,
    /// The command from which on the mutation strikes at its first opportunity.
    armed_from: usize,
    tour: Tour,
    mutation: Option<Mutation>,
    gap: Option<Kind>,
    /// By how many lines a stream may be late.
    lag: usize,
    /// Each pod is read as soon as it is Ready.
    eager: bool,
}

/// What came of a case.
struct Tried {
    /// What is wrong with the verdicts, if anything, and the recording.
    fault: Option<String>,
    /// Some check had to be Fail.
    fails: bool,
    /// Some check had to be Inconclusive.
    undecided: bool,
}

impl Case {
    fn of(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mutation = (!chance.one_in(3)).then(|| chance.of(&MUTATIONS));
        let replicas = if mutation == Some(Mutation::TooFew) { 2 } else { chance.of(&[3, 3, 4]) };
        let length = chance.of(&[0, 2, 5, 9]);
        let commands: Vec<Command> = (0..length)
            .flat_map(|_| [command(&mut chance), Command::WaitTicks(chance.below(7))])
            .collect();
        let start = match chance.below(5) {
            0 => Start::Orphans(chance.ordinal_below(4)),
            4 => Start::OldOrphans(chance.ordinal_below(4)),
            1 => Start::Nothing,
            _ => Start::Settled,
        };
        let recorded_from = if chance.one_in(3) { chance.below(commands.len() + 1) } else { 0 };
        // Of somebody who works by hand, the pods that ever stood are enough.
        let by_hand = mutation != Some(Mutation::TooFew) && chance.one_in(3);
        let witnessed = start == Start::Settled && recorded_from == 0;
        Self {
            seed,
            replicas,
            first_replicas: if chance.one_in(4) { 2 } else { replicas },
            by_hand,
            start,
            recorded_from,
            armed_from: chance.below(commands.len() + 1),
            commands,
            tour: if witnessed && mutation != Some(Mutation::TooFew) {
                chance.of(&[Tour::Nothing, Tour::Two, Tour::One])
            } else {
                Tour::Nothing
            },
            mutation,
            gap: chance.of(&[
                None,
                None,
                Some(Kind::Pod),
                Some(Kind::Pod),
                Some(Kind::PersistentVolumeClaim),
                Some(Kind::StatefulSet),
            ]),
            // What a person asks for is known only from the set's own stream.
            lag: if by_hand { 0 } else { chance.of(&[0, 0, 2, 6]) },
            eager: chance.one_in(2),
        }
    }

    /// What the checks make of it.
    fn tried(&self) -> Tried {
        let cluster = Cluster::run(self);
        let delivery = Delivery::of(self, &cluster);
        let expected = oracle::expected(self, &cluster, &delivery);
        let verdicts = judge(&Timeline::of(&delivery.lines));
        let mut fault = String::new();
        for ((verdict, allowed), check) in verdicts
            .iter()
            .zip(expected)
            .zip(CHECKS)
            .filter(|((verdict, allowed), _)| !allowed.holds(verdict.outcome()))
        {
            let _ = writeln!(
                fault,
                "test {} ({}) is {}, expected {allowed:?}:",
                check.test,
                check.id,
                verdict.outcome().letter()
            );
            for it in verdict.criteria.iter().filter(|it| it.standing != Standing::Met) {
                let _ = writeln!(fault, "    {}: {:?} {:?}", it.text, it.standing, it.evidence);
            }
        }
        let surely = |outcome: Outcome| expected.iter().any(|it| it.is_just(outcome));
        let fault = (!fault.is_empty()).then(|| format!("{fault}{}", short(&delivery.lines)));
        Tried { fault, fails: surely(Outcome::Fail), undecided: surely(Outcome::Inconclusive) }
    }

    fn fault(&self) -> Option<String> {
        self.tried().fault
    }

    /// The same fault with as little around it as can be found.
    fn shrunk(mut self) -> Self {
        let first = |case: &Self| case.fault().and_then(|it| it.lines().next().map(str::to_owned));
        let told = first(&self);
        let mut smaller = true;
        while smaller {
            smaller = false;
            let mut tries: Vec<Self> =
                vec![Self { gap: None, ..self.clone() }, Self { lag: 0, ..self.clone() }];
            for place in 0..self.commands.len() {
                let mut less = self.clone();
                less.commands.remove(place);
                less.recorded_from -= usize::from(less.recorded_from > place);
                less.armed_from -= usize::from(less.armed_from > place);
                tries.push(less);
            }
            let before = (self.commands.len(), self.gap, self.lag);
            if let Some(less) = tries
                .into_iter()
                .find(|it| (it.commands.len(), it.gap, it.lag) != before && first(it) == told)
            {
                self = less;
                smaller = true;
            }
        }
        self
    }
}

fn command(chance: &mut Chance) -> Command {
    let ordinal = chance.ordinal_below(6);
    match chance.below(19) {
        0..=6 => Command::Scale(chance.ordinal_below(8)),
        7 | 8 => Command::Delete(ordinal),
        9 => Command::Evict(ordinal),
        10 => Command::Crash(ordinal),
        11 => Command::Break(ordinal),
        12 => Command::Late(ordinal),
        13 => Command::Peek(ordinal),
        14 => Command::Inspect,
        15 | 16 => Command::Template,
        17 => Command::Service,
        _ => Command::Settle,
    }
}

/// A recording as a few words a line.
fn short(lines: &[Observation]) -> String {
    let mut told = String::new();
    for line in lines {
        let _ = write!(told, "{:4} ", line.seq);
        let _ = match &line.what {
            Fact::Object(change, object) => {
                let sign = match change {
                    ObjectChange::Listed => '=',
                    ObjectChange::Added => '+',
                    ObjectChange::Modified => '~',
                    ObjectChange::Deleted => '-',
                };
                let metadata = object.metadata();
                let state = match object {
                    Object::StatefulSet(it) => {
                        format!("replicas {:?}", it.spec.as_ref().and_then(|it| it.replicas))
                    }
                    Object::Pod(it) => {
                        let ready = if it.status.conditions.is_empty() { "" } else { " ready" };
                        let going =
                            if it.metadata.deletion_timestamp.is_some() { " going" } else { "" };
                        format!(
                            "{}{}{ready}{going} {}",
                            it.status.phase,
                            it.status.reason,
                            if it.metadata.owner_references.is_empty() { "(no owner)" } else { "" }
                        )
                    }
                    Object::PersistentVolumeClaim(it)
                        if !it.metadata.owner_references.is_empty() =>
                    {
                        "owned by a pod".to_owned()
                    }
                    _ => String::new(),
                };
                writeln!(
                    told,
                    "{sign} {:?} {} {} {state}",
                    object.kind(),
                    metadata.name,
                    metadata.uid
                )
            }
            Fact::Gap(gap) => writeln!(
                told,
                "GAP {:?} after {:?}, vanished {:?}",
                gap.kind, gap.last_sure, gap.vanished
            ),
            Fact::Read(it) => writeln!(
                told,
                "read {} {}: {:?}",
                it.pod.name,
                it.pod.uid,
                it.files.first().and_then(|it| it.content.as_deref())
            ),
            Fact::Canary(it) => writeln!(
                told,
                "canary {} {} {}",
                it.pod.name,
                it.pod.uid,
                if it.wrote.is_some() { "wrote" } else { "saw" }
            ),
            Fact::Lookup(it) => writeln!(
                told,
                "lookup {} {:?}: {:?} {:?}",
                it.name,
                it.of.as_ref().map(|it| &it.uid),
                it.addresses,
                it.error
            ),
            other => writeln!(told, "{other:?}"),
        };
    }
    told
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how many cases are tried is asked of whoever runs the test"
    )]
    std::env::var(name).ok().and_then(|it| it.parse().ok())
}

/// How many cases of each mutation (the last place is for none) had to fail, and to be undecided.
type Tally = [(u32, u32); MUTATIONS.len() + 1];

/// Tries some cases; the first that goes wrong ends it.
fn try_all(seeds: impl Iterator<Item = u64>) -> Result<Tally, u64> {
    let mut tally = Tally::default();
    for seed in seeds {
        let case = Case::of(seed);
        let tried = case.tried();
        if tried.fault.is_some() {
            return Err(seed);
        }
        let (fails, undecided) = &mut tally
            [MUTATIONS.iter().position(|it| Some(*it) == case.mutation).unwrap_or(MUTATIONS.len())];
        *fails += u32::from(tried.fails);
        *undecided += u32::from(tried.undecided);
    }
    Ok(tally)
}

#[test]
fn what_is_legal_passes_and_each_mutation_costs_its_own_test() {
    if let Some(seed) = setting("STSGRADE_SEED") {
        return tell(seed);
    }
    let many: u64 = setting("STSGRADE_CASES").unwrap_or(10_000);
    let threads = std::thread::available_parallelism().map_or(1, |it| it.get() as u64).min(8);
    let tallies: Vec<Result<Tally, u64>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || try_all((first..many).step_by(threads as usize))))
            .collect();
        running.into_iter().map(|it| it.join().expect("no case panics")).collect()
    });
    if let Some(seed) = tallies.iter().filter_map(|it| it.as_ref().err()).min() {
        tell(*seed);
    }
    // A mutation that never struck, or was never seen, would prove nothing.
    let sum = |place: usize, of: fn(&(u32, u32)) -> u32| {
        tallies.iter().flatten().map(|it| of(&it[place])).sum::<u32>()
    };
    for (place, mutation) in MUTATIONS.iter().enumerate() {
        // What somebody else does to a claim costs no points, only the decision.
        let struck: fn(&(u32, u32)) -> u32 =
            if *mutation == Mutation::NewClaim { |it| it.1 } else { |it| it.0 };
        assert!(many < 1000 || sum(place, struck) > 0, "{mutation:?} never had its effect");
        assert!(
            *mutation != Mutation::NewClaim || sum(place, |it| it.0) == 0,
            "a claim that somebody deleted had to fail"
        );
    }
    assert_eq!(sum(MUTATIONS.len(), |it| it.0), 0, "a legal case had to fail");
    assert!(many < 1000 || sum(MUTATIONS.len(), |it| it.1) > 0, "no gap hid anything");
}

/// Fails with what goes wrong in a case, if anything does.
fn tell(seed: u64) {
    let case = Case::of(seed);
    if case.fault().is_some() {
        let least = case.shrunk();
        panic!(
            "seed {seed} (STSGRADE_SEED={seed} tries it alone), shrunk to\n{least:?}\n{}",
            least.fault().unwrap_or_default()
        );
    }
}
