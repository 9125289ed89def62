//! The documents of a file, as kubectl takes them: JSON where it is that, else YAML.
//!
//! What begins with `{` is read as JSON, one value after the other. Where that ends before the
//! second value, the rest is YAML: see `YAMLOrJSONDecoder` in `decoder.go` of k8s.io/apimachinery's
//! `pkg/util/yaml`. It matters because YAML takes no tabs where JSON may have them.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};

use crate::submission::go_yaml::{self, MAX_NODES, ReadDocument, ToDo, YamlError};

/// From so many values on, a file is JSON to its end.
const SURELY_JSON: usize = 2;
/// What begins the line between two documents of YAML.
const SEPARATOR: &str = "---";

/// Values of JSON, and where they end.
struct Leading {
    values: Vec<JsonValue>,
    end: usize,
    /// What is wrong behind them.
    error: Option<YamlError>,
}

/// A value of JSON, by its bytes and the line that it begins with, from 1.
struct JsonValue {
    line: usize,
    bytes: Range<usize>,
    value: Value,
}

/// Reads all documents.
pub(super) fn documents(text: &str) -> Result<Vec<ReadDocument>, YamlError> {
    let Leading { values, end, error } = leading_json(text);
    if let Some(error) = error {
        return Err(error);
    }
    let mut found = vec![];
    let mut nodes = 0;
    for (place, JsonValue { line, value, .. }) in values.into_iter().enumerate() {
        let number = place + 1;
        let value = with_go_numbers(value, &mut nodes);
        if nodes > MAX_NODES {
            let why = format!("the objects of JSON up to it have more than {MAX_NODES} values");
            return Err(YamlError { document: number, line, why, next: None });
        }
        found.push(ReadDocument { number, line, value });
    }
    let (read, rest) = text.split_at(end);
    let (values, lines) = (found.len(), read.matches('\n').count());
    let moved = |error: YamlError| YamlError {
        document: error.document + values,
        line: error.line + lines,
        ..error
    };
    separators_stand_alone(rest).map_err(moved)?;
    for it in go_yaml::documents(rest).map_err(moved)? {
        found.push(ReadDocument { number: it.number + values, line: it.line + lines, ..it });
    }
    Ok(found)
}

/// Whether a text is read as JSON as far as it is that.
pub(super) fn begins_with_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Where in a text the document of this number is to be looked for, and the line that this begins
/// with, from 1: a value of JSON, or all that is not JSON.
pub(super) fn part_with(text: &str, document: usize) -> (usize, &str) {
    let Leading { values, end, .. } = leading_json(text);
    match document.checked_sub(1).and_then(|it| values.get(it)) {
        Some(it) => (it.line, &text[it.bytes.clone()]),
        None => {
            // What is left of the line in which the last value ends is no line of its own.
            let rest = &text[end..];
            let line = rest.find('\n').filter(|it| end > 0 && rest[..*it].trim().is_empty());
            let (read, rest) = text.split_at(line.map_or(end, |it| end + it + 1));
            (read.matches('\n').count() + 1, rest)
        }
    }
}

/// The value of JSON that a text begins with, as text.
pub(super) fn first_json(text: &str) -> Option<&str> {
    if !begins_with_json(text) {
        return None;
    }
    let mut values = Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    text.get(..values.byte_offset())
}

/// The values of JSON that a text begins with.
fn leading_json(text: &str) -> Leading {
    let mut found = Leading { values: vec![], end: 0, error: None };
    if !begins_with_json(text) {
        return found;
    }
    let mut values = Deserializer::from_str(text).into_iter::<Value>();
    // Counted on from one value to the next: all of them may stand in one line.
    let (mut line, mut counted) = (1, 0);
    loop {
        let end = values.byte_offset();
        found.end = end;
        match values.next() {
            None => {
                found.end = text.len();
                return found;
            }
            Some(Ok(value)) => {
                let rest = &text[end..];
                let begin = end + rest.len() - rest.trim_start().len();
                line += text[counted..begin].matches('\n').count();
                counted = begin;
                let bytes = begin..values.byte_offset();
                found.values.push(JsonValue { line, bytes, value });
            }
            Some(Err(_)) if found.values.len() < SURELY_JSON => return found,
            Some(Err(error)) => {
                found.error = Some(YamlError {
                    document: found.values.len() + 1,
                    line: error.line(),
                    why: format!("behind objects of JSON stands something else (\"{error}\")"),
                    next: Some(ToDo::Follow(
                        "Write all objects as JSON, or all as YAML with a line `---` between them.",
                    )),
                });
                return found;
            }
        }
    }
}

