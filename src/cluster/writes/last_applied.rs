//! The annotation by which `kubectl apply` knows what a later manifest drops.
//!
//! kubectl's client-side apply takes a field out of an object only where this annotation of the
//! object holds the field and the new manifest does not. An object that is applied without it
//! would keep for ever what a later manifest drops, so each object gets it, in kubectl's own form:
//! `GetModifiedConfiguration` in `k8s.io/kubectl/pkg/util/apply.go`.

use serde_json::{Map, Value, json};

/// The annotation's name.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The most bytes that the names and values of an object's annotations may have together:
/// `TotalAnnotationSizeLimitB` in `k8s.io/apimachinery/pkg/api/validation/objectmeta.go`.
const MAX_ANNOTATIONS_BYTES: usize = 256 << 10;

/// A manifest as `kubectl apply` would send it: with itself in the annotation, or without the
/// annotation where that is too large.
pub(super) fn with_last_applied(manifest: &Value) -> Value {
    let (mut object, kept) = without_last_applied(manifest);
    annotate(&mut object, kept);
    object
}

/// The same of a manifest that is merged into an object. What the object's last manifest had stays
/// there, so that a later `kubectl apply` has to know both.
pub(super) fn merged_with_last_applied(manifest: &Value, standing: &Value) -> Value {
    let (mut object, kept) = without_last_applied(manifest);
    let mut both = last_applied(standing).unwrap_or_else(|| json!({}));
    merge(&mut both, &kept);
    annotate(&mut object, both);
    object
}

/// What an object's annotation holds.
fn last_applied(object: &Value) -> Option<Value> {
    let annotation = object.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()?;
    serde_json::from_str(annotation).ok()
}

/// A manifest without the annotation, and the same with annotations in any case: kubectl keeps an
/// empty map where there are none.
fn without_last_applied(manifest: &Value) -> (Value, Value) {
    let (mut object, mut kept) = (manifest.clone(), manifest.clone());
    if let Some(annotations) =
        object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
    {
        annotations.remove(LAST_APPLIED);
    }
    if let Some(annotations) = annotations(&mut kept) {
        annotations.remove(LAST_APPLIED);
    }
    (object, kept)
}

/// Writes what was applied to the object, unless its annotations would be too large.
fn annotate(object: &mut Value, applied: Value) {
    let text = as_kubectl_writes(&applied);
    let of_manifest = applied.pointer("/metadata/annotations").and_then(Value::as_object);
    let others = of_manifest
        .into_iter()
        .flatten()
        .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len));
    if others.sum::<usize>() + LAST_APPLIED.len() + text.len() > MAX_ANNOTATIONS_BYTES {
        return;
    }
    if let Some(annotations) = annotations(object) {
        annotations.insert(LAST_APPLIED.to_owned(), Value::String(text));
    }
}

/// The annotations of an object, made where it has none; `None` where they are no map, which the
/// API server refuses.
fn annotations(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    let annotations = metadata.entry("annotations").or_insert(Value::Null);
    if annotations.is_null() {
        *annotations = json!({});
    }
    annotations.as_object_mut()
}

/// JSON as Go's encoder writes it: sorted, with a newline at the end, and fit for HTML.
fn as_kubectl_writes(value: &Value) -> String {
    let mut text = value.to_string();
    for (c, escaped) in [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ] {
        if text.contains(c) {
            text = text.replace(c, escaped);
        }
    }
    text.push('\n');
    text
}

/// What a JSON merge patch makes of a value (RFC 7386).
fn merge(value: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    let Some(of) = value.as_object_mut() else { return };
    for (field, patch) in fields {
        if patch.is_null() {
            of.remove(field);
        } else {
            merge(of.entry(field.clone()).or_insert(Value::Null), patch);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{LAST_APPLIED, merged_with_last_applied, with_last_applied};

    fn annotation(object: &Value) -> Option<&str> {
        object["metadata"]["annotations"].get(LAST_APPLIED)?.as_str()
    }

    /// Catches a `kubectl apply` after `grade -f` that tells each object as changed, because the
    /// annotation is not what kubectl itself would write: these texts are kubectl's.
    #[test]
    fn the_annotation_is_as_kubectl_writes_it() {
        let plain = json!({"kind": "Service", "apiVersion": "v1",
            "metadata": {"namespace": "lab", "name": "web"}, "spec": {"selector": {"a": "<&>"}}});
        let text = "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"annotations\":{},\
            \"name\":\"web\",\"namespace\":\"lab\"},\"spec\":{\"selector\":\
            {\"a\":\"\\u003c\\u0026\\u003e\"}}}\n";
        let object = with_last_applied(&plain);
        assert_eq!(annotation(&object), Some(text));
        // Once more, of an object that somebody has saved with its annotation.
        assert_eq!(with_last_applied(&object), object);
        // Nothing else is added, to the pods' template above all.
        assert_eq!(object["spec"], plain["spec"]);
        let mut annotated = plain.clone();
        annotated["metadata"]["annotations"] = json!({"b": "c"});
        let text = text.replace("\"annotations\":{}", "\"annotations\":{\"b\":\"c\"}");
        let object = with_last_applied(&annotated);
        assert_eq!(object["metadata"]["annotations"], json!({"b": "c", LAST_APPLIED: text}));
        annotated["metadata"]["annotations"] = Value::Null;
        assert_eq!(with_last_applied(&annotated), with_last_applied(&plain));
    }

    /// Catches an object that the API server would take, and refuses because of an annotation that
    /// the grade adds.
    #[test]
    fn a_large_object_goes_without_the_annotation() {
        let of = |bytes: usize| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"},
                "data": {"text": "x".repeat(bytes)}})
        };
        let small = of(200 << 10);
        assert!(annotation(&with_last_applied(&small)).is_some());
        let large = of(260 << 10);
        assert_eq!(with_last_applied(&large), large);
        let mut annotated = small.clone();
        annotated["metadata"]["annotations"] = json!({"b": "x".repeat(100 << 10)});
        assert_eq!(with_last_applied(&annotated), annotated);
    }

    /// Catches a field of an earlier manifest that stays for ever, because a merge left it there
    /// and the annotation does not hold it any more.
    #[test]
    fn a_merge_keeps_what_was_applied_before() {
        let of = |spec: Value| json!({"metadata": {"name": "web"}, "spec": spec});
        let first = of(json!({"selector": {"a": "1", "b": "1"}, "ports": [1, 2]}));
        let standing = with_last_applied(&first);
        let second = of(json!({"selector": {"a": "2", "b": null}, "ports": [3]}));
        let merged = merged_with_last_applied(&second, &standing);
        let text = "{\"metadata\":{\"annotations\":{},\"name\":\"web\"},\
            \"spec\":{\"ports\":[3],\"selector\":{\"a\":\"2\"}}}\n";
        assert_eq!(annotation(&merged), Some(text));
        let third = of(json!({"selector": {"c": "3"}}));
        let text = "{\"metadata\":{\"annotations\":{},\"name\":\"web\"},\"spec\":{\"ports\":[1,2],\
            \"selector\":{\"a\":\"1\",\"b\":\"1\",\"c\":\"3\"}}}\n";
        assert_eq!(annotation(&merged_with_last_applied(&third, &standing)), Some(text));
        assert_eq!(merged_with_last_applied(&third, &json!({})), with_last_applied(&third));
    }
}
