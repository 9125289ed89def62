//! YAML as kubectl reads it, into JSON values.
//!
//! kubectl's reader (sigs.k8s.io/yaml) knows YAML 1.1's scalars: `yes` and `on` are booleans,
//! `0644` is octal, and the last of two equal keys wins. A reader of YAML 1.2 would apply other
//! objects than the student's own `kubectl apply` does.

use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

/// Aliases multiply: so many nodes are no manifest any more.
const MOST_NODES: usize = 200_000;
/// Deeper nesting is no manifest either.
const DEEPEST: usize = 64;

/// One document that is not empty.
#[derive(Debug, PartialEq)]
pub(crate) struct Document {
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
}

/// Reads all documents. Empty ones (also of comments only) are counted and left out.
pub(crate) fn documents(text: &str) -> Result<Vec<Document>, YamlError> {
    let mut found = vec![];
    let mut builder = Builder::default();
    let mut number = 0;
    let mut line = 1;
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = event.map_err(|error| YamlError {
            document: number.max(1),
            line: error.marker().line(),
            why: error.info(),
        })?;
        if matches!(event, Event::DocumentStart(..)) {
            number += 1;
            builder = Builder::default();
            continue;
        }
        let is_first = builder.nodes == 0;
        let fault = |why| YamlError { document: number, line: span.start.line(), why };
        builder.apply_event(event).map_err(fault)?;
        if is_first && builder.nodes > 0 {
            line = span.start.line();
        }
        if let Some(value) = builder.whole.take().filter(|it| !it.is_null()) {
            found.push(Document { number, line, value });
        }
    }
    Ok(found)
}

/// Builds one document's value from its events, without recursion.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    /// Anchored values with their numbers of nodes.
    anchors: BTreeMap<usize, (Value, usize)>,
    nodes: usize,
    /// The keys `kind` and `apiVersion` that the document itself has written so far.
    type_keys: BTreeSet<String>,
    whole: Option<Value>,
}

/// A collection whose end has not come.
struct Open {
    anchor: usize,
    /// How many nodes there were before it.
    before: usize,
    held: OpenNode,
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
    fn apply_event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1)?;
                let is_plain = style == ScalarStyle::Plain;
                if is_plain && text == "<<" && self.awaits_key() {
                    return self.set_key(Key::Merge);
                }
                let value = scalar(&text, is_plain, tag.as_deref())?;
                self.put(value, anchor, 1)
            }
            Event::Alias(id) => {
                let Some((value, nodes)) = self.anchors.get(&id) else {
                    return Err("an alias stands inside its own anchor".to_owned());
                };
                // Counted before it is copied.
                let (value, nodes) = (self.nodes + nodes <= MOST_NODES)
                    .then(|| (value.clone(), *nodes))
                    .ok_or_else(too_large)?;
                self.count(nodes)?;
                self.put(value, 0, nodes)
            }
            Event::SequenceStart(_, anchor, _) => self.open(anchor, OpenNode::List(vec![])),
            Event::MappingStart(_, anchor, _) => {
                self.open(anchor, OpenNode::Map { entries: Map::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize) -> Result<(), String> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES { Err(too_large()) } else { Ok(()) }
    }

    fn open(&mut self, anchor: usize, held: OpenNode) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err(format!("it is nested more than {DEEPEST} deep"));
        }
        let before = self.nodes;
        self.count(1)?;
        self.open.push(Open { anchor, before, held });
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(Open { anchor, before, held }) = self.open.pop() else { return Ok(()) };
        let value = match held {
            OpenNode::List(items) => Value::Array(items),
            OpenNode::Map { entries, .. } => Value::Object(entries),
        };
        self.put(value, anchor, self.nodes - before)
    }

    fn put(&mut self, value: Value, anchor: usize, nodes: usize) -> Result<(), String> {
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), nodes));
        }
        if self.awaits_key() {
            return self.set_key(Key::Named(key_text(value)?));
        }
        match self.open.last_mut().map(|it| &mut it.held) {
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
        matches!(self.open.last(), Some(Open { held: OpenNode::Map { key: None, .. }, .. }))
    }

    fn set_key(&mut self, name: Key) -> Result<(), String> {
        let is_outermost = self.open.len() == 1;
        let Some(Open { held: OpenNode::Map { key, .. }, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        // Elsewhere the last of two counts, as for kubectl. Here it would swallow a whole object.
        if let Key::Named(name) = &name
            && is_outermost
            && matches!(name.as_str(), "kind" | "apiVersion")
            && !self.type_keys.insert(name.clone())
        {
            return Err(format!(
                "`{name}` stands twice in one document: a line `---` is missing between two objects"
            ));
        }
        *key = Some(name);
        Ok(())
    }
}

fn too_large() -> String {
    format!("it has more than {MOST_NODES} values, aliases counted as often as they stand")
}

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
        Value::Null => Ok("null".to_owned()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => Err("a key must be a single value".to_owned()),
    }
}

