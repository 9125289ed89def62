//! Connections as kubectl makes them: through a proxy or not, and to a server whose own certificate
//! is what the kubeconfig trusts.
//!
//! kubectl takes any certificate of `certificate-authority` for the server's own, too. rustls only
//! builds chains to authorities, so servers are checked by a verifier of our own. kube's own stack
//! has none, and passes no name and password to a SOCKS proxy.

use std::{
    env,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Request, Uri, header::USER_AGENT};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client as HttpClient,
        connect::{Connect, HttpConnector, proxy::SocksV5},
    },
    rt::TokioExecutor,
};
use kube::{
    Client, Config, Error as KubeError,
    client::{Body, ClientBuilder, ConfigExt as _},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use tower::{BoxError, Service, ServiceBuilder};

use crate::cluster::client::{
    account::{Account, is_socks},
    client_certificate::RenewableCertificate,
    kubeconfig::server_name,
    request_layer::RequestLayer,
    tunnel::Tunnel,
};

/// After how long a silent connection is probed, and how long after that again.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// A client of a configuration, as kube's own builder makes it, but for connections.
///
/// # Errors
/// The configuration's certificates or credentials cannot be used.
pub(crate) fn client(
    config: &Config,
    layer: &RequestLayer,
    connect_timeout: Duration,
) -> Result<Client, KubeError> {
    let certificate = layer.credential.as_ref().and_then(|it| it.certificate());
    let tls = tls(config, certificate.as_ref())?;
    let pinned = config.tls_server_name.as_deref().map(server_name).transpose();
    let pinned = pinned.map_err(|failure| KubeError::Service(failure.into()))?;
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(connect_timeout));
    // A connection whose other side is gone ends, though nothing is sent over it: that of a watch.
    http.set_keepalive(Some(KEEPALIVE));
    http.set_keepalive_interval(Some(KEEPALIVE));
    let Some(proxy) = &config.proxy_url else {
        return built(config, layer, over_tls(http, tls, pinned));
    };
    let is_socks = is_socks(proxy);
    let (proxy, account) = Account::of(proxy);
    if is_socks {
        let socks = SocksV5::new(proxy, http);
        let socks = match account {
            Some(Account { name, password }) => socks.with_auth(name, password),
            None => socks,
        };
        return built(config, layer, over_tls(socks, tls, pinned));
    }
    let header = account.and_then(|it| it.header());
    // The proxy itself is asked by https where it says so.
    let to_proxy = HttpsConnectorBuilder::new()
        .with_tls_config(tls.clone())
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    let tunnel = Tunnel { proxy, account: header, to_proxy };
    built(config, layer, over_tls(tunnel, tls, pinned))
}

/// TLS with what the configuration trusts.
fn tls(
    config: &Config,
    certificate: Option<&Arc<RenewableCertificate>>,
) -> Result<ClientConfig, KubeError> {
    let mut tls = config.rustls_client_config()?;
    if let Some(certificate) = certificate {
        tls.client_auth_cert_resolver = Arc::clone(certificate) as Arc<_>;
        // A session that is resumed is that of whoever began it.
        tls.resumption = Resumption::disabled();
    }
    // What a pod trusts is read anew by kube's own verifier.
    if let Some(certificates) = &config.root_cert
        && config.root_cert_file.is_none()
        && !config.accept_invalid_certs
        && let Some(trusted) = Trusted::of(certificates)
    {
        tls.dangerous().set_certificate_verifier(Arc::new(trusted));
    }
    Ok(tls)
}

/// TLS over connections; with a pinned name, to whoever has a certificate of that name.
fn over_tls<C>(
    connector: C,
    tls: ClientConfig,
    pinned: Option<ServerName<'static>>,
) -> HttpsConnector<C>
where
    C: Service<Uri>,
{
    let mut https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    if let Some(pinned) = pinned {
        https = https.with_server_name_resolver(FixedServerNameResolver::new(pinned));
    }
    https.enable_http1().wrap_connector(connector)
}

fn built<C>(config: &Config, layer: &RequestLayer, connector: C) -> Result<Client, KubeError>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let certificate = layer.credential.as_ref().and_then(|it| it.certificate());
    let http = Reconnecting::new(connector, certificate);
    let stack = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(stack, config.default_namespace.clone()).with_layer(layer).build())
}

/// Connections that are kept for further requests, as long as the certificate is the same with which
/// they began. Clones share them.
#[derive(Clone)]
struct Reconnecting<C> {
    connector: C,
    certificate: Option<Arc<RenewableCertificate>>,
    user_agent: HeaderValue,
    kept: Arc<Mutex<SharedClient<C>>>,
}

struct SharedClient<C> {
    /// The certificate's generation when they began.
    generation: u64,
    http: HttpClient<C, Body>,
}

impl<C: Connect + Clone> Reconnecting<C> {
    fn new(connector: C, certificate: Option<Arc<RenewableCertificate>>) -> Self {
        let generation = certificate.as_ref().map_or(0, |it| it.generation());
        let kept = SharedClient { generation, http: none_yet(connector.clone()) };
        let kept = Arc::new(Mutex::new(kept));
        Self { connector, certificate, user_agent: user_agent(), kept }
    }

    /// Those that began with the newest certificate. What is under way on the others goes on.
    fn newest(&self) -> HttpClient<C, Body> {
        let generation = self.certificate.as_ref().map_or(0, |it| it.generation());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if generation != kept.generation {
            *kept = SharedClient { generation, http: none_yet(self.connector.clone()) };
        }
        kept.http.clone()
    }
}

fn none_yet<C: Connect + Clone>(connector: C) -> HttpClient<C, Body> {
    HttpClient::builder(TokioExecutor::new()).build(connector)
}

impl<C: Connect + Clone + Send + Sync + 'static> Service<Request<Body>> for Reconnecting<C> {
    type Response = <HttpClient<C, Body> as Service<Request<Body>>>::Response;
    type Error = <HttpClient<C, Body> as Service<Request<Body>>>::Error;
    type Future = <HttpClient<C, Body> as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Each request waits for its own connection.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        self.newest().call(request)
    }
}

/// Who asks, as kubectl says it: `stsgrade/0.1.0 (linux/amd64)`.
fn user_agent() -> HeaderValue {
    let system = match env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let architecture = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let text = format!("stsgrade/{} ({system}/{architecture})", env!("CARGO_PKG_VERSION"));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("stsgrade"))
}

/// Takes what the kubeconfig trusts for the server's own certificate, or for its authority.
#[derive(Debug)]
struct Trusted {
    certificates: Vec<CertificateDer<'static>>,
    authorities: Arc<WebPkiServerVerifier>,
}

impl Trusted {
    fn of(certificates: &[Vec<u8>]) -> Option<Self> {
        let certificates: Vec<CertificateDer<'static>> =
            certificates.iter().map(|it| CertificateDer::from(it.clone())).collect();
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).ok()?;
        }
        Some(Self {
            certificates,
            authorities: WebPkiServerVerifier::builder(Arc::new(roots)).build().ok()?,
        })
    }
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.certificates.iter().any(|it| it.as_ref() == end_entity.as_ref()) {
            return self.authorities.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            );
        }
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
