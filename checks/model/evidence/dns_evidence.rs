//! Names: what the cluster's DNS answered.

use crate::model::{
    diagnosis,
    observation::{Lookup, NANOS_PER_SECOND, Seq},
    timeline::{
        Timeline,
        endpoints::{Carried, Namesake},
        lives::{PodLife, Recorded},
        relevance::SubmissionPart,
    },
    verdict::{Standing, Unreadable},
};

/// Seconds after which a name must follow what the EndpointSlices carry: a little more than the
/// longest time for which usual DNS servers repeat an older answer. The Corefile of kubeadm says
/// `cache 30` (`CoreDNSConfigMap` in its `app/phases/addons/dns/manifests.go`).
pub const DNS_FOLLOWS_WITHIN_SECONDS: u64 = 35;
/// The same, in nanoseconds.
const DNS_FOLLOWS_WITHIN_NANOS: u64 = DNS_FOLLOWS_WITHIN_SECONDS * NANOS_PER_SECOND;
/// Nanoseconds by which a DNS server may know before us that the slices do not carry a pod any
/// more.
const AHEAD_NANOS: u64 = 2 * NANOS_PER_SECOND;

impl Timeline {
    /// The answered questions for a pod's name in one of its lives, oldest first.
    pub fn lookups_of<'t>(
        &'t self,
        uid: &str,
    ) -> impl DoubleEndedIterator<Item = &'t Recorded<Lookup>> + use<'t> {
        let is_current = self.pod_life(uid).is_some_and(|pod| self.is_current(pod));
        self.answered(uid).filter(move |_| is_current)
    }

    /// The answered questions for a Service's own name, oldest first.
    pub fn lookups_of_service<'t>(
        &'t self,
        service: &str,
    ) -> impl DoubleEndedIterator<Item = &'t Recorded<Lookup>> + use<'t> {
        self.answered(&Self::service_key(service))
    }

    /// What questions for a Service's own name are found by: no UID looks so.
    pub(crate) fn service_key(service: &str) -> String {
        format!("service/{service}")
    }

    fn answered<'t>(
        &'t self,
        key: &str,
    ) -> impl DoubleEndedIterator<Item = &'t Recorded<Lookup>> + use<'t> {
        let all = self.lookups.of(key);
        all.filter(move |it| {
            it.what.undecided.is_none() && self.is_since(it.seq, SubmissionPart::Service)
        })
    }

    /// The line at which a life's name gave that life's addresses and no other.
    ///
    /// Some of its addresses are enough: a Service may publish one of two IP families. An answer
    /// that the EndpointSlices do not agree with was not the cluster's, or is not any more.
    #[must_use]
    pub fn right_answer(&self, life: &PodLife) -> Option<Seq> {
        let is_right = |lookup: &&Recorded<Lookup>| {
            let Lookup { addresses, service, .. } = &lookup.what;
            let is_own = |address: &String| life.addresses.contains(address);
            !addresses.is_empty()
                && addresses.iter().all(is_own)
                && !self.endpoints.is_host_name_shared(service, life.name(), lookup.seq)
                && self.agrees(service, life)
        };
        self.lookups_of(life.uid()).find(is_right).map(|lookup| lookup.seq)
    }

    /// Whether the EndpointSlices of a Service carried a pod at any time; where none was seen,
    /// nothing speaks against it.
    pub(crate) fn agrees(&self, service: &str, life: &PodLife) -> bool {
        !self.endpoints.is_known(service) || !self.endpoints.carried(service, life.uid()).is_empty()
    }

    /// The last pod of another name that took a pod's DNS name, too, since the submission last
    /// changed.
    pub(crate) fn namesake(&self, service: &str, pod: &str) -> Option<&Namesake> {
        const LOOKED_AT: usize = 16;
        let since = self.last_change();
        let newest = self.endpoints.namesakes(service, pod).iter().rev().take(LOOKED_AT);
        newest.into_iter().find(|it| it.until.is_none_or(|until| until >= since))
    }

    /// Whether a question came when every DNS server had long had to know a pod's address, so that
    /// a wrong answer counts: the slices had carried it for all the time that servers may repeat an
    /// older answer, and still did.
    pub(crate) fn had_its_time(&self, asked: &Recorded<Lookup>, life: &PodLife) -> bool {
        let stayed = life
            .deletion_requested
            .is_none_or(|it| self.known_at(it) >= asked.at.saturating_add(AHEAD_NANOS));
        let lasts = |span: &Carried| {
            span.until.is_none_or(|until| until >= asked.at.saturating_add(AHEAD_NANOS))
        };
        stayed && self.carried_before(asked, life, DNS_FOLLOWS_WITHIN_NANOS).is_some_and(lasts)
    }

    /// For how many seconds the slices had carried a pod when its name was asked, where they did.
    pub(crate) fn carried_for(&self, asked: &Recorded<Lookup>, life: &PodLife) -> Option<u64> {
        let span = self.carried_before(asked, life, 0)?;
        Some((asked.what.began - span.from) / NANOS_PER_SECOND)
    }

    /// The last span in which the slices carried a pod that began so many nanoseconds before its
    /// name was asked.
    fn carried_before(
        &self,
        asked: &Recorded<Lookup>,
        life: &PodLife,
        before: u64,
    ) -> Option<&Carried> {
        let spans = self.endpoints.carried(&asked.what.service, life.uid());
        let began = spans.partition_point(|it| it.from.saturating_add(before) <= asked.what.began);
        spans.get(began.checked_sub(1)?)
    }

    /// How a name stands to which there is no answer: what stood in the way of the set, or of the
    /// asking.
    pub(crate) fn standing_unanswered(&self) -> Standing {
        let undecided = self.lookups.iter().rev().find(|it| it.what.undecided.is_some());
        if let Some(obstacle) = undecided.and_then(|it| diagnosis::dns_denied(it.seq, &it.what)) {
            return Standing::Blocked(obstacle);
        }
        let trouble = undecided.and_then(|it| it.what.undecided.as_deref());
        if trouble.is_none()
            && let Some(obstacle) = self.blocking()
        {
            return Standing::Blocked(obstacle);
        }
        let why = trouble.unwrap_or("nobody asked the cluster's DNS");
        Standing::unread(
            format!("the name could not be asked: {why}"),
            trouble.and_then(Unreadable::recorded),
        )
    }
}
