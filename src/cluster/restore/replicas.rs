//! Putting the replicas back, and who owns them.

use checks::model::{Timeline, WaitStatus, observation::Reference};

use crate::cluster::{
    Failure,
    budget::StepBudget,
    client::failure_id,
    restore::{
        PUT_BACK_TIMEOUT, Restorer,
        restore_point::{RestorePoint, is_held_up, seen_claims, would_lose_a_claim},
    },
    writes::{scale, scale::CurrentSet},
};

/// What became of the replicas.
pub(super) enum PutBack {
    /// They are as they were found.
    AsFound,
    /// Somebody has asked for others meanwhile: these are theirs.
    SomebodyScaled { to: i32 },
    /// They stay: these claims, which are not surely the grade's, would go with their pods.
    WouldDelete { claims: Vec<String> },
}

impl Restorer<'_> {
    /// Asks for the replicas as found; first for none, where a pod of those that stay would keep
    /// those beyond from going. `caused`: the claims that are surely the grade's own.
    pub(super) async fn restore_replicas(
        &self,
        set: &Reference,
        found: &CurrentSet,
        point: &RestorePoint,
        caused: &[Reference],
    ) -> Result<PutBack, Failure> {
        let replicas = point.replicas;
        let claims =
            self.journal.with(|timeline| go_with_their_pods(timeline, found, point, caused));
        if !claims.is_empty() {
            return Ok(PutBack::WouldDelete { claims });
        }
        let must_be_emptied = |timeline: &Timeline| {
            is_held_up(timeline, replicas) && !would_lose_a_claim(timeline, replicas)
        };
        let may_be_emptied = found.replicas > replicas && !found.deletes_claims;
        if may_be_emptied && self.journal.with(must_be_emptied) {
            match self.scale_back(set, found, 0).await {
                Ok(()) => {
                    let now = self.emptied(set, found).await?;
                    if now.replicas != 0 {
                        return Ok(PutBack::SomebodyScaled { to: now.replicas });
                    }
                    self.scale_back(set, &now, replicas).await?;
                    return Ok(PutBack::AsFound);
                }
                Err(failure) if failure.id == failure_id::SCALED => {
                    let now = self.look(set).await?;
                    return Ok(PutBack::SomebodyScaled { to: now.replicas });
                }
                // A policy may refuse 0: then at once to what was found.
                Err(_) => {}
            }
        }
        self.scale_back(set, found, replicas).await?;
        Ok(PutBack::AsFound)
    }

    /// Waits until all pods are gone, as far as they go in time, and gives the set as it is then: with
    /// 0 replicas, unless somebody has scaled it meanwhile.
    async fn emptied(&self, set: &Reference, found: &CurrentSet) -> Result<CurrentSet, Failure> {
        self.await_shown(0).await;
        let budget =
            self.journal.with(|timeline| timeline.set().map(|set| StepBudget::of(&set.spec)));
        let is_empty_or_scaled = |timeline: &Timeline| match timeline.set() {
            Some(set) if set.spec.replicas_or_one() != 0 => WaitStatus::Done,
            _ => timeline.awaits_scale_down(0),
        };
        if let Some(budget) = budget {
            self.journal.wait(budget.scale_down(found.replicas), is_empty_or_scaled).await;
        }
        self.look(set).await
    }

    pub(super) async fn look(&self, set: &Reference) -> Result<CurrentSet, Failure> {
        let now = scale::look(self.cluster, &set.name, PUT_BACK_TIMEOUT).await?;
        now.filter(|it| it.uid == set.uid && !it.is_terminating).ok_or_else(|| scale::gone(set))
    }

    /// Asks for the replicas as found, unless somebody has just asked for others.
    async fn scale_back(
        &self,
        set: &Reference,
        found: &CurrentSet,
        replicas: i32,
    ) -> Result<(), Failure> {
        if found.replicas == replicas {
            return Ok(());
        }
        let claims = self.journal.with(seen_claims);
        self.lease.asking(replicas, found, claims, PUT_BACK_TIMEOUT).await?;
        scale::request_replicas(self.cluster, set, found, replicas, PUT_BACK_TIMEOUT).await?;
        self.lease.replicas_accepted().await;
        Ok(())
    }

    /// Gives the ownership of the replicas back to who had it before the grade, if the grade asked
    /// for any; what to say if that fails. Without the permission it stays as it is: only the Role
    /// for `-f` holds that, see [`scale::restore_replicas_ownership`].
    pub(super) async fn restore_replicas_ownership(
        &self,
        set: &Reference,
        point: &RestorePoint,
    ) -> Option<String> {
        point.asked?;
        let failure =
            scale::restore_replicas_ownership(self.cluster, set, &point.owners).await.err()?;
        let is_silent = [failure_id::FORBIDDEN, failure_id::NOT_FOUND].contains(&failure.id);
        (!is_silent).then(|| {
            format!(
                "the field manager of spec.replicas of {} may be stsgrade still, so that `kubectl \
                apply --server-side` may tell a conflict: {failure}",
                set.name
            )
        })
    }
}

/// The claims that the set's controller would delete with the pods beyond those as found
/// (`whenScaled: Delete`), those that the grade surely caused left out. One whose deletion is
/// requested goes all the same.
fn go_with_their_pods(
    timeline: &Timeline,
    found: &CurrentSet,
    point: &RestorePoint,
    caused: &[Reference],
) -> Vec<String> {
    if !found.deletes_claims {
        return vec![];
    }
    let start = timeline.start();
    let end = start.saturating_add(found.replicas);
    let beyond = point.added_ordinals(start).filter(|ordinal| *ordinal < end);
    let stands = |name: &String| {
        let newest = timeline.claim(name).last();
        newest.is_some_and(|it| it.deleted.is_none() && it.deletion_requested.is_none())
    };
    let is_caused = |name: &String| caused.iter().any(|it| it.name == *name);
    let claims = beyond.flat_map(|ordinal| timeline.claim_names(ordinal));
    claims.filter(|name| stands(name) && !is_caused(name)).collect()
}
