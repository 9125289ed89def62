use crate::model::{
    Outcome::{Fail, Inconclusive, Pass},
    observation::{
        Fact, ObjectChange, Phase, RequestedChange, Step, StepName,
        object::{
            Metadata, Object, OwnerReference, PersistentVolumeClaim, Pod, RetentionPolicy,
            RollingUpdate, Service, StatefulSet, StatefulSetSpec,
        },
    },
    testing::history::{History, Writes},
};

const OVERWRITES: Writes =
    |ordinal, _, start| Some(format!("web-{ordinal} at 04:{ordinal:02}:{start:02}\n"));
const APPENDS: Writes = |ordinal, there, start| {
    Some(format!("{}web-{ordinal} start {start}\n", there.unwrap_or_default()))
};

/// A set of three that stood when the recording began, its template named `one`.
fn standing() -> History {
    let mut history = History::new().service();
    history.revision = "one".to_owned();
    history.set(ObjectChange::Listed).listed(0).listed(1).listed(2)
}

fn asks(history: History, name: StepName, replicas: i32) -> History {
    history.push(Fact::Step(Step {
        requested: Some(RequestedChange::Replicas(replicas)),
        ..Step::new(name, Phase::Begin)
    }))
}

/// A whole round of all that shows the ten, from where three pods stand.
fn round(history: History) -> History {
    let history = history.inspect().down(1).up(1).inspect_one(1);
    let history = history
        .scale(5)
        .up(3)
        .up(4)
        .inspect_one(3)
        .inspect_one(4)
        .scale(0)
        .down(4)
        .down(3)
        .down(2)
        .down(1)
        .down(0);
    history.scale(3).up(0).up(1).up(2).inspect()
}

#[test]
fn the_settled_period_that_ends_with_the_change_shows_what_was_before_it() {
    let mut history = History::new().service();
    history.revision = "one".to_owned();
    // The old pods mounted nothing.
    let mounts = std::mem::take(&mut history.spec.template.spec.containers[0].volume_mounts);
    let mut history = history.set(ObjectChange::Listed).listed(0).listed(1).listed(2);
    history.spec.template.spec.containers[0].volume_mounts = mounts;
    let mended = history.set_unobserved().observed_as("two").rolled(3).subject();
    assert_eq!(round(mended).end().letters(), "PPPPPPPPPP");
}

#[test]
fn a_change_that_takes_the_mount_away_is_judged_by_the_new_pods() {
    let mut history = standing().subject().inspect();
    history.spec.template.spec.containers[0].volume_mounts.clear();
    let broken = history.set_unobserved().observed_as("two").rolled(3).end();
    broken.assert("persistent_storage", Fail, &["not_mounted"]);
}

#[test]
fn replicas_that_were_mended_before_the_tour_are_those_that_count() {
    let mut history = History::new();
    history.spec.replicas = Some(2);
    let two = history.service().set(ObjectChange::Listed).listed(0).listed(1);
    let three = two
        .scale(3)
        .up(2)
        .subject()
        .step(StepName::WaitUntilSettled)
        .done(StepName::WaitUntilSettled)
        .step(StepName::Inspect);
    assert_eq!(round(three).end().letters(), "PPPPPPPPPP");
}

#[test]
fn who_scales_during_the_tour_changes_no_submission() {
    let tour = standing()
        .subject()
        .step(StepName::WaitUntilSettled)
        .done(StepName::WaitUntilSettled)
        .step(StepName::Inspect)
        .inspect();
    let foreign = asks(tour, StepName::ScaleUp, 5)
        .scale(5)
        .up(3)
        .scale(2)
        .down(3)
        .down(2)
        .step_ended(StepName::ScaleUp, Phase::Refused);
    foreign.end().assert("pod_naming", Pass, &[]);
}

#[test]
fn who_scales_by_hand_shows_with_as_many_pods_as_stand() {
    // Two at first, then three; nothing of it voids anything.
    let mut history = History::new();
    history.spec.replicas = Some(2);
    let two = history.service().set(ObjectChange::Added).subject().up(0).up(1).inspect();
    two.clone().end().assert("pod_naming", Fail, &["too_few_replicas"]);
    let three = two.scale(3).up(2).inspect_one(2);
    three.clone().end().assert("pod_naming", Pass, &[]);
    // Who ends with fewer has shown three.
    three.scale(1).down(2).down(1).end().assert("pod_naming", Pass, &[]);
    // Never three Ready, but five.
    let five = History::new()
        .service()
        .set(ObjectChange::Added)
        .subject()
        .up(0)
        .scale(5)
        .up(1)
        .up(2)
        .up(3)
        .up(4);
    five.end().assert("pod_naming", Pass, &[]);
    // Not there yet.
    History::new().service().set(ObjectChange::Added).subject().up(0).scale(5).up(1).end().assert(
        "pod_naming",
        Inconclusive,
        &[],
    );
}

