//! One document of a manifest, taken as an object of the submission, or refused.

use std::sync::Arc;

use checks::model::MOST_REPLICAS;
use serde_json::{Map, Value};

use crate::{
    LAB_NAMESPACE,
    console::sanitize::sanitize,
    submission::{
        Applied, Manifest, Place, SubmissionError,
        foreign::{self, Refused},
    },
};

/// What only the API server writes: a manifest that `kubectl get -o yaml` wrote carries it.
const WRITTEN_BY_THE_SERVER: [&str; 6] =
    ["uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields"];

/// Where a document stands, and into which namespace it is taken.
pub(super) struct Context<'a> {
    pub(super) place: &'a Place,
    /// The text of its file.
    pub(super) text: &'a Arc<str>,
    /// The namespace that is graded.
    pub(super) target: &'a str,
}

/// What a document says it is.
struct Identity {
    version: String,
    kind: String,
    name: String,
    namespace: String,
}

impl Context<'_> {
    /// Adds the document's object to `objects`, or each one of a list.
    ///
    /// # Errors
    /// It is no object of a submission.
    pub(super) fn add_to(
        &self,
        mut value: Value,
        objects: &mut Vec<Manifest>,
    ) -> Result<(), SubmissionError> {
        self.not_of_another_tool(&value)?;
        let (version, kind) = self.type_of(&value)?;
        if kind.ends_with("List") {
            let Some(Value::Array(items)) = value.get_mut("items").map(Value::take) else {
                return Err(self.lacks("items"));
            };
            return items.into_iter().try_for_each(|item| self.add_to(item, objects));
        }
        let it = self.identity(version, kind, &value)?;
        if (it.kind.as_str(), it.version.as_str()) == ("Namespace", "v1") {
            let is_ours = self.is_ours(&it.name);
            return if is_ours { Ok(()) } else { Err(self.of_another_namespace(&it, &it.name)) };
        }
        let kind = self.applied_kind(&it, &value)?;
        if !self.is_ours(&it.namespace) {
            return Err(self.of_another_namespace(&it, &it.namespace));
        }
        if !is_valid(&it.name) {
            return Err(self.lacks("a metadata.name of lowercase letters, digits, - and ."));
        }
        if kind == Applied::StatefulSet {
            self.not_too_many_replicas(&it, &value)?;
        }
        self.take_into_target(&mut value)?;
        let (place, text) = (self.place.clone(), self.text.clone());
        objects.push(Manifest { kind, name: it.name, value, place, text });
        Ok(())
    }

    fn not_of_another_tool(&self, value: &Value) -> Result<(), SubmissionError> {
        let file = &self.place.file;
        let known = foreign::document(file, value).or_else(|| foreign::placeholder(file, value));
        match known {
            None => Ok(()),
            Some(known) => Err(SubmissionError::Foreign {
                place: Box::new(self.place.clone()),
                what: known.what,
                next: known.next,
            }),
        }
    }

    /// Its apiVersion and kind.
    fn type_of(&self, value: &Value) -> Result<(String, String), SubmissionError> {
        let Some(object) = value.as_object() else {
            return Err(self.lacks("a mapping with apiVersion, kind and metadata"));
        };
        let (version, kind) = (word(object, "apiVersion"), word(object, "kind"));
        if version.is_empty() {
            return Err(self.lacks("apiVersion"));
        }
        if kind.is_empty() {
            return Err(self.lacks("kind"));
        }
        Ok((version.to_owned(), kind.to_owned()))
    }

    fn identity(
        &self,
        version: String,
        kind: String,
        value: &Value,
    ) -> Result<Identity, SubmissionError> {
        let Some(Value::Object(metadata)) = value.get("metadata") else {
            return Err(self.lacks("metadata"));
        };
        let name = word(metadata, "name").to_owned();
        if name.is_empty() {
            return Err(self.lacks("metadata.name"));
        }
        let namespace = match word(metadata, "namespace") {
            "" => self.target,
            named => named,
        };
        Ok(Identity { version, kind, name, namespace: namespace.to_owned() })
    }

    /// Its kind, if that is one that is applied.
    fn applied_kind(&self, it: &Identity, value: &Value) -> Result<Applied, SubmissionError> {
        let refused = foreign::kind(&it.version, &it.kind, &it.name, value);
        if let Some(Refused { field, why, next, is_misspelt }) = refused {
            return Err(SubmissionError::Kind {
                place: Box::new(self.place.clone()),
                kind: sanitize(&it.kind),
                name: sanitize(&it.name),
                field,
                why,
                next,
                is_misspelt,
            });
        }
        let known = Applied::ALL.into_iter().find(|kind| kind.names().0 == it.kind);
        known.ok_or_else(|| self.lacks("a kind that is applied"))
    }

    /// A set that is not graded is not applied: a cluster would have to carry its pods.
    fn not_too_many_replicas(&self, it: &Identity, value: &Value) -> Result<(), SubmissionError> {
        let replicas = match value.pointer("/spec/replicas") {
            Some(it) if it.is_u64() => it.as_i64().unwrap_or(i64::MAX),
            other => other.and_then(Value::as_i64).unwrap_or_default(),
        };
        if replicas <= i64::from(MOST_REPLICAS) {
            return Ok(());
        }
        let (place, name) = (Box::new(self.place.clone()), sanitize(&it.name));
        Err(SubmissionError::TooManyReplicas { place, name, replicas })
    }

    /// Sets the target namespace, and takes out what only the server writes.
    fn take_into_target(&self, value: &mut Value) -> Result<(), SubmissionError> {
        let Some(Value::Object(metadata)) = value.get_mut("metadata") else {
            return Err(self.lacks("metadata"));
        };
        metadata.insert("namespace".to_owned(), Value::String(self.target.to_owned()));
        for field in WRITTEN_BY_THE_SERVER {
            metadata.remove(field);
        }
        if let Some(object) = value.as_object_mut() {
            object.remove("status");
        }
        Ok(())
    }

    /// Whether objects of a namespace are taken into the target: its own, and the lab's.
    fn is_ours(&self, namespace: &str) -> bool {
        namespace == LAB_NAMESPACE || namespace == self.target
    }

    fn lacks(&self, lacks: &'static str) -> SubmissionError {
        SubmissionError::NotAnObject { place: Box::new(self.place.clone()), lacks }
    }

    fn of_another_namespace(&self, it: &Identity, namespace: &str) -> SubmissionError {
        SubmissionError::Namespace {
            place: Box::new(self.place.clone()),
            kind: sanitize(&it.kind),
            name: sanitize(&it.name),
            namespace: sanitize(namespace),
            target: self.target.to_owned(),
        }
    }
}

fn word<'a>(object: &'a Map<String, Value>, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The name becomes part of a path.
fn is_valid(name: &str) -> bool {
    name.starts_with(|it: char| it.is_ascii_alphanumeric())
        && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-.".contains(&it))
}
