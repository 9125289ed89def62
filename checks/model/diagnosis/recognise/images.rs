//! Images that a node does not get: whose fault that is, by what the kubelet says of the pull.

use crate::model::diagnosis::recognise::{has_any, is_creating, matched};
use crate::model::{
    diagnosis::{Match, facts::OrdinalFacts},
    observation::{Seq, object::ContainerStatus},
    timeline::lives::PodLife,
};

/// The container that waits for an image which could not be pulled.
pub(super) fn waits_for_image<'t>(facts: &OrdinalFacts<'t>) -> Option<&'t ContainerStatus> {
    const PULL: [&str; 6] = [
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
    ];
    let waits = |it: &&ContainerStatus| {
        it.state.waiting.as_ref().is_some_and(|it| PULL.contains(&it.reason.as_str()))
    };
    facts.statuses().find(waits)
}

/// The words with which a container waits for its image, and what the events say of the pull.
fn pull_trouble(facts: &OrdinalFacts<'_>) -> Option<(String, Vec<Seq>)> {
    let pod = facts.pod?;
    let waiting = waits_for_image(facts)?.state.waiting.as_ref()?;
    let event = facts.warning(|reason, message| reason == "Failed" && message.contains("pull"));
    let said = event.map_or("", |(_, _, message)| message);
    // One of the two may hold the registry's words, and the other only that the kubelet backs off:
    // the longer text tells more.
    let words = if waiting.message.len() > said.len() { &waiting.message } else { said };
    Some((
        format!("{}: {words}", waiting.reason),
        event.map(|(seq, ..)| seq).into_iter().chain([pod.added.by]).collect(),
    ))
}

/// The words without the images' own names, which may hold any word.
fn without_image_names(words: &str, pod: &PodLife) -> String {
    let containers = pod.spec().containers.iter().chain(&pod.spec().init_containers);
    let images = containers.map(|it| it.image.as_str()).filter(|it| !it.is_empty());
    images.fold(words.to_owned(), |words, image| words.replace(image, "…"))
}

/// Words by which a registry, or the way to it, fails, as opposed to the image's name.
fn is_unreachable(words: &str) -> bool {
    const TROUBLE: [&str; 20] = [
        "429",
        "toomanyrequests",
        "too many requests",
        "timeout",
        "timed out",
        "deadline exceeded",
        "refused",
        "no such host",
        "x509",
        "tls:",
        ": 500 ",
        ": 502",
        ": 503",
        ": 504",
        "connection reset",
        "server misbehaving",
        "unreachable",
        "eof",
        "internal server error",
        "network is",
    ];
    has_any(words, &TROUBLE)
}

/// The registry does not answer, or not with what it has: the kubelet's last word is that it pulls,
/// or the words of the pull are those of a network or of a server in trouble.
pub(crate) fn image_unreachable(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let pod = facts.pod?;
    if let Some((seq, message)) = facts.pulling().filter(|_| is_creating(facts)) {
        return Some(matched(
            format!("{message}: the registry has not answered yet"),
            [seq, pod.added.by],
        ));
    }
    let (words, evidence) = pull_trouble(facts)?;
    is_unreachable(&without_image_names(&words, pod)).then(|| matched(words, evidence))
}

/// No registry is asked for what is no name of an image.
pub(crate) fn image_name_invalid(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (words, evidence) = pull_trouble(facts)?;
    let said = without_image_names(&words, facts.pod?);
    let is_invalid = words.starts_with("InvalidImageName")
        || has_any(&said, &["invalid reference format", "couldn't parse image"]);
    (is_invalid && !facts.is_outdated()).then(|| matched(words, evidence))
}

/// No registry is asked where the template forbids it.
pub(crate) fn image_never_pulled(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let (words, evidence) = pull_trouble(facts)?;
    (words.starts_with("ErrImageNeverPull") && !facts.is_outdated())
        .then(|| matched(words, evidence))
}

/// The registry answers that it has no such image, none for the node's platform, or none that may
/// be pulled so. What may be trouble on the way to it is [`image_unreachable`].
pub(crate) fn image_missing(facts: &OrdinalFacts<'_>) -> Option<Match> {
    const MISSING: [&str; 10] = [
        "not found",
        "manifest unknown",
        "denied",
        "repository does not exist",
        "insufficient_scope",
        "unauthorized",
        "no match for platform",
        "no matching manifest",
        "name unknown",
        "failed to apply default image tag",
    ];
    let (words, evidence) = pull_trouble(facts)?;
    let said = without_image_names(&words, facts.pod?);
    // With the submission may come what a private registry asks for.
    (has_any(&said, &MISSING) && !is_unreachable(&said) && !facts.is_outdated())
        .then(|| matched(words, evidence))
}
