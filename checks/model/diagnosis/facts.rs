//! What the rows of the table look at: one ordinal that is not where it should be.

use crate::model::{
    diagnosis::{StepTime, update_failed},
    observation::{
        Inquiry, NANOS_PER_SECOND, Phase, Seq, StepName,
        object::{ContainerStatus, PersistentVolumeClaim, Terminated},
    },
    stamp::epoch,
    timeline::{
        Timeline,
        ends::disruption_of,
        lives::{PodLife, StepLife},
    },
};

/// How long the kubelet takes at most from when it begins to start a container, or to mount its
/// volumes, until it reports the result, in nanoseconds. It reads a ConfigMap and a Secret at the
/// beginning, from a cache of its own.
const START_TAKES_NANOS: u64 = 5 * NANOS_PER_SECOND;

/// The reasons of the Events of a claim whose volume is awaited: the volume controller's
/// (`pkg/controller/volume/events/event.go` in Kubernetes) and those of
/// sig-storage-lib-external-provisioner.
const PROVISIONING: [&str; 5] = [
    "ExternalProvisioning",
    "Provisioning",
    "ProvisioningSucceeded",
    "WaitForFirstConsumer",
    "WaitForPodScheduled",
];

/// What a row looks at.
pub(crate) struct OrdinalFacts<'t> {
    pub(crate) timeline: &'t Timeline,
    /// The ordinal that is not where it should be.
    pub(crate) ordinal: i32,
    /// Its pod, where there is one that nobody has asked to go.
    pub(crate) pod: Option<&'t PodLife>,
    /// Its pod, where it has been asked to go.
    pub(crate) terminating: Option<&'t PodLife>,
    /// Whether what stands in the way may still pass.
    pub(crate) step_time: StepTime,
}

/// What is said of a claim that is not Bound.
pub(crate) struct Pending<'t> {
    pub(crate) claim: &'t PersistentVolumeClaim,
    /// It was created with the name of its volume.
    pub(crate) names_its_volume: bool,
    /// The last warning, or the last word of all.
    pub(crate) said: String,
    /// Nothing was said of why it is not Bound, or only that its volume is awaited.
    pub(crate) is_on_its_way: bool,
    pub(crate) evidence: Vec<Seq>,
}

impl<'t> OrdinalFacts<'t> {
    pub(crate) fn of(timeline: &'t Timeline, ordinal: i32, step_time: StepTime) -> Self {
        let live = timeline.live(ordinal);
        Self {
            timeline,
            ordinal,
            pod: live.filter(|it| it.deletion_requested.is_none()),
            terminating: live.filter(|it| it.deletion_requested.is_some()),
            step_time,
        }
    }

    /// Whether there is a pod, staying or terminating.
    pub(crate) fn is_there(&self) -> bool {
        self.pod.or(self.terminating).is_some()
    }

    pub(crate) fn name(&self) -> String {
        let pod = self.pod.or(self.terminating);
        pod.map_or_else(|| self.timeline.pod_name(self.ordinal), |pod| pod.name().to_owned())
    }

    /// Whether the submission itself asks for this ordinal, not only the tour.
    pub(crate) fn is_the_submissions(&self) -> bool {
        self.timeline.ordinals().contains(&self.ordinal)
    }

