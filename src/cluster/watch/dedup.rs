//! What of an object is written: only fields that checks look at, and only what is new.

use std::collections::BTreeMap;

use checks::model::observation::{
    Kind, ObjectChange,
    object::{CUT, Metadata, Object, Pod, StatefulSet},
};
use sha2::{Digest as _, Sha256};

use crate::recording::hexadecimal;

/// The objects of one kind as their last lines showed them, by UID.
pub(crate) struct LastSeen {
    objects: BTreeMap<String, Object>,
    /// Mixed into digests. They serve to compare templates within this recording. Without the secret
    /// nobody can test a guess at what a template holds.
    secret: Option<[u8; 32]>,
}

impl Default for LastSeen {
    fn default() -> Self {
        let mut secret = [0; 32];
        let secret = getrandom::fill(&mut secret).is_ok().then_some(secret);
        Self { objects: BTreeMap::new(), secret }
    }
}

impl LastSeen {
    /// What to write for an object that was seen: nothing, when it says what its line before said.
    ///
    /// The resourceVersion does not count, and neither do fields that are not recorded: most
    /// changes of an object are of those. The spec is left out when it is as in the line before.
    pub(crate) fn what_is_new(
        &mut self,
        change: ObjectChange,
        mut object: Object,
    ) -> Option<Object> {
        remove_unasked(&mut object);
        self.hide_digest(&mut object);
        let uid = object.metadata().uid.clone();
        let mut plain = object.clone();
        metadata_mut(&mut plain).resource_version.clear();
        let before = match change {
            ObjectChange::Deleted => self.objects.remove(&uid),
            _ => self.objects.insert(uid, plain.clone()),
        };
        // A list stands for itself: it may follow a gap.
        if let Some(before) = before.filter(|_| change != ObjectChange::Listed) {
            if change == ObjectChange::Modified && before == plain {
                return None;
            }
            drop_same_spec(&mut object, &before);
        }
        Some(object)
    }

    fn hide_digest(&self, object: &mut Object) {
        let Object::StatefulSet(StatefulSet { spec: Some(spec), .. }) = object else { return };
        spec.template_digest = match &self.secret {
            Some(secret) => digest(&[secret, spec.template_digest.as_bytes()]),
            // Without a secret it could be guessed from.
            None => String::new(),
        };
    }

    /// Forgets what is not in a new list, and gives its UIDs.
    pub(crate) fn vanished(&mut self, listed: &[Object]) -> Vec<String> {
        let there: std::collections::BTreeSet<&str> =
            listed.iter().map(|it| it.metadata().uid.as_str()).collect();
        let deleted: Vec<String> =
            self.objects.keys().filter(|uid| !there.contains(uid.as_str())).cloned().collect();
        for uid in &deleted {
            self.objects.remove(uid);
        }
        deleted
    }
}

/// The annotations by which the volume controller says who made, or is to make, a claim's volume.
/// Others may hold anything.
pub(crate) const PROVISIONER_ANNOTATIONS: [&str; 2] =
    ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"];

/// Removes the fields that no check looks at.
fn remove_unasked(object: &mut Object) {
    let is_claim = object.kind() == Kind::PersistentVolumeClaim;
    metadata_mut(object)
        .annotations
        .retain(|name, _| is_claim && PROVISIONER_ANNOTATIONS.contains(&name.as_str()));
    if !matches!(object.kind(), Kind::Pod | Kind::EndpointSlice | Kind::Service) {
        metadata_mut(object).labels.clear();
    }
    // The template says what its pods run.
    if let Object::Pod(Pod { spec: Some(spec), .. }) = object {
        for container in spec.all_containers_mut() {
            container.keep_sub_path_variables();
            container.command.clear();
            container.args.clear();
        }
    }
    if let Object::StatefulSet(set) = object
        && let Some(spec) = &mut set.spec
    {
        spec.template.metadata.annotations.clear();
        let pod = &mut spec.template.spec;
        for container in pod.all_containers_mut() {
            container.keep_sub_path_variables();
            cut_command(&mut container.command);
            cut_command(&mut container.args);
        }
        for template in &mut spec.volume_claim_templates {
            template.status = Default::default();
            template.metadata.annotations.clear();
        }
    }
}

/// The most that is kept of a container's command, or of its arguments, in bytes.
const MAX_COMMAND_BYTES: usize = 8 << 10;

/// Cuts a command that is too long to be kept, and says so in its last word.
fn cut_command(words: &mut Vec<String>) {
    let mut room = MAX_COMMAND_BYTES;
    for place in 0..words.len() {
        let word = &mut words[place];
        if word.len() <= room {
            room -= word.len();
            continue;
        }
        word.truncate(word.floor_char_boundary(room));
        word.push_str(CUT);
        words.truncate(place + 1);
        return;
    }
}

/// SHA-256 of all parts, in hexadecimal.
pub(crate) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hexadecimal(&hash.finalize())
}

fn drop_same_spec(object: &mut Object, before: &Object) {
    match (object, before) {
        (Object::StatefulSet(it), Object::StatefulSet(before)) if it.spec == before.spec => {
            it.spec = None
        }
        (Object::Pod(it), Object::Pod(before)) if it.spec == before.spec => it.spec = None,
        (Object::PersistentVolumeClaim(it), Object::PersistentVolumeClaim(before))
            if it.spec == before.spec =>
        {
            it.spec = None
        }
        (Object::Service(it), Object::Service(before)) if it.spec == before.spec => it.spec = None,
        _ => {}
    }
}

