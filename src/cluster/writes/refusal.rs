//! What the API server refuses about a manifest, in words for its author.

use http::Method;
use kube::core::Status;
use serde_json::Value;

use crate::cluster::{
    Cluster, Failure,
    client::failure_id,
    writes::{send::send, server_words, terminating::SetNames},
};
use crate::{
    console::sanitize::sanitize,
    submission::{AppliedKind, Manifest},
};

/// What the API server refuses about a manifest, in words for its author.
pub(super) async fn refused(
    cluster: &Cluster,
    manifest: &Manifest,
    path: &str,
    status: &Status,
) -> Failure {
    let existing = if status.code == 422 {
        send(cluster, Method::GET, path, "", None).await.ok().map(|(_, it)| it)
    } else {
        None
    };
    if let Some(conflict) = FixedFields::of(manifest, existing.as_ref(), status) {
        let claims = match existing.as_ref() {
            Some(existing) => claims_of_earlier(cluster, manifest, existing).await,
            None => vec![],
        };
        return conflict.failure(&cluster.namespace, manifest, &claims, status);
    }
    let known = match server_words::read(&status.message) {
        Some(known) => Some((known, vec![status.message.clone()])),
        None => status.details.iter().flat_map(|it| &it.causes).find_map(|it| {
            Some((server_words::read_cause(&it.field, &it.message)?, words_of_causes(status)))
        }),
    };
    let (kind, name) = (manifest.kind.names().0, sanitize(&manifest.name));
    let (what, next, field, words) = match known {
        Some((told, words)) => (
            format!("{kind} {name}: {}", sanitize(&told.why)),
            sanitize(&told.next),
            told.field,
            words,
        ),
        None => (
            format!("the API server refuses {kind} {name}"),
            "Correct the manifest; `kubectl apply --dry-run=server -f FILE` says the same."
                .to_owned(),
            refused_field(status),
            words_of_causes(status),
        ),
    };
    let place = manifest.place_of_told(&field);
    let failure = Failure::new(failure_id::REFUSED_MANIFEST, what, next)
        .because(place.to_string())
        .at(place, &field);
    words.into_iter().fold(failure, Failure::because)
}

/// Fields that differ from those of the object that stands already, and cannot be changed in place.
struct FixedFields {
    /// None where nobody knows which.
    fields: Vec<String>,
    /// A set that takes its claims along when it is deleted.
    takes_claims: bool,
}

impl FixedFields {
    /// What is refused for such fields; `None` where it is refused for something else.
    fn of(manifest: &Manifest, existing: Option<&Value>, status: &Status) -> Option<Self> {
        let fields = existing.map(|it| unchangeable(manifest.kind, &manifest.value, it));
        let fields = fields.unwrap_or_default();
        let is_said = status.message.contains("immutable")
            || status.message.contains("updates to statefulset spec");
        let takes_claims = existing
            .and_then(|it| it.pointer("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted"))
            .is_some_and(|it| it == "Delete");
        (is_said || !fields.is_empty()).then_some(Self { fields, takes_claims })
    }

    /// In words; `claims`: those that stand, and that are not as the manifest asks for them.
    fn failure(
        &self,
        namespace: &str,
        manifest: &Manifest,
        claims: &[String],
        status: &Status,
    ) -> Failure {
        let fields = self.fields.join(", ");
        let what = if fields.is_empty() { "a field that cannot be changed" } else { &fields };
        let (kind, name) = (manifest.kind.names().0, sanitize(&manifest.name));
        let failure = Failure::new(
            "immutable_field",
            format!("{kind} {name} stands already, and {what} cannot be changed in place"),
            self.next(&sanitize(namespace), manifest, claims),
        );
        let failure = failure.because(manifest.place.to_string()).because(&status.message);
        failure.at(manifest.place.clone(), &fields)
    }

    /// What to delete. A set must leave its claims, unless these are not as the manifest asks.
    fn next(&self, namespace: &str, manifest: &Manifest, claims: &[String]) -> String {
        let (kind, name) = (manifest.kind.names().0.to_lowercase(), sanitize(&manifest.name));
        let delete = format!("kubectl delete {kind} {name} -n {namespace}");
        if !claims.is_empty() {
            // Those that go with their set may be gone by then.
            let gone = if self.takes_claims { " --ignore-not-found" } else { "" };
            let claims = sanitize(&claims.join(" "));
            return format!(
                "Run `{delete}` and `kubectl delete pvc -n {namespace}{gone} {claims}`, and grade \
                again. PVCs that stand would keep their size and class; deleting them deletes what \
                is on them."
            );
        }
        let is_set = manifest.kind == AppliedKind::StatefulSet;
        let keeps = if is_set { " (the PVCs and their data stay)" } else { "" };
        // A set that takes its claims along must leave its pods behind instead.
        let orphan = if self.takes_claims { " --cascade=orphan" } else { "" };
        format!("Run `{delete}{orphan}`{keeps}, and grade again.")
    }
}

