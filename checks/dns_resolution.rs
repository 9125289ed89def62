//! Each pod has a stable DNS name.

use crate::{
    Check,
    model::{Incarnation, Part, Seq, ServiceLife, Standing, Timeline, Verdict, observation::Lookup},
};

pub(crate) const CHECK: Check = Check {
    id: "dns_resolution",
    test: 5,
    title: "DNS Resolution",
    asked: "Each pod has a stable DNS name that resolves to its IP. Headless Service: choose your own name.",
    why: "Members of a system find each other by names that outlive the pods' addresses.",
    remedy: "Make a headless Service (`clusterIP: None`) that selects the pods, and name it in `spec.serviceName`.",
    see: "kubectl get svc,endpointslices -n NS\nkubectl exec SET-0 -n NS -- nslookup SET-1.SERVICE.NS.svc.cluster.local",
    points: 10,
    judge,
};

/// Seconds within which a name must follow the pod, by the slowest usual cache.
const SETTLES_WITHIN: u64 = 35;

/// Passes when the set's headless Service selects its pods and the cluster's DNS gives each pod's address, also after a replacement.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    if timeline.set().is_none() {
        verdict.push("governing_service", "a headless Service governs the set", timeline.missing("apply a headless Service and a StatefulSet"), []);
        return verdict;
    }
    let Some(service) = governing_service(timeline, &mut verdict) else { return verdict };
    for ordinal in timeline.ordinals() {
        judge_name(timeline, &mut verdict, ordinal);
    }
    judge_service_name(timeline, &mut verdict, service);
    judge_after_replacement(timeline, &mut verdict);
    verdict
}

/// The Service that `serviceName` names, where it is headless and selects the pods.
fn governing_service<'t>(timeline: &'t Timeline, verdict: &mut Verdict) -> Option<&'t ServiceLife> {
    let set = timeline.set()?;
    let wanted = &set.spec.service_name;
    let text = "serviceName names an existing headless Service";
    let cites = [set.changed.by];
    let Some(service) = timeline.governing_service() else {
        let headless: Vec<&str> = timeline.services().filter(|it| it.is_headless()).map(|it| it.service.metadata.name.as_str()).collect();
        let actual = if wanted.is_empty() { "serviceName is empty".to_owned() } else { format!("there is no Service {wanted:?}") };
        let (actual, mistake) =
            if headless.is_empty() { (actual, "no_service") } else { (format!("{actual}, but {}", headless.join(", ")), "wrong_service_name") };
        verdict.push("governing_service", text, Standing::broken("a headless Service by the name in spec.serviceName", actual), cites).because(mistake);
        return None;
    };
    if !service.is_headless() {
        let actual = format!(
            "Service {wanted} has the cluster IP {} (its pods' names resolve all the same, but constraint 3.2 asks for a headless one)",
            service.spec().cluster_ip
        );
        verdict
            .push("governing_service", text, Standing::broken("clusterIP: None", actual), [service.added.by, set.changed.by])
            .because("service_not_headless");
        return None;
    }
    verdict.push("governing_service", text, Standing::Met, [service.added.by, set.changed.by]);
    let selector = &service.spec().selector;
    let labels = &set.spec.template.metadata.labels;
    let matches = !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value));
    let text = format!("the selector of Service {wanted} matches the pods");
    if !matches {
        verdict.push("selector", text, Standing::broken(pairs(labels), pairs(selector)), [service.added.by]).because("selector_mismatch");
        return None;
    }
    verdict.push("selector", text, Standing::Met, [service.added.by]);
    Some(service)
}

fn pairs(labels: &std::collections::BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return "no labels".to_owned();
    }
    labels.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
}

fn judge_name(timeline: &Timeline, verdict: &mut Verdict, ordinal: i32) {
    let name = format!("{}-{ordinal}", timeline.set().map_or("", |set| &set.name));
    let text = format!("{name}'s DNS name gives its address");
    let lives = timeline.lane(ordinal);
    if !lives.iter().any(|it| it.ready.is_some()) {
        verdict.push("pod_name", text, timeline.missing("wait until all pods are Ready"), []);
        return;
    }
    // Any life's right answer shows that the name works; what was asked too early says nothing.
    let right = lives.iter().find_map(|life| timeline.right_answer(life));
    let (standing, cites) = match right {
        Some(seq) => (Standing::Met, vec![seq]),
        None => lives.iter().rev().find_map(|life| wrong_answer(timeline, life)).unwrap_or_else(|| (timeline.unasked(), vec![])),
    };
    verdict.push("pod_name", text, standing, cites).because(shared_mistake(timeline, lives));
}

/// Why the name of a pod gave an address of its own and another that was never one of its lives', as a mistake.
fn shared_mistake(timeline: &Timeline, lives: &[Incarnation]) -> &'static str {
    let is_own = |address: &String| lives.iter().any(|life| life.addresses.contains(address));
    let mut last = lives.iter().filter_map(|life| timeline.lookups_of(life.uid()).last()).map(|it| &it.what.addresses);
    if last.any(|it| it.iter().any(is_own) && !it.iter().all(is_own)) { "name_of_two_pods" } else { "" }
}

