//! What the template does not ask for: admission webhooks, a LimitRange and other parts of the API
//! server change pods when they are created.
//!
//! A row that blames the submission is right only about what stands in its template.

use crate::model::{
    diagnosis::{
        Match,
        facts::OrdinalFacts,
        first_that_blames_the_submission,
        recognise::{
            images::waits_for_image,
            refusals::violations_by_choice,
            scheduling::{Chosen, chosen_reasons},
        },
    },
    observation::object::PodSpec,
};

/// A container that the cluster added to the pod does not start, or does not stay up.
pub(crate) fn container_added(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let template = &facts.timeline.set()?.spec.template.spec;
    facts.pod.filter(|pod| facts.timeline.is_current(pod))?;
    // Few pods have one: the other rows are not asked twice for nothing.
    facts.statuses().find(|it| !has_container(template, &it.name))?;
    let found = first_that_blames_the_submission(facts)?;
    let name = &found.container.as_ref().filter(|it| !has_container(template, &it.name))?.name;
    let why = format!("{}: {}", not_in_template(name), found.why);
    Some(Match { why, ..found })
}

/// The pod is kept from coming up by what the cluster changed in it.
pub(crate) fn changed_by_cluster(facts: &OrdinalFacts<'_>) -> Option<Match> {
    let template = &facts.timeline.set()?.spec.template.spec;
    let what = match facts.pod {
        Some(pod) if facts.timeline.is_current(pod) => rewritten_image(facts, template, pod.spec())
            .or_else(|| given_placement(facts, template)),
        Some(_) => None,
        None => refused_container(facts, template),
    }?;
    let found = first_that_blames_the_submission(facts)?;
    let why = format!("{what}: {}", found.why);
    Some(Match { why, container: None, ..found })
}

fn has_container(template: &PodSpec, name: &str) -> bool {
    template.all_containers().any(|it| it.name == name)
}

fn not_in_template(container: &str) -> String {
    format!("container {container} is not in the template")
}

fn rewritten_image(facts: &OrdinalFacts<'_>, template: &PodSpec, pod: &PodSpec) -> Option<String> {
    let name = &waits_for_image(facts)?.name;
    let given = pod.all_containers().find(|it| it.name == *name)?;
    let Some(asked) = template.all_containers().find(|it| it.name == *name) else {
        return Some(not_in_template(name));
    };
    (given.image != asked.image).then(|| {
        format!("the template asks for image {}, the pod has {}", asked.image, given.image)
    })
}

/// A node selector, a rule or a request that only the pod has.
fn given_placement(facts: &OrdinalFacts<'_>, template: &PodSpec) -> Option<String> {
    let is_asked = |reason: &Chosen<'_>| match reason {
        Chosen::Rule => {
            !template.node_selector.is_empty()
                || template.affinity.is_some()
                || !template.topology_spread_constraints.is_empty()
        }
        Chosen::Size(resource) => template.all_containers().any(|it| {
            it.resources.requests.contains_key(*resource)
                || it.resources.limits.contains_key(*resource)
        }),
    };
    let chosen = chosen_reasons(facts.unschedulable()?);
    let is_given = !chosen.is_empty() && !chosen.iter().any(is_asked);
    is_given.then(|| "the template does not ask for that".to_owned())
}

/// A container that the words of a refusal name, where they name none of the template's.
fn refused_container(facts: &OrdinalFacts<'_>, template: &PodSpec) -> Option<String> {
    let (message, _) = facts.failed_create()?;
    let mut named = vec![];
    for violation in violations_by_choice(message)? {
        if let Some((_, who)) = violation.split_once("(container") {
            let who = who.split_once(" must not ").map_or(who, |(who, _)| who);
            // The names stand in quotes.
            named.extend(who.split('"').skip(1).step_by(2));
        }
    }
    let is_foreign = !named.iter().any(|it| has_container(template, it));
    named.first().filter(|_| is_foreign).map(|it| not_in_template(it))
}
