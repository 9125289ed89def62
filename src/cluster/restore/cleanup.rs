//! Removing all that `-f` made, and only that: `--cleanup`.
//!
//! What stood before the grade stays, even where it was configured by it: an object is deleted by
//! the UID that the API server gave when it was created, a claim only if the first list of claims
//! did not show it. A namespace that this grade made goes with all that is in it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use checks::model::{ClaimLife, Timeline, observation::Reference};
use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, Interrupt, Journal,
    budget::StepBudget,
    client::lease_term::LEASE,
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
    submission::{AppliedKind, Submission},
};

/// Between two looks at what is still going.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// The answer about an object that is gone.
const GONE: &[u16] = &[404];
/// The same of a namespace, which the RoleBinding goes with by which an account may read it.
const NAMESPACE_GONE: &[u16] = &[403, 404];
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

    /// What a clean-up would remove, as `kubectl delete` takes it: all that is to be applied, or
    /// all that was made.
    pub(crate) fn removals(&self, cluster: &Cluster, submission: &Submission) -> Vec<String> {
        if self.namespace.is_some() {
            return vec![format!("namespace/{}", cluster.namespace)];
        }
        let name =
            |kind: AppliedKind, name: &str| format!("{}/{name}", kind.names().0.to_lowercase());
        if self.result == ApplyResult::default() {
            return submission.objects.iter().map(|it| name(it.kind, &it.name)).collect();
        }
        self.result.created.iter().map(|(kind, it)| name(*kind, &it.name)).collect()
    }

    /// Whether this set did not stand before: there is nothing to restore of it.
    pub(crate) fn made(&self, set: &str) -> bool {
        self.namespace.is_some() || self.result.has_created_set(set)
    }

    /// The claims that the sets made here caused, and apart from them those of `theirs`: of sets
    /// that somebody else has deleted since.
    fn claims(
        &self,
        timeline: &Timeline,
        theirs: &BTreeSet<&str>,
    ) -> (Vec<Reference>, Vec<Reference>) {
        let (mut ours, mut kept) = (vec![], vec![]);
        let is_new =
            |it: &&ClaimLife| it.deleted.is_none() && !self.claims_before.contains(it.name());
        for claim in timeline.claims().filter(is_new) {
            let is_made = |it: &&SetNames| self.made(&it.name) && it.owns_claim(claim.name());
            let mut sets = self.sets.iter().filter(is_made).peekable();
            if sets.peek().is_none() {
                continue;
            }
            let is_theirs = sets.any(|it| theirs.contains(it.name.as_str()));
            let list = if is_theirs { &mut kept } else { &mut ours };
            list.push(Reference { name: claim.name().to_owned(), uid: claim.uid().to_owned() });
        }
        (ours, kept)
    }
}

/// Whether anything stands in the namespace that a grader or a student has made: what cannot be
/// looked at may.
pub(crate) async fn is_used(cluster: &Cluster) -> bool {
    let namespace = &cluster.namespace;
    let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE}");
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
            vec![Left::free("the clean-up was stopped: perhaps all that was applied".to_owned())]
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
        let removed = remove(cluster, &path, uid, NAMESPACE_GONE, deadline).await;
        let Removed::Left(left) = removed else { return vec![] };
        return vec![left.of(&format!("namespace {}", sanitize(&cluster.namespace)))];
    }
    // Pods and what makes them first, what they use last; nothing of it waits for another.
    let objects = applied.result.created.iter().rev().map(async |(kind, it)| {
        let path = object_path(cluster, *kind, &it.name);
        // Where it stood, it is gone by the try whose answer was lost.
        let stands = |timeline: &Timeline| {
            timeline.sets().any(|set| set.uid == it.uid && set.deleted.is_none())
        };
        let stood = journal.with(stands);
        let removed = remove(cluster, &path, &it.uid, GONE, deadline).await;
        let is_ours = removed == Removed::GoneBefore && stood;
        (*kind, &it.name, if is_ours { Removed::Gone } else { removed })
    });
    let (mut left, mut theirs): (Vec<Left>, BTreeSet<&str>) = Default::default();
    for (kind, name, removed) in join_all(objects).await {
        match removed {
            Removed::Gone => {}
            Removed::GoneBefore | Removed::NotOurs if kind == AppliedKind::StatefulSet => {
                theirs.insert(name);
            }
            Removed::GoneBefore | Removed::NotOurs => {}
            Removed::Left(it) => {
                left.push(it.of(&format!("{} {}", kind.names().0, sanitize(name))))
            }
        }
    }
    let (caused, kept) = journal.with(|timeline| applied.claims(timeline, &theirs));
    // A set of that name that somebody has made since has them, or what is on them is theirs.
    left.extend(kept.iter().map(|it| {
        Left::free(format!("PVC {}: somebody else deleted its StatefulSet", sanitize(&it.name)))
    }));
    left.extend(
        remove_claims(
            cluster,
            journal,
            &caused,
            deadline.saturating_duration_since(Instant::now()).max(LOOK_PAUSE),
        )
        .await,
    );
    left
}

