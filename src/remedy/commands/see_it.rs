//! The commands by which a student sees a loss. What is scaled is scaled back.

use checks::CHECKS;

use crate::remedy::commands::{Names, ready};

/// An image with an `nslookup`, as the lab uses it.
const DNS_IMAGE: &str = "busybox:1.36";
/// The DNS domain of most clusters.
const DOMAIN: &str = "cluster.local";

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
    place.map(|it| NamedSet::SIGHTS[it](&NamedSet { set, ns, names })).unwrap_or_default()
}

/// The set as it stands in the cluster.
struct NamedSet<'n> {
    set: &'n str,
    ns: &'n str,
    names: &'n Names,
}

impl NamedSet<'_> {
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
            self.ready(self.own()),
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
        vec![files.clone(), delete, self.ready(self.own()), files]
    }

    fn scale_up(&self) -> Vec<String> {
        let (own, more) = (self.own(), self.own().saturating_add(2));
        let [up, down] = [self.scale(more), self.scale(own)];
        vec![up, self.ready(more), self.by_age(), down, self.ready(own)]
    }

    fn scale_down(&self) -> Vec<String> {
        let own = self.own();
        vec![self.scale(self.fewer()), self.last_is_gone(), self.scale(own), self.ready(own)]
    }

    fn claims_after_scale_down(&self) -> Vec<String> {
        let [one, gone] = [self.scale(self.fewer()), self.last_is_gone()];
        let own = self.own();
        [vec![one, gone], self.claims(), vec![self.scale(own), self.ready(own)]].concat()
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

    fn ready(&self, replicas: i32) -> String {
        ready(self.names, replicas)
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
