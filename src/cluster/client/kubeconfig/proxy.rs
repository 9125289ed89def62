//! Which proxy an API server is asked through, as Go's `httpproxy` and client-go decide.

use std::net::IpAddr;

use http::{Uri, uri::Scheme};

use crate::cluster::Failure;
use crate::cluster::client::kubeconfig::{rules::unusable, without_credentials};
use crate::console::sanitize::sanitize;

/// The schemes that a kubeconfig's proxy may have.
const SCHEMES: [&str; 3] = ["http", "https", "socks5"];

/// The kubeconfig's own proxy. It is asked whatever `NO_PROXY` says.
pub(super) fn own(proxy: &str, cluster: &str) -> Result<Uri, Failure> {
    let is_known = |uri: &Uri| uri.scheme_str().is_some_and(|scheme| SCHEMES.contains(&scheme));
    proxy.parse().ok().filter(is_known).ok_or_else(|| {
        let (cluster, proxy) = (sanitize(cluster), sanitize(&without_credentials(proxy)));
        unusable(
            format!("the cluster {cluster} of the kubeconfig has no usable proxy-url: {proxy}"),
            "Write it as `proxy-url: http://HOST:PORT`, with http, https or socks5.",
        )
    })
}

/// The proxy that the environment names for a server; `variable` reads it.
pub(super) fn of_environment(
    server: &Uri,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, Failure> {
    let either = |upper: &str| {
        let set = |name: &str| variable(name).filter(|it| !it.is_empty());
        set(upper).or_else(|| set(&upper.to_ascii_lowercase()))
    };
    let (name, port) = match server.scheme() == Some(&Scheme::HTTPS) {
        true => ("HTTPS_PROXY", server.port_u16().unwrap_or(443)),
        false => ("HTTP_PROXY", server.port_u16().unwrap_or(80)),
    };
    let Some(proxy) = either(name) else { return Ok(None) };
    let exceptions = either("NO_PROXY").unwrap_or_default();
    if goes_direct(server.host().unwrap_or_default(), port, &exceptions) {
        return Ok(None);
    }
    // A proxy without a scheme is asked by http.
    let whole = if proxy.contains("://") { proxy.clone() } else { format!("http://{proxy}") };
    let has_known_scheme = |uri: &Uri| {
        uri.scheme_str().is_some_and(|scheme| SCHEMES.contains(&scheme) || scheme == "socks5h")
    };
    let uri =
        whole.parse::<Uri>().ok().filter(|uri| has_known_scheme(uri) && uri.authority().is_some());
    uri.map(Some).ok_or_else(|| {
        let proxy = sanitize(&without_credentials(&proxy));
        unusable(
            format!("{name} names no usable proxy: {proxy}"),
            format!("Write it as `{name}=http://HOST:PORT`, with http, https or socks5."),
        )
    })
}

/// Whether a host is asked without the environment's proxy: this machine's own addresses, and what
/// `NO_PROXY` names.
fn goes_direct(host: &str, port: u16, exceptions: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|it| it.is_loopback()) {
        return true;
    }
    exceptions
        .split(',')
        .map(|it| it.trim().to_ascii_lowercase())
        .filter(|it| !it.is_empty())
        .any(|exception| excepts(&exception, &host, address, port))
}

/// Whether an entry of `NO_PROXY` excepts a host.
fn excepts(exception: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if exception == "*" {
        return true;
    }
    if let (Some(address), Some((network, bits))) = (address, exception.split_once('/')) {
        return is_within(address, network, bits);
    }
    let (named, only) = with_port(exception);
    if only.is_some_and(|it| it != port) {
        return false;
    }
    match address {
        Some(address) => named.parse() == Ok(address),
        None => match named.strip_prefix("*.").or_else(|| named.strip_prefix('.')) {
            // Only what lies in the domain.
            Some(domain) => host.ends_with(&format!(".{domain}")),
            None => host == named || host.ends_with(&format!(".{named}")),
        },
    }
}

