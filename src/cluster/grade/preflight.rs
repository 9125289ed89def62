//! Before anything is changed: may we, which StatefulSet, and does anything else drive it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use checks::model::{
    Timeline,
    observation::{Reference, Subject},
};
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet},
    authorization::v1::{
        ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec, SubjectRulesReviewStatus,
    },
    autoscaling::v2::HorizontalPodAutoscaler,
};

use kube::{
    Api, Resource, ResourceExt as _,
    api::{ListParams, PostParams},
};
use serde::de::DeserializeOwned;

use crate::cluster::client::lease_term::LEASE;
use crate::cluster::server_version::exec_needs_create;
use crate::cluster::{Cluster, Failure, client::failure_id};
use crate::console::{sanitize::sanitize, suggest::there_are};

/// A permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Need {
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    /// The one object that it is about, where it is one.
    name: Option<&'static str>,
    /// Without it there is no grade at all; without the others something stays unseen.
    essential: bool,
}

const fn need(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Need {
    Need { group, resource, verbs, name: None, essential: true }
}

const fn optional(
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
) -> Need {
    Need { essential: false, ..need(group, resource, verbs) }
}

/// What a grade needs. Nothing of it is cluster-scoped.
const NEEDS: &[Need] = &[
    need("apps", "statefulsets", &["list", "watch"]),
    need("apps", "statefulsets/scale", &["patch"]),
    need("", "pods", &["list", "watch", "delete"]),
    need("", "persistentvolumeclaims", &["list", "watch", "delete"]),
    need("", "services", &["list", "watch"]),
    need("coordination.k8s.io", "leases", &["create"]),
    Need {
        name: Some(LEASE),
        ..need("coordination.k8s.io", "leases", &["get", "patch", "delete"])
    },
    optional("", "pods/exec", &["get", "create"]),
    optional("", "pods/log", &["get"]),
    optional("", "events", &["list", "watch"]),
    optional("discovery.k8s.io", "endpointslices", &["list", "watch"]),
];

/// What `-f` needs on top.
const APPLY: &[Need] = &[
    need("", "services", &["get", "create", "patch", "delete"]),
    need("", "configmaps", &["get", "create", "patch", "delete"]),
    need("", "secrets", &["get", "create", "patch", "delete"]),
    need("", "persistentvolumeclaims", &["get", "create", "patch", "delete"]),
    need("", "serviceaccounts", &["get", "create", "patch", "delete"]),
    need("", "pods", &["get", "create", "patch", "delete"]),
    need("apps", "statefulsets", &["get", "create", "patch", "delete"]),
    need("apps", "deployments", &["get", "create", "patch", "delete"]),
    need("policy", "poddisruptionbudgets", &["get", "create", "patch", "delete"]),
];

/// What a batch needs in the whole cluster on top: a namespace for each hand-in, with its bounds.
const CLASS: &[Need] = &[
    need("", "namespaces", &["get", "list", "create", "delete"]),
    need("", "serviceaccounts", &["patch"]),
    need("", "resourcequotas", &["get", "create"]),
    need("", "limitranges", &["create"]),
    need("networking.k8s.io", "networkpolicies", &["create"]),
    // Without it pods end later, by themselves.
    optional("", "pods", &["deletecollection"]),
];

/// What `--probe-image` needs on top.
const PROBE: &[Need] = &[need("", "pods/ephemeralcontainers", &["patch"])];

/// What the namespace allows us.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    rules: Vec<ResourceRule>,
    /// The server does not know all rules: what is not there may be allowed all the same.
    incomplete: bool,
    /// Whether commands in containers need `create` on pods/exec too.
    exec_needs_create: bool,
}

/// Asks once for all that we may do in the namespace.
///
/// # Errors
/// The server cannot be reached, or something without which there is no grade is not permitted.
pub(crate) async fn permissions(cluster: &Cluster) -> Result<Allowed, Failure> {
    let allowed = Allowed::in_namespace(cluster, &cluster.namespace).await?;
    let missing: Vec<Need> = allowed.missing(NEEDS);
    if !missing.iter().any(|it| it.essential) || allowed.incomplete {
        return Ok(allowed);
    }
    let namespace = sanitize(&cluster.namespace);
    let mut failure = Failure::new(
        failure_id::FORBIDDEN,
        format!("this account may not do what a grade needs in namespace {namespace}"),
        "Ask whoever runs the cluster to add this Role:",
    );
    failure.detail = allowed.missing_lines(&missing);
    if missing.len() == NEEDS.len() {
        failure
            .detail
            .push("nothing at all is permitted there: is the namespace's name right?".to_owned());
    }
    failure.next = format!("{}\n\n{}", failure.next, role(&cluster.namespace, &missing));
    Err(failure)
}

