//! What a credential plugin prints: an ExecCredential.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::console::sanitize::sanitize;
use crate::submission::go_yaml;

/// What a plugin prints: the `status` of an ExecCredential.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    expiration_timestamp: Option<String>,
    pub(super) token: Option<String>,
    pub(super) client_certificate_data: Option<String>,
    pub(super) client_key_data: Option<String>,
}

impl Status {
    /// When it expires; `None`: never.
    ///
    /// # Errors
    /// What is written there, where that is no time.
    pub(super) fn expires(&self) -> Result<Option<Timestamp>, String> {
        let Some(text) = &self.expiration_timestamp else { return Ok(None) };
        text.parse().map(Some).map_err(|_| sanitize(text))
    }
}

/// What it printed, as JSON or YAML of the version that it was asked for; else what is wrong with
/// it.
pub(super) fn printed(out: &[u8], version: Option<&str>) -> Result<Status, String> {
    let nothing = || "no credential".to_owned();
    let text = std::str::from_utf8(out).map_err(|_| nothing())?;
    let yaml = || Some(go_yaml::documents(text).ok()?.into_iter().next()?.value);
    let mut value: Value = serde_json::from_str(text).ok().or_else(yaml).ok_or_else(nothing)?;
    // kubectl takes one that does not say its kind.
    let is_one = match value.get("kind") {
        None => value.get("apiVersion").is_some(),
        Some(kind) => kind == "ExecCredential",
    };
    if !is_one {
        return Err(nothing());
    }
    if let Some(asked) = version
        && value["apiVersion"] != asked
    {
        let is = value["apiVersion"].as_str().unwrap_or("none");
        return Err(format!("the apiVersion {}, not {}", sanitize(is), sanitize(asked)));
    }
    let mut status: Status =
        serde_json::from_value(value["status"].take()).map_err(|_| nothing())?;
    // An empty text counts as unset.
    for field in [
        &mut status.token,
        &mut status.client_certificate_data,
        &mut status.client_key_data,
        &mut status.expiration_timestamp,
    ] {
        *field = field.take().filter(|it| !it.is_empty());
    }
    let (certificate, key) = (&status.client_certificate_data, &status.client_key_data);
    match (certificate.is_some(), key.is_some()) {
        (true, false) => Err("a certificate without its key".to_owned()),
        (false, true) => Err("a key without its certificate".to_owned()),
        (false, false) if status.token.is_none() => Err(nothing()),
        _ => Ok(status),
    }
}
