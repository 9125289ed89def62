//! What a grade needs of a cluster, in a few minutes: `.ci/run versions` runs these on every
//! version of Kubernetes that the test cluster can be, and the live tests by hand beside them.

use std::{collections::BTreeMap, fs};

use futures::future::join_all;
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client, api::ListParams};

use crate::{
    APPEND, OVERWRITE,
    batch::{Class, letters},
    lab::{Lab, done},
    state::read,
};

/// Submissions, each with the flags that it is graded with. Among them is all that an old server
/// may lack: ordinals that start later, retention policies, sidecars that are init containers, and
/// ephemeral containers.
const CASES: [(&str, &[&str]); 7] = [
    (APPEND, &[]),
    (OVERWRITE, &[]),
    ("fixtures/fail/sequential_creation/parallel/submission.yaml", &[]),
    ("fixtures/fail/pvc_retention/when_scaled_delete/submission.yaml", &[]),
    ("fixtures/pass/ordinals_from_five/submission.yaml", &[]),
    ("fixtures/pass/native_sidecar_writes/submission.yaml", &[]),
    ("fixtures/pass/probe_image/submission.yaml", &["--probe-image", "busybox:1.36"]),
];

/// Catches a run on another version than it says, and a version that the tool calls untried. Adds
/// the cluster to the table of those that were tried, the file `STSGRADE_TRIED`.
#[tokio::test]
#[ignore = "for .ci/run versions"]
async fn the_tool_knows_that_this_version_is_tried() {
    let client = Client::try_default().await.unwrap();
    let server = client.apiserver_version().await.unwrap();
    let minor = format!("{}.{}", server.major, server.minor);
    if let Ok(asked) = std::env::var("STSGRADE_CLUSTER_VERSION") {
        assert_eq!(minor, asked, "another version than was asked for");
    }
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_stsgrade"));
    let told = done(command.arg("version")).await;
    assert!(told.says(&server.git_version) && !told.says("not tried"), "{}", told.told());
    let nodes = Api::<Node>::all(client).list(&ListParams::default()).await.unwrap().items;
    let info = nodes[0].status.as_ref().unwrap().node_info.as_ref().unwrap();
    let row = format!(
        "| {} | {} | {} |\n",
        server.git_version,
        info.container_runtime_version.replace("://", " "),
        nodes.len(),
    );
    if let Ok(file) = std::env::var("STSGRADE_TRIED") {
        let before = fs::read_to_string(&file).unwrap_or_default();
        fs::write(file, before + &row).unwrap();
    }
}

/// Catches a submission that gets other letters on another version.
#[tokio::test]
#[ignore = "for .ci/run versions"]
async fn submissions_get_their_letters() {
    join_all(CASES.iter().enumerate().map(async |(place, (file, flags))| {
        Lab::run(&format!("live-version-{place}"), async |lab| {
            let graded = lab.grade(&[&["-f", file], *flags].concat()).await;
            assert_eq!(lab.letters().await, letters(file), "{file}: {}", graded.told());
            let passed = letters(file).matches('P').count();
            assert_eq!(graded.score() as usize, 10 * passed, "{file}: {}", graded.told());
        })
        .await;
    }))
    .await;
}

/// Catches a version on which an account that has just the printed Role is refused something, and
/// one on which a class is graded otherwise than one by one.
#[tokio::test]
#[ignore = "for .ci/run versions"]
async fn a_class_and_a_guest_get_their_letters() {
    let class = Lab::run("live-version-batch", async |lab| {
        let class = Class { lab };
        class.hand_in("append.yaml", &read(APPEND));
        class.hand_in("overwrite.yaml", &read(OVERWRITE));
        let graded = class.grade().await;
        let expected = [("append", letters(APPEND)), ("overwrite", letters(OVERWRITE))];
        let expected = expected.map(|(id, it)| (id.to_owned(), it));
        assert_eq!(class.results(), BTreeMap::from(expected), "{}", graded.told());
    });
    let guest = Lab::run("live-version-role", async |lab| {
        lab.stand().await;
        let kubeconfig = lab.as_guest().await;
        let graded = lab.grade(&["--kubeconfig", kubeconfig.to_str().unwrap()]).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
    });
    tokio::join!(class, guest);
}
