//! A namespace for one test: made, worked in, its pods shown when the test fails, and removed.

use std::{any::Any, panic::AssertUnwindSafe, path::PathBuf, process::Stdio, time::Duration};

use futures::FutureExt as _;
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    coordination::v1::Lease,
    core::v1::{Namespace, PersistentVolumeClaim, Pod, Service},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr},
    sync::RwLock,
};

use crate::state::{is_ready, send};

/// Held by each test for reading, and for writing by one that disturbs the whole cluster.
static CLUSTER: RwLock<()> = RwLock::const_new(());
/// The longest that any command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(600);

/// One namespace and the recording that is made of it.
pub(crate) struct Lab {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) folder: tempfile::TempDir,
}

/// What one run of the binary did.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The points that a report begins with.
    pub(crate) fn score(&self) -> u32 {
        self.out
            .split_whitespace()
            .next()
            .and_then(|it| it.parse().ok())
            .unwrap_or_else(|| panic!("no score: {}", self.told()))
    }

    /// Whether it said so.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.err.contains(words) || self.out.contains(words)
    }

    /// All that it said.
    pub(crate) fn told(&self) -> String {
        format!("exit {}\n{}\n{}", self.status, self.err, self.out)
    }
}

impl Lab {
    /// Runs a test in a new namespace. Where it fails, every pod's state is printed before all is
    /// removed.
    pub(crate) async fn run<T>(namespace: &str, test: impl AsyncFnOnce(&Self) -> T) -> T {
        let _beside_others = CLUSTER.read().await;
        Self::run_now(namespace, test).await
    }

    /// Runs a test that disturbs the whole cluster, while no other runs.
    pub(crate) async fn run_alone(namespace: &str, test: impl AsyncFnOnce(&Self)) {
        let _alone = CLUSTER.write().await;
        Self::run_now(namespace, test).await;
    }

