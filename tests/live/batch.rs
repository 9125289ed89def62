//! A class: hand-ins in namespaces of their own, killed and resumed, and kept apart.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use k8s_openapi::{
    api::{
        core::v1::{LimitRange, Namespace, Pod, ResourceQuota},
        networking::v1::NetworkPolicy,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::{
    APPEND, OVERWRITE,
    chance::{Chance, seed},
    lab::{Lab, Ran, done, done_within},
    state::read,
};

pub(crate) const ADMIN: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n\
    metadata: {name: admin}\n";
pub(crate) const NODE_PORT: &str =
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: NodePort}\n";
/// In a pod of this name is a token, unless nobody mounted one.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Hand-ins and the results of grading them, in the folder of a lab.
pub(crate) struct Class<'a> {
    pub(crate) lab: &'a Lab,
}

impl Class<'_> {
    /// Hands in a file; the name may be a path.
    pub(crate) fn hand_in(&self, name: &str, bytes: &(impl AsRef<[u8]> + ?Sized)) {
        let path = self.lab.folder.path().join("in").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn output(&self) -> PathBuf {
        self.lab.folder.path().join("out")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stsgrade"));
        command.arg("batch").args(args).arg("-o").arg(self.output());
        command
    }

    /// Begins to grade.
    fn begin(&self) -> Child {
        let mut command = self.command(&[]);
        command.arg(self.lab.folder.path().join("in")).kill_on_drop(true);
        command.stderr(Stdio::null()).spawn().unwrap()
    }

    /// Begins to grade, and sends SIGKILL after this time, unless all is done by then.
    async fn kill_after(&self, time: Duration) {
        let mut run = self.begin();
        if tokio::time::timeout(time, run.wait()).await.is_err() {
            run.kill().await.unwrap();
        }
    }

    /// Hands in what is graded in seconds; what it comes to, by id.
    fn add_quick_ones(&self) -> BTreeMap<String, String> {
        let mut expected = BTreeMap::new();
        for (id, file) in [
            ("zero", "fixtures/fail/zero_replicas/zero_replicas/submission.yaml"),
            ("image", "fixtures/fail/image_name_invalid/invalid_image_name/submission.yaml"),
        ] {
            self.hand_in(&format!("{id}.yaml"), &read(file));
            expected.insert(id.to_owned(), letters(file));
        }
        for (id, text) in [("refused", &*read("tests/live/refused.yaml")), ("broken", "a: [b")] {
            self.hand_in(&format!("{id}.yaml"), text);
            expected.insert(id.to_owned(), "FFFFFFFFFF".to_owned());
        }
        expected
    }

    pub(crate) async fn grade(&self) -> Ran {
        done(self.command(&[]).arg(self.lab.folder.path().join("in"))).await
    }

    /// Within a time: a large class takes long.
    pub(crate) async fn grade_within(&self, time: Duration, args: &[&str]) -> Ran {
        done_within(time, self.command(args).arg(self.lab.folder.path().join("in"))).await
    }

    /// The lines of the results that are whole.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.output().join("results.jsonl")).unwrap_or_default();
        text.lines().filter_map(|it| serde_json::from_str(it).ok()).collect()
    }

    /// By id: the letters, or the state of what was not graded.
    pub(crate) fn results(&self) -> BTreeMap<String, String> {
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let shown = |it: &Value| match it["state"].as_str() {
            Some("graded") => text(&it["letters"]),
            _ => text(&it["state"]),
        };
        self.lines().iter().map(|it| (text(&it["id"]), shown(it))).collect()
    }

    /// The namespaces of the run.
    pub(crate) async fn namespaces(&self) -> Vec<Namespace> {
        let run = fs::read(self.output().join("run.json")).unwrap_or_default();
        let run: Value = serde_json::from_slice(&run).unwrap_or_default();
        let Some(run) = run["run"].as_str() else { return vec![] };
        let all: Api<Namespace> = Api::all(self.lab.client.clone());
        all.list(&ListParams::default().labels(&format!("stsgrade/run={run}"))).await.unwrap().items
    }
}

/// The letters that the first line of a submission demands.
pub(crate) fn letters(file: &str) -> String {
    let text = read(file);
    text.lines().next().unwrap().trim_start_matches("# expect: ").to_owned()
}

