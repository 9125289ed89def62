use crate::model::{
    PodLife, Timeline, WaitStatus,
    observation::{
        Fact, NANOS_PER_SECOND, ObjectChange,
        object::{
            Container, ContainerState, ContainerStatus, Event, Object, ObjectReference, Pod,
            Running, Terminated,
        },
    },
    testing::history::History,
};

fn ended(started_at: &str, finished_at: &str) -> Terminated {
    Terminated {
        started_at: Some(started_at.to_owned()),
        finished_at: Some(finished_at.to_owned()),
        ..Terminated::default()
    }
}

fn again(ended: Terminated) -> ContainerStatus {
    ContainerStatus {
        name: "app".to_owned(),
        restart_count: 1,
        state: ContainerState { running: Some(Running::default()), ..ContainerState::default() },
        last_state: ContainerState { terminated: Some(ended), ..ContainerState::default() },
        ..ContainerStatus::default()
    }
}

/// Catches a recording by hand that waits for itself for ever: whether the pods that stood have
/// lasted depends on what the submission asks for, and that on which have lasted.
#[test]
fn a_crash_loop_beside_pods_that_stand_is_judged() {
    let beside = (1..=4)
        .fold(History::created().scale(4).up(3).scale(5).claim(4).add(4), |it, start| {
            it.crashed(4, start)
        });
    let timeline = beside.timeline();
    assert_eq!((timeline.replicas(), timeline.settled().map(|it| it.replicas)), (3, Some(3)));
}

/// Whether web-0 counts as one that has ended, when this is told of it.
fn has_ended(tell: impl FnOnce(&mut Pod)) -> bool {
    let timeline = History::created().pod(0, ObjectChange::Modified, tell).timeline();
    timeline.live(0).and_then(PodLife::last_own_end).is_some()
}

#[test]
fn what_ends_by_its_own_doing() {
    let soon = || ended("2026-11-23T00:00:00Z", "2026-11-23T00:00:05Z");
    assert!(has_ended(|pod| pod.status.container_statuses = vec![again(soon())]));
    let memory = Terminated { reason: "OOMKilled".to_owned(), exit_code: 137, ..soon() };
    assert!(has_ended(|pod| pod.status.container_statuses = vec![again(memory)]));
    let not_started = |message: &str| Terminated {
        reason: "StartError".to_owned(),
        message: message.to_owned(),
        ..ended("1970-01-01T00:00:00Z", "2026-11-23T00:00:05Z")
    };
    let no_program = not_started("exec: \"bash\": executable file not found in $PATH");
    assert!(has_ended(|pod| pod.status.container_statuses = vec![again(no_program)]));
    // After the pod was asked to go, at 00:00:04; a moment before, it was its own doing.
    let asked = |pod: &mut Pod, finished: &str| {
        pod.metadata.deletion_timestamp = Some("2026-11-23T00:00:34Z".to_owned());
        pod.metadata.deletion_grace_period_seconds = Some(30);
        pod.status.container_statuses[0].state = ContainerState {
            terminated: Some(ended("2026-11-23T00:00:00Z", finished)),
            ..ContainerState::default()
        };
    };
    assert!(!has_ended(|pod| asked(pod, "2026-11-23T00:00:05Z")));
    assert!(has_ended(|pod| asked(pod, "2026-11-23T00:00:03Z")));
    // The node, or the cluster.
    let by_the_node = not_started("unable to apply cgroup configuration: no space left on device");
    assert!(!has_ended(|pod| pod.status.container_statuses = vec![again(by_the_node)]));
    let unknown = Terminated { reason: "Unknown".to_owned(), exit_code: 255, ..soon() };
    assert!(!has_ended(|pod| pod.status.container_statuses = vec![again(unknown)]));
    assert!(!has_ended(|pod| {
        pod.status.reason = "Evicted".to_owned();
        pod.status.container_statuses = vec![again(soon())];
    }));
    // It had come up, by what the kubelet itself forgets.
    assert!(!has_ended(|pod| pod.status.container_statuses =
        vec![again(ended("2026-11-23T00:00:00Z", "2026-11-23T00:10:00Z"))]));
}

fn with_init(restart_policy: &str) -> Timeline {
    let mut history = History::new();
    let init = Container {
        name: "init".to_owned(),
        restart_policy: restart_policy.to_owned(),
        ..Container::default()
    };
    history.spec.template.spec.init_containers = vec![init];
    let status = ContainerStatus {
        name: "init".to_owned(),
        ..again(ended("2026-11-23T00:00:00Z", "2026-11-23T00:00:20Z"))
    };
    let up = history.create();
    up.pod(0, ObjectChange::Modified, |pod| pod.status.init_container_statuses = vec![status])
        .timeline()
}

#[test]
fn native_sidecars_are_meant_to_stay_up_and_other_init_containers_to_end() {
    assert_eq!(with_init("").settled_or_awaited(), WaitStatus::Done);
    assert_eq!(
        with_init("Always").settled_or_awaited(),
        WaitStatus::Awaited("web-0 to stay up".to_owned())
    );
}

