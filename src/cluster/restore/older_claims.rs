//! The claims that stood before a set that `--cleanup` removes: they stay, with all that is on them
//! but the canaries.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use checks::model::{PodLife, Timeline, observation::Reference};
use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, Failure, Interrupt, Journal,
    client::{
        failure_id,
        retry::{MAX_UNAVAILABILITY, retry_while_unavailable},
    },
    exec::{
        ephemeral::ProbeContainers,
        mounts::{ClaimView, reference},
    },
    restore::{canaries::remove_canaries, cleanup::AppliedObjects, removal::LOOK_PAUSE},
    writes::{
        field_owners::MANAGER,
        send::{object_path, send, uid},
    },
};
use crate::{console::sanitize::sanitize, submission::AppliedKind};

/// What becomes of a set's claims when it is deleted.
const WHEN_DELETED: &str = "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted";
/// How long a set may take to give its claims up.
const SPARED_WITHIN: Duration = Duration::from_secs(30);
/// How long removing one pod's canaries may take.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(20);
/// What is said of canaries that stay.
const LATER: &str = "the next grade that gives that PVC a pod removes them";

/// A set that is about to be deleted, and those claims of its pods that stood before it.
pub(super) struct OlderClaims<'a> {
    cluster: &'a Cluster,
    set: &'a Reference,
    claims: Vec<&'a str>,
}

impl<'a> OlderClaims<'a> {
    pub(super) fn of(
        cluster: &'a Cluster,
        applied: &'a AppliedObjects,
        set: &'a Reference,
    ) -> Self {
        let claims = applied.sets.iter().filter(|it| it.name == set.name);
        let claims = claims.flat_map(|names| applied.older_claims_of(names)).collect();
        Self { cluster, set, claims }
    }

    /// Sees to it that the deletion of the set leaves the claims. Where its policy is to take its
    /// claims along, its controller makes it the owner of those that stood before it, too, and the
    /// garbage collector deletes them.
    ///
    /// False where the set is gone already.
    ///
    /// # Errors
    /// The set cannot be deleted without them.
    pub(super) async fn spare(&self) -> Result<bool, Failure> {
        if self.claims.is_empty() {
            return Ok(true);
        }
        let has_changed = match self.retain().await? {
            Retained::Gone => return Ok(false),
            Retained::AsBefore => false,
            Retained::Now => true,
        };
        let began = Instant::now();
        loop {
            let left = match self.look().await {
                Ok(Spared::Gone) => return Ok(false),
                Ok(Spared::Owned(claims)) if claims.is_empty() => return Ok(true),
                // Whoever keeps its claims owns none, whether that can be seen or not.
                Err(_) if !has_changed => return Ok(true),
                Ok(Spared::Owned(claims)) => {
                    // The controller does so only for those that have a pod.
                    join_all(claims.iter().map(|it| self.disown(it))).await;
                    claims
                }
                Ok(Spared::NotYetSeen) => vec![],
                Err(failure) if !failure.may_pass() => return Err(failure),
                Err(_) => vec![],
            };
            if began.elapsed() >= SPARED_WITHIN {
                return Err(self.not_spared(&left));
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    fn set_path(&self) -> String {
        object_path(self.cluster, AppliedKind::StatefulSet, &self.set.name)
    }

    fn claim_path(&self, claim: &str) -> String {
        object_path(self.cluster, AppliedKind::PersistentVolumeClaim, claim)
    }

    /// Changes the set's policy, where that is to take its claims along.
    async fn retain(&self) -> Result<Retained, Failure> {
        let patch = json!({
            "metadata": {"uid": self.set.uid},
            "spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain"}},
        });
        let retain = async |_| {
            let Some(set) = self.get(&self.set_path()).await? else { return Ok(Retained::Gone) };
            if uid(&set) != self.set.uid {
                return Ok(Retained::Gone);
            }
            if set.pointer(WHEN_DELETED).is_none_or(|it| it != "Delete") {
                return Ok(Retained::AsBefore);
            }
            self.patch(&self.set_path(), "application/merge-patch+json", &patch).await?;
            Ok(Retained::Now)
        };
        retry_while_unavailable(MAX_UNAVAILABILITY, retain).await
    }

    /// What still keeps the set from being deleted.
    async fn look(&self) -> Result<Spared, Failure> {
        let Some(set) = self.get(&self.set_path()).await? else { return Ok(Spared::Gone) };
        let number = |pointer| set.pointer(pointer).and_then(Value::as_i64);
        // Until then its controller may make it an owner once more.
        if number("/status/observedGeneration") < number("/metadata/generation") {
            return Ok(Spared::NotYetSeen);
        }
        let mut owned = vec![];
        for claim in &self.claims {
            let object = self.get(&self.claim_path(claim)).await?.unwrap_or_default();
            let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
            if owners.into_iter().flatten().any(|it| it["uid"] == self.set.uid) {
                owned.push((*claim).to_owned());
            }
        }
        Ok(Spared::Owned(owned))
    }

    /// Takes the set off the owners of a claim. What comes of it is looked at.
    async fn disown(&self, claim: &str) {
        let owner = json!({"$patch": "delete", "uid": self.set.uid});
        let patch = json!({"metadata": {"ownerReferences": [owner]}});
        let content = "application/strategic-merge-patch+json";
        let _ = self.patch(&self.claim_path(claim), content, &patch).await;
    }

    async fn get(&self, path: &str) -> Result<Option<Value>, Failure> {
        match send(self.cluster, Method::GET, path, "", None).await {
            Ok((_, object)) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(self.cluster.failure(&error, "get", path, "")),
        }
    }

    async fn patch(&self, path: &str, content: &str, patch: &Value) -> Result<(), Failure> {
        let query = format!("{path}?fieldManager={MANAGER}");
        match send(self.cluster, Method::PATCH, &query, content, Some(patch)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.cluster.failure(&error, "patch", path, "")),
        }
    }