/// A value with its numbers as kubectl sends them on. It and all in it are added to `nodes`.
fn with_go_numbers(value: Value, nodes: &mut usize) -> Value {
    *nodes += 1;
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            Value::Number(float.and_then(go_yaml::number).unwrap_or(number))
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|it| with_go_numbers(it, nodes)).collect())
        }
        Value::Object(entries) => Value::Object(
            entries.into_iter().map(|(key, it)| (key, with_go_numbers(it, nodes))).collect(),
        ),
        other => other,
    }
}

/// kubectl takes nothing but a comment behind `---`, though YAML does.
fn separators_stand_alone(text: &str) -> Result<(), YamlError> {
    let mut document = 1;
    for (place, line) in text.lines().enumerate() {
        let Some(behind) = line.strip_prefix(SEPARATOR) else { continue };
        let behind = behind.trim();
        if !behind.is_empty() && !behind.starts_with('#') {
            return Err(YamlError {
                document,
                line: place + 1,
                why: format!("`{SEPARATOR}` does not stand alone in its line"),
                next: Some(ToDo::Follow(
                    "Write three dashes in a line of their own, and what is behind them in the \
                    next one.",
                )),
            });
        }
        document += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::documents;

    /// Catches an object of JSON that is refused for its tabs because YAML follows, and a place that
    /// is counted from there on.
    #[test]
    fn json_is_json_until_yaml_follows() {
        let read = |text: &str| -> Vec<_> {
            let all = documents(text).unwrap();
            all.into_iter().map(|it| (it.number, it.line, it.value)).collect()
        };
        let mixed = "\n{\n\t\"a\": 1}\n---\n# b\nb: 2\n---\n{c: 3}\n";
        let expected = [(1, 2, json!({"a": 1})), (2, 6, json!({"b": 2})), (3, 8, json!({"c": 3}))];
        assert_eq!(read(mixed), expected);
        let twice = "{\"a\":\t1}\n\n\t{\"a\": 2,\t\"a\": 3.0}";
        assert_eq!(read(twice), [(1, 1, json!({"a": 1})), (2, 3, json!({"a": 3}))]);
        // No JSON at all, and JSON with a comma too many.
        assert_eq!(read("{a: [1.5, 2.0],}\n"), [(1, 1, json!({"a": [1.5, 2]}))]);
        assert_eq!(read("{\"a\": 1.5}\n{\"b\": 2,}\n").len(), 2);
    }

    /// Catches objects of JSON that take the longer the more stand before them, or without a bound.
    #[test]
    fn many_objects_of_json_are_refused() {
        let error = documents(&"{}".repeat(200_001)).unwrap_err();
        assert_eq!((error.document, error.line), (200_001, 1));
        assert!(error.why.contains("more than 200000 values"), "{}", error.why);
        let error = documents(&format!("{{}}\n\n{{\"a\": [{}1]}}", "1,".repeat(200_000)));
        assert_eq!(error.map_err(|it| (it.document, it.line)).unwrap_err(), (2, 3));
        let read = documents(&"\n{}{}".repeat(50_000)).unwrap();
        assert_eq!(read.last().map(|it| (it.number, it.line)), Some((100_000, 50_001)));
    }

    /// Catches a fault that is told at another line, and what kubectl refuses.
    #[test]
    fn faults_have_their_place() {
        for (text, document, line, why) in [
            ("{\"a\":\t1}\n---\nb:\n\t- x\n", 2, 4, "a tab"),
            ("{\"a\": 1}\n{\"b\": 2}\n---\nc: 3\n", 3, 3, "something else"),
            ("a: 1\n--- b: 2\n", 1, 2, "does not stand alone"),
            ("a: 1\n---\nb: 2\n-----\nc: 3\n", 2, 4, "does not stand alone"),
        ] {
            let error = documents(text).unwrap_err();
            assert_eq!((error.document, error.line), (document, line), "{text}");
            assert!(error.why.contains(why), "{}", error.why);
        }
        assert_eq!(documents("--- # the first\na: 1\n---  \nb: 2\n").unwrap().len(), 2);
    }
}
