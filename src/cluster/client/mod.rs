//! The connection: from a kubeconfig to requests that are counted, bounded and repeated.

mod account;
pub(crate) mod answer;
pub(crate) mod client_certificate;
pub mod connect;
pub(crate) mod credential;
pub(crate) mod credential_plugin;
pub mod error;
pub(crate) mod error_chain;
pub mod failure_id;
pub(crate) mod kubeconfig;
pub(crate) mod lease_term;
pub mod namespace;
pub(crate) mod page;
mod proxy_answer;
pub(crate) mod request_layer;
pub(crate) mod retry;
pub(crate) mod transport;
mod tunnel;