/// What became of an object that was to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Removed {
    /// It is gone.
    Gone,
    /// It was gone already.
    GoneBefore,
    /// Another one has its name: somebody else removed it.
    NotOurs,
    /// It is still there, and why.
    Left(Left),
}

/// Deletes the object of that UID and waits until it is gone, which these codes say.
async fn remove(
    cluster: &Cluster,
    path: &str,
    uid: &str,
    gone: &[u16],
    deadline: Instant,
) -> Removed {
    // In the foreground: when the set is gone, its pods are.
    let how = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground", "preconditions": {"uid": uid}});
    match send(cluster, Method::DELETE, path, "application/json", Some(&how)).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => return Removed::GoneBefore,
        Err(kube::Error::Api(status)) if status.code == 409 => return Removed::NotOurs,
        Err(error) => {
            return Removed::Left(Left::free(cluster.failure(&error, "delete", path, "").what));
        }
    }
    let mut last = Value::Null;
    while Instant::now() < deadline {
        match send(cluster, Method::GET, path, "", None).await {
            Ok((_, it)) if it.pointer("/metadata/uid").is_some_and(|it| it == uid) => {
                last = it;
                tokio::time::sleep(LOOK_PAUSE).await;
            }
            // Another one of that name has been made since.
            Ok(_) => return Removed::NotOurs,
            Err(kube::Error::Api(status)) if gone.contains(&status.code) => return Removed::Gone,
            Err(kube::Error::Api(status)) if status.code == 403 => {
                let what =
                    "it is asked to go, and this account may not get it to see whether it is";
                return Removed::Left(Left::free(what.to_owned()));
            }
            Err(_) => tokio::time::sleep(LOOK_PAUSE).await,
        }
    }
    Removed::Left(Left::going("it is asked to go", &last))
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        time::{Duration, Instant},
    };

    use http::{Method, Request, Response};
    use kube::{Client, client::Body};
    use tower::service_fn;

    use super::{GONE, NAMESPACE_GONE, Removed, is_used, remove};
    use crate::cluster::Cluster;

    /// Catches an object that a finalizer holds and that is said to be gone, because the account may
    /// delete and not get; and a namespace whose RoleBinding went first, which is waited for.
    #[tokio::test]
    async fn what_may_not_be_read_is_not_gone_but_for_a_namespace() {
        let service = service_fn(|request: Request<Body>| async move {
            let code = if request.method() == Method::DELETE { 200 } else { 403 };
            let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                "status": "Failure", "message": "forbidden", "reason": "Forbidden", "code": code});
            let body = Body::from(status.to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
        });
        let cluster = Cluster::with(Client::new(service, "lab"), "lab");
        let deadline = Instant::now() + Duration::from_secs(60);
        let service = "/api/v1/namespaces/lab/services/web";
        let left = remove(&cluster, service, "1", GONE, deadline).await;
        assert!(matches!(left, Removed::Left(it) if it.what.contains("may not get it")));
        let namespace = "/api/v1/namespaces/lab";
        assert_eq!(remove(&cluster, namespace, "1", NAMESPACE_GONE, deadline).await, Removed::Gone);
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
