//! The commands by which a student sees a loss.
//!
//! What is scaled is scaled back. PVCs that come with added pods stay, or go again; what is right
//! says which. A set that deletes PVCs with its pods is never scaled below its own replicas, nor
//! scaled at all where the added pods would take PVCs with them that stood before.

use checks::CHECKS;

use crate::remedy::{
    commands::{CommandFacts, path_in, ready},
    renamed, shell_word,
};

/// An image with an `nslookup`, as the lab uses it.
const DNS_IMAGE: &str = "busybox:1.36";
/// How many pods are added to see how a set is scaled.
pub const ADDED: i32 = 2;
/// The DNS domain of most clusters.
const DOMAIN: &str = "cluster.local";

/// What is right of pods that are listed with their ages.
const IN_ORDER: &str = "the times rise from pod to pod; two pods that start fast may share a second, \
    as all do with Parallel";
/// The same of pods that are added, whose PVCs stay when they go.
const IN_ORDER_CLAIMS_STAY: &str = "the times rise from pod to pod; two pods that start fast may \
    share a second, as all do with Parallel. The PVCs of the two pods that were added stay";
/// The same where their PVCs go with them.
const IN_ORDER_CLAIMS_GO: &str = "the times rise from pod to pod; two pods that start fast may share \
    a second, as all do with Parallel. The PVCs of the two pods that were added are deleted with them";
/// What is right while two pods go.
const ONE_GOES: &str =
    "only the last pod has a time, if you look at once; with Parallel two have one";
/// The same of pods that are added before, whose PVCs go with them.
const ONE_GOES_WITH_ITS_CLAIM: &str = "only the last pod has a time, if you look at once; with \
    Parallel two have one. The PVCs of the two pods that were added are deleted with them";
/// What is right of a file that is read twice.
const KEPT: &str = "the lines from before are still there";
/// What is right of a file that no terminal can show, and that is looked at twice.
const NOT_WRITTEN: &str = "the file is still there, with the time from before";

/// A pod that is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck<'s> {
    /// Its name.
    pub pod: &'s str,
    /// The container that ends again and again, where that is the matter: what it wrote last tells
    /// why.
    pub ends: Option<&'s str>,
}

/// How to see a loss with one's own eyes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeeIt {
    /// What to type. What is scaled is scaled back.
    pub commands: Vec<String>,
    /// What it prints where all is well, or what to look for in it.
    pub right: Option<&'static str>,
}

impl SeeIt {
    pub(super) fn of(commands: Vec<String>, right: &'static str) -> Self {
        Self { commands, right: Some(right) }
    }
}

/// How to see a loss of this test.
#[must_use]
pub fn see(test: u8, who: Option<&Stuck<'_>>, facts: &CommandFacts) -> SeeIt {
    let SeeIt { commands, right } = to_see(test, who, facts);
    SeeIt { commands: facts.flags.aimed(commands), right }
}

/// How to see that the claims of pods go with them, without losing any.
#[must_use]
pub fn see_retention(facts: &CommandFacts) -> SeeIt {
    let Some(set) = facts.set.as_ref().filter(|_| !facts.is_removed()) else {
        return SeeIt::default();
    };
    let SeeIt { commands, right } = NamedSet { set, ns: &facts.namespace, facts }.retention();
    SeeIt { commands: facts.flags.aimed(commands), right }
}

fn to_see(test: u8, who: Option<&Stuck<'_>>, facts: &CommandFacts) -> SeeIt {
    if facts.is_removed() {
        return SeeIt::default();
    }
    let ns = &facts.namespace;
    match who {
        Some(Stuck { pod, ends: Some(container) }) => {
            let logs = format!("kubectl logs {pod} -c {container} -n {ns} --previous");
            return SeeIt::of(
                vec![logs],
                "the error `previous terminated container … not found`: the container has not \
                ended",
            );
        }
        Some(Stuck { pod, ends: None }) => {
            let describe = format!("kubectl describe pod {pod} -n {ns}");
            return SeeIt::of(vec![describe], "`Ready` is True under Conditions");
        }
        None => {}
    }
    let Some(set) = &facts.set else {
        let get = format!("kubectl get statefulsets,pods -n {ns}");
        return SeeIt::of(vec![get], "a StatefulSet whose pods are all ready");
    };
    let Some(place) = CHECKS.iter().position(|it| it.test == test) else {
        return SeeIt::default();
    };
    NamedSet::BY_CHECK[place](&NamedSet { set, ns, facts })
}

/// The set as it stands in the cluster.
struct NamedSet<'n> {
    set: &'n str,
    ns: &'n str,
    facts: &'n CommandFacts,
}

