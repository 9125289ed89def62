//! The commands that bring a change to the cluster, and those by which a student sees the loss.
//!
//! Each works when it is pasted, in the order of the list. Names that a shell could take for more
//! than a name never come here.

use checks::{
    CHECKS,
    mistakes::{NO_SERVICE, Renewal},
    model::diagnosis,
};

use crate::remedy::flags::Flags;

/// The names that commands are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The namespace.
    pub namespace: String,
    /// The StatefulSet, where there is one.
    pub set: Option<String>,
    /// Its governing Service, as it names it.
    pub service: Option<String>,
    /// `spec.replicas` as the submission asks for them.
    pub replicas: i32,
    /// The first ordinal.
    pub start: i32,
    /// Names of the claims that the set made for its pods.
    pub claims: Vec<String>,
    /// Names of its pods.
    pub pods: Vec<String>,
    /// The manifest's file, as the student named it; of several, with `-f` between them.
    pub file: Option<String>,
    /// What the grade had applied is removed by now.
    pub cleanup: bool,
    /// What stands in the namespace in place of a StatefulSet: `deployment web`.
    pub workloads: Vec<String>,
    /// `whenDeleted: Delete`: the claims go with the set.
    pub claims_go_with_the_set: bool,
    /// Where the first claim is mounted.
    pub mount_path: Option<String>,
    /// A file that a pod wrote there, by its whole path.
    pub content: Option<String>,
    /// The cluster's DNS domain, where it is known.
    pub domain: Option<String>,
    /// The container that mounts the first claim, where the pod has others beside it.
    pub container: Option<String>,
    /// The image of that container has an `nslookup`.
    pub has_nslookup: bool,
    /// The flags of the grade, as a shell takes them.
    pub flags: Flags,
}

impl Names {
    /// Of no submission: what stands in capitals is to be replaced.
    #[must_use]
    pub fn placeholders() -> Self {
        Self {
            namespace: "NS".to_owned(),
            set: Some("SET".to_owned()),
            service: Some("SERVICE".to_owned()),
            replicas: 3,
            content: Some("/PATH/FILE".to_owned()),
            claims: vec!["PVCS".to_owned()],
            ..Self::default()
        }
    }
}

/// An image with an `nslookup`, as the lab uses it.
const DNS_IMAGE: &str = "busybox:1.36";
/// The DNS domain of most clusters.
const DOMAIN: &str = "cluster.local";
/// What stands in a command for a file whose name is not known.
pub const UNKNOWN_FILE: &str = "YOUR-FILE.yaml";

fn renewal(id: &str, names: &Names) -> Renewal {
    if id == NO_SERVICE.id && names.service.is_none() {
        // Then `serviceName` is missing as well, which cannot be added in place.
        return Renewal::Recreate;
    }
    diagnosis::renewal(id)
}

/// A cause, as far as it decides what to type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mending<'m> {
    /// Its id.
    pub id: &'m str,
    /// The pod that waits for an object which is not there, where nothing else must change.
    pub waiting: Option<&'m str>,
}

impl<'m> Mending<'m> {
    /// Of a mistake or an obstacle of which no more is known.
    #[must_use]
    pub const fn of(id: &'m str) -> Self {
        Self { id, waiting: None }
    }
}

