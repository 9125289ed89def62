//! A namespace of its own for one hand-in: nobody sees, slows or stops another, or reaches the
//! grader.
//!
//! Pod Security, a ResourceQuota, a LimitRange and a NetworkPolicy stand before the submission
//! comes. No pod gets a token. The namespace says by its labels which run made it, so that a run
//! that was killed is cleaned up by the next, and nobody else's namespace is ever touched.

mod demand;
mod dns;
mod forbidden;
mod isolated;
mod objects;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::Method;
use k8s_openapi::{
    api::core::v1::{Namespace, Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, PartialObjectMeta},
};
use serde_json::json;

pub use crate::cluster::isolation::{
    dns::{DnsRule, dns_rule},
    forbidden::{NotAllowed, not_allowed},
    isolated::named_namespace,
};
use crate::cluster::{
    Cluster, Failure, OBJECT_NAME,
    client::{
        failure_id,
        page::{first_page, next_page},
    },
    exec::random_word,
    isolation::{demand::Demand, objects::objects},
    watch,
    writes::{
        create::create_object,
        delete::by_uid,
        namespace::{LEVEL_LABEL, OURS},
        send::{send, uid},
    },
};
use crate::{console::sanitize::sanitize, submission::Submission};

/// The label of what a batch made; its value is the run.
const RUN: &str = "stsgrade/run";
/// The label with the hand-in that a namespace was made for.
const HAND_IN: &str = "stsgrade/hand-in";
/// The longest that an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Until the API server enforces the quota: before that it refuses every pod.
const QUOTA_STATUS_TIMEOUT: Duration = Duration::from_secs(20);
/// Until a namespace is gone whose pods end at once.
const NAMESPACE_GONE_TIMEOUT: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// What a pod gets to end, once it is graded, in seconds.
const END_SECONDS: u32 = 1;

/// A Pod Security level for hand-ins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodSecurity {
    /// Nothing that reaches the node.
    #[default]
    Baseline,
    /// No user root, no capabilities besides.
    Restricted,
}

impl PodSecurity {
    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// A namespace that was made for one attempt at one hand-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsolatedNamespace {
    /// Its name.
    pub name: String,
    pub(crate) uid: String,
}

/// An id for a run: lowercase letters and digits.
///
/// # Errors
/// The system has no random numbers.
pub fn new_run() -> Result<String, Failure> {
    let word =
        random_word().map_err(|why| Failure::new("system", why.to_string(), "Run it again."))?;
    Ok(word.chars().filter(char::is_ascii_alphanumeric).take(6).collect())
}

/// The labels of what a run makes.
pub(crate) fn run_labels(run: &str) -> Vec<(&'static str, &str)> {
    vec![OURS, (RUN, run)]
}

/// How the names of a run's namespaces begin.
pub(crate) fn prefix(run: &str) -> String {
    format!("stsgrade-{run}-")
}

impl IsolatedNamespace {
    /// Makes the namespace with all that bounds it, and gives the submission as it is applied
    /// there.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached. What was made is removed.
    pub async fn create(
        cluster: &Cluster,
        run: &str,
        hand_in: &str,
        level: PodSecurity,
        submission: &Submission,
        dns: &DnsRule,
    ) -> Result<(Self, Submission), Failure> {
        // Another attempt at the same hand-in may still be on its way out.
        let name = format!("{}{hand_in}-{}", prefix(run), &new_run()?[..4]);
        let labels = json!({OURS.0: OURS.1, RUN: run, HAND_IN: hand_in, LEVEL_LABEL: level.name()});
        let body = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": labels}});
        let made = create_object(cluster, &body).await?;
        let namespace = Self { name, uid: uid(&made) };
        let inside = cluster.in_namespace(&namespace.name);
        match fill(&inside, &Demand::of(submission), dns).await {
            Ok(()) => {
                let isolated = isolated::isolated(submission, &namespace.name);
                Ok((namespace, isolated))
            }
            Err(failure) => Err(namespace.delete_after(cluster, failure).await),
        }
    }

    /// Deletes it because what was to be in it could not be made; the failure says so if that fails,
    /// too.
    pub(crate) async fn delete_after(&self, cluster: &Cluster, failure: Failure) -> Failure {
        match self.delete(cluster).await {
            Ok(()) => failure,
            Err(left) => failure.leaving(&left.to_string()),
        }
    }

