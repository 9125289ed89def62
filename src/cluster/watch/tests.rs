use std::{
    collections::VecDeque,
    convert::Infallible,
    io::Cursor,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use checks::model::{
    Fact, Observation, Version,
    observation::{Kind, ObjectChange, object::Object},
};
use futures::{StreamExt as _, stream};
use http::{Request, Response};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use kube::{Client, client::Body};
use tower::service_fn;

use crate::cluster::watch::Recorder;
use crate::{
    cluster::{Cluster, Journal},
    recording::{AskedOptions, Header, Reader, Writer},
};

/// One answer of the fake API server about pods.
enum Answer {
    /// A status and a body.
    Whole(u16, String),
    /// These lines, and then the watch stays open for ever.
    Open(Vec<String>),
}

use Answer::{Open, Whole};

/// A fake API server that answers about pods by a script; all other kinds are empty and quiet.
#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    /// The pods' queries.
    asked: Arc<Mutex<Vec<String>>>,
    /// Plurals that may not be read.
    forbidden: Vec<&'static str>,
    /// The connection is dead: watches say nothing, and no other question is answered.
    dead: bool,
    file: Arc<Mutex<Vec<u8>>>,
}

struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Server {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    fn answer(&self, request: &Request<Body>) -> Answer {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or(""));
        if self.forbidden.iter().any(|plural| path.ends_with(plural)) {
            return Whole(403, status(403, "Forbidden", "no such right"));
        }
        if path == "/api/v1/namespaces/lab/pods" {
            self.asked.lock().unwrap().push(query.to_owned());
            return self.answers.lock().unwrap().pop_front().unwrap_or(Open(vec![]));
        }
        if query.contains("watch=true") { Open(vec![]) } else { Whole(200, list("1", "", &[])) }
    }

    fn cluster(&self) -> Cluster {
        let server = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            let is_lost = server.dead && request.uri().path() == "/version";
            let reply = reply(server.answer(&request));
            async move {
                if is_lost { std::future::pending().await } else { Ok::<_, Infallible>(reply) }
            }
        });
        Cluster::with(Client::new(service, "lab"), "lab")
    }

    async fn start(&self) -> (Journal, Result<Recorder, crate::cluster::Failure>) {
        let cluster = self.cluster();
        let journal = Journal::start(Writer::to(
            Box::new(Kept(Arc::clone(&self.file))),
            &Header::now("v1", "lab", AskedOptions::default()),
        ));
        let recorder = Recorder::start(&cluster, &journal).await;
        (journal, recorder)
    }

    /// Runs until a line says what `until` looks for, stops, and gives all lines.
    async fn lines(&self, until: fn(&Fact) -> bool) -> Vec<Fact> {
        let (journal, recorder) = self.start().await;
        let mut pushed = journal.lines();
        let seen = async {
            while !self.recorded().iter().any(until) {
                pushed.changed().await.unwrap()
            }
        };
        tokio::time::timeout(Duration::from_secs(600), seen).await.unwrap();
        recorder.unwrap().stop().await;
        self.recorded()
    }

    fn recorded(&self) -> Vec<Fact> {
        let mut reader =
            Reader::from(Box::new(Cursor::new(self.file.lock().unwrap().clone())), "test").unwrap();
        let mut lines = vec![];
        while let Some(Observation { what, .. }) = reader.next().unwrap() {
            lines.push(what);
        }
        lines
    }

    fn requests(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .map(|it| {
                it.replace(
                    "watch=true&allowWatchBookmarks=true&timeoutSeconds=290&resourceVersion=",
                    "watch ",
                )
            })
            .collect()
    }
}

fn reply(answer: Answer) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let frame = |text: String| Ok::<_, Infallible>(http_body::Frame::data(Bytes::from(text)));
    let (code, body) = match answer {
        Whole(code, text) => (code, StreamBody::new(stream::iter([frame(text)])).boxed_unsync()),
        Open(lines) => (
            200,
            StreamBody::new(stream::iter(lines.into_iter().map(frame)).chain(stream::pending()))
                .boxed_unsync(),
        ),
    };
    Response::builder().status(code).body(body).unwrap()
}

fn pod(name: &str, version: u32, phase: &str) -> String {
    format!(
        r#"{{"kind":"Pod","metadata":{{"name":"{name}","uid":"uid-{name}","resourceVersion":"{version}","managedFields":[{{"manager":"x"}}]}},"spec":{{"nodeName":"n"}},"status":{{"phase":"{phase}"}}}}"#
    )
}

fn list(version: &str, rest: &str, items: &[String]) -> String {
    format!(
        r#"{{"kind":"List","metadata":{{"resourceVersion":"{version}","continue":"{rest}"}},"items":[{}]}}"#,
        items.join(",")
    )
}

fn event(kind: &str, object: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}

fn bookmark(version: u32) -> String {
    event(
        "BOOKMARK",
        &format!(
            r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"resourceVersion":"{version}"}}}}"#
        ),
    )
}

