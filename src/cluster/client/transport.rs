//! Connections as kubectl makes them: through a proxy or not, and to a server whose own certificate
//! is what the kubeconfig trusts.
//!
//! kubectl takes any certificate of `certificate-authority` for the server's own, too. rustls only
//! builds chains to authorities, so servers are checked by a verifier of our own. kube's own stack
//! has none, and passes no name and password to a SOCKS proxy.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Request, Uri};
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

use crate::cluster::client::{identity::Identity, request_layer::RequestLayer, tunnel::Tunnel};

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
    let identity = layer.credential.as_ref().and_then(|it| it.identity());
    let tls = tls(config, identity.as_ref())?;
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(connect_timeout));
    // A connection whose other side is gone ends, though nothing is sent over it: that of a watch.
    http.set_keepalive(Some(KEEPALIVE));
    http.set_keepalive_interval(Some(KEEPALIVE));
    let Some(proxy) = &config.proxy_url else {
        return built(config, layer, over_tls(http, tls, config));
    };
    let is_socks = is_socks(proxy);
    let (proxy, account) = Account::of(proxy);
    if is_socks {
        let socks = SocksV5::new(proxy, http);
        let socks = match account {
            Some(Account { name, password }) => socks.with_auth(name, password),
            None => socks,
        };
        return built(config, layer, over_tls(socks, tls, config));
    }
    let header = account.and_then(|it| it.header());
    // The proxy itself is asked by https where it says so.
    let to_proxy = HttpsConnectorBuilder::new()
        .with_tls_config(tls.clone())
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    let tunnel = Tunnel { proxy, account: header, to_proxy };
    built(config, layer, over_tls(tunnel, tls, config))
}

/// TLS with what the configuration trusts.
fn tls(config: &Config, identity: Option<&Arc<Identity>>) -> Result<ClientConfig, KubeError> {
    let mut tls = config.rustls_client_config()?;
    if let Some(identity) = identity {
        tls.client_auth_cert_resolver = Arc::clone(identity) as Arc<_>;
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

fn over_tls<C>(connector: C, tls: ClientConfig, config: &Config) -> HttpsConnector<C>
where
    C: Service<Uri>,
{
    let mut https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    if let Some(name) = config.tls_server_name.clone().and_then(|it| ServerName::try_from(it).ok())
    {
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    https.enable_http1().wrap_connector(connector)
}

fn built<C>(config: &Config, layer: &RequestLayer, connector: C) -> Result<Client, KubeError>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let identity = layer.credential.as_ref().and_then(|it| it.identity());
    let http = Reconnecting::new(connector, identity);
    let stack = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(stack, config.default_namespace.clone()).with_layer(layer).build())
}

/// Connections that are kept for further requests, as long as the identity is the same with which
/// they began. Clones share them.
#[derive(Clone)]
struct Reconnecting<C> {
    connector: C,
    identity: Option<Arc<Identity>>,
    kept: Arc<Mutex<SharedClient<C>>>,
}

struct SharedClient<C> {
    /// The identity's generation when they began.
    generation: u64,
    http: HttpClient<C, Body>,
}

impl<C: Connect + Clone> Reconnecting<C> {
    fn new(connector: C, identity: Option<Arc<Identity>>) -> Self {
        let generation = identity.as_ref().map_or(0, |it| it.generation());
        let kept = SharedClient { generation, http: none_yet(connector.clone()) };
        Self { connector, identity, kept: Arc::new(Mutex::new(kept)) }
    }

    /// Those that began with the newest identity. What is under way on the others goes on.
    fn newest(&self) -> HttpClient<C, Body> {
        let generation = self.identity.as_ref().map_or(0, |it| it.generation());
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

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.newest().call(request)
    }
}

fn is_socks(proxy: &Uri) -> bool {
    proxy.scheme_str().is_some_and(|it| it.starts_with("socks"))
}

/// The name and password in an address: of whoever asks a proxy, or a server.
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) password: String,
}

impl Account {
    /// A proxy's address without the account that stands in it, and that account.
    pub(crate) fn of(proxy: &Uri) -> (Uri, Option<Self>) {
        let authority = proxy.authority().map_or("", |it| it.as_str());
        let (account, host) = match authority.rsplit_once('@') {
            Some((account, host)) => (Some(account), host),
            None => (None, authority),
        };
        let is_socks = is_socks(proxy);
        let port = if is_socks && proxy.port().is_none() { ":1080" } else { "" };
        let scheme = if is_socks { "http" } else { proxy.scheme_str().unwrap_or("http") };
        let bare = format!("{scheme}://{host}{port}").parse();
        let account = account.map(|it| {
            let (name, password) = it.split_once(':').unwrap_or((it, ""));
            Self { name: percent_decoded(name), password: percent_decoded(password) }
        });
        (bare.unwrap_or_else(|_| proxy.clone()), account)
    }

