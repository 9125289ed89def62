//! What else a namespace and a cluster may have: further StatefulSets, and a DNS server on each node
//! (NodeLocal DNSCache).

use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, PostParams},
};
use serde_json::json;

use crate::{
    lab::Lab,
    state::{STANDING, read},
};

impl Lab {
    /// The UIDs of the pods whose names begin so.
    async fn uids(&self, prefix: &str) -> Vec<String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let all = pods.list(&ListParams::default()).await.unwrap();
        all.iter()
            .filter(|it| it.name_any().starts_with(prefix))
            .filter_map(|it| it.uid())
            .collect()
    }
}

/// Catches a grade that looks at another set's pods, claims or Service, or touches them.
#[tokio::test]
async fn each_of_several_sets_is_graded_by_itself() {
    Lab::run("live-several-sets", async |lab| {
        lab.apply(STANDING).await;
        let overwriting = read(STANDING).replace("[ -f /data/id ] ||", "");
        lab.create(&overwriting.replace("web", "site"), "live").await;
        // A third one is left over from another section of the lab, at the same Service.
        let set = read(STANDING).split_once("\n---\n").unwrap().1.to_owned();
        let left_over = set.replace("  name: web\n", "  name: old\n");
        lab.create(&left_over.replace("replicas: 3", "replicas: 1"), "live").await;
        lab.settled("three sets", 7).await;
        let refused = lab.refused(&[]).await;
        let several = "namespace live-several-sets holds 3 StatefulSets: old, site, web";
        assert!(refused.says(several), "{}", refused.told());
        for (set, letters, others) in
            [("web", "PPPPPPPPPP", ["site-", "old-"]), ("site", "PPPPPFPPPF", ["web-", "old-"])]
        {
            let before = [lab.uids(others[0]).await, lab.uids(others[1]).await];
            let graded = lab.grade(&["--statefulset", set]).await;
            assert_eq!(lab.letters().await, letters, "{set}: {}", graded.told());
            lab.settled("three sets", 7).await;
            let after = [lab.uids(others[0]).await, lab.uids(others[1]).await];
            assert_eq!(after, before, "{set}: {}", graded.told());
        }
    })
    .await;
}

/// Catches test 5 lost, or undecided, where the pods' DNS server is not Service kube-dns, and who
/// grades may read nothing of `kube-system`.
#[tokio::test]
async fn a_dns_server_of_the_node_is_the_clusters() {
    Lab::run("live-node-local", async |lab| {
        let address = node_local(lab).await;
        // Of this server, and with what else the kubelet writes.
        let domain = std::env::var("STSGRADE_CLUSTER_DOMAIN");
        let domain = domain.unwrap_or_else(|_| "cluster.local".to_owned());
        let search = format!("{}.svc.{domain} svc.{domain} {domain}", lab.namespace);
        let own = format!(
            "printf 'search {search}\\nnameserver {address}\\noptions ndots:5\\n' > /etc/resolv.conf"
        );
        let trap = "trap 'exit 0' TERM\n";
        let text = read(STANDING).replace(trap, &format!("{trap}          {own}\n"));
        assert_ne!(text, read(STANDING));
        lab.create(&text, "live").await;
        lab.settled("web", 3).await;
        let guest = lab.as_guest().await;
        let graded = lab.grade(&["--kubeconfig", guest.to_str().unwrap()]).await;
        assert_eq!(lab.letters().await, "PPPPPPPPPP", "{}", graded.told());
        let recording = std::fs::read_to_string(lab.recording()).unwrap();
        let asked = format!("\"server\":\"{address}\"");
        assert!(recording.contains(&asked), "another server was asked: {}", graded.told());
    })
    .await;
}

/// Another address of the cluster's DNS server, of which Service kube-dns does not tell.
async fn node_local(lab: &Lab) -> String {
    let system: Api<EndpointSlice> = Api::namespaced(lab.client.clone(), "kube-system");
    let of_dns = ListParams::default().labels("kubernetes.io/service-name=kube-dns");
    let known = system.list(&of_dns).await.unwrap().items.remove(0);
    let ports = json!([{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]);
    let service = json!({"metadata": {"name": "node-local"}, "spec": {"ports": ports}});
    let services: Api<Service> = Api::namespaced(lab.client.clone(), &lab.namespace);
    let service = serde_json::from_value(service).unwrap();
    let made = services.create(&PostParams::default(), &service).await.unwrap();
    let slice = json!({"metadata": {"name": "node-local", "labels": {"kubernetes.io/service-name": "node-local"}},
        "addressType": known.address_type, "ports": known.ports,
        "endpoints": [{"addresses": known.endpoints.unwrap_or_default()[0].addresses, "conditions": {"ready": true}}]});
    let slices: Api<EndpointSlice> = Api::namespaced(lab.client.clone(), &lab.namespace);
    slices.create(&PostParams::default(), &serde_json::from_value(slice).unwrap()).await.unwrap();
    made.spec.unwrap().cluster_ip.unwrap()
}