/// Catches a namespace that costs a fair hand-in points or stays, a hand-in that is graded though it
/// must not be, or stops the others, and a recording that is judged otherwise than it was graded.
#[tokio::test]
async fn each_of_a_class_gets_what_it_gets_alone() {
    const GRADED: [(&str, &str, &str); 4] = [
        ("Jörg Müller.yaml", "jorg-muller", APPEND),
        ("overwrite.yaml", "overwrite", OVERWRITE),
        ("privileged.yaml", "privileged", "fixtures/fail/pod_refused/privileged/submission.yaml"),
        ("one.yaml", "one", "fixtures/fail/pod_naming/one_replica/submission.yaml"),
    ];
    Lab::run("live-batch", async |lab| {
        let class = Class { lab };
        let mut expected = BTreeMap::new();
        for (name, id, file) in GRADED {
            class.hand_in(name, &read(file));
            expected.insert(id.to_owned(), letters(file));
        }
        let elsewhere = read(OVERWRITE).replace("exec nginx", ": db.site.other.svc; exec nginx");
        for (id, text, state) in [
            ("elsewhere", &*elsewhere, "held"),
            ("refused", &*read("tests/live/refused.yaml"), "FFFFFFFFFF"),
            ("broken", "a: [b", "FFFFFFFFFF"),
            ("admin", ADMIN, "held"),
            ("nodeport", NODE_PORT, "held"),
        ] {
            class.hand_in(&format!("{id}.yaml"), text);
            expected.insert(id.to_owned(), state.to_owned());
        }
        let graded = class.grade().await;
        assert_eq!(class.results(), expected, "{}", graded.told());
        // Three are left for a person to decide.
        assert_eq!(graded.status, 3, "{}", graded.told());
        assert!(class.namespaces().await.is_empty(), "{}", graded.told());
        for id in ["jorg-muller", "overwrite"] {
            let folder = class.output().join(id);
            assert!(
                folder.join("report.json").is_file() && folder.join("recording.jsonl.gz").is_file()
            );
        }
        let again = class.grade().await;
        assert!(again.says("9 of 9 have a result already"), "{}", again.told());
        let judged = done(Command::new(env!("CARGO_BIN_EXE_stsgrade")).args([
            "batch",
            "judge",
            class.output().to_str().unwrap(),
        ]))
        .await;
        assert!(judged.says("the points of 0 changed"), "{}", judged.told());
        assert_eq!(class.results(), expected, "{}", judged.told());
    })
    .await;
}

/// Catches a hand-in that one of many kills loses or that is graded twice, and a namespace that a
/// killed run leaves for ever.
#[tokio::test]
async fn a_class_that_was_killed_is_finished() {
    /// At moments that chance chooses, after a first one while all are being graded.
    const KILLS: usize = 20;
    Lab::run("live-batch-kill", async |lab| {
        let class = Class { lab };
        for id in ["a", "b", "c"] {
            class.hand_in(&format!("{id}.yaml"), &read(APPEND));
        }
        class.hand_in("admin.yaml", ADMIN);
        let mut first = class.begin();
        lab.until("all are being graded", async || {
            class.namespaces().await.len() == 3 && class.lines().len() == 1
        })
        .await;
        // SIGKILL.
        first.kill().await.unwrap();
        assert_eq!(class.namespaces().await.len(), 3);
        let other = done(Command::new(env!("CARGO_BIN_EXE_stsgrade")).args([
            "batch",
            "--clean",
            "-o",
            lab.folder.path().join("in").to_str().unwrap(),
        ]))
        .await;
        assert!(other.status == 4 && other.says("holds no run"), "{}", other.told());
        let cleaned = done(&mut class.command(&["--clean"])).await;
        assert!(cleaned.says("3 namespaces of this run were left"), "{}", cleaned.told());
        assert!(class.namespaces().await.is_empty());
        let mut expected = class.add_quick_ones();
        expected.extend(["a", "b", "c"].map(|id| (id.to_owned(), "PPPPPPPPPP".to_owned())));
        expected.insert("admin".to_owned(), "held".to_owned());
        let mut chance = Chance::new(seed());
        for kill in 1..KILLS {
            let before = class.results();
            class.kill_after(Duration::from_millis(chance.between(10, 4000))).await;
            let after = class.results();
            assert_eq!(after.len(), class.lines().len(), "kill {kill}: one is graded twice");
            let is_kept = |(id, it): (&String, &String)| after.get(id) == Some(it);
            assert!(before.iter().all(is_kept), "kill {kill}: {before:?} became {after:?}");
        }
        let last = class.grade().await;
        let known = format!("of {} have a result already", expected.len());
        assert!(last.says(&known), "{}", last.told());
        assert_eq!(class.results(), expected, "{}", last.told());
        assert_eq!(class.lines().len(), expected.len(), "{}", last.told());
        assert!(class.namespaces().await.is_empty());
        let clean = done(&mut class.command(&["--clean"])).await;
        assert_eq!(clean.status, 0, "{}", clean.told());
    })
    .await;
}

