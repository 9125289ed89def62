//! Removing all that `-f` made, and only that: `--cleanup`.
//!
//! What stood before the grade stays, even where it was configured by it: an object is deleted by
//! the UID that the API server gave when it was created, a claim only if the first list of claims
//! did not show it. A namespace that this grade made goes with all that is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use checks::model::{ClaimLife, Timeline, observation::Reference};
use futures::future::join_all;
use http::Method;
use serde_json::Value;

use crate::cluster::{
    Cluster, Interrupt, Journal,
    budget::StepBudget,
    client::{failure_id, lease_term::LEASE_NAME},
    restore::{
        older_claims::OlderClaims,
        removal::{GONE_STATUS_CODES, LOOK_PAUSE, NAMESPACE_GONE_STATUS_CODES, Removed, remove},
    },
    writes::{
        apply::ApplyResult,
        delete::{Left, remove_claims},
        namespace::Namespace,
        send::{object_path, send},
        terminating::SetNames,
    },
};
use crate::{
    console::sanitize::sanitize,
    submission::{AppliedKind, Manifest, Submission},
};

/// For what no pod holds up.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(90);

/// What `-f` made, and all that a clean-up has to know besides.
#[derive(Clone, Debug, Default)]
pub(crate) struct AppliedObjects {
    /// The claims that stood before anything was applied.
    pub(crate) claims_before: BTreeSet<String>,
    /// The sets of the submission.
    pub(crate) sets: Vec<SetNames>,
    /// What was applied so far.
    pub(crate) result: ApplyResult,
    /// The UID of the namespace, if it was made for this grade.
    pub(crate) namespace: Option<String>,
    /// The namespace has the Pod Security level that a grader gave it.
    pub(crate) has_our_level: bool,
}

impl AppliedObjects {
    pub(crate) fn of(submission: &Submission, namespace: Namespace) -> Self {
        let sets = submission.objects.iter().filter(|it| it.kind == AppliedKind::StatefulSet);
        let sets = sets.map(|set| {
            let list = set.value.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
            let names = list
                .into_iter()
                .flatten()
                .filter_map(|it| it.pointer("/metadata/name")?.as_str().map(str::to_owned));
            SetNames { name: set.name.clone(), templates: names.collect() }
        });
        Self {
            sets: sets.collect(),
            namespace: namespace.made,
            has_our_level: namespace.has_our_level,
            ..Self::default()
        }
    }

    /// What a clean-up has to remove, as `kubectl delete` takes it: all that was made.
    pub(crate) fn removals(&self, cluster: &Cluster) -> Vec<String> {
        if self.namespace.is_some() {
            return vec![format!("namespace/{}", cluster.namespace)];
        }
        self.result.created.iter().map(|(kind, it)| removal(*kind, &it.name)).collect()
    }

    /// What a clean-up may have to remove once these are applied, which did not stand before.
    pub(crate) fn removals_before(&self, cluster: &Cluster, missing: &[&Manifest]) -> Vec<String> {
        if self.namespace.is_some() {
            return self.removals(cluster);
        }
        missing.iter().map(|it| removal(it.kind, &it.name)).collect()
    }

    /// Whether this set did not stand before: there is nothing to restore of it.
    pub(crate) fn has_made_set(&self, set: &str) -> bool {
        self.namespace.is_some() || self.result.has_created_set(set)
    }

