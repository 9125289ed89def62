use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request, Response};
use kube::client::Body;
use tower::{BoxError, Layer as _, Service as _, ServiceExt as _, service_fn};

use crate::cluster::client::request_layer::{
    Call, MaxTries, RequestLayer, Requests, is_of_a_lease,
};

/// What the server does with one try.
#[derive(Clone, Copy)]
enum Does {
    Answers(u16),
    Fails(io::ErrorKind),
    IsSilent,
}

use Does::{Answers, Fails, IsSilent};

/// Sends one request to a server that does one thing after the other: the last answer, the tries
/// that were counted, and how long it took.
async fn send(
    request: http::request::Builder,
    does: &[Does],
) -> (Result<u16, BoxError>, u64, Duration) {
    let mut script = does.to_vec();
    script.reverse();
    let script = Arc::new(Mutex::new(script));
    let service = service_fn(move |_: Request<Body>| {
        let does = script.lock().unwrap().pop().unwrap();
        async move {
            match does {
                Answers(code) => Ok(Response::builder()
                    .status(code)
                    .header("Retry-After", "2")
                    .body(String::new())
                    .unwrap()),
                Fails(kind) => Err(BoxError::from(io::Error::other(io::Error::from(kind)))),
                IsSilent => std::future::pending().await,
            }
        }
    });
    let requests = Arc::new(Requests::default());
    let mut layered =
        RequestLayer { requests: Arc::clone(&requests), credential: None }.layer(service);
    let began = tokio::time::Instant::now();
    let request = request.body(Body::from(b"{}".to_vec())).unwrap();
    let answer = layered.ready().await.unwrap().call(request).await;
    (answer.map(|it| it.status().as_u16()), requests.total(), began.elapsed())
}

/// Catches a name that is taken for a resource: then the grader would write without its Lease, or a
/// change count as something else.
#[test]
fn a_lease_is_told_by_its_resource() {
    let lease = "/apis/coordination.k8s.io/v1/namespaces/lab/leases/stsgrade";
    assert!(is_of_a_lease(lease) && is_of_a_lease(lease.rsplit_once('/').unwrap().0));
    for other in [
        "/apis/apps/v1/namespaces/lab/statefulsets/leases/scale",
        "/api/v1/namespaces/leases-lab/pods/web-0",
        "/api/v1/namespaces/leases/pods/leases",
        "/apis/example.com/v1/namespaces/lab/leases/x",
    ] {
        assert!(!is_of_a_lease(other), "{other}");
    }
    let of = |path: &str| Call::of(&Method::DELETE, path, "");
    assert_eq!(of("/api/v1/namespaces/lab/pods/web-0/exec"), Call::Exec);
    assert_eq!(of("/api/v1/namespaces/lab/pods/exec"), Call::Delete);
    assert_eq!(of("/apis/apps/v1/namespaces/lab/statefulsets/attach"), Call::Delete);
}

/// Catches a busy or restarting server ending a grade, and pauses of minutes.
#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    let get = || Request::get("/api/v1/namespaces/a/pods");
    for first in [
        Answers(429),
        Answers(503),
        Answers(504),
        Fails(io::ErrorKind::ConnectionRefused),
        Fails(io::ErrorKind::ConnectionReset),
    ] {
        let (answer, tries, _) = send(get(), &[first, Answers(200)]).await;
        assert_eq!((answer.unwrap(), tries), (200, 2));
    }
    let (answer, tries, took) = send(get(), &[Fails(io::ErrorKind::ConnectionRefused); 9]).await;
    assert!(answer.is_err());
    assert_eq!(tries, 5);
    assert!(took < Duration::from_secs(4), "{took:?}");
    let (_, _, took) = send(get(), &[Answers(429), Answers(200)]).await;
    assert_eq!(took.as_secs(), 2, "the server asks for two seconds");
}

/// Catches a change that is made twice, a verdict that is asked for again, and a first question
/// that keeps the user waiting.
#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_not_done_again() {
    let post = || Request::post("/api/v1/namespaces");
    for (request, does, tries) in [
        (post(), Answers(503), 1),
        (post(), Fails(io::ErrorKind::ConnectionReset), 1),
        (post(), Answers(429), 2),
        (post(), Fails(io::ErrorKind::ConnectionRefused), 2),
        (Request::get("/api/v1/namespaces/a/pods/p/exec"), Answers(503), 1),
        (Request::patch("/apis/apps/v1/namespaces/a/statefulsets/s/scale"), Answers(503), 2),
        (Request::get("/api/v1/namespaces/a/pods"), Answers(500), 1),
        (Request::get("/api/v1/namespaces/a/pods"), Answers(403), 1),
        (Request::get("/api/v1/namespaces/a/pods?watch=true"), Answers(503), 1),
        (
            Request::get("/version").extension(MaxTries(1)),
            Fails(io::ErrorKind::ConnectionRefused),
            1,
        ),
    ] {
        let what = format!("{request:?}");
        assert_eq!(send(request, &[does, Answers(200)]).await.1, tries, "{what}");
    }
}

