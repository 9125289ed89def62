//! What a namespace holds, and what is done to it or to a grader there from outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    authentication::v1::{TokenRequest, TokenRequestSpec},
    authorization::v1::LocalSubjectAccessReview,
    coordination::v1::Lease,
    core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Pod, Service, ServiceAccount},
    rbac::v1::{PolicyRule, Role},
};
use kube::{
    Api, ResourceExt as _,
    api::{AttachParams, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
    config::Kubeconfig,
};
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt as _, process::Child};

use crate::lab::{Lab, Ran, started};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// How long a set that fails stands before it is mended.
const STANDS: Duration = Duration::from_secs(20);
/// The longest that a set may take to be whole again.
const WHOLE: Duration = Duration::from_secs(180);

/// The steps of a grade of a standing set, as progress names them, and how many milliseconds after
/// its begin something may happen to the grader.
pub(crate) const MOMENTS: [(&str, u64); 7] = [
    ("wait until", 1000),
    ("read files", 1500),
    ("replace", 4000),
    ("scale up", 6000),
    ("scale down", 8000),
    ("bring the pods back", 6000),
    ("put everything back", 1000),
];
/// A set of three that writes one file, once, and obeys SIGTERM. What it wrote must survive
/// everything.
pub(crate) const STANDING: &str = "tests/live/standing.yaml";
/// Its claims.
pub(crate) const CLAIMS: [&str; 3] = ["data-web-0", "data-web-1", "data-web-2"];

impl Lab {
    pub(crate) fn name(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) async fn exists(&self) -> bool {
        let all: Api<Namespace> = Api::all(self.client.clone());
        all.get_opt(&self.namespace).await.unwrap().is_some()
    }

    /// Creates what a file describes; nobody of the tool's takes part in it.
    pub(crate) async fn apply(&self, file: &str) {
        self.create(&read(file), "live").await;
    }

    /// Creates what a text describes, as the manager of that name does.
    pub(crate) async fn create(&self, text: &str, manager: &str) {
        for document in text.split("\n---\n") {
            let kind = document.lines().find_map(|it| it.strip_prefix("kind: ")).unwrap();
            let (version, plural) = match kind {
                "ConfigMap" => ("api/v1", "configmaps"),
                "Pod" => ("api/v1", "pods"),
                "Service" => ("api/v1", "services"),
                "StatefulSet" => ("apis/apps/v1", "statefulsets"),
                "Role" => ("apis/rbac.authorization.k8s.io/v1", "roles"),
                "ServiceAccount" => ("api/v1", "serviceaccounts"),
                "Job" => ("apis/batch/v1", "jobs"),
                "NetworkPolicy" => ("apis/networking.k8s.io/v1", "networkpolicies"),
                "RoleBinding" => ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
                other => panic!("{other}"),
            };
            let path =
                format!("/{version}/namespaces/{}/{plural}?fieldManager={manager}", self.namespace);
            let request = http::Request::post(path)
                .header("Content-Type", "application/yaml")
                .body(document.as_bytes().to_vec())
                .unwrap();
            self.client.request_text(request).await.unwrap();
        }
    }

    /// The set as it stands.
    pub(crate) async fn set(&self) -> StatefulSet {
        self.api().get("web").await.unwrap()
    }

    /// Applies [`STANDING`], and waits until it is whole.
    pub(crate) async fn stand(&self) {
        self.apply(STANDING).await;
        self.settled("web", 3).await;
    }

