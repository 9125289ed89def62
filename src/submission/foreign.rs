//! What is handed in as a submission by mistake: files that belong to other tools, and objects of
//! kinds or versions that are not applied. Each error names what it is and what to do.

use std::path::Path;

use serde_json::Value;

use crate::submission::{AppliedKind, files};
use crate::{
    console::{sanitize::sanitize, suggest::nearest},
    remedy::shell_word_or,
};

/// What a file or document is, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ForeignKind {
    /// With its article: `a kustomization`.
    pub(super) what: String,
    /// What to do next.
    pub(super) next: String,
}

fn foreign(what: &str, next: impl Into<String>) -> ForeignKind {
    ForeignKind { what: what.to_owned(), next: next.into() }
}

/// The folder that a file is in, as a command takes it.
fn folder_of(file: &str) -> String {
    if file == files::STDIN {
        return "FOLDER".to_owned();
    }
    let parent = Path::new(file).parent().map(|it| it.display().to_string()).unwrap_or_default();
    if parent.is_empty() { ".".to_owned() } else { parent }
}

/// The folder of the chart that a file belongs to: templates are in a folder of it.
fn chart_of(file: &str) -> String {
    if file == files::STDIN {
        return "CHART".to_owned();
    }
    let folder = folder_of(file);
    if Path::new(&folder).file_name().is_some_and(|name| name == "templates") {
        return folder_of(&folder);
    }
    folder
}

fn name_starts_with(file: &str, start: &str) -> bool {
    Path::new(file)
        .file_name()
        .is_some_and(|it| it.to_string_lossy().to_lowercase().starts_with(start))
}

fn render_chart(file: &str, values: &str) -> String {
    format!(
        "Render the chart: `helm template {}{values} | stsgrade grade -f -`.",
        shell_word_or(&chart_of(file), "CHART")
    )
}

/// A document that belongs to another tool.
pub(super) fn document(file: &str, value: &Value) -> Option<ForeignKind> {
    let text_of = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    let has = |field: &str| value.get(field).is_some();
    let (version, kind) = (text_of("apiVersion"), text_of("kind"));
    let group = version.split('/').next().unwrap_or_default();
    if group == "kustomize.config.k8s.io"
        || kind.is_empty() && name_starts_with(file, "kustomization.")
    {
        let next = format!(
            "Render it: `kubectl kustomize {} | stsgrade grade -f -`.",
            shell_word_or(&folder_of(file), "FOLDER")
        );
        return Some(foreign("a kustomization", next));
    }
    if group == "kind.x-k8s.io" {
        let next = format!(
            "`kind create cluster --config {}` takes it. Name the files with your Service and \
            StatefulSet here.",
            shell_word_or(file, "FILE")
        );
        return Some(foreign("the configuration of a kind cluster", next));
    }
    if (version, kind) == ("v1", "Config") && has("clusters") {
        return Some(foreign(
            "a kubeconfig",
            format!(
                "Name it by `--kubeconfig {}`, and the files with your Service and StatefulSet by \
                `-f`.",
                shell_word_or(file, "FILE")
            ),
        ));
    }
    if kind.is_empty() && matches!(version, "v1" | "v2") && has("name") && has("version") {
        return Some(foreign("the description of a Helm chart", render_chart(file, "")));
    }
    if kind.is_empty() && version.is_empty() && has("services") {
        return Some(foreign(
            "a Compose file",
            "Write a headless Service and a StatefulSet for it: Kubernetes does not read Compose \
            files.",
        ));
    }
    if kind.is_empty()
        && version.is_empty()
        && value.is_object()
        && name_starts_with(file, "values")
    {
        return Some(foreign(
            "a file of values for a Helm chart",
            render_chart(file, &format!(" -f {}", shell_word_or(file, "FILE"))),
        ));
    }
    None
}

/// A template that was not rendered: `text` could not be read, or `value` holds what is to be
/// replaced.
pub(super) fn template(file: &str, text: &str) -> Option<ForeignKind> {
    const MARKS: [&str; 10] = [
        "{{ .",
        "{{.",
        "{{-",
        "{{ include",
        "{{ template",
        "{{ if",
        "{{ range",
        "{{ with",
        "{{ end",
        "{{ toYaml",
    ];
    if MARKS.iter().any(|it| text.contains(it)) {
        return Some(foreign("a Helm template that is not rendered", render_chart(file, "")));
    }
    if text.contains("{{") && text.contains("}}") || text.contains("{%") {
        return Some(foreign(
            "a template that is not rendered",
            "Fill in what stands in braces by the tool that it is for, and name the result.",
        ));
    }
    None
}

/// A value that is still to be replaced, where an object has one outside of what a container runs.
pub(super) fn placeholder(file: &str, value: &Value) -> Option<ForeignKind> {
    match value {
        Value::String(text) => placeholder_text(file, text.trim()),
        Value::Array(list) => list.iter().find_map(|it| placeholder(file, it)),
        // A shell, a probe or a configuration has its own use for braces.
        Value::Object(map) => {
            let fields = map.iter().filter(|(name, _)| {
                !matches!(
                    name.as_str(),
                    "command" | "args" | "data" | "stringData" | "annotations" | "env"
                )
            });
            fields.map(|(_, it)| it).find_map(|it| placeholder(file, it))
        }
        _ => None,
    }
}

