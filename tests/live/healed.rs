//! A grade beside controllers that work on the same set: one that heals it, as GitOps does, and one
//! that evicts its pods, as a VerticalPodAutoscaler does. What they do is told as somebody else's,
//! costs no point wrongly, and harms nothing.

use std::{convert::Infallible, time::Duration};

use k8s_openapi::{
    api::{apps::v1::StatefulSet, core::v1::Pod},
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, EvictParams, ListParams, Patch, PatchParams, PropagationPolicy},
};
use serde_json::json;

use crate::{
    lab::{Lab, Ran},
    state::{CLAIMS, STANDING, is_ready, read},
};

/// Between two looks of a controller.
const LOOK: Duration = Duration::from_millis(100);
/// What the autoscaler wants the containers to request.
const RECOMMENDED: &str = "11m";

impl Lab {
    /// A grade while somebody works on the set, for ever or not.
    async fn grade_beside(&self, somebody: impl Future<Output = Infallible>) -> Ran {
        tokio::select! {
            graded = self.grade(&[]) => graded,
            never = somebody => match never {},
        }
    }

    /// No point is lost, and the namespace is as it was: by the grade itself, or by `restore` where
    /// that is what the grade said.
    pub(crate) async fn harmed_nothing(&self, graded: &Ran, before: &[(String, String)]) {
        let given = self.letters().await;
        assert!(!given.contains('F'), "{given}: {}", graded.told());
        assert!(matches!(graded.status, 0 | 3 | 5), "{}", graded.told());
        if graded.status == 5 {
            let restored = self.stsgrade("restore", &[]).await;
            assert_eq!(restored.status, 0, "{}\n{}", graded.told(), restored.told());
        }
        self.settled("web", 3).await;
        assert_eq!(self.kept().await, before, "{}", graded.told());
        self.left_nothing(&CLAIMS).await;
    }

    /// What nobody may change: the claims, and what the pods hold.
    pub(crate) async fn kept(&self) -> Vec<(String, String)> {
        let all = self.state().await.into_iter();
        all.filter(|(what, _)| what.starts_with("claim ") || what.starts_with("pod ")).collect()
    }

    async fn heals_replicas(&self) -> Infallible {
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), &self.namespace);
        let three = Patch::Merge(json!({"spec": {"replicas": 3}}));
        loop {
            if self.replicas("web").await != 3 {
                sets.patch("web", &PatchParams::default(), &three).await.unwrap();
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// As soon as a pod is replaced, the set is made anew around its pods, once.
    async fn remakes_the_set(&self) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), &self.namespace);
        let first = pods.get("web-1").await.unwrap().uid();
        self.until("web-1 is replaced", async || {
            pods.get_opt("web-1").await.unwrap().is_some_and(|it| it.uid() != first)
        })
        .await;
        let orphan = PropagationPolicy::Orphan;
        let orphan = DeleteParams { propagation_policy: Some(orphan), ..DeleteParams::default() };
        sets.delete("web", &orphan).await.unwrap();
        self.until("the set is gone", async || sets.get_opt("web").await.unwrap().is_none()).await;
        let set = read(STANDING);
        self.create(set.split_once("\n---\n").unwrap().1, "gitops").await;
    }

    /// Evicts a pod that requests something else, whenever all are Ready, as the updater of a
    /// VerticalPodAutoscaler does.
    async fn evicts_for_other_requests(&self) -> Infallible {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        loop {
            let all = pods.list(&ListParams::default()).await.unwrap().items;
            let other = all.iter().find(|it| !is_as_recommended(it));
            if let Some(pod) = other.filter(|_| all.len() >= 3 && all.iter().all(is_ready)) {
                match pods.evict(&pod.name_any(), &EvictParams::default()).await {
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    evicted => drop(evicted.unwrap()),
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn is_as_recommended(pod: &Pod) -> bool {
    let containers = &pod.spec.as_ref().unwrap().containers;
    let requests = containers[0].resources.as_ref().and_then(|it| it.requests.as_ref());
    requests.is_some_and(|it| it.get("cpu") == Some(&Quantity(RECOMMENDED.to_owned())))
}

/// Catches a grade that fights a GitOps controller, blames the submission for it, or leaves
/// something.
#[tokio::test]
async fn a_controller_that_heals_is_told_as_somebody_else() {
    let replicas = Lab::run("live-healed-replicas", async |lab| {
        lab.stand().await;
        let before = lab.kept().await;
        let graded = lab.grade_beside(lab.heals_replicas()).await;
        assert!(graded.says("somebody else scaled web to 3"), "{}", graded.told());
        assert_eq!(graded.status, 3, "{}", graded.told());
        lab.remove_named_claims(&graded).await;
        lab.harmed_nothing(&graded, &before).await;
    });
    let set = Lab::run("live-healed-set", async |lab| {
        lab.stand().await;
        let before = lab.kept().await;
        // The grade may end before the new set is there; the next one must not begin before.
        let (graded, ()) = tokio::join!(lab.grade(&[]), lab.remakes_the_set());
        let told = graded.says("somebody else deleted web while it was graded")
            || graded.says("somebody else is deleting web");
        assert!(told && graded.status == 3, "{}", graded.told());
        assert!(!lab.letters().await.contains('F'), "{}", graded.told());
        // It may not write to pods of a set that it does not know, and says so.
        assert!(graded.says("the next grade of a set with these PVCs removes them"));
        let again = lab.grade(&[]).await;
        assert_eq!(again.score(), 100, "{}", again.told());
        lab.harmed_nothing(&again, &before).await;
    });
    tokio::join!(replicas, set);
}

/// Catches a pod that is evicted, and comes back with other requests, in the middle of a grade, and
/// costs a point.
#[tokio::test]
async fn an_autoscaler_that_evicts_costs_nothing() {
    Lab::run("live-evicted", async |lab| {
        lab.stand().await;
        let before = lab.kept().await;
        let patch = format!(
            r#"op: "add", path: "/spec/containers/0/resources", value: Object.spec.containers.resources{{requests: {{"cpu": "{RECOMMENDED}"}}}}"#
        );
        lab.change_new_pods(&patch).await;
        let graded = lab.grade_beside(lab.evicts_for_other_requests()).await;
        lab.leave_new_pods().await;
        let pods: Api<Pod> = Api::namespaced(lab.client.clone(), &lab.namespace);
        // The grade may end at the first one that was evicted.
        let is_one_new = async || {
            let all = pods.list(&ListParams::default()).await.unwrap();
            all.iter().any(is_as_recommended)
        };
        lab.until("a pod that was evicted is back", is_one_new).await;
        lab.harmed_nothing(&graded, &before).await;
    })
    .await;
}
