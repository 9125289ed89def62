//! Claims that have no volume.

use super::*;

/// Catches a mended template that is charged with the claim that the failed one left.
#[test]
fn a_claim_of_an_earlier_template_is_to_be_deleted() {
    let once = &["ReadWriteOnce"];
    let with_template =
        |template: Option<&str>, class: Option<&str>, modes: &[&str], message: &str| {
            let access_modes = once.map(str::to_owned).to_vec();
            let resources = Resources {
                requests: BTreeMap::from([("storage".to_owned(), "100Mi".to_owned())]),
                ..Default::default()
            };
            let spec = PersistentVolumeClaimSpec {
                access_modes,
                storage_class_name: template.map(str::to_owned),
                resources,
                ..Default::default()
            };
            let mut history = History::new();
            history.spec.volume_claim_templates[0].spec = Some(spec);
            pending_of(history, class, modes, message)
        };
    let missing = "storageclass.storage.k8s.io \"fast\" not found";
    let none = "no persistent volumes available for this claim and no storage class is set";
    stops(&with_template(None, Some("fast"), once, missing), "claim_differs", NotTheSubmission);
    stops(
        &with_template(Some("standard"), Some("fast"), once, missing),
        "claim_differs",
        NotTheSubmission,
    );
    stops(&with_template(None, Some(""), once, none), "claim_differs", NotTheSubmission);
    stops(&with_template(None, None, &["ReadWriteMany"], none), "claim_differs", NotTheSubmission);
    // What the template itself asks for is the template's.
    stops(&with_template(Some("fast"), Some("fast"), once, missing), "class_missing", Submission);
    stops(&with_template(Some(""), Some(""), once, none), "class_none", Submission);
    // The default class, which the API server wrote.
    let full = "failed to provision volume: rpc error: code = ResourceExhausted desc = not enough \
        free space";
    waits(&with_template(None, Some("standard"), once, full), "claim_pending", NotTheSubmission);
}

/// Catches a claim of the submission that is told as somebody else's.
#[test]
fn a_claim_that_the_submission_holds_is_its_own() {
    let none = "no persistent volumes available for this claim and no storage class is set";
    let pending = |object: &str| {
        let mut history = History::new();
        history.spec.volume_claim_templates[0].spec = Some(PersistentVolumeClaimSpec {
            access_modes: vec!["ReadWriteOnce".to_owned()],
            ..Default::default()
        });
        let applied = vec![object.to_owned()];
        let end = Step { applied, ..Step::new(StepName::Apply, Phase::Done) };
        let applied = history.step(StepName::Apply).push(Fact::Step(end));
        pending_of(applied, Some(""), &["ReadWriteOnce"], none)
    };
    stops(&pending("persistentvolumeclaim/data-web-0"), "class_none", Submission);
    stops(&pending("persistentvolumeclaim/data-web-1"), "claim_differs", NotTheSubmission);
}

/// Catches a claim that is blamed while its volume is being made: on a slow cluster that lasts.
#[test]
fn a_claim_made_by_hand_may_still_get_its_volume() {
    let mut history = History::new();
    let access_modes = vec!["ReadWriteOnce".to_owned()];
    history.spec.volume_claim_templates[0].spec =
        Some(PersistentVolumeClaimSpec { access_modes, ..Default::default() });
    let made = history.service().set(ObjectChange::Added).subject().claim(0);
    let told = made.claim_line(0, ObjectChange::Modified, |claim| {
        claim.status.phase = "Pending".to_owned();
        if let Some(spec) = &mut claim.spec {
            spec.access_modes = vec!["ReadWriteMany".to_owned()];
        }
    });
    let silent = told.add(0);
    waits(&silent, "claim_differs", NotTheSubmission);
    let says = |reason| {
        let kind = "PersistentVolumeClaim";
        event(silent.clone(), kind, "claim-1", "Normal", reason, "a volume is made")
    };
    waits(&says("Provisioning"), "claim_differs", NotTheSubmission);
    waits(&says("ProvisioningSucceeded"), "claim_differs", NotTheSubmission);
    stops(&says("FailedBinding"), "claim_differs", NotTheSubmission);
}

