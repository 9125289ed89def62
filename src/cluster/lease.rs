//! One Lease per namespace: the lock against a second grader, and the restore point.
//!
//! It is written before the first change and holds what is needed to put everything back after a
//! crash. Anybody who may write Leases can forge it, so it is not trusted when it is read: see
//! [`super::restore`].

use std::{sync::Arc, time::Duration};

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
use serde_json::json;

use super::{
    Cluster, Failure,
    alive::{self, Alive},
    deletion::by_uid,
    preflight::LEASE,
};
use crate::untrusted::show;

const RESOURCE: &str = "leases.coordination.k8s.io";
const ANNOTATION: &str = "stsgrade/restore-point";
/// What `--cleanup` will have to remove, for whoever finds it undone.
const LITTER: &str = "stsgrade/cleanup";
/// The id by which the grader's own machine knows whether it still runs.
const GRADER: &str = "stsgrade/grader";
/// The most objects that are named.
const MOST_NAMES: usize = 30;
/// Not renewed for so long, a Lease is a dead grader's.
const LIVES: i32 = 60;
/// How often it is renewed.
pub(super) const RENEWAL: Duration = Duration::from_secs(20);

/// What is needed to put everything back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RestorePoint {
    /// Name of the set.
    pub(super) set: String,
    /// Its UID.
    pub(super) uid: String,
    /// `spec.replicas` as found.
    pub(super) replicas: i32,
    /// The claims that existed.
    pub(super) claims: Vec<String>,
    /// Files may have been written by a container of our own (`--probe-image`).
    pub(super) probed: bool,
}

/// The lock, while we hold it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    uid: String,
    /// When it was written, by the server's clock.
    pub(super) since: Timestamp,
    /// Tells this machine that we are at work; absent for a Lease that was found.
    _alive: Option<Arc<Alive>>,
}

/// The Lease that a grade left, or holds.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) held: Held,
    /// Absent when it is not readable, or was never written: then nothing had been changed.
    pub(super) point: Option<RestorePoint>,
    /// What a clean-up that was never made would have removed, as `kubectl delete` takes it.
    pub(super) litter: Vec<String>,
    /// Who holds it.
    pub(super) holder: String,
    /// Since when, as far as it says.
    pub(super) started: String,
    /// It was renewed within its time, and not by a process of this machine that is dead.
    pub(super) lives: bool,
    grader: Option<String>,
}

impl Found {
    /// What it left is put back.
    pub(super) fn forget(&self) {
        if let Some(id) = &self.grader {
            alive::forget(id);
        }
    }

    /// Why we may not go on while it stands.
    pub(super) fn failure(&self, cluster: &Cluster) -> Failure {
        let (holder, started, namespace) = (show(&self.holder), show(&self.started), show(&cluster.namespace));
        Failure::new(
            "locked",
            format!("someone else is grading namespace {namespace}: {holder}, since {started}"),
            format!("Wait until it is done. If it is dead, its lock ends by itself after {LIVES} s, or use `--force` at once."),
        )
    }
}

/// Writes the Lease; `Ok(Err(…))` when there is one already.
///
/// # Errors
/// The API server refuses, or cannot be reached.
pub(super) async fn take(cluster: &Cluster, point: Option<&RestorePoint>, litter: &[String]) -> Result<Result<Held, Box<Found>>, Failure> {
    let now = MicroTime(Timestamp::now());
    let alive = Alive::begin().map(Arc::new);
    let point = point.map(|point| (ANNOTATION.to_owned(), text(point)));
    let litter = (!litter.is_empty()).then(|| (LITTER.to_owned(), litter.join(" ")));
    let annotations = point.into_iter().chain(litter).chain(alive.as_ref().map(|it| (GRADER.to_owned(), it.id().to_owned()))).collect();
    let lease = Lease {
        metadata: ObjectMeta { name: Some(LEASE.to_owned()), annotations: Some(annotations), ..ObjectMeta::default() },
        spec: Some(LeaseSpec {
            holder_identity: Some(identity()),
            lease_duration_seconds: Some(LIVES),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }),
    };
    match api(cluster).create(&PostParams::default(), &lease).await {
        Ok(lease) => Ok(Ok(Held { _alive: alive, ..held(&lease) })),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => match find(cluster).await? {
            Some(found) => Ok(Err(Box::new(found))),
            None => Err(Failure::new("locked", "another grader has just ended", "Try again.")),
        },
        Err(error) => Err(cluster.failure(&error, "create", RESOURCE, LEASE)),
    }
}

/// The Lease that stands in the namespace, if one does.
///
/// # Errors
/// The API server refuses, or cannot be reached.
async fn find(cluster: &Cluster) -> Result<Option<Found>, Failure> {
    let lease = api(cluster).get_opt(LEASE).await.map_err(|error| cluster.failure(&error, "get", RESOURCE, LEASE))?;
    Ok(lease.map(|lease| found(&lease)))
}