fn scalar(text: &str, is_plain: bool, tag: Option<&Tag>) -> Result<Value, String> {
    match tag.map(Tag::suffix) {
        Some("str") => Ok(Value::String(text.to_owned())),
        Some("binary") => Err("!!binary is not supported: write the text itself".to_owned()),
        Some("int" | "float" | "bool" | "null") => Ok(plain(text)),
        _ if is_plain => Ok(plain(text)),
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
    let starts = text.starts_with(|it: char| it.is_ascii_digit() || "+-.".contains(it));
    let number = starts
        .then(|| text.replace('_', ""))
        .and_then(|digits| integer(&digits).or_else(|| float(&digits)));
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
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

/// `^[-+]?[0-9]*\.?[0-9]+([eE][-+][0-9]+)?$`
fn float(text: &str) -> Option<Number> {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = body
        .split_once(['e', 'E'])
        .map_or((body, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or(("", mantissa));
    let signed =
        |it: &str| it.strip_prefix(['-', '+']).is_some_and(|it| !it.is_empty() && digits(it));
    let fits = digits(whole) && digits(part) && !part.is_empty() && exponent.is_none_or(signed);
    fits.then(|| text.parse().ok()).flatten().and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{documents, plain};

    fn one(text: &str) -> Value {
        documents(text).unwrap().remove(0).value
    }

    /// Catches reading YAML 1.2 where kubectl reads 1.1.
    #[test]
    fn plain_scalars_are_go_yaml_s() {
        for (text, value) in [
            ("yes", json!(true)),
            ("On", json!(true)),
            ("n", json!(false)),
            ("0644", json!(420)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("-12", json!(-12)),
            ("1_000", json!(1000)),
            ("089", json!(89.0)),
            ("1.50", json!(1.5)),
            (".5", json!(0.5)),
            ("1e3", json!("1e3")),
            ("1e+3", json!(1000.0)),
            ("1:30", json!("1:30")),
            ("2026-01-02", json!("2026-01-02")),
            ("100Mi", json!("100Mi")),
            ("1.27.0", json!("1.27.0")),
            (".inf", json!(".inf")),
            ("-", json!("-")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("0x-5", json!("0x-5")),
            ("~", Value::Null),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
        assert_eq!(
            one("a: 'yes'\nb: \"0644\"\nc: !!str 1\nd: |\n  no\n"),
            json!({"a": "yes", "b": "0644", "c": "1", "d": "no\n"})
        );
    }

    /// Catches documents that are lost, doubled or misnumbered in files as they really come.
    #[test]
    fn documents_are_numbered_as_they_stand() {
        let found =
            documents("\u{feff}# head\r\na: 1\r\n---\r\n# nothing\r\n---\r\n\r\nb: 2\r\n---\r\n")
                .unwrap();
        let places: Vec<_> =
            found.iter().map(|it| (it.number, it.line, it.value.clone())).collect();
        assert_eq!(places, [(1, 2, json!({"a": 1})), (3, 7, json!({"b": 2}))]);
        assert_eq!(documents("").unwrap(), []);
        assert_eq!(documents("---\n---\n# x\n").unwrap(), []);
    }

    #[test]
    fn anchors_merges_and_doubled_keys() {
        assert_eq!(
            one("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\nc: *x\n"),
            json!({"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}, "c": {"k": 1, "l": 2}})
        );
        // A merged `kind` is not one that stands twice.
        assert_eq!(one("a: &x {kind: A}\n<<: *x\nkind: B\n")["kind"], "B");
        // As kubectl does it: YAML 1.1 would keep the 3.
        assert_eq!(
            one("a: &x {k: 1, l: 2}\nb:\n  k: 3\n  <<: *x\n"),
            json!({"a": {"k": 1, "l": 2}, "b": {"k": 1, "l": 2}})
        );
        assert_eq!(
            one("a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc:\n  <<: [*x, *y]\n")["c"],
            json!({"k": 1, "l": 2})
        );
        assert!(documents("a: &x {k: 1}\nb:\n  <<: [[*x]]\n").is_err());
        assert_eq!(one("a: 1\na: 2\n"), json!({"a": 2}));
        assert_eq!(one("1: a\ntrue: b\n"), json!({"1": "a", "true": "b"}));
    }

    /// Catches a small file that fills the memory or the stack.
    #[test]
    fn growth_is_bounded() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..9 {
            let alias = format!("*a{}", n - 1);
            bomb.push_str(&format!("a{n}: &a{n} [{}]\n", [alias.as_str(); 10].join(",")));
        }
        assert!(documents(&bomb).unwrap_err().why.contains("more than 200000 values"));
        assert!(documents(&"[".repeat(100_000)).is_err());
        assert!(documents(&"- ".repeat(100_000)).is_err());
        assert!(documents("a: &a [*a]\n").is_err());
    }

    #[test]
    fn faults_have_their_place() {
        let fault = documents("a: 1\n---\nb: 1\nc:\n\t- x\n").unwrap_err();
        assert_eq!((fault.document, fault.line), (2, 5), "{}", fault.why);
    }
}
