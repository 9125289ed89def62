//! The claims that a grade caused: which they are, and removing them.

use std::{collections::BTreeSet, time::Duration};

use checks::model::{ClaimLife, PodLife, Timeline, WaitStatus, observation::Reference};

use crate::cluster::{
    WaitResult,
    budget::StepBudget,
    client::failure_id,
    exec::{
        error::ExecError,
        mounts::{ClaimView, last_start, reference},
    },
    restore::{Restorer, restore_point::RestorePoint, written_files::list_files},
    writes::{delete::remove_claims, scale::CurrentSet},
};

/// How long a claim may take to be deleted once nothing uses it.
const CLAIMS_DELETED_WITHIN: Duration = Duration::from_secs(60);
/// How long is waited for the watch to show the pod of a claim.
const POD_SHOWN_WITHIN: Duration = Duration::from_secs(5);
/// What a container writes within this many seconds of its start may be the start's doing.
const AT_START_SECONDS: i64 = 2;
/// A pod created within this many seconds after its claim is the first that mounts it: the set's
/// controller makes the claim and then, at once, the pod.
const FIRST_POD_SECONDS: i64 = 5;
/// Why a claim may be somebody else's.
const CHANGED: &str = "somebody else changed the set since";
/// How many pods are read to learn what a start writes.
const SIBLINGS: usize = 5;

/// What became of the claims that were to be deleted, where they were not.
#[derive(Default)]
pub(super) struct UndeletedClaims {
    /// Could not be deleted, and why.
    pub(super) left: Vec<String>,
    /// Somebody else may use them.
    pub(super) kept: Vec<String>,
}

impl UndeletedClaims {
    fn left(why: String) -> Self {
        Self { left: vec![why], kept: vec![] }
    }
}

