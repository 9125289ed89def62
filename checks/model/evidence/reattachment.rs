//! Reattachment: what tests 6 and 10 ask of a pod that came back, replaced or brought back by a
//! scale-up: whether it is on the claims, and finds the content, that were there before.

use crate::mistakes::{self, Mistake};
use crate::model::{
    evidence::{
        content::{Contents, Fate},
        rewriting::Rewriting,
    },
    observation::{
        CanaryVisit, Kind, Seq,
        object::Volume,
        when::{Truth, When},
    },
    timeline::{
        Timeline,
        lives::{ClaimLife, PodLife, Recorded},
    },
    verdict::{PodEpisode, Standing, Verdict},
};

/// The id of the criterion that the content is the original.
const ORIGINAL_CONTENT: &str = "original_content";

impl Timeline {
    /// The life of a claim that a pod mounted, as known at a line.
    ///
    /// A claim outlives the pods that mount it, so of several lives it is one that was there while
    /// the pod was. Where the lines about claims or pods came too late for that, it is not known
    /// which.
    #[must_use]
    pub fn claim_of(&self, pod: &PodLife, name: &str, seq: Seq) -> Option<&ClaimLife> {
        let lives = self.claim(name);
        if let [only] = lives {
            return Some(only);
        }
        let was_gone = |life: &ClaimLife| {
            life.deleted
                .is_some_and(|deleted| pod.added.after.is_some_and(|after| deleted.by <= after))
        };
        let is_later = |life: &ClaimLife| {
            pod.deleted
                .is_some_and(|deleted| life.added.after.is_some_and(|after| deleted.by <= after))
        };
        let mut meanwhile = lives.iter().filter(|life| !was_gone(life) && !is_later(life));
        let first = meanwhile.next()?;
        Some(meanwhile.rfind(|life| life.added.by <= seq).unwrap_or(first))
    }

    /// The life of a claim that a pod mounted, as known when the pod's deletion was requested,
    /// or now.
    pub(crate) fn mounted_claim(&self, pod: &PodLife, name: &str) -> Option<&ClaimLife> {
        let last = pod.deletion_requested.map_or_else(|| self.last(), |when| when.by);
        self.claim_of(pod, name, last)
    }

