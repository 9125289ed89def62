//! Edits of a document's text.

use granit_parser::ScalarStyle;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::remedy::manifest::{
    Document, Edit, PathStep,
    tree::{Node, NodeKind},
    words,
};

impl Document {
    /// The document after an edit; `None` where the edit cannot be made in its text, or makes no
    /// document.
    #[must_use]
    pub fn edited(&self, edit: &Edit) -> Option<Self> {
        let text = match edit {
            Edit::Set(path, value) => self.set(path, value),
            Edit::Remove(path) => self.remove(path),
            Edit::Push(path, value) => self.push(path, value),
            Edit::Rename(path, name) => self.rename(path, name),
            Edit::Move(from, parent) => self.relocate(from, parent),
        }?;
        Self::read(&text)
    }

    fn set(&self, path: &[PathStep], value: &Value) -> Option<String> {
        if let Some(node) = self.find(path) {
            return self.replace(node, value, self.is_in_flow(path));
        }
        let (last, parents) = path.split_last()?;
        let PathStep::Key(key) = last else { return None };
        match self.find(parents) {
            Some(parent) => self.insert(parent, key, value),
            None => self.set(parents, &json!({ key: value })),
        }
    }

    fn rename(&self, path: &[PathStep], name: &str) -> Option<String> {
        let (PathStep::Key(old), parents) = path.split_last()? else { return None };
        let entries = self.find(parents)?.entries();
        let key = &entries.iter().find(|it| it.key.text() == Some(old.as_str()))?.key;
        let name = words::text(name, self.flow_style(), true);
        Some(self.replaced(key.start, key.end, &name))
    }

    /// The lines of a block stay as they are, but for their indentation.
    fn relocate(&self, from: &[PathStep], parents: &[PathStep]) -> Option<String> {
        let key = from.last()?.clone();
        let value = self.value(from)?;
        let lines = self.own_lines(from);
        let without = Self::read(&self.remove(from)?)?;
        match (lines, without.find(parents)) {
            (Some(lines), Some(parent)) if !parent.is_flow() => {
                let indent = without.column(parent.entries().first()?.key.start);
                Some(without.put_below(parent, &lines, indent))
            }
            _ => without.set(&[parents, &[key]].concat(), &value),
        }
    }

    /// The lines of a key and its value, without the key's indentation; `None` where they hold
    /// something else, too.
    fn own_lines(&self, path: &[PathStep]) -> Option<String> {
        let (PathStep::Key(name), parents) = path.split_last()? else { return None };
        let parent = self.find(parents).filter(|it| !it.is_flow())?;
        let entry = parent.entries().iter().find(|it| it.key.text() == Some(name.as_str()))?;
        let start = self.line_start(entry.key.start);
        let indent = &self.text[start..entry.key.start];
        if !indent.chars().all(|it| it == ' ') {
            return None;
        }
        let lines = self.text[start..self.line_end(entry.value.end)].lines();
        let shifted = lines.map(|it| it.strip_prefix(indent).unwrap_or(it.trim_start()));
        Some(shifted.collect::<Vec<_>>().join("\n"))
    }

    fn push(&self, path: &[PathStep], value: &Value) -> Option<String> {
        let Some(list) = self.find(path) else { return self.set(path, &json!([value])) };
        let NodeKind::List { is_flow, items } = &list.kind else { return None };
        if *is_flow {
            return Some(self.put_in_flow(list, items.last(), &self.flow(value)));
        }
        let dash = self.dash(items.first()?)?;
        let lines = words::block(&json!([value]))?;
        Some(self.put_below(list, &lines, dash))
    }

    fn insert(&self, map: &Node, key: &str, value: &Value) -> Option<String> {
        let NodeKind::Map { is_flow, entries } = &map.kind else { return None };
        if *is_flow {
            let entry = self.flow(&json!({ key: value }));
            let inner = &entry[1..entry.len() - 1];
            return Some(self.put_in_flow(map, entries.last().map(|it| &it.value), inner));
        }
        let indent = self.column(entries.first()?.key.start);
        Some(self.put_below(map, &words::block(&json!({ key: value }))?, indent))
    }

    /// A value in one line. What is JSON stays so.
    fn flow(&self, value: &Value) -> String {
        words::flow(value, self.flow_style())
    }

    fn flow_style(&self) -> ScalarStyle {
        let is_json = serde_json::from_str::<IgnoredAny>(&self.text).is_ok();
        if is_json { ScalarStyle::DoubleQuoted } else { ScalarStyle::Plain }
    }

    fn put_in_flow(&self, node: &Node, last: Option<&Node>, what: &str) -> String {
        match last {
            Some(last) => self.replaced(last.end, last.end, &format!(", {what}")),
            None => self.replaced(node.start + 1, node.end - 1, what),
        }
    }

