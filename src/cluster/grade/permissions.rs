//! What an account must be permitted to do for a grade, and whether it is: asked before anything is
//! changed.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{
    ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec, SubjectRulesReviewStatus,
};
use kube::{Api, api::PostParams};

use crate::cluster::{
    Cluster, Failure,
    client::{failure_id, lease_term::LEASE_NAME},
    grade::rbac::{cluster_role, role},
    server_version::exec_needs_create,
};
use crate::console::sanitize::sanitize;

/// A permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    pub(super) verbs: &'static [&'static str],
    /// The one object that it is about, where it is one.
    pub(super) name: Option<&'static str>,
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
pub(super) const GRADE_NEEDS: &[Need] = &[
    need("apps", "statefulsets", &["list", "watch"]),
    need("apps", "statefulsets/scale", &["patch"]),
    need("", "pods", &["list", "watch", "delete"]),
    need("", "persistentvolumeclaims", &["list", "watch", "delete"]),
    need("", "services", &["list", "watch"]),
    need("coordination.k8s.io", "leases", &["create"]),
    Need {
        name: Some(LEASE_NAME),
        ..need("coordination.k8s.io", "leases", &["get", "patch", "delete"])
    },
    optional("", "pods/exec", &["get", "create"]),
    optional("", "pods/log", &["get"]),
    optional("", "events", &["list", "watch"]),
    optional("discovery.k8s.io", "endpointslices", &["list", "watch"]),
    optional("autoscaling", "horizontalpodautoscalers", &["list"]),
    optional("networking.k8s.io", "networkpolicies", &["list"]),
];

/// What a recording of somebody's own work needs.
pub(super) const RECORD_NEEDS: &[Need] = &[
    need("apps", "statefulsets", &["list", "watch"]),
    need("", "pods", &["list", "watch"]),
    need("", "persistentvolumeclaims", &["list", "watch"]),
    need("", "services", &["list", "watch"]),
    optional("", "pods/exec", &["get", "create"]),
    optional("", "pods/log", &["get"]),
    optional("", "events", &["list", "watch"]),
    optional("discovery.k8s.io", "endpointslices", &["list", "watch"]),
];

/// What `-f` needs on top.
pub(super) const APPLY_NEEDS: &[Need] = &[
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
pub(super) const BATCH_NEEDS: &[Need] = &[
    need("", "namespaces", &["get", "list", "create", "delete"]),
    need("", "serviceaccounts", &["patch"]),
    need("", "resourcequotas", &["get", "create"]),
    need("", "limitranges", &["create"]),
    need("networking.k8s.io", "networkpolicies", &["create"]),
    // Without it pods end later, by themselves.
    optional("", "pods", &["deletecollection"]),
];

/// What `--probe-image` needs on top.
pub(super) const PROBE_NEEDS: &[Need] = &[need("", "pods/ephemeralcontainers", &["patch"])];

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
    let missing = allowed.missing(GRADE_NEEDS);
    if !missing.iter().any(|need| need.essential) || allowed.incomplete {
        return Ok(allowed);
    }
    let namespace = sanitize(&cluster.namespace);
    let mut failure = Failure::new(
        failure_id::FORBIDDEN,
        format!("this account may not do what a grade needs in namespace {namespace}"),
        "Ask whoever runs the cluster to add this Role:",
    );
    failure.detail = allowed.missing_lines(&missing);
    if missing.len() == GRADE_NEEDS.len() {
        failure
            .detail
            .push("nothing at all is permitted there: is the namespace's name right?".to_owned());
    }
    failure.next = format!("{}\n\n{}", failure.next, role(&cluster.namespace, &missing));
    Err(failure)
}

/// What a recording cannot see because the account may not: `get, create pods/exec`. Empty where that
/// is not known.
pub async fn unseen_by_a_recording(cluster: &Cluster) -> Vec<String> {
    match Allowed::in_namespace(cluster, &cluster.namespace).await {
        Ok(allowed) => allowed.unseen_by_a_recording(),
        Err(_) => vec![],
    }
}

