//! Applying a submission, as kubectl's server-side apply does.

use std::time::Duration;

use checks::model::{
    Version,
    observation::{Kind, Reference},
};
use http::{Method, Request, StatusCode};
use kube::{client::Body, core::Status};
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, Failure, Tried,
    writes::{
        field_owners::{self, MANAGER},
        refusal::refused,
        terminating,
        terminating::Terminating,
    },
};
use crate::{
    console::sanitize::sanitize,
    submission::{AppliedKind, Manifest, Submission},
};

/// How long a new namespace may take to get its default service account.
const SERVICE_ACCOUNT: Duration = Duration::from_secs(20);
/// How often an object that changes meanwhile is looked at to write other field owners: as often as
/// client-go tries again after a conflict (`retry.DefaultRetry`).
const REPLACE_TRIES: usize = 5;
/// Between two looks at what the cluster makes by itself.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// What was applied so far: what a clean-up has to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyResult {
    /// The objects that did not exist before.
    pub created: Vec<(AppliedKind, Reference)>,
    /// The objects that stood already.
    pub configured: Vec<(AppliedKind, Reference)>,
    /// What the API server answered of those that are watched: the version at which the watch shows
    /// what was applied.
    pub answered: Vec<(Kind, Version)>,
}

impl ApplyResult {
    /// Whether the set of that name did not exist before.
    #[must_use]
    pub fn has_created_set(&self, name: &str) -> bool {
        self.created.iter().any(|(kind, it)| *kind == AppliedKind::StatefulSet && it.name == name)
    }

    /// In words: `service/web created, statefulset/web configured`.
    #[must_use]
    pub fn words(&self) -> String {
        let say = |done: &[(AppliedKind, Reference)], what: &str| -> Vec<String> {
            done.iter().map(|it| format!("{} {what}", object_name(it))).collect()
        };
        [say(&self.created, "created"), say(&self.configured, "configured")].concat().join(", ")
    }

    /// All objects, as the recording names them: `service/web`, `statefulset/web`.
    #[must_use]
    pub fn objects(&self) -> Vec<String> {
        self.created.iter().chain(&self.configured).map(object_name).collect()
    }
}

/// `service/web`.
fn object_name((kind, it): &(AppliedKind, Reference)) -> String {
    format!("{}/{}", kind.names().0.to_lowercase(), it.name)
}

/// What is known of the namespace when it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its UID, if it was made for this grade.
    pub made: Option<String>,
    /// It has the Pod Security level that a grader gave it.
    pub has_our_level: bool,
}

/// The label with a namespace's Pod Security level.
pub(crate) const LEVEL_LABEL: &str = "pod-security.kubernetes.io/enforce";
/// The Pod Security level that a namespace of ours gets.
pub(crate) const OUR_LEVEL: &str = "baseline";
/// The label by which a namespace of ours is known.
pub(crate) const OURS: (&str, &str) = ("app.kubernetes.io/managed-by", "stsgrade");

/// Makes the namespace when it is missing.
///
/// Its Pod Security level is `baseline`, unless what comes into it is trusted.
///
/// Whoever may not look at namespaces is taken to have been given one.
///
/// # Errors
/// It is missing and cannot be made, or it is being deleted.
pub async fn ensure_namespace(cluster: &Cluster, trust: bool) -> Result<Namespace, Failure> {
    let path = format!("/api/v1/namespaces/{}", cluster.namespace);
    let failure = |error: &kube::Error, verb| {
        Failure::of(
            error,
            &Tried {
                verb,
                resource: "namespaces",
                name: &cluster.namespace,
                namespace: &cluster.namespace,
                server: &cluster.server,
            },
        )
    };
    match send(cluster, Method::GET, &path, "", None).await {
        Ok((_, it)) if it.pointer("/metadata/deletionTimestamp").is_some() => {
            return Err(Failure::terminating_namespace(&cluster.namespace));
        }
        Ok((_, it)) => {
            let has = |(label, value): (&str, &str)| it["metadata"]["labels"][label] == value;
            return Ok(Namespace {
                made: None,
                has_our_level: has(OURS) && has((LEVEL_LABEL, OUR_LEVEL)),
            });
        }
        Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(Namespace::default()),
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        Err(error) => return Err(failure(&error, "get")),
    }
    let mut labels = json!({OURS.0: OURS.1});
    if !trust {
        labels[LEVEL_LABEL] = json!(OUR_LEVEL);
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.namespace, "labels": labels}});
    let uid = match send(
        cluster,
        Method::POST,
        &format!("/api/v1/namespaces?fieldManager={MANAGER}"),
        "application/json",
        Some(&namespace),
    )
    .await
    {
        Ok((_, made)) => {
            made.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            return Ok(Namespace::default());
        }
        Err(error) => return Err(failure(&error, "create")),
    };
    await_service_account(cluster).await?;
    Ok(Namespace { made: Some(uid), has_our_level: !trust })
}

