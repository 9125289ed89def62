//! The keys that tell what kind of object a document is.

use serde_json::Value;

use crate::submission::go_yaml::{BuildFault, Key, ToDo};

/// The outermost keys of a document, as far as they tell where an object begins.
#[derive(Default)]
pub(super) struct TypeKeys(Vec<Outermost>);

/// An outermost key.
struct Outermost {
    what: What,
    line: usize,
    value: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    ApiVersion,
    Kind,
    Other,
}

impl TypeKeys {
    /// Takes note of an outermost key.
    pub(super) fn note(&mut self, key: &Key, line: usize) {
        let what = match key {
            Key::Named(name) if name == "apiVersion" => What::ApiVersion,
            Key::Named(name) if name == "kind" => What::Kind,
            _ => What::Other,
        };
        self.0.push(Outermost { what, line, value: Value::Null });
    }

    /// Takes note of the value of the key that was noted last.
    pub(super) fn note_value(&mut self, value: &Value) {
        if let Some(key) = self.0.last_mut().filter(|it| it.what != What::Other) {
            key.value.clone_from(value);
        }
    }

    /// Refuses a second `kind` or `apiVersion`. Elsewhere the last of two keys counts, as for
    /// kubectl. Here it would swallow a whole object.
    pub(super) fn check(&self) -> Result<(), BuildFault> {
        let keys = &self.0;
        for (at, key) in keys.iter().enumerate().filter(|(_, key)| key.what != What::Other) {
            if let Some(first) = keys[..at].iter().position(|it| it.what == key.what) {
                return Err(self.written_twice(first, at));
            }
        }
        Ok(())
    }

    /// A key that the document has already, of the same object or of another one.
    fn written_twice(&self, first: usize, second: usize) -> BuildFault {
        let name = if self.0[second].what == What::Kind { "kind" } else { "apiVersion" };
        match self.begin_of_another(first, second) {
            Some(begin) => BuildFault {
                why: format!(
                    "`{name}` stands twice in one document: a line `---` is missing between two \
                    objects"
                ),
                line: Some(self.0[begin].line),
                next: Some(ToDo::Separate),
            },
            None => BuildFault {
                why: format!("`{name}` stands twice in one object"),
                line: Some(self.0[second].line),
                next: Some(ToDo::Follow("Take one of the two lines out.")),
            },
        }
    }

    /// The key with which another object begins, if one does: an object has both `apiVersion` and
    /// `kind`.
    fn begin_of_another(&self, first: usize, second: usize) -> Option<usize> {
        let keys = &self.0;
        let is_other = |it: &Outermost| it.what != What::Other && it.what != keys[second].what;
        if keys[second..].iter().any(is_other) {
            // Between two objects, or only typed twice.
            let is_apart = first + 1 < second || keys[..first].iter().any(is_other);
            return is_apart.then_some(second);
        }
        // It may begin with the key that the first object lacks.
        let before = second.checked_sub(1).filter(|it| is_other(&keys[*it]))?;
        let is_whole =
            first < before && keys[first..before].iter().any(|it| it.what == What::Other);
        (is_whole && keys[first].value != keys[second].value).then_some(before)
    }
}
