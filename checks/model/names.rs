//! Names: what the cluster's DNS answered, and whose canaries stand where.

use super::{
    evidence::Part,
    lives::{Incarnation, Noted},
    observation::{Lookup, Seq},
    timeline::Timeline,
    verdict::Standing,
};

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
    #[must_use]
    pub fn right_answer(&self, life: &Incarnation) -> Option<Seq> {
        let right = |lookup: &Lookup| !lookup.addresses.is_empty() && lookup.addresses.iter().all(|it| life.addresses.contains(it));
        self.lookups_of(life.uid()).find(|it| right(&it.what)).map(|it| it.seq)
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
