//! From a kubeconfig to a cluster that answers.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kube::{Client, core::Status};
use serde::Deserialize;
use tokio::sync::mpsc::Sender;

use crate::LAB_NAMESPACE;
use crate::cluster::client::{
    answer::silent,
    credential::Credential,
    error::{Failure, Tried},
    failure_id,
    kubeconfig::{configuration, has_p521_key, without_credentials},
    request_layer::{MaxTries, RequestLayer, Requests},
    transport,
};
use crate::console::sanitize::{clip, sanitize};
use crate::submission::is_namespace_name;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the first answer may take, from when there is a credential for the request.
const FIRST_ANSWER: Duration = Duration::from_secs(15);

/// Which cluster and namespace, as the user says. What is `None` comes from the kubeconfig, as with
/// kubectl.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`.
    pub context: Option<String>,
    /// `-n`; `None`: the lab's own, `statefulset-lab`.
    pub namespace: Option<String>,
    /// Gets what the kubeconfig's credential plugin says on standard error, line by line and safe to
    /// show. A line for which there is no room is left out.
    pub plugin_listener: Option<Sender<String>>,
}

/// A cluster that has answered. Cheap to clone; clones count into the same numbers.
#[derive(Clone)]
pub struct Cluster {
    /// kube's client; every request through it is counted and, where that is safe, repeated.
    pub client: Client,
    /// The namespace that is worked on.
    pub namespace: String,
    /// The context's own namespace, which kubectl would use.
    pub own_namespace: String,
    /// Name of the context; `in-cluster` inside a pod.
    pub context: String,
    /// Address of the API server.
    pub server: String,
    /// Its version (`v1.34.4`); `None` where this account may not read it.
    pub version: Option<String>,
    /// The requests made so far.
    pub requests: Arc<Requests>,
    /// The watch events received so far.
    pub watch_events: Arc<AtomicU64>,
    /// What the requests carry, where it may change.
    pub(crate) credential: Option<Arc<Credential>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

impl Cluster {
    /// Finds the cluster and asks for its version, once.
    ///
    /// # Errors
    /// A name that cannot be a namespace's, no or no usable kubeconfig, no such context, no server,
    /// no trust, no credentials.
    pub async fn connect(options: &Options) -> Result<Self, Failure> {
        let namespace = options.namespace.clone().unwrap_or_else(|| LAB_NAMESPACE.to_owned());
        // It becomes part of paths.
        if !is_namespace_name(&namespace) {
            return Err(Failure::new(
                "bad_namespace",
                format!("{:?} cannot be a namespace", sanitize(&namespace)),
                "A namespace's name has lowercase letters, digits and hyphens.",
            ));
        }
        let (mut config, context) =
            configuration(options.kubeconfig.as_deref(), options.context.as_deref())?;
        let credential = Credential::take_from(&mut config, options.plugin_listener.as_ref())
            .await?
            .map(Arc::new);
        let server = without_credentials(config.cluster_url.to_string().trim_end_matches('/'));
        let own_namespace = config.default_namespace.clone();
        // Without the name and password that may stand before the host.
        let proxy = config
            .proxy_url
            .as_ref()
            .and_then(|it| it.authority())
            .map(|it| it.as_str().rsplit('@').next().unwrap_or_default().to_owned());
        let requests = Arc::new(Requests::default());
        let tried = Tried { verb: "get", resource: "version", server: &server, ..Tried::default() };
        let layer =
            RequestLayer { requests: Arc::clone(&requests), credential: credential.clone() };
        let client = transport::client(&config, &layer, CONNECT)
            .map_err(|error| Failure::of_client(&error, has_p521_key(&config), &tried))?;
        let version = version(&client, credential.as_deref(), &tried).await;
        let version = version.map_err(|failure| match proxy {
            Some(proxy) => through_proxy(failure, &proxy),
            None => failure,
        })?;
        Ok(Self {
            client,
            namespace,
            own_namespace,
            context,
            server,
            version,
            requests,
            watch_events: Arc::default(),
            credential,
        })
    }

    /// The same cluster through an existing client: for tests, and for many namespaces at once.
    #[must_use]
    pub fn with(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            own_namespace: namespace.to_owned(),
            context: String::new(),
            server: String::new(),
            version: None,
            requests: Arc::default(),
            watch_events: Arc::default(),
            credential: None,
        }
    }