    /// The claims of a set's pods that stood before anything was applied.
    pub(super) fn older_claims_of<'a>(
        &'a self,
        names: &'a SetNames,
    ) -> impl Iterator<Item = &'a str> {
        self.claims_before.iter().map(String::as_str).filter(|it| names.owns_claim(it))
    }

    /// The claims that the sets made here caused, by what became of those sets.
    fn claims(&self, timeline: &Timeline, sets: &BTreeMap<&str, Removed>) -> CausedClaims {
        let mut claims = CausedClaims::default();
        let is_new =
            |it: &&ClaimLife| it.deleted.is_none() && !self.claims_before.contains(it.name());
        for claim in timeline.claims().filter(is_new) {
            let is_made =
                |it: &&SetNames| self.has_made_set(&it.name) && it.owns_claim(claim.name());
            let owners: Vec<&SetNames> = self.sets.iter().filter(is_made).collect();
            if owners.is_empty() {
                continue;
            }
            let fates = owners.iter().map(|it| sets.get(it.name.as_str()));
            let why = fates.map(why_claims_stay).max().flatten();
            let claim = Reference { name: claim.name().to_owned(), uid: claim.uid().to_owned() };
            match why {
                None => claims.free.push(claim),
                Some(why) => claims.kept.push((claim.name, why)),
            }
        }
        claims
    }
}

/// The claims that sets caused.
#[derive(Debug, Default, PartialEq, Eq)]
struct CausedClaims {
    /// Nobody uses them any more.
    free: Vec<Reference>,
    /// The names of those that stay, and why.
    kept: Vec<(String, &'static str)>,
}

/// Why the claims of a set stay of which that has become, if they do: only the claims of a set that
/// is gone may go.
const fn why_claims_stay(set: Option<&Removed>) -> Option<&'static str> {
    match set {
        Some(Removed::Gone) => None,
        // A set of that name that somebody has made since has them, or what is on them is theirs.
        Some(Removed::GoneBefore | Removed::NotOurs) => {
            Some("somebody else deleted its StatefulSet")
        }
        Some(Removed::Left(_)) | None => Some("its StatefulSet is still there"),
    }
}

/// An object as `kubectl delete` takes it.
fn removal(kind: AppliedKind, name: &str) -> String {
    format!("{}/{name}", kind.names().0.to_lowercase())
}

/// Whether anything stands in the namespace that a grader or a student has made: what cannot be
/// looked at may.
pub(crate) async fn is_used(cluster: &Cluster) -> bool {
    let namespace = &cluster.namespace;
    let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE_NAME}");
    let found = send(cluster, Method::GET, &lease, "", None).await;
    if !matches!(found, Err(kube::Error::Api(status)) if status.code == 404) {
        return true;
    }
    for list in [
        format!("/apis/apps/v1/namespaces/{namespace}/statefulsets"),
        format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims"),
        format!("/api/v1/namespaces/{namespace}/pods"),
    ] {
        let found = send(cluster, Method::GET, &format!("{list}?limit=1"), "", None).await;
        let is_empty = found.is_ok_and(|(_, it)| it["items"].as_array().is_some_and(Vec::is_empty));
        if !is_empty {
            return true;
        }
    }
    false
}

/// Removes it all, and waits until it is gone; what is left. A second interrupt ends it.
pub(crate) async fn clean(
    cluster: &Cluster,
    journal: &Journal,
    applied: &AppliedObjects,
    interrupt: &Interrupt,
) -> Vec<Left> {
    tokio::select! {
        left = remove_all(cluster, journal, applied) => left,
        () = interrupt.second() => {
            vec![Left::not_held("the clean-up was stopped: perhaps all that was applied".to_owned())]
        }
    }
}

