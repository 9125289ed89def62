//! Pods that the cluster itself changes when they are created, as admission webhooks do.

use std::time::Duration;

use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::PostParams};
use serde_json::{Value, json};

use crate::{
    lab::{Lab, Ran},
    state::STANDING,
};

const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";

impl Lab {
    async fn ask(&self, method: &str, path: &str, body: &Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{GROUP}/{path}"))
            .header("content-type", "application/json")
            .body(serde_json::to_vec(body).unwrap())
            .unwrap();
        let told: Value = self.client.request(request).await.unwrap();
        assert_ne!(told["kind"], "", "{told}");
    }

    /// Waits until the API server changes pods: it learns of a policy by a watch of its own.
    async fn changes_pods(&self) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "tried"},
            "spec": {"containers": [{"name": "app", "image": "busybox:1.36"}]}}))
        .unwrap();
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let changed = async {
            loop {
                let made = pods.create(&dry_run, &pod).await.unwrap();
                let containers = made.spec.unwrap().containers;
                if containers.len() > 1 || containers[0].image.as_deref() != Some("busybox:1.36") {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), changed).await.unwrap();
    }

    /// A grade while each new pod of the namespace is changed so.
    async fn graded_with_pods_changed(&self, name: &str, patch: &str) -> Ran {
        let pods = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]);
        let policy = json!({"metadata": {"name": name}, "spec": {
            "matchConstraints": {"resourceRules": pods}, "failurePolicy": "Fail", "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": format!("[JSONPatch{{{patch}}}]")}}]}});
        let here = json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
        let binding = json!({"metadata": {"name": name}, "spec": {
            "policyName": name, "matchResources": {"namespaceSelector": here}}});
        self.ask("POST", "mutatingadmissionpolicies", &policy).await;
        self.ask("POST", "mutatingadmissionpolicybindings", &binding).await;
        self.changes_pods().await;
        let graded = self.grade(&["-f", STANDING]).await;
        for kind in ["mutatingadmissionpolicybindings", "mutatingadmissionpolicies"] {
            self.ask("DELETE", &format!("{kind}/{name}"), &json!({})).await;
        }
        graded
    }
}

/// Catches a right submission that loses its points to an image that the cluster rewrote.
#[tokio::test]
async fn an_image_that_the_cluster_rewrites_is_not_the_submissions() {
    Lab::run("live-rewritten-image", async |lab| {
        let graded = lab
            .graded_with_pods_changed(
                "live-rewritten-image",
                r#"op: "replace", path: "/spec/containers/0/image", value: "docker.io/hub/busybox:1.36""#,
            )
            .await;
        assert_eq!(lab.letters().await, "IIIIIIIIII", "{}", graded.told());
        assert!(graded.says("the template asks for image busybox:1.36"), "{}", graded.told());
    })
    .await;
}

/// Catches a check that is confused by a container that the template does not have.
#[tokio::test]
async fn a_sidecar_that_the_cluster_adds_costs_nothing() {
    Lab::run("live-added-sidecar", async |lab| {
        let graded = lab
            .graded_with_pods_changed(
                "live-added-sidecar",
                r#"op: "add", path: "/spec/containers/-", value: Object.spec.containers{name: "mesh", image: "busybox:1.36", command: ["sh", "-c", "trap 'exit 0' TERM; sleep 1000000 & wait"]}"#,
            )
            .await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
    })
    .await;
}
