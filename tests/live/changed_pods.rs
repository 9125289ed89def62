//! Pods that the cluster itself changes when they are created, as admission webhooks do.

use http::Request;
use serde_json::{Value, json};

use crate::{
    lab::{Lab, Ran},
    state::STANDING,
};

const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";

impl Lab {
    /// Writes an object of the group admissionregistration.k8s.io.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{GROUP}/{path}"))
            .header("content-type", "application/json")
            .body(serde_json::to_vec(body).unwrap())
            .unwrap();
        let told: Value = self.client.request(request).await.unwrap();
        assert_ne!(told["kind"], "", "{told}");
    }

    /// From now on each new pod of the namespace is changed so; returns when that holds, which the
    /// API server learns by a watch of its own.
    pub(crate) async fn change_new_pods(&self, patch: &str) {
        let name = &self.namespace;
        let pods = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]);
        let policy = json!({"metadata": {"name": name}, "spec": {
            "matchConstraints": {"resourceRules": pods}, "failurePolicy": "Fail", "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": format!("[JSONPatch{{{patch}}}]")}}]}});
        let here = json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
        let binding = json!({"metadata": {"name": name}, "spec": {
            "policyName": name, "matchResources": {"namespaceSelector": here}}});
        self.until_pods_can_be_made().await;
        let containers = async || Some(self.tried_pod().await?.spec?.containers);
        let unchanged = containers().await;
        self.ask("POST", "mutatingadmissionpolicies", &policy).await;
        self.ask("POST", "mutatingadmissionpolicybindings", &binding).await;
        self.until("pods are changed", async || containers().await != unchanged).await;
    }

    /// Ends what [`Lab::change_new_pods`] began.
    pub(crate) async fn leave_new_pods(&self) {
        for kind in ["mutatingadmissionpolicybindings", "mutatingadmissionpolicies"] {
            self.ask("DELETE", &format!("{kind}/{}", self.namespace), &json!({})).await;
        }
    }

    /// A grade while each new pod of the namespace is changed so.
    async fn graded_with_pods_changed(&self, patch: &str) -> Ran {
        self.change_new_pods(patch).await;
        let graded = self.grade(&["-f", STANDING]).await;
        self.leave_new_pods().await;
        graded
    }
}

/// Catches a right submission that loses its points to an image that the cluster rewrote.
#[tokio::test]
async fn an_image_that_the_cluster_rewrites_is_not_the_submissions() {
    Lab::run("live-rewritten-image", async |lab| {
        let graded = lab
            .graded_with_pods_changed(
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
                r#"op: "add", path: "/spec/containers/-", value: Object.spec.containers{name: "mesh", image: "busybox:1.36", command: ["sh", "-c", "trap 'exit 0' TERM; sleep 1000000 & wait"]}"#,
            )
            .await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
    })
    .await;
}