    fn header(&self) -> Option<HeaderValue> {
        let account = STANDARD.encode(format!("{}:{}", self.name, self.password));
        let mut header = HeaderValue::try_from(format!("Basic {account}")).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

/// Text of an address, where `%40` stands for `@`.
fn percent_decoded(text: &str) -> String {
    let mut bytes = vec![];
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|it| *first == b'%' && it.is_ascii());
        let code = digits
            .and_then(|it| std::str::from_utf8(it).ok())
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|it| u8::from_str_radix(it, 16).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
mod tests {
    use rustls::{
        client::danger::ServerCertVerifier as _,
        pki_types::{CertificateDer, ServerName, UnixTime},
    };

    use super::{Account, Trusted};

    /// Of `localhost` and 127.0.0.1, signed by an authority that nobody knows: made for this test
    /// alone.
    const LEAF: &str = "MIIBjDCCATKgAwIBAgIUSyWIMMj4I3rrmYWIlWxzJTQ7W4EwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwHhcNMjYxMTI1MTAwOTE0WhcNMjYxMTI3MTAwOTE0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARCheLoIYYSe8/x5GMK/AM0qZmQmnllw/gY3/q43TTJPp/dm3/fl6BWewAuOeAIXwAtIBd9/N5dYAnDOFpKp/s+o2kwZzAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCQYDVR0TBAIwADAdBgNVHQ4EFgQU41qMN363lfsH4SVbuXEPQh/o1Q0wHwYDVR0jBBgwFoAU+1uCrpwKa2FQJc/yLv2Ln343GykwCgYIKoZIzj0EAwIDSAAwRQIgDvxOt5lrcrtcY2NZYv3Tb/hTJwvnTK85k8RrRMWVQNsCIQDU0sZv8TvwBvTh7/g/H7bwZYtgXZy5ou+qGb3uBTu0sg==";
    /// That authority.
    const AUTHORITY: &str = "MIIBcDCCARWgAwIBAgIUC/mYiV/ZuZDlm378RS6tLyytUKYwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwHhcNMjYxMTI1MTAwOTE0WhcNMjYxMTI3MTAwOTE0WjANMQswCQYDVQQDDAJjYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJshAAvKhL2k0K0zpU1NME37+/5AoPoH+2rRuVsDAPIrtJfJYbLzmi6FAGXDuZIjFanadLF6nHnMh+hEdH4gHU2jUzBRMB0GA1UdDgQWBBT7W4KunAprYVAlz/Iu/YuffjcbKTAfBgNVHSMEGDAWgBT7W4KunAprYVAlz/Iu/YuffjcbKTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQDb2XEA1c9qzKoZ42PXdTbqreYrKhsx5WfAOaa1myQhhQIhAPp3uHowSxYHD9c1mSwzubXmdMy66/Bory1YkTma5r2J";

    fn der(text: &str) -> Vec<u8> {
        let k8s_openapi::ByteString(bytes) =
            serde_json::from_value(serde_json::Value::String(text.to_owned())).unwrap();
        bytes
    }

    /// Catches a certificate that is trusted though the kubeconfig does not hold it, or for another
    /// host's.
    #[test]
    fn only_the_very_certificate_and_only_for_its_names() {
        let takes = |trusted: &str, shown: &str, host: &'static str| {
            let trusted = Trusted::of(&[der(trusted)]).unwrap();
            let name = ServerName::try_from(host).unwrap();
            // No certificate of an authority is checked at this time.
            trusted
                .verify_server_cert(
                    &CertificateDer::from(der(shown)),
                    &[],
                    &name,
                    &[],
                    UnixTime::since_unix_epoch(std::time::Duration::ZERO),
                )
                .is_ok()
        };
        assert!(takes(LEAF, LEAF, "127.0.0.1") && takes(LEAF, LEAF, "localhost"));
        assert!(!takes(LEAF, LEAF, "other.example"));
        assert!(!takes(AUTHORITY, LEAF, "localhost") && !takes(LEAF, AUTHORITY, "localhost"));
    }

    /// Catches a password that is sent as it is escaped, or that stays in the address.
    #[test]
    fn a_proxy_s_account_is_not_part_of_its_address() {
        for (proxy, address, account) in [
            ("http://me:p%40ss%3A@p:3128", "http://p:3128/", Some(("me", "p@ss:"))),
            ("https://me@p", "https://p/", Some(("me", ""))),
            ("socks5://p", "http://p:1080/", None),
            ("socks5h://a:100%25%@p:1", "http://p:1/", Some(("a", "100%%"))),
        ] {
            let (bare, found) = Account::of(&proxy.parse().unwrap());
            let found = found.as_ref().map(|it| (it.name.as_str(), it.password.as_str()));
            assert_eq!((bare.to_string().as_str(), found), (address, account));
        }
    }
}