impl Restorer<'_> {
    /// Waits until the pods beyond are gone, and deletes the claims that the grade caused, with those
    /// that `last` gives then. `found`: the set as it was put back.
    pub(super) async fn delete_caused_claims(
        &self,
        set: &Reference,
        found: &CurrentSet,
        caused: &[Reference],
        last: impl FnOnce() -> Vec<Reference>,
    ) -> UndeletedClaims {
        let replicas = found.replicas;
        let (budget, beyond) = self.journal.with(|timeline| {
            let first = timeline.start().saturating_add(replicas);
            (
                timeline.set().map(|set| StepBudget::of(&set.spec)),
                timeline.owned().filter(|pod| pod.ordinal >= first).count(),
            )
        });
        let Some(budget) = budget else { return UndeletedClaims::default() };
        let budget = budget.scale_down(i32::try_from(beyond).unwrap_or(i32::MAX));
        // Where somebody has asked for others meanwhile, those pods will not go.
        let are_gone_or_asked_for = |timeline: &Timeline| match timeline.set() {
            Some(set) if set.spec.replicas_or_one() != replicas => WaitStatus::Done,
            _ => timeline.awaits_scale_down(replicas),
        };
        if let WaitResult::TimedOut { awaited } =
            self.journal.wait(budget, are_gone_or_asked_for).await
        {
            return UndeletedClaims::left(format!("waited in vain for {awaited}"));
        }
        let mut caused = caused.to_vec();
        caused.extend(last());
        if caused.is_empty() {
            return UndeletedClaims::default();
        }
        // That took a while: a set that somebody has changed meanwhile may use them.
        match self.look(set).await {
            Ok(now) if now.generation == found.generation => {}
            Ok(_) => {
                let kept = caused.iter().map(|it| {
                    let files = "files named .stsgrade-… on it are the grade's own";
                    format!("{}; {files}", self.stays_because(it, CHANGED))
                });
                return UndeletedClaims { kept: kept.collect(), left: vec![] };
            }
            Err(failure) if failure.id == failure_id::SET_GONE => {
                let kept =
                    caused.iter().map(|it| self.stays_because(it, "somebody else deleted the set"));
                return UndeletedClaims { kept: kept.collect(), left: vec![] };
            }
            Err(failure) => {
                return UndeletedClaims::left(format!("PVCs of {}: {failure}", set.name));
            }
        }
        let left = remove_claims(self.cluster, self.journal, &caused, CLAIMS_DELETED_WITHIN).await;
        UndeletedClaims { left: left.into_iter().map(|it| it.what).collect(), kept: vec![] }
    }

    /// The claims that are surely the grade's own: the set has made them because the grade asked
    /// for more pods, and nobody has changed the set since, nor, as far as can be seen, written on
    /// them. `looked_at` gets the UIDs of these and of all others that were looked at.
    ///
    /// The set goes on making claims meanwhile, so they are looked for until there is no other.
    pub(super) async fn own_claims(
        &self,
        point: &RestorePoint,
        found: &CurrentSet,
        looked_at: &mut BTreeSet<String>,
        not_restorable: &mut Vec<String>,
    ) -> Vec<Reference> {
        let mut own = vec![];
        if point.asked.is_none() {
            return own;
        }
        let known = if self.is_successor { self.known_files(point).await } else { BTreeSet::new() };
        while let Some(claim) = self.next_not_looked_at(point, looked_at) {
            looked_at.insert(claim.uid.clone());
            let created =
                self.journal.with(|timeline| created(timeline, &claim)).unwrap_or(i64::MAX);
            let why = if !point.has_caused(found, created) {
                Some(CHANGED.to_owned())
            } else if self.is_successor {
                self.why_used(&claim, &known, found.replicas).await
            } else {
                None
            };
            match why {
                None => own.push(claim),
                // Somebody else has asked for that.
                Some(_) if self.journal.with(|timeline| is_being_deleted(timeline, &claim)) => {}
                Some(why) => not_restorable.push(self.stays_because(&claim, &why)),
            }
        }
        own
    }

    /// The claims that the set made in the moment before it was scaled back. Nobody can have written
    /// on one whose pod never ran; another one is named.
    pub(super) fn last_claims(
        &self,
        point: &RestorePoint,
        found: &CurrentSet,
        looked_at: &mut BTreeSet<String>,
        not_restorable: &mut Vec<String>,
    ) -> Vec<Reference> {
        let mut own = vec![];
        while let Some(claim) = self.next_not_looked_at(point, looked_at) {
            looked_at.insert(claim.uid.clone());
            let (created, has_run) = self.journal.with(|timeline| {
                let mounts =
                    |pod: &PodLife| pod.claims().iter().any(|(_, name)| *name == claim.name);
                let mut lives = timeline.lanes().flat_map(|(_, lane)| lane);
                let has_run = lives.any(|pod| pod.running_at.is_some() && mounts(pod));
                (created(timeline, &claim).unwrap_or(i64::MAX), has_run)
            });
            if !point.has_caused(found, created) {
                not_restorable.push(self.stays_because(&claim, CHANGED));
            } else if has_run {
                not_restorable
                    .push(self.stays_because(&claim, "its pod ran while the set was scaled back"));
            } else {
                own.push(claim);
            }
        }
        own
    }

    /// What a person is told of a claim that may hold something of theirs.
    pub(super) fn stays_because(&self, claim: &Reference, why: &str) -> String {
        format!(
            "PVC {name} stays, because {why}; if nothing of yours is on it, delete it: \
            `kubectl delete pvc {name} -n {namespace}`",
            name = claim.name,
            namespace = self.cluster.namespace
        )
    }

    /// A claim of [`Restorer::possible_claims`] that was not looked at yet.
    fn next_not_looked_at(
        &self,
        point: &RestorePoint,
        looked_at: &BTreeSet<String>,
    ) -> Option<Reference> {
        let possible = self.journal.with(|timeline| self.possible_claims(timeline, point));
        possible.into_iter().find(|claim| !looked_at.contains(&claim.uid))
    }

    /// The paths of the files that pods of the set had on their claims while the grade lived, with
    /// each number in them as `#`.
    async fn known_files(&self, point: &RestorePoint) -> BTreeSet<String> {
        let until = point.until.unwrap_or_default();
        let pods: Vec<(Reference, Vec<ClaimView>)> = self.journal.with(|timeline| {
            let first = timeline.start().saturating_add(point.replicas);
            let pods =
                timeline.owned().filter(|pod| pod.ordinal < first && pod.is_ready()).take(SIBLINGS);
            pods.map(|pod| (reference(pod), ClaimView::of(pod))).collect()
        });
        let mut known = BTreeSet::new();
        for (pod, mounted) in pods {
            // What cannot be listed tells of no file.
            let files = list_files(self.cluster, &pod, mounted).await.unwrap_or_default();
            known.extend(
                files.into_iter().filter(|(written, _)| *written <= until).map(|(_, name)| name),
            );
        }
        known
    }

    /// Why somebody may have used a claim since its pod was started, if so. `replicas` are those
    /// that the set has now.
    async fn why_used(
        &self,
        claim: &Reference,
        known: &BTreeSet<String>,
        replicas: i32,
    ) -> Option<String> {
        let is_asked_for = self.journal.with(|timeline| is_asked_for(timeline, claim, replicas));
        if is_asked_for && !self.pod_comes(claim).await {
            return Some("nobody knows what is on it (its pod is not there)".to_owned());
        }
        for user in self.journal.with(|timeline| users(timeline, claim)) {
            let name = &user.pod.name;
            if !user.is_own {
                return Some(format!("pod {name} uses it"));
            }
            if !user.is_first {
                return Some(format!("{name} was started again since, by somebody or by itself"));
            }
            let Some(started) = user.started else { continue };
            let files = match list_files(self.cluster, &user.pod, user.mounted).await {
                Ok(files) => files,
                // It has gone since it was seen, as the grade had asked.
                Err(ExecError::Gone) if !is_asked_for => continue,
                Err(why) => return Some(format!("nobody knows what is on it ({why})")),
            };
            // What a start of the other pods writes, a start of this one may have written, too.
            if files.iter().any(|(written, file)| {
                *written > started + AT_START_SECONDS || !known.contains(file)
            }) {
                return Some(format!(
                    "it holds something that may not be from the start of {name}"
                ));
            }
        }
        None
    }

    /// Whether a claim that can hold something has a pod: the set's controller makes one at once.
    async fn pod_comes(&self, claim: &Reference) -> bool {
        let has_pod = |timeline: &Timeline| {
            if is_unbound(timeline, claim) || !users(timeline, claim).is_empty() {
                WaitStatus::Done
            } else {
                WaitStatus::Awaited("its pod".to_owned())
            }
        };
        matches!(self.journal.wait_quietly(POD_SHOWN_WITHIN, has_pod).await, WaitResult::Done)
    }

    /// The claims that the grade may have caused, and that are there.
    pub(super) fn possible_claims(
        &self,
        timeline: &Timeline,
        point: &RestorePoint,
    ) -> Vec<Reference> {
        let since = self.lease.creation_timestamp().as_second();
        let mut found = vec![];
        for ordinal in point.added_ordinals(timeline.start()) {
            for name in names_of_claims(timeline, &point.set, ordinal) {
                // One whose deletion is requested is not deleted yet: a finalizer may hold it.
                let newest = timeline.claim(&name).last().filter(|life| life.deleted.is_none());
                let Some(uid) = newest.map(|life| life.uid().to_owned()) else { continue };
                let claim = Reference { uid, name };
                if point.may_have_caused(&claim.name, created(timeline, &claim), since) {
                    found.push(claim);
                }
            }
        }
        found
    }
}