async fn remove_all(cluster: &Cluster, journal: &Journal, applied: &AppliedObjects) -> Vec<Left> {
    let grace = journal.with(|timeline| {
        timeline.set().map_or(Duration::ZERO, |set| StepBudget::of(&set.spec).worst_removal(1))
    });
    let deadline = Instant::now() + CLEANUP_TIMEOUT + grace;
    if let Some(uid) = &applied.namespace {
        let path = format!("/api/v1/namespaces/{}", cluster.namespace);
        let removed = remove(cluster, &path, uid, NAMESPACE_GONE_STATUS_CODES, deadline).await;
        let Removed::Left(left) = removed else { return vec![] };
        return vec![left.with_object(&format!("namespace {}", sanitize(&cluster.namespace)))];
    }
    // Pods and what makes them first, what they use last; nothing of it waits for another.
    let objects = applied.result.created.iter().rev().map(async |(kind, it)| {
        (*kind, &it.name, remove_object(cluster, applied, (*kind, it), deadline).await)
    });
    let (mut left, mut sets): (Vec<Left>, BTreeMap<&str, Removed>) = Default::default();
    for (kind, name, removed) in join_all(objects).await {
        if let Removed::Left(it) = &removed {
            left.push(it.clone().with_object(&format!("{} {}", kind.names().0, sanitize(name))));
        }
        if kind == AppliedKind::StatefulSet {
            sets.insert(name, removed);
        }
    }
    let claims = journal.with(|timeline| applied.claims(timeline, &sets));
    let kept = claims.kept.iter();
    left.extend(kept.map(|(name, why)| Left::not_held(format!("PVC {}: {why}", sanitize(name)))));
    let within = deadline.saturating_duration_since(Instant::now()).max(LOOK_PAUSE);
    left.extend(remove_claims(cluster, journal, &claims.free, within).await);
    left
}

/// Removes an object that was made, and nothing that stood before it.
async fn remove_object(
    cluster: &Cluster,
    applied: &AppliedObjects,
    (kind, it): (AppliedKind, &Reference),
    deadline: Instant,
) -> Removed {
    if kind == AppliedKind::StatefulSet {
        match OlderClaims::of(cluster, applied, it).spare().await {
            Ok(true) => {}
            Ok(false) => return Removed::GoneBefore,
            Err(failure) => {
                let takes_older_claims = failure.id == failure_id::TIMEOUT;
                let left = Left { takes_older_claims, ..Left::of_failure(&failure) };
                return Removed::Left(left);
            }
        }
    }
    let path = object_path(cluster, kind, &it.name);
    remove(cluster, &path, &it.uid, GONE_STATUS_CODES, deadline).await
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use kube::{Client, client::Body};
    use tower::service_fn;

    use super::{Left, Removed, is_used, why_claims_stay};
    use crate::cluster::Cluster;

    /// Catches the claims of a set that runs on because its own deletion failed, and those of a set
    /// that somebody else has made anew.
    #[test]
    fn only_the_claims_of_a_set_that_is_gone_go() {
        assert_eq!(why_claims_stay(Some(&Removed::Gone)), None);
        let left = Removed::Left(Left::not_held("denied".to_owned()));
        assert_eq!(why_claims_stay(Some(&left)), Some("its StatefulSet is still there"));
        assert_eq!(why_claims_stay(None), Some("its StatefulSet is still there"));
        for theirs in [Removed::GoneBefore, Removed::NotOurs] {
            assert_eq!(
                why_claims_stay(Some(&theirs)),
                Some("somebody else deleted its StatefulSet")
            );
        }
    }

    /// Catches a namespace that is deleted though another grader, or a student, works in it, or
    /// nobody knows.
    #[tokio::test]
    async fn a_namespace_is_unused_only_where_all_lists_are_empty() {
        for (used, expected) in [("", false), ("stsgrade", true), ("pods", true), ("403", true)] {
            let service = service_fn(move |request: Request<Body>| async move {
                let path = request.uri().path();
                let is_it = !used.is_empty() && path.ends_with(used);
                let items = if is_it { serde_json::json!([{}]) } else { serde_json::json!([]) };
                let is_free = path.contains("/leases/") && !is_it;
                let code = if used == "403" {
                    403
                } else if is_free {
                    404
                } else {
                    200
                };
                let status = serde_json::json!({"kind": "Status", "apiVersion": "v1",
                    "metadata": {}, "status": "Failure", "message": "", "reason": "",
                    "code": code});
                let list = serde_json::json!({"items": items});
                let body = if code == 200 { list } else { status };
                let body = Body::from(body.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
            });
            let cluster = Cluster::with(Client::new(service, "lab"), "lab");
            assert_eq!(is_used(&cluster).await, expected, "{used}");
        }
    }
}
