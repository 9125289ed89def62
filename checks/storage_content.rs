//! Each pod has written something that tells who it is.

use crate::mistakes::{self, Mistake};
use crate::{
    Check,
    mistakes::Section,
    model::{
        PodLife, Seq, ShownBy, Standing, Timeline, Verdict,
        diagnosis::speaks_of_denial,
        evidence::{
            content::{Contents, EarlierLife, PodFiles, Text, Writer},
            reattachment::{MAX_OF_TWO_CHARS, excerpt, excerpt_of},
        },
        observation::{NANOS_PER_SECOND, object::Container},
    },
};

pub(crate) const CHECK: Check = Check {
    id: "storage_content",
    test: 4,
    title: "Storage Content",
    lab_words: "Each pod has unique, identifiable content in its persistent volume that proves \
        which pod wrote it.",
    why: "Only content that names its writer can prove, later, that the right volume came back.",
    remedy: "Let the container write its host name to the PVC when it first starts: `[ -f \
        /data/id ] || hostname > /data/id`.",
    read: &[Section::PersistentStorage],
    points: 10,
    criteria: &["tells_its_pod"],
    shown_by: ShownBy::ReadyPods,
    judge,
};

/// Passes when, on each pod's own claim, a file's content or path tells which pod wrote it.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    if timeline.ordinals().is_empty() {
        verdict.push(
            "tells_its_pod",
            "each pod's content tells which pod wrote it",
            timeline.blocked_or_not_shown("apply a StatefulSet whose pods write to their PVCs"),
            [],
        );
        return verdict;
    }
    let contents = Contents::of(timeline);
    for ordinal in timeline.ordinals() {
        judge_ordinal(timeline, &mut verdict, &contents, ordinal);
    }
    verdict
}

/// The criterion about a pod, in words.
fn criterion_text(name: &str) -> String {
    format!("a file on {name}'s PVC tells that {name} wrote it")
}

fn judge_ordinal(
    timeline: &Timeline,
    verdict: &mut Verdict,
    contents: &Contents<'_>,
    ordinal: i32,
) {
    let id = "tells_its_pod";
    let name = timeline.pod_name(ordinal);
    let text = criterion_text(&name);
    let Some(pod) = timeline.representative(ordinal).filter(|pod| pod.ready.is_some()) else {
        verdict.push(id, text, timeline.blocked_or_not_shown("wait until all pods are Ready"), []);
        return;
    };
    if let Some(mistake) = no_claim_of_its_own(timeline, pod) {
        let standing =
            Standing::broken(format!("content on {name}'s own PVC"), "it has no PVC of its own");
        verdict.push(id, text, standing, [pod.added.by]).because(mistake);
        return;
    }
    if let Some(refused) = may_not_write(timeline, contents, pod) {
        verdict.push(id, text, refused.standing, [refused.seen]).because(refused.mistake);
        return;
    }
    let Some(pod_files) = contents.pod_files(ordinal) else {
        let (unread, seen) = timeline.standing_of_unread(pod, "");
        let standing = match timeline.blocking() {
            Some(obstacle) if timeline.unread(pod.uid()).is_none() => Standing::Blocked(obstacle),
            _ => unread,
        };
        verdict.push(id, text, standing, seen);
        return;
    };
    let (standing, mistake) = standing_of_writer(timeline, contents, pod_files, &name);
    let tells_nothing = [&mistakes::SAME_CONTENT, &mistakes::TELLS_NO_POD];
    let mistake = if mistake.is_some_and(|it| tells_nothing.contains(&it)) {
        of_the_claims(timeline, contents, pod).or(mistake)
    } else {
        mistake
    };
    let evidence: Vec<Seq> = pod_files.reads.clone();
    verdict.push(id, text, standing, evidence).because(mistake);
}

/// How a pod stands whose files were read, by what they tell of their writer.
fn standing_of_writer(
    timeline: &Timeline,
    contents: &Contents<'_>,
    pod_files: &PodFiles<'_>,
    name: &str,
) -> (Standing, Option<&'static Mistake>) {
    let ordinal = pod_files.pod.ordinal;
    let unsure = |why: &str| {
        (Standing::unseen(format!("whether {name} wrote it cannot be told: {why}")), None)
    };
    match contents.writer(ordinal) {
        Writer::Known => return (Standing::Met, None),
        Writer::Unsure(why) => return unsure(why),
        Writer::Unknown => {}
    }
    match contents.earlier_life(ordinal) {
        EarlierLife::Named => return (Standing::Met, None),
        EarlierLife::Perhaps => {
            return unsure(
                "it holds an address or a UID that no pod has now, and no pod on a new PVC shows \
                what a start writes",
            );
        }
        EarlierLife::None => {}
    }
    match looked_too_early(timeline, pod_files, ordinal) {
        Some(why) => (Standing::unseen(format!("{name}'s PVC holds no file yet: {why}")), None),
        None => found_nothing(contents, pod_files, name),
    }
}

/// That a pod may not write, and who is to blame.
struct Refused {
    standing: Standing,
    mistake: Option<&'static Mistake>,
    seen: Seq,
}

