use std::fs;

use serde_json::{Value, json};

use super::{Demand, named_namespace, not_allowed, sealed};
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
    assert_eq!((demand.memory_bytes, demand.cpu_millis), (2 << 30, 1500));
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

/// Catches a token in a pod, and an object that keeps its namespace from being deleted.
#[test]
fn what_is_applied_has_no_token_and_can_be_deleted() {
    let text = set(3, "") + "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: me}\n";
    let sealed = sealed(&read(&text), "own");
    let [account, web] = &sealed.objects[..] else { panic!("{sealed:?}") };
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
    let rich = read(RICH);
    let mut count = 0;
    for (object, manifest) in rich.objects.iter().enumerate() {
        for place in places(&manifest.value, "") {
            for other in
                [json!(null), json!("x"), json!(u64::MAX), json!([]), json!(["x"]), json!({})]
            {
                let mut submission = rich.clone();
                *submission.objects[object].value.pointer_mut(&place).unwrap() = other;
                let _ = (not_allowed(&submission), named_namespace(&submission, "own"));
                super::super::objects::objects("own", &Demand::of(&submission));
                sealed(&submission, "own");
                count += 1;
            }
        }
    }
    assert!(count > 300, "{count}");
}
