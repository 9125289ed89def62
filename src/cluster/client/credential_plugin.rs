//! Credential plugins: the command of a kubeconfig that prints a token or a certificate.
//!
//! kube runs them too, but waits for ever, and on the thread that should hear a Ctrl-C. So they are
//! run here: bounded, killed when nobody waits for them any more, and again shortly before what
//! they gave expires.

use std::{
    collections::HashMap,
    io::{self, IsTerminal as _},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use kube::{
    Config,
    config::{AuthInfo, ExecConfig, ExecInteractiveMode},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
    sync::Mutex,
};

use crate::cluster::{
    Failure,
    client::{credential, failure_id, identity::Identity, kubeconfig::base64},
};
use crate::console::{sanitize::sanitize, secrets::mask};
use crate::submission::go_yaml;

/// How long a plugin may take that cannot ask anybody.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a plugin may take at a terminal, where somebody may have to log in.
const INTERACTIVE_TIMEOUT: Duration = Duration::from_secs(300);
/// What expires sooner is renewed before the next request.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_secs(60);
/// The most that is read of what a plugin prints.
const MAX_OUTPUT_BYTES: u64 = 1 << 20;

/// A plugin that gives what expires, and the newest of that.
pub(crate) struct Plugin {
    exec: ExecConfig,
    held: Mutex<Issued>,
    identity: Arc<Identity>,
}

/// What a plugin gave last, the certificate aside.
struct Issued {
    token: Option<HeaderValue>,
    expires: Timestamp,
}

/// What a plugin prints: the `status` of an ExecCredential.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Plugin {
    /// Runs the configuration's plugin, if it has one that counts, and puts what it gives in its
    /// place. One that gives what expires comes back, for that to be renewed.
    ///
    /// # Errors
    /// The plugin is missing, fails, gives nothing of use, or takes too long.
    pub(crate) async fn take_from(config: &mut Config) -> Result<Option<Self>, Failure> {
        let auth = &mut config.auth_info;
        let goes_before = auth.token.is_some()
            || auth.token_file.is_some()
            || auth.username.is_some()
            || auth.client_certificate_data.is_some();
        let Some(exec) = auth.exec.take().filter(|_| !goes_before) else { return Ok(None) };
        let status = run(&exec).await?;
        if let (Some(certificate), Some(key)) =
            (&status.client_certificate_data, &status.client_key_data)
        {
            put_certificate(auth, certificate, key);
        }
        if expires(&exec, &status)?.is_none() {
            if let Some(token) = &status.token {
                bearer(&exec, token)?;
            }
            auth.token = status.token.map(Into::into);
            return Ok(None);
        }
        let identity = Arc::default();
        let held = Issued::of(&exec, &status, &identity)?;
        Ok(Some(Self { exec, held: Mutex::new(held), identity }))
    }

    /// The token, if there is one, as a header's value. Where the last credential is about to
    /// expire, the token and the certificate are new ones.
    ///
    /// # Errors
    /// As [`Plugin::take_from`].
    pub(crate) async fn token(&self) -> Result<Option<HeaderValue>, Failure> {
        let mut held = self.held.lock().await;
        if Timestamp::now() + RENEW_BEFORE >= held.expires {
            let status = run(&self.exec).await?;
            *held = Issued::of(&self.exec, &status, &self.identity)?;
        }
        Ok(held.token.clone())
    }

    /// The newest certificate.
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity)
    }
}

impl Issued {
    /// What is held of a credential, after its certificate was put where connections find it.
    fn of(exec: &ExecConfig, status: &Status, identity: &Identity) -> Result<Self, Failure> {
        let token = status.token.as_deref().map(|it| bearer(exec, it)).transpose()?;
        let expires = expires(exec, status)?.unwrap_or(Timestamp::MAX);
        if let (Some(certificate), Some(key)) =
            (&status.client_certificate_data, &status.client_key_data)
        {
            identity.renew(certificate, key).map_err(|what| {
                let name = name(exec);
                failed(format!("the credential plugin {name} printed {what}"), by_hand(&name))
            })?;
        }
        Ok(Self { token, expires })
    }
}

/// Why there is no credential, and what to do.
fn failed(what: impl Into<String>, next: impl Into<String>) -> Failure {
    Failure::new(failure_id::CREDENTIAL_PLUGIN, what, next)
}

/// Runs it once.
async fn run(exec: &ExecConfig) -> Result<Status, Failure> {
    let name = name(exec);
    let ended = run_to_end(exec, asks_at_terminal(exec)?).await?;
    if !ended.status.success() {
        let what = format!("the credential plugin {name} failed ({})", ended.status);
        let words = String::from_utf8_lossy(&ended.stderr);
        return Err(failed(what, by_hand(&name)).because(mask(words.trim())));
    }
    printed(&ended.stdout, exec.api_version.as_deref()).map_err(|what| {
        failed(format!("the credential plugin {name} printed {what}"), by_hand(&name))
    })
}

/// What helps against a plugin that does not do its work.
fn by_hand(name: &str) -> String {
    format!(
        "Run `{name}` by hand with the arguments of the kubeconfig, or log in again as your \
        cluster's guide says."
    )
}