fn placeholder_text(file: &str, text: &str) -> Option<ForeignKind> {
    if text.starts_with("{{") && text.ends_with("}}") {
        return template(file, text);
    }
    let is_variable = text.starts_with("${") && text.ends_with('}');
    is_variable.then(|| {
        foreign(
            "a template with variables that are not filled in",
            format!(
                "Fill them in: `envsubst < {} | stsgrade grade -f -`.",
                shell_word_or(file, "FILE")
            ),
        )
    })
}

/// An object that is not applied.
pub(super) struct Refused {
    /// The field by which it is not.
    pub(super) field: &'static str,
    /// Why.
    pub(super) why: String,
    /// What to do.
    pub(super) next: String,
    /// Whether it is a misspelling of a kind that is applied.
    pub(super) is_misspelt: bool,
}

/// Why an object of this kind is not applied, and what to do; `None` for one that is.
pub(super) fn kind(version: &str, kind: &str, name: &str, value: &Value) -> Option<Refused> {
    match meant_kind(version, kind) {
        Some(meant) => misspelt(meant, version, kind, value),
        None => Some(not_applied(kind, name)),
    }
}

/// Kind and apiVersion that a misspelt pair means; `None` where any other kind may be meant.
pub(crate) fn meant_kind(version: &str, kind: &str) -> Option<(&'static str, &'static str)> {
    /// More wrong letters make another word.
    const MAX_DISTANCE: usize = 2;
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    // A group with a dot is somebody's own, in which an object may be anything.
    if group.contains('.') || OTHER_KINDS.contains(&kind) {
        return None;
    }
    let applied = AppliedKind::ALL.map(|it| (it.names().0, it.names().1));
    let all = || applied.into_iter().chain([("Namespace", "v1")]);
    let near = nearest(kind, all().map(|(name, _)| name))?;
    let distance =
        strsim::damerau_levenshtein(&near.to_ascii_lowercase(), &kind.to_ascii_lowercase());
    all().find(|(name, _)| *name == near).filter(|_| distance <= MAX_DISTANCE)
}

/// Kinds of Kubernetes' own groups without a dot, which are no misspelling of another.
const OTHER_KINDS: [&str; 18] = [
    "Binding",
    "ComponentStatus",
    "ControllerRevision",
    "CronJob",
    "DaemonSet",
    "Endpoints",
    "Event",
    "Eviction",
    "HorizontalPodAutoscaler",
    "Job",
    "LimitRange",
    "Node",
    "PersistentVolume",
    "PodTemplate",
    "ReplicaSet",
    "ReplicationController",
    "ResourceQuota",
    "Scale",
];

/// How an object that is meant to be of a kind that is applied is misspelt; `None` if it is not.
fn misspelt(
    (right_kind, right_version): (&str, &str),
    version: &str,
    kind: &str,
    value: &Value,
) -> Option<Refused> {
    // Older versions filled it in.
    let lacks_selector = matches!(right_kind, "StatefulSet" | "Deployment")
        && value.pointer("/spec/selector").is_none();
    let selector = if lacks_selector {
        ", and give it a `spec.selector` with the labels of its template"
    } else {
        ""
    };
    if right_kind != kind {
        return Some(Refused {
            field: "kind",
            why: format!("the kind is written {right_kind}"),
            next: format!(
                "Write `apiVersion: {right_version}` and `kind: {right_kind}`{selector}."
            ),
            is_misspelt: true,
        });
    }
    (right_version != version).then(|| Refused {
        field: "apiVersion",
        why: format!("its apiVersion is {right_version}, not {}", sanitize(version)),
        next: format!("Write `apiVersion: {right_version}`{selector}."),
        is_misspelt: true,
    })
}

/// An object of a kind that is not applied.
fn not_applied(kind: &str, name: &str) -> Refused {
    let by_yourself = "apply everything yourself (`kubectl apply -f FILE`) and grade without `-f`";
    let next = match kind {
        "PersistentVolume" | "StorageClass" => format!(
            "{kind} {} belongs to the whole cluster. Apply it yourself (`kubectl apply -f FILE`) \
            and take it out of the submission, or {by_yourself}.",
            sanitize(name)
        ),
        "HorizontalPodAutoscaler" => {
            "Take it out of the submission: nothing else may scale the set while it is graded."
                .to_owned()
        }
        _ => format!(
            "Take it out of the submission, or, where the pods need it, {by_yourself}. Applied \
            are: {}.",
            AppliedKind::ALL.map(|it| it.names().0).join(", ")
        ),
    };
    let why = "this grader applies no objects of this kind".to_owned();
    Refused { field: "kind", why, next, is_misspelt: false }
}
