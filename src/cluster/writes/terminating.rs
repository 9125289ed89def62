//! What is being deleted already. A grade deletes pods and scales them away, which would complete
//! the deletion of their claims: so it looks before its first change, and again before each step
//! that removes pods.

use std::time::Duration;

use checks::model::{PodLife, Timeline, WaitStatus};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, ResourceExt as _, api::ListParams};

use crate::cluster::{
    Cluster, Failure, Interrupt, Journal, WaitResult,
    budget::StepBudget,
    client::{
        failure_id,
        retry::{MAX_UNAVAILABILITY, retry_while_unavailable},
    },
};
use crate::console::sanitize::sanitize;

/// For the kubelet to finish with a pod whose grace period is over.
const TIDY: Duration = Duration::from_secs(15);

/// A StatefulSet by name, whether it stands or is about to be applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct SetNames {
    /// `metadata.name`.
    pub(crate) name: String,
    /// Names of its volumeClaimTemplates.
    pub(crate) templates: Vec<String>,
}

impl SetNames {
    /// Whether a claim has the name that the set gives to a claim of one of its pods.
    pub(crate) fn owns_claim(&self, claim: &str) -> bool {
        let ordinal = |template: &str| {
            claim
                .strip_prefix(template)?
                .strip_prefix('-')?
                .strip_prefix(self.name.as_str())?
                .strip_prefix('-')
        };
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        self.templates.iter().any(|template| ordinal(template).is_some_and(is_number))
    }

    /// The set's pods that exist now.
    fn pods<'t>(&self, timeline: &'t Timeline) -> Vec<&'t PodLife> {
        let Some(set) = timeline.sets().find(|it| it.name == self.name) else { return vec![] };
        timeline
            .pods()
            .filter(|pod| {
                pod.pod
                    .metadata
                    .owner_references
                    .iter()
                    .any(|it| it.controller && it.uid == set.uid)
            })
            .collect()
    }
}

/// What the lab calls a PersistentVolumeClaim.
const PVC: &str = "PVC";

/// Something that has a deletionTimestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terminating {
    /// As kubectl names it: `statefulset`, `pod`, …; a claim is a [`PVC`].
    pub(crate) kind: String,
    /// `metadata.name`.
    pub(crate) name: String,
    /// The pod that uses it, if one does.
    pub(crate) used_by: Option<String>,
}

/// Refuses to go on while anything of these sets is being deleted. A pod is given its grace period
/// first: it goes by itself, and its successor comes.
///
/// # Errors
/// Something is being deleted. The grade was interrupted.
pub(crate) async fn nothing_terminating(
    cluster: &Cluster,
    journal: &Journal,
    sets: &[SetNames],
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let found = journal.with(|timeline| lasting(timeline, sets));
    if !found.is_empty() {
        return Err(failure(cluster, &found));
    }
    let deleted = |timeline: &Timeline| match terminating_pods(timeline, sets).first() {
        None => WaitStatus::Done,
        Some(pod) => {
            WaitStatus::Awaited(format!("{}, which is being deleted, to be gone", pod.name))
        }
    };
    let budget = TIDY
        + journal.with(|timeline| {
            timeline
                .sets()
                .map(|set| StepBudget::of(&set.spec).worst_removal(1))
                .max()
                .unwrap_or_default()
        });
    let waited = tokio::select! {
        waited = journal.wait(budget, deleted) => waited,
        () = interrupt.first() => return Err(Failure::new("interrupted", "interrupted before \
            anything was changed", "Run it again.")),
    };
    let mut left = journal.with(|timeline| lasting(timeline, sets));
    if waited != WaitResult::Done {
        left.extend(journal.with(|timeline| terminating_pods(timeline, sets)));
    }
    if left.is_empty() { Ok(()) } else { Err(failure(cluster, &left)) }
}

/// What does not come back by itself: sets, Services and claims.
fn lasting(timeline: &Timeline, sets: &[SetNames]) -> Vec<Terminating> {
    let mut found = vec![];
    for names in sets {
        let Some(set) = timeline.sets().find(|it| it.name == names.name) else { continue };
        if set.deletion_requested.is_some() {
            found.push(Terminating {
                kind: "statefulset".to_owned(),
                name: names.name.clone(),
                used_by: None,
            });
        }
        let service = timeline.service(&set.spec.service_name);
        if service.is_some_and(|it| it.service.metadata.deletion_timestamp.is_some()) {
            found.push(Terminating {
                kind: "service".to_owned(),
                name: set.spec.service_name.clone(),
                used_by: None,
            });
        }
    }
    let users: Vec<(String, String)> =
        sets.iter().flat_map(|set| set.pods(timeline)).flat_map(mounts).collect();
    for claim in timeline.claims().filter(|it| it.deletion_requested.is_some()) {
        let used_by =
            users.iter().find(|(name, _)| name == claim.name()).map(|(_, pod)| pod.clone());
        if used_by.is_some() || sets.iter().any(|set| set.owns_claim(claim.name())) {
            found.push(Terminating {
                kind: PVC.to_owned(),
                name: claim.name().to_owned(),
                used_by,
            });
        }
    }
    found
}

