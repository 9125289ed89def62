//! Where the cluster's DNS is, as far as that can be said: pods may ask it, and nobody else on its
//! port.

use http::Method;
use serde_json::{Value, json};

use crate::cluster::{Cluster, writes::send::send};

/// The Service by which pods reach the DNS, whatever answers behind it.
const SERVICE: &str = "/api/v1/namespaces/kube-system/services/kube-dns";
/// The port of the DNS.
const PORT: u16 = 53;
/// Where the DNS of a node itself is reached, or that of some clouds
/// (<https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/>).
const LINK_LOCAL: &str = "169.254.0.0/16";

/// The rule of a NetworkPolicy by which pods reach the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRule(pub(super) Value);

impl DnsRule {
    /// For a cluster of whose DNS nothing is known: the port, wherever it is.
    fn anywhere() -> Self {
        Self(json!({"ports": ports(&[])}))
    }

    /// For the cluster of this Service: pods of its namespace and its own address. A policy sees one
    /// or the other, as the network plugin has it.
    fn of_service(service: &Value) -> Option<Self> {
        let spec = service.get("spec")?;
        let address = spec["clusterIP"].as_str()?.parse::<std::net::Ipv4Addr>().ok()?;
        spec["selector"].as_object().filter(|it| !it.is_empty())?;
        let system = json!({"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}});
        let to = json!([
            {"namespaceSelector": system},
            {"ipBlock": {"cidr": format!("{address}/32")}},
            {"ipBlock": {"cidr": LINK_LOCAL}},
        ]);
        let own = spec["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
        Some(Self(json!({"to": to, "ports": ports(own)})))
    }
}

/// The port of the DNS, and those of the pods behind a Service's ports.
fn ports(of_service: &[Value]) -> Vec<Value> {
    let mut ports: Vec<Value> =
        ["UDP", "TCP"].iter().map(|it| json!({"port": PORT, "protocol": it})).collect();
    for port in of_service.iter().filter(|it| it["port"] == PORT && !it["targetPort"].is_null()) {
        let of_pods = json!({"port": port["targetPort"], "protocol": port["protocol"]});
        if !ports.contains(&of_pods) {
            ports.push(of_pods);
        }
    }
    ports
}

/// The rule for a cluster.
pub async fn dns_rule(cluster: &Cluster) -> DnsRule {
    let answer = send(cluster, Method::GET, SERVICE, "", None).await;
    let service = answer.ok().and_then(|(_, service)| DnsRule::of_service(&service));
    service.unwrap_or_else(DnsRule::anywhere)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::DnsRule;

    /// Catches a pod that reaches anybody on the port of the DNS, one that cannot reach the DNS, and
    /// a guess where nothing is known.
    #[test]
    fn the_port_of_the_dns_leads_to_the_dns() {
        let service = |address: &str, selector| {
            let ports = json!([
                {"port": 53, "protocol": "UDP", "targetPort": "dns"},
                {"port": 53, "protocol": "TCP", "targetPort": 53},
                {"port": 9153, "protocol": "TCP", "targetPort": 9153},
            ]);
            json!({"spec": {"clusterIP": address, "selector": selector, "ports": ports}})
        };
        let selector = json!({"k8s-app": "kube-dns"});
        let rule = DnsRule::of_service(&service("10.96.0.10", selector.clone())).unwrap().0;
        let system = json!({"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}});
        let to = json!([
            {"namespaceSelector": system},
            {"ipBlock": {"cidr": "10.96.0.10/32"}},
            {"ipBlock": {"cidr": "169.254.0.0/16"}},
        ]);
        assert_eq!(rule["to"], to);
        let ports = json!([
            {"port": 53, "protocol": "UDP"},
            {"port": 53, "protocol": "TCP"},
            {"port": "dns", "protocol": "UDP"},
        ]);
        assert_eq!(rule["ports"], ports);
        // No pods behind it, or another family.
        for service in [service("10.96.0.10", json!({})), service("fd00::a", selector), json!({})] {
            assert_eq!(DnsRule::of_service(&service), None);
        }
        assert!(DnsRule::anywhere().0.get("to").is_none());
    }
}
