//! What is not put back, in words.

use std::collections::BTreeSet;

use checks::model::Timeline;

use crate::cluster::{
    restore::{RestoreOutcome, Restorer, claims::is_being_deleted, restore_point::RestorePoint},
    writes::scale::CurrentSet,
};
use crate::console::count::counted;

impl Restorer<'_> {
    /// Why the replicas that the grade asked for stay.
    pub(super) fn would_delete(
        &self,
        point: &RestorePoint,
        found: &CurrentSet,
        claims: &[String],
    ) -> String {
        let (set, replicas) = (&point.set, point.replicas);
        format!(
            "{set} keeps {}: to scale it to {replicas}, as it was found, would delete PVC \
            {} (persistentVolumeClaimRetentionPolicy.whenScaled: Delete); if nothing of yours is on \
            it, do that: `kubectl scale sts {set} --replicas={replicas} -n {}`",
            counted(found.replicas, "replica", "replicas"),
            claims.join(", "),
            self.cluster.namespace
        )
    }

    /// What stays where somebody else has deleted the set: its claims, and what is on them.
    pub(super) fn of_deleted_set(&self, point: &RestorePoint) -> Vec<String> {
        let mut stays = vec![format!(
            "perhaps files named .stsgrade-… on the PVCs of {}, which somebody else deleted; the \
            next grade of a set with these PVCs removes them",
            point.set
        )];
        if point.asked.is_some() {
            let claims = self.journal.with(|timeline| self.possible_claims(timeline, point));
            stays.extend(
                claims.iter().map(|it| self.stays_because(it, "somebody else deleted the set")),
            );
        }
        stays
    }

    /// Names what stays because somebody else has scaled the set since.
    pub(super) fn leave_replicas(
        &self,
        point: &RestorePoint,
        replicas: i32,
        outcome: &mut RestoreOutcome,
    ) {
        // What was asked while it was put back, too.
        let point = &self.lease.point().unwrap_or_else(|| point.clone());
        let asked = point.asked.unwrap_or(point.replicas);
        outcome.not_restorable.push(format!(
            "{} keeps {}, as somebody else asked for: the grade had last asked for {asked}",
            point.set,
            counted(replicas, "replica", "replicas")
        ));
        outcome.not_restorable.extend(
            self.journal
                .with(|timeline| self.canaries_of_pods_scaled_away(timeline, point, replicas)),
        );
        if point.asked.is_none() {
            return;
        }
        let mut theirs = self.journal.with(|timeline| self.possible_claims(timeline, point));
        theirs.retain(|claim| !self.journal.with(|timeline| is_being_deleted(timeline, claim)));
        outcome.not_restorable.extend(theirs.iter().map(|it| {
            format!("PVC {} stays, because somebody else scaled the set since", it.name)
        }));
    }

    /// What still differs, when there is no time to do anything about it.
    pub(super) fn outstanding(
        &self,
        timeline: &Timeline,
        point: &RestorePoint,
    ) -> BTreeSet<String> {
        let mut left = BTreeSet::new();
        if let Some(set) = timeline.set().filter(|set| set.spec.replicas_or_one() != point.replicas)
        {
            left.insert(format!(
                "{} has {}, not {}",
                set.name,
                counted(set.spec.replicas_or_one(), "replica", "replicas"),
                point.replicas
            ));
        }
        left.extend(
            self.possible_claims(timeline, point).into_iter().map(|it| format!("PVC {}", it.name)),
        );
        left.insert("perhaps files named .stsgrade-… on the pods' PVCs".to_owned());
        left
    }
}
