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

/// A Service's name, and a pod's UID.
type ServiceAndPod = (String, String);
/// A Service's name, and a host name among its endpoints.
type ServiceAndHost = (String, String);

/// What the EndpointSlices showed.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    /// When a pod was carried, the earliest first.
    carried: BTreeMap<ServiceAndPod, Vec<Carried>>,
    /// The endpoints of one host name, in the order in which they came.
    namesakes: BTreeMap<ServiceAndHost, Vec<Namesake>>,
    /// The lines from which on, and up to which, several pods had a host name.
    shared: BTreeMap<ServiceAndHost, Vec<Span>>,
    /// How many namesakes are carried now.
    sharing: BTreeMap<ServiceAndHost, usize>,
    /// By the slice's UID: what it carries now.
    slices: BTreeMap<String, Slice>,
    /// How many slices carry a pod now.
    counts: BTreeMap<ServiceAndPod, usize>,
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

/// Counts one more; how many there are now.
fn count_up(counts: &mut BTreeMap<(String, String), usize>, key: &(String, String)) -> usize {
    let count = counts.entry(key.clone()).or_default();
    *count += 1;
    *count
}

/// Counts one less; how many there are now.
fn count_down(counts: &mut BTreeMap<(String, String), usize>, key: &(String, String)) -> usize {
    let left = counts.remove(key).unwrap_or(0).saturating_sub(1);
    if left > 0 {
        counts.insert(key.clone(), left);
    }
    left
}

impl Endpoints {
    /// Takes in a line about a slice.
    pub(crate) fn update(&mut self, seq: Seq, at: u64, change: ObjectChange, it: &EndpointSlice) {
        let service =
            it.metadata.labels.get("kubernetes.io/service-name").cloned().unwrap_or_default();
        self.last = at;
        self.seen.insert(service.clone());
        let mut before = self.slices.remove(&it.metadata.uid).unwrap_or_default();
        if change == ObjectChange::Deleted || before.service != service {
            // A slice that is given to another Service is deleted for the one that it was of.
            self.end_what_is_gone(seq, at, &before, &Slice::default());
            before = Slice::default();
        }
        if change == ObjectChange::Deleted {
            return;
        }
        let mut now = Slice { service, ..Slice::default() };
        for endpoint in it.endpoints.iter().filter(|it| it.is_ready()) {
            let Some(target) = &endpoint.target_ref else { continue };
            now.pods.insert(target.uid.clone());
            let Some(hostname) = &endpoint.hostname else { continue };
            if *hostname == target.name {
                continue;
            }
            let pair = (hostname.clone(), target.name.clone());
            let is_new = !before.namesakes.contains(&pair);
            if now.namesakes.insert(pair) && is_new {
                let (pod, addresses) = (target.name.clone(), endpoint.addresses.clone());
                let namesake = Namesake { pod, addresses, seq, until: None };
                self.begin_namesake((now.service.clone(), hostname.clone()), namesake);
            }
        }
        for pod in now.pods.difference(&before.pods) {
            self.begin_carrying((now.service.clone(), pod.clone()), at);
        }
        self.end_what_is_gone(seq, at, &before, &now);
        self.slices.insert(it.metadata.uid.clone(), now);
    }

    /// The stream of slices broke: from its last line on nothing is sure, until the list that
    /// follows.
    pub(crate) fn gap(&mut self, seq: Seq) {
        for slice in std::mem::take(&mut self.slices).into_values() {
            self.end_what_is_gone(seq, self.last, &slice, &Slice::default());
        }
    }

    /// Ends what a slice carried and does not carry any more.
    fn end_what_is_gone(&mut self, seq: Seq, at: u64, before: &Slice, now: &Slice) {
        for pod in before.pods.difference(&now.pods) {
            self.end_carrying(&(before.service.clone(), pod.clone()), at);
        }
        for (hostname, pod) in before.namesakes.difference(&now.namesakes) {
            self.end_namesake(&(before.service.clone(), hostname.clone()), pod, seq);
        }
    }

    /// One more slice carries a pod.
    fn begin_carrying(&mut self, pod: ServiceAndPod, at: u64) {
        if count_up(&mut self.counts, &pod) == 1 {
            self.carried.entry(pod).or_default().push(Carried { from: at, until: None });
        }
    }

    /// One slice less carries a pod.
    fn end_carrying(&mut self, pod: &ServiceAndPod, at: u64) {
        if count_down(&mut self.counts, pod) > 0 {
            return;
        }
        if let Some(last) = self.carried.get_mut(pod).and_then(|spans| spans.last_mut()) {
            last.until.get_or_insert(at);
        }
    }

    /// One more pod of another name has this host name.
    fn begin_namesake(&mut self, name: ServiceAndHost, namesake: Namesake) {
        if count_up(&mut self.sharing, &name) == 1 {
            self.shared.entry(name.clone()).or_default().push((namesake.seq, None));
        }
        self.namesakes.entry(name).or_default().push(namesake);
    }

    /// A pod of another name has this host name no more.
    fn end_namesake(&mut self, name: &ServiceAndHost, pod: &str, seq: Seq) {
        let mut known = self.namesakes.get_mut(name).into_iter().flatten();
        if let Some(namesake) = known.rfind(|it| it.pod == pod) {
            namesake.until.get_or_insert(seq);
        }
        if count_down(&mut self.sharing, name) > 0 {
            return;
        }
        if let Some((_, until)) = self.shared.get_mut(name).and_then(|spans| spans.last_mut()) {
            until.get_or_insert(seq);
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
    pub(crate) fn is_host_name_shared(&self, service: &str, hostname: &str, line: Seq) -> bool {
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

#[cfg(test)]
mod tests {
    use super::{Carried, Endpoints};
    use crate::model::observation::{
        ObjectChange,
        object::{Endpoint, EndpointSlice, Metadata, ObjectReference},
    };

    /// A slice of a Service that carries web-0, with the host name of another pod.
    fn slice_of(service: &str) -> EndpointSlice {
        let label = ("kubernetes.io/service-name".to_owned(), service.to_owned());
        let metadata = Metadata {
            uid: "uid-slice".to_owned(),
            labels: [label].into_iter().collect(),
            ..Default::default()
        };
        let target = ObjectReference {
            name: "web-0".to_owned(),
            uid: "uid-web-0".to_owned(),
            ..Default::default()
        };
        let endpoint = Endpoint {
            hostname: Some("web-1".to_owned()),
            target_ref: Some(target),
            ..Default::default()
        };
        EndpointSlice { metadata, endpoints: vec![endpoint], ..Default::default() }
    }

    /// Catches a slice whose pods stay those of the Service that it was of before, when its label
    /// names another.
    #[test]
    fn a_slice_that_is_given_to_another_service_ends_for_the_first() {
        let mut endpoints = Endpoints::default();
        endpoints.update(1, 10, ObjectChange::Added, &slice_of("web"));
        endpoints.update(2, 20, ObjectChange::Modified, &slice_of("api"));
        let carried = |service: &str| endpoints.carried(service, "uid-web-0").to_vec();
        assert_eq!(carried("web"), [Carried { from: 10, until: Some(20) }]);
        assert_eq!(carried("api"), [Carried { from: 20, until: None }]);
        let is_shared = |service: &str| endpoints.is_host_name_shared(service, "web-1", 2);
        assert!(!is_shared("web") && is_shared("api"));
        assert_eq!(endpoints.namesakes("web", "web-1")[0].until, Some(2));
    }
}
