//! What a grade makes of a cluster with several nodes, where each volume stays on its node:
//! `.ci/run nodes` runs these.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod},
    storage::v1::StorageClass,
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, EvictParams, ListParams, PostParams},
};
use serde_json::json;

use crate::{
    APPEND, OVERWRITE,
    batch::letters,
    lab::{Lab, ctl},
    policies::grade_two_apart,
    state::{CLAIMS, STANDING, ended, read},
};

impl Lab {
    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn pods_by_node(&self) -> Vec<(String, String)> {
        let all = self.pods().list(&ListParams::default()).await.unwrap();
        let node = |pod: &Pod| pod.spec.as_ref()?.node_name.clone();
        all.iter().filter_map(|pod| Some((pod.name_any(), node(pod)?))).collect()
    }

    async fn node_of(&self, pod: &str) -> String {
        let all = self.pods_by_node().await;
        all.into_iter().find(|(name, _)| name == pod).unwrap().1
    }

    /// The node on which alone the volume of a pod's claim can be used.
    async fn node_of_volume(&self, claim: &str) -> String {
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.client.clone(), &self.namespace);
        let volume = claims.get(claim).await.unwrap().spec.unwrap().volume_name.unwrap();
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let volume = volumes.get(&volume).await.unwrap();
        let term = volume.spec.unwrap().node_affinity.unwrap().required.unwrap();
        let hostname = &term.node_selector_terms[0].match_expressions.as_ref().unwrap()[0];
        hostname.values.as_ref().unwrap()[0].clone()
    }

    /// Cordons a node and evicts this namespace's pods there, the last one first, as `kubectl
    /// drain` does; then lets pods come again.
    async fn drain_and_uncordon(&self, node: &str) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        nodes.cordon(node).await.unwrap();
        let pods = self.pods();
        for (name, on) in self.pods_by_node().await.iter().rev() {
            if on == node {
                // One that is gone by now needs no eviction.
                match pods.evict(name, &EvictParams::default()).await {
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    evicted => drop(evicted.unwrap()),
                }
            }
        }
        self.until("the node is empty", async || {
            self.pods_by_node().await.iter().all(|(_, on)| on != node)
        })
        .await;
        nodes.uncordon(node).await.unwrap();
    }
}

/// Catches a submission that gets other letters when its pods are on different nodes, and a run in
/// which they are not.
#[tokio::test]
#[ignore = "for .ci/run nodes"]
async fn pods_on_different_nodes_get_their_letters() {
    for (place, file) in [APPEND, OVERWRITE].into_iter().enumerate() {
        Lab::run(&format!("live-nodes-{place}"), async |lab| {
            let graded = lab.grade(&["-f", file]).await;
            assert_eq!(lab.letters().await, letters(file), "{file}: {}", graded.told());
            let nodes: BTreeSet<String> =
                lab.pods_by_node().await.into_iter().map(|(_, node)| node).collect();
            assert!(nodes.len() > 1, "all pods are on {nodes:?}");
        })
        .await;
    }
}

/// Catches a pod that another hand-in reaches from another node.
#[tokio::test]
#[ignore = "for .ci/run nodes"]
async fn hand_ins_on_several_nodes_do_not_reach_each_other() {
    grade_two_apart("live-nodes-policies").await;
}

/// Catches a point that is lost, or a wait without end, by a drain in the middle of a grade, and
/// a pod that leaves its volume.
#[tokio::test]
#[ignore = "for .ci/run nodes"]
async fn a_node_drained_during_a_grade_costs_no_point() {
    Lab::run_alone("live-nodes-drain", async |lab| {
        lab.stand().await;
        for moment in ["scale up", "scale down"] {
            let (child, rest) = lab.begin(moment, &[]).await;
            lab.drain_and_uncordon(&lab.node_of("web-2").await).await;
            let graded = ended(child, rest).await;
            assert!(matches!(graded.status, 0 | 3), "{moment}: {}", graded.told());
            let given = lab.letters().await;
            assert!(!given.contains('F'), "{moment}: {given}: {}", graded.told());
            lab.settled("web", 3).await;
            lab.left_nothing(&CLAIMS).await;
            for (pod, node) in lab.pods_by_node().await {
                assert_eq!(lab.node_of_volume(&format!("data-{pod}")).await, node, "{pod}");
            }
        }
    })
    .await;
}

