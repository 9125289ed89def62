//! What students do with kubectl beside the tool, by the same requests: kubectl itself is not
//! needed.

use std::path::{Path, PathBuf};

use http::{Method, Request};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::core::Status;
use serde_json::{Value, json};
use stsgrade::submission::{AppliedKind, Manifest, Submission};

use crate::{
    lab::{Lab, Ran},
    state::{STANDING, read},
};

/// Who owns the fields that `kubectl apply` sets without `--server-side`.
const MANAGER: &str = "fieldManager=kubectl-client-side-apply";
/// Where it keeps what it applied last, by which it knows what a later manifest drops.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl Lab {
    /// `kubectl apply -f FILE`.
    ///
    /// # Errors
    /// The API server refuses an object; those before it are applied.
    pub(crate) async fn kubectl_apply(&self, file: &Path) -> Result<(), Box<Status>> {
        let submission = Submission::read(&[file.to_owned()], &self.namespace).unwrap();
        for manifest in &submission.objects {
            self.kubectl_apply_one(manifest).await?;
        }
        Ok(())
    }

    /// `kubectl apply --server-side` of [`STANDING`]'s set, whose line of replicas is `replicas`, as
    /// the manager of that name: the replicas that the set has then.
    ///
    /// # Errors
    /// The API server refuses it: a conflict with another manager.
    pub(crate) async fn apply_server_side(
        &self,
        manager: &str,
        replicas: &str,
        query: &str,
    ) -> Result<Option<i32>, String> {
        let text = read(STANDING);
        let (_, set) = text.split_once("\n---\n").unwrap();
        let set = set.replace("  replicas: 3\n", replicas);
        let sets = collection(&self.namespace, AppliedKind::StatefulSet);
        let request = Request::patch(format!("{sets}/web?fieldManager={manager}{query}"))
            .header(http::header::CONTENT_TYPE, "application/apply-patch+yaml");
        match self.client.request::<StatefulSet>(request.body(set.into_bytes()).unwrap()).await {
            Err(kube::Error::Api(status)) => Err(status.message),
            set => Ok(set.unwrap().spec.replicas),
        }
    }

    /// Tries again as kubectl does where the controller has changed the object meanwhile.
    async fn kubectl_apply_one(&self, manifest: &Manifest) -> Result<(), Box<Status>> {
        const MAX_TRIES: usize = 5;
        for _ in 1..MAX_TRIES {
            match self.kubectl_apply_once(manifest).await {
                Err(status) if status.is_conflict() => {}
                applied => return applied,
            }
        }
        self.kubectl_apply_once(manifest).await
    }

    async fn kubectl_apply_once(&self, manifest: &Manifest) -> Result<(), Box<Status>> {
        let mut wanted = manifest.value.clone();
        if wanted["metadata"]["annotations"].is_null() {
            wanted["metadata"]["annotations"] = json!({});
        }
        let applied = wanted.clone();
        // Go's encoder writes these as HTML can take them.
        let text = applied.to_string().replace('&', "\\u0026");
        let text = text.replace('<', "\\u003c").replace('>', "\\u003e");
        wanted["metadata"]["annotations"][LAST_APPLIED] = format!("{text}\n").into();
        let collection = collection(&self.namespace, manifest.kind);
        let path = format!("{collection}/{}", manifest.name);
        let standing = match self.request(Method::GET, &path, "", None).await {
            Err(status) if status.is_not_found() => {
                return self
                    .request(
                        Method::POST,
                        &format!("{collection}?{MANAGER}"),
                        "application/json",
                        Some(&wanted),
                    )
                    .await
                    .map(drop);
            }
            standing => standing?,
        };
        let content = match manifest.kind {
            // Their specs hold what the cluster added, and a patch keeps it.
            AppliedKind::Pod | AppliedKind::PersistentVolumeClaim | AppliedKind::ServiceAccount => {
                "application/strategic-merge-patch+json"
            }
            // What the manifest drops goes, as by the patch that kubectl computes: as far as the
            // annotation holds it.
            _ => {
                let annotation = standing["metadata"]["annotations"][LAST_APPLIED].as_str();
                let last = annotation.map(|it| serde_json::from_str(it).unwrap());
                take_out_dropped(&last.unwrap_or_default(), &applied, &mut wanted);
                "application/merge-patch+json"
            }
        };
        wanted["metadata"]["resourceVersion"] = standing["metadata"]["resourceVersion"].clone();
        let path = format!("{path}?{MANAGER}");
        self.request(Method::PATCH, &path, content, Some(&wanted)).await.map(drop)
    }

    /// Runs each `kubectl delete` that the tool told, in its order, and says how many there were:
    /// those that a report says to type, else those that a text quotes.
    pub(crate) async fn obey(&self, told: &Ran) -> usize {
        const DELETE: &str = "kubectl delete ";
        // A long command goes on in the next line.
        let all: String = told.told().split("\\\n").map(str::trim_start).collect();
        let typed = all.lines().filter_map(|it| {
            it.trim_start().trim_start_matches("Type").trim_start().strip_prefix(DELETE)
        });
        let mut commands: Vec<&str> = typed.collect();
        let text = all.split_whitespace().collect::<Vec<_>>().join(" ");
        if commands.is_empty() {
            commands = text.split('`').filter_map(|it| it.strip_prefix(DELETE)).collect();
        }
        commands.dedup();
        for command in &commands {
            self.kubectl_delete(command).await;
        }
        commands.len()
    }

    /// `kubectl delete KIND NAME…` or `KIND/NAME…`, in this namespace; returns when all is gone.
    async fn kubectl_delete(&self, command: &str) {
        let mut words = command.split(' ');
        let (mut kind, mut orphan, mut targets) = (None, false, vec![]);
        while let Some(word) = words.next() {
            match (word, word.split_once('/')) {
                ("-n", _) => assert_eq!(words.next(), Some(self.namespace.as_str()), "{command}"),
                ("--cascade=orphan", _) => orphan = true,
                (flag, _) if flag.starts_with('-') => {}
                (_, Some((kind, name))) => targets.push((self.objects(kind), name)),
                (word, None) => match &kind {
                    None => kind = Some(self.objects(word)),
                    Some(kind) => targets.push((kind.clone(), word)),
                },
            }
        }
        let stuck = self.unready_pods().await;
        if targets.is_empty() {
            // The pod that the report speaks of, of which there is no other sign here.
            let pods = self.objects("pod");
            assert_eq!(kind.as_ref(), Some(&pods), "kubectl delete {command}");
            targets.extend(stuck.iter().map(|it| (pods.clone(), it.as_str())));
        }
        let options = json!({"propagationPolicy": if orphan { "Orphan" } else { "Background" }});
        let paths: Vec<PathBuf> =
            targets.iter().map(|(objects, name)| PathBuf::from(objects).join(name)).collect();
        let mut uids = vec![];
        for path in &paths {
            let path = path.to_str().unwrap();
            match self.request(Method::GET, path, "", None).await {
                Ok(it) => uids.push((path, it["metadata"]["uid"].clone())),
                Err(status) => assert!(status.is_not_found(), "{status:?}"),
            }
        }
        for (path, _) in &uids {
            self.request(Method::DELETE, path, "application/json", Some(&options)).await.unwrap();
        }
        self.until("what was deleted is gone", async || {
            for (path, uid) in &uids {
                if self
                    .request(Method::GET, path, "", None)
                    .await
                    .is_ok_and(|it| it["metadata"]["uid"] == *uid)
                {
                    return false;
                }
            }
            true
        })
        .await;
    }

    /// The path of all objects of a kind, which is named as kubectl takes it: singular, plural or
    /// short.
    fn objects(&self, word: &str) -> String {
        let short = match word {
            "lease" => {
                return format!(
                    "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
                    self.namespace
                );
            }
            "sts" => "statefulset",
            "svc" => "service",
            "pvc" => "persistentvolumeclaim",
            "po" => "pod",
            "deploy" => "deployment",
            other => other,
        };
        let is_it =
            |it: &AppliedKind| it.names().0.eq_ignore_ascii_case(short) || it.names().2 == short;
        let kind = AppliedKind::ALL
            .into_iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("kubectl delete {word}"));
        collection(&self.namespace, kind)
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        content: &str,
        body: Option<&Value>,
    ) -> Result<Value, Box<Status>> {
        let request =
            Request::builder().method(method).uri(path).header(http::header::CONTENT_TYPE, content);
        let body = body.map(|it| it.to_string().into_bytes()).unwrap_or_default();
        match self.client.request::<Value>(request.body(body).unwrap()).await {
            Err(kube::Error::Api(status)) => Err(status),
            answer => Ok(answer.unwrap()),
        }
    }
}

/// Lets a merge patch take out the fields that were applied last and are not any more.
fn take_out_dropped(last: &Value, now: &Value, patch: &mut Value) {
    let (Some(last), Some(now)) = (last.as_object(), now.as_object()) else { return };
    for (field, last) in last {
        match now.get(field) {
            None => patch[field] = Value::Null,
            Some(now) => take_out_dropped(last, now, &mut patch[field]),
        }
    }
}

fn collection(namespace: &str, kind: AppliedKind) -> String {
    let (_, version, plural) = kind.names();
    let group = if version.contains('/') { "apis" } else { "api" };
    format!("/{group}/{version}/namespaces/{namespace}/{plural}")
}
