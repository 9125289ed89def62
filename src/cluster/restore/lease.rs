//! One Lease per namespace: the lock against a second grader, and the restore point.
//!
//! It is written before the first change, says which replicas the tour is about to ask for before
//! it asks, and is renewed all the time. A grader that finds it lost writes nothing more
//! ([`Term`]). Whoever finds one that stands judges its holder dead by watching `renewTime` stand
//! still for the whole duration, never by comparing two machines' clocks, and takes the Lease
//! before it puts anything back. Anybody who may write Leases can forge one, so it is not trusted
//! when it is read: see [`super::restore`].

use crate::cluster::client::failure_id;
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
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, Failure, Interrupt,
    client::lease_term::LEASE,
    client::{
        lease_term,
        lease_term::{LEASE_SECONDS, Loss, Term},
        retry::{AWAY, retry_while_unavailable},
    },
    exec::random_word,
    restore::{process_lock, process_lock::ProcessLock},
    writes::{delete::by_uid, scale::Scaled},
};
use crate::console::sanitize::sanitize;

const RESOURCE: &str = "leases.coordination.k8s.io";
const ANNOTATION: &str = "stsgrade/restore-point";
/// What `--cleanup` will have to remove, for whoever finds it undone.
const LITTER: &str = "stsgrade/cleanup";
/// The id of the grader that holds it; by it the grader's own machine knows whether it still runs.
const GRADER: &str = "stsgrade/grader";
/// The most objects that are named.
const MOST_NAMES: usize = 30;
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(10);
/// Between two tries of a renewal that failed, and between two looks at somebody else's Lease.
const PAUSE: Duration = Duration::from_secs(1);
/// How often an update is tried whose place in the Lease's history was another.
const CONFLICTS: u32 = 5;

/// What is needed to put everything back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RestorePoint {
    /// Name of the set.
    pub(crate) set: String,
    /// Its UID.
    pub(crate) uid: String,
    /// `spec.replicas` as found.
    pub(crate) replicas: i32,
    /// The claims that existed.
    pub(crate) claims: Vec<String>,
    /// Files may have been written by a container of our own (`--probe-image`).
    pub(crate) probed: bool,
    /// The replicas that the tour asked for last; absent while it has asked for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asked: Option<i32>,
    /// The replicas before that, until the API server has answered: either may stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<i32>,
    /// `metadata.generation` of the set once `asked` stands: while it is the same, nobody else has
    /// changed the set's spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<i64>,
    /// When the grade last renewed its Lease, in seconds since the epoch by the API server's clock:
    /// written by the first that took the Lease over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<i64>,
}

impl RestorePoint {
    /// Whether a number of replicas is what the grade last asked for, or what it found where it had
    /// asked for nothing yet. Any other is somebody else's.
    pub(crate) fn is_as_asked(&self, replicas: i32) -> bool {
        replicas == self.asked.unwrap_or(self.replicas) || self.before == Some(replicas)
    }

    /// Whether a claim of more pods is there because the grade asked for them: nobody has changed
    /// the set's spec since. Where nobody knows whether the API server took what was asked last,
    /// the claim must have been created while the grade lived.
    ///
    /// `created` is in seconds since the epoch by the API server's clock.
    pub(crate) fn has_caused(&self, found: &Scaled, created: i64) -> bool {
        let Some(generation) = self.generation else { return false };
        let is_asked = self.asked == Some(found.replicas) && generation == found.generation;
        let is_before = self.before == Some(found.replicas) && generation == found.generation + 1;
        is_before
            || is_asked
                && (self.before.is_none() || self.until.is_none_or(|until| created <= until))
    }
}

/// The lock, while we hold it. Clones are the same.
#[derive(Clone)]
pub(crate) struct LeaseGuard(Arc<Inner>);

struct Inner {
    cluster: Cluster,
    uid: String,
    since: Timestamp,
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
    /// `metadata.resourceVersion` after our last update.
    version: String,
    point: Option<RestorePoint>,
    /// The Lease does not say yet what `point` says.
    is_new: bool,
}