/// What to type after all changes of the manifest, to grading again.
///
/// What `grade -f` applied is applied by it again: `kubectl apply` would not know which fields it
/// may take out (Kubernetes, "Server-Side Apply", "Field management").
#[must_use]
pub fn mend(causes: &[Mending<'_>], names: &Names) -> Vec<String> {
    names.flags.aimed(to_grade_again(causes, names))
}

fn to_grade_again(causes: &[Mending<'_>], names: &Names) -> Vec<String> {
    if let Some(file) = names.file.as_ref().filter(|_| names.cleanup) {
        return vec![grade(names, file)];
    }
    let ns = &names.namespace;
    let needs = |wanted: Renewal| {
        causes.iter().any(|it| it.waiting.is_none() && renewal(it.id, names) == wanted)
    };
    let needs_new_claims = needs(Renewal::RecreateWithClaims);
    let mut commands = vec![];
    if let Some(set) = &names.set {
        if needs(Renewal::Recreate) || needs_new_claims {
            commands.extend(delete_set(set, names));
        }
        if needs(Renewal::RecreateService) {
            let service = names.service.as_deref().unwrap_or(set);
            commands.push(format!("kubectl delete service {service} -n {ns}"));
        }
    }
    if causes.iter().any(|it| it.id == "no_stateful_set_but_others") {
        commands.extend(names.workloads.iter().map(|it| format!("kubectl delete {it} -n {ns}")));
    }
    if needs_new_claims && !names.claims.is_empty() {
        commands.push(format!("kubectl delete pvc -n {ns} {}", names.claims.join(" ")));
    }
    // The controller replaces no pod that is not Ready. Where the set goes, its pods do.
    let is_set_deleted = needs(Renewal::Recreate) || needs_new_claims;
    let waiting = causes.iter().filter_map(|it| it.waiting).filter(|_| !is_set_deleted);
    let new_pods = waiting.map(|it| format!("kubectl delete pod {it} -n {ns}"));
    if let Some(file) = &names.file {
        commands.extend(new_pods);
        commands.push(grade(names, file));
        return commands;
    }
    commands.push(format!("kubectl apply -n {ns} -f {UNKNOWN_FILE}"));
    commands.extend(new_pods);
    // It waits until all pods are Ready.
    commands.push(grade_again(names));
    commands
}

/// Grades a manifest again.
#[must_use]
pub fn grade(names: &Names, file: &str) -> String {
    let cleanup = if names.cleanup { " --cleanup" } else { "" };
    let (cluster, subject) = (names.flags.cluster(), names.flags.subject());
    format!("stsgrade grade -n {}{cluster} -f {file}{subject}{cleanup}", names.namespace)
}

/// Has the API server look at a manifest, and applies nothing.
#[must_use]
pub fn dry_run(names: &Names, file: &str) -> String {
    let cluster = names.flags.cluster();
    format!("kubectl{cluster} apply -n {} --dry-run=server -f {file}", names.namespace)
}

/// Grades what stands in the namespace again, or the manifest where there is one.
#[must_use]
pub fn grade_again(names: &Names) -> String {
    match &names.file {
        Some(file) => grade(names, file),
        None => {
            let (cluster, subject) = (names.flags.cluster(), names.flags.subject());
            format!("stsgrade grade -n {}{cluster}{subject}", names.namespace)
        }
    }
}

/// Deletes the set and its pods, and keeps the claims.
fn delete_set(set: &str, names: &Names) -> Vec<String> {
    let ns = &names.namespace;
    if !names.claims_go_with_the_set {
        return vec![format!("kubectl delete sts {set} -n {ns} --cascade=foreground")];
    }
    // Without their owner the claims stay, and the pods, too. A new set takes pods over and does
    // not replace those that are not Ready.
    let mut commands = vec![format!("kubectl delete sts {set} -n {ns} --cascade=orphan")];
    if !names.pods.is_empty() {
        commands.push(format!("kubectl delete pods -n {ns} {}", names.pods.join(" ")));
    }
    commands
}

/// A pod that is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck<'s> {
    /// Its name.
    pub pod: &'s str,
    /// The container that ends again and again, where that is the matter: what it wrote last tells
    /// why.
    pub ends: Option<&'s str>,
}

/// How to see a loss of this test with one's own eyes. What is scaled is scaled back.
#[must_use]
pub fn see(test: u8, who: Option<&Stuck<'_>>, names: &Names) -> Vec<String> {
    names.flags.aimed(to_see(test, who, names))
}

fn to_see(test: u8, who: Option<&Stuck<'_>>, names: &Names) -> Vec<String> {
    if names.cleanup && names.file.is_some() {
        // Nothing stands any more.
        return vec![];
    }
    let ns = &names.namespace;
    if let Some(Stuck { pod, ends }) = who {
        return vec![match ends {
            Some(container) => format!("kubectl logs {pod} -c {container} -n {ns} --previous"),
            None => format!("kubectl describe pod {pod} -n {ns}"),
        }];
    }
    let Some(set) = &names.set else {
        return vec![format!("kubectl get statefulsets,pods -n {ns}")];
    };
    let place = CHECKS.iter().position(|it| it.test == test);
    place.map(|it| Standing::SIGHTS[it](&Standing { set, ns, names })).unwrap_or_default()
}

/// The set as it stands in the cluster.
struct Standing<'n> {
    set: &'n str,
    ns: &'n str,
    names: &'n Names,
}

