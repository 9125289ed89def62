//! The difference of two specs, as edits of a manifest's text.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::remedy::manifest::{Document, Edit, Path, PathStep, keys};

/// The most edits of one object: each reads its whole text again, and nobody makes more by hand.
const MAX_EDITS: usize = 64;

/// The edits that make one spec of another.
pub(super) fn value_edits<S: serde::Serialize>(before: &S, after: &S) -> Vec<Edit> {
    let value = |it| serde_json::to_value(it).unwrap_or_default();
    between(&value(before), &value(after), &keys("spec"))
}

/// The document after all edits; what is to go and is not there is gone already. `None` where one
/// cannot be made, or they are too many.
pub(super) fn edited(document: &Document, edits: &[Edit]) -> Option<Document> {
    let mut made = 0;
    edits.iter().try_fold(document.clone(), |document, edit| match edit {
        Edit::Remove(path) if !document.has(path) => Some(document),
        _ if made == MAX_EDITS => None,
        edit => {
            made += 1;
            document.edited(edit)
        }
    })
}

/// The edits that make `after` of `before`, which are the same object's field at `path`.
fn between(before: &Value, after: &Value, path: &Path) -> Vec<Edit> {
    let mut edits = vec![];
    compare(before, after, path, &mut edits);
    // What holds only what goes is kept by what comes.
    edits.sort_by_key(|it| matches!(it, Edit::Remove(_)));
    edits
}

fn compare(before: &Value, after: &Value, path: &Path, edits: &mut Vec<Edit>) {
    let below = |step: PathStep| [path.as_slice(), &[step]].concat();
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                let path = below(PathStep::Key(key.clone()));
                match old.get(key) {
                    Some(before) => compare(before, value, &path, edits),
                    None => edits.push(Edit::Set(path, value.clone())),
                }
            }
            let gone = old.keys().filter(|it| !new.contains_key(*it));
            edits.extend(gone.map(|it| Edit::Remove(below(PathStep::Key(it.clone())))));
        }
        (Value::Array(old), Value::Array(new)) if has_names(old) && has_names(new) => {
            let find =
                |all: &[Value], it: &Value| all.iter().find(|at| name(at) == name(it)).cloned();
            for item in new {
                let Some(named) = name(item) else { continue };
                match find(old, item) {
                    Some(before) => compare(&before, item, &below(PathStep::Named(named)), edits),
                    None => edits.push(Edit::Push(path.clone(), item.clone())),
                }
            }
            for item in old.iter().filter(|it| find(new, it).is_none()) {
                edits.extend(name(item).map(|it| Edit::Remove(below(PathStep::Named(it)))));
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (place, (before, after)) in old.iter().zip(new).enumerate() {
                compare(before, after, &below(PathStep::Item(place)), edits);
            }
        }
        _ if before != after => edits.push(Edit::Set(path.clone(), after.clone())),
        _ => {}
    }
}

/// Whether each item of a list is known by a name of its own. Two mounts of one volume are not.
fn has_names(list: &[Value]) -> bool {
    let mut names = BTreeSet::new();
    list.iter().all(|it| name(it).is_some_and(|it| names.insert(it)))
}

/// By what an item of a list is known.
fn name(item: &Value) -> Option<String> {
    let name = item.get("name").or_else(|| item.get("metadata")?.get("name"))?;
    name.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MAX_EDITS, between, edited};
    use crate::remedy::manifest::{Document, Edit, PathStep, keys};

    /// Catches a manifest of thousands of wrong lines, each of which is mended by itself.
    #[test]
    fn only_so_many_edits_are_made() {
        let text = |value: &str| format!("spec:\n{}", format!("- {value}\n").repeat(MAX_EDITS + 1));
        let document = Document::read(&text("a")).unwrap();
        let item = |place| [keys("spec"), vec![PathStep::Item(place)]].concat();
        let set = |count: usize| -> Vec<Edit> {
            (0..count).map(|it| Edit::Set(item(it), "b".into())).collect()
        };
        let mut edits = set(MAX_EDITS);
        // What is not there costs nothing.
        edits.extend((0..MAX_EDITS).map(|_| Edit::Remove(keys("spec.x"))));
        let half = edited(&document, &edits).unwrap();
        assert_eq!(half.texts(&keys("spec")).iter().filter(|it| **it == "b").count(), MAX_EDITS);
        assert!(edited(&document, &set(MAX_EDITS + 1)).is_none());
    }

    /// Catches two mounts of one volume that are taken for one, so that both get one path.
    #[test]
    fn items_of_one_name_are_compared_by_their_places() {
        let mounts = json!([
            {"name": "data", "mountPath": "/a", "subPath": "a"},
            {"name": "data", "mountPath": "/b", "subPath": "b"},
        ]);
        assert!(between(&mounts, &mounts, &vec![]).is_empty());
    }
}
