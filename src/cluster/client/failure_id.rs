//! The ids of the failures that other code tells apart. A report in JSON holds them, so they never
//! change.

/// Nothing listens at the API server's address.
pub const NO_SERVER: &str = "no_server";
/// The name of the API server cannot be resolved.
pub const NO_SERVER_NAME: &str = "no_server_name";
/// The API server does not answer.
pub const NO_ANSWER: &str = "no_answer";
/// The connection broke, so nobody knows whether the request was carried out.
pub const CONNECTION_LOST: &str = "connection_lost";
/// The connection failed in a way that is not known.
pub const CONNECTION: &str = "connection";
/// Something did not happen in its time.
pub const TIMEOUT: &str = "timeout";
/// The API server has too much to do, or an object was changed at the same time.
pub const BUSY: &str = "busy";
/// The API server failed by itself.
pub const SERVER_ERROR: &str = "server_error";
/// Whether the Lease is still ours is not known.
pub const LEASE_UNSURE: &str = "lease_unsure";
/// Something else answers in place of the API server.
pub const NOT_KUBERNETES: &str = "not_kubernetes";
/// The proxy on the way to the API server makes no connection.
pub const PROXY_REFUSED: &str = "proxy_refused";
/// The API server does not know the user.
pub const CREDENTIALS: &str = "credentials";
/// The credential plugin gives nothing of use.
pub const CREDENTIAL_PLUGIN: &str = "credential_plugin";
/// The credential plugin is not installed.
pub const NO_CREDENTIAL_PLUGIN: &str = "no_credential_plugin";
/// The user has not the permission.
pub const FORBIDDEN: &str = "forbidden";
/// There is no kubeconfig.
pub const NO_KUBECONFIG: &str = "no_kubeconfig";
/// The kubeconfig names no current context.
pub const NO_CONTEXT: &str = "no_context";
/// The kubeconfig cannot be used.
pub const BAD_KUBECONFIG: &str = "bad_kubeconfig";
/// The namespace is being deleted.
pub const NAMESPACE_TERMINATING: &str = "namespace_terminating";
/// An object does not exist.
pub const NOT_FOUND: &str = "not_found";
/// The namespace does not exist.
pub const NO_NAMESPACE: &str = "no_namespace";
/// There is no trusted connection to the API server.
pub const TLS: &str = "tls";
/// A manifest that cannot be read.
pub const UNREADABLE_MANIFEST: &str = "manifest_unreadable";
/// A manifest that the API server refuses for its own content.
pub const REFUSED_MANIFEST: &str = "manifest_refused";
/// Whether an id is of a mistake in the manifest itself, for which it is graded 0.
#[must_use]
pub fn is_of_a_manifest(id: &str) -> bool {
    [UNREADABLE_MANIFEST, REFUSED_MANIFEST].contains(&id)
}
/// What no hand-in of a batch may ask for.
pub const NOT_ALLOWED: &str = "not_allowed";
/// An admission policy of the cluster refuses it.
pub const POLICY: &str = "policy";
/// The namespace's quota is used up.
pub const QUOTA: &str = "quota";
/// Somebody else has scaled the set.
pub const SCALED: &str = "scaled";
/// Somebody else has deleted the set.
pub const SET_GONE: &str = "set_gone";
/// Somebody else is deleting a claim of the set.
pub const CLAIM_DELETED: &str = "claim_deleted";
/// Somebody else changed an object at the same time.
pub const CONFLICT: &str = "conflict";
/// What is sent through the API server is too large for that.
pub const PARCEL_TOO_LARGE: &str = "parcel_too_large";
/// What was sent through the API server is not whole.
pub const PARCEL_BROKEN: &str = "parcel_broken";
