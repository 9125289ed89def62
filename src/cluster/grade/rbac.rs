//! The Role, or ClusterRole, with which a grade works.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::cluster::{
    client::lease_term::LEASE,
    grade::permissions::{APPLY, CLASS, NEEDS, Need, PROBE},
};

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
pub(super) fn role(namespace: &str, needs: &[Need]) -> String {
    let namespace = serde_json::Value::from(namespace);
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: {LEASE}\n  \
        namespace: {namespace}\nrules:\n{}",
        rules(needs)
    )
}

/// A ClusterRole with just these permissions.
pub(super) fn cluster_role(needs: &[Need]) -> String {
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

#[cfg(test)]
mod tests {
    use super::rbac_yaml;

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
