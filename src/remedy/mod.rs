//! What to do about a cause: the change in the student's own lines, and the commands to type.
//!
//! Whoever applies the change and types the commands, in order and with nothing else known, wins
//! the points at the next grade.
//!
//! What the words mean:
//! - A repair (`edit::table`) is a way to make edits. Each mistake and each obstacle has its own.
//! - An [edit](manifest::Edit) sets, renames or takes out one value of a document.
//! - Mended (`edit::spec`) is an object before and after, as far as it is recorded.
//! - A [change](change::Change) is the lines of one object that go and come.
//! - A [mending](commands::Mending) is what of a cause decides what is typed.
//! - A [renewal](checks::mistakes::Renewal) is how the mended manifest gets into the cluster.

pub mod change;
pub mod commands;
pub mod edit;
pub mod fields;
pub mod flags;
pub mod manifest;
pub mod script;
#[cfg(test)]
pub(crate) mod testing;

use checks::model::{
    PodLife, Timeline,
    observation::{
        File, Read,
        object::{Container, UpdateStrategy, VolumeMount},
    },
};

use crate::{
    remedy::commands::{CommandFacts, LostFile, Update},
    report::Source,
};

/// What commands about a graded submission are made of, as far as it is harmless in a shell.
#[must_use]
pub fn command_facts(timeline: &Timeline, namespace: &str, source: &Source) -> CommandFacts {
    let mut facts = CommandFacts {
        namespace: harmless(namespace).unwrap_or_else(|| "NAMESPACE".to_owned()),
        files: as_words(&source.files),
        is_by_hand: source.is_by_hand,
        cleanup: source.cleanup,
        replicas: timeline.replicas(),
        start: timeline.start(),
        flags: source.flags.as_shell_words(),
        ..CommandFacts::default()
    };
    let Some(set) = timeline.set() else {
        facts.workloads = timeline.other_workloads().iter().filter_map(|it| workload(it)).collect();
        return facts;
    };
    facts.set = harmless(&set.name);
    facts.service = harmless(&set.spec.service_name);
    facts.claims = timeline
        .ordinals()
        .flat_map(|ordinal| timeline.claim_names(ordinal))
        .filter(|it| timeline.claim(it).last().is_some_and(|life| life.deleted.is_none()))
        .filter_map(|it| harmless(&it))
        .collect();
    facts.pods = timeline
        .ordinals()
        .filter_map(|ordinal| harmless(timeline.live(ordinal)?.name()))
        .collect();
    let policy = set.spec.persistent_volume_claim_retention_policy.as_ref();
    facts.claims_go_with_the_set = policy.is_some_and(|it| it.when_deleted == "Delete");
    facts.claims_go_when_scaled = timeline.deletes_when_scaled();
    facts.claims_stand_for_more = claims_stand_for_more(timeline);
    facts.update = update(&set.spec.update_strategy);
    let templates = &set.spec.volume_claim_templates;
    let is_own =
        |it: &&VolumeMount| templates.iter().any(|template| template.metadata.name == it.name);
    let containers = &set.spec.template.spec.containers;
    let mount = |it: &'_ Container| it.volume_mounts.iter().find(is_own).cloned();
    let writer = containers.iter().find(|it| mount(it).is_some());
    facts.mount_path = writer.and_then(mount).and_then(|it| harmless(&it.mount_path));
    facts.container = writer.and_then(|it| harmless(&it.name));
    facts.has_other_containers = set.spec.template.spec.all_containers().count() > 1;
    facts.has_nslookup = writer.or(containers.first()).is_some_and(|it| has_nslookup(&it.image));
    facts.content = content(timeline, facts.mount_path.as_deref(), is_text);
    facts.written =
        facts.content.clone().or(content(timeline, facts.mount_path.as_deref(), |_| true));
    facts.domain = timeline.asked_names().find_map(domain).and_then(|it| harmless(&it));
    facts
}

/// Whether one of the two pods that are [added](commands::ADDED) to see how the set is scaled would
/// use a claim that was there before the grade.
fn claims_stand_for_more(timeline: &Timeline) -> bool {
    // The least to which it is scaled.
    let own = timeline.replicas().max(1);
    let first = timeline.start().saturating_add(own);
    let stood_before = |name: &String| {
        let life = timeline.claim(name).last().filter(|it| it.deleted.is_none());
        life.is_some_and(|it| it.added.after.is_none())
    };
    let added = first..first.saturating_add(commands::ADDED);
    added.flat_map(|ordinal| timeline.claim_names(ordinal)).any(|it| stood_before(&it))
}

