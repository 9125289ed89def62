//! Pods that took their whole grace period to stop: that is most of a grade's time.

use std::time::Duration;

use checks::model::Timeline;

use crate::console::sanitize::sanitize;

/// A shorter grace period costs too little time to speak of, in seconds.
const SHORTEST_GRACE_SECONDS: i64 = 10;

/// What to say to the author of a program that ignores SIGTERM: the kernel gives PID 1 no default
/// handler for it (man 2 kill, "Notes"), and `sh -c`, `sleep` and `tail` set none.
pub(super) fn slow_stop_note(timeline: &Timeline) -> Option<String> {
    let set = timeline.set()?;
    let grace = set.spec.template.spec.grace_seconds();
    if grace < SHORTEST_GRACE_SECONDS {
        return None;
    }
    let (mut slow, mut all, mut name) = (0_u32, 0_u32, String::new());
    for pod in timeline.lanes().flat_map(|(_, lives)| lives) {
        let (Some(requested), Some(deleted)) = (pod.deletion_requested, pod.deleted) else {
            continue;
        };
        all += 1;
        let took = timeline.known_at(deleted).saturating_sub(timeline.known_at(requested));
        let took = Duration::from_nanos(took).as_secs();
        if i64::try_from(took).is_ok_and(|it| it >= grace) {
            slow += 1;
            name = pod.name().to_owned();
        }
    }
    (slow > 0 && slow * 2 >= all).then(|| {
        format!(
            "{} took its whole grace period of {grace} s to stop, at no cost of points: its first \
             process ignores SIGTERM, as `sh -c`, `sleep` and `tail` do. Begin the script with \
             `trap 'exit 0' TERM` and end its last command with `& wait`, without `exec` (`sleep \
             1000000 & wait`). `exec nginx -g 'daemon off;'` obeys SIGTERM by itself.",
            sanitize(&name)
        )
    })
}