    fn not_spared(&self, claims: &[String]) -> Failure {
        let claims = if claims.is_empty() { self.claims.join(", ") } else { claims.join(", ") };
        let (name, namespace) = (sanitize(&self.set.name), sanitize(&self.cluster.namespace));
        let what = format!(
            "its deletion would take PVCs along that stood before it: {}",
            sanitize(&claims)
        );
        let command =
            format!("`kubectl delete statefulset {name} -n {namespace} --cascade=orphan`");
        Failure::new(failure_id::TIMEOUT, what, format!("Run {command}, and delete its pods."))
            .because(format!("{command} leaves them, and its pods"))
    }
}

/// Whether a set keeps its claims when it is deleted.
enum Retained {
    /// It did before.
    AsBefore,
    /// It does from now on.
    Now,
    /// The set is gone.
    Gone,
}

/// What keeps a set from being deleted without its older claims.
enum Spared {
    /// Its controller has not seen the new policy yet.
    NotYetSeen,
    /// It owns these; none: nothing keeps it.
    Owned(Vec<String>),
    /// The set is gone.
    Gone,
}

/// Removes the canaries from the claims that stood before the sets that are about to be removed,
/// for as long as pods mount them; what may be left. `with_canaries`: the pods that canaries were
/// written for; `None` when nobody knows. A second interrupt ends it.
pub(crate) async fn remove_canaries_from_older_claims(
    cluster: &Cluster,
    journal: &Journal,
    applied: &AppliedObjects,
    with_canaries: Option<&BTreeSet<String>>,
    probe: Option<&ProbeContainers<'_>>,
    interrupt: &Interrupt,
) -> Vec<String> {
    let (users, others) =
        journal.with(|timeline| users(timeline, written_claims(timeline, applied, with_canaries)));
    let removals = users.into_iter().map(async |(pod, mounted)| {
        let claims: Vec<String> = mounted.iter().map(|it| it.claim.clone()).collect();
        let removal = remove_canaries(cluster, probe, &pod, mounted);
        tokio::select! {
            left = tokio::time::timeout(REMOVAL_TIMEOUT, removal) => match left {
                Ok(left) => left.into_iter().map(|it| of_an_older_claim(&it.what)).collect(),
                Err(_) => claims.iter().map(|it| perhaps(it)).collect(),
            },
            () = interrupt.second() => claims.iter().map(|it| perhaps(it)).collect(),
        }
    });
    let left: Vec<Vec<String>> = join_all(removals).await;
    left.concat().into_iter().chain(others.iter().map(|it| perhaps(it))).collect()
}

fn of_an_older_claim(files: &str) -> String {
    format!("{files}, on a PVC that stood before the grade; {LATER}")
}

fn perhaps(claim: &str) -> String {
    of_an_older_claim(&format!("perhaps files named .stsgrade-… on PVC {claim}"))
}

