//! Kubeconfigs, read and refused as kubectl does.
//!
//! kube's own loader is another one in many ways: see `tests/live/kubeconfigs.rs`, which compares
//! both tools on a table of kubeconfigs.

mod certificates;
mod file;
mod oidc;
mod proxy;
mod rules;

use std::{
    env,
    path::{Path, PathBuf},
};

use http::{
    Uri,
    uri::{Authority, Scheme},
};
use kube::{
    Config,
    config::{AuthInfo, Cluster, Context, ExecAuthCluster, Kubeconfig},
};

pub(crate) use crate::cluster::client::kubeconfig::certificates::{has_p521_key, is_p521};
pub(crate) use crate::cluster::client::kubeconfig::rules::server_name;
use crate::cluster::client::kubeconfig::{file::FileError, rules::unusable};
use crate::cluster::{
    Failure,
    client::{account::Account, failure_id},
};
use crate::console::sanitize::sanitize;

/// The connection's configuration, and the name of the context that it comes from.
///
/// `named` is the one file that counts where it is given; else those of `KUBECONFIG`, else
/// `~/.kube/config`.
///
/// # Errors
/// No kubeconfig, one that cannot be used, or no such context.
pub(crate) fn configuration(
    named: Option<&Path>,
    context: Option<&str>,
) -> Result<(Config, String), Failure> {
    let named = named.filter(|it| !it.as_os_str().is_empty());
    let read = match named {
        Some(path) => read_list(&[path.to_owned()]),
        None => read_list(&files_in(env::var_os("KUBECONFIG").unwrap_or_default())),
    };
    let context = context.filter(|it| !it.is_empty());
    let chosen = read.and_then(|it| choose(it, context));
    match chosen {
        // Inside a pod there is no kubeconfig, but a service account.
        Err(failure)
            if context.is_none()
                && (failure.id == failure_id::NO_CONTEXT
                    || failure.id == failure_id::NO_KUBECONFIG && named.is_none()) =>
        {
            in_cluster(failure).or_else(|failure| match default_server() {
                Some(server) => without_kubeconfig(&server),
                None => Err(failure),
            })
        }
        chosen => {
            let chosen = chosen?;
            Ok((chosen.configuration()?, chosen.name))
        }
    }
}

/// The files that `KUBECONFIG` names, or kubectl's usual one, in the order in which they are read.
fn files_in(variable: std::ffi::OsString) -> Vec<PathBuf> {
    if variable.is_empty() {
        return env::home_dir().map(|it| it.join(".kube").join("config")).into_iter().collect();
    }
    env::split_paths(&variable).filter(|it| !it.as_os_str().is_empty()).collect()
}

/// Reads and merges the files: the first one that says something wins. Those that do not exist are
/// left out.
fn read_list(paths: &[PathBuf]) -> Result<Kubeconfig, Failure> {
    let mut merged: Option<Kubeconfig> = None;
    let mut missing = vec![];
    for path in paths {
        match (file::read(path), merged.take()) {
            (Ok(next), None) => merged = Some(next),
            (Ok(next), Some(before)) => {
                let both = before.merge(next);
                merged = Some(both.map_err(|error| Failure::of_kubeconfig(&error))?);
            }
            (Err(FileError::Missing), before) => {
                merged = before;
                missing.push(path.display().to_string());
            }
            (Err(FileError::Unusable(failure)), _) => return Err(failure),
        }
    }
    merged.ok_or_else(|| Failure::no_kubeconfig(&missing))
}

/// The service account of the pod that this runs in; `failure` where there is none.
fn in_cluster(failure: Failure) -> Result<(Config, String), Failure> {
    match Config::incluster() {
        Ok(config) => Ok((config, "in-cluster".to_owned())),
        Err(error) if env::var_os("KUBERNETES_SERVICE_HOST").is_some() => {
            Err(failure.because(format!("nor is there a service account to use: {error}")))
        }
        Err(_) => Err(failure),
    }
}

/// The server where the kubeconfig names none: kubectl still reads this variable (`getDefaultServer`
/// in client-go's `tools/clientcmd/client_config.go`).
fn default_server() -> Option<String> {
    env::var(DEFAULT_SERVER).ok().filter(|it| !it.is_empty())
}

const DEFAULT_SERVER: &str = "KUBERNETES_MASTER";

