//! YAML as kubectl reads it, into JSON values.
//!
//! kubectl's reader (sigs.k8s.io/yaml) knows YAML 1.1's scalars: `yes` and `on` are booleans,
//! `0644` is octal, and the last of two equal keys wins. A reader of YAML 1.2 would apply other
//! objects than the student's own `kubectl apply` does.

mod type_keys;

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};
use serde_json::{Map, Number, Value};

use crate::submission::{go_yaml::type_keys::TypeKeys, syntax};

/// The most nodes of a document, those of aliases counted at each place where they stand.
pub(super) const MAX_NODES: usize = 200_000;
/// The most text of a document's values, in bytes, counted likewise. No API server takes as much:
/// its store refuses a request of more than 1.5 MiB (etcd's `--max-request-bytes`).
const MAX_TEXT_BYTES: usize = 4 << 20;
/// How many collections may be nested.
const MAX_DEPTH: usize = 64;

/// Below it, a float of 64 bits holds every integer.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// One document that is not empty.
#[derive(Debug, PartialEq)]
pub(crate) struct ReadDocument {
    /// Its place among all documents of the file, from 1.
    pub(crate) number: usize,
    /// The line of its first node, from 1.
    pub(crate) line: usize,
    /// Its content.
    pub(crate) value: Value,
}

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct YamlError {
    pub(crate) document: usize,
    pub(crate) line: usize,
    pub(crate) why: String,
    /// What to do, where that is known.
    pub(crate) next: Option<ToDo>,
}

/// What to do about a text that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToDo {
    /// What these words say.
    Follow(&'static str),
    /// To write a separator above the line of the fault, with which another object begins.
    Separate,
}

impl ToDo {
    /// A sentence, about a fault in this line.
    pub(crate) fn in_words(self, line: usize) -> String {
        match self {
            Self::Follow(words) => words.to_owned(),
            Self::Separate => {
                format!("Write a line `---` above line {line}, with which another object begins.")
            }
        }
    }
}

impl YamlError {
    fn of(error: &ScanError, document: usize, text: &str) -> Self {
        let fault = syntax::syntax_fault(error.kind());
        let line = syntax::line(error, text);
        let why = match fault {
            Some(it) => format!("{} (\"{}\")", it.why, error.info()),
            None => error.info(),
        };
        Self { document, line, why, next: fault.map(|it| ToDo::Follow(it.next)) }
    }
}

/// Reads all documents. Empty ones (also of comments only) are counted and left out.
pub(crate) fn documents(text: &str) -> Result<Vec<ReadDocument>, YamlError> {
    let mut found = vec![];
    let mut builder = Builder::default();
    let mut number = 0;
    let mut line = 1;
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = event.map_err(|error| YamlError::of(&error, number.max(1), text))?;
        if matches!(event, Event::DocumentStart(..)) {
            number += 1;
            builder = Builder::default();
            continue;
        }
        let is_first = builder.size.nodes == 0;
        builder.line = span.start.line();
        builder.apply_event(event).map_err(|it| YamlError {
            document: number,
            line: it.line.unwrap_or(span.start.line()),
            why: it.why,
            next: it.next,
        })?;
        if is_first && builder.size.nodes > 0 {
            line = span.start.line();
        }
        if let Some(value) = builder.whole.take().filter(|it| !it.is_null()) {
            found.push(ReadDocument { number, line, value });
        }
    }
    Ok(found)
}

/// Builds the value of one document from the parser's events, without recursion.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    /// Anchored values with their sizes.
    anchors: BTreeMap<usize, (Value, Size)>,
    /// Of all that was read so far.
    size: Size,
    type_keys: TypeKeys,
    /// The line that is read.
    line: usize,
    whole: Option<Value>,
}

/// What no value can be built of.
struct BuildFault {
    why: String,
    /// Its line, where that is another one than the line that is read.
    line: Option<usize>,
    next: Option<ToDo>,
}

impl From<String> for BuildFault {
    fn from(why: String) -> Self {
        Self { why, line: None, next: None }
    }
}

/// How large a value is.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    text_bytes: usize,
}

impl Size {
    /// Of both together; too much is an error.
    fn and(self, more: Self) -> Result<Self, String> {
        let nodes = self.nodes + more.nodes;
        let text_bytes = self.text_bytes + more.text_bytes;
        if nodes > MAX_NODES {
            return Err(format!("it has more than {MAX_NODES} values, {EACH_ALIAS}"));
        }
        if text_bytes > MAX_TEXT_BYTES {
            return Err(format!("it has more than {} MiB, {EACH_ALIAS}", MAX_TEXT_BYTES >> 20));
        }
        Ok(Self { nodes, text_bytes })
    }

    /// Of what was read since it was `before`.
    const fn since(self, before: Self) -> Self {
        Self { nodes: self.nodes - before.nodes, text_bytes: self.text_bytes - before.text_bytes }
    }
}

/// A collection whose end is not read yet.
struct Open {
    anchor: usize,
    /// The size of what was read before it.
    before: Size,
    node: OpenNode,
}

enum OpenNode {
    List(Vec<Value>),
    Map { entries: Map<String, Value>, key: Option<Key> },
}

enum Key {
    Named(String),
    /// `<<`: the entries of its value are taken over.
    Merge,
}