    /// Deletes it, and ends its pods at once; does not wait until it is gone.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached.
    pub async fn delete(&self, cluster: &Cluster) -> Result<(), Failure> {
        // A grade that was broken off holds a Lease in it, which is of no use any more.
        cluster.requests.require_no_lease(&self.name);
        let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
        match namespaces.delete(&self.name, &by_uid(&self.uid)).await {
            Ok(_) => {}
            // Gone already, or another one of that name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(()),
            Err(error) => return Err(cluster.failure(&error, "delete", "namespaces", &self.name)),
        }
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &self.name);
        let at_once =
            DeleteParams { grace_period_seconds: Some(END_SECONDS), ..DeleteParams::default() };
        // They end by themselves if this fails, only later.
        let _ = pods.delete_collection(&at_once, &ListParams::default()).await;
        Ok(())
    }
}

/// Puts into the namespace what bounds it.
async fn fill(cluster: &Cluster, demand: &Demand, dns: &DnsRule) -> Result<(), Failure> {
    // The API server refuses pods without their service account, which a controller makes a while
    // after the namespace. The one that comes first makes it.
    let account = async {
        let path = format!(
            "/api/v1/namespaces/{}/serviceaccounts/default?fieldManager=stsgrade&force=true",
            cluster.namespace
        );
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "default"}, "automountServiceAccountToken": false});
        match send(cluster, Method::PATCH, &path, "application/apply-patch+yaml", Some(&account))
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => Err(cluster.failure(&error, "patch", "serviceaccounts", "default")),
        }
    };
    let bounds = async {
        for object in objects(&cluster.namespace, demand, dns) {
            create_object(cluster, &object).await?;
        }
        await_quota(cluster).await
    };
    let (account, bounds) = tokio::join!(account, bounds);
    account.and(bounds)
}

/// Waits until the quota has its status: a quota without one has no room for any pod.
async fn await_quota(cluster: &Cluster) -> Result<(), Failure> {
    let path = format!("/api/v1/namespaces/{}/resourcequotas/{OBJECT_NAME}", cluster.namespace);
    let began = tokio::time::Instant::now();
    while began.elapsed() < QUOTA_STATUS_TIMEOUT {
        match send(cluster, Method::GET, &path, "", None).await {
            Ok((_, quota)) if quota.pointer("/status/hard/pods").is_some() => return Ok(()),
            Ok(_) => tokio::time::sleep(LOOK_PAUSE).await,
            Err(error) => {
                return Err(cluster.failure(&error, "get", "resourcequotas", OBJECT_NAME));
            }
        }
    }
    let what = format!("the status of the quota of namespace {}", cluster.namespace);
    Err(Failure::timed_out(&what, QUOTA_STATUS_TIMEOUT.as_secs()))
}

/// Whether a run made a namespace.
pub(crate) fn is_of_run(namespace: &ObjectMeta, run: &str) -> bool {
    let has = |key: &str, value: &str| {
        namespace.labels.iter().flatten().any(|it| it.0 == key && it.1 == value)
    };
    let name = namespace.name.as_deref().unwrap_or_default();
    has(OURS.0, OURS.1) && has(RUN, run) && name.starts_with(&prefix(run))
}

/// The namespaces that a run made and that are still there, those on their way out included.
///
/// # Errors
/// The API server refuses, or cannot be reached.
async fn of_run(cluster: &Cluster, run: &str) -> Result<Vec<IsolatedNamespace>, Failure> {
    let selector = format!("{}={},{RUN}={run}", OURS.0, OURS.1);
    let all = namespaces(cluster, &selector).await?;
    let ours = all.into_iter().filter(|it| is_of_run(&it.metadata, run));
    Ok(ours
        .map(|it| IsolatedNamespace { name: it.name_any(), uid: it.uid().unwrap_or_default() })
        .collect())
}

/// The names of the namespaces that a run made and that are still there.
///
/// # Errors
/// The API server refuses, or cannot be reached.
pub(crate) async fn names_of_run(cluster: &Cluster, run: &str) -> Result<Vec<String>, Failure> {
    Ok(of_run(cluster, run).await?.into_iter().map(|it| it.name).collect())
}

