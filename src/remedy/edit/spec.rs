//! What a set's spec and its Service's should be, as far as they are recorded.

use std::collections::BTreeMap;

use checks::model::{
    Timeline, lab,
    observation::object::{
        CUT, Container, DEFAULT_GRACE_SECONDS, Metadata, PersistentVolumeClaim,
        PersistentVolumeClaimSpec, PodSpec, Resources, ServiceSpec, StatefulSetSpec, Volume,
        VolumeMount,
    },
    quantity,
};
use checks::shell::runs_a_script;

use crate::{
    recording::{ManifestText, mask::MASK},
    remedy::{
        edit::Loss,
        manifest::{Document, PathStep, keys},
        script::{self, EditedScript, ScriptNotes},
    },
};

/// What a claim asks for that is made in place of another volume. The lab asks for 50Mi at least.
pub(super) const STORAGE: &str = "100Mi";
/// The name of a new claim, if no volume has it.
pub(super) const CLAIM_NAME: &str = "data";
/// Where a volume is mounted that was mounted nowhere, if no script tells where it writes and no
/// other volume is mounted there.
pub(super) const MOUNT_PATH: &str = "/data";
/// The file that tells which pod wrote it.
const OWNER_FILE: &str = "owner";

/// Asks for as many pods as the lab does.
pub(super) fn enough_replicas(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    spec.replicas = Some(lab::LEAST_REPLICAS);
}

/// Takes the policy out: the default is the one that is meant.
pub(super) fn ordered(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    spec.pod_management_policy.clear();
}

/// Replaces emptyDir volumes by PVCs. A temporary one (below `/tmp` and the like, or in memory)
/// stays, unless all are temporary.
pub(super) fn claims_for_empty_dirs(loss: &Loss<'_>, spec: &mut StatefulSetSpec) {
    let pod = &spec.template.spec;
    let is_used = |it: &&Volume| it.empty_dir.is_some() && pod.uses(&it.name);
    let names: Vec<String> = pod.volumes.iter().filter(is_used).map(|it| it.name.clone()).collect();
    let is_kept = |name: &String| is_temporary(name, pod) || is_in_memory(name, loss.objects);
    let (temporary, lasting): (Vec<String>, Vec<String>) = names.into_iter().partition(is_kept);
    own_claims_named(if lasting.is_empty() { &temporary } else { &lasting }, spec);
}

/// Whether a volume is mounted only in folders of which nobody expects that they last.
fn is_temporary(volume: &str, pod: &PodSpec) -> bool {
    const FOLDERS: [&str; 6] = ["/tmp", "/var/tmp", "/run", "/var/run", "/var/cache", "/dev/shm"];
    let mounts = pod.all_containers().flat_map(|it| &it.volume_mounts);
    let mut own = mounts.filter(|it| it.name == volume);
    own.all(|it| {
        FOLDERS.iter().any(|folder| {
            let rest = it.mount_path.strip_prefix(folder);
            rest.is_some_and(|it| it.is_empty() || it.starts_with('/'))
        })
    })
}

/// Whether a set of the manifest has an emptyDir of this name with a `medium`.
fn is_in_memory(volume: &str, objects: &[ManifestText]) -> bool {
    let volumes = [keys("spec.template.spec.volumes"), vec![PathStep::Named(volume.to_owned())]];
    let medium = [volumes.concat(), keys("emptyDir.medium")].concat();
    let mut sets = objects.iter().filter(|it| it.kind == "StatefulSet");
    sets.any(|it| Document::read(&it.text).is_some_and(|it| it.has(&medium)))
}

pub(super) fn claims_for_host_paths(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    own_claims(|it| it.host_path.is_some(), spec);
}

pub(super) fn claims_for_ephemeral(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    own_claims(|it| it.ephemeral.is_some(), spec);
}

pub(super) fn claims_for_shared(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    own_claims(|it| it.persistent_volume_claim.is_some(), spec);
}

pub(super) fn enough_memory(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    spec.template.spec.all_containers_mut().for_each(more_memory);
}

