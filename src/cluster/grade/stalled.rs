//! A set's controller that stands still after the set's claims went with their pods.

use std::time::Duration;

use checks::model::{Timeline, WaitStatus};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::cluster::{
    WaitResult,
    client::retry::{MAX_UNAVAILABILITY, retry_while_unavailable},
    grade::changing_steps::ChangingSteps,
};

/// How long the controller may stand still before the set is touched, where claims go with the
/// pods.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

impl ChangingSteps<'_> {
    /// Touches the set if it stands still after its claims went: the controller hears of pods and
    /// sets alone, not of claims. Source: pkg/controller/statefulset/stateful_set.go,
    /// NewStatefulSetController.
    pub(super) async fn unstall(&self, from: i32, to: i32) {
        let tour = self.tour;
        if to <= from || !self.set_before.deletes_claims {
            return;
        }
        let first = tour.journal.with(Timeline::start).saturating_add(from);
        let started = |timeline: &Timeline| {
            if timeline.live(first).is_some() {
                WaitStatus::Done
            } else {
                WaitStatus::Awaited("the first new pod".to_owned())
            }
        };
        let waiting = tour.journal.wait_quietly(tour.within_deadline(STALL_TIMEOUT), started);
        let Some(waited) = tour.unless_interrupted(waiting).await else { return };
        if waited != WaitResult::Done {
            let api: Api<StatefulSet> =
                Api::namespaced(tour.cluster.client.clone(), &tour.cluster.namespace);
            let set = &self.set_before.set.name;
            let touch = async |value: Value| {
                let touch = json!({"metadata": {"annotations": {"stsgrade/touch": value}}});
                let touched =
                    api.patch_metadata(set, &PatchParams::default(), &Patch::Merge(touch)).await;
                let failure =
                    |error| tour.cluster.failure(&error, "patch", "statefulsets.apps", set);
                touched.map(drop).map_err(failure)
            };
            // If this fails, the wait that follows names what is missing.
            let _ = touch(json!("touched")).await;
            let max_unavailability = tour.within_deadline(MAX_UNAVAILABILITY);
            let take_back =
                retry_while_unavailable(max_unavailability, async |_| touch(Value::Null).await);
            if tour.unless_interrupted(take_back).await.is_none() {
                let _ = touch(Value::Null).await;
            }
        }
    }
}