/// Asks whether a batch may make namespaces for its hand-ins, and grade in them objects of these
/// kinds (plural names).
///
/// # Errors
/// The server cannot be reached, or something without which nothing can be graded so is not
/// permitted.
pub async fn class_permissions(
    cluster: &Cluster,
    run: &str,
    kinds: &BTreeSet<&str>,
) -> Result<(), Failure> {
    // In a namespace that nobody has made hold the rules of the whole cluster alone.
    let allowed = Allowed::in_namespace(cluster, &format!("stsgrade-{run}-permissions")).await?;
    class_failure(&allowed, kinds).map_or(Ok(()), Err)
}

/// What keeps a batch with objects of these kinds from being graded.
fn class_failure(allowed: &Allowed, kinds: &BTreeSet<&str>) -> Option<Failure> {
    let applied = APPLY.iter().filter(|it| kinds.contains(it.resource));
    let needs: Vec<Need> = CLASS.iter().chain(NEEDS).chain(applied).copied().collect();
    let missing: Vec<Need> = allowed.missing(&needs);
    if !missing.iter().any(|it| it.essential) || allowed.incomplete {
        return None;
    }
    let mut failure = Failure::new(
        failure_id::FORBIDDEN,
        "this account may not do in the whole cluster what a batch needs",
        "Ask whoever runs the cluster to bind your account to this ClusterRole, by a \
        ClusterRoleBinding:",
    );
    failure.detail = allowed.missing_lines(&missing);
    failure.next = format!("{}\n\n{}", failure.next, cluster_role(&needs));
    Some(failure)
}

impl Allowed {
    async fn in_namespace(cluster: &Cluster, namespace: &str) -> Result<Self, Failure> {
        let api: Api<SelfSubjectRulesReview> = Api::all(cluster.client.clone());
        let spec = SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) };
        let review = SelfSubjectRulesReview { spec, ..SelfSubjectRulesReview::default() };
        let answer = api.create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|error| {
            cluster.failure(&error, "create", "selfsubjectrulesreviews.authorization.k8s.io", "")
        })?;
        let SubjectRulesReviewStatus { resource_rules, incomplete, .. } =
            answer.status.unwrap_or_default();
        let exec_needs_create = exec_needs_create(&cluster.version);
        Ok(Self { rules: resource_rules, incomplete, exec_needs_create })
    }

    /// `missing: create limitranges`, for what cannot be done without.
    fn missing_lines(&self, missing: &[Need]) -> Vec<String> {
        let essential = missing.iter().filter(|it| it.essential);
        essential
            .map(|it| format!("missing: {} {}", self.lacks(it).join(", "), it.full_name()))
            .collect()
    }

    /// The needs that are not wholly met.
    fn missing(&self, needs: &[Need]) -> Vec<Need> {
        needs.iter().filter(|need| !self.lacks(need).is_empty()).copied().collect()
    }

    /// The verbs of a need that are not allowed.
    fn lacks(&self, need: &Need) -> Vec<&'static str> {
        need.verbs.iter().filter(|verb| !self.allows(need, verb)).copied().collect()
    }

    fn allows(&self, need: &Need, verb: &str) -> bool {
        if need.resource == "pods/exec" && verb == "create" && !self.exec_needs_create {
            return true;
        }
        self.rules.iter().any(|rule| covers(rule, need, verb))
    }

    fn may_list(&self, group: &'static str, resource: &'static str) -> bool {
        self.allows(&optional(group, resource, &["list"]), "list")
    }
}

impl Need {
    fn full_name(&self) -> String {
        if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }
}

