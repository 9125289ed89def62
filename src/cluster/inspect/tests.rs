use std::{convert::Infallible, future::pending, time::Duration};

use checks::model::{
    Fact, Observation, Timeline,
    observation::{ObjectChange, Reference, object::Object},
};
use http::{Request, Response};
use kube::{Client, client::Body};
use tokio::time::timeout;
use tower::service_fn;

use super::{Inspector, PodToRead};
use crate::{
    cluster::{
        Cluster, Journal,
        exec::{ephemeral::ProbeContainers, mounts::ClaimView},
    },
    recording::{AskedOptions, Header},
};

/// What an API server answers each request: a status code, and the words of the failure.
type Answer = fn(path: &str) -> (u16, &'static str);

fn cluster(answer: Answer) -> Cluster {
    let service = service_fn(move |request: Request<Body>| async move {
        let (code, message) = answer(request.uri().path());
        let body = serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": message, "reason": "", "code": code});
        let body = Body::from(body.to_string().into_bytes());
        Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
    });
    Cluster::with(Client::new(service, "lab"), "lab")
}

/// What a running pod mounts of its claim.
fn mounted() -> Vec<ClaimView> {
    let pod = r#"{"metadata": {"name": "web-0", "uid": "1"},
        "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}],
            "containers": [{"name": "web", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]},
        "status": {"containerStatuses": [{"name": "web", "state": {"running": {}}}]}}"#;
    let timeline = Timeline::of(&[Observation {
        seq: 1,
        at: 1,
        what: Fact::Object(ObjectChange::Listed, Object::Pod(serde_json::from_str(pod).unwrap())),
    }]);
    timeline.unowned_pods().flat_map(ClaimView::of).collect()
}

/// Whether a pod is to be looked at again after a look that met these answers.
async fn is_looked_at_again(answer: Answer, mounted: Vec<ClaimView>) -> bool {
    let cluster = cluster(answer);
    let journal = Journal::unkept(&Header::now("v1", "lab", AskedOptions::default()));
    let probe = ProbeContainers::new(&cluster, "busybox");
    let inspector = Inspector::new(&cluster, &journal, Some(&probe));
    let pod = Reference { name: "web-0".to_owned(), uid: "1".to_owned() };
    let any_container = Some("web".to_owned());
    inspector.inspect(PodToRead { pod, mounted, any_container, ..PodToRead::default() }).await;
    let life = inspector.state().lives["1"];
    !life.finished && life.next_look_at > 0
}

/// Catches a pod that is never looked at because one request failed, of those that start a container
/// of our own; and one in which nobody may start any and that gets one after the other.
#[tokio::test(start_paused = true)]
async fn a_container_of_our_own_is_tried_again_where_that_may_help() {
    const NO_SHELL: (u16, &str) = (500, "exec: \"sh\": executable file not found in $PATH");
    let busy: Answer = |path| if path.ends_with("/exec") { NO_SHELL } else { (500, "a timeout") };
    let closed: Answer = |path| if path.ends_with("/exec") { NO_SHELL } else { (403, "forbidden") };
    assert!(is_looked_at_again(busy, mounted()).await);
    assert!(!is_looked_at_again(closed, mounted()).await);
}

/// Catches a pod without PVCs from which DNS is never asked because one request failed.
#[tokio::test(start_paused = true)]
async fn a_pod_without_claims_is_looked_at_again_where_that_may_help() {
    assert!(is_looked_at_again(|_| (500, "a timeout"), vec![]).await);
    assert!(!is_looked_at_again(|_| (403, "forbidden"), vec![]).await);
}

/// Catches a canary that stays on a PVC, because the tour ended before its pod had answered, as where
/// somebody evicts that; and one that is looked for where none can be.
#[tokio::test(start_paused = true)]
async fn a_canary_is_noted_before_its_pod_answers() {
    let never = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Infallible>>());
    let silent = Cluster::with(Client::new(never, "lab"), "lab");
    let without_shell = cluster(|_| (500, "exec: \"sh\": executable file not found in $PATH"));
    for (cluster, is_marked) in [(silent, true), (without_shell, false)] {
        let journal = Journal::unkept(&Header::now("v1", "lab", AskedOptions::default()));
        let inspector = Inspector::new(&cluster, &journal, None);
        let pod = Reference { name: "web-0".to_owned(), uid: "1".to_owned() };
        let to_read = PodToRead { pod, mounted: mounted(), ..PodToRead::default() };
        let looked = timeout(Duration::from_millis(1), inspector.inspect(to_read)).await;
        assert_eq!(
            (looked.is_err(), inspector.with_canaries().contains("web-0")),
            (is_marked, is_marked)
        );
    }
}