/// The claims that stood before and that may hold canaries.
fn written_claims<'a>(
    timeline: &Timeline,
    applied: &'a AppliedObjects,
    with_canaries: Option<&BTreeSet<String>>,
) -> BTreeSet<&'a str> {
    let mut claims = BTreeSet::new();
    for names in applied.sets.iter().filter(|it| applied.has_made_set(&it.name)) {
        let is_written = |claim: &&str| {
            let ordinal = claim.rsplit_once('-').map_or("", |(_, ordinal)| ordinal);
            let pod = format!("{}-{ordinal}", names.name);
            with_canaries.is_none_or(|pods| pods.contains(&pod))
        };
        claims.extend(applied.older_claims_of(names).filter(is_written));
    }
    let stands = |claim: &&str| timeline.claim(claim).last().is_some_and(|it| it.deleted.is_none());
    claims.into_iter().filter(stands).collect()
}

/// The pods that mount these claims, each with what it shows of them; and the claims that none
/// mounts.
fn users<'a>(
    timeline: &Timeline,
    claims: BTreeSet<&'a str>,
) -> (Vec<(Reference, Vec<ClaimView>)>, BTreeSet<&'a str>) {
    let (mut users, mut others) = (vec![], claims);
    let is_not_terminating = |pod: &&PodLife| pod.deletion_requested.is_none();
    for pod in timeline.pods().filter(is_not_terminating) {
        let mut mounted = ClaimView::of(pod);
        // One pod is enough.
        mounted.retain(|it| others.contains(it.claim.as_str()));
        if !mounted.is_empty() {
            others.retain(|claim| !mounted.iter().any(|it| it.claim == *claim));
            users.push((reference(pod), mounted));
        }
    }
    (users, others)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use checks::model::observation::Reference;
    use http::{Method, Request, Response};
    use kube::{Client, client::Body};
    use serde_json::json;
    use tower::service_fn;

    use super::OlderClaims;
    use crate::cluster::{
        Cluster, restore::cleanup::AppliedObjects, writes::terminating::SetNames,
    };

    fn applied() -> AppliedObjects {
        let names = SetNames { name: "web".to_owned(), templates: vec!["data".to_owned()] };
        let claims_before = BTreeSet::from(["data-web-3".to_owned(), "other".to_owned()]);
        AppliedObjects { claims_before, sets: vec![names], ..AppliedObjects::default() }
    }

    /// Catches a claim of a student's that the garbage collector deletes with the set, because no
    /// pod of the set mounts it any more and so the controller leaves the set its owner.
    #[tokio::test(start_paused = true)]
    async fn a_set_is_deleted_only_when_it_owns_no_older_claim() {
        let (retains, owns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        let (retains_now, owns_now) = (Arc::clone(&retains), Arc::clone(&owns));
        let service = service_fn(move |request: Request<Body>| {
            let path = request.uri().path().to_owned();
            let is_claim = path.ends_with("/persistentvolumeclaims/data-web-3");
            assert!(is_claim || path.ends_with("/statefulsets/web"), "{path}");
            let is_change = request.method() == Method::PATCH;
            if is_change && is_claim {
                assert!(retains_now.load(Ordering::Relaxed), "the controller would own it again");
                owns_now.store(false, Ordering::Relaxed);
            } else if is_change {
                retains_now.store(true, Ordering::Relaxed);
            }
            let owners =
                if owns_now.load(Ordering::Relaxed) { json!([{"uid": "u"}]) } else { json!([]) };
            let policy = if retains_now.load(Ordering::Relaxed) { "Retain" } else { "Delete" };
            let answer = if is_claim {
                json!({"metadata": {"ownerReferences": owners}})
            } else {
                json!({"metadata": {"uid": "u", "generation": 2},
                    "spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy}},
                    "status": {"observedGeneration": 2}})
            };
            let body = Body::from(answer.to_string().into_bytes());
            async move { Ok::<_, Infallible>(Response::new(body)) }
        });
        let cluster = Cluster::with(Client::new(service, "lab"), "lab");
        let (applied, set) = (applied(), Reference { name: "web".to_owned(), uid: "u".to_owned() });
        assert!(OlderClaims::of(&cluster, &applied, &set).spare().await.unwrap());
        let anew = Reference { name: "web".to_owned(), uid: "of another".to_owned() };
        assert!(!OlderClaims::of(&cluster, &applied, &anew).spare().await.unwrap());
        assert!(retains.load(Ordering::Relaxed) && !owns.load(Ordering::Relaxed));
    }
}