fn metadata_mut(object: &mut Object) -> &mut Metadata {
    match object {
        Object::StatefulSet(it) => &mut it.metadata,
        Object::Pod(it) => &mut it.metadata,
        Object::PersistentVolumeClaim(it) => &mut it.metadata,
        Object::Service(it) => &mut it.metadata,
        Object::EndpointSlice(it) => &mut it.metadata,
        Object::Event(it) => &mut it.metadata,
    }
}

#[cfg(test)]
mod tests {
    use checks::model::{
        observation::ObjectChange,
        observation::object::{Container, Metadata, Object, Pod, PodSpec, StatefulSet},
    };

    use super::LastSeen;

    fn pod(version: &str, phase: &str, node: &str) -> Object {
        let mut pod = Pod {
            metadata: Metadata {
                uid: "u".to_owned(),
                resource_version: version.to_owned(),
                ..Metadata::default()
            },
            ..Pod::default()
        };
        pod.status.phase = phase.to_owned();
        pod.spec = Some(PodSpec { node_name: node.to_owned(), ..PodSpec::default() });
        Object::Pod(pod)
    }

    fn spec(line: Option<Object>) -> Option<PodSpec> {
        match line {
            Some(Object::Pod(pod)) => pod.spec,
            other => panic!("{other:?}"),
        }
    }

    /// Catches a recording that keeps annotations, which may hold anything (the last-applied
    /// manifest with its variables).
    #[test]
    fn only_the_provisioner_is_kept_of_annotations() {
        let annotations = [
            (super::PROVISIONER_ANNOTATIONS[0], "p"),
            ("kubectl.kubernetes.io/last-applied-configuration", "secret"),
        ];
        let annotations: std::collections::BTreeMap<_, _> =
            annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let metadata = Metadata { annotations, ..Metadata::default() };
        let kept = |object| {
            LastSeen::default()
                .what_is_new(ObjectChange::Added, object)
                .map(|it| it.metadata().annotations.len())
        };
        assert_eq!(
            kept(Object::Pod(Pod { metadata: metadata.clone(), ..Pod::default() })),
            Some(0)
        );
        let claim = checks::model::observation::object::PersistentVolumeClaim {
            metadata,
            ..Default::default()
        };
        assert_eq!(kept(Object::PersistentVolumeClaim(claim)), Some(1));
    }

    /// Catches a spec that is lost (never written after it changed) and one that is written each
    /// time.
    #[test]
    fn a_spec_is_written_when_it_differs_from_the_line_before() {
        let mut known = LastSeen::default();
        assert!(spec(known.what_is_new(ObjectChange::Added, pod("1", "Pending", ""))).is_some());
        assert_eq!(
            spec(known.what_is_new(ObjectChange::Modified, pod("2", "Pending", "node")))
                .unwrap()
                .node_name,
            "node"
        );
        assert!(
            spec(known.what_is_new(ObjectChange::Modified, pod("3", "Running", "node"))).is_none()
        );
        assert!(
            spec(known.what_is_new(ObjectChange::Deleted, pod("4", "Running", "node"))).is_none()
        );
        assert!(
            spec(known.what_is_new(ObjectChange::Added, pod("5", "Running", "node"))).is_some(),
            "a new life begins with its spec"
        );
    }

    /// Catches changes of fields that are not recorded filling the file, and deletions being
    /// swallowed.
    #[test]
    fn what_says_nothing_new_is_not_written() {
        let mut known = LastSeen::default();
        known.what_is_new(ObjectChange::Listed, pod("1", "Running", "node"));
        assert!(known.what_is_new(ObjectChange::Modified, pod("2", "Running", "node")).is_none());
        assert!(known.what_is_new(ObjectChange::Modified, pod("3", "Failed", "node")).is_some());
        assert!(
            known.what_is_new(ObjectChange::Modified, pod("4", "Running", "node")).is_some(),
            "back again is news"
        );
        assert!(known.what_is_new(ObjectChange::Listed, pod("4", "Running", "node")).is_some());
        assert!(known.what_is_new(ObjectChange::Deleted, pod("5", "Running", "node")).is_some());
    }

    /// Catches pods that repeat the template's command on each line, and a set whose command is
    /// lost, or of any length.
    #[test]
    fn commands_are_kept_of_the_template_alone() {
        let runs = |word: &str| PodSpec {
            containers: vec![Container {
                command: vec!["sh".to_owned(), word.to_owned(), "more".to_owned()],
                ..Container::default()
            }],
            ..PodSpec::default()
        };
        let of_set = |word: &str| {
            let mut set = StatefulSet { spec: Some(Default::default()), ..Default::default() };
            set.spec.as_mut().unwrap().template.spec = runs(word);
            match LastSeen::default().what_is_new(ObjectChange::Added, Object::StatefulSet(set)) {
                Some(Object::StatefulSet(set)) => {
                    set.spec.unwrap().template.spec.containers[0].command.clone()
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of_set("-c"), ["sh", "-c", "more"]);
        let long = of_set(&"é".repeat(super::MAX_COMMAND_BYTES));
        assert!(long.len() == 2 && long[1].ends_with("é…"), "{long:?}");
        assert!(long[1].len() <= super::MAX_COMMAND_BYTES + 4);
        let pod = Pod { spec: Some(runs("-c")), ..Pod::default() };
        let kept =
            spec(LastSeen::default().what_is_new(ObjectChange::Added, Object::Pod(pod))).unwrap();
        assert!(kept.containers[0].command.is_empty());
    }

    #[test]
    fn what_a_new_list_lacks_has_vanished_once() {
        let mut known = LastSeen::default();
        known.what_is_new(ObjectChange::Listed, pod("1", "Running", "node"));
        assert_eq!(known.vanished(&[pod("9", "x", "")]), Vec::<String>::new());
        assert_eq!(known.vanished(&[]), ["u"]);
        assert_eq!(known.vanished(&[]), Vec::<String>::new());
    }
}