    /// Puts lines below the last one of a node.
    fn put_below(&self, node: &Node, lines: &str, indent: usize) -> String {
        let at = self.line_end(node.end);
        let lines: String = lines
            .lines()
            .map(|it| {
                format!("\n{}{it}", if it.is_empty() { String::new() } else { " ".repeat(indent) })
            })
            .collect();
        self.replaced(at, at, &lines)
    }

    fn replace(&self, node: &Node, value: &Value, is_in_flow: bool) -> Option<String> {
        let is_collection = matches!(value, Value::Array(_) | Value::Object(_));
        match &node.kind {
            NodeKind::Scalar { style: ScalarStyle::Literal, .. } => {
                self.replace_block(node, value.as_str()?)
            }
            NodeKind::Scalar { style: ScalarStyle::Folded, .. } => {
                self.replace_folded(node, value.as_str()?)
            }
            // An empty value stands nowhere.
            NodeKind::Scalar { .. } if node.end <= node.start => None,
            NodeKind::Scalar { style, .. } if !is_collection => {
                let new = words::scalar(value, *style, is_in_flow)?;
                Some(self.replaced(node.start, node.end, &new))
            }
            NodeKind::Map { is_flow: true, .. } | NodeKind::List { is_flow: true, .. } => {
                Some(self.replaced(node.start, node.end, &self.flow(value)))
            }
            _ => None,
        }
    }

    /// The lines of a literal block scalar: those that stay are not touched.
    fn replace_block(&self, node: &Node, new: &str) -> Option<String> {
        let first = node.start + self.text[node.start..node.end].find('\n')? + 1;
        let content = &self.text[first..node.end];
        let line = content.lines().find(|it| !it.trim().is_empty())?;
        // A tab is of the text.
        let indent = &line[..line.len() - line.trim_start_matches(' ').len()];
        let lines: Vec<String> = new
            .trim_end_matches('\n')
            .lines()
            .map(|it| if it.is_empty() { String::new() } else { format!("{indent}{it}") })
            .collect();
        Some(self.replaced(first, node.end, &lines.join("\n")))
    }

    /// A folded block scalar becomes a literal one, which says each line as it is.
    fn replace_folded(&self, node: &Node, new: &str) -> Option<String> {
        let header = self.text[node.start..node.end].lines().next()?;
        let indicators = header.split([' ', '#']).next()?;
        // Of what begins with a blank, the indentation must be told.
        if indicators.contains(|it: char| it.is_ascii_digit()) || new.starts_with([' ', '\n']) {
            return None;
        }
        let mut text = self.replace_block(node, new)?;
        text.replace_range(node.start..node.start + 1, "|");
        Some(text)
    }

    fn remove(&self, path: &[PathStep]) -> Option<String> {
        let (last, parents) = path.split_last()?;
        let parent = self.find(parents)?;
        let at = parent.index_of(last)?;
        // From the first byte of each child to behind its last one.
        let children: Vec<(usize, usize)> = match &parent.kind {
            NodeKind::Map { entries, .. } => {
                entries.iter().map(|it| (it.key.start, it.value.end)).collect()
            }
            NodeKind::List { items, .. } => items.iter().map(|it| (it.start, it.end)).collect(),
            _ => return None,
        };
        let (start, end) = *children.get(at)?;
        let next = children.get(at + 1).map(|it| it.0);
        if children.len() == 1 {
            return if parents.is_empty() { None } else { self.remove(parents) };
        }
        if parent.is_flow() {
            return Some(match next {
                Some(next) => self.replaced(start, next, ""),
                None => self.replaced(children.get(at.checked_sub(1)?)?.1, end, ""),
            });
        }
        let before = self.text[self.line_start(start)..start].trim();
        let is_list = matches!(parent.kind, NodeKind::List { .. });
        match (is_list, before) {
            (false, "") | (true, "-") => Some(self.without_lines(start, end)),
            // The first of an item's keys: the next one takes its place behind the `-`.
            (false, "-") => Some(self.replaced(start, next?, "")),
            _ => None,
        }
    }

    fn without_lines(&self, start: usize, end: usize) -> String {
        let end = (self.line_end(end) + 1).min(self.text.len());
        self.replaced(self.line_start(start), end, "")
    }

    fn replaced(&self, start: usize, end: usize, new: &str) -> String {
        format!("{}{new}{}", &self.text[..start], &self.text[end..])
    }

    fn is_in_flow(&self, path: &[PathStep]) -> bool {
        (0..path.len()).any(|length| self.find(&path[..length]).is_some_and(Node::is_flow))
    }

    /// The column of the `-` of an item.
    fn dash(&self, item: &Node) -> Option<usize> {
        let line = &self.text[self.line_start(item.start)..item.start];
        line.rfind('-')
    }

    fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |it| it + 1)
    }

    /// Where the line ends, before its newline.
    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |it| at + it)
    }
}