/// Whether a pod without content may not write to its claims: the grader's own file could not be
/// written from its container either.
fn may_not_write(timeline: &Timeline, contents: &Contents<'_>, pod: &PodLife) -> Option<Refused> {
    let has_content = |it: &PodFiles<'_>| !it.texts.is_empty() || it.hidden().count() > 0;
    if contents.pod_files(pod.ordinal).is_some_and(has_content) {
        return None;
    }
    let canaries = || timeline.canaries.iter().filter(|it| it.what.pod.uid == pod.uid());
    if canaries().any(|it| it.what.wrote.is_some()) {
        return None;
    }
    let (seen, error) = canaries().find_map(|it| {
        let error = it.what.error.as_deref().filter(|it| speaks_of_denial(it))?;
        Some((it.seq, error))
    })?;
    let (spec, name) = (pod.spec(), pod.name());
    // Where the image says which user it is, nobody knows.
    let is_another = |it: &Container| spec.user_of(&it.name).is_some_and(|user| user != 0);
    let (standing, mistake) = match spec.fs_group() {
        Some(group) => {
            let why = format!(
                "{name} may not write to its PVC ({error}): its volumes were to belong to group \
                {group} (fsGroup), and the cluster's storage does not do that"
            );
            (Standing::unseen(why), None)
        }
        None if !spec.containers.iter().any(is_another) => return None,
        None => {
            let actual = format!("its container may not write to the PVC: {error}");
            let expected = format!("a file of {name}'s own");
            (Standing::broken(expected, actual), Some(&mistakes::NO_FS_GROUP))
        }
    };
    Some(Refused { standing, mistake, seen })
}

/// Why content tells no pod though the template may write its name.
fn of_the_claims(
    timeline: &Timeline,
    contents: &Contents<'_>,
    pod: &PodLife,
) -> Option<&'static Mistake> {
    // Where the claims lie on one storage, every pod writes its name, and all names are everywhere.
    let is_shared = |claim: &str| {
        timeline.foreign_canary(pod.name(), claim).is_some_and(|it| it.is_surely_one_file)
    };
    if pod.claims().iter().any(|(_, claim)| is_shared(claim)) {
        return Some(&mistakes::SHARED_STORAGE);
    }
    // What is on a claim that is older than the template may be of an earlier one.
    let told_on_a_new_claim = || {
        contents
            .read_pods()
            .any(|it| has_newer_claims(timeline, it) && contents.writer(it.ordinal).is_known())
    };
    (!has_newer_claims(timeline, pod) && told_on_a_new_claim())
        .then_some(&mistakes::EARLIER_CONTENT)
}

/// Whether each claim of a pod was made after the set's template was last changed.
fn has_newer_claims(timeline: &Timeline, pod: &PodLife) -> bool {
    let Some(set) = timeline.set() else { return false };
    let is_newer = |claim: &str| {
        let life = timeline.claim(claim).last();
        life.is_some_and(|it| it.added.after.is_some() && it.added.by > set.changed.by)
    };
    pod.claims().iter().all(|(_, claim)| is_newer(claim))
}

/// Why a pod has no claim of its own, as a mistake; `None` where it has one.
fn no_claim_of_its_own(timeline: &Timeline, pod: &PodLife) -> Option<&'static Mistake> {
    let claims = pod.claims();
    if claims.is_empty() {
        return Some(timeline.unclaimed_mistake(pod));
    }
    let others: Vec<String> = timeline
        .ordinals()
        .filter(|it| *it != pod.ordinal)
        .filter_map(|it| timeline.representative(it))
        .flat_map(PodLife::claims)
        .map(|(_, claim)| claim)
        .collect();
    claims.iter().all(|(_, claim)| others.contains(claim)).then_some(&mistakes::SHARED_CLAIM)
}

/// Why an empty claim accuses nobody: others wrote later after their start than it was looked at.
fn looked_too_early(timeline: &Timeline, pod_files: &PodFiles<'_>, ordinal: i32) -> Option<String> {
    if !pod_files.texts.is_empty() || pod_files.hidden().count() > 0 {
        return None;
    }
    let (late, looked) = (timeline.late_writing()?, timeline.latest_look(ordinal));
    let (late_seconds, looked_seconds) =
        (late.div_ceil(NANOS_PER_SECOND), looked / NANOS_PER_SECOND);
    (looked < late).then(|| {
        format!(
            "it was looked at for {looked_seconds} s after the container's start, and others \
             write after {late_seconds} s"
        )
    })
}

fn found_nothing(
    contents: &Contents<'_>,
    pod_files: &PodFiles<'_>,
    name: &str,
) -> (Standing, Option<&'static Mistake>) {
    let hidden = pod_files.hidden();
    if hidden.count() > 0 {
        let why = format!("no text tells who wrote it, and {}", hidden.in_words(None));
        return (Standing::unread(why, Some(hidden.reason())), None);
    }
    let expected = criterion_text(name);
    let (folders, files): (Vec<&Text<'_>>, Vec<&Text<'_>>) =
        pod_files.texts.iter().partition(|it| it.path.ends_with('/'));
    let Some(first) = files.first() else {
        let folders: Vec<&str> = folders.iter().map(|it| it.path).collect();
        let actual = if folders.is_empty() {
            "the PVC holds no file".to_owned()
        } else {
            format!("the PVC holds only empty folders: {}", excerpt(&folders.join(", ")))
        };
        return (Standing::broken(expected, actual), Some(&mistakes::NOTHING_WRITTEN));
    };
    let differs = contents.other_text(pod_files.pod.ordinal, &files);
    let Some((own, other, theirs)) = differs else {
        let actual = format!("{} holds \"{}\"", first.path, excerpt(first.content));
        let (mistake, actual) = if contents.are_alike() {
            (&mistakes::SAME_CONTENT, format!("{actual} on each pod"))
        } else {
            let more = "; nothing in it tells this pod from the others";
            (&mistakes::TELLS_NO_POD, format!("{actual}{more}"))
        };
        return (Standing::broken(expected, actual), Some(mistake));
    };
    let shown = |it: &Text<'_>| excerpt_of(it.content, MAX_OF_TWO_CHARS);
    let actual =
        format!("{} holds \"{}\"; that of {other}: \"{}\"", own.path, shown(own), shown(theirs));
    (Standing::broken(expected, actual), Some(&mistakes::TELLS_NO_POD))
}

#[cfg(test)]
mod tests;
