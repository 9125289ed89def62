//! What can go wrong between us and a cluster: what failed, on which object, why, and what to do
//! next.

use checks::model::{diagnosis::is_of_a_policy, observation::Refusal};
use std::{error::Error as StdError, fmt};

use kube::{
    client::{AuthError, RustlsTlsError},
    config::KubeconfigError,
    core::Status,
};

use crate::cluster::client::{
    answer::NotKubernetes,
    error_chain::{ConnectTrouble, chain, links},
    failure_id,
    proxy_answer::ProxyAnswer,
};
use crate::{
    console::{sanitize::sanitize, suggest::there_are},
    submission::Place,
};

/// A job that cannot go on. Every text in it is safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// Stable name of the case.
    pub id: &'static str,
    /// What failed and why, in one line, without a full stop.
    pub what: String,
    /// More on why, a line each.
    pub detail: Vec<String>,
    /// What to do next, a sentence.
    pub next: String,
    /// Where in a submission it is, and in which field.
    pub at: Option<Box<(Place, String)>>,
    /// Something that was made stays in the cluster because of it: the detail says what.
    pub leaves_something: bool,
}

impl Failure {
    /// Whether it is a mistake in the manifest itself, for which it is graded 0.
    #[must_use]
    pub fn is_in_the_manifest(&self) -> bool {
        failure_id::is_of_a_manifest(self.id)
    }

    /// What failed, and where in a submission, as recordings and reports keep it.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let known = |number: usize| Some(number).filter(|it| *it > 0);
        let at = self.at.as_deref();
        Refusal {
            what: self.what.clone(),
            next: self.next.clone(),
            detail: self.detail.clone(),
            file: at.map(|(place, _)| place.file.clone()),
            document: at.and_then(|(place, _)| known(place.document)),
            line: at.and_then(|(place, _)| known(place.line)),
            field: at.map(|(_, field)| field.clone()).filter(|it| !it.is_empty()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.what)
    }
}

/// What helps where no kubeconfig can be used.
const KUBECONFIG_NEXT: &str = "Point KUBECONFIG or `--kubeconfig` to your cluster's kubeconfig; \
    `kubectl config view` shows what kubectl uses.";

/// What was tried when it failed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried<'a> {
    /// Kubernetes' verb (`list`, `patch`, `create`, `get`, `delete`, …).
    pub verb: &'a str,
    /// Plural, with its group and subresource where it has them (`statefulsets.apps/scale`).
    pub resource: &'a str,
    /// Name of the object; empty for a collection.
    pub name: &'a str,
    /// Namespace; empty for what has none.
    pub namespace: &'a str,
    /// Address of the API server.
    pub server: &'a str,
}

impl fmt::Display for Tried<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.verb, self.resource)?;
        if !self.name.is_empty() {
            write!(to, " {}", sanitize(self.name))?;
        }
        if !self.namespace.is_empty() {
            write!(to, " in namespace {}", sanitize(self.namespace))?;
        }
        Ok(())
    }
}

