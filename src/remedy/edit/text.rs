//! Edits of what is not recorded of a set, but stands in the text of its manifest.

use checks::model::{MissingObject, observation::object::StatefulSetSpec};

use crate::remedy::{
    edit::{Loss, nearest, refusal},
    manifest::{Document, Edit, Path, PathStep, keys},
};

/// The set's own document, and where its containers stand.
pub(super) struct SetText<'d> {
    pub(super) document: &'d Document,
    pod: Path,
    pub(super) containers: Vec<Path>,
}

impl<'d> SetText<'d> {
    pub(super) fn of(document: &'d Document) -> Self {
        let pod = keys("spec.template.spec");
        Self { document, containers: containers(document, &pod), pod }
    }

    /// The container that is stuck.
    pub(super) fn stuck(&self, loss: &Loss<'_>) -> Option<&Path> {
        let name = loss.container()?.name.as_str();
        self.containers.iter().find(|it| self.document.scalar(&with(it, "name")) == Some(name))
    }

    /// The names of the variables of the container that is stuck; `None` where it is not found, or
    /// takes others from objects.
    pub(super) fn env_of_stuck(&self, loss: &Loss<'_>) -> Option<Vec<String>> {
        let own = self.stuck(loss)?;
        if self.document.has(&with(own, "envFrom")) {
            return None;
        }
        let paths = items(self.document, &with(own, "env")).into_iter();
        let names = paths.filter_map(|it| self.document.scalar(&with(&it, "name")));
        Some(names.map(str::to_owned).collect())
    }

    /// Takes fields out of the container that is stuck.
    fn without(&self, loss: &Loss<'_>, fields: [&str; 2]) -> Vec<Edit> {
        let stuck = self.stuck(loss);
        fields.iter().filter_map(|it| Some(Edit::Remove(with(stuck?, it)))).collect()
    }
}

/// Lets the image be pulled.
pub(super) fn pulled_image(_: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    let policies = set.containers.iter().map(|it| with(it, "imagePullPolicy"));
    policies.filter(|it| set.document.scalar(it) == Some("Never")).map(Edit::Remove).collect()
}

pub(super) fn no_readiness_probe(loss: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    set.without(loss, ["readinessProbe", "startupProbe"])
}

pub(super) fn no_liveness_probe(loss: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    set.without(loss, ["livenessProbe", "startupProbe"])
}

/// As above, where the kubelet may be the one that ends the container.
pub(super) fn no_probe_that_ends_it(loss: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    if loss.container().is_some_and(|it| it.may_fail_a_probe) {
        no_liveness_probe(loss, set)
    } else {
        vec![]
    }
}

pub(super) fn no_such_init_container(loss: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    let Some(stuck) = loss.container() else { return vec![] };
    vec![Edit::Remove([with(&set.pod, "initContainers"), named(&stuck.name)].concat())]
}

pub(super) fn no_spread_constraints(_: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    vec![Edit::Remove(with(&set.pod, "topologySpreadConstraints"))]
}

pub(super) fn no_host_ports(_: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    host_ports(set.document, &set.pod, &set.containers)
}

/// Takes out what the words of a refusal name, or corrects it.
pub(super) fn nothing_refused(loss: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    let mut edits = refused(loss.why(), set.document, &set.pod, &set.containers);
    edits.extend(mounts(loss.why(), set.document, &set.pod));
    edits
}

pub(super) fn plain_claims(_: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    each_template(set.document, &["spec.selector", "spec.volumeMode"])
}

/// Takes what each container runs from the text, which has all of it.
pub(super) fn take_programs(document: &Document, spec: &mut StatefulSetSpec) {
    let pod = &mut spec.template.spec;
    let init = pod.init_containers.iter_mut().map(|it| ("initContainers", it));
    let all = init.chain(pod.containers.iter_mut().map(|it| ("containers", it)));
    for (list, container) in all {
        let path = [keys("spec.template.spec"), keys(list), named(&container.name)].concat();
        for (field, own) in [("command", &mut container.command), ("args", &mut container.args)] {
            let words = document.texts(&with(&path, field));
            if !words.is_empty() {
                *own = words.into_iter().map(str::to_owned).collect();
            }
        }
    }
}

/// The paths of all containers of a pod's spec.
fn containers(document: &Document, pod: &Path) -> Vec<Path> {
    ["initContainers", "containers"]
        .iter()
        .map(|it| with(pod, it))
        .flat_map(|list| items(document, &list))
        .collect()
}

fn host_ports(document: &Document, pod: &Path, all: &[Path]) -> Vec<Edit> {
    let mut edits = vec![Edit::Remove(with(pod, "hostNetwork"))];
    for ports in all.iter().map(|it| with(it, "ports")) {
        for port in items(document, &ports) {
            edits.push(Edit::Remove(with(&port, "hostPort")));
        }
    }
    edits
}

