//! Values as they are written in a manifest.

use granit_parser::ScalarStyle;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;
use serde_saphyr::FlowSeq;

/// Keys that come before others, as manifests have them.
const FIRST: [&str; 9] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "image",
    "clusterIP",
    "accessModes",
    "selector",
    "command",
];

/// A value whose keys stand in the order of manifests.
struct Arranged<'v>(&'v Value);

impl Serialize for Arranged<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let mut map = to.serialize_map(Some(fields.len()))?;
                for (key, value) in arranged(fields) {
                    map.serialize_entry(key, &Arranged(value))?;
                }
                map.end()
            }
            Value::Array(items) if fits_one_line(items) => {
                FlowSeq(items.iter().map(Arranged).collect::<Vec<_>>()).serialize(to)
            }
            Value::Array(items) => to.collect_seq(items.iter().map(Arranged)),
            other => other.serialize(to),
        }
    }
}

/// Whether a list has nothing but values that fit one line together, as the lab writes
/// `accessModes`.
fn fits_one_line(items: &[Value]) -> bool {
    // A longer report is worse than a line of more than 80 columns, which a file may have.
    const MAX_COLUMNS: usize = 90;
    let is_line = |it: &Value| match it {
        Value::String(text) => !text.contains('\n'),
        it => !it.is_array() && !it.is_object(),
    };
    items.iter().all(is_line)
        && flow(&Value::from(items), ScalarStyle::Plain).chars().count() <= MAX_COLUMNS
}

fn arranged(fields: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let place = |key: &str| FIRST.iter().position(|it| *it == key).unwrap_or(FIRST.len());
    let mut all: Vec<_> = fields.iter().collect();
    all.sort_by_key(|(key, _)| place(key));
    all
}

/// A value in lines of its own, without indentation.
pub(crate) fn block(value: &Value) -> Option<String> {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        folded_wrap_chars: usize::MAX,
    };
    let text = serde_saphyr::to_string_with_options(&Arranged(value), options).ok()?;
    Some(text.trim_end().to_owned())
}

/// A value in one line, with its texts in that style.
pub(crate) fn flow(value: &Value, style: ScalarStyle) -> String {
    match value {
        Value::Object(fields) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("{}: {}", text(key, style, true), flow(value, style))
            };
            let entries: Vec<String> = arranged(fields).into_iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|it| flow(it, style)).collect::<Vec<_>>().join(", "))
        }
        Value::String(it) => text(it, style, true),
        other => other.to_string(),
    }
}

/// A scalar in one line, in the style of the one whose place it takes.
pub(crate) fn scalar(value: &Value, style: ScalarStyle, is_in_flow: bool) -> Option<String> {
    match value {
        Value::String(it) => Some(text(it, style, is_in_flow)),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

pub(super) fn text(text: &str, style: ScalarStyle, is_in_flow: bool) -> String {
    let is_line = !text.contains(['\n', '\r', '\t']);
    let is_open = is_in_flow && text.contains([',', '[', ']', '{', '}']);
    let plain = || serde_saphyr::to_string(&text).unwrap_or_default();
    if style == ScalarStyle::SingleQuoted && is_line {
        format!("'{}'", text.replace('\'', "''"))
    } else if style == ScalarStyle::Plain && is_line && !is_open && plain().trim_end() == text {
        text.to_owned()
    } else {
        // What JSON quotes, YAML reads alike (YAML 1.2, 1.3).
        Value::from(text).to_string()
    }
}
