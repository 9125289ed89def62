//! Who owns which fields of an object: `metadata.managedFields`.
//!
//! Server-side apply removes only what its own manager owned before. Fields that another way of
//! applying a manifest set stay for ever, also where the new manifest drops them: a second
//! container, a retention policy. So their owners are replaced by our manager first, as kubectl
//! does when it changes from client-side to server-side apply (client-go's `util/csaupgrade`).
//!
//! The annotation with what `kubectl apply` applied last stays with its owner, as kubectl sees to
//! it, too: without an owner of its own it would be removed, and the next `kubectl apply` would not
//! know what a manifest drops.

use serde_json::{Map, Value, json};

/// Our manager.
pub(crate) const MANAGER: &str = "stsgrade";
/// kubectl's managers that write whole manifests without server-side apply: `apply`, `create` and
/// `replace`.
const WHOLE_MANIFESTS: [&str; 3] =
    ["kubectl-client-side-apply", "kubectl-create", "kubectl-replace"];
/// [`last_applied`](super::last_applied)'s annotation.
const LAST_APPLIED: &str = "f:kubectl.kubernetes.io/last-applied-configuration";
/// kubectl's manager of server-side apply.
const SERVER_SIDE: &str = "kubectl";

/// The object's `managedFields` with what kubectl's manifests own moved to our manager; `None`
/// where there is nothing to move.
pub(crate) fn moved_to_our_manager(object: &Value) -> Option<Vec<Value>> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let (mut theirs, mut ours, mut kept) = (vec![], vec![], vec![]);
    for entry in entries {
        if is_theirs(entry) {
            let (moved, last_applied) = without_last_applied(entry);
            theirs.extend(moved);
            kept.extend(last_applied);
        } else if is_ours(entry) {
            ours.push(entry.clone());
        } else {
            kept.push(entry.clone());
        }
    }
    if theirs.is_empty() {
        return None;
    }
    let newest = ours.iter().chain(&theirs);
    let mut fields = json!({});
    for entry in newest.clone() {
        add(&mut fields, entry.get("fieldsV1").unwrap_or(&Value::Null));
    }
    let time = newest.map(|it| text(it, "time")).max().unwrap_or_default();
    let entry = json!({
        "manager": MANAGER,
        "operation": "Apply",
        "apiVersion": object.get("apiVersion")?,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    });
    Some(kept.into_iter().chain([entry]).collect())
}

/// An entry without the annotation of what was applied last, and one that owns just that; each if
/// it owns anything.
fn without_last_applied(entry: &Value) -> (Option<Value>, Option<Value>) {
    let mut rest = entry.clone();
    let annotations =
        rest.pointer_mut("/fieldsV1/f:metadata/f:annotations").and_then(Value::as_object_mut);
    let Some(annotation) = annotations.and_then(|it| it.remove(LAST_APPLIED)) else {
        return (Some(rest), None);
    };
    let mut last_applied = entry.clone();
    last_applied["fieldsV1"] = json!({"f:metadata": {"f:annotations": {LAST_APPLIED: annotation}}});
    // What is left of the two levels around it, where nothing else is in them.
    let fields = &mut rest["fieldsV1"];
    remove_empty(&mut fields["f:metadata"], "f:annotations");
    remove_empty(fields, "f:metadata");
    let is_empty = fields.as_object().is_none_or(Map::is_empty);
    ((!is_empty).then_some(rest), Some(last_applied))
}

/// Removes a field in which no other is any more.
fn remove_empty(of: &mut Value, field: &str) {
    let Some(of) = of.as_object_mut() else { return };
    let is_empty = |it: &Value| {
        it.as_object().is_none_or(|children| children.keys().all(|child| child == "."))
    };
    if of.get(field).is_some_and(is_empty) {
        of.remove(field);
    }
}

/// The object's `managedFields` with what was moved given back: the entries `before` of kubectl's
/// manifests and of our manager, beside those of everybody else as they are now.
pub(crate) fn given_back(object: &Value, before: &[Value]) -> Option<Vec<Value>> {
    let now = object.pointer("/metadata/managedFields")?.as_array()?;
    let moved = before.iter().filter(|it| is_theirs(it) || is_ours(it));
    let others = now.iter().filter(|it| !is_theirs(it) && !is_ours(it));
    Some(others.chain(moved).cloned().collect())
}

fn is_ours(entry: &Value) -> bool {
    text(entry, "manager") == MANAGER
        && text(entry, "operation") == "Apply"
        && text(entry, "subresource").is_empty()
}

fn is_theirs(entry: &Value) -> bool {
    let manager = text(entry, "manager");
    let is_whole = match text(entry, "operation") {
        "Update" => WHOLE_MANIFESTS.contains(&manager),
        "Apply" => manager == SERVER_SIDE,
        _ => false,
    };
    is_whole && text(entry, "subresource").is_empty()
}

