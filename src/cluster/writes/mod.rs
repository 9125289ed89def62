//! Every change that is made to a namespace: applying, scaling, and deleting by UID.

pub mod apply;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod existing;
pub(crate) mod field_owners;
pub(crate) mod namespace;
mod refusal;
pub(crate) mod replicas_owners;
pub(crate) mod scale;
pub(crate) mod send;
mod server_words;
mod take_over;
pub(crate) mod terminating;
