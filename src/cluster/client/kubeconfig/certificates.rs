//! The certificates and the key that a kubeconfig names or holds.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kube::{
    Config,
    config::{AuthInfo, Cluster},
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::cluster::{Failure, client::kubeconfig::rules::unusable};
use crate::console::sanitize::sanitize;

/// What helps against a certificate or a key that cannot be used.
const RENEW: &str = "Get a new kubeconfig from whoever runs the cluster.";

/// The authorities that a server is trusted by; `None`: those of this machine.
///
/// As with kubectl, a certificate that cannot be read is left out, unless it is the only one.
pub(super) fn authorities(name: &str, cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, Failure> {
    let whose = format!("cluster {}", sanitize(name));
    let Some(pem) = content(
        cluster.certificate_authority_data.as_deref(),
        cluster.certificate_authority.as_deref(),
        ("certificate-authority", &whose),
    )?
    else {
        return Ok(None);
    };
    let usable = |it: &CertificateDer<'_>| RootCertStore::empty().add(it.clone()).is_ok();
    let found = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).filter(usable);
    let found: Vec<Vec<u8>> = found.map(|it| it.as_ref().to_vec()).collect();
    if found.is_empty() {
        let what =
            format!("the certificate-authority of the {whose} of the kubeconfig is no certificate");
        return Err(unusable(what, RENEW));
    }
    Ok(Some(found))
}

/// Puts a user's certificate and key into the kubeconfig itself, where it names files.
pub(super) fn identity(name: &str, user: &mut AuthInfo) -> Result<(), Failure> {
    let whose = format!("user {}", sanitize(name));
    let certificate = content(
        user.client_certificate_data.as_deref(),
        user.client_certificate.as_deref(),
        ("client-certificate", &whose),
    )?;
    let key = content(
        user.client_key_data.as_ref().map(|it| it.expose_secret()),
        user.client_key.as_deref(),
        ("client-key", &whose),
    )?;
    (user.client_certificate, user.client_key) = (None, None);
    // A key without a certificate is left out, as by kubectl.
    let (Some(certificate), key) = (certificate, key.unwrap_or_default()) else {
        user.client_key_data = None;
        return Ok(());
    };
    let has_certificate =
        CertificateDer::pem_slice_iter(&certificate).filter_map(Result::ok).next().is_some();
    if !has_certificate {
        let what =
            format!("the client-certificate of the {whose} of the kubeconfig is no certificate");
        return Err(unusable(what, RENEW));
    }
    if String::from_utf8_lossy(&key).contains("ENCRYPTED") {
        return Err(unusable(
            format!("the client-key of the {whose} of the kubeconfig is encrypted"),
            "Decrypt it by `openssl pkey`: kubectl needs that, too.",
        ));
    }
    if PrivateKeyDer::from_pem_slice(&key).is_err() {
        let what = format!("the client-key of the {whose} of the kubeconfig is no private key");
        return Err(unusable(what, RENEW));
    }
    user.client_certificate_data = Some(STANDARD.encode(certificate));
    user.client_key_data = Some(SecretString::from(STANDARD.encode(key)));
    Ok(())
}

/// What a field holds in base64, or the file that it names.
fn content(
    data: Option<&str>,
    path: Option<&str>,
    (field, whose): (&str, &str),
) -> Result<Option<Vec<u8>>, Failure> {
    if let Some(data) = data {
        // It is valid: it was decoded and encoded when the file was read.
        return Ok(STANDARD.decode(data).ok());
    }
    let Some(path) = path else { return Ok(None) };
    fs::read(path).map(Some).map_err(|error| {
        let path = sanitize(path);
        unusable(
            format!("cannot read {path}, the {field} of the {whose} of the kubeconfig: {error}"),
            "Put the file there, or get a new kubeconfig from whoever runs the cluster.",
        )
    })
}

/// Whether the client key is on the curve P-521, which `ring` cannot use.
pub(crate) fn has_p521_key(config: &Config) -> bool {
    let data = config.auth_info.client_key_data.as_ref().map(|it| it.expose_secret());
    let pem = data.and_then(|it| STANDARD.decode(it).ok());
    let key = pem.and_then(|it| PrivateKeyDer::from_pem_slice(&it).ok());
    key.is_some_and(|it| is_p521(&it))
}

/// Whether a key is on the curve P-521.
pub(crate) fn is_p521(key: &PrivateKeyDer<'_>) -> bool {
    // The DER bytes of secp521r1's object identifier, 1.3.132.0.35.
    const P521: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
    key.secret_der().windows(P521.len()).any(|it| it == P521)
}