    /// What a pod that came back shows: `old` went, `new` came.
    ///
    /// The criteria are that it came back, in the words of `text`, and if so, to the same claims with
    /// the original content. `next` is the next thing to try where it did not.
    pub(crate) fn judge_successor<'t>(
        &'t self,
        contents: &Contents<'t>,
        (old, new): (&'t PodLife, &'t PodLife),
        text: String,
        next: &str,
    ) -> PodEpisode {
        let mut pod_episode = PodEpisode {
            came_back: Some(new.uid().to_owned()),
            ordinal: new.ordinal,
            episode_line: Some(new.added.by),
            ..PodEpisode::default()
        };
        let Some(standing) = self.coming_back(new, next) else { return pod_episode };
        let is_back = standing == Standing::Met;
        pod_episode.verdict.push("came_back", text, standing, [old.added.by, new.added.by]);
        if is_back {
            self.judge_kept(&mut pod_episode.verdict, contents, old, new);
            let mut all = pod_episode.verdict.criteria.iter();
            let shows_no_loss =
                all.all(|it| it.id == ORIGINAL_CONTENT || it.standing == Standing::Met);
            pod_episode.is_unread =
                shows_no_loss && [old, new].into_iter().any(|it| self.had_to_go_unread(it));
            pod_episode.hidden_by_deleted_claims = self.hidden_by_deleted_claims(old, new);
        }
        pod_episode
    }

    /// Whether a pod that came back shows nothing because somebody was seen to delete all its
    /// claims, and no loss can be hidden by that: the pod before it was read, and no other one
    /// came between the two.
    fn hidden_by_deleted_claims(&self, old: &PodLife, new: &PodLife) -> bool {
        let follows = self.place(old).is_some_and(|place| self.place(new) == Some(place + 1));
        let claims = old.claims();
        let mut names = claims.iter().map(|(_, name)| name);
        follows
            && self.was_read(old)
            && !claims.is_empty()
            && names.all(|name| self.is_seen_to_be_deleted(old, new, name))
    }

    /// Whether somebody was seen to delete a claim of `old`, after which `new` mounts another.
    fn is_seen_to_be_deleted(&self, old: &PodLife, new: &PodLife, claim: &str) -> bool {
        let first = self.claim_of(old, claim, last_shown(old));
        let Some((first, second)) = first.zip(self.mounted_claim(new, claim)) else { return false };
        let is_mounted = new.claims().iter().any(|(_, it)| it == claim);
        is_mounted
            && first.uid() != second.uid()
            && self.was_deleted_between(old, new, first, second)
            && self.somebody_deleted(first).is_some()
    }

    /// When somebody deleted a claim, where that was watched: what happened in a gap may have been
    /// the set's doing.
    pub(crate) fn somebody_deleted(&self, claim: &ClaimLife) -> Option<When> {
        let is_watched = |when: &When| {
            let mut gaps =
                self.watch_gaps().iter().filter(|it| it.kind == Kind::PersistentVolumeClaim);
            when.after.is_some() && gaps.all(|it| it.when.precedes(*when) != Truth::Unknown)
        };
        claim.deleted_by_somebody().filter(is_watched)
    }

    /// Adds the criteria of what a pod keeps: its claims, and the original content on them.
    fn judge_kept<'t>(
        &'t self,
        verdict: &mut Verdict,
        contents: &Contents<'t>,
        old: &'t PodLife,
        new: &'t PodLife,
    ) {
        let claims = old.claims();
        if claims.is_empty() {
            let standing = Standing::broken(
                format!("{} keeps its data on a PVC", old.name()),
                "it mounts no PVC: what it wrote went away with the pod",
            );
            verdict
                .push(
                    "same_claim",
                    format!("{} is on the PVC that it had before", new.name()),
                    standing,
                    [old.added.by, new.added.by],
                )
                .because(self.unclaimed_mistake(old));
            return;
        }
        let mut same = true;
        for (_, claim) in &claims {
            same &= self.judge_claim(verdict, old, new, claim);
        }
        // On another claim the old content cannot be: told once.
        if same {
            self.judge_content(verdict, contents, old, new);
        }
    }

    /// Adds the criterion of one claim; whether the content may be on it, as far as is known.
    fn judge_claim(
        &self,
        verdict: &mut Verdict,
        old: &PodLife,
        new: &PodLife,
        claim: &str,
    ) -> bool {
        let first = self.claim_of(old, claim, last_shown(old));
        let second = self.mounted_claim(new, claim);
        let is_mounted = new.claims().iter().any(|(_, it)| it == claim);
        let standing = match (first, second) {
            _ if !is_mounted => Standing::broken(
                same_as_before(claim),
                format!("{} does not mount it any more", new.name()),
            ),
            (Some(first), Some(second)) => self.claim_standing(old, new, first, second),
            _ => Standing::unseen(format!("PVC {claim} was not seen")),
        };
        let text = format!("{} is on PVC {claim} as before", new.name());
        let evidence =
            first.into_iter().chain(second).map(|life| life.added.by).chain([new.added.by]);
        let is_unknown = is_mounted && (first.is_none() || second.is_none());
        let same = standing == Standing::Met || is_unknown;
        verdict
            .push("same_claim", text, standing, evidence)
            .because(self.lost_claim_mistake(new, claim));
        same
    }

    /// How it stands that `new` is on the claim of `old`, where the lives of the claim that they
    /// mounted are known.
    fn claim_standing(
        &self,
        old: &PodLife,
        new: &PodLife,
        first: &ClaimLife,
        second: &ClaimLife,
    ) -> Standing {
        let claim = first.name();
        if self.was_deleted_between(old, new, first, second) {
            return Standing::claim_deleted(claim);
        }
        if is_found_later(first, old) {
            return Standing::unseen(format!(
                "PVC {claim} was first seen when {} was gone: whether that one had it is not \
                known",
                old.name()
            ));
        }
        if first.uid() == second.uid() && first.volume() == second.volume() {
            return Standing::Met;
        }
        // A claim outlives the pods that mount it: the old pod was on the second one only if that
        // may have taken the first one's place before.
        let was_deleted_before =
            first.deleted.is_some_and(|deleted| may_precede(deleted, old.added.by));
        if was_deleted_before && may_precede(second.added, last_shown(old)) {
            return Standing::unseen(format!(
                "the watch on PVCs has a gap in which PVC {claim} was deleted, before or after {} \
                was added",
                old.name()
            ));
        }
        Standing::broken(
            same_as_before(claim),
            format!("a new PVC of that name (UID {}), the first one was deleted", second.uid()),
        )
    }

    /// Whether somebody may have deleted the claim of `old` before `new` was added, where what is
    /// known of the pods' claims are the lives `first` and `second`.
    fn was_deleted_between(
        &self,
        old: &PodLife,
        new: &PodLife,
        first: &ClaimLife,
        second: &ClaimLife,
    ) -> bool {
        if self.takes_claim_away(old, first.name()) {
            return false;
        }
        let is_other = first.uid() != second.uid() && first.deleted_by_somebody().is_some();
        // The lives of a name end in their order.
        let lives = self.claim(first.name());
        let after = old.added.after.unwrap_or(0);
        let begin =
            lives.partition_point(|life| life.deleted.is_some_and(|deleted| deleted.by <= after));
        let meanwhile = lives[begin..].iter().take_while(|life| {
            life.deleted.is_some_and(|deleted| may_precede(deleted, new.added.by))
        });
        is_other || meanwhile.into_iter().any(|life| life.deleted_by_somebody().is_some())
    }

    /// Whether a claim of a pod goes by what the submission asks for, when the pod goes or the set
    /// is scaled down.
    fn takes_claim_away(&self, pod: &PodLife, claim: &str) -> bool {
        self.deletes_when_scaled() || pod.is_ephemeral_claim(claim)
    }

    fn lost_claim_mistake(&self, pod: &PodLife, claim: &str) -> Option<&'static Mistake> {
        if pod.is_ephemeral_claim(claim) {
            return Some(&mistakes::EPHEMERAL_VOLUME);
        }
        self.deletes_when_scaled().then_some(&mistakes::WHEN_SCALED_DELETE)
    }

    /// Whether the set asks for its claims to be deleted when it is scaled down.
    #[must_use]
    pub fn deletes_when_scaled(&self) -> bool {
        let policy =
            self.set().and_then(|set| set.spec.persistent_volume_claim_retention_policy.as_ref());
        policy.is_some_and(|it| it.when_scaled == "Delete")
    }

    /// Why a pod mounts no claim, as a mistake.
    pub(crate) fn unclaimed_mistake(&self, pod: &PodLife) -> &'static Mistake {
        let spec = pod.spec();
        let uses = |is: fn(&Volume) -> bool| {
            spec.volumes.iter().any(|volume| is(volume) && spec.uses(&volume.name))
        };
        if self.set().is_some_and(|set| !set.spec.volume_claim_templates.is_empty()) {
            &mistakes::NOT_MOUNTED
        } else if uses(|it| it.empty_dir.is_some()) {
            &mistakes::EMPTY_DIR
        } else if uses(|it| it.host_path.is_some()) {
            &mistakes::HOST_PATH
        } else {
            &mistakes::NO_VOLUME
        }
    }

    fn judge_content<'t>(
        &'t self,
        verdict: &mut Verdict,
        contents: &Contents<'t>,
        old: &'t PodLife,
        new: &'t PodLife,
    ) {
        let text = format!("the content that {} had before is still there", new.name());
        let id = ORIGINAL_CONTENT;
        let Some(before) = self.pod_files(old) else {
            verdict.push(id, text, standing_or_crash(self, old, " before"), []);
            return;
        };
        let Some(after) = self.pod_files(new) else {
            verdict.push(
                id,
                text,
                standing_or_crash(self, new, " after it came back"),
                before.reads,
            );
            return;
        };
        let evidence: Vec<Seq> = before.reads.iter().chain(&after.reads).copied().collect();
        let fates = contents.fates(old, new);
        let is_unclear = fates.contains(&Fate::Unclear)
            && fates.iter().all(|it| matches!(it, Fate::Unclear | Fate::Same { .. }));
        if fates.is_empty() || is_unclear {
            return self.judge_own_canary(
                verdict,
                old,
                new,
                before.hidden().count() > 0,
                &evidence,
            );
        }
        let beside = contents.written_anew_beside(old, new);
        let standing = beside.map_or_else(|| standing_of(&fates), |lost| standing_of(&[lost]));
        if !matches!(standing, Standing::Broken { .. }) {
            verdict.push(id, text, standing, evidence);
            return;
        }
        if fates.iter().any(|it| matches!(it, Fate::InAnotherFolder { .. })) {
            verdict.push(id, text, standing, evidence).because(&mistakes::FOLDER_OF_ONE_POD);
            return;
        }
        let rewriting = Rewriting { timeline: self, contents };
        let standing = rewriting.with_lateness(standing, old, new);
        let is_missing = fates.iter().all(|it| matches!(it, Fate::Gone { after: None, .. }));
        let mistake = if is_missing || self.is_canary_lost(old, new) {
            &mistakes::WIPED_AT_START
        } else {
            rewriting.mistake(old, new)
        };
        verdict.push(id, text, standing, evidence).because(mistake);
    }

    /// Whether the grader's own file of before was looked for on a claim, and was not there.
    fn is_canary_lost(&self, old: &PodLife, new: &PodLife) -> bool {
        old.claims().iter().any(|(_, claim)| {
            let wrote = self.canary_of(old, new, claim);
            let back = wrote.map(|it| self.canary_back(it, new, claim).0);
            matches!(back, Some(Standing::Broken { .. }))
        })
    }

    /// The last canary that was written on a claim in the old pod, or else before the new one.
    fn canary_of(
        &self,
        old: &PodLife,
        new: &PodLife,
        claim: &str,
    ) -> Option<&Recorded<CanaryVisit>> {
        let written = || self.canaries.of(claim).filter(|it| it.what.wrote.is_some());
        let own = written().rfind(|it| it.what.pod.uid == old.uid());
        own.or_else(|| written().rfind(|it| it.seq < new.added.by))
    }

    /// Where no file tells who wrote it, the grader's own file tells whether the volume is the
    /// same.
    fn judge_own_canary(
        &self,
        verdict: &mut Verdict,
        old: &PodLife,
        new: &PodLife,
        hidden: bool,
        evidence: &[Seq],
    ) {
        for (volume, claim) in old.claims() {
            let Some(wrote) = self.canary_of(old, new, &claim) else {
                let held = if hidden {
                    "no file of it could be read as text"
                } else {
                    "it held no content of its own"
                };
                let own = if old.spec().may_leave_all_folders(&volume) {
                    "the grader writes no file of its own to a folder that the next pod may not \
                    mount (subPathExpr)"
                } else {
                    "the grader's own file could not be written"
                };
                let why = format!("{held}, and {own}");
                verdict.push(
                    ORIGINAL_CONTENT,
                    format!("what {} held on PVC {claim} is still there", old.name()),
                    Standing::unseen(why),
                    evidence.to_vec(),
                );
                continue;
            };
            let (standing, seen) = self.canary_back(wrote, new, &claim);
            let evidence = [wrote.seq].into_iter().chain(seen);
            verdict
                .push("canary", canary_stays(&claim), standing, evidence)
                .because(&mistakes::WIPED_AT_START);
        }
    }

    fn canary_back(
        &self,
        wrote: &Recorded<CanaryVisit>,
        new: &PodLife,
        claim: &str,
    ) -> (Standing, Option<Seq>) {
        let seen = self
            .canaries
            .of(claim)
            .rfind(|it| it.what.pod.uid == new.uid() && it.what.saw.is_some());
        let Some(seen) = seen else {
            return (
                Standing::unseen(format!(
                    "PVC {claim} could not be looked at in the new {}",
                    new.name()
                )),
                None,
            );
        };
        let back = wrote
            .what
            .wrote
            .iter()
            .all(|canary| seen.what.saw.iter().flatten().any(|it| it == canary));
        let standing =
            if back { Standing::Met } else { Standing::broken(canary_stays(claim), NOT_THERE) };
        (standing, Some(seen.seq))
    }
}