/// A server that knows nobody, as `kubectl proxy` is.
fn without_kubeconfig(server: &str) -> Result<(Config, String), Failure> {
    let chosen = Chosen {
        name: DEFAULT_SERVER.to_owned(),
        context: Context::default(),
        cluster: Cluster { server: Some(server.to_owned()), ..Cluster::default() },
        user: None,
    };
    if server.to_ascii_lowercase().starts_with("https:") {
        return Err(unusable(
            format!("{DEFAULT_SERVER} names the server, and no kubeconfig says who asks"),
            "Name a kubeconfig by KUBECONFIG or `--kubeconfig`, with a context for this server.",
        ));
    }
    Ok((chosen.configuration()?, chosen.name))
}

/// A context with what it names.
struct Chosen {
    name: String,
    context: Context,
    cluster: Cluster,
    /// `None` where the kubeconfig has no such user.
    user: Option<AuthInfo>,
}

/// The named context, or the current one, with what it names.
fn choose(kubeconfig: Kubeconfig, context: Option<&str>) -> Result<Chosen, Failure> {
    let Some(name) = context.map(str::to_owned).or(kubeconfig.current_context) else {
        return Err(Failure::no_context());
    };
    let known: Vec<String> = kubeconfig.contexts.iter().map(|it| it.name.clone()).collect();
    let named = kubeconfig.contexts.into_iter().find(|it| it.name == name);
    let Some(context) = named.map(|it| it.context.unwrap_or_default()) else {
        return Err(Failure::unknown_context(&name, &known));
    };
    let cluster = kubeconfig.clusters.into_iter().find(|it| it.name == context.cluster);
    let cluster = cluster.map(|it| it.cluster.unwrap_or_default());
    // To kubectl, a cluster that is missing and one without a server are the same.
    let server = default_server().filter(|_| cluster.as_ref().is_none_or(|it| it.server.is_none()));
    let cluster = match server {
        Some(server) => Some(Cluster { server: Some(server), ..cluster.unwrap_or_default() }),
        None => cluster,
    };
    let Some(cluster) = cluster else {
        let what = if context.cluster.is_empty() {
            format!("the context {} of the kubeconfig names no cluster", sanitize(&name))
        } else {
            let cluster = sanitize(&context.cluster);
            let name = sanitize(&name);
            format!("the kubeconfig has no cluster {cluster}, which its context {name} names")
        };
        return Err(unusable(
            what,
            "Choose another context with `--context NAME`, or mend this one.",
        ));
    };
    let user = kubeconfig.auth_infos.into_iter().find(|it| Some(&it.name) == context.user.as_ref());
    Ok(Chosen { cluster, user: user.map(|it| it.auth_info.unwrap_or_default()), name, context })
}

impl Chosen {
    fn configuration(&self) -> Result<Config, Failure> {
        let (name, cluster) = (&self.context.cluster, &self.cluster);
        let user_name = self.context.user.as_deref().unwrap_or_default();
        let mut user = self.user.clone().unwrap_or_default();
        rules::check_user(user_name, &user)?;
        rules::check_cluster(name, cluster)?;
        let server = server(name, cluster.server.as_deref().unwrap_or_default())?;
        let proxy = match &cluster.proxy_url {
            Some(own) => Some(proxy::own(own, name)?),
            None => proxy::of_environment(&server, |it| env::var(it).ok())?,
        };
        let mut config = Config::new(server);
        config.proxy_url = proxy;
        if let Some(namespace) = &self.context.namespace {
            config.default_namespace.clone_from(namespace);
        }
        if config.cluster_url.scheme() == Some(&Scheme::HTTP) {
            // Credentials are not sent in plain text: kubectl does not do that either.
            user = without_credentials_of(user);
        } else {
            self.check_user_exists()?;
            rules::check_credentials(user_name, &user)?;
            rules::check_provider(user_name, &user)?;
            config.root_cert = certificates::authorities(name, cluster)?;
            config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
            config.tls_server_name = cluster.tls_server_name.clone().filter(|it| !it.is_empty());
            if let Some(pinned) = &config.tls_server_name {
                server_name(pinned)?;
            }
            certificates::identity(user_name, &mut user)?;
            oidc::identity(user_name, &mut user)?;
        }
        if let Some(exec) = user.exec.as_mut().filter(|it| it.provide_cluster_info) {
            let info = ExecAuthCluster::try_from(cluster);
            exec.cluster = Some(info.map_err(|error| Failure::of_kubeconfig(&error))?);
        }
        add_account_of_server(&mut user, &config.cluster_url);
        config.auth_info = user;
        config.cluster_url = without_account(config.cluster_url);
        Ok(config)
    }