/// The names of the claims of an ordinal. Where nothing is known of the set any more, those that end
/// as the controller would name them.
fn names_of_claims(timeline: &Timeline, set: &str, ordinal: i32) -> Vec<String> {
    if timeline.set().is_some_and(|it| it.name == set) {
        return timeline.claim_names(ordinal);
    }
    let end = format!("-{set}-{ordinal}");
    let names = timeline.claims().map(|it| it.name().to_owned());
    names.filter(|it| it.ends_with(&end)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A pod that mounts a claim.
struct ClaimUser {
    pod: Reference,
    mounted: Vec<ClaimView>,
    /// As [`last_start`] tells.
    started: Option<i64>,
    /// It is the set's.
    is_own: bool,
    /// No other pod mounted the claim before, and none of its containers was started again.
    is_first: bool,
}

/// The pods that mount a claim.
fn users(timeline: &Timeline, claim: &Reference) -> Vec<ClaimUser> {
    let mounts = |pod: &&PodLife| pod.claims().iter().any(|(_, name)| *name == claim.name);
    let claimed = created(timeline, claim);
    let mut found = vec![];
    for pod in timeline.pods().filter(mounts) {
        let mut mounted = ClaimView::of(pod);
        mounted.retain(|it| it.claim == claim.name);
        found.push(ClaimUser {
            pod: reference(pod),
            mounted,
            started: last_start(pod),
            is_own: timeline.owned().any(|own| own.uid() == pod.uid()),
            is_first: is_first(claimed, seconds(pod.pod.metadata.creation_timestamp.as_deref()))
                && pod.pod.status.container_statuses.iter().all(|it| it.restart_count == 0),
        });
    }
    found
}

/// Whether a pod is the first that mounts a claim, by the times at which both were created.
fn is_first(claim: Option<i64>, pod: Option<i64>) -> bool {
    let (Some(claim), Some(pod)) = (claim, pod) else { return false };
    pod <= claim.saturating_add(FIRST_POD_SECONDS)
}

/// Whether the set asks for a pod that mounts this claim.
fn is_asked_for(timeline: &Timeline, claim: &Reference, replicas: i32) -> bool {
    let start = timeline.start();
    (start..start.saturating_add(replicas))
        .any(|ordinal| timeline.claim_names(ordinal).contains(&claim.name))
}

/// Whether a claim has no volume, so that nothing can be on it.
fn is_unbound(timeline: &Timeline, claim: &Reference) -> bool {
    newest(timeline, claim).is_some_and(|it| it.bound.is_none())
}

/// A claim as it was last told of, unless another one has its name by now.
fn newest<'t>(timeline: &'t Timeline, claim: &Reference) -> Option<&'t ClaimLife> {
    timeline.claim(&claim.name).last().filter(|it| it.uid() == claim.uid)
}

/// Whether somebody has asked for its deletion.
pub(super) fn is_being_deleted(timeline: &Timeline, claim: &Reference) -> bool {
    newest(timeline, claim).is_some_and(|it| it.deletion_requested.is_some())
}

/// When a claim was created, in seconds since the epoch by the API server's clock.
fn created(timeline: &Timeline, claim: &Reference) -> Option<i64> {
    let life = newest(timeline, claim)?;
    seconds(life.claim.metadata.creation_timestamp.as_deref())
}

/// A time of the API in seconds since the epoch.
fn seconds(time: Option<&str>) -> Option<i64> {
    time?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::is_first;

    /// Catches a claim that is deleted although a pod that is gone may have written on it, too.
    #[test]
    fn the_first_pod_of_a_claim_comes_with_it() {
        assert!(is_first(Some(100), Some(100)) && is_first(Some(100), Some(105)));
        assert!(is_first(Some(100), Some(99)), "a pod may have waited for its claim");
        assert!(!is_first(Some(100), Some(106)));
        assert!(!is_first(None, Some(100)) && !is_first(Some(100), None));
    }
}
