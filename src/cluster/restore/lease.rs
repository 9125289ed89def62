//! One Lease per namespace: it keeps a second grader away, and holds the restore point.
//!
//! It is written before the first change, says which replicas the tour is about to ask for before
//! it asks, and is renewed all the time. A grader that finds it lost writes nothing more
//! ([`Term`]). Whoever finds one that stands judges its holder dead by watching `renewTime` stand
//! still for the whole duration, never by comparing two machines' clocks, and takes the Lease
//! before it puts anything back. Anybody who may write Leases can forge one, so it is not trusted
//! when it is read: see [`crate::cluster::restore`].

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, Failure,
    client::{
        failure_id, lease_term,
        lease_term::{LEASE_NAME, LEASE_SECONDS, LostLease, Term},
        retry::{MAX_UNAVAILABILITY, retry_before_changes, retry_while_unavailable},
    },
    exec::random_word,
    restore::{
        existing_lease::{ExistingLease, find, last_written, read_lease},
        process_lock,
        process_lock::ProcessLock,
        restore_point::RestorePoint,
    },
    writes::{delete::by_uid, scale::CurrentSet},
};
use crate::console::sanitize::sanitize;

pub(super) const RESOURCE: &str = "leases.coordination.k8s.io";
pub(super) const RESTORE_POINT_ANNOTATION: &str = "stsgrade/restore-point";
/// What `--cleanup` will have to remove, for whoever finds it undone.
pub(super) const CLEANUP_ANNOTATION: &str = "stsgrade/cleanup";
/// The id of the grader that holds it; by it the grader's own machine knows whether it still runs.
pub(super) const GRADER_ANNOTATION: &str = "stsgrade/grader";
/// How often it is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// Between two tries of a renewal that failed, and between two looks at somebody else's Lease.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often an update is tried again because the Lease had changed since it was read.
const MAX_CONFLICTS: u32 = 5;

/// The Lease, while it is ours. Clones are the same.
#[derive(Clone)]
pub(crate) struct OwnLease(Arc<Inner>);

struct Inner {
    cluster: Cluster,
    uid: String,
    creation_timestamp: Timestamp,
    /// Our id, as the Lease says it.
    id: String,
    term: Arc<Term>,
    state: Mutex<State>,
    /// One update at a time: each must know where the one before it left the Lease.
    updating: tokio::sync::Mutex<()>,
    /// Tells this machine that we are at work; absent where no file can be locked.
    _alive: Option<ProcessLock>,
}

struct State {
    /// After our last update.
    resource_version: String,
    /// When that was, in seconds since the epoch by the API server's clock.
    written: Option<i64>,
    point: Option<RestorePoint>,
    /// The Lease does not say yet what `point` says.
    point_is_unwritten: bool,
}

impl ExistingLease {
    /// The Lease, once it is ours.
    pub(super) fn to_own(
        &self,
        cluster: &Cluster,
        id: String,
        alive: Option<ProcessLock>,
        point: Option<RestorePoint>,
        sent: Duration,
    ) -> OwnLease {
        let (resource_version, written) = (self.resource_version.clone(), self.written);
        let state = State { resource_version, written, point, point_is_unwritten: false };
        let term = Arc::new(Term::new(sent));
        cluster.requests.require_lease(&cluster.namespace, Arc::clone(&term));
        OwnLease(Arc::new(Inner {
            cluster: cluster.clone(),
            uid: self.uid.clone(),
            creation_timestamp: self.creation_timestamp,
            id,
            term,
            state: Mutex::new(state),
            updating: tokio::sync::Mutex::default(),
            _alive: alive,
        }))
    }
}

/// An id for this grade, and the sign that it is at work.
pub(super) fn begin() -> Result<(String, Option<ProcessLock>), Failure> {
    let alive = ProcessLock::begin();
    let id = match &alive {
        Some(alive) => alive.id().to_owned(),
        None => {
            random_word().map_err(|why| Failure::new("system", why.to_string(), "Run it again."))?
        }
    };
    Ok((id, alive))
}