/// The last line that shows a pod as it is there: the request to delete it, or when it was Ready.
fn last_shown(pod: &PodLife) -> Seq {
    pod.deletion_requested.or(pod.ready).unwrap_or(pod.added).by
}

/// What is asked of a claim.
fn same_as_before(claim: &str) -> String {
    format!("PVC {claim}, the same as before")
}

/// What is seen where it is not.
const NOT_THERE: &str = "it is not there any more";

/// What is asked of the grader's own file.
fn canary_stays(claim: &str) -> String {
    format!("the grader's own file on PVC {claim} is still there")
}

/// How the original content stands, by what became of each file that told its pod.
fn standing_of(fates: &[Fate]) -> Standing {
    if fates.contains(&Fate::Kept) {
        return Standing::Met;
    }
    for fate in fates {
        if let Fate::Unseen { why, unreadable } = fate {
            return Standing::unread(why, *unreadable);
        }
    }
    let gone = fates.iter().find_map(|it| match it {
        Fate::Gone { path, before, after } => {
            Some((path, before, after.as_ref(), format!("{path} is not there any more")))
        }
        Fate::InAnotherFolder { path, before } => {
            let actual = "the new pod mounts another folder of the PVC (subPathExpr), and does not \
                see it";
            Some((path, before, None, actual.to_owned()))
        }
        _ => None,
    });
    let Some((path, before, after, missing)) = gone else { return Standing::Met };
    if fates.contains(&Fate::Same { rewritten: None }) {
        return Standing::unseen(format!(
            "{path} was written anew; another file reads as before, but when it was written is \
            not known"
        ));
    }
    let Some(after) = after else {
        return Standing::broken(format!("{path}: {}", excerpt(before)), missing);
    };
    if before == after {
        return Standing::broken(
            format!("{path}: {}, as the first start wrote it", excerpt(before)),
            format!("{path}: the same, written again in that minute, as each start does"),
        );
    }
    let (before, after) = differing(before, after);
    let (before, after) = excerpts_of_two(&before, &after);
    Standing::broken(format!("{path}: {before}"), format!("{path}: {after}"))
}