/// The entries of an object's `managedFields`.
pub(super) fn entries(object: &Value) -> &[Value] {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn text<'e>(entry: &'e Value, field: &str) -> &'e str {
    entry.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Adds a set of fields to another. A field without children is itself a member; one with children
/// is where it has a `.`.
pub(super) fn add(to: &mut Value, from: &Value) {
    let (Some(to), Some(from)) = (to.as_object_mut(), from.as_object()) else { return };
    for (field, children) in from {
        match to.get_mut(field) {
            None => {
                to.insert(field.clone(), children.clone());
            }
            Some(known) => {
                let is_member = is_leaf(known) != is_leaf(children);
                add(known, children);
                if let (true, Some(known)) = (is_member, known.as_object_mut()) {
                    known.insert(".".to_owned(), Value::Object(Map::new()));
                }
            }
        }
    }
}

fn is_leaf(field: &Value) -> bool {
    field.as_object().is_none_or(Map::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{given_back, moved_to_our_manager};

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn object(entries: &[Value]) -> Value {
        json!({"apiVersion": "apps/v1", "metadata": {"managedFields": entries}})
    }

    /// Catches a container that the manifest dropped and that stays, because nobody who applies
    /// owns it.
    #[test]
    fn what_kubectl_applied_becomes_ours() {
        let scaled = json!({"manager": "kubectl", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
        let status = json!({"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}});
        let taken = moved_to_our_manager(&object(&[
            entry(
                "kubectl-client-side-apply",
                "Update",
                &json!({"f:spec": {"f:a": {}, "f:list": {"k:1": {}}}}),
            ),
            scaled.clone(),
            entry(
                "stsgrade",
                "Apply",
                &json!({"f:spec": {"f:a": {}, "f:b": {}, "f:list": {"k:1": {"f:x": {}}, "k:2": {}}}}),
            ),
            status.clone(),
        ]));
        let fields = json!({"f:spec": {"f:a": {}, "f:b": {}, "f:list": {"k:1": {"f:x": {}, ".": {}}, "k:2": {}}}});
        assert_eq!(taken, Some(vec![scaled, status, entry("stsgrade", "Apply", &fields)]));
    }

    /// Catches the annotation of what `kubectl apply` applied last being removed, because it became
    /// ours and no manifest holds it.
    #[test]
    fn what_kubectl_applied_last_stays_kubectls() {
        let annotation = "f:kubectl.kubernetes.io/last-applied-configuration";
        let last_applied = |fields: &Value| entry("kubectl-client-side-apply", "Update", fields);
        let kept = last_applied(&json!({"f:metadata": {"f:annotations": {annotation: {}}}}));
        let taken = moved_to_our_manager(&object(&[last_applied(&json!({
            "f:metadata": {"f:annotations": {".": {}, annotation: {}}}, "f:spec": {"f:a": {}}}))]));
        let ours = entry("stsgrade", "Apply", &json!({"f:spec": {"f:a": {}}}));
        assert_eq!(taken, Some(vec![kept.clone(), ours]));
        assert_eq!(moved_to_our_manager(&object(std::slice::from_ref(&kept))), None);
        let taken = moved_to_our_manager(&object(&[last_applied(&json!({
            "f:metadata": {"f:annotations": {".": {}, annotation: {}, "f:b": {}}}}))]));
        let fields = json!({"f:metadata": {"f:annotations": {".": {}, "f:b": {}}}});
        assert_eq!(taken, Some(vec![kept, entry("stsgrade", "Apply", &fields)]));
    }

    /// Catches fields that kubectl does not own any more after a manifest that was refused, and a
    /// status that the controller wrote meanwhile.
    #[test]
    fn what_was_moved_is_given_back() {
        let theirs = entry("kubectl-client-side-apply", "Update", &json!({"f:spec": {"f:a": {}}}));
        let ours = entry("stsgrade", "Apply", &json!({"f:spec": {"f:b": {}}}));
        let status = |of: &str| json!({"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {of: {}}});
        let before = [theirs.clone(), status("f:old"), ours.clone()];
        let mut moved = moved_to_our_manager(&object(&before)).unwrap();
        moved[0] = status("f:new");
        let back = given_back(&object(&moved), &before);
        assert_eq!(back, Some(vec![status("f:new"), theirs, ours]));
    }

    #[test]
    fn what_others_own_stays_theirs() {
        for (manager, operation, taken) in [
            ("kubectl-create", "Update", true),
            ("kubectl", "Apply", true),
            ("kubectl", "Update", false),
            ("kubectl-edit", "Update", false),
            ("kubectl-last-applied", "Update", false),
            ("kubectl-last-applied", "Apply", false),
            ("kubectl-rollout", "Update", false),
            ("helm", "Apply", false),
            ("stsgrade", "Apply", false),
        ] {
            assert_eq!(
                moved_to_our_manager(&object(&[entry(manager, operation, &json!({"f:spec": {}}))]))
                    .is_some(),
                taken,
                "{manager} {operation}"
            );
        }
        assert_eq!(moved_to_our_manager(&json!({"metadata": {}})), None);
    }
}
