use std::fs;

use serde_json::{Value, json};

use super::{
    demand::{Amount, Demand},
    dns::DnsRule,
    isolated::isolated,
    named_namespace, not_allowed,
    objects::objects,
};
use crate::submission::Submission;

const HEAD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\nspec:\n";

fn read(text: &str) -> Submission {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("submission.yaml");
    fs::write(&file, text).unwrap();
    Submission::read(&[file], "statefulset-lab").unwrap()
}

fn set(replicas: u32, more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: web, finalizers: [a/b]}}\n\
         spec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    \
         metadata: {{labels: {{app: web}}, finalizers: [a/b]}}\n    spec:\n      containers:\n      \
         - {{name: app, image: busybox, resources: {{requests: {{memory: 2Gi, cpu: 1500m}}}}}}\n  \
         volumeClaimTemplates:\n  - metadata: {{name: data, finalizers: [a/b]}}\n    spec: \
         {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}\n{more}"
    )
}

/// Catches a quota without room for the tour, and a default limit below what a container requests,
/// by which the API server would refuse its pods.
#[test]
fn a_quota_has_room_for_all_that_a_grade_does() {
    let demand = Demand::of(&read(&set(3, "")));
    assert_eq!((demand.pods, demand.claims, demand.storage_bytes), (5, 5, 5 << 30));
    let asked = Amount { cpu_millis: 1500, memory_bytes: 2 << 30 };
    assert_eq!((demand.container, demand.default_limit), (asked, asked));
    let eight = Amount { cpu_millis: 8 * 1500, memory_bytes: 16 << 30 };
    let load = demand.load_with_spare();
    assert_eq!((load.requests, load.limits, load.disk_bytes), (eight, eight, 0));
    assert_eq!(not_allowed(&read(&set(3, ""))), None);
}

/// Catches something by which one hand-in reaches, slows or stops another, or the node.
#[test]
fn what_no_hand_in_gets_is_named_with_its_line() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: one}\nspec:\n";
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: one}\nspec:\n";
    for (text, what, line) in [
        (format!("{service}  type: NodePort\n"), "type NodePort", 5),
        (format!("{service}  type: LoadBalancer\n"), "type LoadBalancer", 5),
        (format!("{service}  externalIPs: [1.2.3.4]\n"), "externalIPs", 5),
        (format!("{claim}  volumeName: another\n"), "PersistentVolume another", 5),
        (format!("{HEAD}  hostNetwork: true\n"), "hostNetwork", 5),
        (format!("{HEAD}  priorityClassName: system-node-critical\n"), "a priority", 5),
        (format!("{HEAD}  volumes:\n  - name: a\n    hostPath: {{path: /}}\n"), "hostPath", 7),
        (
            format!(
                "{HEAD}  volumes:\n  - name: a\n    projected:\n      sources:\n      - \
                 serviceAccountToken: {{path: t}}\n"
            ),
            "a service account's token",
            9,
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: one}\n\
             type: kubernetes.io/service-account-token\n"
                .to_owned(),
            "a service account's token",
            4,
        ),
        (format!("{HEAD}  nodeName: node-1\n"), "a node, past the scheduler", 5),
        (format!("{HEAD}  resources: {{limits: {{cpu: 64}}}}\n"), "resources of a whole pod", 5),
        (format!("{HEAD}  resourceClaims: [{{name: gpu}}]\n"), "devices of a node", 5),
        (format!("{HEAD}  volumes:\n  - name: a\n    nfs: {{}}\n"), "a volume nfs", 7),
        (format!("{HEAD}  volumes:\n  - name: a\n    csi: {{driver: x.y}}\n"), "a volume csi", 7),
        (
            format!(
                "{HEAD}  containers:\n  - name: a\n    livenessProbe:\n      httpGet:\n        \
                 host: 169.254.169.254\n"
            ),
            "host 169.254.169.254 in a probe",
            9,
        ),
        (
            format!(
                "{HEAD}  containers:\n  - name: a\n    lifecycle: {{preStop: {{tcpSocket: {{host: \
                 a.b}}}}}}\n"
            ),
            "host a.b in a probe or hook",
            1,
        ),
        (
            format!(
                "{HEAD}  containers:\n  - name: a\n    resources: {{limits: {{nvidia.com/gpu: \
                 1}}}}\n"
            ),
            "nvidia.com/gpu, of which a batch gives nothing",
            7,
        ),
        (set(90, ""), "pods, those of the tour included: 92", 1),
        (
            format!("{HEAD}  containers:\n  - {{name: a, resources: {{limits: {{cpu: 64}}}}}}\n"),
            "CPU of one container, in thousandths: 64000",
            1,
        ),
    ] {
        let found = not_allowed(&read(&text)).unwrap();
        assert!(found.what.contains(what), "{found:?}");
        assert_eq!(found.place.line, line, "{found:?}");
    }
}

