//! The keys that tell what kind of object a document is.

use std::collections::BTreeSet;

use crate::submission::go_yaml::{BuildFault, Key, ToDo};

/// The keys `kind` and `apiVersion` that a document itself has written so far.
#[derive(Default)]
pub(super) struct TypeKeys {
    known: BTreeSet<String>,
    /// Those behind which no other key stands yet, with their lines: an object begins so.
    latest: Vec<(String, usize)>,
}

impl TypeKeys {
    /// Takes note of an outermost key. A second `kind` or `apiVersion` is refused. Elsewhere the
    /// last of two keys counts, as for kubectl. Here it would swallow a whole object.
    pub(super) fn note(&mut self, key: &Key, line: usize) -> Result<(), BuildFault> {
        let name = match key {
            Key::Named(name) if matches!(name.as_str(), "kind" | "apiVersion") => name,
            _ => {
                self.latest.clear();
                return Ok(());
            }
        };
        if !self.known.insert(name.clone()) {
            return Err(self.written_twice(name));
        }
        self.latest.push((name.clone(), line));
        Ok(())
    }

    /// A key that the document has already, of the same object or of another one.
    fn written_twice(&self, name: &str) -> BuildFault {
        if self.latest.iter().any(|(it, _)| it == name) {
            return BuildFault {
                why: format!("`{name}` stands twice in one object"),
                line: None,
                next: Some(ToDo::Follow("Take one of the two lines out.")),
            };
        }
        BuildFault {
            why: format!(
                "`{name}` stands twice in one document: a line `---` is missing between two objects"
            ),
            line: self.latest.first().map(|(_, line)| *line),
            next: Some(ToDo::Separate),
        }
    }
}
