//! A YAML document as a tree of nodes that know where they stand in its text.

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use serde_json::Value;

/// Deeper nesting is no manifest.
const MAX_DEPTH: usize = 64;

/// A node, by the bytes from its first to behind its last one. Of a block collection the end is that
/// of its last node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: NodeKind,
}

#[derive(Clone, Debug)]
pub(super) enum NodeKind {
    Scalar {
        value: String,
        style: ScalarStyle,
    },
    Map {
        is_flow: bool,
        entries: Vec<Entry>,
    },
    List {
        is_flow: bool,
        items: Vec<Node>,
    },
    /// `*name`: what it stands for is somewhere else.
    Alias,
}

/// An entry of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Node,
    pub(super) value: Node,
}

/// A collection whose end has not come.
struct Open {
    start: usize,
    is_flow: bool,
    is_map: bool,
    nodes: Vec<Node>,
}

/// The tree of a text that is one document; `None` where it cannot be read, or is none or several.
pub(super) fn read(text: &str) -> Option<Node> {
    let mut open: Vec<Open> = vec![];
    let mut whole: Option<Node> = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        let start = span.start.byte_offset()?;
        let node = match event {
            Event::Scalar(value, style, ..) => scalar(text, &value, style, span)?,
            Event::Alias(_) => Node { start, end: span.end.byte_offset()?, kind: NodeKind::Alias },
            Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => {
                if open.len() >= MAX_DEPTH {
                    return None;
                }
                let is_flow = style == StructureStyle::Flow;
                let is_map = matches!(event, Event::MappingStart(..));
                open.push(Open { start, is_flow, is_map, nodes: vec![] });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop()?.close(span)?,
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.nodes.push(node),
            None if whole.is_some() => return None,
            None => whole = Some(node),
        }
    }
    whole
}

fn scalar(text: &str, value: &str, style: ScalarStyle, span: Span) -> Option<Node> {
    let (start, end) = (span.start.byte_offset()?, span.end.byte_offset()?);
    let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
    let (start, end) = if is_block { block(text, start)? } else { (start, end) };
    // An empty value stands nowhere.
    let end = if is_block { end } else { start + text.get(start..end)?.trim_end().len() };
    let kind = NodeKind::Scalar { value: value.to_owned(), style };
    Some(Node { start, end, kind })
}

/// From the `|` or `>` of a block scalar to the end of its last line that is not blank. Its span
/// begins there, or at its content.
fn block(text: &str, from: usize) -> Option<(usize, usize)> {
    let start = match text.as_bytes().get(from) {
        Some(b'|' | b'>') => from,
        _ => text[..from].trim_end().rfind(['|', '>'])?,
    };
    let mut end = start + text[start..].find('\n').unwrap_or(text.len() - start);
    let mut indent = None;
    let mut at = end + 1;
    while at < text.len() {
        let length = text[at..].find('\n').unwrap_or(text.len() - at);
        let line = &text[at..at + length];
        // A tab is of the text.
        let own = line.len() - line.trim_start_matches(' ').len();
        if !line.trim().is_empty() {
            if own < *indent.get_or_insert(own) || own == 0 {
                break;
            }
            end = at + length;
        }
        at += length + 1;
    }
    Some((start, end))
}

impl Open {
    fn close(self, span: Span) -> Option<Node> {
        let start = match self.nodes.first() {
            Some(first) if !self.is_flow => self.start.min(first.start),
            _ => self.start,
        };
        let end = match self.nodes.last() {
            Some(last) if !self.is_flow => last.end,
            _ => span.end.byte_offset()?,
        };
        let kind = if self.is_map {
            let mut nodes = self.nodes.into_iter();
            let mut entries = vec![];
            while let Some(key) = nodes.next() {
                let mut value = nodes.next()?;
                // An empty value: it ends where its key does.
                if value.end <= value.start {
                    (value.start, value.end) = (key.end, key.end);
                }
                entries.push(Entry { key, value });
            }
            NodeKind::Map { is_flow: self.is_flow, entries }
        } else {
            NodeKind::List { is_flow: self.is_flow, items: self.nodes }
        };
        let end = match &kind {
            NodeKind::Map { is_flow: false, entries } => {
                entries.last().map_or(end, |it| it.value.end)
            }
            _ => end,
        };
        Some(Node { start, end, kind })
    }
}

impl Node {
    /// Of a list of block style that has one item, this; else the node itself.
    pub(super) fn only_item(mut self) -> Self {
        match &mut self.kind {
            NodeKind::List { is_flow: false, items } if items.len() == 1 => items.remove(0),
            _ => self,
        }
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Its value; `None` where an alias stands in it.
    pub(super) fn value(&self) -> Option<Value> {
        Some(match &self.kind {
            NodeKind::Scalar { value, style: ScalarStyle::Plain } => {
                let read = serde_saphyr::from_str::<Value>(value).ok();
                read.filter(|it| !it.is_object() && !it.is_array()).unwrap_or(value.as_str().into())
            }
            NodeKind::Scalar { value, .. } => value.as_str().into(),
            NodeKind::List { items, .. } => {
                items.iter().map(Self::value).collect::<Option<Vec<_>>>()?.into()
            }
            NodeKind::Map { entries, .. } => {
                let entry = |it: &Entry| Some((it.key.text()?.to_owned(), it.value.value()?));
                Value::Object(entries.iter().map(entry).collect::<Option<_>>()?)
            }
            NodeKind::Alias => return None,
        })
    }

    /// What a mapping holds under a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|it| it.key.text() == Some(key)).map(|it| &it.value)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        match &self.kind {
            NodeKind::Map { entries, .. } => entries,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Self] {
        match &self.kind {
            NodeKind::List { items, .. } => items,
            _ => &[],
        }
    }

    pub(super) fn is_flow(&self) -> bool {
        match self.kind {
            NodeKind::Map { is_flow, .. } | NodeKind::List { is_flow, .. } => is_flow,
            _ => false,
        }
    }
}
