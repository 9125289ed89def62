//! Containers that a probe or the memory limit ends.

use super::*;
use crate::model::obstacle::ProbeKind;

/// The probe that fails, as is known in the end.
fn failing_probe(history: &History) -> Option<ProbeKind> {
    let ended = history
        .clone()
        .step(StepName::WaitUntilSettled)
        .step_ended(StepName::WaitUntilSettled, Phase::TimedOut);
    ended.timeline().first_obstacle()?.container.as_ref()?.failing_probe
}

#[test]
fn memory() {
    let killed =
        || Terminated { exit_code: 137, reason: "OOMKilled".to_owned(), ..Default::default() };
    let limited = first_pod_of(|it| {
        it.resources.limits.insert("memory".to_owned(), "16Mi".to_owned());
    });
    stops(&ended(limited, 2, killed()), "out_of_memory", Submission);
    waits(&ended(first_pod(), 4, killed()), "node_out_of_memory", NotTheSubmission);
}

#[test]
fn probes() {
    let probe = || Some(Probe { period_seconds: 2, failure_threshold: 3, ..Default::default() });
    let words = "Readiness probe failed: dial tcp 10.88.0.24:8080: connect: connection refused";
    let unready = warned(
        running(first_pod_of(|it| it.readiness_probe = probe()), |_| {}),
        "Unhealthy",
        words,
    );
    waits(&unready, "never_ready", NotTheSubmission);
    let for_long = (0..30).fold(unready, |history, _| warned(history, "Unhealthy", words));
    waits(&for_long, "probe_fails", Submission);
    // A busy node loses its events.
    let told_nothing = running(first_pod_of(|it| it.readiness_probe = probe()), |_| {});
    let told_nothing =
        (0..30).fold(told_nothing, |history, _| history.pod(0, ObjectChange::Modified, |_| {}));
    waits(&told_nothing, "probe_fails", Submission);
    waits(
        &warned(told_nothing, "NodeNotReady", "Node is not ready"),
        "node_not_ready",
        NotTheSubmission,
    );
    // Each try may take ten seconds, and its time is not over.
    let slow = || Some(Probe { timeout_seconds: 10, ..probe().unwrap_or_default() });
    let slow = running(first_pod_of(|it| it.readiness_probe = slow()), |_| {});
    let slow = (0..30).fold(slow, |history, _| history.pod(0, ObjectChange::Modified, |_| {}));
    waits(&slow, "never_ready", NotTheSubmission);
    let killed = ended(first_pod_of(|it| it.liveness_probe = probe()), 2, exit(137));
    stops(
        &warned(
            killed,
            "Unhealthy",
            "Liveness probe failed: dial tcp 10.88.0.24:8080: connect: connection refused",
        ),
        "liveness_fails",
        Submission,
    );
}

#[test]
fn probes_that_end_their_container() {
    let first = || {
        first_pod_of(|it| {
            it.liveness_probe =
                Some(Probe { period_seconds: 1, failure_threshold: 2, ..Default::default() })
        })
    };
    let killing =
        |history, message: &str| event(history, "Pod", "pod-2", "Normal", "Killing", message);
    let failed = |history| {
        warned(
            history,
            "Unhealthy",
            "Liveness probe failed: dial tcp 10.88.0.24:8080: connect: connection refused",
        )
    };
    // A trap may end the container with any status: the kubelet says why it did so.
    for told in [
        killing(
            ended(first(), 2, exit(0)),
            "Container app failed liveness probe, will be restarted",
        ),
        failed(ended(first(), 2, exit(143))),
    ] {
        stops(&told, "liveness_fails", Submission);
        assert_eq!(failing_probe(&told), Some(ProbeKind::Liveness));
    }
    let startup = killing(
        failed(ended(first(), 2, exit(0))),
        "Container app failed startup probe, will be restarted",
    );
    stops(&startup, "liveness_fails", Submission);
    // The kubelet says for which of them it ended the container; the other one failed, too.
    assert_eq!(failing_probe(&startup), Some(ProbeKind::Startup));
    // What ends by itself fails its probe, too; and a helper's probe, or a rollout, is not the
    // app's.
    for other in [
        failed(ended(first(), 4, exit(1))),
        killing(ended(first(), 4, exit(137)), "Stopping container app"),
        killing(
            ended(first(), 4, exit(1)),
            "Container helper failed liveness probe, will be restarted",
        ),
        failed(ended(first_pod(), 4, exit(137))),
    ] {
        stops(&other, "container_ends", Submission);
    }
    assert_eq!(at_once(&failed(ended(first(), 1, exit(137)))), None);
    // A busy node loses its events: then the probe is not accused, and not forgotten.
    for (history, is_doubtful) in [
        (ended(first(), 4, exit(0)), true),
        (ended(first(), 4, exit(1)), false),
        (ended(first_pod(), 4, exit(0)), false),
    ] {
        stops(&history, "container_ends", Submission);
        let words = words(&history);
        assert_eq!(
            words.contains("or its liveness or startup probe fails"),
            is_doubtful,
            "{words}"
        );
    }
}

/// The grader reads the pod's volume in the container, in this time.
fn read_in(history: History, took: u64) -> History {
    read_by(history, took, "app", None)
}

fn read_by(history: History, took: u64, container: &str, error: Option<String>) -> History {
    let pod = Reference { name: "web-0".to_owned(), uid: "pod-2".to_owned() };
    let container = container.to_owned();
    let began = (history.lines.len() as u64 + 1) * NANOS_PER_SECOND - took;
    history.push(Fact::Read(Read { pod, container, began, error, ..Default::default() }))
}

