//! What each check may say of a case, from what truly happened and what of it was told.
//!
//! It knows nothing of timelines: it asks what the model did, and whether a recorder could know it.

use crate::model::testing::property::{
    Case, Cluster, Delivery, Mutation,
    cluster::{Claimed, Life},
    delivery::TrueGap,
};
use crate::model::{
    Fact, Outcome, Seq,
    observation::{
        Kind, ObjectChange,
        object::{Object, Pod},
    },
};

/// The outcomes that a check may come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowed(u8);

const PASS: Allowed = Allowed(1);
const UNDECIDED: Allowed = Allowed(2);
const FAIL: Allowed = Allowed(4);

impl Allowed {
    pub(crate) const fn holds(self, outcome: Outcome) -> bool {
        let one = match outcome {
            Outcome::Pass => PASS,
            Outcome::Inconclusive => UNDECIDED,
            Outcome::Fail => FAIL,
        };
        self.0 & one.0 != 0
    }

    /// Whether it may come to this and nothing else.
    pub(crate) const fn is_just(self, outcome: Outcome) -> bool {
        self.holds(outcome) && self.0.count_ones() == 1
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::fmt::Debug for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letters = [(PASS, 'P'), (UNDECIDED, 'I'), (FAIL, 'F')];
        letters
            .iter()
            .filter(|(one, _)| self.0 & one.0 != 0)
            .try_for_each(|(_, letter)| write!(f, "{letter}"))
    }
}

/// What one test may come to: the gravest of what its facts come to.
#[derive(Clone, Copy, Debug, Default)]
struct TestFacts {
    /// A violation that every recorder of these lines knows of.
    broken: bool,
    /// One that a recorder may know of, or take for no violation, or not be sure of.
    perhaps_broken: bool,
    /// Something that no recorder of these lines can know.
    hidden: bool,
    /// Something that it need not know.
    perhaps_hidden: bool,
}

impl TestFacts {
    const fn allowed(self) -> Allowed {
        if self.perhaps_broken && !self.broken {
            return PASS.or(UNDECIDED).or(FAIL);
        }
        if self.broken {
            FAIL
        } else if self.hidden {
            UNDECIDED
        } else if self.perhaps_hidden {
            PASS.or(UNDECIDED)
        } else {
            PASS
        }
    }
}

/// What is to be expected of the ten checks; test 1 is first.
pub(crate) fn expected(
    case: &Case,
    cluster: &Cluster<'_>,
    delivery: &Delivery,
) -> [Allowed; crate::COUNT] {
    let mut oracle =
        Oracle { case, cluster, delivery, tests: [TestFacts::default(); crate::COUNT + 1] };
    oracle.structure();
    oracle.additions();
    oracle.removals();
    oracle.returns();
    oracle.retention();
    oracle.lost_sight();
    std::array::from_fn(|place| oracle.tests[place + 1].allowed())
}

struct Oracle<'a> {
    case: &'a Case,
    cluster: &'a Cluster<'a>,
    delivery: &'a Delivery,
    /// By the number of the test, which begins at 1.
    tests: [TestFacts; crate::COUNT + 1],
}

impl<'a> Oracle<'a> {
    /// Tests 1, 3, 4 and 5: what is wrong from the beginning stays wrong and is seen in the tour.
    fn structure(&mut self) {
        let test = match self.case.mutation {
            Some(Mutation::TooFew) => 1,
            Some(Mutation::SharedVolume | Mutation::SharedCanary) => 3,
            Some(Mutation::NotTelling) => 4,
            Some(Mutation::WrongAnswer | Mutation::StaleAnswer | Mutation::ServiceNameShort) => 5,
            _ => return,
        };
        self.tests[test].broken = true;
    }