/// The claims of a standing set that a new set would not make as they are: those of the templates
/// that differ. None where they cannot be listed.
async fn claims_of_earlier(
    cluster: &Cluster,
    manifest: &Manifest,
    existing: &Value,
) -> Vec<String> {
    if manifest.kind != AppliedKind::StatefulSet {
        return vec![];
    }
    let templates = differing_templates(&manifest.value, existing);
    if templates.is_empty() {
        return vec![];
    }
    let set = SetNames { name: manifest.name.clone(), templates };
    let path = format!("/api/v1/namespaces/{}/persistentvolumeclaims", cluster.namespace);
    let Ok((_, list)) = send(cluster, Method::GET, &path, "", None).await else { return vec![] };
    let claims = list.get("items").and_then(Value::as_array).into_iter().flatten();
    let names = claims.filter_map(|it| it.pointer("/metadata/name")?.as_str());
    names.filter(|it| set.owns_claim(it)).map(str::to_owned).collect()
}

/// What the API server says of each field, of the first ones; all that it says where it names none.
fn words_of_causes(status: &Status) -> Vec<String> {
    const MAX_CAUSES: usize = 8;
    let causes = status.details.iter().flat_map(|it| &it.causes).map(|it| {
        if it.field.is_empty() {
            it.message.clone()
        } else {
            format!("{}: {}", it.field, it.message)
        }
    });
    let words: Vec<String> = causes.take(MAX_CAUSES).collect();
    if words.is_empty() { vec![status.message.clone()] } else { words }
}

/// The field that the API server names: of its causes, or in its words on one that stands twice.
fn refused_field(status: &Status) -> String {
    let mut causes = status.details.iter().flat_map(|it| &it.causes).map(|it| it.field.as_str());
    if let Some(field) = causes.find(|it| !it.is_empty()) {
        return field.to_owned();
    }
    let quoted = ["duplicate field \"", "already set in map: \""]
        .into_iter()
        .find_map(|words| status.message.split_once(words));
    quoted.and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default().to_owned()
}

/// The fields that differ and cannot be changed on an object that exists.
fn unchangeable(kind: AppliedKind, wanted: &Value, existing: &Value) -> Vec<String> {
    let differs = |pointer: &str| {
        wanted.pointer(pointer).is_some_and(|it| existing.pointer(pointer) != Some(it))
    };
    let named = |pointers: &[&str]| -> Vec<String> {
        pointers
            .iter()
            .filter(|it| differs(it))
            .map(|it| it.trim_start_matches('/').replace('/', "."))
            .collect()
    };
    match kind {
        AppliedKind::StatefulSet => {
            let mut fields =
                named(&["/spec/serviceName", "/spec/podManagementPolicy", "/spec/selector"]);
            fields.extend(claim_templates(wanted, existing));
            fields
        }
        AppliedKind::Deployment => named(&["/spec/selector"]),
        AppliedKind::Service => named(&["/spec/clusterIP"]),
        AppliedKind::PersistentVolumeClaim => named(&[
            "/spec/storageClassName",
            "/spec/accessModes",
            "/spec/volumeName",
            "/spec/resources/requests/storage",
        ]),
        _ => vec![],
    }
}

/// What differs between the templates of claims.
fn claim_templates(wanted: &Value, existing: &Value) -> Vec<String> {
    let names = |it| templates(it).iter().map(template_name).collect::<Vec<_>>();
    if names(wanted) != names(existing) {
        return vec!["spec.volumeClaimTemplates".to_owned()];
    }
    let pairs = templates(wanted).iter().zip(templates(existing));
    let differing = pairs.flat_map(|(wanted, existing)| {
        let name = sanitize(template_name(wanted));
        differing_fields(wanted, existing)
            .map(move |it| format!("spec.volumeClaimTemplates[{name}]{}", it.replace('/', ".")))
    });
    differing.collect()
}

/// The names of templates that stand, and that are not as the manifest asks for them.
fn differing_templates(wanted: &Value, existing: &Value) -> Vec<String> {
    let is_other = |wanted: &&Value| {
        let name = template_name(wanted);
        let existing = templates(existing).iter().find(|it| template_name(it) == name);
        existing.is_some_and(|it| differing_fields(wanted, it).next().is_some())
    };
    let differing = templates(wanted).iter().filter(is_other);
    differing.map(|it| template_name(it).to_owned()).collect()
}