    /// Runs one of many rounds in a new namespace; what is wrong with it, a panic too, comes back,
    /// so that the others go on.
    pub(crate) async fn round<T>(
        namespace: String,
        test: impl AsyncFnOnce(&Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut came_of_it = None;
        let ran =
            AssertUnwindSafe(Self::run(&namespace, async |lab| came_of_it = Some(test(lab).await)))
                .catch_unwind()
                .await;
        let panic = |it: Box<dyn Any + Send>| {
            it.downcast_ref::<String>()
                .cloned()
                .or_else(|| it.downcast_ref::<&str>().map(|it| (*it).to_owned()))
        };
        let came_of_it = match ran {
            Ok(()) => came_of_it.unwrap(),
            Err(it) => Err(panic(it).unwrap_or_default()),
        };
        println!(
            "{namespace}: {}",
            came_of_it.as_ref().err().map_or("all is well", String::as_str)
        );
        came_of_it.map_err(|wrong| format!("{namespace}: {wrong}"))
    }

    async fn run_now<T>(namespace: &str, test: impl AsyncFnOnce(&Self) -> T) -> T {
        let lab = Self::unmade(namespace).await;
        let namespaces: Api<Namespace> = Api::all(lab.client.clone());
        let it = Namespace {
            metadata: ObjectMeta { name: Some(namespace.to_owned()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        // One of an earlier run may still be on its way out.
        while namespaces
            .get_opt(namespace)
            .await
            .unwrap()
            .is_some_and(|it| it.metadata.deletion_timestamp.is_some())
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        namespaces.create(&PostParams::default(), &it).await.unwrap();
        let outcome = AssertUnwindSafe(test(&lab)).catch_unwind().await;
        if outcome.is_err() {
            lab.show().await;
        }
        // A test may have cut off the client that it began with.
        let namespaces: Api<Namespace> = Api::all(Client::try_default().await.unwrap());
        namespaces.delete(namespace, &DeleteParams::default()).await.unwrap();
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A namespace that is not there yet.
    pub(crate) async fn unmade(namespace: &str) -> Self {
        Self {
            client: Client::try_default().await.unwrap(),
            namespace: namespace.to_owned(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) async fn grade(&self, args: &[&str]) -> Ran {
        let save = self.recording();
        self.stsgrade("grade", &[&["--save", save.to_str().unwrap()], args].concat()).await
    }

    pub(crate) async fn judge(&self, format: &str) -> Ran {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_stsgrade"));
        done(command.args(["judge", "-o", format]).arg(self.recording())).await
    }

    /// A command in this namespace.
    pub(crate) async fn stsgrade(&self, verb: &str, args: &[&str]) -> Ran {
        done(&mut self.command(verb, args)).await
    }

    /// Begins to record, and returns as soon as all that follows is witnessed.
    pub(crate) async fn record(&self) -> Child {
        let save = self.recording();
        let (child, mut lines) =
            started(&mut self.command("record", &["--save", save.to_str().unwrap()]));
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("recording") {
                break;
            }
        }
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        child
    }

    /// Ends a recording as Ctrl-C does.
    pub(crate) async fn stop(&self, mut child: Child) {
        send(&child, "INT");
        child.wait().await.unwrap();
    }

    /// Waits until the recording has a line with all these words.
    pub(crate) async fn told(&self, words: &[&str]) {
        let deadline = tokio::time::Instant::now() + COMMAND_TIMEOUT;
        loop {
            let text = std::fs::read_to_string(self.recording()).unwrap_or_default();
            if text.lines().any(|line| words.iter().all(|word| line.contains(word))) {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "the recording never told of {words:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The ten letters of the recording.
    pub(crate) async fn letters(&self) -> String {
        let judged = self.judge("json").await;
        let report: serde_json::Value =
            serde_json::from_str(&judged.out).unwrap_or_else(|_| panic!("{}", judged.told()));
        let outcomes = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| check["outcome"].as_str().unwrap());
        outcomes.map(|it| it[..1].to_uppercase()).collect()
    }

    /// A headless Service and a set of three, made by another client than the grader.
    pub(crate) async fn create_set(&self, policy: &str) {
        let services: Api<Service> = Api::namespaced(self.client.clone(), &self.namespace);
        let service = json!({"metadata": {"name": "web"}, "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80}]}});
        services
            .create(&PostParams::default(), &serde_json::from_value(service).unwrap())
            .await
            .unwrap();
        let script = "trap 'exit 0' TERM; hostname >> /data/id; sleep 1000000 & wait";
        let container = json!({"name": "app", "image": "busybox:1.36", "command": ["sh", "-c", script], "volumeMounts": [{"name": "data", "mountPath": "/data"}]});
        let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}}});
        let template =
            json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}});
        let set = json!({"metadata": {"name": "web"}, "spec": {"serviceName": "web", "replicas": 3, "podManagementPolicy": policy,
            "selector": {"matchLabels": {"app": "web"}}, "template": template, "volumeClaimTemplates": [claim]}});
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), &self.namespace);
        sets.create(&PostParams::default(), &serde_json::from_value(set).unwrap()).await.unwrap();
    }

    /// Scales the set, and waits until it is so.
    pub(crate) async fn scale(&self, replicas: i32) {
        self.ask_replicas(replicas).await;
        self.stands(replicas).await;
    }

    /// Scales the set, whatever comes of it.
    pub(crate) async fn ask_replicas(&self, replicas: i32) {
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), &self.namespace);
        sets.patch_scale(
            "web",
            &PatchParams::default(),
            &Patch::Merge(json!({"spec": {"replicas": replicas}})),
        )
        .await
        .unwrap();
    }

    /// Waits until the recording holds a reading of each of these pods as they stand.
    pub(crate) async fn looked_at(&self, names: &[&str]) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        for name in names {
            let uid = pods.get(name).await.unwrap().uid().unwrap();
            self.told(&["\"read\":", &uid]).await;
        }
    }

    /// Waits until the recording holds an answer about each of these pods as they stand, and about
    /// the Service.
    pub(crate) async fn asked_for(&self, names: &[&str]) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        for name in names {
            let pod = pods.get(name).await.unwrap();
            let address = format!(
                "\"addresses\":[\"{}\"]",
                pod.status.as_ref().unwrap().pod_ip.as_ref().unwrap()
            );
            self.told(&["\"lookup\":", &pod.uid().unwrap(), &address]).await;
        }
        self.told(&[&format!("\"lookup\":{{\"name\":\"web.{}.svc.", self.namespace)]).await;
    }

    /// Deletes a pod, and waits until another is Ready in its place.
    pub(crate) async fn delete_pod(&self, name: &str) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let old = pods.get(name).await.unwrap().uid();
        pods.delete(name, &DeleteParams::default()).await.unwrap();
        for _ in 0..1200 {
            let new = pods.get_opt(name).await.unwrap().filter(|pod| pod.uid() != old);
            let conditions = new.and_then(|pod| pod.status?.conditions).unwrap_or_default();
            if conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{name} did not come back");
    }

    /// Deletes the set, its Service and all claims, as the lab's last section asks, and waits until
    /// the recording says so.
    pub(crate) async fn clean_up(&self) {
        self.delete_all().await;
        self.told(&["\"deleted\"", "\"PersistentVolumeClaim\":"]).await;
    }

    pub(crate) async fn delete_all(&self) {
        let at_once = DeleteParams::default();
        Api::<StatefulSet>::namespaced(self.client.clone(), &self.namespace)
            .delete("web", &at_once)
            .await
            .unwrap();
        Api::<Service>::namespaced(self.client.clone(), &self.namespace)
            .delete("web", &at_once)
            .await
            .unwrap();
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.client.clone(), &self.namespace);
        claims.delete_collection(&at_once, &ListParams::default()).await.unwrap();
    }

    /// Removes every StatefulSet, Deployment, claim and pod, and waits until they are gone.
    pub(crate) async fn remove_workloads_and_claims(&self) {
        let (at_once, all) = (DeleteParams::default(), ListParams::default());
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), &self.namespace);
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.client.clone(), &self.namespace);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        sets.delete_collection(&at_once, &all).await.unwrap();
        deployments.delete_collection(&at_once, &all).await.unwrap();
        claims.delete_collection(&at_once, &all).await.unwrap();
        pods.delete_collection(&at_once, &all).await.unwrap();
        self.until("pods and claims are gone", async || {
            pods.list(&all).await.unwrap().items.is_empty()
                && claims.list(&all).await.unwrap().items.is_empty()
        })
        .await;
    }

    /// Waits until so many pods, and no others, are Ready. Waits until the set has so many pods,
    /// and each is Ready and stays. Its status cannot tell: it is late, and it counts pods that are
    /// being deleted.
    pub(crate) async fn stands(&self, replicas: i32) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        for _ in 0..1200 {
            let all = pods.list(&ListParams::default()).await.unwrap().items;
            let mut ours = all.iter().filter(|it| it.name_any().starts_with("web-"));
            if ours.clone().count() == replicas as usize && ours.all(is_ready) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it never had {replicas} pods");
    }

    pub(crate) async fn replicas(&self, set: &str) -> i32 {
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), &self.namespace);
        sets.get(set).await.unwrap().spec.replicas.unwrap()
    }

    /// Nothing of the grading is left: no Lease, no claims but these, no canary on them.
    pub(crate) async fn left_nothing(&self, claims: &[&str]) {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        let left = leases.list_metadata(&ListParams::default()).await.unwrap();
        let names: Vec<String> = left.iter().map(|it| it.name_any()).collect();
        assert!(names.is_empty(), "leases left: {names:?}");
        let all: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.namespace);
        let there = all.list_metadata(&ListParams::default()).await.unwrap();
        let mut names: Vec<String> = there.iter().map(|it| it.name_any()).collect();
        names.sort();
        assert_eq!(names, claims);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        for pod in pods.list(&ListParams::default()).await.unwrap() {
            let out = self.sh(&pod.name_any(), "ls -A /data").await;
            assert!(!out.contains("stsgrade"), "canary left on {}: {out}", pod.name_any());
        }
    }

    /// Deletes the namespace, where it was made.
    pub(crate) async fn delete_namespace(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        match namespaces.delete(&self.namespace, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            deleted => drop(deleted.unwrap()),
        }
    }

    /// The folder that this lab has for its files.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn recording(&self) -> PathBuf {
        self.folder.path().join("recording.jsonl")
    }

    pub(crate) fn command(&self, verb: &str, args: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_stsgrade"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args([verb, "-n", &self.namespace])
            .args(args);
        command
    }

    /// What became of each pod, for the log of a test that failed.
    async fn show(&self) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let Ok(list) = pods.list(&ListParams::default()).await else { return };
        for pod in list {
            let status = pod.status.clone().unwrap_or_default();
            let containers: Vec<String> = status
                .container_statuses
                .iter()
                .flatten()
                .map(|it| {
                    format!(
                        "{} ready={} restarts={} {}",
                        it.name,
                        it.ready,
                        it.restart_count,
                        serde_json::to_string(&it.state).unwrap_or_default()
                    )
                })
                .collect();
            eprintln!(
                "{}/{}: {} {}",
                self.namespace,
                pod.name_any(),
                status.phase.unwrap_or_default(),
                containers.join("; ")
            );
        }
    }
}

/// Disturbs the cluster, or mends it: a verb of `tests/cluster/ctl` and what it is for.
pub(crate) async fn ctl(verb: &[&str]) {
    let status = tokio::process::Command::new("tests/cluster/ctl")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(verb)
        .status()
        .await
        .unwrap();
    assert!(status.success(), "ctl {verb:?}: {status}");
}

/// Starts a command that ends with its test; what it says on standard error is read line by line.
pub(crate) fn started(
    command: &mut tokio::process::Command,
) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, lines)
}

pub(crate) async fn done(command: &mut tokio::process::Command) -> Ran {
    done_within(COMMAND_TIMEOUT, command).await
}

pub(crate) async fn done_within(limit: Duration, command: &mut tokio::process::Command) -> Ran {
    let output =
        tokio::time::timeout(limit, command.kill_on_drop(true).output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        status: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}
