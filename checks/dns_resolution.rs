//! Each pod has a stable DNS name.

use crate::mistakes::{self, Mistake};
use crate::{
    Check,
    model::{
        Part, PodLife, Recorded, Seq, ServiceLife, SetLife, Standing, Timeline, Verdict,
        observation::Lookup, verdict::Advice,
    },
};

pub(crate) const CHECK: Check = Check {
    id: "dns_resolution",
    test: 5,
    title: "DNS Resolution",
    asked: "Each pod has a stable DNS name that resolves to its IP. Headless Service: choose your \
        own name.",
    why: "Members of a system find each other by names that outlive the pods' addresses.",
    remedy: "Make a headless Service (`clusterIP: None`) that selects the pods, and name it in \
        `spec.serviceName`.",
    points: 10,
    criteria: &["governing_service", "selector", "pod_name", "service_name", "new_address"],
    judge,
};

/// What to do where a name was asked, or the record ended, too early.
const LONGER: &str =
    "Grade again, and let the grade end by itself: without `--timeout`, or with a longer one.";

/// Passes when the set's headless Service selects its pods and the cluster's DNS gives each pod's
/// address, also after a replacement.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    if timeline.set().is_none() {
        verdict.push(
            "governing_service",
            "a headless Service governs the set",
            timeline.missing("apply a headless Service and a StatefulSet"),
            [],
        );
        return verdict;
    }
    let Some(service) = governing_service(timeline, &mut verdict) else { return verdict };
    let name = &service.service.metadata.name;
    for ordinal in timeline.ordinals() {
        judge_name(timeline, &mut verdict, name, ordinal);
    }
    judge_service_name(timeline, &mut verdict, service);
    judge_after_replacement(timeline, &mut verdict, name);
    verdict
}

/// The Service that `serviceName` names, where it is headless and selects the pods.
fn governing_service<'t>(timeline: &'t Timeline, verdict: &mut Verdict) -> Option<&'t ServiceLife> {
    let set = timeline.set()?;
    let text = "serviceName names an existing headless Service";
    let named = timeline.governing_service();
    let Some(service) = named.filter(|it| it.is_headless()) else {
        let advice = name_instead(timeline, set);
        let (standing, mistake) = match named {
            None => no_such_service(timeline, set),
            Some(service) => not_headless(service, advice.is_some()),
        };
        let cites = named.map(|it| it.added.by).into_iter().chain([set.changed.by]);
        verdict.push("governing_service", text, standing, cites).because(mistake).advise(advice);
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
        actual += &format!(", but {}", headless.join(", "));
        &mistakes::WRONG_SERVICE_NAME
    };
    (Standing::broken("a headless Service by the name in spec.serviceName", actual), mistake)
}

/// The named Service has a cluster IP. `has_another`: a headless Service that selects the pods
/// stands beside it.
fn not_headless(service: &ServiceLife, has_another: bool) -> (Standing, &'static Mistake) {
    let name = &service.service.metadata.name;
    let actual = format!("Service {name} has the cluster IP {}", service.spec().cluster_ip);
    if has_another {
        let actual = format!("{actual}, and the headless Service that selects the pods is another");
        let expected = "a headless Service by the name in spec.serviceName";
        return (Standing::broken(expected, actual), &mistakes::WRONG_SERVICE_NAME);
    }
    let actual = format!(
        "{actual} (its pods' names resolve all the same, but constraint 3.2 asks for a headless \
        one)"
    );
    (Standing::broken("clusterIP: None", actual), &mistakes::SERVICE_NOT_HEADLESS)
}

/// Whether a Service selects the pods that the set's template describes.
fn selects(service: &ServiceLife, set: &SetLife) -> bool {
    service.spec().selects(&set.spec.template.metadata.labels)
}

/// What to do where another Service stands that would do as it is.
fn name_instead(timeline: &Timeline, set: &SetLife) -> Option<Advice> {
    let named = &set.spec.service_name;
    let mut fitting = timeline
        .services()
        .filter(|it| it.is_headless() && it.service.metadata.name != *named && selects(it, set));
    let name = &fitting.next()?.service.metadata.name;
    let remedy = format!(
        "Write `serviceName: {name}`: this Service is headless and selects the pods. The field cannot be changed in place: delete the \
         StatefulSet (its claims stay) and apply it again."
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
        verdict.push("pod_name", text, timeline.missing("wait until all pods are Ready"), []);
        return;
    }
    // Any life's right answer shows that the name works; what was asked too early says nothing.
    if let Some(seq) = lives.iter().find_map(|life| timeline.right_answer(life)) {
        verdict.push("pod_name", text, Standing::Met, [seq]);
        return;
    }
    let answered = wrong_answer(timeline, service, lives);
    let (standing, cites, mistake) =
        answered.unwrap_or_else(|| (timeline.standing_unasked(), vec![], None));
    verdict.push("pod_name", text, standing, cites).because(mistake);
}

/// What the answers about a pod's name, none of which is right, say: how it stands, by which lines,
/// and the mistake.
fn wrong_answer(
    timeline: &Timeline,
    service: &str,
    lives: &[PodLife],
) -> Option<(Standing, Vec<Seq>, Option<&'static Mistake>)> {
    let last = lives.last()?;
    if let Some(other) = timeline.namesake(service, last.name()) {
        let actual = format!(
            "the EndpointSlices of Service {service} give pod {} ({}) this name, too",
            other.pod,
            other.addresses.join(", ")
        );
        let expected = format!("only {} has this name", last.name());
        return Some((
            Standing::broken(expected, actual),
            vec![last.added.by, other.seq],
            Some(&mistakes::NAME_OF_TWO_PODS),
        ));
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
        return Some((standing, vec![life.added.by, it.seq], shared_mistake(&it.what, lives)));
    }
    let (life, it) = asked().next()?;
    Some((too_early(timeline, life, it), vec![life.added.by, it.seq], None))
}