fn status(code: u16, reason: &str, message: &str) -> String {
    format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{message}","reason":"{reason}","code":{code}}}"#
    )
}

/// The lines in short: `Listed web-0 Running`, `gap after 1 without uid-web-0`.
fn short(lines: &[Fact]) -> Vec<String> {
    let line = |what: &Fact| match what {
        Fact::Object(change, Object::Pod(pod)) => {
            format!("{change:?} {} {}", pod.metadata.name, pod.status.phase)
        }
        Fact::Gap(gap) => {
            format!("gap after {:?} without {:?}: {}", gap.last_sure, gap.vanished, gap.reason)
        }
        other => format!("{other:?}"),
    };
    lines.iter().map(line).collect()
}

fn is(what: &Fact, change: ObjectChange, name: &str) -> bool {
    matches!(what, Fact::Object(it, object) if *it == change && object.metadata().name == name && object.kind() == Kind::Pod)
}

/// Catches a deletion that is lost when the server has forgotten the position, by either way of
/// saying so.
#[tokio::test(start_paused = true)]
async fn an_expired_position_leaves_a_gap_and_a_new_list() {
    let expired = || status(410, "Expired", "too old resource version");
    for deleted in [Whole(410, expired()), Whole(200, event("ERROR", &expired()))] {
        let server = Server::new([
            Whole(200, list("5", "", &[pod("web-0", 3, "Running"), pod("web-1", 4, "Pending")])),
            Whole(200, event("MODIFIED", &pod("web-1", 6, "Running"))),
            deleted,
            Whole(200, list("9", "", &[pod("web-1", 6, "Running"), pod("web-2", 9, "Pending")])),
            Open(vec![event("DELETED", &pod("web-2", 10, "Pending"))]),
        ]);
        let lines = server.lines(|it| is(it, ObjectChange::Deleted, "web-2")).await;
        assert_eq!(
            short(&lines),
            [
                "Listed web-0 Running",
                "Listed web-1 Pending",
                "Modified web-1 Running",
                "gap after Some(3) without [\"uid-web-0\"]: too old resource version",
                "Listed web-1 Running",
                "Listed web-2 Pending",
                "Deleted web-2 Pending",
            ]
        );
        assert_eq!(server.requests(), ["limit=500", "watch 5", "watch 6", "limit=500", "watch 9"]);
    }
}

/// Catches events that are missed or doubled where one watch ends and the next begins.
#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_is_resumed_where_it_was() {
    let server = Server::new([
        Whole(200, list("5", "", &[])),
        Whole(200, event("ADDED", &pod("web-0", 6, "Pending")) + &bookmark(20)),
        Whole(503, status(503, "ServiceUnavailable", "starting")),
        // Cut off in the middle of an event.
        Whole(200, event("MODIFIED", &pod("web-0", 21, "Running")) + "{\"type\":\"DELETED\",\"obj"),
        Open(vec![
            event("MODIFIED", &pod("web-0", 22, "Running")),
            event("DELETED", &pod("web-0", 23, "Running")),
        ]),
    ]);
    let lines = server.lines(|it| is(it, ObjectChange::Deleted, "web-0")).await;
    assert_eq!(
        short(&lines),
        ["Added web-0 Pending", "Modified web-0 Running", "Deleted web-0 Running"]
    );
    assert_eq!(server.requests(), ["limit=500", "watch 5", "watch 20", "watch 20", "watch 21"]);
}

/// Catches a connection that died without a word being waited on for ever.
#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_given_up() {
    let server = Server::new([
        Whole(200, list("5", "", &[])),
        Open(vec![bookmark(7)]),
        Open(vec![event("ADDED", &pod("web-0", 8, "Pending"))]),
    ]);
    server.lines(|it| is(it, ObjectChange::Added, "web-0")).await;
    assert_eq!(server.requests(), ["limit=500", "watch 5", "watch 7"]);
}