/// So many objects of a kind.
fn many(count: u32, kind: &str, spec: &str) -> String {
    let head = format!("apiVersion: v1\nkind: {kind}\n");
    (0..count).map(|it| format!("{head}metadata: {{name: n{it}}}\n{spec}---\n")).collect()
}

/// Catches a hand-in that takes the whole cluster with parts each of which is small.
#[test]
fn all_that_a_hand_in_asks_for_together_is_bounded() {
    let container = "      - {name: app, image: busybox, resources:";
    let twenty: String = (0..20).map(|it| format!("      - {{name: c{it}}}\n")).collect();
    let claim = "spec: {resources: {requests: {storage: 1Mi}}}\n";
    for (text, what) in [
        (set(30, ""), "CPU requested by all pods, in thousandths: 48000"),
        (
            set(20, "").replace("memory: 2Gi, cpu: 1500m", "memory: 4Gi"),
            "bytes of memory requested by all pods: 94489280512",
        ),
        (
            set(3, "").replace(container, &format!("{twenty}{container}")),
            "CPU limits of all pods, in thousandths: 157500",
        ),
        (
            set(3, "").replace("cpu: 1500m", "ephemeral-storage: 20Gi"),
            "bytes of ephemeral storage requested by all pods: 107374182400",
        ),
        (many(21, "Service", "spec: {ports: [{port: 1}]}\n"), "Services: 21"),
        (many(101, "ConfigMap", "data: {}\n"), "objects: 101"),
        (
            set(50, "").replace("cpu: 1500m", "cpu: 1m").replace("2Gi", "1Mi")
                + "---\n"
                + &many(80, "PersistentVolumeClaim", claim),
            "PVCs, those of the tour included: 132",
        ),
    ] {
        let found = not_allowed(&read(&text)).unwrap();
        assert!(found.what.contains(what), "{found:?}");
    }
    // As many as a hand-in may have of what names no resources at all.
    let plain = set(58, "").replace("{memory: 2Gi, cpu: 1500m}", "{}");
    assert_eq!(not_allowed(&read(&plain)), None);
    // A tenth of a CPU each, and not a whole one.
    assert_eq!(not_allowed(&read(&set(40, "").replace("2Gi, cpu: 1500m", "1Mi, cpu: 0.1"))), None);
}

/// Catches a container before the others, or beside them, that no room is left for, and one that
/// gets more because another asks for it.
#[test]
fn a_pod_needs_what_its_containers_need_at_once() {
    let text = format!(
        "{HEAD}  initContainers:\n  - {{name: a, resources: {{limits: {{cpu: 3}}}}}}\n  - {{name: b, \
         restartPolicy: Always, resources: {{limits: {{cpu: 500m}}}}}}\n  containers:\n  - {{name: c, \
         resources: {{requests: {{cpu: 2}}}}}}\n  - {{name: d, resources: {{requests: {{memory: 1Mi}}, \
         limits: {{cpu: 200m}}}}}}\n"
    );
    let demand = Demand::of(&read(&text));
    assert_eq!((demand.container.cpu_millis, demand.default_limit.cpu_millis), (3000, 2000));
    let load = demand.load;
    assert_eq!((load.requests.cpu_millis, load.limits.cpu_millis), (3500, 3500));
    assert_eq!((load.requests.memory_bytes, load.limits.memory_bytes), (65 << 20, 3 << 30));
    let quota = &objects("own", &demand, &DnsRule(json!({})))[0]["spec"]["hard"];
    assert_eq!(
        (&quota["requests.cpu"], &quota["limits.memory"]),
        (&json!("14000m"), &json!("12884901888"))
    );
}

