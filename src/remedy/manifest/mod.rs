//! A document of a student's manifest as text: its fields are found by their paths, and edited so
//! that all other lines stay as they are.

mod edit;
mod tree;
pub(super) mod words;

use serde_json::Value;

use crate::remedy::manifest::tree::Node;

/// One step of a path into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// Of a mapping: its key.
    Key(String),
    /// Of a list: the place of an item, from 0.
    Item(usize),
    /// Of a list: the item with that `name` or `metadata.name`.
    Named(String),
}

/// A path into a document.
pub type Path = Vec<PathStep>;

/// A change of one field.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// It gets this value, and is made where it is missing.
    Set(Path, Value),
    /// It goes, and what holds nothing but it.
    Remove(Path),
    /// Its key gets another name.
    Rename(Path, String),
    /// The list gets one item more, and is made where it is missing.
    Push(Path, Value),
}

/// A path of keys: `spec.template.spec`.
#[must_use]
pub fn keys(path: &str) -> Path {
    path.split('.').map(|it| PathStep::Key(it.to_owned())).collect()
}

/// A document, as text and as a tree.
#[derive(Clone, Debug)]
pub struct Document {
    text: String,
    root: Node,
}

impl Document {
    /// Reads a text that holds one document.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.replace("\r\n", "\n");
        let root = tree::read(&text)?;
        Some(Self { text, root })
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of the scalar at a path.
    #[must_use]
    pub fn scalar(&self, path: &[PathStep]) -> Option<&str> {
        self.find(path)?.text()
    }

    /// Whether there is anything at a path.
    #[must_use]
    pub fn has(&self, path: &[PathStep]) -> bool {
        self.find(path).is_some()
    }

    /// The keys of the mapping at a path.
    #[must_use]
    pub fn keys_of(&self, path: &[PathStep]) -> Vec<&str> {
        let entries = self.find(path).map(Node::entries).unwrap_or_default();
        entries.iter().filter_map(|it| it.key.text()).collect()
    }

    /// How many items the list at a path has.
    #[must_use]
    pub fn count(&self, path: &[PathStep]) -> usize {
        self.find(path).map_or(0, |it| it.items().len())
    }

    /// The texts of the list of scalars at a path.
    #[must_use]
    pub fn texts(&self, path: &[PathStep]) -> Vec<&str> {
        let items = self.find(path).map(Node::items).unwrap_or_default();
        items.iter().filter_map(Node::text).collect()
    }

    /// What stands at a path.
    #[must_use]
    pub fn value(&self, path: &[PathStep]) -> Option<Value> {
        self.find(path)?.value()
    }

    /// All scalars with their paths, in the order of the text.
    #[must_use]
    pub fn scalars(&self) -> Vec<(Path, &str)> {
        let mut found = vec![];
        let mut open: Vec<(Path, &Node)> = vec![(vec![], &self.root)];
        while let Some((path, node)) = open.pop() {
            let below = |step: PathStep| [path.as_slice(), &[step]].concat();
            let items = node.items().iter().enumerate().map(|(at, it)| (PathStep::Item(at), it));
            let keys = node.entries().iter();
            let entries =
                keys.filter_map(|it| Some((PathStep::Key(it.key.text()?.to_owned()), &it.value)));
            let children: Vec<_> =
                items.chain(entries).map(|(it, node)| (below(it), node)).collect();
            found.extend(node.text().map(|text| (path.clone(), text)));
            open.extend(children.into_iter().rev());
        }
        found
    }

    /// The first and the last line of what is at a path, its key included, from 1.
    #[must_use]
    pub fn lines_of(&self, path: &[PathStep]) -> Option<(usize, usize)> {
        let node = self.find(path)?;
        let key = match path.split_last()? {
            (PathStep::Key(name), parents) => {
                let entries = self.find(parents)?.entries();
                entries
                    .iter()
                    .find(|it| it.key.text() == Some(name.as_str()))
                    .map(|it| it.key.start)
            }
            _ => None,
        };
        let line = |at: usize| self.text[..at].matches('\n').count() + 1;
        Some((line(key.unwrap_or(node.start)), line(node.end)))
    }

    fn find(&self, path: &[PathStep]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, step| match step {
            PathStep::Key(key) => node.get(key),
            step => node.items().get(node.index_of(step)?),
        })
    }
}

impl Node {
    /// The place of what a step leads to.
    fn index_of(&self, step: &PathStep) -> Option<usize> {
        match step {
            PathStep::Key(key) => {
                self.entries().iter().position(|it| it.key.text() == Some(key.as_str()))
            }
            PathStep::Item(place) => Some(*place).filter(|it| *it < self.items().len()),
            PathStep::Named(name) => self.items().iter().position(|it| it.name() == Some(name)),
        }
    }

    fn name(&self) -> Option<&str> {
        let metadata = self.get("metadata").and_then(|it| it.get("name"));
        self.get("name").or(metadata)?.text()
    }
}

#[cfg(test)]
mod tests;