/// Lets the volumes belong to a group: the one with the number of the first user, or 1000.
pub(super) fn volumes_of_a_group(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    /// The first number that distributions give to people.
    const GROUP: i64 = 1000;
    let pod = &mut spec.template.spec;
    let users: Vec<i64> =
        pod.containers.iter().filter_map(|it| pod.user_of(&it.name)).filter(|it| *it > 0).collect();
    let group = users.first().copied().unwrap_or(GROUP);
    pod.security_context.get_or_insert_default().fs_group = Some(group);
}

/// A folder of the volume that a new pod of the name mounts again.
pub(super) fn folder_of_the_name(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    spec.template.spec.name_folders_after_the_pod();
}

/// Takes out what keeps a pod from some nodes, and what it asks of a node.
pub(super) fn placed_anywhere(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    let pod = &mut spec.template.spec;
    pod.node_selector.clear();
    pod.affinity = None;
    pod.all_containers_mut().for_each(|it| it.resources = Resources::default());
}

/// A claim for each pod, and its mount.
pub(super) fn new_claim(_: &Loss<'_>, spec: &mut StatefulSetSpec) -> ScriptNotes {
    let volumes = spec.template.spec.volumes.iter().map(|it| it.name.as_str());
    let templates = spec.volume_claim_templates.iter().map(|it| it.metadata.name.as_str());
    let name = free(CLAIM_NAME, &volumes.chain(templates).collect::<Vec<_>>());
    let notes = mount(spec, &name);
    spec.volume_claim_templates.push(claim(&name));
    notes
}

pub(super) fn mounted_template(_: &Loss<'_>, spec: &mut StatefulSetSpec) -> ScriptNotes {
    let Some(template) = spec.volume_claim_templates.first() else {
        return ScriptNotes::NONE;
    };
    let name = template.metadata.name.clone();
    mount(spec, &name)
}

pub(super) fn large_enough(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    each_template(spec, enlarge);
}

pub(super) fn one_node_at_once(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    each_template(spec, |it| it.access_modes = vec!["ReadWriteOnce".to_owned()]);
}

/// Writes `whenScaled: Retain` instead of removing the field: a dropped field is removed only where
/// the applying manager owned it. Source: "Server-Side Apply" in the Kubernetes documentation.
pub(super) fn claims_retained(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    if let Some(policy) = &mut spec.persistent_volume_claim_retention_policy {
        policy.when_scaled = "Retain".to_owned();
    }
}

pub(super) fn default_class(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    each_template(spec, |it| it.storage_class_name = None);
}

pub(super) fn any_volume(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    each_template(spec, |it| it.volume_name.clear());
}

/// Keeps what an earlier start has written.
///
/// What else an edit brings in, the words about the mistake tell.
pub(super) fn kept_at_start(_: &Loss<'_>, spec: &mut StatefulSetSpec) -> ScriptNotes {
    let notes = each_script(&mut spec.template.spec, script::keep_what_is_there);
    let ScriptNotes { has_append, has_no_op, .. } = notes;
    ScriptNotes { has_append, has_no_op, ..ScriptNotes::NONE }
}

pub(super) fn appended_at_stop(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    each_script(&mut spec.template.spec, |script, folders| {
        let text = script::append(script, folders)?;
        Some(EditedScript { text, notes: ScriptNotes::NONE })
    });
}

/// What is not removed any more must not be overwritten either.
pub(super) fn nothing_removed(_: &Loss<'_>, spec: &mut StatefulSetSpec) -> ScriptNotes {
    let notes = each_script(&mut spec.template.spec, |script, folders| {
        let text = script::remove_nothing(script, folders)?;
        Some(EditedScript { text, notes: ScriptNotes::NO_OP })
    });
    notes.and(kept_if_it_changes(spec))
}

/// Keeps what each start would write anew, unless it is the same each time.
pub(super) fn kept_if_it_changes(spec: &mut StatefulSetSpec) -> ScriptNotes {
    each_script(&mut spec.template.spec, script::guard_changing_writes)
}

pub(super) fn any_node(_: &Loss<'_>, spec: &mut StatefulSetSpec) {
    spec.template.spec.node_name.clear();
}

