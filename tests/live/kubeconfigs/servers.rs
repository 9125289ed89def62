//! Servers between a client and the API server: a forwarder, proxies, and one that only says who
//! asks.

use std::{future::Future, io, net::SocketAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Whom a proxy serves that wants to know who asks; in an address `@` is written `%40`.
const NAME: &str = "me";
const PASSWORD: &str = "hunter2@";

/// Servers that run until they are dropped.
pub(super) struct Servers {
    _tasks: JoinSet<()>,
    /// Passes on what comes by IPv6; `None` on a machine without it.
    pub(super) v6: Option<u16>,
    /// Speaks http, and answers with who asks, and by which path.
    pub(super) http: u16,
    /// An HTTP proxy to the API server, by whatever name it is asked.
    pub(super) proxy: u16,
    /// The same, for [`NAME`] only.
    pub(super) proxy_account: u16,
    /// As these two, by SOCKS.
    pub(super) socks: u16,
    pub(super) socks_account: u16,
}

impl Servers {
    /// Begins to serve in front of the API server at an address.
    pub(super) async fn start(api: SocketAddr) -> Self {
        let mut tasks = JoinSet::new();
        let v6 = TcpListener::bind("[::1]:0").await.ok();
        Self {
            v6: v6.map(|it| serve(&mut tasks, it, move |client| pass_on(client, api))),
            http: serve(&mut tasks, local().await, tell_who_asks),
            proxy: serve(&mut tasks, local().await, move |it| http_proxy(it, api, false)),
            proxy_account: serve(&mut tasks, local().await, move |it| http_proxy(it, api, true)),
            socks: serve(&mut tasks, local().await, move |it| socks_proxy(it, api, false)),
            socks_account: serve(&mut tasks, local().await, move |it| socks_proxy(it, api, true)),
            _tasks: tasks,
        }
    }
}

async fn local() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Serves, and says on which port.
fn serve<F>(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
    one: impl Fn(TcpStream) -> F + Send + 'static,
) -> u16
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(async move {
        let mut clients = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            // A client that leaves early is no error of ours.
            let served = one(client);
            clients.spawn(async move { drop(served.await) });
        }
    });
    port
}

async fn pass_on(mut client: TcpStream, api: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(api).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The lines before a request's content.
async fn head(client: &mut TcpStream) -> io::Result<Vec<String>> {
    let mut lines = vec![];
    let mut reader = BufReader::new(client);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        match line.trim_end() {
            "" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

/// The value of a header.
fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    let mut fields = head.iter().skip(1).filter_map(|it| it.split_once(": "));
    fields.find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1)
}

/// Refuses everything but its version, as an API server does, and names who asked: the user who is
/// impersonated, or the credentials that were sent.
async fn tell_who_asks(mut client: TcpStream) -> io::Result<()> {
    const TLS_HANDSHAKE: u8 = 0x16;
    let mut first = [0];
    client.peek(&mut first).await?;
    if first == [TLS_HANDSHAKE] {
        client.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await?;
        // What is not read would reset the connection before the answer is.
        return tokio::io::copy(&mut client, &mut tokio::io::sink()).await.map(drop);
    }
    let head = head(&mut client).await?;
    let path = head.first().and_then(|it| it.split(' ').nth(1)).unwrap_or_default();
    let (status, body) = if path.ends_with("/version") {
        ("200 OK", r#"{"major":"1","minor":"34","gitVersion":"v1.34.0"}"#.to_owned())
    } else {
        let who = header(&head, "impersonate-user").or_else(|| header(&head, "authorization"));
        let prefix = path.split("/api/").next().unwrap_or_default();
        let prefix = prefix.split("/apis/").next().unwrap_or_default();
        let user = format!(
            "{} at {}",
            who.unwrap_or("nobody"),
            if prefix.is_empty() { "/" } else { prefix }
        );
        let message = format!("it is forbidden: User \\\"{user}\\\" cannot do this");
        (
            "403 Forbidden",
            format!(
                r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{message}","reason":"Forbidden","code":403}}"#
            ),
        )
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
        Connection: close\r\n\r\n{body}",
        body.len()
    );
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}

async fn http_proxy(mut client: TcpStream, api: SocketAddr, wants_account: bool) -> io::Result<()> {
    let head = head(&mut client).await?;
    let account = format!("Basic {}", STANDARD.encode(format!("{NAME}:{PASSWORD}")));
    if wants_account && header(&head, "proxy-authorization") != Some(&account) {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        return client.write_all(refusal.as_bytes()).await;
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    pass_on(client, api).await
}

/// See RFC 1928 and RFC 1929.
async fn socks_proxy(
    mut client: TcpStream,
    api: SocketAddr,
    wants_account: bool,
) -> io::Result<()> {
    let [_, offers] = read(&mut client).await?;
    let mut methods = vec![0; usize::from(offers)];
    client.read_exact(&mut methods).await?;
    let method = if wants_account { 2 } else { 0 };
    if !methods.contains(&method) {
        return client.write_all(&[5, 0xff]).await;
    }
    client.write_all(&[5, method]).await?;
    if wants_account {
        let [_] = read(&mut client).await?;
        let is_known = text(&mut client).await? == NAME.as_bytes();
        let is_known = text(&mut client).await? == PASSWORD.as_bytes() && is_known;
        client.write_all(&[1, u8::from(!is_known)]).await?;
        if !is_known {
            return Ok(());
        }
    }
    let [_, _, _, kind] = read(&mut client).await?;
    match kind {
        1 => drop(read::<6>(&mut client).await?),
        4 => drop(read::<18>(&mut client).await?),
        _ => {
            text(&mut client).await?;
            read::<2>(&mut client).await?;
        }
    }
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    pass_on(client, api).await
}

async fn read<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Bytes behind their number.
async fn text(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let [length] = read(client).await?;
    let mut bytes = vec![0; usize::from(length)];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}
