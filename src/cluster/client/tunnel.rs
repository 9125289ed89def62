//! Connections through an HTTP proxy, which is asked for them by CONNECT.
//!
//! hyper's own do not tell what a proxy answers that makes none.

use std::{
    io,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::{HeaderValue, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tower::{BoxError, Service};

use crate::cluster::client::proxy_answer::NoTunnel;

/// The most that is read of what a proxy answers.
const MAX_HEAD_BYTES: usize = 8 << 10;
/// The port of a server whose address has none.
const HTTPS: u16 = 443;

type ToProxy = HttpsConnector<HttpConnector>;
type Connection = <ToProxy as Service<Uri>>::Response;

/// Makes connections to any server through one proxy.
#[derive(Clone)]
pub(super) struct Tunnel {
    pub(super) proxy: Uri,
    /// What the proxy is told of whoever asks.
    pub(super) account: Option<HeaderValue>,
    pub(super) to_proxy: ToProxy,
}

impl Service<Uri> for Tunnel {
    type Response = Connection;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Connection, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.to_proxy.poll_ready(cx)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let connecting = self.to_proxy.call(self.proxy.clone());
        let request = request(&server, self.account.as_ref());
        Box::pin(async move {
            let mut connection = TokioIo::new(connecting.await?);
            open(&mut connection, &request).await?;
            Ok(connection.into_inner())
        })
    }
}

/// What a proxy is asked for a connection to a server by.
fn request(server: &Uri, account: Option<&HeaderValue>) -> Vec<u8> {
    let (host, port) = (server.host().unwrap_or_default(), server.port_u16().unwrap_or(HTTPS));
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(account) = account {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(account.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// Asks for a connection and reads the answer; not a byte more, because what follows is the server's.
async fn open(
    connection: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
) -> Result<(), BoxError> {
    connection.write_all(request).await?;
    connection.flush().await?;
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        if head.len() == MAX_HEAD_BYTES {
            return Err(io::Error::other("the proxy's answer is too long").into());
        }
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(io::Error::other("the proxy gave no answer").into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let status = NoTunnel::of(head.lines().next().unwrap_or_default());
    if status.code == 200 { Ok(()) } else { Err(status.into()) }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Uri};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{open, request};

    /// Catches a proxy's refusal that is told without its code, and a first byte of the server that
    /// is taken for the proxy's.
    #[tokio::test]
    async fn what_a_proxy_answers_is_told() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nVia: p\r\n\r\n", None),
            ("HTTP/1.0 200 Connection established\n\n", None),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", Some("the proxy answered: 403 Forbidden")),
            ("HTTP/1.1 502\r\n\r\n", Some("the proxy answered: 502")),
            ("SSH-2.0\n\n", Some("the proxy answered: SSH-2.0")),
            ("", Some("the proxy gave no answer")),
        ] {
            let (mut ours, mut theirs) = tokio::io::duplex(1 << 10);
            theirs.write_all(answer.as_bytes()).await.unwrap();
            if answer.is_empty() {
                theirs.shutdown().await.unwrap();
            } else {
                theirs.write_all(b"server").await.unwrap();
            }
            let opened = open(&mut ours, b"CONNECT").await;
            assert_eq!(opened.err().map(|it| it.to_string()).as_deref(), expected, "{answer}");
            if expected.is_none() {
                let mut next = [0; 6];
                ours.read_exact(&mut next).await.unwrap();
                assert_eq!(&next, b"server");
            }
        }
    }

    /// Catches a proxy that is asked for another port than the server's, or by nobody.
    #[test]
    fn a_proxy_is_asked_for_the_server() {
        let server = Uri::from_static("https://lab.example/k8s");
        let account = HeaderValue::from_static("Basic eA==");
        assert_eq!(
            String::from_utf8(request(&server, Some(&account))).unwrap(),
            "CONNECT lab.example:443 HTTP/1.1\r\nHost: lab.example:443\r\n\
            Proxy-Authorization: Basic eA==\r\n\r\n"
        );
        let server = Uri::from_static("https://[fe80::1]:6443");
        assert!(request(&server, None).starts_with(b"CONNECT [fe80::1]:6443 HTTP/1.1\r\n"));
    }
}
