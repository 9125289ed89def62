//! An admission webhook that takes long to answer.

use std::time::{Duration, Instant};

use kube::config::Kubeconfig;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::lab::Lab;

/// How long the API server waits for the webhook: longer than for anything that only reads.
const TIMEOUT: Duration = Duration::from_secs(12);
/// The longest until the API server has learned of the webhook.
const LEARNED: Duration = Duration::from_secs(3);

/// Serves a webhook that never answers, until it is dropped; its address as the API server sees it.
async fn silent_webhook() -> (String, tokio::task::JoinHandle<()>) {
    let kubeconfig = serde_json::to_value(Kubeconfig::read().unwrap()).unwrap();
    let server: http::Uri =
        kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap().parse().unwrap();
    let host = server.host().unwrap().trim_matches(['[', ']']);
    let to_server = TcpStream::connect((host, server.port_u16().unwrap_or(443))).await.unwrap();
    let listener = TcpListener::bind((to_server.local_addr().unwrap().ip(), 0)).await.unwrap();
    let address = format!("https://{}/", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut held = vec![];
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    (address, task)
}

/// Catches a grade that gives up each scaling before a slow webhook admits it, and sends it again and
/// again.
#[tokio::test]
async fn a_slow_admission_webhook_costs_nothing() {
    Lab::run("live-slow-webhook", async |lab| {
        lab.stand().await;
        let before = lab.kept().await;
        let (url, task) = silent_webhook().await;
        let name = format!("{}.stsgrade.example", lab.name());
        let hook = json!({"metadata": {"name": name}, "webhooks": [{
            "name": name, "clientConfig": {"url": url}, "timeoutSeconds": TIMEOUT.as_secs(),
            "failurePolicy": "Ignore", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": lab.name()}},
            "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"],
                "resources": ["statefulsets/scale"]}]}]});
        lab.ask("POST", "validatingwebhookconfigurations", &hook).await;
        tokio::time::sleep(LEARNED).await;
        let began = Instant::now();
        let graded = lab.grade(&[]).await;
        let took = began.elapsed();
        let path = format!("validatingwebhookconfigurations/{name}");
        lab.ask("DELETE", &path, &json!({})).await;
        task.abort();
        assert_eq!(graded.score(), 100, "{}", graded.told());
        assert!(took > 2 * TIMEOUT, "the webhook held nothing: {took:?}");
        lab.harmed_nothing(&graded, &before).await;
    })
    .await;
}
