//! A TCP proxy in front of the API server: it resets, stalls and slows connections by a seed, and
//! can be cut off.
//!
//! TLS passes through it, so that client and server still talk to each other and to nobody else.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use kube::config::Kubeconfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

use crate::chance::Chance;

/// The most bytes that are passed on at once.
const CHUNK_BYTES: usize = 16 << 10;

/// How rough the way to the API server is.
#[derive(Clone, Copy)]
pub(crate) enum Roughness {
    /// Connections last until somebody ends or cuts them.
    Smooth,
    /// A connection is reset after 6 s on average, one in three stalls for up to 12 s, and all are
    /// slow.
    Rough,
}

/// Serves until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// The host name or address that the API server's certificate is for.
    server_name: String,
    /// Whether connections are let through.
    open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Begins to serve in front of the API server of `KUBECONFIG`.
    pub(crate) async fn start(seed: u64, roughness: Roughness) -> Self {
        let server: http::Uri =
            serde_json::to_value(Kubeconfig::read().unwrap()).unwrap()["clusters"][0]["cluster"]["server"].as_str().unwrap().parse().unwrap();
        let server_name = server.host().unwrap().trim_matches(['[', ']']).to_owned();
        let target = (server_name.clone(), server.port_u16().unwrap_or(443));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, is_open) = watch::channel(true);
        let task = tokio::spawn(async move {
            let number = AtomicU64::new(0);
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let fate = Fate::of(seed, number.fetch_add(1, Ordering::Relaxed), roughness);
                let (target, is_open) = (target.clone(), is_open.clone());
                tokio::spawn(async move { pass(client, &target, fate, is_open).await });
            }
        });
        Self { address, server_name, open, task }
    }

    /// Resets all connections, and every new one, until [`Self::heal`].
    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Lets connections through again.
    pub(crate) fn heal(&self) {
        self.open.send_replace(true);
    }

    /// Writes a kubeconfig that goes through the proxy.
    pub(crate) fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let mut config = serde_json::to_value(Kubeconfig::read().unwrap()).unwrap();
        for cluster in config["clusters"].as_array_mut().unwrap() {
            cluster["cluster"]["server"] = format!("https://{}", self.address).into();
            cluster["cluster"]["tls-server-name"] = self.server_name.clone().into();
        }
        let path = folder.join("through-the-proxy.json");
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }
}

/// What becomes of one connection.
#[derive(Clone, Copy)]
struct Fate {
    began: Instant,
    /// How long it lasts, if that is bounded.
    life: Option<Duration>,
    /// From when, and until when, nothing is passed on.
    stall: (Instant, Instant),
    /// How long each chunk is held back.
    delay: Duration,
}

impl Fate {
    fn of(seed: u64, connection: u64, roughness: Roughness) -> Self {
        let began = Instant::now();
        if let Roughness::Smooth = roughness {
            return Self { began, life: None, stall: (began, began), delay: Duration::ZERO };
        }
        let mut chance = Chance::new(seed ^ (connection << 32));
        let ms = |chance: &mut Chance, from, to| Duration::from_millis(chance.between(from, to));
        let moving = ms(&mut chance, 1_000, 11_000);
        let stalls_at = began + ms(&mut chance, 0, 6_000);
        let stalled =
            if chance.one_in(3) { ms(&mut chance, 1_000, 12_000) } else { Duration::ZERO };
        Self {
            began,
            life: Some(moving + stalled),
            stall: (stalls_at, stalls_at + stalled),
            delay: ms(&mut chance, 0, 100),
        }
    }

    /// Waits until a chunk that was read now may go on.
    async fn hold_back(self) {
        sleep(self.delay).await;
        let (from, to) = self.stall;
        if Instant::now() >= from {
            sleep_until(to).await;
        }
    }

    /// Waits until the connection has lasted long enough.
    async fn is_over(self) {
        match self.life {
            Some(life) => sleep_until(self.began + life).await,
            None => std::future::pending().await,
        }
    }
}

/// Passes bytes on until one side ends, the fate is over, or all is cut off.
async fn pass(
    mut client: TcpStream,
    target: &(String, u16),
    fate: Fate,
    mut is_open: watch::Receiver<bool>,
) {
    let reset = |stream: &TcpStream| stream.set_zero_linger().unwrap();
    if !*is_open.borrow() {
        return reset(&client);
    }
    let Ok(mut server) = TcpStream::connect((target.0.as_str(), target.1)).await else {
        return reset(&client);
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let (client_reads, client_writes) = client.split();
    let (server_reads, server_writes) = server.split();
    let ended = tokio::select! {
        ended = async { tokio::try_join!(carry(client_reads, server_writes, fate), carry(server_reads, client_writes, fate)) } => ended.is_ok(),
        () = fate.is_over() => false,
        _ = is_open.wait_for(|it| !it) => false,
    };
    if !ended {
        reset(&client);
        reset(&server);
    }
}

async fn carry(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, fate: Fate) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        fate.hold_back().await;
        to.write_all(&buffer[..length]).await?;
    }
}
