//! Relevance: which observations speak of the submission as it stands now.
//!
//! This is the one place that decides it; checks, waits and settled periods all ask here
//! ([`Timeline::is_since`]). A submission changes in parts, and what was seen counts unless the
//! part that it depends on has changed since:
//!
//! | evidence | counts when |
//! |---|---|
//! | files, canaries, mounts and names of a pod | the pod is of the present template ([`Timeline::is_current`]) |
//! | settled periods | all their pods are, and they lasted beyond the last change of the template and of the order ([`Timeline::is_of_now`]) |
//! | a pod and its successor | both are, and neither the template nor the retention policy changed between them |
//! | the order in which pods come and go | `ordinals`, `podManagementPolicy` and `minReadySeconds` are as they were ([`SubmissionPart::Order`]) |
//! | claims that stay when pods are removed | the pod is of the present template, and the retention policy is as it was ([`SubmissionPart::Retention`]) |
//! | answers of the DNS server for a pod's name | the pod is of the present template, and the governing Service is as it was ([`SubmissionPart::Service`]) |
//! | its answers for the Service's name | the pods have the present template's labels, and the Service is as it was |
//!
//! The template counts whole, with what is not recorded of it: by a digest that the recorder adds,
//! and by the revision that the controller gives it. Where the update strategy leaves pods of an
//! earlier template alone (`OnDelete`, a partition), they are part of the submission as it stands.
//!
//! `spec.replicas` is no such part: how many pods stand says nothing against what each of them has
//! shown. It only decides how many are asked for, see [`Timeline::replicas`].

use crate::model::{
    lab::LEAST_REPLICAS,
    observation::{Seq, StepName, when::When},
    timeline::{
        Timeline,
        lives::{PodLife, SetLife},
        settled::SettledPeriod,
    },
};

/// A part of the submission on which evidence depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmissionPart {
    /// The pods: the template, and what names pods and claims.
    Template,
    /// What decides the order of pods.
    Order,
    /// What becomes of claims.
    Retention,
    /// The Service that `spec.serviceName` names.
    Service,
}

/// When the parts of a set last changed after it was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// [`SubmissionPart::Template`].
    pub template: Option<When>,
    /// [`SubmissionPart::Order`].
    pub order: Option<When>,
    /// [`SubmissionPart::Retention`].
    pub retention: Option<When>,
}

impl Timeline {
    /// The line at which a part of the submission last changed; 0 where it never did.
    ///
    /// For the Service, its creation is a change: what was asked before tells nothing of it.
    #[must_use]
    pub fn last_change_of(&self, part: SubmissionPart) -> Seq {
        let Some(set) = self.set() else { return 0 };
        let when = match part {
            SubmissionPart::Template => set.changes.template,
            SubmissionPart::Order => set.changes.order,
            SubmissionPart::Retention => set.changes.retention,
            SubmissionPart::Service => {
                self.governing_service().map(|service| service.changed.unwrap_or(service.added))
            }
        };
        when.map_or(0, |when| when.by)
    }

    /// Whether a line is not before the last change of a part. What the line of the change itself
    /// tells counts: one line of the set may change the replicas, too.
    #[must_use]
    pub fn is_since(&self, line: Seq, part: SubmissionPart) -> bool {
        line >= self.last_change_of(part)
    }

    /// The line of the last change of any part, from which on everything is looked at anew.
    #[must_use]
    pub fn last_change(&self) -> Seq {
        let Some(set) = self.set() else { return 0 };
        set.changed.by.max(self.last_change_of(SubmissionPart::Service))
    }

    /// Whether a pod of the graded set is of the template as it stands now, or one that the update
    /// strategy leaves alone.
    ///
    /// Its revision tells, where the controller has named the present one. A pod without a revision
    /// is not of it: the controller will replace that.
    #[must_use]
    pub fn is_current(&self, pod: &PodLife) -> bool {
        let Some(set) = self.set() else { return false };
        let is_since = |when: When| self.is_since(when.by, SubmissionPart::Template);
        if set.leaves_alone(pod.ordinal) {
            return pod.deleted.is_none_or(is_since);
        }
        match &set.revision {
            Some(present) => pod.revision() == Some(present),
            None => is_since(pod.added),
        }
    }

    /// Whether all pods that these lines tell of, by what was read in them, are of an earlier
    /// template than the set's, because the update strategy leaves them alone: what they show, the
    /// present template need not do.
    #[must_use]
    pub fn are_of_earlier_template(&self, lines: &[Seq]) -> bool {
        let reads = self.reads.iter().map(|it| (it.seq, &it.what.pod.uid));
        let canaries = self.canaries.iter().map(|it| (it.seq, &it.what.pod.uid));
        let mut told = reads.chain(canaries).filter(|(seq, _)| lines.contains(seq)).peekable();
        let is_earlier =
            |uid: &String| self.pod_life(uid).is_some_and(|it| self.is_left_behind(it));
        told.peek().is_some() && told.all(|(_, uid)| is_earlier(uid))
    }

