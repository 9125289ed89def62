//! Answers: no part of one is awaited for ever, and an error is told only if it is the API
//! server's.
//!
//! A proxy, the login page of a Wi-Fi or a load balancer may answer in place of the API server, in
//! HTML or in a JSON of its own, with any code. What such a one says of an object means nothing.
//! The API server words each error as a `Status`, but for those in [`is_plain_of_the_server`].

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{
    Response, StatusCode, Uri,
    header::{CONTENT_TYPE, LOCATION},
};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use kube::core::Status;
use serde_json::Value;
use tokio::time::{Sleep, sleep};
use tower::BoxError;

use crate::cluster::client::{kubeconfig::without_credentials, request_layer::Call};

/// How long the other side may be silent, before its answer and within it: a connection whose
/// packets are lost would otherwise hang for a quarter of an hour, and a request behind it with it.
pub(crate) const SILENT_FOR: Duration = Duration::from_secs(10);
/// How long the answer to a change may take to begin. An admission webhook may take 30 s
/// (`timeoutSeconds`, its maximum), and the API server waits for it.
pub(crate) const CHANGE_SILENT_FOR: Duration = Duration::from_secs(35);
/// The most that is read of an error.
const MAX_ERROR_BYTES: usize = 1 << 20;
/// How much is shown of what is no `Status`.
const MAX_SHOWN_CHARS: usize = 300;

/// Nothing came for so long.
pub(crate) fn silent(silence: Duration) -> BoxError {
    let what = format!("no answer within {} s", silence.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, what).into()
}

/// An answer that the API server cannot have given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotKubernetes {
    code: u16,
    said: String,
    /// Where a redirection leads, as [`shown_location`].
    location: Option<String>,
}

impl NotKubernetes {
    /// The address to which an API server has moved that was asked at `server` for its version: to
    /// where the same question is redirected. Any other redirection is that of a login page.
    pub(crate) fn moved_to(&self, server: &str) -> Option<String> {
        let location = self.location.as_deref()?;
        let base = location.strip_suffix("/version")?;
        let moved_to = if ["https://", "http://"].iter().any(|it| location.starts_with(it)) {
            base.to_owned()
        } else if location.starts_with('/') && !location.starts_with("//") {
            let server: Uri = server.parse().ok()?;
            format!("{}://{}{base}", server.scheme_str()?, server.authority()?)
        } else {
            return None;
        };
        (moved_to != server).then_some(moved_to)
    }
}

impl fmt::Display for NotKubernetes {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "HTTP status {}", self.code)?;
        if let Some(location) = &self.location {
            write!(to, ", a redirection to {location}")?;
        }
        if self.said.is_empty() { Ok(()) } else { write!(to, ": {}", self.said) }
    }
}

impl std::error::Error for NotKubernetes {}

/// The body of an answer, which fails where nothing comes for [`SILENT_FOR`], unless it is one that
/// may be silent.
#[derive(Debug)]
pub(crate) struct AnswerBody<B>(Kind<B>);

#[derive(Debug)]
enum Kind<B> {
    Whole(Option<Bytes>),
    /// `silence` runs while something is awaited.
    Bounded {
        body: Pin<Box<B>>,
        silence: Option<Pin<Box<Sleep>>>,
    },
    Unbounded(Pin<Box<B>>),
}

impl<B> AnswerBody<B> {
    fn whole(bytes: Vec<u8>) -> Self {
        Self(Kind::Whole(Some(bytes.into())))
    }

    fn bounded(body: B) -> Self {
        Self(Kind::Bounded { body: Box::pin(body), silence: None })
    }

    fn unbounded(body: B) -> Self {
        Self(Kind::Unbounded(Box::pin(body)))
    }
}

impl<B> Body for AnswerBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|it| Ok(Frame::data(it)))),
            Kind::Unbounded(body) => body.as_mut().poll_frame(cx).map_err(Into::into),
            Kind::Bounded { body, silence } => {
                if let Poll::Ready(frame) = body.as_mut().poll_frame(cx) {
                    *silence = None;
                    return Poll::Ready(frame.map(|it| it.map_err(Into::into)));
                }
                let silence = silence.get_or_insert_with(|| Box::pin(sleep(SILENT_FOR)));
                silence.as_mut().poll(cx).map(|()| Some(Err(silent(SILENT_FOR))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Bounded { body, .. } | Kind::Unbounded(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |it| it.len() as u64))
            }
            Kind::Bounded { body, .. } | Kind::Unbounded(body) => body.size_hint(),
        }
    }
}