fn covers(rule: &ResourceRule, need: &Need, verb: &str) -> bool {
    let has = |list: &[String], word: &str| list.iter().any(|it| it == word || it == "*");
    let resource = |it: &String| match (it.as_str(), need.resource.split_once('/')) {
        ("*", _) => true,
        (it, Some((_, sub))) if it.strip_prefix("*/") == Some(sub) => true,
        (it, _) => it == need.resource,
    };
    let names = rule.resource_names.as_deref().unwrap_or_default();
    let named = names.is_empty() || need.name.is_some_and(|name| names.iter().any(|it| it == name));
    named
        && has(&rule.verbs, verb)
        && has(rule.api_groups.as_deref().unwrap_or_default(), need.group)
        && rule.resources.as_deref().unwrap_or_default().iter().any(resource)
}

/// The Role and RoleBinding with which a grade works, ready for `kubectl apply -f -`.
#[must_use]
pub fn rbac_yaml(namespace: &str, with_apply: bool, with_probe: bool) -> String {
    let mut needs = NEEDS.to_vec();
    needs.extend(APPLY.iter().filter(|_| with_apply));
    needs.extend(PROBE.iter().filter(|_| with_probe));
    let namespace_field = serde_json::Value::from(namespace);
    format!(
        "{}---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: \
        {LEASE}\n  namespace: {namespace_field}\nroleRef:\n  apiGroup: \
        rbac.authorization.k8s.io\n  kind: Role\n  name: {LEASE}\nsubjects:\n  # Whoever grades: \
        a User, a Group or a ServiceAccount.\n  - kind: ServiceAccount\n    name: {LEASE}\n    \
        namespace: {namespace_field}\n",
        role(namespace, &needs)
    )
}

/// The rules of a batch with `--probe-image`, as a ClusterRole holds them.
pub(crate) fn class_rules() -> Vec<serde_json::Value> {
    let needs = [NEEDS, APPLY, PROBE, CLASS].into_iter().flatten();
    let rule = |it: &Need| {
        let mut rule = serde_json::json!({"apiGroups": [it.group], "resources": [it.resource],
            "verbs": it.verbs});
        if let Some(name) = it.name {
            rule["resourceNames"] = serde_json::json!([name]);
        }
        rule
    };
    needs.map(rule).collect()
}

/// A Role with just these permissions.
fn role(namespace: &str, needs: &[Need]) -> String {
    let namespace = serde_json::Value::from(namespace);
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: {LEASE}\n  \
        namespace: {namespace}\nrules:\n{}",
        rules(needs)
    )
}

/// A ClusterRole with just these permissions.
fn cluster_role(needs: &[Need]) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: \
        {LEASE}-batch\nrules:\n{}",
        rules(needs)
    )
}

/// The rules of a role, resources with the same verbs together.
fn rules(needs: &[Need]) -> String {
    let mut verbs: BTreeMap<(&str, Option<&str>, &str), Vec<&str>> = BTreeMap::new();
    for need in needs {
        let known = verbs.entry((need.group, need.name, need.resource)).or_default();
        known.extend(
            need.verbs.iter().filter(|verb| !known.contains(verb)).copied().collect::<Vec<_>>(),
        );
    }
    let mut rules: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for ((group, name, resource), verbs) in verbs {
        let names = name.map(|name| format!("    resourceNames: [{name}]\n")).unwrap_or_default();
        let rest = format!("{names}    verbs: [{}]\n", verbs.join(", "));
        rules.entry(format!("  - apiGroups: [\"{group}\"]\n\0{rest}")).or_default().push(resource);
    }
    let mut yaml = String::new();
    for (rule, resources) in rules {
        let (head, rest) = rule.split_once('\0').unwrap_or_default();
        let _ = write!(yaml, "{head}    resources: [{}]\n{rest}", resources.join(", "));
    }
    yaml
}

