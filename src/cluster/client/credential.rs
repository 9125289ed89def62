//! Credentials that change while the tool runs: they are put into each request anew.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION};
use kube::{Config, client::Body};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc::Sender;
use tower::BoxError;

use crate::cluster::{
    Failure,
    client::{
        client_certificate::RenewableCertificate, credential_plugin::Plugin, failure_id,
        request_layer::copy,
    },
};
use crate::console::sanitize::sanitize;

/// Where the token of a request comes from.
pub(crate) enum Credential {
    /// A command that prints a token or a certificate.
    Plugin(Box<Plugin>),
    /// A file that somebody else writes anew, as the kubelet does.
    TokenFile(TokenFile),
}

/// The credential that a request carries.
enum Carried {
    /// By its number.
    OfPlugin(u64),
    /// The token itself.
    OfFile(HeaderValue),
}

impl Credential {
    /// Takes what changes out of the configuration; what does not stays there. `listener` gets what
    /// a plugin says on standard error, line by line.
    ///
    /// # Errors
    /// The plugin fails, or there is no token in the file.
    pub(crate) async fn take_from(
        config: &mut Config,
        listener: Option<&Sender<String>>,
    ) -> Result<Option<Self>, Failure> {
        let auth = &mut config.auth_info;
        let beside = auth.token.as_ref().map(|it| it.expose_secret().to_owned());
        if let Some(path) = auth.token_file.take() {
            let file = TokenFile::open(PathBuf::from(path), beside.as_deref())?;
            (auth.token, auth.exec) = (None, None);
            return Ok(Some(Self::TokenFile(file)));
        }
        Ok(Plugin::take_from(config, listener).await?.map(|it| Self::Plugin(Box::new(it))))
    }

    /// Sends a request with the present credential. Where the API server does not accept that
    /// (401), it has not done what was asked: the request is sent once more with another
    /// credential, if there is one.
    ///
    /// # Errors
    /// The plugin fails, or what `send` fails with.
    pub(crate) async fn send<B, F>(
        &self,
        mut request: Request<Body>,
        send: impl Fn(Request<Body>) -> F,
    ) -> Result<Response<B>, BoxError>
    where
        F: Future<Output = Result<Response<B>, BoxError>>,
    {
        let again = copy(&request);
        let carried = self.authorize(&mut request).await?;
        let answer = send(request).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(mut again) = again else { return Ok(answer) };
        if !self.has_other_than(&carried).await? {
            return Ok(answer);
        }
        self.authorize(&mut again).await?;
        send(again).await
    }