/// The Lease that a grade left, or holds.
#[derive(Clone, Debug)]
pub(crate) struct ExistingLease {
    uid: String,
    version: String,
    since: Timestamp,
    /// Absent when it is not readable, or was never written: then nothing had been changed.
    point: Option<RestorePoint>,
    /// What a clean-up that was never made would have removed, as `kubectl delete` takes it.
    pub(crate) litter: Vec<String>,
    /// Who holds it; empty: nobody.
    holder: String,
    /// Since when, as far as it says.
    started: String,
    renewed: Option<Timestamp>,
    duration: Duration,
    /// When it was last written, in seconds since the epoch by the API server's clock.
    written: Option<i64>,
    grader: Option<String>,
}

impl ExistingLease {
    /// What it left is put back.
    pub(crate) fn forget(&self) {
        if let Some(id) = &self.grader {
            process_lock::forget(id);
        }
    }

    /// Why we may not go on while it stands.
    pub(crate) fn failure(&self, cluster: &Cluster) -> Failure {
        let (holder, started, namespace) =
            (sanitize(&self.holder), sanitize(&self.started), sanitize(&cluster.namespace));
        Failure::new(
            "locked",
            format!("someone else is grading namespace {namespace}: {holder}, since {started}"),
            format!(
                "Wait until it is done. If it is dead, its lock ends by itself after \
                {LEASE_SECONDS} s, or use `--force` at once."
            ),
        )
    }

    /// Nobody holds it, or a process of this machine did that is dead.
    fn is_free(&self) -> bool {
        self.holder.is_empty() || self.grader.as_deref().is_some_and(process_lock::is_dead)
    }

    /// Whether it was renewed, or taken, since it looked like `before`.
    fn has_moved(&self, before: &Self) -> bool {
        (&self.uid, &self.holder, &self.grader, self.renewed)
            != (&before.uid, &before.holder, &before.grader, before.renewed)
    }

    /// Takes it over, unless somebody has changed it since; `None` when it is gone.
    ///
    /// # Errors
    /// Somebody was faster. The API server refuses, or cannot be reached.
    pub(crate) async fn take_over(&self, cluster: &Cluster) -> Result<Option<LeaseGuard>, Failure> {
        let (id, alive) = begin()?;
        let mut point = self.point.clone();
        let mut annotations = json!({GRADER: id});
        if let Some(point) = &mut point {
            point.until = point.until.or(self.written);
            annotations[ANNOTATION] = json!(text(point));
        }
        let now = MicroTime(Timestamp::now());
        let patch = json!({
            "metadata": {"uid": self.uid, "resourceVersion": self.version, "annotations": annotations},
            "spec": {"holderIdentity": identity(), "leaseDurationSeconds": LEASE_SECONDS, "acquireTime": now, "renewTime": now},
        });
        let sent = lease_term::now();
        match api(cluster).patch(LEASE, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(lease) => Ok(Some(LeaseGuard::new(cluster, &lease, id, alive, point, sent))),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 409 => match find(cluster).await? {
                // The try whose answer was lost.
                Some(found) if found.grader.as_ref() == Some(&id) => {
                    Ok(Some(found.held(cluster, id, alive, point, sent)))
                }
                Some(found) => Err(found.failure(cluster)),
                None => Ok(None),
            },
            Err(error) => Err(cluster.failure(&error, "patch", RESOURCE, LEASE)),
        }
    }

    fn held(
        &self,
        cluster: &Cluster,
        id: String,
        alive: Option<ProcessLock>,
        point: Option<RestorePoint>,
        sent: Duration,
    ) -> LeaseGuard {
        let state = State { version: self.version.clone(), point, is_new: false };
        let term = Arc::new(Term::new(sent));
        cluster.requests.guard(&cluster.namespace, Arc::clone(&term));
        LeaseGuard(Arc::new(Inner {
            cluster: cluster.clone(),
            uid: self.uid.clone(),
            since: self.since,
            id,
            term,
            state: Mutex::new(state),
            updating: tokio::sync::Mutex::default(),
            _alive: alive,
        }))
    }
}

