//! Obstacles that no row of the table names, and the order of causes.

use super::*;

#[test]
fn why_a_tour_ended_is_beside_what_it_left_undecided() {
    let told = |history: &History| {
        let verdict = history.verdict("ordered_scale_down");
        assert_eq!(verdict.outcome(), crate::model::Outcome::Inconclusive, "{verdict:?}");
        verdict.blocked_by().map(|it| (it.id, it.why.clone()))
    };
    let ended = |why: EndReason, detail: Option<&str>| {
        let end = End { why, detail: detail.map(str::to_owned), ..End::default() };
        History::created().step(StepName::Inspect).done(StepName::Inspect).push(Fact::End(end))
    };
    assert_eq!(told(&ended(EndReason::Complete, None)), None);
    assert_eq!(told(&ended(EndReason::Interrupted, None)).map(|it| it.0), Some("interrupted"));
    let (id, why) = told(&ended(EndReason::Timeout, Some("web-4 to be Ready"))).unwrap_or_default();
    assert!(
        id == "out_of_time" && why.contains("--timeout") && why.contains("web-4 to be Ready"),
        "{id}: {why}"
    );
    let lost = "this grade lost its Lease on the namespace";
    let told_of = told(&ended(EndReason::Obstacle, Some(lost)));
    assert_eq!(told_of, Some(("grade_ended", lost.to_owned())));
    let scaled = "somebody else scaled web to 3 while it was asked to have 5 (an autoscaler?)";
    let step = Step {
        answer: Some(scaled.to_owned()),
        interfered: true,
        ..Step::new(StepName::ScaleUp, Phase::Refused)
    };
    let foreign = History::created().scale(5).step(StepName::ScaleUp).push(Fact::Step(step)).end();
    assert_eq!(told(&foreign), Some(("somebody_else", scaled.to_owned())));
}

/// Catches a slow admission webhook told as a missing right.
#[test]
fn a_request_without_an_answer_was_not_refused() {
    let away = "the API server at https://lab:6443 does not answer";
    for (unanswered, id) in [(true, "request_unanswered"), (false, "request_refused")] {
        let step = Step {
            answer: Some(away.to_owned()),
            unanswered,
            ..Step::new(StepName::ScaleUp, Phase::Refused)
        };
        let history =
            History::created().scale(5).step(StepName::ScaleUp).push(Fact::Step(step)).end();
        let verdict = history.verdict("ordered_scale_down");
        let told = verdict.blocked_by().map(|it| (it.id, it.why.as_str()));
        assert_eq!(told, Some((id, away)));
    }
}

#[test]
fn a_broken_pod_of_an_earlier_template() {
    let mut history =
        log(ended(first_pod(), 4, exit(1)), &["no config"]).pod(0, ObjectChange::Modified, |pod| {
            pod.metadata.labels.insert("controller-revision-hash".to_owned(), "web-1".to_owned());
        });
    history.spec.template.spec.containers[0].image = "busybox:1.37".to_owned();
    // Until the controller has looked at the new template, it may be about to replace the pod.
    waits(&history.clone().set_unobserved(), "outdated_pod", NotTheSubmission);
    let mut history = history.set(ObjectChange::Modified);
    if let Some(Fact::Object(_, Object::StatefulSet(set))) =
        history.lines.last_mut().map(|it| &mut it.what)
    {
        set.status.update_revision = "web-2".to_owned();
    }
    stops(&history, "outdated_pod", NotTheSubmission);
}

#[test]
fn what_some_other_program_has_to_call_ready() {
    let message =
        "corresponding condition of pod readiness gate \"example.com/checked\" does not exist.";
    let gated = running(first_pod(), |_| {}).pod(0, ObjectChange::Modified, |pod| {
        let (r#type, status, reason) =
            ("Ready".to_owned(), "False".to_owned(), "ReadinessGatesNotReady".to_owned());
        pod.status.conditions =
            vec![Condition { r#type, status, reason, message: message.to_owned() }];
    });
    waits(&gated, "never_ready", NotTheSubmission);
    assert!(words(&gated).contains(message));
}

#[test]
fn a_set_that_asks_for_no_pods_blocks_every_test() {
    let mut history = History::new();
    history.spec.replicas = Some(0);
    let asked = history.service().set(ObjectChange::Added).subject().end();
    assert_eq!(
        (asked.letters().as_str(), asked.timeline().first_obstacle().map(|it| it.id)),
        ("FFFFFFFFFF", Some("zero_replicas"))
    );
}

/// Catches a set whose pods nobody can wait for, and a judge that goes through a million ordinals.
#[test]
fn more_replicas_than_are_graded_leave_every_test_undecided() {
    let mut history = History::new();
    history.spec.replicas = Some(1_000_000);
    let history = history.service().set(ObjectChange::Added).subject().up(0).up(1);
    assert_eq!(at_once(&history), Some(("too_many_replicas", NotTheSubmission)));
    for history in [history.clone(), history.end()] {
        let outcomes = crate::judge(&history.timeline()).map(|it| it.outcome());
        assert!(
            !outcomes.contains(&Outcome::Pass) && !outcomes.contains(&Outcome::Fail),
            "{outcomes:?}"
        );
    }
}
