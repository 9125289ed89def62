//! Pods with an address of each IP family, and Services of one or both; and pods with addresses of
//! IPv6 alone: `.ci/run live` runs each on a cluster of its own (`STSGRADE_CLUSTER_IPS=dual`, `six`).

use std::{fs, net::IpAddr};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};

use crate::{APPEND, lab::Lab, state::read};

/// The lines of a headless Service that say of which families its pods' addresses are.
const FAMILIES: [(&str, &str); 3] = [
    ("four", "ipFamilies: [IPv4]"),
    ("six", "ipFamilies: [IPv6]"),
    ("both", "ipFamilyPolicy: RequireDualStack"),
];

impl Lab {
    /// The addresses of each pod.
    async fn addresses(&self) -> Vec<Vec<IpAddr>> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let all = pods.list(&ListParams::default()).await.unwrap().items;
        let addresses = all.into_iter().filter_map(|it| it.status?.pod_ips);
        addresses.map(|all| all.iter().map(|it| it.ip.parse().unwrap()).collect()).collect()
    }
}

/// Catches an answer of the DNS that is taken for wrong because it lacks a family or has another.
#[tokio::test]
#[ignore = "for a cluster of both families"]
async fn a_service_of_either_family_or_both_costs_no_point() {
    let graded = FAMILIES.map(async |(name, families)| {
        Lab::run(&format!("live-families-{name}"), async |lab| {
            let headless = "  clusterIP: None\n";
            let text = read(APPEND);
            assert!(text.contains(headless), "{text}");
            let file = lab.folder().join("submission.yaml");
            let text = text.replace(headless, &format!("{headless}  {families}\n"));
            fs::write(&file, text).unwrap();
            let graded = lab.grade(&["-f", file.to_str().unwrap()]).await;
            assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
            let addresses = lab.addresses().await;
            let counts: Vec<usize> = addresses.iter().map(Vec::len).collect();
            assert_eq!(counts, [2, 2, 2], "the cluster has one family");
        })
        .await;
    });
    futures::future::join_all(graded).await;
}

/// Catches a grade that counts on an address of IPv4: of a pod, of the DNS server, in an answer.
#[tokio::test]
#[ignore = "for a cluster of IPv6 alone"]
async fn ipv6_alone_costs_no_point() {
    Lab::run("live-families-alone", async |lab| {
        let graded = lab.grade(&["-f", APPEND]).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
        let addresses = lab.addresses().await;
        assert_eq!(addresses.len(), 3, "{addresses:?}");
        for own in addresses {
            assert!(matches!(own[..], [IpAddr::V6(_)]), "{own:?}");
        }
    })
    .await;
}
