//! The submission as it is applied to a namespace of its own.

use serde_json::{Map, Value, json};

use super::demand::pod_spec;
use crate::submission::{AppliedKind, Submission};

/// The submission as it is applied to a namespace of its own: its objects are in that namespace, no
/// pod gets a token of a service account, and nothing keeps an object from being deleted.
pub(super) fn isolated(submission: &Submission, namespace: &str) -> Submission {
    let mut isolated = submission.clone();
    for manifest in &mut isolated.objects {
        // Anything may stand where a mapping belongs: the API server refuses that then.
        if let Some(metadata) = fields_at(&mut manifest.value, "/metadata") {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        for metadata in ["/metadata", "/spec/template/metadata"] {
            make_deletable(fields_at(&mut manifest.value, metadata));
        }
        let templates = manifest.value.pointer_mut("/spec/volumeClaimTemplates");
        for claim in templates.and_then(Value::as_array_mut).into_iter().flatten() {
            make_deletable(fields_at(claim, "/metadata"));
        }
        let mounts_token = match manifest.kind {
            AppliedKind::ServiceAccount => manifest.value.as_object_mut(),
            AppliedKind::Pod => fields_at(&mut manifest.value, "/spec"),
            AppliedKind::StatefulSet | AppliedKind::Deployment => {
                fields_at(&mut manifest.value, "/spec/template/spec")
            }
            _ => None,
        };
        if let Some(fields) = mounts_token {
            fields.insert("automountServiceAccountToken".to_owned(), json!(false));
        }
    }
    isolated
}

/// The fields of the mapping at a place, where one is there.
fn fields_at<'a>(value: &'a mut Value, place: &str) -> Option<&'a mut Map<String, Value>> {
    value.pointer_mut(place).and_then(Value::as_object_mut)
}

/// Takes out of an object's metadata what keeps it from being deleted.
fn make_deletable(metadata: Option<&mut Map<String, Value>>) {
    if let Some(metadata) = metadata {
        metadata.remove("finalizers");
        metadata.remove("ownerReferences");
    }
}

/// A namespace other than `own` that the pods of a submission name in a DNS name, such as `lab` in
/// `web-0.web.lab.svc`: they expect to be in it. The cluster's own namespaces are left out.
#[must_use]
pub fn named_namespace(submission: &Submission, own: &str) -> Option<String> {
    let specs = submission.objects.iter().filter_map(pod_spec);
    let names = specs.flat_map(strings).flat_map(namespaces_of_names);
    let is_other = |name: &&str| *name != own && *name != "default" && !name.starts_with("kube-");
    names.filter(is_other).map(str::to_owned).next()
}

/// Every text of a value.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => vec![],
    }
}

/// The namespaces of all DNS names of Services or pods in a text (Kubernetes, "DNS for Services and
/// Pods").
fn namespaces_of_names(text: &str) -> impl Iterator<Item = &str> {
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let names = text.match_indices(".svc").filter_map(move |(at, svc)| {
        let (before, behind) = (&text[..at], &text[at + svc.len()..]);
        let namespace = &before[before.trim_end_matches(is_in_name).len()..];
        // Before it stands the name of the Service; a shell's variable is no name.
        let has_service = before[..before.len() - namespace.len()].ends_with('.');
        (has_service && !behind.starts_with(is_in_name)).then_some(namespace)
    });
    names.filter(|namespace| !namespace.is_empty())
}
