//! A change of a manifest: its lines before and after, as a difference that can be pasted.

mod context;
mod fields;
mod paste;
mod place;

use checks::model::observation::object::{Metadata, ServiceSpec, StatefulSetSpec};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    recording::ManifestText,
    remedy::{
        change::{
            context::{indent, shown_lines, with_gaps},
            fields::{Field, fields},
            paste::with_shown_tabs,
        },
        manifest::{self, Document, PathStep, words},
        script::ScriptNotes,
    },
};

/// The most lines of a difference.
const MAX_LINES: usize = 60;

/// Lines to change in one object of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Change {
    /// The object: `StatefulSet web`.
    pub object: String,
    /// The manifest's file, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of the file that the change begins at; where a line is added first, the one that it
    /// comes after, or the one that it comes before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The paths of the fields that change: `spec.template.spec.containers[0].command`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Its lines, with their own indentation.
    pub lines: Vec<Line>,
    /// All of the object's text after the change, where it is known.
    #[serde(skip)]
    pub after: Option<String>,
    /// What edits of scripts brought in besides what the change is made for.
    #[serde(skip)]
    pub script_notes: ScriptNotes,
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
    /// Lines that stay and are not shown stand in its place.
    LeftOut,
}

/// A document as it stands in a manifest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FullDocument<'d, S> {
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
    let document = FullDocument { api_version, kind, metadata: &metadata, spec };
    let text = words::block(&serde_json::to_value(document).ok()?)?;
    Some(text + "\n")
}

/// The change of an object as its file has it.
#[must_use]
pub fn of_text(text: &ManifestText, before: &Document, after: &Document) -> Option<Change> {
    of_text_beside(text, before, after, &[])
}

/// The same, with the lines below a path that stay and that the changed ones must agree with.
#[must_use]
pub fn of_text_beside(
    text: &ManifestText,
    before: &Document,
    after: &Document,
    beside: &[PathStep],
) -> Option<Change> {
    let object = format!("{} {}", text.kind, text.name);
    let all = lines(before.text(), after.text());
    let beside = before.lines_of(beside).filter(|_| !beside.is_empty());
    let first = all.iter().position(|it| it.sign != Sign::Same)?;
    let fields = fields(&all, before, after);
    let is_added = all[first].sign == Sign::Added;
    let change = of_lines(object, all, &fields, beside, true)?;
    // A line that comes stands after the one that is printed before it, or before the next one.
    let is_after = is_added && change.lines.first().is_some_and(|it| it.sign != Sign::Added);
    let line = (text.line + first).saturating_sub(usize::from(is_after)).max(1);
    Some(Change {
        file: Some(text.file.clone()),
        line: Some(line),
        after: Some(after.text().to_owned()),
        ..change
    })
}

/// A document that a file gets at its end, whether its name is known or not.
#[must_use]
pub fn new_document(object: String, file: Option<&str>, document: &Value) -> Change {
    let text = words::block(document).unwrap_or_default();
    let added = |text: &str| Line { sign: Sign::Added, text: text.to_owned() };
    let lines = text.lines().map(added).collect();
    at_the_end_of(file, Change::new(object, lines))
}

/// A document that a file does not have any more; `None` where it is too long to be shown, and in a
/// list of JSON, where a comma would have to go, too.
#[must_use]
pub fn document_taken_out(text: &ManifestText) -> Option<Change> {
    let is_item_of_json = text.text.starts_with(' ') && text.text.trim_start().starts_with('{');
    if is_item_of_json {
        return None;
    }
    let removed = |it: &str| Line { sign: Sign::Removed, text: it.to_owned() };
    let lines: Vec<Line> = text.text.lines().map(removed).collect();
    (lines.len() <= MAX_LINES).then(|| Change {
        file: Some(text.file.clone()),
        line: Some(text.line),
        after: Some(String::new()),
        ..Change::new(format!("{} {}", text.kind, text.name), lines)
    })
}

/// A change that is a new document, as the last one of a file.
#[must_use]
pub fn at_the_end_of(file: Option<&str>, new: Change) -> Change {
    let separator = Line { sign: Sign::Added, text: "---".to_owned() };
    let lines = std::iter::once(separator).chain(new.lines).collect();
    Change { file: file.map(str::to_owned), lines, ..new }
}

/// A set as a document of its own.
pub(super) fn set_document(name: &str, spec: &StatefulSetSpec) -> Option<String> {
    document("apps/v1", "StatefulSet", name, Some(spec))
}

/// The lines of an object below a path, none of them changed.
#[must_use]
pub fn to_look_at(text: &ManifestText, document: &Document, path: &[PathStep]) -> Option<Change> {
    let (first, last) = document.lines_of(path)?;
    let own = document.text().lines().skip(first - 1).take(last + 1 - first);
    let lines: Vec<Line> =
        own.map(|it| Line { sign: Sign::Same, text: it.to_owned() }).take(MAX_LINES).collect();
    Some(Change {
        file: Some(text.file.clone()).filter(|it| !it.is_empty()),
        line: Some(text.line + first - 1).filter(|_| !text.file.is_empty()),
        fields: vec![manifest::path_in_words(&document.path_of(first, last))],
        ..Change::new(format!("{} {}", text.kind, text.name), lines)
    })
}

/// Lines as they stand in an object, with those between that are not known.
#[must_use]
pub fn as_it_stands(
    object: String,
    above: impl IntoIterator<Item = String>,
    below: impl IntoIterator<Item = String>,
) -> Change {
    let same = |text| Line { sign: Sign::Same, text };
    let gap = Line { sign: Sign::LeftOut, text: "  …".to_owned() };
    let lines = above.into_iter().map(same).chain([gap]).chain(below.into_iter().map(same));
    Change::new(object, lines.collect())
}

