//! What keeps the pods from the cluster's DNS: no pod is stuck, but nobody can ask for their names.

use crate::model::{
    observation::{Lookup, Seq},
    obstacle::{Fault, Obstacle},
};

/// The id of the obstacle. Every grade in the same namespace meets it.
pub const DNS_DENIED: &str = "dns_denied";

/// What keeps names from being asked: id, whose fault it is, and what to do.
pub(super) const DNS_OBSTACLES: [(&str, Fault, &str); 1] =
    [(DNS_DENIED, Fault::NotTheSubmission, REMEDY)];

const REMEDY: &str = "A NetworkPolicy of the namespace lets its pods reach no DNS server, so nobody \
    can ask for the pods' names. Nothing in your manifest can help. Let the policy allow `egress` \
    to port 53, UDP and TCP, of the namespace `kube-system`, or grade in a namespace without it. \
    Where it is not yours, ask whoever made it.";

/// The obstacle that a question ran into which NetworkPolicies did not let out of the pod.
pub(crate) fn dns_denied(seq: Seq, lookup: &Lookup) -> Option<Obstacle> {
    let (last, others) = lookup.denied_by.split_last()?;
    let who = if others.is_empty() {
        format!("NetworkPolicy {last}")
    } else {
        format!("NetworkPolicies {} and {last}", others.join(", "))
    };
    let why = lookup.undecided.as_deref().unwrap_or("no answer");
    let why = format!("the pods may not reach a DNS server: {why}");
    Some(Obstacle::of_no_pod(DNS_DENIED, who, why, REMEDY, vec![seq]))
}