impl Builder {
    fn apply_event(&mut self, event: Event<'_>) -> Result<(), BuildFault> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let size = Size { nodes: 1, text_bytes: text.len() };
                self.size = self.size.and(size)?;
                let is_plain = style == ScalarStyle::Plain;
                if is_plain && text == "<<" && self.awaits_key() {
                    return self.set_key(Key::Merge);
                }
                let value = scalar(&text, is_plain, tag.as_deref())?;
                self.put(value, anchor, size)
            }
            Event::Alias(id) => {
                let Some((value, size)) = self.anchors.get(&id) else {
                    return Err("an alias stands inside its own anchor".to_owned().into());
                };
                // Before it is copied: it may be too large.
                self.size = self.size.and(*size)?;
                let (value, size) = (value.clone(), *size);
                self.put(value, 0, size)
            }
            Event::SequenceStart(_, anchor, _) => self.open(anchor, OpenNode::List(vec![])),
            Event::MappingStart(_, anchor, _) => {
                self.open(anchor, OpenNode::Map { entries: Map::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(()),
        }
    }

    fn open(&mut self, anchor: usize, node: OpenNode) -> Result<(), BuildFault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} deep").into());
        }
        let before = self.size;
        self.size = before.and(Size { nodes: 1, text_bytes: 0 })?;
        self.open.push(Open { anchor, before, node });
        Ok(())
    }

    fn close(&mut self) -> Result<(), BuildFault> {
        let Some(Open { anchor, before, node }) = self.open.pop() else { return Ok(()) };
        let value = match node {
            OpenNode::List(items) => Value::Array(items),
            OpenNode::Map { entries, .. } => Value::Object(entries),
        };
        if self.open.is_empty() {
            self.type_keys.check()?;
        }
        self.put(value, anchor, self.size.since(before))
    }

    /// Puts a whole value where it belongs: it is a key, an entry, an item, or the document.
    fn put(&mut self, value: Value, anchor: usize, size: Size) -> Result<(), BuildFault> {
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), size));
        }
        if self.awaits_key() {
            return self.set_key(Key::Named(key_text(value)?));
        }
        if self.open.len() == 1 {
            self.type_keys.note_value(&value);
        }
        match self.open.last_mut().map(|open| &mut open.node) {
            None => self.whole = Some(value),
            Some(OpenNode::List(items)) => items.push(value),
            Some(OpenNode::Map { entries, key }) => match key.take() {
                Some(Key::Named(name)) => {
                    entries.insert(name, value);
                }
                Some(Key::Merge) => merge(entries, value)?,
                None => {}
            },
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { node: OpenNode::Map { key: None, .. }, .. }))
    }

    fn set_key(&mut self, name: Key) -> Result<(), BuildFault> {
        if self.open.len() == 1 {
            self.type_keys.note(&name, self.line);
        }
        if let Some(Open { node: OpenNode::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(name);
        }
        Ok(())
    }
}

const EACH_ALIAS: &str = "aliases counted as often as they stand";

/// Takes over the entries of a mapping, or of a list of mappings, of which the first counts.
///
/// They count before what stands above `<<`, and not before what stands below: see `merge` in
/// `decode.go` of sigs.k8s.io/yaml's goyaml.v2. YAML 1.1 itself would never replace an entry.
fn merge(entries: &mut Map<String, Value>, value: Value) -> Result<(), String> {
    let mappings = match value {
        Value::Array(mappings) => mappings,
        one => vec![one],
    };
    for mapping in mappings.into_iter().rev() {
        let Value::Object(mapping) = mapping else {
            return Err("`<<` needs a mapping".to_owned());
        };
        entries.extend(mapping);
    }
    Ok(())
}

/// JSON's keys are strings: kubectl writes numbers and booleans out.
fn key_text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Err("a key must not be null".to_owned()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => Err("a key must be a single value".to_owned()),
    }
}

/// A scalar by its tag; without a tag, one without quotes may be more than text.
fn scalar(text: &str, is_plain: bool, tag: Option<&Tag>) -> Result<Value, String> {
    match tag.map(Tag::suffix) {
        Some("str") => Ok(Value::String(text.to_owned())),
        Some("binary") => Err("!!binary is not supported: write the text itself".to_owned()),
        Some("int" | "float" | "bool" | "null") => Ok(plain(text)),
        None if is_plain => Ok(plain(text)),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// A scalar without quotes, by the rules of go-yaml 2.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        let digits = text.replace('_', "");
        if let Some(number) = integer(&digits).or_else(|| float(&digits)) {
            return Value::Number(number);
        }
    }
    Value::String(text.to_owned())
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if !digits.starts_with(|it: char| it.is_ascii_alphanumeric()) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        0_i64.checked_sub_unsigned(size).map(Number::from)
    } else {
        Some(Number::from(size))
    }
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`: see `yamlStyleFloat` in `resolve.go` of
/// sigs.k8s.io/yaml's goyaml.v2.
fn float(text: &str) -> Option<Number> {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (body, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_mantissa = is_digits(whole) && is_digits(fraction) && whole.len() + fraction.len() > 0;
    let is_exponent = |text: &str| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        !digits.is_empty() && is_digits(digits)
    };
    if !is_mantissa || !exponent.is_none_or(is_exponent) {
        return None;
    }
    number(text.parse().ok()?)
}

/// A float as Go writes it: a whole number without a fraction, and only so a field of integers takes
/// it. `None` of what is no number.
pub(super) fn number(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() < MAX_EXACT_INTEGER {
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests;
