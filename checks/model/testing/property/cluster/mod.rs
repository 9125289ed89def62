//! A small model of a cluster: its state and the kubelet here, the StatefulSet controller and
//! people in files of their own.
//!
//! It writes the lines of what truly happens, in the order in which it happens, and remembers why.

use std::collections::{BTreeMap, BTreeSet};

mod controller;
mod people;

use crate::model::testing::property::{Case, Chance, Command, Mutation, Start, Tour};
use crate::model::{
    observation::{
        Fact, ObjectChange,
        object::{Object, OwnerReference},
    },
    testing::history::{History, Writes},
};

/// One pod, from its creation to its end. Places are those of the true lines.
#[derive(Debug, Default)]
pub(crate) struct Life {
    pub(crate) uid: String,
    pub(crate) ordinal: i32,
    pub(crate) added: usize,
    pub(crate) readies: Vec<usize>,
    pub(crate) deletion_asked: Option<usize>,
    pub(crate) deleted: Option<usize>,
    /// The change of replicas that made it, for a pod that was not there before.
    pub(crate) scaled_up: Option<usize>,
    /// Which claim of its name it is on, and which text was on that when its container had started.
    pub(crate) claim: u32,
    pub(crate) text: u32,
    pub(crate) read: bool,
    /// The template that it was made from.
    pub(crate) revision: u32,
    address: String,
}

/// One change of replicas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scaling {
    pub(crate) from: i32,
    pub(crate) to: i32,
    pub(crate) at: usize,
    pub(crate) in_tour: bool,
}

/// The controller's addition of a pod that a change of replicas asked for, and the pod below it
/// since that was added.
#[derive(Debug)]
pub(crate) struct Addition {
    pub(crate) scaling: usize,
    pub(crate) below: usize,
    pub(crate) next: usize,
}

/// The controller's request that a pod go, and one above it that was to go by the same change.
#[derive(Debug)]
pub(crate) struct Removal {
    pub(crate) scaling: usize,
    pub(crate) upper: usize,
    pub(crate) lower: usize,
}

/// What the mutation did to a claim.
#[derive(Debug, Default)]
pub(crate) struct Claimed {
    pub(crate) ordinal: i32,
    pub(crate) owned_by_pod: Option<usize>,
    pub(crate) deleted: Option<usize>,
}

#[derive(Debug)]
struct ModelPod {
    life: usize,
    ready: bool,
    terminating: bool,
    failed: bool,
    broken: bool,
}

#[derive(Debug)]
struct ScaleDown {
    scaling: usize,
    standing: Vec<(i32, usize)>,
}

/// The cluster, and what it remembers of what it did.
pub(crate) struct Cluster<'c> {
    case: &'c Case,
    chance: Chance,
    history: Option<History>,
    replicas: i32,
    pods: BTreeMap<i32, ModelPod>,
    claims: BTreeMap<i32, u32>,
    texts: BTreeMap<i32, u32>,
    owned_by_pod: BTreeSet<i32>,
    /// Ordinals that are wanted anew, by the change that wants them.
    fresh: BTreeMap<i32, usize>,
    scale_down: Option<ScaleDown>,
    /// The template as it stands.
    pub(crate) revision: u32,
    armed: bool,
    in_tour: bool,
    writes: Writes,
    /// The line at which the recording begins.
    pub(crate) cut: usize,
    recording: bool,
    pub(crate) lives: Vec<Life>,
    pub(crate) scalings: Vec<Scaling>,
    pub(crate) additions: Vec<Addition>,
    pub(crate) removals: Vec<Removal>,
    pub(crate) claimed: Option<Claimed>,
    /// Where the mutation struck.
    pub(crate) struck: Option<usize>,
    pub(crate) struck_in_tour: bool,
    /// Places before which everything that happened had been seen.
    pub(crate) barriers: Vec<usize>,
    /// Where the tour begins.
    pub(crate) toured: usize,
}

const APPENDS: Writes =
    |ordinal, there, start| Some(format!("{}{}", there.unwrap_or_default(), line(ordinal, start)));
const GUARDS: Writes = |ordinal, there, start| {
    Some(there.map_or_else(|| format!("web-{ordinal} since {start}\n"), str::to_owned))
};
const LOSES: Writes = |ordinal, _, start| Some(line(ordinal, start));
const HELLO: Writes = |_, _, _| Some("hello\n".to_owned());