/// Asks whether a batch may make namespaces for its hand-ins, and grade in them objects of these
/// kinds (plural names), with a probe image where `probes`.
///
/// # Errors
/// The server cannot be reached, or something without which nothing can be graded so is not
/// permitted.
pub async fn batch_permissions(
    cluster: &Cluster,
    run: &str,
    kinds: &BTreeSet<&str>,
    probes: bool,
) -> Result<(), Failure> {
    // In a namespace that nobody has made hold the rules of the whole cluster alone.
    let allowed = Allowed::in_namespace(cluster, &format!("stsgrade-{run}-permissions")).await?;
    batch_failure(&allowed, kinds, probes).map_or(Ok(()), Err)
}

/// What keeps a batch with objects of these kinds from being graded.
fn batch_failure(allowed: &Allowed, kinds: &BTreeSet<&str>, probes: bool) -> Option<Failure> {
    let applied = APPLY_NEEDS.iter().filter(|it| kinds.contains(it.resource));
    let probe = PROBE_NEEDS.iter().filter(|_| probes);
    let needs: Vec<Need> =
        BATCH_NEEDS.iter().chain(GRADE_NEEDS).chain(applied).chain(probe).copied().collect();
    let missing = allowed.missing(&needs);
    if !missing.iter().any(|need| need.essential) || allowed.incomplete {
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
        let exec_needs_create = exec_needs_create(cluster.version.as_deref());
        let answer = match api.create(&PostParams::default(), &review).await {
            Ok(answer) => answer,
            // Kubernetes permits the question to everybody by `system:basic-user`, which a cluster
            // may lack. No Role can permit it, and the grade itself does without.
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                return Ok(Self { rules: vec![], incomplete: true, exec_needs_create });
            }
            Err(error) => {
                let resource = "selfsubjectrulesreviews.authorization.k8s.io";
                return Err(cluster.failure(&error, "create", resource, ""));
            }
        };
        let SubjectRulesReviewStatus { resource_rules, incomplete, .. } =
            answer.status.unwrap_or_default();
        Ok(Self { rules: resource_rules, incomplete, exec_needs_create })
    }

    fn unseen_by_a_recording(&self) -> Vec<String> {
        if self.incomplete {
            return vec![];
        }
        let missing = self.missing(RECORD_NEEDS);
        missing.iter().map(|it| self.missing_verbs(it)).collect()
    }

    /// `missing: create limitranges`, for what cannot be done without.
    fn missing_lines(&self, missing: &[Need]) -> Vec<String> {
        let essential = missing.iter().filter(|it| it.essential);
        essential.map(|it| format!("missing: {}", self.missing_verbs(it))).collect()
    }

    /// `get, create pods/exec`: what of a need is not allowed.
    fn missing_verbs(&self, need: &Need) -> String {
        format!("{} {}", self.lacks(need).join(", "), need.full_name())
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

    /// Whether something may be listed, as far as is known.
    pub(super) fn may_list(&self, group: &'static str, resource: &'static str) -> bool {
        self.incomplete || self.allows(&optional(group, resource, &["list"]), "list")
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
    let has = |list: &[String], word: &str| list.iter().any(|entry| entry == word || entry == "*");
    // `*/scale` is the subresource of every resource.
    let subresource = need.resource.split_once('/').map(|(_, subresource)| subresource);
    let is_resource = |entry: &String| {
        entry == "*"
            || entry == need.resource
            || subresource.is_some_and(|it| entry.strip_prefix("*/") == Some(it))
    };
    let names = rule.resource_names.as_deref().unwrap_or_default();
    let is_of_all = names.is_empty();
    let is_of_object = |name: &str| names.iter().any(|entry| entry == name);
    (is_of_all || need.name.is_some_and(is_of_object))
        && has(&rule.verbs, verb)
        && has(rule.api_groups.as_deref().unwrap_or_default(), need.group)
        && rule.resources.as_deref().unwrap_or_default().iter().any(is_resource)
}

#[cfg(test)]
mod tests;
