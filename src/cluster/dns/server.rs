//! Which DNS server is the cluster's, and the cluster's domain.
//!
//! A pod's `/etc/resolv.conf` is its author's (`dnsConfig`, `dnsPolicy`, a container that writes
//! it), so it only tells whom to try. A server is the cluster's where its own address belongs to a
//! Service of the cluster, whose name ends in the domain, or where it knows the API server's
//! Service.

use k8s_openapi::api::core::v1::Service;
use kube::Api;

use crate::cluster::dns::questions::{Resolver, USUAL_DOMAIN};
use crate::cluster::dns::tool_output::ToolOutput;
use crate::cluster::dns::{
    Answer, NameQuestions,
    ask::AskError,
    askers::{Asker, OWN_RESOLVER},
    uses_cluster_dns,
};

/// The Service that every cluster has.
const API_SERVER: &str = "kubernetes.default.svc";
/// In the asking script: the server's own address.
const ITSELF: &str = "@";

impl NameQuestions<'_> {
    /// The server that an asker asks, where it is known.
    pub(crate) fn resolver(&self, asker: &Asker<'_>) -> Option<Resolver> {
        let state = self.state();
        let is_able = asker.tools.iter().any(|tool| *tool != OWN_RESOLVER);
        let shared = state.resolver.clone().filter(|_| is_able);
        shared.or_else(|| {
            state
                .own_resolvers
                .get(&asker.pod.uid)
                .map(|domain| Resolver { server: None, domain: domain.clone() })
        })
    }

    /// Looks for the cluster's server from a container, and remembers it.
    ///
    /// # Errors
    /// Why there is none, in plain words.
    pub(crate) async fn find_server(
        &self,
        asker: &Asker<'_>,
        container: &str,
    ) -> Result<Resolver, AskError> {
        let mut why = None;
        let mut is_silent = true;
        let is_able = asker.tools.iter().any(|tool| *tool != OWN_RESOLVER);
        let known = if is_able { self.servers().await } else { vec![] };
        for server in known {
            let told = self
                .run(asker, container, Some(&server), &self.controls(Some(&server)))
                .await
                .map_err(|why| AskError::of_exec(&why))?;
            if !told.by.is_empty() {
                match domain(&told) {
                    Ok(domain) => {
                        return Ok(self.remember(asker, Resolver { server: Some(server), domain }));
                    }
                    Err(said) => {
                        is_silent &= told.is_silent();
                        why = Some(format!("{server}: {said}"));
                    }
                }
            }
        }
        if !asker.is_guess && !asker.tools.contains(&OWN_RESOLVER) {
            let was_asked = why.is_some();
            let trouble = why.unwrap_or_else(|| {
                "no pod with the cluster's own resolver settings, and no \
                    right to read Service kube-dns, tells its address"
                    .to_owned()
            });
            return Err(not_found(&trouble, is_silent && was_asked));
        }
        let told = self
            .run(asker, container, None, &self.controls(None))
            .await
            .map_err(|why| AskError::of_exec(&why))?;
        if told.by.is_empty() {
            return Err(why.map_or_else(AskError::no_tool, |why| not_found(&why, is_silent)));
        }
        let domain = domain(&told).map_err(|said| {
            let why = format!("the pod's own resolver is another one: {said}");
            not_found(&why, is_silent && told.is_silent())
        })?;
        let server = Some(told.server).filter(|it| !it.is_empty() && told.by != OWN_RESOLVER);
        Ok(self.remember(asker, Resolver { server, domain }))
    }

    fn remember(&self, asker: &Asker<'_>, found: Resolver) -> Resolver {
        let mut state = self.state();
        match found.server {
            Some(_) => state.resolver = Some(found.clone()),
            None => _ = state.own_resolvers.insert(asker.pod.uid.clone(), found.domain.clone()),
        }
        found
    }

    /// What a server is asked to show that it is the cluster's: its own name, and the API server's
    /// in each domain that may be it.
    fn controls(&self, server: Option<&str>) -> Vec<String> {
        let mut domains: Vec<String> =
            self.inspector.dns_accesses().into_values().filter_map(|it| it.domain).collect();
        domains.push(USUAL_DOMAIN.to_owned());
        domains.sort();
        domains.dedup();
        let itself = server.unwrap_or(ITSELF).to_owned();
        std::iter::once(itself)
            .chain(domains.iter().map(|it| format!("{API_SERVER}.{it}.")))
            .collect()
    }

    /// Servers that may be the cluster's, best first.
    async fn servers(&self) -> Vec<String> {
        let mut servers: Vec<String> = self.kube_dns().await.into_iter().collect();
        let accesses = self.inspector.dns_accesses();
        self.journal.with(|timeline| {
            for pod in timeline.owned().filter(|pod| uses_cluster_dns(pod)) {
                let server = accesses.get(pod.uid()).and_then(|it| it.server.clone());
                servers.extend(server.filter(|it| !servers.contains(it)));
            }
        });
        servers
    }

    /// The DNS server's address by its Service, where that may be read.
    async fn kube_dns(&self) -> Option<String> {
        let known = self.state().kube_dns.clone();
        if let Some(known) = known {
            return known;
        }
        let api: Api<Service> = Api::namespaced(self.cluster.client.clone(), "kube-system");
        let found = api
            .get("kube-dns")
            .await
            .ok()
            .and_then(|it| it.spec?.cluster_ip)
            .filter(|it| it.parse::<std::net::IpAddr>().is_ok());
        self.state().kube_dns = Some(found.clone());
        found
    }
}