/// Looks, before anything is applied, whether an object of the submission exists and is being
/// deleted.
///
/// # Errors
/// One is. The API server refuses to show one, or cannot be reached.
pub(crate) async fn none_is_terminating(
    cluster: &Cluster,
    submission: &Submission,
) -> Result<(), Failure> {
    let mut found = vec![];
    for manifest in &submission.objects {
        let existing = get_existing(cluster, manifest).await?;
        if existing.is_some_and(|it| it.pointer("/metadata/deletionTimestamp").is_some()) {
            found.push(Terminating {
                kind: manifest.kind.names().0.to_lowercase(),
                name: manifest.name.clone(),
                used_by: None,
            });
        }
    }
    if found.is_empty() { Ok(()) } else { Err(terminating::failure(cluster, &found)) }
}

/// The manifest's object as the cluster has it, if it does.
async fn get_existing(cluster: &Cluster, manifest: &Manifest) -> Result<Option<Value>, Failure> {
    let path = object_path(cluster, manifest.kind, &manifest.name);
    match send(cluster, Method::GET, &path, "", None).await {
        Ok((_, object)) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(error) => Err(cluster
            .failure(&error, "get", manifest.kind.names().2, &manifest.name)
            .because(manifest.place.to_string())),
    }
}

/// Applies all objects in their order, and notes each in `result` as soon as it stands.
///
/// All are tried by a dry run first, so that what the API server refuses leaves nothing half
/// applied.
///
/// # Errors
/// The API server refuses one; those before it stand, are in `result`, and are named.
pub async fn apply(
    cluster: &Cluster,
    submission: &Submission,
    result: &mut ApplyResult,
) -> Result<(), Failure> {
    let mut taken_over = vec![];
    if let Err(failure) = try_out(cluster, submission, &mut taken_over).await {
        return Err(give_back_all(cluster, &taken_over, failure).await);
    }
    for manifest in &submission.objects {
        let (is_new, uid, version) = match apply_one(cluster, manifest, Mode::ForGood).await {
            Ok(done) => done,
            Err(failure) if *result == ApplyResult::default() => {
                return Err(failure.because("nothing was applied"));
            }
            Err(failure) => {
                return Err(failure.because(format!("applied before that: {}", result.words())));
            }
        };
        result.answered.extend(watched(manifest.kind).map(|kind| (kind, version)));
        let done = if is_new { &mut result.created } else { &mut result.configured };
        done.push((manifest.kind, Reference { name: manifest.name.clone(), uid }));
    }
    Ok(())
}

/// Tries all objects by a dry run, once their fields are ours: what the manifest drops may be what
/// the API server would refuse.
async fn try_out<'s>(
    cluster: &Cluster,
    submission: &'s Submission,
    taken_over: &mut Vec<TakenOver<'s>>,
) -> Result<(), Failure> {
    for manifest in &submission.objects {
        taken_over.extend(take_over_fields(cluster, manifest).await?);
    }
    for manifest in &submission.objects {
        apply_one(cluster, manifest, Mode::DryRun).await?;
    }
    Ok(())
}

/// An object whose fields were moved to our manager.
struct TakenOver<'s> {
    manifest: &'s Manifest,
    /// Its `managedFields` before.
    before: Vec<Value>,
}

/// Moves the fields that kubectl's own ways of applying a manifest own to our manager. What the new
/// manifest drops is then removed, as `kubectl apply` would remove it; `kubectl apply
/// --server-side` does the same.
async fn take_over_fields<'s>(
    cluster: &Cluster,
    manifest: &'s Manifest,
) -> Result<Option<TakenOver<'s>>, Failure> {
    let replaced = replace_fields(cluster, manifest, field_owners::moved_to_our_manager).await?;
    let before = replaced.and_then(|it| it.pointer("/metadata/managedFields")?.as_array().cloned());
    Ok(before.map(|before| TakenOver { manifest, before }))
}