/// Overwriting, seen after a deletion; then the command is mended, and everything done again.
fn command_mended(change: impl FnOnce(History) -> History) -> History {
    let mut history = History::new().service();
    history.writes = OVERWRITES;
    history.revision = "one".to_owned();
    let seen = history
        .set(ObjectChange::Added)
        .subject()
        .up(0)
        .up(1)
        .up(2)
        .inspect()
        .down(1)
        .up(1)
        .inspect_one(1);
    seen.clone().end().assert("identity_persistence", Fail, &["overwritten_at_start"]);
    let mut mended = change(seen);
    mended.writes = APPENDS;
    mended
        .rolled(3)
        .inspect()
        .down(1)
        .up(1)
        .inspect_one(1)
        .scale(5)
        .up(3)
        .up(4)
        .inspect_one(3)
        .inspect_one(4)
}

fn toured_down_and_up(history: History) -> History {
    history.scale(3).down(4).down(3).scale(5).up(3).up(4).inspect_one(3).inspect_one(4).end()
}

#[test]
fn a_change_of_what_is_not_recorded_is_told_by_the_revision() {
    let mended = command_mended(|it| it.set_unobserved().observed_as("two"));
    assert_eq!(toured_down_and_up(mended).letters(), "PPPPPPPPPP");
}

#[test]
fn a_change_of_what_is_not_recorded_is_told_by_the_digest() {
    let mended = command_mended(|mut it| {
        // A controller that names no revision.
        it.revision.clear();
        it.spec.template_digest = "another".to_owned();
        it.set(ObjectChange::Modified)
    });
    assert_eq!(toured_down_and_up(mended).letters(), "PPPPPPPPPP");
}

#[test]
fn going_back_to_an_earlier_template_does_not_bring_its_pods_back() {
    let there =
        |history: History, revision: &str| history.set_unobserved().observed_as(revision).rolled(3);
    let mut history = standing().subject().inspect();
    history.writes = OVERWRITES;
    let mut between = there(history, "two").inspect();
    between.writes = APPENDS;
    // web-1 of the first template and web-1 of now are no pair: the second template wrote over it
    // between them.
    there(between, "one").inspect().down(2).up(2).inspect_one(2).end().assert(
        "identity_persistence",
        Pass,
        &[],
    );
}

/// Catches a name that is asked no more, because the Service of before had been asked for it.
#[test]
fn a_service_that_is_made_again_is_a_change() {
    let stood = standing().subject();
    let deleted = stood.clone().service_gone();
    let line = deleted.lines.last().unwrap().seq;
    let another = |it: &mut Service| it.metadata.uid = "another".to_owned();
    let made = deleted.service_with(another).timeline();
    assert!(stood.timeline().last_change() < line);
    assert!(made.last_change() > line, "{} of {line}", made.last_change());
}

#[test]
fn a_set_whose_newest_spec_the_controller_has_not_seen_has_not_settled() {
    let settled = standing().subject();
    assert!(settled.timeline().is_settled());
    let mut changed = settled;
    changed.spec.min_ready_seconds = 1;
    let changed = changed.set_unobserved();
    assert!(!changed.timeline().is_settled(), "the pods are those of before");
    assert!(changed.observed_as("one").timeline().is_settled());
}

/// Catches a first wait that knows nothing of a rolling update: its pods have to stop first.
#[test]
fn the_pods_that_have_to_go_first_are_known() {
    let to_go = |history: &History| {
        let timeline = history.timeline();
        timeline.pods_to_go().map(|it| it.ordinal).collect::<Vec<i32>>()
    };
    let standing = standing().subject();
    assert_eq!(to_go(&standing), Vec::<i32>::new());
    let changed = standing.clone().set_unobserved();
    assert_eq!(to_go(&changed), [0, 1, 2], "the controller has not looked yet");
    let updating = changed.observed_as("two").down(2).up(2);
    assert_eq!(to_go(&updating), [0, 1]);
    assert_eq!(to_go(&updating.rolled(2)), Vec::<i32>::new());
    assert_eq!(to_go(&standing.scale(1)), [1, 2], "beyond the replicas");
}

#[test]
fn a_rolling_update_settles_only_with_its_last_pod_and_pods_without_a_revision_are_replaced_too() {
    let updating = standing().subject().set_unobserved().observed_as("two");
    assert!(!updating.timeline().is_settled());
    let last = updating.down(2).up(2).down(1).up(1);
    assert!(!last.timeline().is_settled());
    assert!(last.down(0).up(0).timeline().is_settled());
    let bare = |pod: &mut Pod| drop(pod.metadata.labels.remove("controller-revision-hash"));
    assert!(!standing().subject().pod(0, ObjectChange::Modified, bare).timeline().is_settled());
}

#[test]
fn what_the_update_strategy_leaves_alone_is_graded_as_it_stands() {
    for partition in [None, Some(3)] {
        let mut history = standing().subject();
        match partition {
            None => history.spec.update_strategy.r#type = "OnDelete".to_owned(),
            Some(partition) => {
                history.spec.update_strategy.rolling_update = Some(RollingUpdate { partition })
            }
        }
        let mixed = history.set(ObjectChange::Modified).set_unobserved().observed_as("two");
        assert!(mixed.timeline().is_settled());
        assert_eq!(round(mixed).end().letters(), "PPPPPPPPPP");
    }
}