/// An id for this grade, and the sign that it is at work.
fn begin() -> Result<(String, Option<ProcessLock>), Failure> {
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
pub(crate) async fn take(
    cluster: &Cluster,
    point: Option<&RestorePoint>,
    litter: &[String],
) -> Result<Result<LeaseGuard, Box<ExistingLease>>, Failure> {
    let (id, alive) = begin()?;
    let mut annotations = std::collections::BTreeMap::from([(GRADER.to_owned(), id.clone())]);
    annotations.extend(point.map(|point| (ANNOTATION.to_owned(), text(point))));
    annotations.extend((!litter.is_empty()).then(|| (LITTER.to_owned(), litter.join(" "))));
    let now = MicroTime(Timestamp::now());
    let lease = Lease {
        metadata: ObjectMeta {
            name: Some(LEASE.to_owned()),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(identity()),
            lease_duration_seconds: i32::try_from(LEASE_SECONDS).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }),
    };
    let create = async |again| {
        let sent = lease_term::now();
        match api(cluster).create(&PostParams::default(), &lease).await {
            Ok(lease) => Ok(Ok((found(&lease), sent))),
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
            Err(error) => Err(cluster.failure(&error, "create", RESOURCE, LEASE)),
        }
    };
    let taken = retry_while_unavailable(AWAY, create).await?;
    Ok(taken.map(|(found, sent)| found.held(cluster, id, alive, point.cloned(), sent)))
}

/// The Lease that stands in the namespace, if one does.
async fn find(cluster: &Cluster) -> Result<Option<ExistingLease>, Failure> {
    let lease = api(cluster)
        .get_opt(LEASE)
        .await
        .map_err(|error| cluster.failure(&error, "get", RESOURCE, LEASE))?;
    Ok(lease.map(|lease| found(&lease)))
}

/// The Lease that a dead grader left, if one did; with `force`, also a live one's.
///
/// Nobody knows at once whether a grader elsewhere is dead: its Lease is watched for as long as it
/// lasts, and `say` says so.
///
/// # Errors
/// Its grader is still at work. The API server refuses, or cannot be reached. The watching was
/// interrupted.
pub(crate) async fn find_left(
    cluster: &Cluster,
    force: bool,
    interrupt: &Interrupt,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Option<ExistingLease>, Failure> {
    let Some(first) = find(cluster).await? else { return Ok(None) };
    if force || first.is_free() {
        return Ok(Some(first));
    }
    let namespace = sanitize(&cluster.namespace);
    say(&format!(
        "namespace {namespace} is locked by {}: watching for up to {} s whether it is at work",
        sanitize(&first.holder),
        first.duration.as_secs()
    ));
    let began = lease_term::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = interrupt.first() => return Err(first.failure(cluster)),
        }
        let is_over = lease_term::now().saturating_sub(began) >= first.duration;
        match find(cluster).await {
            Ok(None) => return Ok(None),
            Ok(Some(found)) if found.is_free() => return Ok(Some(found)),
            Ok(Some(found)) if found.has_moved(&first) => return Err(found.failure(cluster)),
            Ok(Some(found)) if is_over => return Ok(Some(found)),
            Err(failure) if !failure.may_pass() => return Err(failure),
            _ => {}
        }
    }
}

