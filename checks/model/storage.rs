//! Storage: whether a pod that came back is on the claims, and finds the content, that were there before.
//!
//! Checks 6 and 10 ask the same questions, of a replaced pod and of a pod that a rise brought back.

use std::cmp::Ordering;

use super::{
    content::{Portrait, Text},
    gallery::{Gallery, Kept},
    lives::{ClaimLife, Incarnation, Noted},
    observation::{Canary, Seq},
    timeline::Timeline,
    verdict::{Standing, Verdict},
    when::When,
};

impl Timeline {
    /// The life of a claim that a pod mounted, as known at a line.
    ///
    /// A claim outlives the pods that mount it, so of several lives it is one that was there while the pod was. Where
    /// claims or pods were told of too late for any to be so, nobody knows which.
    #[must_use]
    pub fn claim_of(&self, pod: &Incarnation, name: &str, seq: Seq) -> Option<&ClaimLife> {
        let lives = self.claim(name);
        if let [only] = lives {
            return Some(only);
        }
        let was_gone = |life: &ClaimLife| life.gone.is_some_and(|gone| pod.added.after.is_some_and(|after| gone.by <= after));
        let is_later = |life: &ClaimLife| pod.gone.is_some_and(|gone| life.added.after.is_some_and(|after| gone.by <= after));
        let mut meanwhile = lives.iter().filter(|life| !was_gone(life) && !is_later(life));
        let first = meanwhile.next()?;
        Some(meanwhile.rfind(|life| life.added.by <= seq).unwrap_or(first))
    }

    /// Adds the criteria of a pod that `new` is the return of: that it came back, in the words of `text`, and if so, to the
    /// same claims with the original content. `next` is the next thing to try where it did not.
    pub(crate) fn judge_return(&self, verdict: &mut Verdict, old: &Incarnation, new: &Incarnation, text: String, next: &str) {
        let Some(standing) = self.coming_back(new, next) else { return };
        let is_back = standing == Standing::Met;
        verdict.push("came_back", text, standing, [old.added.by, new.added.by]);
        if is_back {
            self.judge_kept(verdict, old, new);
        }
    }

    /// Adds the criteria of what a pod keeps: its claims, and the original content on them.
    fn judge_kept(&self, verdict: &mut Verdict, old: &Incarnation, new: &Incarnation) {
        let claims = old.claims();
        if claims.is_empty() {
            let standing = Standing::broken(format!("{} keeps its data on a claim", old.name()), "it mounts no claim: what it wrote went away with the pod");
            verdict
                .push("same_claim", format!("{} is on the claim that it had before", new.name()), standing, [old.added.by, new.added.by])
                .because(self.unclaimed_mistake(old));
            return;
        }
        let mut same = true;
        for (_, claim) in &claims {
            same &= self.judge_claim(verdict, old, new, claim);
        }
        // On another claim the old content cannot be: told once.
        if same {
            self.judge_content(verdict, old, new);
        }
    }

    /// Adds the criterion of one claim; whether the content may be on it, as far as is known.
    fn judge_claim(&self, verdict: &mut Verdict, old: &Incarnation, new: &Incarnation, claim: &str) -> bool {
        let before = old.asked_to_go.or(old.ready).map_or(old.added.by, |when| when.by);
        // A claim outlives the pod that mounts it, so the claim of its last moment is that of its first.
        let after = new.asked_to_go.map_or_else(|| self.last(), |when| when.by);
        let (first, second) = (self.claim_of(old, claim, before), self.claim_of(new, claim, after));
        let mounted = new.claims().iter().any(|(_, it)| it == claim);
        let text = format!("{} is on claim {claim} as before", new.name());
        let expected = || format!("claim {claim}, the same as before");
        let standing = match (first, second) {
            _ if !mounted => Standing::broken(expected(), format!("{} does not mount it any more", new.name())),
            (Some(first), Some(second)) if self.was_deleted_between(old, new, first, second) => Standing::claim_deleted(claim),
            (Some(first), Some(_)) if is_found_later(first, old) => {
                Standing::unseen(format!("claim {claim} was first seen when {} was gone: whether that one had it is not known", old.name()))
            }
            (Some(first), Some(second)) if first.uid() == second.uid() && first.volume() == second.volume() => Standing::Met,
            // A claim outlives the pods that mount it: the old pod was on the second one only if that may have taken the first one's place before.
            (Some(first), Some(second)) if first.gone.is_some_and(|gone| may_precede(gone, old.added.by)) && may_precede(second.added, before) => {
                Standing::unseen(format!("the watch on claims has a gap in which claim {claim} was deleted, before or after {} was added", old.name()))
            }
            (Some(_), Some(second)) => Standing::broken(expected(), format!("a new claim of that name (UID {}), the first one was deleted", second.uid())),
            _ => Standing::unseen(format!("claim {claim} was not seen")),
        };
        let cites = first.into_iter().chain(second).map(|life| life.added.by).chain([new.added.by]);
        let is_unknown = mounted && (first.is_none() || second.is_none());
        let same = standing == Standing::Met || is_unknown;
        verdict.push("same_claim", text, standing, cites).because(self.lost_claim_mistake(new));
        same
    }

