//! The commands that bring a change to the cluster, and those by which a student sees the loss.
//!
//! Each works when it is pasted, in the order of the list. Names that a shell could take for more
//! than a name never come here.

mod see_it;

use checks::{
    mistakes::{NO_SERVICE, Renewal},
    model::{
        diagnosis::{self, NAME_TAKEN_BY_OWN_POD, NO_STATEFUL_SET, NO_STATEFUL_SET_BUT_OTHERS},
        lab::LEAST_REPLICAS,
    },
};

use crate::remedy::{flags::Flags, harmless};

pub use crate::remedy::commands::see_it::{ADDED, SeeIt, Stuck, see, see_retention};

/// What commands are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandFacts {
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
    /// The manifest's files, as the student named them, each as a shell takes it for one word; none
    /// where the grade had no `-f`, or one cannot be typed.
    pub files: Vec<String>,
    /// What is judged was done by hand.
    pub is_by_hand: bool,
    /// What the grade had applied is removed by now.
    pub cleanup: bool,
    /// What stands in the namespace in place of a StatefulSet: `deployment web`.
    pub workloads: Vec<String>,
    /// `whenDeleted: Delete`: the claims go with the set.
    pub claims_go_with_the_set: bool,
    /// `whenScaled: Delete`: a claim goes with its pod when the set is scaled down.
    pub claims_go_when_scaled: bool,
    /// Pods that are added to see how the set is scaled would use claims that stand already.
    pub claims_stand_for_more: bool,
    /// How its pods follow a change of the template.
    pub update: Update,
    /// Where the first claim is mounted.
    pub mount_path: Option<String>,
    /// A text file that a pod wrote there, by its whole path.
    pub content: Option<String>,
    /// As `content`, or a file that is no text.
    pub written: Option<String>,
    /// The file whose content was lost when its pod was replaced or came back.
    pub lost: Option<LostFile>,
    /// The cluster's DNS domain, where it is known.
    pub domain: Option<String>,
    /// The container that mounts the first claim.
    pub container: Option<String>,
    /// The pod has others beside it, of which kubectl would choose one and say so.
    pub has_other_containers: bool,
    /// The image of that container has an `nslookup`.
    pub has_nslookup: bool,
    /// The flags of the grade, as a shell takes them.
    pub flags: Flags,
}

/// A file whose content was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostFile {
    /// The pod that had it. Each of the others has one of its own.
    pub pod: String,
    /// The container in which it was read.
    pub container: Option<String>,
    /// Where that container mounts its volume.
    pub folder: String,
    /// Its path on the volume, which may hold the pod's name.
    pub file: String,
    /// It is a text.
    pub is_text: bool,
}

impl LostFile {
    /// Its whole path in the container.
    #[must_use]
    pub fn path(&self) -> String {
        path_in(&self.folder, &self.file)
    }
}

/// The whole path of a file in a folder.
fn path_in(folder: &str, file: &str) -> String {
    format!("{}/{file}", folder.trim_end_matches('/'))
}

/// `updateStrategy`, as far as it decides what to type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Update {
    /// The controller replaces all pods.
    #[default]
    Rolling,
    /// Pods below the partition stay as they are.
    Partitioned,
    /// `OnDelete`: all pods stay as they are.
    OnDelete,
}

impl CommandFacts {
    /// Whether nothing of the submission stands any more, because the grade removed what it had
    /// applied.
    #[must_use]
    pub const fn is_removed(&self) -> bool {
        self.cleanup
    }

    /// The manifest's files as they stand behind the first `-f`: in place of names that cannot be
    /// typed again, as that of standard input, another word, where only a manifest can be graded.
    #[must_use]
    pub fn manifest(&self) -> Option<String> {
        let unknown = self.cleanup.then(|| UNKNOWN_FILE.to_owned());
        Some(self.files.join(" -f ")).filter(|it| !it.is_empty()).or(unknown)
    }

    /// A file that a pod wrote on the first claim, by its whole path: the one that was lost, where
    /// that is known.
    #[must_use]
    pub fn lost_or_written(&self) -> Option<String> {
        let lost = self.lost.as_ref().and_then(|it| harmless(&it.path()));
        lost.or_else(|| self.written.clone())
    }

    /// Of no submission: what stands in capitals is to be replaced.
    #[must_use]
    pub fn placeholders() -> Self {
        Self {
            namespace: "NS".to_owned(),
            set: Some("SET".to_owned()),
            service: Some("SERVICE".to_owned()),
            replicas: 3,
            mount_path: Some("/PATH".to_owned()),
            claims: vec!["PVCS".to_owned()],
            ..Self::default()
        }
    }
}

/// The namespace may have been made for the grade and be gone, and kubectl takes no object of another
/// one. It is not made for this: nobody would take it away again, and the next grade would find it
/// without the Pod Security level that it gives to one of its own.
const DRY_RUN_IS_RIGHT: &str = "a line for each object; a warning does not matter, nor does an \
    error that the namespace is not found";
