//! What people and graders do to the cluster, and what they look at.

use crate::model::testing::property::cluster::{Cluster, Command, Mutation, Tour};
use crate::model::{
    observation::{
        CanaryVisit, Fact, Lookup, ObjectChange, Phase, Reference, RequestedChange, Step, StepName,
        object::Pod,
    },
    testing::history::History,
};

/// Nanoseconds after which no cache is an excuse.
const BEYOND_ANY_CACHE: u64 = 100_000_000_000;

impl Cluster<'_> {
    pub(crate) fn obey(&mut self, command: Command) {
        match command {
            Command::Scale(to) => self.scale(to),
            Command::Delete(ordinal) => {
                self.by_hand(ordinal, |it| it.remove(ordinal, None));
            }
            Command::Evict(ordinal) => self.by_hand(ordinal, |it| {
                let evicted = |pod: &mut Pod| {
                    pod.status.conditions.clear();
                    pod.status.phase = "Failed".to_owned();
                    pod.status.reason = "Evicted".to_owned();
                };
                it.act(|history| history.pod(ordinal, ObjectChange::Modified, evicted));
                it.with(ordinal, |pod| (pod.ready, pod.failed) = (false, true));
            }),
            Command::Crash(ordinal) => self.crash(ordinal, false),
            Command::Break(ordinal) => self.crash(ordinal, true),
            Command::Late(ordinal) => {
                // The controller acts on its cache: it has not seen yet that the pod is not Ready
                // any more (kubernetes#41889).
                if self.pods.get(&ordinal).is_some_and(|it| it.ready && !it.terminating) {
                    self.crash(ordinal, false);
                    self.sync(Some(ordinal));
                }
            }
            Command::Peek(ordinal) => self.peek(ordinal),
            Command::Inspect => self.inspect(),
            Command::Template => {
                self.barrier();
                let revision = self.revision + 1;
                self.revision = revision;
                self.act(|it| it.set_unobserved().observed_as(&super::name_of(revision)));
            }
            Command::Service => {
                self.barrier();
                let toggled = self.revision.is_multiple_of(2);
                self.act(|history| {
                    history.service_changed(|service| {
                        if let Some(spec) = &mut service.spec {
                            spec.publish_not_ready_addresses = toggled;
                        }
                    })
                });
                self.barrier();
            }
            Command::WaitTicks(ticks) => (0..ticks).for_each(|_| {
                self.tick();
            }),
            Command::Settle => self.settle(),
        }
    }

    /// The normal path, after which each property has been shown.
    pub(crate) fn tour(&mut self) {
        let wanted = self.case.replicas;
        self.scale(wanted);
        self.settle();
        self.barrier();
        self.in_tour = true;
        self.toured = self.now();
        self.inspect();
        let uid = self.pods.get(&1).map(|it| self.lives[it.life].uid.clone()).unwrap_or_default();
        self.asks(
            StepName::Replace,
            RequestedChange::Delete(Reference { name: "web-1".to_owned(), uid }),
        );
        self.remove(1, None);
        self.arrive();
        let (up, down) = match self.case.tour {
            Tour::Nothing => (wanted + 2, 0),
            Tour::Two => (wanted + 2, wanted),
            Tour::One => (wanted, 1),
        };
        let back = if self.case.tour == Tour::Nothing { wanted } else { up };
        for (name, to) in
            [(StepName::ScaleUp, up), (StepName::ScaleDown, down), (StepName::ScaleBack, back)]
        {
            if to != self.replicas {
                self.asks(name, RequestedChange::Replicas(to));
                self.scale(to);
                self.arrive();
            }
        }
        self.act(History::end);
    }

    /// What was asked for comes, and the pods that are new are looked at.
    fn arrive(&mut self) {
        self.settle();
        self.barrier();
        let new: Vec<i32> = self
            .pods
            .iter()
            .filter(|(_, it)| !self.lives[it.life].read)
            .map(|(ordinal, _)| *ordinal)
            .collect();
        new.into_iter().for_each(|it| self.peek(it));
        self.look_up_service();
    }

    fn asks(&mut self, name: StepName, requested: RequestedChange) {
        if self.case.by_hand {
            return;
        }
        self.act(|it| {
            it.push(Fact::Step(Step {
                requested: Some(requested),
                ..Step::new(name, Phase::Begin)
            }))
        });
    }

    /// Somebody does something to a pod; never to one that a scale-down may be about to remove,
    /// which nobody could tell apart.
    fn by_hand(&mut self, ordinal: i32, act: impl FnOnce(&mut Self)) {
        let falling = self.pods.keys().any(|it| *it >= self.replicas);
        if falling || !self.pods.get(&ordinal).is_some_and(|it| !it.terminating && !it.failed) {
            return;
        }
        // A person's next command is slower than the watches.
        self.barrier();
        act(self);
        self.barrier();
    }

    fn crash(&mut self, ordinal: i32, for_good: bool) {
        if !self.pods.get(&ordinal).is_some_and(|it| !it.terminating && !it.failed) {
            return;
        }
        if self.chance.one_in(3) {
            self.act(|it| it.unready(ordinal))
        } else {
            // Once, and for a while: what ends again and again is no legal history.
            self.act(|it| it.crashed(ordinal, 1))
        }
        self.with(ordinal, |it| (it.ready, it.broken) = (false, for_good));
    }

    /// A pod's files are read, and its name asked for.
    pub(crate) fn peek(&mut self, ordinal: i32) {
        if !self.recording || !self.pods.get(&ordinal).is_some_and(|it| it.ready && !it.terminating)
        {
            return;
        }
        let life = self.pods[&ordinal].life;
        self.lives[life].read = true;
        if ordinal == 1 && self.case.mutation == Some(Mutation::SharedCanary) {
            self.see_a_stranger();
        }
        self.act(|it| it.read(ordinal).canary(ordinal));
        if self.chance.one_in(6) && !self.in_tour {
            self.act(|it| {
                it.lookup_with(ordinal, |lookup| lookup.error = Some("NXDOMAIN".to_owned()))
            });
            if self.chance.one_in(2) {
                return;
            }
        }
        let wrong = match self.case.mutation {
            Some(Mutation::WrongAnswer) if ordinal == 0 => Some("10.99.0.1".to_owned()),
            Some(Mutation::StaleAnswer) if ordinal == 1 => {
                self.lives.iter().find(|it| it.ordinal == ordinal).map(|it| it.address.clone())
            }
            _ => None,
        };
        self.act(|it| match wrong {
            None => it.lookup(ordinal),
            Some(address) => it.lookup_with(ordinal, |lookup| {
                (lookup.addresses, lookup.began) = (vec![address], lookup.began + BEYOND_ANY_CACHE)
            }),
        });
    }

    fn see_a_stranger(&mut self) {
        let wrote = self.lines().iter().find_map(|it| match &it.what {
            Fact::Canary(canary) if canary.claim == "data-web-0" => canary.wrote.clone(),
            _ => None,
        });
        // One file has one inode on both claims.
        for claim in ["data-web-0", "data-web-1"] {
            let inodes =
                wrote.iter().map(|it| (it.file.clone(), "12 10:00:00.1".to_owned())).collect();
            let canary = CanaryVisit {
                claim: claim.to_owned(),
                saw: Some(wrote.iter().cloned().collect()),
                inodes,
                ..Default::default()
            };
            self.act(|it| it.push(Fact::Canary(canary)));
        }
    }

    pub(crate) fn inspect(&mut self) {
        let ordinals: Vec<i32> = self.pods.keys().copied().collect();
        ordinals.into_iter().for_each(|it| self.peek(it));
        self.look_up_service();
    }

    fn look_up_service(&mut self) {
        let mut addresses: Vec<String> = self
            .pods
            .values()
            .filter(|it| it.ready)
            .map(|it| self.lives[it.life].address.clone())
            .collect();
        if self.case.mutation == Some(Mutation::ServiceNameShort) {
            addresses.pop();
            addresses.retain(|it| !it.ends_with(".11"));
        }
        let mut lookup = Lookup {
            name: "web.lab.svc.cluster.local.".to_owned(),
            service: "web".to_owned(),
            addresses,
            ..Lookup::default()
        };
        if self.recording {
            self.act(|it| {
                let it = it.slice();
                lookup.began = (it.lines.len() as u64 + 1) * 1_000_000_000 + BEYOND_ANY_CACHE;
                it.push(Fact::Lookup(lookup))
            });
        }
    }
}