fn found(lease: &Lease) -> ExistingLease {
    let spec = lease.spec.clone().unwrap_or_default();
    let annotation = |name| lease.metadata.annotations.as_ref().and_then(|it| it.get(name));
    let seconds =
        spec.lease_duration_seconds.and_then(|it| u64::try_from(it).ok()).unwrap_or_default();
    let written = lease
        .metadata
        .managed_fields
        .iter()
        .flatten()
        .filter_map(|it| it.time.as_ref())
        .map(|it| it.0.as_second())
        .max();
    ExistingLease {
        uid: lease.metadata.uid.clone().unwrap_or_default(),
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        since: lease.metadata.creation_timestamp.as_ref().map_or_else(Timestamp::now, |it| it.0),
        point: annotation(ANNOTATION).and_then(|it| serde_json::from_str(it).ok()),
        litter: annotation(LITTER).map(|it| names(it)).unwrap_or_default(),
        holder: spec.holder_identity.unwrap_or_default(),
        started: spec.acquire_time.map(|it| it.0.to_string()).unwrap_or_default(),
        renewed: spec.renew_time.map(|it| it.0),
        // No grader asks for more.
        duration: Duration::from_secs(seconds.min(LEASE_SECONDS)),
        written,
        grader: annotation(GRADER).cloned(),
    }
}

/// The names in it that are harmless in a shell.
fn names(text: &str) -> Vec<String> {
    let is_name = |it: &&str| {
        it.starts_with(|c: char| c.is_ascii_lowercase())
            && it.bytes().all(|c| c.is_ascii_alphanumeric() || b"-./".contains(&c))
    };
    text.split(' ').filter(is_name).take(MOST_NAMES).map(str::to_owned).collect()
}

impl LeaseGuard {
    fn new(
        cluster: &Cluster,
        lease: &Lease,
        id: String,
        alive: Option<ProcessLock>,
        point: Option<RestorePoint>,
        sent: Duration,
    ) -> Self {
        found(lease).held(cluster, id, alive, point, sent)
    }

    /// When it was created, by the API server's clock.
    pub(crate) fn since(&self) -> Timestamp {
        self.0.since
    }

    /// What to go back to, once that is known.
    pub(crate) fn point(&self) -> Option<RestorePoint> {
        self.state().point.clone()
    }

    /// Why it is lost, if it is.
    pub(crate) fn loss(&self) -> Option<Loss> {
        self.0.term.loss()
    }

    /// Waits until it is lost.
    pub(crate) async fn lost(&self) -> Loss {
        self.0.term.lost().await
    }

    /// Adds the restore point, before the first change.
    ///
    /// # Errors
    /// The Lease is lost. The API server refuses, or cannot be reached.
    pub(crate) async fn write(&self, point: &RestorePoint) -> Result<(), Failure> {
        self.note_point(|known| *known = Some(point.clone()));
        retry_while_unavailable(AWAY, async |_| self.update(json!({}), json!({})).await).await
    }

    /// Says what `--cleanup` will have to remove.
    ///
    /// # Errors
    /// The Lease is lost. The API server refuses, or cannot be reached.
    pub(crate) async fn note(&self, litter: &[String]) -> Result<(), Failure> {
        let annotations = json!({LITTER: litter.join(" ")});
        retry_while_unavailable(AWAY, async |_| self.update(annotations.clone(), json!({})).await)
            .await
    }

    /// Says that so many replicas are about to be asked for, where the set has `before` and is at
    /// that generation. Until [`LeaseGuard::asked`], those before may stand as well.
    ///
    /// # Errors
    /// The Lease is lost. The API server refuses, or cannot be reached.
    pub(crate) async fn asking(
        &self,
        replicas: i32,
        before: &Scaled,
        within: Duration,
    ) -> Result<(), Failure> {
        self.note_point(|known| {
            if let Some(point) = known {
                point.before = Some(before.replicas);
                point.asked = Some(replicas);
                point.generation = Some(before.generation + 1);
            }
        });
        retry_while_unavailable(within, async |_| self.update(json!({}), json!({})).await).await
    }

    /// Says that the API server has taken them. If this fails, the next renewal says so.
    pub(crate) async fn asked(&self) {
        self.note_point(|known| {
            if let Some(point) = known {
                point.before = None;
            }
        });
        let _ = self.update(json!({}), json!({})).await;
    }

