use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tower::service_fn;

use crate::cluster::{
    Cluster,
    client::lease_term,
    restore::{lease::acquire, restore_point::RestorePoint},
};

/// The API server's Lease, as its last write left it: 2026-11-30T10:00:00Z is when it was created.
#[derive(Default)]
struct Server {
    lease: Value,
    writes: u32,
}

impl Server {
    fn write(&mut self, request: &Method, body: Value) -> Value {
        self.writes += 1;
        if *request == Method::POST {
            self.lease = body;
        } else {
            self.lease["metadata"]["annotations"]
                .as_object_mut()
                .unwrap()
                .extend(body["metadata"]["annotations"].as_object().unwrap().clone());
        }
        let time = format!("2026-11-30T10:0{}:00Z", self.writes - 1);
        let metadata = self.lease["metadata"].as_object_mut().unwrap();
        metadata.insert("uid".to_owned(), json!("u"));
        metadata.insert("resourceVersion".to_owned(), json!(self.writes.to_string()));
        metadata.insert("managedFields".to_owned(), json!([{"manager": "stsgrade", "time": time}]));
        self.lease.clone()
    }
}

/// A cluster in which nothing is but a Lease.
fn cluster() -> (Cluster, Arc<Mutex<Server>>) {
    let server = Arc::new(Mutex::new(Server::default()));
    let of_service = Arc::clone(&server);
    let service = service_fn(move |request: Request<Body>| {
        let server = Arc::clone(&of_service);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let answer = server.lock().unwrap().write(&parts.method, body);
            let answer = Body::from(answer.to_string().into_bytes());
            Ok::<_, Infallible>(Response::new(answer))
        }
    });
    (Cluster::with(Client::new(service, "lab"), "lab"), server)
}

/// Catches a grader that lost its Lease because it was cut off or stopped, and that then takes for
/// its own what somebody did meanwhile; and a third one that does so after it has died.
#[tokio::test]
async fn whoever_lost_the_lease_by_time_is_a_successor() {
    let (cluster, server) = cluster();
    let point = RestorePoint { uid: "s".to_owned(), replicas: 3, ..RestorePoint::default() };
    let lease = acquire(&cluster, Some(&point), &[]).await.unwrap().unwrap();
    lease.write(&point).await.unwrap();
    assert!(lease.take_again().await, "it is ours still");
    assert!(!lease.point().unwrap().was_left());

    let ago = lease_term::now().checked_sub(Duration::from_secs(61)).unwrap_or_default();
    lease.0.term.renew(ago);
    assert_eq!(lease.loss().map(|it| it.by_time), Some(true));
    assert!(lease.take_again().await);
    assert_eq!(lease.loss(), None);
    let point = lease.point().unwrap();
    // The last write before the loss was the second one.
    assert_eq!((point.was_left(), point.until), (true, Some(1_796_032_860)));
    let written = server.lock().unwrap().lease["metadata"]["annotations"]["stsgrade/restore-point"]
        .as_str()
        .map(|it| serde_json::from_str::<RestorePoint>(it).unwrap());
    assert_eq!(written, Some(point), "whoever comes after it must know that too");
}
