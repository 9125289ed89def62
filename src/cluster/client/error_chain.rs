//! The chain of errors below a failed request, and what it says about the connection.

use std::{error::Error as StdError, io};

/// Kinds of trouble on the way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectTrouble {
    Refused,
    Name,
    Tls,
    Timeout,
    Broken,
    Other,
}

impl ConnectTrouble {
    /// What the errors on the way to the server say; `words` is their chain.
    pub(crate) fn of(error: &(dyn StdError + 'static), words: &str) -> Self {
        let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        if has(&[
            "invalid peer certificate",
            "received fatal alert",
            "received corrupt message",
            "bad certificate",
            "peer is incompatible",
        ]) {
            return Self::Tls;
        }
        if has(&["dns error", "failed to lookup address"]) {
            return Self::Name;
        }
        let kind = links(error)
            .filter_map(|it| it.downcast_ref::<io::Error>())
            .map(io::Error::kind)
            .find(|it| *it != io::ErrorKind::Other);
        match kind {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Some(
                io::ErrorKind::TimedOut
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable,
            ) => Self::Timeout,
            Some(
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof,
            ) => Self::Broken,
            _ if has(&["connection closed", "IncompleteMessage", "broken pipe"]) => Self::Broken,
            _ => Self::Other,
        }
    }
}

/// Whether nothing was listening: the request was surely not carried out.
pub(crate) fn is_refused(error: &(dyn StdError + 'static)) -> bool {
    matches!(ConnectTrouble::of(error, &chain(error)), ConnectTrouble::Refused)
}

/// Whether the connection broke, so that nobody knows whether the request was carried out.
pub(crate) fn is_broken(error: &(dyn StdError + 'static)) -> bool {
    matches!(ConnectTrouble::of(error, &chain(error)), ConnectTrouble::Broken)
}

/// Whether no answer came in time: the request may still be carried out.
pub(crate) fn is_silent(error: &(dyn StdError + 'static)) -> bool {
    matches!(ConnectTrouble::of(error, &chain(error)), ConnectTrouble::Timeout)
}

/// The errors from the outermost to the first cause.
///
/// An `io::Error` hides what it wraps from `source()`, which tells only the wrapped one's source.
pub(crate) fn links<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |it| cause(*it)).take(16)
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match wrapped {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// The whole chain in one line, each link once.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = String::new();
    for link in links(error) {
        let words = link.to_string();
        // kube's word for whatever failed on the way.
        let words = words.strip_prefix("ServiceError: ").unwrap_or(&words);
        if !line.contains(words) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(words);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{is_broken, is_refused, is_silent};

    /// Catches a change that is sent twice although the first may have been carried out.
    #[test]
    fn refused_and_broken_are_told_apart() {
        let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert!(is_refused(&refused) && !is_broken(&refused));
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(!is_refused(&reset) && is_broken(&reset) && !is_silent(&reset));
        let late = io::Error::from(io::ErrorKind::TimedOut);
        assert!(is_silent(&late) && !is_broken(&late) && !is_refused(&late));
    }
}
