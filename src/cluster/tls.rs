//! A server whose own certificate is what the kubeconfig trusts.
//!
//! kubectl takes any certificate of `certificate-authority` for the server's own, too. rustls only builds chains
//! to authorities, so a server with such a certificate is asked through a verifier of our own.

use std::{sync::Arc, time::Duration};

use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt as _},
};
use rustls::{
    DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use tower::{BoxError, ServiceBuilder};

use super::requests::CountLayer;

/// A client as kube's own builder makes it, without a proxy, that also takes the server's own certificate for trusted.
///
/// `None` where that would make no difference, or a certificate cannot be read.
pub(super) fn client(config: &Config, layer: &CountLayer, connect_timeout: Duration) -> Option<Client> {
    if config.proxy_url.is_some() || config.accept_invalid_certs {
        return None;
    }
    let mut tls = config.rustls_client_config().ok()?;
    tls.dangerous().set_certificate_verifier(Arc::new(Trusted::of(config.root_cert.as_ref()?)?));
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(connect_timeout));
    let mut https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    if let Some(name) = &config.tls_server_name {
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name.clone().try_into().ok()?));
    }
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new()).build(https.enable_http1().wrap_connector(connector));
    let stack = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().ok()?)
        .layer(config.extra_headers_layer().ok()?)
        .map_err(BoxError::from)
        .service(http);
    Some(ClientBuilder::new(stack, config.default_namespace.clone()).with_layer(layer).build())
}

/// Takes what the kubeconfig trusts for the server's own certificate, or for its authority.
#[derive(Debug)]
struct Trusted {
    certificates: Vec<CertificateDer<'static>>,
    authorities: Arc<WebPkiServerVerifier>,
}

impl Trusted {
    fn of(certificates: &[Vec<u8>]) -> Option<Self> {
        let certificates: Vec<CertificateDer<'static>> = certificates.iter().map(|it| CertificateDer::from(it.clone())).collect();
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).ok()?;
        }
        Some(Self { certificates, authorities: WebPkiServerVerifier::builder(Arc::new(roots)).build().ok()? })
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
            return self.authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        }
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, message: &[u8], cert: &CertificateDer<'_>, dss: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(&self, message: &[u8], cert: &CertificateDer<'_>, dss: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
