//! What a proxy says that makes no connection to the API server: it works, and it may be the server
//! that is away.

use std::{error::Error as StdError, fmt};

use crate::cluster::{
    Failure,
    client::{error_chain::links, failure_id},
};

/// How the errors of hyper's SOCKS connector begin.
const SOCKS: &str = "SOCKS error: ";

/// The first line of an HTTP proxy's answer to CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoTunnel {
    /// 0 where it is no answer by HTTP.
    pub(super) code: u16,
    line: String,
}

impl NoTunnel {
    pub(super) fn of(line: &str) -> Self {
        let answer = line.strip_prefix("HTTP/").and_then(|it| it.split_once(' '));
        let answer = answer.map(|(_, answer)| answer.trim());
        let code = answer.and_then(|it| it.split(' ').next()?.parse().ok()).unwrap_or_default();
        Self { code, line: answer.unwrap_or(line).to_owned() }
    }
}

impl fmt::Display for NoTunnel {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "the proxy answered: {}", self.line)
    }
}

impl StdError for NoTunnel {}

/// Why a proxy makes no connection, and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProxyAnswer {
    /// It does not reach the server.
    NotReached(String),
    /// It does not know who asks.
    UnknownAccount(String),
    /// It does not permit it, or cannot do it.
    Refused(String),
}

impl ProxyAnswer {
    /// The proxy's answer, if a connection failed by one; `words` is the chain of the error.
    pub(super) fn of(error: &(dyn StdError + 'static), words: &str) -> Option<Self> {
        if let Some(it) = links(error).find_map(|it| it.downcast_ref::<NoTunnel>()) {
            let kind = match it.code {
                407 => Self::UnknownAccount,
                502..=504 => Self::NotReached,
                _ => Self::Refused,
            };
            return Some(kind(it.to_string()));
        }
        // Their type is not public.
        let said = &words[words.find(SOCKS)?..];
        let says = |all: &[&str]| all.iter().any(|it| said[SOCKS.len()..].starts_with(it));
        let kind = if says(&[
            "general server failure",
            "network unreachable",
            "host unreachable",
            "connection refused",
            "ttl expired",
        ]) {
            Self::NotReached
        } else if says(&["credentials not accepted", "server does not support user/pass"]) {
            Self::UnknownAccount
        } else if says(&["connection not allowed", "command not", "address type not"]) {
            Self::Refused
        } else {
            return None;
        };
        Some(kind(format!("the proxy answered: {}", &said[SOCKS.len()..])))
    }

    /// What it means for whoever asks `server`.
    pub(super) fn failure(&self, server: &str) -> Failure {
        match self {
            Self::NotReached(words) => Failure::new(
                failure_id::NO_ANSWER,
                format!("the proxy answers, but does not reach {server}"),
                "Check that the cluster runs, that the address in the kubeconfig is right, and \
                that the proxy can reach it.",
            )
            .because(words),
            Self::UnknownAccount(words) => Failure::new(
                failure_id::PROXY_REFUSED,
                "the proxy wants another name and password, or some",
                "Write them in its address: `http://NAME:PASSWORD@HOST:PORT`.",
            )
            .because(words),
            Self::Refused(words) => Failure::new(
                failure_id::PROXY_REFUSED,
                format!("the proxy refuses a connection to {server}"),
                "Ask whoever runs the proxy to permit it; or take the proxy out of the kubeconfig, \
                or out of HTTPS_PROXY for this server by NO_PROXY.",
            )
            .because(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{NoTunnel, ProxyAnswer};

    /// Catches a server that is away told as a proxy that is wrong, and the other way round.
    #[test]
    fn a_proxy_and_the_server_behind_it_are_told_apart() {
        let of = |error: io::Error| {
            let answer = ProxyAnswer::of(&error, &error.to_string())?;
            let failure = answer.failure("the API server at https://lab");
            Some((failure.id, failure.detail.concat()))
        };
        let http = |line: &str| of(io::Error::other(NoTunnel::of(line)));
        let socks =
            |words: &str| of(io::Error::other(format!("client error: SOCKS error: {words}")));
        let said = |id, words: &str| Some((id, format!("the proxy answered: {words}")));
        assert_eq!(http("HTTP/1.1 403 Forbidden"), said("proxy_refused", "403 Forbidden"));
        assert_eq!(http("HTTP/1.1 407 Who?"), said("proxy_refused", "407 Who?"));
        assert_eq!(http("HTTP/1.1 503 Down"), said("no_answer", "503 Down"));
        assert_eq!(socks("host unreachable"), said("no_answer", "host unreachable"));
        let refused = "connection not allowed";
        assert_eq!(socks(refused), said("proxy_refused", refused));
        let unknown = "credentials not accepted";
        assert_eq!(socks(unknown), said("proxy_refused", unknown));
        // Then it is the proxy that is away.
        assert_eq!(socks("failed to create underlying connection"), None);
        assert_eq!(of(io::Error::other("connection refused")), None);
    }
}