/// A host, and the port behind it if there is one.
fn with_port(exception: &str) -> (&str, Option<u16>) {
    // The colons of an IPv6 address are followed by no port.
    if exception.parse::<IpAddr>().is_ok() {
        return (exception, None);
    }
    match exception.rsplit_once(':') {
        Some((host, port)) => (host.trim_matches(['[', ']']), port.parse().ok()),
        None => (exception.trim_matches(['[', ']']), None),
    }
}

fn is_within(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let (one, other, width) = match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits()), u128::from(other.to_bits()), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    let Some(free) = u32::checked_sub(width, bits) else { return false };
    (one ^ other).checked_shr(free).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::{goes_direct, of_environment, own};

    /// Catches a cluster on this machine that is asked through a company's proxy.
    #[test]
    fn what_needs_no_proxy_is_asked_without_one() {
        for (host, exceptions) in [
            ("127.0.0.1", ""),
            ("localhost", ""),
            ("[::1]", ""),
            ("192.168.49.2", "localhost, 192.168.0.0/16"),
            ("192.168.49.2", "192.168.49.2"),
            ("192.168.49.2", "192.168.49.2:6443"),
            ("[fd00::1]", "[fd00::1]:6443"),
            ("[fd00::1]", "fd00::1"),
            ("api.lab.example", ".example"),
            ("api.lab.example", "lab.example"),
            ("lab.example", "lab.example"),
            ("api.lab.example", "*.lab.example"),
            ("10.0.0.1", "*"),
        ] {
            assert!(goes_direct(host, 6443, exceptions), "{host} {exceptions}");
        }
        for (host, exceptions) in [
            ("10.0.0.1", "192.168.0.0/16"),
            ("notlab.example", "lab.example"),
            ("lab.example", ".lab.example"),
            ("10.0.0.1", "0.1,.1"),
            ("10.0.0.1", "10.0.0.0/99"),
            ("10.0.0.1", "10.0.0.1:443"),
        ] {
            assert!(!goes_direct(host, 6443, exceptions), "{host} {exceptions}");
        }
    }

    /// Catches a proxy that is taken from the wrong variable, or not at all.
    #[test]
    fn the_environment_s_proxy_is_that_of_the_scheme() {
        let asked = |server: &str, set: &[(&str, &str)]| {
            let value = |name: &str| {
                set.iter().find(|it| it.0 == name).map(|(_, value)| (*value).to_owned())
            };
            let proxy = of_environment(&server.parse().unwrap(), value).unwrap();
            proxy.map(|it| it.to_string())
        };
        let both = [("HTTPS_PROXY", ""), ("https_proxy", "secure:3128"), ("HTTP_PROXY", "plain:1")];
        assert_eq!(asked("https://one", &both).as_deref(), Some("http://secure:3128/"));
        assert_eq!(asked("http://one", &both).as_deref(), Some("http://plain:1/"));
        assert_eq!(asked("http://one", &both[..2]), None);
        let named = [("HTTPS_PROXY", "socks5h://p:1"), ("NO_PROXY", ""), ("no_proxy", "one:443")];
        assert_eq!(asked("https://one", &named), None);
        assert_eq!(asked("https://one:6443", &named).as_deref(), Some("socks5h://p:1/"));
    }

    #[test]
    fn a_proxy_has_a_scheme() {
        for proxy in ["http://p:1", "https://p", "socks5://p:1", "HTTP://p:1"] {
            assert!(own(proxy, "lab").is_ok(), "{proxy}");
        }
        for proxy in ["p:3128", "127.0.0.1:1", "ftp://p:1", "socks5h://p:1"] {
            let failure = own(proxy, "lab").unwrap_err();
            assert!(failure.what.ends_with(&format!("proxy-url: {proxy}")), "{failure:?}");
        }
    }
}