    /// The same connection, working on another namespace.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self.clone() }
    }

    /// As [`Cluster::in_namespace`], for one of several grades at once: its requests and watch
    /// events are counted by themselves, until
    /// [`Cluster::end_beside_others`].
    #[must_use]
    pub fn beside_others(&self, namespace: &str) -> Self {
        self.requests.begin_share(namespace);
        Self { watch_events: Arc::default(), ..self.in_namespace(namespace) }
    }

    /// The version of the API server, as it is shown.
    #[must_use]
    pub fn version_text(&self) -> &str {
        self.version.as_deref().unwrap_or("version unknown")
    }

    /// Ends what [`Cluster::beside_others`] began.
    pub fn end_beside_others(&self) {
        self.requests.end_share(&self.namespace);
    }

    /// How many requests were made for what is done here.
    #[must_use]
    pub fn own_requests(&self) -> u64 {
        self.requests.share(&self.namespace).unwrap_or_else(|| self.requests.total())
    }

    /// What an error of a request means; `resource` as in [`Tried`], an empty name for a
    /// collection.
    #[must_use]
    pub fn failure(&self, error: &kube::Error, verb: &str, resource: &str, name: &str) -> Failure {
        Failure::of(
            error,
            &Tried { verb, resource, name, namespace: &self.namespace, server: &self.server },
        )
    }

    /// What a request comes to within this time.
    ///
    /// # Errors
    /// What the request fails with. It has not ended in time: because it waits for the credential
    /// plugin, or else because the API server does not answer.
    pub(crate) async fn in_time<T>(
        &self,
        within: Duration,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, kube::Error> {
        tokio::time::timeout(within, request).await.unwrap_or_else(|_| {
            let run = self.credential.as_ref().and_then(|it| it.awaited_run());
            Err(kube::Error::Service(run.map_or_else(|| silent(within), Into::into)))
        })
    }

    /// Watch events received so far.
    #[must_use]
    pub fn watch_events(&self) -> u64 {
        self.watch_events.load(Ordering::Relaxed)
    }
}

/// What a failure is where a proxy stands between.
fn through_proxy(mut failure: Failure, proxy: &str) -> Failure {
    let proxy = sanitize(proxy);
    if failure.id == failure_id::NO_SERVER {
        failure.what = format!("nothing answers at the proxy {proxy}: connection refused");
        failure.detail.clear();
    }
    if matches!(failure.id, failure_id::NO_SERVER | failure_id::CONNECTION) {
        failure.next = "Check the proxy; or take it out of the kubeconfig, or out of HTTPS_PROXY \
            for this server by NO_PROXY."
            .to_owned();
    }
    failure.because(format!(
        "it was asked through the proxy {proxy}, as the kubeconfig's proxy-url or HTTPS_PROXY says"
    ))
}

/// Asks for the version, in one try: whoever starts the tool before the cluster should hear so at
/// once.
pub(crate) fn version_request() -> http::Request<Vec<u8>> {
    let mut request = http::Request::new(vec![]);
    *request.uri_mut() = http::Uri::from_static("/version");
    request.extensions_mut().insert(MaxTries(1));
    request
}

/// The version of the API server; `None` where it knows the user and does not permit to read it.
/// Kubernetes permits that to everybody by `system:public-info-viewer`, which a cluster may lack.
pub(super) async fn version(
    client: &Client,
    credential: Option<&Credential>,
    tried: &Tried<'_>,
) -> Result<Option<String>, Failure> {
    let time_is_over = async {
        match credential {
            Some(credential) => credential.is_not_awaited_for(FIRST_ANSWER).await,
            None => tokio::time::sleep(FIRST_ANSWER).await,
        }
    };
    let answer = tokio::select! {
        biased;
        answer = client.request::<Version>(version_request()) => Some(answer),
        () = time_is_over => None,
    };
    match answer {
        Some(Ok(version)) => Ok(Some(clip(&version.git_version, 40))),
        Some(Err(kube::Error::Api(status))) if hides_only_its_version(&status) => Ok(None),
        Some(Err(error)) => Err(Failure::of(&error, tried)),
        None => Err(Failure::new(
            failure_id::NO_ANSWER,
            format!("the API server at {} does not answer", sanitize(tried.server)),
            "Check that the cluster runs and that this machine can reach it (network, VPN, \
            firewall).",
        )),
    }
}

/// Whether the path of the version is what is forbidden, and not to be a user that is impersonated,
/// nor a path that a wrong address leads to. Nobody who is anonymous is permitted anything.
fn hides_only_its_version(status: &Status) -> bool {
    status.is_forbidden()
        && status.message.contains("cannot get path \"/version\"")
        && !status.message.contains("\"system:anonymous\"")
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::hides_only_its_version;

    /// Catches an account with all that a grade needs that cannot grade, and a wrong address or user
    /// that is told only later.
    #[test]
    fn only_a_version_that_is_hidden_is_done_without() {
        for (message, expected) in [
            ("forbidden: User \"ann\" cannot get path \"/version\"", true),
            ("forbidden: User \"system:anonymous\" cannot get path \"/version\"", false),
            ("forbidden: User \"ann\" cannot get path \"/k8s/clusters/c/version\"", false),
            ("users \"bob\" is forbidden: User \"ann\" cannot impersonate resource", false),
        ] {
            let status = Status::failure(message, "Forbidden").with_code(403);
            assert_eq!(hides_only_its_version(&status), expected, "{message}");
        }
    }
}
