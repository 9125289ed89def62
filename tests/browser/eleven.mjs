// Prints a recording of a set of eleven pods: created in order, and web-7 before its turn; web-1 is
// replaced; then scaled to thirteen and back to eleven, with a gap of the watch on claims.
//
// Generated, because only what a page shows matters here, and not what a cluster did.

const lines = [];
let at = 0;
const line = (what) => lines.push({ seq: lines.length + 1, at: Math.round(at * 1e9), ...what });
const object = (change, kind, it) => line({ change, object: { [kind]: it } });
const owner = [{ kind: "StatefulSet", name: "web", uid: "set", controller: true }];
const lives = new Map();

const pod = (change, ordinal, status, more = {}) => {
  const uid = `pod-${ordinal}-${lives.get(ordinal)}`;
  object(change, "Pod", {
    metadata: { name: `web-${ordinal}`, uid, labels: { app: "web" }, ownerReferences: owner, ...more },
    spec: {
      terminationGracePeriodSeconds: 30,
      volumes: [{ name: "data", persistentVolumeClaim: { claimName: `data-web-${ordinal}` } }],
      containers: [{
        name: "app", image: "busybox:1.36", volumeMounts: [{ name: "data", mountPath: "/data" }],
      }],
    },
    status,
  });
};

const condition = (status) => [{ type: "Ready", status }];

const claim = (ordinal) => {
  const uid = `claim-${ordinal}`;
  const of = (phase, volume) => ({
    metadata: { name: `data-web-${ordinal}`, uid },
    spec: {
      accessModes: ["ReadWriteOnce"], ...volume, resources: { requests: { storage: "100Mi" } },
    },
    status: { phase },
  });
  object("added", "PersistentVolumeClaim", of("Pending", {}));
  at += 0.2;
  object("modified", "PersistentVolumeClaim", of("Bound", { volumeName: `pvc-${ordinal}` }));
};

const begin = (ordinal) => {
  if (!lives.has(ordinal)) { claim(ordinal); }
  lives.set(ordinal, (lives.get(ordinal) ?? 0) + 1);
  pod("added", ordinal, { phase: "Pending" });
};

const ready = (ordinal) => {
  at += 0.6;
  pod("modified", ordinal, { phase: "Running", conditions: condition("False") });
  at += 1.1;
  pod("modified", ordinal, { phase: "Running", conditions: condition("True") });
};

const end = (ordinal) => {
  const gone = { deletionTimestamp: "2026-01-01T00:01:00Z", deletionGracePeriodSeconds: 30 };
  pod("modified", ordinal, { phase: "Running", conditions: condition("True") }, gone);
  at += 2.3;
  pod("deleted", ordinal, { phase: "Succeeded", conditions: condition("False") }, gone);
};

const set = (change, generation, replicas) => object(change, "StatefulSet", {
  metadata: { name: "web", uid: "set", generation },
  spec: {
    replicas, serviceName: "web", podManagementPolicy: "OrderedReady",
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: {
        containers: [{
          name: "app", image: "busybox:1.36", volumeMounts: [{ name: "data", mountPath: "/data" }],
        }],
      },
    },
    volumeClaimTemplates: [{
      metadata: { name: "data" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "100Mi" } } },
    }],
  },
});

const step = (name, asked, work) => {
  line({ step: { name, phase: "begin", ...asked } });
  work();
  line({ step: { name, phase: "done" } });
};

line({ subject: { namespace: "eleven", statefulSet: { name: "web", uid: "set" } } });
object("added", "Service", {
  metadata: { name: "web", uid: "service" },
  spec: { clusterIP: "None", type: "ClusterIP", selector: { app: "web" } },
});
set("added", 1, 11);
step("observe", {}, () => {
  for (let ordinal = 0; ordinal < 11; ordinal += 1) {
    at += 0.1;
    // One that does not wait for the one before it.
    if (ordinal === 6) { begin(6); at += 0.2; begin(7); ready(6); ready(7); }
    else if (ordinal !== 7) { begin(ordinal); ready(ordinal); }
  }
});
step("replace", { asked: { delete: { name: "web-1", uid: "pod-1-1" } } }, () => {
  end(1);
  at += 0.1;
  begin(1);
  ready(1);
});
step("scaleUp", { asked: { replicas: 13 } }, () => {
  set("modified", 2, 13);
  for (const ordinal of [11, 12]) { at += 0.1; begin(ordinal); ready(ordinal); }
});
step("scaleDown", { asked: { replicas: 11 } }, () => {
  set("modified", 3, 11);
  at += 0.1;
  end(12);
  line({ gap: { kind: "PersistentVolumeClaim", reason: "the watch expired", lastSure: lines.length - 1 } });
  end(11);
});
line({ end: { why: "complete", requests: 1, watchEvents: lines.length, wallMs: 90000 } });

const header = {
  format: "stsgrade-recording", version: 1, minor: 0, tool: "0.1.0", cluster: "v1.36.0",
  namespace: "eleven", startedAt: "2026-01-01T00:00:00Z", asked: { command: "grade" },
};
console.log([header, ...lines].map((it) => JSON.stringify(it)).join("\n"));