/// The last answer about a life, as a standing.
fn wrong_answer(timeline: &Timeline, life: &Incarnation) -> Option<(Standing, Vec<Seq>)> {
    let last = timeline.lookups_of(life.uid()).last()?;
    let Lookup { name, addresses, error, .. } = &last.what;
    let answer = error.clone().unwrap_or_else(|| if addresses.is_empty() { "no address".to_owned() } else { addresses.join(", ") });
    let asked_after = last.what.began.saturating_sub(life.ready_at) / 1_000_000_000;
    let trouble = error.as_deref().is_some_and(|it| !it.contains("NXDOMAIN") && !it.contains("no address"));
    let standing = if trouble || asked_after < SETTLES_WITHIN && life.gone.is_some() {
        Standing::unseen(format!("{name} was last asked {asked_after} s after {} was Ready: {answer}", life.name()))
    } else {
        Standing::broken(format!("{name} gives {}", life.addresses.join(", ")), answer)
    };
    Some((standing, vec![life.added.by, last.seq]))
}

fn judge_service_name(timeline: &Timeline, verdict: &mut Verdict, service: &ServiceLife) {
    let name = &service.service.metadata.name;
    let text = format!("Service {name}'s own DNS name gives all pods' addresses");
    let asked: Vec<_> = timeline.lookups_of_service(name).collect();
    let changed = timeline.changed(Part::Template);
    // What did not hold yet of pods of an earlier template says nothing; what did, does.
    let last = asked.iter().rfind(|it| it.seq > changed);
    let wanted: Vec<&Incarnation> = timeline.ordinals().filter_map(|it| timeline.representative(it)).collect();
    // Each life has its own addresses: the answer must hold one of every ordinal that stood then.
    let is_held = |life: &Incarnation, lookup: &Lookup| timeline.is_selected_alike(life) && life.addresses.iter().any(|it| lookup.addresses.contains(it));
    let holds_all = |lookup: &Lookup| wanted.iter().all(|pod| timeline.lane(pod.ordinal).iter().any(|life| is_held(life, lookup)));
    if let Some(right) = asked.iter().find(|it| holds_all(&it.what)) {
        verdict.push("service_name", text, Standing::Met, [right.seq]);
        return;
    }
    let Some(last) = last else {
        verdict.push("service_name", text, timeline.unasked(), []);
        return;
    };
    let standing = if let Some(error) = last.what.error.as_ref().filter(|it| !it.contains("NXDOMAIN") && !it.contains("no address")) {
        Standing::unseen(format!("{} was answered: {error}", last.what.name))
    } else {
        let addresses: Vec<&str> = wanted.iter().flat_map(|it| it.addresses.last()).map(String::as_str).collect();
        Standing::broken(
            format!("{} gives {}", last.what.name, addresses.join(", ")),
            last.what.error.clone().unwrap_or_else(|| last.what.addresses.join(", ")),
        )
    };
    verdict.push("service_name", text, standing, [last.seq]);
}

/// After a replacement that became Ready, the name must give a later life's address: never anything else, and once at least.
fn judge_after_replacement(timeline: &Timeline, verdict: &mut Verdict) {
    let asked = timeline.replacements().into_iter().filter(|(old, new)| timeline.is_back(new) && timeline.lookups_of(old.uid()).next().is_some());
    let judged = asked.map(|(old, new)| (old, new_address(timeline, new))).max_by_key(|(_, (standing, _))| match standing {
        Standing::Broken { .. } => 2,
        Standing::Met => 1,
        _ => 0,
    });
    let Some((old, (standing, cites))) = judged else { return };
    let mistake = shared_mistake(timeline, timeline.lane(old.ordinal));
    verdict.push("new_address", format!("{}'s DNS name gives the new address after the pod was replaced", old.name()), standing, cites).because(mistake);
}

fn new_address(timeline: &Timeline, new: &Incarnation) -> (Standing, Vec<Seq>) {
    let later: Vec<&Incarnation> = timeline.lane(new.ordinal).iter().filter(|it| it.added.by >= new.added.by).collect();
    if let Some(seq) = later.iter().find_map(|life| timeline.right_answer(life)) {
        return (Standing::Met, vec![new.added.by, seq]);
    }
    later.iter().rev().find_map(|life| wrong_answer(timeline, life)).unwrap_or_else(|| (Standing::unseen("the new address was not asked for"), vec![]))
}

#[cfg(test)]
mod tests {
    use crate::model::{
        Outcome::{Fail, Inconclusive, Pass},
        history::History,
        observation::Change,
    };

    fn set_with(change: impl FnOnce(&mut crate::model::object::Service)) -> History {
        History::new().service_with(change).set(Change::Added).subject().up(0).up(1).up(2).inspect().end()
    }