    /// Whether somebody may have deleted the claim of `old` before `new` was added, where what is known of the pods' claims
    /// are the lives `first` and `second`.
    fn was_deleted_between(&self, old: &Incarnation, new: &Incarnation, first: &ClaimLife, second: &ClaimLife) -> bool {
        if self.takes_claims_away(old) {
            return false;
        }
        let is_other = first.uid() != second.uid() && first.deleted_by_somebody().is_some();
        // The lives of a name end in their order.
        let lives = self.claim(first.name());
        let after = old.added.after.unwrap_or(0);
        let begin = lives.partition_point(|life| life.gone.is_some_and(|gone| gone.by <= after));
        let meanwhile = lives[begin..].iter().take_while(|life| life.gone.is_some_and(|gone| may_precede(gone, new.added.by)));
        is_other || meanwhile.into_iter().any(|life| life.deleted_by_somebody().is_some())
    }

    /// Whether a pod's claims go by what the submission asks for, when the pod goes or the set is scaled down.
    fn takes_claims_away(&self, pod: &Incarnation) -> bool {
        self.deletes_when_scaled() || pod.spec().volumes.iter().any(|it| it.ephemeral.is_some())
    }

    fn lost_claim_mistake(&self, pod: &Incarnation) -> &'static str {
        if pod.spec().volumes.iter().any(|it| it.ephemeral.is_some()) {
            return "ephemeral_volume";
        }
        if self.deletes_when_scaled() { "when_scaled_delete" } else { "" }
    }

    /// Whether the set asks for its claims to be deleted when it is scaled down.
    #[must_use]
    pub fn deletes_when_scaled(&self) -> bool {
        let policy = self.set().and_then(|set| set.spec.persistent_volume_claim_retention_policy.as_ref());
        policy.is_some_and(|it| it.when_scaled == "Delete")
    }

    /// Why a pod mounts no claim, as a mistake.
    pub(crate) fn unclaimed_mistake(&self, pod: &Incarnation) -> &'static str {
        let spec = pod.spec();
        let mounted = |volume: &str| spec.containers.iter().any(|it| it.volume_mounts.iter().any(|mount| mount.name == volume));
        let uses = |is: fn(&super::object::Volume) -> bool| spec.volumes.iter().any(|volume| is(volume) && mounted(&volume.name));
        if self.set().is_some_and(|set| !set.spec.volume_claim_templates.is_empty()) {
            "not_mounted"
        } else if uses(|it| it.empty_dir.is_some()) {
            "empty_dir"
        } else if uses(|it| it.host_path.is_some()) {
            "host_path"
        } else {
            "no_volume"
        }
    }

    fn judge_content(&self, verdict: &mut Verdict, old: &Incarnation, new: &Incarnation) {
        let text = format!("the content that {} had before is still there", new.name());
        let mut push = |standing, cites: Vec<Seq>| {
            verdict.push("original_content", text.clone(), standing, cites).because(self.rewriting_mistake(old, new));
        };
        let Some(before) = self.portrait(old) else {
            return push(unreadable(self, old, "before"), vec![]);
        };
        let Some(after) = self.portrait(new) else {
            return push(unreadable(self, new, "after it came back"), before.reads);
        };
        let cites: Vec<Seq> = before.reads.iter().chain(&after.reads).copied().collect();
        let gallery = self.gallery_with(before.clone());
        let Some(place) = gallery.portraits.iter().position(|it| it.pod.uid() == old.uid()) else { return };
        let originals = self.originals_of(&gallery, place, old);
        if originals.is_empty() {
            return self.judge_canaries(verdict, old, new, before.hidden > 0, &cites);
        }
        let fates: Vec<(Text<'_>, Kept)> = originals.into_iter().map(|original| (original, gallery.kept(place, &original, &after))).collect();
        if fates.iter().any(|(_, kept)| *kept == Kept::Yes) {
            push(Standing::Met, cites);
        } else if fates.iter().any(|(_, kept)| *kept == Kept::Unseen) {
            push(Standing::unseen(format!("{} files of {} could not be read as text", after.hidden, new.name())), cites);
        } else if let Some((original, _)) = fates.first() {
            let now = after.texts.iter().find(|it| it.path == original.path && it.claim == original.claim);
            let actual = now.map_or_else(|| format!("{} is not there any more", original.path), |now| format!("{}: {}", now.path, excerpt(now.content)));
            push(Standing::broken(format!("{}: {}", original.path, excerpt(original.content)), actual), cites);
        }
    }

    /// Why a file was written over, as a mistake: what was last written before the new pod's containers started was so when the old one's stopped.
    ///
    /// Both times are whole seconds, so what happened within one of them is told by what other pods' files say.
    fn rewriting_mistake(&self, old: &Incarnation, new: &Incarnation) -> &'static str {
        let pairs = || self.replacements().into_iter().chain(self.returns());
        let at_stop = match self.rewritten(old, new) {
            Some(Ordering::Less) => true,
            Some(Ordering::Equal) => pairs().any(|(old, new)| self.rewritten(old, new) == Some(Ordering::Less)),
            _ => false,
        };
        if at_stop { "overwritten_at_stop" } else { "overwritten_at_start" }
    }

    /// When the first file of which nothing was kept was written, beside the first start of the new pod's containers.
    fn rewritten(&self, old: &Incarnation, new: &Incarnation) -> Option<Ordering> {
        let (before, after) = (self.portrait(old)?, self.portrait(new)?);
        let started = new.first_start()?;
        let same = |one: &Text<'_>, other: &Text<'_>| one.path == other.path && one.claim == other.claim;
        let is_new = |now: &Text<'_>| before.texts.iter().any(|it| same(it, now) && !now.content.starts_with(it.content));
        after.texts.iter().filter(|now| is_new(now)).filter_map(|now| now.mtime).map(|mtime| mtime.cmp(&started)).min()
    }

    /// The identity files of the pod at `place`, as first read and as last read in that life.
    fn originals_of<'t>(&'t self, gallery: &Gallery<'t>, place: usize, old: &'t Incarnation) -> Vec<Text<'t>> {
        let last = gallery.identity(place);
        let first = self.first_portrait(old).map(|it| it.texts).unwrap_or_default();
        let earlier = first.into_iter().filter(|text| last.iter().any(|it| it.path == text.path && it.claim == text.claim && it.content != text.content));
        let mut all: Vec<Text<'t>> = earlier.collect();
        all.extend(&last);
        all
    }

    /// The originals of all ordinals, this life in the place of its own ordinal.
    fn gallery_with<'t>(&'t self, own: Portrait<'t>) -> Gallery<'t> {
        let ordinal = own.pod.ordinal;
        let mut portraits: Vec<_> = self.originals().into_iter().filter(|it| it.pod.ordinal != ordinal).collect();
        portraits.push(own);
        portraits.sort_by_key(|it| it.pod.ordinal);
        Gallery::of(self, portraits)
    }

    /// Where no file tells who wrote it, the grader's own file tells whether the volume is the same.
    fn judge_canaries(&self, verdict: &mut Verdict, old: &Incarnation, new: &Incarnation, hidden: bool, cites: &[Seq]) {
        for (_, claim) in old.claims() {
            let wrote = self.canaries.of(&claim).rfind(|it| it.what.pod.uid == old.uid() && it.what.wrote.is_some());
            let earlier = || self.canaries.of(&claim).rfind(|it| it.what.wrote.is_some() && it.seq < new.added.by);
            let Some(wrote) = wrote.or_else(earlier) else {
                let why = if hidden {
                    "no file of it could be read as text, and no canary could be written"
                } else {
                    "it held no content of its own, and no canary could be written"
                };
                verdict.push("original_content", format!("what {} held on claim {claim} is still there", old.name()), Standing::unseen(why), cites.to_vec());
                continue;
            };
            let (standing, seen) = self.canary_back(wrote, new, &claim);
            let cites = [wrote.seq].into_iter().chain(seen);
            verdict.push("canary", format!("the grader's own file on claim {claim} is still there"), standing, cites).because("wiped_at_start");
        }
    }

    fn canary_back(&self, wrote: &Noted<Canary>, new: &Incarnation, claim: &str) -> (Standing, Option<Seq>) {
        let seen = self.canaries.of(claim).rfind(|it| it.what.pod.uid == new.uid() && it.what.saw.is_some());
        let Some(seen) = seen else { return (Standing::unseen(format!("claim {claim} could not be looked at in the new {}", new.name())), None) };
        let back = wrote.what.wrote.iter().all(|token| seen.what.saw.iter().flatten().any(|it| it == token));
        let standing = if back { Standing::Met } else { Standing::broken("the file that the grader wrote before", "it is not there any more") };
        (standing, Some(seen.seq))
    }
}

/// Whether something may have happened before a line, because a gap of its kind was open then.
fn may_precede(when: When, line: Seq) -> bool {
    when.after.is_none_or(|after| after < line)
}

/// Whether a claim was first seen when the pod was gone: it may have been made since.
fn is_found_later(claim: &ClaimLife, pod: &Incarnation) -> bool {
    pod.gone.is_some_and(|gone| gone.by < claim.added.by)
}

fn unreadable(timeline: &Timeline, pod: &Incarnation, when: &str) -> Standing {
    if let Some(crash) = timeline.crash_of(pod) {
        return Standing::Blocked(crash.clone());
    }
    let (why, _) = timeline.why_unread(pod);
    Standing::unseen(format!("{}'s files could not be read {when}: {why}", pod.name()))
}

/// The beginning of a text, on one line.
pub(crate) fn excerpt(text: &str) -> String {
    const MOST: usize = 120;
    let line: Vec<&str> = text.split('\n').map(str::trim_end).filter(|it| !it.is_empty()).collect();
    let joined = line.join(" / ");
    if joined.is_empty() {
        return "(empty)".to_owned();
    }
    if joined.chars().count() <= MOST { joined } else { joined.chars().take(MOST).chain("…".chars()).collect() }
}
