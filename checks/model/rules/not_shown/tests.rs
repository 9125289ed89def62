//! What is said of what was not shown.

use crate::model::{
    Fact, Standing,
    observation::{ObjectChange, object::Object},
    testing::history::History,
};

/// Why the first criterion of a check that is not shown is not.
fn why(history: &History, check: &str) -> String {
    let told = history.verdict(check).criteria.into_iter().find_map(|it| match it.standing {
        Standing::NotShown { why, .. } => Some(why),
        _ => None,
    });
    told.unwrap_or_default()
}

/// The line of the recording's file that comes next, as an editor counts it: the header is the
/// first.
fn next_line(history: &History) -> usize {
    1 + history.lines.len() + 1
}

fn standing() -> History {
    let mut history = History::new().service();
    history.revision = "one".to_owned();
    history.set(ObjectChange::Listed).subject().listed(0).listed(1).listed(2).inspect()
}

#[test]
fn what_was_not_done_is_said_truly() {
    let nothing = standing().end();
    assert_eq!(
        why(&nothing, "sequential_creation"),
        "the set stood before the recording began, and nobody scaled it from 0"
    );
    assert_eq!(why(&nothing, "identity_persistence"), "no pod was deleted and came back");
    assert_eq!(why(&nothing, "ordered_scale_up"), "nobody scaled the set up");
    let one = standing().scale(4).up(3).scale(3).down(3).end();
    assert_eq!(
        why(&one, "ordered_scale_up"),
        "one pod alone shows no order: `replicas` went from 3 to 4"
    );
    assert_eq!(
        why(&one, "ordered_scale_down"),
        "one pod alone shows no order: `replicas` went from 4 to 3"
    );
    let begun = standing().scale(5).up(3);
    let line = next_line(&begun);
    let hasty = begun.scale(3).down(3).end();
    assert_eq!(
        why(&hasty, "ordered_scale_up"),
        format!(
            "the replicas were changed again (line {line}) before the change from 3 to 5 was \
            done"
        )
    );
    let cut = standing().scale(5).up(3).end();
    assert_eq!(
        why(&cut, "ordered_scale_up"),
        "the recording ended before the change from 3 to 5 was done"
    );
}

/// Catches "nobody scaled the set down" of a set that was scaled down.
#[test]
fn why_a_change_that_was_done_shows_no_order_is_said() {
    let evicted = standing().scale(1).deletion_requested(2).evicted(1).deletion_requested(1);
    assert_eq!(
        why(&evicted.deleted(2).deleted(1).end(), "ordered_scale_down"),
        "pods that the cluster removed show no order: web-1"
    );
    let before = standing().deletion_requested(1).deletion_requested(2).scale(1);
    assert_eq!(
        why(&before.deleted(2).deleted(1).end(), "ordered_scale_down"),
        "no two pods were seen to be deleted by the change of `replicas` from 3 to 1"
    );
}

#[test]
fn what_was_done_before_a_change_is_said_to_be_so() {
    let done = standing()
        .down(1)
        .up(1)
        .inspect_one(1)
        .scale(5)
        .up(3)
        .up(4)
        .scale(3)
        .down(4)
        .down(3)
        .scale(5)
        .up(3)
        .up(4);
    let line = next_line(&done);
    let mut order = done.clone();
    order.spec.min_ready_seconds = 1;
    let order = order.set(ObjectChange::Modified).end();
    for check in ["ordered_scale_up", "ordered_scale_down"] {
        assert_eq!(
            why(&order, check),
            format!(
                "it was done, but what decides the order of the pods was changed after that \
                (line {line})"
            ),
            "{check}"
        );
    }
    let changed = done.set_unobserved().observed_as("two").rolled(5).inspect().end();
    for check in ["identity_persistence", "pvc_retention", "pvc_reuse"] {
        assert_eq!(
            why(&changed, check),
            format!(
                "it was done, but the template was changed after that (line {line}), and pods of \
                an earlier template show nothing of this one"
            ),
            "{check}"
        );
    }
    let mut policy = standing().scale(1).down(2).down(1).scale(3).up(1).up(2);
    policy.spec.persistent_volume_claim_retention_policy =
        Some(crate::model::observation::object::RetentionPolicy {
            when_scaled: "Retain".to_owned(),
            ..Default::default()
        });
    let line = next_line(&policy);
    let policy = policy.set(ObjectChange::Modified).end();
    for check in ["pvc_retention", "pvc_reuse"] {
        assert_eq!(
            why(&policy, check),
            format!(
                "it was done, but the retention policy of the PVCs was changed after that \
                (line {line})"
            ),
            "{check}"
        );
    }
}

