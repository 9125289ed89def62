//! What the hooks of a container show.
//!
//! The kubelet ends a container whose `postStart` hook fails (`startContainer` in
//! `pkg/kubelet/kuberuntime`), and tells of the hook in `state.waiting` until it waits for the next
//! start.

use crate::model::{
    diagnosis::{
        Match,
        facts::OrdinalFacts,
        recognise::{containers::speaks_of_network, has_any, matched},
    },
    observation::object::Terminated,
    obstacle::HookEnd,
    timeline::lives::FailedHook,
};

/// Restarts after which a hook that fails is no chance any more.
const LEAST_RESTARTS: i32 = 2;
/// The same, of one whose words speak of the network.
const CERTAIN_RESTARTS: i32 = 4;

/// The kubelet ends a container because its `postStart` hook fails, not its own command.
pub(crate) fn post_start_fails(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let hook = pod.failed_hook.as_ref()?;
    let (status, ended) = facts.crashing().find(|(it, _)| it.name == hook.container)?;
    // Of one start the line that tells of its hook may be missing.
    let is_of_a_recent_start = hook.restarts.saturating_add(1) >= status.restart_count;
    if !is_of_a_recent_start || !failed_by_itself(hook, ended) {
        return None;
    }
    let least = if speaks_of_network(&hook.message) { CERTAIN_RESTARTS } else { LEAST_RESTARTS };
    if status.restart_count < least && !facts.step_time.is_over() {
        return None;
    }
    let why = format!(
        "the postStart hook of container {} failed ({}), so the kubelet ended the container, \
        started {} times",
        status.name,
        told(&hook.message),
        status.restart_count.saturating_add(1)
    );
    let mut found = matched(why, pod.last_own_end().into_iter().chain([hook.seq]));
    found = found.in_container(&status.name);
    if let Some(container) = &mut found.container {
        container.failing_hook = Some(end(&hook.message));
    }
    Some(found)
}

/// Whether the container ran while its hook failed: of one that has ended no hook can succeed.
fn failed_by_itself(hook: &FailedHook, ended: &Terminated) -> bool {
    /// A command of a container that ends is killed with it.
    const KILLED: &str = "exited with 137";
    /// A container that is told to stop ends with one of these.
    const STOPPED: [i32; 3] = [0, 137, 143];
    let message = hook.message.as_str();
    if message.starts_with("Exec ") {
        // The command's own exit status, or one that the image does not have.
        return has_any(message, &["exited with ", "exec: \""]) && !message.contains(KILLED);
    }
    STOPPED.contains(&ended.exit_code)
}

/// What the kubelet says of a hook's end, without the hook: `exited with 1`, or all of it.
///
/// It tells the hook's output twice, the second time behind `message:` and in quotes.
fn told(message: &str) -> &str {
    let end = message.split_once(" failed - error: ").map_or(message, |(_, end)| end);
    let end = match end.rsplit_once(", message: \"") {
        Some((first, again)) if again == "\"" || !first.trim_end().ends_with(':') => first,
        _ => end,
    };
    let end = end.trim_end_matches("\\n").trim_end_matches([':', ' ', '\n']);
    end.rfind("' exited with ").map_or(end, |at| end[at..].trim_start_matches(['\'', ' ']))
}

/// How the hook ended: `exited with 127: sh: jq: not found`.
fn end(message: &str) -> HookEnd {
    let Some(status) = told(message).strip_prefix("exited with ") else {
        return HookEnd::default();
    };
    let (code, words) = status.split_once([':', ',']).unwrap_or((status, ""));
    HookEnd { exit_code: code.trim().parse().ok(), has_words: !words.trim().is_empty() }
}

#[cfg(test)]
mod tests {
    use super::{end, told};
    use crate::model::obstacle::HookEnd;

    /// Catches a hook's whole script between the words that say how it ended.
    #[test]
    fn how_a_hook_ended_is_told_without_its_script() {
        let of = |error: &str| {
            format!(
                "Exec lifecycle hook ([sh -c false]) for Container \"app\" in Pod \
                \"web-0_lab(57409ca4)\" failed - error: {error}"
            )
        };
        for (error, expected) in [
            ("command 'sh -c false' exited with 1: , message: \"\"", "exited with 1"),
            (
                "command 'sh -c x' exited with 127: sh: x: not found\n, message: \"sh: x\\n\"",
                "exited with 127: sh: x: not found",
            ),
            ("rpc error: no running task", "rpc error: no running task"),
        ] {
            assert_eq!(told(&of(error)), expected);
        }
        for (error, exit_code, has_words) in [
            ("command 'sh -c false' exited with 1: , message: \"\"", Some(1), false),
            ("command 'sh -c x' exited with 127: x: not found, message: \"x\"", Some(127), true),
            ("command 'sh -c x' exited with 1: , message: \"no x\"", Some(1), true),
            ("rpc error: no running task", None, false),
        ] {
            assert_eq!(end(&of(error)), HookEnd { exit_code, has_words }, "{error}");
        }
    }
}
