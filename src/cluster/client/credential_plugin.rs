//! Credential plugins: the command of a kubeconfig that prints a token or a certificate.
//!
//! kube runs them too, but waits for ever, and on the thread that should hear a Ctrl-C. So they are
//! run here: bounded, killed when nobody needs them any more, and again when what they gave expires
//! or is refused; [`held`] says when.
//!
//! Only the first run belongs to whoever connects. Each later one runs beside the requests: one that
//! is given up stops waiting, and the run goes on for the next.

mod held;
mod output;
mod process;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::HeaderValue;
use kube::{Config, config::ExecConfig};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc::Sender, oneshot, watch},
    task::JoinSet,
    time::Instant,
};

use crate::cluster::{
    Failure,
    client::{
        client_certificate::RenewableCertificate,
        credential,
        credential_plugin::{
            held::{Cause, Held, Issued, Lifetime, Need, Now},
            output::Status,
            process::run,
        },
        failure_id,
    },
};
use crate::console::sanitize::sanitize;

/// A plugin, and what it gave last.
pub(crate) struct Plugin {
    shared: Arc<Shared>,
    /// What runs the plugin beside the requests; ends with this.
    renewals: Mutex<JoinSet<()>>,
}

struct Shared {
    exec: ExecConfig,
    /// Gets what the plugin says on standard error.
    listener: Option<Sender<String>>,
    held: Mutex<Held>,
    /// Held while the plugin runs.
    turn: AsyncMutex<()>,
    /// The run that is under way.
    run: watch::Sender<Option<Run>>,
    certificate: Arc<RenewableCertificate>,
}

/// A run of the plugin.
#[derive(Clone, Copy, Debug)]
struct Run {
    since: Instant,
    /// Whether a request cannot be sent, or not with success, until it has ended.
    is_awaited: bool,
}

fn is_awaited(run: &Option<Run>) -> bool {
    run.is_some_and(|it| it.is_awaited)
}

/// Says that a run is under way, until it is dropped.
struct RunGuard<'a>(&'a watch::Sender<Option<Run>>);

impl Drop for RunGuard<'_> {
    fn drop(&mut self) {
        self.0.send_replace(None);
    }
}

/// A credential as a request carries it.
pub(crate) struct Numbered {
    /// The token, if there is one, as a header's value.
    pub(crate) token: Option<HeaderValue>,
    /// Another number for each credential.
    pub(crate) number: u64,
}

impl Plugin {
    /// Runs the configuration's plugin, if it has one that counts, and takes it out of there;
    /// `listener` gets what the plugin says on standard error, line by line.
    ///
    /// # Errors
    /// The plugin is missing, fails, gives nothing of use, or takes too long.
    pub(crate) async fn take_from(
        config: &mut Config,
        listener: Option<&Sender<String>>,
    ) -> Result<Option<Self>, Failure> {
        Self::take_from_at(config, listener, Now::read()).await
    }

    async fn take_from_at(
        config: &mut Config,
        listener: Option<&Sender<String>>,
        now: Now,
    ) -> Result<Option<Self>, Failure> {
        let auth = &mut config.auth_info;
        let goes_before = auth.token.is_some()
            || auth.token_file.is_some()
            || auth.username.is_some()
            || auth.client_certificate_data.is_some();
        let Some(exec) = auth.exec.take().filter(|_| !goes_before) else { return Ok(None) };
        let status = run(&exec, listener).await?;
        let certificate = Arc::default();
        let issued = issued(&exec, status, None, &certificate, now)?;
        let shared = Shared {
            exec,
            listener: listener.cloned(),
            held: Mutex::new(Held::new(issued, now)),
            turn: AsyncMutex::default(),
            run: watch::Sender::new(None),
            certificate,
        };
        Ok(Some(Self { shared: Arc::new(shared), renewals: Mutex::default() }))
    }

    /// The credential for a request. Where the last one has expired, it is a new one.
    ///
    /// # Errors
    /// As [`Plugin::take_from`], where the last one has expired.
    pub(crate) async fn credential(&self) -> Result<Numbered, Failure> {
        self.credential_at(Now::read()).await
    }

    async fn credential_at(&self, now: Now) -> Result<Numbered, Failure> {
        let need = self.shared.held().need(now);
        match need {
            Need::Nothing => {}
            Need::RenewAhead => self.renew_ahead(now),
            Need::Renew => {
                let number = self.shared.held().number();
                self.renew(Cause::Expired, number, now).await?;
            }
        }
        let held = self.shared.held();
        Ok(Numbered { token: held.token(), number: held.number() })
    }

    /// Whether there is another credential than the one of this number, which the API server does
    /// not accept: for that the plugin is run, once for all requests that carried it.
    ///
    /// # Errors
    /// As [`Plugin::take_from`].
    pub(crate) async fn has_other_than(&self, number: u64) -> Result<bool, Failure> {
        self.has_other_than_at(number, Now::read()).await
    }

    async fn has_other_than_at(&self, number: u64, now: Now) -> Result<bool, Failure> {
        self.renew(Cause::Refused, number, now).await.map_err(|failure| {
            failure.because("the API server does not accept the credential that it gave before")
        })
    }

    /// Runs the plugin beside the requests. Whether it succeeds is seen by what is held then.
    fn renew_ahead(&self, now: Now) {
        let shared = Arc::clone(&self.shared);
        let number = shared.held().number();
        self.spawn(async move {
            let _ = shared.renew(Cause::Ahead, number, now).await;
        });
    }

