//! Who asks DNS: pods of the set, else a container of our own, else any other pod of the namespace.

use std::collections::BTreeMap;

use checks::model::{
    Incarnation, What,
    observation::{Lookup, Reference},
};
use k8s_openapi::api::core::v1::Service;
use kube::Api;

use super::{Names, Question, uses_cluster_dns};
use crate::cluster::{
    answers::{Answer, Told, parse},
    exec::{Place, exec, random_word, script},
    inspect::Desk,
    mounts::{reference, runs},
    probe::Probe,
    wire,
};

/// One exec's whole time.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(12);
/// The tools, best first; bash and nc only carry bytes to the server, `getent` can only ask the pod's own resolver.
const TOOLS: [&str; 6] = ["nslookup", "dig", "host", "bash", "nc", "getent"];

/// Who asks, whom.
#[derive(Clone)]
struct Asker<'a> {
    pod: Reference,
    container: String,
    server: Option<String>,
    tools: Vec<&'static str>,
    /// By a container of our own.
    probe: Option<&'a Probe<'a>>,
    /// Nobody has looked yet which of the tools it has.
    is_guess: bool,
}

impl<'a> Names<'a> {
    /// One exec per asker; false when nobody can ask yet.
    pub(super) async fn round(&self, questions: Vec<Question>) -> bool {
        let mut askers = self.askers().await;
        if askers.is_empty() {
            if !self.inspector.is_idle() {
                return false;
            }
            askers = self.substitutes().await;
        }
        if askers.is_empty() {
            let trouble = self.state().trouble.clone().or_else(|| self.inspector.trouble());
            let why = trouble.unwrap_or_else(|| format!("no pod of the namespace has a tool that asks DNS ({})", TOOLS.join(", ")));
            self.give_up(&questions, &Reference::default(), &why, self.journal.now());
            // Pods that come later are of the same making.
            self.state().nobody_can_ask = true;
            return true;
        }
        let mut by_asker: BTreeMap<usize, Vec<Question>> = BTreeMap::new();
        for question in questions {
            // A pod's own hosts file answers for its own name.
            let other = askers.iter().position(|it| it.is_guess || question.of.as_ref().is_none_or(|of| of.uid != it.pod.uid));
            by_asker.entry(other.unwrap_or(0)).or_default().push(question);
        }
        let asking = by_asker.into_iter().filter_map(|(place, questions)| Some(self.ask(askers.get(place)?, questions)));
        futures::future::join_all(asking).await;
        true
    }

    async fn ask(&self, asker: &Asker<'_>, questions: Vec<Question>) {
        let began = self.journal.now();
        let names: Vec<String> = questions.iter().map(|it| it.name.clone()).collect();
        let told = match asker.probe {
            None => self.run(asker, &asker.container, &names).await,
            Some(probe) => match probe.enter(&asker.pod, &[]).await {
                Err(why) => Err(why),
                Ok(guest) => {
                    let told = self.run(asker, guest.container(), &names).await;
                    probe.leave(guest).await;
                    told
                }
            },
        };
        let told = match told {
            Ok(told) if told.by.is_empty() => Err("there is no tool in it that asks DNS".to_owned()),
            told => told,
        };
        let told = match told {
            Ok(told) => told,
            Err(why) if asker.is_guess => return self.dismiss(asker, &why),
            Err(why) => return self.give_up(&questions, &asker.pod, &why, began),
        };
        let server = asker.server.clone().filter(|_| told.by != "getent");
        for question in &questions {
            let answer =
                told.answers.iter().find(|(name, _)| *name == question.name).map_or_else(|| Answer::Silence("no answer".to_owned()), |(_, it)| it.clone());
            self.note(question, &answer);
            let (addresses, error, unasked) = match answer {
                Answer::Addresses(addresses) => (addresses, None, None),
                Answer::Nothing(why) => (vec![], Some(why), None),
                Answer::Silence(why) => (vec![], None, Some(why)),
            };
            self.push(
                question,
                Lookup { from: asker.pod.clone(), server: server.clone(), by: told.by.clone(), began, addresses, error, unasked, ..Lookup::default() },
            );
        }
    }

    async fn run(&self, asker: &Asker<'_>, container: &str, names: &[String]) -> Result<Told, String> {
        let word = random_word()?;
        let (raw, count) = wire::questions(names);
        let mut arguments = vec![word.clone(), asker.server.clone().unwrap_or_default(), asker.tools.join(" "), raw, count.to_string()];
        arguments.extend(names.iter().cloned());
        let command = script(include_str!("../dns.sh"), arguments);
        let output = exec(self.cluster, Place { pod: &asker.pod.name, container }, &command, WITHIN).await?;
        Ok(parse(&output.stdout, &word, names))
    }

