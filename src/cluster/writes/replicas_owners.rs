//! Who owns `spec.replicas` of a set, and giving it back.
//!
//! Whoever changes a field owns it from then on, and nobody else does; replicas of 0 are left out of
//! a `Scale`, so that nobody owns them, and whoever scales a set of which nobody does is not noted
//! (`ScaleHandler` in Kubernetes' `managedfields`; seen on 1.37). So a grade that scales a set and
//! scales it back leaves the same replicas to another owner, or to none: the next `kubectl apply
//! --server-side` with another number would tell a conflict, or one with somebody else not, and one
//! that leaves the field out would keep it. The API server takes `metadata.managedFields` as they are written, so the owners can be
//! put back as well. Source: "Server-Side Apply" in the Kubernetes documentation, "Field management".

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::writes::field_owners::{MANAGER, add, entries, text};

/// The subresource by which a grade, `kubectl scale` and autoscalers ask for replicas.
const SCALE: &str = "scale";
/// The most owners that are remembered. The API server keeps ten that do not use server-side apply.
const MAX_OWNERS: usize = 100;

/// Somebody who owns fields, as an entry of `metadata.managedFields` names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FieldManager {
    manager: String,
    operation: String,
    api_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    subresource: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    time: String,
}

impl FieldManager {
    fn of(entry: &Value) -> Self {
        let text = |field| text(entry, field).to_owned();
        Self {
            manager: text("manager"),
            operation: text("operation"),
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: text("time"),
        }
    }

    /// Whether an entry is of this manager: who applies has one entry for all versions of the API.
    fn has(&self, entry: &Value) -> bool {
        let entry = Self::of(entry);
        entry.manager == self.manager
            && entry.operation == self.operation
            && entry.subresource == self.subresource
            && (self.operation == "Apply" || entry.api_version == self.api_version)
    }

    /// Whether the API server can read an entry of it. For one that it cannot, some versions take all
    /// of them away, or leave all as they are, without a word.
    fn is_readable(&self) -> bool {
        let is_name = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        };
        let is_version = match self.api_version.split_once('/') {
            Some((group, version)) => is_name(group) && is_name(version),
            None => is_name(&self.api_version),
        };
        let is_time = self.time.is_empty() || self.time.parse::<jiff::Timestamp>().is_ok();
        matches!(self.operation.as_str(), "Apply" | "Update") && is_version && is_time
    }

    /// An entry that owns the replicas alone.
    fn entry(&self) -> Value {
        let mut entry = json!({
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": replicas(),
        });
        for (field, value) in [("subresource", &self.subresource), ("time", &self.time)] {
            if !value.is_empty() {
                entry[field] = json!(value);
            }
        }
        entry
    }
}

/// Whether a grade owns the replicas of a set, because it asked for them last.
pub(crate) fn is_of_a_grade(set: &Value) -> bool {
    entries(set).iter().any(is_ours)
}

/// Who owns the replicas of a set besides a grade.
pub(crate) fn others(set: &Value) -> Vec<FieldManager> {
    let owners = entries(set).iter().filter(|it| owns_replicas(it) && !is_ours(it));
    owners.take(MAX_OWNERS).map(FieldManager::of).collect()
}

/// The `managedFields` of a set in which `owners` own the replicas again, and whoever else does by
/// now, but no grade; `None` where there is nothing to change: somebody else alone has taken them, or
/// nobody ever owned them.
pub(crate) fn replicas_given_back(set: &Value, owners: &[FieldManager]) -> Option<Vec<Value>> {
    let is_lost = !owners.is_empty() && !entries(set).is_empty() && others(set).is_empty();
    if !is_of_a_grade(set) && !is_lost {
        return None;
    }
    // An entry of the scale subresource owns nothing else.
    let mut given: Vec<Value> = entries(set).iter().filter(|it| !is_ours(it)).cloned().collect();
    // They come from the Lease, which anybody may have written.
    for owner in owners.iter().filter(|it| it.is_readable()).take(MAX_OWNERS) {
        match given.iter_mut().find(|it| owner.has(it)) {
            Some(entry) => add(&mut entry["fieldsV1"], &replicas()),
            None => given.push(owner.entry()),
        }
    }
    Some(given)
}

fn is_ours(entry: &Value) -> bool {
    text(entry, "manager") == MANAGER && text(entry, "subresource") == SCALE && owns_replicas(entry)
}

fn owns_replicas(entry: &Value) -> bool {
    entry.pointer("/fieldsV1/f:spec/f:replicas").is_some()
}