impl Standing<'_> {
    /// How to see a loss, for each check in the order of [`CHECKS`].
    const SIGHTS: [fn(&Self) -> Vec<String>; checks::COUNT] = [
        Self::pods,
        Self::creation,
        Self::claims,
        Self::content,
        Self::dns,
        Self::replaced_pod,
        Self::scale_up,
        Self::scale_down,
        Self::claims_after_scale_down,
        Self::content_after_scale_down,
    ];

    fn pods(&self) -> Vec<String> {
        vec![format!("kubectl get pods -n {}", self.ns)]
    }

    fn creation(&self) -> Vec<String> {
        // Of the pods that stand, some were replaced since the set was created.
        vec![
            self.scale(0),
            self.all_are_gone(),
            self.scale(self.own()),
            self.ready(),
            self.by_age(),
        ]
    }

    fn claims(&self) -> Vec<String> {
        vec![format!("kubectl get pvc -n {}", self.ns)]
    }

    fn content(&self) -> Vec<String> {
        vec![self.files_of(self.second())]
    }

    fn dns(&self) -> Vec<String> {
        let Self { ns, names, .. } = self;
        let Some(service) = &names.service else {
            return vec![format!("kubectl get services,endpointslices -n {ns}")];
        };
        // In full: the nslookup of busybox appends no domain to a name with dots.
        let domain = names.domain.as_deref().unwrap_or(DOMAIN);
        let asks = if names.has_nslookup {
            format!("kubectl exec {}{} -n {ns}", self.pod(0), self.container())
        } else {
            format!("kubectl run dns-test -n {ns} --image={DNS_IMAGE} --rm -it --restart=Never")
        };
        let pod = self.pod(self.second());
        vec![format!("{asks} -- nslookup {pod}.{service}.{ns}.svc.{domain}")]
    }

    fn replaced_pod(&self) -> Vec<String> {
        let (pod, files) = (self.pod(self.second()), self.files_of(self.second()));
        let delete = format!("kubectl delete pod {pod} -n {}", self.ns);
        vec![files.clone(), delete, self.ready(), files]
    }

    fn scale_up(&self) -> Vec<String> {
        let more = self.scale(self.own().saturating_add(2));
        vec![more, self.ready(), self.by_age(), self.scale(self.own()), self.ready()]
    }

    fn scale_down(&self) -> Vec<String> {
        vec![self.scale(self.fewer()), self.last_is_gone(), self.scale(self.own()), self.ready()]
    }

    fn claims_after_scale_down(&self) -> Vec<String> {
        let [one, gone] = [self.scale(self.fewer()), self.last_is_gone()];
        [vec![one, gone], self.claims(), vec![self.scale(self.own()), self.ready()]].concat()
    }

    fn content_after_scale_down(&self) -> Vec<String> {
        let files = self.files_of(self.own() - 1);
        [vec![files.clone()], self.scale_down(), vec![files]].concat()
    }

    /// The pod at this place, from 0.
    fn pod(&self, place: i32) -> String {
        format!("{}-{}", self.set, self.names.start.saturating_add(place))
    }

    fn own(&self) -> i32 {
        self.names.replicas.max(1)
    }

    /// The place of the second pod, or of the only one.
    fn second(&self) -> i32 {
        1.min(self.own() - 1)
    }

    /// To how many it is scaled down.
    fn fewer(&self) -> i32 {
        self.second()
    }

    /// `-c`, where kubectl would have to choose.
    fn container(&self) -> String {
        self.names.container.as_ref().map(|it| format!(" -c {it}")).unwrap_or_default()
    }

    /// Pods of a set that is `Parallel` end at the same time: each of a few is waited for.
    fn all_are_gone(&self) -> String {
        const FEW: i32 = 5;
        let places: Vec<i32> =
            if self.own() <= FEW { (0..self.own()).collect() } else { vec![0, self.own() - 1] };
        let pods: Vec<String> =
            places.into_iter().map(|it| format!("pod/{}", self.pod(it))).collect();
        format!("kubectl wait {} -n {} --for=delete --timeout=3m", pods.join(" "), self.ns)
    }

    fn scale(&self, replicas: i32) -> String {
        format!("kubectl scale sts {} -n {} --replicas={replicas}", self.set, self.ns)
    }

    fn ready(&self) -> String {
        format!("kubectl rollout status sts/{} -n {} --timeout=5m", self.set, self.ns)
    }

    /// When each pod was created: where one waits for the other, by their own times to get Ready.
    fn by_age(&self) -> String {
        format!(
            "kubectl get pods -n {} -o custom-columns=POD:metadata.name,AT:metadata.creationTimestamp",
            self.ns
        )
    }

    fn last_is_gone(&self) -> String {
        let last = self.pod(self.own() - 1);
        format!("kubectl wait pod/{last} -n {} --for=delete --timeout=3m", self.ns)
    }

    /// What the pod at this place has on its claim.
    fn files_of(&self, place: i32) -> String {
        let what = match (&self.names.content, &self.names.mount_path) {
            (Some(file), _) => format!("cat {file}"),
            (None, Some(path)) => format!("ls -la {path}"),
            (None, None) => "ls -la".to_owned(),
        };
        let container = self.container();
        format!("kubectl exec {}{container} -n {} -- {what}", self.pod(place), self.ns)
    }
}

#[cfg(test)]
mod tests;