/// Which StatefulSet is graded: the one that is named, else the only one.
///
/// # Errors
/// Several stand, or the named one does not.
pub(crate) async fn subject(
    cluster: &Cluster,
    allowed: &Allowed,
    timeline_says: FirstLists,
    named: Option<&str>,
) -> Result<Subject, Failure> {
    let FirstLists { sets, unowned_pods } = timeline_says;
    let namespace = sanitize(&cluster.namespace);
    let names: Vec<&str> = sets.iter().map(|it| it.name.as_str()).collect();
    let chosen = match (named, sets.as_slice()) {
        (Some(name), _) => Some(sets.iter().find(|it| it.name == name).ok_or_else(|| {
            let next = if names.is_empty() {
                "Apply it first, or leave `--statefulset` out.".to_owned()
            } else {
                there_are(name, &names)
            };
            Failure::new(
                "no_such_statefulset",
                format!("there is no StatefulSet {} in namespace {namespace}", sanitize(name)),
                next,
            )
        })?),
        (None, []) => None,
        (None, [only]) => Some(only),
        (None, _) => {
            let what = format!(
                "namespace {namespace} holds {} StatefulSets: {}",
                names.len(),
                sanitize(&names.join(", "))
            );
            return Err(Failure::new(
                "several_statefulsets",
                what,
                "Name the one to grade with `--statefulset NAME`, or delete what is left over \
                from the lab's other sections.",
            ));
        }
    };
    let mut subject = Subject {
        namespace: cluster.namespace.clone(),
        stateful_set: chosen.cloned(),
        others: vec![],
    };
    if subject.stateful_set.is_none() {
        subject.others = others(cluster, allowed).await;
        subject.others.extend(unowned_pods.into_iter().map(|name| format!("Pod {name}")));
        subject.others.truncate(20);
    }
    Ok(subject)
}

/// What the first lists showed of the namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirstLists {
    sets: Vec<Reference>,
    /// Pods that nobody manages.
    unowned_pods: Vec<String>,
}

impl FirstLists {
    /// Adds sets that were applied and that no watch has shown yet.
    pub(crate) fn add<'s>(&mut self, applied: impl Iterator<Item = &'s Reference>) {
        for set in applied {
            if self.sets.iter().all(|it| it.name != set.name) {
                self.sets.push(set.clone());
            }
        }
    }

    pub(crate) fn of(timeline: &Timeline) -> Self {
        let unmanaged =
            timeline.unowned_pods().filter(|pod| pod.pod.metadata.owner_references.is_empty());
        Self {
            sets: timeline
                .sets()
                .map(|it| Reference { name: it.name.clone(), uid: it.uid.clone() })
                .collect(),
            unowned_pods: unmanaged.map(|pod| pod.name().to_owned()).collect(),
        }
    }
}

/// What stands there instead of a StatefulSet, as far as it may be listed.
async fn others(cluster: &Cluster, allowed: &Allowed) -> Vec<String> {
    let mut found = vec![];
    if allowed.may_list("apps", "deployments") {
        found.extend(unowned::<Deployment>(cluster, "Deployment").await);
    }
    if allowed.may_list("apps", "replicasets") {
        found.extend(unowned::<ReplicaSet>(cluster, "ReplicaSet").await);
    }
    if allowed.may_list("apps", "daemonsets") {
        found.extend(unowned::<DaemonSet>(cluster, "DaemonSet").await);
    }
    found
}

async fn unowned<K>(cluster: &Cluster, kind: &str) -> Vec<String>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
    K::DynamicType: Default,
{
    let api: Api<K> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let list = api.list_metadata(&ListParams::default().limit(20)).await;
    list.into_iter()
        .flatten()
        .filter(|it| it.owner_references().is_empty())
        .map(|it| format!("{kind} {}", it.name_any()))
        .collect()
}

/// What is scaled by an autoscaler of the namespace: a kind and a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Autoscaled {
    autoscaler: String,
    kind: String,
    name: String,
}

/// All that autoscalers drive, where they may be listed.
pub(crate) async fn autoscaled(cluster: &Cluster, allowed: &Allowed) -> Vec<Autoscaled> {
    if !allowed.may_list("autoscaling", "horizontalpodautoscalers") {
        return vec![];
    }
    let api: Api<HorizontalPodAutoscaler> =
        Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let Ok(list) = api.list(&ListParams::default()).await else { return vec![] };
    list.into_iter()
        .map(|it| Autoscaled {
            autoscaler: it.name_any(),
            kind: it.spec.scale_target_ref.kind,
            name: it.spec.scale_target_ref.name,
        })
        .collect()
}

