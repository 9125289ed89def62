//! Putting everything back after a grade, and telling what stays.

use crate::{
    cli,
    cluster::{Cluster, Journal, grade::Grade, restore::Restored},
    commands::session::{REPLICAS_ARE_BACK, tell_restored},
    console::{progress::Progress, sanitize::sanitize},
};

/// Puts everything back; false when something is left, which it names.
pub(super) async fn put_back(
    args: &cli::Grade,
    cluster: &Cluster,
    graded: Grade<'_>,
    journal: &Journal,
    progress: &Progress,
) -> bool {
    let applied = graded.applied().clone();
    let has_made = graded.made_namespace() || !applied.created.is_empty();
    let restored = tokio::select! {
        restored = graded.restore() => restored,
        () = progress.follow(journal) => Restored::default(),
    };
    progress.clear();
    let is_cleaned = args.cleanup && restored.not_removed.is_empty() && has_made;
    let found = words_of_what_was_found(is_cleaned, applied.has_configured_set());
    let whole = tell_restored(&restored, found, cluster, progress);
    if restored.left.is_empty() && !args.filename.is_empty() {
        if !args.cleanup {
            progress.say("what -f applied stays");
        } else if !applied.configured.is_empty() {
            progress.say(&format!(
                "what stood before stays, as -f applied it: {}",
                applied.configured_objects().join(", ")
            ));
        }
    }
    tell_not_removed(&restored, cluster, progress);
    whole && restored.not_removed.is_empty()
}

/// What is said of the set and of what `-f` made. `set_stays`: the set stood before, so that it has
/// replicas to speak of.
const fn words_of_what_was_found(is_cleaned: bool, set_stays: bool) -> &'static str {
    match (is_cleaned, set_stays) {
        (false, _) => REPLICAS_ARE_BACK,
        (true, false) => "all that -f made is removed, and",
        (true, true) => "all that -f made is removed, the replicas are as they were found, and",
    }
}

fn tell_not_removed(restored: &Restored, cluster: &Cluster, progress: &Progress) {
    if restored.not_removed.is_empty() {
        return;
    }
    progress.error("error: not everything that was applied could be removed:");
    restored.not_removed.iter().for_each(|it| progress.error(&format!("  {}", sanitize(&it.what))));
    let is_held = restored.not_removed.iter().any(|it| it.is_held);
    // Asked to go it is already: only what holds it is left to do.
    progress.error(&if is_held {
        "next:  take the finalizers out of what they hold (`kubectl edit`), or ask whoever set them"
            .to_owned()
    } else if restored.not_removed.iter().any(|it| it.takes_older_claims) {
        "next:  delete the StatefulSet with `--cascade=orphan`, or its older PVCs go with it"
            .to_owned()
    } else {
        format!("next:  kubectl delete -n {} -f FILE, and the PVCs", sanitize(&cluster.namespace))
    });
}

#[cfg(test)]
mod tests {
    use super::words_of_what_was_found;

    /// Catches a set that stood before, whose replicas nobody speaks of, or that is told as removed.
    #[test]
    fn the_replicas_of_a_set_that_stays_are_told() {
        let kept = words_of_what_was_found(true, true);
        assert!(kept.contains("the replicas are as they were found"), "{kept}");
        let gone = words_of_what_was_found(true, false);
        assert!(!gone.contains("replicas") && gone.contains("is removed"), "{gone}");
        assert!(!words_of_what_was_found(false, true).contains("-f"));
    }
}
