//! What kubectl refuses of the entries that a context names, before it asks any server.
//!
//! See `validateClusterInfo` and `validateAuthInfo` in client-go's `tools/clientcmd/validation.go`,
//! and `getUserIdentificationPartialConfig` in its `client_config.go`.

use http::HeaderValue;
use kube::config::{AuthInfo, Cluster, ExecConfig};
use secrecy::ExposeSecret as _;

use rustls::pki_types::ServerName;

use crate::cluster::{Failure, client::failure_id};
use crate::console::sanitize::sanitize;

/// The versions of the credential plugins' API that kubectl knows.
pub(super) const EXEC_VERSIONS: [&str; 2] =
    ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/// A kubeconfig that cannot be used.
pub(super) fn unusable(what: impl Into<String>, next: impl Into<String>) -> Failure {
    Failure::new(failure_id::BAD_KUBECONFIG, what, next)
}

/// Refuses a cluster with settings that exclude each other.
pub(super) fn check_cluster(name: &str, cluster: &Cluster) -> Result<(), Failure> {
    let has_file = cluster.certificate_authority.is_some();
    let has_data = cluster.certificate_authority_data.is_some();
    let name = sanitize(name);
    if has_file && has_data {
        return Err(unusable(
            format!(
                "the cluster {name} of the kubeconfig has both certificate-authority and \
                certificate-authority-data"
            ),
            "Take one of them out, as kubectl demands.",
        ));
    }
    if cluster.insecure_skip_tls_verify == Some(true) && (has_file || has_data) {
        return Err(unusable(
            format!(
                "the cluster {name} of the kubeconfig has both a certificate authority and \
                insecure-skip-tls-verify"
            ),
            "Take insecure-skip-tls-verify out; or take the authority out, and trust any server.",
        ));
    }
    Ok(())
}

/// The name that a server's certificate must be of, as `tls-server-name` says it.
///
/// # Errors
/// It is neither a name of the DNS nor an IP address, so no certificate can be of it.
pub(crate) fn server_name(name: &str) -> Result<ServerName<'static>, Failure> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        unusable(
            format!(
                "the tls-server-name {} of the kubeconfig is no name of a host",
                sanitize(name)
            ),
            "Write it as it stands in the server's certificate: without a scheme and a port.",
        )
    })
}

/// Refuses a user with settings that exclude each other, or lack each other.
pub(super) fn check_user(name: &str, user: &AuthInfo) -> Result<(), Failure> {
    let fails = |what: &str, next: &str| {
        Err(unusable(format!("the user {} of the kubeconfig {what}", sanitize(name)), next))
    };
    let has_certificate =
        user.client_certificate.is_some() || user.client_certificate_data.is_some();
    let has_key = user.client_key.is_some() || user.client_key_data.is_some();
    // Without a certificate, kubectl does not look at the key.
    let is_double = |file: bool, data: bool| has_certificate && file && data;
    let has_password = user.username.is_some() || has_password(user);
    let one = "Take one of them out, as kubectl demands.";
    if is_double(user.client_certificate.is_some(), user.client_certificate_data.is_some()) {
        return fails("has both client-certificate and client-certificate-data", one);
    }
    if is_double(user.client_key.is_some(), user.client_key_data.is_some()) {
        return fails("has both client-key and client-key-data", one);
    }
    if has_certificate && !has_key {
        return fails("has a client-certificate, but no client-key", "Add its client-key.");
    }
    if (user.token.is_some() || user.token_file.is_some()) && has_password {
        return fails("has both a token and a username or password", one);
    }
    if user.exec.is_some() && user.auth_provider.is_some() {
        return fails("has both a credential plugin and an auth-provider", one);
    }
    let acts_as_more = user.impersonate_uid.is_some()
        || user.impersonate_groups.as_ref().is_some_and(|it| !it.is_empty())
        || user.impersonate_user_extra.as_ref().is_some_and(|it| !it.is_empty());
    if acts_as_more && user.impersonate.is_none() {
        return fails(
            "has as-uid, as-groups or as-user-extra, but no `as`",
            "Say by `as` whom to impersonate.",
        );
    }
    check_headers(user).map_err(|field| {
        unusable(
            format!(
                "the `{field}` of the user {} of the kubeconfig cannot be sent",
                sanitize(name)
            ),
            "Take line breaks and other control characters out of it.",
        )
    })?;
    user.exec.as_ref().map_or(Ok(()), |it| check_plugin(name, it))
}