/// Catches a point that is lost with a node, a grade that waits for it without end, and one after
/// which the namespace cannot be put back.
#[tokio::test]
#[ignore = "for .ci/run nodes"]
async fn a_node_lost_during_a_grade_leaves_points_undecided() {
    Lab::run_alone("live-nodes-lost", async |lab| {
        lab.stand().await;
        let node = lab.node_of("web-1").await;
        let (child, rest) = lab.begin("read files", &[]).await;
        ctl(&["node-lost", &node]).await;
        let graded = ended(child, rest).await;
        ctl(&["node-back", &node]).await;
        let given = lab.letters().await;
        assert!(given.contains('I') && !given.contains('F'), "{given}: {}", graded.told());
        // What may be left on a volume of that node is named.
        assert!(matches!(graded.status, 3 | 5), "{}", graded.told());
        assert_eq!(graded.status == 5, graded.says("next:  stsgrade restore"));
        let restored = lab.stsgrade("restore", &[]).await;
        assert_eq!(restored.status, 0, "{}", restored.told());
        lab.settled("web", 3).await;
        lab.left_nothing(&CLAIMS).await;
    })
    .await;
}

/// Catches a point that is lost where a class makes its volumes in certain zones, a pod that is not
/// in the zone of its volume, and a class of a zone without a node that is blamed on the submission.
#[tokio::test]
#[ignore = "for .ci/run nodes"]
async fn the_zones_of_a_storage_class_cost_no_point() {
    let both = graded_in_zones("live-nodes-zones", &["zone-a", "zone-b"], "PPPPPPPPPP");
    let one = graded_in_zones("live-nodes-zone", &["zone-b"], "PPPPPPPPPP");
    let none = graded_in_zones("live-nodes-no-zone", &["zone-z"], "IIIIIIIIII");
    let (both, one, none) = tokio::join!(both, one, none);
    let nodes = |of: &[&str]| of.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<_>>();
    assert!(both.is_subset(&nodes(&["node-1", "node-2"])), "{both:?}");
    assert_eq!(one, nodes(&["node-2"]));
    assert_eq!(none, nodes(&[]));
}

/// Grades a set whose volumes are made in these zones: the nodes that its pods are on.
async fn graded_in_zones(namespace: &str, zones: &[&str], letters: &str) -> BTreeSet<String> {
    Lab::run(namespace, async |lab| {
        let zone = json!({"key": "topology.kubernetes.io/zone", "values": zones});
        let class = json!({"metadata": {"name": namespace}, "provisioner": "stsgrade.dev/volumes",
            "volumeBindingMode": "WaitForFirstConsumer", "allowedTopologies": [{"matchLabelExpressions": [zone]}]});
        let classes: Api<StorageClass> = Api::all(lab.client.clone());
        let class = serde_json::from_value(class).unwrap();
        classes.create(&PostParams::default(), &class).await.unwrap();
        let modes = "accessModes: [ReadWriteOnce]\n";
        let text = read(STANDING);
        let text = text.replace(modes, &format!("{modes}      storageClassName: {namespace}\n"));
        assert!(text.contains(namespace));
        let file = lab.folder().join("lab.yaml");
        std::fs::write(&file, text).unwrap();
        let graded = lab.grade(&["-f", file.to_str().unwrap(), "--timeout", "150s"]).await;
        classes.delete(namespace, &DeleteParams::default()).await.unwrap();
        assert_eq!(lab.letters().await, letters, "{}", graded.told());
        lab.pods_by_node().await.into_iter().map(|(_, node)| node).collect()
    })
    .await
}