/// What stands in a command for a file whose name is not known.
pub const UNKNOWN_FILE: &str = "YOUR-FILE.yaml";

/// What a remedy says that deletes claims.
pub const DELETES_DATA: &str = "Deleting the PVCs deletes what is on them.";

/// Whether `serviceName` is missing as well, which cannot be added in place.
#[must_use]
pub fn lacks_service_name(id: &str, facts: &CommandFacts) -> bool {
    id == NO_SERVICE.id && facts.set.is_some() && facts.service.is_none()
}

/// How a manifest of this submission gets into the cluster after the mistake or the obstacle of this
/// id is mended.
#[must_use]
pub fn renewal(id: &str, facts: &CommandFacts) -> Renewal {
    if lacks_service_name(id, facts) {
        return Renewal::Recreate;
    }
    diagnosis::renewal(id)
}

/// A cause, as far as it decides what to type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mending<'m> {
    /// Its id.
    pub id: &'m str,
    /// The pod that waits for an object which is not there, where nothing else must change; or the
    /// one that is to make room.
    pub waiting: Option<&'m str>,
    /// Services that stand and are to be headless, which cannot be changed in place.
    pub services: &'m [String],
}

impl<'m> Mending<'m> {
    /// Of a mistake or an obstacle of which no more is known.
    #[must_use]
    pub const fn of(id: &'m str) -> Self {
        Self { id, waiting: None, services: &[] }
    }

    fn needs(&self, wanted: Renewal, facts: &CommandFacts) -> bool {
        self.waiting.is_none() && renewal(self.id, facts) == wanted
    }

    /// Whether the set must be deleted because its pods stay as they are, and would never get the
    /// change.
    #[must_use]
    pub fn keeps_pods(&self, facts: &CommandFacts) -> bool {
        facts.update != Update::Rolling && self.needs(Renewal::Apply, facts)
    }

    /// Whether claims are deleted for it.
    #[must_use]
    pub fn deletes_claims(&self, facts: &CommandFacts) -> bool {
        !facts.claims.is_empty()
            && !facts.is_removed()
            && self.needs(Renewal::RecreateWithClaims, facts)
    }

    /// What the commands delete that are typed only where the manifest is changed; `None` where
    /// they delete nothing.
    #[must_use]
    pub fn for_a_change(&self, facts: &CommandFacts) -> Option<String> {
        let deleted = if self.deletes_claims(facts) {
            "the set and its PVCs first, and what is on these"
        } else if !self.deletes_set(facts) {
            return None;
        } else if facts.claims.is_empty() {
            "the set first"
        } else {
            "the set first, and keep its PVCs"
        };
        Some(format!(
            "The commands below are for a changed file: they delete {deleted}. Where nothing is \
            changed, the last one is enough."
        ))
    }

    /// Whether the set is deleted for it, and nothing else is.
    #[must_use]
    pub fn deletes_set_alone(&self, facts: &CommandFacts) -> bool {
        self.deletes_set(facts) && !self.needs(Renewal::RecreateWithClaims, facts)
    }

    fn deletes_set(&self, facts: &CommandFacts) -> bool {
        let needs = |wanted| self.needs(wanted, facts);
        facts.set.is_some()
            && !facts.is_removed()
            && (needs(Renewal::Recreate)
                || needs(Renewal::RecreateWithClaims)
                || self.keeps_pods(facts))
    }