/// The beginnings of two texts, each on one line: from shortly before where they differ.
fn excerpts_of_two(one: &str, other: &str) -> (String, String) {
    /// Characters before the difference, by which its place is recognised.
    const BEFORE: usize = 16;
    let (one, other) = (on_one_line(one), on_one_line(other));
    let alike = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let longest = one.chars().count().max(other.chars().count());
    let start = if longest > MAX_OF_TWO_CHARS { alike.saturating_sub(BEFORE) } else { 0 };
    let part = |text: &str| {
        let cut = if start > 0 { "…" } else { "" };
        let rest: String = text.chars().skip(start).collect();
        format!("{cut}{}", excerpt_of(&rest, MAX_OF_TWO_CHARS))
    };
    (part(&one), part(&other))
}

/// What is only in one of two texts, line for line; all of them where that would leave nothing of
/// one.
fn differing(before: &str, after: &str) -> (String, String) {
    let only = |one: &str, other: &str| {
        let others: Vec<&str> = other.lines().take(MAX_LINES).collect();
        one.lines().filter(|it| !others.contains(it)).collect::<Vec<_>>().join("\n")
    };
    const MAX_LINES: usize = 100;
    if before.lines().nth(MAX_LINES).is_some() || after.lines().nth(MAX_LINES).is_some() {
        return (before.to_owned(), after.to_owned());
    }
    let (lost, new) = (only(before, after), only(after, before));
    if lost.trim().is_empty() || new.trim().is_empty() {
        (before.to_owned(), after.to_owned())
    } else {
        (lost, new)
    }
}

