//! Which StatefulSet is graded, and what stands in the namespace instead of one.

use checks::model::{
    Timeline,
    observation::{Reference, Subject},
};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::cluster::{
    Cluster, Failure,
    client::page::{first_page, next_page},
    grade::permissions::Allowed,
};
use crate::console::{sanitize::sanitize, suggest::there_are};
use crate::submission::Submission;

/// The most objects that are named where there is no StatefulSet.
const MAX_OTHERS: usize = 20;
/// The failure's id where several sets could be meant.
const SEVERAL_SETS: &str = "several_statefulsets";

/// Which StatefulSet is graded: the one that is named, else the only one.
///
/// # Errors
/// Several stand, or the named one does not.
pub(crate) async fn subject(
    cluster: &Cluster,
    allowed: &Allowed,
    first_lists: FirstLists,
    named: Option<&str>,
) -> Result<Subject, Failure> {
    let namespace = cluster.namespace.clone();
    let stateful_set = choose(&first_lists.sets, named, &namespace)?.cloned();
    let mut others = vec![];
    if stateful_set.is_none() {
        others = workloads(cluster, allowed).await;
        others.extend(first_lists.unowned_pods.into_iter().map(|name| format!("Pod {name}")));
        others.truncate(MAX_OTHERS);
    }
    Ok(Subject { namespace, stateful_set, others, no_namespace: false })
}

/// Refuses files of several sets, none of which is named, before anything is applied.
///
/// # Errors
/// They hold several, and `named` is none.
pub(crate) fn one_set_or_named(
    submission: &Submission,
    named: Option<&str>,
) -> Result<(), Failure> {
    let names: Vec<&str> = submission.statefulsets().collect();
    if named.is_some() || names.len() < 2 {
        return Ok(());
    }
    let (count, names) = (names.len(), sanitize(&names.join(", ")));
    let failure = Failure::new(
        SEVERAL_SETS,
        format!("what `-f` names holds {count} StatefulSets: {names}"),
        "Name the one to grade with `--statefulset NAME`, or take the others out.",
    );
    Err(failure.because("nothing was applied"))
}

fn choose<'s>(
    sets: &'s [Reference],
    named: Option<&str>,
    namespace: &str,
) -> Result<Option<&'s Reference>, Failure> {
    let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
    match (named, sets) {
        (Some(name), _) => match sets.iter().find(|set| set.name == name) {
            Some(set) => Ok(Some(set)),
            None => Err(no_such_set(name, &names, namespace)),
        },
        (None, []) => Ok(None),
        (None, [only]) => Ok(Some(only)),
        (None, _) => Err(several_sets(&names, namespace)),
    }
}

fn no_such_set(name: &str, names: &[&str], namespace: &str) -> Failure {
    let (shown, namespace) = (sanitize(name), sanitize(namespace));
    let next = if names.is_empty() {
        "Apply it first, or leave `--statefulset` out.".to_owned()
    } else {
        there_are(name, names)
    };
    let what = format!("there is no StatefulSet {shown} in namespace {namespace}");
    Failure::new("no_such_statefulset", what, next)
}

fn several_sets(names: &[&str], namespace: &str) -> Failure {
    let (count, namespace) = (names.len(), sanitize(namespace));
    let names = sanitize(&names.join(", "));
    Failure::new(
        SEVERAL_SETS,
        format!("namespace {namespace} holds {count} StatefulSets: {names}"),
        "Name the one to grade with `--statefulset NAME`, or delete what is left over from the \
        lab's other sections.",
    )
}

/// What the first lists showed of the namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirstLists {
    sets: Vec<Reference>,
    /// Pods that nobody manages.
    unowned_pods: Vec<String>,
}

impl FirstLists {
    /// Adds sets that were applied and that no watch has shown yet.
    pub(crate) fn add<'s>(&mut self, applied: impl Iterator<Item = &'s Reference>) {
        for set in applied {
            if self.sets.iter().all(|it| it.name != set.name) {
                self.sets.push(set.clone());
            }
        }
    }

    pub(crate) fn of(timeline: &Timeline) -> Self {
        let unmanaged =
            timeline.unowned_pods().filter(|pod| pod.pod.metadata.owner_references.is_empty());
        Self {
            sets: timeline
                .sets()
                .map(|it| Reference { name: it.name.clone(), uid: it.uid.clone() })
                .collect(),
            unowned_pods: unmanaged.map(|pod| pod.name().to_owned()).collect(),
        }
    }
}