#[test]
fn claims_that_stay_pending() {
    let once = &["ReadWriteOnce"];
    stops(
        &pending(Some("fast"), once, "storageclass.storage.k8s.io \"fast\" not found"),
        "class_missing",
        Submission,
    );
    let none = "no persistent volumes available for this claim and no storage class is set";
    stops(&pending(Some(""), once, none), "class_none", Submission);
    stops(&pending(None, once, none), "no_default_class", NotTheSubmission);
    let refused = "failed to provision volume with StorageClass \"once\": NodePath only supports \
        ReadWriteOnce and ReadWriteOncePod (1.22+) access modes";
    stops(&pending(Some("once"), &["ReadWriteMany"], refused), "wrong_access_mode", Submission);
    waits(
        &pending(
            Some("standard"),
            once,
            "failed to provision volume: rpc error: code = ResourceExhausted desc = not enough \
            free space",
        ),
        "claim_pending",
        NotTheSubmission,
    );
}

#[test]
fn a_claim_that_nobody_makes() {
    let message =
        "0/1 nodes are available: persistentvolumeclaim \"web-data\" not found. not found";
    let mut history = History::new();
    history.spec.volume_claim_templates.clear();
    let claim = crate::model::observation::object::ClaimSource {
        claim_name: "web-data".to_owned(),
        read_only: false,
    };
    history.spec.template.spec.volumes = vec![crate::model::observation::object::Volume {
        name: "data".to_owned(),
        persistent_volume_claim: Some(claim),
        ..Default::default()
    }];
    let history = history.service().set(ObjectChange::Added).subject().add(0);
    stops(&unschedulable(history, message), "claim_missing", Submission);
    // The scheduler may know of the set's own claim a moment later than the pod.
    waits(
        &unschedulable(
            first_pod(),
            "0/1 nodes are available: persistentvolumeclaim \"data-web-0\" not found. not found",
        ),
        "not_scheduled",
        NotTheSubmission,
    );
}

#[test]
fn claims_that_name_their_volume() {
    let named = |phase: &str, change: ObjectChange| {
        let mut history = History::new().service().set(ObjectChange::Added).subject().claim(0);
        if let Some(Fact::Object(told, Object::PersistentVolumeClaim(claim))) =
            history.lines.last_mut().map(|it| &mut it.what)
        {
            *told = change;
            claim.status.phase = "Pending".to_owned();
        }
        history
            .claim_line(0, ObjectChange::Modified, |claim| claim.status.phase = phase.to_owned())
            .add(0)
    };
    waits(&named("Pending", ObjectChange::Added), "volume_missing", Submission);
    stops(&named("Lost", ObjectChange::Added), "volume_missing", Submission);
    // Claims that lost the volume that they had.
    let bound = named("Bound", ObjectChange::Added);
    let lost =
        bound.claim_line(0, ObjectChange::Modified, |claim| claim.status.phase = "Lost".to_owned());
    stops(&lost, "volume_lost", NotTheSubmission);
    stops(&named("Lost", ObjectChange::Listed), "volume_lost", NotTheSubmission);
    stops(
        &pending(Some("standard"), &["ReadWriteOnce"], "claim Selector is not supported"),
        "claim_impossible",
        Submission,
    );
}

/// Catches a claim that is not looked at because no container mounts it as a folder.
#[test]
fn claims_that_are_devices() {
    let mut history = History::new();
    let container = &mut history.spec.template.spec.containers[0];
    container.volume_mounts.clear();
    container.volume_devices =
        vec![crate::model::observation::object::VolumeDevice { name: "data".to_owned() }];
    let history = history.service().set(ObjectChange::Added).subject().claim(0).claim_line(
        0,
        ObjectChange::Modified,
        |claim| claim.status.phase = "Pending".to_owned(),
    );
    let told = "failed to provision volume: block volumes are not supported";
    let history = event(
        history.add(0),
        "PersistentVolumeClaim",
        "claim-1",
        "Warning",
        "ProvisioningFailed",
        told,
    );
    stops(&history, "claim_impossible", Submission);
}
