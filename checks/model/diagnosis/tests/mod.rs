//! Each row, by what a real cluster (1.34) said in its case.

mod changed;
mod claims;
mod containers;
mod ends;
mod hooks;
mod images;
mod probes;
mod refusals;
mod scheduling;
mod unwritable;

use std::collections::BTreeMap;

use crate::model::{
    Outcome, WaitStatus,
    observation::{
        End, EndReason, Fact, Inquiry, NANOS_PER_SECOND, ObjectChange, Phase, Read, Reference,
        Step, StepName,
        object::{
            Condition, Container, ContainerState, ContainerStatus, Event, Metadata, Object,
            ObjectReference, OwnerReference, PersistentVolumeClaimSpec, Pod, Probe, Resources,
            Running, Terminated, Volume, Waiting,
        },
    },
    testing::history::History,
};
use crate::model::{
    diagnosis::rows,
    obstacle::{
        Fault,
        Fault::{NotTheSubmission, Submission},
    },
};

/// The first pod of a set of three, Pending, on a Bound claim; UIDs `set`, `claim-1`, `pod-2`.
fn first_pod() -> History {
    first_pod_of(|_| {})
}

fn first_pod_of(with: impl FnOnce(&mut Container)) -> History {
    let mut history = History::new();
    with(&mut history.spec.template.spec.containers[0]);
    history.service().set(ObjectChange::Added).subject().claim(0).add(0)
}

/// The first pod of a template that asks for a certain node and for so much memory.
fn particular() -> History {
    let mut history = History::new();
    let pod = &mut history.spec.template.spec;
    pod.node_selector = BTreeMap::from([("disk".to_owned(), "ssd".to_owned())]);
    let memory = BTreeMap::from([("memory".to_owned(), "900Gi".to_owned())]);
    pod.containers[0].resources = Resources { requests: memory, ..Resources::default() };
    history.service().set(ObjectChange::Added).subject().claim(0).add(0)
}

/// What is seen at once, while the wait goes on.
fn at_once(history: &History) -> Option<(&'static str, Fault)> {
    match history.timeline().settled_or_awaited() {
        WaitStatus::Stuck(obstacle) => Some((obstacle.id, obstacle.fault)),
        _ => None,
    }
}

/// What is seen when the time has run out.
fn in_the_end(history: &History) -> Option<(&'static str, Fault)> {
    let ended = history
        .clone()
        .step(StepName::WaitUntilSettled)
        .step_ended(StepName::WaitUntilSettled, Phase::TimedOut);
    ended.timeline().first_obstacle().map(|it| (it.id, it.fault))
}

#[track_caller]
fn stops(history: &History, id: &'static str, fault: Fault) {
    assert_eq!(at_once(history), Some((id, fault)));
}

#[track_caller]
fn waits(history: &History, id: &'static str, fault: Fault) {
    assert_eq!((at_once(history), in_the_end(history)), (None, Some((id, fault))));
}

fn event(
    history: History,
    kind: &str,
    uid: &str,
    r#type: &str,
    reason: &str,
    message: &str,
) -> History {
    let involved_object =
        ObjectReference { kind: kind.to_owned(), name: String::new(), uid: uid.to_owned() };
    let metadata = Metadata { uid: format!("{uid} {reason} {message}"), ..Default::default() };
    let event = Event {
        metadata,
        involved_object,
        reason: reason.to_owned(),
        message: message.to_owned(),
        r#type: r#type.to_owned(),
        ..Default::default()
    };
    history.push(Fact::Object(ObjectChange::Added, Object::Event(event)))
}

fn warned(history: History, reason: &str, message: &str) -> History {
    event(history, "Pod", "pod-2", "Warning", reason, message)
}

fn refused(message: &str) -> History {
    let history = History::new().service().set(ObjectChange::Added).subject().claim(0);
    event(history, "StatefulSet", "set", "Warning", "FailedCreate", message)
}