    /// Whether the update strategy leaves a pod of an earlier template as it is.
    fn is_left_behind(&self, pod: &PodLife) -> bool {
        let Some(set) = self.set().filter(|set| set.leaves_alone(pod.ordinal)) else {
            return false;
        };
        let present = set.revision.as_ref();
        present.is_some_and(|present| pod.revision().is_some_and(|it| it != present))
    }

    /// Whether the Service selects a pod as it selects those of the present template: one of an
    /// earlier template with the same labels shows as well that the Service's name gives its pods.
    #[must_use]
    pub fn is_selected_alike(&self, pod: &PodLife) -> bool {
        let Some(set) = self.set() else { return false };
        let labels = &pod.pod.metadata.labels;
        self.is_current(pod)
            || set
                .spec
                .template
                .metadata
                .labels
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
    }

    /// Whether two pods of one ordinal, the second of which came after the first, stood under the
    /// same template and retention policy.
    ///
    /// `between` are the ordinal's pods from the first to the second.
    pub(crate) fn are_comparable(&self, between: &[PodLife]) -> bool {
        let Some(old) = between.first() else { return false };
        old.deleted.is_none_or(|deleted| self.is_since(deleted.by, SubmissionPart::Retention))
            && between.iter().all(|pod| self.is_current(pod))
    }

    /// Whether a settled period shows the submission as it stands: it lasted beyond the last
    /// change, and all its pods are current.
    ///
    /// A period that ends with the very line of a change shows what was before it, so
    /// [`Timeline::is_since`] does not tell.
    pub(crate) fn is_of_now(&self, period: &SettledPeriod) -> bool {
        let changed = self
            .last_change_of(SubmissionPart::Template)
            .max(self.last_change_of(SubmissionPart::Order));
        let is_current = |uid: &str| self.pod_life(uid).is_some_and(|pod| self.is_current(pod));
        let is_the_sets = self.set().is_some_and(|set| set.uid == period.set);
        is_the_sets
            && period.until.is_none_or(|until| until > changed)
            && period.pods.iter().all(|(_, uid)| is_current(uid))
    }

    /// N: how many pods the submission asks for.
    ///
    /// In a grade, as many as were asked for when the tour began to change that; who changes it
    /// later is an obstacle, and changes no submission. Of somebody who scales by hand, it is the
    /// least number that stood settled and is enough for the lab; where there was none, what is
    /// asked for now; where that is 0, what was asked for last before.
    #[must_use]
    pub fn replicas(&self) -> i32 {
        let Some(set) = self.set() else { return 0 };
        let now = set.spec.replicas_or_one();
        if !self.steps().is_empty() {
            return self.tour_began().map_or(now, |line| set.replicas_before(line));
        }
        let asked = || set.replicas_changes.iter().rev().map(|scale| scale.to).find(|to| *to > 0);
        self.least_settled()
            .or_else(|| Some(now).filter(|now| *now > 0))
            .or_else(asked)
            .unwrap_or(now)
    }

    /// The least number of replicas that stood settled and is enough for the lab.
    fn least_settled(&self) -> Option<i32> {
        *self.cache.least_settled.get_or_init(|| {
            let enough =
                self.settled_periods().iter().filter(|period| period.replicas >= LEAST_REPLICAS);
            enough
                .filter(|period| self.is_of_now(period) && self.stayed_up(period))
                .map(|period| period.replicas)
                .min()
        })
    }

    /// The line from which on the grader may have changed the set.
    fn tour_began(&self) -> Option<Seq> {
        self.steps()
            .iter()
            .find(|step| !matches!(step.name, StepName::Apply | StepName::WaitUntilSettled))
            .map(|step| step.begin)
    }
}

impl SetLife {
    /// The first ordinal.
    pub(crate) fn start(&self) -> i32 {
        self.spec.ordinals.as_ref().map_or(0, |it| it.start)
    }

    /// Whether the controller leaves a pod of an earlier template as it is at this ordinal: it
    /// updates no pod under `OnDelete`, and else those from `getStartOrdinal(set) + partition` on.
    /// Source: `updateStatefulSet` and `newVersionedStatefulSetPod` in Kubernetes'
    /// `pkg/controller/statefulset`.
    pub(crate) fn leaves_alone(&self, ordinal: i32) -> bool {
        let strategy = &self.spec.update_strategy;
        if strategy.r#type == "OnDelete" {
            return true;
        }
        let partition = strategy.rolling_update.as_ref().map_or(0, |it| it.partition);
        ordinal < self.start().saturating_add(partition)
    }

    /// `spec.replicas` just before a line.
    fn replicas_before(&self, line: Seq) -> i32 {
        let before = self.replicas_changes.iter().take_while(|scale| scale.when.by < line).last();
        before.map_or(self.first_replicas, |scale| scale.to)
    }
}

impl PodLife {
    /// The revision of the template that it was made from.
    #[must_use]
    pub fn revision(&self) -> Option<&String> {
        self.pod.metadata.labels.get("controller-revision-hash")
    }
}

#[cfg(test)]
mod tests;