/// The spec as a person writes it: without what the API server fills in and what is not of it.
pub(super) fn as_written(spec: &StatefulSetSpec, replicas: i32) -> StatefulSetSpec {
    let mut spec = spec.clone();
    // The tour asks for others.
    spec.replicas = Some(replicas);
    spec.template_digest.clear();
    spec.update_strategy = Default::default();
    if spec.pod_management_policy == "OrderedReady" {
        spec.pod_management_policy.clear();
    }
    let is_default = |policy: &str| policy.is_empty() || policy == "Retain";
    if let Some(policy) = &mut spec.persistent_volume_claim_retention_policy {
        if is_default(&policy.when_scaled) && is_default(&policy.when_deleted) {
            spec.persistent_volume_claim_retention_policy = None;
        } else if is_default(&policy.when_deleted) {
            policy.when_deleted.clear();
        }
    }
    let pod = &mut spec.template.spec;
    pod.dns_policy.clear();
    pod.termination_grace_period_seconds =
        pod.termination_grace_period_seconds.filter(|it| *it != DEFAULT_GRACE_SECONDS);
    for container in pod.all_containers_mut() {
        for probe in [
            &mut container.readiness_probe,
            &mut container.liveness_probe,
            &mut container.startup_probe,
        ] {
            // What they ask is not recorded.
            *probe = None;
        }
    }
    for template in &mut spec.volume_claim_templates {
        template.status = Default::default();
        let name = std::mem::take(&mut template.metadata.name);
        template.metadata = Metadata { name, ..Metadata::default() };
        if let Some(claim) = &mut template.spec {
            claim.volume_mode.clear();
        }
    }
    spec
}

/// What an object is and should be; without `before` it is a new one.
pub(super) enum Mended {
    Set { before: Box<StatefulSetSpec>, after: Box<StatefulSetSpec> },
    Service { name: String, before: Option<ServiceSpec>, after: ServiceSpec },
}

/// What is wrong with the governing Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServiceFault {
    /// There is none, it is another one, or it is not headless.
    NotHeadless,
    /// It selects other pods, and keeps what else it has.
    Selector,
}

pub(super) fn service(
    fault: ServiceFault,
    timeline: &Timeline,
    before: &StatefulSetSpec,
) -> Vec<Mended> {
    let Some(set) = timeline.set() else { return vec![] };
    let named = |name: &str| Mended::Set {
        before: Box::new(before.clone()),
        after: Box::new(StatefulSetSpec { service_name: name.to_owned(), ..before.clone() }),
    };
    let labels = &before.template.metadata.labels;
    let fitting = timeline.services().find(|it| it.is_headless() && it.spec().selects(labels));
    if let Some(service) = fitting.filter(|it| it.service.metadata.name != before.service_name) {
        return vec![named(&service.service.metadata.name)];
    }
    // The only headless Service is the one that is meant.
    let mut headless = timeline.services().filter(|it| it.is_headless());
    let only = headless.next().filter(|_| headless.next().is_none());
    let only = only.filter(|_| timeline.service(&before.service_name).is_none());
    let name = match (only, before.service_name.as_str()) {
        (Some(only), _) => only.service.metadata.name.as_str(),
        (None, "") => set.name.as_str(),
        (None, name) => name,
    };
    let wanted = ServiceSpec {
        cluster_ip: "None".to_owned(),
        selector: labels.clone(),
        ..ServiceSpec::default()
    };
    let of_service = |before, after| Mended::Service { name: name.to_owned(), before, after };
    let mut mended = vec![];
    match timeline.service(name) {
        None => mended.push(of_service(None, wanted)),
        Some(service) => {
            let mut written = service.spec().clone();
            if written.cluster_ip != "None" {
                written.cluster_ip.clear();
            }
            if written.r#type == "ClusterIP" {
                written.r#type.clear();
            }
            let mut after = written.clone();
            if fault == ServiceFault::NotHeadless {
                after.cluster_ip.clone_from(&wanted.cluster_ip);
                after.r#type.clear();
            }
            if !after.selects(labels) {
                after.selector = wanted.selector;
            }
            mended.push(of_service(Some(written), after));
        }
    }
    if before.service_name != name {
        mended.push(named(name));
    }
    mended
}

