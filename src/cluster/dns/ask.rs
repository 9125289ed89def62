//! One round of questions: who asks which names, by which tools, and what came of it.

use std::collections::BTreeMap;

use checks::model::{
    Fact,
    observation::{Lookup, Reference},
};

use crate::cluster::{
    dns::{
        Answer, NameQuestions,
        askers::{Asker, OWN_RESOLVER, TOOLS},
        questions::Question,
        tcp,
        tool_output::{ToolOutput, control_name, parse},
    },
    exec::{ExecTarget, error::ExecError, exec, random_word, script},
};

/// How long one exec may take.
const EXEC_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(12);
/// Why a container cannot ask.
const NO_TOOL: &str = "there is no tool in it that asks DNS";

/// Why a round of questions gave no answers.
pub(crate) enum AskError {
    /// This asker cannot ask, now or later.
    Unable(String),
    /// No server was found, or none that is the cluster's: that may pass.
    NoServer {
        why: String,
        /// None said anything, of those that were asked.
        is_silent: bool,
    },
    /// Nothing came back in time: as [`Self::Unable`], unless something keeps the answers away.
    Silent(String),
}

impl AskError {
    pub(crate) fn no_tool() -> Self {
        Self::Unable(NO_TOOL.to_owned())
    }

    /// Why a command that asks gave nothing.
    pub(crate) fn of_exec(error: &ExecError) -> Self {
        match error {
            ExecError::TimedOut(_) => Self::Silent(error.to_string()),
            _ => Self::Unable(error.to_string()),
        }
    }
}

/// What an asker came to.
enum AskResult {
    /// A tool asked this server, or where there is none, the pod's own resolver.
    Asked { server: Option<String>, told: ToolOutput },
    /// The cluster's domain turned out to be another: the names are asked anew.
    OtherDomain,
}

/// Which names each of these is to ask, the first asker's first.
fn shares<'s, 'a>(
    askers: &'s [Asker<'a>],
    questions: Vec<Question>,
) -> Vec<(&'s Asker<'a>, Vec<Question>)> {
    let mut by_asker: BTreeMap<usize, Vec<Question>> = BTreeMap::new();
    for question in questions {
        // A pod's own hosts file answers for its own name.
        let is_another = |asker: &Asker<'_>| {
            asker.is_guess || question.pod().is_none_or(|pod| pod.uid != asker.pod.uid)
        };
        let first = askers.iter().position(is_another).unwrap_or(0);
        by_asker.entry(first).or_default().push(question);
    }
    let mut shares = vec![];
    for (place, questions) in by_asker {
        shares.extend(askers.get(place).map(|asker| (asker, questions)));
    }
    shares
}