/// Writes the Lease; `Ok(Err(…))` when there is one already.
///
/// # Errors
/// The API server refuses, or cannot be reached.
pub(crate) async fn acquire(
    cluster: &Cluster,
    point: Option<&RestorePoint>,
    removals: &[String],
) -> Result<Result<OwnLease, Box<ExistingLease>>, Failure> {
    let (id, alive) = begin()?;
    let mut annotations =
        std::collections::BTreeMap::from([(GRADER_ANNOTATION.to_owned(), id.clone())]);
    annotations.extend(point.map(|point| (RESTORE_POINT_ANNOTATION.to_owned(), text(point))));
    annotations.extend(
        (!removals.is_empty()).then(|| (CLEANUP_ANNOTATION.to_owned(), removals.join(" "))),
    );
    let now = MicroTime(Timestamp::now());
    let lease = Lease {
        metadata: ObjectMeta {
            name: Some(LEASE_NAME.to_owned()),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder_identity()),
            lease_duration_seconds: i32::try_from(LEASE_SECONDS).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }),
    };
    let create = async |again| {
        let sent = lease_term::now();
        match api(cluster).create(&PostParams::default(), &lease).await {
            Ok(lease) => Ok(Ok((read_lease(&lease), sent))),
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
                match find(cluster).await? {
                    // The try whose answer was lost.
                    Some(found) if again && found.grader.as_ref() == Some(&id) => {
                        Ok(Ok((found, sent)))
                    }
                    Some(found) => Ok(Err(Box::new(found))),
                    None => {
                        Err(Failure::new("locked", "another grader has just ended", "Try again."))
                    }
                }
            }
            Err(error) => Err(cluster.failure(&error, "create", RESOURCE, LEASE_NAME)),
        }
    };
    let taken = retry_before_changes(MAX_UNAVAILABILITY, create).await?;
    Ok(taken.map(|(found, sent)| found.to_own(cluster, id, alive, point.cloned(), sent)))
}

impl OwnLease {
    pub(super) fn new(
        cluster: &Cluster,
        lease: &Lease,
        id: String,
        alive: Option<ProcessLock>,
        point: Option<RestorePoint>,
        sent: Duration,
    ) -> Self {
        read_lease(lease).to_own(cluster, id, alive, point, sent)
    }

    /// When it was created, by the API server's clock.
    pub(crate) fn creation_timestamp(&self) -> Timestamp {
        self.0.creation_timestamp
    }

    /// What to go back to, once that is known.
    pub(crate) fn point(&self) -> Option<RestorePoint> {
        self.state().point.clone()
    }

    /// Why it is lost, if it is.
    pub(crate) fn loss(&self) -> Option<LostLease> {
        self.0.term.loss()
    }

    /// Waits until it is lost.
    pub(crate) async fn lost(&self) -> LostLease {
        self.0.term.lost().await
    }

    /// Adds the restore point, before the first change.
    ///
    /// # Errors
    /// The Lease is lost. The API server refuses, or cannot be reached.
    pub(crate) async fn write(&self, point: &RestorePoint) -> Result<(), Failure> {
        self.note_point(|known| *known = Some(point.clone()));
        retry_while_unavailable(MAX_UNAVAILABILITY, async |_| {
            self.update(json!({}), json!({})).await
        })
        .await
    }

    /// Says what `--cleanup` will have to remove.
    ///
    /// # Errors
    /// The Lease is lost. The API server refuses, or cannot be reached.
    pub(crate) async fn announce_removals(&self, removals: &[String]) -> Result<(), Failure> {
        let annotations = json!({CLEANUP_ANNOTATION: removals.join(" ")});
        retry_while_unavailable(MAX_UNAVAILABILITY, async |_| {
            self.update(annotations.clone(), json!({})).await
        })
        .await
    }

    /// Says that so many replicas are about to be asked for, where the set has `before` and is at
    /// that generation, and these claims stand. Until [`OwnLease::replicas_accepted`], those before
    /// may stand as well.
    ///
    /// # Errors
    /// The Lease is lost. The API server refuses, or cannot be reached.
    pub(crate) async fn asking(
        &self,
        replicas: i32,
        before: &CurrentSet,
        claims: Vec<String>,
        within: Duration,
    ) -> Result<(), Failure> {
        self.note_point(|known| {
            if let Some(point) = known {
                point.ask(replicas, before, claims);
            }
        });
        retry_while_unavailable(within, async |_| self.update(json!({}), json!({})).await).await
    }

