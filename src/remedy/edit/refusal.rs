//! What the API server refuses of a manifest: the lines to change, where its words tell.
//!
//! The words are those of Kubernetes' validation (`field.Error`: "Invalid value", "Unsupported
//! value", "Required value", "Not found") and of its strict decoding.

use std::path::Path as FilePath;

use checks::model::lab::LEAST_REPLICAS;
use serde_json::Value;

use crate::{
    console::suggest::nearest_within,
    recording::ManifestText,
    remedy::{
        change::{self, Change},
        edit::{
            difference::edited,
            labels::{beside_labels, label_values, labels, labels_agree},
            text::{self, items},
        },
        fields::nearest,
        manifest::{Document, Edit, Path, PathStep, keys},
    },
    submission::foreign,
};

/// Fields that are often written too deep or too high, and what they belong to.
const HOMES: [(&str, &str); 11] = [
    ("volumeClaimTemplates", "spec"),
    ("serviceName", "spec"),
    ("replicas", "spec"),
    ("selector", "spec"),
    ("podManagementPolicy", "spec"),
    ("persistentVolumeClaimRetentionPolicy", "spec"),
    ("template", "spec"),
    ("containers", "spec.template.spec"),
    ("initContainers", "spec.template.spec"),
    ("volumes", "spec.template.spec"),
    ("terminationGracePeriodSeconds", "spec.template.spec"),
];

/// How many pods there are to be.
const REPLICAS: &str = "spec.replicas";

/// A refusal of one object.
#[derive(Clone, Copy, Debug)]
pub struct RefusedLine<'r> {
    /// The file, as it was named.
    pub file: &'r str,
    /// The line of the file that it names.
    pub line: usize,
    /// All that the API server said.
    pub words: &'r str,
}

/// The change that mends a refusal; `None` where the words do not tell.
#[must_use]
pub fn change(refusal: &RefusedLine<'_>, objects: &[ManifestText]) -> Option<Change> {
    let text = object(refusal, objects)?;
    // The set was faster, and has made its own pod of that name.
    if refusal.words.contains("pod updates may not change fields") && is_pod_of_a_set(text, objects)
    {
        return change::document_taken_out(text);
    }
    let document = Document::read(&text.text)?;
    let edits = edits(refusal, &document, objects)?;
    let edited = edited(&document, &edits)?;
    let beside = if is_of_labels(refusal.words) { beside_labels(&edits) } else { vec![] };
    change::of_text_beside(text, &document, &edited, &beside).filter(Change::can_be_pasted)
}

/// Whether a Pod has the name of a pod of a StatefulSet beside it.
fn is_pod_of_a_set(pod: &ManifestText, objects: &[ManifestText]) -> bool {
    let Some((set, ordinal)) = pod.name.rsplit_once('-') else { return false };
    let has_set = objects.iter().any(|it| it.kind == "StatefulSet" && it.name == set);
    pod.kind == "Pod" && has_set && ordinal.parse::<u32>().is_ok()
}

/// The lines of the field that a refusal names, or of what it stands in, where no change is known;
/// `None` where these are many.
#[must_use]
pub fn to_look_at(
    refusal: &RefusedLine<'_>,
    field: &str,
    objects: &[ManifestText],
) -> Option<Change> {
    const FEW: usize = 8;
    let text = object(refusal, objects)?;
    let document = Document::read(&text.text)?;
    // Validation leaves out where the template's labels stand.
    let path = path(&field.replace("spec.template.labels", "spec.template.metadata.labels"));
    let mut known = (1..=path.len()).rev().map(|it| &path[..it]);
    let change = change::to_look_at(text, &document, known.find(|it| document.has(it))?)?;
    (change.lines.len() <= FEW).then_some(change)
}