fn not_found(why: &str, is_silent: bool) -> AskError {
    let why = format!("the cluster's DNS server was not found: {why}");
    AskError::NoServer { why, is_silent }
}

/// The cluster's domain, by the answers to [`NameQuestions::controls`].
///
/// # Errors
/// What was answered instead.
fn domain(told: &ToolOutput) -> Result<String, String> {
    let mut said = "no answer".to_owned();
    for (name, answer) in &told.answers {
        match answer {
            Answer::Name(own) => {
                if let Some((_, domain)) = own.split_once(".svc.") {
                    return Ok(domain.to_owned());
                }
                said = format!("it calls itself {own}");
            }
            Answer::Addresses(_) => {
                let asked = name.strip_prefix(API_SERVER).and_then(|rest| rest.strip_prefix('.'));
                if let Some(domain) = asked {
                    return Ok(domain.trim_end_matches('.').to_owned());
                }
            }
            Answer::Nothing(why) | Answer::Unanswered(why) => {
                said = format!("{name} was answered: {why}")
            }
        }
    }
    Err(said)
}

#[cfg(test)]
mod tests {
    use super::{Answer, ToolOutput, domain};

    fn tool_output(answers: &[(&str, Answer)]) -> ToolOutput {
        ToolOutput {
            answers: answers
                .iter()
                .map(|(name, answer)| ((*name).to_owned(), answer.clone()))
                .collect(),
            ..ToolOutput::default()
        }
    }

    fn addresses() -> Answer {
        Answer::Addresses(vec!["10.96.0.1".to_owned()])
    }

    #[test]
    fn the_server_s_own_name_tells_the_domain() {
        let own = ("10.96.0.10", Answer::Name("kube-dns.kube-system.svc.k8s.example".to_owned()));
        let usual = ("kubernetes.default.svc.cluster.local.", addresses());
        assert_eq!(domain(&tool_output(&[own, usual.clone()])), Ok("k8s.example".to_owned()));
        // A server on the node has no Service.
        let nameless = ("169.254.20.10", Answer::Nothing("NXDOMAIN".to_owned()));
        assert_eq!(domain(&tool_output(&[nameless, usual])), Ok("cluster.local".to_owned()));
    }

    #[test]
    fn a_foreign_server_is_not_the_clusters() {
        let foreign = ("8.8.8.8", Answer::Unanswered("name = dns.google".to_owned()));
        let nothing =
            ("kubernetes.default.svc.cluster.local.", Answer::Nothing("NXDOMAIN".to_owned()));
        assert!(domain(&tool_output(&[foreign, nothing])).is_err());
        assert!(domain(&tool_output(&[])).is_err());
    }
}
