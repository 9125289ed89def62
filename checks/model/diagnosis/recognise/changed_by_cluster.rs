//! What the template does not ask for: admission webhooks, a LimitRange and other parts of the API
//! server change pods when they are created.
//!
//! A row that blames the submission is right only about what stands in its template.

use crate::model::{
    diagnosis::{
        Match, blames_the_submission,
        facts::OrdinalFacts,
        recognise::{
            images::waits_for_image,
            scheduling::{Chosen, chosen_reasons},
        },
    },
    observation::object::PodSpec,
};

/// A container that the cluster added to the pod does not start, or does not stay up.
pub(crate) fn container_added(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let found = blames_the_submission(facts)?;
    facts.pod.filter(|pod| facts.timeline.is_current(pod))?;
    let name = found.container.as_deref()?;
    let is_added = !has_container(&facts.timeline.set()?.spec.template.spec, name);
    let why = format!("container {name} is not in the template: {}", found.why);
    is_added.then_some(Match { why, ..found })
}

/// The pod is kept from coming up by what the cluster changed in it.
pub(crate) fn changed_by_cluster(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let template = &facts.timeline.set()?.spec.template.spec;
    let found = blames_the_submission(facts)?;
    let what = match facts.pod {
        Some(pod) if facts.timeline.is_current(pod) => rewritten_image(facts, template, pod.spec())
            .or_else(|| given_placement(facts, template)),
        Some(_) => None,
        None => refused_container(facts, template),
    }?;
    let why = format!("{what}: {}", found.why);
    Some(Match { why, container: None, exit_code: None, may_fail_a_probe: false, ..found })
}

fn has_container(template: &PodSpec, name: &str) -> bool {
    template.all_containers().any(|it| it.name == name)
}

fn rewritten_image(facts: &OrdinalFacts<'_>, template: &PodSpec, pod: &PodSpec) -> Option<String> {
    let name = &waits_for_image(facts)?.name;
    let given = pod.all_containers().find(|it| it.name == *name)?;
    let Some(asked) = template.all_containers().find(|it| it.name == *name) else {
        return Some(format!("container {name} is not in the template"));
    };
    (given.image != asked.image).then(|| {
        format!("the template asks for image {}, the pod has {}", asked.image, given.image)
    })
}

/// A node selector, a rule or a request that only the pod has.
fn given_placement(facts: &OrdinalFacts<'_>, template: &PodSpec) -> Option<String> {
    let mut chosen = chosen_reasons(facts.unschedulable()?).into_iter().peekable();
    chosen.peek()?;
    let is_asked = |reason: Chosen<'_>| match reason {
        Chosen::Rule => {
            !template.node_selector.is_empty()
                || template.affinity.is_some()
                || !template.topology_spread_constraints.is_empty()
        }
        Chosen::Size(resource) => template.all_containers().any(|it| {
            it.resources.requests.contains_key(resource)
                || it.resources.limits.contains_key(resource)
        }),
    };
    let is_none_asked = !chosen.any(is_asked);
    is_none_asked.then(|| "the template does not ask for that".to_owned())
}

/// A container that the words of a refusal name, and none of the template's.
fn refused_container(facts: &OrdinalFacts<'_>, template: &PodSpec) -> Option<String> {
    let (message, _) = facts.failed_create()?;
    let (_, violations) = message.split_once("violates PodSecurity")?;
    let (_, details) = violations.split_once("\": ")?;
    let named: Vec<&str> = details
        .split("), ")
        .filter(|it| !it.contains("must set ") || it.contains("must not "))
        .filter_map(|it| it.split_once("(container"))
        .flat_map(|(_, it)| {
            let who = it.split_once(" must not ").map_or(it, |(who, _)| who);
            who.split('"').skip(1).step_by(2)
        })
        .collect();
    let is_foreign = |name: &&&str| !has_container(template, name);
    let foreign = named.iter().find(is_foreign)?;
    (named.iter().all(|name| is_foreign(&name)))
        .then(|| format!("container {foreign} is not in the template"))
}
