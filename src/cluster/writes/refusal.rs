//! What the API server refuses about a manifest, in words for its author.

use http::Method;
use kube::core::Status;
use serde_json::Value;

use crate::cluster::{
    Cluster, Failure,
    client::failure_id,
    writes::{send::send, server_words},
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
    if let Some(failure) = immutable(&cluster.namespace, manifest, existing.as_ref(), status) {
        return failure;
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

/// That the object stands already, with fields that cannot be changed in place, if it is that.
fn immutable(
    namespace: &str,
    manifest: &Manifest,
    existing: Option<&Value>,
    status: &Status,
) -> Option<Failure> {
    let fields = existing.map(|it| unchangeable(manifest.kind, &manifest.value, it));
    let fields = fields.unwrap_or_default().join(", ");
    let is_said = status.message.contains("immutable")
        || status.message.contains("updates to statefulset spec");
    if fields.is_empty() && !is_said {
        return None;
    }
    let what = if fields.is_empty() { "a field that cannot be changed" } else { &fields };
    let is_set = manifest.kind == AppliedKind::StatefulSet;
    let keeps = if is_set { " (the PVCs and their data stay)" } else { "" };
    // A set that takes its claims along must leave its pods behind instead.
    let takes_claims = existing
        .and_then(|it| it.pointer("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted"))
        .is_some_and(|it| it == "Delete");
    let orphan = if takes_claims { " --cascade=orphan" } else { "" };
    let (kind, name) = (manifest.kind.names().0, sanitize(&manifest.name));
    let failure = Failure::new(
        "immutable_field",
        format!("{kind} {name} stands already, and {what} cannot be changed in place"),
        format!(
            "Run `kubectl delete {} {name} -n {}{orphan}`{keeps}, and grade again.",
            kind.to_lowercase(),
            sanitize(namespace)
        ),
    );
    let failure = failure.because(manifest.place.to_string()).because(&status.message);
    Some(failure.at(manifest.place.clone(), &fields))
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

/// What differs between the templates of claims; the server adds fields, so only what is asked for
/// counts.
fn claim_templates(wanted: &Value, existing: &Value) -> Vec<String> {
    let templates = |it: &Value| {
        it.pointer("/spec/volumeClaimTemplates")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let (wanted, existing) = (templates(wanted), templates(existing));
    let name = |it: &Value| {
        it.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    if wanted.iter().map(name).ne(existing.iter().map(name)) {
        return vec!["spec.volumeClaimTemplates".to_owned()];
    }
    let fields = ["/spec/accessModes", "/spec/storageClassName", "/spec/resources"];
    let pairs = wanted.iter().zip(&existing);
    pairs
        .flat_map(|(wanted, existing)| {
            let differing = fields.into_iter().filter(|it| {
                wanted.pointer(it).is_some_and(|field| existing.pointer(it) != Some(field))
            });
            differing
                .map(|it| {
                    format!(
                        "spec.volumeClaimTemplates[{}]{}",
                        sanitize(&name(wanted)),
                        it.replace('/', ".")
                    )
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{AppliedKind, unchangeable};

    /// Catches a 422 whose words name eight fields that were not changed and not the one that was.
    #[test]
    fn the_field_that_cannot_change_is_named() {
        let set = |service: &str, size: &str, template: &str| {
            json!({"spec": {"serviceName": service, "replicas": 3, "volumeClaimTemplates": [
                {"metadata": {"name": template}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}}]}})
        };
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
}
