//! Labels of a set, of its pods, and of the Services that select these.

use crate::{
    recording::ManifestText,
    remedy::manifest::{Document, Edit, Path, PathStep, keys},
};

/// The labels that a set selects.
const SELECTED: &str = "spec.selector.matchLabels";
/// The labels of its pods.
const GIVEN: &str = "spec.template.metadata.labels";

/// Makes the labels that a set selects and those of its pods the same. Labels by which a Service
/// selects the pods stay.
pub(super) fn labels_agree(document: &Document, objects: &[ManifestText]) -> Vec<Edit> {
    let mut edits = labels(document);
    if is_selected_by_a_service(document, objects) {
        for edit in &mut edits {
            let Edit::Set(path, _) = edit else { continue };
            let Some(given) = document.scalar(path) else { continue };
            let Some(name) = path.last().cloned() else { continue };
            *edit = Edit::Set([keys(SELECTED), vec![name]].concat(), given.into());
        }
    }
    edits
}

/// Whether the governing Service selects the pods by the labels that they have; where there is no
/// such Service, whether any does.
fn is_selected_by_a_service(document: &Document, objects: &[ManifestText]) -> bool {
    let governing = document.scalar(&keys("spec.serviceName"));
    let services = || objects.iter().filter(|it| it.kind == "Service");
    let has_governing = services().any(|it| Some(it.name.as_str()) == governing);
    let mut meant = services().filter(|it| !has_governing || Some(it.name.as_str()) == governing);
    meant.any(|it| Document::read(&it.text).is_some_and(|it| selects(&it, document)))
}

/// Whether a Service selects the pods of a set.
fn selects(service: &Document, set: &Document) -> bool {
    let selector = keys("spec.selector");
    let names = service.keys_of(&selector);
    let label = |of: &Path, name: &str| [of.as_slice(), &[PathStep::Key(name.to_owned())]].concat();
    !names.is_empty()
        && names.iter().all(|name| {
            let value = service.scalar(&label(&selector, name));
            value.is_some() && set.scalar(&label(&keys(GIVEN), name)) == value
        })
}

/// Where the labels stand that edited ones must agree with.
pub(super) fn beside_labels(edits: &[Edit]) -> Path {
    let is_of_the_selector =
        |it: &Edit| matches!(it, Edit::Set(path, _) if path.starts_with(&keys(SELECTED)));
    let has_selected = edits.iter().any(is_of_the_selector);
    keys(if has_selected { GIVEN } else { "spec.selector" })
}

/// The pods get the labels that the set selects; a set without a selector selects the pods' labels.
pub(super) fn labels(document: &Document) -> Vec<Edit> {
    let selected = keys(SELECTED);
    let given = keys(GIVEN);
    let (from, to) = if document.has(&selected) { (selected, given) } else { (given, selected) };
    let names = document.keys_of(&from);
    let missing = names.into_iter().filter_map(|name| {
        let at = |path: &Path| [path.as_slice(), &[PathStep::Key(name.to_owned())]].concat();
        let value = document.scalar(&at(&from))?;
        (document.scalar(&at(&to)) != Some(value)).then(|| Edit::Set(at(&to), value.into()))
    });
    missing.collect()
}

/// Labels whose values have blanks get `-` in their place, wherever they stand.
pub(super) fn label_values(document: &Document) -> Vec<Edit> {
    const PLACES: [&str; 5] = [
        "metadata.labels",
        "spec.selector",
        "spec.selector.matchLabels",
        "spec.template.metadata.labels",
        "spec.template.spec.nodeSelector",
    ];
    let places = PLACES.iter().map(|it| keys(it));
    let labels = places.flat_map(|place| {
        let names = document.keys_of(&place).into_iter().map(str::to_owned);
        let path = |name| [place.as_slice(), &[PathStep::Key(name)]].concat();
        names.map(path).collect::<Vec<_>>()
    });
    let edits = labels.filter_map(|path| {
        let value = document.scalar(&path)?;
        let new = value.split_whitespace().collect::<Vec<_>>().join("-");
        (new != value).then(|| Edit::Set(path, new.into()))
    });
    edits.collect()
}

#[cfg(test)]
mod tests {
    use super::{beside_labels, labels_agree};
    use crate::{
        recording::ManifestText,
        remedy::manifest::{Document, Edit, path_in_words},
    };

    const SET: &str = "\
spec:
  serviceName: web
  selector:
    matchLabels: {app: web, tier: front}
  template:
    metadata:
      labels: {app: nginx}
";

    /// Catches a Service that selects no pod any more, because the pods got another label.
    #[test]
    fn labels_that_a_service_selects_stay() {
        let set = Document::read(SET).unwrap();
        let service = |name: &str, selector: &str| ManifestText {
            kind: "Service".to_owned(),
            name: name.to_owned(),
            text: format!("kind: Service\nspec:\n  selector: {selector}\n"),
            ..ManifestText::default()
        };
        let edits = |services: &[ManifestText]| {
            let edits = labels_agree(&set, services);
            let all: Vec<String> = edits
                .iter()
                .map(|it| match it {
                    Edit::Set(path, value) => format!("{}={value}", path_in_words(path)),
                    _ => String::new(),
                })
                .collect();
            (all, path_in_words(&beside_labels(&edits)))
        };
        let tier = "spec.template.metadata.labels.tier=\"front\"".to_owned();
        let of_the_pods = (
            vec!["spec.template.metadata.labels.app=\"web\"".to_owned(), tier.clone()],
            "spec.selector".to_owned(),
        );
        let of_the_set = (
            vec!["spec.selector.matchLabels.app=\"nginx\"".to_owned(), tier],
            "spec.template.metadata.labels".to_owned(),
        );
        assert_eq!(edits(&[]), of_the_pods);
        assert_eq!(edits(&[service("web", "{app: nginx}")]), of_the_set);
        assert_eq!(edits(&[service("other", "{app: nginx}")]), of_the_set);
        assert_eq!(edits(&[service("web", "{app: nginx, a: b}")]), of_the_pods);
        assert_eq!(edits(&[service("web", "{}")]), of_the_pods);
        // The governing Service is the one that counts.
        let both = [service("other", "{app: nginx}"), service("web", "{app: web}")];
        assert_eq!(edits(&both), of_the_pods);
    }
}