/// Refuses a set that an autoscaler drives.
///
/// # Errors
/// There is one.
pub(crate) fn no_autoscaler(
    cluster: &Cluster,
    autoscaled: &[Autoscaled],
    set: &str,
) -> Result<(), Failure> {
    let Some(found) = autoscaled.iter().find(|it| it.kind == "StatefulSet" && it.name == set)
    else {
        return Ok(());
    };
    let (name, set, namespace) =
        (sanitize(&found.autoscaler), sanitize(set), sanitize(&cluster.namespace));
    Err(Failure::new(
        "autoscaler",
        format!("HorizontalPodAutoscaler {name} scales StatefulSet {set}: a grade would fight it"),
        format!("Delete it while you are graded: `kubectl delete hpa {name} -n {namespace}`."),
    ))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::authorization::v1::ResourceRule;

    use super::{Allowed, NEEDS, class_failure, rbac_yaml};

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
            .missing(NEEDS)
            .iter()
            .map(|it| format!("{} {}", it.full_name(), it.verbs.join(",")))
            .collect()
    }

    /// The rules of the table itself, as a Role would hold them.
    fn minimal() -> Vec<ResourceRule> {
        NEEDS
            .iter()
            .map(|it| {
                rule(
                    &[it.group],
                    &[it.resource],
                    &it.name.into_iter().collect::<Vec<_>>(),
                    it.verbs,
                )
            })
            .collect()
    }

    #[test]
    fn the_minimal_role_is_enough() {
        assert_eq!(missing(minimal()), Vec::<String>::new());
        assert_eq!(missing(vec![rule(&["*"], &["*"], &[], &["*"])]), Vec::<String>::new());
    }

    #[test]
    fn one_rule_less_is_named() {
        for (place, need) in NEEDS.iter().enumerate() {
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
            class_failure(&allowed, &kinds.iter().copied().collect())
        };
        assert!(failure(vec![all(&["*"])], &["services"]).is_none());
        let mut rules = minimal();
        rules.push(rule(&[""], &["namespaces", "resourcequotas", "limitranges"], &[], &["*"]));
        rules.push(rule(&["networking.k8s.io"], &["networkpolicies"], &[], &["create"]));
        rules.push(rule(&[""], &["serviceaccounts"], &[], &["patch"]));
        assert!(failure(rules.clone(), &[]).is_none());
        let refused = failure(rules, &["secrets"]).unwrap();
        assert_eq!(refused.detail, ["missing: get, create, patch, delete secrets"]);
        assert!(refused.next.contains("kind: ClusterRole\n"), "{}", refused.next);
        let refused = failure(minimal(), &[]).unwrap();
        assert!(refused.detail.contains(&"missing: create limitranges".to_owned()));
    }

    #[test]
    fn names_and_subresources_limit_a_rule() {
        let mut rules = minimal();
        rules.retain(|it| it.resources != Some(vec!["pods/exec".to_owned()]));
        rules.push(rule(&[""], &["pods"], &[], &["*"]));
        assert_eq!(missing(rules.clone()), ["pods/exec get,create"]);
        rules.push(rule(&[""], &["*/exec"], &[], &["get", "create"]));
        assert_eq!(missing(rules), Vec::<String>::new());
        let mut rules = minimal();
        rules.retain(|it| it.resources != Some(vec!["statefulsets/scale".to_owned()]));
        rules.push(rule(&["apps"], &["statefulsets/scale"], &["other"], &["patch"]));
        assert_eq!(missing(rules), ["statefulsets/scale.apps patch"]);
    }

    /// Catches a server that refuses every command after nothing was said to be missing, and an old
    /// one for which something is said to be missing that it never asks for.
    #[test]
    fn create_on_exec_is_missing_only_where_the_server_asks_for_it() {
        let mut rules = minimal();
        rules.retain(|it| it.resources != Some(vec!["pods/exec".to_owned()]));
        rules.push(rule(&[""], &["pods/exec"], &[], &["get"]));
        assert_eq!(missing(rules.clone()), ["pods/exec get,create"]);
        let old = Allowed { rules, incomplete: false, exec_needs_create: false };
        assert!(old.missing(NEEDS).is_empty());
    }

    #[test]
    fn the_role_reads_as_kubernetes_wants_it() {
        let yaml = rbac_yaml("lab", false, false);
        assert!(
            yaml.contains(
                "  - apiGroups: [\"coordination.k8s.io\"]\n    resources: [leases]\n    \
                resourceNames: [stsgrade]\n    verbs: [get, patch, delete]\n"
            ),
            "{yaml}"
        );
        assert!(yaml.contains("  namespace: \"lab\"\n"), "{yaml}");
        assert!(!yaml.contains("secrets"));
        assert!(rbac_yaml("lab", true, true).contains("pods/ephemeralcontainers"));
    }
}
