//! The restore point: what a grade found, and what it has asked for since. It decides which claims
//! the grade caused.

use std::ops::Range;

use checks::model::{PodLife, Timeline};
use serde::{Deserialize, Serialize};

use crate::{
    cluster::writes::{replicas_owners::FieldManager, scale::CurrentSet},
    plan::EXTRA_PODS,
};

/// What is needed to put everything back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RestorePoint {
    /// Name of the set.
    pub(crate) set: String,
    /// Its UID.
    pub(crate) uid: String,
    /// `spec.replicas` as found.
    pub(crate) replicas: i32,
    /// The claims that existed.
    pub(crate) claims: Vec<String>,
    /// Files may have been written by a container of our own (`--probe-image`).
    pub(crate) probed: bool,
    /// The replicas that the tour asked for last; absent while it has asked for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asked: Option<i32>,
    /// The replicas before that, until the API server has answered: either may stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<i32>,
    /// `metadata.generation` of the set once `asked` stands: while it is the same, nobody else has
    /// changed the set's spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<i64>,
    /// Who owned `spec.replicas` before the grade first asked for any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) owners: Vec<FieldManager>,
    /// When the grade last renewed its Lease, in seconds since the epoch by the API server's clock:
    /// written by the first that took the Lease over, or took its own again after it was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<i64>,
}

impl RestorePoint {
    /// Notes that so many replicas are about to be asked for, where the set has those of `found`.
    /// `claims`: those that stand. Nothing that stood when the first were asked for is the grade's.
    pub(crate) fn ask(&mut self, replicas: i32, found: &CurrentSet, claims: Vec<String>) {
        if self.asked.is_none() {
            self.owners.clone_from(&found.owners);
            self.claims = claims;
        }
        self.before = Some(found.replicas);
        self.asked = Some(replicas);
        self.generation = Some(found.generation + 1);
    }

    /// Whether the Lease was nobody's for a while: somebody may have worked here then, whoever has
    /// taken it since.
    pub(crate) const fn was_left(&self) -> bool {
        self.until.is_some()
    }

    /// Whether a number of replicas is what the grade last asked for, or what it found where it had
    /// asked for nothing yet. Any other is somebody else's.
    pub(crate) fn is_as_asked(&self, replicas: i32) -> bool {
        replicas == self.asked.unwrap_or(self.replicas) || self.before == Some(replicas)
    }

    /// The ordinals whose claims a grade may cause; `start` is the set's first ordinal.
    pub(crate) fn added_ordinals(&self, start: i32) -> Range<i32> {
        let first = start.saturating_add(self.replicas);
        first..first.saturating_add(EXTRA_PODS)
    }

    /// Whether the grade may have caused a claim of [`Self::added_ordinals`]: it did not exist when
    /// the grade began, at `since`. Whether it has is told by [`Self::has_caused`].
    ///
    /// Times are in seconds since the epoch by the API server's clock.
    pub(crate) fn may_have_caused(&self, claim: &str, created: Option<i64>, since: i64) -> bool {
        created.is_some_and(|created| created >= since)
            && !self.claims.iter().any(|listed| listed == claim)
    }

    /// Whether a claim that the grade may have caused is there because the grade asked for more
    /// pods: nobody has changed the set's spec since. Where the grade did not learn whether the API
    /// server took what it asked last, the set must tell that a grade has asked, or the claim must
    /// have been created while the grade lived.
    ///
    /// `created` is in seconds since the epoch by the API server's clock.
    pub(crate) fn has_caused(&self, found: &CurrentSet, created: i64) -> bool {
        let Some(generation) = self.generation else { return false };
        let is_asked = self.asked == Some(found.replicas) && generation == found.generation;
        let is_before = self.before == Some(found.replicas) && generation == found.generation + 1;
        is_before
            || is_asked
                && (self.before.is_none()
                    || found.is_ours
                    || self.until.is_none_or(|until| created <= until))
    }
}

/// The names of the claims that were seen.
pub(crate) fn seen_claims<C: FromIterator<String>>(timeline: &Timeline) -> C {
    timeline.claims().map(|it| it.name().to_owned()).collect()
}

/// Whether a pod of those that stay ends again and again: the controller does not go below one that
/// is not Ready, but to 0. Source: pkg/controller/statefulset/stateful_set_control.go,
/// processReplica and processCondemned.
pub(super) fn is_held_up(timeline: &Timeline, replicas: i32) -> bool {
    !timeline.deletes_when_scaled()
        && staying(timeline, replicas).any(|pod| timeline.is_crashing(pod))
}

/// Whether a claim of those that stay is being deleted: it would be gone for good as soon as no pod
/// uses it, which the finalizer `kubernetes.io/pvc-protection` waits for.
pub(super) fn would_lose_a_claim(timeline: &Timeline, replicas: i32) -> bool {
    let is_doomed = |claim: &str| {
        timeline.claim(claim).last().is_some_and(|it| it.deletion_requested.is_some())
    };
    staying(timeline, replicas).flat_map(PodLife::claims).any(|(_, claim)| is_doomed(&claim))
}