/// Catches a token in a pod, and an object that keeps its namespace from being deleted.
#[test]
fn what_is_applied_has_no_token_and_can_be_deleted() {
    let text = set(3, "") + "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: me}\n";
    let isolated = isolated(&read(&text), "own");
    let [account, web] = &isolated.objects[..] else { panic!("{isolated:?}") };
    assert_eq!(account.value["automountServiceAccountToken"], false);
    let pod = &web.value["spec"]["template"];
    assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
    assert_eq!(web.value["metadata"], json!({"name": "web", "namespace": "own"}));
    assert!(!web.value.to_string().contains("finalizers"), "{}", web.value);
}

/// Catches a pod that waits for ever for a name in a namespace in which it does not stand, a name of
/// the cluster's own taken for one, and a text that is cut within a character.
#[test]
fn a_namespace_in_a_dns_name_is_found() {
    let named = |script: &str, own: &str| {
        let script = json!(["sh", "-c", script]);
        let text = format!("{HEAD}  containers:\n  - {{name: app, image: a, args: {script}}}\n");
        named_namespace(&read(&text), own)
    };
    let lab = Some("statefulset-lab".to_owned());
    assert_eq!(named("nslookup web-0.web.statefulset-lab.svc.cluster.local", "other"), lab);
    assert_eq!(named("ping \"db.statefulset-lab.svc\"", "other"), lab);
    assert_eq!(named("echo „db.statefulset-lab.svc“", "other"), lab);
    assert_eq!(named("ping db.statefulset-lab.svc", "statefulset-lab"), None);
    for script in [
        "curl kubernetes.default.svc",
        "nslookup kube-dns.kube-system.svc.cluster.local",
        "ping web-0.web.$NS.svc.cluster.local",
        "ping ${HOSTNAME}.svc",
        "cat a.b.svcs .svc",
        "echo „web.svc“ ü.svc",
    ] {
        assert_eq!(named(script, "other"), None, "{script}");
    }
}

/// A hand-in with every field that is looked at.
const RICH: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web, finalizers: [a/b]}
spec:
  replicas: 3
  template:
    metadata: {finalizers: [a/b]}
    spec:
      resources: {limits: {cpu: 1}}
      volumes:
      - {name: a, projected: {sources: [{configMap: {name: a}}]}}
      - {name: b, ephemeral: {volumeClaimTemplate: {spec: {resources: {requests: {storage: 1Gi}}}}}}
      initContainers: [{name: init, resources: {requests: {memory: 1Gi}}}]
      containers:
      - {name: app, livenessProbe: {httpGet: {port: 80}}, resources: {limits: {cpu: 1}}}
  volumeClaimTemplates:
  - metadata: {name: data, finalizers: [a/b]}
    spec: {resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: pod}
spec: {containers: [{name: app}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: ClusterIP, externalIPs: []}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: one}
spec: {volumeName: \"\", resources: {requests: {storage: 1Gi}}}
";

/// The places of all values within one.
fn places(value: &Value, at: &str) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Array(items) => {
            items.iter().enumerate().map(|(place, it)| (place.to_string(), it)).collect()
        }
        Value::Object(fields) => fields.iter().map(|(key, it)| (key.clone(), it)).collect(),
        _ => vec![],
    };
    let mut all = vec![at.to_owned()];
    for (key, it) in inner {
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        all.extend(places(it, &at));
    }
    all
}

/// Catches a hand-in that ends the grader because something else stands where a mapping, a list or
/// a text belongs.
#[test]
fn anything_may_stand_anywhere() {
    let (rich, dns) = (read(RICH), DnsRule(json!({})));
    let mut count = 0;
    for (object, manifest) in rich.objects.iter().enumerate() {
        for place in places(&manifest.value, "") {
            for other in
                [json!(null), json!("x"), json!(u64::MAX), json!([]), json!(["x"]), json!({})]
            {
                let mut submission = rich.clone();
                *submission.objects[object].value.pointer_mut(&place).unwrap() = other;
                let _ = (not_allowed(&submission), named_namespace(&submission, "own"));
                objects("own", &Demand::of(&submission), &dns);
                isolated(&submission, "own");
                count += 1;
            }
        }
    }
    assert!(count > 300, "{count}");
}