/// What a start writes: who it is, and when it was.
fn line(ordinal: i32, start: u32) -> String {
    format!("web-{ordinal} started at {:02}:{:02}:{:02}\n", ordinal % 24, start / 60, start % 60)
}

impl<'c> Cluster<'c> {
    /// Everything that happens in a case.
    pub(crate) fn run(case: &'c Case) -> Self {
        let mut chance = Chance::new(case.seed);
        let writes = if case.mutation == Some(Mutation::NotTelling) {
            HELLO
        } else {
            chance.of(&[APPENDS, GUARDS])
        };
        let mut history = History::new();
        history.writes = writes;
        history.spec.replicas = Some(case.first_replicas);
        history.revision = name_of(1);
        let mut cluster = Self {
            case,
            chance,
            history: Some(history.service()),
            replicas: case.first_replicas,
            pods: BTreeMap::new(),
            claims: BTreeMap::new(),
            texts: BTreeMap::new(),
            owned_by_pod: BTreeSet::new(),
            fresh: BTreeMap::new(),
            scale_down: None,
            revision: 1,
            armed: false,
            in_tour: false,
            writes,
            cut: 0,
            recording: false,
            lives: vec![],
            scalings: vec![],
            additions: vec![],
            removals: vec![],
            claimed: None,
            struck: None,
            struck_in_tour: false,
            barriers: vec![],
            toured: 0,
        };
        cluster.begin();
        for (place, command) in case.commands.iter().enumerate() {
            cluster.before(place);
            cluster.obey(*command);
        }
        cluster.before(case.commands.len());
        cluster.tour();
        cluster
    }

    /// The true lines.
    pub(crate) fn lines(&self) -> &[crate::model::Observation] {
        self.history.as_ref().map_or(&[], |it| &it.lines)
    }

    /// The latest life before `new` of its ordinal that was Ready, which is what `new` is compared
    /// with.
    pub(crate) fn earlier(&self, new: usize) -> Option<usize> {
        (0..new).rfind(|it| {
            self.lives[*it].ordinal == self.lives[new].ordinal
                && !self.lives[*it].readies.is_empty()
        })
    }

    /// The change of replicas that brought `new` back, after `old` had gone for one; `None` where
    /// it replaced `old`.
    pub(crate) fn brought_back(&self, old: usize, new: usize) -> Option<usize> {
        (old + 1..=new)
            .filter(|it| self.lives[*it].ordinal == self.lives[new].ordinal)
            .rev()
            .find_map(|it| self.lives[it].scaled_up)
    }

    fn now(&self) -> usize {
        self.lines().len()
    }

    fn act(&mut self, act: impl FnOnce(History) -> History) {
        self.history = self.history.take().map(act);
    }

    fn barrier(&mut self) {
        self.barriers.push(self.now());
    }

    fn before(&mut self, place: usize) {
        if !self.recording && place >= self.case.recorded_from {
            // What is graded is the set as it stands when the recording begins.
            if self.case.recorded_from > 0 {
                self.scale(self.case.replicas);
                self.cut = self.now();
            }
            self.recording = true;
            self.act(History::subject);
            if self.chance.one_in(2) {
                self.inspect();
            }
        }
        self.armed = self.recording && place >= self.case.armed_from;
    }

    fn strikes(&self, mutation: Mutation) -> bool {
        self.armed && self.struck.is_none() && self.case.mutation == Some(mutation)
    }

    fn strike(&mut self) {
        self.struck = Some(self.now());
        self.struck_in_tour = self.in_tour;
    }

    fn begin(&mut self) {
        let orphans = match self.case.start {
            Start::Orphans(many) | Start::OldOrphans(many) => many.min(self.case.first_replicas),
            _ => 0,
        };
        let is_old = matches!(self.case.start, Start::OldOrphans(_));
        self.named(u32::from(!is_old));
        for ordinal in 0..orphans {
            self.create(ordinal);
            self.ready(ordinal);
        }
        self.named(1);
        self.scalings.push(Scaling { from: 0, to: self.replicas, at: self.now(), in_tour: false });
        self.act(|it| it.set(ObjectChange::Added));
        for ordinal in 0..orphans {
            self.act(|it| {
                it.pod(ordinal, ObjectChange::Modified, |pod| {
                    pod.metadata.owner_references = vec![owner()]
                })
            });
        }
        self.fresh = (orphans..self.replicas).map(|ordinal| (ordinal, 0)).collect();
        self.before(0);
        if self.case.start == Start::Settled {
            self.settle();
            self.inspect();
        }
    }

