//! The documents of a file, as kubectl takes them: JSON where it is that, else YAML.
//!
//! What begins with `{` is read as JSON, one value after the other. Where that ends before the
//! second value, the rest is YAML: see `YAMLOrJSONDecoder` in `decoder.go` of k8s.io/apimachinery's
//! `pkg/util/yaml`. It matters because YAML takes no tabs where JSON may have them.

use serde_json::{Deserializer, Value};

use crate::submission::go_yaml::{self, Document, YamlError};

/// From so many values on, a file is JSON to its end.
const SURELY_JSON: usize = 2;
/// What begins the line between two documents of YAML.
const SEPARATOR: &str = "---";

/// Reads all documents.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, YamlError> {
    let (mut found, end) = leading_json(text)?;
    let (read, rest) = text.split_at(end);
    let (values, lines) = (found.len(), read.matches('\n').count());
    let moved = |error: YamlError| YamlError {
        document: error.document + values,
        line: error.line + lines,
        ..error
    };
    separators_stand_alone(rest).map_err(moved)?;
    for it in go_yaml::documents(rest).map_err(moved)? {
        found.push(Document { number: it.number + values, line: it.line + lines, ..it });
    }
    Ok(found)
}

/// The values of JSON that a text begins with, and where they end.
fn leading_json(text: &str) -> Result<(Vec<Document>, usize), YamlError> {
    let mut found = vec![];
    if !text.trim_start().starts_with('{') {
        return Ok((found, 0));
    }
    let mut values = Deserializer::from_str(text).into_iter::<Value>();
    loop {
        let end = values.byte_offset();
        let number = found.len() + 1;
        match values.next() {
            None => return Ok((found, text.len())),
            Some(Ok(value)) => {
                let rest = &text[end..];
                let begin = end + rest.len() - rest.trim_start().len();
                let line = text[..begin].matches('\n').count() + 1;
                found.push(Document { number, line, value: with_go_numbers(value) });
            }
            Some(Err(_)) if found.len() < SURELY_JSON => return Ok((found, end)),
            Some(Err(error)) => {
                return Err(YamlError {
                    document: number,
                    line: error.line(),
                    why: format!("behind objects of JSON stands something else (\"{error}\")"),
                    next: Some(
                        "Write all objects as JSON, or all as YAML with a line `---` between them.",
                    ),
                });
            }
        }
    }
}

/// A value with its numbers as kubectl sends them on.
fn with_go_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            Value::Number(float.and_then(go_yaml::number).unwrap_or(number))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(with_go_numbers).collect()),
        Value::Object(entries) => Value::Object(
            entries.into_iter().map(|(key, value)| (key, with_go_numbers(value))).collect(),
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
                next: Some(
                    "Write three dashes in a line of their own, and what is behind them in the \
                    next one.",
                ),
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