/// What to do about a text that is no number and stands where one belongs, such as a blank of the
/// lab; `None` for anything else.
#[must_use]
pub fn number_wanted(refusal: &RefusedLine<'_>, objects: &[ManifestText]) -> Option<String> {
    let ("string", field) = wrong_type(refusal.words)? else { return None };
    let wanted = refusal.words.split_once(" of type ")?.1.trim_start_matches('*');
    let document = Document::read(&object(refusal, objects)?.text)?;
    let text = document.scalar(&path(field))?;
    let is_number = text.trim().parse::<i64>().is_ok();
    if is_number || !["int", "uint"].iter().any(|it| wanted.starts_with(it)) {
        return None;
    }
    let asked = if field == REPLICAS {
        format!(": the lab asks for {LEAST_REPLICAS}")
    } else {
        String::new()
    };
    Some(format!("A whole number belongs there, in digits and without quotation marks{asked}."))
}

/// The object that a refusal is about.
fn object<'o>(refusal: &RefusedLine<'_>, objects: &'o [ManifestText]) -> Option<&'o ManifestText> {
    let is_here = |it: &&ManifestText| {
        let file = it.file.strip_prefix("~/").unwrap_or(&it.file);
        let lines = it.line..it.line.saturating_add(it.text.lines().count().max(1));
        FilePath::new(refusal.file).ends_with(file) && lines.contains(&refusal.line)
    };
    objects.iter().filter(is_here).max_by_key(|it| it.line)
}

/// The change of an object whose kind or apiVersion is misspelt or missing; `None` where what is
/// meant is not known.
#[must_use]
pub fn retyped(text: &ManifestText) -> Option<Change> {
    let document = Document::read(&text.text)?;
    let type_of = |field| document.scalar(&keys(field)).unwrap_or_default();
    let (kind, version) = (type_of("kind"), type_of("apiVersion"));
    let kind = if kind.is_empty() { kind_by_fields(&document)? } else { kind };
    let (right_kind, right_version) = foreign::meant_kind(version, kind)?;
    let mut edits = vec![];
    for (field, right) in [("apiVersion", right_version), ("kind", right_kind)] {
        if document.has(&keys(field)) && type_of(field) != right {
            edits.push(Edit::Set(keys(field), right.into()));
        }
    }
    // Older versions filled it in.
    if matches!(right_kind, "StatefulSet" | "Deployment") && !document.has(&keys("spec.selector")) {
        edits.extend(labels(&document));
    }
    let mut edited = edited(&document, &edits)?;
    if !document.has(&keys("kind")) {
        edited = with_line(&edited, &format!("kind: {right_kind}"), "apiVersion", 1)?;
    } else if !document.has(&keys("apiVersion")) {
        edited = with_line(&edited, &format!("apiVersion: {right_version}"), "kind", 0)?;
    }
    let name = document.scalar(&keys("metadata.name")).unwrap_or_default().to_owned();
    let text = ManifestText { kind: right_kind.to_owned(), name, ..text.clone() };
    change::of_text(&text, &document, &edited).filter(Change::can_be_pasted)
}

/// The kind of an object by fields that no other kind has.
fn kind_by_fields(document: &Document) -> Option<&'static str> {
    let has = |field: &str| document.has(&keys(field));
    if ["spec.serviceName", "spec.volumeClaimTemplates"].into_iter().any(has) {
        Some("StatefulSet")
    } else if ["spec.clusterIP", "spec.ports"].into_iter().any(has) {
        Some("Service")
    } else {
        None
    }
}

/// The document with one line more: so many lines below the one of a field.
fn with_line(document: &Document, line: &str, field: &str, below: usize) -> Option<Document> {
    let (first, _) = document.lines_of(&keys(field))?;
    let mut lines: Vec<&str> = document.text().lines().collect();
    lines.insert(first - 1 + below, line);
    Document::read(&(lines.join("\n") + "\n"))
}

/// Whether the API server says that it cannot read an amount of storage, memory or CPU, as
/// Kubernetes' `resource.ParseQuantity` says it.
#[must_use]
pub fn is_of_a_quantity(words: &str) -> bool {
    const WORDS: [&str; 3] = [
        "quantities must match the regular expression",
        "unable to parse quantity",
        "unable to parse numeric part of quantity",
    ];
    WORDS.iter().any(|it| words.contains(it))
}

fn is_of_labels(words: &str) -> bool {
    words.contains("does not match template `labels`") || words.contains("spec.selector: Required")
}

