//! How far the inspection of each pod is, and when to look at it next: decided from data alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use checks::model::{PodLife, Seq, Timeline, evidence::content::needles, observation::Reference};

use crate::cluster::{
    exec::mounts::{ClaimView, last_start, reference, runs},
    inspect::{
        DnsAccess,
        age::{ReadSchedule, ReadTiming, is_alone},
    },
    watch::journal::nanoseconds,
};

/// How long unread claims are looked at again for content that is not there yet.
pub(super) const CONTENT_TIME: Duration = Duration::from_secs(15);
/// The same once a pod's unread claims showed nothing in all that time.
const CONTENT_TIME_AFTER_NOTHING: Duration = Duration::from_secs(2);
/// Between the first two looks at unread claims; it grows by itself each time.
const FIRST_LOOK_PAUSE: Duration = Duration::from_millis(700);
/// What a pod whose claims have been read gets on top of the time that content took to appear on
/// unread ones.
pub(super) const MARGIN: Duration = Duration::from_secs(1);
/// How often a look is repeated that failed for a reason that may pass.
const MAX_FAILURES: u32 = 6;
/// After a look that failed; it grows by itself each time.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);
/// While `record` runs: between two looks at a claim on which nothing was found yet.
const PAUSE_WHILE_FRESH: Duration = Duration::from_secs(2);
/// The same, once the claim's pod has run for longer than [`FRESH`].
const PAUSE_AFTER_FRESH: Duration = Duration::from_secs(10);
/// For how long a pod counts as new.
const FRESH: Duration = Duration::from_secs(90);

#[derive(Default)]
pub(super) struct InspectionState {
    /// Nothing is touched before the restore point is written.
    pub(super) open: bool,
    /// The line since which evidence counts: what was read before the submission changed is read
    /// again.
    pub(super) since: Seq,
    pub(super) lives: BTreeMap<String, InspectionProgress>,
    /// By claim and mount: the files of its first reading.
    pub(super) first_files: BTreeMap<(String, String), Vec<String>>,
    /// The claims that have been read to their end.
    pub(super) known_claims: BTreeSet<String>,
    /// Unread claims showed no identity content in all their time: others will not either.
    pub(super) found_nothing: bool,
    /// Claims and pod names for which a canary was tried.
    pub(super) canaries_tried: BTreeSet<(String, String)>,
    /// Pod names for which a canary was written, or may have been.
    pub(super) with_canaries: BTreeSet<String>,
    /// The longest that identity content took to appear after a container's start.
    pub(super) delay: Duration,
    /// `delay` is an estimate for the unread claims of at least one pod: its container's own clock
    /// was not known, or nothing was seen to appear.
    pub(super) is_rough: bool,
    /// By pod UID and claim: when its container was started, by the clock that times the claim's
    /// files, in nanoseconds.
    pub(super) starts: BTreeMap<(String, String), i64>,
    /// By pod UID: when the kubelet was heard to have started its container.
    pub(super) reported_starts: BTreeMap<String, u64>,
    pub(super) dns_accesses: BTreeMap<String, DnsAccess>,
    /// Why the last inspection that failed did.
    pub(super) trouble: Option<String>,
}

/// How far the inspection of one pod UID is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct InspectionProgress {
    pub(super) reading: bool,
    pub(super) finished: bool,
    /// A look showed something.
    pub(super) seen: bool,
    /// When to look again, in nanoseconds of the journal's clock.
    pub(super) next_look_at: u64,
    pub(super) reads: u32,
    pub(super) failures: u32,
    /// When to look at last, whatever counts, because the recording ends.
    pub(super) last_at: Option<u64>,
}

/// When a pod is to be looked at. Moments are nanoseconds of the journal's clock.
pub(super) enum NextLook {
    /// Now; when the look counts, if the pod has no unread claims.
    Now(ReadSchedule),
    At(u64),
    /// It is being read, or is inspected.
    NotNeeded,
}