/// Replaces volumes that are not a pod's own by claims of the same name.
fn own_claims(is_meant: fn(&Volume) -> bool, spec: &mut StatefulSetSpec) {
    let pod = &spec.template.spec;
    let names: Vec<String> = pod
        .volumes
        .iter()
        .filter(|it| is_meant(it) && pod.uses(&it.name))
        .map(|it| it.name.clone())
        .collect();
    own_claims_named(&names, spec);
}

/// Replaces the volumes of these names by claims.
fn own_claims_named(names: &[String], spec: &mut StatefulSetSpec) {
    spec.template.spec.volumes.retain(|it| !names.contains(&it.name));
    let is_known = |name: &String| {
        spec.volume_claim_templates.iter().any(|template| template.metadata.name == *name)
    };
    let new: Vec<_> = names.iter().filter(|it| !is_known(it)).map(|it| claim(it)).collect();
    spec.volume_claim_templates.extend(new);
}

pub(super) fn claim(name: &str) -> PersistentVolumeClaim {
    let requests = BTreeMap::from([("storage".to_owned(), STORAGE.to_owned())]);
    PersistentVolumeClaim {
        metadata: Metadata { name: name.to_owned(), ..Metadata::default() },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: vec!["ReadWriteOnce".to_owned()],
            resources: Resources { requests, ..Resources::default() },
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

/// Mounts a volume where a script writes, and keeps there what it writes.
fn mount(spec: &mut StatefulSetSpec, name: &str) -> ScriptNotes {
    let containers = &mut spec.template.spec.containers;
    let written = containers.iter().enumerate();
    let mut written = written.filter_map(|(place, it)| Some((place, written_folder(it)?)));
    let (place, written) = written.next().unzip();
    if let Some(container) = containers.get_mut(place.unwrap_or(0)) {
        let mount_path = written.unwrap_or_else(|| free_folder(container));
        container.volume_mounts.push(VolumeMount {
            name: name.to_owned(),
            mount_path,
            ..VolumeMount::default()
        });
    }
    kept_if_it_changes(spec)
}

/// A folder of the container in which no volume is mounted.
pub(super) fn free_folder(container: &Container) -> String {
    let mounts = container.volume_mounts.iter();
    let taken: Vec<&str> = mounts.map(|it| it.mount_path.trim_end_matches('/')).collect();
    free(MOUNT_PATH, &taken)
}

/// A text that is none of those that are taken: the wanted one, if need be with a number behind it.
pub(super) fn free(wanted: &str, taken: &[&str]) -> String {
    let numbered = (2..=taken.len() + 1).map(|it| format!("{wanted}-{it}"));
    let mut all = std::iter::once(wanted.to_owned()).chain(numbered);
    all.find(|it| !taken.contains(&it.as_str())).unwrap_or_else(|| wanted.to_owned())
}

/// The folder that the container's script writes to and in which no volume is mounted.
pub(super) fn written_folder(container: &Container) -> Option<String> {
    folder_where_it(script::written_folder, container)
}

/// What a search finds in the container's script, which is given the folders with a volume.
fn folder_where_it(
    writes: fn(&str, &[&str]) -> Option<String>,
    container: &Container,
) -> Option<String> {
    let mounted: Vec<&str> =
        container.volume_mounts.iter().map(|it| it.mount_path.as_str()).collect();
    writes(own_script(&mut container.clone())?, &mounted)
}

/// A limit that a small program does not reach. A program that used that up would use up more.
fn more_memory(container: &mut Container) {
    const ENOUGH_BYTES: u128 = 256 << 20;
    const ENOUGH: &str = "256Mi";
    if let Some(limit) = container.resources.limits.get_mut("memory")
        && quantity::bytes(limit).is_some_and(|it| it < ENOUGH_BYTES)
    {
        *limit = ENOUGH.to_owned();
    }
}

fn enlarge(claim: &mut PersistentVolumeClaimSpec) {
    let Some(storage) = claim.resources.requests.get_mut("storage") else { return };
    if is_small(storage) {
        *storage = STORAGE.to_owned();
    }
}

/// Whether it is less than the lab asks for.
pub(super) fn is_small(storage: &str) -> bool {
    quantity::bytes(storage).is_some_and(|it| it < lab::LEAST_STORAGE_BYTES)
}

fn each_template(spec: &mut StatefulSetSpec, edit: impl Fn(&mut PersistentVolumeClaimSpec)) {
    spec.volume_claim_templates.iter_mut().filter_map(|it| it.spec.as_mut()).for_each(edit);
}

/// Who writes the pod's name to the first claim, and where.
struct NameWriter {
    /// The container's place.
    place: usize,
    /// The claim's mount.
    mount: VolumeMount,
    /// The line that writes it.
    line: String,
}

fn name_writer(spec: &StatefulSetSpec) -> Option<NameWriter> {
    let templates: Vec<&str> =
        spec.volume_claim_templates.iter().map(|it| it.metadata.name.as_str()).collect();
    let mut containers = spec.template.spec.containers.iter().enumerate();
    let (place, mount) = containers.find_map(|(place, container)| {
        let is_own = |it: &&VolumeMount| templates.contains(&it.name.as_str()) && !it.read_only;
        Some((place, container.volume_mounts.iter().find(is_own)?.clone()))
    })?;
    let file = format!("{}/{OWNER_FILE}", mount.mount_path.trim_end_matches('/'));
    Some(NameWriter { place, mount, line: format!("[ -f {file} ] || hostname > {file}") })
}

/// Lets something be written to the first claim: mounts it where the container writes its pod's name
/// and no volume is mounted, or lets it write that.
pub(super) fn written_to_claim(spec: &mut StatefulSetSpec) -> ScriptNotes {
    if !mount_where_it_writes(spec) {
        return name_written(spec);
    }
    kept_if_it_changes(spec)
}

/// Moves the first claim's mount to the folder that its container's script writes the pod's name to.
/// Whether it did.
fn mount_where_it_writes(spec: &mut StatefulSetSpec) -> bool {
    let Some(NameWriter { place, mount, .. }) = name_writer(spec) else { return false };
    let container = &mut spec.template.spec.containers[place];
    let Some(folder) = folder_where_it(script::folder_of_the_name, container) else {
        return false;
    };
    for it in container.volume_mounts.iter_mut().filter(|it| **it == mount) {
        it.mount_path.clone_from(&folder);
    }
    true
}

/// Lets the container write its pod's name once, or an init container where the program is not a
/// shell script.
pub(super) fn name_written(spec: &mut StatefulSetSpec) -> ScriptNotes {
    let Some(NameWriter { place, mount, line }) = name_writer(spec) else {
        return ScriptNotes::NONE;
    };
    let pod = &mut spec.template.spec;
    let container = &mut pod.containers[place];
    if let Some(script) = own_script(container) {
        *script = if script.contains('\n') {
            format!("{line}\n{script}")
        } else {
            format!("{line}; {script}")
        };
        return ScriptNotes::NONE;
    }
    let writer = Container {
        name: "write-owner".to_owned(),
        image: container.image.clone(),
        command: ["sh", "-c", &line].map(str::to_owned).to_vec(),
        volume_mounts: vec![mount],
        ..Container::default()
    };
    pod.init_containers.push(writer);
    ScriptNotes::NONE
}

/// Edits the shell scripts of all containers, which are given the folders that they mount.
fn each_script(
    pod: &mut PodSpec,
    edit: impl Fn(&str, &[&str]) -> Option<EditedScript>,
) -> ScriptNotes {
    let mut notes = ScriptNotes::NONE;
    for container in pod.all_containers_mut() {
        let folders: Vec<String> =
            container.volume_mounts.iter().map(|it| it.mount_path.clone()).collect();
        let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
        if let Some(script) = own_script(container)
            && let Some(new) = edit(script, &folders)
        {
            *script = new.text;
            notes = notes.and(new.notes);
        }
    }
    notes
}

/// The script of a container whose program is a shell: the word behind `-c`. `None` where not all
/// of it is recorded.
pub(super) fn own_script(container: &mut Container) -> Option<&mut String> {
    let words: Vec<&String> = container.command.iter().chain(&container.args).collect();
    if !runs_a_script(words.first()?, words.get(1)?) {
        return None;
    }
    let count = container.command.len();
    let script = match count {
        0 | 1 => container.args.get_mut(2 - count),
        2 => container.args.first_mut(),
        _ => container.command.get_mut(2),
    }?;
    Some(script).filter(|it| !it.ends_with(CUT) && !it.contains(MASK))
}
