//! Facts that attribute a failure: the last words of containers, and the StorageClasses.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use checks::model::{
    Fact, PodLife, Timeline,
    observation::{Inquiry, Reference, StorageClass, object::ContainerStatus},
};
use k8s_openapi::api::{core::v1::Pod, storage};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, LogParams},
};

use crate::cluster::{Cluster, Journal, exec::mounts::reference};

/// How many lines of a log are kept, and how much of each.
const LINES: i64 = 20;
const WIDTH: usize = 300;
/// One request's whole time: a diagnosis never holds the tour up for long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The annotations that mark the default class.
const DEFAULT_CLASS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// How many logs are asked for where a set is stuck: a step waits for them.
const MAX_LOGS: usize = 4;

/// Writes them down, beside the tour.
pub(crate) struct InquiryWriter<'a> {
    cluster: &'a Cluster,
    journal: &'a Journal,
    /// Pod UID, container, and which log of it: asked for once each.
    known: Mutex<BTreeSet<(String, String, ContainerLog)>>,
}

/// The log of one run of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ContainerLog {
    /// Which start of the container, from 0 on.
    run: i32,
    /// That run has ended, so the log is whole.
    is_whole: bool,
}

impl ContainerLog {
    /// The log that tells most: of the run that ended last, where there is one.
    fn of(status: &ContainerStatus) -> Self {
        let runs = status.state.running.is_some();
        let run = status.restart_count - i32::from(runs && status.restart_count > 0);
        Self { run, is_whole: !runs || status.restart_count > 0 }
    }

    /// Whether it is of the run before the container's present one.
    fn is_previous(self, status: &ContainerStatus) -> bool {
        self.run < status.restart_count
    }
}

/// A container whose last words are of interest.
struct LogRequest {
    pod: Reference,
    container: String,
    previous: bool,
}

impl<'a> InquiryWriter<'a> {
    pub(crate) fn new(cluster: &'a Cluster, journal: &'a Journal) -> Self {
        Self { cluster, journal, known: Mutex::default() }
    }

    /// Writes down the last words of every container that has ended and waits to be started again.
    ///
    /// Two equal ones in a row tell that a further start will not help. It never ends by itself.
    pub(crate) async fn run_forever(&self) -> Infallible {
        let mut lines = self.journal.lines();
        loop {
            lines.mark_unchanged();
            let crashing = self.journal.with(|timeline| {
                self.log_requests(timeline, usize::MAX, |pod, it| {
                    pod.deletion_requested.is_none() && has_ended(pod, it)
                })
            });
            for request in crashing {
                self.logs(&request).await;
            }
            if lines.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Writes down what may explain why the set is not where it was asked to be.
    pub(crate) async fn explain(&self) {
        let (log_requests, pending) = self.journal.with(|timeline| {
            let is_stuck = |pod: &PodLife, it: &ContainerStatus| {
                !pod.is_ready() && (it.restart_count > 0 || it.state.running.is_some() && !it.ready)
            };
            let pending = timeline.owned().flat_map(PodLife::claims).any(|(_, claim)| {
                timeline.claim(&claim).last().is_some_and(|it| it.claim.status.phase == "Pending")
            });
            (self.log_requests(timeline, MAX_LOGS, is_stuck), pending)
        });
        for request in &log_requests {
            self.logs(request).await;
        }
        if pending {
            self.storage_classes().await;
        }
    }

    /// The logs to ask for, `most` of them; those that are left come at the next look.
    fn log_requests(
        &self,
        timeline: &Timeline,
        most: usize,
        is_wanted: impl Fn(&PodLife, &ContainerStatus) -> bool,
    ) -> Vec<LogRequest> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = vec![];
        for pod in timeline.owned() {
            for status in pod.pod.status.all_containers() {
                if found.len() == most || !is_wanted(pod, status) {
                    continue;
                }
                let log = ContainerLog::of(status);
                if known.insert((pod.uid().to_owned(), status.name.clone(), log)) {
                    found.push(LogRequest {
                        pod: reference(pod),
                        container: status.name.clone(),
                        previous: log.is_previous(status),
                    });
                }
            }
        }
        found
    }

    async fn logs(&self, request: &LogRequest) {
        let api: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        let how = LogParams {
            container: Some(request.container.clone()),
            previous: request.previous,
            tail_lines: Some(LINES),
            limit_bytes: Some(64 << 10),
            ..LogParams::default()
        };
        let said = tokio::time::timeout(REQUEST_TIMEOUT, api.logs(&request.pod.name, &how)).await;
        let fact = match said {
            Ok(Ok(text)) => Inquiry::Logs {
                pod: request.pod.clone(),
                container: request.container.clone(),
                previous: request.previous,
                lines: lines(&text),
            },
            Ok(Err(error)) => unavailable(&request.pod.name, &error.to_string()),
            Err(_) => unavailable(&request.pod.name, "no answer in time"),
        };
        self.journal.push(Fact::Inquiry(fact));
    }

    async fn storage_classes(&self) {
        let api: Api<storage::v1::StorageClass> = Api::all(self.cluster.client.clone());
        let how = ListParams::default();
        let fact = match tokio::time::timeout(REQUEST_TIMEOUT, api.list(&how)).await {
            Ok(Ok(list)) => {
                let is_default = |it: &storage::v1::StorageClass| {
                    DEFAULT_CLASS
                        .iter()
                        .any(|key| it.annotations().get(*key).is_some_and(|value| value == "true"))
                };
                Inquiry::StorageClasses {
                    classes: list
                        .iter()
                        .map(|it| StorageClass { name: it.name_any(), is_default: is_default(it) })
                        .collect(),
                }
            }
            Ok(Err(error)) => {
                Inquiry::Unavailable { what: "StorageClasses".to_owned(), why: error.to_string() }
            }
            Err(_) => Inquiry::Unavailable {
                what: "StorageClasses".to_owned(),
                why: "no answer in time".to_owned(),
            },
        };
        self.journal.push(Fact::Inquiry(fact));
    }
}

/// It has ended otherwise than an init container should.
fn has_ended(pod: &PodLife, container: &ContainerStatus) -> bool {
    let ended = container
        .state
        .terminated
        .as_ref()
        .is_some_and(|it| it.exit_code != 0 || pod.is_long_running(&container.name));
    ended || container.restart_count > 0 && container.state.waiting.is_some()
}

fn unavailable(pod: &str, why: &str) -> Inquiry {
    Inquiry::Unavailable { what: format!("the log of {pod}"), why: why.to_owned() }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.chars().take(WIDTH).collect()).collect()
}

#[cfg(test)]
mod tests {
    use checks::model::observation::object::{ContainerState, ContainerStatus, Running};

    use super::ContainerLog;

    /// Catches the same run's words that are read twice and taken for two runs', and the end of a
    /// run that is never read because its beginning was.
    #[test]
    fn each_run_is_read_once_when_it_has_ended() {
        let status = |restart_count: i32, runs: bool| ContainerStatus {
            restart_count,
            state: ContainerState {
                running: runs.then(Running::default),
                ..ContainerState::default()
            },
            ..ContainerStatus::default()
        };
        let log = |restarts, runs| {
            let status = status(restarts, runs);
            let log = ContainerLog::of(&status);
            (log.run, log.is_whole, log.is_previous(&status))
        };
        assert_eq!(log(0, true), (0, false, false));
        assert_eq!(log(0, false), (0, true, false));
        assert_eq!(log(1, true), (0, true, true), "the run that ended before this one");
        assert_eq!(log(1, false), (1, true, false));
    }
}
