//! A batch whose workers wait in a queue of Kueue. Kueue's part is played here: the API that it
//! serves, and what it does to a Job that it admits.

use std::path::Path;

use k8s_openapi::{
    api::{batch::v1::Job, core::v1::Pod},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    APPEND,
    in_cluster::{IMAGE, image, left_nothing, lines, own_namespace},
    lab::{Lab, done},
};

const GROUP: &str = "kueue.x-k8s.io";
/// What Kueue 0.20 serves, and no earlier version.
const VERSION: &str = "v1beta2";
const LABEL: &str = "kueue.x-k8s.io/queue-name";

fn local_queues() -> CustomResourceDefinition {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = json!({"name": VERSION, "served": true, "storage": true, "schema": {"openAPIV3Schema": any}});
    let names = json!({"plural": "localqueues", "singular": "localqueue", "kind": "LocalQueue"});
    serde_json::from_value(json!({
        "metadata": {"name": format!("localqueues.{GROUP}")},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }))
    .unwrap()
}

fn batch(folder: &Path, results: &Path) -> Command {
    let mut batch = Command::new(env!("CARGO_BIN_EXE_stsgrade"));
    batch.args(["batch", "--in-cluster", "--image", IMAGE, "--workers", "1", "--queue", "class"]);
    batch.arg("-o").arg(results).arg(folder);
    batch
}

/// Catches workers that start before Kueue admits them, or never do after that, a LocalQueue of a
/// version that Kueue does not serve, and a namespace that stays where there is no Kueue.
#[tokio::test]
async fn the_workers_start_when_kueue_admits_their_job() {
    image().await;
    Lab::run("live-queued", async |lab| {
        let (folder, results) = (lab.folder.path().join("in"), lab.folder.path().join("out"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(APPEND, folder.join("s0.yaml")).unwrap();
        let refused = done(&mut batch(&folder, &results)).await;
        assert!(refused.told().contains("Kueue is not installed there"), "{}", refused.told());
        assert_ne!(refused.status, 0, "{}", refused.told());
        left_nothing(lab, &results, &refused).await;

        let definitions: Api<CustomResourceDefinition> = Api::all(lab.client.clone());
        definitions.create(&PostParams::default(), &local_queues()).await.unwrap();
        lab.until("Kueue's API is served", async || {
            let groups = lab.client.list_api_groups().await.unwrap().groups;
            groups.iter().any(|it| it.name == GROUP && it.preferred_version.is_some())
        })
        .await;
        let mut command = batch(&folder, &results);
        let own = own_namespace(&results).unwrap();
        let (ran, ()) = tokio::join!(done(&mut command), admit(lab, &own));
        assert_eq!(ran.status, 0, "{}", ran.told());
        let letters: Vec<Value> = lines(&results).iter().map(|it| it["letters"].clone()).collect();
        assert_eq!(letters, ["PPPPPPPPPP"], "{}", ran.told());
        left_nothing(lab, &results, &ran).await;
        let name = format!("localqueues.{GROUP}");
        definitions.delete(&name, &DeleteParams::default()).await.unwrap();
    })
    .await;
}

/// Admits the Job, after a look at what waits.
async fn admit(lab: &Lab, own: &str) {
    let jobs: Api<Job> = Api::namespaced(lab.client.clone(), own);
    lab.until("the Job stands", async || jobs.get_opt("stsgrade").await.unwrap().is_some()).await;
    let job = jobs.get("stsgrade").await.unwrap();
    assert_eq!(job.spec.unwrap().suspend, Some(true));
    let name = &job.metadata.labels.unwrap()[LABEL];
    let path = format!("/apis/{GROUP}/{VERSION}/namespaces/{own}/localqueues/{name}");
    let request = http::Request::get(path).body(vec![]).unwrap();
    let queue: Value = lab.client.request(request).await.unwrap();
    assert_eq!(queue["spec"]["clusterQueue"], "class");
    let pods: Api<Pod> = Api::namespaced(lab.client.clone(), own);
    assert!(pods.list(&ListParams::default()).await.unwrap().items.is_empty());
    let admitted = Patch::Merge(json!({"spec": {"suspend": false}}));
    jobs.patch("stsgrade", &PatchParams::default(), &admitted).await.unwrap();
}
