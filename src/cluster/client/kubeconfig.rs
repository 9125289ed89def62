//! Kubeconfigs, read as kubectl reads them.
//!
//! kube is stricter: a file of the list in `KUBECONFIG` that is missing is an error to it, base64
//! in several lines is none, an empty field counts as set, and a server without a scheme makes it
//! panic.

use crate::cluster::client::failure_id;
use std::{
    env, fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use http::Uri;
use k8s_openapi::ByteString;
use kube::{
    Config,
    config::{AuthInfo, Cluster, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::cluster::Failure;
use crate::console::sanitize::sanitize;

/// The connection's configuration, and the name of the context that it comes from.
///
/// `named` is the one file that counts where it is given; else those of `KUBECONFIG`, else
/// `~/.kube/config`.
///
/// # Errors
/// No kubeconfig, one that cannot be used, or no such context.
pub(crate) async fn configuration(
    named: Option<&Path>,
    context: Option<&str>,
) -> Result<(Config, String), Failure> {
    let mut kubeconfig = match read(named) {
        Ok(kubeconfig) => kubeconfig,
        // Inside a pod there is no kubeconfig, but a service account.
        Err(failure)
            if named.is_none() && context.is_none() && failure.id == failure_id::NO_KUBECONFIG =>
        {
            return Config::incluster()
                .map(|config| (config, "in-cluster".to_owned()))
                .map_err(|_| failure);
        }
        Err(failure) => return Err(failure),
    };
    let Some(name) = context.map(str::to_owned).or_else(|| kubeconfig.current_context.clone())
    else {
        return Err(Failure::of_kubeconfig(&KubeconfigError::CurrentContextNotSet));
    };
    let known: Vec<String> = kubeconfig.contexts.iter().map(|it| it.name.clone()).collect();
    if !known.contains(&name) {
        return Err(Failure::unknown_context(&name, &known));
    }
    complete_server(&mut kubeconfig, &name)?;
    let has_own_proxy =
        cluster_of(&mut kubeconfig, &name).is_some_and(|(_, cluster)| cluster.proxy_url.is_some());
    let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| Failure::of_kubeconfig(&error))?;
    let exceptions = env::var("NO_PROXY").or_else(|_| env::var("no_proxy")).unwrap_or_default();
    if !has_own_proxy && goes_direct(config.cluster_url.host().unwrap_or_default(), &exceptions) {
        config.proxy_url = None;
    }
    config.proxy_url = config.proxy_url.map(with_scheme);
    Ok((config, name))
}

/// Reads and merges the files: the first one that says something wins. Those that do not exist are
/// left out.
fn read(named: Option<&Path>) -> Result<Kubeconfig, Failure> {
    if let Some(path) = named {
        return read_file(path).map_err(|error| Failure::of_kubeconfig(&error));
    }
    let listed: Vec<PathBuf> =
        env::var_os("KUBECONFIG").map(|it| env::split_paths(&it).collect()).unwrap_or_default();
    read_list(listed.into_iter().filter(|it| !it.as_os_str().is_empty()).collect())
}

fn read_list(mut paths: Vec<PathBuf>) -> Result<Kubeconfig, Failure> {
    if paths.is_empty() {
        let home =
            env::home_dir().ok_or_else(|| Failure::of_kubeconfig(&KubeconfigError::FindPath))?;
        paths.push(home.join(".kube").join("config"));
    }
    let mut merged: Option<Kubeconfig> = None;
    let mut missing = vec![];
    for path in paths {
        let next = match read_file(&path) {
            Ok(next) => next,
            Err(KubeconfigError::ReadConfig(why, path))
                if why.kind() == io::ErrorKind::NotFound =>
            {
                missing.push(sanitize(&path.display().to_string()));
                continue;
            }
            Err(error) => return Err(Failure::of_kubeconfig(&error)),
        };
        merged = Some(match merged {
            Some(before) => before.merge(next).map_err(|error| Failure::of_kubeconfig(&error))?,
            None => next,
        });
    }
    merged.ok_or_else(|| Failure::no_kubeconfig(&missing.join(", ")))
}

fn read_file(path: &Path) -> Result<Kubeconfig, KubeconfigError> {
    let mut file = Kubeconfig::read_from(path)?;
    // Of what kind the files are is not what they are compared by.
    file.kind = None;
    file.api_version = None;
    unset_empty(&mut file.current_context);
    file.clusters.iter_mut().filter_map(|it| it.cluster.as_mut()).for_each(settle_cluster);
    file.auth_infos.iter_mut().filter_map(|it| it.auth_info.as_mut()).for_each(settle_user);
    Ok(file)
}

fn settle_cluster(cluster: &mut Cluster) {
    cluster.server = cluster.server.take().filter(|it| !it.is_empty());
    unset_empty(&mut cluster.certificate_authority);
    cluster.proxy_url = cluster.proxy_url.take().filter(|it| !it.is_empty());
    unset_empty(&mut cluster.tls_server_name);
    cluster.certificate_authority_data =
        cluster.certificate_authority_data.take().map(|it| in_one_line(&it));
    unset_empty(&mut cluster.certificate_authority_data);
}

fn settle_user(user: &mut AuthInfo) {
    for field in [
        &mut user.username,
        &mut user.token_file,
        &mut user.client_certificate,
        &mut user.client_key,
        &mut user.impersonate,
    ] {
        unset_empty(field);
    }
    user.client_certificate_data = user.client_certificate_data.take().map(|it| in_one_line(&it));
    unset_empty(&mut user.client_certificate_data);
    let is_empty = |it: &SecretString| it.expose_secret().is_empty();
    user.token = user.token.take().filter(|it| !is_empty(it));
    user.client_key_data = user
        .client_key_data
        .take()
        .map(|it| SecretString::from(in_one_line(it.expose_secret())))
        .filter(|it| !is_empty(it));
}

/// An empty path has become that of the kubeconfig's folder, with a slash at its end, as no file's
/// has.
fn unset_empty(field: &mut Option<String>) {
    if field.as_ref().is_some_and(|it| it.is_empty() || it.ends_with(std::path::MAIN_SEPARATOR)) {
        *field = None;
    }
}

/// Base64 as one line, without the breaks that `base64` puts into it.
///
/// What is tagged `!!binary` is decoded already.
fn in_one_line(data: &str) -> String {
    if data.contains("-----BEGIN ") {
        return base64(data);
    }
    data.split_ascii_whitespace().collect()
}

/// As a kubeconfig holds it.
pub(crate) fn base64(text: &str) -> String {
    match serde_json::to_value(ByteString(text.as_bytes().to_vec())) {
        Ok(Value::String(encoded)) => encoded,
        _ => String::new(),
    }
}

/// The names of the cluster and the user of a context.
fn names_of(kubeconfig: &Kubeconfig, context: &str) -> Option<(String, Option<String>)> {
    let named = kubeconfig.contexts.iter().find(|it| it.name == context)?;
    let context = named.context.as_ref()?;
    Some((context.cluster.clone(), context.user.clone()))
}

fn cluster_of<'k>(
    kubeconfig: &'k mut Kubeconfig,
    context: &str,
) -> Option<(String, &'k mut Cluster)> {
    let (name, _) = names_of(kubeconfig, context)?;
    let cluster = kubeconfig.clusters.iter_mut().find(|it| it.name == name)?.cluster.as_mut()?;
    Some((name, cluster))
}

/// Gives the server of a context the scheme that kubectl takes where none is written: https where
/// anything speaks of TLS.
///
/// See `DefaultServerURL` in client-go's `rest/url_utils.go`.
fn complete_server(kubeconfig: &mut Kubeconfig, context: &str) -> Result<(), Failure> {
    let user = names_of(kubeconfig, context).and_then(|(_, user)| user);
    let user = kubeconfig
        .auth_infos
        .iter()
        .find(|it| Some(&it.name) == user.as_ref())
        .and_then(|it| it.auth_info.as_ref());
    let has_certificate = user
        .is_some_and(|it| it.client_certificate.is_some() || it.client_certificate_data.is_some());
    // A missing part fails when it is loaded.
    let Some((name, cluster)) = cluster_of(kubeconfig, context) else { return Ok(()) };
    let Some(server) = &cluster.server else { return Ok(()) };
    let speaks_tls = has_certificate
        || cluster.certificate_authority.is_some()
        || cluster.certificate_authority_data.is_some()
        || cluster.insecure_skip_tls_verify == Some(true);
    let whole = match (server.contains("://"), speaks_tls) {
        (true, _) => server.clone(),
        (false, true) => format!("https://{server}"),
        (false, false) => format!("http://{server}"),
    };
    let is_address = whole.parse::<Uri>().is_ok_and(|it| {
        it.authority().is_some() && matches!(it.scheme_str(), Some("http" | "https"))
    });
    if !is_address {
        let what = format!(
            "the kubeconfig's cluster {} has no usable server: {}",
            sanitize(&name),
            sanitize(&without_credentials(server))
        );
        return Err(Failure::new(
            "bad_kubeconfig",
            what,
            "Write it as `server: https://HOST:PORT`.",
        ));
    }
    cluster.server = Some(whole);
    Ok(())
}

/// Whether the client key is on the curve P-521, which `ring` cannot use.
pub(crate) fn has_p521_key(config: &Config) -> bool {
    // The DER bytes of secp521r1's object identifier, 1.3.132.0.35.
    const P521: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
    let user = &config.auth_info;
    let pem = match (&user.client_key_data, &user.client_key) {
        (Some(data), _) => serde_json::from_value(Value::String(data.expose_secret().to_owned()))
            .map(|ByteString(it)| it)
            .ok(),
        (None, Some(path)) => fs::read(path).ok(),
        (None, None) => None,
    };
    let key = pem.and_then(|it| PrivateKeyDer::from_pem_slice(&it).ok());
    key.is_some_and(|it| it.secret_der().windows(P521.len()).any(|it| it == P521))
}

/// An address without the name and password that may stand before the host.
pub(crate) fn without_credentials(address: &str) -> String {
    let (scheme, rest) =
        address.split_once("://").map_or(("", address), |(scheme, rest)| (scheme, rest));
    let (authority, path) =
        rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    if path.is_empty() { format!("{scheme}{host}") } else { format!("{scheme}{host}/{path}") }
}

/// Whether a host is asked without the environment's proxy: this machine's own addresses, and what
/// `NO_PROXY` names.
fn goes_direct(host: &str, exceptions: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|it| it.is_loopback()) {
        return true;
    }
    exceptions.split(',').map(|it| it.trim().to_ascii_lowercase()).filter(|it| !it.is_empty()).any(
        |exception| {
            if exception == "*" || exception == host {
                return true;
            }
            match (address, exception.split_once('/')) {
                (Some(address), Some((network, bits))) => is_within(address, network, bits),
                (Some(_), None) => false,
                // A domain stands for all names in it.
                (None, _) => host.ends_with(&format!(
                    ".{}",
                    exception.trim_start_matches("*.").trim_start_matches('.')
                )),
            }
        },
    )
}

fn is_within(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let (one, other, width) = match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits()), u128::from(other.to_bits()), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    let Some(free) = u32::checked_sub(width, bits) else { return false };
    (one ^ other).checked_shr(free).unwrap_or(0) == 0
}

/// A proxy is spoken to by http where nothing else is written.
fn with_scheme(proxy: Uri) -> Uri {
    if proxy.scheme().is_some() {
        return proxy;
    }
    format!("http://{proxy}").parse().unwrap_or(proxy)
}

#[cfg(test)]
mod tests;