/// Whether something happened before a line, or may have, because a gap of its kind was open
/// then.
fn may_precede(when: When, line: Seq) -> bool {
    when.after.is_none_or(|after| after < line)
}

/// Whether a claim was first seen when the pod was gone: it may have been made since.
fn is_found_later(claim: &ClaimLife, pod: &PodLife) -> bool {
    pod.deleted.is_some_and(|deleted| deleted.by < claim.added.by)
}

/// How a criterion about files that were not read stands: the pod's crash loop tells more.
fn standing_or_crash(timeline: &Timeline, pod: &PodLife, when: &str) -> Standing {
    if let Some(crash) = timeline.crash_of(pod) {
        return Standing::Blocked(crash.clone());
    }
    timeline.standing_of_unread(pod, when).0
}

/// Characters that are shown of a text.
const MAX_EXCERPT_CHARS: usize = 120;
/// The same, where another one stands beside it.
pub(crate) const MAX_OF_TWO_CHARS: usize = 60;

/// The beginning of a text, on one line.
pub(crate) fn excerpt(text: &str) -> String {
    excerpt_of(text, MAX_EXCERPT_CHARS)
}

fn on_one_line(text: &str) -> String {
    let lines = text.split('\n').map(str::trim_end).filter(|it| !it.is_empty());
    lines.collect::<Vec<&str>>().join(" / ")
}

/// The beginning of a text, on one line, of no more than so many characters.
pub(crate) fn excerpt_of(text: &str, most: usize) -> String {
    let joined = on_one_line(text);
    if joined.is_empty() {
        return "(empty)".to_owned();
    }
    if joined.chars().count() <= most {
        joined
    } else {
        joined.chars().take(most).chain("…".chars()).collect()
    }
}