    fn check_user_exists(&self) -> Result<(), Failure> {
        let name = sanitize(&self.name);
        match (&self.user, &self.context.user) {
            (Some(_), _) => Ok(()),
            (None, None) => Err(unusable(
                format!("the context {name} of the kubeconfig names no user"),
                "Choose another context with `--context NAME`, or add its user.",
            )),
            (None, Some(user)) => Err(unusable(
                format!(
                    "the kubeconfig has no user {}, which its context {name} names",
                    sanitize(user)
                ),
                "Choose another context with `--context NAME`, or add this user.",
            )),
        }
    }
}

/// The name and password in a server's address are sent where the user has nothing else that goes
/// there, as Go does it, whatever the scheme.
fn add_account_of_server(user: &mut AuthInfo, server: &Uri) {
    let has_other = user.username.is_some()
        || user.token.is_some()
        || user.token_file.is_some()
        || user.auth_provider.is_some()
        || user.exec.is_some();
    if !has_other && let (_, Some(account)) = Account::of(server) {
        user.username = Some(account.name);
        user.password = Some(account.password.into());
    }
}

/// A server's address without a name and password.
fn without_account(server: Uri) -> Uri {
    without_credentials(&server.to_string()).parse().unwrap_or(server)
}

/// A user without credentials: only whom to impersonate is kept.
fn without_credentials_of(user: AuthInfo) -> AuthInfo {
    AuthInfo {
        impersonate: user.impersonate,
        impersonate_uid: user.impersonate_uid,
        impersonate_groups: user.impersonate_groups,
        impersonate_user_extra: user.impersonate_user_extra,
        ..AuthInfo::default()
    }
}

/// A cluster's address. What has no scheme is asked by http, whatever else speaks of TLS.
///
/// See `DefaultServerURL` in client-go's `rest/url_utils.go`.
fn server(cluster: &str, server: &str) -> Result<Uri, Failure> {
    let cluster = sanitize(cluster);
    let next = "Write it as `server: https://HOST:PORT`.";
    if server.is_empty() {
        return Err(unusable(
            format!("the cluster {cluster} of the kubeconfig has no server"),
            next,
        ));
    }
    if has_zone(server) {
        let server = sanitize(&without_credentials(server));
        let what = format!(
            "the server of the kubeconfig's cluster {cluster} is an IPv6 address with a zone, \
            which this tool cannot use, though kubectl can: {server}"
        );
        return Err(unusable(what, "Write an address without a zone, or a name, as `server`."));
    }
    let has_scheme = server.contains("://");
    let whole = if has_scheme { server.to_owned() } else { format!("http://{server}") };
    let is_server = |uri: &Uri| {
        uri.authority().is_some_and(has_usable_port)
            && matches!(uri.scheme_str(), Some("http" | "https"))
            && (has_scheme || uri.path() == "/")
    };
    whole.parse().ok().filter(is_server).ok_or_else(|| {
        let server = sanitize(&without_credentials(server));
        let what = format!("the kubeconfig's cluster {cluster} has no usable server: {server}");
        unusable(what, next)
    })
}

/// Whether the host is an IPv6 address that holds for one network interface alone:
/// `[fe80::1%25eth0]`.
fn has_zone(server: &str) -> bool {
    let address = without_credentials(server);
    let host = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
    let inside = host.strip_prefix('[').and_then(|it| it.split_once(']'));
    inside.is_some_and(|(it, _)| it.contains('%'))
}

/// Whether a port is one of 16 bits, or is left out. The crate `http` takes any number, and then
/// tells of no port.
fn has_usable_port(authority: &Authority) -> bool {
    let without_digits = authority.as_str().trim_end_matches(|c: char| c.is_ascii_digit());
    authority.port_u16().is_some() || !without_digits.ends_with(':')
}

/// An address without the name and password that may stand before the host.
pub(crate) fn without_credentials(address: &str) -> String {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) if !scheme.is_empty() => (format!("{scheme}://"), rest),
        Some((_, rest)) => (String::new(), rest),
        None => (String::new(), address),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    if path.is_empty() { format!("{scheme}{host}") } else { format!("{scheme}{host}/{path}") }
}

#[cfg(test)]
mod tests;
