use std::{convert::Infallible, io, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::{BoxError, Layer as _, service_fn};

use crate::cluster::{
    Failure, Tried,
    client::request_layer::{RequestLayer, Requests},
};

/// A client, through our own layer, of a server that answers all with the same.
fn client_of(code: u16, kind: &'static str, body: String) -> Client {
    let service = service_fn(move |_: Request<Body>| {
        let answer = Response::builder().status(code).header("Content-Type", kind);
        let answer = answer.body(body.clone()).unwrap();
        async move { Ok::<_, BoxError>(answer) }
    });
    Client::new(
        RequestLayer { requests: Arc::new(Requests::default()), credential: None }.layer(service),
        "lab",
    )
}

/// What a request to a server that answers all with the same comes to.
async fn asked(code: u16, kind: &'static str, body: String) -> Result<Value, Failure> {
    asked_at("/api/v1/namespaces/lab/pods/web-0", code, kind, body).await
}

async fn asked_at(
    path: &str,
    code: u16,
    kind: &'static str,
    body: String,
) -> Result<Value, Failure> {
    let request = Request::get(path).body(vec![]).unwrap();
    let answer = client_of(code, kind, body).request::<Value>(request).await;
    answer.map_err(|error| Failure::of(&error, &Tried::default()))
}

/// Catches a proxy whose words are taken for the API server's: an object that is told to be gone, a
/// change that is told to be refused; and an error without its code.
#[tokio::test(start_paused = true)]
async fn only_the_api_server_answers() {
    let status = |code: u16| {
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "m", "reason": "", "code": code})
        .to_string()
    };
    let html = || "<html>log in</html>".to_owned();
    for (code, kind, body, expected) in [
        (404, "application/json", status(404), Some("not_found")),
        (403, "application/json", status(403), Some("forbidden")),
        (403, "application/json", status(0), Some("forbidden")),
        (404, "text/plain", "404 page not found\n".to_owned(), Some("not_found")),
        (
            429,
            "text/plain",
            "Too many requests, please try again later.\n".to_owned(),
            Some("busy"),
        ),
        (401, "text/plain", "Unauthorized".to_owned(), Some("credentials")),
        (
            400,
            "text/plain",
            "Client sent an HTTP request to an HTTPS server.\n".to_owned(),
            Some("bad_kubeconfig"),
        ),
        (
            502,
            "application/json",
            json!({"error": "no upstream"}).to_string(),
            Some("server_error"),
        ),
        (502, "text/html", html(), Some("server_error")),
        (503, "application/json", "{}".to_owned(), Some("server_error")),
        (404, "text/html", html(), Some("not_kubernetes")),
        (403, "text/html", html(), Some("not_kubernetes")),
        (404, "application/json", json!({"code": 404}).to_string(), Some("not_kubernetes")),
        (409, "application/json", "{}".to_owned(), Some("not_kubernetes")),
        (400, "text/plain", "Bad Request".to_owned(), Some("not_kubernetes")),
        (302, "text/plain", String::new(), Some("not_kubernetes")),
        (200, "text/html; charset=utf-8", "{}".to_owned(), Some("not_kubernetes")),
        (200, "application/json", "{}".to_owned(), None),
    ] {
        let found = asked(code, kind, body.clone()).await.err();
        assert_eq!(found.map(|it| it.id), expected, "{code} {body}");
    }
}

/// Catches an API server that has moved, told without its new address; and the page to which a proxy
/// sends whoever has not logged in, told as the address of an API server; and a password, or a token
/// of a query, that is told.
#[tokio::test]
async fn where_a_redirection_leads_is_told() {
    let moved = "https://lab:6443/k8s/c-1/version";
    for (location, shown, address) in [
        (moved, moved, Some("https://lab:6443/k8s/c-1")),
        ("https://me:hunter2@lab:6443/k8s/c-1/version", moved, Some("https://lab:6443/k8s/c-1")),
        ("/k8s/version?token=hunter2", "/k8s/version", Some("https://lab/k8s")),
        ("/version", "/version", None),
        ("https://sso.example/login?next=%2Fversion", "https://sso.example/login", None),
        ("https://sso.example/login#token=hunter2", "https://sso.example/login", None),
        ("//me:hunter2@sso.example/version", "//sso.example/version", None),
        ("k8s/version", "k8s/version", None),
    ] {
        let service = service_fn(move |_: Request<Body>| async move {
            let answer = Response::builder().status(301).header("Location", location);
            Ok::<_, BoxError>(answer.body(String::new()).unwrap())
        });
        let layer = RequestLayer { requests: Arc::new(Requests::default()), credential: None };
        let client = Client::new(layer.layer(service), "lab");
        let request = Request::get("/version").body(vec![]).unwrap();
        let error = client.request::<Value>(request).await.unwrap_err();
        let tried = Tried { server: "https://lab", ..Tried::default() };
        let failure = Failure::of(&error, &tried);
        let told = format!("HTTP status 301, a redirection to {shown}");
        assert_eq!((failure.id, &failure.detail[0]), ("not_kubernetes", &told));
        let written = address.map(|it| format!("`server: {it}`"));
        let is_told = written.as_ref().is_some_and(|it| failure.next.contains(it));
        assert_eq!(is_told, address.is_some(), "{failure:?}");
        assert_eq!(failure.next.contains("no proxy stands in between"), address.is_none());
    }
}