/// Catches a pod with a token or with as much CPU as it can take, a namespace without its bounds, an
/// object that keeps it from being deleted, and a hand-in for which all others would have to wait.
#[tokio::test]
async fn a_hand_in_is_kept_apart() {
    Lab::run("live-batch-apart", async |lab| {
        let class = Class { lab };
        // Its pods end at once where they have a token, and it asks for one in every way; or where
        // the kernel gives them more than one processor (cgroup v2 or v1, for each 100 ms).
        let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: me, finalizers: \
            [lab.example/keep]}\nautomountServiceAccountToken: true\n---\n";
        let text = read(APPEND);
        let start = "      containers:\n";
        assert!(text.contains(start), "{text}");
        let asks = format!(
            "      serviceAccountName: me\n      automountServiceAccountToken: true\n      \
             initContainers:\n      - name: look\n        image: busybox:1.36\n        command: \
             [sh, -c, \"! test -e {TOKEN} && cat /sys/fs/cgroup/cpu.max \
             /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2> /dev/null | grep -q ^100000\"]\n{start}"
        );
        class.hand_in("token.yaml", &(account.to_owned() + &text.replace(start, &asks)));
        let busy = text.replace("          echo ", "          yes > /dev/null &\n          echo ");
        assert_ne!(busy, text);
        class.hand_in("busy.yaml", &busy);
        class.hand_in("greedy.yaml", &text.replace("replicas: 3", "replicas: 60"));
        let seen = async {
            let client = lab.client.clone();
            lab.until("a pod of the hand-in runs", async || {
                let Some(it) = class.namespaces().await.first().map(|it| it.name_any()) else {
                    return false;
                };
                let pods: Api<Pod> = Api::namespaced(client.clone(), &it);
                !pods.list(&ListParams::default()).await.unwrap().items.is_empty()
            })
            .await;
            let namespace = class.namespaces().await.remove(0);
            bounds(&client, &namespace).await
        };
        let (graded, bounds) = tokio::join!(class.grade(), seen);
        let expected = [("busy", "PPPPPPPPPP"), ("greedy", "held"), ("token", "PPPPPPPPPP")];
        let expected = expected.map(|(id, letters)| (id.to_owned(), letters.to_owned()));
        assert_eq!(class.results(), BTreeMap::from(expected), "{}", graded.told());
        let [level, pods, node_ports, policies, limit] = bounds;
        assert_eq!([level, pods, node_ports], ["baseline", "8", "0"]);
        assert_eq!([policies, limit], ["Ingress Egress", "1"]);
        assert!(class.namespaces().await.is_empty(), "{}", graded.told());
    })
    .await;
}

/// What bounds a namespace: its level, pods, node ports, denied directions, and CPU of a container.
async fn bounds(client: &Client, namespace: &Namespace) -> [String; 5] {
    let name = namespace.name_any();
    let quotas: Api<ResourceQuota> = Api::namespaced(client.clone(), &name);
    let quota = quotas.get("stsgrade").await.unwrap().status.unwrap().hard.unwrap();
    let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), &name);
    let policy = policies.get("stsgrade").await.unwrap().spec.unwrap();
    assert_eq!(policy.pod_selector, Some(LabelSelector::default()));
    let limits: Api<LimitRange> = Api::namespaced(client.clone(), &name);
    let limit = limits.get("stsgrade").await.unwrap().spec.unwrap().limits.remove(0);
    [
        namespace.labels()["pod-security.kubernetes.io/enforce"].clone(),
        quota["pods"].0.clone(),
        quota["services.nodeports"].0.clone(),
        policy.policy_types.unwrap().join(" "),
        limit.default.unwrap()["cpu"].0.clone(),
    ]
}

/// Catches a student's own namespace that is not put back, or that is deleted.
#[tokio::test]
async fn namespaces_are_graded_where_they_stand() {
    Lab::run("live-batch-stands", async |lab| {
        let namespaces: Api<Namespace> = Api::all(lab.client.clone());
        let labels = json!({"metadata": {"labels": {"live-batch": "stands"}}});
        namespaces
            .patch(&lab.namespace, &PatchParams::default(), &Patch::Merge(labels))
            .await
            .unwrap();
        lab.create_set("OrderedReady").await;
        lab.stands(3).await;
        let class = Class { lab };
        let graded =
            done(&mut class.command(&["--namespaces", "live-batch=stands", "--report", "html"]))
                .await;
        let expected = BTreeMap::from([(lab.namespace.clone(), "PPPPPPPPPP".to_owned())]);
        assert_eq!((graded.status, class.results()), (0, expected), "{}", graded.told());
        assert!(Path::new(&class.output()).join(&lab.namespace).join("report.html").is_file());
        lab.stands(3).await;
        lab.left_nothing(&["data-web-0", "data-web-1", "data-web-2"]).await;
    })
    .await;
}
