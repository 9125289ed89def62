//! The name and password that stand in an address.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Uri};

/// Whether a proxy speaks SOCKS.
pub(super) fn is_socks(proxy: &Uri) -> bool {
    proxy.scheme_str().is_some_and(|it| it.starts_with("socks"))
}

/// The name and password in an address: of whoever asks a proxy, or a server.
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) password: String,
}

impl Account {
    /// A proxy's address without the account that stands in it, and that account.
    pub(crate) fn of(proxy: &Uri) -> (Uri, Option<Self>) {
        let authority = proxy.authority().map_or("", |it| it.as_str());
        let (account, host) = match authority.rsplit_once('@') {
            Some((account, host)) => (Some(account), host),
            None => (None, authority),
        };
        let is_socks = is_socks(proxy);
        let port = if is_socks && proxy.port().is_none() { ":1080" } else { "" };
        let scheme = if is_socks { "http" } else { proxy.scheme_str().unwrap_or("http") };
        let bare = format!("{scheme}://{host}{port}").parse();
        let account = account.map(|it| {
            let (name, password) = it.split_once(':').unwrap_or((it, ""));
            Self { name: percent_decoded(name), password: percent_decoded(password) }
        });
        (bare.unwrap_or_else(|_| proxy.clone()), account)
    }

    /// As a header of HTTP says it; `None` where no header can.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let account = STANDARD.encode(format!("{}:{}", self.name, self.password));
        let mut header = HeaderValue::try_from(format!("Basic {account}")).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

/// Text of an address, where `%40` stands for `@`.
fn percent_decoded(text: &str) -> String {
    let mut bytes = vec![];
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|it| *first == b'%' && it.is_ascii());
        let code = digits
            .and_then(|it| std::str::from_utf8(it).ok())
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|it| u8::from_str_radix(it, 16).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Account;

    /// Catches a password that is sent as it is escaped, or that stays in the address.
    #[test]
    fn a_proxy_s_account_is_not_part_of_its_address() {
        for (proxy, address, account) in [
            ("http://me:p%40ss%3A@p:3128", "http://p:3128/", Some(("me", "p@ss:"))),
            ("https://me@p", "https://p/", Some(("me", ""))),
            ("socks5://p", "http://p:1080/", None),
            ("socks5h://a:100%25%@p:1", "http://p:1/", Some(("a", "100%%"))),
        ] {
            let (bare, found) = Account::of(&proxy.parse().unwrap());
            let found = found.as_ref().map(|it| (it.name.as_str(), it.password.as_str()));
            assert_eq!((bare.to_string().as_str(), found), (address, account));
        }
    }
}
