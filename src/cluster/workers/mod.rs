//! A batch that the cluster itself runs: an Indexed Job in a namespace of the run's own. There its
//! workers find what to grade, and leave the results.
//!
//! The coordinator sends the shares, collects the results, and deletes the namespace. It may end
//! meanwhile: everything stays in the cluster until another one collects it.

mod kueue;
pub mod objects;
mod parcels;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::{
    batch::v1::{Job, JobCondition},
    core::v1::{Event, Namespace, Pod},
};
use kube::{Api, ResourceExt as _, api::ListParams};
use serde_json::{Value, json};

pub use crate::cluster::workers::{
    objects::WorkerOptions,
    parcels::{Parcel, ParcelKind},
};
use crate::{
    cluster::{
        Cluster, Failure, OBJECT_NAME,
        isolation::{IsolatedNamespace, is_of_run, names_of_run},
        workers::parcels::Parcels,
        writes::{create::create_object, send::uid},
    },
    console::sanitize::sanitize,
    recording::signature::Key,
};

/// The Job of a run, its workers, and what is sent to and from them.
pub struct Workers {
    /// In the run's own namespace.
    cluster: Cluster,
    run: String,
}

/// The pod in which a worker runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerPod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// How far the Job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobState {
    /// How many workers run.
    pub running: usize,
    /// How many are done.
    pub succeeded: usize,
    /// Whether no worker starts any more.
    pub has_ended: bool,
    /// Whether Kueue has not admitted it yet.
    pub is_suspended: bool,
    /// Why workers do not start, or failed; safe to show.
    pub troubles: Vec<String>,
}

impl Workers {
    /// The workers of a run.
    #[must_use]
    pub fn of(cluster: &Cluster, run: &str) -> Self {
        let cluster = cluster.in_namespace(&objects::namespace_name(run));
        Self { cluster, run: run.to_owned() }
    }