    /// Makes a claim that no set made.
    pub(crate) async fn claim(&self, name: &str) {
        let claim = json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}}});
        let claim: PersistentVolumeClaim = serde_json::from_value(claim).unwrap();
        self.api().create(&PostParams::default(), &claim).await.unwrap();
    }

    /// Waits until the set has just so many pods, all Ready.
    pub(crate) async fn settled(&self, set: &str, replicas: usize) {
        let pods: Api<Pod> = self.api();
        let began = Instant::now();
        loop {
            let list = pods.list(&ListParams::default()).await.unwrap().items;
            if list.len() == replicas && list.iter().all(is_ready) {
                return;
            }
            assert!(began.elapsed() < WHOLE, "{set} has {} pods", list.len());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The names of the pods that are not Ready.
    pub(crate) async fn unready_pods(&self) -> Vec<String> {
        let pods = self.api::<Pod>().list(&ListParams::default()).await.unwrap();
        pods.iter().filter(|it| !is_ready(it)).map(|it| it.name_any()).collect()
    }

    /// All that `kubectl get sts,pods,pvc,svc,lease` shows but the pods' UIDs and every age, who
    /// owns the sets' replicas, and what the claims hold.
    pub(crate) async fn state(&self) -> BTreeMap<String, String> {
        let all = ListParams::default();
        let mut state = BTreeMap::new();
        for it in self.api::<StatefulSet>().list(&all).await.unwrap() {
            state.insert(
                format!("set {}", it.name_any()),
                json!([it.uid(), it.labels(), it.annotations(), it.spec, replicas_owners(&it)])
                    .to_string(),
            );
        }
        for it in self.api::<Service>().list(&all).await.unwrap() {
            state.insert(
                format!("service {}", it.name_any()),
                json!([it.uid(), it.labels(), it.annotations(), it.spec]).to_string(),
            );
        }
        for it in self.api::<PersistentVolumeClaim>().list(&all).await.unwrap() {
            state.insert(
                format!("claim {}", it.name_any()),
                json!([it.uid(), it.labels(), it.annotations(), it.spec]).to_string(),
            );
        }
        for it in self.api::<Lease>().list(&all).await.unwrap() {
            state.insert(format!("lease {}", it.name_any()), String::new());
        }
        for it in self.api::<Pod>().list(&all).await.unwrap() {
            let files = self
                .sh(
                    &it.name_any(),
                    "cd /data && for f in * .[!.]*; do if [ -f \"$f\" \
                ]; then echo \"$f:\" && cat \"$f\"; fi; done",
                )
                .await;
            state.insert(
                format!("pod {}", it.name_any()),
                format!("{} {files}", json!([it.labels(), it.annotations()])),
            );
        }
        state
    }

    /// Runs a script in a pod, and gives what it printed. It must succeed, or what it did not read
    /// would seem to be empty.
    pub(crate) async fn sh(&self, pod: &str, script: &str) -> String {
        self.sh_of(pod, AttachParams::default(), script).await
    }

    /// The same in one of several containers.
    pub(crate) async fn sh_in(&self, pod: &str, container: &str, script: &str) -> String {
        self.sh_of(pod, AttachParams::default().container(container), script).await
    }

    async fn sh_of(&self, pod: &str, how: AttachParams, script: &str) -> String {
        let mut exec =
            self.api::<Pod>().exec(pod, ["sh", "-c", script], &how.stderr(false)).await.unwrap();
        let status = exec.take_status().unwrap();
        let mut out = String::new();
        exec.stdout().unwrap().read_to_string(&mut out).await.unwrap();
        let status = status.await.unwrap();
        assert_eq!(status.status.as_deref(), Some("Success"), "{pod}: {script}: {status:?}");
        out
    }

    /// Begins a grade, and waits until it says `moment`; what it had said until then comes with it.
    pub(crate) async fn begin(
        &self,
        moment: &str,
        args: &[&str],
    ) -> (Child, tokio::task::JoinHandle<String>) {
        let save = self.recording();
        self.begin_at(moment, &[&["--save", save.to_str().unwrap()], args].concat()).await
    }

    /// The same, with a place of its own for the recording.
    pub(crate) async fn begin_at(
        &self,
        moment: &str,
        args: &[&str],
    ) -> (Child, tokio::task::JoinHandle<String>) {
        let (child, mut lines) = started(self.command("grade", args).stdout(Stdio::piped()));
        let mut err = String::new();
        loop {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .unwrap_or_else(|| panic!("it never said {moment:?}: {err}"));
            err.push_str(&format!("{line}\n"));
            if line.contains(" s  ") && line.contains(moment) {
                break;
            }
        }
        let rest = tokio::spawn(async move {
            while let Some(line) = lines.next_line().await.unwrap() {
                err.push_str(&format!("{line}\n"));
            }
            err
        });
        (child, rest)
    }

    /// Begins a grade, presses Ctrl-C when it says `moment`, and waits for its end.
    pub(crate) async fn stop_when(&self, moment: &str, args: &[&str]) -> Ran {
        let (child, rest) = self.begin(moment, args).await;
        send(&child, "INT");
        ended(child, rest).await
    }

    /// Begins a grade and kills it when it says `moment`.
    pub(crate) async fn kill_when(&self, moment: &str, args: &[&str]) {
        let (mut child, _) = self.begin(moment, args).await;
        child.kill().await.unwrap();
    }

    /// Kills a grade some time after it says `moment`; whether it was still at work.
    pub(crate) async fn kill_after(&self, moment: &str, later: Duration) -> bool {
        let (mut child, _) = self.begin(moment, &[]).await;
        tokio::time::sleep(later).await;
        let at_work = child.try_wait().unwrap().is_none();
        let _ = child.kill().await;
        at_work
    }

    /// Sends a signal when a grade says `moment` and the set is asked for `asked`: how it ended,
    /// and how many pods of the set were Ready as soon as it was asked for `replicas` again.
    pub(crate) async fn signal_and_look(
        &self,
        moment: &str,
        signal: &str,
        asked: i32,
        replicas: i32,
    ) -> (Ran, i32) {
        let (child, rest) = self.begin(moment, &[]).await;
        self.asked_for_replicas(|it| it == asked).await;
        send(&child, signal);
        let set = self.asked_for_replicas(|it| it == replicas).await;
        (ended(child, rest).await, set.status.and_then(|it| it.ready_replicas).unwrap_or(0))
    }

    /// Waits until the set is asked for such a number of replicas.
    pub(crate) async fn asked_for_replicas(&self, such: impl Fn(i32) -> bool) -> StatefulSet {
        let began = Instant::now();
        loop {
            let set = self.api::<StatefulSet>().get("web").await.unwrap();
            if set.spec.replicas.is_some_and(&such) {
                return set;
            }
            assert!(began.elapsed() < WHOLE, "the set was never asked for that many replicas");
            tokio::time::sleep(LOOK / 10).await;
        }
    }

    /// Presses Ctrl-C twice.
    pub(crate) async fn signal_twice(&self, moment: &str) -> Ran {
        let (child, rest) = self.begin(moment, &[]).await;
        self.asked_for_replicas(|it| it > 3).await;
        // Putting back waits until this one is gone.
        self.finalize("data-web-3", &["kubernetes.io/pvc-protection", "live.example/keep"]).await;
        send(&child, "INT");
        // It answers the first one by asking for three again.
        self.asked_for_replicas(|it| it == 3).await;
        // What comes sooner is taken for the same one.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        send(&child, "INT");
        let ended = ended(child, rest).await;
        self.finalize("data-web-3", &[]).await;
        ended
    }

    /// Gives a claim these finalizers, once it stands.
    async fn finalize(&self, claim: &str, finalizers: &[&str]) {
        let api = self.api::<PersistentVolumeClaim>();
        let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
        let began = Instant::now();
        while let Err(error) = api.patch(claim, &PatchParams::default(), &patch).await {
            assert!(began.elapsed() < WHOLE, "{claim}: {error}");
            tokio::time::sleep(LOOK / 10).await;
        }
    }

    /// A pod of the namespace as the API server would make it now; nothing is made.
    pub(crate) async fn tried_pod(&self) -> Option<Pod> {
        let tried = json!({"metadata": {"name": "tried"}, "spec": {
            "automountServiceAccountToken": false,
            "containers": [{"name": "app", "image": "busybox:1.36"}]}});
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        self.api().create(&dry_run, &serde_json::from_value::<Pod>(tried).unwrap()).await.ok()
    }

    /// Waits for what a new namespace lacks at first: its service account.
    pub(crate) async fn until_pods_can_be_made(&self) {
        self.until("pods can be made", async || self.tried_pod().await.is_some()).await;
    }

    /// Asks for a claim's deletion, as `kubectl delete pvc --wait=false` does.
    pub(crate) async fn delete_claim(&self, name: &str) {
        self.api::<PersistentVolumeClaim>().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Removes the claims of pods that a grade added and of which the tool cannot know that they are
    /// its own: it has named them. How many there were.
    pub(crate) async fn remove_named_claims(&self, told: &Ran) -> usize {
        let claims: Api<PersistentVolumeClaim> = self.api();
        let mut named = 0;
        for name in ["data-web-3", "data-web-4"] {
            if claims.get_opt(name).await.unwrap().is_some() {
                let is_named = told.says(&format!("PVC {name} stays, because"));
                assert!(is_named, "{name}: {}", told.told());
                self.delete_claim(name).await;
                named += 1;
            }
            let is_gone = async || claims.get_opt(name).await.unwrap().is_none();
            self.until("the claim is gone", is_gone).await;
        }
        named
    }

    /// Takes the finalizers off a claim, as `kubectl patch pvc` does.
    pub(crate) async fn release_claim(&self, name: &str) {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        let claims: Api<PersistentVolumeClaim> = self.api();
        claims.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Deletes the namespace, which a finalizer in it holds.
    pub(crate) async fn hold_and_delete(&self) {
        let stuck = json!({"metadata": {"name": "stuck", "finalizers": ["live.example/stuck"]}});
        let maps: Api<ConfigMap> = self.api();
        maps.create(&PostParams::default(), &serde_json::from_value(stuck).unwrap()).await.unwrap();
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
        let began = Instant::now();
        while namespaces.get(&self.namespace).await.unwrap().metadata.deletion_timestamp.is_none() {
            assert!(began.elapsed() < WHOLE);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Takes the finalizer away.
    pub(crate) async fn let_go(&self) {
        let patch = json!({"metadata": {"finalizers": null}});
        self.api::<ConfigMap>()
            .patch("stuck", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }

    /// Waits until somebody grades here.
    pub(crate) async fn locked(&self) {
        self.until("somebody grades", async || self.has_lease().await).await;
    }

    /// Whether somebody grades here, or left a Lease.
    pub(crate) async fn has_lease(&self) -> bool {
        !self.api::<Lease>().list(&ListParams::default()).await.unwrap().items.is_empty()
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !is_so().await {
            assert!(began.elapsed() < WHOLE, "{}: it never came that {what}", self.namespace);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until all pods of all sets are Ready, or have had their time for it: what fails may
    /// stand still for ever.
    pub(crate) async fn stands_as_far_as_it_can(&self) {
        let sets: Api<StatefulSet> = self.api();
        let is_whole = |set: &StatefulSet| {
            let status = set.status.clone().unwrap_or_default();
            let replicas = set.spec.replicas;
            status.observed_generation == set.metadata.generation
                && status.ready_replicas.or(Some(0)) == replicas
        };
        let whole = self.until("all is Ready", async || {
            sets.list(&ListParams::default()).await.unwrap().items.iter().all(is_whole)
        });
        let _ = tokio::time::timeout(STANDS, whole).await;
    }

    /// A kubeconfig of an account that may do just what `stsgrade rbac` says.
    pub(crate) async fn as_guest(&self) -> PathBuf {
        let account = ServiceAccount {
            metadata: ObjectMeta { name: Some("stsgrade".to_owned()), ..ObjectMeta::default() },
            ..ServiceAccount::default()
        };
        let accounts: Api<ServiceAccount> = self.api();
        accounts.create(&PostParams::default(), &account).await.unwrap();
        self.create(&self.stsgrade("rbac", &[]).await.out, "live").await;
        let wish =
            TokenRequest { spec: Some(TokenRequestSpec::default()), ..TokenRequest::default() };
        let token = accounts
            .create_token_request("stsgrade", &PostParams::default(), &wish)
            .await
            .unwrap()
            .status
            .unwrap()
            .token;
        let mut config = serde_json::to_value(Kubeconfig::read().unwrap()).unwrap();
        for user in config["users"].as_array_mut().unwrap() {
            user["user"] = json!({"token": token});
        }
        let path = self.folder.path().join("guest.json");
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    pub(crate) async fn role(&self) -> Vec<PolicyRule> {
        self.api::<Role>().get("stsgrade").await.unwrap().rules.unwrap()
    }

    /// Changes what the guest may do, and waits until the authorizer, which learns of it by a watch
    /// of its own, knows.
    pub(crate) async fn set_role(&self, rules: Vec<PolicyRule>) {
        let roles: Api<Role> = self.api();
        let mut role = roles.get("stsgrade").await.unwrap();
        let wanted = permissions(&rules);
        let before = permissions(&role.rules.replace(rules).unwrap_or_default());
        roles.replace("stsgrade", &PostParams::default(), &role).await.unwrap();
        for permission in before.symmetric_difference(&wanted) {
            let began = Instant::now();
            while self.guest_may(permission).await != wanted.contains(permission) {
                assert!(began.elapsed() < WHOLE, "the authorizer never learned of {permission:?}");
                tokio::time::sleep(LOOK / 10).await;
            }
        }
    }

    async fn guest_may(&self, [group, resource, verb]: &[String; 3]) -> bool {
        let (resource, subresource) = resource
            .split_once('/')
            .map_or((resource.as_str(), None), |(one, other)| (one, Some(other)));
        let asked = json!({"metadata": {"namespace": self.namespace}, "spec": {
            "user": format!("system:serviceaccount:{}:stsgrade", self.namespace),
            "resourceAttributes": {"namespace": self.namespace, "group": group, "resource": resource, "subresource": subresource, "verb": verb,
                // The one Lease that may be read, changed and deleted; a rule for all objects
                // allows this one too.
                "name": "stsgrade"}}});
        let reviews: Api<LocalSubjectAccessReview> = self.api();
        let review = reviews
            .create(&PostParams::default(), &serde_json::from_value(asked).unwrap())
            .await
            .unwrap();
        review.status.unwrap().allowed
    }

    /// A grade that must not begin.
    pub(crate) async fn refused(&self, args: &[&str]) -> Ran {
        let told = self.grade(args).await;
        assert_eq!(told.status, 4, "{}", told.told());
        told
    }
}

/// The entries of `metadata.managedFields` that own the set's replicas, without other fields.
pub(crate) fn replicas_owners(set: &StatefulSet) -> Vec<Value> {
    let mut owners = vec![];
    for entry in set.managed_fields() {
        let mut entry = json!(entry);
        let fields = entry.as_object_mut().unwrap().remove("fieldsV1").unwrap_or_default();
        if fields.pointer("/f:spec/f:replicas").is_some() {
            owners.push(entry);
        }
    }
    owners.sort_by_key(Value::to_string);
    owners
}

/// Whether a pod is Ready, and stays.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|it| it.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().flatten().any(|it| it.type_ == "Ready" && it.status == "True")
}

/// A file of the project.
pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Group, resource and verb of each thing that is allowed.
fn permissions(rules: &[PolicyRule]) -> BTreeSet<[String; 3]> {
    let list = |of: &Option<Vec<String>>| of.clone().unwrap_or_default();
    let mut all = BTreeSet::new();
    for rule in rules {
        for group in list(&rule.api_groups) {
            for resource in list(&rule.resources) {
                all.extend(
                    rule.verbs.iter().map(|verb| [group.clone(), resource.clone(), verb.clone()]),
                );
            }
        }
    }
    all
}

pub(crate) fn send(child: &Child, signal: &str) {
    let pid = child.id().unwrap().to_string();
    assert!(
        std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success()
    );
}

pub(crate) async fn ended(child: Child, rest: tokio::task::JoinHandle<String>) -> Ran {
    let output = child.wait_with_output().await.unwrap();
    Ran {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: rest.await.unwrap(),
    }
}
