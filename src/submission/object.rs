//! One document of a manifest, taken as an object of the submission, or refused.

use std::sync::Arc;

use checks::model::MAX_REPLICAS;
use serde_json::{Map, Value};

use crate::{
    LAB_NAMESPACE,
    console::sanitize::sanitize,
    remedy::manifest::{Path, PathStep, keys},
    submission::{
        AppliedKind, Manifest, Place, SubmissionError,
        error::NoObject,
        foreign::{self, Refused},
        texts,
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
    /// Where in the document the object stands: the path of a list's item.
    pub(super) within: Path,
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
                return Err(self.no_object(NoObject::Lacks("items")));
            };
            return items.into_iter().enumerate().try_for_each(|(number, item)| {
                let item_path = [keys("items"), vec![PathStep::Item(number)]].concat();
                let within = [self.within.as_slice(), &item_path].concat();
                Context { within, ..*self }.add_to(item, objects)
            });
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
            return Err(self.no_object(NoObject::BadName));
        }
        if kind == AppliedKind::StatefulSet {
            self.not_too_many_replicas(&it, &value)?;
        }
        self.take_into_target(&mut value)?;
        let (place, text) = (self.place.clone(), self.text.clone());
        let left_namespace = Some(it.namespace).filter(|it| it != self.target);
        let within = self.within.clone();
        objects.push(Manifest { kind, name: it.name, value, place, within, text, left_namespace });
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
            return Err(self.no_object(NoObject::NoFields));
        };
        let version = self.word(object, "apiVersion", "apiVersion")?;
        let kind = self.word(object, "kind", "kind")?;
        Ok((version.to_owned(), kind.to_owned()))
    }

    fn identity(
        &self,
        version: String,
        kind: String,
        value: &Value,
    ) -> Result<Identity, SubmissionError> {
        let Some(Value::Object(metadata)) = value.get("metadata") else {
            return Err(self.no_object(NoObject::Lacks("metadata")));
        };
        let name = self.word(metadata, "name", "metadata.name")?.to_owned();
        let namespace = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
        let namespace = if namespace.is_empty() { self.target } else { namespace };
        Ok(Identity { version, kind, name, namespace: namespace.to_owned() })
    }

    /// Its kind, if that is one that is applied.
    fn applied_kind(&self, it: &Identity, value: &Value) -> Result<AppliedKind, SubmissionError> {
        let refused = foreign::kind(&it.version, &it.kind, &it.name, value);
        if let Some(Refused { field, why, next, is_misspelt }) = refused {
            return Err(SubmissionError::Kind {
                place: Box::new(self.place_of(field)),
                kind: sanitize(&it.kind),
                name: sanitize(&it.name),
                field,
                why,
                next,
                is_misspelt,
            });
        }
        let known = AppliedKind::ALL.into_iter().find(|kind| kind.names().0 == it.kind);
        known.ok_or_else(|| self.no_object(NoObject::Lacks("kind")))
    }

    /// A set that is not graded is not applied: a cluster would have to carry its pods.
    fn not_too_many_replicas(&self, it: &Identity, value: &Value) -> Result<(), SubmissionError> {
        let replicas = match value.pointer("/spec/replicas") {
            Some(it) if it.is_u64() => it.as_i64().unwrap_or(i64::MAX),
            other => other.and_then(Value::as_i64).unwrap_or_default(),
        };
        if replicas <= i64::from(MAX_REPLICAS) {
            return Ok(());
        }
        let (place, name) = (Box::new(self.place_of("spec.replicas")), sanitize(&it.name));
        Err(SubmissionError::TooManyReplicas { place, name, replicas })
    }

    /// Sets the target namespace, and takes out what only the server writes.
    fn take_into_target(&self, value: &mut Value) -> Result<(), SubmissionError> {
        let Some(Value::Object(metadata)) = value.get_mut("metadata") else {
            return Err(self.no_object(NoObject::Lacks("metadata")));
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

    /// A field that must be a text. `path`: where it stands in the object.
    fn word<'a>(
        &self,
        object: &'a Map<String, Value>,
        field: &str,
        path: &'static str,
    ) -> Result<&'a str, SubmissionError> {
        match object.get(field) {
            Some(Value::String(word)) if !word.is_empty() => Ok(word),
            Some(Value::Number(_) | Value::Bool(_)) => Err(self.no_object(NoObject::NotText(path))),
            _ => Err(self.no_object(NoObject::Lacks(path))),
        }
    }

    fn no_object(&self, why: NoObject) -> SubmissionError {
        let place = Box::new(self.place_of(why.field().unwrap_or_default()));
        SubmissionError::NotAnObject { place, why }
    }

    /// Where a field of the object stands, or the deepest field above it that is there.
    fn place_of(&self, field: &str) -> Place {
        let line = texts::document_around(self.text, self.place).and_then(|(first, document)| {
            let fields = if field.is_empty() { vec![] } else { keys(field) };
            let path = [self.within.as_slice(), &fields].concat();
            let lengths = (0..=path.len()).rev();
            let (line, _) = lengths.filter_map(|it| document.lines_of(&path[..it])).next()?;
            Some(first + line - 1)
        });
        Place { line: line.unwrap_or(self.place.line), ..self.place.clone() }
    }

    fn of_another_namespace(&self, it: &Identity, namespace: &str) -> SubmissionError {
        SubmissionError::Namespace {
            place: Box::new(self.place_of("metadata.namespace")),
            kind: sanitize(&it.kind),
            name: sanitize(&it.name),
            namespace: sanitize(namespace),
            target: self.target.to_owned(),
        }
    }
}

/// The name becomes part of a path.
fn is_valid(name: &str) -> bool {
    name.starts_with(|it: char| it.is_ascii_alphanumeric())
        && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-.".contains(&it))
}