/// The claims that a pod mounts, each with the pod's name.
fn mounts(pod: &PodLife) -> Vec<(String, String)> {
    pod.claims().into_iter().map(|(_, claim)| (claim, pod.name().to_owned())).collect()
}

fn terminating_pods(timeline: &Timeline, sets: &[SetNames]) -> Vec<Terminating> {
    let pods = sets
        .iter()
        .flat_map(|set| set.pods(timeline))
        .filter(|pod| pod.deletion_requested.is_some());
    pods.map(|pod| Terminating {
        kind: "pod".to_owned(),
        name: pod.name().to_owned(),
        used_by: None,
    })
    .collect()
}

/// Why nothing was changed, and what to do.
pub(crate) fn failure(cluster: &Cluster, found: &[Terminating]) -> Failure {
    let namespace = sanitize(&cluster.namespace);
    let words: Vec<String> =
        found.iter().map(|it| format!("{} {}", it.kind, sanitize(&it.name))).collect();
    let verb = if words.len() == 1 { "is" } else { "are" };
    let what = format!(
        "{} {verb} being deleted in namespace {namespace}; nothing was changed",
        words.join(", ")
    );
    let claim = found.iter().find(|it| it.kind == PVC);
    let Some(claim) = claim else {
        let first = found
            .first()
            .map(|it| format!("{} {}", it.kind, sanitize(&it.name)))
            .unwrap_or_default();
        let next = format!(
            "Wait until `kubectl get {first} -n {namespace}` no longer finds it, and grade again. \
            If it stays, a finalizer holds it: `kubectl get {first} -n {namespace} -o yaml`."
        );
        return Failure::new("being_deleted", what, next);
    };
    let name = sanitize(&claim.name);
    let next = match &claim.used_by {
        Some(pod) => format!(
            "A deletion cannot be taken back: PVC {name} and its data go as soon as pod {pod} is deleted, which a grade does. Copy what you need from the pod (`kubectl cp`), then \
             let it go (`kubectl delete pod {pod} -n {namespace}`), wait for the new pod, and grade again.",
            pod = sanitize(pod)
        ),
        None => format!(
            "Wait until `kubectl get pvc {name} -n {namespace}` no longer finds it, and grade again."
        ),
    };
    Failure::new("being_deleted", what, next)
}

/// Looks again, at the API server itself, before pods are removed: `pods` are their names, each
/// with those of its claims.
///
/// # Errors
/// A claim is being deleted, which would go with its pod. The API server refuses, or cannot be
/// reached.
pub(crate) async fn no_claim_goes_with(
    cluster: &Cluster,
    pods: &[(String, Vec<String>)],
    within: Duration,
) -> Result<(), Failure> {
    let api: Api<PersistentVolumeClaim> =
        Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let list = async |_| {
        let all = ListParams::default();
        api.list_metadata(&all)
            .await
            .map_err(|error| cluster.failure(&error, "list", "persistentvolumeclaims", ""))
    };
    let claims = retry_while_unavailable(within.min(MAX_UNAVAILABILITY), list).await?;
    for claim in claims.items.iter().filter(|it| it.metadata.deletion_timestamp.is_some()) {
        let name = claim.name_any();
        if let Some((pod, _)) = pods.iter().find(|(_, claims)| claims.contains(&name)) {
            return Err(claim_goes(&name, pod));
        }
    }
    Ok(())
}

/// Somebody else is deleting a claim, which goes when its pod does.
pub(crate) fn claim_goes(claim: &str, pod: &str) -> Failure {
    let what = format!(
        "PVC {} is being deleted by somebody: it would go, and its data with it, when {} goes",
        sanitize(claim),
        sanitize(pod)
    );
    let next = "Let nobody delete PVCs of the set while it is graded, and grade again.";
    Failure::new(failure_id::CLAIM_DELETED, what, next)
}

#[cfg(test)]
mod tests {
    use super::SetNames;

    /// Catches a claim of `web-db` that is taken for one of `web`, and one of an ordinal that is
    /// not there yet that is overlooked.
    #[test]
    fn a_set_knows_its_claims_by_name() {
        let set = SetNames {
            name: "web".to_owned(),
            templates: vec!["data".to_owned(), "log".to_owned()],
        };
        for (claim, owned) in [
            ("data-web-0", true),
            ("log-web-11", true),
            ("data-web-db-0", false),
            ("data-web-", false),
            ("data-web-0x", false),
            ("other-web-0", false),
        ] {
            assert_eq!(set.owns_claim(claim), owned, "{claim}");
        }
    }
}