/// A pod to be read.
#[derive(Default)]
pub(crate) struct PodToRead {
    pub(super) pod: Reference,
    pub(super) mounted: Vec<ClaimView>,
    pub(super) running_at: u64,
    pub(super) ready_at: u64,
    /// None of its claims has been read to its end yet; so of a pod that has none.
    pub(super) has_only_unread_claims: bool,
    /// When a look counts, if some have been.
    pub(super) schedule: ReadSchedule,
    /// It runs but one container.
    pub(super) is_alone: bool,
    /// Its start was watched, so that `running_at` is true.
    pub(super) witnessed: bool,
    /// When the node's clock says that its containers started, in seconds since the epoch.
    pub(super) started: Option<i64>,
    /// A running container, where no claim tells which.
    pub(super) any_container: Option<String>,
    /// What names the pod, to search files for that cannot be read as text.
    pub(super) names_of_the_pod: Vec<String>,
    /// The names of the set's other pods.
    pub(super) names_of_other_pods: Vec<String>,
}

/// One look at a pod.
pub(super) struct Look {
    /// When it began and ended, in nanoseconds of the journal's clock.
    pub(super) began_at: u64,
    pub(super) ended_at: u64,
    /// The pod's claims hold something that tells who wrote it.
    pub(super) has_identity: bool,
    pub(super) timing: ReadTiming,
}

impl InspectionState {
    /// Notes which containers the kubelet says that it started: now, or a little before.
    pub(super) fn note_reported_starts(&mut self, timeline: &Timeline, now: u64) {
        for pod in timeline.owned().filter(|pod| is_alone(pod)) {
            if !self.reported_starts.contains_key(pod.uid()) && timeline.is_said_to_run(pod.uid()) {
                self.reported_starts.insert(pod.uid().to_owned(), now);
            }
        }
    }

    /// Forgets the lives that were read before line `since`, from which evidence counts: they are
    /// read again.
    pub(super) fn renew(&mut self, since: Seq) {
        if since > self.since {
            self.since = since;
            self.lives.retain(|_, life| life.reading);
        }
    }

    /// Whether none of a pod's claims has been read to its end yet; so of a pod that has none.
    pub(super) fn has_only_unread_claims(&self, pod: &PodLife) -> bool {
        pod.claims().iter().all(|(_, claim)| !self.known_claims.contains(claim))
    }

    /// When a Ready pod is to be looked at. One that is to be looked at now counts as being read.
    pub(super) fn next_look(&mut self, pod: &PodLife, now: u64) -> NextLook {
        let schedule = self.schedule(pod, now);
        let counts_from = if self.has_only_unread_claims(pod) { 0 } else { schedule.soonest() };
        let life = self.lives.entry(pod.uid().to_owned()).or_default();
        if life.finished || life.reading {
            return NextLook::NotNeeded;
        }
        let soonest = counts_from.max(life.next_look_at);
        let at = life.last_at.map_or(soonest, |it| it.min(soonest));
        if at > now {
            return NextLook::At(at);
        }
        life.reading = true;
        NextLook::Now(schedule)
    }

    /// A pod that was inspected is to be looked at once more, at this moment.
    pub(super) fn look_again_at(&mut self, uid: &str, at: u64) {
        let life = self.lives.entry(uid.to_owned()).or_default();
        life.next_look_at = at;
        life.finished = false;
    }

    /// A pod is to be looked at for the last time, at this moment or before.
    pub(super) fn look_last_at(&mut self, uid: &str, at: u64) {
        self.lives.entry(uid.to_owned()).or_default().last_at = Some(at);
    }

    /// When a look at this pod counts, if some of its claims have been read.
    pub(super) fn schedule(&self, pod: &PodLife, now: u64) -> ReadSchedule {
        let reported_at = self.reported_starts.get(pod.uid()).copied().filter(|_| !self.is_rough);
        ReadSchedule {
            running_at: pod.running_at.unwrap_or(now),
            reported_at,
            age: self.delay + MARGIN,
        }
    }

