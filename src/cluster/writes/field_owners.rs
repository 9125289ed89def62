//! Who owns which fields of an object: `metadata.managedFields`.
//!
//! Server-side apply removes only what its own manager owned before. Fields that another way of
//! applying a manifest set stay for ever, also where the new manifest drops them: a second
//! container, a retention policy. So their owners are replaced by our manager first, as kubectl
//! does when it changes from client-side to server-side apply (client-go's `util/csaupgrade`).

use serde_json::{Map, Value, json};

/// Our manager.
pub(crate) const MANAGER: &str = "stsgrade";
/// kubectl's managers that write whole manifests without server-side apply: `apply`, `create` and
/// `replace`.
const WHOLE_MANIFESTS: [&str; 4] =
    ["kubectl-client-side-apply", "kubectl-last-applied", "kubectl-create", "kubectl-replace"];
/// kubectl's manager of server-side apply.
const SERVER_SIDE: &str = "kubectl";

/// The object's `managedFields` with what kubectl's manifests own moved to our manager; `None`
/// where there is nothing to move.
pub(crate) fn moved_to_our_manager(object: &Value) -> Option<Vec<Value>> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let (theirs, mut kept): (Vec<&Value>, Vec<&Value>) =
        entries.iter().partition(|it| is_theirs(it));
    if theirs.is_empty() {
        return None;
    }
    let ours = kept.iter().position(|it| is_ours(it));
    let ours = ours.map(|place| kept.remove(place));
    let newest = ours.into_iter().chain(theirs.iter().copied());
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
    Some(kept.into_iter().cloned().chain([entry]).collect())
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
