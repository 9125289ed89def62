//! The edits of a manifest that mend a mistake, in the student's own lines.
//!
//! What a set's spec should be is worked out on what is recorded of it ([`spec`]), and the
//! difference is written into the text of the student's file, where that is known ([`difference`]).
//! What is not recorded stands in that text alone ([`text`]). Which edits mend which mistake or
//! obstacle is one table ([`table`]).

mod difference;
mod executable;
mod headless;
mod hooks;
mod image;
mod keep_running;
mod labels;
mod others;
mod program;
pub mod refusal;
mod spec;
mod state;
mod table;
mod text;

use checks::model::{
    MissingObject, Obstacle, Timeline,
    observation::object::{
        Container, PersistentVolumeClaim, ServiceSpec, StatefulSetSpec, VolumeMount,
    },
    obstacle::StuckContainer,
};

use checks::shell::runs_a_script;
pub use keep_running::{ends_after_sleep, lacks_a_shell, must_end};
pub use state::Edited;

use crate::{
    console::suggest::nearest_within,
    recording::ManifestText,
    remedy::{
        change::{self, Change},
        edit::{
            difference::{edited, value_edits},
            spec::Mended,
            table::Repair,
            text::SetText,
        },
        manifest::{Document, Edit, Path, PathStep, keys},
        script::ScriptNotes,
    },
};

/// The known name that a misspelt one means; `None` where more than `most` letters are wrong, or
/// more than half of them: a short name may be any other.
fn nearest<'n>(
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
    most: usize,
) -> Option<&'n str> {
    nearest_within(name, known, most.min(name.chars().count() / 2))
}

/// What cost points.
#[derive(Clone, Copy, Debug)]
pub struct Loss<'l> {
    /// The id of a mistake or an obstacle.
    pub id: &'l str,
    /// The obstacle, where it is one.
    pub obstacle: Option<&'l Obstacle>,
    /// The objects of the manifest, as far as their texts are known.
    pub objects: &'l [ManifestText],
    /// Whether it is known what the containers run.
    pub knows_programs: bool,
}

impl<'l> Loss<'l> {
    fn why(&self) -> &'l str {
        self.obstacle.map_or("", |it| it.why.as_str())
    }

    fn missing_object(&self) -> Option<&'l MissingObject> {
        self.obstacle?.missing_object()
    }

    fn container(&self) -> Option<&'l StuckContainer> {
        self.obstacle?.container.as_ref()
    }

    /// The names of the variables that the manifest gives the container that is stuck; `None` where
    /// they are not known, or not all of them, and where it has more than one set.
    #[must_use]
    pub fn env_of_stuck(&self) -> Option<Vec<String>> {
        let mut sets = self.objects.iter().filter(|it| it.kind == "StatefulSet");
        let set = sets.next().filter(|_| sets.next().is_none())?;
        SetText::of(&Document::read(&set.text)?).env_of_stuck(self)
    }
}

/// An object of the manifest: its text, as it is kept and as it is read.
type Object<'l> = (&'l ManifestText, Document);

/// The graded set's manifest, where its text is known.
#[must_use]
pub fn manifest_of_set<'o>(
    objects: &'o [ManifestText],
    timeline: &Timeline,
) -> Option<&'o ManifestText> {
    let set = timeline.set()?;
    objects.iter().find(|it| it.kind == "StatefulSet" && it.name == set.name)
}

/// The set's spec as its manifest has it, as far as it is known.
#[must_use]
pub fn written_spec(objects: &[ManifestText], timeline: &Timeline) -> Option<StatefulSetSpec> {
    let set = timeline.set()?;
    let mut spec = spec::as_written(&set.spec, timeline.replicas());
    if let Some(document) =
        manifest_of_set(objects, timeline).and_then(|it| Document::read(&it.text))
    {
        text::take_programs(&document, &mut spec);
    }
    Some(spec)
}

/// Whether the set asks for PVCs that are large enough.
#[must_use]
pub fn asks_for_enough(timeline: &Timeline) -> bool {
    let templates = timeline.set().map(|set| set.spec.volume_claim_templates.as_slice());
    let is_large = |it: &PersistentVolumeClaim| {
        let storage = it.spec.as_ref().and_then(|it| it.resources.requests.get("storage"));
        storage.is_some_and(|it| !spec::is_small(it))
    };
    templates.is_some_and(|it| !it.is_empty() && it.iter().all(is_large))
}

/// Whether the command of any container is known: then those of all are.
#[must_use]
pub fn has_programs(objects: &[ManifestText], timeline: &Timeline) -> bool {
    let is_known = |spec: StatefulSetSpec| {
        let pod = spec.template.spec;
        let mut all = pod.all_containers();
        all.any(|it| !it.command.is_empty() || !it.args.is_empty())
    };
    manifest_of_set(objects, timeline).is_some()
        || written_spec(objects, timeline).is_some_and(is_known)
}

