//! A change of a manifest: its lines before and after, as a difference that can be pasted.

use checks::model::observation::object::{Metadata, ServiceSpec, StatefulSetSpec};
use serde::Serialize;

/// Lines beside a changed one that show where it belongs.
const BESIDE: usize = 1;
/// The most lines of a difference.
const MAX_LINES: usize = 60;

/// Lines to change in one object of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Change {
    /// The object: `StatefulSet web`.
    pub object: String,
    /// Its lines, with their own indentation.
    pub lines: Vec<Line>,
}

/// A line of a [`Change`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Line {
    /// What becomes of it.
    pub sign: Sign,
    /// The line, as it stands in a manifest.
    pub text: String,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Sign {
    /// It stays: it says where the change belongs.
    Same,
    /// It goes.
    Removed,
    /// It comes.
    Added,
}

/// A document as it stands in a manifest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'d, S> {
    api_version: &'static str,
    kind: &'static str,
    metadata: &'d Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<S>,
}

/// The change of a StatefulSet; `None` where both are the same.
#[must_use]
pub fn of_set(name: &str, before: &StatefulSetSpec, after: &StatefulSetSpec) -> Option<Change> {
    if before == after {
        return None;
    }
    let yaml = |spec| document("apps/v1", "StatefulSet", name, Some(spec));
    change(format!("StatefulSet {name}"), &yaml(before)?, &yaml(after)?)
}

/// The change of a Service; without `before` it is a new one.
#[must_use]
pub fn of_service(name: &str, before: Option<&ServiceSpec>, after: &ServiceSpec) -> Option<Change> {
    let after = document("v1", "Service", name, Some(after))?;
    let before = match before {
        Some(spec) => document("v1", "Service", name, Some(spec))?,
        None => String::new(),
    };
    change(format!("Service {name}"), &before, &after)
}

fn document<S: Serialize>(
    api_version: &'static str,
    kind: &'static str,
    name: &str,
    spec: Option<S>,
) -> Option<String> {
    let metadata = Metadata { name: name.to_owned(), ..Metadata::default() };
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        folded_wrap_chars: usize::MAX,
    };
    let document = Document { api_version, kind, metadata: &metadata, spec };
    serde_saphyr::to_string_with_options(&document, options).ok()
}

fn change(object: String, before: &str, after: &str) -> Option<Change> {
    use similar::ChangeTag;
    let difference = similar::TextDiff::from_lines(before, after);
    let lines: Vec<Line> = difference
        .iter_all_changes()
        .map(|it| Line {
            sign: match it.tag() {
                ChangeTag::Equal => Sign::Same,
                ChangeTag::Delete => Sign::Removed,
                ChangeTag::Insert => Sign::Added,
            },
            text: as_in_the_file(it.value().trim_end_matches('\n')),
        })
        .collect();
    if lines.iter().all(|it| it.sign == Sign::Same) {
        return None;
    }
    let shown = shown(&lines);
    let lines: Vec<Line> =
        lines.into_iter().zip(shown).filter_map(|(line, shown)| shown.then_some(line)).collect();
    (lines.len() <= MAX_LINES).then_some(Change { object, lines })
}

/// A line as it stands in the submission's file, as far as that is recorded: of some volumes only
/// the kind is, and not what stands below it.
fn as_in_the_file(line: &str) -> String {
    for kind in ["hostPath:", "ephemeral:"] {
        if let Some(front) = line.strip_suffix(" {}").filter(|it| it.trim_end().ends_with(kind)) {
            return format!("{front}  # with all lines below it");
        }
    }
    line.to_owned()
}

/// Which lines are shown: the changed ones, those beside them, and all that they stand below.
fn shown(lines: &[Line]) -> Vec<bool> {
    let mut shown = vec![false; lines.len()];
    for place in 0..lines.len() {
        if lines[place].sign == Sign::Same {
            continue;
        }
        shown[place] = true;
        for near in place.saturating_sub(BESIDE)..=(place + BESIDE).min(lines.len() - 1) {
            // A key whose lines are not shown would seem to be empty.
            let is_leaf = !lines[near].text.ends_with(':');
            shown[near] |= is_leaf && indent(&lines[near]) >= indent(&lines[place]);
        }
        let mut depth = indent(&lines[place]);
        for above in (0..place).rev() {
            let line = &lines[above];
            // A list's items may stand as deep as the key that they belong to.
            let is_parent = indent(line) < depth
                || indent(line) == depth && is_item(&lines[place]) && !is_item(line);
            if line.sign == Sign::Same && is_parent {
                shown[above] = true;
                depth = indent(line);
                if is_item(line) {
                    // What stands in an item belongs to the item's list, and that to its key.
                    depth += 1;
                }
            }
            if depth == 0 {
                break;
            }
        }
    }
    shown
}

fn indent(line: &Line) -> usize {
    line.text.len() - line.text.trim_start().len()
}

fn is_item(line: &Line) -> bool {
    line.text.trim_start().starts_with("- ")
}

impl Change {
    /// The lines with their signs: `- ` and `+ `, or two blanks before a line that stays.
    #[must_use]
    pub fn signed(&self) -> Vec<(Sign, String)> {
        let sign = |sign| match sign {
            Sign::Same => "  ",
            Sign::Removed => "- ",
            Sign::Added => "+ ",
        };
        self.lines
            .iter()
            .map(|it| (it.sign, format!("{}{}", sign(it.sign), it.text).trim_end().to_owned()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::as_in_the_file;

    /// Catches a line that is in no student's file, or one that loses what it holds.
    #[test]
    fn what_is_not_recorded_of_a_volume_is_told_so() {
        assert_eq!(as_in_the_file("    hostPath: {}"), "    hostPath:  # with all lines below it");
        assert_eq!(
            as_in_the_file("  - ephemeral: {}"),
            "  - ephemeral:  # with all lines below it"
        );
        assert_eq!(as_in_the_file("    emptyDir: {}"), "    emptyDir: {}");
    }
}
