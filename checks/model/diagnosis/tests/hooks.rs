//! Containers that the kubelet ends because their hook fails.

use super::*;
use crate::model::obstacle::HookEnd;

/// What the kubelet says of the hook of the first pod's container.
fn said(how: &str) -> String {
    format!(
        "Exec lifecycle hook ([/bin/sh -c [ ! -f /data/id ] && hostname > /data/id]) for Container \
        \"app\" in Pod \"web-0_lab(57409ca4)\" failed - error: {how}, message: \"\""
    )
}

/// A hook that failed at each start of a container, which then ended so.
fn hook_failed(message: &str, restarts: i32, end: &Terminated) -> History {
    (0..=restarts).fold(first_pod(), |history, restarts| {
        let state = ContainerState {
            waiting: Some(Waiting {
                reason: "PostStartHookError".to_owned(),
                message: message.to_owned(),
            }),
            ..Default::default()
        };
        let failed = container(state, |status| {
            status.restart_count = restarts;
            status.last_state.terminated = Some(end.clone());
        });
        let history = history.pod(0, ObjectChange::Modified, failed);
        // Until the next start nothing is told of the hook any more.
        ended(history, restarts, end.clone())
    })
}

/// Catches a hook that fails told as a command that has come to its end.
#[test]
fn a_hook_that_fails_is_not_the_command_s_end() {
    let failed = said("command '/bin/sh -c [ ! -f /data/id ] && …' exited with 1: ");
    for code in [0, 137, 143] {
        let history = log(hook_failed(&failed, 2, &exit(code)), &["shutting down"]);
        stops(&history, "post_start_fails", Submission);
        let told = "the postStart hook of container app failed (exited with 1), so the kubelet \
            ended the container, started 3 times";
        assert_eq!(words(&history), told);
        let WaitStatus::Stuck(obstacle) = history.timeline().settled_or_awaited() else {
            panic!("not stuck")
        };
        // It is the server's, and says nothing of the hook.
        assert!(obstacle.log.is_empty());
        let end = obstacle.container.and_then(|it| it.failing_hook);
        assert_eq!(end, Some(HookEnd { exit_code: Some(1), has_words: false }));
    }
    waits(&hook_failed(&failed, 1, &exit(0)), "post_start_fails", Submission);
    // Its output is told twice.
    let exists = "mkdir: can't create directory '/data/d': File exists";
    let twice = said(&format!("command 'mkdir /data/d' exited with 1: {exists}\n"))
        .replace("message: \"\"", &format!("message: \"{exists}\\n\""));
    let told = words(&hook_failed(&twice, 2, &exit(137)));
    assert!(told.contains(&format!("failed (exited with 1: {exists}), so")), "{told}");
    let no_program = "failed to start exec: exec: \"bash\": executable file not found in $PATH";
    stops(&hook_failed(&said(no_program), 2, &exit(143)), "post_start_fails", Submission);
}

/// Catches a container that ends by itself, whose hook cannot succeed then, and one whose hook
/// succeeded since.
#[test]
fn of_a_container_that_ends_by_itself_the_hook_is_not_at_fault() {
    for how in [
        "failed to load task: no running task found: task 57409ca4 not found",
        "command '/bin/sh -c [ ! -f /data/id ] && …' exited with 137: ",
    ] {
        stops(&hook_failed(&said(how), 4, &exit(1)), "container_ends", Submission);
    }
    let failed = said("command '/bin/sh -c [ ! -f /data/id ] && …' exited with 1: ");
    let later = ended(hook_failed(&failed, 2, &exit(0)), 4, exit(1));
    stops(&later, "container_ends", Submission);
}