impl Failure {
    /// A failure with its next step.
    pub fn new(id: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            id,
            what: what.into(),
            detail: vec![],
            next: next.into(),
            at: None,
            leaves_something: false,
        }
    }

    /// Whether it may be gone in a moment: the server is away, or has too much to do.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(
            self.id,
            failure_id::NO_SERVER
                | failure_id::NO_ANSWER
                | failure_id::CONNECTION_LOST
                | failure_id::CONNECTION
                | failure_id::TIMEOUT
                | failure_id::BUSY
                | failure_id::SERVER_ERROR
                | failure_id::LEASE_UNSURE
        )
    }

    /// Whether it is no answer of the API server to what was asked: it may be away, or something on
    /// the way to it, be it the network, a proxy or what gives the credentials. Where it has
    /// answered before, it will again.
    #[must_use]
    pub fn is_no_answer(&self) -> bool {
        self.may_pass()
            || matches!(
                self.id,
                failure_id::NO_SERVER_NAME
                    | failure_id::TLS
                    | failure_id::BAD_KUBECONFIG
                    | failure_id::NOT_KUBERNETES
                    | failure_id::PROXY_REFUSED
                    | failure_id::CREDENTIAL_PLUGIN
                    | failure_id::NO_CREDENTIAL_PLUGIN
                    | failure_id::CREDENTIALS
            )
    }

    /// Whether the API server did not answer at all, neither yes nor no.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        let answers = [failure_id::BUSY, failure_id::SERVER_ERROR, failure_id::CREDENTIALS];
        self.is_no_answer() && !answers.contains(&self.id)
    }

    /// Says where in a submission it is; the field may be empty.
    #[must_use]
    pub fn at(mut self, place: Place, field: &str) -> Self {
        self.at = Some(Box::new((place, sanitize(field))));
        self
    }

    /// Adds a line on why. It is escaped, and cut in the middle where it is long: the reason comes
    /// last.
    #[must_use]
    pub fn because(mut self, why: impl AsRef<str>) -> Self {
        let why = sanitize(why.as_ref());
        if !why.is_empty() && !self.what.contains(&why) {
            self.detail.push(why);
        }
        self
    }

    /// Adds what stays in the cluster because of it, though it was made for this.
    #[must_use]
    pub fn leaving(mut self, what: &str) -> Self {
        self.detail.push(format!("left: {}", sanitize(what)));
        self.leaves_something = true;
        self
    }

    /// What a request's error means.
    #[must_use]
    pub fn of(error: &kube::Error, tried: &Tried<'_>) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(status, tried),
            kube::Error::Auth(error) => Self::of_auth(error),
            kube::Error::InferKubeconfig(error) => Self::of_kubeconfig(error),
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
                Self::not_kubernetes(tried).because(error.to_string())
            }
            other => Self::of_connection(other, tried),
        }
    }

    /// Something else answers in place of the API server.
    fn not_kubernetes(tried: &Tried<'_>) -> Self {
        Self::new(
            failure_id::NOT_KUBERNETES,
            format!("{} did not answer as a Kubernetes API server does", at(tried)),
            "Check the server's address in the kubeconfig, and that no proxy stands in between.",
        )
    }

    /// What an API server's refusal means.
    #[must_use]
    pub fn of_status(status: &Status, tried: &Tried<'_>) -> Self {
        let what = |said: &str| format!("{said}: {tried}");
        let failure = match status.code {
            // A policy chooses its code, whatever it refuses.
            _ if is_of_a_policy(&status.message) => Self::new(
                failure_id::POLICY,
                what("a policy of the cluster refuses it"),
                "Ask whoever runs the cluster what the policy wants, or that it leaves this \
                namespace out.",
            ),
            400 if status.message.contains("HTTP request to an HTTPS server") => Self::new(
                failure_id::BAD_KUBECONFIG,
                format!("{} is asked by http and speaks https", at(tried)),
                "Write its address in the kubeconfig as `server: https://HOST:PORT`.",
            ),
            401 => Self::new(
                failure_id::CREDENTIALS,
                format!("{} does not accept the credentials of this context (401)", at(tried)),
                "They are wrong or expired. Log in again, or get a new kubeconfig from whoever \
                runs the cluster.",
            ),
            403 => Self::of_forbidden(status, tried),
            404 if is_namespace(status) => Self::missing_namespace(tried.namespace),
            404 => Self::new(
                failure_id::NOT_FOUND,
                what("not found"),
                "See what is there with `kubectl get`, and check the name and the namespace.",
            ),
            409 => Self::new(
                failure_id::CONFLICT,
                what("somebody else changed it at the same time"),
                "Make sure that nobody else works in this namespace, and try again.",
            ),
            422 => {
                Self::new("invalid", what("refused as invalid"), "Correct what the message names.")
            }
            408 | 429 | 500.. => Self::of_trouble(status, tried),
            _ => Self::new(
                "refused",
                what("the API server refused"),
                "Correct what the message names.",
            ),
        };
        failure.because(&status.message)
    }

    /// What is forbidden (403): by the rights of the account, or by what bounds the namespace.
    fn of_forbidden(status: &Status, tried: &Tried<'_>) -> Self {
        let namespace = sanitize(tried.namespace);
        if is_terminating(status) {
            return Self::terminating_namespace(tried.namespace);
        }
        if status.message.contains("violates PodSecurity") {
            return Self::new(
                "pod_security",
                format!("refused by the namespace's Pod Security level: {tried}"),
                "Take out of the pod what the message names. What needs it is graded in a new \
                namespace with `--trust`, or in one with another level.",
            );
        }
        if status.message.contains("exceeded quota") {
            return Self::new(
                failure_id::QUOTA,
                format!("the namespace's quota is used up: {tried}"),
                format!(
                    "Make room (`kubectl describe quota -n {namespace}`), or ask whoever runs the \
                    cluster for more."
                ),
            );
        }
        let next = if namespace.is_empty() {
            "Check in the kubeconfig the path of the server's address and whom `as` impersonates, \
            or ask whoever runs the cluster."
                .to_owned()
        } else {
            format!(
                "Ask whoever runs the cluster for the Role that `stsgrade rbac -n {namespace}` \
                prints."
            )
        };
        Self::new(failure_id::FORBIDDEN, format!("not permitted: {tried}"), next)
    }

    /// The API server is too slow (408, 504), has too much to do (429), or failed.
    fn of_trouble(status: &Status, tried: &Tried<'_>) -> Self {
        match status.code {
            408 | 504 => Self::new(
                failure_id::TIMEOUT,
                format!("the API server did not answer in time: {tried}"),
                "The cluster is overloaded or its storage is slow. Try again later.",
            ),
            429 => Self::new(
                failure_id::BUSY,
                format!("the API server has too much to do (429): {tried}"),
                "Try again in a minute.",
            ),
            code => Self::new(
                failure_id::SERVER_ERROR,
                format!("the API server failed ({code}): {tried}"),
                "Try again; if it stays, show this to whoever runs the cluster.",
            ),
        }
    }

    /// The namespace does not exist.
    #[must_use]
    pub fn missing_namespace(namespace: &str) -> Self {
        let namespace = sanitize(namespace);
        Self::new(
            failure_id::NO_NAMESPACE,
            format!("namespace {namespace} does not exist"),
            format!(
                "Create it (`kubectl create namespace {namespace}`) and apply your manifests, or \
                name another with `-n`."
            ),
        )
    }

    /// The namespace is being deleted.
    #[must_use]
    pub fn terminating_namespace(namespace: &str) -> Self {
        let namespace = sanitize(namespace);
        Self::new(
            failure_id::NAMESPACE_TERMINATING,
            format!("namespace {namespace} is being deleted"),
            format!(
                "Wait until `kubectl get namespace {namespace}` no longer finds it, create it \
                again, apply your manifests, and try again."
            ),
        )
    }

    /// Something was awaited and did not come in its time.
    #[must_use]
    pub fn timed_out(what: &str, seconds: u64) -> Self {
        Self::new(
            failure_id::TIMEOUT,
            format!("{} did not come within {seconds} s", sanitize(what)),
            "Try again, with a longer `--timeout` if the cluster is slow.",
        )
    }

    /// There is no kubeconfig where it was looked for.
    #[must_use]
    pub fn no_kubeconfig(places: &[String]) -> Self {
        let what = match places {
            [] => "there is no kubeconfig: KUBECONFIG names no file".to_owned(),
            places => format!("there is no kubeconfig at {}", sanitize(&places.join(", "))),
        };
        Self::new(failure_id::NO_KUBECONFIG, what, KUBECONFIG_NEXT)
    }

    /// The kubeconfig does not say which of its contexts to use.
    #[must_use]
    pub fn no_context() -> Self {
        Self::new(
            failure_id::NO_CONTEXT,
            "the kubeconfig names no current context",
            "Choose one with `kubectl config use-context NAME` or `--context NAME`; `kubectl \
            config get-contexts` lists them.",
        )
    }

    /// What a configuration of which no client can be made means.
    #[must_use]
    pub fn of_client(error: &kube::Error, has_p521_key: bool, tried: &Tried<'_>) -> Self {
        match error {
            kube::Error::RustlsTls(RustlsTlsError::InvalidPrivateKey(
                rustls::Error::InconsistentKeys(_),
            )) => Self::new(
                "client_key",
                "the client key of this context does not belong to its client certificate",
                "Get a new kubeconfig, or the key by which the certificate was asked for.",
            ),
            kube::Error::RustlsTls(RustlsTlsError::InvalidPrivateKey(why)) => {
                let failure = if has_p521_key {
                    Self::new(
                        "client_key",
                        "the client key of this context is on the curve P-521, which this tool \
                        cannot use, though kubectl can",
                        "Ask for a client certificate whose key is RSA or on the curve P-256 or \
                        P-384.",
                    )
                } else {
                    Self::new(
                        "client_key",
                        "the client key of this context cannot be used",
                        "Use a key of Ed25519, on the curve P-256 or P-384, or of RSA with 2048 bits \
                        or more.",
                    )
                };
                failure.because(why.to_string())
            }
            kube::Error::RustlsTls(why) => Self::new(
                failure_id::BAD_KUBECONFIG,
                "the certificates of this context cannot be used",
                "Get a new kubeconfig from whoever runs the cluster.",
            )
            .because(chain(why)),
            other => Self::of(other, tried),
        }
    }

    /// What a kubeconfig that kube cannot use means.
    #[must_use]
    pub fn of_kubeconfig(error: &KubeconfigError) -> Self {
        Self::new(failure_id::BAD_KUBECONFIG, "the kubeconfig cannot be used", KUBECONFIG_NEXT)
            .because(chain(error))
    }

    /// The kubeconfig has no such context.
    #[must_use]
    pub fn unknown_context(name: &str, known: &[String]) -> Self {
        let next = if known.is_empty() {
            "See `kubectl config get-contexts` for those that there are.".to_owned()
        } else {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            there_are(name, &known)
        };
        Self::new(
            "unknown_context",
            format!("the kubeconfig has no context {}", sanitize(name)),
            next,
        )
    }

    /// Credentials that kube itself cannot use; plugins are run by ourselves.
    fn of_auth(error: &AuthError) -> Self {
        Self::new(
            failure_id::CREDENTIALS,
            "the credentials of this context cannot be used",
            "Log in again, or get a new kubeconfig.",
        )
        .because(chain(error))
    }

    fn of_connection(error: &(dyn StdError + 'static), tried: &Tried<'_>) -> Self {
        let words = chain(error);
        let auth = links(error).find_map(|it| match it.downcast_ref::<kube::Error>() {
            Some(kube::Error::Auth(auth)) => Some(auth),
            _ => it.downcast_ref::<AuthError>(),
        });
        if let Some(auth) = auth {
            return Self::of_auth(auth);
        }
        // A layer of our own has put it into words already.
        if let Some(known) = links(error).find_map(|it| it.downcast_ref::<Self>()) {
            return known.clone();
        }
        if let Some(other) = links(error).find_map(|it| it.downcast_ref::<NotKubernetes>()) {
            let mut failure = Self::not_kubernetes(tried);
            if let Some(address) = other.moved_to(tried.server) {
                let address = sanitize(&address);
                failure.next =
                    format!("Write in the kubeconfig where it is now: `server: {address}`.");
            }
            return failure.because(other.to_string());
        }
        if let Some(answer) = ProxyAnswer::of(error, &words) {
            return answer.failure(&at(tried));
        }
        Self::of_connect_trouble(ConnectTrouble::of(error, &words), &words, tried).because(words)
    }

    /// No connection, or one that broke; `words` are those of its error.
    fn of_connect_trouble(trouble: ConnectTrouble, words: &str, tried: &Tried<'_>) -> Self {
        let server = at(tried);
        match trouble {
            ConnectTrouble::Refused => Self::new(
                failure_id::NO_SERVER,
                format!("nothing answers at {}: connection refused", address(tried)),
                "Start the cluster (`minikube start`, `kind create cluster`, …), or choose \
                another with `--context`.",
            ),
            ConnectTrouble::Name => Self::new(
                failure_id::NO_SERVER_NAME,
                format!("the name of {server} cannot be resolved"),
                "Check the server's address in the kubeconfig, your network, and whether a VPN is \
                needed.",
            ),
            ConnectTrouble::Tls => Self::of_tls(&server, words),
            ConnectTrouble::Timeout => Self::new(
                failure_id::NO_ANSWER,
                format!("{server} does not answer"),
                "Check that the cluster runs and that this machine can reach it (network, VPN, \
                firewall).",
            ),
            ConnectTrouble::Broken => Self::new(
                failure_id::CONNECTION_LOST,
                format!("the connection to {server} broke"),
                "Check that the cluster still runs, and try again.",
            ),
            ConnectTrouble::Other => Self::new(
                failure_id::CONNECTION,
                format!("cannot talk to {server}"),
                "Check with `kubectl get --raw /version` that kubectl can.",
            ),
        }
    }

    /// No connection by TLS.
    fn of_tls(server: &str, words: &str) -> Self {
        if words.contains("corrupt message of type InvalidContentType") {
            return Self::new(
                failure_id::BAD_KUBECONFIG,
                format!("{server} is asked by https and speaks http"),
                "Write its address in the kubeconfig as `server: http://HOST:PORT`, if you trust \
                the network.",
            );
        }
        // What a server answers whose certificate is of a kind that this side did not offer to
        // check.
        let is_of_no_common_kind = ["HandshakeFailure", "UnsupportedSignatureAlgorithm"]
            .iter()
            .any(|it| words.contains(it));
        let (what, next) = if is_of_no_common_kind {
            (
                ": it has no algorithm in common with this tool",
                "Its certificate may be on the curve P-521, which this tool cannot use, though \
                kubectl can: use one that is RSA, or on P-256 or P-384.",
            )
        } else if words.contains("BadSignature") {
            (
                ": a signature cannot be checked",
                "The key of its certificate, or of the authority that signed it, may be RSA with \
                fewer than 2048 bits, which this tool cannot use, though kubectl can: use one with \
                2048 bits or more, or on the curve P-256 or P-384.",
            )
        } else {
            (
                "",
                "The certificate does not fit the kubeconfig: get a fresh kubeconfig for this \
                cluster, and check this machine's clock.",
            )
        };
        Self::new(failure_id::TLS, format!("no trusted connection to {server}{what}"), next)
    }
}

