//! The one auth-provider that kubectl still has: `oidc`.
//!
//! kubectl sends the kubeconfig's id-token while that is valid, asks the issuer for another one by
//! the refresh-token when it has expired, and writes both into the kubeconfig (see
//! `plugin/pkg/client/auth/oidc/oidc.go` in client-go). Here no kubeconfig is written: an issuer may
//! void a refresh-token by its use, and whoever does not keep the next one has logged its user out.

use std::{collections::HashMap, fs};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use kube::config::AuthInfo;
use secrecy::SecretString;
use serde::Deserialize;

use crate::cluster::{Failure, client::kubeconfig::rules::unusable};
use crate::console::sanitize::sanitize;

/// How many seconds before its time a token counts as expired, as for kubectl.
const MARGIN_SECONDS: f64 = 10.0;

/// The part of an id-token that is needed.
#[derive(Deserialize)]
struct Claims {
    /// Seconds since the epoch.
    #[serde(default)]
    exp: f64,
}

/// Puts the auth-provider's token in its place, where nothing goes before it.
///
/// # Errors
/// What kubectl refuses: settings that are missing or cannot be read, and a token that is not a JWT.
/// A token that has expired, too.
pub(super) fn identity(name: &str, user: &mut AuthInfo) -> Result<(), Failure> {
    let Some(provider) = user.auth_provider.take() else { return Ok(()) };
    let of = format!("the auth-provider oidc of the user {} of the kubeconfig", sanitize(name));
    check_settings(&of, &provider.config)?;
    if user.token.is_some() || user.token_file.is_some() || user.username.is_some() {
        return Ok(());
    }
    let token = provider.config.get("id-token").filter(|it| !it.is_empty());
    let can_refresh = provider.config.get("refresh-token").is_some_and(|it| !it.is_empty());
    if token.is_some_and(|it| expires(it).is_none()) {
        return Err(unusable(format!("{of} has an id-token that is not a JWT"), LOG_IN));
    }
    let is_valid = |token: &&String| {
        // Whole seconds are exact in it for millions of years.
        let now = Timestamp::now().as_second() as f64;
        expires(token).is_some_and(|at| now + MARGIN_SECONDS < at)
    };
    match token.filter(is_valid) {
        Some(token) => {
            user.token = Some(SecretString::from(token.clone()));
            Ok(())
        }
        None if can_refresh => Err(unusable(
            format!("{of} has no id-token that is still valid"),
            "Let kubectl renew it, and run this again: `kubectl version`. It writes the new one \
            into the kubeconfig.",
        )),
        None => Err(unusable(
            format!("{of} has no id-token that is still valid, and no refresh-token"),
            LOG_IN,
        )),
    }
}

const LOG_IN: &str = "Log in again, as your cluster's guide says.";

/// What kubectl demands before it looks at any token.
fn check_settings(of: &str, settings: &HashMap<String, String>) -> Result<(), Failure> {
    let value = |name: &str| settings.get(name).filter(|it| !it.is_empty());
    for needed in ["idp-issuer-url", "client-id"] {
        if value(needed).is_none() {
            let next = format!("Add its `{needed}`, or log in again as your cluster's guide says.");
            return Err(unusable(format!("{of} has no {needed}"), next));
        }
    }
    if value("idp-certificate-authority-data").is_some_and(|it| STANDARD.decode(it).is_err()) {
        let what = format!("the idp-certificate-authority-data of {of} is not base64");
        return Err(unusable(what, LOG_IN));
    }
    if let Some(path) = value("idp-certificate-authority")
        && let Err(error) = fs::read(path)
    {
        let path = sanitize(path);
        return Err(unusable(
            format!("cannot read {path}, the idp-certificate-authority of {of}: {error}"),
            "Put the file there, or log in again as your cluster's guide says.",
        ));
    }
    Ok(())
}

/// When a token expires, in seconds since the epoch; `None` where it is no token.
fn expires(token: &str) -> Option<f64> {
    let parts: Vec<&str> = token.split('.').collect();
    let [_, payload, _] = parts.as_slice() else { return None };
    let claims = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&claims).ok().map(|it: Claims| it.exp)
}
