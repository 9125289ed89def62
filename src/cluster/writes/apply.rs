//! Applying a submission, as kubectl's server-side apply does.

use std::{collections::BTreeSet, time::Duration};

use checks::model::{
    Version,
    observation::{Kind, Reference},
};
use http::{Method, Request, StatusCode};
use kube::{client::Body, core::Status};
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, Failure, MaxTries, Tried,
    client::retry::{AWAY, retry_while_unavailable},
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
    let made = match send(
        cluster,
        Method::POST,
        &format!("/api/v1/namespaces?fieldManager={MANAGER}"),
        "application/json",
        Some(&namespace),
    )
    .await
    {
        Ok((_, made)) => uid(&made),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            return Ok(Namespace::default());
        }
        Err(error) => return Err(failure(&error, "create")),
    };
    await_service_account(cluster).await?;
    Ok(Namespace { made: Some(made), has_our_level: !trust })
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
    let stood = match try_out(cluster, submission, &mut taken_over).await {
        Ok(stood) => stood,
        Err(failure) => return Err(give_back_all(cluster, &taken_over, failure).await),
    };
    for manifest in &submission.objects {
        let Applied { is_new, uid, version } = match apply_for_good(cluster, manifest, &stood).await
        {
            Ok(applied) => applied,
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
/// the API server would refuse. Gives the UIDs of the objects that stand.
async fn try_out<'s>(
    cluster: &Cluster,
    submission: &'s Submission,
    taken_over: &mut Vec<TakenOver<'s>>,
) -> Result<BTreeSet<String>, Failure> {
    for manifest in &submission.objects {
        taken_over.extend(take_over_fields(cluster, manifest).await?);
    }
    let mut stood = BTreeSet::new();
    for manifest in &submission.objects {
        let tried = apply_one(cluster, manifest, Mode::DryRun).await?;
        if tried.is_none_or(|it| !it.is_new)
            && let Some(object) = get_existing(cluster, manifest).await?
        {
            stood.insert(uid(&object));
        }
    }
    Ok(stood)
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

    /// A dry run may be repeated. What is for good is sent once, so that whoever asked knows whether
    /// an object was there before.
    async fn send(
        self,
        cluster: &Cluster,
        method: Method,
        path: &str,
        content: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), kube::Error> {
        match self {
            Self::DryRun => send(cluster, method, path, content, body).await,
            Self::ForGood => send_once(cluster, method, path, content, body).await,
        }
    }

    /// Whether an error of a dry run says nothing of the manifest: what it needs may be applied
    /// just before it, and a webhook may refuse all dry runs.
    fn excuses(self, status: &Status) -> bool {
        const OF_DRY_RUN: [&str; 2] =
            ["error looking up service account", "does not support dry run"];
        self == Self::DryRun && OF_DRY_RUN.iter().any(|it| status.message.contains(it))
    }
}

/// What the API server made of one object.
#[derive(Default)]
struct Applied {
    /// It did not exist before.
    is_new: bool,
    uid: String,
    version: Version,
}

/// Applies one object; `stood`: the UIDs of those that stood before. An API server may be away for a
/// while.
async fn apply_for_good(
    cluster: &Cluster,
    manifest: &Manifest,
    stood: &BTreeSet<String>,
) -> Result<Applied, Failure> {
    let ask = async |again| {
        let mut applied = apply_one(cluster, manifest, Mode::ForGood).await?.unwrap_or_default();
        // Made by the try whose answer was lost.
        applied.is_new |= again && !stood.contains(&applied.uid);
        Ok(applied)
    };
    retry_while_unavailable(AWAY, ask).await
}

/// Applies one object, in one try where that is for good; `None` where a dry run tells nothing.
async fn apply_one(
    cluster: &Cluster,
    manifest: &Manifest,
    mode: Mode,
) -> Result<Option<Applied>, Failure> {
    let path = object_path(cluster, manifest.kind, &manifest.name);
    let server_side = format!("{path}?{}&force=true", mode.query());
    let mut answer = mode
        .send(
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
            let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
            Ok(Some(Applied {
                is_new: status == StatusCode::CREATED,
                uid: uid(&object),
                version: Version::of(version.unwrap_or_default()),
            }))
        }
        Err(kube::Error::Api(status)) if mode.excuses(&status) => Ok(None),
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

fn uid(object: &Value) -> String {
    object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned()
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
    match mode
        .send(
            cluster,
            Method::POST,
            &format!("{collection}?{}", mode.query()),
            "application/json",
            Some(&manifest.value),
        )
        .await
    {
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            mode.send(
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
    answer(cluster, request(method, path, content, body)?).await
}

/// The same, sent just once: of an answer that is lost, the caller learns. Whoever has to know what
/// its own request did asks again by itself.
pub(crate) async fn send_once(
    cluster: &Cluster,
    method: Method,
    path: &str,
    content: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Value), kube::Error> {
    let mut request = request(method, path, content, body)?;
    request.extensions_mut().insert(MaxTries(1));
    answer(cluster, request).await
}

fn request(
    method: Method,
    path: &str,
    content: &str,
    body: Option<&Value>,
) -> Result<Request<Body>, kube::Error> {
    let bytes = body
        .map(serde_json::to_vec)
        .transpose()
        .map_err(kube::Error::SerdeError)?
        .unwrap_or_default();
    let mut request = Request::builder().method(method).uri(path);
    if body.is_some() {
        request = request.header(http::header::CONTENT_TYPE, content);
    }
    request.body(Body::from(bytes)).map_err(kube::Error::HttpError)
}

async fn answer(
    cluster: &Cluster,
    request: Request<Body>,
) -> Result<(StatusCode, Value), kube::Error> {
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
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use checks::model::observation::Reference;
    use http::{Method, Request, Response};
    use kube::{Client, client::Body};
    use serde_json::json;
    use tower::service_fn;

    use super::{ApplyResult, apply};
    use crate::{
        cluster::Cluster,
        submission::{AppliedKind, Submission},
    };

    /// Catches an object that `--cleanup` would leave, because the answer to its creation was lost
    /// and the next try found it; and one that it would remove although it stood before.
    #[tokio::test(start_paused = true)]
    async fn what_a_lost_try_made_is_new() {
        for stood in [false, true] {
            let (stands, is_lost) =
                (Arc::new(AtomicBool::new(stood)), Arc::new(AtomicBool::new(true)));
            let service = service_fn(move |request: Request<Body>| {
                let is_dry = request.uri().query().is_some_and(|it| it.contains("dryRun"));
                let is_change = request.method() == Method::PATCH && !is_dry;
                let did_stand = if is_change {
                    stands.swap(true, Ordering::Relaxed)
                } else {
                    stands.load(Ordering::Relaxed)
                };
                let code = match did_stand {
                    _ if is_change && is_lost.swap(false, Ordering::Relaxed) => 504,
                    true => 200,
                    false if request.method() == Method::GET => 404,
                    false => 201,
                };
                let reason = if code == 404 { "NotFound" } else { "Timeout" };
                let answer = if code < 300 {
                    json!({"metadata": {"uid": if did_stand { "u" } else { "of a dry run" }}})
                } else {
                    json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                        "status": "Failure", "message": "", "reason": reason, "code": code})
                };
                let body = Body::from(answer.to_string().into_bytes());
                async move { Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap()) }
            });
            let cluster = Cluster::with(Client::new(service, "lab"), "lab");
            let manifest = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {}\n";
            let files = [("web.yaml".to_owned(), manifest.as_bytes().to_vec())];
            let submission = Submission::of_files(&files, "lab").unwrap();
            let mut result = ApplyResult::default();
            apply(&cluster, &submission, &mut result).await.unwrap();
            let service = Reference { name: "web".to_owned(), uid: "u".to_owned() };
            let applied = vec![(AppliedKind::Service, service)];
            let (new, old) = if stood { (vec![], applied) } else { (applied, vec![]) };
            assert_eq!((result.created, result.configured), (new, old));
        }
    }

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
