//! The commands that bring a change to the cluster, and those by which a student sees the loss.
//!
//! Each works when it is pasted, in the order of the list. Names that a shell could take for more
//! than a name never come here.

use checks::{
    CHECKS,
    mistakes::{NO_SERVICE, Renewal},
    model::diagnosis,
};

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
            ..Self::default()
        }
    }
}

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

/// What to type after all changes of the manifest, to grading again. `ids` are those of the causes.
///
/// What `grade -f` applied is applied by it again: `kubectl apply` would not know which fields it
/// may take out (Kubernetes, "Server-Side Apply", "Field management").
#[must_use]
pub fn mend(ids: &[&str], names: &Names) -> Vec<String> {
    if let Some(file) = names.file.as_ref().filter(|_| names.cleanup) {
        return vec![grade(names, file)];
    }
    let ns = &names.namespace;
    let needs = |wanted: Renewal| ids.iter().any(|id| renewal(id, names) == wanted);
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
    if ids.contains(&"no_stateful_set_but_others") {
        commands.extend(names.workloads.iter().map(|it| format!("kubectl delete {it} -n {ns}")));
    }
    if needs_new_claims && !names.claims.is_empty() {
        commands.push(format!("kubectl delete pvc -n {ns} {}", names.claims.join(" ")));
    }
    if let Some(file) = &names.file {
        commands.push(grade(names, file));
        return commands;
    }
    commands.push(format!("kubectl apply -n {ns} -f {UNKNOWN_FILE}"));
    if let Some(set) = &names.set {
        commands.push(format!("kubectl rollout status statefulset/{set} -n {ns} --timeout=5m"));
    }
    commands.push(grade_again(names));
    commands
}

/// Grades a manifest again.
#[must_use]
pub fn grade(names: &Names, file: &str) -> String {
    let cleanup = if names.cleanup { " --cleanup" } else { "" };
    format!("stsgrade grade -n {} -f {file}{cleanup}", names.namespace)
}

/// Grades what stands in the namespace again, or the manifest where there is one.
#[must_use]
pub fn grade_again(names: &Names) -> String {
    match &names.file {
        Some(file) => grade(names, file),
        None => format!("stsgrade grade -n {}", names.namespace),
    }
}

/// Deletes the set and its pods, and keeps the claims.
fn delete_set(set: &str, names: &Names) -> Vec<String> {
    let ns = &names.namespace;
    if !names.claims_go_with_the_set {
        return vec![format!("kubectl delete statefulset {set} -n {ns} --cascade=foreground")];
    }
    // Without their owner the claims stay, and the pods, too. A new set takes pods over and does
    // not replace those that are not Ready.
    let mut commands = vec![format!("kubectl delete statefulset {set} -n {ns} --cascade=orphan")];
    if !names.pods.is_empty() {
        commands.push(format!("kubectl delete pods -n {ns} {}", names.pods.join(" ")));
    }
    commands
}