    /// Tests 2 and 7: was the pod below each one Ready before that was added?
    fn additions(&mut self) {
        for addition in &self.cluster.additions {
            let scaling = self.cluster.scalings[addition.scaling];
            let test = match scaling.from {
                0 => 2,
                from if scaling.to - from >= 2 => 7,
                _ => continue,
            };
            let next = &self.cluster.lives[addition.next];
            if scaling.at < self.cluster.cut || next.added < self.cluster.cut {
                continue;
            }
            // A scale-up whose pods were not all seen to be Ready shows nothing by itself.
            self.unless(
                next.readies.first().is_none_or(|ready| self.was_seen(*ready)),
                test,
                false,
            );
            let below = || {
                self.cluster.lives[addition.below..]
                    .iter()
                    .filter(|it| it.ordinal == next.ordinal - 1)
            };
            let known = self.is_known(addition.next)
                && self.is_known(addition.below)
                && self.is_plain(scaling.in_tour);
            if below().flat_map(|it| &it.readies).any(|ready| *ready < next.added) {
                let seen = below()
                    .flat_map(|it| self.seen_ready(&it.uid))
                    .any(|seen| seen <= self.not_before(next.added));
                self.unless(seen, test, known && scaling.in_tour);
            } else {
                let begun = self.not_before(self.cluster.lives[addition.below].added);
                let watched = self
                    .gap(Kind::Pod)
                    .is_none_or(|gap| gap.listed <= begun || self.by(next.added) <= gap.last_sure);
                self.violated(
                    watched,
                    &[test],
                    if self.is_plain(scaling.in_tour) { &[] } else { &[2, 7] },
                );
                self.unless(watched, test, known);
            }
        }
    }

    /// Test 8: was the pod above gone before each was asked to go?
    fn removals(&mut self) {
        for removal in &self.cluster.removals {
            let scaling = self.cluster.scalings[removal.scaling];
            if scaling.at < self.cluster.cut {
                continue;
            }
            let (upper, lower) =
                (&self.cluster.lives[removal.upper], &self.cluster.lives[removal.lower]);
            let asked = lower.deletion_asked.unwrap_or_default();
            let known = self.is_known(removal.upper)
                && self.is_known(removal.lower)
                && self.is_plain(scaling.in_tour);
            if let Some(deleted) = upper.deleted.filter(|deleted| *deleted < asked) {
                let seen = self.by(deleted) <= self.not_before(asked);
                self.unless(
                    seen && self.is_plain(scaling.in_tour || self.delivery.gap.is_none()),
                    8,
                    known && scaling.in_tour,
                );
            } else {
                let watched =
                    upper.deleted.is_none_or(|deleted| self.by(asked) <= self.not_before(deleted));
                // What was asked before the change was told, or after the next one, may have been
                // somebody else's doing.
                let from = self.by(scaling.at - usize::from(scaling.in_tour && !self.case.by_hand));
                let until = self
                    .cluster
                    .scalings
                    .get(removal.scaling + 1)
                    .map_or(Seq::MAX, |it| self.by(it.at));
                let within = from <= self.not_before(asked) && self.by(asked) <= until;
                self.violated(
                    watched,
                    &[8],
                    if within && self.is_plain(scaling.in_tour || self.delivery.gap.is_none()) {
                        &[]
                    } else {
                        &[8]
                    },
                );
                self.unless(watched, 8, known && within);
            }
        }
    }

    /// Tests 6 and 10: is each pod that came back on the claim, and does it find the text, that it
    /// had before?
    fn returns(&mut self) {
        for new in 0..self.cluster.lives.len() {
            let Some(old) =
                self.cluster.earlier(new).filter(|_| !self.cluster.lives[new].readies.is_empty())
            else {
                continue;
            };
            let test = match self.cluster.brought_back(old, new) {
                Some(scaling) if self.cluster.scalings[scaling].at >= self.cluster.cut => 10,
                _ => 6,
            };
            let (before, after) = (&self.cluster.lives[old], &self.cluster.lives[new]);
            // What an earlier template did shows nothing of this one.
            if before.revision != self.cluster.revision || after.revision != self.cluster.revision {
                self.return_of_an_earlier_template(after.ordinal);
            } else if before.deleted.is_none_or(|deleted| deleted >= self.cluster.cut) {
                self.one_return(test, before, (new, after));
            }
        }
    }

    /// Where a gap or a late stream hides when a claim went, it may be taken for that of a later
    /// pod.
    fn return_of_an_earlier_template(&mut self, ordinal: i32) {
        let is_claimed = self.cluster.claimed.as_ref().is_some_and(|it| it.ordinal == ordinal);
        let is_hidden = is_claimed && (self.delivery.gap.is_some() || self.case.lag > 0);
        for test in [6, 10] {
            self.tests[test].perhaps_hidden |= is_hidden;
        }
    }