    /// Pods are made from the template of this name from now on.
    fn named(&mut self, revision: u32) {
        self.revision = revision;
        self.history.iter_mut().for_each(|it| it.revision = name_of(revision));
    }

    fn settle(&mut self) {
        self.pods.values_mut().for_each(|it| it.broken = false);
        loop {
            while self.tick() {}
            // Two pods that are not Ready block a scale-down for ever, until somebody removes the
            // one that was evicted.
            let Some(ordinal) =
                self.pods.iter().rev().find_map(|(ordinal, it)| it.failed.then_some(*ordinal))
            else {
                return;
            };
            self.barrier();
            self.deleted(ordinal);
            self.barrier();
        }
    }

    /// One thing happens, if anything is left to happen.
    fn tick(&mut self) -> bool {
        if self.chance.one_in(16) {
            self.act(|it| it.set(ObjectChange::Modified));
        }
        let kubelet_first = self.chance.one_in(2);
        kubelet_first && self.kubelet() || self.sync(None) || !kubelet_first && self.kubelet()
    }

    fn kubelet(&mut self) -> bool {
        let busy = self
            .pods
            .iter()
            .filter(|(_, it)| it.terminating || !it.ready && !it.failed && !it.broken);
        let busy: Vec<(i32, bool)> = busy.map(|(ordinal, it)| (*ordinal, it.terminating)).collect();
        if busy.is_empty() {
            return false;
        }
        let (ordinal, terminating) = self.chance.of(&busy);
        if terminating {
            self.deleted(ordinal)
        } else {
            self.ready(ordinal)
        }
        true
    }

    fn create(&mut self, ordinal: i32) {
        let scaling = self.fresh.remove(&ordinal);
        if self.claims.contains_key(&ordinal)
            && scaling.is_some_and(|it| self.scalings[it].at >= self.cut)
            && self.strikes(Mutation::NewClaim)
        {
            self.strike();
            self.claimed = Some(Claimed { ordinal, owned_by_pod: None, deleted: Some(self.now()) });
            self.delete_claim(ordinal);
        }
        if !self.claims.contains_key(&ordinal) {
            let number = self.lives.len() as u32 + 1;
            self.claims.insert(ordinal, number);
            self.texts.insert(ordinal, number * 2);
            self.act(|it| it.claim(ordinal));
            if ordinal == 1 && self.case.mutation == Some(Mutation::SharedVolume) {
                self.act(|history| {
                    history.claim_line(1, ObjectChange::Modified, |claim| {
                        claim.spec.iter_mut().for_each(|spec| spec.volume_name = "pv-1".to_owned())
                    })
                });
            }
        }
        let life = self.lives.len();
        self.lives.push(Life {
            ordinal,
            added: self.now(),
            scaled_up: scaling,
            claim: self.claims[&ordinal],
            revision: self.revision,
            ..Life::default()
        });
        let orphan = self.scalings.is_empty();
        self.act(|it| {
            it.add_as(ordinal, ObjectChange::Added, |pod| {
                if orphan {
                    pod.metadata.owner_references.clear()
                }
            })
        });
        if let Some(Fact::Object(_, Object::Pod(pod))) = self.lines().last().map(|it| &it.what) {
            let uid = pod.metadata.uid.clone();
            self.lives[life].uid = uid;
        }
        if let Some(scaling) = scaling.filter(|it| {
            ordinal > 0 && (ordinal > self.scalings[*it].from || self.scalings[*it].from > 0)
        }) {
            self.additions.push(Addition {
                scaling,
                below: self.below(ordinal, scaling),
                next: life,
            });
        }
        self.pods.insert(
            ordinal,
            ModelPod { life, ready: false, terminating: false, failed: false, broken: false },
        );
    }

