//! NetworkPolicies that keep pods from every DNS server: looked for where no server answered, so
//! that waiting and asking again, which cannot help, end at once.

use std::collections::{BTreeMap, BTreeSet};

use checks::model::observation::Reference;
use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{
    Api, ResourceExt as _,
    api::ListParams,
    core::{Selector, SelectorExt as _},
};

use crate::cluster::dns::{NameQuestions, askers::Asker};

/// The port of a DNS server.
const PORT: i32 = 53;

impl NameQuestions<'_> {
    /// Notes that no server answered a pod. At the second time in a row it is noted which Ready pods
    /// NetworkPolicies keep from every DNS server: one question may be lost, and not every cluster
    /// enforces policies. An asker that is a guess may not get a second time.
    pub(super) async fn note_silence(&self, asker: &Asker<'_>) {
        let is_first = self.state().silent.insert(asker.pod.uid.clone());
        if !is_first || asker.is_guess {
            self.note_denied_pods().await;
        }
    }

    /// Notes which Ready pods NetworkPolicies keep from every DNS server, where the policies may be
    /// listed. A pod that was answered before is not kept from it.
    async fn note_denied_pods(&self) {
        let api: Api<NetworkPolicy> =
            Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        let Ok(policies) = api.list(&ListParams::default()).await else { return };
        let denied = self.journal.with(|timeline| {
            let ready = timeline.owned().chain(timeline.unowned_pods()).filter(|it| it.is_ready());
            // Policies do not hold for the node's own network.
            ready
                .filter(|it| !it.spec().host_network && !timeline.was_answered(it.uid()))
                .map(|pod| {
                    let labels = &pod.pod.metadata.labels;
                    (pod.uid().to_owned(), denying(&policies.items, labels))
                })
                .filter(|(_, names)| !names.is_empty())
                .collect()
        });
        self.state().denied = denied;
    }

    /// The pods (UIDs) that are not asked any more because policies keep them from every DNS server.
    /// In what is recorded by hand, somebody may take a policy away at any time.
    pub(super) fn denied_pods(&self) -> BTreeSet<String> {
        if self.each_life {
            return BTreeSet::new();
        }
        self.state().denied.keys().cloned().collect()
    }

    /// The policies that keep a pod from every DNS server; of no pod in particular, those that keep
    /// any pod.
    pub(super) fn denied_by(&self, pod: &Reference) -> Vec<String> {
        let state = self.state();
        let is_meant = |uid: &String| pod.uid.is_empty() || *uid == pod.uid;
        let all = state.denied.iter().filter(|(uid, _)| is_meant(uid)).flat_map(|it| it.1);
        all.collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }
}

/// The policies that together let a pod with these labels reach no DNS server, by name; none where
/// they may let it, or do not select it.
fn denying(policies: &[NetworkPolicy], labels: &BTreeMap<String, String>) -> Vec<String> {
    let selecting: Vec<&NetworkPolicy> =
        policies.iter().filter(|it| limits_egress(it, labels)).collect();
    let rules = selecting.iter().flat_map(|it| egress(it));
    if rules.into_iter().any(may_lead_to_dns) {
        return vec![];
    }
    let mut names: Vec<String> = selecting.iter().map(|it| it.name_any()).collect();
    names.sort();
    names
}

/// Whether pods with these labels reach only what the policy, or another one, lets them reach.
fn limits_egress(policy: &NetworkPolicy, labels: &BTreeMap<String, String>) -> bool {
    let Some(spec) = &policy.spec else { return false };
    let types = spec.policy_types.iter().flatten();
    let is_meant = types.into_iter().any(|it| it == "Egress");
    let selector = spec.pod_selector.clone().unwrap_or_default();
    is_meant && Selector::try_from(selector).is_ok_and(|it| it.matches(labels))
}

fn egress(policy: &NetworkPolicy) -> &[NetworkPolicyEgressRule] {
    policy.spec.as_ref().and_then(|it| it.egress.as_deref()).unwrap_or_default()
}