/// Gives the fields back, because nothing is applied; `failure` says why, and which could not be
/// given back.
async fn give_back_all(
    cluster: &Cluster,
    taken_over: &[TakenOver<'_>],
    failure: Failure,
) -> Failure {
    let mut failure = failure;
    for it in taken_over {
        let owners = |object: &Value| field_owners::given_back(object, &it.before);
        if let Err(why) = replace_fields(cluster, it.manifest, owners).await {
            let (kind, name) = (it.manifest.kind.names().0.to_lowercase(), &it.manifest.name);
            failure = failure.because(format!(
                "{kind}/{name} is as it was, but its fields are not kubectl's any more: {why}"
            ));
        }
    }
    failure
}

/// Writes other `managedFields` of what the manifest names, if `owners` gives some: the object as it
/// was.
async fn replace_fields(
    cluster: &Cluster,
    manifest: &Manifest,
    owners: impl Fn(&Value) -> Option<Vec<Value>>,
) -> Result<Option<Value>, Failure> {
    let path = object_path(cluster, manifest.kind, &manifest.name);
    let failure = |error: &kube::Error| {
        cluster
            .failure(error, "patch", manifest.kind.names().2, &manifest.name)
            .because(manifest.place.to_string())
    };
    replace_owners(cluster, &path, async || get_existing(cluster, manifest).await, owners, failure)
        .await
}

/// Writes other `managedFields`, if `owners` gives some of what `look` finds: the object as it was.
///
/// The object may change between the look and the change: the set's controller writes its status at
/// any time. Then it is looked at again.
///
/// # Errors
/// What `look` fails with, and what `failure` makes of what the API server answers.
pub(crate) async fn replace_owners(
    cluster: &Cluster,
    path: &str,
    look: impl AsyncFn() -> Result<Option<Value>, Failure>,
    owners: impl Fn(&Value) -> Option<Vec<Value>>,
    failure: impl Fn(&kube::Error) -> Failure,
) -> Result<Option<Value>, Failure> {
    let mut tries_left = REPLACE_TRIES;
    loop {
        let Some(object) = look().await? else { return Ok(None) };
        let version = object.pointer("/metadata/resourceVersion");
        let (Some(fields), Some(version)) = (owners(&object), version) else { return Ok(None) };
        let patch = json!({"metadata": {"managedFields": fields, "resourceVersion": version}});
        tries_left -= 1;
        match send(
            cluster,
            Method::PATCH,
            &format!("{path}?fieldManager={MANAGER}"),
            "application/merge-patch+json",
            Some(&patch),
        )
        .await
        {
            Ok(_) => return Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.is_conflict() && tries_left > 0 => {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
            Err(error) => return Err(failure(&error)),
        }
    }
}

/// Without it the API server refuses every pod, and the set's controller waits long before it tries
/// again. It is read again and again, because a Role that lets somebody read it need not allow a
/// watch.
async fn await_service_account(cluster: &Cluster) -> Result<(), Failure> {
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/default", cluster.namespace);
    let began = tokio::time::Instant::now();
    while began.elapsed() < SERVICE_ACCOUNT {
        match send(cluster, Method::GET, &path, "", None).await {
            Ok(_) => return Ok(()),
            // Whoever may make namespaces but not look into them has to hope.
            Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
            Err(error) => return Err(cluster.failure(&error, "get", "serviceaccounts", "default")),
        }
    }
    let what = format!("the default service account of namespace {}", cluster.namespace);
    Err(Failure::timed_out(&what, SERVICE_ACCOUNT.as_secs()))
}

/// The watch that shows an applied object.
const fn watched(kind: AppliedKind) -> Option<Kind> {
    match kind {
        AppliedKind::StatefulSet => Some(Kind::StatefulSet),
        AppliedKind::Service => Some(Kind::Service),
        AppliedKind::PersistentVolumeClaim => Some(Kind::PersistentVolumeClaim),
        AppliedKind::Pod => Some(Kind::Pod),
        _ => None,
    }
}

/// Whether what is sent is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    DryRun,
    ForGood,
}

impl Mode {
    /// The query of a request in this mode.
    fn query(self) -> String {
        let dry_run = if self == Self::DryRun { "&dryRun=All" } else { "" };
        format!("fieldManager={MANAGER}&fieldValidation=Strict{dry_run}")
    }

    /// Whether an error of a dry run says nothing of the manifest: what it needs may be applied
    /// just before it, and a webhook may refuse all dry runs.
    fn excuses(self, status: &Status) -> bool {
        const OF_DRY_RUN: [&str; 2] =
            ["error looking up service account", "does not support dry run"];
        self == Self::DryRun && OF_DRY_RUN.iter().any(|it| status.message.contains(it))
    }
}

/// Applies one object; returns whether it is new, its UID and its version.
async fn apply_one(
    cluster: &Cluster,
    manifest: &Manifest,
    mode: Mode,
) -> Result<(bool, String, Version), Failure> {
    let path = object_path(cluster, manifest.kind, &manifest.name);
    let server_side = format!("{path}?{}&force=true", mode.query());
    let mut answer = send(
        cluster,
        Method::PATCH,
        &server_side,
        "application/apply-patch+yaml",
        Some(&manifest.value),
    )
    .await;
    if answer.as_ref().is_err_and(is_too_strict) {
        answer = create_or_merge(cluster, manifest, &path, mode).await;
    }
    match answer {
        Ok((status, object)) => {
            let text =
                |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let version = Version::of(text("/metadata/resourceVersion"));
            Ok((status == StatusCode::CREATED, text("/metadata/uid").to_owned(), version))
        }
        Err(kube::Error::Api(status)) if mode.excuses(&status) => {
            Ok((false, String::new(), Version::of("")))
        }
        Err(kube::Error::Api(status))
            if matches!(status.code, 400 | 422) || is_of_the_manifest(&status) =>
        {
            Err(refused(cluster, manifest, &path, &status).await)
        }
        Err(error) => {
            let failure = cluster.failure(&error, "patch", manifest.kind.names().2, &manifest.name);
            Err(failure.because(manifest.place.to_string()).at(manifest.place.clone(), ""))
        }
    }
}

/// Whether the server failed on what the manifest says: what it cannot convert is told so (Kubernetes
/// 1.30 to 1.37, of an amount with an unknown unit).
fn is_of_the_manifest(status: &Status) -> bool {
    status.code == 500 && status.message.contains("unable to convert unstructured object")
}

/// Server-side apply refuses what `kubectl apply` takes (a variable that is set twice), and words
/// unknown fields worse.
fn is_too_strict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.message.contains("typed patch object"))
}

