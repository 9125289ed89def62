//! A namespace for one test: made, worked in, its pods shown when the test fails, and removed.

use std::{panic::AssertUnwindSafe, path::PathBuf, process::Stdio, time::Duration};

use futures::FutureExt as _;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    coordination::v1::Lease,
    core::v1::{Namespace, PersistentVolumeClaim, Pod},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// The longest that any command may take.
const LONGEST: Duration = Duration::from_secs(600);

/// One namespace and the recording that is made of it.
pub(crate) struct Lab {
    client: Client,
    namespace: String,
    folder: tempfile::TempDir,
}

/// What one run of the binary did.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    err: String,
}

impl Ran {
    /// The points that a report begins with.
    pub(crate) fn score(&self) -> u32 {
        self.out.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or_else(|| panic!("no score: {}", self.told()))
    }

    /// All that it said.
    pub(crate) fn told(&self) -> String {
        format!("exit {}\n{}\n{}", self.status, self.err, self.out)
    }
}

impl Lab {
    /// Runs a test in a new namespace. Where it fails, every pod's state is printed before all is removed.
    pub(crate) async fn run(namespace: &str, test: impl AsyncFnOnce(&Self)) {
        let client = Client::try_default().await.unwrap();
        let lab = Self { client, namespace: namespace.to_owned(), folder: tempfile::tempdir().unwrap() };
        let namespaces: Api<Namespace> = Api::all(lab.client.clone());
        let it = Namespace { metadata: ObjectMeta { name: Some(namespace.to_owned()), ..ObjectMeta::default() }, ..Namespace::default() };
        namespaces.create(&PostParams::default(), &it).await.unwrap();
        let outcome = AssertUnwindSafe(test(&lab)).catch_unwind().await;
        if outcome.is_err() {
            lab.show().await;
        }
        namespaces.delete(namespace, &DeleteParams::default()).await.unwrap();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
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

    /// Begins a grade, presses Ctrl-C when it says `word`, and waits for its end.
    pub(crate) async fn stop_when(&self, word: &str, args: &[&str]) -> Ran {
        self.signal_when(word, args, "INT").await
    }

    /// Begins a grade and kills it when it says `word`.
    pub(crate) async fn kill_when(&self, word: &str, args: &[&str]) {
        self.signal_when(word, args, "KILL").await;
    }

    async fn signal_when(&self, word: &str, args: &[&str], signal: &str) -> Ran {
        let save = self.recording();
        let mut command = self.command("grade", &[&["--save", save.to_str().unwrap()], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let pid = child.id().unwrap().to_string();
        let (mut err, mut sent) = (String::new(), false);
        while let Some(line) = lines.next_line().await.unwrap() {
            if !sent && line.contains(" s  ") && line.contains(word) {
                sent = std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success();
            }
            err.push_str(&line);
            err.push('\n');
        }
        let output = child.wait_with_output().await.unwrap();
        assert!(sent, "it never said {word:?}: {err}");
        Ran { status: output.status.code().unwrap_or(-1), out: String::from_utf8(output.stdout).unwrap(), err }
    }

    pub(crate) async fn replicas(&self, set: &str) -> i32 {
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), &self.namespace);
        sets.get(set).await.unwrap().spec.replicas.unwrap()
    }

    /// Nothing of the grading is left: no Lease, no claims but these, no canary on them.
    pub(crate) async fn left_nothing(&self, claims: &[&str]) {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        let names: Vec<String> = leases.list(&ListParams::default()).await.unwrap().iter().map(|it| it.name_any()).collect();
        assert!(names.is_empty(), "leases left: {names:?}");
        let all: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut names: Vec<String> = all.list(&ListParams::default()).await.unwrap().iter().map(|it| it.name_any()).collect();
        names.sort();
        assert_eq!(names, claims);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        for pod in pods.list(&ListParams::default()).await.unwrap() {
            let list = ["ls", "-A", "/data"];
            let mut exec = pods.exec(&pod.name_any(), list, &kube::api::AttachParams::default().stderr(false)).await.unwrap();
            let mut out = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut exec.stdout().unwrap(), &mut out).await.unwrap();
            assert!(!out.contains("stsgrade"), "canary left on {}: {out}", pod.name_any());
        }
    }

    fn recording(&self) -> PathBuf {
        self.folder.path().join("recording.jsonl")
    }

    fn command(&self, verb: &str, args: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_stsgrade"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args([verb, "-n", &self.namespace]).args(args);
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
                .map(|it| format!("{} ready={} restarts={} {}", it.name, it.ready, it.restart_count, serde_json::to_string(&it.state).unwrap_or_default()))
                .collect();
            eprintln!("{}/{}: {} {}", self.namespace, pod.name_any(), status.phase.unwrap_or_default(), containers.join("; "));
        }
    }
}

async fn done(command: &mut tokio::process::Command) -> Ran {
    let output = tokio::time::timeout(LONGEST, command.kill_on_drop(true).output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { status: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}
