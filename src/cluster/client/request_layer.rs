//! The layer that every API request goes through: it counts, and tries again where that is safe.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tower::{BoxError, Layer, Service, ServiceExt as _, buffer::Buffer};

use crate::cluster::{
    Failure,
    client::{
        answer,
        answer::{AnswerBody, silent},
        credential::Credential,
        lease_term::Term,
    },
};

mod repeat;

pub(crate) use repeat::copy;
use repeat::{answer_timeout, is_for_good, retry};

/// Kinds of API calls, as a report counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Reading one thing.
    Get,
    /// Reading a collection.
    List,
    /// Opening a watch.
    Watch,
    /// Running a command in a container.
    Exec,
    /// Making something (reviews of permissions among them).
    Create,
    /// Changing or applying something.
    Patch,
    /// Deleting something.
    Delete,
}

impl Call {
    /// Every kind, in the order of [`Requests::by_call`].
    pub const ALL: [Self; 7] =
        [Self::Get, Self::List, Self::Watch, Self::Exec, Self::Create, Self::Patch, Self::Delete];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Exec => "exec",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    /// Whether something may be different afterwards. A command in a container may write there.
    const fn changes(self) -> bool {
        matches!(self, Self::Exec | Self::Create | Self::Patch | Self::Delete)
    }

    fn of(method: &Method, path: &str, query: &str) -> Self {
        if let [_, "pods", _, "exec" | "attach"] = in_namespace(path).as_slice() {
            return Self::Exec;
        }
        match *method {
            Method::POST => Self::Create,
            Method::PUT | Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            _ if query.split('&').any(|it| it == "watch=true" || it == "watch=1") => Self::Watch,
            _ if is_collection(path) => Self::List,
            _ => Self::Get,
        }
    }
}

/// The parts of a path from its namespace on: `[lab, pods, web-0, exec]`; none where it is in no
/// namespace.
fn in_namespace(path: &str) -> Vec<&str> {
    path.split_once("/namespaces/").map(|(_, rest)| rest.split('/').collect()).unwrap_or_default()
}

/// The namespace that a path is in.
fn namespace_of(path: &str) -> Option<&str> {
    in_namespace(path).first().copied()
}

/// Whether a path is one of a Lease.
fn is_of_a_lease(path: &str) -> bool {
    let group = path.split_once("/namespaces/").map(|(group, _)| group);
    group.is_some_and(|it| it.contains("/apis/coordination.k8s.io/"))
        && matches!(in_namespace(path).as_slice(), [_, "leases", ..])
}

/// Whether a path names a collection: `/api/v1/namespaces/x/pods`, `/apis/g/v/things`.
fn is_collection(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
    let rest = match parts.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => return false,
    };
    matches!(rest, [_] | ["namespaces", _, _])
}

/// How many requests went to the API server, repeated ones included; and whether those that change
/// something may be sent.
#[derive(Debug, Default)]
pub struct Requests {
    counts: [AtomicU64; Call::ALL.len()],
    /// By namespace, where several grades share the connection.
    shares: Mutex<BTreeMap<String, u64>>,
    /// How many were refused because the API server had too much to do.
    throttled: AtomicU64,
    /// How long the API server takes to begin an answer, in microseconds: a moving average.
    latency: AtomicU64,
    /// By namespace: our Lease there, without which nothing is written to it.
    terms: Mutex<BTreeMap<String, Arc<Term>>>,
}