/// Catches a change that an admission webhook takes long to admit, and that is given up and sent
/// again and again; and a Lease that is lost because its renewal is awaited for as long.
#[tokio::test(start_paused = true)]
async fn a_change_is_given_the_time_of_a_webhook_and_sent_once() {
    const SCALE: &str = "/apis/apps/v1/namespaces/a/statefulsets/s/scale";
    const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/a/leases/stsgrade";
    let dry_run = format!("{SCALE}?dryRun=All");
    for (request, does, tries, seconds) in [
        (Request::patch(SCALE), IsSilent, 1, 35),
        (Request::delete("/api/v1/namespaces/a/pods/p"), IsSilent, 1, 35),
        (Request::post("/api/v1/namespaces"), IsSilent, 1, 35),
        (Request::patch(SCALE), Answers(504), 1, 0),
        (Request::patch(SCALE), Fails(io::ErrorKind::TimedOut), 1, 0),
        (Request::patch(&dry_run), Answers(504), 2, 2),
        (Request::patch(LEASE), IsSilent, 2, 10),
        (Request::get("/api/v1/namespaces/a/pods"), IsSilent, 2, 10),
    ] {
        let what = format!("{request:?}");
        let (_, tried, took) = send(request, &[does, Answers(200)]).await;
        assert_eq!((tried, took.as_secs()), (tries, seconds), "{what}");
    }
}

/// A call counted under the wrong name makes the cost table lie, and a watch that is taken for a
/// list is repeated from a stale position.
#[test]
fn calls_are_told_apart() {
    let of = |method: Method, uri: &str| {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        Call::of(&method, path, query)
    };
    assert_eq!(of(Method::GET, "/api/v1/namespaces/a/pods?limit=500"), Call::List);
    assert_eq!(of(Method::GET, "/api/v1/namespaces/a/pods?watch=true&x=1"), Call::Watch);
    assert_eq!(of(Method::GET, "/api/v1/namespaces/a/pods/web-0"), Call::Get);
    assert_eq!(of(Method::GET, "/api/v1/namespaces/a"), Call::Get);
    assert_eq!(of(Method::GET, "/apis/apps/v1/namespaces/a/statefulsets"), Call::List);
    assert_eq!(of(Method::GET, "/apis/apps/v1/namespaces/a/statefulsets/web/scale"), Call::Get);
    assert_eq!(of(Method::GET, "/apis/storage.k8s.io/v1/storageclasses"), Call::List);
    assert_eq!(of(Method::GET, "/version"), Call::Get);
    assert_eq!(of(Method::GET, "/api/v1/namespaces/a/pods/web-0/exec?command=sh"), Call::Exec);
    assert_eq!(of(Method::PATCH, "/apis/apps/v1/namespaces/a/statefulsets/web/scale"), Call::Patch);
    assert_eq!(of(Method::DELETE, "/api/v1/namespaces/a/pods/web-0"), Call::Delete);
    assert_eq!(
        of(Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"),
        Call::Create
    );
}

/// Catches a grade of a batch that is told to have cost what all of them did.
#[test]
fn what_grades_that_share_a_connection_cost_is_told_apart() {
    let requests = Requests::default();
    requests.begin_share("a");
    for path in ["/api/v1/namespaces/a/pods", "/api/v1/namespaces/b/pods", "/version"] {
        requests.count(Call::Get, path);
    }
    assert_eq!((requests.total(), requests.share("a"), requests.share("b")), (3, Some(1), None));
    requests.end_share("a");
    assert_eq!(requests.share("a"), None);
}

/// Catches an API server that is pressed and that nobody hears.
#[test]
fn a_pressed_server_is_noticed() {
    let requests = Requests::default();
    requests.answered(Call::List, http::StatusCode::TOO_MANY_REQUESTS, Duration::from_secs(2));
    // A watch begins to answer when there is something to tell.
    requests.answered(Call::Watch, http::StatusCode::OK, Duration::from_secs(60));
    assert_eq!((requests.throttled(), requests.latency()), (1, Duration::from_secs(2)));
    for _ in 0..50 {
        requests.answered(Call::Get, http::StatusCode::OK, Duration::from_millis(10));
    }
    assert!(requests.latency() < Duration::from_millis(100), "{:?}", requests.latency());
}
