//! Changes of objects beside the set and its Service.

use std::collections::BTreeSet;

use checks::model::{
    MissingObject, Timeline,
    lab::LEAST_REPLICAS,
    observation::object::{Container, StatefulSetSpec, VolumeMount},
};
use serde_json::{Value, json};

use crate::remedy::{
    change::{self, Change},
    edit::{
        Loss, Object,
        difference::edited,
        find, spec,
        text::{named_keys, with},
    },
    manifest::{Document, Edit, Path, PathStep, keys},
};

/// Annotations by which Kubernetes takes a claim for one that is bound already.
const BINDING: [&str; 2] =
    ["pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"];

/// What the edits make of one object.
fn change_of((text, document): &Object<'_>, edits: &[Edit]) -> Option<Change> {
    change::of_text(text, document, &edited(document, edits)?)
}

fn of_kind<'o>(
    objects: &'o [Object<'_>],
    kind: &'static str,
) -> impl Iterator<Item = &'o Object<'o>> {
    objects.iter().filter(move |(it, _)| it.kind == kind)
}

/// A ConfigMap or a Secret that a container names and that is not there.
pub(super) fn named_object(
    loss: &Loss<'_>,
    timeline: &Timeline,
    objects: &[Object<'_>],
) -> Vec<Change> {
    let Some(set) = timeline.set() else { return vec![] };
    let change = misspelt_name(loss, &set.name, objects);
    change.or_else(|| missing_object(loss, &set.name, objects)).into_iter().collect()
}

/// The claims of the manifest that are those of the set's templates, by their names.
fn claims_of_templates<'o>(timeline: &Timeline, objects: &'o [Object<'o>]) -> Vec<&'o Object<'o>> {
    let names: BTreeSet<String> =
        timeline.ordinals().flat_map(|it| timeline.claim_names(it)).collect();
    let claims = of_kind(objects, "PersistentVolumeClaim");
    claims.filter(|(it, _)| names.contains(&it.name)).collect()
}

/// The same, and those that the set's pods name as their volumes.
fn claims_of_the_set<'o>(timeline: &Timeline, objects: &'o [Object<'o>]) -> Vec<&'o Object<'o>> {
    let mut claims = claims_of_templates(timeline, objects);
    let volumes = timeline.set().map(|it| it.spec.template.spec.volumes.as_slice());
    let sources = volumes.unwrap_or_default().iter().filter_map(|it| {
        let source = it.persistent_volume_claim.as_ref()?;
        find(objects, "PersistentVolumeClaim", &source.claim_name)
    });
    claims.extend(sources);
    claims
}

/// Claims of the set that stand in the manifest by themselves.
pub(super) fn large_enough(
    _: &Loss<'_>,
    timeline: &Timeline,
    objects: &[Object<'_>],
) -> Vec<Change> {
    let storage = keys("spec.resources.requests.storage");
    let is_small =
        |(_, document): &&Object<'_>| document.scalar(&storage).is_some_and(spec::is_small);
    let edits = [Edit::Set(storage.clone(), spec::STORAGE.into())];
    let claims = claims_of_templates(timeline, objects).into_iter().filter(is_small);
    claims.filter_map(|it| change_of(it, &edits)).collect()
}

/// Claims of the set that stand in the manifest by themselves, and name a volume.
pub(super) fn any_volume(_: &Loss<'_>, timeline: &Timeline, objects: &[Object<'_>]) -> Vec<Change> {
    let volume = keys("spec.volumeName");
    let annotation =
        |it: &str| [keys("metadata.annotations"), vec![PathStep::Key(it.to_owned())]].concat();
    let bindings = BINDING.map(|it| Edit::Remove(annotation(it))).into_iter();
    let edits: Vec<Edit> = bindings.chain([Edit::Remove(volume.clone())]).collect();
    let claims = claims_of_the_set(timeline, objects).into_iter().filter(|it| it.1.has(&volume));
    claims.filter_map(|it| change_of(it, &edits)).collect()
}

/// Claims of the set that stand in the manifest by themselves, and ask for the StorageClass that the
/// loss is about.
pub(super) fn default_class(
    loss: &Loss<'_>,
    timeline: &Timeline,
    objects: &[Object<'_>],
) -> Vec<Change> {
    let class = keys("spec.storageClassName");
    let is_meant = |(_, document): &&Object<'_>| {
        let named = document.scalar(&class);
        // In quotes, as the obstacle has it.
        named.is_some_and(|it| it.is_empty() || loss.why().contains(&format!("{it:?}")))
    };
    let edits = [Edit::Remove(class.clone())];
    let claims = claims_of_the_set(timeline, objects).into_iter().filter(is_meant);
    claims.filter_map(|it| change_of(it, &edits)).collect()
}

/// The Pod that has the name of a pod of the set.
pub(super) fn own_pod_taken_out(
    loss: &Loss<'_>,
    _: &Timeline,
    objects: &[Object<'_>],
) -> Vec<Change> {
    let who = loss.obstacle.map_or("", |it| it.who.as_str());
    let own = find(objects, "Pod", who);
    own.and_then(|(text, _)| change::document_taken_out(text)).into_iter().collect()
}

/// Whatever has the name of a pod of the set.
pub(super) fn own_names(_: &Loss<'_>, timeline: &Timeline, objects: &[Object<'_>]) -> Vec<Change> {
    let change = |object: &Object<'_>| {
        let pod = match object.0.kind.as_str() {
            "Deployment" => keys("spec.template.spec"),
            "Pod" => keys("spec"),
            _ => return None,
        };
        change_of(object, &own_name(timeline, &object.1, &pod))
    };
    objects.iter().filter_map(change).collect()
}