impl NamedSet<'_> {
    /// How to see a loss, for each check in the order of [`CHECKS`].
    const BY_CHECK: [fn(&Self) -> SeeIt; checks::COUNT] = [
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

    fn pods(&self) -> SeeIt {
        let get = format!("kubectl get pods -n {}", self.ns);
        SeeIt::of(vec![get], "three pods or more, each of them Running and READY")
    }

    fn creation(&self) -> SeeIt {
        if self.facts.claims_go_when_scaled {
            return self.scale_up();
        }
        // Of the pods that stand, some were replaced since the set was created.
        let commands = vec![
            self.scale(0),
            self.all_are_gone(),
            self.scale(self.own()),
            self.ready(self.own()),
            self.by_age(),
        ];
        SeeIt::of(commands, IN_ORDER)
    }

    fn claims(&self) -> SeeIt {
        let right = "a PVC that ends in each pod's name, Bound, of 50Mi or more";
        SeeIt::of(vec![self.list_claims()], right)
    }

    fn content(&self) -> SeeIt {
        let CommandFacts { mount_path, written, content, .. } = self.facts;
        let own = self.pod(self.second());
        let see = match mount_path {
            // In all files: the one that names the pod may be one that the remedy makes.
            Some(path) if written.is_none() || content.is_some() => {
                self.exec(self.second(), &format!("grep -r {}- {path}", self.set))
            }
            // Their lines are for no terminal.
            Some(path) => self.exec(self.second(), &format!("grep -rl {own} {path}")),
            None => self.files_of(self.second()),
        };
        SeeIt::of(vec![see], "the file, with the pod's own name; exit code 1: none is found")
    }

    fn dns(&self) -> SeeIt {
        let Self { ns, facts, .. } = self;
        let Some(service) = &facts.service else {
            let get = format!("kubectl get services,endpointslices -n {ns}");
            let right = "a Service with CLUSTER-IP None, and the pods' addresses as ENDPOINTS";
            return SeeIt::of(vec![get], right);
        };
        // In full: the nslookup of busybox appends no domain to a name with dots.
        let domain = facts.domain.as_deref().unwrap_or(DOMAIN);
        let pod = self.pod(self.second());
        let lookup = format!("nslookup {pod}.{service}.{ns}.svc.{domain}");
        let ask = if facts.has_nslookup {
            self.exec(0, &lookup)
        } else {
            let run = format!("kubectl run dns-test -n {ns} --image={DNS_IMAGE}");
            format!("{run} --rm -it --restart=Never -- {lookup}")
        };
        SeeIt::of(vec![ask], "the pod's address below its name")
    }

    fn replaced_pod(&self) -> SeeIt {
        let (pod, (files, right)) = (self.pod(self.second()), self.kept_on(self.second()));
        let delete = format!("kubectl delete pod {pod} -n {}", self.ns);
        SeeIt::of(vec![files.clone(), delete, self.ready(self.own()), files], right)
    }

    fn scale_up(&self) -> SeeIt {
        if self.would_lose_claims() {
            return self.retention();
        }
        let (own, more) = (self.own(), self.more());
        let [up, down] = [self.scale(more), self.scale(own)];
        let right = match self.facts {
            facts if facts.claims.is_empty() => IN_ORDER,
            facts if facts.claims_go_when_scaled => IN_ORDER_CLAIMS_GO,
            _ => IN_ORDER_CLAIMS_STAY,
        };
        SeeIt::of(vec![up, self.ready(more), self.by_age(), down, self.ready(own)], right)
    }

    fn scale_down(&self) -> SeeIt {
        if self.facts.claims_go_when_scaled {
            return self.scale_down_from_more();
        }
        // Of two that go, one waits for the other.
        let commands = vec![
            self.scale((self.own() - 2).max(0)),
            self.by_deletion(),
            self.last_is_gone(),
            self.scale(self.own()),
            self.ready(self.own()),
        ];
        SeeIt::of(commands, ONE_GOES)
    }

    /// That pods go one by one, seen of two that are added for it.
    fn scale_down_from_more(&self) -> SeeIt {
        if self.would_lose_claims() {
            return self.retention();
        }
        let commands = vec![
            self.scale(self.more()),
            self.ready(self.more()),
            self.scale(self.own()),
            self.by_deletion(),
            self.ready(self.own()),
        ];
        SeeIt::of(commands, ONE_GOES_WITH_ITS_CLAIM)
    }

    fn claims_after_scale_down(&self) -> SeeIt {
        if self.facts.claims_go_when_scaled {
            return self.retention();
        }
        let own = self.own();
        let commands = vec![
            self.scale(self.fewer()),
            self.last_is_gone(),
            self.list_claims(),
            self.scale(own),
            self.ready(own),
        ];
        SeeIt::of(commands, "the PVCs of the pods that are gone are still Bound")
    }

    fn content_after_scale_down(&self) -> SeeIt {
        if self.facts.claims_go_when_scaled {
            return self.retention();
        }
        let (files, right) = self.kept_on(self.own() - 1);
        let commands = [vec![files.clone()], self.last_goes_and_comes_back(), vec![files]].concat();
        SeeIt::of(commands, right)
    }

    fn last_goes_and_comes_back(&self) -> Vec<String> {
        let own = self.own();
        vec![self.scale(self.fewer()), self.last_is_gone(), self.scale(own), self.ready(own)]
    }

    /// Whether pods that are added and go again take PVCs with them that stood before.
    const fn would_lose_claims(&self) -> bool {
        self.facts.claims_go_when_scaled && self.facts.claims_stand_for_more
    }

    /// Whether PVCs go with their pods, by what the set asks for.
    fn retention(&self) -> SeeIt {
        let Self { set, ns, .. } = self;
        let field = "'{.spec.persistentVolumeClaimRetentionPolicy}'";
        let get = format!("kubectl get sts {set} -n {ns} -o jsonpath={field}");
        SeeIt::of(vec![get], "`whenScaled` is Retain, or nothing is printed")
    }

    fn list_claims(&self) -> String {
        format!("kubectl get pvc -n {}", self.ns)
    }

    /// The pod at this place, from 0.
    fn pod(&self, place: i32) -> String {
        format!("{}-{}", self.set, self.facts.start.saturating_add(place))
    }

    fn own(&self) -> i32 {
        self.facts.replicas.max(1)
    }

    /// To how many it is scaled up.
    fn more(&self) -> i32 {
        self.own().saturating_add(ADDED)
    }

    /// The place of the second pod, or of the only one.
    fn second(&self) -> i32 {
        1.min(self.own() - 1)
    }

    /// To how many it is scaled down: one pod stays, where there are several.
    fn fewer(&self) -> i32 {
        i32::from(self.own() > 1)
    }

    /// Runs a command in the pod at this place: with `-c`, where kubectl would have to choose.
    fn exec(&self, place: i32, command: &str) -> String {
        self.exec_in(self.facts.container.as_ref(), place, command)
    }

    fn exec_in(&self, container: Option<&String>, place: i32, command: &str) -> String {
        let named = container.filter(|_| self.facts.has_other_containers);
        let container = named.map(|it| format!(" -c {it}")).unwrap_or_default();
        format!("kubectl exec {}{container} -n {} -- {command}", self.pod(place), self.ns)
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

    fn ready(&self, replicas: i32) -> String {
        ready(self.facts, replicas)
    }

    /// When each pod was created: where one waits for the other, by their own times to get Ready.
    fn by_age(&self) -> String {
        self.pods_with("AT:metadata.creationTimestamp")
    }

    /// Which pods were asked to go. A status is not enough: of one whose containers have ended it is
    /// Completed.
    fn by_deletion(&self) -> String {
        self.pods_with("DELETED:metadata.deletionTimestamp")
    }

    fn pods_with(&self, column: &str) -> String {
        format!("kubectl get pods -n {} -o custom-columns=POD:metadata.name,{column}", self.ns)
    }

    fn last_is_gone(&self) -> String {
        let last = self.pod(self.own() - 1);
        format!("kubectl wait pod/{last} -n {} --for=delete --timeout=3m", self.ns)
    }

    /// What the pod at this place must keep, and what is right of it when it is printed twice: the
    /// file whose content was lost, where that is known.
    fn kept_on(&self, place: i32) -> (String, &'static str) {
        let Some(lost) = &self.facts.lost else { return (self.files_of(place), KEPT) };
        // It may be named after its pod.
        let file = renamed(&lost.file, &lost.pod, &self.pod(place));
        let Some(path) = shell_word(&path_in(&lost.folder, &file)) else {
            return (self.files_of(place), KEPT);
        };
        let container = lost.container.as_ref().or(self.facts.container.as_ref());
        if lost.is_text {
            (self.exec_in(container, place, &format!("cat {path}")), KEPT)
        } else {
            (self.exec_in(container, place, &format!("ls -l {path}")), NOT_WRITTEN)
        }
    }

    /// What the pod at this place has on its claim.
    fn files_of(&self, place: i32) -> String {
        let what = match (&self.facts.content, &self.facts.mount_path) {
            (Some(file), _) => format!("cat {file}"),
            (None, Some(path)) => format!("grep -r . {path}"),
            (None, None) => "ls -la".to_owned(),
        };
        self.exec(place, &what)
    }
}
