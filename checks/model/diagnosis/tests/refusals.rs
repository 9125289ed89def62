//! What the API server refuses, and what the controller cannot do.

use super::*;

/// Catches a Fail that does not say that the grader's own namespace is why, and whose remedy is not
/// the one word that helps.
#[test]
fn a_level_that_the_grader_set_is_told_as_such() {
    let message = "create Pod web-0 in StatefulSet web failed error: pods \"web-0\" is forbidden: \
        violates PodSecurity \"baseline:latest\": hostPort (container \"app\" uses hostPort \
        18080)";
    let applied = |level: Option<&str>| {
        let mut history =
            History::new().step(StepName::Apply).step_ended(StepName::Apply, Phase::Done);
        if let Some(Fact::Step(step)) = history.lines.last_mut().map(|it| &mut it.what) {
            step.pod_security = level.map(str::to_owned);
        }
        event(
            history.service().set(ObjectChange::Added).subject().claim(0),
            "StatefulSet",
            "set",
            "Warning",
            "FailedCreate",
            message,
        )
    };
    stops(&applied(Some("baseline")), "pod_security", Submission);
    stops(&applied(None), "pod_refused", Submission);
}

#[test]
fn pods_that_are_refused() {
    let create = |why: &str| {
        refused(&format!(
            "create Pod web-0 in StatefulSet web failed error: pods \"web-0\" is forbidden: {why}"
        ))
    };
    stops(
        &create("exceeded quota: three, requested: pods=1, used: pods=3, limited: pods=3"),
        "quota",
        NotTheSubmission,
    );
    stops(
        &create(
            "violates PodSecurity \"baseline:latest\": privileged (container \"app\" must not set \
            securityContext.privileged=true)",
        ),
        "pod_refused",
        Submission,
    );
    stops(
        &create("error looking up service account lab/worker: serviceaccount \"worker\" not found"),
        "pod_refused",
        Submission,
    );
    waits(
        &create("status unknown for quota: three, resources: pods"),
        "never_ready",
        NotTheSubmission,
    );
    // What an account that was made since was refused for, before anybody watched.
    let before =
        create("error looking up service account lab/worker: serviceaccount \"worker\" not found");
    waits(&listed_last(before), "never_ready", NotTheSubmission);
    let applied = create("violates PodSecurity").step(StepName::Apply).done(StepName::Apply);
    assert_eq!(
        (at_once(&create("violates PodSecurity")), at_once(&applied)),
        (Some(("pod_refused", Submission)), None)
    );
    waits(
        &create(
            "error looking up service account lab/default: serviceaccount \"default\" not found",
        ),
        "never_ready",
        NotTheSubmission,
    );
    // What was refused before the last change may have been mended by it, and web-10 is not web-1.
    assert_eq!(at_once(&create("violates PodSecurity").scale(4)), None);
    // What a plain pod leaves out is no choice of the submission's; what stands in the template is.
    let restricted = "violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != \
        false (container \"app\" must set securityContext.allowPrivilegeEscalation=false), \
        unrestricted capabilities (container \"app\" must set \
        securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \
        \"app\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \
        \"app\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \
        \"Localhost\")";
    stops(&create(restricted), "level_restricted", NotTheSubmission);
    stops(
        &create(&format!("{restricted}, hostPath volumes (volume \"data\")")),
        "pod_refused",
        Submission,
    );
    stops(
        &create(
            "ValidatingAdmissionPolicy 'team' with binding 'team' denied request: the label team \
            is required",
        ),
        "policy",
        NotTheSubmission,
    );
    stops(
        &create("failed quota: small: must specify limits.cpu for: app"),
        "quota",
        NotTheSubmission,
    );
    let down = "Internal error occurred: failed calling webhook \"policy.lab.example\": failed to \
        call webhook: Post \"https://gone.lab.svc:443/?timeout=2s\": service \"gone\" not found";
    waits(
        &refused(&format!("create Pod web-0 in StatefulSet web failed error: {down}")),
        "webhook_down",
        NotTheSubmission,
    );
    assert_eq!(
        at_once(&refused(
            "create Pod web-01 in StatefulSet web failed error: pods \"web-01\" is forbidden: \
            violates PodSecurity"
        )),
        None
    );
}

#[test]
fn limit_ranges_forbid_what_the_lab_asks_or_what_was_chosen() {
    let claim = |why: &str| {
        refused(&format!(
            "create Claim data-web-0 for Pod web-0 in StatefulSet web failed error: \
            persistentvolumeclaims \"data-web-0\" is forbidden: {why}"
        ))
    };
    stops(
        &claim("maximum storage usage per PersistentVolumeClaim is 40Mi, but request is 50Mi"),
        "policy",
        NotTheSubmission,
    );
    stops(
        &claim("minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 50Mi"),
        "policy",
        NotTheSubmission,
    );
    stops(
        &claim("maximum storage usage per PersistentVolumeClaim is 500Mi, but request is 1Gi"),
        "pod_refused",
        Submission,
    );
    let pod = |history: History, why: &str| {
        let message = format!(
            "create Pod web-0 in StatefulSet web failed error: pods \"web-0\" is forbidden: {why}"
        );
        event(
            history.service().set(ObjectChange::Added).subject().claim(0),
            "StatefulSet",
            "set",
            "Warning",
            "FailedCreate",
            &message,
        )
    };
    stops(
        &pod(History::new(), "maximum memory usage per Container is 64Mi.  No limit is specified"),
        "policy",
        NotTheSubmission,
    );
    let too_much = "maximum memory usage per Container is 64Mi, but limit is 1Gi";
    stops(&pod(History::new(), too_much), "policy", NotTheSubmission);
    let mut chosen = History::new();
    chosen.spec.template.spec.containers[0]
        .resources
        .limits
        .insert("memory".to_owned(), "1Gi".to_owned());
    stops(&pod(chosen, too_much), "pod_refused", Submission);
}

