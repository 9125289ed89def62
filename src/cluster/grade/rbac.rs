//! The Role, or ClusterRole, with which a grade works.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::json;

use crate::cluster::{
    OBJECT_NAME,
    grade::permissions::{APPLY_NEEDS, BATCH_NEEDS, GRADE_NEEDS, Need, PROBE_NEEDS, RECORD_NEEDS},
};

/// The Role and RoleBinding with which a grade works, ready for `kubectl apply -f -`.
#[must_use]
pub fn rbac_yaml(namespace: &str, with_apply: bool, with_probe: bool) -> String {
    let mut needs = GRADE_NEEDS.to_vec();
    needs.extend(APPLY_NEEDS.iter().filter(|_| with_apply));
    needs.extend(PROBE_NEEDS.iter().filter(|_| with_probe));
    bound(namespace, &needs)
}

/// The same for a recording of somebody's own work.
#[must_use]
pub fn record_yaml(namespace: &str) -> String {
    bound(namespace, RECORD_NEEDS)
}

/// A Role and its RoleBinding.
fn bound(namespace: &str, needs: &[Need]) -> String {
    let role = role(namespace, needs);
    let namespace_field = serde_json::Value::from(namespace);
    format!(
        "{role}---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {OBJECT_NAME}
  namespace: {namespace_field}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {OBJECT_NAME}
subjects:
  # Whoever grades: a User, a Group or a ServiceAccount.
  - kind: ServiceAccount
    name: {OBJECT_NAME}
    namespace: {namespace_field}
"
    )
}

/// The rules of a batch with `--probe-image`, as a ClusterRole holds them.
pub(crate) fn batch_rules() -> Vec<serde_json::Value> {
    let mut rules = vec![];
    for need in [GRADE_NEEDS, APPLY_NEEDS, PROBE_NEEDS, BATCH_NEEDS].into_iter().flatten() {
        let Need { group, resource, verbs, .. } = need;
        let mut rule = json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
        if let Some(name) = need.name {
            rule["resourceNames"] = json!([name]);
        }
        rules.push(rule);
    }
    rules
}

/// A Role with just these permissions.
pub(super) fn role(namespace: &str, needs: &[Need]) -> String {
    let namespace = serde_json::Value::from(namespace);
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {OBJECT_NAME}
  namespace: {namespace}
rules:
{}",
        rules(needs)
    )
}

/// A ClusterRole with just these permissions.
pub(super) fn cluster_role(needs: &[Need]) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {OBJECT_NAME}-batch
rules:
{}",
        rules(needs)
    )
}

/// The rules of a role, resources with the same verbs together.
fn rules(needs: &[Need]) -> String {
    let mut verbs: BTreeMap<(&str, Option<&str>, &str), Vec<&str>> = BTreeMap::new();
    for need in needs {
        let known = verbs.entry((need.group, need.name, need.resource)).or_default();
        for verb in need.verbs {
            if !known.contains(verb) {
                known.push(verb);
            }
        }
    }
    // By group, and the lines of the rule below its resources.
    let mut rules: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for ((group, name, resource), verbs) in verbs {
        let names = name.map(|name| format!("    resourceNames: [{name}]\n")).unwrap_or_default();
        let below = format!("{names}    verbs: [{}]\n", verbs.join(", "));
        rules.entry((group, below)).or_default().push(resource);
    }
    let mut yaml = String::new();
    for ((group, below), resources) in rules {
        let resources = resources.join(", ");
        let _ = write!(yaml, "  - apiGroups: [\"{group}\"]\n    resources: [{resources}]\n{below}");
    }
    yaml
}

#[cfg(test)]
mod tests {
    use super::{rbac_yaml, record_yaml};

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
        let record = record_yaml("lab");
        assert!(record.contains("resources: [pods/exec]\n    verbs: [get, create]"), "{record}");
        assert!(!record.contains("delete") && !record.contains("patch"), "{record}");
    }
}