/// Takes away the name that a pod of the set has.
fn own_name(timeline: &Timeline, document: &Document, pod: &Path) -> Vec<Edit> {
    let is_of_set = document.scalar(&with(pod, "hostname")).is_some_and(|name| {
        timeline.ordinals().any(|it| timeline.live(it).is_some_and(|pod| pod.name() == name))
    });
    if !is_of_set {
        return vec![];
    }
    ["hostname", "subdomain"].map(|it| Edit::Remove(with(pod, it))).to_vec()
}

/// A ConfigMap or a Secret that is not there, where the submission has one that nobody names: its
/// name is misspelt.
fn misspelt_name(loss: &Loss<'_>, set: &str, objects: &[Object<'_>]) -> Option<Change> {
    let MissingObject { kind, name, key: None, .. } = loss.missing_object()? else { return None };
    let (text, document) = find(objects, "StatefulSet", set)?;
    let named = document.scalars();
    let is_named = |name: &str| named.iter().any(|(_, it)| *it == name);
    let mut spare = objects.iter().filter(|(it, _)| it.kind == *kind && !is_named(&it.name));
    let (meant, None) = (&spare.next()?.0.name, spare.next()) else { return None };
    let name_keys = ["name", "secretName"].map(|it| PathStep::Key(it.to_owned()));
    let edits: Vec<Edit> = named
        .iter()
        .filter(|(path, it)| *it == name && path.last().is_some_and(|it| name_keys.contains(it)))
        .map(|(path, _)| Edit::Set(path.clone(), meant.as_str().into()))
        .collect();
    change::of_text(text, document, &edited(document, &edits)?)
}

/// A ConfigMap or a Secret that is not there.
fn missing_object(loss: &Loss<'_>, set: &str, objects: &[Object<'_>]) -> Option<Change> {
    let MissingObject { kind, name, key, .. } = loss.missing_object()?;
    let own = find(objects, "StatefulSet", set);
    if own.is_none() && key.is_some() {
        // It may be there, without that key.
        return None;
    }
    let key = key.as_deref().unwrap_or("key");
    if objects.iter().any(|(it, _)| it.kind == *kind && it.name == *name) {
        return None;
    }
    let field = if *kind == "Secret" { "stringData" } else { "data" };
    let wanted = own.and_then(|(_, document)| wanted_keys(document, kind, name));
    let keys = wanted.unwrap_or_else(|| vec![key.to_owned()]);
    let values: Value = keys.into_iter().map(|it| (it, json!("change me"))).collect();
    let object =
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, field: values});
    let file = own.map(|(text, _)| text.file.as_str());
    Some(change::new_document(format!("{kind} {name}"), file, &object))
}