/// Catches points that a busy node costs: the command of a probe that it starts late.
#[test]
fn probes_without_an_answer() {
    const QUICK: u64 = NANOS_PER_SECOND / 5;
    let probe = |timeout_seconds| {
        Some(Probe {
            period_seconds: 1,
            failure_threshold: 2,
            timeout_seconds,
            ..Default::default()
        })
    };
    let killed = |history, words: &str| {
        let words = format!("Liveness probe failed: {words}");
        warned(ended(history, 2, exit(137)), "Unhealthy", &words)
    };
    let first = |seconds| first_pod_of(|it| it.liveness_probe = probe(seconds));
    let late = "command timed out: \"test -f /data/id\" timed out after 1s";
    for words in [
        late,
        "Get \"http://10.88.0.24:80/\": context deadline exceeded (Client.Timeout exceeded while \
        awaiting headers)",
        "dial tcp 10.88.0.24:8080: i/o timeout",
        "timeout: failed to connect service \"10.88.0.24:90\" within 1s: context deadline exceeded",
    ] {
        waits(
            &killed(read_in(first(1), 3 * NANOS_PER_SECOND), words),
            "probe_unanswered",
            NotTheSubmission,
        );
    }
    // One of the grader's own commands was late.
    let once = read_in(read_in(first(1), QUICK), 3 * NANOS_PER_SECOND);
    waits(&killed(once.clone(), late), "probe_unanswered", NotTheSubmission);
    // A node is not waited for through a long crash loop.
    let looped = ended(read_in(first(1), 3 * NANOS_PER_SECOND), 4, exit(137));
    let words = format!("Liveness probe failed: {late}");
    stops(&warned(looped, "Unhealthy", &words), "probe_unanswered", NotTheSubmission);
    // None was, or there was none; the probe has all the time that a node needs; or it had an
    // answer.
    stops(&killed(first(1), late), "liveness_fails", Submission);
    stops(&killed(read_in(first(1), QUICK), late), "liveness_fails", Submission);
    stops(&killed(first(10), late), "liveness_fails", Submission);
    let missing = "cat: /data/id: No such file";
    stops(&killed(first(1), missing), "liveness_fails", Submission);
    stops(&killed(once.clone(), missing), "liveness_fails", Submission);
    // A node that never had the time may have ended it first, and that word of it is lost.
    waits(
        &killed(read_in(first(1), 3 * NANOS_PER_SECOND), missing),
        "probe_unanswered",
        NotTheSubmission,
    );
    stops(&killed(first(1), "wget: download timed out"), "liveness_fails", Submission);
    // A failed reading, or one by a container of the grader's own, measures no node.
    let by = |container: &str, error: Option<&str>| {
        read_by(first(1), 3 * NANOS_PER_SECOND, container, error.map(str::to_owned))
    };
    for read in [by("stsgrade-1", None), by("app", Some("no shell"))] {
        stops(&ended(read, 4, exit(0)), "container_ends", Submission);
    }
    waits(
        &killed(by("app", Some("not done within 10 s")), late),
        "probe_unanswered",
        NotTheSubmission,
    );
    // Each probe by its own time.
    let two = first_pod_of(|it| {
        it.liveness_probe = probe(1);
        it.startup_probe = probe(30);
    });
    let startup = warned(
        ended(two, 2, exit(137)),
        "Unhealthy",
        "Startup probe failed: command timed out: \"sleep 99\" timed out after 30s",
    );
    stops(&startup, "liveness_fails", Submission);
    // What ends beside a container that is not Ready for its probe.
    let beside = first_pod_of(|it| it.readiness_probe = probe(1));
    let words = format!("Readiness probe failed: {late}");
    stops(&warned(ended(beside, 4, exit(1)), "Unhealthy", &words), "container_ends", Submission);

    // The kubelet's words are lost. A node that was late with the grader's commands may have ended
    // it; without them, the container's own end is what is known.
    let lost = |history| ended(history, 4, exit(0));
    stops(&lost(read_in(first(1), 3 * NANOS_PER_SECOND)), "probe_unanswered", NotTheSubmission);
    stops(&lost(read_in(first(1), QUICK)), "container_ends", Submission);
    stops(&lost(read_in(first(10), 3 * NANOS_PER_SECOND)), "container_ends", Submission);
    let by_itself = ended(read_in(first(1), 3 * NANOS_PER_SECOND), 4, exit(1));
    stops(&by_itself, "container_ends", Submission);

    let unready = |history: History| {
        let words = format!("Readiness probe failed: {late}");
        (0..30).fold(running(history, |_| {}), |it, _| warned(it, "Unhealthy", &words))
    };
    let first = || first_pod_of(|it| it.readiness_probe = probe(1));
    waits(&unready(read_in(first(), 3 * NANOS_PER_SECOND)), "probe_unanswered", NotTheSubmission);
    waits(&unready(first()), "probe_fails", Submission);
    assert_eq!(failing_probe(&unready(first())), Some(ProbeKind::Readiness));
    let two = first_pod_of(|it| {
        it.readiness_probe = probe(1);
        it.startup_probe = probe(1);
    });
    let words = "Startup probe failed: connection refused";
    let startup = (0..30).fold(running(two, |_| {}), |it, _| warned(it, "Unhealthy", words));
    assert_eq!(failing_probe(&startup), Some(ProbeKind::Startup));
    let only = running(first_pod_of(|it| it.startup_probe = probe(1)), |_| {});
    let only = (0..30).fold(only, |it, _| it.pod(0, ObjectChange::Modified, |_| {}));
    assert_eq!(failing_probe(&only), Some(ProbeKind::Startup));
    waits(&unready(read_in(first(), QUICK)), "probe_fails", Submission);
}
