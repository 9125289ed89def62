//! The StatefulSet controller, for ordered pods, and the mutations by which it breaks its own
//! order.

use crate::model::observation::{ObjectChange, object::OwnerReference};
use crate::model::testing::property::cluster::{
    Claimed, Cluster, ModelPod, Mutation, ScaleDown, Scaling, owner,
};

impl Cluster<'_> {
    /// One turn of the controller, for ordered pods: at most one thing is done.
    pub(crate) fn sync(&mut self, unnoticed: Option<i32>) -> bool {
        for ordinal in 0..self.replicas {
            let Some(pod) = self.pods.get(&ordinal) else {
                self.create(ordinal);
                return true;
            };
            if pod.failed && !pod.terminating {
                // Before and after an evicted pod is cleaned up, the watches catch up.
                self.barrier();
                self.deleted(ordinal);
                self.barrier();
                return true;
            }
            if (pod.terminating || !pod.ready) && unnoticed != Some(ordinal) {
                return !pod.terminating && self.create_early(ordinal + 1);
            }
        }
        let condemned: Vec<i32> =
            self.pods.keys().rev().copied().filter(|it| *it >= self.replicas).collect();
        let unhealthy = |it: &ModelPod| !it.ready || it.terminating;
        let first_unhealthy = condemned.iter().rev().find(|it| unhealthy(&self.pods[it])).copied();
        let Some(highest) = condemned.first().copied() else { return self.roll() };
        if self.pods[&highest].terminating
            || unhealthy(&self.pods[&highest]) && first_unhealthy != Some(highest)
        {
            return false;
        }
        self.condemn(highest, condemned.get(1).copied());
        true
    }

    /// The highest pod of an earlier template is replaced, when all are Ready.
    fn roll(&mut self) -> bool {
        let outdated =
            self.pods.iter().rev().find(|(_, pod)| {
                self.lives[pod.life].revision != self.revision && !pod.terminating
            });
        let Some(ordinal) = outdated.map(|(ordinal, _)| *ordinal) else { return false };
        // Nobody could tell it from a person's doing.
        self.barrier();
        self.remove(ordinal, None);
        self.barrier();
        true
    }

    /// The mutation of checks 2 and 7: a pod is added although the one below was never Ready.
    fn create_early(&mut self, next: i32) -> bool {
        let (Some(scaling), false) = (self.fresh.get(&next).copied(), next >= self.replicas) else {
            return false;
        };
        let Scaling { from, to, at, .. } = self.scalings[scaling];
        let wanted = self.strikes(Mutation::EarlyFromNothing) && from == 0
            || self.strikes(Mutation::Early) && from > 0 && to - from >= 2;
        let below = self.below(next, scaling);
        let never_ready =
            self.lives[below..].iter().all(|it| it.ordinal != next - 1 || it.readies.is_empty());
        if !wanted || at < self.cut || !never_ready || self.lives[below].added < self.cut {
            return false;
        }
        self.strike();
        self.create(next);
        true
    }

    /// The highest condemned pod is asked to go; the mutation of check 8 has the one below go with
    /// it, or first.
    fn condemn(&mut self, highest: i32, lower: Option<i32>) {
        let both = |scale_down: &ScaleDown, lower: i32| {
            [highest, lower]
                .iter()
                .all(|ordinal| scale_down.standing.iter().any(|it| it.0 == *ordinal))
        };
        let scale_down = self
            .scale_down
            .as_ref()
            .filter(|scale_down| self.scalings[scale_down.scaling].at >= self.cut);
        let lower = lower.filter(|lower| {
            scale_down.is_some_and(|scale_down| both(scale_down, *lower))
                && !self.pods[lower].terminating
        });
        let in_scale_down = scale_down.map(|it| it.scaling);
        match lower {
            Some(lower) if self.strikes(Mutation::Overlap) => {
                self.strike();
                self.remove(highest, in_scale_down);
                self.remove(lower, in_scale_down);
            }
            Some(lower) if self.strikes(Mutation::Inverted) => {
                self.strike();
                self.remove(lower, in_scale_down);
            }
            _ => {
                if self.strikes(Mutation::ClaimOwnedByPod) && in_scale_down.is_some() {
                    self.strike();
                    self.claimed = Some(Claimed {
                        ordinal: highest,
                        owned_by_pod: Some(self.now()),
                        deleted: None,
                    });
                    self.act(|it| {
                        it.claim_line(highest, ObjectChange::Modified, |claim| {
                            claim.metadata.owner_references =
                                vec![OwnerReference { kind: "Pod".to_owned(), ..owner() }]
                        })
                    });
                    self.owned_by_pod.insert(highest);
                }
                self.remove(highest, self.scale_down.as_ref().map(|it| it.scaling));
            }
        }
    }

    pub(crate) fn below(&self, next: i32, scaling: usize) -> usize {
        let scaled_up = self
            .lives
            .iter()
            .position(|it| it.ordinal == next - 1 && it.scaled_up == Some(scaling));
        scaled_up.or_else(|| Some(self.pods.get(&(next - 1))?.life)).unwrap_or_default()
    }
}