/// How to see a loss of this test with one's own eyes, line by line: a line that ends in `\\` goes
/// on in the next. What is scaled is scaled back.
#[must_use]
pub fn see(test: u8, who: Option<&str>, names: &Names) -> Vec<String> {
    if names.cleanup && names.file.is_some() {
        // Nothing stands any more.
        return vec![];
    }
    let ns = &names.namespace;
    if let Some(pod) = who {
        return vec![
            format!("kubectl get pods -n {ns}"),
            format!("kubectl describe pod {pod} -n {ns}"),
        ];
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
        vec![self.scale(0), self.scale(self.own()), self.ready(), self.by_age()]
    }

    fn claims(&self) -> Vec<String> {
        vec![format!("kubectl get pvc -n {}", self.ns)]
    }

    fn content(&self) -> Vec<String> {
        vec![self.files_of(0), self.files_of(1)]
    }

    fn dns(&self) -> Vec<String> {
        let Self { ns, names, .. } = self;
        let mut commands = vec![format!("kubectl get services,endpointslices -n {ns}")];
        if let Some(service) = &names.service {
            // In full: the nslookup of busybox appends no domain to a name with dots.
            let domain = names.domain.as_deref().unwrap_or(DOMAIN);
            commands.push(format!("kubectl exec {} -n {ns} -- \\", self.pod(0)));
            commands.push(format!("  nslookup {}.{service}.{ns}.svc.{domain}", self.pod(1)));
        }
        commands
    }

    fn replaced_pod(&self) -> Vec<String> {
        let delete = format!("kubectl delete pod {} -n {}", self.pod(1), self.ns);
        vec![self.files_of(1), delete, self.ready(), self.files_of(1)]
    }

    fn scale_up(&self) -> Vec<String> {
        let more = self.scale(self.own().saturating_add(2));
        vec![more, self.ready(), self.by_age(), self.scale(self.own()), self.ready()]
    }

    fn scale_down(&self) -> Vec<String> {
        vec![self.scale(1), self.last_is_gone(), self.scale(self.own()), self.ready()]
    }

    fn claims_after_scale_down(&self) -> Vec<String> {
        let [one, gone] = [self.scale(1), self.last_is_gone()];
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

    fn scale(&self, replicas: i32) -> String {
        format!("kubectl scale statefulset {} -n {} --replicas={replicas}", self.set, self.ns)
    }

    fn ready(&self) -> String {
        format!("kubectl rollout status statefulset/{} -n {}", self.set, self.ns)
    }

    fn by_age(&self) -> String {
        format!("kubectl get pods -n {} --sort-by=.metadata.creationTimestamp", self.ns)
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
        format!("kubectl exec {} -n {} -- {what}", self.pod(place), self.ns)
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, mend, see};

    fn names() -> Names {
        Names {
            namespace: "lab".to_owned(),
            set: Some("web".to_owned()),
            service: Some("web".to_owned()),
            replicas: 3,
            claims: vec!["data-web-0".to_owned(), "data-web-1".to_owned()],
            file: Some("lab3.yaml".to_owned()),
            ..Names::default()
        }
    }

    /// Catches a remedy that the API server refuses: an immutable field applied onto what stands.
    #[test]
    fn what_cannot_be_changed_is_deleted_first() {
        assert_eq!(
            mend(&["no_service", "too_small", "parallel"], &names()),
            [
                "kubectl delete statefulset web -n lab --cascade=foreground",
                "kubectl delete pvc -n lab data-web-0 data-web-1",
                "stsgrade grade -n lab -f lab3.yaml",
            ]
        );
        assert_eq!(mend(&["selector_mismatch"], &names()), ["stsgrade grade -n lab -f lab3.yaml"]);
        let claims_go = Names {
            claims_go_with_the_set: true,
            pods: vec!["web-0".to_owned(), "web-1".to_owned()],
            ..names()
        };
        assert_eq!(
            mend(&["probe_fails"], &claims_go),
            [
                "kubectl delete statefulset web -n lab --cascade=orphan",
                "kubectl delete pods -n lab web-0 web-1",
                "stsgrade grade -n lab -f lab3.yaml",
            ]
        );
        let removed = Names { cleanup: true, ..names() };
        assert_eq!(
            mend(&["too_small"], &removed),
            ["stsgrade grade -n lab -f lab3.yaml --cleanup"]
        );
        assert!(see(8, None, &removed).is_empty());
        let applied_by_hand = Names { file: None, ..names() };
        assert_eq!(
            mend(&["service_not_headless"], &applied_by_hand),
            [
                "kubectl delete service web -n lab",
                "kubectl apply -n lab -f YOUR-FILE.yaml",
                "kubectl rollout status statefulset/web -n lab --timeout=5m",
                "stsgrade grade -n lab",
            ]
        );
    }

    /// Catches a row of the table that stands at another check's place.
    #[test]
    fn each_test_is_seen_by_what_it_is_about() {
        let sights = [
            (2, "--replicas=0"),
            (3, "get pvc"),
            (4, "exec web-1"),
            (5, "nslookup"),
            (6, "delete pod web-1"),
            (7, "--replicas=5"),
            (8, "wait pod/web-2"),
            (9, "get pvc"),
            (10, "exec web-2"),
        ];
        for (test, what) in sights {
            let commands = see(test, None, &names());
            assert!(commands.iter().any(|it| it.contains(what)), "{test}: {commands:?}");
        }
        assert_eq!(see(1, None, &names()), ["kubectl get pods -n lab"]);
    }

    /// Catches "see it" commands that leave the set at another number of replicas.
    #[test]
    fn what_is_scaled_is_scaled_back() {
        for test in 1..=10 {
            let scaled: Vec<String> = see(test, None, &names())
                .into_iter()
                .filter(|it| it.starts_with("kubectl scale"))
                .collect();
            assert!(
                scaled.last().is_none_or(|it| it.ends_with("--replicas=3")),
                "{test}: {scaled:?}"
            );
        }
    }
}
