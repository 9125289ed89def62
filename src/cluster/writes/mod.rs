//! Every change that is made to a namespace: applying, scaling, and deleting by UID.

pub mod apply;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod existing;
pub(crate) mod field_owners;
mod field_ownership_transfer;
mod last_applied;
mod merge;
pub(crate) mod namespace;
mod refusal;
pub(crate) mod replicas_owners;
pub(crate) mod scale;
pub(crate) mod send;
mod server_words;
pub(crate) mod terminating;