    /// Renews it for as long as it is polled, or until it is lost.
    pub(crate) async fn keep(&self) -> Loss {
        let mut pause = RENEWAL;
        loop {
            tokio::time::sleep(pause).await;
            let renewed = self.update(json!({}), json!({})).await;
            if let Some(loss) = self.loss() {
                return loss;
            }
            // It lasts for several renewals: one that fails is made good by the next.
            pause = if renewed.is_ok() { RENEWAL } else { PAUSE };
        }
    }

    /// Takes it again after it was not renewed in time, unless somebody else has changed it since;
    /// whether it is ours.
    pub(crate) async fn take_again(&self) -> bool {
        match self.loss() {
            None => return true,
            Some(loss) if !loss.by_time => return false,
            Some(_) => {}
        }
        let again = async |_| {
            let sent = lease_term::now();
            match self.patch(json!({}), json!({"holderIdentity": identity()})).await {
                Ok(lease) => {
                    self.state().version = lease.metadata.resource_version.unwrap_or_default();
                    self.0.term.begin_again(sent);
                    Ok(())
                }
                Err(error) => Err(self.0.cluster.failure(&error, "patch", RESOURCE, LEASE)),
            }
        };
        retry_while_unavailable(AWAY, again).await.is_ok()
    }

    /// Lets whoever comes next finish what is left.
    ///
    /// # Errors
    /// The Lease is lost. The API server refuses, or cannot be reached.
    pub(crate) async fn leave(&self) -> Result<(), Failure> {
        let left = self.update(json!({}), json!({"holderIdentity": ""})).await;
        self.0.cluster.requests.unguard(&self.0.cluster.namespace);
        left
    }

    /// Takes it away.
    ///
    /// # Errors
    /// The Lease is lost. The API server refuses, or cannot be reached.
    pub(crate) async fn release(&self) -> Result<(), Failure> {
        let _one = self.0.updating.lock().await;
        if let Some(loss) = self.loss() {
            return Err(lease_term::failure(&loss));
        }
        let cluster = &self.0.cluster;
        let delete = async |_| {
            let mut how = by_uid(&self.0.uid);
            if let Some(preconditions) = &mut how.preconditions {
                preconditions.resource_version = Some(self.state().version.clone());
            }
            match api(cluster).delete(LEASE, &how).await {
                Ok(_) => Ok(()),
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    match self.look_again().await? {
                        // An update of ours whose answer was lost: once more.
                        true => Err(Failure::new(
                            failure_id::BUSY,
                            "the lock was changed by ourselves",
                            "Try again.",
                        )),
                        false => Err(self.loss().map_or_else(
                            || Failure::new("locked", "the lock is gone", "Try again."),
                            |loss| lease_term::failure(&loss),
                        )),
                    }
                }
                Err(error) => Err(cluster.failure(&error, "delete", RESOURCE, LEASE)),
            }
        };
        let released = retry_while_unavailable(AWAY, delete).await;
        cluster.requests.unguard(&cluster.namespace);
        released
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_point(&self, change: impl FnOnce(&mut Option<RestorePoint>)) {
        let mut state = self.state();
        let before = state.point.clone();
        change(&mut state.point);
        state.is_new |= state.point != before;
    }

