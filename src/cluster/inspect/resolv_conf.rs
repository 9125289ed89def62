//! What a pod's `/etc/resolv.conf` tells of the cluster's DNS.

use std::net::IpAddr;

/// The first name server and, by the search list, the cluster's domain.
pub(crate) fn resolver(text: &str) -> (Option<String>, Option<String>) {
    let server = settings(text, "nameserver")
        .find_map(|it| it.trim().parse::<IpAddr>().ok())
        .map(|it| it.to_string());
    let searched = settings(text, "search").flat_map(str::split_whitespace);
    let domain = searched
        .into_iter()
        .find_map(|it| it.strip_prefix("svc."))
        .map(|it| it.trim_end_matches('.').to_owned());
    (server, domain)
}

fn settings<'t>(text: &'t str, key: &'static str) -> impl Iterator<Item = &'t str> {
    text.lines().filter_map(move |line| {
        line.trim().strip_prefix(key).filter(|rest| rest.starts_with([' ', '\t']))
    })
}

#[cfg(test)]
mod tests {
    use super::resolver;

    #[test]
    fn resolver_settings() {
        let text = "search lab.svc.k8s.example svc.k8s.example k8s.example\nnameserver \
            10.96.0.10\noptions ndots:5\n";
        assert_eq!(resolver(text), (Some("10.96.0.10".to_owned()), Some("k8s.example".to_owned())));
        assert_eq!(resolver("# nothing\n"), (None, None));
    }
}
