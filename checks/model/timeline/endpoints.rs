//! Endpoints: which pods the EndpointSlices of a Service carry, and since when.
//!
//! The cluster's DNS server answers what the slices carry, but with a delay: for some time it
//! repeats an older answer, also the one that there is nothing. So this is what its answers are
//! compared with.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::observation::{ObjectChange, Seq, object::EndpointSlice};

/// A span of time in which the slices of a Service carried a pod that may get traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Its beginning, in nanoseconds since the recording began.
    pub(crate) from: u64,
    /// Up to when that is sure, if it ended; `None` while it lasts.
    pub(crate) until: Option<u64>,
}

/// A pod whose endpoint has another pod's name as its host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namesake {
    /// Its own name.
    pub(crate) pod: String,
    /// Its addresses.
    pub(crate) addresses: Vec<String>,
    /// The line that first showed it.
    pub(crate) seq: Seq,
    /// The line since which it is not carried any more; `None` while it is.
    pub(crate) until: Option<Seq>,
}

/// The line from which on something was so, and the one from which on it was not any more; `None`
/// while it is.
type Span = (Seq, Option<Seq>);

/// What the EndpointSlices showed.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    /// By Service and pod UID, in order.
    carried: BTreeMap<(String, String), Vec<Carried>>,
    /// By Service and host name, in order.
    namesakes: BTreeMap<(String, String), Vec<Namesake>>,
    /// By Service and host name: the lines from which on, and up to which, several pods had it.
    shared: BTreeMap<(String, String), Vec<Span>>,
    /// By Service and host name: how many namesakes are carried now.
    sharing: BTreeMap<(String, String), usize>,
    /// By the slice's UID: what it carries now.
    slices: BTreeMap<String, Slice>,
    /// By Service and pod UID: how many slices carry it now.
    counts: BTreeMap<(String, String), usize>,
    /// The Services of which any slice was seen.
    seen: BTreeSet<String>,
    /// The time of the last line about a slice.
    last: u64,
}

/// What one slice carries.
#[derive(Debug, Default)]
struct Slice {
    service: String,
    /// By UID.
    pods: BTreeSet<String>,
    /// Host name and pod.
    namesakes: BTreeSet<(String, String)>,
}

impl Endpoints {
    /// Takes in a line about a slice.
    pub(crate) fn update(&mut self, seq: Seq, at: u64, change: ObjectChange, it: &EndpointSlice) {
        let service =
            it.metadata.labels.get("kubernetes.io/service-name").cloned().unwrap_or_default();
        self.last = at;
        self.seen.insert(service.clone());
        let before = self.slices.remove(&it.metadata.uid).unwrap_or_default();
        let mut now = Slice { service: service.clone(), ..Slice::default() };
        if change != ObjectChange::Deleted {
            for endpoint in it.endpoints.iter().filter(|it| it.is_ready()) {
                let Some(target) = &endpoint.target_ref else { continue };
                now.pods.insert(target.uid.clone());
                let Some(hostname) = endpoint.hostname.clone().filter(|it| *it != target.name)
                else {
                    continue;
                };
                let key = (hostname, target.name.clone());
                if now.namesakes.contains(&key) {
                    continue;
                }
                if !before.namesakes.contains(&key) {
                    let addresses = endpoint.addresses.clone();
                    let namesake =
                        Namesake { pod: target.name.clone(), addresses, seq, until: None };
                    let name = (service.clone(), key.0.clone());
                    let sharing = self.sharing.entry(name.clone()).or_default();
                    *sharing += 1;
                    if *sharing == 1 {
                        self.shared.entry(name.clone()).or_default().push((seq, None));
                    }
                    self.namesakes.entry(name).or_default().push(namesake);
                }
                now.namesakes.insert(key);
            }
        }
        for pod in now.pods.difference(&before.pods) {
            let key = (service.clone(), pod.clone());
            let count = self.counts.entry(key.clone()).or_default();
            *count += 1;
            if *count == 1 {
                self.carried.entry(key).or_default().push(Carried { from: at, until: None });
            }
        }
        self.drop_missing(seq, at, &before, &now);
        if change != ObjectChange::Deleted {
            self.slices.insert(it.metadata.uid.clone(), now);
        }
    }

    /// The stream of slices broke: from its last line on nothing is sure, until the list that
    /// follows.
    pub(crate) fn gap(&mut self, seq: Seq) {
        for slice in std::mem::take(&mut self.slices).into_values() {
            self.drop_missing(seq, self.last, &slice, &Slice::default());
        }
    }

    /// Ends what a slice carried and does not carry any more.
    fn drop_missing(&mut self, seq: Seq, at: u64, before: &Slice, now: &Slice) {
        for pod in before.pods.difference(&now.pods) {
            let key = (before.service.clone(), pod.clone());
            let left = self.counts.remove(&key).unwrap_or(0).saturating_sub(1);
            if left > 0 {
                self.counts.insert(key, left);
            } else if let Some(last) = self.carried.get_mut(&key).and_then(|spans| spans.last_mut())
            {
                last.until.get_or_insert(at);
            }
        }
        for (hostname, pod) in before.namesakes.difference(&now.namesakes) {
            let name = (before.service.clone(), hostname.clone());
            let deleted = self
                .namesakes
                .get_mut(&name)
                .and_then(|all| all.iter_mut().rev().find(|it| it.pod == *pod));
            if let Some(namesake) = deleted {
                namesake.until.get_or_insert(seq);
            }
            let left = self.sharing.remove(&name).unwrap_or(0).saturating_sub(1);
            if left > 0 {
                self.sharing.insert(name, left);
            } else if let Some((_, until)) =
                self.shared.get_mut(&name).and_then(|spans| spans.last_mut())
            {
                until.get_or_insert(seq);
            }
        }
    }

    /// The spans in which a Service's slices carried a pod (by UID).
    pub(crate) fn carried(&self, service: &str, pod: &str) -> &[Carried] {
        self.carried.get(&(service.to_owned(), pod.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// The pods of other names that have this host name among a Service's endpoints.
    pub(crate) fn namesakes(&self, service: &str, hostname: &str) -> &[Namesake] {
        self.namesakes.get(&(service.to_owned(), hostname.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Whether a pod of another name had this host name among a Service's endpoints at a line.
    pub(crate) fn is_shared(&self, service: &str, hostname: &str, line: Seq) -> bool {
        let Some(spans) = self.shared.get(&(service.to_owned(), hostname.to_owned())) else {
            return false;
        };
        let begun = spans.partition_point(|(from, _)| *from <= line);
        begun.checked_sub(1).is_some_and(|place| spans[place].1.is_none_or(|until| until > line))
    }

    /// Whether any slice of a Service was seen.
    pub(crate) fn is_known(&self, service: &str) -> bool {
        self.seen.contains(service)
    }
}
