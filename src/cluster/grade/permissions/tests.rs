use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::ResourceRule;

use super::{Allowed, GRADE_NEEDS, RECORD_NEEDS, batch_failure};

fn rule(groups: &[&str], resources: &[&str], names: &[&str], verbs: &[&str]) -> ResourceRule {
    let list = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    ResourceRule {
        api_groups: Some(list(groups)),
        resources: Some(list(resources)),
        resource_names: Some(list(names)),
        verbs: list(verbs),
    }
}

fn missing(rules: Vec<ResourceRule>) -> Vec<String> {
    Allowed { rules, incomplete: false, exec_needs_create: true }
        .missing(GRADE_NEEDS)
        .iter()
        .map(|it| format!("{} {}", it.full_name(), it.verbs.join(",")))
        .collect()
}

/// The rules of the table itself, as a Role would hold them.
fn minimal() -> Vec<ResourceRule> {
    GRADE_NEEDS
        .iter()
        .map(|it| {
            rule(&[it.group], &[it.resource], &it.name.into_iter().collect::<Vec<_>>(), it.verbs)
        })
        .collect()
}

/// The same, but for those of one resource.
fn minimal_without(resource: &str) -> Vec<ResourceRule> {
    let mut rules = minimal();
    rules.retain(|it| it.resources != Some(vec![resource.to_owned()]));
    rules
}

#[test]
fn the_minimal_role_is_enough() {
    assert_eq!(missing(minimal()), Vec::<String>::new());
    assert_eq!(missing(vec![rule(&["*"], &["*"], &[], &["*"])]), Vec::<String>::new());
}

#[test]
fn one_rule_less_is_named() {
    for (place, need) in GRADE_NEEDS.iter().enumerate() {
        let mut rules = minimal();
        rules.remove(place);
        assert_eq!(missing(rules).len(), 1, "{need:?}");
    }
}

/// Catches a batch that begins though it may make no quota, and one that is refused for objects
/// that nobody handed in.
#[test]
fn a_batch_needs_what_bounds_a_namespace_and_what_is_applied() {
    let all = |verbs: &[&str]| rule(&["*"], &["*"], &[], verbs);
    let failure = |rules: Vec<ResourceRule>, kinds: &[&'static str]| {
        let allowed = Allowed { rules, incomplete: false, exec_needs_create: true };
        batch_failure(&allowed, &kinds.iter().copied().collect(), false)
    };
    assert!(failure(vec![all(&["*"])], &["services"]).is_none());
    let mut rules = minimal();
    rules.push(rule(&[""], &["namespaces", "resourcequotas", "limitranges"], &[], &["*"]));
    rules.push(rule(&["networking.k8s.io"], &["networkpolicies"], &[], &["create"]));
    rules.push(rule(&[""], &["serviceaccounts"], &[], &["patch"]));
    assert!(failure(rules.clone(), &[]).is_none());
    let probing = rules.clone();
    let refused = failure(rules, &["secrets"]).unwrap();
    assert_eq!(refused.detail, ["missing: get, create, patch, delete secrets"]);
    assert!(refused.next.contains("kind: ClusterRole\n"), "{}", refused.next);
    let refused = failure(minimal(), &[]).unwrap();
    assert!(refused.detail.contains(&"missing: create limitranges".to_owned()));
    let allowed = Allowed { rules: probing, incomplete: false, exec_needs_create: true };
    let refused = batch_failure(&allowed, &BTreeSet::new(), true).unwrap();
    assert_eq!(refused.detail, ["missing: patch pods/ephemeralcontainers"]);
}

/// Catches a recording of which nobody is told that no file can be read in it, and one that is
/// said to need what only a grade does.
#[test]
fn a_recording_needs_nothing_that_changes_anything() {
    let unseen = |rules: Vec<ResourceRule>, incomplete| {
        Allowed { rules, incomplete, exec_needs_create: true }.unseen_by_a_recording()
    };
    assert_eq!(unseen(minimal(), false), Vec::<String>::new());
    let lacking = || minimal_without("pods/exec");
    assert_eq!(unseen(lacking(), false), ["get, create pods/exec"]);
    assert_eq!(unseen(lacking(), true), Vec::<String>::new(), "nobody knows");
    for need in RECORD_NEEDS.iter().filter(|it| it.resource != "pods/exec") {
        for verb in need.verbs {
            assert!(["get", "list", "watch"].contains(verb), "{need:?}");
        }
    }
}

#[test]
fn names_and_subresources_limit_a_rule() {
    let mut rules = minimal_without("pods/exec");
    rules.push(rule(&[""], &["pods"], &[], &["*"]));
    assert_eq!(missing(rules.clone()), ["pods/exec get,create"]);
    rules.push(rule(&[""], &["*/exec"], &[], &["get", "create"]));
    assert_eq!(missing(rules), Vec::<String>::new());
    let mut rules = minimal_without("statefulsets/scale");
    rules.push(rule(&["apps"], &["statefulsets/scale"], &["other"], &["patch"]));
    assert_eq!(missing(rules), ["statefulsets/scale.apps patch"]);
}

/// Catches a server that refuses every command after nothing was said to be missing, and an old
/// one for which something is said to be missing that it never asks for.
#[test]
fn create_on_exec_is_missing_only_where_the_server_asks_for_it() {
    let mut rules = minimal_without("pods/exec");
    rules.push(rule(&[""], &["pods/exec"], &[], &["get"]));
    assert_eq!(missing(rules.clone()), ["pods/exec get,create"]);
    let old = Allowed { rules, incomplete: false, exec_needs_create: false };
    assert!(old.missing(GRADE_NEEDS).is_empty());
}