/// A set of three with the name of one that is gone.
fn made_anew(gone: History) -> History {
    let before = gone.lines.len();
    let mut anew = gone;
    anew.spec.replicas = Some(3);
    let mut anew = anew.set(ObjectChange::Added).up(0).up(1).up(2).inspect().end();
    for line in &mut anew.lines[before..] {
        match &mut line.what {
            Fact::Object(_, Object::StatefulSet(set)) => set.metadata.uid = "anew".to_owned(),
            Fact::Object(_, Object::Pod(pod)) => {
                pod.metadata.owner_references.iter_mut().for_each(|it| it.uid = "anew".to_owned());
            }
            _ => (),
        }
    }
    anew
}

/// Catches "no pod was deleted and came back" and "nobody scaled the set up" where a set of the name
/// was deleted, to which all that was done; and "it was done" of what was not done to that, either.
#[test]
fn what_was_done_to_an_earlier_set_of_the_name_is_not_denied() {
    let done = standing().down(1).up(1).scale(5).up(3).up(4).scale(3).down(4).down(3);
    let done = done.scale(5).up(3).up(4).scale(3).down(4).down(3);
    let gone = done.scale(0).down(2).down(1).down(0).set_gone();
    let line = next_line(&gone);
    let anew = made_anew(gone);
    assert_eq!(anew.timeline().made_anew(), Some(line as u64 - 1));
    for check in ["identity_persistence", "ordered_scale_up", "ordered_scale_down", "pvc_reuse"] {
        assert_eq!(
            why(&anew, check),
            format!(
                "it was done, but the set was made anew after that (line {line}), and what was \
                done to the one before it shows nothing of this one"
            ),
            "{check}"
        );
    }
    // A pod that came back in a scale-up was not deleted by anybody, and the reverse.
    let scaled = standing().scale(1).down(2).down(1).scale(3).up(1).up(2).set_gone();
    let scaled = made_anew(scaled.down(2).down(1).down(0));
    assert_eq!(why(&scaled, "identity_persistence"), "no pod was deleted and came back");
    assert!(why(&scaled, "pvc_reuse").starts_with("it was done, but the set was made anew"));
    let replaced = made_anew(standing().down(1).up(1).set_gone().down(2).down(1).down(0));
    let told = why(&replaced, "identity_persistence");
    assert!(told.starts_with("it was done, but the set was made anew"));
    assert_eq!(why(&replaced, "pvc_reuse"), "no pod that was scaled away came back");
    // One pod alone shows no order, in whichever set.
    let one = standing().scale(4).up(3).scale(3).down(3).set_gone();
    let one = made_anew(one.down(2).down(1).down(0));
    assert_eq!(
        why(&one, "ordered_scale_up"),
        "one pod alone shows no order: `replicas` went from 3 to 4"
    );
    assert_eq!(
        why(&one, "ordered_scale_down"),
        "one pod alone shows no order: `replicas` went from 4 to 3"
    );
    // Of one that was not touched either, nothing is said.
    let untouched = made_anew(standing().set_gone().down(2).down(1).down(0));
    assert_eq!(why(&untouched, "identity_persistence"), "no pod was deleted and came back");
    assert_eq!(why(&untouched, "ordered_scale_up"), "nobody scaled the set up");
    assert_eq!(standing().end().timeline().made_anew(), None);
}