/// Catches a pod that a kubelet does not know any more, and whose absence counts as no answer.
#[tokio::test(start_paused = true)]
async fn a_kubelet_answers_in_plain_words() {
    let exec = "/api/v1/namespaces/lab/pods/web-0/exec?command=sh";
    let id = async |body: &str| {
        asked_at(exec, 404, "text/plain", body.to_owned()).await.err().map(|it| it.id)
    };
    assert_eq!(id("pod does not exist\n").await, Some("not_found"));
    assert_eq!(id("<html>log in</html>").await, Some("not_kubernetes"));
}

/// Catches a proxy's own words that nobody is told.
#[tokio::test]
async fn what_a_proxy_says_is_told() {
    let said = json!({"type": "error", "message": "must log in"}).to_string();
    let failure = asked(403, "application/json", said).await.unwrap_err();
    assert_eq!(failure.what, "the API server did not answer as a Kubernetes API server does");
    assert_eq!(failure.detail, ["HTTP status 403: must log in"]);
}

/// What comes of an answer whose parts come after such pauses, in seconds; without an end where the
/// last one is followed by nothing.
async fn in_parts(uri: &str, pauses: &'static [u64], ends: bool) -> Result<String, Failure> {
    let service = service_fn(move |_: Request<Body>| {
        let parts = stream::iter(pauses).then(|pause| async move {
            tokio::time::sleep(Duration::from_secs(*pause)).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))
        });
        let rest =
            if ends { stream::empty().left_stream() } else { stream::pending().right_stream() };
        let body = StreamBody::new(Box::pin(parts.chain(rest)));
        async move { Ok::<_, BoxError>(Response::new(body)) }
    });
    let layer = RequestLayer { requests: Arc::new(Requests::default()), credential: None };
    let client = Client::new(layer.layer(service), "lab");
    let answer = client.request_text(Request::get(uri).body(vec![]).unwrap());
    match tokio::time::timeout(Duration::from_secs(3600), answer).await {
        Ok(answer) => answer.map_err(|error| Failure::of(&error, &Tried::default())),
        Err(_) => Ok("for ever".to_owned()),
    }
}

/// Catches an answer that begins and never ends, which nothing bounds; and a long list over a slow
/// line, or a watch in which nothing happens, that is cut off.
#[tokio::test(start_paused = true)]
async fn an_answer_s_silence_is_bounded() {
    let list = "/api/v1/namespaces/lab/pods";
    let watch = "/api/v1/namespaces/lab/pods?watch=true";
    let exec = "/api/v1/namespaces/lab/pods/web-0/exec?command=sh";
    let began = tokio::time::Instant::now();
    let failure = in_parts(list, &[1], false).await.unwrap_err();
    assert_eq!((failure.id, failure.may_pass()), ("no_answer", true));
    assert_eq!(began.elapsed().as_secs(), 11);
    assert_eq!(in_parts(list, &[9, 9, 9, 9], true).await.unwrap(), "xxxx");
    assert_eq!(in_parts(watch, &[60, 60], true).await.unwrap(), "xx");
    assert_eq!(in_parts(exec, &[60, 60], true).await.unwrap(), "xx");
    assert_eq!(in_parts(watch, &[1], false).await.unwrap(), "for ever");
}

/// Catches an error whose body never ends.
#[tokio::test(start_paused = true)]
async fn an_error_s_silence_is_bounded() {
    let service = service_fn(|_: Request<Body>| {
        let body = StreamBody::new(stream::pending::<Result<Frame<Bytes>, io::Error>>());
        let answer = Response::builder().status(403).body(body).unwrap();
        async move { Ok::<_, BoxError>(answer) }
    });
    let layer = RequestLayer { requests: Arc::new(Requests::default()), credential: None };
    let client = Client::new(layer.layer(service), "lab");
    let watch = "/api/v1/namespaces/lab/pods?watch=true";
    let error = client.request_text(Request::get(watch).body(vec![]).unwrap()).await.unwrap_err();
    assert_eq!(Failure::of(&error, &Tried::default()).id, "no_answer");
}