/// The script of a container whose program is a shell; `None` where not all of it is recorded.
#[must_use]
pub fn script_of(container: &Container) -> Option<String> {
    spec::own_script(&mut container.clone()).cloned()
}

fn changes(
    loss: &Loss<'_>,
    spec: &mut Option<StatefulSetSpec>,
    timeline: &Timeline,
) -> Vec<Change> {
    let objects: Vec<Object<'_>> =
        loss.objects.iter().filter_map(|it| Some((it, Document::read(&it.text)?))).collect();
    let repairs = table::repairs(loss.id);
    let Some(set) = timeline.set() else { return new_set(repairs, timeline, &objects) };
    let Some(before) = spec.clone() else { return vec![] };
    let (edits, of_text) = text_edits(repairs, loss, &objects, &set.name);
    let (mended, of_spec) = mended(repairs, loss, timeline, &before);
    let script_notes = of_text.and(of_spec);
    let mut changes = vec![];
    for it in mended {
        changes.extend(match it {
            Mended::Set { before, after } => {
                let change = of_set(&edits, &set.name, &objects, &before, &after);
                *spec = Some(*after);
                change.map(|it| Change { script_notes, ..it })
            }
            Mended::Service { name, before, after } => {
                of_service(&name, &set.name, &objects, before.as_ref(), &after)
            }
        });
    }
    for it in repairs {
        if let Repair::Others(change) = it {
            changes.extend(change(loss, timeline, &objects));
        }
    }
    if changes.is_empty() {
        let stuck = to_look_at(loss, &set.name, &objects, &before);
        changes.extend(stuck.or_else(|| volume_to_look_at(loss, &set.name)));
    }
    changes
}

/// Whether the change of a mistake about content adds an init container, because no script of the
/// container takes the line.
#[must_use]
pub fn adds_an_init_container(id: &str, objects: &[ManifestText], timeline: &Timeline) -> bool {
    name_written(id, objects, timeline).is_some_and(|(before, after)| {
        after.template.spec.init_containers.len() > before.template.spec.init_containers.len()
    })
}

/// Where the change of a mistake about content mounts the claim, if it mounts it elsewhere.
#[must_use]
pub fn moved_mount(id: &str, objects: &[ManifestText], timeline: &Timeline) -> Option<String> {
    let (before, after) = name_written(id, objects, timeline)?;
    let mounts = |spec: &StatefulSetSpec| -> Vec<VolumeMount> {
        let containers = spec.template.spec.containers.iter();
        containers.flat_map(|it| it.volume_mounts.clone()).collect()
    };
    let (before, after) = (mounts(&before), mounts(&after));
    let mut moved = before.iter().zip(after).filter(|(before, after)| *before != after);
    moved.next().map(|(_, after)| after.mount_path)
}

/// The set before and after the change that lets a container write its pod's name to its claim.
fn name_written(
    id: &str,
    objects: &[ManifestText],
    timeline: &Timeline,
) -> Option<(StatefulSetSpec, StatefulSetSpec)> {
    let edit = table::repairs(id).iter().find_map(|it| match it {
        Repair::NameWritten(edit) => Some(edit),
        _ => None,
    })?;
    let before = written_spec(objects, timeline)?;
    let mut after = before.clone();
    edit(&mut after);
    Some((before, after))
}

/// The volume that is made of an object that is not there. What it is made of is not recorded, but
/// the kubelet names it.
fn volume_to_look_at(loss: &Loss<'_>, set: &str) -> Option<Change> {
    let MissingObject { kind, name, volume: Some(volume), .. } = loss.missing_object()? else {
        return None;
    };
    // A Secret has another field in a volume of its own than in one of several sources.
    let named = if *kind == "ConfigMap" { vec![format!("    name: {name}")] } else { vec![] };
    Some(change::as_it_stands(
        format!("StatefulSet {set}"),
        ["volumes:".to_owned(), format!("- name: {volume}")],
        named,
    ))
}