fn has_password(user: &AuthInfo) -> bool {
    user.password.as_ref().is_some_and(|it| !it.expose_secret().is_empty())
}

/// Refuses text that cannot be sent in a header, by the name of its field.
fn check_headers(user: &AuthInfo) -> Result<(), &'static str> {
    let sends = |field: &'static str, text: &str| match HeaderValue::from_str(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(field),
    };
    sends("token", user.token.as_ref().map_or("", |it| it.expose_secret()))?;
    sends("as", user.impersonate.as_deref().unwrap_or_default())?;
    sends("as-uid", user.impersonate_uid.as_deref().unwrap_or_default())?;
    user.impersonate_groups.iter().flatten().try_for_each(|it| sends("as-groups", it))?;
    let extra = user.impersonate_user_extra.iter().flatten();
    extra.flat_map(|(_, values)| values).try_for_each(|it| sends("as-user-extra", it))
}

fn check_plugin(user: &str, exec: &ExecConfig) -> Result<(), Failure> {
    let fails = |what: &str, next: &str| {
        let user = sanitize(user);
        Err(unusable(format!("the credential plugin of the user {user} {what}"), next))
    };
    let version = exec.api_version.as_deref().unwrap_or_default();
    let [newest, older] = EXEC_VERSIONS;
    if exec.command.as_deref().unwrap_or_default().is_empty() {
        return fails("has no command", "Name it by `exec.command` in the kubeconfig.");
    }
    if version.is_empty() {
        let next = format!("Write `apiVersion: {newest}` beside `exec.command` in the kubeconfig.");
        return fails("has no apiVersion", &next);
    }
    if !EXEC_VERSIONS.contains(&version) {
        return fails(
            &format!("has the apiVersion {}, which kubectl has no longer", sanitize(version)),
            &format!("Update the plugin and get a new kubeconfig by it, with {newest} or {older}."),
        );
    }
    if version == newest && exec.interactive_mode.is_none() {
        return fails(
            "has no interactiveMode",
            "Write `interactiveMode: IfAvailable` beside `exec.command` in the kubeconfig.",
        );
    }
    if exec.env.iter().flatten().any(|it| it.get("name").is_none_or(String::is_empty)) {
        return fails(
            "sets an environment variable without a name",
            "Add `name` under `exec.env`.",
        );
    }
    Ok(())
}

/// Refuses a user without credentials. kubectl asks for a user name and a password then, which no
/// API server takes any more.
pub(super) fn check_credentials(name: &str, user: &AuthInfo) -> Result<(), Failure> {
    let has_credentials = user.username.is_some()
        || user.client_certificate.is_some()
        || user.client_certificate_data.is_some()
        || user.token.is_some()
        || user.token_file.is_some()
        || user.auth_provider.is_some()
        || user.exec.is_some();
    if has_credentials {
        return Ok(());
    }
    Err(unusable(
        format!("the user {} of the kubeconfig holds no credentials", sanitize(name)),
        "Log in again, or get a new kubeconfig from whoever runs the cluster.",
    ))
}

/// Refuses an auth-provider that kubectl no longer has, or never had.
pub(super) fn check_provider(name: &str, user: &AuthInfo) -> Result<(), Failure> {
    let Some(provider) = user.auth_provider.as_ref().filter(|it| it.name != "oidc") else {
        return Ok(());
    };
    Err(unusable(
        format!(
            "the user {} of the kubeconfig has the auth-provider {}, which kubectl does not have",
            sanitize(name),
            sanitize(&provider.name)
        ),
        "Get a new kubeconfig with a credential plugin (`exec`), as your cluster's guide says.",
    ))
}
