//! Each pod has a stable DNS name.

mod service_name;

use crate::dns_resolution::service_name::judge_service_name;
use crate::mistakes::{self, Mistake};
use crate::{
    Check,
    mistakes::Section,
    model::{
        PodLife, Recorded, Seq, ServiceLife, SetLife, ShownBy, Standing, Timeline, Verdict,
        evidence::dns_evidence::DNS_FOLLOWS_WITHIN_SECONDS,
        observation::{Lookup, LookupError},
        verdict::Advice,
    },
};

pub(crate) const CHECK: Check = Check {
    id: "dns_resolution",
    test: 5,
    title: "DNS Resolution",
    lab_words: "Each pod has a stable DNS name that resolves to its IP. Headless Service: choose \
        your own name.",
    why: "Members of a system find each other by names that outlive the pods' addresses.",
    remedy: "Make a headless Service (`clusterIP: None`) that selects the pods, and name it in \
        `spec.serviceName`.",
    read: &[Section::HeadlessService, Section::DnsIdentity],
    points: 10,
    criteria: &["governing_service", "selector", "pod_name", "service_name", "new_address"],
    shown_by: ShownBy::ReadyPods,
    judge,
};

/// What to do where a name was asked, or the recording ended, too early.
const LONGER: &str =
    "Grade again, and let the grade end by itself: without `--timeout`, or with a longer one.";

/// Passes when the set's headless Service selects its pods and the cluster's DNS gives each pod's
/// address, also after a replacement, and by the Service's own name those of all pods.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    if timeline.set().is_none() {
        verdict.push(
            "governing_service",
            "a headless Service governs the set",
            timeline.blocked_or_not_shown("apply a headless Service and a StatefulSet"),
            [],
        );
        return verdict;
    }
    let Some(service) = judge_governing_service(timeline, &mut verdict) else { return verdict };
    let name = &service.service.metadata.name;
    for ordinal in timeline.ordinals() {
        judge_name(timeline, &mut verdict, name, ordinal);
    }
    judge_service_name(timeline, &mut verdict, service);
    judge_after_replacement(timeline, &mut verdict, name);
    verdict
}

/// The Service that `serviceName` names, where it is headless and selects the pods.
fn judge_governing_service<'t>(
    timeline: &'t Timeline,
    verdict: &mut Verdict,
) -> Option<&'t ServiceLife> {
    let set = timeline.set()?;
    let text = "serviceName names an existing headless Service";
    let named = timeline.governing_service();
    let Some(service) = named.filter(|it| it.is_headless()) else {
        let advice = name_instead(timeline, set);
        let (standing, mistake) = match named {
            None => no_such_service(timeline, set),
            Some(service) => not_headless(service, advice.is_some()),
        };
        let advice = advice.or_else(|| named.filter(|it| it.is_alias()).map(no_alias));
        let evidence = named.map(|it| it.added.by).into_iter().chain([set.changed.by]);
        verdict.push("governing_service", text, standing, evidence).because(mistake).advise(advice);
        return None;
    };
    let wanted = &set.spec.service_name;
    verdict.push("governing_service", text, Standing::Met, [service.added.by, set.changed.by]);
    let selector = &service.spec().selector;
    let labels = &set.spec.template.metadata.labels;
    let text = format!("the selector of Service {wanted} matches the pods");
    if !selects(service, set) {
        let advice = name_instead(timeline, set).or_else(|| select_instead(service, set));
        verdict
            .push(
                "selector",
                text,
                Standing::broken(pairs(labels), pairs(selector)),
                [service.added.by],
            )
            .because(&mistakes::SELECTOR_MISMATCH)
            .advise(advice);
        return None;
    }
    verdict.push("selector", text, Standing::Met, [service.added.by]);
    Some(service)
}

/// No Service has the name in `serviceName`.
fn no_such_service(timeline: &Timeline, set: &SetLife) -> (Standing, &'static Mistake) {
    let wanted = &set.spec.service_name;
    let mut actual = if wanted.is_empty() {
        "serviceName is empty".to_owned()
    } else {
        format!("there is no Service {wanted:?}")
    };
    let services = timeline.services().filter(|it| it.is_headless());
    let headless: Vec<&str> = services.map(|it| it.service.metadata.name.as_str()).collect();
    let mistake = if headless.is_empty() {
        &mistakes::NO_SERVICE
    } else {
        let verb = if headless.len() == 1 { "Service is" } else { "Services are" };
        actual += &format!("; the headless {verb} {}", headless.join(", "));
        &mistakes::WRONG_SERVICE_NAME
    };
    (Standing::broken("a headless Service by the name in spec.serviceName", actual), mistake)
}