fn address(tried: &Tried<'_>) -> String {
    if tried.server.is_empty() {
        "the API server's address".to_owned()
    } else {
        sanitize(tried.server)
    }
}

fn at(tried: &Tried<'_>) -> String {
    if tried.server.is_empty() {
        "the API server".to_owned()
    } else {
        format!("the API server at {}", sanitize(tried.server))
    }
}

fn is_namespace(status: &Status) -> bool {
    status.details.as_ref().is_some_and(|details| details.kind == "namespaces")
}

fn is_terminating(status: &Status) -> bool {
    status.message.contains("because it is being terminated")
}

#[cfg(test)]
mod tests {
    use std::io;

    use kube::core::Status;

    use super::{Failure, Tried, chain};

    const TRIED: Tried<'_> = Tried {
        verb: "list",
        resource: "pods",
        name: "",
        namespace: "lab",
        server: "https://s:6443",
    };

    fn api(code: u16, reason: &str, message: &str) -> Failure {
        Failure::of(
            &kube::Error::Api(Box::new(Status::failure(message, reason).with_code(code))),
            &TRIED,
        )
    }

    fn service(error: io::Error) -> Failure {
        // As hyper does: the io::Error is inside an error of its own, which is inside an io::Error.
        Failure::of(&kube::Error::Service(Box::new(io::Error::other(error))), &TRIED)
    }

    /// Catches a next step that belongs to another trouble.
    #[test]
    fn each_trouble_has_its_own_name() {
        assert_eq!(api(401, "Unauthorized", "Unauthorized").id, "credentials");
        assert_eq!(api(403, "Forbidden", "pods is forbidden").id, "forbidden");
        for (code, words) in [
            (400, "admission webhook \"validate.kyverno.svc\" denied the request: registry"),
            (403, "admission webhook \"validation.gatekeeper.sh\" denied the request: labels"),
            (
                422,
                "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'a' with binding 'b' denied \
                request: no",
            ),
        ] {
            let failure = api(code, "", words);
            assert_eq!((failure.id, failure.detail), ("policy", vec![words.to_owned()]));
        }
        assert_eq!(
            api(
                403,
                "Forbidden",
                "unable to create new content in namespace lab because it is being terminated"
            )
            .id,
            "namespace_terminating"
        );
        assert_eq!(api(404, "NotFound", "x").id, "not_found");
        assert_eq!(api(504, "Timeout", "x").id, "timeout");
        assert_eq!(api(500, "InternalError", "x").id, "server_error");
        assert_eq!(service(io::ErrorKind::ConnectionRefused.into()).id, "no_server");
        assert_eq!(service(io::ErrorKind::ConnectionReset.into()).id, "connection_lost");
        assert_eq!(service(io::ErrorKind::TimedOut.into()).id, "no_answer");
        assert_eq!(service(io::Error::other("invalid peer certificate: UnknownIssuer")).id, "tls");
        let short_key = service(io::Error::other("invalid peer certificate: BadSignature"));
        assert_eq!(short_key.id, "tls");
        assert!(short_key.next.contains("RSA with fewer than 2048 bits"), "{short_key:?}");
        assert_eq!(service(io::Error::other("dns error")).id, "no_server_name");
        assert_eq!(service(io::Error::other("?")).id, "connection");
    }

    /// Catches a server's message that takes over the terminal, and one that is shown twice.
    #[test]
    fn what_the_server_says_is_escaped_and_said_once() {
        let failure = api(403, "Forbidden", "\u{1b}[2J no");
        assert_eq!(failure.what, "not permitted: list pods in namespace lab");
        assert_eq!(failure.detail, ["\\u{1b}[2J no"]);
        let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(chain(&refused), "connection refused");
    }
}