/// What the namespace lacks.
fn new_set(repairs: &[Repair], timeline: &Timeline, objects: &[Object<'_>]) -> Vec<Change> {
    let new = repairs.iter().filter_map(|it| match it {
        Repair::NewSet(change) => Some(change(timeline, objects)),
        _ => None,
    });
    new.flatten().collect()
}

/// What the set and its Service should be, and what the edits of scripts brought in. A set that stays
/// as it is may still be edited as text.
fn mended(
    repairs: &[Repair],
    loss: &Loss<'_>,
    timeline: &Timeline,
    before: &StatefulSetSpec,
) -> (Vec<Mended>, ScriptNotes) {
    let mut notes = ScriptNotes::NONE;
    let mut after = before.clone();
    for it in repairs {
        match it {
            Repair::Service(fault) => return (spec::service(*fault, timeline, before), notes),
            Repair::Set(edit) => edit(loss, &mut after),
            Repair::Scripts(edit) => notes = notes.and(edit(loss, &mut after)),
            Repair::NameWritten(edit) => notes = notes.and(edit(&mut after)),
            _ => {}
        }
    }
    let of_set = Mended::Set { before: Box::new(before.clone()), after: Box::new(after) };
    (vec![of_set], notes)
}

/// The edits of what is not recorded of the set, and what those of scripts brought in.
fn text_edits(
    repairs: &[Repair],
    loss: &Loss<'_>,
    objects: &[Object<'_>],
    set: &str,
) -> (Vec<Edit>, ScriptNotes) {
    let (mut all, mut notes) = (vec![], ScriptNotes::NONE);
    let Some((_, document)) = find(objects, "StatefulSet", set) else { return (all, notes) };
    let text = SetText::of(document);
    for it in repairs {
        match it {
            Repair::Text(edits) => all.extend(edits(loss, &text)),
            Repair::Hooks(edits) => {
                let (edits, of_hooks) = edits(&text);
                all.extend(edits);
                notes = notes.and(of_hooks);
            }
            _ => {}
        }
    }
    (all, notes)
}

fn of_set(
    of_text: &[Edit],
    name: &str,
    objects: &[Object<'_>],
    before: &StatefulSetSpec,
    after: &StatefulSetSpec,
) -> Option<Change> {
    if let Some((text, document)) = find(objects, "StatefulSet", name) {
        let mut edits = value_edits(before, after);
        edits.extend_from_slice(of_text);
        if let Some(edited) = edited(document, &edits) {
            return change::of_text(text, document, &edited);
        }
    }
    change::of_set(name, before, after)
}

fn of_service(
    name: &str,
    set: &str,
    objects: &[Object<'_>],
    before: Option<&ServiceSpec>,
    after: &ServiceSpec,
) -> Option<Change> {
    let new = change::of_service(name, before, after)?;
    let Some(before) = before else {
        // It goes where the set is.
        let Some((text, _)) = find(objects, "StatefulSet", set) else {
            return Some(change::at_the_end_of(None, new));
        };
        return Some(change::at_the_end_of(Some(&text.file), new));
    };
    if let Some((text, document)) = find(objects, "Service", name) {
        let mut edits = value_edits(before, after);
        if before.cluster_ip != after.cluster_ip {
            edits.extend(headless::not_of_a_headless_service(document));
        }
        if let Some(edited) = edited(document, &edits) {
            return change::of_text(text, document, &edited);
        }
    }
    Some(new)
}

fn find<'o>(objects: &'o [Object<'_>], kind: &str, name: &str) -> Option<&'o Object<'o>> {
    objects.iter().find(|(it, _)| it.kind == kind && it.name == name)
}

/// The lines of the container that is stuck, where what must be changed in them is not known.
fn to_look_at(
    loss: &Loss<'_>,
    name: &str,
    objects: &[Object<'_>],
    before: &StatefulSetSpec,
) -> Option<Change> {
    let stuck = loss.container()?;
    let (text, document) = match find(objects, "StatefulSet", name) {
        Some((text, document)) => ((*text).clone(), document.clone()),
        None => {
            let text = change::set_document(name, before)?;
            let kind = "StatefulSet".to_owned();
            let known = ManifestText { kind, name: name.to_owned(), ..ManifestText::default() };
            (known, Document::read(&text)?)
        }
    };
    let (container, program) = ["containers", "initContainers"].iter().find_map(|list| {
        let mut path = keys("spec.template.spec");
        path.extend([PathStep::Key((*list).to_owned()), PathStep::Named(stuck.name.clone())]);
        let own = program_of(stuck, &document, &path);
        document.has(&path).then_some((path, own))
    })?;
    let is_known = program.is_some() || loss.knows_programs;
    let lines = change::to_look_at(&text, &document, &program.unwrap_or(container))?;
    Some(if is_known { lines } else { lines.without_a_program() })
}

/// What a container that is stuck runs, and where that stands: its hook, or the script that its
/// command lets a shell run, or the command.
fn program_of(stuck: &StuckContainer, document: &Document, container: &Path) -> Option<Path> {
    let field = |it: &str| text::with(container, it);
    let command = field("command");
    let is_only_a_shell = match document.texts(&command)[..] {
        [program, flag] => runs_a_script(program, flag),
        _ => false,
    };
    let fields = if stuck.failing_hook.is_some() {
        vec![field(hooks::POST_START)]
    } else if is_only_a_shell {
        vec![field("args"), command]
    } else {
        vec![command, field("args")]
    };
    fields.into_iter().find(|it| document.has(it))
}

#[cfg(test)]
mod tests;
