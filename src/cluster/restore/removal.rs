//! Removing one object, by its path and UID.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use http::Method;
use serde_json::{Value, json};

use crate::cluster::{
    Cluster,
    client::retry::{MAX_UNAVAILABILITY, retry_while_unavailable},
    writes::{
        delete::Left,
        send::{self, send, send_once},
    },
};

/// Between two looks at what is still going.
pub(super) const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// The answer about an object that is gone.
pub(super) const GONE_STATUS_CODES: &[u16] = &[404];
/// The same of a namespace, which the RoleBinding goes with by which an account may read it.
pub(super) const NAMESPACE_GONE_STATUS_CODES: &[u16] = &[403, 404];

/// What became of an object that was to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    /// It is gone.
    Gone,
    /// It was gone already.
    GoneBefore,
    /// Another one has its name: somebody else removed it.
    NotOurs,
    /// It is still there, and why.
    Left(Left),
}

/// Deletes the object of that UID and waits until it is gone, which these codes say.
pub(super) async fn remove(
    cluster: &Cluster,
    path: &str,
    uid: &str,
    gone: &[u16],
    deadline: Instant,
) -> Removed {
    match ask_to_go(cluster, path, uid).await {
        ControlFlow::Break(removed) => removed,
        ControlFlow::Continue(()) => await_gone(cluster, path, uid, gone, deadline).await,
    }
}

/// Deletes the object; what became of it, where there is nothing to wait for.
async fn ask_to_go(cluster: &Cluster, path: &str, uid: &str) -> ControlFlow<Removed> {
    // In the foreground: when the set is gone, its pods are.
    let how = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground", "preconditions": {"uid": uid}});
    let content = "application/json";
    let delete =
        async |again| match send_once(cluster, Method::DELETE, path, content, Some(&how)).await {
            Ok(_) => Ok(ControlFlow::Continue(())),
            Err(kube::Error::Api(status)) if status.code == 404 => {
                // Where it was asked for before, it is gone by the try whose answer was lost.
                Ok(ControlFlow::Break(if again { Removed::Gone } else { Removed::GoneBefore }))
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                Ok(ControlFlow::Break(Removed::NotOurs))
            }
            Err(error) => Err(cluster.failure(&error, "delete", path, "")),
        };
    let failure = match retry_while_unavailable(MAX_UNAVAILABILITY, delete).await {
        Ok(asked) => return asked,
        Err(failure) => failure,
    };
    // It may be going all the same: an answer was lost, or somebody else has asked.
    match send(cluster, Method::GET, path, "", None).await {
        Ok((_, it)) if send::uid(&it) != uid => ControlFlow::Break(Removed::NotOurs),
        Ok((_, it)) if it.pointer("/metadata/deletionTimestamp").is_some() => {
            ControlFlow::Continue(())
        }
        Err(kube::Error::Api(status)) if status.code == 404 => {
            ControlFlow::Break(Removed::GoneBefore)
        }
        _ => ControlFlow::Break(Removed::Left(Left::of_failure(&failure))),
    }
}

/// Waits until an object is gone that is asked to go.
async fn await_gone(
    cluster: &Cluster,
    path: &str,
    uid: &str,
    gone: &[u16],
    deadline: Instant,
) -> Removed {
    let mut last = Value::Null;
    while Instant::now() < deadline {
        match send(cluster, Method::GET, path, "", None).await {
            Ok((_, it)) if send::uid(&it) == uid => {
                last = it;
                tokio::time::sleep(LOOK_PAUSE).await;
            }
            // Another one of that name has been made since.
            Ok(_) => return Removed::NotOurs,
            Err(kube::Error::Api(status)) if gone.contains(&status.code) => return Removed::Gone,
            Err(kube::Error::Api(status)) if status.code == 403 => {
                let what =
                    "it is asked to go, and this account may not get it to see whether it is";
                return Removed::Left(Left::not_held(what.to_owned()));
            }
            Err(_) => tokio::time::sleep(LOOK_PAUSE).await,
        }
    }
    Removed::Left(Left::going("it is asked to go", &last))
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::{Duration, Instant},
    };

    use http::{Method, Request, Response};
    use kube::{Client, client::Body};
    use serde_json::json;
    use tower::service_fn;

    use super::{GONE_STATUS_CODES, NAMESPACE_GONE_STATUS_CODES, Removed, remove};
    use crate::cluster::Cluster;

    const SERVICE: &str = "/api/v1/namespaces/lab/services/web";

    /// A cluster that answers each request, of that number, with that code and message.
    fn answering(
        answer: impl Fn(&Method, usize) -> (u16, &'static str) + Send + Sync + 'static,
    ) -> Cluster {
        let (answer, asked) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let service = service_fn(move |request: Request<Body>| {
            let (code, message) = answer(request.method(), asked.fetch_add(1, Ordering::Relaxed));
            let body = if code == 200 {
                json!({"metadata": {"uid": "1"}})
            } else {
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": message, "reason": "", "code": code})
            };
            let body = Body::from(body.to_string().into_bytes());
            async move { Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap()) }
        });
        Cluster::with(Client::new(service, "lab"), "lab")
    }

    /// Catches an object that a finalizer holds and that is said to be gone, because the account may
    /// delete and not get; and a namespace whose RoleBinding went first, which is waited for.
    #[tokio::test]
    async fn what_may_not_be_read_is_not_gone_but_for_a_namespace() {
        let cluster =
            answering(
                |method, _| {
                    if method == Method::DELETE { (200, "") } else { (403, "forbidden") }
                },
            );
        let deadline = Instant::now() + Duration::from_secs(60);
        let left = remove(&cluster, SERVICE, "1", GONE_STATUS_CODES, deadline).await;
        assert!(matches!(left, Removed::Left(it) if it.what.contains("may not get it")));
        let namespace = "/api/v1/namespaces/lab";
        assert_eq!(
            remove(&cluster, namespace, "1", NAMESPACE_GONE_STATUS_CODES, deadline).await,
            Removed::Gone
        );
    }

    /// Catches an object that stays because the API server failed once, and one that is said to stay
    /// though only the answer to its deletion was lost.
    #[tokio::test(start_paused = true)]
    async fn a_deletion_is_tried_again() {
        let deadline = Instant::now() + Duration::from_secs(60);
        let failed_once = answering(|_, number| match number {
            0 => (500, "etcdserver: leader changed"),
            1 => (200, ""),
            _ => (404, "not found"),
        });
        assert_eq!(
            remove(&failed_once, SERVICE, "1", GONE_STATUS_CODES, deadline).await,
            Removed::Gone
        );
        let lost = answering(|_, number| if number == 0 { (504, "") } else { (404, "not found") });
        assert_eq!(remove(&lost, SERVICE, "1", GONE_STATUS_CODES, deadline).await, Removed::Gone);
        let gone = answering(|_, _| (404, "not found"));
        assert_eq!(
            remove(&gone, SERVICE, "1", GONE_STATUS_CODES, deadline).await,
            Removed::GoneBefore
        );
        let refused = |found| {
            answering(move |method, _| {
                if method == Method::DELETE { (400, "no, by a webhook") } else { (found, "") }
            })
        };
        let gone = remove(&refused(404), SERVICE, "1", GONE_STATUS_CODES, deadline).await;
        assert_eq!(gone, Removed::GoneBefore);
        let left = remove(&refused(200), SERVICE, "1", GONE_STATUS_CODES, deadline).await;
        assert!(matches!(left, Removed::Left(it) if it.what.contains("no, by a webhook")));
    }
}