    fn ready(&mut self, ordinal: i32) {
        let life = self.pods[&ordinal].life;
        let place = self.now();
        if self.lives[life].readies.is_empty() {
            self.loses_text(ordinal, life);
            self.act(|it| it.ready(ordinal));
            let writes = self.writes;
            self.history.iter_mut().for_each(|it| it.writes = writes);
            self.lives[life].text = self.texts[&ordinal];
            if let Some(Fact::Object(_, Object::Pod(pod))) = self.lines().last().map(|it| &it.what)
            {
                let address = pod.status.pod_ip.clone();
                self.lives[life].address = address;
            }
        } else {
            self.act(|it| it.restarted(ordinal));
        }
        self.lives[life].readies.push(place);
        self.with(ordinal, |it| it.ready = true);
        if self.recording && (self.case.eager || self.struck == Some(place)) {
            self.peek(ordinal);
        }
    }

    /// The mutation of checks 6 and 10: the container writes over what was there.
    fn loses_text(&mut self, ordinal: i32, life: usize) {
        let Some(old) = self
            .earlier(life)
            .filter(|it| self.lives[*it].read && self.lives[*it].claim == self.lives[life].claim)
        else {
            return;
        };
        let mutation = match self.brought_back(old, life) {
            None => Mutation::LostAtReplacement,
            Some(scaling) if self.scalings[scaling].at >= self.cut => Mutation::LostAtReturn,
            Some(_) => return,
        };
        if self.strikes(mutation) {
            self.strike();
            self.texts.entry(ordinal).and_modify(|it| *it += 1);
            self.history.iter_mut().for_each(|it| it.writes = LOSES);
        }
    }

    fn remove(&mut self, ordinal: i32, scale_down: Option<usize>) {
        let Some(pod) = self.pods.get(&ordinal) else { return };
        let (life, failed) = (pod.life, pod.failed);
        let place = self.now();
        self.lives[life].deletion_asked.get_or_insert(place);
        if let Some(scale_down) =
            self.scale_down.as_ref().filter(|it| Some(it.scaling) == scale_down)
        {
            let above = scale_down.standing.iter().filter(|it| it.0 > ordinal);
            self.removals.extend(above.map(|upper| Removal {
                scaling: scale_down.scaling,
                upper: upper.1,
                lower: life,
            }));
        }
        if failed {
            return self.deleted(ordinal);
        }
        self.act(|it| it.deletion_requested(ordinal));
        self.with(ordinal, |it| it.terminating = true);
    }

    fn deleted(&mut self, ordinal: i32) {
        let place = self.now();
        self.act(|it| it.deleted(ordinal));
        let Some(pod) = self.pods.remove(&ordinal) else { return };
        self.lives[pod.life].deletion_asked.get_or_insert(place);
        self.lives[pod.life].deleted = Some(place);
        if self.owned_by_pod.remove(&ordinal) {
            let place = self.now();
            self.claimed.iter_mut().for_each(|it| it.deleted = Some(place));
            self.delete_claim(ordinal);
        }
    }

    fn delete_claim(&mut self, ordinal: i32) {
        self.claims.remove(&ordinal);
        self.act(|it| it.claim_line(ordinal, ObjectChange::Deleted, |_| {}));
    }

    fn scale(&mut self, to: i32) {
        let from = self.replicas;
        if from == to {
            return;
        }
        let scaling = self.scalings.len();
        self.scalings.push(Scaling { from, to, at: self.now(), in_tour: self.in_tour });
        self.act(|it| it.scale(to));
        self.replicas = to;
        if to > from {
            let stands = |ordinal: &i32| self.pods.get(ordinal).is_some_and(|it| !it.terminating);
            let fresh: Vec<i32> = (from..to).filter(|it| !stands(it)).collect();
            self.fresh.extend(fresh.into_iter().map(|it| (it, scaling)));
            self.scale_down = None;
        } else {
            self.fresh.retain(|ordinal, _| *ordinal < to);
            let standing = self
                .pods
                .iter()
                .filter(|(ordinal, _)| **ordinal >= to)
                .map(|(ordinal, it)| (*ordinal, it.life))
                .collect();
            self.scale_down = Some(ScaleDown { scaling, standing });
        }
    }

    fn with(&mut self, ordinal: i32, change: impl FnOnce(&mut ModelPod)) {
        if let Some(pod) = self.pods.get_mut(&ordinal) {
            change(pod);
        }
    }
}

fn name_of(revision: u32) -> String {
    format!("web-{revision}")
}

fn owner() -> OwnerReference {
    OwnerReference {
        kind: "StatefulSet".to_owned(),
        name: "web".to_owned(),
        uid: "set".to_owned(),
        controller: true,
    }
}