/// The named Service has a cluster IP, or is an alias. `has_another`: a headless Service that
/// selects the pods stands beside it.
fn not_headless(service: &ServiceLife, has_another: bool) -> (Standing, &'static Mistake) {
    let name = &service.service.metadata.name;
    let actual = if service.is_alias() {
        format!("Service {name} is of type ExternalName: its name is an alias")
    } else {
        format!("Service {name} has the cluster IP {}", service.spec().cluster_ip)
    };
    if has_another {
        let actual = format!("{actual}, and the headless Service that selects the pods is another");
        let expected = "a headless Service by the name in spec.serviceName";
        return (Standing::broken(expected, actual), &mistakes::WRONG_SERVICE_NAME);
    }
    let actual = if service.is_alias() {
        format!("{actual}, and it has no endpoints, so the pods get no DNS names")
    } else {
        format!(
            "{actual} (its pods' names resolve all the same, but constraint 3.2 asks for a \
            headless one)"
        )
    };
    (Standing::broken("clusterIP: None", actual), &mistakes::SERVICE_NOT_HEADLESS)
}

/// Whether a Service selects the pods that the set's template describes.
fn selects(service: &ServiceLife, set: &SetLife) -> bool {
    service.spec().selects(&set.spec.template.metadata.labels)
}

/// What to do where the Service that should have the pods as endpoints can have none (Kubernetes,
/// "Service", "type: ExternalName").
fn no_alias(service: &ServiceLife) -> Advice {
    let name = &service.service.metadata.name;
    let spec = |line| format!("kind: Service\nmetadata:\n  name: {name}\nspec:\n  {line}");
    Advice {
        remedy:
            "Take out `type: ExternalName`, and set `clusterIP: None`. Delete the Service, and \
            apply it again."
                .to_owned(),
        before: spec("type: ExternalName"),
        after: spec("clusterIP: None"),
    }
}

/// What to do where another Service stands that would do as it is.
fn name_instead(timeline: &Timeline, set: &SetLife) -> Option<Advice> {
    let named = &set.spec.service_name;
    let mut fitting = timeline
        .services()
        .filter(|it| it.is_headless() && it.service.metadata.name != *named && selects(it, set));
    let name = &fitting.next()?.service.metadata.name;
    let remedy = format!(
        "Write `serviceName: {name}`: this Service is headless and selects the pods. The field \
        cannot be changed in place: delete the StatefulSet and apply it again."
    );
    let before = if named.is_empty() {
        "spec:                    # no serviceName".to_owned()
    } else {
        format!("spec:\n  serviceName: {named}")
    };
    Some(Advice { remedy, before, after: format!("spec:\n  serviceName: {name}") })
}

/// What to do where the Service's selector is not the pods' labels.
fn select_instead(service: &ServiceLife, set: &SetLife) -> Option<Advice> {
    let (name, labels) = (&service.service.metadata.name, &set.spec.template.metadata.labels);
    if labels.is_empty() {
        return None;
    }
    let lines = |labels: &std::collections::BTreeMap<String, String>| -> String {
        labels.iter().map(|(key, value)| format!("\n    {key}: {value}")).collect()
    };
    let spec = |labels| {
        format!("kind: Service\nmetadata:\n  name: {name}\nspec:\n  selector:{}", lines(labels))
    };
    let remedy = format!(
        "Give the selector of Service {name} labels of the set's template: {}.",
        pairs(labels)
    );
    Some(Advice { remedy, before: spec(&service.spec().selector), after: spec(labels) })
}

fn pairs(labels: &std::collections::BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return "no labels".to_owned();
    }
    labels.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
}

fn judge_name(timeline: &Timeline, verdict: &mut Verdict, service: &str, ordinal: i32) {
    let name = timeline.pod_name(ordinal);
    let text = format!("{name}'s DNS name gives its address");
    let lives = timeline.lane(ordinal);
    if !lives.iter().any(|it| it.ready.is_some()) {
        verdict.push(
            "pod_name",
            text,
            timeline.blocked_or_not_shown("wait until all pods are Ready"),
            [],
        );
        return;
    }
    // Any life's right answer shows that the name works; what was asked too early says nothing.
    if let Some(seq) = lives.iter().find_map(|life| timeline.right_answer(life)) {
        verdict.push("pod_name", text, Standing::Met, [seq]);
        return;
    }
    let answered = wrong_answer(timeline, service, lives);
    let found = answered.unwrap_or_else(|| Finding::of(timeline.standing_unanswered(), vec![]));
    verdict.push("pod_name", text, found.standing, found.evidence).because(found.mistake);
}

/// How a pod's name stands, and what shows that.
struct Finding {
    standing: Standing,
    evidence: Vec<Seq>,
    mistake: Option<&'static Mistake>,
}

impl Finding {
    const fn of(standing: Standing, evidence: Vec<Seq>) -> Self {
        Self { standing, evidence, mistake: None }
    }

    /// Which of several findings decides: a wrong answer, then a right one, then none at all.
    const fn weight(&self) -> u8 {
        match self.standing {
            Standing::Broken { .. } => 2,
            Standing::Met => 1,
            _ => 0,
        }
    }
}

