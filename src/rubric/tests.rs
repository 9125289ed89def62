//! A rubric in, points out.

use checks::{
    CHECKS,
    model::Outcome::{self, Fail, Inconclusive, Pass},
};

use crate::rubric::{CriterionOutcome, Detail, Earned, Points, Rubric, UndecidedWorth};

#[track_caller]
fn rubric(text: &str) -> Rubric {
    Rubric::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn error(text: &str) -> String {
    Rubric::parse(text).unwrap_err().to_string()
}

/// What test 6 earns.
#[track_caller]
fn check(text: &str, outcome: Outcome, criteria: &[CriterionOutcome<'_>], hundredths: [u32; 2]) {
    let rubric = rubric(text);
    let rule = rubric.rule("identity_persistence").unwrap();
    let [points, undecided] = hundredths.map(Points::hundredths);
    assert_eq!(rubric.earned(rule, outcome, criteria), Earned { points, undecided }, "{text}");
}

#[test]
fn the_lab_gives_ten_points_for_each_test() {
    let lab = Rubric::default();
    assert_eq!(lab.total(), Points::whole(100));
    assert_eq!((lab.show, lab.undecided), (Detail::Remedy, UndecidedWorth::Held));
    let digest = Some(rubric("").digest.unwrap());
    assert_eq!(rubric(""), Rubric { digest, ..lab }, "an empty rubric is the lab's");
}

#[test]
fn a_test_is_won_lost_or_undecided_as_a_whole() {
    check("", Pass, &[("canary", Pass)], [1000, 0]);
    check("", Fail, &[("canary", Pass), ("same_claim", Fail)], [0, 0]);
    check("", Inconclusive, &[("canary", Inconclusive)], [0, 1000]);
    check("undecided = 'zero'", Inconclusive, &[], [0, 0]);
    check("undecided = 'full'", Inconclusive, &[], [1000, 0]);
}

/// Catches thirds that are rounded before they are added up.
#[test]
fn fractions_are_exact_until_the_test_is_summed_up() {
    let partial = "[checks.identity_persistence]\npartial = true";
    let third = [("canary", Pass), ("canary", Fail), ("canary", Inconclusive)];
    check(partial, Fail, &third, [333, 334]);
    let criteria = "[checks.identity_persistence.criteria]\n\
        canary = { points = 5, partial = true }\nsame_claim = { points = 5, partial = true }";
    let two = [("canary", Pass), ("canary", Fail), ("canary", Fail)];
    let mut all: Vec<CriterionOutcome<'_>> = two.to_vec();
    all.extend(two.map(|(_, outcome)| ("same_claim", outcome)));
    // Twice 5/3 is 10/3, not twice 1.67.
    check(criteria, Fail, &all, [333, 0]);
}

#[test]
fn criteria_have_points_of_their_own() {
    let text = "[checks.identity_persistence.criteria]\nsame_claim = 7.5\noriginal_content = 4";
    let so = |claim, content| [("same_claim", claim), ("original_content", content)];
    check(text, Pass, &so(Pass, Pass), [1150, 0]);
    check(text, Fail, &so(Pass, Fail), [750, 0]);
    check(text, Inconclusive, &so(Inconclusive, Pass), [400, 750]);
    // What the verdict does not speak of is as the whole check is.
    check(text, Fail, &[("same_claim", Pass)], [750, 0]);
    check(text, Inconclusive, &[], [0, 1150]);
}

/// Catches points for the claim of a pod that never came back, or of containers that crash.
#[test]
fn a_criterion_without_points_is_a_condition() {
    let text = "[checks.identity_persistence.criteria]\nsame_claim = 10";
    check(text, Fail, &[("same_claim", Pass), ("came_back", Fail)], [0, 0]);
    check(text, Fail, &[("same_claim", Pass), ("stays_up", Fail)], [0, 0]);
    check(text, Inconclusive, &[("same_claim", Pass), ("came_back", Inconclusive)], [0, 1000]);
    let ignored = format!("{text}\ncame_back = 0");
    check(&ignored, Fail, &[("same_claim", Pass), ("came_back", Fail)], [1000, 0]);
}

#[test]
fn passing_needs_the_mark_and_the_required_tests() {
    let rubric = rubric("pass_mark = 60\n[checks.pod_naming]\nrequired = true");
    let passes = |earned, undecided, outcome| {
        let [earned, undecided] = [earned, undecided].map(Points::whole);
        rubric.passes(earned, undecided, None, [("pod_naming", outcome), ("pvc_reuse", Fail)])
    };
    assert_eq!(passes(60, 0, Pass), Some(true));
    assert_eq!(passes(90, 0, Fail), Some(false));
    assert_eq!(passes(90, 10, Inconclusive), None);
    assert_eq!(passes(50, 10, Pass), None);
    assert_eq!(passes(50, 9, Pass), Some(false));
    assert_eq!(passes(50, 10, Fail), Some(false));
}

#[test]
fn an_undecided_required_test_is_what_undecided_is_worth() {
    for (worth, expected) in [("zero", Some(false)), ("full", Some(true)), ("held", None)] {
        let text =
            format!("undecided = '{worth}'\npass_mark = 0\n[checks.pod_naming]\nrequired = true");
        let outcomes = [("pod_naming", Inconclusive)];
        let passes = rubric(&text).passes(Points::ZERO, Points::ZERO, None, outcomes);
        assert_eq!(passes, expected, "{worth}");
    }
}

#[test]
fn checks_are_left_out() {
    let rubric = rubric("[checks.pvc_reuse]\nomit = true\n[checks.pod_naming]\npoints = 0.5");
    assert_eq!(rubric.total(), Points::hundredths(8050));
    assert!(rubric.rules().all(|(check, _)| check.id != "pvc_reuse"));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_the_nearest_name() {
    for (text, expected) in [
        (
            "\npass_marc = 5",
            "line 2, column 1: there is no key \"pass_marc\"; did you mean pass_mark?",
        ),
        (
            "[checks.pod_naming]\npoint = 5",
            "line 2, column 1: there is no key \"point\"; did you mean points?",
        ),
        (
            "[checks.pod_name]",
            "line 1, column 9: there is no check \"pod_name\"; did you mean pod_naming?",
        ),
        (
            "[checks.pod_naming.criteria]\nexact = 1",
            "line 2, column 1: there is no criterion \"exact\"; did you mean exact_names?",
        ),
        (
            "[checks.pod_naming.criteria]\n\"ü\" = 1",
            "line 2, column 1: there is no criterion \"ü\"; there are exact_names, three_replicas, \
             stays_up",
        ),
        (
            "show = 'all'",
            "line 1, column 8: unknown variant `all`, expected one of `outcome`, `reason`, `remedy`",
        ),
        ("pass_mark = 101", "line 1, column 13: pass_mark is more than all points (100)"),
        (
            "[checks.pod_naming]\npoints = 5\ncriteria = { exact_names = 4 }",
            "line 2, column 10: the criteria of pod_naming have 4 points together",
        ),
        (
            "[checks.pod_naming]\npartial = true\ncriteria = { exact_names = 4 }",
            "line 1, column 9: with criteria, partial is said of each criterion",
        ),
        (
            "[checks.pod_naming]\nomit = true\nrequired = true",
            "line 1, column 9: pod_naming is left out by omit: nothing else can be said of it",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
    for points in ["-1", "0.001", "1000001", "nan", "'ten'", "1e300"] {
        let told = error(&format!("[checks.pod_naming]\npoints = {points}"));
        assert!(told.starts_with("line 2, column 10: invalid "), "{told}");
        assert!(told.contains("expected points: a number from 0"), "{told}");
    }
    assert!(error("a = = 1").starts_with("line 1, column 5: "));
    let all = CHECKS.map(|check| format!("{}.omit = true\n", check.id)).concat();
    assert_eq!(
        error(&format!("[checks]\n{all}")),
        "line 1, column 1: the rubric gives no points at all"
    );
}