    /// The Services that are deleted for it.
    fn deleted_services(&self, facts: &'m CommandFacts) -> Vec<&'m str> {
        let known: Vec<&str> = self.services.iter().map(String::as_str).collect();
        if !known.is_empty() || !self.needs(Renewal::RecreateService, facts) {
            return known;
        }
        facts.service.as_deref().or(facts.set.as_deref()).into_iter().collect()
    }
}

/// What to type after all changes of the manifest, to grading again.
///
/// What `grade -f` applied is applied by it again, which grades it at once.
#[must_use]
pub fn commands_after_changes(causes: &[Mending<'_>], facts: &CommandFacts) -> Vec<String> {
    facts.flags.aimed(to_grade_again(causes, facts))
}

fn to_grade_again(causes: &[Mending<'_>], facts: &CommandFacts) -> Vec<String> {
    if let Some(manifest) = facts.manifest().filter(|_| facts.cleanup) {
        return vec![grade(facts, &manifest)];
    }
    let ns = &facts.namespace;
    let needs = |wanted| causes.iter().any(|it| it.needs(wanted, facts));
    let needs_new_claims = needs(Renewal::RecreateWithClaims);
    let keeps_pods = causes.iter().any(|it| it.keeps_pods(facts));
    let is_set_deleted = needs(Renewal::Recreate) || needs_new_claims || keeps_pods;
    let mut commands = vec![];
    if let Some(set) = facts.set.as_ref().filter(|_| is_set_deleted) {
        commands.extend(delete_set(set, facts));
    }
    let mut services: Vec<&str> = vec![];
    for service in causes.iter().flat_map(|it| it.deleted_services(facts)) {
        if !services.contains(&service) {
            services.push(service);
        }
    }
    commands.extend(services.iter().map(|it| format!("kubectl delete service {it} -n {ns}")));
    if causes.iter().any(|it| it.id == NO_STATEFUL_SET_BUT_OTHERS) {
        commands.extend(facts.workloads.iter().map(|it| format!("kubectl delete {it} -n {ns}")));
    }
    if causes.iter().any(|it| it.deletes_claims(facts)) {
        commands.push(format!("kubectl delete pvc -n {ns} {}", facts.claims.join(" ")));
    }
    // The controller replaces no pod that is not Ready. Where the set goes, its pods do.
    let stays = |it: &&Mending<'_>| !is_set_deleted || it.id == NAME_TAKEN_BY_OWN_POD;
    let waiting = causes.iter().filter(stays).filter_map(|it| it.waiting);
    // One that the set took over goes with it.
    let may_be_gone = if is_set_deleted { " --ignore-not-found" } else { "" };
    let new_pods = waiting.map(|it| format!("kubectl delete pod {it} -n {ns}{may_be_gone}"));
    if let Some(manifest) = facts.manifest() {
        commands.extend(new_pods);
        commands.push(grade(facts, &manifest));
        return commands;
    }
    commands.push(format!("kubectl apply -n {ns} -f {UNKNOWN_FILE}"));
    commands.extend(new_pods);
    commands.push(ready(facts, facts.replicas.max(LEAST_REPLICAS)));
    // Where there is no StatefulSet, `kubectl apply` may have refused the file. `stsgrade grade -f`
    // then says what is wrong with it.
    let has_no_set = causes.iter().any(|it| it.id == NO_STATEFUL_SET);
    commands.push(if has_no_set { grade(facts, UNKNOWN_FILE) } else { grade_again(facts) });
    commands
}

/// Waits until all pods of the set are as it asks, `replicas` of them, and Ready.
///
/// `kubectl rollout status` tells of no set with `OnDelete`.
#[must_use]
pub fn ready(facts: &CommandFacts, replicas: i32) -> String {
    const LONGEST: &str = "--timeout=5m";
    let ns = &facts.namespace;
    let Some(set) = &facts.set else {
        return format!("kubectl rollout status sts -n {ns} {LONGEST}");
    };
    match facts.update {
        Update::OnDelete => format!(
            "kubectl wait sts/{set} -n {ns} --for=jsonpath='{{.status.readyReplicas}}'={replicas} \
            {LONGEST}"
        ),
        Update::Rolling | Update::Partitioned => {
            format!("kubectl rollout status sts/{set} -n {ns} {LONGEST}")
        }
    }
}

/// Grades a manifest again.
#[must_use]
pub fn grade(facts: &CommandFacts, file: &str) -> String {
    let cleanup = if facts.cleanup { " --cleanup" } else { "" };
    let (cluster, subject) = (facts.flags.cluster(), facts.flags.subject());
    format!("stsgrade grade -n {}{cluster} -f {file}{subject}{cleanup}", facts.namespace)
}

/// Has the API server look at a manifest, and changes nothing in the cluster.
///
/// On the server's side, as a grade itself applies it.
#[must_use]
pub fn dry_run(facts: &CommandFacts, file: &str) -> SeeIt {
    let (cluster, ns) = (facts.flags.cluster(), &facts.namespace);
    let apply = format!(
        "kubectl{cluster} apply -n {ns} --server-side --force-conflicts --dry-run=server -f {file}"
    );
    SeeIt::of(vec![apply], DRY_RUN_IS_RIGHT)
}

/// Grades what stands in the namespace again, or the manifest where there is one.
#[must_use]
pub fn grade_again(facts: &CommandFacts) -> String {
    match facts.manifest() {
        Some(manifest) => grade(facts, &manifest),
        None => {
            let (cluster, subject) = (facts.flags.cluster(), facts.flags.subject());
            format!("stsgrade grade -n {}{cluster}{subject}", facts.namespace)
        }
    }
}

/// Deletes the set and its pods, and keeps the claims.
fn delete_set(set: &str, facts: &CommandFacts) -> Vec<String> {
    let ns = &facts.namespace;
    if !facts.claims_go_with_the_set {
        return vec![format!("kubectl delete sts {set} -n {ns} --cascade=foreground")];
    }
    // Without their owner the claims stay, and the pods, too. A new set takes pods over and does
    // not replace those that are not Ready.
    let mut commands = vec![format!("kubectl delete sts {set} -n {ns} --cascade=orphan")];
    if !facts.pods.is_empty() {
        commands.push(format!("kubectl delete pods -n {ns} {}", facts.pods.join(" ")));
    }
    commands
}

#[cfg(test)]
mod tests;