/// What the answers about a pod's name say, none of which is right.
fn wrong_answer(timeline: &Timeline, service: &str, lives: &[PodLife]) -> Option<Finding> {
    let last = lives.last()?;
    if let Some(other) = timeline.namesake(service, last.name()) {
        let actual = format!(
            "the EndpointSlices of Service {service} give pod {} ({}) this name, too",
            other.pod,
            other.addresses.join(", ")
        );
        let expected = format!("only {} has this name", last.name());
        return Some(Finding {
            standing: Standing::broken(expected, actual),
            evidence: vec![last.added.by, other.seq],
            mistake: Some(&mistakes::NAME_OF_TWO_PODS),
        });
    }
    let asked = || {
        lives
            .iter()
            .rev()
            .flat_map(|life| timeline.lookups_of(life.uid()).rev().map(move |it| (life, it)))
    };
    let counts = |(life, it): &(&PodLife, &Recorded<Lookup>)| {
        !is_trouble(&it.what) && timeline.had_its_time(it, life) && !is_own(&it.what, life)
    };
    if let Some((life, it)) = asked().find(counts) {
        let standing = Standing::broken(
            format!("{} gives {}", it.what.name, life.addresses.join(", ")),
            answer(&it.what),
        );
        let mistake = name_of_two_pods(&it.what, lives);
        return Some(Finding { standing, evidence: vec![life.added.by, it.seq], mistake });
    }
    let (life, it) = asked().next()?;
    Some(Finding::of(why_not_counted(timeline, life, it), vec![life.added.by, it.seq]))
}

/// Why an answer that is not right does not count.
fn why_not_counted(timeline: &Timeline, life: &PodLife, asked: &Recorded<Lookup>) -> Standing {
    let said = answer(&asked.what);
    if is_trouble(&asked.what) {
        return Standing::unseen(said);
    }
    let Some(seconds) = timeline.carried_for(asked, life) else {
        return Standing::unseen_with(
            format!("{said}, but the Service's EndpointSlices did not carry {} then", life.name()),
            LONGER,
        );
    };
    if is_own(&asked.what, life) {
        return Standing::unseen(format!("{said}, though another pod has this name, too"));
    }
    Standing::unseen_with(
        format!(
            "{said}, {seconds} s after the Service's EndpointSlices carried {}: DNS servers may \
            repeat an older answer for {DNS_FOLLOWS_WITHIN_SECONDS} s",
            life.name()
        ),
        LONGER,
    )
}

/// Whether the server did not really answer, or the tool did not really ask.
fn is_trouble(lookup: &Lookup) -> bool {
    lookup.failure() == Some(LookupError::Trouble)
}

/// Whether all of the answer belongs to this pod.
fn is_own(lookup: &Lookup, life: &PodLife) -> bool {
    !lookup.addresses.is_empty() && lookup.addresses.iter().all(|it| life.addresses.contains(it))
}

/// The answer, in words.
fn answer(lookup: &Lookup) -> String {
    match &lookup.error {
        Some(error) => format!("{} was answered: {error}", lookup.name),
        None if lookup.addresses.is_empty() => format!("{} gives no address", lookup.name),
        None => format!("{} gives {}", lookup.name, lookup.addresses.join(", ")),
    }
}

/// The mistake, where a pod's name gave an address of this pod and one that was never this pod's.
fn name_of_two_pods(lookup: &Lookup, lives: &[PodLife]) -> Option<&'static Mistake> {
    let is_own = |address: &String| lives.iter().any(|life| life.addresses.contains(address));
    let given = &lookup.addresses;
    (given.iter().any(is_own) && !given.iter().all(is_own)).then_some(&mistakes::NAME_OF_TWO_PODS)
}

/// After a replacement that became Ready, one answer must give a later life's address. Of several
/// replacements, one whose name was answered wrongly decides.
fn judge_after_replacement(timeline: &Timeline, verdict: &mut Verdict, service: &str) {
    let asked = timeline.replacements().into_iter().filter(|(old, new)| {
        timeline.is_back(new) && timeline.lookups_of(old.uid()).next().is_some()
    });
    let judged = asked
        .map(|(old, new)| (old, new_address(timeline, service, new)))
        .max_by_key(|(_, found)| found.weight());
    let Some((old, found)) = judged else { return };
    let text =
        format!("{}'s DNS name gives the new address after the pod was replaced", old.name());
    verdict.push("new_address", text, found.standing, found.evidence).because(found.mistake);
}

fn new_address(timeline: &Timeline, service: &str, new: &PodLife) -> Finding {
    let lane = timeline.lane(new.ordinal);
    let later =
        lane.iter().position(|it| it.uid() == new.uid()).map_or(lane, |place| &lane[place..]);
    if let Some(seq) = later.iter().find_map(|life| timeline.right_answer(life)) {
        return Finding::of(Standing::Met, vec![new.added.by, seq]);
    }
    wrong_answer(timeline, service, later).unwrap_or_else(|| {
        Finding::of(Standing::unseen_with("the new address was not asked for", LONGER), vec![])
    })
}

#[cfg(test)]
mod tests;