    /// Says that the API server has taken them. If this fails, the next renewal says so.
    pub(crate) async fn replicas_accepted(&self) {
        self.note_point(|known| {
            if let Some(point) = known {
                point.before = None;
            }
        });
        let _ = self.update(json!({}), json!({})).await;
    }

    /// Renews it for as long as it is polled, or until it is lost.
    pub(crate) async fn renew_until_lost(&self) -> LostLease {
        let mut pause = RENEW_EVERY;
        loop {
            tokio::time::sleep(pause).await;
            let renewed = self.update(json!({}), json!({})).await;
            if let Some(loss) = self.loss() {
                return loss;
            }
            // It lasts for several renewals: one that fails is made good by the next.
            pause = if renewed.is_ok() { RENEW_EVERY } else { RETRY_PAUSE };
        }
    }

    /// Takes it again after it was not renewed in time, unless somebody else has changed it since;
    /// whether it is ours.
    ///
    /// Somebody may have worked here meanwhile, so from then on we are our own successor: the
    /// restore point says until when we were at work, as after [`ExistingLease::take_over`].
    pub(crate) async fn take_again(&self) -> bool {
        match self.loss() {
            None => return true,
            Some(loss) if !loss.by_time => return false,
            Some(_) => {}
        }
        let until = self.last_written();
        self.note_point(|known| {
            if let Some(point) = known {
                point.until = point.until.or(Some(until));
            }
        });
        let again = async |_| {
            let sent = lease_term::now();
            match self.patch(json!({}), json!({"holderIdentity": holder_identity()})).await {
                Ok(lease) => {
                    self.note_written(&lease);
                    self.0.term.begin_again(sent);
                    Ok(())
                }
                // An update of ours whose answer was lost: once more.
                Err(kube::Error::Api(status))
                    if status.code == 409 && self.look_again().await? =>
                {
                    Err(changed_by_ourselves())
                }
                Err(error) => Err(self.0.cluster.failure(&error, "patch", RESOURCE, LEASE_NAME)),
            }
        };
        retry_while_unavailable(MAX_UNAVAILABILITY, again).await.is_ok()
    }

    /// Empties its holder: whoever comes next finishes what is left.
    ///
    /// # Errors
    /// The Lease is lost. The API server refuses, or cannot be reached.
    pub(crate) async fn release(&self) -> Result<(), Failure> {
        let released = self.update(json!({}), json!({"holderIdentity": ""})).await;
        self.0.cluster.requests.require_no_lease(&self.0.cluster.namespace);
        released
    }

    /// Deletes it.
    ///
    /// # Errors
    /// The Lease is lost. The API server refuses, or cannot be reached.
    pub(crate) async fn delete(&self) -> Result<(), Failure> {
        let _one = self.0.updating.lock().await;
        if let Some(loss) = self.loss() {
            return Err(lease_term::failure(&loss));
        }
        let cluster = &self.0.cluster;
        let delete = async |_| {
            let mut how = by_uid(&self.0.uid);
            if let Some(preconditions) = &mut how.preconditions {
                preconditions.resource_version = Some(self.state().resource_version.clone());
            }
            match api(cluster).delete(LEASE_NAME, &how).await {
                Ok(_) => Ok(()),
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    match self.look_again().await? {
                        // An update of ours whose answer was lost: once more.
                        true => Err(changed_by_ourselves()),
                        false => Err(self.loss().map_or_else(
                            || Failure::new("locked", "the Lease is gone", "Try again."),
                            |loss| lease_term::failure(&loss),
                        )),
                    }
                }
                Err(error) => Err(cluster.failure(&error, "delete", RESOURCE, LEASE_NAME)),
            }
        };
        let deleted = retry_while_unavailable(MAX_UNAVAILABILITY, delete).await;
        cluster.requests.require_no_lease(&cluster.namespace);
        deleted
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it was last written, in seconds since the epoch: by the API server's clock, or by this
    /// machine's where the Lease does not tell.
    fn last_written(&self) -> i64 {
        let age = i64::try_from(self.0.term.age().as_secs()).unwrap_or(i64::MAX);
        let by_our_clock = || Timestamp::now().as_second().saturating_sub(age);
        self.state().written.unwrap_or_else(by_our_clock)
    }