/// The fields that differ between two templates. The server adds fields, so only what is asked for
/// counts.
fn differing_fields<'v>(
    wanted: &'v Value,
    existing: &'v Value,
) -> impl Iterator<Item = &'static str> + 'v {
    const FIELDS: [&str; 3] = ["/spec/accessModes", "/spec/storageClassName", "/spec/resources"];
    FIELDS.into_iter().filter(move |it| {
        wanted.pointer(it).is_some_and(|field| existing.pointer(it) != Some(field))
    })
}

fn templates(set: &Value) -> &[Value] {
    let templates = set.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    templates.map(Vec::as_slice).unwrap_or_default()
}

fn template_name(template: &Value) -> &str {
    template.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use kube::{Client, client::Body, core::Status};
    use serde_json::{Value, json};
    use tower::service_fn;

    use super::{AppliedKind, refused, unchangeable};
    use crate::{cluster::Cluster, submission::Submission};

    fn set(service: &str, size: &str, template: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
            "spec": {"serviceName": service, "replicas": 3, "volumeClaimTemplates": [
                {"metadata": {"name": template}, "spec": {"accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": size}}}}]}})
    }

    /// Catches a 422 whose words name eight fields that were not changed and not the one that was.
    #[test]
    fn the_field_that_cannot_change_is_named() {
        let mut existing = set("web", "1Gi", "data");
        // The server's own additions are no changes.
        existing["spec"]["podManagementPolicy"] = json!("OrderedReady");
        existing["spec"]["volumeClaimTemplates"][0]["spec"]["volumeMode"] = json!("Filesystem");
        let differ = |wanted| unchangeable(AppliedKind::StatefulSet, &wanted, &existing);
        assert_eq!(differ(set("web", "1Gi", "data")), Vec::<String>::new());
        assert_eq!(differ(set("db", "1Gi", "data")), ["spec.serviceName"]);
        assert_eq!(
            differ(set("web", "2Gi", "data")),
            ["spec.volumeClaimTemplates[data].spec.resources"]
        );
        assert_eq!(differ(set("web", "1Gi", "disk")), ["spec.volumeClaimTemplates"]);
    }

    /// What is said to do next about a set in whose place another one stands.
    async fn next(wanted: &Value, existing: Value) -> String {
        let service = service_fn(move |request: Request<Body>| {
            let named = |name: &str| json!({"metadata": {"name": name}});
            let claims = ["data-web-0", "data-web-1", "data-other-0", "disk-web-0"].map(named);
            let answer = if request.uri().path().ends_with("/persistentvolumeclaims") {
                json!({"items": claims})
            } else {
                existing.clone()
            };
            let body = Body::from(answer.to_string().into_bytes());
            async move { Ok::<_, Infallible>(Response::new(body)) }
        });
        let cluster = Cluster::with(Client::new(service, "lab"), "lab");
        let files = [("web.yaml".to_owned(), wanted.to_string().into_bytes())];
        let submission = Submission::of_files(&files, "lab").unwrap();
        let status = Status::failure("updates to statefulset spec", "Invalid").with_code(422);
        refused(&cluster, &submission.objects[0], "/web", &status).await.next
    }

    /// Catches a command that keeps PVCs which can never be as the new set asks for them, so that
    /// it brings no points; and one that deletes PVCs though nothing is wrong with them.
    #[tokio::test]
    async fn claims_that_would_keep_their_size_are_deleted_too() {
        let wanted = set("web", "100Mi", "data");
        assert_eq!(
            next(&wanted, set("web", "10Mi", "data")).await,
            "Run `kubectl delete statefulset web -n lab` and `kubectl delete pvc -n lab data-web-0 \
            data-web-1`, and grade again. PVCs that stand would keep their size and class; \
            deleting them deletes what is on them."
        );
        let kept = "Run `kubectl delete statefulset web -n lab` (the PVCs and their data stay), \
            and grade again.";
        assert_eq!(next(&wanted, set("db", "100Mi", "data")).await, kept);
        assert_eq!(next(&wanted, set("web", "10Mi", "disk")).await, kept);
        let going = |size: &str| {
            let mut set = set("db", size, "data");
            set["spec"]["persistentVolumeClaimRetentionPolicy"] = json!({"whenDeleted": "Delete"});
            set
        };
        let orphaned = next(&wanted, going("100Mi")).await;
        assert!(orphaned.contains("-n lab --cascade=orphan` (the PVCs"), "{orphaned}");
        let deleted = next(&wanted, going("10Mi")).await;
        assert!(deleted.contains("statefulset web -n lab` and "), "{deleted}");
        assert!(deleted.contains("pvc -n lab --ignore-not-found data-web-0"), "{deleted}");
    }
}