/// Why an answer that is not right does not count.
fn too_early(timeline: &Timeline, life: &PodLife, asked: &Recorded<Lookup>) -> Standing {
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
            repeat an older answer for 35 s",
            life.name()
        ),
        LONGER,
    )
}

/// Whether the server did not really answer, or the tool did not really ask.
fn is_trouble(lookup: &Lookup) -> bool {
    lookup.error.as_deref().is_some_and(|it| !it.contains("NXDOMAIN") && !it.contains("no address"))
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

/// Why a name gave an address of its own pod and another that was never one of that, as a mistake.
fn shared_mistake(lookup: &Lookup, lives: &[PodLife]) -> Option<&'static Mistake> {
    let is_own = |address: &String| lives.iter().any(|life| life.addresses.contains(address));
    let given = &lookup.addresses;
    (given.iter().any(is_own) && !given.iter().all(is_own)).then_some(&mistakes::NAME_OF_TWO_PODS)
}

fn judge_service_name(timeline: &Timeline, verdict: &mut Verdict, service: &ServiceLife) {
    let name = &service.service.metadata.name;
    let text = format!("Service {name}'s own DNS name gives all pods' addresses");
    let asked: Vec<&Recorded<Lookup>> = timeline.lookups_of_service(name).collect();
    // What did not hold yet of pods of an earlier template says nothing; what did, does.
    let changed = timeline.changed(Part::Template);
    // Each life has its own addresses: the answer must hold one of every ordinal that stood then.
    let lanes: Vec<&[PodLife]> = timeline.ordinals().map(|it| timeline.lane(it)).collect();
    let given = |lookup: &Lookup, life: &PodLife| {
        life.addresses.iter().any(|it| lookup.addresses.contains(it))
    };
    let shows = |lookup: &Lookup, life: &PodLife| {
        given(lookup, life) && timeline.is_selected_alike(life) && timeline.agrees(name, life)
    };
    let lacks = |lookup: &Lookup, lane: &[PodLife]| !lane.iter().any(|life| shows(lookup, life));
    if let Some(right) = asked.iter().find(|it| lanes.iter().all(|lane| !lacks(&it.what, lane))) {
        verdict.push("service_name", text, Standing::Met, [right.seq]);
        return;
    }
    let Some(last) = asked.iter().rfind(|it| it.seq > changed) else {
        verdict.push("service_name", text, timeline.standing_unasked(), []);
        return;
    };
    let due = |it: &Recorded<Lookup>, lane: &[PodLife]| {
        lacks(&it.what, lane) && lane.iter().any(|life| timeline.had_its_time(it, life))
    };
    let later = asked.iter().rev().filter(|it| it.seq > changed && !is_trouble(&it.what));
    let wrong = later.into_iter().find(|it| lanes.iter().any(|lane| due(it, lane)));
    let (standing, seq) = match wrong {
        Some(it) => {
            let wanted: Vec<&str> = lanes
                .iter()
                .filter_map(|lane| lane.last()?.addresses.last())
                .map(String::as_str)
                .collect();
            (
                Standing::broken(
                    format!("{} gives {}", it.what.name, wanted.join(", ")),
                    answer(&it.what),
                ),
                it.seq,
            )
        }
        None if is_trouble(&last.what) => (Standing::unseen(answer(&last.what)), last.seq),
        None => {
            let why = format!(
                "{}, less than 35 s after the Service's EndpointSlices carried every pod",
                answer(&last.what)
            );
            (Standing::unseen_with(why, LONGER), last.seq)
        }
    };
    verdict.push("service_name", text, standing, [seq]);
}

/// After a replacement that became Ready, the name must give a later life's address: never anything
/// else, and once at least.
fn judge_after_replacement(timeline: &Timeline, verdict: &mut Verdict, service: &str) {
    let asked = timeline.replacements().into_iter().filter(|(old, new)| {
        timeline.is_back(new) && timeline.lookups_of(old.uid()).next().is_some()
    });
    let judged = asked.map(|(old, new)| (old, new_address(timeline, service, new))).max_by_key(
        |(_, (standing, ..))| match standing {
            Standing::Broken { .. } => 2,
            Standing::Met => 1,
            _ => 0,
        },
    );
    let Some((old, (standing, cites, mistake))) = judged else { return };
    verdict
        .push(
            "new_address",
            format!("{}'s DNS name gives the new address after the pod was replaced", old.name()),
            standing,
            cites,
        )
        .because(mistake);
}

fn new_address(
    timeline: &Timeline,
    service: &str,
    new: &PodLife,
) -> (Standing, Vec<Seq>, Option<&'static Mistake>) {
    let lane = timeline.lane(new.ordinal);
    let later =
        lane.iter().position(|it| it.uid() == new.uid()).map_or(lane, |place| &lane[place..]);
    if let Some(seq) = later.iter().find_map(|life| timeline.right_answer(life)) {
        return (Standing::Met, vec![new.added.by, seq], None);
    }
    let unasked =
        || (Standing::unseen_with("the new address was not asked for", LONGER), vec![], None);
    wrong_answer(timeline, service, later).unwrap_or_else(unasked)
}

#[cfg(test)]
mod tests;