    #[test]
    fn right_answers_pass() {
        History::created().down(1).up(1).inspect_one(1).end().assert("dns_resolution", Pass, &[]);
    }

    #[test]
    fn the_service_must_exist_be_headless_and_select_the_pods() {
        History::new().set(Change::Added).subject().up(0).up(1).up(2).end().assert("dns_resolution", Fail, &["no_service"]);
        set_with(|service| service.metadata.name = "other".to_owned()).assert("dns_resolution", Fail, &["wrong_service_name"]);
        set_with(|service| service.spec.iter_mut().for_each(|it| it.cluster_ip = "10.96.1.1".to_owned())).assert(
            "dns_resolution",
            Fail,
            &["service_not_headless"],
        );
        set_with(|service| service.spec.iter_mut().for_each(|it| it.selector.clear())).assert("dns_resolution", Fail, &["selector_mismatch"]);
    }

    #[test]
    fn an_answer_for_the_old_address_is_not_yet_and_a_later_life_proves_the_name() {
        let stale = History::created().down(1).up(1).lookup_with(1, |it| it.addresses = vec!["10.88.1.11".to_owned()]);
        stale.clone().down(1).end().assert("dns_resolution", Inconclusive, &[]);
        stale.down(1).up(1).lookup(1).end().assert("dns_resolution", Pass, &[]);
    }

    #[test]
    fn a_name_that_another_pod_has_too_fails() {
        let answered = |addresses: [&str; 2]| {
            let up = History::new().service().set(Change::Added).subject().up(0).up(1).up(2).lookup(0).lookup(2);
            let address = up.timeline().live(1).map(|it| it.pod.status.pod_ip.clone()).unwrap_or_default();
            let asked = up.lookup_with(1, |it| {
                it.addresses = addresses.map(|it| it.replace("OWN", &address)).to_vec();
                it.began += 60_000_000_000;
            });
            asked.end()
        };
        answered(["10.88.9.9", "OWN"]).assert("dns_resolution", Fail, &["name_of_two_pods"]);
        // Two wrong ones are nobody's sharing.
        answered(["10.88.9.9", "10.88.9.8"]).assert("dns_resolution", Fail, &[]);
    }

    #[test]
    fn a_name_that_never_resolves_fails() {
        let mut history = History::new().service().set(Change::Added).subject().up(0).up(1).up(2).lookup(0).lookup(2);
        history = history.lookup_with(1, |it| {
            it.error = Some("NXDOMAIN".to_owned());
            it.began += 60_000_000_000;
        });
        history.end().assert("dns_resolution", Fail, &[]);
    }

    #[test]
    fn a_server_that_does_not_answer_is_the_clusters_trouble() {
        let history = History::new().service().set(Change::Added).subject().up(0).up(1).up(2);
        let asked = [0, 1, 2].into_iter().fold(history, |history, ordinal| history.lookup_with(ordinal, |it| it.error = Some("timed out".to_owned())));
        asked.end().assert("dns_resolution", Inconclusive, &[]);
    }

    #[test]
    fn every_label_of_the_selector_must_match() {
        let half = |service: &mut crate::model::object::Service| {
            service.spec.iter_mut().for_each(|it| {
                it.selector.insert("tier".to_owned(), "front".to_owned());
            });
        };
        set_with(half).assert("dns_resolution", Fail, &["selector_mismatch"]);
    }

    #[test]
    fn the_service_s_own_name_must_give_all_addresses() {
        let asked = |with: &dyn Fn(&mut super::Lookup)| {
            let mut history = History::created();
            for line in &mut history.lines {
                if let crate::model::What::Lookup(lookup) = &mut line.what
                    && lookup.of.is_none()
                {
                    with(lookup);
                }
            }
            history.end()
        };
        let error = |words: &'static str| {
            move |it: &mut super::Lookup| {
                it.addresses.clear();
                it.error = Some(words.to_owned());
            }
        };
        asked(&|it| it.addresses.truncate(1)).assert("dns_resolution", Fail, &[]);
        asked(&|it| it.addresses.push("10.99.0.1".to_owned())).assert("dns_resolution", Pass, &[]);
        asked(&error("NXDOMAIN")).assert("dns_resolution", Fail, &[]);
        asked(&error("no address")).assert("dns_resolution", Fail, &[]);
        asked(&error("timed out")).assert("dns_resolution", Inconclusive, &[]);
    }

    #[test]
    fn an_old_address_is_not_yet_only_for_so_long() {
        let asked = |seconds: u64| {
            let stale = History::created().down(1).up(1).lookup_with(1, |it| {
                it.addresses = vec!["10.88.1.11".to_owned()];
                it.began += (seconds - 1) * 1_000_000_000;
            });
            stale.down(1).end()
        };
        asked(34).assert("dns_resolution", Inconclusive, &[]);
        asked(35).assert("dns_resolution", Fail, &[]);
    }
}
