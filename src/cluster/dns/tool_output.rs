//! What the tools that ask DNS print, as addresses or refusals.

use std::net::IpAddr;

use checks::model::observation::{NO_ADDRESS, NO_SUCH_NAME};

use crate::cluster::{
    dns::{Answer, tcp},
    exec::records,
};

/// What one run of the asking script told: by which tool, and the answers by name, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToolOutput {
    pub(crate) by: String,
    /// The server that was asked, or would have been.
    pub(crate) server: String,
    pub(crate) answers: Vec<(String, Answer)>,
}

impl ToolOutput {
    /// Whether no server said anything.
    pub(crate) fn is_silent(&self) -> bool {
        self.answers.iter().all(|(_, answer)| matches!(answer, Answer::Unanswered(_)))
    }

    /// Without the answer about a name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.answers.retain(|(asked, _)| asked != name);
        self
    }

    /// Without the answer about a name that every cluster has. Where even that was not found, the
    /// server has answered nothing, and no other name is known to be missing.
    pub(crate) fn checked_by(mut self, control: &str) -> Self {
        let is_found = |(name, answer): &(String, Answer)| {
            name == control && matches!(answer, Answer::Addresses(_))
        };
        if !self.answers.iter().any(is_found) {
            for (_, answer) in &mut self.answers {
                if matches!(answer, Answer::Nothing(_)) {
                    *answer = Answer::Unanswered(format!(
                        "{} found nothing, and not {control} either",
                        self.by
                    ));
                }
            }
        }
        self.without(control)
    }
}

/// A name that every cluster has, in the domain of another name of a Service.
pub(crate) fn control_name(name: &str) -> Option<String> {
    let (_, domain) = name.split_once(".svc.")?;
    Some(format!("kubernetes.default.svc.{domain}"))
}

/// Reads the script's output; `names` were asked, in this order.
pub(crate) fn parse(output: &[u8], word: &str, names: &[String]) -> ToolOutput {
    let mut told = ToolOutput::default();
    let mut said = String::new();
    let mut name = String::new();
    for (key, value) in records(output, word) {
        let text = String::from_utf8_lossy(value).into_owned();
        match key {
            "by" => told.by = text,
            "server" => told.server = text,
            "name" => name = text,
            "said" => said = text,
            "hex" => told.answers = tcp::answers(names, &tcp::bytes_of(value)),
            "bytes" => told.answers = tcp::answers(names, value),
            "code" => {
                let code = text.trim().parse().unwrap_or(CRASHED);
                let answer = if name.ends_with('.') {
                    answer(&told.by, &said, code)
                } else {
                    own_name(&said)
                };
                told.answers.push((std::mem::take(&mut name), answer));
            }
            _ => {}
        }
    }
    told
}

/// From this exit status on, a command was not run, or was ended by a signal.
const CRASHED: i32 = 126;
/// With this exit status `getent` says that there is nothing.
const NOT_FOUND: i32 = 2;

/// Reads what a tool printed about a name, and how it ended: one that crashed, or says nothing at
/// all, is no answer.
fn answer(tool: &str, said: &str, code: i32) -> Answer {
    let mut addresses = match tool {
        "nslookup" => nslookup(said),
        "dig" => said.lines().filter(|line| !line.starts_with(';')).filter_map(dig).collect(),
        "host" => said
            .lines()
            .filter_map(|line| line.split_once(" address ").and_then(|(_, rest)| address(rest)))
            .collect(),
        "getent" if code == 0 => said.lines().filter_map(address).collect(),
        _ => vec![],
    };
    addresses.sort();
    addresses.dedup();
    match tool {
        _ if !addresses.is_empty() => Answer::Addresses(addresses),
        _ if code >= CRASHED => Answer::Unanswered(format!("{tool} ended with exit status {code}")),
        "getent" if code == NOT_FOUND && said.trim().is_empty() => {
            Answer::Nothing(NO_ADDRESS.to_owned())
        }
        _ => refusal(said),
    }
}

/// Reads what a tool printed about an address: the first name of a Service, or of a pod by a
/// Service, in it.
fn own_name(said: &str) -> Answer {
    let named = said
        .split_whitespace()
        .map(|word| word.trim_end_matches('.'))
        .find(|word| word.contains(".svc."));
    named.map_or_else(|| refusal(said), |name| Answer::Name(name.to_owned()))
}