    /// A return that shows something of the present template. `new` is the place of `after`.
    fn one_return(&mut self, test: usize, before: &Life, (new, after): (usize, &Life)) {
        let stood = |life: &Life| life.read || self.seen_ready(&life.uid).next().is_some();
        let known = stood(before) && stood(after) && self.seen_ready(&after.uid).next().is_some();
        let read = before.read && after.read;
        let broken = before.claim != after.claim || read && before.text != after.text;
        let undecided = self.is_return_undecided(before, after);
        let plain = !undecided
            && self.is_plain(after.added >= self.cluster.toured)
            && (before.claim == after.claim
                || self.is_in_sight(after.ordinal, before.deleted.unwrap_or_default()));
        if let Some(claimed) = self.unseen_claimed(before, after) {
            // A later whole round of the same ordinal makes up for it, and any other episode that
            // is whole.
            let again = self.cluster.lives[new + 1..]
                .iter()
                .any(|it| it.ordinal == after.ordinal && !it.readies.is_empty());
            let made_up_for = again || self.may_be_shown_elsewhere(test, new);
            let surely = claimed.owned_by_pod.is_none() && plain && known && !made_up_for;
            for test in [6, 10] {
                self.tests[test].perhaps_hidden = true;
                self.tests[test].perhaps_broken |= claimed.owned_by_pod.is_some();
            }
            self.tests[test].hidden |= surely;
            return;
        }
        self.violated(broken, &[test], if plain && known { &[] } else { &[6, 10] });
        for test in if plain { vec![test] } else { vec![6, 10] } {
            self.unless(known && !undecided && (read || broken), test, false);
        }
    }

    /// Whether a recorder cannot know by what a pod went, or which claim it was on.
    fn is_return_undecided(&self, before: &Life, after: &Life) -> bool {
        // Its deletion was requested in a gap that is open to both sides of a change: whether by
        // that, nobody knows.
        let requested_unseen = before
            .deletion_asked
            .is_some_and(|asked| asked >= self.cluster.cut && !self.was_seen(asked));
        let in_doubt = |gap: TrueGap| {
            let mut scalings = self.cluster.scalings.iter();
            scalings.any(|it| (gap.last_sure..=gap.listed).contains(&self.by(it.at)))
        };
        // Where claims were last seen before the pod was, nobody knows which one it was on.
        let claim_unseen = before.claim != after.claim
            && self.gap(Kind::PersistentVolumeClaim).is_some_and(|gap| {
                before.added < self.cluster.cut || gap.last_sure < self.by(before.added)
            });
        let told_apart = !self.overlaps(before) || !self.overlaps(after);
        requested_unseen && self.delivery.gap.is_some_and(in_doubt) || claim_unseen || told_apart
    }

