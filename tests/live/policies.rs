//! NetworkPolicies, which the test cluster enforces: those that a batch makes, and one that stands
//! in the namespace of a grade.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, ResourceExt as _, api::ListParams};
use serde_json::Value;

use crate::{
    APPEND,
    batch::Class,
    lab::{Lab, Ran},
    state::{is_ready, read},
};

/// A pod that serves a file on port 8080, one that only looks, and a Service with an address of its
/// own.
const OUTSIDE: &str = "\
kind: Pod
apiVersion: v1
metadata: {name: web-0, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: app
    image: busybox:1.36
    command: [sh, -c, 'echo it > /tmp/starts.log; exec httpd -f -p 8080 -h /tmp']
---
kind: Pod
apiVersion: v1
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: 'busybox:1.36', command: [sleep, '1000000']}
---
kind: Service
apiVersion: v1
metadata: {name: front}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
";
/// The same Service, in a hand-in.
const FRONT: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: front}\n\
    spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n---\n";

/// How long a probe waits for an answer, in seconds.
const ANSWER_SECONDS: u32 = 3;
/// The longest until the rules of a pod that has just started stand: it must be over before the
/// grade is.
const ENFORCED: Duration = Duration::from_secs(12);

/// What a pod tries to reach: by name, and the command that succeeds where it does.
type Targets = Vec<(String, String)>;

/// The pod web-0 of a namespace, by its address, and its Service, by its name.
fn server(of: &str, namespace: &str, address: &str) -> Targets {
    vec![
        (format!("{of} pod"), format!("wget -qO- http://{address}:8080/starts.log")),
        (format!("{of} Service"), format!("wget -qO- http://front.{namespace}.svc/starts.log")),
    ]
}

/// Which of these a pod reaches.
async fn reached(from: &Lab, pod: &str, targets: &Targets) -> BTreeSet<String> {
    let mut script = String::new();
    for (name, command) in targets {
        let silent = format!("timeout {ANSWER_SECONDS} {command} < /dev/null > /dev/null 2>&1");
        script += &format!("{{ {silent} && echo '{name}'; }} &\n");
    }
    let out = from.sh(pod, &(script + "wait")).await;
    out.lines().map(str::to_owned).collect()
}

/// Waits until a pod reaches just these: the rules of a pod come a moment after it starts.
async fn reaches(from: &Lab, pod: &str, targets: &Targets, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|it| (*it).to_owned()).collect();
    let began = tokio::time::Instant::now();
    loop {
        let found = reached(from, pod, targets).await;
        if found == expected {
            return;
        }
        let namespace = from.name();
        assert!(
            began.elapsed() < ENFORCED,
            "{namespace}/{pod} reaches {found:?}, not {expected:?}"
        );
    }
}

/// The address of a pod, once all of these are Ready at once.
async fn address(of: &Lab, all: &[&str]) -> Option<String> {
    let pods: Api<Pod> = Api::namespaced(of.client.clone(), of.name());
    let pods = pods.list(&ListParams::default()).await.unwrap().items;
    let ready = |name: &str| pods.iter().find(|it| it.name_any() == name && is_ready(it));
    if !all.iter().all(|it| ready(it).is_some()) {
        return None;
    }
    ready(all[0])?.status.as_ref()?.pod_ip.clone()
}

/// Catches a hand-in whose pods another one reaches, by address or by name, or that reaches
/// something outside, the API server or the node; and one that does not reach itself or the DNS.
#[tokio::test]
async fn two_hand_ins_do_not_reach_each_other() {
    grade_two_apart("live-policies-outside").await;
}

/// Grades two hand-ins, and looks meanwhile whom their pods reach; a pod of the namespace stands
/// for everybody else.
pub(crate) async fn grade_two_apart(namespace: &str) {
    // It serves what it writes: pods that do not answer could not show who reaches them.
    let served = read(APPEND).replace("sleep 1000000 & wait", "httpd -f -p 8080 -h /data & wait");
    assert_ne!(served, read(APPEND));
    Lab::run(namespace, async |lab| {
        lab.until_pods_can_be_made().await;
        lab.create(OUTSIDE, "live").await;
        let class = Class { lab };
        for id in ["one", "two"] {
            class.hand_in(&format!("{id}.yaml"), &(FRONT.to_owned() + &served));
        }
        let graded = async {
            let graded = class.grade().await;
            for id in ["one", "two"] {
                assert_eq!(class.results()[id], "PPPPPPPPPP", "{}", graded.told());
            }
        };
        tokio::join!(graded, apart(lab, &class));
    })
    .await;
}