/// The answer to a call, as its caller may take it: bounded, and an error only as a `Status` that
/// holds its code.
///
/// # Errors
/// It is not the API server's. It does not come to its end.
pub(crate) async fn check_answer<B>(
    call: Call,
    answer: Response<B>,
) -> Result<Response<AnswerBody<B>>, BoxError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let code = answer.status();
    if code.is_client_error() || code.is_server_error() {
        let (mut parts, body) = answer.into_parts();
        let said = read(AnswerBody::bounded(body)).await?;
        parts.headers.remove(http::header::CONTENT_LENGTH);
        return Ok(Response::from_parts(parts, AnswerBody::whole(status(call, code, said)?)));
    }
    if code.is_redirection() || is_html(&answer) {
        let location = answer.headers().get(LOCATION).and_then(|it| it.to_str().ok());
        let location = location.filter(|_| code.is_redirection());
        let location = location.map(shown_location);
        return Err(NotKubernetes { code: code.as_u16(), said: String::new(), location }.into());
    }
    // These are silent while nothing happens; whoever reads them has bounds of its own.
    let may_be_silent = matches!(call, Call::Watch | Call::Exec);
    Ok(answer.map(if may_be_silent { AnswerBody::unbounded } else { AnswerBody::bounded }))
}

/// An address without its name and password, and without its query and fragment: a login page is
/// given tokens in these.
fn shown_location(location: &str) -> String {
    let address = &location[..location.find(['?', '#']).unwrap_or(location.len())];
    let shown = match address.strip_prefix("//") {
        Some(host) => format!("//{}", without_credentials(host)),
        None => without_credentials(address),
    };
    shown.chars().take(MAX_SHOWN_CHARS).collect()
}

fn is_html<B>(answer: &Response<B>) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    kind.is_some_and(|it| it.starts_with("text/html"))
}

/// All of it, or its beginning where it is longer than any `Status`.
async fn read<B>(mut body: AnswerBody<B>) -> Result<Vec<u8>, BoxError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let mut bytes = vec![];
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > MAX_ERROR_BYTES {
            break;
        }
    }
    Ok(bytes)
}

/// An error as a `Status` that holds its code.
fn status(call: Call, code: StatusCode, said: Vec<u8>) -> Result<Vec<u8>, NotKubernetes> {
    let value: Value = serde_json::from_slice(&said).unwrap_or_default();
    let known = serde_json::from_value::<Status>(value.clone()).ok();
    let status = match known.filter(|_| value["kind"] == "Status") {
        Some(status) if status.code != 0 => return Ok(said),
        Some(status) => status.with_code(code.as_u16()),
        None => {
            let text = String::from_utf8_lossy(&said);
            let words = value["message"].as_str().unwrap_or_else(|| text.trim());
            // What a kubelet refuses is passed on in its plain words.
            let is_of_a_kubelet = call == Call::Exec && !words.starts_with('<');
            if !is_of_a_kubelet && !is_plain_of_the_server(code, words) {
                let said = words.chars().take(MAX_SHOWN_CHARS).collect();
                return Err(NotKubernetes { code: code.as_u16(), said, location: None });
            }
            Status::failure(words, "").with_code(code.as_u16())
        }
    };
    // A struct of strings and numbers always has a JSON form.
    Ok(serde_json::to_vec(&status).unwrap_or_default())
}

/// Whether the API server, or whatever stands for it while it is away, gives this error in plain
/// text: what is not served, what it has no time for, how it failed, and who is not known to it.
fn is_plain_of_the_server(code: StatusCode, words: &str) -> bool {
    match code.as_u16() {
        400 => words.contains("HTTP request to an HTTPS server"),
        404 => words == "404 page not found",
        401 | 408 | 429 | 500.. => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
