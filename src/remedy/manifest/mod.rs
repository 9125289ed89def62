//! A document of a student's manifest as text: its fields are found by their paths, and edited so
//! that all other lines stay as they are.

mod edit;
mod tree;
pub(super) mod words;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::remedy::manifest::tree::Node;

/// One step of a path into a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// It goes, with its own lines, below another parent, which lacks its key.
    Move(Path, Path),
    /// The list gets one item more, and is made where it is missing.
    Push(Path, Value),
}

/// A path of keys: `spec.template.spec`.
#[must_use]
pub fn keys(path: &str) -> Path {
    path.split('.').map(|it| PathStep::Key(it.to_owned())).collect()
}

/// A path as kubectl writes it: `spec.template.spec.containers[0].image`.
#[must_use]
pub fn path_in_words(path: &[PathStep]) -> String {
    let mut told = String::new();
    for step in path {
        match step {
            PathStep::Key(key) if key.contains(['.', '/', '[']) => {
                told.push_str(&format!("[{key}]"));
            }
            PathStep::Key(key) if told.is_empty() => told.push_str(key),
            PathStep::Key(key) => told.push_str(&format!(".{key}")),
            PathStep::Item(place) => told.push_str(&format!("[{place}]")),
            PathStep::Named(name) => told.push_str(&format!("[{name}]")),
        }
    }
    told
}

/// A document, as text and as a tree.
#[derive(Clone, Debug)]
pub struct Document {
    text: String,
    root: Node,
}

impl Document {
    /// Reads a text that holds one document, or one item of a list, with its `-`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.replace("\r\n", "\n");
        let root = tree::read(&text)?.only_item();
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

    /// Whether a mapping has a key twice: here the first one is found, and kubectl takes the last.
    #[must_use]
    pub fn has_a_key_twice(&self) -> bool {
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            let mut keys = BTreeSet::new();
            if node.entries().iter().filter_map(|it| it.key.text()).any(|it| !keys.insert(it)) {
                return true;
            }
            open.extend(node.items());
            open.extend(node.entries().iter().map(|it| &it.value));
        }
        false
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

    /// What stands at a path as a document of its own, and its first line, from 1: an item of a list,
    /// say. Its lines stay as they are. `None` where one of them holds something else, too.
    #[must_use]
    pub fn part(&self, path: &[PathStep]) -> Option<(usize, Self)> {
        let node = self.find(path)?;
        let begin = self.text[..node.start].rfind('\n').map_or(0, |it| it + 1);
        let before = &self.text[begin..node.start];
        let behind = self.text[node.end..].lines().next().unwrap_or_default();
        let end = if node.is_flow() {
            // A comma follows what closes it: no line that may change has that, too.
            let last = self.text[..node.end - 1].rfind('\n').map_or(0, |it| it + 1);
            let closes_alone = self.text[last..node.end - 1].trim().is_empty();
            let is_alone = before.trim().is_empty() && !before.is_empty();
            (is_alone && closes_alone).then_some(node.end)?
        } else {
            // Of an empty value the colon stands behind its end.
            let behind_it = behind.trim_start().trim_start_matches(':').trim_start();
            let is_end = matches!(behind_it.chars().next(), None | Some('#'));
            (before.trim() == "-" && is_end).then_some(node.end + behind.len())?
        };
        let first = self.text[..begin].matches('\n').count() + 1;
        Some((first, Self::read(&format!("{}\n", &self.text[begin..end]))?))
    }

    /// The path of what holds these lines, both of them and all between, from 1. A text in a list
    /// is told by the list.
    #[must_use]
    pub fn path_of(&self, first: usize, last: usize) -> Path {
        let starts = || std::iter::once(0).chain(self.text.match_indices('\n').map(|it| it.0 + 1));
        let start = |line: usize| starts().nth(line - 1).unwrap_or(self.text.len());
        let (behind_first, last) = (start(first + 1), start(last));
        let mut path = vec![];
        let mut node = &self.root;
        while let Some((step, child)) = node.child_that_holds(behind_first, last) {
            if matches!(step, PathStep::Item(_)) && child.text().is_some() {
                break;
            }
            path.push(step);
            node = child;
        }
        path
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

    /// The only child that begins before one byte and does not end before the other.
    fn child_that_holds(
        &self,
        begins_before: usize,
        ends_from: usize,
    ) -> Option<(PathStep, &Self)> {
        let holds = |start: usize, end: usize| start < begins_before && ends_from <= end;
        let entries = self.entries().iter().filter(|it| holds(it.key.start, it.value.end));
        let entries =
            entries.filter_map(|it| Some((PathStep::Key(it.key.text()?.to_owned()), &it.value)));
        let items = self.items().iter().enumerate().filter(|(_, it)| holds(it.start, it.end));
        let items = items.map(|(place, it)| (PathStep::Item(place), it));
        let mut all = entries.chain(items);
        all.next().filter(|_| all.next().is_none())
    }

    fn name(&self) -> Option<&str> {
        let metadata = self.get("metadata").and_then(|it| it.get("name"));
        self.get("name").or(metadata)?.text()
    }
}

#[cfg(test)]
mod tests;
