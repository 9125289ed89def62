//! What the property test found, each in a few words.

use crate::model::{
    Outcome::{Fail, Inconclusive, Pass},
    Standing,
    observation::{
        Fact, Gap, Kind, ObjectChange, Phase, RequestedChange, Step, StepName,
        object::{OwnerReference, Pod},
    },
    testing::history::History,
};

fn asks(history: History, name: StepName, replicas: i32) -> History {
    history.push(Fact::Step(Step {
        requested: Some(RequestedChange::Replicas(replicas)),
        ..Step::new(name, Phase::Begin)
    }))
}

#[test]
fn two_pods_that_went_in_one_gap_have_no_order() {
    let history = History::created()
        .scale(1)
        .deletion_requested(2)
        .pods_gap(|it| it.deleted(2).down(1))
        .end();
    history.assert("ordered_scale_down", Inconclusive, &[]);
}

#[test]
fn a_pod_may_have_been_ready_for_a_moment_of_a_gap() {
    let history = History::created()
        .scale(5)
        .claim(3)
        .add(3)
        .pods_gap(|it| it.ready(3).claim(4).add(4).unready(3))
        .restarted(3)
        .ready(4)
        .end();
    history.assert("ordered_scale_up", Inconclusive, &[]);
}

#[test]
fn a_gap_before_the_first_pod_hides_its_order_too() {
    let history = History::new()
        .service()
        .set(ObjectChange::Added)
        .subject()
        .pods_gap(|it| it.up(0).up(1).up(2))
        .end();
    history.assert("sequential_creation", Inconclusive, &[]);
}

#[test]
fn below_a_pod_found_after_a_gap_an_earlier_one_may_have_been() {
    // The first web-1 came, was Ready and went within the gap, web-2 came after it.
    let history = History::new()
        .service()
        .set(ObjectChange::Added)
        .subject()
        .up(0)
        .pods_gap(|it| it.up(1).claim(2).add(2).down(1))
        .up(1)
        .ready(2)
        .end();
    history.assert("sequential_creation", Inconclusive, &[]);
}

#[test]
fn a_pod_that_stood_through_a_superseded_scale_down_was_not_added_after_it() {
    // Scaled to nothing and at once back, only the highest is touched; web-1 is replaced later.
    let history = History::created()
        .scale(0)
        .deletion_requested(2)
        .scale(3)
        .deleted(2)
        .up(2)
        .inspect_one(2)
        .down(1)
        .up(1)
        .inspect_one(1)
        .end();
    history.assert("sequential_creation", Pass, &[]);
    history.assert("ordered_scale_down", Inconclusive, &[]);
    history.assert("identity_persistence", Pass, &[]);
}

#[test]
fn what_replaces_an_adopted_pod_was_not_added_by_the_creation() {
    let owner = |pod: &mut Pod| {
        pod.metadata.owner_references = vec![OwnerReference {
            kind: "StatefulSet".to_owned(),
            uid: "set".to_owned(),
            controller: true,
            ..Default::default()
        }];
    };
    let orphan = |history: History, ordinal| {
        history
            .claim(ordinal)
            .add_as(ordinal, ObjectChange::Added, |pod| pod.metadata.owner_references.clear())
            .ready(ordinal)
    };
    let history = orphan(orphan(History::new().service(), 0), 1).set(ObjectChange::Added).subject();
    let adopted = history
        .pod(0, ObjectChange::Modified, owner)
        .pod(1, ObjectChange::Modified, owner)
        .up(2)
        .inspect();
    adopted.down(1).up(1).inspect_one(1).end().assert("sequential_creation", Inconclusive, &[]);
}

#[test]
fn a_pod_that_was_never_ready_shows_nothing() {
    let history = History::created().down(1).claim(1).add(1).down(1).up(1).inspect_one(1).end();
    history.assert("identity_persistence", Pass, &[]);
}

#[test]
fn a_pod_deleted_by_hand_just_before_a_scale_down_is_not_out_of_order() {
    let history = History::created()
        .deletion_requested(1)
        .scale(0)
        .deletion_requested(2)
        .deleted(2)
        .deleted(1)
        .down(0)
        .end();
    history.assert("ordered_scale_down", Pass, &[]);
}

#[test]
fn a_pod_goes_only_after_all_above_it() {
    // web-2 went by somebody's hand; web-1 is asked to go while web-3 stands.
    let history = History::created()
        .scale(4)
        .up(3)
        .down(2)
        .scale(1)
        .deletion_requested(3)
        .deletion_requested(1)
        .deleted(1)
        .deleted(3)
        .end();
    history.assert("ordered_scale_down", Fail, &[]);
}