#[test]
fn another_pod_has_the_name() {
    let strip = |pod: &mut Pod| {
        pod.metadata.labels.clear();
        pod.metadata.owner_references.clear();
    };
    let mut history = History::new();
    history.spec.selector.match_labels.insert("app".to_owned(), "web".to_owned());
    let up = history.create();
    let lost = up.clone().pod(1, ObjectChange::Modified, strip);
    stops(&lost, "name_taken", NotTheSubmission);
    assert_eq!(lost.clone().timeline().settled_or_awaited(), lost.timeline().settled_or_awaited());
    // One that the set will adopt in a moment is not in its way.
    let orphan = up.pod(1, ObjectChange::Modified, |pod| pod.metadata.owner_references.clear());
    waits(&orphan, "name_taken", NotTheSubmission);
}

/// Catches a Pod of the submission that is told as somebody else's, and the other way round.
#[test]
fn a_pod_of_the_submission_has_the_name() {
    let apply = |objects: &[&str], phase| {
        let mut history = History::new();
        history.spec.selector.match_labels.insert("app".to_owned(), "web".to_owned());
        let applied = objects.iter().map(|it| (*it).to_owned()).collect();
        let end = Step { applied, ..Step::new(StepName::Apply, phase) };
        let applied = history.step(StepName::Apply).service().set(ObjectChange::Added);
        applied.subject().push(Fact::Step(end))
    };
    let strip = |pod: &mut Pod| {
        pod.metadata.labels.clear();
        pod.metadata.owner_references.clear();
    };
    let up = |history: History| history.up(0).add(1).pod(1, ObjectChange::Modified, strip);
    let own = &["service/web", "statefulset/web", "pod/web-1"];
    stops(&up(apply(own, Phase::Done)), "name_taken_by_own_pod", Submission);
    let others = &["statefulset/web", "pod/web-10", "service/web-1"];
    stops(&up(apply(others, Phase::Done)), "name_taken", NotTheSubmission);
    stops(&up(apply(own, Phase::Refused)), "name_taken", NotTheSubmission);
    // One that the set takes over, as its labels are the template's, keeps it from making the next.
    let taken_over = |objects: &[&str], ordinal| {
        let orphan = |pod: &mut Pod| {
            pod.metadata.owner_references.clear();
            pod.metadata.labels.remove("controller-revision-hash");
        };
        let adopt = |pod: &mut Pod| {
            pod.metadata.owner_references = vec![OwnerReference {
                kind: "StatefulSet".to_owned(),
                uid: "set".to_owned(),
                controller: true,
                ..OwnerReference::default()
            }];
        };
        let applied = apply(objects, Phase::Done).observed_as("web-1a");
        let up = (0..ordinal)
            .fold(applied, History::up)
            .claim(ordinal)
            .add_as(ordinal, ObjectChange::Added, orphan)
            .pod(ordinal, ObjectChange::Modified, adopt)
            .ready(ordinal);
        let message = format!(
            "Update Pod web-{ordinal} in StatefulSet web failed error: Pod \"web-{ordinal}\" is \
            invalid: spec: Forbidden: pod updates may not change fields other than `image`"
        );
        event(up, "StatefulSet", "set", "Warning", "FailedUpdate", &message)
    };
    stops(&taken_over(own, 1), "name_taken_by_own_pod", Submission);
    waits(&taken_over(others, 1), "never_ready", NotTheSubmission);
    // The last one, with which all pods are Ready.
    let last = &["statefulset/web", "pod/web-2"];
    stops(&taken_over(last, 2), "name_taken_by_own_pod", Submission);
    stops(&taken_over(others, 2), "update_failed", NotTheSubmission);
    // What the set makes in its place is as the template says.
    let made_anew = taken_over(last, 2).down(2).up(2);
    assert_eq!((at_once(&made_anew), in_the_end(&made_anew)), (None, None));
    let waits_for_the_next = taken_over(own, 1).down(1).up(1);
    waits(&waits_for_the_next, "never_ready", NotTheSubmission);
    // A controller's pod that has the name by chance.
    let replicas = up(apply(own, Phase::Done)).pod(1, ObjectChange::Modified, |pod| {
        pod.metadata.owner_references =
            vec![OwnerReference { controller: true, ..OwnerReference::default() }];
    });
    stops(&replicas, "name_taken", NotTheSubmission);
}

#[test]
fn a_template_that_the_controller_cannot_give_to_standing_pods() {
    let mut history = History::created();
    history.spec.min_ready_seconds = 1;
    let mut history = history.set(ObjectChange::Modified);
    if let Some(Fact::Object(_, Object::StatefulSet(set))) =
        history.lines.last_mut().map(|it| &mut it.what)
    {
        set.status.observed_generation -= 1;
    }
    let message = "update Pod web-0 in StatefulSet web failed error: Pod \"web-0\" is invalid: \
        spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`";
    let history = event(history, "StatefulSet", "set", "Warning", "FailedUpdate", message);
    stops(&history, "update_failed", NotTheSubmission);
}