/// All three formats name the server first: addresses count from the line with the name on.
///
/// busybox up to 1.28 writes `Address 1: 10.0.0.1 host.name`, later ones and BIND's `Address:
/// 10.0.0.1`.
fn nslookup(said: &str) -> Vec<String> {
    said.lines()
        .skip_while(|line| !line.starts_with("Name:"))
        .filter_map(|line| {
            line.strip_prefix("Address")
                .and_then(|rest| rest.split_once(':'))
                .and_then(|(_, rest)| address(rest))
        })
        .collect()
}

/// `NAME TTL IN A ADDRESS`.
fn dig(line: &str) -> Option<String> {
    let mut fields = line.split_whitespace().skip(3);
    matches!(fields.next(), Some("A" | "AAAA")).then(|| fields.next().and_then(address)).flatten()
}

fn address(text: &str) -> Option<String> {
    text.split_whitespace().next()?.parse::<IpAddr>().ok().map(|it| it.to_string())
}

fn refusal(said: &str) -> Answer {
    let has = |words: &[&str]| words.iter().any(|word| said.to_ascii_lowercase().contains(word));
    if has(&["nxdomain"]) {
        return Answer::Nothing(NO_SUCH_NAME.to_owned());
    }
    if has(&[
        "timed out",
        "no servers could be reached",
        "connection refused",
        "try again",
        "unreachable",
        "servfail",
        "server failure",
        "status: refused",
    ]) {
        let line = said
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .find(|line| !line.starts_with("Server:") && !line.starts_with("Address"));
        return Answer::Unanswered(line.unwrap_or("no answer").chars().take(200).collect());
    }
    if has(&[
        "can't resolve",
        "does not resolve",
        "name or service not known",
        "no answer",
        "can't find",
        "status: noerror",
        "has no",
    ]) {
        return Answer::Nothing(NO_ADDRESS.to_owned());
    }
    Answer::Unanswered(
        said.trim().lines().last().unwrap_or("no answer").chars().take(200).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::{Answer, ToolOutput, answer, control_name, own_name, parse};

    fn addresses(list: &[&str]) -> Answer {
        Answer::Addresses(list.iter().map(|it| (*it).to_owned()).collect())
    }

    fn nothing(why: &str) -> Answer {
        Answer::Nothing(why.to_owned())
    }

    /// Catches a DNS server that is away being told as a name that is missing: glibc's `getent` ends
    /// the same way.
    #[test]
    fn getent_knows_a_missing_name_only_beside_one_that_is_there() {
        let name = "web-0.web.lab.svc.cluster.local.".to_owned();
        let control = control_name(&name).unwrap();
        assert_eq!(control, "kubernetes.default.svc.cluster.local.");
        let told = |of_control: Answer| {
            let answers =
                vec![(name.clone(), nothing("no address")), (control.clone(), of_control)];
            ToolOutput { by: "getent".to_owned(), answers, ..ToolOutput::default() }
                .checked_by(&control)
                .answers
        };
        assert_eq!(told(addresses(&["10.96.0.1"])), [(name.clone(), nothing("no address"))]);
        let unsure = told(nothing("no address"));
        assert!(matches!(unsure.as_slice(), [(_, Answer::Unanswered(_))]), "{unsure:?}");
    }

    #[test]
    fn busybox_before_1_29() {
        let said = "Server:    10.96.0.10\nAddress 1: 10.96.0.10 \
            kube-dns.kube-system.svc.cluster.local\n\nName:      \
            web-0.web.lab.svc.cluster.local.\nAddress 1: 10.244.0.5 \
            web-0.web.lab.svc.cluster.local\n";
        assert_eq!(answer("nslookup", said, 0), addresses(&["10.244.0.5"]));
        let said = "Server:    10.96.0.10\nAddress 1: 10.96.0.10 \
            kube-dns.kube-system.svc.cluster.local\n\nnslookup: can't resolve \
            'web-9.web.lab.svc.cluster.local.'\n";
        assert_eq!(answer("nslookup", said, 1), nothing("no address"));
    }

    #[test]
    fn busybox_since_1_29() {
        let said = "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n\nName:\tweb.lab.svc.cluster.local\nAddress: \
            10.244.0.7\nName:\tweb.lab.svc.cluster.local\nAddress: 10.244.0.5\n\n";
        assert_eq!(answer("nslookup", said, 0), addresses(&["10.244.0.5", "10.244.0.7"]));
        let said = "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n** server can't find \
            web-9.web.lab.svc.cluster.local.: NXDOMAIN\n\n** server can't find \
            web-9.web.lab.svc.cluster.local.: NXDOMAIN\n\n";
        assert_eq!(answer("nslookup", said, 1), nothing("NXDOMAIN"));
        let said = "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n*** Can't find \
            web.lab.svc.cluster.local.: No answer\n";
        assert_eq!(answer("nslookup", said, 1), nothing("no address"));
    }

    #[test]
    fn bind() {
        let said = "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10#53\n\nName:\tweb-0.web.lab.svc.cluster.local\nAddress: \
            10.244.0.5\nName:\tweb-0.web.lab.svc.cluster.local\nAddress: fd00::5\n\n";
        assert_eq!(answer("nslookup", said, 0), addresses(&["10.244.0.5", "fd00::5"]));
        assert!(matches!(
            answer("nslookup", ";; connection timed out; no servers could be reached\n", 1),
            Answer::Unanswered(_)
        ));
        let said = ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: \
            1\n;web-0.web.lab.svc.cluster.local. IN A\nweb-0.web.lab.svc.cluster.local. 5 IN A \
            10.244.0.5\n";
        assert_eq!(answer("dig", said, 0), addresses(&["10.244.0.5"]));
        assert_eq!(
            answer("dig", ";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 1\n", 0),
            nothing("NXDOMAIN")
        );
        assert_eq!(
            answer(
                "host",
                "Using domain server:\nName: 10.96.0.10\nAddress: \
                10.96.0.10#53\nAliases:\n\nweb-0.web.lab has address 10.244.0.5\n",
                0
            ),
            addresses(&["10.244.0.5"])
        );
        assert_eq!(answer("host", "Host x not found: 3(NXDOMAIN)\n", 1), nothing("NXDOMAIN"));
    }

    #[test]
    fn getent() {
        let said = "10.244.0.5      STREAM web-0.web.lab.svc.cluster.local\n10.244.0.5      \
            DGRAM\n10.244.0.5      RAW\n";
        assert_eq!(answer("getent", said, 0), addresses(&["10.244.0.5"]));
        assert_eq!(answer("getent", "", 2), nothing("no address"));
    }

    #[test]
    fn a_server_that_fails_says_nothing_of_the_name() {
        for said in [
            "nslookup: can't resolve 'x': Try again\n",
            "** server can't find x: SERVFAIL\n",
            ";; connection timed out; no servers could be reached\n",
            "segfault",
        ] {
            assert!(matches!(answer("nslookup", said, 1), Answer::Unanswered(_)), "{said}");
        }
    }

    #[test]
    fn a_tool_that_crashed_is_no_answer() {
        for (tool, said, code) in [
            ("nslookup", "", 139),
            ("getent", "", 137),
            ("getent", "", 1),
            ("nslookup", "", 0),
            ("dig", "", 127),
            ("host", "bus error\n", 135),
        ] {
            assert!(
                matches!(answer(tool, said, code), Answer::Unanswered(_)),
                "{tool} {said:?} {code}"
            );
        }
    }

    #[test]
    fn the_name_of_an_address() {
        let name = Answer::Name("kube-dns.kube-system.svc.k8s.example".to_owned());
        for said in [
            "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n10.0.96.10.in-addr.arpa\tname = \
            kube-dns.kube-system.svc.k8s.example\n\n",
            "Server:    10.96.0.10\nAddress 1: 10.96.0.10 \
            kube-dns.kube-system.svc.k8s.example\n\nName:      10.96.0.10\nAddress 1: 10.96.0.10 \
            kube-dns.kube-system.svc.k8s.example\n",
            ";; ANSWER SECTION:\n10.0.96.10.in-addr.arpa. 5\tIN PTR \
            kube-dns.kube-system.svc.k8s.example.\n",
            "10.0.96.10.in-addr.arpa domain name pointer kube-dns.kube-system.svc.k8s.example.\n",
            "10.96.0.10      kube-dns.kube-system.svc.k8s.example\n",
        ] {
            assert_eq!(own_name(said), name, "{said}");
        }
        assert_eq!(
            own_name("** server can't find 8.8.8.8.in-addr.arpa: NXDOMAIN\n"),
            nothing("NXDOMAIN")
        );
        assert!(matches!(
            own_name("8.8.8.8.in-addr.arpa\tname = dns.google\n"),
            Answer::Unanswered(_)
        ));
    }

    #[test]
    fn a_whole_run() {
        let output = b"@@:by:getent@@:name:a.@@:said:10.0.0.1 STREAM \
            a\n@@:code:0@@:name:b.@@:said:@@:code:2@@:end:";
        let told = parse(output, "@@", &[]);
        assert_eq!(told.by, "getent");
        assert_eq!(
            told.answers,
            [("a.".to_owned(), addresses(&["10.0.0.1"])), ("b.".to_owned(), nothing("no address"))]
        );
    }
}