#[test]
fn a_later_removal_is_not_that_of_a_superseded_scale_down() {
    let history = History::created()
        .deletion_requested(0)
        .scale(1)
        .scale(3)
        .deleted(0)
        .up(0)
        .down(1)
        .up(1)
        .end();
    history.assert("ordered_scale_down", Inconclusive, &[]);
}

#[test]
fn the_line_of_the_set_may_come_after_its_scale_down() {
    let mut history =
        asks(History::created(), StepName::ScaleDown, 1).down(2).deletion_requested(1);
    history.spec.replicas = Some(1);
    history.clone().set(ObjectChange::Modified).deleted(1).end().assert(
        "ordered_scale_down",
        Pass,
        &[],
    );
    let both = asks(History::created(), StepName::ScaleDown, 1)
        .deletion_requested(2)
        .deletion_requested(1);
    both.scale(1).deleted(2).deleted(1).end().assert("ordered_scale_down", Fail, &[]);
}

#[test]
fn a_claim_may_be_told_of_after_its_pod() {
    let history = History::created()
        .scale(4)
        .add(3)
        .ready(3)
        .scale(3)
        .deletion_requested(3)
        .claim(3)
        .deleted(3)
        .end();
    history.assert("pvc_retention", Pass, &[]);
}

#[test]
fn a_wrong_address_after_any_replacement_counts() {
    let wrong = History::created().down(0).up(0).lookup_with(0, |it| {
        it.addresses = vec!["10.88.1.10".to_owned()];
        it.began += 60_000_000_000;
    });
    wrong.down(1).up(1).lookup(1).end().assert("dns_resolution", Fail, &[]);
}

#[test]
fn the_old_pod_may_have_been_on_the_second_claim_already() {
    let mut history = History::created().scale(4).up(3).inspect_one(3).scale(3).down(3);
    let last_sure = history.lines.iter().rfind(|it| matches!(&it.what, Fact::Object(_, object) if object.metadata().name == "data-web-3")).map(|it| it.seq);
    // A claim that goes and comes in a gap, and a pod that comes and goes meanwhile.
    history = history.scale(4).add(3).ready(3).scale(3).down(3);
    let deleted = history.clone().claim_line(3, ObjectChange::Deleted, |_| {}).claim(3);
    let Some(Fact::Object(_, claim)) = deleted.lines.last().map(|it| it.what.clone()) else {
        panic!("no claim")
    };
    let gap = Gap {
        kind: Kind::PersistentVolumeClaim,
        reason: "410 Gone".to_owned(),
        last_sure,
        vanished: vec!["claim-7".to_owned()],
    };
    let history = history
        .push(Fact::Gap(gap))
        .push(Fact::Object(ObjectChange::Listed, claim))
        .scale(4)
        .add(3)
        .ready(3)
        .inspect_one(3)
        .end();
    assert_ne!(history.verdict("pvc_reuse").outcome(), Fail);
}

#[test]
fn a_claim_that_was_gone_is_not_that_of_a_later_pod() {
    // The first web-3's claim is deleted; that of the second web-3 is told of after the pod was
    // asked to go.
    let history = History::created().scale(4).up(3).inspect_one(3).scale(3).down(3).claim_line(
        3,
        ObjectChange::Deleted,
        |_| {},
    );
    let history = history
        .scale(4)
        .add(3)
        .ready(3)
        .read(3)
        .scale(3)
        .deletion_requested(3)
        .claim(3)
        .deleted(3)
        .scale(4)
        .add(3)
        .ready(3)
        .end();
    let told = history.verdict("pvc_reuse");
    let claims = told.criteria.iter().filter(|it| it.id == "same_claim");
    let lost: Vec<bool> = claims.map(|it| it.standing != Standing::Met).collect();
    assert_eq!(lost, [true, false], "the second pod's, not the third one's");
}

#[test]
fn a_pod_that_surely_stood_counts_before_one_that_perhaps_did() {
    // web-2 was asked to go by hand; it and web-1 vanish in a gap, after which web-3 is still
    // there.
    let history = History::created()
        .scale(4)
        .up(3)
        .deletion_requested(2)
        .scale(1)
        .deletion_requested(3)
        .pods_gap(|it| it.deleted(2).down(1))
        .deleted(3)
        .end();
    history.assert("ordered_scale_down", Fail, &[]);
}