/// The keys of a ConfigMap or a Secret that the manifest's environment variables name.
fn wanted_keys(document: &Document, kind: &str, name: &str) -> Option<Vec<String>> {
    let named = named_keys(document, kind, name);
    let mut found: Vec<String> =
        named.iter().filter_map(|it| document.scalar(it)).map(str::to_owned).collect();
    found.dedup();
    Some(found).filter(|it| !it.is_empty())
}

/// A Deployment becomes a StatefulSet, where the namespace holds none.
pub(super) fn into_a_set(timeline: &Timeline, objects: &[Object<'_>]) -> Vec<Change> {
    let Some((text, document)) = of_kind(objects, "Deployment").next() else {
        return outline(timeline).into_iter().collect();
    };
    let headless = |(it, document): &&Object<'_>| {
        it.kind == "Service" && document.scalar(&keys("spec.clusterIP")) == Some("None")
    };
    let service = objects.iter().find(headless).map_or(&text.name, |(it, _)| &it.name);
    let mut edits = vec![
        Edit::Set(keys("kind"), "StatefulSet".into()),
        Edit::Set(keys("spec.serviceName"), service.as_str().into()),
        Edit::Remove(keys("spec.strategy")),
        Edit::Remove(keys("spec.progressDeadlineSeconds")),
    ];
    let replicas = document.scalar(&keys("spec.replicas")).and_then(|it| it.parse::<u32>().ok());
    if replicas.is_none_or(|it| it < LEAST_REPLICAS.unsigned_abs()) {
        edits.push(Edit::Set(keys("spec.replicas"), LEAST_REPLICAS.into()));
    }
    edits.extend(storage(document));
    let Some(edited) = edited(document, &edits) else { return vec![] };
    change::of_text(text, document, &edited).into_iter().collect()
}

/// The lines of a set, for a Deployment of which only the name is known.
fn outline(timeline: &Timeline) -> Option<Change> {
    let told = timeline.other_workloads().iter().find(|it| it.starts_with("Deployment "))?;
    let name = told.strip_prefix("Deployment ")?;
    let mount = VolumeMount {
        name: spec::CLAIM_NAME.to_owned(),
        mount_path: spec::MOUNT_PATH.to_owned(),
        ..VolumeMount::default()
    };
    let container = Container { volume_mounts: vec![mount], ..Container::default() };
    let headless = timeline.services().find(|it| it.is_headless());
    let mut set = StatefulSetSpec {
        service_name: headless.map_or(name, |it| &it.service.metadata.name).to_owned(),
        volume_claim_templates: vec![spec::claim(spec::CLAIM_NAME)],
        ..StatefulSetSpec::default()
    };
    set.template.spec.containers.push(container);
    change::outline_of_a_set(told.clone(), &set)
}