fn edits(
    refusal: &RefusedLine<'_>,
    document: &Document,
    objects: &[ManifestText],
) -> Option<Vec<Edit>> {
    let words = refusal.words;
    if let Some(field) = between(words, "unknown field \"", "\"") {
        return unknown(field, document);
    }
    if let Some((found, field)) = wrong_type(words) {
        return as_other_type(found, &path(field), document);
    }
    if is_of_a_quantity(words) {
        return Some(quantities(document)).filter(|it| !it.is_empty());
    }
    if words.contains("a valid label must be") {
        return Some(label_values(document)).filter(|it| !it.is_empty());
    }
    if is_of_labels(words) {
        let edits = labels_agree(document, objects);
        return Some(edits).filter(|it| !it.is_empty());
    }
    if words.contains("spec.clusterIP") && words.contains("Invalid value") {
        return Some(vec![Edit::Set(keys("spec.clusterIP"), "None".into())]);
    }
    if words.contains(&format!("{REPLICAS}: Invalid value: ")) {
        return Some(vec![Edit::Set(keys(REPLICAS), LEAST_REPLICAS.into())]);
    }
    if let Some(mount) = text::mounts(words, document, &keys("spec.template.spec")) {
        return Some(vec![mount]);
    }
    nearest_supported(words, document)
}

/// A field that does not exist there: it is misspelt, or belongs somewhere else, where it may stand
/// already.
fn unknown(field: &str, document: &Document) -> Option<Vec<Edit>> {
    let from = path(field);
    let (PathStep::Key(name), parents) = from.split_last().filter(|_| document.has(&from))? else {
        return None;
    };
    let home = HOMES.iter().find(|(it, _)| it == name).map(|(_, home)| keys(home));
    let is_elsewhere = home.as_ref().is_some_and(|it| it != parents);
    let edit = match (home, nearest(name)) {
        (Some(home), _) if is_elsewhere => {
            let is_there = document.has(&[home.clone(), keys(name)].concat());
            if is_there { Edit::Remove(from) } else { Edit::Move(from, home) }
        }
        (_, Some(near)) if near != name && !document.has(&[parents, &keys(near)].concat()) => {
            Edit::Rename(from, near.to_owned())
        }
        _ => return None,
    };
    Some(vec![edit])
}

/// `json: cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32`:
/// what was found, and where.
fn wrong_type(words: &str) -> Option<(&str, &str)> {
    let found = between(words, "cannot unmarshal ", " into Go struct field ")?;
    let field = between(words, " into Go struct field ", " of type ")?;
    Some((found, field.split_once('.')?.1))
}

fn as_other_type(found: &str, path: &Path, document: &Document) -> Option<Vec<Edit>> {
    let text = document.scalar(path)?;
    let value = match found {
        "string" => {
            let is_replicas = *path == keys(REPLICAS);
            let number = text.trim().parse::<i64>().ok();
            Value::from(number.or(is_replicas.then_some(i64::from(LEAST_REPLICAS)))?)
        }
        _ => Value::from(text),
    };
    Some(vec![Edit::Set(path.clone(), value)])
}

/// Amounts that Kubernetes cannot read, such as `100MB`.
fn quantities(document: &Document) -> Vec<Edit> {
    let is_amount = |path: &Path| {
        let holds = |it: &PathStep| matches!(it, PathStep::Key(key) if key == "requests" || key == "limits");
        path.len() > 1 && holds(&path[path.len() - 2])
    };
    let mut edits = vec![];
    for (path, text) in document.scalars().into_iter().filter(|(path, _)| is_amount(path)) {
        let is_cpu = matches!(path.last(), Some(PathStep::Key(key)) if key == "cpu");
        let meant = if is_cpu { meant_cpu(text) } else { meant_amount(text) };
        if checks::model::quantity::bytes(text).is_none()
            && let Some(meant) = meant
        {
            edits.push(Edit::Set(path, meant.into()));
        }
    }
    edits
}

/// `500m`, of `500mi`, `500 m` or `500mCPU`: thousandths of a processor.
fn meant_cpu(text: &str) -> Option<String> {
    let (number, unit) = amount(text)?;
    unit.starts_with('m').then(|| format!("{number}m"))
}