    /// The claim that somebody deleted, where that is why a pod came back to another one: it costs
    /// the decision and nothing else. So does one that nobody saw being handed to its pod.
    fn unseen_claimed(&self, before: &Life, after: &Life) -> Option<&'a Claimed> {
        let claimed = self.cluster.claimed.as_ref()?;
        let is_this = before.claim != after.claim && claimed.ordinal == after.ordinal;
        let is_seen = claimed.owned_by_pod.is_some_and(|line| self.was_seen(line));
        (is_this && !is_seen).then_some(claimed)
    }

    /// Whether another replacement (test 6), or a return by another change of replicas (10), may be
    /// whole, or two others that came back by the same change may show all.
    fn may_be_shown_elsewhere(&self, test: usize, new: usize) -> bool {
        let of = |life| Some((life, self.cluster.brought_back(self.cluster.earlier(life)?, life)));
        let own = of(new);
        let all = (0..self.cluster.lives.len()).filter(|life| *life != new).filter_map(of);
        let others: Vec<_> = all.collect();
        let is_same =
            |scaling: Option<usize>| scaling.is_some() && own.is_some_and(|it| it.1 == scaling);
        let beside = others.iter().filter(|it| is_same(it.1)).count();
        test == 10 && beside >= 2
            || others.into_iter().any(|(_, scaling)| match scaling {
                None => test == 6,
                Some(_) => test == 10 && own.is_none_or(|(_, own)| own != scaling),
            })
    }

    /// Whether the pod and its claim, as they were told of, were there at one time.
    fn overlaps(&self, life: &Life) -> bool {
        let name = format!("data-web-{}", life.ordinal);
        let made =
            self.cluster.lines()[..life.added].iter().rev().find_map(|line| match &line.what {
                Fact::Object(ObjectChange::Added, Object::PersistentVolumeClaim(it))
                    if it.metadata.name == name =>
                {
                    Some(it.metadata.uid.as_str())
                }
                _ => None,
            });
        let told = |uid: &str| {
            let about = |line: &&crate::model::Observation| matches!(&line.what, Fact::Object(_, object) if object.metadata().uid == uid);
            let lines = || self.delivery.lines.iter().filter(about);
            let deleted = lines()
                .find(|line| matches!(line.what, Fact::Object(ObjectChange::Deleted, _)))
                .map_or(Seq::MAX, |line| line.seq);
            (lines().next().map_or(Seq::MAX, |line| line.seq), deleted)
        };
        let ((claim_added, claim_gone), (pod_added, pod_gone)) =
            (told(made.unwrap_or_default()), told(&life.uid));
        claim_added < pod_gone && pod_added < claim_gone
    }

    /// Test 9: does each claim stay until its ordinal is wanted again?
    fn retention(&mut self) {
        let Some(claimed) = &self.cluster.claimed else { return };
        let Some(owned_by_pod) = claimed.owned_by_pod else {
            // By somebody, before the pod came back: whether the set would have kept it cannot be
            // seen.
            self.tests[9].perhaps_hidden = true;
            return;
        };
        let pod = self
            .cluster
            .lives
            .iter()
            .rfind(|it| it.ordinal == claimed.ordinal && it.added < owned_by_pod);
        if pod.is_some_and(|pod| pod.revision != self.cluster.revision) {
            return;
        }
        let again = self
            .cluster
            .scalings
            .iter()
            .find(|it| it.at > owned_by_pod && (it.from..it.to).contains(&claimed.ordinal));
        let until = again.map_or(Seq::MAX, |it| self.by(it.at));
        // A list that comes after the claim went shows nothing of which pod owned it.
        let stood = || {
            self.gap(Kind::PersistentVolumeClaim)
                .is_some_and(|gap| claimed.deleted.is_none_or(|it| it > gap.last))
        };
        let broken = (self.was_seen(owned_by_pod) || stood()) && self.by(owned_by_pod) <= until;
        let hidden = claimed.deleted.is_some_and(|it| self.by(it) <= until);
        if !self.is_plain(self.cluster.struck_in_tour)
            || !self.is_in_sight(claimed.ordinal, owned_by_pod)
        {
            self.tests[9].perhaps_broken = true;
        } else if broken || hidden {
            self.tests[9].broken |= broken;
            // A later whole round of the same ordinal makes up for one that nobody could see.
            let later = again.is_some_and(|again| {
                self.cluster
                    .scalings
                    .iter()
                    .any(|it| it.at > again.at && (it.to..it.from).contains(&claimed.ordinal))
            });
            self.tests[9].hidden |= hidden && !later;
            self.tests[9].perhaps_hidden |= hidden;
        }
    }

    /// Whether the ordinal's pods, and its claim before that place, were told of at all.
    fn is_in_sight(&self, ordinal: i32, before: usize) -> bool {
        let lives = self.cluster.lives.iter().enumerate();
        let name = format!("data-web-{ordinal}");
        let claim = |line: &crate::model::Observation| matches!(&line.what, Fact::Object(_, Object::PersistentVolumeClaim(it)) if it.metadata.name == name);
        let places =
            self.cluster.lines()[..before].iter().enumerate().filter(|(_, line)| claim(line));
        lives
            .filter(|(_, it)| {
                it.ordinal == ordinal
                    && it.deleted.is_none_or(|deleted| deleted >= self.cluster.cut)
            })
            .all(|(life, _)| self.is_known(life))
            && places.into_iter().any(|(place, _)| place < self.cluster.cut || self.was_seen(place))
    }

    /// What a gap may have swallowed whole.
    fn lost_sight(&mut self) {
        let Some(gap) = self.delivery.gap else { return };
        // A change of replicas may lie on either side of what the gap swallowed.
        let around = self
            .cluster
            .scalings
            .iter()
            .any(|it| (gap.last_sure..=gap.listed).contains(&self.by(it.at)));
        self.tests[8].perhaps_hidden |= gap.kind == Kind::Pod && around;
        let swallowed = |place: usize| place >= gap.first && place <= gap.last;
        let tests: &[usize] = match gap.kind {
            Kind::Pod
                if self
                    .cluster
                    .lives
                    .iter()
                    .any(|it| swallowed(it.added) && it.deleted.is_some_and(swallowed)) =>
            {
                &[2, 6, 7, 8, 9, 10]
            }
            Kind::PersistentVolumeClaim => &[6, 9, 10],
            Kind::Pod if self.cluster.lives.iter().any(|it| it.deleted.is_some_and(swallowed)) => {
                &[2, 7, 8]
            }
            _ if !self.is_plain(true) => &[2, 6, 7, 8, 9, 10],
            _ => &[],
        };
        for test in tests {
            self.tests[*test].perhaps_hidden = true;
        }
    }

    /// Whether each pod is surely known to have come or gone by this change and no other.
    ///
    /// It is not where a gap swallowed a change, or what pods did before one and after it, nor
    /// where the streams are late and the next change comes before all that this one caused has
    /// been seen.
    fn is_plain(&self, in_tour: bool) -> bool {
        let spans = |gap: TrueGap, place: usize| {
            place >= gap.first && (place <= gap.last || self.by(place) < gap.line)
        };
        let hides = |place: usize| {
            self.delivery.gap.is_some_and(|gap| {
                matches!(gap.kind, Kind::StatefulSet | Kind::Pod) && spans(gap, place)
            })
        };
        !self.cluster.scalings.iter().any(|it| hides(it.at)) && (in_tour || self.case.lag == 0)
    }

    /// A violation that was watched is told by its own tests, or by any of those that it may be
    /// taken for.
    fn violated(&mut self, watched: bool, surely: &[usize], perhaps: &[usize]) {
        for test in surely.iter().filter(|_| watched && perhaps.is_empty()) {
            self.tests[*test].broken = true;
        }
        for test in perhaps.iter().filter(|_| watched) {
            self.tests[*test].perhaps_broken = true;
        }
    }

    /// What was not seen costs its test the decision, surely or perhaps.
    fn unless(&mut self, seen: bool, test: usize, surely: bool) {
        self.tests[test].hidden |= !seen && surely;
        self.tests[test].perhaps_hidden |= !seen;
    }

    fn gap(&self, kind: Kind) -> Option<TrueGap> {
        self.delivery.gap.filter(|it| it.kind == kind)
    }

    fn was_seen(&self, place: usize) -> bool {
        self.delivery.seen_at.get(place).is_some_and(Option::is_some)
    }

    /// The first line at which something had surely happened.
    fn by(&self, place: usize) -> Seq {
        by(self.delivery, place)
    }

    /// The last line at which it surely had not happened.
    fn not_before(&self, place: usize) -> Seq {
        self.delivery.seen_at[place].map_or_else(
            || {
                self.delivery
                    .gap
                    .map_or(0, |gap| if place >= gap.first { gap.last_sure } else { 0 })
            },
            |seq| seq - 1,
        )
    }

    fn is_known(&self, life: usize) -> bool {
        let uid = &self.cluster.lives[life].uid;
        self.pod_lines().any(|(_, pod)| pod.metadata.uid == *uid)
    }

    fn seen_ready(&self, uid: &str) -> impl Iterator<Item = Seq> {
        self.pod_lines()
            .filter(move |(_, pod)| pod.metadata.uid == uid && !pod.status.conditions.is_empty())
            .map(|(seq, _)| seq)
    }

    fn pod_lines(&self) -> impl Iterator<Item = (Seq, &Pod)> {
        self.delivery.lines.iter().filter_map(|it| match &it.what {
            Fact::Object(_, Object::Pod(pod)) => Some((it.seq, pod)),
            _ => None,
        })
    }
}

fn by(delivery: &Delivery, place: usize) -> Seq {
    delivery.seen_at[place].unwrap_or_else(|| {
        delivery.gap.map_or(0, |gap| if place >= gap.first { gap.listed } else { 0 })
    })
}