async fn create_or_merge(
    cluster: &Cluster,
    manifest: &Manifest,
    path: &str,
    mode: Mode,
) -> Result<(StatusCode, Value), kube::Error> {
    let collection = path.rsplit_once('/').map_or(path, |(collection, _)| collection);
    match send(
        cluster,
        Method::POST,
        &format!("{collection}?{}", mode.query()),
        "application/json",
        Some(&manifest.value),
    )
    .await
    {
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            send(
                cluster,
                Method::PATCH,
                &format!("{path}?{}", mode.query()),
                "application/merge-patch+json",
                Some(&manifest.value),
            )
            .await
        }
        other => other,
    }
}

/// The path of an object in the cluster's namespace.
pub(crate) fn object_path(cluster: &Cluster, kind: AppliedKind, name: &str) -> String {
    let (_, version, plural) = kind.names();
    let group = if version.contains('/') { "apis" } else { "api" };
    format!("/{group}/{version}/namespaces/{}/{plural}/{name}", cluster.namespace)
}

/// One request; the status code tells created from changed, which kube's own calls hide.
pub(crate) async fn send(
    cluster: &Cluster,
    method: Method,
    path: &str,
    content: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Value), kube::Error> {
    let bytes = body
        .map(serde_json::to_vec)
        .transpose()
        .map_err(kube::Error::SerdeError)?
        .unwrap_or_default();
    let mut request = Request::builder().method(method).uri(path);
    if body.is_some() {
        request = request.header(http::header::CONTENT_TYPE, content);
    }
    let request = request.body(Body::from(bytes)).map_err(kube::Error::HttpError)?;
    let response = cluster.client.send(request).await?;
    let code = response.status();
    let bytes = response.into_body().collect_bytes().await?;
    if code.is_success() {
        return serde_json::from_slice(&bytes)
            .map(|it| (code, it))
            .map_err(kube::Error::SerdeError);
    }
    let said = serde_json::from_slice::<Status>(&bytes).unwrap_or_else(|_| {
        Status::failure(&sanitize(&String::from_utf8_lossy(&bytes)), "").with_code(code.as_u16())
    });
    Err(kube::Error::Api(Box::new(said)))
}

#[cfg(test)]
mod tests {
    use checks::model::observation::Reference;

    use super::ApplyResult;
    use crate::submission::AppliedKind;

    /// Catches a Pod and a claim of the submission that the judge, which looks for these names,
    /// tells as somebody else's.
    #[test]
    fn objects_are_named_as_the_judge_looks_for_them() {
        let object =
            |kind, name: &str| (kind, Reference { name: name.to_owned(), ..Reference::default() });
        let result = ApplyResult {
            created: vec![object(AppliedKind::Pod, "web-0")],
            configured: vec![object(AppliedKind::PersistentVolumeClaim, "data-web-0")],
            ..ApplyResult::default()
        };
        assert_eq!(result.objects(), ["pod/web-0", "persistentvolumeclaim/data-web-0"]);
        assert_eq!(
            result.words(),
            "pod/web-0 created, persistentvolumeclaim/data-web-0 configured"
        );
    }
}