/// `100Mi`, of `100MB`, `100 mb` or `100MiB`.
fn meant_amount(text: &str) -> Option<String> {
    let (number, unit) = amount(text)?;
    let unit = match unit.chars().next() {
        Some('k') => "Ki",
        Some('m') => "Mi",
        Some('g') => "Gi",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

/// The number that an amount begins with, and what is behind it, in small letters.
fn amount(text: &str) -> Option<(&str, String)> {
    let text = text.trim();
    let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (!number.is_empty()).then(|| (number, unit.trim().to_ascii_lowercase()))
}

/// `spec.x: Unsupported value: "a": supported values: "A", "B"`, or `Invalid value: "a": must be
/// 'A' or 'B'`: the nearest one.
fn nearest_supported(words: &str, document: &Document) -> Option<Vec<Edit>> {
    let (front, rest) = words
        .split_once(": Unsupported value: \"")
        .or_else(|| words.split_once(": Invalid value: \""))?;
    let field = path(front.rsplit(' ').next()?);
    let found = rest.split('"').next()?;
    let (_, all) =
        rest.split_once("supported values: ").or_else(|| rest.split_once("\": must be '"))?;
    // The right one is among them, however far.
    let values = all.trim_start_matches('"').split(['"', '\'']).step_by(2);
    let near = nearest_within(found, values, usize::MAX)?;
    // The server may name the list, and not the item.
    let list = items(document, &field).into_iter();
    let at = list.chain([field.clone()]).find(|it| document.scalar(it) == Some(found))?;
    Some(vec![Edit::Set(at, near.into())])
}

/// `spec.containers[0].image`, as a path.
pub(super) fn path(field: &str) -> Path {
    let mut path = vec![];
    for part in field.split('.') {
        let mut parts = part.split('[');
        path.extend(
            parts.next().filter(|it| !it.is_empty()).map(|it| PathStep::Key(it.to_owned())),
        );
        for place in parts {
            match place.trim_end_matches(']').parse() {
                Ok(place) => path.push(PathStep::Item(place)),
                Err(_) => path.push(PathStep::Key(place.trim_end_matches(']').to_owned())),
            }
        }
    }
    path
}

fn between<'w>(words: &'w str, before: &str, after: &str) -> Option<&'w str> {
    words.split_once(before)?.1.split_once(after).map(|it| it.0)
}

#[cfg(test)]
mod tests {
    use super::{RefusedLine, change, number_wanted, object, quantities};
    use crate::{
        recording::ManifestText,
        remedy::{
            change::{Line, Sign},
            manifest::{Document, Edit},
        },
    };

    const SET: &str = "\
kind: StatefulSet
spec:
  replicas: \"3\"
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels:
        app: nginx
    spec:
      containers:
      - name: app
        comand: [sh]
        volumeMounts:
        - name: www
          mountPath: /data
      replicas: 5
      volumes:
      - name: data
        emptyDir: {}
      volumeClaimTemplates:
      - metadata:
          name: data
        spec:
          accessModes: [readWriteOnce]
          resources:
            requests:
              storage: 100MB
";

    /// The lines that go and come for these words.
    #[track_caller]
    fn becomes(words: &str, expected: &[&str]) {
        let text = ManifestText {
            kind: "StatefulSet".to_owned(),
            file: "lab3.yaml".to_owned(),
            line: 10,
            text: SET.to_owned(),
            ..ManifestText::default()
        };
        let refusal = RefusedLine { file: "lab3.yaml", line: 12, words };
        let lines = change(&refusal, &[text]).map(|it| it.lines).unwrap_or_default();
        let changed: Vec<String> = lines
            .iter()
            .filter(|it| matches!(it.sign, Sign::Added | Sign::Removed))
            .map(|it| format!("{}{}", if it.sign == Sign::Added { '+' } else { '-' }, it.text))
            .collect();
        assert_eq!(changed, expected, "{words}");
    }