/// Looks from each side, while both hand-ins are graded.
async fn apart(lab: &Lab, class: &Class<'_>) {
    let mut outside = String::new();
    lab.until("the pods outside are Ready", async || {
        let found = address(lab, &["web-0", "client"]).await;
        found.map(|it| outside = it).is_some()
    })
    .await;
    let mut hand_ins: Vec<(Lab, String)> = vec![];
    lab.until("both hand-ins have pods that stay", async || {
        hand_ins.clear();
        for namespace in class.namespaces().await {
            let it = Lab::unmade(&namespace.name_any()).await;
            // The tour replaces web-1, and removes those from web-3 on.
            if let Some(address) = address(&it, &["web-0", "web-2"]).await {
                hand_ins.push((it, address));
            }
        }
        hand_ins.len() == 2
    })
    .await;
    let [(one, one_address), (two, two_address)] = &hand_ins[..] else { unreachable!() };

    let nodes: Api<Node> = Api::all(lab.client.clone());
    let node = nodes.list(&ListParams::default()).await.unwrap().items.remove(0);
    let node = node.status.unwrap().addresses.unwrap().remove(0).address;
    let common = [
        ("DNS", "nslookup kubernetes.default.svc.cluster.local".to_owned()),
        ("API server", "nc kubernetes.default.svc 443".to_owned()),
        ("node", format!("nc {node} 10250")),
    ];
    let mut targets = [
        server("outside", lab.name(), &outside),
        server("one", one.name(), one_address),
        server("two", two.name(), two_address),
    ]
    .concat();
    targets.extend(common.map(|(name, command)| (name.to_owned(), command)));

    // Where no policy is, each probe comes through; so do those within a hand-in.
    let free = ["outside pod", "outside Service", "DNS", "API server", "node"];
    tokio::join!(
        reaches(lab, "client", &targets, &free),
        reaches(one, "web-2", &targets, &["one pod", "one Service", "DNS"]),
        reaches(two, "web-2", &targets, &["two pod", "two Service", "DNS"]),
    );
}

/// Nothing comes in, and nothing goes out.
const DENY_ALL: &str = "kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\n\
    metadata: {name: deny-all}\nspec: {podSelector: {}, policyTypes: [Ingress, Egress]}\n";
/// Only the DNS is reached.
const ALLOW_DNS: &str = "kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\n\
    metadata: {name: allow-dns}\nspec: {podSelector: {}, policyTypes: [Egress], egress: [{to: \
    [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}], ports: \
    [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}]}\n";

fn causes(of: &Ran) -> Vec<Value> {
    let report: Value = serde_json::from_str(&of.out).unwrap_or_else(|_| panic!("{}", of.told()));
    report["causes"].as_array().unwrap().clone()
}

/// Catches a grade that needs more of the pods' network than the DNS.
#[tokio::test]
async fn a_namespace_that_allows_only_dns_costs_no_point() {
    Lab::run("live-policies-dns", async |lab| {
        lab.create(DENY_ALL, "live").await;
        lab.create(ALLOW_DNS, "live").await;
        let graded = lab.grade(&["-f", APPEND]).await;
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
    })
    .await;
}

/// Catches a test 5 that is lost by the namespace's own policy, a report that does not name the
/// policy, and a right that the minimal Role lacks for it.
#[tokio::test]
async fn a_policy_that_denies_the_dns_leaves_its_test_undecided() {
    Lab::run("live-policies-denied", async |lab| {
        lab.create(DENY_ALL, "live").await;
        lab.stand().await;
        let kubeconfig = lab.as_guest().await;
        let guest = ["--kubeconfig", kubeconfig.to_str().unwrap(), "-o", "json"];
        let graded = lab.grade(&guest).await;
        assert_eq!(graded.status, 3, "{}", graded.told());
        assert_eq!(lab.letters().await, "PPPPIPPPPP", "{}", graded.told());
        let judged = lab.judge("json").await;
        for causes in [causes(&graded), causes(&judged)] {
            let [cause] = &causes[..] else { panic!("{causes:?}") };
            assert_eq!(cause["id"], "dns_denied");
            assert_eq!((&cause["fault"], &cause["tests"]), (&"cluster".into(), &[5].into()));
            let explanation = cause["explanation"].as_str().unwrap();
            assert!(explanation.starts_with("NetworkPolicy deny-all: "), "{explanation}");
            assert!(cause["remedy"].as_str().unwrap().contains("port 53"), "{cause}");
            let see = cause["see"][0].as_str().unwrap();
            let expected = format!(" describe networkpolicies -n {}", lab.name());
            assert!(see.ends_with(&expected), "{see}");
        }
    })
    .await;
}
