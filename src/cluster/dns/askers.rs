//! Who can ask DNS: a container of our own, pods of the set, else any other pod of the namespace.

use checks::model::{PodLife, observation::Reference};

use crate::cluster::{
    dns::{NameQuestions, uses_cluster_dns},
    exec::{
        ephemeral::ProbeContainers,
        mounts::{reference, runs},
    },
    inspect::DnsAccess,
};

/// The tools, best first; bash and nc only carry bytes to the server, `getent` can only ask the
/// pod's own resolver.
pub(super) const TOOLS: [&str; 6] = ["nslookup", "dig", "host", "bash", "nc", OWN_RESOLVER];
/// The tool that asks whatever the pod's own resolver does.
pub(crate) const OWN_RESOLVER: &str = "getent";

/// Who asks.
#[derive(Clone)]
pub(crate) struct Asker<'a> {
    pub(crate) pod: Reference,
    pub(super) container: String,
    /// Which tools may be tried, best first.
    pub(crate) tools: Vec<&'static str>,
    /// By a container of our own.
    pub(super) probe: Option<&'a ProbeContainers<'a>>,
    /// Nobody has looked yet which of the tools it has.
    pub(crate) is_guess: bool,
}

/// A pod of the set that was inspected, and so may be able to ask.
struct AskingPod {
    /// Its resolver settings are its author's, not the cluster's.
    has_other_resolver: bool,
    /// The tour is about to replace it.
    is_replaced: bool,
    ordinal: i32,
    pod: Reference,
    dns_access: DnsAccess,
}

impl AskingPod {
    /// The pod as an asker; `None` where it has no tool.
    fn asker<'a>(self) -> Option<Asker<'a>> {
        if self.dns_access.is_ephemeral {
            return None;
        }
        let mut tools = TOOLS.to_vec();
        tools.retain(|tool| self.dns_access.tools.iter().any(|it| it == tool));
        if self.has_other_resolver {
            tools.retain(|tool| *tool != OWN_RESOLVER);
        }
        if tools.is_empty() {
            return None;
        }
        let container = self.dns_access.container;
        Some(Asker { pod: self.pod, container, tools, probe: None, is_guess: false })
    }
}

impl<'a> NameQuestions<'a> {
    /// Who can ask, best first: a container of our own, else the set's pods, first those that
    /// nothing is about to happen to.
    pub(super) fn askers(&self) -> Vec<Asker<'a>> {
        if let Some(own) = self.own_container() {
            return vec![own];
        }
        let accesses = self.inspector.dns_accesses();
        let replaced = self.state().replaced.as_ref().map(|(ordinal, _)| *ordinal);
        let denied = self.denied_pods();
        let mut able: Vec<AskingPod> = self.journal.with(|timeline| {
            let replaced = replaced.unwrap_or_else(|| timeline.start() + 1);
            let is_able = |pod: &&PodLife| pod.is_ready() && !denied.contains(pod.uid());
            let ready = timeline.owned().filter(is_able);
            let able = ready.filter_map(|pod| {
                Some(AskingPod {
                    has_other_resolver: !uses_cluster_dns(pod),
                    is_replaced: pod.ordinal == replaced,
                    ordinal: pod.ordinal,
                    pod: reference(pod),
                    dns_access: accesses.get(pod.uid())?.clone(),
                })
            });
            able.collect()
        });
        able.sort_by_key(|it| (it.has_other_resolver, it.is_replaced, it.ordinal));
        able.into_iter().filter_map(AskingPod::asker).collect()
    }

    /// A container of our own in a pod of the set: what its tools say, no author of a submission
    /// has written.
    fn own_container(&self) -> Option<Asker<'a>> {
        let probe = self.probe.filter(|_| !self.state().no_probe)?;
        let denied = self.denied_pods();
        self.journal.with(|timeline| {
            // The first pod is neither replaced nor, before the last moment, removed.
            let is_able = |pod: &&PodLife| pod.is_ready() && !denied.contains(pod.uid());
            let pod = timeline.owned().filter(is_able).min_by_key(|it| it.ordinal)?;
            Some(Asker {
                pod: reference(pod),
                container: String::new(),
                tools: TOOLS.to_vec(),
                probe: Some(probe),
                is_guess: true,
            })
        })
    }

    /// Who may ask where no pod of the set can: any other pod of the namespace.
    pub(super) fn other_askers(&self) -> Vec<Asker<'a>> {
        let unable = self.state().unable.clone();
        let denied = self.denied_pods();
        let is_able = |pod: &&PodLife| {
            pod.is_ready() && !unable.contains(pod.uid()) && !denied.contains(pod.uid())
        };
        self.journal.with(|timeline| {
            let others = timeline.unowned_pods().filter(is_able).filter_map(|pod| {
                let container =
                    pod.spec().containers.iter().find(|it| runs(pod, &it.name))?.name.clone();
                let may = |tool: &&str| *tool != OWN_RESOLVER || uses_cluster_dns(pod);
                let tools = TOOLS.into_iter().filter(may).collect();
                Some(Asker { pod: reference(pod), container, tools, probe: None, is_guess: true })
            });
            others.take(1).collect()
        })
    }
}