    /// Catches labels that are shown without the selector that they must agree with.
    #[test]
    fn labels_are_shown_below_their_selector() {
        let text = ManifestText {
            file: "lab3.yaml".to_owned(),
            line: 1,
            text: SET.to_owned(),
            ..ManifestText::default()
        };
        let words = "`selector` does not match template `labels`";
        let change = change(&RefusedLine { file: "lab3.yaml", line: 8, words }, &[text]).unwrap();
        let signed: Vec<String> = change.signed().into_iter().map(|(_, line)| line).collect();
        assert_eq!(
            signed,
            [
                "    selector:",
                "      matchLabels: {app: web}",
                "    …",
                "        labels:",
                "-         app: nginx",
                "+         app: web",
            ]
        );
    }

    /// Catches a Pod that holds the name of one that the set made before it, told as a field to take
    /// out.
    #[test]
    fn a_pod_that_the_set_made_first_is_taken_out_whole() {
        let object = |kind: &str, name: &str, line| ManifestText {
            kind: kind.to_owned(),
            name: name.to_owned(),
            file: "lab3.yaml".to_owned(),
            line,
            text: format!("kind: {kind}\nmetadata:\n  name: {name}\nspec: {{}}\n"),
        };
        let words = "Pod \"web-0\" is invalid: spec: Forbidden: pod updates may not change fields \
            other than `spec.containers[*].image`";
        let refusal = RefusedLine { file: "lab3.yaml", line: 9, words };
        let of_set = |set: &str| {
            change(&refusal, &[object("StatefulSet", set, 1), object("Pod", "web-0", 6)])
        };
        let lines = of_set("web").unwrap().lines;
        assert!(lines.len() == 4 && lines.iter().all(|it| it.sign == Sign::Removed), "{lines:?}");
        assert_eq!(of_set("db"), None);
    }

    /// Catches a refusal of an object whose lines are not kept that edits the one above it.
    #[test]
    fn a_refusal_of_an_object_without_a_text_is_of_no_other() {
        let text = ManifestText {
            kind: "Service".to_owned(),
            name: "web".to_owned(),
            file: "lab3.json".to_owned(),
            line: 2,
            text: "    {\n      \"spec\": {\"clusterIP\": \"None\"}\n    }\n".to_owned(),
        };
        let at = |line| {
            let refusal = RefusedLine { file: "lab3.json", line, words: "spec.replicas" };
            object(&refusal, std::slice::from_ref(&text)).map(|it| it.line)
        };
        assert_eq!([1, 2, 4, 5, 7].map(at), [None, Some(2), Some(2), None, None]);
    }

    /// Catches a label with a blank of which no line is shown: the server names a field that there is
    /// none of, and the selector must agree.
    #[test]
    fn a_label_with_a_blank_is_mended_wherever_it_stands() {
        let text = SET.replace("{app: web}", "{app: my web}").replace("app: nginx", "app: my web");
        let (file, line) = ("lab3.yaml".to_owned(), 1);
        let objects = [ManifestText { file, line, text, ..ManifestText::default() }];
        let words = "spec.template.labels: Invalid value: \"my web\": a valid label must be an \
            empty string or consist of alphanumeric characters";
        let change = change(&RefusedLine { file: "lab3.yaml", line: 8, words }, &objects).unwrap();
        let new = change.lines.iter().filter(|it| it.sign == Sign::Added);
        let new: Vec<&str> = new.map(|it| it.text.trim()).collect();
        assert_eq!(new, ["matchLabels: {app: my-web}", "app: my-web"]);
    }

    /// Catches quotation marks that are to be taken off a blank of the lab, which has none.
    #[test]
    fn where_a_number_belongs_it_is_said() {
        let words = "cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of \
            type int32";
        let refusal = RefusedLine { file: "lab3.yaml", line: 3, words };
        for (value, expected) in [("___________", Some("the lab asks for 3")), ("\"3\"", None)] {
            let text = SET.replace("\"3\"", value);
            let (file, line) = ("lab3.yaml".to_owned(), 1);
            let objects = [ManifestText { file, line, text, ..ManifestText::default() }];
            let told = number_wanted(&refusal, &objects);
            assert_eq!(told.is_some(), expected.is_some(), "{told:?}");
            assert!(told.unwrap_or_default().contains(expected.unwrap_or_default()));
            let change = change(&refusal, &objects).unwrap();
            assert!(change.lines.iter().any(|it| it.text == "  replicas: 3"), "{change:?}");
        }
    }