/// Whether a rule may let a pod reach a DNS server, wherever that is: not by pods of the own
/// namespace alone, which hold no DNS server, and not by TCP on another port. The pods of a server may have another port than its
/// Service has, and a policy means theirs, so that any port of UDP may be it.
fn may_lead_to_dns(rule: &NetworkPolicyEgressRule) -> bool {
    let is_elsewhere =
        |it: &NetworkPolicyPeer| it.ip_block.is_some() || it.namespace_selector.is_some();
    let is_dns = |it: &NetworkPolicyPort| {
        it.protocol.as_deref() == Some("UDP")
            || match (&it.port, it.end_port) {
                (Some(IntOrString::Int(first)), Some(last)) => (*first..=last).contains(&PORT),
                (Some(IntOrString::Int(port)), None) => *port == PORT,
                (Some(IntOrString::String(_)) | None, _) => true,
            }
    };
    let peers = rule.to.as_deref().unwrap_or_default();
    let ports = rule.ports.as_deref().unwrap_or_default();
    (peers.is_empty() || peers.iter().any(is_elsewhere))
        && (ports.is_empty() || ports.iter().any(is_dns))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::networking::v1::NetworkPolicy;
    use serde_json::{Value, json};

    use super::denying;

    fn policy(name: &str, spec: Value) -> NetworkPolicy {
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
    }

    fn denying_web(policies: &[NetworkPolicy]) -> Vec<String> {
        denying(policies, &BTreeMap::from([("app".to_owned(), "web".to_owned())]))
    }

    /// Catches a policy that is blamed though it lets the pods reach the DNS, and one that is not
    /// though it does not.
    #[test]
    fn a_policy_is_blamed_where_no_rule_may_lead_to_the_dns() {
        let egress = |rules: Value| {
            denying_web(&[policy(
                "it",
                json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": rules}),
            )])
        };
        let kube_system = json!({"namespaceSelector": {"matchLabels": {"name": "kube-system"}}});
        for (rules, denies) in [
            (json!([]), true),
            (json!([{"to": [{"podSelector": {}}]}]), true),
            (json!([{"ports": [{"port": 443, "protocol": "TCP"}]}]), true),
            (json!([{"to": [kube_system], "ports": [{"port": 443, "endPort": 450}]}]), true),
            (
                json!([{"to": [{"podSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}]),
                true,
            ),
            (json!([{}]), false),
            (json!([{"to": [kube_system]}]), false),
            (json!([{"to": [{"ipBlock": {"cidr": "10.96.0.10/32"}}]}]), false),
            (json!([{"ports": [{"port": 53, "protocol": "UDP"}]}]), false),
            (json!([{"ports": [{"port": 53}]}]), false),
            (json!([{"ports": [{"port": 1, "endPort": 99}]}]), false),
            // As the pods of OpenShift's DNS have it.
            (json!([{"ports": [{"port": 5353, "protocol": "UDP"}]}]), false),
            (json!([{"ports": [{"port": "dns", "protocol": "TCP"}]}]), false),
            (json!([{"to": [{"podSelector": {}}]}, {"ports": [{"protocol": "UDP"}]}]), false),
        ] {
            assert_eq!(!egress(rules.clone()).is_empty(), denies, "{rules}");
        }
    }

    /// Catches a policy that is blamed for pods that it does not select, for what comes in, or
    /// though another one lets them out.
    #[test]
    fn the_policies_that_select_the_pod_add_up() {
        let none = policy("none", json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
        let own = policy(
            "own",
            json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"],
                "egress": [{"to": [{"podSelector": {}}]}]}),
        );
        let ingress = policy("in", json!({"podSelector": {}, "policyTypes": ["Ingress"]}));
        let expression = json!({"key": "app", "operator": "NotIn", "values": ["web"]});
        let others = policy(
            "others",
            json!({"podSelector": {"matchExpressions": [expression]}, "policyTypes": ["Egress"]}),
        );
        let dns = policy(
            "dns",
            json!({"podSelector": {}, "policyTypes": ["Egress"],
                "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]}),
        );
        assert_eq!(denying_web(&[own.clone(), none.clone(), ingress.clone()]), ["none", "own"]);
        assert!(denying_web(&[ingress, others]).is_empty());
        assert!(denying_web(&[own, none, dns]).is_empty());
    }
}
