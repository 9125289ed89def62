//! A Lease that stands in the namespace: whose it is, whether its holder is at work, and taking it
//! over.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::cluster::{
    Cluster, Failure, Interrupt,
    client::{
        lease_term,
        lease_term::{LEASE_NAME, LEASE_SECONDS},
    },
    restore::{
        lease::{
            CLEANUP_ANNOTATION, GRADER_ANNOTATION, OwnLease, RESOURCE, RESTORE_POINT_ANNOTATION,
            RETRY_PAUSE, api, begin, holder_identity, text,
        },
        process_lock,
        restore_point::RestorePoint,
    },
};
use crate::console::sanitize::{clip, sanitize};

/// The most objects that are named.
const MAX_NAMES: usize = 30;

/// How much is shown of a restore point that cannot be read.
const MAX_TEXT_CHARS: usize = 200;

/// What a Lease says of how the set was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SavedPoint {
    /// Nothing yet: then nothing had been changed.
    NeverWritten,
    /// Something that is no restore point: nobody knows what had been changed.
    Unreadable(String),
    Read(RestorePoint),
}

impl SavedPoint {
    fn of(annotation: Option<&String>) -> Self {
        let Some(text) = annotation else { return Self::NeverWritten };
        serde_json::from_str(text).map_or_else(|_| Self::Unreadable(text.clone()), Self::Read)
    }

    fn read(&self) -> Option<RestorePoint> {
        match self {
            Self::Read(point) => Some(point.clone()),
            Self::NeverWritten | Self::Unreadable(_) => None,
        }
    }
}

/// The Lease that a grade left, or holds.
#[derive(Clone, Debug)]
pub(crate) struct ExistingLease {
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) creation_timestamp: Timestamp,
    pub(super) point: SavedPoint,
    /// What a clean-up that was never made would have removed, as `kubectl delete` takes it.
    pub(crate) to_remove: Vec<String>,
    /// Who holds it; empty: nobody.
    pub(super) holder: String,
    /// Empty where the Lease does not say it.
    pub(super) acquire_time: String,
    pub(super) renew_time: Option<Timestamp>,
    pub(super) duration: Duration,
    /// When it was last written, in seconds since the epoch by the API server's clock.
    pub(super) written: Option<i64>,
    pub(super) grader: Option<String>,
}

impl ExistingLease {
    /// Removes what this machine knows of its grader, once what that left is put back.
    pub(crate) fn forget(&self) {
        if let Some(id) = &self.grader {
            process_lock::forget(id);
        }
    }

    /// That nothing was put back, where nobody can read how it was, and what to do; a line.
    pub(super) fn unread(&self, cluster: &Cluster) -> Option<String> {
        let SavedPoint::Unreadable(text) = &self.point else { return None };
        let namespace = sanitize(&cluster.namespace);
        Some(format!(
            "the restore point in the Lease could not be read, so nothing was put back: see whether \
            the StatefulSet has the replicas that it should have, and no PVCs beyond them (`kubectl \
            get statefulsets,pvc -n {namespace}`); it reads {}",
            clip(text, MAX_TEXT_CHARS)
        ))
    }

    /// Why we may not go on while it stands.
    pub(crate) fn failure(&self, cluster: &Cluster) -> Failure {
        let (holder, since, namespace) =
            (sanitize(&self.holder), sanitize(&self.acquire_time), sanitize(&cluster.namespace));
        Failure::new(
            "locked",
            format!("someone else is grading namespace {namespace}: {holder}, since {since}"),
            format!(
                "Wait until it is done. If it is dead, its Lease ends by itself after \
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
        (&self.uid, &self.holder, &self.grader, self.renew_time)
            != (&before.uid, &before.holder, &before.grader, before.renew_time)
    }

    /// Takes it over, unless somebody has changed it since; `None` when it is gone.
    ///
    /// # Errors
    /// Somebody was faster. The API server refuses, or cannot be reached.
    pub(crate) async fn take_over(&self, cluster: &Cluster) -> Result<Option<OwnLease>, Failure> {
        let (id, alive) = begin()?;
        let mut point = self.point.read();
        let mut annotations = json!({GRADER_ANNOTATION: id});
        if let Some(point) = &mut point {
            point.until = point.until.or(self.written);
            annotations[RESTORE_POINT_ANNOTATION] = json!(text(point));
        }
        let now = MicroTime(Timestamp::now());
        let patch = json!({
            "metadata": {"uid": self.uid, "resourceVersion": self.resource_version, "annotations": annotations},
            "spec": {"holderIdentity": holder_identity(), "leaseDurationSeconds": LEASE_SECONDS, "acquireTime": now, "renewTime": now},
        });
        let sent = lease_term::now();
        match api(cluster).patch(LEASE_NAME, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(lease) => Ok(Some(OwnLease::new(cluster, &lease, id, alive, point, sent))),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 409 => match find(cluster).await? {
                // The try whose answer was lost.
                Some(found) if found.grader.as_ref() == Some(&id) => {
                    Ok(Some(found.to_own(cluster, id, alive, point, sent)))
                }
                Some(found) => Err(found.failure(cluster)),
                None => Ok(None),
            },
            Err(error) => Err(cluster.failure(&error, "patch", RESOURCE, LEASE_NAME)),
        }
    }
}

/// The Lease that stands in the namespace, if one does.
pub(super) async fn find(cluster: &Cluster) -> Result<Option<ExistingLease>, Failure> {
    let lease = api(cluster)
        .get_opt(LEASE_NAME)
        .await
        .map_err(|error| cluster.failure(&error, "get", RESOURCE, LEASE_NAME))?;
    Ok(lease.map(|lease| read_lease(&lease)))
}

/// The Lease that a killed grade left, if one did; with `force`, also that of one that runs.
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
        "the Lease of namespace {namespace} is held by {}: watching for up to {} s whether it is \
        at work",
        sanitize(&first.holder),
        first.duration.as_secs()
    ));
    let began = lease_term::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(RETRY_PAUSE) => {}
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

