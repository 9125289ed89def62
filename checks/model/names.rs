//! Names: what the cluster's DNS answered, and whose canaries stand where.

use super::{
    endpoints::{Carried, Namesake},
    evidence::Part,
    lives::{Incarnation, Noted},
    observation::{Lookup, Seq},
    timeline::Timeline,
    verdict::Standing,
};

/// Nanoseconds after which a name must follow what the EndpointSlices carry: a little more than the longest time for which
/// usual DNS servers repeat an older answer (30 s on clusters made by kubeadm).
const SETTLES_WITHIN: u64 = 35_000_000_000;
/// Nanoseconds by which a DNS server may know before us that the slices do not carry a pod any more.
const AHEAD: u64 = 2_000_000_000;

impl Timeline {
    /// The answered questions for a pod's name in one of its lives, oldest first.
    pub fn lookups_of<'t>(&'t self, uid: &str) -> impl DoubleEndedIterator<Item = &'t Noted<Lookup>> + use<'t> {
        let is_current = self.incarnation(uid).is_some_and(|pod| self.is_current(pod));
        self.answered(uid).filter(move |_| is_current)
    }

    /// The answered questions for a Service's own name, oldest first.
    pub fn lookups_of_service<'t>(&'t self, service: &str) -> impl DoubleEndedIterator<Item = &'t Noted<Lookup>> + use<'t> {
        self.answered(&Self::service_key(service))
    }

    /// What questions for a Service's own name are found by: no UID looks so.
    pub(super) fn service_key(service: &str) -> String {
        format!("service/{service}")
    }

    fn answered<'t>(&'t self, key: &str) -> impl DoubleEndedIterator<Item = &'t Noted<Lookup>> + use<'t> {
        let changed = self.changed(Part::Service);
        self.lookups.of(key).filter(move |it| it.what.unasked.is_none() && it.seq > changed)
    }

    /// The line at which a life's name gave that life's addresses and no other.
    ///
    /// Some of its addresses are enough: a Service may publish one of two IP families. An answer that the EndpointSlices do not
    /// agree with was not the cluster's, or is not any more.
    #[must_use]
    pub fn right_answer(&self, life: &Incarnation) -> Option<Seq> {
        let is_right = |it: &&Noted<Lookup>| {
            let Lookup { addresses, service, .. } = &it.what;
            let own = !addresses.is_empty() && addresses.iter().all(|it| life.addresses.contains(it));
            own && !self.endpoints.is_shared(service, life.name(), it.seq) && self.agrees(service, life)
        };
        self.lookups_of(life.uid()).find(is_right).map(|it| it.seq)
    }

    /// Whether the EndpointSlices of a Service carried a pod at any time; where none was seen, nothing speaks against it.
    pub(crate) fn agrees(&self, service: &str, life: &Incarnation) -> bool {
        !self.endpoints.is_known(service) || !self.endpoints.carried(service, life.uid()).is_empty()
    }

    /// The last pod of another name that took a pod's DNS name, too, since the submission last changed.
    pub(crate) fn namesake(&self, service: &str, pod: &str) -> Option<&Namesake> {
        const LOOKED_AT: usize = 16;
        let since = self.since();
        let newest = self.endpoints.namesakes(service, pod).iter().rev().take(LOOKED_AT);
        newest.into_iter().find(|it| it.until.is_none_or(|until| until >= since))
    }

    /// Whether a question came when every DNS server had long had to know a pod's address, so that a wrong answer counts:
    /// the slices had carried it for all the time that servers may repeat an older answer, and still did.
    pub(crate) fn had_its_time(&self, asked: &Noted<Lookup>, life: &Incarnation) -> bool {
        let stayed = life.asked_to_go.is_none() || life.asked_to_go_at >= asked.at.saturating_add(AHEAD);
        let lasts = |span: &Carried| span.until.is_none_or(|until| until >= asked.at.saturating_add(AHEAD));
        stayed && self.carried_before(asked, life, SETTLES_WITHIN).is_some_and(lasts)
    }

    /// For how many seconds the slices had carried a pod when its name was asked, where they did.
    pub(crate) fn carried_for(&self, asked: &Noted<Lookup>, life: &Incarnation) -> Option<u64> {
        let span = self.carried_before(asked, life, 0)?;
        Some((asked.what.began - span.from) / 1_000_000_000)
    }

    /// The last span in which the slices carried a pod that began so many nanoseconds before its name was asked.
    fn carried_before(&self, asked: &Noted<Lookup>, life: &Incarnation, before: u64) -> Option<&Carried> {
        let spans = self.endpoints.carried(&asked.what.service, life.uid());
        let began = spans.partition_point(|it| it.from.saturating_add(before) <= asked.what.began);
        spans.get(began.checked_sub(1)?)
    }

    /// How a name stands that was never asked: what stood in the way of the set, or of the asking.
    pub(crate) fn unasked(&self) -> Standing {
        let trouble = self.lookups.iter().rev().find_map(|it| it.what.unasked.as_deref());
        match (trouble, self.missing("")) {
            (None, blocked @ Standing::Blocked(_)) => blocked,
            (why, _) => Standing::unseen(format!("the name could not be asked: {}", why.unwrap_or("nobody asked the cluster's DNS"))),
        }
    }

    /// A canary on the pod's claim that another pod wrote on another claim: the line and that pod's name.
    pub(crate) fn foreign_canary(&self, pod: &str, claim: &str) -> Option<(Seq, &str)> {
        let wrote = |token| self.writers.get(token)?.iter().find(|(writer, on)| writer != pod && on != claim).map(|(writer, _)| writer.as_str());
        let mut seen = self.canaries.of(claim).flat_map(|it| it.what.saw.iter().flatten().map(move |token| (it.seq, token)));
        seen.find_map(|(seq, token)| Some((seq, wrote(token)?)))
    }
}