/// The Lease that a dead grader left, if one did; with `force`, also a live one's.
///
/// # Errors
/// Its grader is still at work. The API server refuses, or cannot be reached.
pub(super) async fn find_left(cluster: &Cluster, force: bool) -> Result<Option<Found>, Failure> {
    match find(cluster).await? {
        Some(found) if found.lives && !force => Err(found.failure(cluster)),
        left => Ok(left),
    }
}

fn found(lease: &Lease) -> Found {
    let spec = lease.spec.clone().unwrap_or_default();
    let annotation = |name| lease.metadata.annotations.as_ref().and_then(|it| it.get(name));
    let grader = annotation(GRADER).cloned();
    let renewed = spec.renew_time.map(|it| it.0);
    let lives = Duration::from_secs(u64::try_from(spec.lease_duration_seconds.unwrap_or(0).clamp(0, 10 * LIVES)).unwrap_or(0));
    Found {
        held: held(lease),
        point: annotation(ANNOTATION).and_then(|it| serde_json::from_str(it).ok()),
        litter: annotation(LITTER).map(|it| names(it)).unwrap_or_default(),
        holder: spec.holder_identity.unwrap_or_default(),
        started: spec.acquire_time.map(|it| it.0.to_string()).unwrap_or_default(),
        // Two machines' clocks may differ: what was renewed in the future lives.
        lives: renewed.is_some_and(|it| Timestamp::now().as_second() < it.as_second().saturating_add(i64::try_from(lives.as_secs()).unwrap_or(0)))
            && !grader.as_deref().is_some_and(alive::is_dead),
        grader,
    }
}

/// The names in it that are harmless in a shell.
fn names(text: &str) -> Vec<String> {
    let is_name = |it: &&str| it.starts_with(|c: char| c.is_ascii_lowercase()) && it.bytes().all(|c| c.is_ascii_alphanumeric() || b"-./".contains(&c));
    text.split(' ').filter(is_name).take(MOST_NAMES).map(str::to_owned).collect()
}

fn held(lease: &Lease) -> Held {
    let since = lease.metadata.creation_timestamp.as_ref().map_or_else(Timestamp::now, |it| it.0);
    Held { uid: lease.metadata.uid.clone().unwrap_or_default(), since, _alive: None }
}

impl Held {
    /// Adds the restore point, before the first change.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached.
    pub(super) async fn write(&self, cluster: &Cluster, point: &RestorePoint) -> Result<(), Failure> {
        self.patch(
            cluster,
            json!({"metadata": {"uid": self.uid, "annotations": {ANNOTATION: text(point)}}, "spec": {"renewTime": MicroTime(Timestamp::now())}}),
        )
        .await
    }

    /// Says what `--cleanup` will have to remove.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached.
    pub(super) async fn note(&self, cluster: &Cluster, litter: &[String]) -> Result<(), Failure> {
        self.patch(cluster, json!({"metadata": {"uid": self.uid, "annotations": {LITTER: litter.join(" ")}}})).await
    }

    /// Says that we are still at it.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached.
    pub(super) async fn renew(&self, cluster: &Cluster) -> Result<(), Failure> {
        self.patch(cluster, json!({"metadata": {"uid": self.uid}, "spec": {"renewTime": MicroTime(Timestamp::now())}})).await
    }

    /// Lets whoever comes next finish what is left.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached.
    pub(super) async fn leave(&self, cluster: &Cluster) -> Result<(), Failure> {
        self.patch(cluster, json!({"metadata": {"uid": self.uid}, "spec": {"leaseDurationSeconds": 1}})).await
    }

    /// Takes it away.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached.
    pub(super) async fn release(&self, cluster: &Cluster) -> Result<(), Failure> {
        match api(cluster).delete(LEASE, &by_uid(&self.uid)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(cluster.failure(&error, "delete", RESOURCE, LEASE)),
        }
    }

    async fn patch(&self, cluster: &Cluster, patch: serde_json::Value) -> Result<(), Failure> {
        let answer = api(cluster).patch(LEASE, &PatchParams::default(), &Patch::Merge(patch)).await;
        answer.map(|_| ()).map_err(|error| cluster.failure(&error, "patch", RESOURCE, LEASE))
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
    let who = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "somebody".to_owned());
    format!("{who}@{} (process {})", alive::host(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::names;

    /// Catches a forged Lease whose words somebody pastes into a shell.
    #[test]
    fn only_names_are_told_from_a_lease() {
        assert_eq!(names("statefulset/web service/web-0.a"), ["statefulset/web", "service/web-0.a"]);
        assert_eq!(names("a;b $(c) `d` -f --all \u{202e}x a\nb  "), Vec::<String>::new());
        assert_eq!(names(&"a ".repeat(1000)).len(), super::MOST_NAMES);
    }
}