/// The pods that stay with so many replicas.
fn staying(timeline: &Timeline, replicas: i32) -> impl Iterator<Item = &PodLife> {
    let start = timeline.start();
    (start..start.saturating_add(replicas)).filter_map(|ordinal| timeline.live(ordinal))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use serde_json::{Value, json};

    use super::{CurrentSet, FieldManager, RestorePoint, would_lose_a_claim};
    use crate::recording::{Reader, fold};

    /// A recording of a set of three, in which a claim is being deleted at the end.
    fn with_a_doomed_claim(name: &str) -> Vec<u8> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/pass/append/recording.jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        let kept: Vec<&str> = text.lines().take_while(|it| !it.contains("\"end\":")).collect();
        let mut values = kept.iter().map(|it| serde_json::from_str::<Value>(it).unwrap());
        let of_claim =
            |it: &Value| it["object"]["PersistentVolumeClaim"]["metadata"]["name"] == name;
        let mut line = values.rfind(of_claim).unwrap();
        let last: Value = serde_json::from_str(kept.last().unwrap()).unwrap();
        line["seq"] = json!(last["seq"].as_u64().unwrap() + 1);
        line["at"] = json!(last["at"].as_u64().unwrap() + 1);
        line["object"]["PersistentVolumeClaim"]["metadata"]["deletionTimestamp"] =
            json!("2026-11-29T00:00:00Z");
        format!("{}\n{line}\n", kept.join("\n")).into_bytes()
    }

    /// Catches a set that is scaled to 0 while somebody deletes a claim of it, which is then gone for
    /// good.
    #[test]
    fn a_claim_that_is_being_deleted_needs_its_pod() {
        let loses = |name: &str| {
            let recording = Box::new(Cursor::new(with_a_doomed_claim(name)));
            let timeline = fold(Reader::from(recording, "it").unwrap()).unwrap().timeline;
            would_lose_a_claim(&timeline, 3)
        };
        assert!(loses("data-web-1"));
        assert!(!loses("data-web-4"), "a claim that only the grade asked for");
    }

    /// Catches a claim that is deleted although it stood before the grade, or is of a pod that the
    /// grade never asks for.
    #[test]
    fn a_claim_that_stood_before_is_not_the_grade_s() {
        let point = RestorePoint {
            replicas: 3,
            claims: vec!["data-web-3".to_owned()],
            ..RestorePoint::default()
        };
        assert_eq!(point.added_ordinals(1), 4..6);
        assert!(point.may_have_caused("data-web-4", Some(100), 100));
        assert!(!point.may_have_caused("data-web-4", Some(99), 100));
        assert!(!point.may_have_caused("data-web-4", None, 100));
        assert!(!point.may_have_caused("data-web-3", Some(100), 100));
    }

    /// Catches a grade that takes itself for who owned the replicas before, because it asks twice,
    /// and a Lease of an earlier version, which does not say who did.
    #[test]
    fn who_owned_the_replicas_is_kept_from_the_first_asking_on() {
        let owners = json!([{"manager": "kubectl", "operation": "Apply", "apiVersion": "apps/v1"}]);
        let owners: Vec<FieldManager> = serde_json::from_value(owners).unwrap();
        let found = CurrentSet { replicas: 3, owners: owners.clone(), ..CurrentSet::default() };
        let mut point = RestorePoint::default();
        point.ask(5, &found, vec!["data-web-3".to_owned()]);
        let ours = CurrentSet { replicas: 5, is_ours: true, ..CurrentSet::default() };
        point.ask(0, &ours, vec!["data-web-3".to_owned(), "data-web-4".to_owned()]);
        // Somebody made it before the grade first asked; the other one came because of that.
        assert!(!point.may_have_caused("data-web-3", Some(100), 100));
        assert!(point.may_have_caused("data-web-4", Some(100), 100));
        assert_eq!((point.owners.clone(), point.asked, point.before), (owners, Some(0), Some(5)));
        let read = |text: &str| serde_json::from_str::<RestorePoint>(text).unwrap();
        assert_eq!(read(&serde_json::to_string(&point).unwrap()), point);
        assert_eq!(read(r#"{"set": "web", "replicas": 3, "asked": 5}"#).owners, []);
    }

    /// Catches a student's own scaling that is undone, and claims of theirs that are deleted.
    #[test]
    fn what_a_grade_asked_for_is_told_from_what_others_did() {
        let found =
            |replicas, generation| CurrentSet { replicas, generation, ..CurrentSet::default() };
        let new = RestorePoint { replicas: 3, ..RestorePoint::default() };
        assert!(new.is_as_asked(3) && !new.is_as_asked(5));
        assert!(
            !new.has_caused(&found(3, 1), 0),
            "it has asked for nothing, so nothing is its doing"
        );
        let asking = RestorePoint {
            asked: Some(5),
            before: Some(3),
            generation: Some(2),
            until: Some(100),
            ..new
        };
        assert!(asking.is_as_asked(5) && asking.is_as_asked(3) && !asking.is_as_asked(4));
        assert!(asking.has_caused(&found(5, 2), 100));
        assert!(
            !asking.has_caused(&found(5, 2), 101),
            "somebody else may have asked for the same after the grade had died"
        );
        let ours = CurrentSet { is_ours: true, ..found(5, 2) };
        assert!(asking.has_caused(&ours, 101), "the set tells who asked");
        assert!(!asking.has_caused(&CurrentSet { generation: 4, ..ours }, 101));
        assert!(asking.has_caused(&found(3, 1), 101), "nobody has asked for anything");
        assert!(!asking.has_caused(&found(3, 3), 100));
        let asked = RestorePoint { before: None, ..asking };
        assert!(asked.is_as_asked(5) && !asked.is_as_asked(3));
        assert!(
            asked.has_caused(&found(5, 2), 101),
            "the set's controller goes on when the grade is dead"
        );
        assert!(!asked.has_caused(&found(5, 4), 100), "somebody scaled it to 3 and back");
    }
}
