//! A client certificate that changes while the tool runs.
//!
//! A server knows who asks by the certificate with which a connection began. So connections that
//! began with an older one take no further request: see `Reconnecting` in
//! [`super::transport`].

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use crate::cluster::client::kubeconfig::is_p521;

/// The newest certificate of a credential plugin, if it gave one.
#[derive(Debug, Default)]
pub(crate) struct RenewableCertificate {
    newest: RwLock<Option<Arc<CertifiedKey>>>,
    generation: AtomicU64,
}

impl RenewableCertificate {
    /// Connections that begin from now on show this certificate.
    ///
    /// # Errors
    /// What is no certificate, no key, or a key of another certificate, in words.
    pub(crate) fn renew(&self, certificate: &str, key: &str) -> Result<(), String> {
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
        let chain =
            chain.ok().filter(|it| !it.is_empty()).ok_or("text that is not a certificate")?;
        let key =
            PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "text that is not a key")?;
        if is_p521(&key) {
            return Err("a key on the curve P-521, which this tool cannot use, though kubectl can"
                .to_owned());
        }
        let both = CertifiedKey::from_der(chain, key, &default_provider())
            .map_err(|error| format!("a key that cannot be used: {error}"))?;
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(both));
        self.generation.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Another number for each certificate.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    fn newest(&self) -> Option<Arc<CertifiedKey>> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesClientCert for RenewableCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.newest()
    }

    fn has_certs(&self) -> bool {
        self.newest().is_some()
    }
}