    /// Puts the present token, if there is one, into a request.
    ///
    /// # Errors
    /// The plugin fails.
    async fn authorize(&self, request: &mut Request<Body>) -> Result<Carried, Failure> {
        let (token, carried) = match self {
            Self::Plugin(plugin) => {
                let held = plugin.credential().await?;
                (held.token, Carried::OfPlugin(held.number))
            }
            Self::TokenFile(file) => {
                let token = file.token();
                (Some(token.clone()), Carried::OfFile(token))
            }
        };
        if let Some(token) = token {
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        Ok(carried)
    }

    /// Whether there is another credential than this one, which the API server does not accept.
    ///
    /// # Errors
    /// The plugin fails.
    async fn has_other_than(&self, carried: &Carried) -> Result<bool, Failure> {
        match (self, carried) {
            (Self::Plugin(plugin), Carried::OfPlugin(number)) => {
                plugin.has_other_than(*number).await
            }
            (Self::TokenFile(file), Carried::OfFile(token)) => Ok(file.token() != *token),
            (Self::Plugin(_), Carried::OfFile(_)) | (Self::TokenFile(_), Carried::OfPlugin(_)) => {
                Ok(false)
            }
        }
    }

    /// That requests wait for a run of the plugin, if they do.
    pub(crate) fn awaited_run(&self) -> Option<Failure> {
        match self {
            Self::Plugin(plugin) => plugin.awaited_run(),
            Self::TokenFile(_) => None,
        }
    }

    /// Returns once no request has had to wait for a credential for so long.
    pub(crate) async fn is_not_awaited_for(&self, time: Duration) {
        match self {
            Self::Plugin(plugin) => plugin.is_not_awaited_for(time).await,
            Self::TokenFile(_) => tokio::time::sleep(time).await,
        }
    }

    /// The certificate that connections begin with, where it changes.
    pub(crate) fn certificate(&self) -> Option<Arc<RenewableCertificate>> {
        match self {
            Self::Plugin(plugin) => Some(plugin.certificate()),
            Self::TokenFile(_) => None,
        }
    }
}

/// A `tokenFile`, and the newest token that was in it.
pub(crate) struct TokenFile {
    path: PathBuf,
    newest: Mutex<HeaderValue>,
}

impl TokenFile {
    /// Reads the file. The kubeconfig's `token` counts where the file holds none, as for kubectl.
    fn open(path: PathBuf, beside: Option<&str>) -> Result<Self, Failure> {
        let fails = |why: &str| {
            Failure::new(
                failure_id::BAD_KUBECONFIG,
                format!("{} the tokenFile {}", why, sanitize(&path.display().to_string())),
                "Log in again, or get a new kubeconfig from whoever runs the cluster.",
            )
        };
        let newest = match (fs::read_to_string(&path), beside) {
            (Ok(text), beside) => match (text.trim(), beside) {
                ("", None) => return Err(fails("there is no token in")),
                ("", Some(token)) => bearer(token),
                (text, _) => bearer(text),
            },
            (Err(_), Some(token)) => bearer(token),
            (Err(error), None) => {
                return Err(fails("cannot read").because(error.to_string()));
            }
        };
        let newest = newest.ok_or_else(|| fails("there is a token that cannot be sent in"))?;
        Ok(Self { path, newest: Mutex::new(newest) })
    }

    /// The token that is in the file now; the last one where there is none now.
    fn token(&self) -> HeaderValue {
        let read = fs::read_to_string(&self.path).ok();
        let text = read.as_deref().map(str::trim).filter(|it| !it.is_empty());
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = text.and_then(bearer) {
            *newest = value;
        }
        newest.clone()
    }
}

/// The header's value for a token, if it can be one.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use http::{Request, header::AUTHORIZATION};
    use kube::{Config, client::Body};

    use super::Credential;

    fn config(path: &Path, token: Option<&str>) -> Config {
        let mut config = Config::new(http::Uri::from_static("https://127.0.0.1:1"));
        config.auth_info.token_file = Some(path.display().to_string());
        config.auth_info.token = token.map(|it| it.to_owned().into());
        config
    }

    async fn sent(credential: &Credential) -> String {
        let mut request = Request::new(Body::empty());
        credential.authorize(&mut request).await.unwrap();
        request.headers()[AUTHORIZATION].to_str().unwrap().to_owned()
    }

    /// Catches a grade that is refused when the kubelet has renewed its token, and one that stops
    /// while the file is written.
    #[tokio::test]
    async fn a_token_file_is_read_for_each_request() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "one\n").unwrap();
        let held = Credential::take_from(&mut config(&path, None), None).await.unwrap().unwrap();
        assert_eq!(sent(&held).await, "Bearer one");
        fs::write(&path, "two\n").unwrap();
        assert_eq!(sent(&held).await, "Bearer two");
        for gone in ["", "\n", "a\u{7f}b"] {
            fs::write(&path, gone).unwrap();
            assert_eq!(sent(&held).await, "Bearer two");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(sent(&held).await, "Bearer two");
    }

    /// Catches a stale token that is sent although the file beside it holds another.
    #[tokio::test]
    async fn the_file_goes_before_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let take = async |token| Credential::take_from(&mut config(&path, token), None).await;
        assert_eq!(sent(&take(Some("own")).await.unwrap().unwrap()).await, "Bearer own");
        let failure = take(None).await.err().unwrap();
        assert!(failure.what.starts_with("cannot read the tokenFile "), "{failure:?}");
        fs::write(&path, "\n").unwrap();
        let failure = take(None).await.err().unwrap();
        assert!(failure.what.starts_with("there is no token in the tokenFile "), "{failure:?}");
        fs::write(&path, "filed").unwrap();
        assert_eq!(sent(&take(Some("own")).await.unwrap().unwrap()).await, "Bearer filed");
    }
}