/// The file whose content was lost when its pod was replaced or came back. `None` where no container
/// of the pod has it by a known path.
#[must_use]
pub fn lost_file(timeline: &Timeline) -> Option<LostFile> {
    let (pod, read, file) = timeline.lost_file()?;
    let (container, folder) = place_in(pod, read)?;
    Some(LostFile {
        pod: pod.name().to_owned(),
        container: harmless(container),
        folder: folder.to_owned(),
        file: file.path.clone(),
        is_text: is_text(file),
    })
}

/// The container in which a claim was read, and where that mounts it; for a container of our own,
/// which is gone, the one that mounts the same.
fn place_in<'p>(pod: &'p PodLife, read: &'p Read) -> Option<(&'p str, &'p str)> {
    let mut containers = pod.spec().all_containers();
    if containers.any(|it| it.name == read.container) {
        return Some((&read.container, &read.mount_path));
    }
    let claims = pod.claims();
    let (volume, _) = claims.iter().find(|(_, claim)| *claim == read.claim)?;
    // Our container mounts the whole volume: a `subPath` mount is not the same.
    let is_it = |it: &&VolumeMount| {
        it.name == *volume && it.sub_path.is_empty() && it.sub_path_expr.is_empty()
    };
    pod.spec().containers.iter().find_map(|container| {
        let mount = container.volume_mounts.iter().find(is_it)?;
        Some((container.name.as_str(), mount.mount_path.as_str()))
    })
}

/// Whether a terminal can show a file.
fn is_text(file: &File) -> bool {
    file.without.as_deref() != Some("binary")
}

fn update(strategy: &UpdateStrategy) -> Update {
    if strategy.r#type == "OnDelete" {
        return Update::OnDelete;
    }
    let is_partitioned = strategy.rolling_update.as_ref().is_some_and(|it| it.partition > 0);
    if is_partitioned { Update::Partitioned } else { Update::Rolling }
}

/// The names of files as a shell takes each for one word; none where one cannot be typed.
fn as_words(files: &[String]) -> Vec<String> {
    let words: Option<Vec<String>> = files.iter().map(|it| shell_word(it)).collect();
    words.unwrap_or_default()
}