#[test]
fn the_first_reading_of_a_pod_of_the_present_template_counts() {
    // Orphans of a first set, which overwrote; the second one appends, adopts them and rolls over
    // them.
    let mut history = History::new().service();
    history.writes = OVERWRITES;
    history.revision = "one".to_owned();
    for ordinal in 0..3 {
        history = history
            .claim(ordinal)
            .add_as(ordinal, ObjectChange::Listed, |pod| pod.metadata.owner_references.clear())
            .ready(ordinal);
    }
    history.revision = "two".to_owned();
    history = history.set(ObjectChange::Added).subject();
    let owner = || OwnerReference {
        kind: "StatefulSet".to_owned(),
        uid: "set".to_owned(),
        controller: true,
        ..Default::default()
    };
    for ordinal in 0..3 {
        history = history.pod(ordinal, ObjectChange::Modified, |pod| {
            pod.metadata.owner_references = vec![owner()]
        });
    }
    let mut adopted = history.inspect();
    assert!(!adopted.timeline().is_settled());
    adopted.writes = |ordinal, there, start| {
        let kept = there.filter(|it| it.contains("mine")).unwrap_or_default();
        Some(format!("{kept}web-{ordinal} mine {start}\n"))
    };
    assert_eq!(round(adopted.rolled(3)).end().letters(), "PPPPPPPPPP");
}

#[test]
fn a_leftover_s_settled_period_is_not_the_submission_s() {
    let metadata = Metadata {
        name: "old".to_owned(),
        uid: "old".to_owned(),
        generation: 1,
        ..Default::default()
    };
    let mut leftover = StatefulSet {
        metadata,
        spec: Some(StatefulSetSpec { replicas: Some(3), ..Default::default() }),
        ..Default::default()
    };
    leftover.status.observed_generation = 1;
    let mut history =
        History::new().push(Fact::Object(ObjectChange::Listed, Object::StatefulSet(leftover)));
    for ordinal in 0..3 {
        history = history.add_as(ordinal, ObjectChange::Listed, |pod| {
            pod.metadata.name = format!("old-{ordinal}");
            pod.metadata.owner_references[0].uid = "old".to_owned();
        });
        history = history.ready(ordinal);
    }
    let history = history.create().inspect().tour();
    assert_eq!(history.letters(), "PPPPPPPPPP");
}

#[test]
fn a_return_is_not_paired_across_a_change_of_the_retention_policy() {
    let policy = |when_scaled: &str| {
        Some(RetentionPolicy {
            when_deleted: "Retain".to_owned(),
            when_scaled: when_scaled.to_owned(),
        })
    };
    let mut history = History::new();
    history.spec.persistent_volume_claim_retention_policy = policy("Delete");
    let owned = |claim: &mut PersistentVolumeClaim| {
        claim.metadata.owner_references =
            vec![OwnerReference { kind: "Pod".to_owned(), ..Default::default() }];
    };
    let scaled_down =
        history.create().inspect().scale(2).claim_line(2, ObjectChange::Modified, owned);
    let mut mended = scaled_down.down(2).claim_line(2, ObjectChange::Deleted, |_| {});
    mended.spec.persistent_volume_claim_retention_policy = policy("Retain");
    let back = mended.set(ObjectChange::Modified).scale(3).up(2).inspect_one(2);
    back.clone().end().assert("pvc_reuse", Inconclusive, &[]);
    back.clone().end().assert("pvc_retention", Inconclusive, &[]);
    let again = back.scale(2).down(2).scale(3).up(2).inspect_one(2).end();
    again.assert("pvc_retention", Pass, &[]);
    again.assert("pvc_reuse", Pass, &[]);
}

#[test]
fn a_change_of_the_service_voids_what_was_asked_and_nothing_else() {
    let mut wrong = History::new()
        .service_with(|service| service.spec.iter_mut().for_each(|it| it.selector.clear()));
    wrong = wrong.set(ObjectChange::Added).subject().up(0).up(1).up(2).inspect();
    let toured = |history: History| {
        history.down(1).up(1).inspect_one(1).scale(5).up(3).up(4).inspect_one(3).inspect_one(4)
    };
    let mended = toured(wrong).service_changed(|_| {});
    let asked = mended
        .clone()
        .scale(3)
        .down(4)
        .down(3)
        .scale(5)
        .up(3)
        .up(4)
        .inspect_one(3)
        .inspect_one(4)
        .end();
    assert_eq!(asked.letters(), "PPPPIPPPPP", "the names of web-0 to web-2 were asked before");
    let again = mended
        .inspect()
        .scale(3)
        .down(4)
        .down(3)
        .scale(5)
        .up(3)
        .up(4)
        .inspect_one(3)
        .inspect_one(4)
        .end();
    assert_eq!(again.letters(), "PPPPPPPPPP");
}