/// What the words of a refusal name (Kubernetes, "Pod Security Standards", "Baseline").
fn refused(why: &str, document: &Document, pod: &Path, all: &[Path]) -> Vec<Edit> {
    let mut edits = vec![];
    if why.contains("hostPort") {
        edits.extend(host_ports(document, pod, all));
    }
    if why.contains("host namespaces") {
        let fields = ["hostNetwork", "hostPID", "hostIPC"];
        edits.extend(fields.map(|it| Edit::Remove(with(pod, it))));
    }
    edits.extend(forbidden_fields(why, document, pod, all));
    if why.contains("sysctl") {
        edits.push(Edit::Remove(with(pod, "securityContext.sysctls")));
    }
    edits
}

/// The fields that the words forbid, of whom they forbid them: `container "app" must not include
/// "NET_ADMIN" in securityContext.capabilities.add`. What they say must be set is left alone.
fn forbidden_fields(why: &str, document: &Document, pod: &Path, all: &[Path]) -> Vec<Edit> {
    const FIELDS: [&str; 4] = [
        "securityContext.privileged",
        "securityContext.capabilities.add",
        "securityContext.seccompProfile",
        "securityContext.procMount",
    ];
    let mut edits = vec![];
    for clause in why.split([')', ';']) {
        let Some((before, what)) = clause.split_once(" must not ") else { continue };
        let who = before.rsplit('(').next().unwrap_or(before).trim_start();
        let is_named = |path: &&Path| {
            document
                .scalar(&with(path, "name"))
                .is_some_and(|it| who.contains(&format!("\"{it}\"")))
        };
        for field in FIELDS.iter().filter(|it| what.contains(**it)) {
            if who.starts_with("pod") {
                edits.push(Edit::Remove(with(pod, field)));
            }
            edits.extend(all.iter().filter(is_named).map(|it| Edit::Remove(with(it, field))));
        }
    }
    edits
}

/// `spec.containers[0].volumeMounts[0].name: Not found: "www"`: the name of a volume that is much
/// like it, or of the only one that nothing mounts.
pub(super) fn mounts(why: &str, document: &Document, pod: &Path) -> Option<Edit> {
    let (front, rest) = why.split_once(".name: Not found: \"")?;
    let field = front.rsplit(' ').next()?;
    // Of a pod, or of the set's template.
    let field = field.strip_prefix("spec.template.spec.").or(field.strip_prefix("spec."))?;
    let wrong = rest.split('"').next()?;
    let names = |list: &Path, name: &str| -> Vec<String> {
        let item = |place| [list.as_slice(), &[PathStep::Item(place)], &keys(name)].concat();
        let all = (0..document.count(list)).filter_map(|it| document.scalar(&item(it)));
        all.map(str::to_owned).collect()
    };
    let templates = names(&keys("spec.volumeClaimTemplates"), "metadata.name");
    let volumes = names(&with(pod, "volumes"), "name");
    let all: Vec<&str> = templates.iter().chain(&volumes).map(String::as_str).collect();
    let mounted: Vec<String> = containers(document, pod)
        .iter()
        .flat_map(|container| names(&with(container, "volumeMounts"), "name"))
        .collect();
    let mut unused = all.iter().copied().filter(|it| !mounted.iter().any(|name| name == it));
    let only = unused.next().filter(|_| unused.next().is_none());
    let near = nearest(wrong, all.iter().copied(), usize::MAX).or(only)?;
    let path = [pod.as_slice(), &refusal::path(field), &keys("name")].concat();
    Some(Edit::Set(path, near.into()))
}

fn each_template(document: &Document, fields: &[&str]) -> Vec<Edit> {
    let list = keys("spec.volumeClaimTemplates");
    items(document, &list)
        .into_iter()
        .flat_map(|template| fields.iter().map(move |it| Edit::Remove(with(&template, it))))
        .collect()
}

/// A key of a Secret or a ConfigMap that an environment variable names, and that is not there: the
/// one that is there takes its place.
pub(super) fn known_key(loss: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    let Some(missing) = loss.missing_object() else { return vec![] };
    let Some(key) = missing.key.as_deref() else { return vec![] };
    let Some(near) = near_key(missing, key, loss) else { return vec![] };
    let named = named_keys(set.document, missing.kind, &missing.name).into_iter();
    let is_it = |it: &Path| set.document.scalar(it) == Some(key);
    named.filter(is_it).map(|it| Edit::Set(it, near.clone().into())).collect()
}

/// Where the set's environment variables name keys of a ConfigMap or a Secret.
pub(super) fn named_keys(document: &Document, kind: &str, name: &str) -> Vec<Path> {
    let source =
        if kind == "Secret" { "valueFrom.secretKeyRef" } else { "valueFrom.configMapKeyRef" };
    let mut found = vec![];
    for container in containers(document, &keys("spec.template.spec")) {
        let env = with(&container, "env");
        for variable in items(document, &env) {
            let source = with(&variable, source);
            if document.scalar(&with(&source, "name")) == Some(name) {
                found.push(with(&source, "key"));
            }
        }
    }
    found
}