    /// Renews it, with these changes and whatever it does not say yet of the restore point.
    async fn update(&self, annotations: Value, spec: Value) -> Result<(), Failure> {
        let _one = self.0.updating.lock().await;
        for _ in 0..CONFLICTS {
            if let Some(loss) = self.loss() {
                return Err(lease_term::failure(&loss));
            }
            let sent = lease_term::now();
            match self.patch(annotations.clone(), spec.clone()).await {
                Ok(lease) => {
                    self.state().version = lease.metadata.resource_version.unwrap_or_default();
                    self.0.term.renew(sent);
                    return Ok(());
                }
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                    if !self.look_again().await? {
                        break;
                    }
                }
                Err(error) => return Err(self.0.cluster.failure(&error, "patch", RESOURCE, LEASE)),
            }
        }
        let loss = self.loss().unwrap_or_else(|| Loss {
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
                state.version = found.version;
                // Nobody knows which updates it holds.
                state.is_new |= state.point.is_some();
                return Ok(true);
            }
            Some(found) if found.holder.is_empty() => "somebody freed it".to_owned(),
            Some(found) => format!("{} holds it now", sanitize(&found.holder)),
            None => "somebody deleted it".to_owned(),
        };
        inner.term.lose(Loss { why, by_time: false });
        Ok(false)
    }

    /// One conditional write: refused where anybody has changed the Lease since our last one.
    async fn patch(&self, mut annotations: Value, mut spec: Value) -> Result<Lease, kube::Error> {
        let (version, point) = {
            let state = self.state();
            (state.version.clone(), state.point.clone().filter(|_| state.is_new))
        };
        if let Some(point) = &point {
            annotations[ANNOTATION] = json!(text(point));
        }
        spec["renewTime"] = json!(MicroTime(Timestamp::now()));
        let patch = json!({"metadata": {"uid": self.0.uid, "resourceVersion": version, "annotations": annotations}, "spec": spec});
        let lease = api(&self.0.cluster)
            .patch(LEASE, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        let mut state = self.state();
        if state.point == point {
            state.is_new = false;
        }
        Ok(lease)
    }
}

fn api(cluster: &Cluster) -> Api<Lease> {
    Api::namespaced(cluster.client.clone(), &cluster.namespace)
}

fn text(point: &RestorePoint) -> String {
    // A struct of strings and numbers always has a JSON form.
    serde_json::to_string(point).unwrap_or_default()
}

/// Who grades, for the message that a second grader gets.
fn identity() -> String {
    let who = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "somebody".to_owned());
    format!("{who}@{} (process {})", process_lock::host(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::{RestorePoint, Scaled, names};

    /// Catches a student's own scaling that is undone, and claims of theirs that are deleted.
    #[test]
    fn what_a_grade_asked_for_is_told_from_what_others_did() {
        let found = |replicas, generation| Scaled { replicas, generation, ..Scaled::default() };
        let new = RestorePoint { replicas: 3, ..RestorePoint::default() };
        assert!(new.is_as_asked(3) && !new.is_as_asked(5));
        assert!(
            !new.has_caused(&found(3, 1), 0),
            "it has asked for nothing, so nothing is its doing"
        );
        let asking = RestorePoint {
            asked: Some(5),
            before: Some(3),
            generation: Some(2),
            until: Some(100),
            ..new
        };
        assert!(asking.is_as_asked(5) && asking.is_as_asked(3) && !asking.is_as_asked(4));
        assert!(asking.has_caused(&found(5, 2), 100));
        assert!(
            !asking.has_caused(&found(5, 2), 101),
            "somebody else may have asked for the same after the grade had died"
        );
        assert!(asking.has_caused(&found(3, 1), 101), "nobody has asked for anything");
        assert!(!asking.has_caused(&found(3, 3), 100));
        let asked = RestorePoint { before: None, ..asking };
        assert!(asked.is_as_asked(5) && !asked.is_as_asked(3));
        assert!(
            asked.has_caused(&found(5, 2), 101),
            "the set's controller goes on when the grade is dead"
        );
        assert!(!asked.has_caused(&found(5, 4), 100), "somebody scaled it to 3 and back");
    }

    /// Catches a forged Lease whose words somebody pastes into a shell.
    #[test]
    fn only_names_are_told_from_a_lease() {
        assert_eq!(
            names("statefulset/web service/web-0.a"),
            ["statefulset/web", "service/web-0.a"]
        );
        assert_eq!(names("a;b $(c) `d` -f --all \u{202e}x a\nb  "), Vec::<String>::new());
        assert_eq!(names(&"a ".repeat(1000)).len(), super::MOST_NAMES);
    }
}