fn replicas() -> Value {
    json!({"f:spec": {"f:replicas": {}}})
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{FieldManager, is_of_a_grade, others, replicas, replicas_given_back};

    fn entry(manager: &str, operation: &str, subresource: &str, fields: &Value) -> Value {
        let mut entry = json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1",
            "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields});
        if !subresource.is_empty() {
            entry["subresource"] = json!(subresource);
        }
        entry
    }

    fn set(entries: &[Value]) -> Value {
        json!({"metadata": {"managedFields": entries}})
    }

    fn graded(others: &[Value]) -> Value {
        set(&[others, &[entry("stsgrade", "Update", "scale", &replicas())]].concat())
    }

    /// Catches replicas that stay a grade's, one of two owners that is forgotten, other fields of
    /// an owner that are lost, and an entry that `kubectl scale` made and that does not come back.
    #[test]
    fn who_owned_the_replicas_owns_them_again() {
        let template = json!({"f:spec": {"f:template": {}}});
        let both = json!({"f:spec": {"f:replicas": {}, "f:template": {}}});
        let status = entry("kube-controller-manager", "Update", "status", &json!({"f:status": {}}));
        let applied = |fields| entry("kubectl", "Apply", "", fields);
        let helm = entry("helm", "Apply", "", &replicas());
        let scaled = entry("kubectl", "Update", "scale", &replicas());
        let rows = [
            (vec![applied(&both), status.clone()], vec![applied(&template), status.clone()]),
            (vec![applied(&both), helm], vec![applied(&template)]),
            (vec![applied(&template), scaled], vec![applied(&template)]),
            (vec![applied(&template), status], vec![applied(&template)]),
        ];
        for (before, during) in rows {
            let owners = others(&set(&before));
            let known = |it: &[Value]| {
                let mut known: Vec<String> = it.iter().map(Value::to_string).collect();
                known.retain(|it| !it.contains("f:status"));
                known.sort();
                known
            };
            let given = replicas_given_back(&graded(&during), &owners).unwrap();
            assert_eq!(known(&given), known(&before));
            assert!(!is_of_a_grade(&set(&given)));
            // After a scaling from 0 nobody owns them.
            let given = replicas_given_back(&set(&during), &owners);
            assert_eq!(given.map(|it| known(&it)), (!owners.is_empty()).then(|| known(&before)));
        }
    }

    /// Catches a set that is written to though somebody else has scaled it since, nobody ever owned
    /// its replicas, or it holds no field managers at all.
    #[test]
    fn what_no_grade_owns_is_not_written() {
        let scaled = entry("kubectl", "Update", "scale", &replicas());
        let owners = others(&set(std::slice::from_ref(&scaled)));
        for entries in [vec![scaled], vec![entry("stsgrade", "Apply", "", &replicas())], vec![]] {
            assert_eq!(replicas_given_back(&set(&entries), &owners), None);
        }
        let status = entry("kube-controller-manager", "Update", "status", &json!({"f:status": {}}));
        assert_eq!(replicas_given_back(&set(&[status]), &[]), None);
        assert_eq!(replicas_given_back(&json!({}), &owners), None);
    }

    /// Catches the field manager of `-f` that is taken for the tour's own scaling, and a grade of
    /// an earlier version that stays the owner for ever.
    #[test]
    fn only_the_scaling_of_a_grade_is_no_owner_to_go_back_to() {
        let applied = entry("stsgrade", "Apply", "", &replicas());
        let found = graded(std::slice::from_ref(&applied));
        let owners = others(&found);
        assert_eq!(owners, [FieldManager::of(&applied)]);
        assert_eq!(replicas_given_back(&found, &owners), Some(vec![applied]));
    }

    /// Catches somebody who took the field while the grade was at work, and is not its owner after.
    #[test]
    fn who_owns_them_by_now_stays_an_owner() {
        let scaled = entry("kubectl", "Update", "scale", &replicas());
        let owners = others(&set(std::slice::from_ref(&scaled)));
        let applied = entry("kubectl", "Apply", "", &replicas());
        let given = replicas_given_back(&graded(std::slice::from_ref(&applied)), &owners);
        assert_eq!(given, Some(vec![applied, scaled]));
    }

    /// Catches a forged Lease by which all that is written is lost, or that makes a grader panic.
    #[test]
    fn a_forged_owner_is_left_out() {
        let forged = |text: &str| serde_json::from_str::<Vec<FieldManager>>(text).unwrap();
        for text in [
            r#"[{}, {"manager": "x", "operation": "Own", "apiVersion": "apps/v1"}]"#,
            r#"[{"manager": "x", "operation": "Update"}]"#,
            r#"[{"manager": "x", "operation": "Update", "apiVersion": "a/b/c"}]"#,
            r#"[{"manager": "x", "operation": "Update", "apiVersion": "/v1"}]"#,
            r#"[{"manager": "x", "operation": "Update", "apiVersion": "apps/v1", "time": "now"}]"#,
        ] {
            let status = entry("x", "Update", "status", &json!({"f:status": {}}));
            let given = replicas_given_back(&graded(std::slice::from_ref(&status)), &forged(text));
            assert_eq!(given, Some(vec![status]));
        }
        let kept = entry("kubectl", "Update", "", &Value::Null);
        let owner =
            forged(r#"[{"manager": "kubectl", "operation": "Update", "apiVersion": "apps/v1"}]"#);
        assert!(replicas_given_back(&graded(&[kept, json!(7)]), &owner).is_some());
    }

    /// Catches an owner that a successor reads otherwise than the grade wrote it.
    #[test]
    fn an_owner_survives_the_lease() {
        let scaled = entry("kubectl", "Update", "scale", &replicas());
        let owners = others(&set(&[scaled, entry("helm", "Apply", "", &replicas())]));
        let text = serde_json::to_string(&owners).unwrap();
        assert_eq!(serde_json::from_str::<Vec<FieldManager>>(&text).unwrap(), owners);
    }
}
