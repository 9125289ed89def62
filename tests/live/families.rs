//! Pods with an address of each IP family, and Services of one or both: `.ci/run live` runs this on
//! such a cluster (`STSGRADE_CLUSTER_IPS=dual`).

use std::fs;

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
    /// How many addresses each pod has.
    async fn addresses(&self) -> Vec<usize> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let all = pods.list(&ListParams::default()).await.unwrap().items;
        let addresses = all.into_iter().filter_map(|it| it.status?.pod_ips);
        addresses.map(|it| it.len()).collect()
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
            assert_eq!(lab.addresses().await, [2, 2, 2], "the cluster has one family");
        })
        .await;
    });
    futures::future::join_all(graded).await;
}