/// The nearest key that the object of the same name has in the manifest.
fn near_key(missing: &MissingObject, key: &str, loss: &Loss<'_>) -> Option<String> {
    let is_it = |kind: &str, name: &str| kind == missing.kind && name == missing.name;
    let text = &loss.objects.iter().find(|it| is_it(&it.kind, &it.name))?.text;
    let document = Document::read(text)?;
    let keys = ["stringData", "data"].map(keys);
    let all = keys.iter().flat_map(|it| document.keys_of(it));
    nearest(key, all, usize::MAX).map(str::to_owned)
}

/// A path, and fields below it.
pub(super) fn with(path: &Path, fields: &str) -> Path {
    [path.as_slice(), &keys(fields)].concat()
}

/// The paths of a list's items.
pub(super) fn items(document: &Document, list: &Path) -> Vec<Path> {
    let item = |place| [list.as_slice(), &[PathStep::Item(place)]].concat();
    (0..document.count(list)).map(item).collect()
}

fn named(name: &str) -> Path {
    vec![PathStep::Named(name.to_owned())]
}

#[cfg(test)]
mod tests {
    use checks::model::MissingObject;

    use super::{containers, forbidden_fields, mounts, near_key};
    use crate::{
        recording::ManifestText,
        remedy::{
            edit::Loss,
            manifest::{Document, Edit, keys},
        },
    };

    /// Catches what must be dropped and goes with what was added, and another container's profile
    /// that is right.
    #[test]
    fn only_what_is_forbidden_goes_and_only_of_whom_it_is() {
        let text = "\
spec:
  containers:
  - name: app
    securityContext:
      capabilities: {drop: [ALL], add: [NET_ADMIN]}
      seccompProfile: {type: RuntimeDefault}
  - name: side
    securityContext:
      seccompProfile: {type: Unconfined}
";
        let document = Document::read(text).unwrap();
        let pod = keys("spec");
        let words = "violates PodSecurity \"restricted:latest\": unrestricted capabilities (container \
            \"side\" must set securityContext.capabilities.drop=[\"ALL\"]; container \"app\" must not \
            include \"NET_ADMIN\" in securityContext.capabilities.add), seccompProfile (container \
            \"side\" must not set securityContext.seccompProfile.type to \"Unconfined\")";
        let edits = forbidden_fields(words, &document, &pod, &containers(&document, &pod));
        let mended = edits.iter().try_fold(document, |it, edit| it.edited(edit)).unwrap();
        assert_eq!(
            mended.text(),
            "\
spec:
  containers:
  - name: app
    securityContext:
      capabilities: {drop: [ALL]}
      seccompProfile: {type: RuntimeDefault}
  - name: side
"
        );
    }

    /// Catches a volume that is mounted in place of another one, which the manifest lacks.
    #[test]
    fn a_mount_means_a_volume_that_is_alike_or_is_not_mounted() {
        let mended = |mount: &str, other: &str| {
            let text = format!(
                "\
spec:
  template:
    spec:
      containers:
      - name: app
        volumeMounts:
        - name: {mount}
          mountPath: /data
        - name: {other}
          mountPath: /cache
  volumeClaimTemplates:
  - metadata:
      name: data
"
            );
            let document = Document::read(&text).unwrap();
            let field = "spec.template.spec.containers[0].volumeMounts[0]";
            let why = format!("StatefulSet web: {field}.name: Not found: \"{mount}\"");
            match mounts(&why, &document, &keys("spec.template.spec")) {
                Some(Edit::Set(_, to)) => Some(to),
                _ => None,
            }
        };
        assert_eq!(mended("dta", "data"), Some("data".into()));
        assert_eq!(mended("web-content", "other"), Some("data".into()));
        assert_eq!(mended("nginx-conf", "data"), None);
    }

    /// Catches another key that is taken for the missing one.
    #[test]
    fn only_a_key_that_is_alike_is_meant() {
        let secret = ManifestText {
            kind: "Secret".to_owned(),
            name: "db".to_owned(),
            text: "kind: Secret\nstringData:\n  username: x\n  passwort: x\n".to_owned(),
            ..ManifestText::default()
        };
        let missing =
            MissingObject { kind: "Secret", name: "db".to_owned(), key: None, volume: None };
        let loss =
            Loss { id: "config_error", obstacle: None, objects: &[secret], knows_programs: true };
        assert_eq!(near_key(&missing, "password", &loss).as_deref(), Some("passwort"));
        assert_eq!(near_key(&missing, "token", &loss), None);
    }
}