    pub(crate) fn statuses(&self) -> impl Iterator<Item = &'t ContainerStatus> {
        self.pod.into_iter().flat_map(|pod| pod.pod.status.all_containers())
    }

    /// The step in which the submission was applied, if the grader did that.
    fn apply_step(&self) -> Option<&'t StepLife> {
        self.timeline.steps.iter().find(|it| it.name == StepName::Apply)
    }

    /// The line at which the submission had been applied, if the grader did that.
    fn applied(&self) -> Option<Seq> {
        self.apply_step()?.end.as_ref().map(|end| end.seq)
    }

    /// Whether the manifests that the grader applied hold an object: `pod/web-0`.
    pub(crate) fn is_in_the_manifests(&self, object: &str) -> bool {
        let end = self.apply_step().and_then(|step| step.end.as_ref());
        let end = end.filter(|it| it.what.phase == Phase::Done);
        end.is_some_and(|it| it.what.applied.iter().any(|applied| applied == object))
    }

    /// Whether the pod was there before the submission was applied.
    fn stood_before(&self, apply: &StepLife) -> bool {
        self.pod.is_some_and(|pod| pod.added.by < apply.begin)
    }

    /// Whether the set's controller, which has not looked at the template as it stands now, may be
    /// about to replace the pod.
    pub(crate) fn may_be_replaced(&self) -> bool {
        let (Some(pod), Some(set)) = (self.pod, self.timeline.set()) else { return false };
        set.awaits_controller() && pod.added.by < set.changed.by
    }

    /// Whether the namespace has its Pod Security level because a grader gave it that.
    pub(crate) fn has_graders_level(&self) -> bool {
        let end = self.apply_step().and_then(|step| step.end.as_ref());
        end.is_some_and(|end| end.what.pod_security.is_some())
    }

    /// Whether the watches told something new of the pod after a line.
    fn has_news_since(&self, line: Seq) -> bool {
        self.pod.is_some_and(|pod| {
            pod.last_seen.by > line && pod.last_seen.after.is_some()
                || self.timeline.is_warned_anew(pod.uid(), line)
        })
    }

    /// The line after which all that the kubelet reports was begun with the submission applied;
    /// `None` where that time has not come.
    fn told_after_apply(&self) -> Option<Seq> {
        let apply = self.apply_step().and_then(|step| Some((step, step.end.as_ref()?)));
        match apply {
            None => Some(0),
            Some((step, end)) if self.stood_before(step) => {
                self.timeline.line_at(end.at.saturating_add(START_TAKES_NANOS))
            }
            Some((_, end)) => Some(end.seq),
        }
    }

    /// Whether the ConfigMap or Secret that the pod lacks may have been created since the kubelet
    /// reported it missing: the kubelet is not told of that, and has yet to look again.
    pub(crate) fn may_have_come(&self) -> bool {
        !self.step_time.is_over()
            && self.told_after_apply().is_none_or(|line| !self.has_news_since(line))
    }

    /// Whether the pod was last told of before the submission was applied, which may have brought
    /// what it lacked.
    pub(crate) fn is_outdated(&self) -> bool {
        let is_news = |line| self.step_time.is_over() || self.has_news_since(line);
        self.applied().is_some_and(|line| !is_news(line))
    }

    /// Whether the newest start of a container may have been begun before the submission was
    /// applied, which may have mended what its command reads: a ConfigMap, a Secret, a Service.
    fn may_be_an_older_start(&self, container: &str) -> bool {
        let (Some(pod), Some(step)) = (self.pod, self.apply_step()) else { return false };
        let (Some(end), Some(started)) = (&step.end, pod.started_at(container)) else {
            return false;
        };
        self.stood_before(step) && started <= end.at.saturating_add(START_TAKES_NANOS)
    }

    /// Containers that were started again and do not run now, with how they ended; when the time
    /// has run out, those, too, that run and have not outlasted what ended before.
    ///
    /// Only those of which the last end was the container's own doing, or its template's. Until the
    /// time has run out, not those of which no start is surely newer than the submission.
    pub(crate) fn crashing(&self) -> impl Iterator<Item = (&'t ContainerStatus, &'t Terminated)> {
        let is_restless =
            self.step_time.is_over() && self.pod.is_some_and(|pod| !self.timeline.is_up(pod));
        let is_outdated = self.is_outdated();
        let has_ended = move |it: &&ContainerStatus| {
            it.restart_count > 0
                && (it.state.running.is_none() || is_restless)
                && !is_outdated
                && (self.step_time.is_over() || !self.may_be_an_older_start(&it.name))
        };
        let is_disrupted = self.pod.is_some_and(|pod| disruption_of(&pod.pod).is_some());
        let ended = self.statuses().filter(has_ended).filter_map(|it| Some((it, it.last_end()?)));
        ended.filter(move |(_, ended)| !is_disrupted && ended.is_own_doing())
    }

    /// Whether a container is meant to stay up.
    pub(crate) fn is_long_running(&self, container: &str) -> bool {
        self.pod.is_some_and(|pod| pod.is_long_running(container))
    }

    /// The newest warning about the pod that `is` it.
    pub(crate) fn warning(
        &self,
        is: impl Fn(&str, &str) -> bool,
    ) -> Option<(Seq, &'t str, &'t str)> {
        let pod = self.pod?;
        let (seq, event) =
            self.timeline.warnings(pod.uid()).rfind(|(_, it)| is(&it.reason, &it.message))?;
        Some((seq, &event.reason, &event.message))
    }

    /// The last that was said of the pod, if that is the pulling of an image.
    pub(crate) fn pulling(&self) -> Option<(Seq, &'t str)> {
        let pod = self.pod?;
        self.timeline
            .events_about(pod.uid())
            .last()
            .filter(|(_, it)| it.reason == "Pulling")
            .map(|(seq, it)| (seq, it.message.as_str()))
    }

    /// The claims of the pod that are not Bound, with what is said of them.
    pub(crate) fn pending_claims(&self) -> impl Iterator<Item = Pending<'t>> {
        let timeline = self.timeline;
        self.pod.into_iter().flat_map(PodLife::claims).filter_map(move |(_, name)| {
            let life = timeline.claim(&name).last().filter(|it| {
                it.deleted.is_none() && matches!(it.claim.status.phase.as_str(), "Pending" | "Lost")
            })?;
            let last = timeline
                .warnings(life.uid())
                .next_back()
                .or_else(|| timeline.events_about(life.uid()).last());
            let is_on_its_way =
                last.is_none_or(|(_, it)| PROVISIONING.contains(&it.reason.as_str()));
            let (said, evidence) =
                last.map_or_else(Default::default, |(seq, it)| (it.message.clone(), vec![seq]));
            Some(Pending {
                is_on_its_way,
                claim: &life.claim,
                // A volume that it had is no name of the submission's.
                names_its_volume: life.names_its_volume && life.bound.is_none(),
                said,
                evidence: evidence.into_iter().chain([life.added.by]).collect(),
            })
        })
    }

    /// The pods of the set that the scheduler evicted for a pod of higher priority, by rising
    /// ordinal, where the pod of this ordinal has taken the place of one of them.
    pub(crate) fn preempted(&self) -> Vec<&'t PodLife> {
        let is_preempted =
            |it: &&PodLife| {
                it.pod.status.conditions.iter().any(|it| {
                    it.r#type == "DisruptionTarget" && it.reason == "PreemptionByScheduler"
                })
            };
        let last = |lane: &'t [PodLife]| lane.iter().rfind(is_preempted);
        if last(self.timeline.lane(self.ordinal)).is_none() {
            return vec![];
        }
        self.timeline.lanes().filter_map(|(_, lane)| last(lane)).collect()
    }

    /// The pod for which these were evicted, where it is of the same namespace. The event tells its
    /// UID: `Preempted by pod 6b562698-… on node node-1`.
    pub(crate) fn preempted_by(&self, evicted: &[&PodLife]) -> Option<String> {
        let words = evicted.iter().flat_map(|it| self.timeline.events_about(it.uid()));
        let mut told = words.filter(|(_, it)| it.reason == "Preempted");
        told.find_map(|(_, it)| {
            let uid = it.message.strip_prefix("Preempted by pod ")?.split(' ').next()?;
            Some(format!("pod {}", self.timeline.pod_life(uid)?.name()))
        })
    }

    /// How many other pods of the set the scheduler has placed, each on any node.
    pub(crate) fn placed_siblings(&self) -> usize {
        let others = self
            .timeline
            .owned()
            .filter(|it| it.ordinal != self.ordinal && it.deletion_requested.is_none());
        others.filter(|it| !it.spec().node_name.is_empty()).count()
    }

    /// For how many seconds a pod that has been asked to go has been stopping, and how many its own
    /// spec allows.
    pub(crate) fn stopping_for(&self) -> Option<(u64, u64)> {
        let pod = self.terminating?;
        let so_far = self.timeline.seconds_since(pod.deletion_requested?);
        Some((so_far, u64::try_from(pod.spec().grace_seconds()).unwrap_or(0)))
    }

    /// What the scheduler said, when it found no node. After an error of its own, such as a claim
    /// that changed meanwhile, it tries again by itself (`PodReasonSchedulerError` in
    /// `k8s.io/api/core/v1`).
    pub(crate) fn unschedulable(&self) -> Option<&'t str> {
        let conditions = &self.pod?.pod.status.conditions;
        conditions
            .iter()
            .find(|it| it.r#type == "PodScheduled" && it.status == "False")
            .filter(|it| it.reason != "SchedulerError" || self.step_time.is_over())
            .map(|it| it.message.as_str())
    }

    /// Why the set could not create its pod, or the pod's claim.
    ///
    /// What was said before the set was last changed, or the submission applied, may have been
    /// mended by that.
    pub(crate) fn failed_create(&self) -> Option<(&'t str, Seq)> {
        if self.is_there() {
            return None;
        }
        let set = self.timeline.set()?;
        let changed = set
            .replicas_changes
            .last()
            .map_or(0, |it| it.when.by)
            .max(set.changed.by)
            .max(self.applied().unwrap_or(0));
        let name = format!("Pod {} in ", self.name());
        let failed = |seq: Seq, reason: &str, message: &str| {
            reason == "FailedCreate"
                && message.contains(&name)
                && (self.step_time.is_over() || seq > changed)
        };
        self.timeline
            .warnings(&set.uid)
            .rfind(|(seq, it)| failed(*seq, &it.reason, &it.message))
            .map(|(seq, it)| (it.message.as_str(), seq))
    }

    /// The line that tells that the controller cannot make the pod, which it took over, as the
    /// template has it.
    pub(crate) fn failed_update(&self) -> Option<Seq> {
        let set = self.timeline.set()?;
        let pod = self.pod?;
        let is_told = |seq: Seq| pod.adopted || may_be_adopted_before(pod) && seq > pod.added.by;
        let mut told = self.timeline.warnings(&set.uid);
        told.rfind(|(seq, it)| {
            it.reason == "FailedUpdate"
                && is_update_of(&it.message, pod.name())
                && (self.step_time.is_over() || update_failed::is_final(&it.message))
                && is_told(*seq)
        })
        .map(|(seq, _)| seq)
    }

    /// The last lines of a container, as they were last read.
    pub(crate) fn log(&self, container: &str) -> Vec<String> {
        self.logs(container).next_back().map(|(_, lines)| lines.to_vec()).unwrap_or_default()
    }

    /// The last lines of a container, oldest reading first.
    pub(crate) fn logs(
        &self,
        container: &str,
    ) -> impl DoubleEndedIterator<Item = (Seq, &'t [String])> {
        let uid = self.pod.map_or("", PodLife::uid);
        self.timeline.inquiries.of(uid).filter_map(move |it| match &it.what {
            Inquiry::Logs { lines, container: of, .. } if of == container => {
                Some((it.seq, lines.as_slice()))
            }
            _ => None,
        })
    }

    /// For how many seconds a container of the pod has run, where its start is known, else for how
    /// many the pod has been there. Its image, its volumes and other init containers came first.
    pub(crate) fn seconds_since_start(&self, pod: &PodLife, status: &ContainerStatus) -> u64 {
        let started = status.state.running.as_ref().and_then(|it| epoch(it.started_at.as_deref()?));
        let created = pod.pod.metadata.creation_timestamp.as_deref().and_then(epoch);
        let waited = started.zip(created).map(|(started, created)| started - created);
        let waited = waited.and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        self.timeline.seconds_since(pod.added).saturating_sub(waited)
    }

    /// For how many seconds the pod's containers have run.
    pub(crate) fn running_for(&self) -> u64 {
        let since = self.pod.and_then(|pod| pod.running_at);
        since.map_or(0, |since| self.timeline.now().saturating_sub(since) / NANOS_PER_SECOND)
    }
}

/// Whether nobody watched how a pod came to be the set's.
const fn may_be_adopted_before(pod: &PodLife) -> bool {
    pod.added.after.is_none()
}

/// Whether a message of the set's controller is about the update of this pod:
/// `Update Pod web-1 in StatefulSet web failed error: …`.
pub(crate) fn is_update_of(message: &str, pod: &str) -> bool {
    let words = format!("update pod {pod} in ");
    message.get(..words.len()).is_some_and(|it| it.eq_ignore_ascii_case(&words))
}