    /// Catches thousandths of a processor that become millions of processors.
    #[test]
    fn an_amount_of_cpu_is_none_of_memory() {
        for (written, meant) in
            [("500mi", Some("500m")), ("500 mCPU", Some("500m")), ("100m", None), ("2 cores", None)]
        {
            let text = format!("spec:\n  resources:\n    requests:\n      cpu: {written}\n");
            let edits = quantities(&Document::read(&text).unwrap());
            let found = edits.iter().find_map(|it| match it {
                Edit::Set(_, to) => to.as_str(),
                _ => None,
            });
            assert_eq!(found, meant, "{written}");
        }
    }

    /// Catches an amount of which no line is shown, because the server says otherwise what is wrong
    /// with it.
    #[test]
    fn an_amount_is_mended_whatever_is_said_of_it() {
        for words in
            ["unable to parse quantity's suffix", "unable to parse numeric part of quantity"]
        {
            let text = SET.replace("100MB", "100mi");
            let objects = [ManifestText {
                file: "lab3.yaml".to_owned(),
                line: 1,
                text,
                ..Default::default()
            }];
            let refusal = RefusedLine { file: "lab3.yaml", line: 8, words };
            let lines = change(&refusal, &objects).map(|it| it.lines).unwrap_or_default();
            let is_new = |it: &Line| it.sign == Sign::Added && it.text.ends_with("storage: 100Mi");
            assert!(lines.iter().any(is_new), "{words}: {lines:?}");
        }
    }

    /// Catches a refusal that leaves a beginner alone though its words tell the change.
    #[test]
    fn the_words_of_the_server_tell_the_lines() {
        becomes(
            "cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32",
            &["-  replicas: \"3\"", "+  replicas: 3"],
        );
        becomes(
            "strict decoding error: unknown field \"spec.template.spec.containers[0].comand\"",
            &["-        comand: [sh]", "+        command: [sh]"],
        );
        becomes(
            "unknown field \"spec.template.spec.volumeClaimTemplates\"",
            &[
                "-      volumeClaimTemplates:",
                "-      - metadata:",
                "-          name: data",
                "-        spec:",
                "-          accessModes: [readWriteOnce]",
                "-          resources:",
                "-            requests:",
                "-              storage: 100MB",
                "+  volumeClaimTemplates:",
                "+  - metadata:",
                "+      name: data",
                "+    spec:",
                "+      accessModes: [readWriteOnce]",
                "+      resources:",
                "+        requests:",
                "+          storage: 100MB",
            ],
        );
        becomes(
            "spec.template.metadata.labels: Invalid value: {\"app\":\"nginx\"}: `selector` does not \
             match template `labels`",
            &["-        app: nginx", "+        app: web"],
        );
        becomes(
            "quantities must match the regular expression '^([+-]?[0-9.]+)$'",
            &["-              storage: 100MB", "+              storage: 100Mi"],
        );
        becomes(
            "spec.template.spec.volumeClaimTemplates[0].spec.accessModes: Unsupported value: \
             \"readWriteOnce\": supported values: \"ReadOnlyMany\", \"ReadWriteOnce\"",
            &["-          accessModes: [readWriteOnce]", "+          accessModes: [ReadWriteOnce]"],
        );
        becomes(
            "spec.replicas: Invalid value: -3: must be greater than or equal to 0",
            &["-  replicas: \"3\"", "+  replicas: 3"],
        );
        becomes(
            "spec.template.spec.containers[0].name: Invalid value: \"app\": must be 'ape' or 'xyz'",
            &["-      - name: app", "+      - name: ape"],
        );
        becomes(
            "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"www\"",
            &["-        - name: www", "+        - name: data"],
        );
        becomes("unknown field \"spec.template.spec.replicas\"", &["-      replicas: 5"]);
        becomes("spec.x: Required value", &[]);
    }
}