pub(super) fn read_lease(lease: &Lease) -> ExistingLease {
    let spec = lease.spec.clone().unwrap_or_default();
    let annotation = |name| lease.metadata.annotations.as_ref().and_then(|it| it.get(name));
    let seconds =
        spec.lease_duration_seconds.and_then(|it| u64::try_from(it).ok()).unwrap_or_default();
    ExistingLease {
        uid: lease.metadata.uid.clone().unwrap_or_default(),
        resource_version: lease.metadata.resource_version.clone().unwrap_or_default(),
        creation_timestamp: lease
            .metadata
            .creation_timestamp
            .as_ref()
            .map_or_else(Timestamp::now, |it| it.0),
        point: SavedPoint::of(annotation(RESTORE_POINT_ANNOTATION)),
        to_remove: annotation(CLEANUP_ANNOTATION).map(|it| names(it)).unwrap_or_default(),
        holder: spec.holder_identity.unwrap_or_default(),
        acquire_time: spec.acquire_time.map(|it| it.0.to_string()).unwrap_or_default(),
        renew_time: spec.renew_time.map(|it| it.0),
        // No grader asks for more.
        duration: Duration::from_secs(seconds.min(LEASE_SECONDS)),
        written: last_written(lease),
        grader: annotation(GRADER_ANNOTATION).cloned(),
    }
}

/// When it was last written, in seconds since the epoch by the API server's clock.
pub(super) fn last_written(lease: &Lease) -> Option<i64> {
    let fields = lease.metadata.managed_fields.iter().flatten();
    fields.filter_map(|it| it.time.as_ref()).map(|it| it.0.as_second()).max()
}

/// The names in it that are harmless in a shell.
fn names(text: &str) -> Vec<String> {
    let is_name = |it: &&str| {
        it.starts_with(|c: char| c.is_ascii_lowercase())
            && it.bytes().all(|c| c.is_ascii_alphanumeric() || b"-./".contains(&c))
    };
    text.split(' ').filter(is_name).take(MAX_NAMES).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use k8s_openapi::api::coordination::v1::Lease;
    use kube::{Client, client::Body};
    use serde_json::{Value, json};
    use tower::service_fn;

    use super::{names, read_lease};
    use crate::cluster::{
        Cluster, Interrupt,
        restore::{Restored, finish_found},
    };

    fn lease(annotations: &Value) -> Value {
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "stsgrade", "uid": "u", "resourceVersion": "1",
                "annotations": annotations}, "spec": {}})
    }

    /// What is finished of a grade that left such a Lease; nothing else stands in the cluster.
    async fn finished(annotations: Value) -> Restored {
        let left = lease(&annotations);
        let found: Lease = serde_json::from_value(left.clone()).unwrap();
        let service = service_fn(move |_: Request<Body>| {
            let answer = Body::from(left.to_string().into_bytes());
            async move { Ok::<_, std::convert::Infallible>(Response::new(answer)) }
        });
        let cluster = Cluster::with(Client::new(service, "lab"), "lab");
        finish_found(&cluster, &read_lease(&found), None, &Interrupt::never()).await.unwrap()
    }

    /// Catches a Lease whose restore point somebody has broken, which is deleted with the words that
    /// all is as it was found.
    #[tokio::test]
    async fn what_cannot_be_read_is_not_taken_for_nothing() {
        let never_written = finished(json!({})).await;
        assert_eq!(never_written, Restored::default());
        let broken = finished(json!({"stsgrade/restore-point": "{\"replicas\": \"th\u{1b}"})).await;
        let [told] = broken.not_restorable.as_slice() else { panic!("{broken:?}") };
        assert!(
            told.starts_with(
                "the restore point in the Lease could not be read, so nothing was put back: see \
                whether the StatefulSet has the replicas that it should have"
            ),
            "{told}"
        );
        assert!(told.contains("(`kubectl get statefulsets,pvc -n lab`); it reads "), "{told}");
        assert!(told.ends_with("{\"replicas\": \"th\\u{1b}"), "{told}");
    }

    /// Catches a forged Lease whose words somebody pastes into a shell.
    #[test]
    fn only_names_are_told_from_a_lease() {
        assert_eq!(
            names("statefulset/web service/web-0.a"),
            ["statefulset/web", "service/web-0.a"]
        );
        assert_eq!(names("a;b $(c) `d` -f --all \u{202e}x a\nb  "), Vec::<String>::new());
        assert_eq!(names(&"a ".repeat(1000)).len(), super::MAX_NAMES);
    }
}
