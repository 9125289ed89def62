//! Applying a submission, as kubectl's server-side apply does.

use std::collections::BTreeSet;

use checks::model::{
    Version,
    diagnosis::is_of_a_policy,
    observation::{Kind, Reference},
};
use http::{Method, StatusCode};
use kube::core::Status;
use serde_json::Value;

use crate::cluster::{
    Cluster, Failure,
    client::retry::{MAX_UNAVAILABILITY, retry_while_unavailable},
    writes::{
        existing::get_existing,
        field_owners::{MANAGER, entries, text},
        field_ownership_transfer::{TransferredFields, give_back_all, transfer_fields},
        last_applied::with_last_applied,
        merge::{create_or_merge, is_too_strict},
        refusal::refused,
        send::{object_path, send, send_once, uid},
    },
};
use crate::submission::{AppliedKind, Manifest, Submission};

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

    /// Whether a set stood before.
    #[must_use]
    pub fn has_configured_set(&self) -> bool {
        self.configured.iter().any(|(kind, _)| *kind == AppliedKind::StatefulSet)
    }

    /// What stood before: `service/web`, `statefulset/web`.
    #[must_use]
    pub fn configured_objects(&self) -> Vec<String> {
        self.configured.iter().map(object_name).collect()
    }

    /// In words: `service/web created, statefulset/web configured`.
    #[must_use]
    pub fn words(&self) -> String {
        let say = |done: &[(AppliedKind, Reference)], what: &str| -> Vec<String> {
            done.iter().map(|it| format!("{} {what}", object_name(it))).collect()
        };
        [say(&self.created, "created"), say(&self.configured, "configured")].concat().join(", ")
    }

    /// That all of a submission was applied and stays, in words; `None` where it was not: then the
    /// failure says what was.
    pub(crate) fn applied_note(&self, submission: &Submission) -> Option<String> {
        let count = self.created.len() + self.configured.len();
        let is_whole = count > 0 && count == submission.objects.len();
        is_whole.then(|| format!("applied, and stays: {}", self.words()))
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
    let mut transferred = vec![];
    let stood = match try_out(cluster, submission, &mut transferred).await {
        Ok(stood) => stood,
        Err(failure) => return Err(give_back_all(cluster, &transferred, failure).await),
    };
    for (place, manifest) in submission.objects.iter().enumerate() {
        let Applied { is_new, uid, version } = match apply_for_good(cluster, manifest, &stood).await
        {
            Ok(applied) => applied,
            Err(failure) => {
                let failure = if *result == ApplyResult::default() {
                    failure.because("nothing was applied")
                } else {
                    failure.because(format!("applied before that: {}", result.words()))
                };
                let not_applied = &submission.objects[place..];
                transferred.retain(|it| not_applied.iter().any(|of| std::ptr::eq(of, it.manifest)));
                return Err(give_back_all(cluster, &transferred, failure).await);
            }
        };
        result.answered.extend(watch_of(manifest.kind).map(|kind| (kind, version)));
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
    transferred: &mut Vec<TransferredFields<'s>>,
) -> Result<BTreeSet<String>, Failure> {
    for manifest in &submission.objects {
        transferred.extend(transfer_fields(cluster, manifest).await?);
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

/// The watch that shows an applied object.
const fn watch_of(kind: AppliedKind) -> Option<Kind> {
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
pub(super) enum Mode {
    DryRun,
    ForGood,
}

impl Mode {
    /// The query of a request in this mode.
    pub(super) fn query(self) -> String {
        let dry_run = if self == Self::DryRun { "&dryRun=All" } else { "" };
        format!("fieldManager={MANAGER}&fieldValidation=Strict{dry_run}")
    }

    /// A dry run may be repeated. What is for good is sent once, so that whoever asked knows whether
    /// an object was there before.
    pub(super) async fn send(
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
        let found = if again { get_existing(cluster, manifest).await? } else { None };
        // Made by the try whose answer was lost, or by somebody else meanwhile.
        let is_own = found.is_some_and(|it| !stood.contains(&uid(&it)) && has_our_fields(&it));
        let mut applied = apply_one(cluster, manifest, Mode::ForGood).await?.unwrap_or_default();
        applied.is_new |= is_own;
        Ok(applied)
    };
    retry_while_unavailable(MAX_UNAVAILABILITY, ask).await
}

/// Whether a grade has applied an object.
fn has_our_fields(object: &Value) -> bool {
    entries(object).iter().any(|it| text(it, "manager") == MANAGER)
}

/// Applies one object, in one try where that is for good; `None` where a dry run tells nothing.
async fn apply_one(
    cluster: &Cluster,
    manifest: &Manifest,
    mode: Mode,
) -> Result<Option<Applied>, Failure> {
    let path = object_path(cluster, manifest.kind, &manifest.name);
    let server_side = format!("{path}?{}&force=true", mode.query());
    let object = with_last_applied(&manifest.value);
    let mut answer = mode
        .send(cluster, Method::PATCH, &server_side, "application/apply-patch+yaml", Some(&object))
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
        Err(kube::Error::Api(status)) if is_of_the_manifest(&status) => {
            Err(refused(cluster, manifest, &path, &status).await)
        }
        Err(error) => {
            let failure = cluster.failure(&error, "patch", manifest.kind.names().2, &manifest.name);
            Err(failure.because(manifest.place.to_string()).at(manifest.place.clone(), ""))
        }
    }
}

/// Whether what the manifest says is refused, and not by a policy of the cluster, which no lab knows
/// of. What the server cannot convert, it answers with a failure of its own (Kubernetes 1.30 to
/// 1.37, of an amount with an unknown unit).
fn is_of_the_manifest(status: &Status) -> bool {
    match status.code {
        400 | 422 => !is_of_a_policy(&status.message),
        500 => status.message.contains("unable to convert unstructured object"),
        _ => false,
    }
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
    /// and the next try found it; and one that it would remove although it stood before, or
    /// somebody else made it meanwhile.
    #[tokio::test(start_paused = true)]
    async fn what_a_lost_try_made_is_new() {
        for (stood, maker) in [(false, "stsgrade"), (true, "kubectl"), (false, "kubectl")] {
            let is_new = !stood && maker == "stsgrade";
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
                    let uid = if did_stand { "u" } else { "of a dry run" };
                    json!({"metadata": {"uid": uid, "managedFields": [{"manager": maker}]}})
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
            let what = if is_new { "created" } else { "configured" };
            let note = result.applied_note(&submission);
            assert_eq!(note, Some(format!("applied, and stays: service/web {what}")));
            assert_eq!(ApplyResult::default().applied_note(&submission), None);
            let (new, old) = if is_new { (applied, vec![]) } else { (vec![], applied) };
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