/// The names of the namespaces that a label selector finds, in order.
///
/// # Errors
/// The API server refuses, or cannot be reached.
pub async fn labelled(cluster: &Cluster, selector: &str) -> Result<Vec<String>, Failure> {
    let all = namespaces(cluster, selector).await?;
    let stays = all.iter().filter(|it| it.metadata.deletion_timestamp.is_none());
    Ok(stays.map(|it| it.name_any()).collect())
}

async fn namespaces(
    cluster: &Cluster,
    selector: &str,
) -> Result<Vec<PartialObjectMeta<Namespace>>, Failure> {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    let mut params = first_page().labels(selector);
    let mut found = vec![];
    loop {
        let page = api
            .list_metadata(&params)
            .await
            .map_err(|error| cluster.failure(&error, "list", "namespaces", ""))?;
        let next = next_page(&params, &page.metadata);
        found.extend(page.items);
        let Some(next) = next else { return Ok(found) };
        params = next;
    }
}

/// Asks for the deletion of every namespace that a run made; how many there were.
///
/// # Errors
/// The API server refuses, or cannot be reached.
pub async fn delete_all(cluster: &Cluster, run: &str) -> Result<usize, Failure> {
    let found = of_run(cluster, run).await?;
    for namespace in &found {
        namespace.delete(cluster).await?;
    }
    Ok(found.len())
}

/// Deletes the namespaces of these hand-ins that a run made, and does not wait until they are gone.
///
/// # Errors
/// The API server refuses, or cannot be reached.
pub async fn delete_hand_ins(cluster: &Cluster, run: &str, ids: &[&str]) -> Result<(), Failure> {
    let selector = format!("{}={},{RUN}={run},{HAND_IN}", OURS.0, OURS.1);
    for found in namespaces(cluster, &selector).await? {
        let is_asked_for = found.labels().get(HAND_IN).is_some_and(|id| ids.contains(&id.as_str()));
        if is_asked_for && is_of_run(&found.metadata, run) {
            let uid = found.uid().unwrap_or_default();
            IsolatedNamespace { name: found.name_any(), uid }.delete(cluster).await?;
        }
    }
    Ok(())
}

/// Waits until every namespace that a run made is gone; the names of those that are still there.
///
/// # Errors
/// The API server refuses, or cannot be reached.
pub async fn await_gone(cluster: &Cluster, run: &str) -> Result<Vec<String>, Failure> {
    let began = tokio::time::Instant::now();
    loop {
        let left: Vec<String> = of_run(cluster, run).await?.into_iter().map(|it| it.name).collect();
        if left.is_empty() || began.elapsed() > NAMESPACE_GONE_TIMEOUT {
            return Ok(left);
        }
        tokio::time::sleep(LOOK_PAUSE * 5).await;
    }
}

/// Whether the API server answers: it is asked for what anybody may know. That it refuses to tell is
/// an answer, too.
pub async fn answers(cluster: &Cluster) -> bool {
    watch::answers(cluster, ANSWER_TIMEOUT).await.is_ok()
}

/// A hand-in that asks for what no hand-in of a batch gets.
#[must_use]
pub fn asks_too_much(found: NotAllowed) -> Failure {
    let next = "Look at it yourself: grade it alone with `stsgrade grade -f`, or ask for another \
        hand-in.";
    let what = format!("{}, and no hand-in of a batch gets that", sanitize(&found.what));
    Failure::new(failure_id::NOT_ALLOWED, what, next).at(found.place, "")
}

/// Why a hand-in that lost points is for a person to look at: it may have lost them because a batch
/// gives it a namespace of its own.
#[must_use]
pub fn names_a_namespace(namespace: &str) -> Failure {
    let namespace = sanitize(namespace);
    let what = format!(
        "it names the namespace {namespace} in a DNS name, and lost points in the namespace that the \
         batch gave it"
    );
    let next = format!("Grade it alone: `stsgrade grade -n {namespace} -f FILE --cleanup`.");
    Failure::new(failure_id::NOT_ALLOWED, what, next)
}
