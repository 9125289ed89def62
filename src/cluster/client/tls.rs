//! A server whose own certificate is what the kubeconfig trusts.
//!
//! kubectl takes any certificate of `certificate-authority` for the server's own, too. rustls only
//! builds chains to authorities, so a server with such a certificate is asked through a verifier of
//! our own.

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

use crate::cluster::client::request_layer::CountLayer;

/// A client as kube's own builder makes it, without a proxy, that also takes the server's own
/// certificate for trusted.
///
/// `None` where that would make no difference, or a certificate cannot be read.
pub(crate) fn client(
    config: &Config,
    layer: &CountLayer,
    connect_timeout: Duration,
) -> Option<Client> {
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
        https = https
            .with_server_name_resolver(FixedServerNameResolver::new(name.clone().try_into().ok()?));
    }
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new())
        .build(https.enable_http1().wrap_connector(connector));
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

    use super::Trusted;

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
}