    /// Notes what a look at a pod told, and when it is to be looked at again.
    ///
    /// `writes`: this is a tour, which is held up by looking on.
    pub(super) fn record_look(&mut self, to_read: &PodToRead, look: &Look, writes: bool) {
        let patience = if self.found_nothing { CONTENT_TIME_AFTER_NOTHING } else { CONTENT_TIME };
        let life = self.lives.entry(to_read.pod.uid.clone()).or_default();
        life.reading = false;
        life.reads += 1;
        life.seen |= look.timing.seen;
        life.failures += look.timing.failures;
        let later = look.ended_at.saturating_add(nanoseconds(FIRST_LOOK_PAUSE * life.reads));
        let again = if life.last_at.is_some() {
            None
        } else {
            life.next_look(
                to_read,
                look,
                writes,
                to_read.ready_at.saturating_add(nanoseconds(patience)),
            )
        };
        life.finished = again.is_none();
        life.next_look_at = again.unwrap_or(later);
        if life.finished && to_read.has_only_unread_claims {
            self.learn_delay(to_read, look);
        }
    }

    /// Takes over how long content took to appear on unread claims, or that none came.
    fn learn_delay(&mut self, to_read: &PodToRead, look: &Look) {
        self.known_claims.extend(to_read.mounted.iter().map(|it| it.claim.clone()));
        if look.has_identity {
            let (delay, is_exact) = to_read.delay(look.ended_at, &look.timing);
            self.delay = self.delay.max(delay);
            self.is_rough |= !is_exact;
        } else {
            self.found_nothing |= look.timing.seen;
            self.is_rough = true;
        }
    }
}

impl InspectionProgress {
    /// When to look again after this look; `None`: the pod is inspected. `patient_until`: for how
    /// long unread claims are looked at for content.
    fn next_look(
        &self,
        to_read: &PodToRead,
        look: &Look,
        writes: bool,
        patient_until: u64,
    ) -> Option<u64> {
        let after = |pause: Duration| look.ended_at.saturating_add(nanoseconds(pause));
        if look.timing.failures > 0 && self.failures <= MAX_FAILURES {
            return Some(after(PAUSE_AFTER_FAILURE * self.failures));
        }
        if !look.timing.seen {
            return None;
        }
        let again = if !to_read.has_only_unread_claims {
            to_read.schedule.again(look.began_at, look.ended_at, look.timing.age)
        } else if !look.has_identity && look.ended_at < patient_until {
            Some(after(FIRST_LOOK_PAUSE * self.reads))
        } else {
            None
        };
        if writes || look.has_identity {
            return again;
        }
        // Nothing is held up by looking on: what comes late counts until the pod has to go.
        let is_fresh = look.ended_at < to_read.running_at.saturating_add(nanoseconds(FRESH));
        again.or(Some(after(if is_fresh { PAUSE_WHILE_FRESH } else { PAUSE_AFTER_FRESH })))
    }
}

impl PodToRead {
    pub(super) fn of(
        timeline: &Timeline,
        pod: &PodLife,
        has_only_unread_claims: bool,
        schedule: ReadSchedule,
    ) -> Self {
        let any_container =
            pod.spec().containers.iter().find(|it| runs(pod, &it.name)).map(|it| it.name.clone());
        Self {
            pod: reference(pod),
            mounted: ClaimView::of(pod),
            running_at: pod.running_at.unwrap_or(0),
            ready_at: pod.ready.map_or(0, |it| timeline.known_at(it)),
            has_only_unread_claims,
            schedule,
            is_alone: is_alone(pod),
            witnessed: pod.added.after.is_some(),
            started: last_start(pod),
            any_container,
            names_of_the_pod: needles(pod),
            names_of_other_pods: timeline
                .owned()
                .filter(|it| it.uid() != pod.uid())
                .map(|it| it.name().to_owned())
                .collect(),
        }
    }
}
