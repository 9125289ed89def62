//! What is said of a pod's claims that are not Bound, and of volumes that are not mounted.

use crate::model::{
    diagnosis::{
        Match,
        facts::{OrdinalFacts, Pending},
        recognise::{has_any, is_creating, matched},
    },
    timeline::lives::claim_name,
};

/// The first pending claim of which `see` says something.
fn pending(
    facts: &OrdinalFacts<'_>,
    see: impl Fn(&Pending<'_>) -> Option<String>,
) -> Option<Match> {
    facts.pending_claims().find_map(|it| {
        let why = see(&it)?;
        Some(matched(why, it.evidence))
    })
}

/// A claim that stood before the set asked for it: a claim cannot be changed, so it says nothing of
/// the template as it is now. While its volume is on the way, it may serve all the same. One that the
/// submission itself holds is judged by what it asks for.
pub(crate) fn claim_differs(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let templates = &facts.timeline.set()?.spec.volume_claim_templates;
    pending(facts, |it| {
        if it.is_on_its_way && !facts.step_time.is_over() {
            return None;
        }
        let name = &it.claim.metadata.name;
        if facts.is_in_the_manifests(&format!("persistentvolumeclaim/{name}")) {
            return None;
        }
        let template =
            templates.iter().find(|template| *name == claim_name(template, pod.name()))?;
        let (wanted, claim) = (template.spec.as_ref()?, it.claim.spec.as_ref()?);
        let class =
            match (wanted.storage_class_name.as_deref(), claim.storage_class_name.as_deref()) {
                (Some(wanted), found) => found != Some(wanted),
                // The API server writes the default class into a claim that names none, and that
                // class exists.
                (None, Some(found)) => found.is_empty() || is_class_missing(facts, found, &it.said),
                (None, None) => false,
            };
        let other = [
            ("storageClassName", class),
            ("accessModes", wanted.access_modes != claim.access_modes),
            ("resources", wanted.resources != claim.resources),
        ];
        let fields: Vec<&str> =
            other.iter().filter(|(_, differs)| *differs).map(|(field, _)| *field).collect();
        let command = format!("kubectl delete pvc {name} -n {}", facts.timeline.namespace());
        (!fields.is_empty()).then(|| {
            format!(
                "PVC {name} was made before, with another {}; `{command}` lets it be made anew",
                fields.join(" and ")
            )
        })
    })
}

/// Whether a StorageClass is not among those that were listed; where none were listed, whether the
/// claim's Events say that it was not found.
fn is_class_missing(facts: &OrdinalFacts<'_>, class: &str, said: &str) -> bool {
    let known_missing = facts
        .timeline
        .storage_classes()
        .is_some_and(|classes| classes.iter().all(|it| it.name != class));
    known_missing || said.contains("storageclass") && said.contains("not found")
}

/// The claim names a StorageClass that does not exist.
pub(crate) fn class_missing(facts: &OrdinalFacts<'_>) -> Option<Match> {
    pending(facts, |pending| {
        let class = pending
            .claim
            .spec
            .as_ref()?
            .storage_class_name
            .as_deref()
            .filter(|name| !name.is_empty())?;
        is_class_missing(facts, class, &pending.said).then(|| {
            format!(
                "PVC {} names StorageClass {class:?}, which does not exist: {}",
                pending.claim.metadata.name, pending.said
            )
        })
    })
}

/// The claim asks for no StorageClass (`storageClassName: ""`), and no volume made by hand fits; in
/// the words of the volume controller.
pub(crate) fn class_none(facts: &OrdinalFacts<'_>) -> Option<Match> {
    pending(facts, |pending| {
        let none = pending.claim.spec.as_ref()?.storage_class_name.as_deref() == Some("");
        (none && pending.said.contains("no storage class is set"))
            .then(|| format!("PVC {}: {}", pending.claim.metadata.name, pending.said))
    })
}

/// The claim leaves the StorageClass to the cluster, and the cluster has no default one; in the
/// words of the volume controller.
pub(crate) fn no_default_class(facts: &OrdinalFacts<'_>) -> Option<Match> {
    pending(facts, |pending| {
        let unnamed = pending.claim.spec.as_ref()?.storage_class_name.is_none();
        (unnamed && pending.said.contains("no storage class is set")).then(|| {
            format!(
                "PVC {} names no StorageClass and the cluster has no default one: {}",
                pending.claim.metadata.name, pending.said
            )
        })
    })
}

/// The claim asks for an access mode for many nodes or pods, and the provisioner's words refuse
/// that.
pub(crate) fn wrong_access_mode(facts: &OrdinalFacts<'_>) -> Option<Match> {
    const WORDS: [&str; 5] =
        ["access mode", "accessmode", "multi_node", "readwritemany", "readonlymany"];
    pending(facts, |pending| {
        let modes = &pending.claim.spec.as_ref()?.access_modes;
        let many = modes.iter().any(|mode| mode.ends_with("Many"));
        (many && has_any(&pending.said, &WORDS)).then(|| {
            format!(
                "PVC {} asks for {}: {}",
                pending.claim.metadata.name,
                modes.join(", "),
                pending.said
            )
        })
    })
}

/// A claim that was created for a volume by name, and does not get it.
///
/// `kubectl get -o yaml` shows a claim with the name of its own volume: a copy of that text asks
/// for the same volume.
pub(crate) fn volume_missing(facts: &OrdinalFacts<'_>) -> Option<Match> {
    pending(facts, |pending| {
        let waits = pending.claim.status.phase != "Lost" && !facts.step_time.is_over();
        let volume = pending.claim.spec.as_ref().map_or("", |spec| &spec.volume_name);
        let told =
            if pending.said.is_empty() { "no such volume is free for it" } else { &pending.said };
        (pending.names_its_volume && !waits).then(|| {
            format!(
                "PVC {} names volume {volume} and is {}: {told}",
                pending.claim.metadata.name, pending.claim.status.phase
            )
        })
    })
}

/// The volume that the claim was bound to does not exist any more: its phase is `Lost`.
pub(crate) fn volume_lost(facts: &OrdinalFacts<'_>) -> Option<Match> {
    pending(facts, |pending| {
        (pending.claim.status.phase == "Lost")
            .then(|| format!("PVC {} is Lost: {}", pending.claim.metadata.name, pending.said))
    })
}

/// What a template may ask of a claim, and provisioners do not give.
pub(crate) fn claim_impossible(facts: &OrdinalFacts<'_>) -> Option<Match> {
    const WORDS: [&str; 4] = [
        "selector is not supported",
        "not support block volume",
        "block volumes are not supported",
        "volumemode",
    ];
    pending(facts, |it| {
        has_any(&it.said, &WORDS).then(|| format!("PVC {}: {}", it.claim.metadata.name, it.said))
    })
}

/// A claim that neither the set nor an ephemeral volume makes, and that nobody has made.
pub(crate) fn claim_missing(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    let message = facts.unschedulable().filter(|it| {
        it.contains("persistentvolumeclaim") && it.contains("not found") && !facts.is_outdated()
    })?;
    let named = pod
        .spec()
        .volumes
        .iter()
        .filter_map(|it| it.persistent_volume_claim.as_ref())
        .map(|it| it.claim_name.as_str());
    let made = |claim: &str| {
        let set = facts.timeline.set();
        set.is_some_and(|set| set.claim_names(pod.name()).any(|it| it == claim))
    };
    named
        .filter(|it| !made(it))
        .find(|it| message.contains(&format!("\"{it}\"")) && facts.timeline.claim(it).is_empty())?;
    Some(matched(message, [pod.added.by]))
}

/// The claim is not Bound for any other reason. One that waits for its pod to be scheduled is left
/// out.
pub(crate) fn claim_pending(facts: &OrdinalFacts<'_>) -> Option<Match> {
    const NORMAL: [&str; 2] = ["waiting for first consumer", "to be scheduled"];
    pending(facts, |it| {
        let told = if it.said.is_empty() { "nothing is said of why" } else { &it.said };
        (!has_any(&it.said, &NORMAL))
            .then(|| format!("PVC {} is {}: {told}", it.claim.metadata.name, it.claim.status.phase))
    })
}

/// The kubelet or the attach controller reports that a volume could not be attached or mounted, and
/// the containers still wait for it.
pub(crate) fn volume_not_mounted(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (seq, reason, message) = facts
        .warning(|reason, _| matches!(reason, "FailedMount" | "FailedAttachVolume"))
        .filter(|_| is_creating(facts))?;
    Some(matched(format!("{reason}: {message}"), [seq]))
}