/// The tools of an asker that can ask this server, or where there is none, the pod's own resolver.
fn tools_for(asker: &Asker<'_>, server: Option<&str>) -> Vec<&'static str> {
    let mut tools = asker.tools.clone();
    match server {
        Some(_) => tools.retain(|tool| *tool != OWN_RESOLVER),
        // Of a guess nobody knows which tools are there: all are tried.
        None if asker.is_guess => {}
        None => tools.retain(|tool| *tool == OWN_RESOLVER),
    }
    tools
}

/// Whether no server said anything.
fn is_silence(asked: &Result<AskResult, AskError>) -> bool {
    match asked {
        Ok(AskResult::Asked { told, .. }) => told.is_silent(),
        Ok(AskResult::OtherDomain) | Err(AskError::Unable(_)) => false,
        Err(AskError::Silent(_)) => true,
        Err(AskError::NoServer { is_silent, .. }) => *is_silent,
    }
}

impl<'a> NameQuestions<'a> {
    /// Asks these names, by one exec for each pod that asks; false when no pod can ask yet.
    pub(crate) async fn round(&self, questions: Vec<Question>) -> bool {
        let mut askers = self.askers();
        if askers.is_empty() {
            if !self.inspector.is_idle() {
                return false;
            }
            askers = self.other_askers();
        }
        if askers.is_empty() {
            self.note_that_nobody_can_ask(&questions);
            return true;
        }
        let mut shares = shares(&askers, questions);
        if shares.iter().any(|(asker, _)| self.resolver(asker).is_none()) {
            // The first one looks for the server, for all.
            shares.truncate(1);
        }
        let asking = shares.into_iter().map(|(asker, questions)| self.ask(asker, questions));
        futures::future::join_all(asking).await;
        true
    }

    fn note_that_nobody_can_ask(&self, questions: &[Question]) {
        let trouble = self.state().trouble.clone().or_else(|| self.inspector.trouble());
        let why = if self.denied_pods().is_empty() {
            trouble.unwrap_or_else(|| {
                format!("no pod of the namespace has a tool that asks DNS ({})", TOOLS.join(", "))
            })
        } else {
            "no server answered".to_owned()
        };
        self.give_up(questions, &Reference::default(), &why, self.journal.now());
        // Pods that come later are of the same making.
        self.state().nobody_can_ask = true;
    }

    async fn ask(&self, asker: &Asker<'_>, questions: Vec<Question>) {
        let began = self.journal.now();
        let asked = self.ask_by(asker, &questions).await;
        if is_silence(&asked) {
            self.note_silence(asker).await;
        } else {
            self.state().silent.remove(&asker.pod.uid);
        }
        match asked {
            Ok(AskResult::Asked { server, told }) => {
                for question in &questions {
                    self.note_answer(question, asker, server.clone(), &told, began);
                }
            }
            Ok(AskResult::OtherDomain) => {}
            Err(AskError::Unable(why) | AskError::Silent(why)) if asker.is_guess => {
                self.exclude(asker, &why);
            }
            Err(AskError::Unable(why) | AskError::Silent(why) | AskError::NoServer { why, .. }) => {
                self.give_up(&questions, &asker.pod, &why, began);
            }
        }
    }

    /// As [`Self::ask_in`], in the asker's container; where that is one of our own, it is started
    /// before and stopped after.
    async fn ask_by(
        &self,
        asker: &Asker<'_>,
        questions: &[Question],
    ) -> Result<AskResult, AskError> {
        let Some(probe) = asker.probe else {
            return self.ask_in(asker, &asker.container, questions).await;
        };
        let started = probe.start(&asker.pod, &[]).await;
        let ephemeral = started.map_err(|why| AskError::Unable(why.to_string()))?;
        let asked = self.ask_in(asker, ephemeral.container(), questions).await;
        probe.stop(ephemeral).await;
        asked
    }

    /// Writes down what a tool printed about one name.
    fn note_answer(
        &self,
        question: &Question,
        asker: &Asker<'_>,
        server: Option<String>,
        told: &ToolOutput,
        began: u64,
    ) {
        let printed = told.answers.iter().find(|(name, _)| *name == question.name);
        let answer = printed.map_or_else(
            || Answer::Unanswered("no answer".to_owned()),
            |(_, answer)| answer.clone(),
        );
        self.record_answer(question, &answer);
        let (addresses, error, undecided) = match answer {
            Answer::Addresses(addresses) => (addresses, None, None),
            Answer::Nothing(why) => (vec![], Some(why), None),
            Answer::Name(name) => (vec![], None, Some(format!("the answer is a name: {name}"))),
            Answer::Unanswered(why) => (vec![], None, Some(why)),
        };
        let denied_by = undecided.as_ref().map(|_| self.denied_by(&asker.pod)).unwrap_or_default();
        let lookup = Lookup {
            from: asker.pod.clone(),
            server,
            by: told.by.clone(),
            began,
            addresses,
            error,
            undecided,
            denied_by,
            ..Lookup::default()
        };
        self.push(question, lookup);
    }

    /// Asks in a container, and looks for the server before, where that is not known.
    async fn ask_in(
        &self,
        asker: &Asker<'_>,
        container: &str,
        questions: &[Question],
    ) -> Result<AskResult, AskError> {
        let (resolver, is_new) = match self.resolver(asker) {
            Some(known) => (known, false),
            None => (self.find_server(asker, container).await?, true),
        };
        let suffix = format!(".svc.{}.", resolver.domain);
        if questions.iter().any(|it| !it.name.ends_with(&suffix)) {
            if is_new {
                return Ok(AskResult::OtherDomain);
            }
            let why = format!(
                "the pod's resolver tells of the domain {}, which is not the cluster's",
                resolver.domain
            );
            return Err(AskError::NoServer { why, is_silent: false });
        }
        let names: Vec<String> = questions.iter().map(|it| it.name.clone()).collect();
        let told = self
            .run(asker, container, resolver.server.as_deref(), &names)
            .await
            .map_err(|why| AskError::of_exec(&why))?;
        if told.by.is_empty() {
            return Err(AskError::no_tool());
        }
        Ok(AskResult::Asked { server: resolver.server, told })
    }

    /// Asks a server, or where there is none, the pod's own resolver.
    pub(crate) async fn run(
        &self,
        asker: &Asker<'_>,
        container: &str,
        server: Option<&str>,
        names: &[String],
    ) -> Result<ToolOutput, ExecError> {
        let word = random_word()?;
        let tools = tools_for(asker, server);
        // The pod's own resolver does not say whether a server answered that there is nothing, or
        // none answered: it is asked one more name.
        let first = names.first().filter(|_| tools.contains(&OWN_RESOLVER));
        let control = first.and_then(|it| control_name(it));
        let (raw, count) = tcp::questions(names);
        let server = server.unwrap_or_default().to_owned();
        let mut arguments = vec![word.clone(), server, tools.join(" "), raw, count.to_string()];
        arguments.extend(names.iter().cloned());
        arguments.extend(control.clone());
        let command = script(include_str!("dns.sh"), arguments);
        let target = ExecTarget { pod: &asker.pod.name, container };
        let output = exec(self.cluster, target, &command, EXEC_TIMEOUT).await?;
        let told = parse(&output.stdout, &word, names);
        Ok(match control {
            Some(control) if told.by == OWN_RESOLVER => told.checked_by(&control),
            Some(control) => told.without(&control),
            None => told,
        })
    }

    /// Notes that an asker cannot ask, so that it is not tried again.
    fn exclude(&self, asker: &Asker<'_>, why: &str) {
        let mut state = self.state();
        state.trouble =
            Some(format!("nobody in the namespace could ask DNS; {}: {why}", asker.pod.name));
        match asker.probe {
            // Its image is the same in every pod.
            Some(_) => state.no_probe = true,
            None => _ = state.unable.insert(asker.pod.uid.clone()),
        }
    }

    fn give_up(&self, questions: &[Question], from: &Reference, why: &str, began: u64) {
        let denied_by = self.denied_by(from);
        for question in questions {
            self.record_answer(question, &Answer::Unanswered(why.to_owned()));
            self.push(
                question,
                Lookup {
                    from: from.clone(),
                    began,
                    undecided: Some(why.to_owned()),
                    denied_by: denied_by.clone(),
                    ..Lookup::default()
                },
            );
        }
    }

    fn push(&self, question: &Question, lookup: Lookup) {
        let service = self.journal.with(|timeline| {
            timeline.set().map(|set| set.spec.service_name.clone()).unwrap_or_default()
        });
        self.journal.push(Fact::Lookup(Lookup {
            name: question.name.clone(),
            of: question.pod().cloned(),
            service,
            ..lookup
        }));
    }
}