/// What stands there instead of a StatefulSet, as far as it may be listed.
async fn workloads(cluster: &Cluster, allowed: &Allowed) -> Vec<String> {
    let mut found = vec![];
    if allowed.may_list("apps", "deployments") {
        found.extend(unowned::<Deployment>(cluster, "Deployment").await);
    }
    if allowed.may_list("apps", "replicasets") {
        found.extend(unowned::<ReplicaSet>(cluster, "ReplicaSet").await);
    }
    if allowed.may_list("apps", "daemonsets") {
        found.extend(unowned::<DaemonSet>(cluster, "DaemonSet").await);
    }
    found
}

/// The objects of a kind that no other object owns: owned ones, which may come first, are passed
/// over page by page.
async fn unowned<K>(cluster: &Cluster, kind: &str) -> Vec<String>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
    K::DynamicType: Default,
{
    let api: Api<K> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let mut params = first_page();
    let mut found = vec![];
    while found.len() < MAX_OTHERS {
        let Ok(page) = api.list_metadata(&params).await else { break };
        let unowned = page.items.iter().filter(|it| it.owner_references().is_empty());
        found.extend(unowned.map(|it| format!("{kind} {}", it.name_any())));
        let Some(next) = next_page(&params, &page.metadata) else { break };
        params = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use k8s_openapi::api::apps::v1::ReplicaSet;
    use kube::{Client, client::Body};
    use serde_json::{Value, json};
    use tower::service_fn;

    use super::{one_set_or_named, unowned};
    use crate::{cluster::Cluster, submission::Submission};

    /// Catches two sets in one file that are both applied before anybody asks which is meant.
    #[test]
    fn two_sets_of_which_none_is_named_are_not_applied() {
        let set = |name: &str| {
            format!(
                "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: {name}}}\nspec: {{}}\n"
            )
        };
        let of = |names: &[&str]| {
            let text = names.iter().map(|it| set(it)).collect::<Vec<_>>().join("---\n");
            let files = [("web.yaml".to_owned(), text.into_bytes())];
            Submission::of_files(&files, "lab").unwrap()
        };
        assert!(one_set_or_named(&of(&["web"]), None).is_ok());
        let two = of(&["web", "cache"]);
        assert!(one_set_or_named(&two, Some("web")).is_ok());
        let failure = one_set_or_named(&two, None).unwrap_err();
        assert_eq!(failure.what, "what `-f` names holds 2 StatefulSets: web, cache");
        assert_eq!(failure.detail, ["nothing was applied"]);
        assert!(failure.next.contains("`--statefulset NAME`"), "{}", failure.next);
    }

    /// Catches a ReplicaSet of nobody's that is not told because those of Deployments are listed
    /// before it.
    #[tokio::test]
    async fn owned_objects_hide_none_that_nobody_owns() {
        let owned = |name: String| {
            let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "d",
                "uid": "u"});
            json!({"metadata": {"name": name, "ownerReferences": [owner]}})
        };
        let service = service_fn(move |request: Request<Body>| {
            let (items, next): (Vec<Value>, _) =
                if request.uri().query().is_some_and(|it| it.contains("continue=more")) {
                    (vec![json!({"metadata": {"name": "alone"}})], "")
                } else {
                    ((0..20).map(|it| owned(format!("d-{it}"))).collect(), "more")
                };
            let list = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
                "metadata": {"continue": next}, "items": items});
            let body = Body::from(list.to_string().into_bytes());
            async move { Ok::<_, Infallible>(Response::new(body)) }
        });
        let cluster = Cluster::with(Client::new(service, "lab"), "lab");
        assert_eq!(unowned::<ReplicaSet>(&cluster, "ReplicaSet").await, ["ReplicaSet alone"]);
    }
}
