//! Who owns `spec.replicas` of a set before and after a grade: by that the API server answers the
//! next `kubectl apply --server-side`.

use futures::StreamExt as _;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    lab::Lab,
    state::{STANDING, read, replicas_owners},
};

/// This many at once: more would only wait for the processor.
const TOGETHER: usize = 4;
const THREE: &str = "  replicas: 3\n";
const FOUR: &str = "  replicas: 4\n";

/// How a set comes to its three replicas.
#[derive(Clone, Copy, Debug)]
enum Made {
    /// By `kubectl apply --server-side`.
    Applied,
    /// By `kubectl apply --server-side`, and by Helm.
    Shared,
    /// By `kubectl scale`.
    Scaled,
    /// By an autoscaler, which is deleted since; the manifest says nothing of replicas.
    Autoscaled,
    /// By somebody whose entry in `metadata.managedFields` was taken out.
    Unowned,
}

/// What becomes of the grade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    /// It is killed when it has scaled the set, and `restore` puts back what it left.
    Killed,
    /// It is killed, and the next grade puts back what it left.
    GradedAgain,
}

/// Catches a grade that keeps the replicas for its own, so that the student's next `kubectl apply
/// --server-side` tells a conflict with it, or one without replicas leaves them as they are; and a
/// grade that gives them to somebody else.
#[tokio::test]
async fn who_owned_the_replicas_owns_them_after_a_grade() {
    let rows = [
        (Made::Applied, End::Done),
        (Made::Shared, End::Done),
        (Made::Autoscaled, End::Done),
        (Made::Unowned, End::Done),
        (Made::Applied, End::Killed),
        (Made::Scaled, End::GradedAgain),
    ];
    let rows = rows.into_iter().enumerate().map(|(row, (made, end))| async move {
        Lab::round(format!("live-owners-{row}"), async |lab| {
            make(lab, made).await;
            let before = owned(lab).await;
            grade(lab, end).await;
            lab.settled("web", 3).await;
            assert_eq!(owned(lab).await, before, "{made:?}, {end:?}");
            if let Made::Applied = made {
                assert_eq!(lab.apply_server_side("kubectl", FOUR, "").await, Ok(Some(4)));
            }
            Ok(())
        })
        .await
    });
    let rows = futures::stream::iter(rows).buffer_unordered(TOGETHER);
    let wrong: Vec<String> = rows.filter_map(async |it| it.err()).collect().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Catches a grade that fails, or says something, because it may not change who owns what.
#[tokio::test]
async fn without_the_permission_nothing_is_said() {
    Lab::run("live-owners-guest", async |lab| {
        make(lab, Made::Applied).await;
        let kubeconfig = lab.as_guest().await;
        let graded = lab.grade(&["--kubeconfig", kubeconfig.to_str().unwrap()]).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
        assert!(
            graded.says("the replicas are as they were found") && !graded.says("note:"),
            "{}",
            graded.told()
        );
    })
    .await;
}

async fn make(lab: &Lab, made: Made) {
    let text = read(STANDING);
    let (service, _) = text.split_once("\n---\n").unwrap();
    lab.create(service, "live").await;
    let applied = async |manager, replicas| {
        lab.apply_server_side(manager, replicas, "&force=true").await.unwrap();
    };
    match made {
        Made::Applied => applied("kubectl", THREE).await,
        Made::Shared => {
            applied("kubectl", THREE).await;
            applied("helm", THREE).await;
        }
        Made::Scaled => {
            applied("kubectl", "  replicas: 2\n").await;
            scale(lab, "kubectl").await;
        }
        Made::Autoscaled => {
            applied("kubectl", "").await;
            scale(lab, "kube-controller-manager").await;
        }
        Made::Unowned => {
            applied("kubectl", "").await;
            applied("helm", THREE).await;
            let mut entries = lab.set().await.metadata.managed_fields.unwrap();
            entries.retain(|it| it.manager.as_deref() != Some("helm"));
            let less = Patch::Merge(json!({"metadata": {"managedFields": entries}}));
            sets(lab).patch("web", &PatchParams::default(), &less).await.unwrap();
        }
    }
    lab.settled("web", 3).await;
}

/// Asks for three replicas as the manager of that name.
async fn scale(lab: &Lab, manager: &str) {
    let three = Patch::Merge(json!({"spec": {"replicas": 3}}));
    sets(lab).patch_scale("web", &PatchParams::apply(manager), &three).await.unwrap();
}

fn sets(lab: &Lab) -> Api<k8s_openapi::api::apps::v1::StatefulSet> {
    Api::namespaced(lab.client.clone(), lab.name())
}

async fn grade(lab: &Lab, end: End) {
    if end != End::Done {
        let (mut child, _) = lab.begin("scale up", &[]).await;
        lab.asked_for_replicas(|it| it == 5).await;
        child.kill().await.unwrap();
        let owners = replicas_owners(&lab.set().await);
        assert!(owners[0]["manager"] == "stsgrade" && owners.len() == 1, "{owners:?}");
    }
    let ended = match end {
        End::Killed => lab.stsgrade("restore", &[]).await,
        End::Done | End::GradedAgain => lab.grade(&[]).await,
    };
    assert_eq!(ended.status, 0, "{}", ended.told());
}

/// Who owns the replicas, and what would come of a manifest with others, and of one without any.
async fn owned(lab: &Lab) -> (Vec<Value>, Vec<Result<Option<i32>, String>>) {
    let owners = replicas_owners(&lab.set().await);
    let mut answers = vec![];
    for replicas in [FOUR, ""] {
        answers.push(lab.apply_server_side("kubectl", replicas, "&dryRun=All").await);
    }
    (owners, answers)
}