#[test]
fn what_outlasts_is_up_without_a_further_line() {
    let mut timeline = with_init("Always");
    let next = timeline.next_up().unwrap_or_default();
    timeline.advance_to(next - 1);
    assert!(!timeline.is_settled());
    timeline.advance_to(next);
    assert!(timeline.is_settled());
    assert_eq!(timeline.next_up(), None);
    // By the nodes' clock, where another container started later.
    let later = |pod: &mut Pod| {
        pod.status.container_statuses[0].state.running =
            Some(Running { started_at: Some("2026-11-23T00:01:00Z".to_owned()) })
    };
    let since = Some("2026-11-23T00:00:21Z".to_owned());
    let restarted = |pod: &mut Pod| {
        let mut status = again(ended("2026-11-23T00:00:00Z", "2026-11-23T00:00:20Z"));
        status.state.running = Some(Running { started_at: since });
        pod.status.container_statuses = vec![status];
    };
    let history = History::created().pod(0, ObjectChange::Modified, restarted);
    assert!(!history.timeline().is_settled());
    assert!(history.pod(1, ObjectChange::Modified, later).timeline().is_settled());
}

/// Catches a wait for what is over, and one for a container that does not run.
#[test]
fn how_long_until_a_container_has_run_for_a_while() {
    let history = History::created();
    let timeline = history.timeline();
    let left = timeline.time_to_have_run("app", 3600 * NANOS_PER_SECOND).unwrap_or_default();
    assert!((3000 * NANOS_PER_SECOND..3600 * NANOS_PER_SECOND).contains(&left), "{left}");
    assert_eq!(timeline.time_to_have_run("app", 0), Some(0));
    assert_eq!(timeline.time_to_have_run("other", NANOS_PER_SECOND), None);
    let ended = History::created().ends(0, 0, 0, 25).runs(0, 1, 26).timeline();
    assert_eq!(ended.time_to_have_run("app", 3600 * NANOS_PER_SECOND), Some(0));
}

/// Catches an ending that is forgotten with its pod: by chance, all pods of a container that ends
/// again and again are scaled away before it ends a second time, and stand anew for a moment.
#[test]
fn what_ended_before_its_pod_was_scaled_away_is_not_forgotten() {
    let round = |history: History| {
        history.scale(0).down(2).down(1).down(0).scale(3).up(0).up(1).up(2).inspect()
    };
    let of = |history: History| history.end().letters();
    let ended = History::created().ends(0, 0, 0, 25).runs(0, 1, 26);
    let soon = round(ended.clone());
    assert_eq!(of(soon.clone()), "IIIIIIIIII");
    assert_eq!(of(round(soon.clone())), "IIIIIIIIII", "nor with the second pod");
    let timeline = soon.clone().timeline();
    assert_eq!(
        timeline.settled_or_awaited(),
        WaitStatus::Awaited("web-0 to stay up".to_owned()),
        "the tour waits for it"
    );
    assert_eq!(
        timeline.live(0).and_then(|pod| timeline.why_not_up(pod)).unwrap_or_default(),
        "container app ended after 25 s in the pod of that name before, and has run for 18 s in \
         this one"
    );
    // It stays: nothing is held against it, nor against the pods that come after.
    let later = (0..30).fold(soon, |history, _| history.tick());
    assert_eq!(of(later.clone()), of(round(History::created())));
    assert_eq!(of(round(later)), of(round(round(History::created()))));
    // The next template has nothing to do with it.
    let mut mended = ended.scale(0).down(2).down(1).down(0);
    mended.revision = "web-2".to_owned();
    let mended = mended.scale(3).up(0).timeline();
    assert!(mended.live(0).is_some_and(|pod| pod.ended_before.is_empty()));
}

/// The kubelet says that it ends web-2's container because its liveness probe fails.
fn killed(history: History, count: i32) -> History {
    let timeline = history.timeline();
    let uid = timeline.live(2).map(|it| it.uid().to_owned()).unwrap_or_default();
    let event = Event {
        involved_object: ObjectReference {
            kind: "Pod".to_owned(),
            uid,
            ..ObjectReference::default()
        },
        reason: "Killing".to_owned(),
        message: "Container app failed liveness probe, will be restarted".to_owned(),
        count,
        ..Event::default()
    };
    history.push(Fact::Object(ObjectChange::Modified, Object::Event(event)))
}

fn ticks(history: History, seconds: u32) -> History {
    (0..seconds).fold(history, |it, _| it.tick())
}

/// Catches a container that its liveness probe ends again and again, and that counts as up because
/// the status which tells of an end comes later than the Event: 100 points for a crash loop. And one
/// that is held to be ending although the kubelet has started it again, or has not ended it.
#[test]
fn what_the_kubelet_ends_for_a_probe_is_not_up() {
    let is_up = |history: &History| {
        let timeline = history.timeline();
        timeline.live(2).is_some_and(|pod| timeline.is_up(pod))
    };
    // The first run ended after 6 s.
    let again = History::created().ends(2, 0, 0, 6).runs(2, 1, 10);
    let outlasted = ticks(again.clone(), 8);
    assert!(is_up(&outlasted) && outlasted.timeline().is_settled());
    let ending = ticks(killed(killed(again.clone(), 1), 2), 8);
    assert!(!is_up(&ending) && !ending.timeline().is_settled());
    let why = ending.timeline().awaited();
    assert_eq!(why.as_deref(), Some("web-2 to stay up"));
    // The Event of the first end came late.
    assert!(is_up(&ticks(killed(again.clone(), 1), 8)));
    // The grace period of 30 s is over long since.
    assert!(is_up(&ticks(ending, 40)));
    // What had settled before is over, too.
    let stood = History::created();
    assert!(stood.timeline().settled().is_some());
    assert!(killed(stood, 1).timeline().settled().is_none());
}