    /// Takes note of an update that the API server took.
    fn note_written(&self, lease: &Lease) {
        let mut state = self.state();
        state.resource_version = lease.metadata.resource_version.clone().unwrap_or_default();
        state.written = last_written(lease);
    }

    fn note_point(&self, change: impl FnOnce(&mut Option<RestorePoint>)) {
        let mut state = self.state();
        let before = state.point.clone();
        change(&mut state.point);
        state.point_is_unwritten |= state.point != before;
    }

    /// Renews it, with these changes and whatever it does not say yet of the restore point.
    async fn update(&self, annotations: Value, spec: Value) -> Result<(), Failure> {
        let _one = self.0.updating.lock().await;
        for _ in 0..MAX_CONFLICTS {
            if let Some(loss) = self.loss() {
                return Err(lease_term::failure(&loss));
            }
            let sent = lease_term::now();
            match self.patch(annotations.clone(), spec.clone()).await {
                Ok(lease) => {
                    self.note_written(&lease);
                    self.0.term.renew(sent);
                    return Ok(());
                }
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                    if !self.look_again().await? {
                        break;
                    }
                }
                Err(error) => {
                    return Err(self.0.cluster.failure(&error, "patch", RESOURCE, LEASE_NAME));
                }
            }
        }
        let loss = self.loss().unwrap_or_else(|| LostLease {
            why: "somebody changes it all the time".to_owned(),
            by_time: false,
        });
        self.0.term.lose(loss.clone());
        Err(lease_term::failure(&loss))
    }

    /// After a conflict: whether the Lease is still ours, changed by an update whose answer was
    /// lost. If not, it is lost.
    async fn look_again(&self) -> Result<bool, Failure> {
        let inner = &self.0;
        let why = match find(&inner.cluster).await? {
            Some(found) if found.uid == inner.uid && found.grader.as_ref() == Some(&inner.id) => {
                let mut state = self.state();
                (state.resource_version, state.written) = (found.resource_version, found.written);
                // Nobody knows which updates it holds.
                state.point_is_unwritten |= state.point.is_some();
                return Ok(true);
            }
            Some(found) if found.holder.is_empty() => "somebody freed it".to_owned(),
            Some(found) => format!("{} holds it now", sanitize(&found.holder)),
            None => "somebody deleted it".to_owned(),
        };
        inner.term.lose(LostLease { why, by_time: false });
        Ok(false)
    }

    /// One conditional write: refused where anybody has changed the Lease since our last one.
    async fn patch(&self, mut annotations: Value, mut spec: Value) -> Result<Lease, kube::Error> {
        let (version, point) = {
            let state = self.state();
            (
                state.resource_version.clone(),
                state.point.clone().filter(|_| state.point_is_unwritten),
            )
        };
        if let Some(point) = &point {
            annotations[RESTORE_POINT_ANNOTATION] = json!(text(point));
        }
        spec["renewTime"] = json!(MicroTime(Timestamp::now()));
        let patch = json!({"metadata": {"uid": self.0.uid, "resourceVersion": version, "annotations": annotations}, "spec": spec});
        let lease = api(&self.0.cluster)
            .patch(LEASE_NAME, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        let mut state = self.state();
        if state.point == point {
            state.point_is_unwritten = false;
        }
        Ok(lease)
    }
}

pub(super) fn api(cluster: &Cluster) -> Api<Lease> {
    Api::namespaced(cluster.client.clone(), &cluster.namespace)
}

pub(super) fn text(point: &RestorePoint) -> String {
    // A struct of strings and numbers always has a JSON form.
    serde_json::to_string(point).unwrap_or_default()
}

/// What is tried once more with the newer version.
fn changed_by_ourselves() -> Failure {
    Failure::new(failure_id::BUSY, "the Lease was changed by ourselves", "Try again.")
}

/// Who grades, for the message that a second grader gets.
pub(super) fn holder_identity() -> String {
    let who = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "somebody".to_owned());
    let host = process_lock::host().unwrap_or_else(|| "a machine".to_owned());
    format!("{who}@{host} (process {})", std::process::id())
}

#[cfg(test)]
mod tests;
