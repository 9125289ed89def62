//! Whether the namespace that is to be graded exists.

use crate::cluster::client::failure_id;
use k8s_openapi::{
    api::{coordination::v1::Lease, core::v1::Namespace},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, api::PostParams};

use crate::cluster::{Cluster, Failure, client::lease_term::LEASE_NAME};

/// Whether the namespace is there and stays: without it every list is empty.
///
/// Whoever may not read namespaces asks the API server by a write that is only tried: nothing can
/// be made in a namespace that is not there, or that is being deleted.
///
/// # Errors
/// It does not exist, it is being deleted, or the server cannot be reached.
pub async fn exists(cluster: &Cluster) -> Result<(), Failure> {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    match api.get_metadata_opt(&cluster.namespace).await {
        Ok(Some(it)) if it.metadata.deletion_timestamp.is_some() => {
            Err(Failure::terminating_namespace(&cluster.namespace))
        }
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Failure::missing_namespace(&cluster.namespace)),
        Err(kube::Error::Api(status)) if status.is_forbidden() => takes_objects(cluster).await,
        Err(error) => Err(cluster.failure(&error, "get", "namespaces", "")),
    }
}

/// Whether a Lease could be made in the namespace.
async fn takes_objects(cluster: &Cluster) -> Result<(), Failure> {
    let api: Api<Lease> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let lease = Lease {
        metadata: ObjectMeta { name: Some(LEASE_NAME.to_owned()), ..ObjectMeta::default() },
        ..Lease::default()
    };
    let tried = api.create(&PostParams { dry_run: true, ..PostParams::default() }, &lease).await;
    let failure = match tried {
        Ok(_) => return Ok(()),
        Err(error) => cluster.failure(&error, "create", "leases.coordination.k8s.io", LEASE_NAME),
    };
    // Any other error is reported when the object is created.
    if matches!(failure.id, failure_id::NAMESPACE_TERMINATING | failure_id::NO_NAMESPACE) {
        Err(failure)
    } else {
        Ok(())
    }
}
