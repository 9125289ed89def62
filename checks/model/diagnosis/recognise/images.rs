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
    let mut names: Vec<String> =
        containers.flat_map(|it| ImageName::of(&it.image).forms()).collect();
    names.sort_by_key(|it| std::cmp::Reverse(it.len()));
    names.iter().fold(words.to_owned(), |words, name| without_name(&words, name))
}

/// The parts of an image's name, as it is written: `registry.example/lab/app:1.2@sha256:8d…`.
struct ImageName<'n> {
    whole: &'n str,
    /// With the registry, where that is written: `registry.example/lab/app`.
    repository: &'n str,
    tag: Option<&'n str>,
    /// `sha256:8d…`.
    digest: Option<&'n str>,
}

impl<'n> ImageName<'n> {
    fn of(whole: &'n str) -> Self {
        let (named, digest) = match whole.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (whole, None),
        };
        // A colon before a slash is that of the registry's port.
        let (repository, tag) = match named.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (named, None),
        };
        Self { whole, repository, tag, digest }
    }

    /// The forms in which registries and runtimes write the name and its parts. A tag alone may be
    /// any number: it is told from others by the word before it.
    fn forms(&self) -> Vec<String> {
        let mut forms = vec![self.whole.to_owned(), self.repository.to_owned()];
        if let Some((registry, path)) = self.repository.split_once('/')
            && (registry.contains(['.', ':']) || registry == "localhost")
        {
            forms.extend([path.to_owned(), registry.to_owned()]);
        }
        // As a part of a URL's query.
        let in_queries =
            forms.iter().filter(|it| it.contains('/')).map(|it| it.replace('/', "%2F"));
        forms.extend(in_queries.collect::<Vec<_>>());
        if let Some(tag) = self.tag {
            forms.extend(
                ["manifest ", "manifests ", "manifests/", ":"].map(|it| format!("{it}{tag}")),
            );
        }
        if let Some(digest) = self.digest {
            let hex = digest.split_once(':').map(|(_, hex)| hex.to_owned());
            forms.extend(hex.into_iter().chain([digest.to_owned()]));
        }
        forms.retain(|it| !it.is_empty());
        forms
    }
}

/// A text with `…` in the place of a name, where that is not part of another one.
fn without_name(text: &str, name: &str) -> String {
    let goes_on = |it: char| it.is_alphanumeric() || "-_".contains(it);
    let begins_within = |front: &str| name.starts_with(goes_on) && front.ends_with(goes_on);
    let (mut out, mut end) = (String::with_capacity(text.len()), 0);
    for (at, _) in text.match_indices(name) {
        let after = at + name.len();
        if begins_within(&text[..at]) || text[after..].starts_with(goes_on) {
            continue;
        }
        out.push_str(&text[end..at]);
        out.push('…');
        end = after;
    }
    out.push_str(&text[end..]);
    out
}

/// Whether a text holds any of these words, which are in lower case, and not within another word or
/// a path.
fn has_any_word(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    let goes_on = |it: char| it.is_alphanumeric() || "-_".contains(it);
    let is_word = |word: &str, at: usize| {
        let (front, back) = (&text[..at], &text[at + word.len()..]);
        let begins = !word.starts_with(goes_on) || !front.ends_with(|it| goes_on(it) || it == '/');
        begins && (!word.ends_with(goes_on) || !back.starts_with(goes_on))
    };
    words.iter().any(|word| text.match_indices(word).any(|(at, _)| is_word(word, at)))
}

/// Words by which a registry, or the way to it, fails, as opposed to the image's name.
fn is_unreachable(words: &str) -> bool {
    const TROUBLE: [&str; 21] = [
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
        // The image is known by then: a part of it was not handed out.
        "httpreadseeker",
    ];
    has_any_word(words, &TROUBLE)
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
    let is_missing = has_any(&said, &MISSING) || is_forbidden(&said);
    (is_missing && !is_unreachable(&said) && !facts.is_outdated()).then(|| matched(words, evidence))
}

/// Whether a registry refuses everybody a token for the image. Docker Hub gives one for a missing
/// image, too: there it is a proxy that refuses, or Docker Hub does not serve the region.
fn is_forbidden(words: &str) -> bool {
    let has = |it| has_any(words, &[it]);
    has("403 forbidden")
        && has("failed to authorize")
        && !has_any(words, &["docker.io", "docker.com"])
}