/// Catches an event that cannot be read being skipped in silence.
#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_is_a_gap() {
    let server = Server::new([
        Whole(200, list("5", "", &[])),
        Open(vec![event("ADDED", r#"{"metadata":{"name":7}}"#)]),
        Whole(200, list("6", "", &[pod("web-0", 6, "Running")])),
    ]);
    let lines = short(&server.lines(|it| is(it, ObjectChange::Listed, "web-0")).await);
    assert_eq!(
        lines,
        ["gap after None without []: an event could not be read", "Listed web-0 Running"]
    );
}

/// Catches a second page that is lost, or watched from the first page's position.
#[tokio::test(start_paused = true)]
async fn a_list_comes_in_pages() {
    let server = Server::new([
        Whole(200, list("5", "a/+=", &[pod("web-0", 3, "Running")])),
        Whole(200, list("5", "", &[pod("web-1", 4, "Running")])),
    ]);
    let lines = server.lines(|it| is(it, ObjectChange::Listed, "web-1")).await;
    assert_eq!(short(&lines), ["Listed web-0 Running", "Listed web-1 Running"]);
    assert_eq!(server.requests(), ["limit=500", "limit=500&continue=a%2F%2B%3D", "watch 5"]);
}

/// Catches a grade that is refused for the lack of mere colour, and one that goes on blind.
#[tokio::test(start_paused = true)]
async fn events_may_be_forbidden_and_pods_may_not() {
    let server = Server { forbidden: vec!["events", "endpointslices"], ..Server::default() };
    *server.answers.lock().unwrap() = VecDeque::from([Whole(200, list("5", "", &[]))]);
    let (_journal, recorder) = server.start().await;
    recorder.unwrap().stop().await;
    let told = format!("{:?}", server.recorded());
    assert!(
        told.contains("endpointslices.discovery.k8s.io")
            && told.contains("\"events\"")
            && told.contains("no such right"),
        "{told}"
    );

    let server = Server { forbidden: vec!["pods"], ..Server::default() };
    let failure = server.start().await.1.err().unwrap();
    assert_eq!(
        (failure.id, failure.what.as_str()),
        ("forbidden", "not permitted: list pods in namespace lab")
    );
}

/// Catches a server's absence going unsaid, and staying said when it is back.
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_noticed() {
    let server = Server::new([
        Whole(200, list("5", "", &[])),
        Whole(200, String::new()),
        Whole(500, status(500, "InternalError", "etcd is gone")),
        Whole(500, status(500, "InternalError", "etcd is gone")),
        Open(vec![event("ADDED", &pod("web-0", 8, "Pending"))]),
    ]);
    let (journal, recorder) = server.start().await;
    let mut outage = journal.outage();
    let why = outage.wait_for(Option::is_some).await.unwrap().clone().unwrap().why;
    assert!(why.contains("etcd is gone"), "{why}");
    outage.wait_for(Option::is_none).await.unwrap();
    recorder.unwrap().stop().await;
}

/// Catches a cable that is cut and noticed only when a bookmark is overdue, or never: nobody
/// refuses, nobody answers.
#[tokio::test(start_paused = true)]
async fn a_dead_connection_is_noticed_and_the_watches_go_on_where_they_were() {
    let answers = [
        Whole(200, list("5", "", &[])),
        Open(vec![bookmark(7)]),
        Open(vec![event("ADDED", &pod("web-0", 8, "Pending"))]),
    ];
    let server = Server { dead: true, ..Server::new(answers) };
    let (journal, recorder) = server.start().await;
    let mut outage = journal.outage();
    let why = outage.wait_for(Option::is_some).await.unwrap().clone().unwrap().why;
    assert_eq!(why, "no answer within 10 s");
    outage.wait_for(Option::is_none).await.unwrap();
    recorder.unwrap().stop().await;
    assert_eq!(
        (short(&server.recorded()), server.requests()),
        (
            vec!["Added web-0 Pending".to_owned()],
            ["limit=500", "watch 5", "watch 7"].map(str::to_owned).to_vec()
        )
    );
}

/// Catches events that had arrived before the stop and are thrown away.
#[tokio::test(start_paused = true)]
async fn what_has_arrived_is_written_before_it_stops() {
    let events: Vec<String> =
        (0..100).map(|n| event("ADDED", &pod(&format!("web-{n}"), 10 + n, "Pending"))).collect();
    let server = Server::new([Whole(200, list("5", "", &[])), Open(events)]);
    let (_journal, recorder) = server.start().await;
    recorder.unwrap().stop().await;
    assert_eq!(server.recorded().len(), 100);
}

/// Catches a recording that ends, and a tour that begins, before a late watch has shown what the
/// API server already answers.
#[tokio::test(start_paused = true)]
async fn a_late_watch_is_waited_for() {
    let late = || {
        Server::new([
            Whole(200, list("5", "", &[pod("web-0", 4, "Running")])),
            // Silent, until it is given up and resumed.
            Open(vec![]),
            Whole(200, list("9", "", &[pod("web-1", 8, "Pending")])),
            Open(vec![
                event("DELETED", &pod("web-0", 7, "Running")),
                event("ADDED", &pod("web-1", 8, "Pending")),
            ]),
        ])
    };
    for (within, expected) in [(30, false), (120, true)] {
        let server = late();
        let recorder = server.start().await.1.unwrap();
        assert_eq!(
            recorder.catch_up(&server.cluster(), Duration::from_secs(within)).await,
            expected
        );
        assert_eq!(short(&server.recorded()).len() == 3, expected);
        recorder.stop().await;
    }
    let server = late();
    server.answers.lock().unwrap().remove(2);
    let recorder = server.start().await.1.unwrap();
    let applied = [(Kind::Pod, Version::of("8"))];
    assert!(
        recorder
            .positions()
            .wait_until_reached(&[(Kind::Pod, Version::of("5"))], Duration::ZERO)
            .await,
        "what the list showed"
    );
    assert!(!recorder.positions().wait_until_reached(&applied, Duration::from_secs(30)).await);
    assert!(recorder.positions().wait_until_reached(&applied, Duration::from_secs(90)).await);
    assert_eq!(short(&server.recorded()).len(), 3, "reached when it is written down");
    recorder.stop().await;
}