fn container(
    state: ContainerState,
    with: impl FnOnce(&mut ContainerStatus),
) -> impl FnOnce(&mut Pod) {
    let mut status = ContainerStatus { name: "app".to_owned(), state, ..Default::default() };
    with(&mut status);
    |pod| pod.status.container_statuses = vec![status]
}

fn waiting(history: History, reason: &str, message: &str) -> History {
    let state = ContainerState {
        waiting: Some(Waiting { reason: reason.to_owned(), message: message.to_owned() }),
        ..Default::default()
    };
    history.pod(0, ObjectChange::Modified, container(state, |_| {}))
}

fn ended(history: History, restarts: i32, how: Terminated) -> History {
    let state = ContainerState {
        waiting: Some(Waiting {
            reason: "CrashLoopBackOff".to_owned(),
            message: "back-off".to_owned(),
        }),
        ..Default::default()
    };
    history.pod(
        0,
        ObjectChange::Modified,
        container(state, |status| {
            status.restart_count = restarts;
            status.last_state.terminated = Some(how);
        }),
    )
}

fn exit(code: i32) -> Terminated {
    Terminated {
        exit_code: code,
        reason: if code == 0 { "Completed" } else { "Error" }.to_owned(),
        ..Default::default()
    }
}

fn running(history: History, with: impl FnOnce(&mut ContainerStatus)) -> History {
    let state = ContainerState { running: Some(Running::default()), ..Default::default() };
    let status = container(state, with);
    history.pod(0, ObjectChange::Modified, |pod| {
        pod.status.phase = "Running".to_owned();
        status(pod);
    })
}

fn log(history: History, lines: &[&str]) -> History {
    let pod = Reference { name: "web-0".to_owned(), uid: "pod-2".to_owned() };
    let lines = lines.iter().map(|it| (*it).to_owned()).collect();
    history.push(Fact::Inquiry(Inquiry::Logs {
        pod,
        container: "app".to_owned(),
        previous: false,
        lines,
    }))
}

/// What the scheduler says of a pod that it has put on no node.
fn not_scheduled(reason: &str, message: &str) -> Condition {
    Condition {
        r#type: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

fn unschedulable(history: History, message: &str) -> History {
    let condition = not_scheduled("Unschedulable", message);
    history.pod(0, ObjectChange::Modified, |pod| pod.status.conditions = vec![condition])
}

fn pending(class: Option<&str>, modes: &[&str], message: &str) -> History {
    pending_of(History::new(), class, modes, message)
}

fn pending_of(history: History, class: Option<&str>, modes: &[&str], message: &str) -> History {
    let history = history.service().set(ObjectChange::Added).subject().claim(0).claim_line(
        0,
        ObjectChange::Modified,
        |claim| {
            claim.status.phase = "Pending".to_owned();
            if let Some(spec) = &mut claim.spec {
                spec.storage_class_name = class.map(str::to_owned);
                spec.access_modes = modes.iter().map(|it| (*it).to_owned()).collect();
            }
        },
    );
    let history = event(
        history.add(0),
        "PersistentVolumeClaim",
        "claim-1",
        "Warning",
        "ProvisioningFailed",
        message,
    );
    let told = "Waiting for a volume to be created either by the external provisioner \
        'stsgrade.dev/volumes' or manually by the system administrator.";
    event(history, "PersistentVolumeClaim", "claim-1", "Normal", "ExternalProvisioning", told)
}

/// The same, but its last line comes from a list.
fn listed_last(mut history: History) -> History {
    if let Some(Fact::Object(change, _)) = history.lines.last_mut().map(|it| &mut it.what) {
        *change = ObjectChange::Listed;
    }
    history
}

/// What is told of a set when the time has run out.
fn words(history: &History) -> String {
    let ended = history
        .clone()
        .step(StepName::WaitUntilSettled)
        .step_ended(StepName::WaitUntilSettled, Phase::TimedOut);
    ended.timeline().first_obstacle().map_or_else(String::new, |it| it.why.clone())
}