    /// The name of the namespace in which they are.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.cluster.namespace
    }

    /// Whether the run's own namespace and its Job exist.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached.
    pub async fn exist(&self) -> Result<bool, Failure> {
        let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
        let name = &self.cluster.namespace;
        let found = namespaces
            .get_metadata_opt(name)
            .await
            .map_err(|error| self.cluster.failure(&error, "get", "namespaces", name))?;
        let is_ours = found.is_some_and(|it| {
            it.metadata.deletion_timestamp.is_none() && is_of_run(&it.metadata, &self.run)
        });
        Ok(is_ours && self.job().await?.is_some())
    }

    /// Refuses what would end a Job of this run: what its workers have done is not collected yet.
    ///
    /// # Errors
    /// There is one, or nobody can say.
    pub async fn refuse_to_end(&self) -> Result<(), Failure> {
        // Whoever cannot list the namespaces of the run does not delete them either.
        let names = names_of_run(&self.cluster, &self.run).await.unwrap_or_default();
        if !names.iter().any(|it| it == self.namespace()) || !self.exist().await? {
            return Ok(());
        }
        Err(Failure::new(
            "workers",
            format!(
                "a Job of this run stands in namespace {}, with results that are not collected",
                self.namespace()
            ),
            "Add `--in-cluster` and its `--image` to collect them, or end the Job by `stsgrade batch \
            --clean -o DIR`.",
        ))
    }

    /// Creates the namespace with all that is in it, the Job last.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached. What was made is removed.
    pub async fn create(&self, options: &WorkerOptions, shares: &[Vec<u8>]) -> Result<(), Failure> {
        // Before anything is made: there may be no Kueue.
        let queue = match &options.queue {
            Some(queue) => {
                let version = kueue::version(&self.cluster).await?;
                Some(kueue::local_queue(self.namespace(), queue, &version))
            }
            None => None,
        };
        let made = create_object(&self.cluster, &objects::namespace(&self.run)).await?;
        let uid = uid(&made);
        let filled = self.fill(options, queue.as_ref(), shares, &uid).await;
        let Err(failure) = filled else { return Ok(()) };
        let namespace = IsolatedNamespace { name: self.namespace().to_owned(), uid };
        Err(namespace.delete_after(&self.cluster, failure).await)
    }

    async fn fill(
        &self,
        options: &WorkerOptions,
        queue: Option<&Value>,
        shares: &[Vec<u8>],
        uid: &str,
    ) -> Result<(), Failure> {
        for object in objects::access(&self.run, Some(uid)) {
            create_object(&self.cluster, &object).await?;
        }
        for (index, share) in shares.iter().enumerate() {
            self.parcels().send(ParcelKind::Share, &index.to_string(), share).await?;
        }
        if let Some(key) = Key::from_environment() {
            let key = STANDARD.encode(key.bytes());
            let secret = json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": objects::KEY_SECRET, "namespace": self.namespace()},
                "data": {"key": key}});
            create_object(&self.cluster, &secret).await?;
        }
        if let Some(queue) = queue {
            create_object(&self.cluster, queue).await?;
        }
        create_object(&self.cluster, &objects::job(&self.run, options)).await?;
        Ok(())
    }

    fn parcels(&self) -> Parcels<'_> {
        Parcels::of(&self.cluster)
    }

    /// The bytes of one worker's share.
    ///
    /// # Errors
    /// There is none, or the API server refuses, or cannot be reached.
    pub async fn share(&self, index: usize) -> Result<Vec<u8>, Failure> {
        self.parcels().read(ParcelKind::Share, &index.to_string()).await?.ok_or_else(|| {
            Failure::new(
                "batch_share",
                format!("there is no share {index} in namespace {}", self.namespace()),
                "Only a Job that `stsgrade batch --in-cluster` made runs this command.",
            )
        })
    }

    /// Leaves the result of a hand-in, unless one was left before.
    ///
    /// A worker whose pod is gone may still run, on a node that is lost or after a deletion by
    /// force. Another worker has its share by then, and has deleted the namespaces of its hand-ins:
    /// the result of the first one does not count.
    ///
    /// # Errors
    /// The pod of this worker is gone, or the API server refuses, or cannot be reached.
    pub async fn send(&self, from: &WorkerPod, id: &str, parcel: &[u8]) -> Result<(), Failure> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), self.namespace());
        let pod = pods
            .get_metadata_opt(&from.name)
            .await
            .map_err(|error| self.cluster.failure(&error, "get", "pods", &from.name))?;
        if pod.and_then(|it| it.uid()).is_none_or(|uid| uid != from.uid) {
            let what = format!("pod {} is gone, and another has its work", sanitize(&from.name));
            return Err(Failure::new("replaced", what, "Nothing is to be done."));
        }
        self.parcels().send(ParcelKind::Result, id, parcel).await
    }

    /// The results that workers have left.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached.
    pub async fn results(&self) -> Result<Vec<Parcel>, Failure> {
        self.parcels().list(ParcelKind::Result).await
    }

    /// The result of a hand-in; `None` where it was received already.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached.
    pub async fn result(&self, id: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.parcels().read(ParcelKind::Result, id).await
    }

    /// Marks a result as received: it is on disk.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached.
    pub async fn mark_received(&self, id: &str) -> Result<(), Failure> {
        self.parcels().mark_received(ParcelKind::Result, id).await
    }

    async fn job(&self) -> Result<Option<Job>, Failure> {
        let jobs: Api<Job> = Api::namespaced(self.cluster.client.clone(), self.namespace());
        let job = jobs.get_opt(OBJECT_NAME).await;
        job.map_err(|error| self.cluster.failure(&error, "get", "jobs.batch", OBJECT_NAME))
    }

    /// How far the Job is. One that is gone has ended.
    ///
    /// # Errors
    /// The API server refuses, or cannot be reached.
    pub async fn state(&self) -> Result<JobState, Failure> {
        let Some(job) = self.job().await? else {
            return Ok(JobState { has_ended: true, ..JobState::default() });
        };
        let status = job.status.unwrap_or_default();
        let count = |pods: Option<i32>| usize::try_from(pods.unwrap_or_default()).unwrap_or(0);
        let is_end = |condition: &JobCondition| {
            condition.status == "True" && matches!(&*condition.type_, "Complete" | "Failed")
        };
        Ok(JobState {
            running: count(status.active),
            succeeded: count(status.succeeded),
            has_ended: status.conditions.iter().flatten().any(is_end),
            is_suspended: job.spec.and_then(|spec| spec.suspend).unwrap_or_default(),
            troubles: self.troubles().await?,
        })
    }

    /// Why workers do not start, or failed, each once.
    async fn troubles(&self) -> Result<Vec<String>, Failure> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), self.namespace());
        let pods = pods.list(&ListParams::default()).await;
        let pods = pods.map_err(|error| self.cluster.failure(&error, "list", "pods", ""))?;
        let mut troubles: Vec<String> = pods.iter().filter_map(trouble_of).collect();
        let events: Api<Event> = Api::namespaced(self.cluster.client.clone(), self.namespace());
        let of_job = "involvedObject.kind=Job,reason=FailedCreate";
        let events = events.list(&ListParams::default().fields(of_job)).await;
        // Whoever may not list Events is told less.
        troubles.extend(events.into_iter().flatten().filter_map(|it| it.message));
        troubles.iter_mut().for_each(|it| *it = sanitize(it));
        troubles.sort();
        troubles.dedup();
        Ok(troubles)
    }
}

/// Why a worker does not run, or how it failed.
fn trouble_of(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let unscheduled = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() != Some("SchedulingGated")
    });
    if let Some(message) = unscheduled.and_then(|condition| condition.message.clone()) {
        return Some(format!("a worker finds no node: {message}"));
    }
    let state = status.container_statuses.iter().flatten().find_map(|it| it.state.as_ref())?;
    if let Some(ended) = state.terminated.as_ref().filter(|it| it.exit_code != 0) {
        let name = pod.name_any();
        let reason = ended.reason.as_deref().unwrap_or("Error");
        return Some(format!("worker {name} ended with {} ({reason})", ended.exit_code));
    }
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().filter(|it| *it != "ContainerCreating")?;
    let message = waiting.message.as_deref().unwrap_or_default();
    Some(format!("a worker does not start: {reason}: {message}"))
}