impl Requests {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|it| it.load(Ordering::Relaxed)).sum()
    }

    /// By kind of call.
    #[must_use]
    pub fn by_call(&self) -> [(Call, u64); Call::ALL.len()] {
        Call::ALL.map(|call| (call, self.counts[call as usize].load(Ordering::Relaxed)))
    }

    /// How many were refused because the API server had too much to do (429).
    #[must_use]
    pub fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    /// How long the API server takes to begin an answer nowadays.
    #[must_use]
    pub fn latency(&self) -> Duration {
        Duration::from_micros(self.latency.load(Ordering::Relaxed))
    }

    /// Takes note of an answer.
    fn answered(&self, call: Call, status: StatusCode, took: Duration) {
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.throttled.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(call, Call::Watch | Call::Exec) {
            return;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let before = self.latency.load(Ordering::Relaxed);
        let after = if before == 0 { micros } else { before / 8 * 7 + micros / 8 };
        self.latency.store(after, Ordering::Relaxed);
    }

    /// Counts those to a namespace by themselves from now on.
    pub(crate) fn begin_share(&self, namespace: &str) {
        self.shares().insert(namespace.to_owned(), 0);
    }

    /// How many went to a namespace that is counted by itself.
    pub(crate) fn share(&self, namespace: &str) -> Option<u64> {
        self.shares().get(namespace).copied()
    }

    /// Counts those to the namespace by themselves no more.
    pub(crate) fn end_share(&self, namespace: &str) {
        self.shares().remove(namespace);
    }

    fn shares(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, call: Call, path: &str) {
        self.counts[call as usize].fetch_add(1, Ordering::Relaxed);
        if let Some(namespace) = namespace_of(path)
            && let Some(count) = self.shares().get_mut(namespace)
        {
            *count += 1;
        }
    }

    /// From now on nothing in the namespace is written unless its Lease is surely ours.
    pub(crate) fn require_lease(&self, namespace: &str, term: Arc<Term>) {
        self.terms().insert(namespace.to_owned(), term);
    }

    /// The Lease is given back.
    pub(crate) fn require_no_lease(&self, namespace: &str) {
        self.terms().remove(namespace);
    }

    fn terms(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Term>>> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request may be sent now. The Lease itself is written only as it was read, by its
    /// `resourceVersion`.
    fn check(&self, call: Call, path: &str) -> Result<(), Failure> {
        if !call.changes() || is_of_a_lease(path) {
            return Ok(());
        }
        let Some(namespace) = namespace_of(path) else { return Ok(()) };
        let term = self.terms().get(namespace).cloned();
        term.map_or(Ok(()), |term| term.check())
    }
}

/// How often a request is tried, where the usual number is not wanted: an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct MaxTries(pub u32);

/// How often a request is tried. The pauses between the tries are 0.2, 0.4, 0.8 and 1.6 s.
const MAX_TRIES: u32 = 5;
/// After this time a request is not tried again.
const RETRY_FOR: Duration = Duration::from_secs(20);
/// The pause after the first try; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// A server may ask for a longer pause than ours, but not for more than this.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Puts [`RequestService`] around kube's own services.
pub(crate) struct RequestLayer {
    /// Where they are counted.
    pub(crate) requests: Arc<Requests>,
    /// What they carry, where it may change.
    pub(crate) credential: Option<Arc<Credential>>,
}

type Inner<B> = Buffer<Request<Body>, BoxFuture<'static, Result<Response<B>, BoxError>>>;

/// Refuses what may not be written without the Lease, counts every try, tries again what failed for
/// the moment, and bounds the answer.
pub(crate) struct RequestService<B> {
    inner: Inner<B>,
    requests: Arc<Requests>,
    credential: Option<Arc<Credential>>,
}

impl<S, B> Layer<S> for RequestLayer
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Service = RequestService<B>;

    fn layer(&self, service: S) -> RequestService<B> {
        RequestService {
            inner: Buffer::new(service.boxed(), 1024),
            requests: Arc::clone(&self.requests),
            credential: self.credential.clone(),
        }
    }
}

impl<B> Service<Request<Body>> for RequestService<B>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnswerBody<B>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // Each try waits for its own turn at the inner service.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (inner, requests, credential) =
            (self.inner.clone(), Arc::clone(&self.requests), self.credential.clone());
        Box::pin(async move {
            let call = Call::of(
                request.method(),
                request.uri().path(),
                request.uri().query().unwrap_or(""),
            );
            let send = |request| send(inner.clone(), Arc::clone(&requests), call, request);
            let answer = match credential {
                Some(credential) => credential.send(request, send).await?,
                None => send(request).await?,
            };
            answer::check_answer(call, answer).await
        })
    }
}

async fn send<B: Send + 'static>(
    mut inner: Inner<B>,
    requests: Arc<Requests>,
    call: Call,
    mut request: Request<Body>,
) -> Result<Response<B>, BoxError> {
    // The recorder reopens watches itself, with the position that it has reached.
    let usual = if call == Call::Watch { 1 } else { MAX_TRIES };
    let tries = request.extensions().get::<MaxTries>().map_or(usual, |it| it.0);
    let mut pause = FIRST_PAUSE;
    let began = Instant::now();
    let is_for_good = is_for_good(call, &request);
    for _ in 1..tries {
        let Some(again) = copy(&request) else { break };
        let result = try_once(&mut inner, &requests, call, request).await;
        let Some(asked) = retry(call, is_for_good, &result).filter(|_| began.elapsed() < RETRY_FOR)
        else {
            return result;
        };
        tokio::time::sleep(asked.max(pause).min(MAX_PAUSE)).await;
        pause *= 2;
        request = again;
    }
    try_once(&mut inner, &requests, call, request).await
}

/// Sends a request once, if it may be sent now.
async fn try_once<B: Send + 'static>(
    inner: &mut Inner<B>,
    requests: &Requests,
    call: Call,
    request: Request<Body>,
) -> Result<Response<B>, BoxError> {
    requests.check(call, request.uri().path())?;
    requests.count(call, request.uri().path());
    let began = Instant::now();
    let silence = answer_timeout(call, request.uri().path());
    let answer = async { inner.ready().await?.call(request).await };
    let answer =
        tokio::time::timeout(silence, answer).await.unwrap_or_else(|_| Err(silent(silence)));
    if let Ok(response) = &answer {
        requests.answered(call, response.status(), began.elapsed());
    }
    answer
}

#[cfg(test)]
mod tests;
