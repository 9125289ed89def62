//! Which namespace may be meant, where nothing may be done in the one that is worked on, or where it
//! does not exist.

use crate::{
    cli::Target,
    cluster::{Cluster, Failure, client::failure_id, grade::suggest_namespace},
    console::{sanitize::sanitize, suggest::nearest},
};

/// The namespace whose name is nearest to one that somebody named and that does not exist, or in
/// which they may do nothing. Whoever may not list namespaces still has the context's own.
pub(super) async fn near_namespace(
    failure: &Failure,
    target: &Target,
    cluster: &Cluster,
) -> Option<String> {
    let named = target.namespace.as_ref()?;
    let mut known = match failure.id {
        failure_id::NO_NAMESPACE => suggest_namespace::all(cluster).await,
        failure_id::FORBIDDEN => vec![],
        _ => return None,
    };
    if known.is_empty() && cluster.own_namespace != *named {
        known.push(cluster.own_namespace.clone());
    }
    nearest(named, known.iter().map(String::as_str)).map(sanitize)
}

/// Adds to a failure which namespace may be meant, where the one that was asked for does not exist or
/// may not be looked into.
///
/// Whoever names no namespace may have worked in the context's own; whoever names one that does not
/// exist may have misspelt it. To an account without rights on namespaces, one that does not exist
/// is forbidden, as one that is somebody else's. `command`: what was begun (`grade`).
pub(super) async fn with_hint(
    failure: Failure,
    target: &Target,
    cluster: &Cluster,
    command: &str,
) -> Failure {
    let is_forbidden = failure.id == failure_id::FORBIDDEN;
    let is_known = match failure.id {
        failure_id::NO_NAMESPACE => false,
        failure_id::FORBIDDEN => suggest_namespace::may_be_looked_into(cluster).await,
        _ => true,
    };
    if is_known {
        return failure;
    }
    // With the namespace that is meant no Role is missing.
    let instead = |next: String, failure: Failure| {
        let detail = if is_forbidden { vec![] } else { failure.detail };
        Failure { next, detail, ..failure }
    };
    if let Some(near) = near_namespace(&failure, target, cluster).await {
        let next = format!("Did you mean {near}? `-n {near}` names it.");
        let next = if is_forbidden { next } else { format!("{next} {}", failure.next) };
        return instead(next, failure);
    }
    let Some(name) = suggest_namespace::in_own_namespace(cluster).await else { return failure };
    let own = sanitize(&cluster.own_namespace);
    let next = format!(
        "StatefulSet {} is in namespace {own}, the context's own: `stsgrade {command} -n {own}`.",
        sanitize(&name)
    );
    match &target.namespace {
        None => instead(next, failure),
        // The one that was named may be meant all the same.
        Some(_) => Failure { next: format!("{next} {}", failure.next), ..failure },
    }
}

/// The note to whoever named no namespace and meant the context's own, which holds a set; `command`
/// is what to run there.
pub(super) async fn own_namespace_note(cluster: &Cluster, command: &str) -> Option<String> {
    let name = sanitize(&suggest_namespace::in_own_namespace(cluster).await?);
    let own = sanitize(&cluster.own_namespace);
    Some(format!(
        "note: namespace {own}, the context's own, holds StatefulSet {name}: \
        `stsgrade {command} -n {own}` {command}s it"
    ))
}