/// A claim for each pod, in place of its volumes or where it has none.
fn storage(document: &Document) -> Vec<Edit> {
    let volumes = keys("spec.template.spec.volumes");
    let templates = keys("spec.volumeClaimTemplates");
    let mut edits = vec![];
    let claim = |name: &str| serde_json::to_value(spec::claim(name)).unwrap_or_default();
    for place in 0..document.count(&volumes) {
        let volume = [volumes.clone(), vec![PathStep::Item(place)]].concat();
        let is_own = ["emptyDir", "persistentVolumeClaim", "hostPath", "ephemeral"]
            .iter()
            .any(|it| document.has(&with(&volume, it)));
        let Some(name) = document.scalar(&with(&volume, "name")).filter(|_| is_own) else {
            continue;
        };
        edits
            .push(Edit::Remove([volumes.clone(), vec![PathStep::Named(name.to_owned())]].concat()));
        edits.push(Edit::Push(templates.clone(), claim(name)));
    }
    if edits.is_empty() {
        let first = [keys("spec.template.spec.containers"), vec![PathStep::Item(0)]].concat();
        let all = |list: &Path, field| -> Vec<&str> {
            let item = |place| [list.as_slice(), &[PathStep::Item(place)], &keys(field)].concat();
            (0..document.count(list)).filter_map(|it| document.scalar(&item(it))).collect()
        };
        let mounts = with(&first, "volumeMounts");
        let volume_mounts = all(&mounts, "mountPath")
            .into_iter()
            .map(|it| VolumeMount { mount_path: it.to_owned(), ..VolumeMount::default() })
            .collect();
        let texts = |field| {
            let words = document.texts(&with(&first, field));
            words.into_iter().map(str::to_owned).collect()
        };
        let container = Container {
            command: texts("command"),
            args: texts("args"),
            volume_mounts,
            ..Container::default()
        };
        let folder = spec::written_folder(&container);
        let folder = folder.unwrap_or_else(|| spec::free_folder(&container));
        let name = spec::free(spec::CLAIM_NAME, &all(&volumes, "name"));
        edits.push(Edit::Push(mounts, json!({"name": name, "mountPath": folder})));
        edits.push(Edit::Push(templates, claim(&name)));
    }
    edits
}

#[cfg(test)]
mod tests {
    use checks::model::{Effect, Fault, Missing, MissingObject, Obstacle};

    use super::misspelt_name;
    use crate::{
        recording::ManifestText,
        remedy::{
            change::Sign,
            edit::{Loss, Object},
            manifest::Document,
        },
    };

    const SET: &str = "\
kind: StatefulSet
spec:
  template:
    spec:
      containers:
      - name: app
        envFrom:
        - configMapRef: {name: settings}
      volumes:
      - name: script
        configMap:
          name: start-script
";

    fn text(kind: &str, name: &str, text: &str) -> ManifestText {
        ManifestText {
            kind: kind.to_owned(),
            name: name.to_owned(),
            text: text.to_owned(),
            ..ManifestText::default()
        }
    }

    /// The lines that go and come where the submission has these ConfigMaps.
    fn becomes(config_maps: &[&str]) -> Vec<String> {
        // The graded set is not the first.
        let other = text("StatefulSet", "db", "kind: StatefulSet\n");
        let mut texts = vec![other, text("StatefulSet", "web", SET)];
        texts.extend(config_maps.iter().map(|it| text("ConfigMap", it, "kind: ConfigMap\n")));
        let objects: Vec<Object<'_>> =
            texts.iter().map(|it| (it, Document::read(&it.text).unwrap())).collect();
        let obstacle = Obstacle {
            id: "config_error",
            who: "web-0".to_owned(),
            ordinal: Some(0),
            fault: Fault::Submission,
            why: String::new(),
            effect: Effect::Blocks,
            mistake: None,
            container: None,
            missing: Some(Box::new(Missing::Object(MissingObject {
                kind: "ConfigMap",
                name: "start-script".to_owned(),
                key: None,
                volume: Some("script".to_owned()),
            }))),
            log: vec![],
            remedy: "",
            evidence: vec![],
        };
        let loss = Loss {
            id: "config_error",
            obstacle: Some(&obstacle),
            objects: &texts,
            knows_programs: true,
        };
        let change = misspelt_name(&loss, "web", &objects);
        let lines = change.iter().flat_map(|it| &it.lines);
        lines
            .filter(|it| matches!(it.sign, Sign::Added | Sign::Removed))
            .map(|it| format!("{}{}", if it.sign == Sign::Added { '+' } else { '-' }, it.text))
            .collect()
    }

    /// Catches a new, empty ConfigMap beside the one that is meant, and a name that is only guessed.
    #[test]
    fn a_misspelt_name_becomes_that_of_the_one_nobody_names() {
        let renamed = ["-          name: start-script", "+          name: startscript"];
        assert_eq!(becomes(&["startscript", "settings"]), renamed);
        assert!(becomes(&["settings"]).is_empty());
        assert!(becomes(&["one", "another"]).is_empty());
    }
}
