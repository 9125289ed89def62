//! Containers that a probe or the memory limit ends.

use super::*;

#[test]
fn memory() {
    let killed =
        || Terminated { exit_code: 137, reason: "OOMKilled".to_owned(), ..Default::default() };
    let limited = first_pod_of(|it| {
        it.resources.limits.insert("memory".to_owned(), "16Mi".to_owned());
    });
    stops(&ended(limited, 2, killed()), "out_of_memory", Submission);
    waits(&ended(first_pod(), 4, killed()), "node_out_of_memory", Cluster);
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
    waits(&unready, "never_ready", Cluster);
    let for_long = (0..30).fold(unready, |history, _| warned(history, "Unhealthy", words));
    waits(&for_long, "probe_fails", Submission);
    // A busy node loses its events.
    let told_nothing = running(first_pod_of(|it| it.readiness_probe = probe()), |_| {});
    let told_nothing =
        (0..30).fold(told_nothing, |history, _| history.pod(0, ObjectChange::Modified, |_| {}));
    waits(&told_nothing, "probe_fails", Submission);
    waits(&warned(told_nothing, "NodeNotReady", "Node is not ready"), "node_not_ready", Cluster);
    // Each try may take ten seconds, and its time is not over.
    let slow = || Some(Probe { timeout_seconds: 10, ..probe().unwrap_or_default() });
    let slow = running(first_pod_of(|it| it.readiness_probe = slow()), |_| {});
    let slow = (0..30).fold(slow, |history, _| history.pod(0, ObjectChange::Modified, |_| {}));
    waits(&slow, "never_ready", Cluster);
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
    }
    let startup = killing(
        failed(ended(first(), 2, exit(0))),
        "Container app failed startup probe, will be restarted",
    );
    stops(&startup, "liveness_fails", Submission);
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