    /// Somebody who cannot ask is not asked to again.
    fn dismiss(&self, asker: &Asker<'_>, why: &str) {
        let mut state = self.state();
        state.trouble = Some(format!("nobody in the namespace could ask DNS; {}: {why}", asker.pod.name));
        match asker.probe {
            // Its image is the same in every pod.
            Some(_) => state.no_probe = true,
            None => _ = state.unable.insert(asker.pod.uid.clone()),
        }
    }

    fn give_up(&self, questions: &[Question], from: &Reference, why: &str, began: u64) {
        for question in questions {
            self.note(question, &Answer::Silence(why.to_owned()));
            self.push(question, Lookup { from: from.clone(), began, unasked: Some(why.to_owned()), ..Lookup::default() });
        }
    }

    fn push(&self, question: &Question, lookup: Lookup) {
        let service = self.journal.with(|timeline| timeline.set().map(|set| set.spec.service_name.clone()).unwrap_or_default());
        self.journal.push(What::Lookup(Lookup { name: question.name.clone(), of: question.of.clone(), service, ..lookup }));
    }

    /// The set's pods that can ask, best first: those that nothing is about to happen to.
    async fn askers(&self) -> Vec<Asker<'a>> {
        let desks = self.inspector.desks();
        let replaced = self.state().replaced.as_ref().map(|(ordinal, _)| *ordinal);
        let mut able: Vec<(bool, bool, i32, Reference, Desk)> = self.journal.with(|timeline| {
            let of = |pod: &Incarnation| {
                let desk = desks.get(pod.uid())?.clone();
                let to_be_replaced = replaced.unwrap_or_else(|| timeline.start() + 1) == pod.ordinal;
                Some((!uses_cluster_dns(pod), to_be_replaced, pod.ordinal, reference(pod), desk))
            };
            timeline.owned().filter(|pod| pod.is_ready()).filter_map(of).collect()
        });
        able.sort_by_key(|(foreign, to_be_replaced, ordinal, ..)| (*foreign, *to_be_replaced, *ordinal));
        let mut server = able.iter().find(|it| !it.0).and_then(|it| it.4.server.clone());
        if server.is_none() && !able.is_empty() {
            server = self.kube_dns().await;
        }
        let asker = |(foreign, _, _, pod, desk): (bool, bool, i32, Reference, Desk)| {
            let has = |tool: &str| !desk.is_guest && desk.tools.iter().any(|it| it == tool);
            let may = |tool: &&str| has(tool) && if *tool == "getent" { !foreign } else { server.is_some() };
            let tools: Vec<&'static str> = TOOLS.into_iter().filter(may).collect();
            (!tools.is_empty()).then(|| Asker { pod, container: desk.container, server: server.clone(), tools, probe: None, is_guess: false })
        };
        able.into_iter().filter_map(asker).collect()
    }

    /// Who else may be able to: a container of our own in a pod of the set, or any other pod of the namespace.
    async fn substitutes(&self) -> Vec<Asker<'a>> {
        let known = self.inspector.desks().into_values().find_map(|it| it.server);
        let server = if known.is_some() { known } else { self.kube_dns().await };
        let (unable, no_probe) = {
            let state = self.state();
            (state.unable.clone(), state.no_probe)
        };
        let probe = self.probe.filter(|_| !no_probe);
        let may_ask = |pod: &&Incarnation| pod.is_ready() && (server.is_some() || uses_cluster_dns(pod));
        let asker = |pod: &Incarnation, container: String, probe| Asker {
            pod: reference(pod),
            container,
            server: server.clone(),
            tools: TOOLS.to_vec(),
            probe,
            is_guess: true,
        };
        self.journal.with(|timeline| {
            // The first pod is neither replaced nor, before the last moment, removed.
            let own = timeline.owned().filter(may_ask).min_by_key(|it| it.ordinal);
            let own = own.filter(|_| probe.is_some()).map(|pod| asker(pod, String::new(), probe));
            let others = timeline.strays().filter(may_ask).filter(|pod| !unable.contains(pod.uid())).filter_map(|pod| {
                let container = pod.spec().containers.iter().find(|it| runs(pod, &it.name))?.name.clone();
                Some(asker(pod, container, None))
            });
            own.into_iter().chain(others).take(1).collect()
        })
    }

    /// The DNS server's address by its Service, where that may be read.
    async fn kube_dns(&self) -> Option<String> {
        let known = self.state().kube_dns.clone();
        if let Some(known) = known {
            return known;
        }
        let api: Api<Service> = Api::namespaced(self.cluster.client.clone(), "kube-system");
        let found = api.get("kube-dns").await.ok().and_then(|it| it.spec?.cluster_ip);
        self.state().kube_dns = Some(found.clone());
        found
    }
}
