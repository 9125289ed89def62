//! How long an answer is awaited, and whether a request is sent again.

use std::time::Duration;

use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use kube::client::Body;
use tower::BoxError;

use crate::cluster::client::{
    answer::{CHANGE_SILENT_FOR, SILENT_FOR},
    error_chain::{is_broken, is_refused, is_silent},
    request_layer::{Call, is_of_a_lease},
};

/// How long the answer may take to begin. A Lease must be renewed in time, and is written only as it
/// was read: of such a write another one tells what became of it.
pub(super) fn answer_timeout(call: Call, path: &str) -> Duration {
    match call {
        Call::Create | Call::Patch | Call::Delete if !is_of_a_lease(path) => CHANGE_SILENT_FOR,
        _ => SILENT_FOR,
    }
}

/// Whether a request changes something that is not our own Lease, and is no dry run.
pub(super) fn is_for_good(call: Call, request: &Request<Body>) -> bool {
    let is_dry_run = request.uri().query().is_some_and(|it| it.contains("dryRun=All"));
    call.changes() && !is_dry_run && !is_of_a_lease(request.uri().path())
}

/// Whether to try again, and how long the server asks to wait. Of a change for good that got no
/// answer in time, nobody knows whether it is still being carried out: whoever asked looks first.
pub(super) fn retry<B>(
    call: Call,
    is_for_good: bool,
    result: &Result<Response<B>, BoxError>,
) -> Option<Duration> {
    let repeatable = !matches!(call, Call::Create | Call::Exec);
    match result {
        Ok(response) => {
            let again = match response.status() {
                // Not carried out, whatever it was.
                StatusCode::TOO_MANY_REQUESTS => true,
                StatusCode::SERVICE_UNAVAILABLE => repeatable,
                StatusCode::GATEWAY_TIMEOUT => repeatable && !is_for_good,
                _ => false,
            };
            let asked = response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|it| it.to_str().ok()?.parse().ok())
                .unwrap_or(0);
            again.then(|| Duration::from_secs(asked))
        }
        Err(error) => {
            let error = error.as_ref();
            let again = is_refused(error)
                || repeatable && (is_broken(error) || !is_for_good && is_silent(error));
            again.then_some(Duration::ZERO)
        }
    }
}

pub(crate) fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut again = Request::new(request.body().try_clone()?);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    *again.extensions_mut() = request.extensions().clone();
    Some(again)
}
