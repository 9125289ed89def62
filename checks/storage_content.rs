//! Each pod has written something that tells who it is.

use crate::{
    Check,
    model::{
        Incarnation, Seq, Standing, Timeline, Verdict,
        content::{Gallery, Portrait},
    },
};

pub(crate) const CHECK: Check = Check {
    id: "storage_content",
    test: 4,
    title: "Storage Content",
    asked: "Each pod has unique, identifiable content in its persistent volume that proves which pod wrote it.",
    why: "Only content that names its writer can prove, later, that the right volume came back.",
    remedy: "Let the container write its host name to the claim when it first starts: `[ -f /data/id ] || hostname > /data/id`.",
    see: "kubectl exec SET-0 -n NS -- cat the file, and the same for SET-1 and SET-2",
    points: 10,
    judge,
};

/// Passes when, on each pod's own claim, a file's content or path tells which pod wrote it.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    if timeline.set().is_none() {
        verdict.push("tells_its_pod", "each pod's content tells which pod wrote it", timeline.missing("apply a StatefulSet whose pods write to their claims"), []);
        return verdict;
    }
    let gallery = Gallery::of(timeline, timeline.originals());
    for ordinal in timeline.ordinals() {
        judge_ordinal(timeline, &mut verdict, &gallery, ordinal);
    }
    verdict
}

fn judge_ordinal(timeline: &Timeline, verdict: &mut Verdict, gallery: &Gallery<'_>, ordinal: i32) {
    let id = "tells_its_pod";
    let name = format!("{}-{ordinal}", timeline.set().map_or("", |set| &set.name));
    let text = format!("{name}'s content tells that {name} wrote it");
    let Some(pod) = timeline.representative(ordinal).filter(|pod| pod.ready.is_some()) else {
        verdict.push(id, text, timeline.missing("wait until all pods are Ready"), []);
        return;
    };
    if let Some(mistake) = no_claim_of_its_own(timeline, pod) {
        let standing = Standing::broken(format!("content on {name}'s own claim"), "it has no claim of its own");
        verdict.push(id, text, standing, [pod.added.by]).because(mistake);
        return;
    }
    let Some(place) = gallery.portraits.iter().position(|it| it.pod.ordinal == ordinal) else {
        let why = timeline.unread(pod.uid()).map_or_else(|| "nobody has read its files".to_owned(), |(_, why)| why.to_owned());
        verdict.push(id, text, Standing::unseen(format!("{name}'s files could not be read: {why}")), timeline.unread(pod.uid()).map(|(seq, _)| seq));
        return;
    };
    let portrait = &gallery.portraits[place];
    let (standing, mistake) = if gallery.identity(place).is_empty() { found_nothing(portrait, &name) } else { (Standing::Met, "") };
    let cites: Vec<Seq> = portrait.reads.clone();
    verdict.push(id, text, standing, cites).because(mistake);
}

/// Why a pod has no claim of its own, as a mistake; `None` where it has one.
fn no_claim_of_its_own(timeline: &Timeline, pod: &Incarnation) -> Option<&'static str> {
    let claims = pod.claims();
    if claims.is_empty() {
        return Some(timeline.unclaimed_mistake(pod));
    }
    let others: Vec<String> = timeline.ordinals().filter(|it| *it != pod.ordinal).filter_map(|it| timeline.representative(it)).flat_map(Incarnation::claims).map(|(_, claim)| claim).collect();
    claims.iter().all(|(_, claim)| others.contains(claim)).then_some("shared_claim")
}

fn found_nothing(portrait: &Portrait<'_>, name: &str) -> (Standing, &'static str) {
    if portrait.hidden > 0 {
        return (Standing::unseen(format!("no text tells who wrote it, and {} files could not be read as text", portrait.hidden)), "");
    }
    let expected = format!("a file that holds {name}, or a number that is its ordinal");
    let written: Vec<&str> = portrait.texts.iter().map(|text| text.path).collect();
    if written.is_empty() {
        return (Standing::broken(expected, "the claim holds no file"), "nothing_written");
    }
    (Standing::broken(expected, format!("{}: nothing in it tells this pod from the others", written.join(", "))), "same_content")
}