/// A path as somebody types it: quoted, where a shell would take it for more than a word; `None`
/// where it cannot be typed.
fn shell_word(path: &str) -> Option<String> {
    if let Some(inside) = path.strip_prefix("~/") {
        // A shell replaces `~` only outside quotes.
        return Some(format!("~/{}", shell_word(inside)?));
    }
    // Within single quotes a shell takes all but these quotes as it is.
    let is_quotable = path.chars().all(|c| c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ');
    harmless(path).or_else(|| {
        (!path.is_empty() && !path.starts_with('-') && is_quotable).then(|| quoted(path))
    })
}

/// A path in a command that is printed; another word in place of one that cannot be typed.
#[must_use]
pub fn shell_word_or(path: &str, unknown: &str) -> String {
    shell_word(path).unwrap_or_else(|| unknown.to_owned())
}

/// A text in quotes within which a shell replaces nothing.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `deployment web`, of `Deployment web`.
fn workload(told: &str) -> Option<String> {
    let (kind, name) = told.split_once(' ')?;
    Some(format!("{} {}", harmless(kind)?.to_lowercase(), harmless(name)?))
}

/// `cluster.local`, of `web-0.web.lab.svc.cluster.local.`.
fn domain(name: &str) -> Option<String> {
    let (_, domain) = name.split_once(".svc.")?;
    Some(domain.trim_end_matches('.').to_owned())
}

/// Whether an image is one of those that have an `nslookup`.
fn has_nslookup(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    let name = name.split([':', '@']).next().unwrap_or_default();
    matches!(name, "busybox" | "alpine")
}

/// The first such file that the first pod had on its claim.
fn content(
    timeline: &Timeline,
    mount_path: Option<&str>,
    is_meant: impl Fn(&File) -> bool,
) -> Option<String> {
    let folder = mount_path?;
    let pod = timeline.lane(timeline.start()).last()?;
    let reads = timeline.reads_of(pod.uid());
    let file =
        reads.flat_map(|it| &it.what.files).find(|it| !it.path.starts_with('.') && is_meant(it))?;
    harmless(&format!("{}/{}", folder.trim_end_matches('/'), file.path))
}

/// A text with another name for a pod, wherever that is a word.
fn renamed(text: &str, pod: &str, other: &str) -> String {
    let mut renamed = String::new();
    let mut copied = 0;
    for (at, _) in text.match_indices(pod).filter(|_| !pod.is_empty()) {
        let end = at + pod.len();
        let is_word = !text[..at].ends_with(char::is_alphanumeric)
            && !text[end..].starts_with(char::is_alphanumeric);
        if is_word {
            renamed.push_str(&text[copied..at]);
            renamed.push_str(other);
            copied = end;
        }
    }
    renamed + &text[copied..]
}

/// Whether each shell takes a text for one word, without quotes. zsh replaces a word that begins
/// with `=`.
fn is_plain_word(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/:=,+@%".contains(c);
    !text.is_empty() && !text.starts_with('=') && text.chars().all(is_plain)
}

/// A text that a shell takes for one plain word, and a program for no flag.
#[must_use]
pub fn harmless(text: &str) -> Option<String> {
    (is_plain_word(text) && !text.starts_with('-')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use checks::model::{
        Fact, Observation, Timeline,
        observation::{ObjectChange, Read, object::Object},
    };

    use super::{as_words, place_in, shell_word};

    /// Catches a command that names a container which was added to read a claim, and its path.
    #[test]
    fn what_a_container_of_our_own_read_is_told_by_one_of_the_pod() {
        let place = |mounts: serde_json::Value, container: &str| {
            let pod = serde_json::json!({
                "metadata": {"name": "web-0", "uid": "1"},
                "spec": {
                    "volumes": [
                        {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}},
                    ],
                    "containers": [{"name": "side"}, {"name": "app", "volumeMounts": mounts}],
                },
            });
            let pod = serde_json::from_value(pod).unwrap();
            let timeline = Timeline::of(&[Observation {
                seq: 1,
                at: 1,
                what: Fact::Object(ObjectChange::Listed, Object::Pod(pod)),
            }]);
            let read = Read {
                container: container.to_owned(),
                claim: "data-web-0".to_owned(),
                mount_path: "/read".to_owned(),
                ..Read::default()
            };
            let pod = timeline.unowned_pods().next().unwrap();
            place_in(pod, &read).map(|(container, folder)| format!("{container} {folder}"))
        };
        let whole = serde_json::json!([{"name": "data", "mountPath": "/data"}]);
        let part = serde_json::json!([{"name": "data", "mountPath": "/data", "subPath": "a"}]);
        assert_eq!(place(whole.clone(), "stsgrade-1").as_deref(), Some("app /data"));
        assert_eq!(place(whole, "side").as_deref(), Some("side /read"));
        assert_eq!(place(part, "stsgrade-1"), None);
    }

    /// Catches a path that cannot be pasted, and one that a shell or a terminal takes for more.
    #[test]
    fn files_are_typed_as_a_shell_takes_them() {
        for (path, typed) in [
            ("lab3.yaml", Some("lab3.yaml")),
            ("20/my lab/bad file.yaml", Some("'20/my lab/bad file.yaml'")),
            ("~/lab/übung 3.yaml", Some("~/'lab/übung 3.yaml'")),
            ("/srv/lab3.yaml", Some("/srv/lab3.yaml")),
            ("me@home/a=b,c.yaml", Some("me@home/a=b,c.yaml")),
            ("=a.yaml", Some("'=a.yaml'")),
            ("it's.yaml", Some(r"'it'\''s.yaml'")),
            ("$(x).yaml", Some("'$(x).yaml'")),
            ("a\u{1b}[1m.yaml", None),
            ("-f.yaml", None),
        ] {
            assert_eq!(shell_word(path).as_deref(), typed, "{path}");
        }
        let files = ["a.yaml".to_owned(), "b c.yaml".to_owned()];
        assert_eq!(as_words(&files), ["a.yaml", "'b c.yaml'"]);
    }
}