/// What another workload's manifest must be to be that of a set: its own lines are not known.
#[must_use]
pub fn outline_of_a_set(object: String, set: &StatefulSetSpec) -> Option<Change> {
    let line = |sign, text: &str| Line { sign, text: text.to_owned() };
    let gap = |indent: &str| line(Sign::LeftOut, &format!("{indent}…"));
    let spec = json!({
        "serviceName": set.service_name,
        "volumeClaimTemplates": set.volume_claim_templates,
    });
    let mounts = set.template.spec.containers.first().map(|it| &it.volume_mounts)?;
    let mut lines = vec![
        line(Sign::Removed, "kind: Deployment"),
        line(Sign::Added, "kind: StatefulSet"),
        gap(""),
        line(Sign::Same, "spec:"),
    ];
    lines.extend(words::block(&spec)?.lines().map(|it| line(Sign::Added, &format!("  {it}"))));
    lines.extend([gap("  "), line(Sign::Same, "      containers:"), gap("      ")]);
    let mounts = words::block(&json!({"volumeMounts": mounts}))?;
    lines.extend(mounts.lines().map(|it| line(Sign::Added, &format!("        {it}"))));
    Some(Change::new(object, lines))
}

fn change(object: String, before: &str, after: &str) -> Option<Change> {
    let lines = lines(before, after);
    let fields = match (Document::read(before), Document::read(after)) {
        (Some(before), Some(after)) => fields(&lines, &before, &after),
        _ => vec![],
    };
    of_lines(object, lines, &fields, None, false)
}

fn lines(before: &str, after: &str) -> Vec<Line> {
    use similar::ChangeTag;
    let difference = similar::TextDiff::from_lines(before, after);
    let text = |line: &str| as_in_the_file(&with_shown_tabs(line, after));
    difference
        .iter_all_changes()
        .map(|it| Line {
            sign: match it.tag() {
                ChangeTag::Equal => Sign::Same,
                ChangeTag::Delete => Sign::Removed,
                ChangeTag::Insert => Sign::Added,
            },
            text: text(it.value().trim_end_matches('\n')),
        })
        .collect()
}

/// The change, without the lines that need not be shown. `beside`: the first and the last of some
/// that are shown, too, of those before the change.
/// `is_file`: they are a file's, in which somebody looks for the line before each that comes.
fn of_lines(
    object: String,
    lines: Vec<Line>,
    fields: &[Field],
    beside: Option<(usize, usize)>,
    is_file: bool,
) -> Option<Change> {
    if lines.iter().all(|it| it.sign == Sign::Same) {
        return None;
    }
    let mut shown = shown_lines(&lines, is_file);
    if let Some((first, last)) = beside {
        let old = (0..lines.len()).filter(|it| lines[*it].sign != Sign::Added);
        let places: Vec<usize> = old.skip(first - 1).take(last + 1 - first).collect();
        for place in places {
            shown[place] = true;
        }
    }
    let count = shown.iter().filter(|it| **it).count();
    let lines = with_gaps(lines, &shown, fields);
    (count <= MAX_LINES).then(|| Change {
        fields: fields.iter().map(|it| it.path.clone()).collect(),
        ..Change::new(object, lines)
    })
}

/// A line as it stands in the submission's file, as far as that is recorded: of some volumes only
/// the kind is, and not what stands below it.
fn as_in_the_file(line: &str) -> String {
    for kind in ["hostPath:", "ephemeral:"] {
        if let Some(front) = line.strip_suffix(" {}").filter(|it| it.trim_end().ends_with(kind)) {
            return format!("{front}  # with all lines indented under it");
        }
    }
    line.to_owned()
}

impl Change {
    /// Lines of an object of which nobody knows where they stand.
    #[must_use]
    pub const fn new(object: String, lines: Vec<Line>) -> Self {
        Self {
            object,
            file: None,
            line: None,
            fields: vec![],
            lines,
            after: None,
            script_notes: ScriptNotes::NONE,
        }
    }

    /// The name and the image of a container whose command the recording does not hold.
    #[must_use]
    pub fn without_a_program(mut self) -> Self {
        let image = self.lines.iter().position(|it| it.text.trim_start().starts_with("image:"));
        let depth = self.lines.get(1).map_or(0, indent);
        let text = format!(
            "{}…  # further lines; its command is not in this recording",
            " ".repeat(depth)
        );
        self.lines.truncate(image.map_or(self.lines.len(), |it| it + 1));
        self.lines.push(Line { sign: Sign::LeftOut, text });
        self
    }

    /// Whether it is a document of its own that comes.
    #[must_use]
    pub fn is_new_document(&self) -> bool {
        self.lines.iter().all(|it| it.sign == Sign::Added)
    }

    /// Whether nothing changes: the lines are to look at.
    #[must_use]
    pub fn is_to_look_at(&self) -> bool {
        self.lines.iter().all(|it| matches!(it.sign, Sign::Same | Sign::LeftOut))
    }

    /// What to do with the lines.
    #[must_use]
    pub fn label(&self) -> &'static str {
        if self.is_to_look_at() { "Look at" } else { "Change" }
    }

    /// The lines with their signs: `- ` and `+ `, or two spaces before a line that stays.
    #[must_use]
    pub fn signed(&self) -> Vec<(Sign, String)> {
        let sign = |sign| match sign {
            Sign::Same | Sign::LeftOut => "  ",
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
mod tests;