    /// As [`Shared::renew`], which goes on where this is given up.
    async fn renew(&self, cause: Cause, number: u64, now: Now) -> Result<bool, Failure> {
        let shared = Arc::clone(&self.shared);
        shared.run.send_if_modified(|run| match run {
            Some(run) => !std::mem::replace(&mut run.is_awaited, true),
            None => false,
        });
        let (sender, result) = oneshot::channel();
        self.spawn(async move {
            // Nobody may wait for it any more.
            let _ = sender.send(shared.renew(cause, number, now).await);
        });
        result.await.unwrap_or_else(|_| {
            let name = name(&self.shared.exec);
            Err(failed(
                format!("the run of the credential plugin {name} broke off"),
                by_hand(&name),
            ))
        })
    }

    fn spawn(&self, renewal: impl Future<Output = ()> + Send + 'static) {
        let mut renewals = self.renewals.lock().unwrap_or_else(PoisonError::into_inner);
        while renewals.try_join_next().is_some() {}
        renewals.spawn(renewal);
    }

    /// That requests wait for a run of the plugin, if they do.
    pub(crate) fn awaited_run(&self) -> Option<Failure> {
        let run = (*self.shared.run.borrow()).filter(|it| it.is_awaited)?;
        let (name, seconds) = (name(&self.shared.exec), run.since.elapsed().as_secs());
        let what = format!("the credential plugin {name} has been running for {seconds} s");
        Some(failed(what, format!("See what it waits for. {}", by_hand(&name))))
    }

    /// Returns once no request has had to wait for the plugin for so long.
    pub(crate) async fn is_not_awaited_for(&self, time: Duration) {
        // `self` owns the sender, so `wait_for` does not fail.
        let mut run = self.shared.run.subscribe();
        loop {
            let _ = run.wait_for(|it| !is_awaited(it)).await;
            if tokio::time::timeout(time, run.wait_for(is_awaited)).await.is_err() {
                return;
            }
        }
    }

    /// The newest certificate.
    pub(crate) fn certificate(&self) -> Arc<RenewableCertificate> {
        Arc::clone(&self.shared.certificate)
    }
}

impl Shared {
    /// Runs the plugin, unless another one than the credential of this number is held already, or
    /// the plugin may not be run again yet. Whether another one is held then.
    ///
    /// # Errors
    /// The plugin fails, or has failed and may not be run again yet.
    async fn renew(&self, cause: Cause, number: u64, now: Now) -> Result<bool, Failure> {
        let asked = Instant::now();
        let _turn = self.turn.lock().await;
        let now = now.after(asked.elapsed());
        let is_over = {
            let held = self.held();
            let is_valid_again = cause == Cause::Expired && !held.is_expired(now);
            if held.number() != number || is_valid_again {
                return Ok(true);
            }
            !held.may_run(now)
        };
        if is_over {
            return self.held().failure().map_or(Ok(false), Err);
        }
        let began = Instant::now();
        self.run.send_replace(Some(Run { since: began, is_awaited: cause != Cause::Ahead }));
        let guard = RunGuard(&self.run);
        let given = self.run_again(now).await;
        drop(guard);
        let ended = now.after(began.elapsed());
        match given {
            Ok(issued) => Ok(self.held().take(issued, cause, ended)),
            Err(failure) => {
                self.held().note_failure(failure.clone(), ended);
                Err(failure)
            }
        }
    }

    async fn run_again(&self, now: Now) -> Result<Issued, Failure> {
        let began = Instant::now();
        let status = run(&self.exec, self.listener.as_ref()).await?;
        let ended = now.after(began.elapsed());
        let known = self.held().certificate();
        issued(&self.exec, status, known.as_deref(), &self.certificate, ended)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is held of a credential. Its certificate, unless that is `known`, is put where connections
/// find it.
fn issued(
    exec: &ExecConfig,
    status: Status,
    known: Option<&str>,
    newest: &RenewableCertificate,
    now: Now,
) -> Result<Issued, Failure> {
    let name = name(exec);
    let wrong = |what: &str| {
        failed(format!("the credential plugin {name} printed {what}"), "Mend or reinstall it.")
    };
    let token = match &status.token {
        Some(token) => {
            Some(credential::bearer(token).ok_or_else(|| wrong("a token that cannot be sent"))?)
        }
        None => None,
    };
    let until = status.expires().map_err(|it| wrong(&format!("no time of expiry: {it}")))?;
    if let (Some(certificate), Some(key)) =
        (&status.client_certificate_data, &status.client_key_data)
        && known != Some(certificate)
    {
        newest.renew(certificate, key).map_err(|what| {
            failed(format!("the credential plugin {name} printed {what}"), by_hand(&name))
        })?;
    }
    let lifetime = until.map(|until| Lifetime { from: now.wall, until });
    Ok(Issued { token, certificate: status.client_certificate_data, lifetime })
}

/// Why there is no credential, and what to do.
fn failed(what: impl Into<String>, next: impl Into<String>) -> Failure {
    Failure::new(failure_id::CREDENTIAL_PLUGIN, what, next)
}

/// What helps against a plugin that does not do its work.
fn by_hand(name: &str) -> String {
    format!(
        "Run `{name}` by hand with the arguments of the kubeconfig, or log in again as your \
        cluster's guide says."
    )
}

/// The command, without its arguments: they may hold a password or a token.
fn name(exec: &ExecConfig) -> String {
    sanitize(exec.command.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests;