/// Whether it may ask at the terminal.
///
/// # Errors
/// It always asks, and there is no terminal.
fn asks_at_terminal(exec: &ExecConfig) -> Result<bool, Failure> {
    let is_terminal = io::stdin().is_terminal();
    if exec.interactive_mode == Some(ExecInteractiveMode::Always) && !is_terminal {
        let what = format!(
            "the credential plugin {} asks at the terminal (interactiveMode: Always), and \
            standard input is none",
            name(exec)
        );
        return Err(failed(what, "Run stsgrade at a terminal, or log in another way."));
    }
    Ok(is_terminal && exec.interactive_mode != Some(ExecInteractiveMode::Never))
}

/// A plugin that has ended, and what it printed.
struct Ended {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Starts it, and waits until it ends.
///
/// # Errors
/// It cannot be started or read, or takes too long.
async fn run_to_end(exec: &ExecConfig, asks: bool) -> Result<Ended, Failure> {
    let name = name(exec);
    let within = if asks { INTERACTIVE_TIMEOUT } else { TIMEOUT };
    let mut child = command(exec, asks)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| not_started(exec, &error))?;
    let ended = async {
        let (out, err) = tokio::join!(read(child.stdout.take()), read(child.stderr.take()));
        let status = child.wait().await?;
        Ok::<_, io::Error>(Ended { status, stdout: out?, stderr: err? })
    };
    match tokio::time::timeout(within, ended).await {
        Ok(Ok(ended)) => Ok(ended),
        Ok(Err(error)) => {
            let what = format!("the credential plugin {name} cannot be read: {error}");
            Err(failed(what, by_hand(&name)))
        }
        Err(_) => {
            let what =
                format!("the credential plugin {name} has not ended within {} s", within.as_secs());
            Err(failed(what, format!("See what it waits for. {}", by_hand(&name))))
        }
    }
}

/// What it printed, as JSON or YAML of the version that it was asked for; else what is wrong with
/// it.
fn printed(out: &[u8], version: Option<&str>) -> Result<Status, String> {
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

fn command(exec: &ExecConfig, asks: bool) -> Command {
    let mut command = Command::new(exec.command.as_deref().unwrap_or_default());
    command.args(exec.args.iter().flatten());
    command.envs(exec.env.iter().flatten().filter_map(|it| Some((it.get("name")?, value_of(it)))));
    let mut spec = json!({"interactive": asks});
    if let Some(cluster) = exec.cluster.as_ref().filter(|_| exec.provide_cluster_info) {
        // What was read from a kubeconfig can be written again.
        spec["cluster"] = serde_json::to_value(cluster).unwrap_or_default();
    }
    let info = json!({"kind": "ExecCredential", "apiVersion": exec.api_version, "spec": spec});
    command.env("KUBERNETES_EXEC_INFO", info.to_string());
    let (input, errors) =
        if asks { (Stdio::inherit(), Stdio::inherit()) } else { (Stdio::null(), Stdio::piped()) };
    command.stdin(input).stdout(Stdio::piped()).stderr(errors);
    command
}

fn value_of(variable: &HashMap<String, String>) -> &str {
    variable.get("value").map_or("", String::as_str)
}

/// All that is printed, up to a limit. A plugin that prints more gets a broken pipe.
async fn read(from: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    if let Some(from) = from {
        from.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

fn not_started(exec: &ExecConfig, error: &io::Error) -> Failure {
    let name = name(exec);
    if error.kind() != io::ErrorKind::NotFound {
        return failed(
            format!("the credential plugin {name} cannot be started: {error}"),
            "Mend or reinstall it.",
        );
    }
    let what =
        format!("the credential plugin {name}, which the kubeconfig names, is not installed");
    Failure::new("no_credential_plugin", what, "Install it, and see that it is in PATH.")
        .because(exec.install_hint.as_deref().unwrap_or_default().trim())
}

/// The command, without its arguments: they may hold a password or a token.
fn name(exec: &ExecConfig) -> String {
    sanitize(exec.command.as_deref().unwrap_or_default())
}

fn expires(exec: &ExecConfig, status: &Status) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = &status.expiration_timestamp else { return Ok(None) };
    let wrong = |_| {
        failed(
            format!(
                "the credential plugin {} printed no time of expiry: {}",
                name(exec),
                sanitize(text)
            ),
            "Mend or reinstall it.",
        )
    };
    text.parse().map(Some).map_err(wrong)
}

fn bearer(exec: &ExecConfig, token: &str) -> Result<HeaderValue, Failure> {
    credential::bearer(token).ok_or_else(|| {
        failed(
            format!("the credential plugin {} printed a token that cannot be sent", name(exec)),
            "Mend or reinstall it.",
        )
    })
}

/// As a kubeconfig holds it: in base64.
fn put_certificate(auth: &mut AuthInfo, certificate: &str, key: &str) {
    auth.client_certificate_data = Some(base64(certificate));
    auth.client_key_data = Some(base64(key).into());
}

#[cfg(test)]
mod tests;
